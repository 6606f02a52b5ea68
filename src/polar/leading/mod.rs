//! One factor in an orthant, the other free, both with l2 norms: branch and bound over the leading singular directions alone.
//!
//! ```text
//! Omega°(Z) = max of ||(Z v)_+|| over ||v|| = 1,   u = (Z v)_+        y = R'v with the right singular vectors R,   A = Z R
//! Omega°(Z) <= T    where    g(y) = T^2 ||y||^2 - ||(A y)_+||^2 >= 0    for all y
//! ```
//!
//! The Hessian of g is T^2 I less the Gram matrix of the rows with a_i'y > 0, twice: g is convex in the coordinates q of y with
//! sigma_j < T, whatever the others are. So only p, those of the few singular values above T, is branched on, over simplicial cones
//! of R^k, and q is left to a convex program, `program`. Around a maximum g is convex in p too, so that cells need not shrink to
//! nothing there. How a cell is bounded, and which rows change sign on it: `cell`.

mod cell;
mod program;

use super::best_first::{Found, Queue};
use super::bound::Aim;
use crate::budget::Budget;
use crate::linalg::proven::positive_definite;
use crate::linalg::sum::{UNIT_ROUNDOFF, gamma, norm_upper};
use crate::linalg::vector::unit_scale;
use crate::linalg::{Mat, dense};
use cell::Cell;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Cells that are bounded together: fixed, so that results do not depend on the number of threads.
const BATCH: usize = 64;
/// Bytes that cells may take.
const MEMORY: usize = 1 << 30;
/// Flops that count as a unit of work.
pub const UNIT: f64 = 32.0;
/// What the small matrices of a cell cost.
const SMALL: f64 = 3e4;
/// Most directions that are branched on: every one more takes some five times as many cells.
const DIRECTIONS: usize = 8;
/// After this share of the work it is asked how much is left, for about as much again: so many times what may be done is hopeless.
const FIRST: f64 = 0.03;
const HOPELESS: f64 = 16.0;
/// Dives that say so, at least and at most; how deep they go, on average and at most.
const DIVES: [f64; 2] = [8.0, 256.0];
const DEEP: [f64; 2] = [10.0, 40.0];
/// Directions are branched on from this share of T^2 on: below, g is convex enough.
const SHARE: f64 = 0.97;

/// The function on the sphere, in coordinates in which A'A is diagonal but for rounding.
pub struct Form {
    /// A, row by row.
    a: Vec<f64>,
    /// Coordinates.
    r: usize,
    /// R.
    basis: Mat,
    /// The singular values as computed, descending.
    sigma: Vec<f64>,
    /// ||A||_F^2, no less.
    size: f64,
    /// Z was scaled by this power of two.
    unit: f64,
    /// ||R||_2, no less.
    stretch: f64,
    /// ||Z - A R'||_F, no less.
    rest: f64,
}

impl Form {
    /// For a matrix whose rows belong to the factor in the orthant, which is the positive one. `None` if its decomposition failed.
    pub fn new(mut z: Mat) -> Option<Self> {
        let unit = unit_scale(z.as_slice());
        z *= unit;
        let (u, sigma, basis) = dense::thin_svd(&z)?;
        let r = sigma.len();
        let a = Mat::from_fn(z.nrows(), r, |i, j| u[(i, j)] * sigma[j]);
        if a.iter().chain(basis.iter()).any(|x| !x.is_finite()) {
            return None;
        }
        let (size_a, size_r) = (norm_upper(a.as_slice()), norm_upper(basis.as_slice()));
        let error = gamma(r + 4) * size_a * size_r + (z.len() * (r + 1)) as f64 * f64::MIN_POSITIVE;
        let rest =
            (norm_upper((&z - dense::mul_tr(&a, &basis)).as_slice()) * (1.0 + gamma(4)) + error) * (1.0 + gamma(4));
        let off = norm_upper((dense::tr_mul(&basis, &basis) - Mat::identity(r, r)).as_slice());
        let off = off * (1.0 + gamma(4)) + gamma(z.ncols() + 4) * size_r * size_r;
        let (stretch, size) = ((1.0 + off).sqrt().next_up(), (size_a * size_a).next_up());
        Some(Self { a: dense::transpose(&a).data.into(), r, basis, sigma, size, unit, stretch, rest })
    }

    fn rows(&self) -> usize {
        self.a.len() / self.r.max(1)
    }

    fn row(&self, i: u32) -> &[f64] {
        &self.a[i as usize * self.r..(i as usize + 1) * self.r]
    }

    /// ||(A y)_+|| / ||y||, as computed.
    fn value(&self, y: &[f64]) -> f64 {
        let part = |a: &[f64]| dot(a, y).max(0.0);
        (self.a.chunks_exact(self.r).map(|a| part(a) * part(a)).sum::<f64>() / dot(y, y)).sqrt()
    }

    /// What a bound of ||(A y)_+|| on the unit sphere says of Omega°(Z): (Z v)_+ <= (A R'v)_+ + |(Z - A R') v|.
    fn found_in_units(&self, found: Found) -> Found {
        let upper = (((found.upper * self.stretch).next_up() + self.rest).next_up() / self.unit).next_up();
        Found { upper, lower: found.lower / self.unit, ..found }
    }

    /// What is to be proven of ||(A y)_+|| for a bound of Omega°(Z).
    fn scaled(&self, limit: f64) -> f64 {
        (limit * self.unit - self.rest) / self.stretch * (1.0 - 8.0 * UNIT_ROUNDOFF)
    }

    /// v for a direction y.
    pub fn direction(&self, y: &[f64]) -> Vec<f64> {
        (&self.basis * Mat::from_column_slice(self.r, 1, y)).data.into()
    }

    /// Flops of bounding a cell, or what takes as long.
    fn flops(&self) -> f64 {
        3.0 * self.rows() as f64 * (self.r as f64).powi(2) + 20.0 * (self.r as f64).powi(3) + SMALL
    }

    /// Singular values that are branched on for T^2 = `t`.
    fn leading(&self, t: f64) -> usize {
        self.sigma.iter().filter(|s| **s * **s > SHARE * t).count().max(1)
    }

    /// R_q: where g(p, q) < 0 and ||p|| <= 1, ||q|| is no larger; for this T or any above. `None` if it is not proven.
    ///
    /// ```text
    /// A'A <= diag(t + beta on p, t - mu on q)    makes    0 > g >= t ||y||^2 - ||A y||^2 >= mu ||q||^2 - beta ||p||^2
    /// ```
    fn reach(&self, k: usize, t: f64) -> Option<f64> {
        let r = self.r;
        if k >= r {
            return Some(0.0);
        }
        let error = gamma(self.rows() + 8) * (self.size + t * r as f64);
        let mu = 0.999 * (t - self.sigma[k] * self.sigma[k]);
        let beta = (self.sigma[0] * self.sigma[0] - t).max(0.0) + 1e-3 * mu;
        let all: Vec<u32> = (0..self.rows() as u32).collect();
        let gram = self.gram(&all);
        let entry = |i: usize, j: usize| {
            let shift = if i < k { t + beta } else { t - mu };
            if i == j { shift - gram[(i, j)] } else { -gram[(i, j)] }
        };
        let proven = mu > 0.0 && positive_definite(&mut vec![0.0; r * r], r, error, entry);
        proven.then(|| (beta / mu).sqrt() * (1.0 + gamma(8)))
    }

    /// sum of a_i a_i' over these rows.
    fn gram(&self, rows: &[u32]) -> Mat {
        let r = self.r;
        let mut out = vec![0.0; r * r];
        for &i in rows {
            let a = self.row(i);
            for (j, column) in out.chunks_exact_mut(r).enumerate() {
                column[j..].iter_mut().zip(&a[j..]).for_each(|(x, y)| *x += a[j] * y);
            }
        }
        let mut out = Mat::from_vec(r, r, out);
        out.fill_upper_triangle_with_lower_triangle();
        out
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// T^2, no more, and not so much less that a cell proven for it is not for T.
fn squared(stop: f64) -> f64 {
    stop * stop * (1.0 - 16.0 * UNIT_ROUNDOFF)
}

/// A bound of Omega°(Z) from a value that is attained, the largest value seen and, if that is another, its direction y.
pub fn search(form: &Form, attained: f64, aim: &Aim) -> Found {
    let mut found = Found { lower: form.scaled(attained).max(0.0), ..Found::nothing(form.r) };
    for x in 0..2 * form.r {
        let mut y = vec![0.0; form.r];
        y[x / 2] = if x % 2 == 0 { 1.0 } else { -1.0 };
        found.see(form.value(&y), &y);
    }
    let aim = &Aim { limit: form.scaled(aim.limit), ..*aim };
    let t = squared(found.enough(aim));
    let k = form.leading(t);
    let Some(reach) = (t > 0.0 && k <= DIRECTIONS.min(form.r)).then(|| form.reach(k, t)).flatten() else {
        found.upper = form.size.sqrt().next_up();
        return form.found_in_units(found);
    };
    let mut queue = Queue::default();
    queue.open(cell::roots(form, k));
    let (mut work, mut asked) = (0.0, false);
    while let Some((batch, stop)) = queue.next(BATCH, &mut found, aim, work, MEMORY) {
        let level = cell::Level { t: squared(stop), reach };
        if !asked && work >= FIRST * aim.work {
            asked = true;
            let cell = form.flops() / UNIT;
            let dives = (work / (DEEP[0] * cell)).clamp(DIVES[0], DIVES[1]) as usize;
            let left = cells_left(form, &batch, &queue, &level, stop, (dives, aim.budget)) * cell;
            if left > HOPELESS * (aim.work - work) {
                break;
            }
        }
        let tried: Vec<_> = batch.into_par_iter().map(|c| c.treated(form, &level, stop, aim.budget)).collect();
        for cell::Treated { cell, parts, seen, rounds } in tried {
            found.cells += 1;
            found.see(seen.0, &seen.1);
            work += rounds as f64 * form.flops() / UNIT;
            if parts.is_empty() && cell.upper > stop && found.enough(aim) > stop {
                // it cannot be split, and more was attained on it than what it was to be below
                queue.offer(cell, stop);
            } else if parts.is_empty() {
                queue.settle(cell.upper);
            }
            parts.into_iter().for_each(|c: Cell| queue.offer(c, stop));
        }
    }
    form.found_in_units(found)
}

/// About how many cells are still to be bounded: by dives from the open ones, each to either half with the same probability, which
/// count a cell as often as it is likely to be missed (Knuth 1975). Fewer once the budget is exhausted.
fn cells_left(
    form: &Form,
    batch: &[Cell],
    queue: &Queue<Cell>,
    level: &cell::Level,
    stop: f64,
    (dives, budget): (usize, &Budget),
) -> f64 {
    let open: Vec<&Cell> = batch.iter().chain(queue.iter()).collect();
    let dive = |d: usize| {
        let mut cell = open[d * open.len() / dives].clone();
        let mut coins = ChaCha8Rng::seed_from_u64(d as u64);
        let (mut weight, mut total) = (1.0, 0.0);
        for _ in 0..DEEP[1] as usize {
            total += weight;
            let mut parts = cell.treated(form, level, stop, budget).parts;
            if parts.is_empty() {
                break;
            }
            cell = parts.swap_remove(usize::from(coins.random::<bool>()));
            weight *= 2.0;
        }
        total
    };
    let totals: Vec<f64> = (0..dives).into_par_iter().map(dive).collect();
    open.len() as f64 * totals.iter().sum::<f64>() / dives as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::lanczos::gaussian;

    /// ||(Z v)_+|| for many v, each improved by steps of the power method on its piece.
    fn brute_force(z: &Mat, seed: u64) -> f64 {
        let starts = gaussian(z.ncols(), 300, seed + 1000);
        let climb = |v: &[f64]| {
            let mut v = Mat::from_column_slice(v.len(), 1, v);
            let mut best: f64 = 0.0;
            for _ in 0..200 {
                v /= v.norm().max(f64::MIN_POSITIVE);
                let u = (z * &v).map(|x| x.max(0.0));
                best = best.max(u.norm());
                v = z.tr_mul(&u);
            }
            best
        };
        starts.column_iter().map(|v| climb(v.as_slice())).fold(0.0, f64::max)
    }

    fn aim(limit: f64, tolerance: f64, budget: &Budget) -> Aim<'_> {
        Aim { limit, tolerance, work: 3e7, budget, seen: None, tree: None }
    }

    /// Random matrices, those of few leading directions among them, and what is left of them at an optimum: several maxima.
    fn instance(seed: u64) -> Mat {
        let (m, n) = (1 + seed as usize % 11, 1 + (seed as usize / 3) % 5);
        let z = gaussian(m, n, seed);
        match seed % 3 {
            0 => z,
            1 => dense::mul(&gaussian(m, 2, seed + 1), &gaussian(2, n, seed + 2)) + z * 0.2,
            _ => dense::clip_singular_values(&z, 0.7 * z.norm() / (m.min(n) as f64).sqrt()).unwrap(),
        }
    }

    #[test]
    fn the_search_brackets_the_maximum_and_closes() {
        let budget = Budget::unlimited();
        for seed in 0..90 {
            let z = instance(seed);
            let best = brute_force(&z, seed);
            let found = search(&Form::new(z.clone()).unwrap(), 0.0, &aim(0.0, 1e-5, &budget));
            assert!(found.upper >= best * (1.0 - 1e-14), "seed {seed}: {} below {best}", found.upper);
            assert!(found.upper <= best * (1.0 + 2e-5) + 1e-300, "seed {seed}: {} far above {best}", found.upper);
            let v = Form::new(z.clone()).unwrap().direction(&found.direction);
            let value = (&z * Mat::from_column_slice(v.len(), 1, &v)).map(|x| x.max(0.0)).norm();
            let size = v.iter().map(|v| v * v).sum::<f64>().sqrt();
            assert!((value - found.lower * size).abs() <= 1e-12 * value, "seed {seed}: not attained");
        }
    }

    #[test]
    fn a_goal_below_the_maximum_is_never_met_and_one_above_it_is() {
        let budget = Budget::unlimited();
        for seed in 0..40 {
            let z = instance(seed);
            let (form, best) = (Form::new(z.clone()).unwrap(), brute_force(&z, seed));
            for share in [0.3, 0.9, 1.0 - 1e-9, 1.0 + 1e-4, 1.3] {
                let upper = search(&form, best, &aim(share * best, 1e-3, &budget)).upper;
                assert!(upper >= best * (1.0 - 1e-14), "seed {seed}, {share}: {upper} below {best}");
                assert!(upper <= best * share.max(1.0 + 1e-3) * (1.0 + 1e-12), "seed {seed}, {share}: {upper}, {best}");
            }
        }
    }

    #[test]
    fn bounds_scale_with_the_matrix() {
        let budget = Budget::unlimited();
        for seed in 0..6 {
            let z = gaussian(9, 4, seed);
            let upper = |z: Mat| search(&Form::new(z).unwrap(), 0.0, &aim(0.0, 1e-6, &budget)).upper;
            let one = upper(z.clone());
            for power in [-900, -300, 300, 900] {
                let scale = 2f64.powi(power);
                let scaled = upper(&z * scale) / scale;
                assert!((scaled - one).abs() <= 1e-12 * one, "{scaled} {one}");
            }
        }
    }

    #[test]
    fn too_many_directions_and_nothing_to_search_are_seen_at_once() {
        let budget = Budget::unlimited();
        let many = Form::new(dense::clip_singular_values(&gaussian(40, 20, 1), 0.1).unwrap()).unwrap();
        let found = search(&many, 0.0, &aim(0.1, 1e-3, &budget));
        assert!(found.cells == 0 && found.upper >= many.sigma[0] / many.unit);
        let nothing = search(&Form::new(Mat::zeros(3, 2)).unwrap(), 0.0, &aim(1.0, 1e-3, &budget));
        assert!((0.0..1e-100).contains(&nothing.upper), "{}", nothing.upper);
    }

    #[test]
    fn what_is_hopeless_is_given_up_early_and_still_bounded() {
        let budget = Budget::unlimited();
        let z = dense::clip_singular_values(&gaussian(60, 8, 3), 0.1).unwrap();
        let (form, best) = (Form::new(z.clone()).unwrap(), brute_force(&z, 3));
        let found = search(&form, best, &Aim { work: 1e8, ..aim(0.0, 1e-6, &budget) });
        assert!(found.upper > 1.01 * best, "{} is close to {best}", found.upper);
        let all = 1e8 / (form.flops() / UNIT);
        assert!((found.cells as f64) < 0.1 * all, "{} cells of {all}", found.cells);
        // with what it takes it is closed
        let z = gaussian(60, 3, 3);
        let (form, best) = (Form::new(z.clone()).unwrap(), brute_force(&z, 3));
        let found = search(&form, best, &Aim { work: 1e8, ..aim(0.0, 1e-6, &budget) });
        assert!(found.upper <= 1.00001 * best, "{} is not close to {best}", found.upper);
    }

    #[test]
    fn less_work_leaves_a_looser_bound_that_holds() {
        let budget = Budget::unlimited();
        for seed in 0..10 {
            let z = gaussian(12, 5, seed);
            let best = brute_force(&z, seed);
            let form = Form::new(z).unwrap();
            let mut last = f64::INFINITY;
            for work in [0.0, 1e5, 1e6, 1e7] {
                let upper = search(&form, 0.0, &Aim { work, ..aim(0.0, 1e-6, &budget) }).upper;
                assert!(upper >= best * (1.0 - 1e-14) && upper <= last, "seed {seed}: {upper} after {last}, {best}");
                last = upper;
            }
        }
    }
}
