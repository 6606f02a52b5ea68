//! A norm, scaled per coordinate, on a cone.

use super::{Norm, pairs};
use crate::cone::Cone;

/// Weights between these: a product of two, or of their inverses, stays far from overflow and underflow, which the proofs of
/// polar bounds rely on.
pub const WEIGHT_RANGE: std::ops::RangeInclusive<f64> = 1e-75..=1e75;

/// gauge(x) = norm(D x) on a cone (+inf outside), D = diag(weights) > 0. Degree 1.
pub struct Gauge {
    norm: Box<dyn Norm>,
    cone: Option<Box<dyn Cone>>,
    weights: Option<Vec<f64>>,
}

impl Gauge {
    /// Composes a norm with per-coordinate weights (all in [`WEIGHT_RANGE`]) and a cone.
    ///
    /// # Errors
    /// A sentence if the (norm, cone) pair has no rule known to be right.
    ///
    /// # Panics
    /// If a weight lies outside [`WEIGHT_RANGE`].
    pub fn new(norm: Box<dyn Norm>, weights: Option<Vec<f64>>, cone: Option<Box<dyn Cone>>) -> Result<Self, String> {
        if let Some(cone) = &cone {
            pairs::rule(norm.as_ref(), cone.as_ref())?;
        }
        assert!(weights.iter().flatten().all(|w| WEIGHT_RANGE.contains(w)), "a gauge weight is out of range");
        Ok(Self { norm, cone, weights })
    }

    /// The underlying norm.
    pub fn norm(&self) -> &dyn Norm {
        self.norm.as_ref()
    }

    /// The cone, if any.
    pub fn cone(&self) -> Option<&dyn Cone> {
        self.cone.as_deref()
    }

    /// D, if not the identity.
    pub fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    /// The sign coordinates are confined to: +1, -1, or none.
    pub fn orthant(&self) -> Option<f64> {
        self.cone.as_ref().and_then(|c| c.orthant())
    }

    /// gauge(x), +inf outside the cone.
    pub fn value(&self, x: &[f64]) -> f64 {
        if self.cone.as_ref().is_some_and(|c| c.violation(x).is_some()) {
            return f64::INFINITY;
        }
        match &self.weights {
            None => self.norm.value(x),
            Some(d) => self.norm.value(&x.iter().zip(d).map(|(x, d)| x * d).collect::<Vec<_>>()),
        }
    }

    /// The polar gauge: max {<x, y> : gauge(x) <= 1}.
    pub fn polar(&self, y: &[f64]) -> f64 {
        let mut y = y.to_vec();
        self.to_dual(&mut y);
        self.norm.dual(&y)
    }

    /// y <- an x with gauge(x) <= 1 attaining the polar (0 where the polar is 0).
    pub fn polar_argmax(&self, y: &mut [f64]) {
        self.to_dual(y);
        self.norm.dual_argmax(y);
        if let Some(d) = &self.weights {
            y.iter_mut().zip(d).for_each(|(y, d)| *y /= d);
        }
    }

    /// b <- argmin_x 1/2 sum_j h_j (x_j - b_j)^2 + t gauge(x), h_j >= 0, t >= 0.
    pub fn prox(&self, b: &mut [f64], h: &[f64], t: f64) {
        if let Some(cone) = &self.cone {
            cone.project(b);
        }
        match &self.weights {
            None => self.norm.prox(b, h, t),
            Some(d) => {
                // x' = D x turns the weighted norm into the plain one, in the metric h / d^2
                b.iter_mut().zip(d).for_each(|(b, d)| *b *= d);
                let h: Vec<f64> = h.iter().zip(d).map(|(h, d)| h / (d * d)).collect();
                self.norm.prox(b, &h, t);
                b.iter_mut().zip(d).for_each(|(b, d)| *b /= d);
            }
        }
    }

    /// P D^-1 y: what the plain dual norm is taken of.
    fn to_dual(&self, y: &mut [f64]) {
        if let Some(cone) = &self.cone {
            cone.project(y);
        }
        if let Some(d) = &self.weights {
            y.iter_mut().zip(d).for_each(|(y, d)| *y /= d);
        }
    }
}
