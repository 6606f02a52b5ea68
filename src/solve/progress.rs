//! How hard the next round of the outer loop works, and when there is nothing more to gain.

use crate::polar::search;
use crate::problem::Problem;
use serde::{Deserialize, Serialize};

/// Relative decrease below which descent counts as finished where the polar is exact and the gap can close.
pub(super) const FINISHED: f64 = 1e-15;

/// Sweeps before the others are weighed again.
pub(super) const SETTLING: usize = 5;

/// A start that is settled is not descended from while a sweep brings less than this share of the objective.
const LEFT: f64 = 1e-6;

/// Descent goes on while a sweep brings this share of what the last slices appended brought, where the polar is exact.
const WORTHWHILE: f64 = 4e-3;

/// Where it is and descent is quick, this share.
const WORTHWHILE_QUICK: f64 = 1e-6;

/// Elsewhere this share, times their number as far as [`MANY`]: the more of them were missing, the more still are, and what
/// few leave to do is to descend.
const WORTHWHILE_EACH: f64 = 1e-3;

/// See [`WORTHWHILE_EACH`].
const MANY: usize = 20;

/// An objective that falls by this share of itself, or by the target gap's if that is more, falls slowly.
const SLOW: f64 = 1e-4;

/// Polar excess from which on a search should miss nothing.
const LATE: f64 = 2e-2;

/// Up to this smaller side an exact proof costs next to nothing beside a descent.
const CHEAP_SIDE: usize = 300;

/// A correction of the field takes a gap to the target from this many times it, at most.
const REACH: f64 = 60.0;

/// What the outer loop remembers to decide how hard the next round works.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Progress {
    pub(super) step: String,
    /// Whether the start is nearly stationary already.
    pub(super) settled: bool,
    pub(super) finished: f64,
    pub(super) loose: f64,
    pub(super) gain: f64,
    pub(super) polishing: usize,
    pub(super) appended: usize,
    pub(super) last_decrease: Option<f64>,
    pub(super) missing: f64,
    pub(super) last_objective: Option<f64>,
    /// What the objective fell by between the last two rounds.
    pub(super) fell: f64,
    pub(super) last_excess: f64,
    pub(super) proven_excess: Option<f64>,
    pub(super) corrected: Option<f64>,
}

impl Progress {
    /// Sweeps for the next descent.
    pub(super) fn sweeps(&self, exact: bool) -> usize {
        match self.polishing {
            // where it was settled, the search says first what is missing
            0 if self.settled && self.last_objective.is_none() => SETTLING,
            // a search may show what is missing before the last digits are reached
            _ if self.polishing == 0 || !exact => 300,
            _ => 2000,
        }
    }

    /// The decrease per sweep below which appending promises more than descending.
    pub(super) fn worthwhile(&self, objective: f64, exact: bool, quick: bool) -> f64 {
        let floor = self.finished * objective.abs();
        if self.polishing > 0 {
            return floor;
        }
        let worth = match self.last_decrease {
            // the gap falls like the root of what is left to gain
            Some(last) if self.missing > 0.0 && self.last_objective.is_some() => {
                last * (0.25 * self.missing * self.missing).clamp(3e-4, 0.3)
            }
            None if self.settled => LEFT * objective.abs(),
            _ if exact && quick => WORTHWHILE_QUICK * self.gain,
            _ if exact => WORTHWHILE * self.gain,
            _ => WORTHWHILE_EACH * self.appended.min(MANY) as f64 * self.gain,
        };
        worth.max(floor).max(self.loose * objective.abs())
    }

    /// Whether to prove the polar at this point: where that costs little, where it promises to meet the target, and, for a
    /// polar that is only bounded, once the point has become much better since.
    pub(super) fn worth_proving(&mut self, problem: &Problem, exact: bool, excess: f64, promising: bool) -> bool {
        let (m, n) = problem.shape();
        let worth = if exact {
            m.min(n) <= CHEAP_SIDE || promising
        } else {
            self.proven_excess.is_none_or(|last| excess < 0.3 * last.min(0.03))
        };
        // a network's bound costs more than the rest of the round
        let worth = worth && (promising || problem.mapping.is_multilinear());
        if worth {
            self.proven_excess = Some(excess);
        }
        worth
    }

    /// Whether a gap promised is worth correcting the field for: near enough to the target, and much nearer than the last one.
    pub(super) fn worth_correcting(&mut self, promise: f64, target: f64) -> bool {
        let near = self.corrected.map_or(REACH * target, |last| 0.5 * last);
        let worth = promise > target && promise <= near;
        if worth {
            self.corrected = Some(promise);
        }
        worth
    }

    /// Whether the objective falls by little, so that it will not be long until the gap depends on the bound.
    pub(super) fn is_slow(&self, objective: f64, target: f64) -> bool {
        self.last_objective.is_some_and(|last| last - objective <= SLOW.max(target) * objective.abs())
    }

    /// Whether the next search should miss nothing.
    fn is_late(&self) -> bool {
        self.polishing > 0 || (self.last_excess < LATE && self.last_objective.is_some())
    }

    /// Whether to search again after one for which any good direction would do: it may have missed the best ones, and what comes
    /// next is dear.
    pub(super) fn searches_again(&self, problem: &Problem, exact: bool, excess: f64) -> bool {
        !exact && problem.mapping.is_multilinear() && self.last_objective.is_some() && !self.is_late() && excess < LATE
    }

    /// Effort of the next search at a point of so many slices; of one that is made `again` after it has found this excess.
    pub(super) fn search(&self, problem: &Problem, rank: usize, again: Option<f64>) -> search::Effort<'static> {
        let late = again.is_some() || self.is_late();
        let excess = again.unwrap_or(self.last_excess);
        let starts = match late {
            true => 200,
            false if !problem.mapping.is_multilinear() => 40,
            // more of them find the same few maxima that overlap
            false => 14,
        };
        let brief = !late && !problem.mapping.is_multilinear();
        let iterations = if brief { 30 } else { search::Effort::default().iterations };
        // early on any good direction will do; at the end the excess itself is what is asked for
        let precision = if self.last_objective.is_none() { 1e-2 } else { (0.03 * excess).clamp(1e-8, 1e-3) };
        let default = search::Effort::default();
        // the more slices there are, the more are still missing
        let keep = if late { default.keep.max(rank / 2) } else { default.keep };
        search::Effort { starts, iterations, precision, keep, floor: problem.lambda, ..default }
    }

    /// Notes what appending brought.
    pub(super) fn gained(&mut self, gain: f64) {
        self.gain = gain.max(0.0);
    }

    /// Slices are appended above this excess.
    pub(super) fn worth_appending(&self, tolerance: f64) -> f64 {
        if self.polishing > 1 { 0.0 } else { tolerance }
    }

    /// Whether nothing more is to be gained: after a polish, the search finds nothing above the tolerance and, where the
    /// polar is exact, neither objective nor excess still fall.
    pub(super) fn finished(
        &mut self,
        objective: f64,
        excess: f64,
        tolerance: f64,
        exact: bool,
        kinked: bool,
        negligible: f64,
    ) -> bool {
        // slices that bring next to nothing only keep the others from settling; a polish past kinks may show new ones
        let tried = self.appended > 0 || !kinked;
        let useless = !exact && tried && self.last_objective.is_some() && self.gain <= negligible;
        let settled = excess <= tolerance || useless;
        let idle = excess <= tolerance || self.last_objective.is_some_and(|last| last - objective <= negligible);
        let stalled = self.last_objective.is_some_and(|last| last - objective <= FINISHED * objective.abs())
            && (excess <= 0.0 || excess >= 0.9 * self.last_excess);
        let done = (settled && idle && self.polishing > 0 && !exact) || (stalled && self.polishing > 2);
        self.polishing = if settled || stalled { self.polishing + 1 } else { 0 };
        self.fell = self.last_objective.map_or(0.0, |last| last - objective);
        self.last_objective = Some(objective);
        self.last_excess = excess;
        done
    }
}
