//! Dual points and what they prove.
//!
//! ```text
//! min l(X) + lambda Omega(X)  >=  -l*(-Z)      for every field Z with Omega°(Z) <= lambda
//! ```
//!
//! Any Z will do, so the best bound over all points ever proven is kept. A point is scaled into the feasible set by a proven
//! upper bound of its polar; the excess is never forgiven. Where u v' has one sign (both factors in orthants) a point may
//! carry a *majorant* M: Z <= M entry by entry and Omega°_free(M) <= lambda suffice.

use super::certificate::Witness;
use crate::data::Observations;
use crate::linalg::sum::{UNIT_ROUNDOFF, norm_upper};
use crate::polar::bound::{self, product_sign};
use crate::problem::Problem;

/// A dual point, claimed good by whoever made it.
#[derive(Clone, Debug, PartialEq)]
pub struct DualPoint {
    /// Who made it, for the report.
    pub source: String,
    /// Z in observation order, or M as a dense m x n column-major matrix.
    pub kind: Kind,
}

/// What a dual point consists of.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// The field itself.
    Field(Vec<f64>),
    /// A majorant; the field is the entrywise best one below it.
    Majorant(Vec<f64>),
}

/// A lower bound of the global optimum with its proof's ingredients.
#[derive(Clone, Debug, PartialEq)]
pub struct Proven {
    /// The bound, rounded down.
    pub value: f64,
    /// The rounding margin in it.
    pub slack: f64,
    /// The method that bounded the polar.
    pub method: &'static str,
    /// The scaled, feasible point.
    pub point: DualPoint,
}

impl DualPoint {
    /// A point from a field.
    pub fn field(source: impl Into<String>, z: Vec<f64>) -> Self {
        Self { source: source.into(), kind: Kind::Field(z) }
    }

    /// A point from a majorant.
    pub fn majorant(source: impl Into<String>, m: Vec<f64>) -> Self {
        Self { source: source.into(), kind: Kind::Majorant(m) }
    }

    /// As it is saved.
    pub fn to_witness(&self) -> Witness {
        let (name, values) = match &self.kind {
            Kind::Field(z) => ("z", z),
            Kind::Majorant(m) => ("majorant", m),
        };
        Witness { source: self.source.clone(), arrays: vec![(name.into(), values.clone())] }
    }

    /// Reads a saved point; `None` if its arrays are unknown or of the wrong length for the problem.
    pub fn from_witness(problem: &Problem, w: &Witness) -> Option<Self> {
        let (m, n) = problem.shape();
        let [(name, values)] = w.arrays.as_slice() else { return None };
        let kind = match name.as_str() {
            "z" if values.len() == problem.y.len() => Kind::Field(values.clone()),
            "majorant" if values.len() == m.checked_mul(n)? => Kind::Majorant(values.clone()),
            _ => return None,
        };
        Some(Self { source: w.source.clone(), kind })
    }
}

/// Proves a point: bounds its polar, scales it into the feasible set, evaluates the dual with a rounding margin. `None` if
/// nothing can be proven from it.
pub fn prove(problem: &Problem, point: &DualPoint) -> Option<Proven> {
    match &point.kind {
        Kind::Field(z) => {
            let upper = bound::upper(problem, z)?;
            prove_field(problem, &point.source, z, upper)
        }
        Kind::Majorant(m) => prove_majorant(problem, &point.source, m),
    }
}

/// The same for a field whose polar has been bounded already.
pub fn prove_field(problem: &Problem, source: &str, z: &[f64], upper: bound::Upper) -> Option<Proven> {
    let limit = largest_scale(problem.lambda, upper.value, rounding_of_scaling(problem, z));
    let s = problem.loss.best_scale(problem.targets(), z).min(limit);
    let scaled: Vec<f64> = z.iter().map(|z| s * z).collect();
    finish(problem, scaled.clone(), DualPoint::field(source, scaled), upper.method)
}

fn prove_majorant(problem: &Problem, source: &str, m: &[f64]) -> Option<Proven> {
    let sign = product_sign(problem)?;
    let lambda = plain_lambda(problem)?;
    let (rows, cols) = problem.shape();
    let everywhere = Observations::Full { rows, cols };
    let upper = bound::free_l2_upper(problem, &everywhere, m)?;
    let limit = largest_scale(lambda, upper, UNIT_ROUNDOFF * norm_upper(m));
    let s = limit.min(1.0);
    let m: Vec<f64> = m.iter().map(|m| s * m).collect();
    let mut peak = vec![0.0; problem.y.len()];
    problem.loss.dual_peak(problem.targets(), &mut peak);
    let mut observed = 0;
    let z: Vec<f64> = problem
        .observations
        .entries()
        .zip(&peak)
        .map(|((i, j), peak)| {
            let m = m[j * rows + i];
            observed += usize::from(sign * m >= 0.0);
            sign * (sign * m).min(sign * peak)
        })
        .collect();
    // an unobserved entry has Z = 0, so the majorant must have the allowed sign there
    let allowed = m.iter().filter(|m| sign * **m >= 0.0).count();
    if allowed - observed != m.len() - z.len() {
        return None;
    }
    finish(problem, z, DualPoint::majorant(source, m), "cholesky")
}

/// The lambda that plain l2 gauges would have, rounded down: uniform weights c_k scale g by their product (their square for
/// the psd mapping). `None` for other norms and for weights that vary.
pub fn plain_lambda(problem: &Problem) -> Option<f64> {
    let gauges = &problem.regularizer.gauges;
    let mut lambda = problem.lambda;
    for g in gauges.iter().cycle().take(2) {
        if g.norm().name() != "l2" {
            return None;
        }
        if let Some(d) = g.weights() {
            let first = *d.first()?;
            if d.iter().any(|x| *x != first) {
                return None;
            }
            lambda = (lambda * first).next_down();
        }
    }
    Some(lambda)
}

fn finish(problem: &Problem, z: Vec<f64>, point: DualPoint, method: &'static str) -> Option<Proven> {
    let d = problem.loss.dual_lower(problem.targets(), &z);
    d.value.is_finite().then_some(Proven { value: d.value, slack: d.slack, method, point })
}

/// The largest s with s (upper + error) <= lambda, rounded down; +inf if the polar is 0.
fn largest_scale(lambda: f64, upper: f64, error: f64) -> f64 {
    let total = (upper + 2.0 * error).next_up();
    if total <= 0.0 || upper == 0.0 {
        f64::INFINITY
    } else {
        (lambda / total).next_down() * (1.0 - 2.0 * UNIT_ROUNDOFF)
    }
}

/// An upper bound of the polar of the rounding e in fl(s z) = s z + e, per unit of s: |e| <= u |s z|, and
/// Omega°(e) <= ||e||_F times the l2 radii of the gauges' unit balls.
fn rounding_of_scaling(problem: &Problem, z: &[f64]) -> f64 {
    let radius: f64 = problem
        .regularizer
        .gauges
        .iter()
        .zip(problem.factor_rows())
        .map(|(g, n)| {
            let smallest = g.weights().map_or(1.0, |d| d.iter().fold(f64::INFINITY, |m, d| m.min(*d)));
            g.norm().l2_radius(n) / smallest
        })
        .product();
    let radius = if problem.regularizer.gauges.len() == 1 { radius * radius } else { radius };
    UNIT_ROUNDOFF * norm_upper(z) * radius * (1.0 + 16.0 * UNIT_ROUNDOFF)
}

/// Keeps the best proven bound: a later, weaker one never replaces it.
#[derive(Clone, Debug, Default)]
pub struct Keeper {
    best: Option<Proven>,
    tried: Vec<String>,
}

impl Keeper {
    /// Nothing proven yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Proves a point and keeps it if it is the best so far.
    pub fn offer(&mut self, problem: &Problem, point: &DualPoint) {
        let proven = prove(problem, point);
        self.keep(proven);
    }

    /// Keeps a proven bound if it is the best so far.
    pub fn keep(&mut self, proven: Option<Proven>) {
        let Some(p) = proven else { return };
        if self.best.as_ref().is_none_or(|b| p.value > b.value) {
            self.best = Some(p);
        }
    }

    /// The best bound.
    pub fn best(&self) -> Option<&Proven> {
        self.best.as_ref()
    }

    /// Its value.
    pub fn value(&self) -> Option<f64> {
        self.best.as_ref().map(|b| b.value)
    }

    /// Notes that a source has been used; returns whether it had been before.
    pub fn mark(&mut self, source: &str) -> bool {
        let seen = self.tried.iter().any(|t| t == source);
        if !seen {
            self.tried.push(source.to_string());
        }
        seen
    }
}

/// Relative gap: (objective - bound) / max(|objective|, |bound|), 0 where both are 0.
pub fn relative_gap(objective: f64, bound: f64) -> f64 {
    let scale = objective.abs().max(bound.abs());
    if scale == 0.0 { 0.0 } else { (objective - bound) / scale }
}
