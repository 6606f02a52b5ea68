//! An intersection of halfspaces, `cone = { kind = "halfspaces", path = "A.npy" }`: A x >= 0 entry by entry.
//!
//! ```text
//! projection    x + M^-1 A'mu,  mu = argmin over mu >= 0 of 1/2 ||M^-1/2 A'mu + M^1/2 x||^2        (metric M = diag(m))
//! polar cone    {-A'mu : mu >= 0}
//! ```
//!
//! The multipliers come from an active set method, which ends after finitely many exact solves. A x >= 0 is decided up to
//! 1e-12 ||a_i|| ||x||; the distance to the cone, at most max_i (-a_i'x)_+ ||w|| for a w with A w >= 1, is counted in the
//! objective. So the cone must have an interior: equations belong to `kernel`.

use super::linear::{Rows, TOLERANCE};
use super::{Cone, Kind, Parameters};
use crate::linalg::sum::norm_upper;
use crate::linalg::{Mat, nnls};

/// {x : A x >= 0}.
#[derive(Debug)]
pub struct Halfspaces {
    rows: Rows,
    /// An upper bound of ||w|| for some w with A w >= 1.
    reach: f64,
}

/// Registration.
pub const KIND: Kind = Kind {
    name: "halfspaces",
    summary: "A x >= 0 for the matrix A at `path`",
    keys: &["path"],
    build,
    example: |n| {
        // nonnegative first entry, a nonnegative sum, and a convex start: three conditions that overlap
        let a = Mat::from_fn(3, n, |i, j| match i {
            0 => f64::from(u8::from(j == 0)),
            1 => 1.0,
            _ => [1.0, -2.0, 1.5].get(j).copied().unwrap_or(0.0),
        });
        build(&Parameters { matrix: Some(a), ..Parameters::default() }).ok()
    },
};

fn build(parameters: &Parameters) -> Result<Box<dyn Cone>, String> {
    let a = parameters.matrix.as_ref().ok_or("`halfspaces` needs `path`, a matrix with one condition a row")?;
    let rows = Rows::new(a)?;
    let reach = interior(&rows).ok_or(
        "the halfspaces have no common interior, so some of the conditions are equations: give those to cone `kernel`",
    )?;
    Ok(Box::new(Halfspaces { rows, reach }))
}

/// ||w|| / min_i a_i'w, rounded up, for the shortest w with A w >= 1: least distance programming through nonnegative least
/// squares on [A'; 1'] (Lawson & Hanson 1974, 23.4).
fn interior(rows: &Rows) -> Option<f64> {
    let (p, n) = rows.0.shape();
    let e = Mat::from_fn(n + 1, p, |j, i| if j < n { rows.0[(i, j)] } else { 1.0 });
    let mut f = vec![0.0; n + 1];
    f[n] = 1.0;
    let mu = nnls::solve(&e, &f);
    let residual: Vec<f64> = (0..=n).map(|j| (0..p).map(|i| e[(j, i)] * mu[i]).sum::<f64>() - f[j]).collect();
    if residual[n] >= 0.0 {
        return None;
    }
    let w: Vec<f64> = residual[..n].iter().map(|r| -r / residual[n]).collect();
    let least = (0..p).map(|i| rows.product(i, &w).lower()).fold(f64::INFINITY, f64::min);
    let reach = (norm_upper(&w) / least).next_up();
    // a cone so thin that the distance to it could not be told from rounding
    (least > 0.0 && reach < 1e8).then_some(reach)
}

impl Halfspaces {
    fn multipliers(&self, x: &[f64], m: &[f64]) -> Vec<f64> {
        let a = &self.rows.0;
        let e = Mat::from_fn(a.ncols(), a.nrows(), |j, i| a[(i, j)] / m[j].sqrt());
        let f: Vec<f64> = x.iter().zip(m).map(|(x, m)| -x * m.sqrt()).collect();
        nnls::solve(&e, &f)
    }

    fn is_inside(&self, x: &[f64]) -> bool {
        let size = Rows::size(x);
        (0..self.rows.count()).all(|i| self.rows.product(i, x).value() >= -1e-2 * self.rows.slack(i, size))
    }
}

impl Cone for Halfspaces {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn project(&self, x: &mut [f64]) {
        self.project_metric(x, &vec![1.0; x.len()]);
    }

    fn project_metric(&self, x: &mut [f64], m: &[f64]) {
        let before = Rows::size(x);
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

    fn violation(&self, x: &[f64]) -> Option<(usize, f64)> {
        if let Some(i) = x.iter().position(|x| x.is_nan()) {
            return Some((i, x[i]));
        }
        let size = Rows::size(x);
        let value = |i: usize| self.rows.product(i, x).value();
        (0..self.rows.count()).map(|i| (i, value(i))).find(|&(i, v)| v.is_nan() || v < -self.rows.slack(i, size))
    }

    fn tolerance(&self) -> f64 {
        TOLERANCE
    }

    fn distance_upper(&self, x: &[f64]) -> f64 {
        let off = (0..self.rows.count()).map(|i| -self.rows.product(i, x).lower()).fold(0.0, f64::max);
        // x + off w / min(A w) is inside
        if off > 0.0 { (off * self.reach).next_up() } else { 0.0 }
    }

    fn halfspaces(&self, _n: usize) -> Option<Mat> {
        Some(self.rows.0.clone())
    }

    fn reduce(&self, y: &mut [f64], d: Option<&[f64]>) -> f64 {
        let d_of = |j: usize| d.map_or(1.0, |d| d[j]);
        let metric: Vec<f64> = (0..y.len()).map(|j| d_of(j) * d_of(j)).collect();
        let x: Vec<f64> = y.iter().enumerate().map(|(j, y)| y / d_of(j)).collect();
        let mu = self.multipliers(&x, &metric);
        self.rows.add(y, d, &mu)
    }
}
