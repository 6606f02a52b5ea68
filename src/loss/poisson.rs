//! Poisson loss with the logarithmic link, `loss.kind = "poisson"`: counts y >= 0, x the logarithm of their mean.
//!
//! ```text
//! l(x)         sum_j w_j (exp(x_j) - y_j x_j)            without ln y!
//! gradient_j   w_j (exp(x_j) - y_j)
//! -l*(-z)      sum_j b - b ln(b / w_j),   b = w_j y_j - z_j       domain: b >= 0
//! z0           w_j (y_j - 1)
//! ```
//!
//! No global smoothness: the curvature w exp(x) grows without bound. Bounded below by sum_j w_j (y_j - y_j ln y_j), which may be
//! negative.

use super::Kind;
use super::separable::Separable;
use crate::data::TargetKind;
use crate::linalg::elementary::{ASSUMPTION, ULPS, entropy, product_below};
use crate::linalg::sum::UNIT_ROUNDOFF;

/// sum_j w_j (exp(x_j) - y_j x_j).
#[derive(Debug)]
pub struct Poisson;

/// Registration.
pub const KIND: Kind = Kind {
    name: "poisson",
    summary: "w (exp(x) - y x), the logarithmic link, targets >= 0",
    targets: TargetKind::Counts,
    parameters: &[],
    build: |_| Box::new(Poisson),
};

impl Separable for Poisson {
    fn value(&self, y: f64, x: f64) -> f64 {
        x.exp() - y * x
    }

    fn value_error(&self, y: f64, x: f64) -> f64 {
        (ULPS + 2.0) * (x.exp() + (y * x).abs())
    }

    fn slope(&self, y: f64, x: f64) -> f64 {
        x.exp() - y
    }

    fn slope_scale(&self, y: f64, x: f64) -> f64 {
        x.exp() + y
    }

    fn second(&self, _y: f64, x: f64) -> f64 {
        x.exp()
    }

    fn domain(&self, w: f64, y: f64) -> (f64, f64) {
        (f64::NEG_INFINITY, product_below(w, y))
    }

    fn dual(&self, w: f64, y: f64, z: f64) -> f64 {
        // one rounding, so that b keeps its sign and its relative accuracy
        let b = w.mul_add(y, -z);
        b + entropy(b, w)
    }

    fn dual_error(&self, w: f64, y: f64, z: f64) -> f64 {
        let b = w.mul_add(y, -z);
        (ULPS + 6.0) * entropy(b, w).abs() + 6.0 * b
    }

    fn dual_derivative(&self, w: f64, y: f64, z: f64) -> f64 {
        (w.mul_add(y, -z) / w).ln()
    }

    fn curvature(&self) -> f64 {
        f64::INFINITY
    }

    fn curvature_near(&self, x: f64, radius: f64) -> f64 {
        (x + radius).exp() * (1.0 + 1e-9)
    }

    fn infimum(&self, y: f64) -> f64 {
        let value = y + entropy(y, 1.0);
        value - 2.0 * (ULPS + 4.0) * UNIT_ROUNDOFF * (y + entropy(y, 1.0).abs())
    }

    fn assumes(&self) -> Option<&'static str> {
        Some(ASSUMPTION)
    }
}
