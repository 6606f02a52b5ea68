//! Proven upper bounds of eigenvalues and singular values, rounding included.
//!
//! ```text
//! lambda_max(G) <= tau + e     if L is any float matrix with tau I - G = L L' + E, ||E||_2 <= e
//! sigma_1(W)^2  <= lambda_max(fl(W'W)) + gamma_m ||W||_F^2
//! ```
//!
//! L comes from a floating-point Cholesky factorization, but the proof does not trust it: L L' is formed anew and the
//! difference measured. Only products are assumed to be rounded in the usual way (each of n terms once, any order, with or
//! without fused multiply-add): |fl(A B) - A B| <= gamma_n |A| |B|. A Ritz value is a lower bound and proves nothing here; it
//! only says where to try.

use super::sum::{Sum, UNIT_ROUNDOFF, gamma, norm_upper};
use super::{Mat, Pattern, dense, lanczos};

/// Above this side length a dense Gram matrix is not formed.
pub const GRAM_LIMIT: usize = 6000;

/// A proven upper bound of the largest eigenvalue of the symmetric matrix `g` (its lower triangle is read; the upper one must
/// mirror it). Cost: a few n^3.
pub fn lambda_max_upper(g: &Mat) -> f64 {
    let n = g.nrows();
    // entry by entry: a maximum may pass over a NaN
    if g.iter().any(|x| !x.is_finite()) {
        return f64::INFINITY;
    }
    let top = g.amax();
    if n == 0 || top == 0.0 {
        return 0.0;
    }
    // a power of two, so that scaling is exact
    let scale = 2f64.powi(-(top.log2().floor() as i32).clamp(-1000, 1000));
    let g = g * scale;
    let estimate = lanczos::lambda_max(&g);
    let size = norm_upper(g.as_slice());
    let mut margin = estimate.abs().max(UNIT_ROUNDOFF * size) * (8.0 * n as f64 * UNIT_ROUNDOFF).max(1e-14);
    while margin <= size {
        let tau = estimate + margin;
        if let Some(excess) = cholesky_defect(&g, tau) {
            return ((tau + excess).next_up() / scale).next_up();
        }
        margin *= 8.0;
    }
    (size / scale).next_up()
}

/// With tau I - G = L L' + E: an upper bound of ||E||_2, or `None` if no L was found.
fn cholesky_defect(g: &Mat, tau: f64) -> Option<f64> {
    let n = g.nrows();
    let mut a = -g;
    for i in 0..n {
        a[(i, i)] += tau;
    }
    let l = dense::cholesky(&a)?;
    let difference = &a - dense::mul_tr(&l, &l);
    if difference.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let mut squares = Sum::new();
    l.iter().for_each(|&x| squares.add_product(x, x));
    // the difference itself, its rounding, that of L L', and that of the diagonal tau - G_ii
    let measured = norm_upper(difference.as_slice()) * (1.0 + 4.0 * UNIT_ROUNDOFF);
    let diagonal = a.diagonal().amax() * 2.0 * UNIT_ROUNDOFF;
    Some((measured + gamma(n + 1) * squares.upper() + diagonal) * (1.0 + 8.0 * UNIT_ROUNDOFF) + f64::MIN_POSITIVE)
}

/// A proven upper bound of the largest eigenvalue of the bordered matrix
///
/// ```text
/// [ 0   S ]
/// [ S'  Q ]    <= t I,  t > 0    if and only if    S'S + t Q <= t^2 I        (Schur complement of the block t I)
/// ```
///
/// for an m x d matrix S and a symmetric d x d matrix Q (both triangles stored alike): the cost is that of the side d.
pub fn bordered_lambda_max_upper(s: &Mat, q: &Mat) -> f64 {
    let top = s.amax().max(q.amax());
    if s.iter().chain(q.iter()).any(|x| !x.is_finite()) {
        return f64::INFINITY;
    }
    if top == 0.0 {
        return 0.0;
    }
    let scale = 2f64.powi(-(top.log2().floor() as i32).clamp(-1000, 1000));
    let (s, q) = (s * scale, q * scale);
    let (size_s, size_q) = (norm_upper(s.as_slice()), norm_upper(q.as_slice()));
    let mut g = dense::tr_mul(&s, &s);
    g.fill_upper_triangle_with_lower_triangle();
    let gram_error = gamma(s.nrows() + 2) * size_s * size_s * (1.0 + 8.0 * UNIT_ROUNDOFF);
    let size_g = norm_upper(g.as_slice());
    // where t = sqrt(lambda_max(S'S + t Q)), from above
    let mut t = size_s + size_q;
    for _ in 0..200 {
        let next = lanczos::lambda_max(&(&g + &q * t)).max(0.0).sqrt();
        let settled = (t - next).abs() <= 1e-13 * t;
        t = next;
        if settled {
            break;
        }
    }
    let mut margin = 1e-12;
    while margin < 1.0 {
        let tried = (t * (1.0 + margin)).max(f64::MIN_POSITIVE);
        let sum = &g + &q * tried;
        let rounding = 2.0 * UNIT_ROUNDOFF * (size_g + 2.0 * tried * size_q) + gram_error;
        if lambda_max_upper(&sum) + rounding * (1.0 + 8.0 * UNIT_ROUNDOFF)
            <= (tried * tried).next_down() * (1.0 - UNIT_ROUNDOFF)
        {
            return (tried / scale).next_up();
        }
        margin *= 4.0;
    }
    // [[0, S], [S', 0]] and Q bounded apart
    ((size_s + size_q).next_up() / scale).next_up()
}

/// A proven upper bound of sigma_1 of the m x n column-major field `w`.
pub fn sigma_max_upper(w: &[f64], m: usize, n: usize) -> f64 {
    sigma_from_gram(w, m.max(n), |w| {
        let x = Mat::from_column_slice(m, n, w);
        if m >= n { dense::tr_mul(&x, &x) } else { dense::mul_tr(&x, &x) }
    })
}

/// A proven upper bound of sigma_1 of the sparse matrix with this pattern and these values. Without a Gram matrix (both
/// sides above [`GRAM_LIMIT`]) it falls back to sqrt(||W||_1 ||W||_inf), which is looser.
pub fn sigma_max_upper_sparse(w: &[f64], p: &Pattern) -> f64 {
    if p.rows().min(p.cols()) > GRAM_LIMIT {
        return induced_norms_upper(w, p);
    }
    sigma_from_gram(w, p.rows().max(p.cols()), |w| p.small_gram(w))
}

/// sqrt(lambda_max(fl(gram)) + gamma_long ||W||_F^2) on the field scaled to unit size; `long` bounds the terms per product.
fn sigma_from_gram(w: &[f64], long: usize, gram: impl Fn(&[f64]) -> Mat) -> f64 {
    let top = w.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    if w.iter().any(|x| !x.is_finite()) {
        return f64::INFINITY;
    }
    if top == 0.0 {
        return 0.0;
    }
    let scale = 2f64.powi(-(top.log2().floor() as i32).clamp(-1000, 1000));
    let scaled: Vec<f64> = w.iter().map(|x| x * scale).collect();
    let frobenius = norm_upper(&scaled);
    let mut g = gram(&scaled);
    g.fill_upper_triangle_with_lower_triangle();
    let rounding = gamma(long + 2) * frobenius * frobenius * (1.0 + 8.0 * UNIT_ROUNDOFF);
    let squared = (lambda_max_upper(&g) + rounding).next_up();
    (squared.sqrt().next_up().min(frobenius) / scale).next_up()
}

/// sqrt(max row sum * max column sum) of |W|, rounded up.
fn induced_norms_upper(w: &[f64], p: &Pattern) -> f64 {
    let sum = |positions: &mut dyn Iterator<Item = usize>| {
        let mut s = Sum::new();
        positions.for_each(|k| s.add(w[k].abs()));
        s.upper()
    };
    let rows = (0..p.rows()).map(|i| sum(&mut p.row(i).map(|e| e.1))).fold(0.0, f64::max);
    let cols = (0..p.cols()).map(|j| sum(&mut p.column(j).map(|e| e.1))).fold(0.0, f64::max);
    (rows * cols).next_up().sqrt().next_up()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_and_is_tight_on_a_known_spectrum() {
        for n in [1, 2, 7, 40, 150] {
            // Householder similarity of a known diagonal: eigenvalues 1, 1, 1/2, 1/3, ..
            let v = Mat::from_fn(n, 1, |i, _| 1.0 + (i as f64).sin());
            let h = Mat::identity(n, n) - &v * v.transpose() * (2.0 / v.norm_squared());
            let d = Mat::from_fn(n, n, |i, j| if i == j { 1.0 / (i.max(1) as f64) } else { 0.0 });
            let mut g = &h * d * h.transpose();
            g.fill_upper_triangle_with_lower_triangle();
            let up = lambda_max_upper(&g);
            assert!(up >= 1.0 - 1e-13, "n = {n}: {up}");
            assert!(up <= 1.0 + 1e-10, "n = {n}: {up}");
        }
    }

    #[test]
    fn the_bordered_bound_is_that_of_the_whole_matrix() {
        for seed in 0..10 {
            let (m, d) = (9, 4);
            let s = lanczos::gaussian(m, d, seed);
            let q = lanczos::gaussian(d, d, seed + 100);
            let q = (&q + q.transpose()) * if seed % 2 == 0 { 0.5 } else { -0.5 };
            let mut whole = Mat::zeros(m + d, m + d);
            whole.view_mut((0, m), (m, d)).copy_from(&s);
            whole.view_mut((m, 0), (d, m)).copy_from(&s.transpose());
            whole.view_mut((m, m), (d, d)).copy_from(&q);
            let truth = *dense::symmetric_eigen(&whole).unwrap().0.last().unwrap();
            let up = bordered_lambda_max_upper(&s, &q);
            assert!(up >= truth * (1.0 - 1e-14) && up <= truth * (1.0 + 1e-9), "seed {seed}: {up} against {truth}");
            let tiny = bordered_lambda_max_upper(&(&s * 1e-200), &(&q * 1e-200));
            assert!(tiny >= truth * 1e-200 * (1.0 - 1e-14) && tiny <= truth * 1e-200 * (1.0 + 1e-9));
        }
    }

    #[test]
    fn a_negative_definite_matrix_has_a_negative_bound() {
        let up = lambda_max_upper(&(Mat::identity(5, 5) * -3.0));
        assert!((-3.0..-2.99).contains(&up), "{up}");
    }

    #[test]
    fn dense_and_sparse_agree_with_the_svd() {
        let x = Mat::from_fn(13, 6, |i, j| ((3 * i + 5 * j) as f64).sin());
        let truth = dense::thin_svd(&x).unwrap().1[0];
        let up = sigma_max_upper(x.as_slice(), 13, 6);
        assert!(up >= truth * (1.0 - 1e-14) && up <= truth * (1.0 + 1e-11));
        let entries: Vec<_> = (0..13).flat_map(|i| (0..6).map(move |j| (i, j))).collect();
        let (p, _) = Pattern::new(13, 6, &entries).unwrap();
        let w: Vec<f64> = entries.iter().map(|&(i, j)| x[(i, j)]).collect();
        let up = sigma_max_upper_sparse(&w, &p);
        assert!(up >= truth * (1.0 - 1e-14) && up <= truth * (1.0 + 1e-11));
        assert!(induced_norms_upper(&w, &p) >= truth);
    }
}
