//! The maximum norm, `norm = "linf"`.
//!
//! ```text
//! ||x||_inf     max_j |x_j|
//! dual          sum_j |y_j|, attained at sign(y) (0 where y_j = 0)
//! prox          x = 0 if sum_j h_j |b_j| <= t, else x_j = sign(b_j) min(|b_j|, c) with sum_j h_j (|b_j| - c)_+ = t
//! ```
//!
//! The clipping level c is exact: the left side is piecewise linear in c with breakpoints |b_j|.

use super::{Kind, Norm};

/// ||x||_inf.
#[derive(Debug)]
pub struct Linf;

/// Registration.
pub const KIND: Kind = Kind {
    name: "linf",
    summary: "largest absolute value",
    keys: &[],
    optional: &[],
    build: |_| Ok(Box::new(Linf)),
    examples: |_| vec![Box::new(Linf)],
};

impl Norm for Linf {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn value(&self, x: &[f64]) -> f64 {
        x.iter().fold(0.0, |m: f64, x| m.max(x.abs()))
    }

    fn dual(&self, y: &[f64]) -> f64 {
        y.iter().map(|y| y.abs()).sum()
    }

    fn dual_argmax(&self, y: &mut [f64]) {
        y.iter_mut().for_each(|y| *y = if *y == 0.0 { 0.0 } else { y.signum() });
    }

    fn prox(&self, b: &mut [f64], h: &[f64], t: f64) {
        b.iter_mut().zip(h).for_each(|(b, h)| *b = if *h > 0.0 { *b } else { 0.0 });
        let mut order: Vec<usize> = (0..b.len()).filter(|&j| h[j] > 0.0 && b[j] != 0.0).collect();
        order.sort_by(|&i, &j| b[j].abs().total_cmp(&b[i].abs()));
        // with the k largest clipped: sum h (|b| - c) = t  =>  c = (sum h |b| - t) / sum h
        let (mut weight, mut mass, mut level) = (0.0, 0.0, 0.0);
        for (k, &j) in order.iter().enumerate() {
            weight += h[j];
            mass += h[j] * b[j].abs();
            level = (mass - t) / weight;
            if order.get(k + 1).is_none_or(|&next| level >= b[next].abs()) {
                break;
            }
        }
        let level: f64 = level.max(0.0);
        b.iter_mut().for_each(|b| *b = b.clamp(-level, level));
    }

    fn of_squares(&self) -> Option<Box<dyn Norm>> {
        Some(Box::new(Self))
    }

    fn is_absolute(&self) -> bool {
        true
    }

    fn is_symmetric(&self) -> bool {
        true
    }

    fn l2_radius(&self, n: usize) -> f64 {
        (n as f64).sqrt()
    }

    fn l1_radius(&self, n: usize) -> f64 {
        n as f64
    }
}
