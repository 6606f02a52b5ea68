//! A weighted sum of norms, `norm = [{ kind = "l1", weight = 0.3 }, ..]`.
//!
//! ```text
//! ||x||         a ||x||_1 + b ||x||_2 + c sum_j |x_(j+1) - x_j| + e sum_G ||x_G||_2             (c = 0 or e = 0)
//! prox          of a, c: the fused prox;  of a, e: by groups, of a in shrink;  b on top of either: shrink
//! dual          b > 0: the t with ||p(t)||_2 = b t, p(t) the prox of t times the rest at y, attained at p(t) / ||p(t)||
//!               a, c alone: the unit ball's extreme points are +-1 on an interval, 0 elsewhere (coarea formula), so
//!               max |y(I)| / (a |I| + c cuts(I)) over intervals I, cuts: ends of I inside the line;
//!               over any sets of an image, cuts: pairs of neighbours of which I has one
//!               a, e alone: the largest over groups
//! ```
//!
//! The dual norm is proven from a split y = p + q, which is as good as the t that it comes from:
//!
//! ```text
//! ||y||° <= max(||p||_2 / b, ||q||° of the rest)
//! ```
//!
//! and in an image from y = p + r + D'z, D the differences: max(||p||_2 / b, max |r_j| / a, max |z_e| / c).

use super::grid::{self, Grid};
use super::group_l2::Groups;
use super::root::falling;
use super::shrink::shrink;
use super::tv::variation;
use super::{Norm, Parameters, fused::fused, group_l2, l1, l2, l2::L2, tv};
use crate::cone::Cone;
use crate::linalg::sum::{UNIT_ROUNDOFF, gamma, norm_upper};
use crate::linalg::vector::{dot, unit_scale};

/// a ||x||_1 + b ||x||_2 + c TV(x) + e sum_G ||x_G||_2; a + b + e > 0.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    /// a
    pub l1: f64,
    /// b
    pub l2: f64,
    /// c
    pub tv: f64,
    /// The image that the variation is that of; a line if there is none.
    pub grid: Option<Grid>,
    /// e and its groups.
    pub groups: Option<(f64, Groups)>,
    /// The orthant that prox and dual are restricted to, for c > 0.
    pub sign: Option<f64>,
}

/// One norm of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Its name.
    pub kind: String,
    /// Its weight > 0.
    pub weight: f64,
    /// Its other keys.
    pub parameters: Parameters,
}

/// Kinds that a sum may hold.
pub const KINDS: &[&str] = &[l1::KIND.name, l2::KIND.name, tv::KIND.name, group_l2::KIND.name];

/// The sum of the terms.
///
/// # Errors
/// A sentence naming what has no rule: a kind, a kind listed twice, `tv` alone or beside `group_l2`.
pub fn build(terms: &[Term]) -> Result<Box<dyn Norm>, String> {
    let mut sum = Sum::default();
    for (k, term) in terms.iter().enumerate() {
        if terms[..k].iter().any(|t| t.kind == term.kind) {
            return Err(format!("`{}` is listed twice in a sum: add the weights", term.kind));
        }
        match term.kind.as_str() {
            "l1" => sum.l1 = term.weight,
            "l2" => sum.l2 = term.weight,
            "tv" => {
                sum.tv = term.weight;
                sum.grid = image(&term.parameters)?;
            }
            "group_l2" => sum.groups = Some((term.weight, Groups::from_parameters(&term.parameters)?)),
            other => {
                return Err(format!(
                    "no rule is known to be right for `{other}` in a sum: only {} have one",
                    KINDS.join(", ")
                ));
            }
        }
    }
    if sum.tv > 0.0 && sum.groups.is_some() {
        return Err("no rule is known to be right for the sum of `tv` and `group_l2`".into());
    }
    if sum.tv > 0.0 && sum.l1 + sum.l2 == 0.0 {
        return (tv::KIND.build)(&Parameters::default());
    }
    Ok(Box::new(sum))
}

/// The image of `shape`, which must have as many pixels as the factor has coordinates.
fn image(p: &Parameters) -> Result<Option<Grid>, String> {
    let Some((rows, cols)) = p.shape else { return Ok(None) };
    if rows.checked_mul(cols) != Some(p.n) {
        return Err(format!("`shape` = [{rows}, {cols}] is not an image of {} pixels", p.n));
    }
    Ok(Some(Grid::new((rows, cols))))
}

/// An interval and the sign it is taken with.
struct Interval {
    start: usize,
    end: usize,
    sign: f64,
}

impl Sum {
    fn scaled(&self, t: f64) -> (f64, f64) {
        (t * self.l1, t * self.tv)
    }

    /// The prox of t (a ||.||_1 + c TV + e groups), on the orthant if there is one.
    fn rest(&self, b: &mut [f64], m: &[f64], t: f64) {
        self.rest_anywhere(b, m, t);
        if let Some(sign) = self.sign {
            // clipping keeps every order of neighbours, and with it their subgradients, in any diagonal metric
            b.iter_mut().for_each(|b| *b = if sign * *b > 0.0 { *b } else { 0.0 });
        }
    }

    fn rest_anywhere(&self, b: &mut [f64], m: &[f64], t: f64) {
        let (a, c) = self.scaled(t);
        if let Some((e, groups)) = &self.groups {
            for group in groups.lists() {
                let mut part = Groups::pick(b, group);
                shrink(&mut part, &Groups::pick(m, group), t * e, None, &|b, m, s| soft(b, m, a * s));
                Groups::put(b, group, &part);
            }
        } else if let (Some(g), true) = (&self.grid, c > 0.0) {
            let x = grid::solve(b, m, a, c, g.edges()).x;
            b.copy_from_slice(&x);
        } else if c > 0.0 {
            fused(b, m, a, c);
        } else {
            soft(b, m, a);
        }
    }

    /// y moved by a unit metric: the prox of t times the rest at y.
    fn moved(&self, y: &[f64], t: f64) -> Vec<f64> {
        let mut p = y.to_vec();
        self.rest(&mut p, &vec![1.0; y.len()], t);
        p
    }

    /// The interval with the largest sign y(I) - t (a |I| + c cuts(I)), and that value.
    fn best_interval(&self, y: &[f64], t: f64) -> (f64, Interval) {
        let (a, c) = self.scaled(t);
        let n = y.len();
        let mut best = (f64::NEG_INFINITY, Interval { start: 0, end: 0, sign: 1.0 });
        for sign in signs(self.sign) {
            let (mut run, mut start) = (f64::NEG_INFINITY, 0);
            for j in 0..n {
                let gain = sign * y[j] - a;
                let fresh = gain - if j > 0 { c } else { 0.0 };
                if run + gain > fresh {
                    run += gain;
                } else {
                    (run, start) = (fresh, j);
                }
                let score = run - if j + 1 < n { c } else { 0.0 };
                if score > best.0 {
                    best = (score, Interval { start, end: j + 1, sign });
                }
            }
        }
        best
    }

    /// a |I| + c cuts(I).
    fn cost(&self, i: &Interval, n: usize) -> f64 {
        let cuts = u8::from(i.start > 0) + u8::from(i.end < n);
        self.l1 * (i.end - i.start) as f64 + self.tv * f64::from(cuts)
    }

    /// a, c alone: the maximiser, by Dinkelbach's iteration, which ends after finitely many steps.
    fn interval_argmax(&self, y: &[f64]) -> Vec<f64> {
        let n = y.len();
        let mut out = vec![0.0; n];
        let mut t = 0.0;
        for _ in 0..100 {
            let (_, i) = self.best_interval(y, t);
            let ratio = i.sign * y[i.start..i.end].iter().sum::<f64>() / self.cost(&i, n);
            if ratio.is_nan() || ratio <= t {
                break;
            }
            t = ratio;
            out.fill(0.0);
            out[i.start..i.end].fill(i.sign / self.cost(&i, n));
        }
        out
    }

    /// a, c alone in an image: the same over any sets, each step a minimum cut.
    fn set_argmax(&self, y: &[f64], grid: &Grid) -> Vec<f64> {
        let mut out = vec![0.0; y.len()];
        let mut t = 0.0;
        for _ in 0..100 {
            let mut next = t;
            for sign in signs(self.sign) {
                let slopes: Vec<f64> = y.iter().map(|y| t * self.l1 - sign * y).collect();
                let set = grid::least_set(&slopes, t * self.tv, grid.edges());
                let x: Vec<f64> = set.iter().map(|inside| if *inside { sign } else { 0.0 }).collect();
                let ratio = dot(y, &x) / self.value(&x);
                if ratio > next {
                    (next, out) = (ratio, x);
                }
            }
            if next <= t {
                break;
            }
            t = next;
        }
        out
    }

    /// An upper bound of the dual norm in an image from the prox of t times the rest at y, whose dual variables part y.
    fn image_upper(&self, y: &[f64], t: f64, grid: &Grid) -> f64 {
        let n = y.len();
        let (a, c) = self.scaled(t);
        let o = grid::solve(y, &vec![1.0; n], a, c, grid.edges());
        let drift = grid::adjoint(grid.edges(), &o.z, n);
        let top = o.z.iter().fold(0.0, |top: f64, z| top.max(z.abs()));
        // what of a part counts: on an orthant the other sign only lowers <part, x>
        let counted = |v: f64| if self.sign.is_none_or(|s| s * v > 0.0) { v } else { 0.0 };
        if y.iter().all(|y| counted(*y) == 0.0) {
            return 0.0;
        }
        // y less D'z, with its rounding
        let part = |j: usize, p: f64| {
            let rounding = gamma(12) * (y[j].abs() + p.abs() + 8.0 * top);
            counted(y[j] - p - drift[j]).abs() + rounding
        };
        let variation = (top / self.tv).next_up();
        let (p, r): (Vec<f64>, f64) = if self.l1 == 0.0 {
            ((0..n).map(|j| part(j, 0.0)).collect(), 0.0)
        } else if self.l2 == 0.0 {
            // what of x counts stays with r
            (Vec::new(), (0..n).map(|j| part(j, o.x[j] - counted(o.x[j]))).fold(0.0, f64::max))
        } else {
            (o.x.iter().map(|x| counted(*x)).collect(), (0..n).map(|j| part(j, o.x[j])).fold(0.0, f64::max))
        };
        let l2 = if p.is_empty() { 0.0 } else { norm_upper(&p) / self.l2 * (1.0 + gamma(4)) };
        let l1 = if r > 0.0 { r / self.l1 * (1.0 + gamma(4)) } else { 0.0 };
        variation.max(l1.next_up()).max(l2.next_up())
    }

    /// The maximiser of <y, x> / ||x||, up to its scale; y brought to unit size, not 0.
    fn argmax(&self, y: &[f64]) -> Vec<f64> {
        if self.l2 > 0.0 {
            return ridge_argmax(y, self.l2, |x| self.value(x), self.sign, |t| self.moved(y, t));
        }
        let Some((e, groups)) = &self.groups else {
            return match &self.grid {
                Some(grid) => self.set_argmax(y, grid),
                None if self.tv > 0.0 => self.interval_argmax(y),
                None => l1_argmax(y),
            };
        };
        let mut best = (0.0, vec![0.0; y.len()]);
        for group in groups.lists() {
            let part = Groups::pick(y, group);
            let value = |x: &[f64]| self.l1 * l1::L1.value(x) + e * L2.value(x);
            let top = ridge_argmax(&part, *e, value, None, |t| softened(&part, t * self.l1));
            let ratio = dot(&part, &top) / value(&top);
            if ratio > best.0 {
                let mut x = vec![0.0; y.len()];
                Groups::put(&mut x, group, &top);
                best = (ratio, x);
            }
        }
        best.1
    }

    /// An upper bound of the dual norm of the rest (without b) at q.
    fn rest_upper(&self, q: &[f64], t: f64) -> f64 {
        if let Some((e, groups)) = &self.groups {
            let of = |group: &Vec<usize>| {
                let part = Groups::pick(q, group);
                if self.l1 == 0.0 {
                    return (norm_upper(&part) / e).next_up();
                }
                let p = softened(&part, t * self.l1);
                let (p_size, rest) = split(&part, &p, &p);
                (p_size / e).next_up().max((l1::L1.dual(&rest) / self.l1).next_up())
            };
            return groups.lists().iter().map(of).fold(0.0, f64::max);
        }
        if self.tv == 0.0 {
            return (l1::L1.dual(q) / self.l1).next_up();
        }
        let n = q.len();
        let (excess, _) = self.best_interval(q, t);
        let mass: f64 = q.iter().map(|q| q.abs()).sum::<f64>() + t * (self.l1 * n as f64 + 2.0 * self.tv);
        let excess = excess.max(0.0) + mass * gamma(2 * n + 16);
        // no interval costs less than one coordinate at an end, or all of them
        let least = (self.l1 + self.tv).min(self.l1 * n as f64);
        (t + excess / least * (1.0 + gamma(8))).next_up()
    }

    /// The same for c > 0 alone: only vectors of sum 0 have a finite dual norm, so the mean is left to the l2 part. Returns
    /// the bound and the norm of what is left to it.
    fn variation_upper(&self, q: &[f64]) -> (f64, f64) {
        let n = q.len() as f64;
        let mean = q.iter().sum::<f64>() / n;
        let mass: f64 = q.iter().map(|q| q.abs()).sum();
        // what the mean leaves of the sum
        let defect = mass * gamma(4 * q.len() + 16);
        let (mut sum, mut top) = (0.0, 0.0);
        for q in q {
            sum += q - mean;
            top = f64::max(top, f64::abs(sum));
        }
        // <q - mean, x> = - sum_j S_j (x_(j+1) - x_j), S the partial sums
        (((top + 2.0 * defect) / self.tv).next_up(), ((mean.abs() * n.sqrt() + defect) * (1.0 + gamma(8))).next_up())
    }
}

/// y = p + q with q rounded: an upper bound of ||p|| (of `counted`, what of p counts) with the rounding of q added, and q.
fn split(y: &[f64], p: &[f64], counted: &[f64]) -> (f64, Vec<f64>) {
    let q: Vec<f64> = y.iter().zip(p).map(|(y, p)| y - p).collect();
    let size = norm_upper(counted) + 2.0 * UNIT_ROUNDOFF * norm_upper(&q);
    ((size * (1.0 + 4.0 * UNIT_ROUNDOFF)).next_up(), q)
}

fn signs(only: Option<f64>) -> impl Iterator<Item = f64> {
    [1.0, -1.0].into_iter().filter(move |s| only.is_none_or(|o| o == *s))
}

/// b <- sign(b) max(|b| - a / m, 0).
fn soft(b: &mut [f64], m: &[f64], a: f64) {
    l1::L1.prox(b, m, a);
}

fn softened(y: &[f64], a: f64) -> Vec<f64> {
    y.iter().map(|y| y.signum() * (y.abs() - a).max(0.0)).collect()
}

fn l1_argmax(y: &[f64]) -> Vec<f64> {
    let mut x = y.to_vec();
    l1::L1.dual_argmax(&mut x);
    x
}

/// The direction of the maximiser for b ||.||_2 plus a rest: `moved(t)` at the t with ||moved(t)||_2 = b t. `value` is the
/// whole norm.
fn ridge_argmax(
    y: &[f64],
    b: f64,
    value: impl Fn(&[f64]) -> f64,
    sign: Option<f64>,
    moved: impl Fn(f64) -> Vec<f64>,
) -> Vec<f64> {
    let allowed: Vec<f64> = y.iter().map(|y| if sign.is_none_or(|s| s * y > 0.0) { *y } else { 0.0 }).collect();
    let size = L2.value(&allowed);
    if size == 0.0 {
        return allowed;
    }
    // attained by y itself; and the rest only adds to b ||x||
    let (lo, hi) = (dot(&allowed, &allowed) / value(&allowed), size / b);
    let t = falling(lo.min(hi), hi, |t| L2.value(&moved(t)) - b * t);
    let p = moved(t);
    if p.iter().all(|p| *p == 0.0) { allowed } else { p }
}

impl Norm for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn label(&self) -> String {
        let mut words = Vec::new();
        let mut add = |weight: f64, name: &str| {
            if weight > 0.0 {
                words.push(format!("{weight} {name}"));
            }
        };
        add(self.l1, "l1");
        match &self.grid {
            Some(grid) => add(self.tv, &format!("tv of {} x {}", grid.shape().0, grid.shape().1)),
            None => add(self.tv, "tv"),
        }
        add(self.groups.as_ref().map_or(0.0, |g| g.0), "group_l2");
        add(self.l2, "l2");
        format!("({})", words.join(" + "))
    }

    fn value(&self, x: &[f64]) -> f64 {
        let groups = self
            .groups
            .as_ref()
            .map_or(0.0, |(e, groups)| e * groups.lists().iter().map(|g| L2.value(&Groups::pick(x, g))).sum::<f64>());
        let variation = match &self.grid {
            Some(grid) => self.tv * grid.variation(x),
            None if self.tv > 0.0 => self.tv * variation(x),
            None => 0.0,
        };
        self.l1 * l1::L1.value(x) + self.l2 * L2.value(x) + variation + groups
    }

    fn dual(&self, y: &[f64]) -> f64 {
        let mut x = y.to_vec();
        self.dual_argmax(&mut x);
        let c = unit_scale(y);
        y.iter().zip(&x).map(|(y, x)| y * c * x).sum::<f64>().max(0.0) / c
    }

    fn dual_upper(&self, y: &[f64]) -> f64 {
        if y.iter().any(|y| !y.is_finite()) {
            return f64::INFINITY;
        }
        let c = unit_scale(y);
        let scaled: Vec<f64> = y.iter().map(|y| y * c).collect();
        let t = self.dual(&scaled);
        let upper = if let Some(grid) = &self.grid {
            self.image_upper(&scaled, t, grid)
        } else if self.l2 == 0.0 {
            self.rest_upper(&scaled, t)
        } else {
            let mut p = scaled.clone();
            self.rest_anywhere(&mut p, &vec![1.0; y.len()], t);
            // on an orthant what p has of the other sign only lowers <p, x>
            let counted: Vec<f64> =
                p.iter().map(|p| if self.sign.is_none_or(|s| s * p > 0.0) { *p } else { 0.0 }).collect();
            let (p_size, q) = split(&scaled, &p, &counted);
            let (rest, left) = if self.l1 == 0.0 && self.tv > 0.0 {
                self.variation_upper(&q)
            } else if self.l1 == 0.0 && self.groups.is_none() {
                (0.0, 0.0)
            } else {
                (self.rest_upper(&q, t), 0.0)
            };
            rest.max(((p_size + left) / self.l2 * (1.0 + gamma(4))).next_up())
        };
        // entries that vanished when y was scaled
        let vanished = f64::MIN_POSITIVE * self.l1_radius(y.len());
        ((upper + vanished) / c).next_up() + f64::MIN_POSITIVE
    }

    fn dual_argmax(&self, y: &mut [f64]) {
        let c = unit_scale(y);
        y.iter_mut().for_each(|y| *y *= c);
        let x = if y.iter().all(|y| *y == 0.0) { y.to_vec() } else { self.argmax(y) };
        let size = self.value(&x);
        y.iter_mut().zip(&x).for_each(|(y, x)| *y = if size > 0.0 { x / size } else { 0.0 });
    }

    fn prox(&self, b: &mut [f64], h: &[f64], t: f64) {
        if self.l2 > 0.0 {
            shrink(b, h, t * self.l2, None, &|b, m, c| self.rest(b, m, t * c));
        } else if h.iter().all(|h| *h == 0.0) {
            b.fill(0.0);
        } else {
            self.rest(b, h, t);
        }
    }

    fn is_absolute(&self) -> bool {
        self.tv == 0.0
    }

    fn terms(&self) -> Option<&Sum> {
        Some(self)
    }

    fn inside(&self, cone: &dyn Cone) -> Option<Box<dyn Norm>> {
        let sign = cone.orthant().filter(|_| self.tv > 0.0)?;
        Some(Box::new(Self { sign: Some(sign), ..self.clone() }))
    }

    fn l2_radius(&self, _n: usize) -> f64 {
        // ||x||_1 and sum ||x_G|| are at least ||x||_2
        let least = self.l1 + self.l2 + self.groups.as_ref().map_or(0.0, |g| g.0);
        (1.0 / least * (1.0 + gamma(8))).next_up()
    }

    fn l1_radius(&self, n: usize) -> f64 {
        let root = |n: usize| (n as f64).sqrt();
        let groups = self.groups.as_ref().map_or(0.0, |(e, g)| e / root(g.longest()));
        (1.0 / (self.l1 + self.l2 / root(n) + groups) * (1.0 + gamma(16))).next_up()
    }
}
