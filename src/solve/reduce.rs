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
/// Cosines, and relative differences of squared lengths, that are as good as none.
const ORTHOGONAL: f64 = 1e-10;
/// A column with this share of itself outside the span of those before it is far from dependent.
const INDEPENDENT: f64 = 0.02;

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
    if x.0.len() == 2 && turned_by_grams(problem, x) {
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

/// The SVD of U V' through Gram matrices, where their slices are far from dependent, so that Phi stays what it is up to rounding.
/// Whether U and V are orthogonal and balanced then.
fn turned_by_grams(problem: &Problem, x: &mut Factors) -> bool {
    // what rounding leaves the first time is taken out the second time
    for _ in 0..3 {
        let grams = [&x.0[0], &x.0[1]].map(|x| dense::tr_mul(x, x));
        if is_principal(&grams) {
            return true;
        }
        let Some(turns) = principal_turns(&grams) else { return false };
        let mut turned = Factors(x.0.iter().zip(&turns).map(|(x, t)| dense::mul(x, t)).collect());
        drop_zero(problem, &mut turned);
        *x = turned;
    }
    false
}

/// Whether the factors of these Gram matrices have orthogonal columns, of the same lengths in both.
fn is_principal([gu, gv]: &[Mat; 2]) -> bool {
    let small = |a: f64, of: f64| a.abs() <= ORTHOGONAL * of;
    (0..gu.ncols()).all(|j| {
        small(gu[(j, j)] - gv[(j, j)], gu[(j, j)])
            && [gu, gv].iter().all(|g| (0..j).all(|i| small(g[(i, j)], (g[(i, i)] * g[(j, j)]).sqrt())))
    })
}

/// S and T with S T' = I and U S, V T orthogonal and balanced: with U = Q R and V = P L,
///
/// ```text
/// R L' = A D B'     S = R^-1 A D^(1/2)     T = L^-1 B D^(1/2)
/// ```
///
/// R from the Cholesky factor of U'U. `None` where columns are nearly dependent.
fn principal_turns(grams: &[Mat; 2]) -> Option<[Mat; 2]> {
    let [r, l] = [triangle(&grams[0])?, triangle(&grams[1])?];
    let (a, d, b) = dense::thin_svd(&dense::mul_tr(&r, &l))?;
    let root = |mut x: Mat| {
        x.column_iter_mut().zip(&d).for_each(|(mut c, d)| c *= d.sqrt());
        x
    };
    Some([r.solve_upper_triangular(&root(a))?, l.solve_upper_triangular(&root(b))?])
}

/// R of U = Q R from U'U, if the columns of U are far from dependent.
fn triangle(gram: &Mat) -> Option<Mat> {
    let lengths: Vec<f64> = gram.diagonal().iter().map(|d| d.sqrt()).collect();
    if lengths.iter().any(|l| !(*l > 0.0 && l.is_finite())) {
        return None;
    }
    let cosines = Mat::from_fn(gram.nrows(), gram.ncols(), |i, j| gram[(i, j)] / (lengths[i] * lengths[j]));
    let mut r = cosines.cholesky()?.unpack().transpose();
    if r.diagonal().iter().any(|p| *p < INDEPENDENT) {
        return None;
    }
    r.column_iter_mut().zip(&lengths).for_each(|(mut c, l)| c *= *l);
    Some(r)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::lanczos::gaussian;

    /// Slices whose columns have lengths from 1 down to `least`, the second of U at this share from the first.
    fn factors(least: f64, share: f64) -> Factors {
        let (mut u, mut v) = (gaussian(30, 4, 1), gaussian(50, 4, 2));
        let beside = u.column(1) * share;
        let first = u.column(0).into_owned();
        u.set_column(1, &(first + beside));
        for (k, (mut a, mut b)) in u.column_iter_mut().zip(v.column_iter_mut()).enumerate() {
            a *= least.powf(k as f64 / 3.0);
            b *= least.powf(k as f64 / 3.0);
        }
        Factors(vec![u, v])
    }

    fn turned(x: &Factors) -> Option<Factors> {
        let grams = [&x.0[0], &x.0[1]].map(|x| dense::tr_mul(x, x));
        let [s, t] = principal_turns(&grams)?;
        Some(Factors(vec![dense::mul(&x.0[0], &s), dense::mul(&x.0[1], &t)]))
    }

    #[test]
    fn principal_turns_leave_the_product_and_make_it_an_svd() {
        for (least, share) in [(1.0, 1.0), (1e-5, 1.0), (1e-2, 0.3)] {
            let x = factors(least, share);
            let phi = dense::mul_tr(&x.0[0], &x.0[1]);
            let c = turned(&x).expect("independent");
            assert!((dense::mul_tr(&c.0[0], &c.0[1]) - &phi).norm() <= 1e-14 * phi.norm());
            let sigma = dense::singular_values(&phi).unwrap();
            for x in &c.0 {
                let gram = dense::tr_mul(x, x);
                for (i, s) in sigma.iter().take(4).enumerate() {
                    assert!((gram[(i, i)] - s).abs() <= 1e-12 * sigma[0], "{} and {s}", gram[(i, i)]);
                }
                assert!(is_principal(&[gram.clone(), gram]));
            }
        }
    }

    #[test]
    fn nearly_dependent_slices_are_left_to_the_exact_way() {
        assert!(turned(&factors(1.0, 2e-3)).is_none());
        assert!(turned(&factors(1.0, 0.0)).is_none());
    }
}
