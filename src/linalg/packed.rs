//! Symmetric matrices stored as block columns of their lower triangle, half the memory of a square, and their Cholesky
//! factorization in place.
//!
//! What a completed factorization proves. Every entry l_ij is a_ij less the products l_ik l_jk, k < j, divided by l_jj (or
//! the root of that, i = j). However the products are grouped, every operand meets at most
//!
//! ```text
//! h = WIDTH + ceil(n / WIDTH) + 32     roundings:
//!     WIDTH               a product and the sums within one matrix product of inner dimension <= WIDTH
//!     ceil(n / WIDTH)     subtractions of such products from the trailing block columns
//!     32                  subtractions within a block column (one per halving, LEAF in its leaves), division or root
//! ```
//!
//! (in any order, with or without fused multiply-add, since each only removes a rounding). By the usual argument (Higham,
//! "Accuracy and Stability of Numerical Algorithms", Lemma 8.4 and Theorem 10.3), with gamma_h = h u / (1 - h u):
//!
//! ```text
//! L L' = A + E,   |E_ij| <= gamma_h sum_k |l_ik| |l_jk| <= gamma_h / (1 - gamma_h) sqrt(a_ii a_jj)
//! lambda_min(A) >= -||E||_2 >= -gamma_h / (1 - gamma_h) trace(A)
//! ```
//!
//! The second inequality: the diagonal of the first gives (1 - gamma_h) sum_k l_ik^2 <= a_ii. Nothing is assumed of the
//! library's product but that it sums each entry's k products, each rounded in the usual way: no Strassen-like scheme. u is that of
//! the precision, which is half the usual one where there is room for its error.

use super::real::Real;
use super::simd::vectorised;
use super::sum::{UNIT_ROUNDOFF, gamma};
use super::vector::{axpy, dot};
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::ops::Range;

/// Columns of a block.
pub const WIDTH: usize = 128;

/// Columns that are factored one by one.
const LEAF: usize = 16;

/// The lower triangle of a symmetric n x n matrix.
#[derive(Clone, Debug)]
pub struct Packed<T = f64> {
    side: usize,
    /// Block column b: rows and columns from b WIDTH on, column-major; what it stores above the diagonal means nothing.
    blocks: Vec<Vec<T>>,
}

impl<T: Real> Packed<T> {
    /// The zero matrix.
    pub fn zeros(side: usize) -> Self {
        let blocks = (0..side)
            .step_by(WIDTH)
            .map(|first| {
                let rows = side - first;
                vec![T::of(0.0); rows * rows.min(WIDTH)]
            })
            .collect();
        Self { side, blocks }
    }

    /// Number of rows n.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Entry (i, j).
    pub fn get(&self, i: usize, j: usize) -> T {
        let (i, j) = (i.max(j), i.min(j));
        let first = j - j % WIDTH;
        self.blocks[j / WIDTH][(j - first) * (self.side - first) + i - first]
    }

    /// Calls `f(j, rows j.. of column j)` for every column, in parallel over blocks.
    pub fn for_each_column(&mut self, f: impl Fn(usize, &mut [T]) + Sync) {
        let side = self.side;
        self.blocks.par_iter_mut().enumerate().for_each(|(b, block)| {
            let first = b * WIDTH;
            for (k, column) in block.chunks_exact_mut(side - first).enumerate() {
                f(first + k, &mut column[k..]);
            }
        });
    }

    /// Rows and columns `group` of W W' if m <= n, else of W' W, for an m x n column-major W.
    pub fn gram(w: &[T], m: usize, n: usize, group: Range<usize>) -> Self {
        let mut g = Self::zeros(group.len());
        let w = MatRef::from_column_major_slice(w, m, n);
        let lines = if m <= n { w } else { w.transpose() }.subrows(group.start, group.len());
        update(&mut g.blocks, 1.0, lines, lines);
        g
    }

    /// A <- A + alpha L R' for panels of n rows, column-major, whose product is symmetric, alone or with what else is added.
    pub fn add_product(&mut self, alpha: f64, left: &[T], right: &[T]) {
        let view = |x| MatRef::from_column_major_slice(x, self.side, left.len() / self.side);
        update(&mut self.blocks, alpha, view(left), view(right));
    }

    /// A x.
    pub fn mul(&self, x: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.side];
        vectorised(
            #[inline(always)]
            || {
                for (b, block) in self.blocks.iter().enumerate() {
                    let first = b * WIDTH;
                    for (k, column) in block.chunks_exact(self.side - first).enumerate() {
                        let j = first + k;
                        let below = &column[k + 1..];
                        out[j] += column[k].into() * x[j] + dot(below, &x[j + 1..]);
                        axpy(x[j], below, &mut out[j + 1..]);
                    }
                }
            },
        );
        out
    }

    /// A proven upper bound of lambda_max(A) a little above tau, if the factorization of tau I - A completes; A is overwritten.
    pub fn lambda_max_upper(&mut self, tau: f64) -> Option<f64> {
        self.for_each_column(|_, out| {
            out.iter_mut().for_each(|x| *x = -*x);
            out[0] += T::of(tau);
        });
        let trace = self.trace_upper();
        self.cholesky().then(|| {
            // that of the factorization, of tau, and of tau - a_ii
            let error = Self::cholesky_error(self.side, trace) + 2.0 * T::ROUNDOFF * (trace + tau.abs());
            (tau + error).next_up()
        })
    }

    /// The sum of the diagonal, rounded up; entries must be nonnegative.
    pub fn trace_upper(&self) -> f64 {
        (0..self.side).map(|i| self.get(i, i).into()).sum::<f64>() * (1.0 + gamma(self.side + 2))
    }

    /// An upper bound of -lambda_min of an n x n matrix of this trace whose factorization completes.
    pub fn cholesky_error(n: usize, trace: f64) -> f64 {
        let g = T::roundings(WIDTH.min(n) + n.div_ceil(WIDTH) + 32);
        // products that underflow are off by less than the smallest normal number, at most n per entry
        let underflow = n as f64 * n as f64 * T::LEAST;
        (g / (1.0 - g) * trace + underflow) * (1.0 + 8.0 * UNIT_ROUNDOFF)
    }

    /// Overwrites A by its Cholesky factor; false if a pivot is not positive. Cost: n^3 / 3.
    pub fn cholesky(&mut self) -> bool {
        let side = self.side;
        for b in 0..self.blocks.len() {
            let (head, tail) = self.blocks.split_at_mut(b + 1);
            let panel = &mut head[b];
            let rows = side - b * WIDTH;
            if !factor(panel, rows, 0) {
                return false;
            }
            if !tail.is_empty() {
                let below = MatRef::from_column_major_slice(panel, rows, WIDTH).subrows(WIDTH, rows - WIDTH);
                update(tail, -1.0, below, below);
            }
        }
        true
    }
}

/// Adds alpha L R' to the block columns; the panels' rows start where the first of them does.
fn update<T: Real>(blocks: &mut [Vec<T>], alpha: f64, left: MatRef<'_, T>, right: MatRef<'_, T>) {
    let (side, one) = (left.nrows(), blocks.len() == 1);
    let flops = side as f64 * side as f64 * left.ncols() as f64;
    let add = |(b, block): (usize, &mut Vec<T>)| {
        let rows = side - b * WIDTH;
        let width = block.len() / rows;
        let below = left.subrows(b * WIDTH, rows);
        let out = MatMut::from_column_major_slice_mut(block, rows, width);
        let top = right.subrows(b * WIDTH, width).transpose();
        let par = if one && flops > 4e6 { Par::rayon(0) } else { Par::Seq };
        faer::linalg::matmul::matmul(out, Accum::Add, below, top, T::of(alpha), par);
    };
    if flops > 4e6 {
        blocks.par_iter_mut().enumerate().for_each(add);
    } else {
        blocks.iter_mut().enumerate().for_each(add);
    }
}

/// Cholesky of the leading square of a tall panel of column length `rows`, applied to the rows below: left half, the right
/// half less its products, right half. `first`: the row of the panel's diagonal.
fn factor<T: Real>(panel: &mut [T], rows: usize, first: usize) -> bool {
    let width = panel.len() / rows;
    if width <= LEAF {
        return vectorised(
            #[inline(always)]
            || leaf(panel, rows, first),
        );
    }
    let half = width.div_ceil(2);
    let (left, right) = panel.split_at_mut(half * rows);
    if !factor(left, rows, first) {
        return false;
    }
    let from = first + half;
    let below = MatRef::from_column_major_slice(left, rows, half).subrows(from, rows - from);
    let out = MatMut::from_column_major_slice_mut(right, rows, width - half).subrows_mut(from, rows - from);
    let top = below.subrows(0, width - half).transpose();
    let par = if rows > 4 * WIDTH { Par::rayon(0) } else { Par::Seq };
    faer::linalg::matmul::matmul(out, Accum::Add, below, top, T::of(-1.0), par);
    factor(right, rows, from)
}

/// The same column by column.
#[inline(always)]
fn leaf<T: Real>(panel: &mut [T], rows: usize, first: usize) -> bool {
    for c in 0..panel.len() / rows {
        let (before, rest) = panel.split_at_mut(c * rows);
        let column = &mut rest[first + c..rows];
        for l in before.chunks_exact(rows).map(|l| &l[first + c..]) {
            let head = l[0];
            column.iter_mut().zip(l).for_each(|(x, l)| *x -= head * l);
        }
        // also false for NaN
        let head: f64 = column[0].into();
        if !(head > 0.0 && head.is_finite()) {
            return false;
        }
        let pivot = column[0].root();
        column[0] = pivot;
        column[1..].iter_mut().for_each(|x| *x /= pivot);
    }
    true
}
