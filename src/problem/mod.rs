//! The assembled model (20): observations, loss, mapping, regularizer, lambda.

mod regularizer;

pub use regularizer::{Form, Regularizer};

use crate::data::{Observations, Operator};
use crate::extra::{Coefficients, Extras, fit};
use crate::linalg::Mat;
use crate::loss::{Loss, Targets};
use crate::mapping::{Factors, Mapping};
use std::borrow::Cow;

/// min l(Phi_r(X) + A Q, y) + lambda sum_i g(X_i) + H(Q) over the observed entries.
pub struct Problem {
    /// Where the data is; for sensing every entry of X, which the operator sees.
    pub observations: Observations,
    /// What is measured of X, if not its observed entries: then a field has one value per measurement.
    pub operator: Option<Operator>,
    /// Targets y in observation order.
    pub y: Vec<f64>,
    /// Weights w > 0 in observation order, or all ones.
    pub w: Option<Vec<f64>>,
    /// l, with outliers minimised out where there are any.
    pub loss: Box<dyn Loss>,
    /// phi.
    pub mapping: Box<dyn Mapping>,
    /// g.
    pub regularizer: Regularizer,
    /// Q and H.
    pub extras: Extras,
    /// A Q of the blocks of Q that are held where they are; empty for 0.
    pub offset: Vec<f64>,
    /// lambda > 0.
    pub lambda: f64,
}

impl Problem {
    /// min l(Phi_r(X), y) + lambda sum_i g(X_i) with lambda = 1: `y` in observation order, no weights, nothing measured, no extra
    /// variables.
    ///
    /// # Panics
    /// If `y` does not have one value per observed entry.
    pub fn new(
        observations: Observations,
        y: Vec<f64>,
        loss: Box<dyn Loss>,
        mapping: Box<dyn Mapping>,
        regularizer: Regularizer,
    ) -> Self {
        assert_eq!(y.len(), observations.len(), "one target per observed entry");
        let (extras, offset) = (Extras::default(), Vec::new());
        Self { observations, operator: None, y, w: None, loss, mapping, regularizer, extras, offset, lambda: 1.0 }
    }

    /// y and w as the loss sees them.
    pub fn targets(&self) -> Targets<'_> {
        Targets { y: &self.y, w: self.w.as_deref() }
    }

    /// (m, n) of the output.
    pub fn shape(&self) -> (usize, usize) {
        self.observations.shape()
    }

    /// Lengths of the factors' columns.
    pub fn factor_rows(&self) -> Vec<usize> {
        self.mapping.factor_rows(self.shape())
    }

    /// l itself, where `loss` has outliers minimised out of it.
    pub fn plain_loss(&self) -> &dyn Loss {
        self.extras.profiled.as_ref().map_or(self.loss.as_ref(), |p| p.inner.as_ref())
    }

    /// A field as weights on the entries of X in observation order: A*(z) for sensing, else z itself.
    pub fn on_entries<'a>(&self, z: &'a [f64]) -> Cow<'a, [f64]> {
        self.operator.as_ref().map_or(Cow::Borrowed(z), |a| Cow::Owned(a.adjoint(z)))
    }

    /// The gradient of <z, prediction> in X^k for a field z: card(D^k) x r.
    pub fn pullback(&self, z: &[f64], x: &Factors, k: usize) -> Mat {
        self.mapping.pullback(&self.observations, &self.on_entries(z), x, k)
    }

    /// The gradients in all factors.
    pub fn pullbacks(&self, z: &[f64], x: &Factors) -> Vec<Mat> {
        self.mapping.pullbacks(&self.observations, &self.on_entries(z), x)
    }

    /// Phi_r(X) at the observed entries, or what is measured of it.
    pub fn apply(&self, x: &Factors) -> Vec<f64> {
        let output = self.mapping.apply(&self.observations, x);
        match &self.operator {
            None => output,
            Some(a) => a.apply(&output),
        }
    }

    /// Phi_r(X) + A Q at the observed entries, with the Q that is held.
    pub fn predict(&self, x: &Factors) -> Vec<f64> {
        self.beside_held(self.apply(x))
    }

    /// Phi + A Q from Phi at the observed entries.
    pub fn beside_held(&self, mut phi: Vec<f64>) -> Vec<f64> {
        phi.iter_mut().zip(&self.offset).for_each(|(p, o)| *p += o);
        phi
    }

    /// Holds these extra variables.
    pub fn hold(&mut self, q: &Coefficients) {
        if self.extras.explicit().next().is_some() {
            self.offset = self.extras.offset(q, self.y.len());
        }
    }

    /// The best extra variables for Phi, starting from `q`; those that are minimised out of the loss stay as they are.
    pub fn fit_extras(&self, phi: &[f64], q: &mut Coefficients) {
        if self.extras.explicit().next().is_some() {
            fit::fit(&self.extras, self.loss.as_ref(), self.targets(), phi, q);
        }
    }

    /// lambda W = -grad l at the predictions, in observation order, inside the domain of the conjugate.
    pub fn dual_field(&self, prediction: &[f64]) -> Vec<f64> {
        let mut z = vec![0.0; prediction.len()];
        self.loss.gradient(self.targets(), prediction, &mut z);
        z.iter_mut().for_each(|z| *z = -*z);
        // rounding may have taken it out
        self.loss.repair(self.targets(), &mut z);
        z
    }

    /// d with Hessian l'' <= diag(d): everywhere, or near the predictions where no such bound holds everywhere.
    pub fn curvature(&self, prediction: &[f64]) -> Vec<f64> {
        self.curvature_at(|| prediction.to_vec())
    }

    /// The same, where the predictions are made only if they are needed.
    pub fn curvature_at(&self, prediction: impl FnOnce() -> Vec<f64>) -> Vec<f64> {
        let c = self.loss.curvature();
        if c.is_finite() {
            return (0..self.y.len()).map(|j| c * self.targets().weight(j)).collect();
        }
        let mut d = vec![0.0; self.y.len()];
        self.loss.local_curvature(self.targets(), &prediction(), &mut d);
        d
    }

    /// f_r(X) in the form named.
    pub fn objective(&self, x: &Factors) -> f64 {
        self.loss.value(self.targets(), &self.predict(x)) + self.lambda * self.regularizer.total(x)
    }
}
