//! Checkpoints: a killed run goes on to the bytes that it would have written, and what a checkpoint does not fit is said.

use crate::common::{NONNEGATIVE, Place, csv, spec_on, timeless, word};
use crate::naive::Grid;
use std::fs;
use std::time::{Duration, Instant};

/// Masked, nonnegative, noisy: a dozen outer iterations.
fn place() -> Place {
    let place = Place::new();
    let hash = |i: usize, j: usize, k: usize| (i * 7919 + j * 104_729 + k * 1_299_709 + i * j % 89 * 31) % 1009;
    let u = |i: usize, k: usize| hash(i, k, 1) as f64 / 1009.0;
    let y = Grid::from_fn(60, 40, |i, j| {
        let noise = hash(i, j, 7) as f64 / 1009.0;
        (0..6).map(|k| u(i, k) * u(j + 70, k)).sum::<f64>() + 0.3 * noise
    });
    let mut lines: Vec<Vec<String>> = csv(&y).lines().map(|l| l.split(',').map(Into::into).collect()).collect();
    for i in 0..60 {
        for j in (0..40).filter(|j| hash(i, *j, 3) % 3 == 0) {
            lines[i][j].clear();
        }
    }
    let text: Vec<String> = lines.iter().map(|l| l.join(",")).collect();
    place.write("Y.csv", text.join("\n"));
    let more = "[solver]\nthreads = 1\nmax_outer = 6\n[certificate]\neffort = \"cheap\"\n";
    place.write("spec.toml", spec_on("\"Y.csv\"", "{ relative = 0.01 }", "matrix", NONNEGATIVE, more));
    place
}

/// Solves into `run` with a checkpoint between any two iterations.
const SOLVE: [&str; 7] = ["solve", "spec.toml", "-q", "-o", "run", "--checkpoint", "1ms"];

fn resumed(place: &Place, more: &[&str]) -> crate::common::Outcome {
    let args: Vec<&str> = SOLVE.iter().chain(&["--resume"]).chain(more).copied().collect();
    place.run(&args)
}

/// Kills a run after `time`; whether it was still running.
fn killed(place: &Place, args: &[&str], time: Duration) -> bool {
    let mut child = place.start(args);
    std::thread::sleep(time);
    child.kill().unwrap();
    child.wait().unwrap().code().is_none()
}

/// Kills runs until one leaves a checkpoint and no folder.
fn killed_with_a_checkpoint(place: &Place) {
    for k in 1.. {
        assert!(k < 100, "no run was caught between its first iteration and its end");
        let _ = (fs::remove_dir_all(place.path("run")), fs::remove_file(place.path("run.checkpoint")));
        killed(place, &SOLVE, Duration::from_millis(20 * k));
        if place.path("run.checkpoint").exists() && !place.path("run").exists() {
            return;
        }
    }
}

#[test]
fn a_run_killed_at_any_moment_goes_on_to_the_same_bytes() {
    let place = place();
    let clock = Instant::now();
    let code = place.run(&SOLVE).code;
    let whole = clock.elapsed();
    assert!(code <= 1);
    let wanted = timeless(&place.tree("run"));
    let mut caught = 0;
    for k in 0..6 {
        fs::remove_dir_all(place.path("run")).unwrap();
        // now and then what goes on is killed too
        caught += usize::from(killed(&place, &SOLVE, whole.mul_f64((f64::from(k) + 0.5) / 6.0)));
        if k % 2 == 1 && !place.path("run").exists() {
            killed(&place, &[&SOLVE[..], &["--resume"]].concat(), whole.mul_f64(0.3));
        }
        if !place.path("run").exists() {
            resumed(&place, &[]).exits(code);
        }
        assert_eq!(timeless(&place.tree("run")), wanted, "killed at {k}");
        assert!(!place.path("run.checkpoint").exists());
    }
    assert!(caught > 0, "every run ended before it was killed");
}

#[test]
fn what_time_ended_goes_on_without_force() {
    let place = place();
    let limit = [&SOLVE[..], &["--time-limit", "1ms"]].concat();
    place.run(&limit).exits(1);
    assert!(place.path("run.checkpoint").exists());
    let log = place.run(&["solve", "spec.toml", "-o", "run", "--resume"]).says(&["resumed from run.checkpoint"]);
    assert!(log.code <= 1);
    assert!(!place.path("run.checkpoint").exists());
    let c: serde_json::Value = serde_json::from_str(&place.read("run/certificate.json")).unwrap();
    assert_ne!(word(&c, "/stopped_by"), "time");
    // and then there is nothing to go on from
    resumed(&place, &[]).exits(3).says(&["exists already"]);
    resumed(&place, &["--force"]).exits(log.code);
}

#[test]
fn a_checkpoint_that_does_not_fit_is_refused() {
    let place = place();
    killed_with_a_checkpoint(&place);
    let refused = |pieces: &[&str], more: &[&str]| {
        resumed(&place, more).exits(3).says(&["run.checkpoint: this checkpoint is"]).says(pieces);
        assert!(!place.path("run").exists());
    };
    refused(&["of another problem"], &["--lambda", "3.5"]);
    refused(&["of another problem"], &["--set", "solver.seed=7"]);
    let good = fs::read(place.path("run.checkpoint")).unwrap();
    for at in [100, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        place.write("run.checkpoint", &bad);
        refused(&["damaged", "starts anew"], &[]);
        place.write("run.checkpoint", &good[..at]);
        refused(&["damaged"], &[]);
    }
    place.write("run.checkpoint", "name = \"mine\"\n");
    refused(&["not a checkpoint of this version"], &[]);
    // limits may change, and what does not ask for it starts anew
    place.write("run.checkpoint", &good);
    let log = place.run(&["solve", "spec.toml", "-o", "new", "--resume"]).says(&["no checkpoint at new.checkpoint"]);
    let limited = ["--set", "solver.max_outer=5"];
    resumed(&place, &limited).exits(log.code);
}

#[test]
fn checkpoints_that_cannot_be_written_are_a_warning() {
    let place = place();
    fs::create_dir(place.path("run.checkpoint")).unwrap();
    let args = ["solve", "spec.toml", "-o", "run", "--checkpoint", "1ms"];
    let log = place.run(&args).says(&["warning: run.checkpoint: no checkpoint could be written"]);
    assert_eq!(log.stderr.matches("no checkpoint").count(), 1);
    assert!(log.code <= 1 && place.path("run/certificate.json").exists());
    let log = place.run(&["solve", "spec.toml", "-o", "other", "--checkpoint", "never"]);
    assert!(log.code <= 1 && !place.path("other.checkpoint").exists());
    place.run(&["solve", "spec.toml", "-o", "bad", "--checkpoint", "often"]).exits(2).says(&["never", "30s"]);
}
