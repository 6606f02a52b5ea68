//! Nonnegative least squares, argmin over mu >= 0 of ||E mu - f||_2, and small quadratic programs over mu >= 0, by the active set
//! method of Lawson and Hanson (1974, 23.3); sweeps of coordinate descent for larger ones.

use super::Mat;
use super::simd::vectorised;
use super::vector::{axpy, unit_scale};

/// mu >= 0 exactly. Columns enter while they lower the residual by more than rounding.
pub fn solve(e: &Mat, f: &[f64]) -> Vec<f64> {
    let unit = unit_scale(f);
    let mut mu = active_set(e, &(Mat::from_column_slice(f.len(), 1, f) * unit));
    mu.iter_mut().for_each(|x| *x /= unit);
    mu
}

fn active_set(e: &Mat, f: &Mat) -> Vec<f64> {
    let p = e.ncols();
    let scales: Vec<f64> = e.column_iter().map(|c| c.norm()).collect();
    let threshold = 1e-14 * f.norm();
    let slopes = |mu: &[f64]| {
        let gradient = e.tr_mul(&(f - e * Mat::from_column_slice(p, 1, mu)));
        (0..p).map(|k| if scales[k] > 0.0 { gradient[k] / scales[k] - threshold } else { 0.0 }).collect()
    };
    lawson_hanson(p, 3 * p + 10, slopes, |passive| least_squares(e, f, passive))
}

/// argmax over a >= 0 of c'a - a'Ka / 2 for a symmetric positive semidefinite K of order [`SMALL`] at most, row by row. Coordinates
/// enter while that pays by more than rounding.
pub fn quadratic(k: &[f64], c: &[f64]) -> Vec<f64> {
    let d = c.len();
    let threshold = 1e-15 * c.iter().fold(0.0, |m: f64, c| m.max(c.abs()));
    let slope = |i: usize, a: &[f64]| c[i] - (0..d).map(|j| k[i * d + j] * a[j]).sum::<f64>() - threshold;
    lawson_hanson(d, 3 * d, |a| (0..d).map(|i| slope(i, a)).collect(), |passive| solve_part(k, c, passive))
}

/// Cyclic coordinate descent once over min over s >= 0 of s'Gs / 2 - c's, with `slope` c - G s; coordinates without curvature stay.
/// Returns the largest G_ii t_i^2 of the steps t.
pub fn sweep(gram: &Mat, s: &mut [f64], slope: &mut [f64]) -> f64 {
    let mut moved: f64 = 0.0;
    vectorised(
        #[inline(always)]
        || {
            for (i, column) in gram.column_iter().enumerate().filter(|(i, column)| column[*i] > 0.0) {
                let next = (s[i] + slope[i] / column[i]).max(0.0);
                let step = next - s[i];
                if step != 0.0 {
                    s[i] = next;
                    axpy(-step, column.as_slice(), slope);
                    moved = moved.max(step * step * column[i]);
                }
            }
        },
    );
    moved
}

/// The active set method: a coordinate with the largest positive slope enters, `solve` gives the best values of those that are in
/// without the sign, and where one would fall below 0 the way there ends and it leaves. `solve` says `None` where a new coordinate
/// depends on those at hand: it cannot help.
fn lawson_hanson(
    p: usize,
    rounds: usize,
    slopes: impl Fn(&[f64]) -> Vec<f64>,
    solve: impl Fn(&[usize]) -> Option<Vec<f64>>,
) -> Vec<f64> {
    let mut mu = vec![0.0; p];
    let mut passive: Vec<usize> = Vec::new();
    for _ in 0..rounds {
        let slopes = slopes(&mu);
        let enter = (0..p)
            .filter(|k| !passive.contains(k) && slopes[*k] > 0.0)
            .max_by(|&a, &b| slopes[a].total_cmp(&slopes[b]).then(b.cmp(&a)));
        let Some(enter) = enter else { break };
        passive.push(enter);
        loop {
            let Some(free) = solve(&passive) else { return mu };
            if free.iter().all(|x| *x > 0.0) {
                mu.fill(0.0);
                passive.iter().zip(&free).for_each(|(&k, x)| mu[k] = *x);
                break;
            }
            // as far as mu >= 0 allows, where one leaves
            let ratio = |(&k, x): (&usize, &f64)| (*x <= 0.0).then(|| (mu[k] / (mu[k] - x), k));
            let first = passive.iter().zip(&free).filter_map(ratio).min_by(|a, b| a.0.total_cmp(&b.0));
            let Some((step, leaving)) = first.filter(|f| f.0.is_finite()) else { return mu };
            for (&k, x) in passive.iter().zip(&free) {
                mu[k] = (mu[k] + step * (x - mu[k])).max(0.0);
            }
            mu[leaving] = 0.0;
            passive.retain(|k| *k != leaving);
            if passive.is_empty() {
                break;
            }
        }
    }
    mu
}

/// The least-squares solution on some columns; `None` if they are dependent.
fn least_squares(e: &Mat, f: &Mat, columns: &[usize]) -> Option<Vec<f64>> {
    let part = e.select_columns(columns);
    let qr = part.clone().qr();
    let r = qr.r();
    let top = r.diagonal().amax();
    if part.nrows() < columns.len() || r.diagonal().iter().any(|d| d.abs() <= 1e-12 * top) {
        return None;
    }
    let rhs = qr.q().tr_mul(f);
    Some(r.solve_upper_triangular(&rhs)?.iter().copied().collect())
}

/// Largest order of [`quadratic`].
pub const SMALL: usize = 7;

/// K_PP x = c_P by a Cholesky factorization; `None` if K_PP is not positive definite.
fn solve_part(k: &[f64], c: &[f64], p: &[usize]) -> Option<Vec<f64>> {
    let (n, d) = (p.len(), c.len());
    let mut l = [[0.0; SMALL]; SMALL];
    let mut x: Vec<f64> = p.iter().map(|&k| c[k]).collect();
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| l[i][k] * l[j][k]).sum();
            let rest = k[p[i] * d + p[j]] - sum;
            if i == j {
                if rest.is_nan() || rest <= 1e-14 {
                    return None;
                }
                l[i][i] = rest.sqrt();
            } else {
                l[i][j] = rest / l[j][j];
            }
        }
        let sum: f64 = (0..i).map(|k| l[i][k] * x[k]).sum();
        x[i] = (x[i] - sum) / l[i][i];
    }
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|k| l[k][i] * x[k]).sum();
        x[i] = (x[i] - sum) / l[i][i];
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::lanczos::gaussian;

    #[test]
    fn the_optimality_conditions_hold() {
        for seed in 0..200 {
            let (n, p) = (3 + seed as usize % 6, 1 + seed as usize % 7);
            let (e, f) = (gaussian(n, p, seed), gaussian(n, 1, seed + 1000));
            let mu = solve(&e, f.as_slice());
            let residual = &f - &e * Mat::from_column_slice(p, 1, &mu);
            let gradient = e.tr_mul(&residual);
            for k in 0..p {
                assert!(mu[k] >= 0.0 && gradient[k] <= 1e-12, "seed {seed}: {gradient:?} at {mu:?}");
                assert!(mu[k] == 0.0 || gradient[k].abs() <= 1e-12, "seed {seed}: {gradient:?} at {mu:?}");
            }
        }
    }

    #[test]
    fn a_quadratic_program_is_the_least_squares_problem_it_comes_from() {
        for seed in 0..200 {
            let (n, p) = (7 + seed as usize % 6, 1 + seed as usize % SMALL);
            let (e, f) = (gaussian(n, p, seed), gaussian(n, 1, seed + 1000));
            let (k, c) = (e.tr_mul(&e), e.tr_mul(&f));
            let (a, mu) = (quadratic(k.as_slice(), c.as_slice()), solve(&e, f.as_slice()));
            assert!(a.iter().zip(&mu).all(|(a, b)| (a - b).abs() <= 1e-9), "seed {seed}: {a:?} and {mu:?}");
            // sweeps lead there too
            let value = |s: &[f64]| {
                let s = Mat::from_column_slice(p, 1, s);
                0.5 * (&e * &s).norm_squared() - c.dot(&s)
            };
            let (mut s, mut slope) = (vec![0.0; p], c.as_slice().to_vec());
            let mut last = value(&s);
            for _ in 0..20000 {
                sweep(&k, &mut s, &mut slope);
                let reached = value(&s);
                assert!(reached <= last + 1e-12 * last.abs(), "seed {seed}: {reached} after {last}");
                last = reached;
            }
            assert!(last <= value(&mu) + 1e-9 * value(&mu).abs(), "seed {seed}: {last} for {}", value(&mu));
        }
    }
}
