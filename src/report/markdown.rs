//! `report.md`: the certificate for people.

use super::number::{sci, sci_down, sci_up, shown};
use super::path::Walk;
use super::verdict;
use crate::run::Document;
use std::fmt::Write;

/// The report of a run, with the choices made while reading its data and the path that it was chosen from.
pub fn report(d: &Document, notes: &[String], path: Option<&Walk>) -> String {
    let mut out = format!("# {}\n\n**{}**\n", d.name, capitalised(&verdict::sentence(d)));
    if let Some(limit) = verdict::limited_by(d) {
        let _ = writeln!(out, "\nLimited by {limit}.");
    }
    if let Some(walk) = path {
        let _ = writeln!(out, "\n{}", walk.says());
    }
    numbers(&mut out, d);
    conditions(&mut out, d);
    data(&mut out, d);
    if !notes.is_empty() {
        section(&mut out, "How the data was read");
        notes.iter().for_each(|n| {
            let _ = writeln!(out, "- {n}");
        });
    }
    section(&mut out, "What is assumed");
    d.guarantees.iter().for_each(|g| {
        let _ = writeln!(out, "- {g}");
    });
    section(&mut out, "To reproduce");
    let _ = writeln!(
        out,
        "`homfac solve spec.toml -o NEW_FOLDER` from this folder solves again; `homfac check .` proves the saved factors \
         again from the data. homfac {}.\n",
        d.homfac
    );
    // the one line that differs between two runs of the same spec
    let _ = writeln!(out, "<!-- time --> solved in {:.2} s, certified in {:.2} s", d.time.solve_s, d.time.certify_s);
    out
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |c| c.to_uppercase().chain(chars).collect())
}

fn section(out: &mut String, title: &str) {
    let _ = writeln!(out, "\n## {title}\n");
}

fn numbers(out: &mut String, d: &Document) {
    section(out, "Numbers");
    let number = |x: Option<f64>| shown(x, |x| sci(x, 12));
    let up = |x: Option<f64>| shown(x, |x| sci_up(x, 12));
    let upper = d.lambda_max.upper.map_or("not bounded".into(), |u| sci_up(u, 6));
    let rows = [
        ("objective", up(Some(d.objective.total))),
        ("of which loss", number(Some(d.objective.loss))),
        ("of which regularizer (lambda included)", number(Some(d.objective.regularizer))),
        ("of which extras", number(Some(d.objective.extras))),
        ("lower bound (proven)", shown(d.lower_bound, |x| sci_down(x, 12))),
        ("absolute gap", up(d.gap.absolute)),
        ("relative gap", up(d.gap.relative)),
        ("target gap", format!("{:e}", d.target_gap)),
        ("bound from", d.bound.as_ref().map_or("-".into(), |b| format!("{}, polar proven by {}", b.source, b.method))),
        ("rounding margin in the bound", number(d.bound.as_ref().map(|b| b.slack))),
        ("polar of -grad l / lambda", verdict::polar(d)),
        ("rank", format!("{} ({} always suffice)", d.rank, d.rank_bound)),
        ("lambda", format!("{:?}", d.lambda)),
        ("lambda_max", format!("found {}, proven upper end {upper}", sci(d.lambda_max.found, 6))),
        ("stopped by", d.stopped_by.clone()),
    ];
    out.push_str("| | |\n| --- | --- |\n");
    for (label, value) in rows {
        let _ = writeln!(out, "| {label} | {value} |");
    }
    if let Some(bound) = verdict::probabilistic(d) {
        let _ = writeln!(out, "| lower bound (probabilistic) | {bound} |");
    }
    if let Some(h) = d.holdout {
        if let Some(rmse) = h.rmse {
            let _ = writeln!(out, "| RMSE over {} held-out entries | {} |", h.entries, sci(rmse, 12));
        }
        let scores = [("R2", h.r2), ("accuracy", h.accuracy)];
        for (what, score) in scores.iter().filter_map(|(what, x)| x.map(|x| (what, x))) {
            let _ = writeln!(out, "| {what} over held-out entries | {} |", sci(score, 12));
        }
        let _ = writeln!(out, "| loss per held-out entry | {} |", sci(h.loss, 12));
    }
}

fn conditions(out: &mut String, d: &Document) {
    section(out, "Conditions of the theory");
    out.push_str("They explain the verdict; none of them makes it.\n\n| condition | source | holds | value | says |\n");
    out.push_str("| --- | --- | --- | --- | --- |\n");
    for c in &d.conditions {
        let holds = c.holds.map_or("unknown", |h| if h { "yes" } else { "no" });
        let value = c.value.map_or("-".into(), |v| sci(v, 3));
        let _ = writeln!(out, "| {} | {} | {holds} | {value} | {} |", c.id, c.source, c.says);
    }
}

fn data(out: &mut String, d: &Document) {
    section(out, "Data");
    out.push_str("| file | shape | observed | SHA-256 |\n| --- | --- | --- | --- |\n");
    for f in &d.data {
        let _ = writeln!(out, "| {} | {:?} | {} | `{}` |", f.path, f.shape, f.observed, f.sha256);
    }
}
