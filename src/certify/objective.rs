//! f_r at a point, rounded up.

use super::certificate::Objective;
use crate::linalg::sum::{UNIT_ROUNDOFF, gamma};
use crate::mapping::Factors;
use crate::problem::Problem;

/// The objective at `x` given its predictions; `total` is not below the exact value at the factors as stored.
///
/// Each prediction is a sum of r products: off by at most gamma_(r + 8) sum_i |phi(X_i)|. Gauges are sums of n terms, each
/// with relative error at most gamma_(n + 8) where nothing underflows; K of them are combined per slice, and r slices summed.
pub fn objective(problem: &Problem, x: &Factors, prediction: &[f64]) -> Objective {
    let radius = gamma(x.rank() + 8) * problem.mapping.magnitude(x);
    let loss = problem.loss.value_upper(problem.targets(), prediction, radius);
    let longest = problem.factor_rows().into_iter().max().unwrap_or(0);
    let terms = x.0.len() * (longest + 12) + x.rank() + 8;
    let regularizer = problem.lambda * problem.regularizer.total(x);
    let upper = problem.lambda * problem.regularizer.total_upper(x) + f64::MIN_POSITIVE;
    let total = (loss + upper * (1.0 + gamma(terms))) * (1.0 + 4.0 * UNIT_ROUNDOFF);
    Objective { total, loss, regularizer, extras: 0.0 }
}
