//! What the checkpoint of a path holds: every point that is finished, and where the path and its folds go on.

use super::super::checkpoints::misfit;
use super::super::session::Session;
use super::folds::Folds;
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

    /// The checkpoint of a path with so many points, if there is one.
    ///
    /// # Errors
    /// [`RunError`] if it cannot be gone on from.
    pub fn find(
        session: &Session,
        folder: &std::path::Path,
        digest: &str,
        points: usize,
        folds: usize,
    ) -> Result<Option<Self>, RunError> {
        let Some(saved) = checkpoint::read::<Self>(folder, digest)? else { return Ok(None) };
        let rows = session.problem.factor_rows();
        let fits = saved.points.len() <= points
            && saved.kept.len() == saved.points.len()
            && saved.kept.iter().flatten().all(|k| k.solution.fits(&session.problem))
            && saved.path.fits(&rows)
            && saved.folds.len() == folds
            && saved.folds.iter().all(|f| f.fits(&rows))
            && saved.points.iter().all(|p| serde_json::from_str::<crate::run::Document>(&p.document).is_ok());
        if fits { Ok(Some(saved)) } else { Err(misfit(folder)) }
    }

    /// Puts it back. Certificates are made again where they are needed.
    pub fn restore(self, session: &Session, folds: Option<&mut Folds>) -> (Walked, Path) {
        let point = |p: Finished| Point {
            document: serde_json::from_str(&p.document).expect("looked at when it was found"),
            cv: p.cv,
            time_s: p.time_s,
        };
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
            points: self.points.into_iter().map(point).collect(),
            kept: self.kept.into_iter().enumerate().map(kept).collect(),
        };
        (walked, self.path.path())
    }
}
