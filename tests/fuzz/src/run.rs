//! Run folders: one file of a good one is replaced, then the folder is checked and asked for predictions. The first byte says
//! which file of which fixture.

use crate::fixture::{self, FIXTURES, Opened};
use crate::{put, said, scratch};
use homfac::budget::Budget;
use homfac::certify::{self, Known};
use homfac::data::stream::Stream;
use homfac::data::{Source, source::Format};
use homfac::extra::Coefficients;
use homfac::predict::{Model, Projection, Show};
use homfac::report::portrait::Portrait;
use homfac::run::document::Document;
use homfac::run::load;
use homfac::solve::observer::Silent;
use homfac::{mapping, report, run, spec};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The files of a run folder.
pub const FILES: [&str; 9] = [
    "spec.toml",
    "certificate.json",
    "model.json",
    "dual.npz",
    "factors/X1.npy",
    "factors/X2.npy",
    "extras/intercept.npy",
    "extras/covariates.npy",
    "path.csv",
];

/// Entries up to which everything is predicted: what a shape justifies is no finding.
const EVERYTHING: usize = 1 << 20;

struct Fixture {
    folder: PathBuf,
    opened: Opened,
    /// Of a point that is there: no lower bound may lie above it.
    objective: f64,
}

thread_local! {
    static OPEN: RefCell<[Option<Fixture>; FIXTURES.len()]> = const { RefCell::new([const { None }; FIXTURES.len()]) };
}

fn solved(number: usize) -> Fixture {
    let (folder, opened, objective) = fixture::make(number, scratch(), &mut Silent);
    Fixture { folder, opened, objective }
}

/// Solves the fixtures, before anyone looks at the clock.
pub fn prepare() {
    OPEN.with_borrow_mut(|open| {
        open.iter_mut().enumerate().for_each(|(k, fixture)| *fixture = Some(solved(k)));
    });
}

/// Checks a run folder with one file replaced, and predicts from it.
pub fn run_file(bytes: &[u8]) {
    let [which, content @ ..] = bytes else { return };
    let which = usize::from(*which);
    let (number, file) = (which / FILES.len() % FIXTURES.len(), FILES[which % FILES.len()]);
    OPEN.with_borrow_mut(|open| {
        let fixture = open[number].get_or_insert_with(|| solved(number));
        let inside = format!("{}/run/{file}", FIXTURES[number].0);
        let original = std::fs::read(scratch().join(&inside)).ok();
        let path = put(&inside, content);
        if file == "spec.toml" {
            let text = String::from_utf8_lossy(content).into_owned();
            if let Some(opened) = fixture::open(&text, &path) {
                check(&fixture.folder, &opened);
            }
        } else if let Some(bound) = check(&fixture.folder, &fixture.opened) {
            let known = fixture.objective;
            assert!(bound <= known, "a lower bound of {bound:?} where {known:?} is attained");
        }
        predict(&fixture.folder);
        match original {
            Some(original) => std::fs::write(path, original).expect("a scratch file"),
            None => std::fs::remove_file(path).expect("a scratch file"),
        }
    });
}

/// As `homfac check` does; the lower bound.
fn check(folder: &Path, o: &Opened) -> Option<f64> {
    said(load::same_data(folder, &o.dataset.files));
    if let Ok(text) = std::fs::read_to_string(folder.join("certificate.json"))
        && let Ok(document) = serde_json::from_str::<Document>(&text)
    {
        let table = std::fs::read_to_string(folder.join("path.csv")).unwrap_or_default();
        let walk = report::path::Walk::parse(&table);
        report::markdown::report(&document, &[], walk.as_ref());
        let (path, point) = (walk.as_ref(), Err(String::new()));
        let page = Portrait { document: &document, notes: &[], spec: "", trace: &[], path, point };
        report::html::page(&page);
    }
    let problem = &o.problem;
    let factors = said(load::factors(folder, problem.factor_rows().len()))?;
    let witnesses: Vec<_> = said(load::witness(folder))?.into_iter().collect();
    let blocks = &problem.extras.blocks;
    let q: Option<Coefficients> = said(load::extras(folder, blocks.iter().map(|b| b.map.name())))
        .filter(|q| q.iter().zip(blocks).all(|(q, b)| q.shape() == b.map.shape()))
        .map(|q| q.iter().map(|q| q.as_slice().to_vec()).collect());
    let known = Known { witnesses: &witnesses, polar: None, cuts: None };
    let budget = Budget::unlimited().within(Some(Duration::from_secs(2)));
    said(certify::certify_at(problem, &factors, q.as_ref(), known, &fixture::cheap(), &budget))?.lower_bound
}

/// As `homfac predict` does.
fn predict(folder: &Path) -> Option<()> {
    let path = said(load::spec_path(folder))?;
    let text = std::fs::read_to_string(&path).ok()?;
    let spec = said(spec::parse(&text, &path, &[]))?;
    let remembered = said(load::remembered(folder))??;
    let count = mapping::kind(&spec.mapping)?.count(remembered.sizes.len(), spec.layers.as_ref());
    let factors = said(load::factors(folder, count))?;
    let extras = said(load::extras(folder, spec.extras.iter().map(|e| e.kind.as_str())))?;
    let model = said(Model::new(spec, remembered, factors, extras, "run"))?;
    let show = [Show::Values, Show::Scores, Show::Probabilities].map(|s| model.can_show(s).map(|()| s));
    let (m, n) = model.shape();
    let small = m.checked_mul(n).is_some_and(|all| all <= EVERYTHING);
    if model.is_network() {
        if small && model.inputs() <= EVERYTHING {
            let outputs = model.outputs(homfac::linalg::Mat::from_element(2, model.inputs(), 0.5));
            for row in outputs.row_iter() {
                let scores: Vec<f64> = row.iter().copied().collect();
                show.iter().flatten().for_each(|s| drop(model.row(*s, &scores)));
            }
        }
        return Some(());
    }
    let table = Source { format: Some(Format::Csv), ..Source::plain(folder.join("../ask.csv"), "ask.csv".into()) };
    let line = vec!["1"; model.sizes().len()].join(",");
    put(&format!("{}/ask.csv", folder.parent()?.file_name()?.to_str()?), format!("{line}\n{line}\n").as_bytes());
    let mut stream = said(Stream::open(&table, false))?;
    if let Some(asked) = said(stream.indices(8, 1, model.sizes())) {
        let entries: Vec<(usize, usize)> = asked.iter().map(|e| (e[0], 0)).collect();
        let x = model.at(&entries);
        show.iter().flatten().filter(|_| !model.has_classes()).for_each(|s| {
            std::hint::black_box(model.value(*s, 0, x[0]));
        });
    }
    if !small {
        return Some(());
    }
    let x = said(model.everywhere("everything"))?;
    for s in show.iter().flatten() {
        model.row_names(*s);
        let scores: Vec<f64> = (0..n).filter(|_| m > 0).map(|j| x[j * m]).collect();
        if m > 0 && model.sizes().len() == 2 {
            model.row(*s, &scores);
        }
    }
    for axis in 0..model.sizes().len().min(4) {
        if let Some(p) = said(Projection::new(&model, axis)) {
            let seen: Vec<(usize, f64)> = (0..p.places().min(3)).map(|k| (k, 1.0)).collect();
            let sides: Vec<Vec<f64>> = p.sides().iter().map(|k| vec![1.0; *k]).collect();
            if let Some(fit) = said(p.fit(&seen, &sides)) {
                p.scores(&fit.q, &sides);
            }
        }
    }
    std::hint::black_box(run::extra_names(["intercept", "intercept"].into_iter()));
    Some(())
}
