//! Elemental mappings phi and Phi_r(X) = sum_i phi(X_i), positively homogeneous of degree p.
//!
//! To add one: a file with a `KIND`, and its line in [`KINDS`].

pub mod cp;
mod factors;
pub mod matrix;
pub mod psd;
pub mod relu;

pub use factors::Factors;

use crate::data::Observations;
use crate::linalg::Mat;

/// phi and Phi_r.
pub trait Mapping: Send + Sync {
    /// The name in the spec.
    fn name(&self) -> &'static str;

    /// p: phi(a z) = a^p phi(z) for a >= 0.
    fn degree(&self) -> u32;

    /// Lengths of the factors' columns for an output of this shape; an array of order K is seen as d_1 x (d_2 .. d_K).
    fn factor_rows(&self, shape: (usize, usize)) -> Vec<usize>;

    /// Phi_r(X) at the observed entries, in observation order. Cost: r passes over them.
    fn apply(&self, at: &Observations, x: &Factors) -> Vec<f64>;

    /// The gradient of <W, Phi_r(X)> in X^k for a field W: card(D^k) x r.
    fn pullback(&self, at: &Observations, w: &[f64], x: &Factors, k: usize) -> Mat;

    /// The gradients in all factors.
    fn pullbacks(&self, at: &Observations, w: &[f64], x: &Factors) -> Vec<Mat> {
        (0..x.0.len()).map(|k| self.pullback(at, w, x, k)).collect()
    }

    /// The r x r Gram matrix <phi(X_i), phi(X_j)> over the whole output.
    fn gram(&self, x: &Factors) -> Mat;

    /// An upper bound, rounding included, of sum_i |phi(X_i)| in the Frobenius norm, entries of |phi| summed in absolute
    /// value: the scale that the rounding error of [`Mapping::apply`] is relative to.
    fn magnitude(&self, x: &Factors) -> f64;

    /// An upper bound of ||phi(z)||_F over factors of unit l2 norm.
    fn gain(&self) -> f64 {
        1.0
    }

    /// Roundings in an entry of phi beyond those of its product.
    fn roundings(&self) -> usize {
        0
    }

    /// The inputs V of a network, one row per sample.
    fn inputs(&self) -> Option<&Mat> {
        None
    }

    /// Whether phi is the outer product of its factors, so that the polar is that of a matrix or an array.
    fn is_multilinear(&self) -> bool {
        true
    }
}

/// What a mapping is built from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup<'a> {
    /// Sizes of the output.
    pub sizes: &'a [usize],
    /// The inputs of a network, one row per sample.
    pub inputs: Option<&'a Mat>,
}

/// A mapping as the spec names it.
pub struct Kind {
    /// `mapping.kind`.
    pub name: &'static str,
    /// One line for lists and docs.
    pub summary: &'static str,
    /// K, the number of factors; `None`: one per index of the target.
    pub factors: Option<usize>,
    /// Whether it is a network on inputs, `data.input`.
    pub needs_inputs: bool,
    /// Builds it.
    pub build: fn(&Setup) -> Box<dyn Mapping>,
}

/// Every mapping. One line each.
pub const KINDS: &[&Kind] = &[&matrix::KIND, &psd::KIND, &cp::KIND, &relu::KIND];

/// W X^k-like products of a field with a matrix: W B (m x r).
pub fn field_mul(at: &Observations, w: &[f64], b: &Mat) -> Mat {
    match at {
        Observations::Full { rows, cols } => crate::linalg::dense::field_mul(w, *rows, *cols, b),
        Observations::Coordinates(p) => p.mul(w, b),
    }
}

/// W' B (n x r) for a field W.
pub fn field_tr_mul(at: &Observations, w: &[f64], b: &Mat) -> Mat {
    match at {
        Observations::Full { rows, cols } => crate::linalg::dense::field_tr_mul(w, *rows, *cols, b),
        Observations::Coordinates(p) => p.tr_mul(w, b),
    }
}

/// U V' at the observed entries.
fn product_at(at: &Observations, u: &Mat, v: &Mat) -> Vec<f64> {
    match at {
        Observations::Full { .. } => crate::linalg::dense::mul_tr(u, v).data.into(),
        Observations::Coordinates(p) => p.sampled_product(u, v),
    }
}
