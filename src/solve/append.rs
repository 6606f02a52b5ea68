//! Appending slices and re-weighting: the exact step along several unit slices at once.
//!
//! ```text
//! min over s >= 0 of   l(sum_i s_i phi(X_i)) + lambda sum_i s_i g(X_i)        (slices at hand: s_i = 1; new ones: s_i = 0)
//! ```
//!
//! For squared loss this is a nonnegative quadratic program in the Gram matrix of the phi(X_i) at the observed entries, solved
//! by cyclic coordinate descent; for another loss the quadratic with its curvature is an upper model, so the objective still
//! falls. Where no curvature holds everywhere, the local one gives a direction, and the step along it is halved until the objective
//! falls. Slice i is then scaled by s_i^(1/p).

use crate::data::Observations;
use crate::linalg::simd::vectorised;
use crate::linalg::{Mat, dense, nnls};
use crate::mapping::Factors;
use crate::polar::search::Found;
use crate::problem::Problem;
use crate::solve::reduce;
use rayon::prelude::*;

/// Above this many slices only the new ones are weighted.
pub const JOINT_LIMIT: usize = 400;
/// Halvings of a step.
const HALVINGS: i32 = 40;
/// Entries of the observed Gram matrix are summed in blocks of this many rows.
const CHUNK: usize = 1024;

/// What is known of the slices at hand.
pub struct Point {
    /// l + lambda sum_i g.
    pub objective: f64,
    /// Phi(X) + A Q at the observed entries.
    pub prediction: Vec<f64>,
    /// -grad l there.
    pub z: Vec<f64>,
}

/// Appends the found slices whose value exceeds lambda, with the best joint weights. Returns how many remain in use, and the
/// objective then.
pub fn append(problem: &Problem, x: &mut Factors, found: &Found, room: usize, here: Point) -> (usize, f64) {
    let above = found.values.iter().take_while(|v| **v > problem.lambda).count();
    let spans = reduce::is_spectral(problem).then(|| x.0.iter().map(dense::orthonormal).collect::<Vec<_>>());
    let new = |&i: &usize| spans.as_ref().is_none_or(|q| is_outside(q, &found.slices, i));
    let fresh: Vec<usize> = (0..above).filter(new).take(room).collect();
    let value = here.objective;
    if fresh.is_empty() {
        return (0, value);
    }
    let fresh = Factors(found.slices.0.iter().map(|f| f.select_columns(&fresh)).collect());
    let before = x.clone();
    let old = x.rank();
    x.append(&fresh);
    let fixed = if x.rank() > JOINT_LIMIT { old } else { 0 };
    reweight(problem, x, old, fixed, (here.prediction, here.z));
    let reached = problem.objective(x);
    if reached > value {
        *x = before;
        return (0, value);
    }
    // what got no weight would only be carried along
    let used: Vec<bool> = (0..x.rank()).map(|i| problem.regularizer.value(&x.slice(i)) > 0.0).collect();
    x.keep(&used);
    (used[old..].iter().filter(|used| **used).count(), reached)
}

/// Whether a unit slice has much outside the spans of the slices at hand, bases of which are given: inside, descent gets there
/// without it.
fn is_outside(spans: &[Mat], slices: &Factors, i: usize) -> bool {
    spans.iter().zip(&slices.0).any(|(q, x)| {
        let x = x.columns(i, 1).into_owned();
        q.ncols() == 0 || dense::tr_mul(q, &x).norm_squared() < 0.9 * x.norm_squared()
    })
}

/// Gives the slices at hand their best joint weights.
pub fn weigh(problem: &Problem, x: &mut Factors) {
    let prediction = problem.predict(&Factors::empty(&problem.factor_rows()));
    let z = problem.dual_field(&prediction);
    reweight(problem, x, 0, 0, (prediction, z));
}

/// Gives the slices at hand better joint weights, from those they have. Slices that the others make superfluous get none.
pub fn reweigh(problem: &Problem, x: &mut Factors) {
    let prediction = problem.predict(x);
    let z = problem.dual_field(&prediction);
    reweight(problem, x, x.rank(), 0, (prediction, z));
}

/// Weights the slices from `fixed` on; those from `old` on start at weight 0, the rest at 1. The prediction and -grad l are
/// those of the first `old` slices.
fn reweight(problem: &Problem, x: &mut Factors, old: usize, fixed: usize, (prediction, z): (Vec<f64>, Vec<f64>)) {
    let r = x.rank();
    let moving = Factors(x.0.iter().map(|f| f.columns(fixed, r - fixed).into_owned()).collect());
    let gram = observed_gram(problem, &moving, &prediction);
    // the model in t = s - s0:  t'Gt / 2 - sum_i t_i (<Z, phi_i> - lambda g_i)
    let p = f64::from(problem.mapping.degree());
    let inner = inner_products(problem, &z, &moving);
    let start: Vec<f64> = (fixed..r).map(|i| if i < old { 1.0 } else { 0.0 }).collect();
    let gain: Vec<f64> = (0..r - fixed)
        .map(|i| inner[i] - problem.lambda * problem.regularizer.balanced_value(&moving.slice(i)))
        .collect();
    let weights = nonnegative_weights(&gram, &gain, &start);
    let scaled = |t: f64| {
        let mut x = x.clone();
        for (i, (s, s0)) in weights.iter().zip(&start).enumerate() {
            x.scale_slice(fixed + i, (s0 + t * (s - s0)).powf(1.0 / p));
        }
        x
    };
    if problem.loss.curvature().is_finite() {
        *x = scaled(1.0);
        return;
    }
    let value = problem.objective(&scaled(0.0));
    let step = (0..HALVINGS).map(|k| 0.5f64.powi(k)).find(|&t| problem.objective(&scaled(t)) < value);
    *x = scaled(step.unwrap_or(0.0));
}

/// <Z, phi(X_i)> for every slice, by Euler's theorem: of all factors' gradients, or of any one where Phi is linear in each.
fn inner_products(problem: &Problem, z: &[f64], x: &Factors) -> Vec<f64> {
    let along = |d: &Mat, f: &Mat| -> Vec<f64> { (0..f.ncols()).map(|i| d.column(i).dot(&f.column(i))).collect() };
    if problem.mapping.is_multilinear() {
        let shortest = (0..x.0.len()).min_by_key(|&k| x.0[k].nrows()).expect("K >= 1");
        let share = x.0.len() as f64 / f64::from(problem.mapping.degree());
        return along(&problem.pullback(z, x, shortest), &x.0[shortest]).into_iter().map(|a| a * share).collect();
    }
    let share = 1.0 / f64::from(problem.mapping.degree());
    let mut sum = vec![0.0; x.rank()];
    for (d, f) in problem.pullbacks(z, x).iter().zip(&x.0) {
        sum.iter_mut().zip(along(d, f)).for_each(|(s, a)| *s += share * a);
    }
    sum
}

/// argmin over s >= 0 of (s - s0)'G(s - s0) / 2 - gain'(s - s0), by cyclic coordinate descent from s0.
fn nonnegative_weights(gram: &Mat, gain: &[f64], start: &[f64]) -> Vec<f64> {
    let mut s = start.to_vec();
    let mut slope = gain.to_vec(); // minus the gradient
    for _ in 0..2000 {
        let moved = nnls::sweep(gram, &mut s, &mut slope);
        let scale = s.iter().enumerate().map(|(i, s)| s * s * gram[(i, i)]).fold(0.0, f64::max);
        if moved <= 1e-24 * scale {
            break;
        }
    }
    s
}

/// sum_j c_j phi_i(j) phi_k(j) over the observed entries, c_j the loss's curvature there.
fn observed_gram(problem: &Problem, x: &Factors, prediction: &[f64]) -> Mat {
    if problem.operator.is_some() {
        let curvature = problem.curvature(prediction);
        let columns: Vec<f64> = (0..x.rank())
            .flat_map(|i| {
                let slice = Factors(x.0.iter().map(|f| f.columns(i, 1).into_owned()).collect());
                problem.apply(&slice)
            })
            .enumerate()
            .map(|(j, p)| curvature[j % problem.y.len()].sqrt() * p)
            .collect();
        let measured = Mat::from_vec(problem.y.len(), x.rank(), columns);
        return dense::tr_mul(&measured, &measured);
    }
    let full = matches!(problem.observations, Observations::Full { .. });
    let uniform = problem.loss.curvature();
    if full && problem.w.is_none() && uniform.is_finite() {
        return problem.mapping.gram(x) * uniform;
    }
    let curvature = problem.curvature(prediction);
    if x.0.len() > 2 || !problem.mapping.is_multilinear() {
        // column i is Phi' applied to the phi(X_i) times the curvature
        let mut gram = Mat::zeros(x.rank(), x.rank());
        for i in 0..x.rank() {
            let slice = Factors(x.0.iter().map(|f| f.columns(i, 1).into_owned()).collect());
            let mut phi = problem.apply(&slice);
            phi.iter_mut().enumerate().for_each(|(j, p)| *p *= curvature[j]);
            let pull = problem.pullback(&phi, x, 0).component_mul(&x.0[0]);
            gram.set_column(i, &pull.row_sum().transpose());
        }
        return (&gram + gram.transpose()) * 0.5;
    }
    let (ut, vt) = (dense::transpose(&x.0[0]), dense::transpose(&x.0[x.0.len() - 1]));
    let r = x.rank();
    let entries: Vec<(usize, usize)> = problem.observations.entries().collect();
    let part = |(chunk, block): (usize, &[(usize, usize)])| {
        let mut phi = Mat::zeros(r, block.len());
        let lines = phi.as_mut_slice().chunks_exact_mut(r).zip(block).zip(&curvature[chunk * CHUNK..]);
        vectorised(
            #[inline(always)]
            || {
                for ((phi, &(i, j)), c) in lines {
                    let root = c.sqrt();
                    let (u, v) = (&ut.as_slice()[i * r..(i + 1) * r], &vt.as_slice()[j * r..(j + 1) * r]);
                    for ((phi, u), v) in phi.iter_mut().zip(u).zip(v) {
                        *phi = root * u * v;
                    }
                }
            },
        );
        dense::half_gram_of_lines(&phi)
    };
    // summed in their order, whoever made them
    let parts: Vec<Mat> = entries.par_chunks(CHUNK).enumerate().map(part).collect();
    let mut gram = parts.into_iter().fold(Mat::zeros(r, r), |sum, part| sum + part);
    gram.fill_upper_triangle_with_lower_triangle();
    gram
}
