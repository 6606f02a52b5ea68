//! Matrix factorization, `mapping.kind = "matrix"`.
//!
//! ```text
//! phi(u, v)   u v'                      degree 2, output m x n, u in R^m, v in R^n
//! Phi_r       U V'
//! pullback    d<W, U V'>/dU = W V,      d<W, U V'>/dV = W' U
//! Gram        (U'U) o (V'V)
//! ```

use super::{Count, Factors, Kind, Mapping, field_mul, field_tr_mul, product_at};
use crate::data::Observations;
use crate::linalg::{Mat, dense, sum::norm_upper};

/// u v'.
#[derive(Debug)]
pub struct Matrix;

/// Registration.
pub const KIND: Kind = Kind {
    name: "matrix",
    summary: "X = U V', two factors",
    factors: Count::Exactly(2),
    needs_inputs: false,
    build: |_| Box::new(Matrix),
};

impl Mapping for Matrix {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn degree(&self) -> u32 {
        2
    }

    fn factor_rows(&self, (m, n): (usize, usize)) -> Vec<usize> {
        vec![m, n]
    }

    fn apply(&self, at: &Observations, x: &Factors) -> Vec<f64> {
        product_at(at, &x.0[0], &x.0[1])
    }

    fn pullback(&self, at: &Observations, w: &[f64], x: &Factors, k: usize) -> Mat {
        if k == 0 { field_mul(at, w, &x.0[1]) } else { field_tr_mul(at, w, &x.0[0]) }
    }

    fn gram(&self, x: &Factors) -> Mat {
        dense::tr_mul(&x.0[0], &x.0[0]).component_mul(&dense::tr_mul(&x.0[1], &x.0[1]))
    }

    fn magnitude(&self, x: &Factors) -> f64 {
        (0..x.rank()).map(|i| norm_upper(x.slice(i)[0]) * norm_upper(x.slice(i)[1])).sum::<f64>() * (1.0 + 1e-10)
    }
}
