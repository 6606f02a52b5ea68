//! A loss of one's own: expectiles, asymmetric least squares. Value, slope and conjugate of one entry are all it takes, each with
//! what rounding may make of it, and bounds are proven for it as for any other.
//!
//! `cargo run --release --example own_loss`
#![allow(clippy::print_stdout, reason = "an example shows something")]

use homfac::budget::Budget;
use homfac::certify::{CertifyOptions, Effort, Verdict, certify};
use homfac::data::Observations;
use homfac::gauge::{Gauge, l2::L2};
use homfac::loss::separable::Separable;
use homfac::mapping::matrix::Matrix;
use homfac::problem::{Form, Problem, Regularizer};
use homfac::solve::{observer::Silent, options::SolverOptions, solve};
use std::error::Error;

/// ```text
/// l0(x; y)    c (x - y)^2 / 2,      c = level where x < y, else 1 - level
/// -l0*(-z)    z y - z^2 / (2 c),    c = level where z > 0, else 1 - level           (Newey & Powell 1987)
/// ```
struct Expectile {
    level: f64,
}

impl Expectile {
    fn side(&self, below: bool) -> f64 {
        if below { self.level } else { 1.0 - self.level }
    }
}

impl Separable for Expectile {
    fn value(&self, y: f64, x: f64) -> f64 {
        0.5 * self.side(x < y) * (x - y) * (x - y)
    }

    // a difference, two products and a constant are rounded
    fn value_error(&self, y: f64, x: f64) -> f64 {
        6.0 * Separable::value(self, y, x)
    }

    fn slope(&self, y: f64, x: f64) -> f64 {
        self.side(x < y) * (x - y)
    }

    fn second(&self, y: f64, x: f64) -> f64 {
        self.side(x < y)
    }

    fn domain(&self, _w: f64, _y: f64) -> (f64, f64) {
        (f64::NEG_INFINITY, f64::INFINITY)
    }

    fn dual(&self, w: f64, y: f64, z: f64) -> f64 {
        z * y - 0.5 * z * (z / (w * self.side(z > 0.0)))
    }

    fn dual_error(&self, w: f64, y: f64, z: f64) -> f64 {
        2.0 * (z * y).abs() + 6.0 * z * (z / (w * self.side(z > 0.0)))
    }

    fn dual_derivative(&self, w: f64, y: f64, z: f64) -> f64 {
        y - z / (w * self.side(z > 0.0))
    }

    fn curvature(&self) -> f64 {
        self.level.max(1.0 - self.level)
    }
}

/// Solves for two levels: the higher one leaves fewer targets above.
///
/// # Errors
/// None that this data makes.
pub fn main() -> Result<(), Box<dyn Error>> {
    let (rows, cols) = (16, 10);
    let y: Vec<f64> = (0..rows * cols).map(|k| (0.7 * k as f64).sin() + (k * k % 11) as f64 / 5.0).collect();
    let options = CertifyOptions { target_gap: 1e-6, effort: Effort::Default };
    let mut above = Vec::new();
    for level in [0.5, 0.95] {
        let l2 = || Gauge::new(Box::new(L2), None, None);
        let regularizer = Regularizer { form: Form::Product, gauges: vec![l2()?, l2()?] };
        let full = Observations::Full { rows, cols };
        let mut problem = Problem::new(full, y.clone(), Box::new(Expectile { level }), Box::new(Matrix), regularizer);
        problem.lambda = 0.5;
        let budget = Budget::unlimited();
        let solution = solve(&mut problem, &SolverOptions::default(), &options, None, &budget, &mut Silent);
        let c = certify(&problem, &solution.factors, &solution.witnesses, &options, &budget)?;
        let fitted = problem.predict(&solution.factors);
        above.push(y.iter().zip(&fitted).filter(|(y, x)| y > x).count());
        println!("level {level}: {:?}, {} of {} targets lie above", c.verdict, above[above.len() - 1], y.len());
        assert_eq!(c.verdict, Verdict::Global);
    }
    assert!(above[1] < above[0]);
    Ok(())
}
