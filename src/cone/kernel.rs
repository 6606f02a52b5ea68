//! The kernel of a matrix, `cone = { kind = "kernel", path = "A.npy" }`: A x = 0.
//!
//! ```text
//! projection    x - M^-1 A'(A M^-1 A')^-1 A x          in the metric M = diag(m)
//! ```
//!
//! The rows of A must be independent. A x = 0 is rarely exact in floating point: it is decided up to 1e-12 ||a_i|| ||x||, and
//! the distance to an exact solution, at most ||A x|| / sigma_min(A), is counted in the objective.

use super::linear::{Rows, TOLERANCE};
use super::{Cone, Kind, Parameters};
use crate::linalg::sum::{UNIT_ROUNDOFF, gamma, norm_upper};
use crate::linalg::{Mat, dense, proven};

/// {x : A x = 0}.
#[derive(Debug)]
pub struct Kernel {
    rows: Rows,
    /// A lower bound of sigma_min(A).
    least: f64,
}

/// Registration.
pub const KIND: Kind = Kind {
    name: "kernel",
    summary: "A x = 0 for the matrix A at `path`",
    keys: &["path"],
    build,
    example: |n| {
        let a = Mat::from_fn(2.min(n - 1), n, |i, j| if i == 0 { 1.0 } else { (j as f64 - 1.3).sin() });
        build(&Parameters { matrix: Some(a), ..Parameters::default() }).ok()
    },
};

fn build(parameters: &Parameters) -> Result<Box<dyn Cone>, String> {
    let a = parameters.matrix.as_ref().ok_or("`kernel` needs `path`, a matrix with one condition a row")?;
    let rows = Rows::new(a)?;
    let gram = dense::mul_tr(&rows.0, &rows.0);
    let size = norm_upper(rows.0.as_slice());
    let lowest = -proven::lambda_max_upper(&-symmetric(gram)) - gamma(a.ncols() + 2) * size * size;
    if lowest.is_nan() || lowest < 1e-10 * size * size {
        return Err("the rows of the matrix must be independent (leave out what follows from the others), and their \
                    number below that of the coordinates"
            .into());
    }
    Ok(Box::new(Kernel { rows, least: lowest.sqrt() * (1.0 - 4.0 * UNIT_ROUNDOFF) }))
}

fn symmetric(mut g: Mat) -> Mat {
    g.fill_upper_triangle_with_lower_triangle();
    g
}

impl Kernel {
    /// The multipliers mu for which x + M^-1 A'mu solves A x = 0.
    fn multipliers(&self, x: &[f64], m: &[f64]) -> Vec<f64> {
        let a = &self.rows.0;
        let scaled = Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)] / m[j]);
        let rhs = Mat::from_fn(a.nrows(), 1, |i, _| -self.rows.product(i, x).value());
        match symmetric(dense::mul_tr(&scaled, a)).cholesky() {
            Some(factor) => factor.solve(&rhs).data.into(),
            // a metric so uneven that nothing can be solved for
            None => vec![0.0; a.nrows()],
        }
    }

    fn is_inside(&self, x: &[f64]) -> bool {
        let size = Rows::size(x);
        (0..self.rows.count()).all(|i| self.rows.product(i, x).value().abs() <= 1e-2 * self.rows.slack(i, size))
    }
}

impl Cone for Kernel {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn project(&self, x: &mut [f64]) {
        self.project_metric(x, &vec![1.0; x.len()]);
    }

    fn project_metric(&self, x: &mut [f64], m: &[f64]) {
        let before = Rows::size(x);
        // the rounding of one pass is relative to what it started from
        for _ in 0..4 {
            if self.is_inside(x) {
                return;
            }
            let mu = self.multipliers(x, m);
            for j in 0..x.len() {
                x[j] += self.rows.0.column(j).iter().zip(&mu).map(|(a, mu)| a * mu).sum::<f64>() / m[j];
            }
            if Rows::size(x) <= 1e-14 * before {
                x.fill(0.0);
            }
        }
    }

    fn is_even(&self) -> bool {
        true
    }

    fn violation(&self, x: &[f64]) -> Option<(usize, f64)> {
        if let Some(i) = x.iter().position(|x| x.is_nan()) {
            return Some((i, x[i]));
        }
        let size = Rows::size(x);
        let value = |i: usize| self.rows.product(i, x).value();
        // not <=: a value that overflows is a violation
        (0..self.rows.count()).map(|i| (i, value(i))).find(|&(i, v)| v.is_nan() || v.abs() > self.rows.slack(i, size))
    }

    fn tolerance(&self) -> f64 {
        TOLERANCE
    }

    fn distance_upper(&self, x: &[f64]) -> f64 {
        let off: Vec<f64> = (0..self.rows.count())
            .map(|i| {
                let s = self.rows.product(i, x);
                s.upper().max(-s.lower())
            })
            .collect();
        (norm_upper(&off) / self.least).next_up()
    }

    fn halfspaces(&self, _n: usize) -> Option<Mat> {
        let a = &self.rows.0;
        let p = a.nrows();
        Some(Mat::from_fn(2 * p, a.ncols(), |i, j| if i < p { a[(i, j)] } else { -a[(i - p, j)] }))
    }

    fn reduce(&self, y: &mut [f64], d: Option<&[f64]>) -> f64 {
        // y + D^-1 A'mu shortest: D^-1 y moved into the kernel in the metric D^2
        let d_of = |j: usize| d.map_or(1.0, |d| d[j]);
        let metric: Vec<f64> = (0..y.len()).map(|j| d_of(j) * d_of(j)).collect();
        let x: Vec<f64> = y.iter().enumerate().map(|(j, y)| y / d_of(j)).collect();
        let mu = self.multipliers(&x, &metric);
        self.rows.add(y, d, &mu)
    }

    fn is_subspace(&self) -> bool {
        true
    }
}
