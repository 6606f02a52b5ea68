//! Descent strategies.

/// Names accepted by `solver.descent`.
pub const NAMES: &[&str] = &["hals", "coordinate", "prox_gradient", "lbfgs"];
