//! The step in W: a least squares problem, block by block.

use crate::data::Operator;
use crate::linalg::lanczos::gaussian;
use crate::linalg::{Mat, dense};
use crate::problem::Problem;
use nalgebra::{Cholesky, Dyn};

/// Eigenvectors and eigenvalues of A'A of a side.
pub type Basis = (Mat, Vec<f64>);

/// A block of W and its part in the problem.
pub struct Block {
    /// Index of the sides of rows and columns.
    pub sides: (usize, usize),
    /// Where it begins in W.
    pub at: (usize, usize),
    /// Its rows and columns.
    pub shape: (usize, usize),
    /// Whether it is X.
    pub is_x: bool,
    /// Whether its diagonal has a norm of its own, other than the sum.
    pub normed: bool,
    /// Whether both its sides have conditions.
    pub signed: bool,
}

/// What the step in W divides by, in the bases of the sides.
pub struct Normal {
    weights: Mat,
    /// For measurements: B D^-1 (weights divided out) and the Cholesky factor of I + B D^-1 B'.
    measured: Option<(Mat, Cholesky<f64, Dyn>)>,
}

impl Normal {
    /// The weights of the copies of a block, and what measurements add; `None` if a factorization did not complete.
    pub fn new(problem: &Problem, b: &Block, bases: &[Basis], scale: f64) -> Option<Self> {
        let (p, q) = (&bases[b.sides.0], &bases[b.sides.1]);
        let measured = problem.operator.as_ref().filter(|_| b.is_x);
        let whole = 1.0 + f64::from(u8::from(b.is_x && measured.is_none()));
        let signs = f64::from(u8::from(b.signed));
        // a norm other than l2 goes with orthants alone, whose basis is that of the diagonal
        let diagonal = |i: usize, j: usize| f64::from(u8::from(b.normed && i == j));
        let weights = Mat::from_fn(b.shape.0, b.shape.1, |i, j| whole + signs * p.1[i] * q.1[j] + diagonal(i, j));
        let Some(a) = measured else { return Some(Self { weights, measured: None }) };
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
        Some(Self { weights, measured: Some((bd, gram.cholesky()?)) })
    }

    /// The block of W for a right-hand side, in the bases of its sides.
    pub fn solve(&self, right: &Mat, p: &Mat, q: &Mat) -> Mat {
        let mut s = dense::mul(&dense::tr_mul(p, right), q);
        s.component_div_assign(&self.weights);
        if let Some((bd, factor)) = &self.measured {
            // (D + B'B)^-1 = D^-1 - D^-1 B'(I + B D^-1 B')^-1 B D^-1
            let flat = s.component_mul(&self.weights).reshape_generic(Dyn(s.len()), Dyn(1));
            let back = dense::tr_mul(bd, &factor.solve(&dense::mul(bd, &flat)));
            s.iter_mut().zip(back.iter()).for_each(|(s, b)| *s -= b);
        }
        dense::mul_tr(&dense::mul(p, &s), q)
    }
}

/// About the largest singular value of the measurements, by a few power steps.
pub fn operator_norm(a: &Operator) -> f64 {
    let (m, n) = a.shape();
    let mut x = gaussian(m * n, 1, 7);
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
