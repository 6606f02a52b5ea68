//! psd mapping with the l2 norm and no cone: eigenvectors of D^-1 (Z + Z')/2 D^-1 with positive eigenvalues.

use super::singular::divide_rows;
use super::{Effort, Found, PolarSearch};
use crate::linalg::dense;
use crate::mapping::Factors;
use crate::polar::bound::norms;
use crate::polar::field::{symmetrised, unweighted};
use crate::problem::Problem;

/// Eigenvectors.
#[derive(Debug)]
pub struct Eigen;

impl PolarSearch for Eigen {
    fn name(&self) -> &'static str {
        "eigen"
    }

    fn applies(&self, problem: &Problem) -> bool {
        problem.mapping.name() == "psd" && norms(problem).0 == "l2" && problem.regularizer.gauges[0].cone().is_none()
    }

    fn search(&self, problem: &Problem, z: &[f64], _warm: Option<&Factors>, _effort: &Effort) -> Found {
        let z = unweighted(problem, z);
        let Some((values, vectors)) = dense::symmetric_eigen(&symmetrised(&problem.observations, &z.field)) else {
            return Found::none(problem);
        };
        let order: Vec<usize> = (0..values.len()).rev().filter(|&i| values[i] > 0.0).collect();
        let mut u = vectors.select_columns(&order);
        divide_rows(&mut u, problem.regularizer.gauges[0].weights());
        Found { slices: Factors(vec![u]), values: order.iter().map(|&i| values[i]).collect() }
    }
}
