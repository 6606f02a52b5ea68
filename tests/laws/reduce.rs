//! Reduction drops planted zero, parallel and dependent slices, leaves Phi alone and never raises the objective.

use crate::draw::{EPS, Rng, claim, holds, inputs, log_uniform, moved, norm, normals, rejects, scaled};
use homfac::data::Observations;
use homfac::extra::Extras;
use homfac::gauge::{self, Gauge};
use homfac::linalg::{Mat, dense};
use homfac::mapping::{self, Activation, Count, Factors, Layers};
use homfac::problem::{Form, Problem, Regularizer};
use homfac::solve::reduce::reduce;
use homfac::{cone, loss};
use rand::RngExt;

const SIDE: usize = 6;
/// The side where the cone has none of that length.
const SQUARE: usize = 4;

/// A kind of norm and the number of its example, with a kind of cone.
type Recipe = (&'static gauge::Kind, usize, Option<&'static cone::Kind>);

fn compose((norm, example, cone): Recipe) -> Result<Gauge, String> {
    let n = side(cone);
    Gauge::new((norm.examples)(n).swap_remove(example), None, cone.and_then(|c| (c.example)(n)))
}

fn side(cone: Option<&cone::Kind>) -> usize {
    if cone.is_none_or(|c| (c.example)(SIDE).is_some()) { SIDE } else { SQUARE }
}

/// A problem with the same gauge on every factor, over a full target, in either form.
fn problem(mapping: &mapping::Kind, recipe: Recipe, rng: &mut Rng) -> Problem {
    // a square matrix, or a cube
    let side = side(recipe.2);
    let sizes = vec![side; if mapping.factors == Count::Indices { 3 } else { 2 }];
    // one hidden unit, so that factors have the sides of the matrix
    let layers = Layers::new(vec![1], Activation::Relu);
    let count = mapping.count(sizes.len(), Some(&layers));
    let gauges = (0..count).map(|_| compose(recipe).expect("a pair with a rule")).collect();
    let observations = Observations::Full { rows: side, cols: sizes[1..].iter().product() };
    let mut y = normals(observations.len(), rng);
    if sizes.len() == 2 {
        let half = Mat::from_vec(side, side, y);
        y = (&half + half.transpose()).as_slice().to_vec();
    }
    Problem {
        observations,
        operator: None,
        y,
        w: None,
        loss: Box::new(loss::squared::Squared),
        mapping: (mapping.build)(&mapping::Setup {
            sizes: &sizes,
            inputs: Some(&inputs(side, side)),
            layers: Some(&layers),
        }),
        regularizer: Regularizer { form: if rng.random_bool(0.5) { Form::Product } else { Form::Sum }, gauges },
        extras: Extras::default(),
        offset: Vec::new(),
        lambda: log_uniform(1e-2..10.0, rng),
    }
}

/// Every mapping with every norm and cone that compose.
fn problems() -> Vec<(String, &'static mapping::Kind, Recipe)> {
    let mut out = Vec::new();
    for mapping in mapping::KINDS {
        for norm in gauge::KINDS {
            for cone in std::iter::once(None).chain(cone::KINDS.iter().map(|c| Some(*c))) {
                for example in 0..(norm.examples)(SIDE).len() {
                    if compose((norm, example, cone)).is_ok() {
                        let label = format!("{}, {} {example}, {:?}", mapping.name, norm.name, cone.map(|c| c.name));
                        out.push((label, *mapping, (*norm, example, cone)));
                    }
                }
            }
        }
    }
    out
}

fn random_slice(problem: &Problem, rng: &mut Rng) -> Factors {
    let column = |(&d, g): (&usize, &Gauge)| {
        let mut x = normals(d, rng);
        g.cone().iter().for_each(|c| c.project(&mut x));
        Mat::from_vec(d, 1, x)
    };
    Factors(problem.factor_rows().iter().zip(&problem.regularizer.gauges).map(column).collect())
}

/// What is planted among random slices.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Plant {
    /// One factor of the slice is 0.
    Zero,
    /// A multiple of another slice, its factors scaled unevenly.
    Parallel,
    /// phi of three slices sum up to phi of the last: they share all factors but the last, in which phi is linear.
    Dependent,
}

fn plant(problem: &Problem, what: Plant, rng: &mut Rng) -> Factors {
    let mut x = random_slice(problem, rng);
    for _ in 0..rng.random_range(0..3) {
        x.append(&random_slice(problem, rng));
    }
    let last = Factors(x.0.iter().map(|x| x.columns(x.ncols() - 1, 1).into_owned()).collect());
    match what {
        Plant::Zero => {
            let mut zero = random_slice(problem, rng);
            zero.0[0].fill(0.0);
            x.append(&zero);
        }
        Plant::Parallel => {
            let mut multiple = last;
            multiple.0.iter_mut().for_each(|x| *x *= log_uniform(0.1..10.0, rng));
            x.append(&multiple);
        }
        Plant::Dependent => {
            let end = last.0.len() - 1;
            let mut other = last.clone();
            other.0[end] = random_slice(problem, rng).0[end].clone();
            let mut sum = last.clone();
            sum.0[end] = &last.0[end] + &other.0[end];
            x.append(&other);
            x.append(&sum);
        }
    }
    x
}

/// Phi is kept, the objective does not rise, and a slice goes. Dependence shows as an eigenvalue of the Gram matrix that
/// is zero up to rounding, n units; along its vector Phi moves by the square root of what is not zero, at most.
fn reduction(
    step: impl Fn(&Problem, &mut Factors),
    problem: &Problem,
    what: Plant,
    rng: &mut Rng,
) -> Result<(), String> {
    let before = plant(problem, what, rng);
    let mut after = before.clone();
    step(problem, &mut after);
    let (a, b) = (problem.predict(&before), problem.predict(&after));
    let change = norm(&moved(&a, -1.0, &b)) / problem.mapping.magnitude(&before);
    claim(change <= 1e-9, || format!("Phi moves by {change:e} of its size from {before:?} to {after:?}"))?;
    let (f, g) = (problem.objective(&before), problem.objective(&after));
    // each slice dropped costs the rounding of one objective
    let rounding = 4.0 * (SIDE * SIDE * before.rank()) as f64 * EPS * f;
    claim(g <= f + rounding, || format!("the objective rises from {f:e} to {g:e} over {before:?}"))?;
    claim(after.rank() < before.rank(), || format!("nothing is dropped from {before:?}"))
}

fn plants(mapping: &mapping::Kind) -> &'static [Plant] {
    // with one factor, phi(u + v) is not phi(u) + phi(v)
    if mapping.factors != Count::Exactly(1) {
        &[Plant::Zero, Plant::Parallel, Plant::Dependent]
    } else {
        &[Plant::Zero, Plant::Parallel]
    }
}

#[test]
fn reduction_drops_what_is_planted_and_never_raises_the_objective() {
    for (label, mapping, recipe) in problems() {
        // a sum of two vectors need not lie in a cone that is not convex
        let convex = compose(recipe).is_ok_and(|g| g.is_convex());
        for &what in plants(mapping).iter().filter(|p| convex || **p != Plant::Dependent) {
            holds(&format!("{label}, {what:?}"), |rng| {
                let problem = problem(mapping, recipe, rng);
                let drop = |p: &Problem, x: &mut Factors| {
                    reduce(p, x);
                };
                reduction(drop, &problem, what, rng)
            });
        }
    }
}

/// The null vector of the Gram matrix with sum theta_i g_i <= 0 and min theta = -1.
fn null_direction(problem: &Problem, x: &Factors) -> Vec<f64> {
    let (_, vectors) = dense::symmetric_eigen(&problem.mapping.gram(x)).unwrap();
    let theta: Vec<f64> = vectors.column(0).iter().copied().collect();
    let cost: f64 = theta.iter().enumerate().map(|(i, t)| t * problem.regularizer.balanced_value(&x.slice(i))).sum();
    let theta = scaled(&theta, if cost > 0.0 { -1.0 } else { 1.0 });
    let lowest = theta.iter().fold(0.0, |m: f64, t| m.min(*t));
    scaled(&theta, -1.0 / lowest)
}

/// X_i <- factor(theta_i) X_i on balanced slices, dropping those that vanish.
fn move_along(problem: &Problem, x: &mut Factors, factor: impl Fn(f64) -> f64) {
    problem.regularizer.balance(x);
    let theta = null_direction(problem, x);
    let sizes: Vec<f64> = theta.iter().map(|&t| factor(t)).collect();
    sizes.iter().enumerate().for_each(|(i, s)| x.scale_slice(i, *s));
    x.keep(&sizes.iter().map(|s| s.abs() > 1e-9).collect::<Vec<_>>());
}

#[test]
fn the_law_rejects_the_printed_step_the_wrong_sign_and_the_wrong_degree() {
    let matrix = mapping::KINDS.iter().find(|k| k.name == "matrix").unwrap();
    let l2 = gauge::KINDS.iter().find(|k| k.name == "l2").unwrap();
    let on = |what: Plant, step: fn(&Problem, &mut Factors)| {
        move |rng: &mut Rng| reduction(step, &problem(matrix, (*l2, 0, None), rng), what, rng)
    };
    // the right step passes, so that what fails below is the factor alone
    holds("(1 + theta)^(1/2)", on(Plant::Dependent, |p, x| move_along(p, x, |t| (1.0 + t).max(0.0).sqrt())));
    // as printed in Algorithm 1: uphill, and nothing vanishes at theta = -1
    rejects("(1 - theta)^(1/2)", on(Plant::Dependent, |p, x| move_along(p, x, |t| (1.0 - t).max(0.0).sqrt())));
    rejects("1 + theta", on(Plant::Dependent, |p, x| move_along(p, x, |t| 1.0 + t)));
    // parallel slices a z, b z merge to (a^2 + b^2)^(1/2) z, not (a + b) z
    rejects(
        "factors added",
        on(Plant::Parallel, |_, x| {
            let r = x.rank();
            for x in &mut x.0 {
                let sum = x.column(r - 2) + x.column(r - 1);
                x.set_column(r - 2, &sum);
            }
            x.keep(&(0..r).map(|i| i + 1 < r).collect::<Vec<_>>());
        }),
    );
    rejects("nothing dropped", on(Plant::Zero, |_, _| ()));
}
