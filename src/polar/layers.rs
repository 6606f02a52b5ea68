//! Networks of several layers with l2 gauges: what their weights come to, layer by layer.
//!
//! ```text
//! g(X) = prod_k ||D^k o X^k||_F >= prod_k ||..||_F of   m_in o X^1 (rows),   c_k X^k (1 < k < K),   m_out o X^K (columns)
//! ```
//!
//! with the least weight of every input, of every layer between, of every output: equal where weights do not tell units apart.

use crate::data::Observations;
use crate::gauge::Gauge;
use crate::linalg::sum::{gamma, norm_upper};
use crate::linalg::vector::unit_scale;
use crate::linalg::{Layout, Mat, dense, proven};
use crate::mapping::Layers;
use crate::polar::{field, neurons};
use crate::problem::Problem;

/// Most outputs whose columns are bounded one by one.
const OUTPUTS: usize = 16;

/// The weights of a network's gauges.
pub struct Weights {
    /// m_in, one for each input.
    pub inputs: Vec<f64>,
    /// The product of all c_k, rounded down; 0 where it vanishes.
    pub between: f64,
    /// m_out, one for each output.
    pub outputs: Vec<f64>,
    /// Whether g is the product of these norms itself.
    pub exact: bool,
}

/// The layers of a network whose gauges are (weighted) l2 norms without cones.
pub fn plain(problem: &Problem) -> Option<&Layers> {
    let plain = |g: &Gauge| g.norm().name() == "l2" && g.cone().is_none();
    problem.mapping.layers().filter(|_| problem.regularizer.gauges.iter().all(plain))
}

impl Weights {
    /// Of a network to which [`plain`] applies.
    pub fn new(problem: &Problem, layers: &Layers) -> Self {
        let gauges = &problem.regularizer.gauges;
        let (d, q) = (problem.mapping.inputs().map_or(0, Mat::ncols), problem.shape().1);
        let mut out = Self { inputs: vec![1.0; d], between: 1.0, outputs: vec![1.0; q], exact: true };
        let last = gauges.len() - 1;
        if let Some(w) = gauges[0].weights() {
            let width = layers.widths[0];
            for (m, row) in out.inputs.iter_mut().zip(w.chunks_exact(width)) {
                *m = row.iter().fold(f64::INFINITY, |m: f64, w| m.min(*w));
                out.exact &= row.iter().all(|w| w == m);
            }
        }
        for g in gauges[1..last].iter().filter(|g| g.weights().is_some()) {
            let (top, least) = g.weight_range();
            out.between = (out.between * least).next_down().max(0.0);
            // a product that is rounded is still the product up to rounding
            out.exact &= top == least;
        }
        if let Some(w) = gauges[last].weights() {
            for (o, m) in out.outputs.iter_mut().enumerate() {
                let column = || w.iter().skip(o).step_by(q);
                *m = column().fold(f64::INFINITY, |m: f64, w| m.min(*w));
                out.exact &= column().all(|w| w == m);
            }
        }
        out
    }

    /// The product of all c_k with every one of m_out, rounded down: with these weights on the outputs and none between, g is no
    /// larger and its polar no smaller.
    pub fn joined_outputs(&self) -> Vec<f64> {
        let joined = |w: &f64| if self.between == 1.0 { *w } else { (w * self.between).next_down() };
        self.outputs.iter().map(joined).collect()
    }
}

/// Number of slices that suffice for a linear network: singular vectors of an inputs x outputs matrix.
pub fn rank_bound(problem: &Problem) -> Option<usize> {
    let layers = plain(problem).filter(|l| l.is_linear())?;
    let weights = Weights::new(problem, layers);
    weights.exact.then(|| weights.inputs.len().min(weights.outputs.len()))
}

/// Whether nothing better than norms, layer by layer, bounds the polar.
pub fn is_crude(problem: &Problem) -> bool {
    plain(problem).is_some_and(|l| !l.is_linear()) && !neurons::applies(problem)
}

/// V and W with the least weights divided out, brought to size 1 by powers of two.
pub struct Ends {
    /// V diag(m_in)^-1.
    pub inputs: Mat,
    /// W diag(m_out)^-1.
    pub field: Mat,
    scales: [f64; 2],
    between: f64,
}

impl Ends {
    /// For a field over the observed entries.
    pub fn new(problem: &Problem, z: &[f64], weights: &Weights) -> Self {
        let mut inputs = problem.mapping.inputs().expect("a network").clone();
        inputs.column_iter_mut().zip(&weights.inputs).for_each(|(mut c, m)| c /= *m);
        let mut field = field::matrix(&problem.observations, z);
        field.column_iter_mut().zip(&weights.outputs).for_each(|(mut c, m)| c /= *m);
        let scales = [&inputs, &field].map(|x| unit_scale(x.as_slice()));
        inputs *= scales[0];
        field *= scales[1];
        Self { inputs, field, scales, between: weights.between }
    }

    /// An upper end of the polar from one that is `upper` in the units of these, with what dividing V and W may have changed of a
    /// network with this Lipschitz constant.
    pub fn polar_upper(&self, upper: f64, lipschitz: f64) -> f64 {
        let (v, w) = (norm_upper(self.inputs.as_slice()), norm_upper(self.field.as_slice()));
        // quotients are rounded once each, and may vanish
        let vanished = f64::MIN_POSITIVE * (self.inputs.len() + self.field.len()) as f64 * (1.0 + v + w);
        let upper = ((upper + (gamma(4) * v * w + vanished) * lipschitz) * (1.0 + gamma(6))).next_up();
        (((upper / self.scales[0]).next_up() / self.scales[1]).next_up() / self.between).next_up()
    }

    /// sigma_1(V) at most.
    pub fn inputs_upper(&self) -> f64 {
        sigma_upper(&self.inputs)
    }

    /// max {||W'h||_2 : ||h||_2 <= 1} at most, over h >= 0 where the last hidden layer has no other.
    ///
    /// ```text
    /// h >= 0:   |<w, h>| <= max(||w_+||, ||w_-||) ||h||        for every output
    /// ```
    pub fn field_upper(&self, nonnegative: bool) -> f64 {
        let sigma = sigma_upper(&self.field);
        if !nonnegative {
            return sigma;
        }
        let part = |c: &[f64], sign: f64| norm_upper(&c.iter().map(|w| (sign * w).max(0.0)).collect::<Vec<_>>());
        let rows = self.field.nrows().max(1);
        let one = |c: &[f64]| part(c, 1.0).max(part(c, -1.0));
        let all: Vec<f64> = self.field.as_slice().chunks(rows).map(one).collect();
        sigma.min(norm_upper(&all))
    }

    /// The polar at most, its later layers majorised by linear ones: `None` where the outputs are too many.
    ///
    /// ```text
    /// act(H b) <= H act(b) for H >= 0 (act is sublinear):     H_(K-1) <= act(V X^1) Y,    ||Y||_F <= L prod_(1<k<K) ||X^k||_F
    /// Omega°(W) <= L sqrt(p_1 sum_o max(P(w_o+), P(w_o-))^2),        P(w) = max {w'act(V a) : ||a|| <= 1} for w >= 0
    /// P(w) <= |1 + slope| / 2 ||V'w|| + (1 - slope) / 2 sqrt(sum_i w_i) sigma_1(diag(w)^(1/2) V)
    /// ```
    ///
    /// for a slope <= 0 below zero; for others with |act|, whose slope is -slope, and P(|w_o|). L: of the layers between; p_1 is what
    /// the first layer pools, as the largest of a group is at most their sum (later ones pool weights). The last line is act(t) =
    /// (1 + slope) / 2 t + (1 - slope) / 2 |t| and Cauchy's inequality.
    pub fn majorant_upper(&self, layers: &Layers) -> Option<f64> {
        let slope = -layers.activation.slope().abs();
        if self.field.ncols() > OUTPUTS {
            return None;
        }
        let rows = self.field.nrows().max(1);
        let part =
            |c: &[f64], of: fn(f64) -> f64| self.one_sided_upper(&c.iter().map(|w| of(*w)).collect::<Vec<_>>(), slope);
        let output = |c: &[f64]| {
            if layers.is_nonnegative() {
                part(c, |w| w.max(0.0)).max(part(c, |w| (-w).max(0.0)))
            } else {
                part(c, f64::abs)
            }
        };
        let all: Vec<f64> = self.field.as_slice().chunks(rows).map(output).collect();
        let between = slope.abs().max(1.0).powi(layers.widths.len() as i32 - 1);
        Some(
            (norm_upper(&all) * between * (layers.pool[0] as f64).sqrt() * (1.0 + gamma(16 + layers.count())))
                .next_up(),
        )
    }

    /// max {w'act(V a) : ||a|| <= 1} at most, for w >= 0 and a slope <= 0.
    fn one_sided_upper(&self, w: &[f64], slope: f64) -> f64 {
        let (n, v) = (w.len(), norm_upper(self.inputs.as_slice()));
        let linear = self.inputs.tr_mul(&Mat::from_column_slice(n, 1, w));
        let linear = norm_upper(linear.as_slice()) + gamma(n + 2) * v * norm_upper(w);
        let roots: Vec<f64> = w.iter().map(|w| w.sqrt()).collect();
        let mut rooted = self.inputs.clone();
        rooted.row_iter_mut().zip(&roots).for_each(|(mut r, w)| r *= *w);
        let sigma = sigma_upper(&rooted) + gamma(6) * norm_upper(rooted.as_slice());
        let sum = w.iter().sum::<f64>() * (1.0 + gamma(n + 4));
        let vanished = f64::MIN_POSITIVE * (n * self.inputs.ncols()) as f64 * (1.0 + v + sum);
        let both = 0.5 * (1.0 + slope).abs() * linear + 0.5 * (1.0 - slope) * sum.sqrt() * sigma;
        ((both + vanished) * (1.0 + gamma(12))).next_up()
    }

    /// sigma_1(V'W) at most.
    pub fn product_upper(&self) -> f64 {
        let product = dense::tr_mul(&self.inputs, &self.field);
        let (v, w) = (norm_upper(self.inputs.as_slice()), norm_upper(self.field.as_slice()));
        let rounding = gamma(self.inputs.nrows() + 2) * v * w
            + f64::MIN_POSITIVE * self.inputs.nrows() as f64 * product.len() as f64;
        ((sigma_upper(&product) + rounding) * (1.0 + gamma(4))).next_up()
    }
}

fn sigma_upper(x: &Mat) -> f64 {
    if x.is_empty() {
        return 0.0;
    }
    proven::sigma_upper(x.as_slice(), Layout::Full { rows: x.nrows(), cols: x.ncols() }).value
}

/// Samples of a network, and its outputs, as if all were observed.
pub fn flops(problem: &Problem) -> f64 {
    let (d, q) = (problem.mapping.inputs().map_or(0, Mat::ncols) as f64, problem.shape().1 as f64);
    let n = match &problem.observations {
        Observations::Full { rows, .. } => *rows,
        Observations::Coordinates(p) => p.rows(),
    } as f64;
    let side = d.max(q).min(n);
    2.0 * n * (d * d.min(n) + q * q.min(n) + d * q) + 1.5 * side.powi(3)
}
