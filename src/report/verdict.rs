//! A verdict in a sentence that says no more than what is proven.

use super::number::{self, sci_down, sci_up, shown};
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

/// The verdict in one word.
pub fn word(d: &Document) -> &'static str {
    match d.verdict {
        Verdict::Global => "global",
        Verdict::Within => "within",
        Verdict::Refuted => "refuted",
        Verdict::Local => "local",
    }
}

/// The verdict in a few words.
pub fn short(d: &Document) -> String {
    let gap = shown(d.gap.relative, percent_up);
    match d.verdict {
        Verdict::Global => format!("Global optimum, proven to within {gap}"),
        Verdict::Within => format!("Within {gap} of the global optimum, proven"),
        Verdict::Refuted => "Refuted: this is not the optimum".into(),
        Verdict::Local => "Nothing useful is proven of the global optimum".into(),
    }
}

/// What the verdict means.
pub fn plain(d: &Document) -> String {
    let objective = number::plain(&sci_up(d.objective.total, 6));
    let proven = d.lower_bound.map(|b| {
        let (bound, gap) = (number::plain(&sci_down(b, 6)), shown(d.gap.relative, percent_up));
        format!(
            "No factors of any rank bring the objective below {bound}; these reach {objective}, at most {gap} away."
        )
    });
    match (d.verdict, proven) {
        (Verdict::Global | Verdict::Within, Some(proven)) => proven,
        (Verdict::Refuted, proven) => {
            let better = "Changing the point along a slice that is at hand lowers the objective.";
            proven.map_or(better.into(), |p| format!("{better} {p}"))
        }
        _ => format!("These factors reach {objective}. How stationary they are stands in the conditions."),
    }
}

/// A share in percent, two digits, not below it.
fn percent_up(share: f64) -> String {
    let percent = sci_up((share * 100.0).next_up(), 1);
    match percent.parse::<f64>() {
        Ok(p) if (1e-3..1e3).contains(&p) => format!("{p}\u{a0}%"),
        // a percentage of many zeros is none to read
        _ => format!("{} (relative)", number::plain(&sci_up(share, 1))),
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
    let ended = d.polar.ended.map_or(String::new(), |e| {
        format!("; time ended the search in dimension {} at {} cells", e.dimension, e.cells)
    });
    format!("found {:.6}, {upper} ({}{exact}{ended})", d.polar.lower, d.polar.method)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_never_rounded_down() {
        assert_eq!(percent_up(0.001234), "0.13\u{a0}%");
        assert_eq!(percent_up(0.5), "51\u{a0}%");
        assert_eq!(percent_up(8.65e-5), "0.0087\u{a0}%");
        assert_eq!(percent_up(1e-9), "1.0e\u{2212}09 (relative)");
    }
}
