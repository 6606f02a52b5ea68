//! Checkpoints: a killed run goes on to the bytes that it would have written, and what a checkpoint does not fit is said.

use crate::common::{NONNEGATIVE, Place, csv, number, spec_on, timeless, word};
use crate::naive::Grid;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
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

/// A run that is killed at six moments goes on to the same bytes.
fn goes_on_to_the_same_bytes(place: &Place) {
    let clock = Instant::now();
    let code = place.run(&SOLVE).code;
    let whole = clock.elapsed();
    assert!(code <= 1);
    let wanted = timeless(&place.tree("run"));
    let mut caught = 0;
    for k in 0..6 {
        fs::remove_dir_all(place.path("run")).unwrap();
        // now and then what goes on is killed too
        caught += usize::from(killed(place, &SOLVE, whole.mul_f64((f64::from(k) + 0.5) / 6.0)));
        if k % 2 == 1 && !place.path("run").exists() {
            killed(place, &[&SOLVE[..], &["--resume"]].concat(), whole.mul_f64(0.3));
        }
        // one that was killed between its last two steps leaves its checkpoint beside the folder
        if !place.path("run").exists() {
            resumed(place, &[]).exits(code);
            assert!(!place.path("run.checkpoint").exists());
        }
        assert_eq!(timeless(&place.tree("run")), wanted, "killed at {k}");
    }
    assert!(caught > 0, "every run ended before it was killed");
}

#[test]
fn a_run_killed_at_any_moment_goes_on_to_the_same_bytes() {
    goes_on_to_the_same_bytes(&place());
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
    let c: Value = serde_json::from_str(&place.read("run/certificate.json")).unwrap();
    assert_ne!(word(&c, "/stopped_by"), "time");
    // and then there is nothing to go on from
    resumed(&place, &[]).exits(3).says(&["exists already"]);
    resumed(&place, &["--force"]).exits(log.code);
}

/// A network on `inputs` inputs, with noise: its point is found soon, its proof takes long.
fn network(inputs: usize, samples: usize, more: &str) -> Place {
    let place = Place::new();
    let hash = |i: usize, j: usize| ((i * 7919 + j * 104_729 + i * j % 89 * 31) % 1009) as f64 / 504.5 - 1.0;
    let v = Grid::from_fn(samples, inputs, |i, j| hash(i + 3, j + 1));
    let unit = |i: usize, k: usize| (0..inputs).map(|j| v.at(i, j) * hash(k + 50, j)).sum::<f64>().max(0.0);
    let y = Grid::from_fn(samples, 1, |i, _| unit(i, 0) - unit(i, 1) + 0.5 * hash(i, 77));
    place.write("V.csv", csv(&v));
    place.write("Y.csv", csv(&y));
    let more = format!("input = \"V.csv\"\n[solver]\nthreads = 1\n{more}");
    place.write("spec.toml", spec_on("\"Y.csv\"", "{ relative = 0.1 }", "relu", "{ norm = \"l2\" }", &more));
    place
}

#[test]
fn a_proof_that_time_ended_goes_on_from_its_cells() {
    let place = network(9, 40, "[certificate]\ntime_limit = \"2s\"\n");
    let log = place.run(&["solve", "spec.toml", "-o", "run"]).exits(1);
    log.says(&["the time limit", "time ended the search in dimension 9 at", "--resume goes on from"]);
    let ended = |name: &str| -> Value { serde_json::from_str(&place.read(name)).unwrap() };
    let first = ended("run/certificate.json");
    assert_eq!(word(&first, "/stopped_by"), "time");
    let cells = first.pointer("/polar/ended/cells").unwrap().as_u64().unwrap();
    assert!(cells > 1 && first.pointer("/polar/ended/dimension").unwrap() == 9, "{first}");
    let text = fs::read(place.path("run.checkpoint")).unwrap();
    let factors = place.tree("run/factors");

    let resume = ["solve", "spec.toml", "-o", "run", "--resume", "--set", "certificate.time_limit=\"6s\""];
    place
        .run(&resume)
        .exits(1)
        .says(&["resumed from run.checkpoint", &format!("the bound goes on from {cells} cells")]);
    let second = ended("run/certificate.json");
    assert_eq!(place.tree("run/factors"), factors);
    assert!(number(&second, "/lower_bound") > number(&first, "/lower_bound"), "{first} {second}");
    assert!(second.pointer("/polar/ended/cells").unwrap().as_u64().unwrap() > cells);
    place.run(&["check", "run"]).exits(1);

    // without time nothing is claimed of cells that were not bounded anew
    place.write("run.checkpoint", text);
    let none = ["solve", "spec.toml", "-o", "run", "--resume", "--set", "certificate.time_limit=\"1ms\""];
    place.run(&none).exits(1);
    let third = ended("run/certificate.json");
    assert!(number(&third, "/lower_bound") <= number(&first, "/lower_bound"), "{first} {third}");
    assert!(third.pointer("/polar/ended/cells").unwrap() == cells, "{third}");
}

#[test]
fn a_network_killed_at_any_moment_goes_on_to_the_same_bytes() {
    goes_on_to_the_same_bytes(&network(4, 60, "max_outer = 8\n[certificate]\neffort = \"cheap\"\n"));
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

/// Hidden siblings that runs have begun, but for checkpoints, which come and go.
fn begun(place: &Place) -> Vec<String> {
    let names = fs::read_dir(place.path(".")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|n| n.contains(".partial-") && !n.contains(".checkpoint.")).collect()
}

/// Starts a run and waits until it has begun to write.
fn started(place: &Place, args: &[&str]) -> std::process::Child {
    let child = place.start(args);
    let clock = Instant::now();
    while begun(place).is_empty() {
        assert!(clock.elapsed().as_secs() < 30, "the run has not begun");
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

#[test]
fn what_is_solved_is_proven_without_solving_again() {
    let place = place();
    let code = place.run(&[&SOLVE[..], &["--set", "solver.max_outer=1000"]].concat()).code;
    let wanted = timeless(&place.tree("run"));
    fs::remove_dir_all(place.path("run")).unwrap();
    // what appears meanwhile is not replaced: all is done but the last step
    let mut child = started(&place, &[&SOLVE[..], &["--set", "solver.max_outer=1000"]].concat());
    place.write("run/mine.txt", "mine");
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(begun(&place).is_empty());
    fs::remove_dir_all(place.path("run")).unwrap();
    // one more iteration than there were would be told from none
    let left = fs::read(place.path("run.checkpoint")).unwrap();
    resumed(&place, &["--set", "solver.max_outer=1000"]).exits(code);
    assert_eq!(timeless(&place.tree("run")), wanted);
    assert!(!place.path("run.checkpoint").exists());
    // whatever the limits of solving are by now: it is over
    fs::remove_dir_all(place.path("run")).unwrap();
    place.write("run.checkpoint", left);
    resumed(&place, &["--set", "solver.max_outer=1"]).exits(code);
    let trace = |files: &std::collections::BTreeMap<_, Vec<u8>>| files[std::path::Path::new("trace.csv")].clone();
    assert_eq!(trace(&timeless(&place.tree("run"))), trace(&wanted));
}

#[test]
fn what_a_killed_run_has_begun_is_removed_by_the_next() {
    let place = place();
    let mut child = started(&place, &SOLVE);
    // while it lives nobody else writes there
    place.run(&SOLVE).exits(3).says(&["run: another homfac is writing this now", "`-o` writes elsewhere"]);
    assert_eq!(begun(&place).len(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(begun(&place).len(), 1);
    assert!(place.run(&SOLVE).code <= 1);
    assert!(begun(&place).is_empty());
    // the same with a file
    let hidden = begun_name(&place);
    place.write(&hidden.replace(".run.", ".all.csv."), "half a");
    place.run(&["predict", "run", "--complete", "-o", "all.csv"]).exits(0);
    assert!(begun(&place).is_empty());
}

/// The name under which `run` would be begun.
fn begun_name(place: &Place) -> String {
    let mut child = started(place, &[&SOLVE[..], &["--force"]].concat());
    let name = begun(place).remove(0);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(place.run(&[&SOLVE[..], &["--force"]].concat()).code <= 1);
    name
}

#[test]
fn of_many_runs_at_one_folder_one_writes_it() {
    let place = place();
    let many: Vec<_> = (0..4).map(|_| place.start(&[&SOLVE[..], &["--lambda", "5"]].concat())).collect();
    let codes: Vec<_> = many.into_iter().map(|mut c| c.wait().unwrap().code().unwrap()).collect();
    assert_eq!(codes.iter().filter(|c| **c <= 1).count(), 1, "{codes:?}");
    assert!(codes.iter().all(|c| *c <= 1 || *c == 3));
    assert!(begun(&place).is_empty() && place.path("run/certificate.json").exists());
}

/// A path with a checkpoint between any two points.
const PATH: [&str; 13] = [
    "path",
    "spec.toml",
    "-q",
    "-o",
    "run",
    "--points",
    "5",
    "--smallest",
    "0.2",
    "--folds",
    "2",
    "--checkpoint",
    "1ms",
];

#[test]
fn a_path_killed_at_any_moment_goes_on_to_the_same_bytes() {
    for more in [&[][..], &["--choose", "1se", "--prove-all"]] {
        let place = place();
        let args = [&PATH[..], more].concat();
        let clock = Instant::now();
        let code = place.run(&args).code;
        let whole = clock.elapsed();
        assert!(code <= 1);
        // seconds stand in the table and in the picture of the path
        let wanted = timeless(&place.tree("run"));
        let mut caught = 0;
        for k in 0..6 {
            fs::remove_dir_all(place.path("run")).unwrap();
            killed(&place, &args, whole.mul_f64((f64::from(k) + 0.5) / 6.0));
            // now and then what goes on is killed too
            if k % 2 == 1 && !place.path("run").exists() {
                killed(&place, &[&args[..], &["--resume"]].concat(), whole.mul_f64(0.2));
            }
            caught += usize::from(place.path("run.checkpoint").exists());
            // one that was killed between its last two steps leaves its checkpoint beside the folder
            if !place.path("run").exists() {
                place.run(&[&args[..], &["--resume"]].concat()).exits(code);
                assert!(!place.path("run.checkpoint").exists() && begun(&place).is_empty());
            }
            assert_eq!(timeless(&place.tree("run")), wanted, "killed at {k}");
        }
        assert!(caught > 0, "no path was caught between two points");
    }
}

#[test]
fn a_path_killed_again_and_again_ends_with_the_same_bytes() {
    let place = place();
    let args = [&PATH[..13], &["--folds", "5"]].concat();
    let args: Vec<&str> = args.iter().enumerate().filter(|(k, _)| !(9..11).contains(k)).map(|(_, a)| *a).collect();
    let clock = Instant::now();
    let code = place.run(&args).code;
    let whole = clock.elapsed();
    let wanted = timeless(&place.tree("run"));
    for first in [0.05, 0.1, 0.2] {
        fs::remove_dir_all(place.path("run")).unwrap();
        let mut slice = whole.mul_f64(first);
        killed(&place, &args, slice);
        // longer and longer, so that it comes to an end
        while !place.path("run").exists() {
            killed(&place, &[&args[..], &["--resume"]].concat(), slice);
            slice = slice.mul_f64(1.05);
        }
        assert!(code <= 1);
        assert_eq!(timeless(&place.tree("run")), wanted, "killed every {first}");
        let _ = fs::remove_file(place.path("run.checkpoint"));
    }
}

/// A row of the table in the checkpoint of a path: its certificate, the mean and the error of its folds, seconds.
type Row = (String, Option<(f64, f64)>, f64);

/// The checkpoint of a path with its rows changed, under a digest that is right.
fn forged(checkpoint: &[u8], change: impl FnOnce(&mut Vec<Row>)) -> Vec<u8> {
    let head = checkpoint.iter().position(|b| *b == b'\n').unwrap() + 1;
    let ((of, mut rows), rest): ((String, Vec<Row>), _) = postcard::take_from_bytes(&checkpoint[head + 64..]).unwrap();
    change(&mut rows);
    let body = [&postcard::to_stdvec(&(of, rows)).unwrap(), rest].concat();
    let digest: String = Sha256::digest(&body).iter().map(|b| format!("{b:02x}")).collect();
    [&checkpoint[..head], digest.as_bytes(), &body].concat()
}

/// The same with one certificate changed.
fn claiming(checkpoint: &[u8], row: usize, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    forged(checkpoint, |rows| {
        let mut document = serde_json::from_str(&rows[row].0).unwrap();
        change(&mut document);
        rows[row].0 = document.to_string();
    })
}

/// What a path leaves that is done but for its last step: a folder that appears meanwhile is not replaced.
fn all_but_written(place: &Place, args: &[&str]) -> Vec<u8> {
    let mut child = started(place, args);
    place.write("run/mine.txt", "mine");
    assert_eq!(child.wait().unwrap().code(), Some(3));
    fs::remove_dir_all(place.path("run")).unwrap();
    fs::read(place.path("run.checkpoint")).unwrap()
}

#[test]
fn rows_of_a_path_that_cannot_be_are_refused() {
    let place = place();
    let checkpoint = all_but_written(&place, &PATH);
    let refused = |forged: Vec<u8>, says: &str| {
        place.write("run.checkpoint", forged);
        let out = place.run(&[&PATH[..], &["--resume"]].concat()).exits(3);
        out.says(&["run.checkpoint: this checkpoint is of a path", says, "without `--resume` solving starts anew"]);
        assert!(!place.path("run").exists());
    };
    let contradiction = "its numbers contradict each other, the grid or the data";
    let up = |by: f64, at: &'static str| move |d: &mut Value| *d.pointer_mut(at).unwrap() = (by * number(d, at)).into();
    for row in [0, 2] {
        refused(claiming(&checkpoint, row, up(1.5, "/lower_bound")), contradiction);
        refused(claiming(&checkpoint, row, up(0.5, "/objective/total")), contradiction);
        refused(claiming(&checkpoint, row, up(0.5, "/gap/relative")), contradiction);
        refused(claiming(&checkpoint, row, up(1.0 + 1e-12, "/lambda")), contradiction);
        refused(claiming(&checkpoint, row, up(2.0, "/lambda_max/found")), contradiction);
        refused(claiming(&checkpoint, row, |d| d["target_gap"] = 0.5.into()), contradiction);
        let other = |d: &Value| if d["verdict"] == "global" { "within" } else { "global" };
        refused(claiming(&checkpoint, row, |d| d["verdict"] = other(d).into()), contradiction);
        refused(claiming(&checkpoint, row, |d| d["holdout"] = json!({"entries": 9, "loss": 0.1})), contradiction);
        refused(claiming(&checkpoint, row, |d| d["objective"] = Value::Null), "a row that is no certificate");
        refused(forged(&checkpoint, |rows| rows[row].1 = None), contradiction);
        refused(forged(&checkpoint, |rows| rows[row].1 = Some((0.1, -0.1))), contradiction);
        refused(forged(&checkpoint, |rows| rows[row].2 = f64::NAN), contradiction);
    }
    // one point is kept; another that is better than it is not at hand
    let better = |k: usize| forged(&checkpoint, |rows| rows[k].1 = Some((0.0, 0.0)));
    refused(better(0), "without the point that it would choose");
}

/// A row whose numbers go together, and are false, gave way to no proof where its point was kept but not chosen.
#[test]
fn points_that_a_path_keeps_are_proven_again() {
    let place = place();
    let args = [&PATH[..], &["--choose", "1se"]].concat();
    let code = place.run(&args).code;
    let wanted = timeless(&place.tree("run"));
    fs::remove_dir_all(place.path("run")).unwrap();
    let mut checkpoint = all_but_written(&place, &args);
    for row in 0..5 {
        checkpoint = claiming(&checkpoint, row, |d| {
            d["lower_bound"] = d["objective"]["total"].clone();
            d["gap"] = json!({"absolute": 0.0, "relative": 0.0});
            d["verdict"] = "global".into();
        });
    }
    place.write("run.checkpoint", checkpoint);
    place.run(&[&args[..], &["--resume"]].concat()).exits(code);
    assert_eq!(timeless(&place.tree("run")), wanted);
}

#[test]
fn the_point_that_a_path_chose_is_proven_without_solving_again() {
    let place = place();
    let code = place.run(&PATH).code;
    let wanted = timeless(&place.tree("run"));
    fs::remove_dir_all(place.path("run")).unwrap();
    let left = all_but_written(&place, &PATH);
    // limits of solving may change meanwhile: it is over
    for more in [&[][..], &["--set", "solver.max_outer=1"]] {
        let _ = fs::remove_dir_all(place.path("run"));
        place.write("run.checkpoint", &left);
        place.run(&[&PATH[..], &["--resume"], more].concat()).exits(code);
        let found = timeless(&place.tree("run"));
        for file in ["trace.csv", "factors/X1.npy", "factors/X2.npy"].map(std::path::Path::new) {
            assert!(found.contains_key(file) && found[file] == wanted[file], "{}", file.display());
        }
    }
}

#[test]
fn a_path_out_of_time_goes_on_from_its_points() {
    let place = place();
    let mut reached = 0;
    // by small steps: some limit falls between two points of the path, however fast the machine is
    for k in 0..80 {
        let _ = (fs::remove_dir_all(place.path("run")), fs::remove_file(place.path("run.checkpoint")));
        let limit = format!("{}ms", (10.0 * 1.1f64.powi(k)) as u32);
        place.run(&[&PATH[..], &["--time-limit", &limit]].concat());
        reached = place.read("run/path.csv").lines().count() - 1;
        if reached > 1 && place.path("run.checkpoint").exists() {
            break;
        }
    }
    assert!((2..=5).contains(&reached), "{reached}");
    // of another grid it is none
    let other = ["path", "spec.toml", "-o", "run", "--points", "6", "--resume"];
    place.run(&other).exits(3).says(&["of another problem"]);
    place.run(&["solve", "spec.toml", "-o", "run", "--resume"]).exits(3).says(&["of another problem"]);
    let args: Vec<&str> = PATH.iter().filter(|a| **a != "-q").chain(&["--resume"]).copied().collect();
    let log = place.run(&args).says(&["resumed from run.checkpoint"]);
    assert!(log.code <= 1 && !place.path("run.checkpoint").exists());
    assert_eq!(place.read("run/path.csv").lines().count(), 6);
}
