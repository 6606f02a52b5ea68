//! Upper bounds of singular values and eigenvalues are upper bounds, to the last bit where the truth is an integer, and
//! tight. A power iteration and a decomposition without a margin are not.

use crate::draw::{EPS, Rng, claim, holds, log_uniform, normals, rejects};
use homfac::budget::Budget;
use homfac::linalg::proven::{lambda_max_upper, sigma_estimate, sigma_max_upper, sigma_upper, sigma_upper_by};
use homfac::linalg::{Layout, Mat, Packed, Pattern, dense, lanczos, probable};
use rand::RngExt;

/// An estimate of sigma_1 of an m x n column-major field.
type Sigma = fn(&[f64], usize, usize) -> f64;

/// The nonzero entries as a field over a pattern.
fn listed(w: &[f64], m: usize, n: usize) -> (Pattern, Vec<f64>) {
    let entries: Vec<(usize, usize)> =
        (0..n).flat_map(|j| (0..m).map(move |i| (i, j))).filter(|&(i, j)| w[j * m + i] != 0.0).collect();
    let (pattern, order) = Pattern::new(m, n, &entries).unwrap();
    let values = order.iter().map(|&k| w[entries[k].1 * m + entries[k].0]).collect();
    (pattern, values)
}

fn sparse_route(w: &[f64], m: usize, n: usize) -> f64 {
    let (pattern, values) = listed(w, m, n);
    sigma_upper(&values, Layout::Listed(&pattern)).value
}

/// As for matrices too large for a Gram matrix.
fn loose_route(w: &[f64], m: usize, n: usize) -> f64 {
    let (pattern, values) = listed(w, m, n);
    sigma_upper_by(&values, Layout::Listed(&pattern), false).value
}

/// Random, rank-deficient, graded (condition 1e12), of a cluster of leading singular values, or sparse with empty lines; any
/// shape, some larger than a block of the factorization.
fn draw_matrix(rng: &mut Rng) -> Mat {
    let longest = if rng.random_bool(0.02) { 300 } else { 40 };
    let (m, n) = (rng.random_range(1..longest), rng.random_range(1..longest));
    let full = Mat::from_vec(m, n, normals(m * n, rng));
    match rng.random_range(0..6) {
        0 => full,
        1 => {
            let r = rng.random_range(1..3);
            Mat::from_vec(m, r, normals(m * r, rng)) * Mat::from_vec(r, n, normals(r * n, rng))
        }
        2 => Mat::from_fn(m, n, |i, j| full[(i, j)] * 10f64.powf(-12.0 * (i + j) as f64 / (m + n) as f64)),
        3 => Mat::from_fn(m, n, |i, j| if i == j { if i < 2 { 2.0 } else { 1.0 / (i + 1) as f64 } } else { 0.0 }),
        4 => {
            // a quarter of the singular values within 1e-7 of the largest, as at an optimum
            let (u, v) = (dense::orthonormal(&full), dense::orthonormal(&full.transpose()));
            let d = |k: usize| if 4 * k <= u.ncols() { 1.0 - 1e-7 * k as f64 / n as f64 } else { 0.5 };
            let scaled = Mat::from_fn(m, u.ncols(), |i, k| u[(i, k)] * d(k));
            scaled * v.transpose()
        }
        _ => {
            let density = rng.random_range(0.0..0.3);
            full.map(|x| if rng.random_bool(density) { x } else { 0.0 })
        }
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

/// Only that the bound is one.
fn loose_sigma_law(sigma: Sigma, rng: &mut Rng) -> Result<(), String> {
    let (w, scale) = (draw_matrix(rng), draw_scale(rng));
    let (m, n) = w.shape();
    let (up, truth) = (sigma((&w * scale).as_slice(), m, n) / scale, svd(&w));
    claim(up >= truth * (1.0 - 4.0 * (m + n) as f64 * EPS), || format!("{up:e}, truth {truth:e}, {m} x {n}"))
}

#[test]
fn sigma_max_upper_is_above_the_singular_value_and_tight() {
    for (name, sigma) in [("dense", sigma_max_upper as Sigma), ("sparse", sparse_route)] {
        holds(name, |rng| sigma_law(sigma, rng));
        holds(name, |rng| exact_sigma_law(sigma, rng));
    }
}

#[test]
fn without_a_gram_matrix_the_bound_holds_and_is_tight_for_one_sign() {
    holds("loose", |rng| loose_sigma_law(loose_route, rng));
    holds("loose", |rng| exact_sigma_law(loose_route, rng));
    rejects("the estimate", |rng| exact_sigma_law(|w, m, n| sigma_estimate(w, Layout::Full { rows: m, cols: n }), rng));
    // a Rayleigh quotient in place of the largest ratio
    rejects("power iterations", |rng| loose_sigma_law(|w, m, n| power_iterations(&absolute(w), m, n), rng));
    holds("one sign", |rng| {
        let (m, n) = (rng.random_range(2..30), rng.random_range(2..30));
        let w = Mat::from_vec(m, n, absolute(&normals(m * n, rng)));
        let (up, truth) = (loose_route(w.as_slice(), m, n), svd(&w));
        claim(up <= truth * (1.0 + 1e-3), || format!("{up:e}, truth {truth:e}, {m} x {n}"))
    });
}

fn absolute(w: &[f64]) -> Vec<f64> {
    w.iter().map(|x| x.abs()).collect()
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
    // empty lines, and none at all
    assert_eq!(sparse_route(&[0.0; 6], 2, 3), 0.0);
    for (x, shape) in [(3.0, (1, 1)), (5e-324, (1, 1)), (1e300, (1, 1))] {
        assert!(sparse_route(&[x], shape.0, shape.1) >= x && loose_route(&[x], shape.0, shape.1) >= x);
    }
    // NaN must not pass for a small number
    let nan = sigma_max_upper(&[1.0, f64::NAN, 1.0, 1.0], 2, 2);
    assert!(nan.is_nan() || nan == f64::INFINITY, "{nan}");
}

/// Iterations against a full decomposition: never above, and near it.
#[test]
fn an_estimate_is_from_below() {
    holds("sigma_estimate", |rng| {
        let w = draw_matrix(rng);
        let (m, n) = w.shape();
        let (found, truth) = (sigma_estimate(w.as_slice(), Layout::Full { rows: m, cols: n }), svd(&w));
        let room = 8.0 * (m + n) as f64 * EPS;
        claim(found <= truth * (1.0 + room) && found >= truth * (1.0 - 1e-7), || format!("{found:e}, not {truth:e}"))
    });
    holds("tridiagonal_max", |rng| {
        let n = rng.random_range(1..30);
        let (a, b) = (normals(n, rng), normals(n - 1, rng));
        let t = Mat::from_fn(n, n, |i, j| match i.abs_diff(j) {
            0 => a[i],
            1 => b[i.min(j)],
            _ => 0.0,
        });
        let (found, truth) = (lanczos::tridiagonal_max(&a, &b), t.symmetric_eigenvalues().max());
        claim((found - truth).abs() <= 16.0 * n as f64 * EPS * t.norm(), || format!("{found:e}, not {truth:e}"))
    });
}

/// Whether a factorization completes.
type Completes = fn(&mut Packed) -> bool;

/// tau I - a a' of integers has the least eigenvalue tau - ||a||^2, exactly: if the factorization completes it is not further
/// below 0 than said, and if it is as far above 0 the factorization completes.
fn factorization_law(completes: Completes, rng: &mut Rng) -> Result<(), String> {
    let n = rng.random_range(1..300);
    let a: Vec<f64> = (0..n).map(|_| f64::from(rng.random_range(-30..30))).collect();
    let square: f64 = a.iter().map(|a| a * a).sum();
    // a multiple of the last digit of tau: every entry is exact
    let digit = 2f64.powf(square.max(1.0).log2().floor()) * EPS;
    let size = 10f64.powf(rng.random_range(-5.0..1.0)) * Packed::<f64>::cholesky_error(n, n as f64 * square);
    let step = (size / digit).ceil() * digit;
    let least = if rng.random_bool(0.5) { step } else { -step };
    let mut packed = Packed::zeros(n);
    packed.for_each_column(|j, out| {
        out.iter_mut().zip(&a[j..]).for_each(|(x, b)| *x = -a[j] * b);
        out[0] += square + least;
    });
    let error = Packed::<f64>::cholesky_error(n, packed.trace_upper());
    let completed = completes(&mut packed);
    let label = || format!("n = {n}, least eigenvalue {least:e}, error {error:e}, completed: {completed}");
    claim(!completed || least >= -error, label)?;
    claim(completed || least <= error, label)
}

#[test]
fn a_completed_factorization_is_as_near_to_semidefinite_as_it_says() {
    holds("cholesky", |rng| factorization_law(Packed::cholesky, rng));
    rejects("always", |rng| factorization_law(|_| true, rng));
    rejects("never", |rng| factorization_law(|_| false, rng));
    holds("the product of the factor", |rng| {
        let n = rng.random_range(1..300);
        let x = Mat::from_vec(n, n, normals(n * n, rng));
        let a = &x * x.transpose();
        let mut packed = Packed::zeros(n);
        packed.for_each_column(|j, out| out.copy_from_slice(&a.as_slice()[j * n + j..(j + 1) * n]));
        if !packed.cholesky() {
            return Ok(());
        }
        let l = Mat::from_fn(n, n, |i, j| if i >= j { packed.get(i, j) } else { 0.0 });
        let difference = (&a - &l * l.transpose()).amax();
        claim(difference <= 2.0 * n as f64 * EPS * a.amax(), || format!("n = {n}: {difference:e}"))
    });
}

/// An upper bound of sigma_1 for a slack, from a seed.
type Probable = fn(&Pattern, &[f64], f64, u64) -> f64;

fn kuczynski_wozniakowski(p: &Pattern, w: &[f64], slack: f64, seed: u64) -> f64 {
    probable::sigma_upper(w, Layout::Listed(p), slack, 1e-12, seed, &Budget::unlimited()).unwrap()
}

/// The bound holds on every seed, and is as wide as it says, on spectra that a few steps do not resolve: evenly spaced, up to
/// the top or with the top hidden above them.
fn probable_law(bound: Probable, rng: &mut Rng) -> Result<(), String> {
    let n = rng.random_range(100..400);
    let slack = 10f64.powf(rng.random_range(-3.0..-0.5));
    let hidden = rng.random_bool(0.5);
    let below = if hidden { 1.0 - 1.5 * slack } else { 1.0 };
    let d: Vec<f64> = (0..n).map(|i| if i == 0 { 1.0 } else { (below * (1.0 - i as f64 / n as f64)).sqrt() }).collect();
    let (pattern, order) =
        Pattern::new(n, n + 1, &(0..n).map(|i| (i, i + 1)).collect::<Vec<_>>()).map_err(|e| format!("{e:?}"))?;
    let w: Vec<f64> = order.iter().map(|&i| d[i]).collect();
    let up = bound(&pattern, &w, slack, rng.random_range(0..1 << 40));
    let label = || format!("{up}, truth 1, slack {slack}, n = {n}, hidden: {hidden}");
    claim(up >= 1.0 - 1e-12 && up <= 1.0 / (1.0 - slack).sqrt() * (1.0 + 1e-9), label)
}

#[test]
fn the_probabilistic_bound_is_above_the_singular_value_on_every_seed() {
    holds("lanczos", |rng| probable_law(kuczynski_wozniakowski, rng));
    rejects("the Ritz value", |rng| {
        probable_law(|p, w, slack, seed| kuczynski_wozniakowski(p, w, slack, seed) * (1.0 - slack).sqrt(), rng)
    });
    // as many steps as a much wider bound asks for
    rejects("too few steps", |rng| {
        let few = |p: &Pattern, w: &[f64], slack: f64, seed| {
            kuczynski_wozniakowski(p, w, 0.9, seed) * (0.1 / (1.0 - slack)).sqrt()
        };
        probable_law(few, rng)
    });
}

#[test]
fn the_probabilistic_bound_at_the_ends_of_the_range() {
    let (pattern, _) = Pattern::new(3, 2, &[(0, 1), (2, 0)]).unwrap();
    let bound = |w: [f64; 2]| probable::sigma_upper(&w, Layout::Listed(&pattern), 1e-4, 1e-12, 0, &Budget::unlimited());
    for x in [5e-324, f64::MIN_POSITIVE, 1.0, 1e300] {
        assert!(bound([x, -x]).unwrap() >= x, "{x:e}");
    }
    assert_eq!(bound([0.0, 0.0]), None);
    assert_eq!(bound([1.0, f64::NAN]), None);
    let over = Budget::unlimited().within(Some(std::time::Duration::ZERO));
    assert_eq!(probable::sigma_upper(&[1.0, 1.0], Layout::Listed(&pattern), 1e-4, 1e-12, 0, &over), None);
}
