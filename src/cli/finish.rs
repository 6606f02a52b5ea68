//! The end that solve and check share: the document, the run folder, the foot of the log, the exit code.

use super::args::OutputArgs;
use super::console::{self, Console};
use super::failure;
use super::session::Session;
use crate::budget::Budget;
use crate::certify::Certificate;
use crate::data::Dataset;
use crate::mapping::Factors;
use crate::problem::Problem;
use crate::report::{log, markdown, trace};
use crate::run::document::{Context, Holdout, Time};
use crate::run::{self, Document, Staging};
use crate::spec;
use std::path::Path;

/// A certified point and how it came about.
pub struct Outcome<'a> {
    /// The point.
    pub factors: &'a Factors,
    /// What is proven of it.
    pub certificate: &'a Certificate,
    /// Why the solver stopped, or `check`.
    pub stopped_by: &'a str,
    /// Seconds spent.
    pub time: Time,
}

/// Writes what is to be written, prints what is to be printed.
///
/// # Errors
/// If the run folder cannot be written.
pub fn finish(
    session: &Session,
    outcome: &Outcome,
    target: Option<(Staging, &Path)>,
    console: &Console,
    output: &OutputArgs,
    budget: &Budget,
) -> anyhow::Result<u8> {
    let document = Document::new(
        outcome.certificate,
        &Context {
            name: &session.spec.name,
            stopped_by: outcome.stopped_by,
            lambda: session.problem.lambda,
            lambda_max: session.lambda_max,
            files: &session.files,
            holdout: holdout(&session.problem, &session.dataset, outcome.factors),
            time: outcome.time,
        },
    );
    let folder = target.as_ref().map(|t| t.1);
    if let Some((staging, folder)) = target {
        let resolved = spec::to_toml(&session.spec, session.problem.lambda, folder, &session.dataset.notes);
        run::write_point(&staging, &resolved, outcome.factors, outcome.certificate, &document)?;
        staging.write("report.md", markdown::report(&document, &session.dataset.notes).as_bytes())?;
        if !console.trace.is_empty() {
            staging.write("trace.csv", trace::csv(&console.trace).as_bytes())?;
        }
        staging.publish()?;
    }
    console.done();
    console.log(&log::foot(&document, folder));
    if output.verbose {
        console.log(&log::conditions(&document));
    }
    if output.json {
        console::print(&document.to_json());
    }
    if budget.interrupted() {
        return Ok(failure::INTERRUPTED);
    }
    Ok(if document.meets_target() { failure::DONE } else { failure::GAP_LEFT })
}

/// RMSE of the held-out entries in the units of the file.
fn holdout(problem: &Problem, dataset: &Dataset, factors: &Factors) -> Option<Holdout> {
    let held = dataset.holdout.as_ref()?;
    let output = problem.mapping.apply(&held.observations, factors);
    let rmse = |squares: f64| (squares / held.y.len() as f64).sqrt();
    let square = |j: usize, x: f64, y: f64| (dataset.original(j, x) - dataset.original(j, y)).powi(2);
    let squares: f64 = match &held.operator {
        // measurements stand in one column
        Some(a) => a.apply(&output).iter().zip(&held.y).map(|(x, y)| square(0, *x, *y)).sum(),
        None => {
            let pairs = output.iter().zip(&held.y);
            held.observations.entries().zip(pairs).map(|((_, j), (x, y))| square(j, *x, *y)).sum()
        }
    };
    Some(Holdout { entries: held.y.len(), rmse: rmse(squares) })
}
