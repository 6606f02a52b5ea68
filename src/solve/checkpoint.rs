//! What Algorithm 1 needs to go on from where it was: nothing of it is a claim that a certificate rests on.

use super::narrow;
use super::path::Path;
use super::progress::Progress;
use super::{Solution, StopReason};
use crate::budget::Budget;
use crate::certify::Witness;
use crate::extra::Coefficients;
use crate::linalg::Mat;
use crate::mapping::Factors;
use crate::polar::bound::{self, Bounded};
use crate::polar::cuts::Tree;
use crate::problem::Problem;
use serde::{Deserialize, Serialize};

/// Factors as (rows, columns, entries column by column).
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Flat(Vec<(usize, usize, Vec<f64>)>);

impl Flat {
    fn of(x: &Factors) -> Self {
        Self(x.0.iter().map(|f| (f.nrows(), f.ncols(), f.as_slice().to_vec())).collect())
    }

    /// Whether they are finite, of one rank, and have these rows.
    fn fits(&self, rows: &[usize]) -> bool {
        let rank = self.0.first().map_or(0, |f| f.1);
        self.0.len() == rows.len()
            && self.0.iter().zip(rows).all(|((m, r, x), rows)| {
                m == rows && *r == rank && m.checked_mul(*r) == Some(x.len()) && x.iter().all(|x| x.is_finite())
            })
    }

    fn factors(&self) -> Factors {
        Factors(self.0.iter().map(|(m, r, x)| Mat::from_column_slice(*m, *r, x)).collect())
    }
}

/// A field, and the slices that the proof of its polar starts from.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Start(Vec<f64>, Option<Flat>);

impl Start {
    fn of((field, near): &bound::Start) -> Self {
        Self(field.clone(), near.as_ref().map(Flat::of))
    }

    /// Whether the field is finite and of the problem's entries, and its slices are of the factors that the problem is solved in.
    fn fits(&self, problem: &Problem) -> bool {
        let rows = narrow::factor_rows(problem);
        let finite = self.0.iter().all(|x| x.is_finite());
        self.0.len() == problem.apply(&Factors::empty(&problem.factor_rows())).len()
            && finite
            && self.1.as_ref().is_none_or(|x| x.fits(&rows))
    }

    fn start(&self) -> bound::Start {
        (self.0.clone(), self.1.as_ref().map(Flat::factors))
    }
}

/// Whether extra variables are finite and as many as these.
fn alike(found: &Coefficients, wanted: &Coefficients) -> bool {
    found.len() == wanted.len()
        && found.iter().zip(wanted).all(|(a, b)| a.len() == b.len() && a.iter().all(|x| x.is_finite()))
}

/// The solver's state between two outer iterations. Going on from it does what going on without it would have done, but for a
/// dual point that is proven again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The outer iteration that comes next.
    pub(super) iter: usize,
    /// Seconds of solving until here.
    pub(super) elapsed_s: f64,
    factors: Flat,
    /// The extra variables.
    pub(super) extras: Coefficients,
    /// The best dual point, to be proven again.
    pub(super) witness: Option<Witness>,
    /// The field that it is, unscaled, if it is one.
    residual: Option<Start>,
    /// The last field whose polar was bounded, which certifying begins with.
    bounded: Option<Start>,
    /// The relaxations that have been climbed.
    pub(super) tried: Vec<String>,
    /// How hard the next round works.
    pub(super) progress: Progress,
}

impl Checkpoint {
    /// Takes the state down.
    pub(super) fn new(
        iter: usize,
        elapsed_s: f64,
        x: &Factors,
        q: &Coefficients,
        (witness, residual, bounded): (Option<Witness>, Option<&bound::Start>, Option<&bound::Start>),
        tried: &[String],
        progress: &Progress,
    ) -> Self {
        Self {
            iter,
            elapsed_s,
            factors: Flat::of(x),
            extras: q.clone(),
            witness,
            residual: residual.map(Start::of),
            bounded: bounded.map(Start::of),
            tried: tried.to_vec(),
            progress: progress.clone(),
        }
    }

    /// Whether it is of such a problem.
    pub fn fits(&self, problem: &Problem) -> bool {
        // an iteration that nothing has ever reached is none to count on from
        self.iter.max(self.progress.polishing) <= u32::MAX as usize
            && self.elapsed_s.is_finite()
            && self.factors.fits(&narrow::factor_rows(problem))
            && alike(&self.extras, &problem.extras.zero())
            && self.residual.iter().chain(&self.bounded).all(|s| s.fits(problem))
    }

    /// Seconds of solving until here.
    pub fn elapsed_s(&self) -> f64 {
        self.elapsed_s
    }

    /// The field that the best dual point is, and what its proof starts from.
    pub(super) fn residual(&self) -> Option<bound::Start> {
        self.residual.as_ref().map(Start::start)
    }

    /// The last field whose polar was bounded, and what its proof starts from.
    pub(super) fn bounded(&self) -> Option<bound::Start> {
        self.bounded.as_ref().map(Start::start)
    }

    /// The factors.
    pub(super) fn factors(&self) -> Factors {
        self.factors.factors()
    }
}

/// The end of a solve, to be proven. The polar that was bounded on the way is bounded again: only its field is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ended {
    factors: Flat,
    extras: Coefficients,
    witnesses: Vec<Witness>,
    polar: Option<Start>,
    stopped_by: StopReason,
    made: (usize, f64),
    /// Where the search for its bound was when time ended it.
    cuts: Option<Tree>,
}

impl Ended {
    /// Takes a solution down.
    pub fn new(s: &Solution) -> Self {
        Self {
            factors: Flat::of(&s.factors),
            extras: s.extras.clone(),
            witnesses: s.witnesses.clone(),
            polar: s.polar.as_ref().map(|b| Start::of(&b.start())),
            stopped_by: s.stopped_by,
            made: s.made,
            cuts: None,
        }
    }

    /// With the cuts that the search for its bound has come to, if any.
    pub fn unproven(s: &Solution, cuts: Option<&Tree>) -> Self {
        Self { cuts: cuts.cloned(), ..Self::new(s) }
    }

    /// The cuts that the search for its bound goes on from, if time ended one.
    pub fn cuts(&self) -> Option<&Tree> {
        self.cuts.as_ref()
    }

    /// Seconds of solving until here.
    pub fn elapsed_s(&self) -> f64 {
        self.made.1
    }

    /// Whether it is of such a problem.
    pub fn fits(&self, problem: &Problem) -> bool {
        self.made.0 <= u32::MAX as usize
            && self.made.1.is_finite()
            && self.factors.fits(&problem.factor_rows())
            && alike(&self.extras, &problem.extras.zero())
            && self.polar.as_ref().is_none_or(|p| p.fits(problem))
    }

    /// The solution as it was.
    pub fn solution(&self, problem: &Problem, budget: &Budget) -> Solution {
        Solution {
            factors: self.factors.factors(),
            extras: self.extras.clone(),
            witnesses: self.witnesses.clone(),
            polar: self.polar.as_ref().map(Start::start).map(|(z, near)| Bounded::starting(problem, z, near, budget)),
            stopped_by: self.stopped_by,
            made: self.made,
        }
    }
}

/// Where a path has got to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reached {
    factors: Flat,
    witnesses: Vec<Witness>,
}

impl Reached {
    /// Takes it down.
    pub fn new(path: &Path) -> Self {
        Self { factors: Flat::of(&path.factors), witnesses: path.witnesses.clone() }
    }

    /// Whether it is of a problem with factors of these rows.
    pub fn fits(&self, rows: &[usize]) -> bool {
        self.factors.fits(rows)
    }

    /// The path from there.
    pub fn path(&self) -> Path {
        Path { factors: self.factors.factors(), witnesses: self.witnesses.clone() }
    }
}
