//! What sections are made of.

use crate::report::plots::Chart;
use crate::report::plots::colour::{Rgb, hex};
use maud::{Markup, PreEscaped, html};

/// A section with its heading, on lines of its own.
pub fn section(id: &str, title: &str, body: Markup) -> Markup {
    html! {
        (PreEscaped("\n"))
        section id=(id) aria-labelledby={ (id) "-title" } {
            h2 id={ (id) "-title" } { (title) }
            (body)
        }
    }
}

/// Labels and what they say.
pub fn pairs<'a>(rows: impl Iterator<Item = (&'a str, &'a str)>) -> Markup {
    html! {
        dl {
            @for (label, text) in rows {
                div { dt { (label) } dd { (text) } }
            }
        }
    }
}

/// A table that scrolls sideways where it is wider than the page; `heads` are of columns, the first cell of a row is its head.
/// Columns flagged in `numbers` are set to the right.
pub fn table(caption: &str, heads: &[&str], numbers: &[bool], rows: Vec<Vec<Markup>>) -> Markup {
    let class = |k: usize| if numbers.get(k) == Some(&true) { Some("n") } else { None };
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for (k, head) in heads.iter().enumerate() { th scope="col" class=[class(k)] { (head) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (k, cell) in row.into_iter().enumerate() {
                                @if k == 0 { th scope="row" class=[class(k)] { (cell) } } @else { td class=[class(k)] { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The text, or its beginning if it has more than so many characters.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.into(),
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
    }
}

/// A cell of plain text.
pub fn cell(text: impl AsRef<str>) -> Markup {
    html! { (text.as_ref()) }
}

/// A chart with its title, what its colours mean, and a remark.
pub fn figure(title: &str, keys: &[(&str, Rgb)], chart: &Chart, remark: &str) -> Markup {
    html! {
        figure {
            figcaption {
                strong { (title) }
                @if !keys.is_empty() {
                    span.keys {
                        @for (name, colour) in keys {
                            span.key { i style={ "background:" (hex(*colour)) } {} (name) }
                        }
                    }
                }
            }
            (chart.svg())
            @if !remark.is_empty() { p.remark { (remark) } }
        }
    }
}
