//! Gauges: a norm, scaled per coordinate, composed with a cone. Degree 1, always.
//!
//! ```text
//! gauge(x) = norm(D x)  if x in C, else +inf            D = diag(weights) > 0
//! ```
//!
//! Norms live in files of their own; [`sum`] adds them up, [`pairs`] says which (norm, cone) pairs have a rule known to be
//! right. To add a norm: a file with a `KIND`, and its line in [`KINDS`].

mod composed;
pub mod frobenius;
pub mod fused;
pub mod grid;
pub mod group_l2;
pub mod l1;
pub mod l2;
pub mod linf;
pub mod lp;
pub mod nuclear;
pub mod pairs;
pub mod root;
pub mod schatten;
pub mod shrink;
pub mod spectral;
pub mod sum;
pub mod tv;

pub use composed::{Gauge, WEIGHT_RANGE};

use crate::cone::Cone;
use crate::linalg::sum::gamma;

/// A norm on R^n, with its dual norm, the maximiser of the dual, and its prox in a diagonal metric.
pub trait Norm: Send + Sync {
    /// The name in the spec; `sum` for a list of several.
    fn name(&self) -> &'static str;

    /// The norm in words, with its parameters.
    fn label(&self) -> String {
        self.name().into()
    }

    /// ||x||.
    fn value(&self, x: &[f64]) -> f64;

    /// An upper bound of ||x||, up to a relative error of at most gamma_(n + 32). As it stands: for closed forms.
    fn value_upper(&self, x: &[f64]) -> f64 {
        self.value(x)
    }

    /// The dual norm ||y||° = max {<x, y> : ||x|| <= 1}.
    fn dual(&self, y: &[f64]) -> f64;

    /// An upper bound of the dual norm, rounding included. As it stands: for closed forms with a relative error of at most
    /// gamma_(n + 8), up to what underflows.
    fn dual_upper(&self, y: &[f64]) -> f64 {
        // a maximum passes over what is no number
        if y.iter().any(|y| y.is_nan()) {
            return f64::INFINITY;
        }
        ((self.dual(y) + f64::MIN_POSITIVE) * (1.0 + gamma(y.len() + 10))).next_up()
    }

    /// y <- an x with ||x|| <= 1 and <x, y> = ||y||° (0 where y = 0); an extreme point of the unit ball.
    fn dual_argmax(&self, y: &mut [f64]);

    /// b <- a minimiser of 1/2 sum_j h_j (x_j - b_j)^2 + t ||x||, for h_j >= 0 and t >= 0. Where h_j = 0 an absolute norm
    /// has x_j = 0. Where [`Norm::any_metric`] says no: for uniform h.
    fn prox(&self, b: &mut [f64], h: &[f64], t: f64);

    /// Whether the norm depends on |x| alone and grows with it: then it composes with every orthant.
    fn is_absolute(&self) -> bool;

    /// Whether the norm is absolute and does not see the order of the coordinates, nor zeros among them.
    fn is_symmetric(&self) -> bool {
        false
    }

    /// Whether the prox is exact in every diagonal metric, not in uniform ones alone.
    fn any_metric(&self) -> bool {
        true
    }

    /// The norm with prox and dual of its restriction to this cone, for norms that are not absolute and have rules of
    /// their own for it.
    fn inside(&self, _cone: &dyn Cone) -> Option<Box<dyn Norm>> {
        None
    }

    /// The norm h with ||x||^2 = h(x_1^2, .., x_n^2), where there is one; else an h below, where one is close.
    fn of_squares(&self) -> Option<Box<dyn Norm>> {
        None
    }

    /// The groups of `group_l2`.
    fn groups(&self) -> Option<&group_l2::Groups> {
        None
    }

    /// What the norms of singular values share.
    fn matrices(&self) -> Option<&schatten::Schatten> {
        None
    }

    /// The terms of a sum.
    fn terms(&self) -> Option<&sum::Sum> {
        None
    }

    /// Upper bound of ||x|| over ||x||_2 <= 1; +inf where nobody asks.
    fn slope(&self) -> f64 {
        f64::INFINITY
    }

    /// Upper bound of ||x||_2 over ||x|| <= 1 in R^n.
    fn l2_radius(&self, n: usize) -> f64;

    /// Upper bound of ||x||_1 over ||x|| <= 1 in R^n.
    fn l1_radius(&self, n: usize) -> f64 {
        (self.l2_radius(n) * (n as f64).sqrt() * (1.0 + gamma(8))).next_up()
    }
}

/// What the entry of a norm says beside its name, and the length of the vectors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// `p` of `lp`.
    pub p: Option<f64>,
    /// `groups` of `group_l2`: lists of 0-based indices.
    pub groups: Option<Vec<Vec<usize>>>,
    /// `shape`: rows and columns of an image, or of the matrix that a column is.
    pub shape: Option<(usize, usize)>,
    /// n.
    pub n: usize,
}

/// A norm as the spec names it.
pub struct Kind {
    /// `norm` in a factor entry.
    pub name: &'static str,
    /// One line for lists and docs.
    pub summary: &'static str,
    /// The keys that it needs beside `weight`.
    pub keys: &'static [&'static str],
    /// The keys that it may have.
    pub optional: &'static [&'static str],
    /// Builds it; a sentence if the parameters do not make a norm.
    pub build: fn(&Parameters) -> Result<Box<dyn Norm>, String>,
    /// What the laws are tested on: norms on R^n made of this kind.
    pub examples: fn(usize) -> Vec<Box<dyn Norm>>,
}

/// Every norm. One line each.
pub const KINDS: &[&Kind] = &[
    &l1::KIND,
    &l2::KIND,
    &linf::KIND,
    &lp::KIND,
    &group_l2::KIND,
    &tv::KIND,
    &frobenius::KIND,
    &spectral::KIND,
    &nuclear::KIND,
];
