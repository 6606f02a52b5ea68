//! The Frobenius norm of a column that is a matrix, `norm = "frobenius"`, with or without `shape`: the l2 norm of its
//! entries, and treated as that everywhere.

use super::schatten::check;
use super::{Kind, Norm, l2::L2};

/// Registration.
pub const KIND: Kind = Kind {
    name: "frobenius",
    summary: "Euclidean norm of the entries of the matrix that a column is: `l2`",
    keys: &[],
    optional: &["shape"],
    build: |p| {
        p.shape.map_or(Ok(()), |shape| check(KIND.name, shape, p.n))?;
        Ok(Box::new(L2) as Box<dyn Norm>)
    },
    // the laws of `l2` are its own
    examples: |_| Vec::new(),
};
