//! The spectral norm of a column that is a matrix, `norm = "spectral"` with `shape`: its largest singular value,
//! [`super::schatten`]. Its dual norm is their sum, attained at U V'.

use super::schatten::{Of, Schatten};
use super::{Kind, Norm};

/// Registration.
pub const KIND: Kind = Kind {
    name: "spectral",
    summary: "largest singular value of the matrix of `shape` that a column is",
    keys: &[],
    optional: &["shape"],
    build: |p| Ok(Box::new(Schatten::new(Of::Largest, p.shape, p.n)?) as Box<dyn Norm>),
    examples: |n| vec![Box::new(Schatten::example(Of::Largest, n))],
};
