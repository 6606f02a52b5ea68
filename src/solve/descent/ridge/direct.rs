//! Rows of few entries, solved as the combinations of the entries' lines that they are.

use super::{Rows, Side};
use crate::linalg::simd::{Simd, axpy, dot};

/// Up to so many entries a row is solved as the combination of their lines that it is.
pub(super) const DIRECT: usize = 8;
/// A pivot below this share of its diagonal is no number to divide by.
const PIVOT: f64 = 1e-8;

impl Rows<'_> {
    /// The best row, where it has few entries: with w = z / c^(1/2) for the entries' z = b - c o Phi
    ///
    /// ```text
    /// u = V'z / mu      (mu I + C^(1/2) V V' C^(1/2)) w = mu C^(-1/2) b
    /// ```
    ///
    /// Whether it was found.
    #[inline(always)]
    pub(super) fn solve<S: Simd>(&self, simd: S, i: usize, u: &mut [f64]) -> bool {
        let (r, mu) = (u.len(), self.mu(i));
        let Side { b, c, .. } = self.side();
        let (others, first) = self.entries(i);
        let line = |l: usize| &self.other[l * r..(l + 1) * r];
        let mut lines = [0; DIRECT];
        let mut root = [0.0; DIRECT];
        let mut w = [0.0; DIRECT];
        let mut n = 0;
        for (l, p) in others.iter().zip(first..).filter(|(_, p)| c[*p] > 0.0) {
            (lines[n], root[n]) = (*l as usize, c[p].sqrt());
            w[n] = mu * b[p] / root[n];
            n += 1;
        }
        // the factor of Cholesky, and the first half of the solution beside it
        let mut factor = [[0.0; DIRECT]; DIRECT];
        for i in 0..n {
            for j in 0..=i {
                let own = if i == j { mu } else { 0.0 };
                let size = own + root[i] * root[j] * dot(simd, line(lines[i]), line(lines[j]));
                let left = (0..j).fold(size, |a, k| a - factor[i][k] * factor[j][k]);
                if i != j {
                    factor[i][j] = left / factor[j][j];
                } else if left > PIVOT * size {
                    factor[i][i] = left.sqrt();
                } else {
                    return false;
                }
            }
            w[i] = (0..i).fold(w[i], |w_i, k| w_i - factor[i][k] * w[k]) / factor[i][i];
        }
        u.fill(0.0);
        for i in (0..n).rev() {
            w[i] = (i + 1..n).fold(w[i], |w_i, k| w_i - factor[k][i] * w[k]) / factor[i][i];
            axpy(simd, root[i] * w[i] / mu, line(lines[i]), u);
        }
        true
    }
}
