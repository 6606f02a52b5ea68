//! Seeds, random vectors, and how a law is held up or must fall.

use homfac::linalg::Mat;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::ops::Range;

pub use rand_chacha::ChaCha8Rng as Rng;

/// The draws that every law is run on.
const SEEDS: Range<u64> = 0..1000;

/// The first of them: a mutant has to fall this early, or the law is too weak to find a mistake of a subtler kind.
const FEW: Range<u64> = 0..20;

/// Unit roundoff's double: the unit of every tolerance.
pub const EPS: f64 = f64::EPSILON;

/// The law holds on every draw.
pub fn holds(label: &str, law: impl Fn(&mut Rng) -> Result<(), String>) {
    for seed in SEEDS {
        law(&mut ChaCha8Rng::seed_from_u64(seed)).unwrap_or_else(|e| panic!("{label} (seed {seed}): {e}"));
    }
}

/// The law, run on a mutant, fails on at least one of the first draws.
pub fn rejects(label: &str, law: impl Fn(&mut Rng) -> Result<(), String>) {
    let caught = FEW.filter(|&seed| law(&mut ChaCha8Rng::seed_from_u64(seed)).is_err()).count();
    assert!(caught > 0, "{label}: the mutant survives");
}

/// `Err(message())` unless the claim is true; a comparison with NaN is not.
pub fn claim(truth: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if truth { Ok(()) } else { Err(message()) }
}

/// n independent standard normals.
pub fn normals(n: usize, rng: &mut Rng) -> Vec<f64> {
    (0..n).map(|_| StandardNormal.sample(rng)).collect()
}

/// A fixed n x d matrix of normals: the inputs of networks.
pub fn inputs(n: usize, d: usize) -> Mat {
    Mat::from_vec(n, d, normals(n * d, &mut ChaCha8Rng::seed_from_u64(1)))
}

/// n uniform numbers.
pub fn uniforms(n: usize, range: Range<f64>, rng: &mut Rng) -> Vec<f64> {
    (0..n).map(|_| rng.random_range(range.clone())).collect()
}

/// A number whose logarithm is uniform between those of the ends.
pub fn log_uniform(range: Range<f64>, rng: &mut Rng) -> f64 {
    rng.random_range(range.start.ln()..range.end.ln()).exp()
}

/// <a, b>.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// sum_j |a_j b_j|: what the rounding error of <a, b> is relative to.
pub fn dot_size(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a * b).abs()).sum()
}

/// ||a||_2.
pub fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// s a.
pub fn scaled(a: &[f64], s: f64) -> Vec<f64> {
    a.iter().map(|a| s * a).collect()
}

/// a + s b.
pub fn moved(a: &[f64], s: f64, b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + s * b).collect()
}

/// The order q of an error that vanishes like t^q: the slope of log e(t) over halvings of t, by least squares, from the
/// errors above `floor`, where they mean something. `None` if fewer than four do: then the error is zero up to rounding.
pub fn order(error: impl Fn(f64) -> f64, floor: f64) -> Option<f64> {
    let points: Vec<(f64, f64)> = (4..18)
        .map(|k| 0.5f64.powi(k))
        .map(|t| (t.ln(), error(t).abs()))
        .filter(|p| p.1 > floor)
        .map(|(t, e)| (t, e.ln()))
        .collect();
    let n = points.len() as f64;
    let (mt, me) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let covariance: f64 = points.iter().map(|p| (p.0 - mt) * (p.1 - me)).sum();
    let variance: f64 = points.iter().map(|p| (p.0 - mt).powi(2)).sum();
    (points.len() >= 4).then(|| covariance / variance)
}

/// The error vanishes like t^2. Kinks of the second derivative bend the line, a wrong first derivative gives slope 1.
pub fn second_order(error: impl Fn(f64) -> f64, floor: f64) -> Result<(), String> {
    match order(error, floor) {
        Some(q) => claim(q > 1.75, || format!("the Taylor error falls like t^{q:.2}, not t^2")),
        None => Ok(()),
    }
}

#[test]
fn the_order_of_known_powers_is_found() {
    for q in 1..4 {
        let found = order(|t| 3.0 * t.powi(q), 1e-15).unwrap();
        assert!((found - f64::from(q)).abs() < 1e-9, "{found}");
    }
    assert!(second_order(|t| 1e-3 * t + t * t, 1e-15).is_err());
}
