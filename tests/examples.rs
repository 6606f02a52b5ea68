//! The examples of the library run, and end well.

#[path = "../examples/complete.rs"]
mod complete;
#[path = "../examples/judge.rs"]
mod judge;
#[path = "../examples/own_loss.rs"]
mod own_loss;

use std::error::Error;

type Example = fn() -> Result<(), Box<dyn Error>>;

const ALL: &[(&str, Example)] = &[("complete", complete::main), ("judge", judge::main), ("own_loss", own_loss::main)];

#[test]
fn every_example_runs() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path().file_stem().unwrap().to_str().unwrap().to_string())
        .collect();
    found.sort();
    assert_eq!(found, ALL.iter().map(|e| e.0).collect::<Vec<_>>());
    for (name, main) in ALL {
        main().unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}
