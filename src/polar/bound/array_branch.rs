//! Arrays of order 3 with the l2 norm on a short index, free or on an orthant: branch and bound over that index.
//!
//! ```text
//! h(z) = Omega_rest°(sum_i z_i Z_i),   Omega°(Z) = max {h(z) : ||z|| <= 1, z in its orthant}
//! ```
//!
//! h is a maximum of linear functions, hence sublinear. On the cone of vertices p_1..p_n, with proven f_j >= h(p_j),
//!
//! ```text
//! h(sum_j c_j p_j) <= sum_j c_j f_j <= y'z <= ||y|| ||z||         for every y with y'p_j >= f_j, all j
//! ```
//!
//! so that any y proves a bound once it is scaled until it has the last property, which is seen from products that are rounded
//! to the safe side: nothing is inverted. y is the shortest such vector (Lawson & Hanson 1974, 23.4). The cell with the largest
//! bound is bisected at the exact middle of its longest edge; the largest bound of all cells holds at any time. h is even unless
//! both other factors are confined, and half of the orthants do.

use super::cone_branch::ConeBranch;
use super::slabs::Slabs;
use super::{PolarBound, Upper, radius, singular_value::SingularValue, upper};
use crate::linalg::sum::{UNIT_ROUNDOFF, gamma, norm_upper};
use crate::linalg::{Mat, nnls};
use crate::polar::generators::{exact_middle, longest_edge};
use crate::polar::search;
use crate::problem::Problem;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Branch and bound over an index.
#[derive(Debug)]
pub struct ArrayBranch;

/// Longest index that is branched on.
const SIDE_LIMIT: usize = 8;
/// Up to this length the cells usually suffice.
const SHORT: usize = 5;
/// Flops spent on vertices, where they usually suffice and elsewhere.
const FLOPS: [f64; 2] = [2e9, 4e8];
/// Vertices where each of them has a branch and bound of its own.
const NESTED_LIMIT: usize = 600;
/// Relative width at which the bound is good enough.
const MARGIN: f64 = 1e-8;

/// The shortest index with the l2 norm, free or on an orthant, and its slabs.
fn slabs(problem: &Problem) -> Option<(usize, Slabs)> {
    let sizes = problem.factor_rows();
    let gauges = &problem.regularizer.gauges;
    (0..sizes.len())
        .filter(|&k| sizes[k] <= SIDE_LIMIT && gauges[k].norm().name() == "l2")
        .filter(|&k| gauges[k].cone().is_none_or(|c| c.orthant().is_some()))
        .filter_map(|k| Slabs::new(problem, k).map(|s| (k, s)))
        .min_by_key(|(k, _)| (sizes[*k], gauges[*k].cone().is_none()))
}

impl PolarBound for ArrayBranch {
    fn name(&self) -> &'static str {
        "array_branch"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        slabs(problem).map(|_| false)
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let (index, slabs) = slabs(problem).expect("called only where it applies");
        let gauge = &problem.regularizer.gauges[index];
        let (columns, rounding) = slabs.columns(problem, z, gauge.weights());
        let rounding = rounding * radius(&slabs.rest);
        let found = search::on_entries(problem, z, None, &search::Effort::default()).best();
        let mut branch = Branch::new(&slabs, columns);
        let value = branch.run(gauge.orthant(), found);
        Upper { value: (value + rounding).next_up(), method: "branch_and_bound", exact: false }
    }

    fn flops(&self, _problem: &Problem) -> f64 {
        FLOPS[0]
    }

    fn describe(&self) -> &'static str {
        "branch and bound over the shortest index, to 1e-8 unless it runs out of cells"
    }
}

/// A vertex p and f >= h(p).
struct Vertex {
    p: Vec<f64>,
    f: f64,
}

/// A cone by its vertices, with its bound.
struct Cell {
    bound: f64,
    number: usize,
    vertices: Vec<usize>,
}

impl Ord for Cell {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bound.total_cmp(&other.bound).then(other.number.cmp(&self.number))
    }
}

impl PartialOrd for Cell {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Cell {}

struct Branch<'a> {
    slabs: &'a Slabs,
    columns: Mat,
    /// Whether the polar of a slab is the largest singular value and nothing more.
    plain: bool,
    /// Whether it has a branch and bound of its own.
    nested: bool,
    /// What forming a combination of slabs with ||z|| <= 1 may round off, in the polar.
    rounding: f64,
    vertices: Vec<Vertex>,
}

impl<'a> Branch<'a> {
    fn new(slabs: &'a Slabs, columns: Mat) -> Self {
        let n = columns.ncols();
        let size = norm_upper(columns.as_slice());
        let underflow = (columns.len() * n) as f64 * f64::MIN_POSITIVE;
        let rounding = (gamma(n + 2) * size + underflow) * radius(&slabs.rest) * (1.0 + gamma(4));
        let gauges = &slabs.rest.regularizer.gauges;
        let plain = gauges.iter().all(|g| g.norm().name() == "l2" && g.cone().is_none());
        let nested = ConeBranch.applies(&slabs.rest).is_some();
        Self { slabs, columns, plain, nested, rounding, vertices: Vec::new() }
    }

    /// How many vertices are worth their cost.
    fn limit(&self) -> usize {
        let (m, k) = self.slabs.rest.shape();
        let (short, n) = (m.min(k) as f64, self.columns.ncols());
        let entries = (m * k) as f64;
        let bounds = if self.plain { 1.0 } else { 2.0 };
        let cost = bounds * 1e5 + 2.0 * entries * n as f64 + 4.0 * entries * short + 10.0 * short.powi(3);
        let limit = (FLOPS[usize::from(n > SHORT)] / cost) as usize;
        limit.max(100).min(if self.nested { NESTED_LIMIT } else { usize::MAX })
    }

    fn add(&mut self, p: Vec<f64>) -> usize {
        let w = &self.columns * Mat::from_column_slice(p.len(), 1, &p);
        let rest = &self.slabs.rest;
        let found = if self.plain { Some(SingularValue.upper(rest, w.as_slice())) } else { upper(rest, w.as_slice()) };
        let f = found.map_or(f64::INFINITY, |u| (u.value + self.rounding).next_up());
        self.vertices.push(Vertex { p, f });
        self.vertices.len() - 1
    }

    /// A bound of h(z) / ||z|| on the cone of these vertices.
    fn bound(&self, cell: &[usize]) -> f64 {
        let n = cell.len();
        let top = cell.iter().fold(0.0, |m: f64, &v| m.max(self.vertices[v].f));
        if top == 0.0 || !top.is_finite() {
            return top;
        }
        // min ||y|| subject to P'y >= f / top: y = P c / (1 - f'c) with c from nonnegative least squares
        let e = Mat::from_fn(n + 1, n, |i, j| {
            let v = &self.vertices[cell[j]];
            if i < n { v.p[i] } else { v.f / top }
        });
        let mut target = vec![0.0; n + 1];
        target[n] = 1.0;
        let c = nnls::solve(&e, &target);
        let y: Vec<f64> = (0..n).map(|i| (0..n).map(|j| e[(i, j)] * c[j]).sum()).collect();
        scaled_norm(&y, cell.iter().map(|&v| (&self.vertices[v].p[..], self.vertices[v].f)))
    }

    /// The largest bound of all cells, once it is close to a value that is attained, or no more vertices are worth it.
    fn run(&mut self, orthant: Option<f64>, found: f64) -> f64 {
        let n = self.columns.ncols();
        for sign in [1.0, -1.0] {
            for k in 0..n {
                self.add((0..n).map(|i| if i == k { sign } else { 0.0 }).collect());
            }
        }
        let corners: Vec<usize> = match orthant {
            Some(sign) => vec![if sign > 0.0 { 0 } else { (1 << n) - 1 }],
            None if self.slabs.is_even() => (0..1 << (n - 1)).collect(),
            None => (0..1 << n).collect(),
        };
        let mut heap: BinaryHeap<Cell> = corners
            .into_iter()
            .enumerate()
            .map(|(number, corner)| {
                let vertices: Vec<usize> = (0..n).map(|k| k + n * (corner >> k & 1)).collect();
                Cell { bound: self.bound(&vertices), number, vertices }
            })
            .collect();
        let mut attained = found;
        let limit = self.limit();
        let mut number = heap.len();
        loop {
            let cell = heap.pop().expect("a cell is there until it is returned or split");
            if cell.bound <= attained * (1.0 + MARGIN) || self.vertices.len() >= limit || !cell.bound.is_finite() {
                return cell.bound;
            }
            let edge = longest_edge(&cell.vertices, |v| &self.vertices[v].p);
            let middle = edge.and_then(|(a, b)| {
                exact_middle(&self.vertices[cell.vertices[a]].p, &self.vertices[cell.vertices[b]].p).map(|m| (a, b, m))
            });
            let Some((a, b, middle)) = middle else { return cell.bound };
            // where it is, the polar is about this: it says when to stop, and proves nothing
            let size = middle.iter().map(|x| x * x).sum::<f64>().sqrt();
            let new = self.add(middle);
            attained = attained.max(self.vertices[new].f / size);
            for replaced in [a, b] {
                let mut vertices = cell.vertices.clone();
                vertices[replaced] = new;
                let bound = self.bound(&vertices).min(cell.bound);
                heap.push(Cell { bound, number, vertices });
                number += 1;
            }
        }
    }
}

/// theta ||y|| for the least theta with theta y'p >= f at every vertex, as far as rounding lets it be seen; +inf if there is none.
fn scaled_norm<'a>(y: &[f64], vertices: impl Iterator<Item = (&'a [f64], f64)>) -> f64 {
    let size = norm_upper(y);
    let mut theta: f64 = 0.0;
    for (p, f) in vertices {
        let inner: f64 = y.iter().zip(p).map(|(y, p)| y * p).sum();
        let least = inner - gamma(p.len() + 2) * size * norm_upper(p) - f64::MIN_POSITIVE;
        if least.is_nan() || least <= 0.0 {
            return f64::INFINITY;
        }
        theta = theta.max(f / least * (1.0 + 4.0 * UNIT_ROUNDOFF));
    }
    (theta * size * (1.0 + 4.0 * UNIT_ROUNDOFF)).next_up()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::lanczos::gaussian;

    /// The best y for the vertices of a cell, scaled, for a convex homogeneous f(z) = ||A z||; on cones that may be as thin as
    /// 1e-6.
    #[test]
    fn no_random_point_of_a_random_cell_exceeds_its_bound() {
        let (mut tight, mut caught) = (0, 0);
        for seed in 0..3000u64 {
            let n = 2 + (seed % 4) as usize;
            let a = gaussian(4, n, seed);
            let spread = 10f64.powi(-((seed / 4 % 6) as i32)) * 3.0;
            let centre = gaussian(n, 1, seed + 1);
            let f = |z: &Mat| (&a * z).norm();
            let corners: Vec<Mat> = (0..n).map(|j| &centre + gaussian(n, 1, 17 * seed + j as u64) * spread).collect();
            let vertices =
                corners.iter().map(|p| Vertex { p: p.as_slice().to_vec(), f: f(p) * (1.0 + 1e-14) }).collect();
            let slabs = plain_slabs(n);
            let branch = Branch {
                slabs: &slabs,
                columns: Mat::zeros(1, n),
                plain: true,
                nested: false,
                rounding: 0.0,
                vertices,
            };
            let bound = branch.bound(&(0..n).collect::<Vec<_>>());
            let mut top: f64 = 0.0;
            for trial in 0..40 {
                let c = gaussian(n, 1, 1000 * seed + trial).abs();
                let z = corners.iter().zip(c.iter()).fold(Mat::zeros(n, 1), |z, (p, c)| z + p * *c);
                top = top.max(f(&z) / z.norm());
            }
            assert!(top <= bound, "seed {seed}: {top} above {bound}");
            tight += usize::from(spread < 1e-3 && bound <= top * (1.0 + 1e-3));
            // the mutant: the largest value at a vertex
            let largest = corners.iter().map(|p| f(p) / p.norm()).fold(0.0, f64::max);
            caught += usize::from(top > largest * (1.0 + 1e-12));
        }
        assert!(tight > 500, "tight {tight} times");
        assert!(caught > 100, "the mutant was caught {caught} times");
    }

    fn plain_slabs(n: usize) -> Slabs {
        let gauge = || Gauge::new(Box::new(crate::gauge::l2::L2), None, None).unwrap();
        Slabs::new(&array(&[2, 2, n], vec![gauge(), gauge(), gauge()]), 2).unwrap()
    }

    use crate::gauge::Gauge;

    fn array(sizes: &[usize], gauges: Vec<Gauge>) -> Problem {
        let observations = crate::data::Observations::Full { rows: sizes[0], cols: sizes[1] * sizes[2] };
        Problem {
            y: vec![0.0; observations.len()],
            observations,
            operator: None,
            w: None,
            loss: Box::new(crate::loss::squared::Squared),
            mapping: (crate::mapping::cp::KIND.build)(&crate::mapping::Setup { sizes, inputs: None, layers: None }),
            regularizer: crate::problem::Regularizer { form: crate::problem::Form::Product, gauges },
            extras: crate::extra::Extras::default(),
            offset: Vec::new(),
            lambda: 1.0,
        }
    }

    #[test]
    fn random_arrays_are_bracketed_to_the_last_digits_with_every_mix_of_orthants() {
        for seed in 0..32u64 {
            let sizes = [3, 3, 2 + (seed % 2) as usize];
            let gauge = |k: u64| {
                let cone = (seed >> k & 1 == 1).then(|| Box::new(crate::cone::nonnegative::Nonnegative) as Box<_>);
                Gauge::new(Box::new(crate::gauge::l2::L2), None, cone).unwrap()
            };
            let problem = array(&sizes, (1..4).map(gauge).collect());
            let z = gaussian(9 * sizes[2], 1, seed);
            let found = search::search(&problem, z.as_slice(), None, &search::Effort::default()).best();
            let up = ArrayBranch.upper(&problem, z.as_slice());
            assert!(up.value >= found * (1.0 - 1e-14), "seed {seed}: {} below {found}", up.value);
            let both = (1..4).filter(|k| seed >> k & 1 == 1).count() == 3;
            let near = if both { 1e-4 } else { 1e-6 };
            assert!(up.value <= found * (1.0 + near), "seed {seed}: {} far above {found}", up.value);
        }
    }
}
