//! The relaxation of a cell by moments, solved by a primal-dual interior point method that stops as soon as its
//! multipliers prove enough.
//!
//! ```text
//! maximise  a'u + sum_(w_i > 0) w_i above_i(t_i, s_i) - sum_(w_i < 0) |w_i| x_i       M = [1 u'; u U] >= 0,  tr U = 1
//! t_i = v_i'u,  s_i = v_i'U v_i;   x_i >= 0, t_i, (s_i - l_i t_i) / (h_i - l_i);   rows of the ranges and of the box
//! ```
//!
//! above_i is the lowest mean of a parabola above (t)_+, in closed form, so the unknowns are M alone: (d + 1)(d + 2) /
//! 2 - 1 of them, whatever the number of rows. The direction is that of Helmberg, Rendl, Vanderbei, Wolkowicz; Kojima,
//! Shindoh, Hara; and Monteiro, with Mehrotra's correction. Nothing here is believed: the value of a cell is what
//! [`super::proof`] makes of its multipliers.

mod newton;

use super::cell::{Cell, Crossing, Sides, Units, inner};
use super::proof::{Multipliers, Quadratic};
use crate::linalg::{Mat, dense};
use newton::System;
use std::sync::Arc;

/// Iterations at most.
const ITERATIONS: usize = 40;

/// When to stop: the bound is below `limit`, or no more than `share` of its distance to that is left to gain.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// A bound below it is good enough.
    pub limit: f64,
    /// The share.
    pub share: f64,
}

/// What was reached.
pub struct Reached {
    /// A proven upper bound on the cell.
    pub upper: f64,
    /// Where its quadratic is largest.
    pub at: Vec<f64>,
    /// u.
    pub mean: Vec<f64>,
    /// The diagonal of U.
    pub squares: Vec<f64>,
    /// Iterations made.
    pub iterations: usize,
    /// What proves it, for [`recall`].
    pub proof: Arc<[u8]>,
}

/// A slack and its multiplier.
#[derive(Clone, Copy, Debug)]
struct Pair {
    slack: f64,
    price: f64,
}

/// How both change.
#[derive(Clone, Copy, Debug, Default)]
struct Change {
    slack: f64,
    price: f64,
}

struct State {
    m: Mat,
    z: Mat,
    ranges: Vec<Pair>,
    box_sides: Vec<Pair>,
    /// x of the rows with w < 0, and the multipliers of its three bounds.
    levels: Vec<f64>,
    prices: Vec<[f64; 3]>,
}

struct Step {
    m: Mat,
    z: Mat,
    ranges: Vec<Change>,
    box_sides: Vec<Change>,
    levels: Vec<f64>,
    prices: Vec<[Change; 3]>,
}

struct Relaxation<'a> {
    units: &'a Units,
    cell: &'a Cell,
    sides: &'a Sides,
    d: usize,
    /// v_i of the crossing rows, m x d.
    v: Mat,
    /// The coefficients of s_i in U_ab, a <= b.
    products: Mat,
    pairs: Vec<(usize, usize)>,
    /// Sides of the box that are cut.
    cut: Vec<usize>,
    /// Indices among the crossing rows of those with w < 0.
    negative: Vec<usize>,
}

/// What proves a bound, as long as nobody asks for more: moments, and the multipliers that they do not determine.
struct Dual {
    m: Mat,
    /// Of the two lines that x_i is above, beside 0, for the rows with w < 0.
    shares: Vec<[f64; 2]>,
    ranges: Vec<f64>,
    box_sides: Vec<f64>,
}

/// Bounds a cell.
pub fn bound(units: &Units, cell: &Cell, sides: &Sides, goal: Goal) -> Reached {
    let r = Relaxation::new(units, cell, sides);
    r.solve(goal)
}

/// The bound of a cell that was bounded before, by what proved it then; `None` where that is of another cell. It need not be believed: any
/// moments and multipliers prove a bound.
pub fn recall(units: &Units, cell: &Cell, sides: &Sides, proof: &[u8]) -> Option<Reached> {
    let r = Relaxation::new(units, cell, sides);
    let dual = r.unpacked(proof)?;
    let (t, s) = r.moments(&dual.m);
    let quadratic = r.quadratic(&dual, &t, &s);
    let top = quadratic.top().filter(|t| t.value.is_finite())?;
    let (mean, squares) = (r.mean(&dual.m), r.squares(&dual.m));
    Some(Reached { upper: quadratic.upper(&top), at: top.at, mean, squares, iterations: 0, proof: proof.into() })
}

impl<'a> Relaxation<'a> {
    fn new(units: &'a Units, cell: &'a Cell, sides: &'a Sides) -> Self {
        let (d, m) = (units.d, sides.crossing.len());
        let pairs: Vec<(usize, usize)> = (0..d).flat_map(|b| (0..=b).map(move |a| (a, b))).collect();
        let v = Mat::from_fn(m, d, |i, j| units.row(sides.crossing[i].row)[j]);
        let products = Mat::from_fn(m, pairs.len(), |i, k| {
            let (a, b) = pairs[k];
            v[(i, a)] * v[(i, b)] * if a == b { 1.0 } else { 2.0 }
        });
        let cut = (0..d).filter(|&j| cell.is_cut(j)).collect();
        let negative = (0..m).filter(|&i| sides.crossing[i].weight < 0.0).collect();
        Self { units, cell, sides, d, v, products, pairs, cut, negative }
    }

    /// t_i and s_i, or what they change by, at M or at what it changes by.
    fn moments(&self, m: &Mat) -> (Vec<f64>, Vec<f64>) {
        let u = Mat::from_fn(self.d, 1, |j, _| m[(j + 1, 0)]);
        let packed = Mat::from_fn(self.pairs.len(), 1, |k, _| m[(self.pairs[k].1 + 1, self.pairs[k].0 + 1)]);
        ((&self.v * u).data.into(), (&self.products * packed).data.into())
    }

    /// The row of the range of a crossing row, without its constant.
    fn range_row(c: &Crossing, t: f64, s: f64) -> f64 {
        (c.low + c.high) * t - s
    }

    fn box_row(&self, j: usize, m: &Mat) -> f64 {
        (self.cell.low[j] + self.cell.high[j]) * m[(j + 1, 0)] - m[(j + 1, j + 1)]
    }

    /// The three that x_i is above.
    fn floors(c: &Crossing, t: f64, s: f64) -> [f64; 3] {
        let (slope, square) = c.below();
        [0.0, t, slope * t + square * s]
    }

    fn start(&self) -> State {
        let d = self.d;
        let half: Vec<f64> = (0..d).map(|j| 0.5 * (self.cell.high[j] - self.cell.low[j])).collect();
        let mut u: Vec<f64> = (0..d).map(|j| 0.5 * (self.cell.high[j] + self.cell.low[j])).collect();
        let spread: f64 = half.iter().map(|h| h * h / 3.0).sum::<f64>();
        let size = inner(&u, &u);
        let most = 1.0 - (0.5 * spread).clamp(1e-6, 0.5);
        if size > most {
            let shrink = (most / size).sqrt();
            u.iter_mut().for_each(|u| *u *= shrink);
        }
        let rest = 1.0 - inner(&u, &u);
        let total: f64 = half.iter().map(|h| h * h + 1e-12).sum();
        let m = Mat::from_fn(d + 1, d + 1, |i, j| match (i, j) {
            (0, 0) => 1.0,
            (0, k) | (k, 0) => u[k - 1],
            (i, j) => {
                let own = if i == j { rest * (half[i - 1].powi(2) + 1e-12) / total } else { 0.0 };
                u[i - 1] * u[j - 1] + own
            }
        });
        let (t, s) = self.moments(&m);
        let crossing = &self.sides.crossing;
        let count = (d + 1 + crossing.len() + 3 * self.negative.len() + self.cut.len()) as f64;
        let scale: f64 = crossing.iter().map(|c| c.weight.abs() * c.high.min(-c.low)).sum::<f64>();
        let mu = (0.25 * scale / count).max(f64::MIN_POSITIVE);
        let pair = |row: f64, least: f64| {
            let slack = row.max(least);
            Pair { slack, price: mu / slack }
        };
        let ranges = (crossing.iter().zip(t.iter().zip(&s)))
            .map(|(c, (t, s))| pair(Self::range_row(c, *t, *s) - c.low * c.high, 0.1 * (c.high - c.low).powi(2)))
            .collect();
        let box_sides = (self.cut.iter())
            .map(|&j| {
                let (l, h) = (self.cell.low[j], self.cell.high[j]);
                pair(self.box_row(j, &m) - l * h, 0.1 * (h - l).powi(2))
            })
            .collect();
        let (mut levels, mut prices) = (Vec::new(), Vec::new());
        for &i in &self.negative {
            let c = &crossing[i];
            let floors = Self::floors(c, t[i], s[i]);
            let top = floors.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            let w = c.weight.abs();
            let sum = |x: f64| floors.iter().map(|f| mu / (x - f)).sum::<f64>();
            let (mut low, mut high) = (top + 0.5 * mu / w, top + 3.5 * mu / w);
            for _ in 0..40 {
                let x = 0.5 * (low + high);
                if sum(x) > w { low = x } else { high = x }
            }
            levels.push(high);
            prices.push(floors.map(|f| mu / (high - f)));
        }
        let z = m.clone().cholesky().map_or_else(|| Mat::identity(d + 1, d + 1), |c| c.inverse()) * mu;
        State { m, z, ranges, box_sides, levels, prices }
    }

    fn solve(&self, goal: Goal) -> Reached {
        let mut state = self.start();
        let mut best: Option<(f64, Quadratic, super::proof::Top, Arc<[u8]>)> = None;
        let mut iterations = 0;
        for iteration in 0..ITERATIONS {
            let (t, s) = self.moments(&state.m);
            let dual = self.dual(&state);
            let quadratic = self.quadratic(&dual, &t, &s);
            let top = quadratic.top();
            if let Some(top) = top
                && top.value.is_finite()
                && best.as_ref().is_none_or(|b| top.value < b.0)
            {
                best = Some((top.value, quadratic, top, Self::packed(&dual)));
            }
            let reached = best.as_ref().map_or(f64::INFINITY, |b| b.0);
            let (value, missing) = self.value(&state, &t, &s);
            let room = reached - value;
            iterations = iteration;
            if reached < goal.limit || (missing < 1e-6 && room <= goal.share * (reached - goal.limit).abs()) {
                break;
            }
            let Some(next) = self.advance(&state, &t, &s) else { break };
            state = next;
        }
        let (upper, at, proof) = match best {
            Some((_, quadratic, top, proof)) => (quadratic.upper(&top), top.at, proof),
            None => (f64::INFINITY, vec![0.0; self.d], Arc::default()),
        };
        let (mean, squares) = (self.mean(&state.m), self.squares(&state.m));
        Reached { upper, at, mean, squares, iterations, proof }
    }

    fn mean(&self, m: &Mat) -> Vec<f64> {
        (0..self.d).map(|j| m[(j + 1, 0)]).collect()
    }

    fn squares(&self, m: &Mat) -> Vec<f64> {
        (0..self.d).map(|j| m[(j + 1, j + 1)]).collect()
    }

    /// What a state proves a bound by.
    fn dual(&self, state: &State) -> Dual {
        let shares = state.prices.iter().map(|p| {
            let p = p.map(|p| p.max(0.0));
            let sum: f64 = p.iter().sum();
            [p[1], p[2]].map(|p| if sum > 0.0 { p / sum } else { 0.0 })
        });
        let prices = |pairs: &[Pair]| pairs.iter().map(|p| p.price.max(0.0)).collect();
        let (ranges, box_sides) = (prices(&state.ranges), prices(&state.box_sides));
        Dual { m: state.m.clone(), shares: shares.collect(), ranges, box_sides }
    }

    /// The quadratic that is above the units, where M has the moments t and s.
    fn quadratic(&self, dual: &Dual, t: &[f64], s: &[f64]) -> Quadratic {
        let mut shares = dual.shares.iter();
        let parabolas = (self.sides.crossing.iter().enumerate())
            .map(|(i, c)| match c.weight > 0.0 {
                true => c.above(t[i], s[i]).0,
                false => c.mixed_below(*shares.next().expect("one per row with w < 0")),
            })
            .collect();
        let mut box_sides = vec![0.0; self.d];
        self.cut.iter().zip(&dual.box_sides).for_each(|(&j, mu)| box_sides[j] = *mu);
        let multipliers = Multipliers { parabolas, ranges: dual.ranges.clone(), box_sides };
        Quadratic::new(self.units, self.cell, self.sides, &multipliers)
    }

    /// M by its lower triangle, eta, mu, shares, in single precision.
    fn packed(dual: &Dual) -> Arc<[u8]> {
        let m = &dual.m;
        let lower = (1..m.nrows()).flat_map(|i| (0..=i).map(move |j| m[(i, j)]));
        let rest = dual.ranges.iter().chain(&dual.box_sides).chain(dual.shares.iter().flatten()).copied();
        lower.chain(rest).flat_map(|x| (x as f32).to_le_bytes()).collect()
    }

    /// The same, made valid; `None` if it is not as long as it should be, or not finite.
    fn unpacked(&self, proof: &[u8]) -> Option<Dual> {
        let (d, rows, cut, negative) = (self.d, self.sides.crossing.len(), self.cut.len(), self.negative.len());
        let moments = d * (d + 3) / 2;
        let (proof, rest) = proof.as_chunks();
        let numbers = || proof.iter().map(|x| f64::from(f32::from_le_bytes(*x)));
        let fits = proof.len() == moments + rows + cut + 2 * negative && rest.is_empty();
        if !fits || numbers().any(|x| !x.is_finite()) {
            return None;
        }
        let mut numbers = numbers();
        let mut m = Mat::zeros(d + 1, d + 1);
        m[(0, 0)] = 1.0;
        for i in 1..=d {
            for (j, x) in (0..=i).zip(numbers.by_ref()) {
                (m[(i, j)], m[(j, i)]) = (x, x);
            }
        }
        let mut prices = |count: usize| numbers.by_ref().take(count).map(|x| x.max(0.0)).collect::<Vec<f64>>();
        let (ranges, box_sides) = (prices(rows), prices(cut));
        let shares = prices(2 * negative);
        let shares = shares.chunks(2).map(|p| [p[0], p[1]].map(|x| x / (p[0] + p[1]).max(1.0))).collect();
        Some(Dual { m, shares, ranges, box_sides })
    }

    /// The objective at M, and how far M is from meeting the rows, relative to their sizes.
    fn value(&self, state: &State, t: &[f64], s: &[f64]) -> (f64, f64) {
        let u = (0..self.d).map(|j| state.m[(j + 1, 0)]);
        let mut value: f64 = self.sides.linear.iter().zip(u).map(|(a, u)| a * u).sum::<f64>() + self.sides.slack;
        let mut missing: f64 = 0.0;
        for (i, c) in self.sides.crossing.iter().enumerate() {
            value += c.weight
                * if c.weight > 0.0 {
                    c.above(t[i], s[i]).0.mean(t[i], s[i])
                } else {
                    Self::floors(c, t[i], s[i]).into_iter().fold(0.0, f64::max)
                };
            let row = Self::range_row(c, t[i], s[i]) - c.low * c.high;
            missing = missing.max(-row / (c.high - c.low).powi(2));
        }
        for &j in &self.cut {
            let (l, h) = (self.cell.low[j], self.cell.high[j]);
            missing = missing.max(-(self.box_row(j, &state.m) - l * h) / (h - l).powi(2));
        }
        (value, missing)
    }

    /// The mean product of slacks and multipliers, and their number.
    fn gap(&self, state: &State, t: &[f64], s: &[f64]) -> (f64, f64) {
        let mut sum = state.m.dot(&state.z);
        let pairs = || state.ranges.iter().chain(&state.box_sides);
        sum += pairs().map(|p| p.slack * p.price).sum::<f64>();
        for (k, &i) in self.negative.iter().enumerate() {
            let floors = Self::floors(&self.sides.crossing[i], t[i], s[i]);
            sum += (0..3).map(|r| (state.levels[k] - floors[r]) * state.prices[k][r]).sum::<f64>();
        }
        let count = (self.d + 1 + pairs().count() + 3 * self.negative.len()) as f64;
        (sum / count, count)
    }

    /// One step.
    fn advance(&self, state: &State, t: &[f64], s: &[f64]) -> Option<State> {
        let inverse = state.m.clone().cholesky()?.inverse();
        let system = System::new(self, state, t, s, &inverse)?;
        let (mu, count) = self.gap(state, t, s);
        let affine = system.step(0.0, None)?;
        let (primal, dual) = self.lengths(state, &affine, t, s, 1.0)?;
        // what the products would become
        let mut ahead = (&state.m + &affine.m * primal).dot(&(&state.z + &affine.z * dual));
        let pairs = state.ranges.iter().zip(&affine.ranges).chain(state.box_sides.iter().zip(&affine.box_sides));
        ahead += pairs.map(|(p, c)| (p.slack + primal * c.slack) * (p.price + dual * c.price)).sum::<f64>();
        for (k, &i) in self.negative.iter().enumerate() {
            let floors = Self::floors(&self.sides.crossing[i], t[i], s[i]);
            ahead += (0..3)
                .map(|r| {
                    let c = affine.prices[k][r];
                    (state.levels[k] - floors[r] + primal * c.slack) * (state.prices[k][r] + dual * c.price)
                })
                .sum::<f64>();
        }
        let centring = (ahead / count / mu).clamp(0.0, 1.0).powi(3).max(1e-4);
        let step = system.step(centring * mu, Some(&affine))?;
        let (primal, dual) = self.lengths(state, &step, t, s, 0.95)?;
        let mut next = State {
            m: &state.m + &step.m * primal,
            z: &state.z + &step.z * dual,
            ranges: state.ranges.clone(),
            box_sides: state.box_sides.clone(),
            levels: state.levels.clone(),
            prices: state.prices.clone(),
        };
        let moved = next.ranges.iter_mut().zip(&step.ranges).chain(next.box_sides.iter_mut().zip(&step.box_sides));
        moved.for_each(|(p, c)| {
            p.slack += primal * c.slack;
            p.price += dual * c.price;
        });
        next.levels.iter_mut().zip(&step.levels).for_each(|(x, dx)| *x += primal * dx);
        for (p, c) in next.prices.iter_mut().zip(&step.prices) {
            (0..3).for_each(|r| p[r] += dual * c[r].price);
        }
        let numbers = next.m.iter().chain(&next.z).chain(&next.levels).chain(next.prices.iter().flatten());
        let pairs = next.ranges.iter().chain(&next.box_sides);
        let finite = numbers.sum::<f64>() + pairs.map(|p| p.slack + p.price).sum::<f64>();
        finite.is_finite().then_some(next)
    }

    /// How far M and the slacks, and their multipliers, can go along a step: `share` of the way to where one vanishes,
    /// at most 1.
    fn lengths(&self, state: &State, step: &Step, t: &[f64], s: &[f64], share: f64) -> Option<(f64, f64)> {
        let (mut primal, mut dual) = (reach(&state.m, &step.m)?, reach(&state.z, &step.z)?);
        let limit = |x: f64, dx: f64| if dx < 0.0 { -x / dx } else { f64::INFINITY };
        let pairs = state.ranges.iter().zip(&step.ranges).chain(state.box_sides.iter().zip(&step.box_sides));
        for (p, c) in pairs {
            primal = primal.min(limit(p.slack, c.slack));
            dual = dual.min(limit(p.price, c.price));
        }
        for (k, &i) in self.negative.iter().enumerate() {
            let floors = Self::floors(&self.sides.crossing[i], t[i], s[i]);
            for r in 0..3 {
                let c = step.prices[k][r];
                primal = primal.min(limit(state.levels[k] - floors[r], c.slack));
                dual = dual.min(limit(state.prices[k][r], c.price));
            }
        }
        let length = |x: f64| (share * x).min(1.0);
        Some((length(primal), length(dual)))
    }
}

/// The largest t for which A + t B is positive semidefinite.
fn reach(a: &Mat, b: &Mat) -> Option<f64> {
    let l = a.clone().cholesky()?;
    let x = l.l().solve_lower_triangular(b)?;
    let y = l.l().solve_lower_triangular(&x.transpose())?;
    let least = *dense::symmetric_eigenvalues(&y)?.first()?;
    Some(if least < 0.0 { -1.0 / least } else { f64::INFINITY })
}
