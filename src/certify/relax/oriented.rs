//! A full or partly observed problem as the lifts see it: dense, divided by lambda, with the signs of the orthants taken out, and
//! transposed if asked.

use crate::certify::dual::{DualPoint, Kind, plain_lambda};
use crate::linalg::{Mat, dense};
use crate::mapping::Factors;
use crate::polar::bound::product_sign;
use crate::polar::grouping::Grouping;
use crate::problem::Problem;

/// Where the entries of the problem stand in the lifts' matrices.
enum Turned {
    No,
    Transposed,
    Grouped(Grouping),
}

impl Turned {
    fn place(&self, (i, j): (usize, usize)) -> (usize, usize) {
        match self {
            Self::No => (i, j),
            Self::Transposed => (j, i),
            Self::Grouped(g) => g.place((i, j)),
        }
    }

    /// A dense field in memory order as such a matrix.
    fn matrix(&self, (m, n): (usize, usize), field: &[f64]) -> Mat {
        match self {
            Self::No => Mat::from_column_slice(m, n, field),
            Self::Transposed => Mat::from_row_slice(n, m, field),
            Self::Grouped(g) => g.matrix(field),
        }
    }
}

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
    shape: (usize, usize),
    turned: Turned,
    slices: (Mat, Mat),
}

impl Oriented {
    /// A matrix. `None` if there is no point to start from.
    pub fn new(problem: &Problem, start: Option<&Factors>, transposed: bool) -> Option<Self> {
        Self::turned(problem, start, if transposed { Turned::Transposed } else { Turned::No })
    }

    /// An array of higher order. `None` if there is no point to start from.
    pub fn grouped(problem: &Problem, start: Option<&Factors>, grouping: &Grouping) -> Option<Self> {
        Self::turned(problem, start, Turned::Grouped(grouping.clone()))
    }

    fn turned(problem: &Problem, start: Option<&Factors>, turned: Turned) -> Option<Self> {
        let lambda = plain_lambda(problem)?;
        let signs: Vec<f64> = problem.regularizer.gauges.iter().map(|g| g.orthant().unwrap_or(1.0)).collect();
        let sign: f64 = signs.iter().product();
        let mut x = start?.clone();
        problem.regularizer.balance(&mut x);
        x.0.iter_mut().zip(&signs).for_each(|(x, s)| *x *= *s);
        let (a, b) = match &turned {
            Turned::No => (x.0[0].clone(), x.0[1].clone()),
            Turned::Transposed => (x.0[1].clone(), x.0[0].clone()),
            Turned::Grouped(g) => (g.product(&x.0, 0), g.column_product(&x.0)),
        };
        let (mut y, mut w) = (Mat::zeros(a.nrows(), b.nrows()), Mat::zeros(a.nrows(), b.nrows()));
        for (k, e) in problem.observations.entries().enumerate() {
            let at = turned.place(e);
            y[at] = sign * problem.y[k] / lambda;
            w[at] = problem.targets().weight(k);
        }
        let mut slices = (a / lambda.sqrt(), b / lambda.sqrt());
        // balanced in l2 too, where uniform weights differ
        for k in 0..slices.0.ncols() {
            let (a, b) = (slices.0.column(k).norm(), slices.1.column(k).norm());
            if a > 0.0 && b > 0.0 {
                slices.0.column_mut(k).scale_mut((b / a).sqrt());
                slices.1.column_mut(k).scale_mut((a / b).sqrt());
            }
        }
        Some(Self { y, w, both: product_sign(problem).is_some(), lambda, sign, shape: problem.shape(), turned, slices })
    }

    /// The same with the signs of the product left alone: a bound of less, sooner.
    pub fn without_signs(self) -> Self {
        Self { both: false, ..self }
    }

    /// (F_A, F_B) with (F_A; F_B)(F_A; F_B)' the lift's solution that the slices suggest.
    pub fn balanced_slices(&self) -> (Mat, Mat) {
        let root = 0.5f64.sqrt();
        (&self.slices.0 * root, &self.slices.1 * root)
    }

    /// S to start from: that of the best point so far, or the residual.
    pub fn start_field(&self, best: Option<&DualPoint>) -> Mat {
        let known = match best.map(|b| &b.kind) {
            Some(Kind::Majorant(s)) => Some(s),
            Some(Kind::Transposes(t)) => Some(&t.s),
            _ => None,
        };
        if let Some(s) = known {
            return self.turned.matrix(self.shape, s) * (self.sign / self.lambda);
        }
        let fit = dense::mul_tr(&self.slices.0, &self.slices.1);
        Mat::from_fn(self.y.nrows(), self.y.ncols(), |i, j| self.w[(i, j)] * (self.y[(i, j)] - fit[(i, j)]))
    }

    /// S in the coordinates of the problem, in memory order.
    pub fn restore(&self, s: &Mat) -> Vec<f64> {
        let s = s * self.sign;
        match &self.turned {
            Turned::No => s.data.into(),
            Turned::Transposed => s.transpose().data.into(),
            Turned::Grouped(g) => g.field(&s),
        }
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
