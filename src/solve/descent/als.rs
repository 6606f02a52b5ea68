//! Alternating least squares, row by row: far from the optimum a sweep brings more than steps of all factors together.
//!
//! ```text
//! min over row u of U:   1/2 sum_(j observed) c_j (t_j - v_j'u)^2 + lambda d^2 / 2 ||u||^2        (the rows are independent)
//! ```
//!
//! by a few conjugate gradients from the row at hand, so that f never rises; each passes over the row's entries once. Near the
//! optimum a sweep gains a constant share of what is left, which limited-memory quasi-Newton steps overtake: this goes before a
//! strategy, and is none itself.

use super::Effort;
use crate::budget::Budget;
use crate::data::Observations;
use crate::linalg::simd::vectorised;
use crate::linalg::sparse::Pattern;
use crate::linalg::vector::{axpy, dot};
use crate::linalg::{Mat, dense};
use crate::mapping::Factors;
use crate::problem::Problem;
use rayon::prelude::*;

/// Conjugate gradients for a row.
const STEPS: usize = 3;
/// A sweep that brings more than this share of the last one announces many of its kind.
const SLOW: f64 = 0.5;
/// A sweep costs less than others' steps, and goes on until it brings this share of what those should.
const ENOUGH: f64 = 0.1;
/// The share of a row's first gradient, squared, that is as good as none.
const NOTHING: f64 = 1e-20;

/// The entries to alternate over: listed ones of a matrix, quadratic loss, l2 gauges without cones.
pub fn applies(problem: &Problem) -> bool {
    lines(problem).is_some()
}

fn lines(problem: &Problem) -> Option<&Pattern> {
    let plain = problem.regularizer.gauges.iter().all(|g| g.norm().name() == "l2" && g.cone().is_none());
    let matrix = problem.mapping.name() == "matrix" && problem.operator.is_none();
    match &problem.observations {
        Observations::Coordinates(at) if plain && matrix && problem.loss.is_quadratic() => Some(at),
        _ => None,
    }
}

/// Sweeps while the rate is good and each brings something. Whether the last one brought less than `effort.decrease`. Where it
/// [`applies`].
pub fn settle(problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget) -> bool {
    let Some(at) = lines(problem) else { return false };
    problem.regularizer.balance(x);
    let r = x.rank();
    if r == 0 {
        return true;
    }
    // -grad l = b - c o Phi
    let b = problem.dual_field(&problem.predict(&Factors::empty(&problem.factor_rows())));
    let c = problem.curvature(&[]);
    let mut turned: Vec<Mat> = x.0.iter().map(dense::transpose).collect();
    let value = |x: &[Mat]| {
        let prediction = problem.beside_held(at.sampled_product_lines(x[0].as_slice(), x[1].as_slice(), r));
        let sizes = x.iter().enumerate().map(|(k, x)| 0.5 * weighted_square(problem, k, x)).sum::<f64>();
        problem.loss.value(problem.targets(), &prediction) + problem.lambda * sizes
    };
    // the longer factor first: it has the fewest entries in a row, and follows the other one closely
    let order = if at.rows() > at.cols() { [0, 1] } else { [1, 0] };
    let mut reached = value(&turned);
    let mut last = f64::INFINITY;
    let mut done = false;
    for _ in 0..effort.sweeps {
        if budget.exhausted() {
            break;
        }
        for k in order {
            let other = std::mem::replace(&mut turned[1 - k], Mat::zeros(0, 0));
            let weights = problem.regularizer.gauges[k].weights();
            turned[k].as_mut_slice().par_chunks_mut(r).enumerate().with_min_len(16).for_each_init(
                || vec![0.0; 3 * r],
                |scratch, (i, row)| {
                    let mu = problem.lambda * weights.map_or(1.0, |d| d[i] * d[i]);
                    let v = other.as_slice();
                    vectorised(
                        #[inline(always)]
                        || {
                            if k == 0 {
                                descend_row(row, at.row(i), v, (&b, &c), mu, scratch);
                            } else {
                                descend_row(row, at.column(i), v, (&b, &c), mu, scratch);
                            }
                        },
                    );
                },
            );
            turned[1 - k] = other;
        }
        let next = value(&turned);
        let decrease = reached - next;
        reached = next;
        done = decrease < effort.decrease;
        if decrease > SLOW * last || decrease < ENOUGH * effort.decrease {
            break;
        }
        last = decrease;
    }
    *x = Factors(turned.iter().map(dense::transpose).collect());
    problem.regularizer.balance(x);
    done
}

/// sum_i d_i^2 ||x_i||^2 over the rows of factor k, given line by line.
fn weighted_square(problem: &Problem, k: usize, x: &Mat) -> f64 {
    match problem.regularizer.gauges[k].weights() {
        None => x.norm_squared(),
        Some(d) => x.column_iter().zip(d).map(|(x, d)| d * d * x.norm_squared()).sum(),
    }
}

/// Conjugate gradients on one row over its entries (l, p): line l of the other factor, field position p.
#[inline(always)]
fn descend_row(
    u: &mut [f64],
    entries: impl Iterator<Item = (usize, usize)> + Clone,
    v: &[f64],
    (b, c): (&[f64], &[f64]),
    mu: f64,
    scratch: &mut [f64],
) {
    let r = u.len();
    let (residual, rest) = scratch.split_at_mut(r);
    let (direction, image) = rest.split_at_mut(r);
    let line = |l: usize| &v[l * r..(l + 1) * r];
    residual.iter_mut().zip(&*u).for_each(|(g, u)| *g = -mu * u);
    for (l, p) in entries.clone() {
        axpy(b[p] - c[p] * dot(line(l), u), line(l), residual);
    }
    direction.copy_from_slice(residual);
    let mut size = dot(residual, residual);
    let enough = NOTHING * size;
    for _ in 0..STEPS {
        if size <= enough {
            break;
        }
        image.iter_mut().zip(&*direction).for_each(|(a, d)| *a = mu * d);
        for (l, p) in entries.clone() {
            axpy(c[p] * dot(line(l), direction), line(l), image);
        }
        let bend = dot(direction, image);
        if !(bend > 0.0 && bend.is_finite()) {
            break;
        }
        let a = size / bend;
        axpy(a, direction, u);
        axpy(-a, image, residual);
        let before = std::mem::replace(&mut size, dot(residual, residual));
        direction.iter_mut().zip(&*residual).for_each(|(d, g)| *d = g + *d * (size / before));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::gauge::{Gauge, l2::L2};
    use crate::linalg::lanczos::gaussian;
    use crate::mapping::{self, Setup};
    use crate::problem::{Form, Regularizer};

    /// 12 x 9, two entries of three, one row and one column without any; with weights of rows, of entries, and an offset.
    pub fn problem(plain: bool) -> Problem {
        let (m, n) = (12, 9);
        let listed = |i: usize, j: usize| i != 4 && j != 7 && !(i * 5 + j * 7).is_multiple_of(3);
        let entries: Vec<(usize, usize)> =
            (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).filter(|&(i, j)| listed(i, j)).collect();
        let (pattern, _) = Pattern::new(m, n, &entries).unwrap();
        let numbers = |seed: u64| gaussian(pattern.len(), 1, seed).as_slice().to_vec();
        let weights = |n: usize| (!plain).then(|| (0..n).map(|i| 0.5 + (i % 3) as f64).collect::<Vec<_>>());
        let gauge = |n: usize| Gauge::new(Box::new(L2), weights(n), None).unwrap();
        Problem {
            y: numbers(1),
            w: weights(pattern.len()),
            loss: Box::new(crate::loss::squared::Squared),
            mapping: (mapping::matrix::KIND.build)(&Setup { sizes: &[m, n], inputs: None, layers: None }),
            regularizer: Regularizer { form: Form::Product, gauges: vec![gauge(m), gauge(n)] },
            extras: Default::default(),
            offset: if plain { Vec::new() } else { numbers(2) },
            lambda: 0.3,
            observations: Observations::Coordinates(pattern),
            operator: None,
        }
    }

    /// No sweep raises the objective; where they go on, rows are stationary.
    #[test]
    fn sweeps_descend_to_rows_that_are_best() {
        for plain in [true, false] {
            let p = problem(plain);
            assert!(applies(&p));
            let mut x = Factors(vec![gaussian(12, 3, 5), gaussian(9, 3, 6)]);
            let mut last = f64::INFINITY;
            for _ in 0..20000 {
                settle(&p, &mut x, Effort { sweeps: 1, decrease: 0.0 }, &Budget::unlimited());
                let value = p.objective(&x);
                assert!(value <= last * (1.0 + 1e-14), "{value} after {last}");
                last = value;
            }
            let z = p.dual_field(&p.predict(&x));
            for k in 0..2 {
                let mut pull = p.pullback(&z, &x, k);
                for (i, mut row) in pull.row_iter_mut().enumerate() {
                    let d = p.regularizer.gauges[k].weights().map_or(1.0, |d| d[i]);
                    row -= x.0[k].row(i) * (p.lambda * d * d);
                }
                assert!(pull.norm() <= 1e-5, "factor {k}: {}", pull.norm());
            }
        }
    }

    #[test]
    fn a_sweep_that_brings_little_is_the_last() {
        let p = problem(true);
        let mut x = Factors(vec![gaussian(12, 3, 5), gaussian(9, 3, 6)]);
        assert!(settle(&p, &mut x, Effort { sweeps: 9, decrease: f64::INFINITY }, &Budget::unlimited()));
        assert!(!settle(&p, &mut x, Effort { sweeps: 1, decrease: 0.0 }, &Budget::unlimited()));
    }
}
