//! The polar where a short factor has the linf norm: every vertex of its ball, exact.
//!
//! ```text
//! u in linf (weights d): Omega°(Z) = max over vertices t of gauge_v°(Z' D_u^-1 t),   t in {-1, 1}^m, or {0, 1}^m on an orthant
//! ```
//!
//! Why: gauge_v° is convex, so its maximum over the box is at a vertex. Rounding: each coordinate of Z't is a sum of m
//! terms, off by at most gamma_(m + 2) sum_i |Z_ij| / d_i; that moves the polar by its l2 norm times the radius of the ball.

use super::{PolarBound, Upper, norms};
use crate::gauge::Gauge;
use crate::linalg::Mat;
use crate::linalg::sum::{gamma, norm_upper};
use crate::polar::field::{line, line_count};
use crate::problem::Problem;

/// Exact by enumeration, for sides of at most [`SIDE_LIMIT`].
#[derive(Debug)]
pub struct LinfVertices;

/// 2^14 vertices at most.
pub const SIDE_LIMIT: usize = 14;

/// The shortest axis with the linf norm, if short enough.
fn axis(problem: &Problem) -> Option<usize> {
    if problem.mapping.name() != "matrix" {
        return None;
    }
    let (u, v) = norms(problem);
    let at = &problem.observations;
    [(u, 0), (v, 1)]
        .into_iter()
        .filter(|&(norm, axis)| norm == "linf" && line_count(at, axis) <= SIDE_LIMIT)
        .min_by_key(|&(_, axis)| line_count(at, axis))
        .map(|(_, axis)| axis)
}

/// Rows of the enumerated side divided by their weights, as columns of the other side's length.
fn rows(problem: &Problem, z: &[f64], axis: usize) -> Mat {
    let at = &problem.observations;
    let d = problem.regularizer.gauges[axis].weights();
    let mut x = Mat::zeros(line_count(at, 1 - axis), line_count(at, axis));
    for l in 0..x.ncols() {
        for (j, p) in line(at, axis, l) {
            x[(j, l)] = z[p] / d.map_or(1.0, |d| d[l]);
        }
    }
    x
}

/// Coordinate l of vertex `bits`.
fn vertex(gauge: &Gauge, bits: usize, l: usize) -> f64 {
    let on = bits >> l & 1 == 1;
    match gauge.orthant() {
        None => {
            if on {
                1.0
            } else {
                -1.0
            }
        }
        Some(s) => {
            if on {
                s
            } else {
                0.0
            }
        }
    }
}

impl PolarBound for LinfVertices {
    fn name(&self) -> &'static str {
        "linf_vertices"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        axis(problem).map(|_| true)
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let axis = axis(problem).expect("called only where it applies");
        let (boxed, other) = (&problem.regularizer.gauges[axis], &problem.regularizer.gauges[1 - axis]);
        let x = rows(problem, z, axis);
        let (n, m) = x.shape();
        // the error of Z't, and its effect on the dual norm (a norm: triangle inequality)
        let error: Vec<f64> = (0..n)
            .map(|j| x.row(j).iter().map(|x| x.abs()).sum::<f64>() * gamma(2 * m + 8) + f64::MIN_POSITIVE)
            .collect();
        let error = norm_upper(&error) * other.norm().l2_radius(n) / other.weight_range().1 * (1.0 + gamma(4));
        let mut best: f64 = 0.0;
        let mut y = vec![0.0; n];
        for bits in 0..1usize << m {
            y.fill(0.0);
            for l in 0..m {
                let t = vertex(boxed, bits, l);
                if t != 0.0 {
                    y.iter_mut().zip(x.column(l).iter()).for_each(|(y, x)| *y += t * x);
                }
            }
            best = best.max(other.polar_upper(&y));
        }
        let value = ((best + error) * (1.0 + gamma(4))).next_up();
        Upper { value, method: "enumeration", exact: true }
    }

    fn flops(&self, problem: &Problem) -> f64 {
        let (m, n) = problem.shape();
        let short = if axis(problem) == Some(0) { m } else { n };
        2f64.powi(short as i32) * 2.0 * (m * n) as f64
    }

    fn describe(&self) -> &'static str {
        "every vertex of the linf ball of the short side"
    }
}
