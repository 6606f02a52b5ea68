//! Sums of norms: the field written as a sum of parts, one per pair of norms, [`crate::polar::parts`].
//!
//! ```text
//! Omega°(Z) <= max_ab Omega_ab°(Z_ab) / (alpha_a beta_b) + radius ||Z - sum_ab Z_ab||_F
//! ```
//!
//! Any parts will do. They come from least squares over the parts' balls at a few radii above what simple slices attain, and one
//! part takes what is left over. Where u v' has one sign, only what is missing in that sign counts as left over.

use super::{PolarBound, Upper, product_sign};
use crate::gauge::Norm;
use crate::linalg::sum::{UNIT_ROUNDOFF, gamma, norm_upper};
use crate::linalg::{Mat, lanczos};
use crate::polar::field::unweighted;
use crate::polar::parts::Parts;
use crate::problem::Problem;

/// Sums taken apart.
#[derive(Debug)]
pub struct Split;

/// Most entries of the field as a dense matrix, and the longest smaller side.
const FIELD_LIMIT: usize = 4_000_000;
const SIDE_LIMIT: usize = 500;
/// Radii tried, relative to what simple slices attain.
const RADII: [f64; 4] = [1.0, 1.08, 1.25, 1.6];
/// Steps at each radius, if the flops allow.
const STEPS: f64 = 40.0;
const FLOPS: f64 = 4e9;

fn parts(problem: &Problem) -> Option<Parts> {
    let [u, v] = problem.regularizer.gauges.as_slice() else { return None };
    Parts::new(u.norm(), v.norm(), problem.shape())
}

impl PolarBound for Split {
    fn name(&self) -> &'static str {
        "split"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        let (m, n) = problem.shape();
        let small = m * n <= FIELD_LIMIT && m.min(n) <= SIDE_LIMIT;
        (problem.mapping.name() == "matrix" && small && parts(problem).is_some()).then_some(false)
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let parts = parts(problem).expect("called only where it applies");
        let plain = unweighted(problem, z);
        let (m, n) = problem.shape();
        let mut w = Mat::zeros(m, n);
        problem.observations.entries().zip(plain.field.iter()).for_each(|(e, z)| w[e] = *z);
        let norms = [0, 1].map(|k| problem.regularizer.gauges[k].norm());
        let radius = norms[0].l2_radius(m) * norms[1].l2_radius(n) * (1.0 + gamma(4));
        let sign = product_sign(problem);
        let proven = |s: &[Mat]| -> f64 {
            let (sum, rounding) = parts.assemble(s);
            let left = norm_upper(missing(&w, &sum, sign).as_slice()) * (1.0 + 4.0 * UNIT_ROUNDOFF);
            ((parts.upper(s) + (left + rounding + plain.rounding) * radius) * (1.0 + gamma(4))).next_up()
        };
        let cost = 8.0 * (parts.count() * m * n * m.min(n)) as f64;
        let steps = (FLOPS / cost / RADII.len() as f64).clamp(4.0, STEPS) as usize;
        let base = attained(norms, &w);
        let mut s = parts.zeros();
        let mut best = f64::INFINITY;
        for radius in RADII.map(|r| r * base) {
            if base == 0.0 || fit(&parts, &w, sign, radius, steps, &mut s).is_none() {
                break;
            }
            let left = missing(&w, &parts.assemble(&s).0, sign);
            let here = parts.with_remainder(&s, &left).iter().map(|s| proven(s)).fold(proven(&s), f64::min);
            if here >= best {
                break;
            }
            best = here;
        }
        Upper { value: best.min(proven(&parts.zeros())), method: "parts", exact: false }
    }

    fn describe(&self) -> &'static str {
        "the field as a sum of parts, one per pair of norms"
    }
}

/// W - sum, or what of it has the sign of u v'.
fn missing(w: &Mat, sum: &Mat, sign: Option<f64>) -> Mat {
    let r = w - sum;
    match sign {
        None => r,
        // NaN stays, so that the bound becomes infinite
        Some(sign) => r.map(|x| if sign * x <= 0.0 { 0.0 } else { x }),
    }
}

/// What the leading singular vector and the coordinate vectors attain: a lower end that only says where to try.
fn attained([u, v]: [&dyn Norm; 2], w: &Mat) -> f64 {
    let top =
        lanczos::lambda_max(&if w.nrows() <= w.ncols() { w * w.transpose() } else { w.tr_mul(w) }).max(0.0).sqrt();
    let flat = |n: usize| vec![1.0 / (n as f64).sqrt(); n];
    // the singular value over what a flat vector of its size costs
    let spread = top / (u.value(&flat(w.nrows())) * v.value(&flat(w.ncols())));
    let mut unit = vec![0.0; w.nrows()];
    let mut best = spread;
    for i in 0..w.nrows() {
        unit[i] = 1.0;
        best = best.max(v.dual(&w.row(i).iter().copied().collect::<Vec<_>>()) / u.value(&unit));
        unit[i] = 0.0;
    }
    best
}

/// Accelerated projected gradient on ||W - sum of parts||^2 / 2 over the balls of this radius.
fn fit(parts: &Parts, w: &Mat, sign: Option<f64>, radius: f64, steps: usize, s: &mut Vec<Mat>) -> Option<()> {
    let step = 1.0 / parts.lipschitz();
    let (mut extrapolated, mut momentum) = (s.clone(), 1.0);
    for _ in 0..steps {
        let mut next = extrapolated.clone();
        parts.add(&mut next, &missing(w, &parts.assemble(&extrapolated).0, sign), step);
        parts.project(&mut next, radius)?;
        let following = (1.0 + f64::sqrt(1.0 + 4.0 * momentum * momentum)) / 2.0;
        let beta = (momentum - 1.0) / following;
        extrapolated = next.iter().zip(s.iter()).map(|(a, b)| a + (a - b) * beta).collect();
        (*s, momentum) = (next, following);
    }
    Some(())
}
