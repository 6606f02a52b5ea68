//! The command line: arguments, one file per command, the error chain, exit codes.

pub mod args;
pub mod check;
pub mod checkpoints;
pub mod console;
pub mod explain;
pub mod failure;
pub mod finish;
pub mod interrupt;
pub mod report;
pub mod session;
pub mod solve;

use args::{Cli, Command};
use clap::Parser;
use failure::Usage;
use std::process::ExitCode;

/// Commands of the contract whose turn has not come.
const PLANNED: &[&str] = &["path", "predict", "init", "schema", "completions", "man"];

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Solve(a) => solve::run(&a),
        Command::Check(a) => check::run(&a),
        Command::Explain(a) => explain::run(&a),
        Command::Report(a) => report::run(&a),
        Command::Other(words) => Err(unknown(words.first().map_or("", String::as_str)).into()),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(e) => {
            console::complain(&format!("error: {e:#}\n"));
            ExitCode::from(failure::exit_code(&e))
        }
    }
}

fn unknown(command: &str) -> Usage {
    if PLANNED.contains(&command) {
        return Usage(format!("the command `{command}` is not available in this version"));
    }
    let known = ["solve", "check", "explain", "report"];
    let hint = crate::spec::error::did_you_mean(command, known).map_or(String::new(), |h| format!("\n  hint: {h}"));
    Usage(format!("unknown command `{command}`\n  expected one of: {}{hint}", known.join(", ")))
}
