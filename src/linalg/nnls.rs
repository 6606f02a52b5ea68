//! Nonnegative least squares: argmin over mu >= 0 of ||E mu - f||_2, by the active set method of Lawson and Hanson (1974, 23.3).

use super::Mat;
use super::vector::unit_scale;

/// mu >= 0 exactly. Columns enter while they lower the residual by more than rounding.
pub fn solve(e: &Mat, f: &[f64]) -> Vec<f64> {
    let unit = unit_scale(f);
    let mut mu = active_set(e, &(Mat::from_column_slice(f.len(), 1, f) * unit));
    mu.iter_mut().for_each(|x| *x /= unit);
    mu
}

fn active_set(e: &Mat, f: &Mat) -> Vec<f64> {
    let p = e.ncols();
    let mut mu = vec![0.0; p];
    let mut passive: Vec<usize> = Vec::new();
    let scales: Vec<f64> = e.column_iter().map(|c| c.norm()).collect();
    for _ in 0..3 * p + 10 {
        let residual = f - e * Mat::from_column_slice(p, 1, &mu);
        let gradient = e.tr_mul(&residual);
        let threshold = 1e-14 * f.norm();
        let enter = (0..p)
            .filter(|k| !passive.contains(k) && scales[*k] > 0.0 && gradient[*k] > threshold * scales[*k])
            .max_by(|&a, &b| (gradient[a] / scales[a]).total_cmp(&(gradient[b] / scales[b])).then(b.cmp(&a)));
        let Some(enter) = enter else { break };
        passive.push(enter);
        loop {
            let Some(free) = least_squares(e, f, &passive) else {
                // the new column depends on the others: it cannot help
                return mu;
            };
            if free.iter().all(|x| *x > 0.0) {
                mu.fill(0.0);
                passive.iter().zip(&free).for_each(|(&k, x)| mu[k] = *x);
                break;
            }
            // as far as mu >= 0 allows, where one leaves
            let ratio = |(&k, x): (&usize, &f64)| (*x <= 0.0).then(|| (mu[k] / (mu[k] - x), k));
            let first = passive.iter().zip(&free).filter_map(ratio).min_by(|a, b| a.0.total_cmp(&b.0));
            let Some((step, leaving)) = first else { return mu };
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
}
