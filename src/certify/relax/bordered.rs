//! Alternating directions for a matrix inequality with one free block:
//!
//! ```text
//! max <Z, Y> - ||Z||^2 / 2    over S = Z + N, N >= 0 (N = 0 unless every factor lies in an orthant), Q in a cone,
//!                             [[0, S], [S', Q]] <= lambda I
//! ```
//!
//! The multiplier of the inequality is M = (F_A; F_B)(F_A; F_B)' of low rank, and the projection onto the positive semidefinite
//! cone of order m + d is exact through an eigenproblem of order rank + 2 d: on the complement of the range of (F_A, V_12) the
//! first block is the identity. Everything is divided by lambda. Memory: a few m x d fields. Each readout scales S and Q to
//! feasibility, so it is a valid dual point.

use super::Goal;
use super::oriented::{Oriented, dual_value};
use crate::budget::Budget;
use crate::certify::dual::relative_gap;
use crate::linalg::{Mat, dense, lanczos};
use crate::polar::grouping::Grouping;

/// Iterations between readouts.
const READOUT: usize = 20;
/// Iterations after which the gap must have become smaller by this share of itself.
const PATIENCE: usize = 200;
const PROGRESS: f64 = 0.01;

/// The cone of Q.
#[derive(Clone, Copy)]
pub enum Block<'a> {
    /// Q >= 0 with zero diagonal.
    Nonnegative,
    /// Q = -Q^T2.
    Antisymmetric(&'a Grouping),
    /// The sum of both.
    AntisymmetricNonnegative(&'a Grouping),
}

impl Block<'_> {
    /// The projection of -E, for E symmetric up to rounding.
    fn project(&self, e: &Mat) -> Mat {
        let d = e.nrows();
        let mirrored = Mat::from_fn(d, d, |i, j| -0.5 * (e[(i, j)] + e[(j, i)]));
        let positive = |e: Mat| Mat::from_fn(d, d, |i, j| if i == j { 0.0 } else { e[(i, j)].max(0.0) });
        match self {
            Self::Nonnegative => positive(mirrored),
            Self::Antisymmetric(g) => g.antisymmetric(&g.numbers(&mirrored)),
            Self::AntisymmetricNonnegative(g) => {
                g.antisymmetric(&g.numbers(&mirrored)) + positive(g.symmetric(&mirrored))
            }
        }
    }
}

/// The state of the iteration; the side of Q has d columns.
pub struct Admm<'a> {
    block: Block<'a>,
    fa: Mat,
    fb: Mat,
    n12: Mat,
    q: Mat,
    p12: Mat,
    pb: Mat,
    sigma: f64,
}

impl<'a> Admm<'a> {
    /// From the multiplier that the slices suggest, and S and Q divided by lambda.
    pub fn new(o: &Oriented, block: Block<'a>, s: &Mat, q: Mat) -> Self {
        let (m, d) = o.y.shape();
        let (fa, fb) = o.balanced_slices();
        let n12 = if o.both { s.zip_map(&o.y, |s, y| (s - y).max(0.0)) } else { Mat::zeros(m, d) };
        let gram = dense::tr_mul(&fa, &fa) + dense::tr_mul(&fb, &fb);
        let sigma = (0.5 * gram.norm() / (d as f64).sqrt()).max(1e-6);
        let mut state = Self { block, fa, fb, n12, q, p12: Mat::zeros(m, d), pb: Mat::zeros(d, d), sigma };
        let _ = state.project(s);
        state
    }

    /// Flops of an iteration.
    pub fn cost(&self) -> f64 {
        cost(self.p12.shape(), self.fa.ncols())
    }

    /// Alternates until the goal is met, the iteration settles or gains little, or the steps are done; the best (S, Q), scaled
    /// back.
    pub fn run(mut self, o: &Oriented, goal: Goal, steps: usize, budget: &Budget) -> Option<(Mat, Mat)> {
        let mut best: Option<(f64, Mat, Mat)> = None;
        let mut checkpoint = f64::NEG_INFINITY;
        for step in 1..=steps {
            let s = self.ascend(o);
            let (primal, dual) = self.project(&s)?;
            let last = step == steps || budget.exhausted() || primal.max(dual) < 1e-9;
            if step % READOUT == 0 || last {
                let tau = lanczos::bordered_top(&s, &self.q);
                let value = dual_value(o, &s, tau);
                if best.as_ref().is_none_or(|b| value > b.0) {
                    best = Some((value, s, self.q.clone()));
                }
                let reached = best.as_ref().map_or(f64::NEG_INFINITY, |b| b.0);
                if last || relative_gap(goal.objective, reached) <= 0.5 * goal.target {
                    break;
                }
                if step % PATIENCE == 0 {
                    // without an objective this never holds
                    if reached - checkpoint < PROGRESS * (goal.objective - checkpoint) && checkpoint.is_finite() {
                        break;
                    }
                    checkpoint = reached;
                }
            }
            if step % 10 == 0 && step < steps * 4 / 5 {
                if primal > 3.0 * dual {
                    self.sigma *= 1.4;
                } else if dual > 3.0 * primal {
                    self.sigma /= 1.4;
                }
            }
        }
        best.map(|(_, s, q)| (s * o.lambda, q * o.lambda))
    }

    /// Updates Z, N and Q; returns S = Z + N.
    fn ascend(&mut self, o: &Oriented) -> Mat {
        let twice = 2.0 * self.sigma;
        let e12 = &self.p12 + dense::mul_tr(&self.fa, &self.fb) / self.sigma;
        let mut s = Mat::zeros(o.y.nrows(), o.y.ncols());
        for k in 0..s.len() {
            let e = e12[k] + self.n12[k];
            // unobserved: w = 0, z = 0
            let z = o.w[k] * (o.y[k] - twice * e) / (1.0 + twice * o.w[k]);
            if o.both {
                self.n12[k] = (-(e12[k] + z)).max(0.0);
            }
            s[k] = z + self.n12[k];
        }
        self.q = self.block.project(&(&self.pb + dense::mul_tr(&self.fb, &self.fb) / self.sigma));
        s
    }

    /// Projects I - [[0, S], [S', Q]] - M / sigma onto the positive semidefinite cone: the new P and M, and the relative
    /// primal and dual residuals.
    fn project(&mut self, s: &Mat) -> Option<(f64, f64)> {
        let (m, d) = s.shape();
        let v12 = -s - dense::mul_tr(&self.fa, &self.fb) / self.sigma;
        let vb = Mat::identity(d, d) - &self.q - dense::mul_tr(&self.fb, &self.fb) / self.sigma;
        let narrow = self.fa.ncols() + d < m;
        let o = narrow.then(|| dense::orthonormal(&lanczos::hcat(&self.fa, &v12)));
        let inside = |x: &Mat| o.as_ref().map_or_else(|| x.clone(), |o| dense::tr_mul(o, x));
        let (f, c) = (inside(&self.fa), inside(&v12));
        let k = f.nrows();
        let mut whole = Mat::zeros(k + d, k + d);
        whole.view_mut((0, 0), (k, k)).copy_from(&(Mat::identity(k, k) - dense::mul_tr(&f, &f) / self.sigma));
        whole.view_mut((k, 0), (d, k)).copy_from(&c.transpose());
        whole.view_mut((0, k), (k, d)).copy_from(&c);
        whole.view_mut((k, k), (d, d)).copy_from(&vb);
        let (values, vectors) = dense::symmetric_eigen(&whole)?;
        let negative: Vec<usize> = (0..values.len()).filter(|&i| values[i] < 0.0).collect();
        let mut part = vectors.select_columns(&negative);
        for (mut column, &i) in part.column_iter_mut().zip(&negative) {
            column *= (-values[i] * self.sigma).sqrt();
        }
        let top = part.rows(0, k).into_owned();
        let fa = o.as_ref().map_or_else(|| top.clone(), |o| dense::mul(o, &top));
        let fb = part.rows(k, d).into_owned();
        let p12 = v12 + dense::mul_tr(&fa, &fb) / self.sigma;
        let pb = vb + dense::mul_tr(&fb, &fb) / self.sigma;
        let size = (dense::tr_mul(&fa, &fa) + dense::tr_mul(&fb, &fb)).norm().max(1e-9);
        let off_primal = 2.0 * (&p12 + s).norm_squared() + (&pb + &self.q - Mat::identity(d, d)).norm_squared();
        let off_dual = 2.0 * (&p12 - &self.p12).norm_squared() + (&pb - &self.pb).norm_squared();
        (self.fa, self.fb, self.p12, self.pb) = (fa, fb, p12, pb);
        Some((off_primal.sqrt() / (d as f64).sqrt(), self.sigma * off_dual.sqrt() / size))
    }
}

/// Flops of an iteration on an m x d matrix, of which the part outside the small side has this rank.
pub fn cost((m, d): (usize, usize), rank: usize) -> f64 {
    let order = (rank + 2 * d).min(m + d) as f64;
    30.0 * order.powi(3) + 8.0 * m as f64 * d as f64 * order
}
