//! Networks under any gauges: local maxima of f, [`crate::polar::gauged`].
//!
//! Conditional gradients from many starts at once (random directions, inputs of either sign, the neurons at hand); the distinct leaders
//! are moved to the local maximum beside them, linear programs of their pieces included, and put on its kinks. Nothing says that all
//! maxima are found.

use super::{Effort, Found, PolarSearch};
use crate::linalg::lanczos;
use crate::mapping::Factors;
use crate::polar::gauged::{self, Gauged};
use crate::problem::Problem;
use rayon::prelude::*;

/// Convex pieces.
#[derive(Debug)]
pub struct Pieces;

/// Conditional gradients from a start.
const STEPS: usize = 40;
/// Leaders that are settled at most.
const LEADERS: usize = 12;

impl PolarSearch for Pieces {
    fn name(&self) -> &'static str {
        "pieces"
    }

    fn applies(&self, problem: &Problem) -> bool {
        gauged::applies(problem)
    }

    fn search(&self, problem: &Problem, z: &[f64], warm: Option<&Factors>, effort: &Effort) -> Found {
        let Some(g) = Gauged::new(problem, z) else { return Found::none(problem) };
        let steps = STEPS.min(effort.iterations);
        let mut climbed: Vec<(f64, Vec<f64>)> = starts(&g, effort)
            .into_par_iter()
            .filter(|_| !effort.is_over())
            .filter_map(|mut u| g.scale(&mut u).then(|| (g.ascend(&mut u, steps), u)))
            .collect();
        climbed.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut leaders: Vec<Vec<f64>> = Vec::new();
        for (_, u) in climbed {
            if leaders.len() < effort.keep.min(LEADERS) && leaders.iter().all(|l| cosine(l, &u) < 0.999) {
                leaders.push(u);
            }
        }
        if let Some(x) = warm {
            leaders.extend(x.0[0].column_iter().map(|c| c.iter().copied().collect::<Vec<f64>>()));
        }
        let settled = |mut u: Vec<f64>| {
            let fits = g.scale(&mut u);
            if fits {
                g.settle(&mut u, effort);
            }
            fits.then_some(u)
        };
        let directions: Vec<Vec<f64>> = leaders.into_par_iter().filter_map(settled).collect();
        let (slices, values) = g.slices(&directions);
        Found::distinct(slices, &values, effort.keep)
    }
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Half of them random, and the ends of the ball that lie their way; the rest inputs of either sign; every coordinate axis both ways.
fn starts(g: &Gauged, effort: &Effort) -> Vec<Vec<f64>> {
    let d = g.dimension();
    let random = lanczos::gaussian(d, effort.starts.div_ceil(2), effort.seed);
    let mut all: Vec<Vec<f64>> = random.column_iter().map(|c| c.iter().copied().collect()).collect();
    let ends = all.iter().map(|u| g.end(u)).collect::<Vec<_>>();
    all.extend(ends);
    let (rows, count) = (effort.starts / 2, g.inputs().nrows());
    let stride = (count / rows.max(1)).max(1);
    for k in 0..rows.min(2 * count) {
        let at = (effort.seed as usize % count + (k / 2) * stride) % count;
        let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
        all.push(g.inputs().row(at).iter().map(|x| sign * x).collect());
    }
    for k in 0..(2 * d).min(effort.starts) {
        let mut u = vec![0.0; d];
        u[k / 2] = if k % 2 == 0 { 1.0 } else { -1.0 };
        all.push(u);
    }
    all
}
