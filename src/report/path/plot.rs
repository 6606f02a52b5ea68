//! `path.svg`: what changes along a path, in panels over lambda.

use super::Point;
use crate::report::plots::colour::{LINES, Rgb};
use plotters::coord::Shift;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;
use std::ops::Range;

/// Width of the picture, height of a panel.
const SIZE: (u32, u32) = (760, 230);

// told apart by every kind of colour vision, and by their marks without any
const BLUE: RGBColor = rgb(LINES[0]);
const ORANGE: RGBColor = rgb(LINES[1]);
const GREEN: RGBColor = rgb(LINES[2]);
const GREY: RGBColor = RGBColor(90, 90, 90);

const fn rgb((r, g, b): Rgb) -> RGBColor {
    RGBColor(r, g, b)
}

/// A line of a panel; errors reach as far to both sides.
struct Line {
    label: &'static str,
    color: RGBColor,
    hollow: bool,
    at: Vec<(f64, f64, f64)>,
}

/// One panel.
struct Panel {
    title: &'static str,
    logarithmic: bool,
    lines: Vec<Line>,
}

/// The picture; the point chosen is marked.
pub fn svg(points: &[Point], chosen: usize) -> String {
    let panels: Vec<Panel> = panels(points).into_iter().filter(|p| p.lines.iter().any(|l| !l.at.is_empty())).collect();
    let mut out = String::new();
    let height = SIZE.1 * panels.len().max(1) as u32;
    {
        let root = SVGBackend::with_string(&mut out, (SIZE.0, height)).into_drawing_area();
        // drawing into a string fails only where nothing can be drawn
        let drawn = draw(&root, &panels, points, chosen);
        debug_assert!(drawn.is_ok(), "{drawn:?}");
    }
    out
}

fn panels(points: &[Point]) -> Vec<Panel> {
    let of = |label, color, hollow, value: &dyn Fn(&Point) -> Option<(f64, f64)>| Line {
        label,
        color,
        hollow,
        at: points
            .iter()
            .filter_map(|p| value(p).map(|(y, e)| (p.document.lambda, y, e)))
            .filter(|(x, y, e)| x.is_finite() && y.is_finite() && e.is_finite())
            .collect(),
    };
    let exact = |x: f64| Some((x, 0.0));
    vec![
        Panel {
            title: "objective and proven lower bound",
            logarithmic: false,
            lines: vec![
                of("objective", BLUE, false, &|p| exact(p.document.objective.total)),
                of("lower bound", ORANGE, true, &|p| p.document.lower_bound.and_then(exact)),
            ],
        },
        Panel {
            title: "relative gap, proven",
            logarithmic: true,
            // rounding is all that is left below
            lines: vec![of("gap", ORANGE, false, &|p| p.document.gap.relative.and_then(|g| exact(g.max(1e-16))))],
        },
        Panel {
            title: "rank",
            logarithmic: false,
            lines: vec![of("rank", GREEN, false, &|p| exact(p.document.rank as f64))],
        },
        Panel {
            title: "loss per held-out entry (bars: one standard error)",
            logarithmic: false,
            lines: vec![
                of("cross-validation", BLUE, false, &|p| p.cv.map(|c| (c.mean, c.error))),
                of("held out", ORANGE, true, &|p| p.document.holdout.and_then(|h| exact(h.loss))),
            ],
        },
    ]
}

type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn draw<'a>(root: &DrawingArea<SVGBackend<'a>, Shift>, panels: &[Panel], points: &[Point], chosen: usize) -> Drawn<'a> {
    root.fill(&WHITE)?;
    let lambdas = points.iter().map(|p| p.document.lambda);
    let across = widened(lambdas.fold((f64::INFINITY, 0.0), |(a, b), x| (f64::min(a, x), f64::max(b, x))));
    let mark = points.get(chosen).map(|p| p.document.lambda);
    for (area, panel) in root.split_evenly((panels.len().max(1), 1)).iter().zip(panels) {
        let ends =
            panel.lines.iter().flat_map(|l| &l.at).fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &(_, y, e)| {
                (f64::min(a, y - e), f64::max(b, y + e))
            });
        // the largest lambda stands left: the path is read as it was walked
        let x = (across.start..across.end).log_scale();
        if panel.logarithmic {
            let (low, high) = (10f64.powf(ends.0.log10().floor()), 10f64.powf(ends.1.log10().ceil()));
            panel_on(area, panel, x, across.clone(), (low..high.max(10.0 * low)).log_scale(), (low, high), mark)?;
        } else {
            let room = match 0.06 * (ends.1 - ends.0) {
                r if r > 0.0 => r,
                _ => 0.5 * ends.1.abs().max(1.0),
            };
            let (low, high) = (ends.0 - room, ends.1 + room);
            panel_on(area, panel, x, across.clone(), low..high, (low, high), mark)?;
        }
    }
    root.present()
}

/// A range around these ends, for a logarithmic axis that falls.
fn widened((low, high): (f64, f64)) -> Range<f64> {
    high * 1.05..low / 1.05
}

fn panel_on<'a, X, Y>(
    area: &DrawingArea<SVGBackend<'a>, Shift>,
    panel: &Panel,
    x: X,
    across: Range<f64>,
    y: Y,
    (low, high): (f64, f64),
    mark: Option<f64>,
) -> Drawn<'a>
where
    X: plotters::coord::ranged1d::AsRangedCoord<Value = f64>,
    Y: plotters::coord::ranged1d::AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, ("sans-serif", 15).into_font().color(&BLACK))
        .margin(8)
        .x_label_area_size(34)
        .y_label_area_size(78)
        .build_cartesian_2d(x, y)?;
    let short = |v: &f64| crate::report::number::short(*v);
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(225, 225, 225))
        .axis_style(GREY)
        .label_style(("sans-serif", 12).into_font().color(&BLACK))
        .x_desc("lambda")
        .x_label_formatter(&short)
        .y_label_formatter(&short)
        .y_labels(6)
        .draw()?;
    if let Some(at) = mark {
        chart.draw_series([PathElement::new(vec![(at, low), (at, high)], GREY.mix(0.6))])?;
    }
    let half = (across.start / across.end).powf(0.004);
    for line in panel.lines.iter().filter(|l| !l.at.is_empty()) {
        let color = line.color;
        let style = ShapeStyle { color: color.into(), filled: !line.hollow, stroke_width: 1 };
        chart
            .draw_series(LineSeries::new(line.at.iter().map(|p| (p.0, p.1)), color.stroke_width(2)))?
            .label(line.label)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], color.stroke_width(2)));
        chart.draw_series(line.at.iter().map(|p| Circle::new((p.0, p.1), 3, style)))?;
        for &(x, y, e) in line.at.iter().filter(|p| p.2 > 0.0) {
            let bar = |ends: Vec<(f64, f64)>| PathElement::new(ends, color.stroke_width(1));
            let caps = [y - e, y + e].map(|y| bar(vec![(x / half, y), (x * half, y)]));
            chart.draw_series([bar(vec![(x, y - e), (x, y + e)])].into_iter().chain(caps))?;
        }
    }
    if panel.lines.iter().filter(|l| !l.at.is_empty()).count() > 1 {
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(RGBColor(200, 200, 200))
            .label_font(("sans-serif", 12))
            .draw()?;
    }
    Ok(())
}
