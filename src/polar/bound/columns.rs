//! A factor in an orthant beside any other: column by column.
//!
//! ```text
//! v >= 0 (or <= 0, the sign taken out):   <Z, u v'> = sum_k v_k <Z_k, u>   with v_k >= 0,   so
//!
//! Omega°(Z) <= gauge_v°(p),  p_k = gauge_u°(Z_k)                          any gauges, gauge_v absolute
//! Omega°(Z) <= r_u r_v sigma_1(R),  R_k = Z_k - q_k, <q_k, u> <= 0        cones with a reduction, such as psd; r: l2 radii
//! ```
//!
//! R_k is as small as the cone allows: of psd matrices the positive part of each slice, of nondecreasing vectors their projection.

use super::{PolarBound, Upper};
use crate::gauge::Gauge;
use crate::linalg::sum::{UNIT_ROUNDOFF, gamma, norm_upper};
use crate::linalg::{Mat, proven};
use crate::problem::Problem;

/// Columns of an orthant.
#[derive(Debug)]
pub struct Columns;

/// Most entries of the field as a dense matrix.
const FIELD_LIMIT: usize = 4_000_000;

/// The axes of an orthant beside a factor with a cone that is none, or with a norm of matrices.
fn axes(problem: &Problem) -> Vec<usize> {
    let (m, n) = problem.shape();
    if problem.mapping.name() != "matrix" || m * n > FIELD_LIMIT {
        return Vec::new();
    }
    let gauges = &problem.regularizer.gauges;
    let other = |g: &Gauge| g.cone().is_some_and(|c| c.orthant().is_none()) || g.norm().matrices().is_some();
    (0..2)
        .filter(|&k| gauges[k].orthant().is_some() && gauges[k].norm().is_absolute() && other(&gauges[1 - k]))
        .collect()
}

/// The axis of an orthant beside a factor with a convex cone that is none: every line of X across it lies in that cone.
pub fn cone_axis(problem: &Problem) -> Option<usize> {
    let convex =
        |k: usize| problem.regularizer.gauges[1 - k].cone().is_some_and(|c| c.orthant().is_none() && c.is_convex());
    axes(problem).into_iter().find(|&k| convex(k))
}

/// The field with a line of axis `axis` as each column, its sign taken out.
fn columns(problem: &Problem, z: &[f64], axis: usize) -> Mat {
    let (m, n) = problem.shape();
    let sign = problem.regularizer.gauges[axis].orthant().unwrap_or(1.0);
    let mut out = if axis == 1 { Mat::zeros(m, n) } else { Mat::zeros(n, m) };
    for ((i, j), z) in problem.observations.entries().zip(z) {
        out[if axis == 1 { (i, j) } else { (j, i) }] = sign * z;
    }
    out
}

/// gauge_v° of the columns' polars: nonnegative numbers, so that of the norm.
fn by_polars(gauge: &Gauge, other: &Gauge, w: &Mat) -> f64 {
    let rows = w.nrows().max(1);
    let mut p: Vec<f64> = w.as_slice().chunks(rows).map(|c| other.polar_upper(c)).collect();
    if let Some(d) = gauge.weights() {
        p.iter_mut().zip(d).for_each(|(p, d)| *p = (*p / d).next_up());
    }
    gauge.norm().dual_upper(&p)
}

/// sigma_1 of the reduced columns.
fn by_reduction(gauge: &Gauge, other: &Gauge, mut w: Mat) -> f64 {
    let Some(cone) = other.cone().filter(|c| c.orthant().is_none()) else { return f64::INFINITY };
    let (rows, cols) = w.shape();
    // in the coordinates of the norms: u' = D_u u, v' = D_v v
    let divide = |x: &mut f64, d: f64| *x /= d;
    if let Some(d) = other.weights() {
        w.column_iter_mut().for_each(|mut c| c.iter_mut().zip(d).for_each(|(x, d)| divide(x, *d)));
    }
    if let Some(d) = gauge.weights() {
        w.column_iter_mut().zip(d).for_each(|(mut c, d)| c.iter_mut().for_each(|x| divide(x, *d)));
    }
    let divided = 4.0 * UNIT_ROUNDOFF * norm_upper(w.as_slice());
    let moved: Vec<f64> = w.as_mut_slice().chunks_mut(rows.max(1)).map(|c| cone.reduce(c, other.weights())).collect();
    let top = proven::sigma_max_upper(w.as_slice(), rows, cols);
    let radius = other.norm().l2_radius(rows) * gauge.norm().l2_radius(cols);
    ((top + norm_upper(&moved) + divided) * radius * (1.0 + gamma(8))).next_up()
}

impl PolarBound for Columns {
    fn name(&self) -> &'static str {
        "columns"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        (!axes(problem).is_empty()).then_some(false)
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let mut value = f64::INFINITY;
        for axis in axes(problem) {
            let (gauge, other) = (&problem.regularizer.gauges[axis], &problem.regularizer.gauges[1 - axis]);
            let w = columns(problem, z, axis);
            // NaN stays out of the minimum
            value = value.min(by_polars(gauge, other, &w)).min(by_reduction(gauge, other, w));
        }
        Upper { value, method: "columns", exact: false }
    }

    fn describe(&self) -> &'static str {
        "column by column beside an orthant: the norm of the columns' polars, or the largest singular value of what the cone leaves of them"
    }
}
