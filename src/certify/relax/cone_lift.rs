//! The lift for cones given by halfspaces, norms of squares and any loss that is a sum over entries, of what is observed or
//! measured, with extra variables: the widest of the lifts, for m + n of a few hundred.
//!
//! ```text
//! Omega_rel(X) = min 1/2 (h_u(diag A) + h_v(diag B))     [[A, X], [X', B]] psd,  A_u A A_u' >= 0,  A_v B A_v' >= 0,
//!                                                        A_u X A_v' >= 0             (A_u u >= 0 and A_v v >= 0 are the cones)
//! psd:  Omega_rel(X) = h(diag X)                         X psd,  A X A' >= 0
//! ```
//!
//! Alternating directions between W = [[A, X], [X', B]] and copies of it: K is positive semidefinite, D has the diagonal's norms, Y
//! = G W G' >= 0 has the signs (G = diag(A_u, A_v)), F = X or what is measured of X has the loss. The step in W is a least squares
//! problem that the eigenvectors of A_u'A_u and A_v'A_v take apart; the multipliers are a [`ConeLift`] at every iteration.

use super::{Goal, Relaxation, envelope, source, steps};
use crate::budget::Budget;
use crate::certify::Effort;
use crate::certify::dual::cone_lift::Shape;
use crate::certify::dual::{ConeLift, DualPoint, Keeper, Kind, relative_gap};
use crate::extra::Coefficients;
use crate::linalg::{Mat, dense};
use crate::mapping::Factors;
use crate::problem::Problem;
use nalgebra::{Cholesky, Dyn};

/// The lift with every block.
#[derive(Debug)]
pub struct ConesLift;

/// Longest m + n.
const SIDE_LIMIT: usize = 320;
/// Most conditions of both cones together, and most measurements.
const ROW_LIMIT: usize = 640;
const MEASUREMENT_LIMIT: usize = 1500;
/// Iterations between readouts.
const READOUT: usize = 20;
/// Iterations after which the gap must have become smaller by this share of itself, and the most of them.
const PATIENCE: usize = 200;
const PROGRESS: f64 = 0.05;
const STEP_LIMIT: usize = 5000;

impl Relaxation for ConesLift {
    fn name(&self) -> &'static str {
        "cone_lift"
    }

    fn describe(&self) -> &'static str {
        "lift for orthants, halfspaces and norms of squares with any loss, by alternating directions"
    }

    fn applies(&self, problem: &Problem) -> bool {
        let Some(shape) = Shape::new(problem) else { return false };
        let rows: usize = shape.sides.iter().filter_map(|s| s.rows.as_ref()).map(Mat::nrows).sum();
        let plain = problem.regularizer.gauges.iter().all(|g| g.norm().name() == "l2");
        let few = problem.operator.as_ref().is_none_or(|a| a.len() <= MEASUREMENT_LIMIT);
        shape.order() <= SIDE_LIMIT
            && rows <= ROW_LIMIT
            && few
            && !(plain && rows == 0)
            && !served(problem)
            && envelope::applies(problem)
    }

    fn needs_point(&self) -> bool {
        true
    }

    fn flops(&self, problem: &Problem, effort: Effort) -> f64 {
        Shape::new(problem).map_or(0.0, |s| limit(problem, &s, effort) as f64 * cost(problem, &s))
    }

    fn offer(&self, problem: &Problem, goal: Goal, effort: Effort, budget: &Budget, keeper: &mut Keeper) {
        let (Some(shape), Some(start)) = (Shape::new(problem), goal.start) else { return };
        let steps = limit(problem, &shape, effort);
        let Some(mut admm) = Admm::new(problem, &shape, start) else { return };
        let mut checkpoint = f64::NEG_INFINITY;
        for step in 1..=steps {
            if admm.step().is_none() {
                return;
            }
            let last = step == steps || budget.exhausted() || admm.settled;
            if step % READOUT == 0 || last {
                keeper.offer(problem, &DualPoint { source: source(self), kind: Kind::ConeLift(admm.lift()) });
                if last || goal.met(keeper.value()) {
                    return;
                }
            }
            if step % PATIENCE == 0 {
                let reached = keeper.value().unwrap_or(f64::NEG_INFINITY);
                let gap = |bound: f64| relative_gap(goal.objective, bound);
                if checkpoint.is_finite() && gap(reached) > (1.0 - PROGRESS) * gap(checkpoint) {
                    return;
                }
                checkpoint = reached;
            }
        }
    }
}

/// Whether the lifts that are made for orthants and squared loss do the same.
fn served(problem: &Problem) -> bool {
    let l2 = problem.regularizer.gauges.iter().all(|g| g.norm().name() == "l2");
    let orthants = problem.regularizer.gauges.iter().all(|g| g.cone().is_none() || g.orthant().is_some());
    l2 && orthants
        && problem.extras.explicit().next().is_none()
        && [&super::lift_full::LiftFull as &dyn Relaxation, &super::nuclear_nonnegative::NuclearNonnegative]
            .iter()
            .any(|r| r.applies(problem) && (problem.mapping.name() == "psd" || r.name() == "lift_full"))
}

/// Iterations that an effort pays for.
fn limit(problem: &Problem, shape: &Shape, effort: Effort) -> usize {
    steps(effort, cost(problem, shape)).min(STEP_LIMIT)
}

/// Flops of an iteration.
fn cost(problem: &Problem, shape: &Shape) -> f64 {
    let n = shape.order() as f64;
    let rows: f64 = shape.sides.iter().filter_map(|s| s.rows.as_ref()).map(|a| a.nrows() as f64).sum();
    let (p, q) = problem.shape();
    let measured = problem.operator.as_ref().map_or(0, |a| a.len()) as f64;
    30.0 * n.powi(3)
        + 4.0 * rows * n * (rows + n)
        + measured * (2.0 * measured + 4.0 * (p * q) as f64)
        + 500.0 * (p * q) as f64
}

/// A block of W and its part in the problem.
struct Block {
    /// Index of the sides of rows and columns.
    sides: (usize, usize),
    /// Where it begins in W.
    at: (usize, usize),
    shape: (usize, usize),
    is_x: bool,
    /// Whether its diagonal has a norm of its own, other than the sum.
    normed: bool,
    /// Whether both its sides have conditions.
    signed: bool,
}

/// What the step in W divides by, in the bases of the sides.
struct Normal {
    weights: Mat,
    /// For measurements: B D^-1 (weights divided out) and the Cholesky factor of I + B D^-1 B'.
    measured: Option<(Mat, Cholesky<f64, Dyn>)>,
}

struct Admm<'a> {
    problem: &'a Problem,
    shape: &'a Shape,
    blocks: Vec<Block>,
    /// Eigenvectors and eigenvalues of A'A of each side.
    bases: Vec<(Mat, Vec<f64>)>,
    normals: Vec<Normal>,
    /// How often X stands in W.
    double: f64,
    w: Mat,
    k: Mat,
    k_dual: Mat,
    /// Per block, empty where it has no part in it: the diagonal, the signs, X or what is measured of it.
    d: Vec<Vec<f64>>,
    d_dual: Vec<Vec<f64>>,
    y: Vec<Mat>,
    y_dual: Vec<Mat>,
    f: Vec<f64>,
    f_dual: Vec<f64>,
    /// The scale of the measurements: B = scale A.
    scale: f64,
    /// The dual variable of the loss, inside its domain.
    z: Vec<f64>,
    q: Coefficients,
    rho: f64,
    count: usize,
    settled: bool,
}

/// Whether h is the sum, so that its diagonal is lambda throughout.
fn is_trace(shape: &Shape, side: usize) -> bool {
    shape.sides[side].squares.name() == "l1"
}

impl<'a> Admm<'a> {
    fn new(problem: &'a Problem, shape: &'a Shape, start: &Factors) -> Option<Self> {
        let (m, n) = problem.shape();
        let symmetric = shape.is_symmetric();
        let signed = |a: usize, b: usize| shape.sides[a].rows.is_some() && shape.sides[b].rows.is_some();
        let block = |sides: (usize, usize), at, dims, is_x| Block {
            sides,
            at,
            shape: dims,
            is_x,
            normed: sides.0 == sides.1 && !is_trace(shape, sides.0),
            signed: signed(sides.0, sides.1),
        };
        let blocks = if symmetric {
            vec![block((0, 0), (0, 0), (m, m), true)]
        } else {
            vec![
                block((0, 0), (0, 0), (m, m), false),
                block((0, 1), (0, m), (m, n), true),
                block((1, 1), (m, m), (n, n), false),
            ]
        };
        let basis = |side: &crate::certify::dual::cone_lift::Side| {
            let n = side.length;
            match (&side.rows, side.orthant) {
                (Some(a), None) => {
                    let (values, vectors) = dense::symmetric_eigen(&dense::tr_mul(a, a))?;
                    Some((vectors, values.iter().map(|v| v.max(0.0)).collect()))
                }
                _ => Some((Mat::identity(n, n), vec![1.0; n])),
            }
        };
        let bases: Vec<(Mat, Vec<f64>)> = shape.sides.iter().map(basis).collect::<Option<_>>()?;
        let scale = problem.operator.as_ref().map_or(1.0, |a| 1.0 / operator_norm(a).max(f64::MIN_POSITIVE));
        let normals = blocks.iter().map(|b| normal(problem, b, &bases, scale)).collect::<Option<_>>()?;
        // W = F F' from balanced slices, the multipliers from the residual
        let mut x = start.clone();
        problem.regularizer.balance(&mut x);
        let order = shape.order();
        let mut slices = Mat::zeros(order, x.rank());
        slices.rows_mut(0, m).copy_from(&x.0[0]);
        if !symmetric {
            slices.rows_mut(m, n).copy_from(&x.0[1]);
        }
        let w = dense::mul_tr(&slices, &slices);
        let double = if symmetric { 1.0 } else { 2.0 };
        let rho = shape.lambda * (order as f64).sqrt() / (double * w.norm()).max(1e-3 * shape.lambda);
        let mut q = problem.extras.zero();
        let phi = problem.apply(start);
        problem.fit_extras(&phi, &mut q);
        let mut prediction = phi.clone();
        prediction.iter_mut().zip(problem.extras.offset(&q, phi.len())).for_each(|(p, o)| *p += o);
        let z = problem.dual_field(&prediction);
        let mut admm = Self {
            problem,
            shape,
            bases,
            normals,
            double,
            k: w.clone(),
            k_dual: Mat::zeros(order, order),
            d: blocks.iter().map(|_| Vec::new()).collect(),
            d_dual: blocks.iter().map(|_| Vec::new()).collect(),
            y: Vec::new(),
            y_dual: Vec::new(),
            f: Vec::new(),
            f_dual: Vec::new(),
            scale,
            blocks,
            w,
            z,
            q,
            rho,
            count: 0,
            settled: false,
        };
        for k in 0..admm.blocks.len() {
            let x = admm.part(k);
            let b = &admm.blocks[k];
            let (normed, signed) = (b.normed, b.signed);
            if normed {
                let diagonal: Vec<f64> = (0..x.nrows()).map(|i| x[(i, i)]).collect();
                let even = shape.lambda / (double * rho * diagonal.len() as f64);
                (admm.d[k], admm.d_dual[k]) = (diagonal.clone(), vec![even; diagonal.len()]);
            }
            let y = if signed { admm.signs(k, &x) } else { Mat::zeros(0, 0) };
            admm.y_dual.push(Mat::zeros(y.nrows(), y.ncols()));
            admm.y.push(y);
            if admm.blocks[k].is_x {
                admm.f = admm.seen(&x);
                let sized: Vec<f64> = admm.z.iter().map(|z| -z / (double * rho * scale)).collect();
                admm.f_dual = if problem.operator.is_some() { sized } else { spread(problem, &sized).data.into() };
            }
        }
        // what balances the others
        admm.k_dual = -admm.pull(&|k| admm.f_dual_matrix(k), &|k| admm.y_dual[k].clone(), &admm.d_dual);
        Some(admm)
    }

    fn part(&self, k: usize) -> Mat {
        let b = &self.blocks[k];
        self.w.view(b.at, b.shape).into_owned()
    }

    /// A_u X A_v' of block k.
    fn signs(&self, k: usize, x: &Mat) -> Mat {
        let (a, b) = (&self.shape.sides[self.blocks[k].sides.0], &self.shape.sides[self.blocks[k].sides.1]);
        match (a.orthant, b.orthant, &a.rows, &b.rows) {
            (Some(s), Some(t), ..) => x * (s * t),
            (_, _, Some(a), Some(b)) => dense::mul_tr(&dense::mul(a, x), b),
            _ => Mat::zeros(0, 0),
        }
    }

    /// X, or the scaled measurements of it.
    fn seen(&self, x: &Mat) -> Vec<f64> {
        match &self.problem.operator {
            None => x.as_slice().to_vec(),
            Some(a) => a.apply(x.as_slice()).iter().map(|v| v * self.scale).collect(),
        }
    }

    /// The adjoint of `seen`.
    fn unseen(&self, f: &[f64]) -> Mat {
        let (m, n) = self.problem.shape();
        match &self.problem.operator {
            None => Mat::from_column_slice(m, n, f),
            Some(a) => Mat::from_vec(m, n, a.adjoint(f)) * self.scale,
        }
    }

    fn f_dual_matrix(&self, k: usize) -> Mat {
        if self.blocks[k].is_x { self.unseen(&self.f_dual) } else { Mat::zeros(0, 0) }
    }

    /// F + G'Y G + D, a sum over the blocks that have them, as a symmetric matrix.
    fn pull(&self, f: &dyn Fn(usize) -> Mat, y: &dyn Fn(usize) -> Mat, d: &[Vec<f64>]) -> Mat {
        let order = self.shape.order();
        let mut out = Mat::zeros(order, order);
        for (k, b) in self.blocks.iter().enumerate() {
            let mut sum = Mat::zeros(b.shape.0, b.shape.1);
            if b.is_x {
                sum += f(k);
            }
            if b.signed {
                sum += self.shape.sides[b.sides.0].between(&y(k), &self.shape.sides[b.sides.1]);
            }
            d[k].iter().enumerate().for_each(|(i, v)| sum[(i, i)] += v);
            self.put(b, &sum, &mut out);
        }
        out
    }

    fn put(&self, b: &Block, x: &Mat, out: &mut Mat) {
        if b.at.0 == b.at.1 {
            out.view_mut(b.at, b.shape).copy_from(&((x + x.transpose()) * 0.5));
        } else {
            out.view_mut(b.at, b.shape).copy_from(x);
            out.view_mut((b.at.1, b.at.0), (b.shape.1, b.shape.0)).copy_from(&x.transpose());
        }
    }

    /// The step in W.
    fn least_squares(&mut self) {
        let minus = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
        let diagonals: Vec<Vec<f64>> = self.d.iter().zip(&self.d_dual).map(|(d, u)| minus(d, u)).collect();
        let f = minus(&self.f, &self.f_dual);
        let rest = self.pull(&|_| self.unseen(&f), &|k| &self.y[k] - &self.y_dual[k], &diagonals);
        let right = rest + &self.k - &self.k_dual;
        let mut w = Mat::zeros(right.nrows(), right.ncols());
        for (b, normal) in self.blocks.iter().zip(&self.normals) {
            let r = right.view(b.at, b.shape).into_owned();
            let (p, q) = (&self.bases[b.sides.0].0, &self.bases[b.sides.1].0);
            let mut s = dense::mul(&dense::tr_mul(p, &r), q);
            s.component_div_assign(&normal.weights);
            if let Some((bd, factor)) = &normal.measured {
                // (D + B'B)^-1 = D^-1 - D^-1 B'(I + B D^-1 B')^-1 B D^-1
                let flat = Mat::from_column_slice(s.len(), 1, s.as_slice()).component_mul(&Mat::from_column_slice(
                    s.len(),
                    1,
                    normal.weights.as_slice(),
                ));
                let seen = factor.solve(&dense::mul(bd, &flat));
                let back = dense::tr_mul(bd, &seen);
                s.iter_mut().zip(back.iter()).for_each(|(s, b)| *s -= b);
            }
            self.put(b, &dense::mul_tr(&dense::mul(p, &s), q), &mut w);
        }
        self.w = w;
    }

    /// One iteration; `None` if a decomposition did not converge.
    fn step(&mut self) -> Option<()> {
        let before = self.w.clone();
        self.least_squares();
        let (shape, rho) = (self.shape, self.rho);
        let price = shape.lambda / (self.double * rho);
        // K
        let mut v = &self.w + &self.k_dual;
        let mut start = 0;
        for (k, side) in shape.sides.iter().enumerate() {
            if is_trace(shape, k) {
                (start..start + side.length).for_each(|i| v[(i, i)] -= price);
            }
            start += side.length;
        }
        let k_before = std::mem::replace(&mut self.k, positive_part(&v)?);
        self.k_dual += &self.w - &self.k;
        let mut off = (&self.w - &self.k).norm_squared();
        for k in 0..self.blocks.len() {
            let x = self.part(k);
            let b = &self.blocks[k];
            if b.normed {
                let mut d: Vec<f64> =
                    self.d_dual[k].iter().enumerate().map(|(i, u)| (x[(i, i)] + u).max(0.0)).collect();
                let h = &shape.sides[b.sides.0].squares;
                h.prox(&mut d, &vec![1.0; x.nrows()], price);
                for (i, d) in d.iter().enumerate() {
                    self.d_dual[k][i] += x[(i, i)] - d;
                    off += (x[(i, i)] - d).powi(2);
                }
                self.d[k] = d;
            }
            if b.signed {
                let signs = self.signs(k, &x);
                let y = (&signs + &self.y_dual[k]).map(|y| y.max(0.0));
                self.y_dual[k] += &signs - &y;
                off += (&signs - &y).norm_squared();
                self.y[k] = y;
            }
            if self.blocks[k].is_x {
                off += self.loss_step(&x);
            }
        }
        let size = self.w.norm().max(1e-12);
        let primal = off.sqrt() / size;
        let dual = (&self.w - before).norm().max((&self.k - k_before).norm()) / self.k_dual.norm().max(1e-12);
        self.settled = primal.max(dual) < 1e-10;
        self.count += 1;
        if self.count.is_multiple_of(10) {
            let change: f64 = if primal > 3.0 * dual {
                1.4
            } else if dual > 3.0 * primal {
                1.0 / 1.4
            } else {
                1.0
            };
            self.rho *= change;
            self.k_dual /= change;
            self.y_dual.iter_mut().for_each(|y| *y /= change);
            self.d_dual.iter_mut().flatten().chain(&mut self.f_dual).for_each(|u| *u /= change);
        }
        Some(())
    }

    /// The copy with the loss; returns the square of what it is off by.
    fn loss_step(&mut self, x: &Mat) -> f64 {
        let problem = self.problem;
        let seen = self.seen(x);
        let v: Vec<f64> = seen.iter().zip(&self.f_dual).map(|(a, b)| a + b).collect();
        let c = self.double * self.rho;
        let mut f = v.clone();
        if problem.operator.is_some() {
            // F = scale A X, in units of the measurements: c scale^2 for c
            let plain: Vec<f64> = v.iter().map(|v| v / self.scale).collect();
            let weight = c * self.scale * self.scale;
            self.z = envelope::step(problem, &plain, weight, &mut self.q);
            f.iter_mut().zip(&self.z).for_each(|(f, z)| *f += z / (c * self.scale));
        } else {
            let rows = problem.shape().0;
            let at: Vec<usize> = problem.observations.entries().map(|(i, j)| j * rows + i).collect();
            let picked: Vec<f64> = at.iter().map(|&k| v[k]).collect();
            self.z = envelope::step(problem, &picked, c, &mut self.q);
            at.iter().zip(&self.z).for_each(|(&k, z)| f[k] += z / c);
        }
        let mut off = 0.0;
        for ((u, s), f) in self.f_dual.iter_mut().zip(&seen).zip(&f) {
            *u += s - f;
            off += (s - f) * (s - f);
        }
        self.f = f;
        off
    }

    /// The multipliers as a dual point.
    fn lift(&self) -> ConeLift {
        let factor = self.double * self.rho;
        let mut lift = ConeLift {
            z: self.z.clone(),
            own: Default::default(),
            cross: Vec::new(),
            diagonals: [0, 1].map(|k| {
                let length = self.shape.sides.get(k).map_or(0, |s| s.length);
                vec![self.shape.lambda; length]
            }),
        };
        self.problem.loss.repair(self.problem.targets(), &mut lift.z);
        for (k, b) in self.blocks.iter().enumerate() {
            if b.normed {
                lift.diagonals[b.sides.0] = self.d_dual[k].iter().map(|u| (factor * u).max(0.0)).collect();
            }
            if b.signed {
                let n: Vec<f64> = self.y_dual[k].iter().map(|y| (-factor * y).max(0.0)).collect();
                if b.is_x { lift.cross = n } else { lift.own[b.sides.0] = n }
            }
        }
        lift
    }
}

/// The part of a symmetric matrix with its positive eigenvalues.
fn positive_part(v: &Mat) -> Option<Mat> {
    let (values, vectors) = dense::symmetric_eigen(v)?;
    let count = values.iter().filter(|x| **x > 0.0).count();
    let few = 2 * count <= values.len();
    let chosen: Vec<usize> = (0..values.len()).filter(|&i| (values[i] > 0.0) == few).collect();
    let mut part = vectors.select_columns(&chosen);
    let plain = part.clone();
    part.column_iter_mut().zip(&chosen).for_each(|(mut c, &i)| c *= values[i].abs());
    let part = dense::mul_tr(&part, &plain);
    let out = if few { part } else { v + part };
    Some((&out + out.transpose()) * 0.5)
}

/// A field over the observed entries as a matrix.
fn spread(problem: &Problem, z: &[f64]) -> Mat {
    let (m, n) = problem.shape();
    let mut out = Mat::zeros(m, n);
    problem.observations.entries().zip(z).for_each(|(e, z)| out[e] = *z);
    out
}

/// About the largest singular value of the measurements, by a few power steps.
fn operator_norm(a: &crate::data::Operator) -> f64 {
    let (m, n) = a.shape();
    let mut x = crate::linalg::lanczos::gaussian(m * n, 1, 7);
    let mut size = 0.0;
    for _ in 0..20 {
        let norm = x.norm();
        if norm == 0.0 {
            return 0.0;
        }
        x /= norm;
        let y = a.apply(x.as_slice());
        size = y.iter().map(|y| y * y).sum::<f64>().sqrt();
        x = Mat::from_vec(m * n, 1, a.adjoint(&y));
    }
    size
}

/// The weights of the copies of a block, and what measurements add.
fn normal(problem: &Problem, b: &Block, bases: &[(Mat, Vec<f64>)], scale: f64) -> Option<Normal> {
    let (p, q) = (&bases[b.sides.0], &bases[b.sides.1]);
    let measured = problem.operator.as_ref().filter(|_| b.is_x);
    let whole = 1.0 + f64::from(u8::from(b.is_x && measured.is_none()));
    let signs = f64::from(u8::from(b.signed));
    // a norm other than l2 goes with orthants alone, whose basis is that of the diagonal
    let diagonal = |i: usize, j: usize| f64::from(u8::from(b.normed && i == j));
    let weights = Mat::from_fn(b.shape.0, b.shape.1, |i, j| whole + signs * p.1[i] * q.1[j] + diagonal(i, j));
    let Some(a) = measured else { return Some(Normal { weights, measured: None }) };
    // every measurement in the bases, divided by the weights
    let count = a.len();
    let mut bd = Mat::zeros(count, weights.len());
    let mut gram = Mat::identity(count, count);
    let mut rows = Mat::zeros(count, weights.len());
    for k in 0..count {
        let mut unit = vec![0.0; count];
        unit[k] = scale;
        let row = Mat::from_vec(b.shape.0, b.shape.1, a.adjoint(&unit));
        let turned = dense::mul(&dense::tr_mul(&p.0, &row), &q.0);
        for (j, (t, w)) in turned.iter().zip(weights.iter()).enumerate() {
            rows[(k, j)] = *t;
            bd[(k, j)] = t / w;
        }
    }
    gram += dense::mul_tr(&bd, &rows);
    let gram = (&gram + gram.transpose()) * 0.5;
    Some(Normal { weights, measured: Some((bd, gram.cholesky()?)) })
}
