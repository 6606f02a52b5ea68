//! Omega_rel = nuclear norm (trace for psd): the closed form from one decomposition.
//!
//! ```text
//! Z = Y with its singular values (eigenvalues) clipped at lambda     maximises z'y - ||z||^2 / 2 over the free dual set
//! ```
//!
//! Without cones this is the global optimum; with cones it is a lower bound, since dropping them lowers Omega.

use super::{Goal, Relaxation, clip, plain_l2, source};
use crate::budget::Budget;
use crate::certify::Effort;
use crate::certify::dual::{DualPoint, Keeper};
use crate::linalg::Mat;
use crate::problem::Problem;

/// The nuclear norm.
#[derive(Debug)]
pub struct Nuclear;

impl Relaxation for Nuclear {
    fn name(&self) -> &'static str {
        "nuclear"
    }

    fn describe(&self) -> &'static str {
        "nuclear norm without the cones, closed form from one decomposition"
    }

    fn applies(&self, problem: &Problem) -> bool {
        plain_l2(problem)
    }

    fn offer(&self, problem: &Problem, _goal: Goal, _effort: Effort, _budget: &Budget, keeper: &mut Keeper) {
        let (m, n) = problem.shape();
        if let Some(z) = clip(problem, &Mat::from_column_slice(m, n, &problem.y)) {
            keeper.offer(problem, &DualPoint::field(source(self), z.data.into()));
        }
    }
}
