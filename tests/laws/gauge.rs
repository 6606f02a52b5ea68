//! Laws of [`Gauge`], over every norm, weighting and cone that compose: prox, polar and value are tested against each other,
//! so that none is trusted to test the rest.

use crate::draw::{
    EPS, Rng, claim, dot, dot_size, holds, log_uniform, moved, norm, normals, rejects, scaled, uniforms,
};
use homfac::gauge::grid::Grid;
use homfac::gauge::sum::Sum;
use homfac::gauge::{Gauge, KINDS, pairs};
use homfac::{cone, gauge};
use rand::RngExt;

/// What the laws need of a gauge; mutants implement it too.
trait Calculus {
    fn value(&self, x: &[f64]) -> f64;
    fn polar(&self, y: &[f64]) -> f64;
    fn polar_argmax(&self, y: &mut [f64]);
    fn prox(&self, b: &mut [f64], h: &[f64], t: f64);
    /// The Euclidean projection onto the cone.
    fn project(&self, x: &mut [f64]);
    fn polar_upper(&self, y: &[f64]) -> f64;
    /// Whether the prox is exact in every metric.
    fn any_metric(&self) -> bool;
    /// The length of the vectors.
    fn n(&self) -> usize;
    /// Whether the norm is one of singular values.
    fn of_matrices(&self) -> bool {
        false
    }
}

impl Calculus for Made {
    fn value(&self, x: &[f64]) -> f64 {
        self.gauge.value(x)
    }
    fn polar(&self, y: &[f64]) -> f64 {
        self.gauge.polar(y)
    }
    fn polar_argmax(&self, y: &mut [f64]) {
        self.gauge.polar_argmax(y);
    }
    fn prox(&self, b: &mut [f64], h: &[f64], t: f64) {
        self.gauge.prox(b, h, t);
    }
    fn project(&self, x: &mut [f64]) {
        if let Some(c) = self.gauge.cone() {
            c.project(x);
        }
    }
    fn polar_upper(&self, y: &[f64]) -> f64 {
        self.gauge.polar_upper(y)
    }
    fn any_metric(&self) -> bool {
        self.gauge.any_metric()
    }
    fn n(&self) -> usize {
        self.n
    }
    fn of_matrices(&self) -> bool {
        self.gauge.norm().matrices().is_some()
    }
}

type Law = fn(&dyn Calculus, &mut Rng) -> Result<(), String>;

/// Each law with the mutants it must reject.
const LAWS: &[(&str, Law, &[Mutant])] = &[
    (
        "r = h (b - p) / t is a subgradient at the prox p",
        prox_optimality,
        &[
            Mutant::PolarWithoutCone,
            Mutant::ShortStep,
            Mutant::FlatMetric,
            Mutant::ProxWithoutCone,
            Mutant::ProxBeforeCone,
            Mutant::ProxWithoutWeights,
        ],
    ),
    (
        "no nearby point has a lower prox objective",
        prox_brute_force,
        &[Mutant::ShortStep, Mutant::FlatMetric, Mutant::ProxWithoutCone, Mutant::ProxWithoutWeights],
    ),
    ("gauge(a x) = a gauge(x)", degree_one, &[Mutant::SquaredValue]),
    (
        "<u, x> <= polar(u) gauge(x), attained",
        polarity,
        &[Mutant::PolarWithoutCone, Mutant::SmallPolar, Mutant::OppositeArgmax, Mutant::ArgmaxWithoutWeights],
    ),
    (
        "the upper end of the polar is above every quotient, and close",
        upper_end,
        &[Mutant::SmallPolar, Mutant::LoosePolar],
    ),
    ("triangle inequality", triangle, &[Mutant::ConcaveValue]),
    ("+inf outside the cone", infinite_outside, &[Mutant::LenientValue]),
    ("everything vanishes at zero", zero, &[Mutant::SmoothedValue]),
    ("polar and prox scale to 1e200 and 1e-200", extreme_scales, &[Mutant::NaiveSquares]),
];

/// Laws that a gauge on a cone that is not convex breaks.
const CONVEX_ONLY: &[&str] = &["r = h (b - p) / t is a subgradient at the prox p", "triangle inequality"];

const N: usize = 6;

fn in_cone(g: &dyn Calculus, rng: &mut Rng) -> Vec<f64> {
    let mut x = normals(g.n(), rng);
    g.project(&mut x);
    x
}

/// min_x 1/2 sum h (x - b)^2 + t gauge(x).
#[derive(Debug)]
struct Prox {
    b: Vec<f64>,
    h: Vec<f64>,
    t: f64,
}

impl Prox {
    /// With ties every other time, entries of the metric that vanish, and steps from short to so long that p = 0.
    fn draw(g: &dyn Calculus, rng: &mut Rng) -> Self {
        let size = log_uniform(1e-2..1e2, rng);
        let mut b = normals(g.n(), rng);
        if rng.random_bool(0.5) {
            b.iter_mut().for_each(|b| *b = b.round());
        }
        let mut h = uniforms(g.n(), 0.2..3.0, rng);
        let absent = if rng.random_bool(0.8) { 0.15 } else { 0.6 };
        h.iter_mut().for_each(|h| *h = if rng.random_bool(absent) { 0.0 } else { *h });
        if !g.any_metric() {
            h.fill(1.7);
        }
        let b = scaled(&b, size);
        let t = rng.random_range(0.05..1.2) * dot_size(&b, &h) / g.n() as f64;
        Self { b, h, t: if t > 0.0 { t } else { 1.0 } }
    }

    fn solve(&self, g: &dyn Calculus) -> Vec<f64> {
        let mut p = self.b.clone();
        g.prox(&mut p, &self.h, self.t);
        p
    }

    fn objective(&self, g: &dyn Calculus, x: &[f64]) -> f64 {
        let squares: f64 = (0..g.n()).map(|j| self.h[j] * (x[j] - self.b[j]).powi(2)).sum();
        0.5 * squares + self.t * g.value(x)
    }

    /// Relative rounding of r = h (b - p) / t: that of b and p, blown up by cancellation and by weights down to 1/2.
    fn rounding(&self) -> f64 {
        64.0 * self.b.len() as f64 * EPS * (1.0 + 2.0 * dot_size(&self.b, &self.h) / self.t)
    }
}

/// r in the subdifferential of the gauge at p: polar(r) <= 1 and <r, p> = gauge(p).
fn prox_optimality(g: &dyn Calculus, rng: &mut Rng) -> Result<(), String> {
    let problem = Prox::draw(g, rng);
    let p = problem.solve(g);
    let r: Vec<f64> = (0..g.n()).map(|j| problem.h[j] * (problem.b[j] - p[j]) / problem.t).collect();
    let (polar, value, inner) = (g.polar(&r), g.value(&p), dot(&r, &p));
    claim(value.is_finite(), || format!("p = {p:?} lies outside the cone for {problem:?}"))?;
    claim(polar <= 1.0 + problem.rounding(), || format!("polar(r) = {polar}, p = {p:?} for {problem:?}"))?;
    let rounding = problem.rounding() * (value + dot_size(&r, &p) + norm(&p));
    claim((inner - value).abs() <= rounding, || format!("<r, p> = {inner}, gauge(p) = {value}, {p:?} for {problem:?}"))
}

fn prox_brute_force(g: &dyn Calculus, rng: &mut Rng) -> Result<(), String> {
    let problem = Prox::draw(g, rng);
    let p = problem.solve(g);
    let least = problem.objective(g, &p);
    claim(least.is_finite(), || format!("p = {p:?} lies outside the cone for {problem:?}"))?;
    // the sum of N squares and the gauge, all nonnegative, at points as large as b
    let rounding = 16.0 * g.n() as f64 * EPS * problem.objective(g, &vec![0.0; g.n()]);
    for k in 0..300 {
        let size = log_uniform(1e-4..1.0, rng) * norm(&problem.b);
        let mut x = match k % 3 {
            0 => moved(&p, size, &normals(g.n(), rng)),
            1 => scaled(&p, 1.0 + rng.random_range(-0.2..0.2)),
            _ => {
                let mut x = p.clone();
                x[rng.random_range(0..g.n())] += size * rng.random_range(-1.0..1.0);
                x
            }
        };
        g.project(&mut x);
        let value = problem.objective(g, &x);
        claim(value >= least - rounding, || format!("{value:e} at {x:?}, {least:e} at {p:?} for {problem:?}"))?;
    }
    Ok(())
}

fn degree_one(g: &dyn Calculus, rng: &mut Rng) -> Result<(), String> {
    let (x, a) = (in_cone(g, rng), log_uniform(1e-200..1e200, rng));
    let (value, expected) = (g.value(&scaled(&x, a)), a * g.value(&x));
    claim((value - expected).abs() <= 4.0 * g.n() as f64 * EPS * expected, || {
        format!("{value:e}, not {expected:e}, at {a:e} {x:?}")
    })
}

/// Vectors of the cone, the polar's maximiser among them, never get more out of u than the upper end allows; for norms whose
/// rounding is bounded with it, that end is close to the polar.
fn upper_end(g: &dyn Calculus, rng: &mut Rng) -> Result<(), String> {
    let u = scaled(&normals(g.n(), rng), log_uniform(1e-3..1e3, rng));
    let (upper, polar) = (g.polar_upper(&u), g.polar(&u));
    let mut top = u.clone();
    g.polar_argmax(&mut top);
    for x in [in_cone(g, rng), in_cone(g, rng), top] {
        let (inner, value) = (dot(&u, &x), g.value(&x));
        // what the quotient itself rounds
        let rounding = 2.0 * g.n() as f64 * EPS * dot_size(&u, &x);
        claim(inner <= upper * value + rounding, || {
            format!("<u, x> / gauge(x) = {} > {upper}, {u:?}, {x:?}", inner / value)
        })?;
    }
    // eigenvalues are rounded in units of the largest
    let room = if g.of_matrices() { 1e-13 } else { 1e-14 };
    claim(upper <= polar * (1.0 + 1e-11) + room * norm(&u), || format!("upper end {upper}, polar {polar} for {u:?}"))
}

/// Polar and gauge are maxima over each other's balls: no pair exceeds the product, and the argmax attains it.
fn polarity(g: &dyn Calculus, rng: &mut Rng) -> Result<(), String> {
    let (u, x) = (normals(g.n(), rng), in_cone(g, rng));
    let (polar, value) = (g.polar(&u), g.value(&x));
    let rounding = 8.0 * g.n() as f64 * EPS;
    claim(dot(&u, &x) <= polar * value + rounding * dot_size(&u, &x), || {
        format!("<u, x> = {}, polar {polar}, gauge {value}, u = {u:?}, x = {x:?}", dot(&u, &x))
    })?;
    let mut top = u.clone();
    g.polar_argmax(&mut top);
    let (size, attained) = (g.value(&top), dot(&u, &top));
    claim(size <= 1.0 + rounding, || format!("gauge {size} at the maximiser {top:?} for {u:?}"))?;
    claim((attained - polar).abs() <= rounding * (polar + dot_size(&u, &top)), || {
        format!("polar {polar}, attained {attained} at {top:?} for {u:?}")
    })
}

fn triangle(g: &dyn Calculus, rng: &mut Rng) -> Result<(), String> {
    let (x, y) = (in_cone(g, rng), in_cone(g, rng));
    let (sum, parts) = (g.value(&moved(&x, 1.0, &y)), g.value(&x) + g.value(&y));
    claim(sum <= parts * (1.0 + 4.0 * g.n() as f64 * EPS), || format!("{sum} > {parts} for {x:?} + {y:?}"))
}

/// However little outside; vacuous without a cone.
fn infinite_outside(g: &dyn Calculus, rng: &mut Rng) -> Result<(), String> {
    let x = scaled(&normals(g.n(), rng), 1e-17);
    let mut p = x.clone();
    g.project(&mut p);
    let value = g.value(&x);
    claim((p != x) == (value == f64::INFINITY), || format!("gauge {value} at {x:?}"))?;
    claim(g.value(&p).is_finite(), || format!("{p:?} is inside"))
}

fn zero(g: &dyn Calculus, rng: &mut Rng) -> Result<(), String> {
    let zero = vec![0.0; g.n()];
    let h = if g.any_metric() { uniforms(g.n(), 0.2..3.0, rng) } else { vec![1.7; g.n()] };
    let problem = Prox { b: zero.clone(), h, t: 1.0 };
    // a slice whose other factor is 0 has no metric and no step
    let idle = Prox { b: zero.clone(), h: zero.clone(), t: 0.0 }.solve(g);
    claim(idle == zero, || format!("prox {idle:?} without a metric"))?;
    let mut top = zero.clone();
    g.polar_argmax(&mut top);
    claim(g.value(&zero) == 0.0 && g.polar(&zero) == 0.0, || "the gauge or its polar at 0".into())?;
    claim(top == zero && problem.solve(g) == zero, || format!("argmax {top:?}, prox {:?}", problem.solve(g)))
}

/// s is a power of two close to 1e200 or 1e-200: prox(s b, h, s t) = s prox(b, h, t) but for roundings.
fn extreme_scales(g: &dyn Calculus, rng: &mut Rng) -> Result<(), String> {
    let s = 2f64.powi(if rng.random_bool(0.5) { 664 } else { -664 });
    let close = |a: &[f64], b: &[f64]| norm(&moved(a, -1.0, b)) <= 1e-12 * norm(b);
    let u = normals(g.n(), rng);
    let (polar, expected) = (g.polar(&scaled(&u, s)) / s, g.polar(&u));
    claim(close(&[polar], &[expected]), || format!("polar {polar} s, not {expected} s, s = {s:e}"))?;
    let (mut top, mut far) = (u.clone(), scaled(&u, s));
    g.polar_argmax(&mut top);
    g.polar_argmax(&mut far);
    claim(close(&far, &top), || format!("argmax {far:?} at s = {s:e}, {top:?} at 1"))?;
    let problem = Prox::draw(g, rng);
    let (near, h) = (problem.solve(g), problem.h.clone());
    let far = Prox { b: scaled(&problem.b, s), h, t: problem.t * s }.solve(g);
    claim(close(&scaled(&far, 1.0 / s), &near), || format!("prox {far:?} at s = {s:e}, {near:?} at 1, {problem:?}"))
}

/// What a mutant does to the gauge it wraps.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mutant {
    /// The dual norm, as if there were no cone.
    PolarWithoutCone,
    /// 0.99 polar: a bound that forgives.
    SmallPolar,
    /// -argmax.
    OppositeArgmax,
    /// Forgets D in the maximiser.
    ArgmaxWithoutWeights,
    /// 0.9 t.
    ShortStep,
    /// The mean of h for all of h.
    FlatMetric,
    /// The norm's prox alone.
    ProxWithoutCone,
    /// The norm's prox, projected after instead of before.
    ProxBeforeCone,
    /// Forgets D in the prox (LowRankModels' nonnegative l1 did).
    ProxWithoutWeights,
    /// Degree 2.
    SquaredValue,
    /// (sum sqrt|x|)^2: degree 1, not convex.
    ConcaveValue,
    /// Forgives 1e-12 outside the cone.
    LenientValue,
    /// Smoothed at the kink.
    SmoothedValue,
    /// 1.01 of the upper end.
    LoosePolar,
    /// sqrt(sum y^2) for the polar, scaled to be right at y: overflows and underflows.
    NaiveSquares,
}

impl Mutant {
    /// Whether the mutant differs from the original at all.
    fn differs(self, g: &Gauge) -> bool {
        let (coned, weighted) = (g.cone().is_some(), g.weights().is_some());
        match self {
            Self::PolarWithoutCone | Self::ProxWithoutCone | Self::LenientValue => coned,
            // a separable prox commutes with the projection onto an orthant
            Self::ProxBeforeCone => {
                // and the fused prox is clipped after all, unless it is shrunk too
                let separable = g.norm().name() == "l1" || g.norm().terms().is_some_and(|s| s.tv > 0.0 && s.l2 == 0.0);
                coned && !separable
            }
            Self::FlatMetric => g.any_metric(),
            Self::ArgmaxWithoutWeights | Self::ProxWithoutWeights => weighted,
            // the prox of linf depends on h through few entries, but on draws with a step short enough it does
            _ => true,
        }
    }
}

struct Wrapped<'a>(&'a Made, Mutant);

impl Wrapped<'_> {
    /// The same norm with only some of the parts.
    fn stripped(&self, keep_weights: bool, keep_cone: bool) -> Gauge {
        self.0.compose(keep_weights, keep_cone).unwrap()
    }
}

impl Calculus for Wrapped<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        let value = self.0.gauge.value(x);
        match self.1 {
            Mutant::SquaredValue => value * value,
            Mutant::ConcaveValue if value.is_finite() => x.iter().map(|x| x.abs().sqrt()).sum::<f64>().powi(2),
            Mutant::LenientValue => {
                let mut p = x.to_vec();
                Calculus::project(self.0, &mut p);
                if norm(&moved(x, -1.0, &p)) < 1e-12 { self.0.gauge.value(&p) } else { value }
            }
            Mutant::SmoothedValue => value.hypot(1e-3),
            _ => value,
        }
    }
    fn polar(&self, y: &[f64]) -> f64 {
        match self.1 {
            Mutant::PolarWithoutCone => self.stripped(true, false).polar(y),
            Mutant::SmallPolar => 0.99 * self.0.gauge.polar(y),
            Mutant::NaiveSquares => {
                let unit = y.iter().fold(0.0, |m: f64, y| m.max(y.abs()));
                norm(y) * (self.0.gauge.polar(&scaled(y, 1.0 / unit)) / norm(&scaled(y, 1.0 / unit)))
            }
            _ => self.0.gauge.polar(y),
        }
    }
    fn polar_argmax(&self, y: &mut [f64]) {
        match self.1 {
            Mutant::ArgmaxWithoutWeights => self.stripped(false, true).polar_argmax(y),
            Mutant::OppositeArgmax => {
                self.0.gauge.polar_argmax(y);
                y.iter_mut().for_each(|y| *y = -*y);
            }
            _ => self.0.gauge.polar_argmax(y),
        }
    }
    fn prox(&self, b: &mut [f64], h: &[f64], t: f64) {
        match self.1 {
            Mutant::ShortStep => self.0.gauge.prox(b, h, 0.9 * t),
            Mutant::FlatMetric => {
                let mean = h.iter().sum::<f64>() / h.len() as f64;
                self.0.gauge.prox(b, &vec![mean; h.len()], t);
            }
            Mutant::ProxWithoutCone => self.stripped(true, false).prox(b, h, t),
            Mutant::ProxBeforeCone => {
                self.stripped(true, false).prox(b, h, t);
                Calculus::project(self.0, b);
            }
            Mutant::ProxWithoutWeights => self.stripped(false, true).prox(b, h, t),
            _ => self.0.gauge.prox(b, h, t),
        }
    }
    fn project(&self, x: &mut [f64]) {
        Calculus::project(self.0, x);
    }
    fn polar_upper(&self, y: &[f64]) -> f64 {
        let factor = match self.1 {
            Mutant::SmallPolar => 0.99,
            Mutant::LoosePolar => 1.01,
            _ => 1.0,
        };
        factor * self.0.gauge.polar_upper(y)
    }
    fn any_metric(&self) -> bool {
        self.0.gauge.any_metric()
    }
    fn n(&self) -> usize {
        self.0.n
    }
}

/// A gauge and what it is made of.
struct Made {
    label: String,
    norm: &'static gauge::Kind,
    example: usize,
    weights: Option<Vec<f64>>,
    cone: Option<&'static cone::Kind>,
    gauge: Gauge,
    n: usize,
}

impl Made {
    fn new(
        norm: &'static gauge::Kind,
        example: usize,
        weights: Option<Vec<f64>>,
        cone: Option<&'static cone::Kind>,
    ) -> Result<Self, String> {
        let n = weights.as_ref().map_or_else(|| length(cone), Vec::len);
        let made = (norm.examples)(n).swap_remove(example);
        let label = format!("{}, weighted {}, {:?}", made.label(), weights.is_some(), cone.map(|c| c.name));
        let gauge = Gauge::new(made, weights.clone(), cone.and_then(|c| (c.example)(n)))?;
        Ok(Self { label, norm, example, weights, cone, gauge, n })
    }

    fn compose(&self, keep_weights: bool, keep_cone: bool) -> Result<Gauge, String> {
        let weights = self.weights.clone().filter(|_| keep_weights);
        let cone = self.cone.filter(|_| keep_cone);
        let norm = (self.norm.examples)(self.n).swap_remove(self.example);
        Gauge::new(norm, weights, cone.and_then(|c| (c.example)(self.n)))
    }

    /// What holds of convex gauges alone.
    fn obeys(&self, law: &str) -> bool {
        self.gauge.is_convex() || !CONVEX_ONLY.contains(&law)
    }
}

/// A length that the cone exists in.
fn length(cone: Option<&cone::Kind>) -> usize {
    if cone.is_none_or(|c| (c.example)(N).is_some()) { N } else { 9 }
}

/// Every (norm, weights, cone) with a rule.
fn gauges() -> Vec<Made> {
    let mut out = Vec::new();
    for norm in KINDS {
        for example in 0..(norm.examples)(N).len() {
            for cone in std::iter::once(None).chain(cone::KINDS.iter().map(|c| Some(*c))) {
                let uneven = [0.5, 2.0, 0.7, 1.0, 1.3, 0.9].into_iter().cycle().take(length(cone)).collect();
                let found = out.len();
                for weights in [None, Some(uneven)] {
                    out.extend(Made::new(norm, example, weights, cone));
                }
                if out.len() == found + 1 {
                    // weights that do not vary
                    out.extend(Made::new(norm, example, Some(vec![1.7; length(cone)]), cone));
                }
            }
        }
    }
    out
}

#[test]
fn every_gauge_obeys_every_law() {
    for made in gauges() {
        for (name, law, _) in LAWS.iter().filter(|l| made.obeys(l.0)) {
            holds(&format!("{}: {name}", made.label), |rng| law(&made, rng));
        }
    }
}

/// A maximum, or a projection, may pass over what is no number.
#[test]
fn an_upper_end_of_what_is_no_number_is_infinite() {
    for made in gauges() {
        for at in 0..made.n {
            let mut y = vec![1.0; made.n];
            y[at] = f64::NAN;
            let upper = made.gauge.polar_upper(&y);
            assert!(!upper.is_finite(), "{}, {at}: {upper}", made.label);
            let upper = made.gauge.norm().dual_upper(&y);
            assert!(!upper.is_finite(), "{}, {at}: {upper}", made.label);
        }
    }
}

#[test]
fn every_law_rejects_its_mutants() {
    for made in gauges() {
        for (name, law, mutants) in LAWS.iter().filter(|l| made.obeys(l.0)) {
            for &mutant in mutants.iter().filter(|m| m.differs(&made.gauge)) {
                rejects(&format!("{}, {mutant:?}: {name}", made.label), |rng| law(&Wrapped(&made, mutant), rng));
            }
        }
    }
}

#[test]
fn a_pair_without_a_rule_is_refused_by_name() {
    for norm in KINDS.iter().flat_map(|k| (k.examples)(N)) {
        for kind in cone::KINDS {
            let (name, Some(cone)) = (norm.name(), (kind.example)(N)) else { continue };
            if let Err(e) = pairs::rule(norm.as_ref(), cone.as_ref()) {
                assert!(e.contains(name) && e.contains(kind.name), "{e}");
                // what stands in its place: neither projecting first nor last obeys the laws of a prox
                assert!(name != "l2" && (cone.orthant().is_none() || norm.matrices().is_some()), "{e}");
            }
        }
    }
}

#[test]
fn a_sum_without_a_rule_is_refused_by_name() {
    use homfac::gauge::Parameters;
    use homfac::gauge::sum::{self, Term};
    let groups = || Parameters { groups: Some(vec![vec![0, 2], vec![1]]), n: 3, ..Parameters::default() };
    let sum = |kinds: &[&str]| {
        let term = |k: &&str| Term { kind: (*k).into(), weight: 0.5, parameters: groups() };
        sum::build(&kinds.iter().map(term).collect::<Vec<_>>()).err()
    };
    for fine in [&["l1", "l2"][..], &["l1", "tv"], &["tv", "l2"], &["l2", "tv", "l1"], &["group_l2", "l1", "l2"]] {
        assert_eq!(sum(fine), None, "{fine:?}");
    }
    for (refused, named) in [
        (&["l1", "linf"][..], "linf"),
        (&["l2", "lp"], "lp"),
        (&["l1", "l1"], "l1"),
        (&["tv", "group_l2"], "group_l2"),
        (&["tv"], "tv"),
    ] {
        assert!(sum(refused).is_some_and(|e| e.contains(named)), "{refused:?}");
    }
}

fn norm_of(x: &[f64]) -> f64 {
    norm(x)
}

/// size(x) <= radius ||x||, over random directions and the flattest and the sparsest ones, where it is attained if ever.
fn radius_holds(
    size: fn(&[f64]) -> f64,
    value: &dyn Fn(&[f64]) -> f64,
    radius: f64,
    rng: &mut Rng,
) -> Result<(), String> {
    let mut one = vec![0.0; N];
    one[rng.random_range(0..N)] = -1.0;
    for x in [normals(N, rng), vec![1.0; N], one] {
        let (found, bound) = (size(&x), radius * value(&x));
        claim(found <= bound * (1.0 + 4.0 * N as f64 * EPS), || format!("{found} > {bound} at {x:?}"))?;
    }
    Ok(())
}

/// ||x||^2 >= h(x o x), and for norms of squares no less.
fn squares(norm: &dyn gauge::Norm, h: &dyn gauge::Norm, share: f64, rng: &mut Rng) -> Result<(), String> {
    let x = normals(6, rng);
    let (value, of) = (norm.value(&x).powi(2), share * h.value(&x.iter().map(|x| x * x).collect::<Vec<_>>()));
    let exact = matches!(norm.name(), "l2" | "linf") || (norm.name() == "lp" && norm.label().contains('3'));
    claim(of <= value * (1.0 + 1e-12), || format!("{x:?}: {of} above {value}"))?;
    claim(!exact || of >= value * (1.0 - 1e-12), || format!("{x:?}: {of} below {value}"))
}

#[test]
fn norms_of_squares_are_what_they_say() {
    let mut some = 0;
    for norm in KINDS.iter().flat_map(|k| (k.examples)(6)) {
        let Some(h) = norm.of_squares() else { continue };
        some += 1;
        holds(norm.name(), |rng| squares(norm.as_ref(), h.as_ref(), 1.0, rng));
        rejects(&format!("{}, too large", norm.name()), |rng| squares(norm.as_ref(), h.as_ref(), 4.0, rng));
    }
    assert!(some >= 4, "{some}");
}

#[test]
fn the_radii_of_every_norm_hold_and_the_law_rejects_shorter_ones() {
    for norm in KINDS.iter().flat_map(|k| (k.examples)(N)) {
        let label = norm.label();
        for (size, radius) in [
            (norm_of as fn(&[f64]) -> f64, norm.l2_radius(N)),
            (|x: &[f64]| x.iter().map(|x| x.abs()).sum(), norm.l1_radius(N)),
        ] {
            holds(&label, |rng| radius_holds(size, &|x| norm.value(x), radius, rng));
            rejects(&label, |rng| radius_holds(size, &|x| norm.value(x), 0.3 * radius, rng));
        }
    }
}

/// What vanishes beside the largest entry when a vector is scaled still counts on an orthant that the largest one lies outside of.
#[test]
fn an_upper_end_counts_what_scaling_makes_vanish() {
    let nonnegative = homfac::cone::KINDS.iter().find(|k| k.name == "nonnegative").unwrap();
    for grid in [None, Some(Grid::new((1, 3)))] {
        let sum = Sum { l1: 1.658, tv: 0.18, grid, ..Sum::default() };
        let gauge = Gauge::new(Box::new(sum), None, (nonnegative.example)(3)).unwrap();
        let upper = gauge.polar_upper(&[2.2e-219, -1.7e-286, -1.5e240]);
        let attained = 2.2e-219 / gauge.value(&[1.0, 0.0, 0.0]);
        assert!(upper >= attained && attained > 1e-219, "{upper:e} below {attained:e}");
    }
}
