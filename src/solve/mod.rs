//! Algorithm 1 of the paper, practical: descend, reduce, search the polar, append, until the proven gap meets the target or no
//! slice that descends is found. Printing is left to observers.

pub mod answer;
pub mod append;
pub mod checkpoint;
mod coarse;
mod compress;
pub mod descent;
mod narrow;
pub mod observer;
pub mod options;
pub mod path;
mod progress;
pub mod reduce;

use crate::budget::Budget;
use crate::certify::dual::{self, DualPoint, Keeper, Kind, relative_gap};
use crate::certify::{CertifyOptions, GLOBAL_GAP, RESIDUAL, Witness, refuting_slices, relax};
use crate::extra::Coefficients;
use crate::linalg::lanczos;
use crate::mapping::Factors;
use crate::polar::bound::Bounded;
use crate::polar::{bound, search};
use crate::problem::Problem;
use checkpoint::Checkpoint;
use compress::Compressed;
use descent::Descent;
use narrow::Wide;
use observer::{Iteration, Observer};
use options::SolverOptions;
use progress::{FINISHED, Progress, SETTLING};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Why solving stopped. Never a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    /// The proven gap met the target.
    Gap,
    /// No slice above the tolerance was found and descent is finished.
    Stationary,
    /// `solver.max_rank`.
    MaxRank,
    /// `solver.max_outer`.
    MaxOuter,
    /// The time limit.
    Time,
    /// Ctrl-C.
    Interrupt,
    /// What the search finds promises no more than the target gap; the bound does not prove it.
    Promise,
}

impl StopReason {
    /// The word in `stopped_by`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Stationary => "stationary",
            Self::MaxRank => "max_rank",
            Self::MaxOuter => "max_outer",
            Self::Time => "time",
            Self::Interrupt => "interrupt",
            Self::Promise => "promise",
        }
    }
}

/// The point that solving ended at, with the dual points it happens to have.
#[derive(Clone, Debug)]
pub struct Solution {
    /// The factors, balanced.
    pub factors: Factors,
    /// The extra variables, one vector per block.
    pub extras: Coefficients,
    /// Dual points worth proving.
    pub witnesses: Vec<Witness>,
    /// The last field whose polar was bounded on the way.
    pub polar: Option<Bounded>,
    /// Why it stopped.
    pub stopped_by: StopReason,
    /// The outer iterations made, and the seconds that they took.
    made: (usize, f64),
}

impl Solution {
    /// Seconds of solving, those before a checkpoint included.
    pub fn elapsed_s(&self) -> f64 {
        self.made.1
    }
}

/// How far a solve goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// The gap is proven to meet the target, or nothing more is to be gained.
    #[default]
    Proven,
    /// The same, or only a better bound could show that the point meets the target, as far as the polar search can tell.
    Promised,
    /// The point meets the target as far as the polar search can tell; nothing is proven.
    Fitted,
}

/// Where a solve starts, and how far it goes.
#[derive(Clone, Debug, Default)]
pub struct Warm<'a> {
    /// The factors; `None`: `initial_rank` random slices.
    pub factors: Option<Factors>,
    /// Dual points of a problem that differs in lambda alone: they are proven again.
    pub witnesses: &'a [Witness],
    /// Where to stop.
    pub until: Until,
}

/// The share of the target that a gap met while solving may take: what is certified is rounded again.
const MARGIN: f64 = 0.98;

/// Turns between factors and extra variables in one descent.
const TURNS: usize = 50;

/// Polar excess below which slices turn little and the last digits are what is missing.
const POLISH_BELOW: f64 = 1e-4;

/// Up to this many slices appended at once are left to the descent.
const FEW: usize = 8;

/// Polar excess of a point that is good enough for relaxations to start from.
const GOOD: f64 = 1e-5;

/// The share of itself that an objective need not fall by.
const NEGLIGIBLE: f64 = 1e-9;

/// This times the target's square is the relative decrease below which a sweep is not worth its while, where the point need only
/// promise to meet the target: the gap falls like the root of what is left to gain.
const LOOSE: f64 = 0.1;

/// Algorithm 1 from `start`, or from `initial_rank` random slices. The problem holds the extra variables of the moment while it is
/// solved, and none afterwards.
pub fn solve(
    problem: &mut Problem,
    options: &SolverOptions,
    certify: &CertifyOptions,
    start: Option<Factors>,
    budget: &Budget,
    observer: &mut dyn Observer,
) -> Solution {
    solve_warm(problem, options, certify, Warm { factors: start, ..Warm::default() }, budget, observer)
}

/// The same from a neighbouring problem's answer, as far as asked.
pub fn solve_warm(
    problem: &mut Problem,
    options: &SolverOptions,
    certify: &CertifyOptions,
    start: Warm,
    budget: &Budget,
    observer: &mut dyn Observer,
) -> Solution {
    let begun = |problem: &mut Problem, options: &SolverOptions, start: Warm, observer: &mut dyn Observer| {
        begin(problem, options, certify, start, budget, observer)
    };
    match Wide::narrow(problem) {
        Some(wide) => wide.solved(problem, options, start, observer, begun),
        None => begun(problem, options, start, observer),
    }
}

fn begin(
    problem: &mut Problem,
    options: &SolverOptions,
    certify: &CertifyOptions,
    start: Warm,
    budget: &Budget,
    observer: &mut dyn Observer,
) -> Solution {
    let mut q = problem.extras.zero();
    follow(problem, &Factors::empty(&problem.factor_rows()), &mut q);
    let coarse = if start.factors.is_none() { coarse::start(problem, options, certify, budget) } else { None };
    let settled = coarse.is_some();
    let x = start.factors.or(coarse).unwrap_or_else(|| random_slices(problem, options));
    let mut keeper = Keeper::new();
    offer_relaxed(problem, start.witnesses, &mut keeper);
    let state = Progress { step: "init".into(), settled, ..Progress::default() };
    let from = Start { iter: 0, elapsed_s: 0.0, x, q, keeper, residual: None, state, until: start.until };
    go_on(problem, options, certify, from, budget, observer)
}

/// Algorithm 1 from where it was. The checkpoint must fit the problem ([`Checkpoint::fits`]).
pub fn resume(
    problem: &mut Problem,
    options: &SolverOptions,
    certify: &CertifyOptions,
    from: &Checkpoint,
    budget: &Budget,
    observer: &mut dyn Observer,
) -> Solution {
    let gone_on = |problem: &mut Problem, options: &SolverOptions, _: Warm, observer: &mut dyn Observer| {
        resume_narrow(problem, options, certify, from, budget, observer)
    };
    match Wide::narrow(problem) {
        Some(wide) => wide.solved(problem, options, Warm::default(), observer, gone_on),
        None => gone_on(problem, options, Warm::default(), observer),
    }
}

fn resume_narrow(
    problem: &mut Problem,
    options: &SolverOptions,
    certify: &CertifyOptions,
    from: &Checkpoint,
    budget: &Budget,
    observer: &mut dyn Observer,
) -> Solution {
    let mut keeper = Keeper::new();
    // the way it was proven, to the last digit
    if let Some((z, near)) = &from.residual {
        keep_residual(problem, &Bounded::starting(problem, z.clone(), near.clone()), &mut keeper);
    } else if let Some(point) = from.witness.as_ref().and_then(|w| DualPoint::from_witness(problem, w)) {
        keeper.offer_witness(problem, &point);
    }
    for source in &from.tried {
        keeper.mark(source);
    }
    problem.hold(&from.extras);
    let from = Start {
        iter: from.iter,
        elapsed_s: from.elapsed_s,
        x: from.factors(),
        q: from.extras.clone(),
        keeper,
        residual: from.residual.clone(),
        state: from.progress.clone(),
        until: Until::Proven,
    };
    go_on(problem, options, certify, from, budget, observer)
}

/// Algorithm 1 on from an answer that something better was found for: `x`, its factors with a slice more.
fn go_on_with(
    problem: &mut Problem,
    options: &SolverOptions,
    certify: &CertifyOptions,
    answer: &Solution,
    x: Factors,
    until: Until,
    budget: &Budget,
    observer: &mut dyn Observer,
) -> Solution {
    let start = Warm { factors: Some(x), until, ..Warm::default() };
    let gone_on = |problem: &mut Problem, options: &SolverOptions, start: Warm, observer: &mut dyn Observer| {
        let x = start.factors.expect("given above");
        go_on_narrow(problem, options, certify, answer, x, until, budget, observer)
    };
    match Wide::narrow(problem) {
        Some(wide) => wide.solved(problem, options, start, observer, gone_on),
        None => gone_on(problem, options, start, observer),
    }
}

fn go_on_narrow(
    problem: &mut Problem,
    options: &SolverOptions,
    certify: &CertifyOptions,
    answer: &Solution,
    x: Factors,
    until: Until,
    budget: &Budget,
    observer: &mut dyn Observer,
) -> Solution {
    let mut q = problem.extras.zero();
    follow(problem, &x, &mut q);
    let mut keeper = Keeper::new();
    offer_relaxed(problem, &answer.witnesses, &mut keeper);
    let (iter, elapsed_s) = answer.made;
    let state = Progress { step: "refuted".into(), last_excess: 1.0, ..Progress::default() };
    let from = Start { iter, elapsed_s, x, q, keeper, residual: None, state, until };
    go_on(problem, options, certify, from, budget, observer)
}

/// Offers the dual points that stay good where they were not made: the field of a point is worth little at another.
fn offer_relaxed(problem: &Problem, witnesses: &[Witness], keeper: &mut Keeper) {
    witnesses
        .iter()
        .filter_map(|w| DualPoint::from_witness(problem, w))
        .filter(|p| !matches!(p.kind, Kind::Field(_)))
        .for_each(|p| keeper.offer(problem, &p));
}

/// Where the outer loop begins.
struct Start {
    iter: usize,
    elapsed_s: f64,
    x: Factors,
    q: Coefficients,
    keeper: Keeper,
    residual: Option<bound::Start>,
    state: Progress,
    until: Until,
}

/// Proves the field of a point whose polar is bounded; whether that is the best bound.
fn keep_residual(problem: &Problem, bounded: &Bounded, keeper: &mut Keeper) -> bool {
    let before = keeper.value();
    keeper.keep(bounded.upper().and_then(|u| dual::prove_field(problem, RESIDUAL, bounded.field(), u)));
    keeper.value() != before
}

/// The outer loop.
fn go_on(
    problem: &mut Problem,
    options: &SolverOptions,
    certify: &CertifyOptions,
    from: Start,
    budget: &Budget,
    observer: &mut dyn Observer,
) -> Solution {
    let clock = Instant::now();
    let Start { iter: first, elapsed_s, mut x, mut q, mut keeper, residual, mut state, until } = from;
    let elapsed = || elapsed_s + clock.elapsed().as_secs_f64();
    let strategy = descent::choose(problem, options.descent.as_deref());
    let tolerance = options.stationarity_tolerance.unwrap_or(certify.target_gap.min(GLOBAL_GAP) / 10.0);
    let exact = bound::is_exact(problem);
    let joint = descent::lbfgs::joins(problem) && options.descent.is_none();
    let compressed = Compressed::new(problem);
    let mut polar = None;
    // what the best bound came from, where that is the field of a point
    let mut residual = residual;
    // where the bound keeps a gap anyway, the last digits of the objective are not worth the sweeps
    state.finished = if exact { FINISHED } else { 1e-7 * certify.target_gap.min(GLOBAL_GAP) };
    state.loose = if until == Until::Proven { 0.0 } else { LOOSE * certify.target_gap.min(GLOBAL_GAP).powi(2) };

    let mut next;
    let stopped_by = 'outer: {
        for iter in first.. {
            next = iter + 1;
            if iter > first && observer.wants_checkpoint(false) {
                let witness = keeper.best().map(|b| b.point.to_witness());
                let proven = (witness, residual.clone());
                observer.checkpoint(Checkpoint::new(iter, elapsed(), &x, &q, proven, keeper.tried(), &state));
            }
            // 1. descend; how far depends on what the last polar search promised
            observer.progress("descending");
            let value = problem.objective(&x);
            let effort = descent::Effort { sweeps: state.sweeps(), decrease: state.worthwhile(value) };
            state.last_decrease = (iter > 0).then_some(effort.decrease);
            let late =
                options.descent.is_none() && (state.polishing > 0 || state.last_excess < POLISH_BELOW) && iter > 0;
            let strategy = if late { descent::polisher(problem).unwrap_or(strategy) } else { strategy };
            let mut descend = |problem: &mut Problem, x: &mut Factors, effort| {
                if joint {
                    descent::lbfgs::descend_jointly(problem, x, &mut q, effort, budget);
                    problem.hold(&q);
                } else if let Some(c) = &compressed {
                    let mut small = c.shrink(x);
                    strategy.descend(&c.problem, &mut small, effort, budget);
                    *x = c.expand(&small);
                } else {
                    alternate(problem, strategy, x, &mut q, effort, budget);
                }
            };
            // many of the slices appended at once are made superfluous by the first few sweeps
            if state.appended > FEW && x.rank() <= append::JOINT_LIMIT {
                descend(problem, &mut x, descent::Effort { sweeps: SETTLING, ..effort });
                append::reweigh(problem, &mut x);
                reduce::reduce(problem, &mut x);
            }
            descend(problem, &mut x, effort);

            // 2. drop zero, parallel and dependent slices
            let dropped = reduce::reduce(problem, &mut x);
            follow(problem, &x, &mut q);

            // 3. the polar at this point, and the cheap proofs
            observer.progress("searching the polar");
            let prediction = problem.predict(&x);
            let objective = problem.loss.value(problem.targets(), &prediction)
                + problem.lambda * problem.regularizer.total(&x)
                + problem.extras.value(&q);
            let z = problem.dual_field(&prediction);
            let effort = search::Effort {
                seed: options.seed.wrapping_mul(0x9e37).wrapping_add(iter as u64),
                ..state.search(problem)
            };
            let mut found = match &compressed {
                Some(c) => c.expand_found(search::search(&c.problem, &c.field(&z), Some(&c.shrink(&x)), &effort)),
                None => search::search(problem, &z, Some(&x), &effort),
            };
            let excess = found.best() / problem.lambda - 1.0;
            let promise = relative_gap(objective, dual::promise(problem, &z, found.best()));
            let target = certify.target_gap.min(GLOBAL_GAP);
            state.missing = if exact { target / promise } else { 0.0 };
            let proving = until != Until::Fitted;
            let ready = until != Until::Proven
                && shortfall(problem, &x, &prediction, &z, excess, objective) <= MARGIN * certify.target_gap;
            if proving && state.worth_proving(problem, exact, excess, promise <= target) {
                let bounded = Bounded::new(problem, z.clone(), &found);
                if keep_residual(problem, &bounded, &mut keeper) {
                    residual = Some(bounded.start());
                }
                polar = Some(bounded);
            }
            let proven = keeper.value();
            if proving && excess < 0.1 && (ready || state.is_slow(objective, target)) {
                // the relaxations do not depend on the point, but some start from it, and pay only once it is good
                observer.progress("climbing the ladder of relaxations");
                let good = excess < GOOD || (excess < 1e-3 && state.polishing > 0);
                // a network's polar is searched once, when the point is final
                let start = (good && problem.mapping.is_multilinear()).then_some(&x);
                let goal = relax::Goal { objective, target, start };
                relax::climb(problem, goal, certify.effort, budget, &mut keeper);
                residual = residual.filter(|_| keeper.value() == proven);
            }
            let gap = keeper.value().map(|b| relative_gap(objective, b));
            if dropped > 0 {
                state.step = format!("{} -{dropped}", state.step);
            }
            observer.iteration(&Iteration {
                iter,
                rank: x.rank(),
                objective,
                lower_bound: keeper.value(),
                gap,
                polar: excess + 1.0,
                step: std::mem::take(&mut state.step),
                time_s: elapsed(),
            });

            // 4. stop?
            if budget.interrupted() {
                break 'outer StopReason::Interrupt;
            }
            let met = gap.is_some_and(|g| g <= MARGIN * certify.target_gap);
            if met && gap.is_some_and(|g| g <= MARGIN * GLOBAL_GAP) {
                break 'outer StopReason::Gap;
            }
            if budget.out_of_time() {
                break 'outer StopReason::Time;
            }
            if options.max_outer.is_some_and(|m| iter + 1 >= m) {
                break 'outer StopReason::MaxOuter;
            }
            let negligible = NEGLIGIBLE * objective.abs();
            let finished = state.finished(objective, excess, tolerance, exact, negligible);
            if ready && !proving {
                break 'outer StopReason::Promise;
            }
            if finished || ready || (met && excess <= GLOBAL_GAP) {
                // a point that the certificate's search refutes is not an answer, whatever its gap
                match refuting_slices(problem, &x, &prediction, objective, certify.effort) {
                    None if met => break 'outer StopReason::Gap,
                    None if finished => break 'outer StopReason::Stationary,
                    None => break 'outer StopReason::Promise,
                    Some(wider) => found = wider,
                }
            }

            // 5. append distinct slices with their joint exact step
            if found.best() / problem.lambda - 1.0 > state.worth_appending(tolerance) {
                let room = options.max_rank.map_or(usize::MAX, |m| m.saturating_sub(x.rank()));
                if room == 0 {
                    break 'outer StopReason::MaxRank;
                }
                // at first noise would follow the signal, which hides it no more once it is fitted
                let room = if iter == 0 && exact { room.min(found.outstanding()) } else { room };
                let added = append::append(problem, &mut x, &found, room);
                state.appended = added;
                let appended = problem.objective(&x);
                state.step = format!("+{added}");
                state.gained(objective - appended);
            } else {
                state.step = "polish".into();
                state.appended = 0;
                state.gained(0.0);
            }
        }
        unreachable!("the loop ends by one of its breaks")
    };
    let witness = keeper.best().map(|b| b.point.to_witness());
    // where the limits ended it, solving can go on
    if matches!(stopped_by, StopReason::Interrupt | StopReason::Time) && observer.wants_checkpoint(true) {
        state.step = "resumed".into();
        let witness = witness.clone();
        let proven = (witness, residual);
        observer.checkpoint(Checkpoint::new(next, elapsed(), &x, &q, proven, keeper.tried(), &state));
    }
    problem.regularizer.balance(&mut x);
    follow(problem, &x, &mut q);
    problem.extras.complete(problem.targets(), &problem.predict(&x), &mut q);
    problem.offset = Vec::new();
    let witnesses = witness.into_iter().collect();
    Solution { factors: x, extras: q, witnesses, polar, stopped_by, made: (next, elapsed()) }
}

/// The extra variables take their best values for these factors.
fn follow(problem: &mut Problem, x: &Factors, q: &mut Coefficients) {
    if problem.extras.explicit().next().is_some() {
        problem.fit_extras(&problem.apply(x), q);
        problem.hold(q);
    }
}

/// Descends in the factors, and in the extra variables, in turn until that pays no more.
fn alternate(
    problem: &mut Problem,
    strategy: &dyn Descent,
    x: &mut Factors,
    q: &mut Coefficients,
    effort: descent::Effort,
    budget: &Budget,
) {
    let turns = if problem.extras.explicit().next().is_some() { TURNS } else { 1 };
    let mut value = problem.objective(x) + problem.extras.value(q);
    for _ in 0..turns {
        strategy.descend(problem, x, effort, budget);
        follow(problem, x, q);
        let reached = problem.objective(x) + problem.extras.value(q);
        if value - reached <= effort.decrease || budget.exhausted() {
            break;
        }
        value = reached;
    }
}

/// How far the objective f can still fall, as a share of itself, if the polar is as low as what has been found of it: an
/// estimate, never a bound.
///
/// ```text
/// f(X) - f(X*) <= max(0, Omega°(Z) - lambda) Omega(X*) + |lambda sum_i g(X_i) - <Z, Phi(X)>|,      Z = -grad l
/// ```
///
/// by convexity of l in X and Q; lambda Omega(X*) <= f(X) where l >= 0.
fn shortfall(problem: &Problem, x: &Factors, prediction: &[f64], z: &[f64], excess: f64, objective: f64) -> f64 {
    let g = problem.lambda * problem.regularizer.total(x);
    let held = |j: usize| problem.offset.get(j).copied().unwrap_or(0.0);
    let inner: f64 = z.iter().enumerate().map(|(j, z)| z * (prediction[j] - held(j))).sum();
    excess.max(0.0) + if g == inner { 0.0 } else { (g - inner).abs() / objective.abs() }
}

/// `initial_rank` random slices with their best joint weights.
fn random_slices(problem: &Problem, options: &SolverOptions) -> Factors {
    let rows = problem.factor_rows();
    let rank = options.max_rank.map_or(options.initial_rank, |m| options.initial_rank.min(m));
    let mut x = Factors(
        rows.iter()
            .enumerate()
            .map(|(k, &d)| lanczos::gaussian(d, rank, options.seed.wrapping_mul(31).wrapping_add(k as u64)))
            .collect(),
    );
    for (factor, gauge) in x.0.iter_mut().zip(&problem.regularizer.gauges) {
        for mut c in factor.column_iter_mut() {
            match (gauge.orthant(), gauge.cone()) {
                (Some(sign), _) => c.apply(|x| *x = sign * x.abs()),
                (None, Some(cone)) => cone.project(c.as_mut_slice()),
                (None, None) => {}
            }
            // a cone may hold nothing near a direction but 0
            let size = gauge.value(c.as_slice());
            c.scale_mut(if size > 0.0 { 1.0 / size } else { 0.0 });
        }
    }
    append::weigh(problem, &mut x);
    x
}
