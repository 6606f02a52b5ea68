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

/// Leading singular triplets (U, s, V), s descending, of a linear map R^n -> R^m given by block products, from a block
/// Krylov space of `block` start vectors and `depth` further blocks. Each s_i is attained by its vectors up to rounding.
pub fn top_singular(
    mul: impl Fn(&Mat) -> Mat,
    tr_mul: impl Fn(&Mat) -> Mat,
    n: usize,
    block: usize,
    depth: usize,
    seed: u64,
) -> (Mat, Vec<f64>, Mat) {
    let mut basis = Mat::zeros(n, 0);
    let mut next = gaussian(n, block.min(n), seed);
    for level in 0..=depth {
        let room = n - basis.ncols();
        if room == 0 {
            break;
        }
        let mut fresh = next.columns(0, next.ncols().min(room)).into_owned();
        for _ in 0..2 {
            if basis.ncols() > 0 {
                fresh -= dense::mul(&basis, &dense::tr_mul(&basis, &fresh));
            }
            fresh = dense::orthonormal(&fresh);
        }
        // a direction that vanished came back from the QR as any other, perhaps one that the basis has already
        if basis.ncols() > 0 {
            let overlap = dense::tr_mul(&basis, &fresh);
            let new: Vec<usize> = (0..fresh.ncols()).filter(|&j| overlap.column(j).norm() <= 1e-8).collect();
            fresh = fresh.select_columns(&new);
            if new.is_empty() {
                break;
            }
        }
        basis = hcat(&basis, &fresh);
        if level < depth {
            next = tr_mul(&mul(&fresh));
        }
    }
    let image = mul(&basis);
    let Some((values, rotation)) = dense::symmetric_eigen(&dense::tr_mul(&image, &image)) else {
        return (Mat::zeros(image.nrows(), 0), Vec::new(), Mat::zeros(n, 0));
    };
    let order: Vec<usize> = (0..values.len()).rev().filter(|&i| values[i] > 0.0).take(block).collect();
    let rotation = rotation.select_columns(&order);
    let (mut u, mut v) = (dense::mul(&image, &rotation), dense::mul(&basis, &rotation));
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
