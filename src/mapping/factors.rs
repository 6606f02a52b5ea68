//! The factors (X^1..X^K)_r.

use crate::linalg::Mat;

/// K matrices of card(D^k) x r; slice i is column i of each.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors(pub Vec<Mat>);

impl Factors {
    /// r = 0 slices of the given lengths.
    pub fn empty(rows: &[usize]) -> Self {
        Self(rows.iter().map(|&d| Mat::zeros(d, 0)).collect())
    }

    /// Number of slices r.
    pub fn rank(&self) -> usize {
        self.0[0].ncols()
    }

    /// Slice i: one column per factor.
    pub fn slice(&self, i: usize) -> Vec<&[f64]> {
        self.0.iter().map(|x| &x.as_slice()[i * x.nrows()..(i + 1) * x.nrows()]).collect()
    }

    /// Appends the slices of `other`.
    pub fn append(&mut self, other: &Factors) {
        for (x, new) in self.0.iter_mut().zip(&other.0) {
            let (d, r) = x.shape();
            let mut data = std::mem::replace(x, Mat::zeros(0, 0)).data.into();
            let values: &mut Vec<f64> = &mut data;
            values.extend_from_slice(new.as_slice());
            *x = Mat::from_vec(d, r + new.ncols(), data);
        }
    }

    /// Keeps the slices whose flag is set.
    pub fn keep(&mut self, flags: &[bool]) {
        let kept: Vec<usize> = (0..flags.len()).filter(|&i| flags[i]).collect();
        for x in &mut self.0 {
            *x = x.select_columns(&kept);
        }
    }

    /// Scales every factor's part of slice i by `factor`.
    pub fn scale_slice(&mut self, i: usize, factor: f64) {
        for x in &mut self.0 {
            x.column_mut(i).scale_mut(factor);
        }
    }
}
