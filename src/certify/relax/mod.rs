//! Tractable convex relaxations Omega_rel <= Omega, whose dual points give the best bounds: min l + lambda Omega_rel is a
//! lower bound, and its dual feasible set lies inside ours. They depend on the problem alone, not on the factors.
//!
//! To add one: a file with a `Relaxation`, and its line in [`RELAXATIONS`].

mod admm;
mod bordered;
pub mod cone_lift;
mod envelope;
pub mod folded;
pub mod inf_convolution;
pub mod lift_full;
pub mod lift_small_side;
pub mod newton;
pub mod nuclear;
pub mod nuclear_nonnegative;
pub mod nuclear_split;
mod oriented;
pub mod partial_transpose;
pub mod parts_split;
pub mod priced;

use super::Effort;
use super::dual::{Keeper, plain_lambda};
use crate::budget::Budget;
use crate::linalg::{Mat, dense};
use crate::mapping::Factors;
use crate::problem::Problem;

/// A relaxation that offers dual points.
pub trait Relaxation: Sync {
    /// The source's name in reports, after `relaxation:`.
    fn name(&self) -> &'static str;

    /// What it is, in a sentence.
    fn describe(&self) -> &'static str;

    /// Whether its dual points are valid for this problem and affordable.
    fn applies(&self, problem: &Problem) -> bool;

    /// Whether it starts from a point, and pays only near the optimum.
    fn needs_point(&self) -> bool {
        false
    }

    /// Whether that must be the point that is certified.
    fn needs_last(&self) -> bool {
        false
    }

    /// About how many flops it takes at most, if the goal is never met: for people who wonder whether to wait.
    fn flops(&self, problem: &Problem, effort: Effort) -> f64;

    /// Offers dual points; may stop when the bound is within `target` (relative) of `objective`.
    fn offer(&self, problem: &Problem, goal: Goal, effort: Effort, budget: &Budget, keeper: &mut Keeper);
}

/// What the bound is wanted for.
#[derive(Clone, Copy, Debug)]
pub struct Goal<'a> {
    /// An objective value at hand, +inf if none.
    pub objective: f64,
    /// Relative gap asked for.
    pub target: f64,
    /// Factors to start from; without any, only the rungs that need none are climbed.
    pub start: Option<&'a Factors>,
    /// -grad l at the point that is certified, with the best extra variables; before it is known, the rung that is about no other is
    /// left out.
    pub last: Option<&'a [f64]>,
}

impl Goal<'_> {
    /// Whether a bound meets the goal.
    pub fn met(&self, bound: Option<f64>) -> bool {
        bound.is_some_and(|b| self.objective.is_finite() && super::dual::relative_gap(self.objective, b) <= self.target)
    }
}

/// Every relaxation, cheapest first. One line each.
pub const RELAXATIONS: &[&dyn Relaxation] = &[
    &nuclear::Nuclear,
    &newton::Newton,
    &nuclear_nonnegative::NuclearNonnegative,
    &nuclear_split::NuclearSplit,
    &inf_convolution::InfConvolution,
    &parts_split::PartsSplit,
    &lift_small_side::LiftSmallSide,
    &lift_full::LiftFull,
    &cone_lift::ConesLift,
    &partial_transpose::PartialTranspose,
    &partial_transpose::PartialTransposeNonnegative,
    &folded::Folded,
    &priced::Priced,
];

/// Climbs the ladder until the goal is met, the rungs end, or the budget does.
pub fn climb(problem: &Problem, goal: Goal, effort: Effort, budget: &Budget, keeper: &mut Keeper) {
    for r in RELAXATIONS.iter().filter(|r| r.applies(problem)) {
        if goal.met(keeper.value()) || budget.exhausted() {
            return;
        }
        let known = if r.needs_last() { goal.last.is_some() } else { goal.start.is_some() };
        if r.needs_point() && (!known || effort == Effort::Cheap) {
            continue;
        }
        let source = source(*r);
        if !keeper.tried().contains(&source) {
            r.offer(problem, goal, effort, budget, keeper);
            // what the budget cut short is begun again by whoever goes on
            if !budget.exhausted() {
                keeper.mark(&source);
            }
        }
    }
}

/// The source name of a relaxation's points.
pub fn source(r: &dyn Relaxation) -> String {
    format!("relaxation:{}", r.name())
}

/// How many iterations of `cost` flops an effort pays for: work counts, so that results do not depend on the clock.
fn steps(effort: Effort, cost: f64) -> usize {
    let flops = match effort {
        Effort::Cheap => 0.0,
        Effort::Default => 1.5e11,
        Effort::Thorough => 2e12,
    };
    ((flops / cost) as usize).clamp(100, 20_000)
}

/// Flops of clipping the singular values of an m x n matrix.
fn clip_flops(m: usize, n: usize) -> f64 {
    let (long, short) = (m.max(n) as f64, m.min(n) as f64);
    6.0 * long * short * short + 20.0 * short.powi(3)
}

/// Above this small side no dense decomposition is made for a bound.
const SIDE_LIMIT: usize = 1500;

/// Whether everything is observed with unit weights under a quadratic loss and plain l2 gauges.
fn plain_l2(problem: &Problem) -> bool {
    let (m, n) = problem.shape();
    matches!(problem.observations, crate::data::Observations::Full { .. })
        && problem.w.is_none()
        && problem.loss.is_quadratic()
        && plain_lambda(problem).is_some()
        && m.min(n) <= SIDE_LIMIT
}

/// The projection onto {S : free polar <= lambda}: singular values clipped at lambda, or eigenvalues for the psd mapping
/// (`y` symmetric). `None` if the decomposition did not converge.
fn clip(problem: &Problem, s: &Mat) -> Option<Mat> {
    let lambda = plain_lambda(problem)?;
    if problem.mapping.name() == "psd" {
        let (values, vectors) = dense::symmetric_eigen(s)?;
        let over: Vec<usize> = (0..values.len()).filter(|&i| values[i] > lambda).collect();
        let q = vectors.select_columns(&over);
        let scaled = Mat::from_fn(q.nrows(), q.ncols(), |i, k| q[(i, k)] * (values[over[k]] - lambda));
        let mut out = s - dense::mul_tr(&scaled, &q);
        out.fill_upper_triangle_with_lower_triangle();
        return Some(out);
    }
    dense::clip_singular_values(s, lambda)
}
