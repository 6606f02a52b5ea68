//! What can go wrong with a run folder.

use std::path::{Path, PathBuf};

/// An error with a run folder; messages name the path.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The folder exists and may not be replaced.
    #[error("{}: exists already\n  hint: `--force` replaces it, `-o DIR` writes elsewhere", .0.display())]
    Exists(PathBuf),
    /// Something that is not a run folder, which nothing replaces.
    #[error(
        "{}: exists and is not a run folder (it has no certificate.json), so nothing will replace it\n  hint: `-o DIR` writes elsewhere",
        .0.display()
    )]
    NotARun(PathBuf),
    /// Somebody else is at it.
    #[error("{}: another homfac is writing this now\n  hint: wait until it is done, or `-o` writes elsewhere", .0.display())]
    Busy(PathBuf),
    /// The file system refused.
    #[error("{}: cannot {doing}", .path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A file of the folder is missing or damaged.
    #[error("{}: {problem}\n  hint: a run folder has spec.toml, factors/X1.npy .. and certificate.json", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// There is a checkpoint, but nothing to go on from.
    #[error("{}: this checkpoint is {why}\n  hint: without `--resume` solving starts anew", .path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The data is not what the run was made from.
    #[error("{path}: the data changed since the run was written: SHA-256 is {found}, the run has {recorded}")]
    DataChanged {
        /// The data file.
        path: String,
        /// Digest now.
        found: String,
        /// Digest in certificate.json.
        recorded: String,
    },
}

impl RunError {
    /// What the file system said when `doing` was tried.
    pub(super) fn io(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, doing, source }
    }
}
