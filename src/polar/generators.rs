//! Simplicial cones, and functions on them that are below linear ones.
//!
//! ```text
//! u = G a, a >= 0, unit generators g_j in one orthant;     f(u) <= sum_j a_j c_j
//! max of f over ||u|| = 1   <=  ||y|| + max_j (c_j - y'g_j)_+ sum_j a_j                            for any y
//! sum_j a_j <= 1 / sqrt(min g_j'g_k),    a_j <= 1 / ||g_j||
//! ```
//!
//! The inequality corrects itself: y comes from a quadratic program, and need not solve it. Products g_j'g_k of
//! vectors of one orthant are >= 0 without rounding errors in the sign.

use super::best_first::Cell;
use crate::linalg::nnls::quadratic;
use crate::linalg::sum::gamma;

/// What a computed point of an edge may be off by, at unit length.
pub const DRIFT: f64 = 4e-15;

/// The rows of T and W, row by row, of d and q entries.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// T.
    pub t: &'a [f64],
    /// W.
    pub w: &'a [f64],
    /// d.
    pub d: usize,
    /// q.
    pub q: usize,
}

/// What the rows do on a cone: inactive ones, t_i'u <= 0 throughout, are left out.
pub struct Sides {
    /// sum of t_i w_i' over the active rows, d x q column by column.
    pub active: Vec<f64>,
    /// The rows that change sign.
    pub crossing: Box<[u32]>,
    /// t_i'g_j for those, all j of a row side by side.
    pub products: Vec<f64>,
}

impl Rows<'_> {
    /// The sides on the cone of these generators, inside one with these active and crossing rows.
    pub fn sides(self, generators: &[f64], active: &[f64], among: &[u32]) -> Sides {
        let (d, q) = (self.d, self.q);
        let mut active = active.to_vec();
        let (mut crossing, mut products) = (Vec::new(), Vec::new());
        let mut line = vec![0.0; generators.len() / d];
        for &i in among {
            let t = &self.t[i as usize * d..(i as usize + 1) * d];
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            for (x, g) in line.iter_mut().zip(generators.chunks_exact(d)) {
                *x = t.iter().zip(g).map(|(t, g)| t * g).sum();
                low = low.min(*x);
                high = high.max(*x);
            }
            if low < 0.0 && high > 0.0 {
                crossing.push(i);
                products.extend_from_slice(&line);
            } else if high > 0.0 {
                for o in 0..q {
                    let w = self.w[i as usize * q + o];
                    (0..d).for_each(|r| active[o * d + r] += t[r] * w);
                }
            }
        }
        Sides { active, crossing: crossing.into(), products }
    }
}

/// A cone of a branch and bound.
pub struct Cone<S> {
    /// f is no larger on it.
    pub upper: f64,
    /// How often it was split off.
    pub depth: usize,
    /// Its generators, one after the other.
    pub generators: Vec<f64>,
    /// sum of t_i w_i' over the active rows, d x q column by column.
    pub active: Vec<f64>,
    /// The rows that change sign on it.
    pub crossing: Box<[u32]>,
    /// Where the bound is attained, or a direction worth trying.
    pub top: Vec<f64>,
    /// How it is to be split.
    pub split: S,
}

impl<S> Cell for Cone<S> {
    fn upper(&self) -> f64 {
        self.upper
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn bytes(&self) -> usize {
        let numbers = self.generators.len() + self.active.len() + self.top.len();
        size_of::<Self>() + size_of::<f64>() * numbers + size_of::<u32>() * self.crossing.len()
    }
}

/// The two vertices of a cell that are furthest apart; `None` for a single vertex.
pub fn longest_edge<'a>(cell: &[usize], at: impl Fn(usize) -> &'a [f64]) -> Option<(usize, usize)> {
    let mut best = None;
    let mut length = 0.0;
    for i in 0..cell.len() {
        for j in 0..i {
            let (a, b) = (at(cell[i]), at(cell[j]));
            let distance: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
            if distance > length {
                (best, length) = (Some((i, j)), distance);
            }
        }
    }
    best
}

/// (a + b) / 2 if every coordinate is exact.
pub fn exact_middle(a: &[f64], b: &[f64]) -> Option<Vec<f64>> {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| {
            let sum = a + b;
            // Fast2Sum with the larger in size first: the error of the sum
            let (large, small) = if a.abs() >= b.abs() { (a, b) } else { (b, a) };
            (small - (sum - large) == 0.0).then_some(0.5 * sum)
        })
        .collect()
}

/// A cone's generators with their products.
pub struct Span<'a> {
    g: &'a [f64],
    d: usize,
    gram: Vec<f64>,
    /// sum_j a_j at most.
    total: f64,
}

/// A bound on a cone.
pub struct SpanBound {
    /// f is no larger at unit length.
    pub upper: f64,
    /// y, where it is attained if the bound is tight.
    pub at: Vec<f64>,
    /// ||y||.
    pub size: f64,
}

impl<'a> Span<'a> {
    /// d generators of length d, one after the other.
    pub fn new(g: &'a [f64], d: usize) -> Self {
        let mut gram = vec![0.0; d * d];
        let mut least = f64::INFINITY;
        for j in 0..d {
            for k in 0..=j {
                let x: f64 = (0..d).map(|r| g[j * d + r] * g[k * d + r]).sum();
                gram[j * d + k] = x;
                gram[k * d + j] = x;
                least = least.min(x);
            }
        }
        let shortest = (0..d).map(|j| gram[j * d + j]).fold(f64::INFINITY, f64::min);
        let total = (d as f64 / shortest).sqrt().min(if least > 0.0 {
            1.0 / (least * (1.0 - gamma(d + 2))).sqrt()
        } else {
            f64::INFINITY
        });
        Self { g, d, gram, total: total * (1.0 + 1e-14) }
    }

    /// A bound from the values c_j, each of which may be too low by `rounding`.
    pub fn bound(&self, values: &[f64], rounding: f64) -> SpanBound {
        let d = self.d;
        if values.iter().any(|c| !c.is_finite()) {
            return SpanBound { upper: f64::INFINITY, at: vec![0.0; d], size: 0.0 };
        }
        let a = quadratic(&self.gram, values);
        let y: Vec<f64> = (0..d).map(|r| (0..d).map(|j| self.g[j * d + r] * a[j]).sum()).collect();
        let size = y.iter().map(|y| y * y).sum::<f64>().sqrt();
        let excess =
            (0..d).map(|j| values[j] - (0..d).map(|r| self.g[j * d + r] * y[r]).sum::<f64>()).fold(0.0, f64::max);
        let upper =
            size * (1.0 + gamma(d + 6)) + self.total * (excess * (1.0 + gamma(4)) + gamma(d + 6) * size + rounding);
        SpanBound { upper: upper.next_up(), at: y, size }
    }
}

/// The generators of an orthant: bit j of `signs` says that axis j is negative.
pub fn orthant(d: usize, signs: usize) -> Vec<f64> {
    let mut g = vec![0.0; d * d];
    (0..d).for_each(|j| g[j * d + j] = if signs >> j & 1 == 0 { 1.0 } else { -1.0 });
    g
}

/// The point of the edge between generators j and k with this share of k, at unit length.
pub fn between(g: &[f64], d: usize, (j, k, share): (usize, usize, f64)) -> Vec<f64> {
    let mut middle: Vec<f64> = (0..d).map(|r| (1.0 - share) * g[j * d + r] + share * g[k * d + r]).collect();
    let size = middle.iter().map(|x| x * x).sum::<f64>().sqrt();
    middle.iter_mut().for_each(|x| *x /= size);
    middle
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::Mat;
    use crate::linalg::lanczos::gaussian;

    /// Generators of an orthant, from wide to slivers.
    fn cone(d: usize, seed: u64) -> Vec<f64> {
        let spread = 10f64.powi(-((seed % 9) as i32));
        let (centre, around) = (gaussian(d, 1, seed).abs(), gaussian(d, d, seed + 1));
        let mut g = Vec::new();
        for j in 0..d {
            let x = Mat::from_fn(d, 1, |r, _| (centre[r] + spread * around[(r, j)]).abs());
            g.extend((&x / x.norm()).iter());
        }
        g
    }

    #[test]
    fn midpoints_are_exact_or_refused() {
        assert_eq!(exact_middle(&[1.0, 0.0], &[0.0, 1.0]), Some(vec![0.5, 0.5]));
        for sign in [1.0, -1.0] {
            assert_eq!(exact_middle(&[sign], &[sign * f64::EPSILON / 4.0]), None);
            assert_eq!(exact_middle(&[sign * f64::EPSILON / 4.0], &[sign]), None);
            assert_eq!(exact_middle(&[sign * 0.25], &[-sign]), Some(vec![-sign * 0.375]));
        }
    }

    #[test]
    fn no_linear_combination_is_above_the_bound_and_a_norm_meets_it() {
        for seed in 0..2000 {
            let d = 1 + seed as usize % 6;
            let g = cone(d, seed);
            let values: Vec<f64> = gaussian(d, 1, seed + 2).iter().map(|x| x.abs() + 0.1).collect();
            let bound = Span::new(&g, d).bound(&values, 0.0);
            for a in gaussian(d, 100, seed + 3).map(|x| x.abs().powi(3)).column_iter() {
                let u = Mat::from_column_slice(d, d, &g) * a;
                let value: f64 = values.iter().zip(a.iter()).map(|(v, a)| v * a).sum::<f64>() / u.norm();
                assert!(value <= bound.upper, "seed {seed}, d {d}: {value} above {}", bound.upper);
            }
            let attained = bound.at.iter().map(|y| y * y).sum::<f64>().sqrt();
            assert!(bound.upper <= attained * 1.05 + 1e-9 || seed % 9 > 3, "seed {seed}: {}", bound.upper);
        }
    }

    /// The mutant: the program's own value, from prices that are a little too low.
    #[test]
    fn the_value_of_a_program_half_solved_is_caught() {
        let mut caught = 0;
        for seed in 0..300 {
            let d = 2 + seed as usize % 5;
            let g = cone(d, seed);
            let values: Vec<f64> = gaussian(d, 1, seed + 2).iter().map(|x| x.abs() + 0.1).collect();
            let bound = Span::new(&g, d).bound(&values.iter().map(|v| v * (1.0 - 1e-3)).collect::<Vec<_>>(), 0.0);
            let over = |j: usize| values[j] / (0..d).map(|r| g[j * d + r].powi(2)).sum::<f64>().sqrt() > bound.size;
            caught += usize::from((0..d).any(over));
        }
        assert!(caught > 100, "caught {caught} times");
    }
}
