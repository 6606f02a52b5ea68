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
mod outer;
pub mod path;
mod progress;
pub mod reduce;

use crate::budget::Budget;
use crate::certify::dual::{DualPoint, Keeper, Kind};
use crate::certify::relax::newton;
use crate::certify::{CertifyOptions, RESIDUAL, Witness, relax};
use crate::extra::Coefficients;
use crate::linalg::lanczos;
use crate::mapping::Factors;
use crate::polar::bound::Bounded;
use crate::polar::search::Found;
use crate::problem::Problem;
use checkpoint::Checkpoint;
use observer::Observer;
use options::SolverOptions;
use outer::{Start, follow, go_on, keep_field};
use progress::Progress;
use serde::{Deserialize, Serialize};

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
    /// Whether the solver thought itself done.
    fn is_done(&self) -> bool {
        matches!(self.stopped_by, StopReason::Gap | StopReason::Stationary | StopReason::Promise)
    }

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
    /// Slices found of the polar at X = 0, if it has been searched.
    pub found: Option<Found>,
    /// Dual points of a problem that differs in lambda alone: they are proven again.
    pub witnesses: &'a [Witness],
    /// Where to stop.
    pub until: Until,
}

/// The descents that [`solve`] can use on this problem, the one that it chooses first. The problem is left as it was.
pub fn descents(problem: &mut Problem) -> Vec<&'static dyn descent::Descent> {
    narrow::descents(problem)
}

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
    narrow::solved(problem, options, start, observer, |problem, options, start, observer| {
        let mut q = problem.extras.zero();
        follow(problem, &Factors::empty(&problem.factor_rows()), &mut q);
        let coarse = if start.factors.is_none() { coarse::start(problem, options, certify, budget) } else { None };
        let settled = coarse.is_some();
        let x = start.factors.or(coarse).unwrap_or_else(|| random_slices(problem, options));
        let mut keeper = Keeper::new();
        offer_relaxed(problem, start.witnesses, &mut keeper);
        let state = Progress { step: "init".into(), settled, ..Progress::default() };
        let from = Start {
            iter: 0,
            elapsed_s: 0.0,
            x,
            q,
            keeper,
            residual: None,
            bounded: None,
            state,
            until: start.until,
            found: start.found,
        };
        go_on(problem, options, certify, from, budget, observer)
    })
}

/// Algorithm 1 from where it was, as far as it was asked to go. The checkpoint must fit the problem ([`Checkpoint::fits`]).
pub fn resume(
    problem: &mut Problem,
    options: &SolverOptions,
    certify: &CertifyOptions,
    (from, until): (&Checkpoint, Until),
    budget: &Budget,
    observer: &mut dyn Observer,
) -> Solution {
    narrow::solved(problem, options, Warm::default(), observer, |problem, options, _, observer| {
        let mut keeper = Keeper::new();
        // the way it was proven, to the last digit
        let residual = from.residual();
        if let Some((z, near)) = residual.clone() {
            let moved = relax::source(&newton::Newton);
            let is_moved = from.witness.as_ref().is_some_and(|w| w.source == moved);
            let source = if is_moved { &moved } else { RESIDUAL };
            keep_field(problem, source, &Bounded::starting(problem, z, near, budget), &mut keeper);
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
            residual,
            bounded: from.bounded(),
            state: from.progress.clone(),
            until,
            found: None,
        };
        go_on(problem, options, certify, from, budget, observer)
    })
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
    narrow::solved(problem, options, start, observer, |problem, options, start, observer| {
        let x = start.factors.expect("given above");
        let mut q = problem.extras.zero();
        follow(problem, &x, &mut q);
        let mut keeper = Keeper::new();
        offer_relaxed(problem, &answer.witnesses, &mut keeper);
        let (iter, elapsed_s) = answer.made;
        let state = Progress { step: "refuted".into(), last_excess: 1.0, ..Progress::default() };
        let from = Start { iter, elapsed_s, x, q, keeper, residual: None, bounded: None, state, until, found: None };
        go_on(problem, options, certify, from, budget, observer)
    })
}

/// Offers the dual points that stay good where they were not made: the field of a point is worth little at another.
fn offer_relaxed(problem: &Problem, witnesses: &[Witness], keeper: &mut Keeper) {
    witnesses
        .iter()
        .filter_map(|w| DualPoint::from_witness(problem, w))
        .filter(|p| !matches!(p.kind, Kind::Field(_)))
        .for_each(|p| keeper.offer(problem, &p));
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
