//! What the targets have in common: each takes the bytes of a file, puts them where the commands of homfac would read them, and
//! reads them as the commands do. An error is fine, and is printed to nowhere; a panic, a hang, an allocation beyond [`MOST`]
//! or a bound above a known optimum is a finding.

mod checkpoint;
mod data;
mod fixture;
mod run;
mod seeds;
mod spec;

pub use checkpoint::checkpoint_file;
pub use data::data_file;

pub use run::run_file;
pub use seeds::sow;
pub use spec::spec_file;

use std::alloc::System;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Bytes that a target may hold at a time.
pub const MOST: usize = 1 << 30;

#[global_allocator]
static ALLOCATOR: cap::Cap<System> = cap::Cap::new(System, MOST);

/// A folder of this process in memory.
fn scratch() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let shm = Path::new("/dev/shm");
        let parent = if shm.is_dir() { shm.to_path_buf() } else { std::env::temp_dir() };
        let folder = parent.join(format!("homfac-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for scratch files");
        folder
    })
}

/// Writes a scratch file.
fn put(name: &str, bytes: &[u8]) -> PathBuf {
    let path = scratch().join(name);
    std::fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder for scratch files");
    std::fs::write(&path, bytes).expect("a scratch file");
    path
}

/// Puts an error into words, as the commands would.
fn said<T, E: std::fmt::Display>(result: Result<T, E>) -> Option<T> {
    result.map_err(|e| std::hint::black_box(e.to_string())).ok()
}
