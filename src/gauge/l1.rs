//! The l1 norm, `norm = "l1"`.
//!
//! ```text
//! ||x||_1       sum_j |x_j|
//! dual          max_j |y_j|, attained at sign(y_k) e_k for the first largest |y_k|
//! prox          x_j = sign(b_j) max(|b_j| - t / h_j, 0)
//! ```

use super::{Kind, Norm};

/// ||x||_1.
#[derive(Debug)]
pub struct L1;

/// Registration.
pub const KIND: Kind = Kind {
    name: "l1",
    summary: "sum of absolute values",
    keys: &[],
    optional: &[],
    build: |_| Ok(Box::new(L1)),
    examples: |_| vec![Box::new(L1)],
};

impl Norm for L1 {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn value(&self, x: &[f64]) -> f64 {
        x.iter().map(|x| x.abs()).sum()
    }

    fn dual(&self, y: &[f64]) -> f64 {
        y.iter().fold(0.0, |m: f64, y| m.max(y.abs()))
    }

    fn dual_argmax(&self, y: &mut [f64]) {
        let mut k = 0;
        for j in 1..y.len() {
            if y[j].abs() > y[k].abs() {
                k = j;
            }
        }
        let sign = y.get(k).map_or(0.0, |y| if *y == 0.0 { 0.0 } else { y.signum() });
        y.fill(0.0);
        if sign != 0.0 {
            y[k] = sign;
        }
    }

    fn prox(&self, b: &mut [f64], h: &[f64], t: f64) {
        for (b, &h) in b.iter_mut().zip(h) {
            *b = if h > 0.0 { b.signum() * (b.abs() - t / h).max(0.0) } else { 0.0 };
        }
    }

    fn is_absolute(&self) -> bool {
        true
    }

    fn is_symmetric(&self) -> bool {
        true
    }

    fn l2_radius(&self, _n: usize) -> f64 {
        1.0
    }

    fn l1_radius(&self, _n: usize) -> f64 {
        1.0
    }
}
