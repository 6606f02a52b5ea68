//! `homfac report RUN`: rebuild report.md and report.html from the run folder, and from its data where that is at hand.

use super::args::ReportArgs;
use super::session::Session;
use super::{check, console, failure, portrait};
use crate::data::DataError;
use crate::mapping::Factors;
use crate::report::path::Walk;
use crate::report::portrait::{Point, Portrait};
use crate::report::{html, markdown, trace};
use crate::run::{self, Document, RunError, Whole, load};
use crate::spec;
use anyhow::Context;
use std::path::Path;

/// Runs the command; the exit code.
///
/// # Errors
/// If the run folder cannot be read or written.
pub fn run(args: &ReportArgs) -> anyhow::Result<u8> {
    let folder = args.run.as_path();
    let path = folder.join("certificate.json");
    let text =
        std::fs::read_to_string(&path).map_err(|source| RunError::Io { path: path.clone(), doing: "read", source })?;
    let document: Document = serde_json::from_str(&text)
        .map_err(|e| RunError::Damaged { path: path.clone(), problem: format!("not a certificate: {e}") })?;
    let resolved = std::fs::read_to_string(folder.join("spec.toml")).unwrap_or_default();
    let notes = spec::notes_of(&resolved);
    // a point that was checked has none
    let trace = std::fs::read_to_string(folder.join("trace.csv")).ok().and_then(|t| trace::parse(&t));
    let factors = load::factors(folder, load::factor_count(folder).max(1));
    let point = match &factors {
        Ok(factors) => point(folder, &resolved, &document, factors).map_err(|e| format!("{e:#}")),
        Err(e) => Err(e.to_string()),
    };
    match &point {
        Ok(Point { seen: Err(why), .. }) | Err(why) => {
            console::complain(&format!("warning: the report is without what this takes: {why}\n"));
        }
        Ok(_) => {}
    }
    let walk = std::fs::read_to_string(folder.join("path.csv")).ok().and_then(|t| Walk::parse(&t));
    let page = Portrait {
        document: &document,
        notes: &notes,
        spec: &resolved,
        trace: trace.as_deref().unwrap_or(&[]),
        path: walk.as_ref(),
        point,
    };
    for (name, text) in
        [("report.md", markdown::report(&document, &notes, walk.as_ref())), ("report.html", html::page(&page))]
    {
        let report = folder.join(name);
        Whole::put(&report, &[text.as_bytes()])?;
        console::complain(&format!("{}\n", report.display()));
    }
    Ok(failure::DONE)
}

/// The saved point, with its data if that is still what it was.
fn point<'a>(folder: &Path, resolved: &str, document: &Document, factors: &'a Factors) -> anyhow::Result<Point<'a>> {
    with_data(folder, document, factors).or_else(|why| {
        let spec = spec::parse(resolved, &folder.join("spec.toml"), &[])?;
        portrait::unseen(&spec, factors, format!("{why:#}"))
    })
}

fn with_data<'a>(folder: &Path, document: &Document, factors: &'a Factors) -> anyhow::Result<Point<'a>> {
    let session = Session::reopen(&load::spec_path(folder)?, document.lambda_max)?;
    load::same_data(folder, &session.files)?;
    let (wanted, found) = (session.problem.factor_rows(), factors.0.iter().map(|x| x.nrows()).collect::<Vec<_>>());
    if wanted != found {
        return Err(DataError::Shape {
            file: folder.join("factors").display().to_string(),
            expected: format!("factors with {wanted:?} rows, as this problem has"),
            found: format!("{found:?}"),
            hint: None,
        }
        .into());
    }
    let names = run::extra_names(session.spec.extras.iter().map(|e| e.kind.as_str()));
    let files: Vec<_> = names.iter().map(|n| folder.join(n)).collect();
    let extras = check::read_extras(&session, &files)?.unwrap_or_default();
    portrait::seen(&session, factors, &extras).context("the data of the run")
}
