//! Three small problems with a run folder each, made by solving them: what targets damage one file of.

use homfac::budget::Budget;
use homfac::certify::{self, CertifyOptions, Effort, Known};
use homfac::data::{self, Dataset, Remembered};
use homfac::mapping::Factors;
use homfac::polar;
use homfac::problem::Problem;
use homfac::run::document::{Context, Document, Time};
use homfac::run::{Staging, write_point};
use homfac::solve::{self, observer::Observer};
use homfac::spec::{self, Spec, model::Lambda};
use std::path::{Path, PathBuf};

/// Name, spec and data files of each.
pub const FIXTURES: [(&str, &str, &[(&str, &str)]); 3] = [
    (
        "matrix",
        "lambda = 0.7\ndata.target = { path = \"Y.csv\", header = false }\nmapping.kind = \"matrix\"\n\
         regularizer.factors = [{ norm = \"l2\", cone = \"nonnegative\" }, { norm = \"l2\" }]\n\
         [[extra]]\nkind = \"intercept\"\naxis = 1\n[[extra]]\nkind = \"covariates\"\naxis = 2\nside = \"S.csv\"\n\
         penalty = { norm = \"l2_squared\", weight = 0.5 }\n",
        &[("Y.csv", "1,2,0.5\n-1,,2\n0.3,1.5,-2\n2,0,1\n"), ("S.csv", "1\n2\n-1\n")],
    ),
    (
        "array",
        "lambda = 0.9\ndata.target = { path = \"Y.csv\", format = \"triplets\", shape = [2, 3, 2], index_base = 1 }\n\
         mapping.kind = \"cp\"\nregularizer.factors = [{ norm = \"l2\" }]\n",
        &[("Y.csv", "1,1,1,2\n1,2,1,-1\n2,3,1,1.5\n2,1,2,0.5\n1,3,2,-2\n2,2,2,1\n1,1,2,0.3\n")],
    ),
    (
        "network",
        "lambda = 0.4\ndata.target = { path = \"Y.csv\", header = false }\n\
         data.input = { path = \"V.csv\", header = false, bias = true, standardize = true }\nmapping.kind = \"relu\"\n\
         regularizer.factors = [{ norm = \"l2\" }]\nloss.kind = \"multinomial\"\n",
        &[("Y.csv", "a\nb\na\nc\nb\n"), ("V.csv", "1\n2\n3\n-1\n0.5\n")],
    ),
];

/// A problem as the commands open it.
pub struct Opened {
    /// The checked spec.
    pub spec: Spec,
    /// Its data.
    pub dataset: Dataset,
    /// The problem with its lambda.
    pub problem: Problem,
}

/// Opens a spec; `None` if it or its data is refused.
pub fn open(text: &str, path: &Path) -> Option<Opened> {
    let mut spec = crate::said(spec::parse(text, path, &[]))?;
    let dataset = crate::said(data::load(&spec.data))?;
    spec.data = dataset.resolved.clone();
    let (mut problem, _) = crate::said(spec::assemble(&spec, &dataset))?;
    let Lambda::Absolute(lambda) = spec.lambda else { return None };
    problem.lambda = lambda;
    Some(Opened { spec, dataset, problem })
}

/// What certificates are asked for.
pub fn cheap() -> CertifyOptions {
    CertifyOptions { target_gap: 1e-4, effort: Effort::Cheap }
}

/// Writes the run folder of a fixture below `folder`, from scratch; what is behind it, and its objective.
pub fn make(fixture: usize, folder: &Path, observer: &mut dyn Observer) -> (PathBuf, Opened, f64) {
    let (name, text, files) = FIXTURES[fixture];
    let place = folder.join(name);
    std::fs::create_dir_all(&place).expect("a folder");
    files.iter().for_each(|(file, content)| std::fs::write(place.join(file), content).expect("a file"));
    let mut opened = open(text, &place.join("spec.toml")).expect("a fixture is a problem");
    let budget = Budget::unlimited();
    let settings = opened.spec.solver.clone();
    let solution = solve::solve(&mut opened.problem, &settings, &cheap(), None, &budget, observer);
    let known = Known { witnesses: &solution.witnesses, polar: None, cuts: None };
    let (q, x): (_, &Factors) = (Some(&solution.extras), &solution.factors);
    let certificate =
        certify::certify_at(&opened.problem, x, q, known, &cheap(), &budget).expect("a fixture has a certificate");
    let run = place.join("run");
    let staging = Staging::create(&run, true).expect("a run folder");
    let saved = spec::to_toml(&opened.spec, opened.problem.lambda, &run, &[]);
    let blocks: Vec<_> = opened.problem.extras.blocks.iter().map(|b| (b.map.name(), b.map.shape())).collect();
    let context = Context {
        name: &opened.spec.name,
        stopped_by: solution.stopped_by.word(),
        lambda: opened.problem.lambda,
        lambda_max: polar::lambda_max(&opened.problem, false),
        files: &opened.dataset.files,
        holdout: None,
        time: Time::default(),
    };
    let document = Document::new(&certificate, &context);
    let shapes = opened.problem.mapping.slice_shapes(opened.problem.shape());
    write_point(&staging, &saved, x, &shapes, &blocks, &certificate, &document).expect("a run folder");
    staging.write("model.json", Remembered::of(&opened.dataset).to_json().as_bytes()).expect("a file");
    staging.publish().expect("a run folder");
    (run, opened, certificate.objective.total)
}
