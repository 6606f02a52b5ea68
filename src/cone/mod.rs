//! Cones that a factor's columns may be confined to. To add one: a file with a `KIND`, and its line in [`KINDS`].

pub mod halfspaces;
pub mod kernel;
mod linear;
pub mod monotone;
pub mod nonnegative;
pub mod nonpositive;
pub mod psd;
pub mod sparse;

use crate::linalg::Mat;

/// A closed cone C in R^n, convex unless it says otherwise.
pub trait Cone: Send + Sync {
    /// The name in the spec.
    fn name(&self) -> &'static str;

    /// x <- the Euclidean projection of x onto C.
    fn project(&self, x: &mut [f64]);

    /// x <- argmin over z in C of sum_j m_j (z_j - x_j)^2, m > 0. As it stands: for cones on which the metric plays no part.
    fn project_metric(&self, x: &mut [f64], _m: &[f64]) {
        self.project(x);
    }

    /// The sign every coordinate is confined to, for orthants: +1 or -1. Such a cone composes with every absolute norm.
    fn orthant(&self) -> Option<f64> {
        None
    }

    /// Whether [`Cone::project_metric`] is exact in every metric, not in uniform ones alone.
    fn any_metric(&self) -> bool {
        true
    }

    /// Whether C is convex.
    fn is_convex(&self) -> bool {
        true
    }

    /// Whether -C = C.
    fn is_even(&self) -> bool {
        false
    }

    /// Index and value of the first coordinate (or of the first row of A x, for a cone given by A) that shows x outside C.
    fn violation(&self, x: &[f64]) -> Option<(usize, f64)>;

    /// The share of ||x|| that membership forgives: 0 where it is exact. What is forgiven counts in the objective, by
    /// [`Cone::distance_upper`].
    fn tolerance(&self) -> f64 {
        0.0
    }

    /// An upper bound, rounding included, of the distance to C of an x without a violation.
    fn distance_upper(&self, _x: &[f64]) -> f64 {
        0.0
    }

    /// y <- y - D^-1 q for some q with <q, x> <= 0 on C (D = diag(d), or the identity), so that ||y||_2 becomes small: the
    /// polar of ||D x||_2 on C is at most that norm. Returns an upper bound of the l2 norm of the rounding made. As it
    /// stands: q = 0.
    fn reduce(&self, _y: &mut [f64], _d: Option<&[f64]>) -> f64 {
        0.0
    }

    /// A with C = {x in R^n : A x >= 0}, where there is one.
    fn halfspaces(&self, _n: usize) -> Option<Mat> {
        None
    }

    /// Whether C is a subspace, so that [`Cone::reduce`] may be applied to every column of a matrix.
    fn is_subspace(&self) -> bool {
        false
    }
}

/// What the entry of a cone says beside its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// The matrix A at `path`, p x n.
    pub matrix: Option<Mat>,
    /// `nonzeros`.
    pub nonzeros: Option<usize>,
    /// n.
    pub n: usize,
}

/// A cone as the spec names it.
pub struct Kind {
    /// `cone` in a factor entry.
    pub name: &'static str,
    /// One line for lists and docs.
    pub summary: &'static str,
    /// The keys it takes beside `kind`; all of them are required.
    pub keys: &'static [&'static str],
    /// Builds it; a sentence if the parameters do not make a cone.
    pub build: fn(&Parameters) -> Result<Box<dyn Cone>, String>,
    /// What the laws are tested on: a cone in R^n of this kind, if there is one.
    pub example: fn(usize) -> Option<Box<dyn Cone>>,
}

/// Every cone. One line each.
pub const KINDS: &[&Kind] = &[
    &nonnegative::KIND,
    &nonpositive::KIND,
    &monotone::KIND,
    &halfspaces::KIND,
    &kernel::KIND,
    &sparse::KIND,
    &psd::KIND,
];
