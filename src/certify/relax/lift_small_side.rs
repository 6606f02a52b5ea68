//! The doubly nonnegative lift with one block, for an orthant on the smaller side: Omega_rel with B >= 0 entry by entry.
//!
//! ```text
//! max <Z, Y> - ||Z||^2 / 2    over S = Z + N, N >= 0 (N = 0 if the other side is free), Q >= 0 with zero diagonal,
//!                             [[0, S], [S', Q]] <= lambda I
//! ```
//!
//! Alternating directions on the dual: the multiplier of the matrix inequality is M = (F_A; F_B)(F_A; F_B)' of low rank, and
//! the projection onto the positive semidefinite cone of order m + d is exact through an eigenproblem of order rank + 2 d: on the
//! complement of the range of (F_A, V_12) the first block is the identity. Everything is divided by lambda. Memory: a few m x d
//! fields. Each readout scales S and Q to feasibility, so it is a valid dual point; the best is offered.

use super::oriented::{Oriented, dual_value};
use super::{Goal, Relaxation, source};
use crate::budget::Budget;
use crate::certify::Effort;
use crate::certify::dual::{DualPoint, Keeper, Kind, Lift, plain_lambda, relative_gap};
use crate::linalg::{Mat, dense, lanczos};
use crate::problem::Problem;

/// The lift with the block of the small side.
#[derive(Debug)]
pub struct LiftSmallSide;

/// Longest small side.
const SIDE_LIMIT: usize = 200;
/// Most entries of a field.
const FIELD_LIMIT: usize = 4_000_000;
/// Iterations between readouts.
const READOUT: usize = 20;

impl Relaxation for LiftSmallSide {
    fn name(&self) -> &'static str {
        "lift_small_side"
    }

    fn describe(&self) -> &'static str {
        "doubly nonnegative lift with the block of the smaller side, by alternating directions"
    }

    fn applies(&self, problem: &Problem) -> bool {
        let (m, n) = problem.shape();
        small_axis(problem).is_some()
            && problem.mapping.name() == "matrix"
            && problem.loss.is_quadratic()
            && plain_lambda(problem).is_some()
            && m * n <= FIELD_LIMIT
    }

    fn needs_point(&self) -> bool {
        true
    }

    fn offer(&self, problem: &Problem, goal: Goal, effort: Effort, budget: &Budget, keeper: &mut Keeper) {
        let Some(axis) = small_axis(problem) else { return };
        let Some(o) = Oriented::new(problem, goal.start, axis == 0) else { return };
        let Some((s, q)) = Admm::new(&o, keeper.best().map(|b| &b.point)).run(&o, goal, effort, budget) else { return };
        let s = o.restore(&s);
        let (empty, q) = (Vec::new(), q.data.into());
        let lift = if axis == 0 { Lift { s, u: q, v: empty } } else { Lift { s, u: empty, v: q } };
        keeper.offer(problem, &DualPoint { source: source(self), kind: Kind::Lift(lift) });
    }
}

/// The axis of an orthant that is no longer than the other axis.
fn small_axis(problem: &Problem) -> Option<usize> {
    let (m, n) = problem.shape();
    let gauges = &problem.regularizer.gauges;
    let fits = |axis: usize| {
        let (side, other) = if axis == 0 { (m, n) } else { (n, m) };
        gauges.get(axis).is_some_and(|g| g.orthant().is_some()) && side <= SIDE_LIMIT && side <= other
    };
    (0..2).find(|&axis| fits(axis))
}

/// The state of the iteration; the small side has d columns.
struct Admm {
    fa: Mat,
    fb: Mat,
    n12: Mat,
    q: Mat,
    p12: Mat,
    pb: Mat,
    sigma: f64,
}

impl Admm {
    fn new(o: &Oriented, best: Option<&DualPoint>) -> Self {
        let (m, d) = o.y.shape();
        let (fa, fb) = o.balanced_slices();
        let s = o.start_field(best);
        let n12 = if o.both { s.zip_map(&o.y, |s, y| (s - y).max(0.0)) } else { Mat::zeros(m, d) };
        let gram = dense::tr_mul(&fa, &fa) + dense::tr_mul(&fb, &fb);
        let sigma = (0.5 * gram.norm() / (d as f64).sqrt()).max(1e-6);
        let q = Mat::zeros(d, d);
        let mut state = Self { fa, fb, n12, q, p12: Mat::zeros(m, d), pb: Mat::zeros(d, d), sigma };
        let _ = state.project(&s);
        state
    }

    /// Alternates until the goal is met, the iteration settles or the work is done; the best (S, Q), scaled back.
    fn run(mut self, o: &Oriented, goal: Goal, effort: Effort, budget: &Budget) -> Option<(Mat, Mat)> {
        let (m, d) = o.y.shape();
        let order = (self.fa.ncols() + 2 * d) as f64;
        let cost = 30.0 * order.powi(3) + 8.0 * m as f64 * d as f64 * order;
        let steps = super::steps(effort, cost);
        let mut best: Option<(f64, Mat, Mat)> = None;
        for step in 1..=steps {
            let s = self.ascend(o);
            let (primal, dual) = self.project(&s)?;
            let last = step == steps || budget.exhausted() || primal.max(dual) < 1e-9;
            if step % READOUT == 0 || last {
                let tau = bordered_estimate(&s, &self.q);
                let value = dual_value(o, &s, tau);
                if best.as_ref().is_none_or(|b| value > b.0) {
                    best = Some((value, s, self.q.clone()));
                }
                let reached = best.as_ref().map_or(f64::NEG_INFINITY, |b| b.0);
                if last || relative_gap(goal.objective, reached) <= 0.5 * goal.target {
                    break;
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
        let eb = &self.pb + dense::mul_tr(&self.fb, &self.fb) / self.sigma;
        let d = eb.nrows();
        self.q = Mat::from_fn(d, d, |i, j| if i == j { 0.0 } else { (-0.5 * (eb[(i, j)] + eb[(j, i)])).max(0.0) });
        s
    }

    /// Projects I - [[0, S], [S', Q]] - M / sigma onto the positive semidefinite cone: the new P and M, and the relative
    /// primal and dual residuals.
    fn project(&mut self, s: &Mat) -> Option<(f64, f64)> {
        let (m, d) = s.shape();
        let v12 = -s - dense::mul_tr(&self.fa, &self.fb) / self.sigma;
        let vb = Mat::identity(d, d) - &self.q - dense::mul_tr(&self.fb, &self.fb) / self.sigma;
        let both = lanczos::hcat(&self.fa, &v12);
        let o = if both.ncols() < m { dense::orthonormal(&both) } else { Mat::identity(m, m) };
        let (f, c) = (dense::tr_mul(&o, &self.fa), dense::tr_mul(&o, &v12));
        let k = o.ncols();
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
        let fa = dense::mul(&o, &part.rows(0, k).into_owned());
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

/// The least t with S'S + t Q <= t^2 I, as an estimate.
fn bordered_estimate(s: &Mat, q: &Mat) -> f64 {
    let g = dense::tr_mul(s, s);
    let mut t = 1.2;
    for _ in 0..100 {
        let next = lanczos::lambda_max(&(&g + q * t)).max(0.0).sqrt();
        if (t - next).abs() <= 1e-12 * t {
            return next;
        }
        t = next;
    }
    t
}
