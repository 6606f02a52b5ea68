//! How well held-out entries are predicted.
//!
//! ```text
//! rmse       sqrt(mean of (y - y^)^2)                                     in the units of the file
//! r2         1 - sum of (y - y^)^2 / sum of (y - mean y)^2                means over the held-out entries
//! accuracy   the share of entries (rows, for classes) whose sign (class) is predicted
//! ```

use crate::data::{Observations, TargetKind};

/// Scores beside the loss; `None` where the loss takes other targets, or where held-out values do not vary.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// Root mean square error.
    pub rmse: Option<f64>,
    /// Coefficient of determination.
    pub r2: Option<f64>,
    /// Share of signs or classes that are right.
    pub accuracy: Option<f64>,
}

/// Held-out values and what is predicted for them, in observation order, as the loss sees them.
pub struct Held<'a> {
    /// Their places in the target.
    pub at: &'a Observations,
    /// The values.
    pub y: &'a [f64],
    /// The predictions.
    pub x: &'a [f64],
    /// Whether columns are outputs, each with a mean of its own.
    pub outputs: bool,
}

/// Scores the predictions; `original` brings a value of a column to the units of the file.
pub fn score(kind: TargetKind, held: &Held, original: impl Fn(usize, f64) -> f64) -> Scores {
    let count = held.y.len() as f64;
    match kind {
        TargetKind::Real => {
            let columns = || held.at.entries().map(|e| e.1);
            let values = |of: &[f64]| columns().zip(of).map(|(j, v)| original(j, *v)).collect::<Vec<f64>>();
            let (y, x) = (values(held.y), values(held.x));
            let squares: f64 = x.iter().zip(&y).map(|(x, y)| (x - y).powi(2)).sum();
            let group = |j: usize| if held.outputs { j } else { 0 };
            let groups = if held.outputs { held.at.shape().1 } else { 1 };
            let mut sums = vec![(0.0, 0.0); groups];
            columns().zip(&y).for_each(|(j, y)| {
                let (count, sum) = &mut sums[group(j)];
                (*count, *sum) = (*count + 1.0, *sum + y);
            });
            let mean = |j: usize| sums[group(j)].1 / sums[group(j)].0;
            let spread: f64 = columns().zip(&y).map(|(j, y)| (y - mean(j)).powi(2)).sum();
            let r2 = (spread > 0.0).then(|| 1.0 - squares / spread).filter(|r| r.is_finite());
            Scores { rmse: Some((squares / count).sqrt()), r2, accuracy: None }
        }
        TargetKind::Signs => {
            let right = held.x.iter().zip(held.y).filter(|(x, y)| super::sign(**x) == **y).count();
            Scores { accuracy: Some(right as f64 / count), ..Scores::default() }
        }
        TargetKind::Counts => Scores::default(),
        TargetKind::Classes => {
            let mut rows = vec![(Vec::new(), 0); held.at.shape().0];
            for ((i, _), (x, y)) in held.at.entries().zip(held.x.iter().zip(held.y)) {
                let (scores, label) = &mut rows[i];
                if *y > 0.0 {
                    *label = scores.len();
                }
                scores.push(*x);
            }
            let seen = rows.iter().filter(|r| !r.0.is_empty());
            let right = seen.clone().filter(|(scores, label)| super::class(scores) == *label).count();
            Scores { accuracy: Some(right as f64 / seen.count() as f64), ..Scores::default() }
        }
    }
}
