//! Standard output and error: log lines, the progress line, errors. A reader that went away is not an error.

use super::args::OutputArgs;
use crate::report::log;
use crate::solve::observer::{Iteration, Observer};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::time::Duration;

/// Writes to standard output.
pub fn print(text: &str) {
    // a closed pipe ends quietly
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Writes to standard error.
pub fn complain(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Library events (`tracing`) go to standard error too: warnings, or everything with `-v`.
pub fn start_tracing(output: &OutputArgs) {
    let level = match (output.quiet, output.verbose) {
        (true, _) => tracing::Level::ERROR,
        (_, true) => tracing::Level::DEBUG,
        _ => tracing::Level::WARN,
    };
    let started = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .try_init();
    // a second start in one process keeps the first
    drop(started);
}

/// The log and the progress line of one command.
pub struct Console {
    quiet: bool,
    bar: ProgressBar,
    gap: String,
    /// Every iteration seen, for `trace.csv`.
    pub trace: Vec<Iteration>,
}

impl Console {
    /// As the flags say; the progress line shows on a terminal only.
    pub fn new(output: &OutputArgs) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if output.quiet || output.no_progress {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        } else {
            bar.set_style(ProgressStyle::with_template("{spinner} {elapsed} {msg}").expect("a valid template"));
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { quiet: output.quiet, bar, gap: String::new(), trace: Vec::new() }
    }

    /// A piece of the log.
    pub fn log(&self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| complain(text));
        }
    }

    /// Takes the progress line away.
    pub fn done(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Console {
    fn iteration(&mut self, i: &Iteration) {
        self.trace.push(i.clone());
        self.gap = i.gap.map_or(String::new(), |g| format!(", gap {g:.1e}"));
        self.log(&log::iteration(i));
    }

    fn progress(&mut self, what: &str) {
        self.bar.set_message(format!("{what}{}", self.gap));
    }
}
