//! What the cones given by a matrix share: its rows, and A x with its rounding.

use crate::linalg::Mat;
use crate::linalg::sum::{Sum, gamma, norm_upper};
use crate::linalg::vector::unit_scale;

/// Membership is decided up to this share of ||a_i|| ||x||.
pub const TOLERANCE: f64 = 1e-12;

/// The rows of A, each brought to unit size by a power of two: the same cone exactly.
#[derive(Clone, Debug)]
pub struct Rows(pub Mat);

impl Rows {
    /// A at `path`.
    ///
    /// # Errors
    /// A sentence naming a row of zeros.
    pub fn new(a: &Mat) -> Result<Self, String> {
        let mut a = a.clone();
        for (i, mut row) in a.row_iter_mut().enumerate() {
            let values: Vec<f64> = row.iter().copied().collect();
            if values.iter().all(|x| *x == 0.0) {
                return Err(format!("row {} of the matrix is zero", i + 1));
            }
            row *= unit_scale(&values);
        }
        Ok(Self(a))
    }

    /// p.
    pub fn count(&self) -> usize {
        self.0.nrows()
    }

    /// a_i'x, bracketed.
    pub fn product(&self, i: usize, x: &[f64]) -> Sum {
        let mut s = Sum::new();
        self.0.row(i).iter().zip(x).for_each(|(a, x)| s.add_product(*a, *x));
        s
    }

    /// TOLERANCE ||a_i|| ||x||.
    pub fn slack(&self, i: usize, size: f64) -> f64 {
        TOLERANCE * self.0.row(i).norm() * size
    }

    /// ||x||_2, safe from overflow and underflow.
    pub fn size(x: &[f64]) -> f64 {
        let c = unit_scale(x);
        x.iter().map(|x| (x * c) * (x * c)).sum::<f64>().sqrt() / c
    }

    /// y <- y + D^-1 A'mu for any mu; returns the rounding.
    pub fn add(&self, y: &mut [f64], d: Option<&[f64]>, mu: &[f64]) -> f64 {
        let size: Vec<f64> = (0..y.len())
            .map(|j| {
                let d = d.map_or(1.0, |d| d[j]);
                let column = self.0.column(j);
                let (mut sum, mut size) = (0.0, 0.0);
                for (a, mu) in column.iter().zip(mu) {
                    sum += a * mu;
                    size += (a * mu).abs();
                }
                let before = y[j].abs();
                y[j] += sum / d;
                before + size / d
            })
            .collect();
        norm_upper(&size) * gamma(self.count() + 8)
    }
}
