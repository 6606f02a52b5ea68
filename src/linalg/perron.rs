//! A proven upper bound of the spectral norm from the absolute values alone, for the price of a few products.
//!
//! ```text
//! ||W||_2^2 <= || |W|'|W| ||_2 <= max_j (|W|'|W| x)_j / x_j        for every x > 0
//! ```
//!
//! Why: the right side is the maximum norm of D_x^-1 |W|'|W| D_x, which is at least its spectral radius (Collatz, Wielandt).
//! With x from power iterations it tends to || |W| ||_2^2, which is ||W||_2^2 itself where W >= 0 up to signs of lines, and is
//! too large otherwise. x = 1 gives at most ||W||_1 ||W||_inf.
//!
//! Rounding: all terms are nonnegative, so each product of a row and a column sum is right to gamma_(row + column + 2).

use super::sum::gamma;
use super::{Gram, Mat};

/// Power iterations at most.
const STEPS: usize = 100;

/// An upper bound of || |W|'|W| ||_2 for values of size about 1 and a smaller side `n`: iterates until it is at most `goal`, or
/// cannot be and is within a factor `width` of what it tends to.
pub fn gram_norm_upper(gram: &Gram, n: usize, goal: f64, width: f64) -> f64 {
    let (long, short) = gram.terms();
    let mut x = Mat::from_element(n, 1, 1.0);
    let mut best = f64::INFINITY;
    for _ in 0..STEPS {
        let image = gram.absolute_mul(&x);
        // products that underflow are off by less than the smallest normal number, and x >= 2^-100
        let ratio = image.iter().zip(x.iter()).fold(0.0, |m: f64, (y, x)| m.max(y / x)) + 2f64.powi(-800);
        best = best.min(ratio * (1.0 + gamma(long + short + 8)));
        // no bound falls below a Rayleigh quotient
        let quotient = image.dot(&x) / x.norm_squared();
        if best <= goal || (quotient > goal && best <= width * quotient) {
            break;
        }
        let top = image.max();
        x = image.map(|y| (y / top).max(2f64.powi(-100)));
    }
    best
}
