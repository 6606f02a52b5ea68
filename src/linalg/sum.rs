//! Sums with a proven error: compensated accumulation in twice the working precision.
//!
//! ```text
//! |value - exact| <= u |exact| + gamma_n^2 sum |terms|,   u = 2^-53, gamma_n = n u / (1 - n u)
//! ```
//!
//! Source: Ogita, Rump, Oishi, "Accurate sum and dot product", SIAM J. Sci. Comput. 26 (2005), Prop. 4.5 and 5.5.

use super::simd::vectorised;
use rayon::prelude::*;

/// Terms summed one after the other.
const PIECE: usize = 4096;

/// Running sums side by side.
const LANES: usize = 4;

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

    /// Sums of what `terms` adds for every index below n, piece by piece on all threads. Pieces have a fixed length and are joined in a
    /// fixed order.
    pub fn over<const K: usize>(n: usize, terms: impl Fn(usize, &mut [Self; K]) + Sync) -> [Self; K] {
        let piece = |start: usize| {
            vectorised(
                #[inline(always)]
                || {
                    // one running sum would wait for itself
                    let mut lanes = [[Self::new(); K]; LANES];
                    let end = n.min(start + PIECE);
                    let whole = start + (end - start) / LANES * LANES;
                    for j in (start..whole).step_by(LANES) {
                        for (l, sums) in lanes.iter_mut().enumerate() {
                            terms(j + l, sums);
                        }
                    }
                    for j in whole..end {
                        terms(j, &mut lanes[0]);
                    }
                    joined(&lanes)
                },
            )
        };
        if n <= PIECE {
            return piece(0);
        }
        let parts: Vec<[Self; K]> = (0..n.div_ceil(PIECE)).into_par_iter().map(|k| piece(k * PIECE)).collect();
        joined(&parts)
    }

    /// Adds another sum: its high part as one more term, its low part among the errors, whose order the bound leaves open.
    fn join(&mut self, other: &Self) {
        let (s, e) = two_sum(self.hi, other.hi);
        self.hi = s;
        self.lo += e + other.lo;
        self.magnitude += other.magnitude;
        self.terms += other.terms + 2;
    }

    /// Adds x exactly, up to the bound above.
    #[inline(always)]
    pub fn add(&mut self, x: f64) {
        let (s, e) = two_sum(self.hi, x);
        self.hi = s;
        self.lo += e;
        self.magnitude += x.abs();
        self.terms += 1;
    }

    /// Adds the exact product a b, up to the bound above.
    #[inline(always)]
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

/// The sums of parts, in their order.
fn joined<const K: usize>(parts: &[[Sum; K]]) -> [Sum; K] {
    let mut total = [Sum::new(); K];
    for part in parts {
        total.iter_mut().zip(part).for_each(|(t, p)| t.join(p));
    }
    total
}

#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    let t = s - a;
    (s, (a - (s - t)) + (b - t))
}

/// ||x||_2, rounded up.
pub fn norm_upper(x: &[f64]) -> f64 {
    let [s] = Sum::over(x.len(), |j, [s]: &mut [Sum; 1]| s.add_product(x[j], x[j]));
    s.upper().max(0.0).sqrt().next_up()
}

/// [lo, hi] around the exact sum, no wider than two units in the last place, with the exact sign: (0, 0) only for an exact zero.
/// The sum is kept as a list of doubles that do not overlap (Shewchuk 1997). NaN and overflow give the whole line.
pub fn exact_sum(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let mut parts: Vec<f64> = Vec::new();
    for mut x in values {
        let mut kept = 0;
        for k in 0..parts.len() {
            let (high, low) = two_sum(x, parts[k]);
            if low != 0.0 {
                parts[kept] = low;
                kept += 1;
            }
            x = high;
        }
        parts.truncate(kept);
        parts.push(x);
    }
    // the parts grow in size, and each is less than a unit in the last place of the next
    match parts.iter().rev().find(|p| **p != 0.0) {
        None => (0.0, 0.0),
        Some(top) if !top.is_finite() => (f64::NEG_INFINITY, f64::INFINITY),
        Some(top) if parts.iter().filter(|p| **p != 0.0).count() == 1 => (*top, *top),
        Some(top) => {
            let (lo, hi) = (top.next_down(), top.next_up());
            if *top > 0.0 { (lo.max(f64::from_bits(1)), hi) } else { (lo, hi.min(-f64::from_bits(1))) }
        }
    }
}

/// The exact product as a sum of two doubles, unless something underflows: then the second is NaN.
pub fn exact_product(a: f64, b: f64) -> [f64; 2] {
    let p = a * b;
    let tiny = p.abs() < 1e-280 && a != 0.0 && b != 0.0;
    [p, if tiny { f64::NAN } else { a.mul_add(b, -p) }]
}

/// Whether numbers sum to 0 exactly.
pub fn sums_to_zero(values: impl Iterator<Item = f64>) -> bool {
    exact_sum(values) == (0.0, 0.0)
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
    fn an_exact_zero_is_told_from_a_rounded_one() {
        assert!(sums_to_zero([0.5, 0.25, -0.75].into_iter()));
        assert!(sums_to_zero([1e16, 1.0, -1e16, -1.0].into_iter()));
        assert!(!sums_to_zero([1e16, 1.0, -1e16, -1.0 + 1e-16].into_iter()));
        assert!(!sums_to_zero([0.1, 0.2, -0.3].into_iter()));
        let (lo, hi) = exact_sum([1e16, 1.0, -1e16, 1e-3].into_iter());
        assert!(lo <= 1.001 && 1.001 <= hi && hi - lo < 1e-15);
        let tiny = exact_sum([1.0, 1e-30, -1.0].into_iter());
        assert!(tiny.0 > 0.0 && tiny.1 < 1.1e-30);
        assert_eq!(exact_product(0.1, 0.1)[0], 0.1 * 0.1);
        assert!(!sums_to_zero([f64::NAN].into_iter()) && sums_to_zero(std::iter::empty()));
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
