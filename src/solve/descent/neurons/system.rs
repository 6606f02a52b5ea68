//! The second-order system of a network at a point.

use super::{Frame, Local, Piece, Point};
use crate::linalg::{Mat, dense};

/// Gradient and Hessian of F in the free coordinates of every u_i and in all b_i.
pub(super) struct System {
    /// Bases of the free coordinates.
    free: Vec<Mat>,
    /// Where each neuron's coordinates start.
    starts: Vec<usize>,
    outputs: usize,
    pub(super) gradient: Mat,
    hessian: Mat,
}

impl System {
    pub(super) fn new(frame: &Frame, p: &Point, local: &Local, pieces: &[Piece]) -> Self {
        let (samples, q) = local.z.shape();
        let r = pieces.len();
        let lambda = frame.problem.lambda;
        let free: Vec<Mat> = p.held.iter().map(|h| frame.free(h)).collect();
        let mut starts = vec![0];
        free.iter().for_each(|f| starts.push(starts[starts.len() - 1] + f.ncols()));
        let inner = starts[r];
        let size = inner + q * r;
        let (mut gradient, mut hessian) = (Mat::zeros(size, 1), Mat::identity(size, size) * lambda);
        // D_i V N_i, and the hidden activations
        let mut sides = Mat::zeros(samples, inner);
        let mut hidden = Mat::zeros(samples, r);
        for (i, piece) in pieces.iter().enumerate() {
            let mut side = dense::mul(&frame.v, &free[i]);
            for (n, mut line) in side.row_iter_mut().enumerate() {
                if piece.active[n] {
                    hidden[(n, i)] = local.pre[(n, i)];
                } else {
                    line.fill(0.0);
                }
            }
            sides.columns_mut(starts[i], free[i].ncols()).copy_from(&side);
            gradient.rows_mut(starts[i], free[i].ncols()).copy_from(&free[i].tr_mul(&piece.gradient));
        }
        let pulled = dense::tr_mul(&local.z, &hidden);
        for i in 0..r {
            for o in 0..q {
                gradient[(inner + q * i + o, 0)] = lambda * p.b[(o, i)] - pulled[(o, i)];
            }
        }
        for o in 0..q {
            // the derivative of output o in the inner coordinates, and in b_io, times the root of the curvature
            let mut jacobian = Mat::zeros(samples, inner + r);
            let roots: Vec<f64> = local.curvature.column(o).iter().map(|c| c.sqrt()).collect();
            for i in 0..r {
                for k in starts[i]..starts[i + 1] {
                    for n in 0..samples {
                        jacobian[(n, k)] = sides[(n, k)] * p.b[(o, i)] * roots[n];
                    }
                }
                for n in 0..samples {
                    jacobian[(n, inner + i)] = hidden[(n, i)] * roots[n];
                }
            }
            let gram = dense::tr_mul(&jacobian, &jacobian);
            let place = |k: usize| if k < inner { k } else { inner + q * (k - inner) + o };
            for a in 0..inner + r {
                for b in 0..inner + r {
                    hessian[(place(a), place(b))] += gram[(a, b)];
                }
            }
            // d^2 / du_i db_io of the output itself
            let cross = dense::tr_mul(&sides, &local.z.columns(o, 1).into_owned());
            for i in 0..r {
                for k in starts[i]..starts[i + 1] {
                    hessian[(k, inner + q * i + o)] -= cross[(k, 0)];
                    hessian[(inner + q * i + o, k)] -= cross[(k, 0)];
                }
            }
        }
        Self { free, starts, outputs: q, gradient, hessian }
    }

    pub(super) fn scale(&self) -> f64 {
        self.hessian.diagonal().amax()
    }

    /// -(H + shift I)^-1 g, if that is positive definite.
    pub(super) fn solve(&self, shift: f64) -> Option<Mat> {
        let n = self.hessian.nrows();
        let shifted = &self.hessian + Mat::identity(n, n) * shift;
        Some(-shifted.cholesky()?.solve(&self.gradient))
    }

    /// The direction in U and B.
    pub(super) fn moves(&self, direction: &Mat) -> (Mat, Mat) {
        let (r, q) = (self.free.len(), self.outputs);
        let inner = self.starts[r];
        let d = self.free.first().map_or(0, Mat::nrows);
        let mut du = Mat::zeros(d, r);
        for i in 0..r {
            let part = &self.free[i] * direction.rows(self.starts[i], self.free[i].ncols());
            du.set_column(i, &part.column(0));
        }
        (du, Mat::from_fn(q, r, |o, i| direction[(inner + q * i + o, 0)]))
    }
}
