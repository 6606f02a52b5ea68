//! The prox of an l2 norm added to any gauge f whose prox is known in every diagonal metric.
//!
//! ```text
//! argmin 1/2 sum h_j (x_j - b_j)^2 + t ||D x||_2 + f(x)
//!
//! x = 0   if   ||D x0|| <= t,  x0 = argmin 1/2 sum d_j^2 (x_j - h_j b_j / d_j^2)^2 + f(x)      (h b lies in the polar ball)
//! else    x = x(s) = argmin 1/2 sum m_j (x_j - h_j b_j / m_j)^2 + f(x),   m = h + t d^2 / s,   with ||D x(s)|| = s
//! ```
//!
//! ||D x(s)|| / s falls in s, so the root is bracketed. Uniform h, D = I: x(s) is the prox of f at b, scaled by
//! 1 - t / (h ||.||).

use super::root::falling;
use super::{Norm, l2::L2};
use crate::linalg::vector::unit_scale;

/// `inner(b, m, c)` replaces b by argmin 1/2 sum m_j (x_j - b_j)^2 + c f(x), for m > 0 and c > 0.
pub type Inner<'a> = &'a dyn Fn(&mut [f64], &[f64], f64);

/// b <- the prox.
pub fn shrink(b: &mut [f64], h: &[f64], t: f64, d: Option<&[f64]>, inner: Inner) {
    if h.iter().zip(b.iter()).all(|(h, b)| h * b == 0.0) {
        b.fill(0.0);
        return;
    }
    // weights that are all alike only scale t
    let (t, d) = match d {
        Some(d) if d.iter().all(|x| *x == d[0]) => (t * d[0], None),
        _ => (t, d),
    };
    let square = |j: usize| d.map_or(1.0, |d| d[j] * d[j]);
    let size = |x: &[f64]| match d {
        None => L2.value(x),
        Some(d) => L2.value(&x.iter().zip(d).map(|(x, d)| x * d).collect::<Vec<_>>()),
    };
    // everything scales with b, and squares must not overflow
    let c = unit_scale(b);
    b.iter_mut().for_each(|b| *b *= c);
    let t = t * c;
    let uniform = d.is_none() && h.iter().all(|x| *x == h[0]);
    if uniform && h.first().is_some_and(|h| *h > 0.0) {
        inner(b, h, c);
        let norm = L2.value(b);
        let factor = if h[0] * norm > t { 1.0 - t / (h[0] * norm) } else { 0.0 };
        b.iter_mut().for_each(|b| *b *= factor / c);
        return;
    }
    if t == 0.0 {
        // where h vanishes any value will do: next to none of the metric keeps it near b
        let least = 1e-12 * h.iter().fold(0.0, |m: f64, h| m.max(*h));
        let m: Vec<f64> = h.iter().map(|h| h.max(least)).collect();
        inner(b, &m, c);
        b.iter_mut().for_each(|b| *b /= c);
        return;
    }
    let mut zero: Vec<f64> = (0..b.len()).map(|j| h[j] * b[j] / square(j)).collect();
    let metric: Vec<f64> = (0..b.len()).map(square).collect();
    inner(&mut zero, &metric, c);
    if size(&zero) <= t {
        b.fill(0.0);
        return;
    }
    let at = |s: f64| -> Vec<f64> {
        let m: Vec<f64> = (0..b.len()).map(|j| h[j] + t / s * square(j)).collect();
        let mut x: Vec<f64> = (0..b.len()).map(|j| h[j] * b[j] / m[j]).collect();
        inner(&mut x, &m, c);
        x
    };
    let excess = |s: f64| size(&at(s)) / s - 1.0;
    // t ||D x|| <= objective at x <= objective at 0; where t is far below h b, the largest x is that of t = 0
    let energy: f64 = b.iter().zip(h).map(|(b, h)| h * b * b).sum();
    let mut hi = (0.5 * energy / t).min(f64::MAX);
    let mut lo = hi;
    while lo > f64::MIN_POSITIVE && excess(lo) < 0.0 {
        hi = lo;
        lo *= 0.125;
    }
    let x = at(if lo == hi { hi } else { falling(lo, hi, excess) });
    b.iter_mut().zip(&x).for_each(|(b, x)| *b = x / c);
}
