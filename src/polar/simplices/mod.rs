//! Networks under any gauges: branch and bound over cones of the inputs' own coordinates.
//!
//! ```text
//! u = sum_j a_j t_j, a >= 0,    s_ij = v_i't_j,   row i is active, inactive or crossing;   f(u) <= sum_j a_j c_j
//! one output:   c_j = sum_active z_i s_ij + sum_crossing (z_i > 0: z_i max(s_ij, 0);   z_i < 0: z_i alpha_i s_ij),  any alpha in [0, 1]
//! several:      c_j = gauge_2°(m_j) + e_j,  m_j, e_j: sums of w_i and of their norms times the middle and the half of
//!               [alpha_i s_ij, max(s_ij, 0)]
//! ```
//!
//! `ball` says what that makes of the gauge's ball, `split` where to split a cone that is not small enough: what rounding makes of a
//! point of an edge moves every u by no more than a few units of its last places, coordinate by coordinate; [`DRIFT`] per level covers
//! it.

mod ball;
mod split;

use super::best_first::{Found, Queue};
use super::bound::Aim;
use super::generators::{Cone, DRIFT, Rows, Sides};
use crate::gauge::{Gauge, Norm};
use crate::linalg::sum::gamma;
use crate::linalg::vector::unit_scale;
use crate::linalg::{Mat, dense};
use rayon::prelude::*;

/// Cones that are split together: fixed, so that results do not depend on the number of threads.
const BATCH: usize = 32;
/// Bytes that cones may take.
const MEMORY: usize = 1 << 30;
/// Products of a row and a generator that count as a pair.
const PAIRS: f64 = 16.0;
/// Inputs up to which all orthants are started from, for norms other than l1.
pub const ORTHANTS: usize = 8;
/// Inputs up to which a cone is worth its while.
pub const INPUTS: usize = 64;

/// A value of f, and where.
type Seen = (f64, Vec<f64>);

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
        let by_rows = |x: &Mat| -> Vec<f64> { dense::transpose(x).data.into() };
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
type Cell = Cone<Split>;

/// How a cone is split.
#[derive(Clone, Copy)]
enum Split {
    /// Generators j, k and the share of k in the point between them.
    Edge(usize, usize, f64),
    /// Generators j, k with t_k = -t_j.
    Sign(usize, usize),
    /// Nothing to split.
    None,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The part of y on an orthant.
fn clipped(y: &[f64], sign: Option<f64>) -> Vec<f64> {
    y.iter().map(|y| sign.map_or(*y, |s| s * (s * y).max(0.0))).collect()
}

/// A bound of f on the unit ball, and the work that it took, counted in pairs of a cone and a row that crosses it. `known` are directions worth
/// trying, in the coordinates without weights.
pub fn search(f: &Function, known: &[Vec<f64>], aim: &Aim) -> (Found, f64) {
    let mut found = Found::nothing(f.d);
    for u in known {
        found.see(f.value(u), u);
    }
    let all: Vec<u32> = (0..f.size.len() as u32).filter(|&i| f.size[i as usize] > 0.0).collect();
    let none = vec![0.0; f.d * f.q];
    let starts = roots(f);
    let mut queue = Queue::default();
    queue.open(starts.into_par_iter().map(|g| f.cell(g, &none, &all, 0, f64::INFINITY)).collect());
    found.cells = queue.iter().count();
    let mut work = (found.cells * all.len()) as f64;
    for c in queue.iter() {
        c.generators.chunks_exact(f.d).for_each(|t| found.see(f.value(t), t));
    }
    while let Some((batch, stop)) = queue.next(BATCH, &mut found, aim, work, MEMORY) {
        let tried: Vec<(Vec<Cell>, [Seen; 2])> = batch.par_iter().map(|c| f.split(c)).collect();
        for ((parts, seen), parent) in tried.into_iter().zip(&batch) {
            seen.iter().for_each(|(value, u)| found.see(*value, u));
            // a cone that no row crosses costs something too
            let pairs = (parent.crossing.len() + f.d) * (parent.generators.len() / f.d);
            work += 2.0 * (ball::ROUNDS * pairs) as f64 / PAIRS;
            found.cells += parts.len();
            if parts.is_empty() {
                queue.settle(parent.upper);
            }
            parts.into_iter().for_each(|c| queue.offer(c, stop));
        }
    }
    // what rounding left between parts: u' = u + e with |e| <= drift |u|, on which f changes by no more than the norm of the slope
    let drift = DRIFT * (queue.depth() as f64 + 2.0);
    let slope = f.norm.dual_upper(&f.magnitude);
    let tiny = f64::MIN_POSITIVE * (f.v.len() + f.w.len()) as f64 * (1.0 + slope);
    found.upper = (found.upper * (1.0 + drift) + drift * slope + tiny).next_up();
    (found, work)
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
    /// A cone inside one with these active and crossing rows and this bound.
    fn cell(&self, g: Vec<f64>, active: &[f64], among: &[u32], depth: usize, parent: f64) -> Cell {
        let rows = Rows { t: &self.v, w: &self.w, d: self.d, q: self.q };
        let Sides { active, crossing, products: s } = rows.sides(&g, active, among);
        let mut c = Cell { upper: parent, depth, generators: g, active, crossing, split: Split::None, top: Vec::new() };
        let weights = self.bound(&mut c, &s);
        c.split = self.choose(&c, &s, &weights);
        c
    }
}
