//! What Algorithm 1 needs to go on from where it was: nothing of it is a claim that a certificate rests on.

use super::progress::Progress;
use crate::certify::Witness;
use crate::extra::Coefficients;
use crate::linalg::Mat;
use crate::mapping::Factors;
use serde::{Deserialize, Serialize};

/// The solver's state between two outer iterations. Going on from it does what going on without it would have done, but for a
/// dual point that is proven again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The outer iteration that comes next.
    pub(super) iter: usize,
    /// Seconds of solving until here.
    pub(super) elapsed_s: f64,
    /// The factors as (rows, columns, entries column by column).
    factors: Vec<(usize, usize, Vec<f64>)>,
    /// The extra variables.
    pub(super) extras: Coefficients,
    /// The best dual point, to be proven again.
    pub(super) witness: Option<Witness>,
    /// The relaxations that have been climbed.
    pub(super) tried: Vec<String>,
    /// How hard the next round works.
    pub(super) progress: Progress,
}

impl Checkpoint {
    /// Takes the state down.
    pub(super) fn new(
        iter: usize,
        elapsed_s: f64,
        x: &Factors,
        q: &Coefficients,
        witness: Option<Witness>,
        tried: &[String],
        progress: &Progress,
    ) -> Self {
        Self {
            iter,
            elapsed_s,
            factors: x.0.iter().map(|f| (f.nrows(), f.ncols(), f.as_slice().to_vec())).collect(),
            extras: q.clone(),
            witness,
            tried: tried.to_vec(),
            progress: progress.clone(),
        }
    }

    /// Whether it is of a problem with factors of these rows and extra variables of these lengths.
    pub fn fits(&self, rows: &[usize], extras: &Coefficients) -> bool {
        let rank = self.factors.first().map_or(0, |f| f.1);
        // an iteration that nothing has ever reached is none to count on from
        self.iter.max(self.progress.polishing) <= u32::MAX as usize
            && self.elapsed_s.is_finite()
            && self.factors.len() == rows.len()
            && self.factors.iter().zip(rows).all(|((m, r, x), rows)| {
                m == rows && *r == rank && m.checked_mul(*r) == Some(x.len()) && x.iter().all(|x| x.is_finite())
            })
            && self.extras.len() == extras.len()
            && self.extras.iter().zip(extras).all(|(a, b)| a.len() == b.len() && a.iter().all(|x| x.is_finite()))
    }

    /// The factors.
    pub(super) fn factors(&self) -> Factors {
        Factors(self.factors.iter().map(|(m, r, x)| Mat::from_column_slice(*m, *r, x)).collect())
    }
}
