//! A temporary folder, a wrapper around the binary, filters for what time makes different, and `verify_run`.

pub use crate::verify::verify_run;

use crate::naive::{self, Grid};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// What a finished command left behind.
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Asserts the exit code, showing what was printed.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Asserts that standard error has every one of these pieces.
    #[track_caller]
    pub fn says(self, pieces: &[&str]) -> Self {
        for piece in pieces {
            assert!(self.stderr.contains(piece), "`{piece}` is missing from\n{}", self.stderr);
        }
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}\nstdout: {}", self.stdout))
    }
}

/// A temporary folder in which the binary runs.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, inside: &str) -> PathBuf {
        self.0.path().join(inside)
    }

    pub fn write(&self, inside: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(inside);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, inside: &str) -> String {
        String::from_utf8(fs::read(self.path(inside)).unwrap()).unwrap()
    }

    /// The binary, to be started here.
    pub fn command(&self, args: &[&str]) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_homfac"));
        command.current_dir(self.0.path()).args(args).timeout(Duration::from_secs(60));
        command
    }

    /// Runs the binary here.
    pub fn run(&self, args: &[&str]) -> Outcome {
        let output = self.command(args).output().unwrap();
        Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts the binary here without waiting for it.
    pub fn start(&self, args: &[&str]) -> std::process::Child {
        Command::new(env!("CARGO_BIN_EXE_homfac"))
            .current_dir(self.0.path())
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Solves `spec` into `run`, expecting `code`, and verifies what was written.
    #[track_caller]
    pub fn solve(&self, spec: &str, run: &str, more: &[&str], code: i32) -> Value {
        self.write("spec.toml", spec);
        let args: Vec<&str> = ["solve", "spec.toml", "-q", "-o", run].into_iter().chain(more.iter().copied()).collect();
        let outcome = self.run(&args).exits(code);
        verify_run(&self.path(run), outcome.code)
    }

    /// Every file below a folder with its bytes.
    pub fn tree(&self, inside: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut out = BTreeMap::new();
        collect(&self.path(inside), Path::new(""), &mut out);
        out
    }

    /// Deletes these columns from a factor of a run folder.
    pub fn drop_columns(&self, file: &str, gone: &[usize]) {
        let x = naive::read_npy(&fs::read(self.path(file)).unwrap());
        let kept: Vec<usize> = (0..x.cols).filter(|j| !gone.contains(j)).collect();
        let y = Grid::from_fn(x.rows, kept.len(), |i, j| x.at(i, kept[j]));
        self.write(file, naive::npy_bytes(&y));
    }
}

fn collect(folder: &Path, prefix: &Path, out: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = prefix.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &name, out);
        } else {
            out.insert(name, fs::read(entry.path()).unwrap());
        }
    }
}

/// A run folder's files without what time makes different: the `time` object, the `time_s` columns, the marked line of the
/// reports.
pub fn timeless(files: &BTreeMap<PathBuf, Vec<u8>>) -> BTreeMap<PathBuf, Vec<u8>> {
    let filter = |path: &Path, bytes: &[u8]| -> Vec<u8> {
        let text = || std::str::from_utf8(bytes).unwrap();
        match path.file_name().unwrap().to_str().unwrap() {
            "certificate.json" => timeless_json(text()).into_bytes(),
            "trace.csv" | "path.csv" => {
                let rows = text().lines().map(|l| l.rsplit_once(',').unwrap().0.to_string() + "\n");
                rows.collect::<String>().into_bytes()
            }
            "report.md" | "report.html" => {
                let (kept, marked): (Vec<&str>, Vec<&str>) = text().lines().partition(|l| !l.contains("<!-- time -->"));
                assert_eq!(marked.len(), 1, "exactly one line is marked");
                kept.join("\n").into_bytes()
            }
            _ => bytes.to_vec(),
        }
    };
    files.iter().map(|(path, bytes)| (path.clone(), filter(path, bytes))).collect()
}

/// certificate.json without its `time` object, otherwise byte for byte.
pub fn timeless_json(text: &str) -> String {
    let start = text.find("\n  \"time\": {").expect("a time object");
    let end = start + text[start..].find('}').expect("its end");
    format!("{}{}", &text[..start], &text[end + 1..])
}

/// A spec on a dense `Y.csv` in the spec's folder.
pub fn spec(lambda: &str, mapping: &str, factors: &str, more: &str) -> String {
    spec_on("{ path = \"Y.csv\" }", lambda, mapping, factors, more)
}

/// The same with `target` as given; `more` may begin with keys of `[data]`.
pub fn spec_on(target: &str, lambda: &str, mapping: &str, factors: &str, more: &str) -> String {
    format!(
        "lambda = {lambda}\n\n[mapping]\nkind = \"{mapping}\"\n\n[regularizer]\nfactors = [{factors}]\n\n\
         [data]\ntarget = {target}\n{more}\n"
    )
}

/// `{ norm = "l2" }` twice.
pub const L2L2: &str = "{ norm = \"l2\" }, { norm = \"l2\" }";

/// `{ norm = "l2", cone = "nonnegative" }`, for both factors.
pub const NONNEGATIVE: &str = "{ norm = \"l2\", cone = \"nonnegative\" }";

/// A table as CSV; NaN is left empty.
pub fn csv(grid: &Grid) -> String {
    grid.lines(",", |x| if x.is_nan() { String::new() } else { format!("{x:?}") })
}

/// diag(4, 3, 1) with a fourth zero row: its singular values are on the page.
pub fn diagonal() -> Grid {
    let d = [4.0, 3.0, 1.0];
    Grid::from_fn(4, 3, |i, j| if i == j { d[i] } else { 0.0 })
}

/// A small table without structure.
pub fn scattered(rows: usize, cols: usize) -> Grid {
    Grid::from_fn(rows, cols, |i, j| {
        let x = ((i * 37 + j * 101 + 11) % 23) as f64 / 7.0 - 1.2;
        x + if i == j { 1.0 } else { 0.0 }
    })
}

/// Entries between -1 and 1 with no pattern to speak of.
pub fn noise(rows: usize, cols: usize) -> Grid {
    let hash = |k: u64| {
        let k = (k ^ (k >> 7)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (k ^ (k >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11
    };
    Grid::from_fn(rows, cols, |i, j| hash((1000 * i + j + 1) as u64) as f64 / (1u64 << 52) as f64 - 1.0)
}

/// A number of a certificate.
#[track_caller]
pub fn number(v: &Value, pointer: &str) -> f64 {
    v.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number at {pointer} in {v}"))
}

/// A string of a certificate.
#[track_caller]
pub fn word<'a>(v: &'a Value, pointer: &str) -> &'a str {
    v.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no string at {pointer} in {v}"))
}

/// Asserts two numbers equal up to a relative difference.
#[track_caller]
pub fn close(found: f64, wanted: f64, relative: f64) {
    let scale = found.abs().max(wanted.abs());
    assert!((found - wanted).abs() <= relative * scale, "found {found:?}, wanted {wanted:?}");
}
