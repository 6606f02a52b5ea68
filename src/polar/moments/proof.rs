//! What multipliers of a cell prove, whoever chose them.
//!
//! ```text
//! sum_i w_i (t_i)_+  <=  c + a'u + u'Q u        on the cell: the parabolas of its crossing rows, and for eta, mu >= 0
//!     eta_i (-t_i^2 + (l_i + h_i) t_i - l_i h_i),   mu_j (-u_j^2 + (lo_j + hi_j) u_j - lo_j hi_j)  >= 0
//! max over ||u|| = 1 of a'u + u'Q u  <=  nu + rho  + 2 lambda_max([-rho  a'/2;  a/2  Q - nu I])_+     for any nu, rho
//! ```

use super::cell::{Cell, Parabola, Sides, Units, inner};
use crate::linalg::sum::{UNIT_ROUNDOFF, gamma};
use crate::linalg::{Mat, dense, proven};

/// One parabola and eta for every crossing row, one mu for every side of the box.
#[derive(Clone, Debug, Default)]
pub struct Multipliers {
    /// Above or below (t_i)_+, by the sign of w_i.
    pub parabolas: Vec<Parabola>,
    /// eta >= 0.
    pub ranges: Vec<f64>,
    /// mu >= 0; 0 for sides that are not cut.
    pub box_sides: Vec<f64>,
}

/// c + a'u + u'Q u.
pub struct Quadratic {
    constant: f64,
    linear: Vec<f64>,
    matrix: Mat,
    rounding: f64,
}

impl Quadratic {
    /// Collects the multipliers.
    pub fn new(units: &Units, cell: &Cell, sides: &Sides, m: &Multipliers) -> Self {
        let d = units.d;
        let (mut constant, mut size, mut off) = (sides.slack, sides.slack, 0.0);
        let mut linear = sides.linear.clone();
        let mut matrix = Mat::zeros(d, d);
        for ((c, p), &eta) in sides.crossing.iter().zip(&m.parabolas).zip(&m.ranges) {
            let (v, length) = (units.row(c.row), units.lengths[c.row]);
            let w = c.weight;
            let square = w * p.square - eta;
            let slope = w * p.slope + eta * (c.low + c.high);
            constant += w * p.level - eta * c.low * c.high;
            for (j, &x) in v.iter().enumerate() {
                linear[j] += slope * x;
                let scaled = square * x;
                // the lower triangle
                (j..d).for_each(|k| matrix[(k, j)] += scaled * v[k]);
            }
            let far = c.high.max(-c.low);
            off += w.abs() * p.size;
            size += (w.abs() * p.square + eta) * length * length
                + (w.abs() * p.slope.abs() + 2.0 * eta * far) * length
                + w.abs() * p.level.abs()
                + eta * far * far;
        }
        for (j, &mu) in m.box_sides.iter().enumerate() {
            let (l, h) = (cell.low[j], cell.high[j]);
            matrix[(j, j)] -= mu;
            linear[j] += mu * (l + h);
            constant -= mu * l * h;
            size += 4.0 * mu;
        }
        matrix.fill_upper_triangle_with_lower_triangle();
        let terms = sides.crossing.len() + m.box_sides.len() + 2 * d + 32;
        let active: f64 = sides.linear.iter().map(|a| a * a).sum::<f64>().sqrt();
        let rounding = (gamma(2 * terms) * (size + active) + 16.0 * UNIT_ROUNDOFF * off) * (1.0 + 1e-9);
        Self { constant, linear, matrix, rounding }
    }

    /// Its maximum on the sphere, computed, and where: `None` where numbers are lost or eigenvalues did not converge.
    pub fn top(&self) -> Option<Top> {
        let d = self.linear.len();
        if self.matrix.iter().chain(&self.linear).any(|x| !x.is_finite()) {
            return None;
        }
        let (values, vectors) = dense::symmetric_eigen(&self.matrix)?;
        let b: Vec<f64> = (0..d).map(|k| 0.5 * inner(vectors.column(k).as_slice(), &self.linear)).collect();
        let half = b.iter().map(|b| b * b).sum::<f64>().sqrt();
        let last = values[d - 1];
        let scale = last.abs().max(half).max(values[0].abs());
        // sum b_k^2 / (nu - lambda_k)^2 = 1, nu above them all
        let over = |nu: f64| b.iter().zip(&values).map(|(b, l)| (b / (nu - l)).powi(2)).sum::<f64>() > 1.0;
        let (mut low, mut high) = (last + 1e-14 * scale, last + half + 1e-14 * scale);
        for _ in 0..60 {
            let nu = 0.5 * (low + high);
            if over(nu) { low = nu } else { high = nu }
        }
        let nu = high;
        let rho: f64 = b.iter().zip(&values).map(|(b, l)| b * b / (nu - l)).sum();
        let mut at = vec![0.0; d];
        for k in 0..d {
            let along = b[k] / (nu - values[k]);
            at.iter_mut().zip(vectors.column(k).iter()).for_each(|(u, v)| *u += along * v);
        }
        Some(Top { value: self.constant + nu + rho, nu, rho, at })
    }

    /// A proven upper bound of its maximum on the sphere, given a good guess.
    pub fn upper(&self, top: &Top) -> f64 {
        let d = self.linear.len();
        let bordered = Mat::from_fn(d + 1, d + 1, |i, j| match (i, j) {
            (0, 0) => -top.rho,
            (0, k) | (k, 0) => 0.5 * self.linear[k - 1],
            (i, j) if i == j => self.matrix[(i - 1, i - 1)] - top.nu,
            (i, j) => self.matrix[(i - 1, j - 1)],
        });
        // the diagonal is rounded once more
        let diagonal = (0..d).map(|j| self.matrix[(j, j)].abs()).fold(top.nu.abs(), f64::max);
        let over = proven::lambda_max_upper(&bordered).max(0.0) + 2.0 * UNIT_ROUNDOFF * diagonal;
        let sum = self.constant.abs() + top.nu.abs() + top.rho.abs() + over;
        (self.constant + top.nu + top.rho + 2.0 * over + gamma(8) * sum + self.rounding).next_up()
    }
}

/// A maximum on the sphere, nearly.
pub struct Top {
    /// Its value.
    pub value: f64,
    nu: f64,
    rho: f64,
    /// Its place, about of length 1.
    pub at: Vec<f64>,
}
