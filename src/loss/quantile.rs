//! Smoothed quantile loss, `loss.kind = "quantile"`.
//!
//! ```text
//! l(x)         sum_j w_j max over t-1 <= z <= t of z (y_j - x_j) - h z^2 / 2       t: level, h: smoothing
//! gradient_j   -w_j clamp((y_j - x_j) / h, t-1, t)
//! -l*(-z)      sum_j z_j y_j - h z_j^2 / (2 w_j)       domain: (t-1) w_j <= z_j <= t w_j
//! z0           w_j clamp(y_j / h, t-1, t)
//! ```
//!
//! Units: h is in those of the data; as h -> 0 the loss tends to t (y - x)_+ + (1 - t) (x - y)_+. Smooth with constant max w / h;
//! bounded below by 0. The lower end t - 1 is the rounded one, in value and conjugate alike.

use super::separable::Separable;
use super::{Kind, Parameter};
use crate::data::TargetKind;
use crate::linalg::elementary::product_below;

/// The pinball loss less a quadratic in its dual variable.
#[derive(Debug)]
pub struct Quantile {
    /// t, in (0, 1).
    pub level: f64,
    /// h > 0.
    pub smoothing: f64,
}

/// Registration.
pub const KIND: Kind = Kind {
    name: "quantile",
    summary: "w times the quantile loss of `level`, rounded at its kink by `smoothing`",
    targets: TargetKind::Real,
    parameters: &[
        Parameter {
            name: "level",
            expected: "a number between 0 and 1",
            allowed: |x| x > 0.0 && x < 1.0,
            example: 0.9,
        },
        Parameter { name: "smoothing", expected: "a number > 0", allowed: |x| x > 0.0 && x.is_finite(), example: 0.5 },
    ],
    build: |s| Box::new(Quantile { level: s.parameters[0], smoothing: s.parameters[1] }),
};

impl Quantile {
    /// The maximising z, for unit weight.
    fn argmax(&self, e: f64) -> f64 {
        (e / self.smoothing).clamp(self.level - 1.0, self.level)
    }
}

impl Separable for Quantile {
    fn value(&self, y: f64, x: f64) -> f64 {
        let e = y - x;
        let z = self.argmax(e);
        z * e - 0.5 * self.smoothing * z * z
    }

    fn value_error(&self, y: f64, x: f64) -> f64 {
        let e = y - x;
        let z = self.argmax(e);
        // z is only nearly the maximiser inside: that costs the square of its error
        6.0 * (z * e).abs() + 4.0 * self.smoothing * z * z
    }

    fn slope(&self, y: f64, x: f64) -> f64 {
        -self.argmax(y - x)
    }

    fn second(&self, y: f64, x: f64) -> f64 {
        let z = (y - x) / self.smoothing;
        if self.level - 1.0 <= z && z <= self.level { 1.0 / self.smoothing } else { 0.0 }
    }

    fn domain(&self, w: f64, _y: f64) -> (f64, f64) {
        (-product_below(w, -(self.level - 1.0)), product_below(w, self.level))
    }

    fn dual(&self, w: f64, y: f64, z: f64) -> f64 {
        z * y - 0.5 * self.smoothing * z * (z / w)
    }

    fn dual_error(&self, w: f64, y: f64, z: f64) -> f64 {
        2.0 * (z * y).abs() + 4.0 * self.smoothing * z * (z / w)
    }

    fn dual_derivative(&self, w: f64, y: f64, z: f64) -> f64 {
        y - self.smoothing * z / w
    }

    fn curvature(&self) -> f64 {
        1.0 / self.smoothing
    }
}
