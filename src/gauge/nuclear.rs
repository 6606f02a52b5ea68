//! The nuclear norm of a column that is a matrix, `norm = "nuclear"` with `shape`: the sum of its singular values,
//! [`super::schatten`]. Its dual norm is the largest one, attained at u v' for the first pair of singular vectors; its
//! unit ball is the convex hull of the matrices a b' with ||a|| = ||b|| = 1.

use super::schatten::{Of, Schatten};
use super::{Kind, Norm};

/// Registration.
pub const KIND: Kind = Kind {
    name: "nuclear",
    summary: "sum of the singular values of the matrix of `shape` that a column is",
    keys: &[],
    optional: &["shape"],
    build: |p| Ok(Box::new(Schatten::new(Of::Sum, p.shape, p.n)?) as Box<dyn Norm>),
    examples: |n| vec![Box::new(Schatten::example(Of::Sum, n))],
};
