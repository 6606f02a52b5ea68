//! Omega_rel = nuclear norm + indicator of the sign of u v', for any loss that is a sum over entries, with missing entries and weights.
//!
//! ```text
//! min l(X2) + [sign X2 >= 0] + lambda ||X1||_*    subject to X1 = X2
//! ```
//!
//! Alternating directions. The step in X1 leaves S = rho (V - X1) with sigma_1(S) <= lambda, a majorant, at every iteration; what it
//! lacks to reach the domain of the conjugate is put there by whoever proves it. The step in X2 solves
//! x = v + z / rho, z = -l'(x), entry by entry: z lies between 0 and -l'(v). Source: Boyd et al. 2011; Moreau 1965.

use super::admm::{self, Alternating, Penalty};
use super::{Goal, Relaxation, SIDE_LIMIT, clip, envelope, plain_l2};
use crate::budget::Budget;
use crate::certify::Effort;
use crate::certify::dual::{Keeper, Kind, plain_lambda};
use crate::linalg::Mat;
use crate::polar::bound::product_sign;
use crate::problem::Problem;

/// Nuclear norm and sign by splitting.
#[derive(Debug)]
pub struct NuclearSplit;

/// Most entries of X.
const FIELD_LIMIT: usize = 4_000_000;

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
        admm::offer(self, problem, goal, (steps, true), budget, keeper, Admm::new(problem));
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

struct Admm<'a> {
    problem: &'a Problem,
    sign: f64,
    /// Place of each entry in the column-major X.
    at: Vec<usize>,
    x: Mat,
    a: Mat,
    /// S of the first half of the last step.
    s: Mat,
    penalty: Penalty,
}

impl<'a> Admm<'a> {
    fn new(problem: &'a Problem) -> Self {
        let (m, n) = problem.shape();
        Self {
            problem,
            sign: product_sign(problem).expect("called only where it applies"),
            at: problem.observations.entries().map(|(i, j)| j * m + i).collect(),
            x: Mat::zeros(m, n),
            a: Mat::zeros(m, n),
            s: Mat::zeros(m, n),
            penalty: Penalty::of_loss(problem),
        }
    }
}

impl Alternating for Admm<'_> {
    fn step(&mut self) -> Option<()> {
        let rho = self.penalty.rho;
        let v = &self.x - &self.a;
        let s = clip(self.problem, &(&v * rho))?;
        let low = v - &s / rho;
        let w = &low + &self.a;
        let next = self.losses(&w);
        self.a += &low - &next;
        let size = low.norm().max(next.norm()).max(1e-12);
        let primal = (&low - &next).norm() / size;
        let dual = (&next - &self.x).norm() / self.a.norm().max(1e-12);
        self.x = next;
        if let Some(change) = self.penalty.follow(primal, dual) {
            self.a /= change;
        }
        self.s = s;
        Some(())
    }

    fn point(&self) -> Kind {
        Kind::Majorant(self.s.as_slice().to_vec())
    }

    fn penalty(&self) -> &Penalty {
        &self.penalty
    }
}

impl Admm<'_> {
    /// The copy with the loss and the sign, from W.
    fn losses(&self, w: &Mat) -> Mat {
        let v: Vec<f64> = self.at.iter().map(|&k| w[k]).collect();
        let z = envelope::step(self.problem, &v, self.penalty.rho, &mut Vec::new());
        let mut next = w.clone();
        self.at.iter().zip(&z).for_each(|(&k, z)| next[k] += z / self.penalty.rho);
        next.apply(|x| {
            if self.sign * *x < 0.0 {
                *x = 0.0;
            }
        });
        next
    }
}
