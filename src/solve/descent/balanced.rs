//! The balanced sum form over all factors joined in one vector, and the extra variables where they move along: value and gradient.

use super::Descent;
use super::columns::Columns;
use super::hals::Hals;
use super::metric::{Metric, power};
use crate::data::Observations;
use crate::extra::{Block, Penalty};
use crate::linalg::long::{self, dot};
use crate::linalg::sparse::Pattern;
use crate::linalg::{Mat, dense};
use crate::mapping::Factors;
use crate::problem::Problem;
use std::borrow::Cow;

/// Relative rounding of a value, below which two of them say nothing.
pub(super) const NOISE: f64 = 8.0 * f64::EPSILON;

/// The weight of a block under the l1 norm, whose unknowns are q+ and q-.
pub(super) fn l1_weight(b: &Block) -> Option<f64> {
    if let Penalty::L1(w) = b.penalty { Some(w) } else { None }
}

/// q from a block's unknowns.
pub(super) fn coefficients<'v>(b: &Block, unknowns: &'v [f64]) -> Cow<'v, [f64]> {
    match l1_weight(b) {
        None => Cow::Borrowed(unknowns),
        Some(_) => {
            let (up, down) = unknowns.split_at(b.len());
            Cow::Owned(up.iter().zip(down).map(|(p, n)| p - n).collect())
        }
    }
}

/// What belongs to a block's coefficients, for its unknowns; that of q- has the sign `down`.
pub(super) fn for_unknowns(b: &Block, mut v: Vec<f64>, down: f64) -> Vec<f64> {
    if l1_weight(b).is_some() {
        v.extend_from_within(..);
        v[b.len()..].iter_mut().for_each(|v| *v *= down);
    }
    v
}

/// The balanced form over all factors joined in one vector, and the extra variables where they move along.
pub(super) struct Balanced<'a> {
    problem: &'a Problem,
    rank: usize,
    /// The pattern of listed entries, which are reached line by line: the factors are then joined line by line.
    lines: Option<&'a Pattern>,
    metric: Vec<Metric>,
    /// One over the metric's diagonal, where it has no more.
    diagonal: Option<Vec<f64>>,
    /// ||Y||^2 / 2 where the loss needs no prediction.
    half_norm: Option<f64>,
    /// One over the curvature of every extra variable that moves along; none if they are held.
    extra_metric: Option<Vec<f64>>,
    /// What rounding of the prediction makes of a value.
    pub(super) noise: f64,
}

impl<'a> Balanced<'a> {
    pub(super) fn new(problem: &'a Problem, x: &Factors, joint: bool) -> Self {
        let lines = match &problem.observations {
            Observations::Coordinates(p) if problem.operator.is_none() && problem.mapping.name() == "matrix" => Some(p),
            _ => None,
        };
        let turned: Vec<Mat> = lines.iter().flat_map(|_| x.0.iter().map(dense::transpose)).collect();
        let by_lines = lines.and_then(|at| Metric::by_lines(problem, at, &turned));
        let metric = by_lines.unwrap_or_else(|| {
            let all = Metric::all(problem, x).into_iter();
            if lines.is_some() { all.map(Metric::turned).collect() } else { all.collect() }
        });
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
            let prediction = problem.beside_held(match lines {
                Some(at) => at.sampled_product_lines(turned[0].as_slice(), turned[1].as_slice(), x.rank()),
                None => problem.apply(x),
            });
            let z = problem.dual_field(&prediction);
            prediction.iter().zip(&z).map(|(p, z)| (p * z).abs()).sum()
        });
        let diagonal = metric.iter().all(Metric::is_diagonal).then(|| {
            let factors = metric.iter().map(|m| m.inverse.as_slice());
            factors.chain(extra_metric.as_deref()).collect::<Vec<_>>().concat()
        });
        Self { problem, rank: x.rank(), lines, metric, diagonal, half_norm, extra_metric, noise: NOISE * size }
    }

    /// The blocks of extra variables that move along.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (usize, &'a Block)> {
        self.problem.extras.explicit().filter(|_| self.extra_metric.is_some())
    }

    /// Their parts of the joined vector.
    pub(super) fn extras<'v>(&self, joined: &'v [f64]) -> Vec<&'v [f64]> {
        let mut rest = &joined[self.metric.iter().map(|m| m.inverse.len()).sum()..];
        let part = |(_, b): (usize, &Block)| {
            let (head, tail) = rest.split_at(b.len() * if l1_weight(b).is_some() { 2 } else { 1 });
            rest = tail;
            head
        };
        self.blocks().map(part).collect()
    }

    /// The factors in one vector.
    pub(super) fn join(&self, x: &Factors) -> Vec<f64> {
        let part = |x: &Mat| Vec::from(if self.lines.is_some() { dense::transpose(x) } else { x.clone() }.data);
        x.0.iter().map(part).collect::<Vec<_>>().concat()
    }

    pub(super) fn factors(&self, joined: &[f64]) -> Factors {
        let factor = |(x, d): (&[f64], usize)| match self.lines {
            Some(_) => dense::transpose(&Mat::from_column_slice(self.rank, d, x)),
            None => Mat::from_column_slice(d, self.rank, x),
        };
        Factors(self.parts(joined).into_iter().zip(self.problem.factor_rows()).map(factor).collect())
    }

    /// The factors as they are joined.
    fn parts<'v>(&self, joined: &'v [f64]) -> Vec<&'v [f64]> {
        let mut rest = joined;
        let factor = |d: usize| {
            let (head, tail) = rest.split_at(d * self.rank);
            rest = tail;
            head
        };
        self.problem.factor_rows().into_iter().map(factor).collect()
    }

    /// One over the metric's diagonal, where it has no more.
    pub(super) fn diagonal(&self) -> Option<&[f64]> {
        self.diagonal.as_deref()
    }

    /// v <- H^-1 v in every factor's metric.
    pub(super) fn precondition(&self, v: &mut [f64]) {
        let mut rest = v;
        for m in &self.metric {
            let (head, tail) = rest.split_at_mut(m.inverse.len());
            m.apply(head);
            rest = tail;
        }
        rest.iter_mut().zip(self.extra_metric.iter().flatten()).for_each(|(v, h)| *v *= h);
    }

    /// Sign every coordinate of the joined vector is confined to, 0 where free; empty where all are.
    pub(super) fn signs(&self, r: usize) -> Vec<f64> {
        let gauges = &self.problem.regularizer.gauges;
        let confined = |(_, b): (usize, &Block)| matches!(b.penalty, Penalty::L1(_) | Penalty::Nonnegative);
        if gauges.iter().all(|g| g.orthant().is_none()) && !self.blocks().any(confined) {
            return Vec::new();
        }
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
    pub(super) fn evaluate(&self, x: &[f64], ceiling: f64, out: &mut [f64]) -> f64 {
        let p = self.problem;
        let (degree, share) = power(p);
        let mut penalty = 0.0;
        let mut rest = &mut *out;
        for ((factor, d), gauge) in self.parts(x).into_iter().zip(p.factor_rows()).zip(&p.regularizer.gauges) {
            let (part, tail) = rest.split_at_mut(factor.len());
            let scale = f64::from(degree) * share * p.lambda;
            if degree == 2 && gauge.weights().is_none() {
                penalty += scale * long::scale(part, scale, factor) / 2.0;
                rest = tail;
                continue;
            }
            // there may be no slices
            let length = if self.lines.is_some() { self.rank } else { d }.max(1);
            for (i, (x, g)) in factor.chunks_exact(length).zip(part.chunks_exact_mut(length)).enumerate() {
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
            penalty += dot(factor, part) / f64::from(degree);
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
        penalty
            + match self.half_norm {
                Some(half_norm) => self.gram_loss(half_norm, &self.factors(x), ceiling - penalty, out),
                None => self.loss(x, &parts, ceiling - penalty, out),
            }
    }

    /// l(Phi_r(X) + A Q); its gradient is added to `out` unless it is above `ceiling`.
    fn loss(&self, joined: &[f64], q: &[&[f64]], ceiling: f64, out: &mut [f64]) -> f64 {
        let p = self.problem;
        let parts = self.parts(joined);
        let x = if self.lines.is_some() { Factors::empty(&[]) } else { self.factors(joined) };
        let mut prediction = match self.lines {
            Some(at) => at.sampled_product_lines(parts[0], parts[1], self.rank),
            None => p.apply(&x),
        };
        if self.extra_metric.is_some() {
            self.blocks().zip(q).for_each(|((_, b), q)| b.map.add(&coefficients(b, q), &mut prediction));
        } else {
            prediction = p.beside_held(prediction);
        }
        let value = p.loss.value(p.targets(), &prediction);
        if value <= ceiling {
            let z = p.dual_field(&prediction);
            let (of_factors, mut rest) = out.split_at_mut(parts.iter().map(|x| x.len()).sum());
            if let Some(at) = self.lines {
                let (u, v) = of_factors.split_at_mut(parts[0].len());
                at.add_mul_lines(-1.0, &z, (parts[1], self.rank), u);
                at.add_tr_mul_lines(-1.0, &z, (parts[0], self.rank), v);
            } else {
                let mut rest = of_factors;
                for pull in p.pullbacks(&z, &x) {
                    let (part, tail) = rest.split_at_mut(pull.len());
                    long::combine(part, 1.0, &[-1.0], &[pull.as_slice()]);
                    rest = tail;
                }
            }
            let extras = self.blocks().zip(q).map(|((_, b), q)| {
                let held = matches!(b.penalty, Penalty::L2(_)) && q.iter().all(|q| *q == 0.0);
                if held { vec![0.0; q.len()] } else { for_unknowns(b, b.map.adjoint(&z), -1.0) }
            });
            for pull in extras {
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
