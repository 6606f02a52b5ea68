//! The outputs of a network in fewer coordinates, where they depend on each other.
//!
//! ```text
//! W = A C' + E,   C of r columns, nearly orthonormal:     ||W'(V u)_+|| <= ||C||_2 ||A'(V u)_+|| + ||E||_F ||V||_F
//! ```
//!
//! The scores of classes sum to 0 in every row, as do the residuals of centred classes: r is one less than their
//! number.

use super::cell::Units;
use crate::linalg::sum::{gamma, norm_upper};
use crate::linalg::{Mat, dense};
use crate::polar::neurons::Neurons;

/// Coordinates at most.
pub const LIMIT: usize = 5;
/// What may be lost, relative to ||W||_F ||V||_F.
const LOST: f64 = 1e-7;
/// A row of this share of the largest adds next to nothing.
const NOTHING: f64 = 1e-18;

/// A, with what leaving out the rest costs.
pub struct Outputs<'a> {
    n: &'a Neurons,
    /// A, N x r.
    weights: Mat,
    /// ||v_i|| at most.
    lengths: Vec<f64>,
    /// ||C||_2 at most.
    pub stretch: f64,
    /// ||E||_F ||V||_F at most.
    pub lost: f64,
    slope: f64,
}

/// C.
fn basis(n: &Neurons) -> Option<Mat> {
    let (_, s, right) = dense::thin_svd(&n.field)?;
    let whole = s.iter().map(|s| s * s).sum::<f64>().sqrt();
    let beyond = |r: usize| s[r..].iter().map(|s| s * s).sum::<f64>().sqrt();
    let rank = (1..s.len()).find(|r| beyond(*r) <= LOST * whole).unwrap_or(s.len());
    Some(right.columns(0, rank).into_owned())
}

/// r.
pub fn rank(n: &Neurons) -> usize {
    if n.field.ncols() == 1 { 1 } else { basis(n).map_or(usize::MAX, |c| c.ncols()) }
}

impl<'a> Outputs<'a> {
    /// For a network to which this applies.
    pub fn new(n: &'a Neurons) -> Self {
        let norm = |x: &Mat| norm_upper(x.as_slice());
        let lengths = (0..n.inputs.nrows()).map(|i| norm_upper(&n.row(i))).collect();
        let one = |weights: Mat| Self { n, weights, lengths, stretch: 1.0, lost: 0.0, slope: n.slope() };
        let Some(c) = (if n.field.ncols() > 1 { basis(n) } else { None }) else { return one(n.field.clone()) };
        let r = c.ncols();
        let weights = dense::mul(&n.field, &c);
        let rest = norm(&(&n.field - dense::mul_tr(&weights, &c)));
        let rest = rest + gamma(r + 4) * (norm(&weights) * norm(&c) + norm(&n.field));
        let skew = norm(&(dense::tr_mul(&c, &c) - Mat::identity(r, r)));
        let stretch = 1.0 + skew + gamma(c.nrows() + 4) * norm(&c).powi(2);
        let lost = rest * norm(&n.inputs) * (1.0 + gamma(8));
        Self { stretch, lost, slope: n.slope() * (1.0 + stretch), ..one(weights) }
    }

    /// r.
    pub fn rank(&self) -> usize {
        self.weights.ncols()
    }

    /// d.
    pub fn inputs(&self) -> usize {
        self.n.inputs.ncols()
    }

    /// sum_i (a_i'g) (v_i'u)_+. Rows that add next to nothing are left out.
    pub fn units(&self, g: &[f64]) -> Units {
        let mut out = Units { d: self.inputs(), rows: Vec::new(), weights: Vec::new(), lengths: Vec::new(), rest: 0.0 };
        let weights = &self.weights * Mat::from_column_slice(g.len(), 1, g);
        let least = NOTHING * weights.iter().zip(&self.lengths).map(|(w, l)| w.abs() * l).fold(0.0, f64::max);
        for (i, (&w, &length)) in weights.iter().zip(&self.lengths).enumerate() {
            if w.abs() * length > least {
                out.rows.extend(self.n.row(i));
                out.weights.push(w);
                out.lengths.push(length);
            } else {
                out.rest += (w.max(0.0) * length).next_up();
            }
        }
        out.rest *= 1.0 + gamma(weights.len() + 2);
        if g.len() > 1 {
            // the products a_i'g are rounded, and so is the length of g
            out.rest += gamma(g.len() + 8) * self.slope;
        }
        out
    }

    /// A bound of f from one of max h over cones that miss each other by `drift`.
    pub fn upper(&self, top: f64, drift: f64) -> f64 {
        if self.rank() == 1 && self.lost == 0.0 {
            return top.next_up();
        }
        let upper = top * (1.0 + drift) + drift * self.slope;
        (upper * self.stretch * (1.0 + gamma(4)) + self.lost * (1.0 + gamma(4))).next_up()
    }
}
