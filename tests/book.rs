//! Every command that the documents print runs as printed: `sh` blocks, one document after another, in a folder with the
//! repository's specs and data, with this build as `homfac` and behind `cargo run --release --`.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The `sh` blocks of a document.
fn commands(text: &str) -> String {
    text.split("```sh\n").skip(1).filter_map(|t| t.split("```").next()).collect()
}

/// Runs a script where the repository's folders are; what it printed if it failed.
fn run(script: &str) -> Result<(), String> {
    let place = tempfile::tempdir().unwrap();
    for folder in ["specs", "data", "docs"] {
        symlink(root().join(folder), place.path().join(folder)).unwrap();
    }
    let bin = place.path().join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_homfac"), bin.join("homfac")).unwrap();
    // what builds and tests the crate is what this is part of
    let cargo = "#!/bin/sh\ncase \"$1 $2 $3\" in\n\"run --release --\") shift 3; exec homfac \"$@\";;\nesac\n";
    fs::write(bin.join("cargo"), cargo).unwrap();
    fs::set_permissions(bin.join("cargo"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let shell = Command::new("sh").args(["-euc", script]).env("PATH", path).current_dir(place.path()).output().unwrap();
    if shell.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&shell.stderr).into_owned()) }
}

fn check(document: &str, least: usize) {
    let script = commands(&fs::read_to_string(root().join(document)).unwrap());
    assert!(script.lines().count() >= least, "{document} shows {} commands", script.lines().count());
    run(&script).unwrap_or_else(|e| panic!("{document}: {e}"));
}

#[test]
fn the_front_page() {
    check("README.md", 10);
}

#[test]
fn the_tutorials() {
    check("docs/tutorials.md", 12);
}

#[test]
fn the_reference() {
    check("docs/spec.md", 4);
}

#[test]
fn a_command_that_fails_is_seen() {
    assert!(run(&commands("```sh\nhomfac solve specs/none.toml\n```\n")).is_err());
    assert!(
        run(&commands("text\n```sh\ncargo run --release -- schema > /dev/null\n```\n```toml\nnot = 1\n```\n")).is_ok()
    );
}
