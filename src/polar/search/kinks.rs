//! Networks: maximisers of f, [`crate::polar::neurons`], most of which lie on kinks.
//!
//! Inputs of rank at most 2: every local maximum, from [`crate::polar::arcs`]. Otherwise normalised gradient steps from many starts
//! at once (random directions, inputs of either sign, the neurons at hand), the distinct leaders of which are moved to the local
//! maximum beside them with its kinks met exactly. Beyond rank 2 nothing says that all maxima are found.

use super::{Effort, Found, PolarSearch};
use crate::linalg::{Mat, dense, lanczos};
use crate::mapping::Factors;
use crate::polar::arcs::{self, pass};
use crate::polar::neurons::{self, Neurons, normalise};
use crate::problem::Problem;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

/// Kink-aware search.
#[derive(Debug)]
pub struct Kinks;

/// How far beside a corner a start lies.
const BESIDE: f64 = 0.02;

/// Gradient steps from a start, and those after which only the best go on.
const STEPS: usize = 60;
const EARLY: usize = 14;

impl PolarSearch for Kinks {
    fn name(&self) -> &'static str {
        "kinks"
    }

    fn applies(&self, problem: &Problem) -> bool {
        neurons::applies(problem)
    }

    fn search(&self, problem: &Problem, z: &[f64], warm: Option<&Factors>, effort: &Effort) -> Found {
        let Some(n) = Neurons::new(problem, z) else { return Found::none(problem) };
        let known = warm.map(|x| n.directions(problem, x));
        let directions = found(&n, known.as_ref(), effort);
        let (slices, values) = n.slices(problem, &directions);
        Found::distinct(slices, &values, effort.keep)
    }
}

/// Local maxima of f, in the coordinates of T.
pub fn maxima(n: &Neurons, effort: &Effort) -> Vec<Vec<f64>> {
    found(n, None, effort)
}

fn found(n: &Neurons, known: Option<&Mat>, effort: &Effort) -> Vec<Vec<f64>> {
    match n.rank() {
        0 => Vec::new(),
        1..=arcs::RANK_LIMIT => pass(n).maxima.into_iter().take(32 * effort.keep).map(|m| m.1).collect(),
        _ => climb(n, known, effort),
    }
}

fn climb(n: &Neurons, known: Option<&Mat>, effort: &Effort) -> Vec<Vec<f64>> {
    let lengths = n.lengths();
    let mut u = starts(n, effort);
    let steps = STEPS.min(effort.iterations);
    let early = EARLY.min(steps);
    let values = n.ascend(&mut u, 0..early, || effort.is_over());
    // most starts are on the way to the same few maxima
    let kept = leaders(&u, &values, (2 * effort.keep).max(effort.starts / 4), 0.9999);
    let mut u = u.select_columns(&kept);
    let values = n.ascend(&mut u, early..steps, || effort.is_over());
    let chosen = leaders(&u, &values, effort.keep, 0.999);
    let column = |i: usize| u.column(i).iter().copied().collect();
    let mut leaders: Vec<Vec<f64>> = chosen.into_iter().map(column).collect();
    if let Some(known) = known {
        leaders.extend(known.column_iter().map(|c| c.iter().copied().collect::<Vec<_>>()));
    }
    leaders.par_iter_mut().filter(|_| !effort.is_over()).for_each(|u| {
        n.snap(u, &lengths);
    });
    leaders
}

/// The best columns with a cosine of less than `alike` to better ones, `most` at most.
fn leaders(u: &Mat, values: &[f64], most: usize, alike: f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..u.ncols()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
    let mut kept: Vec<usize> = Vec::new();
    for i in order {
        if kept.len() < most && kept.iter().all(|&k| u.column(k).dot(&u.column(i)) < alike) {
            kept.push(i);
        }
    }
    kept
}

/// Half of them random, the rest rows of the inputs and their negatives, and as many again beside corners.
fn starts(n: &Neurons, effort: &Effort) -> Mat {
    let random = lanczos::gaussian(n.rank(), effort.starts.div_ceil(2), effort.seed);
    let rows = effort.starts / 2;
    let count = n.inputs.nrows();
    // a stride that visits rows all over the data, from a place that the seed decides
    let stride = (count / rows.max(1)).max(1);
    let at = |k: usize| (effort.seed as usize % count + (k / 2) * stride) % count;
    let inputs = Mat::from_fn(n.rank(), rows, |r, k| {
        let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
        sign * n.inputs[(at(k), r)]
    });
    let mut u = lanczos::hcat(&lanczos::hcat(&random, &inputs), &beside_corners(n, effort));
    normalise(&mut u);
    u
}

/// Directions beside those where as many kinks meet as can: small cells, where no other start may lie, have such a corner.
fn beside_corners(n: &Neurons, effort: &Effort) -> Mat {
    let (count, k) = n.inputs.shape();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(effort.seed);
    let mut u = lanczos::gaussian(k, effort.starts, effort.seed.wrapping_add(1));
    for mut u in u.column_iter_mut() {
        let kinks: Vec<usize> = (1..k).map(|_| rng.random_range(0..count)).collect();
        let span = dense::orthonormal(&n.inputs.select_rows(&kinks).transpose());
        let along = &span * span.tr_mul(&u);
        let aside = BESIDE / along.norm().max(f64::MIN_POSITIVE);
        u -= along * (1.0 - aside);
    }
    u
}
