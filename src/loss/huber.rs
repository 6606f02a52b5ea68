//! Huber loss, `loss.kind = "huber"`.
//!
//! ```text
//! l(x)         sum_j w_j h(x_j - y_j),    h(t) = t^2/2 if |t| <= delta, else delta (|t| - delta/2)
//! gradient_j   w_j clamp(x_j - y_j, -delta, delta)
//! -l*(-z)      sum_j z_j y_j - z_j^2 / (2 w_j)       domain: |z_j| <= w_j delta
//! z0           w_j clamp(y_j, -delta, delta)
//! ```
//!
//! Units: delta is in those of the data. Smooth with constant max w; bounded below by 0. Minimising over l1 outliers of weight
//! delta gives it from the squared loss. Source: Huber 1964.

use super::separable::Separable;
use super::{Kind, Parameter};
use crate::data::TargetKind;
use crate::linalg::elementary::product_below;

/// sum_j w_j h(x_j - y_j).
#[derive(Debug)]
pub struct Huber {
    /// Where the square turns into a line.
    pub delta: f64,
}

/// Registration.
pub const KIND: Kind = Kind {
    name: "huber",
    summary: "w h(x - y), h(t) = t^2 / 2 for abs(t) <= `delta`, then linear",
    targets: TargetKind::Real,
    parameters: &[Parameter {
        name: "delta",
        expected: "a number > 0",
        allowed: |x| x > 0.0 && x.is_finite(),
        example: 0.5,
    }],
    build: |s| Box::new(Huber { delta: s.parameters[0] }),
};

impl Separable for Huber {
    fn value(&self, y: f64, x: f64) -> f64 {
        let t = (x - y).abs();
        if t <= self.delta { 0.5 * t * t } else { self.delta * (t - 0.5 * self.delta) }
    }

    fn value_error(&self, y: f64, x: f64) -> f64 {
        6.0 * Separable::value(self, y, x)
    }

    fn slope(&self, y: f64, x: f64) -> f64 {
        (x - y).clamp(-self.delta, self.delta)
    }

    fn second(&self, y: f64, x: f64) -> f64 {
        if (x - y).abs() <= self.delta { 1.0 } else { 0.0 }
    }

    fn domain(&self, w: f64, _y: f64) -> (f64, f64) {
        let end = product_below(w, self.delta);
        (-end, end)
    }

    fn dual(&self, w: f64, y: f64, z: f64) -> f64 {
        z * y - 0.5 * z * (z / w)
    }

    fn dual_error(&self, w: f64, y: f64, z: f64) -> f64 {
        2.0 * (z * y).abs() + 4.0 * z * (z / w)
    }

    fn dual_derivative(&self, w: f64, y: f64, z: f64) -> f64 {
        y - z / w
    }

    fn curvature(&self) -> f64 {
        1.0
    }
}
