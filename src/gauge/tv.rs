//! Total variation along a line, `kind = "tv"` in a list of norms: sum_j |x_(j+1) - x_j|.
//!
//! It is 0 on constant vectors, so it is no norm alone: a slice of constants would cost nothing, and g would be degenerate
//! (Def. 8). It takes its place in a sum with `l1` or `l2`, [`super::sum`].

use super::sum::Sum;
use super::{Kind, Norm};

/// Registration.
pub const KIND: Kind = Kind {
    name: "tv",
    summary: "sum of the absolute differences of neighbours, in a sum with `l1` or `l2`",
    keys: &[],
    build: |_| {
        Err("`tv` alone is 0 on constant vectors, so it is no norm: use it in a list such as \
             [{ kind = \"tv\", weight = 1.0 }, { kind = \"l2\", weight = 0.5 }]"
            .into())
    },
    examples,
};

fn examples(_n: usize) -> Vec<Box<dyn Norm>> {
    let sum = |l1, l2, tv| -> Box<dyn Norm> { Box::new(Sum { l1, l2, tv, ..Sum::default() }) };
    vec![sum(0.3, 0.0, 0.8), sum(0.0, 0.6, 0.5), sum(0.2, 0.5, 0.4)]
}

/// sum_j |x_(j+1) - x_j|.
pub fn variation(x: &[f64]) -> f64 {
    x.windows(2).map(|w| (w[1] - w[0]).abs()).sum()
}
