//! A single file, written whole or not at all.

use super::error::RunError;
use super::hidden::{Hidden, Kind};
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A file in the making, beside its target. Dropped before [`Whole::publish`], it disappears.
#[derive(Debug)]
pub struct Whole {
    out: BufWriter<File>,
    hidden: Hidden,
    target: PathBuf,
    replace: bool,
}

impl Whole {
    /// Prepares to write `target`: parents are made, an existing file is refused unless `replace`.
    ///
    /// # Errors
    /// [`RunError`], before any work is done.
    pub fn create(target: &Path, replace: bool) -> Result<Self, RunError> {
        if !replace && target.symlink_metadata().is_ok() {
            return Err(RunError::Exists(target.to_path_buf()));
        }
        if target.is_dir() {
            return Err(RunError::io(target, "write a file here")(ErrorKind::IsADirectory.into()));
        }
        let hidden = Hidden::create(target, Kind::File)?;
        let out = hidden.handle().try_clone().map_err(RunError::io(target, "create"))?;
        Ok(Self { out: BufWriter::new(out), hidden, target: target.to_path_buf(), replace })
    }

    /// Writes a file all of which is at hand, in place of an older one.
    ///
    /// # Errors
    /// [`RunError`]; an old file, if any, is left as it was.
    pub fn put(target: &Path, parts: &[&[u8]]) -> Result<(), RunError> {
        let mut file = Self::create(target, true)?;
        parts.iter().try_for_each(|part| file.write_all(part)).map_err(RunError::io(target, "write"))?;
        file.publish()
    }

    /// Makes the file appear.
    ///
    /// # Errors
    /// [`RunError`]; an old file, if any, is left as it was.
    pub fn publish(self) -> Result<(), RunError> {
        let Self { out, hidden, target, replace } = self;
        let file = out.into_inner().map_err(|e| RunError::io(&target, "write")(e.into_error()))?;
        file.sync_all().map_err(RunError::io(&target, "write"))?;
        hidden.publish(&target, replace).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => RunError::Exists(target),
            _ => RunError::io(&target, "move the file into place")(e),
        })
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
