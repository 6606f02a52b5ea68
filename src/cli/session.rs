//! What every command on a spec starts with: the checked spec, its data, the problem with lambda as a number.

use super::args::OverrideArgs;
use super::failure::Usage;
use crate::budget::Budget;
use crate::certify::{CertifyError, CertifyOptions};
use crate::data::{self, DataError, Dataset, FileRecord};
use crate::mapping::Factors;
use crate::polar::field::unweighted;
use crate::polar::search::Found;
use crate::polar::{self, LambdaMax};
use crate::problem::Problem;
use crate::run::load;
use crate::spec::model::Lambda;
use crate::spec::{self, Override, Spec};
use anyhow::Context;
use std::path::Path;

/// Why no problem could be made of spec and data.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Data that is not as it should be, with the key that names it.
    #[error("{problem}\n  in {keys}")]
    Data {
        /// The whole message.
        problem: String,
        /// The keys of the spec, with their lines.
        keys: String,
    },
    /// A relative lambda of nothing.
    #[error(
        "lambda = {{ relative = {relative} }} needs a positive lambda_max, but {found:e} was found: {why}\n  hint: {hint}"
    )]
    NoLambdaMax {
        /// The fraction asked for.
        relative: f64,
        /// lambda_max as found.
        found: f64,
        /// Why it is so.
        why: String,
        /// What to do.
        hint: String,
    },
    /// An objective that overflows.
    #[error(
        "the objective is beyond the range of double precision: {slopes} go up to {largest:.1e}\n  hint: give the data in other units, so that it is about 1"
    )]
    OutOfRange {
        /// What is too large.
        slopes: &'static str,
        /// The largest of them.
        largest: f64,
    },
    /// Cross-validation that the data does not allow.
    #[error("--folds {folds}: {problem}\n  hint: ask for fewer folds")]
    Folds {
        /// Asked for.
        folds: usize,
        /// What is wrong.
        problem: String,
    },
}

/// What a spec from standard input is called, as if it were a file here.
const STDIN: &str = "stdin";

/// A spec with its data, ready to work on.
pub struct Session {
    /// The checked spec.
    pub spec: Spec,
    /// Its data.
    pub dataset: Dataset,
    /// The assembled problem.
    pub problem: Problem,
    /// The interval that holds lambda_max.
    pub lambda_max: LambdaMax,
    /// The slices that it was found by, if it was not known.
    pub found: Option<Found>,
    /// Every file read.
    pub files: Vec<FileRecord>,
}

impl Session {
    /// Reads spec and data, starts the worker threads, resolves lambda; the budget ends what is merely reported of lambda_max.
    ///
    /// # Errors
    /// Spec, data, or [`SessionError`].
    pub fn open(path: &Path, overrides: &OverrideArgs, budget: &Budget) -> anyhow::Result<Self> {
        Self::open_with(path, &overrides.overrides(), None, budget)
    }

    /// The same for the spec of a run, of which lambda_max is known.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn reopen(path: &Path, lambda_max: LambdaMax) -> anyhow::Result<Self> {
        Self::open_with(path, &[], Some(lambda_max), &Budget::unlimited())
    }

    fn open_with(
        path: &Path,
        overrides: &[Override],
        known: Option<LambdaMax>,
        budget: &Budget,
    ) -> anyhow::Result<Self> {
        let (path, text) = if path.as_os_str() == "-" {
            (Path::new(STDIN), std::io::read_to_string(std::io::stdin()))
        } else {
            (path, std::fs::read_to_string(path))
        };
        let text =
            text.map_err(|e| Usage(format!("{}: the spec cannot be read: {e}{}", path.display(), spec_inside(path))))?;
        // first: a spec's own files (the matrix of a cone) are decomposed while it is parsed
        start_threads(threads(&text, overrides))?;
        let mut spec = spec::parse(&text, path, overrides)?;
        let mut dataset = data::load(&spec.data).map_err(|e| located(e, &spec))?;
        spec.data = dataset.resolved.clone();
        dataset.notes = with_recorded(spec::notes_of(&text), dataset.notes);
        let (mut problem, weight_files) = spec::assemble(&spec, &dataset).map_err(|e| located(e, &spec))?;
        if known.is_none() {
            spec::refuse_descent(&spec, &mut problem)?;
        }
        // beside a number it is merely reported
        let tight = matches!(spec.lambda, Lambda::Relative(_));
        let (lambda_max, found) = match known {
            Some(known) => (known, None),
            None => {
                let (lambda_max, found) = polar::at_zero(&problem, tight, budget);
                (lambda_max, Some(found))
            }
        };
        problem.lambda = resolve(spec.lambda, &lambda_max, &problem)?;
        let files = dataset.files.iter().cloned().chain(weight_files).collect();
        Ok(Self { spec, dataset, problem, lambda_max, found, files })
    }

    /// The factors of `solver.warm_start`, projected onto the cones.
    ///
    /// # Errors
    /// If they cannot be read, or do not fit; with the key.
    pub fn warm_start(&self) -> anyhow::Result<Option<Factors>> {
        let Some(folder) = &self.spec.warm_start else { return Ok(None) };
        let keys = self.spec.places.naming("solver.warm_start");
        Ok(Some(self.factors_in(folder).map_err(|e| with_keys(e.into(), keys))?))
    }

    fn factors_in(&self, folder: &Path) -> Result<Factors, DataError> {
        let rows = self.problem.factor_rows();
        let mut x = load::factors(folder, rows.len())?;
        for (k, (factor, &d)) in x.0.iter_mut().zip(&rows).enumerate() {
            if factor.nrows() != d {
                return Err(DataError::Shape {
                    file: folder.join(format!("factors/X{}.npy", k + 1)).display().to_string(),
                    expected: format!("{d} rows, as this problem has"),
                    found: factor.nrows().to_string(),
                    hint: None,
                });
            }
            if let Some(cone) = self.problem.regularizer.gauges[k].cone() {
                factor.column_iter_mut().for_each(|mut c| cone.project(c.as_mut_slice()));
            }
        }
        Ok(x)
    }

    /// What to say where no answer can be certified: an objective that is not finite may be the data's fault.
    pub fn explained(&self, error: CertifyError) -> anyhow::Error {
        let largest = largest(&polar::field_at_zero(&self.problem));
        match error {
            CertifyError::NotFinite(_) if largest > LARGE => {
                let error = SessionError::OutOfRange { slopes: SLOPES, largest };
                with_keys(error.into(), self.spec.places.naming("data.target"))
            }
            _ => error.into(),
        }
    }

    /// `[certificate]` as certify takes it.
    pub fn certify_options(&self) -> CertifyOptions {
        CertifyOptions { target_gap: self.spec.certificate.target_gap, effort: self.spec.certificate.effort }
    }
}

/// What to say of a folder where a spec should be.
fn spec_inside(path: &Path) -> String {
    let inside = path.join("spec.toml");
    if inside.is_file() {
        format!("\n  hint: it is a run folder, whose spec is {}", inside.display())
    } else {
        String::new()
    }
}

/// The error with the keys of the spec that name its file.
fn located(error: DataError, spec: &Spec) -> anyhow::Error {
    let none_left: &[&str] = match error {
        DataError::NothingObserved { .. } => &["data.mask", "data.weights", "data.holdout"],
        _ => &[],
    };
    let named = error.file().into_iter().chain(none_left.iter().copied()).map(|key| spec.places.naming(key));
    let keys: Vec<String> = named.filter(|keys| !keys.is_empty()).collect();
    with_keys(error.into(), keys.join(", "))
}

fn with_keys(error: anyhow::Error, keys: String) -> anyhow::Error {
    if keys.is_empty() {
        return error;
    }
    SessionError::Data { problem: format!("{error:#}"), keys }.into()
}

/// The choices that a run recorded, and those made now that say something else (of whatever path the file has from here).
fn with_recorded(mut recorded: Vec<String>, now: Vec<String>) -> Vec<String> {
    fn choice(note: &str) -> &str {
        note.split_once(": ").map_or(note, |n| n.1)
    }
    let fresh: Vec<String> = now.into_iter().filter(|n| recorded.iter().all(|r| choice(r) != choice(n))).collect();
    recorded.extend(fresh);
    recorded
}

/// `solver.threads` of a spec that is not checked yet; what is wrong with it is left to that check.
fn threads(text: &str, overrides: &[Override]) -> Option<usize> {
    let set = overrides.iter().rfind(|o| o.key == "solver.threads").map(|o| o.value.parse().ok());
    let written =
        || usize::try_from(text.parse::<toml::Table>().ok()?.get("solver")?.get("threads")?.as_integer()?).ok();
    set.unwrap_or_else(written).filter(|n| (1..=spec::MOST_THREADS).contains(n))
}

/// A pool of as many threads as asked for, in place before the first parallel loop. This thread is one of them: none waits
/// while another works for it.
fn start_threads(threads: Option<usize>) -> anyhow::Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).use_current_thread();
    pool.build_global().context("the worker threads could not be started")
}

fn resolve(lambda: Lambda, lambda_max: &LambdaMax, problem: &Problem) -> Result<f64, SessionError> {
    match lambda {
        Lambda::Absolute(x) => Ok(x),
        Lambda::Relative(relative) => {
            let found = lambda_max.found;
            let lambda = relative * found;
            if found > 0.0 && lambda.is_finite() && lambda > 0.0 {
                return Ok(lambda);
            }
            let (why, hint) = no_lambda_max(problem, found);
            Err(SessionError::NoLambdaMax { relative, found, why, hint })
        }
    }
}

/// Why lambda_max came out as it did, and what to do.
fn no_lambda_max(problem: &Problem, found: f64) -> (String, String) {
    let z = polar::field_at_zero(problem);
    let weighed =
        problem.mapping.name() == "matrix" && problem.regularizer.gauges.iter().any(|g| g.weights().is_some());
    let z = if weighed { unweighted(problem, &problem.on_entries(&z)).field.into_owned() } else { z };
    let largest = largest(&z);
    let does = match z.iter().map(|z| z * z).sum::<f64>() {
        sum if !sum.is_finite() => "overflow",
        _ if largest > 0.0 && largest * largest < f64::MIN_POSITIVE => "underflow",
        _ if found > 0.0 => {
            let why = "the data is too large or too small for double precision";
            return (why.into(), "give the data in other units".into());
        }
        _ => {
            let why = "no slice lowers the loss at X = 0 (is the target zero, or of the sign that the cones exclude?)";
            return (why.into(), "give lambda as a number".into());
        }
    };
    let over = if weighed { ", over the weights of the gauges," } else { "" };
    let why = format!("{SLOPES}{over} go up to {largest:.1e}, and their squares {does}");
    (why, "give the data in other units, so that it is about 1".into())
}

/// max |z_j|.
fn largest(z: &[f64]) -> f64 {
    z.iter().fold(0.0, |a: f64, z| a.max(z.abs()))
}

/// What the range of numbers is too small for.
const SLOPES: &str = "the slopes of the loss at X = 0 (for squared loss the data)";

/// Sums of squares of numbers as large may overflow.
const LARGE: f64 = 1e150;
