//! The spec: TOML text, and keys set on the command line after a zero byte, one `key=value` per zero byte.

use crate::said;
use homfac::spec::{self, Override};
use std::path::Path;

/// Parses a spec; one that is accepted is accepted again as it is saved.
pub fn spec_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut parts = text.split('\0');
    let text = parts.next().unwrap_or("");
    let overrides: Vec<Override> = parts.filter_map(|p| p.split_once('=')).map(set).collect();
    let file = Path::new("/nowhere/spec.toml");
    let Some(spec) = said(spec::parse(text, file, &overrides)) else { return };
    let saved = spec::to_toml(&spec, 1.5, Path::new("/nowhere/run"), &spec::notes_of(text));
    if let Err(e) = spec::parse(&saved, Path::new("/nowhere/run/spec.toml"), &[]) {
        panic!("the saved spec is refused: {e}\n{saved}");
    }
    spec.places.naming("data.target");
    assert!(!spec.output.as_os_str().is_empty());
}

fn set((key, value): (&str, &str)) -> Override {
    Override { key: key.into(), value: value.into(), flag: format!("--set {key}") }
}
