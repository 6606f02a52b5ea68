//! The root of a falling function of one variable, to the last digits.

/// The last point found with f >= 0 of a function that falls from f(lo) >= 0 to f(hi) <= 0, 0 < lo <= hi: regula falsi with
/// the Illinois rule, and bisection (geometric while the ends differ by more than a factor) where that does not halve the
/// bracket in time.
pub fn falling(lo: f64, hi: f64, f: impl Fn(f64) -> f64) -> f64 {
    falling_to(f64::EPSILON, lo, hi, f)
}

/// The same, but for this share of it.
pub fn falling_to(share: f64, mut lo: f64, mut hi: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (mut at_lo, mut at_hi) = (f(lo), f(hi));
    if at_lo <= 0.0 {
        return lo;
    }
    if at_hi >= 0.0 {
        return hi;
    }
    let mut width = hi - lo;
    let mut last = 0.0;
    for step in 0..200 {
        let bisect = if hi > 4.0 * lo { (lo * hi).sqrt() } else { lo + 0.5 * (hi - lo) };
        let secant = lo + (hi - lo) * (at_lo / (at_lo - at_hi));
        // three steps without halving the bracket: the secant is stuck at one end
        let stuck = step % 3 == 2 && hi - lo > 0.5 * width;
        if step % 3 == 2 {
            width = hi - lo;
        }
        let mid = if stuck || !(secant > lo && secant < hi) { bisect } else { secant };
        if !(mid > lo && mid < hi) || hi - lo <= share * lo {
            break;
        }
        let value = f(mid);
        if value >= 0.0 {
            (lo, at_lo) = (mid, value);
            if last > 0.0 {
                at_hi *= 0.5;
            }
            last = 1.0;
            if value == 0.0 {
                break;
            }
        } else {
            (hi, at_hi) = (mid, value);
            if last < 0.0 {
                at_lo *= 0.5;
            }
            last = -1.0;
        }
    }
    lo
}

#[cfg(test)]
mod tests {
    use super::falling;

    #[test]
    fn roots_are_found_to_the_last_digits_even_far_from_the_ends() {
        for root in [1e-9, 0.3, 1.0, 7e5] {
            for power in [0.1f64, 1.0, 5.0] {
                let found = falling(1e-12, 1e9, |x| 1.0 - (x / root).powf(power));
                assert!((found / root - 1.0).abs() < 1e-14, "{found} for {root}, power {power}");
            }
        }
    }

    #[test]
    fn a_root_at_an_end_is_that_end() {
        assert_eq!(falling(1.0, 2.0, |x| 1.0 - x), 1.0);
        assert_eq!(falling(1.0, 2.0, |x| 2.0 - x), 2.0);
    }
}
