//! Networks under any gauges: branch and bound over cones of the inputs' own coordinates.
//!
//! ```text
//! u = sum_j a_j t_j, a >= 0,    s_ij = v_i't_j,   row i is active, inactive or crossing;   f(u) <= sum_j a_j c_j
//! one output:   c_j = sum_active z_i s_ij + sum_crossing (z_i > 0: z_i max(s_ij, 0);   z_i < 0: z_i alpha_i s_ij),  any alpha in [0, 1]
//! several:      c_j = gauge_2°(m_j) + e_j,  m_j, e_j: sums of w_i and of their norms times the middle and the half of
//!               [alpha_i s_ij, max(s_ij, 0)]
//! ```
//!
//! What c says of the ball depends on the norm:
//!
//! ```text
//! l1      f(u) <= max_j c_j / ||t_j||_1 ||u||_1    for generators +-e_j, and for what is made of them by splitting: every u has an
//!                                                  a with sum_j a_j ||t_j||_1 = ||u||_1
//! else    f(u) <= ||y + theta x||°                 for generators of one orthant, any y and any x >= 0 there,
//!                                                  theta = max_j (c_j - y't_j)_+ / x't_j
//! ```
//!
//! alpha, y and x come from a game between them and a, played for a few rounds with multiplicative weights: the best answers to a are
//! the signs of v_i'u and a subgradient of the norm at u; their means are good for all a.
//!
//! A cone is split at a point of an edge between generators of one orthant, or, where e_j and -e_j are among them, into one without
//! either: a u has an a without one of them. What rounding makes of a point of an edge moves every u by no more than a few units of
//! its last places, coordinate by coordinate: [`DRIFT`] per level covers it.

use super::bound::Aim;
use super::generators::DRIFT;
use crate::gauge::{Gauge, Norm};
use crate::linalg::Mat;
use crate::linalg::sum::gamma;
use crate::linalg::vector::unit_scale;
use rayon::prelude::*;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Cones that are split together: fixed, so that results do not depend on the number of threads.
const BATCH: usize = 32;
/// Bytes that cones may take.
const MEMORY: usize = 1 << 30;
/// Points of an edge keep this distance from its ends, relative to it.
const CLIP: f64 = 0.25;
/// Rounds of the game on a cone.
const ROUNDS: usize = 10;
/// Products of a row and a generator that count as a pair.
const PAIRS: f64 = 16.0;
/// Inputs up to which all orthants are started from, for norms other than l1.
pub const ORTHANTS: usize = 8;
/// Inputs up to which a cone is worth its while.
pub const INPUTS: usize = 64;

/// A value of f, and where.
type Seen = (f64, Vec<f64>);

/// What a search found.
#[derive(Clone, Debug)]
pub struct Found {
    /// f is no larger on the unit ball.
    pub upper: f64,
    /// The largest value seen.
    pub lower: f64,
    /// Where.
    pub direction: Vec<f64>,
    /// Cones that were bounded.
    pub cells: usize,
    /// What it cost.
    pub work: f64,
}

/// What the outputs' gauge makes of Z'(V u)_+.
pub enum Ends<'a> {
    /// The only output itself.
    One,
    /// The polar of a norm, on an orthant of this sign.
    Norm(&'a dyn Norm, Option<f64>),
}

/// A function of u: V and Z with the gauges' weights divided out, the norm of u, and the sign that its coordinates are confined to.
pub struct Function<'a> {
    d: usize,
    q: usize,
    v: Vec<f64>,
    w: Vec<f64>,
    size: Vec<f64>,
    /// sum_i ||w_i|| |v_i|.
    magnitude: Vec<f64>,
    norm: &'a dyn Norm,
    sign: Option<f64>,
    ends: Ends<'a>,
    scales: [f64; 2],
}

/// Whether the gauge of the inputs has bounds here.
pub fn applies(gauge: &Gauge, d: usize) -> bool {
    let orthant = gauge.orthant().is_some();
    let few = if orthant || is_l1(gauge.norm()) { INPUTS } else { ORTHANTS };
    gauge.norm().is_absolute() && (orthant || gauge.cone().is_none()) && (1..=few).contains(&d)
}

fn is_l1(norm: &dyn Norm) -> bool {
    norm.name() == "l1"
}

impl<'a> Function<'a> {
    /// For V and W of which every entry may have been rounded a few times; `size` bounds what rounding is relative to: the absolute
    /// values that a row of W was summed from, where it was.
    pub fn new(mut v: Mat, mut w: Mat, sizes: Vec<f64>, first: &'a Gauge, ends: Ends<'a>) -> Self {
        let scales = [unit_scale(v.as_slice()), unit_scale(&sizes)];
        v *= scales[0];
        w *= scales[1];
        let by_rows =
            |x: &Mat| -> Vec<f64> { x.row_iter().flat_map(|r| r.iter().copied().collect::<Vec<_>>()).collect() };
        let (n, d) = v.shape();
        let size: Vec<f64> = sizes.iter().map(|s| (s * scales[1] * (1.0 + gamma(2))).next_up()).collect();
        let magnitude = (0..d)
            .map(|j| {
                let sum: f64 = (0..n).map(|i| v[(i, j)].abs() * size[i]).sum();
                (sum * (1.0 + gamma(n + 8)) + n as f64 * f64::MIN_POSITIVE).next_up()
            })
            .collect();
        let (norm, sign) = (first.norm(), first.orthant());
        Self { d, q: w.ncols(), v: by_rows(&v), w: by_rows(&w), size, magnitude, norm, sign, ends, scales }
    }

    /// A value here in the units of V and W, rounded up.
    pub fn in_units(&self, value: f64) -> f64 {
        ((value / self.scales[0]).next_up() / self.scales[1]).next_up()
    }

    /// The other way.
    pub fn scaled(&self, value: f64) -> f64 {
        value * self.scales[0] * self.scales[1]
    }

    fn row(&self, i: u32) -> &[f64] {
        &self.v[i as usize * self.d..(i as usize + 1) * self.d]
    }

    /// gauge_2° of an output.
    fn ends(&self, y: &[f64]) -> f64 {
        match &self.ends {
            Ends::One => y[0],
            Ends::Norm(norm, sign) => norm.dual_upper(&clipped(y, *sign)),
        }
    }

    /// f(u) / ||u||.
    pub fn value(&self, u: &[f64]) -> f64 {
        let size = self.norm.value(u);
        let inside = self.sign.is_none_or(|s| u.iter().all(|u| s * u >= 0.0));
        if size.is_nan() || size <= 0.0 || !inside {
            return 0.0;
        }
        let mut y = vec![0.0; self.q];
        for (i, w) in self.w.chunks_exact(self.q).enumerate() {
            let p = dot(self.row(i as u32), u);
            if p > 0.0 {
                y.iter_mut().zip(w).for_each(|(y, w)| *y += w * p);
            }
        }
        self.ends(&y) / size
    }
}

/// A cone.
struct Cell {
    upper: f64,
    depth: usize,
    /// t_j, one after the other.
    generators: Vec<f64>,
    /// sum of v_i w_i' over the active rows, d x q column by column.
    active: Vec<f64>,
    crossing: Box<[u32]>,
    split: Split,
    /// A direction worth trying.
    top: Vec<f64>,
}

#[derive(Clone, Copy)]
enum Split {
    /// Generators j, k and the share of k in the point between them.
    Edge(usize, usize, f64),
    /// Generators j, k with t_k = -t_j.
    Sign(usize, usize),
    /// Nothing to split.
    None,
}

impl Cell {
    /// About how many bytes it takes.
    fn bytes(&self) -> usize {
        let numbers = self.generators.len() + self.active.len() + self.top.len();
        size_of::<Self>() + size_of::<f64>() * numbers + size_of::<u32>() * self.crossing.len()
    }
}

impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Cell {}

impl PartialOrd for Cell {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cell {
    fn cmp(&self, other: &Self) -> Ordering {
        self.upper.total_cmp(&other.upper)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The part of y on an orthant.
fn clipped(y: &[f64], sign: Option<f64>) -> Vec<f64> {
    y.iter().map(|y| sign.map_or(*y, |s| s * (s * y).max(0.0))).collect()
}

/// A bound of f on the unit ball; the work counted is of pairs of a cone and a row that crosses it. `known` are directions worth
/// trying, in the coordinates without weights.
pub fn search(f: &Function, known: &[Vec<f64>], aim: &Aim) -> Found {
    let mut found = Found { upper: 0.0, lower: 0.0, direction: vec![0.0; f.d], cells: 0, work: 0.0 };
    for u in known {
        see(&mut found, f.value(u), u);
    }
    let all: Vec<u32> = (0..f.size.len() as u32).filter(|&i| f.size[i as usize] > 0.0).collect();
    let none = vec![0.0; f.d * f.q];
    let starts = roots(f);
    let mut heap: BinaryHeap<Cell> =
        starts.into_par_iter().map(|g| f.cell(g, &none, &all, 0, f64::INFINITY)).collect::<Vec<_>>().into();
    let mut bytes = heap.iter().map(Cell::bytes).sum::<usize>();
    found.work = (heap.len() * all.len()) as f64;
    found.cells = heap.len();
    for c in &heap {
        c.generators.chunks_exact(f.d).for_each(|t| see(&mut found, f.value(t), t));
    }
    let mut settled: f64 = 0.0;
    let mut depth = 0;
    loop {
        let top = heap.peek().map_or(0.0, |c: &Cell| c.upper).max(settled);
        // nothing is gained below what is attained
        let stop = aim.limit.max(found.lower * (1.0 + aim.tolerance));
        found.upper = top;
        if top <= stop || heap.is_empty() || found.work >= aim.work || bytes >= MEMORY || aim.budget.exhausted() {
            break;
        }
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH && heap.peek().is_some_and(|c| c.upper > stop) {
            batch.extend(heap.pop());
        }
        let tried: Vec<(Vec<Cell>, [Seen; 2])> = batch.par_iter().map(|c| f.split(c)).collect();
        for ((parts, seen), parent) in tried.into_iter().zip(&batch) {
            seen.iter().for_each(|(value, u)| see(&mut found, *value, u));
            // a cone that no row crosses costs something too
            let pairs = (parent.crossing.len() + f.d) * (parent.generators.len() / f.d);
            found.work += 2.0 * (ROUNDS * pairs) as f64 / PAIRS;
            bytes -= parent.bytes();
            found.cells += parts.len();
            if parts.is_empty() {
                settled = settled.max(parent.upper);
            }
            for c in parts {
                depth = depth.max(c.depth);
                if c.upper <= stop {
                    settled = settled.max(c.upper);
                } else {
                    bytes += c.bytes();
                    heap.push(c);
                }
            }
        }
    }
    // what rounding left between parts: u' = u + e with |e| <= drift |u|, on which f changes by no more than the norm of the slope
    let drift = DRIFT * (depth as f64 + 2.0);
    let slope = f.norm.dual_upper(&f.magnitude);
    let tiny = f64::MIN_POSITIVE * (f.v.len() + f.w.len()) as f64 * (1.0 + slope);
    found.upper = (found.upper * (1.0 + drift) + drift * slope + tiny).next_up();
    found
}

fn see(found: &mut Found, value: f64, u: &[f64]) {
    if value > found.lower {
        (found.lower, found.direction) = (value, u.to_vec());
    }
}

/// The generators of the cones to start from: e_j and -e_j for l1, else those of every orthant.
fn roots(f: &Function) -> Vec<Vec<f64>> {
    let d = f.d;
    let axes = |signs: &dyn Fn(usize) -> f64| -> Vec<f64> {
        (0..d * d).map(|k| if k / d == k % d { signs(k % d) } else { 0.0 }).collect()
    };
    match f.sign {
        Some(s) => vec![axes(&|_| s)],
        None if is_l1(f.norm) => vec![[axes(&|_| 1.0), axes(&|_| -1.0)].concat()],
        None => (0..1usize << d).map(|k| axes(&|j| if k >> j & 1 == 0 { 1.0 } else { -1.0 })).collect(),
    }
}

impl Function<'_> {
    /// The two parts of a cone, none where it cannot be split, and points seen on the way.
    fn split(&self, c: &Cell) -> (Vec<Cell>, [Seen; 2]) {
        let d = self.d;
        let top = (self.value(&c.top), c.top.clone());
        let (gone, middle) = match c.split {
            Split::None => return (Vec::new(), [top, (0.0, Vec::new())]),
            Split::Sign(j, k) => ([j, k], None),
            Split::Edge(j, k, share) => {
                let (a, b) = (&c.generators[j * d..(j + 1) * d], &c.generators[k * d..(k + 1) * d]);
                let mut x: Vec<f64> = a.iter().zip(b).map(|(a, b)| (1.0 - share) * a + share * b).collect();
                // powers of two change no ratio
                let scale = unit_scale(&x);
                x.iter_mut().for_each(|x| *x *= scale);
                ([j, k], Some(x))
            }
        };
        let parts = gone.iter().map(|&gone| {
            let mut g = c.generators.clone();
            match &middle {
                Some(x) => g[gone * d..(gone + 1) * d].copy_from_slice(x),
                None => {
                    g.drain(gone * d..(gone + 1) * d);
                }
            }
            self.cell(g, &c.active, &c.crossing, c.depth + 1, c.upper)
        });
        let parts = parts.collect();
        let seen = middle.map_or((0.0, Vec::new()), |x| (self.value(&x), x));
        (parts, [top, seen])
    }

    /// A cone inside one with these active and crossing rows and this bound.
    fn cell(&self, g: Vec<f64>, active: &[f64], among: &[u32], depth: usize, parent: f64) -> Cell {
        let (d, q) = (self.d, self.q);
        let count = g.len() / d;
        let mut active = active.to_vec();
        let mut crossing = Vec::new();
        // s_ij of the crossing rows
        let mut s = Vec::new();
        let mut line = vec![0.0; count];
        for &i in among {
            let v = self.row(i);
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            for (x, t) in line.iter_mut().zip(g.chunks_exact(d)) {
                *x = dot(v, t);
                low = low.min(*x);
                high = high.max(*x);
            }
            if low < 0.0 && high > 0.0 {
                crossing.push(i);
                s.extend_from_slice(&line);
            } else if high > 0.0 {
                for o in 0..q {
                    let w = self.w[i as usize * q + o];
                    (0..d).for_each(|r| active[o * d + r] += v[r] * w);
                }
            }
        }
        let crossing = crossing.into();
        let mut c = Cell { upper: parent, depth, generators: g, active, crossing, split: Split::None, top: Vec::new() };
        let weights = self.bound(&mut c, &s);
        c.split = self.choose(&c, &s, &weights);
        c
    }

    /// Lowers the cone's bound; returns how much its generators count where it is attained.
    fn bound(&self, c: &mut Cell, s: &[f64]) -> Vec<f64> {
        let d = self.d;
        let count = c.generators.len() / d;
        let gens: Vec<&[f64]> = c.generators.chunks_exact(d).collect();
        // c_j is formed along at most as many sums as there are rows, of products of d terms; signs were taken at every level
        let rounding = 2.0 * gamma(self.size.len() + 2 * d + 2 * self.q + 4 * c.depth + 64);
        let errors: Vec<f64> = (gens.iter())
            .map(|t| rounding * t.iter().zip(&self.magnitude).map(|(t, m)| t.abs() * m).sum::<f64>())
            .collect();
        // |t_j|_1, no less
        let sizes: Vec<f64> =
            gens.iter().map(|t| t.iter().map(|t| t.abs()).sum::<f64>() * (1.0 - gamma(d + 4))).collect();
        let l1 = is_l1(self.norm);
        let sign: Vec<f64> = (0..d).map(|r| gens.iter().map(|t| t[r]).sum::<f64>().signum()).collect();
        let means = self.means(c);
        let mut score = vec![0.0; count];
        let mut alpha = vec![0.0; c.crossing.len()];
        let mut x = vec![0.0; d];
        let rounds = match (c.crossing.is_empty(), l1) {
            (true, true) => 1,
            (true, false) => ROUNDS / 3,
            _ => ROUNDS,
        };
        let mut weights = vec![1.0 / count as f64; count];
        let mut best = f64::INFINITY;
        for round in 0..rounds {
            let mut u = vec![0.0; d];
            for ((t, b), size) in gens.iter().zip(&weights).zip(&sizes) {
                u.iter_mut().zip(*t).for_each(|(u, t)| *u += b * t / size);
            }
            let share = 1.0 / (1.0 + round as f64);
            for (a, &i) in alpha.iter_mut().zip(&c.crossing) {
                let side = f64::from(u8::from(dot(self.row(i), &u) > 0.0));
                *a += share * (side - *a);
            }
            let prices: Vec<f64> =
                self.prices(c, s, &means, &alpha).iter().zip(&errors).map(|(p, e)| (p + e).next_up()).collect();
            if prices.iter().any(|p| !p.is_finite()) {
                break;
            }
            let (upper, ratios) = if l1 {
                let ratios: Vec<f64> = prices.iter().zip(&sizes).map(|(p, s)| p / s).collect();
                (ratios.iter().fold(0.0, |m: f64, r| m.max(*r)).next_up(), ratios)
            } else {
                let y = self.subgradient(&u, &sign);
                x.iter_mut().zip(&y).for_each(|(x, y)| *x += share * (y - *x));
                self.in_ball(c, &gens, &prices, &alpha, &x, &sign, &u)
            };
            best = best.min(upper);
            if best < c.upper || c.top.is_empty() {
                c.upper = c.upper.min(best);
                c.top.clone_from(&u);
            }
            let (low, high) =
                ratios.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h): (f64, f64), r| (l.min(*r), h.max(*r)));
            if high <= low || round + 1 == rounds {
                continue;
            }
            let rate = 2.0 / (1.0 + round as f64).sqrt();
            score.iter_mut().zip(&ratios).for_each(|(s, r)| *s += rate * (r - high) / (high - low));
            let top = score.iter().fold(f64::NEG_INFINITY, |m: f64, s| m.max(*s));
            let total: f64 = score.iter().map(|s| (s - top).exp()).sum();
            weights = score.iter().map(|s| (s - top).exp() / total).collect();
        }
        weights
    }

    /// m_j = sum over the active rows of w_i s_ij, q for every generator.
    fn means(&self, c: &Cell) -> Vec<f64> {
        let (d, q) = (self.d, self.q);
        let of = |t: &[f64]| (0..q).map(|o| dot(t, &c.active[o * d..(o + 1) * d])).collect::<Vec<f64>>();
        c.generators.chunks_exact(d).flat_map(of).collect()
    }

    /// c_j, but for rounding.
    fn prices(&self, c: &Cell, s: &[f64], means: &[f64], alpha: &[f64]) -> Vec<f64> {
        let q = self.q;
        let count = c.generators.len() / self.d;
        let mut price = means.to_vec();
        if matches!(self.ends, Ends::One) {
            for ((&i, a), s) in c.crossing.iter().zip(alpha).zip(s.chunks_exact(count)) {
                let w = self.w[i as usize];
                if w > 0.0 {
                    price.iter_mut().zip(s).for_each(|(p, s)| *p += w * s.max(0.0));
                } else {
                    price.iter_mut().zip(s).for_each(|(p, s)| *p += w * a * s);
                }
            }
            return price;
        }
        let mut spread = vec![0.0; count];
        for ((&i, a), s) in c.crossing.iter().zip(alpha).zip(s.chunks_exact(count)) {
            let w = &self.w[i as usize * q..(i as usize + 1) * q];
            for j in 0..count {
                let (high, low) = (s[j].max(0.0), a * s[j]);
                (0..q).for_each(|o| price[j * q + o] += w[o] * 0.5 * (high + low));
                spread[j] += self.size[i as usize] * 0.5 * (high - low);
            }
        }
        price.chunks_exact(q).zip(&spread).map(|(m, e)| (self.ends(m) + e) * (1.0 + gamma(8))).collect()
    }

    /// A vector of the orthant with <x, u> about ||u||_D and a dual norm about 1.
    fn subgradient(&self, u: &[f64], sign: &[f64]) -> Vec<f64> {
        let step = 1e-4 * u.iter().fold(0.0, |m: f64, u| m.max(u.abs()));
        let mut x = u.to_vec();
        self.norm.prox(&mut x, &vec![1.0; u.len()], step);
        let all: Vec<f64> = u.iter().zip(&x).map(|(u, x)| (u - x) / step).collect();
        all.iter().zip(sign).map(|(x, s)| s * (s * x).max(0.0)).collect()
    }

    /// The bound on the ball of any absolute norm, and by how much every generator decides it.
    fn in_ball(
        &self,
        c: &Cell,
        gens: &[&[f64]],
        prices: &[f64],
        alpha: &[f64],
        x: &[f64],
        sign: &[f64],
        u: &[f64],
    ) -> (f64, Vec<f64>) {
        let d = self.d;
        // a little of the orthant's middle, so that every generator counts
        let middle = 1e-9 * x.iter().fold(f64::MIN_POSITIVE, |m: f64, x| m.max(x.abs()));
        let x: Vec<f64> = x.iter().zip(sign).map(|(x, s)| x + s * middle).collect();
        let lower: Vec<f64> = gens.iter().map(|t| dot(t, &x) * (1.0 - gamma(d + 4))).collect();
        let ratios: Vec<f64> = prices.iter().zip(&lower).map(|(p, l)| p / l).collect();
        // the piece of f around u, where it is linear
        let mut near = vec![0.0; d];
        let mut y = vec![0.0; self.q];
        let mut total = c.active.clone();
        for (&i, a) in c.crossing.iter().zip(alpha) {
            let v = self.row(i);
            for o in 0..self.q {
                let w = self.w[i as usize * self.q + o] * a;
                (0..d).for_each(|r| total[o * d + r] += v[r] * w);
            }
        }
        let ends: Vec<f64> = match &self.ends {
            Ends::One => vec![1.0],
            Ends::Norm(norm, side) => {
                (0..self.q).for_each(|o| y[o] = dot(u, &total[o * d..(o + 1) * d]));
                let mut y = clipped(&y, *side);
                norm.dual_argmax(&mut y);
                y
            }
        };
        (0..self.q).for_each(|o| (0..d).for_each(|r| near[r] += ends[o] * total[o * d + r]));
        near.iter_mut().zip(sign).for_each(|(x, s)| *x = s * (s * *x).max(0.0));
        let mut best = f64::INFINITY;
        for share in [0.0, 0.5, 1.0] {
            let y: Vec<f64> = near.iter().map(|y| share * y).collect();
            let theta = gens
                .iter()
                .zip(prices)
                .zip(&lower)
                .map(|((t, p), l)| {
                    // products of one sign: nothing cancels
                    let rest = (p - dot(t, &y) * (1.0 - gamma(d + 4))) * (1.0 + gamma(4));
                    if rest <= 0.0 { 0.0 } else { rest / l }
                })
                .fold(0.0, f64::max);
            let whole: Vec<f64> = y.iter().zip(&x).map(|(y, x)| y + theta * (1.0 + gamma(8)) * x).collect();
            let upper = self.norm.dual_upper(&whole) * (1.0 + gamma(8));
            // a generator that x does not see says nothing
            if upper.is_finite() {
                best = best.min(upper.next_up());
            }
        }
        (best, ratios)
    }

    /// Where to split: between e_j and -e_j first, else on the edge on which crossing rows cost most, at the zero of the one that does.
    fn choose(&self, c: &Cell, s: &[f64], weights: &[f64]) -> Split {
        let d = self.d;
        let gens: Vec<&[f64]> = c.generators.chunks_exact(d).collect();
        let count = gens.len();
        let cost = |i: u32, a: f64, b: f64| self.size[i as usize] * a.abs() * b.abs() / (a.abs() + b.abs());
        let sum = |j: usize, k: usize| -> f64 {
            (c.crossing.iter().zip(s.chunks_exact(count)))
                .filter(|(_, s)| s[j] * s[k] < 0.0)
                .map(|(&i, s)| cost(i, s[j], s[k]))
                .sum()
        };
        let opposite = |j: usize, k: usize| gens[j].iter().zip(gens[k]).all(|(a, b)| *a == -*b);
        let mut best: Option<(f64, Split)> = None;
        let mut offer = |score: f64, split: Split| {
            if best.is_none_or(|b| score > b.0) {
                best = Some((score, split));
            }
        };
        if self.sign.is_none() && is_l1(self.norm) {
            for j in 0..count {
                for k in (j + 1..count).filter(|&k| opposite(j, k)) {
                    offer(sum(j, k) * (weights[j] + weights[k]), Split::Sign(j, k));
                }
            }
            if let Some((_, split)) = best {
                return split;
            }
        }
        let several = !matches!(self.ends, Ends::One);
        let means = if several { self.means(c) } else { Vec::new() };
        let bends = !is_l1(self.norm);
        let mut best: Option<(f64, usize, usize)> = None;
        let mut longest = (0.0, 0, 0);
        let unit: Vec<f64> = gens.iter().map(|t| t.iter().map(|t| t.abs()).sum()).collect();
        for j in 0..count {
            for k in j + 1..count {
                let apart: f64 = gens[j].iter().zip(gens[k]).map(|(a, b)| (a / unit[j] - b / unit[k]).abs()).sum();
                if apart > longest.0 {
                    longest = (apart, j, k);
                }
                let mut score = sum(j, k);
                if several {
                    let q = self.q;
                    let (a, b) = (&means[j * q..(j + 1) * q], &means[k * q..(k + 1) * q]);
                    let both: Vec<f64> = a.iter().zip(b).map(|(a, b)| a + b).collect();
                    score += 0.5 * (self.ends(a) + self.ends(b) - self.ends(&both)).max(0.0);
                }
                let score = score * (weights[j] * weights[k]).sqrt().max(1e-6);
                if score > best.map_or(0.0, |b| b.0) {
                    best = Some((score, j, k));
                }
            }
        }
        let apart = |j: usize, k: usize| -> f64 {
            gens[j].iter().zip(gens[k]).map(|(a, b)| (a / unit[j] - b / unit[k]).abs()).sum()
        };
        let (j, k) = match best {
            Some((_, j, k)) if !bends || apart(j, k) > 0.05 * longest.0 => (j, k),
            // a norm that bends needs small cones even where f is linear
            _ if (bends || several || best.is_some()) && longest.0 > 1e-9 => (longest.1, longest.2),
            Some((_, j, k)) => (j, k),
            None => return Split::None,
        };
        let (mut share, mut top) = (0.5, 0.0);
        for (&i, s) in c.crossing.iter().zip(s.chunks_exact(count)) {
            let (a, b) = (s[j], s[k]);
            if a * b < 0.0 && cost(i, a, b) > top {
                top = cost(i, a, b);
                share = a.abs() / (a.abs() + b.abs());
            }
        }
        Split::Edge(j, k, share.clamp(CLIP, 1.0 - CLIP))
    }
}
