//! The polar for l2 norms on both factors: the largest singular value.
//!
//! ```text
//! Omega°(Z) = sigma_1(D_u^-1 Z D_v^-1)       without cones: exact
//! Omega°(Z) <= sigma_1(..)                   with orthants; also <= sigma_1 of the part of the allowed sign, if both have one
//! Omega°(Z) = sigma_1(..)                    if every entry has the allowed sign (Perron-Frobenius)
//! ```
//!
//! sigma_1 is bounded by a Gram matrix and a measured Cholesky factorization, [`crate::linalg::proven`].

use super::{PolarBound, Upper, norms, product_sign};
use crate::data::Observations;
use crate::linalg::proven::GRAM_LIMIT;
use crate::polar::field::{sigma_upper, unweighted};
use crate::problem::Problem;

/// sigma_1.
#[derive(Debug)]
pub struct SingularValue;

/// Whether a Gram matrix is formed; else sigma_1 is only bounded by sqrt(||Z||_1 ||Z||_inf).
fn tight(problem: &Problem) -> bool {
    match &problem.observations {
        Observations::Full { .. } => true,
        Observations::Coordinates(p) => p.rows().min(p.cols()) <= GRAM_LIMIT,
    }
}

fn method(tight: bool) -> &'static str {
    if tight { "cholesky" } else { "induced_norms" }
}

impl PolarBound for SingularValue {
    fn name(&self) -> &'static str {
        "singular_value"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        let free = problem.regularizer.gauges.iter().all(|g| g.cone().is_none());
        (problem.mapping.name() == "matrix" && norms(problem) == ("l2", "l2")).then_some(free && tight(problem))
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let z = unweighted(problem, z);
        let at = &problem.observations;
        let tight = tight(problem);
        let plain = || (sigma_upper(at, &z.field) + z.rounding).next_up();
        let free = problem.regularizer.gauges.iter().all(|g| g.cone().is_none());
        let Some(sign) = product_sign(problem) else {
            return Upper { value: plain(), method: method(tight), exact: free && tight };
        };
        if z.field.iter().all(|z| sign * z >= 0.0) {
            return Upper { value: plain(), method: method(tight), exact: tight };
        }
        // u v' has one sign, so entries of the other only lower <Z, u v'>
        let part: Vec<f64> = z.field.iter().map(|z| if sign * z > 0.0 { *z } else { 0.0 }).collect();
        let part = (sigma_upper(at, &part) + z.rounding).next_up();
        Upper { value: plain().min(part), method: method(tight), exact: false }
    }

    fn describe(&self) -> &'static str {
        "largest singular value, proven by a Cholesky factorization of the shifted Gram matrix"
    }
}
