//! Nondecreasing vectors, `cone = "monotone"`: x_1 <= x_2 <= .. <= x_n.
//!
//! ```text
//! projection    pool adjacent violators: blocks of equal values, each the m-weighted mean of its entries
//! polar cone    {q : sum q = 0, q_1 + .. + q_k >= 0 for every k}, since <q, x> = - sum_k (q_1 + .. + q_k) (x_(k+1) - x_k)
//! ```
//!
//! Nonincreasing columns: reverse the order of the data.

use super::{Cone, Kind};
use crate::linalg::Mat;
use crate::linalg::sum::{gamma, norm_upper};

/// {x : x_i <= x_(i+1)}.
#[derive(Debug)]
pub struct Monotone;

/// Registration.
pub const KIND: Kind = Kind {
    name: "monotone",
    summary: "nondecreasing: x_i <= x_(i+1)",
    keys: &[],
    build: |_| Ok(Box::new(Monotone)),
    example: |_| Some(Box::new(Monotone)),
};

/// A run of equal values: its weight, its mean, its length.
struct Block {
    mass: f64,
    mean: f64,
    count: usize,
}

impl Cone for Monotone {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn project(&self, x: &mut [f64]) {
        self.project_metric(x, &vec![1.0; x.len()]);
    }

    fn project_metric(&self, x: &mut [f64], m: &[f64]) {
        let mut blocks: Vec<Block> = Vec::new();
        for (&x, &m) in x.iter().zip(m) {
            let mut last = Block { mass: m, mean: x, count: 1 };
            while let Some(before) = blocks.pop_if(|b| b.mean >= last.mean) {
                let mass = before.mass + last.mass;
                let mean = before.mean + (last.mean - before.mean) * (last.mass / mass);
                last = Block { mass, mean: mean.clamp(last.mean, before.mean), count: before.count + last.count };
            }
            blocks.push(last);
        }
        let mut at = 0;
        for b in blocks {
            x[at..at + b.count].fill(b.mean);
            at += b.count;
        }
    }

    fn violation(&self, x: &[f64]) -> Option<(usize, f64)> {
        if let Some(i) = x.iter().position(|x| x.is_nan()) {
            return Some((i, x[i]));
        }
        (1..x.len()).find(|&i| x[i] < x[i - 1]).map(|i| (i, x[i]))
    }

    fn halfspaces(&self, n: usize) -> Option<Mat> {
        let entry = |i: usize, j: usize| if j == i + 1 { 1.0 } else { -f64::from(u8::from(j == i)) };
        Some(Mat::from_fn(n.saturating_sub(1), n, entry))
    }

    fn reduce(&self, y: &mut [f64], d: Option<&[f64]>) -> f64 {
        let d = |j: usize| d.map_or(1.0, |d| d[j]);
        let metric: Vec<f64> = (0..y.len()).map(|j| d(j) * d(j)).collect();
        let mut x: Vec<f64> = y.iter().enumerate().map(|(j, y)| y / d(j)).collect();
        self.project_metric(&mut x, &metric);
        // q = D y - D^2 x has partial sums S >= 0 up to rounding; any S >= 0 is in the polar cone
        let (mut before, mut size) = (0.0, Vec::with_capacity(y.len()));
        let mut sum = 0.0;
        let n = y.len();
        for j in 0..n {
            sum += d(j) * y[j] - metric[j] * x[j];
            let here = if j + 1 < n { f64::max(sum, 0.0) } else { 0.0 };
            let q = (here - before) / d(j);
            size.push(y[j].abs() + (here + before) / d(j));
            y[j] -= q;
            before = here;
        }
        norm_upper(&size) * gamma(8)
    }
}
