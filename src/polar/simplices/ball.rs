//! The bound of one cone.
//!
//! What c says of the gauge's ball depends on the norm:
//!
//! ```text
//! l1      f(u) <= max_j c_j / ||t_j||_1 ||u||_1    for generators +-e_j, and for what is made of them by splitting: every u has an
//!                                                  a with sum_j a_j ||t_j||_1 = ||u||_1
//! else    f(u) <= ||y + theta x||°                 for generators of one orthant, any y and any x >= 0 there,
//!                                                  theta = max_j (c_j - y't_j)_+ / x't_j
//! ```
//!
//! alpha, y and x come from a game between them and a, played for a few rounds with multiplicative weights: the best answers to a are
//! the signs of v_i'u and a subgradient of the norm at u; their means are good for all a.

use super::{Cell, Ends, Function, clipped, dot, is_l1};
use crate::linalg::sum::gamma;

/// Rounds of the game on a cone.
pub(super) const ROUNDS: usize = 10;

impl Function<'_> {
    /// Lowers the cone's bound; returns how much its generators count where it is attained.
    pub(super) fn bound(&self, c: &mut Cell, s: &[f64]) -> Vec<f64> {
        let d = self.d;
        let count = c.generators.len() / d;
        let gens: Vec<&[f64]> = c.generators.chunks_exact(d).collect();
        // c_j is formed along at most as many sums as there are rows, of products of d terms; signs were taken at every level
        let rounding = 2.0 * gamma(self.size.len() + 2 * d + 2 * self.q + 4 * c.depth + 64);
        let errors: Vec<f64> = (gens.iter())
            .map(|t| rounding * t.iter().zip(&self.magnitude).map(|(t, m)| t.abs() * m).sum::<f64>())
            .collect();
        // |t_j|_1, no less
        let sizes: Vec<f64> =
            gens.iter().map(|t| t.iter().map(|t| t.abs()).sum::<f64>() * (1.0 - gamma(d + 4))).collect();
        let l1 = is_l1(self.norm);
        let sign: Vec<f64> = (0..d).map(|r| gens.iter().map(|t| t[r]).sum::<f64>().signum()).collect();
        let means = self.means(c);
        let mut score = vec![0.0; count];
        let mut alpha = vec![0.0; c.crossing.len()];
        let mut x = vec![0.0; d];
        let rounds = match (c.crossing.is_empty(), l1) {
            (true, true) => 1,
            (true, false) => ROUNDS / 3,
            _ => ROUNDS,
        };
        let mut weights = vec![1.0 / count as f64; count];
        let mut best = f64::INFINITY;
        for round in 0..rounds {
            let mut u = vec![0.0; d];
            for ((t, b), size) in gens.iter().zip(&weights).zip(&sizes) {
                u.iter_mut().zip(*t).for_each(|(u, t)| *u += b * t / size);
            }
            let share = 1.0 / (1.0 + round as f64);
            for (a, &i) in alpha.iter_mut().zip(&c.crossing) {
                let side = f64::from(u8::from(dot(self.row(i), &u) > 0.0));
                *a += share * (side - *a);
            }
            let prices: Vec<f64> =
                self.prices(c, s, &means, &alpha).iter().zip(&errors).map(|(p, e)| (p + e).next_up()).collect();
            if prices.iter().any(|p| !p.is_finite()) {
                break;
            }
            let (upper, ratios) = if l1 {
                let ratios: Vec<f64> = prices.iter().zip(&sizes).map(|(p, s)| p / s).collect();
                (ratios.iter().fold(0.0, |m: f64, r| m.max(*r)).next_up(), ratios)
            } else {
                let y = self.subgradient(&u, &sign);
                x.iter_mut().zip(&y).for_each(|(x, y)| *x += share * (y - *x));
                self.in_ball(c, &gens, &prices, &alpha, &x, &sign, &u)
            };
            best = best.min(upper);
            if best < c.upper || c.top.is_empty() {
                c.upper = c.upper.min(best);
                c.top.clone_from(&u);
            }
            let (low, high) =
                ratios.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h): (f64, f64), r| (l.min(*r), h.max(*r)));
            if high <= low || round + 1 == rounds {
                continue;
            }
            let rate = 2.0 / (1.0 + round as f64).sqrt();
            score.iter_mut().zip(&ratios).for_each(|(s, r)| *s += rate * (r - high) / (high - low));
            let top = score.iter().fold(f64::NEG_INFINITY, |m: f64, s| m.max(*s));
            let total: f64 = score.iter().map(|s| (s - top).exp()).sum();
            weights = score.iter().map(|s| (s - top).exp() / total).collect();
        }
        weights
    }

    /// m_j = sum over the active rows of w_i s_ij, q for every generator.
    pub(super) fn means(&self, c: &Cell) -> Vec<f64> {
        let (d, q) = (self.d, self.q);
        let of = |t: &[f64]| (0..q).map(|o| dot(t, &c.active[o * d..(o + 1) * d])).collect::<Vec<f64>>();
        c.generators.chunks_exact(d).flat_map(of).collect()
    }

    /// c_j, but for rounding.
    fn prices(&self, c: &Cell, s: &[f64], means: &[f64], alpha: &[f64]) -> Vec<f64> {
        let q = self.q;
        let count = c.generators.len() / self.d;
        let mut price = means.to_vec();
        if matches!(self.ends, Ends::One) {
            for ((&i, a), s) in c.crossing.iter().zip(alpha).zip(s.chunks_exact(count)) {
                let w = self.w[i as usize];
                if w > 0.0 {
                    price.iter_mut().zip(s).for_each(|(p, s)| *p += w * s.max(0.0));
                } else {
                    price.iter_mut().zip(s).for_each(|(p, s)| *p += w * a * s);
                }
            }
            return price;
        }
        let mut spread = vec![0.0; count];
        for ((&i, a), s) in c.crossing.iter().zip(alpha).zip(s.chunks_exact(count)) {
            let w = &self.w[i as usize * q..(i as usize + 1) * q];
            for j in 0..count {
                let (high, low) = (s[j].max(0.0), a * s[j]);
                (0..q).for_each(|o| price[j * q + o] += w[o] * 0.5 * (high + low));
                spread[j] += self.size[i as usize] * 0.5 * (high - low);
            }
        }
        price.chunks_exact(q).zip(&spread).map(|(m, e)| (self.ends(m) + e) * (1.0 + gamma(8))).collect()
    }

    /// A vector of the orthant with <x, u> about ||u||_D and a dual norm about 1.
    fn subgradient(&self, u: &[f64], sign: &[f64]) -> Vec<f64> {
        let step = 1e-4 * u.iter().fold(0.0, |m: f64, u| m.max(u.abs()));
        let mut x = u.to_vec();
        self.norm.prox(&mut x, &vec![1.0; u.len()], step);
        let all: Vec<f64> = u.iter().zip(&x).map(|(u, x)| (u - x) / step).collect();
        all.iter().zip(sign).map(|(x, s)| s * (s * x).max(0.0)).collect()
    }

    /// The bound on the ball of any absolute norm, and by how much every generator decides it.
    fn in_ball(
        &self,
        c: &Cell,
        gens: &[&[f64]],
        prices: &[f64],
        alpha: &[f64],
        x: &[f64],
        sign: &[f64],
        u: &[f64],
    ) -> (f64, Vec<f64>) {
        let d = self.d;
        // a little of the orthant's middle, so that every generator counts
        let middle = 1e-9 * x.iter().fold(f64::MIN_POSITIVE, |m: f64, x| m.max(x.abs()));
        let x: Vec<f64> = x.iter().zip(sign).map(|(x, s)| x + s * middle).collect();
        let lower: Vec<f64> = gens.iter().map(|t| dot(t, &x) * (1.0 - gamma(d + 4))).collect();
        let ratios: Vec<f64> = prices.iter().zip(&lower).map(|(p, l)| p / l).collect();
        // the piece of f around u, where it is linear
        let mut near = vec![0.0; d];
        let mut y = vec![0.0; self.q];
        let mut total = c.active.clone();
        for (&i, a) in c.crossing.iter().zip(alpha) {
            let v = self.row(i);
            for o in 0..self.q {
                let w = self.w[i as usize * self.q + o] * a;
                (0..d).for_each(|r| total[o * d + r] += v[r] * w);
            }
        }
        let ends: Vec<f64> = match &self.ends {
            Ends::One => vec![1.0],
            Ends::Norm(norm, side) => {
                (0..self.q).for_each(|o| y[o] = dot(u, &total[o * d..(o + 1) * d]));
                let mut y = clipped(&y, *side);
                norm.dual_argmax(&mut y);
                y
            }
        };
        (0..self.q).for_each(|o| (0..d).for_each(|r| near[r] += ends[o] * total[o * d + r]));
        near.iter_mut().zip(sign).for_each(|(x, s)| *x = s * (s * *x).max(0.0));
        let mut best = f64::INFINITY;
        for share in [0.0, 0.5, 1.0] {
            let y: Vec<f64> = near.iter().map(|y| share * y).collect();
            let theta = gens
                .iter()
                .zip(prices)
                .zip(&lower)
                .map(|((t, p), l)| {
                    // products of one sign: nothing cancels
                    let rest = (p - dot(t, &y) * (1.0 - gamma(d + 4))) * (1.0 + gamma(4));
                    if rest <= 0.0 { 0.0 } else { rest / l }
                })
                .fold(0.0, f64::max);
            let whole: Vec<f64> = y.iter().zip(&x).map(|(y, x)| y + theta * (1.0 + gamma(8)) * x).collect();
            let upper = self.norm.dual_upper(&whole) * (1.0 + gamma(8));
            // a generator that x does not see says nothing
            if upper.is_finite() {
                best = best.min(upper.next_up());
            }
        }
        (best, ratios)
    }
}
