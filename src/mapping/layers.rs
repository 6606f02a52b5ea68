//! The hidden layers of a network: what stands between its inputs and the last product.
//!
//! ```text
//! H_0 = V,    H_k = pool(act(H_(k-1) X^k))    k = 1 .. K-1       X^k: d_(k-1) x h_k,    d_k = h_k / p_k
//! act(t)      t where t > 0, slope t elsewhere
//! pool        the largest of every p_k units that stand side by side
//! ```
//!
//! Both are positively homogeneous of degree 1, so H_k has degree k. Weights are given as they lie in memory, read line by line:
//! the transpose of X^k, column-major.

use super::Factors;
use crate::linalg::{Mat, dense};

/// `mapping.activation`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// max(t, 0)
    Relu,
    /// t, or this much of it where it is negative.
    Leaky(f64),
    /// |t|
    Abs,
    /// t
    Linear,
}

impl Activation {
    /// What `mapping.activation` may be, each with what it is.
    pub const NAMES: [(&'static str, &'static str); 4] = [
        ("relu", "max(t, 0)"),
        ("leaky_relu", "max(t, 0) + slope min(t, 0)"),
        ("abs", "the absolute value of t"),
        ("linear", "t"),
    ];

    /// Its name in the spec.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Leaky(_) => "leaky_relu",
            Self::Abs => "abs",
            Self::Linear => "linear",
        }
    }

    /// Its derivative below zero.
    pub fn slope(self) -> f64 {
        match self {
            Self::Relu => 0.0,
            Self::Leaky(slope) => slope,
            Self::Abs => -1.0,
            Self::Linear => 1.0,
        }
    }
}

/// Widths, activation, pooling.
#[derive(Clone, Debug, PartialEq)]
pub struct Layers {
    /// h_k of every hidden layer, before pooling; one at least.
    pub widths: Vec<usize>,
    /// act
    pub activation: Activation,
    /// p_k of every hidden layer; 1 pools nothing.
    pub pool: Vec<usize>,
}

/// What a forward pass leaves behind, layer by layer.
pub struct Trace {
    /// H_1 .. H_(K-1).
    pub hidden: Vec<Mat>,
    /// The derivative of every unit before pooling: 0 where another of its group is the largest.
    slopes: Vec<Mat>,
}

impl Trace {
    /// H_(K-1).
    pub fn last(&self) -> &Mat {
        &self.hidden[self.hidden.len() - 1]
    }

    /// Every number squared.
    pub fn squared(&self) -> Self {
        let squares = |all: &[Mat]| all.iter().map(|x| x.map(|x| x * x)).collect();
        Self { hidden: squares(&self.hidden), slopes: squares(&self.slopes) }
    }
}

impl Layers {
    /// Layers of these widths without pooling.
    pub fn new(widths: Vec<usize>, activation: Activation) -> Self {
        let pool = vec![1; widths.len()];
        Self { widths, activation, pool }
    }

    /// K, the number of weight layers.
    pub fn count(&self) -> usize {
        self.widths.len() + 1
    }

    /// (d_(k-1), h_k) of every weight layer, the last one with h_K outputs.
    pub fn shapes(&self, inputs: usize, outputs: usize) -> Vec<(usize, usize)> {
        let mut before = inputs;
        let mut shapes = Vec::with_capacity(self.count());
        for (width, pool) in self.widths.iter().zip(&self.pool) {
            shapes.push((before, *width));
            before = width / pool;
        }
        shapes.push((before, outputs));
        shapes
    }

    /// Whether any layer pools.
    pub fn pools(&self) -> bool {
        self.pool.iter().any(|p| *p > 1)
    }

    /// Whether the network is linear in its inputs.
    pub fn is_linear(&self) -> bool {
        self.activation.slope() == 1.0 && !self.pools()
    }

    /// Whether H_1 .. H_(K-1) have no negative entry.
    pub fn is_nonnegative(&self) -> bool {
        self.activation.slope() <= 0.0
    }

    /// L with ||H_(K-1)||_F <= L ||V||_2 prod_k ||X^k||_F, rounded up.
    ///
    /// |act(t)| <= max(1, |slope|) |t|, and the largest of a group is no larger than its norm.
    pub fn lipschitz(&self) -> f64 {
        let one = self.activation.slope().abs().max(1.0);
        let all: f64 = self.widths.iter().map(|_| one).product();
        if one == 1.0 { 1.0 } else { all * (1.0 + 1e-12) }
    }

    /// The slope below zero of a chain of one unit per layer, joined by weights 1 with all other weights 0: act after act, where
    /// the largest of a group is not below its silent units.
    pub fn chain_slope(&self) -> f64 {
        match self.activation.slope() {
            s if s <= 0.0 => s,
            _ if self.pools() => 0.0,
            s => s.powi(self.widths.len() as i32),
        }
    }

    /// From the inputs to H_(K-1).
    pub fn forward(&self, inputs: &Mat, weights: &[Mat]) -> Trace {
        let mut out = Trace { hidden: Vec::new(), slopes: Vec::new() };
        for (k, &p) in self.pool.iter().enumerate() {
            let before = if k == 0 { inputs } else { &out.hidden[k - 1] };
            let mut units = dense::mul_tr(before, &weights[k]);
            let slopes = self.activate(&mut units);
            let (hidden, slopes) = if p == 1 { (units, slopes) } else { pool(&units, slopes, p) };
            out.hidden.push(hidden);
            out.slopes.push(slopes);
        }
        out
    }

    /// Applies act, and returns its derivative.
    fn activate(&self, units: &mut Mat) -> Mat {
        let slope = self.activation.slope();
        let mut slopes = Mat::zeros(units.nrows(), units.ncols());
        for (t, s) in units.as_mut_slice().iter_mut().zip(slopes.as_mut_slice()) {
            if *t > 0.0 {
                *s = 1.0;
            } else {
                *s = slope;
                // NaN stays, and nothing infinite is multiplied by 0
                if *t < 0.0 {
                    *t = if slope == 0.0 { 0.0 } else { slope * *t };
                }
            }
        }
        slopes
    }

    /// The gradients in the weights of the hidden layers, as these lie in memory, from that in H_(K-1).
    pub fn backward(&self, inputs: &Mat, weights: &[Mat], trace: &Trace, mut back: Mat) -> Vec<Mat> {
        let mut out: Vec<Mat> = Vec::new();
        for k in (0..self.pool.len()).rev() {
            let slopes = &trace.slopes[k];
            let units =
                if self.pool[k] == 1 { back.component_mul(slopes) } else { spread(&back, slopes, self.pool[k]) };
            let before = if k == 0 { inputs } else { &trace.hidden[k - 1] };
            out.push(dense::tr_mul(&units, before));
            if k > 0 {
                back = dense::mul(&units, &weights[k]);
            }
        }
        out.reverse();
        out
    }
}

/// Writes a chain of one unit per layer into network i: the weights u of its inputs to unit b of `width`, `between(k)` in layer k
/// from unit to unit, and the weights v of its outputs.
pub fn put_chain(
    x: &mut Factors,
    i: usize,
    (b, width): (usize, usize),
    u: &[f64],
    between: impl Fn(usize) -> f64,
    v: &[f64],
) {
    let last = x.0.len() - 1;
    u.iter().enumerate().for_each(|(a, u)| x.0[0][(a * width + b, i)] = *u);
    (1..last).for_each(|k| x.0[k][(0, i)] = between(k));
    x.0[last].column_mut(i).rows_mut(b * v.len(), v.len()).copy_from_slice(v);
}

/// The largest of every p columns that stand side by side, and the slopes of those alone.
fn pool(units: &Mat, mut slopes: Mat, p: usize) -> (Mat, Mat) {
    let rows = units.nrows();
    let mut out = Mat::zeros(rows, units.ncols() / p);
    for g in 0..out.ncols() {
        for n in 0..rows {
            let mut best = g * p;
            for j in g * p + 1..(g + 1) * p {
                // NaN stays
                if units[(n, j)] > units[(n, best)] || units[(n, j)].is_nan() {
                    best = j;
                }
            }
            out[(n, g)] = units[(n, best)];
            (g * p..(g + 1) * p).filter(|j| *j != best).for_each(|j| slopes[(n, j)] = 0.0);
        }
    }
    (out, slopes)
}

/// Column g of `back` to the p units of its group, times their slopes.
fn spread(back: &Mat, slopes: &Mat, p: usize) -> Mat {
    Mat::from_fn(slopes.nrows(), slopes.ncols(), |n, j| back[(n, j / p)] * slopes[(n, j)])
}
