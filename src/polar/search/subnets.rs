//! Networks of several layers: normalised ascent over whole networks from many starts.
//!
//! ```text
//! f(X) = <Z, phi(X)> is linear in the last layer, whose best weights are known;  the others take steps along their gradients,
//! X^k <- normalised (X^k + s argmax_(g <= 1) <grad_k, .>),   s grows while f does, and is halved where it does not
//! ```
//!
//! Starts: random weights, the networks at hand, and chains of one unit per layer, which are the neurons of a network of two
//! layers, whose kinks [`super::kinks`] knows how to meet. Nothing says that all maxima are found.

use super::{Effort, Found, PolarSearch, kinks};
use crate::linalg::{Mat, lanczos};
use crate::mapping::{Factors, Units, put_chain};
use crate::polar::layers;
use crate::polar::neurons::Neurons;
use crate::problem::Problem;

/// Ascent over networks.
#[derive(Debug)]
pub struct Subnets;

/// The share of the random starts asked for that is made: a step costs as much as back-propagation through each.
const SHARE: usize = 4;
/// Most networks at hand that are started from.
const KNOWN: usize = 32;
/// Chains that are started from.
const CHAINS: usize = 8;
/// Steps before the leaders go on alone, and of these at most.
const FIRST: usize = 15;
const MORE: usize = 100;
/// Leaders.
const LEADERS: usize = 16;
/// Networks whose outputs have at least this cosine are one.
const ALIKE: f64 = 0.9999;
/// The step below which an ascent has ended.
const SHORT: f64 = 1e-7;

impl PolarSearch for Subnets {
    fn name(&self) -> &'static str {
        "subnets"
    }

    fn applies(&self, problem: &Problem) -> bool {
        layers::plain(problem).is_some()
    }

    fn search(&self, problem: &Problem, z: &[f64], warm: Option<&Factors>, effort: &Effort) -> Found {
        let mut starts = random(problem, effort);
        starts.append(&chains(problem, z, effort));
        if let Some(warm) = warm {
            starts.append(&select(warm, &(0..warm.rank().min(KNOWN)).collect::<Vec<_>>()));
        }
        let mut all = Ascent::new(problem, z, starts);
        all.climb(FIRST.min(effort.iterations), effort);
        let leaders = all.distinct(LEADERS.max(effort.keep));
        let mut all = Ascent::new(problem, z, select(&all.x, &leaders));
        all.climb(MORE.min(effort.iterations), effort);
        let best = all.distinct(effort.keep);
        let values: Vec<f64> = best.iter().map(|&i| all.values[i]).collect();
        Found::distinct(select(&all.x, &best), &values, effort.keep)
    }
}

fn select(x: &Factors, which: &[usize]) -> Factors {
    Factors(x.0.iter().map(|x| x.select_columns(which)).collect())
}

fn random(problem: &Problem, effort: &Effort) -> Factors {
    let starts = effort.starts.div_ceil(SHARE);
    let seed = |k: usize| effort.seed.wrapping_mul(31).wrapping_add(k as u64);
    Factors(problem.factor_rows().iter().enumerate().map(|(k, &d)| lanczos::gaussian(d, starts, seed(k))).collect())
}

/// The best neurons with the chain's slope, as networks.
fn chains(problem: &Problem, z: &[f64], effort: &Effort) -> Factors {
    let rows = problem.factor_rows();
    let layers = problem.mapping.layers().expect("called only where it applies");
    let gauges = &problem.regularizer.gauges;
    let (last, width) = (rows.len() - 1, layers.widths[0]);
    let weights = [gauges[0].weights(), gauges[last].weights()];
    let units = Units { slope: layers.chain_slope(), width };
    let Some(n) = Neurons::of_units(problem, z, units, weights) else { return Factors::empty(&rows) };
    let directions = kinks::maxima(&n, &Effort { keep: CHAINS, starts: effort.starts.div_ceil(SHARE), ..*effort });
    let (u, v, values) = n.neurons(&directions, weights, width);
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
    order.truncate(CHAINS);
    let mut x = Factors(rows.iter().map(|&d| Mat::zeros(d, order.len())).collect());
    for (i, &k) in order.iter().enumerate() {
        put_chain(&mut x, i, (0, width), &u[k], |_| 1.0, &v[k]);
    }
    x
}

/// Networks on their way up, each with the step that it takes next.
struct Ascent<'a> {
    problem: &'a Problem,
    z: &'a [f64],
    x: Factors,
    values: Vec<f64>,
    /// The gradients at `x`.
    pulls: Vec<Mat>,
    steps: Vec<f64>,
}

impl<'a> Ascent<'a> {
    fn new(problem: &'a Problem, z: &'a [f64], mut x: Factors) -> Self {
        normalise(problem, &mut x);
        let mut out = Self { problem, z, values: Vec::new(), pulls: Vec::new(), steps: vec![1.0; x.rank()], x };
        (out.values, out.pulls) = out.evaluate(&out.x);
        out
    }

    fn evaluate(&self, x: &Factors) -> (Vec<f64>, Vec<Mat>) {
        let pulls = self.problem.mapping.pullbacks(&self.problem.observations, self.z, x);
        // phi is linear in the last layer
        let last = x.0.len() - 1;
        let values = (0..x.rank()).map(|i| pulls[last].column(i).dot(&x.0[last].column(i))).collect();
        (values, pulls)
    }

    fn climb(&mut self, steps: usize, effort: &Effort) {
        let gauges = &self.problem.regularizer.gauges;
        let last = self.x.0.len() - 1;
        for _ in 0..steps {
            let moving: Vec<usize> = (0..self.steps.len()).filter(|&i| self.steps[i] > SHORT).collect();
            if moving.is_empty() || effort.is_over() {
                break;
            }
            let mut trial = select(&self.x, &moving);
            for (c, &i) in moving.iter().enumerate() {
                for (k, gauge) in gauges.iter().enumerate() {
                    let mut way = self.pulls[k].column(i).into_owned();
                    gauge.polar_argmax(way.as_mut_slice());
                    let mut column = trial.0[k].column_mut(c);
                    if k < last {
                        column.axpy(self.steps[i], &way, 1.0);
                    } else if way.norm_squared() > 0.0 {
                        column.copy_from(&way);
                    }
                }
            }
            normalise(self.problem, &mut trial);
            let (values, pulls) = self.evaluate(&trial);
            let mut gained = false;
            for (c, &i) in moving.iter().enumerate() {
                let (before, after) = (self.values[i], values[c]);
                if after > before {
                    gained |= after > before + effort.precision * before.abs();
                    self.values[i] = after;
                    self.steps[i] = (1.5 * self.steps[i]).min(4.0);
                    for k in 0..=last {
                        self.x.0[k].set_column(i, &trial.0[k].column(c));
                        self.pulls[k].set_column(i, &pulls[k].column(c));
                    }
                } else {
                    gained |= self.steps[i] > 1e-3;
                    self.steps[i] *= 0.4;
                }
            }
            if !gained {
                break;
            }
        }
    }

    /// The best of the networks, best first, without those that do what a better one does.
    fn distinct(&self, keep: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.values.len()).filter(|&i| self.values[i] > 0.0).collect();
        order.sort_by(|&a, &b| self.values[b].total_cmp(&self.values[a]).then(a.cmp(&b)));
        order.truncate(3 * keep);
        let gram = self.problem.mapping.gram(&select(&self.x, &order));
        let alike = |i: usize, k: usize| gram[(i, k)] > ALIKE * (gram[(i, i)] * gram[(k, k)]).sqrt();
        let mut kept: Vec<usize> = Vec::new();
        for i in 0..order.len() {
            if kept.len() < keep && kept.iter().all(|&k| !alike(i, k)) {
                kept.push(i);
            }
        }
        kept.into_iter().map(|i| order[i]).collect()
    }
}

/// Every gauge 1; what has none stays.
fn normalise(problem: &Problem, x: &mut Factors) {
    for (factor, gauge) in x.0.iter_mut().zip(&problem.regularizer.gauges) {
        for mut c in factor.column_iter_mut() {
            let size = gauge.value(c.as_slice());
            if size > 0.0 {
                c /= size;
            }
        }
    }
}
