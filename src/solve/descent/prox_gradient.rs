//! Block proximal gradient with extrapolation: for any loss, mapping of two factors, and gauges.
//!
//! ```text
//! U <- prox of (lambda gauge_v(v_i) / L) gauge_u at U~ - grad_U l(U~) / L, column by column,   L = c max w ||V'V||_2
//! ```
//!
//! U~ extrapolates the last step (Xu & Yin 2013); when that raises the objective the plain step is taken, which never does.

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

    fn applies(&self, problem: &Problem) -> bool {
        problem.mapping.name() == "matrix"
    }

    fn descend(&self, problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget) {
        problem.regularizer.balance(x);
        let mut value = problem.objective(x);
        let mut previous = x.clone();
        let mut momentum = 1.0;
        for _ in 0..effort.sweeps {
            if budget.exhausted() || x.rank() == 0 {
                break;
            }
            let following = (1.0 + f64::sqrt(1.0 + 4.0 * momentum * momentum)) / 2.0;
            let beta = (momentum - 1.0) / following;
            let mut next = x.clone();
            (0..2).for_each(|k| step(problem, &mut next, &previous, k, beta));
            let mut reached = problem.objective(&next);
            momentum = following;
            if reached > value {
                momentum = 1.0;
                next = x.clone();
                (0..2).for_each(|k| step(problem, &mut next, x, k, 0.0));
                reached = problem.objective(&next);
                if reached > value {
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

/// One proximal step on factor k from x + beta (x - previous).
fn step(problem: &Problem, x: &mut Factors, previous: &Factors, k: usize, beta: f64) {
    let base: Mat = &x.0[k] + (&x.0[k] - &previous.0[k]) * beta;
    let current = std::mem::replace(&mut x.0[k], base);
    let z = problem.dual_field(&problem.predict(x));
    let pull = problem.pullback(&z, x, k);
    let other = &x.0[1 - k];
    let top = problem.w.as_ref().map_or(1.0, |w| w.iter().fold(0.0, |m: f64, w| m.max(*w)));
    let gain = problem.operator.as_ref().map_or(1.0, |a| a.gain());
    let lipschitz =
        problem.loss.curvature() * top * gain * lanczos::lambda_max(&dense::tr_mul(other, other)) * (1.0 + 1e-9);
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
