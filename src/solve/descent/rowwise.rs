//! Row-wise coordinate descent on the balanced form: squared loss on full data, plain l2 gauges, free or on orthants.
//!
//! ```text
//! min over row u of U:   1/2 u'G u - p'u + lambda/2 ||u||^2,      G = V'V,  P = Y V        (the rows are independent)
//! u_s <- proj((p_s - sum_(t != s) G_st u_t) / (G_ss + lambda))    cyclically, several passes for one P
//! ```
//!
//! P costs 2 m n r flops and a pass over the rows only 2 d r^2 (less where entries stay at zero, or where V has fewer rows than
//! columns), so passes are repeated while they pay (Gillis & Glineur 2012); extrapolation between sweeps follows Ang & Gillis 2019, and every sweep ends with the best weights
//! of the slices. Factors are held transposed, a row's entries side by side.

use super::hals::{Hals, Momentum};
use super::tiles::{AGAIN, Tiles};
use super::{Descent, Effort};
use crate::budget::Budget;
use crate::linalg::simd::vectorised;
use crate::linalg::vector::{axpy, dot};
use crate::linalg::{Mat, dense, nnls};
use crate::mapping::Factors;
use crate::problem::Problem;
use rayon::prelude::*;
use std::borrow::Cow;

/// Row-wise coordinate descent.
#[derive(Debug)]
pub struct Rowwise;

/// Where no larger share of the entries is other than zero, which mostly stay zero, a row alone passes over those.
const SPARSE: f64 = 0.2;

/// Passes over many rows at once for one P: extrapolation pays only where a factor follows the other one.
const FEW: usize = 3;

/// Passes at most.
const MOST: usize = 21;

/// Passes that bring the weights of the slices near their best.
const WEIGHING: usize = 10;

impl Descent for Rowwise {
    fn name(&self) -> &'static str {
        "rowwise"
    }

    fn summary(&self) -> &'static str {
        "coordinate descent by rows: `matrix` observed in full, squared loss without weights; `l2` without \
         weights, free or on orthants"
    }

    fn applies(&self, problem: &Problem) -> bool {
        let plain = |g: &crate::gauge::Gauge| {
            g.norm().name() == "l2" && g.weights().is_none() && (g.cone().is_none() || g.orthant().is_some())
        };
        Hals.applies(problem) && problem.regularizer.gauges.iter().all(plain)
    }

    fn descend(&self, problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget) {
        if x.rank() == 0 {
            return;
        }
        let regularizer = &problem.regularizer;
        regularizer.balance(x);
        let problem = &Scaled::new(problem);
        let half_norm = half_norm(&problem.y);
        let least = effort.decrease / problem.unit / problem.unit;
        let mut now = [&x.0[0], &x.0[1]].map(|x| x.transpose() / problem.unit.sqrt());
        let mut previous = now.clone();
        let mut last = f64::INFINITY;
        let mut momentum = Momentum::default();
        for _ in 0..effort.sweeps {
            if budget.exhausted() {
                break;
            }
            let mut next = extrapolate(problem.signs, &now, &previous, momentum.beta());
            half_sweep(problem, &mut next, 0);
            let (p, gram_u) = half_sweep(problem, &mut next, 1);
            let gram_v = dense::gram_of_lines(&next[1]);
            let slices = Slices::new(&p, &next[1], gram_u.component_mul(&gram_v), problem.lambda);
            let weights = slices.weights();
            let value = half_norm + slices.value(&weights);
            if value > last && momentum.beta() > 0.0 {
                momentum.fail();
                previous.clone_from(&now);
                continue;
            }
            balance(&mut next, &gram_u, &gram_v, &weights);
            previous = std::mem::replace(&mut now, next);
            let decrease = last - value;
            last = value;
            if decrease >= least {
                momentum.succeed();
            } else if momentum.beta() > 0.0 {
                // a step too far brings little: whether that is all there is, a plain sweep tells
                momentum.fail();
            } else {
                break;
            }
        }
        *x = Factors(now.map(|x| x.transpose() * problem.unit.sqrt()).into());
        regularizer.balance(x);
    }
}

/// ||Y||^2 / 2
fn half_norm(y: &[f64]) -> f64 {
    0.5 * y.iter().map(|y| y * y).sum::<f64>()
}

/// What there is to fit, in a unit in which fourth powers of the factors are in range: Y and lambda are divided by it, factors by
/// its root, the objective by its square.
struct Scaled<'a> {
    y: Cow<'a, [f64]>,
    lambda: f64,
    shape: (usize, usize),
    /// Of the factors' orthants, 0 where they are free.
    signs: [f64; 2],
    /// A power of 4; 1 for data of common sizes.
    unit: f64,
}

impl<'a> Scaled<'a> {
    /// Half the squared norm of data of common sizes.
    const COMMON: std::ops::Range<f64> = 1e-140..1e140;
    /// What lambda is cut to beside data of about 1: beyond, it makes no difference.
    const LAMBDA: (f64, f64) = (1e-300, 1e150);

    fn new(problem: &'a Problem) -> Self {
        let signs = [0, 1].map(|k| problem.regularizer.gauges[k].orthant().unwrap_or(0.0));
        let (y, lambda) = (Cow::Borrowed(problem.y.as_slice()), problem.lambda);
        let plain = Self { y, lambda, shape: problem.shape(), signs, unit: 1.0 };
        let largest = || problem.y.iter().fold(0.0, |a: f64, y| a.max(y.abs()));
        if Self::COMMON.contains(&half_norm(&problem.y)) || largest() == 0.0 {
            return plain;
        }
        let unit = (2.0 * (largest().log2() / 2.0).floor()).exp2();
        let y = problem.y.iter().map(|y| y / unit).collect();
        Self { y, lambda: (problem.lambda / unit).clamp(Self::LAMBDA.0, Self::LAMBDA.1), unit, ..plain }
    }
}

/// x + beta (x - previous), projected onto the orthants.
fn extrapolate(signs: [f64; 2], x: &[Mat; 2], previous: &[Mat; 2], beta: f64) -> [Mat; 2] {
    if beta == 0.0 {
        return x.clone();
    }
    std::array::from_fn(|k| {
        let sign = signs[k];
        x[k].zip_map(&previous[k], |x, p| {
            let y = x + beta * (x - p);
            if sign * y < 0.0 { 0.0 } else { y }
        })
    })
}

/// Updates factor k; returns P' and the Gram matrix of the other factor.
fn half_sweep(problem: &Scaled, x: &mut [Mat; 2], k: usize) -> (Mat, Mat) {
    let (m, n) = problem.shape;
    let other = &x[1 - k];
    let r = other.nrows();
    let p =
        if k == 0 { dense::mul_field_tr(other, &problem.y, m, n) } else { dense::mul_field(other, &problem.y, m, n) };
    let gram = dense::gram_of_lines(other);
    let sign = problem.signs[k];
    // as many passes as the product costs, but as long as they move much, a few in any case
    let passes = (1 + problem.y.len() / (x[k].ncols() * r)).min(MOST);
    let filled = x[k].iter().filter(|x| **x != 0.0).count();
    if filled as f64 > SPARSE * x[k].len() as f64 {
        let tiles = Tiles::new(other, &gram, problem.lambda, sign);
        tiles.descend(&mut x[k], &p, passes.max(FEW));
    } else {
        x[k].as_mut_slice().par_chunks_mut(r).zip(p.as_slice().par_chunks(r)).with_min_len(32).for_each_init(
            || vec![0.0; r],
            |slope, (u, p)| {
                slope.copy_from_slice(p);
                vectorised(
                    #[inline(always)]
                    || descend_row(u, slope, gram.as_slice(), problem.lambda, sign, passes),
                );
            },
        );
    }
    (p, gram)
}

/// Coordinate descent on one row; `slope` comes as p and is kept as p - G u.
#[inline(always)]
fn descend_row(u: &mut [f64], slope: &mut [f64], gram: &[f64], lambda: f64, sign: f64, passes: usize) {
    let r = u.len();
    for s in 0..r {
        if u[s] != 0.0 {
            axpy(-u[s], &gram[s * r..(s + 1) * r], slope);
        }
    }
    let mut first = 0.0;
    for pass in 0..passes {
        let mut moved = 0.0;
        for s in 0..r {
            let line = &gram[s * r..(s + 1) * r];
            let mut new = (slope[s] + line[s] * u[s]) / (line[s] + lambda);
            if sign * new < 0.0 {
                new = 0.0;
            }
            let step = new - u[s];
            if step != 0.0 {
                u[s] = new;
                axpy(-step, line, slope);
                moved += step * step * line[s];
            }
        }
        if pass == 0 {
            first = moved;
        }
        if moved <= AGAIN * first {
            break;
        }
    }
}

/// The objective less ||Y||^2 / 2 in the weights of the slices, w'Q w / 2 - c'w, with what a sweep knows of it:
/// Q = (U'U) o (V'V),  c_s = (Y'U)_s'v_s - lambda ||u_s|| ||v_s||.
struct Slices {
    q: Mat,
    c: Vec<f64>,
}

impl Slices {
    /// `p` is (Y'U)'.
    fn new(p: &Mat, v: &Mat, q: Mat, lambda: f64) -> Self {
        let r = v.nrows();
        let mut c: Vec<f64> = q.diagonal().iter().map(|size| -lambda * size.sqrt()).collect();
        vectorised(
            #[inline(always)]
            || {
                for (p, v) in p.as_slice().chunks_exact(r).zip(v.as_slice().chunks_exact(r)) {
                    c.iter_mut().zip(p.iter().zip(v)).for_each(|(c, (p, v))| *c += p * v);
                }
            },
        );
        Self { q, c }
    }

    /// Weights that are no worse than 1, by coordinate descent from there: how large a slice is follows at once, where its sides
    /// would take many sweeps to grow or shrink together.
    fn weights(&self) -> Vec<f64> {
        let mut w = vec![1.0; self.c.len()];
        // the start may be out of range where the data is not
        if self.q.iter().any(|q| !q.is_finite()) {
            return w;
        }
        let mut slope: Vec<f64> = self.c.iter().zip(self.q.column_iter()).map(|(c, q)| c - q.sum()).collect();
        for _ in 0..WEIGHING {
            nnls::sweep(&self.q, &mut w, &mut slope);
        }
        w
    }

    fn value(&self, w: &[f64]) -> f64 {
        let terms = w.iter().zip(&self.c).zip(self.q.column_iter());
        terms.map(|((w_s, c), q)| w_s * (0.5 * dot(q.as_slice(), w) - c)).sum()
    }
}

/// Slices weighted, and rescaled to equal norms; one with a zero side becomes zero.
fn balance(x: &mut [Mat; 2], gram_u: &Mat, gram_v: &Mat, weights: &[f64]) {
    let ratio = |a: f64, b: f64| if a > 0.0 && b > 0.0 { (b / a).powf(0.25) } else { 0.0 };
    let scales = |[a, b]: [&Mat; 2]| -> Vec<f64> {
        weights.iter().enumerate().map(|(s, w)| w.sqrt() * ratio(a[(s, s)], b[(s, s)])).collect()
    };
    for (x, scales) in x.iter_mut().zip([scales([gram_u, gram_v]), scales([gram_v, gram_u])]) {
        x.as_mut_slice().chunks_exact_mut(scales.len()).for_each(|row| {
            row.iter_mut().zip(&scales).for_each(|(x, c)| *x *= c);
        });
    }
}
