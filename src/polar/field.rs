//! A field seen as a matrix: its lines, its weighted form D_u^-1 Z D_v^-1, its spectral norm.

use crate::data::Observations;
pub use crate::data::observations::indices;
use crate::linalg::proven::{self, SigmaUpper};
use crate::linalg::{Layout, Mat, Pattern, dense, sum};
use crate::problem::Problem;
use std::borrow::Cow;

/// Z scaled so that weighted gauges become plain ones: <Z, u v'> = <D_u^-1 Z D_v^-1, (D_u u)(D_v v)'>.
pub struct Unweighted<'a> {
    /// D_u^-1 Z D_v^-1 as stored.
    pub field: Cow<'a, [f64]>,
    /// Upper bound of the Frobenius norm of the rounding made in forming it.
    pub rounding: f64,
}

/// Divides out the gauges' weights.
pub fn unweighted<'a>(problem: &Problem, z: &'a [f64]) -> Unweighted<'a> {
    let gauges = &problem.regularizer.gauges;
    let (du, dv) = (gauges[0].weights(), gauges[gauges.len() - 1].weights());
    if du.is_none() && dv.is_none() {
        return Unweighted { field: Cow::Borrowed(z), rounding: 0.0 };
    }
    let field: Vec<f64> = problem
        .observations
        .entries()
        .zip(z)
        .map(|((i, j), z)| z / (du.map_or(1.0, |d| d[i]) * dv.map_or(1.0, |d| d[j])))
        .collect();
    let rounding = 3.0 * sum::UNIT_ROUNDOFF * sum::norm_upper(&field);
    Unweighted { field: Cow::Owned(field), rounding }
}

/// Where the entries of the field stand in a matrix (unobserved ones are 0).
pub fn layout(at: &Observations) -> Layout<'_> {
    match at {
        Observations::Full { rows, cols } => Layout::Full { rows: *rows, cols: *cols },
        Observations::Coordinates(p) => Layout::Listed(p),
    }
}

/// A proven upper bound of its spectral norm.
pub fn sigma_upper(at: &Observations, w: &[f64]) -> SigmaUpper {
    proven::sigma_upper(w, layout(at))
}

/// Number of lines along `axis` (0: rows, 1: columns).
pub fn line_count(at: &Observations, axis: usize) -> usize {
    if axis == 0 { at.shape().0 } else { at.shape().1 }
}

/// Line `l` along `axis`: (index along the other axis, position in the field).
pub fn line(at: &Observations, axis: usize, l: usize) -> Vec<(usize, usize)> {
    match (at, axis) {
        (Observations::Full { rows, cols }, 0) => (0..*cols).map(|j| (j, j * rows + l)).collect(),
        (Observations::Full { rows, .. }, _) => (0..*rows).map(|i| (i, l * rows + i)).collect(),
        (Observations::Coordinates(p), 0) => p.row(l).collect(),
        (Observations::Coordinates(p), _) => p.column(l).collect(),
    }
}

/// The field as a dense matrix, 0 where nothing is observed.
pub fn matrix(at: &Observations, z: &[f64]) -> Mat {
    let (m, n) = at.shape();
    let mut out = Mat::zeros(m, n);
    at.entries().zip(z).for_each(|(e, z)| out[e] = *z);
    out
}

/// The symmetric part (Z + Z') / 2 of a square field as a dense matrix, each entry rounded once.
pub fn symmetrised(at: &Observations, z: &[f64]) -> Mat {
    let n = at.shape().0;
    let mut g = Mat::zeros(n, n);
    for ((i, j), z) in at.entries().zip(z) {
        g[(i, j)] += 0.5 * z;
        g[(j, i)] += 0.5 * z;
    }
    g
}

/// Z'Z (`axis` = 1, n x n) or Z Z' (`axis` = 0, m x m), both triangles filled from the lower one.
pub fn gram(at: &Observations, z: &[f64], axis: usize) -> Mat {
    let mut g = match at {
        Observations::Full { rows, cols } => {
            let x = Mat::from_column_slice(*rows, *cols, z);
            if axis == 1 { dense::tr_mul(&x, &x) } else { dense::mul_tr(&x, &x) }
        }
        Observations::Coordinates(p) => sparse_gram(p, z, axis),
    };
    g.fill_upper_triangle_with_lower_triangle();
    g
}

fn sparse_gram(p: &Pattern, z: &[f64], axis: usize) -> Mat {
    let (side, lines) = if axis == 1 { (p.cols(), p.rows()) } else { (p.rows(), p.cols()) };
    let mut g = Mat::zeros(side, side);
    for l in 0..lines {
        let line: Vec<_> = if axis == 1 { p.row(l).collect() } else { p.column(l).collect() };
        for (k, &(j, q)) in line.iter().enumerate() {
            for &(i, at) in &line[k..] {
                g[(i, j)] += z[at] * z[q];
            }
        }
    }
    g
}
