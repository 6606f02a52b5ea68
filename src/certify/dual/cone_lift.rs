//! Lifts for cones given by halfspaces and for norms of squares, with any loss that is a sum over entries: a symmetric matrix on
//! R^(m + n) (on R^m for psd) bounds the polar.

use super::{DualPoint, Proven, prove_field, weighted_lambda};
use crate::gauge::Norm;
use crate::linalg::sum::{UNIT_ROUNDOFF, gamma, norm_upper};
use crate::linalg::{Mat, dense, proven};
use crate::polar::bound::Upper;
use crate::polar::field;
use crate::problem::Problem;

/// A field with what bounds its polar, for u in {A_u u >= 0}, v in {A_v v >= 0}, ||u||^2 >= h_u(u o u), ||v||^2 >= h_v(v o v):
///
/// ```text
/// T = [[A_u'N_u A_u, Z + A_u'N A_v], [.., A_v'N_v A_v]] <= diag(b_u, b_v) + d I,   N, N_u, N_v >= 0 entry by entry
///
/// u'Zv <= 1/2 (u, v)'T(u, v) <= 1/2 (h_u°(b_u + d) ||u||^2 + h_v°(b_v + d) ||v||^2),     so, scaling u against v,
/// Omega°(Z) <= (h_u°(b_u + d) h_v°(b_v + d))^1/2
/// ```
///
/// A free side has no A. psd has T = sym(Z) + A'N A and the one factor.
#[derive(Clone, Debug, PartialEq)]
pub struct ConeLift {
    /// Z, in observation order.
    pub z: Vec<f64>,
    /// N_u and N_v, p x p column-major, or empty for 0.
    pub own: [Vec<f64>; 2],
    /// N, p_u x p_v column-major, or empty for 0.
    pub cross: Vec<f64>,
    /// b_u and b_v.
    pub diagonals: [Vec<f64>; 2],
}

/// The names of a saved lift's arrays, N_v and b_v last.
const ARRAYS: [&str; 6] = ["cone_z", "cone_u", "cone_cross", "cone_diagonal_u", "cone_v", "cone_diagonal_v"];

impl ConeLift {
    /// As it is saved.
    pub fn arrays(&self) -> Vec<(String, Vec<f64>)> {
        let all = [&self.z, &self.own[0], &self.cross, &self.diagonals[0], &self.own[1], &self.diagonals[1]];
        ARRAYS.iter().zip(all).map(|(name, a)| (name.to_string(), a.clone())).collect()
    }

    /// Reads a saved one; `None` if arrays are missing. Lengths are seen to where it is proven.
    pub fn read(array: impl Fn(&str) -> Option<Vec<f64>>) -> Option<Self> {
        let [z, u, cross, bu, v, bv] = ARRAYS.map(array);
        Some(Self { z: z?, own: [u?, v?], cross: cross?, diagonals: [bu?, bv?] })
    }
}

/// A side of the lift.
pub struct Side {
    /// Length of its vectors.
    pub length: usize,
    /// A of its cone; `None` for a free side, or one whose cone is no intersection of halfspaces: dropping it lowers Omega.
    pub rows: Option<Mat>,
    /// The sign, for orthants.
    pub orthant: Option<f64>,
    /// h.
    pub squares: Box<dyn Norm>,
}

impl Side {
    /// A'N B for the A of this side and the B of another, N of their rows.
    pub fn between(&self, n: &Mat, other: &Self) -> Mat {
        if let (Some(s), Some(t)) = (self.orthant, other.orthant) {
            return n * (s * t);
        }
        match (&self.rows, &other.rows) {
            (Some(a), Some(b)) => dense::mul(&dense::tr_mul(a, n), b),
            _ => Mat::zeros(self.length, other.length),
        }
    }

    /// |A|'N|B|.
    fn size_between(&self, n: &Mat, other: &Self) -> Mat {
        match (&self.rows, &other.rows) {
            (Some(a), Some(b)) => dense::mul(&dense::tr_mul(&a.abs(), n), &b.abs()),
            _ => Mat::zeros(self.length, other.length),
        }
    }

    fn count(&self) -> usize {
        self.rows.as_ref().map_or(0, Mat::nrows)
    }
}

/// What the lift of a problem looks like.
pub struct Shape {
    /// u and v; psd has u alone.
    pub sides: Vec<Side>,
    /// lambda for gauges without their weights.
    pub lambda: f64,
}

impl Shape {
    /// `None` where phi is neither u v' nor u u', weights vary, or a norm has no h.
    pub fn new(problem: &Problem) -> Option<Self> {
        if !matches!(problem.mapping.name(), "matrix" | "psd") {
            return None;
        }
        let side = |(gauge, length): (&crate::gauge::Gauge, usize)| {
            Some(Side {
                length,
                rows: gauge.cone().and_then(|c| c.halfspaces(length)),
                orthant: gauge.orthant(),
                squares: gauge.norm().of_squares()?,
            })
        };
        let sides = problem.regularizer.gauges.iter().zip(problem.factor_rows()).map(side).collect::<Option<_>>()?;
        Some(Self { sides, lambda: weighted_lambda(problem)? })
    }

    /// Whether there is one factor, with phi = u u'.
    pub fn is_symmetric(&self) -> bool {
        self.sides.len() == 1
    }

    /// The order of T.
    pub fn order(&self) -> usize {
        self.sides.iter().map(|s| s.length).sum()
    }

    /// The side of the columns of X.
    pub fn other(&self) -> &Side {
        self.sides.last().expect("a lift has a side")
    }

    /// An upper bound of the polar of the lift's field, for gauges without their weights; `None` if its arrays do not fit.
    fn upper(&self, problem: &Problem, lift: &ConeLift) -> Option<f64> {
        let m = problem.shape().0;
        let offset = if self.is_symmetric() { 0 } else { m };
        if lift.z.len() != problem.y.len() {
            return None;
        }
        let on_entries = problem.on_entries(&lift.z);
        let z = field::matrix(&problem.observations, &on_entries);
        let mut rounding = problem.operator.as_ref().map_or(0.0, |a| a.adjoint_rounding(&lift.z));
        // the sizes that roundings are relative to, entry by entry
        let (mut t, mut size) = (Mat::zeros(self.order(), self.order()), Mat::zeros(self.order(), self.order()));
        let mut add = |at: (usize, usize), block: &Mat, sizes: &Mat| {
            let part = |to: &mut Mat, block: &Mat| {
                let mut view = to.view_mut(at, block.shape());
                view += block;
            };
            part(&mut t, block);
            part(&mut size, sizes);
        };
        add((0, offset), &z, &z.abs());
        let other = self.other();
        let cross = nonnegative(&lift.cross, self.sides[0].count(), other.count())?;
        if let Some(c) = &cross {
            add((0, offset), &self.sides[0].between(c, other), &self.sides[0].size_between(c, other));
        }
        let mut start = 0;
        for (k, side) in self.sides.iter().enumerate().filter(|_| !self.is_symmetric()) {
            if let Some(own) = nonnegative(&lift.own[k], side.count(), side.count())? {
                add((start, start), &side.between(&own, side), &side.size_between(&own, side));
            }
            start += side.length;
        }
        // u'Zv sees T through its symmetric part, which has 1/2 of the block Z on either side of the diagonal
        let whole = Mat::from_fn(self.order(), self.order(), |i, j| {
            let half = if self.is_symmetric() || (i < m) == (j < m) { 0.5 } else { 1.0 };
            let (i, j) = (i.max(j), i.min(j));
            half * (t[(i, j)] + t[(j, i)])
        });
        let diagonal: Vec<f64> =
            lift.diagonals.iter().take(self.sides.len()).flatten().map(|b| if *b < 0.0 { 0.0 } else { *b }).collect();
        if diagonal.len() != self.order() || lift.diagonals[0].len() != self.sides[0].length {
            return None;
        }
        let mut below = whole;
        for (i, b) in diagonal.iter().enumerate() {
            below[(i, i)] -= b;
            size[(i, i)] += b;
        }
        let terms = 2 * self.sides.iter().map(|s| s.count().max(1)).max().unwrap_or(1) + 16;
        rounding += 2.0 * gamma(terms) * norm_upper(size.as_slice());
        let excess = (proven::lambda_max_upper(&below) + rounding * (1.0 + gamma(8))).next_up();
        if !excess.is_finite() {
            return None;
        }
        let mut start = 0;
        let mut product = 1.0;
        for side in &self.sides {
            let raised: Vec<f64> =
                diagonal[start..start + side.length].iter().map(|b| (b + excess).next_up().max(0.0)).collect();
            product *= side.squares.dual_upper(&raised);
            start += side.length;
        }
        Some(if self.is_symmetric() { product } else { (product * (1.0 + gamma(4))).sqrt().next_up() })
    }
}

/// The nonnegative part of a column-major p x q block; `Some(None)` for an empty one, `None` for one of another length.
#[allow(clippy::option_option)]
fn nonnegative(block: &[f64], p: usize, q: usize) -> Option<Option<Mat>> {
    if block.is_empty() {
        return Some(None);
    }
    // NaN stays, so that the bound becomes infinite
    let clip = |x: &f64| if *x < 0.0 { 0.0 } else { *x };
    (p.checked_mul(q) == Some(block.len())).then(|| Some(Mat::from_iterator(p, q, block.iter().map(clip))))
}

pub(super) fn prove(problem: &Problem, source: &str, lift: &ConeLift) -> Option<Proven> {
    let shape = Shape::new(problem)?;
    let plain = shape.upper(problem, lift)?;
    let value = (plain * (problem.lambda / shape.lambda).next_up() * (1.0 + 4.0 * UNIT_ROUNDOFF)).next_up();
    let upper = Upper { value, method: "cholesky", exact: false };
    let proven = prove_field(problem, source, &lift.z, upper).filter(|_| value.is_finite())?;
    // the field alone would not show what bounds its polar
    let point = DualPoint { source: source.into(), kind: super::Kind::ConeLift(lift.clone()) };
    Some(Proven { point, ..proven })
}
