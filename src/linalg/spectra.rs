//! Sums of singular values and the parts of a symmetric matrix, with proven rounding.
//!
//! ```text
//! ||W||_*  <= (||A||_F^2 + ||B||_F^2) / 2 + sqrt(k) ||W - A B'||_F          for any A, B with k = min(m, n)
//! S = A A' - B B' + E    so    <S, X> <= <A A', X> + ||E||_F tr X           for every positive semidefinite X
//! ```
//!
//! The factors come from a decomposition of which nothing is assumed: what it misses is in the remainder, which is
//! measured.

use super::sum::{UNIT_ROUNDOFF, gamma, norm_upper};
use super::vector::unit_scale;
use super::{Mat, dense};

/// A proven upper bound of the sum of the singular values of a matrix.
pub fn nuclear_upper(w: &Mat) -> f64 {
    if w.iter().any(|x| !x.is_finite()) {
        return f64::INFINITY;
    }
    if w.iter().all(|x| *x == 0.0) {
        return 0.0;
    }
    let c = unit_scale(w.as_slice());
    let scaled = w * c;
    let root = (w.nrows().min(w.ncols()) as f64).sqrt() * (1.0 + UNIT_ROUNDOFF);
    let size = norm_upper(scaled.as_slice());
    let crude = root * size;
    let bound = dense::thin_svd(&scaled).map_or(crude, |(u, s, v)| {
        let half = |x: &Mat| Mat::from_fn(x.nrows(), x.ncols(), |i, k| x[(i, k)] * s[k].max(0.0).sqrt());
        let (a, b) = (half(&u), half(&v));
        let (na, nb) = (norm_upper(a.as_slice()), norm_upper(b.as_slice()));
        let rest = norm_upper((&scaled - dense::mul_tr(&a, &b)).as_slice());
        let rounding = gamma(s.len() + 4) * (na * nb + size);
        let bound = 0.5 * (na * na + nb * nb) + root * (rest + rounding);
        if bound < crude { bound } else { crude }
    });
    // and entries that vanished when they were scaled
    let vanished = w.len() as f64 * f64::MIN_POSITIVE;
    ((bound * (1.0 + gamma(12)) + vanished) / c).next_up()
}

/// The parts of a symmetric matrix.
#[derive(Clone, Debug)]
pub struct Parts {
    /// A with A A' the positive part of c S, as near as it was found.
    pub positive: Mat,
    /// Upper bound of ||A||_F^2 = tr A A'.
    pub trace: f64,
    /// The symmetric part of c Y is A A' - B B' + E for some B: an upper bound of ||E||_F.
    pub residual: f64,
    /// c, a power of two.
    pub scale: f64,
}

impl Parts {
    /// Those of the symmetric part S = (Y + Y') / 2 of a square matrix; `None` if it is not finite or nothing
    /// converged.
    pub fn new(y: &Mat) -> Option<Self> {
        if y.iter().any(|x| !x.is_finite()) {
            return None;
        }
        let n = y.nrows();
        let scale = unit_scale(y.as_slice());
        let y = y * scale;
        let s = symmetric_part(&y);
        let (values, vectors) = dense::symmetric_eigen(&s)?;
        let side = |sign: f64| {
            let keep: Vec<usize> = (0..n).filter(|&i| sign * values[i] > 0.0).collect();
            Mat::from_fn(n, keep.len(), |i, k| vectors[(i, keep[k])] * (sign * values[keep[k]]).sqrt())
        };
        let (a, b) = (side(1.0), side(-1.0));
        let squared = |x: &Mat| {
            let size = norm_upper(x.as_slice());
            (size * size).next_up()
        };
        let (ta, tb) = (squared(&a), squared(&b));
        let rest = norm_upper((&s - gram(&a) + gram(&b)).as_slice());
        // products, differences, the mean of y and y', and what vanished when it was scaled
        let rounding = gamma(n + 8) * (norm_upper(s.as_slice()) + ta + tb) + UNIT_ROUNDOFF * norm_upper(y.as_slice());
        let residual = (rest + rounding) * (1.0 + gamma(8)) + (n * n) as f64 * f64::MIN_POSITIVE;
        residual.is_finite().then_some(Self { positive: a, trace: ta, residual, scale })
    }

    /// A A' / c, symmetric as stored, and an upper bound of the Frobenius norm of what it is off by.
    pub fn projected(&self) -> (Mat, f64) {
        let rounding = gamma(self.positive.ncols() + 4) * self.trace;
        let off = (rounding / self.scale).next_up() + (self.positive.nrows() as f64).powi(2) * f64::MIN_POSITIVE;
        (gram(&self.positive) / self.scale, off)
    }
}

/// (Y + Y') / 2, symmetric as stored.
pub fn symmetric_part(y: &Mat) -> Mat {
    Mat::from_fn(y.nrows(), y.ncols(), |i, j| 0.5 * y[(i, j)] + 0.5 * y[(j, i)])
}

/// A A', symmetric as stored.
fn gram(a: &Mat) -> Mat {
    let mut g = dense::mul_tr(a, a);
    g.fill_upper_triangle_with_lower_triangle();
    g
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::lanczos::gaussian;

    #[test]
    fn the_nuclear_norm_is_bounded_closely_at_every_scale() {
        for seed in 0..20 {
            let w = gaussian(7, 4, seed);
            let truth: f64 = dense::thin_svd(&w).unwrap().1.iter().sum();
            for c in [1.0, 2f64.powi(700), 2f64.powi(-700)] {
                let up = nuclear_upper(&(&w * c)) / c;
                assert!(up >= truth * (1.0 - 1e-15) && up <= truth * (1.0 + 1e-13), "{up} against {truth}");
            }
        }
        assert_eq!(nuclear_upper(&Mat::zeros(3, 2)), 0.0);
        assert_eq!(nuclear_upper(&Mat::from_element(2, 2, f64::NAN)), f64::INFINITY);
        // one singular value: the sum of absolute values along the only direction
        let up = nuclear_upper(&Mat::from_element(4, 9, 0.5));
        assert!((3.0..3.0 + 1e-13).contains(&up), "{up}");
    }

    #[test]
    fn the_parts_make_up_the_symmetric_part() {
        for seed in 0..20 {
            let y = gaussian(5, 5, seed);
            let parts = Parts::new(&y).unwrap();
            let (p, off) = parts.projected();
            assert_eq!(p, p.transpose());
            assert!(parts.residual < 1e-13 && off < 1e-13);
            let truth: f64 =
                dense::symmetric_eigenvalues(&symmetric_part(&y)).unwrap().iter().map(|l| l.max(0.0)).sum();
            assert!((p.trace() - truth).abs() < 1e-13 && parts.trace / parts.scale >= truth - 1e-14);
        }
        assert!(Parts::new(&Mat::from_element(2, 2, f64::NAN)).is_none());
    }
}
