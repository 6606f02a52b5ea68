//! `homfac man [COMMAND]`: a manual page in roff, made from the arguments as they are parsed.

use super::args::{Cli, ManArgs};
use super::{console, failure, unknown_name};
use clap::CommandFactory;
use clap_mangen::Man;

/// Runs the command; the exit code.
///
/// # Errors
/// If there is no such command.
pub fn run(args: &ManArgs) -> anyhow::Result<u8> {
    let mut page = Cli::command();
    // the names of flags and of the commands below are settled here
    page.build();
    if let Some(name) = &args.command {
        let found = page.find_subcommand(name).cloned();
        let known = page.get_subcommands().map(clap::Command::get_name);
        page = found.ok_or_else(|| unknown_name("command", name, known))?.version(env!("CARGO_PKG_VERSION"));
    }
    let mut roff = Vec::new();
    Man::new(page).source(concat!("homfac ", env!("CARGO_PKG_VERSION"))).render(&mut roff)?;
    console::print(&String::from_utf8_lossy(&roff))?;
    Ok(failure::DONE)
}
