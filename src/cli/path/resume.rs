//! What the checkpoint of a path holds: every point that is finished, where the path and its folds go on, and how far they have got
//! with the next point, or with the proof of the one chosen.

use super::super::checkpoints::{Keeper, State, misfit};
use super::super::console::Console;
use super::super::session::Session;
use super::choice::Rule;
use super::folds::Folds;
use super::grid::Grid;
use super::{Kept, Walked};
use crate::budget::Budget;
use crate::report::path::{Cv, Point};
use crate::run::document::Time;
use crate::run::{RunError, checkpoint};
use crate::solve::Solution;
use crate::solve::checkpoint::{Checkpoint, Ended, Reached};
use crate::solve::observer::Iteration;
use crate::solve::path::Path;
use serde::{Deserialize, Serialize};

/// A path between two points, or at one.
#[derive(Serialize, Deserialize)]
pub struct Saved {
    points: Vec<Finished>,
    kept: Vec<Option<Held>>,
    path: Reached,
    folds: Vec<Reached>,
    under_way: Option<UnderWay>,
}

/// A point that is not finished.
#[derive(Clone, Serialize, Deserialize)]
pub struct UnderWay {
    /// The next one, or one of the table that is chosen and to be proven.
    pub point: usize,
    /// Where it has got to.
    pub state: State,
    /// Its iterations until there.
    pub trace: Vec<Iteration>,
    /// The losses of the folds that are done with it.
    pub losses: Vec<f64>,
    /// Where the fold after them has got to.
    pub fold: Option<Checkpoint>,
}

/// A point of the table.
#[derive(Serialize, Deserialize)]
struct Finished {
    /// `certificate.json`.
    document: String,
    cv: Option<Cv>,
    time_s: f64,
}

impl Finished {
    /// As it was; `None` if its document is none.
    fn point(&self) -> Option<Point> {
        Some(Point { document: serde_json::from_str(&self.document).ok()?, cv: self.cv, time_s: self.time_s })
    }
}

/// Whether this may be row `k` of the path: its own numbers go together, and with the grid and what is held out.
fn belongs(session: &Session, p: &Point, grid: &Grid, k: usize, folds: bool) -> bool {
    let (d, held) = (&p.document, session.dataset.holdout.as_ref().map(|h| h.y.len()));
    d.is_coherent()
        && d.lambda == grid.lambda(k, session.lambda_max.found)
        && d.lambda_max == session.lambda_max
        && d.target_gap == session.spec.certificate.target_gap
        && d.holdout.map(|h| h.entries) == held
        && p.cv.is_some() == folds
        && p.cv.is_none_or(|c| c.error >= 0.0 || c.error.is_nan())
        && p.time_s.is_finite()
}

/// A point that may be written.
#[derive(Serialize, Deserialize)]
struct Held {
    solution: Ended,
    time: Time,
    trace: Vec<Iteration>,
}

impl Saved {
    /// Takes it down.
    pub fn new(walked: &Walked, path: &Path, folds: Option<&Folds>) -> Self {
        let finished = |p: &Point| Finished { document: p.document.to_json(), cv: p.cv, time_s: p.time_s };
        let held = |k: &Kept| Held { solution: Ended::new(&k.solution), time: k.time, trace: k.trace.clone() };
        Self {
            points: walked.points.iter().map(finished).collect(),
            kept: walked.kept.iter().map(|k| k.as_ref().map(held)).collect(),
            path: Reached::new(path),
            folds: folds.map_or(Vec::new(), |f| f.paths().map(Reached::new).collect()),
            under_way: None,
        }
    }

    /// Whether what is under way is of this path.
    fn is_on(&self, session: &Session, folds: Option<&Folds>) -> bool {
        let count = folds.map_or(0, |f| f.paths().count());
        self.under_way.as_ref().is_none_or(|u| {
            let fold = u.fold.as_ref().is_none_or(|c| folds.is_some_and(|f| f.fits(u.losses.len(), c)));
            u.point <= self.points.len() && u.state.fits(&session.problem) && u.losses.len() <= count && fold
        })
    }

    /// The checkpoint of this path, if there is one. A row that cannot be proven again, since its point is not kept, is held against
    /// all that is known of it: the grid, the data, its own numbers.
    ///
    /// # Errors
    /// [`RunError`] if it cannot be gone on from.
    pub fn find(
        session: &Session,
        folder: &std::path::Path,
        digest: &str,
        (grid, rule): (&Grid, Rule),
        folds: Option<&Folds>,
    ) -> Result<Option<Self>, RunError> {
        let Some(saved) = checkpoint::read::<Self>(folder, digest)? else { return Ok(None) };
        let rows = session.problem.factor_rows();
        let fits = saved.points.len() <= grid.len()
            && saved.kept.len() == saved.points.len()
            && saved.kept.iter().flatten().all(|k| k.solution.fits(&session.problem))
            && saved.path.fits(&rows)
            && saved.folds.len() == folds.map_or(0, |f| f.paths().count())
            && saved.folds.iter().all(|f| f.fits(&rows))
            && saved.is_on(session, folds);
        if !fits {
            return Err(misfit(folder));
        }
        let refused = |why| RunError::Checkpoint { path: checkpoint::path_of(folder), why };
        let Some(points) = saved.points.iter().map(Finished::point).collect::<Option<Vec<_>>>() else {
            return Err(refused("of a path with a row that is no certificate"));
        };
        if !points.iter().enumerate().all(|(k, p)| belongs(session, p, grid, k, folds.is_some())) {
            return Err(refused(
                "of a path with a row that cannot be: its numbers contradict each other, the grid or the data",
            ));
        }
        let needed = |k: usize| rule.needs_all() || k == rule.choose(&points);
        if (0..points.len()).any(|k| needed(k) && saved.kept[k].is_none()) {
            return Err(refused("of a path without the point that it would choose"));
        }
        Ok(Some(saved))
    }

    /// Puts it back. Certificates are made again where they are needed.
    pub fn restore(
        self,
        session: &Session,
        folds: Option<&mut Folds>,
        budget: &Budget,
    ) -> (Walked, Path, Option<UnderWay>) {
        let kept = |(point, k): (usize, Option<Held>)| {
            k.map(|k| Kept {
                point,
                solution: k.solution.solution(&session.problem, budget),
                certificate: None,
                time: k.time,
                trace: k.trace,
            })
        };
        if let Some(f) = folds {
            f.go_on(self.folds.iter().map(Reached::path));
        }
        let walked = Walked {
            points: self.points.iter().map(|p| p.point().expect("looked at when it was found")).collect(),
            kept: self.kept.into_iter().enumerate().map(kept).collect(),
        };
        (walked, self.path.path(), self.under_way)
    }
}

/// The checkpoint of a path in the making.
pub struct Record<'a> {
    keeper: Keeper<'a>,
    /// The path before the point that is under way, where it may be written.
    saved: Option<Saved>,
    /// Whether one was written, which is to be no older than the path's last point.
    written: bool,
}

impl<'a> Record<'a> {
    /// Written by `keeper`.
    pub fn new(keeper: Keeper<'a>) -> Self {
        Self { keeper, saved: None, written: false }
    }

    /// The path is between two points, or at one that it has begun.
    pub fn between(&mut self, walked: &Walked, path: &Path, folds: Option<&Folds>, begun: Option<&UnderWay>) {
        let saved = || Saved { under_way: begun.cloned(), ..Saved::new(walked, path, folds) };
        self.saved = self.keeper.wanted().then(saved);
    }

    /// Whether it is time to write, or, at the end of what limits allow, anything is wanted.
    pub fn due(&self, last: bool) -> bool {
        self.saved.is_some() && (last || self.keeper.due())
    }

    /// Writes it.
    pub fn write(&mut self, console: &Console) {
        if let Some(saved) = &self.saved {
            self.keeper.write(saved, console);
            self.written = true;
        }
    }

    /// Writes the end of the path, unless it took too short a time for any.
    pub fn write_end(&mut self, console: &Console) {
        if self.written || self.due(false) {
            self.write(console);
        }
    }

    /// A point has got to `state`; what its folds have come to stays.
    fn note(&mut self, point: usize, state: State, trace: &[Iteration]) {
        if let Some(saved) = &mut self.saved {
            let scored = saved.under_way.take().filter(|u| u.point == point);
            let (losses, fold) = scored.map_or((Vec::new(), None), |u| (u.losses, u.fold));
            saved.under_way = Some(UnderWay { point, state, trace: trace.to_vec(), losses, fold });
        }
    }

    /// A point has got to `state`, which is written.
    pub fn at(&mut self, point: usize, state: State, trace: &[Iteration], console: &Console) {
        self.note(point, state, trace);
        self.write(console);
    }

    /// A point is solved.
    pub fn solved(&mut self, point: usize, solution: &Solution, trace: &[Iteration], console: &Console) {
        if self.keeper.wants_end(solution) {
            self.at(point, State::Solved(Ended::new(solution)), trace, console);
        }
    }

    /// A point is certified, and its folds are next.
    pub fn scoring(&mut self, point: usize, solution: &Solution, trace: &[Iteration]) {
        if self.saved.is_some() {
            self.note(point, State::Solved(Ended::new(solution)), trace);
        }
    }

    /// The fold whose turn it is has got to `state`.
    pub fn fold_at(&mut self, state: Checkpoint, console: &Console) {
        if let Some(under_way) = self.saved.as_mut().and_then(|s| s.under_way.as_mut()) {
            under_way.fold = Some(state);
        }
        self.write(console);
    }

    /// The fold whose turn it is has come to this loss, and its path to there.
    pub fn fold_done(&mut self, loss: f64, path: &Path, console: &Console) {
        if let Some(saved) = &mut self.saved
            && let Some(under_way) = &mut saved.under_way
        {
            saved.folds[under_way.losses.len()] = Reached::new(path);
            under_way.losses.push(loss);
            under_way.fold = None;
        }
        if self.due(false) {
            self.write(console);
        }
    }
}
