//! Lifts: where one side or both lie in orthants, a symmetric matrix on R^(m + n) bounds the polar of plain l2 gauges.

use super::majorant::field_below;
use super::{DualPoint, Kind, Proven, finish, largest_scale, plain_lambda};
use crate::gauge::Gauge;
use crate::linalg::{Mat, proven};
use crate::polar::bound::product_sign;
use crate::problem::Problem;

/// The blocks of a symmetric matrix on R^(m + n) that bounds the polar of plain l2 gauges, for u or v in an orthant:
///
/// ```text
/// u'Zv <= u'Sv <= 1/2 (u, v)' [[T_u, S], [S', T_v]] (u, v) <= lambda_max(..)        ||u|| = ||v|| = 1
/// ```
///
/// T_u >= 0 entry by entry, and 0 unless u lies in an orthant; T_v likewise; S = Z, or S >= Z (in the sign of u v') if both do.
#[derive(Clone, Debug, PartialEq)]
pub struct Lift {
    /// S, m x n column-major.
    pub s: Vec<f64>,
    /// T_u, m x m, or empty for 0.
    pub u: Vec<f64>,
    /// T_v, n x n, or empty for 0.
    pub v: Vec<f64>,
}

pub(super) fn prove(problem: &Problem, source: &str, lift: &Lift) -> Option<Proven> {
    let lambda = plain_lambda(problem)?;
    let [gu, gv] = problem.regularizer.gauges.as_slice() else { return None };
    let (m, n) = problem.shape();
    let s = Mat::from_column_slice(m, n, &lift.s);
    let (tu, tv) = (nonnegative_block(gu, &lift.u, m), nonnegative_block(gv, &lift.v, n));
    let upper = match (&tu, &tv) {
        (None, None) => proven::sigma_max_upper(&lift.s, m, n),
        (Some(q), None) => proven::bordered_lambda_max_upper(&s.transpose(), q),
        (None, Some(q)) => proven::bordered_lambda_max_upper(&s, q),
        (Some(a), Some(b)) => proven::lambda_max_upper(&assembled(a, &s, b)),
    };
    if !upper.is_finite() {
        return None;
    }
    let limit = largest_scale(lambda, upper, &lift.s, 1.0);
    let point = |c: f64, s: Vec<f64>| {
        let block = |t: &Option<Mat>| t.as_ref().map_or(Vec::new(), |t| scaled(t.as_slice(), c));
        DualPoint { source: source.into(), kind: Kind::Lift(Lift { s, u: block(&tu), v: block(&tv) }) }
    };
    if let Some(sign) = product_sign(problem) {
        let c = limit.min(1.0);
        let s = scaled(&lift.s, c);
        let z = field_below(problem, sign, &s)?;
        return finish(problem, z, point(c, s), "cholesky", 0.0);
    }
    // S = Z, so it vanishes where nothing is observed
    let z: Vec<f64> = problem.observations.entries().map(|(i, j)| lift.s[j * m + i]).collect();
    if z.iter().filter(|z| **z != 0.0).count() != lift.s.iter().filter(|s| **s != 0.0).count() {
        return None;
    }
    let c = problem.loss.best_scale(problem.targets(), &z, limit);
    finish(problem, scaled(&z, c), point(c, scaled(&lift.s, c)), "cholesky", 0.0)
}

/// T >= 0, symmetric, with zero diagonal: what is below 0 is clipped, which only changes the point. `None` for 0.
fn nonnegative_block(gauge: &Gauge, block: &[f64], side: usize) -> Option<Mat> {
    gauge.orthant()?;
    if block.is_empty() {
        return None;
    }
    Some(nonnegative(block, side))
}

/// The nonnegative part of the symmetric part of a column-major square, without its diagonal.
pub(super) fn nonnegative(block: &[f64], side: usize) -> Mat {
    let t = Mat::from_column_slice(side, side, block);
    // NaN.max(0) would be 0: keep it, so that the bound becomes infinite
    let clip = |x: f64| if x.is_nan() { x } else { x.max(0.0) };
    Mat::from_fn(side, side, |i, j| if i == j { 0.0 } else { clip(0.5 * (t[(i, j)] + t[(j, i)])) })
}

pub(super) fn scaled(x: &[f64], c: f64) -> Vec<f64> {
    x.iter().map(|x| c * x).collect()
}

/// [[A, S], [S', B]].
fn assembled(a: &Mat, s: &Mat, b: &Mat) -> Mat {
    let (m, n) = s.shape();
    let mut t = Mat::zeros(m + n, m + n);
    t.view_mut((0, 0), (m, m)).copy_from(a);
    t.view_mut((0, m), (m, n)).copy_from(s);
    t.view_mut((m, 0), (n, m)).copy_from(&s.transpose());
    t.view_mut((m, m), (n, n)).copy_from(b);
    t
}
