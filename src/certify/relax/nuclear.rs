//! Omega_rel = nuclear norm (trace for psd): the closed form from one decomposition.
//!
//! ```text
//! Z = Y with its singular values (eigenvalues) clipped at lambda     maximises z'y - ||z||^2 / 2 over the free dual set
//! ```
//!
//! Without cones this is the global optimum; with cones it is a lower bound, since dropping them lowers Omega. Of an array the
//! nuclear norm of every unfolding is below Omega: the one with the highest bound is taken.

use super::{Goal, Relaxation, clip, clip_flops, plain_l2, source};
use crate::budget::Budget;
use crate::certify::Effort;
use crate::certify::dual::{DualPoint, Keeper};
use crate::linalg::Mat;
use crate::linalg::unfolding::{fold, unfold};
use crate::problem::Problem;

/// The nuclear norm.
#[derive(Debug)]
pub struct Nuclear;

impl Relaxation for Nuclear {
    fn name(&self) -> &'static str {
        "nuclear"
    }

    fn describe(&self) -> &'static str {
        "nuclear norm without the cones, closed form from one decomposition"
    }

    fn applies(&self, problem: &Problem) -> bool {
        plain_l2(problem)
    }

    fn flops(&self, problem: &Problem, _effort: Effort) -> f64 {
        let ((m, n), sizes) = (problem.shape(), problem.factor_rows());
        if problem.mapping.name() == "cp" {
            return sizes.iter().map(|&d| clip_flops(d, m * n / d.max(1))).sum();
        }
        clip_flops(m, n)
    }

    fn offer(&self, problem: &Problem, _goal: Goal, _effort: Effort, _budget: &Budget, keeper: &mut Keeper) {
        let ((m, n), sizes) = (problem.shape(), problem.factor_rows());
        let clipped = |y: &Mat| clip(problem, y);
        let fields: Vec<Vec<f64>> = if problem.mapping.name() == "cp" {
            let of = |k| Some(fold(&clipped(&unfold(&problem.y, &sizes, k))?, &sizes, k));
            (0..sizes.len()).filter_map(of).collect()
        } else {
            clipped(&Mat::from_column_slice(m, n, &problem.y)).map(|z| z.data.into()).into_iter().collect()
        };
        let value = |z: &Vec<f64>| z.iter().zip(&problem.y).map(|(z, y)| z * (y - 0.5 * z)).sum::<f64>();
        if let Some(z) = fields.into_iter().max_by(|a, b| value(a).total_cmp(&value(b))) {
            keeper.offer(problem, &DualPoint::field(source(self), z));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Observations;
    use crate::gauge::{Gauge, l2::L2};
    use crate::problem::{Form, Regularizer};

    #[test]
    fn an_array_that_is_orthogonal_along_its_last_index_alone_is_solved() {
        let (sizes, lambda, half) = ([2, 2, 3], 0.5, 0.5f64.sqrt());
        // a_i o b_i o e_i with orthogonal a_i o b_i, of which neither the a_i nor the b_i are orthogonal
        let slices = [(3.0, [1.0, 0.0], [1.0, 0.0]), (2.0, [1.0, 0.0], [0.0, 1.0]), (4.0, [0.0, 1.0], [half, half])];
        let entry = |(s, a, b): &(f64, [f64; 2], [f64; 2])| -> Vec<f64> {
            b.iter().flat_map(|b| a.iter().map(move |a| s * a * b)).collect()
        };
        let problem = Problem {
            observations: Observations::Full { rows: 2, cols: 6 },
            operator: None,
            y: slices.iter().flat_map(entry).collect(),
            w: None,
            loss: Box::new(crate::loss::squared::Squared),
            mapping: (crate::mapping::cp::KIND.build)(&crate::mapping::Setup {
                sizes: &sizes,
                inputs: None,
                layers: None,
            }),
            regularizer: Regularizer {
                form: Form::Product,
                gauges: sizes.map(|_| Gauge::new(Box::new(L2), None, None).unwrap()).into(),
            },
            extras: Default::default(),
            offset: Vec::new(),
            lambda,
        };
        let mut keeper = Keeper::new();
        let goal = Goal { objective: f64::INFINITY, target: 1e-9, start: None, last: None };
        Nuclear.offer(&problem, goal, Effort::Cheap, &Budget::unlimited(), &mut keeper);
        let optimum: f64 = slices.iter().map(|s| lambda * s.0 - 0.5 * lambda * lambda).sum();
        let bound = keeper.value().unwrap();
        assert!(bound <= optimum && bound >= optimum * (1.0 - 1e-9), "{bound} of {optimum}");
        // the first unfolding alone is below
        let first = clip(&problem, &unfold(&problem.y, &sizes, 0)).unwrap();
        let short: f64 = first.iter().zip(&problem.y).map(|(z, y)| z * (y - 0.5 * z)).sum();
        assert!(short < optimum * (1.0 - 1e-3), "{short} of {optimum}");
    }
}
