//! Numbers as solver logs print them.

/// Scientific notation with a signed exponent of at least two digits: `5.214305e+04`.
pub fn sci(x: f64, digits: usize) -> String {
    let text = format!("{x:.digits$e}");
    match text.split_once('e').and_then(|(m, e)| Some((m, e.parse::<i32>().ok()?))) {
        Some((mantissa, exponent)) => format!("{mantissa}e{exponent:+03}"),
        None => text,
    }
}

/// The same, `-` where unknown.
pub fn sci_or_dash(x: Option<f64>, digits: usize) -> String {
    x.map_or("-".into(), |x| sci(x, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_have_a_sign_and_two_digits() {
        assert_eq!(sci(52143.05, 6), "5.214305e+04");
        assert_eq!(sci(-1.5e-123, 2), "-1.50e-123");
        assert_eq!(sci(0.0, 1), "0.0e+00");
        assert_eq!(sci(f64::INFINITY, 1), "inf");
        assert_eq!(sci_or_dash(None, 1), "-");
    }
}
