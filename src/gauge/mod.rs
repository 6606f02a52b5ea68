//! Gauges: a norm, scaled per coordinate, composed with a cone. Degree 1, always.
//!
//! ```text
//! gauge(x) = norm(D x)  if x in C, else +inf            D = diag(weights) > 0
//! ```
//!
//! Norms live in files of their own ([`l1`], [`l2`], [`linf`]); [`pairs`] says which (norm, cone) pairs have a rule known to
//! be right. To add a norm: a file with a `KIND`, and its line in [`KINDS`].

mod gauge_impl;
pub mod l1;
pub mod l2;
pub mod linf;
pub mod pairs;

pub use gauge_impl::{Gauge, WEIGHT_RANGE};

/// A norm on R^n, with its dual norm, the maximiser of the dual, and its prox in a diagonal metric.
pub trait Norm: Send + Sync {
    /// The name in the spec.
    fn name(&self) -> &'static str;

    /// ||x||.
    fn value(&self, x: &[f64]) -> f64;

    /// The dual norm ||y||° = max {<x, y> : ||x|| <= 1}.
    fn dual(&self, y: &[f64]) -> f64;

    /// y <- an x with ||x|| <= 1 and <x, y> = ||y||° (0 where y = 0); an extreme point of the unit ball.
    fn dual_argmax(&self, y: &mut [f64]);

    /// b <- argmin_x 1/2 sum_j h_j (x_j - b_j)^2 + t ||x||, for h_j >= 0 (x_j = 0 where h_j = 0) and t >= 0.
    fn prox(&self, b: &mut [f64], h: &[f64], t: f64);

    /// Whether the norm depends on |x| alone and grows with it: then it composes with every orthant.
    fn is_absolute(&self) -> bool;

    /// Upper bound of ||x||_2 over ||x|| <= 1 in R^n.
    fn l2_radius(&self, n: usize) -> f64;
}

/// A norm as the spec names it.
pub struct Kind {
    /// `norm` in a factor entry.
    pub name: &'static str,
    /// One line for lists and docs.
    pub summary: &'static str,
    /// Builds it.
    pub build: fn() -> Box<dyn Norm>,
}

/// Every norm. One line each.
pub const KINDS: &[&Kind] = &[&l1::KIND, &l2::KIND, &linf::KIND];
