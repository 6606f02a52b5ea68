//! Slices that are matrices under the nuclear norm: the lifts of the array that they fold up into,
//! [`crate::polar::folded`].
//!
//! Omega is the array's, so its dual points are ours; on cone `psd` they are points of what is less.

use super::{Goal, Relaxation, partial_transpose::PartialTranspose, source};
use crate::budget::Budget;
use crate::certify::Effort;
use crate::certify::dual::{DualPoint, Keeper};
use crate::polar::folded;
use crate::problem::Problem;

/// The array's lift.
#[derive(Debug)]
pub struct Folded;

fn array(problem: &Problem) -> Option<folded::Folded> {
    let array = folded::Folded::new(problem).filter(|_| folded::Folded::shares_duals(problem))?;
    PartialTranspose.applies(&array.problem).then_some(array)
}

impl Relaxation for Folded {
    fn name(&self) -> &'static str {
        "folded"
    }

    fn describe(&self) -> &'static str {
        "lift of the array that matrices under the nuclear norm fold up into, its own partial transpose, by alternating directions"
    }

    fn applies(&self, problem: &Problem) -> bool {
        array(problem).is_some()
    }

    fn needs_point(&self) -> bool {
        true
    }

    fn flops(&self, problem: &Problem, effort: Effort) -> f64 {
        array(problem).map_or(0.0, |a| PartialTranspose.flops(&a.problem, effort))
    }

    fn offer(&self, problem: &Problem, goal: Goal, effort: Effort, budget: &Budget, keeper: &mut Keeper) {
        let Some(array) = array(problem) else { return };
        let Some(start) = goal.start.and_then(|x| array.factors(x)) else { return };
        let mut inner = Keeper::new();
        let goal = Goal { start: Some(&start), ..goal };
        PartialTranspose.offer(&array.problem, goal, effort, budget, &mut inner);
        if let Some(best) = inner.best() {
            let point = DualPoint { source: source(self), kind: best.point.kind.clone() };
            keeper.offer(problem, &point);
        }
    }
}
