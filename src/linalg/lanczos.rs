//! Krylov estimates: leading eigenvalues and singular triplets from products alone. Estimates from below, never proofs.

use super::simd::vectorised;
use super::vector::{axpy, dot};
use super::{Mat, dense};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// An estimate from below of the largest eigenvalue of a symmetric matrix.
pub fn lambda_max(g: &Mat) -> f64 {
    if g.nrows() <= DENSE_SIDE {
        return dense::symmetric_eigen(g).and_then(|e| e.0.last().copied()).unwrap_or_else(|| g.diagonal().max());
    }
    top_eigenvalue(g.nrows(), |x| g * x, 1e-14, None).value
}

/// An estimate from below of the largest eigenvalue of [[0, S], [S', Q]], from its products.
pub fn bordered_top(s: &Mat, q: &Mat) -> f64 {
    let (m, d) = s.shape();
    let mul = |x: &Mat| {
        let (u, v) = (x.rows(0, m).into_owned(), x.rows(m, d).into_owned());
        let mut out = Mat::zeros(m + d, 1);
        out.rows_mut(0, m).copy_from(&dense::mul(s, &v));
        out.rows_mut(m, d).copy_from(&(dense::tr_mul(s, &u) + dense::mul(q, &v)));
        out
    };
    top_eigenvalue(m + d, mul, 1e-14, None).value
}

/// Up to this side a full decomposition takes the place of an iteration.
pub const DENSE_SIDE: usize = 96;

/// An eigenvalue that an iteration came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Top {
    /// The value, from below.
    pub value: f64,
    /// By how much it still rose over the last steps.
    pub drift: f64,
}

/// The largest eigenvalue of a symmetric n x n map given by its products: Lanczos with full reorthogonalisation, until ten
/// steps raise the top Ritz value by less than `tolerance` of it, at most 300; it converges long before the basis is full.
/// `near`: a direction that is nearly the one looked for.
pub fn top_eigenvalue(n: usize, mul: impl Fn(&Mat) -> Mat, tolerance: f64, near: Option<&[f64]>) -> Top {
    let steps = n.min(300);
    let mut basis: Vec<f64> = Vec::with_capacity(n * steps);
    let mut x = gaussian(n, 1, 0x5eed);
    if let Some(near) = near {
        // a little of everything stays in
        x *= NUDGE * norm(near) / x.norm();
        axpy(1.0, near, x.as_mut_slice());
    }
    let (mut alphas, mut betas): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut found = Top { value: f64::NEG_INFINITY, drift: f64::INFINITY };
    let mut size: f64 = 0.0;
    for step in 0..steps {
        let norm = x.norm();
        if norm == 0.0 {
            break;
        }
        x /= norm;
        basis.extend_from_slice(x.as_slice());
        let mut y = mul(&x);
        alphas.push(x.dot(&y));
        // first what the recurrence takes out, then what rounding left
        let recent = step.saturating_sub(1) * n;
        take_out(&basis[recent..], n, y.as_mut_slice());
        take_out(&basis, n, y.as_mut_slice());
        let beta = y.norm();
        size = size.max(alphas[step].abs()).max(beta);
        let invariant = beta <= 1e-14 * size;
        if step % 10 == 9 || invariant || step + 1 == steps {
            let value = tridiagonal_max(&alphas, &betas);
            let drift = if invariant { 0.0 } else { (value - found.value).abs() };
            found = Top { value, drift };
            if drift <= tolerance * value.abs() {
                break;
            }
        }
        betas.push(beta);
        x = y;
    }
    found
}

/// The share of a random direction in a start that is nearly right.
const NUDGE: f64 = 1e-3;

fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

/// y less its parts along the orthonormal columns of length n.
fn take_out(basis: &[f64], n: usize, y: &mut [f64]) {
    const PIECE: usize = 4096;
    let parts: Vec<f64> = basis
        .par_chunks(n)
        .with_min_len(PIECE.div_ceil(n))
        .map(|q| {
            vectorised(
                #[inline(always)]
                || dot(q, y),
            )
        })
        .collect();
    y.par_chunks_mut(PIECE).enumerate().for_each(|(c, y)| {
        vectorised(
            #[inline(always)]
            || {
                for (q, part) in basis.chunks(n).zip(&parts) {
                    axpy(-part, &q[c * PIECE..c * PIECE + y.len()], y);
                }
            },
        );
    });
}

/// The largest eigenvalue of the symmetric tridiagonal matrix T with this diagonal and these values beside it, to the last
/// digits: x is above it if and only if the pivots of x I - T are positive.
pub fn tridiagonal_max(alphas: &[f64], betas: &[f64]) -> f64 {
    let beside = |i: usize| betas.get(i).filter(|_| i + 1 < alphas.len()).map_or(0.0, |b| b.abs());
    let above = |x: f64| {
        let mut pivot = f64::INFINITY;
        (0..alphas.len()).all(|i| {
            let b = if i == 0 { 0.0 } else { beside(i - 1) };
            pivot = x - alphas[i] - b * (b / pivot);
            pivot > 0.0
        })
    };
    let (mut low, mut high) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    for i in 0..alphas.len() {
        low = low.max(alphas[i]);
        high = high.max(alphas[i] + beside(i) + if i == 0 { 0.0 } else { beside(i - 1) });
    }
    loop {
        let middle = 0.5 * (low + high);
        // also where nothing is finite
        if !(low < middle && middle < high) {
            return high;
        }
        if above(middle) { high = middle } else { low = middle }
    }
}

/// How far a block Krylov space grows.
#[derive(Clone, Copy, Debug)]
pub struct Krylov {
    /// Triplets wanted.
    pub want: usize,
    /// Columns per block.
    pub block: usize,
    /// At most this many blocks after the first.
    pub depth: usize,
    /// Relative change of the leading values from block to block below which the space is large enough.
    pub tolerance: f64,
    /// Values below this need not settle.
    pub floor: f64,
    /// Seed of the first block.
    pub seed: u64,
    /// Whether known directions are to turn: the space begins with them, and not beside them.
    pub turning: bool,
}

/// New values that must settle, beside those of known directions.
const WATCHED: usize = 4;

/// A value that stays below the floor even if it rises by this many times its last rise is left where it is.
const FORESIGHT: f64 = 3.0;

/// Leading singular triplets (U, s, V), s descending, of a linear map A: R^n -> R^m given by A X and A'A X, from a block
/// Krylov space. Each s_i is attained by its vectors up to rounding. `known` spans directions that are nearly invariant: they
/// join the basis and the Krylov space is built beside them, so that a cluster which they span does not hide what is new;
/// or it begins with them, where they are to turn.
pub fn top_singular(
    mul: impl Fn(&Mat) -> Mat,
    square: impl Fn(&Mat) -> Mat,
    n: usize,
    known: Option<&Mat>,
    effort: Krylov,
) -> (Mat, Vec<f64>, Mat) {
    let mut ritz = Ritz { basis: Mat::zeros(n, 0), gram: Mat::zeros(0, 0) };
    let known = known.filter(|v| v.ncols() > 0 && v.ncols() <= n / 2);
    let mut watched = WATCHED;
    let mut next = gaussian(n, effort.block.min(n), effort.seed);
    match known {
        Some(v) if effort.turning => {
            watched += v.ncols();
            next = hcat(v, &next);
        }
        Some(v) => watched += ritz.extend(&square, v.clone()).map_or(0, |image| image.ncols()),
        None => {}
    }
    let mut leading: Vec<f64> = Vec::new();
    for level in 0..=effort.depth {
        let Some(image) = ritz.extend(&square, next) else { break };
        let Some(values) = ritz.values(watched) else { break };
        let settled = values.len() == leading.len()
            && values.iter().zip(&leading).all(|(v, last)| {
                let rise = v - last;
                rise <= effort.tolerance * values[0] || v + FORESIGHT * rise <= effort.floor
            });
        if settled || level == effort.depth {
            break;
        }
        leading = values;
        next = image;
    }
    ritz.triplets(mul, effort.want)
}

/// An orthonormal basis Q on the side R^n, and Q'A'A Q: images on the other side, which may be much longer, are not kept.
struct Ritz {
    basis: Mat,
    gram: Mat,
}

impl Ritz {
    /// Adds what `next` has beside the basis; A'A times the new columns, if there are any.
    fn extend(&mut self, square: impl Fn(&Mat) -> Mat, mut next: Mat) -> Option<Mat> {
        let room = self.basis.nrows() - self.basis.ncols();
        next = next.columns(0, next.ncols().min(room)).into_owned();
        for _ in 0..2 {
            if self.basis.ncols() > 0 {
                next -= dense::mul(&self.basis, &dense::tr_mul(&self.basis, &next));
            }
            next = dense::orthonormal(&next);
        }
        // a direction that vanished came back from the QR as any other, perhaps one that the basis has already
        if self.basis.ncols() > 0 {
            let overlap = dense::tr_mul(&self.basis, &next);
            let new: Vec<usize> = (0..next.ncols()).filter(|&j| overlap.column(j).norm() <= 1e-8).collect();
            next = next.select_columns(&new);
        }
        if next.ncols() == 0 {
            return None;
        }
        let image = square(&next);
        let (old, new) = (self.basis.ncols(), next.ncols());
        append_columns(&mut self.basis, &next);
        let products = dense::tr_mul(&self.basis, &image);
        let mut gram = Mat::zeros(old + new, old + new);
        gram.view_mut((0, 0), (old, old)).copy_from(&self.gram);
        gram.view_mut((0, old), (old + new, new)).copy_from(&products);
        gram.view_mut((old, 0), (new, old)).copy_from(&products.rows(0, old).transpose());
        self.gram = gram;
        Some(image)
    }

    /// The `count` largest Ritz values of A, descending.
    fn values(&self, count: usize) -> Option<Vec<f64>> {
        let squares = dense::symmetric_eigenvalues(&self.gram)?;
        Some(squares.iter().rev().take(count).map(|s| s.max(0.0).sqrt()).collect())
    }

    /// Leading triplets: A v = s u holds whatever the basis is.
    fn triplets(self, mul: impl Fn(&Mat) -> Mat, want: usize) -> (Mat, Vec<f64>, Mat) {
        let decomposed = dense::symmetric_eigen(&self.gram);
        let (values, rotation) = decomposed.unwrap_or_else(|| (Vec::new(), Mat::zeros(self.basis.ncols(), 0)));
        let order: Vec<usize> = (0..values.len()).rev().filter(|&i| values[i] > 0.0).take(want).collect();
        let mut v = dense::mul(&self.basis, &rotation.select_columns(&order));
        v.column_iter_mut().for_each(|mut v| _ = v.normalize_mut());
        let mut u = mul(&v);
        let s: Vec<f64> = u.column_iter_mut().map(|mut u| u.normalize_mut()).collect();
        let some: Vec<usize> = (0..s.len()).filter(|&i| s[i] > 0.0).collect();
        (u.select_columns(&some), some.iter().map(|&i| s[i]).collect(), v.select_columns(&some))
    }
}

/// A matrix of independent standard normals.
pub fn gaussian(m: usize, n: usize, seed: u64) -> Mat {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    Mat::from_fn(m, n, |_, _| StandardNormal.sample(&mut rng))
}

/// A <- [A B], in place where there is room.
fn append_columns(a: &mut Mat, b: &Mat) {
    let (m, old) = a.shape();
    *a = std::mem::replace(a, Mat::zeros(0, 0)).resize_horizontally(old + b.ncols(), 0.0);
    a.as_mut_slice()[m * old..].copy_from_slice(b.as_slice());
}

/// [A B].
pub fn hcat(a: &Mat, b: &Mat) -> Mat {
    let mut data = a.as_slice().to_vec();
    data.extend_from_slice(b.as_slice());
    Mat::from_vec(b.nrows(), a.ncols() + b.ncols(), data)
}
