//! Alternating least squares, row by row: far from the optimum a sweep brings more than steps of all factors together.
//!
//! A few conjugate gradients per row from the row at hand, so that f never rises; each passes over the row's entries once. Near
//! the optimum a sweep gains a constant share of what is left, which quasi-Newton steps overtake: this goes before a strategy,
//! and is none itself.

use super::Effort;
use super::ridge::{self, Lines, Ridge};
use crate::budget::Budget;
use crate::linalg::dense;
use crate::mapping::Factors;
use crate::problem::Problem;

/// Conjugate gradients for a row.
const STEPS: usize = 3;
/// A sweep that brings more than this share of the last one announces many of its kind.
const SLOW: f64 = 0.5;
/// A sweep costs less than others' steps, and goes on until it brings this share of what those should.
const ENOUGH: f64 = 0.1;

/// Sweeps while the rate is good and each brings something. Whether the last one brought less than `effort.decrease`. Nothing
/// is done where there are no rows to alternate over.
pub fn settle(problem: &Problem, x: &mut Factors, effort: Effort, budget: &Budget) -> bool {
    let r = x.rank();
    if r == 0 {
        return true;
    }
    let Some(rows) = Ridge::new(problem) else { return false };
    problem.regularizer.balance(x);
    let mut turned: Vec<Lines> = x.0.iter().map(|x| ridge::lines(&dense::transpose(x))).collect();
    let order = rows.longer_first();
    let shorter = order[1];
    let mut gradient = vec![0.0; turned[shorter].len()];
    let mut value = |x: &[Lines]| {
        rows.slope(shorter, &x[shorter], (&x[1 - shorter], r), &mut gradient)
            + rows.penalty(1 - shorter, &x[1 - shorter], r)
    };
    let mut reached = value(&turned);
    let mut last = f64::INFINITY;
    let mut done = false;
    for _ in 0..effort.sweeps {
        if budget.exhausted() {
            break;
        }
        for k in order {
            let other = std::mem::replace(&mut turned[1 - k], ridge::zeros(0));
            rows.descend(k, (&mut turned[k], None), (&other, r), STEPS, None);
            turned[1 - k] = other;
        }
        let next = value(&turned);
        let decrease = reached - next;
        reached = next;
        done = decrease < effort.decrease;
        if decrease > SLOW * last || decrease < ENOUGH * effort.decrease {
            break;
        }
        last = decrease;
    }
    *x = Factors(turned.iter().map(|x| ridge::factor(x, r)).collect());
    problem.regularizer.balance(x);
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::lanczos::gaussian;
    use crate::solve::descent::ridge::tests::{problem, slope_of};

    /// No sweep raises the objective; where they go on, rows are stationary.
    #[test]
    fn sweeps_descend_to_rows_that_are_best() {
        for plain in [true, false] {
            let p = problem(plain);
            let mut x = Factors(vec![gaussian(12, 3, 5), gaussian(9, 3, 6)]);
            let mut last = f64::INFINITY;
            for _ in 0..20000 {
                settle(&p, &mut x, Effort { sweeps: 1, decrease: 0.0 }, &Budget::unlimited());
                let value = p.objective(&x);
                assert!(value <= last * (1.0 + 1e-14), "{value} after {last}");
                last = value;
            }
            for k in 0..2 {
                let slope = slope_of(&p, &x, k).norm();
                assert!(slope <= 1e-5, "factor {k}: {slope}");
            }
        }
    }

    #[test]
    fn a_sweep_that_brings_little_is_the_last() {
        let p = problem(true);
        let mut x = Factors(vec![gaussian(12, 3, 5), gaussian(9, 3, 6)]);
        assert!(settle(&p, &mut x, Effort { sweeps: 9, decrease: f64::INFINITY }, &Budget::unlimited()));
        assert!(!settle(&p, &mut x, Effort { sweeps: 1, decrease: 0.0 }, &Budget::unlimited()));
    }
}
