//! Long vectors: products and combinations in one pass, piece by piece, so that many vectors are read once and by all threads.
//! Pieces have a fixed length and their sums a fixed order: results do not depend on the number of threads.

use super::simd::vectorised;
use super::vector;
use rayon::prelude::*;

/// A few vectors' pieces of this length fit the cache of a core.
pub const PIECE: usize = 4096;

/// a'b.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    dots(&[a], b)[0]
}

/// a_i'b for every a_i.
pub fn dots<T: Copy + Into<f64> + Sync>(a: &[&[T]], b: &[f64]) -> Vec<f64> {
    sums(b.len(), a.len(), |at, out| {
        vectorised(
            #[inline(always)]
            || {
                for (out, a) in out.iter_mut().zip(a) {
                    *out = vector::dot(&a[at.clone()], &b[at.clone()]);
                }
            },
        );
    })
}

/// The sum of what `term` says of every index below n.
pub fn sum_over(n: usize, term: impl Fn(usize) -> f64 + Sync) -> f64 {
    sums(n, 1, |at, out| {
        vectorised(
            #[inline(always)]
            || {
                // eight partial sums: one would wait for itself
                let mut lanes = [0.0; 8];
                let whole = at.start + (at.len() & !7);
                for j in (at.start..whole).step_by(8) {
                    for (k, lane) in lanes.iter_mut().enumerate() {
                        *lane += term(j + k);
                    }
                }
                let rest: f64 = (whole..at.end).map(&term).sum();
                out[0] = lanes.iter().sum::<f64>() + rest;
            },
        );
    })[0]
}

/// Sums over pieces of what `of` makes of each: `count` numbers.
pub fn sums(length: usize, count: usize, of: impl Fn(std::ops::Range<usize>, &mut [f64]) + Sync) -> Vec<f64> {
    let mut parts = vec![0.0; length.div_ceil(PIECE) * count];
    parts.par_chunks_mut(count.max(1)).enumerate().for_each(|(piece, out)| {
        of(piece * PIECE..length.min((piece + 1) * PIECE), out);
    });
    total(&parts, count)
}

/// The same where every piece of two vectors is written on the way.
pub fn sums_writing<T: Send>(
    (a, b): (&mut [T], &mut [T]),
    count: usize,
    of: impl Fn(std::ops::Range<usize>, (&mut [T], &mut [T]), &mut [f64]) + Sync,
) -> Vec<f64> {
    let mut parts = vec![0.0; a.len().div_ceil(PIECE) * count];
    let pieces = a.par_chunks_mut(PIECE).zip(b.par_chunks_mut(PIECE));
    pieces.zip(parts.par_chunks_mut(count.max(1))).enumerate().for_each(|(piece, ((a, b), out))| {
        of(piece * PIECE..piece * PIECE + a.len(), (a, b), out);
    });
    total(&parts, count)
}

/// The same for one vector.
pub fn sums_changing(
    v: &mut [f64],
    count: usize,
    of: impl Fn(std::ops::Range<usize>, &mut [f64], &mut [f64]) + Sync,
) -> Vec<f64> {
    // no sums may be asked for, only what is written
    let width = count.max(1);
    let mut parts = vec![0.0; v.len().div_ceil(PIECE) * width];
    v.par_chunks_mut(PIECE).zip(parts.par_chunks_mut(width)).enumerate().for_each(|(piece, (v, out))| {
        of(piece * PIECE..piece * PIECE + v.len(), v, &mut out[..count]);
    });
    let mut sums = total(&parts, width);
    sums.truncate(count);
    sums
}

/// Sums over pieces, in their order.
fn total(parts: &[f64], count: usize) -> Vec<f64> {
    let mut total = vec![0.0; count];
    for part in parts.chunks(count.max(1)) {
        total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
    }
    total
}

/// y <- a y + sum_i c_i x_i.
pub fn combine<T: Copy + Into<f64> + Sync>(y: &mut [f64], a: f64, c: &[f64], x: &[&[T]]) {
    y.par_chunks_mut(PIECE).enumerate().for_each(|(piece, y)| {
        let at = piece * PIECE..piece * PIECE + y.len();
        vectorised(
            #[inline(always)]
            || {
                y.iter_mut().for_each(|y| *y *= a);
                c.iter().zip(x).for_each(|(c, x)| vector::axpy(*c, &x[at.clone()], y));
            },
        );
    });
}

/// out <- c x; returns x'x.
pub fn scale(out: &mut [f64], c: f64, x: &[f64]) -> f64 {
    sums_changing(out, 1, |at, out, sum| {
        let x = &x[at];
        vectorised(
            #[inline(always)]
            || {
                out.iter_mut().zip(x).for_each(|(out, x)| *out = c * x);
                sum[0] = vector::dot(x, x);
            },
        );
    })[0]
}

/// out <- x + c y.
pub fn sum(out: &mut [f64], x: &[f64], c: f64, y: &[f64]) {
    out.par_chunks_mut(PIECE).zip(x.par_chunks(PIECE)).zip(y.par_chunks(PIECE)).for_each(|((out, x), y)| {
        vectorised(
            #[inline(always)]
            || out.iter_mut().zip(x.iter().zip(y)).for_each(|(out, (x, y))| *out = x + c * y),
        );
    });
}

/// y_i <- y_i h_i.
pub fn multiply(y: &mut [f64], h: &[f64]) {
    y.par_chunks_mut(PIECE).zip(h.par_chunks(PIECE)).for_each(|(y, h)| {
        y.iter_mut().zip(h).for_each(|(y, h)| *y *= h);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_add_up() {
        for n in [0, 1, PIECE - 1, PIECE, 3 * PIECE + 7] {
            let of = |k: f64| -> Vec<f64> { (0..n).map(|i| (k * i as f64).sin()).collect() };
            let (a, b, c) = (of(0.3), of(0.7), of(1.1));
            let plain = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
            let found = dots(&[&a, &b], &c);
            for (found, truth) in found.iter().zip([plain(&a, &c), plain(&b, &c)]) {
                assert!((found - truth).abs() <= 1e-12 * (1.0 + n as f64));
            }
            let mut y = c.clone();
            combine(&mut y, 0.5, &[2.0, -3.0], &[&a, &b]);
            let mut z = vec![0.0; n];
            sum(&mut z, &a, -2.0, &b);
            let mut s = vec![f64::NAN; n];
            assert!((scale(&mut s, -3.0, &a) - plain(&a, &a)).abs() <= 1e-12 * (1.0 + n as f64));
            for i in 0..n {
                assert_eq!(s[i], -3.0 * a[i]);
                assert!((y[i] - (0.5 * c[i] + 2.0 * a[i] - 3.0 * b[i])).abs() <= 1e-14);
                assert!((z[i] - (a[i] - 2.0 * b[i])).abs() <= 1e-14);
            }
        }
    }
}
