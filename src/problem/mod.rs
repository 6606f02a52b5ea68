//! The assembled model (20): observations, loss, mapping, regularizer, lambda.

mod regularizer;

pub use regularizer::{Form, Regularizer};

use crate::data::Observations;
use crate::loss::{Loss, Targets};
use crate::mapping::{Factors, Mapping};

/// min l(Phi_r(X), y) + lambda sum_i g(X_i) over the observed entries.
pub struct Problem {
    /// Where the data is.
    pub observations: Observations,
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

    /// Phi_r(X) at the observed entries.
    pub fn predict(&self, x: &Factors) -> Vec<f64> {
        self.mapping.apply(&self.observations, x)
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
