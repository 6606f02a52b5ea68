//! The polar of a network of several layers, crudely.
//!
//! ```text
//! Omega°(Z) <= L sigma_1(V) c(Z),     c(Z) = max {||Z'h|| : ||h|| <= 1}, over h >= 0 where the last hidden layer has no other
//! ```
//!
//! or, where that is less, what is left once later layers are majorised by linear ones ([`Ends::majorant_upper`]).
//! The first holds since <Z, H X^K> <= ||Z'H||_F ||X^K||_F <= c(Z) ||H||_F ||X^K||_F, and every hidden layer has ||H_k||_F <= L_k ||H_(k-1)||_F
//! ||X^k||_F with L_k the Lipschitz constant of its activation (pooling has 1). Source: Haeffele & Vidal, section 5.

use super::{PolarBound, Upper};
use crate::linalg::sum::gamma;
use crate::polar::layers::{self, Ends, Weights};
use crate::problem::Problem;

/// A product of norms, layer by layer.
#[derive(Debug)]
pub struct Layers;

impl PolarBound for Layers {
    fn name(&self) -> &'static str {
        "layers"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        // others are never worse
        layers::is_crude(problem).then_some(false)
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let layers = layers::plain(problem).expect("called only where it applies");
        let ends = Ends::new(problem, z, &Weights::new(problem, layers));
        let steepest = layers.lipschitz();
        let product = ends.inputs_upper() * ends.field_upper(layers.is_nonnegative()) * steepest * (1.0 + gamma(4));
        let least = ends.majorant_upper(layers).map_or(product, |m| m.min(product));
        Upper { value: ends.polar_upper(least, steepest), method: "layers", exact: false }
    }

    fn describe(&self) -> &'static str {
        "largest singular values of inputs and field, or of the inputs weighted by either sign of the field, later layers \
         majorised: proves X = 0 where lambda is large, little elsewhere"
    }

    fn flops(&self, problem: &Problem) -> f64 {
        layers::flops(problem)
    }
}
