//! A box that meets the sphere, what the rows of a network's inputs do in it, and parabolas above and below their units
//! there.
//!
//! ```text
//! t_i = v_i'u in [l_i, h_i] on {||u|| = 1, lo <= u <= hi}:
//!     v'u <= ||y|| + sum_j max((v - y)_j lo_j, (v - y)_j hi_j)        for any y
//! above (t)_+ on [l, h], m = min(-l, h):
//!     (t + tau)^2 / (4 tau)                                   0 < tau <= m
//!     (m / T^2) (t - l)^2 + (1 - 2 m / T) (t - l)         2 m <= T, where -l <= h;  else its mirror image q(-t) + t
//! below:  0,   t,   (t^2 - l t) / (h - l)
//! ```

use crate::linalg::sum::gamma;

/// Rows whose unit changes sides within this share of their length count as one-sided; what that changes is added.
const HAIR: f64 = 1e-9;

/// sum_i w_i (v_i'u)_+, by rows.
#[derive(Clone, Debug)]
pub struct Units {
    /// Inputs.
    pub d: usize,
    /// v_i, row by row.
    pub rows: Vec<f64>,
    /// w_i.
    pub weights: Vec<f64>,
    /// ||v_i|| at most.
    pub lengths: Vec<f64>,
    /// What the rows that are left out may add.
    pub rest: f64,
}

impl Units {
    /// v_i.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.rows[i * self.d..(i + 1) * self.d]
    }

    /// A number that it does not exceed.
    pub fn most(&self) -> f64 {
        let sum = self.weights.iter().zip(&self.lengths).map(|(w, l)| w.max(0.0) * l).sum::<f64>() + self.rest;
        (sum * (1.0 + gamma(self.weights.len() + 4))).next_up()
    }

    /// Its value at u.
    #[cfg(test)]
    pub fn value(&self, u: &[f64]) -> f64 {
        (0..self.weights.len()).map(|i| self.weights[i] * inner(self.row(i), u).max(0.0)).sum()
    }
}

/// a'b.
pub fn inner(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// lo <= u <= hi.
#[derive(Clone, Debug)]
pub struct Cell {
    /// lo, within [-1, 1].
    pub low: Vec<f64>,
    /// hi.
    pub high: Vec<f64>,
}

impl Cell {
    /// The cube around the sphere.
    pub fn whole(d: usize) -> Self {
        Self { low: vec![-1.0; d], high: vec![1.0; d] }
    }

    /// Whether it may meet the sphere.
    pub fn meets_sphere(&self) -> bool {
        let sides = || self.low.iter().zip(&self.high);
        let far: f64 = sides().map(|(l, h)| l.abs().max(h.abs()).powi(2)).sum();
        let near: f64 = sides().map(|(l, h)| if l * h <= 0.0 { 0.0 } else { l.abs().min(h.abs()).powi(2) }).sum();
        far >= 1.0 - 1e-12 && near <= 1.0 + 1e-12
    }

    /// Whether side j is shorter than the cube's.
    pub fn is_cut(&self, j: usize) -> bool {
        self.low[j] > -1.0 || self.high[j] < 1.0
    }

    /// Its parts below and above x on side j.
    pub fn split(&self, j: usize, x: f64) -> [Self; 2] {
        let (mut below, mut above) = (self.clone(), self.clone());
        below.high[j] = x;
        above.low[j] = x;
        [below, above]
    }

    /// An upper bound of sign v'u.
    fn reach(&self, v: &[f64], sign: f64, length: f64) -> f64 {
        let d = v.len();
        let corner = |j: usize| if sign * v[j] > 0.0 { self.high[j] } else { self.low[j] };
        // coordinates at which the maximiser over the ball would leave the box are held at its face
        let mut held = vec![false; d];
        let rest = |held: &[bool]| {
            let left = 1.0 - (0..d).filter(|&j| held[j]).map(|j| corner(j).powi(2)).sum::<f64>();
            let square: f64 = (0..d).filter(|&j| !held[j]).map(|j| v[j] * v[j]).sum();
            (left, square)
        };
        for _ in 0..4 {
            let (left, square) = rest(&held);
            if left < 1e-12 || square <= 0.0 {
                break;
            }
            let stretch = (left / square).sqrt();
            let leaving =
                |j: &usize| !held[*j] && (sign * v[*j] * stretch - corner(*j)) * (sign * v[*j]).signum() > 0.0;
            let leaving: Vec<usize> = (0..d).filter(leaving).collect();
            if leaving.is_empty() {
                break;
            }
            leaving.into_iter().for_each(|j| held[j] = true);
        }
        let (left, square) = rest(&held);
        let pull = (square / left.max(1e-12)).sqrt();
        let (mut size, mut faces, mut corners, mut magnitude) = (0.0, 0.0, 0.0, 0.0);
        for j in 0..d {
            let x = sign * v[j];
            let y = if held[j] { corner(j) * pull } else { x };
            let over = x - y;
            size += y * y;
            faces += (over * self.high[j]).max(over * self.low[j]);
            corners += (x * self.high[j]).max(x * self.low[j]);
            magnitude += over.abs() + x.abs();
        }
        let size = size.sqrt();
        let rounding = gamma(2 * d + 16) * (size + magnitude);
        ((size + faces).min(corners) + rounding).next_up().min(length)
    }
}

/// A row on both sides of its kink.
#[derive(Clone, Copy, Debug)]
pub struct Crossing {
    /// Which.
    pub row: usize,
    /// w.
    pub weight: f64,
    /// l < 0.
    pub low: f64,
    /// h > 0.
    pub high: f64,
}

/// What the rows do in a cell.
#[derive(Clone, Debug)]
pub struct Sides {
    /// sum of w_i v_i over the active rows.
    pub linear: Vec<f64>,
    /// The rows that cross.
    pub crossing: Vec<Crossing>,
    /// What taking rows for one-sided that hardly cross may have taken off, and what rounding did.
    pub slack: f64,
}

/// Sorts the rows.
pub fn sides(units: &Units, cell: &Cell) -> Sides {
    let mut out = Sides { linear: vec![0.0; units.d], crossing: Vec::new(), slack: 0.0 };
    let mut magnitude = 0.0;
    for (i, &w) in units.weights.iter().enumerate() {
        let (v, length) = (units.row(i), units.lengths[i]);
        let high = cell.reach(v, 1.0, length);
        if high <= HAIR * length {
            out.slack += w.max(0.0) * high.max(0.0);
            continue;
        }
        let low = -cell.reach(v, -1.0, length);
        if low >= -HAIR * length {
            // (t)_+ = t + (-t)_+
            out.slack += w.max(0.0) * (-low).max(0.0);
            out.linear.iter_mut().zip(v).for_each(|(a, v)| *a += w * v);
            magnitude += w.abs() * length;
        } else {
            out.crossing.push(Crossing { row: i, weight: w, low, high });
        }
    }
    let terms = units.weights.len() + 4;
    out.slack = ((out.slack + units.rest) * (1.0 + gamma(terms)) + gamma(terms) * magnitude).next_up();
    out
}

/// alpha t^2 + beta t + gamma.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parabola {
    /// alpha.
    pub square: f64,
    /// beta.
    pub slope: f64,
    /// gamma.
    pub level: f64,
    /// A bound of the sizes on [l, h] of the terms it was made of: what they were rounded by is a share of it.
    pub size: f64,
}

impl Parabola {
    /// Its mean where t has this mean and this mean of squares.
    pub fn mean(&self, t: f64, s: f64) -> f64 {
        self.square * s + self.slope * t + self.level
    }
}

impl Crossing {
    /// The longest way to an end.
    fn far(&self) -> f64 {
        self.high.max(-self.low)
    }

    /// min(-l, h).
    fn near(&self) -> f64 {
        self.high.min(-self.low)
    }

    /// The parabola above (t)_+ on [l, h] that is lowest at moments (t, s), with the curvature of that value: the
    /// second derivatives in (t, t), (t, s), (s, s), negated.
    pub fn above(&self, t: f64, s: f64) -> (Parabola, [f64; 3]) {
        let (m, far) = (self.near(), self.far());
        // a narrower parabola gains next to nothing and is only harder to compute with
        let least = 1e-4 * m;
        let root = s.max(0.0).sqrt();
        if root <= m {
            let tau = root.max(least);
            let square = (0.25 / tau).next_up();
            let size = square * far * far + far + tau;
            let bend = if root > least { 0.125 / (s * root) } else { 0.0 };
            return (Parabola { square, slope: 0.5, level: 0.25 * tau, size }, [0.0, 0.0, bend]);
        }
        let left = -self.low <= self.high;
        let (sign, short) = if left { (1.0, m) } else { (-1.0, m) };
        // x = sign t in [-short, ..]
        let x = sign * t;
        let (first, second) = (x + short, s + 2.0 * short * x + short * short);
        let widest = far + m;
        let ratio = if first > 0.0 { second / first } else { f64::INFINITY };
        let width = ratio.clamp(2.0 * m, widest);
        let a = (m / (width * width)).next_up();
        let b = (1.0 - 2.0 * m / width).max(0.0);
        let slope = b + 2.0 * a * short;
        let parabola = Parabola {
            square: a,
            slope: if left { slope } else { 1.0 - slope },
            level: a * short * short + b * short,
            size: a * widest * widest + (b + 2.0) * widest,
        };
        // the value is first - m first^2 / second
        let curvature = if ratio > 2.0 * m && ratio < widest {
            let k = 2.0 * m / second;
            // along (first, second), the direction (1, -first / second)
            let e = -first / second;
            let (dt, ds) = (sign + e * 2.0 * short * sign, e);
            [k * dt * dt, k * dt * ds, k * ds * ds]
        } else {
            [0.0; 3]
        };
        (parabola, curvature)
    }

    /// slope and square of the parabola below (t)_+ that meets it at l, 0 and h.
    pub fn below(&self) -> (f64, f64) {
        let width = self.high - self.low;
        (-self.low / width, 1.0 / width)
    }

    /// share_1 t + share_2 (t^2 - l t) / (h - l), which is below (t)_+ for shares >= 0 of sum at most 1.
    pub fn mixed_below(&self, shares: [f64; 2]) -> Parabola {
        let (slope, square) = self.below();
        let far = self.far();
        Parabola { square: shares[1] * square, slope: shares[0] + shares[1] * slope, level: 0.0, size: 4.0 * far }
    }
}
