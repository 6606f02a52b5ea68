//! Algorithm 1.

pub mod descent;
pub mod observer;
pub mod options;

use crate::budget::Budget;
use crate::certify::{CertifyOptions, Witness};
use crate::mapping::Factors;
use crate::problem::Problem;
use observer::Observer;
use options::SolverOptions;

/// Why solving stopped. Never a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The proven gap met the target.
    Gap,
    /// No slice above the tolerance was found and descent is finished.
    Stationary,
    /// `solver.max_rank`.
    MaxRank,
    /// `solver.max_outer`.
    MaxOuter,
    /// The time limit.
    Time,
    /// Ctrl-C.
    Interrupt,
}

impl StopReason {
    /// The word in `stopped_by`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Stationary => "stationary",
            Self::MaxRank => "max_rank",
            Self::MaxOuter => "max_outer",
            Self::Time => "time",
            Self::Interrupt => "interrupt",
        }
    }
}

/// The point that solving ended at, with the dual points it happens to have.
#[derive(Clone, Debug)]
pub struct Solution {
    /// The factors, balanced.
    pub factors: Factors,
    /// Dual points worth proving.
    pub witnesses: Vec<Witness>,
    /// Why it stopped.
    pub stopped_by: StopReason,
}

/// Algorithm 1 from `start`, or from `initial_rank` random slices.
pub fn solve(
    _problem: &Problem,
    _options: &SolverOptions,
    _certify: &CertifyOptions,
    _start: Option<Factors>,
    _budget: &Budget,
    _observer: &mut dyn Observer,
) -> Solution {
    unimplemented!()
}
