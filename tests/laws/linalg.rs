//! Products over a [`Pattern`] against loops over a dense matrix, and the bracket of a [`Sum`] against exact integers.

use crate::draw::{EPS, Rng, claim, holds, normals, rejects};
use homfac::linalg::sum::{Sum, norm_upper};
use homfac::linalg::{Gram, Layout, Mat, Packed, Pattern, dense};
use rand::RngExt;

/// A sparse matrix with empty lines, of any shape, up to sizes where the products run in parallel.
struct Sparse {
    pattern: Pattern,
    w: Vec<f64>,
    dense: Mat,
    listed: Vec<(usize, usize)>,
}

impl Sparse {
    fn draw(rng: &mut Rng) -> Self {
        let side =
            |rng: &mut Rng| if rng.random_bool(0.3) { rng.random_range(100..200) } else { rng.random_range(1..9) };
        let (m, n) = (side(rng), side(rng));
        let density = rng.random_range(0.0..1.0);
        let mut listed: Vec<(usize, usize)> =
            (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).filter(|_| rng.random_bool(density)).collect();
        // the caller's order is any
        for k in (1..listed.len()).rev() {
            listed.swap(k, rng.random_range(0..=k));
        }
        let values = normals(listed.len(), rng);
        let mut dense = Mat::zeros(m, n);
        listed.iter().zip(&values).for_each(|(ij, v)| dense[*ij] = *v);
        let (pattern, order) = Pattern::new(m, n, &listed).unwrap();
        Self { pattern, w: order.iter().map(|&k| values[k]).collect(), dense, listed }
    }
}

fn gaussian(m: usize, n: usize, rng: &mut Rng) -> Mat {
    Mat::from_vec(m, n, normals(m * n, rng))
}

/// A B by three loops, and |A| |B|, which its rounding is relative to.
fn naive_product(a: &Mat, b: &Mat) -> (Mat, Mat) {
    let entry = |i: usize, j: usize| (0..a.ncols()).map(|k| a[(i, k)] * b[(k, j)]).sum();
    let size = |i: usize, j: usize| (0..a.ncols()).map(|k| (a[(i, k)] * b[(k, j)]).abs()).sum();
    (Mat::from_fn(a.nrows(), b.ncols(), entry), Mat::from_fn(a.nrows(), b.ncols(), size))
}

/// Two sums of `terms` products each, in different orders.
fn same(found: &Mat, (expected, size): &(Mat, Mat), terms: usize) -> Result<(), String> {
    claim(found.shape() == expected.shape(), || format!("{:?}, not {:?}", found.shape(), expected.shape()))?;
    for (k, (a, b)) in found.iter().zip(expected).enumerate() {
        claim((a - b).abs() <= (terms + 2) as f64 * EPS * size.as_slice()[k], || format!("entry {k}: {a}, not {b}"))?;
    }
    Ok(())
}

fn mul_law(mul: impl Fn(&Pattern, &[f64], &Mat) -> Mat, rng: &mut Rng) -> Result<(), String> {
    let s = Sparse::draw(rng);
    let x = gaussian(s.pattern.cols(), rng.random_range(0..4), rng);
    same(&mul(&s.pattern, &s.w, &x), &naive_product(&s.dense, &x), s.pattern.cols())
}

fn tr_mul_law(tr_mul: impl Fn(&Pattern, &[f64], &Mat) -> Mat, rng: &mut Rng) -> Result<(), String> {
    let s = Sparse::draw(rng);
    let x = gaussian(s.pattern.rows(), rng.random_range(0..4), rng);
    same(&tr_mul(&s.pattern, &s.w, &x), &naive_product(&s.dense.transpose(), &x), s.pattern.rows())
}

fn form(p: &Pattern, w: &[f64]) -> Packed {
    Gram::new(w, Layout::Listed(p)).form()
}

/// The smaller of W W' and W' W.
fn gram_law(gram: impl Fn(&Pattern, &[f64]) -> Packed, rng: &mut Rng) -> Result<(), String> {
    let s = Sparse::draw(rng);
    let wide = s.pattern.rows() <= s.pattern.cols();
    let a = if wide { s.dense.clone() } else { s.dense.transpose() };
    let found = gram(&s.pattern, &s.w);
    let found = Mat::from_fn(found.side(), found.side(), |i, j| found.get(i, j));
    same(&found, &naive_product(&a, &a.transpose()), a.ncols())
}

/// U V' at the listed entries, row by row.
fn sampled_law(sampled: impl Fn(&Pattern, &Mat, &Mat) -> Vec<f64>, rng: &mut Rng) -> Result<(), String> {
    let s = Sparse::draw(rng);
    let r = rng.random_range(0..20);
    let (u, v) = (gaussian(s.pattern.rows(), r, rng), gaussian(s.pattern.cols(), r, rng));
    let (product, size) = naive_product(&u, &v.transpose());
    let mut sorted = s.listed;
    sorted.sort_unstable();
    let at = |x: &Mat| Mat::from_vec(sorted.len(), 1, sorted.iter().map(|&ij| x[ij]).collect());
    same(&Mat::from_vec(sorted.len(), 1, sampled(&s.pattern, &u, &v)), &(at(&product), at(&size)), r)
}

/// The same products of dense matrices, of any shape.
fn dense_law(mul: impl Fn(&Mat, &Mat) -> Mat, rng: &mut Rng) -> Result<(), String> {
    let (m, k, n) = (rng.random_range(0..30), rng.random_range(0..30), rng.random_range(0..30));
    let (a, b) = (gaussian(m, k, rng), gaussian(k, n, rng));
    same(&mul(&a, &b), &naive_product(&a, &b), k)
}

#[test]
fn sparse_products_agree_with_loops_over_a_dense_matrix() {
    holds("mul", |rng| mul_law(Pattern::mul, rng));
    holds("tr_mul", |rng| tr_mul_law(Pattern::tr_mul, rng));
    holds("gram", |rng| gram_law(form, rng));
    holds("sampled_product", |rng| sampled_law(Pattern::sampled_product, rng));
}

#[test]
fn dense_products_agree_with_loops() {
    holds("mul", |rng| dense_law(dense::mul, rng));
    holds("tr_mul", |rng| dense_law(|a, b| dense::tr_mul(&a.transpose(), b), rng));
    holds("mul_tr", |rng| dense_law(|a, b| dense::mul_tr(a, &b.transpose()), rng));
    holds("field_mul", |rng| dense_law(|a, b| dense::field_mul(a.as_slice(), a.nrows(), a.ncols(), b), rng));
    holds("field_tr_mul", |rng| {
        dense_law(|a, b| dense::field_tr_mul(a.transpose().as_slice(), a.ncols(), a.nrows(), b), rng)
    });
}

#[test]
fn the_product_laws_reject_fields_in_the_wrong_order_and_lost_entries() {
    let reversed: fn(&[f64]) -> Vec<f64> = |w| w.iter().rev().copied().collect();
    let lost: fn(&[f64]) -> Vec<f64> = |w| w.iter().enumerate().map(|(k, w)| if k == 0 { 0.0 } else { *w }).collect();
    for spoil in [reversed, lost] {
        rejects("mul", |rng| mul_law(|p, w, x| p.mul(&spoil(w), x), rng));
        rejects("tr_mul", |rng| tr_mul_law(|p, w, x| p.tr_mul(&spoil(w), x), rng));
        rejects("gram", |rng| gram_law(|p, w| form(p, &spoil(w)), rng));
        rejects("sampled_product", |rng| sampled_law(|p, u, v| spoil(&p.sampled_product(u, v)), rng));
    }
    let single = |x: &Mat| x.map(|x| f64::from(x as f32));
    rejects("single precision", |rng| dense_law(|a, b| dense::mul(&single(a), &single(b)), rng));
}

#[test]
fn a_pattern_lists_each_position_once_in_row_order_and_by_columns() {
    holds("entries", |rng| {
        let s = Sparse::draw(rng);
        let mut sorted = s.listed.clone();
        sorted.sort_unstable();
        let by_rows: Vec<_> = s.pattern.entries().collect();
        claim(by_rows == sorted, || format!("{by_rows:?}, not {sorted:?}"))?;
        let mut by_columns: Vec<_> =
            (0..s.pattern.cols()).flat_map(|j| s.pattern.column(j).map(move |(i, p)| (p, (i, j)))).collect();
        by_columns.sort_unstable();
        let in_order = by_columns.iter().enumerate().all(|(k, &(p, ij))| p == k && ij == sorted[k]);
        claim(in_order && by_columns.len() == sorted.len(), || format!("columns list {by_columns:?}"))?;
        let Some(&twice) = s.listed.first() else { return Ok(()) };
        let last = s.listed.len();
        let listed = [s.listed, vec![twice]].concat();
        let duplicate = Pattern::new(s.pattern.rows(), s.pattern.cols(), &listed).unwrap_err();
        claim((duplicate.first, duplicate.second) == (0, last), || format!("{duplicate:?}"))
    });
}

/// Lower and upper end of a sum of products.
type Bracket = fn(&[(f64, f64)]) -> (f64, f64);

fn sum_bracket(terms: &[(f64, f64)]) -> (f64, f64) {
    let mut s = Sum::new();
    terms.iter().for_each(|&(a, b)| if b == 1.0 { s.add(a) } else { s.add_product(a, b) });
    (s.lower(), s.upper())
}

/// The bracket holds the exact sum of products of integers, most of which cancel, and is tight: within a few units of its
/// value, plus the square of the rounding of the terms.
fn bracket_law(bracket: Bracket, rng: &mut Rng) -> Result<(), String> {
    let n = rng.random_range(1..200);
    let mut terms: Vec<(i64, i64)> = Vec::new();
    for _ in 0..n {
        // 48 + 48 bits and fewer than 2^9 terms: far below 2^127
        let a = rng.random_range(-(1i64 << 48)..1 << 48) >> rng.random_range(0..40);
        let b = if rng.random_bool(0.3) { 1 } else { rng.random_range(-(1i64 << 48)..1 << 48) };
        terms.push((a, b));
        if rng.random_bool(0.9) {
            terms.push((-a, b));
        }
    }
    for k in (1..terms.len()).rev() {
        terms.swap(k, rng.random_range(0..=k));
    }
    let exact: i128 = terms.iter().map(|&(a, b)| i128::from(a) * i128::from(b)).sum();
    let size: f64 = terms.iter().map(|&(a, b)| (a as f64 * b as f64).abs()).sum();
    // a power of two moves the sum off the integers without rounding
    let unit = 2f64.powi(rng.random_range(-300..300));
    let floats: Vec<(f64, f64)> = terms.iter().map(|&(a, b)| (a as f64 * unit, b as f64)).collect();
    let (lower, upper) = bracket(&floats);
    let inside = (lower / unit).floor() as i128 <= exact && exact <= (upper / unit).ceil() as i128;
    claim(inside, || format!("[{:e}, {:e}] misses {exact} of {terms:?}", lower / unit, upper / unit))?;
    let width = 8.0 * EPS * (exact as f64).abs() + (4.0 * terms.len() as f64 * EPS).powi(2) * size;
    claim((upper - lower) / unit <= 2.0 * width + 2.0 * EPS, || format!("width {:e}", (upper - lower) / unit))
}

#[test]
fn a_sum_brackets_the_exact_one_and_the_law_rejects_plain_and_uncompensated_sums() {
    holds("Sum", |rng| bracket_law(sum_bracket, rng));
    let plain: Bracket = |terms| {
        let s: f64 = terms.iter().map(|(a, b)| a * b).sum();
        (s.next_down(), s.next_up())
    };
    // right, but as wide as the rounding of the terms
    let wide: Bracket = |terms| {
        let s: f64 = terms.iter().map(|(a, b)| a * b).sum();
        let e = 2.0 * terms.len() as f64 * EPS * terms.iter().map(|(a, b)| (a * b).abs()).sum::<f64>();
        (s - e, s + e)
    };
    rejects("a plain sum", |rng| bracket_law(plain, rng));
    rejects("an uncompensated sum", |rng| bracket_law(wide, rng));
}

#[test]
fn a_bracket_stays_true_where_numbers_overflow_or_vanish() {
    let (lower, upper) = sum_bracket(&[(1e-200, 1e-200), (1e-200, 3e-200)]);
    assert!(lower <= 0.0 && 0.0 < upper, "[{lower:e}, {upper:e}] has to hold 4e-400");
    for terms in [vec![(1e200, 1e200)], vec![(1e308, 1.0), (1e308, 1.0), (-1e308, 1.0)], vec![(f64::NAN, 1.0)]] {
        assert_eq!(sum_bracket(&terms), (f64::NEG_INFINITY, f64::INFINITY), "{terms:?}");
    }
}

#[test]
fn norm_upper_is_an_upper_end_at_every_scale() {
    holds("norm_upper", |rng| {
        // 3-4-5 triangles have exact norms; where their squares come near the smallest double the bound is loose
        let k = rng.random_range(-450..500);
        let (unit, n) = (2f64.powi(k), rng.random_range(0..30));
        let x: Vec<f64> = [3.0, 4.0].iter().map(|x| x * unit).chain(vec![0.0; n]).collect();
        let up = norm_upper(&x);
        claim(up >= 5.0 * unit && up <= 5.0 * unit * (1.0 + 8.0 * EPS), || format!("{up:e} for 5 * 2^{k}"))
    });
    assert!(norm_upper(&[3e200, 4e200]) >= 5e200);
    assert!(norm_upper(&[3e-200, 4e-200]) >= 5e-200);
}
