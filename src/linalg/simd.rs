//! Hot loops compiled for the widest vector unit the machine has.

pub use pulp::{Simd, WithSimd};

/// Numbers in the widest vector; those of others divide it.
pub const WIDEST: usize = 8;

/// Vectors that a kernel keeps in registers, at most.
pub const HELD: usize = 8;

/// Runs `f`, whose inlined loops the compiler vectorises for the instruction set found at run time: a portable binary would
/// otherwise keep to the 128-bit baseline. Only what is inlined into `f` benefits.
#[inline(always)]
pub fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(f)
}

/// Runs a kernel that is written in vectors, with those of the instruction set found at run time.
#[inline(always)]
pub fn run<K: WithSimd>(kernel: K) -> K::Output {
    pulp::Arch::new().dispatch(kernel)
}

/// a'b, fused.
#[inline(always)]
pub fn dot<S: Simd>(simd: S, a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (S::as_simd_f64s(a), S::as_simd_f64s(b));
    let mut sum = simd.splat_f64s(0.0);
    for (a, b) in a.iter().zip(b) {
        sum = simd.mul_add_e_f64s(*a, *b, sum);
    }
    let mut total = simd.reduce_sum_f64s(sum);
    for (a, b) in a_rest.iter().zip(b_rest) {
        total += a * b;
    }
    total
}

/// y <- y + a x, fused.
#[inline(always)]
pub fn axpy<S: Simd>(simd: S, a: f64, x: &[f64], y: &mut [f64]) {
    let ((x, x_rest), (y, y_rest)) = (S::as_simd_f64s(x), S::as_mut_simd_f64s(y));
    let splat = simd.splat_f64s(a);
    for (x, y) in x.iter().zip(y) {
        *y = simd.mul_add_e_f64s(splat, *x, *y);
    }
    for (x, y) in x_rest.iter().zip(y_rest) {
        *y += a * x;
    }
}
