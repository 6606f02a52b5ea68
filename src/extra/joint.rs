//! Several free extras whose equalities A'Z = 0 no Z in floating point need meet: the least correction of all of them together.
//!
//! ```text
//! C = B (B'B)^-1 d,   d = B'z,    so that B'(z - C) = 0    and    ||C|| <= ||d|| / sigma_min(B)
//! ```
//!
//! B: the columns of every block, on the entries that may move, less those whose equality follows from the others. Blocks with
//! coefficients for every column overlap with blocks with coefficients for every row, exactly:
//!
//! ```text
//! sum_j T_jl (A_S)_(j,k) = sum_i S_ik (A_T)_(i,l)       (A_S)_(j,k): S_ik at each entry i of column j, (A_T)_(i,l): T_jl along row i
//! ```
//!
//! so as many columns j as T has columns are left out, on which T is regular; an intercept has S = 1. What one intercept for all asks
//! for follows from any other intercept. What then remains must be regular by a proof, or nothing is said.
//!
//! Of a block whose coefficients are >= 0 the signs A'z <= 0 are asked for: those that are as good as 0 as equalities, the others hold
//! after the correction too if they are below 0 by more than it can move them. None of them is left out.

use super::{Block, Penalty};
use crate::linalg::sum::{gamma, norm_upper};
use crate::linalg::{Mat, dense, proven};

/// Most equalities, as a dense proof of that order is made.
const LIMIT: usize = 2000;

/// How near to 0, relative to the sizes of z and of a column, A'z <= 0 is taken for an equality.
const ACTIVE: f64 = 4e-13;

/// Bounds of ||C||_F and of its largest entry, for blocks that are free or >= 0; `None` where there may be no such C.
pub fn correction(blocks: &[&Block], z: &[f64], free: &[bool]) -> Option<(f64, f64)> {
    if let [one] = blocks {
        return one.map.correction(z, one.penalty == Penalty::Nonnegative, free);
    }
    let (equal, signed): (Vec<&Block>, Vec<&Block>) = blocks.iter().partition(|b| b.penalty == Penalty::None);
    if signed.iter().any(|b| b.penalty != Penalty::Nonnegative) {
        return None;
    }
    // where blocks overlap the equalities of some may leave the signs of others no room: then those are equalities too
    let all = || joint(equal.iter().chain(&signed).copied().collect(), Vec::new(), z, free);
    if signed.is_empty() { all() } else { joint(equal.clone(), signed.clone(), z, free).or_else(all) }
}

/// The same for blocks with equalities, and with signs.
fn joint(free_blocks: Vec<&Block>, signed: Vec<&Block>, z: &[f64], free: &[bool]) -> Option<(f64, f64)> {
    let mut places = independent(&free_blocks)?;
    let mut count = places.iter().flatten().flatten().count();
    // what is below 0 by more than C can move it: its upper end, and the norm of its column
    let mut below = Vec::new();
    let size = norm_upper(z);
    let intercept = free_blocks.iter().any(|b| b.map.lines().is_some() && b.map.index().is_some());
    for b in &signed {
        if intercept && b.map.name() == "intercept" && b.map.lines().is_none() {
            // one for all, whose sum is 0 with those of the lines
            places.push(vec![None; b.len()]);
            continue;
        }
        let ones = vec![1.0; z.len()];
        let columns = b.map.curvature(&ones).into_iter().map(|c| c.sqrt() * (1.0 + 1e-6));
        let mut place = |((_, hi), column): ((f64, f64), f64)| {
            if hi < -ACTIVE * size * column {
                below.push((hi, column));
                return None;
            }
            count += 1;
            Some(count - 1)
        };
        places.push(b.map.adjoint_exact(z).into_iter().zip(columns).map(&mut place).collect());
    }
    let blocks: Vec<&Block> = free_blocks.into_iter().chain(signed).collect();
    if count > LIMIT {
        return None;
    }
    let rows: Vec<Vec<(usize, f64)>> = (0..z.len())
        .filter(|&e| free[e])
        .map(|e| {
            let terms = blocks.iter().zip(&places).flat_map(|(b, p)| {
                let kept = |(k, a): (usize, f64)| p[k].map(|at| (at, a));
                b.map.terms(e).into_iter().filter_map(kept)
            });
            terms.collect()
        })
        .collect();
    let mut squares = vec![0.0; count];
    rows.iter().flatten().for_each(|(k, a)| squares[*k] += a * a);
    if squares.iter().any(|s| !(f64::MIN_POSITIVE..f64::MAX).contains(s)) {
        return None;
    }
    // columns are brought to the size of 1 by powers of two, which changes C in nothing
    let scale: Vec<f64> = squares.iter().map(|s| 2f64.powi(-(s.sqrt().log2().round() as i32))).collect();
    let off = blocks.iter().zip(&places).flat_map(|(b, p)| b.map.adjoint_exact(z).into_iter().zip(p));
    // nothing but 0 becomes 0
    let scaled = |v: f64, at: usize| if v > 0.0 { (v * scale[at]).next_up() } else { 0.0 };
    let off: Vec<f64> = off.filter_map(|((lo, hi), p)| p.map(|at| scaled(lo.abs().max(hi.abs()), at))).collect();
    let size = norm_upper(&off);
    if size == 0.0 {
        return Some((0.0, 0.0));
    }
    let mut gram = Mat::zeros(count, count);
    for row in &rows {
        for (k, a) in row {
            row.iter().for_each(|(l, b)| gram[(*k, *l)] += (a * scale[*k]) * (b * scale[*l]));
        }
    }
    let smallest = smallest_eigenvalue(&gram, rows.len());
    let length = (size / smallest.sqrt().next_down()).next_up();
    let holds = below.iter().all(|(hi, column)| hi + length * column * (1.0 + 1e-6) < 0.0);
    (smallest > 0.0 && holds).then_some((length, length))
}

/// A lower bound of the smallest eigenvalue of B'B, given as computed from sums of at most `terms` products.
pub fn smallest_eigenvalue(gram: &Mat, terms: usize) -> f64 {
    let n = gram.nrows();
    let trace = gram.trace();
    let rounding = gamma(terms + 4) * trace * (1.0 + 1e-10);
    let top = proven::lambda_max_upper(gram).min(trace);
    let rest = proven::lambda_max_upper(&(Mat::identity(n, n) * top - gram));
    (top - rest - rounding - 4.0 * f64::EPSILON * (top + trace)).next_down()
}

/// The place of each coefficient of each block among those whose equalities imply the rest.
fn independent(blocks: &[&Block]) -> Option<Vec<Vec<Option<usize>>>> {
    let lines: Vec<_> = blocks.iter().map(|b| b.map.lines()).collect();
    let along = |axis: usize| lines.iter().flatten().filter(move |l| l.axis == axis);
    let intercept = blocks.iter().zip(&lines).any(|(b, l)| l.is_some() && b.map.index().is_some());
    let sides: Vec<&Mat> = along(1).map(|l| &l.side).collect();
    let left_out = if sides.is_empty() || along(0).next().is_none() { Vec::new() } else { regular_rows(&sides)? };
    let mut next = 0;
    let mut place = |keep: bool| {
        keep.then(|| {
            next += 1;
            next - 1
        })
    };
    let of = |(b, l): (&&Block, &Option<super::Lines>)| -> Vec<Option<usize>> {
        let implied = |k: usize| match l {
            // one intercept for all
            None => intercept,
            Some(l) => l.axis == 0 && left_out.contains(&(k / l.side.ncols())),
        };
        (0..b.len()).map(|k| place(!implied(k))).collect()
    };
    Some(blocks.iter().zip(&lines).map(of).collect())
}

/// As many rows as the joined matrices have columns, on which they are regular by a proof.
fn regular_rows(sides: &[&Mat]) -> Option<Vec<usize>> {
    let n = sides.first()?.nrows();
    let joined = Mat::from_columns(&sides.iter().flat_map(|s| s.column_iter()).collect::<Vec<_>>());
    let q = joined.ncols();
    let mut rest = joined.clone();
    let mut chosen = Vec::new();
    for _ in 0..q.min(n) {
        let size = |i: &usize| rest.row(*i).norm_squared();
        let best = (0..n).max_by(|a, b| size(a).total_cmp(&size(b)).then(b.cmp(a)))?;
        let direction = rest.row(best).into_owned();
        let square = direction.norm_squared();
        if square > 0.0 {
            let along = &rest * direction.transpose() / square;
            rest -= along * direction;
        }
        chosen.push(best);
    }
    let block = joined.select_rows(&chosen);
    let mut gram = dense::tr_mul(&block, &block);
    gram.fill_upper_triangle_with_lower_triangle();
    (chosen.len() == q && smallest_eigenvalue(&gram, q) > 0.0).then_some(chosen)
}

#[cfg(test)]
mod tests {
    use super::super::{Setup, kind};
    use super::*;
    use crate::data::Observations;
    use crate::linalg::Pattern;
    use crate::linalg::lanczos::gaussian;

    /// A block's kind, axis, and side matrix.
    type Named<'a> = (&'a str, Option<usize>, Option<&'a Mat>);

    /// Blocks on a 7 x 6 pattern.
    fn blocks(of: &[Named], at: &Observations) -> Vec<Block> {
        let one = |(name, axis, side): &Named| {
            let setup = Setup { observations: at, sizes: &[7, 6], axis: *axis, side: *side };
            Block { map: (kind(name).unwrap().build)(&setup), penalty: Penalty::None, profiled: false }
        };
        of.iter().map(one).collect()
    }

    fn pattern(seed: u64) -> Observations {
        let g = gaussian(7, 6, seed);
        let kept: Vec<(usize, usize)> =
            (0..7).flat_map(|i| (0..6).map(move |j| (i, j))).filter(|e| g[*e] > -1.4).collect();
        Observations::Coordinates(Pattern::new(7, 6, &kept).unwrap().0)
    }

    /// The columns of all blocks.
    fn columns(blocks: &[Block], n: usize) -> Mat {
        let of = |b: &Block| -> Vec<Vec<f64>> {
            let unit = |k: usize| {
                let (mut q, mut out) = (vec![0.0; b.len()], vec![0.0; n]);
                q[k] = 1.0;
                b.map.add(&q, &mut out);
                out
            };
            (0..b.len()).map(unit).collect()
        };
        let all: Vec<Vec<f64>> = blocks.iter().flat_map(of).collect();
        Mat::from_fn(n, all.len(), |i, j| all[j][i])
    }

    #[test]
    fn the_least_correction_of_every_equality_is_within_the_bound() {
        for seed in 0..20 {
            let at = pattern(seed);
            let (s, t) = (gaussian(7, 2, seed + 100), gaussian(6, 1, seed + 200));
            let sets: [&[Named]; 5] = [
                &[("covariates", Some(0), Some(&s)), ("intercept", Some(0), None)],
                &[("covariates", Some(0), Some(&s)), ("intercept", Some(1), None)],
                &[("covariates", Some(0), Some(&s)), ("covariates", Some(1), Some(&t))],
                &[("covariates", Some(0), Some(&s)), ("intercept", Some(0), None), ("intercept", Some(1), None)],
                &[("covariates", Some(1), Some(&t)), ("intercept", None, None), ("intercept", Some(1), None)],
            ];
            for (number, set) in sets.iter().enumerate() {
                let blocks = blocks(set, &at);
                let n = at.len();
                let all = columns(&blocks, n);
                let (u, values, _) = dense::thin_svd(&all).unwrap();
                let rank = values.iter().filter(|v| **v > 1e-10 * values[0]).count();
                // z off by little: a field that meets every equality, and some more
                let g = gaussian(n, 2, seed + 300);
                let range = u.columns(0, rank).into_owned();
                let part = |x: Mat| &range * (range.transpose() * x);
                let z = g.columns(0, 1).into_owned();
                let z = &z - part(z.clone()) + part(g.columns(1, 1).into_owned()) * 1e-6;
                let least = part(z.clone()).norm();
                let references: Vec<&Block> = blocks.iter().collect();
                let found = correction(&references, z.as_slice(), &vec![true; n]);
                let (total, largest) = found.unwrap_or_else(|| panic!("seed {seed}, set {number}: nothing is said"));
                assert!(total >= least * (1.0 - 1e-6), "seed {seed}, set {number}: {total} below {least}");
                assert!(total <= 100.0 * least && largest <= total, "seed {seed}, set {number}: {total} for {least}");
            }
        }
    }

    #[test]
    fn signs_beside_equalities_are_met_where_they_are_as_good_as_0_or_well_below() {
        for seed in 0..20 {
            let at = pattern(seed);
            let n = at.len();
            let s = gaussian(7, 2, seed + 100);
            let mut all = blocks(&[("intercept", Some(1), None), ("covariates", Some(0), Some(&s))], &at);
            all[1].penalty = Penalty::Nonnegative;
            let columns = columns(&all, n);
            // A'z = 0 for the intercepts and every other coefficient, -1e-3 for the rest
            let wanted = |k: usize| if k >= 6 && k % 2 == 1 { -1e-3 } else { 0.0 };
            let (u, values, v) = dense::thin_svd(&columns).unwrap();
            let target = v.transpose() * Mat::from_fn(columns.ncols(), 1, |k, _| wanted(k));
            let inverse =
                Mat::from_fn(
                    values.len(),
                    1,
                    |k, _| if values[k] > 1e-10 * values[0] { target[k] / values[k] } else { 0.0 },
                );
            let g = gaussian(n, 1, seed + 300);
            let rank = values.iter().filter(|v| **v > 1e-10 * values[0]).count();
            let range = u.columns(0, rank).into_owned();
            let z = &g - &range * (range.transpose() * &g) + &u * inverse;
            let references: Vec<&Block> = all.iter().collect();
            let (total, _) = correction(&references, z.as_slice(), &vec![true; n]).unwrap();
            assert!(total < 1e-12, "seed {seed}: {total}");
            // one that C may move above 0 is not passed over
            let off = &z + columns.column(0) * 1e-2;
            let said = correction(&references, off.as_slice(), &vec![true; n]);
            assert!(said.is_none_or(|c| c.0 >= 1e-3), "seed {seed}: {said:?}");
        }
    }

    #[test]
    fn rows_are_left_out_only_where_the_sides_are_regular_on_them() {
        let t = gaussian(6, 2, 3);
        let rows = regular_rows(&[&t]).unwrap();
        assert_eq!(rows.len(), 2);
        let twice = Mat::from_columns(&[t.column(0), t.column(0)]);
        assert_eq!(regular_rows(&[&twice]), None);
        assert_eq!(regular_rows(&[&t, &twice]), None);
        // more columns than rows
        assert_eq!(regular_rows(&[&t.transpose()]), None);
    }

    #[test]
    fn blocks_that_overlap_otherwise_or_are_confined_are_left_without_a_bound() {
        let at = pattern(1);
        let z = vec![1.0; at.len()];
        let free = vec![true; at.len()];
        // a constant column of the side matrix is an intercept of its own
        let constant = Mat::from_fn(7, 2, |i, k| if k == 0 { 3.0 } else { i as f64 });
        let twice = blocks(&[("covariates", Some(0), Some(&constant)), ("intercept", Some(1), None)], &at);
        assert_eq!(correction(&twice.iter().collect::<Vec<_>>(), &z, &free), None);
        let s = gaussian(7, 2, 5);
        let mut confined = blocks(&[("covariates", Some(0), Some(&s)), ("intercept", Some(1), None)], &at);
        assert!(correction(&confined.iter().collect::<Vec<_>>(), &z, &free).is_some());
        assert_eq!(correction(&confined.iter().collect::<Vec<_>>(), &z, &vec![false; z.len()]), None);
        confined[0].penalty = Penalty::L1(1.0);
        assert_eq!(correction(&confined.iter().collect::<Vec<_>>(), &z, &free), None);
    }
}
