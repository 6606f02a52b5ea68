//! Matrix completion in memory: build a problem, solve it, certify the answer, predict what was not observed.
//!
//! `cargo run --release --example complete`
#![allow(clippy::print_stdout, reason = "an example shows something")]

use homfac::budget::Budget;
use homfac::certify::{CertifyOptions, Effort, Verdict, certify};
use homfac::data::Observations;
use homfac::gauge::{Gauge, l2::L2};
use homfac::linalg::Pattern;
use homfac::loss::squared::Squared;
use homfac::mapping::matrix::Matrix;
use homfac::polar::lambda_max;
use homfac::problem::{Form, Problem, Regularizer};
use homfac::solve::{observer::Silent, options::SolverOptions, solve};
use std::error::Error;

/// The truth: rank 2.
fn truth(i: usize, j: usize) -> f64 {
    let (i, j) = (i as f64, j as f64);
    (0.4 * i).sin() * (0.3 * j).cos() + 0.5 * (0.1 * i * i).cos() * (0.2 * j).sin()
}

/// Solves, and prints what is proven.
///
/// # Errors
/// None that this data makes.
pub fn main() -> Result<(), Box<dyn Error>> {
    let (rows, cols) = (30, 20);
    let observed: Vec<(usize, usize)> = (0..rows)
        .flat_map(|i| (0..cols).map(move |j| (i, j)))
        .filter(|(i, j)| (3 * i + 7 * j + i * j) % 5 != 0)
        .collect();
    // a pattern keeps its entries row by row, whatever order they come in: `order` says which is where
    let (pattern, order) = Pattern::new(rows, cols, &observed)?;
    let y = order.iter().map(|&k| truth(observed[k].0, observed[k].1)).collect();

    let l2 = || Gauge::new(Box::new(L2), None, None);
    let regularizer = Regularizer { form: Form::Product, gauges: vec![l2()?, l2()?] };
    let mut problem =
        Problem::new(Observations::Coordinates(pattern), y, Box::new(Squared), Box::new(Matrix), regularizer);
    problem.lambda = 0.02 * lambda_max(&problem, true).found;

    let options = CertifyOptions { target_gap: 1e-6, effort: Effort::Default };
    let budget = Budget::unlimited();
    let solution = solve(&mut problem, &SolverOptions::default(), &options, None, &budget, &mut Silent);
    // from the problem and the factors alone; the dual points that the solver met are proven again
    let certificate = certify(&problem, &solution.factors, &solution.witnesses, &options, &budget)?;
    println!(
        "{:?}: objective {:.6}, lower bound {:.6}, rank {}",
        certificate.verdict,
        certificate.objective.total,
        certificate.lower_bound.unwrap_or(f64::NEG_INFINITY),
        solution.factors.rank()
    );
    assert_eq!(certificate.verdict, Verdict::Global);

    let everywhere = Observations::Full { rows, cols };
    let fitted = problem.mapping.apply(&everywhere, &solution.factors);
    let missing = everywhere.entries().zip(&fitted).filter(|(at, _)| !observed.contains(at));
    let squares: Vec<f64> = missing.map(|((i, j), x)| (x - truth(i, j)).powi(2)).collect();
    let rmse = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
    println!("RMSE over {} entries that were not observed: {rmse:.4}", squares.len());
    assert!(rmse < 0.1);
    Ok(())
}
