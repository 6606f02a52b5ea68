//! A linear operator between the output and the field: sensing.
//!
//! ```text
//! (A X)_k = <A_k, X>,  k = 1..m          A*(z) = sum_k z_k A_k
//! ```

use crate::linalg::sum::{gamma, norm_upper};
use crate::linalg::{Mat, dense, lanczos};
use std::sync::OnceLock;

/// m matrices A_k of one shape, each a row over the entries of X in column-major order.
#[derive(Clone, Debug)]
pub struct Operator {
    rows: Rows,
    shape: (usize, usize),
    norm: f64,
    gain: OnceLock<f64>,
}

#[derive(Clone, Debug, PartialEq)]
enum Rows {
    /// m x (d1 d2).
    Dense(Mat),
    /// Per row: (position, value).
    Sparse(Vec<Vec<(u32, f64)>>),
}

/// Above this smaller side the operator's norm is bounded by its Frobenius norm.
const SIDE_LIMIT: usize = 1500;

impl PartialEq for Operator {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows && self.shape == other.shape
    }
}

impl Operator {
    /// From a dense m x (d1 d2) matrix.
    ///
    /// # Panics
    /// If the widths differ.
    pub fn dense(rows: Mat, shape: (usize, usize)) -> Self {
        assert_eq!(rows.ncols(), shape.0 * shape.1, "a row has one entry per entry of X");
        let norm = norm_upper(rows.as_slice());
        Self { rows: Rows::Dense(rows), shape, norm, gain: OnceLock::new() }
    }

    /// From the nonzeros of each row: (position, value), positions below d1 d2.
    pub fn sparse(rows: Vec<Vec<(u32, f64)>>, shape: (usize, usize)) -> Self {
        let values: Vec<f64> = rows.iter().flatten().map(|e| e.1).collect();
        Self { rows: Rows::Sparse(rows), shape, norm: norm_upper(&values), gain: OnceLock::new() }
    }

    /// (d1, d2).
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// m.
    pub fn len(&self) -> usize {
        match &self.rows {
            Rows::Dense(a) => a.nrows(),
            Rows::Sparse(a) => a.len(),
        }
    }

    /// Whether there is no measurement.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The operator of these measurements.
    pub fn select(&self, kept: &[usize]) -> Self {
        match &self.rows {
            Rows::Dense(a) => Self::dense(a.select_rows(kept), self.shape),
            Rows::Sparse(a) => Self::sparse(kept.iter().map(|&k| a[k].clone()).collect(), self.shape),
        }
    }

    /// A X for the entries of X in column-major order.
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        match &self.rows {
            Rows::Dense(a) => dense::mul(a, &Mat::from_column_slice(x.len(), 1, x)).data.into(),
            Rows::Sparse(a) => a.iter().map(|row| row.iter().map(|&(c, v)| v * x[c as usize]).sum()).collect(),
        }
    }

    /// A*(z), column-major.
    pub fn adjoint(&self, z: &[f64]) -> Vec<f64> {
        self.combine(z, |v| v)
    }

    /// sum_k c_k A_k o A_k: what curvature c_k of measurement k means for the entries of X, one by one.
    pub fn adjoint_of_squares(&self, c: &[f64]) -> Vec<f64> {
        self.combine(c, |v| v * v)
    }

    fn combine(&self, z: &[f64], of: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut out = vec![0.0; self.shape.0 * self.shape.1];
        match &self.rows {
            Rows::Dense(a) => {
                for (out, column) in out.iter_mut().zip(a.column_iter()) {
                    *out = column.iter().zip(z).map(|(a, z)| of(*a) * z).sum();
                }
            }
            Rows::Sparse(a) => {
                for (row, z) in a.iter().zip(z) {
                    row.iter().for_each(|&(c, v)| out[c as usize] += of(v) * z);
                }
            }
        }
        out
    }

    /// A bound of the rounding of [`Operator::adjoint`] in the Frobenius norm: sums of m terms, | sum_k |z_k| |A_k| |_F is at
    /// most ||z|| ||A||_F.
    pub fn adjoint_rounding(&self, z: &[f64]) -> f64 {
        gamma(self.len() + 4) * norm_upper(z) * self.norm * (1.0 + gamma(4))
    }

    /// A bound of the rounding of [`Operator::apply`] in the l2 norm, for an X with |X| <= Y entry by entry, ||Y||_F <= `size`.
    pub fn apply_rounding(&self, size: f64) -> f64 {
        gamma(self.shape.0 * self.shape.1 + 4) * size * self.norm * (1.0 + gamma(4))
    }

    /// ||A||_F, rounded up: ||A X|| <= ||A||_F ||X||_F, and the same of A*.
    pub fn norm_upper(&self) -> f64 {
        self.norm
    }

    /// ||A||^2 as an operator, up to rounding; the square of the Frobenius norm where the operator is large.
    pub fn gain(&self) -> f64 {
        *self.gain.get_or_init(|| match &self.rows {
            Rows::Dense(a) if a.nrows().min(a.ncols()) <= SIDE_LIMIT => {
                let gram = if a.nrows() <= a.ncols() { dense::mul_tr(a, a) } else { dense::tr_mul(a, a) };
                lanczos::lambda_max(&gram) * (1.0 + 1e-6)
            }
            _ => self.norm * self.norm,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::vector::dot;

    #[test]
    fn dense_and_sparse_rows_agree_and_the_adjoint_is_one() {
        let a = lanczos::gaussian(7, 12, 1);
        let rows: Vec<Vec<(u32, f64)>> =
            (0..7).map(|k| (0..12).filter(|c| (k + c) % 3 > 0).map(|c| (c as u32, a[(k, c)])).collect()).collect();
        let mut thinned = Mat::zeros(7, 12);
        rows.iter().enumerate().for_each(|(k, r)| r.iter().for_each(|&(c, v)| thinned[(k, c as usize)] = v));
        let (d, s) = (Operator::dense(thinned, (4, 3)), Operator::sparse(rows, (4, 3)));
        let (x, z) = (lanczos::gaussian(12, 1, 2), lanczos::gaussian(7, 1, 3));
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-13);
        assert!(close(&d.apply(x.as_slice()), &s.apply(x.as_slice())));
        assert!(close(&d.adjoint(z.as_slice()), &s.adjoint(z.as_slice())));
        assert!(close(&d.adjoint_of_squares(z.as_slice()), &s.adjoint_of_squares(z.as_slice())));
        for a in [&d, &s] {
            let pairing = dot(&a.apply(x.as_slice()), z.as_slice()) - dot(x.as_slice(), &a.adjoint(z.as_slice()));
            assert!(pairing.abs() < 1e-12);
            assert!(dot(&a.apply(x.as_slice()), &a.apply(x.as_slice())) <= a.gain() * x.norm_squared());
            let kept = a.select(&[6, 0]);
            assert!(close(&kept.apply(x.as_slice()), &[a.apply(x.as_slice())[6], a.apply(x.as_slice())[0]]));
        }
    }
}
