//! A loss with an outlier q_j per entry minimised out.
//!
//! ```text
//! l~(x)        min over q of l(x + q) + sum_j h(q_j),    h(q) = max(hi q, lo q),  lo <= 0 <= hi
//! gradient     that of l, kept in [-hi, -lo]
//! -l~*(-z)     -l*(-z)       domain: that of l*, and lo <= z_j <= hi
//! ```
//!
//! lo = -hi: the l1 norm, which turns the squared loss into the Huber loss. lo = -inf, hi = 0: q >= 0. With both infinite it is l
//! itself. Entry j has q_j = 0 where -l' lies inside, else x_j + q_j is where -l' is at the end.

use super::{DualValue, Loss, Targets};
use crate::linalg::sum::{Sum, UNIT_ROUNDOFF, norm_upper};
use std::sync::Arc;

/// How far an outlier goes where the least loss is not attained.
const FAR: f64 = 60.0;

/// The loss less its outliers.
#[derive(Clone)]
pub struct Profiled {
    /// l.
    pub inner: Arc<dyn Loss>,
    /// Lower end of z.
    pub lo: f64,
    /// Upper end of z.
    pub hi: f64,
}

impl Profiled {
    /// Whether there are outliers at all.
    pub fn has_outliers(&self) -> bool {
        self.lo.is_finite() || self.hi.is_finite()
    }

    /// The best q for predictions x.
    pub fn outliers(&self, t: Targets, x: &[f64]) -> Vec<f64> {
        let mut q = vec![0.0; x.len()];
        if !self.has_outliers() {
            return q;
        }
        let mut slope = vec![0.0; x.len()];
        self.inner.gradient(t, x, &mut slope);
        for (j, q) in q.iter_mut().enumerate() {
            let z = -slope[j];
            let end = if z > self.hi {
                self.hi
            } else if z < self.lo {
                self.lo
            } else {
                continue;
            };
            let step = self.inner.point(t, j, end).map_or(0.0, |p| p - x[j]).clamp(-FAR - x[j].abs(), FAR + x[j].abs());
            // z above its upper end asks for more, below its lower end for less
            *q = if z > self.hi { step.max(0.0) } else { step.min(0.0) };
        }
        q
    }

    /// sum_j h(q_j).
    fn cost(&self, q: &[f64]) -> Sum {
        let mut s = Sum::new();
        for &q in q.iter().filter(|q| **q != 0.0) {
            s.add_product(if q > 0.0 { self.hi } else { self.lo }, q);
        }
        s
    }

    fn moved(&self, t: Targets, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let q = self.outliers(t, x);
        (x.iter().zip(&q).map(|(x, q)| x + q).collect(), q)
    }
}

impl Loss for Profiled {
    fn value(&self, t: Targets, x: &[f64]) -> f64 {
        if !self.has_outliers() {
            return self.inner.value(t, x);
        }
        let (x, q) = self.moved(t, x);
        self.inner.value(t, &x) + self.cost(&q).value()
    }

    fn value_upper(&self, t: Targets, x: &[f64], radius: f64) -> f64 {
        let (moved, q) = self.moved(t, x);
        let rounding = UNIT_ROUNDOFF * norm_upper(&moved);
        (self.inner.value_upper(t, &moved, (radius + rounding).next_up()) + self.cost(&q).upper()).next_up()
    }

    fn gradient(&self, t: Targets, x: &[f64], out: &mut [f64]) {
        self.inner.gradient(t, x, out);
        out.iter_mut().for_each(|g| *g = g.clamp(-self.hi, -self.lo));
    }

    fn dual_lower(&self, t: Targets, z: &[f64]) -> DualValue {
        if z.iter().all(|z| self.lo <= *z && *z <= self.hi) { self.inner.dual_lower(t, z) } else { DualValue::OUTSIDE }
    }

    fn dual_slope(&self, t: Targets, z: &[f64], s: f64) -> f64 {
        self.inner.dual_slope(t, z, s)
    }

    fn point(&self, t: Targets, j: usize, z: f64) -> Option<f64> {
        self.inner.point(t, j, z)
    }

    fn domain(&self, t: Targets, j: usize) -> (f64, f64) {
        let (lo, hi) = self.inner.domain(t, j);
        (lo.max(self.lo), hi.min(self.hi))
    }

    fn zero_sums(&self) -> Option<&[u32]> {
        self.inner.zero_sums()
    }

    fn repair(&self, t: Targets, z: &mut [f64]) {
        self.inner.repair(t, z);
        if self.has_outliers() {
            z.iter_mut().for_each(|z| *z = z.clamp(self.lo, self.hi));
        }
    }

    fn curvature(&self) -> f64 {
        self.inner.curvature()
    }

    fn local_curvature(&self, t: Targets, x: &[f64], out: &mut [f64]) {
        if self.has_outliers() && self.inner.curvature().is_infinite() {
            // where an outlier takes what x gains: the curvature at the end of that, as there is no other to step by
            return self.inner.local_curvature(t, &self.moved(t, x).0, out);
        }
        self.inner.local_curvature(t, x, out);
        if self.has_outliers() {
            let mut slope = vec![0.0; x.len()];
            self.inner.gradient(t, x, &mut slope);
            // linear where an outlier takes what x gains
            let flat = |g: f64| -g > self.hi || -g < self.lo;
            out.iter_mut().zip(&slope).filter(|(_, g)| flat(**g)).for_each(|(c, _)| *c = 0.0);
        }
    }

    fn infimum(&self, t: Targets) -> f64 {
        self.inner.infimum(t)
    }

    fn assumes(&self) -> Option<&'static str> {
        self.inner.assumes()
    }
}
