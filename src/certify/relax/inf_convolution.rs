//! Omega_rel = the sum of what every pair of norms says of its own: sums of norms.
//!
//! ```text
//! max <Z, Y> - ||Z||^2 / 2    over Z = sum of parts, each in lambda alpha beta times its own dual ball       (polar::parts)
//! ```
//!
//! with Z <= the sum, in the sign of u v', where both factors lie in orthants. FISTA on the parts; every iterate is feasible.
//! The gap that stays is what is lost when one slice may answer each norm with another decomposition.

use super::{Goal, Relaxation, source, steps};
use crate::budget::Budget;
use crate::certify::Effort;
use crate::certify::dual::{DualPoint, Keeper, Kind, relative_gap, uniform_lambda};
use crate::data::Observations;
use crate::linalg::Mat;
use crate::polar::bound::product_sign;
use crate::polar::parts::Parts;
use crate::problem::Problem;

/// Sums of norms, pair by pair.
#[derive(Debug)]
pub struct InfConvolution;

/// Most entries of a field.
const FIELD_LIMIT: usize = 4_000_000;
/// Longest smaller side, for which a decomposition is made at every step.
const SIDE_LIMIT: usize = 500;

impl Relaxation for InfConvolution {
    fn name(&self) -> &'static str {
        "inf_convolution"
    }

    fn describe(&self) -> &'static str {
        "a sum of norms taken apart pair by pair, by accelerated projected gradient"
    }

    fn applies(&self, problem: &Problem) -> bool {
        let (m, n) = problem.shape();
        matches!(problem.observations, Observations::Full { .. })
            && problem.w.is_none()
            && problem.loss.is_quadratic()
            && uniform_lambda(problem).is_some()
            && m * n <= FIELD_LIMIT
            && m.min(n) <= SIDE_LIMIT
            && problem.regularizer.gauges.iter().any(|g| g.norm().terms().is_some())
            && Parts::of(problem).is_some()
    }

    fn flops(&self, problem: &Problem, effort: Effort) -> f64 {
        Parts::of(problem).map_or(0.0, |p| limit(problem, p.count(), effort) as f64 * cost(problem, p.count()))
    }

    fn offer(&self, problem: &Problem, goal: Goal, effort: Effort, budget: &Budget, keeper: &mut Keeper) {
        let Some(best) = fista(problem, goal, effort, budget) else { return };
        let blocks = best.into_iter().map(|s| s.data.into()).collect();
        keeper.offer(problem, &DualPoint { source: source(self), kind: Kind::Parts(blocks) });
    }
}

/// Flops of an iteration.
fn cost(problem: &Problem, parts: usize) -> f64 {
    let (m, n) = problem.shape();
    parts as f64 * 4.0 * (m * n * m.min(n)) as f64
}

/// Iterations that an effort pays for.
fn limit(problem: &Problem, parts: usize, effort: Effort) -> usize {
    if effort == Effort::Cheap { 60 } else { steps(effort, cost(problem, parts)).min(3000) }
}

fn fista(problem: &Problem, goal: Goal, effort: Effort, budget: &Budget) -> Option<Vec<Mat>> {
    let (parts, lambda) = (Parts::of(problem)?, uniform_lambda(problem)?);
    let (m, n) = problem.shape();
    let y = Mat::from_column_slice(m, n, &problem.y);
    let sign = product_sign(problem);
    // what of Y - sum counts: on orthants only where the sum falls short, in the sign of u v'
    let residual = |s: &[Mat]| {
        let r = &y - parts.assemble(s).0;
        match sign {
            None => r,
            Some(sign) => r.map(|x| if sign * x > 0.0 { x } else { 0.0 }),
        }
    };
    let half_norm = 0.5 * y.norm_squared();
    let limit = limit(problem, parts.count(), effort);
    let step = 1.0 / parts.lipschitz();
    let mut s = parts.zeros();
    let (mut best, mut least) = (s.clone(), f64::INFINITY);
    let (mut extrapolated, mut momentum, mut last, mut checkpoint) = (s.clone(), 1.0, f64::INFINITY, f64::INFINITY);
    for k in 1..=limit {
        if budget.exhausted() {
            break;
        }
        let mut next = extrapolated.clone();
        parts.add(&mut next, &residual(&extrapolated), step);
        parts.project(&mut next, lambda)?;
        let value = 0.5 * residual(&next).norm_squared();
        if value > last {
            momentum = 1.0;
        }
        let following = (1.0 + f64::sqrt(1.0 + 4.0 * momentum * momentum)) / 2.0;
        let beta = (momentum - 1.0) / following;
        extrapolated = next.iter().zip(&s).map(|(a, b)| a + (a - b) * beta).collect();
        (s, momentum, last) = (next, following, value);
        if value < least {
            (best, least) = (s.clone(), value);
        }
        if k % 20 == 0 {
            let bound = half_norm - least;
            if checkpoint - least <= 1e-8 * bound.abs() || relative_gap(goal.objective, bound) <= 0.5 * goal.target {
                break;
            }
            checkpoint = least;
        }
    }
    least.is_finite().then_some(best)
}
