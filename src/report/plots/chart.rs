//! A chart with two axes as SVG, by plotters. It scales with the page; its text takes the page's colour.

use super::axis::Axis;
use super::colour::{INK, Rgb};
use super::raster::{Raster, Scale};
use maud::{Markup, PreEscaped, html};
use plotters::chart::{ChartBuilder, LabelAreaPosition};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::{
    Circle, Color, DashedLineSeries, IntoDrawingArea, IntoFont, LineSeries, PathElement, RGBColor, Rectangle,
    SVGBackend, TextStyle,
};
use std::ops::Range;

/// Plotters has whole pixels; in units this much smaller lines are smooth.
const FINE: u32 = 4;
/// Longer lines are thinned to the extremes of as many stretches.
const LONGEST: usize = 400;

/// What is drawn, in the units of the axes.
#[derive(Clone, Debug)]
pub enum Mark {
    /// A line through points.
    Line(Rgb, Vec<(f64, f64)>),
    /// A line that keeps its height until the next point.
    Steps(Rgb, Vec<(f64, f64)>),
    /// Dots.
    Dots(Rgb, Vec<(f64, f64)>),
    /// Bars from 0: left, right, height.
    Bars(Rgb, Vec<(f64, f64, f64)>),
    /// Bars from 0 to the side: bottom, top, length.
    Rows(Rgb, Vec<(f64, f64, f64)>),
    /// A dashed line across, at this height.
    Rule(Rgb, f64),
    /// An upright line at this value.
    Post(Rgb, f64),
    /// A dashed line where both axes agree.
    Diagonal,
    /// A table of numbers across the whole plot, last row at the bottom.
    Backdrop(Raster, Scale),
}

/// Axes and what is drawn in them.
#[derive(Clone, Debug)]
pub struct Chart {
    /// In words, for those who do not see it.
    pub says: String,
    /// Across.
    pub x: Axis,
    /// Up.
    pub y: Axis,
    /// In the order in which they are drawn.
    pub marks: Vec<Mark>,
    /// Width and height, in the units of 11-point text.
    pub size: (u32, u32),
}

/// An axis from 0 to 1 whose labels stand where they are told to.
struct Unit(Vec<f64>);

impl Ranged for Unit {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        from + (value.clamp(-1.0, 2.0) * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.0.clone()
    }

    fn range(&self) -> Range<f64> {
        0.0..1.0
    }
}

fn rgb((r, g, b): Rgb) -> RGBColor {
    RGBColor(r, g, b)
}

impl Chart {
    /// The picture, with its description.
    pub fn svg(&self) -> Markup {
        let mut text = String::new();
        // drawing to a string does not fail
        let Ok(inside) = self.draw(&mut text) else { return html! {} };
        // plotters begins with <svg ..>: ours scales, says what it shows, and carries pictures
        let drawn = text.split_once('>').and_then(|(_, rest)| rest.rsplit_once("</svg>")).map_or("", |(body, _)| body);
        let ink = format!("#{:02X}{:02X}{:02X}", INK.0, INK.1, INK.2);
        let drawn = drawn.replace(&ink, "currentColor").replace(" opacity=\"1\"", "").replace('\n', "");
        let (w, h) = (self.size.0 * FINE, self.size.1 * FINE);
        html! {
            svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (w) " " (h) } role="img" aria-label=(self.says) {
                title { (self.says) }
                @for mark in &self.marks {
                    @if let Mark::Backdrop(raster, scale) = mark {
                        image href=(raster.data_uri(scale)) x=(inside.0.start) y=(inside.1.start)
                            width=(inside.0.end - inside.0.start) height=(inside.1.end - inside.1.start)
                            preserveAspectRatio="none" style="image-rendering:pixelated" {}
                    }
                }
                (PreEscaped(drawn))
            }
        }
    }

    /// Draws, and says where the inside of the axes is.
    fn draw(&self, out: &mut String) -> Result<(Range<i32>, Range<i32>), Box<dyn std::error::Error + '_>> {
        let fine = |x: u32| x * FINE;
        let root = SVGBackend::with_string(out, (fine(self.size.0), fine(self.size.1))).into_drawing_area();
        let widest = self.y.ticks().iter().map(|t| t.1.chars().count()).max().unwrap_or(0) as u32;
        let places = |a: &Axis| Unit(a.ticks().iter().map(|t| t.0).collect());
        let up = if self.y.label().is_empty() { 0 } else { 16 };
        let below = if self.x.label().is_empty() { 0 } else { 15 };
        let x_space = if self.x.ticks().is_empty() { 6 } else { 22 } + below;
        let y_space = if self.y.ticks().is_empty() { 6 } else { 12 + 7 * widest + if widest < 3 { 3 } else { 0 } } + up;
        let mut chart = ChartBuilder::on(&root)
            .margin_top(fine(8))
            .margin_right(fine(12))
            .x_label_area_size(fine(x_space))
            .y_label_area_size(fine(y_space))
            .build_cartesian_2d(places(&self.x), places(&self.y))?;
        let ink = rgb(INK);
        let text = |x: f64| TextStyle::from(("sans-serif", x * f64::from(FINE)).into_font()).color(&ink);
        let show = |a: &Axis, at: &f64| a.ticks().iter().find(|t| t.0 == *at).map_or(String::new(), |t| t.1.clone());
        let (x, y) = (|at: &f64| show(&self.x, at), |at: &f64| show(&self.y, at));
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(rgb(INK).mix(0.13).stroke_width(FINE))
            .light_line_style(rgb(INK).mix(0.0))
            .max_light_lines(0)
            .axis_style(rgb(INK).mix(0.5).stroke_width(FINE))
            .set_tick_mark_size(LabelAreaPosition::Left, 4 * FINE)
            .set_tick_mark_size(LabelAreaPosition::Bottom, 3 * FINE)
            .label_style(text(16.0))
            .axis_desc_style(text(16.0))
            .x_label_formatter(&x)
            .y_label_formatter(&y)
            .x_desc(self.x.label())
            .y_desc(self.y.label())
            .draw()?;
        let at = |p: &(f64, f64)| (self.x.place(p.0), self.y.place(p.1));
        let visible = |p: &(f64, f64)| p.0.is_finite() && p.1.is_finite();
        let path = |points: &[(f64, f64)]| -> Vec<(f64, f64)> { points.iter().map(at).filter(visible).collect() };
        for mark in &self.marks {
            match mark {
                Mark::Line(c, points) => {
                    // a line that goes up and down everywhere is no blot
                    let width = if points.len() > LONGEST { FINE } else { 2 * FINE };
                    chart.draw_series(LineSeries::new(thinned(path(points)), rgb(*c).stroke_width(width)))?;
                }
                Mark::Steps(c, points) => {
                    let corners =
                        points.windows(2).flat_map(|w| [w[0], (w[1].0, w[0].1)]).chain(points.last().copied());
                    let line = thinned(path(&corners.collect::<Vec<_>>()));
                    chart.draw_series(LineSeries::new(line, rgb(*c).stroke_width(2 * FINE)))?;
                }
                Mark::Dots(c, points) => {
                    let size = if points.len() > 200 { 2 } else { 3 } * FINE as i32;
                    let style = rgb(*c).mix(if points.len() > 200 { 0.45 } else { 0.9 }).filled();
                    chart.draw_series(path(points).into_iter().map(|p| Circle::new(p, size, style)))?;
                }
                Mark::Bars(c, bars) => {
                    let bar = |(a, b, h): &(f64, f64, f64)| [at(&(*a, 0.0)), at(&(*b, *h))];
                    let seen = bars.iter().filter(|b| b.2 != 0.0).map(bar).filter(|b| visible(&b[0]) && visible(&b[1]));
                    chart.draw_series(seen.map(|b| Rectangle::new(b, rgb(*c).mix(0.85).filled())))?;
                }
                Mark::Rows(c, rows) => {
                    let row = |(a, b, length): &(f64, f64, f64)| [at(&(0.0, *a)), at(&(*length, *b))];
                    let seen = rows.iter().filter(|r| r.2 != 0.0).map(row).filter(|r| visible(&r[0]) && visible(&r[1]));
                    chart.draw_series(seen.map(|r| Rectangle::new(r, rgb(*c).mix(0.85).filled())))?;
                }
                Mark::Rule(c, height) => {
                    let y = self.y.place(*height);
                    if (0.0..=1.0).contains(&y) {
                        let style = rgb(*c).stroke_width(FINE * 3 / 2);
                        chart.draw_series(DashedLineSeries::new([(0.0, y), (1.0, y)], 5 * FINE, 4 * FINE, style))?;
                    }
                }
                Mark::Post(c, value) => {
                    let x = self.x.place(*value);
                    if (0.0..=1.0).contains(&x) {
                        let style = rgb(*c).stroke_width(2 * FINE);
                        chart.draw_series([PathElement::new(vec![(x, 0.0), (x, 1.0)], style)])?;
                    }
                }
                Mark::Diagonal => {
                    let style = rgb(INK).mix(0.6).stroke_width(FINE);
                    chart.draw_series([PathElement::new(vec![(0.0, 0.0), (1.0, 1.0)], style)])?;
                }
                Mark::Backdrop(..) => {}
            }
        }
        let inside = chart.plotting_area().get_pixel_range();
        root.present()?;
        Ok(inside)
    }
}

/// At most about twice [`LONGEST`] points: the least and the largest of each stretch, in their order.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if points.len() <= 2 * LONGEST {
        return points;
    }
    let stretch = points.len().div_ceil(LONGEST);
    let by_height = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
    points
        .chunks(stretch)
        .flat_map(|c| {
            let ends = [c.iter().min_by(by_height), c.iter().max_by(by_height)];
            let mut ends: Vec<(f64, f64)> = ends.into_iter().flatten().copied().collect();
            ends.sort_by(|a, b| a.0.total_cmp(&b.0));
            ends
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_however_long_keeps_its_extremes() {
        let long: Vec<(f64, f64)> = (0..100_000).map(|k| (f64::from(k), if k == 4321 { 9.0 } else { 0.0 })).collect();
        let short = thinned(long);
        assert!(short.len() <= 2 * LONGEST && short.contains(&(4321.0, 9.0)));
        assert!(short.is_sorted_by(|a, b| a.0 <= b.0));
    }

    #[test]
    fn words_in_a_chart_are_text_and_nothing_else() {
        let x = Axis::linear("a < b & c", [0.0, 1.0].into_iter());
        let chart = Chart { says: "\"<script>".into(), y: x.clone(), x, marks: vec![Mark::Diagonal], size: (200, 100) };
        let svg = chart.svg().into_string();
        assert!(!svg.contains("<script") && svg.contains("a &lt; b &amp; c"), "{svg}");
    }
}
