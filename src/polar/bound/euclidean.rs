//! The polar of a network under any gauges, compared with that under l2 norms, whose bounds it takes.
//!
//! ```text
//! Omega°(Z) <= r_1 r_2 max {||D_v^-1 Z'(V D_u^-1 x)_+||_2 : ||x||_2 <= 1}
//! Omega°(Z) <= r_1 max_k max {|sum_i z_i (v_i'D_u^-1 x)_+| : ||x||_2 <= 1},    z = Z D_v^-1 s_k
//! ```
//!
//! with r the largest l2 norm on the unit ball of an unweighted norm, and the second form where the outputs have targets s_k,
//! [`gauged::targets`]. Cones only shrink the feasible set. Tight where the inputs have an l2 norm and no cone.

use super::cones::PAIR;
use super::{Aim, PolarBound, Upper, gain};
use crate::budget::Budget;
use crate::linalg::Mat;
use crate::linalg::sum::{gamma, norm_upper};
use crate::polar::neurons::Neurons;
use crate::polar::{arcs, cones, field, gauged, moments};
use crate::problem::Problem;

/// Comparison with l2.
#[derive(Debug)]
pub struct Euclidean;

/// What a bound costs that cannot be tight, or is asked for in passing.
const WORK: f64 = 3e5;
const TOLERANCE: f64 = 1e-2;

impl PolarBound for Euclidean {
    fn name(&self) -> &'static str {
        "euclidean"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        gauged::applies(problem).then_some(false)
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        self.upper_within(problem, z, &Budget::unlimited())
    }

    fn upper_within(&self, problem: &Problem, z: &[f64], budget: &Budget) -> Upper {
        self.upper_toward(
            problem,
            z,
            &Aim { limit: 0.0, tolerance: TOLERANCE, work: WORK, budget, seen: None, tree: None },
        )
    }

    fn upper_toward(&self, problem: &Problem, z: &[f64], aim: &Aim) -> Upper {
        let gauges = &problem.regularizer.gauges;
        let rows = problem.factor_rows();
        let radius = |k: usize| gauges[k].norm().l2_radius(rows[k]) * (1.0 + gamma(4));
        let tight = gauges[0].norm().name() == "l2" && gauges[0].cone().is_none();
        let mut inputs = problem.mapping.inputs().expect("a network").clone();
        if let Some(d) = gauges[0].weights() {
            inputs.column_iter_mut().zip(d).for_each(|(mut c, d)| c /= *d);
        }
        let mut field = field::matrix(&problem.observations, z);
        if let Some(d) = gauges[1].weights() {
            field.column_iter_mut().zip(d).for_each(|(mut c, d)| c /= *d);
        }
        let q = field.ncols();
        let (fields, scale) = match gauged::targets(&gauges[1], q) {
            // -s has the value of s here
            Some(s) => {
                let leading = |s: &Vec<f64>| s.iter().find(|s| **s != 0.0).is_some_and(|s| *s > 0.0);
                let both = s.iter().any(leading);
                let kept = s.iter().filter(|s| leading(s) || !both);
                (kept.map(|s| &field * Mat::from_column_slice(q, 1, s)).collect(), radius(0))
            }
            None => (vec![field.clone()], radius(0) * radius(1)),
        };
        let share = fields.len() as f64;
        let sums = gamma(q + 4) * (q as f64).sqrt() * norm_upper(field.as_slice()) * norm_upper(inputs.as_slice());
        let value = fields
            .into_iter()
            .map(|field| {
                let Some(n) = Neurons::over(inputs.clone(), field) else { return f64::INFINITY };
                let limit = n.in_units(aim.limit / scale) - 2.0 * n.rounding;
                let (work, tolerance) =
                    if tight { (aim.work / share, aim.tolerance) } else { (WORK / share, TOLERANCE) };
                plain(&n, &Aim { limit, work, tolerance, seen: None, tree: None, ..*aim })
            })
            .fold(0.0, f64::max);
        Upper { value: ((value + sums) * scale * (1.0 + gamma(8))).next_up(), method: self.name(), exact: false }
    }

    fn flops(&self, problem: &Problem) -> f64 {
        PAIR * WORK * problem.shape().1 as f64
    }

    fn describe(&self) -> &'static str {
        "the gauges compared with l2 norms, loose by up to the constants between them"
    }
}

/// The bounds of plain l2 norms.
fn plain(n: &Neurons, aim: &Aim) -> f64 {
    match n.rank() {
        0..=arcs::RANK_LIMIT => n.polar_upper(arcs::pass(n).upper),
        k if k <= cones::RANK_LIMIT => n.polar_upper(cones::search(n, &[], aim).upper),
        _ if aim.budget.exhausted() => gain::crude(n),
        _ if moments::applies(n) => gain::crude(n).min(n.polar_upper(moments::search(n, &[], aim).upper)),
        _ => gain::crude(n),
    }
}
