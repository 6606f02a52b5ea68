//! Sums of norms taken apart: fields written as a sum of parts, each of which answers for one pair of norms.
//!
//! ```text
//! f_u = sum_a alpha_a f_a,  f_v = sum_b beta_b f_b:      Omega >= sum_ab alpha_a beta_b Omega_ab,   so
//! Z = sum_ab Z_ab   gives   Omega°(Z) <= max_ab Omega_ab°(Z_ab) / (alpha_a beta_b)
//!
//! l1, l2, group_l2 on each side   Omega_ab°(S) = max over cells of sigma_1 of the block     (cells: coordinates, all, groups)
//! tv on a side                    Z_ab = D'S (S D): <D'S, u v'> = <S, (D u) v'>, with l1 on D u
//! ```
//!
//! D x = (x_2 - x_1, ..), in an image the differences of all neighbours. Gauges are plain here: weights have been divided out.

use crate::gauge::Norm;
use crate::linalg::sum::{gamma, norm_upper};
use crate::linalg::{Mat, dense, proven};
use crate::polar::bound::columns::cone_axis;
use crate::problem::Problem;

/// Which blocks a norm answers for.
#[derive(Clone, Debug, PartialEq)]
enum Cells {
    /// Every coordinate alone: l1.
    Each,
    /// All together: l2.
    All,
    /// Groups.
    Groups(Vec<Vec<usize>>),
}

/// One norm of one side.
#[derive(Clone, Debug, PartialEq)]
struct Side {
    cells: Cells,
    /// D as its pairs of neighbours (j, k): (D x)_e = x_k - x_j.
    differences: Option<Vec<(usize, usize)>>,
    weight: f64,
}

/// A norm of u with a norm of v.
#[derive(Clone, Debug, PartialEq)]
struct Pair {
    u: Side,
    v: Side,
}

/// sum_k (D_k'D_k on the rows) (D_k'D_k on the columns), divided out: the eigenvectors of either side, and the sum of the products of
/// eigenvalues.
pub struct Normal {
    /// m x m.
    pub u: Mat,
    /// n x n.
    pub v: Mat,
    /// m x n.
    pub weights: Mat,
}

/// The pairs of two gauges, for m x n fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    pairs: Vec<Pair>,
    shape: (usize, usize),
}

/// The norms of a side of length n; `None` if one of them has no part.
fn sides(norm: &dyn Norm, n: usize) -> Option<Vec<Side>> {
    let side = |cells, weight| Side { cells, differences: None, weight };
    if let Some(sum) = norm.terms() {
        let mut out = Vec::new();
        let mut add = |weight: f64, cells, differences| {
            if weight > 0.0 {
                out.push(Side { cells, differences, weight });
            }
        };
        add(sum.l1, Cells::Each, None);
        add(sum.l2, Cells::All, None);
        let line = || (1..n).map(|k| (k - 1, k)).collect();
        add(sum.tv, Cells::Each, Some(sum.grid.as_ref().map_or_else(line, |g| g.edges().to_vec())));
        if let Some((weight, groups)) = &sum.groups {
            add(*weight, Cells::Groups(groups.lists().to_vec()), None);
        }
        return Some(out);
    }
    match norm.name() {
        "l1" => Some(vec![side(Cells::Each, 1.0)]),
        "l2" => Some(vec![side(Cells::All, 1.0)]),
        "group_l2" => Some(vec![side(Cells::Groups(norm.groups()?.lists().to_vec()), 1.0)]),
        // every norm is at least the l2 norm over its radius
        _ => {
            let least = (1.0 / norm.l2_radius(n)).next_down();
            (least > 0.0).then(|| vec![side(Cells::All, least)])
        }
    }
}

impl Parts {
    /// The parts of a problem with sums of norms, or with lines of X in a convex cone.
    pub fn of(problem: &Problem) -> Option<Self> {
        let [u, v] = problem.regularizer.gauges.as_slice() else { return None };
        let sums = [u, v].iter().any(|g| g.norm().terms().is_some());
        let wanted = problem.mapping.name() == "matrix" && (sums || cone_axis(problem).is_some());
        wanted.then(|| Self::new(u.norm(), v.norm(), problem.shape())).flatten()
    }

    /// The pairs of two norms; `None` if one of their norms has no part.
    pub fn new(u: &dyn Norm, v: &dyn Norm, shape: (usize, usize)) -> Option<Self> {
        let (us, vs) = (sides(u, shape.0)?, sides(v, shape.1)?);
        let pairs = us.iter().flat_map(|u| vs.iter().map(|v| Pair { u: u.clone(), v: v.clone() })).collect();
        Some(Self { pairs, shape })
    }

    /// Number of parts.
    pub fn count(&self) -> usize {
        self.pairs.len()
    }

    /// The shape of part k.
    pub fn part_shape(&self, k: usize) -> (usize, usize) {
        let p = &self.pairs[k];
        (p.u.length(self.shape.0), p.v.length(self.shape.1))
    }

    /// All parts 0.
    pub fn zeros(&self) -> Vec<Mat> {
        (0..self.count()).map(|k| Mat::zeros(self.part_shape(k).0, self.part_shape(k).1)).collect()
    }

    /// A Lipschitz constant of the gradient of ||sum of parts||^2 / 2: ||D||^2 is at most twice the most neighbours that one
    /// has.
    pub fn lipschitz(&self) -> f64 {
        self.pairs.iter().map(Pair::spread).sum()
    }

    /// What turns the sum of D'(D X D)D over the parts into a product; `None` if a decomposition did not converge.
    pub fn normal(&self) -> Option<Normal> {
        let basis = |side: fn(&Pair) -> &Side, n: usize| -> Option<(Mat, Vec<f64>)> {
            let Some(edges) = self.pairs.iter().find_map(|p| side(p).differences.as_ref()) else {
                return Some((Mat::identity(n, n), vec![0.0; n]));
            };
            let mut laplacian = Mat::zeros(n, n);
            for &(j, k) in edges {
                laplacian[(j, j)] += 1.0;
                laplacian[(k, k)] += 1.0;
                laplacian[(j, k)] -= 1.0;
                laplacian[(k, j)] -= 1.0;
            }
            let (values, vectors) = dense::symmetric_eigen(&laplacian)?;
            Some((vectors, values.iter().map(|v| v.max(0.0)).collect()))
        };
        let (u, of_u) = basis(|p| &p.u, self.shape.0)?;
        let (v, of_v) = basis(|p| &p.v, self.shape.1)?;
        let value = |s: &Side, of: &[f64], i: usize| if s.differences.is_some() { of[i] } else { 1.0 };
        let weight = |i, j| self.pairs.iter().map(|p| value(&p.u, &of_u, i) * value(&p.v, &of_v, j)).sum();
        Some(Normal { u, v, weights: Mat::from_fn(self.shape.0, self.shape.1, weight) })
    }

    /// sum_k D'S_k D, and a bound of its rounding in the Frobenius norm.
    pub fn assemble(&self, parts: &[Mat]) -> (Mat, f64) {
        let mut out = Mat::zeros(self.shape.0, self.shape.1);
        let (mut terms, mut size) = (0, 0.0);
        for (pair, s) in self.pairs.iter().zip(parts) {
            let s_u = pair.u.differences.as_ref().map_or_else(|| s.clone(), |d| spread_rows(d, s, self.shape.0));
            let of_v = |d: &Vec<_>| spread_rows(d, &s_u.transpose(), self.shape.1).transpose();
            out += pair.v.differences.as_ref().map_or_else(|| s_u.clone(), of_v);
            terms += pair.u.neighbours() * pair.v.neighbours();
            size += pair.spread().sqrt().next_up() * norm_upper(s.as_slice());
        }
        (out, size * gamma(2 * terms + 4))
    }

    /// S_k <- S_k + step D R D', for every k.
    pub fn add(&self, parts: &mut [Mat], r: &Mat, step: f64) {
        for (pair, s) in self.pairs.iter().zip(parts) {
            let r_u = pair.u.differences.as_ref().map_or_else(|| r.clone(), |d| differences(d, r));
            let of_v = |d: &Vec<_>| differences(d, &r_u.transpose()).transpose();
            *s += pair.v.differences.as_ref().map_or_else(|| r_u.clone(), of_v) * step;
        }
    }

    /// S_k <- its projection onto {Omega_k° <= radius alpha beta}, for every k. `None` if a decomposition did not converge.
    pub fn project(&self, parts: &mut [Mat], radius: f64) -> Option<()> {
        for (pair, s) in self.pairs.iter().zip(parts) {
            pair.project(s, radius * pair.weight())?;
        }
        Some(())
    }

    /// The parts with a remainder given to one of them, for each that takes fields as they are.
    pub fn with_remainder(&self, parts: &[Mat], r: &Mat) -> Vec<Vec<Mat>> {
        let whole = |p: &Pair| p.u.differences.is_none() && p.v.differences.is_none();
        (0..self.count())
            .filter(|&k| whole(&self.pairs[k]))
            .map(|k| parts.iter().enumerate().map(|(l, s)| if l == k { s + r } else { s.clone() }).collect())
            .collect()
    }

    /// max_k Omega_k°(S_k) / (alpha beta), proven.
    pub fn upper(&self, parts: &[Mat]) -> f64 {
        let of = |(pair, s): (&Pair, &Mat)| (pair.upper(s) / pair.weight() * (1.0 + gamma(4))).next_up();
        self.pairs.iter().zip(parts).map(of).fold(0.0, f64::max)
    }
}

/// D'S by rows, of n: what comes in less what leaves.
fn spread_rows(edges: &[(usize, usize)], s: &Mat, n: usize) -> Mat {
    let mut out = Mat::zeros(n, s.ncols());
    for (mut to, from) in out.column_iter_mut().zip(s.column_iter()) {
        for (&(j, k), z) in edges.iter().zip(from.iter()) {
            to[k] += z;
            to[j] -= z;
        }
    }
    out
}

/// D R by rows.
fn differences(edges: &[(usize, usize)], r: &Mat) -> Mat {
    Mat::from_fn(edges.len(), r.ncols(), |e, j| r[(edges[e].1, j)] - r[(edges[e].0, j)])
}

impl Side {
    /// Rows of a part, for a side of length n.
    fn length(&self, n: usize) -> usize {
        self.differences.as_ref().map_or(n, Vec::len)
    }

    /// The most entries of S that one of D'S sums; 1 without differences.
    fn neighbours(&self) -> usize {
        let Some(edges) = &self.differences else { return 1 };
        let mut count = vec![0; edges.iter().map(|e| e.1 + 1).max().unwrap_or(0)];
        for &(j, k) in edges {
            count[j] += 1;
            count[k] += 1;
        }
        count.into_iter().max().unwrap_or(0).max(1)
    }

    /// A bound of ||D||^2: the largest eigenvalue of a graph's Laplacian is at most twice its largest degree.
    fn spread(&self) -> f64 {
        if self.differences.is_some() { 2.0 * self.neighbours() as f64 } else { 1.0 }
    }
}

impl Pair {
    fn weight(&self) -> f64 {
        self.u.weight * self.v.weight
    }

    /// A bound of ||D'S D||_F^2 / ||S||_F^2.
    fn spread(&self) -> f64 {
        self.u.spread() * self.v.spread()
    }

    fn project(&self, s: &mut Mat, radius: f64) -> Option<()> {
        match (&self.u.cells, &self.v.cells) {
            (Cells::Each, Cells::Each) => s.apply(|x| *x = x.clamp(-radius, radius)),
            (Cells::Each, Cells::All) => {
                let mut t = s.transpose();
                scale_columns(&mut t, radius);
                *s = t.transpose();
            }
            (Cells::All, Cells::Each) => scale_columns(s, radius),
            (Cells::All, Cells::All) => *s = dense::clip_singular_values(s, radius)?,
            _ => {
                for (g, h) in self.blocks(s.shape()) {
                    let block = dense::clip_singular_values(&s.select_rows(&g).select_columns(&h), radius)?;
                    for (a, &i) in g.iter().enumerate() {
                        for (b, &j) in h.iter().enumerate() {
                            s[(i, j)] = block[(a, b)];
                        }
                    }
                }
            }
        }
        Some(())
    }

    fn upper(&self, s: &Mat) -> f64 {
        let sigma = |s: &Mat| proven::sigma_max_upper(s.as_slice(), s.nrows(), s.ncols());
        let columns =
            |s: &Mat| s.column_iter().map(|c| norm_upper(&c.iter().copied().collect::<Vec<_>>())).fold(0.0, f64::max);
        match (&self.u.cells, &self.v.cells) {
            _ if s.iter().any(|x| !x.is_finite()) => f64::INFINITY,
            (Cells::Each, Cells::Each) => s.amax(),
            (Cells::Each, Cells::All) => columns(&s.transpose()),
            (Cells::All, Cells::Each) => columns(s),
            (Cells::All, Cells::All) => sigma(s),
            _ => {
                let blocks = self.blocks(s.shape());
                blocks.iter().map(|(g, h)| sigma(&s.select_rows(g).select_columns(h))).fold(0.0, f64::max)
            }
        }
    }

    fn blocks(&self, (m, n): (usize, usize)) -> Vec<(Vec<usize>, Vec<usize>)> {
        let (rows, cols) = (self.u.cells.lists(m), self.v.cells.lists(n));
        rows.iter().flat_map(|g| cols.iter().map(|h| (g.clone(), h.clone()))).collect()
    }
}

impl Cells {
    fn lists(&self, n: usize) -> Vec<Vec<usize>> {
        match self {
            Self::Each => (0..n).map(|j| vec![j]).collect(),
            Self::All => vec![(0..n).collect()],
            Self::Groups(lists) => lists.clone(),
        }
    }
}

fn scale_columns(s: &mut Mat, radius: f64) {
    for mut c in s.column_iter_mut() {
        let norm = c.norm();
        if norm > radius {
            c *= radius / norm;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gauge::grid::Grid;
    use crate::gauge::sum::Sum;
    use crate::linalg::lanczos::gaussian;

    #[test]
    fn parts_bound_the_pairing_and_projection_meets_its_radius() {
        let (m, n) = (6, 5);
        let sum = Sum { l1: 0.3, l2: 0.5, tv: 0.7, ..Sum::default() };
        let grouped = (crate::gauge::KINDS.iter().find(|k| k.name == "group_l2").unwrap().examples)(n).remove(0);
        for seed in 0..20 {
            let image = Sum { grid: Some(Grid::new((2, 3))), ..sum.clone() };
            for (sum, v) in
                [(&sum, &sum as &dyn Norm), (&sum, grouped.as_ref()), (&image, &sum), (&image, &crate::gauge::l2::L2)]
            {
                let parts = Parts::new(sum, v, (m, n)).unwrap();
                let mut blocks: Vec<Mat> = (0..parts.count())
                    .map(|k| gaussian(parts.part_shape(k).0, parts.part_shape(k).1, seed + 100 * k as u64))
                    .collect();
                let check = |blocks: &[Mat], top: f64| {
                    let (z, _) = parts.assemble(blocks);
                    for trial in 0..50 {
                        let (x, y) = (gaussian(m, 1, 7 * trial), gaussian(n, 1, 7 * trial + 1));
                        let size = sum.value(x.as_slice()) * v.value(y.as_slice());
                        assert!((x.transpose() * &z * y)[(0, 0)] <= top * size * (1.0 + 1e-12));
                    }
                };
                check(&blocks, parts.upper(&blocks));
                parts.project(&mut blocks, 0.2).unwrap();
                let top = parts.upper(&blocks);
                assert!((0.1..=0.2 * (1.0 + 1e-9)).contains(&top), "{top}");
                check(&blocks, top);
            }
        }
    }

    #[test]
    fn the_sum_of_parts_and_its_adjoint_agree() {
        let sum = Sum { l1: 0.3, l2: 0.5, tv: 0.7, ..Sum::default() };
        let image = Sum { grid: Some(Grid::new((2, 2))), ..sum.clone() };
        let parts = Parts::new(&sum, &image, (5, 4)).unwrap();
        let blocks: Vec<Mat> =
            (0..parts.count()).map(|k| gaussian(parts.part_shape(k).0, parts.part_shape(k).1, k as u64)).collect();
        let r = gaussian(5, 4, 99);
        let mut adjoint = parts.zeros();
        parts.add(&mut adjoint, &r, 1.0);
        let left = parts.assemble(&blocks).0.dot(&r);
        let right: f64 = blocks.iter().zip(&adjoint).map(|(a, b)| a.dot(b)).sum();
        assert!((left - right).abs() < 1e-12);
        let norm = parts.assemble(&blocks).0.norm_squared();
        assert!(norm <= parts.lipschitz() * blocks.iter().map(|b| b.norm_squared()).sum::<f64>());
    }
}
