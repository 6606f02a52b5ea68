//! Total variation, `kind = "tv"` in a list of norms: sum_j |x_(j+1) - x_j| along a line, or with `shape` the sum of the
//! absolute differences of the neighbours in the rows and columns of an image ([`super::grid`]).
//!
//! It is 0 on constant vectors, so it is no norm alone: a slice of constants would cost nothing, and g would be degenerate
//! (Def. 8). It takes its place in a sum with `l1` or `l2`, [`super::sum`].

use super::grid::Grid;
use super::sum::Sum;
use super::{Kind, Norm};

/// Registration.
pub const KIND: Kind = Kind {
    name: "tv",
    summary: "sum of the absolute differences of neighbours on a line, or in an image of `shape`; in a sum with `l1` or `l2`",
    keys: &[],
    optional: &["shape"],
    build: |_| {
        Err("`tv` alone is 0 on constant vectors, so it is no norm: use it in a list such as \
             [{ kind = \"tv\", weight = 1.0 }, { kind = \"l2\", weight = 0.5 }]"
            .into())
    },
    examples,
};

fn examples(n: usize) -> Vec<Box<dyn Norm>> {
    let rows = (1..=n).rfind(|r| n.is_multiple_of(*r) && r * r <= n).unwrap_or(1);
    let of = |grid: Option<Grid>| {
        [(0.3, 0.0, 0.8), (0.0, 0.6, 0.5), (0.2, 0.5, 0.4)]
            .map(|(l1, l2, tv)| -> Box<dyn Norm> { Box::new(Sum { l1, l2, tv, grid: grid.clone(), ..Sum::default() }) })
    };
    of(None).into_iter().chain(of(Some(Grid::new((rows, n / rows))))).collect()
}

/// sum_j |x_(j+1) - x_j|.
pub fn variation(x: &[f64]) -> f64 {
    x.windows(2).map(|w| (w[1] - w[0]).abs()).sum()
}
