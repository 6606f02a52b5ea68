//! The polar of a network, crudely.
//!
//! ```text
//! Omega°(Z) <= sigma_1(D_u^-1 V') sigma_1(Z D_v^-1)
//! ```
//!
//! since (.)_+ is 1-Lipschitz and vanishes at 0. Source: Haeffele & Vidal, section 5.

use super::{PolarBound, Upper};
use crate::linalg::sum::gamma;
use crate::linalg::{Layout, proven};
use crate::polar::neurons::{self, Neurons};
use crate::problem::Problem;

/// A product of two norms.
#[derive(Debug)]
pub struct Gain;

impl PolarBound for Gain {
    fn name(&self) -> &'static str {
        "gain"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        neurons::applies(problem).then_some(false)
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let value = Neurons::new(problem, z).map_or(f64::INFINITY, |n| crude(&n));
        Upper { value, method: "gain", exact: false }
    }

    fn describe(&self) -> &'static str {
        "largest singular value of the inputs times that of the field: with more inputs or outputs than a search takes, all there is"
    }
}

/// The bound above.
pub(super) fn crude(n: &Neurons) -> f64 {
    let sigma = |x: &crate::linalg::Mat| {
        proven::sigma_upper(x.as_slice(), Layout::Full { rows: x.nrows(), cols: x.ncols() }).value
    };
    match n.rank() {
        0 => n.polar_upper(0.0),
        _ => n.polar_upper(sigma(&n.inputs) * sigma(&n.field) * (1.0 + gamma(4))),
    }
}
