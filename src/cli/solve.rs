//! `homfac solve SPEC`: solve, certify, write the run folder.

use super::args::SolveArgs;
use super::checkpoints::{self, Keeper, Recorder};
use super::console::{Console, start_tracing};
use super::failure;
use super::finish::{Outcome, finish};
use super::interrupt;
use super::session::Session;
use crate::certify::Certificate;
use crate::report::describe;
use crate::run::Staging;
use crate::run::document::Time;
use crate::solve::answer::{self, Answer, Begin, Limits};
use crate::solve::observer::Observer;
use crate::solve::{Solution, StopReason, Until, Warm};
use std::time::Duration;

/// The share of lambda_max below which a user is warned.
const SMALL: f64 = 1e-6;

/// Runs the command; the exit code.
///
/// # Errors
/// Spec, data, I/O, or a defect.
pub fn run(args: &SolveArgs) -> anyhow::Result<u8> {
    let budget = interrupt::budget();
    start_tracing(&args.output);
    let all = budget.within(args.output.time_limit);
    let mut session = Session::open(&args.spec, &args.overrides, &all)?;
    let target = args.output.out.clone().unwrap_or_else(|| session.spec.output.clone());
    let key = checkpoints::problem(&session, "solve");
    let saved = if args.checkpoints.resume { checkpoints::find(&session, &target, &key)? } else { None };
    // what was written when time was up is what its checkpoint goes on from
    let staging = Staging::create(&target, args.output.force || saved.is_some())?;
    let start = if saved.is_some() { None } else { session.warm_start()? };
    let mut console = Console::new(&args.output).toward(session.spec.certificate.target_gap);
    console.head(&session.spec.name, &head(&session, args.output.time_limit));
    let share = session.problem.lambda / session.lambda_max.found;
    if share < SMALL {
        console.log(&format!("  warning: {}\n", describe::small_lambda(share)));
    }
    checkpoints::announce(&console, &target, args.checkpoints.resume, saved.is_some());
    if let Some(cells) = saved.as_ref().and_then(|s| s.state.cells()) {
        console.log(&format!("  the bound goes on from {cells} cells\n"));
    }
    saved.iter().flat_map(|s| &s.trace).for_each(|i| console.iteration(i));

    let options = session.certify_options();
    let keeper = Keeper::new(args.checkpoints.checkpoint.0, &target, key);
    let mut recorder = Recorder::new(&mut console, keeper);
    let (problem, settings) = (&mut session.problem, &session.spec.solver);
    let limits = Limits { all: &all, solving: settings.time_limit, certifying: session.spec.certificate.time_limit };
    let begin = match &saved {
        Some(saved) => saved.state.begin(Until::Proven),
        None => Begin::Warm(Warm { factors: start, found: session.found.take(), ..Warm::default() }),
    };
    let Answer { solution, certificate, solving, certifying } =
        answer::answer(problem, settings, &options, &options, begin, &limits, &mut recorder)
            .map_err(|e| session.explained(e))?;
    let time = Time {
        solve_s: saved.map_or(0.0, |s| s.state.elapsed_s()) + solving.as_secs_f64(),
        certify_s: certifying.as_secs_f64(),
    };
    let outcome = outcome(&solution, &certificate, time);
    let written = Some((staging, target.as_path()));
    let code = finish(&session, &outcome, written, &console, &args.output, &budget)
        .inspect_err(|_| checkpoints::kept(&console, &target))?;
    let limited = matches!(solution.stopped_by, StopReason::Interrupt | StopReason::Time);
    checkpoints::conclude(&console, &target, limited && code != failure::DONE);
    Ok(code)
}

/// What a solver came to.
pub fn outcome<'a>(solution: &'a Solution, certificate: &'a Certificate, time: Time) -> Outcome<'a> {
    let stopped_by = solution.stopped_by.word();
    Outcome { factors: &solution.factors, certificate, stopped_by, time, path: None }
}

fn head(session: &Session, limit: Option<Duration>) -> Vec<describe::Line> {
    let s = &session.spec;
    let limits = [("", limit), ("solving: ", s.solver.time_limit), ("certifying: ", s.certificate.time_limit)];
    let limits = limits.iter().filter_map(|(what, t)| t.map(|t| format!(", {what}{} s", t.as_secs_f64())));
    let mut lines = vec![
        ("problem", describe::data(&session.problem, &s.loss)),
        ("regularizer", describe::regularizer(&session.problem, s, &session.lambda_max)),
        ("polar", describe::exactness(&session.problem)),
        ("stops at", format!("gap <= {:e}{}", s.certificate.target_gap, limits.collect::<String>())),
    ];
    lines.extend(describe::extras(s).map(|e| ("extras", e)));
    lines.extend(session.dataset.notes.iter().map(|n| ("data", n.clone())));
    lines
}
