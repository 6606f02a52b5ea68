//! Claims at the ends of the floating-point range, at optima known in closed form: nothing that underflows may carry a bound
//! above the optimum or an objective below its value.

use homfac::budget::Budget;
use homfac::certify::dual::{DualPoint, prove};
use homfac::certify::{Certificate, CertifyOptions, Effort, Verdict, certify};
use homfac::data::Observations;
use homfac::gauge::{self, Gauge, WEIGHT_RANGE};
use homfac::linalg::{Mat, Pattern};
use homfac::mapping::{self, Factors};
use homfac::polar::{bound, search};
use homfac::problem::{Form, Problem, Regularizer};
use homfac::solve::{observer::Silent, options::SolverOptions, solve};
use homfac::{cone, loss};

fn gauge(norm: &str, cone: Option<&str>, weight: Option<Vec<f64>>) -> Gauge {
    let norm = (gauge::KINDS.iter().find(|k| k.name == norm).unwrap().build)(&gauge::Parameters::default()).unwrap();
    let cone = cone.and_then(|c| (cone::KINDS.iter().find(|k| k.name == c).unwrap().example)(1));
    Gauge::new(norm, weight, cone).unwrap()
}

fn problem(observations: Observations, y: Vec<f64>, lambda: f64, cone: Option<&str>) -> Problem {
    Problem {
        observations,
        operator: None,
        y,
        w: None,
        loss: Box::new(loss::squared::Squared),
        mapping: (mapping::matrix::KIND.build)(&mapping::Setup::default()),
        regularizer: Regularizer {
            form: Form::Product,
            gauges: vec![gauge("l2", cone, None), gauge("l2", cone, None)],
        },
        extras: homfac::extra::Extras::default(),
        offset: Vec::new(),
        lambda,
    }
}

fn one(y: f64, lambda: f64, cone: Option<&str>) -> Problem {
    problem(Observations::Full { rows: 1, cols: 1 }, vec![y], lambda, cone)
}

fn certified(problem: &Problem, u: f64, v: f64) -> Certificate {
    let x = Factors(vec![Mat::from_element(1, 1, u), Mat::from_element(1, 1, v)]);
    let options = CertifyOptions { target_gap: 1e-4, effort: Effort::Default };
    certify(problem, &x, &[], &options, &Budget::unlimited()).unwrap()
}

/// Squares of the data are in range, their products are not: the one slice is found all the same. max(0, y - lambda) is its size.
#[test]
fn data_whose_fourth_powers_overflow_are_fitted() {
    for cone in [None, Some("nonnegative")] {
        let y = vec![1e153, 2e153, 2e153, 4e153];
        let mut p = problem(Observations::Full { rows: 4, cols: 1 }, y, 1e153, cone);
        let options = CertifyOptions { target_gap: 1e-9, effort: Effort::Default };
        let solution = solve(&mut p, &SolverOptions::default(), &options, None, &Budget::unlimited(), &mut Silent);
        let size: f64 = solution.factors.0.iter().map(|x| x.norm()).product();
        assert!((size / 4e153 - 1.0).abs() <= 1e-9, "{cone:?}: {size:e}");
    }
}

/// The squared norm of the data overflows, half of the rest of it at the optimum does not: lambda s - lambda^2 / 2 is proven.
#[test]
fn data_whose_squared_norm_overflows_is_fitted() {
    for cone in [None, Some("nonnegative")] {
        let (y, lambda) = (vec![2.6e153, 4.2e153, 5.6e153, 7.5e153, 1.76e154], 2e153);
        let size = 1e154 * y.iter().map(|y: &f64| (y / 1e154).powi(2)).sum::<f64>().sqrt();
        let mut p = problem(Observations::Full { rows: 5, cols: 1 }, y, lambda, cone);
        let options = CertifyOptions { target_gap: 1e-9, effort: Effort::Default };
        let s = solve(&mut p, &SolverOptions::default(), &options, None, &Budget::unlimited(), &mut Silent);
        let c = certify(&p, &s.factors, &s.witnesses, &options, &Budget::unlimited()).unwrap();
        assert_eq!(c.verdict, Verdict::Global, "{cone:?}: {:?}", c.gap);
        let best = lambda * (size - lambda / 2.0);
        assert!((c.objective.total / best - 1.0).abs() <= 1e-9, "{cone:?}: {:e}", c.objective.total);
    }
}

/// Squares of the field are subnormal, so slices that are called units are a little longer: that contradicts no proof.
#[test]
fn a_slice_that_is_no_unit_contradicts_no_proof() {
    for exponent in 150..165 {
        for k in 0..20 {
            let y = [1.0 + f64::from(k) / 7.0, -0.3 - f64::from(k % 7)].map(|y: f64| y * 10f64.powi(-exponent));
            let (at, _) = Pattern::new(2, 2, &[(0, 0), (0, 1)]).unwrap();
            let lambda = 0.99 * y[0].hypot(y[1]);
            let p = problem(Observations::Coordinates(at), y.to_vec(), lambda, None);
            let options = CertifyOptions { target_gap: 1e-4, effort: Effort::Default };
            let none = Factors(vec![Mat::zeros(2, 0), Mat::zeros(2, 0)]);
            let c = certify(&p, &none, &[], &options, &Budget::unlimited());
            let polar = c.unwrap_or_else(|e| panic!("{y:?}: {e}")).polar;
            assert!(polar.upper.is_none_or(|u| polar.lower <= u * (1.0 + 1e-12)), "{y:?}: {polar:?}");
        }
    }
}

/// Divided by the weights the field is beyond the range of squares: an upper end that is rounding alone is not called exact.
#[test]
fn an_end_that_is_rounding_alone_is_not_exact() {
    for (y, weight, exact) in [(1.0, 2.0, true), (1e-30, 1e75, false)] {
        let mut p = problem(Observations::Full { rows: 2, cols: 2 }, vec![y, 0.0, y, y], y * y, None);
        p.regularizer.gauges = (0..2).map(|_| gauge("l2", None, Some(vec![weight; 2]))).collect();
        let none = Factors(vec![Mat::zeros(2, 0), Mat::zeros(2, 0)]);
        let options = CertifyOptions { target_gap: 1e-4, effort: Effort::Default };
        let polar = certify(&p, &none, &[], &options, &Budget::unlimited()).unwrap().polar;
        assert!(polar.upper.is_some_and(|upper| upper >= polar.lower));
        assert_eq!(polar.exact, exact, "{polar:?}");
    }
}

/// Squares of the data overflow, and so does the objective wherever one looks: the solver ends.
#[test]
fn an_objective_beyond_the_range_ends_the_solve() {
    for cone in [None, Some("nonnegative")] {
        let y = (1..=20).map(|k| f64::from(k) * 1e160).collect();
        let mut p = problem(Observations::Full { rows: 5, cols: 4 }, y, 1e150, cone);
        let options = CertifyOptions { target_gap: 1e-9, effort: Effort::Default };
        solve(&mut p, &SolverOptions::default(), &options, None, &Budget::unlimited(), &mut Silent);
    }
}

/// lambda / polar underflows: what next_down makes of 0 is no scale. min (x - 1)^2 / 2 + lambda |x| <= lambda.
#[test]
fn a_scale_is_never_negative() {
    for cone in [None, Some("nonnegative")] {
        let p = one(1.0, 4e-16, cone);
        for z in [1.7e308, -1.7e308] {
            for point in [DualPoint::field("witness", vec![z]), DualPoint::majorant("witness", vec![z])] {
                if let Some(proven) = prove(&p, &point) {
                    assert!(proven.value <= p.lambda, "{cone:?} {point:?}: {} above {}", proven.value, p.lambda);
                }
            }
        }
    }
}

/// Y = 1e150 everywhere: the optimum is below lambda ||Y||_* = lambda 1e150 n. Where lambda is 275 times the least double, every
/// entry of the scaled point is rounded by up to a half of itself.
#[test]
fn a_point_that_is_scaled_into_denormals_stays_feasible() {
    let n = 30;
    let at = || Observations::Full { rows: n, cols: n };
    for units in [10.0, 27.0, 28.0, 275.0, 2750.0] {
        let p = problem(at(), vec![1e150; n * n], units * f64::from_bits(1), None);
        for z in [0.3, 1.0 / 3.0, 1.5, 7.7, 1e150] {
            let proven = prove(&p, &DualPoint::field("witness", vec![z; n * n]));
            let optimum = units * (f64::from_bits(1) * 1e150) * n as f64;
            assert!(proven.is_none_or(|b| b.value <= optimum * (1.0 + 1e-12)), "{units} units, {z}");
        }
    }
}

/// The least weight has no half: w y^2 / 2 = 2.47e76.
#[test]
fn a_denormal_data_weight_counts() {
    let mut p = one(1e200, 1e-100, None);
    p.w = Some(vec![f64::from_bits(1)]);
    let c = certified(&p, 0.0, 0.0);
    assert!(c.objective.total >= 2.47e76, "{:e}", c.objective.total);
}

/// lambda |u| |v| = 1e308 1e-324 = 1e-16, although |u| |v| underflows; and X = 0 costs 5e-41.
#[test]
fn a_regularizer_that_underflows_counts() {
    for form in [Form::Product, Form::Sum] {
        let mut p = one(1e-20, 1e308, None);
        p.regularizer.form = form;
        let c = certified(&p, 1e-162, 1e-162);
        assert!(c.objective.total >= 9.9e-17, "{form:?}: {:e}", c.objective.total);
        assert_ne!(c.verdict, Verdict::Global, "{form:?}");
    }
}

/// A unit vector of extreme weights: d_u d_v = 1 whatever the weights, and so is the polar of 1e-120.
#[test]
fn weights_that_cancel_leave_the_polar_alone() {
    let (low, high) = (*WEIGHT_RANGE.start(), *WEIGHT_RANGE.end());
    for (u, v) in [("l1", "l2"), ("l1", "linf"), ("linf", "l2"), ("linf", "linf"), ("l2", "l2"), ("l2", "l1")] {
        for (a, b) in [(low, high), (high, low)] {
            for y in [1.0, 1e-120, 1e-300] {
                let mut p = one(y, 1.0, None);
                p.regularizer.gauges = vec![gauge(u, None, Some(vec![a])), gauge(v, None, Some(vec![b]))];
                let truth = y / (a * b) * (1.0 - 1e-15);
                let up = bound::upper(&p, &[y]).unwrap().value;
                assert!(up >= truth, "{u} {a:e} x {v} {b:e}: {up:e} below {truth:e}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "out of range")]
fn weights_whose_products_overflow_are_refused() {
    gauge("l2", None, Some(vec![1e160]));
}

/// Four entries of a large sparse matrix: a Krylov space of dimension two, and far more start vectors. [[1, 1], [1, -1]] has
/// sigma_1 = sqrt(2); sqrt(||.||_1 ||.||_inf) = 2 is all that is proven without a Gram matrix, and not called exact.
#[test]
fn the_search_attains_what_it_claims_on_a_small_range() {
    for n in [100, 300, 6001] {
        let (p, _) = Pattern::new(n, n, &[(0, 0), (0, 1), (1, 0), (1, 1)]).unwrap();
        let y = vec![1.0, 1.0, 1.0, -1.0];
        let p = problem(Observations::Coordinates(p), y.clone(), 0.5, None);
        let found = search::search(&p, &y, None, &search::Effort::default());
        for (k, value) in found.values.iter().enumerate() {
            let (u, v) = (found.slices.0[0].column(k), found.slices.0[1].column(k));
            assert!((u.norm() - 1.0).abs() < 1e-12 && (v.norm() - 1.0).abs() < 1e-12, "n = {n}: slice {k}");
            assert!(*value <= 2f64.sqrt() * (1.0 + 1e-12), "n = {n}: {value}");
        }
        assert!(found.best() >= 2f64.sqrt() * (1.0 - 1e-12), "n = {n}");
        let upper = bound::upper(&p, &y).unwrap();
        assert_eq!(upper.exact, upper.value <= 2f64.sqrt() * (1.0 + 1e-10), "n = {n}: {upper:?}");
    }
}
