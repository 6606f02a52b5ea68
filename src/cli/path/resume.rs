//! What the checkpoint of a path holds: every point that is finished, and where the path and its folds go on.

use super::super::checkpoints::misfit;
use super::super::session::Session;
use super::choice::Rule;
use super::folds::Folds;
use super::grid::Grid;
use super::{Kept, Walked};
use crate::report::path::{Cv, Point};
use crate::run::document::Time;
use crate::run::{RunError, checkpoint};
use crate::solve::checkpoint::{Ended, Reached};
use crate::solve::observer::Iteration;
use crate::solve::path::Path;
use serde::{Deserialize, Serialize};

/// A path between two points.
#[derive(Serialize, Deserialize)]
pub struct Saved {
    points: Vec<Finished>,
    kept: Vec<Option<Held>>,
    path: Reached,
    folds: Vec<Reached>,
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
        }
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
        folds: usize,
    ) -> Result<Option<Self>, RunError> {
        let Some(saved) = checkpoint::read::<Self>(folder, digest)? else { return Ok(None) };
        let rows = session.problem.factor_rows();
        let fits = saved.points.len() <= grid.len()
            && saved.kept.len() == saved.points.len()
            && saved.kept.iter().flatten().all(|k| k.solution.fits(&session.problem))
            && saved.path.fits(&rows)
            && saved.folds.len() == folds
            && saved.folds.iter().all(|f| f.fits(&rows));
        if !fits {
            return Err(misfit(folder));
        }
        let refused = |why| RunError::Checkpoint { path: checkpoint::path_of(folder), why };
        let Some(points) = saved.points.iter().map(Finished::point).collect::<Option<Vec<_>>>() else {
            return Err(refused("of a path with a row that is no certificate"));
        };
        if !points.iter().enumerate().all(|(k, p)| belongs(session, p, grid, k, folds > 0)) {
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
    pub fn restore(self, session: &Session, folds: Option<&mut Folds>) -> (Walked, Path) {
        let kept = |(point, k): (usize, Option<Held>)| {
            k.map(|k| Kept {
                point,
                solution: k.solution.solution(&session.problem),
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
        (walked, self.path.path())
    }
}
