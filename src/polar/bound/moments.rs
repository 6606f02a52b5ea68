//! The polar of a network on many inputs, by branch and bound over boxes, [`crate::polar::moments`].

use super::{Aim, PolarBound, Upper, cones};
use crate::budget::Budget;
use crate::polar::moments::{INPUTS, applies, search};
use crate::polar::neurons::{self, Neurons};
use crate::problem::Problem;

/// Branch and bound over boxes.
#[derive(Debug)]
pub struct Moments;

/// What a bound costs that is asked for in passing, and its relative width.
const WORK: f64 = 1e6;
const TOLERANCE: f64 = 1e-3;
/// Flops that a unit of work stands for.
const FLOPS: f64 = 1e3;
/// Numbers that a relaxation may hold: the products of two inputs of every row.
const NUMBERS: usize = 30_000_000;

impl PolarBound for Moments {
    fn name(&self) -> &'static str {
        "moments"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        let (rows, d) = problem.mapping.inputs()?.shape();
        let fits = d > crate::polar::cones::RANK_LIMIT && d <= INPUTS && rows * d * (d + 1) / 2 <= NUMBERS;
        (fits && neurons::applies(problem)).then_some(false)
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        self.upper_within(problem, z, &Budget::unlimited())
    }

    fn upper_within(&self, problem: &Problem, z: &[f64], budget: &Budget) -> Upper {
        self.upper_toward(
            problem,
            z,
            &Aim { limit: 0.0, tolerance: TOLERANCE, work: WORK, budget, seen: None, tree: None },
        )
    }

    fn upper_toward(&self, problem: &Problem, z: &[f64], aim: &Aim) -> Upper {
        let Some(n) = Neurons::new(problem, z) else {
            return Upper { value: f64::INFINITY, method: "none", exact: false };
        };
        if n.rank() <= crate::polar::cones::RANK_LIMIT {
            return cones::Cones.upper_toward(problem, z, aim);
        }
        if !applies(&n) {
            return Upper { value: f64::INFINITY, method: "none", exact: false };
        }
        cones::searched(problem, z, &n, aim, self.name(), search)
    }

    fn flops(&self, problem: &Problem) -> f64 {
        FLOPS * WORK * problem.shape().1 as f64
    }

    fn describe(&self) -> &'static str {
        "inputs of rank 8 to 40, outputs of rank 5 at most: branch and bound over boxes, each bounded by a relaxation of its \
         moments"
    }
}
