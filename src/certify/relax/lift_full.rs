//! The doubly nonnegative lift with a block for every orthant: the tightest of the tractable relaxations, for m + n of a few
//! hundred.
//!
//! ```text
//! Omega_rel(X) = min 1/2 (tr A + tr B)    [[A, X], [X', B]] psd,  A >= 0 if u, B >= 0 if v, X >= 0 if both lie in orthants
//! ```
//!
//! Alternating directions between a positive semidefinite copy and a copy with the signs and the loss; everything is divided by
//! lambda. T = I - 2 P, with P the multiplier of the semidefinite copy, is a dual point once its blocks are clipped at 0 and it
//! is scaled by its largest eigenvalue: at every iteration.

use super::oriented::{Oriented, dual_value};
use super::{Goal, Relaxation, admm, source};
use crate::budget::Budget;
use crate::certify::Effort;
use crate::certify::dual::{DualPoint, Keeper, Kind, Lift, plain_lambda, relative_gap};
use crate::linalg::{Mat, dense, lanczos};
use crate::problem::Problem;

/// The lift with every block.
#[derive(Debug)]
pub struct LiftFull;

/// Longest m + n.
const SIDE_LIMIT: usize = 320;

impl Relaxation for LiftFull {
    fn name(&self) -> &'static str {
        "lift_full"
    }

    fn describe(&self) -> &'static str {
        "doubly nonnegative lift with a block for every orthant, by alternating directions"
    }

    fn applies(&self, problem: &Problem) -> bool {
        let (m, n) = problem.shape();
        problem.mapping.name() == "matrix"
            && m + n <= SIDE_LIMIT
            && problem.loss.is_quadratic()
            && plain_lambda(problem).is_some()
            && problem.regularizer.gauges.iter().any(|g| g.orthant().is_some())
    }

    fn needs_point(&self) -> bool {
        true
    }

    fn flops(&self, problem: &Problem, effort: Effort) -> f64 {
        let (m, n) = problem.shape();
        super::steps(effort, cost(m + n)) as f64 * cost(m + n)
    }

    fn offer(&self, problem: &Problem, goal: Goal, effort: Effort, budget: &Budget, keeper: &mut Keeper) {
        let Some(o) = Oriented::new(problem, goal.start, false) else { return };
        let blocks = [0, 1].map(|k| problem.regularizer.gauges[k].orthant().is_some());
        let Some(t) = Admm::new(&o, blocks, keeper.best().map(|b| &b.point)).run(&o, goal, effort, budget) else {
            return;
        };
        let (m, n) = o.y.shape();
        let block = |on: bool, start: usize, side: usize| -> Vec<f64> {
            if on { (t.view((start, start), (side, side)) * o.lambda).data.into() } else { Vec::new() }
        };
        let s = o.restore(&(t.view((0, m), (m, n)) * o.lambda));
        let lift = Lift { s, u: block(blocks[0], 0, m), v: block(blocks[1], m, n) };
        keeper.offer(problem, &DualPoint { source: source(self), kind: Kind::Lift(lift) });
    }
}

/// Flops of an iteration.
fn cost(side: usize) -> f64 {
    30.0 * (side as f64).powi(3)
}

struct Admm {
    m: usize,
    blocks: [bool; 2],
    l: Mat,
    multiplier: Mat,
    rho: f64,
}

impl Admm {
    fn new(o: &Oriented, blocks: [bool; 2], best: Option<&DualPoint>) -> Self {
        let (m, n) = o.y.shape();
        let (fa, fb) = o.balanced_slices();
        let mut f = Mat::zeros(m + n, fa.ncols());
        f.rows_mut(0, m).copy_from(&fa);
        f.rows_mut(m, n).copy_from(&fb);
        let l = dense::mul_tr(&f, &f);
        let rho = ((m + n) as f64).sqrt() / l.norm().max(1e-3);
        let s = o.start_field(best);
        let mut multiplier = Mat::identity(m + n, m + n);
        multiplier.view_mut((0, m), (m, n)).copy_from(&-&s);
        multiplier.view_mut((m, 0), (n, m)).copy_from(&-s.transpose());
        multiplier /= 2.0 * rho;
        Self { m, blocks, l, multiplier, rho }
    }

    fn run(mut self, o: &Oriented, goal: Goal, effort: Effort, budget: &Budget) -> Option<Mat> {
        let side = self.l.nrows();
        let steps = super::steps(effort, cost(side));
        let mut best: Option<(f64, Mat)> = None;
        for step in 1..=steps {
            let v = &self.l - &self.multiplier;
            let (positive, negative) = admm::split(&v)?;
            let x = &positive + &self.multiplier;
            let next = self.constrained(o, &x);
            self.multiplier += &positive - &next;
            let size = positive.norm().max(next.norm()).max(1e-12);
            let primal = (&positive - &next).norm() / size;
            let dual = (&next - &self.l).norm() / self.multiplier.norm().max(1e-12);
            self.l = next;
            let last = step == steps || budget.exhausted() || primal.max(dual) < 1e-9;
            if step % admm::READOUT == 0 || last {
                let t = self.readout(o, &negative);
                let value = dual_value(o, &t.view((0, self.m), o.y.shape()).into_owned(), lanczos::lambda_max(&t));
                if best.as_ref().is_none_or(|b| value > b.0) {
                    best = Some((value, t));
                }
                let reached = best.as_ref().map_or(f64::NEG_INFINITY, |b| b.0);
                if last || relative_gap(goal.objective, reached) <= 0.5 * goal.target {
                    break;
                }
            }
            if step % 10 == 0 {
                let rho = (self.rho * admm::change(primal, dual)).clamp(1e-4, 1e4);
                self.multiplier *= self.rho / rho;
                self.rho = rho;
            }
        }
        best.map(|b| b.1)
    }

    /// The copy with the signs, the trace and the loss, from X.
    fn constrained(&self, o: &Oriented, x: &Mat) -> Mat {
        let m = self.m;
        let side = x.nrows();
        let twice = 2.0 * self.rho;
        Mat::from_fn(side, side, |i, j| {
            let (i, j) = (i.min(j), i.max(j));
            let x = 0.5 * (x[(i, j)] + x[(j, i)]);
            if i < m && j >= m {
                let (y, w) = (o.y[(i, j - m)], o.w[(i, j - m)]);
                let x = (w * y + twice * x) / (w + twice);
                return if o.both { x.max(0.0) } else { x };
            }
            let x = if i == j { x - 1.0 / twice } else { x };
            if self.blocks[usize::from(i >= m)] { x.max(0.0) } else { x }
        })
    }

    /// T = I - 2 rho (K - V) = I - 2 rho times the negative part, made a valid dual point but for its scale.
    fn readout(&self, o: &Oriented, negative: &Mat) -> Mat {
        let m = self.m;
        let side = negative.nrows();
        Mat::from_fn(side, side, |i, j| {
            let (i, j) = (i.min(j), i.max(j));
            if i == j {
                return 0.0;
            }
            let t = -2.0 * self.rho * 0.5 * (negative[(i, j)] + negative[(j, i)]);
            if i < m && j >= m {
                return match (o.w[(i, j - m)] > 0.0, o.both) {
                    (true, _) => t,
                    (false, true) => t.max(0.0),
                    (false, false) => 0.0,
                };
            }
            if self.blocks[usize::from(i >= m)] { t.max(0.0) } else { 0.0 }
        })
    }
}
