//! Laws of [`Cone`]: what makes a map the projection onto a closed convex cone, and a test of membership exact.

use crate::draw::{Rng, claim, dot, dot_size, holds, log_uniform, moved, norm, normals, rejects, scaled};
use homfac::cone::{Cone, KINDS};
use rand::RngExt;

type Law = fn(&dyn Cone, &mut Rng) -> Result<(), String>;

/// Each law with the mutants it must reject.
const LAWS: &[(&str, Law, &[Mutant])] = &[
    ("projection lands in the cone", lands_inside, &[Mutant::Identity, Mutant::Blunt]),
    ("projection is idempotent", idempotent, &[Mutant::Shrunk]),
    ("no point of the cone is nearer", nearest, &[Mutant::Shrunk, Mutant::Doubled]),
    ("projection does not expand distances", nonexpansive, &[Mutant::Doubled]),
    ("<x - Px, y - Px> <= 0 for y in the cone", obtuse, &[Mutant::Reflected, Mutant::Shrunk]),
    (IN_METRIC, obtuse_in_metric, &[Mutant::FlatMetric, Mutant::Shrunk]),
    ("what reduction takes off is in the polar cone", reduction, &[Mutant::Overreduced]),
    ("the distance that is forgiven is bounded", distance, &[Mutant::NoDistance]),
    ("P(a x) = a P(x)", degree_one, &[Mutant::Box]),
    ("violation sees the smallest excess and NaN", exact_membership, &[Mutant::Lenient, Mutant::NanBlind]),
];

/// The law of cones with a projection in every metric.
const IN_METRIC: &str = "<m (x - Px), y - Px> <= 0 in the metric m";

/// Laws that a cone that is not convex breaks.
const CONVEX_ONLY: &[&str] =
    &["projection does not expand distances", "<x - Px, y - Px> <= 0 for y in the cone", IN_METRIC];

/// As long as every cone has vectors of.
const N: usize = 9;

fn project(c: &dyn Cone, x: &[f64]) -> Vec<f64> {
    let mut p = x.to_vec();
    c.project(&mut p);
    p
}

fn lands_inside(c: &dyn Cone, rng: &mut Rng) -> Result<(), String> {
    let x = scaled(&normals(N, rng), log_uniform(1e-200..1e200, rng));
    let p = project(c, &x);
    claim(c.violation(&p).is_none(), || format!("x = {x:?} lands at {p:?}"))
}

fn idempotent(c: &dyn Cone, rng: &mut Rng) -> Result<(), String> {
    let p = project(c, &normals(N, rng));
    let twice = project(c, &p);
    claim(norm(&moved(&p, -1.0, &twice)) <= c.tolerance() * norm(&p), || format!("{p:?} moves to {twice:?}"))
}

fn nonexpansive(c: &dyn Cone, rng: &mut Rng) -> Result<(), String> {
    let (x, y) = (normals(N, rng), normals(N, rng));
    let (before, after) = (norm(&moved(&x, -1.0, &y)), norm(&moved(&project(c, &x), -1.0, &project(c, &y))));
    claim(after <= before * (1.0 + 1e-14), || format!("{x:?}, {y:?}: from {before:e} to {after:e}"))
}

/// Whatever is near Px and in the cone is no nearer to x.
fn nearest(c: &dyn Cone, rng: &mut Rng) -> Result<(), String> {
    let x = normals(N, rng);
    let p = project(c, &x);
    let least = norm(&moved(&x, -1.0, &p));
    for k in 0..20 {
        let size = log_uniform(1e-2..1.0, rng);
        let y = match k % 2 {
            0 => project(c, &moved(&p, size, &normals(N, rng))),
            _ => scaled(&p, 1.0 + rng.random_range(-0.5..0.5)),
        };
        let distance = norm(&moved(&x, -1.0, &y));
        claim(distance >= least - 1e-14 * norm(&x), || format!("{y:?} is nearer to {x:?} than {p:?}"))?;
    }
    Ok(())
}

fn obtuse_in_metric(c: &dyn Cone, rng: &mut Rng) -> Result<(), String> {
    let (x, y) = (normals(N, rng), project(c, &normals(N, rng)));
    let m: Vec<f64> = (0..N).map(|_| log_uniform(0.1..10.0, rng)).collect();
    let mut p = x.clone();
    c.project_metric(&mut p, &m);
    let out: Vec<f64> = (0..N).map(|j| m[j] * (x[j] - p[j])).collect();
    claim(c.violation(&p).is_none(), || format!("{p:?} is outside"))?;
    for y in [y, scaled(&p, 3.0)] {
        let along = moved(&y, -1.0, &p);
        let rounding = 1e-13 * (dot_size(&out, &along) + norm(&x) * norm(&along));
        claim(dot(&out, &along) <= rounding, || format!("x = {x:?}, y = {y:?}, m = {m:?}, Px = {p:?}"))?;
    }
    Ok(())
}

/// <q, x> <= 0 on the cone for y - reduced = D^-1 q.
fn reduction(c: &dyn Cone, rng: &mut Rng) -> Result<(), String> {
    let (y, x) = (normals(N, rng), project(c, &normals(N, rng)));
    let mut d: Vec<f64> = (0..N).map(|_| log_uniform(0.3..3.0, rng)).collect();
    if !c.any_metric() {
        d = vec![d[0]; N];
    }
    let mut reduced = y.clone();
    let rounding = c.reduce(&mut reduced, Some(&d));
    let q: Vec<f64> = (0..N).map(|j| d[j] * (y[j] - reduced[j])).collect();
    let forgiven = (rounding + 10.0 * c.tolerance() * norm(&q) + 1e-15 * norm(&y)) * 10.0 * norm(&x);
    claim(dot(&q, &x) <= forgiven, || format!("<q, x> = {:e} for {q:?}, {x:?}", dot(&q, &x)))?;
    claim(norm(&reduced) <= norm(&y) * (1.0 + 1e-14), || format!("{y:?} grows to {reduced:?}"))
}

/// Points that pass, though they are off by little, are no further from the cone than said.
fn distance(c: &dyn Cone, rng: &mut Rng) -> Result<(), String> {
    let p = project(c, &normals(N, rng));
    let x = moved(&p, 0.1 * c.tolerance() * norm(&p), &normals(N, rng));
    if c.violation(&x).is_some() {
        return Ok(());
    }
    let off = norm(&moved(&x, -1.0, &project(c, &x)));
    claim(c.distance_upper(&x) >= 0.99 * off - 1e-15 * norm(&x), || format!("{off:e} off at {x:?}"))
}

/// The variational inequality, which alone characterises the projection. The rounding is that of a sum of N products.
fn obtuse(c: &dyn Cone, rng: &mut Rng) -> Result<(), String> {
    let (x, y) = (normals(N, rng), project(c, &normals(N, rng)));
    let p = project(c, &x);
    let out = moved(&x, -1.0, &p);
    for y in [y, scaled(&p, 3.0)] {
        let along = moved(&y, -1.0, &p);
        let rounding =
            1e-14 * (dot_size(&out, &along) + norm(&x) * norm(&along)) + c.tolerance() * norm(&out) * norm(&y);
        claim(dot(&out, &along) <= rounding, || format!("x = {x:?}, y = {y:?}, Px = {p:?}"))?;
    }
    Ok(())
}

/// A power of two keeps the scaling exact.
fn degree_one(c: &dyn Cone, rng: &mut Rng) -> Result<(), String> {
    let x = normals(N, rng);
    let a = 2f64.powi(rng.random_range(-600..600));
    claim(project(c, &scaled(&x, a)) == scaled(&project(c, &x), a), || format!("a = {a:e}, x = {x:?}"))
}

/// A point is outside when its projection moves it, however little: a cone has no scale that could excuse -1e-17.
fn exact_membership(c: &dyn Cone, rng: &mut Rng) -> Result<(), String> {
    let x = scaled(&normals(N, rng), log_uniform(1e-17..1e-16, rng));
    claim((project(c, &x) != x) == c.violation(&x).is_some(), || format!("x = {x:?}"))?;
    let mut p = project(c, &normals(N, rng));
    claim(c.violation(&p).is_none(), || format!("{p:?} is inside"))?;
    p[rng.random_range(0..N)] = f64::NAN;
    claim(c.violation(&p).is_some_and(|v| v.1.is_nan()), || format!("NaN passes in {p:?}"))
}

/// What a mutant does to the cone it wraps.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mutant {
    /// Projects nowhere.
    Identity,
    /// Leaves coordinates alone that are outside by little.
    Blunt,
    /// P(x) / 2.
    Shrunk,
    /// 2 P(x).
    Doubled,
    /// 2 P(x) - x: in an orthant, nonexpansive, but not the nearest point.
    Reflected,
    /// The cone cut off at the unit box: convex, and no cone.
    Box,
    /// Ignores the metric.
    FlatMetric,
    /// Takes off twice what it may.
    Overreduced,
    /// Says that whatever passes is inside.
    NoDistance,
    /// Forgives an excess of 1e-12.
    Lenient,
    /// Looks for coordinates that differ from their projection; NaN compares false.
    NanBlind,
}

impl Mutant {
    /// Whether the mutant differs from the original at all.
    fn differs(self, c: &dyn Cone) -> bool {
        match self {
            // orthants do not see the metric
            Self::FlatMetric => c.orthant().is_none(),
            Self::NoDistance => c.tolerance() > 0.0,
            _ => true,
        }
    }
}

fn obeys(c: &dyn Cone, law: &str) -> bool {
    (c.is_convex() || !CONVEX_ONLY.contains(&law)) && (c.any_metric() || law != IN_METRIC)
}

struct Wrapped<'a>(&'a dyn Cone, Mutant);

impl Cone for Wrapped<'_> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn project(&self, x: &mut [f64]) {
        let p = project(self.0, x);
        for (x, p) in x.iter_mut().zip(&p) {
            *x = match self.1 {
                Mutant::Identity => *x,
                Mutant::Blunt if (*x - p).abs() < 1e-3 => *x,
                Mutant::Shrunk => p / 2.0,
                Mutant::Doubled => 2.0 * p,
                Mutant::Reflected => 2.0 * p - *x,
                Mutant::Box => p.clamp(-1.0, 1.0),
                _ => *p,
            };
        }
    }

    fn project_metric(&self, x: &mut [f64], m: &[f64]) {
        match self.1 {
            Mutant::FlatMetric => self.0.project(x),
            _ => self.0.project_metric(x, m),
        }
        if self.1 == Mutant::Shrunk {
            x.iter_mut().for_each(|x| *x /= 2.0);
        }
    }

    fn orthant(&self) -> Option<f64> {
        self.0.orthant()
    }

    fn is_convex(&self) -> bool {
        self.0.is_convex()
    }

    fn any_metric(&self) -> bool {
        self.0.any_metric()
    }

    fn tolerance(&self) -> f64 {
        self.0.tolerance()
    }

    fn distance_upper(&self, x: &[f64]) -> f64 {
        if self.1 == Mutant::NoDistance { 0.0 } else { self.0.distance_upper(x) }
    }

    fn reduce(&self, y: &mut [f64], d: Option<&[f64]>) -> f64 {
        let before = y.to_vec();
        let rounding = self.0.reduce(y, d);
        if self.1 == Mutant::Overreduced {
            y.iter_mut().zip(&before).for_each(|(y, before)| *y -= before - *y + 0.1 * *before);
        }
        rounding
    }

    fn violation(&self, x: &[f64]) -> Option<(usize, f64)> {
        let p = project(self.0, x);
        match self.1 {
            Mutant::Lenient => self.0.violation(x).filter(|v| v.1.is_nan() || (x[v.0] - p[v.0]).abs() > 1e-12),
            Mutant::NanBlind => (0..x.len()).find(|&i| (x[i] - p[i]).abs() > 0.0).map(|i| (i, x[i])),
            _ => self.0.violation(x),
        }
    }
}

#[test]
fn every_cone_obeys_every_law() {
    for kind in KINDS {
        let cone = (kind.example)(N).expect("a cone of that length");
        for (name, law, _) in LAWS.iter().filter(|l| obeys(cone.as_ref(), l.0)) {
            holds(&format!("{}: {name}", kind.name), |rng| law(cone.as_ref(), rng));
        }
    }
}

#[test]
fn every_law_rejects_its_mutants() {
    for kind in KINDS {
        let cone = (kind.example)(N).expect("a cone of that length");
        for (name, law, mutants) in LAWS.iter().filter(|l| obeys(cone.as_ref(), l.0)) {
            for &mutant in mutants.iter().filter(|m| m.differs(cone.as_ref())) {
                let wrong = Wrapped(cone.as_ref(), mutant);
                rejects(&format!("{}, {mutant:?}: {name}", kind.name), |rng| law(&wrong, rng));
            }
        }
    }
}

/// A of the cone A x >= 0, and mutants of it.
fn halfspaces(c: &dyn Cone, keep: usize, sign: f64, rng: &mut Rng) -> Result<(), String> {
    let Some(a) = c.halfspaces(N) else { return Ok(()) };
    let value = |i: usize, x: &[f64]| sign * (0..N).map(|j| a[(i, j)] * x[j]).sum::<f64>();
    let x = normals(N, rng);
    let p = project(c, &x);
    let rows = || (0..a.nrows()).filter(|i| *i != keep);
    let inside = rows().all(|i| value(i, &p) >= -1e-11 * norm(&x));
    claim(inside, || format!("{p:?} is in the cone and breaks a condition"))?;
    // what has left the cone through one of its faces breaks a condition
    let i = rng.random_range(0..a.nrows());
    let face: Vec<f64> = (0..N).map(|j| sign * a[(i, j)]).collect();
    let x = moved(&p, -(value(i, &p).abs() + 1.0) / dot(&face, &face), &face);
    let off = norm(&moved(&x, -1.0, &project(c, &x)));
    claim(off <= 1e-9 * norm(&x) || rows().any(|i| value(i, &x) < 0.0), || format!("{x:?} keeps every condition"))
}

#[test]
fn halfspaces_are_the_cone_and_neither_more_nor_less() {
    let mut some = 0;
    for kind in KINDS {
        let cone = (kind.example)(N).expect("a cone of that length");
        let Some(a) = cone.halfspaces(N) else { continue };
        some += 1;
        holds(kind.name, |rng| halfspaces(cone.as_ref(), usize::MAX, 1.0, rng));
        // those of a subspace hold both ways, and follow from one another's opposites
        if !cone.is_even() {
            rejects(&format!("{}, one left out", kind.name), |rng| halfspaces(cone.as_ref(), a.nrows() - 1, 1.0, rng));
            rejects(&format!("{}, reversed", kind.name), |rng| halfspaces(cone.as_ref(), usize::MAX, -1.0, rng));
        }
    }
    assert!(some >= 5, "{some}");
}

#[test]
fn a_declared_orthant_is_the_orthant_of_its_sign() {
    for kind in KINDS {
        let Some(cone) = (kind.example)(5) else { continue };
        if let Some(sign) = cone.orthant() {
            let x = [-1.0, -1e-17, 0.0, 1e-17, 1.0];
            let expected: Vec<f64> = x.iter().map(|&x| if sign * x > 0.0 { x } else { 0.0 }).collect();
            assert_eq!(project(cone.as_ref(), &x), expected, "{}", kind.name);
        }
    }
}
