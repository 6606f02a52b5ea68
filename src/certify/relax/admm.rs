//! What relaxations by alternating directions have in common: how the penalty follows the residuals, and when dual points are read
//! out and a run ends.

use super::{Goal, Relaxation, source};
use crate::budget::Budget;
use crate::certify::dual::{DualPoint, Keeper, Kind};
use crate::linalg::{Mat, dense};
use crate::problem::Problem;

/// Iterations between readouts.
pub const READOUT: usize = 20;
/// Iterations after which the bound must have risen by this share of the gap.
const PATIENCE: usize = 200;
const PROGRESS: f64 = 0.05;
/// Relative residuals at which an iteration is where it tends to.
const SETTLED: f64 = 1e-10;
/// Iterations between two looks at the penalty.
const FOLLOW: usize = 10;

/// An iteration that has a dual point at every step.
pub trait Alternating {
    /// One step; `None` if a decomposition did not converge.
    fn step(&mut self) -> Option<()>;

    /// The multipliers as a dual point.
    fn point(&self) -> Kind;

    /// The penalty.
    fn penalty(&self) -> &Penalty;
}

/// rho, which divides the multipliers as they are stored.
pub struct Penalty {
    /// rho.
    pub rho: f64,
    count: usize,
    settled: bool,
}

impl Penalty {
    /// From this rho.
    pub fn new(rho: f64) -> Self {
        Self { rho, count: 0, settled: false }
    }

    /// From the curvature of the loss.
    pub fn of_loss(problem: &Problem) -> Self {
        let curvature = problem.curvature(&vec![0.0; problem.y.len()]);
        let mean = curvature.iter().sum::<f64>() / curvature.len() as f64;
        Self::new(0.3 * if mean > 0.0 { mean } else { 1.0 })
    }

    /// Notes the relative residuals of a step; every so often rho changes, and the stored multipliers are to be divided by the factor
    /// that is returned.
    pub fn follow(&mut self, primal: f64, dual: f64) -> Option<f64> {
        self.settled = primal.max(dual) < SETTLED;
        self.count += 1;
        let change = self.count.is_multiple_of(FOLLOW).then(|| change(primal, dual))?;
        self.rho *= change;
        Some(change)
    }
}

/// The factor for rho that brings the residuals nearer to each other.
pub fn change(primal: f64, dual: f64) -> f64 {
    if primal > 3.0 * dual {
        1.4
    } else if dual > 3.0 * primal {
        1.0 / 1.4
    } else {
        1.0
    }
}

/// Offers dual points until one meets the goal, the steps are done, the iteration settles or, where `patient` is false, gains little.
pub fn offer(
    relaxation: &dyn Relaxation,
    problem: &Problem,
    goal: Goal,
    (steps, patient): (usize, bool),
    budget: &Budget,
    keeper: &mut Keeper,
    mut state: impl Alternating,
) {
    let mut checkpoint = f64::NEG_INFINITY;
    for step in 1..=steps {
        if state.step().is_none() {
            return;
        }
        let last = step == steps || budget.exhausted() || state.penalty().settled;
        if step % READOUT == 0 || last {
            keeper.offer(problem, &DualPoint { source: source(relaxation), kind: state.point() });
            if last || goal.met(keeper.value()) {
                return;
            }
        }
        if step % PATIENCE == 0 && !patient {
            let reached = keeper.value().unwrap_or(f64::NEG_INFINITY);
            if checkpoint.is_finite() && reached - checkpoint < PROGRESS * (goal.objective - checkpoint) {
                return;
            }
            checkpoint = reached;
        }
    }
}

/// V = V_+ - N: the positive part and the (positive semidefinite) negative part.
pub fn split(v: &Mat) -> Option<(Mat, Mat)> {
    let (values, vectors) = dense::symmetric_eigen(v)?;
    let count = values.iter().filter(|x| **x > 0.0).count();
    let few_positive = 2 * count <= values.len();
    let chosen: Vec<usize> = (0..values.len()).filter(|&i| (values[i] > 0.0) == few_positive).collect();
    let mut part = vectors.select_columns(&chosen);
    let plain = part.clone();
    part.column_iter_mut().zip(&chosen).for_each(|(mut c, &i)| c *= values[i].abs());
    let part = dense::mul_tr(&part, &plain);
    Some(if few_positive { (part.clone(), part - v) } else { (v + &part, part) })
}
