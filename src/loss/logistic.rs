//! Logistic loss, `loss.kind = "logistic"`: targets y = -1 or 1, x the log odds of 1.
//!
//! ```text
//! l(x)         sum_j w_j log(1 + exp(-y_j x_j))
//! gradient_j   -w_j y_j / (1 + exp(y_j x_j))
//! -l*(-z)      sum_j -a ln(a / w) - (w - a) ln((w - a) / w),   a = y_j z_j       domain: 0 <= a <= w
//! z0           w_j y_j / 2
//! ```
//!
//! Smooth with constant max w / 4; bounded below by 0, which is not attained.

use super::Kind;
use super::separable::Separable;
use crate::data::TargetKind;
use crate::linalg::elementary::{ASSUMPTION, ULPS, entropy, sigmoid, softplus};

/// sum_j w_j log(1 + exp(-y_j x_j)).
#[derive(Debug)]
pub struct Logistic;

/// Registration.
pub const KIND: Kind = Kind {
    name: "logistic",
    summary: "w log(1 + exp(-y x)), targets -1 or 1 (or 0 or 1)",
    targets: TargetKind::Signs,
    parameters: &[],
    build: |_| Box::new(Logistic),
};

impl Separable for Logistic {
    fn value(&self, y: f64, x: f64) -> f64 {
        softplus(-y * x)
    }

    fn value_error(&self, y: f64, x: f64) -> f64 {
        (2.0 * ULPS + 4.0) * Separable::value(self, y, x)
    }

    fn slope(&self, y: f64, x: f64) -> f64 {
        -y * sigmoid(-y * x)
    }

    fn second(&self, y: f64, x: f64) -> f64 {
        sigmoid(y * x) * sigmoid(-y * x)
    }

    fn domain(&self, w: f64, y: f64) -> (f64, f64) {
        if y > 0.0 { (0.0, w) } else { (-w, 0.0) }
    }

    fn dual(&self, w: f64, y: f64, z: f64) -> f64 {
        let a = y * z;
        // of the two logarithms, the one whose argument is near 1 is taken of what is left to 1
        let rest = if a <= 0.5 * w { -(w - a) * (-a / w).ln_1p() } else { entropy(w - a, w) };
        entropy(a, w) + rest
    }

    fn dual_error(&self, w: f64, y: f64, z: f64) -> f64 {
        (ULPS + 4.0) * self.dual(w, y, z) + 8.0 * w
    }

    fn dual_derivative(&self, w: f64, y: f64, z: f64) -> f64 {
        let a = y * z;
        y * ((w - a) / a).ln()
    }

    fn curvature(&self) -> f64 {
        0.25
    }

    fn assumes(&self) -> Option<&'static str> {
        Some(ASSUMPTION)
    }
}
