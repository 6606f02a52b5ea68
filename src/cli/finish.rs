//! The end that solve and check share: the document, the run folder, the foot of the log, the exit code.

use super::args::OutputArgs;
use super::console::{self, Console};
use super::failure;
use super::portrait;
use super::session::Session;
use crate::budget::Budget;
use crate::certify::Certificate;
use crate::data::{Dataset, Remembered};
use crate::extra::Coefficients;
use crate::loss::Targets;
use crate::mapping::Factors;
use crate::predict;
use crate::problem::Problem;
use crate::report::path::Walk;
use crate::report::portrait::Portrait;
use crate::report::{html, markdown, trace};
use crate::run::document::{Context, Holdout, Time};
use crate::run::{self, Document, Staging};
use crate::spec::{self, Spec};
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
    /// The path that it was chosen from.
    pub path: Option<&'a Walk>,
}

/// What there is to say of a certified point.
///
/// # Errors
/// If the held-out entries cannot be predicted.
pub fn document(session: &Session, outcome: &Outcome) -> anyhow::Result<Document> {
    let context = Context {
        name: &session.spec.name,
        stopped_by: outcome.stopped_by,
        lambda: session.problem.lambda,
        lambda_max: session.lambda_max,
        files: &session.files,
        holdout: holdout(
            &session.spec,
            &session.dataset,
            &session.problem,
            outcome.factors,
            &outcome.certificate.extras,
        )?,
        time: outcome.time,
    };
    Ok(Document::new(outcome.certificate, &context))
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
    let document = document(session, outcome)?;
    let folder = target.as_ref().map(|t| t.1);
    if let Some((staging, folder)) = target {
        let resolved = spec::to_toml(&session.spec, session.problem.lambda, folder, &session.dataset.notes);
        let blocks = &session.problem.extras.blocks;
        let extras: Vec<run::ExtraShape> = blocks.iter().map(|b| (b.map.name(), b.map.shape())).collect();
        let shapes = session.problem.mapping.slice_shapes(session.problem.shape());
        run::write_point(&staging, &resolved, outcome.factors, &shapes, &extras, outcome.certificate, &document)?;
        staging.write("model.json", Remembered::of(&session.dataset).to_json().as_bytes())?;
        let notes = &session.dataset.notes;
        staging.write("report.md", markdown::report(&document, notes, outcome.path).as_bytes())?;
        let point = Ok(portrait::seen(session, outcome.factors, &outcome.certificate.extras)?);
        let page =
            Portrait { document: &document, notes, spec: &resolved, trace: &console.trace, path: outcome.path, point };
        staging.write("report.html", html::page(&page).as_bytes())?;
        if !console.trace.is_empty() {
            staging.write("trace.csv", trace::csv(&console.trace).as_bytes())?;
        }
        staging.publish()?;
    }
    console.done();
    console.foot(&document, folder);
    if output.verbose {
        console.conditions(&document);
    }
    if output.json {
        console::print(&document.to_json())?;
    }
    if budget.interrupted() {
        return Ok(failure::INTERRUPTED);
    }
    Ok(if document.meets_target() { failure::DONE } else { failure::GAP_LEFT })
}

/// How the held-out entries are predicted by factors and extra variables.
///
/// # Errors
/// If the side matrix of an extra cannot be read.
pub fn holdout(
    spec: &Spec,
    dataset: &Dataset,
    problem: &Problem,
    x: &Factors,
    q: &Coefficients,
) -> anyhow::Result<Option<Holdout>> {
    let Some(held) = &dataset.holdout else { return Ok(None) };
    let fitted = portrait::predict_held_out(spec, dataset, problem, held, x, q)?;
    let entries = held.y.len();
    let outputs = held.inputs.is_some();
    let scored = predict::Held { at: held.places(), y: &held.y, x: &fitted, outputs };
    let scores = predict::score(dataset.resolved.kind, &scored, |j, x| dataset.original(j, x));
    let loss = spec::build_loss(&spec.loss, &held.observations);
    let loss = loss.value(Targets { y: &held.y, w: None }, &fitted) / entries as f64;
    Ok(Some(Holdout { entries, rmse: scores.rmse, r2: scores.r2, accuracy: scores.accuracy, loss }))
}
