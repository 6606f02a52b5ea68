//! A path: the same problem at one lambda after another, each from the answer at the last.
//!
//! For lambda below that of the last answer X, f(X) falls with it, so a path's objectives fall however little is done at each
//! point. Dual points are brought along too: those of relaxations are scaled into the new feasible set and climb from there.

use super::checkpoint::Checkpoint;
use super::{Solution, SolverOptions, Until, Warm, resume, solve_warm};
use crate::budget::Budget;
use crate::certify::{CertifyOptions, Witness};
use crate::mapping::Factors;
use crate::problem::Problem;
use crate::solve::observer::Observer;

/// Where the path has got to.
#[derive(Clone, Debug)]
pub struct Path {
    pub(super) factors: Factors,
    pub(super) witnesses: Vec<Witness>,
}

impl Path {
    /// From X = 0, the answer at every lambda that is large enough.
    pub fn new(problem: &Problem) -> Self {
        Self::starting(Factors::empty(&problem.factor_rows()))
    }

    /// From these factors.
    pub fn starting(factors: Factors) -> Self {
        Self { factors, witnesses: Vec::new() }
    }

    /// From the answer at some lambda.
    pub fn from(solution: &Solution) -> Self {
        Self { factors: solution.factors.clone(), witnesses: solution.witnesses.clone() }
    }

    /// The answer at the problem's lambda, which the next step starts from; on from where that was, if it was begun.
    pub fn step(
        &mut self,
        problem: &mut Problem,
        options: &SolverOptions,
        certify: &CertifyOptions,
        (until, from): (Until, Option<&Checkpoint>),
        budget: &Budget,
        observer: &mut dyn Observer,
    ) -> Solution {
        let solution = match from {
            Some(from) => resume(problem, options, certify, (from, until), budget, observer),
            None => solve_warm(problem, options, certify, self.warm(until), budget, observer),
        };
        *self = Self::from(&solution);
        solution
    }

    /// Where the answer at the next lambda starts.
    pub fn warm(&self, until: Until) -> Warm<'_> {
        Warm { factors: Some(self.factors.clone()), witnesses: &self.witnesses, until, found: None }
    }
}
