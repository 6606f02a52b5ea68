//! A mode longer than all others together, compressed exactly: full data, squared loss, l2 norms without cones.
//!
//! ```text
//! Y_(k) = Q R,  Q'Q = I,  d_k > P = prod_(l != k) d_l:      f(X^1 .. X^k ..) >= f(.. Q Q'X^k ..) = f~(.. Q'X^k ..)
//! ```
//!
//! f~ is the problem with R in the place of Y_(k): the columns of some best X^k lie in the span of Q, and so do the slices of the
//! polar of Y - Phi(X). Descent and search work in P coordinates; whatever is proven is proven of the problem itself.

use super::descent::columns::Columns;
use crate::data::Observations;
use crate::gauge::{Gauge, l2::L2};
use crate::linalg::unfolding::{fold, unfold};
use crate::linalg::{Mat, dense};
use crate::mapping::{Factors, Setup, cp};
use crate::polar::search::Found;
use crate::problem::{Problem, Regularizer};

/// The compressed problem, and the way there and back.
pub struct Compressed {
    /// With R for Y_(k).
    pub problem: Problem,
    sizes: Vec<usize>,
    mode: usize,
    basis: Mat,
}

impl Compressed {
    /// `None` where no mode is that long, or the problem does not allow it.
    pub fn new(problem: &Problem) -> Option<Self> {
        if !problem.mapping.is_multilinear() {
            return None;
        }
        let sizes = problem.factor_rows();
        let all: usize = sizes.iter().product();
        let mode = (0..sizes.len()).find(|&k| sizes[k] > all / sizes[k])?;
        let gauges = &problem.regularizer.gauges;
        let uniform = gauges[mode].weights().is_none_or(|w| w.iter().all(|x| *x == w[0]));
        let plain = gauges.iter().all(|g| g.norm().name() == "l2" && g.cone().is_none());
        if !Columns::by_gram(problem) || !plain || !uniform {
            return None;
        }
        let rest = all / sizes[mode];
        let basis = dense::orthonormal(&unfold(&problem.y, &sizes, mode));
        let mut small = sizes.clone();
        small[mode] = rest;
        let gauges = gauges.iter().enumerate().map(|(k, g)| {
            let weights = g.weights().map(|w| if k == mode { vec![w[0]; rest] } else { w.to_vec() });
            Gauge::new(Box::new(L2), weights, None).expect("no cone")
        });
        let regularizer = Regularizer { form: problem.regularizer.form, gauges: gauges.collect() };
        let mut compressed = Self {
            problem: Problem {
                observations: Observations::Full { rows: small[0], cols: small[1..].iter().product() },
                operator: None,
                y: Vec::new(),
                w: None,
                loss: Box::new(crate::loss::squared::Squared),
                mapping: (cp::KIND.build)(&Setup { sizes: &small, inputs: None, layers: None }),
                regularizer,
                extras: Default::default(),
                offset: Vec::new(),
                lambda: problem.lambda,
            },
            sizes,
            mode,
            basis,
        };
        compressed.problem.y = compressed.field(&problem.y);
        Some(compressed)
    }

    /// Q'Z_(k).
    pub fn field(&self, z: &[f64]) -> Vec<f64> {
        let small = dense::tr_mul(&self.basis, &unfold(z, &self.sizes, self.mode));
        fold(&small, &self.sizes, self.mode)
    }

    /// X^k <- Q'X^k.
    pub fn shrink(&self, x: &Factors) -> Factors {
        self.replace(x, |x| dense::tr_mul(&self.basis, x))
    }

    /// X^k <- Q X^k.
    pub fn expand(&self, x: &Factors) -> Factors {
        self.replace(x, |x| dense::mul(&self.basis, x))
    }

    /// Slices of the same value.
    pub fn expand_found(&self, found: Found) -> Found {
        Found { slices: self.expand(&found.slices), values: found.values }
    }

    fn replace(&self, x: &Factors, by: impl Fn(&Mat) -> Mat) -> Factors {
        Factors(x.0.iter().enumerate().map(|(k, x)| if k == self.mode { by(x) } else { x.clone() }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::lanczos::gaussian;
    use crate::polar::search;

    fn problem(sizes: &[usize], weight: f64, cone: bool) -> Problem {
        let n: usize = sizes.iter().product();
        let gauges = sizes.iter().enumerate().map(|(k, &d)| {
            let weights =
                (0..d).map(|i| weight * if sizes[k] == *sizes.iter().max().unwrap() { 1.0 } else { 1.0 + i as f64 });
            let cone = cone.then(|| (crate::cone::nonnegative::KIND.example)(d)).flatten();
            Gauge::new(Box::new(L2), Some(weights.collect()), cone).unwrap()
        });
        Problem {
            observations: Observations::Full { rows: sizes[0], cols: n / sizes[0] },
            operator: None,
            y: gaussian(n, 1, 1).as_slice().to_vec(),
            w: None,
            loss: Box::new(crate::loss::squared::Squared),
            mapping: (cp::KIND.build)(&Setup { sizes, inputs: None, layers: None }),
            regularizer: Regularizer { form: crate::problem::Form::Product, gauges: gauges.collect() },
            extras: Default::default(),
            offset: Vec::new(),
            lambda: 0.3,
        }
    }

    fn factors(sizes: &[usize], seed: u64) -> Factors {
        Factors(sizes.iter().enumerate().map(|(k, &d)| gaussian(d, 4, seed + k as u64)).collect())
    }

    #[test]
    fn every_long_mode_keeps_objectives_and_polars() {
        for sizes in [vec![20, 3, 4], vec![3, 20, 4], vec![3, 4, 20], vec![2, 20, 3, 2]] {
            let problem = problem(&sizes, 1.5, false);
            let c = Compressed::new(&problem).unwrap();
            let rows = c.problem.factor_rows();
            assert_eq!(rows.iter().max(), Some(&12), "{sizes:?}");
            for seed in 0..5 {
                // up to rounding of sums of some hundred squares
                let near = |a: f64, b: f64| (a - b).abs() <= 1e-11 * b;
                let small = factors(&rows, 10 * seed);
                let large = c.expand(&small);
                assert!(near(problem.objective(&large), c.problem.objective(&small)), "{sizes:?}");
                let any = factors(&sizes, 100 + 10 * seed);
                assert!(c.problem.objective(&c.shrink(&any)) <= problem.objective(&any) * (1.0 + 1e-12), "{sizes:?}");
                // the residual there and its polar
                let z = problem.dual_field(&problem.predict(&large));
                let effort = search::Effort::default();
                let found = c.expand_found(search::search(&c.problem, &c.field(&z), None, &effort));
                let attained = {
                    let slice = Factors(found.slices.0.iter().map(|x| x.columns(0, 1).into_owned()).collect());
                    problem.apply(&slice).iter().zip(&z).map(|(p, z)| p * z).sum::<f64>()
                };
                assert!(near(attained, found.best()), "{sizes:?}");
                let without = search::search(&problem, &z, None, &effort).best();
                assert!((without - found.best()).abs() <= 1e-6 * without, "{sizes:?}: {without}, {}", found.best());
            }
        }
    }

    #[test]
    fn what_would_not_be_exact_is_left_alone() {
        assert!(Compressed::new(&problem(&[20, 3, 4], 1.0, true)).is_none());
        assert!(Compressed::new(&problem(&[12, 3, 4], 1.0, false)).is_none());
        let mut weighted = problem(&[20, 3, 4], 1.0, false);
        weighted.w = Some(vec![1.0; 240]);
        assert!(Compressed::new(&weighted).is_none());
        let mut varied = problem(&[20, 3, 4], 1.0, false);
        varied.regularizer.gauges[0] =
            Gauge::new(Box::new(L2), Some((0..20).map(|i| 1.0 + i as f64).collect()), None).unwrap();
        assert!(Compressed::new(&varied).is_none());
    }
}
