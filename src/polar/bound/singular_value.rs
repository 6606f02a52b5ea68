//! The polar for l2 norms on both factors: the largest singular value.
//!
//! ```text
//! Omega°(Z) = sigma_1(D_u^-1 Z D_v^-1)       without cones: exact
//! Omega°(Z) <= sigma_1(..)                   with orthants; also <= sigma_1 of the part of the allowed sign, if both have one
//! Omega°(Z) = sigma_1(..)                    if every entry has the allowed sign (Perron-Frobenius)
//! ```
//!
//! sigma_1 is bounded by a Cholesky factorization of its shifted Gram matrix, [`crate::linalg::proven`], or where that is too
//! large by the absolute values alone; a tight bound that is only probably right, [`probable()`], is then there for who wants it.

use super::{PolarBound, Upper, norms, product_sign};
use crate::budget::Budget;
use crate::linalg::{probable, proven};
use crate::mapping::Factors;
use crate::polar::field::{layout, sigma_upper, unweighted};
use crate::problem::Problem;

/// sigma_1.
#[derive(Debug)]
pub struct SingularValue;

fn is_ours(problem: &Problem) -> bool {
    problem.mapping.name() == "matrix" && norms(problem) == ("l2", "l2")
}

fn is_free(problem: &Problem) -> bool {
    problem.regularizer.gauges.iter().all(|g| g.cone().is_none())
}

/// The part of a field whose sign is that of u v', if that has one: entries of the other only lower <Z, u v'>.
fn allowed_part(problem: &Problem, z: &[f64]) -> Option<Vec<f64>> {
    let sign = product_sign(problem)?;
    Some(z.iter().map(|z| if sign * z > 0.0 { *z } else { 0.0 }).collect())
}

/// Bytes of half a Gram matrix and of what forms it.
pub fn memory(problem: &Problem) -> Option<f64> {
    let layout = layout(&problem.observations);
    let side = layout.small_side() as f64;
    let gram = if proven::within_limit(layout) { 4.0 * side * side } else { 0.0 };
    (is_ours(problem) && is_free(problem)).then(|| gram + 48.0 * problem.observations.len() as f64)
}

/// Whether the proof is that of a large Gram matrix.
pub fn is_expensive(problem: &Problem) -> bool {
    let layout = layout(&problem.observations);
    is_ours(problem) && proven::expensive(layout.small_side()) && proven::within_limit(layout)
}

/// By the absolute values alone, where anything else takes longer.
pub fn quick(problem: &Problem, z: &[f64]) -> Option<Upper> {
    let at = &problem.observations;
    if !is_ours(problem) || problem.operator.is_some() || layout(at).small_side() <= super::QUICK_SIDE {
        return None;
    }
    let z = unweighted(problem, z);
    let absolute = proven::sigma_absolute(&z.field, layout(at));
    Some(Upper { value: (absolute + z.rounding).next_up(), method: "perron", exact: false })
}

/// The bound of plain l2 norms without cones, sooner for slices that are nearly the best ones.
pub fn upper_near(problem: &Problem, z: &[f64], slices: &Factors) -> Option<Upper> {
    let at = &problem.observations;
    let plain = problem.operator.is_none() && problem.regularizer.gauges.iter().all(|g| g.weights().is_none());
    if !plain || !is_ours(problem) || !is_free(problem) || z.iter().any(|z| !z.is_finite()) {
        return None;
    }
    let (m, n) = problem.shape();
    let gram = proven::within_limit(layout(at));
    let sigma = proven::sigma_upper_near(z, layout(at), gram, Some(&slices.0[usize::from(m > n)]));
    Some(Upper { value: sigma.value, method: sigma.method, exact: sigma.tight })
}

/// The bound from below where its proof is expensive, for much less; proves nothing.
pub fn estimate(problem: &Problem, z: &[f64]) -> Option<f64> {
    if !is_expensive(problem) {
        return None;
    }
    let z = unweighted(problem, z).field;
    let sigma = |field: &[f64]| proven::sigma_estimate(field, layout(&problem.observations));
    Some(allowed_part(problem, &z).map_or(f64::INFINITY, |part| sigma(&part)).min(sigma(&z)))
}

/// A number that the polar exceeds with probability `failure` at most, where no tight bound is proven. `slack`: see
/// [`crate::linalg::probable`]. `None` also if the budget ends.
pub fn probable(problem: &Problem, z: &[f64], slack: f64, failure: f64, budget: &Budget) -> Option<Upper> {
    let layout = layout(&problem.observations);
    if !is_ours(problem) || proven::within_limit(layout) {
        return None;
    }
    let z = unweighted(problem, z);
    let part = allowed_part(problem, &z.field);
    // either of two bounds may be wrong
    let failure = if part.is_some() { 0.5 * failure } else { failure };
    let sigma = |field: &[f64], seed| probable::sigma_upper(field, layout, slack, failure, seed, budget);
    let mut value = sigma(&z.field, 0x10c2)?;
    if let Some(part) = part {
        value = value.min(sigma(&part, 0x10c3)?);
    }
    Some(Upper { value: (value + z.rounding).next_up(), method: "lanczos", exact: false })
}

impl PolarBound for SingularValue {
    fn name(&self) -> &'static str {
        "singular_value"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        is_ours(problem).then(|| is_free(problem) && proven::within_limit(layout(&problem.observations)))
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let z = unweighted(problem, z);
        let at = &problem.observations;
        let plain = || sigma_upper(at, &z.field);
        let upper = |s: proven::SigmaUpper, exact| Upper::rounded(s.value, z.rounding, s.method, exact && s.tight);
        let Some(part) = allowed_part(problem, &z.field) else { return upper(plain(), is_free(problem)) };
        if part == *z.field {
            return upper(plain(), true);
        }
        // where both proofs take long, only that of the smaller one is made
        if is_expensive(problem) {
            let estimate = |field: &[f64]| proven::sigma_estimate(field, layout(at));
            let field = if estimate(&part) < estimate(&z.field) { &part[..] } else { &z.field[..] };
            return upper(sigma_upper(at, field), false);
        }
        let (part, plain) = (sigma_upper(at, &part), plain());
        upper(if part.value < plain.value { part } else { plain }, false)
    }

    fn describe(&self) -> &'static str {
        "largest singular value, proven by a Cholesky factorization of the shifted Gram matrix, by the absolute values alone \
         where both sides of a sparse matrix exceed 16000"
    }
}
