//! Projected L-BFGS on the balanced sum form, smooth where every gauge is a (weighted) l2 norm, free or on an orthant.
//!
//! ```text
//! f(X) = l(Phi_r(X)) + lambda c sum_k ||D_k X^k||_F^2,     c = 1/2 for two factors, 1 for the psd mapping
//! ```
//!
//! On an orthant the direction is taken on the coordinates that are not held at zero by their gradient, and steps are
//! projected. Backtracking keeps f from rising; the sum form is never below the product form, and equals it at the balanced
//! start. Cost of an iteration: one evaluation of Phi and one pullback per factor.

use super::{Descent, Effort};
use crate::budget::Budget;
use crate::linalg::Mat;
use crate::linalg::simd::vectorised;
use crate::linalg::vector::{axpy, dot};
use crate::mapping::Factors;
use crate::problem::Problem;
use std::borrow::Cow;
use std::collections::VecDeque;

/// Projected L-BFGS.
#[derive(Debug)]
pub struct Lbfgs;

const MEMORY: usize = 8;

impl Descent for Lbfgs {
    fn name(&self) -> &'static str {
        "lbfgs"
    }

    fn applies(&self, problem: &Problem) -> bool {
        problem
            .regularizer
            .gauges
            .iter()
            .all(|g| g.norm().name() == "l2" && (g.cone().is_none() || g.orthant().is_some()))
    }

    fn descend(&self, problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget) {
        problem.regularizer.balance(x);
        if x.rank() > 0 {
            let balanced = Balanced::new(problem, x);
            let mut unknowns = balanced.unknowns(x);
            minimise(&balanced, &mut unknowns, &balanced.signs(x.rank()), effort, budget);
            *x = balanced.factors(&unknowns);
        }
        problem.regularizer.balance(x);
    }
}

/// The balanced form with its signs and squared weights, over all factors joined in one vector.
struct Balanced<'a> {
    problem: &'a Problem,
    half: f64,
    rank: usize,
    /// Per coordinate: the unknown is x / c with c^-2 the diagonal of the Gauss-Newton Hessian at the start, so that strong and
    /// weak slices, and lines with many and with few entries, curve alike.
    scale: Vec<f64>,
}

impl<'a> Balanced<'a> {
    fn new(problem: &'a Problem, x: &Factors) -> Self {
        let half = if problem.regularizer.gauges.len() == 1 { 1.0 } else { 0.5 };
        let curvature: Vec<f64> =
            (0..problem.y.len()).map(|j| problem.loss.curvature() * problem.targets().weight(j)).collect();
        let squares = Factors(x.0.iter().map(|x| x.map(|x| x * x)).collect());
        let mut scale = Vec::new();
        for (k, gauge) in problem.regularizer.gauges.iter().enumerate() {
            let diagonal = problem.mapping.pullback(&problem.observations, &curvature, &squares, k);
            for (j, h) in diagonal.iter().enumerate() {
                let d = gauge.weights().map_or(1.0, |w| w[j % diagonal.nrows()]);
                scale.push(1.0 / (h + 2.0 * half * problem.lambda * d * d).sqrt().max(f64::MIN_POSITIVE));
            }
        }
        Self { problem, half, rank: x.rank(), scale }
    }

    fn unknowns(&self, x: &Factors) -> Vec<f64> {
        x.0.iter().flat_map(|x| x.iter()).zip(&self.scale).map(|(x, c)| x / c).collect()
    }

    fn factors(&self, unknowns: &[f64]) -> Factors {
        let mut joined = unknowns.iter().zip(&self.scale).map(|(x, c)| x * c);
        let rows = self.problem.factor_rows();
        Factors(rows.iter().map(|&d| Mat::from_iterator(d, self.rank, joined.by_ref().take(d * self.rank))).collect())
    }

    /// Sign every coordinate of the joined vector is confined to, 0 where free.
    fn signs(&self, r: usize) -> Vec<f64> {
        let gauges = &self.problem.regularizer.gauges;
        let rows = self.problem.factor_rows();
        gauges.iter().zip(rows).flat_map(|(g, d)| std::iter::repeat_n(g.orthant().unwrap_or(0.0), d * r)).collect()
    }

    /// f(x), and its gradient in `out` unless f is above `ceiling`.
    fn evaluate(&self, x: &[f64], ceiling: f64, out: &mut [f64]) -> f64 {
        let p = self.problem;
        let factors = self.factors(x);
        let prediction = p.predict(&factors);
        let mut value = p.loss.value(p.targets(), &prediction);
        let mut offset = 0;
        for (factor, gauge) in factors.0.iter().zip(&p.regularizer.gauges) {
            let (d, r) = factor.shape();
            let scale = 2.0 * self.half * p.lambda;
            let (part, grad) = (factor.as_slice(), &mut out[offset..offset + d * r]);
            let weights = gauge.weights();
            let mut sum = 0.0;
            for (j, (x, g)) in part.iter().zip(grad).enumerate() {
                let w = weights.map_or(1.0, |w| w[j % d] * w[j % d]);
                *g = scale * w * x;
                sum += w * x * x;
            }
            value += self.half * p.lambda * sum;
            offset += d * r;
        }
        if value > ceiling {
            return value;
        }
        let z = p.dual_field(&prediction);
        let mut offset = 0;
        for k in 0..factors.0.len() {
            let pull = p.mapping.pullback(&p.observations, &z, &factors, k);
            out[offset..].iter_mut().zip(pull.iter()).for_each(|(g, pull)| *g -= pull);
            offset += pull.len();
        }
        out.iter_mut().zip(&self.scale).for_each(|(g, c)| *g *= c);
        value
    }
}

/// Moves `x` downhill on f within the orthants that `signs` names (0: free). f never rises.
fn minimise(f: &Balanced, x: &mut Vec<f64>, signs: &[f64], effort: Effort, budget: &Budget) {
    let mut gradient = vec![0.0; x.len()];
    let mut value = f.evaluate(x, f64::INFINITY, &mut gradient);
    let mut memory = Memory::default();
    let mut checkpoint = value;
    let (mut trial, mut trial_gradient) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    for step in 1..=effort.sweeps {
        if budget.exhausted() {
            break;
        }
        // coordinates held at the boundary by their gradient stay there
        let active: Vec<bool> =
            (0..x.len()).map(|i| signs[i] != 0.0 && x[i] == 0.0 && signs[i] * gradient[i] >= 0.0).collect();
        let mut direction: Vec<f64> = gradient.iter().zip(&active).map(|(g, a)| if *a { 0.0 } else { -g }).collect();
        let steepest = dot(&direction, &direction);
        if steepest == 0.0 {
            break;
        }
        vectorised(
            #[inline(always)]
            || memory.apply(&mut direction, &active),
        );
        let mut slope = dot(&direction, &gradient);
        if slope >= -1e-12 * steepest.sqrt() * dot(&direction, &direction).sqrt() {
            memory = Memory::default();
            direction.iter_mut().zip(&gradient).zip(&active).for_each(|((d, g), a)| *d = if *a { 0.0 } else { -g });
            slope = -steepest;
        }
        let mut t = if memory.is_empty() { (1.0 / steepest.sqrt()) * (dot(x, x).sqrt() * 1e-2).max(1e-8) } else { 1.0 };
        let mut accepted = None;
        for _ in 0..40 {
            project(x, &direction, t, signs, &mut trial);
            let predicted: f64 = gradient.iter().zip(trial.iter().zip(x.iter())).map(|(g, (a, b))| g * (a - b)).sum();
            let ceiling = value + 1e-4 * predicted.min(0.0);
            let reached = f.evaluate(&trial, ceiling, &mut trial_gradient);
            if reached <= ceiling {
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
        memory.push(x, &trial, &gradient, &trial_gradient);
        std::mem::swap(x, &mut trial);
        std::mem::swap(&mut gradient, &mut trial_gradient);
        value = reached;
        if step % 10 == 0 {
            if checkpoint - value < 10.0 * effort.decrease {
                break;
            }
            checkpoint = value;
        }
    }
}

fn project(x: &[f64], direction: &[f64], t: f64, signs: &[f64], out: &mut [f64]) {
    for i in 0..x.len() {
        let moved = x[i] + t * direction[i];
        out[i] = if signs[i] * moved < 0.0 { 0.0 } else { moved };
    }
}

/// A step s and the gradient's change y, borrowed unless coordinates are held.
type Pair<'a> = (Cow<'a, Vec<f64>>, Cow<'a, Vec<f64>>);

/// The last steps s and gradient changes y.
#[derive(Default)]
struct Memory(VecDeque<(Vec<f64>, Vec<f64>)>);

impl Memory {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn push(&mut self, x: &[f64], next: &[f64], gradient: &[f64], next_gradient: &[f64]) {
        let s: Vec<f64> = next.iter().zip(x).map(|(a, b)| a - b).collect();
        let y: Vec<f64> = next_gradient.iter().zip(gradient).map(|(a, b)| a - b).collect();
        if dot(&s, &y) > 1e-10 * dot(&s, &s).sqrt() * dot(&y, &y).sqrt() {
            if self.0.len() == MEMORY {
                self.0.pop_front();
            }
            self.0.push_back((s, y));
        }
    }

    /// Two-loop recursion on the coordinates that are not active (`d` is zero on those): d <- H d.
    #[inline(always)]
    fn apply(&self, d: &mut [f64], active: &[bool]) {
        let any = active.contains(&true);
        let free =
            |v: &Vec<f64>| -> Vec<f64> { v.iter().zip(active).map(|(v, held)| if *held { 0.0 } else { *v }).collect() };
        let pairs: Vec<Pair> =
            self.0
                .iter()
                .map(|(s, y)| {
                    if any { (Cow::Owned(free(s)), Cow::Owned(free(y))) } else { (Cow::Borrowed(s), Cow::Borrowed(y)) }
                })
                .collect();
        let usable: Vec<_> = pairs.iter().map(|(s, y)| (s, y, dot(s, y))).filter(|p| p.2 > 0.0).collect();
        let mut alphas = Vec::new();
        for (s, y, sy) in usable.iter().rev() {
            let alpha = dot(s, d) / sy;
            alphas.push(alpha);
            axpy(-alpha, y, d);
        }
        if let Some((_, y, sy)) = usable.last() {
            let scale = sy / dot(y, y);
            d.iter_mut().for_each(|d| *d *= scale);
        }
        for ((s, y, sy), alpha) in usable.iter().zip(alphas.iter().rev()) {
            axpy(alpha - dot(y, d) / sy, s, d);
        }
    }
}
