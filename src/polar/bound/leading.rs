//! The polar of one factor in an orthant and one that is free, both with l2 norms, by branch and bound over the leading singular
//! directions, [`crate::polar::leading`].

use super::{Aim, PolarBound, Upper, cones::begun, norms};
use crate::linalg::Mat;
use crate::mapping::Factors;
use crate::polar::field::{self, unweighted};
pub use crate::polar::leading::UNIT;
use crate::polar::leading::{Form, search};
use crate::problem::Problem;

/// Branch and bound over the leading singular directions.
#[derive(Debug)]
pub struct Leading;

/// What a search usually may cost.
const WORK: f64 = 2e9;
/// The longest short side, and the longest one.
const SHORT_LIMIT: usize = 200;
const LONG_LIMIT: usize = 20_000;
/// A cell takes a few times m n min(m, n) flops.
const CELL_LIMIT: usize = 20_000_000;

impl PolarBound for Leading {
    fn name(&self) -> &'static str {
        "leading_directions"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        applies(problem).then_some(false)
    }

    /// Nothing: what it costs is worth it only where something is to be met.
    fn upper(&self, _: &Problem, _: &[f64]) -> Upper {
        Upper { value: f64::INFINITY, method: "none", exact: false }
    }

    fn upper_toward(&self, problem: &Problem, z: &[f64], aim: &Aim) -> Upper {
        let (axis, sign) = orthant(problem).expect("called only where it applies");
        let plain = unweighted(problem, z);
        let matrix = field::matrix(&problem.observations, &plain.field) * sign;
        let matrix = if axis == 0 { matrix } else { matrix.transpose() };
        let Some(form) = Form::new(matrix.clone()) else { return self.upper(problem, z) };
        let found = begun(problem, z, aim.budget);
        // what the coordinates cost is not the search's to win back
        let reached = search(&form, found.best(), &Aim { limit: aim.limit - 2.0 * plain.rounding, ..*aim });
        if let Some(seen) = aim.seen.filter(|_| reached.direction.iter().any(|y| *y != 0.0)) {
            seen.replace(Some(slice(problem, &matrix, &form.direction(&reached.direction))));
        }
        Upper { value: (reached.upper + plain.rounding).next_up(), method: self.name(), exact: false }
    }

    fn flops(&self, _: &Problem) -> f64 {
        UNIT * WORK
    }

    fn describe(&self) -> &'static str {
        "branch and bound over the few singular directions above a goal, by convex programs in all others; on the last rung alone"
    }
}

/// Whether one factor is in an orthant and the other free, both with l2 norms, and not too large.
pub fn applies(problem: &Problem) -> bool {
    let (m, n) = problem.shape();
    let (short, long) = (m.min(n), m.max(n));
    let fits = short <= SHORT_LIMIT && long <= LONG_LIMIT && long * short * short <= CELL_LIMIT;
    problem.mapping.name() == "matrix" && norms(problem) == ("l2", "l2") && fits && orthant(problem).is_some()
}

/// The axis of the factor in an orthant, and the sign of that.
fn orthant(problem: &Problem) -> Option<(usize, f64)> {
    let [first, second] = problem.regularizer.gauges.as_slice() else { return None };
    match (first.cone(), second.cone()) {
        (Some(c), None) => c.orthant().map(|s| (0, s)),
        (None, Some(c)) => c.orthant().map(|s| (1, s)),
        _ => None,
    }
}

/// The slice of a direction of the free factor, with gauges 1: its partner is (Z v)_+.
fn slice(problem: &Problem, matrix: &Mat, v: &[f64]) -> Factors {
    let (axis, sign) = orthant(problem).expect("called only where it applies");
    let u: Vec<f64> = (matrix * Mat::from_column_slice(v.len(), 1, v)).iter().map(|x| sign * x.max(0.0)).collect();
    let mut columns = if axis == 0 { [u, v.to_vec()] } else { [v.to_vec(), u] };
    for (x, gauge) in columns.iter_mut().zip(&problem.regularizer.gauges) {
        if let Some(d) = gauge.weights() {
            x.iter_mut().zip(d).for_each(|(x, d)| *x /= d);
        }
        let size = gauge.value(x);
        x.iter_mut().for_each(|x| *x /= size);
    }
    Factors(columns.into_iter().map(|x| Mat::from_vec(x.len(), 1, x)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::cone::{self, Cone};
    use crate::data::Observations;
    use crate::gauge::{Gauge, l2::L2};
    use crate::linalg::lanczos::gaussian;
    use crate::mapping::{Setup, matrix};
    use crate::polar::search;
    use crate::problem::{Form as Way, Regularizer};
    use std::cell::RefCell;

    /// An orthant of either sign on either factor, with weights on either.
    fn problem(seed: u64) -> Problem {
        let (m, n) = (2 + seed as usize % 9, 2 + (seed as usize / 2) % 6);
        let axis = (seed / 3) as usize % 2;
        let gauge = |k: usize, n: usize| {
            let kind = [cone::nonnegative::KIND, cone::nonpositive::KIND][seed as usize % 2].example;
            let cone: Option<Box<dyn Cone>> = if k == axis { kind(n) } else { None };
            let weighted = (seed + k as u64).is_multiple_of(3);
            let weights = weighted.then(|| (0..n).map(|j| 0.5 + j as f64 / 3.0).collect());
            Gauge::new(Box::new(L2), weights, cone).unwrap()
        };
        Problem::new(
            Observations::Full { rows: m, cols: n },
            vec![0.0; m * n],
            Box::new(crate::loss::squared::Squared),
            (matrix::KIND.build)(&Setup { sizes: &[m, n], inputs: None, layers: None }),
            Regularizer { form: Way::Product, gauges: vec![gauge(0, m), gauge(1, n)] },
        )
    }

    #[test]
    fn every_orientation_and_weight_is_bracketed_and_its_slice_attains_what_it_says() {
        for seed in 0..72 {
            let p = problem(seed);
            let (m, n) = p.shape();
            let z: Vec<f64> = gaussian(m, n, seed + 9).as_slice().to_vec();
            let best = search::search(&p, &z, None, &search::Effort::default()).best();
            let (seen, budget) = (RefCell::new(None), Budget::unlimited());
            let aim = Aim { limit: 0.0, tolerance: 1e-6, work: 1e8, budget: &budget, seen: Some(&seen), tree: None };
            let upper = Leading.upper_toward(&p, &z, &aim).value;
            assert!(upper >= best * (1.0 - 1e-13), "seed {seed}: {upper} below {best}");
            assert!(upper <= best * (1.0 + 1e-5), "seed {seed}: {upper} far above {best}");
            let Some(x) = seen.into_inner() else { continue };
            assert!((p.regularizer.value(&x.slice(0)) - 1.0).abs() < 1e-12);
            assert!(
                p.regularizer
                    .gauges
                    .iter()
                    .zip(&x.0)
                    .all(|(g, x)| { g.cone().is_none_or(|c| c.violation(x.column(0).as_slice()).is_none()) })
            );
            let value: f64 = p.apply(&x).iter().zip(&z).map(|(a, b)| a * b).sum();
            assert!(value <= upper * (1.0 + 1e-13) && value >= 0.5 * best, "seed {seed}: {value}, {best}, {upper}");
        }
    }

    #[test]
    fn two_orthants_or_none_are_left_to_others() {
        let mut p = problem(0);
        assert_eq!(Leading.applies(&p), Some(false));
        for k in 0..2 {
            let n = p.factor_rows()[k];
            p.regularizer.gauges[k] = Gauge::new(Box::new(L2), None, (cone::nonnegative::KIND.example)(n)).unwrap();
        }
        assert_eq!(Leading.applies(&p), None);
        p.regularizer.gauges = [0, 1].map(|_| Gauge::new(Box::new(L2), None, None).unwrap()).into();
        assert_eq!(Leading.applies(&p), None);
    }
}
