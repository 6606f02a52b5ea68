//! The checkpoint beside a run folder. The first byte says whether the rest is the whole file, or the state of a solve, the end of
//! one, the state of a path, or the cuts of a bound's search, which is given a head with the right digests.

use crate::fixture::{self, Opened};
use crate::{put, said, scratch};
use homfac::budget::Budget;
use homfac::certify::dual::{self, DualPoint};
use homfac::certify::{self, Known};
use homfac::linalg::Mat;
use homfac::polar::best_first::Found as Reaches;
use homfac::polar::bound::Aim;
use homfac::polar::cuts::Tree;
use homfac::polar::neurons::Neurons;
use homfac::polar::{cones, moments};
use homfac::run::checkpoint;
use homfac::solve::checkpoint::{Checkpoint, Ended, Reached};
use homfac::solve::observer::{Observer, Silent};
use homfac::solve::{self, Solution, Until, options::SolverOptions};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the checkpoints here are of.
const LABEL: &str = "p";

/// The first line.
const HEAD: &[u8] = b"homfac checkpoint 8\n";

thread_local! {
    static OPEN: RefCell<Option<(Opened, f64)>> = const { RefCell::new(None) };
}

/// Reads a checkpoint, and goes on from it.
pub fn checkpoint_file(bytes: &[u8]) {
    let [how, body @ ..] = bytes else { return };
    let labelled = [&[LABEL.len() as u8][..], LABEL.as_bytes(), body].concat();
    let digest: String = Sha256::digest(&labelled).iter().map(|b| format!("{b:02x}")).collect();
    let file = if *how == 0 { body.to_vec() } else { [HEAD, digest.as_bytes(), &labelled].concat() };
    put("run.checkpoint", &file);
    let run = scratch().join("run");
    OPEN.with_borrow_mut(|open| {
        let (opened, objective) = open.get_or_insert_with(|| {
            let (_, opened, objective) = fixture::make(0, scratch(), &mut Silent);
            (opened, objective)
        });
        match how {
            0 | 1 => solving(&run, opened, *objective),
            2 => ended(&run, opened, *objective),
            4 => cuts(&run, cones::search, CONES),
            5 => cuts(&run, moments::search, BOXES),
            _ => path(&run, opened, *objective),
        }
    });
}

fn little() -> Budget {
    Budget::unlimited().within(Some(Duration::from_secs(2)))
}

fn one(o: &Opened) -> SolverOptions {
    SolverOptions { max_outer: Some(1), ..o.spec.solver.clone() }
}

fn solving(run: &Path, o: &mut Opened, objective: f64) {
    let Some(Some(state)) = said(checkpoint::read::<Checkpoint>(run, LABEL)) else { return };
    if state.fits(&o.problem) {
        let options = one(o);
        let s =
            solve::resume(&mut o.problem, &options, &fixture::cheap(), (&state, Until::Proven), &little(), &mut Silent);
        sound(o, &s, objective);
    }
}

fn ended(run: &Path, o: &Opened, objective: f64) {
    let Some(Some(state)) = said(checkpoint::read::<Ended>(run, LABEL)) else { return };
    if state.fits(&o.problem) {
        let s = state.solution(&o.problem, &little());
        let known = Known { witnesses: &s.witnesses, polar: s.polar.as_ref(), cuts: state.cuts() };
        let c = certify::certify_at(&o.problem, &s.factors, Some(&s.extras), known, &fixture::cheap(), &little());
        let bound = said(c).and_then(|c| c.lower_bound);
        assert!(bound.is_none_or(|b| b <= objective), "a bound above what is attained");
    }
}

fn path(run: &Path, o: &mut Opened, objective: f64) {
    let Some(Some(state)) = said(checkpoint::read::<Reached>(run, LABEL)) else { return };
    if state.fits(&o.problem.factor_rows()) {
        let (options, cheap) = (one(o), fixture::cheap());
        let s = state.path().step(&mut o.problem, &options, &cheap, (Until::Promised, None), &little(), &mut Silent);
        sound(o, &s, objective);
    }
}

/// Inputs of the networks whose bounds go on from cuts, in cones and in boxes.
const CONES: usize = 3;
const BOXES: usize = 5;

/// A search for a bound of a network.
type Search = fn(&Neurons, &[Vec<f64>], &Aim) -> Reaches;

fn network(inputs: usize) -> Neurons {
    let number = |i: usize, j: usize| ((i * 7 + j * 13 + i * j * 5) % 11) as f64 - 5.3;
    Neurons::over(Mat::from_fn(12, inputs, number), Mat::from_fn(12, 1, |i, _| number(i, 9))).expect("finite numbers")
}

fn searched(search: Search, inputs: usize, work: f64, tree: &RefCell<Option<Tree>>) -> (f64, f64) {
    let n = network(inputs);
    let aim = Aim { limit: 0.0, tolerance: 1e-3, work, budget: &little(), seen: None, tree: Some(tree) };
    let mut starts = Mat::identity(inputs, inputs);
    let best = n.ascend(&mut starts, 0..40, || false).into_iter().fold(0.0, f64::max);
    (search(&n, &[], &aim).upper, best)
}

fn cuts(run: &Path, search: Search, inputs: usize) {
    let Some(Some(tree)) = said(checkpoint::read::<Tree>(run, LABEL)) else { return };
    let (upper, best) = searched(search, inputs, 3e3, &RefCell::new(Some(tree)));
    assert!(upper >= best, "a bound below what is attained: {upper:e}, {best:e}");
}

fn sound(o: &Opened, s: &Solution, objective: f64) {
    for w in &s.witnesses {
        let bound = DualPoint::from_witness(&o.problem, w).and_then(|p| dual::prove(&o.problem, &p));
        assert!(bound.is_none_or(|b| b.value <= objective), "a bound above what is attained");
    }
}

/// States of every kind as they are written, without heads: the first is a whole file.
pub fn written(folder: &Path) -> Vec<Vec<u8>> {
    struct Last(Option<Checkpoint>);
    impl Observer for Last {
        fn wants_checkpoint(&self, _last: bool) -> bool {
            true
        }
        fn checkpoint(&mut self, state: Checkpoint) {
            self.0 = Some(state);
        }
    }
    let mut last = Last(None);
    let (_, mut o, _) = fixture::make(0, &folder.join("solved"), &mut last);
    let options = o.spec.solver.clone();
    let s = solve::solve(&mut o.problem, &options, &fixture::cheap(), None, &little(), &mut Silent);
    let run: PathBuf = folder.join("run");
    let file = || std::fs::read(checkpoint::path_of(&run)).expect("a checkpoint");
    let body = || file()[HEAD.len() + 64 + 1 + LABEL.len()..].to_vec();
    checkpoint::write(&run, LABEL, &last.0.expect("a state")).expect("a checkpoint");
    let (whole, solving) = (file(), body());
    checkpoint::write(&run, LABEL, &Ended::new(&s)).expect("a checkpoint");
    let ended = body();
    checkpoint::write(&run, LABEL, &Reached::new(&homfac::solve::path::Path::from(&s))).expect("a checkpoint");
    let path = body();
    let grown = |search: Search, inputs: usize| {
        let tree = RefCell::new(None);
        searched(search, inputs, 3e2, &tree);
        checkpoint::write(&run, LABEL, &tree.take().expect("a search that was not done")).expect("a checkpoint");
        body()
    };
    vec![whole, solving, ended, path, grown(cones::search, CONES), grown(moments::search, BOXES)]
}
