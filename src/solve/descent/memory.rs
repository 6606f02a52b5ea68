//! The limited memory of L-BFGS: the last steps and gradient changes, and the inverse Hessian they stand for.
//!
//! ```text
//! two-loop recursion for d <- B^-1 d:   alpha_i = s_i'd / s_i'y_i,  d -= alpha_i y_i        newest to oldest
//!                                       d <- gamma H^-1 d                                   H: the metric
//!                                       beta_i = y_i'd / s_i'y_i,   d += (alpha_i - beta_i) s_i   oldest to newest
//! ```
//!
//! The scalars follow from s_i'd, s_i'y_j and y_i'H^-1 d alone, so the vectors, which are long, are passed over four times in all
//! and not four times per pair.

use crate::linalg::long;
use crate::linalg::simd::vectorised;
use crate::linalg::vector::dot;
use std::borrow::Cow;
use std::collections::VecDeque;

/// Pairs remembered: with the metric few are needed.
const PAIRS: usize = 5;

/// The last pairs, with y'H^-1 y for the metric H.
#[derive(Default)]
pub struct Memory {
    pairs: VecDeque<Pair>,
    /// Storage of a pair that went.
    spare: Option<Pair>,
}

#[derive(Default)]
struct Pair {
    s: Vec<f64>,
    y: Vec<f64>,
    /// y'H^-1 y
    size: f64,
}

impl Memory {
    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Remembers a step from one point to the next with the change of the gradient, if that shows curvature.
    pub fn push(&mut self, x: [&[f64]; 2], gradient: [&[f64]; 2], precondition: impl Fn(&mut [f64])) {
        let mut pair = self.spare.take().unwrap_or_default();
        let difference = |out: &mut Vec<f64>, [from, to]: [&[f64]; 2]| {
            out.resize(to.len(), 0.0);
            long::sum(out, to, -1.0, from);
        };
        difference(&mut pair.s, x);
        difference(&mut pair.y, gradient);
        let sy = long::dots(&[&pair.s, &pair.y], &pair.y);
        if sy[0] > 1e-10 * (long::dot(&pair.s, &pair.s) * sy[1]).sqrt() {
            let mut preconditioned = pair.y.clone();
            precondition(&mut preconditioned);
            pair.size = long::dot(&pair.y, &preconditioned);
            if self.pairs.len() == PAIRS {
                self.spare = self.pairs.pop_front();
            }
            self.pairs.push_back(pair);
        } else {
            self.spare = Some(pair);
        }
    }

    /// d <- B^-1 d on the coordinates that are not active (`d` is zero on those).
    pub fn apply(&self, d: &mut [f64], active: &[bool], precondition: impl Fn(&mut [f64])) {
        let (sd, sy) = self.products(d, active);
        let usable: Vec<usize> = (0..self.pairs.len()).filter(|&i| sy[i][i] > 0.0).collect();
        let s: Vec<&[f64]> = usable.iter().map(|&i| &self.pairs[i].s[..]).collect();
        let y: Vec<&[f64]> = usable.iter().map(|&i| &self.pairs[i].y[..]).collect();
        let mut alpha = vec![0.0; usable.len()];
        for (a, &i) in usable.iter().enumerate().rev() {
            let later: f64 = (a + 1..usable.len()).map(|b| alpha[b] * sy[i][usable[b]]).sum();
            alpha[a] = (sd[i] - later) / sy[i][i];
        }
        long::combine(d, 1.0, &alpha.iter().map(|a| -a).collect::<Vec<_>>(), &y);
        hold(d, active);
        precondition(d);
        hold(d, active);
        let scale = usable.last().map_or(1.0, |&i| sy[i][i] / self.pairs[i].size);
        let yd = long::dots(&y, d);
        let mut weight = vec![0.0; usable.len()];
        for (a, &i) in usable.iter().enumerate() {
            let earlier: f64 = (0..a).map(|b| weight[b] * sy[usable[b]][i]).sum();
            weight[a] = alpha[a] - (scale * yd[a] + earlier) / sy[i][i];
        }
        long::combine(d, scale, &weight, &s);
        hold(d, active);
    }

    /// s_i'd, and s_i'y_j for j >= i, on the coordinates that are not active.
    fn products(&self, d: &[f64], active: &[bool]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let n = self.pairs.len();
        let found = long::sums(d.len(), n + n * n, |at, out| {
            let active = active.get(at.clone()).filter(|a| a.contains(&true));
            vectorised(
                #[inline(always)]
                || {
                    for (j, pair) in self.pairs.iter().enumerate() {
                        let mut y = Cow::Borrowed(&pair.y[at.clone()]);
                        if let Some(active) = active {
                            hold(y.to_mut(), active);
                        }
                        out[j] = dot(&pair.s[at.clone()], &d[at.clone()]);
                        for (i, earlier) in self.pairs.iter().enumerate().take(j + 1) {
                            out[n + i * n + j] = dot(&earlier.s[at.clone()], &y);
                        }
                    }
                },
            );
        });
        (found[..n].to_vec(), found[n..].chunks(n.max(1)).map(<[f64]>::to_vec).collect())
    }
}

/// Zeroes the coordinates that are held; none are where `active` is empty.
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
        let vector = |k: f64| -> Vec<f64> { (0..n).map(|i| (k * i as f64 + k).sin()).collect() };
        let metric = |v: &mut [f64]| v.iter_mut().enumerate().for_each(|(i, v)| *v *= 1.0 + 0.5 * (i % 3) as f64);
        let mut memory = Memory::default();
        let mut d = vector(0.2);
        memory.apply(&mut d, &[], metric);
        let mut expected = vector(0.2);
        metric(&mut expected);
        assert_eq!(d, expected);
        for (k, held) in [(1.0, false), (1.3, false), (1.7, true), (2.1, false), (2.6, true), (3.1, false), (3.7, true)]
        {
            let (from, to) = (vector(k), vector(k + 0.5));
            // a gradient change along the step, and something else
            let curve =
                |x: &[f64]| -> Vec<f64> { x.iter().enumerate().map(|(i, x)| x * (2.0 + (i % 5) as f64)).collect() };
            memory.push([&from, &to], [&curve(&from), &curve(&to)], metric);
            let active: Vec<bool> = if held { (0..n).map(|i| i % 7 == 3).collect() } else { Vec::new() };
            let step: Vec<f64> = to.iter().zip(&from).map(|(a, b)| a - b).collect();
            let mut change: Vec<f64> = curve(&to).iter().zip(curve(&from)).map(|(a, b)| a - b).collect();
            hold(&mut change, &active);
            memory.apply(&mut change, &active, metric);
            let mut expected = step.clone();
            hold(&mut expected, &active);
            let error = change.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(error <= 1e-10, "pair {k}, held {held}: {error}");
        }
    }
}
