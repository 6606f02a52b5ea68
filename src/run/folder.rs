//! Writing a run folder: whole or not at all.
//!
//! Files are written to a hidden sibling of the folder (`hidden.rs`) and synced; a single rename (an exchange, where a
//! folder is replaced) then makes it appear. A killed run leaves the old folder, or a complete new one, and at worst the hidden
//! sibling, which the next run there removes.

use super::error::RunError;
use super::hidden::{Hidden, Kind};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A folder in the making. Dropped before [`Staging::publish`], it disappears.
#[derive(Debug)]
pub struct Staging {
    hidden: Hidden,
    target: PathBuf,
    replace: bool,
}

impl Staging {
    /// Prepares to write `target`: parents are made, an existing folder is refused unless `replace`.
    ///
    /// # Errors
    /// [`RunError`]: before any work is done.
    pub fn create(target: &Path, replace: bool) -> Result<Self, RunError> {
        refuse_existing(target, replace)?;
        let hidden = Hidden::create(target, Kind::Folder)?;
        Ok(Self { hidden, target: target.to_path_buf(), replace })
    }

    /// Writes one file, given by its path inside the folder.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn write(&self, inside: &str, bytes: &[u8]) -> Result<(), RunError> {
        let path = self.hidden.path().join(inside);
        let shown = self.target.join(inside);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(RunError::io(&shown, "create its folder"))?;
        }
        let mut file = File::create(&path).map_err(RunError::io(&shown, "create"))?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(RunError::io(&shown, "write"))
    }

    /// Makes the folder appear.
    ///
    /// # Errors
    /// [`RunError`]; the old folder, if any, is left as it was.
    pub fn publish(self) -> Result<(), RunError> {
        let Self { hidden, target, replace } = self;
        refuse_existing(&target, replace)?;
        hidden.publish(&target, replace).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => RunError::Exists(target.clone()),
            _ => RunError::io(&target, "move the new folder into place")(e),
        })?;
        if let Some(parent) = target.parent().filter(|p| !p.as_os_str().is_empty())
            && let Ok(folder) = File::open(parent)
        {
            // not every file system can sync a folder
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

fn refuse_existing(target: &Path, replace: bool) -> Result<(), RunError> {
    if fs::symlink_metadata(target).is_err() {
        return Ok(());
    }
    let empty = fs::read_dir(target).is_ok_and(|mut d| d.next().is_none());
    if !empty && !target.join("certificate.json").is_file() {
        return Err(RunError::NotARun(target.to_path_buf()));
    }
    if replace { Ok(()) } else { Err(RunError::Exists(target.to_path_buf())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let here = tempfile::tempdir().unwrap();
        let target = here.path().join("runs/one");
        let staging = Staging::create(&target, false).unwrap();
        staging.write("factors/X1.npy", b"x").unwrap();
        assert!(!target.exists());
        staging.publish().unwrap();
        assert_eq!(fs::read(target.join("factors/X1.npy")).unwrap(), b"x");
        assert_eq!(fs::read_dir(here.path().join("runs")).unwrap().count(), 1);
        drop(Staging::create(&here.path().join("runs/two"), false).unwrap());
        assert_eq!(fs::read_dir(here.path().join("runs")).unwrap().count(), 1);
    }

    #[test]
    fn an_existing_folder_is_replaced_only_by_force_and_only_if_it_is_a_run() {
        let here = tempfile::tempdir().unwrap();
        let target = here.path().join("run");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("precious.txt"), "old").unwrap();
        assert!(matches!(Staging::create(&target, false), Err(RunError::NotARun(_))));
        assert!(matches!(Staging::create(&target, true), Err(RunError::NotARun(_))));
        fs::write(target.join("certificate.json"), "{}").unwrap();
        let staging = Staging::create(&target, true).unwrap();
        staging.write("certificate.json", b"new").unwrap();
        assert_eq!(fs::read(target.join("certificate.json")).unwrap(), b"{}");
        staging.publish().unwrap();
        assert_eq!(fs::read(target.join("certificate.json")).unwrap(), b"new");
        assert!(!target.join("precious.txt").exists());
    }
}
