//! The polar of a network whose inputs have rank at most 2, exactly: every piece of f, [`crate::polar::arcs`].

use super::{PolarBound, Upper};
use crate::polar::arcs::{RANK_LIMIT, pass};
use crate::polar::neurons::{self, Neurons};
use crate::problem::Problem;

/// Every piece.
#[derive(Debug)]
pub struct Arcs;

impl PolarBound for Arcs {
    fn name(&self) -> &'static str {
        "arcs"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        let narrow = problem.mapping.inputs().is_some_and(|v| v.ncols() <= RANK_LIMIT);
        (narrow && neurons::applies(problem)).then_some(true)
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let value = Neurons::new(problem, z).map_or(f64::INFINITY, |n| n.polar_upper(pass(&n).upper));
        Upper { value, method: "arcs", exact: true }
    }

    fn flops(&self, problem: &Problem) -> f64 {
        // a piece between two rows, each with a sum over its outputs
        let (rows, outputs) = problem.shape();
        8.0 * rows as f64 * (outputs as f64 + (rows.max(2) as f64).log2())
    }

    fn describe(&self) -> &'static str {
        "inputs of rank 2: the maximum on every arc between two kinks, sorted by angle"
    }
}
