//! Judge factors that other code made: multiplicative updates for nonnegative factorization, at a rank that was guessed.
//!
//! `cargo run --release --example judge`
#![allow(clippy::print_stdout, reason = "an example shows something")]

use homfac::budget::Budget;
use homfac::certify::{CertifyOptions, Effort, Verdict, certify};
use homfac::cone::nonnegative::Nonnegative;
use homfac::data::Observations;
use homfac::gauge::{Gauge, l2::L2};
use homfac::linalg::Mat;
use homfac::loss::squared::Squared;
use homfac::mapping::{Factors, matrix::Matrix};
use homfac::problem::{Form, Problem, Regularizer};
use std::error::Error;

/// ||Y - U V'||^2 / 2 + lambda (||U||^2 + ||V||^2) / 2 by multiplicative updates (Lee & Seung 2001), from a fixed start.
fn multiplicative(y: &Mat, lambda: f64, rank: usize) -> Factors {
    let start = |rows: usize| Mat::from_fn(rows, rank, |i, j| 0.5 + 0.4 * ((7 * i + 3 * j) as f64).sin());
    let (mut u, mut v) = (start(y.nrows()), start(y.ncols()));
    for _ in 0..3000 {
        u.component_mul_assign(&(y * &v).component_div(&(&u * (v.transpose() * &v) + lambda * &u)));
        v.component_mul_assign(&(y.transpose() * &u).component_div(&(&v * (u.transpose() * &u) + lambda * &v)));
    }
    Factors(vec![u, v])
}

/// Judges rank 1, then rank 3.
///
/// # Errors
/// None that this data makes.
pub fn main() -> Result<(), Box<dyn Error>> {
    let (rows, cols, lambda) = (12, 8, 0.5);
    let part = |i: usize, j: usize, at: usize| if i % 3 == at && j % 3 == at { 2.0 } else { 0.1 };
    let y = Mat::from_fn(rows, cols, |i, j| (0..3).map(|at| part(i, j, at)).sum());
    let nonnegative = || Gauge::new(Box::new(L2), None, Some(Box::new(Nonnegative)));
    let regularizer = Regularizer { form: Form::Sum, gauges: vec![nonnegative()?, nonnegative()?] };
    let full = Observations::Full { rows, cols };
    let mut problem = Problem::new(full, y.as_slice().to_vec(), Box::new(Squared), Box::new(Matrix), regularizer);
    problem.lambda = lambda;

    let options = CertifyOptions { target_gap: 1e-4, effort: Effort::Default };
    for (rank, expected) in [(1, Verdict::Refuted), (3, Verdict::Global)] {
        let factors = multiplicative(&y, lambda, rank);
        let c = certify(&problem, &factors, &[], &options, &Budget::unlimited())?;
        let gap = c.gap.relative.unwrap_or(f64::INFINITY);
        println!("rank {rank}: {:?}, objective {:.6}, proven gap {gap:.1e}", c.verdict, c.objective.total);
        assert_eq!(c.verdict, expected);
    }
    Ok(())
}
