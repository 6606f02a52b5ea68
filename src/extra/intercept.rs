//! Intercepts, `extra.kind = "intercept"`: one value per index of an axis (of a matrix 1: row, 2: column), or for all (`"global"`).
//!
//! ```text
//! (A q)_ij = q_i,  q_j  or  q          (A'z)_i = sum_j z_ij,  ..          the same along each index of an array
//! ```

use super::{Axis, Extra, Kind, Lines, Setup, line_name};
use crate::data::observations::indices;
use crate::linalg::Mat;
use crate::linalg::sum::{exact_sum, norm_upper};

/// One coefficient per group of entries, added to each of the group.
pub struct Grouped {
    name: &'static str,
    group: Vec<u32>,
    shape: (usize, usize),
    /// The index of its lines (0: one per row) and how many entries each runs over, where the groups are lines of a matrix.
    lines: Option<(usize, usize)>,
    /// Entries, group by group, and where each group starts.
    order: Vec<u32>,
    start: Vec<usize>,
    what: String,
}

/// Registration.
pub const KIND: Kind = Kind {
    name: "intercept",
    summary: "one value per index of `axis` (1: row, 2: column, or `\"global\"`), added to its entries",
    axis: Axis::OneOrGlobal,
    side: false,
    free: true,
    build: |s| Box::new(build(s)),
};

fn build(s: &Setup) -> Grouped {
    let (count, what) = s.axis.map_or((1, "matrix".into()), |a| (s.sizes[a], line_name(s.sizes, a)));
    let index = |e| s.axis.map_or(0, |a| indices(s.sizes, e).nth(a).expect("an axis of X") as u32);
    let lines = s.axis.filter(|_| s.sizes.len() == 2).map(|a| (a, s.sizes[1 - a]));
    Grouped { lines, ..Grouped::new(KIND.name, s.observations.entries().map(index).collect(), (count, 1), what) }
}

impl Grouped {
    /// Entry e belongs to coefficient `group[e]`, of which there are rows x columns; `what` names one for messages.
    pub fn new(name: &'static str, group: Vec<u32>, shape: (usize, usize), what: String) -> Self {
        let count = shape.0 * shape.1;
        let mut start = vec![0; count + 1];
        group.iter().for_each(|&g| start[g as usize + 1] += 1);
        (0..count).for_each(|k| start[k + 1] += start[k]);
        let mut next = start.clone();
        let mut order = vec![0; group.len()];
        for (e, &g) in group.iter().enumerate() {
            order[next[g as usize]] = e as u32;
            next[g as usize] += 1;
        }
        Self { name, group, shape, lines: None, order, start, what }
    }

    fn members(&self, k: usize) -> &[u32] {
        &self.order[self.start[k]..self.start[k + 1]]
    }

    fn count(&self) -> usize {
        self.start.len() - 1
    }
}

impl Extra for Grouped {
    fn name(&self) -> &'static str {
        self.name
    }

    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn add(&self, q: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(&self.group).for_each(|(o, g)| *o += q[*g as usize]);
    }

    fn adjoint(&self, z: &[f64]) -> Vec<f64> {
        let mut v = vec![0.0; self.count()];
        z.iter().zip(&self.group).for_each(|(z, g)| v[*g as usize] += z);
        v
    }

    fn adjoint_exact(&self, z: &[f64]) -> Vec<(f64, f64)> {
        (0..self.count()).map(|k| exact_sum(self.members(k).iter().map(|&e| z[e as usize]))).collect()
    }

    fn curvature(&self, d: &[f64]) -> Vec<f64> {
        self.adjoint(d)
    }

    fn magnitude(&self, q: &[f64]) -> (f64, usize) {
        let sizes: Vec<f64> = (0..self.count()).map(|k| q[k].abs() * (self.members(k).len() as f64).sqrt()).collect();
        (norm_upper(&sizes) * (1.0 + 1e-12), 1)
    }

    fn index(&self) -> Option<&[u32]> {
        Some(&self.group)
    }

    fn terms(&self, e: usize) -> Vec<(usize, f64)> {
        vec![(self.group[e] as usize, 1.0)]
    }

    fn lines(&self) -> Option<Lines> {
        self.lines.map(|(index, across)| Lines { axis: 1 - index, side: Mat::repeat(across, 1, 1.0) })
    }

    fn unseen(&self) -> Option<String> {
        let empty = (0..self.count()).find(|&k| self.members(k).is_empty())?;
        Some(format!("{} {} has no observed entry", self.what, empty + 1))
    }
}
