//! A solve with its certificate. What the certificate's own searches come upon goes back to the solver:
//!
//! ```text
//! solve -> certify -> refuted by a slice z and a step t along it?  append t^(1/p) z, solve on from there, certify again
//! ```
//!
//! so an answer is refuted only where time, iterations or rank ran out. Every round lowers the objective by what refutes it.

use super::checkpoint::{Checkpoint, Ended};
use super::observer::Observer;
use super::options::SolverOptions;
use super::{Solution, StopReason, Until, Warm, go_on_with, resume, solve_warm};
use crate::budget::Budget;
use crate::certify::{self, Certificate, CertifyError, CertifyOptions, Known, Verdict};
use crate::linalg::Mat;
use crate::mapping::Factors;
use crate::problem::Problem;
use std::time::{Duration, Instant};

/// The share of the time left that solving leaves for certifying.
const CERTIFY_SHARE: f64 = 0.15;

/// How long an answer may take: all of it, and what of that may be spent on either part.
#[derive(Clone, Debug)]
pub struct Limits<'a> {
    /// All of it.
    pub all: &'a Budget,
    /// `solver.time_limit`.
    pub solving: Option<Duration>,
    /// `certificate.time_limit`.
    pub certifying: Option<Duration>,
}

impl Limits<'_> {
    /// For solving, some of which is spent; it ends in time for certifying.
    fn solving(&self, spent: Duration) -> Budget {
        let left = self.all.remaining().map(|d| d.mul_f64(1.0 - CERTIFY_SHARE));
        self.all.within(left).within(self.solving.map(|t| t.saturating_sub(spent)))
    }

    fn certifying(&self, spent: Duration) -> Budget {
        self.all.within(self.certifying.map(|t| t.saturating_sub(spent)))
    }
}

/// Where a solve begins.
#[derive(Debug)]
pub enum Begin<'a> {
    /// At a start, or none.
    Warm(Warm<'a>),
    /// Where it was, and was to go.
    Saved(&'a Checkpoint, Until),
    /// At its end, which is to be certified.
    Ended(&'a Ended, Until),
}

/// A point, what is proven of it, and the time that each took.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The point.
    pub solution: Solution,
    /// What is proven of it.
    pub certificate: Certificate,
    /// Time spent solving.
    pub solving: Duration,
    /// Time spent certifying.
    pub certifying: Duration,
}

/// Solves toward the gap that `target` asks for and certifies with the options of `certify`, by turns.
///
/// # Errors
/// [`CertifyError`].
pub fn answer(
    problem: &mut Problem,
    options: &SolverOptions,
    target: &CertifyOptions,
    certify: &CertifyOptions,
    begin: Begin<'_>,
    limits: &Limits<'_>,
    observer: &mut dyn Observer,
) -> Result<Answer, CertifyError> {
    let until = match &begin {
        Begin::Warm(warm) => warm.until,
        Begin::Saved(_, until) | Begin::Ended(_, until) => *until,
    };
    let clock = Instant::now();
    let budget = limits.solving(Duration::ZERO);
    let mut cuts = match &begin {
        Begin::Ended(end, _) => end.cuts().cloned(),
        _ => None,
    };
    let mut solution = match begin {
        Begin::Warm(warm) => solve_warm(problem, options, target, warm, &budget, observer),
        Begin::Saved(state, until) => resume(problem, options, target, (state, until), &budget, observer),
        Begin::Ended(end, _) => end.solution(problem, limits.all),
    };
    let (mut solving, mut certifying) = (clock.elapsed(), Duration::ZERO);
    loop {
        let clock = Instant::now();
        observer.solved(&solution);
        observer.progress("certifying");
        let proving = limits.certifying(certifying);
        let certificate = certify::certify_at(
            problem,
            &solution.factors,
            Some(&solution.extras),
            Known { witnesses: &solution.witnesses, polar: solution.polar.as_ref(), cuts: cuts.take().as_ref() },
            certify,
            &proving,
        )?;
        certifying += clock.elapsed();
        let budget = limits.solving(solving);
        let better = better(&solution, &certificate);
        let full = options.max_rank.is_some_and(|m| solution.factors.rank() >= m);
        let ended = match () {
            () if better.is_none() => Some(solution.stopped_by),
            () if full => Some(StopReason::MaxRank),
            () if budget.interrupted() => Some(StopReason::Interrupt),
            () => budget.out_of_time().then_some(StopReason::Time),
        };
        let Some(better) = better.filter(|_| ended.is_none()) else {
            solution.stopped_by = ended.unwrap_or(solution.stopped_by);
            let met = certificate.gap.relative.is_some_and(|g| g <= certify.target_gap);
            if !met && proving.exhausted() && solution.is_done() {
                // the point stands, but its proof was not done
                observer.unproven(&solution, certificate.cuts.as_ref());
                solution.stopped_by = if proving.interrupted() { StopReason::Interrupt } else { StopReason::Time };
            }
            return Ok(Answer { solution, certificate, solving, certifying });
        };
        let clock = Instant::now();
        solution = go_on_with(problem, options, target, &solution, better, until, &budget, observer);
        solving += clock.elapsed();
    }
}

/// The factors with the slice that refutes them, where the solver thought itself done.
fn better(solution: &Solution, certificate: &Certificate) -> Option<Factors> {
    let refuted = certificate.refutation.as_ref();
    let refuted = refuted.filter(|_| solution.is_done() && certificate.verdict == Verdict::Refuted)?;
    let mut x = solution.factors.clone();
    x.append(&Factors(refuted.slice.iter().map(|c| Mat::from_column_slice(c.len(), 1, c)).collect()));
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Observations;
    use crate::gauge::{Gauge, l2::L2};
    use crate::linalg::lanczos::gaussian;
    use crate::loss::squared::Squared;
    use crate::mapping::{Setup, relu};
    use crate::problem::{Form, Regularizer};
    use crate::solve::observer::Silent;

    fn problem() -> Problem {
        let mut v = gaussian(12, 3, 1);
        v.column_mut(2).fill(1.0);
        let gauges = (0..2).map(|_| Gauge::new(Box::new(L2), None, None).unwrap()).collect();
        let mapping = (relu::KIND.build)(&Setup { sizes: &[12, 1], inputs: Some(&v), layers: None });
        let regularizer = Regularizer { form: Form::Product, gauges };
        let y = gaussian(12, 1, 2).data.into();
        let mut p = Problem::new(Observations::Full { rows: 12, cols: 1 }, y, Box::new(Squared), mapping, regularizer);
        p.lambda = 0.3;
        p
    }

    /// A solver that is content with one neuron, as one whose search overlooks the others would be.
    #[test]
    fn what_refutes_an_answer_is_gone_on_from() {
        let mut p = problem();
        let target = CertifyOptions { target_gap: 1e-4, effort: Default::default() };
        let (free, narrow) =
            (SolverOptions::default(), SolverOptions { max_rank: Some(1), ..SolverOptions::default() });
        let all = Budget::unlimited();
        let limits = Limits { all: &all, solving: None, certifying: None };
        let begin = || Begin::Warm(Warm::default());
        let few = answer(&mut p, &narrow, &target, &target, begin(), &limits, &mut Silent).unwrap();
        assert_eq!((few.certificate.verdict, few.solution.stopped_by), (Verdict::Refuted, StopReason::MaxRank));
        assert!(better(&few.solution, &few.certificate).is_none(), "its rank ran out");

        let content = Solution { stopped_by: StopReason::Stationary, ..few.solution };
        let x = better(&content, &few.certificate).unwrap();
        let fallen = p.objective(&content.factors) - p.objective(&x);
        let promised = few.certificate.refutation.as_ref().unwrap().decrease;
        assert!((fallen - promised).abs() < 1e-9 * promised, "{fallen} for {promised}");

        let on = go_on_with(&mut p, &free, &target, &content, x, Until::Proven, &all, &mut Silent);
        assert!(on.made.0 > content.made.0);
        let best = answer(&mut p, &free, &target, &target, begin(), &limits, &mut Silent).unwrap();
        assert_eq!(best.certificate.verdict, Verdict::Global);
        assert!(better(&on, &best.certificate).is_none(), "nothing refutes it");
        let ends = [&on, &best.solution].map(|s| p.objective(&s.factors));
        assert!((ends[0] - ends[1]).abs() < 2e-4 * ends[1], "{ends:?}");
    }
}
