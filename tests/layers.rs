//! Networks of several layers: no bound above any objective, no upper end of the polar below what is attained, and twins of those
//! that are convex: `relu` for one hidden layer, nuclear norm regression for linear networks.

use homfac::budget::Budget;
use homfac::certify::dual::{DualPoint, prove, prove_field};
use homfac::certify::{Certificate, CertifyOptions, Effort, Known, Verdict, certify_at};
use homfac::data::Observations;
use homfac::gauge::{Gauge, l2::L2};
use homfac::linalg::{Mat, Pattern, dense, lanczos::gaussian};
use homfac::loss;
use homfac::mapping::{self, Activation, Factors, Layers, Setup};
use homfac::polar::bound::{self, Upper};
use homfac::polar::{lambda_max, search};
use homfac::problem::{Form, Problem, Regularizer};
use homfac::solve::observer::Silent;
use homfac::solve::options::SolverOptions;
use homfac::solve::solve;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SAMPLES: usize = 9;
const INPUTS: usize = 3;

/// The weights of the gauges.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Weights {
    None,
    /// Every coordinate has its own.
    Own,
    /// Those of inputs, of outputs, and of the layers between, so that units are alike.
    Shared,
}

/// What a network is made of.
#[derive(Clone, Debug)]
struct Recipe {
    kind: &'static str,
    layers: Layers,
    outputs: usize,
    weights: Weights,
    masked: bool,
    loss: &'static str,
}

fn recipe(kind: &'static str, widths: &[usize], activation: Activation) -> Recipe {
    let layers = Layers::new(widths.to_vec(), activation);
    Recipe { kind, layers, outputs: 1, weights: Weights::None, masked: false, loss: "squared" }
}

/// Every activation, with and without pooling, weights, masks, several outputs, and losses of all kinds of targets.
fn recipes() -> Vec<Recipe> {
    let deep = |widths: &[usize], activation| recipe("relu_deep", widths, activation);
    let pooled = |r: Recipe, pool: &[usize]| Recipe { layers: Layers { pool: pool.to_vec(), ..r.layers }, ..r };
    vec![
        deep(&[2], Activation::Relu),
        deep(&[3, 2], Activation::Relu),
        Recipe { outputs: 2, weights: Weights::Own, ..deep(&[2, 2], Activation::Relu) },
        Recipe { loss: "logistic", ..deep(&[2, 2, 2], Activation::Relu) },
        pooled(deep(&[4, 2], Activation::Relu), &[2, 1]),
        pooled(Recipe { outputs: 2, masked: true, ..deep(&[2], Activation::Relu) }, &[2]),
        deep(&[2], Activation::Abs),
        Recipe { weights: Weights::Own, ..deep(&[2, 2], Activation::Abs) },
        deep(&[2], Activation::Leaky(0.3)),
        deep(&[2, 2], Activation::Leaky(-2.0)),
        pooled(Recipe { loss: "huber", ..deep(&[2, 4], Activation::Leaky(0.5)) }, &[1, 2]),
        pooled(deep(&[4], Activation::Linear), &[2]),
        Recipe { outputs: 3, ..recipe("linear_net", &[2], Activation::Linear) },
        Recipe { outputs: 3, masked: true, loss: "squared_hinge", ..recipe("linear_net", &[2, 2], Activation::Linear) },
        Recipe { outputs: 2, weights: Weights::Own, ..recipe("linear_net", &[3, 2], Activation::Linear) },
        Recipe { outputs: 2, weights: Weights::Shared, ..recipe("linear_net", &[3, 2], Activation::Linear) },
        Recipe { outputs: 2, weights: Weights::Shared, ..deep(&[3], Activation::Relu) },
        Recipe { weights: Weights::Shared, ..deep(&[2, 2], Activation::Abs) },
    ]
}

/// A random problem, with lambda a fraction of lambda_max.
fn problem(r: &Recipe, fraction: f64, seed: u64) -> Problem {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut v = gaussian(SAMPLES, INPUTS, seed);
    v.column_mut(INPUTS - 1).fill(1.0);
    let (n, q) = (SAMPLES, r.outputs);
    let entries: Vec<(usize, usize)> =
        (0..q).flat_map(|j| (0..n).map(move |i| (i, j))).filter(|(i, j)| !r.masked || (i + 2 * j) % 4 != 0).collect();
    let observations = if r.masked {
        Observations::Coordinates(Pattern::new(n, q, &entries).unwrap().0)
    } else {
        Observations::Full { rows: n, cols: q }
    };
    let signs = matches!(r.loss, "logistic" | "squared_hinge");
    let target = |t: f64| if signs { t.signum() } else { 2.0 * t };
    let y = (0..entries.len()).map(|_| target(rng.random_range(-1.0..1.2))).collect();
    let kind = mapping::kind(r.kind).unwrap();
    let mapping = (kind.build)(&Setup { sizes: &[n, q], inputs: Some(&v), layers: Some(&r.layers) });
    let shapes = mapping.slice_shapes((n, q));
    let last = shapes.len() - 1;
    let gauges = shapes.iter().enumerate().map(|(k, s)| {
        let mut draw = |count: usize| -> Vec<f64> { (0..count).map(|_| rng.random_range(0.5..2.0)).collect() };
        let (d, h) = (s[0], s.get(1).copied().unwrap_or(1));
        let weights = match r.weights {
            Weights::None => None,
            Weights::Own => Some(draw(d * h)),
            Weights::Shared if k == 0 => Some(draw(d).iter().flat_map(|w| vec![*w; h]).collect()),
            Weights::Shared if k == last => Some(draw(h).repeat(d)),
            Weights::Shared => Some(vec![draw(1)[0]; d * h]),
        };
        Gauge::new(Box::new(L2), weights, None).unwrap()
    });
    let regularizer =
        Regularizer { form: if seed.is_multiple_of(2) { Form::Product } else { Form::Sum }, gauges: gauges.collect() };
    let parameters = if r.loss == "huber" { vec![0.5] } else { Vec::new() };
    let loss = (loss::kind(r.loss).unwrap().build)(&loss::Setup { parameters: &parameters, rows: &Vec::new });
    let mut problem = Problem::new(observations, y, loss, mapping, regularizer);
    problem.lambda = fraction * lambda_max(&problem, true).found;
    problem
}

fn solved(problem: &mut Problem, target_gap: f64) -> (Factors, Certificate) {
    let options = CertifyOptions { target_gap, effort: Effort::Default };
    let budget = Budget::unlimited();
    let solver = SolverOptions { max_outer: Some(12), ..SolverOptions::default() };
    let s = solve(problem, &solver, &options, None, &budget, &mut Silent);
    let known = Known { witnesses: &s.witnesses, polar: s.polar.as_ref(), cuts: None };
    let c = certify_at(problem, &s.factors, Some(&s.extras), known, &options, &budget).unwrap();
    (s.factors, c)
}

fn random(problem: &Problem, rank: usize, rng: &mut ChaCha8Rng) -> Factors {
    let size = 10f64.powf(rng.random_range(-1.0..0.3));
    let draw = |&d: &usize| Mat::from_fn(d, rank, |_, _| size * rng.random_range(-1.0..1.0));
    Factors(problem.factor_rows().iter().map(draw).collect())
}

/// Whether some bound that `proof` gives exceeds an objective: that of random points, or of the one that descent ends at.
fn exceeds(problem: &Problem, end: &Factors, seed: u64, proof: impl Fn(&Problem, &[f64]) -> Option<f64>) -> bool {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut points: Vec<Factors> = (0..5).map(|r| random(problem, r, &mut rng)).collect();
    points.push(end.clone());
    let best = points.iter().map(|x| problem.objective(x)).fold(f64::INFINITY, f64::min);
    let bounds = points.iter().filter_map(|x| proof(problem, &problem.dual_field(&problem.predict(x))));
    bounds.fold(f64::NEG_INFINITY, f64::max) > best + 1e-12 * best.abs()
}

#[test]
fn no_lower_bound_exceeds_any_objective() {
    let residual = |p: &Problem, z: &[f64]| prove(p, &DualPoint::field("residual", z.to_vec())).map(|p| p.value);
    // the mutant: an upper end of the polar that is an eighth of what is proven
    let overstated = |p: &Problem, z: &[f64]| {
        let u = bound::upper(p, z)?;
        prove_field(p, "residual", z, Upper { value: 0.125 * u.value, ..u }).map(|p| p.value)
    };
    for (k, r) in recipes().iter().enumerate() {
        let seed = k as u64;
        let mut p = problem(r, 0.3, seed);
        let (end, c) = solved(&mut p, 1e-4);
        assert!(c.lower_bound.unwrap() <= c.objective.total, "{r:?}");
        assert!(!exceeds(&p, &end, seed, residual), "{r:?}");
        assert!(exceeds(&p, &end, seed, overstated), "{r:?}: the mutant survives");
    }
}

/// The largest <Z, phi> of many random networks of gauge 1, each climbed from.
fn attained(p: &Problem, z: &[f64], seed: u64) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut x = random(p, 200, &mut rng);
    for (f, g) in x.0.iter_mut().zip(&p.regularizer.gauges) {
        f.column_iter_mut().for_each(|mut c| c /= g.value(c.as_slice()));
    }
    let one = |x: &Factors, i: usize| Factors(x.0.iter().map(|x| x.columns(i, 1).into_owned()).collect());
    let value = |x: &Factors| p.apply(x).iter().zip(z).map(|(p, z)| p * z).sum::<f64>();
    let best = (0..200).map(|i| value(&one(&x, i)).abs()).fold(0.0, f64::max);
    let found = search::search(p, z, None, &search::Effort { starts: 64, ..search::Effort::default() });
    assert!((value(&one(&found.slices, 0)) - found.best()).abs() <= 1e-12 * found.best());
    best.max(found.best())
}

#[test]
fn no_upper_end_of_the_polar_is_below_what_is_attained() {
    for (k, r) in recipes().iter().enumerate() {
        for seed in [k as u64, 100 + k as u64] {
            let p = problem(r, 0.3, seed);
            let z: Vec<f64> = gaussian(p.y.len(), 1, seed + 7).as_slice().to_vec();
            let (upper, low) = (bound::upper(&p, &z).unwrap(), attained(&p, &z, seed));
            assert!(upper.value >= low * (1.0 - 1e-12), "{r:?}: {} below {low}", upper.value);
            // not so far above that a wrong power of a norm would pass
            assert!(upper.value <= 12.0 * low, "{r:?}: {} far above {low}", upper.value);
            if upper.exact {
                assert!(upper.value <= low * (1.0 + 1e-9), "{r:?}: {} is not {low}", upper.value);
            }
            // every method by itself
            for (b, _) in bound::applicable(&p) {
                assert!(b.upper(&p, &z).value >= low * (1.0 - 1e-12), "{r:?}: {}", b.name());
            }
        }
    }
}

#[test]
fn nothing_is_proven_best_where_lambda_is_above_the_bound() {
    for (k, r) in recipes().iter().enumerate() {
        let mut p = problem(r, 0.3, k as u64);
        let upper = lambda_max(&p, true).upper.unwrap();
        p.lambda = 1.000001 * upper;
        let (x, c) = solved(&mut p, 1e-4);
        assert_eq!((c.verdict, x.rank()), (Verdict::Global, 0), "{r:?}: gap {:?}", c.gap);
    }
}

/// The same data as a network of two layers.
fn as_relu(r: &Recipe, seed: u64, lambda: f64) -> Problem {
    let one = Recipe { kind: "relu", layers: Layers::new(vec![1], Activation::Relu), ..r.clone() };
    Problem { lambda, ..problem(&one, 1.0, seed) }
}

#[test]
fn one_hidden_layer_is_the_network_of_two_layers_and_more_of_them_do_no_worse() {
    for seed in 0..4 {
        for (widths, loss) in [(vec![3], "squared"), (vec![2, 2], "squared"), (vec![2], "logistic")] {
            let r = Recipe { loss, ..recipe("relu_deep", &widths, Activation::Relu) };
            let mut p = problem(&r, 0.2, seed);
            let (x, c) = solved(&mut p, 1e-4);
            let (two, d) = solved(&mut as_relu(&r, seed, p.lambda), 1e-4);
            let (a, b) = (c.objective.total, d.objective.total);
            // a chain of units does what one does; descent holds no kinks of several layers
            let room = if widths.len() == 1 { 1e-5 } else { 1e-3 };
            assert!(a <= b * (1.0 + room), "{r:?}, seed {seed}: {a} above {b}");
            if widths.len() == 1 {
                assert!(a >= b * (1.0 - 1e-5), "{r:?}, seed {seed}: {a} below {b}");
                assert_eq!(c.verdict, d.verdict);
                assert_eq!(x.rank(), two.rank().div_ceil(widths[0]), "units go together again");
            }
        }
    }
}

/// min l(V Z) + lambda ||Z||_* for squared loss, by accelerated proximal gradient: shares nothing with the crate but its SVD.
fn nuclear_regression(p: &Problem) -> f64 {
    let v = p.mapping.inputs().unwrap();
    let (n, q) = p.shape();
    let (mut y, mut seen) = (Mat::zeros(n, q), Mat::zeros(n, q));
    p.observations.entries().zip(&p.y).for_each(|(e, t)| (y[e], seen[e]) = (*t, 1.0));
    let step = 1.0 / v.norm_squared();
    let value = |z: &Mat| {
        let loss = 0.5 * (v * z - &y).component_mul(&seen).norm_squared();
        loss + p.lambda * dense::thin_svd(z).unwrap().1.iter().sum::<f64>()
    };
    let (mut z, mut ahead, mut t) = (Mat::zeros(v.ncols(), q), Mat::zeros(v.ncols(), q), 1.0f64);
    let mut best = value(&z);
    for _ in 0..4_000 {
        let gradient = v.tr_mul(&(v * &ahead - &y).component_mul(&seen));
        let (left, s, right) = dense::thin_svd(&(&ahead - gradient * step)).unwrap();
        let kept = Mat::from_fn(s.len(), s.len(), |i, j| if i == j { (s[i] - p.lambda * step).max(0.0) } else { 0.0 });
        let next = left * kept * right.transpose();
        let next_t = 0.5 * (1.0 + (1.0 + 4.0 * t * t).sqrt());
        ahead = &next + (&next - &z) * ((t - 1.0) / next_t);
        (z, t) = (next, next_t);
        best = best.min(value(&z));
    }
    best
}

#[test]
fn linear_networks_are_nuclear_norm_regression_and_global() {
    for (seed, masked) in [(0, false), (1, true), (2, false), (3, true)] {
        for widths in [vec![2], vec![2, 3], vec![1, 1, 1]] {
            let r = Recipe { outputs: 4, masked, ..recipe("linear_net", &widths, Activation::Linear) };
            let mut p = problem(&r, 0.15, seed);
            let (x, c) = solved(&mut p, 1e-7);
            let twin = nuclear_regression(&p);
            assert_eq!(c.verdict, Verdict::Global, "{r:?}: gap {:?}", c.gap);
            let (total, bound) = (c.objective.total, c.lower_bound.unwrap());
            assert!(bound <= twin * (1.0 + 1e-9) && total <= twin * (1.0 + 1e-6), "{bound}, {total} and {twin}");
            assert!(x.rank() > 0 && x.rank() <= c.rank_bound, "{r:?}: {} slices", x.rank());
            // a linear activation is a linear network
            let same = Recipe { kind: "relu_deep", ..r.clone() };
            let (_, d) = solved(&mut problem(&same, 0.15, seed), 1e-7);
            assert_eq!(d.objective.total, total);
        }
    }
}
