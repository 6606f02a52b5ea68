//! Cyclic coordinate descent on many rows at once, which have their quadratic in common:
//!
//! ```text
//! min over u, on an orthant or free:   1/2 u'G u - p'u + lambda/2 ||u||^2
//! u_s <- proj((p_s - sum_(t != s) G_st u_t) / (G_ss + lambda))
//! ```
//!
//! Some rows move together, their entries at a coordinate side by side. G u is formed for a few coordinates at a time from what the
//! others are by then, and only among these few is every step followed one by one: what is read is used many times over, and
//! nothing but u is written. Where G = V'V for a V of few rows, e = V u is kept instead, and G u is formed as V'e.

use crate::linalg::Mat;
use crate::linalg::simd::{self, Simd, WithSimd, axpy};
use rayon::prelude::*;

/// Rows that move together: one alone waits for its coordinates.
const ROWS: usize = 16;

/// Coordinates at a time.
const WIDTH: usize = 4;

/// Passes go on while one moves at least this share (squared) of what the first one did.
pub(super) const AGAIN: f64 = 0.01;

/// The entries of some rows at one coordinate.
type Entries = [f64; ROWS];

/// Some rows, what they are pulled by, and where they move.
struct Tile<'a> {
    tiles: &'a Tiles,
    rows: &'a mut [f64],
    pulls: &'a [f64],
    scratch: &'a mut [Vec<Entries>; 3],
    passes: usize,
}

impl WithSimd for Tile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { tiles, rows, pulls, scratch: [u, p, e], passes } = self;
        let r = u.len();
        if rows.len() < r * ROWS {
            // the rows that are missing stay zero
            u.fill([0.0; ROWS]);
            p.fill([0.0; ROWS]);
        }
        turn(rows, u);
        turn(pulls, p);
        tiles.descend_tile(simd, u, p, e, passes);
        for (i, row) in rows.chunks_exact_mut(r).enumerate() {
            row.iter_mut().zip(u.iter()).for_each(|(x, u)| *x = u[i]);
        }
    }
}

/// What the rows have in common.
pub(super) struct Tiles {
    /// The columns of G, [`WIDTH`] at a time, those of a panel side by side; past the last one there are zeros.
    panels: Vec<f64>,
    /// The rows of V, where they are so few that they are the shorter way to G u, else 0; its columns, the same way.
    height: usize,
    thin: Vec<f64>,
    /// 1 / (G_ss + lambda).
    inverse: Vec<f64>,
    sign: f64,
}

/// V u is worth keeping where V has up to this share of its columns as rows: it is formed once more than there are passes, and
/// followed in each.
const THIN: f64 = 0.4;

/// The columns of a matrix in panels: [`WIDTH`] of them at a time, side by side at every row.
fn panels((rows, columns): (usize, usize), at: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let mut panels = vec![0.0; rows * columns.next_multiple_of(WIDTH)];
    for s in 0..columns {
        let panel = &mut panels[s / WIDTH * WIDTH * rows..];
        (0..rows).for_each(|t| panel[t * WIDTH + s % WIDTH] = at(t, s));
    }
    panels
}

impl Tiles {
    /// For rows that have the sign `sign` (0: free); G = V'V, whose V is given turned.
    pub(super) fn new(turned: &Mat, gram: &Mat, lambda: f64, sign: f64) -> Self {
        let (r, d) = turned.shape();
        let height = if d as f64 <= THIN * r as f64 { d } else { 0 };
        Self {
            panels: panels((r, r), |t, s| gram[(t, s)]),
            height,
            thin: panels((height, r), |t, s| turned[(s, t)]),
            inverse: gram.diagonal().iter().map(|g| 1.0 / (g + lambda)).collect(),
            sign,
        }
    }

    /// At most so many passes over every row; `x` and `p` hold a row's entries side by side.
    pub(super) fn descend(&self, x: &mut Mat, p: &Mat, passes: usize) {
        let r = self.inverse.len();
        x.as_mut_slice().par_chunks_mut(r * ROWS).zip(p.as_slice().par_chunks(r * ROWS)).for_each_init(
            || [r, r, self.height].map(|n| vec![[0.0; ROWS]; n]),
            |scratch, (rows, pulls)| simd::run(Tile { tiles: self, rows, pulls, scratch, passes }),
        );
    }

    // plain loops over arrays of a fixed length, which stay in registers
    #[inline(always)]
    fn descend_tile<S: Simd>(&self, simd: S, u: &mut [Entries], p: &[Entries], e: &mut [Entries], passes: usize) {
        let (r, d) = (u.len(), e.len());
        let thin = |start: usize| &self.thin[start * d..][..WIDTH * d];
        e.fill([0.0; ROWS]);
        for start in (0..r).step_by(WIDTH) {
            let mut here = [[0.0; ROWS]; WIDTH];
            here.iter_mut().zip(&u[start..]).for_each(|(here, u)| *here = *u);
            follow(simd, thin(start), &here, e);
        }
        let mut first = 0.0;
        for pass in 0..passes {
            let mut moved = [0.0; ROWS];
            for start in (0..r).step_by(WIDTH) {
                let panel = &self.panels[start * r..][..WIDTH * r];
                let mut around = [[0.0; ROWS]; WIDTH];
                if d == 0 {
                    gather(simd, panel, u, &mut around);
                } else {
                    gather(simd, thin(start), e, &mut around);
                }
                let mut steps = [[0.0; ROWS]; WIDTH];
                for j in 0..WIDTH.min(r - start) {
                    let s = start + j;
                    let line = &panel[s * WIDTH..][..WIDTH];
                    let step = &mut steps[j];
                    for i in 0..ROWS {
                        let new = (p[s][i] - around[j][i] + line[j] * u[s][i]) * self.inverse[s];
                        let new = if self.sign * new < 0.0 { 0.0 } else { new };
                        step[i] = new - u[s][i];
                        u[s][i] = new;
                        moved[i] += step[i] * step[i] * line[j];
                    }
                    for k in j + 1..WIDTH {
                        axpy(simd, line[k], step, &mut around[k]);
                    }
                }
                follow(simd, thin(start), &steps, e);
            }
            let moved: f64 = moved.iter().sum();
            if pass == 0 {
                first = moved;
            }
            if moved <= AGAIN * first {
                break;
            }
        }
    }
}

/// sums_j <- sums_j + sum_t panel_tj x_t.
#[inline(always)]
fn gather<S: Simd>(simd: S, panel: &[f64], x: &[Entries], sums: &mut [Entries; WIDTH]) {
    for (line, x) in panel.chunks_exact(WIDTH).zip(x) {
        for j in 0..WIDTH {
            axpy(simd, line[j], x, &mut sums[j]);
        }
    }
}

/// e_t <- e_t + sum_j panel_tj steps_j.
#[inline(always)]
fn follow<S: Simd>(simd: S, panel: &[f64], steps: &[Entries; WIDTH], e: &mut [Entries]) {
    for (line, e) in panel.chunks_exact(WIDTH).zip(e) {
        for (k, e) in S::as_mut_simd_f64s(e).0.iter_mut().enumerate() {
            for j in 0..WIDTH {
                *e = simd.mul_add_e_f64s(simd.splat_f64s(line[j]), S::as_simd_f64s(&steps[j]).0[k], *e);
            }
        }
    }
}

/// Rows turned: what they have at one coordinate side by side.
#[inline(always)]
fn turn(rows: &[f64], out: &mut [Entries]) {
    for (i, row) in rows.chunks_exact(out.len()).enumerate() {
        row.iter().zip(out.iter_mut()).for_each(|(x, out)| out[i] = *x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::{dense, lanczos::gaussian};

    /// Against one row and one coordinate after the other, for sizes that tiles do not divide, with a V that is thin and one that
    /// is not.
    #[test]
    fn tiles_do_what_rows_one_by_one_do() {
        for (r, d, sign, height) in [
            (1, 1, 1.0, 3),
            (3, 16, 0.0, 5),
            (4, 17, 1.0, 6),
            (9, 40, -1.0, 11),
            (9, 40, -1.0, 2),
            (22, 33, 1.0, 24),
            (22, 33, 0.0, 7),
        ] {
            let v = gaussian(height, r, 1);
            let (gram, lambda) = (dense::tr_mul(&v, &v), 0.7);
            let (start, p) = (gaussian(r, d, 2).map(f64::abs) * sign, gaussian(r, d, 3));
            let mut x = start.clone();
            Tiles::new(&v.transpose(), &gram, lambda, sign).descend(&mut x, &p, 2);
            let mut expected = start;
            for i in 0..d {
                for s in (0..r).chain(0..r) {
                    let around = gram.column(s).dot(&expected.column(i)) - gram[(s, s)] * expected[(s, i)];
                    let new = (p[(s, i)] - around) / (gram[(s, s)] + lambda);
                    expected[(s, i)] = if sign * new < 0.0 { 0.0 } else { new };
                }
            }
            assert!((&x - &expected).amax() <= 1e-12 * expected.amax(), "rank {r}, {d} rows, sign {sign}");
        }
    }

    /// Passes end at the minimiser: its gradient is 0 where it is not held at 0.
    #[test]
    fn passes_reach_the_minimiser() {
        let (r, d, lambda) = (7, 50, 0.5);
        let v = gaussian(20, r, 4);
        let (gram, p) = (dense::tr_mul(&v, &v), gaussian(r, d, 5) * 10.0);
        let mut x = Mat::zeros(r, d);
        let tiles = Tiles::new(&v.transpose(), &gram, lambda, 1.0);
        (0..300).for_each(|_| tiles.descend(&mut x, &p, 5));
        let slope = &p - dense::mul(&gram, &x) - &x * lambda;
        for (x, slope) in x.iter().zip(slope.iter()) {
            assert!(*x >= 0.0 && if *x > 0.0 { slope.abs() <= 1e-9 } else { *slope <= 1e-9 }, "{slope} at {x}");
        }
    }
}
