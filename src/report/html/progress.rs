//! How the solver got there: everything over the outer iteration, nothing over time, which is never the same twice.

use super::parts;
use crate::report::number::sci;
use crate::report::plots::colour::{INK, LINES};
use crate::report::plots::{Axis, Chart, Mark};
use crate::report::portrait::Portrait;
use crate::report::verdict;
use crate::solve::observer::Iteration;
use maud::{Markup, html};

/// Values further apart than this have a logarithmic scale.
const FAR: f64 = 20.0;
const SIZE: (u32, u32) = (380, 230);

/// Objective and bound, gap, rank, polar.
pub fn section(p: &Portrait) -> Markup {
    let body = html! {
        @if p.trace.is_empty() {
            p.note { "These factors were checked, not solved for: there are no iterations to show." }
        } @else {
            p { (steps(p.trace)) }
            @if p.trace.len() > 1 { div.grid.pairs { @for figure in figures(p) { (figure) } } }
        }
        p { "Polar of \u{2212}\u{2207}l / \u{3bb} at the written point: " (verdict::polar(p.document)) ". No slice lowers the objective where it is at most 1." }
    };
    parts::section("progress", "From the start to the answer", body)
}

fn steps(trace: &[Iteration]) -> String {
    match trace {
        [] => String::new(),
        [only] => format!("One outer iteration, at rank {}, was enough.", only.rank),
        [first, .., last] => {
            format!("{} outer iterations, from rank {} to rank {}.", trace.len(), first.rank, last.rank)
        }
    }
}

fn figures(p: &Portrait) -> Vec<Markup> {
    let trace = p.trace;
    let along = |value: &dyn Fn(&Iteration) -> Option<f64>| -> Vec<(f64, f64)> {
        trace.iter().filter_map(|i| Some((i.iter as f64, value(i)?))).collect()
    };
    let x = || Axis::whole("outer iteration", trace[0].iter, trace[trace.len() - 1].iter, 0.0);
    let heights = |points: &[(f64, f64)]| points.iter().map(|p| p.1).collect::<Vec<_>>().into_iter();
    // a single point is no line
    let line = |colour, points: Vec<(f64, f64)>| {
        if points.len() < 2 { Mark::Dots(colour, points) } else { Mark::Line(colour, points) }
    };

    let (objective, bound) = (along(&|i| Some(i.objective)), along(&|i| i.lower_bound));
    let (last, target) = (&trace[trace.len() - 1], p.document.target_gap);
    let values = || heights(&objective).chain(heights(&bound));
    let (least, most) = values().fold((f64::INFINITY, 0.0), |(a, b): (f64, f64), x| (a.min(x), b.max(x)));
    let far = least > 0.0 && most / least > FAR;
    let y = if far { Axis::log("", values()) } else { Axis::linear("", values()) };
    let both = Chart {
        says: format!(
            "Objective and lower bound over the outer iterations: the objective ends at {}, the bound {}.",
            sci(last.objective, 4),
            last.lower_bound.map_or("is not known".into(), |b| format!("at {}", sci(b, 4)))
        ),
        x: x(),
        y,
        marks: vec![line(LINES[1], bound.clone()), line(LINES[0], objective.clone())],
        size: SIZE,
    };
    let gap = along(&|i| i.gap.filter(|g| *g > 0.0));
    let gaps = Chart {
        says: format!("Relative gap over the outer iterations on a logarithmic scale, with the target {target:e}."),
        x: x(),
        y: Axis::log("", heights(&gap).chain([target])),
        marks: vec![Mark::Rule(INK, target), line(LINES[0], gap.clone())],
        size: SIZE,
    };
    let rank = along(&|i| Some(i.rank as f64));
    let most = trace.iter().map(|i| i.rank).max().unwrap_or(0);
    let ranks = Chart {
        says: format!("Number of slices over the outer iterations: {} at the end, {most} at most.", last.rank),
        x: x(),
        y: Axis::whole("", 0, most, 0.04 * most as f64),
        marks: vec![if rank.len() < 2 { Mark::Dots(LINES[2], rank) } else { Mark::Steps(LINES[2], rank) }],
        size: SIZE,
    };
    let polar = along(&|i| Some(i.polar).filter(|p| *p > 0.0));
    let polars = Chart {
        says: "The highest value of the polar that was found, over the outer iterations, on a logarithmic scale; at 1 no slice \
               lowers the objective."
            .into(),
        x: x(),
        y: Axis::log("", heights(&polar).chain([1.0])),
        marks: vec![Mark::Rule(INK, 1.0), line(LINES[0], polar)],
        size: SIZE,
    };
    let mut out = vec![parts::figure(
        "Objective and lower bound",
        &[("objective", LINES[0]), ("lower bound", LINES[1])],
        &both,
        if far { "The scale is logarithmic." } else { "" },
    )];
    if !gap.is_empty() {
        out.push(parts::figure("Relative gap", &[], &gaps, "Dashed: the target."));
    }
    out.push(parts::figure("Rank", &[], &ranks, ""));
    out.push(parts::figure("Polar, as found", &[], &polars, "Dashed: 1, where no slice lowers the objective."));
    out
}
