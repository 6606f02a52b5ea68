//! Networks on many inputs: branch and bound over boxes of directions, each bounded by its moments.
//!
//! ```text
//! f(u) = max over ||b|| = 1 of h(b, u),    h(b, u) = sum_i (w_i'b) (v_i'u)_+,    ||u|| = 1,  u in principal axes of V
//! on a box of u and a cone of b = sum_j a_j g_j:    max_u h(b, u) <= sum_j a_j H_j,   H_j >= h(g_j, u) on the box
//! ```
//!
//! since the maximum over u is convex in b: [`super::generators`] bounds it. One output has the cones b > 0 and b < 0.
//! H_j comes from what the box knows of each v_i'u, `cell`; parabolas above and below the units there turn the sum
//! into a quadratic, whose maximum on the sphere is one of eigenvalues, `proof`; the best parabolas and multipliers
//! come from a semidefinite relaxation, `interior`. Cones are halved while that is what the bound loses most by,
//! boxes where crossing rows cost most.

mod cell;
mod interior;
mod outputs;
mod proof;

use super::best_first::{self, Found, Queue};
use super::bound::Aim;
use super::generators::{DRIFT, Span, between, orthant};
use super::neurons::Neurons;
use cell::{Cell, Sides, Units, sides};
use interior::{Goal, Reached};
use outputs::Outputs;
use rayon::prelude::*;

/// Inputs at most: a relaxation has about half their square of unknowns.
pub const INPUTS: usize = 40;
/// Boxes that are split together: fixed, so that results do not depend on the number of threads.
const BATCH: usize = 8;
/// A box is bounded to this share of its distance to the limit.
const SHARE: f64 = 0.05;
/// Bytes that boxes may take.
const MEMORY: usize = 1 << 30;

/// A box of directions of the inputs with a cone of directions of the outputs.
struct Open {
    upper: f64,
    cell: Cell,
    cone: Vec<f64>,
    /// H_j.
    values: Vec<f64>,
    /// How often the cone was halved.
    depth: usize,
    /// Where the box is to be split: side and place.
    split: (usize, f64),
}

impl best_first::Cell for Open {
    fn upper(&self) -> f64 {
        self.upper
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + size_of::<f64>() * (2 * self.cell.low.len() + self.cone.len() + self.values.len())
    }
}

/// Whether the outputs are few enough, or depend on as few.
pub fn applies(n: &Neurons) -> bool {
    n.rank() <= INPUTS && outputs::rank(n) <= outputs::LIMIT
}

/// A bound of f on the unit ball; the work counted is of multiplications, some hundreds to the unit. `known` are
/// directions worth trying.
pub fn search(n: &Neurons, known: &[Vec<f64>], aim: &Aim) -> Found {
    let mut found = Found::nothing(n.rank());
    for u in known {
        see(n, u, &mut found);
    }
    let outputs = Outputs::new(n);
    let aim = &Aim { limit: (aim.limit - outputs.lost) / outputs.stretch, ..*aim };
    let mut work = 0.0;
    let mut queue = Queue::default();
    let mut parts = vec![whole(&outputs, found.enough(aim))];
    loop {
        for part in parts {
            found.cells += part.seen.len();
            work += part.work;
            part.seen.iter().for_each(|u| see(n, u, &mut found));
            part.open.into_iter().for_each(|open| queue.offer(open, found.enough(aim)));
        }
        let Some((batch, stop)) = queue.next(BATCH, &mut found, aim, work, MEMORY) else {
            found.upper = outputs.upper(found.upper, DRIFT * (queue.depth() as f64 + 2.0));
            return found;
        };
        parts = batch.into_par_iter().map(|o| o.split(&outputs, stop)).collect();
    }
}

fn see(n: &Neurons, u: &[f64], found: &mut Found) {
    let length = u.iter().map(|x| x * x).sum::<f64>().sqrt();
    found.see(if length > 0.0 { n.value(u) / length } else { 0.0 }, u);
}

/// What became of a box and cone.
#[derive(Default)]
struct Parts {
    open: Vec<Open>,
    /// Directions worth trying, one for every relaxation solved.
    seen: Vec<Vec<f64>>,
    work: f64,
}

/// Every orthant of the outputs with the whole sphere.
fn whole(outputs: &Outputs, stop: f64) -> Parts {
    let r = outputs.rank();
    let limit = stop / (r as f64).sqrt();
    let axis = |k: usize| (0..r).map(|j| if j != k / 2 { 0.0 } else { 1.0 - 2.0 * (k % 2) as f64 }).collect::<Vec<_>>();
    let cell = Cell::whole(outputs.inputs());
    let bounded: Vec<Value> =
        (0..2 * r).into_par_iter().map(|k| value(&outputs.units(&axis(k)), &cell, limit)).collect();
    let open = (0..1usize << r).map(|signs| {
        let at: Vec<&Value> = (0..r).map(|j| &bounded[2 * j + (signs >> j & 1)]).collect();
        let highest = at.iter().max_by(|a, b| a.upper.total_cmp(&b.upper)).expect("r >= 1");
        let values = at.iter().map(|v| v.upper).collect();
        let (cell, cone) = (cell.clone(), orthant(r, signs));
        Open { upper: f64::INFINITY, cell, cone, values, depth: 0, split: highest.split }.bounded()
    });
    let work = bounded.iter().map(|v| v.work).sum();
    Parts { open: open.collect(), work, seen: bounded.iter().map(|v| v.at.clone()).collect() }
}

impl Open {
    /// With its bound, which never rises.
    fn bounded(mut self) -> Self {
        let upper = Span::new(&self.cone, self.values.len()).bound(&self.values, 0.0).upper;
        self.upper = self.upper.min(upper);
        self
    }

    fn highest(&self) -> f64 {
        self.values.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b))
    }

    fn split(self, outputs: &Outputs, stop: f64) -> Parts {
        let (by_cone, by_box) = (self.upper - self.highest(), self.highest() - stop);
        if self.values.len() > 1 && by_cone > by_box.max(0.0) {
            self.halve(outputs, stop)
        } else {
            self.cut(outputs, stop)
        }
    }

    /// The parts of the cone on either side of the middle of its longest edge.
    fn halve(self, outputs: &Outputs, stop: f64) -> Parts {
        let r = self.values.len();
        let length = |&(j, k): &(usize, usize)| {
            (0..r).map(|x| (self.cone[j * r + x] - self.cone[k * r + x]).powi(2)).sum::<f64>()
        };
        let edges = (0..r).flat_map(|k| (0..k).map(move |j| (j, k)));
        let (j, k) = edges.max_by(|a, b| length(a).total_cmp(&length(b))).unwrap_or((0, 0));
        let middle = between(&self.cone, r, (j, k, 0.5));
        let replaced = |gone: usize| {
            let mut cone = self.cone.clone();
            cone[gone * r..(gone + 1) * r].copy_from_slice(&middle);
            cone
        };
        let limit = stop * tightness(&replaced(j)).min(tightness(&replaced(k)));
        let new = value(&outputs.units(&middle), &self.cell, limit);
        let upper = new.upper;
        let open = [j, k].map(|gone| {
            let mut values = self.values.clone();
            values[gone] = upper;
            let highest = self.values.iter().enumerate().all(|(x, v)| x == gone || *v <= upper);
            Open {
                upper: self.upper,
                cell: self.cell.clone(),
                cone: replaced(gone),
                values,
                depth: self.depth + 1,
                split: if highest { new.split } else { self.split },
            }
            .bounded()
        });
        Parts { open: open.into(), seen: vec![new.at], work: new.work }
    }

    /// The parts of the box.
    fn cut(self, outputs: &Outputs, stop: f64) -> Parts {
        let r = self.values.len();
        let limit = stop * tightness(&self.cone);
        let units: Vec<Units> = self.cone.chunks(r).map(|g| outputs.units(g)).collect();
        let mut parts = Parts::default();
        for cell in self.cell.split(self.split.0, self.split.1).into_iter().filter(Cell::meets_sphere) {
            let mut open = Open {
                upper: self.upper,
                cone: self.cone.clone(),
                values: Vec::new(),
                depth: self.depth,
                split: self.split,
                cell,
            };
            let mut highest = f64::NEG_INFINITY;
            for (units, parent) in units.iter().zip(&self.values) {
                let new = value(units, &open.cell, limit);
                if new.upper > highest {
                    (highest, open.split) = (new.upper, new.split);
                }
                open.values.push(new.upper.min(*parent));
                parts.seen.push(new.at);
                parts.work += new.work;
            }
            parts.open.push(open.bounded());
        }
        parts
    }
}

/// One over the bound of a cone with all values 1.
fn tightness(cone: &[f64]) -> f64 {
    let r = cone.len().isqrt();
    1.0 / Span::new(cone, r).bound(&vec![1.0; r], 0.0).upper
}

/// A box, bounded for one direction of the outputs.
struct Value {
    upper: f64,
    at: Vec<f64>,
    split: (usize, f64),
    work: f64,
}

fn value(units: &Units, cell: &Cell, limit: f64) -> Value {
    let sides = sides(units, cell);
    let reached = interior::bound(units, cell, &sides, Goal { limit, share: SHARE });
    let split = split(units, cell, &sides, &reached);
    let unknowns = (units.d * (units.d + 3) / 2) as f64;
    let cost = (reached.iterations + 1) as f64 * (sides.crossing.len() as f64 + unknowns / 3.0) * unknowns * unknowns;
    Value { upper: reached.upper.min(units.most()), at: reached.at, split, work: cost / 500.0 }
}

/// The side along which crossing rows lose most, at the mean clipped to the middle half.
fn split(units: &Units, cell: &Cell, sides: &Sides, reached: &Reached) -> (usize, f64) {
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
            let units = Outputs::new(&n).units(&[1.0]);
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
            let units = Outputs::new(&n).units(&[1.0]);
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

    /// The mutant: ranges that forget part of the box.
    #[test]
    fn wrong_ranges_are_caught() {
        let mut caught = 0;
        for seed in 0..300 {
            let d = 2 + seed as usize % 6;
            let n = instance(seed, d);
            let units = Outputs::new(&n).units(&[1.0]);
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
            let units = Outputs::new(&n).units(&[1.0]);
            let (cell, u) = random_cell(d, seed);
            for c in &sides(&units, &cell).crossing {
                let t = inner(units.row(c.row), u.as_slice());
                let room = 1e-15 * units.lengths[c.row];
                assert!((c.low - room..=c.high + room).contains(&t), "seed {seed}: {t:e} outside {c:?}");
            }
        }
    }

    /// f of a network whose outputs may depend on each other, from many starts.
    fn best_found(n: &Neurons, seed: u64) -> f64 {
        let mut u = gaussian(n.rank(), 400, seed);
        super::super::neurons::normalise(&mut u);
        let lengths = n.lengths();
        let best = n.ascend(&mut u, 0..60, || false).into_iter().fold(0.0, f64::max);
        u.column_iter().map(|c| n.snap(&mut c.iter().copied().collect(), &lengths)).fold(best, f64::max)
    }

    #[test]
    fn the_search_brackets_the_maximum_and_closes() {
        for seed in 0..24 {
            let d = 3 + seed as usize % 4;
            let n = instance(seed, d);
            let aim = Aim { limit: 0.0, tolerance: 1e-3, work: 3e6, budget: &Default::default(), seen: None };
            let (found, best) = (search(&n, &[], &aim), best_found(&n, seed));
            assert!(found.upper >= best, "seed {seed}: {} below {best}", found.upper);
            assert!(found.upper <= best * 1.05, "seed {seed}, d {d}: {found:?} against {best}");
        }
    }

    /// Three outputs of rank 1, 2 or 3; at any work a bound, with enough of it a tight one.
    #[test]
    fn several_outputs_are_bounded_along_cones_of_their_directions() {
        for seed in 0..18 {
            let (d, rank) = (3 + seed as usize % 3, 1 + (seed as usize / 3) % 3);
            let field = gaussian(25, rank, seed + 50) * gaussian(rank, 3, seed + 60);
            let n = Neurons::of(gaussian(25, d, seed + 70), field);
            let best = best_found(&n, seed);
            for work in [0.0, 1e4, 1e5, 1e7] {
                let aim = Aim { limit: 0.0, tolerance: 3e-3, work, budget: &Default::default(), seen: None };
                let found = search(&n, &[], &aim);
                assert!(found.upper >= best, "seed {seed}, rank {rank}: {} below {best}", found.upper);
                let close = found.upper <= best * (1.0 + 6e-3);
                assert!(close || work < 1e7 || rank > 2, "seed {seed}, d {d}, rank {rank}: {found:?} against {best}");
            }
        }
    }

    /// The mutant: cones of outputs bounded by the largest of their values, each of which is right.
    #[test]
    fn the_largest_value_of_a_cone_is_no_bound() {
        let caught = (0..12u64)
            .filter(|&seed| {
                let n = Neurons::of(gaussian(25, 3, seed), gaussian(25, 2, seed + 1));
                let aim = Aim { limit: 0.0, tolerance: 1e-2, work: 1e7, budget: &Default::default(), seen: None };
                let output = |o: usize| Neurons::of(n.inputs.clone(), n.field.columns(o, 1).into_owned());
                let largest = (0..2).map(|o| search(&output(o), &[], &aim).upper).fold(0.0, f64::max);
                largest < best_found(&n, seed)
            })
            .count();
        assert!(caught > 3, "caught {caught} times");
    }
}
