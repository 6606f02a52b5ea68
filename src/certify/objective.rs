//! f_r at a point, rounded up.
//!
//! Where membership of a cone is decided up to rounding, the value is that of a point in the cone: each column is moved there,
//! which changes predictions and gauges by no more than its distance allows.

use super::certificate::Objective;
use crate::extra::Coefficients;
use crate::linalg::sum::{gamma, norm_upper};
use crate::mapping::Factors;
use crate::problem::Problem;

/// The objective at (`x`, `q`) given Phi(x) + A q; `total` is not below the exact value at the numbers as stored.
///
/// Each entry of Phi + A Q is a sum of r products and of the terms of A q: off by at most gamma_(r + K + terms + 6), and the
/// mapping's own roundings, times the sum of their sizes; what is measured of it adds its own rounding. Gauges are sums of n terms, each
/// with relative error at most gamma_(n + 32) where nothing underflows; K of them are combined per slice, and r slices summed.
pub fn objective(problem: &Problem, x: &Factors, q: &Coefficients, prediction: &[f64]) -> Objective {
    let blocks = || problem.extras.blocks.iter().zip(q);
    let (sizes, terms) = blocks().fold((0.0, 0), |(size, terms), (b, q)| {
        let (s, t) = b.map.magnitude(q);
        (size + s, terms + t + 1)
    });
    let magnitude = problem.mapping.magnitude(x);
    let output =
        gamma(x.rank() + x.0.len() + terms + problem.mapping.roundings() + 6) * (magnitude + sizes) + drift(problem, x);
    let radius = match &problem.operator {
        None => output,
        Some(a) => {
            // what is measured has A Q added to it
            let measured = a.norm_upper() * output + a.apply_rounding(2.0 * magnitude);
            let added = gamma(terms + 6) * (2.0 * a.norm_upper() * magnitude + sizes);
            (measured + added) * (1.0 + gamma(6))
        }
    };
    let loss = problem.plain_loss().value_upper(problem.targets(), prediction, radius);
    let extras = blocks().fold(0.0, |sum: f64, (b, q)| match b.penalty.value_upper(q) {
        0.0 => sum,
        value => (sum + value).next_up(),
    });
    let longest = problem.factor_rows().into_iter().max().unwrap_or(0);
    let terms = x.0.len() * (longest + 40) + x.rank() + 8;
    // the sum of nothing is -0
    let regularizer = problem.lambda * problem.regularizer.total(x) + 0.0;
    let upper = problem.lambda * problem.regularizer.total_upper(x) + f64::MIN_POSITIVE;
    // the loss may be negative: round up, not away from 0
    let total = ((loss + extras).next_up() + (upper * (1.0 + gamma(terms))).next_up()).next_up();
    Objective { total, loss, regularizer, extras }
}

/// An upper bound of ||Phi(X') - Phi(X)|| for X' with every column moved into its cone; 0 where membership is exact.
pub(super) fn drift(problem: &Problem, x: &Factors) -> f64 {
    let gauges = &problem.regularizer.gauges;
    let total: f64 = (0..x.rank())
        .map(|i| {
            let slice = x.slice(i);
            let mut moved: Vec<f64> = gauges.iter().zip(&slice).map(|(g, x)| g.distance_upper(x)).collect();
            if moved.iter().all(|e| *e == 0.0) {
                return 0.0;
            }
            let mut size: Vec<f64> = slice.iter().map(|x| norm_upper(x)).collect();
            // one factor stands for two
            if let (&[e], &[s]) = (&moved[..], &size[..]) {
                (moved, size) = (vec![e; 2], vec![s; 2]);
            }
            // prod (size + moved) - prod size, factor by factor
            let (mut change, mut product) = (0.0, 1.0);
            for (e, s) in moved.iter().zip(&size) {
                change = change * (s + e) + product * e;
                product *= s;
            }
            change
        })
        .sum();
    total * problem.mapping.gain() * (1.0 + gamma(x.rank() + 4 * x.0.len() + 5))
}
