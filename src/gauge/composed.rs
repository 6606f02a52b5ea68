//! A norm, scaled per coordinate, on a cone.

use super::Norm;
use super::pairs::{self, Rule};
use super::shrink::shrink;
use crate::cone::Cone;
use crate::linalg::sum::{UNIT_ROUNDOFF, gamma, norm_upper};
use std::sync::Arc;

/// Weights between these: a product of two, or of their inverses, stays far from overflow and underflow, which the proofs of
/// polar bounds rely on.
pub const WEIGHT_RANGE: std::ops::RangeInclusive<f64> = 1e-75..=1e75;

/// gauge(x) = norm(D x) on a cone (+inf outside), D = diag(weights) > 0. Degree 1.
#[derive(Clone)]
pub struct Gauge {
    norm: Arc<dyn Norm>,
    cone: Option<Arc<dyn Cone>>,
    rule: Option<Rule>,
    weights: Option<Vec<f64>>,
}

impl Gauge {
    /// Composes a norm with per-coordinate weights (all in [`WEIGHT_RANGE`]) and a cone.
    ///
    /// # Errors
    /// A sentence if the (norm, cone) pair, with these weights, has no rule known to be right.
    ///
    /// # Panics
    /// If a weight lies outside [`WEIGHT_RANGE`].
    pub fn new(norm: Box<dyn Norm>, weights: Option<Vec<f64>>, cone: Option<Box<dyn Cone>>) -> Result<Self, String> {
        assert!(weights.iter().flatten().all(|w| WEIGHT_RANGE.contains(w)), "a gauge weight is out of range");
        let mut norm = norm;
        let rule = cone.as_ref().map(|cone| pairs::rule(norm.as_ref(), cone.as_ref())).transpose()?;
        if let (Some(Rule::Inside), Some(inside)) = (rule, cone.as_ref().and_then(|c| norm.inside(c.as_ref()))) {
            norm = inside;
        }
        if weights.iter().any(|d| d.iter().any(|x| *x != d[0])) {
            let culprit = match &cone {
                Some(cone) if !cone.any_metric() => Some(format!("cone `{}`", cone.name())),
                _ if !norm.any_metric() => Some(format!("norm `{}`", norm.name())),
                _ => None,
            };
            if let Some(culprit) = culprit {
                return Err(format!("no rule is known to be right for weights that vary with {culprit}"));
            }
        }
        Ok(Self { norm: norm.into(), cone: cone.map(Arc::from), rule, weights })
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

    /// Whether the gauge is convex: every norm is, a cone may not be.
    pub fn is_convex(&self) -> bool {
        self.cone.as_ref().is_none_or(|c| c.is_convex())
    }

    /// Whether the prox is exact in every diagonal metric, not in uniform ones alone.
    pub fn any_metric(&self) -> bool {
        self.norm.any_metric() && self.cone.as_ref().is_none_or(|c| c.any_metric())
    }

    /// Whether gauge(-x) = gauge(x), whatever x.
    pub fn is_even(&self) -> bool {
        self.cone.as_ref().is_none_or(|c| c.is_even())
    }

    /// gauge(x), +inf outside the cone.
    pub fn value(&self, x: &[f64]) -> f64 {
        self.valued(x, |x| self.norm.value(x))
    }

    /// An upper bound of gauge(x), up to a relative error of at most gamma_(n + 32).
    pub fn value_upper(&self, x: &[f64]) -> f64 {
        self.valued(x, |x| self.norm.value_upper(x))
    }

    fn valued(&self, x: &[f64], norm: impl Fn(&[f64]) -> f64) -> f64 {
        if self.cone.as_ref().is_some_and(|c| c.violation(x).is_some()) {
            return f64::INFINITY;
        }
        match &self.weights {
            None => norm(x),
            Some(d) => norm(&x.iter().zip(d).map(|(x, d)| x * d).collect::<Vec<_>>()),
        }
    }

    /// An upper bound of ||x - x'||_2 for some x' in the cone: 0 unless membership is decided up to rounding.
    pub fn distance_upper(&self, x: &[f64]) -> f64 {
        self.cone.as_ref().map_or(0.0, |c| c.distance_upper(x))
    }

    /// The largest and the smallest of D.
    pub fn weight_range(&self) -> (f64, f64) {
        self.weights.as_ref().map_or((1.0, 1.0), |d| {
            d.iter().fold((0.0, f64::INFINITY), |(top, least): (f64, f64), d| (top.max(*d), least.min(*d)))
        })
    }

    /// The polar gauge: max {<x, y> : gauge(x) <= 1}.
    pub fn polar(&self, y: &[f64]) -> f64 {
        let mut y = y.to_vec();
        self.to_dual(&mut y);
        self.norm.dual(&y)
    }

    /// An upper bound of the polar, rounding included.
    pub fn polar_upper(&self, y: &[f64]) -> f64 {
        // a projection may pass over what is no number
        if y.iter().any(|y| y.is_nan()) {
            return f64::INFINITY;
        }
        let mut y = y.to_vec();
        if self.rule == Some(Rule::ProjectFirst)
            && let Some(cone) = &self.cone
        {
            cone.project(&mut y);
        }
        if let Some(d) = &self.weights {
            y.iter_mut().zip(d).for_each(|(y, d)| *y /= d);
        }
        let rounding = if self.weights.is_some() { UNIT_ROUNDOFF * norm_upper(&y) } else { 0.0 };
        let rounding = rounding * self.norm.l2_radius(y.len()) * (1.0 + gamma(4));
        if self.rule == Some(Rule::Shrink)
            && let Some(cone) = &self.cone
        {
            let moved = cone.reduce(&mut y, self.weights());
            return ((norm_upper(&y) + moved + rounding) * (1.0 + gamma(4))).next_up();
        }
        ((self.norm.dual_upper(&y) + rounding) * (1.0 + gamma(2))).next_up()
    }

    /// The polar and its upper bound at a vector given at some coordinates, 0 elsewhere; n is its length.
    fn sparse<T>(
        &self,
        n: usize,
        entries: &[(usize, f64)],
        short: impl Fn(&[f64]) -> T,
        full: impl Fn(&[f64]) -> T,
    ) -> T {
        if entries.len() < n && self.norm.is_symmetric() && self.rule != Some(Rule::Shrink) {
            let mut y: Vec<f64> = entries.iter().map(|e| e.1).collect();
            if let Some(cone) = &self.cone {
                cone.project(&mut y);
            }
            if let Some(d) = &self.weights {
                y.iter_mut().zip(entries).for_each(|(y, e)| *y /= d[e.0]);
            }
            return short(&y);
        }
        let mut y = vec![0.0; n];
        entries.iter().for_each(|e| y[e.0] = e.1);
        full(&y)
    }

    /// The polar of a vector of length n given at some coordinates, 0 elsewhere.
    pub fn sparse_polar(&self, n: usize, entries: &[(usize, f64)]) -> f64 {
        self.sparse(n, entries, |y| self.norm.dual(y), |y| self.polar(y))
    }

    /// The same, bounded from above, rounding included.
    pub fn sparse_polar_upper(&self, n: usize, entries: &[(usize, f64)]) -> f64 {
        if entries.iter().any(|e| e.1.is_nan()) {
            return f64::INFINITY;
        }
        // an absolute dual norm grows by no more than the relative rounding of the quotients
        self.sparse(n, entries, |y| (self.norm.dual_upper(y) * (1.0 + gamma(4))).next_up(), |y| self.polar_upper(y))
    }

    /// y <- an x with gauge(x) <= 1 attaining the polar (0 where the polar is 0).
    pub fn polar_argmax(&self, y: &mut [f64]) {
        self.to_dual(y);
        self.norm.dual_argmax(y);
        if let Some(d) = &self.weights {
            y.iter_mut().zip(d).for_each(|(y, d)| *y /= d);
        }
        if self.rule == Some(Rule::Shrink)
            && let Some(cone) = &self.cone
            && cone.violation(y).is_some()
        {
            // scaled out of the cone by rounding
            cone.project(y);
        }
    }

    /// b <- argmin_x 1/2 sum_j h_j (x_j - b_j)^2 + t gauge(x), h_j >= 0, t >= 0. Where [`Self::any_metric`] says no:
    /// for uniform h.
    pub fn prox(&self, b: &mut [f64], h: &[f64], t: f64) {
        match (&self.cone, self.rule) {
            (Some(cone), Some(Rule::Shrink)) => {
                shrink(b, h, t, self.weights(), &|b, m, _| cone.project_metric(b, m));
                if cone.violation(b).is_some() {
                    cone.project(b);
                }
                return;
            }
            (Some(cone), Some(Rule::ProjectFirst)) => cone.project(b),
            _ => {}
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

    /// What the plain dual norm is taken of: D^-1 y for y projected, or D x for the x on a cone that attains the polar.
    fn to_dual(&self, y: &mut [f64]) {
        let d = |j: usize| self.weights.as_ref().map_or(1.0, |d| d[j]);
        match (&self.cone, self.rule) {
            (Some(cone), Some(Rule::Shrink)) => {
                // max <x, y> over ||D x|| <= 1 in C: the projection of D^-2 y in the metric D^2
                let c = crate::linalg::vector::unit_scale(y);
                let metric: Vec<f64> = (0..y.len()).map(|j| d(j) * d(j)).collect();
                y.iter_mut().zip(&metric).for_each(|(y, m)| *y = *y * c / m);
                cone.project_metric(y, &metric);
                y.iter_mut().enumerate().for_each(|(j, y)| *y *= d(j) / c);
                return;
            }
            (Some(cone), Some(Rule::ProjectFirst)) => cone.project(y),
            _ => {}
        }
        if let Some(d) = &self.weights {
            y.iter_mut().zip(d).for_each(|(y, d)| *y /= d);
        }
    }

    /// L2 distance moves the gauge by at most this much per unit; +inf where nobody asks.
    pub fn slope(&self) -> f64 {
        self.weight_range().0 * self.norm.slope()
    }
}
