//! The checkpoint beside a run folder in the making: what a run that was killed goes on from.
//!
//! `<folder>.checkpoint` is written whole or not at all. Its head names the layout and the SHA-256 of the body, so that a damaged
//! file is told from a good one before anything in it is believed; the body begins with the digest of all that decides the
//! problem, so that another one's state is told from it too.

use super::error::RunError;
use super::whole::Whole;
use crate::data::hash::sha256;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The first line; a new layout has a new one.
const HEAD: &str = "homfac checkpoint 8\n";

/// Hexadecimal digits of a digest.
const DIGITS: usize = 64;

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
pub fn write<T: Serialize>(folder: &Path, problem: &str, state: &T) -> Result<(), RunError> {
    let path = path_of(folder);
    let body = postcard::to_stdvec(&(problem, state)).map_err(|e| RunError::io(&path, "write")(io::Error::other(e)))?;
    Whole::put(&path, &[HEAD.as_bytes(), sha256(&body).as_bytes(), &body])
}

/// Reads the checkpoint of a run folder; `None` if it has none.
///
/// # Errors
/// [`RunError`]: it cannot be read, is damaged, or is of another problem.
pub fn read<T: DeserializeOwned>(folder: &Path, problem: &str) -> Result<Option<T>, RunError> {
    let path = path_of(folder);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(RunError::io(&path, "read")(e)),
    };
    let unusable = |why| RunError::Checkpoint { path: path.clone(), why };
    let rest = bytes.strip_prefix(HEAD.as_bytes()).ok_or_else(|| unusable("not a checkpoint of this version"))?;
    let whole = rest.split_at_checked(DIGITS).filter(|(digest, body)| sha256(body).as_bytes() == *digest);
    let (of, state): (String, _) =
        whole.and_then(|(_, body)| postcard::take_from_bytes(body).ok()).ok_or_else(|| unusable("damaged"))?;
    if of != problem {
        return Err(unusable("of another problem: the spec, its data, or the version of homfac is not what it was"));
    }
    postcard::from_bytes(state).map(Some).map_err(|_| unusable("damaged"))
}

/// Removes the checkpoint of a run folder that is complete.
pub fn remove(folder: &Path) {
    // what is left behind does no harm: it says whose it is
    let _ = fs::remove_file(path_of(folder));
}
