//! A cell: a simplicial cone of directions p, and the rows that are known to be positive, negative or neither on it.
//!
//! ```text
//! p = sum_j c_j p_j, c >= 0;   by homogeneity sum_j c_j = 1.   The generators lie in one orthant and have ||p_j||_1 = 1, exactly
//! N = t I - sum over active and crossing rows of a_i a_i' + E on p  >= 0,    E >= 0
//! h(y) = t ||y||^2 - sum_active (a_i'y)^2 - sum_crossing (a_i'y)_+^2 + p'E p       is convex, and homogeneous: h = y'G, grad h = 2 G
//! g(y) >= h(y) - l'c,   l_j = p_j'E p_j,     since p'E p is convex
//!      >= L = -h(y0) + min_j (2 G_p(y0)'p_j - l_j) - 2 ||G_q(y0)|| R_q                       for any y0
//! ```
//!
//! L >= 0 settles the cell. Else f <= t - L / min ||p||^2 on it, and with rho = -L, wherever g(y) < 0,
//!
//! ```text
//! (y - y0)'N(y - y0) <= rho,    a'y = a'y0 + (a_p - N_pq z)'(p - p0) +- sqrt(rho z'N_qq z) +- ||a_q - N_qq z|| ||q - q0||    for any z
//! ```
//!
//! which says of crossing rows that they are not. Rows need their sign only where g(y) < 0, for this t or any below one that
//! was settled for: as t only grows, what is known of a cell holds for its parts.
//!
//! E is what the tangents of sum_j c_j = 1 lack in curvature, q eliminated; across it, where p'E p does not change, it may be large.

use super::program::{Point, Program, eliminated};
use super::{Form, dot};
use crate::budget::Budget;
use crate::linalg::proven::positive_definite;
use crate::linalg::sum::gamma;
use crate::linalg::{Mat, dense};
use crate::polar::best_first;
use crate::polar::generators::{exact_middle, longest_edge};

/// Curvature, relative to t, that E leaves.
const CURVED: f64 = 1e-5;
/// How often a cell is bounded while that settles rows.
const ROUNDS: usize = 4;
/// An edge is not split for its curvature if it is shorter than this share of the longest one.
const SHORT: f64 = 0.1;

/// What is to be proven, and how far q goes.
pub struct Level {
    pub t: f64,
    pub reach: f64,
}

/// A cell.
#[derive(Clone)]
pub struct Cell {
    pub upper: f64,
    depth: usize,
    /// p_j, one after the other.
    generators: Vec<f64>,
    active: Box<[u32]>,
    crossing: Box<[u32]>,
    /// c and q to start from.
    start: Vec<f64>,
}

impl best_first::Cell for Cell {
    fn upper(&self) -> f64 {
        self.upper
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of::<f64>() * (self.generators.len() + self.start.len())
            + size_of::<u32>() * (self.active.len() + self.crossing.len())
    }
}

/// What became of a cell.
pub struct Treated {
    pub cell: Cell,
    /// Its halves, if it is not settled.
    pub parts: Vec<Cell>,
    /// A value and its direction.
    pub seen: (f64, Vec<f64>),
    /// How often it was bounded.
    pub rounds: usize,
}

/// The cells to start from: orthants.
pub fn roots(form: &Form, k: usize) -> Vec<Cell> {
    let upper = form.size.sqrt().next_up();
    let root = |signs: usize| Cell {
        upper,
        depth: 0,
        generators: (0..k * k)
            .map(|x| f64::from(u8::from(x / k == x % k)) * if signs >> (x / k) & 1 == 0 { 1.0 } else { -1.0 })
            .collect(),
        active: Box::default(),
        crossing: (0..form.rows() as u32).collect(),
        start: (0..form.r).map(|j| if j < k { 1.0 / k as f64 } else { 0.0 }).collect(),
    };
    (0..1usize << k).map(root).collect()
}

/// A bound of a cell.
struct Bound {
    /// L.
    low: f64,
    point: Point,
    convex: Mat,
    /// N and N_qq^-1, if N is proven to be what it should be, and what rounding makes of it at most.
    curvature: Option<(Mat, Mat, f64)>,
}

impl Cell {
    fn k(&self) -> usize {
        self.generators.len().isqrt()
    }

    fn generator(&self, j: usize) -> &[f64] {
        let k = self.k();
        &self.generators[j * k..(j + 1) * k]
    }

    /// Bounded, and split if that does not settle it. Left as it is once the budget is exhausted.
    pub fn treated(mut self, form: &Form, level: &Level, stop: f64, budget: &Budget) -> Treated {
        let mut rounds = 0;
        loop {
            if budget.exhausted() {
                return Treated { cell: self, parts: Vec::new(), seen: (0.0, Vec::new()), rounds };
            }
            let bound = self.bound(form, level);
            rounds += 1;
            if let Some(b) = &bound
                && b.curvature.is_some()
            {
                let excess = (-b.low).max(0.0) / self.shortest() * (1.0 + gamma(4));
                self.upper = self.upper.min((level.t + excess).next_up().sqrt().next_up());
            }
            let seen = bound.as_ref().map_or((0.0, Vec::new()), |b| (form.value(&b.point.y), b.point.y.clone()));
            if self.upper <= stop {
                return Treated { cell: self, parts: Vec::new(), seen, rounds };
            }
            let before = self.crossing.len();
            if let Some(b) = &bound {
                self.settle_rows(form, level, b);
            }
            let settled = before - self.crossing.len();
            if rounds == ROUNDS || 20 * settled <= before + 20 {
                let parts = self.halves(bound.as_ref().map(|b| &b.convex));
                return Treated { cell: self, parts, seen, rounds };
            }
        }
    }

    /// min ||p||^2 on sum_j c_j = 1, no more: all products p_i'p_j are >= 0, and ||p||_1 = 1.
    fn shortest(&self) -> f64 {
        let k = self.k();
        let least = (0..k * k).map(|x| dot(self.generator(x / k), self.generator(x % k))).fold(f64::INFINITY, f64::min);
        least.max(1.0 / k as f64) * (1.0 - gamma(k + 4))
    }

    /// L.
    fn bound(&mut self, form: &Form, level: &Level) -> Option<Bound> {
        let (k, r, t) = (self.k(), form.r, level.t);
        let p = Mat::from_column_slice(k, k, &self.generators);
        let rows: Vec<u32> = self.active.iter().chain(&self.crossing).copied().collect();
        let hessian = Mat::identity(r, r) * t - form.gram(&rows);
        let (inverse, schur) = eliminated(&hessian, k)?;
        let convex = self.convexity(&schur, CURVED * t)?;
        let chord: Vec<f64> = p.column_iter().map(|p| p.dot(&(&convex * p))).collect();
        let size_e = convex.norm() * (k as f64).sqrt() * (1.0 + gamma(k * k + 8));
        // what rounding makes of L, by the sizes of y and of G(y) / ||y||
        let many = gamma(2 * form.rows() + 4 * r + 64) * (form.size + t) + gamma(8 * k + r + 32) * size_e;
        let error = |y: &[f64]| {
            let size = dot(y, y).sqrt() * (1.0 + gamma(r + 4));
            16.0 * many * (1.0 + size) * (1.0 + size + level.reach)
        };
        let low = |at: &Point| {
            let (gp, gq) = at.half.split_at(k);
            let least = |m: f64, j: usize| m.min(2.0 * dot(gp, p.column(j).as_slice()) - chord[j]);
            let low = (0..k).fold(f64::INFINITY, least) - dot(&at.y, &at.half);
            low - 2.0 * dot(gq, gq).sqrt() * level.reach - error(&at.y)
        };
        let (active, crossing) = (&self.active, &self.crossing);
        let program =
            Program { form, level, active, crossing, p: &p, hessian: &hessian, convex: &convex, chord: &chord };
        let point = program.minimise(&mut self.start, low);
        let low = low(&point);
        let mut n = hessian;
        let mut corner = n.view_mut((0, 0), (k, k));
        corner += &convex;
        let error = gamma(form.rows() + 8) * (form.size + t * r as f64) + gamma(8) * size_e;
        let proven = low.is_finite() && positive_definite(&mut vec![0.0; r * r], r, error, |i, j| n[(i, j)]);
        Some(Bound { low, point, convex, curvature: proven.then_some((n, inverse, error)) })
    }

    /// E: what S lacks to have a curvature of `least` along the tangents of sum_j c_j = 1, and across them what that costs.
    fn convexity(&self, schur: &Mat, least: f64) -> Option<Mat> {
        let k = self.k();
        let across: Vec<f64> = (0..k).map(|i| self.across(i) / (k as f64).sqrt()).collect();
        // the reflection that takes the normal to the last axis: its other columns are tangents
        let mut w = across.clone();
        let last = w[k - 1];
        w[k - 1] += 1f64.copysign(last);
        let size = dot(&w, &w);
        let reflection = Mat::from_fn(k, k, |i, j| f64::from(u8::from(i == j)) - 2.0 * w[i] * w[j] / size);
        let tangents = reflection.columns(0, k - 1).into_owned();
        let normal = Mat::from_column_slice(k, 1, &across);
        let inner = tangents.tr_mul(&(schur * &tangents));
        let mixed = tangents.tr_mul(&(schur * &normal));
        let (values, vectors) = dense::symmetric_eigen(&((&inner + inner.transpose()) * 0.5))?;
        let mut columns: Vec<Vec<f64>> = Vec::new();
        let mut missing = least - normal.dot(&(schur * &normal));
        for (l, v) in values.iter().zip(vectors.column_iter()) {
            missing += v.dot(&mixed).powi(2) / l.max(least);
            if *l < least {
                columns.push(((&tangents * v) * (least - l).sqrt()).data.into());
            }
        }
        if missing > 0.0 {
            columns.push(across.iter().map(|x| x * (1.1 * missing).sqrt()).collect());
        }
        // of one matrix and its transpose: what is stored is positive semidefinite but for rounding
        let mut out = Mat::zeros(k, k);
        for x in columns {
            for j in 0..k {
                (0..k).for_each(|i| out[(i, j)] += x[i] * x[j]);
            }
        }
        Some(out)
    }

    /// The sign of coordinate i on this orthant.
    fn across(&self, i: usize) -> f64 {
        let k = self.k();
        if (0..k).any(|j| self.generators[j * k + i] < 0.0) { -1.0 } else { 1.0 }
    }

    /// Takes out crossing rows that are not, wherever g < 0.
    fn settle_rows(&mut self, form: &Form, level: &Level, bound: &Bound) {
        let Some((n, inverse, error)) = &bound.curvature else { return };
        let (k, r) = (self.k(), form.r);
        let rest = r - k;
        let (y, rho) = (&bound.point.y, -bound.low);
        let (p0, q0) = y.split_at(k);
        let size_n = n.norm() * (1.0 + gamma(r * r + 8)) + error;
        let norm = |x: &[f64]| dot(x, x).sqrt() * (1.0 + gamma(r + 8));
        let far = level.reach + norm(q0);
        let few = gamma(4 * r + 32);
        let mut active = self.active.to_vec();
        let mut crossing = Vec::with_capacity(self.crossing.len());
        for &i in &self.crossing {
            let a = form.row(i);
            let z: Vec<f64> = (inverse * Mat::from_column_slice(rest, 1, &a[k..])).data.into();
            let size_z = norm(&z);
            // a_q - N_qq z, for N less its error
            let left: Vec<f64> = (0..rest)
                .map(|j| a[k + j] - (0..rest).map(|l| n[(k + l, k + j)] * z[l]).sum::<f64>() + error * z[j])
                .collect();
            let rounding = few * (norm(a) + size_n * size_z);
            let along = (dot(&z, &a[k..]) - dot(&z, &left) + 4.0 * size_z * rounding).max(0.0);
            let effective: Vec<f64> =
                (0..k).map(|j| a[j] - (0..rest).map(|l| n[(k + l, j)] * z[l]).sum::<f64>()).collect();
            let margin = (rho * along).sqrt()
                + (norm(&left) + rounding) * far
                + 2.0 * (few * norm(a) + rounding) * (2.0 + norm(y));
            let middle = dot(a, y) - dot(&effective, p0);
            let ends = (0..k).map(|j| dot(&effective, self.generator(j)));
            let (low, high) =
                ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h): (f64, f64), x| (l.min(x), h.max(x)));
            let margin = margin * (1.0 + few);
            if middle + low >= margin {
                active.push(i);
            } else if middle + high > -margin || margin.is_nan() {
                crossing.push(i);
            }
        }
        self.active = active.into();
        self.crossing = crossing.into();
    }

    /// Its halves at the middle of an edge: the one along which E costs most, or the longest. None where the middle is not exact, or
    /// there is no edge.
    fn halves(&self, convex: Option<&Mat>) -> Vec<Cell> {
        let k = self.k();
        let all: Vec<usize> = (0..k).collect();
        let Some(longest) = longest_edge(&all, |j| self.generator(j)) else { return Vec::new() };
        let along = |i: usize, j: usize| -> Mat {
            Mat::from_fn(k, 1, |l, _| self.generators[i * k + l] - self.generators[j * k + l])
        };
        let mut edge = longest;
        if let Some(e) = convex {
            let mut most = CURVED * along(longest.0, longest.1).norm_squared();
            for (i, j) in (0..k).flat_map(|i| (0..i).map(move |j| (i, j))) {
                let x = along(i, j);
                let cost = x.dot(&(e * &x));
                if cost > most && x.norm() > SHORT * along(longest.0, longest.1).norm() {
                    (edge, most) = ((i, j), cost);
                }
            }
        }
        let Some(middle) = exact_middle(self.generator(edge.0), self.generator(edge.1)) else { return Vec::new() };
        let half = |gone: usize, kept: usize| {
            let (mut generators, mut start) = (self.generators.clone(), self.start.clone());
            generators[gone * k..(gone + 1) * k].copy_from_slice(&middle);
            // the same point, if it lies in this half
            let (g, s) = (start[gone], start[kept]);
            (start[gone], start[kept]) = if s >= g { (2.0 * g, s - g) } else { (g + s, 0.0) };
            Cell {
                upper: self.upper,
                depth: self.depth + 1,
                generators,
                active: self.active.clone(),
                crossing: self.crossing.clone(),
                start,
            }
        };
        vec![half(edge.0, edge.1), half(edge.1, edge.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::lanczos::gaussian;

    /// A point of the cell with this p and the best q that a few steps find.
    fn best_q(form: &Form, p: &[f64], rest: &[f64]) -> Vec<f64> {
        let k = p.len();
        let mut y: Vec<f64> = p.iter().chain(rest).copied().collect();
        for _ in 0..60 {
            let mut pull = vec![0.0; form.r];
            for i in 0..form.rows() as u32 {
                let x = dot(form.row(i), &y).max(0.0);
                pull.iter_mut().zip(form.row(i)).for_each(|(p, a)| *p += x * a);
            }
            let value = dot(&y, &pull) / dot(&y, &y);
            (k..form.r).for_each(|j| y[j] = pull[j] / value.max(f64::MIN_POSITIVE));
        }
        y
    }

    struct Tally {
        cells: usize,
        /// Rows known to be of one sign, and points that g < 0 at.
        known: usize,
        below: usize,
        wrong_signs: usize,
        excess: f64,
    }

    /// Walks down from a root, and looks at points of every cell on the way.
    fn walk(seed: u64, level_of: f64, spoil: impl Fn(&mut Cell)) -> Tally {
        let (m, n) = (3 + seed as usize % 12, 2 + seed as usize % 5);
        let form = Form::new(gaussian(m, n, seed)).unwrap();
        let k = 1 + (seed as usize / 5) % (form.r - 1).max(1);
        let mut tally = Tally { cells: 0, known: 0, below: 0, wrong_signs: 0, excess: f64::NEG_INFINITY };
        // above sigma_(k + 1), where q can be left to a convex program
        let t = (level_of * form.sigma[0]).max(1.05 * form.sigma.get(k).copied().unwrap_or(0.0)).powi(2);
        let Some(reach) = form.reach(k, t) else { return tally };
        let level = Level { t, reach };
        let mut all = roots(&form, k);
        let mut cell = all.swap_remove(seed as usize % all.len());
        for depth in 0..12 {
            let Treated { cell: mut done, mut parts, .. } = cell.treated(&form, &level, 0.0, &Budget::unlimited());
            spoil(&mut done);
            tally.cells += 1;
            tally.known += form.rows() - done.crossing.len();
            let random = gaussian(form.r, 40, seed + 77 * depth);
            for x in random.column_iter() {
                let c: Vec<f64> = x.iter().take(k).map(|x| x.abs().powi(3)).collect();
                let sum: f64 = c.iter().sum();
                let p: Vec<f64> =
                    (0..k).map(|l| (0..k).map(|j| c[j] * done.generator(j)[l]).sum::<f64>() / sum).collect();
                for y in [best_q(&form, &p, &x.as_slice()[k..]), p.iter().chain(&x.as_slice()[k..]).copied().collect()]
                {
                    let value = form.value(&y);
                    tally.excess = tally.excess.max(value - done.upper * (1.0 + 1e-14));
                    if value * value > t * (1.0 + 1e-12) {
                        tally.below += 1;
                        let wrong = |i: &u32| {
                            let positive = dot(form.row(*i), &y) > 0.0;
                            !done.crossing.contains(i) && positive != done.active.contains(i)
                        };
                        tally.wrong_signs += (0..form.rows() as u32).filter(wrong).count();
                    }
                }
            }
            if parts.is_empty() {
                break;
            }
            cell = parts.swap_remove((seed as usize >> depth) & 1);
        }
        tally
    }

    #[test]
    fn no_point_of_a_cell_is_above_its_bound_and_rows_have_the_signs_that_are_known() {
        let (mut known, mut below) = (0, 0);
        for seed in 0..400 {
            for level in [0.3, 0.6, 0.8, 1.0] {
                let t = walk(seed, level, |_| {});
                assert!(t.excess <= 0.0, "seed {seed}, level {level}: {:e} above", t.excess);
                assert_eq!(t.wrong_signs, 0, "seed {seed}, level {level}");
                known += t.known;
                below += t.below;
            }
        }
        assert!(known > 1000 && below > 1000, "{known} rows settled, {below} points with g < 0");
    }

    /// The mutants: bounds a little lower, and a crossing row that is said to be positive.
    #[test]
    fn a_bound_that_is_too_low_and_a_sign_that_is_wrong_are_caught() {
        let (mut low, mut wrong) = (0, 0);
        for seed in 0..100 {
            let t = walk(seed, 0.6, |c| {
                c.upper *= 0.9;
                if let Some((first, rest)) = c.crossing.split_first() {
                    c.active = c.active.iter().chain([first]).copied().collect();
                    c.crossing = rest.into();
                }
            });
            low += usize::from(t.excess > 0.0);
            wrong += usize::from(t.wrong_signs > 0);
        }
        assert!(low > 20 && wrong > 20, "{low} {wrong}");
    }
}
