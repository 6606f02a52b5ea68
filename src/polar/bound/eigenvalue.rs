//! The polar of the psd mapping with the l2 norm: the largest eigenvalue of the symmetric part.
//!
//! ```text
//! Omega°(Z) = max(0, lambda_max(D^-1 (Z + Z')/2 D^-1))      without a cone: exact
//! Omega°(Z) <= the same                                     on an orthant; also with the positive part of Z, since u u' >= 0
//! ```

use super::{PolarBound, Upper, norms};
use crate::linalg::sum::{UNIT_ROUNDOFF, norm_upper};
use crate::linalg::{Mat, proven};
use crate::polar::field::{symmetrised, unweighted};
use crate::problem::Problem;

/// lambda_max.
#[derive(Debug)]
pub struct Eigenvalue;

/// max(0, lambda_max), with the rounding of the symmetric part.
pub(super) fn upper_of(g: &Mat) -> f64 {
    let rounding = 2.0 * UNIT_ROUNDOFF * norm_upper(g.as_slice());
    (proven::lambda_max_upper(g) + rounding).next_up().max(0.0)
}

impl PolarBound for Eigenvalue {
    fn name(&self) -> &'static str {
        "eigenvalue"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        (problem.mapping.name() == "psd" && norms(problem).0 == "l2")
            .then(|| problem.regularizer.gauges[0].cone().is_none())
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let z = unweighted(problem, z);
        let g = symmetrised(&problem.observations, &z.field);
        let upper = |top: f64, exact: bool| Upper::rounded(top, z.rounding, "cholesky", exact);
        let gauge = &problem.regularizer.gauges[0];
        let whole = upper_of(&g);
        if gauge.cone().is_none() {
            return upper(whole, true);
        }
        // u u' >= 0 on an orthant alone
        if gauge.orthant().is_none() {
            return upper(whole, false);
        }
        if g.iter().all(|x| *x >= 0.0) {
            return upper(whole, true);
        }
        upper(whole.min(upper_of(&g.map(|x| x.max(0.0)))), false)
    }

    fn describe(&self) -> &'static str {
        "largest eigenvalue, proven by a Cholesky factorization"
    }
}
