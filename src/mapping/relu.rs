//! Two-layer networks with rectified linear units, `mapping.kind = "relu"`.
//!
//! ```text
//! phi(u, v)   (V u)_+ v'                degree 2, output N x q, u in R^d, v in R^q, V: the inputs, N x d
//! Phi_r       (V U)_+ V_2'              a network of r hidden neurons
//! pullback    V' (1[V U > 0] o W V_2),  W' (V U)_+
//! Gram        (H'H) o (V_2'V_2),        H = (V U)_+
//! ```
//!
//! Where V u = 0 either side's derivative is right; 0 is taken. Source: Haeffele & Vidal, section 5; Pilanci & Ergen 2020.

use super::{Count, Factors, Kind, Mapping, Units, field_mul, field_tr_mul, product_at};
use crate::data::Observations;
use crate::linalg::{Mat, dense, sum::norm_upper};

/// (V u)_+ v'.
#[derive(Debug)]
pub struct Relu {
    inputs: Mat,
    gain: f64,
}

/// Registration.
pub const KIND: Kind = Kind {
    name: "relu",
    summary: "X = max(V U, 0) W', a network of two layers on the inputs V",
    factors: Count::Exactly(2),
    needs_inputs: true,
    build: |s| {
        let inputs = s.inputs.expect("a mapping with inputs").clone();
        // the largest singular value of V at most
        let gain = norm_upper(inputs.as_slice());
        Box::new(Relu { inputs, gain })
    },
};

impl Relu {
    /// (V U)_+.
    fn hidden(&self, u: &Mat) -> Mat {
        let mut h = dense::mul(&self.inputs, u);
        // NaN stays
        h.apply(|x| *x = if *x < 0.0 { 0.0 } else { *x });
        h
    }
}

impl Mapping for Relu {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn degree(&self) -> u32 {
        2
    }

    fn factor_rows(&self, (_, q): (usize, usize)) -> Vec<usize> {
        vec![self.inputs.ncols(), q]
    }

    fn apply(&self, at: &Observations, x: &Factors) -> Vec<f64> {
        product_at(at, &self.hidden(&x.0[0]), &x.0[1])
    }

    fn pullback(&self, at: &Observations, w: &[f64], x: &Factors, k: usize) -> Mat {
        self.pullbacks(at, w, x).swap_remove(k)
    }

    fn pullbacks(&self, at: &Observations, w: &[f64], x: &Factors) -> Vec<Mat> {
        let h = self.hidden(&x.0[0]);
        let mut back = field_mul(at, w, &x.0[1]);
        back.zip_apply(&h, |b, h| *b = if h > 0.0 { *b } else { 0.0 });
        vec![dense::tr_mul(&self.inputs, &back), field_tr_mul(at, w, &h)]
    }

    /// Exact.
    fn curvatures(&self, at: &Observations, curvature: &[f64], x: &Factors) -> Option<Vec<Mat>> {
        let squares = |x: &Mat| x.map(|x| x * x);
        let pre = dense::mul(&self.inputs, &x.0[0]);
        let mut back = field_mul(at, curvature, &squares(&x.0[1]));
        back.zip_apply(&pre, |b, p| *b = if p > 0.0 { *b } else { 0.0 });
        let second = field_tr_mul(at, curvature, &pre.map(|p| p.max(0.0).powi(2)));
        Some(vec![dense::tr_mul(&squares(&self.inputs), &back), second])
    }

    fn gram(&self, x: &Factors) -> Mat {
        let h = self.hidden(&x.0[0]);
        dense::tr_mul(&h, &h).component_mul(&dense::tr_mul(&x.0[1], &x.0[1]))
    }

    fn magnitude(&self, x: &Factors) -> f64 {
        (0..x.rank()).map(|i| self.gain * norm_upper(x.slice(i)[0]) * norm_upper(x.slice(i)[1])).sum::<f64>()
            * (1.0 + 1e-10)
    }

    fn gain(&self) -> f64 {
        self.gain
    }

    fn roundings(&self) -> usize {
        self.inputs.ncols()
    }

    fn inputs(&self) -> Option<&Mat> {
        Some(&self.inputs)
    }

    fn is_multilinear(&self) -> bool {
        false
    }

    fn units(&self) -> Option<Units> {
        Some(Units { slope: 0.0, width: 1 })
    }
}
