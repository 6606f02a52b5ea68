//! The solver log: a head with the problem as understood, a row per outer iteration, a foot with the verdict.

use super::describe::Line;
use super::number::{sci, sci_down, sci_up, shown};
use super::verdict;
use crate::run::Document;
use crate::solve::observer::Iteration;
use std::fmt::Write;
use std::path::Path;

/// The table's header is repeated after this many rows.
const REPEAT: usize = 20;

/// The head.
pub fn head(name: &str, lines: &[Line]) -> String {
    let mut out = format!("homfac {}   {name}\n", env!("CARGO_PKG_VERSION"));
    lines.iter().for_each(|(label, text)| row(&mut out, label, text));
    out
}

fn row(out: &mut String, label: &str, text: &str) {
    // writing to a string does not fail
    let _ = writeln!(out, "{label:<15}{text}");
}

/// One row of the table, with the header where it is due.
pub fn iteration(i: &Iteration) -> String {
    let mut out = String::new();
    if i.iter.is_multiple_of(REPEAT) {
        out.push_str("\n iter  rank     objective   lower bound       gap      polar  step           time\n");
    }
    let _ = writeln!(
        out,
        "{:5} {:5}  {:>12}  {:>12}  {:>8}  {:>9}  {:<10}{:8.2}s",
        i.iter,
        i.rank,
        sci_up(i.objective, 6),
        shown(i.lower_bound, |x| sci_down(x, 6)),
        shown(i.gap, |x| sci_up(x, 2)),
        polar(i.polar),
        i.step,
        i.time_s
    );
    out
}

/// Close to 1 the excess is what matters.
pub(super) fn polar(value: f64) -> String {
    if (value - 1.0).abs() < 5e-3 {
        let sign = if value < 1.0 { "-" } else { "+" };
        format!("1{sign}{}", sci((value - 1.0).abs(), 1))
    } else {
        format!("{value:.4}")
    }
}

/// The foot.
pub fn foot(d: &Document, written: Option<&Path>) -> String {
    let mut out = String::from("\n");
    row(&mut out, "verdict", &verdict::sentence(d));
    if let Some(limit) = verdict::limited_by(d) {
        row(&mut out, "limited by", &limit);
    }
    let o = &d.objective;
    let extras = if o.extras == 0.0 { String::new() } else { format!(" + extras {}", sci(o.extras, 6)) };
    row(
        &mut out,
        "objective",
        &format!("{} = loss {} + regularizer {}{extras}", sci_up(o.total, 10), sci(o.loss, 6), sci(o.regularizer, 6)),
    );
    row(&mut out, "lower bound", &verdict::bound(d));
    if let Some(bound) = verdict::probabilistic(d) {
        row(&mut out, "probabilistic", &bound);
    }
    row(&mut out, "polar", &verdict::polar(d));
    row(&mut out, "rank", &format!("{} (stopped by: {})", d.rank, d.stopped_by));
    if let Some(h) = d.holdout {
        let scores = [("RMSE", h.rmse), ("R2", h.r2), ("accuracy", h.accuracy), ("loss per entry", Some(h.loss))];
        let fit: Vec<String> =
            scores.iter().filter_map(|(what, x)| x.map(|x| format!("{what} {}", sci(x, 6)))).collect();
        let fit = fit.join(", ");
        row(&mut out, "held out", &format!("{fit} over {} entries", h.entries));
    }
    if let Some(path) = written {
        row(&mut out, "written to", &path.display().to_string());
    }
    out
}

/// The conditions of the theory, for `-v`.
pub fn conditions(d: &Document) -> String {
    let mut out = String::new();
    for c in &d.conditions {
        let holds = c.holds.map_or("unknown", |h| if h { "holds" } else { "fails" });
        let value = c.value.map_or(String::new(), |v| format!(" [{}]", sci(v, 2)));
        row(&mut out, &c.id, &format!("{holds}{value}  {} ({})", c.says, c.source));
    }
    out
}
