//! The parts of a cone: it is split at a point of an edge between generators of one orthant, or, where e_j and -e_j are among them,
//! into one without either: a u has an a without one of them.

use super::{Cell, Ends, Function, Seen, Split, is_l1};
use crate::linalg::vector::unit_scale;

/// Points of an edge keep this distance from its ends, relative to it.
const CLIP: f64 = 0.25;

impl Function<'_> {
    /// The two parts of a cone, none where it cannot be split, and points seen on the way.
    pub(super) fn split(&self, c: &Cell) -> (Vec<Cell>, [Seen; 2]) {
        let d = self.d;
        let top = (self.value(&c.top), c.top.clone());
        let (gone, middle) = match c.split {
            Split::None => return (Vec::new(), [top, (0.0, Vec::new())]),
            Split::Sign(j, k) => ([j, k], None),
            Split::Edge(j, k, share) => {
                let (a, b) = (&c.generators[j * d..(j + 1) * d], &c.generators[k * d..(k + 1) * d]);
                let mut x: Vec<f64> = a.iter().zip(b).map(|(a, b)| (1.0 - share) * a + share * b).collect();
                // powers of two change no ratio
                let scale = unit_scale(&x);
                x.iter_mut().for_each(|x| *x *= scale);
                ([j, k], Some(x))
            }
        };
        let parts = gone.iter().map(|&gone| {
            let mut g = c.generators.clone();
            match &middle {
                Some(x) => g[gone * d..(gone + 1) * d].copy_from_slice(x),
                None => {
                    g.drain(gone * d..(gone + 1) * d);
                }
            }
            self.cell(g, &c.active, &c.crossing, c.depth + 1, c.upper)
        });
        let parts = parts.collect();
        let seen = middle.map_or((0.0, Vec::new()), |x| (self.value(&x), x));
        (parts, [top, seen])
    }

    /// Where to split: between e_j and -e_j first, else on the edge on which crossing rows cost most, at the zero of the one that does.
    pub(super) fn choose(&self, c: &Cell, s: &[f64], weights: &[f64]) -> Split {
        let d = self.d;
        let gens: Vec<&[f64]> = c.generators.chunks_exact(d).collect();
        let count = gens.len();
        let cost = |i: u32, a: f64, b: f64| self.size[i as usize] * a.abs() * b.abs() / (a.abs() + b.abs());
        let sum = |j: usize, k: usize| -> f64 {
            (c.crossing.iter().zip(s.chunks_exact(count)))
                .filter(|(_, s)| s[j] * s[k] < 0.0)
                .map(|(&i, s)| cost(i, s[j], s[k]))
                .sum()
        };
        let opposite = |j: usize, k: usize| gens[j].iter().zip(gens[k]).all(|(a, b)| *a == -*b);
        let mut best: Option<(f64, Split)> = None;
        let mut offer = |score: f64, split: Split| {
            if best.is_none_or(|b| score > b.0) {
                best = Some((score, split));
            }
        };
        if self.sign.is_none() && is_l1(self.norm) {
            for j in 0..count {
                for k in (j + 1..count).filter(|&k| opposite(j, k)) {
                    offer(sum(j, k) * (weights[j] + weights[k]), Split::Sign(j, k));
                }
            }
            if let Some((_, split)) = best {
                return split;
            }
        }
        let several = !matches!(self.ends, Ends::One);
        let means = if several { self.means(c) } else { Vec::new() };
        let bends = !is_l1(self.norm);
        let mut best: Option<(f64, usize, usize)> = None;
        let mut longest = (0.0, 0, 0);
        let unit: Vec<f64> = gens.iter().map(|t| t.iter().map(|t| t.abs()).sum()).collect();
        for j in 0..count {
            for k in j + 1..count {
                let apart: f64 = gens[j].iter().zip(gens[k]).map(|(a, b)| (a / unit[j] - b / unit[k]).abs()).sum();
                if apart > longest.0 {
                    longest = (apart, j, k);
                }
                let mut score = sum(j, k);
                if several {
                    let q = self.q;
                    let (a, b) = (&means[j * q..(j + 1) * q], &means[k * q..(k + 1) * q]);
                    let both: Vec<f64> = a.iter().zip(b).map(|(a, b)| a + b).collect();
                    score += 0.5 * (self.ends(a) + self.ends(b) - self.ends(&both)).max(0.0);
                }
                let score = score * (weights[j] * weights[k]).sqrt().max(1e-6);
                if score > best.map_or(0.0, |b| b.0) {
                    best = Some((score, j, k));
                }
            }
        }
        let apart = |j: usize, k: usize| -> f64 {
            gens[j].iter().zip(gens[k]).map(|(a, b)| (a / unit[j] - b / unit[k]).abs()).sum()
        };
        let (j, k) = match best {
            Some((_, j, k)) if !bends || apart(j, k) > 0.05 * longest.0 => (j, k),
            // a norm that bends needs small cones even where f is linear
            _ if (bends || several || best.is_some()) && longest.0 > 1e-9 => (longest.1, longest.2),
            Some((_, j, k)) => (j, k),
            None => return Split::None,
        };
        let (mut share, mut top) = (0.5, 0.0);
        for (&i, s) in c.crossing.iter().zip(s.chunks_exact(count)) {
            let (a, b) = (s[j], s[k]);
            if a * b < 0.0 && cost(i, a, b) > top {
                top = cost(i, a, b);
                share = a.abs() / (a.abs() + b.abs());
            }
        }
        Split::Edge(j, k, share.clamp(CLIP, 1.0 - CLIP))
    }
}
