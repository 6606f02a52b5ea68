//! The assembled model (20): observations, loss, mapping, regularizer, lambda.

mod regularizer;

pub use regularizer::{Form, Regularizer};

use crate::data::{Observations, Operator};
use crate::linalg::Mat;
use crate::loss::{Loss, Targets};
use crate::mapping::{Factors, Mapping};
use std::borrow::Cow;

/// min l(Phi_r(X), y) + lambda sum_i g(X_i) over the observed entries.
pub struct Problem {
    /// Where the data is; for sensing every entry of X, which the operator sees.
    pub observations: Observations,
    /// What is measured of X, if not its observed entries: then a field has one value per measurement.
    pub operator: Option<Operator>,
    /// Targets y in observation order.
    pub y: Vec<f64>,
    /// Weights w > 0 in observation order, or all ones.
    pub w: Option<Vec<f64>>,
    /// l.
    pub loss: Box<dyn Loss>,
    /// phi.
    pub mapping: Box<dyn Mapping>,
    /// g.
    pub regularizer: Regularizer,
    /// lambda > 0.
    pub lambda: f64,
}

impl Problem {
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

    /// Phi_r(X) at the observed entries, or what is measured of it.
    pub fn predict(&self, x: &Factors) -> Vec<f64> {
        let output = self.mapping.apply(&self.observations, x);
        match &self.operator {
            None => output,
            Some(a) => a.apply(&output),
        }
    }

    /// A field as weights on the entries of X in observation order: A*(z) for sensing, else z itself.
    pub fn on_entries<'a>(&self, z: &'a [f64]) -> Cow<'a, [f64]> {
        self.operator.as_ref().map_or(Cow::Borrowed(z), |a| Cow::Owned(a.adjoint(z)))
    }

    /// The gradient of <z, prediction> in X^k for a field z: card(D^k) x r.
    pub fn pullback(&self, z: &[f64], x: &Factors, k: usize) -> Mat {
        self.mapping.pullback(&self.observations, &self.on_entries(z), x, k)
    }

    /// lambda W = -grad l at the predictions, in observation order.
    pub fn dual_field(&self, prediction: &[f64]) -> Vec<f64> {
        let mut z = vec![0.0; prediction.len()];
        self.loss.gradient(self.targets(), prediction, &mut z);
        z.iter_mut().for_each(|z| *z = -*z);
        z
    }

    /// f_r(X) in the form named.
    pub fn objective(&self, x: &Factors) -> f64 {
        self.loss.value(self.targets(), &self.predict(x)) + self.lambda * self.regularizer.total(x)
    }
}
