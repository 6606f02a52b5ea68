//! The rows of one factor of a matrix with listed entries while the other is held: each is a ridge regression of its own,
//!
//! ```text
//! min over row u of U:   1/2 sum_(j observed) c_j (t_j - v_j'u)^2 + lambda d^2 / 2 ||u||^2
//! ```
//!
//! for a quadratic loss and l2 gauges. Factors are given line by line.

mod conjugate;
mod direct;
mod pass;

use crate::data::Observations;
use crate::linalg::simd::{self, HELD, Simd, WIDEST, WithSimd, dot};
use crate::linalg::sparse::Pattern;
use crate::linalg::{Mat, dense, vector};
use crate::mapping::Factors;
use crate::problem::Problem;
use aligned_vec::{AVec, ConstAlign};
use conjugate::{Descend, Scratch};
use pass::by_vectors;
use rayon::prelude::*;

/// Rows that a thread takes at once, at least.
const ROWS: usize = 16;
/// Numbers in the rows that share what they gather, where lines are long.
const SHARING: usize = 1 << 15;

/// A factor line by line, from a cache line on: a vector that straddles two is read twice.
pub(super) type Lines = AVec<f64, ConstAlign<64>>;

/// So many zeros.
pub(super) fn zeros(len: usize) -> Lines {
    let mut out = Lines::with_capacity(0, len);
    out.resize(len, 0.0);
    out
}

/// A factor that is turned: row i is r numbers side by side, and zeros up to a whole number of vectors.
pub(super) fn lines(turned: &Mat) -> Lines {
    let (r, stride) = (turned.nrows(), stride(turned.nrows()));
    let mut out = zeros(turned.ncols() * stride);
    if r > 0 {
        let given = turned.as_slice().chunks_exact(r);
        out.chunks_exact_mut(stride).zip(given).for_each(|(line, x)| line[..r].copy_from_slice(x));
    }
    out
}

/// The factor with r columns of these lines.
pub(super) fn factor(lines: &[f64], r: usize) -> Mat {
    let each = lines.chunks_exact(stride(r).max(1)).flat_map(|line| &line[..r]).copied();
    dense::transpose(&Mat::from_iterator(r, lines.len() / stride(r).max(1), each))
}

/// Numbers from one line to the next.
pub(super) fn stride(r: usize) -> usize {
    r.next_multiple_of(WIDEST)
}

/// The regressions of both factors.
pub(super) struct Ridge<'a> {
    problem: &'a Problem,
    sides: [Side<'a>; 2],
    /// sum b^2 / 2c
    pub(super) at_zero: f64,
    /// l = rest + sum (b - c o Phi)^2 / 2c
    rest: f64,
}

/// Those of one factor: -grad l = b - c o Phi row by row.
struct Side<'a> {
    k: usize,
    at: &'a Pattern,
    b: Vec<f64>,
    c: Vec<f64>,
}

/// Listed entries of a matrix, quadratic loss, l2 gauges without cones.
pub(super) fn listed(problem: &Problem) -> Option<&Pattern> {
    let plain = problem.regularizer.gauges.iter().all(|g| g.norm().name() == "l2" && g.cone().is_none());
    let matrix = problem.mapping.name() == "matrix" && problem.operator.is_none();
    match &problem.observations {
        Observations::Coordinates(at) if plain && matrix && problem.loss.is_quadratic() => Some(at),
        _ => None,
    }
}

impl<'a> Ridge<'a> {
    /// Those of a problem whose entries are [`listed`].
    pub(super) fn new(problem: &'a Problem) -> Option<Self> {
        let at = listed(problem)?;
        let nothing = problem.predict(&Factors::empty(&problem.factor_rows()));
        let b = problem.dual_field(&nothing);
        let c = problem.curvature(&[]);
        let at_zero: f64 = b.iter().zip(&c).map(|(b, c)| half_square(*b, *c)).sum();
        let rest = problem.loss.value(problem.targets(), &nothing) - at_zero;
        let columns = Side { k: 1, at, b: at.in_column_order(&b), c: at.in_column_order(&c) };
        Some(Self { problem, sides: [Side { k: 0, at, b, c }, columns], at_zero, rest })
    }

    /// The longer factor first: it has the fewest entries in a row, and follows the other one closely.
    pub(super) fn longer_first(&self) -> [usize; 2] {
        if self.sides[0].at.rows() > self.sides[0].at.cols() { [0, 1] } else { [1, 0] }
    }

    /// lambda d_i^2
    fn mu(&self, k: usize, i: usize) -> f64 {
        self.problem.lambda * self.problem.regularizer.gauges[k].weights().map_or(1.0, |d| d[i] * d[i])
    }

    /// At most so many conjugate gradients on every row of factor k, of r columns: from the rows at hand, or from others. None of
    /// them rises. The metric is one over a diagonal of their Hessians; with it, rows of few entries are solved.
    pub(super) fn descend(
        &self,
        k: usize,
        (x, from): (&mut [f64], Option<&[f64]>),
        (other, r): (&[f64], usize),
        steps: usize,
        metric: Option<&[f64]>,
    ) {
        let stride = stride(r);
        let share = share(stride);
        x.par_chunks_mut(share * stride).enumerate().with_min_len(ROWS.div_ceil(share)).for_each_init(
            || Scratch::new(share, stride),
            |scratch, (i, u)| {
                let first = i * share;
                let here = first * stride..first * stride + u.len();
                if let Some(from) = from {
                    u.copy_from_slice(&from[here.clone()]);
                }
                let metric = metric.map(|m| &m[here]);
                let at = Rows { ridge: self, k, first, other, stride };
                simd::run(Descend { at, u, steps, metric, scratch });
            },
        );
    }

    /// What the loss and factor k are worth, with the gradient in that factor: l + lambda / 2 sum_i d_i^2 ||x_i||^2.
    pub(super) fn slope(&self, k: usize, x: &[f64], (other, r): (&[f64], usize), out: &mut [f64]) -> f64 {
        let stride = stride(r);
        let share = share(stride);
        let mut values = vec![0.0; x.len() / stride];
        let groups = out.par_chunks_mut(share * stride).zip(values.par_chunks_mut(share)).enumerate();
        groups.with_min_len(ROWS.div_ceil(share)).for_each(|(i, (g, values))| {
            let first = i * share;
            let at = Rows { ridge: self, k, first, other, stride };
            simd::run(Slope { at, u: &x[first * stride..first * stride + g.len()], g, values });
        });
        self.rest + values.iter().sum::<f64>()
    }

    /// lambda / 2 sum_i d_i^2 ||x_i||^2 over the rows of factor k.
    pub(super) fn penalty(&self, k: usize, x: &[f64], r: usize) -> f64 {
        x.chunks_exact(stride(r)).enumerate().map(|(i, x)| 0.5 * self.mu(k, i) * vector::dot(x, x)).sum()
    }
}

/// Rows whose passes are made together: one by one what they gather stays in the nearest cache, but not where lines are long.
fn share(stride: usize) -> usize {
    if stride > HELD * WIDEST { (SHARING / stride).max(1) } else { 1 }
}

/// z^2 / 2c, where an entry without weight has z = 0.
#[inline(always)]
fn half_square(z: f64, c: f64) -> f64 {
    if c > 0.0 { 0.5 * z * z / c } else { 0.0 }
}

/// Some rows of factor k, from one on, and the lines of the other factor.
struct Rows<'a> {
    ridge: &'a Ridge<'a>,
    k: usize,
    first: usize,
    other: &'a [f64],
    stride: usize,
}

/// The gradient in the rows; what their entries and themselves are worth.
struct Slope<'a> {
    at: Rows<'a>,
    u: &'a [f64],
    g: &'a mut [f64],
    values: &'a mut [f64],
}

impl WithSimd for Slope<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        by_vectors!(self, simd);
    }
}

impl Rows<'_> {
    fn side(&self) -> &Side<'_> {
        &self.ridge.sides[self.k]
    }

    /// lambda d^2 of the i-th of them.
    fn mu(&self, i: usize) -> f64 {
        self.ridge.mu(self.k, self.first + i)
    }

    /// The lines of the other factor for the entries of the i-th of them, ascending, and the place of the first entry in b and c.
    #[inline(always)]
    fn entries(&self, i: usize) -> (&[u32], usize) {
        let Side { k, at, .. } = self.side();
        if *k == 0 { at.along_row(self.first + i) } else { at.along_column(self.first + i) }
    }
}

impl Slope<'_> {
    #[inline(always)]
    fn with_lines<S: Simd, const N: usize>(self, simd: S) {
        let Self { at, u, g, values } = self;
        let (Side { b, c, .. }, n) = (at.side(), at.stride);
        for (i, (g, u)) in g.chunks_exact_mut(n).zip(u.chunks_exact(n)).enumerate() {
            let mu = at.mu(i);
            g.iter_mut().zip(u).for_each(|(g, u)| *g = mu * u);
            values[i] = 0.5 * dot(simd, g, u);
        }
        at.gather::<S, N>(simd, &[], u, (g, Some(values)), |p, phi| {
            let z = b[p] - c[p] * phi;
            (-z, half_square(z, c[p]))
        });
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::direct::DIRECT;
    use super::*;
    use crate::gauge::{Gauge, l2::L2};
    use crate::linalg::lanczos::gaussian;
    use crate::mapping::{self, Setup};
    use crate::problem::{Form, Regularizer};

    /// Rows of one to many entries, of a width that is held in registers or not; of the largest one several tiles and groups of
    /// rows are needed.
    fn wide(r: usize) -> (Problem, Factors) {
        let (m, n) = (60, 40);
        let entries: Vec<(usize, usize)> = (0..m)
            .flat_map(|i| (0..n).map(move |j| (i, j)))
            .filter(|(i, j)| (i * 7 + j * 3) % 23 <= (i % 9) * j / 30)
            .collect();
        let (pattern, _) = Pattern::new(m, n, &entries).unwrap();
        let mut p = problem(false);
        p.y = gaussian(pattern.len(), 1, 3).as_slice().to_vec();
        p.w = Some((0..pattern.len()).map(|k| if k % 17 == 5 { 0.0 } else { 0.5 + (k % 3) as f64 }).collect());
        p.mapping = (mapping::matrix::KIND.build)(&Setup { sizes: &[m, n], inputs: None, layers: None });
        p.regularizer.gauges = vec![gauge(Some((0..m).map(|i| 0.5 + (i % 4) as f64).collect())), gauge(None)];
        p.offset = gaussian(pattern.len(), 1, 4).as_slice().to_vec();
        p.observations = Observations::Coordinates(pattern);
        (p, Factors(vec![gaussian(m, r, 5), gaussian(n, r, 6)]))
    }

    /// -(grad F) in factor k.
    pub fn slope_of(p: &Problem, x: &Factors, k: usize) -> Mat {
        let mut pull = p.pullback(&p.dual_field(&p.predict(x)), x, k);
        for (i, mut row) in pull.row_iter_mut().enumerate() {
            let d = p.regularizer.gauges[k].weights().map_or(1.0, |d| d[i]);
            row -= x.0[k].row(i) * (p.lambda * d * d);
        }
        pull
    }

    #[test]
    fn values_and_slopes_are_those_of_the_problem() {
        for r in [1, 3, 8, 21, 64, 70, 2003] {
            let (p, x) = wide(r);
            let rows = Ridge::new(&p).unwrap();
            for k in 0..2 {
                let lines: Vec<Lines> = x.0.iter().map(|x| lines(&dense::transpose(x))).collect();
                let mut gradient = vec![f64::NAN; lines[k].len()];
                let value =
                    rows.slope(k, &lines[k], (&lines[1 - k], r), &mut gradient) + rows.penalty(1 - k, &lines[1 - k], r);
                let weighed = |k: usize| -> f64 {
                    let d = |i: usize| p.regularizer.gauges[k].weights().map_or(1.0, |d| d[i]);
                    x.0[k].row_iter().enumerate().map(|(i, x)| d(i).powi(2) * x.norm_squared()).sum()
                };
                let expected = p.loss.value(p.targets(), &p.predict(&x)) + 0.5 * p.lambda * (weighed(0) + weighed(1));
                assert!((value - expected).abs() <= 1e-12 * expected, "{r}, {k}: {value} for {expected}");
                let expected = slope_of(&p, &x, k);
                assert!((factor(&gradient, r) + &expected).norm() <= 1e-12 * expected.norm(), "{r}, {k}");
            }
        }
    }

    /// Many conjugate gradients find the best rows, with a metric or without; with it rows of few entries are solved at once.
    #[test]
    fn rows_become_the_best() {
        let narrow = [(3, 0, true), (3, 1, false), (21, 0, true), (21, 1, true)];
        for (r, k, metric) in
            narrow.into_iter().chain([(70, 0, true), (70, 1, false), (2003, 0, true), (2003, 1, false)])
        {
            let (p, mut x) = wide(r);
            let rows = Ridge::new(&p).unwrap();
            let other = lines(&dense::transpose(&x.0[1 - k]));
            let from = lines(&dense::transpose(&x.0[k]));
            let diagonal: Vec<f64> = (0..from.len()).map(|i| 1.0 / (1.0 + (i % 5) as f64)).collect();
            let before = slope_of(&p, &x, k);
            let mut to = vec![f64::NAN; from.len()];
            rows.descend(k, (&mut to, Some(&from)), (&other, r), 400, metric.then_some(&diagonal));
            x.0[k] = factor(&to, r);
            assert!(slope_of(&p, &x, k).norm() <= 1e-8 * before.norm(), "{r}, {k}");
            if metric {
                // no steps at all
                rows.descend(k, (&mut to, Some(&from)), (&other, r), 0, Some(&diagonal));
                x.0[k] = factor(&to, r);
                let slope = slope_of(&p, &x, k);
                let few = |i: &usize| {
                    (1..=DIRECT)
                        .contains(&Rows { ridge: &rows, k, first: *i, other: &[], stride: 8 }.entries(0).0.len())
                };
                assert!((0..slope.nrows()).filter(few).count() > 3);
                for i in (0..slope.nrows()).filter(few) {
                    assert!(slope.row(i).norm() <= 1e-10 * before.row(i).norm(), "{r}, {k}, row {i}");
                }
            }
        }
    }

    fn gauge(weights: Option<Vec<f64>>) -> Gauge {
        Gauge::new(Box::new(L2), weights, None).unwrap()
    }

    /// 12 x 9, two entries of three, one row and one column without any; with weights of rows, of entries, and an offset.
    pub fn problem(plain: bool) -> Problem {
        let (m, n) = (12, 9);
        let listed = |i: usize, j: usize| i != 4 && j != 7 && !(i * 5 + j * 7).is_multiple_of(3);
        let entries: Vec<(usize, usize)> =
            (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).filter(|&(i, j)| listed(i, j)).collect();
        let (pattern, _) = Pattern::new(m, n, &entries).unwrap();
        let numbers = |seed: u64| gaussian(pattern.len(), 1, seed).as_slice().to_vec();
        let weights = |n: usize| (!plain).then(|| (0..n).map(|i| 0.5 + (i % 3) as f64).collect::<Vec<_>>());
        Problem {
            y: numbers(1),
            w: weights(pattern.len()),
            loss: Box::new(crate::loss::squared::Squared),
            mapping: (mapping::matrix::KIND.build)(&Setup { sizes: &[m, n], inputs: None, layers: None }),
            regularizer: Regularizer { form: Form::Product, gauges: vec![gauge(weights(m)), gauge(weights(n))] },
            extras: Default::default(),
            offset: if plain { Vec::new() } else { numbers(2) },
            lambda: 0.3,
            observations: Observations::Coordinates(pattern),
            operator: None,
        }
    }
}
