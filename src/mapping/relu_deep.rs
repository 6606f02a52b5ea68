//! Networks of several layers, in parallel, `mapping.kind = "relu_deep"`.
//!
//! ```text
//! phi(X^1 .. X^K)   act(.. act(V X^1) ..) X^K     degree K, output N x q; slices are whole networks      (14)
//! Phi_r             (H_1 .. H_r) (X^K_1; ..; X^K_r)
//! pullback          back-propagation
//! Gram              <phi_i, phi_j> = sum of H_i'H_j o X^K_i X^K_j'
//! ```
//!
//! H is what [`super::layers`] makes of the inputs V. A column of factor k holds a matrix X^k of d_(k-1) x h_k line by line (the
//! last index fastest). Source: Haeffele & Vidal, section 5.

use super::{
    Count, Factors, Kind, Layers, Mapping, Units, field_mul, field_tr_mul, layers::Trace, norm_product, product_at,
};
use crate::data::Observations;
use crate::linalg::{Mat, dense, sum::norm_upper};
use rayon::prelude::*;

/// act(.. act(V X^1) ..) X^K.
#[derive(Debug)]
pub struct ReluDeep {
    name: &'static str,
    inputs: Mat,
    layers: Layers,
    gain: f64,
}

/// Registration.
pub const KIND: Kind = Kind {
    name: "relu_deep",
    summary: "X = sum of networks of several layers on the inputs V, each max(.. max(V X1, 0) .., 0) XK",
    factors: Count::Layers,
    needs_inputs: true,
    build: |s| Box::new(ReluDeep::new(KIND.name, s.inputs.expect("a network with inputs"), s.layers)),
};

/// Products of weights and samples below which one thread is as fast.
const PARALLEL: f64 = 2e5;

impl ReluDeep {
    pub(super) fn new(name: &'static str, inputs: &Mat, layers: Option<&Layers>) -> Self {
        let layers = layers.expect("a network with layers").clone();
        // the largest singular value of V at most
        let gain = norm_upper(inputs.as_slice()) * layers.lipschitz() * (1.0 + 1e-15);
        Self { name, inputs: inputs.clone(), layers, gain }
    }

    /// The weights of the hidden layers of network i, as they lie in memory.
    fn hidden_weights(&self, x: &Factors, i: usize) -> Vec<Mat> {
        let shapes = self.layers.shapes(self.inputs.ncols(), 1);
        let weights = x.0.iter().zip(shapes).take(self.layers.widths.len());
        weights.map(|(x, (d, h))| Mat::from_column_slice(h, d, x.column(i).as_slice())).collect()
    }

    /// The forward passes of all networks.
    fn passes(&self, x: &Factors) -> Vec<(Vec<Mat>, Trace)> {
        let pass = |i| {
            let weights = self.hidden_weights(x, i);
            let trace = self.layers.forward(&self.inputs, &weights);
            (weights, trace)
        };
        self.each(x.rank(), pass)
    }

    /// One result for each network, by several threads where there is enough to do.
    fn each<T: Send>(&self, rank: usize, of: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
        let weights: usize = self.layers.shapes(self.inputs.ncols(), 1).iter().map(|(d, h)| d * h).sum();
        if rank as f64 * weights as f64 * (self.inputs.nrows() as f64) < PARALLEL {
            (0..rank).map(of).collect()
        } else {
            (0..rank).into_par_iter().map(of).collect()
        }
    }

    /// The gradients in all factors from those in (H_1 .. H_r), N x r d_(K-1), and in the last factor.
    fn propagate(&self, inputs: &Mat, x: &Factors, passes: &[(Vec<Mat>, Trace)], back: &Mat, last: Mat) -> Vec<Mat> {
        let d = self.last_width();
        let gradients = self.each(x.rank(), |i| {
            let (weights, trace) = &passes[i];
            self.layers.backward(inputs, weights, trace, back.columns(i * d, d).into_owned())
        });
        let column = |k: usize| gradients.iter().flat_map(move |g| g[k].as_slice()).copied().collect();
        let mut out: Vec<Mat> =
            (0..self.layers.widths.len()).map(|k| Mat::from_vec(x.0[k].nrows(), x.rank(), column(k))).collect();
        out.push(Mat::from_vec(x.0[out.len()].nrows(), x.rank(), last.data.into()));
        out
    }

    /// (H_1 .. H_r), N x r d_(K-1).
    fn joined(&self, passes: &[(Vec<Mat>, Trace)]) -> Mat {
        let values: Vec<f64> = passes.iter().flat_map(|p| p.1.last().as_slice()).copied().collect();
        Mat::from_vec(self.inputs.nrows(), values.len() / self.inputs.nrows().max(1), values)
    }

    /// (X^K_1; ..; X^K_r) as it lies in memory: q x r d_(K-1).
    fn outputs(&self, x: &Factors) -> Mat {
        let last = &x.0[x.0.len() - 1];
        let q = last.nrows() / self.last_width();
        Mat::from_column_slice(q, self.last_width() * x.rank(), last.as_slice())
    }

    fn last_width(&self) -> usize {
        let k = self.layers.widths.len() - 1;
        self.layers.widths[k] / self.layers.pool[k]
    }
}

impl Mapping for ReluDeep {
    fn name(&self) -> &'static str {
        self.name
    }

    fn degree(&self) -> u32 {
        self.layers.count() as u32
    }

    fn factor_rows(&self, shape: (usize, usize)) -> Vec<usize> {
        self.slice_shapes(shape).iter().map(|s| s.iter().product()).collect()
    }

    fn slice_shapes(&self, (_, q): (usize, usize)) -> Vec<Vec<usize>> {
        self.layers.shapes(self.inputs.ncols(), q).into_iter().map(|(d, h)| vec![d, h]).collect()
    }

    fn apply(&self, at: &Observations, x: &Factors) -> Vec<f64> {
        if self.inputs.nrows() == 0 || x.rank() == 0 {
            return vec![0.0; at.len()];
        }
        product_at(at, &self.joined(&self.passes(x)), &self.outputs(x))
    }

    fn pullback(&self, at: &Observations, w: &[f64], x: &Factors, k: usize) -> Mat {
        self.pullbacks(at, w, x).swap_remove(k)
    }

    fn pullbacks(&self, at: &Observations, w: &[f64], x: &Factors) -> Vec<Mat> {
        if x.rank() == 0 {
            return x.0.clone();
        }
        let passes = self.passes(x);
        let back = field_mul(at, w, &self.outputs(x));
        let last = field_tr_mul(at, w, &self.joined(&passes));
        self.propagate(&self.inputs, x, &passes, &back, last)
    }

    /// Back-propagation with every number squared: exact for two layers, beyond that without what units have in common
    /// (Becker & LeCun 1989).
    fn curvatures(&self, at: &Observations, curvature: &[f64], x: &Factors) -> Option<Vec<Mat>> {
        let squared = |m: &Mat| m.map(|x| x * x);
        let inputs = squared(&self.inputs);
        let squares = |(weights, trace): (Vec<Mat>, Trace)| (weights.iter().map(squared).collect(), trace.squared());
        let passes: Vec<(Vec<Mat>, Trace)> = self.passes(x).into_iter().map(squares).collect();
        let back = field_mul(at, curvature, &squared(&self.outputs(x)));
        let last = field_tr_mul(at, curvature, &self.joined(&passes));
        Some(self.propagate(&inputs, x, &passes, &back, last))
    }

    fn gram(&self, x: &Factors) -> Mat {
        let (r, d) = (x.rank(), self.last_width());
        let (h, out) = (self.joined(&self.passes(x)), self.outputs(x));
        let products = dense::tr_mul(&h, &h).component_mul(&dense::tr_mul(&out, &out));
        Mat::from_fn(r, r, |i, j| products.view((i * d, j * d), (d, d)).sum())
    }

    fn magnitude(&self, x: &Factors) -> f64 {
        (0..x.rank()).map(|i| norm_product(x.slice(i).iter(), self.gain)).sum::<f64>() * (1.0 + 1e-10)
    }

    fn gain(&self) -> f64 {
        self.gain
    }

    /// Of every layer's sums, and of the slope.
    fn roundings(&self) -> usize {
        self.layers.shapes(self.inputs.ncols(), 1).iter().map(|(d, _)| d + 2).sum()
    }

    fn inputs(&self) -> Option<&Mat> {
        Some(&self.inputs)
    }

    fn is_multilinear(&self) -> bool {
        false
    }

    fn layers(&self) -> Option<&Layers> {
        Some(&self.layers)
    }

    /// Of one hidden layer: ||A||_F ||B||_F >= sum_j ||a_j|| ||b_j||, so a network costs no less than its units one by one.
    fn units(&self) -> Option<Units> {
        let lone = self.layers.widths.len() == 1 && !self.layers.pools() && !self.layers.is_linear();
        lone.then(|| Units { slope: self.layers.activation.slope(), width: self.layers.widths[0] })
    }
}
