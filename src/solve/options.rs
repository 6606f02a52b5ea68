//! Settings of the solver: the `[solver]` table of the spec.

use std::time::Duration;

/// `[solver]`, checked. `None` means the solver's own choice.
#[derive(Clone, Debug, PartialEq)]
pub struct SolverOptions {
    /// Seed of the one random generator.
    pub seed: u64,
    /// r at the start; Algorithm 1 changes it.
    pub initial_rank: usize,
    /// Largest r allowed.
    pub max_rank: Option<usize>,
    /// Largest number of outer iterations.
    pub max_outer: Option<usize>,
    /// Time for solving.
    pub time_limit: Option<Duration>,
    /// Worker threads; `None`: all cores.
    pub threads: Option<usize>,
    /// Forced descent strategy, one of [`super::descent::names`].
    pub descent: Option<String>,
    /// Polar excess below which the point counts as stationary; default: a tenth of the target gap.
    pub stationarity_tolerance: Option<f64>,
}

impl Default for SolverOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            initial_rank: 1,
            max_rank: None,
            max_outer: None,
            time_limit: None,
            threads: None,
            descent: None,
            stationarity_tolerance: None,
        }
    }
}
