//! Krylov estimates: leading eigenvalues and singular triplets from products alone. Estimates from below, never proofs.

use super::{Mat, dense};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

/// An estimate from below of the largest eigenvalue of a symmetric matrix.
pub fn lambda_max(g: &Mat) -> f64 {
    let n = g.nrows();
    if n <= 96 {
        return dense::symmetric_eigen(g).and_then(|e| e.0.last().copied()).unwrap_or_else(|| g.diagonal().max());
    }
    // Lanczos with full reorthogonalisation; the top Ritz value converges long before the basis is full
    let mut q = Mat::zeros(n, 0);
    let mut x = gaussian(n, 1, 0x5eed);
    let (mut alphas, mut betas): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut last = f64::NEG_INFINITY;
    for step in 0..n.min(300) {
        let norm = x.norm();
        if norm == 0.0 {
            break;
        }
        x /= norm;
        let k = q.ncols();
        q = q.insert_column(k, 0.0);
        q.set_column(k, &x.column(0));
        let mut y = g * &x;
        alphas.push(x.dot(&y));
        for _ in 0..2 {
            y -= &q * q.tr_mul(&y);
        }
        let beta = y.norm();
        if step % 10 == 9 || beta < 1e-14 || step + 1 == n.min(300) {
            let ritz = tridiagonal_max(&alphas, &betas);
            if beta < 1e-14 || (ritz - last).abs() <= 1e-14 * ritz.abs() {
                return ritz;
            }
            last = ritz;
        }
        betas.push(beta);
        x = y;
    }
    last
}

fn tridiagonal_max(alphas: &[f64], betas: &[f64]) -> f64 {
    let n = alphas.len();
    let t = Mat::from_fn(n, n, |i, j| match i.abs_diff(j) {
        0 => alphas[i],
        1 => betas[i.min(j)],
        _ => 0.0,
    });
    dense::symmetric_eigen(&t).and_then(|e| e.0.last().copied()).unwrap_or(f64::NEG_INFINITY)
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
    /// Seed of the first block.
    pub seed: u64,
}

/// New values that must settle, beside those of known directions.
const WATCHED: usize = 4;

/// Leading singular triplets (U, s, V), s descending, of a linear map R^n -> R^m given by block products, from a block
/// Krylov space. Each s_i is attained by its vectors up to rounding. `known` spans directions that are nearly invariant: they
/// join the basis and the Krylov space is built beside them, so that a cluster which they span does not hide what is new.
pub fn top_singular(
    mul: impl Fn(&Mat) -> Mat,
    tr_mul: impl Fn(&Mat) -> Mat,
    n: usize,
    known: Option<&Mat>,
    effort: Krylov,
) -> (Mat, Vec<f64>, Mat) {
    let mut ritz = Ritz { basis: Mat::zeros(n, 0), image: Mat::zeros(0, 0), gram: Mat::zeros(0, 0) };
    if let Some(v) = known.filter(|v| v.ncols() > 0 && v.ncols() <= n / 2) {
        ritz.extend(&mul, v.clone());
    }
    let watched = ritz.basis.ncols() + WATCHED;
    let mut next = gaussian(n, effort.block.min(n), effort.seed);
    let mut leading: Vec<f64> = Vec::new();
    for level in 0..=effort.depth {
        let fresh = ritz.extend(&mul, next);
        if fresh == 0 {
            break;
        }
        let Some(values) = ritz.values(watched) else { break };
        let settled = values.len() == leading.len()
            && values.iter().zip(&leading).all(|(v, last)| v - last <= effort.tolerance * values[0]);
        if settled || level == effort.depth {
            break;
        }
        leading = values;
        next = tr_mul(&ritz.image.columns(ritz.image.ncols() - fresh, fresh).into_owned());
    }
    ritz.triplets(effort.want)
}

/// An orthonormal basis Q, its image A Q, and their Gram matrix.
struct Ritz {
    basis: Mat,
    image: Mat,
    gram: Mat,
}

impl Ritz {
    /// Adds what `next` has beside the basis; the number of new columns.
    fn extend(&mut self, mul: impl Fn(&Mat) -> Mat, mut next: Mat) -> usize {
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
            return 0;
        }
        let image = mul(&next);
        let (old, new) = (self.basis.ncols(), next.ncols());
        self.image = if old == 0 { image } else { hcat(&self.image, &image) };
        self.basis = hcat(&self.basis, &next);
        let products = dense::tr_mul(&self.image, &self.image.columns(old, new).into_owned());
        let mut gram = Mat::zeros(old + new, old + new);
        gram.view_mut((0, 0), (old, old)).copy_from(&self.gram);
        gram.view_mut((0, old), (old + new, new)).copy_from(&products);
        gram.view_mut((old, 0), (new, old)).copy_from(&products.rows(0, old).transpose());
        self.gram = gram;
        new
    }

    /// The `count` largest Ritz values of A, descending.
    fn values(&self, count: usize) -> Option<Vec<f64>> {
        let squares = dense::symmetric_eigen(&self.gram)?.0;
        Some(squares.iter().rev().take(count).map(|s| s.max(0.0).sqrt()).collect())
    }

    fn triplets(self, want: usize) -> (Mat, Vec<f64>, Mat) {
        let Some((values, rotation)) = dense::symmetric_eigen(&self.gram) else {
            return (Mat::zeros(self.image.nrows(), 0), Vec::new(), Mat::zeros(self.basis.nrows(), 0));
        };
        let order: Vec<usize> = (0..values.len()).rev().filter(|&i| values[i] > 0.0).take(want).collect();
        let rotation = rotation.select_columns(&order);
        let (mut u, mut v) = (dense::mul(&self.image, &rotation), dense::mul(&self.basis, &rotation));
        for (mut u, mut v) in u.column_iter_mut().zip(v.column_iter_mut()) {
            let norm = v.norm();
            u /= norm;
            v /= norm;
        }
        let s: Vec<f64> = u.column_iter().map(|c| c.norm()).collect();
        for (mut c, s) in u.column_iter_mut().zip(&s) {
            c /= *s;
        }
        (u, s, v)
    }
}

/// A matrix of independent standard normals.
pub fn gaussian(m: usize, n: usize, seed: u64) -> Mat {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    Mat::from_fn(m, n, |_, _| StandardNormal.sample(&mut rng))
}

/// [A B].
pub fn hcat(a: &Mat, b: &Mat) -> Mat {
    let mut data = a.as_slice().to_vec();
    data.extend_from_slice(b.as_slice());
    Mat::from_vec(b.nrows(), a.ncols() + b.ncols(), data)
}
