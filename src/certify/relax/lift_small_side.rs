//! The doubly nonnegative lift with one block, for an orthant on the smaller side: Omega_rel with B >= 0 entry by entry.
//!
//! ```text
//! max <Z, Y> - ||Z||^2 / 2    over S = Z + N, N >= 0 (N = 0 if the other side is free), Q >= 0 with zero diagonal,
//!                             [[0, S], [S', Q]] <= lambda I
//! ```
//!
//! By alternating directions, `relax::bordered`.

use super::bordered::{self, Admm, Block};
use super::oriented::Oriented;
use super::{Goal, Relaxation, source, steps};
use crate::budget::Budget;
use crate::certify::Effort;
use crate::certify::dual::{DualPoint, Keeper, Kind, Lift, plain_lambda};
use crate::linalg::Mat;
use crate::problem::Problem;

/// The lift with the block of the small side.
#[derive(Debug)]
pub struct LiftSmallSide;

/// Longest small side.
const SIDE_LIMIT: usize = 200;
/// Most entries of a field.
const FIELD_LIMIT: usize = 4_000_000;

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

    fn flops(&self, problem: &Problem, effort: Effort) -> f64 {
        let (m, n) = problem.shape();
        let (long, short) = if small_axis(problem) == Some(0) { (n, m) } else { (m, n) };
        let cost = bordered::cost((long, short), short);
        steps(effort, cost) as f64 * cost
    }

    fn offer(&self, problem: &Problem, goal: Goal, effort: Effort, budget: &Budget, keeper: &mut Keeper) {
        let Some(axis) = small_axis(problem) else { return };
        let Some(o) = Oriented::new(problem, goal.start, axis == 0) else { return };
        let (s, d) = (o.start_field(keeper.best().map(|b| &b.point)), o.y.ncols());
        let admm = Admm::new(&o, Block::Nonnegative, &s, Mat::zeros(d, d));
        let steps = steps(effort, admm.cost());
        let Some((s, q)) = admm.run(&o, goal, steps, budget) else { return };
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
