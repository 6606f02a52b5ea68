//! A slice that lowers the objective, with the step along it.

use super::certificate::Refutation;
use crate::linalg::Mat;
use crate::mapping::Factors;
use crate::polar::search::Found;
use crate::problem::Problem;

/// How many of the best slices are tried.
const CANDIDATES: usize = 8;

/// A decrease by this share of the loss is lost in its rounding.
const HIDDEN: f64 = 1e-13;

/// Values that exceed lambda by this share may do so by rounding.
const ROUNDING: f64 = 1e-12;

/// Quarterings of a step.
const SHORTENINGS: i32 = 20;

/// The best of the found slices by the decrease that appending it brings:
///
/// ```text
/// f(x + t phi(z)) + lambda t,    t = (<Z, phi> - lambda) / sum_j c_j phi_j^2      c: the loss's curvature
/// ```
///
/// Where no curvature holds everywhere the step is shortened until the objective falls.
///
/// The decrease is measured on the objective itself, not read off the model. `None` if no slice has a value above lambda.
pub fn refutation(problem: &Problem, found: &Found, prediction: &[f64]) -> Option<Refutation> {
    let targets = problem.targets();
    let above: Vec<(usize, f64)> = found.values.iter().copied().enumerate().take(CANDIDATES).collect();
    let above: Vec<_> = above.into_iter().filter(|(_, v)| *v > problem.lambda * (1.0 + ROUNDING)).collect();
    if above.is_empty() {
        return None;
    }
    let here = problem.loss.value(targets, prediction);
    let curvature = problem.curvature(prediction);
    let mut best: Option<Refutation> = None;
    for (i, value) in above {
        let slice = Factors(
            found.slices.0.iter().map(|x| Mat::from_column_slice(x.nrows(), 1, x.column(i).as_slice())).collect(),
        );
        let phi = problem.apply(&slice);
        let bend: f64 = phi.iter().zip(&curvature).map(|(p, c)| c * p * p).sum();
        // what rounding hides is not looked for
        let lost = problem.loss.is_quadratic() && 0.5 * (value - problem.lambda).powi(2) / bend <= HIDDEN * here.abs();
        if bend <= 0.0 || lost {
            continue;
        }
        let along = |t: f64| {
            let moved: Vec<f64> = prediction.iter().zip(&phi).map(|(x, p)| x + t * p).collect();
            (t, here - problem.loss.value(targets, &moved) - problem.lambda * t)
        };
        let first = (value - problem.lambda) / bend;
        let tried = (0..SHORTENINGS).map(|k| along(first * 0.25f64.powi(k)));
        let Some((t, decrease)) = tried.into_iter().find(|(_, d)| *d > 0.0) else { continue };
        if best.as_ref().is_none_or(|b| decrease > b.decrease) {
            let root = t.powf(1.0 / f64::from(problem.mapping.degree()));
            let scaled = slice.0.iter().map(|x| x.iter().map(|x| x * root).collect()).collect();
            best = Some(Refutation { slice: scaled, polar: value / problem.lambda, decrease });
        }
    }
    best
}
