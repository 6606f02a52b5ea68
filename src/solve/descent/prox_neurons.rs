//! Networks of two layers under any gauges: proximal steps, one neuron at a time, with the prediction kept.
//!
//! ```text
//! u_i <- prox of (lambda gauge_2(b_i) / L) gauge_1 at u_i - grad / L,     b_i alike with the parts exchanged
//! ```
//!
//! (V u)_+ is smooth but for kinks, so every neuron has an L of its own, doubled until a step lowers the objective and halved after
//! one has. A step that is spoilt by rows which it makes change sign is tried again up to the first of them, and along those
//! that it is on. All neurons are weighed together between sweeps. What lies on kinks is left to the polar search to find.

use super::{Descent, Effort, neurons};
use crate::budget::Budget;
use crate::linalg::Mat;
use crate::mapping::Factors;
use crate::polar::gauged;
use crate::polar::neurons::{independent, project_out};
use crate::problem::Problem;
use crate::solve::append;

/// Proximal steps on neurons.
#[derive(Debug)]
pub struct ProxNeurons;

/// Times that L is doubled in one step.
const TRIALS: usize = 6;
/// A row counts as met when its angle to the neuron is this small.
const MET: f64 = 1e-11;
/// Sweeps between two weighings.
const WEIGHED: usize = 5;

impl Descent for ProxNeurons {
    fn name(&self) -> &'static str {
        "prox_neurons"
    }

    fn summary(&self) -> &'static str {
        "proximal steps neuron by neuron: `relu` with other norms, cones or weights per coordinate"
    }

    fn applies(&self, problem: &Problem) -> bool {
        gauged::applies(problem)
    }

    fn descend(&self, problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget) {
        weigh(problem, x);
        let rows = problem.mapping.inputs().expect("a network");
        let lengths: Vec<f64> = rows.row_iter().map(|r| r.norm()).collect();
        let mut value = problem.objective(x);
        let mut boost = vec![1.0; x.rank()];
        for sweep in 1..=effort.sweeps {
            if budget.exhausted() || x.rank() == 0 {
                break;
            }
            if boost.len() != x.rank() {
                boost = vec![1.0; x.rank()];
            }
            let mut prediction = problem.predict(x);
            for (i, boost) in boost.iter_mut().enumerate() {
                neuron(problem, x, i, &mut prediction, boost, rows, &lengths);
            }
            problem.regularizer.balance(x);
            if sweep % WEIGHED == 0 {
                weigh(problem, x);
            }
            let reached = problem.objective(x);
            let decrease = value - reached;
            value = reached;
            if decrease < effort.decrease {
                break;
            }
        }
        weigh(problem, x);
    }
}

/// Better joint weights, and neurons that nearly coincide joined; the objective never rises.
fn weigh(problem: &Problem, x: &mut Factors) {
    problem.regularizer.balance(x);
    let live: Vec<bool> = (0..x.rank()).map(|i| problem.regularizer.balanced_value(&x.slice(i)) > 0.0).collect();
    x.keep(&live);
    if x.rank() == 0 {
        return;
    }
    if x.rank() <= append::JOINT_LIMIT {
        let before = x.clone();
        let value = problem.objective(x);
        append::reweigh(problem, x);
        if problem.objective(x).partial_cmp(&value).is_none_or(std::cmp::Ordering::is_gt) {
            *x = before;
        }
        let live: Vec<bool> = (0..x.rank()).map(|i| problem.regularizer.balanced_value(&x.slice(i)) > 0.0).collect();
        x.keep(&live);
    }
    neurons::join(problem, x);
}

/// One step on u_i, then one on b_i.
fn neuron(
    problem: &Problem,
    x: &mut Factors,
    i: usize,
    prediction: &mut Vec<f64>,
    boost: &mut f64,
    rows: &Mat,
    lengths: &[f64],
) {
    for k in 0..2 {
        let slice = Factors(x.0.iter().map(|f| f.columns(i, 1).into_owned()).collect());
        let phi = problem.apply(&slice);
        let rest: Vec<f64> = prediction.iter().zip(&phi).map(|(p, f)| p - f).collect();
        let z = problem.dual_field(prediction);
        let pull = problem.pullback(&z, &slice, k);
        let top = problem.curvature(prediction).into_iter().fold(0.0, f64::max);
        let (gauge, partner) = (&problem.regularizer.gauges[k], &problem.regularizer.gauges[1 - k]);
        let other = slice.0[1 - k].column(0);
        let weight = problem.lambda * partner.value(other.as_slice());
        let own = slice.0[k].column(0);
        // the squared size of phi at unit length
        let gain = match k {
            0 => problem.mapping.gain().powi(2) * other.norm_squared() / rows.ncols() as f64,
            _ => phi.iter().map(|p| p * p).sum::<f64>() / own.norm_squared(),
        };
        let value_of = |u: &[f64]| {
            let mut tried = slice.clone();
            tried.0[k].column_mut(0).copy_from_slice(u);
            let phi = problem.apply(&tried);
            let prediction: Vec<f64> = rest.iter().zip(&phi).map(|(r, f)| r + f).collect();
            let value = problem.loss.value(problem.targets(), &prediction) + weight * gauge.value(u);
            (value, prediction)
        };
        let before = problem.loss.value(problem.targets(), prediction) + weight * gauge.value(own.as_slice());
        let mut scale = if k == 0 { *boost } else { 1.0 };
        for _ in 0..TRIALS {
            let lipschitz = top * gain * scale;
            if lipschitz.is_nan() || lipschitz <= 0.0 || !lipschitz.is_finite() {
                break;
            }
            let mut next: Vec<f64> = own.iter().zip(pull.iter()).map(|(u, g)| u + g / lipschitz).collect();
            gauge.prox(&mut next, &vec![lipschitz; own.len()], weight);
            let mut tries = vec![next];
            if k == 0 {
                tries.extend(beside(own.as_slice(), &tries[0], rows, lengths));
            }
            let reached = tries.into_iter().map(|u| (value_of(&u), u)).min_by(|a, b| a.0.0.total_cmp(&b.0.0));
            if let Some(((value, moved), u)) = reached
                && value < before
            {
                *prediction = moved;
                x.0[k].column_mut(i).copy_from_slice(&u);
                scale *= 0.5;
                break;
            }
            scale *= 2.0;
        }
        if k == 0 {
            *boost = scale.clamp(1e-6, 1e9);
        }
    }
}

/// The step from u to `next` up to the first row that it makes change sign, and the same within the rows that u is on already.
fn beside(u: &[f64], next: &[f64], rows: &Mat, lengths: &[f64]) -> Vec<Vec<f64>> {
    let size = u.iter().map(|u| u * u).sum::<f64>().sqrt();
    let column = |x: &[f64]| Mat::from_column_slice(x.len(), 1, x);
    let pre = rows * column(u);
    let met = |i: usize| pre[i].abs() <= MET * lengths[i] * size;
    let cut = |step: &[f64]| {
        let along = rows * column(step);
        let first = (0..pre.len())
            .filter(|&i| !met(i) && pre[i] * along[i] < 0.0)
            .map(|i| -pre[i] / along[i])
            .fold(f64::INFINITY, f64::min);
        (first < 1.0).then(|| u.iter().zip(step).map(|(u, s)| u + first * s).collect::<Vec<f64>>())
    };
    let step: Vec<f64> = next.iter().zip(u).map(|(n, u)| n - u).collect();
    let mut out: Vec<Vec<f64>> = cut(&step).into_iter().collect();
    // zeros before and after stay zeros
    let support: Vec<usize> = (0..u.len()).filter(|&j| u[j] != 0.0 || next[j] != 0.0).collect();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for i in (0..pre.len()).filter(|&i| lengths[i] > 0.0 && met(i)) {
        if basis.len() + 1 >= support.len() {
            return out;
        }
        let row: Vec<f64> = support.iter().map(|&j| rows[(i, j)]).collect();
        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        basis.extend(if length > 0.0 { independent(&basis, &row, length) } else { None });
    }
    if !basis.is_empty() {
        let mut part: Vec<f64> = support.iter().map(|&j| step[j]).collect();
        project_out(&mut part, &basis);
        let mut held = vec![0.0; u.len()];
        support.iter().zip(&part).for_each(|(&j, p)| held[j] = *p);
        out.extend(cut(&held));
        out.push(u.iter().zip(&held).map(|(u, s)| u + s).collect());
    }
    out
}
