//! Row-wise coordinate descent on the balanced form: squared loss on full data, plain l2 gauges, free or on orthants.
//!
//! ```text
//! min over row u of U:   1/2 u'G u - p'u + lambda/2 ||u||^2,      G = V'V,  P = Y V        (the rows are independent)
//! u_s <- proj((p_s - sum_(t != s) G_st u_t) / (G_ss + lambda))    cyclically, several passes for one P
//! ```
//!
//! P costs 2 m n r flops and a pass over the rows only 2 d r^2 (less where entries stay at zero), so passes are repeated while they
//! pay (Gillis & Glineur 2012); extrapolation between sweeps follows Ang & Gillis 2019. Factors are held transposed, a row's
//! entries side by side.

use super::hals::{Hals, Momentum};
use super::{Descent, Effort};
use crate::budget::Budget;
use crate::linalg::simd::vectorised;
use crate::linalg::vector::axpy;
use crate::linalg::{Mat, dense};
use crate::mapping::Factors;
use crate::problem::Problem;
use rayon::prelude::*;

/// Row-wise coordinate descent.
#[derive(Debug)]
pub struct Rowwise;

/// Rows that move at once where the rank is narrow: one after the other, each waits for its coordinates.
const ROWS: usize = 16;

/// Beyond this rank most entries are zero and stay zero, which a row alone passes over.
const NARROW: usize = 64;

/// A pass over a row goes on while it moves at least this share (squared) of what the first one did.
const PASS_AGAIN: f64 = 0.01;

impl Descent for Rowwise {
    fn name(&self) -> &'static str {
        "rowwise"
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
        problem.regularizer.balance(x);
        let half_norm = 0.5 * problem.y.iter().map(|y| y * y).sum::<f64>();
        let mut now = [x.0[0].transpose(), x.0[1].transpose()];
        let mut previous = now.clone();
        let mut last = f64::INFINITY;
        let mut momentum = Momentum::default();
        for _ in 0..effort.sweeps {
            if budget.exhausted() {
                break;
            }
            let mut next = extrapolate(problem, &now, &previous, momentum.beta());
            half_sweep(problem, &mut next, 0);
            let (p, gram_u) = half_sweep(problem, &mut next, 1);
            let gram_v = dense::mul_tr(&next[1], &next[1]);
            let sizes = gram_u.diagonal().component_mul(&gram_v.diagonal());
            let value = half_norm - p.dot(&next[1])
                + 0.5 * gram_u.dot(&gram_v)
                + problem.lambda * sizes.iter().map(|s| s.sqrt()).sum::<f64>();
            if value > last && momentum.beta() > 0.0 {
                momentum.fail();
                previous.clone_from(&now);
                continue;
            }
            balance(&mut next, &gram_u, &gram_v);
            previous = std::mem::replace(&mut now, next);
            momentum.succeed();
            let decrease = last - value;
            last = value;
            if decrease < effort.decrease {
                break;
            }
        }
        let [u, v] = now;
        *x = Factors(vec![u.transpose(), v.transpose()]);
        problem.regularizer.balance(x);
    }
}

/// x + beta (x - previous), projected onto the orthants.
fn extrapolate(problem: &Problem, x: &[Mat; 2], previous: &[Mat; 2], beta: f64) -> [Mat; 2] {
    if beta == 0.0 {
        return x.clone();
    }
    std::array::from_fn(|k| {
        let sign = problem.regularizer.gauges[k].orthant().unwrap_or(0.0);
        x[k].zip_map(&previous[k], |x, p| {
            let y = x + beta * (x - p);
            if sign * y < 0.0 { 0.0 } else { y }
        })
    })
}

/// Updates factor k; returns P' and the Gram matrix of the other factor.
fn half_sweep(problem: &Problem, x: &mut [Mat; 2], k: usize) -> (Mat, Mat) {
    let (m, n) = problem.shape();
    let other = &x[1 - k];
    let r = other.nrows();
    let p =
        if k == 0 { dense::mul_field_tr(other, &problem.y, m, n) } else { dense::mul_field(other, &problem.y, m, n) };
    let gram = dense::mul_tr(other, other);
    let sign = problem.regularizer.gauges[k].orthant().unwrap_or(0.0);
    let passes = 1 + (problem.y.len() / (x[k].ncols() * r)).min(20);
    if r <= NARROW {
        let inverse: Vec<f64> = gram.diagonal().iter().map(|g| 1.0 / (g + problem.lambda)).collect();
        Model { gram: gram.as_slice(), inverse: &inverse, sign, passes }.descend(&mut x[k], &p, &gram);
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

/// The transpose of lines of this length.
#[inline(always)]
fn turn(lines: &[f64], length: usize, out: &mut [f64]) {
    let count = lines.len() / length;
    for (i, line) in lines.chunks_exact(length).enumerate() {
        line.iter().enumerate().for_each(|(j, x)| out[j * count + i] = *x);
    }
}

/// What the rows of a factor have in common.
struct Model<'a> {
    /// G.
    gram: &'a [f64],
    /// 1 / (G_ss + lambda).
    inverse: &'a [f64],
    sign: f64,
    passes: usize,
}

impl Model<'_> {
    /// Coordinate descent on every row of a factor held transposed; P likewise.
    fn descend(&self, x: &mut Mat, p: &Mat, gram: &Mat) {
        let r = self.inverse.len();
        let slope = p - dense::mul(gram, x);
        x.as_mut_slice().par_chunks_mut(r * ROWS).zip(slope.as_slice().par_chunks(r * ROWS)).for_each_init(
            || [vec![0.0; ROWS * r], vec![0.0; ROWS * r]],
            |[u, slope], (rows, slopes)| {
                vectorised(
                    #[inline(always)]
                    || {
                        let count = rows.len() / r;
                        let (u, slope) = (&mut u[..rows.len()], &mut slope[..rows.len()]);
                        turn(slopes, r, slope);
                        turn(rows, r, u);
                        self.descend_block(u, slope, count);
                        turn(u, count, rows);
                    },
                );
            },
        );
    }

    /// Coordinate descent on `count` rows u, coordinate by coordinate; `slope` is p - G u.
    #[inline(always)]
    fn descend_block(&self, u: &mut [f64], slope: &mut [f64], count: usize) {
        let r = self.inverse.len();
        let mut step = [0.0; ROWS];
        let step = &mut step[..count];
        let mut first = [0.0; ROWS];
        for pass in 0..self.passes {
            let mut moved = [0.0; ROWS];
            for (s, u) in u.chunks_exact_mut(count).enumerate() {
                let line = &self.gram[s * r..(s + 1) * r];
                let slope_s = &slope[s * count..(s + 1) * count];
                for (((u, slope), step), moved) in u.iter_mut().zip(slope_s).zip(step.iter_mut()).zip(&mut moved) {
                    let new = (slope + line[s] * *u) * self.inverse[s];
                    let new = if self.sign * new < 0.0 { 0.0 } else { new };
                    *step = new - *u;
                    *u = new;
                    *moved += *step * *step * line[s];
                }
                follow(slope, line, step);
            }
            if pass == 0 {
                first = moved;
            }
            if moved.iter().zip(&first).all(|(moved, first)| *moved <= PASS_AGAIN * first) {
                break;
            }
        }
    }
}

/// slope <- slope - line step', unless no row moves.
#[inline(always)]
fn follow(slope: &mut [f64], line: &[f64], step: &[f64]) {
    if step.iter().all(|s| *s == 0.0) {
        return;
    }
    for (slope, g) in slope.chunks_exact_mut(step.len()).zip(line) {
        slope.iter_mut().zip(step).for_each(|(slope, step)| *slope -= g * step);
    }
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
        if moved <= PASS_AGAIN * first {
            break;
        }
    }
}

/// Slices rescaled to equal norms; one with a zero side becomes zero.
fn balance(x: &mut [Mat; 2], gram_u: &Mat, gram_v: &Mat) {
    let ratio = |a: f64, b: f64| if a > 0.0 && b > 0.0 { (b / a).powf(0.25) } else { 0.0 };
    let r = gram_u.nrows();
    let scales: Vec<f64> = (0..r).map(|s| ratio(gram_u[(s, s)], gram_v[(s, s)])).collect();
    let inverses: Vec<f64> = (0..r).map(|s| ratio(gram_v[(s, s)], gram_u[(s, s)])).collect();
    for (x, scales) in x.iter_mut().zip([scales, inverses]) {
        x.as_mut_slice().chunks_exact_mut(r).for_each(|row| row.iter_mut().zip(&scales).for_each(|(x, c)| *x *= c));
    }
}
