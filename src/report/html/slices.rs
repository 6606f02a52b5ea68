//! What each slice weighs.

use super::parts::{self, cell};
use crate::report::number::{plain, sci};
use crate::report::plots::colour::LINES;
use crate::report::plots::{Axis, Chart, Mark};
use crate::report::portrait::{Point, Slice};
use maud::{Markup, html};

/// Rows of the table before it is folded, and at all.
const FIRST: usize = 12;
const LISTED: usize = 200;

/// The table, and the shares as bars.
pub fn section(point: &Point) -> Markup {
    let body = html! {
        @if point.slices.is_empty() {
            p.note { "The answer has no slices: X = 0." }
        } @else {
            p {
                "The largest first. A slice is the column of that number (from 0) of every factor. Its weight is g, "
                "the gauges of its columns combined; \u{3bb} times the sum of all is the regularizer."
                @if point.seen.is_ok() { " \u{2016}\u{3c6}(X_i)\u{2016} is the size of what it adds to the prediction." }
            }
            @if point.slices.len() > 1 { (shares(point)) }
            (listed(point, &point.slices[..point.slices.len().min(FIRST)], "Slices, the largest first"))
            @if point.slices.len() > FIRST {
                @let all = point.slices.len().min(LISTED);
                details {
                    summary { "Slices " (FIRST + 1) " to " (all) " by weight" }
                    (listed(point, &point.slices[FIRST..all], "Smaller slices"))
                }
            }
            @if point.slices.len() > LISTED {
                @let rest: f64 = point.slices[LISTED..].iter().map(|s| s.share).sum();
                p.note { (point.slices.len() - LISTED) " more slices have " (percent(rest)) " of the regularizer together." }
            }
        }
    };
    parts::section("slices", "Slices", body)
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

fn shares(point: &Point) -> Markup {
    let bars: Vec<(f64, f64, f64)> = point
        .slices
        .iter()
        .take(400)
        .enumerate()
        .map(|(k, s)| (k as f64 + 0.6, k as f64 + 1.4, 100.0 * s.share))
        .collect();
    let top = point.slices.first().map_or(0.0, |s| 100.0 * s.share);
    let chart = Chart {
        says: format!("Share of the regularizer of each slice, the largest first: {top:.2} percent at most."),
        x: Axis::whole("slices by weight", 1, bars.len(), 0.6),
        y: Axis::from_zero("share of the regularizer, %", top),
        marks: vec![Mark::Bars(LINES[0], bars)],
        size: (620, 190),
    };
    html! { div.wide { (parts::figure("Share of the regularizer", &[], &chart, "")) } }
}

fn listed(point: &Point, slices: &[Slice], caption: &str) -> Markup {
    let mut heads = vec!["slice".to_string(), "g".into(), "share".into()];
    heads.extend(point.factors.iter().map(|f| format!("{} of {}", f.gauge, f.name)));
    let sized = slices.iter().any(|s| s.size.is_some());
    if sized {
        heads.push("\u{2016}\u{3c6}(X_i)\u{2016}".into());
    }
    let rows = slices.iter().map(|s| {
        let mut row = vec![cell(s.column.to_string()), cell(plain(&sci(s.value, 4))), cell(percent(s.share))];
        row.extend(s.gauges.iter().map(|g| cell(plain(&sci(*g, 4)))));
        row.extend(s.size.map(|x| cell(plain(&sci(x, 4)))));
        row
    });
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    parts::table(caption, &heads, &vec![true; heads.len()], rows.collect())
}
