//! `homfac explain SPEC`: what the problem is, what can be proven of it and at what cost, memory. Nothing is solved.

use super::args::ExplainArgs;
use super::session::Session;
use super::{console, failure};
use crate::budget::Budget;
use crate::certify;
use crate::report::{explanation, log};

/// Runs the command; the exit code.
///
/// # Errors
/// Spec or data.
pub fn run(args: &ExplainArgs) -> anyhow::Result<u8> {
    let s = Session::open(&args.spec, &args.overrides, &Budget::unlimited())?;
    let rank_bound = certify::rank_bound(&s.problem);
    let explained = explanation::explain(&s.problem, &s.spec, s.lambda_max, rank_bound, &s.files, &s.dataset.notes);
    if args.json {
        let text = serde_json::to_string_pretty(&explained).expect("plain data serialises");
        console::print(&format!("{text}\n"))?;
    } else {
        console::print(&log::head(&s.spec.name, &explanation::lines(&explained)))?;
    }
    Ok(failure::DONE)
}
