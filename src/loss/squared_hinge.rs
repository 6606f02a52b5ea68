//! Squared hinge loss, `loss.kind = "squared_hinge"`: targets y = -1 or 1.
//!
//! ```text
//! l(x)         sum_j w_j max(0, 1 - y_j x_j)^2 / 2
//! gradient_j   -w_j y_j max(0, 1 - y_j x_j)
//! -l*(-z)      sum_j a - a^2 / (2 w_j),   a = y_j z_j       domain: a >= 0
//! z0           w_j y_j
//! ```
//!
//! Smooth with constant max w; bounded below by 0.

use super::Kind;
use super::separable::Separable;
use crate::data::TargetKind;

/// sum_j w_j max(0, 1 - y_j x_j)^2 / 2.
#[derive(Debug)]
pub struct SquaredHinge;

/// Registration.
pub const KIND: Kind = Kind {
    name: "squared_hinge",
    summary: "w max(0, 1 - y x)^2 / 2, targets -1 or 1 (or 0 or 1)",
    targets: TargetKind::Signs,
    parameters: &[],
    build: |_| Box::new(SquaredHinge),
};

impl Separable for SquaredHinge {
    fn value(&self, y: f64, x: f64) -> f64 {
        let t = (1.0 - y * x).max(0.0);
        0.5 * t * t
    }

    fn value_error(&self, y: f64, x: f64) -> f64 {
        4.0 * Separable::value(self, y, x)
    }

    fn slope(&self, y: f64, x: f64) -> f64 {
        -y * (1.0 - y * x).max(0.0)
    }

    fn second(&self, y: f64, x: f64) -> f64 {
        if y * x <= 1.0 { 1.0 } else { 0.0 }
    }

    fn domain(&self, _w: f64, y: f64) -> (f64, f64) {
        if y > 0.0 { (0.0, f64::INFINITY) } else { (f64::NEG_INFINITY, 0.0) }
    }

    fn dual(&self, w: f64, y: f64, z: f64) -> f64 {
        z * y - 0.5 * z * (z / w)
    }

    fn dual_error(&self, w: f64, _y: f64, z: f64) -> f64 {
        z.abs() + 4.0 * z * (z / w)
    }

    fn dual_derivative(&self, w: f64, y: f64, z: f64) -> f64 {
        y - z / w
    }

    fn curvature(&self) -> f64 {
        1.0
    }
}
