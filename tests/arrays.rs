//! Arrays of order 3 and 4: every loss, norm on its cones, extra variable and layout on tiny ones. The objective never rises, ends are
//! not refuted, no bound exceeds any objective, no upper end of the polar is below what is found.

use homfac::budget::Budget;
use homfac::certify::dual::{DualPoint, prove};
use homfac::certify::{CertifyOptions, Effort, Known, Verdict, certify_at};
use homfac::data::{Observations, TargetKind};
use homfac::extra::{self, Block, Extras, Penalty};
use homfac::gauge::{self, Gauge};
use homfac::linalg::{Mat, Pattern};
use homfac::loss::profiled::Profiled;
use homfac::loss::{self, Loss};
use homfac::mapping::{self, Factors};
use homfac::polar::{bound, lambda_max, search};
use homfac::problem::{Form, Problem, Regularizer};
use homfac::solve::observer::{Iteration, Observer};
use homfac::solve::options::SolverOptions;
use homfac::solve::{descent, solve};
use homfac::{cone, extra::Setup};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Norm, its example, cone, weighted.
type Recipe = (&'static gauge::Kind, usize, Option<&'static cone::Kind>, bool);

/// Sizes of order 3 and 4, one with a mode longer than all others together.
const SIZES: [&[usize]; 3] = [&[3, 2, 3], &[2, 2, 2, 2], &[2, 7, 3]];

/// Every recipe that has a rule.
fn recipes() -> Vec<Recipe> {
    let mut out = Vec::new();
    for norm in gauge::KINDS {
        for example in 0..(norm.examples)(3).len() {
            for cone in std::iter::once(None).chain(cone::KINDS.iter().map(|k| Some(*k))) {
                for weighted in [false, true] {
                    let recipe = (*norm, example, cone, weighted);
                    if compose(recipe, 3, &mut ChaCha8Rng::seed_from_u64(0)).is_ok() {
                        out.push(recipe);
                    }
                }
            }
        }
    }
    out
}

fn compose((norm, example, cone, weighted): Recipe, n: usize, rng: &mut ChaCha8Rng) -> Result<Gauge, String> {
    let weights = weighted.then(|| (0..n).map(|_| rng.random_range(0.5..2.0)).collect());
    let cone = cone.map(|c| (c.example)(n).ok_or("none of that length")).transpose()?;
    Gauge::new((norm.examples)(n).swap_remove(example), weights, cone)
}

fn plain(name: &str, cone: Option<&'static cone::Kind>) -> Recipe {
    (gauge::KINDS.iter().find(|k| k.name == name).unwrap(), 0, cone, false)
}

/// What is added to the prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Added {
    Nothing,
    Intercepts,
    Ridge,
    Covariates,
    Outliers,
}

const ADDED: [Added; 5] = [Added::Nothing, Added::Intercepts, Added::Ridge, Added::Covariates, Added::Outliers];

struct Instance {
    label: String,
    problem: Problem,
}

/// A random problem; lambda a third of lambda_max.
fn instance(kind: &'static loss::Kind, recipes: &[Recipe], added: Added, sizes: &[usize], seed: u64) -> Instance {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (masked, weighted) = (seed.is_multiple_of(2), seed % 3 == 1);
    let (m, n) = (sizes[0], sizes[1..].iter().product());
    let all = (0..n).flat_map(|j| (0..m).map(move |i| (i, j)));
    let observations = if masked {
        let listed: Vec<(usize, usize)> = all.filter(|(i, j)| (i + j) % 3 == 0 || rng.random_bool(0.6)).collect();
        Observations::Coordinates(Pattern::new(m, n, &listed).unwrap().0)
    } else {
        Observations::Full { rows: m, cols: n }
    };
    let count = observations.len();
    // a free intercept wants both classes, and a count above 0
    let y: Vec<f64> = (0..count)
        .map(|j| match kind.targets {
            TargetKind::Real => rng.random_range(-1.0..2.0),
            TargetKind::Signs if rng.random_bool(0.6) || j == 0 => 1.0,
            TargetKind::Signs => -1.0,
            TargetKind::Counts => f64::from(rng.random_range(0..5) + i32::from(j == 0)),
            TargetKind::Classes => unreachable!("an array of labels is refused"),
        })
        .collect();
    let parameters: Vec<f64> = kind.parameters.iter().map(|p| p.example).collect();
    let plain: Box<dyn Loss> = (kind.build)(&loss::Setup { parameters: &parameters, rows: &Vec::new });
    let side = Mat::from_fn(sizes[1], 1, |i, _| 1.0 + i as f64);
    let block = |k: &extra::Kind, axis, penalty, profiled| {
        let setup = Setup { observations: &observations, sizes, axis, side: Some(&side) };
        Block { map: (k.build)(&setup), penalty, profiled }
    };
    let real = kind.targets == TargetKind::Real;
    let blocks = match added {
        Added::Nothing => Vec::new(),
        Added::Intercepts if real => [Some(1), Some(2)]
            .map(|axis| block(&extra::intercept::KIND, axis, Penalty::None, false))
            .into_iter()
            .collect(),
        Added::Intercepts => vec![block(&extra::intercept::KIND, None, Penalty::None, false)],
        Added::Ridge => vec![block(&extra::intercept::KIND, Some(2), Penalty::L2Squared(0.5), false)],
        Added::Covariates => vec![block(&extra::covariates::KIND, Some(1), Penalty::L1(0.5), false)],
        Added::Outliers => vec![block(&extra::outliers::KIND, None, Penalty::L1(0.4), true)],
    };
    let end = if added == Added::Outliers { 0.4 } else { f64::INFINITY };
    let (loss, extras): (Box<dyn Loss>, Extras) = if blocks.is_empty() {
        (plain, Extras::default())
    } else {
        let profiled = Profiled { inner: Arc::from(plain), lo: -end, hi: end };
        (Box::new(profiled.clone()), Extras { blocks, profiled: Some(profiled) })
    };
    let gauges = sizes.iter().zip(recipes.iter().cycle()).map(|(&d, r)| compose(*r, d, &mut rng).unwrap()).collect();
    let mut problem = Problem {
        w: weighted.then(|| (0..count).map(|_| rng.random_range(0.3..3.0)).collect()),
        observations,
        operator: None,
        y,
        loss,
        mapping: (mapping::cp::KIND.build)(&mapping::Setup { sizes, inputs: None, layers: None }),
        regularizer: Regularizer { form: if rng.random_bool(0.5) { Form::Product } else { Form::Sum }, gauges },
        extras,
        offset: Vec::new(),
        lambda: 1.0,
    };
    problem.lambda = (0.3 * lambda_max(&problem, false).found).max(0.05);
    let names: Vec<String> = recipes
        .iter()
        .map(|(norm, example, cone, weighted)| {
            format!(
                "{}#{example} {}{}",
                norm.name,
                cone.map_or("", |c| c.name),
                if *weighted { " weighted" } else { "" }
            )
        })
        .collect();
    Instance { label: format!("{} {names:?} {added:?} {sizes:?} (seed {seed})", kind.name), problem }
}

/// Every loss beside every extra, and every recipe beside a plain one and another, in turn over sizes and layouts.
fn instances() -> Vec<Instance> {
    let losses: Vec<_> = loss::KINDS.iter().copied().filter(|k| k.targets != TargetKind::Classes).collect();
    let nonnegative = cone::KINDS.iter().copied().find(|k| k.name == "nonnegative");
    let mut out = Vec::new();
    for kind in &losses {
        for added in ADDED {
            for gauges in [
                [plain("l2", None); 3],
                [plain("l2", nonnegative); 3],
                [plain("l1", None), plain("l2", None), plain("l2", nonnegative)],
            ] {
                let seed = out.len();
                out.push(instance(kind, &gauges, added, SIZES[seed % SIZES.len()], seed as u64));
            }
        }
    }
    let all = recipes();
    for (k, &recipe) in all.iter().enumerate() {
        let gauges = [recipe, all[(7 * k + 3) % all.len()], plain("l2", None)];
        let seed = out.len();
        let kind = losses[if k % 4 == 0 { k / 4 % losses.len() } else { 0 }];
        out.push(instance(kind, &gauges, Added::Nothing, SIZES[seed % SIZES.len()], seed as u64));
    }
    out
}

/// Watches that the objective never rises.
struct Monotone(f64, String);

impl Observer for Monotone {
    fn iteration(&mut self, i: &Iteration) {
        let rose = i.objective > self.0 + 1e-12 * self.0.abs();
        assert!(!rose, "{}: the objective rose from {} to {} at {}", self.1, self.0, i.objective, i.iter);
        self.0 = i.objective;
    }
}

const OPTIONS: CertifyOptions = CertifyOptions { target_gap: 1e-4, effort: Effort::Cheap };

#[test]
fn every_combination_descends_to_a_point_that_is_not_refuted_and_no_bound_is_above_it() {
    let (mut bounded, mut count) = (0, 0);
    for Instance { label, mut problem } in instances() {
        let (mut best, mut ends) = (f64::INFINITY, Vec::new());
        for name in descent::names() {
            if descent::choose(&problem, Some(name)).name() != name {
                continue;
            }
            let options =
                SolverOptions { descent: Some(name.into()), max_outer: Some(300), ..SolverOptions::default() };
            let mut watch = Monotone(f64::INFINITY, format!("{label} {name}"));
            let s = solve(&mut problem, &options, &OPTIONS, None, &Budget::unlimited(), &mut watch);
            let known = Known { witnesses: &s.witnesses, polar: s.polar.as_ref(), cuts: None };
            let c = certify_at(&problem, &s.factors, Some(&s.extras), known, &OPTIONS, &Budget::unlimited());
            let c = c.unwrap_or_else(|e| panic!("{label} {name}: {e}"));
            best = best.min(c.objective.total);
            ends.push((name, c));
        }
        let convex = problem.regularizer.gauges.iter().all(Gauge::is_convex);
        for (name, c) in ends {
            assert!(c.verdict != Verdict::Refuted || !convex, "{label} {name}: refuted: {:?}, {:?}", c.polar, c.rank);
            let bound = c.lower_bound.unwrap_or(f64::NEG_INFINITY);
            assert!(bound <= best + 1e-12 * best.abs(), "{label} {name}: bound {bound:e} above {best:e}");
            count += 1;
            bounded += usize::from(c.lower_bound.is_some());
        }
    }
    assert!(10 * bounded >= 9 * count, "{bounded} of {count} have a bound");
}

#[test]
fn no_upper_end_of_a_polar_is_below_what_is_found() {
    for (k, Instance { label, problem }) in instances().into_iter().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(k as u64);
        for scale in [1e-3, 1.0, 1e5] {
            let z: Vec<f64> = (0..problem.y.len()).map(|_| scale * rng.random_range(-1.0..1.0)).collect();
            let upper = bound::upper(&problem, &z).unwrap().value;
            let found = search::search(&problem, &z, None, &search::Effort::default());
            assert!(found.best() <= upper, "{label}: {:e} above {upper:e}", found.best());
            // the value is that of the slice, whose gauges are 1
            if let Some(&value) = found.values.first() {
                let slice = Factors(found.slices.0.iter().map(|x| x.columns(0, 1).into_owned()).collect());
                let attained: f64 = problem.apply(&slice).iter().zip(&z).map(|(p, z)| p * z).sum();
                let g = problem.regularizer.balanced_value(&slice.slice(0));
                let size = scale * problem.mapping.magnitude(&slice) * (z.len() as f64).sqrt();
                assert!(
                    (attained - value).abs() <= 1e-12 * size && g <= 1.0 + 1e-9,
                    "{label}: {attained:e}, {value:e}, g {g}"
                );
            }
        }
    }
}

#[test]
fn every_seed_ends_at_one_value_where_factors_are_collinear() {
    let (sizes, rank) = ([5, 4, 4], 3);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    // cosines around 0.9 between the columns of every factor
    let mut factor = |d: usize| {
        let common: Vec<f64> = (0..d).map(|_| rng.random_range(-1.0..1.0)).collect();
        Mat::from_fn(d, rank, |i, _| common[i] + rng.random_range(-0.4..0.4))
    };
    let planted = Factors(sizes.map(&mut factor).into());
    let gauges = sizes.map(|d| compose(plain("l2", None), d, &mut rng).unwrap()).into();
    let observations = Observations::Full { rows: 5, cols: 16 };
    let mapping = (mapping::cp::KIND.build)(&mapping::Setup { sizes: &sizes, inputs: None, layers: None });
    let mut problem = Problem {
        y: mapping.apply(&observations, &planted),
        observations,
        operator: None,
        w: None,
        loss: Box::new(loss::squared::Squared),
        mapping,
        regularizer: Regularizer { form: Form::Product, gauges },
        extras: Extras::default(),
        offset: Vec::new(),
        lambda: 1.0,
    };
    problem.lambda = 0.05 * lambda_max(&problem, false).found;
    let mut ends = Vec::new();
    for seed in 0..10 {
        let options = SolverOptions { seed, ..SolverOptions::default() };
        let mut watch = Monotone(f64::INFINITY, format!("seed {seed}"));
        let tight = CertifyOptions { target_gap: 1e-6, ..OPTIONS };
        let s = solve(&mut problem, &options, &tight, None, &Budget::unlimited(), &mut watch);
        ends.push(problem.objective(&s.factors));
    }
    let best = ends.iter().fold(f64::INFINITY, |m: f64, e| m.min(*e));
    assert!(ends.iter().all(|e| e - best <= 1e-5 * best), "{ends:?}");
}

#[test]
fn a_proof_that_forgets_a_slice_is_caught() {
    // the mutant: the polar of a third of what is found, so that points are scaled too little
    let mut caught = 0;
    for Instance { mut problem, .. } in instances().into_iter().step_by(9) {
        let solver = SolverOptions { max_outer: Some(20), ..SolverOptions::default() };
        let mut watch = Monotone(f64::INFINITY, String::new());
        let s = solve(&mut problem, &solver, &OPTIONS, None, &Budget::unlimited(), &mut watch);
        let z: Vec<f64> = problem.dual_field(&vec![0.0; problem.y.len()]);
        let lambda = problem.lambda;
        problem.lambda *= 3.0;
        let wrong = prove(&problem, &DualPoint::field("mutant", z)).map(|p| p.value);
        problem.lambda = lambda;
        problem.hold(&s.extras);
        let value = problem.objective(&s.factors) + problem.extras.value(&s.extras);
        caught += usize::from(wrong.is_some_and(|w| w > value));
    }
    assert!(caught > 0);
}
