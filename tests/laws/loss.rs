//! Laws of [`Loss`]: the gradient is the derivative of the value, the conjugate is the conjugate of that same function, the
//! declared constants are true, and what is called a bound is one, rounding included.

use crate::draw::{
    EPS, Rng, claim, dot, dot_size, holds, log_uniform, moved, norm, normals, rejects, scaled, second_order, uniforms,
};
use homfac::loss::{DualValue, KINDS, Loss, Targets};
use rand::RngExt;

type Law = fn(&dyn Loss, Targets, &mut Rng) -> Result<(), String>;

/// Each law with the mutants it must reject.
const LAWS: &[(&str, Law, &[Mutant])] = &[
    ("the gradient's Taylor error is of order 2", taylor, &[Mutant::SteepGradient]),
    ("Fenchel-Young, with equality at the gradient", fenchel_young, &[Mutant::HighDual, Mutant::LowDual]),
    ("dual_lower stays below every l(x) + <z, x>", dual_below, &[Mutant::HighDual]),
    ("value_upper covers the ball", covers_ball, &[Mutant::HalfRadius, Mutant::NoRadius]),
    ("declared curvature bounds the gradient's change", curvature, &[Mutant::HalfCurvature]),
    ("midpoint convexity", convex, &[Mutant::Concave]),
    ("dual_peak maximises the dual", peak, &[Mutant::ShortPeak]),
    ("best_scale maximises along the ray", ray, &[Mutant::LongRay, Mutant::ShortRay]),
    ("infimum is below every value", infimum, &[Mutant::HighInfimum]),
    ("a loss that says so is quadratic", quadratic, &[Mutant::SteepGradient]),
    ("a quadratic's value_upper is above the exact value", exact_value, &[Mutant::NoMargin]),
    ("a quadratic's dual_lower is below the exact dual", exact_dual, &[Mutant::NoMargin]),
];

const N: usize = 12;

/// Targets that any loss over the reals takes. A loss with a restricted range of targets gets its own line here.
fn draw_targets(_kind: &str, rng: &mut Rng) -> Vec<f64> {
    scaled(&normals(N, rng), 2.0)
}

fn gradient(l: &dyn Loss, t: Targets, x: &[f64]) -> Vec<f64> {
    let mut g = vec![0.0; x.len()];
    l.gradient(t, x, &mut g);
    g
}

fn predictions(rng: &mut Rng) -> Vec<f64> {
    scaled(&normals(N, rng), 3.0)
}

/// A dual variable inside the domain of l* as a rule: a multiple of a gradient taken elsewhere; now and then anything.
fn dual_variable(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Vec<f64> {
    if rng.random_bool(0.2) {
        normals(N, rng)
    } else {
        scaled(&gradient(l, t, &predictions(rng)), -rng.random::<f64>())
    }
}

fn largest_weight(t: Targets) -> f64 {
    (0..t.y.len()).fold(0.0, |m, j| t.weight(j).max(m))
}

fn taylor(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    let (x, d) = (predictions(rng), normals(N, rng));
    let (value, slope) = (l.value(t, &x), dot(&gradient(l, t, &x), &d));
    // two values of N terms each; a hundred times their rounding leaves two digits of the error
    let floor = 100.0 * 2.0 * N as f64 * EPS * (1.0 + value);
    second_order(|s| l.value(t, &moved(&x, s, &d)) - value - s * slope, floor)
}

/// l(x) + l*(-z) + <z, x>: the excess of Fenchel-Young, and the rounding of the sums in it.
fn excess(l: &dyn Loss, t: Targets, x: &[f64], z: &[f64]) -> (f64, f64) {
    let dual = l.dual_lower(t, z);
    let value = l.value(t, x);
    let rounding = 2.0 * N as f64 * EPS * (value + dot_size(z, x)) + dual.slack;
    (value - dual.value + dot(z, x), rounding)
}

fn fenchel_young(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    let (x, z) = (predictions(rng), dual_variable(l, t, rng));
    let (e, rounding) = excess(l, t, &x, &z);
    claim(e >= -rounding, || format!("l(x) + l*(-z) + <z, x> = {e:e} < 0 at x = {x:?}, z = {z:?}"))?;
    let z = scaled(&gradient(l, t, &x), -1.0);
    let (e, rounding) = excess(l, t, &x, &z);
    claim(e.abs() <= rounding, || format!("{e:e} at z = -grad l(x), x = {x:?}, not within {rounding:e} of 0"))
}

/// -l*(-z) = inf_x l(x) + <z, x>: the bound stays below points close to the minimiser, where there is no room.
fn dual_below(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    let x = predictions(rng);
    let z = scaled(&gradient(l, t, &x), -1.0);
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
    let upper = l.value_upper(t, &x, radius) * (1.0 + 2.0 * N as f64 * EPS);
    for d in [normals(N, rng), normals(N, rng), gradient(l, t, &x)] {
        let step = radius / norm(&d);
        for step in [step, -step] {
            let value = l.value(t, &moved(&x, step, &d));
            claim(value <= upper, || format!("{value:e} > {upper:e} within {radius:e} of {x:?}"))?;
        }
    }
    Ok(())
}

/// In the norm, and coordinate by coordinate with the coordinate's own weight.
fn curvature(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    let (x, d) = (predictions(rng), scaled(&normals(N, rng), log_uniform(1e-3..3.0, rng)));
    let (c, before) = (l.curvature(), gradient(l, t, &x));
    let rounding = 8.0 * EPS * (norm(&before) + largest_weight(t) * norm(&x));
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
    let rounding = 2.0 * N as f64 * EPS * chord.abs();
    claim(middle <= chord + rounding, || format!("{middle:e} > {chord:e} between {a:?} and {b:?}"))
}

/// max_z -l*(-z) = l(0), attained at z0; no other z is higher.
fn peak(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    let mut z0 = vec![0.0; N];
    l.dual_peak(t, &mut z0);
    let (top, at_zero) = (l.dual_lower(t, &z0), l.value(t, &[0.0; N]));
    let rounding = 2.0 * N as f64 * EPS * at_zero + top.slack;
    claim((top.value - at_zero).abs() <= rounding, || format!("{:e} at the peak, l(0) = {at_zero:e}", top.value))?;
    let z = moved(&scaled(&z0, 0.9), 0.1, &dual_variable(l, t, rng));
    let other = l.dual_value(t, &z);
    claim(other <= top.value + rounding, || format!("{other:e} at {z:?} above the peak {:e}", top.value))
}

/// The maximum is flat: an error of 1e-7 in the scale costs 1e-14 of the dual's curvature along the ray.
fn ray(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    let z = scaled(&dual_variable(l, t, rng), rng.random_range(-0.5..2.0));
    let s = l.best_scale(t, &z);
    claim(s >= 0.0 && s.is_finite(), || format!("scale {s}"))?;
    let best = l.dual_value(t, &scaled(&z, s));
    let rounding = 1e-13 * (best.abs() + l.value(t, &[0.0; N]));
    for other in [0.0, 0.5 * s, 0.99 * s, 1.01 * s, 1.5 * s, log_uniform(1e-3..1e3, rng)] {
        let value = l.dual_value(t, &scaled(&z, other));
        claim(value <= best + rounding, || format!("{value:e} at {other:e}, {best:e} at the best scale {s:e}"))?;
    }
    Ok(())
}

fn infimum(l: &dyn Loss, t: Targets, rng: &mut Rng) -> Result<(), String> {
    // near the targets the infimum of most losses is close
    let x = if rng.random_bool(0.5) { predictions(rng) } else { t.y.to_vec() };
    let value = l.value(t, &x);
    claim(l.infimum() <= value, || format!("{value:e} at {x:?} below {:e}", l.infimum()))
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
            Mutant::NoMargin => {
                let terms = z.iter().zip(t.y).enumerate().map(|(j, (z, y))| z * y - z * z / (2.0 * t.weight(j)));
                DualValue { value: terms.sum(), slack: 0.0 }
            }
            _ => right,
        }
    }

    fn best_scale(&self, t: Targets, z: &[f64]) -> f64 {
        let right = self.0.best_scale(t, z);
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

    fn infimum(&self) -> f64 {
        self.when(Mutant::HighInfimum, 100.0, 0.0) + self.0.infimum()
    }
}

/// Runs a law on fresh targets of this kind.
fn on_targets(kind: &str, weighted: bool, l: &dyn Loss, law: Law, rng: &mut Rng) -> Result<(), String> {
    let y = draw_targets(kind, rng);
    let w = weighted.then(|| uniforms(N, 0.3..3.0, rng));
    law(l, Targets { y: &y, w: w.as_deref() }, rng)
}

#[test]
fn every_loss_obeys_every_law_with_and_without_weights() {
    for kind in KINDS {
        let loss = (kind.build)();
        for (name, law, _) in LAWS {
            for weighted in [false, true] {
                holds(&format!("{}, weighted {weighted}: {name}", kind.name), |rng| {
                    on_targets(kind.name, weighted, loss.as_ref(), *law, rng)
                });
            }
        }
    }
}

#[test]
fn every_law_rejects_its_mutants() {
    for kind in KINDS {
        let loss = (kind.build)();
        for (name, law, mutants) in LAWS {
            for &mutant in *mutants {
                // some facts are for quadratics alone, and half of an infinite constant is no mutant
                let quadratics_only = mutant == Mutant::NoMargin || *name == "a loss that says so is quadratic";
                if (quadratics_only && !loss.is_quadratic())
                    || (mutant == Mutant::HalfCurvature && loss.curvature().is_infinite())
                {
                    continue;
                }
                for weighted in [false, true] {
                    rejects(&format!("{}, {mutant:?}, weighted {weighted}: {name}", kind.name), |rng| {
                        on_targets(kind.name, weighted, &Wrapped(loss.as_ref(), mutant), *law, rng)
                    });
                }
            }
        }
    }
}
