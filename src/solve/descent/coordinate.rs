//! Slice-wise exact updates for squared loss on coordinates, any gauges: cyclic coordinate descent with the residual kept.
//!
//! ```text
//! u_i <- argmin_u 1/2 sum_ab w_ab (rho_ab + u_old_a v_b - u_a v_b)^2 + lambda gauge_v(v_i) gauge_u(u)
//!      = prox in the diagonal metric h_a = sum_b w_ab v_b^2
//! ```
//!
//! Cost of a sweep: four passes over the observed entries per slice.

use super::{Descent, Effort};
use crate::budget::Budget;
use crate::data::Observations;
use crate::linalg::Pattern;
use crate::mapping::Factors;
use crate::problem::Problem;
use rayon::prelude::*;

/// CCD.
#[derive(Debug)]
pub struct Coordinate;

impl Descent for Coordinate {
    fn name(&self) -> &'static str {
        "coordinate"
    }

    fn summary(&self) -> &'static str {
        "best updates slice by slice: `matrix` with entries missing, squared loss; norms and cones but those of \
         matrices"
    }

    fn applies(&self, problem: &Problem) -> bool {
        matches!(problem.observations, Observations::Coordinates(_))
            && problem.loss.is_quadratic()
            && problem.mapping.name() == "matrix"
            && problem.regularizer.gauges.iter().all(|g| g.any_metric())
    }

    fn descend(&self, problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget) {
        let Observations::Coordinates(pattern) = &problem.observations else { return };
        problem.regularizer.balance(x);
        let mut last = problem.objective(x);
        for _ in 0..effort.sweeps {
            let mut rho: Vec<f64> = problem.predict(x).iter().zip(&problem.y).map(|(x, y)| y - x).collect();
            for i in 0..x.rank() {
                if budget.exhausted() {
                    break;
                }
                update_slice(problem, pattern, x, i, &mut rho);
            }
            problem.regularizer.balance(x);
            let value = problem.objective(x);
            if last - value < effort.decrease || budget.exhausted() {
                break;
            }
            last = value;
        }
    }
}

/// One exact update of u_i, then of v_i, with the residual kept up to date.
fn update_slice(problem: &Problem, pattern: &Pattern, x: &mut Factors, i: usize, rho: &mut [f64]) {
    for k in 0..2 {
        let v: Vec<f64> = x.0[1 - k].column(i).iter().copied().collect();
        let u: Vec<f64> = x.0[k].column(i).iter().copied().collect();
        let weight = problem.lambda * problem.regularizer.gauges[1 - k].value(&v);
        let targets = problem.targets();
        let (mut b, h): (Vec<f64>, Vec<f64>) = (0..u.len())
            .into_par_iter()
            .with_min_len(256)
            .map(|a| {
                let (mut pull, mut h) = (0.0, 0.0);
                let mut add = |(c, p): (usize, usize)| {
                    let wv = targets.weight(p) * v[c];
                    pull += wv * rho[p];
                    h += wv * v[c];
                };
                if k == 0 {
                    pattern.row(a).for_each(&mut add)
                } else {
                    pattern.column(a).for_each(&mut add)
                }
                if h > 0.0 { (u[a] + pull / h, h) } else { (0.0, 0.0) }
            })
            .unzip();
        problem.regularizer.gauges[k].prox(&mut b, &h, weight);
        let delta: Vec<f64> = b.iter().zip(&u).map(|(new, old)| new - old).collect();
        for (a, d) in delta.iter().enumerate().filter(|(_, d)| **d != 0.0) {
            let mut shift = |(c, p): (usize, usize)| rho[p] -= d * v[c];
            if k == 0 { pattern.row(a).for_each(&mut shift) } else { pattern.column(a).for_each(&mut shift) }
        }
        x.0[k].column_mut(i).copy_from_slice(&b);
    }
}
