//! Canonical polyadic (CP) factorization of an array of order K, `mapping.kind = "cp"`.
//!
//! ```text
//! phi(x^1..x^K)   x^1 o x^2 o .. o x^K         degree K, output d_1 x .. x d_K
//! Phi_r           X^1 (X^K * .. * X^2)'        seen as d_1 x (d_2 .. d_K), * the columnwise Kronecker product
//! pullback        W_(k) (X^K * .. * X^1 without X^k)       (MTTKRP)
//! Gram            the entrywise product of all X^k'X^k
//! ```
//!
//! Entry (i_1, .., i_K) stands in row i_1 and column i_2 + d_2 (i_3 + d_3 (..)) of the observations, and in memory first index
//! fastest: no other unfolding is ever copied. On a matrix the mapping is [`super::matrix`]. Source: Kolda & Bader 2009.

use super::{Count, Factors, Kind, Mapping, matrix::Matrix, norm_product};
use crate::data::Observations;
use crate::linalg::{Mat, dense, mttkrp};

/// x^1 o .. o x^K for K >= 3.
#[derive(Debug)]
pub struct Cp {
    sizes: Vec<usize>,
}

/// Registration.
pub const KIND: Kind = Kind {
    name: "cp",
    summary: "X = sum of outer products of K vectors, one factor per index of the target",
    factors: Count::Indices,
    needs_inputs: false,
    build: |s| if s.sizes.len() > 2 { Box::new(Cp { sizes: s.sizes.to_vec() }) } else { Box::new(Matrix) },
};

impl Mapping for Cp {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn degree(&self) -> u32 {
        self.sizes.len() as u32
    }

    fn factor_rows(&self, _unfolding: (usize, usize)) -> Vec<usize> {
        self.sizes.clone()
    }

    fn apply(&self, at: &Observations, x: &Factors) -> Vec<f64> {
        match at {
            Observations::Full { .. } => mttkrp::full_product(&self.sizes, &x.0),
            Observations::Coordinates(p) => mttkrp::sampled(p, &self.sizes, &x.0),
        }
    }

    fn pullback(&self, at: &Observations, w: &[f64], x: &Factors, k: usize) -> Mat {
        match at {
            Observations::Full { .. } => mttkrp::full(w, &self.sizes, &x.0, k),
            Observations::Coordinates(p) => mttkrp::listed(p, w, &self.sizes, &x.0, k),
        }
    }

    fn gram(&self, x: &Factors) -> Mat {
        let one = Mat::from_element(x.rank(), x.rank(), 1.0);
        x.0.iter().map(|x| dense::tr_mul(x, x)).fold(one, |a, b| a.component_mul(&b))
    }

    fn magnitude(&self, x: &Factors) -> f64 {
        let size = |slice: &[&[f64]]| {
            // in the order in which the products are formed
            norm_product(slice[1..].iter().chain(&slice[..1]), 1.0)
        };
        (0..x.rank()).map(|i| size(&x.slice(i))).sum::<f64>() * (1.0 + 1e-10)
    }
}
