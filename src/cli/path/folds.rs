//! Cross-validation along a path: every fold has a path of its own, without the entries it keeps out.

use super::super::finish::holdout;
use super::super::session::{Session, SessionError};
use super::Watch;
use crate::budget::Budget;
use crate::certify::CertifyOptions;
use crate::data::folds::Fold;
use crate::extra::Coefficients;
use crate::mapping::Factors;
use crate::problem::Problem;
use crate::report::path::Cv;
use crate::solve::Until;
use crate::solve::checkpoint::Checkpoint;
use crate::solve::observer::Observer;
use crate::solve::path::Path;
use crate::spec;
use anyhow::Context;

/// Watches a fold: its iterations are not the point's.
struct OfFold<'a, 'b, 'c>(&'c mut Watch<'a, 'b>);

impl Observer for OfFold<'_, '_, '_> {
    fn progress(&mut self, what: &str) {
        self.0.progress(&format!("folds, {what}"));
    }

    fn wants_checkpoint(&self, last: bool) -> bool {
        self.0.record.due(last)
    }

    fn checkpoint(&mut self, state: Checkpoint) {
        self.0.record.fold_at(state, self.0.console);
    }
}

/// Relative accuracy of the fits that are scored: finer ones score the same.
const ACCURACY: (f64, f64) = (1e-4, 1e-3);

/// The folds and where their paths have got to.
pub struct Folds(Vec<Run>);

struct Run {
    fold: Fold,
    problem: Problem,
    path: Path,
}

impl Folds {
    /// Draws the folds with the spec's seed.
    ///
    /// # Errors
    /// If there are more folds than there is to hold out, or one leaves an extra undetermined.
    pub fn new(session: &Session, count: usize) -> anyhow::Result<Self> {
        let (data, spec) = (&session.dataset, &session.spec);
        let (most, unit) = (data.most_folds(), data.unit());
        if count > most {
            return Err(
                SessionError::Folds { folds: count, problem: format!("only {most} {unit} are observed") }.into()
            );
        }
        let drawn = data.draw_folds(count, spec.solver.seed);
        let run = |k: usize| {
            let held: Vec<bool> = drawn.iter().map(|f| *f == Some(k)).collect();
            if !held.contains(&true) {
                let problem = format!("nothing is left for fold {} once every index keeps a fitted entry", k + 1);
                return Err(SessionError::Folds { folds: count, problem }.into());
            }
            let fold = data.without(&held);
            let assembled = spec::assemble(spec, &fold.data).and_then(|(mut problem, _)| {
                spec::refuse_descent(spec, &mut problem)?;
                Ok(problem)
            });
            let problem = assembled
                .with_context(|| format!("--folds {count}: without fold {} the rest cannot be fitted", k + 1))?;
            let path = Path::new(&problem);
            Ok(Run { fold, problem, path })
        };
        (0..count).map(run).collect::<anyhow::Result<_>>().map(Self)
    }

    /// Where each has got to.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|run| &run.path)
    }

    /// Goes on from there.
    pub fn go_on(&mut self, paths: impl Iterator<Item = Path>) {
        self.0.iter_mut().zip(paths).for_each(|(run, path)| run.path = path);
    }

    /// Whether it is a state of this fold's problem.
    pub fn fits(&self, fold: usize, state: &Checkpoint) -> bool {
        self.0.get(fold).is_some_and(|run| state.fits(&run.problem))
    }

    /// The held-out loss at the next lambda, on from the folds that are scored and where the one after them has got to; `None` if
    /// the budget ended first.
    ///
    /// # Errors
    /// If an extra's side matrix cannot be read.
    pub fn step(
        &mut self,
        session: &Session,
        lambda: f64,
        (mut losses, mut from): (Vec<f64>, Option<Checkpoint>),
        budget: &Budget,
        watch: &mut Watch<'_, '_>,
    ) -> anyhow::Result<Option<Cv>> {
        let asked = session.certify_options();
        let options = CertifyOptions { target_gap: asked.target_gap.clamp(ACCURACY.0, ACCURACY.1), ..asked };
        for run in self.0.iter_mut().skip(losses.len()) {
            // the loss per observed entry weighs as much against lambda as it does with all the data
            run.problem.lambda = lambda * run.fold.share;
            let (solver, limit) = (&session.spec.solver, budget.within(session.spec.solver.time_limit));
            let begun = from.take();
            let start = (Until::Fitted, begun.as_ref());
            let solution = run.path.step(&mut run.problem, solver, &options, start, &limit, &mut OfFold(watch));
            if budget.exhausted() {
                return Ok(None);
            }
            losses.push(run.score(session, &solution.factors, &solution.extras)?);
            watch.record.fold_done(losses[losses.len() - 1], &run.path, watch.console);
        }
        Ok(Some(Cv::of(&losses)))
    }
}

impl Run {
    /// The loss per entry kept out.
    fn score(&self, session: &Session, x: &Factors, q: &Coefficients) -> anyhow::Result<f64> {
        let held = holdout(&session.spec, &self.fold.data, &self.problem, x, q)?;
        Ok(held.expect("a fold keeps something out").loss)
    }
}
