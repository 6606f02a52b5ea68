//! The polar for l2/linf and linf/linf: diagonal duals of the semidefinite relaxation.
//!
//! ```text
//! l2/linf     Omega°(Z)^2 = max {t'Gt : |t_j| <= 1},  G = Z'Z      <= sum(b) lambda_max(D_b^-1/2 G D_b^-1/2)
//! linf/linf   Omega°(Z)   = max {t'At : |t_j| <= 1},  A = 1/2 [[0, Z], [Z', 0]]          <= the same with A
//! ```
//!
//! for every b > 0, so b only decides how tight the bound is: it is taken from a coordinate ascent on a low-rank
//! Burer-Monteiro form. Orthants only shrink the feasible set, so the bound stands for them too. Z is unweighted first.

use super::{PolarBound, Upper, norms};
use crate::linalg::sum::{UNIT_ROUNDOFF, gamma, norm_upper};
use crate::linalg::{Mat, lanczos, proven};
use crate::polar::field::{gram, sigma_upper, unweighted};
use crate::problem::Problem;

/// Diagonal duals.
#[derive(Debug)]
pub struct LinfDiagonal;

/// Above this side the bound falls back to the norms' constants.
const SIDE_LIMIT: usize = 1500;
const SWEEPS: usize = 40;

impl PolarBound for LinfDiagonal {
    fn name(&self) -> &'static str {
        "linf_diagonal"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        let pair = matches!(norms(problem), ("l2", "linf") | ("linf", "l2") | ("linf", "linf"));
        (problem.mapping.name() == "matrix" && pair).then_some(false)
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let z = unweighted(problem, z);
        let at = &problem.observations;
        let (m, n) = at.shape();
        let (u, v) = norms(problem);
        // ||t||_2 <= sqrt(side) ||t||_inf on each linf side
        let box_sides = (if u == "linf" { m } else { 1 }) * (if v == "linf" { n } else { 1 });
        let radius = (box_sides as f64).sqrt().next_up();
        let rounding = z.rounding * radius;
        let (value, method) = match (u, v) {
            ("linf", "linf") if m + n <= SIDE_LIMIT => (bilinear(problem, &z.field), "diagonal_dual"),
            ("l2", "linf") if n <= SIDE_LIMIT => (quadratic(problem, &z.field, 1), "diagonal_dual"),
            ("linf", "l2") if m <= SIDE_LIMIT => (quadratic(problem, &z.field, 0), "diagonal_dual"),
            _ => {
                let sigma = sigma_upper(at, &z.field);
                ((sigma.value * radius).next_up(), sigma.method)
            }
        };
        Upper { value: (value + rounding * (1.0 + 4.0 * UNIT_ROUNDOFF)).next_up(), method, exact: false }
    }

    fn describe(&self) -> &'static str {
        "diagonal dual of the semidefinite relaxation, loose by at most 1.25 (l2/linf) or 1.78 (linf/linf) when optimal"
    }
}

/// sqrt of the bound of max t'Gt, with the rounding of the Gram matrix: t'Et <= side ||E||_2.
fn quadratic(problem: &Problem, z: &[f64], axis: usize) -> f64 {
    let at = &problem.observations;
    let g = gram(at, z, axis);
    let side = g.nrows();
    let long = at.shape().0.max(at.shape().1);
    let size = norm_upper(z);
    let error = side as f64 * gamma(long + 2) * size * size * (1.0 + 8.0 * UNIT_ROUNDOFF);
    (box_maximum_upper(&g) + error).next_up().max(0.0).sqrt().next_up()
}

fn bilinear(problem: &Problem, z: &[f64]) -> f64 {
    let (m, n) = problem.shape();
    let mut a = Mat::zeros(m + n, m + n);
    for ((i, j), z) in problem.observations.entries().zip(z) {
        a[(m + j, i)] = 0.5 * z;
        a[(i, m + j)] = 0.5 * z;
    }
    box_maximum_upper(&a)
}

/// A proven upper bound of max {t'Gt : |t_j| <= 1}: sum(b) lambda_max(C G C) with C = D_b^-1/2.
fn box_maximum_upper(g: &Mat) -> f64 {
    let c: Vec<f64> = dual_weights(g).iter().map(|b| 1.0 / b.sqrt()).collect();
    let scaled = Mat::from_fn(g.nrows(), g.ncols(), |i, j| {
        let (i, j) = (i.max(j), i.min(j)); // both triangles rounded alike
        g[(i, j)] * c[i] * c[j]
    });
    // b is what the stored c makes it: b_j = c_j^-2, rounded up
    let total: f64 = c.iter().map(|c| 1.0 / (c * c)).sum::<f64>() * (1.0 + gamma(g.nrows() + 8));
    let rounding = 3.0 * UNIT_ROUNDOFF * norm_upper(scaled.as_slice());
    let top = (proven::lambda_max_upper(&scaled) + rounding).next_up().max(0.0);
    (total * top).next_up()
}

/// b > 0 from unit vectors r_j maximising sum_jk G_jk <r_j, r_k>: at the optimum b_j = G_jj + ||sum_(k != j) G_jk r_k||.
fn dual_weights(g: &Mat) -> Vec<f64> {
    let n = g.nrows();
    let k = ((2.0 * n as f64).sqrt().ceil() as usize + 1).min(n);
    let mut r = lanczos::gaussian(k, n, 0xb0b);
    r.column_iter_mut().for_each(|mut c| {
        let norm = c.norm();
        c /= norm;
    });
    let mut b = vec![0.0; n];
    for _ in 0..SWEEPS {
        for j in 0..n {
            let pull = &r * g.column(j) - r.column(j) * g[(j, j)];
            let norm = pull.norm();
            b[j] = g[(j, j)] + norm;
            if norm > 0.0 {
                r.set_column(j, &(pull / norm));
            }
        }
    }
    let floor = b.iter().fold(0.0, |m: f64, b| m.max(*b)).max(f64::MIN_POSITIVE) * 1e-6;
    b.into_iter().map(|b| b.max(floor)).collect()
}
