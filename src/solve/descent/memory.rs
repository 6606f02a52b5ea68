//! The limited memory of L-BFGS: the last steps and gradient changes, and the inverse Hessian they stand for.
//!
//! ```text
//! two-loop recursion for d <- B^-1 d:   alpha_i = s_i'd / s_i'y_i,  d -= alpha_i y_i        newest to oldest
//!                                       d <- gamma H^-1 d                                   H: the metric
//!                                       beta_i = y_i'd / s_i'y_i,   d += (alpha_i - beta_i) s_i   oldest to newest
//! ```
//!
//! The scalars follow from s_i'd, s_i'y_j and y_i'H^-1 d alone, so the vectors, which are long, are passed over three times in all
//! and not four times per pair; s_i'y_j is known since the pairs came, unless coordinates are held. Pairs are kept in half the
//! precision, which a direction does not need, and twice as fast; powers of two bring them into its range.

use crate::linalg::long;
use crate::linalg::simd::vectorised;
use crate::linalg::vector::{axpy, dot, unit_scale};
use std::collections::VecDeque;
use std::ops::Range;

/// H^-1 for the metric H.
pub enum Inverse<'a> {
    /// Its diagonal, where it has no more.
    Diagonal(&'a [f64]),
    /// What it makes of a vector.
    Map(&'a dyn Fn(&mut [f64])),
}

/// A direction d, whose entries are elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Slope {
    /// g'd for the gradient g.
    pub along: f64,
    /// g'g.
    pub gradient: f64,
    /// d'd.
    pub direction: f64,
}

/// Pairs remembered: with the metric few are needed.
const PAIRS: usize = 5;

/// The last pairs, with y'H^-1 y for the metric H.
#[derive(Default)]
pub struct Memory {
    pairs: VecDeque<Pair>,
    /// Storage of a pair that went.
    spare: Option<Pair>,
    /// A vector to work in.
    scratch: Vec<f64>,
    /// What steps and gradient changes are multiplied by, powers of two.
    unit: Option<[f64; 2]>,
}

#[derive(Default)]
struct Pair {
    s: Vec<f32>,
    y: Vec<f32>,
    /// y'H^-1 y
    size: f64,
    /// s_i'y for every pair before this one, in their order, and for this.
    sy: VecDeque<f64>,
}

impl Memory {
    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Remembers a step from one point to the next with the change of the gradient, if that shows curvature.
    pub fn push(&mut self, x: [&[f64]; 2], gradient: [&[f64]; 2], inverse: &Inverse) {
        let mut pair = self.spare.take().unwrap_or_default();
        let [of_x, of_g] = *self.unit.get_or_insert_with(|| [unit_scale(x[0]), unit_scale(gradient[0])]);
        pair.s.resize(x[0].len(), 0.0);
        pair.y.resize(x[0].len(), 0.0);
        let diagonal = if let Inverse::Diagonal(h) = inverse { Some(*h) } else { None };
        let found = long::sums_writing((&mut pair.s, &mut pair.y), 4 + self.pairs.len(), |at, (s, y), out| {
            let (from, to) = (&x[0][at.clone()], &x[1][at.clone()]);
            let (before, after) = (&gradient[0][at.clone()], &gradient[1][at.clone()]);
            vectorised(
                #[inline(always)]
                || {
                    let mut change = [0.0; long::PIECE];
                    let change = &mut change[..at.len()];
                    for j in 0..at.len() {
                        s[j] = ((to[j] - from[j]) * of_x) as f32;
                        y[j] = ((after[j] - before[j]) * of_g) as f32;
                        change[j] = f64::from(y[j]);
                    }
                    out[0] = dot(s, change);
                    out[1] = dot(y, change);
                    for (out, p) in out[4..].iter_mut().zip(&self.pairs) {
                        *out = dot(&p.s[at.clone()], change);
                    }
                    if let Some(h) = diagonal {
                        change.iter_mut().zip(&h[at.clone()]).for_each(|(y, h)| *y *= h);
                        out[3] = dot(y, change);
                    }
                    for j in 0..at.len() {
                        change[j] = f64::from(s[j]);
                    }
                    out[2] = dot(s, change);
                },
            );
        });
        if found[0] > 1e-10 * (found[1] * found[2]).sqrt() {
            pair.size = match inverse {
                Inverse::Diagonal(_) => found[3],
                Inverse::Map(apply) => {
                    self.scratch.resize(x[0].len(), 0.0);
                    self.scratch.iter_mut().zip(&pair.y).for_each(|(v, y)| *v = f64::from(*y));
                    apply(&mut self.scratch);
                    long::dots(&[&pair.y], &self.scratch)[0]
                }
            };
            pair.sy = found[4..].iter().chain(&found[..1]).copied().collect();
            if self.pairs.len() == PAIRS {
                self.spare = self.pairs.pop_front();
                self.pairs.iter_mut().chain([&mut pair]).for_each(|p| _ = p.sy.pop_front());
            }
            self.pairs.push_back(pair);
        } else {
            self.spare = Some(pair);
        }
    }

    /// d <- -B^-1 g on the coordinates that are not active, and 0 on those.
    pub fn direction(&self, g: &[f64], d: &mut [f64], active: &[bool], inverse: &Inverse) -> Slope {
        let (sd, sy) = self.products(g, d, active);
        let usable: Vec<usize> = (0..self.pairs.len()).filter(|&i| sy[i][i] > 0.0).collect();
        let s: Vec<&[f32]> = usable.iter().map(|&i| &self.pairs[i].s[..]).collect();
        let y: Vec<&[f32]> = usable.iter().map(|&i| &self.pairs[i].y[..]).collect();
        let mut alpha = vec![0.0; usable.len()];
        for (a, &i) in usable.iter().enumerate().rev() {
            let later: f64 = (a + 1..usable.len()).map(|b| alpha[b] * sy[i][usable[b]]).sum();
            alpha[a] = (sd[i] - later) / sy[i][i];
        }
        let less_y = |at: &Range<usize>, d: &mut [f64]| {
            alpha.iter().zip(&y).for_each(|(a, y)| axpy(-a, &y[at.clone()], d));
            hold(d, part(active, at));
        };
        let along_y = |at: &Range<usize>, d: &mut [f64], out: &mut [f64]| {
            hold(d, part(active, at));
            out.iter_mut().zip(&y).for_each(|(out, y)| *out = dot(&y[at.clone()], d));
        };
        let yd = match inverse {
            Inverse::Diagonal(h) => long::sums_changing(d, y.len(), |at, d, out| {
                vectorised(
                    #[inline(always)]
                    || {
                        less_y(&at, d);
                        d.iter_mut().zip(&h[at.clone()]).for_each(|(d, h)| *d *= h);
                        along_y(&at, d, out);
                    },
                );
            }),
            Inverse::Map(apply) => {
                long::sums_changing(d, 0, |at, d, _| {
                    vectorised(
                        #[inline(always)]
                        || less_y(&at, d),
                    );
                });
                apply(d);
                long::sums_changing(d, y.len(), |at, d, out| {
                    vectorised(
                        #[inline(always)]
                        || along_y(&at, d, out),
                    );
                })
            }
        };
        // alpha is in units of y, and what follows in units of s
        let units = self.unit.map_or(1.0, |[of_x, of_g]| of_g / of_x);
        let scale = usable.last().map_or(1.0, |&i| sy[i][i] / self.pairs[i].size * units);
        let mut weight = vec![0.0; usable.len()];
        for (a, &i) in usable.iter().enumerate() {
            let earlier: f64 = (0..a).map(|b| weight[b] * sy[usable[b]][i]).sum();
            weight[a] = alpha[a] * units - (scale * yd[a] + earlier) / sy[i][i];
        }
        let found = long::sums_changing(d, 3, |at, d, out| {
            let g = &g[at.clone()];
            vectorised(
                #[inline(always)]
                || {
                    d.iter_mut().for_each(|d| *d *= scale);
                    weight.iter().zip(&s).for_each(|(w, s)| axpy(*w, &s[at.clone()], d));
                    hold(d, part(active, &at));
                    out.copy_from_slice(&[dot(g, d), dot(g, g), dot(d, d)]);
                },
            );
        });
        Slope { along: found[0], gradient: found[1], direction: found[2] }
    }

    /// d <- -g on the coordinates that are not active, and there s_i'd, and s_i'y_j for j >= i.
    fn products(&self, g: &[f64], d: &mut [f64], active: &[bool]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let n = self.pairs.len();
        let held = active.contains(&true);
        let found = long::sums_changing(d, if held { n + n * n } else { n }, |at, d, out| {
            let free = part(active, &at);
            vectorised(
                #[inline(always)]
                || {
                    d.iter_mut().zip(&g[at.clone()]).for_each(|(d, g)| *d = -g);
                    hold(d, free);
                    for (out, pair) in out.iter_mut().zip(&self.pairs) {
                        *out = dot(&pair.s[at.clone()], d);
                    }
                    if !held {
                        return;
                    }
                    let mut y = [0.0; long::PIECE];
                    let y = &mut y[..at.len()];
                    for (j, pair) in self.pairs.iter().enumerate() {
                        y.iter_mut().zip(&pair.y[at.clone()]).for_each(|(v, y)| *v = f64::from(*y));
                        hold(y, free);
                        for (i, earlier) in self.pairs.iter().enumerate().take(j + 1) {
                            out[n + i * n + j] = dot(&earlier.s[at.clone()], y);
                        }
                    }
                },
            );
        });
        let known = |i: usize, j: usize| if i <= j { self.pairs[j].sy[i] } else { 0.0 };
        let sy = |i: usize, j: usize| if held { found[n + i * n + j] } else { known(i, j) };
        (found[..n].to_vec(), (0..n).map(|i| (0..n).map(|j| sy(i, j)).collect()).collect())
    }
}

/// The flags of these coordinates; none where there are none.
#[inline(always)]
fn part<'a>(active: &'a [bool], at: &Range<usize>) -> &'a [bool] {
    if active.is_empty() { active } else { &active[at.clone()] }
}

/// Zeroes the coordinates that are held; none are where `active` is empty.
#[inline(always)]
pub fn hold(v: &mut [f64], active: &[bool]) {
    v.iter_mut().zip(active).filter(|(_, held)| **held).for_each(|(v, _)| *v = 0.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B^-1 satisfies the secant equation of the newest pair, and is H^-1 where nothing is remembered.
    #[test]
    fn the_newest_secant_equation_holds() {
        let n = 9000;
        // differences of these are exact in half the precision
        let short = |x: f64| (x * 1024.0).round() / 1024.0;
        let vector = |k: f64| -> Vec<f64> { (0..n).map(|i| short((k * i as f64 + k).sin())).collect() };
        let diagonal: Vec<f64> = (0..n).map(|i| 1.0 + 0.5 * (i % 3) as f64).collect();
        let metric = |v: &mut [f64]| v.iter_mut().zip(&diagonal).for_each(|(v, h)| *v *= h);
        for inverse in [Inverse::Diagonal(&diagonal), Inverse::Map(&metric)] {
            let mut memory = Memory::default();
            let mut d = vec![f64::NAN; n];
            let g = vector(0.2);
            let slope = memory.direction(&g, &mut d, &[], &inverse);
            let mut expected = vector(0.2);
            metric(&mut expected);
            assert!(d.iter().zip(&expected).all(|(d, e)| *d == -e));
            for (found, (a, b)) in
                [slope.along, slope.gradient, slope.direction].into_iter().zip([(&g, &d), (&g, &g), (&d, &d)])
            {
                assert!((found - long::dot(a, b)).abs() <= 1e-12 * found.abs());
            }
            for (k, held) in
                [(1.0, false), (1.3, false), (1.7, true), (2.1, false), (2.6, true), (3.1, false), (3.7, true)]
            {
                let (from, to) = (vector(k), vector(k + 0.5));
                // a gradient change along the step, and something else
                let curve = |x: &[f64]| -> Vec<f64> {
                    x.iter().enumerate().map(|(i, x)| x * (2.0 + (i % 5) as f64) * 2f64.powi(150)).collect()
                };
                memory.push([&from, &to], [&curve(&from), &curve(&to)], &inverse);
                let active: Vec<bool> = if held { (0..n).map(|i| i % 7 == 3).collect() } else { Vec::new() };
                let mut expected: Vec<f64> = from.iter().zip(&to).map(|(a, b)| a - b).collect();
                let change: Vec<f64> = curve(&to).iter().zip(curve(&from)).map(|(a, b)| a - b).collect();
                hold(&mut expected, &active);
                memory.direction(&change, &mut d, &active, &inverse);
                let error = d.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(error <= 1e-10, "pair {k}, held {held}: {error}");
            }
        }
    }
}
