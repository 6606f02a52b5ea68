//! The path of lambdas that the point was chosen from.

use super::parts;
use crate::report::path::{Row, Walk};
use crate::report::plots::colour::{INK, LINES};
use crate::report::plots::{Axis, Chart, Mark};
use maud::{Markup, html};

const SIZE: (u32, u32) = (380, 230);

/// Objective and bound, gap, rank, what is held out, over lambda.
pub fn section(walk: &Walk) -> Markup {
    let body = html! {
        p { (walk.says()) " The upright line marks it; " code { "path.csv" } " has every number." }
        @if walk.rows.len() > 1 { div.grid.pairs { @for figure in figures(walk) { (figure) } } }
    };
    parts::section("path", "The path it was chosen from", body)
}

type Values = Vec<(f64, f64)>;

fn figures(walk: &Walk) -> Vec<Markup> {
    let along = |value: &dyn Fn(&Row) -> Option<f64>| -> Values {
        walk.rows.iter().filter_map(|r| Some((r.lambda, value(r)?))).collect()
    };
    let heights = |all: &[&Values]| all.iter().flat_map(|v| v.iter().map(|p| p.1)).collect::<Vec<_>>().into_iter();
    let x = Axis::log("lambda", walk.rows.iter().map(|r| r.lambda));
    let chart = |says: &str, y: Axis, marks: Vec<Mark>| Chart {
        says: says.into(),
        x: x.clone(),
        y,
        marks: [vec![Mark::Post(INK, walk.rows[walk.chosen].lambda)], marks].concat(),
        size: SIZE,
    };
    let line = |k: usize, v: &Values| [Mark::Line(LINES[k], v.clone()), Mark::Dots(LINES[k], v.clone())];

    let (objective, bound) = (along(&|r| Some(r.objective)), along(&|r| r.lower_bound));
    let mut out = vec![parts::figure(
        "Objective and lower bound",
        &[("objective", LINES[0]), ("lower bound", LINES[1])],
        &chart(
            "Objective and proven lower bound over lambda.",
            Axis::linear("", heights(&[&objective, &bound])),
            [line(1, &bound), line(0, &objective)].concat(),
        ),
        "",
    )];
    // rounding is all that is left below
    let gap = along(&|r| r.gap.map(|g| g.max(1e-16)));
    if !gap.is_empty() {
        let says = "Relative gap over lambda, on a logarithmic scale.";
        let gaps = chart(says, Axis::log("", heights(&[&gap])), line(0, &gap).to_vec());
        out.push(parts::figure(
            "Relative gap, proven",
            &[],
            &gaps,
            "What each point proves on the way; the point chosen in full.",
        ));
    }
    let rank = along(&|r| Some(r.rank as f64));
    let most = walk.rows.iter().map(|r| r.rank).max().unwrap_or(0);
    let y = Axis::whole("", 0, most, 0.04 * most as f64);
    out.push(parts::figure("Rank", &[], &chart("Number of slices over lambda.", y, line(2, &rank).to_vec()), ""));
    let (folds, held) = (along(&|r| r.folds.map(|f| f.0)), along(&|r| r.holdout));
    let bars: Vec<Values> = (walk.rows.iter())
        .filter_map(|r| r.folds.map(|(mean, error)| vec![(r.lambda, mean - error), (r.lambda, mean + error)]))
        .collect();
    if !folds.is_empty() || !held.is_empty() {
        let all: Vec<&Values> = bars.iter().chain([&folds, &held]).collect();
        let marks = bars.iter().map(|b| Mark::Line(LINES[0], b.clone()));
        let marks = marks.chain(line(0, &folds)).chain(line(1, &held)).collect();
        let says = "Loss per held-out entry over lambda, with one standard error up and down.";
        let keys = [("cross-validation", LINES[0], &folds), ("held out by the spec", LINES[1], &held)];
        let keys: Vec<_> = keys.into_iter().filter(|k| !k.2.is_empty()).map(|k| (k.0, k.1)).collect();
        let remark = if folds.is_empty() { "" } else { "Bars: one standard error, up and down." };
        out.push(parts::figure(
            "Loss per held-out entry",
            &keys,
            &chart(says, Axis::linear("", heights(&all)), marks),
            remark,
        ));
    }
    out
}
