//! Covariates, `extra.kind = "covariates"`: a given side matrix S times coefficients B.
//!
//! ```text
//! axis 1   S is m x p, B p x n:   (A B)_ij = sum_k S_ik B_kj        A'z = S'Z
//! axis 2   S is n x p, B p x m:   (A B)_ij = sum_k S_jk B_ki        A'z = S'Z'
//! ```
//!
//! Axis 1 regresses every column on properties of the rows, axis 2 every row on properties of the columns; axis k of an array
//! every line along index k, of which there are as many as the other indices make.

use super::joint::smallest_eigenvalue;
use super::{Axis, Extra, Kind, Lines, line_name};
use crate::data::observations::indices;
use crate::linalg::sum::{Sum, exact_product, exact_sum, norm_upper};
use crate::linalg::{Mat, dense};

/// S with the entries' places.
pub struct Covariates {
    side: Mat,
    /// Row of S, and line with coefficients of its own, of each entry.
    at: Vec<(u32, u32)>,
    /// Of a matrix.
    axis: Option<usize>,
    lines: usize,
    /// Entries by line.
    by_line: Vec<Vec<u32>>,
    what: String,
}

/// Registration.
pub const KIND: Kind = Kind {
    name: "covariates",
    summary: "the matrix `side` (a row per index of `axis`) times coefficients of every line across it",
    axis: Axis::One,
    side: true,
    free: true,
    build: |s| {
        let axis = s.axis.expect("a checked spec has an axis");
        let lines = s.sizes.iter().enumerate().filter(|(k, _)| *k != axis).map(|(_, d)| d).product();
        let place = |e| {
            let (mut along, mut line, mut stride) = (0, 0, 1);
            for (k, (i, d)) in indices(s.sizes, e).zip(s.sizes).enumerate() {
                if k == axis {
                    along = i;
                } else {
                    line += stride * i;
                    stride *= d;
                }
            }
            (along as u32, line as u32)
        };
        let at: Vec<(u32, u32)> = s.observations.entries().map(place).collect();
        let mut by_line = vec![Vec::new(); lines];
        at.iter().enumerate().for_each(|(e, (_, l))| by_line[*l as usize].push(e as u32));
        // of a matrix a line is what the other axis numbers
        let what = if s.sizes.len() == 2 { line_name(s.sizes, 1 - axis) } else { format!("axis {}, line", axis + 1) };
        let side = s.side.expect("a checked spec has a side matrix").clone();
        let axis = (s.sizes.len() == 2).then_some(axis);
        Box::new(Covariates { side, at, axis, lines, by_line, what })
    },
};

impl Extra for Covariates {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn shape(&self) -> (usize, usize) {
        (self.side.ncols(), self.lines)
    }

    fn add(&self, q: &[f64], out: &mut [f64]) {
        let p = self.side.ncols();
        for (o, &(i, l)) in out.iter_mut().zip(&self.at) {
            *o += (0..p).map(|k| self.side[(i as usize, k)] * q[l as usize * p + k]).sum::<f64>();
        }
    }

    fn adjoint(&self, z: &[f64]) -> Vec<f64> {
        let p = self.side.ncols();
        let mut v = vec![0.0; p * self.lines];
        for (z, &(i, l)) in z.iter().zip(&self.at) {
            (0..p).for_each(|k| v[l as usize * p + k] += self.side[(i as usize, k)] * z);
        }
        v
    }

    fn adjoint_exact(&self, z: &[f64]) -> Vec<(f64, f64)> {
        let p = self.side.ncols();
        let place = |l: usize, k: usize| {
            let terms = self.by_line[l]
                .iter()
                .flat_map(move |&e| exact_product(self.side[(self.at[e as usize].0 as usize, k)], z[e as usize]));
            exact_sum(terms)
        };
        (0..self.lines).flat_map(|l| (0..p).map(move |k| place(l, k))).collect()
    }

    fn curvature(&self, d: &[f64]) -> Vec<f64> {
        let p = self.side.ncols();
        let mut v = vec![0.0; p * self.lines];
        for (d, &(i, l)) in d.iter().zip(&self.at) {
            (0..p).for_each(|k| v[l as usize * p + k] += self.side[(i as usize, k)].powi(2) * d);
        }
        v
    }

    fn magnitude(&self, q: &[f64]) -> (f64, usize) {
        let p = self.side.ncols();
        let size = |&(i, l): &(u32, u32)| -> f64 {
            (0..p).map(|k| (self.side[(i as usize, k)] * q[l as usize * p + k]).abs()).sum()
        };
        (norm_upper(&self.at.iter().map(size).collect::<Vec<_>>()) * (1.0 + 1e-10), p)
    }

    fn terms(&self, e: usize) -> Vec<(usize, f64)> {
        let (p, (i, l)) = (self.side.ncols(), self.at[e]);
        (0..p).map(|k| (l as usize * p + k, self.side[(i as usize, k)])).collect()
    }

    fn lines(&self) -> Option<Lines> {
        self.axis.map(|axis| Lines { axis, side: self.side.clone() })
    }

    /// Per line, C = -S_F (S_F'S_F)^-1 S'z on the free entries F: ||C|| <= ||S'z|| / sigma_min(S_F), with a proven sigma_min.
    fn correction(&self, z: &[f64], below: bool, free: &[bool]) -> Option<(f64, f64)> {
        let p = self.side.ncols();
        let off = self.adjoint_exact(z);
        let (mut squares, mut largest) = (Sum::new(), 0.0f64);
        for (l, entries) in self.by_line.iter().enumerate() {
            let excess = |(lo, hi): &(f64, f64)| if below { hi.max(0.0) } else { lo.abs().max(hi.abs()) };
            let size = norm_upper(&off[l * p..(l + 1) * p].iter().map(excess).collect::<Vec<_>>());
            if size == 0.0 {
                continue;
            }
            let rows: Vec<usize> =
                entries.iter().filter(|e| free[**e as usize]).map(|&e| self.at[e as usize].0 as usize).collect();
            let s = Mat::from_fn(rows.len(), p, |r, k| self.side[(rows[r], k)]);
            let mut g = dense::tr_mul(&s, &s);
            g.fill_upper_triangle_with_lower_triangle();
            let smallest = smallest_eigenvalue(&g, rows.len());
            if smallest.is_nan() || smallest <= 0.0 {
                return None;
            }
            let length = (size / smallest.sqrt().next_down()).next_up();
            squares.add_product(length, length);
            largest = largest.max(length);
        }
        Some((squares.upper().max(0.0).sqrt().next_up(), largest))
    }

    fn unseen(&self) -> Option<String> {
        let p = self.side.ncols();
        let dependent = |entries: &[u32]| {
            let s = Mat::from_fn(entries.len(), p, |r, k| self.side[(self.at[entries[r] as usize].0 as usize, k)]);
            let Some((values, _)) = dense::symmetric_eigen(&dense::tr_mul(&s, &s)) else { return true };
            entries.len() < p || values[0] <= 1e-12 * values[p - 1]
        };
        let line = (0..self.lines).find(|&l| dependent(&self.by_line[l]))?;
        Some(format!("{} {} does not determine its {p} coefficients", self.what, line + 1))
    }
}
