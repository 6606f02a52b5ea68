//! The polar for group norms beside l2 or group norms: the largest singular value of a block.
//!
//! ```text
//! u in group_l2 (groups G), v in group_l2 (groups H) or l2:   Omega°(Z) = max_G max_H sigma_1((D_u^-1 Z D_v^-1)_GH)
//! ```
//!
//! Why: the extreme points of a group ball are unit vectors on one group, and <Z, u v'> is linear in each factor. Exact
//! without cones, an upper bound with them.

use super::{PolarBound, Upper, norms};
use crate::gauge::Gauge;
use crate::linalg::proven;
use crate::polar::field::{self, unweighted};
use crate::problem::Problem;

/// Singular values of blocks.
#[derive(Debug)]
pub struct GroupBlocks;

/// Most entries of the field as a dense matrix.
const FIELD_LIMIT: usize = 16_000_000;

impl PolarBound for GroupBlocks {
    fn name(&self) -> &'static str {
        "group_blocks"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        let (u, v) = norms(problem);
        let fits = |name: &str| matches!(name, "l2" | "group_l2");
        let grouped = u == "group_l2" || v == "group_l2";
        let (m, n) = problem.shape();
        let applies = problem.mapping.name() == "matrix" && fits(u) && fits(v) && grouped && m * n <= FIELD_LIMIT;
        applies.then(|| problem.regularizer.gauges.iter().all(|g| g.cone().is_none()))
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let z = unweighted(problem, z);
        let (m, n) = problem.shape();
        let w = field::matrix(&problem.observations, &z.field);
        let gauges = &problem.regularizer.gauges;
        let (rows, cols) = (cells(&gauges[0], m), cells(&gauges[1], n));
        let mut top: f64 = 0.0;
        for g in &rows {
            let part = w.select_rows(g);
            for h in &cols {
                let block = part.select_columns(h);
                top = top.max(proven::sigma_max_upper(block.as_slice(), block.nrows(), block.ncols()));
            }
        }
        let exact = gauges.iter().all(|g| g.cone().is_none());
        Upper::rounded(top, z.rounding, "cholesky", exact)
    }

    fn describe(&self) -> &'static str {
        "largest singular value of a block, since the extreme points of a group ball lie on one group"
    }
}

/// The groups, or all coordinates together.
fn cells(gauge: &Gauge, n: usize) -> Vec<Vec<usize>> {
    gauge.norm().groups().map_or_else(|| vec![(0..n).collect()], |g| g.lists().to_vec())
}
