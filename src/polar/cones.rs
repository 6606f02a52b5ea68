//! Networks on few inputs: branch and bound over simplicial cones.
//!
//! ```text
//! u = G a, a >= 0, in a cone with unit generators g_j;   s_ij = t_i'g_j,   row i is active, inactive or crossing
//! f(u) <= sum_j a_j c_j,   bounded as in [`super::generators`]
//! one output:   c_j = sum_active w_i s_ij + sum_crossing (w_i > 0: w_i max(s_ij, 0);   w_i < 0: w_i alpha_i s_ij),  any alpha in [0, 1]
//! several:      c_j = ||m_j|| + e_j,  m_j, e_j: sums of w_i and of ||w_i|| times the middle and the half of [alpha_i s_ij, max(s_ij, 0)]
//! ```
//!
//! A cone is split at a point of an edge; what rounding moves of that point moves u by no more, since a_j <= 1: `DRIFT` per level covers
//! it.
//!
//! Once inactive or active, a row stays so in all parts of a cone: each keeps its crossing rows and the sum over its active ones.

use super::best_first::{Found, Queue};
use super::bound::Aim;
use super::cuts::{self, Cut, Growing, Leaf, Place, place};
use super::generators::{self, Cone, DRIFT, Sides, Span, SpanBound, between, orthant};
use super::neurons::Neurons;
use crate::linalg::nnls::SMALL;
use crate::linalg::sum::gamma;
use crate::linalg::{Mat, dense};
use rayon::prelude::*;
use std::slice;
use std::sync::Arc;

/// Largest rank of the inputs: a cone costs little, but there are 2^d to start with, and many more to come.
pub const RANK_LIMIT: usize = SMALL;

/// Cones that are split together: fixed, so that results do not depend on the number of threads.
const BATCH: usize = 32;
/// Bytes that cones may take.
const MEMORY: usize = 1 << 31;
/// Points of an edge keep this distance from its ends, relative to it.
const CLIP: f64 = 0.4;
/// Sides are means of up to three that are 0 or 1.
const UNITS: u8 = 252;

/// A cone, with the sign of f.
type Cell = Cone<Split>;

/// How a cone is split.
struct Split {
    sign: f64,
    /// Generators j, k and the share of k in the point that splits the edge between them; `None` if it is not chosen yet.
    edge: Option<(usize, usize, f64)>,
    /// The sides of the crossing rows that the bound is of, in units of 1 / [`UNITS`], if they are noted.
    alpha: Arc<[u8]>,
    /// t_i'g_j of a cone that is not bounded yet.
    products: Vec<f64>,
    /// The place in the tree.
    at: Place,
}

impl Split {
    fn of(sign: f64) -> Self {
        Self { sign, edge: None, alpha: Arc::default(), products: Vec::new(), at: 0 }
    }
}

/// T and W by rows.
struct Rows<'a> {
    n: &'a Neurons,
    d: usize,
    q: usize,
    t: Vec<f64>,
    w: Vec<f64>,
    size: Vec<f64>,
    slope: f64,
    /// Whether what a bound is of is noted.
    noting: bool,
}

/// A bound of f on the unit ball; the work counted is of pairs of a cone and a row that crosses it. `known` are directions worth
/// trying.
pub fn search(n: &Neurons, known: &[Vec<f64>], aim: &Aim) -> Found {
    let rows = Rows { noting: aim.tree.is_some(), ..Rows::new(n) };
    let mut found = Found::nothing(rows.d);
    for u in known {
        rows.see(u, &mut found);
    }
    let all: Box<[u32]> = (0..n.inputs.nrows() as u32).filter(|&i| rows.size[i as usize] > 0.0).collect();
    let signs = if rows.q == 1 { &[1.0, -1.0][..] } else { &[1.0] };
    let orthants: Vec<(f64, usize)> = signs.iter().flat_map(|s| (0..1usize << rows.d).map(|o| (*s, o))).collect();
    let mut growing = Growing::rooted(orthants.len(), rows.noting);
    let none = vec![0.0; rows.d * rows.q];
    let root = |(k, (sign, o)): (usize, (f64, usize))| {
        let mut c = rows.cell(sign, orthant(rows.d, o), &none, &all, 0, f64::INFINITY);
        c.split.at = k as Place;
        c
    };
    let roots: Vec<Cell> = orthants.into_par_iter().enumerate().map(root).collect();
    found.cells = roots.len();
    let mut work = (roots.len() * all.len()) as f64;
    let mut queue = Queue::default();
    let stop = found.enough(aim);
    let mut offer = |c: Cell, growing: &mut Growing| {
        growing.hint(c.split.at, slice::from_ref(&c.split.alpha));
        queue.offer(c, stop);
    };
    let tree = aim.tree.and_then(|t| t.take());
    match &tree {
        None => roots.into_iter().for_each(|c| offer(c, &mut growing)),
        Some(tree) => {
            work = tree.work();
            let highest = roots.iter().map(|c| c.upper).fold(0.0, f64::max);
            let cut = |c: &Cell, cut, hints: &[Vec<u8>]| rows.cut_again(c, cut, hints);
            let again = |leaf| rows.bounded_again(leaf);
            if !cuts::regrow(tree, roots, &mut growing, cut, again, offer, aim.budget) {
                aim.tree.map(|t| t.replace(Some(tree.clone())));
                found.upper = rows.upper(highest, 0);
                return found;
            }
        }
    }
    while let Some((batch, stop)) = queue.next(BATCH, &mut found, aim, work, MEMORY) {
        let children: Vec<_> = batch.par_iter().map(|c| (rows.split(c), rows.value(&c.top))).collect();
        for (((cut, parts), value), parent) in children.into_iter().zip(&batch) {
            found.see(value, &parent.top);
            // a cone that no row crosses costs something too
            work += 2.0 * (parent.crossing.len() + rows.d) as f64;
            found.cells += parts.len();
            let useful = parts.iter().any(|c| c.upper >= parent.upper);
            let first = growing.cut(parent.split.at, cut, parts.len(), useful);
            for (k, mut c) in parts.into_iter().enumerate() {
                c.split.at = place(first, k);
                growing.hint(c.split.at, slice::from_ref(&c.split.alpha));
                queue.offer(c, stop);
            }
        }
    }
    if let Some(tree) = aim.tree.filter(|_| found.upper > found.enough(aim)) {
        tree.replace(Some(growing.tree(rows.d, work)));
    }
    found.upper = rows.upper(found.upper, queue.depth());
    found
}

impl<'a> Rows<'a> {
    fn new(n: &'a Neurons) -> Self {
        let by_rows = |x: &Mat| -> Vec<f64> { dense::transpose(x).data.into() };
        let size = n.field.row_iter().map(|r| r.norm()).collect();
        let (d, q) = (n.inputs.ncols(), n.field.ncols());
        Self { n, d, q, t: by_rows(&n.inputs), w: by_rows(&n.field), size, slope: n.slope(), noting: false }
    }

    /// A bound of f from one of cones that were split so often: there are cones that rounding left between parts, and norms that
    /// rounding makes larger than 1.
    fn upper(&self, upper: f64, depth: usize) -> f64 {
        let drift = DRIFT * (depth as f64 + 2.0);
        (upper * (1.0 + drift) + drift * self.slope).next_up()
    }

    /// f at a direction, 0 for none.
    fn value(&self, u: &[f64]) -> f64 {
        let size = u.iter().map(|x| x * x).sum::<f64>().sqrt();
        if size > 0.0 { self.n.value(u) / size } else { 0.0 }
    }

    fn see(&self, u: &[f64], found: &mut Found) {
        found.see(self.value(u), u);
    }

    /// The two parts of a cone, and how it is cut.
    fn split(&self, c: &Cell) -> (Cut, Vec<Cell>) {
        let bounded = |g| self.cell(c.split.sign, g, &c.active, &c.crossing, c.depth + 1, c.upper);
        let edge = c.split.edge.unwrap_or_else(|| {
            let again = self.part(c.split.sign, c.generators.clone(), &c.active, &c.crossing, c.depth, c.upper);
            self.edge(&again.0, &again.1)
        });
        let cut = Cut::Edge(edge.0 as u32, edge.1 as u32, edge.2);
        (cut, self.sides_of(c, edge).map(bounded).into())
    }

    /// The generators on either side of a point of an edge.
    fn sides_of(&self, c: &Cell, edge: (usize, usize, f64)) -> [Vec<f64>; 2] {
        let (d, middle) = (self.d, between(&c.generators, self.d, edge));
        [edge.0, edge.1].map(|gone| {
            let mut g = c.generators.clone();
            g[gone * d..(gone + 1) * d].copy_from_slice(&middle);
            g
        })
    }

    /// The parts that a tree says a cone was cut into, nothing known of them but what is of the whole; `None` where it cannot be so.
    fn cut_again(&self, c: &Cell, cut: Cut, hints: &[Vec<u8>]) -> Option<Vec<Cell>> {
        let Cut::Edge(j, k, share) = cut else { return None };
        let (j, k) = (j as usize, k as usize);
        let fits = j < k && k < self.d && (CLIP..=1.0 - CLIP).contains(&share);
        let upper = hints.first().filter(|h| h.len() == c.crossing.len()).map_or(c.upper, |sides| {
            let (mut whole, products) =
                self.part(c.split.sign, c.generators.clone(), &c.active, &c.crossing, c.depth, c.upper);
            self.bound(&mut whole, &products, Some(sides));
            whole.upper
        });
        let part = |g| {
            let (mut part, products) = self.part(c.split.sign, g, &c.active, &c.crossing, c.depth + 1, upper);
            part.split.products = products;
            part
        };
        fits.then(|| self.sides_of(c, (j, k, share)).map(part).into())
    }

    /// A leaf of a tree, bounded. Where it is to be split is left until it is.
    fn bounded_again(&self, (at, mut c, hints): Leaf<Cell>) -> Cell {
        // a root is bounded already
        if c.depth > 0 {
            let products = std::mem::take(&mut c.split.products);
            self.bound(&mut c, &products, hints.first().map(Vec::as_slice));
        }
        c.split.at = at;
        c
    }

    /// A cone inside one with these active and crossing rows and this bound.
    fn cell(&self, sign: f64, g: Vec<f64>, active: &[f64], among: &[u32], depth: usize, parent: f64) -> Cell {
        let (mut c, s) = self.part(sign, g, active, among, depth, parent);
        self.bound(&mut c, &s, None);
        c.split.edge = Some(self.edge(&c, &s));
        c
    }

    /// The same with the bound of the other, and t_i'g_j for its crossing rows.
    fn part(
        &self,
        sign: f64,
        g: Vec<f64>,
        active: &[f64],
        among: &[u32],
        depth: usize,
        upper: f64,
    ) -> (Cell, Vec<f64>) {
        let rows = generators::Rows { t: &self.t, w: &self.w, d: self.d, q: self.q };
        let Sides { active, crossing, products } = rows.sides(&g, active, among);
        (Cell { upper, depth, generators: g, active, crossing, split: Split::of(sign), top: Vec::new() }, products)
    }

    /// m_j = sum over the active rows of w_i s_ij, d x q by generators.
    fn means(&self, c: &Cell) -> Vec<f64> {
        let (d, q) = (self.d, self.q);
        let mut m = vec![0.0; d * q];
        for j in 0..d {
            let g = &c.generators[j * d..(j + 1) * d];
            for o in 0..q {
                m[j * q + o] =
                    c.split.sign * g.iter().zip(&c.active[o * d..(o + 1) * d]).map(|(g, a)| g * a).sum::<f64>();
            }
        }
        m
    }

    /// Lowers the cone's bound; by these sides of its crossing rows alone, if they are as many.
    fn bound(&self, c: &mut Cell, s: &[f64], known: Option<&[u8]>) {
        let (d, q) = (self.d, self.q);
        let means = self.means(c);
        let span = Span::new(&c.generators, d);
        // every c_j is a sum of at most N terms of d products, formed along at most as many sums as there are rows
        let rounding = gamma(3 * self.size.len() + 4 * d + q + 32) * self.slope * 1.1;
        let mut at: Vec<f64> = (0..d).map(|r| (0..d).map(|j| c.generators[j * d + r]).sum()).collect();
        // the sides of the crossing rows that were best against the last maximisers, on average
        let mut alpha = vec![0.0; c.crossing.len()];
        let known = known.filter(|k| k.len() == alpha.len());
        let rounds = if c.crossing.is_empty() || known.is_some() {
            1
        } else if q == 1 {
            4
        } else {
            2
        };
        for round in 0..rounds {
            if let Some(known) = known {
                alpha = known.iter().map(|a| f64::from((*a).min(UNITS)) / f64::from(UNITS)).collect();
            }
            for (x, &i) in alpha.iter_mut().zip(&c.crossing).filter(|_| known.is_none()) {
                let t = &self.t[i as usize * d..(i as usize + 1) * d];
                let side = f64::from(u8::from(t.iter().zip(&at).map(|(t, u)| t * u).sum::<f64>() > 0.0));
                // the first round's centre is a poor guide
                *x = if round < 2 { side } else { *x + (side - *x) / round as f64 };
            }
            let price = self.prices(c, s, &means, &alpha);
            let SpanBound { upper, at: y, size } = span.bound(&price, rounding);
            if upper < c.upper || c.top.is_empty() {
                c.upper = c.upper.min(upper);
                if self.noting {
                    c.split.alpha = alpha.iter().map(|a| (a * f64::from(UNITS)).round() as u8).collect();
                }
                c.top = if size > 0.0 { y.iter().map(|y| y / size).collect() } else { at.clone() };
            }
            if size == 0.0 {
                break;
            }
            at = y;
        }
    }

    /// c_j.
    fn prices(&self, c: &Cell, s: &[f64], means: &[f64], alpha: &[f64]) -> Vec<f64> {
        let (d, q) = (self.d, self.q);
        if q == 1 {
            let mut price = means.to_vec();
            for (k, &i) in c.crossing.iter().enumerate() {
                let w = c.split.sign * self.w[i as usize];
                let s = &s[k * d..(k + 1) * d];
                if w > 0.0 {
                    price.iter_mut().zip(s).for_each(|(p, s)| *p += w * s.max(0.0));
                } else {
                    let w = w * alpha[k];
                    price.iter_mut().zip(s).for_each(|(p, s)| *p += w * s);
                }
            }
            return price;
        }
        let mut middle = means.to_vec();
        let mut spread = vec![0.0; d];
        for (k, &i) in c.crossing.iter().enumerate() {
            let w = &self.w[i as usize * q..(i as usize + 1) * q];
            for j in 0..d {
                let (high, low) = (s[k * d + j].max(0.0), alpha[k] * s[k * d + j]);
                let half = 0.5 * (high + low);
                (0..q).for_each(|o| middle[j * q + o] += w[o] * half);
                spread[j] += self.size[i as usize] * 0.5 * (high - low);
            }
        }
        let norm = |m: &[f64]| m.iter().map(|x| x * x).sum::<f64>().sqrt();
        (0..d).map(|j| (norm(&middle[j * q..(j + 1) * q]) + spread[j]) * (1.0 + gamma(q + 8))).collect()
    }

    /// The edge on which crossing rows cost most, at the zero of the one that does.
    fn edge(&self, c: &Cell, s: &[f64]) -> (usize, usize, f64) {
        let d = self.d;
        let cost = |i: u32, a: f64, b: f64| self.size[i as usize] * a.abs() * b.abs() / (a.abs() + b.abs());
        let means = (self.q > 1).then(|| self.means(c));
        let mut best = (0.0, 0, 1);
        let mut longest = (0.0, 0, 1);
        let mut lengths = vec![0.0; d * d];
        for j in 0..d {
            for k in j + 1..d {
                let length: f64 = (0..d).map(|r| (c.generators[j * d + r] - c.generators[k * d + r]).powi(2)).sum();
                lengths[j * d + k] = length;
                if length > longest.0 {
                    longest = (length, j, k);
                }
                let mut score: f64 = (c.crossing.iter().enumerate())
                    .map(|(l, &i)| (i, s[l * d + j], s[l * d + k]))
                    .filter(|(_, a, b)| a * b < 0.0)
                    .map(|(i, a, b)| cost(i, a, b))
                    .sum();
                if let Some(m) = &means {
                    let norm = |f: &dyn Fn(usize) -> f64| (0..self.q).map(|o| f(o).powi(2)).sum::<f64>().sqrt();
                    let (a, b) = (|o: usize| m[j * self.q + o], |o: usize| m[k * self.q + o]);
                    score += 0.5 * (norm(&a) + norm(&b) - norm(&|o| a(o) + b(o)));
                }
                if score > best.0 {
                    best = (score, j, k);
                }
            }
        }
        let (_, j, k) =
            if best.0 <= 1e-300 || lengths[best.1 * d + best.2] < 0.01 * longest.0 { longest } else { best };
        let mut share = 0.5;
        let mut top = 0.0;
        for (l, &i) in c.crossing.iter().enumerate() {
            let (a, b) = (s[l * d + j], s[l * d + k]);
            if a * b < 0.0 && cost(i, a, b) > top {
                top = cost(i, a, b);
                share = a.abs() / (a.abs() + b.abs());
            }
        }
        (j, k, share.clamp(CLIP, 1.0 - CLIP))
    }
}

#[cfg(test)]
mod tests {
    use super::super::cuts::tests::{believed, best_found, gone_on};
    use super::*;
    use crate::linalg::lanczos::gaussian;
    use crate::linalg::nnls::quadratic;

    /// A random cone of an orthant, from wide to a sliver: generators around a direction, some of them only a hair apart.
    fn random_cone(d: usize, seed: u64) -> Vec<f64> {
        let spread = 10f64.powf(1.0 - (seed % 6) as f64);
        let (centre, around) = (gaussian(d, 1, seed).abs(), gaussian(d, d, seed + 1));
        let mut g = Vec::new();
        for j in 0..d {
            // a sliver: all but the first lie along one direction
            let along = if seed.is_multiple_of(3) && j > 1 {
                around.column(1) * (1.0 + 1e-3 * j as f64)
            } else {
                around.column(j).into()
            };
            let mut x = &centre + Mat::from_column_slice(d, 1, along.as_slice()) * spread;
            x.apply(|x| *x = x.abs() + 1e-12);
            g.extend((&x / x.norm()).iter());
        }
        g
    }

    fn instance(seed: u64, d: usize, q: usize) -> Neurons {
        Neurons::of(gaussian(3 + (seed % 40) as usize, d, seed + 7), gaussian(3 + (seed % 40) as usize, q, seed + 8))
    }

    /// The largest f / bound over points of the cone: its generators, its middle, random mixtures, and the bound's own maximiser.
    fn worst(rows: &Rows, c: &Cell, sign: f64, seed: u64) -> f64 {
        let d = rows.d;
        let mixtures = gaussian(d, 60, seed + 3).map(|x| x.abs().powi(3));
        let corner = Mat::identity(d, d);
        let points = mixtures.column_iter().chain(corner.column_iter()).map(|a| {
            let u = Mat::from_column_slice(d, d, &c.generators) * a;
            let size = u.norm();
            u.iter().map(|u| u / size).collect::<Vec<f64>>()
        });
        let value = |u: &[f64]| match rows.q {
            1 => sign * rows.n.output(u)[0],
            _ => rows.value(u),
        };
        points.map(|u| value(&u) - c.upper).fold(f64::NEG_INFINITY, f64::max)
    }

    #[test]
    fn no_point_of_a_random_cone_is_above_its_bound() {
        for seed in 0..3000 {
            let (d, q) = (2 + seed as usize % 6, 1 + (seed as usize / 6) % 3);
            let n = instance(seed, d, q);
            let rows = Rows::new(&n);
            let all: Vec<u32> = (0..n.inputs.nrows() as u32).collect();
            for &sign in if q == 1 { &[1.0, -1.0][..] } else { &[1.0] } {
                let c = rows.cell(sign, random_cone(d, seed), &vec![0.0; d * q], &all, 0, f64::INFINITY);
                let excess = worst(&rows, &c, sign, seed);
                assert!(excess <= 0.0, "seed {seed}, d {d}, q {q}: {excess:e} above {}", c.upper);
            }
        }
    }

    /// The mutant: the value of the quadratic program itself, sqrt(c'(G'G)^-1 c), which in slivers is not what it should be.
    #[test]
    fn the_value_of_the_program_itself_is_caught_in_slivers() {
        let mut caught = 0;
        for seed in (0..3000).step_by(3) {
            let d = 3 + seed as usize % 4;
            let n = instance(seed, d, 1);
            let rows = Rows::new(&n);
            let all: Vec<u32> = (0..n.inputs.nrows() as u32).collect();
            let mut c = rows.cell(1.0, random_cone(d, seed), &vec![0.0; d], &all, 0, f64::INFINITY);
            let g = Mat::from_column_slice(d, d, &c.generators);
            let price: Vec<f64> = (0..d).map(|j| n.output(g.column(j).as_slice())[0]).collect();
            let gram: Vec<f64> = (g.transpose() * &g).iter().copied().collect();
            // the program solved halfway: the point is taken at its word
            let a = quadratic(&gram, &price);
            let taken: f64 = (0..d).map(|j| a[j] * price[j]).sum();
            c.upper = taken.max(0.0).sqrt() * (1.0 - 1e-4);
            caught += usize::from(worst(&rows, &c, 1.0, seed) > 0.0);
        }
        assert!(caught > 10, "caught {caught} times");
    }

    #[test]
    fn the_search_brackets_the_maximum_and_closes() {
        for seed in 0..40 {
            let (d, q) = (2 + seed as usize % 3, 1 + (seed as usize / 3) % 3);
            let n = instance(seed, d, q);
            let aim =
                Aim { limit: 0.0, tolerance: 1e-4, work: 3e7, budget: &Default::default(), seen: None, tree: None };
            let found = search(&n, &[], &aim);
            let best = best_found(&n, seed);
            assert!(found.upper >= best, "seed {seed}: {} below {best}", found.upper);
            assert!(found.upper <= found.lower * (1.0 + 2e-4), "seed {seed}, d {d}, q {q}: {found:?}");
        }
    }

    #[test]
    fn a_search_that_was_stopped_goes_on_from_its_cuts() {
        let mut stopped = 0;
        for seed in 0..12 {
            let (d, q) = (4 + seed as usize % 3, 1 + (seed as usize / 4) % 3);
            let n = Neurons::of(gaussian(60, d, seed + 7), gaussian(60, q, seed + 8));
            let Some(tree) = gone_on(&n, seed, search, (3e4, 4.0)) else { continue };
            assert!(tree.leaves() > 100, "seed {seed}");
            stopped += 1;
        }
        assert!(stopped > 6, "stopped {stopped} times");
    }

    #[test]
    fn no_tree_makes_a_bound_overstate() {
        for seed in 0..48 {
            let (d, q) = (2 + seed as usize % 4, 1 + (seed as usize / 4) % 3);
            believed(&instance(seed, d, q), seed, search, 1e-4, (1e3, 1e4));
        }
    }
}
