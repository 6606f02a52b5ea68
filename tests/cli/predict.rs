//! `homfac predict`: every number against the factors by hand, transforms undone, labels by name, new rows, new inputs, and what is
//! refused.

use crate::common::*;
use crate::naive::{self, Grid};
use serde_json::Value;
use std::fs;

#[track_caller]
fn solve(place: &Place, spec: &str) {
    place.write("spec.toml", spec);
    let outcome = place.run(&["solve", "spec.toml", "-q", "--force", "-o", "run"]);
    assert!(outcome.code <= 1, "{}", outcome.stderr);
}

/// Standard output of `predict run` with these flags.
#[track_caller]
fn predict(place: &Place, flags: &[&str]) -> String {
    let args: Vec<&str> = ["predict", "run", "-q"].into_iter().chain(flags.iter().copied()).collect();
    let outcome = place.run(&args).exits(0);
    assert_eq!(outcome.stderr, "");
    outcome.stdout
}

#[track_caller]
fn refused(place: &Place, flags: &[&str], code: i32, says: &[&str]) {
    let args: Vec<&str> = ["predict", "run", "-o", "out.csv"].into_iter().chain(flags.iter().copied()).collect();
    place.run(&args).exits(code).says(says);
    assert!(!place.path("out.csv").exists(), "nothing is left behind");
    let litter = fs::read_dir(place.path("."))
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_str().unwrap().contains("partial"));
    assert_eq!(litter.count(), 0);
}

fn factor(place: &Place, k: usize) -> Grid {
    naive::read_npy(&fs::read(place.path(&format!("run/factors/X{k}.npy"))).unwrap())
}

fn saved(place: &Place, file: &str) -> Grid {
    naive::read_npy(&fs::read(place.path(file)).unwrap())
}

/// U V' of the saved factors.
fn product(place: &Place) -> Grid {
    let (u, v) = (factor(place, 1), factor(place, 2));
    Grid::from_fn(u.rows, v.rows, |i, j| (0..u.cols).map(|k| u.at(i, k) * v.at(j, k)).sum())
}

/// Header and rows of a CSV text.
fn cells(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut lines = text.lines().map(|l| l.split(',').map(String::from).collect::<Vec<_>>());
    (lines.next().unwrap(), lines.collect())
}

fn numbers(text: &str) -> Grid {
    let (header, rows) = cells(text);
    Grid::from_fn(rows.len(), header.len(), |i, j| rows[i][j].parse().unwrap())
}

#[track_caller]
fn same(found: &Grid, wanted: &Grid, tolerance: f64) {
    assert_eq!((found.rows, found.cols), (wanted.rows, wanted.cols));
    for i in 0..found.rows {
        for j in 0..found.cols {
            let (f, w) = (found.at(i, j), wanted.at(i, j));
            assert!((f - w).abs() <= tolerance * w.abs().max(1.0), "({i}, {j}): found {f:?}, wanted {w:?}");
        }
    }
}

fn header() -> String {
    "north,east,south\n".to_string()
}

fn levels() -> Grid {
    Grid::from_fn(7, 3, |i, j| scattered(7, 3).at(i, j) + 2.0 * j as f64 + 3.0)
}

#[test]
fn transforms_are_undone_wherever_the_model_is_asked() {
    let y = levels();
    let mean = |j: usize| y.column(j).iter().sum::<f64>() / 7.0;
    let deviation = |j: usize| (y.column(j).iter().map(|v| (v - mean(j)).powi(2)).sum::<f64>() / 7.0).sqrt();
    type Undo<'a> = &'a dyn Fn(usize, f64) -> f64;
    let cases: [(&str, Undo); 6] = [
        ("\"none\"", &|_, x| x),
        ("\"center\"", &|j, x| mean(j) + x),
        ("\"scale\"", &|j, x| deviation(j) * x),
        ("\"standardize\"", &|j, x| mean(j) + deviation(j) * x),
        ("\"log1p\"", &|_, x| x.exp() - 1.0),
        ("{ subtract = 1.5 }", &|_, x| x + 1.5),
    ];
    for (transform, undo) in cases {
        let place = Place::new();
        place.write("Y.csv", header() + &csv(&y));
        solve(&place, &spec("0.6", "matrix", L2L2, &format!("transform = {transform}")));
        let x = product(&place);
        let wanted = Grid::from_fn(7, 3, |i, j| undo(j, x.at(i, j)));
        let all = predict(&place, &["--complete"]);
        assert_eq!(cells(&all).0, ["north", "east", "south"]);
        same(&numbers(&all), &wanted, 1e-12);
        same(&numbers(&predict(&place, &["--complete", "--scores"])), &x, 1e-12);
        // entries in any order, as often as one likes
        place.write("ask.csv", "6,2\n0,1\n6,2\n3,0\n");
        let some = predict(&place, &["--input", "ask.csv"]);
        assert_eq!(cells(&some).0, ["i", "j", "value"]);
        let listed = numbers(&some);
        for (k, (i, j)) in [(6, 2), (0, 1), (6, 2), (3, 0)].into_iter().enumerate() {
            assert_eq!((listed.at(k, 0), listed.at(k, 1)), (i as f64, j as f64));
            close(listed.at(k, 2), wanted.at(i, j), 1e-12);
        }
        // the data is not read again, and without model.json it is
        place.write("Y.csv", "gone");
        assert_eq!(predict(&place, &["--complete"]), all);
        fs::remove_file(place.path("run/model.json")).unwrap();
        place.write("Y.csv", header() + &csv(&y));
        assert_eq!(predict(&place, &["--complete"]), all);
    }
}

#[test]
fn indices_and_files_are_as_the_user_has_them() {
    let place = Place::new();
    let y = levels();
    let listed: String = (0..21)
        .filter(|k| k % 4 != 1)
        .map(|k| format!("{},{},{:?}\n", k / 3 + 1, k % 3 + 1, y.at(k / 3, k % 3)))
        .collect();
    place.write("Y.csv", listed);
    let target = "{ path = \"Y.csv\", format = \"triplets\", shape = [7, 3], index_base = 1 }";
    solve(&place, &spec_on(target, "0.6", "matrix", L2L2, ""));
    let x = product(&place);
    // counted as in the target, or as is said; by name out of a wider table; from an array
    place.write("ask.csv", "user,item,when\n7,3,9\n1,2,8\n");
    let text = predict(&place, &["-i", "ask.csv", "--columns", "user,item"]);
    assert_eq!(cells(&text).0, ["user", "item", "value"]);
    assert_eq!(cells(&text).1[0][..2], ["7", "3"]);
    close(numbers(&text).at(0, 2), x.at(6, 2), 1e-12);
    close(numbers(&text).at(1, 2), x.at(0, 1), 1e-12);
    assert_eq!(predict(&place, &["-i", "ask.csv", "--columns", "1,2"]), text);
    place.write("zero.csv", "user,item\n6,2\n0,1\n");
    let zero = predict(&place, &["-i", "zero.csv", "--index-base", "0"]);
    assert_eq!(numbers(&zero).column(2), numbers(&text).column(2));
    place.write("ask.npy", naive::npy_bytes(&Grid::from_fn(2, 2, |i, j| [[7.0, 3.0], [1.0, 2.0]][i][j])));
    assert_eq!(numbers(&predict(&place, &["-i", "ask.npy"])).column(2), numbers(&text).column(2));
    // to a file: numbers alone in an array, tabs in .tsv
    predict(&place, &["-i", "ask.npy", "-o", "out/of.npy"]);
    assert_eq!(saved(&place, "out/of.npy").column(0), numbers(&text).column(2));
    predict(&place, &["--complete", "-o", "all.npy"]);
    same(&saved(&place, "all.npy"), &x, 1e-12);
    predict(&place, &["-i", "ask.npy", "-o", "out.tsv"]);
    assert!(place.read("out.tsv").starts_with("i\tj\tvalue\n7\t3\t"));
    // from standard input, more than is taken at once
    let many: String = (0..70_000).map(|k| format!("{},{}\n", k % 7 + 1, k % 3 + 1)).collect();
    let run = place.command(&["predict", "run", "-i", "-"]).write_stdin(many).output().unwrap();
    let found = numbers(std::str::from_utf8(&run.stdout).unwrap());
    assert_eq!(found.rows, 70_000);
    assert!(String::from_utf8(run.stderr).unwrap().contains("70000 entries predicted"));
    for k in [0, 20, 65_535, 65_536, 69_999] {
        close(found.at(k, 2), x.at(k % 7, k % 3), 1e-12);
    }
    // a reader that has seen enough is no error
    place.write("many.csv", (0..70_000).map(|k| format!("{},{}\n", k % 7 + 1, k % 3 + 1)).collect::<String>());
    let mut child = place.start(&["predict", "run", "-i", "many.csv"]);
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[test]
fn extra_variables_are_added_but_outliers_are_not() {
    let place = Place::new();
    let mut y = levels();
    y.set(2, 1, 40.0);
    place.write("Y.csv", csv(&y));
    let side = Grid::from_fn(7, 2, |i, k| ((i * (k + 2)) % 5) as f64 - 1.0);
    place.write("side.csv", csv(&side));
    let extras = "[[extra]]\nkind = \"intercept\"\naxis = 2\npenalty = { norm = \"l2_squared\", weight = 0.1 }\n\
                  [[extra]]\nkind = \"covariates\"\naxis = 1\nside = \"side.csv\"\npenalty = { norm = \"l2_squared\", weight = 0.2 }\n\
                  [[extra]]\nkind = \"outliers\"\npenalty = { norm = \"l1\", weight = 0.3 }\n";
    solve(&place, &spec("0.6", "matrix", L2L2, &format!("transform = {{ subtract = 1.0 }}\n{extras}")));
    let (x, q, b) =
        (product(&place), saved(&place, "run/extras/intercept.npy"), saved(&place, "run/extras/covariates.npy"));
    assert_eq!((q.rows, b.rows, b.cols), (3, 2, 3));
    let field =
        |i: usize, j: usize| x.at(i, j) + q.at(j, 0) + (0..2).map(|k| side.at(i, k) * b.at(k, j)).sum::<f64>() + 1.0;
    let wanted = Grid::from_fn(7, 3, field);
    same(&numbers(&predict(&place, &["--complete"])), &wanted, 1e-12);
    place.write("ask.csv", "2,1\n6,0\n");
    let some = numbers(&predict(&place, &["-i", "ask.csv"]));
    close(some.at(0, 2), wanted.at(2, 1), 1e-12);
    assert!(some.at(0, 2) < 25.0, "the outlier is not predicted");
    close(some.at(1, 2), wanted.at(6, 0), 1e-12);
    // a new row brings its own properties
    place.write("new.csv", csv(&Grid::from_fn(2, 3, |i, j| y.at(5 + i, j))));
    refused(&place, &["--project", "new.csv"], 2, &["--side", "1 extras `covariates`", "0 files"]);
    place.write("few.csv", "1,2\n");
    refused(
        &place,
        &["--project", "new.csv", "--side", "few.csv"],
        3,
        &["few.csv: expected a row for each new one of new.csv"],
    );
    place.write("wide.csv", "1,2,3\n1,2,3\n");
    refused(&place, &["--project", "new.csv", "--side", "wide.csv"], 3, &["wide.csv: expected 2 columns", "found 3"]);
    place.write("sides.csv", csv(&Grid::from_fn(2, 2, |i, k| side.at(5 + i, k))));
    let new = numbers(&predict(&place, &["--project", "new.csv", "--side", "sides.csv"]));
    same(&new, &Grid::from_fn(2, 3, |i, j| wanted.at(5 + i, j)), 2e-2);
}

#[test]
fn symmetric_and_measured_matrices_and_arrays_are_reconstructed() {
    let place = Place::new();
    let table = scattered(5, 5);
    place.write("Y.csv", csv(&Grid::from_fn(5, 5, |i, j| table.at(i, j) + table.at(j, i))));
    solve(&place, &spec("0.4", "psd", "{ norm = \"l2\" }", ""));
    let u = factor(&place, 1);
    let x = Grid::from_fn(5, 5, |i, j| (0..u.cols).map(|k| u.at(i, k) * u.at(j, k)).sum());
    same(&numbers(&predict(&place, &["--complete"])), &x, 1e-12);
    refused(&place, &["--project", "Y.csv"], 2, &["mapping `psd` has no new rows"]);

    // of what is measured the entries themselves, whatever was done to the measurements
    place.write("A.csv", csv(&noise(14, 12)));
    place.write("b.csv", csv(&noise(14, 1).map(|x| 3.0 * x + 1.0)));
    let more = "operator = { path = \"A.csv\", header = false, dims = [4, 3] }\ntransform = \"center\"\n\
                [[extra]]\nkind = \"intercept\"\naxis = \"global\"\npenalty = { norm = \"l1\", weight = 0.3 }\n";
    solve(&place, &spec_on("{ path = \"b.csv\", header = false }", "0.4", "matrix", L2L2, more));
    let x = product(&place);
    assert_eq!((x.rows, x.cols), (4, 3));
    let all = predict(&place, &["--complete"]);
    assert_eq!(cells(&all).0, ["column1", "column2", "column3"]);
    same(&numbers(&all), &x, 1e-12);
    place.write("ask.csv", "3,2\n");
    close(numbers(&predict(&place, &["-i", "ask.csv"])).at(0, 2), x.at(3, 2), 1e-12);
    refused(&place, &["--project", "ask.csv"], 2, &["behind an operator"]);

    // an array of order 3 with an intercept along its second index
    let listed: String = (0..24)
        .map(|e| (e / 8, e / 4 % 2, e % 4))
        .map(|(i, j, k)| format!("{},{},{},{}\n", i + 1, j + 1, k + 1, (7 * i + 5 * j + 3 * k + i * j * k) % 11))
        .collect();
    place.write("Y.csv", listed);
    let target = "{ path = \"Y.csv\", format = \"triplets\", shape = [3, 2, 4], index_base = 1, header = false }";
    let more =
        "transform = { subtract = 2 }\n[[extra]]\nkind = \"intercept\"\naxis = 2\n[certificate]\ntarget_gap = 0.5\n";
    solve(&place, &spec_on(target, "2.5", "cp", "{ norm = \"l2\" }", more));
    let f = [1, 2, 3].map(|k| factor(&place, k));
    let q = saved(&place, "run/extras/intercept.npy");
    let at = |i: usize, j: usize, k: usize| {
        (0..f[0].cols).map(|r| f[0].at(i, r) * f[1].at(j, r) * f[2].at(k, r)).sum::<f64>() + q.at(j, 0) + 2.0
    };
    let text = predict(&place, &["--complete"]);
    assert_eq!(cells(&text).0, ["i", "j", "k", "value"]);
    let all = numbers(&text);
    assert_eq!(all.rows, 24);
    for e in 0..24 {
        let [i, j, k] = [0, 1, 2].map(|c| all.at(e, c) as usize - 1);
        assert_eq!(i + 3 * (j + 2 * k), e, "first index fastest");
        close(all.at(e, 3), at(i, j, k), 1e-12);
    }
    predict(&place, &["--complete", "-o", "all.npy"]);
    let bytes = fs::read(place.path("all.npy")).unwrap();
    let homfac::data::Array::Dense { shape, values } = homfac::data::npy::read(&bytes, "all.npy").unwrap() else {
        panic!()
    };
    assert_eq!((shape, values), (vec![3, 2, 4], all.column(3)));
    place.write("ask.csv", "3,2,4\n1,1,2\n");
    let some = numbers(&predict(&place, &["-i", "ask.csv"]));
    close(some.at(0, 3), at(2, 1, 3), 1e-12);
    close(some.at(1, 3), at(0, 0, 1), 1e-12);
}

#[test]
fn signs_counts_and_classes_are_said_as_the_target_says_them() {
    let loss = |kind: &str| format!("[loss]\nkind = \"{kind}\"\n[certificate]\ntarget_gap = 0.1\n");
    let noise = noise(8, 6);
    for (low, one) in [(0.0, "0"), (-1.0, "-1")] {
        let place = Place::new();
        place.write("Y.csv", csv(&noise.map(|x| if x > 0.0 { 1.0 } else { low })));
        solve(&place, &spec("0.5", "matrix", L2L2, &loss("logistic")));
        let x = product(&place);
        let (_, rows) = cells(&predict(&place, &["--complete"]));
        let said = |i: usize, j: usize| if x.at(i, j) > 0.0 { "1" } else { one };
        assert!((0..8).all(|i| (0..6).all(|j| rows[i][j] == said(i, j))));
        let chance = numbers(&predict(&place, &["--complete", "--probabilities"]));
        same(&chance, &x.map(|x| 1.0 / (1.0 + (-x).exp())), 1e-12);
        place.write("ask.csv", "0,0\n");
        assert_eq!(cells(&predict(&place, &["-i", "ask.csv", "--probabilities"])).0[2], "probability");
        assert_eq!(cells(&predict(&place, &["-i", "ask.csv", "--scores"])).0[2], "score");
    }
    let place = Place::new();
    place.write("Y.csv", csv(&noise.map(|x| (4.0 * x.abs()).floor())));
    solve(&place, &spec("0.5", "matrix", L2L2, &loss("poisson")));
    same(&numbers(&predict(&place, &["--complete"])), &product(&place).map(f64::exp), 1e-12);
    refused(&place, &["--complete", "--probabilities"], 2, &["loss `poisson` has no probabilities"]);

    // a row of scores per label
    place.write("Y.csv", "mood\n".to_string() + &["sad", "glad", "mad", "glad", "glad", "sad"].join("\n"));
    solve(&place, &spec("0.3", "matrix", L2L2, &loss("multinomial")));
    let x = product(&place);
    let names = ["glad", "mad", "sad"];
    let best = |i: usize| (0..3).fold(0, |b, c| if x.at(i, c) > x.at(i, b) { c } else { b });
    let text = predict(&place, &["--complete"]);
    assert_eq!(text, "mood\n".to_string() + &(0..6).map(|i| format!("{}\n", names[best(i)])).collect::<String>());
    place.write("ask.csv", "4\n1\n");
    assert_eq!(predict(&place, &["-i", "ask.csv"]), format!("i,mood\n4,{}\n1,{}\n", names[best(4)], names[best(1)]));
    let scores = predict(&place, &["-i", "ask.csv", "--scores"]);
    assert_eq!(cells(&scores).0, ["i", "glad", "mad", "sad"]);
    close(numbers(&scores).at(1, 2), x.at(1, 1), 1e-12);
    let chances = numbers(&predict(&place, &["--complete", "--probabilities"]));
    let total = |i: usize| (0..3).map(|c| x.at(i, c).exp()).sum::<f64>();
    same(&chances, &Grid::from_fn(6, 3, |i, c| x.at(i, c).exp() / total(i)), 1e-12);
    let args = ["predict", "run", "--complete", "-o", "out.npy"];
    place.run(&args).exits(2).says(&["labels are text", "--scores"]);
    refused(&place, &["--project", "ask.csv"], 2, &["one label per row"]);
    // labels that are numbers go into an array
    place.write("Y.csv", "4\n7\n7\n4\n7\n");
    solve(&place, &spec("0.3", "matrix", L2L2, &loss("multinomial")));
    predict(&place, &["--complete", "-o", "labels.npy"]);
    assert!(saved(&place, "labels.npy").column(0).iter().all(|l| [4.0, 7.0].contains(l)));
}

/// Inputs a, b, c, a number and a word that says whether a is large.
fn samples() -> String {
    let mut text = "id,a,b,c,y,size\n".to_string();
    for i in 0..20 {
        let (a, b) = (10.0 + 3.0 * (f64::from(i) * 0.37).sin(), -5.0 + 2.0 * (f64::from(i) * 0.9).cos());
        let size = if a > 10.5 { "large" } else { "small" };
        text.push_str(&format!("n{i},{a},{b},1,{},{size}\n", (a - 10.0).max(0.0) - 0.5 * (b + 5.0)));
    }
    text
}

fn network(place: &Place, target: &str, more: &str) {
    let input = "input = { path = \"t.csv\", columns = [\"b\", \"a\"], bias = true, standardize = true }";
    let target = format!("{{ path = \"t.csv\", columns = [{target}] }}");
    solve(place, &spec_on(&target, "0.3", "relu", L2L2, &format!("{input}\n{more}[certificate]\ntarget_gap = 0.5\n")));
}

/// The scores of the network by hand.
fn outputs(place: &Place, inputs: &[[f64; 2]]) -> Grid {
    let (u, w) = (factor(place, 1), factor(place, 2));
    let kept: Value = serde_json::from_str(&place.read("run/model.json")).unwrap();
    let of = |what: &str, j: usize| number(&kept, &format!("/inputs/{what}/{j}"));
    let standard = |x: &[f64; 2]| [0, 1].map(|j| (x[j] - of("mean", j)) / of("deviation", j));
    Grid::from_fn(inputs.len(), w.rows, |i, q| {
        let [b, a] = standard(&inputs[i]);
        (0..u.cols).map(|k| (b * u.at(0, k) + a * u.at(1, k) + u.at(2, k)).max(0.0) * w.at(q, k)).sum()
    })
}

#[test]
fn networks_answer_on_new_inputs() {
    let place = Place::new();
    place.write("t.csv", samples());
    network(&place, "\"y\"", "transform = \"standardize\"\nholdout = 0.2\n");
    let new = [[-4.0, 12.0], [-6.5, 9.0], [0.0, 30.0]];
    let kept: Value = serde_json::from_str(&place.read("run/model.json")).unwrap();
    let wanted = outputs(&place, &new)
        .map(|x| number(&kept, "/transform/columns/offset/0") + number(&kept, "/transform/columns/scale/0") * x);
    // by name, wherever the columns stand, whatever else there is
    place.write("new.csv", "a,who,b\n12,me,-4\n9,you,-6.5\n30,they,0\n");
    let text = predict(&place, &["-i", "new.csv"]);
    assert_eq!(cells(&text).0, ["y"]);
    same(&numbers(&text), &wanted, 1e-11);
    // an array has its columns in the order of the inputs, or as is said
    place.write("new.npy", naive::npy_bytes(&Grid::from_fn(3, 2, |i, j| new[i][j])));
    place.run(&["predict", "run", "-i", "new.npy"]).exits(3).says(&["no column `b`"]);
    same(&numbers(&predict(&place, &["-i", "new.npy", "--columns", "1,2"])), &wanted, 1e-11);
    predict(&place, &["-i", "new.csv", "-o", "out.npy"]);
    same(&saved(&place, "out.npy"), &wanted, 1e-11);

    network(&place, "\"y\", \"c\"", "transform = { subtract = 1 }\n");
    let two = predict(&place, &["-i", "new.csv"]);
    assert_eq!(cells(&two).0, ["y", "c"]);
    same(&numbers(&two), &outputs(&place, &new).map(|x| x + 1.0), 1e-11);

    network(&place, "\"size\"", "[loss]\nkind = \"multinomial\"\n");
    let scores = outputs(&place, &new);
    let label = |i: usize| if scores.at(i, 1) > scores.at(i, 0) { "small" } else { "large" };
    assert_eq!(predict(&place, &["-i", "new.csv"]), format!("size\n{}\n{}\n{}\n", label(0), label(1), label(2)));
    assert_eq!((label(0), label(1)), ("large", "small"));
    let text = predict(&place, &["-i", "new.csv", "--scores"]);
    assert_eq!(cells(&text).0, ["large", "small"]);
    same(&numbers(&text), &scores, 1e-11);

    refused(&place, &["--complete"], 2, &["mapping `relu` predicts from inputs"]);
    refused(&place, &["--project", "new.csv"], 2, &["mapping `relu` predicts from inputs"]);
    refused(&place, &["-i", "new.csv", "--index-base", "1"], 2, &["no indices"]);
    place.write("new.csv", "a,be\n12,-4\n");
    refused(&place, &["-i", "new.csv"], 3, &["new.csv: no column `b`", "did you mean `be`?"]);
    place.write("new.csv", "a,b\n12,-4\n,3\n");
    refused(&place, &["-i", "new.csv"], 3, &["new.csv: row 3, column 1 (`a`): expected a finite number"]);
    place.write("new.csv", "a,b\n12,-4\n7,x\n");
    refused(&place, &["-i", "new.csv"], 3, &["new.csv: row 3, column 2 (`b`): expected a number, found `x`"]);
    place.write("new.csv", "a,b\n12,-4\n7\n");
    refused(&place, &["-i", "new.csv"], 3, &["new.csv: expected 2 cells in row 3, found 1"]);
}

/// Solves to a gap so small that the factors are stationary.
fn tight(place: &Place, factors: &str, more: &str) {
    let gap = "[certificate]\ntarget_gap = 1e-9\n[solver]\nstationarity_tolerance = 1e-10\n";
    solve(place, &spec("0.7", "matrix", factors, &format!("{more}\n{gap}")));
}

#[test]
fn rows_of_the_data_come_back_as_rows_of_the_factor() {
    let place = Place::new();
    let y = Grid::from_fn(9, 5, |i, j| {
        let hole = (3 * i + j) % 7 == 2;
        if hole { f64::NAN } else { scattered(9, 5).at(i, j) + 0.4 * (i % 3) as f64 }
    });
    place.write("Y.csv", csv(&y));
    place.write("turned.csv", csv(&y.transposed()));
    let cases = [
        (L2L2, ""),
        (L2L2, "transform = \"standardize\""),
        (L2L2, "[regularizer2]"),
        ("{ norm = \"l2\", weight = 2.0 }, { norm = \"l2\", cone = \"nonnegative\" }", ""),
        ("{ norm = \"l1\" }, { norm = \"l2\" }", ""),
        ("{ norm = \"linf\" }, { norm = \"l1\" }", ""),
        (
            L2L2,
            "[[extra]]\nkind = \"intercept\"\naxis = 1\n[[extra]]\nkind = \"intercept\"\naxis = \"global\"\n\
                penalty = { norm = \"l1\", weight = 0.2 }\n",
        ),
        (L2L2, "[loss]\nkind = \"huber\"\ndelta = 0.4\n"),
        (L2L2, "[[extra]]\nkind = \"outliers\"\npenalty = { norm = \"l1\", weight = 0.5 }\n"),
    ];
    for (factors, more) in cases {
        let sum = more == "[regularizer2]";
        let more = if sum { "" } else { more };
        tight(&place, factors, more);
        if sum {
            let args = ["solve", "spec.toml", "-q", "--force", "-o", "run", "--set", "regularizer.form=sum"];
            assert!(place.run(&args).code <= 1);
        }
        let u = factor(&place, 1);
        let text = predict(&place, &["--project", "Y.csv", "--factor"]);
        let found = numbers(&text);
        let alone = Grid::from_fn(9, u.cols, |i, k| found.at(i, k));
        same(&alone, &u, 2e-4);
        assert_eq!(cells(&text).0[0], "slice1");
        if more.contains("axis = 1") {
            assert_eq!(cells(&text).0.last().unwrap(), "intercept");
            let q = saved(&place, "run/extras/intercept.npy");
            same(&Grid::from_fn(9, 1, |i, _| found.at(i, u.cols)), &q, 2e-4);
        }
        // completed, they are what the model says of them
        let all = numbers(&predict(&place, &["--complete"]));
        same(&numbers(&predict(&place, &["--project", "Y.csv"])), &all, 1e-3);
        // and a file of other layout says the same
        place.write("Y.npy", naive::npy_bytes(&y));
        assert_eq!(predict(&place, &["--project", "Y.npy", "--factor"]), text);
    }
    // new columns are new rows of the other factor
    tight(&place, "{ norm = \"l2\", cone = \"nonnegative\" }, { norm = \"l2\" }", "");
    let v = factor(&place, 2);
    same(&numbers(&predict(&place, &["--project", "Y.csv", "--axis", "2", "--factor"])), &v, 2e-4);
    let all = numbers(&predict(&place, &["--complete"]));
    let completed = predict(&place, &["--project", "Y.csv", "--axis", "2"]);
    assert_eq!(cells(&completed).0, ["new1", "new2", "new3", "new4", "new5"]);
    same(&numbers(&completed), &all, 1e-3);
}

#[test]
fn a_new_row_is_the_minimum_of_its_own_problem() {
    let place = Place::new();
    place.write("Y.csv", csv(&scattered(6, 4)));
    solve(&place, &spec("0.7", "matrix", L2L2, "[loss]\nkind = \"quantile\"\nlevel = 0.8\nsmoothing = 0.3\n"));
    let (u, v) = (factor(&place, 1), factor(&place, 2));
    place.write("new.csv", "2,,1.5,-1\n,,,\n");
    let q = numbers(&predict(&place, &["--project", "new.csv", "--factor"]));
    assert!((0..q.cols).all(|k| q.at(1, k) == 0.0), "nothing is known of the second");
    let norm = |x: &Grid, k: usize| x.column(k).iter().map(|x| x * x).sum::<f64>().sqrt();
    let objective = |q: &[f64]| {
        let loss = [(0, 2.0), (2, 1.5), (3, -1.0)].iter().map(|&(j, y)| {
            let x: f64 = (0..q.len()).map(|k| q[k] * v.at(j, k)).sum();
            let z = ((y - x) / 0.3).clamp(-0.2, 0.8);
            z * (y - x) - 0.3 * z * z / 2.0
        });
        let cost = (0..q.len()).map(|k| 0.7 * norm(&v, k) / norm(&u, k) * q[k] * q[k] / 2.0);
        loss.sum::<f64>() + cost.sum::<f64>()
    };
    let row: Vec<f64> = (0..q.cols).map(|k| q.at(0, k)).collect();
    let best = objective(&row);
    assert!(best < objective(&vec![0.0; row.len()]));
    for trial in 0..200 {
        let by = noise(201, row.len());
        let near: Vec<f64> = row.iter().enumerate().map(|(k, x)| x + 1e-3 * by.at(trial, k)).collect();
        assert!(objective(&near) >= best);
    }
}

#[test]
fn new_slices_of_an_array_are_fitted_along_any_index() {
    let place = Place::new();
    let value = |i: usize, j: usize, k: usize| ((7 * i + 5 * j + 3 * k + i * j * k) % 11) as f64 - 2.0;
    let seen = |i: usize, j: usize, k: usize| (i + 2 * j + 3 * k) % 5 != 4;
    let list = |keep: &dyn Fn(usize, usize, usize) -> bool, shift: [usize; 3]| -> String {
        let all = (0..5 * 4 * 3).map(|e| (e / 12, e / 3 % 4, e % 3));
        all.filter(|&(i, j, k)| seen(i, j, k) && keep(i, j, k))
            .map(|(i, j, k)| format!("{},{},{},{}\n", i - shift[0], j - shift[1], k - shift[2], value(i, j, k)))
            .collect()
    };
    place.write("Y.csv", list(&|_, _, _| true, [0; 3]));
    let target = "{ path = \"Y.csv\", format = \"triplets\", shape = [5, 4, 3], header = false }";
    let more = "[certificate]\ntarget_gap = 1e-9\neffort = \"cheap\"\n[solver]\nstationarity_tolerance = 1e-10\nmax_outer = 20\n";
    solve(&place, &spec_on(target, "8.0", "cp", "{ norm = \"l2\" }", more));
    for axis in 1..=3 {
        let flag = axis.to_string();
        let x = factor(&place, axis);
        let found = numbers(&predict(&place, &["--project", "Y.csv", "--axis", &flag, "--factor"]));
        same(&found, &x, 1e-3);
    }
    // the last two along the second index, as a file of their own
    place.write("new.csv", list(&|_, j, _| j >= 2, [0, 2, 0]));
    let f = [1, 2, 3].map(|k| factor(&place, k));
    let q = numbers(&predict(&place, &["--project", "new.csv", "--axis", "2", "--factor"]));
    assert_eq!(q.rows, 2);
    let text = predict(&place, &["--project", "new.csv", "--axis", "2"]);
    let all = numbers(&text);
    assert_eq!((all.rows, all.cols), (30, 4));
    for e in 0..30 {
        let [i, j, k] = [0, 1, 2].map(|c| all.at(e, c) as usize);
        let wanted: f64 = (0..q.cols).map(|r| f[0].at(i, r) * q.at(j, r) * f[2].at(k, r)).sum();
        close(all.at(e, 3), wanted, 1e-9);
    }
    place.write("new.csv", "0,0,0,1\n0,0,0,2\n");
    refused(&place, &["--project", "new.csv"], 3, &["new.csv: entry (0, 0, 0) is listed twice, in rows 1 and 2"]);
    place.write("new.csv", "0,7,0,1\n");
    refused(&place, &["--project", "new.csv"], 3, &["new.csv: expected any number x 4 x 3, found 1 x 8 x 1"]);
    refused(&place, &["--project", "new.csv", "--axis", "4"], 2, &["--axis 4: expected 1 to 3"]);
}

#[test]
fn what_says_nothing_of_a_further_row_is_refused_by_name() {
    let place = Place::new();
    place.write("Y.csv", csv(&scattered(6, 4)));
    place.write("w.csv", "1\n2\n1\n1\n1\n1\n");
    let tv = "{ norm = [{ kind = \"l1\", weight = 0.3 }, { kind = \"tv\", weight = 1.0 }] }, { norm = \"l2\" }";
    let cases = [
        (tv, "norm `tv` of factor 1"),
        ("{ norm = \"group_l2\", groups = [[0, 1, 2], [3, 4, 5]] }, { norm = \"l2\" }", "norm `group_l2` of factor 1"),
        ("{ norm = \"lp\", p = 3 }, { norm = \"l2\" }", "norm `lp` of factor 1"),
        ("{ norm = \"l2\", cone = \"monotone\" }, { norm = \"l2\" }", "cone `monotone` of factor 1"),
        ("{ norm = \"l2\", weight = { path = \"w.csv\" } }, { norm = \"l2\" }", "a weight per row"),
    ];
    for (factors, says) in cases {
        solve(&place, &spec("0.7", "matrix", factors, "[certificate]\ntarget_gap = 0.9\n"));
        refused(&place, &["--project", "Y.csv"], 2, &[says]);
        // of the other factor there is nothing in the way
        predict(&place, &["--project", "Y.csv", "--axis", "2"]);
    }
    solve(&place, &spec("0.7", "matrix", L2L2, "transform = \"center\""));
    refused(&place, &["--project", "Y.csv", "--axis", "2"], 2, &["the transform is by columns"]);
    place.write("new.csv", "1,2\n");
    refused(&place, &["--project", "new.csv"], 3, &["new.csv: expected 4 columns: those of the target, found 2"]);
    place.write("new.csv", "1,2,3,4\n1,inf,3,4\n");
    refused(&place, &["--project", "new.csv"], 3, &["new.csv: row 2, column 2: expected a finite number"]);
    solve(&place, &spec("0.7", "matrix", L2L2, "[[extra]]\nkind = \"intercept\"\naxis = 1\n"));
    place.write("new.csv", "1,2,3,4\n,,,\n");
    refused(
        &place,
        &["--project", "new.csv"],
        3,
        &["a new row 2 that determines what is free in it", "0 observed entries"],
    );
    solve(&place, &spec("0.7", "matrix", L2L2, ""));
    place.write("new.csv", "p,q,r,s\n1,2,3,4\n1,2,inf,4\n");
    refused(&place, &["--project", "new.csv"], 3, &["new.csv: row 3, column 3 (`r`): expected a finite number"]);
    place.write("Z.csv", csv(&scattered(6, 4).map(|x| x + 2.0)));
    solve(&place, &spec_on("\"Z.csv\"", "0.7", "matrix", L2L2, "transform = \"log1p\"\n"));
    place.write("new.csv", "p,q,r,s\n1,2,3,4\n1,-3,2,4\n");
    let says = ["new.csv: row 3, column 2 (`q`): expected a value above -1 for log1p, found `-3`"];
    refused(&place, &["--project", "new.csv"], 3, &says);
    place.write("new.csv", "p,q\n1,2\n1,3\n1,-1\n1,2\n1,2\n1,2\n");
    let says = ["new.csv: row 4, column 2 (`q`): expected a value above -1"];
    refused(&place, &["--project", "new.csv", "--axis", "2"], 3, &says);
    place.write("Y.csv", csv(&noise(6, 4).map(|x| f64::from(u8::from(x > 0.0)))));
    solve(&place, &spec("0.5", "matrix", L2L2, "[loss]\nkind = \"logistic\"\n"));
    place.write("new.csv", "0,1,1,0\n0,1,2,1\n");
    refused(
        &place,
        &["--project", "new.csv"],
        3,
        &["new.csv: row 2, column 3: expected 0 or 1, as the target has, found `2`"],
    );
}

#[test]
fn hostile_input_is_refused_with_its_place() {
    let place = Place::new();
    place.write("Y.csv", csv(&scattered(6, 4)));
    solve(&place, &spec("0.7", "matrix", L2L2, ""));
    let ask = |text: &str, says: &[&str]| {
        place.write("ask.csv", text);
        refused(&place, &["-i", "ask.csv"], 3, says);
    };
    ask("0,0\n6,0\n", &["ask.csv: row 2, column 1: expected an index inside `shape`, found `6`", "0 to 5"]);
    ask("i,j\n0,0\n1,4\n", &["ask.csv: row 3, column 2 (`j`)", "found `4`"]);
    ask("0,0\n-1,0\n", &["ask.csv: row 2, column 1: expected a nonnegative whole number"]);
    ask("0,0\n1.5,0\n", &["ask.csv: row 2, column 1", "found `1.5`"]);
    ask("0,0\n,0\n", &["ask.csv: row 2, column 1"]);
    ask("0,0\n99999999999999999999999,0\n", &["ask.csv: row 2, column 1"]);
    ask("0,0,1\n", &["ask.csv: expected 2 columns", "found 3", "`--columns`"]);
    ask("0,0\n1\n", &["ask.csv: expected 2 cells in row 2, found 1"]);
    ask("", &["ask.csv: expected 2 columns", "found 0"]);
    place.write("ask.csv", b"0,0\n\xff\xfe,0\n");
    refused(&place, &["-i", "ask.csv"], 3, &["ask.csv: not a valid CSV file"]);
    place.write("ask.npy", naive::npy_bytes(&Grid::from_fn(2, 2, |i, j| if i * j == 1 { 0.5 } else { 0.0 })));
    refused(&place, &["-i", "ask.npy"], 3, &["ask.npy: row 2, column 2", "found `0.5`"]);
    place.write("ask.npy", naive::npy_with("(1000000000, 2)", "<f8", &[0; 16]));
    refused(&place, &["-i", "ask.npy"], 3, &["ask.npy: not a valid NPY file"]);
    refused(&place, &["-i", "none.csv"], 3, &["none.csv: cannot be read"]);
    refused(&place, &["-i", "ask.csv", "--columns", "z,1"], 3, &["no column `z`"]);

    // the command line
    refused(&place, &[], 2, &["--input", "--complete", "--project"]);
    refused(&place, &["--complete", "-i", "ask.csv"], 2, &["cannot be used with"]);
    refused(&place, &["--complete", "--axis", "1"], 2, &["--project"]);
    refused(&place, &["--project", "ask.csv", "--factor", "--scores"], 2, &["--factor writes coefficients"]);
    refused(&place, &["--complete", "--index-base", "2"], 2, &["--index-base"]);
    place.run(&["predict", "run", "--complete", "-o", "out.xlsx"]).exits(2).says(&["out.xlsx", ".csv, .tsv or .npy"]);
    place.run(&["predict", "nowhere", "--complete"]).exits(3).says(&["nowhere: no such run folder"]);

    // a file that is there stays, unless it may be replaced
    place.write("old.csv", "precious");
    place
        .run(&["predict", "run", "--complete", "-o", "old.csv"])
        .exits(3)
        .says(&["old.csv: exists already", "--force"]);
    assert_eq!(place.read("old.csv"), "precious");
    place.write("ask.csv", "0,0\n9,9\n");
    place.run(&["predict", "run", "-i", "ask.csv", "-o", "old.csv", "--force"]).exits(3);
    assert_eq!(place.read("old.csv"), "precious");
    predict(&place, &["--complete", "-o", "old.csv", "--force"]);
    assert_eq!(numbers(&place.read("old.csv")).rows, 6);
}

#[test]
fn a_damaged_run_is_noticed() {
    let place = Place::new();
    place.write("Y.csv", header() + &csv(&levels()));
    solve(&place, &spec("0.6", "matrix", L2L2, "transform = \"center\""));
    let text = place.read("run/model.json");
    for (from, to, says) in [
        ("\"format\": 1", "\"format\": 2", "format 2, this version reads 1"),
        ("7,", "8,", "X1.npy: expected 8 x"),
        ("7,", "70000000000,", "are not those of an array"),
        ("\"scale\": [", "\"scale\": [ 1.0,", "one entry per column"),
        ("\"sizes\": [\n    7,\n    3", "\"sizes\": [\n    7,\n    4", "expected 4 columns that were transformed"),
        ("{", "", "not what a run remembers"),
    ] {
        assert!(text.contains(from));
        place.write("run/model.json", text.replacen(from, to, 1));
        refused(&place, &["--complete"], 3, &[says]);
    }
    fs::remove_file(place.path("run/model.json")).unwrap();
    place.write("Y.csv", header() + &csv(&levels().map(|x| x + 1.0)));
    refused(&place, &["--complete"], 3, &["the data changed since the run was written"]);
    place.write("run/model.json", &text);
    fs::remove_file(place.path("run/factors/X2.npy")).unwrap();
    refused(&place, &["--complete"], 3, &["X2.npy: cannot be read"]);
}
