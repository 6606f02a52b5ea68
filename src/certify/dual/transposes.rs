//! Dual points of arrays of order K >= 3 with plain l2 gauges, in a grouping of the indices ([`Grouping`]):
//!
//! ```text
//! <Z, x^1 o .. o x^K> = a'Zw <= a'Sw <= 1/2 (a, w)' [[0, S], [S', G + N]] (a, w) <= lambda_max(..)     ||a|| = ||w|| = 1
//! ```
//!
//! with w = c (x) b, so that w'Gw = 0 for every G = -G^T2; N >= 0 entry by entry, and 0 unless the factors behind b and c all lie
//! in orthants; S = Z, or S >= Z (in the sign of the product) if all factors do.

use super::lift::{nonnegative, scaled};
use super::majorant::field_below;
use super::{DualPoint, Kind, Proven, finish, largest_scale, plain_lambda};
use crate::linalg::proven;
use crate::linalg::sum::{UNIT_ROUNDOFF, norm_upper};
use crate::polar::bound::product_sign;
use crate::polar::folded::Folded;
use crate::polar::grouping::Grouping;
use crate::problem::Problem;

/// The blocks, as numbers that leave no room for a matrix which is not what it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Transposes {
    /// The group of every index: 0 for a, 1 for b, 2 for c.
    pub groups: Vec<usize>,
    /// S in memory order, all entries.
    pub s: Vec<f64>,
    /// The numbers of G; empty for 0.
    pub g: Vec<f64>,
    /// N, column-major; empty for 0.
    pub n: Vec<f64>,
}

impl Transposes {
    /// As named arrays.
    pub(super) fn arrays(&self) -> Vec<(String, Vec<f64>)> {
        let groups = self.groups.iter().map(|g| *g as f64).collect();
        let named = |name: &str, x: &Vec<f64>| (name.to_string(), x.clone());
        vec![
            ("groups".into(), groups),
            named("grouped", &self.s),
            named("antisymmetric", &self.g),
            named("nonnegative", &self.n),
        ]
    }

    /// From named arrays; `None` if one is missing. Lengths are held against the problem by whoever proves it.
    pub(super) fn read(array: impl Fn(&str) -> Option<Vec<f64>>) -> Option<Self> {
        let group = |g: &f64| (0..3).find(|k| *k as f64 == *g);
        let groups = array("groups")?.iter().map(group).collect::<Option<Vec<usize>>>()?;
        Some(Self { groups, s: array("grouped")?, g: array("antisymmetric")?, n: array("nonnegative")? })
    }

    /// The grouping that the point has been made for, if everything fits the problem.
    fn grouping(&self, problem: &Problem) -> Option<Grouping> {
        if problem.mapping.name() != "cp" {
            return None;
        }
        let grouping = Grouping::new(&problem.factor_rows(), &self.groups)?;
        let (p, side) = grouping.shape();
        let fits = self.s.len() == p * side
            && (self.g.is_empty() || self.g.len() == grouping.freedom())
            && (self.n.is_empty() || Some(self.n.len()) == side.checked_mul(side));
        fits.then_some(grouping)
    }
}

/// Whether all factors behind the columns lie in orthants, so that w has one sign.
pub fn columns_in_orthant(problem: &Problem, grouping: &Grouping) -> bool {
    let gauges = &problem.regularizer.gauges;
    grouping.groups().iter().zip(gauges).all(|(g, gauge)| *g == 0 || gauge.orthant().is_some())
}

/// Proves such a point.
pub(super) fn prove(problem: &Problem, source: &str, point: &Transposes) -> Option<Proven> {
    // the array itself, or that which matrices under the nuclear norm fold up into
    let folded = Folded::new(problem);
    if folded.is_some() && !Folded::shares_duals(problem) {
        return None;
    }
    let array = folded.as_ref().map_or(problem, |f| &f.problem);
    let (lambda, grouping) = (plain_lambda(array)?, point.grouping(array)?);
    let side = grouping.shape().1;
    let (s, mut q) = (grouping.matrix(&point.s), grouping.antisymmetric(&point.g));
    let n = (!point.n.is_empty() && columns_in_orthant(array, &grouping)).then(|| nonnegative(&point.n, side));
    let mut rounding = 0.0;
    if let Some(n) = &n {
        q += n;
        // the sum is off by a rounding per entry; symmetric, since both are
        rounding = 2.0 * UNIT_ROUNDOFF * norm_upper(q.as_slice());
    }
    let upper = (proven::bordered_lambda_max_upper(&s, &q) + rounding).next_up();
    if !upper.is_finite() {
        return None;
    }
    let limit = largest_scale(lambda, upper, &point.s, 1.0);
    let at = |c: f64, s: Vec<f64>| {
        let n = n.as_ref().map_or(Vec::new(), |n| scaled(n.as_slice(), c));
        let scaled = Transposes { groups: point.groups.clone(), s, g: scaled(&point.g, c), n };
        DualPoint { source: source.into(), kind: Kind::Transposes(scaled) }
    };
    if let Some(sign) = product_sign(array) {
        let c = limit.min(1.0);
        let s = scaled(&point.s, c);
        let z = field_below(problem, sign, &s)?;
        return finish(problem, z, at(c, s), "partial_transpose", 0.0);
    }
    // S = Z, so it vanishes where nothing is observed
    let rows = array.shape().0;
    let z: Vec<f64> = array.observations.entries().map(|(i, j)| point.s[j * rows + i]).collect();
    if z.iter().filter(|z| **z != 0.0).count() != point.s.iter().filter(|s| **s != 0.0).count() {
        return None;
    }
    let z = match &folded {
        Some(f) => f.restored(z),
        None => z,
    };
    let c = problem.loss.best_scale(problem.targets(), &z, limit);
    finish(problem, scaled(&z, c), at(c, scaled(&point.s, c)), "partial_transpose", 0.0)
}
