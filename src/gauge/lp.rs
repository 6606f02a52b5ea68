//! The lp norm, `norm = "lp"` with `p >= 1`.
//!
//! ```text
//! ||x||_p       (sum_j |x_j|^p)^(1/p)
//! dual          ||y||_q, 1/p + 1/q = 1, attained at sign(y_j) (|y_j| / ||y||_q)^(q - 1)
//! prox          x = 0 if ||h b||_q <= t, else with r = h (b - x), s = ||x||_p:  |r_j| = t (|x_j| / s)^(p - 1),
//!               so for given s every coordinate is the root of  r / h + s (r / t)^(q - 1) = |b|,  and ||r(s)||_q = t
//! ```
//!
//! p = 1, 2 and infinity are the norms `l1`, `l2`, `linf` themselves. Rounding: powers are taken to be within 8 units in the
//! last place.

use super::root::falling;
use super::{Kind, Norm, Parameters, l1::L1, l2::L2, linf::Linf};
use crate::linalg::sum::gamma;
use crate::linalg::vector::unit_scale;

/// ||x||_p for 1 < p < infinity.
#[derive(Debug)]
pub struct Lp {
    p: f64,
    q: f64,
}

/// Registration.
pub const KIND: Kind = Kind {
    name: "lp",
    summary: "p-th root of the sum of p-th powers, `p` >= 1",
    keys: &["p"],
    optional: &[],
    build,
    examples: |_| vec![Box::new(Lp::new(1.5)), Box::new(Lp::new(3.0))],
};

fn build(parameters: &Parameters) -> Result<Box<dyn Norm>, String> {
    match parameters.p {
        Some(1.0) => Ok(Box::new(L1)),
        Some(2.0) => Ok(Box::new(L2)),
        Some(f64::INFINITY) => Ok(Box::new(Linf)),
        // beyond these |x|^p or |x|^q is 1 or 0 in double precision
        Some(p) if (1.01..=100.0).contains(&p) => Ok(Box::new(Lp::new(p))),
        Some(p) => Err(format!("`p` is {p}: expected 1, 2, inf, or a number from 1.01 to 100")),
        None => Err("`lp` needs `p`".into()),
    }
}

impl Lp {
    /// The norm with this exponent, 1 < p < infinity.
    pub fn new(p: f64) -> Self {
        Self { p, q: p / (p - 1.0) }
    }
}

/// (sum |x_j|^p)^(1/p), the largest entry taken out so that powers neither overflow nor all vanish.
fn norm(x: &[f64], p: f64) -> f64 {
    let top = x.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    if top == 0.0 || !top.is_finite() {
        return top;
    }
    top * x.iter().map(|x| (x.abs() / top).powf(p)).sum::<f64>().powf(1.0 / p)
}

/// The root z in [0, top] of a z + c z^e = rhs for e >= 1, a, c >= 0, where a top >= rhs or c top^e >= rhs: Newton from the
/// right, which is monotone since the left side is convex, from where Newton for logarithms has got to.
fn convex_root(a: f64, c: f64, e: f64, rhs: f64, top: f64) -> f64 {
    if e == 2.0 {
        let z = 2.0 * rhs / (a + (a * a + 4.0 * c * rhs).sqrt());
        // squares may have left their range
        if z > 0.0 && z <= top {
            return z;
        }
    }
    let near = logarithmic_root(a, c, e, rhs, top) * (1.0 + 1e-12);
    let mut z = if near > 0.0 && near < top { near } else { top };
    for _ in 0..200 {
        let power = c * z.powf(e - 1.0);
        let step = (z * (a + power) - rhs) / (a + e * power);
        let next = z - step;
        if next.is_nan() || next <= 0.0 || next >= z {
            break;
        }
        z = next;
    }
    z
}

/// The same but for rounding: ln(a z + c z^e) is convex in ln z too, with slopes from 1 to e, so that a high power takes few steps.
fn logarithmic_root(a: f64, c: f64, e: f64, rhs: f64, top: f64) -> f64 {
    let (a, c, rhs) = (a.ln(), c.ln(), rhs.ln());
    let mut w = top.ln();
    for _ in 0..50 {
        let (linear, power) = (a + w, c + e * w);
        let most = linear.max(power);
        let (linear, power) = ((linear - most).exp(), (power - most).exp());
        let sum = linear + power;
        let step = (most + sum.ln() - rhs) * sum / (linear + e * power);
        w -= step;
        if step.is_nan() || step <= 1e-13 * (1.0 + w.abs()) {
            break;
        }
    }
    w.exp()
}

impl Lp {
    /// x and r = h (b - x) for s, b >= 0, h > 0: worked out in the variable whose power is convex.
    fn coordinate(&self, b: f64, h: f64, t: f64, s: f64) -> (f64, f64) {
        if b == 0.0 {
            return (0.0, 0.0);
        }
        if self.p >= 2.0 {
            // h x + t (x / s)^(p - 1) = h b, divided by t, in x / s
            let e = self.p - 1.0;
            let top = (b / s).min((h * b / t).powf(1.0 / e));
            let x = s * convex_root(h * s / t, 1.0, e, h * b / t, top);
            (x, t * (x / s).powf(e))
        } else {
            // r / h + s (r / t)^(q - 1) = b, divided by s, in r / t
            let e = self.q - 1.0;
            let top = (h * b / t).min((b / s).powf(1.0 / e));
            let r = t * convex_root(t / (h * s), 1.0, e, b / s, top);
            (s * (r / t).powf(e), r)
        }
    }
}

impl Norm for Lp {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn label(&self) -> String {
        format!("lp (p = {})", self.p)
    }

    fn value(&self, x: &[f64]) -> f64 {
        norm(x, self.p)
    }

    fn dual(&self, y: &[f64]) -> f64 {
        norm(y, self.q)
    }

    fn dual_upper(&self, y: &[f64]) -> f64 {
        if y.iter().any(|y| y.is_nan()) {
            return f64::INFINITY;
        }
        // quotient, power, sum, root, product: the quotient's error is multiplied by q and divided by it again
        ((self.dual(y) + f64::MIN_POSITIVE) * (1.0 + gamma(y.len() + 32))).next_up()
    }

    fn dual_argmax(&self, y: &mut [f64]) {
        let size = self.dual(y);
        if size > 0.0 {
            y.iter_mut().for_each(|y| *y = y.signum() * (y.abs() / size).powf(self.q - 1.0));
            let value = self.value(y);
            y.iter_mut().for_each(|y| *y /= value);
        }
    }

    fn prox(&self, b: &mut [f64], h: &[f64], t: f64) {
        b.iter_mut().zip(h).for_each(|(b, h)| *b = if *h > 0.0 { *b } else { 0.0 });
        if t == 0.0 {
            return;
        }
        let pull: Vec<f64> = b.iter().zip(h).map(|(b, h)| b * h).collect();
        if self.dual(&pull) <= t {
            b.fill(0.0);
            return;
        }
        let c = unit_scale(b);
        let (t, size) = (t * c, self.value(b) * c);
        let x_and_r = |s: f64| -> (Vec<f64>, Vec<f64>) {
            b.iter().zip(h).map(|(b, h)| self.coordinate(b.abs() * c, *h, t, s)).unzip()
        };
        // ||x|| <= ||b||: every coordinate shrinks
        let excess = |s: f64| self.dual(&x_and_r(s).1) / t - 1.0;
        let (mut lo, mut hi) = (size, size);
        while lo > f64::MIN_POSITIVE && excess(lo) < 0.0 {
            hi = lo;
            lo *= 0.125;
        }
        let (x, _) = x_and_r(if lo == hi { hi } else { falling(lo, hi, excess) });
        b.iter_mut().zip(&x).for_each(|(b, x)| *b = b.signum() * x / c);
    }

    fn of_squares(&self) -> Option<Box<dyn Norm>> {
        // ||x||_p >= ||x||_2 for p <= 2; just above 2 the dual's exponent would be beyond what powers are good for
        match self.p {
            p if p <= 2.0 => Some(Box::new(L1)),
            p if p >= 2.02 => Some(Box::new(Self::new(0.5 * p))),
            _ => None,
        }
    }

    fn is_absolute(&self) -> bool {
        true
    }

    fn is_symmetric(&self) -> bool {
        true
    }

    fn l2_radius(&self, n: usize) -> f64 {
        // ||x||_2 <= n^(1/2 - 1/p) ||x||_p for p >= 2
        let exponent = (0.5 - 1.0 / self.p).max(0.0);
        ((n as f64).powf(exponent) * (1.0 + gamma(16))).next_up()
    }

    fn l1_radius(&self, n: usize) -> f64 {
        ((n as f64).powf(1.0 - 1.0 / self.p) * (1.0 + gamma(16))).next_up()
    }
}
