//! Predictions against the data.

use super::parts::{self, cell};
use crate::report::number::{plain, sci};
use crate::report::plots::colour::{LINES, Ramp};
use crate::report::plots::raster::Scale;
use crate::report::plots::{Axis, Chart, Mark};
use crate::report::portrait::{Block, Cloud, Fit, Histogram, Point, Portrait, Quantity, Sample, Seen, View};
use maud::{Markup, html};

/// The fitted entries, those held out, extra variables, and some images.
pub fn section(p: &Portrait, point: &Point) -> Markup {
    let body = match &point.seen {
        Err(why) => html! { p.note { "The data is not at hand, so its fit cannot be shown: " (why) } },
        Ok(seen) => whole(p, seen),
    };
    parts::section("fit", "The fit", body)
}

fn whole(p: &Portrait, seen: &Seen) -> Markup {
    html! {
        @if !seen.samples.is_empty() { (samples(&seen.samples)) }
        (one("Fitted entries", &seen.fitted, LINES[0], &[]))
        @if let Some(held) = &seen.held_out {
            @let h = p.document.holdout;
            @let numbers: Vec<(&str, String)> = h.iter().map(|h| ("loss per entry", plain(&sci(h.loss, 4)))).collect();
            (one("Held-out entries, never fitted", held, LINES[1], &numbers))
        }
        @if !seen.extras.is_empty() {
            h3 { "Extra variables" }
            div.grid.pairs { @for block in &seen.extras { (extra(block)) } }
        }
    }
}

fn one(title: &str, fit: &Fit, colour: (u8, u8, u8), more: &[(&str, String)]) -> Markup {
    let entries = ("entries", fit.entries.to_string());
    let own = fit.numbers.iter().map(|(label, q)| (*label, quantity(q)));
    let numbers: Vec<(&str, String)> = std::iter::once(entries).chain(own).chain(more.iter().cloned()).collect();
    html! {
        h3 { (title) }
        (parts::pairs(numbers.iter().map(|(label, text)| (*label, text.as_str()))))
        div.grid.pairs { @for view in &fit.views { (draw(view, colour)) } }
    }
}

fn quantity(q: &Quantity) -> String {
    match q {
        Quantity::Size(x) => plain(&sci(*x, 4)),
        Quantity::Share(x) => format!("{:.2} %", 100.0 * x).replace('-', "\u{2212}"),
        Quantity::Part(part, all) => format!("{part} of {all} ({:.2} %)", 100.0 * *part as f64 / (*all).max(1) as f64),
    }
}

fn draw(view: &View, colour: (u8, u8, u8)) -> Markup {
    match view {
        View::Agreement(cloud) => agreement(cloud, colour),
        View::Residuals(h) => {
            let remark = beyond(h);
            let says = "How often residuals, target minus prediction, are of which size.".to_string();
            parts::figure("Residuals", &[], &bars(says, "target \u{2212} prediction", &[(h, colour)]), &remark)
        }
        View::Scores([minus, plus]) => {
            let says = "How often which score is given to targets of \u{2212}1 and of 1.".to_string();
            let keys = [("target \u{2212}1", LINES[0]), ("target 1", LINES[1])];
            let chart = bars(says, "score", &[(minus, LINES[0]), (plus, LINES[1])]);
            parts::figure("Scores", &keys, &chart, "Right where the score has the sign of the target.")
        }
        View::Confusion { names, counts } => confusion(names, counts),
    }
}

fn beyond(h: &Histogram) -> String {
    if h.beyond == 0 {
        String::new()
    } else {
        format!("{} beyond the ends are counted in the outermost bars.", h.beyond)
    }
}

fn bars(says: String, label: &str, of: &[(&Histogram, (u8, u8, u8))]) -> Chart {
    let (lo, hi) = of.first().map_or((0.0, 1.0), |(h, _)| (h.lo, h.hi));
    let most = of.iter().flat_map(|(h, _)| &h.counts).copied().max().unwrap_or(0);
    let mark = |(h, colour): &(&Histogram, (u8, u8, u8))| {
        let n = h.counts.len() as f64;
        // weights of both ends: their difference may overflow
        let edge = |k: usize| h.lo * (1.0 - k as f64 / n) + h.hi * (k as f64 / n);
        if of.len() == 1 {
            let bars = h.counts.iter().enumerate().map(|(k, c)| (edge(k), edge(k + 1), *c as f64)).collect();
            return Mark::Bars(*colour, bars);
        }
        let corners = h.counts.iter().enumerate().map(|(k, c)| (edge(k), *c as f64));
        let last = h.counts.last().map(|c| (h.hi, *c as f64));
        Mark::Steps(*colour, corners.chain(last).collect())
    };
    Chart {
        says,
        x: Axis::exact(label, lo, hi),
        y: Axis::from_zero("entries", most as f64),
        marks: of.iter().map(mark).collect(),
        size: (380, 300),
    }
}

fn agreement(cloud: &Cloud, colour: (u8, u8, u8)) -> Markup {
    let says = "Predictions over targets; on the diagonal both agree.".to_string();
    let (x, y, mark, remark) = match cloud {
        Cloud::Points(points) => {
            let all = || points.iter().flat_map(|p| [p.0, p.1]);
            let (x, y) = (Axis::linear("target", all()), Axis::linear("prediction", all()));
            (x, y, Mark::Dots(colour, points.clone()), String::new())
        }
        Cloud::Counts { lo, hi, logs, most } => {
            let scale = Scale { ramp: Ramp::Viridis, lo: 0.0, hi: (*most as f64).log10().max(0.1) };
            let remark = format!("The brighter the more entries, on a logarithmic scale up to {most}.");
            let (x, y) = (Axis::exact("target", *lo, *hi), Axis::exact("prediction", *lo, *hi));
            (x, y, Mark::Backdrop(logs.clone(), scale), remark)
        }
    };
    let chart = Chart { says, x, y, marks: vec![mark, Mark::Diagonal], size: (380, 300) };
    parts::figure("Prediction over target", &[], &chart, &remark)
}

/// Rows are the classes of the data, columns those of the model.
fn confusion(names: &[String], counts: &[Vec<usize>]) -> Markup {
    /// More classes make no table to read, nor do longer names.
    const MOST: usize = 30;
    const NAME: usize = 40;
    if counts.len() > MOST {
        return html! {};
    }
    let heads: Vec<String> = names.iter().map(|c| format!("taken for {}", parts::cut(c, NAME))).collect();
    let heads: Vec<&str> = std::iter::once("class").chain(heads.iter().map(String::as_str)).collect();
    let row = |(i, row): (usize, &Vec<usize>)| {
        let cells = row.iter().enumerate().map(|(j, n)| {
            html! { @if i == j { strong { (n) } } @else if *n == 0 { span.zero { "0" } } @else { (n) } }
        });
        std::iter::once(cell(parts::cut(&names[i], NAME))).chain(cells).collect()
    };
    let rows = counts.iter().enumerate().map(row).collect();
    let numbers: Vec<bool> = (0..heads.len()).map(|k| k > 0).collect();
    parts::table("Samples of each class, and what they are taken for", &heads, &numbers, rows)
}

fn extra(block: &Block) -> Markup {
    let (rows, cols) = block.shape;
    let about = format!(
        "{rows} \u{d7} {cols}, {} of {} values are not 0; {}.",
        block.nonzeros,
        rows.saturating_mul(cols),
        block.file
    );
    let chart = match (&block.values, &block.spread) {
        (Some(values), _) => {
            let points: Vec<(f64, f64)> = values.iter().enumerate().map(|(k, v)| (k as f64, *v)).collect();
            let last = points.len().saturating_sub(1);
            let y = Axis::linear("", values.iter().copied().chain([0.0]));
            let mark = if points.len() <= 40 {
                Mark::Bars(LINES[2], points.iter().map(|p| (p.0 - 0.4, p.0 + 0.4, p.1)).collect())
            } else {
                Mark::Line(LINES[2], points)
            };
            let says = format!("The values of the extra variables {}.", block.says);
            Chart { says, x: Axis::whole("index", 0, last, 0.6), y, marks: vec![mark], size: (380, 230) }
        }
        (None, Some(h)) => {
            let says = format!("How often values that are not 0 of {} are of which size.", block.says);
            bars(says, "value, where it is not 0", &[(h, LINES[2])])
        }
        (None, None) => return html! { figure { figcaption { strong { (block.says) } } p.remark { (about) } } },
    };
    parts::figure(&block.says, &[], &chart, &about)
}

fn samples(samples: &[Sample]) -> Markup {
    html! {
        h3 { "Some images" }
        div.scroll tabindex="0" role="region" aria-label="Images of the data, what the model makes of them, and what is left" {
            table.samples {
                caption { "Images of the data, what the model makes of them, and what is left" }
                thead { tr { th scope="col" { "image" } @for s in samples { th scope="col" { (s.index) } } } }
                tbody {
                    @for (k, what) in ["target", "model", "rest"].into_iter().enumerate() {
                        tr {
                            th scope="row" { (what) }
                            @for s in samples { td { (sample(s, k, what)) } }
                        }
                    }
                }
            }
        }
        p.remark {
            "Target and model of an image share one scale; what is left (outliers, where the spec has them, and noise) has its own: "
            "0 is white, blue is negative, orange positive. Missing entries are left blank."
        }
    }
}

fn sample(s: &Sample, k: usize, what: &str) -> Markup {
    let scale = if k < 2 {
        Scale::around_zero(s.images[..2].iter().flat_map(|i| i.values.iter().copied()), Ramp::Grey)
            .or_span(&s.images[0].values)
    } else {
        let size = s.images[2].values.iter().filter(|x| x.is_finite()).fold(0.0, |m: f64, x| m.max(x.abs()));
        Scale { ramp: Ramp::Diverging, lo: -size, hi: size }
    };
    let image = &s.images[k];
    html! {
        img src=(image.data_uri(&scale)) width=(image.cols) height=(image.rows)
            style={ "aspect-ratio:" (image.cols) "/" (image.rows) } alt={ "Image " (s.index) ": " (what) };
    }
}
