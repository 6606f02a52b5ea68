//! The polar (26), Omega°(W) = max {<W, phi(z)> : g(z) <= 1}: [`search`] finds slices with a high value (a lower end and a
//! direction of descent), [`bound`] proves upper ends. Dual points are left to others.

pub mod arcs;
pub mod best_first;
pub mod bound;
pub mod cones;
pub mod cuts;
pub mod field;
pub mod folded;
pub mod gauged;
pub mod generators;
pub mod grouping;
pub mod layers;
pub mod leading;
pub mod moments;
pub mod neurons;
pub mod parts;
pub mod search;
pub mod simplices;

use crate::budget::Budget;
use crate::problem::Problem;
use search::Found;
use serde::{Deserialize, Serialize};

/// Slices found of an exact polar at X = 0.
const STARTS: usize = 40;

/// An interval that holds lambda_max, the polar of -grad l at X = 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LambdaMax {
    /// Found by the polar search at a fixed effort and a fixed seed of its own.
    pub found: f64,
    /// Proven upper bound, if any.
    pub upper: Option<f64>,
}

/// lambda_max of the problem (its `lambda` plays no part), with Q optimal at X = 0. `tight`: whether its upper end is worth a
/// proof that takes long; otherwise a quick bound does.
pub fn lambda_max(problem: &Problem, tight: bool) -> LambdaMax {
    at_zero(problem, tight, &Budget::unlimited()).0
}

/// The same with the slices that were found, which are those that a solver starts from. Its upper end is looser where the budget
/// ends first, and so may the search be where it is not `tight`: what a relative lambda refers to does not depend on the clock.
pub fn at_zero(problem: &Problem, tight: bool, budget: &Budget) -> (LambdaMax, Found) {
    let (z, found) = found_at_zero(problem, tight, budget);
    let upper = if tight { bound::upper_within(problem, &z, budget) } else { bound::quick(problem, &z, budget) };
    (LambdaMax { found: found.best(), upper: upper.map(|b| b.value) }, found)
}

/// -grad l at X = 0, with Q optimal there.
pub fn field_at_zero(problem: &Problem) -> Vec<f64> {
    let zero = vec![0.0; problem.y.len()];
    let mut q = problem.extras.zero();
    problem.fit_extras(&zero, &mut q);
    problem.dual_field(&problem.extras.offset(&q, zero.len()))
}

/// -grad l at X = 0, and what is found of its polar.
pub fn found_at_zero(problem: &Problem, tight: bool, budget: &Budget) -> (Vec<f64>, Found) {
    let z = field_at_zero(problem);
    let precision = if tight { search::Effort::default().precision } else { 1e-6 };
    let budget = (!tight).then_some(budget);
    let default = search::Effort::default();
    // orthogonal slices can be started from together
    let keep = if bound::is_exact(problem) { STARTS } else { default.keep };
    let found = search::search(problem, &z, None, &search::Effort { precision, budget, keep, ..default });
    (z, found)
}
