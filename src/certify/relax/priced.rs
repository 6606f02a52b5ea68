//! The gradient at a point, its polar bounded by a search that goes on until the gap is met or the work is done.
//!
//! ```text
//! stop at theta:   D(-grad l / theta) = (1 - target) objective,      D(Z) = -l*(-Z)
//! ```
//!
//! No relaxation of Omega, but a rung of the ladder like them: for networks, whose polar costs more than all the rest, and for one
//! factor in an orthant, where it closes what the lifts leave.

use super::{Goal, Relaxation, source};
use crate::budget::Budget;
use crate::certify::Effort;
use crate::certify::dual::{self, Keeper, relative_gap};
use crate::polar::bound::{self, Aim, Upper, leading};
use crate::polar::{gauged, neurons};
use crate::problem::Problem;
use std::cell::RefCell;

/// The residual, its polar searched.
#[derive(Debug)]
pub struct Priced;

/// The share of the target that the search aims at, so that rounding does not decide.
const SHARE: f64 = 0.95;
/// The share of the target that a search may leave where the point is what misses it.
const SPARED: f64 = 0.1;
/// What a proof is left to spare, so that it succeeds again on the scaled field.
const SPARE: f64 = 1e-12;

impl Relaxation for Priced {
    fn name(&self) -> &'static str {
        "priced"
    }

    fn describe(&self) -> &'static str {
        "the gradient at the point, its polar bounded by a search that goes on until the gap is met"
    }

    fn applies(&self, problem: &Problem) -> bool {
        applies(problem)
    }

    fn needs_point(&self) -> bool {
        true
    }

    fn needs_last(&self) -> bool {
        true
    }

    fn flops(&self, problem: &Problem, effort: Effort) -> f64 {
        let unit =
            if leading::applies(problem) { leading::UNIT } else { bound::cones::PAIR * problem.shape().1 as f64 };
        work(effort) * unit
    }

    fn offer(&self, problem: &Problem, goal: Goal, effort: Effort, budget: &Budget, keeper: &mut Keeper) {
        let Some(z) = goal.last else { return };
        let (limit, tolerance) = match threshold(problem, z, goal) {
            Some(limit) => (limit, (0.5 * (limit / problem.lambda - 1.0)).max(1e-9)),
            // the point misses the goal: its bound is to miss it by little more
            None => (problem.lambda, (SPARED * goal.target).max(1e-9)),
        };
        let seen = RefCell::new(None);
        let tree = RefCell::new(keeper.cuts());
        let aim = Aim { limit, tolerance, work: work(effort), budget, seen: Some(&seen), tree: Some(&tree) };
        if let Some(upper) = bound::upper_toward(problem, z, &aim) {
            keeper.bound_polar(upper);
            keeper.see(seen.into_inner());
            keeper.go_on_from(tree.into_inner().filter(|_| budget.exhausted()));
            let spared = Upper { value: upper.value * (1.0 + SPARE), ..upper };
            keeper.keep(dual::prove_field(problem, &source(self), z, spared));
        }
    }
}

/// Whether the polar has a bound that a search lowers until it is what it should be.
pub fn applies(problem: &Problem) -> bool {
    (neurons::applies(problem) || gauged::applies(problem) || leading::applies(problem)) && !bound::is_exact(problem)
}

/// What proving a polar by a search may cost.
pub fn work(effort: Effort) -> f64 {
    match effort {
        Effort::Cheap => 3e6,
        Effort::Default => 2e9,
        Effort::Thorough => 2e10,
    }
}

/// The largest upper end of the polar that meets the goal; `None` where not even lambda does.
fn threshold(problem: &Problem, z: &[f64], goal: Goal) -> Option<f64> {
    let target = SHARE * goal.target;
    let met = |theta: f64| {
        let value = dual::promise(problem, z, theta * (1.0 + SPARE));
        value.is_finite() && relative_gap(goal.objective, value) <= target
    };
    let (mut low, mut high) = (problem.lambda, 100.0 * problem.lambda);
    if !met(low) {
        return None;
    }
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if met(middle) { low = middle } else { high = middle }
    }
    Some(low)
}
