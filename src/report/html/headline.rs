//! The verdict in plain words, and the numbers that make it.

use crate::certify::Verdict;
use crate::report::number::{plain, sci_down, sci_up, shown};
use crate::report::plots::colour::{INK, LINES, PALE};
use crate::report::plots::{Axis, Chart, Mark};
use crate::report::verdict;
use crate::run::Document;
use maud::{Markup, html};

/// Gaps below this are drawn at this.
const SMALLEST: f64 = 1e-12;

/// Name and verdict.
pub fn header(d: &Document) -> Markup {
    let (class, mark) = match d.verdict {
        Verdict::Global => ("global", "\u{2713}"),
        Verdict::Within => ("within", "\u{2248}"),
        Verdict::Local => ("local", "?"),
        Verdict::Refuted => ("refuted", "\u{2717}"),
    };
    html! {
        header {
            p.kind { "homfac report" }
            h1 { (d.name) }
            div class={ "verdict " (class) } {
                p.badge { span aria-hidden="true" { (mark) } " " (verdict::short(d)) }
                p.plain { (verdict::plain(d)) }
                @if let Some(limit) = verdict::limited_by(d) { p.limit { "Limited by " (limit) "." } }
            }
        }
    }
}

/// Objective, bound, gap, rank.
pub fn tiles(d: &Document) -> Markup {
    let tile = |label: &str, value: String, remark: String| {
        html! { div.tile { dt { (label) } dd { span.value { (value) } span.remark { (remark) } } } }
    };
    let parts = if d.objective.extras == 0.0 { "loss + regularizer" } else { "loss + regularizer + extras" };
    let bound = d.bound.as_ref().filter(|_| d.lower_bound.is_some());
    html! {
        section.headline id="headline" aria-labelledby="headline-title" {
            h2.hidden id="headline-title" { "The numbers in short" }
            dl.tiles {
                (tile("Objective", plain(&sci_up(d.objective.total, 6)), format!("{parts}, rounded up")))
                (tile("Lower bound", shown(d.lower_bound, |x| plain(&sci_down(x, 6))), bound.map_or("none is proven".into(), |b| {
                    format!("proven, from {}", b.source)
                })))
                (tile("Relative gap", shown(d.gap.relative, |x| sci_up(x, 2)), format!("target {:e}", d.target_gap)))
                (tile("Rank", d.rank.to_string(), format!("{} always suffice", d.rank_bound)))
            }
            @if let Some(gap) = d.gap.relative { (ruler(d, gap)) }
        }
    }
}

/// The gap on a logarithmic scale, beside the target.
fn ruler(d: &Document, gap: f64) -> Markup {
    let shown = gap.max(SMALLEST);
    let x = Axis::log(
        "relative gap (smaller is better)",
        [SMALLEST.max(shown.min(d.target_gap) / 10.0), 1.0, shown].into_iter(),
    );
    let y = Axis::blank();
    let colour = if gap <= d.target_gap { LINES[2] } else { LINES[1] };
    let least = x.low();
    let says = format!(
        "A logarithmic scale of relative gaps: the proven gap is {}, the target {:e}.",
        sci_up(gap, 2),
        d.target_gap
    );
    let marks = vec![
        Mark::Bars(PALE, vec![(least, x.high(), 0.62)]),
        Mark::Bars(colour, vec![(least, shown, 0.62)]),
        Mark::Post(INK, d.target_gap),
    ];
    let chart = Chart { says, x, y, marks, size: (440, 56) };
    html! { figure.ruler { (chart.svg()) p.remark { "The bar ends at the proven gap; the upright line is the target." } } }
}
