//! Positive semidefinite matrices, `cone = "psd"`: a column of n = s^2 coordinates is the matrix S of side s, row by
//! row, with S = S' and x'S x >= 0 for every x.
//!
//! ```text
//! projection    the symmetric part with its negative eigenvalues set to 0
//! polar cone    skew matrices plus negative semidefinite ones
//! ```
//!
//! Eigenvalues of 0 are rarely exact in floating point: membership is decided up to 1e-12 ||x||, and the distance to an
//! exactly semidefinite matrix A A' at hand is counted in the objective. Uniform metrics only: no other projection has
//! a closed form.

use super::{Cone, Kind, Parameters};
use crate::linalg::Mat;
use crate::linalg::spectra::{Parts, symmetric_part};
use crate::linalg::sum::{gamma, norm_upper};
use crate::linalg::vector::unit_scale;

/// {x : x is a positive semidefinite matrix of this side}.
#[derive(Debug)]
pub struct Psd {
    side: usize,
}

/// Registration.
pub const KIND: Kind = Kind {
    name: "psd",
    summary: "the column is a positive semidefinite matrix, row by row",
    keys: &[],
    build: |parameters: &Parameters| Ok(Box::new(Psd { side: side(parameters.n)? })),
    example: |n| side(n).ok().map(|side| Box::new(Psd { side }) as Box<dyn Cone>),
};

/// Membership is decided up to this share of ||x||.
const TOLERANCE: f64 = 1e-12;

/// s with s^2 = n.
///
/// # Errors
/// A sentence if there is none.
pub fn side(n: usize) -> Result<usize, String> {
    let s = n.isqrt();
    if s > 0 && s * s == n {
        return Ok(s);
    }
    Err(format!("cone `psd` is for square matrices, whose length is 4, 9, 16, ..; {n} is not a square"))
}

impl Psd {
    fn matrix(&self, x: &[f64]) -> Mat {
        Mat::from_column_slice(self.side, self.side, x)
    }

    /// The first sign that x is further outside than this share of its size: the entry that differs most from its
    /// mirror image, or the smallest eigenvalue on the diagonal where its vector is largest.
    fn outside(&self, x: &[f64], tolerance: f64) -> Option<(usize, f64)> {
        if let Some(i) = x.iter().position(|x| !x.is_finite()) {
            return Some((i, x[i]));
        }
        let c = unit_scale(x);
        let y = self.matrix(x) * c;
        let limit = tolerance * y.norm();
        let skew = |k: usize| (y[k] - y[(k / self.side, k % self.side)]).abs();
        let worst = (0..x.len()).fold(0, |best, k| if skew(k) > skew(best) { k } else { best });
        if skew(worst) > limit {
            return Some((worst, x[worst]));
        }
        let mut s = symmetric_part(&y);
        if s.iter().all(|s| *s == 0.0) {
            return None;
        }
        s.iter_mut().step_by(self.side + 1).for_each(|d| *d += limit);
        if s.clone().cholesky().is_some() {
            return None;
        }
        let (values, vectors) = crate::linalg::dense::symmetric_eigen(&s)?;
        let vector = vectors.column(0);
        let at = (0..self.side).fold(0, |b, i| if vector[i].abs() > vector[b].abs() { i } else { b });
        Some((at * (self.side + 1), (values[0] - limit) / c))
    }
}

impl Cone for Psd {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn project(&self, x: &mut [f64]) {
        if self.outside(x, 1e-2 * TOLERANCE).is_none() {
            return;
        }
        // what is not finite stays
        if let Some(parts) = Parts::new(&self.matrix(x)) {
            x.copy_from_slice(parts.projected().0.as_slice());
        }
    }

    fn any_metric(&self) -> bool {
        false
    }

    fn violation(&self, x: &[f64]) -> Option<(usize, f64)> {
        self.outside(x, TOLERANCE)
    }

    fn tolerance(&self) -> f64 {
        TOLERANCE
    }

    fn distance_upper(&self, x: &[f64]) -> f64 {
        let Some(parts) = Parts::new(&self.matrix(x)) else { return f64::INFINITY };
        let (p, off) = parts.projected();
        // the difference is rounded once an entry
        let apart: Vec<f64> = x.iter().zip(p.iter()).map(|(x, p)| x - p).collect();
        ((norm_upper(&apart) + off) * (1.0 + gamma(4))).next_up()
    }

    fn reduce(&self, y: &mut [f64], _d: Option<&[f64]>) -> f64 {
        let Some(parts) = Parts::new(&self.matrix(y)) else { return 0.0 };
        let (p, off) = parts.projected();
        y.copy_from_slice(p.as_slice());
        // <E, X> <= ||E|| tr X <= ||E|| sqrt(s) ||X||
        let lost = parts.residual / parts.scale * (self.side as f64).sqrt();
        ((off + lost) * (1.0 + gamma(8))).next_up()
    }
}
