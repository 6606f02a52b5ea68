//! Reading a saved run back: its factors and dual point, and whether its data is still the same. Claims are not read.

use super::error::RunError;
use crate::certify::Witness;
use crate::data::source::{Format, Source};
use crate::data::{Array, DataError, FileRecord, Remembered, npz, read_factor, read_slices};
use crate::linalg::Mat;
use crate::mapping::Factors;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// `spec.toml` of a run folder.
///
/// # Errors
/// [`RunError::Damaged`] if the folder has none.
pub fn spec_path(folder: &Path) -> Result<PathBuf, RunError> {
    let path = folder.join("spec.toml");
    if path.is_file() {
        return Ok(path);
    }
    let problem = if folder.exists() { "not a run folder: it has no spec.toml" } else { "no such run folder" };
    Err(RunError::Damaged { path: folder.to_path_buf(), problem: problem.into() })
}

/// `factors/X1.npy` .. of a run folder, slices as columns.
///
/// # Errors
/// [`DataError`] naming the file.
pub fn factors(folder: &Path, count: usize) -> Result<Factors, DataError> {
    (1..=count)
        .map(|k| Ok(read_slices(&array_source(&folder.join(format!("factors/X{k}.npy")), Format::Npy))?.0))
        .collect::<Result<_, _>>()
        .map(Factors)
}

/// `model.json` of a run folder; `None` if it has none.
///
/// # Errors
/// [`RunError`] if it cannot be read.
pub fn remembered(folder: &Path) -> Result<Option<Remembered>, RunError> {
    let path = folder.join("model.json");
    match std::fs::read_to_string(&path) {
        Ok(text) => Remembered::from_json(&text)
            .map(Some)
            .map_err(|e| RunError::Damaged { path, problem: format!("not what a run remembers: {e}") }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RunError::Io { path, doing: "read", source }),
    }
}

/// The saved extra variables of blocks of these kinds.
///
/// # Errors
/// [`DataError`] naming the file.
pub fn extras<'a>(folder: &Path, kinds: impl Iterator<Item = &'a str>) -> Result<Vec<Mat>, DataError> {
    let names = super::extra_names(kinds);
    names.iter().map(|n| Ok(read_factor(&array_source(&folder.join(n), Format::Npy))?.0)).collect()
}

/// How many factors a run folder has, going by its files.
pub fn factor_count(folder: &Path) -> usize {
    (1..).take_while(|k| folder.join(format!("factors/X{k}.npy")).is_file()).count()
}

/// A file that holds one array.
pub fn array_source(path: &Path, format: Format) -> Source {
    Source { format: Some(format), ..Source::plain(path.to_path_buf(), path.display().to_string()) }
}

/// The saved dual point, if there is one: a witness, to be proven again.
///
/// # Errors
/// [`DataError`] if `dual.npz` is there but cannot be read.
pub fn witness(folder: &Path) -> Result<Option<Witness>, DataError> {
    let path = folder.join("dual.npz");
    let shown = path.display().to_string();
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(DataError::Io { file: shown, source }),
    };
    let arrays = npz::read_all(&bytes, &shown)?
        .into_iter()
        .filter_map(|(name, array)| match array {
            Array::Dense { values, .. } => Some((name, values)),
            Array::Coordinates { .. } => None,
        })
        .collect();
    Ok(Some(Witness { source: "witness".into(), arrays }))
}

/// Compares the files read now with the digests recorded in `certificate.json`. Returns a remark if there are none to compare
/// with.
///
/// # Errors
/// [`RunError::DataChanged`].
pub fn same_data(folder: &Path, files: &[FileRecord]) -> Result<Option<String>, RunError> {
    let recorded: Option<Vec<String>> = std::fs::read_to_string(folder.join("certificate.json"))
        .ok()
        .and_then(|text| serde_json::from_str::<Value>(&text).ok())
        .and_then(|v| v.get("data")?.as_array()?.iter().map(|d| Some(d.get("sha256")?.as_str()?.into())).collect());
    let Some(recorded) = recorded.filter(|r| r.len() == files.len()) else {
        return Ok(Some("certificate.json records no digests of these data files: not compared".into()));
    };
    match files.iter().zip(recorded).find(|(f, r)| f.sha256 != *r) {
        None => Ok(None),
        Some((f, recorded)) => Err(RunError::DataChanged { path: f.shown.clone(), found: f.sha256.clone(), recorded }),
    }
}
