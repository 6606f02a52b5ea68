//! Laws of [`Loss`]: the gradient is the derivative of the value, the conjugate is the conjugate of that same function, the
//! declared constants are true, and what is called a bound is one, rounding included.

use crate::draw::{
    EPS, Rng, claim, dot, dot_size, holds, log_uniform, moved, norm, normals, rejects, scaled, second_order, uniforms,
};
use homfac::data::TargetKind;
use homfac::loss::{DualValue, KINDS, Kind, Loss, Targets};
use rand::RngExt;

type Law = fn(&dyn Loss, Targets, &mut Rng) -> Result<(), String>;

/// Each law with the mutants it must reject.
const LAWS: &[(&str, Law, &[Mutant])] = &[
    ("the gradient's Taylor error is of second order", taylor, &[Mutant::SteepGradient]),
    ("Fenchel-Young, with equality at the gradient", fenchel_young, &[Mutant::HighDual, Mutant::LowDual]),
    ("dual_lower stays below every l(x) + <z, x>", dual_below, &[Mutant::HighDual]),
    ("value_upper covers the ball", covers_ball, &[Mutant::HalfRadius, Mutant::NoRadius]),
    ("declared curvature bounds the gradient's change", curvature, &[Mutant::HalfCurvature]),
    ("midpoint convexity", convex, &[Mutant::Concave]),
    ("dual_peak maximises the dual", peak, &[Mutant::ShortPeak]),
    ("best_scale maximises along the ray", ray, &[Mutant::LongRay, Mutant::ShortRay]),
    ("dual_slope is the dual's derivative along the ray", slope, &[Mutant::SteepSlope]),
    ("repair ends in the domain, and leaves what is inside", repaired, &[Mutant::NoRepair, Mutant::LostRepair]),
    ("outside the domain the dual is -inf", outside, &[Mutant::WideDomain]),
    ("local_curvature bounds the Hessian, closely", local, &[Mutant::HalfLocal, Mutant::DoubleLocal]),
    ("infimum is below every value", infimum, &[Mutant::HighInfimum]),
    ("a loss that says so is quadratic", quadratic, &[Mutant::SteepGradient]),
    ("a quadratic's value_upper is above the exact value", exact_value, &[Mutant::NoMargin]),
    ("a quadratic's dual_lower is below the exact dual", exact_dual, &[Mutant::NoMargin]),
];

const N: usize = 12;

/// The rows of the entries, for losses that see rows: four rows of three.
fn rows() -> Vec<u32> {
    (0..N as u32).map(|j| j % 4).collect()
}

/// Targets that a loss of this kind takes.
fn draw_targets(kind: &Kind, rng: &mut Rng) -> Vec<f64> {
    match kind.targets {
        TargetKind::Real => scaled(&normals(N, rng), 2.0),
        TargetKind::Signs => (0..N).map(|_| if rng.random_bool(0.5) { 1.0 } else { -1.0 }).collect(),
        TargetKind::Counts => (0..N).map(|_| f64::from(rng.random_range(0..6))).collect(),
        TargetKind::Classes => {
            let labels: Vec<usize> = (0..4).map(|_| rng.random_range(0..3)).collect();
            (0..N).map(|j| if labels[j % 4] == j / 4 { 1.0 } else { 0.0 }).collect()
        }
    }
}

/// Weights, one per row for losses that see rows.
fn draw_weights(kind: &Kind, rng: &mut Rng) -> Vec<f64> {
    let w = uniforms(N, 0.3..3.0, rng);
    if kind.targets == TargetKind::Classes { (0..N).map(|j| w[j % 4]).collect() } else { w }
}

fn gradient(l: &dyn Loss, t: Targets, x: &[f64]) -> Vec<f64> {
    let mut g = vec![0.0; x.len()];
    l.gradient(t, x, &mut g);
    g
}

fn predictions(rng: &mut Rng) -> Vec<f64> {
    scaled(&normals(N, rng), 3.0)
}

/// z = -grad l(x), inside the domain whatever rounding does.
fn dual_at(l: &dyn Loss, t: Targets, x: &[f64]) -> Vec<f64> {
    let mut z = scaled(&gradient(l, t, x), -1.0);
    l.repair(t, &mut z);
    z
}

/// A dual variable inside the domain of l* as a rule: a multiple of a gradient taken elsewhere; now and then anything.
fn dual_variable(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Vec<f64> {
    if rng.random_bool(0.2) {
        return normals(N, rng);
    }
    let mut z = scaled(&dual_at(l, t, &predictions(rng)), rng.random::<f64>());
    l.repair(t, &mut z);
    z
}

/// The dual at s z; -inf where s z leaves the domain by more than rounding.
fn dual_along(l: &dyn Loss, t: Targets, z: &[f64], s: f64) -> f64 {
    let z = scaled(z, s);
    let mut inside = z.clone();
    l.repair(t, &mut inside);
    let off = norm(&moved(&inside, -1.0, &z));
    if off > 1e-13 * (1.0 + norm(&z)) { f64::NEG_INFINITY } else { l.dual_lower(t, &inside).value }
}

fn largest_weight(t: Targets) -> f64 {
    (0..t.y.len()).fold(0.0, |m, j| t.weight(j).max(m))
}

/// The error lies between 0 and that of the declared curvature (kinks of the gradient bend its order); where there is none,
/// it is of order 2.
fn taylor(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    let (x, d) = (predictions(rng), normals(N, rng));
    let (value, slope) = (l.value(t, &x), dot(&gradient(l, t, &x), &d));
    // two values of N terms each; a hundred times their rounding leaves two digits of the error
    let floor = 100.0 * 2.0 * N as f64 * EPS * (1.0 + value.abs() + dot_size(&x, t.y));
    let error = |s: f64| l.value(t, &moved(&x, s, &d)) - value - s * slope;
    if l.curvature().is_infinite() {
        return second_order(error, floor);
    }
    let bend = 0.5 * l.curvature() * d.iter().enumerate().map(|(j, d)| t.weight(j) * d * d).sum::<f64>();
    for s in (4..18).map(|k| 0.5f64.powi(k)) {
        let (e, room) = (error(s), bend * s * s);
        claim(-floor <= e && e <= room + floor, || format!("the error at {s:e} is {e:e}, not within [0, {room:e}]"))?;
    }
    Ok(())
}

/// l(x) + l*(-z) + <z, x>: the excess of Fenchel-Young, and the rounding of the sums in it.
fn excess(l: &dyn Loss, t: Targets, x: &[f64], z: &[f64]) -> (f64, f64) {
    let dual = l.dual_lower(t, z);
    let value = l.value(t, x);
    let rounding = 2.0 * N as f64 * EPS * (value.abs() + dot_size(z, x) + dot_size(t.y, x)) + dual.slack;
    (value - dual.value + dot(z, x), rounding)
}

fn fenchel_young(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    let (x, z) = (predictions(rng), dual_variable(l, t, rng));
    let (e, rounding) = excess(l, t, &x, &z);
    claim(e >= -rounding, || format!("l(x) + l*(-z) + <z, x> = {e:e} < 0 at x = {x:?}, z = {z:?}"))?;
    let z = dual_at(l, t, &x);
    let (e, rounding) = excess(l, t, &x, &z);
    claim(e.abs() <= rounding, || format!("{e:e} at z = -grad l(x), x = {x:?}, not within {rounding:e} of 0"))
}

/// -l*(-z) = inf_x l(x) + <z, x>: the bound stays below points close to the minimiser, where there is no room.
fn dual_below(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    let x = predictions(rng);
    let z = dual_at(l, t, &x);
    let bound = l.dual_lower(t, &z).value;
    for _ in 0..20 {
        let near = moved(&x, log_uniform(1e-9..1.0, rng), &normals(N, rng));
        let above = l.value_upper(t, &near, 0.0) + dot(&z, &near);
        let rounding = 2.0 * N as f64 * EPS * dot_size(&z, &near);
        claim(bound <= above + rounding, || format!("{bound:e} > {above:e} at x = {near:?}, z = {z:?}"))?;
    }
    Ok(())
}

/// At random steps and at the worst one, along the gradient. Value and step length are rounded: 2 N units.
fn covers_ball(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    let x = predictions(rng);
    let radius = if rng.random_bool(0.2) { 0.0 } else { log_uniform(1e-6..10.0, rng) };
    let upper = l.value_upper(t, &x, radius);
    let upper = upper + 2.0 * N as f64 * EPS * (upper.abs() + dot_size(&x, t.y));
    for d in [normals(N, rng), normals(N, rng), gradient(l, t, &x)] {
        let step = radius / norm(&d);
        for step in [step, -step] {
            let value = l.value(t, &moved(&x, step, &d));
            claim(value <= upper, || format!("{value:e} > {upper:e} within {radius:e} of {x:?}"))?;
        }
    }
    Ok(())
}

/// In the norm, and coordinate by coordinate with the coordinate's own weight; also near 0 and in the steepest direction, where
/// a loss that sees rows is as curved as it gets.
fn curvature(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    let x = scaled(&predictions(rng), log_uniform(1e-2..1.0, rng));
    let (c, before) = (l.curvature(), gradient(l, t, &x));
    if c.is_infinite() {
        return Ok(());
    }
    let size = log_uniform(1e-3..3.0, rng);
    let mut d = normals(N, rng);
    for _ in 0..10 {
        let change = moved(&gradient(l, t, &moved(&x, 1e-4 / norm(&d), &d)), -1.0, &before);
        if norm(&change) > 0.0 && rng.random_bool(0.9) {
            d = change;
        }
    }
    let d = scaled(&d, size / norm(&d));
    let rounding = 8.0 * EPS * (norm(&before) + largest_weight(t) * (1.0 + norm(&x)) * (1.0 + c));
    let change = norm(&moved(&gradient(l, t, &moved(&x, 1.0, &d)), -1.0, &before));
    claim(change <= c * largest_weight(t) * norm(&d) + rounding, || format!("{change:e} over a step {:e}", norm(&d)))?;
    for j in 0..N {
        let mut near = x.clone();
        near[j] += d[j];
        let change = (gradient(l, t, &near)[j] - before[j]).abs();
        claim(change <= c * t.weight(j) * d[j].abs() + rounding, || {
            format!("{change:e} over {:e} in entry {j}", d[j])
        })?;
    }
    Ok(())
}

fn convex(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    let (a, b) = (predictions(rng), predictions(rng));
    let chord = (l.value(t, &a) + l.value(t, &b)) / 2.0;
    let middle = l.value(t, &scaled(&moved(&a, 1.0, &b), 0.5));
    let rounding =
        2.0 * N as f64 * EPS * (l.value(t, &a).abs() + l.value(t, &b).abs() + dot_size(&a, t.y) + dot_size(&b, t.y));
    claim(middle <= chord + rounding, || format!("{middle:e} > {chord:e} between {a:?} and {b:?}"))
}

/// max_z -l*(-z) = l(0), attained at z0; no other z is higher.
fn peak(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    let mut z0 = vec![0.0; N];
    l.dual_peak(t, &mut z0);
    let (top, at_zero) = (l.dual_lower(t, &z0), l.value(t, &[0.0; N]));
    let rounding = 2.0 * N as f64 * EPS * (at_zero + dot_size(&z0, &z0)) + top.slack;
    claim((top.value - at_zero).abs() <= rounding, || format!("{:e} at the peak, l(0) = {at_zero:e}", top.value))?;
    let mut z = moved(&scaled(&z0, 0.9), 0.1, &dual_variable(l, t, rng));
    l.repair(t, &mut z);
    let other = l.dual_lower(t, &z).value;
    claim(other <= top.value + rounding, || format!("{other:e} at {z:?} above the peak {:e}", top.value))
}

/// The maximum is flat: an error of 1e-7 in the scale costs 1e-14 of the dual's curvature along the ray.
fn ray(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    let z = scaled(&dual_variable(l, t, rng), rng.random_range(-0.5..2.0));
    let limit = if rng.random_bool(0.5) { f64::INFINITY } else { log_uniform(1e-2..10.0, rng) };
    let s = l.best_scale(t, &z, limit);
    claim((0.0..=limit).contains(&s) && s.is_finite(), || format!("scale {s} of at most {limit}"))?;
    let best = dual_along(l, t, &z, s);
    let rounding = 1e-13 * (best.abs() + l.value(t, &[0.0; N]) + norm(t.y));
    for other in [0.0, 0.5 * s, 0.99 * s, 1.01 * s, 1.5 * s, log_uniform(1e-3..1e3, rng)] {
        let value = if other <= limit { dual_along(l, t, &z, other) } else { f64::NEG_INFINITY };
        claim(value <= best + rounding, || format!("{value:e} at {other:e}, {best:e} at the best scale {s:e}"))?;
    }
    Ok(())
}

/// Against central differences, well inside the domain.
fn slope(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    let z = dual_at(l, t, &scaled(&predictions(rng), 0.3));
    let s = rng.random_range(0.2..0.8);
    let found = l.dual_slope(t, &z, s);
    let h = 1e-5;
    let expected = (dual_along(l, t, &z, s + h) - dual_along(l, t, &z, s - h)) / (2.0 * h);
    claim((found - expected).abs() <= 1e-6 * (1.0 + dot_size(&z, &z) + dot_size(&z, t.y)), || {
        format!("{found:e}, differences give {expected:e}")
    })
}

/// Whatever comes in; and a point inside moves by rounding only.
fn repaired(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    let mut z = scaled(&normals(N, rng), log_uniform(1e-3..1e3, rng));
    l.repair(t, &mut z);
    claim(l.dual_lower(t, &z).value.is_finite(), || format!("{z:?} is outside"))?;
    let z = scaled(&gradient(l, t, &predictions(rng)), -1.0);
    let mut again = z.clone();
    l.repair(t, &mut again);
    let change = norm(&moved(&again, -1.0, &z));
    claim(change <= 16.0 * EPS * largest_weight(t), || format!("a point inside moved by {change:e}"))
}

/// Just beyond either end of an entry's interval, and off a row's sum.
fn outside(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    let z = dual_at(l, t, &predictions(rng));
    let j = rng.random_range(0..N);
    let (lo, hi) = l.domain(t, j);
    for end in [lo - 1e-9, hi + 1e-9].into_iter().filter(|e| e.is_finite()) {
        let mut z = z.clone();
        z[j] = end;
        let value = l.dual_lower(t, &z).value;
        claim(value == f64::NEG_INFINITY, || format!("{value:e} with entry {j} at {end}"))?;
    }
    if l.zero_sums().is_some() {
        let mut z = z.clone();
        z[j] *= 0.999;
        let value = l.dual_lower(t, &z).value;
        claim(value == f64::NEG_INFINITY || z[j] == 0.0, || format!("{value:e} with a sum that is not 0"))?;
    }
    Ok(())
}

/// d'l''(x) d <= sum c_j d_j^2, from gradients; with equality along one coordinate, up to what a row shares.
fn local(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    // probabilities away from 0 and 1, so that the differences mean something
    let (x, d) = (scaled(&predictions(rng), 0.2), normals(N, rng));
    let mut c = vec![0.0; N];
    l.local_curvature(t, &x, &mut c);
    let h = 1e-6;
    let change = |d: &[f64]| {
        let ends = [h, -h].map(|h| gradient(l, t, &moved(&x, h, d)));
        scaled(&moved(&ends[0], -1.0, &ends[1]), 0.5 / h)
    };
    // an entry at a kink belongs to neither side
    let kinked: Vec<bool> = (0..N)
        .map(|j| {
            let mut near = [x.clone(), x.clone()];
            near[0][j] += 2e-6;
            near[1][j] -= 2e-6;
            let ends = near.map(|x| {
                let mut c = vec![0.0; N];
                l.local_curvature(t, &x, &mut c);
                c[j]
            });
            (ends[0] - ends[1]).abs() > 1e-3
        })
        .collect();
    if kinked.contains(&true) {
        return Ok(());
    }
    let (bend, bound) = (dot(&d, &change(&d)), c.iter().zip(&d).map(|(c, d)| c * d * d).sum::<f64>());
    claim(bend <= bound * (1.0 + 1e-4) + 1e-6, || format!("{bend:e} along d, bounded by {bound:e}"))?;
    let j = rng.random_range(0..N);
    let mut e = vec![0.0; N];
    e[j] = 1.0;
    let along = change(&e)[j];
    // where a row shares w, c_j of it is entry j's
    let expected = if l.zero_sums().is_some() { c[j] * (1.0 - c[j] / t.weight(j)) } else { c[j] };
    claim((along - expected).abs() <= 1e-4 * (1.0 + c[j]), || format!("{along:e} in entry {j}, not {expected:e}"))
}

fn infimum(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    // near the targets, or their logarithms, the infimum of most losses is close
    let logarithm = |y: &f64| if *y > 0.0 { y.ln() } else { -30.0 };
    let x = match rng.random_range(0..3) {
        0 => predictions(rng),
        1 => t.y.to_vec(),
        _ => t.y.iter().map(logarithm).collect(),
    };
    let value = l.value(t, &x) + N as f64 * EPS * dot_size(t.y, &x);
    claim(l.infimum(t) <= value, || format!("{value:e} at {x:?} below {:e}", l.infimum(t)))
}

fn quadratic(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    if !l.is_quadratic() {
        return Ok(());
    }
    let x = predictions(rng);
    for (j, g) in gradient(l, t, &x).into_iter().enumerate() {
        let expected = t.weight(j) * (x[j] - t.y[j]);
        claim((g - expected).abs() <= 4.0 * EPS * expected.abs(), || format!("{g:e}, not {expected:e}"))?;
    }
    Ok(())
}

/// Integers small enough that everything below fits in 128 bits, large enough that floating point has to round.
fn integers(n: usize, bits: u32, rng: &mut Rng) -> Vec<i128> {
    (0..n).map(|_| i128::from(rng.random_range(-(1i64 << bits)..1i64 << bits))).collect()
}

/// Weights 1..7, whose lowest common multiple is 420; all ones if the instance has none.
fn integer_weights(n: usize, weighted: bool, rng: &mut Rng) -> Option<Vec<i128>> {
    weighted.then(|| (0..n).map(|_| rng.random_range(1..8)).collect())
}

fn floats(a: &[i128], scale: f64) -> Vec<f64> {
    a.iter().map(|&a| a as f64 * scale).collect()
}

/// 512 l = sum w (16 a - b)^2 at x = a, y = b / 16: an integer, compared exactly.
fn exact_value(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    if !l.is_quadratic() {
        return Ok(());
    }
    let (a, b) = (integers(60, 52, rng), integers(60, 52, rng));
    let w = integer_weights(60, t.w.is_some(), rng);
    let weight = |j: usize| w.as_ref().map_or(1, |w| w[j]);
    let exact: i128 = (0..60).map(|j| weight(j) * (16 * a[j] - b[j]).pow(2)).sum();
    let (x, y, w) = (floats(&a, 1.0), floats(&b, 1.0 / 16.0), w.as_ref().map(|w| floats(w, 1.0)));
    let upper = l.value_upper(Targets { y: &y, w: w.as_deref() }, &x, 0.0);
    claim((512.0 * upper).ceil() as i128 >= exact, || format!("512 l = {exact}, upper end {:e}", 512.0 * upper))?;
    claim(upper <= exact as f64 / 512.0 * (1.0 + 64.0 * EPS), || format!("{upper:e} is loose for {exact} / 512"))
}

/// 3360 (-l*(-z)) = sum 420 b a - 1680 b^2 / w at z = b, y = a / 8: an integer, compared exactly.
fn exact_dual(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    if !l.is_quadratic() {
        return Ok(());
    }
    let (a, b) = (integers(60, 45, rng), integers(60, 45, rng));
    let w = integer_weights(60, t.w.is_some(), rng);
    let weight = |j: usize| w.as_ref().map_or(1, |w| w[j]);
    let exact: i128 = (0..60).map(|j| 420 * a[j] * b[j] - 1680 / weight(j) * b[j] * b[j]).sum();
    let (y, z, w) = (floats(&a, 1.0 / 8.0), floats(&b, 1.0), w.as_ref().map(|w| floats(w, 1.0)));
    let lower = l.dual_lower(Targets { y: &y, w: w.as_deref() }, &z).value;
    claim(lower.floor() as i128 <= exact.div_euclid(3360), || format!("{lower:e} above {exact} / 3360"))?;
    let (size, exact) = (dot_size(&z, &y) + dot_size(&z, &z), exact as f64 / 3360.0);
    claim(lower >= exact - 16.0 * EPS * size, || format!("{lower:e} is loose for {exact:e}"))
}

/// What a mutant does to the loss it wraps.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mutant {
    /// The slope is not the derivative of the value.
    SteepGradient,
    /// A conjugate that overstates the bound.
    HighDual,
    /// A conjugate of some other function, on the safe side.
    LowDual,
    /// Forgets that rounding moves x.
    NoRadius,
    /// Takes the ball's diameter for its radius.
    HalfRadius,
    /// Mean instead of sum in the constant.
    HalfCurvature,
    /// -l.
    Concave,
    /// Not quite z0.
    ShortPeak,
    /// Overshoots.
    LongRay,
    /// Undershoots.
    ShortRay,
    /// An infimum that is not one.
    HighInfimum,
    /// Not the derivative along the ray.
    SteepSlope,
    /// Leaves z where it is.
    NoRepair,
    /// Throws z away: 0 is inside, too.
    LostRepair,
    /// A tolerance at the ends of the domain.
    WideDomain,
    /// No upper bound.
    HalfLocal,
    /// An upper bound, but of what?
    DoubleLocal,
    /// Plain floating point where a proven bound is asked for.
    NoMargin,
}

struct Wrapped<'a>(&'a dyn Loss, Mutant);

impl Wrapped<'_> {
    /// `wrong` where this is the mutant, else `right`.
    fn when(&self, mutant: Mutant, wrong: f64, right: f64) -> f64 {
        if self.1 == mutant { wrong } else { right }
    }
}

impl Loss for Wrapped<'_> {
    fn value(&self, t: Targets, x: &[f64]) -> f64 {
        let value = self.0.value(t, x);
        self.when(Mutant::Concave, -value, value)
    }

    fn value_upper(&self, t: Targets, x: &[f64], radius: f64) -> f64 {
        match self.1 {
            Mutant::NoRadius => self.0.value_upper(t, x, 0.0),
            Mutant::HalfRadius => self.0.value_upper(t, x, radius / 2.0),
            Mutant::NoMargin => self.0.value(t, x),
            _ => self.0.value_upper(t, x, radius),
        }
    }

    fn gradient(&self, t: Targets, x: &[f64], out: &mut [f64]) {
        self.0.gradient(t, x, out);
        let factor = self.when(Mutant::SteepGradient, 1.01, 1.0);
        out.iter_mut().for_each(|g| *g *= factor);
    }

    fn dual_lower(&self, t: Targets, z: &[f64]) -> DualValue {
        let right = self.0.dual_lower(t, z);
        match self.1 {
            Mutant::HighDual => DualValue { value: right.value + 1e-9 * (1.0 + right.value.abs()), ..right },
            Mutant::LowDual => DualValue { value: right.value - 1e-9 * (1.0 + right.value.abs()), ..right },
            Mutant::WideDomain => {
                let mut near = z.to_vec();
                self.0.repair(t, &mut near);
                let off = norm(&moved(&near, -1.0, z));
                if off < 0.1 { self.0.dual_lower(t, &near) } else { right }
            }
            Mutant::NoMargin => {
                let terms = z.iter().zip(t.y).enumerate().map(|(j, (z, y))| z * y - z * z / (2.0 * t.weight(j)));
                DualValue { value: terms.sum(), slack: 0.0 }
            }
            _ => right,
        }
    }

    fn dual_slope(&self, t: Targets, z: &[f64], s: f64) -> f64 {
        self.when(Mutant::SteepSlope, 1.01, 1.0) * self.0.dual_slope(t, z, s) + self.when(Mutant::SteepSlope, 1e-3, 0.0)
    }

    fn domain(&self, t: Targets, j: usize) -> (f64, f64) {
        self.0.domain(t, j)
    }

    fn zero_sums(&self) -> Option<&[u32]> {
        self.0.zero_sums()
    }

    fn repair(&self, t: Targets, z: &mut [f64]) {
        match self.1 {
            Mutant::NoRepair => {}
            Mutant::LostRepair => z.fill(0.0),
            _ => self.0.repair(t, z),
        }
    }

    fn local_curvature(&self, t: Targets, x: &[f64], out: &mut [f64]) {
        self.0.local_curvature(t, x, out);
        let factor = self.when(Mutant::HalfLocal, 0.5, self.when(Mutant::DoubleLocal, 2.0, 1.0));
        out.iter_mut().for_each(|c| *c *= factor);
    }

    fn best_scale(&self, t: Targets, z: &[f64], limit: f64) -> f64 {
        let right = self.0.best_scale(t, z, limit);
        self.when(Mutant::LongRay, 1.05 * right, self.when(Mutant::ShortRay, 0.95 * right, right))
    }

    fn dual_peak(&self, t: Targets, out: &mut [f64]) {
        self.0.dual_peak(t, out);
        let factor = self.when(Mutant::ShortPeak, 0.99, 1.0);
        out.iter_mut().for_each(|z| *z *= factor);
    }

    fn curvature(&self) -> f64 {
        self.when(Mutant::HalfCurvature, 0.5, 1.0) * self.0.curvature()
    }

    fn is_quadratic(&self) -> bool {
        self.0.is_quadratic()
    }

    fn infimum(&self, t: Targets) -> f64 {
        self.when(Mutant::HighInfimum, 100.0, 0.0) + self.0.infimum(t)
    }
}

/// Runs a law on fresh targets of this kind.
fn on_targets(kind: &Kind, weighted: bool, l: &dyn Loss, law: Law, rng: &mut Rng) -> Result<(), String> {
    let y = draw_targets(kind, rng);
    let w = weighted.then(|| draw_weights(kind, rng));
    law(l, Targets { y: &y, w: w.as_deref() }, rng)
}

#[test]
fn every_loss_obeys_every_law_with_and_without_weights() {
    for kind in KINDS {
        let loss = kind.example(&rows());
        for (name, law, _) in LAWS {
            for weighted in [false, true] {
                holds(&format!("{}, weighted {weighted}: {name}", kind.name), |rng| {
                    on_targets(kind, weighted, loss.as_ref(), *law, rng)
                });
            }
        }
    }
}

#[test]
fn every_law_rejects_its_mutants() {
    for kind in KINDS {
        let loss = kind.example(&rows());
        for (name, law, mutants) in LAWS {
            for &mutant in *mutants {
                // some facts are for quadratics alone, whose duals have no domain; half of an infinite constant is no mutant
                let quadratics_only = mutant == Mutant::NoMargin || *name == "a loss that says so is quadratic";
                let domains_only = [Mutant::NoRepair, Mutant::WideDomain].contains(&mutant);
                if (quadratics_only && !loss.is_quadratic())
                    || (domains_only && loss.is_quadratic())
                    || (mutant == Mutant::HalfCurvature && loss.curvature().is_infinite())
                {
                    continue;
                }
                for weighted in [false, true] {
                    rejects(&format!("{}, {mutant:?}, weighted {weighted}: {name}", kind.name), |rng| {
                        on_targets(kind, weighted, &Wrapped(loss.as_ref(), mutant), *law, rng)
                    });
                }
            }
        }
    }
}
