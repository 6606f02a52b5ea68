//! The checkpoint beside a run folder in the making: what a run that was killed goes on from.
//!
//! `<folder>.checkpoint` is written whole or not at all. Its head names the layout and the SHA-256 of the body, so that a damaged
//! file is told from a good one before anything in it is believed.

use super::error::RunError;
use super::whole::Whole;
use crate::data::hash::sha256;
use crate::solve::checkpoint::Checkpoint;
use crate::solve::observer::Iteration;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The first line; a new layout has a new one.
const HEAD: &str = "homfac checkpoint 1\n";

/// Hexadecimal digits of a digest.
const DIGITS: usize = 64;

/// What the file holds.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    /// Digest of all that decides the problem: another one's state is of no use.
    pub problem: String,
    /// The hidden folder that the run was going to publish.
    pub staging: PathBuf,
    /// Every iteration so far, for `trace.csv`.
    pub trace: Vec<Iteration>,
    /// The solver's state.
    pub state: Checkpoint,
}

/// Where the checkpoint of a run folder lies.
pub fn path_of(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_os_string();
    name.push(".checkpoint");
    name.into()
}

/// Writes the checkpoint of a run folder, in place of an older one.
///
/// # Errors
/// [`RunError::Io`].
pub fn write(folder: &Path, saved: &Saved) -> Result<(), RunError> {
    let path = path_of(folder);
    let body = postcard::to_stdvec(saved).map_err(|e| {
        let source = io::Error::other(e);
        RunError::Io { path: path.clone(), doing: "write", source }
    })?;
    Whole::put(&path, &[HEAD.as_bytes(), sha256(&body).as_bytes(), &body])
}

/// Reads the checkpoint of a run folder; `None` if it has none.
///
/// # Errors
/// [`RunError`]: it cannot be read, is damaged, or is of another problem.
pub fn read(folder: &Path, problem: &str) -> Result<Option<Saved>, RunError> {
    let path = path_of(folder);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(RunError::Io { path, doing: "read", source }),
    };
    let unusable = |why| RunError::Checkpoint { path: path.clone(), why };
    let rest = bytes.strip_prefix(HEAD.as_bytes()).ok_or_else(|| unusable("not a checkpoint of this version"))?;
    let saved: Saved = rest
        .split_at_checked(DIGITS)
        .filter(|(digest, body)| sha256(body).as_bytes() == *digest)
        .and_then(|(_, body)| postcard::from_bytes(body).ok())
        .ok_or_else(|| unusable("damaged"))?;
    if saved.problem != problem {
        return Err(unusable("of another problem: the spec, its data, or the version of homfac is not what it was"));
    }
    Ok(Some(saved))
}

/// Removes the checkpoint of a run folder that is complete.
pub fn remove(folder: &Path) {
    // what is left behind does no harm: it says whose it is
    let _ = fs::remove_file(path_of(folder));
}

/// Removes what a killed run had begun to write: the hidden folder that its checkpoint names, beside the run folder.
pub fn clear(folder: &Path, saved: &Saved) {
    let stem = folder.file_name().unwrap_or_default().to_string_lossy();
    let begun = saved.staging.file_name().unwrap_or_default();
    if begun.to_string_lossy().starts_with(&format!(".{stem}.partial-")) {
        let _ = fs::remove_dir_all(folder.with_file_name(begun));
    }
}
