//! Losses l(x; y): convex, differentiable (A1), sums over the observed entries.
//!
//! A loss owns all the mathematics of its idea: value, gradient, conjugate, constants. It sees plain slices in observation
//! order and knows nothing of how the data is stored. To add one: a file with a `KIND`, and its line in [`KINDS`]. One that is
//! a sum over entries writes [`separable::Separable`].

pub mod huber;
pub mod logistic;
pub mod multinomial;
pub mod poisson;
pub mod profiled;
pub mod quantile;
pub mod separable;
pub mod squared;
pub mod squared_hinge;

use crate::data::TargetKind;
use crate::linalg::sum::UNIT_ROUNDOFF;

/// The observed targets y and their weights w > 0 (`None`: all ones), in observation order.
#[derive(Clone, Copy, Debug)]
pub struct Targets<'a> {
    /// One value per observed entry.
    pub y: &'a [f64],
    /// One positive weight per observed entry, or none.
    pub w: Option<&'a [f64]>,
}

impl Targets<'_> {
    /// Weight of entry j.
    pub fn weight(&self, j: usize) -> f64 {
        self.w.map_or(1.0, |w| w[j])
    }
}

/// A loss l(x; y). All slices have one entry per observed target. The dual variable is z = -grad l.
pub trait Loss: Send + Sync {
    /// sum_j w_j l0(x_j; y_j): never a mean.
    fn value(&self, t: Targets, x: &[f64]) -> f64;

    /// An upper bound, rounding included, of l at every x' with ||x' - x||_2 <= `radius`.
    fn value_upper(&self, t: Targets, x: &[f64], radius: f64) -> f64;

    /// out_j = d l / d x_j.
    fn gradient(&self, t: Targets, x: &[f64], out: &mut [f64]);

    /// A lower bound of -l*(-z), rounding included; -inf outside the domain of l*.
    fn dual_lower(&self, t: Targets, z: &[f64]) -> DualValue;

    /// -l*(-s z) up to rounding: an estimate, never a bound.
    fn dual_value(&self, t: Targets, z: &[f64], s: f64) -> f64 {
        self.dual_lower(t, &z.iter().map(|z| s * z).collect::<Vec<_>>()).value
    }

    /// d/ds of -l*(-s z), for s z inside the domain.
    fn dual_slope(&self, t: Targets, z: &[f64], s: f64) -> f64;

    /// The x_j at which -l' = z_j, where the loss is a sum over entries; it may be infinite at an end of the domain.
    fn point(&self, _t: Targets, _j: usize, _z: f64) -> Option<f64> {
        None
    }

    /// The interval that the domain leaves to z_j; 0 lies in it, and so do its ends. Everything by default.
    fn domain(&self, _t: Targets, _j: usize) -> (f64, f64) {
        (f64::NEG_INFINITY, f64::INFINITY)
    }

    /// The row of each entry, where every z of the domain sums to 0, exactly, over each row.
    fn zero_sums(&self) -> Option<&[u32]> {
        None
    }

    /// Moves z into the domain: a z = -grad l that rounding took out of it moves by rounding.
    fn repair(&self, t: Targets, z: &mut [f64]) {
        for (j, z) in z.iter_mut().enumerate() {
            let (lo, hi) = self.domain(t, j);
            // NaN stays, so that nothing is proven of it
            *z = if *z < lo {
                lo
            } else if *z > hi {
                hi
            } else {
                *z
            };
        }
    }

    /// argmax over 0 <= s <= `limit` of -l*(-s z).
    fn best_scale(&self, t: Targets, z: &[f64], limit: f64) -> f64 {
        let mut top = limit;
        for (j, &z) in z.iter().enumerate() {
            let (lo, hi) = self.domain(t, j);
            if z != 0.0 {
                top = top.min(if z > 0.0 { hi / z } else { lo / z });
            }
        }
        if top < limit {
            // the domain's end: the product must not leave it by a rounding
            top *= 1.0 - 8.0 * UNIT_ROUNDOFF;
        }
        let mut high = if top.is_finite() { top } else { 1.0 };
        while high < top && high < f64::MAX.sqrt() && self.dual_slope(t, z, high) > 0.0 {
            high *= 2.0;
        }
        if high <= 0.0 || self.dual_slope(t, z, high) >= 0.0 {
            return high.max(0.0);
        }
        let mut low = 0.0;
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.dual_slope(t, z, middle) > 0.0 { low = middle } else { high = middle }
        }
        low
    }

    /// z0 = -grad l(0): the maximiser of -l*(-z), entry by entry.
    fn dual_peak(&self, t: Targets, out: &mut [f64]) {
        let zero = vec![0.0; t.y.len()];
        self.gradient(t, &zero, out);
        out.iter_mut().for_each(|z| *z = -*z);
        self.repair(t, out);
    }

    /// Lipschitz constant of the gradient for unit weights (curvature of entry j is at most w_j times this); +inf if there is
    /// none.
    fn curvature(&self) -> f64;

    /// d with Hessian l''(x) <= diag(d), close to it at x itself: the local model where [`Loss::curvature`] has none.
    fn local_curvature(&self, t: Targets, x: &[f64], out: &mut [f64]);

    /// Whether the loss is the quadratic w_j (x_j - y_j)^2 / 2, so that slice-wise updates are exact.
    fn is_quadratic(&self) -> bool {
        false
    }

    /// A lower bound of inf_x l(x; y): the trivial bound.
    fn infimum(&self, _t: Targets) -> f64 {
        0.0
    }

    /// What the bounds assume beyond IEEE arithmetic.
    fn assumes(&self) -> Option<&'static str> {
        None
    }
}

/// A dual value with the margin that rounding took off it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DualValue {
    /// The proven value.
    pub value: f64,
    /// The margin already taken off.
    pub slack: f64,
}

impl DualValue {
    /// Outside the domain.
    pub const OUTSIDE: Self = Self { value: f64::NEG_INFINITY, slack: 0.0 };
}

/// A number that a loss needs, a key of `[loss]`. There are no defaults: the right one depends on the data.
pub struct Parameter {
    /// The key.
    pub name: &'static str,
    /// What it must be, such as `a number > 0`.
    pub expected: &'static str,
    /// Whether it is that.
    pub allowed: fn(f64) -> bool,
    /// A value that is, for messages and tests.
    pub example: f64,
}

/// What a loss is built from.
pub struct Setup<'a> {
    /// One value per parameter of the kind, in its order.
    pub parameters: &'a [f64],
    /// The row of each observed entry, for losses that see rows.
    pub rows: &'a dyn Fn() -> Vec<u32>,
}

/// A loss as the spec names it.
pub struct Kind {
    /// `loss.kind`.
    pub name: &'static str,
    /// One line for lists and docs.
    pub summary: &'static str,
    /// What its targets must be.
    pub targets: TargetKind,
    /// Its keys.
    pub parameters: &'static [Parameter],
    /// Builds it.
    pub build: fn(&Setup) -> Box<dyn Loss>,
}

impl Kind {
    /// Builds it with the example of every parameter; entry j stands in row `rows[j]`.
    pub fn example(&self, rows: &[u32]) -> Box<dyn Loss> {
        let parameters: Vec<f64> = self.parameters.iter().map(|p| p.example).collect();
        (self.build)(&Setup { parameters: &parameters, rows: &|| rows.to_vec() })
    }
}

/// Every loss. One line each.
pub const KINDS: &[&Kind] = &[
    &squared::KIND,
    &huber::KIND,
    &logistic::KIND,
    &squared_hinge::KIND,
    &poisson::KIND,
    &multinomial::KIND,
    &quantile::KIND,
];

/// The kind of this name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|k| k.name == name)
}
