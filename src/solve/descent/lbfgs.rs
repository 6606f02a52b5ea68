//! Projected L-BFGS on the balanced sum form, smooth where every gauge is a (weighted) l2 norm, free or on an orthant.
//!
//! ```text
//! f(X) = l(Phi_r(X)) + lambda / K sum_k sum_i ||D_k x^k_i||_2^K      (psd: lambda sum_i ||D u_i||_2^2)
//! ```
//!
//! On an orthant the direction is taken on the coordinates that are not held at zero by their gradient, and steps are
//! projected. Backtracking keeps f from rising; the sum form is never below the product form, and equals it at the balanced
//! start. Cost of an iteration: one evaluation of Phi and one pullback per factor.

use super::balanced::{Balanced, NOISE, coefficients, l1_weight};
use super::memory::{Inverse, Memory};
use super::{Descent, Effort};
use crate::budget::Budget;
use crate::extra::Coefficients;
use crate::linalg::long::{self, dot};
use crate::mapping::Factors;
use crate::problem::Problem;
use crate::solve::reduce;

/// Projected L-BFGS.
#[derive(Debug)]
pub struct Lbfgs;

/// A smooth function to minimise.
pub(super) trait Smooth {
    /// Its value, and its gradient in `out` unless the value is above `ceiling`.
    fn evaluate(&mut self, x: &[f64], ceiling: f64, out: &mut [f64]) -> f64;

    /// Descent goes on from the point evaluated last.
    fn accept(&mut self) {}

    /// Whether a metric made where the value was higher by so much says little here.
    fn outgrown(&self, _fell: f64, _value: f64) -> bool {
        false
    }

    /// What rounding makes of such a value.
    fn noise(&self, value: f64) -> f64;
}

/// How a minimisation ended.
pub(super) enum Made {
    /// As far as it was to go, or as it can.
    Done,
    /// After so many steps, as the metric is [`Smooth::outgrown`].
    Outgrown(usize),
}

/// Steps between two looks at what they brought.
const CHECKED: usize = 5;

impl Descent for Lbfgs {
    fn name(&self) -> &'static str {
        "lbfgs"
    }

    fn summary(&self) -> &'static str {
        "L-BFGS on all factors at once: every mapping but `relu`, any loss; `l2`, free or on orthants"
    }

    fn applies(&self, problem: &Problem) -> bool {
        let gauges = &problem.regularizer.gauges;
        (problem.mapping.is_multilinear() || problem.mapping.layers().is_some())
            && gauges.iter().all(|g| g.norm().name() == "l2" && (g.cone().is_none() || g.orthant().is_some()))
    }

    fn descend(&self, problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget) {
        problem.regularizer.balance(x);
        // on principal axes the metric is diagonal
        reduce::orthogonalise(problem, x);
        descend_smooth(problem, x, effort, budget);
    }
}

/// The same for any mapping, as far as it is smooth.
pub(super) fn descend_smooth(problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget) {
    problem.regularizer.balance(x);
    if x.rank() > 0 {
        let balanced = Balanced::new(problem, x, false);
        let mut joined = balanced.join(x);
        balanced.minimise(&mut joined, x.rank(), effort, budget);
        *x = balanced.factors(&joined);
    }
    problem.regularizer.balance(x);
}

/// Whether there are extra variables to move along. The l1 norm is taken apart into q = q+ - q- with q+, q- >= 0; the l2 norm is
/// smooth but at 0, where a block stays.
pub fn joins(problem: &Problem) -> bool {
    problem.extras.explicit().next().is_some() && Lbfgs.applies(problem)
}

/// The same descent on factors and extra variables together.
pub fn descend_jointly(problem: &Problem, x: &mut Factors, q: &mut Coefficients, effort: Effort, budget: &Budget) {
    problem.regularizer.balance(x);
    reduce::orthogonalise(problem, x);
    let balanced = Balanced::new(problem, x, true);
    let mut joined = balanced.join(x);
    for (k, b) in balanced.blocks() {
        let parted = l1_weight(b).is_some();
        joined.extend(q[k].iter().map(|q| if parted { q.max(0.0) } else { *q }));
        joined.extend(q[k].iter().filter(|_| parted).map(|q| (-q).max(0.0)));
    }
    balanced.minimise(&mut joined, x.rank(), effort, budget);
    *x = balanced.factors(&joined);
    for ((k, b), part) in balanced.blocks().zip(balanced.extras(&joined)) {
        q[k] = coefficients(b, part).into_owned();
    }
    problem.regularizer.balance(x);
}

impl Balanced<'_> {
    fn minimise(&self, x: &mut Vec<f64>, rank: usize, effort: Effort, budget: &Budget) {
        let precondition = |v: &mut [f64]| self.precondition(v);
        let inverse = self.diagonal().map_or(Inverse::Map(&precondition), Inverse::Diagonal);
        minimise(&mut &*self, x, &self.signs(rank), &inverse, effort, budget);
    }
}

impl Smooth for &Balanced<'_> {
    fn evaluate(&mut self, x: &[f64], ceiling: f64, out: &mut [f64]) -> f64 {
        Balanced::evaluate(self, x, ceiling, out)
    }

    fn noise(&self, value: f64) -> f64 {
        NOISE * value.abs() + self.noise
    }
}

/// Moves `x` downhill on f within the orthants that `signs` names (0: free; none where all are). f never rises.
pub(super) fn minimise(
    f: &mut impl Smooth,
    x: &mut Vec<f64>,
    signs: &[f64],
    inverse: &Inverse,
    effort: Effort,
    budget: &Budget,
) -> Made {
    let mut gradient = vec![0.0; x.len()];
    let mut value = f.evaluate(x, f64::INFINITY, &mut gradient);
    f.accept();
    let first = value;
    let mut memory = Memory::default();
    let mut checkpoint = (value, dot(&gradient, &gradient));
    let (mut trial, mut trial_gradient) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    let mut direction = vec![0.0; x.len()];
    let bounded = signs.iter().any(|s| *s != 0.0);
    for step in 1..=effort.sweeps {
        if budget.exhausted() {
            break;
        }
        // coordinates held at the boundary by their gradient stay there
        let active: Vec<bool> = if bounded {
            (0..x.len()).map(|i| signs[i] != 0.0 && x[i] == 0.0 && signs[i] * gradient[i] >= 0.0).collect()
        } else {
            Vec::new()
        };
        let mut slope = memory.direction(&gradient, &mut direction, &active, inverse);
        if !memory.is_empty() && slope.along >= -1e-12 * (slope.gradient * slope.direction).sqrt() {
            memory = Memory::default();
            slope = memory.direction(&gradient, &mut direction, &active, inverse);
        }
        if slope.direction == 0.0 {
            break;
        }
        let slope = slope.along;
        let mut t = 1.0;
        let mut accepted = None;
        for _ in 0..40 {
            long::sum(&mut trial, x, t, &direction);
            let mut predicted = slope * t;
            if bounded {
                trial.iter_mut().zip(signs).filter(|(x, s)| **s * **x < 0.0).for_each(|(x, _)| *x = 0.0);
                predicted = gradient.iter().zip(trial.iter().zip(x.iter())).map(|(g, (a, b))| g * (a - b)).sum();
            }
            let ceiling = value + 1e-4 * predicted.min(0.0);
            let noise = f.noise(value);
            let reached = f.evaluate(&trial, ceiling + noise, &mut trial_gradient);
            // within rounding of the value the slope at the other end decides (Hager and Zhang 2005)
            let level = || !bounded && dot(&direction, &trial_gradient) <= (2e-4 - 1.0) * slope;
            if reached <= ceiling || (reached <= ceiling + noise && level()) {
                accepted = Some(reached);
                break;
            }
            // the parabola through value, slope and reached, kept in [0.1, 0.5]
            let parabola = -slope * t / (2.0 * (reached - value - slope * t));
            t *= if parabola.is_finite() { parabola.clamp(0.1, 0.5) } else { 0.1 };
        }
        let Some(reached) = accepted else {
            if memory.is_empty() {
                break;
            }
            memory = Memory::default();
            continue;
        };
        memory.push([x, &trial], [&gradient, &trial_gradient], inverse);
        f.accept();
        std::mem::swap(x, &mut trial);
        std::mem::swap(&mut gradient, &mut trial_gradient);
        value = value.min(reached);
        if step % CHECKED == 0 {
            let size = dot(&gradient, &gradient);
            // asked for the last digits, only the gradient still tells
            let noise = f.noise(value);
            let sharper = effort.decrease <= noise && size < 0.25 * checkpoint.1;
            if checkpoint.0 - value < CHECKED as f64 * effort.decrease && !sharper {
                break;
            }
            if f.outgrown(first - value, value) && step < effort.sweeps {
                return Made::Outgrown(step);
            }
            checkpoint = (value, size);
        }
    }
    Made::Done
}
