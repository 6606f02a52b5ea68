//! Canonical polyadic (CP) factorization of an array of order K, `mapping.kind = "cp"`.
//!
//! ```text
//! phi(x^1..x^K)   x^1 o x^2 o .. o x^K         degree K, output d_1 x .. x d_K
//! Phi_r           X^1 (X^K * .. * X^2)'        seen as d_1 x (d_2 .. d_K), * the columnwise Kronecker product
//! pullback        W_(k) (X^K * .. * X^1 without X^k)       (MTTKRP)
//! Gram            the entrywise product of all X^k'X^k
//! ```
//!
//! Entry (i_1, .., i_K) stands in row i_1 and column i_2 + d_2 (i_3 + d_3 (..)) of the observations, and in memory first index
//! fastest: no other unfolding is ever copied. On a matrix the mapping is [`super::matrix`]. Source: Kolda & Bader 2009.

use super::{Factors, Kind, Mapping, matrix::Matrix};
use crate::data::Observations;
use crate::linalg::{Mat, Pattern, dense, sum::norm_upper};
use rayon::prelude::*;

/// x^1 o .. o x^K for K >= 3.
#[derive(Debug)]
pub struct Cp {
    sizes: Vec<usize>,
}

/// Registration.
pub const KIND: Kind = Kind {
    name: "cp",
    summary: "X = sum of outer products of K vectors, one factor per index of the target",
    factors: None,
    build: |sizes| if sizes.len() > 2 { Box::new(Cp { sizes: sizes.to_vec() }) } else { Box::new(Matrix) },
};

/// Columns of the unfolding that are worked on together.
const BLOCK: usize = 1024;
/// Parts that sums over the observed entries are split into, whatever the number of threads: the order of summation is fixed.
const PARTS: usize = 32;
/// Products of norms are not allowed to underflow below this: the rounding of what they bound is then still covered.
const FLOOR: f64 = 1e-280;

impl Mapping for Cp {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn degree(&self) -> u32 {
        self.sizes.len() as u32
    }

    fn factor_rows(&self, _unfolding: (usize, usize)) -> Vec<usize> {
        self.sizes.clone()
    }

    fn apply(&self, at: &Observations, x: &Factors) -> Vec<f64> {
        match at {
            Observations::Full { rows, cols } => {
                let mut out = vec![0.0; rows * cols];
                out.par_chunks_mut((rows * BLOCK).max(1)).enumerate().for_each(|(b, block)| {
                    let first = b * BLOCK;
                    let columns = kronecker_rows(&x.0[1..], first..first + block.len() / rows);
                    block.copy_from_slice(dense::mul_tr(&x.0[0], &columns).as_slice());
                });
                out
            }
            Observations::Coordinates(p) => self.apply_listed(p, x),
        }
    }

    fn pullback(&self, at: &Observations, w: &[f64], x: &Factors, k: usize) -> Mat {
        match at {
            Observations::Full { .. } => self.pullback_full(w, x, k),
            Observations::Coordinates(p) => self.pullback_listed(p, w, x, k),
        }
    }

    fn gram(&self, x: &Factors) -> Mat {
        let one = Mat::from_element(x.rank(), x.rank(), 1.0);
        x.0.iter().map(|x| dense::tr_mul(x, x)).fold(one, |a, b| a.component_mul(&b))
    }

    fn magnitude(&self, x: &Factors) -> f64 {
        let size = |slice: &[&[f64]]| {
            // in the order in which the products are formed
            let norms: Vec<f64> = slice[1..].iter().chain(&slice[..1]).map(|x| norm_upper(x)).collect();
            if norms.contains(&0.0) { 0.0 } else { norms.iter().fold(1.0, |p: f64, n| (p * n).max(FLOOR)) }
        };
        (0..x.rank()).map(|i| size(&x.slice(i))).sum::<f64>() * (1.0 + 1e-10)
    }
}

impl Cp {
    /// W_(k) times the product of the others. Mode 1 takes the unfolding as it is; for mode k > 1 the array is a row of slabs, one
    /// per index beyond k, each a matrix (d_1 .. d_(k-1)) x d_k.
    fn pullback_full(&self, w: &[f64], x: &Factors, k: usize) -> Mat {
        let (d, r) = x.0[k].shape();
        let rows: usize = self.sizes[..k].iter().product();
        let slabs: usize = self.sizes[k + 1..].iter().product();
        if k == 0 {
            return summed(d, r, slabs.div_ceil(BLOCK), |b| {
                let columns = b * BLOCK..((b + 1) * BLOCK).min(slabs);
                let field = &w[d * columns.start..d * columns.end];
                dense::field_mul(field, d, columns.len(), &kronecker_rows(&x.0[1..], columns))
            });
        }
        let before = kronecker_rows(&x.0[..k], 0..rows);
        if slabs == 1 {
            return dense::field_tr_mul(w, rows, d, &before);
        }
        let each = slabs.div_ceil(PARTS);
        summed(d, r, slabs.div_ceil(each), |part| {
            let range = part * each..((part + 1) * each).min(slabs);
            let after = kronecker_rows(&x.0[k + 1..], range.clone());
            let mut out = Mat::zeros(d, r);
            for (line, slab) in range.enumerate() {
                let field = &w[rows * d * slab..rows * d * (slab + 1)];
                let product = dense::field_tr_mul(field, rows, d, &before);
                for (s, (mut o, p)) in out.column_iter_mut().zip(product.column_iter()).enumerate() {
                    o.axpy(after[(line, s)], &p, 1.0);
                }
            }
            out
        })
    }

    fn apply_listed(&self, p: &Pattern, x: &Factors) -> Vec<f64> {
        let lines: Vec<Mat> = x.0.iter().map(Mat::transpose).collect();
        (0..p.rows())
            .into_par_iter()
            .flat_map_iter(|i| {
                let lines = &lines;
                p.row(i).map(move |(j, _)| {
                    let mut product = Mat::from_element(x.rank(), 1, 1.0);
                    self.beyond(j, |k, l| product.component_mul_assign(&lines[k].columns(l, 1)));
                    product.dot(&lines[0].columns(i, 1))
                })
            })
            .collect()
    }

    fn pullback_listed(&self, p: &Pattern, w: &[f64], x: &Factors, k: usize) -> Mat {
        let lines: Vec<Mat> = x.0.iter().map(Mat::transpose).collect();
        let (d, r) = x.0[k].shape();
        let each = p.rows().div_ceil(PARTS).max(1);
        let out = summed(r, d, p.rows().div_ceil(each), |part| {
            let mut out = Mat::zeros(r, d);
            for i in part * each..((part + 1) * each).min(p.rows()) {
                for (j, position) in p.row(i) {
                    let mut target = i;
                    let mut product = if k == 0 {
                        Mat::from_element(r, 1, w[position])
                    } else {
                        lines[0].columns(i, 1) * w[position]
                    };
                    self.beyond(j, |m, l| {
                        if m == k {
                            target = l;
                        } else {
                            product.component_mul_assign(&lines[m].columns(l, 1));
                        }
                    });
                    let mut line = out.columns_mut(target, 1);
                    line += product;
                }
            }
            out
        });
        out.transpose()
    }

    /// Calls `visit` with (k, i_k) for k >= 1 (from 0), as column j of the unfolding says.
    fn beyond(&self, mut j: usize, mut visit: impl FnMut(usize, usize)) {
        for (k, d) in self.sizes.iter().enumerate().skip(1) {
            visit(k, j % d);
            j /= d;
        }
    }
}

/// The rows named of the columnwise Kronecker product of factors, the first factor's index fastest.
fn kronecker_rows(factors: &[Mat], rows: std::ops::Range<usize>) -> Mat {
    let mut out = Mat::from_element(rows.len(), factors[0].ncols(), 1.0);
    let mut stride = 1;
    for x in factors {
        let d = x.nrows();
        for (mut o, c) in out.column_iter_mut().zip(x.column_iter()) {
            o.iter_mut().zip(rows.clone()).for_each(|(o, row)| *o *= c[row / stride % d]);
        }
        stride *= d;
    }
    out
}

/// The sum of `count` matrices m x n made in parallel, added in order.
fn summed(m: usize, n: usize, count: usize, part: impl Fn(usize) -> Mat + Sync + Send) -> Mat {
    let parts: Vec<Mat> = (0..count).into_par_iter().map(part).collect();
    parts.into_iter().fold(Mat::zeros(m, n), |a, b| a + b)
}
