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

/// What power iterations have come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GramNorm {
    /// || |W|'|W| ||_2 <= upper, proven.
    pub upper: f64,
    /// A Rayleigh quotient: below it no iteration brings the bound.
    pub lower: f64,
}

/// The norm of |W|'|W| for values of size about 1 and a smaller side `n`, iterated until it is `enough`.
pub fn gram_norm(gram: &Gram, n: usize, enough: impl Fn(GramNorm) -> bool) -> GramNorm {
    let (long, short) = gram.terms();
    let mut x = Mat::from_element(n, 1, 1.0);
    let mut found = GramNorm { upper: f64::INFINITY, lower: 0.0 };
    for _ in 0..STEPS {
        let image = gram.absolute_mul(&x);
        // products that underflow are off by less than the smallest normal number, and x >= 2^-100
        let ratio = image.iter().zip(x.iter()).fold(0.0, |m: f64, (y, x)| m.max(y / x)) + 2f64.powi(-800);
        found.upper = found.upper.min(ratio * (1.0 + gamma(long + short + 8)));
        found.lower = found.lower.max(image.dot(&x) / x.norm_squared());
        if enough(found) {
            break;
        }
        let top = image.max();
        x = image.map(|y| (y / top).max(2f64.powi(-100)));
    }
    found
}
