//! The fused prox: total variation along a line with absolute values, in any diagonal metric, exactly.
//!
//! ```text
//! argmin 1/2 sum m_j (x_j - b_j)^2 + a sum |x_j| + c sum |x_(j+1) - x_j|
//! ```
//!
//! Dynamic programming on the derivative of the cost-to-come, a nondecreasing piecewise linear function of x_j (with a jump of
//! 2 a at 0), kept as a sorted list of knots. Adding the next coordinate clips it to [-c, c] and adds a line; each knot is
//! added and dropped once. Source: Johnson, "A dynamic programming algorithm for the fused lasso and L0-segmentation", JCGS 22
//! (2013), with weights and the kink at 0. The segments found are then given the values that their optimality condition says.

use std::collections::VecDeque;

/// A line s x + i.
#[derive(Clone, Copy)]
struct Line {
    slope: f64,
    shift: f64,
}

impl Line {
    fn at(self, x: f64) -> f64 {
        self.slope * x + self.shift
    }

    fn plus(self, other: Line) -> Line {
        Line { slope: self.slope + other.slope, shift: self.shift + other.shift }
    }

    fn minus(self, other: Line) -> Line {
        Line { slope: self.slope - other.slope, shift: self.shift - other.shift }
    }
}

/// A nondecreasing piecewise linear function: the line left of all knots, that right of all, and the change at each knot.
struct Derivative {
    left: Line,
    right: Line,
    knots: VecDeque<(f64, Line)>,
}

impl Derivative {
    /// Adds m (x - b) + a sign(x).
    fn add(&mut self, m: f64, b: f64, a: f64) {
        let line = |a: f64| Line { slope: m, shift: a - m * b };
        self.left = self.left.plus(line(-a));
        self.right = self.right.plus(line(a));
        if a > 0.0 {
            let at = self.knots.partition_point(|k| k.0 < 0.0);
            self.knots.insert(at, (0.0, Line { slope: 0.0, shift: 2.0 * a }));
        }
    }

    /// Replaces what is below `level` by it; returns where it is reached.
    fn clip_below(&mut self, level: f64) -> f64 {
        let mut line = self.left;
        let mut at = None;
        while let Some(&(x, change)) = self.knots.front() {
            if line.at(x) >= level {
                break;
            }
            self.knots.pop_front();
            line = line.plus(change);
            if line.at(x) >= level {
                at = Some(x);
                break;
            }
        }
        let at = at.unwrap_or(if line.slope > 0.0 { (level - line.shift) / line.slope } else { f64::NEG_INFINITY });
        if at > f64::NEG_INFINITY {
            // rounding must not put it past the knots that remain
            let at = self.knots.front().map_or(at, |k| at.min(k.0));
            self.left = Line { slope: 0.0, shift: level };
            self.knots.push_front((at, line.minus(self.left)));
        }
        at
    }

    /// Replaces what is above `level` by it; returns where it is reached.
    fn clip_above(&mut self, level: f64) -> f64 {
        let mut line = self.right;
        let mut at = None;
        while let Some(&(x, change)) = self.knots.back() {
            if line.at(x) <= level {
                break;
            }
            self.knots.pop_back();
            line = line.minus(change);
            if line.at(x) <= level {
                at = Some(x);
                break;
            }
        }
        let at = at.unwrap_or(if line.slope > 0.0 { (level - line.shift) / line.slope } else { f64::INFINITY });
        if at < f64::INFINITY {
            let at = self.knots.back().map_or(at, |k| at.max(k.0));
            self.right = Line { slope: 0.0, shift: level };
            self.knots.push_back((at, self.right.minus(line)));
        }
        at
    }
}

/// b <- the fused prox; m >= 0 with some m_j > 0 or a > 0, a >= 0, c > 0.
pub fn fused(b: &mut [f64], m: &[f64], a: f64, c: f64) {
    let n = b.len();
    if n == 0 {
        return;
    }
    let flat = Line { slope: 0.0, shift: 0.0 };
    let mut cost = Derivative { left: flat, right: flat, knots: VecDeque::new() };
    let mut ends = Vec::with_capacity(n);
    for j in 0..n {
        cost.add(m[j], b[j], a);
        if j + 1 < n {
            ends.push((cost.clip_below(-c), cost.clip_above(c)));
        }
    }
    let mut x = vec![0.0; n];
    x[n - 1] = finite(cost.clip_below(0.0));
    for j in (0..n - 1).rev() {
        let (lo, hi) = ends[j];
        x[j] = finite(x[j + 1].max(lo).min(hi));
    }
    polish(&mut x, b, m, a, c);
    b.copy_from_slice(&x);
}

/// A flat stretch of the derivative that has no end: any point will do.
fn finite(x: f64) -> f64 {
    if x.is_finite() { x } else { 0.0 }
}

/// Gives each segment of equal values the root of its own optimality condition.
fn polish(x: &mut [f64], b: &[f64], m: &[f64], a: f64, c: f64) {
    let before = x.to_vec();
    let n = x.len();
    let mut start = 0;
    while start < n {
        let value = before[start];
        let end = (start..n).find(|&j| before[j] != value).unwrap_or(n);
        let mass: f64 = m[start..end].iter().sum();
        if value != 0.0 && mass > 0.0 {
            let pull: f64 = (start..end).map(|j| m[j] * b[j]).sum();
            let side = |other: f64| if value > other { c } else { -c };
            let left = if start > 0 { side(before[start - 1]) } else { 0.0 };
            let right = if end < n { side(before[end]) } else { 0.0 };
            let fresh = (pull - a * value.signum() * (end - start) as f64 - left - right) / mass;
            if fresh * value > 0.0 {
                x[start..end].fill(fresh);
            }
        }
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::fused;
    use rand::{RngExt, SeedableRng};

    /// Every subgradient condition, with the dual variable of the differences recovered from the left.
    fn excess(x: &[f64], b: &[f64], m: &[f64], a: f64, c: f64) -> f64 {
        // z_j in [lo, hi] carries c times the subgradient of |x_(j+1) - x_j|
        let (mut lo, mut hi): (f64, f64) = (0.0, 0.0);
        let mut worst: f64 = 0.0;
        for j in 0..x.len() {
            let g = m[j] * (x[j] - b[j]);
            let (down, up) = if x[j] == 0.0 { (-a, a) } else { (a * x[j].signum(), a * x[j].signum()) };
            // z_j = z_(j-1) + g + a s
            (lo, hi) = (lo + g + down, hi + g + up);
            let (least, most) = match x.get(j + 1) {
                None => (0.0, 0.0),
                Some(next) if *next > x[j] => (c, c),
                Some(next) if *next < x[j] => (-c, -c),
                Some(_) => (-c, c),
            };
            worst = worst.max(least - hi).max(lo - most);
            (lo, hi) = (lo.clamp(least, most), hi.clamp(least, most));
        }
        worst
    }

    #[test]
    fn the_optimality_conditions_hold_on_lines_of_every_length_with_ties_and_weights_of_zero() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        for round in 0..3000 {
            let n = rng.random_range(1..40);
            let tied = round % 2 == 0;
            let draw = |x: f64| if tied { x.round() } else { x };
            let b: Vec<f64> = (0..n).map(|_| draw(rng.random_range(-3.0..3.0))).collect();
            let m: Vec<f64> =
                (0..n).map(|_| if rng.random_bool(0.2) { 0.0 } else { rng.random_range(0.1..3.0) }).collect();
            let a = if round % 3 == 0 { 0.0 } else { rng.random_range(0.0..1.0) };
            let c = 10f64.powf(rng.random_range(-2.0..1.0));
            if a == 0.0 && m.iter().all(|m| *m == 0.0) {
                continue;
            }
            let mut x = b.clone();
            fused(&mut x, &m, a, c);
            assert!(excess(&x, &b, &m, a, c) < 1e-12, "round {round}: {}", excess(&x, &b, &m, a, c));
            // the mutant: a point that is off by little is seen
            x[n / 2] += 1e-6;
            assert!(excess(&x, &b, &m, a, c) > 1e-9 || m[n / 2] == 0.0, "round {round}");
        }
    }

    #[test]
    fn a_long_line_costs_little_and_is_exact() {
        let n = 20_000;
        let b: Vec<f64> = (0..n).map(|j| (j as f64 * 0.37).sin() + f64::from(u8::from(j % 5000 > 2500))).collect();
        let m = vec![1.0; n];
        let mut x = b.clone();
        fused(&mut x, &m, 0.1, 3.0);
        assert!(excess(&x, &b, &m, 0.1, 3.0) < 1e-9);
    }
}
