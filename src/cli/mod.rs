//! The command line: arguments, one file per command, the error chain, exit codes.

pub mod args;
pub mod check;
pub mod checkpoints;
pub mod completions;
pub mod console;
pub mod explain;
pub mod failure;
pub mod finish;
pub mod init;
pub mod interrupt;
pub mod man;
pub mod path;
mod portrait;
pub mod predict;
pub mod report;
pub mod schema;
pub mod session;
pub mod solve;

use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use failure::Usage;
use std::process::ExitCode;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Solve(a) => solve::run(&a),
        Command::Check(a) => check::run(&a),
        Command::Path(a) => path::run(&a),
        Command::Predict(a) => predict::run(&a),
        Command::Explain(a) => explain::run(&a),
        Command::Report(a) => report::run(&a),
        Command::Init(a) => init::run(&a),
        Command::Schema => schema::run(),
        Command::Completions(a) => completions::run(&a),
        Command::Man(a) => man::run(&a),
        Command::Other(words) => Err(unknown(words.first().map_or("", String::as_str)).into()),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(e) => {
            console::error(&format!("{e:#}"));
            ExitCode::from(failure::exit_code(&e))
        }
    }
}

fn unknown(command: &str) -> Usage {
    unknown_name("command", command, Cli::command().get_subcommands().map(clap::Command::get_name))
}

/// What is wrong with a name, what there is, and the nearest of it.
fn unknown_name<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Usage {
    let known: Vec<&str> = known.collect();
    let hint = crate::spec::error::did_you_mean(name, known.iter().copied());
    let hint = hint.map_or(String::new(), |h| format!("\n  hint: {h}"));
    Usage(format!("unknown {what} `{name}`\n  expected one of: {}{hint}", known.join(", ")))
}
