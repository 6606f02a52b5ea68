//! Standard output and error: log lines, the progress bar, errors. A reader that went away is not an error.

use super::args::{LogFormat, OutputArgs};
use crate::report::describe::Line;
use crate::report::{events, log};
use crate::run::{Document, RunError};
use crate::solve::observer::{Iteration, Observer};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether standard error gets JSON: errors that end the process are written long after the arguments are gone.
static JSON: AtomicBool = AtomicBool::new(false);

/// Whether errors alone are wanted there.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Steps of the bar.
const STEPS: u64 = 1000;

/// Writes to standard output. A closed pipe ends quietly.
///
/// # Errors
/// [`RunError::Io`].
pub fn print(text: &str) -> Result<(), RunError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(source) if source.kind() != ErrorKind::BrokenPipe => {
            Err(RunError::Io { path: "standard output".into(), doing: "write", source })
        }
        _ => Ok(()),
    }
}

/// Writes to standard error.
pub fn complain(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Writes the error that ends the process.
pub fn error(text: &str) {
    let json = JSON.load(Ordering::Relaxed);
    complain(&if json { events::error(text) } else { format!("error: {text}\n") });
}

/// Writes a remark from outside the command, unless errors alone are wanted.
pub fn remark(text: &str) {
    if !QUIET.load(Ordering::Relaxed) {
        let json = JSON.load(Ordering::Relaxed);
        complain(&if json { events::message("WARN", text) } else { format!("\n  {text}\n") });
    }
}

/// Library events (`tracing`) go to standard error too: warnings, or everything with `-v`.
pub fn start_tracing(output: &OutputArgs) {
    let level = match (output.quiet, output.verbose) {
        (true, _) => tracing::Level::ERROR,
        (_, true) => tracing::Level::DEBUG,
        _ => tracing::Level::WARN,
    };
    let json = output.log_format == LogFormat::Json;
    JSON.store(json, Ordering::Relaxed);
    QUIET.store(output.quiet, Ordering::Relaxed);
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .with_ansi(false);
    let started = if json { lines.json().flatten_event(true).try_init() } else { lines.try_init() };
    // a second start in one process keeps the first
    drop(started);
}

/// The log and the progress bar of one command.
pub struct Console {
    quiet: bool,
    json: bool,
    bar: ProgressBar,
    /// The gap of the first iteration that had one, the latest, the one asked for.
    gap: (Option<f64>, Option<f64>, f64),
    /// Every iteration seen, for `trace.csv`.
    pub trace: Vec<Iteration>,
}

impl Console {
    /// As the flags say; the progress bar shows on a terminal only, and not among JSON.
    pub fn new(output: &OutputArgs) -> Self {
        let json = output.log_format == LogFormat::Json;
        let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
        if output.quiet || output.no_progress || json {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        } else {
            let style = ProgressStyle::with_template("{spinner} {elapsed} [{bar:24}] {msg}").expect("a valid template");
            bar.set_style(style.progress_chars("=> "));
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { quiet: output.quiet, json, bar, gap: (None, None, 0.0), trace: Vec::new() }
    }

    /// The bar is full where the gap is this.
    pub fn toward(mut self, target: f64) -> Self {
        self.gap.2 = target;
        self
    }

    /// The head of the log.
    pub fn head(&self, name: &str, lines: &[Line]) {
        self.write(|| log::head(name, lines), || events::head(name, lines));
    }

    /// The foot of the log.
    pub fn foot(&self, document: &Document, written: Option<&Path>) {
        self.write(|| log::foot(document, written), || events::foot(document, written));
    }

    /// The conditions of the theory.
    pub fn conditions(&self, document: &Document) {
        self.write(|| log::conditions(document), || events::conditions(document));
    }

    /// Any other piece of the log.
    pub fn log(&self, text: &str) {
        self.write(|| text.into(), || events::message("INFO", text));
    }

    fn write(&self, text: impl FnOnce() -> String, json: impl FnOnce() -> String) {
        if !self.quiet {
            let out = if self.json { json() } else { text() };
            self.bar.suspend(|| complain(&out));
        }
    }

    /// Takes the progress bar away.
    pub fn done(&self) {
        self.bar.finish_and_clear();
    }
}

/// How far the gap has come from where it began to what is asked for, on a scale of logarithms.
fn share(first: f64, now: f64, target: f64) -> f64 {
    let way = (first / target).ln();
    if way > 0.0 { ((first / now).ln() / way).clamp(0.0, 1.0) } else { 1.0 }
}

impl Observer for Console {
    fn iteration(&mut self, i: &Iteration) {
        self.trace.push(i.clone());
        if let Some(now) = i.gap {
            let first = *self.gap.0.get_or_insert(now);
            self.gap.1 = Some(now);
            self.bar.set_position((share(first, now, self.gap.2) * STEPS as f64) as u64);
            self.progress(&i.step);
        }
        self.write(|| log::iteration(i), || events::iteration(i));
    }

    fn progress(&mut self, what: &str) {
        let gap = self.gap.1.map_or(String::new(), |g| format!("gap {g:.1e} of {:.0e}, ", self.gap.2));
        self.bar.set_message(format!("{gap}{what}"));
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn the_bar_is_full_where_the_gap_is_the_one_asked_for() {
        assert_eq!(share(1.0, 1.0, 1e-4), 0.0);
        assert!((share(1.0, 1e-2, 1e-4) - 0.5).abs() < 1e-12);
        assert_eq!(share(1.0, 1e-4, 1e-4), 1.0);
        assert_eq!(share(1.0, 0.0, 1e-4), 1.0);
        // there from the start, and never back beyond it
        assert_eq!(share(1e-6, 1e-6, 1e-4), 1.0);
        assert_eq!(share(1.0, 2.0, 1e-4), 0.0);
    }
}
