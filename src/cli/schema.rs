//! `homfac schema`: the JSON Schema of specs.

use super::{console, failure};
use crate::spec;

/// Runs the command; the exit code.
pub fn run() -> u8 {
    console::print(&format!("{:#}\n", spec::schema()));
    failure::DONE
}
