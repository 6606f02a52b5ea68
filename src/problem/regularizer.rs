//! g from gauges.
//!
//! ```text
//! product   g(x^1..x^K) = prod_k gauge_k(x^k)                 (15)/(17)
//! sum       g(x^1..x^K) = (1/K) sum_k gauge_k(x^k)^K          (16)
//! ```
//!
//! With one factor (psd) K = 1 and the degree is the mapping's: g = gauge(u)^2 in either form. Both forms induce the same
//! Omega: at balanced slices (equal gauges) they agree, and balancing never raises either.

use crate::gauge::Gauge;
use crate::mapping::Factors;

/// `regularizer.form`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Product of the gauges.
    Product,
    /// Mean of the gauges' K-th powers.
    Sum,
}

/// g, positively homogeneous of the mapping's degree.
pub struct Regularizer {
    /// Which form `total` evaluates.
    pub form: Form,
    /// One gauge per factor.
    pub gauges: Vec<Gauge>,
}

impl Regularizer {
    /// p of g.
    pub fn degree(&self) -> u32 {
        self.gauges.len().max(2) as u32
    }

    /// The gauges' values at slice i, one per factor.
    pub fn gauges_at(&self, slice: &[&[f64]]) -> Vec<f64> {
        self.gauges.iter().zip(slice).map(|(g, x)| g.value(x)).collect()
    }

    /// g of one slice, in the form named; +inf outside a cone.
    pub fn value(&self, slice: &[&[f64]]) -> f64 {
        self.combine(&self.gauges_at(slice))
    }

    fn combine(&self, values: &[f64]) -> f64 {
        match (self.form, values) {
            (_, [one]) => one * one,
            (Form::Product, all) => product(all),
            (Form::Sum, all) => all.iter().map(|v| v.powi(all.len() as i32)).sum::<f64>() / all.len() as f64,
        }
    }

    /// The smallest g over rescalings of the slice that leave phi alone: the product form's value.
    pub fn balanced_value(&self, slice: &[&[f64]]) -> f64 {
        let values = self.gauges_at(slice);
        if let [one] = values.as_slice() { one * one } else { product(&values) }
    }

    /// sum_i g(X_i).
    pub fn total(&self, x: &Factors) -> f64 {
        // the empty sum is -0
        (0..x.rank()).map(|i| self.value(&x.slice(i))).sum::<f64>() + 0.0
    }

    /// sum_i g(X_i), with what underflow may have taken from a gauge or from their product put back, and with every column
    /// moved into its cone where membership is decided up to rounding; relative roundings are left to the caller.
    pub fn total_upper(&self, x: &Factors) -> f64 {
        (0..x.rank())
            .map(|i| {
                let slice = x.slice(i);
                let lost = |x: &[f64]| if x.iter().any(|x| *x != 0.0) { f64::MIN_POSITIVE } else { 0.0 };
                let moved = |g: &Gauge, x: &[f64]| match g.distance_upper(x) {
                    0.0 => 0.0,
                    e => e * g.slope(),
                };
                let values: Vec<f64> =
                    (self.gauges.iter().zip(&slice)).map(|(g, x)| g.value_upper(x) + lost(x) + moved(g, x)).collect();
                let top = values.iter().fold(0.0, |m: f64, v| m.max(*v));
                // a product of some of the gauges may underflow before the others are multiplied in
                let rest = top.max(1.0).powi(values.len() as i32 - 2);
                self.combine(&values) + top.min(f64::MIN_POSITIVE) * if values.len() > 2 { rest } else { 1.0 }
            })
            .sum()
    }

    /// Rescales each slice so that its gauges are equal, leaving phi alone; a slice with a zero gauge becomes zero.
    pub fn balance(&self, x: &mut Factors) {
        let k = self.gauges.len();
        if k == 1 {
            return;
        }
        for i in 0..x.rank() {
            let values = self.gauges_at(&x.slice(i));
            let mean = product(&values).powf(1.0 / k as f64);
            for (factor, value) in x.0.iter_mut().zip(&values) {
                factor.column_mut(i).scale_mut(if mean > 0.0 { mean / value } else { 0.0 });
            }
        }
    }
}

/// 0 * inf counts as inf: a slice outside a cone is never free.
fn product(values: &[f64]) -> f64 {
    if values.contains(&f64::INFINITY) { f64::INFINITY } else { values.iter().product() }
}
