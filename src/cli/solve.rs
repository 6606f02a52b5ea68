//! `homfac solve SPEC`: solve, certify, write the run folder.

use super::args::SolveArgs;
use super::checkpoints::{self, Recorder};
use super::console::{Console, start_tracing};
use super::finish::{Outcome, finish};
use super::interrupt;
use super::session::Session;
use crate::data::DataError;
use crate::mapping::Factors;
use crate::report::describe;
use crate::run::document::Time;
use crate::run::{Staging, checkpoint, load};
use crate::solve::answer::{self, Answer, Begin, Limits};
use crate::solve::observer::Observer;
use crate::solve::{StopReason, Warm};
use std::time::Duration;

/// Runs the command; the exit code.
///
/// # Errors
/// Spec, data, I/O, or a defect.
pub fn run(args: &SolveArgs) -> anyhow::Result<u8> {
    let budget = interrupt::budget();
    start_tracing(&args.output);
    let all = budget.within(args.output.time_limit);
    let mut session = Session::open(&args.spec, &args.overrides)?;
    let target = args.output.out.clone().unwrap_or_else(|| session.spec.output.clone());
    let saved = if args.resume { checkpoints::find(&session, &target)? } else { None };
    // what was written when time was up is what its checkpoint goes on from
    let staging = Staging::create(&target, args.output.force || saved.is_some())?;
    let start = if saved.is_some() { None } else { warm_start(&session)? };
    let mut console = Console::new(&args.output).toward(session.spec.certificate.target_gap);
    console.head(&session.spec.name, &head(&session, args.output.time_limit));
    let path = checkpoint::path_of(&target);
    match &saved {
        Some(saved) => {
            console.log(&format!("  resumed from {}\n", path.display()));
            saved.trace.iter().for_each(|i| console.iteration(i));
        }
        None if args.resume => console.log(&format!("  no checkpoint at {}: solving starts anew\n", path.display())),
        None if path.exists() => {
            console.log(&format!("  {} is not gone on from without --resume\n", path.display()));
        }
        None => {}
    }

    let options = session.certify_options();
    let key = checkpoints::problem(&session);
    let mut recorder = Recorder::new(&mut console, args.checkpoint.0, &target, &staging, key);
    let (problem, settings) = (&mut session.problem, &session.spec.solver);
    let limits = Limits { all: &all, solving: settings.time_limit, certifying: session.spec.certificate.time_limit };
    let begin = match &saved {
        Some(s) => Begin::Saved(&s.state),
        None => Begin::Warm(Warm { factors: start, ..Warm::default() }),
    };
    let Answer { solution, certificate, solving, certifying } =
        answer::answer(problem, settings, &options, &options, begin, &limits, &mut recorder)?;
    let time = Time { solve_s: solving.as_secs_f64(), certify_s: certifying.as_secs_f64() };
    let outcome =
        Outcome { factors: &solution.factors, certificate: &certificate, stopped_by: solution.stopped_by.word(), time };
    let code = finish(&session, &outcome, Some((staging, target.as_path())), &console, &args.output, &budget)?;
    if matches!(solution.stopped_by, StopReason::Interrupt | StopReason::Time) && path.exists() {
        console.log(&format!("  --resume goes on from {}\n", path.display()));
    } else {
        checkpoint::remove(&target);
    }
    Ok(code)
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

/// The factors of `solver.warm_start`, projected onto the cones.
fn warm_start(session: &Session) -> anyhow::Result<Option<Factors>> {
    let Some(folder) = &session.spec.warm_start else { return Ok(None) };
    let rows = session.problem.factor_rows();
    let mut x = load::factors(folder, rows.len())?;
    for (k, (factor, &d)) in x.0.iter_mut().zip(&rows).enumerate() {
        if factor.nrows() != d {
            return Err(DataError::Shape {
                file: folder.join(format!("factors/X{}.npy", k + 1)).display().to_string(),
                expected: format!("{d} rows, as this problem has"),
                found: factor.nrows().to_string(),
                hint: None,
            }
            .into());
        }
        if let Some(cone) = session.problem.regularizer.gauges[k].cone() {
            factor.column_iter_mut().for_each(|mut c| cone.project(c.as_mut_slice()));
        }
    }
    Ok(Some(x))
}
