//! The extra variables at a point: as given, or the best ones for its factors.

use super::CertifyError;
use crate::extra::{Coefficients, Penalty};
use crate::mapping::Factors;
use crate::problem::Problem;

/// A point with its predictions and its dual field.
pub struct Point {
    /// Q.
    pub q: Coefficients,
    /// Phi + A Q of the blocks that the loss has not minimised out.
    pub prediction: Vec<f64>,
    /// Phi + A Q of all blocks.
    pub whole: Vec<f64>,
    /// -grad l at the point.
    pub z: Vec<f64>,
    /// -grad l at the best Q for the same factors, where there are extra variables.
    pub fitted: Option<Vec<f64>>,
    /// By how much the best Q lowers the objective.
    pub decrease: f64,
}

impl Point {
    /// `given` of the right shapes, or the best.
    pub fn new(problem: &Problem, factors: &Factors, given: Option<&Coefficients>) -> Result<Self, CertifyError> {
        let phi = problem.apply(factors);
        let extras = &problem.extras;
        if extras.blocks.is_empty() {
            let z = problem.dual_field(&phi);
            return Ok(Self { q: Vec::new(), prediction: phi.clone(), whole: phi, z, fitted: None, decrease: 0.0 });
        }
        if let Some(q) = given {
            admissible(problem, q)?;
        }
        let add = |mut x: Vec<f64>, part: Vec<f64>| {
            x.iter_mut().zip(part).for_each(|(x, p)| *x += p);
            x
        };
        let mut best = given.cloned().unwrap_or_else(|| extras.zero());
        problem.fit_extras(&phi, &mut best);
        let best_prediction = add(phi.clone(), extras.offset(&best, phi.len()));
        extras.complete(problem.targets(), &best_prediction, &mut best);
        let fitted = problem.dual_field(&best_prediction);
        let q = given.unwrap_or(&best).clone();
        let prediction = add(phi.clone(), extras.offset(&q, phi.len()));
        let everything = |q: &Coefficients| {
            let mut x = phi.clone();
            extras.blocks.iter().zip(q).for_each(|(b, q)| b.map.add(q, &mut x));
            x
        };
        let whole = everything(&q);
        let value = |q: &Coefficients, x: &[f64]| {
            let h: f64 = extras.blocks.iter().zip(q).map(|(b, q)| b.penalty.value(q)).sum();
            problem.plain_loss().value(problem.targets(), x) + h
        };
        let decrease = if given.is_some() { value(&q, &whole) - value(&best, &everything(&best)) } else { 0.0 };
        let z = if given.is_some() { plain_field(problem, &whole) } else { fitted.clone() };
        Ok(Self { q, prediction, whole, z, fitted: Some(fitted), decrease })
    }

    /// How far -A'grad l is from a subgradient of H at Q, relative to what it is made of; `None` without extra variables.
    pub fn excess(&self, problem: &Problem) -> Option<f64> {
        let sizes: Vec<f64> = self.z.iter().map(|z| z.abs()).collect();
        let excess = |(b, q): (&crate::extra::Block, &Vec<f64>)| {
            let scale = b.map.adjoint(&sizes).iter().fold(f64::MIN_POSITIVE, |m: f64, s| m.max(s.abs()));
            b.penalty.excess(q, &b.map.adjoint(&self.z), scale)
        };
        problem.extras.blocks.iter().zip(&self.q).map(excess).reduce(f64::max)
    }
}

/// -grad l of the loss with nothing minimised out.
fn plain_field(problem: &Problem, prediction: &[f64]) -> Vec<f64> {
    let mut z = vec![0.0; prediction.len()];
    problem.plain_loss().gradient(problem.targets(), prediction, &mut z);
    z.iter_mut().for_each(|z| *z = -*z);
    z
}

/// Blocks, lengths, finite numbers, signs.
fn admissible(problem: &Problem, q: &Coefficients) -> Result<(), CertifyError> {
    let blocks = &problem.extras.blocks;
    for (k, b) in blocks.iter().enumerate() {
        let wrong = |found: String, expected: String| CertifyError::Extras {
            kind: b.map.name(),
            block: k + 1,
            found,
            expected,
        };
        let Some(q) = q.get(k) else { return Err(wrong("nothing".into(), format!("{} values", b.len()))) };
        if q.len() != b.len() {
            return Err(wrong(format!("{} values", q.len()), format!("{} values", b.len())));
        }
        if let Some(j) = q.iter().position(|q| !q.is_finite()) {
            return Err(wrong(format!("{} at position {}", q[j], j + 1), "finite numbers".into()));
        }
        if b.penalty == Penalty::Nonnegative
            && let Some(j) = q.iter().position(|q| *q < 0.0)
        {
            return Err(wrong(format!("{} at position {}", q[j], j + 1), "numbers >= 0".into()));
        }
    }
    Ok(())
}
