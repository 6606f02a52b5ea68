//! The lift for cones given by halfspaces, norms of squares and any loss that is a sum over entries, of what is observed or
//! measured, with extra variables: the widest of the lifts, for m + n of a few hundred.
//!
//! ```text
//! Omega_rel(X) = min 1/2 (h_u(diag A) + h_v(diag B))     [[A, X], [X', B]] psd,  A_u A A_u' >= 0,  A_v B A_v' >= 0,
//!                                                        A_u X A_v' >= 0             (A_u u >= 0 and A_v v >= 0 are the cones)
//! psd:  Omega_rel(X) = h(diag X)                         X psd,  A X A' >= 0
//! ```
//!
//! Alternating directions between W = [[A, X], [X', B]] and copies of it: K is positive semidefinite, D has the diagonal's norms, Y
//! = G W G' >= 0 has the signs (G = diag(A_u, A_v)), F = X or what is measured of X has the loss. The step in W is a least squares
//! problem that the eigenvectors of A_u'A_u and A_v'A_v take apart; the multipliers are a [`ConeLift`] at every iteration.
//!
//! [`ConeLift`]: crate::certify::dual::ConeLift

mod normal;
mod state;

use super::{Goal, Relaxation, admm, envelope, steps};
use crate::budget::Budget;
use crate::certify::Effort;
use crate::certify::dual::Keeper;
use crate::certify::dual::cone_lift::Shape;
use crate::linalg::Mat;
use crate::problem::Problem;
use state::State;

/// The lift with every block.
#[derive(Debug)]
pub struct ConesLift;

/// Longest m + n.
const SIDE_LIMIT: usize = 320;
/// Most conditions of both cones together, and most measurements.
const ROW_LIMIT: usize = 640;
const MEASUREMENT_LIMIT: usize = 1500;
/// Most iterations.
const STEP_LIMIT: usize = 5000;

impl Relaxation for ConesLift {
    fn name(&self) -> &'static str {
        "cone_lift"
    }

    fn describe(&self) -> &'static str {
        "lift for orthants, halfspaces and norms of squares with any loss, by alternating directions"
    }

    fn applies(&self, problem: &Problem) -> bool {
        let Some(shape) = Shape::new(problem) else { return false };
        let rows: usize = shape.sides.iter().filter_map(|s| s.rows.as_ref()).map(Mat::nrows).sum();
        let plain = problem.regularizer.gauges.iter().all(|g| g.norm().name() == "l2");
        let few = problem.operator.as_ref().is_none_or(|a| a.len() <= MEASUREMENT_LIMIT);
        shape.order() <= SIDE_LIMIT
            && rows <= ROW_LIMIT
            && few
            && !(plain && rows == 0)
            && !served(problem)
            && envelope::applies(problem)
    }

    fn needs_point(&self) -> bool {
        true
    }

    fn flops(&self, problem: &Problem, effort: Effort) -> f64 {
        Shape::new(problem).map_or(0.0, |s| limit(problem, &s, effort) as f64 * cost(problem, &s))
    }

    fn offer(&self, problem: &Problem, goal: Goal, effort: Effort, budget: &Budget, keeper: &mut Keeper) {
        let (Some(shape), Some(start)) = (Shape::new(problem), goal.start) else { return };
        let steps = limit(problem, &shape, effort);
        let Some(state) = State::new(problem, &shape, start) else { return };
        admm::offer(self, problem, goal, (steps, false), budget, keeper, state);
    }
}

/// Whether the lifts that are made for orthants and squared loss do the same.
fn served(problem: &Problem) -> bool {
    let l2 = problem.regularizer.gauges.iter().all(|g| g.norm().name() == "l2");
    let orthants = problem.regularizer.gauges.iter().all(|g| g.cone().is_none() || g.orthant().is_some());
    l2 && orthants
        && problem.extras.explicit().next().is_none()
        && [&super::lift_full::LiftFull as &dyn Relaxation, &super::nuclear_nonnegative::NuclearNonnegative]
            .iter()
            .any(|r| r.applies(problem) && (problem.mapping.name() == "psd" || r.name() == "lift_full"))
}

/// Iterations that an effort pays for.
fn limit(problem: &Problem, shape: &Shape, effort: Effort) -> usize {
    steps(effort, cost(problem, shape)).min(STEP_LIMIT)
}

/// Flops of an iteration.
fn cost(problem: &Problem, shape: &Shape) -> f64 {
    let n = shape.order() as f64;
    let rows: f64 = shape.sides.iter().filter_map(|s| s.rows.as_ref()).map(|a| a.nrows() as f64).sum();
    let (p, q) = problem.shape();
    let measured = problem.operator.as_ref().map_or(0, |a| a.len()) as f64;
    30.0 * n.powi(3)
        + 4.0 * rows * n * (rows + n)
        + measured * (2.0 * measured + 4.0 * (p * q) as f64)
        + 500.0 * (p * q) as f64
}
