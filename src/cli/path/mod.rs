//! `homfac path SPEC`: one lambda after another, each from the answer at the last; one point is chosen, proven, written.

pub mod choice;
mod folds;
mod grid;
mod resume;

use super::args::PathArgs;
use super::checkpoints::{self, Keeper, State};
use super::console::{Console, start_tracing};
use super::failure::{self, Usage};
use super::finish::{document, finish};
use super::interrupt;
use super::session::Session;
use super::solve;
use crate::budget::Budget;
use crate::certify::{self, Certificate, CertifyOptions, Effort, Known};
use crate::polar::cuts::Tree;
use crate::report::path::{self, Point};
use crate::report::{describe, log};
use crate::run::Staging;
use crate::run::document::Time;
use crate::solve::answer::{self, Begin, Limits};
use crate::solve::checkpoint::{Checkpoint, Ended};
use crate::solve::observer::{Iteration, Observer};
use crate::solve::path::Path;
use crate::solve::{Solution, Until};
use crate::spec::model::Lambda;
use choice::Rule;
use folds::Folds;
use grid::Grid;
use resume::{Record, Saved, UnderWay};
use std::path::PathBuf;
use std::time::Instant;

/// The share of `--time-limit` that the path leaves for proving the point chosen.
const PROOF_SHARE: f64 = 0.3;

/// Runs the command; the exit code.
///
/// # Errors
/// Usage, spec, data, I/O, or a defect.
pub fn run(args: &PathArgs) -> anyhow::Result<u8> {
    let budget = interrupt::budget();
    start_tracing(&args.output);
    let all = budget.within(args.output.time_limit);
    let grid = Grid::new(args)?;
    if let Some(k) = args.folds.filter(|k| *k < 2) {
        return Err(Usage(format!("--folds {k}: expected at least 2")).into());
    }
    let mut session = open(args, &grid, &all)?;
    let rule = Rule::new(args.choose, args.folds.is_some(), session.dataset.holdout.is_some(), grid.len())?;
    let mut folds = args.folds.map(|k| Folds::new(&session, k)).transpose()?;
    let target = args.output.out.clone().unwrap_or_else(|| beside(&session.spec.output));
    let key = checkpoints::problem(&session, &format!("path {grid:?} {rule:?} {:?} {}", args.folds, args.prove_all));
    let saved = match args.checkpoints.resume {
        true => Saved::find(&session, &target, &key, (&grid, rule), folds.as_ref())?,
        false => None,
    };
    // what was written when time was up is what its checkpoint goes on from
    let staging = Staging::create(&target, args.output.force || saved.is_some())?;
    let mut console = Console::new(&args.output);
    console.log(&head(&session, args, &grid, rule));
    checkpoints::announce(&console, &target, args.checkpoints.resume, saved.is_some());

    let walking = all.within(all.remaining().map(|d| d.mul_f64(1.0 - PROOF_SHARE)));
    let record = Record::new(Keeper::new(args.checkpoints.checkpoint.0, &target, key));
    let mut walk = Walk { args, grid: &grid, rule, budget: &walking, record };
    let (start, mut under_way) = match saved {
        Some(saved) => {
            let (mut walked, path, under_way) = saved.restore(&session, folds.as_mut(), &walking);
            walk.prove_again(&mut session, &mut walked)?;
            ((walked, path), under_way)
        }
        None => {
            let path = session.warm_start()?.map_or_else(|| Path::new(&session.problem), Path::starting);
            ((Walked { points: Vec::new(), kept: Vec::new() }, path), None)
        }
    };
    let Walked { mut points, kept } = walk.walk(&mut session, start, &mut under_way, folds, &mut console)?;
    let chosen = rule.choose(&points);
    let best = kept.into_iter().flatten().find(|k| k.point == chosen).expect("the point chosen is kept");
    at(&mut session, &grid, chosen);
    let (mut time, mut trace) = (best.time, best.trace);
    let (solution, certificate) = if !all.exhausted() && !args.prove_all {
        let (mut path, options) = (Path::from(&best.solution), session.certify_options());
        let begun = under_way.take_if(|u| u.point == chosen);
        let mut watch = walk.watch(&mut console, chosen, "the point chosen".into());
        let a = answer(&mut session, &mut path, (Until::Proven, begun), &options, &all, &mut watch)?;
        trace = watch.trace;
        time = Time { solve_s: time.solve_s + a.time.solve_s, certify_s: time.certify_s + a.time.certify_s };
        points[chosen].time_s += a.time.solve_s + a.time.certify_s;
        (a.solution, a.certificate)
    } else {
        // of a point from a checkpoint it is made again
        let again = || certify(&session, &best.solution, &walk.until(&session).1, &all);
        let certificate = best.certificate.map_or_else(again, Ok)?;
        (best.solution, certificate)
    };
    let mut outcome = solve::outcome(&solution, &certificate, time);
    points[chosen].document = document(&session, &outcome)?;
    let table = path::csv(&points, chosen, &rule.word());
    let shown = path::Walk::parse(&table);
    outcome.path = shown.as_ref();
    staging.write("path.csv", table.as_bytes())?;
    staging.write("path.svg", path::svg(&points, chosen).as_bytes())?;
    console.trace = trace;
    let d = &points[chosen].document;
    console.log(&format!(
        "\nchosen         point {} of {}: lambda {:?} ({rule})\n",
        chosen + 1,
        points.len(),
        d.lambda
    ));
    let whole = points.len() == grid.len();
    if whole && shown.as_ref().is_some_and(path::Walk::ends_at_the_edge) {
        console.log("  the smallest lambda does best: a smaller one (`--smallest`, `--lambdas`) may do better\n");
    }
    let written = Some((staging, target.as_path()));
    let code = finish(&session, &outcome, written, &console, &args.output, &budget)
        .inspect_err(|_| checkpoints::kept(&console, &target))?;
    let limited = !whole || (all.exhausted() && code != failure::DONE);
    checkpoints::conclude(&console, &target, limited);
    Ok(if code == failure::DONE && !whole { failure::GAP_LEFT } else { code })
}

/// The spec with the first lambda of the grid.
fn open(args: &PathArgs, grid: &Grid, budget: &Budget) -> anyhow::Result<Session> {
    let mut overrides = args.overrides.clone();
    if overrides.lambda.is_some() || overrides.set.iter().any(|s| s.0 == "lambda" || s.0.starts_with("lambda.")) {
        let hint = "give `--lambdas` (numbers) or `--ratios` (fractions of lambda_max)";
        return Err(Usage(format!("--lambda: a path has many\n  hint: {hint}")).into());
    }
    overrides.lambda = Some(grid.first());
    Session::open(&args.spec, &overrides, budget)
}

/// `runs/movies` -> `runs/movies-path`.
fn beside(output: &std::path::Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_os_string();
    name.push("-path");
    output.with_file_name(name)
}

/// Sets lambda to that of a point.
fn at(session: &mut Session, grid: &Grid, point: usize) {
    session.problem.lambda = grid.lambda(point, session.lambda_max.found);
    session.spec.lambda = match grid {
        Grid::Absolute(all) => Lambda::Absolute(all[point]),
        Grid::Relative(all) => Lambda::Relative(all[point]),
    };
}

fn head(session: &Session, args: &PathArgs, grid: &Grid, rule: Rule) -> String {
    let s = &session.spec;
    let limit = args.output.time_limit.map_or(String::new(), |t| format!(", {} s in all", t.as_secs_f64()));
    let ends = [0, grid.len() - 1].map(|k| grid.lambda(k, session.lambda_max.found));
    let mut lines = vec![
        ("problem", describe::data(&session.problem, &s.loss)),
        ("regularizer", describe::gauges(&session.problem)),
        ("polar", describe::exactness(&session.problem)),
        ("lambda_max", describe::lambda_max(&session.lambda_max)),
        ("path", path::grid(grid.len(), ends[0], ends[1])),
        ("writes", rule.to_string()),
        ("stops at", format!("gap <= {:e}{limit}", s.certificate.target_gap)),
    ];
    lines.extend(args.folds.map(|k| ("folds", format!("{k}, of the observed {}", session.dataset.unit()))));
    lines.extend(describe::extras(s).map(|e| ("extras", e)));
    lines.extend(session.dataset.notes.iter().map(|n| ("data", n.clone())));
    log::head(&s.name, &lines)
}

/// A point that may be written.
struct Kept {
    point: usize,
    solution: Solution,
    /// `None` for one that was read back and is not proven again yet.
    certificate: Option<Certificate>,
    time: Time,
    trace: Vec<Iteration>,
}

/// The points reached, and those that may be written.
struct Walked {
    points: Vec<Point>,
    kept: Vec<Option<Kept>>,
}

/// The path from where it starts to its last lambda.
struct Walk<'a> {
    args: &'a PathArgs,
    grid: &'a Grid,
    rule: Rule,
    budget: &'a Budget,
    record: Record<'a>,
}

impl<'a> Walk<'a> {
    /// How far each point goes.
    fn until(&self, session: &Session) -> (Until, CertifyOptions) {
        let options = session.certify_options();
        match self.args.prove_all {
            true => (Until::Proven, options),
            // what solving proved on the way is proven again, and no more
            false => (Until::Promised, CertifyOptions { effort: Effort::Cheap, ..options }),
        }
    }

    /// Proves again what is kept of a checkpoint, whose rows claim it; what costs as much as the points did is left to the end.
    fn prove_again(&self, session: &mut Session, walked: &mut Walked) -> anyhow::Result<()> {
        let (_, options) = self.until(session);
        for kept in walked.kept.iter_mut().flatten().filter(|_| !self.args.prove_all) {
            at(session, self.grid, kept.point);
            let certificate = certify(session, &kept.solution, &options, self.budget)?;
            let outcome = solve::outcome(&kept.solution, &certificate, kept.time);
            walked.points[kept.point].document = document(session, &outcome)?;
            kept.certificate = Some(certificate);
        }
        Ok(())
    }

    /// Watches a point, or the proof of the one chosen.
    fn watch<'w>(&'w mut self, console: &'w mut Console, point: usize, what: String) -> Watch<'w, 'a> {
        let verbose = self.args.output.verbose;
        Watch { console, verbose, trace: Vec::new(), what, point, record: &mut self.record }
    }

    fn walk(
        &mut self,
        session: &mut Session,
        (mut walked, mut path): (Walked, Path),
        under_way: &mut Option<UnderWay>,
        mut folds: Option<Folds>,
        console: &mut Console,
    ) -> anyhow::Result<Walked> {
        let (until, options) = self.until(session);
        console.log(path::header());
        walked.points.iter().enumerate().for_each(|(k, p)| console.log(&path::row(k + 1, p)));
        for point in walked.points.len()..self.grid.len() {
            let mut begun = under_way.take_if(|u| u.point == point);
            self.record.between(&walked, &path, folds.as_ref(), begun.as_ref());
            if self.record.due(false) && point > 0 {
                self.record.write(console);
            }
            let clock = Instant::now();
            at(session, self.grid, point);
            let spent = begun.as_ref().map_or(0.0, |u| u.state.elapsed_s());
            let scored = begun.as_mut().map_or((Vec::new(), None), |u| (std::mem::take(&mut u.losses), u.fold.take()));
            let budget = self.budget;
            let mut watch = self.watch(console, point, format!("point {} of {}", point + 1, self.grid.len()));
            let a = answer(session, &mut path, (until, begun), &options, budget, &mut watch)?;
            let outcome = solve::outcome(&a.solution, &a.certificate, a.time);
            let document = document(session, &outcome)?;
            let cv = match &mut folds {
                Some(f) if !budget.exhausted() => {
                    watch.record.scoring(point, &a.solution, &watch.trace);
                    f.step(session, session.problem.lambda, scored, budget, &mut watch)?
                }
                _ => None,
            };
            let trace = watch.trace;
            walked.points.push(Point { document, cv, time_s: spent + clock.elapsed().as_secs_f64() });
            console.log(&path::row(point + 1, &walked.points[point]));
            let (solution, certificate) = (a.solution, Some(a.certificate));
            walked.kept.push(Some(Kept { point, solution, certificate, time: a.time, trace }));
            if !self.rule.needs_all() {
                let chosen = self.rule.choose(&walked.points);
                walked
                    .kept
                    .iter_mut()
                    .filter(|k| k.as_ref().is_some_and(|k| k.point != chosen))
                    .for_each(|k| *k = None);
            }
            if self.budget.exhausted() {
                // where this point had got to, if it was taken down, is gone on from
                self.record.write(console);
                return Ok(walked);
            }
        }
        // what is left under way is the proof of a point
        self.record.between(&walked, &path, folds.as_ref(), under_way.as_ref());
        self.record.write_end(console);
        Ok(walked)
    }
}

/// An answer on the way.
struct Certified {
    solution: Solution,
    certificate: Certificate,
    time: Time,
}

/// The answer at the session's lambda, certified, on from where it has got to.
fn answer(
    session: &mut Session,
    path: &mut Path,
    (until, begun): (Until, Option<UnderWay>),
    options: &CertifyOptions,
    budget: &Budget,
    watch: &mut Watch<'_, '_>,
) -> anyhow::Result<Certified> {
    let solver = session.spec.solver.clone();
    let target = session.certify_options();
    let certifying = session.spec.certificate.time_limit;
    let limits = Limits { all: budget, solving: solver.time_limit, certifying };
    begun.iter().flat_map(|u| &u.trace).for_each(|i| watch.iteration(i));
    let begin = match &begun {
        Some(u) => u.state.begin(until),
        None => Begin::Warm(path.warm(until)),
    };
    let a = answer::answer(&mut session.problem, &solver, &target, options, begin, &limits, watch)
        .map_err(|e| session.explained(e))?;
    *path = Path::from(&a.solution);
    let before = begun.map_or(0.0, |u| u.state.elapsed_s());
    let time = Time { solve_s: before + a.solving.as_secs_f64(), certify_s: a.certifying.as_secs_f64() };
    Ok(Certified { solution: a.solution, certificate: a.certificate, time })
}

/// What is proven of an answer.
fn certify(
    session: &Session,
    solution: &Solution,
    options: &CertifyOptions,
    budget: &Budget,
) -> anyhow::Result<Certificate> {
    let known = Known { witnesses: &solution.witnesses, polar: solution.polar.as_ref(), cuts: None };
    let budget = budget.within(session.spec.certificate.time_limit);
    let (x, q) = (&solution.factors, Some(&solution.extras));
    Ok(certify::certify_at(&session.problem, x, q, known, options, &budget)?)
}

/// Keeps the trace of a point, shows it with `-v`, and takes down where it has got to.
struct Watch<'a, 'b> {
    console: &'a mut Console,
    verbose: bool,
    trace: Vec<Iteration>,
    what: String,
    point: usize,
    record: &'a mut Record<'b>,
}

impl Observer for Watch<'_, '_> {
    fn iteration(&mut self, i: &Iteration) {
        self.trace.push(i.clone());
        if self.verbose {
            self.console.log(&log::iteration(i));
        }
    }

    fn progress(&mut self, what: &str) {
        self.console.progress(&format!("{}: {what}", self.what));
    }

    fn wants_checkpoint(&self, last: bool) -> bool {
        self.record.due(last)
    }

    fn checkpoint(&mut self, state: Checkpoint) {
        self.record.at(self.point, State::Solving(Box::new(state)), &self.trace, self.console);
    }

    fn solved(&mut self, solution: &Solution) {
        self.record.solved(self.point, solution, &self.trace, self.console);
    }

    fn unproven(&mut self, solution: &Solution, cuts: Option<&Tree>) {
        if self.record.due(true) {
            let state = State::Solved(Ended::unproven(solution, cuts));
            self.record.at(self.point, state, &self.trace, self.console);
        }
    }
}
