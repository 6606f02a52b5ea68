//! Upper bounds of singular values and eigenvalues are upper bounds, to the last bit where the truth is an integer, and
//! tight. A power iteration and a decomposition without a margin are not.

use crate::draw::{EPS, Rng, claim, holds, log_uniform, normals, rejects};
use homfac::linalg::proven::{GRAM_LIMIT, lambda_max_upper, sigma_max_upper, sigma_max_upper_sparse};
use homfac::linalg::{Mat, Pattern, dense};
use rand::RngExt;

/// An estimate of sigma_1 of an m x n column-major field.
type Sigma = fn(&[f64], usize, usize) -> f64;

/// Every entry listed, through the sparse route.
fn sparse_route(w: &[f64], m: usize, n: usize) -> f64 {
    let listed: Vec<(usize, usize)> = (0..n).flat_map(|j| (0..m).map(move |i| (i, j))).collect();
    let (pattern, order) = Pattern::new(m, n, &listed).unwrap();
    sigma_max_upper_sparse(&order.iter().map(|&k| w[k]).collect::<Vec<_>>(), &pattern)
}

/// Random, rank-deficient, graded (condition 1e12), or of two equal leading singular values; any shape.
fn draw_matrix(rng: &mut Rng) -> Mat {
    let (m, n) = (rng.random_range(1..40), rng.random_range(1..40));
    let full = Mat::from_vec(m, n, normals(m * n, rng));
    match rng.random_range(0..4) {
        0 => full,
        1 => {
            let r = rng.random_range(1..3);
            Mat::from_vec(m, r, normals(m * r, rng)) * Mat::from_vec(r, n, normals(r * n, rng))
        }
        2 => Mat::from_fn(m, n, |i, j| full[(i, j)] * 10f64.powf(-12.0 * (i + j) as f64 / (m + n) as f64)),
        _ => Mat::from_fn(m, n, |i, j| if i == j { if i < 2 { 2.0 } else { 1.0 / (i + 1) as f64 } } else { 0.0 }),
    }
}

/// From the smallest to the largest numbers whose products with a norm are still finite.
fn draw_scale(rng: &mut Rng) -> f64 {
    if rng.random_bool(0.4) { 1.0 } else { log_uniform(1e-300..1e300, rng) }
}

/// sigma_1 by another library's SVD, at unit scale; accurate to a small multiple of the dimension in units.
fn svd(w: &Mat) -> f64 {
    w.singular_values().max()
}

/// Not below the truth, and above it by no more than rounding of the Gram matrix explains: sigma_1^2 is uncertain by
/// (m + n) units of ||W||_F^2 <= min(m, n) sigma_1^2. Where the Cholesky factorization fails at first, eight times that.
fn sigma_law(sigma: Sigma, rng: &mut Rng) -> Result<(), String> {
    let (w, scale) = (draw_matrix(rng), draw_scale(rng));
    let (m, n) = w.shape();
    let dimension = (m + n) as f64;
    let (up, truth) = (sigma((&w * scale).as_slice(), m, n) / scale, svd(&w));
    let label = || format!("{up:e}, truth {truth:e}, {m} x {n}, scale {scale:e}");
    claim(up >= truth * (1.0 - 4.0 * dimension * EPS), label)?;
    claim(up <= truth * (1.0 + 64.0 * dimension * dimension * EPS), label)
}

/// a b' of integers: sigma_1^2 = ||a||^2 ||b||^2 exactly, and the bound's square is compared with it exactly.
fn exact_sigma_law(sigma: Sigma, rng: &mut Rng) -> Result<(), String> {
    let (m, n) = (rng.random_range(1..20), rng.random_range(1..20));
    let mut integers = |k: usize| (0..k).map(|_| rng.random_range(1..1000)).collect::<Vec<i64>>();
    let (a, b) = (integers(m), integers(n));
    let w = Mat::from_fn(m, n, |i, j| (a[i] * b[j]) as f64);
    let squares = |x: &[i64]| x.iter().map(|x| x * x).sum::<i64>() as u128;
    // sigma_1 < 2^25: the square of 2^34 sigma_1 fits in 128 bits, and 34 binary places are all a bound above 2^18 has
    let up = (sigma(w.as_slice(), m, n) * 2f64.powi(34)).ceil() as u128;
    claim(up * up >= (squares(&a) * squares(&b)) << 68, || format!("2^34 sigma <= {up} for {a:?} x {b:?}"))
}

/// Power iterations from a fixed start: a Rayleigh quotient, from below.
fn power_iterations(w: &[f64], m: usize, n: usize) -> f64 {
    let w = Mat::from_column_slice(m, n, w);
    let mut v = Mat::from_element(n, 1, 1.0);
    for _ in 0..3 {
        v = w.transpose() * (&w * &v);
        v /= v.norm();
    }
    (w * v).norm()
}

fn svd_without_margin(w: &[f64], m: usize, n: usize) -> f64 {
    dense::thin_svd(&Mat::from_column_slice(m, n, w)).unwrap().1[0]
}

fn frobenius(w: &[f64], m: usize, n: usize) -> f64 {
    Mat::from_column_slice(m, n, w).norm() * (1.0 + (m * n) as f64 * EPS)
}

#[test]
fn sigma_max_upper_is_above_the_singular_value_and_tight() {
    for (name, sigma) in [("dense", sigma_max_upper as Sigma), ("sparse", sparse_route)] {
        holds(name, |rng| sigma_law(sigma, rng));
        holds(name, |rng| exact_sigma_law(sigma, rng));
    }
}

#[test]
fn the_sigma_laws_reject_estimates_without_a_proof() {
    rejects("power iterations", |rng| sigma_law(power_iterations, rng));
    rejects("the Frobenius norm", |rng| sigma_law(frobenius, rng));
    rejects("an SVD without a margin", |rng| exact_sigma_law(svd_without_margin, rng));
}

/// Random indefinite, negative definite, rank-deficient, and beyond the size where eigenvalues are found by Lanczos.
fn draw_symmetric(rng: &mut Rng) -> Mat {
    let n = if rng.random_bool(0.2) { 120 } else { rng.random_range(1..30) };
    let r = rng.random_range(1..=n);
    let x = Mat::from_vec(n, r, normals(n * r, rng));
    let mut g = match rng.random_range(0..4) {
        0 => Mat::from_vec(n, n, normals(n * n, rng)),
        1 => -(&x * x.transpose()),
        2 => &x * x.transpose(),
        _ => Mat::from_diagonal(&nalgebra::DVector::from_vec(normals(n, rng))),
    };
    g.fill_upper_triangle_with_lower_triangle();
    g
}

/// As for sigma, relative to ||G||: lambda_max may be 0 or negative.
fn lambda_law(lambda: fn(&Mat) -> f64, rng: &mut Rng) -> Result<(), String> {
    let (g, scale) = (draw_symmetric(rng), draw_scale(rng));
    let (n, size) = (g.nrows() as f64, g.norm());
    let (up, truth) = (lambda(&(&g * scale)) / scale, g.symmetric_eigenvalues().max());
    let label = || format!("{up:e}, truth {truth:e}, n = {n}, ||G|| = {size:e}, scale {scale:e}");
    claim(up >= truth - 4.0 * n * EPS * size, label)?;
    claim(up <= truth + 64.0 * n * n * EPS * size, label)
}

/// a a' - c I of integers: lambda_max = ||a||^2 - c exactly, for n > 1.
fn exact_lambda_law(lambda: fn(&Mat) -> f64, rng: &mut Rng) -> Result<(), String> {
    let n = rng.random_range(2..30);
    let a: Vec<f64> = (0..n).map(|_| f64::from(rng.random_range(1..1000))).collect();
    let c = f64::from(rng.random_range(0..1000));
    let g = Mat::from_fn(n, n, |i, j| a[i] * a[j] - if i == j { c } else { 0.0 });
    let (up, truth) = (lambda(&g), a.iter().map(|a| a * a).sum::<f64>() - c);
    claim(up >= truth, || format!("{up} below {truth} for {a:?}, c = {c}"))
}

/// The Ritz value of a few shifted power iterations.
fn ritz(g: &Mat) -> f64 {
    let (n, scale) = (g.nrows(), g.amax());
    let g = g / scale;
    let shifted = &g + Mat::identity(n, n) * n as f64;
    let mut v = Mat::from_fn(n, 1, |i, _| 1.0 + i as f64 / n as f64);
    for _ in 0..3 {
        v = &shifted * v;
        v /= v.norm();
    }
    (&g * &v).dot(&v) * scale
}

fn eigenvalue_without_margin(g: &Mat) -> f64 {
    dense::symmetric_eigen(g).unwrap().0.last().copied().unwrap()
}

#[test]
fn lambda_max_upper_is_above_the_eigenvalue_and_tight() {
    holds("lambda_max_upper", |rng| lambda_law(lambda_max_upper, rng));
    holds("lambda_max_upper", |rng| exact_lambda_law(lambda_max_upper, rng));
}

#[test]
fn the_lambda_laws_reject_estimates_without_a_proof() {
    rejects("a Ritz value", |rng| lambda_law(ritz, rng));
    rejects("the Frobenius norm", |rng| lambda_law(Mat::norm, rng));
    rejects("an eigenvalue without a margin", |rng| exact_lambda_law(eigenvalue_without_margin, rng));
}

#[test]
fn zero_and_infinite_fields_have_their_bounds() {
    assert_eq!(sigma_max_upper(&[0.0; 6], 2, 3), 0.0);
    assert_eq!(lambda_max_upper(&Mat::zeros(3, 3)), 0.0);
    assert_eq!(sigma_max_upper(&[1.0, f64::INFINITY], 2, 1), f64::INFINITY);
    // the smallest and the largest doubles
    for x in [5e-324, f64::MIN_POSITIVE, f64::MAX] {
        assert!(sigma_max_upper(&[x, 0.0, 0.0, x], 2, 2) >= x, "{x:e}");
        assert!(lambda_max_upper(&(Mat::identity(2, 2) * x)) >= x, "{x:e}");
    }
    // NaN must not pass for a small number
    let nan = sigma_max_upper(&[1.0, f64::NAN, 1.0, 1.0], 2, 2);
    assert!(nan.is_nan() || nan == f64::INFINITY, "{nan}");
}

/// Too large for a Gram matrix: the looser bound is still one. A block a b' in a corner has a known sigma_1.
#[test]
fn beyond_the_gram_limit_the_bound_holds_at_every_scale() {
    holds("induced norms", |rng| {
        let side = GRAM_LIMIT + 1;
        let listed: Vec<(usize, usize)> = (0..4).flat_map(|i| (0..4).map(move |j| (i * 7, side - 1 - j))).collect();
        let (pattern, order) = Pattern::new(side, side, &listed).unwrap();
        let (a, b, scale) = (normals(4, rng), normals(4, rng), draw_scale(rng));
        let w: Vec<f64> = order.iter().map(|&k| a[k / 4] * b[k % 4] * scale).collect();
        let truth = crate::draw::norm(&a) * crate::draw::norm(&b);
        let up = sigma_max_upper_sparse(&w, &pattern) / scale;
        claim(up >= truth * (1.0 - 16.0 * EPS), || format!("{up:e} below {truth:e} at scale {scale:e}"))
    });
}
