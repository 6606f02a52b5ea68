//! Dropping what is not needed: zero slices, parallel slices, dependent slices.
//!
//! ```text
//! sum_i theta_i phi(X_i) = 0, theta != 0:   X_i <- (1 + theta_i)^(1/p) X_i  with min theta = -1 zeroes a slice, leaves Phi
//! ```
//!
//! and does not raise the objective when the sign of theta is chosen with sum theta_i g_i <= 0 (a negative entry exists,
//! since g > 0). The printed Algorithm 1 has (1 - theta_i)^(1/p), which zeroes no slice. Source: Haeffele & Vidal, Thm 17.

use crate::gauge::Gauge;
use crate::linalg::{Mat, dense};
use crate::mapping::Factors;
use crate::problem::Problem;

/// A slice with less than this share of the largest g is dropped.
const NEGLIGIBLE: f64 = 1e-11;
/// Largest rank at which dependence is looked for.
const DEPENDENCE_LIMIT: usize = 600;

/// Removes slices that the objective does not need; it never rises beyond rounding. Returns how many went.
pub fn reduce(problem: &Problem, x: &mut Factors) -> usize {
    let before = x.rank();
    drop_zero(problem, x);
    if !problem.mapping.is_multilinear() {
        // a neuron that no sample activates
        let flags: Vec<bool> = problem.mapping.gram(x).diagonal().iter().map(|d| *d > 0.0).collect();
        if flags.contains(&false) {
            x.keep(&flags);
        }
    }
    merge_parallel(problem, x);
    if !orthogonalise(problem, x) {
        while x.rank() <= DEPENDENCE_LIMIT && drop_dependent(problem, x) {}
    }
    before - x.rank()
}

fn drop_zero(problem: &Problem, x: &mut Factors) {
    let g: Vec<f64> = (0..x.rank()).map(|i| problem.regularizer.balanced_value(&x.slice(i))).collect();
    let top = g.iter().fold(0.0, |m: f64, g| m.max(*g));
    let flags: Vec<bool> = g.iter().map(|g| *g > NEGLIGIBLE * top).collect();
    if flags.contains(&false) {
        x.keep(&flags);
    }
}

/// Merges slices that point the same way in every factor: phi(a z) + phi(b z) = phi((a^p + b^p)^(1/p) z), at the same cost.
fn merge_parallel(problem: &Problem, x: &mut Factors) {
    let p = f64::from(problem.mapping.degree());
    let r = x.rank();
    let cosines: Vec<Mat> = x.0.iter().map(cosine).collect();
    let mut flags = vec![true; r];
    problem.regularizer.balance(x);
    for i in 0..r {
        for j in i + 1..r {
            if flags[i] && flags[j] && cosines.iter().all(|c| c[(i, j)] > 1.0 - 1e-14) {
                let size = |k: usize| problem.regularizer.balanced_value(&x.slice(k));
                let ratio = ((size(i) + size(j)) / size(i)).powf(1.0 / p);
                x.scale_slice(i, ratio);
                flags[j] = false;
            }
        }
    }
    if flags.contains(&false) {
        x.keep(&flags);
    }
}

fn cosine(x: &Mat) -> Mat {
    let mut g = dense::tr_mul(x, x);
    let norms: Vec<f64> = g.diagonal().iter().map(|d| d.sqrt()).collect();
    for j in 0..g.ncols() {
        for i in 0..g.nrows() {
            let scale = norms[i] * norms[j];
            g[(i, j)] = if scale > 0.0 { g[(i, j)] / scale } else { 0.0 };
        }
    }
    g
}

/// Plain l2 gauges without cones: singular vectors (eigenvectors) are the best slices.
pub fn is_spectral(problem: &Problem) -> bool {
    let plain = |g: &Gauge| g.norm().name() == "l2" && g.cone().is_none() && g.weights().is_none();
    // V u v' is linear in u v'
    let bilinear = problem.mapping.layers().is_some_and(|l| l.is_linear() && l.widths == [1]);
    (problem.mapping.is_multilinear() || bilinear)
        && problem.regularizer.gauges.len() <= 2
        && problem.regularizer.gauges.iter().all(plain)
}

/// Where [`is_spectral`], the SVD of Phi has the least sum of g, in at most as many slices. Whether that is so here.
pub fn orthogonalise(problem: &Problem, x: &mut Factors) -> bool {
    if !is_spectral(problem) {
        return false;
    }
    if x.rank() <= 1 {
        return true;
    }
    let value = problem.objective(x);
    let candidate = if x.0.len() == 1 { thin_eigen(&x.0[0]) } else { thin_product_svd(&x.0[0], &x.0[1]) };
    if let Some(mut c) = candidate {
        drop_zero(problem, &mut c);
        if problem.objective(&c) <= value {
            *x = c;
        }
    }
    true
}

fn thin_eigen(u: &Mat) -> Option<Factors> {
    let (left, s, _) = dense::thin_svd(u)?;
    Some(Factors(vec![Mat::from_fn(left.nrows(), s.len(), |i, k| left[(i, k)] * s[k])]))
}

/// The SVD of U V' through thin QR factors, split evenly.
fn thin_product_svd(u: &Mat, v: &Mat) -> Option<Factors> {
    let (qu, qv) = (dense::orthonormal(u), dense::orthonormal(v));
    let core = dense::mul_tr(&dense::tr_mul(&qu, u), &dense::tr_mul(&qv, v));
    let (a, s, b) = dense::thin_svd(&core)?;
    let root = |q: &Mat, a: &Mat| {
        let x = dense::mul(q, a);
        Mat::from_fn(x.nrows(), s.len(), |i, k| x[(i, k)] * s[k].sqrt())
    };
    Some(Factors(vec![root(&qu, &a), root(&qv, &b)]))
}

/// Finds a null vector of the normalised Gram matrix and moves along it; true if a slice went.
fn drop_dependent(problem: &Problem, x: &mut Factors) -> bool {
    let r = x.rank();
    if r < 2 {
        return false;
    }
    let gram = problem.mapping.gram(x);
    let norms: Vec<f64> = gram.diagonal().iter().map(|d| d.sqrt()).collect();
    if norms.contains(&0.0) {
        return false;
    }
    let normalised = Mat::from_fn(r, r, |i, j| gram[(i, j)] / (norms[i] * norms[j]));
    let Some((values, vectors)) = dense::symmetric_eigen(&normalised) else { return false };
    if values[0] > 1e-13 * r as f64 {
        return false;
    }
    let mut theta: Vec<f64> = (0..r).map(|i| vectors[(i, 0)] / norms[i]).collect();
    let g: Vec<f64> = (0..r).map(|i| problem.regularizer.balanced_value(&x.slice(i))).collect();
    if theta.iter().zip(&g).map(|(t, g)| t * g).sum::<f64>() > 0.0 {
        theta.iter_mut().for_each(|t| *t = -*t);
    }
    let lowest = theta.iter().fold(0.0, |m: f64, t| m.min(*t));
    if lowest >= 0.0 {
        return false;
    }
    let mut moved = x.clone();
    let p = f64::from(problem.mapping.degree());
    for (i, t) in theta.iter().enumerate() {
        moved.scale_slice(i, (1.0 - t / lowest).max(0.0).powf(1.0 / p));
    }
    drop_zero(problem, &mut moved);
    let value = problem.objective(x);
    if moved.rank() < r && problem.objective(&moved) <= value + 1e-14 * value.abs() {
        *x = moved;
        return true;
    }
    false
}
