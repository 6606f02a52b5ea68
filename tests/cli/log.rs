//! The log on standard error: as JSON for programs, with a bar on a terminal.

use crate::common::*;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

/// A folder with a spec that takes a few iterations.
fn place() -> Place {
    let place = Place::new();
    place.write("Y.csv", csv(&scattered(12, 9)));
    place.write("spec.toml", spec("{ relative = 0.1 }", "matrix", NONNEGATIVE, "[certificate]\ntarget_gap = 0.2"));
    place
}

fn events(stderr: &str) -> Vec<Value> {
    stderr.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e} in {l}"))).collect()
}

fn of<'a>(all: &'a [Value], event: &str) -> Vec<&'a Value> {
    all.iter().filter(|e| e["event"] == event).collect()
}

#[test]
fn every_line_of_a_json_log_is_an_object_that_agrees_with_the_files() {
    let place = place();
    let out = place.run(&["solve", "spec.toml", "-o", "run", "--log-format", "json", "--json", "-v"]).exits(0);
    let (all, certificate) = (events(&out.stderr), out.json());
    assert!(
        all.iter().all(|e| e["level"].is_string() && (e["event"].is_string() || e["message"].is_string())),
        "{all:?}"
    );
    let head = of(&all, "head");
    assert!(
        head.iter().any(|e| e["label"] == "problem" && e["message"].as_str().unwrap().contains("12 x 9")),
        "{head:?}"
    );
    let rows: Vec<Vec<String>> =
        place.read("run/trace.csv").lines().skip(1).map(|l| l.split(',').map(Into::into).collect()).collect();
    let iterations = of(&all, "iteration");
    assert!(iterations.len() > 1 && iterations.len() == rows.len());
    for (event, row) in iterations.iter().zip(&rows) {
        assert_eq!(number(event, "/objective"), row[2].parse::<f64>().unwrap());
        assert_eq!(event["gap"].as_f64(), row[4].parse().ok());
        assert_eq!(word(event, "/step"), row[6]);
    }
    let [verdict] = of(&all, "verdict")[..] else { panic!("{all:?}") };
    assert_eq!(verdict["objective"], certificate["objective"]["total"]);
    assert_eq!(verdict["gap"], certificate["gap"]["relative"]);
    assert_eq!(verdict["verdict"], certificate["verdict"]);
    assert_eq!(word(verdict, "/written_to"), "run");
    assert_eq!(of(&all, "condition").len(), certificate["conditions"].as_array().unwrap().len());
    let checked = place.run(&["check", "run", "--log-format", "json"]).exits(0);
    assert_eq!(of(&events(&checked.stderr), "verdict").len(), 1);
}

#[test]
fn errors_and_warnings_are_json_too_and_quiet_is_quiet() {
    let place = place();
    let out = place.run(&["solve", "spec.toml", "-o", "run", "--log-format", "json", "-q"]).exits(0);
    assert_eq!(out.stderr, "");
    place.write("run/certificate.json", "{}");
    let out = place.run(&["check", "run", "--log-format", "json"]).exits(0);
    let warned = events(&out.stderr);
    assert!(
        warned.iter().any(|e| e["level"] == "WARN" && e["message"].as_str().unwrap().contains("no digests")),
        "{warned:?}"
    );
    place.write("Y.csv", "1,2\n3,x\n");
    let out = place.run(&["solve", "spec.toml", "-o", "other", "--log-format", "json"]).exits(3);
    let [error] = &events(&out.stderr)[..] else { panic!("{}", out.stderr) };
    assert_eq!((word(error, "/level"), word(error, "/event")), ("ERROR", "error"));
    assert!(word(error, "/message").contains("expected a number, found `x`\n  in `data.target`"), "{error}");
    place.run(&["solve", "spec.toml", "--log-format", "yaml"]).exits(2).says(&["yaml", "text, json"]);
}

/// What a terminal sees of standard error.
fn on_a_terminal(place: &Place, args: &[&str]) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let other_end = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_homfac"))
        .current_dir(place.path(""))
        .args(args)
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(other_end)
        .spawn()
        .unwrap();
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    let mut terminal = File::from(terminal);
    // the end is an error: nobody has the other end open
    while let Ok(count @ 1..) = terminal.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..count]);
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    String::from_utf8_lossy(&seen).into_owned()
}

#[test]
fn a_terminal_shows_a_bar_with_the_gap_unless_told_otherwise() {
    let place = place();
    let seen = on_a_terminal(&place, &["solve", "spec.toml", "-o", "run"]);
    assert!(seen.contains('\x1b') && seen.contains("] gap ") && seen.contains(" of 2e-1"), "{seen:?}");
    assert!(seen.contains("verdict        "), "{seen:?}");
    for flags in [&["--no-progress"][..], &["-q"], &["--log-format", "json"]] {
        let args = [&["solve", "spec.toml", "-o", "run", "--force"], flags].concat();
        let seen = on_a_terminal(&place, &args);
        assert!(!seen.contains('\x1b') && !seen.contains("] gap "), "{flags:?}: {seen:?}");
    }
    let piped = place.run(&["solve", "spec.toml", "-o", "run", "--force"]).exits(0).stderr;
    assert!(!piped.contains('\x1b'), "{piped:?}");
}
