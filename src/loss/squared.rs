//! Squared loss, `loss.kind = "squared"`.
//!
//! ```text
//! l(x)         sum_j w_j (x_j - y_j)^2 / 2
//! gradient_j   w_j (x_j - y_j)
//! -l*(-z)      sum_j z_j y_j - z_j^2 / (2 w_j)          domain: everything
//! z0           w_j y_j
//! ```
//!
//! Units: those of the data, squared. Smooth with constant max w; bounded below by 0.
//! ||x' - x|| <= e moves sqrt(l) by at most sqrt(max w / 2) e, which bounds l at x' from above.

use super::{DualValue, Kind, Loss, Targets};
use crate::data::TargetKind;
use crate::linalg::long;
use crate::linalg::sum::{Sum, UNIT_ROUNDOFF};

/// sum_j w_j (x_j - y_j)^2 / 2.
#[derive(Debug)]
pub struct Squared;

/// Registration.
pub const KIND: Kind = Kind {
    name: "squared",
    summary: "w (x - y)^2 / 2, summed over observed entries",
    targets: TargetKind::Real,
    parameters: &[],
    build: |_| Box::new(Squared),
};

impl Squared {
    /// Twice the loss: halving a weight could round it to 0.
    fn twice(t: Targets, x: &[f64]) -> Sum {
        let [s] = Sum::over(x.len(), |j, [s]: &mut [Sum; 1]| {
            let r = x[j] - t.y[j];
            s.add_product(t.weight(j) * r, r);
        });
        s
    }
}

impl Loss for Squared {
    fn value(&self, t: Targets, x: &[f64]) -> f64 {
        0.5 * long::sum_over(x.len(), |j| t.weight(j) * (x[j] - t.y[j]) * (x[j] - t.y[j]))
    }

    fn value_upper(&self, t: Targets, x: &[f64], radius: f64) -> f64 {
        // r = fl(x - y) and fl(w r) each carry one relative rounding; r enters twice
        let at_x = 0.5 * Self::twice(t, x).upper() * (1.0 + 8.0 * UNIT_ROUNDOFF);
        let top = t.w.map_or(1.0, |w| w.iter().fold(0.0, |m: f64, w| m.max(*w)));
        let root = at_x.sqrt() + (top / 2.0).sqrt() * radius;
        if radius == 0.0 { at_x } else { root * root * (1.0 + 8.0 * UNIT_ROUNDOFF) }
    }

    fn gradient(&self, t: Targets, x: &[f64], out: &mut [f64]) {
        for j in 0..out.len() {
            out[j] = t.weight(j) * (x[j] - t.y[j]);
        }
    }

    fn dual_lower(&self, t: Targets, z: &[f64]) -> DualValue {
        let Some(w) = t.w else {
            // y - z / 2 is rounded once
            let [s] = Sum::over(z.len(), |j, [s]: &mut [Sum; 1]| s.add_product(z[j], t.y[j] - 0.5 * z[j]));
            let value = (s.lower() - UNIT_ROUNDOFF * s.magnitude() * (1.0 + 8.0 * UNIT_ROUNDOFF)).next_down();
            return DualValue { value, slack: s.value() - value };
        };
        let [s, division] = Sum::over(z.len(), |j, [s, division]: &mut [Sum; 2]| {
            let (z, q) = (z[j], z[j] / w[j]);
            s.add_product(z, t.y[j]);
            s.add_product(-0.5 * z, q);
            division.add((z * q).abs());
        });
        let value = (s.lower() - UNIT_ROUNDOFF * division.upper()).next_down();
        DualValue { value, slack: s.value() - value }
    }

    fn dual_value(&self, t: Targets, z: &[f64], s: f64) -> f64 {
        long::sum_over(z.len(), |j| s * z[j] * (t.y[j] - 0.5 * s * z[j] / t.weight(j)))
    }

    fn dual_slope(&self, t: Targets, z: &[f64], s: f64) -> f64 {
        long::sum_over(z.len(), |j| z[j] * (t.y[j] - s * z[j] / t.weight(j)))
    }

    fn best_scale(&self, t: Targets, z: &[f64], limit: f64) -> f64 {
        let zy = long::dot(z, t.y);
        let zz = long::sum_over(z.len(), |j| z[j] * z[j] / t.weight(j));
        if zz > 0.0 { (zy / zz).max(0.0).min(limit) } else { 0.0 }
    }

    fn point(&self, t: Targets, j: usize, z: f64) -> Option<f64> {
        Some(t.y[j] - z / t.weight(j))
    }

    fn repair(&self, _t: Targets, _z: &mut [f64]) {}

    fn curvature(&self) -> f64 {
        1.0
    }

    fn local_curvature(&self, t: Targets, _x: &[f64], out: &mut [f64]) {
        out.iter_mut().enumerate().for_each(|(j, d)| *d = t.weight(j));
    }

    fn is_quadratic(&self) -> bool {
        true
    }
}
