//! Sums of norms: the field written as a sum of parts, one per pair of norms, [`crate::polar::parts`].
//!
//! ```text
//! Omega°(Z) <= max_ab Omega_ab°(Z_ab) / (alpha_a beta_b) + radius ||Z - sum_ab Z_ab||_F
//! ```
//!
//! Any parts will do. They come from least squares over the parts' balls at a few radii above what simple slices attain, and one
//! part takes what is left over. Where u v' has one sign, only what is missing in that sign counts as left over.

use super::columns::cone_axis;
use super::{PolarBound, Upper, product_sign};
use crate::gauge::{Gauge, Norm};
use crate::linalg::sum::{UNIT_ROUNDOFF, gamma, norm_upper};
use crate::linalg::{Mat, lanczos};
use crate::polar::field::{self, unweighted};
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

impl PolarBound for Split {
    fn name(&self) -> &'static str {
        "split"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        let (m, n) = problem.shape();
        let small = m * n <= FIELD_LIMIT && m.min(n) <= SIDE_LIMIT;
        (problem.mapping.name() == "matrix" && small && Parts::of(problem).is_some()).then_some(false)
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let weighed = Weighed::new(problem, z).expect("called only where it applies");
        let Weighed { parts, w, norms, .. } = &weighed;
        let (m, n) = w.shape();
        let proven = |s: &[Mat]| weighed.proven(s);
        let cost = 8.0 * (parts.count() * m * n * m.min(n)) as f64;
        let steps = (FLOPS / cost / RADII.len() as f64).clamp(4.0, STEPS) as usize;
        let base = attained(*norms, w);
        let mut s = parts.zeros();
        let mut best = f64::INFINITY;
        for radius in RADII.map(|r| r * base) {
            if base == 0.0 || fit(&weighed, radius, steps, &mut s).is_none() {
                break;
            }
            let here = weighed.best(&s);
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

/// The bound that these parts prove of a field over the entries of X, one of them taking what is left over; `None` if they do not
/// fit the problem.
pub fn upper_of(problem: &Problem, z: &[f64], blocks: &[Vec<f64>]) -> Option<f64> {
    // of measurements z would be no field over the entries
    let weighed = Weighed::new(problem, z).filter(|_| problem.operator.is_none())?;
    let shapes: Vec<(usize, usize)> = (0..weighed.parts.count()).map(|k| weighed.parts.part_shape(k)).collect();
    let fits = |(s, b): (&(usize, usize), &Vec<f64>)| s.0.checked_mul(s.1) == Some(b.len());
    if z.len() != problem.observations.len() || blocks.len() != shapes.len() || !shapes.iter().zip(blocks).all(fits) {
        return None;
    }
    let blocks: Vec<Mat> = shapes.iter().zip(blocks).map(|(s, b)| Mat::from_column_slice(s.0, s.1, b)).collect();
    Some(weighed.best(&blocks))
}

/// A field without the weights of the gauges, and what parts say of it.
struct Weighed<'a> {
    parts: Parts,
    w: Mat,
    signs: Signs<'a>,
    norms: [&'a dyn Norm; 2],
    radius: f64,
    rounding: f64,
}

impl<'a> Weighed<'a> {
    fn new(problem: &'a Problem, z: &[f64]) -> Option<Self> {
        let parts = Parts::of(problem)?;
        let plain = unweighted(problem, z);
        let (m, n) = problem.shape();
        let w = field::matrix(&problem.observations, &plain.field);
        let norms = [0, 1].map(|k| problem.regularizer.gauges[k].norm());
        let radius = norms[0].l2_radius(m) * norms[1].l2_radius(n) * (1.0 + gamma(4));
        Some(Self { parts, w, signs: Signs::new(problem), norms, radius, rounding: plain.rounding })
    }

    fn proven(&self, s: &[Mat]) -> f64 {
        let (sum, rounding) = self.parts.assemble(s);
        let (left, moved) = self.signs.missing(&self.w - sum);
        let left = norm_upper(left.as_slice()) * (1.0 + 4.0 * UNIT_ROUNDOFF) + moved;
        ((self.parts.upper(s) + (left + rounding + self.rounding) * self.radius) * (1.0 + gamma(4))).next_up()
    }

    /// The same with what is left over given to the part that it suits best.
    fn best(&self, s: &[Mat]) -> f64 {
        let left = self.signs.missing(&self.w - self.parts.assemble(s).0).0;
        self.parts.with_remainder(s, &left).iter().map(|s| self.proven(s)).fold(self.proven(s), f64::min)
    }
}

/// What is left over of a field where that counts less than it is.
enum Signs<'a> {
    None,
    /// u v' has this sign.
    Of(f64),
    /// Lines of u v' across this axis lie in the cone of this gauge, times the sign.
    Lines(usize, &'a Gauge, f64),
}

impl<'a> Signs<'a> {
    fn new(problem: &'a Problem) -> Self {
        if let Some(sign) = product_sign(problem) {
            return Self::Of(sign);
        }
        let gauges = &problem.regularizer.gauges;
        let lines = |k: usize| Self::Lines(k, &gauges[1 - k], gauges[k].orthant().unwrap_or(1.0));
        cone_axis(problem).map_or(Self::None, lines)
    }

    /// What counts of R, and a bound of the rounding made.
    fn missing(&self, r: Mat) -> (Mat, f64) {
        match self {
            Self::None => (r, 0.0),
            // NaN stays, so that the bound becomes infinite
            Self::Of(sign) => (r.map(|x| if sign * x <= 0.0 { 0.0 } else { x }), 0.0),
            Self::Lines(axis, gauge, sign) => {
                let mut lines = if *axis == 1 { r } else { r.transpose() } * *sign;
                let rows = lines.nrows().max(1);
                let reduce = |c: &mut [f64]| gauge.cone().map_or(0.0, |k| k.reduce(c, gauge.weights()));
                let moved: Vec<f64> = lines.as_mut_slice().chunks_mut(rows).map(reduce).collect();
                lines *= *sign;
                (if *axis == 1 { lines } else { lines.transpose() }, norm_upper(&moved))
            }
        }
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
fn fit(weighed: &Weighed, radius: f64, steps: usize, s: &mut Vec<Mat>) -> Option<()> {
    let parts = &weighed.parts;
    let step = 1.0 / parts.lipschitz();
    let (mut extrapolated, mut momentum) = (s.clone(), 1.0);
    for _ in 0..steps {
        let mut next = extrapolated.clone();
        parts.add(&mut next, &weighed.signs.missing(&weighed.w - parts.assemble(&extrapolated).0).0, step);
        parts.project(&mut next, radius)?;
        let following = (1.0 + f64::sqrt(1.0 + 4.0 * momentum * momentum)) / 2.0;
        let beta = (momentum - 1.0) / following;
        extrapolated = next.iter().zip(s.iter()).map(|(a, b)| a + (a - b) * beta).collect();
        (*s, momentum) = (next, following);
    }
    Some(())
}
