//! The step in the loss that alternating directions take: entry by entry where there are no extra variables, else through the best
//! of them.
//!
//! ```text
//! x = argmin over x, Q of l(x + A Q) + H(Q) + c/2 ||x - v||^2,      z = -grad l(x + A Q) = c (x - v)
//! e(y) = min over x' of l(x') + c/2 ||x' - y||^2       so       Q minimises e(v + A Q) + H(Q),  and A'z = 0 for a free one
//! ```
//!
//! z of one entry is the root of -l'(y + z / c) = z, which lies between 0 and -l'(y); by halving it.

use crate::extra::{Coefficients, fit};
use crate::loss::{DualValue, Loss, Targets};
use crate::problem::Problem;
use rayon::prelude::*;

/// The envelope e of a loss that is a sum over entries.
struct Envelope<'a> {
    loss: &'a dyn Loss,
    c: f64,
}

/// Whether the step can be taken for this problem's loss.
pub fn applies(problem: &Problem) -> bool {
    problem.loss.point(problem.targets(), 0, 0.0).is_some()
}

/// z of the step from v; moves the extra variables to the best ones.
pub fn step(problem: &Problem, v: &[f64], c: f64, q: &mut Coefficients) -> Vec<f64> {
    let envelope = Envelope { loss: problem.loss.as_ref(), c };
    let mut y = v.to_vec();
    if problem.extras.explicit().next().is_some() {
        fit::fit(&problem.extras, &envelope, problem.targets(), v, q);
        y.iter_mut().zip(problem.extras.offset(q, v.len())).for_each(|(y, o)| *y += o);
    }
    envelope.roots(problem.targets(), &y)
}

impl Envelope<'_> {
    /// z at y.
    fn roots(&self, t: Targets, y: &[f64]) -> Vec<f64> {
        if self.loss.is_quadratic() {
            return (0..y.len()).map(|j| t.weight(j) * self.c * (t.y[j] - y[j]) / (t.weight(j) + self.c)).collect();
        }
        let mut slope = vec![0.0; y.len()];
        self.loss.gradient(t, y, &mut slope);
        let root = |j: usize| {
            // y + z / c lies beyond the point of z on one side of the root
            let (mut near, mut far) = (0.0, -slope[j]);
            for _ in 0..60 {
                let z = 0.5 * (near + far);
                let point = self.loss.point(t, j, z).unwrap_or(f64::NAN);
                let short = if far > 0.0 { y[j] + z / self.c < point } else { y[j] + z / self.c > point };
                if short { near = z } else { far = z }
            }
            near
        };
        (0..y.len()).into_par_iter().with_min_len(1024).map(root).collect()
    }

    /// The x' at y.
    fn points(&self, t: Targets, y: &[f64]) -> Vec<f64> {
        self.roots(t, y).iter().zip(y).map(|(z, y)| y + z / self.c).collect()
    }
}

impl Loss for Envelope<'_> {
    fn value(&self, t: Targets, y: &[f64]) -> f64 {
        let x = self.points(t, y);
        let apart: f64 = x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum();
        self.loss.value(t, &x) + 0.5 * self.c * apart
    }

    fn value_upper(&self, t: Targets, y: &[f64], radius: f64) -> f64 {
        // e <= l
        self.loss.value_upper(t, y, radius)
    }

    fn gradient(&self, t: Targets, y: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(self.roots(t, y)).for_each(|(g, z)| *g = -z);
    }

    fn dual_lower(&self, _t: Targets, _z: &[f64]) -> DualValue {
        // nobody asks for bounds of an envelope
        DualValue::OUTSIDE
    }

    fn dual_slope(&self, t: Targets, z: &[f64], s: f64) -> f64 {
        self.loss.dual_slope(t, z, s) - s * z.iter().map(|z| z * z).sum::<f64>() / self.c
    }

    fn curvature(&self) -> f64 {
        let c = self.loss.curvature();
        if c.is_finite() { c * self.c / (c + self.c) } else { self.c }
    }

    fn local_curvature(&self, t: Targets, y: &[f64], out: &mut [f64]) {
        self.loss.local_curvature(t, &self.points(t, y), out);
        out.iter_mut().for_each(|d| *d = *d * self.c / (*d + self.c));
    }

    fn infimum(&self, t: Targets) -> f64 {
        self.loss.infimum(t)
    }
}
