//! The outer loop of Algorithm 1.

use super::checkpoint::Checkpoint;
use super::compress::Compressed;
use super::descent::{self, Descent};
use super::observer::{Iteration, Observer};
use super::options::SolverOptions;
use super::progress::{FINISHED, Progress, SETTLING};
use super::{Solution, StopReason, Until, append, reduce};
use crate::budget::Budget;
use crate::certify::dual::{self, Keeper, relative_gap};
use crate::certify::relax::newton;
use crate::certify::{CertifyOptions, GLOBAL_GAP, RESIDUAL, refuting_slices, relax};
use crate::extra::Coefficients;
use crate::mapping::Factors;
use crate::polar::bound::Bounded;
use crate::polar::search::Found;
use crate::polar::{bound, search};
use crate::problem::Problem;
use std::time::Instant;

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

/// The share of the target that it need not fall by where the bound keeps that away.
const LITTLE: f64 = 2e-2;

/// A gap of so many times the target is not closed by what an objective falls by in its last rounds.
const FAR: f64 = 10.0;

/// This times the target's square is the relative decrease below which a sweep is not worth its while, where the point need only
/// promise to meet the target: the gap falls like the root of what is left to gain.
const LOOSE: f64 = 0.1;

/// The share of the target that a field moved along its singular vectors should promise, as it may have more that is overlooked.
const CORRECTED: f64 = 0.7;

/// By how much moving the field shrinks a gap, as a moderate guess.
const MADE_UP: f64 = 10.0;

/// Where the outer loop begins.
pub(super) struct Start {
    pub(super) iter: usize,
    pub(super) elapsed_s: f64,
    pub(super) x: Factors,
    pub(super) q: Coefficients,
    pub(super) keeper: Keeper,
    /// What the best bound came from, where that is the field of a point, moved or not.
    pub(super) residual: Option<bound::Start>,
    /// The last field whose polar was bounded.
    pub(super) bounded: Option<bound::Start>,
    pub(super) state: Progress,
    pub(super) until: Until,
    /// Slices found of the polar at X = 0.
    pub(super) found: Option<Found>,
}

/// Proves a field whose polar is bounded; whether that is the best bound.
pub(super) fn keep_field(problem: &Problem, source: &str, bounded: &Bounded, keeper: &mut Keeper) -> bool {
    let before = keeper.value();
    keeper.keep(bounded.upper().and_then(|u| dual::prove_field(problem, source, bounded.field(), u)));
    keeper.value() != before
}

/// The outer loop.
pub(super) fn go_on(
    problem: &mut Problem,
    options: &SolverOptions,
    certify: &CertifyOptions,
    from: Start,
    budget: &Budget,
    observer: &mut dyn Observer,
) -> Solution {
    let clock = Instant::now();
    let Start { iter: first, elapsed_s, mut x, mut q, mut keeper, mut residual, bounded: mut last, .. } = from;
    let (mut state, until, mut at_zero) = (from.state, from.until, from.found);
    let elapsed = || elapsed_s + clock.elapsed().as_secs_f64();
    let strategy = descent::choose(problem, options.descent.as_deref());
    let target = certify.target_gap.min(GLOBAL_GAP);
    let tolerance = options.stationarity_tolerance.unwrap_or(target / 10.0);
    let exact = bound::is_exact(problem);
    let moves = exact && newton::applies(problem);
    let joint = descent::lbfgs::joins(problem) && options.descent.is_none();
    let compressed = Compressed::new(problem);
    // the rows of each factor are regressions of their own: descents are quick, beside searches and proofs
    let by_rows =
        options.descent.is_none() && !joint && compressed.is_none() && descent::varpro::Varpro.applies(problem);
    let mut polar = None;
    // where the bound keeps a gap anyway, the last digits of the objective are not worth the sweeps
    state.finished = if exact { FINISHED } else { 1e-7 * target };
    state.loose = if until == Until::Proven { 0.0 } else { LOOSE * target.powi(2) };

    let kinked = !problem.mapping.is_multilinear();
    // where the bound is what keeps the target away, the objective's last digits bring it no nearer
    let limited = |keeper: &Keeper, objective: f64| {
        !exact && !kinked && keeper.value().is_some_and(|b| relative_gap(objective, b) > FAR * target)
    };
    let negligible = |keeper: &Keeper, objective: f64| {
        let share = if limited(keeper, objective) { NEGLIGIBLE.max(LITTLE * target) } else { NEGLIGIBLE };
        share * objective.abs()
    };

    let mut next;
    // the objective that the next iteration begins with, where it is known
    let mut begun = None;
    let stopped_by = 'outer: {
        for iter in first.. {
            next = iter + 1;
            if iter > first && observer.wants_checkpoint(false) {
                let witness = keeper.best().map(|b| b.point.to_witness());
                let proven = (witness, residual.as_ref(), last.as_ref());
                observer.checkpoint(Checkpoint::new(iter, elapsed(), &x, &q, proven, keeper.tried(), &state));
            }
            // 1. descend; how far depends on what the last polar search promised
            observer.progress("descending");
            let value = begun.take().unwrap_or_else(|| problem.objective(&x));
            let effort =
                descent::Effort { sweeps: state.sweeps(exact), decrease: state.worthwhile(value, exact, by_rows) };
            state.last_decrease = (iter > 0).then_some(effort.decrease);
            // the last digits are for later while sweeps bring more than those
            let waits =
                state.last_objective.is_some_and(|o| limited(&keeper, o) && state.fell > negligible(&keeper, o));
            let late = options.descent.is_none()
                && (state.polishing > 0 || state.last_excess < POLISH_BELOW)
                && iter > 0
                && !waits;
            let strategy =
                if late { descent::polisher(problem, state.polishing > 0).unwrap_or(strategy) } else { strategy };
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
            // many of the slices appended at once are made superfluous by the first few sweeps, unless they are orthogonal
            let orthogonal = exact && descent::hals::Hals.applies(problem);
            let mut done = false;
            if by_rows && state.appended > 0 && state.appended == x.rank() {
                // all slices are new: far from the optimum, and nothing is superfluous yet
                done = descent::als::settle(problem, &mut x, effort, budget);
            } else if state.appended > FEW && !orthogonal && x.rank() <= append::JOINT_LIMIT {
                descend(problem, &mut x, descent::Effort { sweeps: SETTLING, ..effort });
                append::reweigh(problem, &mut x);
                reduce::reduce(problem, &mut x);
            }
            if !done {
                descend(problem, &mut x, effort);
            }

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
            let look = |again: Option<f64>| {
                let mut effort = search::Effort {
                    seed: options.seed.wrapping_mul(0x9e37).wrapping_add(iter as u64),
                    budget: Some(budget),
                    ..state.search(problem, x.rank(), again)
                };
                if moves {
                    effort.keep = effort.keep.max(newton::wanted(x.rank()));
                }
                match &compressed {
                    Some(c) => c.expand_found(search::search(&c.problem, &c.field(&z), Some(&c.shrink(&x)), &effort)),
                    None => search::search(problem, &z, Some(&x), &effort),
                }
            };
            let excess_of = |found: &Found| found.best() / problem.lambda - 1.0;
            let mut found = at_zero.take().filter(|_| x.rank() == 0).unwrap_or_else(|| look(None));
            let brief = excess_of(&found);
            if state.searches_again(problem, exact, brief) {
                found = look(Some(brief));
            }
            let excess = excess_of(&found);
            let promise = relative_gap(objective, dual::promise(problem, &z, found.best()));
            // a field that can be moved makes up for much
            state.missing = if exact { target * if moves { MADE_UP } else { 1.0 } / promise } else { 0.0 };
            let proving = until != Until::Fitted;
            let ready = until != Until::Proven
                && shortfall(problem, &x, &prediction, &z, excess, objective) <= MARGIN * certify.target_gap;
            if proving && state.worth_proving(problem, exact, excess, promise <= target) {
                let bounded = Bounded::new(problem, z.clone(), &found, budget);
                if keep_field(problem, RESIDUAL, &bounded, &mut keeper) {
                    residual = Some(bounded.start());
                }
                last = Some(bounded.start());
                polar = Some(bounded);
            }
            if proving && moves && state.worth_correcting(promise, target) {
                let goal = relax::Goal { objective, target: CORRECTED * target, start: None, last: None };
                let corrected = newton::correct(problem, &x, &prediction, &found, goal, budget);
                if let Some(c) = corrected.filter(|c| c.promise <= goal.target) {
                    let bounded = Bounded::new(problem, c.field, &c.found, budget);
                    if keep_field(problem, &relax::source(&newton::Newton), &bounded, &mut keeper) {
                        residual = Some(bounded.start());
                    }
                    last = Some(bounded.start());
                    polar = Some(bounded);
                }
            }
            let proven = keeper.value();
            if proving && excess < 0.1 && (ready || state.is_slow(objective, target)) {
                // the relaxations do not depend on the point, but some start from it, and pay only once it is good
                observer.progress("climbing the ladder of relaxations");
                let good = excess < GOOD || (excess < 1e-3 && state.polishing > 0);
                // the polar of the point itself is searched once, when that is final
                let goal = relax::Goal { objective, target, start: good.then_some(&x), last: None };
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
            // one that stays so is beyond the range of numbers, and cannot be seen to fall
            if !objective.is_finite() && state.last_objective.is_some_and(|last| !last.is_finite()) {
                break 'outer StopReason::Stationary;
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
            let little = negligible(&keeper, objective);
            // what waits has had no turn yet
            let finished = state.finished(objective, excess, tolerance, exact, kinked, little) && !waits;
            if ready && !proving {
                break 'outer StopReason::Promise;
            }
            if finished || ready || (met && excess <= GLOBAL_GAP) {
                // a point that the certificate's search refutes is not an answer, whatever its gap
                match refuting_slices(problem, &x, &prediction, objective, certify.effort, budget) {
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
                let here = append::Point { objective: objective - problem.extras.value(&q), prediction, z };
                let (added, appended) = append::append(problem, &mut x, &found, room, here);
                state.appended = added;
                begun = Some(appended);
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
        let proven = (witness, residual.as_ref(), last.as_ref());
        observer.checkpoint(Checkpoint::new(next, elapsed(), &x, &q, proven, keeper.tried(), &state));
    }
    problem.regularizer.balance(&mut x);
    follow(problem, &x, &mut q);
    problem.extras.complete(problem.targets(), &problem.predict(&x), &mut q);
    problem.offset = Vec::new();
    let witnesses = witness.into_iter().collect();
    // bounded before a kill: bounded again only now, as it may have been overtaken
    let polar = polar.or_else(|| last.map(|(z, near)| Bounded::starting(problem, z, near, budget)));
    Solution { factors: x, extras: q, witnesses, polar, stopped_by, made: (next, elapsed()) }
}

/// The extra variables take their best values for these factors.
pub(super) fn follow(problem: &mut Problem, x: &Factors, q: &mut Coefficients) {
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
    if problem.extras.explicit().next().is_none() {
        strategy.descend(problem, x, effort, budget);
        return;
    }
    let mut value = problem.objective(x) + problem.extras.value(q);
    for _ in 0..TURNS {
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
