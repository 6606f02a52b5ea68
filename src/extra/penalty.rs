//! H(Q) of a block, `extra.penalty`: convex, with its conjugate.
//!
//! ```text
//! none           0                 H*(v) = 0 if v = 0
//! l1             w ||Q||_1         0 if max |v| <= w
//! l2             w ||Q||_2         0 if ||v||_2 <= w
//! l2_squared     (w / 2) ||Q||^2   ||v||^2 / (2 w)
//! nonnegative    0 if Q >= 0       0 if v <= 0               else +inf
//! ```

use crate::linalg::sum::{Sum, UNIT_ROUNDOFF, norm_upper};
use crate::linalg::vector::dot;

/// H.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Penalty {
    /// Free.
    None,
    /// w ||Q||_1.
    L1(f64),
    /// w ||Q||_2 of the whole block.
    L2(f64),
    /// (w / 2) ||Q||_2^2.
    L2Squared(f64),
    /// Q >= 0.
    Nonnegative,
}

/// Names in the spec, and whether a weight goes with them.
pub const NAMES: &[(&str, bool)] =
    &[("none", false), ("l1", true), ("l2", true), ("l2_squared", true), ("nonnegative", false)];

impl Penalty {
    /// The penalty of this name; the weight is ignored where none goes with it.
    pub fn new(name: &str, weight: f64) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "l1" => Self::L1(weight),
            "l2" => Self::L2(weight),
            "l2_squared" => Self::L2Squared(weight),
            "nonnegative" => Self::Nonnegative,
            _ => return None,
        })
    }

    /// Its name in the spec, and its weight.
    pub fn parts(self) -> (&'static str, Option<f64>) {
        match self {
            Self::None => ("none", None),
            Self::L1(w) => ("l1", Some(w)),
            Self::L2(w) => ("l2", Some(w)),
            Self::L2Squared(w) => ("l2_squared", Some(w)),
            Self::Nonnegative => ("nonnegative", None),
        }
    }

    /// H(q); +inf outside.
    pub fn value(self, q: &[f64]) -> f64 {
        match self {
            Self::None => 0.0,
            Self::L1(w) => w * q.iter().map(|q| q.abs()).sum::<f64>(),
            Self::L2(w) => w * dot(q, q).sqrt(),
            Self::L2Squared(w) => 0.5 * w * dot(q, q),
            Self::Nonnegative => q.iter().find(|q| **q < 0.0).map_or(0.0, |_| f64::INFINITY),
        }
    }

    /// H(q), rounded up.
    pub fn value_upper(self, q: &[f64]) -> f64 {
        match self {
            Self::None | Self::Nonnegative => self.value(q),
            Self::L1(w) => {
                let mut s = Sum::new();
                q.iter().for_each(|q| s.add_product(w, q.abs()));
                s.upper()
            }
            Self::L2(w) => (w * norm_upper(q)).next_up(),
            Self::L2Squared(w) => {
                let norm = norm_upper(q);
                ((0.5 * w * norm).next_up() * norm).next_up()
            }
        }
    }

    /// Whether gradient steps (projected onto a sign) suffice.
    pub fn is_smooth(self) -> bool {
        matches!(self, Self::None | Self::L2Squared(_) | Self::Nonnegative)
    }

    /// The curvature of H.
    pub fn curvature(self) -> f64 {
        if let Self::L2Squared(w) = self { w } else { 0.0 }
    }

    /// argmin over q of sum_k h_k (q_k - p_k)^2 / 2 + H(q), in place; h > 0, the same for all k under the l2 norm.
    pub fn prox(self, p: &mut [f64], h: &[f64]) {
        match self {
            Self::None => {}
            Self::L1(w) => p.iter_mut().zip(h).for_each(|(p, h)| *p = p.signum() * (p.abs() - w / h).max(0.0)),
            Self::L2(w) => {
                let norm = dot(p, p).sqrt();
                let keep = if norm > 0.0 { (1.0 - w / (h[0] * norm)).max(0.0) } else { 0.0 };
                p.iter_mut().for_each(|p| *p *= keep);
            }
            Self::L2Squared(w) => p.iter_mut().zip(h).for_each(|(p, h)| *p *= h / (h + w)),
            Self::Nonnegative => p.iter_mut().for_each(|p| *p = p.max(0.0)),
        }
    }

    /// A lower bound of -H*(v) for every v in the intervals; `None` unless H* is known to be finite there.
    pub fn dual_lower(self, v: &[(f64, f64)]) -> Option<f64> {
        let sizes = || v.iter().map(|(lo, hi)| lo.abs().max(hi.abs()));
        let inside = match self {
            Self::None => v.iter().all(|v| *v == (0.0, 0.0)),
            Self::L1(w) => sizes().all(|s| s <= w),
            Self::L2(w) => norm_upper(&sizes().collect::<Vec<_>>()) <= w,
            Self::Nonnegative => v.iter().all(|v| v.1 <= 0.0),
            Self::L2Squared(w) => {
                let norm = norm_upper(&sizes().collect::<Vec<_>>());
                let cost = ((norm / w).next_up() * norm).next_up() * 0.5;
                return cost.is_finite().then_some(-cost.next_up());
            }
        };
        inside.then_some(0.0)
    }

    /// The largest s with H*(s v) finite, short of it by rounding.
    pub fn largest_scale(self, v: &[f64]) -> f64 {
        let (size, w) = match self {
            Self::L1(w) => (v.iter().fold(0.0, |m: f64, v| m.max(v.abs())), w),
            Self::L2(w) => (norm_upper(v), w),
            Self::None | Self::L2Squared(_) | Self::Nonnegative => return f64::INFINITY,
        };
        // the sums that v comes from are rounded, those of the scaled field once more
        if size > 0.0 { w / size * (1.0 - 1e-12 - 64.0 * UNIT_ROUNDOFF) } else { f64::INFINITY }
    }

    /// How far v is from being a subgradient of H at q, relative to the scale of either.
    pub fn excess(self, q: &[f64], v: &[f64], scale: f64) -> f64 {
        let worst = |f: &dyn Fn(f64, f64) -> f64| q.iter().zip(v).map(|(q, v)| f(*q, *v)).fold(0.0, f64::max);
        let excess = match self {
            Self::None => worst(&|_, v| v.abs()),
            Self::L1(w) => worst(&|q, v| if q == 0.0 { (v.abs() - w).max(0.0) } else { (v - w * q.signum()).abs() }),
            Self::L2(w) => {
                let norm = dot(q, q).sqrt();
                if norm == 0.0 { (dot(v, v).sqrt() - w).max(0.0) } else { worst(&|q, v| (v - w * q / norm).abs()) }
            }
            Self::L2Squared(w) => worst(&|q, v| (v - w * q).abs()),
            Self::Nonnegative => worst(&|q, v| if q > 0.0 { v.abs() } else { v.max(0.0) }),
        };
        excess / scale
    }
}
