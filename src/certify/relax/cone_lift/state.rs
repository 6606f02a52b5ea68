//! The alternating directions.

use super::super::admm::{self, Alternating, Penalty};
use super::super::envelope;
use super::normal::{Basis, Block, Normal, operator_norm};
use crate::certify::dual::cone_lift::{Shape, Side};
use crate::certify::dual::{ConeLift, Kind};
use crate::extra::Coefficients;
use crate::linalg::{Mat, dense};
use crate::mapping::Factors;
use crate::polar::field;
use crate::problem::Problem;

/// W, its copies and their multipliers.
pub struct State<'a> {
    problem: &'a Problem,
    shape: &'a Shape,
    blocks: Vec<Block>,
    /// Of each side.
    bases: Vec<Basis>,
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
    penalty: Penalty,
}

/// Whether h is the sum, so that its diagonal is lambda throughout.
fn is_trace(shape: &Shape, side: usize) -> bool {
    shape.sides[side].squares.name() == "l1"
}

impl<'a> State<'a> {
    /// From balanced slices; `None` if a decomposition did not converge.
    pub fn new(problem: &'a Problem, shape: &'a Shape, start: &Factors) -> Option<Self> {
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
        let basis = |side: &Side| {
            let n = side.length;
            match (&side.rows, side.orthant) {
                (Some(a), None) => {
                    let (values, vectors) = dense::symmetric_eigen(&dense::tr_mul(a, a))?;
                    Some((vectors, values.iter().map(|v| v.max(0.0)).collect()))
                }
                _ => Some((Mat::identity(n, n), vec![1.0; n])),
            }
        };
        let bases: Vec<Basis> = shape.sides.iter().map(basis).collect::<Option<_>>()?;
        let scale = problem.operator.as_ref().map_or(1.0, |a| 1.0 / operator_norm(a).max(f64::MIN_POSITIVE));
        let normals = blocks.iter().map(|b| Normal::new(problem, b, &bases, scale)).collect::<Option<_>>()?;
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
            penalty: Penalty::new(rho),
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
                admm.f_dual = if problem.operator.is_some() {
                    sized
                } else {
                    field::matrix(&problem.observations, &sized).data.into()
                };
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
            self.put(b, &normal.solve(&r, p, q), &mut w);
        }
        self.w = w;
    }

    /// The copy with the loss; returns the square of what it is off by.
    fn loss_step(&mut self, x: &Mat) -> f64 {
        let problem = self.problem;
        let seen = self.seen(x);
        let v: Vec<f64> = seen.iter().zip(&self.f_dual).map(|(a, b)| a + b).collect();
        let c = self.double * self.penalty.rho;
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
        let factor = self.double * self.penalty.rho;
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

impl Alternating for State<'_> {
    fn step(&mut self) -> Option<()> {
        let before = self.w.clone();
        self.least_squares();
        let (shape, rho) = (self.shape, self.penalty.rho);
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
        if let Some(change) = self.penalty.follow(primal, dual) {
            self.k_dual /= change;
            self.y_dual.iter_mut().for_each(|y| *y /= change);
            self.d_dual.iter_mut().flatten().chain(&mut self.f_dual).for_each(|u| *u /= change);
        }
        Some(())
    }

    fn point(&self) -> Kind {
        Kind::ConeLift(self.lift())
    }

    fn penalty(&self) -> &Penalty {
        &self.penalty
    }
}

/// The part of a symmetric matrix with its positive eigenvalues.
fn positive_part(v: &Mat) -> Option<Mat> {
    let (out, _) = admm::split(v)?;
    Some((&out + out.transpose()) * 0.5)
}
