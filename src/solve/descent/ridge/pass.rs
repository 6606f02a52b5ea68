//! Passes over the entries of rows: v_l'u for each, and sums of the lines v_l of the other factor.
//!
//! Up to [`HELD`] vectors a line, and what is summed up, stay in registers, row by row. Longer lines are taken in tiles of the
//! other factor that stay in the cache while all the rows pass over them, and some entries at a time, block by block.

use super::Rows;
use crate::linalg::simd::{HELD, Simd};

/// Entries that are taken together where lines are longer than what is held.
const GROUP: usize = 32;
/// Numbers in a tile of the other factor.
const TILE: usize = 1 << 16;

/// Calls a kernel's method for lines of so many vectors; 0 stands for more than are held.
macro_rules! by_vectors {
    ($kernel:expr, $simd:expr) => {
        match $kernel.at.stride / S::F64_LANES {
            1 => $kernel.with_lines::<S, 1>($simd),
            2 => $kernel.with_lines::<S, 2>($simd),
            3 => $kernel.with_lines::<S, 3>($simd),
            4 => $kernel.with_lines::<S, 4>($simd),
            5 => $kernel.with_lines::<S, 5>($simd),
            6 => $kernel.with_lines::<S, 6>($simd),
            7 => $kernel.with_lines::<S, 7>($simd),
            HELD => $kernel.with_lines::<S, HELD>($simd),
            _ => $kernel.with_lines::<S, 0>($simd),
        }
    };
}
pub(super) use by_vectors;

impl Rows<'_> {
    /// With (w, t) for every place p and v_l'u_i: out_i <- out_i + sum w v_l, and total_i <- total_i + sum t where that is asked for,
    /// for the rows that are `on`, all where none are named. Lines have N vectors, or any number where N is 0.
    #[inline(always)]
    pub(super) fn gather<S: Simd, const N: usize>(
        &self,
        simd: S,
        on: &[bool],
        u: &[f64],
        (out, mut total): (&mut [f64], Option<&mut [f64]>),
        term: impl Fn(usize, f64) -> (f64, f64),
    ) {
        let n = self.stride / S::F64_LANES;
        let (u, out) = (S::as_simd_f64s(u).0, S::as_mut_simd_f64s(out).0);
        if N == 0 {
            return self.in_groups(simd, on, u, |i, lines, first, along| {
                let mut sum = 0.0;
                for (along, p) in along.iter_mut().zip(first..) {
                    let (w, t) = term(p, *along);
                    *along = w;
                    sum += t;
                }
                if let Some(total) = &mut total {
                    total[i] += sum;
                }
                combine(simd, lines, along, &mut out[i * n..(i + 1) * n]);
            });
        }
        let rows = u.chunks_exact(n).zip(out.chunks_exact_mut(n)).enumerate();
        for (i, (u, out)) in rows.filter(|(i, _)| !off(on, *i)) {
            let (mut sums, mut sum) = ([simd.splat_f64s(0.0); N], 0.0);
            self.along::<S, N>(simd, i, u, |p, phi, line| {
                let (w, t) = term(p, phi);
                if total.is_some() {
                    sum += t;
                }
                let w = simd.splat_f64s(w);
                for k in 0..N {
                    sums[k] = simd.mul_add_e_f64s(w, line[k], sums[k]);
                }
            });
            if let Some(total) = &mut total {
                total[i] += sum;
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = simd.add_f64s(*out, sum);
            }
        }
    }

    /// total_i <- total_i + sum t alone.
    #[inline(always)]
    pub(super) fn look<S: Simd, const N: usize>(
        &self,
        simd: S,
        on: &[bool],
        u: &[f64],
        total: &mut [f64],
        term: impl Fn(usize, f64) -> f64,
    ) {
        let n = self.stride / S::F64_LANES;
        let u = S::as_simd_f64s(u).0;
        if N == 0 {
            return self.in_groups(simd, on, u, |i, _, first, along| {
                total[i] += along.iter().zip(first..).map(|(phi, p)| term(p, *phi)).sum::<f64>();
            });
        }
        for (i, (u, total)) in u.chunks_exact(n).zip(total).enumerate().filter(|(i, _)| !off(on, *i)) {
            let mut sum = 0.0;
            self.along::<S, N>(simd, i, u, |p, phi, _| sum += term(p, phi));
            *total += sum;
        }
    }

    /// Of row i every place p, v_l'u and line v_l, of N vectors.
    #[inline(always)]
    fn along<S: Simd, const N: usize>(
        &self,
        simd: S,
        i: usize,
        u: &[S::f64s],
        mut each: impl FnMut(usize, f64, &[S::f64s]),
    ) {
        let zero = simd.splat_f64s(0.0);
        let mut here = [zero; N];
        here.copy_from_slice(u);
        let (others, first) = self.entries(i);
        for (l, p) in others.iter().zip(first..) {
            let line = &self.line::<S>(*l, N)[..N];
            let along = product(simd, &here, line, zero);
            each(p, simd.reduce_sum_f64s(along), line);
        }
    }

    /// Of every row i some entries at a time: their lines, the place of the first, and the v_l'u_i.
    #[inline(always)]
    fn in_groups<S: Simd>(
        &self,
        simd: S,
        on: &[bool],
        u: &[S::f64s],
        mut each: impl FnMut(usize, &[&[S::f64s]], usize, &mut [f64]),
    ) {
        let (mut lines, mut along) = ([u; GROUP], [0.0; GROUP]);
        let (n, height) = (self.stride / S::F64_LANES, TILE.div_ceil(self.stride));
        let mut done = vec![0; u.len() / n];
        for top in (0..self.other.len() / self.stride).step_by(height) {
            for (i, (u, done)) in u.chunks_exact(n).zip(&mut done).enumerate().filter(|(i, _)| !off(on, *i)) {
                let (others, first) = self.entries(i);
                let left = &others[*done..];
                let here = &left[..left.partition_point(|l| (*l as usize) < top + height)];
                for group in here.chunks(GROUP) {
                    lines.iter_mut().zip(group).for_each(|(line, l)| *line = self.line::<S>(*l, n));
                    let (lines, along) = (&lines[..group.len()], &mut along[..group.len()]);
                    inner(simd, u, lines, along);
                    each(i, lines, first + *done, along);
                    *done += group.len();
                }
            }
        }
    }

    /// Line l of the other factor, of n vectors.
    #[inline(always)]
    fn line<S: Simd>(&self, l: u32, n: usize) -> &[S::f64s] {
        let (l, stride) = (l as usize, n * S::F64_LANES);
        S::as_simd_f64s(&self.other[l * stride..(l + 1) * stride]).0
    }
}

/// Whether a row is to be left out.
#[inline(always)]
fn off(on: &[bool], i: usize) -> bool {
    on.get(i).is_some_and(|on| !on)
}

/// Calls a kernel for all of `n` vectors: eight at a time, four, and one by one.
macro_rules! in_blocks {
    ($n:expr, $kernel:ident($($argument:expr),*)) => {
        let mut from = 0;
        while from < $n {
            from += match $n - from {
                HELD.. => $kernel::<S, HELD>($($argument,)* from),
                4.. => $kernel::<S, 4>($($argument,)* from),
                _ => $kernel::<S, 1>($($argument,)* from),
            };
        }
    };
}

/// out_e <- line_e'u.
#[inline(always)]
fn inner<S: Simd>(simd: S, u: &[S::f64s], lines: &[&[S::f64s]], out: &mut [f64]) {
    let mut sums = [simd.splat_f64s(0.0); GROUP];
    in_blocks!(u.len(), inner_block(simd, u, lines, &mut sums));
    out.iter_mut().zip(sums).for_each(|(out, sum)| *out = simd.reduce_sum_f64s(sum));
}

/// What N vectors from one on add to that; returns N.
#[inline(always)]
fn inner_block<S: Simd, const N: usize>(
    simd: S,
    u: &[S::f64s],
    lines: &[&[S::f64s]],
    sums: &mut [S::f64s],
    from: usize,
) -> usize {
    let mut here = [simd.splat_f64s(0.0); N];
    here.copy_from_slice(&u[from..from + N]);
    for (line, sum) in lines.iter().zip(sums) {
        *sum = product(simd, &here, &line[from..from + N], *sum);
    }
    N
}

/// sum + a o b, summed up over the vectors in two chains: one alone would wait for itself.
#[inline(always)]
fn product<S: Simd, const N: usize>(simd: S, a: &[S::f64s; N], b: &[S::f64s], sum: S::f64s) -> S::f64s {
    let mut sums = [sum, simd.splat_f64s(0.0)];
    let b = &b[..N];
    for k in 0..N {
        sums[k % 2] = simd.mul_add_e_f64s(a[k], b[k], sums[k % 2]);
    }
    if N == 1 { sums[0] } else { simd.add_f64s(sums[0], sums[1]) }
}

/// out <- out + sum_e w_e line_e.
#[inline(always)]
fn combine<S: Simd>(simd: S, lines: &[&[S::f64s]], w: &[f64], out: &mut [S::f64s]) {
    in_blocks!(out.len(), combine_block(simd, lines, w, out));
}

/// N vectors of that from one on; returns N.
#[inline(always)]
fn combine_block<S: Simd, const N: usize>(
    simd: S,
    lines: &[&[S::f64s]],
    w: &[f64],
    out: &mut [S::f64s],
    from: usize,
) -> usize {
    let mut sums = [simd.splat_f64s(0.0); N];
    sums.copy_from_slice(&out[from..from + N]);
    for (line, w) in lines.iter().zip(w) {
        let (line, w) = (&line[from..from + N], simd.splat_f64s(*w));
        for k in 0..N {
            sums[k] = simd.mul_add_e_f64s(w, line[k], sums[k]);
        }
    }
    out[from..from + N].copy_from_slice(&sums);
    N
}
