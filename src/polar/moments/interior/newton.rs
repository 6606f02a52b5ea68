//! The Newton step of the relaxation: the system for a change of M, from which those of slacks and multipliers follow.

use super::{Change, Pair, Relaxation, State, Step};
use crate::linalg::{Mat, dense};
use crate::polar::moments::cell::Crossing;
use nalgebra::Cholesky;

/// The Newton system at a state.
pub(super) struct System<'a> {
    r: &'a Relaxation<'a>,
    state: &'a State,
    t: &'a [f64],
    s: &'a [f64],
    inverse: &'a Mat,
    factor: Cholesky<f64, nalgebra::Dyn>,
    /// K^-1 e, e the trace, and e'K^-1 e.
    trace: Mat,
    trace_sum: f64,
}

impl<'a> System<'a> {
    pub(super) fn new(
        r: &'a Relaxation<'a>,
        state: &'a State,
        t: &'a [f64],
        s: &'a [f64],
        inverse: &'a Mat,
    ) -> Option<Self> {
        let (d, n) = (r.d, r.d + r.pairs.len());
        let m = r.sides.crossing.len();
        // curvature in (t_i, s_i)
        let mut bends = vec![[0.0; 3]; m];
        let mut negative = 0;
        for (i, c) in r.sides.crossing.iter().enumerate() {
            let b = &mut bends[i];
            if c.weight > 0.0 {
                let curvature = c.above(t[i], s[i]).1;
                (0..3).for_each(|k| b[k] = c.weight * curvature[k]);
            } else {
                let (stiff, mean, total) = r.stiffness(state, negative, i, t, s);
                let rows = Relaxation::gradients(c);
                for k in 0..3 {
                    let (x, y) = (rows[k][0] - mean[0], rows[k][1] - mean[1]);
                    b[0] += stiff[k] * x * x;
                    b[1] += stiff[k] * x * y;
                    b[2] += stiff[k] * y * y;
                }
                debug_assert!(total > 0.0);
                negative += 1;
            }
            let p = state.ranges[i];
            let (h, slope) = (p.price / p.slack, c.low + c.high);
            b[0] += h * slope * slope;
            b[1] -= h * slope;
            b[2] += h;
        }
        let weighted = |x: &Mat, k: usize| {
            let mut x = x.clone();
            for mut column in x.column_iter_mut() {
                column.iter_mut().zip(&bends).for_each(|(x, b)| *x *= b[k]);
            }
            x
        };
        let mut k = Mat::zeros(n, n);
        k.view_mut((0, 0), (d, d)).copy_from(&dense::tr_mul(&r.v, &weighted(&r.v, 0)));
        k.view_mut((d, 0), (n - d, d)).copy_from(&dense::tr_mul(&r.products, &weighted(&r.v, 1)));
        k.view_mut((d, d), (n - d, n - d)).copy_from(&dense::tr_mul(&r.products, &weighted(&r.products, 2)));
        for (&j, p) in r.cut.iter().zip(&state.box_sides) {
            let (h, slope) = (p.price / p.slack, r.cell.low[j] + r.cell.high[j]);
            let square = d + j * (j + 3) / 2;
            k[(j, j)] += h * slope * slope;
            k[(square, j)] -= h * slope;
            k[(square, square)] += h;
        }
        // <E_p, W E_q Z> over the entries of M, symmetrised
        let place = |p: usize| if p < d { (0, p + 1) } else { (r.pairs[p - d].0 + 1, r.pairs[p - d].1 + 1) };
        let (w, z) = (inverse, &state.z);
        for q in 0..n {
            let (c, e) = place(q);
            for p in q..n {
                let (a, b) = place(p);
                let one = |a: usize, b: usize| w[(b, c)] * z[(e, a)] + w[(b, e)] * z[(c, a)];
                let two = |a: usize, b: usize| z[(b, c)] * w[(e, a)] + z[(b, e)] * w[(c, a)];
                let mut sum = one(a, b) + two(a, b);
                if a != b {
                    sum += one(b, a) + two(b, a);
                }
                if c == e {
                    sum *= 0.5;
                }
                k[(p, q)] += 0.5 * sum;
            }
        }
        let factor = Cholesky::new(k)?;
        let mut e = Mat::zeros(n, 1);
        (0..d).for_each(|j| e[(d + j * (j + 3) / 2, 0)] = 1.0);
        let trace = factor.solve(&e);
        let trace_sum = trace.dot(&e);
        Some(Self { r, state, t, s, inverse, factor, trace, trace_sum })
    }

    /// The step toward products of size `target`, corrected by what another leaves.
    pub(super) fn step(&self, target: f64, corrected: Option<&Step>) -> Option<Step> {
        let (r, state) = (self.r, self.state);
        let d = r.d;
        let n = d + r.pairs.len();
        let m = r.sides.crossing.len();
        let pull = |p: Pair, c: Option<Change>| (target - c.map_or(0.0, |c| c.slack * c.price)) / p.slack;
        let (mut pulls_t, mut pulls_s) = (Mat::zeros(m, 1), Mat::zeros(m, 1));
        let mut negative = 0;
        for (i, c) in r.sides.crossing.iter().enumerate() {
            let (t, s) = (self.t[i], self.s[i]);
            let mut g = if c.weight > 0.0 {
                let p = c.above(t, s).0;
                [c.weight * p.slope, c.weight * p.square]
            } else {
                let (_, mean, _) = r.stiffness(state, negative, i, self.t, self.s);
                let rows = Relaxation::gradients(c);
                let pulls = self.pulls(negative, i, target, corrected);
                let sum: f64 = pulls.iter().sum::<f64>() - c.weight.abs();
                let g = |x: usize| mean[x] * sum - (0..3).map(|k| pulls[k] * rows[k][x]).sum::<f64>();
                negative += 1;
                [g(0), g(1)]
            };
            let p = state.ranges[i];
            let missing = Relaxation::range_row(c, t, s) - c.low * c.high - p.slack;
            let force = pull(p, corrected.map(|c| c.ranges[i])) - p.price / p.slack * missing;
            g[0] += force * (c.low + c.high);
            g[1] -= force;
            (pulls_t[(i, 0)], pulls_s[(i, 0)]) = (g[0], g[1]);
        }
        let mut rhs = Mat::zeros(n, 1);
        let along = r.v.tr_mul(&pulls_t);
        (0..d).for_each(|j| rhs[(j, 0)] = r.sides.linear[j] + along[(j, 0)]);
        rhs.rows_mut(d, n - d).copy_from(&r.products.tr_mul(&pulls_s));
        for (k, (&j, p)) in r.cut.iter().zip(&state.box_sides).enumerate() {
            let (l, h) = (r.cell.low[j], r.cell.high[j]);
            let missing = r.box_row(j, &state.m) - l * h - p.slack;
            let force = pull(*p, corrected.map(|c| c.box_sides[k])) - p.price / p.slack * missing;
            rhs[(j, 0)] += force * (l + h);
            rhs[(d + j * (j + 3) / 2, 0)] -= force;
        }
        // target M^-1, less what the product of the changes leaves
        let mut force = self.inverse * target;
        if let Some(c) = corrected {
            let left = self.inverse * &c.m * &c.z;
            force -= (&left + left.transpose()) * 0.5;
        }
        for p in 0..n {
            rhs[(p, 0)] += if p < d {
                2.0 * force[(p + 1, 0)]
            } else {
                let (a, b) = r.pairs[p - d];
                force[(b + 1, a + 1)] * if a == b { 1.0 } else { 2.0 }
            };
        }
        let mut x = self.factor.solve(&rhs);
        let trace: f64 = (0..d).map(|j| x[(d + j * (j + 3) / 2, 0)]).sum();
        let drift = 1.0 - (0..d).map(|j| state.m[(j + 1, j + 1)]).sum::<f64>();
        x -= &self.trace * ((trace - drift) / self.trace_sum);
        let mut dm = Mat::zeros(d + 1, d + 1);
        for p in 0..n {
            let (a, b) = if p < d { (0, p + 1) } else { (r.pairs[p - d].0 + 1, r.pairs[p - d].1 + 1) };
            dm[(a, b)] = x[(p, 0)];
            dm[(b, a)] = x[(p, 0)];
        }
        let mixed = self.inverse * &dm * &state.z;
        let dz = force - &state.z - (&mixed + mixed.transpose()) * 0.5;
        let (dt, ds) = r.moments(&dm);
        let change = |p: Pair, missing: f64, row: f64, c: Option<Change>| {
            let slack = row + missing;
            Change { slack, price: pull(p, c) - p.price - p.price / p.slack * slack }
        };
        let ranges = (r.sides.crossing.iter().enumerate())
            .map(|(i, c)| {
                let p = state.ranges[i];
                let missing = Relaxation::range_row(c, self.t[i], self.s[i]) - c.low * c.high - p.slack;
                change(p, missing, Relaxation::range_row(c, dt[i], ds[i]), corrected.map(|c| c.ranges[i]))
            })
            .collect();
        let box_sides = (r.cut.iter().zip(&state.box_sides).enumerate())
            .map(|(k, (&j, p))| {
                let missing = r.box_row(j, &state.m) - r.cell.low[j] * r.cell.high[j] - p.slack;
                change(*p, missing, r.box_row(j, &dm), corrected.map(|c| c.box_sides[k]))
            })
            .collect();
        let (mut levels, mut prices) = (Vec::new(), Vec::new());
        for (k, &i) in r.negative.iter().enumerate() {
            let c = &r.sides.crossing[i];
            let (stiff, mean, total) = r.stiffness(state, k, i, self.t, self.s);
            let rows = Relaxation::gradients(c);
            let pulls = self.pulls(k, i, target, corrected);
            let dx = (pulls.iter().sum::<f64>() - c.weight.abs()) / total + mean[0] * dt[i] + mean[1] * ds[i];
            levels.push(dx);
            prices.push(std::array::from_fn(|f| {
                let slack = dx - rows[f][0] * dt[i] - rows[f][1] * ds[i];
                Change { slack, price: pulls[f] - state.prices[k][f] - stiff[f] * slack }
            }));
        }
        Some(Step { m: dm, z: dz, ranges, box_sides, levels, prices })
    }

    /// (target - correction) / slack of the three floors of x.
    fn pulls(&self, k: usize, i: usize, target: f64, corrected: Option<&Step>) -> [f64; 3] {
        let floors = Relaxation::floors(&self.r.sides.crossing[i], self.t[i], self.s[i]);
        std::array::from_fn(|f| {
            let slack = self.state.levels[k] - floors[f];
            let correction = corrected.map_or(0.0, |c| c.prices[k][f].slack * c.prices[k][f].price);
            (target - correction) / slack
        })
    }
}

impl Relaxation<'_> {
    /// The floors' gradients in (t, s).
    fn gradients(c: &Crossing) -> [[f64; 2]; 3] {
        let (slope, square) = c.below();
        [[0.0, 0.0], [1.0, 0.0], [slope, square]]
    }

    /// Multiplier over slack of the floors, their mean gradient with these weights, and the sum of the weights.
    fn stiffness(&self, state: &State, k: usize, i: usize, t: &[f64], s: &[f64]) -> ([f64; 3], [f64; 2], f64) {
        let c = &self.sides.crossing[i];
        let floors = Self::floors(c, t[i], s[i]);
        let stiff: [f64; 3] = std::array::from_fn(|f| state.prices[k][f] / (state.levels[k] - floors[f]));
        let total: f64 = stiff.iter().sum();
        let rows = Self::gradients(c);
        let mean = [0, 1].map(|x| (0..3).map(|f| stiff[f] * rows[f][x]).sum::<f64>() / total);
        (stiff, mean, total)
    }
}
