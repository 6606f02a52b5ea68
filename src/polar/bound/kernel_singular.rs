//! The polar for l2 norms with a subspace on a side: the largest singular value of what the subspace sees.
//!
//! ```text
//! u in ker A (v likewise, or free):   <Z, u v'> = <Z + A'M, u v'>  for every M,  so  Omega°(Z) = min_M sigma_1(Z + A'M)
//! ```
//!
//! The M used is that of the orthogonal projection, which attains the minimum: exact if each side is a subspace or free.

use super::{PolarBound, Upper, norms};
use crate::linalg::proven;
use crate::linalg::sum::{gamma, norm_upper};
use crate::polar::field::{self, unweighted};
use crate::problem::Problem;

/// sigma_1 on subspaces.
#[derive(Debug)]
pub struct KernelSingular;

/// Most entries of the field as a dense matrix.
const FIELD_LIMIT: usize = 16_000_000;

impl PolarBound for KernelSingular {
    fn name(&self) -> &'static str {
        "kernel_singular"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        let gauges = &problem.regularizer.gauges;
        let subspace = |k: usize| gauges[k].cone().is_some_and(|c| c.is_subspace());
        let (m, n) = problem.shape();
        let l2 = problem.mapping.name() == "matrix" && norms(problem) == ("l2", "l2") && m * n <= FIELD_LIMIT;
        (l2 && (subspace(0) || subspace(1))).then(|| (0..2).all(|k| gauges[k].cone().is_none() || subspace(k)))
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let z = unweighted(problem, z);
        let mut w = field::matrix(&problem.observations, &z.field);
        let mut rounding = vec![z.rounding];
        for (axis, gauge) in problem.regularizer.gauges.iter().enumerate() {
            if let Some(cone) = gauge.cone().filter(|c| c.is_subspace()) {
                // lines along the subspace's side are columns here
                let mut side = if axis == 0 { w } else { w.transpose() };
                let rows = side.nrows().max(1);
                rounding.extend(side.as_mut_slice().chunks_mut(rows).map(|c| cone.reduce(c, gauge.weights())));
                w = if axis == 0 { side } else { side.transpose() };
            }
        }
        let top = proven::sigma_max_upper(w.as_slice(), w.nrows(), w.ncols());
        let rounding = norm_upper(&rounding) * (1.0 + gamma(4));
        Upper::rounded(top, rounding, "cholesky", self.applies(problem) == Some(true))
    }

    fn describe(&self) -> &'static str {
        "largest singular value of the field projected onto the subspace, proven by a Cholesky factorization"
    }
}
