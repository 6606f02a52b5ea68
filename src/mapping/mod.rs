//! Elemental mappings phi and Phi_r(X) = sum_i phi(X_i), positively homogeneous of degree p.
//!
//! To add one: a file with a `KIND`, and its line in [`KINDS`].

pub mod cp;
mod factors;
pub mod layers;
pub mod linear_net;
pub mod matrix;
pub mod psd;
pub mod relu;
pub mod relu_deep;

pub use factors::Factors;
pub use layers::{Activation, Layers, put_chain};

use crate::data::Observations;
use crate::linalg::sum::norm_upper;
use crate::linalg::{Mat, dense};

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

    /// For every factor about the diagonal of sum_j c_j (d Phi_j)^2, c the curvature at the observed entries, where the mapping
    /// has its own way to it.
    fn curvatures(&self, _at: &Observations, _curvature: &[f64], _x: &Factors) -> Option<Vec<Mat>> {
        None
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

    /// The sizes of the arrays that the columns of the factors hold, the last index fastest.
    fn slice_shapes(&self, shape: (usize, usize)) -> Vec<Vec<usize>> {
        self.factor_rows(shape).into_iter().map(|d| vec![d]).collect()
    }

    /// The inputs V of a network, one row per sample.
    fn inputs(&self) -> Option<&Mat> {
        None
    }

    /// Whether phi is the outer product of its factors, so that the polar is that of a matrix or an array.
    fn is_multilinear(&self) -> bool {
        true
    }

    /// The layers of a network of several.
    fn layers(&self) -> Option<&Layers> {
        None
    }

    /// The hidden units of a network of two layers whose polar is that of one of them.
    fn units(&self) -> Option<Units> {
        None
    }
}

/// Hidden units t -> max(t, 0) + slope min(t, 0).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Units {
    /// The slope below zero.
    pub slope: f64,
    /// How many a slice has.
    pub width: usize,
}

/// What a mapping is built from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup<'a> {
    /// Sizes of the output.
    pub sizes: &'a [usize],
    /// The inputs of a network, one row per sample.
    pub inputs: Option<&'a Mat>,
    /// The hidden layers of a network of several.
    pub layers: Option<&'a Layers>,
}

/// How many factors a mapping has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// So many.
    Exactly(usize),
    /// One per index of the target.
    Indices,
    /// One per layer of weights.
    Layers,
}

/// A mapping as the spec names it.
pub struct Kind {
    /// `mapping.kind`.
    pub name: &'static str,
    /// One line for lists and docs.
    pub summary: &'static str,
    /// K, the number of factors.
    pub factors: Count,
    /// Whether it is a network on inputs, `data.input`.
    pub needs_inputs: bool,
    /// Builds it.
    pub build: fn(&Setup) -> Box<dyn Mapping>,
}

/// Every mapping. One line each.
pub const KINDS: &[&Kind] = &[&matrix::KIND, &psd::KIND, &cp::KIND, &relu::KIND, &relu_deep::KIND, &linear_net::KIND];

/// The kind of this name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|k| k.name == name)
}

impl Kind {
    /// K for a target of so many indices and a network of these layers.
    pub fn count(&self, indices: usize, layers: Option<&Layers>) -> usize {
        match self.factors {
            Count::Exactly(count) => count,
            Count::Indices => indices,
            Count::Layers => layers.map_or(1, Layers::count),
        }
    }
}

/// Products of norms are not allowed to underflow below this: the rounding of what they bound is then still covered.
const FLOOR: f64 = 1e-280;

/// `gain` times the product of the norms of a slice's columns, up to rounding: 0 where one of them is, else [`FLOOR`] at least.
fn norm_product<'a>(columns: impl Iterator<Item = &'a &'a [f64]>, gain: f64) -> f64 {
    let norms: Vec<f64> = columns.map(|x| norm_upper(x)).collect();
    if norms.contains(&0.0) { 0.0 } else { norms.iter().fold(gain, |p: f64, n| (p * n).max(FLOOR)) }
}

/// W X^k-like products of a field with a matrix: W B (m x r).
pub fn field_mul(at: &Observations, w: &[f64], b: &Mat) -> Mat {
    match at {
        Observations::Full { rows, cols } => dense::field_mul(w, *rows, *cols, b),
        Observations::Coordinates(p) => p.mul(w, b),
    }
}

/// W' B (n x r) for a field W.
pub fn field_tr_mul(at: &Observations, w: &[f64], b: &Mat) -> Mat {
    match at {
        Observations::Full { rows, cols } => dense::field_tr_mul(w, *rows, *cols, b),
        Observations::Coordinates(p) => p.tr_mul(w, b),
    }
}

/// W'W B for a field W, or W W'B.
pub fn field_square(at: &Observations, w: &[f64], b: &Mat, of_columns: bool) -> Mat {
    match at {
        Observations::Full { .. } if of_columns => field_tr_mul(at, w, &field_mul(at, w, b)),
        Observations::Full { .. } => field_mul(at, w, &field_tr_mul(at, w, b)),
        Observations::Coordinates(p) => {
            // what is between, which may be long, is not turned
            let b = dense::transpose(b);
            let square = match of_columns {
                true => p.tr_mul_lines(w, &p.mul_lines(w, &b)),
                false => p.mul_lines(w, &p.tr_mul_lines(w, &b)),
            };
            dense::transpose(&square)
        }
    }
}

/// U V' at the observed entries.
fn product_at(at: &Observations, u: &Mat, v: &Mat) -> Vec<f64> {
    match at {
        Observations::Full { .. } => dense::mul_tr(u, v).data.into(),
        Observations::Coordinates(p) => p.sampled_product(u, v),
    }
}
