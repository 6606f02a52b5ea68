//! A full or partly observed problem as the lifts see it: dense, divided by lambda, with the signs of the orthants taken out, and
//! transposed if asked.

use crate::certify::dual::{DualPoint, Kind, plain_lambda};
use crate::linalg::{Mat, dense};
use crate::mapping::Factors;
use crate::polar::bound::product_sign;
use crate::problem::Problem;

/// The problem in the lifts' coordinates.
pub struct Oriented {
    /// Y / lambda, 0 where nothing is observed.
    pub y: Mat,
    /// Weights; 0 where nothing is observed.
    pub w: Mat,
    /// Whether both sides lie in orthants.
    pub both: bool,
    /// lambda of plain l2 gauges.
    pub lambda: f64,
    sign: f64,
    transposed: bool,
    slices: (Mat, Mat),
}

impl Oriented {
    /// `None` if there is no point to start from.
    pub fn new(problem: &Problem, start: Option<&Factors>, transposed: bool) -> Option<Self> {
        let lambda = plain_lambda(problem)?;
        let gauges = &problem.regularizer.gauges;
        let (su, sv) = (gauges[0].orthant().unwrap_or(1.0), gauges[1].orthant().unwrap_or(1.0));
        let (m, n) = problem.shape();
        let (mut y, mut w) = (Mat::zeros(m, n), Mat::zeros(m, n));
        for (k, e) in problem.observations.entries().enumerate() {
            y[e] = su * sv * problem.y[k] / lambda;
            w[e] = problem.targets().weight(k);
        }
        let mut x = start?.clone();
        problem.regularizer.balance(&mut x);
        let mut slices = (&x.0[0] * (su / lambda.sqrt()), &x.0[1] * (sv / lambda.sqrt()));
        // balanced in l2 too, where uniform weights differ
        for k in 0..slices.0.ncols() {
            let (a, b) = (slices.0.column(k).norm(), slices.1.column(k).norm());
            if a > 0.0 && b > 0.0 {
                slices.0.column_mut(k).scale_mut((b / a).sqrt());
                slices.1.column_mut(k).scale_mut((a / b).sqrt());
            }
        }
        if transposed {
            (y, w) = (y.transpose(), w.transpose());
            slices = (slices.1, slices.0);
        }
        Some(Self { y, w, both: product_sign(problem).is_some(), lambda, sign: su * sv, transposed, slices })
    }

    /// (F_A, F_B) with (F_A; F_B)(F_A; F_B)' the lift's solution that the slices suggest.
    pub fn balanced_slices(&self) -> (Mat, Mat) {
        let root = 0.5f64.sqrt();
        (&self.slices.0 * root, &self.slices.1 * root)
    }

    /// S to start from: that of the best point so far, or the residual.
    pub fn start_field(&self, best: Option<&DualPoint>) -> Mat {
        let (m, n) = if self.transposed { (self.y.ncols(), self.y.nrows()) } else { self.y.shape() };
        if let Some(Kind::Majorant(s)) = best.map(|b| &b.kind) {
            let s = Mat::from_column_slice(m, n, s) * (self.sign / self.lambda);
            return if self.transposed { s.transpose() } else { s };
        }
        let fit = dense::mul_tr(&self.slices.0, &self.slices.1);
        Mat::from_fn(self.y.nrows(), self.y.ncols(), |i, j| self.w[(i, j)] * (self.y[(i, j)] - fit[(i, j)]))
    }

    /// S in the coordinates of the problem, column-major.
    pub fn restore(&self, s: &Mat) -> Vec<f64> {
        let s = s * self.sign;
        if self.transposed { s.transpose().data.into() } else { s.data.into() }
    }
}

/// The dual value (units of the objective) of S scaled by 1 / tau, as an estimate.
pub fn dual_value(o: &Oriented, s: &Mat, tau: f64) -> f64 {
    let terms = || (0..s.len()).filter(|&k| o.w[k] > 0.0);
    let value = |z: f64, k: usize| z * o.y[k] - 0.5 * z * z / o.w[k];
    let total: f64 = if o.both {
        let c = 1.0 / tau.max(1.0);
        terms().map(|k| value((c * s[k]).min(o.w[k] * o.y[k]), k)).sum()
    } else {
        let (zy, zz) = terms().fold((0.0, 0.0), |(a, b), k| (a + s[k] * o.y[k], b + s[k] * s[k] / o.w[k]));
        let c = if zz > 0.0 { (zy / zz).clamp(0.0, 1.0 / tau) } else { 0.0 };
        c * zy - 0.5 * c * c * zz
    };
    total * o.lambda * o.lambda
}
