//! `homfac completions SHELL`: a script for the shell to source, made from the arguments as they are parsed.

use super::args::{Cli, CompletionsArgs};
use super::{console, failure};
use clap::CommandFactory;

/// Runs the command; the exit code.
///
/// # Errors
/// If it cannot be written.
pub fn run(args: &CompletionsArgs) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "homfac", &mut script);
    console::print(&String::from_utf8_lossy(&script))?;
    Ok(failure::DONE)
}
