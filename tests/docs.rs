//! The documents keep up with the registries, and every spec that is shown can be read.

use homfac::solve::descent;
use homfac::{cone, extra, gauge, loss, mapping, spec};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Names whose row is not in the text.
fn missing_rows(text: &str, rows: &[(&'static str, &'static str)]) -> Vec<&'static str> {
    rows.iter().filter(|(name, what)| !text.contains(&format!("| `{name}` | {what} |"))).map(|r| r.0).collect()
}

#[test]
fn every_registered_name_has_its_row_in_the_reference() {
    let text = std::fs::read_to_string(root().join("docs/spec.md")).unwrap();
    let mut rows: Vec<(&str, &str)> = Vec::new();
    rows.extend(loss::KINDS.iter().map(|k| (k.name, k.summary)));
    rows.extend(gauge::KINDS.iter().map(|k| (k.name, k.summary)));
    rows.extend(cone::KINDS.iter().map(|k| (k.name, k.summary)));
    rows.extend(extra::KINDS.iter().map(|k| (k.name, k.summary)));
    rows.extend(mapping::KINDS.iter().map(|k| (k.name, k.summary)));
    rows.extend(descent::STRATEGIES.iter().map(|s| (s.name(), s.summary())));
    assert_eq!(missing_rows(&text, &rows), Vec::<&str>::new());
    assert_eq!(missing_rows(&text, &[("l12", "no such norm")]), ["l12"]);
}

#[test]
fn every_spec_in_the_repository_and_in_the_reference_is_accepted() {
    let parse = |text: &str, file: &Path| spec::parse(text, file, &[]).unwrap_or_else(|e| panic!("{e}"));
    let mut count = 0;
    for entry in std::fs::read_dir(root().join("specs")).unwrap() {
        let path = entry.unwrap().path();
        parse(&std::fs::read_to_string(&path).unwrap(), &path);
        count += 1;
    }
    assert!(count >= 4);
    let text = std::fs::read_to_string(root().join("docs/spec.md")).unwrap();
    let shown = text.split("```toml\n").nth(1).and_then(|t| t.split("```").next()).expect("a spec in the reference");
    parse(shown, Path::new("reference.toml"));
}
