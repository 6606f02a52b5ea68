//! Variable projection: L-BFGS on the shorter factor alone, the longer one following it row by row.
//!
//! ```text
//! f(U) = min over V of F(U, V)      F: the balanced sum form;  grad f(U) = dF/dU at that V
//! ```
//!
//! V follows by a few preconditioned conjugate gradients from where it was, and F at the pair is what must not rise. The long
//! factor, which has most unknowns and the least data for each, is no longer in the way of the steps, and not in their memory.
//! Source: Golub & Pereyra 1973, doi:10.1137/0710036; here with V found inexactly.

use super::balanced::NOISE;
use super::lbfgs::{self, Made, Smooth};
use super::memory::Inverse;
use super::metric::Metric;
use super::ridge::{self, Lines, Ridge};
use super::{Descent, Effort};
use crate::budget::Budget;
use crate::linalg::{Mat, dense};
use crate::mapping::Factors;
use crate::problem::Problem;
use crate::solve::reduce;

/// Variable projection.
#[derive(Debug)]
pub struct Varpro;

/// Conjugate gradients by which a row follows.
const STEPS: usize = 2;

/// A metric says little of a point where the objective is less by this share of itself.
const OUTGROWN: f64 = 1e-3;

impl Descent for Varpro {
    fn name(&self) -> &'static str {
        "varpro"
    }

    fn summary(&self) -> &'static str {
        "variable projection, the longer factor following the shorter: `matrix` with entries missing, squared loss; free `l2`"
    }

    fn applies(&self, problem: &Problem) -> bool {
        ridge::listed(problem).is_some()
    }

    fn descend(&self, problem: &Problem, x: &mut Factors, mut effort: Effort, budget: &Budget) {
        if x.rank() == 0 {
            // the regressions would be in vain
            return;
        }
        let Some((at, rows)) = ridge::listed(problem).zip(Ridge::new(problem)) else { return };
        problem.regularizer.balance(x);
        loop {
            // on principal axes the metric is diagonal
            reduce::orthogonalise(problem, x);
            if x.rank() == 0 {
                return;
            }
            let turned: Vec<Mat> = x.0.iter().map(dense::transpose).collect();
            let Some(metrics) = Metric::by_lines(problem, at, &turned) else {
                return lbfgs::descend_smooth(problem, x, effort, budget);
            };
            let [follower, leader] = rows.longer_first();
            let here = ridge::lines(&turned[follower]);
            let metric = ridge::lines(&metrics[follower].inverse);
            let leading = ridge::lines(&turned[leader]);
            let mut u = leading.to_vec();
            let mut f = Reduced { rows: &rows, rank: x.rank(), leader, leading, trial: here.clone(), here, metric };
            let metric = ridge::lines(&metrics[leader].inverse);
            let made = lbfgs::minimise(&mut f, &mut u, &[], &Inverse::Diagonal(&metric), effort, budget);
            x.0[leader] = ridge::factor(&u, f.rank);
            x.0[follower] = ridge::factor(&f.here, f.rank);
            problem.regularizer.balance(x);
            let Made::Outgrown(steps) = made else { return };
            effort.sweeps -= steps;
        }
    }
}

/// F as a function of the shorter factor, line by line.
struct Reduced<'a> {
    rows: &'a Ridge<'a>,
    rank: usize,
    leader: usize,
    /// The last point seen.
    leading: Lines,
    /// The longer factor that belongs to the point where descent goes on, and to the last point seen.
    here: Lines,
    trial: Lines,
    /// For the longer factor.
    metric: Lines,
}

impl Smooth for Reduced<'_> {
    fn evaluate(&mut self, u: &[f64], _ceiling: f64, gradient: &mut [f64]) -> f64 {
        let (follower, r) = (1 - self.leader, self.rank);
        self.leading.copy_from_slice(u);
        let following = (self.trial.as_mut_slice(), Some(self.here.as_slice()));
        self.rows.descend(follower, following, (&self.leading, r), STEPS, Some(&self.metric));
        self.rows.slope(self.leader, u, (&self.trial, r), gradient) + self.rows.penalty(follower, &self.trial, r)
    }

    fn accept(&mut self) {
        std::mem::swap(&mut self.here, &mut self.trial);
    }

    fn outgrown(&self, fell: f64, value: f64) -> bool {
        fell > OUTGROWN * value.abs()
    }

    fn noise(&self, value: f64) -> f64 {
        // sum |b z| / c <= 2 (sum b^2 / 2c)^(1/2) (sum z^2 / 2c)^(1/2)
        NOISE * (value.abs() + 2.0 * (self.rows.at_zero * value.abs()).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::lanczos::gaussian;
    use crate::solve::descent::lbfgs::Lbfgs;
    use crate::solve::descent::ridge::tests::problem;

    /// No step raises the objective, and the end is the one that steps of both factors find.
    #[test]
    fn it_ends_where_steps_of_both_factors_do() {
        for plain in [true, false] {
            let p = problem(plain);
            assert!(Varpro.applies(&p));
            let start = Factors(vec![gaussian(12, 3, 5), gaussian(9, 3, 6)]);
            let mut x = start.clone();
            let mut last = f64::INFINITY;
            for sweeps in [1, 2, 3, 5, 10, 2000] {
                Varpro.descend(&p, &mut x, Effort { sweeps, decrease: 0.0 }, &Budget::unlimited());
                let value = p.objective(&x);
                assert!(value <= last * (1.0 + 1e-14), "{value} after {last}");
                last = value;
            }
            let mut y = start;
            Lbfgs.descend(&p, &mut y, Effort { sweeps: 2000, decrease: 0.0 }, &Budget::unlimited());
            let expected = p.objective(&y);
            assert!((last - expected).abs() <= 1e-9 * expected, "{last} for {expected}");
        }
    }

    #[test]
    fn without_slices_there_is_nothing_to_do() {
        let p = problem(true);
        let mut x = Factors::empty(&p.factor_rows());
        Varpro.descend(&p, &mut x, Effort { sweeps: 3, decrease: 0.0 }, &Budget::unlimited());
        assert_eq!(x.rank(), 0);
    }
}
