//! A verdict in a sentence that says no more than what is proven.

use super::number::{sci_down, sci_up, shown};
use crate::certify::dual::relative_gap;
use crate::certify::{FAILURE, Verdict};
use crate::run::Document;

/// The sentence.
pub fn sentence(d: &Document) -> String {
    let gap = shown(d.gap.relative, |g| sci_up(g, 2));
    match d.verdict {
        Verdict::Global => format!("global: proven to be within {gap} (relative) of the global optimum"),
        Verdict::Within => format!("within {gap} (relative) of the global optimum, proven"),
        Verdict::Refuted if d.gap.relative.is_some() => {
            format!("refuted: a slice is at hand that lowers the objective; proven gap {gap} (relative)")
        }
        Verdict::Refuted => "refuted: a slice is at hand that lowers the objective".into(),
        Verdict::Local => {
            "local: no useful bound is proven; how stationary the point is stands in the conditions".into()
        }
    }
}

/// What kept the gap above the target, if anything did.
pub fn limited_by(d: &Document) -> Option<String> {
    if d.meets_target() {
        return None;
    }
    let target = d.target_gap;
    Some(match (d.stopped_by.as_str(), d.polar.exact) {
        ("time", _) => format!("the time limit (target gap {target:e})"),
        ("interrupt", _) => "the interrupt".into(),
        ("max_rank" | "max_outer", _) => format!("solver.{} (target gap {target:e})", d.stopped_by),
        (_, false) if d.verdict != Verdict::Refuted => format!(
            "the bound: this polar is bounded, not computed, so a gap may remain even at the optimum (target gap {target:e})"
        ),
        _ => format!("the point itself (target gap {target:e})"),
    })
}

/// The polar interval in words.
pub fn polar(d: &Document) -> String {
    let upper = d.polar.upper.map_or("not bounded".into(), |u| format!("proven <= {}", decimal_up(u)));
    let exact = if d.polar.exact { ", exact" } else { "" };
    format!("found {:.6}, {upper} ({}{exact})", d.polar.lower, d.polar.method)
}

/// Six decimals, not below the number.
fn decimal_up(u: f64) -> String {
    let text = format!("{u:.6}");
    match text.parse::<f64>() {
        Ok(nearest) if nearest < u => format!("{:.6}", nearest + 1e-6),
        _ => text,
    }
}

/// Where the bound came from, in words.
pub fn bound(d: &Document) -> String {
    match (&d.bound, d.lower_bound) {
        (Some(b), Some(value)) => format!("{} from {}, polar proven by {}", sci_down(value, 10), b.source, b.method),
        _ => "-".into(),
    }
}

/// The probabilistic bound in words, if there is one.
pub fn probabilistic(d: &Document) -> Option<String> {
    let bound = d.bound.as_ref()?.probabilistic?;
    let gap = sci_up(relative_gap(d.objective.total, bound), 2);
    Some(format!(
        "{} (gap {gap}), not proven: fails with probability {FAILURE:e} at most, by Lanczos from a random start",
        sci_down(bound, 10)
    ))
}
