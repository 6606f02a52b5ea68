//! Arrays of higher order, any gauges: the higher-order power iteration from many starts at once.
//!
//! ```text
//! x^k <- argmax {<Z x_(l != k) x^l, x> : gauge_k(x) <= 1}     k = 1..K in turn,     value = the polar of the last
//! ```
//!
//! Each step is exact in its factor, so the value never falls. Starts are random vectors, the largest entries of Z, and the
//! slices at hand; after a few rounds only the distinct leaders go on. Source: De Lathauwer, De Moor & Vandewalle 2000.

use super::alternating::maximise;
use super::{Effort, Found, PolarSearch};
use crate::linalg::{Mat, lanczos};
use crate::mapping::Factors;
use crate::polar::field::indices;
use crate::problem::Problem;

/// Higher-order power iteration.
#[derive(Debug)]
pub struct Power;

/// Rounds before the field of starts is thinned.
const SCOUTING: usize = 12;

impl PolarSearch for Power {
    fn name(&self) -> &'static str {
        "power"
    }

    fn applies(&self, problem: &Problem) -> bool {
        problem.mapping.name() == "cp"
    }

    fn search(&self, problem: &Problem, z: &[f64], warm: Option<&Factors>, effort: &Effort) -> Found {
        let mut x = starts(problem, z, effort);
        if let Some(warm) = warm {
            x.append(warm);
        }
        let mut values = vec![0.0; x.rank()];
        for round in 0..effort.iterations.max(1) {
            let mut reached = Vec::new();
            for k in 0..x.0.len() {
                x.0[k] = problem.mapping.pullback(&problem.observations, z, &x, k);
                reached = maximise(problem, k, &mut x.0[k]);
            }
            let last = std::mem::replace(&mut values, reached);
            if values.iter().zip(&last).all(|(a, b)| a - b <= effort.precision.max(1e-12) * a.abs()) {
                break;
            }
            if round == SCOUTING {
                let leaders = Found::distinct(x, &values, effort.keep);
                (x, values) = (leaders.slices, leaders.values);
            }
        }
        Found::distinct(x, &values, effort.keep)
    }
}

/// Random slices, and coordinate vectors at the entries that promise most.
fn starts(problem: &Problem, z: &[f64], effort: &Effort) -> Factors {
    let gauges = &problem.regularizer.gauges;
    let rows = problem.factor_rows();
    let mut x = Factors(
        rows.iter()
            .enumerate()
            .map(|(k, &d)| {
                let mut start =
                    lanczos::gaussian(d, effort.starts, effort.seed.wrapping_mul(31).wrapping_add(k as u64));
                if let Some(sign) = gauges[k].orthant() {
                    start.apply(|x| *x = sign * x.abs());
                }
                maximise(problem, k, &mut start);
                start
            })
            .collect(),
    );
    // a free factor takes the sign that an entry needs
    let sign: Option<f64> = gauges.iter().map(|g| g.orthant()).product();
    let score = |z: f64| sign.map_or(z.abs(), |s| s * z);
    let mut best: Vec<usize> = (0..z.len()).collect();
    let count = (effort.starts / 4).clamp(1, z.len().max(1));
    if count < best.len() {
        best.select_nth_unstable_by(count, |&a, &b| score(z[b]).total_cmp(&score(z[a])).then(a.cmp(&b)));
        best.truncate(count);
    }
    best.sort_unstable();
    let entries: Vec<(usize, usize)> = problem.observations.entries().collect();
    let mut units = Factors(rows.iter().map(|&d| Mat::zeros(d, best.len())).collect());
    for (c, &p) in best.iter().enumerate() {
        for (k, i) in indices(&rows, entries[p]).enumerate() {
            units.0[k][(i, c)] = gauges[k].orthant().unwrap_or(1.0);
        }
    }
    x.append(&units);
    x
}
