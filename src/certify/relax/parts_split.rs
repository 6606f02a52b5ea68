//! Omega_rel = the sum of what every pair of norms says of its own, for sums of norms with any loss that is a sum over entries, missing
//! entries, weights and extra variables.
//!
//! ```text
//! min l(F) + lambda sum_k c_k Omega_k(P_k) + [Y >= 0]    subject to P_k = D_k X D_k', F = X, Y = X      (polar::parts)
//! ```
//!
//! Y only where both factors lie in orthants, in their sign; beside an orthant a factor's convex cone holds every line of Y. Alternating directions: the step in P_k leaves a part S_k inside its dual
//! ball, that in F a field Z inside the domain, and Z - sum of parts goes to 0 (below it where there are signs). The step in X is
//! divided out in the eigenvectors of D'D.

use super::admm::{self, Alternating, Penalty};
use super::{Goal, Relaxation, envelope, steps};
use crate::budget::Budget;
use crate::certify::Effort;
use crate::certify::dual::{Keeper, Kind, uniform_lambda};
use crate::extra::Coefficients;
use crate::linalg::{Mat, dense};
use crate::polar::bound::columns::cone_axis;
use crate::polar::bound::product_sign;
use crate::polar::parts::{Normal, Parts};
use crate::problem::Problem;

/// Sums of norms by splitting.
#[derive(Debug)]
pub struct PartsSplit;

/// Most entries of X, and the longest side.
const FIELD_LIMIT: usize = 250_000;
const SIDE_LIMIT: usize = 600;

impl Relaxation for PartsSplit {
    fn name(&self) -> &'static str {
        "parts_split"
    }

    fn describe(&self) -> &'static str {
        "a sum of norms taken apart pair by pair, for any loss and missing entries, by alternating directions"
    }

    fn applies(&self, problem: &Problem) -> bool {
        let (m, n) = problem.shape();
        let exact =
            super::inf_convolution::InfConvolution.applies(problem) && problem.extras.explicit().next().is_none();
        !exact
            && uniform_lambda(problem).is_some()
            && m * n <= FIELD_LIMIT
            && m.max(n) <= SIDE_LIMIT
            && envelope::applies(problem)
            && Parts::of(problem).is_some()
    }

    fn needs_point(&self) -> bool {
        true
    }

    fn flops(&self, problem: &Problem, effort: Effort) -> f64 {
        Parts::of(problem).map_or(0.0, |p| limit(problem, p.count(), effort) as f64 * cost(problem, p.count()))
    }

    fn offer(&self, problem: &Problem, goal: Goal, effort: Effort, budget: &Budget, keeper: &mut Keeper) {
        let (Some(parts), Some(lambda)) = (Parts::of(problem), uniform_lambda(problem)) else { return };
        let limit = limit(problem, parts.count(), effort);
        let Some(admm) = Admm::new(problem, parts, lambda) else { return };
        admm::offer(self, problem, goal, (limit, false), budget, keeper, admm);
    }
}

/// Flops of an iteration.
fn cost(problem: &Problem, parts: usize) -> f64 {
    let (m, n) = problem.shape();
    let field = (m * n) as f64;
    field * (parts as f64 * 12.0 * m.min(n) as f64 + 8.0 * (m + n) as f64 + 500.0)
}

/// Iterations that an effort pays for.
fn limit(problem: &Problem, parts: usize, effort: Effort) -> usize {
    steps(effort, cost(problem, parts)).min(3000)
}

struct Admm<'a> {
    problem: &'a Problem,
    parts: Parts,
    normal: Normal,
    lambda: f64,
    sign: Option<f64>,
    /// The axis of an orthant beside a convex cone.
    lines: Option<usize>,
    /// Place of each entry in the column-major X.
    at: Vec<usize>,
    x: Mat,
    p: Vec<Mat>,
    /// rho times the multipliers of P: parts inside their balls.
    s: Vec<Mat>,
    f: Mat,
    f_dual: Mat,
    y: Mat,
    y_dual: Mat,
    z: Vec<f64>,
    q: Coefficients,
    penalty: Penalty,
}

impl<'a> Admm<'a> {
    fn new(problem: &'a Problem, parts: Parts, lambda: f64) -> Option<Self> {
        let (m, n) = problem.shape();
        let zero = || Mat::zeros(m, n);
        Some(Self {
            problem,
            normal: parts.normal()?,
            lambda,
            sign: product_sign(problem),
            lines: cone_axis(problem),
            at: problem.observations.entries().map(|(i, j)| j * m + i).collect(),
            x: zero(),
            p: parts.zeros(),
            s: parts.zeros(),
            f: zero(),
            f_dual: zero(),
            y: zero(),
            y_dual: zero(),
            z: vec![0.0; problem.y.len()],
            q: problem.extras.zero(),
            penalty: Penalty::of_loss(problem),
            parts,
        })
    }

    /// The nearest Y.
    fn signed(&self, v: &Mat) -> Mat {
        if let Some(sign) = self.sign {
            return v.map(|v| if sign * v > 0.0 { v } else { 0.0 });
        }
        let Some(axis) = self.lines else { return v.clone() };
        let gauges = &self.problem.regularizer.gauges;
        let sign = gauges[axis].orthant().unwrap_or(1.0);
        let mut lines = if axis == 1 { v.clone() } else { v.transpose() } * sign;
        let rows = lines.nrows().max(1);
        if let Some(cone) = gauges[1 - axis].cone() {
            lines.as_mut_slice().chunks_mut(rows).for_each(|c| cone.project(c));
        }
        lines *= sign;
        if axis == 1 { lines } else { lines.transpose() }
    }
}

impl Alternating for Admm<'_> {
    fn step(&mut self) -> Option<()> {
        let rho = self.penalty.rho;
        let signed = self.sign.is_some() || self.lines.is_some();
        // X
        let pulled: Vec<Mat> = self.p.iter().zip(&self.s).map(|(p, s)| p - s / rho).collect();
        let mut right = self.parts.assemble(&pulled).0 + &self.f - &self.f_dual;
        if signed {
            right += &self.y - &self.y_dual;
        }
        let before = std::mem::replace(&mut self.x, self.normal.solve(&right, 1.0 + f64::from(u8::from(signed))));
        // P: what of V is inside the ball is the multiplier
        let mut v: Vec<Mat> = self.s.iter().map(|s| s / rho).collect();
        self.parts.add(&mut v, &self.x, 1.0);
        let mut s: Vec<Mat> = v.iter().map(|v| v * rho).collect();
        self.parts.project(&mut s, self.lambda)?;
        let mut off = 0.0;
        for ((p, v), (new, old)) in self.p.iter_mut().zip(&v).zip(s.iter().zip(&self.s)) {
            *p = v - new / rho;
            off += ((new - old) / rho).norm_squared();
        }
        self.s = s;
        // F
        let v = &self.x + &self.f_dual;
        let picked: Vec<f64> = self.at.iter().map(|&k| v[k]).collect();
        self.z = envelope::step(self.problem, &picked, rho, &mut self.q);
        self.f = v.clone();
        self.at.iter().zip(&self.z).for_each(|(&k, z)| self.f[k] += z / rho);
        off += (&self.x - &self.f).norm_squared();
        self.f_dual = v - &self.f;
        // Y
        if signed {
            let v = &self.x + &self.y_dual;
            self.y = self.signed(&v);
            off += (&self.x - &self.y).norm_squared();
            self.y_dual = v - &self.y;
        }
        let primal = off.sqrt() / self.x.norm().max(1e-12);
        let weight = self.z.iter().map(|z| z * z).sum::<f64>().sqrt() / rho;
        let dual = (&self.x - before).norm() / weight.max(1e-12);
        if let Some(change) = self.penalty.follow(primal, dual) {
            self.f_dual /= change;
            self.y_dual /= change;
        }
        Some(())
    }

    /// The field and its parts, for gauges with their weights.
    fn point(&self) -> Kind {
        let mut z = self.z.clone();
        self.problem.loss.repair(self.problem.targets(), &mut z);
        let plain = self.problem.lambda / self.lambda;
        Kind::Split { z, blocks: self.s.iter().map(|s| (s * plain).data.into()).collect() }
    }

    fn penalty(&self) -> &Penalty {
        &self.penalty
    }
}

impl Normal {
    /// (sum_k D_k'D_k . D_k'D_k + extra)^-1 of a right-hand side.
    fn solve(&self, right: &Mat, extra: f64) -> Mat {
        let mut inside = dense::mul(&dense::tr_mul(&self.u, right), &self.v);
        inside.iter_mut().zip(self.weights.iter()).for_each(|(x, w)| *x /= w + extra);
        dense::mul_tr(&dense::mul(&self.u, &inside), &self.v)
    }
}
