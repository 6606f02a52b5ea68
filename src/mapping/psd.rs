//! Symmetric factorization, `mapping.kind = "psd"`.
//!
//! ```text
//! phi(u)      u u'                      degree 2, output n x n, one factor
//! Phi_r       U U'
//! pullback    d<W, U U'>/dU = (W + W') U
//! Gram        (U'U) o (U'U)
//! ```
//!
//! The loss sums over all n^2 entries, (i, j) and (j, i) alike.

use super::{Count, Factors, Kind, Mapping, field_mul, field_tr_mul, product_at};
use crate::data::Observations;
use crate::linalg::{Mat, dense, sum::norm_upper};

/// u u'.
#[derive(Debug)]
pub struct Psd;

/// Registration.
pub const KIND: Kind = Kind {
    name: "psd",
    summary: "X = U U', one factor, symmetric target",
    factors: Count::Exactly(1),
    needs_inputs: false,
    build: |_| Box::new(Psd),
};

impl Mapping for Psd {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn degree(&self) -> u32 {
        2
    }

    fn factor_rows(&self, (_, n): (usize, usize)) -> Vec<usize> {
        vec![n]
    }

    fn apply(&self, at: &Observations, x: &Factors) -> Vec<f64> {
        product_at(at, &x.0[0], &x.0[0])
    }

    fn pullback(&self, at: &Observations, w: &[f64], x: &Factors, _k: usize) -> Mat {
        field_mul(at, w, &x.0[0]) + field_tr_mul(at, w, &x.0[0])
    }

    fn gram(&self, x: &Factors) -> Mat {
        let g = dense::tr_mul(&x.0[0], &x.0[0]);
        g.component_mul(&g)
    }

    fn magnitude(&self, x: &Factors) -> f64 {
        (0..x.rank()).map(|i| norm_upper(x.slice(i)[0]).powi(2)).sum::<f64>() * (1.0 + 1e-10)
    }
}
