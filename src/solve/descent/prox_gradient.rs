//! Block proximal gradient with extrapolation: for any loss, mapping of two factors, and gauges.
//!
//! ```text
//! U <- prox of (lambda gauge_v(v_i) / L) gauge_u at U~ - grad_U l(U~) / L, column by column,   L = c max w ||V'V||_2
//! ```
//!
//! U~ extrapolates the last step (Xu & Yin 2013); when that raises the objective the plain step is taken, which never does.
//! Where the loss has no c that holds everywhere, its curvature at the point stands in, doubled until the plain step does not
//! raise the objective.

use super::{Descent, Effort};
use crate::budget::Budget;
use crate::linalg::{Mat, dense, lanczos};
use crate::mapping::Factors;
use crate::problem::Problem;

/// Block proximal gradient.
#[derive(Debug)]
pub struct ProxGradient;

impl Descent for ProxGradient {
    fn name(&self) -> &'static str {
        "prox_gradient"
    }

    fn summary(&self) -> &'static str {
        "proximal gradient steps: `matrix`, any loss, norms and cones"
    }

    fn applies(&self, problem: &Problem) -> bool {
        problem.mapping.name() == "matrix"
    }

    fn descend(&self, problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget) {
        problem.regularizer.balance(x);
        let mut value = problem.objective(x);
        let mut previous = x.clone();
        let mut momentum = 1.0;
        let local = problem.loss.curvature().is_infinite();
        let mut boost = 1.0;
        for _ in 0..effort.sweeps {
            if budget.exhausted() || x.rank() == 0 {
                break;
            }
            let following = (1.0 + f64::sqrt(1.0 + 4.0 * momentum * momentum)) / 2.0;
            let beta = (momentum - 1.0) / following;
            let mut next = x.clone();
            (0..2).for_each(|k| step(problem, &mut next, &previous, k, beta, boost));
            let mut reached = problem.objective(&next);
            momentum = following;
            // a step too far may overflow
            let rises = |reached: f64| reached > value || reached.is_nan();
            if rises(reached) {
                momentum = 1.0;
                next = x.clone();
                (0..2).for_each(|k| step(problem, &mut next, x, k, 0.0, boost));
                reached = problem.objective(&next);
                if rises(reached) {
                    if local && boost < 1e9 {
                        boost *= 2.0;
                        previous = x.clone();
                        continue;
                    }
                    break;
                }
            }
            previous = std::mem::replace(x, next);
            let decrease = value - reached;
            value = reached;
            if decrease < effort.decrease {
                break;
            }
        }
        problem.regularizer.balance(x);
    }
}

/// One proximal step on factor k from x + beta (x - previous), with `boost` times the curvature.
fn step(problem: &Problem, x: &mut Factors, previous: &Factors, k: usize, beta: f64, boost: f64) {
    let base: Mat = &x.0[k] + (&x.0[k] - &previous.0[k]) * beta;
    let current = std::mem::replace(&mut x.0[k], base);
    let prediction = problem.predict(x);
    let z = problem.dual_field(&prediction);
    let pull = problem.pullback(&z, x, k);
    let other = &x.0[1 - k];
    let top = boost * problem.curvature(&prediction).into_iter().fold(0.0, f64::max);
    let gain = problem.operator.as_ref().map_or(1.0, |a| a.gain());
    let lipschitz = top * gain * lanczos::lambda_max(&dense::tr_mul(other, other)) * (1.0 + 1e-9);
    if lipschitz <= 0.0 {
        x.0[k] = current;
        return;
    }
    let (gauge, partner) = (&problem.regularizer.gauges[k], &problem.regularizer.gauges[1 - k]);
    let weights: Vec<f64> = other.column_iter().map(|c| problem.lambda * partner.value(c.as_slice())).collect();
    let mut next = &x.0[k] + pull / lipschitz;
    let h = vec![lipschitz; next.nrows()];
    let rows = next.nrows();
    for (c, w) in next.as_mut_slice().chunks_mut(rows).zip(weights) {
        gauge.prox(c, &h, w);
    }
    x.0[k] = next;
}
