//! Where the time of a solve goes: `cargo bench --bench stages -- SPEC [KEY=VALUE ..]` prints one JSON object.
//!
//! ```text
//! read            spec and data
//! lambda_max      its proof included; its search is the first of the solve
//! stages          by what the solver says it does; the rest is appending slices
//! last_descent    lambda_max's search, and from there to the end of the last descent, searches and proofs on the way included
//! solve, certify
//! ```
//!
//! Each is a pair: wall and CPU seconds.

#![allow(clippy::print_stdout)] // its result

#[path = "support/cpu.rs"]
mod cpu;

use cpu::cpu_s;
use homfac::certify::{self, CertifyOptions, Known};
use homfac::solve::observer::{Iteration, Observer};
use homfac::solve::{Warm, solve_warm};
use homfac::spec::{self, Override, model::Lambda};
use homfac::{budget::Budget, data, polar};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

/// Wall and CPU seconds.
type Seconds = (f64, f64);

/// Started at some moment.
#[derive(Clone, Copy)]
struct Clock(Instant, f64);

impl Clock {
    fn start() -> Self {
        Self(Instant::now(), cpu_s())
    }

    fn read(self) -> Seconds {
        (self.0.elapsed().as_secs_f64(), cpu_s() - self.1)
    }
}

/// Seconds by stage.
struct Stages {
    solve: Clock,
    current: Option<(String, Clock)>,
    spent: BTreeMap<String, Seconds>,
    last_descent: Seconds,
}

impl Stages {
    fn close(&mut self) {
        if let Some((what, since)) = self.current.take() {
            if what == "descending" {
                self.last_descent = self.solve.read();
            }
            let (wall, cpu) = since.read();
            let spent = self.spent.entry(what).or_default();
            *spent = (spent.0 + wall, spent.1 + cpu);
        }
    }
}

impl Observer for Stages {
    fn iteration(&mut self, _iteration: &Iteration) {
        self.close();
    }

    fn progress(&mut self, what: &str) {
        self.close();
        self.current = Some((what.to_string(), Clock::start()));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    // run as a test or with no spec, there is nothing to measure
    let measuring = arguments.iter().any(|a| a == "--bench");
    arguments.retain(|a| a != "--bench");
    let Some((path, assignments)) = arguments.split_first().filter(|_| measuring) else { return Ok(()) };
    let overrides: Vec<Override> = assignments
        .iter()
        .map(|a| a.split_once('=').ok_or_else(|| format!("`{a}` is not KEY=VALUE")))
        .map(|a| {
            a.map(|(key, value)| Override { key: key.into(), value: value.into(), flag: format!("{key}={value}") })
        })
        .collect::<Result<_, _>>()?;

    let clock = Clock::start();
    let text = std::fs::read_to_string(path)?;
    let spec = spec::parse(&text, Path::new(path), &overrides)?;
    if let Some(threads) = spec.solver.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads).use_current_thread().build_global()?;
    }
    let dataset = data::load(&spec.data)?;
    let (mut problem, _) = spec::assemble(&spec, &dataset)?;
    let read = clock.read();

    let clock = Clock::start();
    let tight = matches!(spec.lambda, Lambda::Relative(_));
    polar::found_at_zero(&problem, tight, &Budget::unlimited());
    let searched = clock.read();
    let clock = Clock::start();
    let (lambda_max, found) = polar::at_zero(&problem, tight, &Budget::unlimited());
    problem.lambda = match spec.lambda {
        Lambda::Absolute(lambda) => lambda,
        Lambda::Relative(fraction) => fraction * lambda_max.found,
    };
    let at_zero = clock.read();

    let options = CertifyOptions { target_gap: spec.certificate.target_gap, effort: spec.certificate.effort };
    let budget = Budget::unlimited();
    let clock = Clock::start();
    let mut stages = Stages { solve: clock, current: None, spent: BTreeMap::new(), last_descent: (0.0, 0.0) };
    let limit = budget.within(spec.solver.time_limit);
    let start = Warm { found: Some(found), ..Warm::default() };
    let solution = solve_warm(&mut problem, &spec.solver, &options, start, &limit, &mut stages);
    let solve = clock.read();

    let clock = Clock::start();
    let known = Known { witnesses: &solution.witnesses, polar: solution.polar.as_ref(), cuts: None };
    certify::certify_at(&problem, &solution.factors, Some(&solution.extras), known, &options, &budget)?;
    let certify = clock.read();
    println!(
        "{}",
        serde_json::json!({
            "read": read,
            "lambda_max": at_zero,
            "stages": stages.spent,
            "last_descent": (searched.0 + stages.last_descent.0, searched.1 + stages.last_descent.1),
            "solve": solve,
            "certify": certify,
        })
    );
    Ok(())
}
