//! A path of lambdas: its log, `path.csv` and `path.svg`.

mod plot;
mod walk;

pub use plot::svg;
pub use walk::{Row, Walk};

use super::log;
use super::number::{sci, sci_down, sci_up, shown};
use crate::run::Document;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// One lambda of a path.
#[derive(Clone, Debug)]
pub struct Point {
    /// What is proven of its answer.
    pub document: Document,
    /// What cross-validation says of it.
    pub cv: Option<Cv>,
    /// Seconds spent on it, folds included.
    pub time_s: f64,
}

/// The loss per held-out entry, over folds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cv {
    /// Mean of the folds' means.
    pub mean: f64,
    /// Its standard error: the folds' deviation over the root of their number.
    pub error: f64,
}

impl Cv {
    /// Of two folds at least.
    pub fn of(losses: &[f64]) -> Self {
        let n = losses.len() as f64;
        let mean = losses.iter().sum::<f64>() / n;
        let variance = losses.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Self { mean, error: (variance / n).sqrt() }
    }
}

impl Point {
    /// lambda / lambda_max.
    pub fn ratio(&self) -> Option<f64> {
        let ratio = self.document.lambda / self.document.lambda_max.found;
        ratio.is_finite().then_some(ratio)
    }
}

/// The grid in words.
pub fn grid(points: usize, first: f64, last: f64) -> String {
    format!("{points} lambdas from {} down to {}", sci(first, 6), sci(last, 6))
}

/// The table's header.
pub fn header() -> &'static str {
    "\npoint        lambda   ratio  rank     objective   lower bound       gap      polar  verdict     held out        cv     time\n"
}

/// One row of the table.
pub fn row(number: usize, p: &Point) -> String {
    let d = &p.document;
    let held = d.holdout.map(|h| h.rmse.unwrap_or(h.loss));
    format!(
        "{number:5}  {:>12}  {:>6}  {:4}  {:>12}  {:>12}  {:>8}  {:>9}  {:<8}  {:>10}  {:>8} {:7.2}s\n",
        sci(d.lambda, 6),
        shown(p.ratio(), |r| format!("{r:.4}")),
        d.rank,
        sci_up(d.objective.total, 6),
        shown(d.lower_bound, |x| sci_down(x, 6)),
        shown(d.gap.relative, |x| sci_up(x, 2)),
        log::polar(d.polar.lower),
        d.verdict.word(),
        shown(held, |x| sci(x, 4)),
        shown(p.cv.map(|c| c.mean), |x| sci(x, 2)),
        p.time_s
    )
}

/// `path.csv`; unknown is empty. `rule` is the word for how the point was chosen.
pub fn csv(points: &[Point], chosen: usize, rule: &str) -> String {
    let mut out = String::from(
        "point,lambda,ratio,objective,loss,regularizer,extras,lower_bound,gap,polar,rank,verdict,stopped_by,\
         holdout_rmse,holdout_loss,cv_loss,cv_error,chosen,rule,time_s\n",
    );
    let number = |x: Option<f64>| x.map_or(String::new(), |x| format!("{x:?}"));
    for (i, p) in points.iter().enumerate() {
        let (d, o) = (&p.document, &p.document.objective);
        let held = d.holdout;
        // writing to a string does not fail
        let _ = writeln!(
            out,
            "{},{:?},{},{:?},{:?},{:?},{:?},{},{},{:?},{},{},{},{},{},{},{},{},{},{:.3}",
            i + 1,
            d.lambda,
            number(p.ratio()),
            o.total,
            o.loss,
            o.regularizer,
            o.extras,
            number(d.lower_bound),
            number(d.gap.relative),
            d.polar.lower,
            d.rank,
            d.verdict.word(),
            d.stopped_by,
            number(held.and_then(|h| h.rmse)),
            number(held.map(|h| h.loss)),
            number(p.cv.map(|c| c.mean)),
            number(p.cv.map(|c| c.error)),
            u8::from(i == chosen),
            if i == chosen { rule } else { "" },
            p.time_s
        );
    }
    out
}
