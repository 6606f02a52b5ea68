//! Slices that are matrices under the nuclear norm: the polar of the array that they fold up into,
//! [`crate::polar::folded`].
//!
//! ```text
//! Omega°(Z) = max {<Z, a o b o c> : ||a||, ||b||, ||c|| <= 1}        Z as an array p x q x n
//! ```
//!
//! by whatever bounds that. On cone `psd` a = b, and slices of the field count by their symmetric parts alone.

use super::{Aim, PolarBound, Upper, is_exact, radius, upper, upper_toward};
use crate::linalg::sum::gamma;
use crate::polar::folded;
use crate::problem::Problem;

/// The array's bounds.
#[derive(Debug)]
pub struct Folded;

/// The bound that `of` finds for the array's field.
fn by(problem: &Problem, z: &[f64], of: impl Fn(&Problem, &[f64]) -> Option<Upper>) -> Upper {
    let none = Upper { value: f64::INFINITY, method: "none", exact: false };
    let Some(array) = folded::Folded::new(problem) else { return none };
    let Some((symmetric, field, rounding)) = array.symmetric(problem, z) else {
        return of(&array.problem, &array.field(z)).unwrap_or(none);
    };
    let rounding = rounding * radius(problem);
    of(&symmetric.problem, &field).map_or(none, |u| Upper {
        value: ((u.value + rounding) * (1.0 + gamma(4))).next_up(),
        exact: false,
        ..u
    })
}

impl PolarBound for Folded {
    fn name(&self) -> &'static str {
        "folded"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        let array = folded::Folded::new(problem)?;
        let psd = problem.regularizer.gauges.iter().any(|g| g.cone().is_some_and(|c| c.orthant().is_none()));
        Some(!psd && is_exact(&array.problem))
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        by(problem, z, upper)
    }

    fn upper_toward(&self, problem: &Problem, z: &[f64], aim: &Aim) -> Upper {
        by(problem, z, |p, z| upper_toward(p, z, &Aim { seen: None, tree: None, ..*aim }))
    }

    fn flops(&self, problem: &Problem) -> f64 {
        let Some(array) = folded::Folded::new(problem) else { return 0.0 };
        super::applicable(&array.problem).iter().map(|(b, _)| b.flops(&array.problem)).sum()
    }

    fn describe(&self) -> &'static str {
        "the array that matrices under the nuclear norm fold up into, by the bounds of arrays"
    }
}
