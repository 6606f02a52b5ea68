//! The polar of a two-layer network, and its kinks.
//!
//! ```text
//! Omega°(Z) = max {f(u) : ||u||_2 <= 1},    f(u) = ||W'(V u)_+||_2,    attained with v = W'(V u)_+ / f(u)
//! ```
//!
//! W is the field as an N x q matrix, V the inputs, both with the gauges' weights divided out. f is piecewise smooth: a *kink* of
//! u is a row with v_i'u = 0, and most maximisers lie on some. Only the row space of V matters: V ~ T Q' with T = V Q of full
//! column rank.

use crate::linalg::sum::{UNIT_ROUNDOFF, gamma, norm_upper};
use crate::linalg::vector::unit_scale;
use crate::linalg::{Mat, dense, simd::vectorised};
use crate::mapping::{Factors, Units, put_chain};
use crate::polar::field;
use crate::problem::Problem;
use rayon::prelude::*;
use std::ops::Range;

/// Singular values of V below this share of the largest are left to the rounding.
const RANK_TOLERANCE: f64 = 1e-11;

/// Columns that climb together: what they need stays in the cache.
const BLOCK: usize = 16;

/// V and W, and the coordinates in which V has full column rank.
pub struct Neurons {
    /// T = V Q, N x k.
    pub inputs: Mat,
    /// W, N x q; 0 where nothing is observed.
    pub field: Mat,
    /// Q, d x k.
    basis: Mat,
    /// ||Q||_2 at most.
    stretch: f64,
    /// What forming T and W may have changed f by.
    pub rounding: f64,
    /// The powers of two that V and W are multiplied by: squares neither vanish nor overflow.
    scales: [f64; 2],
}

/// Whether the problem is a network of two layers with plain l2 gauges, up to weights that are those of inputs and of outputs.
pub fn applies(problem: &Problem) -> bool {
    let plain = |g: &crate::gauge::Gauge| g.norm().name() == "l2" && g.cone().is_none();
    let gauges = &problem.regularizer.gauges;
    let shared = |units: Units| {
        let same = |d: &[f64], at: &dyn Fn(usize) -> usize| (0..d.len()).all(|k| d[k] == d[at(k)]);
        let q = problem.shape().1;
        gauges[0].weights().is_none_or(|d| same(d, &|k| k - k % units.width))
            && gauges[1].weights().is_none_or(|d| same(d, &|k| k % q))
    };
    problem.mapping.units().is_some_and(|units| gauges.iter().all(plain) && shared(units))
}

impl Neurons {
    /// For a field over the observed entries of a problem to which [`applies`] applies; `None` where a decomposition fails.
    pub fn new(problem: &Problem, z: &[f64]) -> Option<Self> {
        let gauges = &problem.regularizer.gauges;
        let units = problem.mapping.units()?;
        Self::of_units(problem, z, units, [gauges[0].weights(), gauges[1].weights()])
    }

    /// The same for units of any network on the problem's inputs, with weights of the inputs (each `width` times) and of the
    /// outputs. Of units with a slope below zero
    ///
    /// ```text
    /// W'act(V u) = W'(V u)_+ - slope W'(-V u)_+:       (V; -V) and (W; -slope W) in the place of V and W
    /// ```
    pub fn of_units(problem: &Problem, z: &[f64], units: Units, weights: [Option<&[f64]>; 2]) -> Option<Self> {
        let Units { slope, width } = units;
        let mut v = problem.mapping.inputs()?.clone();
        if let Some(d) = weights[0] {
            v.column_iter_mut().zip(d.iter().step_by(width)).for_each(|(mut c, d)| c /= *d);
        }
        let mut field = field::matrix(&problem.observations, z);
        if let Some(d) = weights[1] {
            field.column_iter_mut().zip(d).for_each(|(mut c, d)| c /= *d);
        }
        if slope != 0.0 {
            v = below(&v, -1.0);
            field = below(&field, -slope);
        }
        Self::over(v, field)
    }

    /// The same for V and W as they are, each entry of which may have been rounded twice.
    pub fn over(mut v: Mat, mut field: Mat) -> Option<Self> {
        let scales = [&v, &field].map(|x| unit_scale(x.as_slice()));
        v *= scales[0];
        field *= scales[1];
        let (_, s, right) = dense::thin_svd(&v)?;
        let rank = s.iter().filter(|x| **x > RANK_TOLERANCE * s[0]).count();
        let basis = right.columns(0, rank).into_owned();
        let inputs = dense::mul(&v, &basis);
        let norm = |x: &Mat| norm_upper(x.as_slice());
        // V u = T (Q'u) + (V - T Q') u
        let lost = &v - dense::mul_tr(&inputs, &basis);
        let lost = norm(&lost) + gamma(rank + 4) * (norm(&inputs) * norm(&basis) + norm(&v));
        let skew = dense::tr_mul(&basis, &basis) - Mat::identity(rank, rank);
        let stretch = 1.0 + norm(&skew) + gamma(v.ncols() + 4) * norm(&basis).powi(2);
        // quotients by weights and products with a slope are rounded once each, and may underflow, as may what is scaled
        let rounding = norm(&field) * (lost + 5.0 * UNIT_ROUNDOFF * norm(&v))
            + 2.0 * f64::MIN_POSITIVE * (field.len() + v.len()) as f64 * (1.0 + norm(&v) + norm(&field));
        Some(Self { inputs, field, basis, stretch, rounding: rounding * (1.0 + gamma(16)), scales })
    }

    /// V and W as they are, V of full column rank.
    #[cfg(test)]
    pub fn of(inputs: Mat, field: Mat) -> Self {
        let k = inputs.ncols();
        Self { inputs, field, basis: Mat::identity(k, k), stretch: 1.0, rounding: 0.0, scales: [1.0; 2] }
    }

    /// k, the rank of V.
    pub fn rank(&self) -> usize {
        self.inputs.ncols()
    }

    /// An upper bound of the polar from one of max {f(u) : ||u|| <= 1} in the coordinates of T.
    pub fn polar_upper(&self, upper: f64) -> f64 {
        let upper = (upper * self.stretch * (1.0 + gamma(4)) + self.rounding).next_up();
        ((upper / self.scales[0]).next_up() / self.scales[1]).next_up()
    }

    /// A value of the polar in the units of T and W.
    pub fn in_units(&self, value: f64) -> f64 {
        value * self.scales[0] * self.scales[1]
    }

    /// The row t_i.
    pub fn row(&self, i: usize) -> Vec<f64> {
        self.inputs.row(i).iter().copied().collect()
    }

    /// W'(T u)_+.
    pub fn output(&self, u: &[f64]) -> Vec<f64> {
        let mut h = &self.inputs * Mat::from_column_slice(u.len(), 1, u);
        h.apply(|x| *x = x.max(0.0));
        self.field.tr_mul(&h).data.into()
    }

    /// f(u).
    pub fn value(&self, u: &[f64]) -> f64 {
        norm(&self.output(u))
    }

    /// sum_i ||w_i|| ||t_i||, rounded up: f cannot exceed it, nor change faster.
    pub fn slope(&self) -> f64 {
        let row = |x: &Mat, i: usize| norm_upper(&x.row(i).iter().copied().collect::<Vec<_>>());
        let n = self.inputs.nrows();
        (0..n).map(|i| row(&self.inputs, i) * row(&self.field, i)).sum::<f64>() * (1.0 + gamma(n + 4))
    }

    /// The neurons (u, v) of a problem with gauges 1 for directions u in the coordinates of T; directions with f = 0 are dropped. Of
    /// a slice with several units the others are 0.
    pub fn slices(&self, problem: &Problem, directions: &[Vec<f64>]) -> (Factors, Vec<f64>) {
        let gauges = &problem.regularizer.gauges;
        let (u, v, values) = self.neurons(directions, [gauges[0].weights(), gauges[1].weights()], width(problem));
        let rows = problem.factor_rows();
        let mut x = Factors(rows.iter().map(|&d| Mat::zeros(d, values.len())).collect());
        for (i, (u, v)) in u.iter().zip(&v).enumerate() {
            put_chain(&mut x, i, (0, width(problem)), u, |_| 1.0, v);
        }
        (x, values)
    }

    /// The same, one by one, and their values.
    pub fn neurons(
        &self,
        directions: &[Vec<f64>],
        weights: [Option<&[f64]>; 2],
        width: usize,
    ) -> (Vec<Vec<f64>>, Vec<Vec<f64>>, Vec<f64>) {
        let (mut u, mut v, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for x in directions {
            let x = &self.basis * Mat::from_column_slice(x.len(), 1, x);
            let size = x.norm();
            let output = self.output(self.basis.tr_mul(&x).as_slice());
            let value = norm(&output) / size;
            if value.is_nan() || value <= 0.0 {
                continue;
            }
            let divide = |x: &[f64], size: f64, d: Option<&[f64]>, width: usize| -> Vec<f64> {
                x.iter().enumerate().map(|(j, x)| x / size / d.map_or(1.0, |d| d[j * width])).collect()
            };
            u.push(divide(x.as_slice(), size, weights[0], width));
            v.push(divide(&output, value * size, weights[1], 1));
            values.push(value / self.scales[0] / self.scales[1]);
        }
        (u, v, values)
    }

    /// The directions, in the coordinates of T, of a problem's neurons.
    pub fn directions(&self, problem: &Problem, x: &Factors) -> Mat {
        // the units of a slice stand side by side
        let (width, rows) = (width(problem), self.basis.nrows());
        let mut u = Mat::from_fn(rows, x.rank() * width, |a, i| x.0[0][(a * width + i % width, i / width)]);
        if let Some(d) = problem.regularizer.gauges[0].weights() {
            u.row_iter_mut().zip(d.iter().step_by(width)).for_each(|(mut r, d)| r *= *d);
        }
        let mut u = dense::tr_mul(&self.basis, &u);
        normalise(&mut u);
        // units that do nothing have none
        let live: Vec<usize> = (0..u.ncols()).filter(|&i| u.column(i).norm_squared() > 0.0).collect();
        if live.len() < u.ncols() { u.select_columns(&live) } else { u }
    }

    /// Normalised gradient steps from every column of `u`, shrinking after a while; every column becomes the best point it has
    /// seen. Returns the values. Where those before have been made, the range starts at their number; one is made whatever the budget.
    pub fn ascend(&self, u: &mut Mat, iterations: Range<usize>, is_over: impl Fn() -> bool + Sync) -> Vec<f64> {
        let d = u.nrows();
        let values = |block: &mut [f64]| {
            let mut x = Mat::from_column_slice(d, block.len() / d, block);
            let best = self.ascend_block(&mut x, iterations.clone(), &is_over);
            block.copy_from_slice(x.as_slice());
            best
        };
        u.as_mut_slice().par_chunks_mut(d.max(1) * BLOCK).map(values).collect::<Vec<_>>().concat()
    }

    fn ascend_block(&self, u: &mut Mat, iterations: Range<usize>, is_over: &dyn Fn() -> bool) -> Vec<f64> {
        let (n, q, columns) = (self.inputs.nrows(), self.field.ncols(), u.ncols());
        let mut x = u.clone();
        let mut best = vec![f64::NEG_INFINITY; columns];
        let (mut hidden, mut back) = (Mat::zeros(n, columns), Mat::zeros(n, columns));
        let (mut out, mut gradient) = (Mat::zeros(q, columns), Mat::zeros(x.nrows(), columns));
        for t in iterations {
            dense::mul_into(&self.inputs, &x, &mut hidden);
            vectorised(|| hidden.as_mut_slice().iter_mut().for_each(|h| *h = if *h > 0.0 { *h } else { 0.0 }));
            dense::tr_mul_into(&self.field, &hidden, &mut out);
            for (s, mut c) in out.column_iter_mut().enumerate() {
                let value = c.norm();
                if value > best[s] {
                    best[s] = value;
                    u.set_column(s, &x.column(s));
                }
                if value > 0.0 {
                    c /= value;
                }
            }
            if is_over() {
                break;
            }
            dense::mul_into(&self.field, &out, &mut back);
            let (b, h) = (back.as_mut_slice(), hidden.as_slice());
            vectorised(|| b.iter_mut().zip(h).for_each(|(b, h)| *b = if *h > 0.0 { *b } else { 0.0 }));
            dense::tr_mul_into(&self.inputs, &back, &mut gradient);
            normalise(&mut gradient);
            if t < 3 {
                x.copy_from(&gradient);
            } else {
                let step = if t < 10 { 1.0 } else { 3.0 / (t as f64 - 6.0) };
                x.as_mut_slice().iter_mut().zip(gradient.as_slice()).for_each(|(x, g)| *x += g * step);
            }
            normalise(&mut x);
        }
        best
    }

    /// Moves u to a local maximum near it: the maximiser of the smooth piece on the subspace where the k closest kinks vanish,
    /// for every k, whichever is best; again while that helps.
    pub fn snap(&self, u: &mut Vec<f64>, lengths: &[f64]) -> f64 {
        let d = u.len();
        let mut best = self.value(u);
        for _ in 0..4 {
            let t = &self.inputs * Mat::from_column_slice(d, 1, u);
            let mut order: Vec<usize> = (0..t.len()).filter(|&i| lengths[i] > 0.0).collect();
            let distance = |i: usize| t[i].abs() / lengths[i];
            let near = |a: &usize, b: &usize| distance(*a).total_cmp(&distance(*b)).then(a.cmp(b));
            let count = (2 * d).min(order.len());
            if count < order.len() {
                order.select_nth_unstable_by(count, near);
                order.truncate(count);
            }
            order.sort_by(near);
            let mut kinks: Vec<Vec<f64>> = Vec::new();
            let mut improved = None;
            let mut order = order.into_iter();
            while kinks.len() < d {
                let reached = self.piece(u, &kinks);
                if let Some((value, x)) = reached.filter(|r| r.0 > best * (1.0 + 1e-13)) {
                    best = value;
                    improved = Some(x);
                }
                // the next kink that is independent of those at hand
                let Some(next) = order.by_ref().find_map(|i| independent(&kinks, &self.row(i), lengths[i])) else {
                    break;
                };
                kinks.push(next);
            }
            match improved {
                Some(x) => *u = x,
                None => break,
            }
        }
        best
    }

    /// The best point of a few exact steps on the smooth piece around u with the given kinks (orthonormal) held.
    fn piece(&self, u: &[f64], kinks: &[Vec<f64>]) -> Option<(f64, Vec<f64>)> {
        let mut x = u.to_vec();
        project_out(&mut x, kinks);
        let mut best: Option<(f64, Vec<f64>)> = None;
        for _ in 0..if self.field.ncols() == 1 { 3 } else { 12 } {
            let size = norm(&x);
            if size < 1e-12 {
                break;
            }
            x.iter_mut().for_each(|x| *x /= size);
            let pre = &self.inputs * Mat::from_column_slice(x.len(), 1, &x);
            let hidden = pre.map(|p| p.max(0.0));
            let out = self.field.tr_mul(&hidden);
            let value = out.norm();
            if best.as_ref().is_none_or(|b| value > b.0) {
                best = Some((value, x.clone()));
            } else if value < best.as_ref().map_or(0.0, |b| b.0) * (1.0 - 1e-15) {
                break;
            }
            let mut back = &self.field * out;
            back.zip_apply(&pre, |b, p| *b = if p > 0.0 { *b } else { 0.0 });
            x = self.inputs.tr_mul(&back).data.into();
            project_out(&mut x, kinks);
        }
        best
    }

    /// ||t_i|| of every row.
    pub fn lengths(&self) -> Vec<f64> {
        self.inputs.row_iter().map(|r| r.norm()).collect()
    }
}

/// Units of a slice.
fn width(problem: &Problem) -> usize {
    problem.mapping.units().map_or(1, |u| u.width)
}

/// X over X times a factor.
fn below(x: &Mat, factor: f64) -> Mat {
    let n = x.nrows();
    Mat::from_fn(2 * n, x.ncols(), |i, j| if i < n { x[(i, j)] } else { factor * x[(i - n, j)] })
}

/// ||x||_2.
fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Columns of unit length; zeros stay.
pub fn normalise(x: &mut Mat) {
    let d = x.nrows().max(1);
    for c in x.as_mut_slice().chunks_exact_mut(d) {
        let size = norm(c);
        if size > 0.0 {
            c.iter_mut().for_each(|x| *x /= size);
        }
    }
}

/// Takes the components along orthonormal vectors out, twice.
pub fn project_out(x: &mut [f64], basis: &[Vec<f64>]) {
    for _ in 0..2 {
        for b in basis {
            let along: f64 = x.iter().zip(b).map(|(x, b)| x * b).sum();
            x.iter_mut().zip(b).for_each(|(x, b)| *x -= along * b);
        }
    }
}

/// What of a row is orthogonal to the basis, at unit length; `None` if next to nothing is.
pub fn independent(basis: &[Vec<f64>], row: &[f64], length: f64) -> Option<Vec<f64>> {
    let mut x = row.to_vec();
    project_out(&mut x, basis);
    let size = norm(&x);
    (size > 1e-9 * length).then(|| x.iter().map(|x| x / size).collect())
}
