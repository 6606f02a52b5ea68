//! Products over a [`Pattern`] and of dense matrices against loops over a dense matrix, decompositions against what they say
//! their factors multiply to, and the bracket of a [`Sum`] against exact integers.

use crate::draw::{EPS, Rng, claim, holds, normals, rejects};
use homfac::data::Observations;
use homfac::linalg::sum::{Sum, norm_upper};
use homfac::linalg::{Gram, Layout, Mat, Packed, Pattern, dense, mttkrp};
use homfac::polar::field;
use rand::RngExt;

/// Columns of a tall and skinny matrix: none, one, and around the widths that loops are unrolled to.
const RANKS: [usize; 8] = [0, 1, 2, 3, 7, 8, 9, 33];

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
        let mut lines = |count: usize| -> Vec<bool> { (0..count).map(|_| rng.random_bool(0.9)).collect() };
        let (rows, cols) = (lines(m), lines(n));
        let mut listed: Vec<(usize, usize)> = (0..m)
            .flat_map(|i| (0..n).map(move |j| (i, j)))
            .filter(|&(i, j)| rows[i] && cols[j] && rng.random_bool(density))
            .collect();
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

fn draw_rank(rng: &mut Rng) -> usize {
    RANKS[rng.random_range(0..RANKS.len())]
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
    let x = gaussian(s.pattern.cols(), draw_rank(rng), rng);
    same(&mul(&s.pattern, &s.w, &x), &naive_product(&s.dense, &x), s.pattern.cols())
}

fn tr_mul_law(tr_mul: impl Fn(&Pattern, &[f64], &Mat) -> Mat, rng: &mut Rng) -> Result<(), String> {
    let s = Sparse::draw(rng);
    let x = gaussian(s.pattern.rows(), draw_rank(rng), rng);
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
    let r = draw_rank(rng);
    let (u, v) = (gaussian(s.pattern.rows(), r, rng), gaussian(s.pattern.cols(), r, rng));
    let (product, size) = naive_product(&u, &v.transpose());
    let mut sorted = s.listed;
    sorted.sort_unstable();
    let at = |x: &Mat| Mat::from_vec(sorted.len(), 1, sorted.iter().map(|&ij| x[ij]).collect());
    same(&Mat::from_vec(sorted.len(), 1, sampled(&s.pattern, &u, &v)), &(at(&product), at(&size)), r)
}

/// Both triangles of W W' (axis 0) or W' W (axis 1), of a full or a sparse field.
fn field_gram_law(gram: fn(&Observations, &[f64], usize) -> Mat, rng: &mut Rng) -> Result<(), String> {
    let s = Sparse::draw(rng);
    let (at, w) = if rng.random_bool(0.5) {
        (Observations::Full { rows: s.dense.nrows(), cols: s.dense.ncols() }, s.dense.as_slice().to_vec())
    } else {
        (Observations::Coordinates(s.pattern), s.w)
    };
    for (axis, a) in [s.dense.clone(), s.dense.transpose()].iter().enumerate() {
        same(&gram(&at, &w, axis), &naive_product(a, &a.transpose()), a.ncols())?;
    }
    Ok(())
}

/// The same products of dense matrices, of any shape, now and then so large that they run in parallel.
fn dense_law(mul: impl Fn(&Mat, &Mat) -> Mat, rng: &mut Rng) -> Result<(), String> {
    let top = if rng.random_bool(0.01) { 200 } else { 40 };
    let (m, k, n) = (rng.random_range(0..top), rng.random_range(0..top), rng.random_range(0..top));
    let (a, b) = (gaussian(m, k, rng), gaussian(k, n, rng));
    same(&mul(&a, &b), &naive_product(&a, &b), k)
}

#[test]
fn sparse_products_agree_with_loops_over_a_dense_matrix() {
    holds("mul", |rng| mul_law(Pattern::mul, rng));
    holds("tr_mul", |rng| tr_mul_law(Pattern::tr_mul, rng));
    holds("gram", |rng| gram_law(form, rng));
    holds("sampled_product", |rng| sampled_law(Pattern::sampled_product, rng));
    holds("field::gram", |rng| field_gram_law(field::gram, rng));
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

/// An array of order 2 to 5 with some of its entries, or all, and factors for it.
struct Array {
    sizes: Vec<usize>,
    /// Indices of the listed entries, in observation order.
    indices: Vec<Vec<usize>>,
    w: Vec<f64>,
    pattern: Option<Pattern>,
    x: Vec<Mat>,
}

impl Array {
    /// Now and then so large that sums are split and run in parallel, with a block of lines that is not whole.
    fn draw(full: bool, rng: &mut Rng) -> Self {
        let order = rng.random_range(2..6);
        let mut sizes: Vec<usize> = (0..order).map(|_| rng.random_range(1..4)).collect();
        let mut r = draw_rank(rng).min(9);
        if rng.random_bool(0.02) {
            let long = rng.random_range(0..order);
            sizes[long] = 37;
            sizes[(long + 1) % order] = 41;
            sizes[(long + 2) % order] *= if order > 2 { 2 } else { 1 };
            r = 19;
        }
        let beyond: usize = sizes[1..].iter().product();
        let density = rng.random_range(0.0..1.0);
        let place = |i: usize, mut j: usize| -> Vec<usize> {
            let rest = sizes[1..].iter().map(|d| {
                let index = j % d;
                j /= d;
                index
            });
            std::iter::once(i).chain(rest).collect()
        };
        let (indices, pattern): (Vec<_>, _) = if full {
            ((0..beyond).flat_map(|j| (0..sizes[0]).map(move |i| (i, j))).map(|(i, j)| place(i, j)).collect(), None)
        } else {
            let all = (0..sizes[0]).flat_map(|i| (0..beyond).map(move |j| (i, j)));
            let listed: Vec<_> = all.filter(|_| rng.random_bool(density)).collect();
            let pattern = Pattern::new(sizes[0], beyond, &listed).unwrap().0;
            (listed.into_iter().map(|(i, j)| place(i, j)).collect(), Some(pattern))
        };
        let w = normals(indices.len(), rng);
        let x = sizes.iter().map(|&d| gaussian(d, r, rng)).collect();
        Self { sizes, indices, w, pattern, x }
    }

    fn mttkrp(&self, w: &[f64], k: usize) -> Mat {
        match &self.pattern {
            None => mttkrp::full(w, &self.sizes, &self.x, k),
            Some(p) => mttkrp::listed(p, w, &self.sizes, &self.x, k),
        }
    }

    fn product(&self) -> Vec<f64> {
        match &self.pattern {
            None => mttkrp::full_product(&self.sizes, &self.x),
            Some(p) => mttkrp::sampled(p, &self.sizes, &self.x),
        }
    }
}

/// Entry by entry, in loops.
fn mttkrp_law(mttkrp: impl Fn(&Array, usize) -> Mat, full: bool, rng: &mut Rng) -> Result<(), String> {
    let a = Array::draw(full, rng);
    let r = a.x[0].ncols();
    for k in 0..a.sizes.len() {
        let (mut expected, mut size) = (Mat::zeros(a.sizes[k], r), Mat::zeros(a.sizes[k], r));
        for (index, w) in a.indices.iter().zip(&a.w) {
            for s in 0..r {
                let others = (0..a.sizes.len()).filter(|&l| l != k);
                let term = w * others.map(|l| a.x[l][(index[l], s)]).product::<f64>();
                expected[(index[k], s)] += term;
                size[(index[k], s)] += term.abs();
            }
        }
        same(&mttkrp(&a, k), &(expected, size), a.indices.len() + a.sizes.len()).map_err(|e| format!("{k}: {e}"))?;
    }
    Ok(())
}

fn phi_law(phi: impl Fn(&Array) -> Vec<f64>, full: bool, rng: &mut Rng) -> Result<(), String> {
    let a = Array::draw(full, rng);
    let r = a.x[0].ncols();
    let term = |index: &[usize], s: usize| index.iter().zip(&a.x).map(|(&i, x)| x[(i, s)]).product::<f64>();
    let sum =
        |of: fn(f64) -> f64| -> Vec<f64> { a.indices.iter().map(|i| (0..r).map(|s| of(term(i, s))).sum()).collect() };
    let n = a.indices.len();
    let column = |x| Mat::from_vec(n, 1, x);
    same(&column(phi(&a)), &(column(sum(|x| x)), column(sum(f64::abs))), r + a.sizes.len())
}

#[test]
fn products_with_arrays_agree_with_loops_and_the_laws_reject_other_orders() {
    for full in [true, false] {
        holds("mttkrp", |rng| mttkrp_law(|a, k| a.mttkrp(&a.w, k), full, rng));
        holds("phi", |rng| phi_law(Array::product, full, rng));
        rejects("a lost entry", |rng| {
            mttkrp_law(
                |a, k| {
                    let mut w = a.w.clone();
                    w.iter_mut().take(1).for_each(|w| *w = 0.0);
                    a.mttkrp(&w, k)
                },
                full,
                rng,
            )
        });
        rejects("the last two indices exchanged", |rng| {
            phi_law(
                |a| {
                    let mut turned = a.x.clone();
                    let k = turned.len();
                    if a.sizes[k - 1] == a.sizes[k - 2] {
                        turned.swap(k - 1, k - 2);
                    }
                    match &a.pattern {
                        None => mttkrp::full_product(&a.sizes, &turned),
                        Some(p) => mttkrp::sampled(p, &a.sizes, &turned),
                    }
                },
                full,
                rng,
            )
        });
    }
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
    rejects("the other axis", |rng| field_gram_law(|at, w, axis| field::gram(at, w, 1 - axis), rng));
    let skipping = |p: &Pattern, u: &Mat, v: &Mat| {
        let whole = u.ncols() / 8 * 8;
        p.sampled_product(&u.columns(0, whole).into_owned(), &v.columns(0, whole).into_owned())
    };
    rejects("a lost remainder", |rng| sampled_law(skipping, rng));
}

/// The rounding allowed to a decomposition of A: relative to its norm.
fn rounding(a: &Mat) -> f64 {
    32.0 * (a.nrows() + a.ncols()) as f64 * EPS * a.norm()
}

/// The columns of `q` are orthonormal.
fn orthonormal(q: &Mat) -> Result<(), String> {
    let defect = (q.transpose() * q - Mat::identity(q.ncols(), q.ncols())).norm();
    claim(defect <= rounding(&Mat::identity(q.nrows(), q.ncols())), || format!("orthonormal up to {defect:e} only"))
}

/// `product` is A.
fn multiplies_to(product: Mat, a: &Mat) -> Result<(), String> {
    claim(product.shape() == a.shape(), || format!("{:?}, not {:?}", product.shape(), a.shape()))?;
    let error = (product - a).norm();
    claim(error <= rounding(a), || format!("{error:e} away from a matrix of norm {:e}", a.norm()))
}

/// A matrix of any shape, often of low rank: then trailing singular values are equal, and zero.
fn draw_any(rng: &mut Rng) -> Mat {
    let (m, n) = (rng.random_range(1..40), rng.random_range(1..40));
    let r = if rng.random_bool(0.5) { m.min(n) } else { rng.random_range(0..m.min(n) + 1) };
    gaussian(m, r, rng) * gaussian(r, n, rng)
}

type Svd = fn(&Mat) -> Option<(Mat, Vec<f64>, Mat)>;

/// A = U diag(s) V' with orthonormal columns, s >= 0 and descending.
fn svd_law(svd: Svd, rng: &mut Rng) -> Result<(), String> {
    let a = draw_any(rng);
    let (u, s, v) = svd(&a).ok_or("no convergence")?;
    orthonormal(&u)?;
    orthonormal(&v)?;
    claim(s.windows(2).all(|w| w[0] >= w[1]) && s.iter().all(|s| *s >= 0.0), || format!("{s:?}"))?;
    multiplies_to(&u * Mat::from_diagonal(&s.into()) * v.transpose(), &a)
}

type Eigen = fn(&Mat) -> Option<(Vec<f64>, Mat)>;

/// A = V diag(values) V' for a symmetric A, with orthonormal columns, values ascending.
fn eigen_law(eigen: Eigen, rng: &mut Rng) -> Result<(), String> {
    let x = draw_any(rng);
    let shift = rng.random_range(-1.0..1.0);
    let a = &x * x.transpose() - Mat::identity(x.nrows(), x.nrows()) * shift;
    let (values, v) = eigen(&a).ok_or("no convergence")?;
    orthonormal(&v)?;
    claim(values.windows(2).all(|w| w[0] <= w[1]), || format!("{values:?}"))?;
    multiplies_to(&v * Mat::from_diagonal(&values.into()) * v.transpose(), &a)
}

/// Orthonormal columns whose span holds those of A: Q Q' A = A.
fn span_law(basis: fn(&Mat) -> Mat, rng: &mut Rng) -> Result<(), String> {
    let a = draw_any(rng);
    let q = basis(&a);
    orthonormal(&q)?;
    multiplies_to(&q * (q.transpose() * &a), &a)
}

#[test]
fn decompositions_multiply_to_what_was_decomposed() {
    holds("thin_svd", |rng| svd_law(dense::thin_svd, rng));
    holds("symmetric_eigen", |rng| eigen_law(dense::symmetric_eigen, rng));
    holds("orthonormal", |rng| span_law(dense::orthonormal, rng));
}

#[test]
fn the_laws_of_decompositions_reject_near_misses() {
    let ascending: Svd = |a| {
        let (u, mut s, v) = dense::thin_svd(a)?;
        s.reverse();
        Some((u, s, v))
    };
    let unnormalised: Svd = |a| dense::thin_svd(a).map(|(u, s, v)| (u * 2.0, s.iter().map(|s| s / 2.0).collect(), v));
    let squared: Svd = |a| {
        // singular values from the Gram matrix lose half the digits
        let (values, v) = dense::symmetric_eigen(&dense::tr_mul(a, a))?;
        let k = a.nrows().min(a.ncols());
        let s: Vec<f64> = values.iter().rev().take(k).map(|x| x.max(0.0).sqrt()).collect();
        let v = Mat::from_fn(a.ncols(), k, |i, j| v[(i, a.ncols() - 1 - j)]);
        let mut u = dense::mul(a, &v);
        u.column_iter_mut().for_each(|mut c| c.unscale_mut(c.norm().max(f64::MIN_POSITIVE)));
        Some((u, s, v))
    };
    rejects("ascending singular values", |rng| svd_law(ascending, rng));
    rejects("vectors of length 2", |rng| svd_law(unnormalised, rng));
    rejects("the square root of an eigenvalue", |rng| svd_law(squared, rng));
    rejects("eigenvectors as rows", |rng| {
        eigen_law(|a| dense::symmetric_eigen(a).map(|(s, v)| (s, v.transpose())), rng)
    });
    rejects("columns scaled to length 1", |rng| {
        span_law(
            |a| {
                let mut q = a.clone();
                q.column_iter_mut().for_each(|mut c| c.unscale_mut(c.norm().max(f64::MIN_POSITIVE)));
                q
            },
            rng,
        )
    });
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
