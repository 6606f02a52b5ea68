//! `homfac schema`: the JSON Schema of specs.

use super::{console, failure};
use crate::spec;

/// Runs the command; the exit code.
///
/// # Errors
/// If it cannot be written.
pub fn run() -> anyhow::Result<u8> {
    console::print(&format!("{:#}\n", spec::schema()))?;
    Ok(failure::DONE)
}
