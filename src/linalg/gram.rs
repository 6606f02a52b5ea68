//! The Gram matrix of the smaller side of W, as a map and formed.

use super::packed::{Packed, WIDTH};
use super::real::Real;
use super::simd::vectorised;
use super::{Mat, Pattern, dense};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// Where the values of a field stand.
#[derive(Clone, Copy, Debug)]
pub enum Layout<'a> {
    /// Every entry of a matrix, column-major.
    Full {
        /// m
        rows: usize,
        /// n
        cols: usize,
    },
    /// Those of a pattern.
    Listed(&'a Pattern),
}

impl Layout<'_> {
    /// The smaller of m and n.
    pub fn small_side(self) -> usize {
        match self {
            Self::Full { rows, cols } => rows.min(cols),
            Self::Listed(p) => p.rows().min(p.cols()),
        }
    }
}

/// W W' if m <= n, else W' W.
pub struct Gram<'a>(Storage<'a>);

enum Storage<'a> {
    Full { w: &'a [f64], rows: usize, cols: usize },
    Listed(Box<Both<'a>>),
}

/// W with the long side as rows, and its transpose, so that both products run along rows.
struct Both<'a> {
    tall: Lines<'a>,
    wide: Lines<'a>,
}

/// A sparse matrix.
struct Lines<'a> {
    pattern: Cow<'a, Pattern>,
    w: Cow<'a, [f64]>,
}

/// A row with at least this share of its entries costs less as part of a dense product.
const NEARLY_FULL: f64 = 1.0 / 6.0;

impl<'a> Gram<'a> {
    /// That of W, whose values are `w`.
    pub fn new(w: &'a [f64], layout: Layout<'a>) -> Self {
        Self(match layout {
            Layout::Full { rows, cols } => Storage::Full { w, rows, cols },
            Layout::Listed(p) => {
                let (turned, order) = p.transpose();
                let values = order.iter().map(|&k| w[k]).collect();
                let here = Lines { pattern: Cow::Borrowed(p), w: Cow::Borrowed(w) };
                let there = Lines { pattern: Cow::Owned(turned), w: Cow::Owned(values) };
                let (tall, wide) = if p.rows() > p.cols() { (here, there) } else { (there, here) };
                Storage::Listed(Box::new(Both { tall, wide }))
            }
        })
    }

    /// The larger of m and n.
    pub fn long_side(&self) -> usize {
        match &self.0 {
            Storage::Full { rows, cols, .. } => *rows.max(cols),
            Storage::Listed(b) => b.tall.pattern.rows(),
        }
    }

    /// How many terms a sum has at most: along the long side (for an entry of the matrix), and along the small one.
    pub fn terms(&self) -> (usize, usize) {
        match &self.0 {
            Storage::Full { rows, cols, .. } => (*rows.max(cols), *rows.min(cols)),
            Storage::Listed(b) => (b.wide.pattern.longest_row(), b.tall.pattern.longest_row()),
        }
    }

    /// G x.
    pub fn mul(&self, x: &Mat) -> Mat {
        match &self.0 {
            Storage::Full { w, rows, cols } => full_mul(w, *rows, *cols, x),
            Storage::Listed(b) if x.ncols() == 1 => b.wide.mul(&b.tall.mul(x, |w| w), |w| w),
            Storage::Listed(b) => {
                let Both { tall, wide } = &**b;
                let image = tall.pattern.mul_lines(&tall.w, &dense::transpose(x));
                dense::transpose(&wide.pattern.mul_lines(&wide.w, &image))
            }
        }
    }

    /// The same with |W|, for one column.
    pub fn absolute_mul(&self, x: &Mat) -> Mat {
        match &self.0 {
            Storage::Full { w, rows, cols } => full_absolute_mul(w, *rows, *cols, x.as_slice()),
            Storage::Listed(b) => b.wide.mul(&b.tall.mul(x, f64::abs), f64::abs),
        }
    }

    /// The matrix. Cost: that of a product, or the sum of the squared counts of the long side's lines.
    pub fn form(&self) -> Packed {
        let side = match &self.0 {
            Storage::Full { rows, cols, .. } => *rows.min(cols),
            Storage::Listed(b) => b.tall.pattern.cols(),
        };
        self.form_group(0..side)
    }

    /// Its rows and columns `group`.
    pub fn form_group<T: Real>(&self, group: Range<usize>) -> Packed<T> {
        match &self.0 {
            Storage::Full { w, rows, cols } => Packed::gram(&T::all(w), *rows, *cols, group),
            Storage::Listed(b) => b.tall.gram(group),
        }
    }
}

/// Columns whose products are summed before others'.
const TOGETHER: usize = 64;

/// G x for |W|, column by column.
fn full_absolute_mul(w: &[f64], m: usize, n: usize, x: &[f64]) -> Mat {
    let absolute = |c: &[f64], x: &[f64]| c.iter().zip(x).map(|(w, x)| w.abs() * x).sum::<f64>();
    let add = |c: &[f64], a: f64, out: &mut [f64]| c.iter().zip(out).for_each(|(w, out)| *out += a * w.abs());
    // sums over columns, by groups of them in a fixed order
    let over_columns = |of: &(dyn Fn(usize, &[f64]) -> f64 + Sync)| {
        let parts = w.par_chunks(m * TOGETHER).enumerate().map(|(g, columns)| {
            let mut out = vec![0.0; m];
            vectorised(
                #[inline(always)]
                || columns.chunks_exact(m).enumerate().for_each(|(k, c)| add(c, of(g * TOGETHER + k, c), &mut out)),
            );
            out
        });
        let parts: Vec<Vec<f64>> = parts.collect();
        let mut total = vec![0.0; m];
        parts.iter().for_each(|p| total.iter_mut().zip(p).for_each(|(t, p)| *t += p));
        total
    };
    if m <= n {
        return Mat::from_vec(m, 1, over_columns(&|_, c| absolute(c, x)));
    }
    let y = over_columns(&|j, _| x[j]);
    Mat::from_vec(n, 1, w.par_chunks(m).map(|c| absolute(c, &y)).collect())
}

fn full_mul(w: &[f64], m: usize, n: usize, x: &Mat) -> Mat {
    if m <= n {
        dense::field_mul(w, m, n, &dense::field_tr_mul(w, m, n, x))
    } else {
        dense::field_tr_mul(w, m, n, &dense::field_mul(w, m, n, x))
    }
}

impl Lines<'_> {
    /// f(W) x, f entry by entry.
    fn mul(&self, x: &Mat, f: impl Fn(f64) -> f64 + Sync) -> Mat {
        let mut out = Mat::zeros(self.pattern.rows(), 1);
        // rows of about this many entries together are worth a task
        let rows = 1 + (1 << 14) * self.pattern.rows() / self.pattern.len().max(1);
        out.as_mut_slice().par_iter_mut().enumerate().with_min_len(rows).for_each(|(i, y)| {
            *y = self.pattern.row(i).map(|(j, p)| f(self.w[p]) * x[j]).sum();
        });
        out
    }

    /// Rows and columns `group` of W' W: rows that are nearly full there by products of panels, then column j as the sum over
    /// its entries of what follows them in their rows.
    fn gram<T: Real>(&self, group: Range<usize>) -> Packed<T> {
        let p = &self.pattern;
        let (first, end, side) = (group.start, group.end, group.len());
        let mut g = Packed::zeros(side);
        let within = |i: usize| p.row(i).skip_while(move |e| e.0 < first).take_while(move |e| e.0 < end);
        let full: Vec<bool> =
            (0..p.rows()).into_par_iter().map(|i| within(i).count() as f64 >= NEARLY_FULL * side as f64).collect();
        let dense: Vec<usize> = (0..p.rows()).filter(|&i| full[i]).collect();
        for rows in dense.chunks(WIDTH) {
            let mut panel = vec![T::of(0.0); side * rows.len()];
            for (column, &i) in panel.chunks_exact_mut(side).zip(rows) {
                within(i).for_each(|(j, k)| column[j - first] = T::of(self.w[k]));
            }
            g.add_product(1.0, &panel, &panel);
        }
        g.for_each_column(|j, out| {
            for (i, k) in p.column(first + j).filter(|&(i, _)| !full[i]) {
                let head = T::of(self.w[k]);
                let after = p.row_from(i, k).take_while(|e| e.0 < end);
                after.for_each(|(l, q)| out[l - first - j] += head * T::of(self.w[q]));
            }
        });
        g
    }
}
