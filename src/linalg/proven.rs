//! Proven upper bounds of eigenvalues and singular values, rounding included.
//!
//! ```text
//! lambda_max(G) <= tau + e     if a floating-point Cholesky factorization of tau I - G completes; e: see [`super::packed`]
//! sigma_1(W)^2  <= lambda_max(fl(W'W)) + gamma_k || |W|'|W| ||_2        k: terms per sum
//! ```
//!
//! Only products are assumed to be rounded in the usual way (each of n terms once, any order, with or without fused
//! multiply-add): |fl(A B) - A B| <= gamma_n |A| |B|. A Ritz value is a lower bound and proves nothing here; it only says where
//! to try.

mod deflated;

use super::sum::{UNIT_ROUNDOFF, gamma, norm_upper};
use super::vector::unit_scale;
use super::{Gram, Layout, Mat, Packed, dense, lanczos, perron};

/// Above this smaller side no Gram matrix of a sparse one is formed: half of it is a gigabyte.
pub const GRAM_LIMIT: usize = 16_000;

/// A proven upper bound of the largest eigenvalue of the symmetric matrix `g` (its lower triangle is read; the upper one must
/// mirror it). Cost: n^3 / 3.
pub fn lambda_max_upper(g: &Mat) -> f64 {
    // entry by entry: a maximum may pass over a NaN
    if g.iter().any(|x| !x.is_finite()) {
        return f64::INFINITY;
    }
    let top = g.amax();
    if top == 0.0 {
        return 0.0;
    }
    let scale = unit_scale(&[top]);
    let g = g * scale;
    let n = g.nrows();
    let start = if n <= lanczos::DENSE_SIDE {
        lanczos::Top { value: lanczos::lambda_max(&g), drift: 0.0 }
    } else {
        lanczos::top_eigenvalue(n, |x| &g * x, 0.05 * least_margin(n), None)
    };
    let form = || {
        let mut a = Packed::zeros(n);
        a.for_each_column(|j, out| out.copy_from_slice(&g.as_slice()[j * n + j..(j + 1) * n]));
        a
    };
    (climb(n, form, start, norm_upper(g.as_slice())) / scale).next_up()
}

/// Whether the symmetric d x d matrix (its lower triangle is read) less `shift` I is proven positive semidefinite, with room for d x d
/// numbers: a floating-point Cholesky factorization that completes on A - s I proves A >= 0 for s = 1.02 gamma_(d + 2) trace(A) / (1 - 2
/// gamma_(d + 2)) (Rump 2006).
pub fn positive_definite(l: &mut [f64], d: usize, shift: f64, entry: impl Fn(usize, usize) -> f64) -> bool {
    let trace: f64 = (0..d).map(|i| entry(i, i).abs()).sum();
    let shift = shift + 2.0 * gamma(d + 4) * trace;
    for j in 0..d {
        for i in j..d {
            let dot: f64 = (0..j).map(|k| l[i * d + k] * l[j * d + k]).sum();
            let a = if i == j { entry(i, i) - shift } else { entry(i, j) };
            if i == j {
                let pivot = a - dot;
                if pivot.is_nan() || pivot <= 0.0 {
                    return false;
                }
                l[j * d + j] = pivot.sqrt();
            } else {
                l[i * d + j] = (a - dot) / l[j * d + j];
            }
        }
    }
    true
}

/// A field brought to size 1 by a power of two, and that power; `None` if it is 0 or not finite.
pub(super) fn scaled(w: &[f64]) -> Option<(Vec<f64>, f64)> {
    let top = w.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    if top == 0.0 || w.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let scale = unit_scale(&[top]);
    Some((w.iter().map(|x| x * scale).collect(), scale))
}

/// The relative margin below which an attempt is likely to fail: rounding makes tau - lambda_max uncertain by about n times the
/// error of an entry; most factorizations complete with far less.
fn least_margin(n: usize) -> f64 {
    (8.0 * n as f64 * UNIT_ROUNDOFF).max(1e-14).max(0.25 * Packed::<f64>::cholesky_error(n, n as f64))
}

/// The relative margin of the first attempt, and the factor from one to the next. Where an attempt is expensive, a few digits
/// are given for it to succeed: eigenvalues that crowd at the top, as they do at an optimum, hold an iteration a little below,
/// unless it has come to its end.
fn margins(n: usize, start: lanczos::Top) -> (f64, f64) {
    if expensive(n) && start.drift > 0.0 { (1e-8, 16.0) } else { (least_margin(n), 8.0) }
}

/// An upper bound of lambda_max(G) for an n x n matrix that is formed anew for every attempt, from an estimate and a bound of
/// ||G||_2: the estimate plus a margin that grows until the factorization of what is left completes.
fn climb(n: usize, form: impl Fn() -> Packed, start: lanczos::Top, size: f64) -> f64 {
    let (first, factor) = margins(n, start);
    let mut margin = (start.value.abs().max(UNIT_ROUNDOFF * size) * first).max(4.0 * start.drift);
    while margin <= size {
        let tau = start.value + margin;
        if let Some(upper) = form().lambda_max_upper(tau) {
            return upper.min(size);
        }
        margin *= factor;
    }
    size
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
    let scale = unit_scale(&[top]);
    let (s, q) = (s * scale, q * scale);
    let (size_s, size_q) = (norm_upper(s.as_slice()), norm_upper(q.as_slice()));
    let mut g = dense::tr_mul(&s, &s);
    g.fill_upper_triangle_with_lower_triangle();
    let gram_error = gamma(s.nrows() + 2) * size_s * size_s * (1.0 + 8.0 * UNIT_ROUNDOFF);
    let size_g = norm_upper(g.as_slice());
    let t = lanczos::bordered_top(&s, &q);
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
    sigma_upper(w, Layout::Full { rows: m, cols: n }).value
}

/// A proven upper bound of sigma_1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SigmaUpper {
    /// sigma_1 <= value.
    pub value: f64,
    /// `cholesky`, or `perron` if the absolute values alone were used.
    pub method: &'static str,
    /// Whether the value is sigma_1 itself up to rounding.
    pub tight: bool,
}

/// Whether [`sigma_upper`] forms a Gram matrix, so that its bound is tight: always for a full matrix, which is larger itself.
pub fn within_limit(layout: Layout) -> bool {
    matches!(layout, Layout::Full { .. }) || layout.small_side() <= GRAM_LIMIT
}

/// A proven upper bound of sigma_1; tight if [`within_limit`]. Cost: the Gram matrix of the smaller side n, and n^3 / 3.
pub fn sigma_upper(w: &[f64], layout: Layout) -> SigmaUpper {
    sigma_upper_by(w, layout, within_limit(layout))
}

/// The same with the choice made by the caller: by a Gram matrix, or by the absolute values alone ([`perron`]), which is loose
/// unless all entries have one sign.
pub fn sigma_upper_by(w: &[f64], layout: Layout, gram_matrix: bool) -> SigmaUpper {
    sigma_upper_near(w, layout, gram_matrix, None)
}

/// A proven upper bound of sigma_1 from the absolute values alone, to a few percent of what those can say.
pub fn sigma_absolute(w: &[f64], layout: Layout) -> f64 {
    if w.iter().any(|x| !x.is_finite()) {
        return f64::INFINITY;
    }
    let Some((w, scale)) = scaled(w) else { return 0.0 };
    let found = perron::gram_norm(&Gram::new(&w, layout), layout.small_side(), |b| b.upper <= 1.05 * b.lower);
    let frobenius = norm_upper(&w);
    (found.upper.min((frobenius * frobenius).next_up()).sqrt().next_up() / scale).next_up()
}

/// The same, sooner where directions of the smaller side are known (columns) that are nearly singular vectors, the top one first.
pub fn sigma_upper_near(w: &[f64], layout: Layout, gram_matrix: bool, near: Option<&Mat>) -> SigmaUpper {
    if w.iter().any(|x| !x.is_finite()) {
        return SigmaUpper { value: f64::INFINITY, method: "none", tight: false };
    }
    let Some((w, scale)) = scaled(w) else { return SigmaUpper { value: 0.0, method: "cholesky", tight: true } };
    let found = |squared: f64, method, tight| {
        let value = (squared.sqrt().next_up() / scale).next_up();
        SigmaUpper { value, method, tight }
    };
    let side = layout.small_side();
    let gram = Gram::new(&w, layout);
    let frobenius = norm_upper(&w);
    let frobenius = (frobenius * frobenius).next_up();
    let near = near.filter(|x| x.ncols() > 0);
    if let Some(near) = near.filter(|_| side >= DEFLATED_SIDE) {
        let size = perron::gram_norm(&gram, side, |_| true).upper.min(frobenius);
        if let Some(squared) = deflated::gram_norm_upper(&gram, near, size) {
            return found(squared.min(size), "cholesky", true);
        }
    }
    if !gram_matrix {
        let one_sign = w.iter().all(|x| *x >= 0.0) || w.iter().all(|x| *x <= 0.0);
        let width = 1.0 + if one_sign { TIGHT } else { 1e-3 };
        let absolute = perron::gram_norm(&gram, side, |b| b.upper <= width * b.lower);
        return found(absolute.upper.min(frobenius), "perron", one_sign && absolute.upper <= width * absolute.lower);
    }
    let start = estimate(&gram, side, 0.05 * least_margin(side), near.map(|x| &x.as_slice()[..side]));
    let goal = start.value * (1.0 + TIGHT);
    // more than one iteration pays only where the proof is long
    let absolute = perron::gram_norm(&gram, side, |b| !expensive(side) || b.upper <= goal || b.lower > goal);
    let size = absolute.upper.min(frobenius);
    if size <= goal {
        return found(size, "perron", true);
    }
    let rounding = gamma(gram.terms().0 + 2) * size * (1.0 + 8.0 * UNIT_ROUNDOFF);
    let squared = (climb(side, || gram.form(), start, size + rounding) + rounding).next_up();
    found(squared.min(size), "cholesky", squared <= start.value * (1.0 + 1e-6))
}

/// From this side on it is seen first whether the bulk is below the top by far.
const DEFLATED_SIDE: usize = 500;

/// Relative width in sigma_1^2 at which the bound of the absolute values is good enough.
const TIGHT: f64 = 1e-10;

/// Whether a proof on this side takes long enough (a tenth of a second and more) to think about whether it pays.
pub fn expensive(side: usize) -> bool {
    side > 2000
}

/// The largest eigenvalue of a Gram matrix from below.
fn estimate(gram: &Gram, side: usize, tolerance: f64, near: Option<&[f64]>) -> lanczos::Top {
    if side > lanczos::DENSE_SIDE {
        return lanczos::top_eigenvalue(side, |x| gram.mul(x), tolerance, near);
    }
    let g = gram.form();
    lanczos::Top { value: lanczos::lambda_max(&Mat::from_fn(side, side, |i, j| g.get(i, j))), drift: 0.0 }
}

/// sigma_1 from below, for a small part of the cost of a proof where the smaller side is large; proves nothing.
pub fn sigma_estimate(w: &[f64], layout: Layout) -> f64 {
    let Some((w, scale)) = scaled(w) else { return 0.0 };
    estimate(&Gram::new(&w, layout), layout.small_side(), TIGHT, None).value.max(0.0).sqrt() / scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::Pattern;

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
    fn any_directions_to_start_from_leave_a_bound() {
        let (m, n) = (30, 20);
        let w = lanczos::gaussian(m, n, 5);
        let layout = Layout::Full { rows: m, cols: n };
        let known = sigma_max_upper(w.as_slice(), m, n);
        for near in [Mat::zeros(n, 0), Mat::zeros(n, 2), Mat::repeat(n, 1, 1e308), lanczos::gaussian(n, 40, 6)] {
            let found = sigma_upper_near(w.as_slice(), layout, true, Some(&near)).value;
            assert!(found >= dense::singular_values(&w).unwrap()[0], "{} directions: {found}", near.ncols());
            assert!(found <= known * (1.0 + 1e-6), "{} directions: {found} and {known}", near.ncols());
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
        let up = sigma_upper(&w, Layout::Listed(&p)).value;
        assert!(up >= truth * (1.0 - 1e-14) && up <= truth * (1.0 + 1e-11));
        assert!(sigma_upper_by(&w, Layout::Listed(&p), false).value >= truth);
    }
}
