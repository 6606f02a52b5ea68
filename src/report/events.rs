//! The solver log for programs, `--log-format json`: one JSON object per line, with numbers as numbers. Unknown is null; doubles
//! read back exactly.

use super::describe::Line;
use super::verdict;
use crate::run::Document;
use crate::solve::observer::Iteration;
use serde_json::{Value, json};
use std::path::Path;

fn line(value: &Value) -> String {
    format!("{value}\n")
}

/// The head: an object per line of it.
pub fn head(name: &str, lines: &[Line]) -> String {
    let one = |(label, text): &Line| {
        line(&json!({ "level": "INFO", "event": "head", "name": name, "label": label, "message": text }))
    };
    lines.iter().map(one).collect()
}

/// One row of the table.
pub fn iteration(i: &Iteration) -> String {
    line(&json!({
        "level": "INFO",
        "event": "iteration",
        "iter": i.iter,
        "rank": i.rank,
        "objective": i.objective,
        "lower_bound": i.lower_bound,
        "gap": i.gap,
        "polar": i.polar,
        "step": i.step,
        "time_s": i.time_s,
    }))
}

/// The foot.
pub fn foot(d: &Document, written: Option<&Path>) -> String {
    line(&json!({
        "level": "INFO",
        "event": "verdict",
        "name": d.name,
        "verdict": d.verdict,
        "message": verdict::sentence(d),
        "limited_by": verdict::limited_by(d),
        "objective": d.objective.total,
        "lower_bound": d.lower_bound,
        "gap": d.gap.relative,
        "target_gap": d.target_gap,
        "rank": d.rank,
        "stopped_by": d.stopped_by,
        "written_to": written.map(|p| p.display().to_string()),
    }))
}

/// The conditions of the theory.
pub fn conditions(d: &Document) -> String {
    let one = |c| {
        let mut value = serde_json::to_value(c).unwrap_or_default();
        value["level"] = "INFO".into();
        value["event"] = "condition".into();
        line(&value)
    };
    d.conditions.iter().map(one).collect()
}

/// Anything else that is said, line by line.
pub fn message(level: &str, text: &str) -> String {
    let lines = text.lines().filter(|l| !l.trim().is_empty());
    lines.map(|l| line(&json!({ "level": level, "event": "message", "message": l.trim() }))).collect()
}

/// An error, whole.
pub fn error(text: &str) -> String {
    line(&json!({ "level": "ERROR", "event": "error", "message": text }))
}
