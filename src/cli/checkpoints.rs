//! Checkpoints: when they are written, what they belong to, and going on from one.

use super::console::Console;
use super::session::Session;
use crate::data::hash::sha256;
use crate::polar::cuts::Tree;
use crate::problem::Problem;
use crate::run::RunError;
use crate::run::checkpoint;
use crate::solve::answer::Begin;
use crate::solve::checkpoint::{Checkpoint, Ended};
use crate::solve::observer::{Iteration, Observer};
use crate::solve::{Solution, StopReason, Until};
use crate::spec;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

/// The checkpoint of one run folder, written from time to time.
pub struct Keeper<'a> {
    every: Option<Duration>,
    written: Instant,
    folder: &'a Path,
    problem: String,
    failed: bool,
}

impl<'a> Keeper<'a> {
    /// Of the run that is to be `folder`; `problem` is the digest of what decides it.
    pub fn new(every: Option<Duration>, folder: &'a Path, problem: String) -> Self {
        Self { every, written: Instant::now(), folder, problem, failed: false }
    }

    /// Whether any is wanted.
    pub fn wanted(&self) -> bool {
        self.every.is_some()
    }

    /// Whether the end of a solve is worth taking down: it took long enough, and its proof may take long too. What limits ended goes
    /// on from the state that it has left.
    pub fn wants_end(&self, solution: &Solution) -> bool {
        let limited = matches!(solution.stopped_by, StopReason::Interrupt | StopReason::Time | StopReason::MaxOuter);
        !limited && self.every.is_some_and(|t| solution.elapsed_s() >= t.as_secs_f64())
    }

    /// Whether it is time to write.
    pub fn due(&self) -> bool {
        self.every.is_some_and(|t| self.written.elapsed() >= t)
    }

    /// Writes it; that it cannot be written is said once, and no reason to stop.
    pub fn write<T: Serialize>(&mut self, state: &T, console: &Console) {
        if let Err(e) = checkpoint::write(self.folder, &self.problem, state)
            && !std::mem::replace(&mut self.failed, true)
        {
            let path = checkpoint::path_of(self.folder);
            let why = e.source().map_or_else(|| e.to_string(), ToString::to_string);
            console.log(&format!("  warning: {}: no checkpoint could be written: {why}\n", path.display()));
        }
        self.written = Instant::now();
    }
}

/// Says what a command does about the checkpoint that is there, or is not.
pub fn announce(console: &Console, folder: &Path, resume: bool, found: bool) {
    let path = checkpoint::path_of(folder);
    let shown = path.display();
    match (found, resume) {
        (true, _) => console.log(&format!("  resumed from {shown}\n")),
        (false, true) => console.log(&format!("  no checkpoint at {shown}: solving starts anew\n")),
        (false, false) if path.exists() => {
            console.log(&format!("  {shown} is not gone on from without --resume\n"));
        }
        (false, false) => {}
    }
}

/// After the run folder is written: the checkpoint goes, unless limits ended the work.
pub fn conclude(console: &Console, folder: &Path, limited: bool) {
    if limited { kept(console, folder) } else { checkpoint::remove(folder) }
}

/// Says what can be gone on from, if there is anything.
pub fn kept(console: &Console, folder: &Path) {
    let path = checkpoint::path_of(folder);
    if path.exists() {
        console.log(&format!("  --resume goes on from {}\n", path.display()));
    }
}

/// Digest of what decides the problem: the spec but for its limits, lambda as a number, the bytes of the data, the version, and
/// what the command has its own word on.
pub fn problem(session: &Session, command: &str) -> String {
    let mut spec = session.spec.clone();
    (spec.solver.time_limit, spec.solver.max_outer, spec.warm_start) = (None, None, None);
    spec.certificate.time_limit = None;
    let text = spec::to_toml(&spec, session.problem.lambda, Path::new(""), &[]);
    let digests: String = session.files.iter().map(|f| f.sha256.as_str()).collect();
    sha256(format!("{} {command} {digests}\n{text}", env!("CARGO_PKG_VERSION")).as_bytes())
}

/// What the checkpoint of a solve holds.
#[derive(Serialize, Deserialize)]
pub struct Saved {
    /// Every iteration so far, for `trace.csv`.
    pub trace: Vec<Iteration>,
    /// Where it has got to.
    pub state: State,
}

/// Where a solve has got to.
#[derive(Clone, Serialize, Deserialize)]
pub enum State {
    /// Between two outer iterations.
    Solving(Box<Checkpoint>),
    /// To its end: the proof is left.
    Solved(Ended),
}

impl State {
    /// Going on from there, as far as it was asked to go.
    pub fn begin(&self, until: Until) -> Begin<'_> {
        match self {
            Self::Solving(from) => Begin::Saved(from, until),
            Self::Solved(ended) => Begin::Ended(ended, until),
        }
    }

    /// Whether it is of such a problem.
    pub fn fits(&self, problem: &Problem) -> bool {
        match self {
            Self::Solving(s) => s.fits(problem),
            Self::Solved(e) => e.fits(problem),
        }
    }

    /// Cells that the bound goes on from, where time ended the search for it.
    pub fn cells(&self) -> Option<usize> {
        match self {
            Self::Solving(_) => None,
            Self::Solved(e) => e.cuts().map(Tree::leaves),
        }
    }

    /// Seconds of solving until here.
    pub fn elapsed_s(&self) -> f64 {
        match self {
            Self::Solving(s) => s.elapsed_s(),
            Self::Solved(e) => e.elapsed_s(),
        }
    }
}

/// The checkpoint of a solve, if there is one.
///
/// # Errors
/// [`RunError`] if it cannot be gone on from.
pub fn find(session: &Session, folder: &Path, digest: &str) -> Result<Option<Saved>, RunError> {
    let Some(saved) = checkpoint::read::<Saved>(folder, digest)? else { return Ok(None) };
    if saved.state.fits(&session.problem) { Ok(Some(saved)) } else { Err(misfit(folder)) }
}

/// The error of a checkpoint with the right digest and the wrong sizes.
pub fn misfit(folder: &Path) -> RunError {
    RunError::Checkpoint { path: checkpoint::path_of(folder), why: "of a problem of another shape" }
}

/// Watches a solve for the console, and takes its state down from time to time.
pub struct Recorder<'a, 'b> {
    console: &'a mut Console,
    keeper: Keeper<'b>,
}

impl<'a, 'b> Recorder<'a, 'b> {
    /// Of the run whose checkpoint `keeper` writes.
    pub fn new(console: &'a mut Console, keeper: Keeper<'b>) -> Self {
        Self { console, keeper }
    }

    fn write(&mut self, state: State) {
        let saved = Saved { trace: self.console.trace.clone(), state };
        self.keeper.write(&saved, self.console);
    }
}

impl Observer for Recorder<'_, '_> {
    fn iteration(&mut self, i: &Iteration) {
        self.console.iteration(i);
    }

    fn progress(&mut self, what: &str) {
        self.console.progress(what);
    }

    fn wants_checkpoint(&self, last: bool) -> bool {
        self.keeper.due() || last && self.keeper.wanted()
    }

    fn checkpoint(&mut self, state: Checkpoint) {
        self.write(State::Solving(Box::new(state)));
    }

    fn solved(&mut self, solution: &Solution) {
        if self.keeper.wants_end(solution) {
            self.write(State::Solved(Ended::new(solution)));
        }
    }

    fn unproven(&mut self, solution: &Solution, cuts: Option<&Tree>) {
        if self.keeper.wanted() {
            self.write(State::Solved(Ended::unproven(solution, cuts)));
        }
    }
}
