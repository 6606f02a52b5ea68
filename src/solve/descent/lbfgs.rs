//! Projected L-BFGS on the balanced sum form, smooth where every gauge is a (weighted) l2 norm, free or on an orthant.
//!
//! ```text
//! f(X) = l(Phi_r(X)) + lambda / K sum_k sum_i ||D_k x^k_i||_2^K      (psd: lambda sum_i ||D u_i||_2^2)
//! ```
//!
//! On an orthant the direction is taken on the coordinates that are not held at zero by their gradient, and steps are
//! projected. Backtracking keeps f from rising; the sum form is never below the product form, and equals it at the balanced
//! start. Cost of an iteration: one evaluation of Phi and one pullback per factor.

use super::columns::Columns;
use super::hals::Hals;
use super::memory::{Memory, hold};
use super::{Descent, Effort};
use crate::budget::Budget;
use crate::data::Observations;
use crate::extra::{Block, Coefficients, Penalty};
use crate::linalg::long::{self, dot};
use crate::linalg::sparse::Pattern;
use crate::linalg::{Mat, dense};
use crate::mapping::Factors;
use crate::problem::Problem;
use crate::solve::reduce;
use std::borrow::Cow;

/// Projected L-BFGS.
#[derive(Debug)]
pub struct Lbfgs;

/// Relative rounding of a value, below which two of them say nothing.
const NOISE: f64 = 8.0 * f64::EPSILON;

/// Steps between two looks at what they brought.
const CHECKED: usize = 5;

impl Descent for Lbfgs {
    fn name(&self) -> &'static str {
        "lbfgs"
    }

    fn applies(&self, problem: &Problem) -> bool {
        let gauges = &problem.regularizer.gauges;
        (problem.mapping.is_multilinear() || problem.mapping.layers().is_some())
            && gauges.iter().all(|g| g.norm().name() == "l2" && (g.cone().is_none() || g.orthant().is_some()))
    }

    fn descend(&self, problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget) {
        problem.regularizer.balance(x);
        // on principal axes the metric is diagonal
        reduce::orthogonalise(problem, x);
        descend_smooth(problem, x, effort, budget);
    }
}

/// The same for any mapping, as far as it is smooth.
pub(super) fn descend_smooth(problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget) {
    problem.regularizer.balance(x);
    if x.rank() > 0 {
        let balanced = Balanced::new(problem, x, false);
        let mut joined = balanced.join(x);
        minimise(&balanced, &mut joined, &balanced.signs(x.rank()), effort, budget);
        *x = balanced.factors(&joined);
    }
    problem.regularizer.balance(x);
}

/// Whether there are extra variables to move along. The l1 norm is taken apart into q = q+ - q- with q+, q- >= 0; the l2 norm is
/// smooth but at 0, where a block stays.
pub fn joins(problem: &Problem) -> bool {
    problem.extras.explicit().next().is_some() && Lbfgs.applies(problem)
}

/// The weight of a block under the l1 norm, whose unknowns are q+ and q-.
fn l1_weight(b: &Block) -> Option<f64> {
    if let Penalty::L1(w) = b.penalty { Some(w) } else { None }
}

/// q from a block's unknowns.
fn coefficients<'v>(b: &Block, unknowns: &'v [f64]) -> Cow<'v, [f64]> {
    match l1_weight(b) {
        None => Cow::Borrowed(unknowns),
        Some(_) => {
            let (up, down) = unknowns.split_at(b.len());
            Cow::Owned(up.iter().zip(down).map(|(p, n)| p - n).collect())
        }
    }
}

/// What belongs to a block's coefficients, for its unknowns; that of q- has the sign `down`.
fn for_unknowns(b: &Block, mut v: Vec<f64>, down: f64) -> Vec<f64> {
    if l1_weight(b).is_some() {
        v.extend_from_within(..);
        v[b.len()..].iter_mut().for_each(|v| *v *= down);
    }
    v
}

/// The same descent on factors and extra variables together.
pub fn descend_jointly(problem: &Problem, x: &mut Factors, q: &mut Coefficients, effort: Effort, budget: &Budget) {
    problem.regularizer.balance(x);
    reduce::orthogonalise(problem, x);
    let balanced = Balanced::new(problem, x, true);
    let mut joined = balanced.join(x);
    for (k, b) in balanced.blocks() {
        let parted = l1_weight(b).is_some();
        joined.extend(q[k].iter().map(|q| if parted { q.max(0.0) } else { *q }));
        joined.extend(q[k].iter().filter(|_| parted).map(|q| (-q).max(0.0)));
    }
    minimise(&balanced, &mut joined, &balanced.signs(x.rank()), effort, budget);
    *x = balanced.factors(&joined);
    for ((k, b), part) in balanced.blocks().zip(balanced.extras(&joined)) {
        q[k] = coefficients(b, part).into_owned();
    }
    problem.regularizer.balance(x);
}

/// The balanced form over all factors joined in one vector, and the extra variables where they move along.
struct Balanced<'a> {
    problem: &'a Problem,
    rank: usize,
    /// The pattern of listed entries, which are reached line by line: the factors are then joined line by line.
    lines: Option<&'a Pattern>,
    metric: Vec<Metric>,
    /// ||Y||^2 / 2 where the loss needs no prediction.
    half_norm: Option<f64>,
    /// One over the curvature of every extra variable that moves along; none if they are held.
    extra_metric: Option<Vec<f64>>,
    /// What rounding of the prediction makes of a value.
    noise: f64,
}

/// The degree p of g and the factor c in c sum_k gauge_k^p, which equals g at balanced slices.
fn power(problem: &Problem) -> (i32, f64) {
    let p = problem.regularizer.degree() as i32;
    (p, 1.0 / problem.regularizer.gauges.len() as f64)
}

/// The inverse of a model of the Gauss-Newton Hessian in one factor, which slices that overlap, strong and weak ones, and lines
/// with many and with few entries would otherwise spoil:
///
/// ```text
/// u_i'H_i u_i = sum_(j observed) w_ij (u_i'v_j)^2 + u_i'M_i u_i     its diagonal in the basis Q where V'V is diagonal
/// ```
///
/// V is the other factor, or the columnwise Kronecker product of the others: there its Gram matrix is the entrywise product of
/// theirs, and a line's share of the entries stands for which they are. M_i is the diagonal of lambda c p d_i^2 ||D x_s||^(p-2).
struct Metric {
    /// Q, or none for the identity.
    rotation: Option<Mat>,
    /// One over the diagonal, d x r; r x d where the factors are joined line by line.
    inverse: Mat,
    by_lines: bool,
}

impl Metric {
    /// One for each factor.
    fn all(problem: &Problem, x: &Factors) -> Vec<Self> {
        let curvature = problem.curvature_at(|| problem.predict(x));
        let own = if problem.operator.is_some() {
            None
        } else {
            problem.mapping.curvatures(&problem.observations, &curvature, x)
        };
        let Some(diagonals) = own else {
            return (0..x.0.len()).map(|k| Self::new(problem, &curvature, x, k)).collect();
        };
        diagonals.into_iter().enumerate().map(|(k, d)| Self::from_diagonal(problem, None, d, x, k)).collect()
    }

    fn new(problem: &Problem, curvature: &[f64], x: &Factors, k: usize) -> Self {
        let others = x.0.iter().enumerate().filter(|(l, _)| *l != k || x.0.len() == 1).map(|(_, x)| x);
        let gram = others.map(|x| dense::tr_mul(x, x)).reduce(|a, b| a.component_mul(&b)).expect("K >= 1");
        let rotation = principal_axes(&gram);
        // of sensing only the squares of the measurements' own entries
        let curvature = problem.operator.as_ref().map_or(curvature.to_vec(), |a| a.adjoint_of_squares(curvature));
        let turn = |x: &Mat| rotation.as_ref().map_or_else(|| x.clone(), |q| dense::mul(x, q));
        let diagonal = if x.0.len() <= 2 {
            let squares = Factors(x.0.iter().map(|x| squares(&turn(x))).collect());
            problem.mapping.pullback(&problem.observations, &curvature, &squares, k)
        } else {
            let one = Factors(x.0.iter().map(|x| Mat::from_element(x.nrows(), 1, 1.0)).collect());
            let share = problem.mapping.pullback(&problem.observations, &curvature, &one, k);
            let all: f64 = x.0.iter().enumerate().filter(|(l, _)| *l != k).map(|(_, x)| x.nrows() as f64).product();
            let axes = match &rotation {
                Some(q) => dense::mul(&gram, q).component_mul(q).row_sum(),
                None => gram.diagonal().transpose(),
            };
            share / all * axes
        };
        Self::from_diagonal(problem, rotation, diagonal, x, k)
    }

    fn from_diagonal(problem: &Problem, rotation: Option<Mat>, mut inverse: Mat, x: &Factors, k: usize) -> Self {
        let gauge = &problem.regularizer.gauges[k];
        let (p, c) = power(problem);
        let sizes = x.0[k].column_iter().map(|x| gauge.value(x.as_slice()).powi(p - 2));
        let sizes = Mat::from_iterator(1, x.rank(), sizes.map(|s| problem.lambda * c * f64::from(p) * s));
        let sizes = rotation.as_ref().filter(|_| p > 2).map_or_else(|| sizes.clone(), |q| &sizes * squares(q));
        for (i, mut line) in inverse.row_iter_mut().enumerate() {
            let d = gauge.weights().map_or(1.0, |w| w[i]);
            line.iter_mut().zip(sizes.iter()).for_each(|(h, mu)| {
                // a slice of zeros has neither at degree 3 and more, and no gradient
                let curvature = *h + mu * d * d;
                *h = if curvature > 0.0 { 1.0 / curvature } else { 0.0 };
            });
        }
        Self { rotation, inverse, by_lines: false }
    }

    /// The same for blocks that are transposed.
    fn by_lines(self) -> Self {
        Self { inverse: dense::transpose(&self.inverse), by_lines: true, ..self }
    }

    /// H^-1 applied to a block.
    fn apply(&self, block: &mut [f64]) {
        let Some(q) = &self.rotation else {
            long::multiply(block, self.inverse.as_slice());
            return;
        };
        let (d, r) = self.inverse.shape();
        let given = Mat::from_column_slice(d, r, block);
        let result = if self.by_lines {
            dense::mul(q, &dense::tr_mul(q, &given).component_mul(&self.inverse))
        } else {
            dense::mul_tr(&dense::mul(&given, q).component_mul(&self.inverse), q)
        };
        block.copy_from_slice(result.as_slice());
    }
}

fn squares(x: &Mat) -> Mat {
    x.map(|x| x * x)
}

/// The eigenvectors of a Gram matrix; none if it is diagonal already.
fn principal_axes(gram: &Mat) -> Option<Mat> {
    let crossed = (0..gram.ncols()).any(|j| (0..j).any(|i| gram[(i, j)].powi(2) > 1e-12 * gram[(i, i)] * gram[(j, j)]));
    crossed.then(|| dense::symmetric_eigen(gram)).flatten().map(|e| e.1)
}

impl<'a> Balanced<'a> {
    fn new(problem: &'a Problem, x: &Factors, joint: bool) -> Self {
        let lines = match &problem.observations {
            Observations::Coordinates(p) if problem.operator.is_none() && problem.mapping.name() == "matrix" => Some(p),
            _ => None,
        };
        let of_lines = |m: Metric| if lines.is_some() { m.by_lines() } else { m };
        let metric = Metric::all(problem, x).into_iter().map(of_lines).collect();
        let half_norm = by_gram(problem).then(|| 0.5 * dot(&problem.y, &problem.y));
        let extra_metric = joint.then(|| {
            let curvature = problem.curvature_at(|| problem.predict(x));
            let of = |b: &Block| {
                let own = b.map.curvature(&curvature).into_iter().map(|h| h + b.penalty.curvature()).collect();
                for_unknowns(b, own, 1.0)
            };
            let all = problem.extras.explicit().flat_map(|(_, b)| -> Vec<f64> { of(b) });
            all.map(|h| if h > 0.0 { 1.0 / h } else { 1.0 }).collect()
        });
        let size = half_norm.unwrap_or_else(|| {
            let prediction = problem.predict(x);
            let z = problem.dual_field(&prediction);
            prediction.iter().zip(&z).map(|(p, z)| (p * z).abs()).sum()
        });
        Self { problem, rank: x.rank(), lines, metric, half_norm, extra_metric, noise: NOISE * size }
    }

    /// The blocks of extra variables that move along.
    fn blocks(&self) -> impl Iterator<Item = (usize, &'a Block)> {
        self.problem.extras.explicit().filter(|_| self.extra_metric.is_some())
    }

    /// Their parts of the joined vector.
    fn extras<'v>(&self, joined: &'v [f64]) -> Vec<&'v [f64]> {
        let mut rest = &joined[self.metric.iter().map(|m| m.inverse.len()).sum()..];
        let part = |(_, b): (usize, &Block)| {
            let (head, tail) = rest.split_at(b.len() * if l1_weight(b).is_some() { 2 } else { 1 });
            rest = tail;
            head
        };
        self.blocks().map(part).collect()
    }

    /// The factors in one vector.
    fn join(&self, x: &Factors) -> Vec<f64> {
        let turned = |x: &Mat| if self.lines.is_some() { dense::transpose(x) } else { x.clone() };
        x.0.iter().flat_map(|x| Vec::from(turned(x).data)).collect()
    }

    fn factors(&self, joined: &[f64]) -> Factors {
        let parts = self.parts(joined);
        if self.lines.is_some() { Factors(parts.0.iter().map(dense::transpose).collect()) } else { parts }
    }

    /// The factors as they are joined.
    fn parts(&self, joined: &[f64]) -> Factors {
        let mut rest = joined;
        let rows = self.problem.factor_rows();
        let factor = |&d: &usize| {
            let (head, tail) = rest.split_at(d * self.rank);
            rest = tail;
            let (d, r) = if self.lines.is_some() { (self.rank, d) } else { (d, self.rank) };
            Mat::from_column_slice(d, r, head)
        };
        Factors(rows.iter().map(factor).collect())
    }

    /// v <- H^-1 v in every factor's metric.
    fn precondition(&self, v: &mut [f64]) {
        let mut rest = v;
        for m in &self.metric {
            let (head, tail) = rest.split_at_mut(m.inverse.len());
            m.apply(head);
            rest = tail;
        }
        rest.iter_mut().zip(self.extra_metric.iter().flatten()).for_each(|(v, h)| *v *= h);
    }

    /// Sign every coordinate of the joined vector is confined to, 0 where free.
    fn signs(&self, r: usize) -> Vec<f64> {
        let gauges = &self.problem.regularizer.gauges;
        let rows = self.problem.factor_rows();
        let factors = gauges.iter().zip(rows).map(|(g, d)| (g.orthant().unwrap_or(0.0), d * r));
        let extras = self.blocks().map(|(_, b)| match b.penalty {
            Penalty::L1(_) => (1.0, 2 * b.len()),
            Penalty::Nonnegative => (1.0, b.len()),
            _ => (0.0, b.len()),
        });
        factors.chain(extras).flat_map(|(sign, n)| std::iter::repeat_n(sign, n)).collect()
    }

    /// f(x), and its gradient in `out` unless f is above `ceiling`.
    fn evaluate(&self, x: &[f64], ceiling: f64, out: &mut [f64]) -> f64 {
        let p = self.problem;
        let factors = self.parts(x);
        let (degree, share) = power(p);
        let mut penalty = 0.0;
        let mut rest = &mut *out;
        for (factor, gauge) in factors.0.iter().zip(&p.regularizer.gauges) {
            let (part, tail) = rest.split_at_mut(factor.len());
            let scale = f64::from(degree) * share * p.lambda;
            // there may be no slices
            let length = factor.nrows().max(1);
            let columns = factor.as_slice().chunks_exact(length);
            for (i, (x, g)) in columns.zip(part.chunks_exact_mut(length)).enumerate() {
                let size = if degree == 2 { 1.0 } else { gauge.value(x).powi(degree - 2) };
                match gauge.weights() {
                    Some(w) if self.lines.is_none() => {
                        g.iter_mut().zip(x).zip(w).for_each(|((g, x), w)| *g = scale * size * w * w * x);
                    }
                    w => {
                        let w = w.map_or(1.0, |w| w[i] * w[i]);
                        g.iter_mut().zip(x).for_each(|(g, x)| *g = scale * size * w * x);
                    }
                }
            }
            penalty += dot(factor.as_slice(), part) / f64::from(degree);
            rest = tail;
        }
        let parts = self.extras(x);
        for ((_, b), q) in self.blocks().zip(&parts) {
            let (part, tail) = rest.split_at_mut(q.len());
            let size = dot(q, q).sqrt();
            let slope = |q: &f64| match b.penalty {
                Penalty::L1(w) => w,
                Penalty::L2(w) if size > 0.0 => w * q / size,
                _ => b.penalty.curvature() * q,
            };
            part.iter_mut().zip(*q).for_each(|(g, q)| *g = slope(q));
            penalty += l1_weight(b).map_or_else(|| b.penalty.value(q), |w| w * q.iter().sum::<f64>());
            rest = tail;
        }
        match self.half_norm {
            Some(half_norm) => penalty + self.gram_loss(half_norm, &factors, ceiling - penalty, out),
            None => penalty + self.loss(&factors, &parts, ceiling - penalty, out),
        }
    }

    /// l(Phi_r(X) + A Q) for the factors as they are joined; its gradient is added to `out` unless it is above `ceiling`.
    fn loss(&self, x: &Factors, q: &[&[f64]], ceiling: f64, out: &mut [f64]) -> f64 {
        let p = self.problem;
        let mut prediction = match self.lines {
            Some(at) => at.sampled_product_lines(&x.0[0], &x.0[1]),
            None => p.apply(x),
        };
        if self.extra_metric.is_some() {
            self.blocks().zip(q).for_each(|((_, b), q)| b.map.add(&coefficients(b, q), &mut prediction));
        } else {
            prediction.iter_mut().zip(&p.offset).for_each(|(p, o)| *p += o);
        }
        let value = p.loss.value(p.targets(), &prediction);
        if value <= ceiling {
            let z = p.dual_field(&prediction);
            let pulls = match self.lines {
                None => p.pullbacks(&z, x),
                Some(at) => vec![at.mul_lines(&z, &x.0[1]), at.tr_mul_lines(&z, &x.0[0])],
            };
            let extras = self.blocks().zip(q).map(|((_, b), q)| {
                let held = matches!(b.penalty, Penalty::L2(_)) && q.iter().all(|q| *q == 0.0);
                if held { vec![0.0; q.len()] } else { for_unknowns(b, b.map.adjoint(&z), -1.0) }
            });
            let mut rest = out;
            for pull in pulls.into_iter().map(|pull| <Vec<f64>>::from(pull.data)).chain(extras) {
                let (part, tail) = rest.split_at_mut(pull.len());
                long::combine(part, 1.0, &[-1.0], &[&pull]);
                rest = tail;
            }
        }
        value
    }

    /// The same for unweighted squared loss on full data, without forming Phi: with Y pulled back to every factor, P_k,
    /// ||Y||^2 / 2 - <P_k, X^k> + (sum of the Gram matrix) / 2, gradients X^k (product of the others' Gram matrices) - P_k.
    fn gram_loss(&self, half_norm: f64, x: &Factors, ceiling: f64, out: &mut [f64]) -> f64 {
        let pull = |k: usize| self.problem.pullback(&self.problem.y, x, k);
        let grams: Vec<Mat> = x.0.iter().map(|x| dense::tr_mul(x, x)).collect();
        let others = |k: usize| {
            let others = grams.iter().enumerate().filter(|(l, _)| *l != k).map(|(_, g)| g.clone());
            others.reduce(|a, b| a.component_mul(&b)).expect("K >= 2")
        };
        let (first, around) = (pull(0), others(0));
        let value = half_norm - first.dot(&x.0[0]) + 0.5 * grams[0].dot(&around);
        if value <= ceiling {
            let mut rest = out;
            let mut known = Some((first, around));
            for (k, x) in x.0.iter().enumerate() {
                let (pull, around) = known.take().unwrap_or_else(|| (pull(k), others(k)));
                let (part, tail) = rest.split_at_mut(x.len());
                let slope = dense::mul(x, &around) - pull;
                part.iter_mut().zip(slope.iter()).for_each(|(g, d)| *g += d);
                rest = tail;
            }
        }
        value
    }
}

/// Whether squared loss on full data can do without the predictions.
fn by_gram(problem: &Problem) -> bool {
    Hals.applies(problem) || Columns::by_gram(problem)
}

/// Moves `x` downhill on f within the orthants that `signs` names (0: free). f never rises.
fn minimise(f: &Balanced, x: &mut Vec<f64>, signs: &[f64], effort: Effort, budget: &Budget) {
    let mut gradient = vec![0.0; x.len()];
    let mut value = f.evaluate(x, f64::INFINITY, &mut gradient);
    let mut memory = Memory::default();
    let mut checkpoint = (value, dot(&gradient, &gradient));
    let (mut trial, mut trial_gradient) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    let mut direction = Vec::with_capacity(x.len());
    let bounded = signs.iter().any(|s| *s != 0.0);
    for step in 1..=effort.sweeps {
        if budget.exhausted() {
            break;
        }
        // coordinates held at the boundary by their gradient stay there
        let active: Vec<bool> = if bounded {
            (0..x.len()).map(|i| signs[i] != 0.0 && x[i] == 0.0 && signs[i] * gradient[i] >= 0.0).collect()
        } else {
            Vec::new()
        };
        let steepest = |direction: &mut Vec<f64>| {
            direction.clear();
            direction.extend(gradient.iter().map(|g| -g));
            hold(direction, &active);
        };
        steepest(&mut direction);
        if direction.iter().all(|d| *d == 0.0) {
            break;
        }
        memory.apply(&mut direction, &active, |v| f.precondition(v));
        let mut slope = dot(&direction, &gradient);
        let flat = |slope: f64, d: &[f64]| slope >= -1e-12 * (dot(&gradient, &gradient) * dot(d, d)).sqrt();
        if flat(slope, &direction) && !memory.is_empty() {
            memory = Memory::default();
            steepest(&mut direction);
            memory.apply(&mut direction, &active, |v| f.precondition(v));
            slope = dot(&direction, &gradient);
        }
        let mut t = 1.0;
        let mut accepted = None;
        for _ in 0..40 {
            long::sum(&mut trial, x, t, &direction);
            let mut predicted = slope * t;
            if bounded {
                trial.iter_mut().zip(signs).filter(|(x, s)| **s * **x < 0.0).for_each(|(x, _)| *x = 0.0);
                predicted = gradient.iter().zip(trial.iter().zip(x.iter())).map(|(g, (a, b))| g * (a - b)).sum();
            }
            let ceiling = value + 1e-4 * predicted.min(0.0);
            let noise = NOISE * value.abs() + f.noise;
            let reached = f.evaluate(&trial, ceiling + noise, &mut trial_gradient);
            // within rounding of the value the slope at the other end decides (Hager and Zhang 2005)
            let level = || !bounded && dot(&direction, &trial_gradient) <= (2e-4 - 1.0) * slope;
            if reached <= ceiling || (reached <= ceiling + noise && level()) {
                accepted = Some(reached);
                break;
            }
            // the parabola through value, slope and reached, kept in [0.1, 0.5]
            let parabola = -slope * t / (2.0 * (reached - value - slope * t));
            t *= if parabola.is_finite() { parabola.clamp(0.1, 0.5) } else { 0.1 };
        }
        let Some(reached) = accepted else {
            if memory.is_empty() {
                break;
            }
            memory = Memory::default();
            continue;
        };
        memory.push([x, &trial], [&gradient, &trial_gradient], |v| f.precondition(v));
        std::mem::swap(x, &mut trial);
        std::mem::swap(&mut gradient, &mut trial_gradient);
        value = value.min(reached);
        if step % CHECKED == 0 {
            let size = dot(&gradient, &gradient);
            // asked for the last digits, only the gradient still tells
            let noise = NOISE * value.abs() + f.noise;
            let sharper = effort.decrease <= noise && size < 0.25 * checkpoint.1;
            if checkpoint.0 - value < CHECKED as f64 * effort.decrease && !sharper {
                break;
            }
            checkpoint = (value, size);
        }
    }
}
