//! From factors to predictions, in the units of the data: signs, classes, scores of what was held out. Reading and writing is
//! left to others.

pub mod model;
mod newton;
pub mod project;
pub mod score;
pub mod show;

pub use model::Model;
pub use newton::TOLERANCE;
pub use project::{Projection, ProjectionError};
pub use score::{Held, Scores, score};
pub use show::{Cell, Show};

/// The sign that a score predicts, -1 or 1.
pub fn sign(x: f64) -> f64 {
    if x > 0.0 { 1.0 } else { -1.0 }
}

/// The class that a row of scores predicts: the first of the largest.
pub fn class(scores: &[f64]) -> usize {
    (1..scores.len()).fold(0, |best, k| if scores[k] > scores[best] { k } else { best })
}
