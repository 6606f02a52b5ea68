//! What a shell is given: completions, manual pages, and the script for a folder of specs.

use crate::common::*;
use clap::CommandFactory;
use homfac::cli::args::Cli;
use std::io::Write;
use std::process::{Command, Stdio};

/// Every command.
fn commands() -> Vec<String> {
    let names: Vec<String> = Cli::command().get_subcommands().map(|c| c.get_name().to_string()).collect();
    let help = Place::new().run(&["--help"]).exits(0).stdout;
    assert!(names.len() >= 8 && names.iter().all(|n| help.contains(&format!("\n  {n}"))), "{names:?}\n{help}");
    names
}

/// Runs a program on this input; `None` if the machine does not have it.
fn through(program: &str, args: &[&str], input: &str) -> Option<(bool, String)> {
    let child =
        Command::new(program).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.ok()?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    Some((out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned()))
}

#[test]
fn completions_of_bash_parse_and_know_commands_and_flags() {
    let script = Place::new().run(&["completions", "bash"]).exits(0).stdout;
    let (fine, said) = through("bash", &["-n"], &script).expect("bash");
    assert!(fine, "{said}");
    let (broken, _) = through("bash", &["-n"], &format!("{script}\nif")).expect("bash");
    assert!(!broken, "bash -n accepts anything");
    for command in commands() {
        assert!(script.contains(&format!("homfac,{command})")), "{command}");
    }
    // what a shell would offer
    let ask = |words: &str, current: usize| {
        let ask = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD={current}\n_homfac homfac \"${{COMP_WORDS[{current}]}}\" x\n\
             echo \"${{COMPREPLY[@]}}\""
        );
        through("bash", &[], &ask).expect("bash").1
    };
    assert_eq!(ask("homfac sol", 1).trim(), "solve");
    assert!(ask("homfac solve --time", 2).contains("--time-limit"));
}

#[test]
fn every_shell_has_completions_and_others_are_named() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.run(&["completions", shell]).exits(0).stdout;
        assert!(script.contains("no-progress") && script.contains("explain"), "{shell}");
    }
    place.run(&["completions", "csh"]).exits(2).says(&["csh", "bash", "fish"]);
}

#[test]
fn manual_pages_mention_every_command_and_flag() {
    let place = Place::new();
    let page = place.run(&["man"]).exits(0).stdout;
    for command in commands() {
        assert!(page.contains(&format!("homfac\\-{command}(1)")), "{command} is missing from\n{page}");
        let own = place.run(&["man", &command]).exits(0).stdout;
        assert!(own.contains(&format!(".TH homfac-{command} 1")), "{own}");
        let help = place.run(&[&command, "--help"]).exits(0).stdout;
        for flag in help.split_whitespace().filter(|w| w.starts_with("--") && w.len() > 2) {
            let flag = flag.trim_matches(|c: char| !c.is_alphanumeric() && c != '-');
            assert!(own.contains(&flag.replace('-', "\\-")), "{command} {flag}");
        }
        if let Some((fine, said)) = through("groff", &["-man", "-Tutf8", "-ww"], &own) {
            assert!(fine && !said.contains("warning"), "{said}");
        }
    }
    assert!(page.contains("Exit codes") && page.starts_with(".ie"), "{page}");
    place.run(&["man", "sovle"]).exits(2).says(&["unknown command `sovle`", "did you mean `solve`?"]);
}

#[test]
fn a_script_solves_a_folder_of_specs_and_prints_their_verdicts() {
    // what the script needs beyond a shell
    if through("jq", &["--version"], "").is_none() {
        return;
    }
    let place = Place::new();
    place.write("Y.csv", csv(&scattered(6, 5)));
    let on = |target: &str, more: &str| spec_on(target, "{ relative = 0.1 }", "matrix", NONNEGATIVE, more);
    place.write("specs/a.toml", on("\"../Y.csv\"", "[certificate]\ntarget_gap = 0.5"));
    place.write("specs/b with blanks.toml", on("\"../Y.csv\"", "[solver]\nmax_rank = 1"));
    place.write("specs/c.toml", on("\"../nothing.csv\"", ""));
    place.write("specs/notes.txt", "not a spec");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scripts/batch.sh");
    let run = |more: &[&str]| {
        let mut bash = Command::new("bash");
        bash.current_dir(place.path("")).env("HOMFAC", env!("CARGO_BIN_EXE_homfac")).arg(script).args(more);
        let out = bash.output().unwrap();
        (out.status.code(), String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap())
    };
    let (code, shown, said) = run(&["specs", "out", "2", "--set", "solver.seed=3"]);
    assert_eq!(code, Some(3), "{said}");
    let table = place.read("out/table.tsv");
    let rows: Vec<Vec<&str>> = table.lines().map(|l| l.split('\t').collect()).collect();
    assert_eq!(rows[0], ["name", "verdict", "objective", "gap", "exit"]);
    assert_eq!(rows.len(), 4, "{table}");
    for (row, code) in rows[1..3].iter().zip(["0", "1"]) {
        let certificate: serde_json::Value =
            serde_json::from_str(&place.read(&format!("out/{}/certificate.json", row[0]))).unwrap();
        assert_eq!((row[1], row[4]), (word(&certificate, "/verdict"), code), "{table}");
        close(row[2].parse().unwrap(), number(&certificate, "/objective/total"), 1e-15);
        close(row[3].parse().unwrap(), number(&certificate, "/gap/relative"), 1e-12);
        assert!(place.read(&format!("out/{}/spec.toml", row[0])).contains("seed = 3"));
        assert!(shown.contains(row[0]) && shown.contains(row[1]), "{shown}");
    }
    assert_eq!(rows[3], ["c", "error", "-", "-", "3"]);
    assert!(place.read("out/c.log").contains("nothing.csv: cannot be read"));
    // again, over what is there, without the one that fails
    std::fs::remove_file(place.path("specs/c.toml")).unwrap();
    assert_eq!(run(&["specs", "out"]).0, Some(1));
    assert_eq!(run(&["specs"]).0, Some(1));
}
