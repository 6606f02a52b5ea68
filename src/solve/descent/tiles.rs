//! Cyclic coordinate descent on many rows at once, which have their quadratic in common:
//!
//! ```text
//! min over u, on an orthant or free:   1/2 u'G u - p'u + lambda/2 ||u||^2
//! u_s <- proj((p_s - sum_(t != s) G_st u_t) / (G_ss + lambda))
//! ```
//!
//! Some rows move together, their entries at a coordinate side by side. G u is formed for a few coordinates at a time from what the
//! others are by then, and only among these few is every step followed one by one: what is read is used many times over, and
//! nothing but u is written.

use crate::linalg::Mat;
use crate::linalg::simd::vectorised;
use rayon::prelude::*;

/// Rows that move together: one alone waits for its coordinates.
const ROWS: usize = 16;

/// Coordinates at a time.
const WIDTH: usize = 4;

/// Passes go on while one moves at least this share (squared) of what the first one did.
pub(super) const AGAIN: f64 = 0.01;

/// The entries of some rows at one coordinate.
type Entries = [f64; ROWS];

/// What the rows have in common.
pub(super) struct Tiles {
    /// The columns of G, [`WIDTH`] at a time, those of a panel side by side; past the last one there are zeros.
    panels: Vec<f64>,
    /// 1 / (G_ss + lambda).
    inverse: Vec<f64>,
    sign: f64,
}

impl Tiles {
    /// For rows that have the sign `sign` (0: free).
    pub(super) fn new(gram: &Mat, lambda: f64, sign: f64) -> Self {
        let r = gram.nrows();
        let mut panels = vec![0.0; r * r.next_multiple_of(WIDTH)];
        for (s, column) in gram.column_iter().enumerate() {
            let panel = &mut panels[s / WIDTH * WIDTH * r..];
            column.iter().enumerate().for_each(|(t, g)| panel[t * WIDTH + s % WIDTH] = *g);
        }
        Self { panels, inverse: gram.diagonal().iter().map(|g| 1.0 / (g + lambda)).collect(), sign }
    }

    /// At most so many passes over every row; `x` and `p` hold a row's entries side by side.
    pub(super) fn descend(&self, x: &mut Mat, p: &Mat, passes: usize) {
        let r = self.inverse.len();
        x.as_mut_slice().par_chunks_mut(r * ROWS).zip(p.as_slice().par_chunks(r * ROWS)).for_each_init(
            || [vec![[0.0; ROWS]; r], vec![[0.0; ROWS]; r]],
            |[u, p], (rows, pulls)| {
                vectorised(
                    #[inline(always)]
                    || {
                        if rows.len() < r * ROWS {
                            // the rows that are missing stay zero
                            u.fill([0.0; ROWS]);
                            p.fill([0.0; ROWS]);
                        }
                        turn(rows, u);
                        turn(pulls, p);
                        self.descend_tile(u, p, passes);
                        for (i, row) in rows.chunks_exact_mut(r).enumerate() {
                            row.iter_mut().zip(u.iter()).for_each(|(x, u)| *x = u[i]);
                        }
                    },
                );
            },
        );
    }

    // plain loops over arrays of a fixed length, which stay in registers
    #[inline(always)]
    fn descend_tile(&self, u: &mut [Entries], p: &[Entries], passes: usize) {
        let r = u.len();
        let mut first = 0.0;
        for pass in 0..passes {
            let mut moved = [0.0; ROWS];
            for start in (0..r).step_by(WIDTH) {
                let panel = &self.panels[start * r..][..WIDTH * r];
                let mut around = [[0.0; ROWS]; WIDTH];
                for t in 0..r {
                    for j in 0..WIDTH {
                        add(&mut around[j], panel[t * WIDTH + j], &u[t]);
                    }
                }
                for j in 0..WIDTH.min(r - start) {
                    let s = start + j;
                    let line = &panel[s * WIDTH..][..WIDTH];
                    let mut step = [0.0; ROWS];
                    for i in 0..ROWS {
                        let new = (p[s][i] - around[j][i] + line[j] * u[s][i]) * self.inverse[s];
                        let new = if self.sign * new < 0.0 { 0.0 } else { new };
                        step[i] = new - u[s][i];
                        u[s][i] = new;
                        moved[i] += step[i] * step[i] * line[j];
                    }
                    for k in j + 1..WIDTH {
                        add(&mut around[k], line[k], &step);
                    }
                }
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

/// a <- a + g u.
#[inline(always)]
fn add(a: &mut Entries, g: f64, u: &Entries) {
    for i in 0..ROWS {
        a[i] += g * u[i];
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

    /// Against one row and one coordinate after the other, for sizes that tiles do not divide.
    #[test]
    fn tiles_do_what_rows_one_by_one_do() {
        for (r, d, sign) in [(1, 1, 1.0), (3, 16, 0.0), (4, 17, 1.0), (9, 40, -1.0), (22, 33, 1.0)] {
            let v = gaussian(r + 2, r, 1);
            let (gram, lambda) = (dense::tr_mul(&v, &v), 0.7);
            let (start, p) = (gaussian(r, d, 2).map(f64::abs) * sign, gaussian(r, d, 3));
            let mut x = start.clone();
            Tiles::new(&gram, lambda, sign).descend(&mut x, &p, 1);
            let mut expected = start;
            for i in 0..d {
                for s in 0..r {
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
        let tiles = Tiles::new(&gram, lambda, 1.0);
        (0..300).for_each(|_| tiles.descend(&mut x, &p, 5));
        let slope = &p - dense::mul(&gram, &x) - &x * lambda;
        for (x, slope) in x.iter().zip(slope.iter()) {
            assert!(*x >= 0.0 && if *x > 0.0 { slope.abs() <= 1e-9 } else { *slope <= 1e-9 }, "{slope} at {x}");
        }
    }
}
