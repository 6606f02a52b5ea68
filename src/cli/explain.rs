//! `homfac explain SPEC`: what the problem is, which bounds apply, memory.

use super::args::ExplainArgs;
use super::session::Session;
use super::{console, failure};
use crate::certify;
use crate::report::{describe, log};

/// Runs the command; the exit code.
///
/// # Errors
/// Spec or data.
pub fn run(args: &ExplainArgs) -> anyhow::Result<u8> {
    let s = Session::open(&args.spec, &args.overrides)?;
    let rank_bound = certify::rank_bound(&s.problem);
    let lines = describe::everything(&s.problem, &s.spec, &s.dataset, &s.lambda_max, rank_bound);
    console::print(&log::head(&s.spec.name, &lines));
    Ok(failure::DONE)
}
