//! Small networks against the convex program that they are equivalent to, all activation patterns listed (Pilanci & Ergen 2020):
//!
//! ```text
//! min  l(sum_k s_k D_k V p_k) + lambda sum_k ||p_k||_2    s.t.  (2 D_k - I) V p_k >= 0
//! ```
//!
//! over s_k = 1 and -1 and every pattern D_k that some direction has. A general solver for second-order cones finds its value, and
//! shares nothing with the crate. No bound exceeds it and no objective is below it; on few inputs the two meet.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{
    DefaultSettings, DefaultSolver, IPSolver, NonnegativeConeT, SecondOrderConeT, SupportedConeT, ZeroConeT,
};
use homfac::budget::Budget;
use homfac::certify::{Certificate, CertifyOptions, Effort, Known, certify_at};
use homfac::data::Observations;
use homfac::gauge::{self, Gauge};
use homfac::linalg::{Mat, lanczos::gaussian};
use homfac::loss;
use homfac::mapping::{self, Setup};
use homfac::problem::{Form, Problem, Regularizer};
use homfac::solve::answer::{Begin, Limits, answer};
use homfac::solve::observer::Silent;
use homfac::solve::options::SolverOptions;
use homfac::solve::{Warm, solve};

const LOSSES: [&str; 3] = ["squared", "huber", "squared_hinge"];
const DELTA: f64 = 0.5;

fn problem(v: &Mat, y: &[f64], loss: &str, lambda: f64) -> Problem {
    let l2 = gauge::KINDS.iter().find(|k| k.name == "l2").unwrap();
    let gauges = [v.ncols(), 1].map(|n| Gauge::new((l2.examples)(n).remove(0), None, None).unwrap());
    let kind = loss::kind(loss).unwrap();
    let parameters = if loss == "huber" { vec![DELTA] } else { Vec::new() };
    let mapping = mapping::KINDS.iter().find(|k| k.name == "relu").unwrap();
    Problem {
        observations: Observations::Full { rows: y.len(), cols: 1 },
        operator: None,
        y: y.to_vec(),
        w: None,
        loss: (kind.build)(&loss::Setup { parameters: &parameters, rows: &Vec::new }),
        mapping: (mapping.build)(&Setup { sizes: &[y.len(), 1], inputs: Some(v), layers: None }),
        regularizer: Regularizer { form: Form::Product, gauges: gauges.into() },
        extras: Default::default(),
        offset: Vec::new(),
        lambda,
    }
}

fn certificate(problem: &mut Problem, seed: u64) -> Certificate {
    let options = CertifyOptions { target_gap: 1e-4, effort: Effort::Default };
    let budget = Budget::unlimited();
    let solver = SolverOptions { seed, ..SolverOptions::default() };
    let s = solve(problem, &solver, &options, None, &budget, &mut Silent);
    let known = Known { witnesses: &s.witnesses, polar: s.polar.as_ref(), cuts: None };
    certify_at(problem, &s.factors, Some(&s.extras), known, &options, &budget).unwrap()
}

/// The same with what certifying comes upon handed back to the solver.
fn answered(problem: &mut Problem, seed: u64) -> Certificate {
    let options = CertifyOptions { target_gap: 5e-4, effort: Effort::Default };
    let solver = SolverOptions { seed, ..SolverOptions::default() };
    let limits = Limits { all: &Budget::unlimited(), solving: None, certifying: None };
    let begin = Begin::Warm(Warm::default());
    answer(problem, &solver, &options, &options, begin, &limits, &mut Silent).unwrap().certificate
}

/// The value of the convex program. Patterns that no direction has allow p = 0 alone, or what others allow too.
fn twin(v: &Mat, y: &[f64], loss: &str, lambda: f64) -> f64 {
    let (n, d) = v.shape();
    let patterns = 1usize << n;
    // p of both signs, their norms, then e, f, g of every sample
    let norms = 2 * patterns * d;
    let (e, f, g) = (norms + 2 * patterns, norms + 2 * patterns + n, norms + 2 * patterns + 2 * n);
    let total = g + n;
    let (mut ai, mut aj, mut av) = (Vec::new(), Vec::new(), Vec::new());
    let (mut b, mut cones): (Vec<f64>, Vec<SupportedConeT<f64>>) = (Vec::new(), Vec::new());
    let mut row = |entries: &[(usize, f64)], rhs: f64, b: &mut Vec<f64>| {
        for (j, x) in entries {
            ai.push(b.len());
            aj.push(*j);
            av.push(*x);
        }
        b.push(rhs);
    };
    let (mut linear, mut squares) = (vec![0.0; total], Vec::new());
    (0..2 * patterns).for_each(|k| linear[norms + k] = lambda);
    let prediction = |i: usize, scale: f64| -> Vec<(usize, f64)> {
        (0..2 * patterns)
            .filter(|k| (k / 2) >> i & 1 == 1)
            .flat_map(|k| (0..d).map(move |j| (k * d + j, if k % 2 == 0 { scale } else { -scale })))
            .map(|(at, x)| (at, x * v[(i, at % d)]))
            .collect()
    };
    for i in 0..n {
        squares.push(e + i);
        if loss == "squared_hinge" {
            // the other two are not there
            row(&[(f + i, 1.0)], 0.0, &mut b);
            row(&[(g + i, 1.0)], 0.0, &mut b);
            continue;
        }
        // x - y = e + f
        let mut entries = prediction(i, 1.0);
        entries.extend([(e + i, -1.0), (f + i, -1.0)]);
        row(&entries, y[i], &mut b);
        if loss == "huber" {
            linear[g + i] = DELTA;
        } else {
            row(&[(f + i, 1.0)], 0.0, &mut b);
        }
    }
    cones.push(ZeroConeT(b.len()));
    let equalities = b.len();
    for i in 0..n {
        if loss == "squared_hinge" {
            // e >= 1 - y x
            let mut entries = prediction(i, -y[i]);
            entries.push((e + i, -1.0));
            row(&entries, -1.0, &mut b);
        } else {
            row(&[(f + i, 1.0), (g + i, -1.0)], 0.0, &mut b);
            row(&[(f + i, -1.0), (g + i, -1.0)], 0.0, &mut b);
        }
    }
    for k in 0..2 * patterns {
        for i in 0..n {
            let side = if (k / 2) >> i & 1 == 1 { -1.0 } else { 1.0 };
            let entries: Vec<(usize, f64)> = (0..d).map(|j| (k * d + j, side * v[(i, j)])).collect();
            row(&entries, 0.0, &mut b);
        }
    }
    cones.push(NonnegativeConeT(b.len() - equalities));
    for k in 0..2 * patterns {
        row(&[(norms + k, -1.0)], 0.0, &mut b);
        (0..d).for_each(|j| row(&[(k * d + j, -1.0)], 0.0, &mut b));
        cones.push(SecondOrderConeT(1 + d));
    }
    let ones = vec![1.0; squares.len()];
    let p = CscMatrix::new_from_triplets(total, total, squares.clone(), squares, ones);
    let a = CscMatrix::new_from_triplets(b.len(), total, ai, aj, av);
    let settings =
        DefaultSettings { verbose: false, tol_gap_abs: 1e-9, tol_gap_rel: 1e-9, tol_feas: 1e-9, ..Default::default() };
    let mut solver = DefaultSolver::new(&p, &linear, &a, &b, &cones, settings).unwrap();
    solver.solve();
    solver.solution.obj_val
}

/// What is wrong with a claim, if anything.
fn claim(label: &str, total: f64, bound: f64, twin: f64) -> Result<(), String> {
    let room = 1e-6 * twin.abs();
    let beside = |what: &str, x: f64| Err(format!("{label}: {what} {x} beside the twin's {twin}"));
    match () {
        () if bound > twin + room => beside("bound", bound),
        () if total < twin - room => beside("objective", total),
        () if total > twin * (1.0 + 1e-3) + room => beside("objective", total),
        () if bound < twin * (1.0 - 2e-3) - room => beside("bound", bound),
        () => Ok(()),
    }
}

#[track_caller]
fn meets_its_twin(n: usize, d: usize, loss: &str, seed: u64) {
    let mut v = gaussian(n, d, seed);
    v.column_mut(d - 1).fill(1.0);
    let targets = gaussian(n, 1, seed + 100);
    let y: Vec<f64> = match loss {
        "squared_hinge" => targets.iter().map(|y| y.signum()).collect(),
        _ => targets.iter().map(|y| 2.0 * y).collect(),
    };
    let lambda = 0.25 * homfac::polar::lambda_max(&problem(&v, &y, loss, 1.0), false).found;
    let c = certificate(&mut problem(&v, &y, loss, lambda), seed);
    let label = format!("{loss}, {n} x {d}, seed {seed}");
    claim(&label, c.objective.total, c.lower_bound.unwrap(), twin(&v, &y, loss, lambda)).unwrap();
}

#[test]
fn networks_meet_the_convex_program() {
    for seed in 0..4 {
        for loss in LOSSES {
            meets_its_twin(6, 2 + seed as usize % 3, loss, seed);
        }
    }
}

#[test]
fn a_network_on_eight_inputs_meets_it() {
    meets_its_twin(9, 8, "squared", 11);
}

/// Gauges of the inputs whose convex program is a quadratic one.
#[derive(Clone, Copy, Debug)]
struct Ball {
    norm: &'static str,
    nonnegative: bool,
}

const BALLS: [Ball; 4] = [
    Ball { norm: "l1", nonnegative: false },
    Ball { norm: "l1", nonnegative: true },
    Ball { norm: "linf", nonnegative: false },
    Ball { norm: "linf", nonnegative: true },
];

fn gauged(v: &Mat, y: &[f64], ball: Ball, weights: &[f64], lambda: f64) -> Problem {
    let kind = gauge::KINDS.iter().find(|k| k.name == ball.norm).unwrap();
    let cone = homfac::cone::KINDS.iter().find(|k| k.name == "nonnegative").unwrap();
    let cone = ball.nonnegative.then(|| (cone.example)(v.ncols())).flatten();
    let mut problem = problem(v, y, "squared", lambda);
    problem.regularizer.gauges[0] =
        Gauge::new((kind.examples)(v.ncols()).remove(0), Some(weights.to_vec()), cone).unwrap();
    problem
}

/// min 1/2 ||sum_k s_k D_k V p_k - y||^2 + lambda sum_k ||D p_k||  s.t.  (2 D_k - I) V p_k >= 0,  and p_k >= 0 where confined; p = p+ - p-.
fn polyhedral_twin(v: &Mat, y: &[f64], ball: Ball, weights: &[f64], lambda: f64) -> f64 {
    let (n, d) = v.shape();
    let slices = 2usize << n;
    let (up, down) = (|k: usize, j: usize| k * d + j, |k: usize, j: usize| (slices + k) * d + j);
    let (top, e) = (2 * slices * d, 2 * slices * d + slices);
    let total = e + n;
    let (mut ai, mut aj, mut av, mut b) = (Vec::new(), Vec::new(), Vec::new(), Vec::<f64>::new());
    let mut row = |entries: &[(usize, f64)], rhs: f64| {
        for (j, x) in entries {
            ai.push(b.len());
            aj.push(*j);
            av.push(*x);
        }
        b.push(rhs);
        b.len()
    };
    let active = |k: usize, i: usize| (k / 2) >> i & 1 == 1;
    let pre = |k: usize, i: usize, scale: f64| -> Vec<(usize, f64)> {
        (0..d).flat_map(|j| [(up(k, j), scale * v[(i, j)]), (down(k, j), -scale * v[(i, j)])]).collect()
    };
    let mut equalities = 0;
    for (i, y) in y.iter().enumerate() {
        let sign = |k: usize| if k.is_multiple_of(2) { 1.0 } else { -1.0 };
        let mut entries: Vec<(usize, f64)> =
            (0..slices).filter(|&k| active(k, i)).flat_map(|k| pre(k, i, sign(k))).collect();
        entries.push((e + i, -1.0));
        equalities = row(&entries, *y);
    }
    let mut linear = vec![0.0; total];
    let mut rows = equalities;
    for k in 0..slices {
        linear[top + k] = lambda;
        for i in 0..n {
            row(&pre(k, i, if active(k, i) { -1.0 } else { 1.0 }), 0.0);
        }
        for j in 0..d {
            row(&[(up(k, j), -1.0)], 0.0);
            row(&[(down(k, j), -1.0)], 0.0);
            if ball.nonnegative {
                row(&[(down(k, j), 1.0)], 0.0);
            }
            if ball.norm == "linf" {
                row(&[(up(k, j), weights[j]), (down(k, j), weights[j]), (top + k, -1.0)], 0.0);
            }
        }
        let sum: Vec<(usize, f64)> =
            (0..d).flat_map(|j| [(up(k, j), weights[j]), (down(k, j), weights[j])]).chain([(top + k, -1.0)]).collect();
        rows = row(if ball.norm == "l1" { &sum } else { &sum[2 * d..] }, 0.0);
    }
    let cones = [ZeroConeT(equalities), NonnegativeConeT(rows - equalities)];
    let squares: Vec<usize> = (e..total).collect();
    let p = CscMatrix::new_from_triplets(total, total, squares.clone(), squares, vec![1.0; n]);
    let a = CscMatrix::new_from_triplets(rows, total, ai, aj, av);
    let settings =
        DefaultSettings { verbose: false, tol_gap_abs: 1e-9, tol_gap_rel: 1e-9, tol_feas: 1e-9, ..Default::default() };
    let mut solver = DefaultSolver::new(&p, &linear, &a, &b, &cones, settings).unwrap();
    solver.solve();
    solver.solution.obj_val
}

#[test]
fn networks_under_other_gauges_meet_their_quadratic_program() {
    for seed in 0..3 {
        for ball in BALLS {
            let (n, d) = (5, 2 + seed as usize);
            let mut v = gaussian(n, d, seed);
            v.column_mut(d - 1).fill(1.0);
            let y: Vec<f64> = gaussian(n, 1, seed + 100).iter().map(|y| 2.0 * y).collect();
            let weights: Vec<f64> = (0..d).map(|j| if seed == 1 { 0.5 + j as f64 } else { 1.0 }).collect();
            let lambda = 0.25 * homfac::polar::lambda_max(&gauged(&v, &y, ball, &weights, 1.0), false).found;
            let c = answered(&mut gauged(&v, &y, ball, &weights, lambda), seed);
            let twin = polyhedral_twin(&v, &y, ball, &weights, lambda);
            let label = format!("{ball:?}, {n} x {d}, seed {seed}");
            claim(&label, c.objective.total, c.lower_bound.unwrap(), twin).unwrap();
        }
    }
}

#[test]
fn a_claim_that_is_off_is_seen() {
    assert!(claim("right", 1.0, 1.0, 1.0).is_ok());
    for (total, bound) in [(1.0, 1.0001), (0.9999, 0.999), (1.1, 1.0), (1.0, 0.9)] {
        assert!(claim("wrong", total, bound, 1.0).is_err(), "{total} and {bound}");
    }
}

/// Outputs that all want the same cost least under a norm with a high power: more than l2 norms would say without a radius.
#[test]
fn bounds_through_l2_norms_count_what_other_norms_have_in_common() {
    use homfac::gauge::lp::Lp;
    use homfac::polar::bound::{PolarBound, euclidean::Euclidean};
    let (n, q) = (12, 4);
    let v = gaussian(n, 2, 5);
    let z = vec![1.0; n * q];
    let mut p = problem(&v, &vec![0.0; n], "squared", 1.0);
    p.observations = Observations::Full { rows: n, cols: q };
    p.y = z.clone();
    let mapping = mapping::KINDS.iter().find(|k| k.name == "relu").unwrap();
    p.mapping = (mapping.build)(&Setup { sizes: &[n, q], inputs: Some(&v), layers: None });
    p.regularizer.gauges[1] = Gauge::new(Box::new(Lp::new(4.0)), None, None).unwrap();
    assert!(Euclidean.applies(&p).is_some());
    let upper = Euclidean.upper(&p, &z).value;
    let fit = |t: f64| -> f64 { (0..n).map(|i| (v[(i, 0)] * t.cos() + v[(i, 1)] * t.sin()).max(0.0)).sum() };
    let best = (0..3600).map(|k| fit(f64::from(k) * std::f64::consts::PI / 1800.0)).fold(0.0, f64::max);
    // every output 4^(-1/4)
    let attained = best * 4f64.powf(0.75);
    assert!(upper >= attained && upper <= 1.01 * attained, "{upper} for {attained}");
}

/// Without time a search says what it is told and a bound what its first cells do; lambda_max, which a relative lambda refers to, does not
/// depend on the clock.
#[test]
fn searches_and_bounds_look_at_the_clock_under_every_gauge() {
    use homfac::polar::{at_zero, bound, search};
    let (n, d) = (14, 4);
    let (whole, spent) = (Budget::unlimited(), Budget::unlimited().within(Some(std::time::Duration::ZERO)));
    let (v, y) = (gaussian(n, d, 3), gaussian(n, 1, 4));
    let mut looser = Vec::new();
    for kind in gauge::KINDS.iter().filter(|k| ["l1", "l2", "linf", "lp", "group_l2"].contains(&k.name)) {
        for (norm, ends) in (kind.examples)(d).into_iter().zip((kind.examples)(1)) {
            let mut p = problem(&v, y.as_slice(), "squared", 1.0);
            p.regularizer.gauges = [norm, ends].map(|n| Gauge::new(n, None, None).unwrap()).into();
            let label = p.regularizer.gauges[0].norm().label();
            let effort = search::Effort { budget: Some(&spent), ..search::Effort::default() };
            let hurried = search::search(&p, y.as_slice(), None, &effort).best();
            let found = search::search(&p, y.as_slice(), None, &search::Effort::default()).best();
            assert!(hurried < found * (1.0 - 1e-9), "{label}: {hurried} at once, {found} at leisure");
            let [a, b] = [&whole, &spent].map(|budget| bound::upper_within(&p, y.as_slice(), budget).unwrap().value);
            assert!(b >= a * (1.0 - 1e-9) && b >= found, "{label}: {b} at once, {a} at leisure, {found} attained");
            looser.push(b > a * 1.01);
            let [a, b] = [&whole, &spent].map(|budget| at_zero(&p, true, budget).0);
            assert!(a.found == b.found && a.found > 0.0, "{label}: {a:?}, {b:?}");
        }
    }
    assert!(looser.len() >= 5 && looser.iter().all(|l| *l), "{looser:?}");
}
