//! The factors to look at: images where columns are images, else all columns as a table of colours, and the largest as lines.

use super::parts;
use crate::report::number::{plain, sci};
use crate::report::plots::colour::{LINES, Ramp};
use crate::report::plots::raster::{Raster, Scale};
use crate::report::plots::{Axis, Chart, Mark};
use crate::report::portrait::{Factor, Point, Slice};
use maud::{Markup, html};

/// Images of a factor.
const IMAGES: usize = 60;
/// Pixels along a side of an image.
const PIXELS: usize = 64;
const SIZE: (u32, u32) = (300, 180);
/// Columns drawn as lines.
const CURVES: usize = 6;
/// Shorter columns are bars.
const SHORT: usize = 40;
/// Of columns this short each coordinate is drawn over the slices.
const VERY_SHORT: usize = 2;
/// Rows and columns of a table of colours.
const CELLS: (usize, usize) = (240, 160);
/// So many coordinates have their names beside the table of colours.
const NAMED: usize = 24;

/// One part for each factor.
pub fn section(point: &Point) -> Markup {
    if point.slices.is_empty() {
        return html! {};
    }
    let body = html! {
        @for factor in &point.factors {
            h3 { (factor.name) ": " (factor.of) }
            p.about { (factor.length) " \u{d7} " (point.slices.len()) ", " (factor.gauge) ", " code { "factors/" (factor.name) ".npy" } }
            @match factor.image {
                Some(shape) => (images(factor, shape, &point.slices)),
                None => (curves_and_table(factor, &point.slices)),
            }
        }
    };
    parts::section("factors", "Factors", body)
}

/// `slice 3 (25.1 %)`.
fn title(s: &Slice) -> String {
    format!("slice {} ({:.1} %)", s.column, 100.0 * s.share)
}

fn images(factor: &Factor, (rows, cols): (usize, usize), slices: &[Slice]) -> Markup {
    let shown = slices.len().min(IMAGES);
    html! {
        ul.images {
            @for s in &slices[..shown] {
                @let image = Raster { rows, cols, values: factor.column(s.column).to_vec() }.shrunk(PIXELS, PIXELS);
                @let scale = Scale::around_zero(image.values.iter().copied(), Ramp::Grey);
                li {
                    img src=(image.data_uri(&scale)) alt={ "Column " (s.column) " of " (factor.name) " as an image" }
                        width=(cols) height=(rows) style=(ratio(rows, cols));
                    span { (title(s)) }
                }
            }
        }
        p.remark {
            "The columns as images of " (rows) " \u{d7} " (cols) ", each on its own scale"
            @if factor.values.iter().any(|x| *x < 0.0) { ": 0 is white, blue is negative, orange positive" }
            @else { ": 0 is black, its largest value white" }
            "."
            @if slices.len() > shown { " " (slices.len() - shown) " smaller ones are not shown." }
        }
    }
}

/// The box of an image before it is drawn.
fn ratio(rows: usize, cols: usize) -> String {
    format!("aspect-ratio:{cols}/{rows}")
}

fn curves_and_table(factor: &Factor, slices: &[Slice]) -> Markup {
    if factor.length <= VERY_SHORT && slices.len() > 1 {
        return html! { div.grid { @for i in 0..factor.length { (across(factor, i, slices)) } } };
    }
    let shown = slices.len().min(CURVES);
    html! {
        div.grid { @for s in &slices[..shown] { (curve(factor, s)) } }
        @if slices.len() > shown {
            p.remark { "The " (shown) " largest slices; all of them below." }
        }
        @if slices.len() > 1 && factor.length > 1 { (colours(factor, slices)) }
    }
}

/// One coordinate of the largest slices.
fn across(factor: &Factor, i: usize, slices: &[Slice]) -> Markup {
    let shown = &slices[..slices.len().min(SHORT)];
    let values: Vec<f64> = shown.iter().map(|s| factor.column(s.column)[i]).collect();
    let bars = values.iter().enumerate().map(|(k, v)| (k as f64 + 0.6, k as f64 + 1.4, *v)).collect();
    let title = factor.names.get(i).cloned().unwrap_or_else(|| format!("coordinate {i}"));
    let chart = Chart {
        says: format!("Coordinate {i} of {} in each slice, the largest slices first.", factor.name),
        x: Axis::whole("slices by weight", 1, shown.len(), 0.6),
        y: Axis::linear("", values.iter().copied().chain([0.0])),
        marks: vec![Mark::Bars(LINES[0], bars)],
        size: SIZE,
    };
    parts::figure(&title, &[], &chart, "")
}

fn curve(factor: &Factor, s: &Slice) -> Markup {
    let values = factor.column(s.column);
    let finite = || values.iter().copied();
    let (lo, hi) = finite().fold((0.0, 0.0), |(a, b): (f64, f64), x| (a.min(x), b.max(x)));
    let says = format!("Column {} of {}: values from {} to {}.", s.column, factor.name, sci(lo, 2), sci(hi, 2));
    let sizes = Axis::linear("", finite().chain([0.0]));
    let at = |(k, v): (usize, &f64)| (k as f64, *v);
    let last = values.len().saturating_sub(1);
    let chart = if (1..=NAMED).contains(&factor.names.len()) {
        let rows = values.iter().enumerate().map(at).map(|(k, v)| (-k - 0.4, 0.4 - k, v)).collect();
        let size = (300, 50 + 20 * factor.names.len() as u32);
        Chart { says, x: sizes, y: Axis::names(&factor.names), marks: vec![Mark::Rows(LINES[0], rows)], size }
    } else if values.len() <= SHORT {
        let bars = values.iter().enumerate().map(at).map(|(k, v)| (k - 0.4, k + 0.4, v)).collect();
        Chart { says, x: Axis::whole("", 0, last, 0.6), y: sizes, marks: vec![Mark::Bars(LINES[0], bars)], size: SIZE }
    } else {
        let line = values.iter().enumerate().map(at).collect();
        Chart { says, x: Axis::whole("", 0, last, 0.0), y: sizes, marks: vec![Mark::Line(LINES[0], line)], size: SIZE }
    };
    parts::figure(&title(s), &[], &chart, "")
}

/// All slices from left to right, coordinates from top to bottom.
fn colours(factor: &Factor, slices: &[Slice]) -> Markup {
    let (rows, cols) = (factor.length, slices.len());
    let columns: Vec<&[f64]> = slices.iter().map(|s| factor.column(s.column)).collect();
    let values = (0..rows).flat_map(|i| columns.iter().map(move |c| c[i])).collect();
    let table = Raster { rows, cols, values }.shrunk(CELLS.0, CELLS.1);
    let scale = Scale::around_zero(table.values.iter().copied(), Ramp::Viridis);
    let means = (table.rows, table.cols) != (rows, cols);
    let named = if rows <= NAMED { factor.names.as_slice() } else { &[] };
    // a few rows are as high as their names
    let height = (rows * 22).clamp(44, 260);
    html! {
        figure.colours {
            figcaption {
                strong { "All slices" }
                span.scale { (plain(&sci(scale.lo, 2))) i style={ "background:" (scale.ramp.gradient()) } {} (plain(&sci(scale.hi, 2))) }
            }
            div.table style={ "height:" (height) "px" } {
                @if !named.is_empty() {
                    ul aria-hidden="true" { @for name in named { li { (parts::cut(name, 40)) } } }
                }
                img src=(table.data_uri(&scale)) width=(table.cols) height=(table.rows)
                    alt={ "All columns of " (factor.name) " as colours: slices from left to right by weight, coordinates from top to bottom" };
            }
            p.remark {
                "Slices from left to right by weight, " (factor.of) " from top to bottom."
                @if means { " Neighbouring cells are averaged." }
            }
        }
    }
}
