//! The polar for l2 norms with an orthant on a short side: branch and bound over that side.
//!
//! ```text
//! matrix   Omega°(Z)^2 = max {f(u) : u >= 0, ||u|| = 1},   f(u) = ||Z'u||^2 (v free) or ||(Z'u)_+||^2 (v >= 0)
//! psd      Omega°(Z)   = max(0, max {u'Su : u >= 0, ||u|| = 1}),   S = (Z + Z')/2
//! ```
//!
//! On the cone of vertices p_1..p_d, u = sum c_i p_i with c >= 0, and f(u) <= c'Bc with B_ij = q_i'q_j, q_i = Z'p_i or
//! (Z'p_i)_+ (which is subadditive and nonnegative), or B_ij = p_i'S p_j. So T ||u||^2 - f(u) >= 0 on the cell once the
//! matrix M_ij = T p_i'p_j - B_ij is copositive, for which either of these suffices, rounding included:
//!
//! ```text
//! M positive semidefinite,    or    M with its positive off-diagonal entries set to 0 positive semidefinite
//! ```
//!
//! A cell that fails is bisected at the middle of its longest edge. T only grows (a vertex with a higher value raises it, and
//! M with it), so a cell that was passed stays passed. Midpoints are formed exactly in floating point, or the cell is
//! given up: children whose common vertex is a rounded one would leave a sliver of the parent uncovered.
//!
//! The first T is the best value found, raised by 1e-7: the bound is the polar to that accuracy, or does not exist.

use super::{PolarBound, Upper, norms};
use crate::linalg::Mat;
use crate::linalg::proven::positive_definite;
use crate::linalg::sum::{gamma, norm_upper};
use crate::polar::field::{symmetrised, unweighted};
use crate::polar::generators::{exact_middle, longest_edge};
use crate::polar::search;
use crate::problem::Problem;

/// Branch and bound.
#[derive(Debug)]
pub struct ConeBranch;

/// Longest side that is branched on.
pub const SIDE_LIMIT: usize = 6;
/// Entries of the other side, so that a cell stays cheap.
const LONG_LIMIT: usize = 4000;
/// Cells visited before giving up.
const CELL_LIMIT: usize = 300_000;
/// Relative margin above the best value found.
const MARGIN: f64 = 1e-7;

impl PolarBound for ConeBranch {
    fn name(&self) -> &'static str {
        "cone_branch"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        side(problem).map(|_| false)
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let (form, rounding, squared) = form(problem, z);
        let found = search::on_entries(problem, z, None, &search::Effort::default()).best();
        let start = if squared { found * found } else { found };
        let value = branch(&form, start).map_or(f64::INFINITY, |t| {
            let root = if squared { t.next_up().sqrt().next_up() } else { t };
            (root + rounding).next_up()
        });
        Upper { value, method: "branch_and_bound", exact: false }
    }

    fn flops(&self, problem: &Problem) -> f64 {
        let (m, n) = problem.shape();
        let (short, long) = (m.min(n) as f64, m.max(n) as f64);
        CELL_LIMIT as f64 * (4.0 * short * long + short.powi(3))
    }

    fn describe(&self) -> &'static str {
        "branch and bound over the short nonnegative side, to 1e-7 unless it runs out of cells"
    }
}

/// The short axis with an orthant (0 for psd).
fn side(problem: &Problem) -> Option<usize> {
    let gauges = &problem.regularizer.gauges;
    let (m, n) = problem.shape();
    let ours = matches!(problem.mapping.name(), "matrix" | "psd");
    if !ours || norms(problem) != ("l2", "l2") || m.max(n) > LONG_LIMIT {
        return None;
    }
    let short = |axis: usize| [m, n][axis] <= SIDE_LIMIT && gauges[axis].orthant().is_some();
    if gauges.len() == 1 {
        return short(0).then_some(0);
    }
    let sides: Vec<usize> = (0..2).filter(|&axis| short(axis)).collect();
    sides.into_iter().min_by_key(|&axis| [m, n][axis])
}

/// What the cells are tested with.
struct Form {
    /// d, the length of the vertices.
    side: usize,
    /// Rows are the coordinates of the short side: d x long, or S itself.
    rows: Mat,
    kind: FormKind,
    /// ||Z||_F^2, or ||S||_F: what the rounding of B is relative to.
    scale: f64,
}

#[derive(Clone, Copy, PartialEq)]
enum FormKind {
    Free,
    PositivePart,
    Symmetric,
}

/// The form, the rounding of the unweighting, and whether its values are squares of the polar.
fn form(problem: &Problem, z: &[f64]) -> (Form, f64, bool) {
    let gauges = &problem.regularizer.gauges;
    let axis = side(problem).expect("called only where it applies");
    let z = unweighted(problem, z);
    let at = &problem.observations;
    if gauges.len() == 1 {
        // u u' does not see the sign of the orthant
        let s = symmetrised(at, &z.field);
        let rounding = z.rounding + crate::linalg::sum::UNIT_ROUNDOFF * norm_upper(s.as_slice());
        let scale = norm_upper(s.as_slice());
        return (Form { side: s.nrows(), rows: s, kind: FormKind::Symmetric, scale }, rounding, false);
    }
    let other = gauges[1 - axis].orthant();
    let sign = gauges[axis].orthant().unwrap_or(1.0) * other.unwrap_or(1.0);
    let (m, n) = problem.shape();
    let mut rows = if axis == 0 { Mat::zeros(m, n) } else { Mat::zeros(n, m) };
    for ((i, j), z) in at.entries().zip(z.field.iter()) {
        rows[if axis == 0 { (i, j) } else { (j, i) }] = sign * z;
    }
    let size = norm_upper(rows.as_slice());
    let kind = if other.is_some() { FormKind::PositivePart } else { FormKind::Free };
    (Form { side: rows.nrows(), rows, kind, scale: size * size }, z.rounding, true)
}

/// A vertex: its coordinates, and its image q (or S p).
struct Vertex {
    p: Vec<f64>,
    q: Vec<f64>,
}

impl Form {
    fn vertex(&self, p: Vec<f64>) -> Vertex {
        let mut q = vec![0.0; self.rows.ncols()];
        for (j, q) in q.iter_mut().enumerate() {
            *q = self.rows.column(j).iter().zip(&p).map(|(z, p)| z * p).sum();
        }
        if self.kind == FormKind::PositivePart {
            q.iter_mut().for_each(|q| *q = q.max(0.0));
        }
        Vertex { p, q }
    }

    /// p_i'p_j and B_ij.
    fn pair(&self, a: &Vertex, b: &Vertex) -> (f64, f64) {
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        let image = if self.kind == FormKind::Symmetric { dot(&a.p, &b.q) } else { dot(&a.q, &b.q) };
        (dot(&a.p, &b.p), image)
    }

    /// A bound of |fl(M_ij) - M_ij|. All |p| <= 1, so p_i'p_j, q and B are sums of at most d + long products with magnitudes
    /// below 1, ||Z||_F and ||Z||_F^2.
    fn rounding(&self, t: f64) -> f64 {
        gamma(4 * (self.side + self.rows.ncols()) + 16) * (t.abs() + self.scale)
    }

    /// Whether the cell's M is copositive, for the exact numbers behind the stored vertices.
    fn passes(&self, pairs: &[(f64, f64)], t: f64) -> bool {
        let d = self.side;
        // an error of e per entry moves eigenvalues by at most d e
        let shift = d as f64 * self.rounding(t);
        let entry = |i: usize, j: usize| t * pairs[i * d + j].0 - pairs[i * d + j].1;
        if (0..d).any(|i| entry(i, i) <= shift) {
            return false;
        }
        let mut scratch = [0.0; SIDE_LIMIT * SIDE_LIMIT];
        positive_definite(&mut scratch, d, shift, entry)
            || positive_definite(&mut scratch, d, shift, |i, j| if i == j { entry(i, i) } else { entry(i, j).min(0.0) })
    }
}

/// The smallest T >= start (1 + margin) that all cells pass, or `None` if the cells run out or a midpoint is not exact.
fn branch(form: &Form, start: f64) -> Option<f64> {
    let d = form.side;
    let floor = 1e-9 * form.scale;
    let mut t = (start * (1.0 + 2.0 * MARGIN)).max(floor);
    let mut vertices: Vec<Vertex> =
        (0..d).map(|k| form.vertex((0..d).map(|i| f64::from(u8::from(i == k))).collect())).collect();
    vertices.iter().for_each(|v| raise(form, v, &mut t));
    let first: Vec<usize> = (0..d).collect();
    let mut pairs = vec![(0.0, 0.0); d * d];
    (0..d).for_each(|k| fill_pairs(form, &vertices, &first, k, &mut pairs));
    let mut stack = vec![(first, pairs)];
    let mut visited = 0;
    while let Some((cell, pairs)) = stack.pop() {
        visited += 1;
        if visited > CELL_LIMIT {
            return None;
        }
        if form.passes(&pairs, t) {
            continue;
        }
        let (a, b) = longest_edge(&cell, |v| &vertices[v].p)?;
        let middle = exact_middle(&vertices[cell[a]].p, &vertices[cell[b]].p)?;
        let vertex = form.vertex(middle);
        raise(form, &vertex, &mut t);
        vertices.push(vertex);
        for replaced in [a, b] {
            let (mut child, mut pairs) = (cell.clone(), pairs.clone());
            child[replaced] = vertices.len() - 1;
            fill_pairs(form, &vertices, &child, replaced, &mut pairs);
            stack.push((child, pairs));
        }
    }
    Some(t)
}

/// p_i'p_j and B_ij of vertex k of a cell with all its vertices.
fn fill_pairs(form: &Form, vertices: &[Vertex], cell: &[usize], k: usize, pairs: &mut [(f64, f64)]) {
    let d = form.side;
    for i in 0..d {
        let pair = form.pair(&vertices[cell[i]], &vertices[cell[k]]);
        pairs[i * d + k] = pair;
        pairs[k * d + i] = pair;
    }
}

/// A vertex with a higher value raises T: the search may have missed it.
fn raise(form: &Form, v: &Vertex, t: &mut f64) {
    let (inner, image) = form.pair(v, v);
    if inner > 0.0 && image > *t * inner {
        *t = image / inner * (1.0 + 2.0 * MARGIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::FRAC_PI_2;

    /// max of u'Su over u >= 0, ||u|| = 1 by a fine grid of directions in three dimensions.
    fn grid_maximum(form: &Form) -> f64 {
        let mut best = f64::NEG_INFINITY;
        for a in 0..=200 {
            for b in 0..=200 {
                let (s, t) = (f64::from(a) / 200.0 * FRAC_PI_2, f64::from(b) / 200.0 * FRAC_PI_2);
                let v = form.vertex(vec![s.cos(), s.sin() * t.cos(), s.sin() * t.sin()]);
                let (inner, image) = form.pair(&v, &v);
                best = best.max(image / inner);
            }
        }
        best
    }

    #[test]
    fn every_kind_is_bracketed_by_a_grid_even_from_a_start_that_is_too_low() {
        for seed in 0..20 {
            for kind in [FormKind::Free, FormKind::PositivePart, FormKind::Symmetric] {
                let mut rows =
                    crate::linalg::lanczos::gaussian(3, if kind == FormKind::Symmetric { 3 } else { 5 }, seed);
                if kind == FormKind::Symmetric {
                    rows = &rows + rows.transpose();
                }
                let size = norm_upper(rows.as_slice());
                let scale = if kind == FormKind::Symmetric { size } else { size * size };
                let form = Form { side: 3, rows, kind, scale };
                let (t, grid) =
                    (branch(&form, 0.0).expect("few cells suffice in three dimensions"), grid_maximum(&form));
                assert!(t >= grid, "seed {seed}: {t} < {grid}");
                assert!(t <= grid.max(0.0) * 1.01 + 2e-9 * scale, "seed {seed}: {t} is far above {grid}");
            }
        }
    }

    /// The mutant: a start above the truth is kept, one below is raised; a test that forgives an excess is caught.
    #[test]
    fn a_random_cell_point_never_exceeds_the_bound() {
        let rows = Mat::from_row_slice(5, 5, &horn());
        let scale = norm_upper(rows.as_slice());
        let form = Form { side: 5, rows: -rows, kind: FormKind::Symmetric, scale };
        // minus the Horn matrix has maximum 0 on the orthant, and 0.236 over its doubly nonnegative relaxation
        let t = branch(&form, 1e-4).expect("the cells suffice");
        assert!(t < 1.1e-4);
        let points = crate::linalg::lanczos::gaussian(5, 2000, 3).abs();
        for c in points.column_iter() {
            let v = form.vertex(c.iter().copied().collect());
            let (inner, image) = form.pair(&v, &v);
            assert!(image <= t * inner);
        }
    }

    fn horn() -> Vec<f64> {
        (0..25).map(|k| [1.0, -1.0, 1.0, 1.0, -1.0][(k / 5 + 5 - k % 5) % 5]).collect()
    }
}
