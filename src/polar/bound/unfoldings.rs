//! The polar of an array of higher order, bounded by its unfoldings.
//!
//! ```text
//! <Z, x^1 o .. o x^K> = x^k' Z_(k) (x^K (x) .. (x) x^1) <= sigma_1(Z_(k)) prod ||x^l||_2      for every k
//! Omega°(Z) <= min_k sigma_1(Z_(k)) prod_l rho_l,     rho_l: the l2 radius of the unit ball of norm l
//! ```
//!
//! Weights are divided out first. Where every factor lives in an orthant, entries of the wrong sign may be left out. Tight where
//! the array is orthogonal along some index; else too large by up to the root of the second smallest size. Source: Kolda & Bader
//! 2009 (unfoldings); De Lathauwer et al. 2000.

use super::{PolarBound, Upper, product_sign};
use crate::data::Observations;
use crate::linalg::sum::{UNIT_ROUNDOFF, gamma, norm_upper};
use crate::linalg::{Layout, Pattern, proven};
use crate::polar::field::indices;
use crate::problem::Problem;
use std::collections::HashMap;

/// min_k sigma_1.
#[derive(Debug)]
pub struct Unfoldings;

impl PolarBound for Unfoldings {
    fn name(&self) -> &'static str {
        "unfoldings"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        (problem.mapping.name() == "cp").then_some(false)
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let sizes = problem.factor_rows();
        let gauges = &problem.regularizer.gauges;
        let weight = |k: usize, i: usize| gauges[k].weights().map_or(1.0, |d| d[i]);
        let mut field = z.to_vec();
        if gauges.iter().any(|g| g.weights().is_some()) {
            for (z, e) in field.iter_mut().zip(problem.observations.entries()) {
                indices(&sizes, e).enumerate().for_each(|(k, i)| *z /= weight(k, i));
            }
        }
        // what dividing may have rounded, and what it may have underflowed
        let rounding = gamma(2 * sizes.len()) * norm_upper(&field) + field.len() as f64 * f64::MIN_POSITIVE;
        let radius: f64 = gauges.iter().zip(&sizes).map(|(g, &d)| g.norm().l2_radius(d)).product();
        let allowed: Option<Vec<f64>> =
            product_sign(problem).map(|s| field.iter().map(|z| if s * z > 0.0 { *z } else { 0.0 }).collect());
        let mut value = f64::INFINITY;
        let mut method = "none";
        for f in std::iter::once(&field).chain(&allowed) {
            for k in 0..sizes.len() {
                let s = sigma(&problem.observations, f, &sizes, k);
                if s.value < value {
                    (value, method) = (s.value, s.method);
                }
            }
        }
        let value = (value + rounding) * radius * (1.0 + gamma(2 * sizes.len() + 16) + 4.0 * UNIT_ROUNDOFF);
        Upper { value: value.next_up(), method, exact: false }
    }

    fn flops(&self, problem: &Problem) -> f64 {
        let (sizes, entries) = (problem.factor_rows(), problem.observations.len() as f64);
        sizes.iter().map(|&d| 2.0 * entries * d as f64 + 1.5 * (d as f64).powi(3)).sum()
    }

    fn describe(&self) -> &'static str {
        "least largest singular value of the unfoldings, each proven by a Cholesky factorization of its shifted Gram matrix"
    }
}

/// A proven upper bound of sigma_1 of the unfolding along index k.
fn sigma(at: &Observations, w: &[f64], sizes: &[usize], k: usize) -> proven::SigmaUpper {
    let before: usize = sizes[..k].iter().product();
    let after: usize = sizes[k + 1..].iter().product();
    let d = sizes[k];
    match at {
        // the first and the last are how the array lies in memory
        Observations::Full { .. } if before == 1 => proven::sigma_upper(w, Layout::Full { rows: d, cols: after }),
        Observations::Full { .. } if after == 1 => proven::sigma_upper(w, Layout::Full { rows: before, cols: d }),
        Observations::Full { .. } => {
            let turned: Vec<f64> = (0..after)
                .flat_map(|q| (0..d).flat_map(move |i| (0..before).map(move |p| (p, i, q))))
                .map(|(p, i, q)| (p + before * q, i, w[p + before * (i + d * q)]))
                .fold(vec![0.0; w.len()], |mut out, (line, i, w)| {
                    out[line + before * after * i] = w;
                    out
                });
            proven::sigma_upper(&turned, Layout::Full { rows: before * after, cols: d })
        }
        Observations::Coordinates(_) => {
            // columns without entries change nothing, so only those with some are numbered
            let mut numbers: HashMap<Vec<usize>, usize> = HashMap::new();
            let entries: Vec<(usize, usize)> = at
                .entries()
                .map(|e| {
                    let mut index: Vec<usize> = indices(sizes, e).collect();
                    let row = index.remove(k);
                    let next = numbers.len();
                    (row, *numbers.entry(index).or_insert(next))
                })
                .collect();
            let (pattern, order) = Pattern::new(d, numbers.len(), &entries).expect("entries are distinct");
            let turned: Vec<f64> = order.iter().map(|&p| w[p]).collect();
            proven::sigma_upper(&turned, Layout::Listed(&pattern))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::lanczos::gaussian;

    const SIZES: [usize; 3] = [4, 3, 5];

    /// <Z, a o b o c> by its definition.
    fn pairing(z: &[f64], at: &Observations, x: [&[f64]; 3]) -> f64 {
        let value = |e| indices(&SIZES, e).zip(x).map(|(i, x)| x[i]).product::<f64>();
        at.entries().zip(z).map(|(e, z)| z * value(e)).sum()
    }

    fn listed() -> Observations {
        let entries: Vec<(usize, usize)> = (0..4).flat_map(|i| (0..15).map(move |j| (i, j))).collect();
        let some: Vec<_> = entries.into_iter().filter(|(i, j)| (3 * i + 2 * j) % 5 < 3).collect();
        Observations::Coordinates(Pattern::new(4, 15, &some).unwrap().0)
    }

    #[test]
    fn every_unfolding_bounds_every_slice_in_both_layouts() {
        for at in [Observations::Full { rows: 4, cols: 15 }, listed()] {
            for seed in 0..20 {
                let z = gaussian(at.len(), 1, seed);
                let bounds: Vec<f64> = (0..3).map(|k| sigma(&at, z.as_slice(), &SIZES, k).value).collect();
                for trial in 0..200 {
                    let x = SIZES.map(|d| gaussian(d, 1, 1000 * seed + 7 * trial + d as u64).normalize());
                    let value = pairing(z.as_slice(), &at, [x[0].as_slice(), x[1].as_slice(), x[2].as_slice()]);
                    assert!(bounds.iter().all(|b| value.abs() <= *b), "{value} above {bounds:?}");
                }
            }
        }
    }

    #[test]
    fn all_unfoldings_of_one_slice_are_tight_and_none_is_below_it() {
        let at = Observations::Full { rows: 4, cols: 15 };
        let x = SIZES.map(|d| gaussian(d, 1, d as u64).normalize());
        let z: Vec<f64> =
            at.entries().map(|e| 2.0 * indices(&SIZES, e).zip(&x).map(|(i, x)| x[i]).product::<f64>()).collect();
        for k in 0..3 {
            let bound = sigma(&at, &z, &SIZES, k).value;
            assert!((2.0 - 1e-15..2.0 + 1e-12).contains(&bound), "{bound}");
            // sizes in the wrong order are seen
            let wrong = sigma(&at, &z, &[4, 5, 3], k).value;
            assert_eq!(k == 1 && (wrong - 2.0).abs() > 1e-3, k == 1, "{wrong}");
        }
    }
}
