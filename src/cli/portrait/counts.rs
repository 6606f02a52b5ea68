//! Histograms, over one axis or two: every entry given is counted, so that what is drawn does not grow with the data.

use crate::report::plots::raster::Raster;
use crate::report::portrait::{Cloud, Histogram};

/// Intervals of a histogram.
const INTERVALS: usize = 61;
/// Cells along each side of a square of counts.
const CELLS: usize = 72;
/// So many entries are drawn one by one.
const POINTS: usize = 1200;
/// Histograms reach this many root mean squares around 0.
const WIDTH: f64 = 5.0;

fn ends(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.filter(|x| x.is_finite());
    finite.fold(None, |e, x| Some(e.map_or((x, x), |(a, b): (f64, f64)| (a.min(x), b.max(x)))))
}

/// Which of `n` equal intervals of [lo, hi] holds x; quarters, so that no difference overflows.
fn interval(lo: f64, hi: f64, n: usize) -> impl Fn(f64) -> usize {
    let (start, width) = (lo * 0.25, hi * 0.25 - lo * 0.25);
    let inverse = n as f64 / width;
    move |x| {
        let from = x * 0.25 - start;
        // the inverse of a denormal width is no number
        let at = if inverse.is_finite() { from * inverse } else { from / width * n as f64 };
        (at as usize).min(n - 1)
    }
}

/// Counts between these ends, lo < hi.
pub fn between(values: &[f64], lo: f64, hi: f64) -> Histogram {
    let mut out = Histogram { lo, hi, counts: vec![0; INTERVALS], beyond: 0 };
    let interval = interval(lo, hi, INTERVALS);
    for x in values.iter().filter(|x| !x.is_nan()) {
        out.beyond += usize::from(!(lo..=hi).contains(x));
        out.counts[interval(*x)] += 1;
    }
    out
}

/// Counts around 0, as wide on both sides: to the largest value, or to [`WIDTH`] root mean squares.
pub fn around_zero(values: &[f64]) -> Histogram {
    let largest = values.iter().filter(|x| x.is_finite()).fold(0.0, |m: f64, x| m.max(x.abs()));
    let scaled = values.iter().filter(|x| x.is_finite()).map(|x| (x / largest) * (x / largest)).sum::<f64>();
    let rms = largest * (scaled / values.len() as f64).sqrt();
    let reach = largest.min(WIDTH * rms);
    let reach = if reach > 0.0 { reach } else { 1.0 };
    between(values, -reach, reach)
}

/// Counts from the least to the largest value.
pub fn histogram(values: &[f64]) -> Histogram {
    let (lo, hi) = wide(ends(values.iter().copied()));
    between(values, lo, hi)
}

/// Ends that differ.
pub fn wide(ends: Option<(f64, f64)>) -> (f64, f64) {
    match ends {
        None => (0.0, 1.0),
        Some((lo, hi)) if lo < hi => (lo, hi),
        Some((x, _)) => {
            let margin = if x == 0.0 { 1.0 } else { x.abs() * 0.1 };
            ((x - margin).max(f64::MIN), (x + margin).min(f64::MAX))
        }
    }
}

/// Targets and predictions as points, or as counts over a square where they are many.
pub fn cloud(targets: &[f64], predictions: &[f64]) -> Cloud {
    let pairs =
        || targets.iter().copied().zip(predictions.iter().copied()).filter(|(t, p)| t.is_finite() && p.is_finite());
    if targets.len() <= POINTS {
        return Cloud::Points(pairs().collect());
    }
    let (lo, hi) = wide(pairs().fold(None, |e, (t, p)| {
        let (least, most) = (t.min(p), t.max(p));
        Some(e.map_or((least, most), |(lo, hi): (f64, f64)| (lo.min(least), hi.max(most))))
    }));
    let mut counts = vec![0usize; CELLS * CELLS];
    let interval = interval(lo, hi, CELLS);
    for (t, p) in pairs() {
        // the first row of a picture is its top
        counts[(CELLS - 1 - interval(p)) * CELLS + interval(t)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    let log = |n: &usize| if *n == 0 { f64::NAN } else { (*n as f64).log10() };
    let logs = Raster { rows: CELLS, cols: CELLS, values: counts.iter().map(log).collect() };
    Cloud::Counts { lo, hi, logs, most }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_once() {
        let values: Vec<f64> = (0..1000).map(|k| f64::from(k % 10) - 4.5).chain([1e6, f64::NAN]).collect();
        let h = around_zero(&values);
        assert_eq!(h.counts.iter().sum::<usize>(), 1001);
        assert!(h.hi < 1e6 && h.lo == -h.hi && h.beyond == 1);
        for extreme in [&[f64::MIN, f64::MAX][..], &[0.0], &[5e-324, 1e-323], &[]] {
            assert_eq!(histogram(extreme).counts.iter().sum::<usize>(), extreme.len());
            assert_eq!(around_zero(extreme).counts.iter().sum::<usize>(), extreme.len());
        }
    }

    #[test]
    fn many_pairs_become_counts() {
        let t: Vec<f64> = (0..5000).map(|k| f64::from(k % 7)).collect();
        let Cloud::Counts { lo, hi, logs, most } = cloud(&t, &t) else { panic!("counts") };
        assert_eq!((lo, hi, most), (0.0, 6.0, 715));
        let total: f64 = logs.values.iter().filter(|x| x.is_finite()).map(|x| 10f64.powf(*x)).sum();
        assert!((total - 5000.0).abs() < 1e-6);
        // on the diagonal: from the last row, first column to the first row, last column
        assert!(logs.values[(CELLS - 1) * CELLS].is_finite() && logs.values[CELLS - 1].is_finite());
        assert!(matches!(cloud(&t[..9], &t[..9]), Cloud::Points(p) if p.len() == 9));
    }
}
