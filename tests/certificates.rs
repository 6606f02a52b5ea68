//! Weak duality and polar bounds over every (norm, cone) pair, mapping, layout and weighting: no lower bound above any
//! objective, no upper end of the polar below what brute force attains. Each law rejects a mutant.

use homfac::budget::Budget;
use homfac::certify::dual::{DualPoint, Keeper, promise, prove, prove_field};
use homfac::certify::{CertifyOptions, Effort, Verdict, certify, relax};
use homfac::data::{Observations, Operator};
use homfac::extra::Extras;
use homfac::gauge::{self, Gauge};
use homfac::linalg::{Mat, Pattern};
use homfac::mapping::Factors;
use homfac::polar::bound::{self, Upper};
use homfac::polar::{lambda_max, search};
use homfac::problem::{Form, Problem, Regularizer};
use homfac::solve::observer::{Iteration, Observer, Silent};
use homfac::solve::options::SolverOptions;
use homfac::solve::solve;
use homfac::{cone, loss, mapping};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How an instance is laid out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    Full,
    FullWeighted,
    Masked,
    MaskedWeighted,
}

const LAYOUTS: [Layout; 4] = [Layout::Full, Layout::FullWeighted, Layout::Masked, Layout::MaskedWeighted];

/// Norm, cone, weighted.
type Recipe = (&'static str, Option<&'static str>, bool);

/// A length that every cone has vectors of.
const SQUARE: usize = 4;

/// Every (norm, cone, weighted) that has a rule.
fn gauge_recipes() -> Vec<Recipe> {
    let mut out = Vec::new();
    for norm in gauge::KINDS {
        for example in 0..(norm.examples)(SQUARE).len() {
            // `tv#2` is the third example of tv
            let name = if norm.keys.is_empty() && norm.name != "tv" {
                norm.name
            } else {
                String::leak(format!("{}#{example}", norm.name))
            };
            for cone in std::iter::once(None).chain(cone::KINDS.iter().map(|k| Some(k.name))) {
                for weighted in [false, true] {
                    let mut rng = ChaCha8Rng::seed_from_u64(0);
                    if compose((name, cone, weighted), SQUARE, &mut rng).is_ok() {
                        out.push((name, cone, weighted));
                    }
                }
            }
        }
    }
    out
}

fn compose(recipe: (&str, Option<&str>, bool), n: usize, rng: &mut impl Rng) -> Result<Gauge, String> {
    let (name, example) = recipe.0.split_once('#').map_or((recipe.0, 0), |(name, k)| (name, k.parse().unwrap()));
    let norm = (gauge::KINDS.iter().find(|k| k.name == name).unwrap().examples)(n).swap_remove(example);
    let cone = recipe.1.map(|c| (cone::KINDS.iter().find(|k| k.name == c).unwrap().example)(n).ok_or("no such length"));
    let cone = cone.transpose()?;
    let weights = recipe.2.then(|| (0..n).map(|_| rng.random_range(0.5..2.0)).collect());
    Gauge::new(norm, weights, cone)
}

fn build_gauge(recipe: (&str, Option<&str>, bool), n: usize, rng: &mut impl Rng) -> Gauge {
    compose(recipe, n, rng).unwrap()
}

/// The sizes of an output that is seen as m x n.
fn sizes(mapping: &str, (m, n): (usize, usize)) -> Vec<usize> {
    if mapping == "cp" { vec![m, 3, n / 3] } else { vec![m, n] }
}

/// A small shape that the mapping takes, and the cones: 3 x 3 x 2 for arrays.
fn small_shape(mapping: &str, recipes: &[Recipe], plain: (usize, usize)) -> (usize, usize) {
    match mapping {
        "psd" => (plain.1, plain.1),
        "cp" => (3, 6),
        _ if recipes.iter().any(|r| r.1 == Some("psd")) => (SQUARE, SQUARE),
        // matrices of more than one row
        _ if recipes.iter().any(|r| ["nuclear", "spectral"].contains(&r.0)) => (6, SQUARE),
        _ => plain,
    }
}

/// A random m x n problem with the named gauges; lambda a fraction of lambda_max.
fn instance(
    mapping: &str,
    recipes: &[(&str, Option<&str>, bool)],
    layout: Layout,
    (m, n): (usize, usize),
    fraction: f64,
    rng: &mut ChaCha8Rng,
) -> Problem {
    let square = mapping == "psd";
    let raw = Mat::from_fn(m, n, |_, _| rng.random_range(-1.0..2.0));
    let y = if square { &raw + raw.transpose() } else { raw };
    let masked = matches!(layout, Layout::Masked | Layout::MaskedWeighted);
    let keep = Mat::from_fn(m, n, |_, _| if rng.random_bool(0.7) { 1.0 } else { 0.0 });
    let kept =
        |i: usize, j: usize| !masked || if square { keep[(i.max(j), i.min(j))] > 0.0 } else { keep[(i, j)] > 0.0 };
    let entries: Vec<(usize, usize)> =
        (0..n).flat_map(|j| (0..m).map(move |i| (i, j))).filter(|&(i, j)| kept(i, j)).collect();
    let (observations, order) = if masked {
        let (p, order) = Pattern::new(m, n, &entries).unwrap();
        (Observations::Coordinates(p), order)
    } else {
        (Observations::Full { rows: m, cols: n }, (0..entries.len()).collect())
    };
    let weight = Mat::from_fn(m, n, |_, _| rng.random_range(0.3..3.0));
    let weight = if square { &weight + weight.transpose() } else { weight };
    let weighted = matches!(layout, Layout::FullWeighted | Layout::MaskedWeighted);
    let sizes = sizes(mapping, (m, n));
    let setup = mapping::Setup { sizes: &sizes, inputs: None, layers: None };
    let mapping = (mapping::KINDS.iter().find(|k| k.name == mapping).unwrap().build)(&setup);
    let rows = mapping.factor_rows((m, n));
    let gauges = recipes.iter().zip(&rows).map(|(r, n)| build_gauge(*r, *n, rng)).collect();
    let mut problem = Problem {
        observations,
        operator: None,
        y: order.iter().map(|&k| y[entries[k]]).collect(),
        w: weighted.then(|| order.iter().map(|&k| weight[entries[k]]).collect()),
        loss: Box::new(loss::squared::Squared),
        mapping,
        regularizer: Regularizer { form: if rng.random_bool(0.5) { Form::Product } else { Form::Sum }, gauges },
        extras: Extras::default(),
        offset: Vec::new(),
        lambda: 1.0,
    };
    problem.lambda = (fraction * lambda_max(&problem, true).found).max(0.05);
    problem
}

/// Every instance kind: (mapping, recipes).
fn kinds() -> Vec<(&'static str, Vec<Recipe>)> {
    let recipes = gauge_recipes();
    // every pair of the three plain norms on orthants; of the others each beside one or two of all
    let orthant = |r: &Recipe| r.1.is_none_or(|c| c.starts_with("non"));
    let plain = |r: &&Recipe| ["l1", "l2", "linf"].contains(&r.0) && orthant(r);
    let mut out = Vec::new();
    for &u in recipes.iter().filter(plain) {
        for &v in recipes.iter().filter(plain) {
            out.push(("matrix", vec![u, v]));
        }
    }
    for (k, &u) in recipes.iter().enumerate().filter(|r| !plain(&r.1)) {
        let plain = [("l2", None, false), ("l1", None, true), ("l1", Some("nonnegative"), false)][k % 3];
        let any = recipes[(7 * k + 3) % recipes.len()];
        out.push(("matrix", if k % 2 == 0 { vec![u, plain] } else { vec![plain, u] }));
        if k % 2 == 0 {
            out.push(("matrix", if k % 4 == 0 { vec![u, any] } else { vec![any, u] }));
        }
    }
    let (nuclear, l2) = (|cone| ("nuclear", cone, false), |cone| ("l2", cone, false));
    out.extend([
        ("matrix", vec![nuclear(None), l2(Some("nonnegative"))]),
        ("matrix", vec![l2(None), nuclear(None)]),
        ("matrix", vec![nuclear(None), nuclear(Some("psd"))]),
        ("matrix", vec![nuclear(Some("psd")), l2(Some("nonnegative"))]),
        ("matrix", vec![l2(Some("psd")), nuclear(None)]),
        ("matrix", vec![("spectral", None, false), ("linf", None, true)]),
        // column by column
        ("matrix", vec![("l2", Some("psd"), false), ("linf", Some("nonpositive"), false)]),
        ("matrix", vec![("linf", Some("nonpositive"), true), ("l2", Some("monotone"), false)]),
        ("matrix", vec![("l2", Some("kernel"), true), ("lp#1", Some("nonnegative"), false)]),
    ]);
    for &u in recipes.iter().filter(|r| r.0 == "l2" && orthant(r)) {
        out.push(("psd", vec![u]));
    }
    // arrays: l2 with every mix of orthants and weights, and every other beside some of those
    let l2: Vec<Recipe> = recipes.iter().filter(|r| r.0 == "l2" && orthant(r)).copied().collect();
    for k in (0..l2.len().pow(2)).step_by(3) {
        let (a, b) = (k % l2.len(), k / l2.len());
        out.push(("cp", vec![l2[a], l2[b], l2[(2 * a + b) % l2.len()]]));
    }
    let arrays = |r: &&Recipe| r.1 != Some("psd");
    let recipes: Vec<Recipe> = recipes.iter().filter(arrays).copied().collect();
    for (k, &u) in recipes.iter().enumerate().filter(|r| r.1.0 != "l2" || !orthant(r.1)).step_by(2) {
        let mut three = vec![u, l2[k % l2.len()], recipes[(5 * k + 1) % recipes.len()]];
        three.rotate_right(k % 3);
        out.push(("cp", three));
    }
    out
}

fn random_factors(problem: &Problem, rank: usize, rng: &mut impl Rng) -> Factors {
    let size = 10f64.powf(rng.random_range(-1.5..0.5));
    Factors(
        problem
            .factor_rows()
            .iter()
            .zip(&problem.regularizer.gauges)
            .map(|(&d, g)| {
                let mut x = Mat::from_fn(d, rank, |_, _| size * rng.random_range(-1.0..1.0));
                if let Some(c) = g.cone() {
                    x.column_iter_mut().for_each(|mut column| c.project(column.as_mut_slice()));
                }
                x
            })
            .collect(),
    )
}

/// No bound that `proof` gives from the residual at random points exceeds the objective at any of them, or at the point
/// that descent ends at.
fn weak_duality(
    problem: &mut Problem,
    rng: &mut ChaCha8Rng,
    proof: impl Fn(&Problem, &[f64]) -> Option<f64>,
) -> Result<(), String> {
    // the relaxations of arrays have sweeps of their own
    let effort = if problem.mapping.name() == "cp" { Effort::Cheap } else { Effort::Default };
    let options = CertifyOptions { target_gap: 1e-6, effort };
    let solver = SolverOptions { seed: rng.random_range(0..1000), max_outer: Some(12), ..SolverOptions::default() };
    let end = solve(problem, &solver, &options, None, &Budget::unlimited(), &mut Silent).factors;
    let mut points: Vec<Factors> = (0..6).map(|r| random_factors(problem, r, rng)).collect();
    points.push(end);
    let best = points.iter().map(|x| problem.objective(x)).fold(f64::INFINITY, f64::min);
    for x in &points {
        let z = problem.dual_field(&problem.predict(x));
        if let Some(bound) = proof(problem, &z)
            && bound > best * (1.0 + 1e-12)
        {
            return Err(format!("bound {bound:e} above the objective {best:e}"));
        }
    }
    Ok(())
}

fn residual_bound(problem: &Problem, z: &[f64]) -> Option<f64> {
    prove(problem, &DualPoint::field("residual", z.to_vec())).map(|p| p.value)
}

#[test]
fn no_lower_bound_exceeds_any_objective_for_every_pair_layout_and_weighting() {
    for (k, (mapping, recipes)) in kinds().iter().enumerate() {
        // two layouts of each array, four of each matrix
        let few = *mapping == "cp";
        for (l, layout) in LAYOUTS.iter().enumerate().filter(|(l, _)| !few || l % 2 == k % 2) {
            let mut rng = ChaCha8Rng::seed_from_u64((1000 * k + l) as u64);
            let shape = small_shape(mapping, recipes, (5, 4));
            let mut problem = instance(mapping, recipes, *layout, shape, 0.3, &mut rng);
            weak_duality(&mut problem, &mut rng, residual_bound)
                .unwrap_or_else(|e| panic!("{mapping} {recipes:?} {layout:?} (seed {}): {e}", 1000 * k + l));
        }
    }
}

#[test]
fn relaxation_bounds_stay_below_every_objective_and_certificates_are_consistent() {
    let cones = [None, Some("nonnegative"), Some("nonpositive")];
    for seed in 0..30u64 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (u, v) = (cones[seed as usize % 3], cones[(seed / 3) as usize % 3]);
        let (mapping, recipes) = if seed % 5 == 4 {
            ("psd", vec![("l2", u, false)])
        } else {
            ("matrix", vec![("l2", u, false), ("l2", v, false)])
        };
        let shape = if mapping == "psd" { (6, 6) } else { (7, 5) };
        let mut problem = instance(mapping, &recipes, Layout::Full, shape, 0.2, &mut rng);
        let mut keeper = Keeper::new();
        let goal = relax::Goal { objective: f64::INFINITY, target: 1e-6, start: None, last: None };
        relax::climb(&problem, goal, Effort::Thorough, &Budget::unlimited(), &mut keeper);
        let bound = keeper.value().expect("a relaxation applies");
        weak_duality(&mut problem, &mut rng, |_, _| Some(bound)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let options = CertifyOptions { target_gap: 1e-6, effort: Effort::Default };
        let s = solve(&mut problem, &SolverOptions::default(), &options, None, &Budget::unlimited(), &mut Silent);
        let c = certify(&problem, &s.factors, &s.witnesses, &options, &Budget::unlimited()).unwrap();
        assert!(c.lower_bound.unwrap() <= c.objective.total);
        assert!((c.verdict == Verdict::Global) == (c.gap.relative.unwrap() <= 1e-6), "seed {seed}");
    }
}

/// Sums of norms beside each other and beside plain ones, free and on orthants.
const SUMS: [(Recipe, Recipe); 8] = [
    (("tv#2", None, false), ("l2", None, false)),
    (("tv#1", Some("nonnegative"), false), ("l2", Some("nonnegative"), false)),
    (("l2", None, false), ("tv#0", None, false)),
    (("tv#2", None, false), ("tv#2", None, false)),
    (("group_l2#0", None, false), ("tv#2", Some("nonpositive"), false)),
    (("l1", None, false), ("tv#1", None, false)),
    // images
    (("tv#5", None, false), ("l2", None, false)),
    (("tv#4", Some("nonnegative"), false), ("tv#5", Some("nonnegative"), false)),
];

#[test]
fn sums_of_norms_taken_apart_give_bounds_below_every_objective_and_better_than_the_residual() {
    use homfac::certify::dual::Kind;
    let (mut better, mut count) = (0, 0);
    for seed in 0..12u64 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (u, v) = SUMS[seed as usize % SUMS.len()];
        let mut problem = instance("matrix", &[u, v], Layout::Full, (7, 6), 0.2, &mut rng);
        let mut keeper = Keeper::new();
        let relaxation = relax::inf_convolution::InfConvolution;
        assert!(relax::Relaxation::applies(&relaxation, &problem), "{u:?} {v:?}");
        let goal = relax::Goal { objective: f64::INFINITY, target: 1e-9, start: None, last: None };
        relax::Relaxation::offer(&relaxation, &problem, goal, Effort::Default, &Budget::unlimited(), &mut keeper);
        let bound = keeper.value().expect("the parts are proven");
        weak_duality(&mut problem, &mut rng, |_, _| Some(bound)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let options = CertifyOptions { target_gap: 1e-6, effort: Effort::Cheap };
        let end =
            solve(&mut problem, &SolverOptions::default(), &options, None, &Budget::unlimited(), &mut Silent).factors;
        let residual = residual_bound(&problem, &problem.dual_field(&problem.predict(&end)));
        let objective = problem.objective(&end);
        assert!(objective - bound <= 0.3 * objective, "seed {seed}: {bound} far below {objective}");
        count += 1;
        better += usize::from(residual.is_none_or(|r| bound > r));
        // the point proves as much when it is read back, and whatever else stands in it proves nothing false
        let point = keeper.best().unwrap().point.clone();
        let again = DualPoint::from_witness(&problem, &point.to_witness()).unwrap();
        assert!(prove(&problem, &again).unwrap().value >= bound - 1e-12 * bound.abs());
        let Kind::Parts(blocks) = point.kind else { panic!("parts") };
        for k in 0..20 {
            let spoiled = blocks.iter().map(|s| {
                let size = 10f64.powf(rng.random_range(-1.0..1.0));
                let noise = |x: &f64| size * x + [0.0, 1.0][k % 2] * rng.random_range(-1.0..1.0);
                s.iter().map(noise).collect()
            });
            let point = DualPoint { source: "witness".into(), kind: Kind::Parts(spoiled.collect()) };
            if let Some(p) = prove(&problem, &point) {
                assert!(p.value <= objective, "seed {seed}: {:e} above {objective:e}", p.value);
            }
        }
    }
    assert!(2 * better >= count, "better than the residual {better} times of {count}");
}

/// What the parts say where nothing is observed would have to be 0, for sides that are free.
#[test]
fn parts_that_reach_beyond_the_entries_prove_nothing() {
    use homfac::certify::dual::Kind;
    use homfac::polar::parts::Parts;
    for (layout, proven) in [(Layout::Full, true), (Layout::Masked, false)] {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let recipes = [("tv#0", None, false), ("l2", None, false)];
        let problem = instance("matrix", &recipes, layout, (7, 6), 0.2, &mut rng);
        let parts = Parts::of(&problem).unwrap();
        let mut block = |k: usize| -> Vec<f64> {
            let (m, n) = parts.part_shape(k);
            (0..m * n).map(|_| 1e-3 * rng.random_range(0.5..1.0)).collect()
        };
        let kind = Kind::Parts((0..parts.count()).map(&mut block).collect());
        let found = prove(&problem, &DualPoint { source: "witness".into(), kind });
        assert_eq!(found.is_some(), proven, "{layout:?}: {found:?}");
    }
}

/// Cones of the two sides, for plain l2 gauges: one side or both in an orthant.
const ORTHANTS: [(Option<&str>, Option<&str>); 5] = [
    (Some("nonnegative"), Some("nonnegative")),
    (None, Some("nonnegative")),
    (Some("nonpositive"), None),
    (Some("nonpositive"), Some("nonnegative")),
    (Some("nonnegative"), None),
];

/// Factors for the lift of halfspaces and norms of squares.
const CONES: [[Recipe; 2]; 7] = [
    [("l2", Some("monotone"), false), ("l2", None, false)],
    [("l2", Some("halfspaces"), false), ("l2", Some("nonnegative"), false)],
    [("linf", None, false), ("l2", None, false)],
    [("lp#1", Some("nonnegative"), false), ("linf", None, false)],
    [("l2", Some("kernel"), false), ("l2", Some("monotone"), false)],
    [("group_l2#0", Some("nonpositive"), false), ("l2", None, false)],
    [("l2", Some("nonpositive"), false), ("lp#0", Some("nonnegative"), false)],
];

/// Factors with sums of norms.
const SUMS_APART: [[Recipe; 2]; 4] = [
    [("tv#0", None, false), ("l2", None, false)],
    [("tv#0", Some("nonnegative"), false), ("l2", Some("nonnegative"), false)],
    [("l2", None, false), ("tv#1", None, false)],
    [("tv#1", None, false), ("linf", Some("nonnegative"), false)],
];

/// An instance with orthants, the point that Algorithm 1 ends at, and the bound of one relaxation alone started from it.
fn lifted(seed: u64, relaxation: &dyn relax::Relaxation) -> (Problem, Factors, Option<f64>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (u, v) = ORTHANTS[seed as usize % ORTHANTS.len()];
    let layout = LAYOUTS[(seed / 5) as usize % LAYOUTS.len()];
    let plain = |cone: Option<&'static str>| ("l2", cone, false);
    let arrays = ["partial_transpose", "partial_transpose_nonnegative"].iter().position(|n| *n == relaxation.name());
    let mut problem = if let Some(signs) = arrays {
        let shape = if seed.is_multiple_of(4) { (3, 9) } else { (3, 6) };
        let (u, v) = if signs == 1 { (u, v) } else { (None, None) };
        instance("cp", &[plain(u), plain(v), plain(v)], layout, shape, 0.3, &mut rng)
    } else if relaxation.name() == "cone_lift" {
        let recipes = CONES[seed as usize % CONES.len()];
        let mut problem = instance("matrix", &recipes, layout, (7, 5), 0.3, &mut rng);
        match seed % 3 {
            0 => problem.loss = Box::new(loss::huber::Huber { delta: 0.4 }),
            1 if matches!(problem.observations, Observations::Full { .. }) => {
                problem = through_measurements(problem, seed.is_multiple_of(2), &mut rng);
            }
            _ => {}
        }
        problem
    } else if relaxation.name() == "parts_split" {
        let recipes = SUMS_APART[seed as usize % SUMS_APART.len()];
        let mut problem = instance("matrix", &recipes, layout, (7, 5), 0.3, &mut rng);
        if seed.is_multiple_of(3) {
            problem.loss = Box::new(loss::huber::Huber { delta: 0.4 });
        }
        problem
    } else if relaxation.name() == "folded" {
        instance("matrix", &[("nuclear", None, false), plain(None)], layout, (6, SQUARE), 0.3, &mut rng)
    } else {
        let shape = if seed.is_multiple_of(2) { (8, 7) } else { (7, 9) };
        instance("matrix", &[plain(u), plain(v)], layout, shape, 0.15, &mut rng)
    };
    let options = CertifyOptions { target_gap: 1e-7, effort: Effort::Cheap };
    let end = solve(&mut problem, &SolverOptions::default(), &options, None, &Budget::unlimited(), &mut Silent).factors;
    let mut keeper = Keeper::new();
    if relaxation.applies(&problem) {
        let goal = relax::Goal { objective: problem.objective(&end), target: 1e-6, start: Some(&end), last: None };
        relaxation.offer(&problem, goal, Effort::Default, &Budget::unlimited(), &mut keeper);
    }
    (problem, end, keeper.value())
}

#[test]
fn lifts_give_bounds_below_every_objective_and_close_most_gaps() {
    let others = ["priced", "newton"];
    for relaxation in relax::RELAXATIONS.iter().filter(|r| r.needs_point() && !others.contains(&r.name())) {
        let (mut applied, mut closed) = (0, 0);
        let arrays = ["partial_transpose", "partial_transpose_nonnegative", "folded"].contains(&relaxation.name());
        for seed in 0..if arrays { 14 } else { 20 } {
            let (mut problem, end, bound) = lifted(seed, *relaxation);
            let Some(bound) = bound else { continue };
            let objective = problem.objective(&end);
            assert!(bound <= objective, "{} seed {seed}: {bound:e} above {objective:e}", relaxation.name());
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            weak_duality(&mut problem, &mut rng, |_, _| Some(bound))
                .unwrap_or_else(|e| panic!("{} seed {seed}: {e}", relaxation.name()));
            applied += 1;
            // on random arrays the signs of three factors are worth more than those of two
            let share = match relaxation.name() {
                "partial_transpose_nonnegative" | "cone_lift" => 6e-2,
                // a slice may answer each norm with another decomposition
                "parts_split" => 0.2,
                _ => 1e-2,
            };
            closed += usize::from(objective - bound <= share * objective);
        }
        assert!(applied >= 8, "{}: applied {applied} times", relaxation.name());
        assert!(4 * closed >= 3 * applied, "{}: closed {closed} of {applied}", relaxation.name());
    }
}

/// The gap of the residual and of the field moved along its singular vectors, at a point `off` an optimum that is known to 1e-8.
fn moved(seed: u64, off: f64) -> (f64, f64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let layout = LAYOUTS[seed as usize % LAYOUTS.len()];
    let mut problem = instance("matrix", &[("l2", None, false); 2], layout, (30, 24), 0.35, &mut rng);
    match seed / 4 % 3 {
        1 => problem.loss = Box::new(loss::huber::Huber { delta: 0.8 }),
        2 => {
            problem.y.iter_mut().for_each(|y| *y = y.signum());
            problem.loss = Box::new(loss::logistic::Logistic);
        }
        _ => {}
    }
    problem.lambda = 0.35 * lambda_max(&problem, false).found;
    let options = CertifyOptions { target_gap: 1e-8, effort: Effort::Cheap };
    let budget = Budget::unlimited();
    let end = solve(&mut problem, &SolverOptions::default(), &options, None, &budget, &mut Silent).factors;
    let optimum = problem.objective(&end);
    let mut x = end.clone();
    x.0.iter_mut().flat_map(|x| x.iter_mut()).for_each(|x| *x += off * rng.random_range(-1.0..1.0));
    let objective = problem.objective(&x);
    let residual = residual_bound(&problem, &problem.dual_field(&problem.predict(&x))).unwrap();
    let mut keeper = Keeper::new();
    let goal = relax::Goal { objective, target: 1e-9, start: Some(&x), last: None };
    relax::Relaxation::offer(&relax::newton::Newton, &problem, goal, Effort::Default, &budget, &mut keeper);
    let bound = keeper.value().unwrap();
    assert!(bound <= optimum, "seed {seed}: {bound:e} above {optimum:e}");
    weak_duality(&mut problem, &mut rng, |_, _| Some(bound)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    let gap = |bound: f64| (objective - bound) / objective;
    (gap(residual), gap(bound))
}

#[test]
fn a_field_moved_along_its_singular_vectors_proves_more_and_nothing_wrong() {
    for seed in 0..12 {
        let (far, near) = (moved(seed, 1e-3), moved(seed, 1e-4));
        assert!(far.1 < 0.3 * far.0, "seed {seed}: {far:?}");
        // the residual's gap falls like the distance, this one like its square
        assert!(near.1 < 0.05 * far.1 && near.1 < 0.03 * near.0, "seed {seed}: {far:?} {near:?}");
    }
}

#[test]
fn a_bound_passes_to_multiples_and_to_fields_beside() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let recipes = [("l2", None, false); 2];
    for (shape, large) in [((9, 7), false), ((720, 730), true)] {
        let problem = instance("matrix", &recipes, Layout::Full, shape, 0.3, &mut rng);
        let z = problem.dual_field(&vec![0.0; problem.y.len()]);
        let effort = search::Effort::default();
        let bounded = bound::Bounded::new(
            &problem,
            z.clone(),
            &search::search(&problem, &z, None, &effort),
            &Budget::unlimited(),
        );
        let top = bounded.upper().unwrap().value;
        for s in [1.0, 1.0 / 3.0, 1e-9, 7.0] {
            let scaled: Vec<f64> = z.iter().map(|z| s * z).collect();
            let found = search::search(&problem, &scaled, None, &effort).best();
            let upper = bounded.near(&problem, &scaled).unwrap().value;
            assert!(
                upper >= found * (1.0 - 1e-13) && upper <= s * top * (1.0 + 1e-10) + 1e-300,
                "{s}: {upper} {found}"
            );
        }
        let opposite: Vec<f64> = z.iter().map(|z| -z).collect();
        let off: Vec<f64> = z.iter().map(|z| z * rng.random_range(1.0..1.02)).collect();
        assert!([&opposite, &off].iter().all(|z| bounded.near(&problem, z).is_none()));
        // where a proof of its own is cheap there is no other
        let beside = bounded.beside(&problem, &off);
        assert_eq!(beside.is_some(), large);
        if let Some(upper) = beside {
            let found = search::search(&problem, &off, None, &effort).best();
            assert!(upper.value >= found && upper.value <= 1.02 * found && !upper.exact, "{upper:?} {found}");
        }
        assert!(bounded.beside(&problem, &opposite).is_none(), "too far");
    }
}

/// The mutant: how often the bound of a problem with cones, said of the problem without them, is above an objective of that.
fn overstating(relaxation: &dyn relax::Relaxation, seeds: impl IntoIterator<Item = u64>) -> usize {
    let above = |seed| {
        let (mut problem, end, bound) = lifted(seed, relaxation);
        let free = |_| Gauge::new(Box::new(gauge::l2::L2), None, None).unwrap();
        problem.regularizer.gauges = (0..problem.regularizer.gauges.len()).map(free).collect();
        let options = CertifyOptions { target_gap: 1e-7, effort: Effort::Cheap };
        let budget = Budget::unlimited();
        let free = solve(&mut problem, &SolverOptions::default(), &options, Some(end), &budget, &mut Silent).factors;
        usize::from(bound.unwrap() > problem.objective(&free))
    };
    seeds.into_iter().map(above).sum()
}

#[test]
fn a_lift_that_forgets_a_side_is_free_is_caught() {
    let caught = overstating(&relax::lift_full::LiftFull, (0..40).step_by(5));
    assert!(caught >= 6, "{caught}");
}

#[test]
fn a_lift_that_keeps_the_conditions_of_a_cone_that_is_gone_is_caught() {
    let caught = overstating(&relax::cone_lift::ConesLift, [0, 7, 14, 1, 8]);
    assert!(caught >= 4, "{caught}");
}

#[test]
fn a_partial_transpose_that_forgets_a_side_is_free_is_caught() {
    let caught = overstating(&relax::partial_transpose::PartialTransposeNonnegative, (0..40).step_by(5));
    assert!(caught >= 6, "{caught}");
}

/// Matrices of two rows under the nuclear norm: the lift of the array that they fold up into is tight, and fits of
/// either kind prove the same optimum.
#[test]
fn matrices_under_the_nuclear_norm_are_certified_as_the_array_that_they_fold_up_into() {
    let options = CertifyOptions { target_gap: 1e-5, effort: Effort::Default };
    let solved = |problem: &mut Problem| {
        let s = solve(problem, &SolverOptions::default(), &options, None, &Budget::unlimited(), &mut Silent);
        (certify(problem, &s.factors, &s.witnesses, &options, &Budget::unlimited()).unwrap(), s.witnesses)
    };
    for seed in 0..4u64 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let layout = LAYOUTS[seed as usize % LAYOUTS.len()];
        let recipes = [("nuclear", None, false), ("l2", None, false)];
        let mut problem = instance("matrix", &recipes, layout, (6, 5), 0.3, &mut rng);
        let mut folded = homfac::polar::folded::Folded::new(&problem).unwrap().problem;
        let ((here, witnesses), (there, _)) = (solved(&mut problem), solved(&mut folded));
        let (bound, total) = (here.lower_bound.unwrap(), here.objective.total);
        assert!(total - bound <= 1e-5 * total, "seed {seed}: {bound} below {total}");
        assert!(there.lower_bound.unwrap() <= total && bound <= there.objective.total, "seed {seed}");
        // what is saved is proven again, and a point of the array of squared loss says nothing of another loss
        let points: Vec<DualPoint> = witnesses.iter().filter_map(|w| DualPoint::from_witness(&problem, w)).collect();
        let best = points.iter().filter_map(|p| prove(&problem, p)).map(|p| p.value).fold(f64::MIN, f64::max);
        assert!(best <= total && total - best <= 1e-3 * total, "seed {seed}: {best} again, {total}");
        problem.loss = Box::new(loss::huber::Huber { delta: 0.1 });
        for point in points.iter().filter(|p| matches!(p.kind, homfac::certify::dual::Kind::Transposes(_))) {
            assert!(prove(&problem, point).is_none());
        }
    }
}

#[test]
fn whatever_a_witness_holds_it_proves_nothing_false() {
    use homfac::certify::dual::{ConeLift, Kind, Lift};
    for seed in 0..40u64 {
        let (problem, end, _) = lifted(seed, &relax::nuclear::Nuclear);
        let objective = problem.objective(&end);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (m, n) = problem.shape();
        let mut random = |count: usize, positive: bool| -> Vec<f64> {
            let size = 10f64.powf(rng.random_range(-2.0..2.0));
            let spoiled = if rng.random_bool(0.2) { rng.random_range(0..count) } else { count };
            (0..count)
                .map(|k| match k == spoiled {
                    true => [f64::NAN, f64::INFINITY, -f64::INFINITY, 1e300][k % 4],
                    false => size * rng.random_range(if positive { 0.0 } else { -1.0 }..1.0),
                })
                .collect()
        };
        for _ in 0..10 {
            let (u, v) = (random(m * m, true), random(n * n, true));
            let near: Vec<f64> =
                problem.observations.entries().zip(&problem.y).fold(vec![0.0; m * n], |mut s, (e, y)| {
                    s[e.1 * m + e.0] = *y;
                    s
                });
            let signed = [0, 1].map(|k| problem.regularizer.gauges[k].orthant().is_some());
            let own = |k: usize, block: &Vec<f64>| if signed[k] { block.clone() } else { Vec::new() };
            let cone_lift = ConeLift {
                z: random(problem.y.len(), false),
                own: [own(0, &u), own(1, &v)],
                cross: if signed[0] && signed[1] { random(m * n, false) } else { Vec::new() },
                diagonals: [random(m, false), random(n, true)],
            };
            for kind in [
                Kind::ConeLift(ConeLift { z: problem.y.clone(), ..cone_lift.clone() }),
                Kind::ConeLift(cone_lift),
                Kind::Field(random(problem.y.len(), false)),
                Kind::Majorant(random(m * n, false)),
                Kind::Majorant(near.clone()),
                Kind::Lift(Lift { s: random(m * n, false), u: u.clone(), v: v.clone() }),
                Kind::Lift(Lift { s: near.clone(), u: u.clone(), v: Vec::new() }),
                Kind::Lift(Lift { s: near, u: Vec::new(), v: v.clone() }),
            ] {
                let point = DualPoint { source: "witness".into(), kind };
                if let Some(p) = prove(&problem, &point) {
                    assert!(p.value <= objective, "seed {seed}: {:e} above {objective:e} from {point:?}", p.value);
                }
            }
        }
    }
}

#[test]
fn whatever_a_witness_of_an_array_holds_it_proves_nothing_false_and_a_good_one_is_proven_again() {
    use homfac::certify::dual::{Kind, Transposes};
    let rungs: [&dyn relax::Relaxation; 2] =
        [&relax::partial_transpose::PartialTranspose, &relax::partial_transpose::PartialTransposeNonnegative];
    let mut spoiled_and_proven = 0;
    for seed in 0..20u64 {
        let rung = rungs[(seed % 2) as usize];
        let (problem, end, _) = lifted(seed, rung);
        let objective = problem.objective(&end);
        let mut keeper = Keeper::new();
        let goal = relax::Goal { objective, target: 1e-3, start: Some(&end), last: None };
        rung.offer(&problem, goal, Effort::Cheap, &Budget::unlimited(), &mut keeper);
        let Some(best) = keeper.best() else { continue };
        let again = DualPoint::from_witness(&problem, &best.point.to_witness()).unwrap();
        assert_eq!(again, best.point);
        assert!(prove(&problem, &again).unwrap().value >= best.value - 1e-12 * best.value.abs());
        let Kind::Transposes(good) = again.kind else { panic!("not of this rung") };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut noisy = |x: &[f64]| -> Vec<f64> {
            let (size, noise) = (10f64.powf(rng.random_range(-1.0..1.0)), [0.0, 1e-3, 1.0][rng.random_range(0..3)]);
            let spoiled = if rng.random_bool(0.1) { rng.random_range(0..x.len().max(1)) } else { x.len() };
            (0..x.len())
                .map(|k| match k == spoiled {
                    true => [f64::NAN, f64::INFINITY, -f64::INFINITY, 1e300][k % 4],
                    false => size * x[k] + noise * rng.random_range(-1.0..1.0),
                })
                .collect()
        };
        for trial in 0..30 {
            let mut t =
                Transposes { s: noisy(&good.s), g: noisy(&good.g), n: noisy(&good.n), groups: good.groups.clone() };
            match trial % 6 {
                0 => t.groups.rotate_left(1),
                1 => t.g = Vec::new(),
                2 => t.n = Vec::new(),
                3 => t.groups = vec![0, 0, 1],
                4 => t.s = good.s.clone(),
                _ => {
                    t.n = vec![
                        1.0;
                        (t.s.len() / problem.factor_rows()[good.groups.iter().position(|g| *g == 0).unwrap()])
                            .pow(2)
                    ]
                }
            }
            let point = DualPoint { source: "witness".into(), kind: Kind::Transposes(t) };
            if let Some(p) = prove(&problem, &point) {
                spoiled_and_proven += 1;
                assert!(p.value <= objective, "seed {seed}: {:e} above {objective:e}", p.value);
            }
        }
    }
    assert!(spoiled_and_proven > 50, "{spoiled_and_proven}");
}

#[test]
fn weak_duality_rejects_proofs_that_forgive() {
    let unscaled = |p: &Problem, z: &[f64]| {
        let pretend = Upper { value: p.lambda, method: "none", exact: false };
        prove_field(p, "residual", z, pretend).map(|b| b.value)
    };
    let ninety_percent = |p: &Problem, z: &[f64]| {
        let u = bound::upper(p, z)?;
        prove_field(p, "residual", z, Upper { value: 0.9 * u.value, ..u }).map(|b| b.value)
    };
    let mut caught = [0, 0];
    for seed in 0..10 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let recipes = [("l2", None, false), ("l2", None, false)];
        let mut problem = instance("matrix", &recipes, Layout::Full, (5, 4), 0.3, &mut rng);
        caught[0] += usize::from(weak_duality(&mut problem, &mut rng.clone(), unscaled).is_err());
        caught[1] += usize::from(weak_duality(&mut problem, &mut rng, ninety_percent).is_err());
    }
    assert!(caught[0] >= 8 && caught[1] >= 8, "{caught:?}");
}

/// A brute-force lower end: many random slices, each improved by exact half steps written out here.
fn brute_force_polar(problem: &Problem, z: &[f64], rng: &mut ChaCha8Rng) -> f64 {
    if problem.mapping.name() == "cp" {
        return brute_force_array(problem, z, rng);
    }
    let (m, n) = problem.shape();
    let mut w = Mat::zeros(m, n);
    problem.observations.entries().zip(problem.on_entries(z).iter()).for_each(|((i, j), z)| w[(i, j)] = *z);
    let gauges = &problem.regularizer.gauges;
    let mut best: f64 = 0.0;
    for _ in 0..300 {
        let x = random_factors(problem, 1, rng);
        let (mut u, mut v) = (x.0[0].clone(), x.0[x.0.len() - 1].clone());
        for _ in 0..30 {
            if gauges.len() == 1 {
                let size = gauges[0].value(u.as_slice());
                if size > 0.0 {
                    best = best.max((u.transpose() * &w * &u)[(0, 0)] / (size * size));
                }
                u = &u + (&w + w.transpose()) * &u * 0.1;
                gauges[0].cone().iter().for_each(|c| c.project(u.as_mut_slice()));
            } else {
                u = &w * &v;
                gauges[0].polar_argmax(u.as_mut_slice());
                v = w.transpose() * &u;
                gauges[1].polar_argmax(v.as_mut_slice());
                let (a, b) = (gauges[0].value(u.as_slice()), gauges[1].value(v.as_slice()));
                if a > 0.0 && b > 0.0 {
                    best = best.max((u.transpose() * &w * &v)[(0, 0)] / (a * b));
                }
            }
        }
    }
    best
}

/// The same for arrays of order 3.
fn brute_force_array(problem: &Problem, z: &[f64], rng: &mut ChaCha8Rng) -> f64 {
    let d = problem.factor_rows();
    let gauges = &problem.regularizer.gauges;
    let entries: Vec<[usize; 3]> = problem.observations.entries().map(|(i, j)| [i, j % d[1], j / d[1]]).collect();
    let mut best: f64 = 0.0;
    for _ in 0..100 {
        let mut x = random_factors(problem, 1, rng).0;
        for round in 0..60 {
            let k = round % 3;
            let mut next = Mat::zeros(d[k], 1);
            for (e, z) in entries.iter().zip(z) {
                next[e[k]] += z * (0..3).filter(|l| *l != k).map(|l| x[l][e[l]]).product::<f64>();
            }
            gauges[k].polar_argmax(next.as_mut_slice());
            x[k] = next;
            let size: f64 = gauges.iter().zip(&x).map(|(g, x)| g.value(x.as_slice())).product();
            let value: f64 = entries.iter().zip(z).map(|(e, z)| z * (0..3).map(|l| x[l][e[l]]).product::<f64>()).sum();
            if size > 0.0 {
                best = best.max(value / size);
            }
        }
    }
    best
}

/// upper >= brute force for the given bound.
fn upper_end_law(
    problem: &Problem,
    rng: &mut ChaCha8Rng,
    upper: impl Fn(&Problem, &[f64]) -> f64,
) -> Result<(), String> {
    let x = random_factors(problem, 2, rng);
    let z = problem.dual_field(&problem.predict(&x));
    let (up, low) = (upper(problem, &z), brute_force_polar(problem, &z, rng));
    if up < low * (1.0 - 1e-13) { Err(format!("upper end {up:e} below the attained {low:e}")) } else { Ok(()) }
}

#[test]
fn every_polar_bound_is_above_brute_force_and_degree_one_and_search_attains_its_values() {
    for (k, (mapping, recipes)) in kinds().iter().enumerate() {
        for layout in [Layout::Full, Layout::Masked] {
            let mut rng = ChaCha8Rng::seed_from_u64(k as u64);
            let shape = if *mapping == "psd" { (4, 4) } else { small_shape(mapping, recipes, (4, 3)) };
            let problem = instance(mapping, recipes, layout, shape, 0.3, &mut rng);
            let label = format!("{mapping} {recipes:?} {layout:?}");
            for b in bound::BOUNDS.iter().filter(|b| b.applies(&problem).is_some()) {
                // in passing, and where what is asked for is out of reach
                let (limit, work, budget) = (0.0, 1e4, &Budget::unlimited());
                let aim = bound::Aim { limit, tolerance: 1e-6, work, budget, seen: None, tree: None };
                let least = |p: &Problem, z: &[f64]| b.upper(p, z).value.min(b.upper_toward(p, z, &aim).value);
                upper_end_law(&problem, &mut rng, least).unwrap_or_else(|e| panic!("{} on {label}: {e}", b.name()));
            }
            let z = problem.y.clone();
            let upper = bound::upper(&problem, &z).expect("a bound applies to every pair");
            let scaled: Vec<f64> = z.iter().map(|z| 3.0 * z).collect();
            let tripled = bound::upper(&problem, &scaled).unwrap().value;
            assert!((tripled - 3.0 * upper.value).abs() <= 1e-9 * tripled + 1e-300, "{label}: not of degree 1");
            let found = search::search(&problem, &z, None, &search::Effort::default());
            assert!(found.best() <= upper.value, "{label}: found {} above {}", found.best(), upper.value);
            for (i, value) in found.values.iter().enumerate() {
                let slice = Factors(found.slices.0.iter().map(|x| x.columns(i, 1).into_owned()).collect());
                let phi = problem.predict(&slice);
                let attained: f64 = phi.iter().zip(&z).map(|(a, b)| a * b).sum();
                assert!((attained - value).abs() <= 1e-9 * value.abs(), "{label}: {value} is not attained: {attained}");
                assert!(problem.regularizer.balanced_value(&slice.slice(0)) <= 1.0 + 1e-9, "{label}: g > 1");
            }
            if upper.exact && recipes.iter().all(|r| r.0 != "linf") {
                assert!(
                    upper.value <= found.best() * (1.0 + 1e-6) + 1e-12,
                    "{label}: exact, yet {} < {}",
                    found.best(),
                    upper.value
                );
            }
        }
    }
}

/// A nonpositive side is a nonnegative one with the field's sign changed.
#[test]
fn the_bound_column_by_column_knows_the_sign_of_its_orthant() {
    use homfac::polar::bound::PolarBound;
    use homfac::polar::bound::columns::Columns;
    let mut differ = 0;
    for (k, other) in ["psd", "monotone", "halfspaces"].into_iter().enumerate() {
        let with = |cone| {
            let recipes = [("l2", Some(other), false), ("l2", Some(cone), false)];
            instance("matrix", &recipes, Layout::Full, (SQUARE, 3), 0.3, &mut ChaCha8Rng::seed_from_u64(k as u64))
        };
        let (below, above) = (with("nonpositive"), with("nonnegative"));
        let z = above.y.clone();
        let turned: Vec<f64> = z.iter().map(|z| -z).collect();
        let upper = |p: &Problem, z: &[f64]| Columns.upper(p, z).value;
        assert_eq!(upper(&below, &turned), upper(&above, &z), "{other}");
        differ += usize::from(upper(&above, &turned) != upper(&above, &z));
    }
    assert!(differ > 0);
}

/// The instance with random measurements, dense or sparse, in place of its entries.
fn through_measurements(mut problem: Problem, sparse: bool, rng: &mut ChaCha8Rng) -> Problem {
    let (m, n) = problem.shape();
    let count = m * n - 3;
    let a = Mat::from_fn(count, m * n, |_, _| rng.random_range(-1.0..1.0));
    let operator = if sparse {
        let row = |k: usize| (0..m * n).filter(|c| !(k + c).is_multiple_of(4)).map(|c| (c as u32, a[(k, c)])).collect();
        Operator::sparse((0..count).map(row).collect(), (m, n))
    } else {
        Operator::dense(a, (m, n))
    };
    problem.y = operator.apply(&problem.y).iter().map(|y| y + rng.random_range(-0.3..0.3)).collect();
    problem.w = problem.w.map(|w| w[..count].to_vec());
    problem.operator = Some(operator);
    problem.lambda = 0.2 * lambda_max(&problem, true).found;
    problem
}

#[test]
fn sensing_obeys_weak_duality_and_its_polar_bounds_are_above_brute_force() {
    let pairs = [
        ("psd", vec![("l2", None, false)]),
        ("psd", vec![("l2", Some("nonnegative"), true)]),
        ("matrix", vec![("l2", None, true), ("l2", None, false)]),
        ("matrix", vec![("l2", Some("nonnegative"), false), ("l2", None, false)]),
        ("matrix", vec![("l1", None, false), ("l2", Some("nonpositive"), false)]),
        ("matrix", vec![("linf", None, false), ("l2", None, true)]),
        ("matrix", vec![("tv#2", None, false), ("l2", None, false)]),
    ];
    let mut caught = 0;
    for (k, (mapping, recipes)) in pairs.iter().enumerate() {
        for layout in [Layout::Full, Layout::FullWeighted] {
            for sparse in [false, true] {
                let mut rng = ChaCha8Rng::seed_from_u64((10 * k) as u64 + u64::from(sparse));
                let shape = if *mapping == "psd" { (4, 4) } else { (5, 3) };
                let plain = instance(mapping, recipes, layout, shape, 0.3, &mut rng);
                let mut problem = through_measurements(plain, sparse, &mut rng);
                let label = format!("{mapping} {recipes:?} {layout:?} sparse {sparse}");
                weak_duality(&mut problem, &mut rng, residual_bound).unwrap_or_else(|e| panic!("{label}: {e}"));
                upper_end_law(&problem, &mut rng, |p, z| bound::upper(p, z).unwrap().value)
                    .unwrap_or_else(|e| panic!("{label}: {e}"));
                // the mutant: what is measured taken for the entries themselves
                let entries = |p: &Problem, z: &[f64]| {
                    let mut w = vec![0.0; p.observations.len()];
                    w[..z.len()].copy_from_slice(z);
                    bound::BOUNDS
                        .iter()
                        .filter(|b| b.applies(p).is_some())
                        .map(|b| b.upper(p, &w).value)
                        .fold(f64::MAX, f64::min)
                };
                caught += usize::from(upper_end_law(&problem, &mut rng, entries).is_err());
                // Euler's identity for the pullback through the operator
                let x = random_factors(&problem, 2, &mut rng);
                let prediction = problem.predict(&x);
                let z: Vec<f64> = prediction.iter().map(|_| rng.random_range(-1.0..1.0)).collect();
                let paired: f64 = (0..x.0.len()).map(|f| problem.pullback(&z, &x, f).dot(&x.0[f])).sum();
                let inner: f64 = z.iter().zip(&prediction).map(|(z, p)| z * p).sum();
                assert!((paired - 2.0 * inner).abs() <= 1e-11 * (1.0 + inner.abs()), "{label}");
            }
        }
    }
    assert!(caught >= 20, "{caught}");
}

#[test]
fn the_upper_end_law_rejects_an_estimate_from_below() {
    let mut caught = 0;
    for seed in 0..10 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let recipes = [("l2", Some("nonnegative"), false), ("l2", None, false)];
        let problem = instance("matrix", &recipes, Layout::Full, (4, 3), 0.3, &mut rng);
        // a Ritz value is no upper bound: two power steps from one start
        let ritz = |p: &Problem, z: &[f64]| {
            search::search(
                p,
                z,
                None,
                &search::Effort { starts: 1, iterations: 1, keep: 1, seed: 1, ..search::Effort::default() },
            )
            .best()
        };
        caught += usize::from(upper_end_law(&problem, &mut rng, ritz).is_err());
    }
    assert!(caught >= 5, "{caught}");
}

/// Watches that the objective never rises.
struct Monotone(f64);

impl Observer for Monotone {
    fn iteration(&mut self, i: &Iteration) {
        assert!(
            i.objective <= self.0 * (1.0 + 1e-12),
            "the objective rose from {} to {} at {}",
            self.0,
            i.objective,
            i.iter
        );
        self.0 = i.objective;
    }
}

#[test]
fn the_objective_never_rises_and_a_restart_at_the_answer_stays_there() {
    for (k, (mapping, recipes)) in kinds().iter().enumerate().step_by(7) {
        for layout in LAYOUTS {
            for descent in homfac::solve::descent::names() {
                let mut rng = ChaCha8Rng::seed_from_u64(k as u64);
                let shape = small_shape(mapping, recipes, (6, 5));
                let mut problem = instance(mapping, recipes, layout, shape, 0.2, &mut rng);
                if homfac::solve::descent::choose(&problem, Some(descent)).name() != descent {
                    continue;
                }
                let options = CertifyOptions { target_gap: 1e-6, effort: Effort::Cheap };
                let solver =
                    SolverOptions { descent: Some(descent.into()), max_outer: Some(10), ..SolverOptions::default() };
                let first =
                    solve(&mut problem, &solver, &options, None, &Budget::unlimited(), &mut Monotone(f64::INFINITY));
                let value = problem.objective(&first.factors);
                let again = solve(
                    &mut problem,
                    &solver,
                    &options,
                    Some(first.factors.clone()),
                    &Budget::unlimited(),
                    &mut Monotone(f64::INFINITY),
                );
                let restarted = problem.objective(&again.factors);
                assert!(restarted <= value * (1.0 + 1e-10), "{mapping} {recipes:?} {layout:?} {descent}");
            }
        }
    }
}

#[test]
fn a_backward_built_instance_ends_at_its_planted_optimum() {
    // Y = X + lambda W with ||W|| = 1 and W u = v on the planted directions: X is optimal by construction
    let (m, n, r, lambda) = (40, 25, 4, 0.7);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let noise = Mat::from_fn(m, n, |_, _| rng.random_range(-1.0..1.0));
    let svd = noise.svd(true, true);
    let (u, vt) = (svd.u.unwrap(), svd.v_t.unwrap());
    let sizes: Vec<f64> = (0..r).map(|k| 1.0 + k as f64).collect();
    let spread: Vec<f64> = (0..n).map(|k| if k < r { 1.0 } else { 0.9 - 0.02 * k as f64 }).collect();
    let y = Mat::from_fn(m, n, |i, j| {
        (0..n).map(|k| u[(i, k)] * (lambda * spread[k] + if k < r { sizes[k] } else { 0.0 }) * vt[(k, j)]).sum()
    });
    let residual: f64 = spread.iter().map(|s| (lambda * s).powi(2)).sum::<f64>() / 2.0;
    let optimum = residual + lambda * sizes.iter().sum::<f64>();
    let gauges = (0..2).map(|_| build_gauge(("l2", None, false), 1, &mut rng)).collect();
    let mut problem = Problem {
        observations: Observations::Full { rows: m, cols: n },
        operator: None,
        y: y.as_slice().to_vec(),
        w: None,
        loss: Box::new(loss::squared::Squared),
        mapping: (mapping::matrix::KIND.build)(&mapping::Setup::default()),
        regularizer: Regularizer { form: Form::Sum, gauges },
        extras: Extras::default(),
        offset: Vec::new(),
        lambda,
    };
    for (seed, rank) in [(0, 1), (1, 3), (2, 10)] {
        let options = CertifyOptions { target_gap: 1e-8, effort: Effort::Default };
        let solver = SolverOptions { seed, initial_rank: rank, ..SolverOptions::default() };
        let s = solve(&mut problem, &solver, &options, None, &Budget::unlimited(), &mut Silent);
        let c = certify(&problem, &s.factors, &s.witnesses, &options, &Budget::unlimited()).unwrap();
        assert_eq!(c.verdict, Verdict::Global);
        assert_eq!(c.rank, r);
        assert!((c.objective.total - optimum).abs() <= 1e-9 * optimum);
        assert!(c.lower_bound.unwrap() <= optimum * (1.0 + 1e-13));
    }
}

/// A diagonal of 2001 numbers of both signs, on a side whose proofs are expensive: its polar is the largest of them, or the
/// largest positive one where both factors are nonnegative.
fn long_diagonal(cone: Option<&str>) -> (Problem, f64) {
    let side = 2001;
    let y: Vec<f64> = (0..side).map(|i| (1.0 + i as f64 / side as f64) * if i % 2 == 0 { -1.0 } else { 1.0 }).collect();
    let polar = if cone.is_some() { y[side - 2] } else { -y[side - 1] };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let problem = Problem {
        operator: None,
        observations: Observations::Coordinates(
            Pattern::new(side, side, &(0..side).map(|i| (i, i)).collect::<Vec<_>>()).unwrap().0,
        ),
        y,
        w: None,
        loss: Box::new(loss::squared::Squared),
        mapping: (mapping::matrix::KIND.build)(&mapping::Setup::default()),
        regularizer: Regularizer {
            form: Form::Product,
            gauges: (0..2).map(|_| build_gauge(("l2", cone, false), side, &mut rng)).collect(),
        },
        extras: Extras::default(),
        offset: Vec::new(),
        lambda: 1.0,
    };
    assert!(bound::is_expensive(&problem));
    (problem, polar)
}

#[test]
fn an_expensive_proof_is_made_only_where_it_pays() {
    for cone in [None, Some("nonnegative")] {
        let (problem, polar) = long_diagonal(cone);
        let z = &problem.y;
        let lower = bound::estimate(&problem, z).unwrap();
        let upper = bound::upper(&problem, z).unwrap();
        assert!(lower <= polar * (1.0 + 1e-14) && lower >= polar * (1.0 - 1e-9), "{lower} for {polar}");
        assert!(upper.value >= polar && upper.value <= polar * (1.0 + 1e-8), "{upper:?} for {polar}");
        let promised = promise(&problem, z, lower);
        let proven = prove_field(&problem, "residual", z, upper).unwrap();
        assert!(proven.value <= promised * (1.0 + 1e-14) && proven.value >= promised * (1.0 - 1e-8));

        let mut keeper = Keeper::new();
        keeper.keep(Some(proven.clone()));
        let mut worse = z.clone();
        worse[0] *= 0.5;
        keeper.offer(&problem, &DualPoint::field("worse", worse));
        assert_eq!(keeper.best().unwrap().point.source, "residual");
        // a better one is taken: all that is below lambda in full
        let clipped = z.iter().map(|z| z.clamp(-1.0, 1.0)).collect();
        keeper.offer(&problem, &DualPoint::field("clipped", clipped));
        assert_eq!(keeper.best().unwrap().point.source, "clipped");
        assert!(keeper.value().unwrap() > proven.value);
    }
}
