//! The polar where one factor has the l1 norm: closed form, exact.
//!
//! ```text
//! u in l1 (weights d, signs a allowed by its cone):  Omega°(Z) = max_i max_a gauge_v°(a Z_i,:) / d_i
//! ```
//!
//! Why: a linear function over the l1 ball is largest at a vertex a e_i / d_i. The same by columns if v has the l1 norm.
//! Source: Haeffele & Vidal (26); Bach 2013. Rounding: that of each line's upper end.

use super::{PolarBound, Upper, norms};
use crate::gauge::Gauge;
use crate::polar::field::{line, line_count};
use crate::problem::Problem;
use rayon::prelude::*;

/// Exact by lines.
#[derive(Debug)]
pub struct L1Lines;

/// The axis whose factor has the l1 norm, for matrix problems.
pub fn axis(problem: &Problem) -> Option<usize> {
    if problem.mapping.name() != "matrix" {
        return None;
    }
    match norms(problem) {
        ("l1", _) => Some(0),
        (_, "l1") => Some(1),
        _ => None,
    }
}

/// The signs a vertex of the l1 ball may have on this gauge's cone.
pub fn signs(gauge: &Gauge) -> &'static [f64] {
    match gauge.orthant() {
        None => &[1.0, -1.0],
        Some(s) if s > 0.0 => &[1.0],
        Some(_) => &[-1.0],
    }
}

impl PolarBound for L1Lines {
    fn name(&self) -> &'static str {
        "l1_lines"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        axis(problem).map(|_| true)
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let axis = axis(problem).expect("called only where it applies");
        let (lone, other) = (&problem.regularizer.gauges[axis], &problem.regularizer.gauges[1 - axis]);
        let at = &problem.observations;
        let width = line_count(at, 1 - axis);
        let value = (0..line_count(at, axis))
            .into_par_iter()
            .map(|l| {
                let positions = line(at, axis, l);
                let d = lone.weights().map_or(1.0, |d| d[l]);
                let best = signs(lone)
                    .iter()
                    .map(|a| {
                        let entries: Vec<_> = positions.iter().map(|&(j, p)| (j, a * z[p])).collect();
                        other.sparse_polar_upper(width, &entries)
                    })
                    .fold(0.0, f64::max);
                (best / d).next_up()
            })
            .reduce(|| 0.0, f64::max);
        Upper { value, method: "closed_form", exact: true }
    }

    fn flops(&self, problem: &Problem) -> f64 {
        4.0 * problem.observations.len() as f64
    }

    fn describe(&self) -> &'static str {
        "largest dual norm of a line, since the vertices of the l1 ball are coordinate vectors"
    }
}
