//! Networks of two layers: L-BFGS, then Newton steps that hold kinks.
//!
//! ```text
//! F(U, B) = l(sum_i (V u_i)_+ b_i') + lambda/2 sum_i (||u_i||^2 + ||b_i||^2)
//! ```
//!
//! is smooth as long as no v_n'u_i changes its sign, and most minima have some v_n'u_i = 0, where smooth descent stalls. So every
//! neuron has a set of *held* rows, v_n'u_i = 0, and moves in their null space:
//!
//! ```text
//! hold      a step that is spoilt by a row which it makes change sign ends there
//! release   u_i is best with its rows held if grad_i = sum_n alpha_n v_n with z_n'b_i <= alpha_n <= 0;   otherwise the worst goes,
//!           to the side that alpha_n says
//! ```
//!
//! with grad_i that of the piece in which held rows are inactive and z = -grad l. Neurons that nearly coincide are joined:
//! on one piece phi is linear, so their sum costs no more. Gauges' weights are divided out of V and of the outputs.

mod system;

use super::{Descent, Effort, lbfgs};
use crate::budget::Budget;
use crate::linalg::{Mat, dense};
use crate::mapping::{Factors, relu};
use crate::polar::neurons::{applies, independent};
use crate::problem::Problem;
use system::System;

/// L-BFGS and Newton on kinks.
#[derive(Debug)]
pub struct Neurons;

/// Unknowns above which no Hessian is formed.
const UNKNOWNS: usize = 900;
/// Newton steps of one descent.
const STEPS: usize = 100;
/// A row counts as met by a neuron when its angle to it is this small, and is tried as a held one when it is below the second.
const MET: f64 = 1e-12;
const NEAR: f64 = 1e-6;
/// Directions that are tried to be joined have at least this cosine.
const ALIKE: f64 = 0.9;

impl Descent for Neurons {
    fn name(&self) -> &'static str {
        "neurons"
    }

    fn summary(&self) -> &'static str {
        "L-BFGS, then Newton steps that hold kinks: `relu` with `l2`"
    }

    fn applies(&self, problem: &Problem) -> bool {
        problem.mapping.name() == relu::KIND.name && applies(problem)
    }

    fn descend(&self, problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget) {
        problem.regularizer.balance(x);
        if x.rank() == 0 {
            return;
        }
        join(problem, x);
        lbfgs::descend_smooth(problem, x, Effort { sweeps: effort.sweeps.min(300), ..effort }, budget);
        join(problem, x);
        polish(problem, x, effort, budget);
        join(problem, x);
    }
}

/// Joins neurons while that lowers the objective.
pub(super) fn join(problem: &Problem, x: &mut Factors) {
    problem.regularizer.balance(x);
    let mut value = problem.objective(x);
    let mut i = 0;
    while i < x.rank() {
        let mut k = i + 1;
        while k < x.rank() {
            if let Some((joined, reached)) = joined(problem, x, i, k).filter(|j| j.1 <= value) {
                (*x, value) = (joined, reached);
            } else {
                k += 1;
            }
        }
        i += 1;
    }
}

/// Neurons i < k as one, if they are alike.
fn joined(problem: &Problem, x: &Factors, i: usize, k: usize) -> Option<(Factors, f64)> {
    let cosine = |m: &Mat| m.column(i).dot(&m.column(k)) / (m.column(i).norm() * m.column(k).norm());
    let alike = x.0.iter().all(|m| cosine(m) > ALIKE);
    if !alike {
        return None;
    }
    // phi(u, b) = (V u ||b||)_+ b' / ||b||
    let mut out = x.clone();
    let sizes = [i, k].map(|c| x.0[1].column(c).norm());
    let u = x.0[0].column(i) * sizes[0] + x.0[0].column(k) * sizes[1];
    let weights = [i, k].map(|c| x.0[0].column(c).norm());
    let b = x.0[1].column(i) * weights[0] + x.0[1].column(k) * weights[1];
    let scale = b.norm();
    out.0[0].set_column(i, &u);
    out.0[1].set_column(i, &(b / scale));
    out.keep(&(0..x.rank()).map(|c| c != k).collect::<Vec<_>>());
    problem.regularizer.balance(&mut out);
    let value = problem.objective(&out);
    Some((out, value))
}

/// The problem without its gauges' weights.
struct Frame<'a> {
    problem: &'a Problem,
    v: Mat,
    lengths: Vec<f64>,
    /// One over the weights of the outputs.
    outputs: Vec<f64>,
    weights: Option<Vec<f64>>,
}

/// Where the Newton steps are: U, B in the frame, and the rows held by every neuron.
#[derive(Clone)]
struct Point {
    u: Mat,
    b: Mat,
    held: Vec<Vec<usize>>,
}

/// What is known at a point.
struct Local {
    value: f64,
    /// V U.
    pre: Mat,
    /// z = -grad l over the outputs' weights, N x q.
    z: Mat,
    /// Curvature of the loss over their squares, N x q.
    curvature: Mat,
}

impl<'a> Frame<'a> {
    fn new(problem: &'a Problem) -> Self {
        let gauges = &problem.regularizer.gauges;
        let mut v = problem.mapping.inputs().expect("a network").clone();
        if let Some(d) = gauges[0].weights() {
            v.column_iter_mut().zip(d).for_each(|(mut c, d)| c /= *d);
        }
        let q = problem.shape().1;
        let outputs = gauges[1].weights().map_or(vec![1.0; q], |d| d.iter().map(|d| 1.0 / d).collect());
        let lengths = v.row_iter().map(|r| r.norm()).collect();
        Self { problem, v, lengths, outputs, weights: gauges[0].weights().map(<[f64]>::to_vec) }
    }

    fn point(&self, x: &Factors) -> Point {
        let mut p = Point { u: x.0[0].clone(), b: x.0[1].clone(), held: vec![Vec::new(); x.rank()] };
        if let Some(d) = &self.weights {
            p.u.row_iter_mut().zip(d).for_each(|(mut r, d)| r *= *d);
        }
        p.b.row_iter_mut().zip(&self.outputs).for_each(|(mut r, s)| r /= *s);
        p
    }

    fn factors(&self, p: &Point) -> Factors {
        let (mut u, mut b) = (p.u.clone(), p.b.clone());
        if let Some(d) = &self.weights {
            u.row_iter_mut().zip(d).for_each(|(mut r, d)| r /= *d);
        }
        b.row_iter_mut().zip(&self.outputs).for_each(|(mut r, s)| r *= *s);
        Factors(vec![u, b])
    }

    /// F.
    fn value(&self, p: &Point) -> f64 {
        let problem = self.problem;
        let prediction = problem.predict(&self.factors(p));
        let squares = p.u.norm_squared() + p.b.norm_squared();
        problem.loss.value(problem.targets(), &prediction) + 0.5 * problem.lambda * squares
    }

    fn local(&self, p: &Point) -> Local {
        let problem = self.problem;
        let prediction = problem.predict(&self.factors(p));
        let squares = p.u.norm_squared() + p.b.norm_squared();
        let value = problem.loss.value(problem.targets(), &prediction) + 0.5 * problem.lambda * squares;
        let (n, q) = problem.shape();
        let (mut z, mut curvature) = (Mat::zeros(n, q), Mat::zeros(n, q));
        let fields = problem.dual_field(&prediction).into_iter().zip(problem.curvature(&prediction));
        for ((i, o), (g, c)) in problem.observations.entries().zip(fields) {
            z[(i, o)] = g * self.outputs[o];
            curvature[(i, o)] = c * self.outputs[o] * self.outputs[o];
        }
        Local { value, pre: dense::mul(&self.v, &p.u), z, curvature }
    }

    fn row(&self, n: usize) -> Vec<f64> {
        self.v.row(n).iter().copied().collect()
    }

    /// An orthonormal basis of the held rows of a neuron.
    fn span(&self, held: &[usize]) -> Vec<Vec<f64>> {
        let mut basis: Vec<Vec<f64>> = Vec::new();
        for &n in held {
            basis.extend(independent(&basis, &self.row(n), self.lengths[n]));
        }
        basis
    }

    /// An orthonormal basis of the null space of its held rows, d x (d - number).
    fn free(&self, held: &[usize]) -> Mat {
        let d = self.v.ncols();
        let mut basis = self.span(held);
        let fixed = basis.len();
        let mut unit = 0;
        while basis.len() < d && unit < d {
            let mut e = vec![0.0; d];
            e[unit] = 1.0;
            // a unit vector that is nearly spanned is left to later ones
            basis.extend(independent(&basis, &e, 1e7));
            unit += 1;
        }
        for unit in 0..d {
            if basis.len() < d {
                let mut e = vec![0.0; d];
                e[unit] = 1.0;
                basis.extend(independent(&basis, &e, 1.0));
            }
        }
        Mat::from_iterator(d, basis.len() - fixed, basis[fixed..].iter().flatten().copied())
    }

    /// Holds a row, if it is independent of those held; the neuron is moved onto it.
    fn hold(&self, p: &mut Point, i: usize, n: usize) -> bool {
        let basis = self.span(&p.held[i]);
        if basis.len() + 1 >= self.v.ncols() || independent(&basis, &self.row(n), self.lengths[n]).is_none() {
            return false;
        }
        p.held[i].push(n);
        self.onto(p, i);
        true
    }

    /// Moves neuron i to where its held rows are met.
    fn onto(&self, p: &mut Point, i: usize) {
        let free = self.free(&p.held[i]);
        let u = &free * free.tr_mul(&p.u.column(i));
        p.u.set_column(i, &u);
    }
}

/// Newton steps from x; the objective never rises.
fn polish(problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget) {
    let frame = Frame::new(problem);
    let (d, r) = x.0[0].shape();
    let start = problem.objective(x);
    if r * (d + x.0[1].nrows()) > UNKNOWNS || !start.is_finite() {
        return;
    }
    let mut p = frame.point(x);
    let near = frame.local(&p);
    for i in 0..r {
        let back = near.back(&p, i);
        let mut rows: Vec<(f64, usize)> = (0..frame.lengths.len())
            .filter(|&n| back[n] < 0.0)
            .map(|n| (near.pre[(n, i)].abs() / (frame.lengths[n] * p.u.column(i).norm()), n))
            .filter(|(distance, _)| *distance < NEAR)
            .collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        rows.iter().for_each(|(_, n)| {
            frame.hold(&mut p, i, *n);
        });
    }
    let mut damping = 1e-6;
    let mut stalled = 0;
    for _ in 0..STEPS.min(effort.sweeps) {
        if budget.exhausted() {
            break;
        }
        match frame.step(&mut p, &mut damping) {
            Some(decrease) if decrease > effort.decrease => stalled = 0,
            Some(_) if stalled < 3 => stalled += 1,
            _ => break,
        }
    }
    let mut reached = frame.factors(&p);
    problem.regularizer.balance(&mut reached);
    if problem.objective(&reached) <= start {
        *x = reached;
    }
}

impl Local {
    /// z b_i.
    fn back(&self, p: &Point, i: usize) -> Vec<f64> {
        (&self.z * p.b.column(i)).iter().copied().collect()
    }

    /// Rows that a neuron meets or holds.
    fn met(&self, frame: &Frame, p: &Point, i: usize) -> Vec<bool> {
        let size = p.u.column(i).norm();
        (0..self.pre.nrows()).map(|n| self.pre[(n, i)].abs() <= MET * frame.lengths[n] * size).collect()
    }
}

/// The piece that a neuron is on: its active rows, its gradient in u, its back-propagated field.
struct Piece {
    active: Vec<bool>,
    met: Vec<bool>,
    back: Vec<f64>,
    gradient: Mat,
}

impl Frame<'_> {
    fn piece(&self, p: &Point, local: &Local, i: usize) -> Piece {
        let met = local.met(self, p, i);
        let active: Vec<bool> = (0..met.len()).map(|n| !met[n] && local.pre[(n, i)] > 0.0).collect();
        let mut piece = Piece { active, met, back: local.back(p, i), gradient: Mat::zeros(0, 0) };
        piece.gradient = self.gradient(p, &piece, i);
        piece
    }

    /// lambda u_i - V' D_i z b_i.
    fn gradient(&self, p: &Point, piece: &Piece, i: usize) -> Mat {
        let masked = piece.back.iter().zip(&piece.active).map(|(b, a)| if *a { *b } else { 0.0 });
        let masked = Mat::from_iterator(piece.back.len(), 1, masked);
        p.u.columns(i, 1) * self.problem.lambda - self.v.tr_mul(&masked)
    }

    /// 1 or -1 for rows that point the same or the opposite way, 0 for others.
    fn along(&self, n: usize, h: usize) -> f64 {
        let cosine = self.v.row(n).dot(&self.v.row(h)) / (self.lengths[h] * self.lengths[n]);
        if cosine.abs() > 1.0 - 1e-12 { cosine.signum() } else { 0.0 }
    }

    /// The held row that neuron i is better off without, and whether it becomes active; `None` while the rest of the gradient is
    /// larger than what that promises.
    fn worst(&self, p: &Point, piece: &Piece, i: usize) -> Option<(usize, bool)> {
        let held = &p.held[i];
        if held.is_empty() {
            return None;
        }
        let rows = Mat::from_fn(self.v.ncols(), held.len(), |j, k| self.v[(held[k], j)] / self.lengths[held[k]]);
        let gram = rows.tr_mul(&rows);
        let alpha = gram.cholesky()?.solve(&rows.tr_mul(&piece.gradient));
        let rest = (&piece.gradient - &rows * &alpha).norm();
        let mut worst: Option<(f64, usize, bool)> = None;
        for (k, &h) in held.iter().enumerate() {
            // rows along the held one are met with it, those that point the other way from the other side
            let (mut low, mut high) = (0.0, 0.0);
            for n in (0..piece.met.len()).filter(|&n| piece.met[n]) {
                match self.along(n, h) {
                    a if a > 0.0 => low += piece.back[n] * self.lengths[n],
                    a if a < 0.0 => high -= piece.back[n] * self.lengths[n],
                    _ => {}
                }
            }
            for (excess, active) in [(low - alpha[(k, 0)], true), (alpha[(k, 0)] - high, false)] {
                if worst.is_none_or(|w| excess > w.0) {
                    worst = Some((excess, k, active));
                }
            }
        }
        let scale = piece.gradient.norm() + self.problem.lambda * p.u.column(i).norm();
        worst.filter(|w| w.0 > rest.max(1e-12 * scale)).map(|w| (w.1, w.2))
    }

    /// One damped Newton step; the decrease, or `None` where nothing more is to be gained.
    fn step(&self, p: &mut Point, damping: &mut f64) -> Option<f64> {
        let local = self.local(p);
        let r = p.u.ncols();
        let mut pieces: Vec<Piece> = (0..r).map(|i| self.piece(p, &local, i)).collect();
        let mut from = p.clone();
        let mut released = false;
        for i in 0..r {
            if let Some((k, active)) = self.worst(p, &pieces[i], i) {
                let h = from.held[i].remove(k);
                released = true;
                let piece = &mut pieces[i];
                for n in (0..piece.met.len()).filter(|&n| piece.met[n]) {
                    match self.along(n, h) {
                        a if a > 0.0 => piece.active[n] = active,
                        a if a < 0.0 => piece.active[n] = !active,
                        _ => {}
                    }
                }
                piece.gradient = self.gradient(p, piece, i);
            }
        }
        let system = System::new(self, &from, &local, &pieces);
        let scale = system.scale();
        for _ in 0..14 {
            if let Some(direction) = system.solve(*damping * scale) {
                let promised = -system.gradient.dot(&direction);
                if promised <= 1e-17 * local.value.abs() && !released {
                    return None;
                }
                if let Some((next, value)) = self.advance(&from, &local, &pieces, &system, &direction, promised) {
                    *damping = if *damping < 1e-12 { 0.0 } else { *damping * 0.1 };
                    *p = next;
                    return Some(local.value - value);
                }
            }
            *damping = (*damping * 10.0).max(1e-10);
            if *damping > 1e8 {
                break;
            }
        }
        None
    }

    /// Where a direction leads: all the way if that lowers F as it should, else to the first kinks in its way, which are held.
    fn advance(
        &self,
        from: &Point,
        local: &Local,
        pieces: &[Piece],
        system: &System,
        direction: &Mat,
        promised: f64,
    ) -> Option<(Point, f64)> {
        let (du, db) = system.moves(direction);
        let room = 4e-16 * local.value.abs();
        let moved = |t: &dyn Fn(usize) -> f64| {
            let mut next = from.clone();
            for i in 0..du.ncols() {
                next.u.column_mut(i).axpy(t(i), &du.column(i), 1.0);
                next.b.column_mut(i).axpy(t(i), &db.column(i), 1.0);
            }
            next
        };
        let whole = moved(&|_| 1.0);
        let value = self.value(&whole);
        if value <= local.value - 0.2 * promised + room {
            return Some((whole, value));
        }
        // the first convex kink on every neuron's way
        let shift = dense::mul(&self.v, &du);
        let blocking: Vec<Option<(f64, usize)>> = (0..du.ncols())
            .map(|i| {
                (0..shift.nrows())
                    .filter(|&n| {
                        let before = local.pre[(n, i)];
                        !pieces[i].met[n] && pieces[i].back[n] < 0.0 && before * (before + shift[(n, i)]) < 0.0
                    })
                    .map(|n| (-local.pre[(n, i)] / shift[(n, i)], n))
                    .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
            })
            .collect();
        let held = |mut next: Point, only: Option<usize>| {
            for (i, found) in blocking.iter().enumerate().filter(|(i, _)| only.is_none_or(|o| o == *i)) {
                if let Some((_, n)) = found {
                    self.hold(&mut next, i, *n);
                }
            }
            let value = self.value(&next);
            (value < local.value).then_some((next, value))
        };
        let own = |i: usize| blocking[i].map_or(1.0, |b| b.0);
        let first =
            (0..blocking.len()).filter(|&i| blocking[i].is_some()).min_by(|&a, &b| own(a).total_cmp(&own(b)))?;
        held(moved(&own), None)
            .or_else(|| held(moved(&|_| own(first)), Some(first)))
            .or_else(|| (value < local.value).then_some((whole, value)))
    }
}
