//! Newton steps for the dual of the nuclear norm, where that is the relaxation and exact: l2 norms without cones.
//!
//! The field Z = -grad l of a point that is only nearly optimal has singular values a little above lambda. Scaled below it, the
//! field loses as much everywhere, and the gap falls only like the root of what the objective has left to gain. Moved along
//! the pairs of leading singular vectors alone, it loses next to nothing:
//!
//! ```text
//! Z' = -grad l(Phi(X) - U M V')       u_i'Z'v_i = lambda, u_i'Z'v_k = 0 (i != k)       to first order
//! U' [C o (U M V')] V = T             C = l'', the curvature at the observed entries; by conjugate gradients in M, k x k
//! T_ii = lambda - sigma_i             where sigma_i > lambda, or X has a weight along (u_i, v_i) that survives the step; else 0
//! ```
//!
//! Z' is the gradient at some prediction, so that it lies in the domain of l*, whatever the loss; what it proves is proven like
//! for any other field. This is the second-order step of Overton (1988) and of spectral bundle methods (Helmberg and Rendl
//! 2000), taken in the dual alone: the factors stay where they are.

use super::{Effort, Goal, Relaxation, source};
use crate::budget::Budget;
use crate::certify::dual::{self, Keeper, relative_gap};
use crate::data::Observations;
use crate::linalg::lanczos::Krylov;
use crate::linalg::{Mat, dense};
use crate::mapping::Factors;
use crate::polar::bound::{self, Bounded};
use crate::polar::search::{self, Found, singular};
use crate::problem::Problem;

/// The steps.
#[derive(Debug)]
pub struct Newton;

/// Pairs below this share of lambda stay below without a step.
const NEARLY: f64 = 0.99;
/// Steps at most; each is as far as the last one's singular vectors are true.
const ROUNDS: usize = 4;
/// Conjugate gradients of one step.
const INNER: usize = 8;
/// The share of a step's right hand side that may be left.
const LEFT: f64 = 0.02;
/// A step that promises more than this share of the gap before it is the last one.
const WORTH: f64 = 0.6;
/// Singular vectors wanted beside those of the slices at hand.
const BESIDE: usize = 12;
/// Random directions beside the pairs that turn, and products with the field for each.
const KRYLOV: (usize, usize) = (6, 3);

/// A field, and the slices that a search has found of it.
pub struct Corrected {
    /// Z'.
    pub field: Vec<f64>,
    /// Its leading singular vectors.
    pub found: Found,
    /// The gap that it will leave if nothing has been overlooked.
    pub promise: f64,
}

/// Whether the polar is sigma_1 of the field itself, and the field free to move.
pub fn applies(problem: &Problem) -> bool {
    problem.mapping.name() == "matrix"
        && problem.operator.is_none()
        && problem.extras.blocks.is_empty()
        && problem.loss.zero_sums().is_none()
        && problem
            .regularizer
            .gauges
            .iter()
            .all(|g| g.norm().name() == "l2" && g.cone().is_none() && g.weights().is_none())
}

/// How many slices a search should find for a step at so many.
pub fn wanted(rank: usize) -> usize {
    rank + BESIDE
}

/// Steps from -grad l at `prediction` = Phi(X), of which a search has `found` the leading slices, while they pay and the goal's
/// target is not promised. `None` if none pays. Where this [`applies`].
pub fn correct(
    problem: &Problem,
    x: &Factors,
    prediction: &[f64],
    found: &Found,
    goal: Goal,
    budget: &Budget,
) -> Option<Corrected> {
    let mut x = x.clone();
    let mut prediction = prediction.to_vec();
    let mut curvature = vec![0.0; prediction.len()];
    let promised = |field: &[f64], found: &Found| {
        relative_gap(goal.objective, dual::promise(problem, field, found.best().max(problem.lambda)))
    };
    let mut best: Option<Corrected> = None;
    let mut last = promised(&problem.dual_field(&prediction), found);
    for _ in 0..ROUNDS {
        let found = best.as_ref().map_or(found, |b| &b.found);
        if found.values.is_empty() || budget.exhausted() {
            break;
        }
        problem.loss.local_curvature(problem.targets(), &prediction, &mut curvature);
        let core = step(problem, &x, &curvature, found);
        let pairs = columns(&found.slices, core.nrows());
        let mut shift = pairs.clone();
        shift.0[0] = dense::mul(&shift.0[0], &core) * -1.0;
        prediction.iter_mut().zip(problem.apply(&shift)).for_each(|(p, s)| *p += s);
        x.append(&shift);
        let field = problem.dual_field(&prediction);
        let found = turned(problem, &field, &pairs, goal.target);
        let promise = promised(&field, &found);
        let paid = promise <= WORTH * last;
        if promise < last {
            best = Some(Corrected { field, found, promise });
        }
        if !paid || promise <= goal.target {
            break;
        }
        last = promise;
    }
    best
}

/// The first k of these slices.
fn columns(x: &Factors, k: usize) -> Factors {
    Factors(x.0.iter().map(|x| x.columns(0, k).into_owned()).collect())
}

/// The leading singular vectors of a field from pairs that are nearly those: from a block Krylov space that begins with them.
fn turned(problem: &Problem, field: &[f64], pairs: &Factors, target: f64) -> Found {
    let (m, n) = problem.shape();
    let (block, depth) = KRYLOV;
    let want = (pairs.rank() + block).min(m.min(n));
    // a value is as good as the square of its vectors
    let krylov =
        Krylov { want, block, depth, tolerance: 1e-1 * target, floor: 0.0, seed: pairs.rank() as u64, turning: true };
    let known = &pairs.0[usize::from(m >= n)];
    let (u, values, v) = singular::from_krylov(&problem.observations, field, (m, n), Some(known), krylov);
    Found { slices: Factors(vec![u, v]), values }
}

/// M for the pairs of singular vectors found.
fn step(problem: &Problem, x: &Factors, curvature: &[f64], found: &Found) -> Mat {
    let k = found.values.iter().take_while(|s| **s >= NEARLY * problem.lambda).count();
    let pairs = columns(&found.slices, k);
    let (u, v) = (&pairs.0[0], &pairs.0[1]);
    let (m, n) = problem.shape();
    // the weight of X along each pair, and about what moving it by 1 moves sigma by
    let (left, right) = (dense::tr_mul(u, &x.0[0]), dense::tr_mul(v, &x.0[1]));
    let mean = curvature.iter().sum::<f64>() / (m as f64 * n as f64);
    let mut target = Mat::zeros(k, k);
    for (i, sigma) in found.values[..k].iter().enumerate() {
        let missing = problem.lambda - sigma;
        let weight: f64 = left.row(i).dot(&right.row(i));
        if missing < 0.0 || weight * mean > 0.5 * missing {
            target[(i, i)] = missing;
        }
    }
    let turned = [u, v].map(dense::transpose);
    let apply = |core: &Mat| match &problem.observations {
        // what does not change is turned once
        Observations::Coordinates(at) => {
            let moved = dense::tr_mul(core, &turned[0]);
            let mut moved = at.sampled_product_lines(moved.as_slice(), turned[1].as_slice(), k);
            moved.iter_mut().zip(curvature).for_each(|(x, c)| *x *= c);
            dense::mul_tr(&turned[0], &at.mul_lines(&moved, &turned[1]))
        }
        Observations::Full { .. } => {
            let moved = Factors(vec![dense::mul(u, core), v.clone()]);
            let mut moved = problem.mapping.apply(&problem.observations, &moved);
            moved.iter_mut().zip(curvature).for_each(|(x, c)| *x *= c);
            dense::tr_mul(u, &problem.mapping.pullback(&problem.observations, &moved, &pairs, 0))
        }
    };
    conjugate_gradients(apply, target)
}

/// About the solution of A M = T, A symmetric and positive semidefinite.
fn conjugate_gradients(apply: impl Fn(&Mat) -> Mat, target: Mat) -> Mat {
    let mut solution = Mat::zeros(target.nrows(), target.ncols());
    let mut size = target.norm_squared();
    let enough = LEFT * LEFT * size;
    let mut direction = target.clone();
    let mut left = target;
    for _ in 0..INNER {
        if size <= enough {
            break;
        }
        let image = apply(&direction);
        let bend = direction.dot(&image);
        if !(bend > 0.0 && bend.is_finite()) {
            break;
        }
        let a = size / bend;
        solution += &direction * a;
        left -= image * a;
        let before = std::mem::replace(&mut size, left.norm_squared());
        direction = &left + direction * (size / before);
    }
    solution
}

impl Relaxation for Newton {
    fn name(&self) -> &'static str {
        "newton"
    }

    fn describe(&self) -> &'static str {
        "the gradient moved along its leading singular vectors, by Newton steps for the dual of the nuclear norm"
    }

    fn applies(&self, problem: &Problem) -> bool {
        applies(problem) && bound::is_exact(problem)
    }

    fn needs_point(&self) -> bool {
        true
    }

    fn flops(&self, problem: &Problem, _effort: Effort) -> f64 {
        let (m, n) = problem.shape();
        let rank = wanted(m.min(n) / 8) as f64;
        let product = 2.0 * problem.observations.len() as f64 * rank;
        ROUNDS as f64 * (2.0 * INNER as f64 * product + bound::gram_flops(problem))
    }

    fn offer(&self, problem: &Problem, goal: Goal, effort: Effort, budget: &Budget, keeper: &mut Keeper) {
        let Some(x) = goal.start else { return };
        let prediction = problem.predict(x);
        let effort = search::Effort {
            keep: wanted(x.rank()).max(search::Effort::default().keep),
            ..effort.search(problem, budget)
        };
        let found = search::search(problem, &problem.dual_field(&prediction), Some(x), &effort);
        if let Some(c) = correct(problem, x, &prediction, &found, goal, budget) {
            let proven = keeper.value().map(|v| relative_gap(goal.objective, v));
            if proven.is_none_or(|p| c.promise < p) {
                let bounded = Bounded::new(problem, c.field, &c.found, budget);
                let upper = bounded.upper();
                keeper.keep(upper.and_then(|u| dual::prove_field(problem, &source(self), bounded.field(), u)));
            }
        }
    }
}
