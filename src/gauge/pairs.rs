//! Which (norm, cone) pairs have a rule known to be right.
//!
//! An absolute norm (it depends on |x| alone and grows with it) composes with an orthant: with P the projection onto the
//! orthant, prox(b) = prox_norm(P b), polar(y) = dual norm of P y, attained at the maximiser for P y. Why: replacing a
//! coordinate of the wrong sign by 0 lowers neither <x, y> nor raises the norm.

use super::Norm;
use crate::cone::Cone;

/// Whether `norm` composed with `cone` has a rule known to be right; if not, why.
///
/// # Errors
/// A sentence naming the pair.
pub fn rule(norm: &dyn Norm, cone: &dyn Cone) -> Result<(), String> {
    if norm.is_absolute() && cone.orthant().is_some() {
        return Ok(());
    }
    Err(format!("no rule is known to be right for norm `{}` with cone `{}`", norm.name(), cone.name()))
}
