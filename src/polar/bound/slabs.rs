//! An array of order 3 seen as slabs along one index, each a matrix with a polar of its own.
//!
//! ```text
//! Omega°(Z) = max {Omega_rest°(sum_i z_i Z_i) : gauge_k(z) <= 1}
//! ```
//!
//! Omega_rest is that of the two gauges that are left, so whatever bounds the polar of matrices bounds this.

use crate::data::Observations;
use crate::extra::Extras;
use crate::gauge::Gauge;
use crate::linalg::Mat;
use crate::linalg::sum::{gamma, norm_upper};
use crate::loss::squared::Squared;
use crate::mapping::{Setup, matrix};
use crate::polar::field::indices;
use crate::problem::{Form, Problem, Regularizer};

/// The slabs along an index.
pub struct Slabs {
    /// The problem of a slab, for its polar alone.
    pub rest: Problem,
    /// Which index.
    index: usize,
    sizes: Vec<usize>,
}

/// Most entries of a slab; it is formed densely.
const SLAB_LIMIT: usize = 250_000;

/// Whether a gauge has a plain norm, and is free or on an orthant.
fn is_plain(gauge: &Gauge) -> bool {
    matches!(gauge.norm().name(), "l1" | "l2" | "linf") && gauge.cone().is_none_or(|c| c.orthant().is_some())
}

impl Slabs {
    /// `None` unless the problem is an array of order 3 whose other gauges are plain.
    pub fn new(problem: &Problem, index: usize) -> Option<Self> {
        let sizes = problem.factor_rows();
        if problem.mapping.name() != "cp" || sizes.len() != 3 || problem.operator.is_some() {
            return None;
        }
        let others: Vec<usize> = (0..3).filter(|k| *k != index).collect();
        let (rows, cols) = (sizes[others[0]], sizes[others[1]]);
        if rows.checked_mul(cols)? > SLAB_LIMIT {
            return None;
        }
        let gauges: Vec<Gauge> = others.iter().map(|&k| problem.regularizer.gauges[k].clone()).collect();
        if !gauges.iter().all(is_plain) {
            return None;
        }
        let rest = Problem {
            observations: Observations::Full { rows, cols },
            operator: None,
            y: vec![0.0; rows * cols],
            w: None,
            loss: Box::new(Squared),
            mapping: (matrix::KIND.build)(&Setup::default()),
            regularizer: Regularizer { form: Form::Product, gauges },
            extras: Extras::default(),
            offset: Vec::new(),
            lambda: 1.0,
        };
        Some(Self { rest, index, sizes })
    }

    /// Slab i as column i, and an upper bound of the Frobenius norm of the rounding made; `weights` are divided out of the slabs.
    pub fn columns(&self, problem: &Problem, z: &[f64], weights: Option<&[f64]>) -> (Mat, f64) {
        let rows = self.rest.shape().0;
        let mut out = Mat::zeros(self.rest.observations.len(), self.sizes[self.index]);
        for (e, z) in problem.observations.entries().zip(z) {
            let mut at: Vec<usize> = indices(&self.sizes, e).collect();
            let i = at.remove(self.index);
            out[(at[0] + rows * at[1], i)] = z / weights.map_or(1.0, |d| d[i]);
        }
        let rounding = match weights {
            None => 0.0,
            Some(_) => gamma(2) * norm_upper(out.as_slice()) + out.len() as f64 * f64::MIN_POSITIVE,
        };
        (out, rounding)
    }

    /// Whether the polar of -W is that of W.
    pub fn is_even(&self) -> bool {
        self.rest.regularizer.gauges.iter().any(|g| g.cone().is_none())
    }
}
