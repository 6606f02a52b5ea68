//! Networks of two inputs on many samples: a start from few samples that stand for all.
//!
//! ```text
//! samples of about one direction,  r_i = ||v_i||:    sum_i w_i (y_i - r_i c)^2 / 2  =  (y_b - r_b c)^2 / 2 + const
//! r_b^2 = sum_i w_i r_i^2,    r_b y_b = sum_i w_i r_i y_i,    v_b = sum_i w_i r_i v_i / r_b
//! ```
//!
//! for every network that is linear between the directions of a group. What is left to do on all samples is little, and
//! each of them is seen a few times only.

use super::{SolverOptions, observer::Silent, solve};
use crate::budget::Budget;
use crate::certify::CertifyOptions;
use crate::data::Observations;
use crate::gauge::{Gauge, l2::L2};
use crate::linalg::Mat;
use crate::mapping::{Factors, Setup, relu};
use crate::polar::{arcs, neurons};
use crate::problem::{Problem, Regularizer};

/// Samples below which nothing is gained.
const MANY: usize = 20_000;
/// Groups.
const GROUPS: usize = 4096;

/// The optimum on groups of samples; `None` where all samples are as good, or the problem does not allow it.
pub fn start(problem: &Problem, options: &SolverOptions, certify: &CertifyOptions, budget: &Budget) -> Option<Factors> {
    let mut coarse = grouped(problem)?;
    Some(solve(&mut coarse, options, certify, None, budget, &mut Silent).factors)
}

/// The problem on groups.
fn grouped(problem: &Problem) -> Option<Problem> {
    let v = problem.mapping.inputs()?;
    let (n, q) = problem.shape();
    let full = matches!(problem.observations, Observations::Full { .. });
    let plain = problem.loss.is_quadratic()
        && problem.extras.blocks.is_empty()
        && neurons::applies(problem)
        && problem.mapping.name() == relu::KIND.name;
    if !(full && plain) || n < MANY || v.ncols() != arcs::RANK_LIMIT {
        return None;
    }
    let length = |i: usize| v[(i, 0)].hypot(v[(i, 1)]);
    let mut order: Vec<usize> = (0..n).filter(|&i| length(i) > 0.0).collect();
    let angle = |i: usize| v[(i, 1)].atan2(v[(i, 0)]);
    order.sort_by(|&a, &b| angle(a).total_cmp(&angle(b)).then(a.cmp(&b)));
    let groups: Vec<&[usize]> = order.chunks(n.div_ceil(GROUPS)).collect();
    // one weight per sample, or the outputs of a sample would stand for different ones
    let weight = |i: usize| problem.w.as_ref().map_or(1.0, |w| w[i]);
    if let Some(w) = &problem.w
        && (0..n).any(|i| (1..q).any(|o| w[i + o * n] != w[i]))
    {
        return None;
    }
    let mut inputs = Mat::zeros(groups.len(), v.ncols());
    let mut y = vec![0.0; groups.len() * q];
    for (b, group) in groups.iter().enumerate() {
        let size = group.iter().map(|&i| weight(i) * length(i).powi(2)).sum::<f64>().sqrt();
        if size > 0.0 {
            let mean =
                |of: &dyn Fn(usize) -> f64| group.iter().map(|&i| weight(i) * length(i) * of(i)).sum::<f64>() / size;
            (0..v.ncols()).for_each(|j| inputs[(b, j)] = mean(&|i| v[(i, j)]));
            (0..q).for_each(|o| y[b + o * groups.len()] = mean(&|i| problem.y[i + o * n]));
        }
    }
    let observations = Observations::Full { rows: groups.len(), cols: q };
    let gauges = problem
        .regularizer
        .gauges
        .iter()
        .map(|g| Gauge::new(Box::new(L2), g.weights().map(<[f64]>::to_vec), None).expect("no cone"));
    Some(Problem {
        operator: None,
        y,
        w: None,
        loss: Box::new(crate::loss::squared::Squared),
        mapping: (relu::KIND.build)(&Setup { sizes: &[groups.len(), q], inputs: Some(&inputs), layers: None }),
        regularizer: Regularizer { form: problem.regularizer.form, gauges: gauges.collect() },
        extras: Default::default(),
        offset: Vec::new(),
        lambda: problem.lambda,
        observations,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::lanczos::gaussian;

    /// N samples, one input and a bias.
    fn problem(n: usize, w: Option<Vec<f64>>) -> Problem {
        let mut v = gaussian(n, 2, 1);
        v.column_mut(1).fill(1.0);
        let noise = gaussian(n, 2, 2);
        let y =
            (0..2).flat_map(|o| (0..n).map(move |i| (o, i))).map(|(o, i)| (v[(i, 0)] + o as f64).abs() + noise[(i, o)]);
        let y = y.collect();
        let gauges = (0..2).map(|_| Gauge::new(Box::new(L2), None, None).unwrap()).collect();
        Problem {
            observations: Observations::Full { rows: n, cols: 2 },
            operator: None,
            y,
            w,
            loss: Box::new(crate::loss::squared::Squared),
            mapping: (relu::KIND.build)(&Setup { sizes: &[n, 2], inputs: Some(&v), layers: None }),
            regularizer: Regularizer { form: crate::problem::Form::Product, gauges },
            extras: Default::default(),
            offset: Vec::new(),
            lambda: 1.0,
        }
    }

    #[test]
    fn groups_have_the_gradient_of_their_samples() {
        let n = 30_000;
        let weights: Vec<f64> = (0..2 * n).map(|k| 1.0 + (k % n % 3) as f64).collect();
        for w in [None, Some(weights)] {
            let p = problem(n, w);
            let coarse = grouped(&p).unwrap();
            assert!(coarse.shape().0 <= GROUPS);
            let x = Factors(vec![gaussian(2, 3, 5), gaussian(2, 3, 6)]);
            let gradient = |p: &Problem| p.pullback(&p.dual_field(&p.predict(&x)), &x, 0);
            let (fine, rough) = (gradient(&p), gradient(&coarse));
            assert!((&fine - &rough).norm() <= 1e-3 * fine.norm(), "{fine} against {rough}");
        }
    }

    #[test]
    fn weights_that_differ_between_outputs_are_left_alone() {
        let n = 20_000;
        assert!(grouped(&problem(n, Some((0..2 * n).map(|k| if k < n { 1.0 } else { 2.0 }).collect()))).is_none());
        assert!(grouped(&problem(n, None)).is_some());
        assert!(grouped(&problem(n - 1, None)).is_none());
    }
}
