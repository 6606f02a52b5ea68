//! Losses l(x; y): convex, differentiable (A1), sums over the observed entries.
//!
//! A loss owns all the mathematics of its idea: value, gradient, conjugate, constants. It sees plain slices in observation
//! order and knows nothing of how the data is stored. To add one: a file with a `KIND`, and its line in [`KINDS`].

pub mod squared;

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

/// A loss l(x; y). All slices have one entry per observed target.
pub trait Loss: Send + Sync {
    /// sum_j w_j l0(x_j; y_j): never a mean.
    fn value(&self, t: Targets, x: &[f64]) -> f64;

    /// An upper bound, rounding included, of l at every x' with ||x' - x||_2 <= `radius`.
    fn value_upper(&self, t: Targets, x: &[f64], radius: f64) -> f64;

    /// out_j = d l / d x_j.
    fn gradient(&self, t: Targets, x: &[f64], out: &mut [f64]);

    /// The dual value -l*(-z) (z = -grad l is the dual variable), -inf outside the domain.
    fn dual_value(&self, t: Targets, z: &[f64]) -> f64 {
        self.dual_lower(t, z).value
    }

    /// A lower bound of -l*(-z), rounding included; -inf outside the domain of l*.
    fn dual_lower(&self, t: Targets, z: &[f64]) -> DualValue;

    /// argmax over s >= 0 of -l*(-s z): the best multiple of z, before any constraint on s.
    fn best_scale(&self, t: Targets, z: &[f64]) -> f64;

    /// z0 = -grad l(0): the maximiser of -l*(-z), entry by entry.
    fn dual_peak(&self, t: Targets, out: &mut [f64]) {
        let zero = vec![0.0; t.y.len()];
        self.gradient(t, &zero, out);
        out.iter_mut().for_each(|z| *z = -*z);
    }

    /// Lipschitz constant of the gradient for unit weights (curvature of entry j is at most w_j times this).
    fn curvature(&self) -> f64;

    /// Whether the loss is the quadratic w_j (x_j - y_j)^2 / 2, so that slice-wise updates are exact.
    fn is_quadratic(&self) -> bool {
        false
    }

    /// A lower bound of inf_x l(x; y): the trivial bound.
    fn infimum(&self) -> f64 {
        0.0
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

/// A loss as the spec names it.
pub struct Kind {
    /// `loss.kind`.
    pub name: &'static str,
    /// One line for lists and docs.
    pub summary: &'static str,
    /// Builds it.
    pub build: fn() -> Box<dyn Loss>,
}

/// Every loss. One line each.
pub const KINDS: &[&Kind] = &[&squared::KIND];
