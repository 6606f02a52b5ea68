//! What the solver tells whoever watches: one event per outer iteration, plus remarks.

use super::Solution;
use super::checkpoint::Checkpoint;
use crate::polar::cuts::Tree;
use serde::{Deserialize, Serialize};

/// One outer iteration of Algorithm 1, for the log table and `trace.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Iteration {
    /// Outer iteration, from 0.
    pub iter: usize,
    /// Number of slices.
    pub rank: usize,
    /// f_r at the current point.
    pub objective: f64,
    /// Best proven lower bound so far.
    pub lower_bound: Option<f64>,
    /// Relative gap between the two.
    pub gap: Option<f64>,
    /// Highest polar value found at the current point.
    pub polar: f64,
    /// What was done last, such as `init`, `+5`, `-2`, `polish`.
    pub step: String,
    /// Seconds since the start of solving.
    pub time_s: f64,
}

/// Watches a solve. All methods have empty defaults.
pub trait Observer {
    /// An outer iteration is complete.
    fn iteration(&mut self, _iteration: &Iteration) {}
    /// Work goes on inside an outer iteration (for a progress bar); `what` names the stage.
    fn progress(&mut self, _what: &str) {}
    /// Whether the state is worth taking down now, between two outer iterations or at the end.
    fn wants_checkpoint(&self, _last: bool) -> bool {
        false
    }
    /// The state, where it was wanted.
    fn checkpoint(&mut self, _checkpoint: Checkpoint) {}
    /// Solving has come to an end, and what it came to is to be certified.
    fn solved(&mut self, _solution: &Solution) {}
    /// Time has ended the proof of what solving has come to, and the search for its bound at these cuts, if it was begun.
    fn unproven(&mut self, _solution: &Solution, _cuts: Option<&Tree>) {}
}

/// Watches nothing.
#[derive(Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
