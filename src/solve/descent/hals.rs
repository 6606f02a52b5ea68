//! Hierarchical alternating least squares with any prox: slice-wise exact updates for squared loss on full data.
//!
//! ```text
//! u_i <- argmin_u 1/2 ||R_i - u v_i'||_F^2 + lambda gauge_v(v_i) gauge_u(u),     R_i = Y - sum_(j != i) u_j v_j'
//!      = prox of (lambda gauge_v(v_i) / h) gauge_u at (R_i v_i) / h,             h = ||v_i||^2
//! ```
//!
//! R_i v_i comes from P = Y V and G = V'V without forming the residual. Slices are taken in blocks: the product with G is one
//! matrix product per block, and only corrections inside the block are made one by one, so the updates remain Gauss-Seidel.
//! Cost of a sweep: 4 m n r + 2 (m + n) r^2 flops.

use super::{Descent, Effort};
use crate::budget::Budget;
use crate::data::Observations;
use crate::linalg::{Mat, dense};
use crate::mapping::{Factors, field_mul, field_tr_mul};
use crate::problem::Problem;

/// HALS.
#[derive(Debug)]
pub struct Hals;

const BLOCK: usize = 16;

impl Descent for Hals {
    fn name(&self) -> &'static str {
        "hals"
    }

    fn summary(&self) -> &'static str {
        "best updates slice by slice: `matrix` observed in full, squared loss without weights; any norms and cones"
    }

    fn applies(&self, problem: &Problem) -> bool {
        matches!(problem.observations, Observations::Full { .. })
            && problem.operator.is_none()
            && problem.w.is_none()
            && problem.loss.is_quadratic()
            && problem.mapping.name() == "matrix"
    }

    fn descend(&self, problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget) {
        let half_norm = 0.5 * problem.y.iter().map(|y| y * y).sum::<f64>();
        problem.regularizer.balance(x);
        let mut previous = x.clone();
        let mut last = f64::INFINITY;
        let mut momentum = Momentum::default();
        for _ in 0..effort.sweeps {
            if budget.exhausted() || x.rank() == 0 {
                break;
            }
            let mut next = extrapolate(problem, x, &previous, momentum.beta);
            half_sweep(problem, &mut next, 0);
            let value = half_norm + half_sweep(problem, &mut next, 1);
            if value > last && momentum.beta > 0.0 {
                momentum.fail();
                previous = x.clone();
                continue;
            }
            problem.regularizer.balance(&mut next);
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

/// How far to extrapolate: grows while sweeps succeed, shrinks and is capped when one fails (Ang & Gillis 2019).
pub(super) struct Momentum {
    beta: f64,
    next: f64,
    cap: f64,
}

impl Default for Momentum {
    fn default() -> Self {
        Self { beta: 0.0, next: 0.5, cap: 1.0 }
    }
}

impl Momentum {
    pub(super) fn beta(&self) -> f64 {
        self.beta
    }

    pub(super) fn succeed(&mut self) {
        if self.beta > 0.0 {
            self.cap = (1.01 * self.cap).min(1.0);
            self.next = (1.05 * self.beta).min(self.cap);
        }
        self.beta = self.next;
    }

    /// The next sweep is a plain one; later ones extrapolate less.
    pub(super) fn fail(&mut self) {
        self.cap = self.beta;
        self.next = self.beta / 1.5;
        self.beta = 0.0;
    }
}

/// x + beta (x - previous), projected onto the cones.
pub(super) fn extrapolate(problem: &Problem, x: &Factors, previous: &Factors, beta: f64) -> Factors {
    if beta == 0.0 {
        return x.clone();
    }
    let blend = |(k, (x, p)): (usize, (&Mat, &Mat))| {
        let mut y = x + (x - p) * beta;
        if let Some(cone) = problem.regularizer.gauges[k].cone() {
            y.column_iter_mut().for_each(|mut c| cone.project(c.as_mut_slice()));
        }
        y
    };
    Factors(x.0.iter().zip(&previous.0).enumerate().map(blend).collect())
}

/// Updates factor k, slice by slice; returns the objective less ||Y||^2 / 2.
fn half_sweep(problem: &Problem, x: &mut Factors, k: usize) -> f64 {
    let other = &x.0[1 - k];
    let p = if k == 0 {
        field_mul(&problem.observations, &problem.y, other)
    } else {
        field_tr_mul(&problem.observations, &problem.y, other)
    };
    let g = dense::tr_mul(other, other);
    let weights: Vec<f64> =
        other.column_iter().map(|c| problem.lambda * problem.regularizer.gauges[1 - k].value(c.as_slice())).collect();
    let gauge = &problem.regularizer.gauges[k];
    let u = &mut x.0[k];
    let (d, r) = u.shape();
    let mut h = vec![0.0; d];
    for start in (0..r).step_by(BLOCK) {
        let width = BLOCK.min(r - start);
        let mut n = p.columns(start, width) - dense::mul(u, &g.columns(start, width).into_owned());
        for i in 0..width {
            let s = start + i;
            let curvature = g[(s, s)];
            let mut new = vec![0.0; d];
            if curvature > 0.0 {
                new.iter_mut()
                    .zip(n.column(i).iter().zip(u.column(s).iter()))
                    .for_each(|(new, (n, u))| *new = n / curvature + u);
                h.fill(curvature);
                gauge.prox(&mut new, &h, weights[s]);
            }
            let delta: Vec<f64> = new.iter().zip(u.column(s).iter()).map(|(a, b)| a - b).collect();
            u.column_mut(s).copy_from_slice(&new);
            for j in i + 1..width {
                let c = g[(s, start + j)];
                n.column_mut(j).iter_mut().zip(&delta).for_each(|(n, d)| *n -= c * d);
            }
        }
    }
    // ||U V'||^2 / 2 - <Y, U V'> + lambda sum g
    let gram = dense::tr_mul(u, u);
    let quadratic = 0.5 * gram.component_mul(&g).sum();
    let regularizer: f64 = u.column_iter().zip(&weights).map(|(c, w)| w * gauge.value(c.as_slice())).sum();
    quadratic - p.dot(u) + regularizer
}
