//! Any two norms, compared with norms whose polar is known: the honest bound where nothing sharper applies.
//!
//! ```text
//! Omega°(Z) <= r2_u r2_v sigma_1(Z),    Omega°(Z) <= r1_u max_i max_a gauge_v°(a Z_i,:),    and the same by columns
//! ```
//!
//! with r2 (r1) the largest l2 (l1) norm on a gauge's unit ball, Z unweighted, and the signs a that the cone allows. Cones
//! only shrink the feasible set.

use super::l1_lines::signs;
use super::{PolarBound, Upper, norms};
use crate::linalg::sum::gamma;
use crate::polar::field::{line, line_count, sigma_upper, unweighted};
use crate::problem::Problem;
use rayon::prelude::*;

/// Comparison of norms.
#[derive(Debug)]
pub struct NormComparison;

impl PolarBound for NormComparison {
    fn name(&self) -> &'static str {
        "norm_comparison"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        // l2 and linf have bounds of their own that are never worse
        let served = |name: &str| matches!(name, "l2" | "linf");
        let (u, v) = norms(problem);
        (problem.mapping.name() == "matrix" && !(served(u) && served(v))).then_some(false)
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let rows = problem.factor_rows();
        let radius = |k: usize| problem.regularizer.gauges[k].norm().l2_radius(rows[k]);
        let plain = unweighted(problem, z);
        let sigma = (sigma_upper(&problem.observations, &plain.field).value + plain.rounding) * radius(0) * radius(1);
        let value = (sigma * (1.0 + gamma(4))).min(by_lines(problem, z, 0)).min(by_lines(problem, z, 1)).next_up();
        Upper { value, method: "norm_comparison", exact: false }
    }

    fn describe(&self) -> &'static str {
        "the gauges compared with l2 and l1 norms, loose by up to the constants between them"
    }
}

/// r1 max over lines of the other gauge's polar, divided by the line's weight.
fn by_lines(problem: &Problem, z: &[f64], axis: usize) -> f64 {
    let at = &problem.observations;
    let (gauge, other) = (&problem.regularizer.gauges[axis], &problem.regularizer.gauges[1 - axis]);
    let (count, width) = (line_count(at, axis), line_count(at, 1 - axis));
    let top = (0..count)
        .into_par_iter()
        .map(|l| {
            let positions = line(at, axis, l);
            let polar = |a: &f64| {
                let entries: Vec<_> = positions.iter().map(|&(j, p)| (j, a * z[p])).collect();
                other.sparse_polar_upper(width, &entries)
            };
            signs(gauge).iter().map(polar).fold(0.0, f64::max) / gauge.weights().map_or(1.0, |d| d[l])
        })
        .reduce(|| 0.0, f64::max);
    top * gauge.norm().l1_radius(count) * (1.0 + gamma(4))
}
