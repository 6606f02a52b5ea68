//! Every loss with every sort of extra variable against a slow solver that shares nothing with the crate: accelerated proximal
//! gradient on the convex problem in X itself, where Omega is the nuclear norm (l2 x l2) or the sum of row norms (l1 x l2). No bound
//! exceeds the value found by either, and where the polar is exact the two meet.

use homfac::budget::Budget;
use homfac::certify::dual::{DualPoint, Keeper, prove};
use homfac::certify::relax::{self, Relaxation};
use homfac::certify::{Certificate, CertifyOptions, Effort, Known, certify_at};
use homfac::cone;
use homfac::data::{Observations, TargetKind};
use homfac::extra::{self, Block, Extras, Penalty};
use homfac::gauge::{self, Gauge};
use homfac::linalg::{Mat, Pattern};
use homfac::loss::profiled::Profiled;
use homfac::loss::{self, Kind, Loss, Setup};
use homfac::mapping;
use homfac::problem::{Form, Problem, Regularizer};
use homfac::solve::observer::Silent;
use homfac::solve::options::SolverOptions;
use homfac::solve::solve;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

const GAUGES: [&str; 3] = ["l2 x l2", "l1 x l2", "nonnegative"];
const EXTRAS: [&str; 3] = ["no extra", "intercepts", "outliers"];
const OUTLIER: f64 = 0.4;

/// An instance, and its numbers as plain tables.
struct Instance {
    kind: &'static Kind,
    gauges: &'static str,
    extras: &'static str,
    rows: usize,
    cols: usize,
    y: Mat,
    kept: Mat,
    problem: Problem,
}

/// Targets that a loss of this kind takes, such that free intercepts have a minimiser.
fn targets(kind: &Kind, m: usize, n: usize, rng: &mut ChaCha8Rng) -> Mat {
    match kind.targets {
        TargetKind::Real => Mat::from_fn(m, n, |_, _| rng.random_range(-1.5..2.0)),
        TargetKind::Signs => Mat::from_fn(m, n, |_, _| if rng.random_bool(0.6) { 1.0 } else { -1.0 }),
        TargetKind::Counts => Mat::from_fn(m, n, |_, _| f64::from(rng.random_range(0..6))),
        TargetKind::Classes => {
            let labels: Vec<usize> = (0..m).map(|i| if i < n { i } else { rng.random_range(0..n) }).collect();
            Mat::from_fn(m, n, |i, j| if labels[i] == j { 1.0 } else { 0.0 })
        }
    }
}

impl Instance {
    fn new(kind: &'static Kind, gauges: &'static str, extras: &'static str, masked: bool, seed: u64) -> Option<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let classes = kind.targets == TargetKind::Classes;
        if classes && extras == "outliers" {
            return None;
        }
        let (m, n) = if classes { (9, 3) } else { (7, 5) };
        let y = targets(kind, m, n, &mut rng);
        // rows of classes are whole or missing; the first of each class stays
        let row_kept: Vec<bool> = (0..m).map(|i| i < n || rng.random_bool(0.8)).collect();
        let kept = Mat::from_fn(m, n, |i, j| {
            let keep = if classes { row_kept[i] } else { i == j || rng.random_bool(0.75) };
            if keep || !masked { 1.0 } else { 0.0 }
        });
        let entries: Vec<(usize, usize)> =
            (0..n).flat_map(|j| (0..m).map(move |i| (i, j))).filter(|e| kept[*e] > 0.0).collect();
        let (observations, order) = if masked {
            let (p, order) = Pattern::new(m, n, &entries).unwrap();
            (Observations::Coordinates(p), order)
        } else {
            (Observations::Full { rows: m, cols: n }, (0..entries.len()).collect())
        };
        let parameters: Vec<f64> = kind.parameters.iter().map(|p| p.example).collect();
        let rows = || observations.entries().map(|(i, _)| i as u32).collect();
        let plain: Box<dyn Loss> = (kind.build)(&Setup { parameters: &parameters, rows: &rows });
        // signs and counts in one line may all be alike: one intercept for all
        let axes: &[Option<usize>] = match (extras, kind.targets) {
            ("intercepts", TargetKind::Real) => &[Some(0), Some(1)],
            ("intercepts", TargetKind::Classes) => &[Some(1)],
            ("intercepts", _) => &[None],
            _ => &[],
        };
        let block = |k: &extra::Kind, axis, penalty, profiled| {
            let map = (k.build)(&extra::Setup { observations: &observations, axis, side: None });
            Block { map, penalty, profiled }
        };
        let mut blocks: Vec<Block> =
            axes.iter().map(|a| block(&extra::intercept::KIND, *a, Penalty::None, false)).collect();
        let mut end = f64::INFINITY;
        if extras == "outliers" {
            blocks.push(block(&extra::outliers::KIND, None, Penalty::L1(OUTLIER), true));
            end = OUTLIER;
        }
        let (loss, extra_blocks): (Box<dyn Loss>, Extras) = if blocks.is_empty() {
            (plain, Extras::default())
        } else {
            let profiled = Profiled { inner: Arc::from(plain), lo: -end, hi: end };
            (Box::new(profiled.clone()), Extras { blocks, profiled: Some(profiled) })
        };
        let gauge = |norm: &str| {
            let norm = gauge::KINDS.iter().find(|k| k.name == norm).unwrap();
            let cone = cone::KINDS.iter().find(|k| k.name == gauges);
            let cone = cone.map(|c| (c.build)(&cone::Parameters::default()).unwrap());
            Gauge::new((norm.build)(&gauge::Parameters::default()).unwrap(), None, cone).unwrap()
        };
        let norms = [if gauges == "l1 x l2" { "l1" } else { "l2" }, "l2"];
        let problem = Problem {
            operator: None,
            y: order.iter().map(|&k| y[entries[k]]).collect(),
            w: None,
            loss,
            mapping: (mapping::matrix::KIND.build)(&[]),
            regularizer: Regularizer { form: Form::Product, gauges: norms.map(gauge).into() },
            extras: extra_blocks,
            offset: Vec::new(),
            lambda: rng.random_range(0.4..0.8),
            observations,
        };
        Some(Self { kind, gauges, extras, rows: m, cols: n, y, kept, problem })
    }

    /// Every loss, gauge pair, extra and layout.
    fn all() -> Vec<Self> {
        let mut out = Vec::new();
        for kind in loss::KINDS {
            for gauges in GAUGES {
                for extras in EXTRAS {
                    for masked in [false, true] {
                        out.extend(Self::new(kind, gauges, extras, masked, out.len() as u64));
                    }
                }
            }
        }
        out
    }

    fn label(&self) -> String {
        let layout = if self.kept.min() > 0.0 { "full" } else { "masked" };
        format!("{}, {}, {}, {layout}", self.kind.name, self.gauges, self.extras)
    }

    /// Algorithm 1 and its certificate.
    fn certificate(&mut self) -> Certificate {
        let options = CertifyOptions { target_gap: 1e-6, effort: Effort::Default };
        let budget = Budget::unlimited();
        let solver = SolverOptions { max_outer: Some(60), ..SolverOptions::default() };
        let s = solve(&mut self.problem, &solver, &options, None, &budget, &mut Silent);
        let known = Known { witnesses: &s.witnesses, polar: s.polar.as_ref() };
        certify_at(&self.problem, &s.factors, Some(&s.extras), known, &options, &budget).unwrap()
    }

    /// The loss and its gradient at X, written out again.
    fn loss(&self, x: &Mat) -> (f64, Mat) {
        let mut g = Mat::zeros(self.rows, self.cols);
        let mut value = 0.0;
        let (delta, level, smoothing) = (0.5, 0.9, 0.5);
        for i in 0..self.rows {
            let top = x.row(i).max();
            let sum: f64 = x.row(i).iter().map(|x| (x - top).exp()).sum();
            for j in (0..self.cols).filter(|&j| self.kept[(i, j)] > 0.0) {
                let (x, y) = (x[(i, j)], self.y[(i, j)]);
                let (v, d) = match self.kind.name {
                    "squared" => ((x - y).powi(2) / 2.0, x - y),
                    "huber" if (x - y).abs() <= delta => ((x - y).powi(2) / 2.0, x - y),
                    "huber" => (delta * ((x - y).abs() - delta / 2.0), delta * (x - y).signum()),
                    "logistic" => ((1.0 + (-y * x).exp()).ln(), -y / (1.0 + (y * x).exp())),
                    "squared_hinge" => ((1.0 - y * x).max(0.0).powi(2) / 2.0, -y * (1.0 - y * x).max(0.0)),
                    "poisson" => (x.exp() - y * x, x.exp() - y),
                    "multinomial" => {
                        let log = top + sum.ln();
                        (if y > 0.0 { log - x } else { 0.0 }, (x - log).exp() - y)
                    }
                    "quantile" => {
                        let z = ((y - x) / smoothing).clamp(level - 1.0, level);
                        (z * (y - x) - smoothing * z * z / 2.0, -z)
                    }
                    other => panic!("the twin does not know {other}"),
                };
                value += v;
                g[(i, j)] = d;
            }
        }
        (value, g)
    }

    /// X + A Q from the joined unknowns: X, row and column intercepts or one for all, outliers.
    fn whole(&self, p: &Point) -> Mat {
        Mat::from_fn(self.rows, self.cols, |i, j| p.x[(i, j)] + p.a[i] + p.b[j] + p.q[(i, j)])
    }

    /// What is not smooth.
    fn rest(&self, p: &Point) -> f64 {
        let omega: f64 = match self.gauges {
            "l1 x l2" => p.x.row_iter().map(|r| r.norm()).sum(),
            _ => p.x.clone().svd(false, false).singular_values.sum(),
        };
        self.problem.lambda * omega + OUTLIER * p.q.iter().map(|q| q.abs()).sum::<f64>()
    }

    /// A proximal step of length 1 / c from `p`, with the gradient `g` in X.
    fn step(&self, p: &Point, g: &Mat, c: f64) -> Point {
        let mut next = p.clone();
        next.x -= g / c;
        let t = self.problem.lambda / c;
        if self.gauges == "l1 x l2" {
            next.x.row_iter_mut().for_each(|mut r| r *= (1.0 - t / r.norm().max(1e-300)).max(0.0));
        } else {
            let mut svd = next.x.clone().svd(true, true);
            svd.singular_values.iter_mut().for_each(|s| *s = (*s - t).max(0.0));
            next.x = svd.recompose().unwrap();
        }
        match (self.extras, self.kind.targets) {
            ("intercepts", TargetKind::Real) => {
                (0..self.rows).for_each(|i| next.a[i] -= g.row(i).sum() / c);
                (0..self.cols).for_each(|j| next.b[j] -= g.column(j).sum() / c);
            }
            ("intercepts", TargetKind::Classes) => (0..self.cols).for_each(|j| next.b[j] -= g.column(j).sum() / c),
            // one for all, as an equal shift of the rows' values
            ("intercepts", _) => next.a.iter_mut().for_each(|a| *a -= g.sum() / c),
            ("outliers", _) => {
                let soft = |q: f64| q.signum() * (q.abs() - OUTLIER / c).max(0.0);
                next.q = (&p.q - g / c).zip_map(&self.kept, |q, k| if k > 0.0 { soft(q) } else { 0.0 });
            }
            _ => {}
        }
        next
    }

    /// Accelerated proximal gradient with backtracking and restarts: a feasible value, close to the least one.
    fn twin(&self) -> f64 {
        let mut p = Point {
            x: Mat::zeros(self.rows, self.cols),
            a: vec![0.0; self.rows],
            b: vec![0.0; self.cols],
            q: Mat::zeros(self.rows, self.cols),
        };
        let (mut ahead, mut momentum, mut c) = (p.clone(), 1.0, 0.1);
        let mut value = self.loss(&self.whole(&p)).0 + self.rest(&p);
        let mut best = value;
        for _ in 0..4000 {
            let (here, g) = self.loss(&self.whole(&ahead));
            let (next, reached) = loop {
                let next = self.step(&ahead, &g, c);
                let reached = self.loss(&self.whole(&next)).0;
                let (inner, square) = ahead.difference(
                    &next,
                    &g,
                    self.extras == "intercepts"
                        && self.kind.targets != TargetKind::Real
                        && self.kind.targets != TargetKind::Classes,
                );
                if reached <= here + inner + 0.5 * c * square + 1e-13 * here.abs() || c > 1e9 {
                    break (next, reached);
                }
                c *= 1.5;
            };
            let reached = reached + self.rest(&next);
            if reached > value {
                momentum = 1.0;
            }
            let following = (1.0 + f64::sqrt(1.0 + 4.0 * momentum * momentum)) / 2.0;
            ahead = next.ahead_of(&p, (momentum - 1.0) / following);
            (p, value, momentum) = (next, reached, following);
            best = best.min(value);
            c *= 0.999;
        }
        best
    }
}

/// The unknowns of the convex problem.
#[derive(Clone)]
struct Point {
    x: Mat,
    a: Vec<f64>,
    b: Vec<f64>,
    q: Mat,
}

impl Point {
    fn ahead_of(&self, old: &Self, beta: f64) -> Self {
        let ahead = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + beta * (a - b)).collect();
        Self {
            x: &self.x + (&self.x - &old.x) * beta,
            a: ahead(&self.a, &old.a),
            b: ahead(&self.b, &old.b),
            q: &self.q + (&self.q - &old.q) * beta,
        }
    }

    /// <gradient, next - self> and ||next - self||^2 over the unknowns (equal `a` counts once if `shared`).
    fn difference(&self, next: &Self, g: &Mat, shared: bool) -> (f64, f64) {
        let (dx, dq) = (&next.x - &self.x, &next.q - &self.q);
        let mut inner = g.dot(&dx) + g.dot(&dq);
        let mut square = dx.norm_squared() + dq.norm_squared();
        for (i, (a, b)) in next.a.iter().zip(&self.a).enumerate() {
            inner += g.row(i).sum() * (a - b);
            if !shared || i == 0 {
                square += (a - b).powi(2);
            }
        }
        for (j, (a, b)) in next.b.iter().zip(&self.b).enumerate() {
            inner += g.column(j).sum() * (a - b);
            square += (a - b).powi(2);
        }
        (inner, square)
    }
}

#[test]
fn bounds_stay_below_the_twin_and_meet_it_where_the_polar_is_exact() {
    let mut count = 0;
    for mut i in Instance::all() {
        let c = i.certificate();
        let label = i.label();
        let (total, bound) = (c.objective.total, c.lower_bound.unwrap_or_else(|| panic!("{label}: no bound")));
        assert!(bound <= total, "{label}");
        if i.gauges == "nonnegative" {
            // the twin drops the sign inside Omega: below the optimum, but so are the bounds of some rungs
            assert!(bound > i.problem.loss.infimum(i.problem.targets()), "{label}: {bound}");
            continue;
        }
        let twin = i.twin();
        let scale = twin.abs().max(1.0);
        assert!(bound <= twin + 1e-12 * scale, "{label}: the bound {bound} overstates, {twin} is attained");
        assert!((total - twin).abs() <= 1e-5 * scale, "{label}: {total}, the twin has {twin}");
        assert!(total - bound <= 1e-5 * scale, "{label}: {bound} of {total}");
        count += 1;
    }
    assert_eq!(count, 2 * 2 * (3 * 7 - 1));
}

#[test]
fn the_dual_field_of_any_point_is_inside_the_domain() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for mut i in Instance::all() {
        let n = i.problem.y.len();
        if i.kind.targets != TargetKind::Classes {
            i.problem.w = Some((0..n).map(|_| rng.random_range(0.1..3.0)).collect());
        }
        for _ in 0..20 {
            let prediction: Vec<f64> = (0..n).map(|_| rng.random_range(-6.0..6.0)).collect();
            let z = i.problem.dual_field(&prediction);
            let value = i.problem.loss.dual_lower(i.problem.targets(), &z).value;
            assert!(value.is_finite(), "{}: {z:?}", i.label());
        }
    }
}

#[test]
fn the_splitting_relaxation_reaches_the_domain_of_every_loss() {
    for mut i in Instance::all() {
        let rung = relax::nuclear_split::NuclearSplit;
        if i.gauges != "nonnegative" || !rung.applies(&i.problem) {
            continue;
        }
        let total = i.certificate().objective.total;
        let goal = relax::Goal { objective: total, target: 1e-6, start: None };
        let mut keeper = Keeper::new();
        rung.offer(&i.problem, goal, Effort::Default, &Budget::unlimited(), &mut keeper);
        let bound = keeper.value().unwrap_or_else(|| panic!("{}: no bound", i.label()));
        assert!(bound <= total, "{}: {bound} above {total}", i.label());
        // terms of a count may cancel: what an entry costs is of size 1
        let scale = total.abs().max(i.problem.y.len() as f64);
        assert!(total - bound <= 0.02 * scale, "{}: {bound} of {total}", i.label());
    }
}

/// Proves the witness of an instance after `spoil` has changed it: what is said, and the value attained.
fn spoilt(extras: &'static str, kind: &'static Kind, spoil: impl Fn(&Instance, &mut Vec<f64>)) -> (Option<f64>, f64) {
    let mut i = Instance::new(kind, "l2 x l2", extras, true, 7).unwrap();
    let c = i.certificate();
    let mut z = c.witness.unwrap().arrays[0].1.clone();
    spoil(&i, &mut z);
    (prove(&i.problem, &DualPoint::field("test", z)).map(|p| p.value), c.objective.total)
}

#[test]
fn a_dual_point_that_misses_an_equality_or_leaves_the_domain_proves_nothing() {
    // as it is, it does prove
    for extras in EXTRAS {
        let (value, total) = spoilt(extras, &loss::huber::KIND, |_, _| {});
        assert!((value.unwrap() - total).abs() <= 1e-5 * total, "{extras}");
    }
    // one sum is off by a thousandth: what is missing is made up, and paid for
    let (value, total) = spoilt("intercepts", &loss::huber::KIND, |_, z| z[0] += 1e-3);
    assert!(value.is_some_and(|v| v < total - 1e-5 && v > 0.9 * total), "{value:?} of {total}");
    // the more, the dearer
    let (value, total) = spoilt("intercepts", &loss::huber::KIND, |_, z| z[0] += 10.0);
    assert!(value.is_none_or(|v| v < 0.5 * total), "{value:?} of {total}");
    // beyond the end of the domain, of the loss and of the outliers
    let (value, total) = spoilt("no extra", &loss::huber::KIND, |_, z| z[0] = 0.5 * (1.0 + 1e-9));
    assert!(value.is_none_or(|v| v <= total));
    let (value, total) = spoilt("outliers", &loss::squared::KIND, |_, z| z[0] = OUTLIER * 4.0);
    assert!(value.is_none_or(|v| v <= total));
}
