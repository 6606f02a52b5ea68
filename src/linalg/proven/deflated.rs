//! A proven upper bound of the spectral norm where a few directions stand out: what is beside them is bounded crudely, and that
//! is enough.
//!
//! With G = W'W of side n, U (n x k) nearly orthonormal and nearly invariant, every x is U a + y with U'y = 0, and
//!
//! ```text
//! ||W x||^2 = a'H a + 2 a'C'y + ||W y||^2,    ||x||^2 >= (1 - e) ||a||^2 + ||y||^2,    H = U'G U,   ||U'U - I|| <= e
//! C = G U - U N for any N,  since U'y = 0
//!
//!                       [ |H|  c    ]
//! ||W||^2 <= lambda_max [           ] / (1 - e),    c_i >= ||C e_i||,    beta^2 >= ||W y||^2 / ||y||^2
//!                       [ c'   beta^2 ]
//! ```
//!
//! (a nonnegative matrix bounds the form in |a| and ||y||). The coupling c is small where U is nearly invariant, so beta^2 may be
//! anything below the top eigenvalue of H. It is bounded over P groups of columns, for W y = W T y with T = I - U U':
//!
//! ```text
//! ||W T||^2 <= sum_p ||W T E_p||^2 = sum_p lambda_max(A_pp),     A = T G T = G - U D' - D U',   D = G U - U H / 2
//! ```
//!
//! each by a Cholesky factorization of side n / P: the cost falls from n^3 / 3 to n^3 / (3 P^2), and that of the Gram matrix by P.
//! Where only P = 1 is small enough, the room below the top still lets that one be done in half the precision.

use super::lambda_max_upper;
use crate::linalg::real::Real;
use crate::linalg::sum::{UNIT_ROUNDOFF, gamma, norm_upper};
use crate::linalg::{Gram, Mat, Packed, dense, lanczos};
use rayon::prelude::*;
use std::ops::Range;

/// Side of a group of columns, at least.
const GROUP: usize = 640;

/// And at most: beyond it the rounding of a factorization in half the precision takes what room there is.
const MOST: usize = 8000;

/// The share of the top eigenvalue that the rest may take.
const REST: f64 = 0.98;

/// Directions that are left by more than this, relative to the top, belong to the rest.
const SETTLED: f64 = 1e-3;

/// Those above this share of the top are none of the rest.
const LEADING: f64 = 0.9;

/// Directions that are left by no more than this couple to the rest too little to matter; others turn.
const COUPLED: f64 = 2e-4;
/// So many times.
const TURNS: usize = 3;

/// Below this side turning costs as much as the proof that it is to save.
const TURNING_SIDE: usize = 1500;

/// The relative width up to which the bound is worth having.
const TIGHT: f64 = 1e-6;

/// Relative accuracy of the estimates that the groups' bounds start from.
const ROUGH: f64 = 1e-2;

/// A tight bound of ||W||_2^2 for values of size about 1, from directions of the smaller side (columns of `near`); `None` where
/// too much is left beside them, or they are not near enough. `size`: at least || |W|'|W| ||_2.
pub fn gram_norm_upper(gram: &Gram, near: &Mat, size: f64) -> Option<f64> {
    let norm = |x: &Mat| norm_upper(x.as_slice());
    let (u, b, least) = invariant(gram, near)?;
    let (n, k) = u.shape();
    let mut h = dense::tr_mul(&u, &b);
    h.fill_upper_triangle_with_lower_triangle();
    let top = (0..k).map(|i| h[(i, i)]).fold(0.0, f64::max);
    let d = &b - dense::mul(&u, &h) * 0.5;
    let (u_norm, b_norm, d_norm) = (norm(&u), norm(&b), norm(&d));
    let (t_long, t_short) = gram.terms();
    // what rounding makes of G U, U'G U, and U H beside G U, as Frobenius norms
    let b_error = gamma(t_long + t_short + 4) * size * u_norm;
    // one triangle stands for both: what is off in it counts twice in the square
    let h_error = 1.4143 * (gamma(n + 2) * u_norm * b_norm + u_norm * b_error);
    let beside = b_error + gamma(k + 4) * (b_norm + u_norm * norm(&h));
    // D that is off by E moves A by U E' + E U'
    let moved = 2.0 * u_norm * (beside + u_norm * h_error);
    // of A as it is formed, W, U and D rounded first
    let sums = t_long + 2 * k + 8;
    let formed = f32::roundings(sums) * (size + 2.0 * u_norm * d_norm) + (n * n * sums) as f64 * f32::LEAST;
    let lost = (moved + formed) * (1.0 + gamma(8));
    let rest = bulk(gram, [&u, &d], lost, REST * top, least)?;
    let coupling = &b - dense::mul(&u, &h);
    let bordered = Mat::from_fn(k + 1, k + 1, |i, j| match (i.min(j), i.max(j)) {
        (i, j) if j < k => h[(i, j)].abs(),
        (i, _) if i < k => (norm_upper(coupling.column(i).as_slice()) + beside).next_up(),
        _ => rest,
    });
    let skew = norm(&(dense::tr_mul(&u, &u) - Mat::identity(k, k))) + gamma(n + 4) * u_norm * u_norm;
    let upper = (lambda_max_upper(&bordered) + h_error) * (1.0 + 2.0 * skew) * (1.0 + 8.0 * UNIT_ROUNDOFF);
    (skew < 0.1 && upper <= top * (1.0 + TIGHT)).then(|| upper.next_up())
}

/// An orthonormal basis U of those of some directions, nearly singular vectors, that G leaves as they are but for a little; G U;
/// and what the top eigenvalue beside them is at least.
fn invariant(gram: &Gram, near: &Mat) -> Option<(Mat, Mat, f64)> {
    if near.ncols() == 0 || near.ncols() > near.nrows() / 8 {
        return None;
    }
    let mut u = dense::orthonormal(near);
    let turns = if u.nrows() >= TURNING_SIDE { TURNS } else { 0 };
    for turns in (0..=turns).rev() {
        let b = gram.mul(&u);
        let left = &b - dense::mul(&u, &dense::tr_mul(&u, &b));
        let top = b.column(0).norm();
        let (kept, others): (Vec<usize>, Vec<usize>) =
            (0..u.ncols()).partition(|&i| left.column(i).norm() <= SETTLED * top);
        let value = |i: usize| u.column(i).dot(&b.column(i));
        let leading = (0..u.ncols()).filter(|i| value(*i) > LEADING * top || kept.contains(i));
        let worst = leading.map(|i| left.column(i).norm()).fold(0.0, f64::max);
        if worst <= COUPLED * top || turns == 0 {
            let beside = others.into_iter().map(value).fold(0.0, f64::max);
            return (!kept.is_empty()).then(|| (u.select_columns(&kept), b.select_columns(&kept), beside));
        }
        u = turned(gram, &u, &left)?;
    }
    None
}

/// As many leading Ritz vectors in the space of U and what G leaves of it.
fn turned(gram: &Gram, u: &Mat, left: &Mat) -> Option<Mat> {
    let q = dense::orthonormal(&lanczos::hcat(u, left));
    let mut h = dense::tr_mul(&q, &gram.mul(&q));
    h.fill_upper_triangle_with_lower_triangle();
    let (_, vectors) = dense::symmetric_eigen(&h)?;
    let leading: Vec<usize> = (0..h.nrows()).rev().take(u.ncols()).collect();
    Some(dense::mul(&q, &vectors.select_columns(&leading)))
}

/// sum_p (lambda_max(A_pp) + lost) over groups of neighbours, A = G - U D' - D U', proven, for as many groups as keep it below
/// `limit`. `least`: what lambda_max(A) is at least.
fn bulk(gram: &Gram, [u, d]: [&Mat; 2], lost: f64, limit: f64, least: f64) -> Option<f64> {
    let n = u.nrows();
    // as of independent entries: the top eigenvalue of n / P columns of length m goes as (sqrt(n / P) + sqrt(m))^2
    let aspect = (n as f64 / gram.long_side() as f64).sqrt();
    let expected = |groups: usize| least * ((aspect + (groups as f64).sqrt()) / (aspect + 1.0)).powi(2);
    let mut groups = (1..=n / GROUP).rev().find(|p| expected(*p) < limit).unwrap_or(1);
    loop {
        let limit = limit - groups as f64 * lost;
        if n > groups * MOST {
            return None;
        }
        if groups == 1 {
            // half way, or nearly all of it where nothing is known of the least
            let room = limit - Packed::<f32>::cholesky_error(n, n as f64 * limit) - least;
            let tau = least + room * if least > 0.0 { 0.5 } else { 0.9 };
            let upper = (room > 0.0).then(|| group(gram, [u, d], 0..n).lambda_max_upper(tau))??;
            return Some((upper + lost).next_up());
        }
        let mut parts = grouped(gram, [u, d], groups);
        let sum: f64 = parts.iter().map(|p| p.1).sum();
        if sum < limit {
            let spare = (limit - sum) / groups as f64;
            let bound = |(a, top): &mut (Packed<f32>, f64)| a.lambda_max_upper(*top + 0.5 * spare);
            let bounds: Vec<Option<f64>> = parts.par_iter_mut().map(bound).collect();
            let sum: f64 = bounds.into_iter().sum::<Option<f64>>()?;
            return Some(((sum + groups as f64 * lost) * (1.0 + gamma(groups + 4))).next_up());
        }
        // joining two groups halves the sum at most
        let joined = std::iter::successors(Some((groups / 2, 0.5 * sum)), |(g, s)| Some((g / 2, 0.5 * s)));
        groups = joined.take_while(|(g, _)| *g > 0).find(|(_, s)| *s < limit)?.0;
    }
}

/// The diagonal blocks of A, each with an estimate of its top eigenvalue.
fn grouped(gram: &Gram, ud: [&Mat; 2], groups: usize) -> Vec<(Packed<f32>, f64)> {
    let edge = |p: usize| p * ud[0].nrows() / groups;
    let part = |p: usize| {
        let a = group(gram, ud, edge(p)..edge(p + 1));
        let side = a.side();
        let mul = |x: &Mat| Mat::from_vec(side, 1, a.mul(x.as_slice()));
        let top = lanczos::top_eigenvalue(side, mul, ROUGH, None);
        (a, top.value + top.drift)
    };
    (0..groups).into_par_iter().map(part).collect()
}

/// Rows and columns `at` of A.
fn group(gram: &Gram, [u, d]: [&Mat; 2], at: Range<usize>) -> Packed<f32> {
    let rows = |x: &Mat| x.rows(at.start, at.len()).iter().map(|x| *x as f32).collect::<Vec<_>>();
    let (u, d) = (rows(u), rows(d));
    let mut a = gram.form_group(at);
    a.add_product(-1.0, &u, &d);
    a.add_product(-1.0, &d, &u);
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::{Layout, Pattern};

    /// A sparse matrix with a few strong directions: noise, and rank 3 on dense lines of both sides.
    fn planted(m: usize, n: usize, strength: f64) -> (Pattern, Vec<f64>) {
        let noise = lanczos::gaussian(m, n, 1);
        let (u, v) = (lanczos::gaussian(m, 3, 2), lanczos::gaussian(n, 3, 3));
        let kept = |i: usize, j: usize| (7 * i + 3 * j + i * j) % 11 < 2;
        let entries: Vec<_> = (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).filter(|&(i, j)| kept(i, j)).collect();
        let (p, _) = Pattern::new(m, n, &entries).unwrap();
        let w = entries.iter().map(|&(i, j)| 0.02 * noise[(i, j)] + strength * (u.row(i) * v.row(j).transpose())[0]);
        (p, w.collect())
    }

    fn dense(p: &Pattern, w: &[f64]) -> Mat {
        let mut x = Mat::zeros(p.rows(), p.cols());
        p.entries().zip(w).for_each(|(e, w)| x[e] = *w);
        x
    }

    #[test]
    fn the_bound_is_tight_where_directions_stand_out_and_holds_for_any() {
        // the bulk far below the top; at two thirds of it, where only all columns together will do
        for (m, n, strength) in [(1400, 1300, 0.1), (1300, 1400, 0.1), (1400, 1300, 0.00125), (1600, 1500, 0.1)] {
            let (p, w) = planted(m, n, strength);
            let gram = Gram::new(&w, Layout::Listed(&p));
            let x = dense(&p, &w);
            let x = if m < n { x.transpose() } else { x };
            let (_, s, v) = lanczos::top_singular(
                |y| &x * y,
                |y| x.tr_mul(&(&x * y)),
                x.ncols(),
                None,
                lanczos::Krylov {
                    want: 12,
                    block: 16,
                    depth: 20,
                    tolerance: 1e-14,
                    floor: 0.0,
                    seed: 4,
                    turning: false,
                },
            );
            let size = norm_upper(&w).powi(2);
            let truth = s[0] * s[0];
            let upper = gram_norm_upper(&gram, &v, size).unwrap();
            assert!(upper >= truth * (1.0 - 1e-14) && upper <= truth * (1.0 + 1e-8), "{upper} {truth}");
            // directions that are not quite right loosen it, and do not break it
            for off in [1e-6, 1e-4, 1e-2] {
                // which turn where that is worth its while
                if off > 1e-3 && x.ncols() < TURNING_SIDE {
                    continue;
                }
                let near = &v + lanczos::gaussian(x.ncols(), 12, 5) * (off / (x.ncols() as f64).sqrt());
                let upper = gram_norm_upper(&gram, &near, size).unwrap();
                assert!(
                    upper >= truth * (1.0 - 1e-14) && upper <= truth * (1.0 + off.min(1e-6)),
                    "{off}: {upper} {truth}"
                );
            }
            // the first is missing: no bound
            assert_eq!(gram_norm_upper(&gram, &v.columns(1, 11).into_owned(), size), None);
        }
    }

    #[test]
    fn a_bulk_that_is_too_near_is_left_to_others() {
        let (p, w) = planted(1400, 1300, 0.0);
        let gram = Gram::new(&w, Layout::Listed(&p));
        assert_eq!(gram_norm_upper(&gram, &lanczos::gaussian(1300, 3, 7), norm_upper(&w).powi(2)), None);
    }
}
