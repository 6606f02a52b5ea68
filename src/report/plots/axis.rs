//! An axis: where values go between 0 and 1, and which of them are labelled.

/// Labels are at most about this many.
const TICKS: f64 = 5.0;

/// The range of an axis with its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    lo: f64,
    hi: f64,
    log: bool,
    ticks: Vec<(f64, String)>,
    label: String,
}

/// Both ends of what is finite.
fn ends(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .filter(|x| x.is_finite())
        .fold(None, |ends, x| Some(ends.map_or((x, x), |(a, b): (f64, f64)| (a.min(x), b.max(x)))))
}

impl Axis {
    /// From the least to the largest of the finite values, a little wider.
    pub fn linear(label: &str, values: impl Iterator<Item = f64>) -> Self {
        let (lo, hi) = ends(values).unwrap_or((0.0, 1.0));
        let (span, size) = (hi * 0.04 - lo * 0.04, hi.abs().max(lo.abs()));
        // what differs in the last digits alone is flat
        let margin = if span > size * 1e-6 { span } else { size * 0.05 };
        let margin = if margin > 0.0 { margin } else { 1.0 };
        Self::exact(label, (lo - margin).max(f64::MIN), (hi + margin).min(f64::MAX))
    }

    /// From `lo` to `hi`, lo < hi.
    pub fn exact(label: &str, lo: f64, hi: f64) -> Self {
        let mut axis = Self { lo, hi, log: false, ticks: Vec::new(), label: label.into() };
        let step = nice((hi * 0.25 - lo * 0.25) / TICKS * 4.0);
        axis.ticks = multiples(lo, hi, step).map(|x| (axis.place(x), decimal(x, step))).collect();
        axis
    }

    /// From 0 to `hi`: heights of bars.
    pub fn from_zero(label: &str, hi: f64) -> Self {
        Self::exact(label, 0.0, if hi > 0.0 && hi.is_finite() { (hi * 1.05).min(f64::MAX) } else { 1.0 })
    }

    /// Whole numbers: iterations, indices, counts of slices.
    pub fn whole(label: &str, lo: usize, hi: usize, margin: f64) -> Self {
        let (a, b) = (lo as f64 - margin, hi as f64 + margin.max(if lo == hi { 0.5 } else { 0.0 }));
        let mut axis = Self { lo: a, hi: b, log: false, ticks: Vec::new(), label: label.into() };
        let step = nice((hi - lo) as f64 / TICKS).max(1.0);
        axis.ticks = multiples(lo as f64, hi as f64, step).map(|x| (axis.place(x), format!("{x:.0}"))).collect();
        axis
    }

    /// Powers of ten around the positive values.
    pub fn log(label: &str, values: impl Iterator<Item = f64>) -> Self {
        let (lo, hi) = ends(values.filter(|x| *x > 0.0)).map_or((-1.0, 0.0), |(a, b)| (a.log10(), b.log10()));
        let margin = ((hi - lo) * 0.05).max(0.1);
        let (lo, hi) = (lo - margin, hi + margin);
        let mut axis = Self { lo, hi, log: true, ticks: Vec::new(), label: label.into() };
        let exponents = ((hi - lo) / TICKS).ceil().max(1.0);
        axis.ticks = if hi - lo < 2.0 {
            // one or two powers of ten may be all, or none: 1, 2, 5 within them
            let steps = (lo.floor() as i32..=hi.ceil() as i32).flat_map(|e| [1.0, 2.0, 5.0].map(|m| (m, e)));
            steps.map(|(m, e)| (axis.share(f64::log10(m) + f64::from(e)), short(m, e))).collect()
        } else {
            multiples(lo, hi, exponents).map(|e| (axis.share(e), short(1.0, e as i32))).collect()
        };
        axis.ticks.retain(|t| (0.0..=1.0).contains(&t.0));
        axis
    }

    /// Names from top to bottom, at 0, -1, -2, ..
    pub fn names(names: &[String]) -> Self {
        const LONGEST: usize = 16;
        let mut axis = Self::whole("", 0, 0, 0.6);
        (axis.lo, axis.hi) = (-0.6 - names.len().saturating_sub(1) as f64, 0.6);
        let cut = |n: &String| match n.chars().count() {
            ..=LONGEST => n.clone(),
            _ => n.chars().take(LONGEST - 1).chain(['\u{2026}']).collect(),
        };
        axis.ticks = names.iter().enumerate().map(|(k, n)| (axis.place(-(k as f64)), cut(n))).collect();
        axis
    }

    /// Without labels, from 0 to 1.
    pub fn blank() -> Self {
        Self { lo: 0.0, hi: 1.0, log: false, ticks: Vec::new(), label: String::new() }
    }

    /// The value at the low end.
    pub fn low(&self) -> f64 {
        if self.log { 10f64.powf(self.lo) } else { self.lo }
    }

    /// The value at the high end.
    pub fn high(&self) -> f64 {
        if self.log { 10f64.powf(self.hi) } else { self.hi }
    }

    /// Where a value lies: 0 at the low end, 1 at the high one. NaN for what a logarithmic axis does not show.
    pub fn place(&self, x: f64) -> f64 {
        self.share(if self.log { if x > 0.0 { x.log10() } else { f64::NAN } } else { x })
    }

    fn share(&self, x: f64) -> f64 {
        // a quarter: the difference of two numbers of any size is finite
        (x * 0.25 - self.lo * 0.25) / (self.hi * 0.25 - self.lo * 0.25)
    }

    /// Places and texts of the labels.
    pub fn ticks(&self) -> &[(f64, String)] {
        &self.ticks
    }

    /// What is measured along it.
    pub fn label(&self) -> &str {
        &self.label
    }
}

/// The next number of the form 1, 2 or 5 times a power of ten.
fn nice(x: f64) -> f64 {
    let power = 10f64.powf(x.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= x * (1.0 - 1e-9)).unwrap_or(10.0);
    factor * power
}

/// The multiples of `step` in [lo, hi]; none where the numbers are too coarse for it.
fn multiples(lo: f64, hi: f64, step: f64) -> impl Iterator<Item = f64> {
    let (first, last) = ((lo / step - 1e-9).ceil(), (hi / step + 1e-9).floor());
    let count = if last >= first && last.abs().max(first.abs()) < 1e14 { (last - first) as usize + 1 } else { 0 };
    (0..count.min(50)).map(move |k| (first + k as f64) * step)
}

/// With as many digits as the step needs.
fn decimal(x: f64, step: f64) -> String {
    // -0 is 0
    let x = if x.abs() < step * 0.5 { 0.0 } else { x };
    let place = step.log10().floor() as i32;
    let size = if x == 0.0 { place } else { x.abs().log10().floor() as i32 };
    if x != 0.0 && (size > 5 && place > -2 || place < -4 && size < -2) {
        let text = format!("{x:.*e}", (size - place).max(0) as usize);
        return text.replace('-', "\u{2212}");
    }
    format!("{x:.*}", (-place).max(0) as usize).replace('-', "\u{2212}")
}

/// m 10^e, readable.
fn short(m: f64, e: i32) -> String {
    match e {
        0..=3 => format!("{}", m * 10f64.powi(e)),
        -2..0 => format!("{:.*}", (-e) as usize, m * 10f64.powi(e)),
        _ => format!("{m}e{e}").replace('-', "\u{2212}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(a: &Axis) -> Vec<&str> {
        a.ticks().iter().map(|t| t.1.as_str()).collect()
    }

    #[test]
    fn labels_are_round_numbers_in_order() {
        assert_eq!(labels(&Axis::exact("", 0.0, 1.0)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&Axis::exact("", -3.0, 3.0)), ["\u{2212}2", "0", "2"]);
        assert_eq!(labels(&Axis::exact("", 123_456.0, 123_457.0)).first(), Some(&"123456.0"));
        assert_eq!(labels(&Axis::exact("", 1e6, 2e6)), ["1.0e6", "1.2e6", "1.4e6", "1.6e6", "1.8e6", "2.0e6"]);
        assert_eq!(labels(&Axis::exact("", 0.0, 1e-5)).last(), Some(&"1.0e\u{2212}5"));
        assert_eq!(labels(&Axis::linear("", [3.0, 3.0 + 1e-12].into_iter())), ["2.9", "3.0", "3.1"]);
        assert_eq!(labels(&Axis::whole("", 0, 3, 0.0)), ["0", "1", "2", "3"]);
        assert_eq!(labels(&Axis::whole("", 4, 4, 0.0)), ["4"]);
        assert_eq!(labels(&Axis::log("", [1e-6, 1.0].into_iter())), ["1e\u{2212}6", "1e\u{2212}4", "0.01", "1"]);
        assert_eq!(labels(&Axis::log("", [3.0, 4.0].into_iter())), ["5"]);
    }

    #[test]
    fn no_size_of_number_is_beyond_an_axis() {
        let far = [f64::MIN, f64::MAX, f64::NAN, f64::INFINITY, 0.0];
        let tiny = [5e-324, 1e-320];
        let flat = [1e300, 1e300];
        for values in [&far[..], &tiny, &flat, &[0.0], &[]] {
            for axis in [Axis::linear("", values.iter().copied()), Axis::log("", values.iter().copied())] {
                for x in values.iter().filter(|x| x.is_finite() && **x > 0.0) {
                    assert!((0.0..=1.0).contains(&axis.place(*x)), "{x:e} in {axis:?}");
                }
                assert!(axis.ticks().iter().all(|t| (-1e-9..=1.0 + 1e-9).contains(&t.0)), "{axis:?}");
            }
        }
    }
}
