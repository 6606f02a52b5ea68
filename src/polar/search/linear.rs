//! Linear networks: the singular vectors of V'Z, [`crate::polar::bound::linear`], with one unit in every layer.

use super::{Effort, Found, PolarSearch};
use crate::linalg::{Mat, dense};
use crate::mapping::{Factors, put_chain};
use crate::polar::bound::{PolarBound, linear};
use crate::polar::layers::{self, Ends, Weights};
use crate::problem::Problem;

/// Singular vectors of the field pulled back.
#[derive(Debug)]
pub struct Linear;

impl PolarSearch for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn applies(&self, problem: &Problem) -> bool {
        linear::Linear.applies(problem) == Some(true)
    }

    fn search(&self, problem: &Problem, z: &[f64], _warm: Option<&Factors>, effort: &Effort) -> Found {
        let layers = layers::plain(problem).expect("called only where it applies");
        let weights = Weights::new(problem, layers);
        let ends = Ends::new(problem, z, &weights);
        let product = dense::tr_mul(&ends.inputs, &ends.field);
        let Some((left, s, right)) = dense::thin_svd(&product) else { return Found::none(problem) };
        let count = s.iter().take(effort.keep).filter(|s| **s > 0.0).count();
        let rows = problem.factor_rows();
        let mut x = Factors(rows.iter().map(|&d| Mat::zeros(d, count)).collect());
        let last = rows.len() - 1;
        let divided =
            |x: &Mat, i: usize, m: &[f64]| -> Vec<f64> { x.column(i).iter().zip(m).map(|(x, m)| x / m).collect() };
        let between = |k: usize| 1.0 / problem.regularizer.gauges[k].weights().map_or(1.0, |w| w[0]);
        for i in 0..count {
            let (u, v) = (divided(&left, i, &weights.inputs), divided(&right, i, &weights.outputs));
            put_chain(&mut x, i, (0, layers.widths[0]), &u, between, &v);
        }
        // what is attained, not what is computed of it
        let pulled = problem.mapping.pullback(&problem.observations, z, &x, last);
        let values: Vec<f64> = (0..count).map(|i| pulled.column(i).dot(&x.0[last].column(i))).collect();
        Found::distinct(x, &values, effort.keep)
    }
}
