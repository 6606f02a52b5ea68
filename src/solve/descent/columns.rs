//! Exact updates of one factor of one slice at a time for arrays of higher order, any gauges.
//!
//! ```text
//! x^k_i <- argmin_x  1/2 sum_a h_a (x_a - b_a)^2 + lambda prod_(l != k) gauge_l(x^l_i) gauge_k(x)
//! full data, squared loss:   h = G_ii,   b = (Y_(k) V - X^k G)_i / G_ii + x^k_i,   V, G of the other factors
//! otherwise:                 h_a = c sum_(entries with index a) w prod_(l != k) (x^l_i)^2,   b = x^k_i + pullback_i / h
//! ```
//!
//! An entry of phi depends on one coordinate of x^k, so h is the whole Hessian: the update is exact for squared loss, and lowers
//! the objective for any other of bounded curvature. Where the loss has no c that holds everywhere, its curvature at the point
//! stands in, doubled until the objective falls. Sweeps start from extrapolated factors while that pays. In the product form where
//! the scale of a slice sits changes nothing. Cost of a sweep on full data: one pullback of Y per factor; otherwise three passes
//! per slice and factor.

use super::hals::{Momentum, extrapolate};
use super::{Descent, Effort};
use crate::budget::Budget;
use crate::data::Observations;
use crate::linalg::{Mat, dense};
use crate::mapping::Factors;
use crate::problem::Problem;

/// Column updates.
#[derive(Debug)]
pub struct Columns;

impl Descent for Columns {
    fn name(&self) -> &'static str {
        "columns"
    }

    fn summary(&self) -> &'static str {
        "best updates of one factor of one slice: `cp`, any loss, norms and cones"
    }

    fn applies(&self, problem: &Problem) -> bool {
        problem.mapping.name() == "cp"
    }

    fn descend(&self, problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget) {
        let by_gram = Self::by_gram(problem);
        problem.regularizer.balance(x);
        let mut last = problem.objective(x);
        let mut previous = x.clone();
        let mut momentum = Momentum::default();
        let local = problem.loss.curvature().is_infinite();
        let mut boost = 1.0;
        for _ in 0..effort.sweeps {
            if budget.exhausted() || x.rank() == 0 {
                break;
            }
            let mut next = extrapolate(problem, x, &previous, momentum.beta());
            for k in 0..next.0.len() {
                if by_gram { update_factor(problem, &mut next, k) } else { update_slices(problem, &mut next, k, boost) }
            }
            problem.regularizer.balance(&mut next);
            let value = problem.objective(&next);
            // a step too far may overflow
            if value > last || value.is_nan() {
                if momentum.beta() > 0.0 {
                    momentum.fail();
                    previous = x.clone();
                    continue;
                }
                if local && boost < 1e9 {
                    boost *= 2.0;
                    continue;
                }
                break;
            }
            previous = std::mem::replace(x, next);
            momentum.succeed();
            let decrease = last - value;
            last = value;
            if decrease < effort.decrease {
                break;
            }
        }
    }
}

impl Columns {
    /// Whether updates need the target alone, not the predictions.
    pub(in crate::solve) fn by_gram(problem: &Problem) -> bool {
        let full = matches!(problem.observations, Observations::Full { .. });
        Self.applies(problem) && full && problem.w.is_none() && problem.loss.is_quadratic()
    }
}

/// lambda prod_(l != k) gauge_l(x^l_i).
fn price(problem: &Problem, x: &Factors, k: usize, i: usize) -> f64 {
    let gauges = problem.regularizer.gauges_at(&x.slice(i));
    problem.lambda * gauges.iter().enumerate().filter(|(l, _)| *l != k).map(|(_, g)| g).product::<f64>()
}

/// All columns of factor k in turn, from one pullback of Y.
fn update_factor(problem: &Problem, x: &mut Factors, k: usize) {
    let pull = problem.pullback(&problem.y, x, k);
    let r = x.rank();
    let others = x.0.iter().enumerate().filter(|(l, _)| *l != k);
    let gram = others.fold(Mat::from_element(r, r, 1.0), |g, (_, x)| g.component_mul(&dense::tr_mul(x, x)));
    for i in 0..r {
        let h = gram[(i, i)];
        if h <= 0.0 {
            continue;
        }
        let mut b = (pull.column(i) - &x.0[k] * gram.column(i)) / h + x.0[k].column(i);
        problem.regularizer.gauges[k].prox(b.as_mut_slice(), &vec![h; x.0[k].nrows()], price(problem, x, k, i));
        x.0[k].set_column(i, &b);
    }
}

/// The same slice by slice from the gradient, with the predictions kept up to date and `boost` times the curvature.
fn update_slices(problem: &Problem, x: &mut Factors, k: usize, boost: f64) {
    let mut prediction = problem.predict(x);
    let mut curvature = problem.curvature(&prediction);
    curvature.iter_mut().for_each(|c| *c *= boost);
    let gauge = &problem.regularizer.gauges[k];
    for i in 0..x.rank() {
        let mut slice = Factors(x.0.iter().map(|x| x.columns(i, 1).into_owned()).collect());
        let squares = Factors(slice.0.iter().map(|x| x.component_mul(x)).collect());
        let mut h: Vec<f64> = problem.mapping.pullback(&problem.observations, &curvature, &squares, k).data.into();
        if !gauge.any_metric() {
            // the prox is exact in uniform metrics only
            let top = h.iter().fold(0.0, |m: f64, h| m.max(*h));
            h.fill(top);
        }
        let pull = problem.pullback(&problem.dual_field(&prediction), &slice, k);
        let old = slice.0[k].clone();
        let mut b = old.clone();
        b.iter_mut().zip(pull.iter()).zip(&h).for_each(|((b, p), h)| *b = if *h > 0.0 { *b + p / h } else { 0.0 });
        gauge.prox(b.as_mut_slice(), &h, price(problem, x, k, i));
        slice.0[k] = &b - old;
        problem.apply(&slice).iter().zip(&mut prediction).for_each(|(d, p)| *p += d);
        x.0[k].set_column(i, &b.column(0));
    }
}
