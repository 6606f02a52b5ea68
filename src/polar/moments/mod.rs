//! Networks on many inputs: branch and bound over boxes, each bounded by its moments.
//!
//! ```text
//! max over b = +-1 of  sum_i b w_i (v_i'u)_+,   ||u||_2 = 1,  u in principal axes of V
//! ```
//!
//! A box knows between which values each v_i'u lies, [`cell`]; parabolas above and below the units there turn the sum into a
//! quadratic, whose maximum on the sphere is one of eigenvalues, [`proof`]; the best parabolas and multipliers come from a semidefinite
//! relaxation, [`interior`]. The cube is split where crossing rows cost most.

mod cell;
mod interior;
mod proof;

use super::bound::Aim;
use super::cones::Found;
use super::neurons::Neurons;
use crate::linalg::sum::{gamma, norm_upper};
use cell::{Cell, Units, sides};
use interior::{Goal, Reached};
use rayon::prelude::*;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Inputs at most: a relaxation has about half their square of unknowns.
pub const INPUTS: usize = 40;
/// Boxes that are split together: fixed, so that results do not depend on the number of threads.
const BATCH: usize = 8;
/// A box is bounded to this share of its distance to the limit.
const SHARE: f64 = 0.05;
/// A row of this share of the largest adds next to nothing.
const NOTHING: f64 = 1e-18;
/// Bytes that boxes may take.
const MEMORY: usize = 1 << 30;

/// A box that is open.
struct Open {
    upper: f64,
    sign: usize,
    cell: Cell,
    split: (usize, f64),
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Open {}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Open {
    fn cmp(&self, other: &Self) -> Ordering {
        self.upper.total_cmp(&other.upper)
    }
}

/// sum_i w_i (v_i'u)_+ with weights of this output direction. Rows that add next to nothing are left out.
fn units(n: &Neurons, weights: &[f64]) -> Units {
    let d = n.inputs.ncols();
    let mut out = Units { d, rows: Vec::new(), weights: Vec::new(), lengths: Vec::new(), rest: 0.0 };
    let lengths: Vec<f64> = (0..weights.len()).map(|i| norm_upper(&n.row(i))).collect();
    let least = NOTHING * weights.iter().zip(&lengths).map(|(w, l)| w.abs() * l).fold(0.0, f64::max);
    for (i, (&w, &length)) in weights.iter().zip(&lengths).enumerate() {
        if w.abs() * length > least {
            out.rows.extend(n.row(i));
            out.weights.push(w);
            out.lengths.push(length);
        } else {
            out.rest += (w.max(0.0) * length).next_up();
        }
    }
    out.rest *= 1.0 + gamma(weights.len() + 2);
    out
}

/// A bound of f on the unit ball for one output; the work counted is of multiplications, some hundreds to the unit. `known` are
/// directions worth trying.
pub fn search(n: &Neurons, known: &[Vec<f64>], aim: &Aim) -> Found {
    let both = [1.0, -1.0].map(|sign| units(n, (&n.field * sign).as_slice()));
    let mut found = Found { upper: 0.0, lower: 0.0, direction: vec![0.0; n.rank()], cells: 0 };
    for u in known {
        see(n, u, &mut found);
    }
    let mut heap = BinaryHeap::new();
    let (mut work, mut settled, mut bytes) = (0.0, 0.0f64, 0);
    let mut first = true;
    loop {
        let top = heap.peek().map_or(0.0, |o: &Open| o.upper).max(settled);
        let stop = aim.limit.max(found.lower * (1.0 + aim.tolerance));
        found.upper = if first { f64::INFINITY } else { top };
        let done = top <= stop || heap.is_empty() || work >= aim.work || bytes >= MEMORY || aim.budget.exhausted();
        if done && !first {
            return found;
        }
        let cells: Vec<(f64, usize, Cell)> = if std::mem::take(&mut first) {
            (0..2).map(|s| (f64::INFINITY, s, Cell::whole(n.rank()))).collect()
        } else {
            let mut batch = Vec::with_capacity(BATCH);
            while batch.len() < BATCH && heap.peek().is_some_and(|o| o.upper > stop) {
                batch.extend(heap.pop());
            }
            bytes -= batch.len() * size(n.rank());
            let parts = |o: Open| o.cell.split(o.split.0, o.split.1).map(|c| (o.upper, o.sign, c));
            batch.into_iter().flat_map(parts).filter(|c| c.2.meets_sphere()).collect()
        };
        let bounded: Vec<(Open, Vec<f64>, f64)> =
            cells.into_par_iter().map(|(parent, sign, cell)| bound(&both[sign], cell, sign, parent, stop)).collect();
        for (open, at, cost) in bounded {
            found.cells += 1;
            work += cost;
            see(n, &at, &mut found);
            if open.upper <= stop {
                settled = settled.max(open.upper);
            } else {
                bytes += size(n.rank());
                heap.push(open);
            }
        }
    }
}

fn size(d: usize) -> usize {
    size_of::<Open>() + 2 * d * size_of::<f64>()
}

fn see(n: &Neurons, u: &[f64], found: &mut Found) {
    let length = u.iter().map(|x| x * x).sum::<f64>().sqrt();
    let value = if length > 0.0 { n.value(u) / length } else { 0.0 };
    if value > found.lower {
        (found.lower, found.direction) = (value, u.to_vec());
    }
}

/// A box, bounded; a direction worth trying; the work done.
fn bound(units: &Units, cell: Cell, sign: usize, parent: f64, stop: f64) -> (Open, Vec<f64>, f64) {
    let sides = sides(units, &cell);
    let reached = interior::bound(units, &cell, &sides, Goal { limit: stop, share: SHARE });
    let split = split(units, &cell, &sides, &reached);
    let unknowns = (units.d * (units.d + 3) / 2) as f64;
    let cost = (reached.iterations + 1) as f64 * (sides.crossing.len() as f64 + unknowns / 3.0) * unknowns * unknowns;
    (Open { upper: reached.upper.min(parent), sign, cell, split }, reached.at, cost / 500.0)
}

/// The side along which crossing rows lose most, at the mean clipped to the middle half.
fn split(units: &Units, cell: &Cell, sides: &cell::Sides, reached: &Reached) -> (usize, f64) {
    let mut weights = vec![0.0; units.d];
    for c in &sides.crossing {
        let share = c.weight.abs() / (c.high - c.low);
        weights.iter_mut().zip(units.row(c.row)).for_each(|(s, v)| *s += share * v * v);
    }
    let width = |j: usize| cell.high[j] - cell.low[j];
    let spread = |j: usize| (reached.squares[j] - reached.mean[j].powi(2)).clamp(0.0, 0.25 * width(j).powi(2));
    let score = |j: usize| weights[j] * spread(j);
    let j = (0..units.d).max_by(|&a, &b| score(a).total_cmp(&score(b)).then(b.cmp(&a))).unwrap_or(0);
    let j = if score(j) > 0.0 { j } else { (0..units.d).max_by(|&a, &b| width(a).total_cmp(&width(b))).unwrap_or(0) };
    let quarter = 0.25 * width(j);
    (j, reached.mean[j].clamp(cell.low[j] + quarter, cell.high[j] - quarter))
}

#[cfg(test)]
mod tests {
    use super::cell::{Crossing, Parabola, inner};
    use super::proof::{Multipliers, Quadratic};
    use super::*;
    use crate::linalg::Mat;
    use crate::linalg::lanczos::gaussian;

    /// Rows of many sizes; some repeat, oppose each other or vanish, as do some weights.
    fn instance(seed: u64, d: usize) -> Neurons {
        let count = 3 + (seed % 40) as usize;
        let (mut v, mut w) = (gaussian(count, d, seed + 7), gaussian(count, 1, seed + 8));
        if seed.is_multiple_of(3) {
            for i in (0..count).step_by(4) {
                let row = v.row(i / 2) * [1.0, -2.0, 0.0, 1e-9][i / 4 % 4];
                v.set_row(i, &row);
                w[(i, 0)] *= [1.0, 0.0, 1e6, 1e-6][i / 4 % 4];
            }
        }
        if seed.is_multiple_of(5) {
            v.column_mut(d - 1).scale_mut(1e-6);
        }
        Neurons::of(v, w)
    }

    /// A box around a point of the sphere, from wide to a sliver: the width of every side is its own.
    fn random_cell(d: usize, seed: u64) -> (Cell, Mat) {
        let mut u = gaussian(d, 1, seed + 1);
        u /= u.norm();
        let (below, above) = (gaussian(d, 1, seed + 2).abs(), gaussian(d, 1, seed + 3).abs());
        let width = |j: usize| match seed % 4 {
            0 => 10f64.powi(-((seed / 4 % 9) as i32)),
            1 => 10f64.powi(-((seed as usize / 4 + 3 * j) as i32 % 9)),
            2 => 2.0,
            _ => 0.3,
        };
        let low = (0..d).map(|j| (u[j] - below[j] * width(j)).max(-1.0)).collect();
        let high = (0..d).map(|j| (u[j] + above[j] * width(j)).min(1.0)).collect();
        (Cell { low, high }, u)
    }

    /// Points of the sphere in a box: the one it was made around, and steps from it, some along the gradient.
    fn best_inside(units: &Units, cell: &Cell, u: &Mat, seed: u64) -> f64 {
        let d = u.nrows();
        let inside = |x: &Mat| (0..d).all(|j| (cell.low[j]..=cell.high[j]).contains(&x[j]));
        let mut best = units.value(u.as_slice());
        let mut at = u.clone();
        for (k, step) in gaussian(d, 200, seed + 4).column_iter().enumerate() {
            let scale = 4.0 * 10f64.powi(-((k % 8) as i32));
            let mut x = &at + Mat::from_fn(d, 1, |j, _| step[j] * scale * (cell.high[j] - cell.low[j]));
            if k % 2 == 1 {
                x = Mat::from_fn(d, 1, |j, _| x[j].clamp(cell.low[j], cell.high[j]));
            }
            x /= x.norm();
            if inside(&x) && units.value(x.as_slice()) > best {
                best = units.value(x.as_slice());
                at = x;
            }
        }
        best
    }

    #[test]
    fn no_point_of_a_random_box_is_above_its_bound_however_few_iterations_are_made() {
        for seed in 0..3000 {
            let d = 2 + seed as usize % 9;
            let n = instance(seed, d);
            let units = units(&n, n.field.as_slice());
            let (cell, u) = random_cell(d, seed);
            assert!(cell.meets_sphere(), "seed {seed}");
            let sides = sides(&units, &cell);
            let best = best_inside(&units, &cell, &u, seed);
            // a limit that stops it at once, and one that never does
            for limit in [f64::INFINITY, f64::NEG_INFINITY] {
                let reached = interior::bound(&units, &cell, &sides, Goal { limit, share: 1e-3 });
                assert!(reached.upper >= best, "seed {seed}, d {d}: {:e} below {best:e}", reached.upper);
            }
        }
    }

    /// Multipliers drawn at random prove no less than the truth either, and the parabolas are where they should be.
    #[test]
    fn any_multipliers_prove_a_bound() {
        for seed in 0..600 {
            let d = 2 + seed as usize % 6;
            let n = instance(seed, d);
            let units = units(&n, n.field.as_slice());
            let (cell, u) = random_cell(d, seed);
            let sides = sides(&units, &cell);
            let draws = gaussian(sides.crossing.len() + d, 4, seed + 9).map(f64::abs);
            let parabolas = (sides.crossing.iter().enumerate())
                .map(|(i, c)| {
                    let (a, b) = (draws[(i, 0)], draws[(i, 1)]);
                    let p = if c.weight > 0.0 {
                        c.above(c.high * (a - 1.0), c.high.powi(2) * b).0
                    } else {
                        c.mixed_below([a / (1.0 + a + b), b / (1.0 + a + b)])
                    };
                    check_parabola(c, &p, seed);
                    p
                })
                .collect();
            let ranges = (0..sides.crossing.len()).map(|i| draws[(i, 2)]).collect();
            let box_sides = (0..d).map(|j| draws[(sides.crossing.len() + j, 3)]).collect();
            let quadratic = Quadratic::new(&units, &cell, &sides, &Multipliers { parabolas, ranges, box_sides });
            let upper = quadratic.upper(&quadratic.top().unwrap());
            let best = best_inside(&units, &cell, &u, seed);
            assert!(upper >= best, "seed {seed}, d {d}: {upper:e} below {best:e}");
        }
    }

    fn check_parabola(c: &Crossing, p: &Parabola, seed: u64) {
        for k in 0..=40 {
            let t = c.low + (c.high - c.low) * f64::from(k) / 40.0;
            let over = (p.mean(t, t * t) - t.max(0.0)) * c.weight.signum();
            assert!(over >= -1e-14 * p.size, "seed {seed}: {over:e} at {t:e} of {c:?}, {p:?}");
        }
    }

    /// Mutants: ranges that forget part of the box, parabolas through the wrong end, and eigenvalues taken at their word.
    #[test]
    fn wrong_ranges_are_caught() {
        let mut caught = 0;
        for seed in 0..300 {
            let d = 2 + seed as usize % 6;
            let n = instance(seed, d);
            let units = units(&n, n.field.as_slice());
            let (cell, u) = random_cell(d, seed);
            let mut sides = sides(&units, &cell);
            sides.crossing.iter_mut().for_each(|c| {
                c.high *= 0.5;
                c.low *= 0.5;
            });
            let reached = interior::bound(&units, &cell, &sides, Goal { limit: f64::NEG_INFINITY, share: 1e-3 });
            caught += usize::from(reached.upper < best_inside(&units, &cell, &u, seed));
        }
        assert!(caught > 20, "caught {caught} times");
    }

    #[test]
    fn ranges_hold_the_points_of_their_box() {
        for seed in 0..500 {
            let d = 2 + seed as usize % 9;
            let n = instance(seed, d);
            let units = units(&n, n.field.as_slice());
            let (cell, u) = random_cell(d, seed);
            for c in &sides(&units, &cell).crossing {
                let t = inner(units.row(c.row), u.as_slice());
                let room = 1e-15 * units.lengths[c.row];
                assert!((c.low - room..=c.high + room).contains(&t), "seed {seed}: {t:e} outside {c:?}");
            }
        }
    }

    #[test]
    fn the_search_brackets_the_maximum_and_closes() {
        for seed in 0..24 {
            let d = 3 + seed as usize % 4;
            let n = instance(seed, d);
            let aim = Aim { limit: 0.0, tolerance: 1e-3, work: 3e6, budget: &Default::default() };
            let found = search(&n, &[], &aim);
            let mut u = gaussian(d, 400, seed);
            super::super::neurons::normalise(&mut u);
            let lengths = n.lengths();
            let best = n.ascend(&mut u, 60).into_iter().fold(0.0, f64::max);
            let snapped =
                u.column_iter().map(|c| n.snap(&mut c.iter().copied().collect(), &lengths)).fold(best, f64::max);
            assert!(found.upper >= snapped, "seed {seed}: {} below {snapped}", found.upper);
            assert!(found.upper <= snapped * 1.05, "seed {seed}, d {d}: {found:?} against {snapped}");
        }
    }
}
