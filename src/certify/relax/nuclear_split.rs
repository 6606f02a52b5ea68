//! Omega_rel = nuclear norm + indicator of the sign of u v', for any loss that is a sum over entries, with missing entries and weights.
//!
//! ```text
//! min l(X2) + [sign X2 >= 0] + lambda ||X1||_*    subject to X1 = X2
//! ```
//!
//! Alternating directions. The step in X1 leaves S = rho (V - X1) with sigma_1(S) <= lambda, a majorant, at every iteration; what it
//! lacks to reach the domain of the conjugate is put there by whoever proves it. The step in X2 solves
//! x = v + z / rho, z = -l'(x), entry by entry: z lies between 0 and -l'(v). Source: Boyd et al. 2011; Moreau 1965.

use super::{Goal, Relaxation, SIDE_LIMIT, clip, envelope, plain_l2, source};
use crate::budget::Budget;
use crate::certify::Effort;
use crate::certify::dual::{DualPoint, Keeper, plain_lambda};
use crate::linalg::Mat;
use crate::polar::bound::product_sign;
use crate::problem::Problem;

/// Nuclear norm and sign by splitting.
#[derive(Debug)]
pub struct NuclearSplit;

/// Most entries of X.
const FIELD_LIMIT: usize = 4_000_000;
/// Iterations between readouts.
const READOUT: usize = 20;

impl Relaxation for NuclearSplit {
    fn name(&self) -> &'static str {
        "nuclear_split"
    }

    fn describe(&self) -> &'static str {
        "nuclear norm with the sign of the product, for any loss and missing entries, by alternating directions"
    }

    fn applies(&self, problem: &Problem) -> bool {
        let (m, n) = problem.shape();
        matches!(problem.mapping.name(), "matrix" | "psd")
            && product_sign(problem).is_some()
            && plain_lambda(problem).is_some()
            && !plain_l2(problem)
            && problem.extras.explicit().next().is_none()
            && envelope::applies(problem)
            && m.min(n) <= SIDE_LIMIT
            && m * n <= FIELD_LIMIT
    }

    fn flops(&self, problem: &Problem, effort: Effort) -> f64 {
        steps(problem, effort) as f64 * cost(problem)
    }

    fn offer(&self, problem: &Problem, goal: Goal, effort: Effort, budget: &Budget, keeper: &mut Keeper) {
        let steps = steps(problem, effort);
        let mut admm = Admm::new(problem);
        for step in 1..=steps {
            let Some(s) = admm.step(problem) else { return };
            let last = step == steps || budget.exhausted() || admm.settled;
            if step % READOUT == 0 || last {
                keeper.offer(problem, &DualPoint::majorant(source(self), s.data.into()));
                if last || goal.met(keeper.value()) {
                    return;
                }
            }
        }
    }
}

/// Flops of an iteration.
fn cost(problem: &Problem) -> f64 {
    let (m, n) = problem.shape();
    let side = m.min(n) as f64;
    4.0 * m as f64 * n as f64 * (side + 100.0) + 10.0 * side.powi(3)
}

/// Iterations that an effort pays for.
fn steps(problem: &Problem, effort: Effort) -> usize {
    super::steps(effort, cost(problem)).min(4000)
}

struct Admm {
    sign: f64,
    /// Place of each entry in the column-major X.
    at: Vec<usize>,
    x: Mat,
    a: Mat,
    rho: f64,
    count: usize,
    settled: bool,
}

impl Admm {
    fn new(problem: &Problem) -> Self {
        let (m, n) = problem.shape();
        let curvature = problem.curvature(&vec![0.0; problem.y.len()]);
        let mean = curvature.iter().sum::<f64>() / curvature.len() as f64;
        Self {
            sign: product_sign(problem).expect("called only where it applies"),
            at: problem.observations.entries().map(|(i, j)| j * m + i).collect(),
            x: Mat::zeros(m, n),
            a: Mat::zeros(m, n),
            rho: 0.3 * if mean > 0.0 { mean } else { 1.0 },
            count: 0,
            settled: false,
        }
    }

    /// One iteration; S of its first half.
    fn step(&mut self, problem: &Problem) -> Option<Mat> {
        let v = &self.x - &self.a;
        let s = clip(problem, &(&v * self.rho))?;
        let low = v - &s / self.rho;
        let w = &low + &self.a;
        let next = self.losses(problem, &w);
        self.a += &low - &next;
        let size = low.norm().max(next.norm()).max(1e-12);
        let primal = (&low - &next).norm() / size;
        let dual = (&next - &self.x).norm() / self.a.norm().max(1e-12);
        self.x = next;
        self.settled = primal.max(dual) < 1e-10;
        self.count += 1;
        if self.count.is_multiple_of(10) {
            let change: f64 = if primal > 3.0 * dual {
                1.4
            } else if dual > 3.0 * primal {
                1.0 / 1.4
            } else {
                1.0
            };
            self.rho *= change;
            self.a /= change;
        }
        Some(s)
    }

    /// The copy with the loss and the sign, from W.
    fn losses(&self, problem: &Problem, w: &Mat) -> Mat {
        let v: Vec<f64> = self.at.iter().map(|&k| w[k]).collect();
        let z = envelope::step(problem, &v, self.rho, &mut Vec::new());
        let mut next = w.clone();
        self.at.iter().zip(&z).for_each(|(&k, z)| next[k] += z / self.rho);
        next.apply(|x| {
            if self.sign * *x < 0.0 {
                *x = 0.0;
            }
        });
        next
    }
}
