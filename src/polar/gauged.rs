//! The polar of a two-layer network under any two gauges.
//!
//! ```text
//! Omega°(Z) = max {f(u) : gauge_1(u) <= 1},    f(u) = gauge_2°(Z'(V u)_+),   attained with a v that attains gauge_2°
//! ```
//!
//! Where the outputs have an l1 or a maximum norm, or there is one of them, gauge_2°(y) = max_k s_k'y over a few vectors s_k, the
//! *targets*, and f is the largest of as many functions of one output:
//!
//! ```text
//! f_k(u) = sum_i z_i (v_i'u)_+,   z = Z s_k:    convex in u but for the rows with z_i < 0
//! ```
//!
//! Unlike the l2 norm's, the maximisers of other gauges need not lie in the row space of V.

use crate::gauge::{Gauge, root::falling_to};
use crate::linalg::{Mat, dense};
use crate::mapping::{Factors, relu};
use crate::polar::search::Effort;
use crate::polar::{field, neurons};
use crate::problem::Problem;

/// Outputs up to which the vertices of a maximum norm's ball are listed.
const VERTICES: usize = 6;
/// Rounds of linearising what is convex.
const ROUNDS: usize = 6;
/// Relative change of both points below which primal-dual steps have settled.
const HELD: f64 = 1e-9;
/// Primal-dual steps of a round.
const STEPS: usize = 300;

/// Whether the problem is a network of two layers to which the rules of plain l2 gauges do not apply.
pub fn applies(problem: &Problem) -> bool {
    problem.mapping.name() == relu::KIND.name && !neurons::applies(problem)
}

/// The targets s_k with the weights of the outputs divided out; `None` where the polar of the outputs' gauge has no short list of them.
pub fn targets(gauge: &Gauge, q: usize) -> Option<Vec<Vec<f64>>> {
    let signs: &[f64] = match (gauge.cone(), gauge.orthant()) {
        (None, _) => &[1.0, -1.0],
        (Some(_), Some(s)) if s > 0.0 => &[1.0],
        (Some(_), Some(_)) => &[-1.0],
        (Some(_), None) => return None,
    };
    // of one coordinate every norm is a multiple of its absolute value
    let unit = |gauge: &Gauge| gauge.norm().value(&[1.0]) == 1.0;
    match gauge.norm().name() {
        name if name == "l1" || (q == 1 && gauge.norm().is_absolute() && unit(gauge)) => {
            let vertex = |o: usize, s: f64| {
                let mut x = vec![0.0; q];
                x[o] = s;
                x
            };
            Some((0..q).flat_map(|o| signs.iter().map(move |s| vertex(o, *s))).collect())
        }
        // on an orthant coordinates of the wrong sign are 0
        "linf" if q <= VERTICES => {
            let values: &[f64] = if gauge.cone().is_some() { &[0.0, signs[0]] } else { signs };
            let corner = |k: usize| (0..q).map(|o| values[k >> o & 1]).collect::<Vec<f64>>();
            Some((0..1 << q).map(corner).filter(|s| s.iter().any(|s| *s != 0.0)).collect())
        }
        _ => None,
    }
}

/// V, Z and the gauges, as they are.
pub struct Gauged<'a> {
    inputs: &'a Mat,
    field: Mat,
    first: &'a Gauge,
    second: &'a Gauge,
    lengths: Vec<f64>,
}

impl<'a> Gauged<'a> {
    /// For a field over the observed entries of a network of two layers.
    pub fn new(problem: &'a Problem, z: &[f64]) -> Option<Self> {
        let inputs = problem.mapping.inputs()?;
        let [first, second] = problem.regularizer.gauges.as_slice() else { return None };
        let lengths = inputs.row_iter().map(|r| r.norm()).collect();
        Some(Self { inputs, field: field::matrix(&problem.observations, z), first, second, lengths })
    }

    /// d.
    pub fn dimension(&self) -> usize {
        self.inputs.ncols()
    }

    /// V.
    pub fn inputs(&self) -> &Mat {
        self.inputs
    }

    /// An extreme point of the ball of gauge_1, the farthest along y.
    pub fn end(&self, y: &[f64]) -> Vec<f64> {
        let mut u = y.to_vec();
        self.first.polar_argmax(&mut u);
        u
    }

    fn pre(&self, u: &[f64]) -> Vec<f64> {
        (self.inputs * Mat::from_column_slice(u.len(), 1, u)).data.into()
    }

    fn output_of(&self, pre: &[f64]) -> Vec<f64> {
        let h = Mat::from_iterator(pre.len(), 1, pre.iter().map(|p| p.max(0.0)));
        self.field.tr_mul(&h).data.into()
    }

    /// Z'(V u)_+.
    pub fn output(&self, u: &[f64]) -> Vec<f64> {
        self.output_of(&self.pre(u))
    }

    /// f(u).
    pub fn value(&self, u: &[f64]) -> f64 {
        self.second.polar(&self.output(u))
    }

    /// Whether u could be scaled to gauge 1.
    pub fn scale(&self, u: &mut [f64]) -> bool {
        if self.first.cone().is_some_and(|c| c.violation(u).is_some()) {
            self.first.cone().expect("just seen").project(u);
        }
        let size = self.first.value(u);
        let fits = size > 0.0 && size.is_finite();
        if fits {
            u.iter_mut().for_each(|u| *u /= size);
        }
        fits
    }

    /// z = Z v for the v that attains f at u.
    fn weights(&self, pre: &[f64]) -> Vec<f64> {
        let mut v = self.output_of(pre);
        self.second.polar_argmax(&mut v);
        (&self.field * Mat::from_column_slice(v.len(), 1, &v)).data.into()
    }

    /// V'(z where active), active by a test of (i, z_i).
    fn pull(&self, z: &[f64], active: impl Fn(usize) -> bool) -> Vec<f64> {
        let masked = z.iter().enumerate().map(|(i, z)| if active(i) { *z } else { 0.0 });
        self.inputs.tr_mul(&Mat::from_iterator(z.len(), 1, masked)).data.into()
    }

    /// Conditional gradients from u, which must have gauge 1 at most; the best point seen, and its value.
    ///
    /// ```text
    /// u <- u + t (s - u),    s = argmax {<f'(u), s> : gauge_1(s) <= 1}
    /// ```
    pub fn ascend(&self, u: &mut [f64], steps: usize) -> f64 {
        let mut x = u.to_vec();
        let mut best = f64::NEG_INFINITY;
        for t in 0..=steps {
            let pre = self.pre(&x);
            let value = self.second.polar(&self.output_of(&pre));
            if value > best {
                best = value;
                u.copy_from_slice(&x);
            }
            if t == steps {
                break;
            }
            let z = self.weights(&pre);
            let mut s = self.pull(&z, |i| pre[i] > 0.0);
            self.first.polar_argmax(&mut s);
            if s.iter().all(|s| *s == 0.0) {
                break;
            }
            let step = if t < 2 { 1.0 } else { 2.0 / (t as f64 + 1.0) };
            x.iter_mut().zip(&s).for_each(|(x, s)| *x += step * (s - *x));
        }
        best
    }

    /// Moves u to a local maximum near it: rows that f is convex in are linearised, the others kept,
    ///
    /// ```text
    /// u <- argmax {c'x - sum_(z_i < 0) |z_i| (v_i'x)_+ : gauge_1(x) <= 1},     c = sum_(z_i > 0, v_i'u > 0) z_i v_i
    /// ```
    ///
    /// which never lowers f but for the steps being few, and then put on its kinks; no further once the effort is over.
    pub fn settle(&self, u: &mut Vec<f64>, effort: &Effort) -> f64 {
        let mut best = self.snap(u);
        for _ in 0..ROUNDS {
            let pre = self.pre(u);
            let z = self.weights(&pre);
            let mut x = self.concave(&z, &pre, u, effort);
            if effort.is_over() || !self.scale(&mut x) {
                break;
            }
            let reached = self.snap(&mut x);
            if reached <= best * (1.0 + 1e-12) {
                break;
            }
            best = reached;
            *u = x;
        }
        best
    }

    /// The maximiser of the concave function above, by primal and dual steps in turn (Chambolle and Pock 2011), from u.
    fn concave(&self, z: &[f64], pre: &[f64], u: &[f64], effort: &Effort) -> Vec<f64> {
        let c = self.pull(z, |i| z[i] > 0.0 && pre[i] > 0.0);
        let down: Vec<usize> = (0..z.len()).filter(|&i| z[i] < 0.0 && self.lengths[i] > 0.0).collect();
        if down.is_empty() {
            let mut x = c;
            self.first.polar_argmax(&mut x);
            return x;
        }
        let mut rows = self.inputs.select_rows(&down);
        rows.row_iter_mut().zip(&down).for_each(|(mut r, &i)| r *= -z[i]);
        let norm = crate::linalg::lanczos::lambda_max(&dense::tr_mul(&rows, &rows)).sqrt();
        let size = c.iter().map(|c| c * c).sum::<f64>().sqrt();
        let radius = u.iter().map(|u| u * u).sum::<f64>().sqrt();
        if norm <= 0.0 || size <= 0.0 || radius <= 0.0 {
            return u.to_vec();
        }
        // u has the size `radius`, the dual variables 1 each
        let ratio = radius / (down.len() as f64).sqrt();
        let (tau, sigma) = (0.95 * ratio / norm, 0.95 / (ratio * norm));
        let d = u.len();
        let mut x = Mat::from_column_slice(d, 1, u);
        let mut ahead = x.clone();
        let mut alpha = Mat::from_iterator(down.len(), 1, down.iter().map(|&i| if pre[i] > 0.0 { 1.0 } else { 0.0 }));
        let c = Mat::from_column_slice(d, 1, &c);
        let (mut mean, mut count) = (Mat::zeros(d, 1), 0.0);
        let mut shrink = 0.0;
        for k in (0..STEPS).take_while(|_| !effort.is_over()) {
            let was = alpha.clone();
            alpha = (alpha + (&rows * &ahead) * sigma).map(|a| a.clamp(0.0, 1.0));
            let before = x.clone();
            x += (&c - rows.tr_mul(&alpha)) * tau;
            shrink = self.shrink_to_ball(x.as_mut_slice(), shrink);
            ahead = &x * 2.0 - &before;
            let held = alpha.iter().zip(was.iter()).all(|(a, b)| (a - b).abs() <= HELD);
            if held && (&x - before).amax() <= HELD * radius {
                break;
            }
            if k >= STEPS / 2 {
                mean += &x;
                count += 1.0;
            }
        }
        let value = |x: &Mat| c.dot(x) - (&rows * x).iter().map(|p| p.max(0.0)).sum::<f64>();
        let mean = mean / f64::max(count, 1.0);
        if value(&mean) > value(&x) { mean.data.into() } else { x.data.into() }
    }

    /// The Euclidean projection onto {gauge_1 <= 1}: the prox of t gauge_1 for the t that brings it there, which is returned and
    /// is looked for around `near`.
    fn shrink_to_ball(&self, x: &mut [f64], near: f64) -> f64 {
        let ones = vec![1.0; x.len()];
        let at = |t: f64| {
            let mut y = x.to_vec();
            self.first.prox(&mut y, &ones, t);
            y
        };
        let plain = at(0.0);
        let high = self.first.polar(x);
        if self.first.value(&plain) <= 1.0 || high <= 0.0 {
            x.copy_from_slice(&plain);
            return 0.0;
        }
        let excess = |t: f64| self.first.value(&at(t)) - 1.0;
        let least = 1e-9 * high;
        let (mut low, mut top) = if near > least { (near, near) } else { (least, high) };
        let mut step = 1.01;
        if low > least && excess(low) < 0.0 {
            while low > least && excess(low) < 0.0 {
                (low, top, step) = (low / step, low, step * step * step);
            }
        } else {
            while top < high && excess(top) > 0.0 {
                (low, top, step) = (top, (top * step).min(high), step * step * step);
            }
        }
        let t = falling_to(HELD, low, top, excess);
        x.copy_from_slice(&at(t));
        t
    }

    /// Puts u on the kinks beside it, one after the other from the closest, as long as its zeros stay zeros; where f is highest. u
    /// has gauge 1 before and after.
    fn snap(&self, u: &mut Vec<f64>) -> f64 {
        let mut best = self.value(u);
        let support: Vec<usize> = (0..u.len()).filter(|&j| u[j] != 0.0).collect();
        let pre = self.pre(u);
        let mut order: Vec<usize> = (0..pre.len()).filter(|&i| self.lengths[i] > 0.0).collect();
        let distance = |i: usize| pre[i].abs() / self.lengths[i];
        order.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)).then(a.cmp(&b)));
        order.truncate(4 * support.len());
        let mut basis: Vec<Vec<f64>> = Vec::new();
        let start: Vec<f64> = support.iter().map(|&j| u[j]).collect();
        for i in order {
            if basis.len() + 1 >= support.len() {
                break;
            }
            let row: Vec<f64> = support.iter().map(|&j| self.inputs[(i, j)]).collect();
            let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            let Some(next) = neurons::independent(&basis, &row, length).filter(|_| length > 0.0) else { continue };
            basis.push(next);
            let mut part = start.clone();
            neurons::project_out(&mut part, &basis);
            let mut x = vec![0.0; u.len()];
            support.iter().zip(&part).for_each(|(&j, p)| x[j] = *p);
            if !self.scale(&mut x) {
                break;
            }
            let value = self.value(&x);
            if value > best {
                best = value;
                *u = x;
            }
        }
        best
    }

    /// Slices with gauges 1 for directions u; those with f = 0 are dropped.
    pub fn slices(&self, directions: &[Vec<f64>]) -> (Factors, Vec<f64>) {
        let (mut us, mut vs, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for u in directions {
            let mut u = u.clone();
            if !self.scale(&mut u) {
                continue;
            }
            let y = self.output(&u);
            let mut v = y.clone();
            self.second.polar_argmax(&mut v);
            let value: f64 = y.iter().zip(&v).map(|(y, v)| y * v).sum();
            if value > 0.0 && value.is_finite() {
                us.extend(u);
                vs.extend(v);
                values.push(value);
            }
        }
        let (d, q) = (self.inputs.ncols(), self.field.ncols());
        (Factors(vec![Mat::from_vec(d, values.len(), us), Mat::from_vec(q, values.len(), vs)]), values)
    }
}
