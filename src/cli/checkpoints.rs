//! Checkpoints of a solve: when they are written, what they belong to, and going on from one.

use super::console::Console;
use super::session::Session;
use crate::data::hash::sha256;
use crate::run::checkpoint::{self, Saved};
use crate::run::{RunError, Staging};
use crate::solve::checkpoint::Checkpoint;
use crate::solve::observer::{Iteration, Observer};
use crate::spec;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Watches a solve for the console, and takes its state down from time to time.
pub struct Recorder<'a> {
    console: &'a mut Console,
    every: Option<Duration>,
    written: Instant,
    folder: &'a Path,
    staging: PathBuf,
    problem: String,
    failed: bool,
}

impl<'a> Recorder<'a> {
    /// Of the run that `staging` will publish as `folder`.
    pub fn new(
        console: &'a mut Console,
        every: Option<Duration>,
        folder: &'a Path,
        staging: &Staging,
        problem: String,
    ) -> Self {
        let staging = staging.path().to_path_buf();
        Self { console, every, written: Instant::now(), folder, staging, problem, failed: false }
    }
}

impl Observer for Recorder<'_> {
    fn iteration(&mut self, i: &Iteration) {
        self.console.iteration(i);
    }

    fn progress(&mut self, what: &str) {
        self.console.progress(what);
    }

    fn wants_checkpoint(&self, last: bool) -> bool {
        self.every.is_some_and(|t| last || self.written.elapsed() >= t)
    }

    fn checkpoint(&mut self, state: Checkpoint) {
        let (problem, staging) = (self.problem.clone(), self.staging.clone());
        let saved = Saved { problem, staging, trace: self.console.trace.clone(), state };
        // solving goes on without: said once
        if let Err(e) = checkpoint::write(self.folder, &saved)
            && !std::mem::replace(&mut self.failed, true)
        {
            let path = checkpoint::path_of(self.folder);
            let why = e.source().map_or_else(|| e.to_string(), ToString::to_string);
            self.console.log(&format!("  warning: {}: no checkpoint could be written: {why}\n", path.display()));
        }
        self.written = Instant::now();
    }
}

/// Digest of what decides the problem: the spec but for its limits, lambda as a number, the bytes of the data, and the version.
pub fn problem(session: &Session) -> String {
    let mut spec = session.spec.clone();
    (spec.solver.time_limit, spec.solver.max_outer, spec.warm_start) = (None, None, None);
    spec.certificate.time_limit = None;
    let text = spec::to_toml(&spec, session.problem.lambda, Path::new(""), &[]);
    let digests: String = session.files.iter().map(|f| f.sha256.as_str()).collect();
    sha256(format!("{} {digests}\n{text}", env!("CARGO_PKG_VERSION")).as_bytes())
}

/// The checkpoint of a run folder, if there is one.
///
/// # Errors
/// [`RunError`] if it cannot be gone on from.
pub fn find(session: &Session, folder: &Path) -> Result<Option<Saved>, RunError> {
    let Some(saved) = checkpoint::read(folder, &problem(session))? else { return Ok(None) };
    if !saved.state.fits(&session.problem.factor_rows(), &session.problem.extras.zero()) {
        let path = checkpoint::path_of(folder);
        return Err(RunError::Checkpoint { path, why: "of a problem of another shape" });
    }
    checkpoint::clear(folder, &saved);
    Ok(Some(saved))
}
