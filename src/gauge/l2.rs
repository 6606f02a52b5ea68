//! The Euclidean norm, `norm = "l2"`.
//!
//! ```text
//! ||x||_2       sqrt(sum_j x_j^2)
//! dual          ||y||_2, attained at y / ||y||_2
//! prox          x = 0 if ||h b||_2 <= t, else x_j = h_j b_j s / (h_j s + t) with s = ||x||_2 the root of
//!               psi(s) = sum_j (h_j b_j / (h_j s + t))^2 = 1          (uniform h: s = ||b|| - t / h)
//! ```
//!
//! Newton on psi(s)^(-1/2) - 1, which is increasing and concave: from below the root it converges monotonically.

use super::l1::L1;
use super::{Kind, Norm};
use crate::linalg::simd::vectorised;
use crate::linalg::vector::dot;

/// ||x||_2.
#[derive(Debug)]
pub struct L2;

/// Registration.
pub const KIND: Kind = Kind {
    name: "l2",
    summary: "Euclidean norm",
    keys: &[],
    optional: &[],
    build: |_| Ok(Box::new(L2)),
    examples: |_| vec![Box::new(L2)],
};

impl Norm for L2 {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn value(&self, x: &[f64]) -> f64 {
        // squares neither overflow nor vanish in this range
        let plain = vectorised(
            #[inline(always)]
            || dot(x, x),
        );
        if (1e-260..1e300).contains(&plain) {
            return plain.sqrt();
        }
        let scale = x.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        if scale == 0.0 || !scale.is_finite() {
            return plain.sqrt();
        }
        scale * x.iter().map(|x| (x / scale) * (x / scale)).sum::<f64>().sqrt()
    }

    fn dual(&self, y: &[f64]) -> f64 {
        self.value(y)
    }

    fn dual_argmax(&self, y: &mut [f64]) {
        let norm = self.value(y);
        if norm > 0.0 {
            vectorised(
                #[inline(always)]
                || y.iter_mut().for_each(|y| *y /= norm),
            );
        }
    }

    fn prox(&self, b: &mut [f64], h: &[f64], t: f64) {
        if t == 0.0 {
            b.iter_mut().zip(h).for_each(|(b, h)| *b = if *h > 0.0 { *b } else { 0.0 });
            return;
        }
        let pull: Vec<f64> = b.iter().zip(h).map(|(b, h)| b * h).collect();
        let size = self.value(&pull);
        if size <= t {
            b.fill(0.0);
            return;
        }
        let s = root(&pull, h, t, size);
        for ((b, p), h) in b.iter_mut().zip(&pull).zip(h) {
            // the quotient first: p s overflows or vanishes long before p and s do
            *b = p * (s / (h * s + t));
        }
    }

    fn of_squares(&self) -> Option<Box<dyn Norm>> {
        Some(Box::new(L1))
    }

    fn is_absolute(&self) -> bool {
        true
    }

    fn is_symmetric(&self) -> bool {
        true
    }

    fn slope(&self) -> f64 {
        1.0
    }

    fn l2_radius(&self, _n: usize) -> f64 {
        1.0
    }
}

/// The s > 0 with sum_j (p_j / (h_j s + t))^2 = 1, given size = ||p||_2 > t.
fn root(p: &[f64], h: &[f64], t: f64, size: f64) -> f64 {
    // h_j <= max h gives psi(s) >= (size / (max h s + t))^2: the root is at least (size - t) / max h
    let top = h.iter().fold(0.0, |m: f64, h| m.max(*h));
    let mut s = (size - t) / top;
    for _ in 0..100 {
        let (mut psi, mut slope) = (0.0, 0.0);
        for (p, h) in p.iter().zip(h) {
            let d = h * s + t;
            let q = (p / d) * (p / d);
            psi += q;
            slope += q * h / d; // -psi' / 2
        }
        // Newton on F(s) = psi^(-1/2) - 1 = 0: F' = psi^(-3/2) * slope
        let step = (psi.sqrt() - 1.0) * psi / slope;
        if step <= 1e-16 * s || !step.is_finite() {
            break;
        }
        s += step;
    }
    s
}
