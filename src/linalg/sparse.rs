//! The sparsity pattern of observed entries: rows compressed, with the map to columns.
//!
//! A *field* over a [`Pattern`] is a slice with one value per listed entry, in row order (row by row, columns ascending).

use super::simd::{self, HELD, Simd, WIDEST, WithSimd};
use super::vector::axpy;
use super::{Mat, dense};
use rayon::prelude::*;

/// Positions (i, j) in an m x n matrix, in row order, each at most once.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    rows: usize,
    cols: usize,
    row_start: Vec<usize>,
    col: Vec<u32>,
    col_start: Vec<usize>,
    row_of: Vec<u32>,
    position: Vec<usize>,
}

/// Two entries name the same position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entries {first} and {second} (counted from 0) have the same position")]
pub struct Duplicate {
    /// Index of the earlier entry in the caller's order.
    pub first: usize,
    /// Index of the later entry in the caller's order.
    pub second: usize,
}

impl Pattern {
    /// Sorts `entries` (i, j) into row order. Returns the pattern and the permutation: field position -> index in `entries`.
    ///
    /// # Errors
    /// [`Duplicate`] if a position is listed twice.
    ///
    /// # Panics
    /// If an index lies outside the shape, or a dimension exceeds `u32::MAX`.
    pub fn new(rows: usize, cols: usize, entries: &[(usize, usize)]) -> Result<(Self, Vec<usize>), Duplicate> {
        assert!(rows <= u32::MAX as usize && cols <= u32::MAX as usize, "dimension exceeds 2^32 - 1");
        assert!(entries.iter().all(|&(i, j)| i < rows && j < cols), "an index lies outside the shape");
        let (by_column, col_start) = in_order(0..entries.len(), cols, |k| entries[k].1);
        let (order, row_start) = in_order(by_column, rows, |k| entries[k].0);
        if let Some(w) = order.windows(2).find(|w| entries[w[0]] == entries[w[1]]) {
            return Err(Duplicate { first: w[0], second: w[1] });
        }
        let col: Vec<u32> = order.iter().map(|&k| entries[k].1 as u32).collect();
        let mut next = col_start.clone();
        let mut row_of = vec![0; entries.len()];
        let mut position = vec![0; entries.len()];
        for (p, &k) in order.iter().enumerate() {
            let (i, j) = entries[k];
            row_of[next[j]] = i as u32;
            position[next[j]] = p;
            next[j] += 1;
        }
        Ok((Self { rows, cols, row_start, col, col_start, row_of, position }, order))
    }

    /// Number of rows m.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns n.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Number of listed entries.
    pub fn len(&self) -> usize {
        self.col.len()
    }

    /// Whether no entry is listed.
    pub fn is_empty(&self) -> bool {
        self.col.is_empty()
    }

    /// Field positions of row `i`.
    pub fn row_range(&self, i: usize) -> std::ops::Range<usize> {
        self.row_start[i]..self.row_start[i + 1]
    }

    /// The first row that begins at field position `p` or later.
    pub fn row_of_position(&self, p: usize) -> usize {
        self.row_start.partition_point(|&start| start < p).min(self.rows)
    }

    /// (column, field position) of row `i`, columns ascending.
    pub fn row(&self, i: usize) -> impl Iterator<Item = (usize, usize)> + Clone + '_ {
        self.row_range(i).map(|p| (self.col[p] as usize, p))
    }

    /// The same from field position `p` on.
    pub fn row_from(&self, i: usize, p: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        (p..self.row_start[i + 1]).map(|p| (self.col[p] as usize, p))
    }

    /// Entries of the longest row.
    pub fn longest_row(&self) -> usize {
        self.row_start.windows(2).map(|s| s[1] - s[0]).max().unwrap_or(0)
    }

    /// (row, field position) of column `j`, rows ascending.
    pub fn column(&self, j: usize) -> impl Iterator<Item = (usize, usize)> + Clone + '_ {
        (self.col_start[j]..self.col_start[j + 1]).map(|q| (self.row_of[q] as usize, self.position[q]))
    }

    /// The columns of row `i`, and the field position of the first.
    pub fn along_row(&self, i: usize) -> (&[u32], usize) {
        (&self.col[self.row_range(i)], self.row_start[i])
    }

    /// The rows of column `j`, and where the first is in the order of [`in_column_order`](Self::in_column_order).
    pub fn along_column(&self, j: usize) -> (&[u32], usize) {
        (&self.row_of[self.col_start[j]..self.col_start[j + 1]], self.col_start[j])
    }

    /// A field column by column, rows ascending.
    pub fn in_column_order(&self, w: &[f64]) -> Vec<f64> {
        self.position.par_iter().with_min_len(4096).map(|&p| w[p]).collect()
    }

    /// (row, column) of every field position, in field order.
    pub fn entries(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..self.rows).flat_map(move |i| self.row(i).map(move |(j, _)| (i, j)))
    }

    /// W X for the sparse W with this pattern and values `w`; X is n x r, the result m x r.
    pub fn mul(&self, w: &[f64], x: &Mat) -> Mat {
        dense::transpose(&self.mul_lines(w, &dense::transpose(x)))
    }

    /// W' X; X is m x r, the result n x r.
    pub fn tr_mul(&self, w: &[f64], x: &Mat) -> Mat {
        dense::transpose(&self.tr_mul_lines(w, &dense::transpose(x)))
    }

    /// (W X)' for X given transposed, r x n: the result is r x m. A line of X lies side by side, so nothing is copied.
    pub fn mul_lines(&self, w: &[f64], xt: &Mat) -> Mat {
        let mut out = Mat::zeros(xt.nrows(), self.rows);
        self.add_mul_lines(1.0, w, (xt.as_slice(), xt.nrows()), out.as_mut_slice());
        out
    }

    /// out <- out + a (W X)', where the lines of X, of length r, lie side by side, as those of `out` do.
    pub fn add_mul_lines(&self, a: f64, w: &[f64], (x, r): (&[f64], usize), out: &mut [f64]) {
        out.par_chunks_mut(r.max(1)).enumerate().with_min_len(64).for_each(|(i, o)| {
            simd::run(Combine { entries: self.row(i), a, w, x, out: o });
        });
    }

    /// (W' X)' for X given transposed, r x m: the result is r x n.
    pub fn tr_mul_lines(&self, w: &[f64], xt: &Mat) -> Mat {
        let mut out = Mat::zeros(xt.nrows(), self.cols);
        self.add_tr_mul_lines(1.0, w, (xt.as_slice(), xt.nrows()), out.as_mut_slice());
        out
    }

    /// out <- out + a (W' X)', likewise.
    pub fn add_tr_mul_lines(&self, a: f64, w: &[f64], (x, r): (&[f64], usize), out: &mut [f64]) {
        out.par_chunks_mut(r.max(1)).enumerate().with_min_len(64).for_each(|(j, o)| {
            simd::run(Combine { entries: self.column(j), a, w, x, out: o });
        });
    }

    /// The pattern of the transpose, and where its field positions are here.
    pub fn transpose(&self) -> (Self, &[usize]) {
        let mut position = vec![0; self.len()];
        self.position.iter().enumerate().for_each(|(q, &p)| position[p] = q);
        let turned = Self {
            rows: self.cols,
            cols: self.rows,
            row_start: self.col_start.clone(),
            col: self.row_of.clone(),
            col_start: self.row_start.clone(),
            row_of: self.col.clone(),
            position,
        };
        (turned, &self.position)
    }

    /// The sampled product (U V')_ij at the listed entries; U is m x r, V n x r.
    pub fn sampled_product(&self, u: &Mat, v: &Mat) -> Vec<f64> {
        self.sampled_product_lines(dense::transpose(u).as_slice(), dense::transpose(v).as_slice(), u.ncols())
    }

    /// The same where the lines of U, of length r, lie side by side, and those of V.
    pub fn sampled_product_lines(&self, u: &[f64], v: &[f64], r: usize) -> Vec<f64> {
        let mut out = vec![0.0; self.len()];
        let mut rest = out.as_mut_slice();
        let mut pieces = Vec::with_capacity(self.rows);
        for i in 0..self.rows {
            let (head, tail) = rest.split_at_mut(self.row_range(i).len());
            pieces.push(head);
            rest = tail;
        }
        pieces.into_par_iter().enumerate().with_min_len(64).for_each(|(i, o)| {
            simd::run(Sampled { at: self, i, u: &u[i * r..(i + 1) * r], v, out: o });
        });
        out
    }
}

/// u'v_j for the entries of row i.
struct Sampled<'a> {
    at: &'a Pattern,
    i: usize,
    u: &'a [f64],
    v: &'a [f64],
    out: &'a mut [f64],
}

impl WithSimd for Sampled<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let r = self.u.len();
        for ((j, _), x) in self.at.row(self.i).zip(self.out) {
            *x = simd::dot(simd, self.u, &self.v[j * r..(j + 1) * r]);
        }
    }
}

/// Items in the order of their keys below `count`, those of one key as they come, and where those of each key begin.
fn in_order(
    items: impl IntoIterator<Item = usize> + Clone,
    count: usize,
    key: impl Fn(usize) -> usize,
) -> (Vec<usize>, Vec<usize>) {
    let mut start = vec![0; count + 1];
    items.clone().into_iter().for_each(|k| start[key(k) + 1] += 1);
    for i in 0..count {
        start[i + 1] += start[i];
    }
    let mut next = start.clone();
    let mut order = vec![0; start[count]];
    for k in items {
        let at = &mut next[key(k)];
        order[*at] = k;
        *at += 1;
    }
    (order, start)
}

/// out <- out + a sum over the entries (k, p) of w_p x_k, x_k of length r side by side: in registers, as many coordinates at a
/// time as those hold.
struct Combine<'a, I> {
    entries: I,
    a: f64,
    w: &'a [f64],
    x: &'a [f64],
    out: &'a mut [f64],
}

impl<I: Iterator<Item = (usize, usize)> + Clone> WithSimd for Combine<'_, I> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let r = self.out.len();
        if r < S::F64_LANES {
            let mut sum = [0.0; WIDEST];
            for (k, p) in self.entries {
                axpy(self.w[p], &self.x[k * r..(k + 1) * r], &mut sum[..r]);
            }
            return axpy(self.a, &sum[..r], self.out);
        }
        let mut c = 0;
        while c < r {
            let held = (r - c).div_ceil(S::F64_LANES).min(HELD);
            let sums = match held {
                1 => self.block::<S, 1>(simd, c),
                2 => self.block::<S, 2>(simd, c),
                3 => self.block::<S, 3>(simd, c),
                4 => self.block::<S, 4>(simd, c),
                5 => self.block::<S, 5>(simd, c),
                6 => self.block::<S, 6>(simd, c),
                7 => self.block::<S, 7>(simd, c),
                _ => self.block::<S, HELD>(simd, c),
            };
            let next = (c + held * S::F64_LANES).min(r);
            let whole = (next - c) / S::F64_LANES * S::F64_LANES;
            axpy(self.a, &sums[..whole], &mut self.out[c..c + whole]);
            // the last vector overlaps the one before
            axpy(
                self.a,
                &sums[held * S::F64_LANES - (next - c - whole)..held * S::F64_LANES],
                &mut self.out[c + whole..next],
            );
            c = next;
        }
    }
}

impl<I: Iterator<Item = (usize, usize)> + Clone> Combine<'_, I> {
    /// The sums from coordinate c on in N vectors, the last one of which ends where the line does if it would go beyond.
    #[inline(always)]
    fn block<S: Simd, const N: usize>(&self, simd: S, c: usize) -> [f64; WIDEST * HELD] {
        let r = self.out.len();
        let last = (c + (N - 1) * S::F64_LANES).min(r - S::F64_LANES);
        let mut sums = [simd.splat_f64s(0.0); N];
        for (k, p) in self.entries.clone() {
            let w = simd.splat_f64s(self.w[p]);
            let line = &self.x[k * r..(k + 1) * r];
            let end = &S::as_simd_f64s(&line[last..]).0[0];
            let line = &S::as_simd_f64s(&line[c..]).0[..N - 1];
            for j in 0..N - 1 {
                sums[j] = simd.mul_add_e_f64s(w, line[j], sums[j]);
            }
            sums[N - 1] = simd.mul_add_e_f64s(w, *end, sums[N - 1]);
        }
        let mut out = [0.0; WIDEST * HELD];
        S::as_mut_simd_f64s(&mut out).0[..N].copy_from_slice(&sums);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::lanczos::gaussian;

    /// Products of every width that registers hold in whole or in part, and of more, are those of the dense matrix.
    #[test]
    fn products_are_those_of_the_dense_matrix() {
        let (m, n) = (23, 17);
        let entries: Vec<(usize, usize)> =
            (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).filter(|(i, j)| (i * 5 + j * 3) % 7 < i % 5).collect();
        let (at, _) = Pattern::new(m, n, &entries).unwrap();
        let w = gaussian(at.len(), 1, 1).as_slice().to_vec();
        let mut dense = Mat::zeros(m, n);
        at.entries().zip(&w).for_each(|(e, w)| dense[e] = *w);
        for r in (1..=20).chain([31, 32, 33, 63, 64, 65, 71, 140]) {
            let (u, v) = (gaussian(m, r, 2), gaussian(n, r, 3));
            let close = |found: Mat, expected: Mat, what: &str| {
                assert!((found - &expected).norm() <= 1e-14 * expected.norm(), "{what}, {r} columns");
            };
            close(at.mul(&w, &v), &dense * &v, "W V");
            close(at.tr_mul(&w, &u), dense.tr_mul(&u), "W'U");
            let mut out = v.transpose();
            at.add_tr_mul_lines(-2.0, &w, (u.transpose().as_slice(), r), out.as_mut_slice());
            close(out.transpose(), &v - dense.tr_mul(&u) * 2.0, "V - 2 W'U");
            let whole = &u * v.transpose();
            let expected = Mat::from_iterator(at.len(), 1, at.entries().map(|e| whole[e]));
            close(Mat::from_vec(at.len(), 1, at.sampled_product(&u, &v)), expected, "U V'");
        }
    }
}
