//! Where one factor has the l1 norm, for any loss: damped Newton steps on the lines of X, in which the problem is convex.
//!
//! ```text
//! min over V of l(X) + lambda sum_l gauge_v(V_l),   X_l = sum over the signs a of u of a V_(l,a) / d_l        (see `lines`)
//! V <- argmin <g, V' - V> + 1/2 sum_j h_j (V'_j - V_j)^2 + lambda sum_l gauge_v(V'_l),     h = (l'' + damping c) / d^2
//! ```
//!
//! The Hessian of a sum over entries is diagonal, so a step is one prox per line in that metric. Damping grows where a step brings less
//! than a quarter of what its model promises: losses with kinks in their slope, or without a bound c of their curvature, need it.
//! Source: proximal Newton steps (Lee, Sun & Saunders 2014) damped as by Levenberg and Marquardt.

use super::lines::one_sign_at_a_time;
use super::{Descent, Effort};
use crate::budget::Budget;
use crate::linalg::Mat;
use crate::mapping::Factors;
use crate::polar::bound::l1_lines::{axis, signs};
use crate::polar::field::{line, line_count};
use crate::problem::Problem;

/// Newton steps by lines.
#[derive(Debug)]
pub struct LinesNewton;

/// A line with the sign and the scale of its u.
struct Piece {
    line: usize,
    scale: f64,
    v: Vec<f64>,
}

impl Descent for LinesNewton {
    fn name(&self) -> &'static str {
        "lines_newton"
    }

    fn summary(&self) -> &'static str {
        "Newton steps, line by line: `matrix` with `l1` on a factor, any loss"
    }

    fn applies(&self, problem: &Problem) -> bool {
        let applies = |axis| one_sign_at_a_time(problem, axis) && problem.regularizer.gauges[1 - axis].any_metric();
        problem.operator.is_none() && axis(problem).is_some_and(applies)
    }

    fn descend(&self, problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget) {
        let axis = axis(problem).expect("called only where it applies");
        let lines = Lines::new(problem, axis);
        let mut pieces = lines.pieces(x);
        let mut prediction = lines.predict(&pieces);
        let mut value = lines.value(&pieces, &prediction);
        let mut damping = 1e-3;
        for _ in 0..effort.sweeps {
            if budget.exhausted() || damping > 1e12 {
                break;
            }
            let (next, promised) = lines.step(&pieces, &prediction, damping);
            let trial = lines.predict(&next);
            let reached = lines.value(&next, &trial);
            let gained = value - reached;
            // also where a step too far has overflown
            let enough = gained >= 0.25 * promised;
            damping = if enough { (damping / 4.0).max(1e-12) } else { damping * 8.0 };
            if gained > 0.0 {
                (pieces, prediction, value) = (next, trial, reached);
            }
            if enough && gained <= effort.decrease || promised <= 1e-16 * value.abs() {
                break;
            }
        }
        let mut best = lines.factors(&pieces);
        problem.regularizer.balance(&mut best);
        if problem.objective(&best) <= problem.objective(x) {
            *x = best;
        }
    }
}

/// The problem by lines along an axis.
struct Lines<'a> {
    problem: &'a Problem,
    axis: usize,
    /// Observed positions of each line: (index along it, observation).
    positions: Vec<Vec<(usize, usize)>>,
    width: usize,
    /// Signs that are tried apart.
    signs: Vec<f64>,
}

impl<'a> Lines<'a> {
    fn new(problem: &'a Problem, axis: usize) -> Self {
        let (lone, other) = (&problem.regularizer.gauges[axis], &problem.regularizer.gauges[1 - axis]);
        let signs = if other.is_even() { &signs(lone)[..1] } else { signs(lone) }.to_vec();
        let count = line_count(&problem.observations, axis);
        let positions = (0..count).map(|l| line(&problem.observations, axis, l)).collect();
        Self { problem, axis, positions, width: line_count(&problem.observations, 1 - axis), signs }
    }

    /// The factors, line by line: no dearer than they are.
    fn pieces(&self, x: &Factors) -> Vec<Piece> {
        let (u, v) = (&x.0[self.axis], &x.0[1 - self.axis]);
        let lone = &self.problem.regularizer.gauges[self.axis];
        let even = self.problem.regularizer.gauges[1 - self.axis].is_even();
        let piece = |line: usize, a: f64| {
            let d = lone.weights().map_or(1.0, |d| d[line]);
            let mut sum = vec![0.0; self.width];
            for k in 0..u.ncols() {
                let share = if even { a * u[(line, k)] } else { (a * u[(line, k)]).max(0.0) };
                if share != 0.0 {
                    sum.iter_mut().zip(v.column(k).iter()).for_each(|(s, v)| *s += d * share * v);
                }
            }
            Piece { line, scale: a / d, v: sum }
        };
        let all = 0..self.positions.len();
        all.flat_map(|line| self.signs.iter().map(move |&a| (line, a))).map(|(line, a)| piece(line, a)).collect()
    }

    fn predict(&self, pieces: &[Piece]) -> Vec<f64> {
        let mut x = self.problem.offset.clone();
        x.resize(self.problem.y.len(), 0.0);
        for p in pieces {
            self.positions[p.line].iter().for_each(|&(j, at)| x[at] += p.scale * p.v[j]);
        }
        x
    }

    fn cost(&self, p: &Piece) -> f64 {
        self.problem.lambda * self.problem.regularizer.gauges[1 - self.axis].value(&p.v)
    }

    fn value(&self, pieces: &[Piece], prediction: &[f64]) -> f64 {
        let problem = self.problem;
        problem.loss.value(problem.targets(), prediction) + pieces.iter().map(|p| self.cost(p)).sum::<f64>()
    }

    /// The model's minimiser, and what it promises.
    fn step(&self, pieces: &[Piece], prediction: &[f64], damping: f64) -> (Vec<Piece>, f64) {
        let problem = self.problem;
        let (t, n) = (problem.targets(), prediction.len());
        let (mut slope, mut curvature) = (vec![0.0; n], vec![0.0; n]);
        problem.loss.gradient(t, prediction, &mut slope);
        problem.loss.local_curvature(t, prediction, &mut curvature);
        let bound = problem.loss.curvature();
        let top = if bound.is_finite() { bound } else { curvature.iter().fold(1e-300, |m: f64, c| m.max(*c)) };
        let other = &problem.regularizer.gauges[1 - self.axis];
        let mut promised = 0.0;
        let moved = pieces.iter().map(|p| {
            let (mut v, mut h, mut g) = (p.v.clone(), vec![0.0; self.width], vec![0.0; self.width]);
            for &(j, at) in &self.positions[p.line] {
                let damped = curvature[at] + damping * top * t.weight(at);
                h[j] = damped * self.signs.len() as f64 * p.scale * p.scale;
                g[j] = p.scale * slope[at];
                if h[j] > 0.0 {
                    v[j] -= g[j] / h[j];
                }
            }
            other.prox(&mut v, &h, problem.lambda);
            let next = Piece { line: p.line, scale: p.scale, v };
            let change = |j: usize| next.v[j] - p.v[j];
            let model: f64 = (0..self.width).map(|j| g[j] * change(j) + 0.5 * h[j] * change(j) * change(j)).sum();
            promised += self.cost(p) - self.cost(&next) - model;
            next
        });
        (moved.collect(), promised)
    }

    fn factors(&self, pieces: &[Piece]) -> Factors {
        let pieces: Vec<&Piece> = pieces.iter().filter(|p| p.v.iter().any(|v| *v != 0.0)).collect();
        let mut u = Mat::zeros(self.positions.len(), pieces.len());
        let mut v = Mat::zeros(self.width, pieces.len());
        for (k, p) in pieces.iter().enumerate() {
            u[(p.line, k)] = p.scale;
            v.column_mut(k).copy_from_slice(&p.v);
        }
        Factors(if self.axis == 0 { vec![u, v] } else { vec![v, u] })
    }
}
