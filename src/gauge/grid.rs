//! Total variation on a grid with absolute values, in any diagonal metric, exactly.
//!
//! ```text
//! argmin 1/2 sum m_j (x_j - b_j)^2 + a sum |x_j| + c sum_(j,k) |x_k - x_j|         (j,k): neighbours in a row or a column
//! ```
//!
//! The superlevel sets {x > s} are minimum cuts: of all sets S, {x > s} has the least slope m (s - b) (S) + .. + c cut(S) of the
//! objective along its indicator. A block that no cut improves at the root s of its own slope is constant; otherwise what is
//! above s and what is not are blocks of their own, with their common edges saturated. Every split is final, so there are
//! fewer than n of them. Source: Hochbaum, "An efficient algorithm for image segmentation, Markov random fields and related
//! problems", J. ACM 48 (2001); Chambolle & Darbon, IJCV 84 (2009). The flow that shows that a block cannot be improved is the
//! dual variable on its edges.

use std::collections::VecDeque;

/// A grid of pixels in rows, the last index fastest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    shape: (usize, usize),
    edges: Vec<(usize, usize)>,
}

impl Grid {
    /// A grid of so many rows and columns.
    pub fn new(shape: (usize, usize)) -> Self {
        let (rows, cols) = shape;
        let right = |j: usize| (j % cols + 1 < cols).then_some((j, j + 1));
        let below = |j: usize| (j / cols + 1 < rows).then_some((j, j + cols));
        Self { shape, edges: (0..rows * cols).flat_map(|j| right(j).into_iter().chain(below(j))).collect() }
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// The pairs (j, k), j < k, of neighbours.
    pub fn edges(&self) -> &[(usize, usize)] {
        &self.edges
    }

    /// sum_(j,k) |x_k - x_j|.
    pub fn variation(&self, x: &[f64]) -> f64 {
        self.edges.iter().map(|&(j, k)| (x[k] - x[j]).abs()).sum()
    }
}

/// Both sides of the optimality condition m (x - b) + a s + D'z = 0, where s and z / c are subgradients of |x_j| and
/// |x_k - x_j|.
#[derive(Clone, Debug)]
pub struct Optimum {
    /// x
    pub x: Vec<f64>,
    /// z on the edges, |z| <= c.
    pub z: Vec<f64>,
}

/// (D'z)_j = what comes in at j less what leaves it.
pub fn adjoint(edges: &[(usize, usize)], z: &[f64], n: usize) -> Vec<f64> {
    let mut out = vec![0.0; n];
    for (&(j, k), z) in edges.iter().zip(z) {
        out[k] += z;
        out[j] -= z;
    }
    out
}

/// Solves for m >= 0 with some m_j > 0 or a > 0, a >= 0, c > 0.
pub fn solve(b: &[f64], m: &[f64], a: f64, c: f64, edges: &[(usize, usize)]) -> Optimum {
    let n = b.len();
    let mut solver = Solver {
        m,
        b,
        c,
        edges,
        at: incidence(edges, n),
        e: vec![0.0; n],
        place: vec![usize::MAX; n],
        x: vec![0.0; n],
        z: vec![0.0; edges.len()],
    };
    let all: Vec<usize> = (0..n).collect();
    let everywhere = (f64::NEG_INFINITY, f64::INFINITY);
    if a > 0.0 {
        let up = solver.improving(&all, |j| a - m[j] * b[j]);
        let down = solver.improving(&all, |j| a + m[j] * b[j]);
        let is_down = |j: usize| down[j] && !up[j];
        let of = |keep: &dyn Fn(usize) -> bool| all.iter().copied().filter(|j| keep(*j)).collect::<Vec<_>>();
        let (positive, negative) = (of(&|j| up[j]), of(&is_down));
        solver.saturate(&all, &up);
        let rest = of(&|j| !up[j]);
        let higher: Vec<bool> = (0..n).map(|j| !is_down(j)).collect();
        solver.saturate(&rest, &higher);
        solver.rest_at_zero(&of(&|j| !up[j] && !is_down(j)), a);
        positive.iter().for_each(|&j| solver.e[j] += a);
        negative.iter().for_each(|&j| solver.e[j] -= a);
        solver.blocks(positive, (0.0, f64::INFINITY));
        solver.blocks(negative, (f64::NEG_INFINITY, 0.0));
    } else {
        solver.blocks(all, everywhere);
    }
    Optimum { x: solver.x, z: solver.z }
}

/// The set with the least sum of `slopes` + c cut, the smallest of them.
pub fn least_set(slopes: &[f64], c: f64, edges: &[(usize, usize)]) -> Vec<bool> {
    let n = slopes.len();
    let all: Vec<usize> = (0..n).collect();
    let mut solver = Solver {
        m: &[],
        b: &[],
        c,
        edges,
        at: incidence(edges, n),
        e: Vec::new(),
        place: vec![usize::MAX; n],
        x: Vec::new(),
        z: Vec::new(),
    };
    solver.improving(&all, |j| slopes[j])
}

/// The edges at each node.
fn incidence(edges: &[(usize, usize)], n: usize) -> Vec<Vec<usize>> {
    let mut at = vec![Vec::new(); n];
    for (e, &(j, k)) in edges.iter().enumerate() {
        at[j].push(e);
        at[k].push(e);
    }
    at
}

struct Solver<'a> {
    m: &'a [f64],
    b: &'a [f64],
    c: f64,
    edges: &'a [(usize, usize)],
    at: Vec<Vec<usize>>,
    /// What absolute values and saturated edges add to the slope of each node.
    e: Vec<f64>,
    /// Where a node stands in the block at work; `usize::MAX` outside of it.
    place: Vec<usize>,
    x: Vec<f64>,
    z: Vec<f64>,
}

impl Solver<'_> {
    /// The network of a block: its inner edges with capacity c both ways, `more` nodes behind its own. Returns the edges with
    /// their arcs too.
    fn network(&mut self, block: &[usize], more: usize) -> (Network, Vec<(usize, usize)>) {
        block.iter().enumerate().for_each(|(p, &j)| self.place[j] = p);
        let mut net = Network::new(block.len() + more);
        let mut arcs = Vec::new();
        for (p, &j) in block.iter().enumerate() {
            for &e in &self.at[j] {
                let (first, second) = self.edges[e];
                if first == j && self.place[second] != usize::MAX {
                    arcs.push((e, net.join(p, self.place[second], self.c, self.c)));
                }
            }
        }
        block.iter().for_each(|&j| self.place[j] = usize::MAX);
        (net, arcs)
    }

    /// The smallest set within a block of which the sum of slopes and c cut is least, as a flag per node.
    fn improving(&mut self, block: &[usize], slope: impl Fn(usize) -> f64) -> Vec<bool> {
        let (mut net, _) = self.network(block, 2);
        let slopes: Vec<f64> = block.iter().map(|&j| slope(j)).collect();
        net.supply(&slopes);
        net.maximise();
        let mut out = vec![false; self.at.len()];
        net.reached().iter().zip(block).for_each(|(r, &j)| out[j] = *r);
        out
    }

    /// Fixes the edges of a block between what is higher and what is not.
    fn saturate(&mut self, block: &[usize], higher: &[bool]) {
        block.iter().for_each(|&j| self.place[j] = 0);
        for &j in block {
            for &e in &self.at[j] {
                let (first, second) = self.edges[e];
                if first != j || self.place[second] == usize::MAX || higher[first] == higher[second] {
                    continue;
                }
                let z = if higher[second] { self.c } else { -self.c };
                self.z[e] = z;
                self.e[second] += z;
                self.e[first] -= z;
            }
        }
        block.iter().for_each(|&j| self.place[j] = usize::MAX);
    }

    /// The dual variables where x = 0: a flow with -D'z within a of the slope.
    fn rest_at_zero(&mut self, block: &[usize], a: f64) {
        let (hub, source, sink) = (block.len(), block.len() + 1, block.len() + 2);
        let (mut net, arcs) = self.network(block, 3);
        let mut forced = 0.0;
        for (p, &j) in block.iter().enumerate() {
            let slope = self.e[j] - self.m[j] * self.b[j];
            // -(D'z)_j, what must come in, lies in [slope - a, slope + a]
            let (low, high) = (slope - a, slope + a);
            let must = if low > 0.0 { low } else { high.min(0.0) };
            if must > 0.0 {
                net.join(p, sink, must, 0.0);
            } else if must < 0.0 {
                net.join(source, p, -must, 0.0);
            }
            forced += must;
            // what may come in beyond that goes to the hub, and what may leave comes from it
            net.join(p, hub, high - must, must - low);
        }
        if forced > 0.0 {
            net.join(source, hub, forced, 0.0);
        } else {
            net.join(hub, sink, -forced, 0.0);
        }
        net.ends = (source, sink);
        net.maximise();
        arcs.iter().for_each(|&(e, arc)| self.z[e] = -net.flow(arc));
    }

    /// Splits a block until every part is constant; its values lie within the bounds.
    fn blocks(&mut self, first: Vec<usize>, bounds: (f64, f64)) {
        let mut pending = vec![(first, bounds)];
        while let Some((block, (lo, hi))) = pending.pop() {
            if block.is_empty() {
                continue;
            }
            let mass: f64 = block.iter().map(|&j| self.m[j]).sum();
            let pull: f64 = block.iter().map(|&j| self.m[j] * self.b[j] - self.e[j]).sum();
            // without mass the slope is 0: any value that its neighbours allow will do
            let level = (if mass > 0.0 { pull / mass } else { 0.0 }).max(lo).min(hi);
            let (mut net, arcs) = self.network(&block, 2);
            let slopes: Vec<f64> = block.iter().map(|&j| self.m[j] * (level - self.b[j]) + self.e[j]).collect();
            net.supply(&slopes);
            net.maximise();
            let up = net.reached();
            let risen = up.iter().take(block.len()).filter(|u| **u).count();
            if risen == 0 || risen == block.len() {
                block.iter().for_each(|&j| self.x[j] = level);
                arcs.iter().for_each(|&(e, arc)| self.z[e] = -net.flow(arc));
                continue;
            }
            let mut higher = vec![false; self.at.len()];
            up.iter().zip(&block).for_each(|(u, &j)| higher[j] = *u);
            self.saturate(&block, &higher);
            let (above, below) = block.into_iter().partition(|&j| higher[j]);
            pending.push((above, (level, hi)));
            pending.push((below, (lo, level)));
        }
    }
}

/// A flow network; arcs lie in pairs, 2 i and 2 i + 1 being each other's reverse.
struct Network {
    out: Vec<Vec<usize>>,
    to: Vec<usize>,
    /// What an arc can still carry.
    left: Vec<f64>,
    /// What it could carry at first.
    capacity: Vec<f64>,
    ends: (usize, usize),
    /// Below this nothing is left.
    none: f64,
}

/// The share of all that flows that counts as rounding.
const ROUNDING: f64 = 1e-15;

impl Network {
    fn new(nodes: usize) -> Self {
        Self {
            out: vec![Vec::new(); nodes],
            to: Vec::new(),
            left: Vec::new(),
            capacity: Vec::new(),
            ends: (nodes.wrapping_sub(2), nodes.wrapping_sub(1)),
            none: 0.0,
        }
    }

    /// An arc with capacities both ways; its number.
    fn join(&mut self, from: usize, to: usize, there: f64, back: f64) -> usize {
        let arc = self.to.len();
        for (a, b, capacity) in [(from, to, there), (to, from, back)] {
            self.out[a].push(self.to.len());
            self.to.push(b);
            self.left.push(capacity);
            self.capacity.push(capacity);
        }
        arc
    }

    /// Nodes of negative slope are fed by the source, those of positive slope drain into the sink.
    fn supply(&mut self, slopes: &[f64]) {
        let (source, sink) = self.ends;
        for (p, s) in slopes.iter().enumerate() {
            if *s < 0.0 {
                self.join(source, p, -s, 0.0);
            } else if *s > 0.0 {
                self.join(p, sink, *s, 0.0);
            }
        }
    }

    /// What flows along an arc, less than 0 against it.
    fn flow(&self, arc: usize) -> f64 {
        self.capacity[arc] - self.left[arc]
    }

    /// Dinic's algorithm: blocking flows along shortest paths until the sink is out of reach.
    fn maximise(&mut self) {
        let fed: f64 = self.out[self.ends.0].iter().map(|&a| self.capacity[a]).sum();
        self.none = ROUNDING * fed;
        while let Some(depth) = self.depths() {
            let mut next = vec![0; self.out.len()];
            while self.augment(&depth, &mut next) {}
        }
    }

    /// Distance from the source along arcs with something left; `None` if the sink is out of reach.
    fn depths(&self) -> Option<Vec<usize>> {
        let depth = self.breadth_first();
        (depth[self.ends.1] < usize::MAX).then_some(depth)
    }

    fn breadth_first(&self) -> Vec<usize> {
        let mut depth = vec![usize::MAX; self.out.len()];
        depth[self.ends.0] = 0;
        let mut queue = VecDeque::from([self.ends.0]);
        while let Some(v) = queue.pop_front() {
            for &arc in &self.out[v] {
                if self.left[arc] > self.none && depth[self.to[arc]] == usize::MAX {
                    depth[self.to[arc]] = depth[v] + 1;
                    queue.push_back(self.to[arc]);
                }
            }
        }
        depth
    }

    /// Sends what one path can carry; whether there was one.
    fn augment(&mut self, depth: &[usize], next: &mut [usize]) -> bool {
        let (source, sink) = self.ends;
        let mut path: Vec<usize> = Vec::new();
        let mut v = source;
        while v != sink {
            let arc = self.out[v].get(next[v]).copied();
            match arc {
                Some(arc) if self.left[arc] > self.none && depth[self.to[arc]] == depth[v] + 1 => {
                    path.push(arc);
                    v = self.to[arc];
                }
                Some(_) => next[v] += 1,
                None => {
                    // a dead end: back to where it was entered from
                    let Some(arc) = path.pop() else { return false };
                    v = self.to[arc ^ 1];
                    next[v] += 1;
                }
            }
        }
        let amount = path.iter().map(|&arc| self.left[arc]).fold(f64::INFINITY, f64::min);
        for arc in path {
            self.left[arc] -= amount;
            self.left[arc ^ 1] += amount;
        }
        true
    }

    /// Which nodes the source still reaches.
    fn reached(&self) -> Vec<bool> {
        self.breadth_first().iter().map(|d| *d < usize::MAX).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gauge::fused::fused;
    use rand::{RngExt, SeedableRng};

    /// The largest violation of the optimality condition.
    fn excess(o: &Optimum, b: &[f64], m: &[f64], a: f64, c: f64, edges: &[(usize, usize)]) -> f64 {
        let mut worst: f64 = 0.0;
        for (&(j, k), z) in edges.iter().zip(&o.z) {
            let d = o.x[k] - o.x[j];
            let miss = if d == 0.0 { z.abs() - c } else { (z - c * d.signum()).abs() };
            worst = worst.max(miss);
        }
        let drift = adjoint(edges, &o.z, b.len());
        for j in 0..b.len() {
            let slope = m[j] * (o.x[j] - b[j]) + drift[j];
            let miss = if o.x[j] == 0.0 { slope.abs() - a } else { (slope + a * o.x[j].signum()).abs() };
            worst = worst.max(miss);
        }
        worst
    }

    #[test]
    fn the_optimality_conditions_hold_on_grids_of_every_shape_with_ties_and_weights_of_zero() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        for round in 0..1500 {
            let grid = Grid::new((rng.random_range(1..7), rng.random_range(1..7)));
            let (n, edges) = (grid.shape.0 * grid.shape.1, grid.edges());
            let tied = round % 2 == 0;
            let draw = |x: f64| if tied { x.round() } else { x };
            let b: Vec<f64> = (0..n).map(|_| draw(rng.random_range(-3.0..3.0))).collect();
            let holes = round % 5 == 0;
            let m: Vec<f64> =
                (0..n).map(|_| if holes && rng.random_bool(0.3) { 0.0 } else { rng.random_range(0.1..3.0) }).collect();
            let m = if round % 4 == 0 { vec![1.0; n] } else { m };
            let a = if round % 3 == 0 { 0.0 } else { draw(rng.random_range(0.0..1.5)) };
            let c = if tied { 0.5 } else { 10f64.powf(rng.random_range(-2.0..1.0)) };
            if a == 0.0 && m.iter().all(|m| *m == 0.0) {
                continue;
            }
            let mut o = solve(&b, &m, a, c, edges);
            let miss = excess(&o, &b, &m, a, c, edges);
            assert!(miss < 1e-11, "round {round}, {grid:?}: {miss:e}");
            // the mutant: a point that is off by little is seen
            o.x[n / 2] += 1e-6;
            assert!(excess(&o, &b, &m, a, c, edges) > 1e-9 || m[n / 2] == 0.0, "round {round}");
        }
    }

    #[test]
    fn a_grid_of_one_row_or_column_is_a_line() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(6);
        for shape in [(1, 30), (30, 1)] {
            let b: Vec<f64> = (0..30).map(|_| rng.random_range(-3.0..3.0)).collect();
            let m: Vec<f64> = (0..30).map(|_| rng.random_range(0.1..3.0)).collect();
            let o = solve(&b, &m, 0.2, 0.7, Grid::new(shape).edges());
            let mut x = b.clone();
            fused(&mut x, &m, 0.2, 0.7);
            assert!(x.iter().zip(&o.x).all(|(a, b)| (a - b).abs() < 1e-12));
        }
    }

    #[test]
    fn an_image_of_some_size_is_exact() {
        let grid = Grid::new((48, 64));
        let b: Vec<f64> = (0..48 * 64)
            .map(|j| f64::from(u8::from(j % 64 > 20 && j / 64 > 30)) + 0.3 * (j as f64 * 12.9898).sin())
            .collect();
        let m = vec![1.0; b.len()];
        let o = solve(&b, &m, 0.05, 0.4, grid.edges());
        assert!(excess(&o, &b, &m, 0.05, 0.4, grid.edges()) < 1e-10);
        assert!(o.x.iter().any(|x| *x > 0.5) && o.x.contains(&0.0));
    }
}
