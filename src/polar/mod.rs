//! The polar (26): search for slices, proven upper bounds.

/// An interval that holds lambda_max, the polar of -grad l at X = 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LambdaMax {
    /// Found by the polar search at its fixed default effort and a fixed seed of its own.
    pub found: f64,
    /// Proven upper bound, if any.
    pub upper: Option<f64>,
}

/// lambda_max of the problem (its `lambda` plays no part).
pub fn lambda_max(_problem: &crate::problem::Problem) -> LambdaMax {
    unimplemented!()
}
