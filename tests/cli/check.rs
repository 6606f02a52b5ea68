//! `homfac check`: a run or anybody's factors, proven again or refuted from the data alone.

use crate::common::*;
use crate::naive::{self, Grid, npy_bytes, npz_bytes};
use serde_json::Value;
use std::fs;

/// A solved run of a 6 x 5 table in `run`, its certificate.
fn solved(factors: &str) -> (Place, Value) {
    let place = Place::new();
    place.write("Y.csv", csv(&scattered(6, 5)));
    let c = place.solve(&spec("0.3", "matrix", factors, "[certificate]\ntarget_gap = 1e-6"), "run", &[], 0);
    (place, c)
}

/// `check run` prints this JSON and writes nothing.
#[track_caller]
fn check(place: &Place, more: &[&str], code: i32) -> Value {
    let before = place.tree("");
    let args: Vec<&str> = ["check", "run", "--json", "-q"].into_iter().chain(more.iter().copied()).collect();
    let out = place.run(&args).exits(code);
    assert_eq!(out.stderr, "");
    assert_eq!(place.tree(""), before, "check writes only where -o says");
    out.json()
}

#[test]
fn a_run_folder_is_proven_again() {
    for factors in [L2L2, NONNEGATIVE, "{ norm = \"l1\" }, { norm = \"l2\" }", "{ norm = \"linf\" }, { norm = \"l2\" }"]
    {
        let (place, c) = solved(factors);
        let again = check(&place, &[], 0);
        assert_eq!(again["objective"], c["objective"]);
        assert_eq!(again["verdict"], c["verdict"]);
        assert_eq!(word(&again, "/stopped_by"), "check");
        for key in ["sha256", "shape", "observed"] {
            assert_eq!(again["data"][0][key], c["data"][0][key]);
        }
        assert!(number(&again, "/lower_bound") >= number(&c, "/lower_bound") * (1.0 - 1e-12));
    }
}

#[test]
fn claims_are_not_believed() {
    let (place, c) = solved(L2L2);
    let honest = check(&place, &[], 0);
    let mut empty = c.clone();
    for key in ["verdict", "objective", "lower_bound", "gap", "bound", "polar", "conditions", "rank", "time"] {
        empty[key] = Value::Null;
    }
    place.write("run/certificate.json", empty.to_string());
    let mut again = check(&place, &[], 0);
    again["time"] = honest["time"].clone();
    assert_eq!(again, honest);
    // nor are false ones
    empty["lower_bound"] = 1e9.into();
    empty["verdict"] = "refuted".into();
    place.write("run/certificate.json", empty.to_string());
    let mut again = check(&place, &[], 0);
    again["time"] = honest["time"].clone();
    assert_eq!(again, honest);
}

#[test]
fn a_run_with_a_slice_taken_away_is_refuted_with_a_slice_at_hand() {
    for factors in [L2L2, NONNEGATIVE, "{ norm = \"l1\" }, { norm = \"linf\" }"] {
        let (place, c) = solved(factors);
        for k in 1..=2 {
            place.drop_columns(&format!("run/factors/X{k}.npy"), &[0]);
        }
        let worse = check(&place, &[], 1);
        assert_eq!(word(&worse, "/verdict"), "refuted");
        assert!(number(&worse, "/objective/total") > number(&c, "/objective/total"));
        assert!(number(&worse, "/polar/lower") > 1.0);
        assert!(number(&worse, "/lower_bound") <= number(&c, "/objective/total"));
        let out = place.run(&["check", "run"]).exits(1);
        assert_eq!(out.stdout, "");
        out.says(&["refuted: a slice is at hand that lowers the objective"]);
        // under -o the whole folder is written; verify_run appends the slice and measures the decrease
        place.run(&["check", "run", "-q", "-o", "judged"]).exits(1);
        assert!(place.path("judged/refutation/X2.npy").exists());
        verify_run(&place.path("judged"), 1);
        place.run(&["check", "run", "-o", "judged"]).exits(3).says(&["judged: exists already"]);
        place.run(&["check", "run", "-q", "-o", "judged", "--force"]).exits(1);
    }
}

#[test]
fn a_tampered_dual_point_never_raises_the_bound_above_the_optimum() {
    for factors in [L2L2, NONNEGATIVE, "{ norm = \"linf\" }, { norm = \"l2\" }"] {
        let (place, c) = solved(factors);
        let (optimum, honest) = (number(&c, "/objective/total"), number(&c, "/lower_bound"));
        let arrays = naive::read_npz_all(&fs::read(place.path("run/dual.npz")).unwrap());
        let (name, values) = &arrays[0];
        let forge = |name: &str, values: &[f64]| {
            let column = Grid::from_fn(values.len(), 1, |i, _| values[i]);
            place.write("run/dual.npz", npz_bytes(&[(name, &column)]));
        };
        let forged: Vec<(String, Vec<f64>)> = vec![
            (name.clone(), values.iter().map(|z| 2.0 * z).collect()),
            (name.clone(), values.iter().map(|z| -z).collect()),
            (name.clone(), values.iter().map(|z| 1e300 * z).collect()),
            (name.clone(), values.iter().enumerate().map(|(k, z)| if k == 3 { f64::NAN } else { *z }).collect()),
            (name.clone(), values.iter().enumerate().map(|(k, z)| if k == 3 { f64::INFINITY } else { *z }).collect()),
            (name.clone(), values[1..].to_vec()),
            (name.clone(), [values.as_slice(), &[1.0]].concat()),
            (name.clone(), Vec::new()),
            ("majorant".into(), values.iter().map(|z| z + 1.0).collect()),
            ("z".into(), values.iter().map(|z| z + 1.0).collect()),
            ("mystery".into(), values.clone()),
        ];
        for (name, values) in forged {
            forge(&name, &values);
            let again = check(&place, &[], 0);
            assert_eq!(again["objective"], c["objective"]);
            let bound = number(&again, "/lower_bound");
            assert!(bound <= optimum, "{bound} > {optimum}");
            assert!(bound >= honest * (1.0 - 1e-5), "the other points still prove about as much: {bound}, {honest}");
        }
        // without one the check stands on its own points
        fs::remove_file(place.path("run/dual.npz")).unwrap();
        check(&place, &[], 0);
        // a file that is no archive is an error of the file
        place.write("run/dual.npz", "junk");
        place.run(&["check", "run"]).exits(3).says(&["run/dual.npz: not a valid NPZ file"]);
    }
}

#[test]
fn a_tampered_lift_never_raises_the_bound_above_the_optimum() {
    let place = Place::new();
    place.write("Y.csv", csv(&noise(8, 8)));
    place.write("spec.toml", spec("{ relative = 0.3 }", "matrix", NONNEGATIVE, ""));
    let code = place.run(&["solve", "spec.toml", "-q", "-o", "run"]).code;
    let c = verify_run(&place.path("run"), code);
    let arrays = naive::read_npz_all(&fs::read(place.path("run/dual.npz")).unwrap());
    assert_eq!(arrays.iter().map(|a| a.0.as_str()).collect::<Vec<_>>(), ["lift", "lift_u", "lift_v"]);
    let changes: [&dyn Fn(usize, f64) -> f64; 6] = [
        &|_, x| 2.0 * x,
        &|_, x| -x,
        &|_, x| 1e300 * x,
        &|k, x| if k == 3 { f64::NAN } else { x },
        &|k, x| if k == 3 { -1e6 } else { x },
        &|k, x| if k == 3 { 1e6 } else { x },
    ];
    for forged in 0..3 {
        for change in changes {
            let grids: Vec<Grid> = arrays
                .iter()
                .enumerate()
                .map(|(a, (_, x))| Grid::from_fn(x.len(), 1, |k, _| if a == forged { change(k, x[k]) } else { x[k] }))
                .collect();
            let named: Vec<(&str, &Grid)> = arrays.iter().map(|a| a.0.as_str()).zip(&grids).collect();
            place.write("run/dual.npz", npz_bytes(&named));
            let again = check(&place, &[], code);
            assert_eq!(again["objective"], c["objective"]);
            assert!(number(&again, "/lower_bound") <= number(&c, "/objective/total"));
        }
    }
    // two of three
    for kept in [&arrays[..2], &arrays[1..]] {
        let grids: Vec<Grid> = kept.iter().map(|a| Grid::from_fn(a.1.len(), 1, |k, _| a.1[k])).collect();
        let named: Vec<(&str, &Grid)> = kept.iter().map(|a| a.0.as_str()).zip(&grids).collect();
        place.write("run/dual.npz", npz_bytes(&named));
        check(&place, &[], code);
    }
}

#[test]
fn a_good_witness_is_used() {
    let (place, _) = solved("{ norm = \"linf\" }, { norm = \"l2\" }");
    // far from the optimum, the saved point is the better one
    for k in 1..=2 {
        place.drop_columns(&format!("run/factors/X{k}.npy"), &[0, 1]);
    }
    let with = check(&place, &[], 1);
    assert_eq!(word(&with, "/bound/source"), "witness");
    fs::remove_file(place.path("run/dual.npz")).unwrap();
    let without = check(&place, &[], 1);
    assert!(number(&without, "/lower_bound") < number(&with, "/lower_bound"));
}

#[test]
fn changed_data_is_noticed_by_its_digest() {
    let (place, _) = solved(L2L2);
    place.write("Y.csv", place.read("Y.csv") + "\n");
    let out = place.run(&["check", "run", "--json"]).exits(3);
    assert_eq!(out.stdout, "");
    let digest = |text: &str| place.read("run/certificate.json").contains(text);
    let recorded = out.stderr.rsplit("the run has ").next().unwrap().trim().to_string();
    assert!(recorded.len() == 64 && digest(&recorded), "{}", out.stderr);
    out.says(&["Y.csv: the data changed since the run was written: SHA-256 is "]);
}

#[test]
fn factors_of_any_tool_are_certified() {
    let (place, c) = solved(L2L2);
    let read = |k: usize| naive::read_npy(&fs::read(place.path(&format!("run/factors/X{k}.npy"))).unwrap());
    let (u, v) = (read(1), read(2));
    place.write("U.npy", npy_bytes(&u));
    place.write("V.csv", csv(&v));
    place.write("both.npz", npz_bytes(&[("X2", &v), ("X1", &u)]));
    place.write("named.npz", npz_bytes(&[("left", &u), ("right", &v)]));
    place.write("Ut.npy", npy_bytes(&u.transposed()));
    place.write("Vt.csv", csv(&v.transposed()));
    let ways: [&[&str]; 6] = [
        &["run/factors/X1.npy", "run/factors/X2.npy"],
        &["U.npy", "V.csv"],
        &["both.npz"],
        &["named.npz"],
        &["Ut.npy", "V.csv", "--transpose", "1"],
        &["Ut.npy", "Vt.csv", "--transpose", "1", "--transpose", "2"],
    ];
    for files in ways {
        let before = place.tree("");
        let args = ["check", "--spec", "spec.toml", "--json", "-q", "--factors"];
        let args: Vec<&str> = args.into_iter().chain(files.iter().copied()).collect();
        let again = place.run(&args).exits(0).json();
        assert_eq!(again["objective"], c["objective"], "{files:?}");
        assert_eq!(word(&again, "/verdict"), "global");
        assert_eq!(place.tree(""), before);
    }
    let args = ["check", "--spec", "spec.toml", "-q", "-o", "judged", "--factors", "U.npy", "V.csv"];
    place.run(&args).exits(0);
    verify_run(&place.path("judged"), 0);
    // --lambda and --set judge the same factors as an answer to another question
    let args = ["check", "--spec", "spec.toml", "--json", "-q", "--lambda", "0.1", "--factors", "U.npy", "V.csv"];
    assert_eq!(word(&place.run(&args).exits(1).json(), "/verdict"), "refuted");
}

#[test]
fn unbalanced_factors_count_by_the_form_named() {
    let (place, c) = solved(L2L2);
    let read = |k: usize| naive::read_npy(&fs::read(place.path(&format!("run/factors/X{k}.npy"))).unwrap());
    place.write("U.npy", npy_bytes(&read(1).map(|x| 4.0 * x)));
    place.write("V.npy", npy_bytes(&read(2).map(|x| x / 4.0)));
    let run = |form: &str, code: i32| {
        let set = format!("regularizer.form={form}");
        let args = ["check", "--spec", "spec.toml", "-q", "-o", form, "--set", &set, "--factors", "U.npy", "V.npy"];
        place.run(&args).exits(code);
        verify_run(&place.path(form), code)
    };
    // powers of two scale without rounding
    assert_eq!(number(&run("product", 0), "/objective/total"), number(&c, "/objective/total"));
    let sum = run("sum", 1);
    close(
        number(&sum, "/objective/regularizer"),
        number(&c, "/objective/regularizer") * (16.0 + 1.0 / 16.0) / 2.0,
        1e-9,
    );
    assert!(number(&sum, "/lower_bound") <= number(&c, "/objective/total"));
}

#[test]
fn a_loose_target_is_met_without_being_global() {
    let (place, c) = solved(L2L2);
    let read = |k: usize| naive::read_npy(&fs::read(place.path(&format!("run/factors/X{k}.npy"))).unwrap());
    // a little too large: no slice can be added with profit, the gap is some percent
    place.write("U.npy", npy_bytes(&read(1).map(|x| 1.03 * x)));
    place.write("V.npy", npy_bytes(&read(2).map(|x| 1.03 * x)));
    let judge = |target: &str, code: i32| {
        let set = format!("certificate.target_gap={target}");
        let args = ["check", "--spec", "spec.toml", "-q", "-o", target, "--set", &set, "--factors", "U.npy", "V.npy"];
        place.run(&args).exits(code);
        let judged = verify_run(&place.path(target), code);
        assert_eq!(word(&judged, "/verdict"), "within");
        assert!(number(&judged, "/lower_bound") <= number(&c, "/objective/total"));
        number(&judged, "/gap/relative")
    };
    let gap = judge("0.9", 0);
    assert!(gap > 1e-3 && gap < 0.9, "{gap}");
    assert_eq!(judge("1e-4", 1), gap);
}

#[test]
fn an_entry_outside_its_cone_is_named_and_projected_only_on_request() {
    let (place, c) = solved(NONNEGATIVE);
    let mut u = naive::read_npy(&fs::read(place.path("run/factors/X1.npy")).unwrap());
    let (row, slice) = (0..u.rows)
        .flat_map(|i| (0..u.cols).map(move |j| (i, j)))
        .find(|&(i, j)| u.at(i, j) == 0.0)
        .expect("some entry is at its bound");
    u.set(row, slice, -1e-17);
    place.write("run/factors/X1.npy", npy_bytes(&u));
    let said = format!(
        "error: run/factors/X1.npy: factor 1, row {row}, slice {slice} (counted from 1): -1e-17 lies outside the cone `nonnegative`",
        row = row + 1,
        slice = slice + 1
    );
    place.run(&["check", "run", "-q"]).exits(3).says(&[&said]);
    let again = check(&place, &["--project"], 0);
    assert_eq!(again["objective"], c["objective"]);
    // a negative zero is a zero
    u.set(row, slice, -0.0);
    place.write("run/factors/X1.npy", npy_bytes(&u));
    check(&place, &[], 0);
}

#[test]
fn zero_factors_are_judged_like_any_other() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    place.write("spec.toml", spec("1.0", "matrix", L2L2, ""));
    place.write("U.npy", npy_bytes(&Grid::from_fn(4, 1, |_, _| 0.0)));
    place.write("V.npy", npy_bytes(&Grid::from_fn(3, 1, |_, _| 0.0)));
    // Theorem 15 must not be used as a shortcut: a zero slice alone proves nothing
    place.run(&["check", "--spec", "spec.toml", "-q", "-o", "run", "--factors", "U.npy", "V.npy"]).exits(1);
    let c = verify_run(&place.path("run"), 1);
    assert_eq!(word(&c, "/verdict"), "refuted");
    close(number(&c, "/polar/lower"), 4.0, 1e-12);
}

#[test]
fn the_report_is_rebuilt_from_the_certificate() {
    let (place, _) = solved(NONNEGATIVE);
    let before = place.tree("run");
    place.write("run/report.md", "gone");
    place.run(&["report", "run"]).exits(0);
    assert_eq!(place.tree("run"), before);
}

#[test]
fn explain_says_what_applies_and_writes_nothing() {
    let (place, _) = solved(NONNEGATIVE);
    let before = place.tree("");
    let out = place.run(&["explain", "spec.toml"]).exits(0);
    assert_eq!(place.tree(""), before);
    for piece in [
        "degree 2 = mapping degree 2",
        "nondegenerate",
        "lambda_max",
        "rank bound     31 ",
        "cone_branch",
        "memory",
        "relaxation:nuclear_nonnegative",
    ] {
        assert!(out.stdout.contains(piece), "{piece} is missing from\n{}", out.stdout);
    }
}

/// Blocks of a scaled 4 x 4 Hadamard matrix: every singular value is twice the scale, the largest is 2 = lambda, so 0 is
/// optimal; but the absolute values alone bound it by 4, and the Gram matrix is too large to be formed.
#[test]
fn a_probabilistic_bound_is_reported_and_decides_nothing() {
    const BLOCKS: usize = 4001;
    let place = Place::new();
    let (mut lines, mut optimum) = (String::new(), 0.0);
    for b in 0..BLOCKS {
        let scale = 1.0 - 0.5 * b as f64 / BLOCKS as f64;
        optimum += 8.0 * scale * scale;
        for (i, j) in (0..4usize).flat_map(|i| (0..4).map(move |j| (i, j))) {
            let sign = if (i & j).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
            lines += &format!("{},{},{:?}\n", 4 * b + i, 4 * b + j, sign * scale);
        }
    }
    place.write("Y.csv", lines);
    let side = 4 * BLOCKS;
    let target = format!("{{ path = \"Y.csv\", format = \"triplets\", shape = [{side}, {side}] }}");
    place.write("spec.toml", spec_on(&target, "2.0", "matrix", L2L2, "[certificate]\neffort = \"cheap\""));
    place.write("zero.npy", npy_bytes(&Grid::from_fn(side, 1, |_, _| 0.0)));
    let args = ["check", "--spec", "spec.toml", "--factors", "zero.npy", "zero.npy"];
    let out = place.run(&[&args[..], &["--json", "--threads", "1", "-o", "run"]].concat()).exits(1);
    let c = out.json();
    let (bound, probable) = (number(&c, "/lower_bound"), number(&c, "/bound/probabilistic"));
    close(number(&c, "/objective/total"), optimum, 1e-12);
    // half the scale is feasible for certain: D(1/2) = 3/4 of the optimum
    close(bound, 0.75 * optimum, 1e-3);
    assert!(probable <= optimum && probable >= optimum * (1.0 - 1e-6), "{probable} is not near {optimum}");
    // the probable gap is far below the target, the proven one is what counts
    assert_eq!(word(&c, "/verdict"), "within");
    assert_eq!(number(&c, "/gap/absolute"), number(&c, "/objective/total") - bound);
    assert_eq!(c["polar"]["exact"], false);
    assert_eq!(word(&c, "/bound/method"), "perron");
    assert!(number(&c, "/polar/upper") > 1.9);
    let out =
        out.says(&["verdict        within 2.5", "probabilistic  ", "not proven: fails with probability 1e-12 at most"]);
    assert!(!out.stderr.contains("global:"), "{}", out.stderr);
    let report = place.read("run/report.md");
    for piece in ["| lower bound (probabilistic) | ", "fails with probability at most 1e-12", "Lanczos"] {
        assert!(report.contains(piece), "{piece} is missing from\n{report}");
    }

    // read back: the same number from the same start, and the same report from the same file
    let again = place.run(&["check", "run", "--json", "-q", "--threads", "1"]).exits(1).json();
    assert_eq!(again["bound"]["probabilistic"], c["bound"]["probabilistic"]);
    assert_eq!(again["verdict"], c["verdict"]);
    place.run(&["report", "run"]).exits(0);
    assert_eq!(place.read("run/report.md"), report);
}
