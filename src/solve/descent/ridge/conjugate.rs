//! Conjugate gradients on some rows in step, preconditioned by a diagonal; those of few entries are solved instead.

use super::direct::DIRECT;
use super::pass::by_vectors;
use super::{Rows, Side};
use crate::linalg::simd::{HELD, Simd, WithSimd, axpy, dot};
use std::ops::Range;

/// The share of a row's first gradient, squared, that is as good as none.
const NOTHING: f64 = 1e-20;

/// Improves the rows.
pub(super) struct Descend<'a> {
    pub(super) at: Rows<'a>,
    pub(super) u: &'a mut [f64],
    pub(super) steps: usize,
    pub(super) metric: Option<&'a [f64]>,
    pub(super) scratch: &'a mut Scratch,
}

/// What conjugate gradients on some rows remember.
pub(super) struct Scratch {
    residual: Vec<f64>,
    direction: Vec<f64>,
    image: Vec<f64>,
    /// Per row: the squared residual in the metric, what of it is as good as none, and the bend along the direction.
    size: Vec<f64>,
    enough: Vec<f64>,
    bend: Vec<f64>,
    /// Rows that are not done.
    on: Vec<bool>,
}

impl Scratch {
    pub(super) fn new(rows: usize, stride: usize) -> Self {
        let [residual, direction, image] = [(); 3].map(|()| vec![0.0; rows * stride]);
        let [size, enough, bend] = [(); 3].map(|()| vec![0.0; rows]);
        Self { residual, direction, image, size, enough, bend, on: vec![true; rows] }
    }
}

impl WithSimd for Descend<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (i, u) in self.u.chunks_exact_mut(self.at.stride).enumerate() {
            let direct = self.metric.is_some() && self.at.entries(i).0.len() <= DIRECT;
            self.scratch.on[i] = !(direct && self.at.solve(simd, i, u));
        }
        if self.scratch.on.contains(&true) {
            by_vectors!(self, simd);
        }
    }
}

impl Descend<'_> {
    /// Conjugate gradients from the rows at hand, all of them in step.
    #[inline(always)]
    fn with_lines<S: Simd, const N: usize>(self, simd: S) {
        let Self { at, u, steps, metric, scratch } = self;
        let Scratch { residual, direction, image, size, enough, bend, on } = scratch;
        let (Side { b, c, .. }, n) = (at.side(), at.stride);
        let rows = u.len() / n;
        let [residual, direction, image] = [residual, direction, image].map(|x| &mut x[..u.len()]);
        let precondition = |here: &Range<usize>, residual: &[f64], image: &mut [f64]| match metric {
            None => image.copy_from_slice(residual),
            Some(h) => image.iter_mut().zip(residual).zip(&h[here.clone()]).for_each(|((z, g), h)| *z = h * g),
        };
        for i in 0..rows {
            let (here, mu) = (i * n..(i + 1) * n, at.mu(i));
            residual[here.clone()].iter_mut().zip(&u[here]).for_each(|(g, u)| *g = -mu * u);
        }
        at.gather::<S, N>(simd, on, u, (residual, None), |p, phi| (b[p] - c[p] * phi, 0.0));
        for i in 0..rows {
            let here = i * n..(i + 1) * n;
            let (residual, direction) = (&residual[here.clone()], &mut direction[here.clone()]);
            precondition(&here, residual, direction);
            size[i] = dot(simd, residual, direction);
            enough[i] = NOTHING * size[i];
        }
        for step in 1..=steps {
            let last = step == steps;
            for i in 0..rows {
                on[i] &= size[i] > enough[i];
            }
            if !on[..rows].contains(&true) {
                return;
            }
            for i in 0..rows {
                let (here, mu) = (i * n..(i + 1) * n, at.mu(i));
                let (direction, image) = (&direction[here.clone()], &mut image[here]);
                if last {
                    bend[i] = mu * dot(simd, direction, direction);
                } else {
                    image.iter_mut().zip(direction).for_each(|(a, d)| *a = mu * d);
                }
            }
            if last {
                // what a step is made along next is not asked for
                at.look::<S, N>(simd, on, direction, bend, |p, phi| c[p] * phi * phi);
            } else {
                at.gather::<S, N>(simd, on, direction, (image, None), |p, phi| (c[p] * phi, 0.0));
            }
            for i in 0..rows {
                if !last {
                    let here = i * n..(i + 1) * n;
                    bend[i] = dot(simd, &direction[here.clone()], &image[here]);
                }
                on[i] &= bend[i] > 0.0 && bend[i].is_finite();
                if !on[i] {
                    continue;
                }
                let here = i * n..(i + 1) * n;
                let (residual, direction) = (&mut residual[here.clone()], &mut direction[here.clone()]);
                let a = size[i] / bend[i];
                axpy(simd, a, direction, &mut u[here.clone()]);
                if last {
                    continue;
                }
                let image = &mut image[here.clone()];
                axpy(simd, -a, image, residual);
                precondition(&here, residual, image);
                let before = std::mem::replace(&mut size[i], dot(simd, residual, image));
                direction.iter_mut().zip(&*image).for_each(|(d, z)| *d = z + *d * (size[i] / before));
            }
        }
    }
}
