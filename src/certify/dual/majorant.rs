//! Majorants: where u v' has one sign, a matrix M with Z <= M entry by entry and Omega°_free(M) <= lambda serves for Z.

use super::{DualPoint, Proven, finish, largest_scale, plain_lambda};
use crate::data::Observations;
use crate::polar::bound::{self, product_sign};
use crate::problem::Problem;

pub(super) fn prove(problem: &Problem, source: &str, m: &[f64]) -> Option<Proven> {
    let sign = product_sign(problem)?;
    let lambda = plain_lambda(problem)?;
    let (rows, cols) = problem.shape();
    let everywhere = Observations::Full { rows, cols };
    let m = &within_reach(problem, sign, m)?;
    let upper = bound::free_l2_upper(problem, &everywhere, m)?;
    let s = largest_scale(lambda, upper, m, 1.0).min(1.0);
    let m: Vec<f64> = m.iter().map(|m| s * m).collect();
    let z = field_below(problem, sign, &m)?;
    finish(problem, z, DualPoint::majorant(source, m), "cholesky", 0.0)
}

/// M raised to where the domain of Z begins, in the sign that u v' has: scaling keeps it there, since 0 lies in the domain.
/// `None` if the domain is no box.
fn within_reach(problem: &Problem, sign: f64, m: &[f64]) -> Option<Vec<f64>> {
    if problem.loss.zero_sums().is_some() {
        return None;
    }
    let rows = problem.shape().0;
    // where nothing is observed Z = 0; NaN stays
    let mut raised: Vec<f64> = m.iter().map(|m| if sign * m < 0.0 { 0.0 } else { *m }).collect();
    for (k, (i, j)) in problem.observations.entries().enumerate() {
        let (lo, hi) = problem.loss.domain(problem.targets(), k);
        let (m, raised) = (&m[j * rows + i], &mut raised[j * rows + i]);
        *raised = if sign > 0.0 {
            if *m < lo { lo } else { *m }
        } else if *m > hi {
            hi
        } else {
            *m
        };
    }
    Some(raised)
}

/// The best field Z below M in the sign that u v' has. `None` if M has the wrong sign at an unobserved entry, where Z = 0.
pub(super) fn field_below(problem: &Problem, sign: f64, m: &[f64]) -> Option<Vec<f64>> {
    let rows = problem.shape().0;
    let mut peak = vec![0.0; problem.y.len()];
    problem.loss.dual_peak(problem.targets(), &mut peak);
    let mut observed = 0;
    let z: Vec<f64> = problem
        .observations
        .entries()
        .zip(&peak)
        .map(|((i, j), peak)| {
            let m = m[j * rows + i];
            observed += usize::from(sign * m >= 0.0);
            sign * (sign * m).min(sign * peak)
        })
        .collect();
    let allowed = m.iter().filter(|m| sign * **m >= 0.0).count();
    (allowed - observed == m.len() - z.len()).then_some(z)
}
