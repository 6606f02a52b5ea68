//! Where one factor has the l1 norm and the loss is quadratic: the global minimiser, line by line, in closed form.
//!
//! ```text
//! a slice (u, v) with u in l1 costs the same as its pieces (e_i / d_i, u_i d_i v), so slices with u = a e_i / d_i suffice,
//! and the lines of X separate:   v = argmin 1/2 sum_j w_ij (a v_j / d_i - y_ij)^2 + lambda gauge_v(v)
//! ```
//!
//! with a in {1, -1} as the cone of u allows. Where u is free and v is confined to an orthant, both signs are used: they fit
//! entries of opposite sign. Source: the polar of the l1 ball is attained at its vertices (Haeffele & Vidal, (26)).

use super::{Descent, Effort};
use crate::budget::Budget;
use crate::data::Observations;
use crate::linalg::Mat;
use crate::mapping::Factors;
use crate::polar::bound::l1_lines::{axis, signs};
use crate::polar::field::{line, line_count};
use crate::problem::Problem;

/// Closed form by lines.
#[derive(Debug)]
pub struct Lines;

/// Whether the pieces of a line that come from different signs of u do not overlap, and each is an exact minimiser.
pub(super) fn one_sign_at_a_time(problem: &Problem, axis: usize) -> bool {
    let (lone, other) = (&problem.regularizer.gauges[axis], &problem.regularizer.gauges[1 - axis]);
    // on an orthant an absolute norm fits entries of opposite sign apart
    let apart = other.orthant().is_some() && other.norm().is_absolute();
    other.is_convex() && (signs(lone).len() == 1 || other.is_even() || apart)
}

/// Whether the other factor's prox is exact in the metric of every line: that of the weights of its entries.
fn has_metric(problem: &Problem, axis: usize) -> bool {
    let uniform = matches!(problem.observations, Observations::Full { .. }) && problem.w.is_none();
    uniform || problem.regularizer.gauges[1 - axis].any_metric()
}

impl Descent for Lines {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn summary(&self) -> &'static str {
        "the closed form of `matrix` with `l1` on a factor and squared loss: the optimum, line by line"
    }

    fn applies(&self, problem: &Problem) -> bool {
        problem.loss.is_quadratic()
            && problem.operator.is_none()
            && axis(problem).is_some_and(|axis| one_sign_at_a_time(problem, axis) && has_metric(problem, axis))
    }

    fn descend(&self, problem: &Problem, x: &mut Factors, _effort: Effort, _budget: &Budget) {
        let axis = axis(problem).expect("called only where it applies");
        let (lone, other) = (&problem.regularizer.gauges[axis], &problem.regularizer.gauges[1 - axis]);
        // an even gauge lets v take either sign itself
        let signs = if other.is_even() { &signs(lone)[..1] } else { signs(lone) };
        let targets = problem.targets();
        let width = line_count(&problem.observations, 1 - axis);
        let mut pieces: Vec<(usize, f64, Vec<f64>)> = Vec::new();
        for l in 0..line_count(&problem.observations, axis) {
            let d = lone.weights().map_or(1.0, |d| d[l]);
            let positions = line(&problem.observations, axis, l);
            for &a in signs {
                let (mut v, mut h) = (vec![0.0; width], vec![0.0; width]);
                for &(j, p) in &positions {
                    v[j] = a * d * targets.y[p];
                    h[j] = targets.weight(p) / (d * d);
                }
                other.prox(&mut v, &h, problem.lambda);
                if v.iter().any(|v| *v != 0.0) {
                    pieces.push((l, a / d, v));
                }
            }
        }
        let mut u = Mat::zeros(line_count(&problem.observations, axis), pieces.len());
        let mut v = Mat::zeros(width, pieces.len());
        for (k, (l, scale, values)) in pieces.iter().enumerate() {
            u[(*l, k)] = *scale;
            v.column_mut(k).copy_from_slice(values);
        }
        let mut best = Factors(if axis == 0 { vec![u, v] } else { vec![v, u] });
        problem.regularizer.balance(&mut best);
        if problem.objective(&best) <= problem.objective(x) {
            *x = best;
        }
    }
}
