//! Laws of [`Extra`] and [`Penalty`]: the adjoint is one, its exact form is exact, declared sizes are true; penalties and their
//! conjugates belong together, and nothing finite is said outside the domain of a conjugate.

use crate::draw::{EPS, Rng, claim, dot, dot_size, holds, log_uniform, norm, normals, rejects, scaled, uniforms};
use homfac::data::Observations;
use homfac::extra::{Axis, Extra, KINDS, Kind, Lines, Penalty, Setup, penalty};
use homfac::linalg::{Mat, Pattern};
use rand::RngExt;

const SHAPE: (usize, usize) = (5, 4);

/// Full or with some entries left out.
fn observations(rng: &mut Rng) -> Observations {
    let (rows, cols) = SHAPE;
    if rng.random_bool(0.5) {
        return Observations::Full { rows, cols };
    }
    let all = (0..rows).flat_map(|i| (0..cols).map(move |j| (i, j)));
    let kept: Vec<(usize, usize)> = all.filter(|_| rng.random_bool(0.8)).collect();
    Observations::Coordinates(Pattern::new(rows, cols, &kept).unwrap().0)
}

fn draw(kind: &Kind, at: &Observations, rng: &mut Rng) -> Box<dyn Extra> {
    // a matrix, or an array whose unfolding it is
    let sizes = if rng.random_bool(0.5) { vec![SHAPE.0, SHAPE.1] } else { vec![SHAPE.0, SHAPE.1 / 2, 2] };
    let axis = match kind.axis {
        Axis::None => None,
        Axis::OneOrGlobal if rng.random_bool(0.3) => None,
        _ => Some(rng.random_range(0..sizes.len())),
    };
    let rows = axis.map_or(0, |a| sizes[a]);
    let side = kind.side.then(|| Mat::from_vec(rows, 2, normals(rows * 2, rng)));
    (kind.build)(&Setup { observations: at, sizes: &sizes, axis, side: side.as_ref() })
}

fn count(e: &dyn Extra) -> usize {
    e.shape().0 * e.shape().1
}

fn apply(e: &dyn Extra, q: &[f64], n: usize) -> Vec<f64> {
    let mut out = vec![0.0; n];
    e.add(q, &mut out);
    out
}

type Law = fn(&dyn Extra, usize, &mut Rng) -> Result<(), String>;

const LAWS: &[(&str, Law, &[Mutant])] = &[
    ("<A q, z> = <q, A'z>", adjoint, &[Mutant::Shifted]),
    ("A is linear and adds", linear, &[Mutant::Affine]),
    ("the exact adjoint holds the adjoint, and knows an exact zero", exact, &[Mutant::Rounded, Mutant::Blind]),
    ("curvature is sum d A^2", curvature, &[Mutant::Shifted]),
    ("magnitude bounds A q", magnitude, &[Mutant::Small]),
    ("an index says what A is", index, &[Mutant::Shifted]),
    ("terms say what A is", terms, &[Mutant::Shifted, Mutant::Affine]),
    ("lines say what A is", lines, &[Mutant::Shifted]),
];

fn adjoint(e: &dyn Extra, n: usize, rng: &mut Rng) -> Result<(), String> {
    let (q, z) = (normals(count(e), rng), normals(n, rng));
    let (left, right) = (dot(&apply(e, &q, n), &z), dot(&q, &e.adjoint(&z)));
    let rounding = 16.0 * EPS * (1.0 + dot_size(&apply(e, &q, n), &z) + 10.0 * norm(&q) * norm(&z));
    claim((left - right).abs() <= rounding, || format!("{left:e} and {right:e}"))
}

fn linear(e: &dyn Extra, n: usize, rng: &mut Rng) -> Result<(), String> {
    let (p, q, s) = (normals(count(e), rng), normals(count(e), rng), log_uniform(0.1..10.0, rng));
    let joined: Vec<f64> = p.iter().zip(&q).map(|(p, q)| p + s * q).collect();
    let mut parts = apply(e, &scaled(&q, s), n);
    e.add(&p, &mut parts);
    for (a, b) in apply(e, &joined, n).iter().zip(&parts) {
        claim((a - b).abs() <= 64.0 * EPS * (1.0 + a.abs() + s), || format!("{a:e} and {b:e}"))?;
    }
    Ok(())
}

fn exact(e: &dyn Extra, n: usize, rng: &mut Rng) -> Result<(), String> {
    let z = normals(n, rng);
    for (v, (lo, hi)) in e.adjoint(&z).iter().zip(e.adjoint_exact(&z)) {
        claim(lo <= hi && hi - lo <= 4.0 * EPS * lo.abs().max(hi.abs()), || format!("[{lo:e}, {hi:e}] is wide"))?;
        let rounding = 32.0 * EPS * (1.0 + norm(&z));
        claim(v - rounding <= hi && lo <= v + rounding, || format!("{v:e} is not near [{lo:e}, {hi:e}]"))?;
    }
    claim(e.adjoint_exact(&vec![0.0; n]).iter().all(|v| *v == (0.0, 0.0)), || "A'0 is not 0".into())?;
    // a sum that is off by far less than rounding is told from 0
    if e.index().is_some() {
        let group = e.index().unwrap();
        let members: Vec<usize> = (0..n).filter(|&j| group[j] == group[0]).collect();
        if members.len() >= 3 {
            let mut z = vec![0.0; n];
            (z[members[0]], z[members[1]], z[members[2]]) = (1.0, 1e-30, -1.0);
            let (lo, hi) = e.adjoint_exact(&z)[group[0] as usize];
            claim(lo > 0.0 && hi < 1e-29, || format!("1e-30 is said to lie in [{lo:e}, {hi:e}]"))?;
        }
    }
    Ok(())
}

fn curvature(e: &dyn Extra, n: usize, rng: &mut Rng) -> Result<(), String> {
    let d = uniforms(n, 0.1..2.0, rng);
    let k = rng.random_range(0..count(e));
    let mut unit = vec![0.0; count(e)];
    unit[k] = 1.0;
    let column = apply(e, &unit, n);
    let expected: f64 = column.iter().zip(&d).map(|(a, d)| a * a * d).sum();
    let found = e.curvature(&d)[k];
    claim((found - expected).abs() <= 64.0 * EPS * (1.0 + expected), || format!("{found:e}, not {expected:e}"))
}

fn magnitude(e: &dyn Extra, n: usize, rng: &mut Rng) -> Result<(), String> {
    let q = normals(count(e), rng);
    let (size, terms) = e.magnitude(&q);
    let absolute: Vec<f64> = q.iter().map(|q| q.abs()).collect();
    let reached = norm(&apply(e, &q, n)).max(if e.index().is_some() { norm(&apply(e, &absolute, n)) } else { 0.0 });
    claim(size * (1.0 + 8.0 * EPS) >= reached && terms >= 1, || format!("{size:e} below {reached:e}"))
}

fn index(e: &dyn Extra, n: usize, rng: &mut Rng) -> Result<(), String> {
    let Some(group) = e.index() else { return Ok(()) };
    let q = normals(count(e), rng);
    let found = apply(e, &q, n);
    claim((0..n).all(|j| found[j] == q[group[j] as usize]), || format!("{found:?} from {q:?} by {group:?}"))
}

fn terms(e: &dyn Extra, n: usize, rng: &mut Rng) -> Result<(), String> {
    let q = normals(count(e), rng);
    for (j, found) in apply(e, &q, n).iter().enumerate() {
        let wanted: f64 = e.terms(j).iter().map(|(k, a)| a * q[*k]).sum();
        claim((found - wanted).abs() <= 16.0 * EPS * (1.0 + norm(&q)), || {
            format!("entry {j}: {found:e}, not {wanted:e}")
        })?;
    }
    Ok(())
}

/// All entries of a line get the same coefficients, and the same row of the side matrix everywhere else.
fn lines(e: &dyn Extra, n: usize, rng: &mut Rng) -> Result<(), String> {
    let Some(l) = e.lines() else { return Ok(()) };
    let p = l.side.ncols();
    let q = normals(count(e), rng);
    for (j, found) in apply(e, &q, n).iter().enumerate() {
        let line = e.terms(j)[0].0 / p;
        let fits = |row: usize| (0..p).map(|k| l.side[(row, k)] * q[line * p + k]).sum::<f64>();
        let some = (0..l.side.nrows()).any(|row| (fits(row) - found).abs() <= 16.0 * EPS * (1.0 + norm(&q)));
        claim(some, || {
            format!("entry {j}: {found:e} is no row of the side matrix times the coefficients of line {line}")
        })?;
    }
    claim(l.side.nrows() == [SHAPE.0, SHAPE.1][l.axis], || format!("{} rows along axis {}", l.side.nrows(), l.axis))
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mutant {
    /// Adds the coefficients one place further.
    Shifted,
    /// Adds 1 as well.
    Affine,
    /// Floating point for exact sums.
    Rounded,
    /// Never knows a zero.
    Blind,
    /// Half the size.
    Small,
}

struct Wrapped<'a>(&'a dyn Extra, Mutant);

impl Extra for Wrapped<'_> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn shape(&self) -> (usize, usize) {
        self.0.shape()
    }

    fn add(&self, q: &[f64], out: &mut [f64]) {
        let mut q = q.to_vec();
        if self.1 == Mutant::Shifted {
            q.rotate_right(1);
            q.iter_mut().for_each(|q| *q *= 1.1);
        }
        self.0.add(&q, out);
        if self.1 == Mutant::Affine {
            out.iter_mut().for_each(|o| *o += 1.0);
        }
    }

    fn adjoint(&self, z: &[f64]) -> Vec<f64> {
        self.0.adjoint(z)
    }

    fn adjoint_exact(&self, z: &[f64]) -> Vec<(f64, f64)> {
        match self.1 {
            Mutant::Rounded => self.0.adjoint(z).into_iter().map(|v| (v, v)).collect(),
            Mutant::Blind => {
                self.0.adjoint_exact(z).into_iter().map(|(lo, hi)| (lo.next_down(), hi.next_up())).collect()
            }
            _ => self.0.adjoint_exact(z),
        }
    }

    fn curvature(&self, d: &[f64]) -> Vec<f64> {
        self.0.curvature(d)
    }

    fn magnitude(&self, q: &[f64]) -> (f64, usize) {
        let (size, terms) = self.0.magnitude(q);
        (if self.1 == Mutant::Small { 0.3 * size } else { size }, terms)
    }

    fn index(&self) -> Option<&[u32]> {
        self.0.index()
    }

    fn terms(&self, e: usize) -> Vec<(usize, f64)> {
        self.0.terms(e)
    }

    fn lines(&self) -> Option<Lines> {
        self.0.lines()
    }

    fn unseen(&self) -> Option<String> {
        self.0.unseen()
    }
}

#[test]
fn every_extra_obeys_every_law() {
    for kind in KINDS {
        for (name, law, _) in LAWS {
            holds(&format!("{}: {name}", kind.name), |rng| {
                let at = observations(rng);
                law(draw(kind, &at, rng).as_ref(), at.len(), rng)
            });
        }
    }
}

#[test]
fn every_law_of_extras_rejects_its_mutants() {
    for kind in KINDS {
        for (name, law, mutants) in LAWS {
            for &mutant in *mutants {
                // sums of one entry, and products, are not told from exact ones; what has no index has none to break
                let idle = (mutant == Mutant::Rounded && kind.name != "intercept")
                    || (*name == "an index says what A is" && kind.side)
                    || (*name == "lines say what A is" && kind.axis == Axis::None);
                if idle {
                    continue;
                }
                rejects(&format!("{}, {mutant:?}: {name}", kind.name), |rng| {
                    let at = observations(rng);
                    law(&Wrapped(draw(kind, &at, rng).as_ref(), mutant), at.len(), rng)
                });
            }
        }
    }
}

// --- penalties ---

type Value<'a> = &'a dyn Fn(&[f64]) -> f64;
type Dual<'a> = &'a dyn Fn(&[(f64, f64)]) -> Option<f64>;

fn points(v: &[f64]) -> Vec<(f64, f64)> {
    v.iter().map(|v| (*v, *v)).collect()
}

fn draw_penalty(name: &str, rng: &mut Rng) -> Penalty {
    Penalty::new(name, log_uniform(0.1..10.0, rng)).unwrap()
}

/// A q where H is finite, and a subgradient of H at it.
fn pair(h: Penalty, rng: &mut Rng) -> (Vec<f64>, Vec<f64>) {
    let mut q = normals(4, rng);
    if h == Penalty::Nonnegative {
        q.iter_mut().for_each(|q| *q = q.max(0.0));
    }
    let length = norm(&q);
    let v = q.iter().map(|q| match h {
        Penalty::None => 0.0,
        Penalty::L1(w) => w * q.signum(),
        // short of the end by rounding
        Penalty::L2(w) => w * q / length * (1.0 - 4.0 * EPS),
        Penalty::L2Squared(w) => w * q,
        Penalty::Nonnegative => {
            if *q > 0.0 {
                0.0
            } else {
                -1.5
            }
        }
    });
    let v = v.collect();
    (q, v)
}

/// H(q) + H*(v) >= <q, v>, with equality where v is a subgradient at q.
fn fenchel_young(h: Penalty, value: Value, dual: Dual, rng: &mut Rng) -> Result<(), String> {
    let ((q, _), (p, v)) = (pair(h, rng), pair(h, rng));
    let Some(lower) = dual(&points(&v)) else { return Err(format!("a subgradient {v:?} is outside")) };
    let size = 32.0 * EPS * (value(&q).abs() + value(&p).abs() + lower.abs() + dot_size(&q, &v) + dot_size(&p, &v));
    claim(value(&q) - lower >= dot(&q, &v) - size, || format!("H(q) + H*(v) < <q, v> at {q:?}, {v:?}"))?;
    claim((value(&p) - lower - dot(&p, &v)).abs() <= size, || format!("no equality at {p:?}, {v:?}"))
}

/// Just outside the domain of H*, nothing is said; and an interval that reaches outside is outside.
fn outside(h: Penalty, _: Value, dual: Dual, rng: &mut Rng) -> Result<(), String> {
    let (_, v) = pair(h, rng);
    let beyond: Vec<f64> = match h {
        Penalty::L2Squared(_) => return Ok(()),
        Penalty::None => vec![1e-300, 0.0, 0.0, 0.0],
        Penalty::Nonnegative => vec![-1.0, 1e-300, -1.0, 0.0],
        Penalty::L1(w) => vec![w * (1.0 + 1e-14), 0.0, 0.0, 0.0],
        Penalty::L2(_) => scaled(&v, 1.0 + 1e-13),
    };
    claim(dual(&points(&beyond)).is_none(), || format!("{beyond:?} is said to be inside"))?;
    let mut reaching = points(&[0.0; 4]);
    reaching[3].1 = points(&beyond).iter().fold(0.0, |m: f64, v| m.max(v.1)).max(norm(&beyond));
    claim(dual(&reaching).is_none(), || format!("{reaching:?} is said to be inside"))
}

type PenaltyLaw = fn(Penalty, Value, Dual, &mut Rng) -> Result<(), String>;

const PENALTY_LAWS: &[(&str, PenaltyLaw)] =
    &[("Fenchel-Young, with equality at subgradients", fenchel_young), ("nothing is said outside", outside)];

#[test]
fn every_penalty_and_its_conjugate_belong_together() {
    for (name, _) in penalty::NAMES {
        for (law_name, law) in PENALTY_LAWS {
            holds(&format!("{name}: {law_name}"), |rng| {
                let h = draw_penalty(name, rng);
                law(h, &|q| h.value(q), &|v| h.dual_lower(v), rng)
            });
        }
    }
}

#[test]
fn a_conjugate_that_forgives_an_excess_or_has_the_wrong_size_is_caught() {
    for (name, _) in penalty::NAMES {
        rejects(&format!("{name}: half the conjugate"), |rng| {
            let h = draw_penalty(name, rng);
            fenchel_young(h, &|q| h.value(q), &|v| h.dual_lower(v).map(|d| 0.5 * d + 1e-6), rng)
        });
        if *name == "l2_squared" {
            continue;
        }
        rejects(&format!("{name}: a tolerance"), |rng| {
            let h = draw_penalty(name, rng);
            let forgiving = |v: &[(f64, f64)]| {
                let shrunk: Vec<_> = v.iter().map(|v| (v.0 * 0.999_999, v.1 * 0.999_999)).collect();
                let zeroed = |v: &(f64, f64)| if v.1.abs() < 1e-12 { (v.0.min(0.0), 0.0) } else { *v };
                h.dual_lower(&shrunk.iter().map(zeroed).collect::<Vec<_>>())
            };
            outside(h, &|q| h.value(q), &forgiving, rng)
        });
    }
}

/// prox(p) is better than points around it.
fn prox(h: Penalty, moved: impl Fn(&mut [f64], &[f64]), rng: &mut Rng) -> Result<(), String> {
    let (p, mut metric) = (normals(4, rng), uniforms(4, 0.2..3.0, rng));
    if matches!(h, Penalty::L2(_)) {
        let first = metric[0];
        metric.fill(first);
    }
    let objective = |q: &[f64]| {
        q.iter().zip(&p).zip(&metric).map(|((q, p), m)| 0.5 * m * (q - p) * (q - p)).sum::<f64>() + h.value(q)
    };
    let mut q = p.clone();
    moved(&mut q, &metric);
    let best = objective(&q);
    for _ in 0..20 {
        let (step, d) = (log_uniform(1e-6..1.0, rng), normals(4, rng));
        let near: Vec<f64> = q.iter().zip(&d).map(|(q, d)| q + step * d).collect();
        claim(objective(&near) >= best - 1e-14 * (1.0 + best), || format!("{near:?} is better than {q:?} for {p:?}"))?;
    }
    Ok(())
}

#[test]
fn every_prox_of_a_penalty_minimises() {
    for (name, _) in penalty::NAMES {
        holds(&format!("{name}: prox"), |rng| {
            let h = draw_penalty(name, rng);
            prox(h, |p, metric| h.prox(p, metric), rng)
        });
        rejects(&format!("{name}: prox with 1.1 of the metric, off by 1e-3"), |rng| {
            let h = draw_penalty(name, rng);
            prox(
                h,
                |p, metric| {
                    h.prox(p, &scaled(metric, 1.1));
                    p[0] += 1e-3;
                },
                rng,
            )
        });
    }
}
