//! Omega_rel = nuclear norm + indicator of the sign of u v': both factors in orthants.
//!
//! ```text
//! max D(S) = ||Y||^2 / 2 - ||(Y - S)_+||^2 / 2    over sigma_1(S) <= lambda          (Z = min(S, Y), u v' >= 0)
//! ```
//!
//! FISTA with the clipping of singular values (eigenvalues for psd) as projection; the start, Y clipped, is the closed form
//! from one decomposition, or the best point at hand where that is better. Every iterate is a valid dual point, proven as the
//! majorant S; the best one is offered. Signs are flipped where u v' <= 0.

use super::{Goal, Relaxation, clip, clip_flops, plain_l2, source};
use crate::budget::Budget;
use crate::certify::Effort;
use crate::certify::dual::{DualPoint, Keeper, Kind, relative_gap};
use crate::linalg::Mat;
use crate::polar::bound::product_sign;
use crate::problem::Problem;

/// Nuclear norm and sign.
#[derive(Debug)]
pub struct NuclearNonnegative;

impl Relaxation for NuclearNonnegative {
    fn name(&self) -> &'static str {
        "nuclear_nonnegative"
    }

    fn describe(&self) -> &'static str {
        "nuclear norm with the sign of the product, by accelerated projected gradient"
    }

    fn applies(&self, problem: &Problem) -> bool {
        plain_l2(problem) && product_sign(problem).is_some()
    }

    fn flops(&self, problem: &Problem, effort: Effort) -> f64 {
        let (m, n) = problem.shape();
        (1 + steps(effort)) as f64 * clip_flops(m, n)
    }

    fn offer(&self, problem: &Problem, goal: Goal, effort: Effort, budget: &Budget, keeper: &mut Keeper) {
        let (m, n) = problem.shape();
        let sign = product_sign(problem).expect("called only where it applies");
        let y = Mat::from_column_slice(m, n, &problem.y) * sign;
        let known = match keeper.best().map(|b| &b.point.kind) {
            Some(Kind::Majorant(s)) => Some(Mat::from_column_slice(m, n, s) * sign),
            _ => None,
        };
        if let Some(s) = best_majorant(problem, &y, known, goal, steps(effort), budget) {
            keeper.offer(problem, &DualPoint::majorant(source(self), (s * sign).data.into()));
        }
    }
}

/// Iterations that an effort pays for.
fn steps(effort: Effort) -> usize {
    match effort {
        Effort::Cheap => 0,
        Effort::Default => 400,
        Effort::Thorough => 4000,
    }
}

/// FISTA on min ||(Y - S)_+||^2 / 2 over the free dual ball, with restarts; returns the best iterate. A point of the ball may be
/// known.
fn best_majorant(
    problem: &Problem,
    y: &Mat,
    known: Option<Mat>,
    goal: Goal,
    steps: usize,
    budget: &Budget,
) -> Option<Mat> {
    let half_norm = 0.5 * y.norm_squared();
    let excess = |s: &Mat| 0.5 * y.iter().zip(s.iter()).map(|(y, s)| (y - s).max(0.0).powi(2)).sum::<f64>();
    let clipped = clip(problem, y)?;
    let mut s = known.filter(|s| excess(s) < excess(&clipped)).unwrap_or(clipped);
    let (mut best, mut best_excess) = (s.clone(), excess(&s));
    let (mut extrapolated, mut momentum, mut last) = (s.clone(), 1.0, best_excess);
    let mut checkpoint = half_norm - best_excess;
    for step in 1..=steps {
        if budget.exhausted() {
            break;
        }
        let ascent = extrapolated.zip_map(y, |p, y| p + (y - p).max(0.0));
        let next = clip(problem, &ascent)?;
        let value = excess(&next);
        if value > last {
            momentum = 1.0;
        }
        let following = (1.0 + f64::sqrt(1.0 + 4.0 * momentum * momentum)) / 2.0;
        extrapolated = &next + (&next - &s) * ((momentum - 1.0) / following);
        (s, momentum, last) = (next, following, value);
        if value < best_excess {
            best_excess = value;
            best.copy_from(&s);
        }
        if step % 10 == 0 {
            let bound = half_norm - best_excess;
            let stalled = bound - checkpoint <= 1e-9 * bound.abs();
            if stalled || relative_gap(goal.objective, bound) <= 0.5 * goal.target {
                break;
            }
            checkpoint = bound;
        }
    }
    Some(best)
}
