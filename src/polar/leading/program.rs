//! The convex program of a cell, solved well enough: what it is used for corrects itself.
//!
//! ```text
//! min of  y'G(y) - l'c    over  y = (P c, q),  c >= 0, sum_j c_j = 1,        G(y) = t y - sum_active a_i a_i'y - sum_crossing a_i (a_i'y)_+ + E p
//! ```
//!
//! G is half the gradient of the first term, which is homogeneous of degree 2, convex and piecewise quadratic. Newton steps: a
//! quadratic program over the simplex for every piece, with q eliminated, and halved while it does not descend.

use super::cell::Level;
use super::{Form, dot};
use crate::linalg::Mat;

/// Newton steps.
const STEPS: usize = 30;

/// What a cell's program consists of.
pub struct Program<'a> {
    pub form: &'a Form,
    pub level: &'a Level,
    pub active: &'a [u32],
    pub crossing: &'a [u32],
    /// P, k x k.
    pub p: &'a Mat,
    /// t I less the Gram matrix of the active and the crossing rows.
    pub hessian: &'a Mat,
    /// E.
    pub convex: &'a Mat,
    /// l.
    pub chord: &'a [f64],
}

/// A point with its value and slopes.
pub struct Point {
    pub y: Vec<f64>,
    /// G(y).
    pub half: Vec<f64>,
    value: f64,
    /// Of c.
    slope: Vec<f64>,
}

impl Program<'_> {
    fn k(&self) -> usize {
        self.p.ncols()
    }

    /// At c and q.
    fn at(&self, c: &[f64], q: &[f64]) -> Point {
        let k = self.k();
        let mut y: Vec<f64> = (self.p * Mat::from_column_slice(k, 1, c)).data.into();
        y.extend(q);
        let mut half: Vec<f64> = y.iter().map(|y| self.level.t * y).collect();
        let mut less = |i: u32, crosses: bool| {
            let a = self.form.row(i);
            let x = dot(a, &y);
            if !crosses || x > 0.0 {
                half.iter_mut().zip(a).for_each(|(g, a)| *g -= x * a);
            }
        };
        self.active.iter().for_each(|&i| less(i, false));
        self.crossing.iter().for_each(|&i| less(i, true));
        for (j, column) in self.convex.column_iter().enumerate() {
            half[..k].iter_mut().zip(column.iter()).for_each(|(g, e)| *g += e * y[j]);
        }
        let value = dot(&y, &half) - dot(self.chord, c);
        let slope = (0..k).map(|j| 2.0 * dot(self.p.column(j).as_slice(), &half[..k]) - self.chord[j]).collect();
        Point { y, half, value, slope }
    }

    /// From a start, until `lower` of a point is no longer below 0, or within a thousandth of its value.
    pub fn minimise(&self, start: &mut [f64], lower: impl Fn(&Point) -> f64) -> Point {
        let k = self.k();
        let (c, q) = start.split_at_mut(k);
        let mut point = self.at(c, q);
        for _ in 0..STEPS {
            let low = lower(&point);
            if low >= 0.0 || point.value - low < 1e-9 * self.level.t + 1e-3 * point.value.abs() {
                break;
            }
            let Some((dc, dq)) = self.step(c, &point) else { break };
            let slope = dot(&point.slope, &dc) + 2.0 * dot(&point.half[k..], &dq);
            if slope.is_nan() || slope > -1e-15 * self.level.t {
                break;
            }
            let mut share = 1.0;
            let next = loop {
                let moved =
                    |x: &[f64], d: &[f64]| -> Vec<f64> { x.iter().zip(d).map(|(x, d)| x + share * d).collect() };
                let (cs, qs) = (moved(c, &dc), moved(q, &dq));
                let next = self.at(&cs, &qs);
                if next.value <= point.value + 1e-4 * share * slope {
                    break Some((cs, qs, next));
                }
                share *= 0.5;
                if share < 1e-6 {
                    break None;
                }
            };
            let Some((cs, qs, next)) = next else { break };
            c.copy_from_slice(&cs);
            q.copy_from_slice(&qs);
            point = next;
        }
        point
    }

    /// The Newton step on the piece of a point.
    fn step(&self, c: &[f64], point: &Point) -> Option<(Vec<f64>, Vec<f64>)> {
        let k = self.k();
        let off: Vec<u32> = self.crossing.iter().copied().filter(|&i| dot(self.form.row(i), &point.y) <= 0.0).collect();
        let whole = if off.is_empty() { self.hessian.clone() } else { self.hessian + self.form.gram(&off) };
        let (inverse, schur) = eliminated(&whole, k)?;
        let cross = whole.view((k, 0), (whole.nrows() - k, k)).into_owned();
        let h = self.p.tr_mul(&((schur + self.convex) * self.p)) * 2.0;
        let ahead = &inverse * Mat::from_column_slice(inverse.nrows(), 1, &point.half[k..]);
        let reduced: Mat = self.p.tr_mul(&cross.tr_mul(&ahead)) * 2.0;
        let linear: Vec<f64> =
            (0..k).map(|j| point.slope[j] - reduced[j] - (0..k).map(|l| h[(j, l)] * c[l]).sum::<f64>()).collect();
        let mut next = c.to_vec();
        on_simplex(&h, &linear, &mut next);
        let dc: Vec<f64> = next.iter().zip(c).map(|(n, c)| n - c).collect();
        let along = &inverse * (cross * (self.p * Mat::from_column_slice(k, 1, &dc)));
        Some((dc, ahead.iter().zip(along.iter()).map(|(a, b)| -a - b).collect()))
    }
}

/// N_qq^-1 and N_pp - N_pq N_qq^-1 N_qp for the first k coordinates p.
pub fn eliminated(n: &Mat, k: usize) -> Option<(Mat, Mat)> {
    let rest = n.nrows() - k;
    if rest == 0 {
        return Some((Mat::zeros(0, 0), n.clone()));
    }
    let inverse = n.view((k, k), (rest, rest)).into_owned().cholesky()?.inverse();
    let cross = n.view((k, 0), (rest, k)).into_owned();
    let schur = n.view((0, 0), (k, k)) - cross.tr_mul(&(&inverse * &cross));
    Some((inverse, schur))
}

/// min of c'Hc / 2 + h'c over the simplex from a point of it, by an active set.
fn on_simplex(h: &Mat, linear: &[f64], c: &mut [f64]) {
    let k = c.len();
    let mut free: Vec<bool> = c.iter().map(|c| *c > 0.0).collect();
    let little = 1e-13 * h.amax();
    for _ in 0..4 * k {
        let index: Vec<usize> = (0..k).filter(|j| free[*j]).collect();
        let n = index.len();
        let matrix = Mat::from_fn(n + 1, n + 1, |a, b| match (a < n, b < n) {
            (true, true) => h[(index[a], index[b])] + if a == b { little } else { 0.0 },
            (false, false) => 0.0,
            _ => 1.0,
        });
        let right = Mat::from_fn(n + 1, 1, |a, _| if a < n { -linear[index[a]] } else { 1.0 });
        let Some(x) = matrix.lu().solve(&right).filter(|x| x.iter().all(|x| x.is_finite())) else { return };
        let mut share: f64 = 1.0;
        let mut blocks = None;
        for (a, &j) in index.iter().enumerate().filter(|(a, _)| x[*a] <= 0.0) {
            let s = c[j] / (c[j] - x[a]);
            if s < share {
                (share, blocks) = (s, Some(j));
            }
        }
        index.iter().enumerate().for_each(|(a, &j)| c[j] += share * (x[a] - c[j]));
        if let Some(j) = blocks {
            (c[j], free[j]) = (0.0, false);
            continue;
        }
        let gain = |j: usize| linear[j] + (0..k).map(|l| h[(j, l)] * c[l]).sum::<f64>() + x[n];
        let enters = (0..k).filter(|j| !free[*j]).map(|j| (gain(j), j)).min_by(|a, b| a.0.total_cmp(&b.0));
        match enters {
            Some((g, j)) if g < -little => free[j] = true,
            _ => return,
        }
    }
}
