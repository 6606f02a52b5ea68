//! Any two gauges: multistart alternating maximisation.
//!
//! ```text
//! u <- argmax {<Z v, u> : gauge_u(u) <= 1},   v <- argmax {<Z'u, v> : gauge_v(v) <= 1},   value = gauge_v°(Z'u)
//! ```
//!
//! Each half step is exact, so the value never falls. All starts move together as one block of columns: random vectors, the
//! coordinate vectors with the best lines, and the slices at hand. After a few rounds only the distinct leaders go on.

use super::{Effort, Found, PolarSearch};
use crate::linalg::{Mat, dense, lanczos};
use crate::mapping::{Factors, field_mul, field_tr_mul};
use crate::problem::Problem;
use rayon::prelude::*;
use std::ops::Range;

/// Alternating maximisation.
#[derive(Debug)]
pub struct Alternating;

/// Rounds after which half of the starts go, where any good slices will do.
const SCOUTING: usize = 3;

/// The same where none that is better should be missed.
const PATIENT: usize = 12;

/// Precision from which a search is asked for that.
const EXACTING: f64 = 1e-6;

/// Cosine above which two starts are led to the same maximiser.
const SAME: f64 = 0.9999;

impl PolarSearch for Alternating {
    fn name(&self) -> &'static str {
        "alternating"
    }

    fn applies(&self, problem: &Problem) -> bool {
        problem.mapping.name() == "matrix"
    }

    fn search(&self, problem: &Problem, z: &[f64], warm: Option<&Factors>, effort: &Effort) -> Found {
        let mut v = starts(problem, z, warm, effort);
        let mut u = Mat::zeros(0, 0);
        let mut values = vec![0.0; v.ncols()];
        let mut fresh = v.ncols() - warm.map_or(0, Factors::rank);
        let scouting = if effort.precision <= EXACTING { PATIENT } else { SCOUTING };
        for round in 0..effort.iterations.max(1) {
            u = field_mul(&problem.observations, z, &v);
            maximise(problem, 0, &mut u);
            v = field_tr_mul(&problem.observations, z, &u);
            let last = std::mem::replace(&mut values, maximise(problem, 1, &mut v));
            let settled = values.iter().zip(&last).all(|(a, b)| a - b <= effort.precision.max(1e-10) * a.abs());
            if settled {
                break;
            }
            if round % scouting == scouting - 1 && v.ncols() > effort.keep {
                let (leaders, new) = leaders(&u, &values, fresh, effort.keep);
                fresh = new;
                values = leaders.iter().map(|&i| values[i]).collect();
                (u, v) = (u.select_columns(&leaders), v.select_columns(&leaders));
            }
        }
        Found::distinct(Factors(vec![u, v]), &values, effort.keep)
    }
}

/// Replaces every column by the maximiser of its polar; returns the polars.
pub(super) fn maximise(problem: &Problem, k: usize, x: &mut Mat) -> Vec<f64> {
    let gauge = &problem.regularizer.gauges[k];
    let rows = x.nrows().max(1);
    x.as_mut_slice()
        .par_chunks_mut(rows)
        .with_min_len(8)
        .map(|c| {
            let value = gauge.polar(c);
            gauge.polar_argmax(c);
            value
        })
        .collect()
}

/// The better half of the columns, but no fewer than `keep`, without those that are led to the same maximiser: v follows from u.
/// The `fresh` ones are the first and compete among themselves, and so do the slices at hand, which have converged already and
/// would drive them out. Returns how many of them are fresh, too.
fn leaders(u: &Mat, values: &[f64], fresh: usize, keep: usize) -> (Vec<usize>, usize) {
    let cosines = dense::tr_mul(u, u);
    let mut kept: Vec<usize> = Vec::new();
    let mut best = |group: Range<usize>| {
        let full = kept.len() + keep.max(group.len() / 2);
        let mut order: Vec<usize> = group.collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
        for i in order {
            let near = |&k: &usize| cosines[(i, k)] > SAME * (cosines[(i, i)] * cosines[(k, k)]).sqrt();
            if kept.len() < full && !kept.iter().any(near) {
                kept.push(i);
            }
        }
        kept.len()
    };
    let new = best(0..fresh);
    best(fresh..values.len());
    (kept, new)
}

/// Start columns for v.
fn starts(problem: &Problem, z: &[f64], warm: Option<&Factors>, effort: &Effort) -> Mat {
    let (_, n) = problem.shape();
    let mut v = lanczos::gaussian(n, effort.starts, effort.seed);
    maximise(problem, 1, &mut v);
    let best = best_columns(problem, z, effort.starts);
    let mut units = Mat::zeros(n, best.len());
    best.iter().enumerate().for_each(|(k, &j)| units[(j, k)] = problem.regularizer.gauges[1].orthant().unwrap_or(1.0));
    let mut all = lanczos::hcat(&v, &units);
    if let Some(warm) = warm {
        all = lanczos::hcat(&all, &warm.0[1]);
    }
    all
}

/// The columns j of Z with the highest gauge_u°(+-Z e_j).
fn best_columns(problem: &Problem, z: &[f64], count: usize) -> Vec<usize> {
    let (m, n) = problem.shape();
    let gauge = &problem.regularizer.gauges[0];
    let sign = problem.regularizer.gauges[1].orthant().unwrap_or(1.0);
    let mut scores = vec![0.0; n];
    match &problem.observations {
        crate::data::Observations::Full { .. } => scores.par_iter_mut().enumerate().for_each(|(j, s)| {
            let column: Vec<f64> = z[j * m..(j + 1) * m].iter().map(|z| sign * z).collect();
            *s = gauge.polar(&column);
        }),
        crate::data::Observations::Coordinates(p) => scores.par_iter_mut().enumerate().for_each(|(j, s)| {
            let entries: Vec<_> = p.column(j).map(|(i, q)| (i, sign * z[q])).collect();
            *s = gauge.sparse_polar(m, &entries);
        }),
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    order.truncate(count);
    order
}
