//! Matricized tensor times Khatri-Rao product, and the sampled product that goes with it, without ever turning the array.
//!
//! ```text
//! mttkrp_k    out_(i s) = sum over entries with i_k = i of  w prod_(l != k) X^l_(i_l s)           d_k x r
//! sampled     out_j     = sum_s prod_l X^l_(i_l s)                                               at the listed entries j
//! ```
//!
//! A full array of sizes d_1 .. d_K lies in memory first index fastest; for index k it is a row of slabs (d_1 .. d_(k-1)) x d_k, one
//! for each of the indices beyond. A listed one is a [`Pattern`] of its unfolding d_1 x (d_2 .. d_K). Sums are split by the sizes
//! alone, whatever the number of threads. Cost: r (K - 1) multiply-adds per entry, full arrays at the speed of matrix products.
//! Source: Bader & Kolda 2007; Phan, Tichavsky & Cichocki 2013.

use super::simd::vectorised;
use super::vector::dot;
use super::{Mat, Pattern, dense};
use rayon::prelude::*;
use std::ops::Range;

/// Lines of a Khatri-Rao product that are formed at a time: with r columns they stay in the cache.
const BLOCK: usize = 1024;
/// Parts that a sum over a full array is split into.
const PARTS: usize = 32;
/// The same for listed entries, where every part has its own result.
const LISTED_PARTS: usize = 8;
/// Below this many multiply-adds threads cost more than they bring.
const ALONE: usize = 1 << 15;

/// The rows named of the columnwise Kronecker product of factors, the first factor's index fastest.
pub fn kronecker_rows(factors: &[Mat], rows: Range<usize>) -> Mat {
    let mut out = Mat::from_element(rows.len(), factors[0].ncols(), 1.0);
    let mut stride = 1;
    for x in factors {
        let d = x.nrows();
        for (o, c) in out.as_mut_slice().chunks_exact_mut(rows.len().max(1)).zip(x.as_slice().chunks_exact(d.max(1))) {
            let (mut i, mut left) = (rows.start / stride % d, stride - rows.start % stride);
            for o in o {
                *o *= c[i];
                left -= 1;
                if left == 0 {
                    left = stride;
                    i = if i + 1 == d { 0 } else { i + 1 };
                }
            }
        }
        stride *= d;
    }
    out
}

/// MTTKRP along index `k` (from 0) of a full array.
pub fn full(w: &[f64], sizes: &[usize], x: &[Mat], k: usize) -> Mat {
    let (d, r) = (sizes[k], x[0].ncols());
    let rows: usize = sizes[..k].iter().product();
    let slabs: usize = sizes[k + 1..].iter().product();
    if k == 0 {
        return summed((d, r), slabs.div_ceil(BLOCK), w.len() * r, |b| {
            let columns = b * BLOCK..((b + 1) * BLOCK).min(slabs);
            let field = &w[d * columns.start..d * columns.end];
            dense::field_mul(field, d, columns.len(), &kronecker_rows(&x[1..], columns))
        });
    }
    // every part has some lines of some slabs
    let blocks = rows.div_ceil(BLOCK);
    let height = rows.div_ceil(blocks.clamp(1, PARTS));
    let across = rows.div_ceil(height);
    let width = slabs.div_ceil((PARTS / across).max(1));
    summed((d, r), across * slabs.div_ceil(width), w.len() * r, |part| {
        let slabs = part / across * width..((part / across + 1) * width).min(slabs);
        let lines = part % across * height..((part % across + 1) * height).min(rows);
        let after = (k + 1 < sizes.len()).then(|| kronecker_rows(&x[k + 1..], slabs.clone()));
        let mut out = Mat::zeros(d, r);
        for first in lines.clone().step_by(BLOCK) {
            let lines = first..(first + BLOCK).min(lines.end);
            let before = kronecker_rows(&x[..k], lines.clone());
            for (line, slab) in slabs.clone().enumerate() {
                let field = &w[rows * d * slab..rows * d * (slab + 1)];
                let product = dense::field_rows_tr_mul(field, rows, d, lines.clone(), &before);
                match &after {
                    None => out += product,
                    Some(after) => {
                        for (s, (mut o, p)) in out.column_iter_mut().zip(product.column_iter()).enumerate() {
                            o.axpy(after[(line, s)], &p, 1.0);
                        }
                    }
                }
            }
        }
        out
    })
}

/// Phi of a full array, in its order.
pub fn full_product(sizes: &[usize], x: &[Mat]) -> Vec<f64> {
    let (d, all) = (sizes[0], sizes.iter().product());
    let mut out = vec![0.0; all];
    let block = |(b, block): (usize, &mut [f64])| {
        let columns = b * BLOCK..b * BLOCK + block.len() / d;
        dense::mul_tr_into(&x[0], &kronecker_rows(&x[1..], columns), block);
    };
    if all * x[0].ncols() < ALONE {
        out.chunks_mut((d * BLOCK).max(1)).enumerate().for_each(block);
    } else {
        out.par_chunks_mut((d * BLOCK).max(1)).enumerate().for_each(block);
    }
    out
}

/// MTTKRP along index `k` (from 0) of an array with the listed entries.
pub fn listed(p: &Pattern, w: &[f64], sizes: &[usize], x: &[Mat], k: usize) -> Mat {
    let (d, r) = (sizes[k], x[0].ncols());
    let lines = Lines::new(sizes, x);
    let out = if k == 0 {
        let mut out = Mat::zeros(r, d);
        let row = |beyond: &mut Vec<u32>, i: usize, o: &mut [f64]| {
            lines.decode(p, i, beyond);
            vectorised(
                #[inline(always)]
                || lines.gather(&w[p.row_range(i)], beyond, o),
            );
        };
        if p.len() * r < ALONE {
            let mut beyond = Vec::new();
            out.as_mut_slice().chunks_mut(r.max(1)).enumerate().for_each(|(i, o)| row(&mut beyond, i, o));
        } else {
            let chunks = out.as_mut_slice().par_chunks_mut(r.max(1)).enumerate().with_min_len(16);
            chunks.for_each_init(Vec::new, |beyond, (i, o)| row(beyond, i, o));
        }
        out
    } else {
        let parts = (p.len() / d.max(1)).clamp(1, LISTED_PARTS);
        let first = |part: usize| p.row_of_position(part * p.len() / parts);
        summed((r, d), parts, p.len() * r, |part| {
            let mut out = Mat::zeros(r, d);
            let (mut beyond, mut product) = (Vec::new(), vec![0.0; r]);
            let end = if part + 1 == parts { p.rows() } else { first(part + 1) };
            for i in first(part)..end {
                lines.decode(p, i, &mut beyond);
                vectorised(
                    #[inline(always)]
                    || lines.scatter(&w[p.row_range(i)], (i, k), &beyond, &mut product, out.as_mut_slice()),
                );
            }
            out
        })
    };
    dense::transpose(&out)
}

/// Phi at the listed entries.
pub fn sampled(p: &Pattern, sizes: &[usize], x: &[Mat]) -> Vec<f64> {
    let r = x[0].ncols();
    let lines = Lines::new(sizes, x);
    let mut out = vec![0.0; p.len()];
    let row = |scratch: &mut (Vec<u32>, Vec<f64>), i: usize, o: &mut [f64]| {
        let (beyond, product) = scratch;
        lines.decode(p, i, beyond);
        product.resize(r, 0.0);
        vectorised(
            #[inline(always)]
            || {
                for (o, at) in o.iter_mut().zip(beyond.chunks_exact(lines.beyond())) {
                    product.copy_from_slice(lines.line(1, at[0]));
                    lines.multiply(product, 2, &at[1..]);
                    *o = dot(lines.line(0, i as u32), product);
                }
            },
        );
    };
    if p.len() * r < ALONE {
        let mut scratch = Default::default();
        (0..p.rows()).for_each(|i| row(&mut scratch, i, &mut out[p.row_range(i)]));
        return out;
    }
    let mut rest = out.as_mut_slice();
    let mut pieces = Vec::with_capacity(p.rows());
    for i in 0..p.rows() {
        let (head, tail) = rest.split_at_mut(p.row_range(i).len());
        pieces.push(head);
        rest = tail;
    }
    pieces.into_par_iter().enumerate().with_min_len(16).for_each_init(Default::default, |s, (i, o)| row(s, i, o));
    out
}

/// The factors turned, so that what an index picks lies side by side.
struct Lines<'a> {
    sizes: &'a [usize],
    turned: Vec<Mat>,
    rank: usize,
}

impl<'a> Lines<'a> {
    fn new(sizes: &'a [usize], x: &[Mat]) -> Self {
        Self { sizes, turned: x.iter().map(dense::transpose).collect(), rank: x[0].ncols() }
    }

    /// Indices of an entry beyond the first.
    fn beyond(&self) -> usize {
        self.sizes.len() - 1
    }

    #[inline(always)]
    fn line(&self, k: usize, i: u32) -> &[f64] {
        &self.turned[k].as_slice()[i as usize * self.rank..(i as usize + 1) * self.rank]
    }

    /// The indices i_2 .. i_K of every entry in row `i` of the unfolding, one entry after the other.
    fn decode(&self, p: &Pattern, i: usize, beyond: &mut Vec<u32>) {
        beyond.clear();
        for (j, _) in p.row(i) {
            let mut j = j as u32;
            for &d in &self.sizes[1..] {
                beyond.push(j % d as u32);
                j /= d as u32;
            }
        }
    }

    /// product <- product times the lines of factors `first`, first + 1 .. at these indices.
    #[inline(always)]
    fn multiply(&self, product: &mut [f64], first: usize, at: &[u32]) {
        for (m, &i) in at.iter().enumerate() {
            product.iter_mut().zip(self.line(first + m, i)).for_each(|(p, x)| *p *= x);
        }
    }

    /// out <- sum over a row's entries of w times the lines beyond the first, in registers, a block of columns at a time.
    #[inline(always)]
    fn gather(&self, w: &[f64], beyond: &[u32], out: &mut [f64]) {
        let mut c = 0;
        while c + 16 <= out.len() {
            self.gather_block::<16>(w, beyond, c, out);
            c += 16;
        }
        while c + 4 <= out.len() {
            self.gather_block::<4>(w, beyond, c, out);
            c += 4;
        }
        while c < out.len() {
            self.gather_block::<1>(w, beyond, c, out);
            c += 1;
        }
    }

    #[inline(always)]
    fn gather_block<const L: usize>(&self, w: &[f64], beyond: &[u32], c: usize, out: &mut [f64]) {
        let mut sum = [0.0; L];
        for (w, at) in w.iter().zip(beyond.chunks_exact(self.beyond())) {
            let mut product = [*w; L];
            for (m, &i) in at.iter().enumerate() {
                let x = &self.line(1 + m, i)[c..c + L];
                for l in 0..L {
                    product[l] *= x[l];
                }
            }
            for l in 0..L {
                sum[l] += product[l];
            }
        }
        out[c..c + L].copy_from_slice(&sum);
    }

    /// Adds w times the lines of all indices but k >= 1, for every entry of row i, to line i_k of `out`.
    #[inline(always)]
    fn scatter(&self, w: &[f64], (i, k): (usize, usize), beyond: &[u32], product: &mut [f64], out: &mut [f64]) {
        let first = self.line(0, i as u32);
        for (w, at) in w.iter().zip(beyond.chunks_exact(self.beyond())) {
            product.iter_mut().zip(first).for_each(|(p, x)| *p = w * x);
            self.multiply(product, 1, &at[..k - 1]);
            self.multiply(product, k + 1, &at[k..]);
            let target = at[k - 1] as usize * self.rank;
            out[target..target + self.rank].iter_mut().zip(&*product).for_each(|(o, p)| *o += p);
        }
    }
}

/// The sum of `count` matrices, made in parallel where `work` multiply-adds are worth it, added in order.
fn summed((m, n): (usize, usize), count: usize, work: usize, part: impl Fn(usize) -> Mat + Sync + Send) -> Mat {
    if work < ALONE || count <= 1 {
        return (0..count).map(part).reduce(|a, b| a + b).unwrap_or_else(|| Mat::zeros(m, n));
    }
    let parts: Vec<Mat> = (0..count).into_par_iter().map(part).collect();
    parts.into_iter().reduce(|a, b| a + b).expect("there are some")
}
