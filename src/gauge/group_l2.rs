//! The group norm, `norm = "group_l2"` with `groups`: l2 inside each group, l1 across groups.
//!
//! ```text
//! ||x||         sum_G ||x_G||_2          the groups part the coordinates
//! dual          max_G ||y_G||_2, attained at y_G / ||y_G||_2 on the first largest group
//! prox          the l2 prox, group by group
//! ```
//!
//! `groups` is a list of lists of 0-based indices, or a file with one label per coordinate.

use super::{Kind, Norm, Parameters, l2::L2};
use crate::linalg::sum::gamma;
use std::collections::HashMap;

/// sum_G ||x_G||_2.
#[derive(Debug)]
pub struct GroupL2(pub Groups);

/// Disjoint lists of indices that cover 0..n.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups(Vec<Vec<usize>>);

/// Registration.
pub const KIND: Kind = Kind {
    name: "group_l2",
    summary: "sum over `groups` of the Euclidean norm of the group",
    keys: &["groups"],
    optional: &[],
    build: |parameters| Ok(Box::new(GroupL2(Groups::from_parameters(parameters)?))),
    examples: |n| vec![Box::new(GroupL2(Groups::example(n)))],
};

impl Groups {
    /// The groups of an entry.
    ///
    /// # Errors
    /// A sentence naming the first coordinate that lies in no group or in two, or beyond n.
    pub fn from_parameters(parameters: &Parameters) -> Result<Self, String> {
        let groups = parameters.groups.clone().ok_or("`group_l2` needs `groups`")?;
        let n = parameters.n;
        // n may be what a list says: nothing is made of that length before the lists are known to cover it
        let mut home = HashMap::new();
        for (g, group) in groups.iter().enumerate() {
            if group.is_empty() {
                return Err(format!("`groups[{g}]` is empty"));
            }
            for &j in group {
                if j >= n {
                    return Err(format!("`groups[{g}]` names coordinate {j}, but the factor has {n}, counted from 0"));
                }
                if let Some(first) = home.insert(j, g) {
                    return Err(format!(
                        "coordinate {j} is in `groups[{first}]` and in `groups[{g}]`: groups must not overlap"
                    ));
                }
            }
        }
        match (0..n).find(|j| !home.contains_key(j)) {
            Some(j) => {
                Err(format!("coordinate {j} is in no group, so the norm would be 0 on it: give it one of its own"))
            }
            None => Ok(Self(groups)),
        }
    }

    /// Every third coordinate together, so that groups are not contiguous.
    pub(super) fn example(n: usize) -> Self {
        let count = 3.min(n);
        Self((0..count).map(|g| (g..n).step_by(count).collect()).collect())
    }

    /// The lists.
    pub fn lists(&self) -> &[Vec<usize>] {
        &self.0
    }

    /// x_G.
    pub(super) fn pick(x: &[f64], group: &[usize]) -> Vec<f64> {
        group.iter().map(|&j| x[j]).collect()
    }

    /// Replaces x_G.
    pub(super) fn put(x: &mut [f64], group: &[usize], values: &[f64]) {
        group.iter().zip(values).for_each(|(&j, v)| x[j] = *v);
    }

    /// The size of the largest group.
    pub(super) fn longest(&self) -> usize {
        self.0.iter().map(Vec::len).max().unwrap_or(0)
    }
}

impl Norm for GroupL2 {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn label(&self) -> String {
        format!("group_l2 ({} groups)", self.0.0.len())
    }

    fn value(&self, x: &[f64]) -> f64 {
        self.0.0.iter().map(|g| L2.value(&Groups::pick(x, g))).sum()
    }

    fn dual(&self, y: &[f64]) -> f64 {
        self.0.0.iter().map(|g| L2.value(&Groups::pick(y, g))).fold(0.0, f64::max)
    }

    fn dual_argmax(&self, y: &mut [f64]) {
        let mut best: (f64, &[usize]) = (0.0, &[]);
        for group in &self.0.0 {
            let size = L2.value(&Groups::pick(y, group));
            if size > best.0 {
                best = (size, group);
            }
        }
        let mut top = Groups::pick(y, best.1);
        L2.dual_argmax(&mut top);
        y.fill(0.0);
        Groups::put(y, best.1, &top);
    }

    fn prox(&self, b: &mut [f64], h: &[f64], t: f64) {
        for group in &self.0.0 {
            let mut part = Groups::pick(b, group);
            L2.prox(&mut part, &Groups::pick(h, group), t);
            Groups::put(b, group, &part);
        }
    }

    fn of_squares(&self) -> Option<Box<dyn Norm>> {
        // sum over groups >= ||x||_2
        Some(Box::new(super::l1::L1))
    }

    fn is_absolute(&self) -> bool {
        true
    }

    fn groups(&self) -> Option<&Groups> {
        Some(&self.0)
    }

    fn l2_radius(&self, _n: usize) -> f64 {
        1.0
    }

    fn l1_radius(&self, _n: usize) -> f64 {
        ((self.0.longest() as f64).sqrt() * (1.0 + gamma(4))).next_up()
    }
}
