//! Laws of [`Cone`]: what makes a map the projection onto a closed convex cone, and a test of membership exact.

use crate::draw::{Rng, claim, dot, dot_size, holds, log_uniform, moved, norm, normals, rejects, scaled};
use homfac::cone::{Cone, KINDS};
use rand::RngExt;

type Law = fn(&dyn Cone, &mut Rng) -> Result<(), String>;

/// Each law with the mutants it must reject.
const LAWS: &[(&str, Law, &[Mutant])] = &[
    ("projection lands in the cone", lands_inside, &[Mutant::Identity, Mutant::Blunt]),
    ("projection is idempotent", idempotent, &[Mutant::Shrunk]),
    ("projection does not expand distances", nonexpansive, &[Mutant::Doubled]),
    ("<x - Px, y - Px> <= 0 for y in the cone", obtuse, &[Mutant::Reflected, Mutant::Shrunk]),
    ("P(a x) = a P(x)", degree_one, &[Mutant::Box]),
    ("violation sees the smallest excess and NaN", exact_membership, &[Mutant::Lenient, Mutant::NanBlind]),
];

const N: usize = 7;

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
    claim(p == twice, || format!("{p:?} moves to {twice:?}"))
}

fn nonexpansive(c: &dyn Cone, rng: &mut Rng) -> Result<(), String> {
    let (x, y) = (normals(N, rng), normals(N, rng));
    let (before, after) = (norm(&moved(&x, -1.0, &y)), norm(&moved(&project(c, &x), -1.0, &project(c, &y))));
    claim(after <= before * (1.0 + 1e-14), || format!("{x:?}, {y:?}: from {before:e} to {after:e}"))
}

/// The variational inequality, which alone characterises the projection. The rounding is that of a sum of N products.
fn obtuse(c: &dyn Cone, rng: &mut Rng) -> Result<(), String> {
    let (x, y) = (normals(N, rng), project(c, &normals(N, rng)));
    let p = project(c, &x);
    let (out, along) = (moved(&x, -1.0, &p), moved(&y, -1.0, &p));
    claim(dot(&out, &along) <= 1e-14 * dot_size(&out, &along), || format!("x = {x:?}, y = {y:?}, Px = {p:?}"))
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
#[derive(Clone, Copy, Debug)]
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
    /// Forgives an excess of 1e-12.
    Lenient,
    /// Looks for coordinates that differ from their projection; NaN compares false.
    NanBlind,
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

    fn orthant(&self) -> Option<f64> {
        self.0.orthant()
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
        for (name, law, _) in LAWS {
            holds(&format!("{}: {name}", kind.name), |rng| law((kind.build)().as_ref(), rng));
        }
    }
}

#[test]
fn every_law_rejects_its_mutants() {
    for kind in KINDS {
        let cone = (kind.build)();
        for (name, law, mutants) in LAWS {
            for &mutant in *mutants {
                let wrong = Wrapped(cone.as_ref(), mutant);
                rejects(&format!("{}, {mutant:?}: {name}", kind.name), |rng| law(&wrong, rng));
            }
        }
    }
}

#[test]
fn a_declared_orthant_is_the_orthant_of_its_sign() {
    for kind in KINDS {
        let cone = (kind.build)();
        if let Some(sign) = cone.orthant() {
            let x = [-1.0, -1e-17, 0.0, 1e-17, 1.0];
            let expected: Vec<f64> = x.iter().map(|&x| if sign * x > 0.0 { x } else { 0.0 }).collect();
            assert_eq!(project(cone.as_ref(), &x), expected, "{}", kind.name);
        }
    }
}
