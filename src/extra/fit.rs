//! The best Q for given Phi: min over Q of l(Phi + A Q) + H(Q), convex.
//!
//! Smooth blocks together by Newton steps, whose equations conjugate gradients solve:
//!
//! ```text
//! (A' diag(d) A + w) step = A'z - w q,    d: the loss's local curvature,  z = -grad l
//! ```
//!
//! the others one by one by proximal steps in the metric of d. At a free block's end A'z = 0 up to rounding, which is what its
//! dual points start from.

use super::{Block, Coefficients, Extras, Penalty};
use crate::linalg::vector::{axpy, dot};
use crate::loss::{Loss, Targets};

const ROUNDS: usize = 100;
const NEWTON_STEPS: usize = 100;
const SOLVER_STEPS: usize = 500;
const SHORTENINGS: i32 = 40;

/// Moves `q` to the minimum of l(base + A q) + H(q); blocks that are minimised out of the loss stay as they are.
pub fn fit(extras: &Extras, loss: &dyn Loss, t: Targets, base: &[f64], q: &mut Coefficients) {
    let fit = Fit { extras, loss, t, base };
    let of = |wanted: fn(&Block) -> bool| -> Vec<usize> {
        extras.explicit().filter(|(_, b)| wanted(b)).map(|(k, _)| k).collect()
    };
    let newton = of(|b| b.penalty.is_smooth());
    // a sign is found by proximal steps, then Newton steps move what is not at 0
    let others = of(|b| !matches!(b.penalty, Penalty::None | Penalty::L2Squared(_)));
    let mut value = fit.value(q);
    for _ in 0..ROUNDS {
        others.iter().for_each(|&k| fit.proximal(k, q));
        if !newton.is_empty() {
            fit.newton(&newton, q);
        }
        let reached = fit.value(q);
        if others.is_empty() || value - reached <= 1e-15 * value.abs() {
            break;
        }
        value = reached;
    }
}

struct Fit<'a> {
    extras: &'a Extras,
    loss: &'a dyn Loss,
    t: Targets<'a>,
    base: &'a [f64],
}

impl Fit<'_> {
    fn prediction(&self, q: &Coefficients) -> Vec<f64> {
        let mut x = self.extras.offset(q, self.base.len());
        axpy(1.0, self.base, &mut x);
        x
    }

    fn value(&self, q: &Coefficients) -> f64 {
        self.loss.value(self.t, &self.prediction(q)) + self.extras.value(q)
    }

    /// z = -grad l, and the local curvature, kept off 0 where the loss is curved anywhere.
    fn model(&self, q: &Coefficients) -> (Vec<f64>, Vec<f64>) {
        let x = self.prediction(q);
        let (mut z, mut d) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        self.loss.gradient(self.t, &x, &mut z);
        z.iter_mut().for_each(|z| *z = -*z);
        self.loss.local_curvature(self.t, &x, &mut d);
        let c = self.loss.curvature();
        let floor = 1e-6 * if c.is_finite() { c } else { 0.0 };
        d.iter_mut().enumerate().for_each(|(j, d)| *d = d.max(floor * self.t.weight(j)).max(f64::MIN_POSITIVE));
        (z, d)
    }

    /// A'z - w q of these blocks, joined; 0 where a sign holds a coefficient at 0.
    fn slope(&self, blocks: &[usize], z: &[f64], q: &Coefficients) -> Vec<f64> {
        let part = |&k: &usize| {
            let b = &self.extras.blocks[k];
            let mut v = b.map.adjoint(z);
            axpy(-b.penalty.curvature(), &q[k], &mut v);
            if b.penalty == Penalty::Nonnegative {
                v.iter_mut().zip(&q[k]).filter(|(_, q)| **q == 0.0).for_each(|(v, _)| *v = 0.0);
            }
            v
        };
        blocks.iter().flat_map(part).collect()
    }

    fn newton(&self, blocks: &[usize], q: &mut Coefficients) {
        let mut value = self.value(q);
        let (mut z, mut d) = self.model(q);
        let mut slope = self.slope(blocks, &z, q);
        for _ in 0..NEWTON_STEPS {
            let size = dot(&slope, &slope).sqrt();
            if size <= 1e-16 * dot(&z, &z).sqrt() {
                return;
            }
            let step = self.solve(blocks, &d, &slope);
            let gain = dot(&step, &slope);
            let mut moved = None;
            for k in 0..SHORTENINGS {
                let s = 0.5f64.powi(k);
                let mut trial = q.clone();
                let mut rest = step.as_slice();
                for &b in blocks {
                    let (head, tail) = rest.split_at(q[b].len());
                    axpy(s, head, &mut trial[b]);
                    if self.extras.blocks[b].penalty == Penalty::Nonnegative {
                        trial[b].iter_mut().for_each(|q| *q = q.max(0.0));
                    }
                    rest = tail;
                }
                let reached = self.value(&trial);
                if reached < value && reached <= value - 1e-4 * s * gain {
                    moved = Some((trial, reached));
                    break;
                }
                // below the rounding of the value the slope decides
                if k == 0 && reached <= value + 1e-13 * value.abs() {
                    let (z, _) = self.model(&trial);
                    let next = self.slope(blocks, &z, &trial);
                    if dot(&next, &next).sqrt() <= 0.5 * size {
                        moved = Some((trial, reached));
                        break;
                    }
                }
            }
            let Some((trial, reached)) = moved else { return };
            (*q, value) = (trial, reached);
            (z, d) = self.model(q);
            slope = self.slope(blocks, &z, q);
        }
    }

    /// (A' diag(d) A + w) x = b by conjugate gradients, scaled by the diagonal.
    fn solve(&self, blocks: &[usize], d: &[f64], b: &[f64]) -> Vec<f64> {
        let of = |k: &usize| &self.extras.blocks[*k];
        let diagonal: Vec<f64> = blocks
            .iter()
            .flat_map(|k| {
                let w = of(k).penalty.curvature();
                of(k).map.curvature(d).into_iter().map(move |c| if c + w > 0.0 { c + w } else { 1.0 })
            })
            .collect();
        let apply = |x: &[f64]| -> Vec<f64> {
            let mut field = vec![0.0; d.len()];
            let mut rest = x;
            let mut parts = Vec::new();
            for k in blocks {
                let (head, tail) = rest.split_at(of(k).len());
                of(k).map.add(head, &mut field);
                parts.push((k, head));
                rest = tail;
            }
            field.iter_mut().zip(d).for_each(|(f, d)| *f *= d);
            let part = |(k, head): &(&usize, &[f64])| {
                let mut v = of(k).map.adjoint(&field);
                axpy(of(k).penalty.curvature(), head, &mut v);
                v
            };
            let mut out: Vec<f64> = parts.iter().flat_map(part).collect();
            // what has no slope is held
            out.iter_mut().zip(b).filter(|(_, b)| **b == 0.0).for_each(|(o, _)| *o = 0.0);
            out
        };
        let scaled = |r: &[f64]| -> Vec<f64> { r.iter().zip(&diagonal).map(|(r, d)| r / d).collect() };
        let mut x = vec![0.0; b.len()];
        let mut r = b.to_vec();
        let mut y = scaled(&r);
        let mut p = y.clone();
        let mut ry = dot(&r, &y);
        // where blocks overlap the equations are singular, and rounding runs off along what they leave open: the best is kept
        let (mut best, mut least, end) = (x.clone(), ry, 1e-24 * ry);
        for _ in 0..SOLVER_STEPS {
            let a = apply(&p);
            let curvature = dot(&p, &a);
            if !(curvature > 0.0 && ry > end && ry < 1e6 * least) {
                break;
            }
            let step = ry / curvature;
            axpy(step, &p, &mut x);
            axpy(-step, &a, &mut r);
            y = scaled(&r);
            let next = dot(&r, &y);
            let keep = next / ry;
            p.iter_mut().zip(&y).for_each(|(p, y)| *p = y + keep * *p);
            ry = next;
            if ry < least {
                least = ry;
                best.copy_from_slice(&x);
            }
        }
        best
    }

    /// Proximal steps on one block; the metric grows until the objective does not rise.
    fn proximal(&self, k: usize, q: &mut Coefficients) {
        let b = &self.extras.blocks[k];
        let mut value = self.value(q);
        let mut boost = 1.0;
        for _ in 0..NEWTON_STEPS {
            let (z, d) = self.model(q);
            let v = b.map.adjoint(&z);
            let mut h: Vec<f64> = b.map.curvature(&d).iter().map(|c| boost * c.max(1e-300)).collect();
            if matches!(b.penalty, Penalty::L2(_)) {
                let top = h.iter().fold(0.0, |m: f64, h| m.max(*h));
                h.fill(top);
            }
            let mut trial = q.clone();
            trial[k].iter_mut().zip(v.iter().zip(&h)).for_each(|(q, (v, h))| *q += v / h);
            b.penalty.prox(&mut trial[k], &h);
            let reached = self.value(&trial);
            if reached <= value {
                let decrease = value - reached;
                (*q, value) = (trial, reached);
                if decrease <= 1e-16 * value.abs() {
                    return;
                }
            } else if boost < 1e6 {
                boost *= 4.0;
            } else {
                return;
            }
        }
    }
}
