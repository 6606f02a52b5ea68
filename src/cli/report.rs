//! `homfac report RUN`: rebuild report.md from certificate.json.

use super::args::ReportArgs;
use super::{console, failure};
use crate::report::markdown;
use crate::run::{Document, RunError};
use crate::spec;

/// Runs the command; the exit code.
///
/// # Errors
/// If the run folder cannot be read or written.
pub fn run(args: &ReportArgs) -> anyhow::Result<u8> {
    let path = args.run.join("certificate.json");
    let text =
        std::fs::read_to_string(&path).map_err(|source| RunError::Io { path: path.clone(), doing: "read", source })?;
    let document: Document = serde_json::from_str(&text)
        .map_err(|e| RunError::Damaged { path: path.clone(), problem: format!("not a certificate: {e}") })?;
    let report = args.run.join("report.md");
    let notes = spec::notes_of(&std::fs::read_to_string(args.run.join("spec.toml")).unwrap_or_default());
    write_whole(&args.run, &report, markdown::report(&document, &notes).as_bytes()).map_err(|source| RunError::Io {
        path: report.clone(),
        doing: "write",
        source,
    })?;
    console::complain(&format!("{}\n", report.display()));
    Ok(failure::DONE)
}

/// Beside, then renamed: the file is the old one or the new one.
fn write_whole(folder: &std::path::Path, path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = tempfile::Builder::new().prefix(".report-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
