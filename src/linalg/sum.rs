//! Sums with a proven error: compensated accumulation in twice the working precision.
//!
//! ```text
//! |value - exact| <= u |exact| + gamma_n^2 sum |terms|,   u = 2^-53, gamma_n = n u / (1 - n u)
//! ```
//!
//! Source: Ogita, Rump, Oishi, "Accurate sum and dot product", SIAM J. Sci. Comput. 26 (2005), Prop. 4.5 and 5.5.

/// Unit roundoff of f64, 2^-53.
pub const UNIT_ROUNDOFF: f64 = f64::EPSILON / 2.0;

/// gamma_k = k u / (1 - k u), the usual bound of k roundings, itself rounded up.
pub fn gamma(k: usize) -> f64 {
    let ku = k as f64 * UNIT_ROUNDOFF;
    assert!(ku < 0.1, "gamma_k is meaningless for k = {k}");
    ku / (1.0 - ku) * (1.0 + 4.0 * UNIT_ROUNDOFF)
}

/// A running sum with its error bound.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    hi: f64,
    lo: f64,
    magnitude: f64,
    terms: usize,
}

impl Sum {
    /// Zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds x exactly, up to the bound above.
    pub fn add(&mut self, x: f64) {
        let (s, e) = two_sum(self.hi, x);
        self.hi = s;
        self.lo += e;
        self.magnitude += x.abs();
        self.terms += 1;
    }

    /// Adds the exact product a b, up to the bound above.
    pub fn add_product(&mut self, a: f64, b: f64) {
        let p = a * b;
        self.lo += a.mul_add(b, -p);
        self.add(p);
    }

    /// The sum, rounded.
    pub fn value(&self) -> f64 {
        self.hi + self.lo
    }

    /// sum |terms|, rounded up.
    pub fn magnitude(&self) -> f64 {
        self.magnitude * (1.0 + gamma(self.terms + 2))
    }

    /// A bound of |value - exact|.
    pub fn error(&self) -> f64 {
        let g = gamma(2 * self.terms + 4);
        // the last terms cover products that underflow
        2.0 * UNIT_ROUNDOFF * self.value().abs()
            + g * g * self.magnitude()
            + (self.terms + 1) as f64 * f64::MIN_POSITIVE
    }

    /// A number the exact sum does not fall below; -inf once the accumulation has overflowed.
    pub fn lower(&self) -> f64 {
        let lower = (self.value() - self.error()).next_down();
        if lower.is_nan() { f64::NEG_INFINITY } else { lower }
    }

    /// A number the exact sum does not exceed; +inf once the accumulation has overflowed.
    pub fn upper(&self) -> f64 {
        let upper = (self.value() + self.error()).next_up();
        if upper.is_nan() { f64::INFINITY } else { upper }
    }
}

fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    let t = s - a;
    (s, (a - (s - t)) + (b - t))
}

/// ||x||_2, rounded up.
pub fn norm_upper(x: &[f64]) -> f64 {
    let mut s = Sum::new();
    for &x in x {
        s.add_product(x, x);
    }
    s.upper().max(0.0).sqrt().next_up()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancellation_is_seen_exactly_and_bracketed() {
        let mut s = Sum::new();
        for x in [1e16, 1.0, -1e16, 3.5] {
            s.add(x);
        }
        assert_eq!(s.value(), 4.5);
        assert!(s.lower() <= 4.5 && 4.5 <= s.upper());
        assert!(s.upper() - s.lower() < 1e-12);
    }

    #[test]
    fn products_keep_their_low_half() {
        let (a, b) = (1.0 + f64::EPSILON, 1.0 - f64::EPSILON);
        let mut s = Sum::new();
        s.add_product(a, b);
        s.add(-1.0);
        assert_eq!(s.value(), -f64::EPSILON * f64::EPSILON);
    }
}
