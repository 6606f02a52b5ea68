//! Losses that are sums over entries, l(x) = sum_j w_j l0(x_j; y_j): what one entry contributes, and the rest from that.
//!
//! ```text
//! l*(-z)        sum_j w_j l0*(-z_j / w_j)
//! l(x')         <= l(x) + ||grad l(x)|| e + c e^2 / 2     for ||x' - x|| <= e and l'' <= c in between
//! ```

use super::{DualValue, Loss, Targets};
use crate::linalg::elementary::widened;
use crate::linalg::sum::{Sum, UNIT_ROUNDOFF, norm_upper};

/// One entry of a loss. Errors are in units of roundoff.
pub trait Separable: Send + Sync {
    /// l0(x; y).
    fn value(&self, y: f64, x: f64) -> f64;
    /// A bound of |fl(value) - value|, units of roundoff.
    fn value_error(&self, y: f64, x: f64) -> f64;
    /// d l0 / d x.
    fn slope(&self, y: f64, x: f64) -> f64;
    /// Terms that [`Separable::slope`] may cancel; 0 if its error is relative.
    fn slope_scale(&self, _y: f64, _x: f64) -> f64 {
        0.0
    }
    /// The second derivative; where it jumps, either side.
    fn second(&self, y: f64, x: f64) -> f64;
    /// The interval of z for weight w, rounded inwards.
    fn domain(&self, w: f64, y: f64) -> (f64, f64);
    /// -w l0*(-z / w) inside the domain.
    fn dual(&self, w: f64, y: f64, z: f64) -> f64;
    /// A bound of its error, units of roundoff.
    fn dual_error(&self, w: f64, y: f64, z: f64) -> f64;
    /// Its derivative in z.
    fn dual_derivative(&self, w: f64, y: f64, z: f64) -> f64;
    /// A bound of the second derivative everywhere, or +inf.
    fn curvature(&self) -> f64;
    /// A bound of the second derivative within `radius` of x.
    fn curvature_near(&self, _x: f64, _radius: f64) -> f64 {
        self.curvature()
    }
    /// A lower bound of inf_x l0(x; y).
    fn infimum(&self, _y: f64) -> f64 {
        0.0
    }
    /// See [`Loss::assumes`].
    fn assumes(&self) -> Option<&'static str> {
        None
    }
}

impl<S: Separable> Loss for S {
    fn value(&self, t: Targets, x: &[f64]) -> f64 {
        x.iter().zip(t.y).enumerate().map(|(j, (x, y))| t.weight(j) * Separable::value(self, *y, *x)).sum()
    }

    fn value_upper(&self, t: Targets, x: &[f64], radius: f64) -> f64 {
        let (mut sum, mut error) = (Sum::new(), Sum::new());
        for (j, (&x, &y)) in x.iter().zip(t.y).enumerate() {
            sum.add_product(t.weight(j), Separable::value(self, y, x));
            error.add(t.weight(j) * self.value_error(y, x));
        }
        let at_x = widened(sum.upper(), error.upper() * (1.0 + 4.0 * UNIT_ROUNDOFF));
        if radius == 0.0 {
            return at_x;
        }
        let slopes: Vec<f64> = x
            .iter()
            .zip(t.y)
            .enumerate()
            .map(|(j, (&x, &y))| t.weight(j) * (self.slope(y, x).abs() + 1e-12 * self.slope_scale(y, x)))
            .collect();
        let steepest = norm_upper(&slopes) * (1.0 + 1e-12);
        let near = |j: usize| t.weight(j) * self.curvature_near(x[j], radius);
        let bend = (0..x.len()).map(near).fold(0.0, f64::max) * (1.0 + 1e-12);
        (at_x + (steepest * radius + 0.5 * bend * radius * radius) * (1.0 + 8.0 * UNIT_ROUNDOFF)).next_up()
    }

    fn gradient(&self, t: Targets, x: &[f64], out: &mut [f64]) {
        for (j, out) in out.iter_mut().enumerate() {
            *out = t.weight(j) * self.slope(t.y[j], x[j]);
        }
    }

    fn dual_lower(&self, t: Targets, z: &[f64]) -> DualValue {
        let (mut sum, mut error) = (Sum::new(), Sum::new());
        for (j, (&z, &y)) in z.iter().zip(t.y).enumerate() {
            let w = t.weight(j);
            let (lo, hi) = Separable::domain(self, w, y);
            if !(lo <= z && z <= hi) {
                return DualValue::OUTSIDE;
            }
            sum.add(self.dual(w, y, z));
            error.add(self.dual_error(w, y, z));
        }
        let error = error.upper() * UNIT_ROUNDOFF * (1.0 + 4.0 * UNIT_ROUNDOFF);
        let value = (sum.lower() - error).next_down();
        if value.is_nan() { DualValue::OUTSIDE } else { DualValue { value, slack: sum.value() - value } }
    }

    fn dual_slope(&self, t: Targets, z: &[f64], s: f64) -> f64 {
        let term = |(j, &z): (usize, &f64)| z * self.dual_derivative(t.weight(j), t.y[j], s * z);
        z.iter().enumerate().filter(|(_, z)| **z != 0.0).map(term).sum()
    }

    fn point(&self, t: Targets, j: usize, z: f64) -> Option<f64> {
        Some(self.dual_derivative(t.weight(j), t.y[j], z))
    }

    fn domain(&self, t: Targets, j: usize) -> (f64, f64) {
        Separable::domain(self, t.weight(j), t.y[j])
    }

    fn curvature(&self) -> f64 {
        Separable::curvature(self)
    }

    fn local_curvature(&self, t: Targets, x: &[f64], out: &mut [f64]) {
        for (j, out) in out.iter_mut().enumerate() {
            *out = t.weight(j) * self.second(t.y[j], x[j]);
        }
    }

    fn infimum(&self, t: Targets) -> f64 {
        let mut sum = Sum::new();
        t.y.iter().enumerate().for_each(|(j, y)| sum.add_product(t.weight(j), Separable::infimum(self, *y)));
        if sum.magnitude() == 0.0 { 0.0 } else { sum.lower() }
    }

    fn assumes(&self) -> Option<&'static str> {
        Separable::assumes(self)
    }
}
