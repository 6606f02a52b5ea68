//! Plain vectors: products in a fixed order that still vectorise.

/// a'b with eight partial sums, added in a fixed order; a may be of half the precision.
#[inline(always)]
pub fn dot<T: Copy + Into<f64>>(a: &[T], b: &[f64]) -> f64 {
    let mut s = [0.0; 8];
    let (ca, cb) = (a.chunks_exact(8), b.chunks_exact(8));
    let mut tail = 0.0;
    for (x, y) in ca.remainder().iter().zip(cb.remainder()) {
        tail += (*x).into() * y;
    }
    for (x, y) in ca.zip(cb) {
        for k in 0..8 {
            s[k] += x[k].into() * y[k];
        }
    }
    ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])) + tail
}

/// y <- y + a x.
#[inline(always)]
pub fn axpy<T: Copy + Into<f64>>(a: f64, x: &[T], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * (*x).into();
    }
}

/// The power of two that brings the largest |x_j| into [1, 2), or 1 where there is none to bring: scaling by it is exact.
pub fn unit_scale(x: &[f64]) -> f64 {
    let top = x.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    if top == 0.0 || !top.is_finite() { 1.0 } else { 2f64.powi(-(top.log2().floor() as i32).clamp(-1000, 1000)) }
}
