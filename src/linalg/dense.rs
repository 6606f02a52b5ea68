//! Dense products and decompositions: nalgebra holds the numbers, faer does the work.

use super::Mat;
use super::simd::vectorised;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, MatMut, MatRef, Par, Side};
use rayon::prelude::*;

/// Entries that are worth a thread.
const LONG: usize = 1 << 15;

/// The threads that a product of `flops` floating-point operations is worth.
fn par(flops: f64) -> Par {
    if flops > 2e7 { Par::rayon(0) } else { Par::Seq }
}

/// A column-major slice seen as an m x n matrix.
fn view(x: &[f64], m: usize, n: usize) -> MatRef<'_, f64> {
    MatRef::from_column_major_slice(x, m, n)
}

fn multiply(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    multiply_into(a, b, out.as_mut_slice());
    out
}

/// The product over zeros.
fn multiply_into(a: MatRef<'_, f64>, b: MatRef<'_, f64>, out: &mut [f64]) {
    if out.is_empty() || a.ncols() == 0 {
        return;
    }
    let flops = 2.0 * a.nrows() as f64 * a.ncols() as f64 * b.ncols() as f64;
    let c = MatMut::from_column_major_slice_mut(out, a.nrows(), b.ncols());
    faer::linalg::matmul::matmul(c, Accum::Replace, a, b, 1.0, par(flops));
}

/// A B.
pub fn mul(a: &Mat, b: &Mat) -> Mat {
    multiply(view(a.as_slice(), a.nrows(), a.ncols()), view(b.as_slice(), b.nrows(), b.ncols()))
}

/// A' B.
pub fn tr_mul(a: &Mat, b: &Mat) -> Mat {
    multiply(view(a.as_slice(), a.nrows(), a.ncols()).transpose(), view(b.as_slice(), b.nrows(), b.ncols()))
}

/// A B'.
pub fn mul_tr(a: &Mat, b: &Mat) -> Mat {
    multiply(view(a.as_slice(), a.nrows(), a.ncols()), view(b.as_slice(), b.nrows(), b.ncols()).transpose())
}

/// A B over what is in `out`.
pub fn mul_into(a: &Mat, b: &Mat, out: &mut Mat) {
    multiply_into(
        view(a.as_slice(), a.nrows(), a.ncols()),
        view(b.as_slice(), b.nrows(), b.ncols()),
        out.as_mut_slice(),
    );
}

/// A'B over what is in `out`.
pub fn tr_mul_into(a: &Mat, b: &Mat, out: &mut Mat) {
    let a = view(a.as_slice(), a.nrows(), a.ncols()).transpose();
    multiply_into(a, view(b.as_slice(), b.nrows(), b.ncols()), out.as_mut_slice());
}

/// A B' over the zeros in `out`, column by column.
pub fn mul_tr_into(a: &Mat, b: &Mat, out: &mut [f64]) {
    let b = view(b.as_slice(), b.nrows(), b.ncols()).transpose();
    multiply_into(view(a.as_slice(), a.nrows(), a.ncols()), b, out);
}

/// A A', of which one half is formed.
pub fn gram_of_lines(a: &Mat) -> Mat {
    let mut gram = lower_gram(a, par(a.nrows() as f64 * a.nrows() as f64 * a.ncols() as f64));
    gram.fill_upper_triangle_with_lower_triangle();
    gram
}

/// The lower triangle of A A', with zeros above it, on one thread.
pub fn half_gram_of_lines(a: &Mat) -> Mat {
    lower_gram(a, Par::Seq)
}

fn lower_gram(a: &Mat, par: Par) -> Mat {
    let mut out = Mat::zeros(a.nrows(), a.nrows());
    if a.is_empty() {
        return out;
    }
    let a = view(a.as_slice(), a.nrows(), a.ncols());
    let c = MatMut::from_column_major_slice_mut(out.as_mut_slice(), a.nrows(), a.nrows());
    triangular::matmul(
        c,
        BlockStructure::TriangularLower,
        Accum::Replace,
        a,
        BlockStructure::Rectangular,
        a.transpose(),
        BlockStructure::Rectangular,
        1.0,
        par,
    );
    out
}

/// W X for an m x n field W in column-major order.
pub fn field_mul(w: &[f64], m: usize, n: usize, x: &Mat) -> Mat {
    multiply(view(w, m, n), view(x.as_slice(), x.nrows(), x.ncols()))
}

/// W' X for an m x n field W in column-major order.
pub fn field_tr_mul(w: &[f64], m: usize, n: usize, x: &Mat) -> Mat {
    multiply(view(w, m, n).transpose(), view(x.as_slice(), x.nrows(), x.ncols()))
}

/// W_(lines)' X for those lines of an m x n field W in column-major order; X has one row for each.
pub fn field_rows_tr_mul(w: &[f64], m: usize, n: usize, lines: std::ops::Range<usize>, x: &Mat) -> Mat {
    let w = view(w, m, n).subrows(lines.start, lines.len());
    multiply(w.transpose(), view(x.as_slice(), x.nrows(), x.ncols()))
}

/// X W (r x n) for X r x m and an m x n field W.
pub fn mul_field(x: &Mat, w: &[f64], m: usize, n: usize) -> Mat {
    multiply(view(x.as_slice(), x.nrows(), x.ncols()), view(w, m, n))
}

/// X W' (r x m) for X r x n and an m x n field W.
pub fn mul_field_tr(x: &Mat, w: &[f64], m: usize, n: usize) -> Mat {
    multiply(view(x.as_slice(), x.nrows(), x.ncols()), view(w, m, n).transpose())
}

/// X', copied tile by tile so that neither side strides through memory.
pub fn transpose(x: &Mat) -> Mat {
    const TILE: usize = 8;
    let (m, n) = x.shape();
    let mut out = Mat::zeros(n, m);
    let from = x.as_slice();
    // TILE columns of the result lie side by side
    out.as_mut_slice().par_chunks_mut((n * TILE).max(1)).with_min_len(LONG / (n * TILE).max(1)).enumerate().for_each(
        |(tile, to)| {
            let (i0, lines) = (tile * TILE, to.len() / n.max(1));
            vectorised(
                #[inline(always)]
                || {
                    let whole = if lines == TILE { n - n % TILE } else { 0 };
                    for j0 in (0..whole).step_by(TILE) {
                        let mut square = [[0.0; TILE]; TILE];
                        for (j, column) in square.iter_mut().enumerate() {
                            let at = (j0 + j) * m + i0;
                            column.copy_from_slice(&from[at..at + TILE]);
                        }
                        for i in 0..TILE {
                            let mut line = [0.0; TILE];
                            for j in 0..TILE {
                                line[j] = square[j][i];
                            }
                            to[i * n + j0..i * n + j0 + TILE].copy_from_slice(&line);
                        }
                    }
                    for (i, line) in to.chunks_exact_mut(n.max(1)).enumerate() {
                        for j in whole..n {
                            line[j] = from[j * m + i0 + i];
                        }
                    }
                },
            );
        },
    );
    out
}

/// Eigenvalues (ascending) and orthonormal eigenvectors (columns) of a symmetric matrix; `None` if they did not converge.
pub fn symmetric_eigen(a: &Mat) -> Option<(Vec<f64>, Mat)> {
    let n = a.nrows();
    if n == 0 {
        return Some((Vec::new(), Mat::zeros(0, 0)));
    }
    let e = view(a.as_slice(), n, n).self_adjoint_eigen(Side::Lower).ok()?;
    let values = (0..n).map(|i| e.S()[i]).collect();
    Some((values, Mat::from_fn(n, n, |i, j| e.U()[(i, j)])))
}

/// Its eigenvalues alone.
pub fn symmetric_eigenvalues(a: &Mat) -> Option<Vec<f64>> {
    let n = a.nrows();
    if n == 0 {
        return Some(Vec::new());
    }
    view(a.as_slice(), n, n).self_adjoint_eigenvalues(Side::Lower).ok()
}

/// Thin SVD A = U diag(s) V', s descending; `None` if it did not converge.
pub fn thin_svd(a: &Mat) -> Option<(Mat, Vec<f64>, Mat)> {
    let (m, n) = a.shape();
    let k = m.min(n);
    if k == 0 {
        return Some((Mat::zeros(m, 0), Vec::new(), Mat::zeros(n, 0)));
    }
    let d = view(a.as_slice(), m, n).thin_svd().ok()?;
    let s = (0..k).map(|i| d.S()[i]).collect();
    Some((Mat::from_fn(m, k, |i, j| d.U()[(i, j)]), s, Mat::from_fn(n, k, |i, j| d.V()[(i, j)])))
}

/// Its singular values alone, descending.
pub fn singular_values(a: &Mat) -> Option<Vec<f64>> {
    let (m, n) = a.shape();
    if m.min(n) == 0 {
        return Some(Vec::new());
    }
    view(a.as_slice(), m, n).singular_values().ok()
}

/// An orthonormal basis of the column space's superset: the thin Q of A = Q R.
pub fn orthonormal(a: &Mat) -> Mat {
    let (m, n) = a.shape();
    let k = m.min(n);
    let q = view(a.as_slice(), m, n).qr().compute_thin_Q();
    Mat::from_fn(m, k, |i, j| q[(i, j)])
}

/// S with its singular values clipped at `top`, through the Gram matrix of the smaller side; `None` if the decomposition did not
/// converge.
pub fn clip_singular_values(s: &Mat, top: f64) -> Option<Mat> {
    // S - S Q (1 - top / sigma) Q'
    let tall = s.nrows() >= s.ncols();
    let gram = if tall { tr_mul(s, s) } else { mul_tr(s, s) };
    let (values, vectors) = symmetric_eigen(&gram)?;
    let over: Vec<usize> = (0..values.len()).filter(|&i| values[i] > top * top).collect();
    if over.is_empty() {
        return Some(s.clone());
    }
    let q = vectors.select_columns(&over);
    let scaled = Mat::from_fn(q.nrows(), q.ncols(), |i, k| q[(i, k)] * (1.0 - top / values[over[k]].sqrt()));
    Some(if tall { s - mul_tr(&mul(s, &scaled), &q) } else { s - mul(&q, &tr_mul(&scaled, s)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::lanczos::gaussian;

    #[test]
    fn tiles_that_do_not_fit_are_turned_too() {
        for (m, n) in [(0, 0), (0, 3), (3, 0), (1, 1), (8, 8), (7, 9), (9, 7), (16, 23), (1, 300), (5000, 11)] {
            let x = gaussian(m, n, 1);
            assert_eq!(transpose(&x), x.transpose(), "{m} x {n}");
        }
    }

    #[test]
    fn the_lower_triangle_is_that_of_the_product() {
        for (m, n) in [(0, 3), (3, 0), (1, 5), (17, 40)] {
            let x = gaussian(m, n, 1);
            let expected = mul_tr(&x, &x).lower_triangle();
            assert!((half_gram_of_lines(&x) - &expected).norm() <= 1e-14 * expected.norm(), "{m} x {n}");
            let gram = gram_of_lines(&x);
            assert!((&gram - mul_tr(&x, &x)).norm() <= 1e-14 * gram.norm(), "{m} x {n}");
            assert_eq!(gram, gram.transpose());
        }
    }
}
