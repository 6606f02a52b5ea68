//! Where the data is: every entry of a matrix, or a list of coordinates.

use crate::linalg::Pattern;

/// The observed entries of an m x n target. A *field* over it is a `&[f64]` with one value per observed entry, in
/// observation order: column-major for [`Observations::Full`], row by row for [`Observations::Coordinates`].
#[derive(Clone, Debug, PartialEq)]
pub enum Observations {
    /// All m n entries.
    Full {
        /// m
        rows: usize,
        /// n
        cols: usize,
    },
    /// The entries of a pattern; nothing ever densifies them.
    Coordinates(Pattern),
}

impl Observations {
    /// (m, n).
    pub fn shape(&self) -> (usize, usize) {
        match self {
            Self::Full { rows, cols } => (*rows, *cols),
            Self::Coordinates(p) => (p.rows(), p.cols()),
        }
    }

    /// Number of observed entries = length of a field.
    pub fn len(&self) -> usize {
        match self {
            Self::Full { rows, cols } => rows * cols,
            Self::Coordinates(p) => p.len(),
        }
    }

    /// Whether nothing is observed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// (row, column) of every observed entry, in observation order.
    pub fn entries(&self) -> Box<dyn Iterator<Item = (usize, usize)> + '_> {
        match self {
            Self::Full { rows, cols } => Box::new((0..*cols).flat_map(move |j| (0..*rows).map(move |i| (i, j)))),
            Self::Coordinates(p) => Box::new(p.entries()),
        }
    }
}

/// The indices (i_1, .., i_K) of an entry of the unfolding d_1 x (d_2 .. d_K) of an array of these sizes.
pub fn indices(sizes: &[usize], (i, j): (usize, usize)) -> impl Iterator<Item = usize> {
    std::iter::once(i).chain(sizes[1..].iter().scan(j, |rest, d| {
        let index = *rest % d;
        *rest /= d;
        Some(index)
    }))
}
