//! Numbers as solver logs print them.

/// Scientific notation with a signed exponent of at least two digits: `5.214305e+04`.
pub fn sci(x: f64, digits: usize) -> String {
    let text = format!("{x:.digits$e}");
    match text.split_once('e').and_then(|(m, e)| Some((m, e.parse::<i32>().ok()?))) {
        Some((mantissa, exponent)) => format!("{mantissa}e{exponent:+03}"),
        None => text,
    }
}

/// The same for a proven lower end: never rounded up.
pub fn sci_down(x: f64, digits: usize) -> String {
    directed(x, digits, -1.0)
}

/// The same for a proven upper end: never rounded down.
pub fn sci_up(x: f64, digits: usize) -> String {
    directed(x, digits, 1.0)
}

fn directed(x: f64, digits: usize, towards: f64) -> String {
    let text = sci(x, digits);
    match (text.parse::<f64>(), text.split_once('e').and_then(|t| t.1.parse::<i32>().ok())) {
        // the nearest lies on the wrong side: one unit of the last digit further
        (Ok(shown), Some(exponent)) if (x - shown) * towards > 0.0 => {
            sci(shown + towards * 10f64.powi(exponent - digits as i32), digits)
        }
        _ => text,
    }
}

/// As short as it can be read, for axes.
pub fn short(x: f64) -> String {
    let size = x.abs();
    if size == 0.0 || (1e-3..1e5).contains(&size) {
        let digits = (3.0 - size.max(1e-3).log10().floor()).clamp(0.0, 6.0) as usize;
        let text = format!("{x:.digits$}");
        return if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text };
    }
    sci(x, 2)
}

/// What [`sci`] and its like have written, without an exponent where that is easy to read: `1 320 039`. The digits stay.
pub fn plain(text: &str) -> String {
    let Some((mantissa, exponent)) = text.split_once('e').and_then(|(m, e)| Some((m, e.parse::<i32>().ok()?))) else {
        return text.into();
    };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("\u{2212}", m));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if !(-4..=11).contains(&exponent) {
        return text.replace('-', "\u{2212}");
    }
    let (whole, rest) = match usize::try_from(exponent + 1) {
        Ok(point) if point > 0 => {
            let whole: String = digits.chars().chain(std::iter::repeat('0')).take(point).collect();
            (whole, digits.chars().skip(point).collect())
        }
        _ => ("0".to_string(), format!("{}{digits}", "0".repeat((-exponent - 1) as usize))),
    };
    let mut grouped = String::new();
    for (k, digit) in whole.chars().enumerate() {
        if k > 0 && (whole.len() - k).is_multiple_of(3) && whole.len() > 4 {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{grouped}{point}{rest}")
}

/// As `show` has it, `-` where unknown.
pub fn shown(x: Option<f64>, show: impl Fn(f64) -> String) -> String {
    x.map_or("-".into(), show)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directed_rounding_never_crosses() {
        assert_eq!(sci_down(1.26, 1), "1.2e+00");
        assert_eq!(sci_up(1.24, 1), "1.3e+00");
        assert_eq!(sci_up(1.25e-3, 2), "1.25e-03");
        assert_eq!(sci_down(-1.24, 1), "-1.3e+00");
        assert_eq!(sci_up(9.96, 1), "1.0e+01");
        assert_eq!(sci_up(f64::INFINITY, 1), "inf");
        for k in 1..2000 {
            let x = (f64::from(k) * 0.7).sin() * 10f64.powi(k % 600 - 300);
            let (down, up): (f64, f64) = (sci_down(x, 6).parse().unwrap(), sci_up(x, 6).parse().unwrap());
            assert!(down <= x && x <= up && up - down <= 1.1e-6 * x.abs().max(1e-300) * 10.0, "{x:e}");
        }
    }

    #[test]
    fn plain_numbers_keep_their_digits() {
        for (text, wanted) in [
            ("1.320039e+06", "1\u{202f}320\u{202f}039"),
            ("1.32003912e+06", "1\u{202f}320\u{202f}039.12"),
            ("-1.5e+03", "\u{2212}1500"),
            ("6.29e-03", "0.00629"),
            ("6.29e-05", "6.29e\u{2212}05"),
            ("0.00e+00", "0.00"),
            ("1.0e+20", "1.0e+20"),
            ("-", "-"),
            ("inf", "inf"),
        ] {
            assert_eq!(plain(text), wanted);
        }
    }

    #[test]
    fn exponents_have_a_sign_and_two_digits() {
        assert_eq!(sci(52143.05, 6), "5.214305e+04");
        assert_eq!(sci(-1.5e-123, 2), "-1.50e-123");
        assert_eq!(sci(0.0, 1), "0.0e+00");
        assert_eq!(sci(f64::INFINITY, 1), "inf");
        assert_eq!(shown(None, |x| sci(x, 1)), "-");
    }
}
