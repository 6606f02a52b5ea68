//! The checkpoint beside a run folder. The first byte says whether the rest is the whole file, or a body that is given a head
//! with the right digest.

use crate::fixture::{self, Opened};
use crate::{put, said, scratch};
use homfac::budget::Budget;
use homfac::run::checkpoint::{self, Saved};
use homfac::solve::checkpoint::Checkpoint;
use homfac::solve::observer::{Observer, Silent};
use homfac::solve::{self};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

/// What the checkpoints here are of.
pub const LABEL: &str = "p";

thread_local! {
    static OPEN: RefCell<Option<(Opened, f64)>> = const { RefCell::new(None) };
}

/// Reads a checkpoint, and goes on from it.
pub fn checkpoint_file(bytes: &[u8]) {
    let [how, body @ ..] = bytes else { return };
    let digest: String = Sha256::digest(body).iter().map(|b| format!("{b:02x}")).collect();
    let head = format!("homfac checkpoint 1\n{digest}");
    put("run.checkpoint", &if how & 1 == 0 { body.to_vec() } else { [head.as_bytes(), body].concat() });
    let Some(Some(saved)) = said(checkpoint::read(&scratch().join("run"), LABEL)) else { return };
    OPEN.with_borrow_mut(|open| {
        let (opened, objective) = open.get_or_insert_with(|| {
            let (_, opened, objective) = fixture::make(0, scratch(), &mut Silent);
            (opened, objective)
        });
        let problem = &mut opened.problem;
        if !saved.state.fits(&problem.factor_rows(), &problem.extras.zero()) {
            return;
        }
        let options = homfac::solve::options::SolverOptions { max_outer: Some(1), ..opened.spec.solver.clone() };
        let budget = Budget::unlimited().within(Some(Duration::from_secs(2)));
        let solution = solve::resume(problem, &options, &fixture::cheap(), &saved.state, &budget, &mut Silent);
        for w in &solution.witnesses {
            let bound = homfac::certify::dual::DualPoint::from_witness(problem, w)
                .and_then(|p| homfac::certify::dual::prove(problem, &p));
            assert!(bound.is_none_or(|b| b.value <= *objective), "a bound above what is attained");
        }
        checkpoint::clear(&scratch().join("run"), &saved);
    });
}

/// Writes checkpoints of a solve into a folder: `run.checkpoint` is the last.
pub fn write_checkpoint(folder: &Path) {
    struct Last<'a>(&'a Path);
    impl Observer for Last<'_> {
        fn wants_checkpoint(&self, _last: bool) -> bool {
            true
        }
        fn checkpoint(&mut self, state: Checkpoint) {
            let saved = Saved { problem: LABEL.into(), staging: ".run.partial-1".into(), trace: Vec::new(), state };
            checkpoint::write(&self.0.join("run"), &saved).expect("a checkpoint");
        }
    }
    fixture::make(0, &folder.join("solved"), &mut Last(folder));
}
