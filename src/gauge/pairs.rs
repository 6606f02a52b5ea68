//! Which (norm, cone) pairs have a rule known to be right, and which rule it is.
//!
//! ```text
//! absolute norm, orthant     prox(b) = prox_norm(P b),  polar(y) = dual norm of P y, attained at the maximiser for P y
//! sum with tv, orthant       the clipping goes inside the prox, Norm::inside
//! singular values, psd       the same: eigenvalues stand in for singular values
//! l2, convex cone            prox: shrink of the projection in the metric of its system;  polar(y) = ||P y||_2
//! l2, sparse                 prox(b) = prox_norm(P b) in a uniform metric, P b the n largest entries; polar alike
//! ```
//!
//! Why: replacing a coordinate of the wrong sign by 0 lowers neither <x, y> nor raises an absolute norm; the l2 norm is the
//! one that a projection is made for; and an entry kept beside a larger one that is dropped gains by being exchanged for it.

use super::Norm;
use crate::cone::Cone;

/// How a norm and a cone are composed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Project, then the norm.
    ProjectFirst,
    /// The norm has its own restriction to the cone.
    Inside,
    /// Shrink around the projection in a metric.
    Shrink,
}

/// The rule of `norm` with `cone`; if none is known to be right, why.
///
/// # Errors
/// A sentence naming the pair.
pub fn rule(norm: &dyn Norm, cone: &dyn Cone) -> Result<Rule, String> {
    let l2 = norm.name() == "l2";
    match cone.orthant() {
        Some(_) if norm.is_absolute() => Ok(Rule::ProjectFirst),
        _ if norm.inside(cone).is_some() => Ok(Rule::Inside),
        None if l2 && !cone.is_convex() => Ok(Rule::ProjectFirst),
        None if l2 => Ok(Rule::Shrink),
        _ => Err(format!("no rule is known to be right for norm `{}` with cone `{}`", norm.name(), cone.name())),
    }
}
