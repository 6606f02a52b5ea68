//! Multinomial logistic loss, `loss.kind = "multinomial"`: rows of k scores, one label per row (y one-hot, one weight per row).
//!
//! ```text
//! l(x)         sum over rows of w (logsumexp(x) - x_label)
//! gradient     w (p - y),   p = exp(x) / sum exp(x)
//! -l*(-z)      sum over rows of -sum_j a_j ln(a_j / w),   a = w y - z       domain: a >= 0, and z sums to 0 over each row
//! z0           w (y - 1 / k)
//! ```
//!
//! Smooth with constant max w / 2; bounded below by 0, which is not attained. The sums must be 0 exactly: [`Loss::repair`] puts
//! z on a grid of spacing 2^-50 w, where they can be.

use super::{DualValue, Kind, Loss, Targets};
use crate::data::TargetKind;
use crate::linalg::elementary::{ASSUMPTION, ULPS, entropy, widened};
use crate::linalg::sum::{Sum, UNIT_ROUNDOFF, norm_upper, sums_to_zero};

/// Softmax regression on rows.
#[derive(Debug)]
pub struct Multinomial {
    /// The row of each entry.
    row_of: Vec<u32>,
    /// Entries, row by row.
    order: Vec<usize>,
    /// Where each row with entries starts in `order`, and its end.
    start: Vec<usize>,
}

/// Registration.
pub const KIND: Kind = Kind {
    name: "multinomial",
    summary: "w (logsumexp(row of x) - x at the label), one label or one-hot row per row",
    targets: TargetKind::Classes,
    parameters: &[],
    build: |s| Box::new(Multinomial::new((s.rows)())),
};

impl Multinomial {
    /// Entries with the same number belong to one row.
    pub fn new(row_of: Vec<u32>) -> Self {
        let mut order: Vec<usize> = (0..row_of.len()).collect();
        order.sort_by_key(|&j| (row_of[j], j));
        let mut start: Vec<usize> =
            (0..order.len()).filter(|&k| k == 0 || row_of[order[k]] != row_of[order[k - 1]]).collect();
        start.push(order.len());
        Self { row_of, order, start }
    }

    fn rows(&self) -> impl Iterator<Item = &[usize]> {
        self.start.windows(2).map(|w| &self.order[w[0]..w[1]])
    }

    /// max x, and ln sum exp(x - max x) >= 0.
    fn log_sum(row: &[usize], x: &[f64]) -> (f64, f64) {
        let top = row.iter().fold(f64::NEG_INFINITY, |m, &j| m.max(x[j]));
        (top, row.iter().map(|&j| (x[j] - top).exp()).sum::<f64>().ln().max(0.0))
    }

    /// The value of a row for unit weight, and a bound of its error in units of roundoff.
    fn row_value(row: &[usize], t: Targets, x: &[f64]) -> (f64, f64) {
        let (top, rest) = Self::log_sum(row, x);
        let label = row.iter().find(|&&j| t.y[j] > 0.0).map_or(top, |&j| x[j]);
        let value = (top - label) + rest;
        (value, 4.0 * value + ULPS * rest + 4.0 * ULPS + row.len() as f64)
    }
}

impl Loss for Multinomial {
    fn value(&self, t: Targets, x: &[f64]) -> f64 {
        self.rows().map(|row| t.weight(row[0]) * Self::row_value(row, t, x).0).sum()
    }

    fn value_upper(&self, t: Targets, x: &[f64], radius: f64) -> f64 {
        let (mut sum, mut error) = (Sum::new(), Sum::new());
        for row in self.rows() {
            let (value, units) = Self::row_value(row, t, x);
            sum.add_product(t.weight(row[0]), value);
            error.add(t.weight(row[0]) * units);
        }
        let at_x = widened(sum.upper(), error.upper() * (1.0 + 4.0 * UNIT_ROUNDOFF));
        if radius == 0.0 {
            return at_x;
        }
        let mut slopes = vec![0.0; x.len()];
        self.gradient(t, x, &mut slopes);
        // a probability is off by a relative error that grows with its score's distance from the top
        slopes.iter_mut().enumerate().for_each(|(j, g)| *g = g.abs() + 1e-12 * t.weight(j));
        let bend = 0.5 * (0..x.len()).fold(0.0, |m: f64, j| m.max(t.weight(j)));
        let steepest = norm_upper(&slopes) * (1.0 + 1e-12);
        (at_x + (steepest * radius + 0.5 * bend * radius * radius) * (1.0 + 8.0 * UNIT_ROUNDOFF)).next_up()
    }

    fn gradient(&self, t: Targets, x: &[f64], out: &mut [f64]) {
        for row in self.rows() {
            let (top, rest) = Self::log_sum(row, x);
            for &j in row {
                out[j] = t.weight(j) * ((x[j] - top - rest).exp().min(1.0) - t.y[j]);
            }
        }
    }

    fn dual_lower(&self, t: Targets, z: &[f64]) -> DualValue {
        let (mut sum, mut error) = (Sum::new(), Sum::new());
        for row in self.rows() {
            let inside = |&j: &usize| {
                let (lo, hi) = self.domain(t, j);
                lo <= z[j] && z[j] <= hi
            };
            if !row.iter().all(inside) || !sums_to_zero(row.iter().map(|&j| z[j])) {
                return DualValue::OUTSIDE;
            }
            for &j in row {
                let w = t.weight(j);
                let a = w * t.y[j] - z[j];
                sum.add(entropy(a, w));
                error.add((ULPS + 4.0) * entropy(a, w) + 4.0 * a);
            }
        }
        let error = error.upper() * UNIT_ROUNDOFF * (1.0 + 4.0 * UNIT_ROUNDOFF);
        let value = (sum.lower() - error).next_down();
        DualValue { value, slack: sum.value() - value }
    }

    fn dual_slope(&self, t: Targets, z: &[f64], s: f64) -> f64 {
        // the terms -z_j of the derivative add up to nothing
        let term = |(j, &z): (usize, &f64)| z * ((t.weight(j) * t.y[j] - s * z) / t.weight(j)).ln();
        z.iter().enumerate().filter(|(_, z)| **z != 0.0).map(term).sum()
    }

    fn domain(&self, t: Targets, j: usize) -> (f64, f64) {
        let (w, y) = (t.weight(j), t.y[j]);
        if y > 0.0 { (0.0, w) } else { (-w, 0.0) }
    }

    fn zero_sums(&self) -> Option<&[u32]> {
        Some(&self.row_of)
    }

    fn repair(&self, t: Targets, z: &mut [f64]) {
        for row in self.rows() {
            let w = t.weight(row[0]);
            let mut a: Vec<f64> = row.iter().map(|&j| (w * t.y[j] - z[j]).max(0.0)).collect();
            let total: f64 = a.iter().sum();
            if !(total > 0.0 && total.is_finite()) {
                // nothing to go by: z = 0 is inside
                row.iter().for_each(|&j| z[j] = if z[j].is_nan() { f64::NAN } else { 0.0 });
                continue;
            }
            a.iter_mut().for_each(|a| *a *= w / total);
            // on a grid on which w and every sum of the row are whole numbers below 2^63
            let unit = 2f64.powi(w.log2().floor() as i32 - 50);
            let whole = (w / unit).floor();
            let mut counts: Vec<i64> = a.iter().map(|a| ((a / unit).round() as i64).min(whole as i64)).collect();
            let label = row.iter().position(|&j| t.y[j] > 0.0).unwrap_or(0);
            let top = (0..row.len()).max_by_key(|&k| counts[k]).unwrap_or(0);
            counts[top] += whole as i64 - counts.iter().sum::<i64>();
            // z = w y - a, and what the grid leaves of w stays with the label's a, which z does not see
            for (k, &j) in row.iter().enumerate() {
                let z_count = if k == label { whole as i64 - counts[k] } else { -counts[k] };
                z[j] = z_count as f64 * unit;
            }
        }
    }

    fn curvature(&self) -> f64 {
        0.5
    }

    fn local_curvature(&self, t: Targets, x: &[f64], out: &mut [f64]) {
        // diag(p) - p p' <= diag(p)
        self.gradient(t, x, out);
        out.iter_mut().enumerate().for_each(|(j, g)| *g += t.weight(j) * t.y[j]);
    }

    fn assumes(&self) -> Option<&'static str> {
        Some(ASSUMPTION)
    }
}
