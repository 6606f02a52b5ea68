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
mod open;
mod outputs;
mod proof;

use super::best_first::{Found, Queue};
use super::bound::Aim;
use super::cuts::{self, Growing, place};
use super::generators::DRIFT;
use super::neurons::Neurons;
use open::{Open, Parts, whole};
use outputs::Outputs;
use rayon::prelude::*;

/// Inputs at most: a relaxation has about half their square of unknowns.
pub const INPUTS: usize = 40;
/// Boxes that are split together: fixed, so that results do not depend on the number of threads.
const BATCH: usize = 8;
/// Bytes that boxes may take.
const MEMORY: usize = 1 << 30;

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
    let mut queue = Queue::default();
    let whole = whole(&outputs, found.enough(aim));
    let mut growing = Growing::rooted(whole.open.len(), aim.tree.is_some());
    let mut work = whole.work;
    let take = |part: Parts, found: &mut Found, queue: &mut Queue<Open>, growing: &mut Growing| {
        found.cells += part.seen.len();
        part.seen.iter().for_each(|u| see(n, u, found));
        for open in part.open {
            growing.hint(open.at, &open.proofs);
            queue.offer(open, found.enough(aim));
        }
    };
    let tree = aim.tree.and_then(|t| t.take());
    match &tree {
        None => take(whole, &mut found, &mut queue, &mut growing),
        Some(tree) => {
            work = tree.work();
            let stop = found.enough(aim);
            let cut = |open: &Open, cut, proofs: &[Vec<u8>]| open.recalled(proofs, &outputs).cut_again(cut);
            let again = |leaf| Open::bounded_again(leaf, &outputs, stop);
            let highest = whole.open.iter().map(|o| o.upper).fold(0.0, f64::max);
            let take = |part: Parts, growing: &mut Growing| take(part, &mut found, &mut queue, growing);
            if !cuts::regrow(tree, whole.open, &mut growing, cut, again, take, aim.budget) {
                aim.tree.map(|t| t.replace(Some(tree.clone())));
                found.upper = outputs.upper(highest, DRIFT);
                return found;
            }
        }
    }
    while let Some((batch, stop)) = queue.next(BATCH, &mut found, aim, work, MEMORY) {
        let parts: Vec<Parts> = batch.par_iter().map(|o| o.split(&outputs, stop)).collect();
        for (whole, mut part) in batch.iter().zip(parts) {
            work += part.work;
            let useful = part.open.iter().any(|o| o.owes(whole));
            let first = growing.cut(whole.at, part.cut.expect("it was cut"), part.open.len(), useful);
            part.open.iter_mut().enumerate().for_each(|(k, o)| o.at = place(first, k));
            take(part, &mut found, &mut queue, &mut growing);
        }
    }
    if let Some(tree) = aim.tree.filter(|_| found.upper > found.enough(aim)) {
        tree.replace(Some(growing.tree(outputs.inputs(), work)));
    }
    found.upper = outputs.upper(found.upper, DRIFT * (queue.depth() as f64 + 2.0));
    found
}

fn see(n: &Neurons, u: &[f64], found: &mut Found) {
    let length = u.iter().map(|x| x * x).sum::<f64>().sqrt();
    found.see(if length > 0.0 { n.value(u) / length } else { 0.0 }, u);
}

#[cfg(test)]
mod tests {
    use super::cell::{Cell, Crossing, Parabola, Units, inner, sides};
    use super::cuts::tests::{believed, best_found, gone_on};
    use super::interior::Goal;
    use super::proof::{Multipliers, Quadratic};
    use super::*;
    use crate::budget::Budget;
    use crate::linalg::Mat;
    use crate::linalg::lanczos::gaussian;
    use std::cell::RefCell;

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

    #[test]
    fn the_search_brackets_the_maximum_and_closes() {
        for seed in 0..24 {
            let d = 3 + seed as usize % 4;
            let n = instance(seed, d);
            let aim =
                Aim { limit: 0.0, tolerance: 1e-3, work: 3e6, budget: &Default::default(), seen: None, tree: None };
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
                let aim =
                    Aim { limit: 0.0, tolerance: 3e-3, work, budget: &Default::default(), seen: None, tree: None };
                let found = search(&n, &[], &aim);
                assert!(found.upper >= best, "seed {seed}, rank {rank}: {} below {best}", found.upper);
                let close = found.upper <= best * (1.0 + 6e-3);
                assert!(close || work < 1e7 || rank > 2, "seed {seed}, d {d}, rank {rank}: {found:?} against {best}");
            }
        }
    }

    /// Of one output and of several.
    #[test]
    fn a_search_that_was_stopped_goes_on_from_its_cuts() {
        let mut stopped = 0;
        for seed in 0..8 {
            let (d, q) = (5 + seed as usize % 3, 1 + seed as usize % 2);
            let n = Neurons::of(gaussian(40, d, seed + 70), gaussian(40, q, seed + 80));
            stopped += usize::from(gone_on(&n, seed, search, (3e4, 3.0)).is_some());
        }
        assert!(stopped > 4, "stopped {stopped} times");
    }

    #[test]
    fn no_tree_makes_a_bound_overstate() {
        for seed in 0..24 {
            let (d, q) = (3 + seed as usize % 3, 1 + seed as usize % 3);
            let n = Neurons::of(gaussian(20, d, seed + 70), gaussian(20, q, seed + 80));
            believed(&n, seed, search, 1e-3, (1e4, 1e5));
        }
    }

    /// The mutant: a box that was cut into one part instead of two.
    #[test]
    fn a_part_that_is_left_out_is_caught() {
        let mut caught = 0;
        for seed in 0..20 {
            let n = Neurons::of(gaussian(40, 5, seed + 70), gaussian(40, 1, seed + 80));
            let (held, budget) = (RefCell::new(None), Budget::unlimited());
            let aim = Aim { limit: 0.0, tolerance: 1e-4, work: 3e4, budget: &budget, seen: None, tree: Some(&held) };
            search(&n, &[], &aim);
            let Some(tree) = held.take() else { continue };
            let outputs = Outputs::new(&n);
            let roots = whole(&outputs, 0.0).open;
            let mut growing = Growing::rooted(roots.len(), true);
            let half = |open: &Open, cut, _: &[Vec<u8>]| Some(open.cut_again(cut)?.into_iter().take(1).collect());
            let bound = |leaf| Open::bounded_again(leaf, &outputs, 0.0);
            let mut upper: f64 = 0.0;
            let take = |part: Parts, _: &mut Growing| upper = part.open.iter().map(|o| o.upper).fold(upper, f64::max);
            cuts::regrow(&tree, roots, &mut growing, half, bound, take, &budget);
            caught += usize::from(upper < best_found(&n, seed));
        }
        assert!(caught > 3, "caught {caught} times");
    }

    /// The mutant: cones of outputs bounded by the largest of their values, each of which is right.
    #[test]
    fn the_largest_value_of_a_cone_is_no_bound() {
        let caught = (0..12u64)
            .filter(|&seed| {
                let n = Neurons::of(gaussian(25, 3, seed), gaussian(25, 2, seed + 1));
                let aim =
                    Aim { limit: 0.0, tolerance: 1e-2, work: 1e7, budget: &Default::default(), seen: None, tree: None };
                let output = |o: usize| Neurons::of(n.inputs.clone(), n.field.columns(o, 1).into_owned());
                let largest = (0..2).map(|o| search(&output(o), &[], &aim).upper).fold(0.0, f64::max);
                largest < best_found(&n, seed)
            })
            .count();
        assert!(caught > 3, "caught {caught} times");
    }
}
