//! `homfac init [KIND]`: a commented spec to start from. To add one: a file under `templates`, whose first line says in a
//! comment what it is for, and its line in `TEMPLATES`.

use super::args::InitArgs;
use super::{console, failure, unknown_name};
use std::fmt::Write;

/// A kind and what is its own in the spec.
type Template = (&'static str, &'static str);

/// Every kind. One line each.
const TEMPLATES: &[Template] = &[
    ("nmf", include_str!("templates/nmf.toml")),
    ("semi-nmf", include_str!("templates/semi-nmf.toml")),
    ("pca", include_str!("templates/pca.toml")),
    ("completion", include_str!("templates/completion.toml")),
    ("robust-pca", include_str!("templates/robust-pca.toml")),
    ("logistic-completion", include_str!("templates/logistic-completion.toml")),
    ("poisson", include_str!("templates/poisson.toml")),
    ("psd", include_str!("templates/psd.toml")),
    ("sensing", include_str!("templates/sensing.toml")),
    ("cp", include_str!("templates/cp.toml")),
    ("nonnegative-cp", include_str!("templates/nonnegative-cp.toml")),
    ("sparse-tv", include_str!("templates/sparse-tv.toml")),
    ("relu", include_str!("templates/relu.toml")),
    ("relu-classes", include_str!("templates/relu-classes.toml")),
    ("relu-deep", include_str!("templates/relu-deep.toml")),
    ("linear-net", include_str!("templates/linear-net.toml")),
];

/// What every spec ends with: solver, certificate, output.
const COMMON: &str = include_str!("templates/common.toml");

/// Runs the command; the exit code.
///
/// # Errors
/// If there is no such kind.
pub fn run(args: &InitArgs) -> anyhow::Result<u8> {
    let Some(kind) = &args.kind else {
        console::print(&list())?;
        return Ok(failure::DONE);
    };
    let text = text(kind).ok_or_else(|| unknown_name("kind", kind, TEMPLATES.iter().map(|t| t.0)))?;
    console::print(&text)?;
    Ok(failure::DONE)
}

/// The names of all kinds.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    TEMPLATES.iter().map(|t| t.0)
}

/// The spec of a kind, if there is one of this name.
pub fn text(kind: &str) -> Option<String> {
    TEMPLATES.iter().find(|t| t.0 == kind).map(|t| format!("{}\n{COMMON}", t.1))
}

/// A line for each kind: its name and what its file says in its first line.
fn list() -> String {
    let mut out = String::new();
    for (name, text) in TEMPLATES {
        let summary = text.lines().next().unwrap_or("").trim_start_matches("# ");
        // writing to a string does not fail
        let _ = writeln!(out, "{name:<21}{summary}");
    }
    out + "\nhomfac init KIND > spec.toml; every key is explained there, and in docs/spec.md\n"
}
