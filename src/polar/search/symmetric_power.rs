//! psd mapping on an orthant: multistart projected power iteration.
//!
//! ```text
//! u <- P((S + c I) u) normalised,   S = D^-1 (Z + Z')/2 D^-1,   c >= max(0, -lambda_min(S)), P the projection onto the orthant
//! ```
//!
//! With the shift the form u'(S + c I)u is convex, so each step (the maximiser of its linearisation) never lowers it.

use super::singular::divide_rows;
use super::{Effort, Found, PolarSearch};
use crate::linalg::{Mat, dense, lanczos};
use crate::mapping::Factors;
use crate::polar::bound::norms;
use crate::polar::field::{symmetrised, unweighted};
use crate::problem::Problem;

/// Projected power iteration.
#[derive(Debug)]
pub struct SymmetricPower;

impl PolarSearch for SymmetricPower {
    fn name(&self) -> &'static str {
        "symmetric_power"
    }

    fn applies(&self, problem: &Problem) -> bool {
        problem.mapping.name() == "psd" && norms(problem).0 == "l2"
    }

    fn search(&self, problem: &Problem, z: &[f64], warm: Option<&Factors>, effort: &Effort) -> Found {
        let gauge = &problem.regularizer.gauges[0];
        let sign = gauge.orthant().unwrap_or(1.0);
        let z = unweighted(problem, z);
        let s = symmetrised(&problem.observations, &z.field);
        let n = s.nrows();
        let shift = lanczos::lambda_max(&-&s).max(0.0) * 1.01;
        let mut u = lanczos::hcat(
            &lanczos::gaussian(n, effort.starts, effort.seed).abs(),
            &Mat::identity(n, n.min(effort.starts)),
        );
        if let Some(warm) = warm {
            u = lanczos::hcat(&u, &warm.0[0].abs());
        }
        normalise(&mut u);
        for _ in 0..4 * effort.iterations {
            let mut next = dense::mul(&s, &u) + &u * shift;
            next.apply(|x| *x = x.max(0.0));
            normalise(&mut next);
            let change = (&next - &u).amax();
            u = next;
            if change < 1e-13 {
                break;
            }
        }
        let su = dense::mul(&s, &u);
        let values: Vec<f64> = (0..u.ncols()).map(|i| u.column(i).dot(&su.column(i))).collect();
        u *= sign;
        divide_rows(&mut u, gauge.weights());
        Found::distinct(Factors(vec![u]), &values, effort.keep)
    }
}

fn normalise(u: &mut Mat) {
    u.column_iter_mut().for_each(|mut c| {
        let norm = c.norm();
        if norm > 0.0 {
            c /= norm;
        }
    });
}
