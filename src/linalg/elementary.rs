//! Elementary functions that neither overflow nor cancel, and what is assumed of the ones they are made of.

use super::sum::UNIT_ROUNDOFF;

/// What the bounds assume of `exp`, `ln`, `ln_1p` of the platform: an error of at most 4 units in the last place, in units of
/// roundoff. The usual libraries state 1.
pub const ULPS: f64 = 8.0;

/// The same as a sentence, for certificates that rest on it.
pub const ASSUMPTION: &str =
    "exp and ln of the platform are assumed accurate to 4 units in the last place (libraries state 1)";

/// ln(1 + e^x). Relative error at most (2 [`ULPS`] + 4) u.
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// 1 / (1 + e^-x), in [0, 1].
pub fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

/// -a ln(a / w) for 0 <= a and w > 0, 0 at a = 0. Error at most u ((ULPS + 3) |value| + 2 a).
pub fn entropy(a: f64, w: f64) -> f64 {
    if a == 0.0 { 0.0 } else { -a * (a / w).ln() }
}

/// The largest double that is proven not to exceed a b, for a, b >= 0.
pub fn product_below(a: f64, b: f64) -> f64 {
    let p = a * b;
    // the product's error is a double unless something underflows
    if p < 1e-280 || a.mul_add(b, -p) < 0.0 { p.next_down().max(0.0) } else { p }
}

/// (a + b u) rounded up, for an error of b units of roundoff.
pub fn widened(a: f64, units: f64) -> f64 {
    (a + (units * UNIT_ROUNDOFF).next_up()).next_up()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_stay_finite_and_accurate() {
        assert_eq!(softplus(1000.0), 1000.0);
        assert_eq!(softplus(-1000.0), 0.0);
        assert!((softplus(-40.0) - (-40f64).exp()).abs() <= 1e-16 * (-40f64).exp());
        assert!((softplus(0.0) - 2f64.ln()).abs() < 1e-16);
        assert_eq!((sigmoid(-800.0), sigmoid(800.0), sigmoid(0.0)), (0.0, 1.0, 0.5));
        assert!((sigmoid(-40.0) - (-40f64).exp()).abs() <= 1e-15 * (-40f64).exp());
        assert_eq!((entropy(0.0, 1.0), entropy(2.0, 2.0)), (0.0, 0.0));
    }

    #[test]
    fn products_are_rounded_down() {
        let (a, b) = (1.0 + f64::EPSILON, 1.0 + f64::EPSILON);
        assert!(a * b - product_below(a, b) <= f64::EPSILON);
        let third = 1.0 / 3.0;
        assert!(product_below(third, 3.0) <= third.mul_add(3.0, 0.0));
        assert_eq!(product_below(0.5, 0.25), 0.125);
        assert_eq!(product_below(1e-200, 1e-200), 0.0);
    }
}
