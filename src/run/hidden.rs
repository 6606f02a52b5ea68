//! A hidden sibling of what is being written, which one process holds at a time.
//!
//! It is called `.NAME.partial-HOST`, and whoever makes it holds a lock on it, which the system takes back when the process
//! ends, however it ends. So what is locked is being written now, and what is not is litter of a process that was killed: the
//! next one that writes the same removes it. No host touches what another began, since locks need not reach across a network.
//! Where a file system has no locks, nobody can tell the two apart: names are numbered and nothing is removed.

use super::error::RunError;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Rounds of making one and losing it to somebody who took it for litter.
const ROUNDS: usize = 1000;

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A folder, open for its lock.
    Folder,
    /// A file, open for writing.
    File,
}

/// The sibling. Dropped before it is moved away, it disappears.
#[derive(Debug)]
pub(super) struct Hidden {
    path: PathBuf,
    /// Holds the lock.
    handle: File,
    moved: bool,
}

impl Kind {
    fn make(self, path: &Path) -> io::Result<File> {
        match self {
            Self::Folder => fs::create_dir(path).and_then(|()| File::open(path)),
            Self::File => OpenOptions::new().write(true).create_new(true).open(path),
        }
    }
}

impl Hidden {
    /// Makes the sibling of `target`, after the parents of both.
    ///
    /// # Errors
    /// [`RunError::Busy`] if another process is writing `target`, [`RunError::Io`].
    pub(super) fn create(target: &Path, kind: Kind) -> Result<Self, RunError> {
        let parent = match target.parent() {
            Some(p) if !p.as_os_str().is_empty() => p,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(RunError::io(parent, "create this folder"))?;
        let name = format!(".{}.partial-{}", target.file_name().unwrap_or_default().to_string_lossy(), host());
        let path = parent.join(&name);
        let mut refused = None;
        for _ in 0..ROUNDS {
            match kind.make(&path) {
                Ok(handle) => match handle.try_lock() {
                    Ok(()) if lies_at(&handle, &path) => return Ok(Self { path, handle, moved: false }),
                    // taken for litter in the moment before it was locked
                    Ok(()) | Err(TryLockError::WouldBlock) => {}
                    Err(TryLockError::Error(_)) => return Ok(Self { path, handle, moved: false }),
                },
                Err(e) if e.kind() == ErrorKind::AlreadyExists => match litter(&path) {
                    Ok(Found::Gone) => {}
                    Ok(Found::Held) => return Err(RunError::Busy(target.to_path_buf())),
                    Ok(Found::Unknown) => return Self::numbered(target, parent, &name, kind),
                    Err(e) => return Err(RunError::io(&path, "remove what a killed run left here")(e)),
                },
                // removed before it was opened, or a file system that makes no folders
                Err(e) if e.kind() == ErrorKind::NotFound && parent.is_dir() && kind == Kind::Folder => {
                    refused = Some(e);
                }
                Err(e) => return Err(RunError::io(target, "create")(e)),
            }
        }
        Err(match refused {
            Some(e) if fs::symlink_metadata(&path).is_err() => RunError::io(target, "create")(e),
            _ => RunError::Busy(target.to_path_buf()),
        })
    }

    fn numbered(target: &Path, parent: &Path, name: &str, kind: Kind) -> Result<Self, RunError> {
        for k in 0..ROUNDS {
            let path = parent.join(format!("{name}-{}-{k}", std::process::id()));
            match kind.make(&path) {
                Ok(handle) => return Ok(Self { path, handle, moved: false }),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(RunError::io(target, "create")(e)),
            }
        }
        Err(RunError::Busy(target.to_path_buf()))
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file, or the folder.
    pub(super) fn handle(&self) -> &File {
        &self.handle
    }

    /// Moves it to `target`. What is there already is replaced if `replace`, a folder in one step where the file system can do
    /// that.
    ///
    /// # Errors
    /// As the file system says: [`ErrorKind::AlreadyExists`] if something is there that may not be replaced.
    pub(super) fn publish(mut self, target: &Path, replace: bool) -> io::Result<()> {
        // what has appeared since it was looked for is not this run's to replace
        let folder = self.path.is_dir();
        let exchange = replace && folder && target.exists();
        if replace && !folder {
            fs::rename(&self.path, target)?;
            self.moved = true;
            return Ok(());
        }
        // what comes here in exchange is held until it is gone: nobody else takes it for litter
        let old = if exchange { Some(File::open(target)?) } else { None };
        let _ = old.as_ref().map(File::lock);
        let flags = if exchange { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        match renameat_with(CWD, &self.path, CWD, target, flags) {
            Ok(()) => self.moved = !exchange,
            // a file system without these flags
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => self.step_aside(target, exchange)?,
            Err(e) => return Err(e.into()),
        }
        drop(self);
        Ok(())
    }

    /// In two steps: the old folder moves aside first.
    fn step_aside(&mut self, target: &Path, replace: bool) -> io::Result<()> {
        let mut aside = self.path.clone().into_os_string();
        aside.push(".old");
        if replace {
            remove(Path::new(&aside))?;
            fs::rename(target, &aside)?;
        } else if fs::symlink_metadata(target).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        fs::rename(&self.path, target)?;
        self.moved = true;
        // only litter now
        let _ = remove(Path::new(&aside));
        Ok(())
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if !self.moved {
            // still locked: nobody else has this name yet
            let _ = remove(&self.path);
        }
    }
}

/// What became of something that was in the way.
enum Found {
    /// Litter, and removed, or gone by itself.
    Gone,
    /// Another process is at it.
    Held,
    /// No locks here.
    Unknown,
}

fn litter(path: &Path) -> io::Result<Found> {
    match fs::symlink_metadata(path) {
        Ok(m) if !(m.is_dir() || m.is_file()) => return Ok(Found::Unknown),
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Found::Gone),
        _ => {}
    }
    let handle = match File::open(path) {
        Ok(handle) => handle,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Found::Gone),
        Err(e) => return Err(e),
    };
    match handle.try_lock() {
        // published, or removed by another, while it was opened
        Ok(()) if !lies_at(&handle, path) => Ok(Found::Gone),
        Ok(()) => remove(path).map(|()| Found::Gone),
        Err(TryLockError::WouldBlock) => Ok(Found::Held),
        Err(TryLockError::Error(_)) => Ok(Found::Unknown),
    }
}

/// Whether a path still leads to what was opened.
fn lies_at(handle: &File, path: &Path) -> bool {
    match (handle.metadata(), fs::symlink_metadata(path)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Removes a file, or a folder with all that is in it; one that is not there is as good.
fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(m) if m.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) => Err(e),
    };
    removed.or_else(|e| if e.kind() == ErrorKind::NotFound { Ok(()) } else { Err(e) })
}

/// This host's name, as far as it goes into a file name.
fn host() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    name.chars().take(32).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn litter_is_removed_and_what_is_held_is_not() {
        let here = tempfile::tempdir().unwrap();
        let target = here.path().join("run");
        for kind in [Kind::Folder, Kind::File] {
            let hidden = Hidden::create(&target, kind).unwrap();
            // the lock belongs to the open file, so this process is as good as another
            for other in [Kind::Folder, Kind::File] {
                assert!(matches!(Hidden::create(&target, other), Err(RunError::Busy(_))));
            }
            let path = hidden.path().to_path_buf();
            drop(hidden);
            assert!(!path.exists());
            // as after a kill: there, and nobody holds it
            fs::create_dir(&path).unwrap();
            fs::write(path.join("half"), "x").unwrap();
            let hidden = Hidden::create(&target, kind).unwrap();
            assert!(!path.join("half").exists());
            drop(hidden);
            fs::write(&path, "half").unwrap();
            drop(Hidden::create(&target, kind).unwrap());
            assert!(names(here.path()).is_empty());
        }
    }

    #[test]
    fn what_other_hosts_began_stays() {
        let here = tempfile::tempdir().unwrap();
        fs::create_dir(here.path().join(".run.partial-elsewhere")).unwrap();
        let hidden = Hidden::create(&here.path().join("run"), Kind::Folder).unwrap();
        hidden.publish(&here.path().join("run"), false).unwrap();
        assert_eq!(names(here.path()).len(), 2);
    }

    #[test]
    fn of_many_at_once_one_holds_it_and_none_disturbs_another() {
        let here = tempfile::tempdir().unwrap();
        let (target, many) = (here.path().join("run"), 8);
        for round in 0..50 {
            // now and then there is litter to begin with
            if round % 2 == 0 {
                fs::create_dir(here.path().join(format!(".run.partial-{}", host()))).unwrap();
            }
            let (start, held, inside) = (Barrier::new(many), AtomicUsize::new(0), AtomicUsize::new(0));
            std::thread::scope(|s| {
                for k in 0..many {
                    let (start, held, inside, target) = (&start, &held, &inside, &target);
                    s.spawn(move || {
                        start.wait();
                        let kind = if k % 2 == 0 { Kind::Folder } else { Kind::File };
                        let Ok(hidden) = Hidden::create(target, kind) else { return };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at a time");
                        held.fetch_add(1, Ordering::SeqCst);
                        std::thread::yield_now();
                        assert!(lies_at(hidden.handle(), hidden.path()));
                        inside.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            });
            assert!(held.into_inner() >= 1);
            assert!(names(here.path()).is_empty());
        }
    }

    #[test]
    fn two_steps_do_what_an_exchange_does() {
        let here = tempfile::tempdir().unwrap();
        let target = here.path().join("run");
        let make = |text: &str| {
            let hidden = Hidden::create(&target, Kind::Folder).unwrap();
            fs::write(hidden.path().join("text"), text).unwrap();
            hidden
        };
        make("one").step_aside(&target, false).unwrap();
        assert_eq!(make("two").step_aside(&target, false).unwrap_err().kind(), ErrorKind::AlreadyExists);
        make("three").step_aside(&target, true).unwrap();
        assert_eq!(fs::read_to_string(target.join("text")).unwrap(), "three");
        make("four").publish(&target, true).unwrap();
        assert_eq!(fs::read_to_string(target.join("text")).unwrap(), "four");
        assert_eq!(names(here.path()), ["run"]);
    }
}
