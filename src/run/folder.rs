//! Writing a run folder: whole or not at all.
//!
//! Files are written to a hidden sibling of the folder and synced; a single rename (an exchange, where a folder is replaced)
//! then makes it appear. A killed run leaves the old folder, or a complete new one, and at worst a hidden sibling.

use super::error::RunError;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A folder in the making. Dropped before [`Staging::publish`], it disappears.
#[derive(Debug)]
pub struct Staging {
    hidden: tempfile::TempDir,
    target: PathBuf,
    replace: bool,
}

fn io(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> RunError {
    let path = path.to_path_buf();
    move |source| RunError::Io { path, doing, source }
}

impl Staging {
    /// Prepares to write `target`: parents are made, an existing folder is refused unless `replace`.
    ///
    /// # Errors
    /// [`RunError`]: before any work is done.
    pub fn create(target: &Path, replace: bool) -> Result<Self, RunError> {
        refuse_existing(target, replace)?;
        let parent = match target.parent() {
            Some(p) if !p.as_os_str().is_empty() => p,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(io(parent, "create this folder"))?;
        let stem = target.file_name().unwrap_or_default().to_string_lossy();
        let hidden = tempfile::Builder::new()
            .prefix(&format!(".{stem}.partial-"))
            .tempdir_in(parent)
            .map_err(io(parent, "create a folder here"))?;
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
            fs::create_dir_all(parent).map_err(io(&shown, "create its folder"))?;
        }
        let mut file = File::create(&path).map_err(io(&shown, "create"))?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io(&shown, "write"))
    }

    /// The hidden folder itself.
    pub fn path(&self) -> &Path {
        self.hidden.path()
    }

    /// Makes the folder appear.
    ///
    /// # Errors
    /// [`RunError`]; the old folder, if any, is left as it was.
    pub fn publish(self) -> Result<(), RunError> {
        refuse_existing(&self.target, self.replace)?;
        let from = self.hidden.path();
        readable_by_default(from).map_err(io(&self.target, "set permissions"))?;
        // what has appeared since it was looked for is not this run's to replace
        let flags = if self.replace && self.target.exists() { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        let moved = renameat_with(CWD, from, CWD, &self.target, flags).map_err(std::io::Error::from);
        match moved {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => return Err(RunError::Exists(self.target)),
            // a file system without these flags: the old folder steps aside first
            Err(_) => {
                let aside = from.with_extension("old");
                refuse_existing(&self.target, self.replace)?;
                if self.target.exists() {
                    fs::rename(&self.target, &aside).map_err(io(&self.target, "move the old folder aside"))?;
                }
                fs::rename(from, &self.target).map_err(io(&self.target, "move the new folder into place"))?;
                // what stepped aside is only litter now
                let _ = fs::remove_dir_all(&aside);
            }
        }
        if let Some(parent) = self.target.parent().filter(|p| !p.as_os_str().is_empty())
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
    if !replace {
        return Err(RunError::Exists(target.to_path_buf()));
    }
    let empty = fs::read_dir(target).is_ok_and(|mut d| d.next().is_none());
    if !empty && !target.join("certificate.json").is_file() {
        return Err(RunError::NotARun(target.to_path_buf()));
    }
    Ok(())
}

/// Temporary folders are private; a run folder is an ordinary one: as the umask says for a file made beside it.
#[cfg(unix)]
fn readable_by_default(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let probe = folder.join(".probe");
    fs::create_dir(&probe)?;
    let mode = fs::metadata(&probe)?.permissions().mode();
    fs::remove_dir(&probe)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn readable_by_default(_folder: &Path) -> std::io::Result<()> {
    Ok(())
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
        assert!(matches!(Staging::create(&target, false), Err(RunError::Exists(_))));
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
