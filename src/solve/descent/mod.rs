//! Descent strategies: each moves the factors downhill from where they are, one file per strategy.
//!
//! All of them work on the product form, or on the balanced sum form where that is smooth: both have the same minima, and a
//! balanced point has the same value in both. None ever raises the objective. To add one: a file with a `Descent`, and its
//! line in [`STRATEGIES`].

pub mod als;
mod balanced;
pub mod columns;
pub mod coordinate;
pub mod hals;
pub mod lbfgs;
pub mod lines;
pub mod lines_newton;
mod memory;
mod metric;
pub mod neurons;
pub mod prox_gradient;
pub mod prox_neurons;
mod ridge;
pub mod rowwise;
mod tiles;
pub mod varpro;

use crate::budget::Budget;
use crate::mapping::Factors;
use crate::problem::Problem;

/// How far one call of a strategy goes.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// At most this many sweeps (or iterations).
    pub sweeps: usize,
    /// Stop when a sweep lowers the objective by less than this (absolute).
    pub decrease: f64,
}

/// A strategy.
pub trait Descent: Sync {
    /// Its name in `solver.descent`.
    fn name(&self) -> &'static str;

    /// What it does, and where it applies, in one line.
    fn summary(&self) -> &'static str;

    /// Whether it can work on this problem.
    fn applies(&self, problem: &Problem) -> bool;

    /// Moves `x` downhill. The product-form objective never rises (beyond rounding).
    fn descend(&self, problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget);
}

/// Every strategy, in order of preference. One line each.
pub const STRATEGIES: &[&dyn Descent] = &[
    &lines::Lines,
    &lines_newton::LinesNewton,
    &rowwise::Rowwise,
    &hals::Hals,
    &varpro::Varpro,
    &lbfgs::Lbfgs,
    &coordinate::Coordinate,
    &prox_gradient::ProxGradient,
    &columns::Columns,
    &neurons::Neurons,
    &prox_neurons::ProxNeurons,
];

/// Names accepted by `solver.descent`.
pub fn names() -> Vec<&'static str> {
    STRATEGIES.iter().map(|s| s.name()).collect()
}

/// The strategies that apply, in order of preference.
pub fn applicable(problem: &Problem) -> impl Iterator<Item = &'static dyn Descent> {
    STRATEGIES.iter().copied().filter(|s| s.applies(problem))
}

/// The strategy named, if it applies; else the first that does.
pub fn choose(problem: &Problem, name: Option<&str>) -> &'static dyn Descent {
    let named = name.and_then(|n| applicable(problem).find(|s| s.name() == n));
    named.or_else(|| applicable(problem).next()).expect("some strategy applies to every problem")
}

/// The strategy with the fastest convergence near a minimum, where slice-wise updates that are best far from it crawl; row by row
/// they keep their pace until the point is settled.
pub fn polisher(problem: &Problem, settled: bool) -> Option<&'static dyn Descent> {
    let exact_in_one = lines::Lines.applies(problem);
    let paced = !settled && (rowwise::Rowwise.applies(problem) || varpro::Varpro.applies(problem));
    (!exact_in_one && !paced && lbfgs::Lbfgs.applies(problem)).then_some(&lbfgs::Lbfgs)
}
