//! A single file, written whole or not at all.

use super::error::RunError;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file in the making, beside its target. Dropped before [`Whole::publish`], it disappears.
#[derive(Debug)]
pub struct Whole {
    hidden: BufWriter<NamedTempFile>,
    target: PathBuf,
    replace: bool,
}

fn io(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> RunError {
    let path = path.to_path_buf();
    move |source| RunError::Io { path, doing, source }
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
            let source = std::io::Error::from(std::io::ErrorKind::IsADirectory);
            return Err(io(target, "write a file here")(source));
        }
        let parent = match target.parent() {
            Some(p) if !p.as_os_str().is_empty() => p,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(parent).map_err(io(parent, "create this folder"))?;
        let stem = target.file_name().unwrap_or_default().to_string_lossy();
        let prefix = format!(".{stem}.partial-");
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        // temporary files are private; this one becomes an ordinary one, as the umask says
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let hidden = builder.tempfile_in(parent).map_err(io(target, "create"))?;
        Ok(Self { hidden: BufWriter::new(hidden), target: target.to_path_buf(), replace })
    }

    /// Writes a file all of which is at hand, in place of an older one.
    ///
    /// # Errors
    /// [`RunError`]; an old file, if any, is left as it was.
    pub fn put(target: &Path, parts: &[&[u8]]) -> Result<(), RunError> {
        let mut file = Self::create(target, true)?;
        parts.iter().try_for_each(|part| file.write_all(part)).map_err(io(target, "write"))?;
        file.publish()
    }

    /// Makes the file appear.
    ///
    /// # Errors
    /// [`RunError`]; an old file, if any, is left as it was.
    pub fn publish(self) -> Result<(), RunError> {
        let Self { hidden, target, replace } = self;
        let file = hidden.into_inner().map_err(|e| io(&target, "write")(e.into_error()))?;
        file.as_file().sync_all().map_err(io(&target, "write"))?;
        let placed = if replace { file.persist(&target) } else { file.persist_noclobber(&target) };
        match placed {
            Ok(_) => Ok(()),
            Err(e) if e.error.kind() == std::io::ErrorKind::AlreadyExists => Err(RunError::Exists(target)),
            Err(e) => Err(io(&target, "move the file into place")(e.error)),
        }
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.hidden.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.hidden.flush()
    }
}
