//! The polar of an array of order 3 with the l1 norm on an index: one of its slabs alone attains it.
//!
//! ```text
//! Omega°(Z) = max_i max_s Omega_rest°(s Z_i) / d_i      s: the signs that the index's cone allows
//! ```
//!
//! The vertices of the l1 ball are the signed coordinate vectors. Exact where the polar of a slab is.

use super::slabs::Slabs;
use super::{PolarBound, Upper, is_exact, l1_lines::signs, upper};
use crate::linalg::sum::UNIT_ROUNDOFF;
use crate::problem::Problem;

/// Slabs of the l1 norm.
#[derive(Debug)]
pub struct ArrayLines;

/// The slabs along the first index with the l1 norm whose slabs have a bound, an exact one if there is any.
fn slabs(problem: &Problem) -> Option<(usize, Slabs)> {
    let gauges = &problem.regularizer.gauges;
    let found: Vec<(usize, Slabs)> = (0..gauges.len())
        .filter(|&k| gauges[k].norm().name() == "l1" && gauges[k].cone().is_none_or(|c| c.orthant().is_some()))
        .filter_map(|k| Slabs::new(problem, k).map(|s| (k, s)))
        .collect();
    let exact = found.iter().position(|(_, s)| is_exact(&s.rest));
    found.into_iter().nth(exact.unwrap_or(0))
}

impl PolarBound for ArrayLines {
    fn name(&self) -> &'static str {
        "array_lines"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        slabs(problem).map(|(_, s)| is_exact(&s.rest))
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let (index, slabs) = slabs(problem).expect("called only where it applies");
        let gauge = &problem.regularizer.gauges[index];
        let (columns, _) = slabs.columns(problem, z, None);
        // a slab of either sign has the same polar unless both of its factors are confined
        let signs = if slabs.is_even() { &[1.0] } else { signs(gauge) };
        let mut best = Upper { value: 0.0, method: "closed_form", exact: true };
        for (i, slab) in columns.column_iter().enumerate() {
            let d = gauge.weights().map_or(1.0, |d| d[i]);
            for sign in signs {
                let slab: Vec<f64> = slab.iter().map(|z| sign * z).collect();
                let Some(u) = upper(&slabs.rest, &slab) else {
                    return Upper { value: f64::INFINITY, method: "none", exact: false };
                };
                best.exact &= u.exact;
                let value = (u.value / d * (1.0 + 2.0 * UNIT_ROUNDOFF)).next_up();
                if value > best.value {
                    (best.value, best.method) = (value, u.method);
                }
            }
        }
        best
    }

    fn describe(&self) -> &'static str {
        "the largest polar of a slab along the index with the l1 norm"
    }
}
