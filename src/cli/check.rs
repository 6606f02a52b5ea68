//! `homfac check`: prove or refute saved factors from the data alone. Shares the mathematics with the solver, and nothing else.

use super::args::CheckArgs;
use super::console::{Console, start_tracing};
use super::failure::Usage;
use super::finish::{Outcome, finish};
use super::interrupt;
use super::session::Session;
use crate::budget::Budget;
use crate::certify::{self, CertifyError, Known, Witness};
use crate::data::error::Place;
use crate::data::source::Format;
use crate::data::{DataError, npz, read_slices};
use crate::extra::Coefficients;
use crate::linalg::Mat;
use crate::mapping::Factors;
use crate::report::describe;
use crate::run::document::Time;
use crate::run::{self, Staging, load};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Entries above this may make an objective overflow.
const LARGE: f64 = 1e50;

/// Runs the command; the exit code.
///
/// # Errors
/// Spec, data, I/O, or a defect.
pub fn run(args: &CheckArgs) -> anyhow::Result<u8> {
    let budget = interrupt::budget();
    start_tracing(&args.output);
    let all = budget.within(args.output.time_limit);
    let Opened { session, mut factors, files, extras, witnesses } = match &args.run {
        Some(folder) => open_run(folder, args, &all)?,
        None => open_factors(args, &all)?,
    };
    fits(&session, &factors, &files)?;
    if args.project {
        for (x, gauge) in factors.0.iter_mut().zip(&session.problem.regularizer.gauges) {
            if let Some(cone) = gauge.cone() {
                x.column_iter_mut().for_each(|mut c| cone.project(c.as_mut_slice()));
            }
        }
    }
    let staging = args.output.out.as_deref().map(|o| Ok((Staging::create(o, args.output.force)?, o)));
    let target = staging.transpose().map_err(|e: crate::run::RunError| e)?;
    let console = Console::new(&args.output);
    let s = &session.spec;
    let mut lines = vec![
        ("problem", describe::data(&session.problem, &s.loss)),
        ("regularizer", describe::regularizer(&session.problem, s, &session.lambda_max)),
        ("polar", describe::exactness(&session.problem)),
        ("checks", format!("{}, nothing else taken from whoever made them", counted(factors.rank(), "slice"))),
    ];
    lines.extend(describe::extras(s).map(|e| ("extras", e)));
    lines.extend(session.dataset.notes.iter().map(|n| ("data", n.clone())));
    console.head(&s.name, &lines);
    let clock = Instant::now();
    let budget_left = all.within(s.certificate.time_limit);
    let certificate = certify::certify_at(
        &session.problem,
        &factors,
        extras.as_ref(),
        Known { witnesses: &witnesses, polar: None, cuts: None },
        &session.certify_options(),
        &budget_left,
    )
    .map_err(|e| of_file(e, &factors, &files))?;
    let time = Time { solve_s: 0.0, certify_s: clock.elapsed().as_secs_f64() };
    let outcome = Outcome { factors: &factors, certificate: &certificate, stopped_by: "check", time, path: None };
    finish(&session, &outcome, target, &console, &args.output, &budget)
}

/// What is checked.
struct Opened {
    session: Session,
    factors: Factors,
    /// The file of each factor.
    files: Vec<String>,
    /// `None`: the best.
    extras: Option<Coefficients>,
    /// Dual points that somebody claims are good.
    witnesses: Vec<Witness>,
}

/// Whether every factor has the rows that the problem wants.
fn fits(session: &Session, factors: &Factors, files: &[String]) -> Result<(), DataError> {
    let rows = session.problem.factor_rows();
    let Some(k) = (0..rows.len()).find(|&k| factors.0[k].nrows() != rows[k]) else { return Ok(()) };
    let (wanted, found) = (rows[k], factors.0[k].shape());
    let lies = format!("it lies down: say `--transpose {}`", k + 1);
    Err(DataError::Shape {
        file: files[k].clone(),
        expected: format!("{wanted} rows, as factor {} of this problem has", k + 1),
        found: format!("{} x {}", found.0, found.1),
        hint: (found.1 == wanted).then_some(lies),
    })
}

/// The error, with the file of the factor that it is about.
fn of_file(error: CertifyError, factors: &Factors, files: &[String]) -> anyhow::Error {
    if matches!(error, CertifyError::NotFinite(_))
        && let Some(error) = too_large(factors, files)
    {
        return error.into();
    }
    let factor = match &error {
        CertifyError::Shape { factor, .. }
        | CertifyError::Slices { factor, .. }
        | CertifyError::OutsideCone { factor, .. } => Some(*factor),
        _ => None,
    };
    let file = factor.and_then(|k| files.get(k - 1)).cloned();
    let error = anyhow::Error::new(error);
    match file {
        Some(file) => error.context(file),
        None => error,
    }
}

/// The entry to blame for an objective that is not finite: the largest, if it is large.
fn too_large(factors: &Factors, files: &[String]) -> Option<DataError> {
    let largest = |x: &Mat| (0..x.len()).max_by(|a, b| x[*a].abs().total_cmp(&x[*b].abs()));
    let of = |k: usize| largest(&factors.0[k]).map(|at| (k, at, factors.0[k][at]));
    let (k, at, value) = (0..factors.0.len()).filter_map(of).max_by(|a, b| a.2.abs().total_cmp(&b.2.abs()))?;
    let rows = factors.0[k].nrows();
    (value.abs() > LARGE).then(|| DataError::Cell {
        file: files[k].clone(),
        place: Place { row: at % rows + 1, column: at / rows + 1, name: None },
        expected: "numbers for which the objective is finite",
        found: format!("{value:e}"),
        hint: None,
    })
}

/// A run folder: its spec, its factors, its dual point as a witness; its data must be what it was.
fn open_run(folder: &Path, args: &CheckArgs, budget: &Budget) -> anyhow::Result<Opened> {
    let session = Session::open(&load::spec_path(folder)?, &args.overrides, budget)?;
    if let Some(remark) = load::same_data(folder, &session.files)? {
        tracing::warn!("{}: {remark}", folder.display());
    }
    let count = session.problem.factor_rows().len();
    let mut factors = load::factors(folder, count)?;
    let names = (1..=count).map(|k| folder.join(format!("factors/X{k}.npy")).display().to_string()).collect();
    transpose(&mut factors.0, &args.transpose)?;
    let witnesses = load::witness(folder)?.into_iter().collect();
    let blocks = run::extra_names(session.spec.extras.iter().map(|e| e.kind.as_str()));
    let files: Vec<PathBuf> = blocks.iter().map(|n| folder.join(n)).filter(|f| f.is_file()).collect();
    let extras = read_extras(&session, &files)?;
    Ok(Opened { session, factors, files: names, extras, witnesses })
}

/// One file per block, in the order of the spec; with none, the best extra variables are taken.
pub(super) fn read_extras(session: &Session, files: &[PathBuf]) -> anyhow::Result<Option<Coefficients>> {
    let blocks = &session.problem.extras.blocks;
    if files.is_empty() {
        return Ok(None);
    }
    if files.len() != blocks.len() {
        let (given, expected) = (counted(files.len(), "file"), counted(blocks.len(), "extra block"));
        return Err(Usage(format!("--extras: given {given}, but the spec has {expected} (one file each)")).into());
    }
    let mut q = Vec::new();
    for (file, block) in files.iter().zip(blocks) {
        let values = read_factors(file)?;
        let [Given { x, .. }] = values.as_slice() else {
            return Err(Usage(format!("--extras {}: expected one array per file", file.display())).into());
        };
        let (found, expected) = (x.shape(), block.map.shape());
        // a vector may lie down
        let vector = expected.1 == 1 && found == (1, expected.0);
        if found != expected && !vector {
            return Err(DataError::Shape {
                file: file.display().to_string(),
                expected: format!("{} x {} values of extra `{}`", expected.0, expected.1, block.map.name()),
                found: format!("{} x {}", found.0, found.1),
                hint: None,
            }
            .into());
        }
        q.push(x.as_slice().to_vec());
    }
    Ok(Some(q))
}

/// A spec and factors from any tool.
fn open_factors(args: &CheckArgs, budget: &Budget) -> anyhow::Result<Opened> {
    let spec = args.spec.as_deref().ok_or_else(|| Usage("--spec SPEC is missing".into()))?;
    let session = Session::open(spec, &args.overrides, budget)?;
    let (mut given, mut files) = (Vec::new(), Vec::new());
    for file in &args.factors {
        let read = read_factors(file)?;
        files.extend(std::iter::repeat_n(file.display().to_string(), read.len()));
        given.extend(read);
    }
    let shapes = session.problem.mapping.slice_shapes(session.problem.shape());
    for ((g, shape), file) in given.iter().zip(&shapes).zip(&files) {
        if let Some((d, h)) = g.slices.filter(|(d, h)| *shape != [*d, *h]) {
            return Err(DataError::Shape {
                file: file.clone(),
                expected: match shape[..] {
                    [d, h] => format!("slices of {d} x {h}, the last index saying which"),
                    _ => "a matrix, one column per slice".into(),
                },
                found: format!("an array of slices of {d} x {h}"),
                hint: None,
            }
            .into());
        }
    }
    let mut factors: Vec<Mat> = given.into_iter().map(|g| g.x).collect();
    let wanted = shapes.len();
    if factors.len() != wanted {
        let mapping = session.problem.mapping.name();
        let from = files.join(", ");
        let expected =
            format!("but the {mapping} mapping of this problem has {wanted} (one file each, or an archive of all)");
        return Err(Usage(format!("--factors: given {} ({from}), {expected}", counted(factors.len(), "factor"))).into());
    }
    transpose(&mut factors, &args.transpose)?;
    let extras = read_extras(&session, &args.extras)?;
    Ok(Opened { session, factors: Factors(factors), files, extras, witnesses: Vec::new() })
}

/// An array as it came: slices as columns, and the sizes of those that were matrices.
struct Given {
    x: Mat,
    slices: Option<(usize, usize)>,
}

/// One factor from `.npy` or `.csv`, all arrays of an `.npz` (by name where they are called X1, X2, .., else in order).
fn read_factors(file: &PathBuf) -> Result<Vec<Given>, DataError> {
    let read = |source: &_| read_slices(source).map(|(x, slices)| Given { x, slices });
    let shown = file.display().to_string();
    let extension = file.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    let format = match extension.as_str() {
        "npy" => Format::Npy,
        "csv" | "tsv" | "txt" => Format::Csv,
        "npz" => Format::Npz,
        other => {
            return Err(DataError::Shape {
                file: shown,
                expected: "a factor as .npy, .csv or .npz".into(),
                found: format!("`.{other}`"),
                hint: None,
            });
        }
    };
    let source = load::array_source(file, format);
    if format != Format::Npz {
        return Ok(vec![read(&source)?]);
    }
    let bytes = std::fs::read(file).map_err(|source| DataError::Io { file: shown.clone(), source })?;
    let mut names: Vec<String> = npz::read_all(&bytes, &shown)?.into_iter().map(|a| a.0).collect();
    let number = |n: &str| n.strip_prefix('X').and_then(|k| k.parse::<usize>().ok());
    if names.iter().all(|n| number(n).is_some()) {
        names.sort_by_key(|n| number(n));
    }
    names
        .into_iter()
        .map(|key| {
            let mut source = source.clone();
            source.key = Some(key);
            read(&source)
        })
        .collect()
}

/// `1 file`, `2 files`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Transposes the factors named, counted from 1.
fn transpose(factors: &mut [Mat], which: &[usize]) -> Result<(), Usage> {
    for &k in which {
        let count = factors.len();
        let x = k.checked_sub(1).and_then(|k| factors.get_mut(k));
        let x = x.ok_or_else(|| Usage(format!("--transpose {k}: expected a factor from 1 to {count}")))?;
        *x = x.transpose();
    }
    Ok(())
}
