//! `report.html`: the certificate and the point as one page that needs nothing else, no network, no script, no font.
//!
//! Every text goes through maud, which escapes it; a policy in the head forbids whatever could be loaded or run. Sizes are bounded
//! whatever the size of the data: lines are thinned, tables shrunk, lists cut.

mod evidence;
mod factors;
mod fit;
mod headline;
mod parts;
mod path;
mod progress;
mod slices;

use super::portrait::Portrait;
use super::verdict;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use parts::section;

const STYLE: &str = include_str!("style.css");
/// A spec may list as many groups as there are coordinates.
const LONGEST_SPEC: usize = 20_000;
/// What a page may load: nothing but what it carries.
const POLICY: &str = include_str!("policy.txt");

/// The page.
pub fn page(p: &Portrait) -> String {
    let d = p.document;
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY.trim_end());
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "homfac " (d.homfac) };
                title { (d.name) ": " (verdict::word(d)) " (homfac)" }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                (headline::header(d))
                main {
                    (headline::tiles(d))
                    (problem(p))
                    @if let Some(walk) = p.path { (path::section(walk)) }
                    (progress::section(p))
                    @match &p.point {
                        Ok(point) => {
                            (slices::section(point))
                            (factors::section(point))
                            (fit::section(p, point))
                        }
                        Err(why) => {
                            (section("point", "The point", html! { p.note { "The factors cannot be shown: " (why) } }))
                        }
                    }
                    (evidence::conditions(d))
                    (evidence::numbers(d))
                    (evidence::data(d, p.notes))
                    (evidence::reproduce(p))
                }
                (footer(p))
            }
        }
    };
    // names out of files may hold what no page may
    markup.into_string().replace(|c: char| c.is_control() && c != '\n', " ") + "\n"
}

fn problem(p: &Portrait) -> Markup {
    let lines = p.point.as_ref().ok().and_then(|p| p.seen.as_ref().ok()).map_or(&[][..], |s| &s.problem);
    section(
        "problem",
        "The problem",
        html! {
            @if !lines.is_empty() { (parts::pairs(lines.iter().map(|(label, text)| (*label, text.as_str())))) }
            @if !p.spec.is_empty() {
                details {
                    summary { "The spec, with every default filled in" }
                    pre tabindex="0" { code { (parts::cut(p.spec, LONGEST_SPEC)) } }
                }
            }
        },
    )
}

fn footer(p: &Portrait) -> Markup {
    let d = p.document;
    html! {
        footer {
            p { "homfac " (d.homfac) ". Every number here stands in " code { "certificate.json" } ", or follows from the factors and the data." }
            // the one line that differs between two runs of the same spec
            (PreEscaped("\n<!-- time --> "))
            p { "Solved in " (format!("{:.2}", d.time.solve_s)) " s, certified in " (format!("{:.2}", d.time.certify_s)) " s." }
            (PreEscaped("\n"))
        }
    }
}
