//! The polar of a linear network, exactly.
//!
//! ```text
//! Omega°(Z) = sigma_1(D_in^-1 V'Z D_out^-1) / prod c_k
//! ```
//!
//! <Z, V X^1 .. X^K> <= sigma_1(V'Z) ||X^1 .. X^K||_*, and prod_k ||X^k||_F >= ||X^1 .. X^K||_* (Hoelder's inequality of Schatten
//! norms, K >= 2) with equality where every layer has one unit: attained. Weights: [`crate::polar::layers`].

use super::{PolarBound, Upper};
use crate::polar::layers::{self, Ends, Weights};
use crate::problem::Problem;

/// sigma_1(V'Z).
#[derive(Debug)]
pub struct Linear;

impl PolarBound for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        let layers = layers::plain(problem).filter(|l| l.is_linear())?;
        Some(Weights::new(problem, layers).exact)
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        let layers = layers::plain(problem).expect("called only where it applies");
        let weights = Weights::new(problem, layers);
        let ends = Ends::new(problem, z, &weights);
        Upper { value: ends.polar_upper(ends.product_upper(), 1.0), method: "cholesky", exact: weights.exact }
    }

    fn describe(&self) -> &'static str {
        "largest singular value of the field pulled back to the inputs, V'Z: a linear network costs no less than the nuclear \
         norm of its product"
    }

    fn flops(&self, problem: &Problem) -> f64 {
        layers::flops(problem)
    }
}
