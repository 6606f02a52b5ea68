//! min over q of l(D q + o) + sum_i h_i(q_i): the coefficients of one new row, convex.
//!
//! ```text
//! h(q) = linear |q| + quadratic q^2 / 2   on [low, high]
//! model at q    s'(p - q) + (p - q)' D' diag(d) D (p - q) / 2 + sum h(p),    s = D' grad l,  d: the loss's local curvature
//! ```
//!
//! Proximal Newton steps: coordinate descent minimises the model, a line search keeps the objective from rising. Steps end when
//! q is stationary: the largest distance of -s_i from the subdifferential of h_i, as a share of the largest slope at 0.

use crate::linalg::vector::dot;
use crate::linalg::{Mat, dense};
use crate::loss::{Loss, Targets};

/// Stationarity asked for.
pub const TOLERANCE: f64 = 1e-9;
const STEPS: usize = 200;
const SWEEPS: usize = 2000;
const SHORTENINGS: usize = 40;

/// h.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Per absolute value.
    pub linear: f64,
    /// Per half square.
    pub quadratic: f64,
    /// Least value allowed, at most 0.
    pub low: f64,
    /// Largest value allowed, at least 0.
    pub high: f64,
}

impl Cost {
    /// 0 everywhere.
    pub const FREE: Self = Self { linear: 0.0, quadratic: 0.0, low: f64::NEG_INFINITY, high: f64::INFINITY };
    /// 0 at 0 alone.
    pub const PINNED: Self = Self { low: 0.0, high: 0.0, ..Self::FREE };

    fn value(&self, q: f64) -> f64 {
        self.linear * q.abs() + 0.5 * self.quadratic * q * q
    }

    /// argmin over p of a (p - q)^2 / 2 + s (p - q) + h(p); q where nothing says otherwise.
    fn step(&self, q: f64, s: f64, a: f64) -> f64 {
        let curvature = a + self.quadratic;
        let pull = a * q - s;
        let free = if curvature > 0.0 {
            pull.signum() * (pull.abs() - self.linear).max(0.0) / curvature
        } else if pull.abs() > self.linear {
            // linear: the end, if there is one
            if pull > 0.0 { self.high } else { self.low }
        } else {
            0.0
        };
        let moved = free.max(self.low).min(self.high);
        if moved.is_finite() { moved } else { q }
    }

    /// The distance of -s from the subdifferential at q.
    fn distance(&self, q: f64, s: f64) -> f64 {
        let pull = -s - self.quadratic * q;
        let (mut least, mut most) = if q > 0.0 {
            (self.linear, self.linear)
        } else if q < 0.0 {
            (-self.linear, -self.linear)
        } else {
            (-self.linear, self.linear)
        };
        // an end answers for whatever pulls outwards
        if q >= self.high {
            most = f64::INFINITY;
        }
        if q <= self.low {
            least = f64::NEG_INFINITY;
        }
        (pull - most).max(least - pull).max(0.0)
    }
}

/// A minimiser.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimum {
    /// q.
    pub q: Vec<f64>,
    /// How far from stationary, as a share of the largest slope at 0; infinite where the numbers are too large to tell.
    pub stationarity: f64,
}

/// Minimises from q = 0. D has one row per target.
pub fn minimise(loss: &dyn Loss, t: Targets, design: &Mat, offset: &[f64], costs: &[Cost]) -> Minimum {
    let mut q = vec![0.0; costs.len()];
    let mut x = offset.to_vec();
    let objective =
        |x: &[f64], q: &[f64]| loss.value(t, x) + costs.iter().zip(q).map(|(h, q)| h.value(*q)).sum::<f64>();
    let slopes = |x: &[f64]| {
        let mut z = vec![0.0; x.len()];
        loss.gradient(t, x, &mut z);
        design.column_iter().map(|c| dot(c.as_slice(), &z)).collect::<Vec<f64>>()
    };
    let mut s = slopes(&x);
    let scale = s.iter().zip(costs).fold(0.0f64, |m, (s, h)| m.max(s.abs()).max(h.linear));
    let distance =
        |s: &[f64], q: &[f64]| (0..q.len()).map(|i| costs[i].distance(q[i], s[i])).fold(0.0, f64::max) / scale;
    if scale == 0.0 || !scale.is_finite() {
        return Minimum { q, stationarity: if scale == 0.0 { 0.0 } else { f64::INFINITY } };
    }
    let mut value = objective(&x, &q);
    let mut stationarity = distance(&s, &q);
    for _ in 0..STEPS {
        if stationarity <= TOLERANCE {
            break;
        }
        let mut moved = false;
        // the bound of the curvature that holds everywhere, where the local one promises too much
        for everywhere in [false, true] {
            let mut d = vec![0.0; x.len()];
            if everywhere {
                (0..d.len()).for_each(|j| d[j] = loss.curvature() * t.weight(j));
            } else {
                loss.local_curvature(t, &x, &mut d);
            }
            if d.iter().any(|d| !d.is_finite()) {
                continue;
            }
            let h = {
                let mut scaled = design.clone();
                scaled.column_iter_mut().for_each(|mut c| c.iter_mut().zip(&d).for_each(|(c, d)| *c *= d));
                dense::tr_mul(design, &scaled)
            };
            let p = model_minimum(&h, &s, &q, costs, 0.1 * TOLERANCE * scale);
            let step: Vec<f64> = p.iter().zip(&q).map(|(p, q)| p - q).collect();
            let mut share = 1.0;
            for _ in 0..SHORTENINGS {
                let next: Vec<f64> =
                    (0..q.len()).map(|i| if share == 1.0 { p[i] } else { q[i] + share * step[i] }).collect();
                let mut there = times(design, &next);
                there.iter_mut().zip(offset).for_each(|(x, o)| *x += o);
                let found = objective(&there, &next);
                let slope = slopes(&there);
                // near the minimum the values say nothing more, the slopes do
                let nearer = found <= value + 1e-12 * value.abs() && distance(&slope, &next) < 0.5 * stationarity;
                if found < value || nearer {
                    stationarity = distance(&slope, &next);
                    (q, x, s, value, moved) = (next, there, slope, found, true);
                    break;
                }
                share *= 0.5;
            }
            if moved {
                break;
            }
        }
        if !moved {
            break;
        }
    }
    Minimum { q, stationarity: if value.is_finite() { stationarity } else { f64::INFINITY } }
}

/// Coordinate descent on the model.
fn model_minimum(h: &Mat, s: &[f64], q: &[f64], costs: &[Cost], tolerance: f64) -> Vec<f64> {
    let mut p = q.to_vec();
    let mut slope = s.to_vec();
    for _ in 0..SWEEPS {
        let mut largest = 0.0f64;
        for i in 0..p.len() {
            let to = costs[i].step(p[i], slope[i], h[(i, i)]);
            let by = to - p[i];
            if by != 0.0 {
                p[i] = to;
                slope.iter_mut().zip(h.column(i).iter()).for_each(|(s, h)| *s += h * by);
                largest = largest.max(by.abs() * (h[(i, i)] + costs[i].quadratic));
            }
        }
        if largest <= tolerance {
            break;
        }
    }
    p
}

fn times(a: &Mat, x: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; a.nrows()];
    for (column, x) in a.column_iter().zip(x) {
        out.iter_mut().zip(column.iter()).for_each(|(o, a)| *o += a * x);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::lanczos::gaussian;
    use crate::loss;

    /// No step in a coordinate, nor in many random directions, lowers the objective.
    #[test]
    fn nothing_near_the_minimum_is_lower() {
        let costs = [
            Cost::FREE,
            Cost { linear: 0.4, ..Cost::FREE },
            Cost { quadratic: 0.7, ..Cost::FREE },
            Cost { linear: 0.2, quadratic: 0.3, low: 0.0, ..Cost::FREE },
            Cost { low: -0.1, high: 0.1, ..Cost::FREE },
            Cost::PINNED,
        ];
        for kind in loss::KINDS.iter().filter(|k| k.targets != crate::data::TargetKind::Classes) {
            let l = kind.example(&[0; 15]);
            for seed in 0..4 {
                let design = gaussian(15, costs.len(), seed);
                let noise = gaussian(15, 1, 100 + seed);
                let y: Vec<f64> = match kind.targets {
                    crate::data::TargetKind::Signs => noise.iter().map(|x| x.signum()).collect(),
                    crate::data::TargetKind::Counts => noise.iter().map(|x| (3.0 * x.abs()).floor()).collect(),
                    _ => noise.iter().copied().collect(),
                };
                let t = Targets { y: &y, w: None };
                let offset = vec![0.1; 15];
                let found = minimise(l.as_ref(), t, &design, &offset, &costs);
                assert!(found.stationarity <= TOLERANCE, "{} {seed}: {:e}", kind.name, found.stationarity);
                let value = |q: &[f64]| {
                    let inside = costs.iter().zip(q).all(|(h, q)| h.low <= *q && *q <= h.high);
                    let x: Vec<f64> = times(&design, q).iter().zip(&offset).map(|(x, o)| x + o).collect();
                    let cost: f64 = costs.iter().zip(q).map(|(h, q)| h.value(*q)).sum();
                    if inside { l.value(t, &x) + cost } else { f64::INFINITY }
                };
                let best = value(&found.q);
                for trial in 0..200 {
                    let by = gaussian(costs.len(), 1, 1000 * seed + trial);
                    for size in [1e-1, 1e-3, 1e-5] {
                        let q: Vec<f64> = found.q.iter().zip(by.iter()).map(|(q, b)| q + size * b).collect();
                        assert!(value(&q) >= best - 1e-12 * best.abs(), "{} {seed}", kind.name);
                        let one: Vec<f64> =
                            (0..q.len()).map(|i| if i as u64 == trial % 6 { q[i] } else { found.q[i] }).collect();
                        assert!(value(&one) >= best - 1e-12 * best.abs(), "{} {seed}", kind.name);
                    }
                }
            }
        }
    }
}
