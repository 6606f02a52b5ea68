//! `homfac solve`: small problems with answers from pencil and paper, the flags, interrupts.

use crate::common::*;
use crate::naive::{self, Grid};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A solve of the table `y` that must be proven global with this objective.
#[track_caller]
fn global(y: &Grid, spec: &str, objective: f64) {
    let place = Place::new();
    place.write("Y.csv", csv(y));
    let c = place.solve(spec, "run", &[], 0);
    assert_eq!(word(&c, "/verdict"), "global");
    close(number(&c, "/objective/total"), objective, 1e-4);
    assert!(number(&c, "/lower_bound") <= objective * (1.0 + 1e-12));
}

#[test]
fn a_full_matrix_has_its_singular_values_thresholded() {
    // 4, 3, 1 -> 3, 2, 0: (1 + 1 + 1) / 2 + 3 + 2
    global(&diagonal(), &spec("1.0", "matrix", L2L2, ""), 6.5);
}

#[test]
fn observed_entries_of_a_row_shrink_as_a_vector() {
    // lambda |y| - lambda^2 / 2 with |y| = 5
    let y = Grid::from_fn(1, 3, |_, j| [3.0, f64::NAN, 4.0][j]);
    global(&y, &spec("2.0", "matrix", L2L2, ""), 8.0);
    let place = Place::new();
    place.write("Y.csv", "3,100,4\n");
    place.write("mask.csv", "1,0,1\n");
    let c = place.solve(&spec("2.0", "matrix", L2L2, "mask = \"mask.csv\""), "run", &[], 0);
    close(number(&c, "/objective/total"), 8.0, 1e-4);
}

#[test]
fn weights_scale_the_loss_and_zero_means_unobserved() {
    // lambda |y| - lambda^2 / (2 w)
    let place = Place::new();
    place.write("Y.csv", "3,100,4\n");
    place.write("w.csv", "2,0,2\n");
    let c = place.solve(&spec("2.0", "matrix", L2L2, "weights = \"w.csv\""), "entries", &[], 0);
    close(number(&c, "/objective/total"), 9.0, 1e-4);
    place.write("axis.csv", "2\n0\n2\n");
    let axis = spec("2.0", "matrix", L2L2, "weights = { path = \"axis.csv\", axis = 2 }");
    let c = place.solve(&axis, "columns", &[], 0);
    close(number(&c, "/objective/total"), 9.0, 1e-4);
    place.write("row.csv", "2\n");
    let axis = spec("2.0", "matrix", L2L2, "mask = \"w.csv\"\nweights = { path = \"row.csv\", axis = 1 }");
    let c = place.solve(&axis, "rows", &[], 0);
    close(number(&c, "/objective/total"), 9.0, 1e-4);
}

#[test]
fn l1_times_l1_thresholds_every_entry_by_itself() {
    // lambda |y| - lambda^2 / (2 w) where w |y| > lambda, else w y^2 / 2
    let place = Place::new();
    place.write("Y.csv", "3,-2,0.25\n1,,5\n");
    place.write("w.csv", "1,2,1\n0.5,1,4\n");
    let y = [3.0f64, -2.0, 0.25, 1.0, 5.0];
    let w = [1.0, 2.0, 1.0, 0.5, 4.0];
    let value = |(y, w): (&f64, &f64)| if w * y.abs() > 1.0 { y.abs() - 0.5 / w } else { w * y * y / 2.0 };
    let wanted: f64 = y.iter().zip(&w).map(value).sum();
    let c = place.solve(&spec("1.0", "matrix", "{ norm = \"l1\" }", "weights = \"w.csv\""), "run", &[], 0);
    close(number(&c, "/objective/total"), wanted, 1e-4);
}

#[test]
fn l1_times_l2_and_linf_shrink_rows_as_vectors() {
    // rows 3 4 and 0.6 0.8 under lambda = 1: norms 5 and 1, the second is at the threshold
    let y = Grid::from_fn(2, 2, |i, j| [[3.0, 4.0], [0.6, 0.8]][i][j]);
    global(&y, &spec("1.0", "matrix", "{ norm = \"l1\" }, { norm = \"l2\" }", ""), 5.0 - 0.5 + 0.5);
    // v in linf: the maximum norm's prox
    let clipped = |a: f64, b: f64| {
        // a <= b: clip b by 1 if it stays above a, else both to (a + b - 1) / 2
        let level = if b - 1.0 >= a { b - 1.0 } else { (a + b - 1.0) / 2.0 };
        let cut = |y: f64| 0.5 * (y - y.min(level)).powi(2);
        cut(a) + cut(b) + level
    };
    let wanted = clipped(3.0, 4.0) + clipped(0.6, 0.8);
    global(&y, &spec("1.0", "matrix", "{ norm = \"l1\" }, { norm = \"linf\" }", ""), wanted);
}

#[test]
fn a_sign_pattern_under_linf_shrinks_as_one_number() {
    // Y = 2 s t': (mn / 2)(2 - x)^2 + lambda x, least at x = 2 - lambda / mn
    let sign = |k: usize| if k.is_multiple_of(2) { 1.0 } else { -1.0 };
    let y = Grid::from_fn(3, 4, |i, j| 2.0 * sign(i) * sign(j));
    let lambda = 3.0;
    global(&y, &spec("3.0", "matrix", "{ norm = \"linf\" }", ""), lambda * 2.0 - lambda * lambda / 24.0);
}

#[test]
fn a_symmetric_matrix_keeps_its_positive_eigenvalues() {
    // 4, 2, -1 -> 3, 1, 0: (1 + 1 + 1) / 2 + 3 + 1
    let y = Grid::from_fn(3, 3, |i, j| if i == j { [4.0, 2.0, -1.0][i] } else { 0.0 });
    global(&y, &spec("1.0", "psd", "{ norm = \"l2\" }", ""), 5.5);
    global(&y, &spec("1.0", "psd", NONNEGATIVE, ""), 5.5);
}

#[test]
fn nonnegative_factors_of_a_nonnegative_rank_one_matrix_are_found() {
    // sigma u v' with sigma = 5 * 13: lambda sigma - lambda^2 / 2
    let y = Grid::from_fn(2, 2, |i, j| [3.0, 4.0][i] * [5.0, 12.0][j]);
    global(&y, &spec("10.0", "matrix", NONNEGATIVE, ""), 600.0);
    // of the opposite sign nothing can be fitted
    global(&y.map(|x| -x), &spec("10.0", "matrix", NONNEGATIVE, ""), 0.5 * 65.0 * 65.0);
    let nonpositive = "{ norm = \"l2\", cone = \"nonnegative\" }, { norm = \"l2\", cone = \"nonpositive\" }";
    global(&y.map(|x| -x), &spec("10.0", "matrix", nonpositive, ""), 600.0);
}

#[test]
fn a_weight_scales_a_norm() {
    // the same problem as lambda * 2 * 0.25 = 1
    let factors = "{ norm = \"l2\", weight = 2.0 }, { norm = \"l2\", weight = 0.25 }";
    global(&diagonal(), &spec("2.0", "matrix", factors, ""), 6.5);
    // 1, 2 and 4 times dearer rows: thresholds 1, 2, 4 on 4, 3, 1
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    place.write("d.csv", "1\n2\n4\n1\n");
    let factors = "{ norm = \"l1\", weight = { path = \"d.csv\" } }, { norm = \"l1\" }";
    let c = place.solve(&spec("1.0", "matrix", factors, ""), "run", &[], 0);
    close(number(&c, "/objective/total"), (4.0 - 0.5) + (6.0 - 2.0) + 0.5, 1e-4);
}

#[test]
fn every_norm_and_cone_ends_in_a_run_that_verifies() {
    let norms = ["l1", "l2", "linf"];
    let cones = ["", ", cone = \"nonnegative\"", ", cone = \"nonpositive\""];
    let place = Place::new();
    place.write("Y.csv", csv(&scattered(5, 4)));
    for (a, u) in norms.iter().enumerate() {
        for (b, v) in norms.iter().enumerate() {
            let (p, q) = (cones[(a + b) % 3], cones[(a + 2 * b) % 3]);
            let factors = format!("{{ norm = \"{u}\"{p} }}, {{ norm = \"{v}\"{q} }}");
            place.write("spec.toml", spec("{ relative = 0.3 }", "matrix", &factors, ""));
            let run = format!("{u}-{v}");
            let code = place.run(&["solve", "spec.toml", "-q", "-o", &run]).code;
            let c = verify_run(&place.path(&run), code);
            assert!(["global", "within"].contains(&word(&c, "/verdict")), "{factors}: {}", word(&c, "/verdict"));
        }
    }
}

#[test]
fn every_layout_of_both_mappings_ends_in_a_run_that_verifies() {
    let place = Place::new();
    let table = scattered(5, 5);
    // symmetric, as psd wants it, values and holes alike
    let hole = |i: usize, j: usize| [(0, 3), (3, 0), (2, 2), (4, 1), (1, 4)].contains(&(i, j));
    let y = Grid::from_fn(5, 5, |i, j| if hole(i, j) { f64::NAN } else { table.at(i, j) + table.at(j, i) });
    place.write("Y.csv", csv(&y));
    place.write("full.csv", csv(&Grid::from_fn(5, 5, |i, j| table.at(i, j) + table.at(j, i))));
    place.write("w.csv", csv(&Grid::from_fn(5, 5, |i, j| ((i + j) % 3) as f64 / 2.0 + if i == j { 0.5 } else { 0.0 })));
    place.write("mask.csv", csv(&Grid::from_fn(5, 5, |i, j| f64::from(u8::from((i * j) % 4 != 2)))));
    place.write("held.csv", csv(&Grid::from_fn(5, 5, |i, j| f64::from(u8::from(i + j == 5)))));
    let layouts = [
        "",
        "mask = \"mask.csv\"",
        "weights = \"w.csv\"",
        "holdout = \"held.csv\"",
        "mask = \"mask.csv\"\nweights = \"w.csv\"\nholdout = { path = \"held.csv\" }\ntransform = { subtract = 0.25 }",
    ];
    let kinds = [("matrix", L2L2), ("matrix", NONNEGATIVE), ("psd", "{ norm = \"l2\" }"), ("psd", NONNEGATIVE)];
    for (k, (mapping, factors)) in kinds.iter().enumerate() {
        for (l, layout) in layouts.iter().enumerate() {
            for (t, target) in ["\"Y.csv\"", "\"full.csv\""].iter().enumerate() {
                place.write("spec.toml", spec_on(target, "{ relative = 0.2 }", mapping, factors, layout));
                let run = format!("run{k}{l}{t}");
                let form = if l % 2 == 0 { "regularizer.form=sum" } else { "regularizer.form=product" };
                let code = place.run(&["solve", "spec.toml", "-q", "-o", &run, "--set", form]).code;
                verify_run(&place.path(&run), code);
                let again = place.run(&["check", &run, "-q"]).code;
                assert_eq!(again, code, "{mapping} {factors} {layout} {target}");
            }
        }
    }
}

#[test]
fn lifted_dual_points_prove_their_bounds() {
    let half = "{ norm = \"l2\", cone = \"nonnegative\", weight = 2.0 }, { norm = \"l2\" }";
    let place = Place::new();
    let mut sources = Vec::new();
    for (k, factors) in [NONNEGATIVE, half].iter().enumerate() {
        // on fewer directions a search proves more than the lift does
        for (rows, cols) in [(8, 8), (12, 6), (16, 20), (20, 16)] {
            place.write("Y.csv", csv(&noise(rows, cols)));
            place.write("spec.toml", spec("{ relative = 0.3 }", "matrix", factors, ""));
            let run = format!("run{k}-{rows}");
            let code = place.run(&["solve", "spec.toml", "-q", "-o", &run]).code;
            let c = verify_run(&place.path(&run), code);
            sources.push(word(&c, "/bound/source").to_string());
            // the saved point is proven again by somebody who does not know where it came from
            assert_eq!(place.run(&["check", &run, "-q"]).code, code);
        }
    }
    assert!(sources.iter().any(|s| s.contains("lift_full")), "{sources:?}");
    assert!(sources.iter().any(|s| s.contains("lift_small_side")), "{sources:?}");
}

#[test]
fn one_factor_in_an_orthant_is_proven_global_where_its_lift_is_loose() {
    let place = Place::new();
    let mut closed = 0;
    for (k, factors) in [format!("{NONNEGATIVE}, {{ norm = \"l2\" }}"), format!("{{ norm = \"l2\" }}, {NONNEGATIVE}")]
        .iter()
        .enumerate()
    {
        for (rows, cols) in [(12, 4), (9, 5), (5, 9)] {
            place.write("Y.csv", csv(&noise(rows, cols)));
            place.write("spec.toml", spec("{ relative = 0.4 }", "matrix", factors, "[certificate]\ntarget_gap = 1e-6"));
            let run = format!("run{k}-{rows}");
            let c = verify_run(&place.path(&run), place.run(&["solve", "spec.toml", "-q", "-o", &run]).code);
            assert_eq!(word(&c, "/verdict"), "global", "{factors}, {rows} x {cols}");
            if word(&c, "/bound/source") == "relaxation:priced" {
                closed += 1;
                assert_eq!(word(&c, "/bound/method"), "leading_directions");
                assert_eq!(word(&c, "/polar/method"), "leading_directions");
                assert!(number(&c, "/polar/upper") >= number(&c, "/polar/lower"));
            }
            place.run(&["check", &run, "-q"]).exits(0);
        }
    }
    assert!(closed >= 2, "{closed}");
}

#[test]
fn the_search_for_a_bound_is_about_the_residual_with_its_intercepts() {
    let place = Place::new();
    let noise = noise(330, 5);
    place.write("Y.csv", csv(&Grid::from_fn(330, 5, |i, j| noise.at(i, j) + j as f64 * (1.0 + (i % 3) as f64))));
    let factors = format!("{NONNEGATIVE}, {{ norm = \"l2\" }}");
    for (k, penalty) in ["", "penalty = { norm = \"l2_squared\", weight = 30.0 }"].iter().enumerate() {
        let mut sources = Vec::new();
        for axis in [1, 2] {
            let extra = format!("[[extra]]\nkind = \"intercept\"\naxis = {axis}\n{penalty}");
            let more = format!("{extra}\n[certificate]\ntarget_gap = 1e-6");
            place.write("spec.toml", spec("{ relative = 0.5 }", "matrix", &factors, &more));
            let run = format!("run{k}{axis}");
            let c = place.run(&["solve", "spec.toml", "-q", "-o", &run, "--json"]).exits(0).json();
            sources.push((word(&c, "/bound/source").to_string(), word(&c, "/polar/method").to_string()));
            assert!(number(&c, "/polar/lower") <= number(&c, "/polar/upper"));
            let again = place.run(&["check", &run, "-q", "--json"]).exits(0).json();
            close(number(&again, "/lower_bound"), number(&c, "/lower_bound"), 1e-14);
        }
        assert!(sources.contains(&("relaxation:priced".into(), "leading_directions".into())), "{penalty}: {sources:?}");
    }
}

#[test]
fn both_forms_have_the_same_optimum() {
    for factors in [L2L2, NONNEGATIVE, "{ norm = \"l1\" }, { norm = \"linf\" }"] {
        let place = Place::new();
        place.write("Y.csv", csv(&scattered(4, 3)));
        let more = "[certificate]\ntarget_gap = 1e-6";
        let product = place.solve(&spec("0.5", "matrix", factors, more), "product", &[], 0);
        let sum = place.solve(&spec("0.5", "matrix", factors, more), "sum", &["--set", "regularizer.form=sum"], 0);
        assert!(place.read("sum/spec.toml").contains("form = \"sum\""));
        close(number(&sum, "/objective/total"), number(&product, "/objective/total"), 2e-6);
    }
}

#[test]
fn a_fitted_power_is_balanced() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    let more = "[regularizer]\nform = \"sum\"\npower = 2\n";
    let text = spec("1.0", "matrix", L2L2, "").replace("[regularizer]\n", more);
    close(number(&place.solve(&text, "run", &[], 0), "/objective/total"), 6.5, 1e-4);
}

#[test]
fn held_out_entries_are_predicted_and_never_fitted() {
    let place = Place::new();
    place.write("Y.csv", csv(&scattered(4, 4)));
    let mask = "0,1,0,0\n0,0,0,0\n1,0,0,0\n0,0,0,1\n";
    place.write("held.csv", mask);
    let c = place.solve(&spec("0.4", "matrix", L2L2, "holdout = { path = \"held.csv\" }"), "file", &[], 0);
    assert_eq!(c["holdout"]["entries"], 3);
    // the fit is that of a target in which they are missing
    let y = scattered(4, 4);
    let left =
        Grid::from_fn(4, 4, |i, j| if [(0, 1), (2, 0), (3, 3)].contains(&(i, j)) { f64::NAN } else { y.at(i, j) });
    place.write("left.csv", csv(&left));
    let same = place.solve(&spec_on("\"left.csv\"", "0.4", "matrix", L2L2, ""), "left", &[], 0);
    assert_eq!(c["objective"], same["objective"]);
    assert!(same["holdout"].is_null());

    // drawn by the seed: which ones they are is found by trying all pairs
    let drawn = spec("0.4", "matrix", L2L2, "holdout = 0.125");
    let one = place.solve(&drawn, "drawn", &[], 0);
    assert_eq!(one["holdout"]["entries"], 2);
    let again = place.solve(&drawn, "again", &[], 0);
    assert_eq!(one["holdout"], again["holdout"]);
    let other = place.solve(&drawn, "other", &["--seed", "7"], 0);
    assert_ne!(one["holdout"], other["holdout"], "another seed draws other entries");
}

#[test]
fn every_transform_fits_what_doing_it_by_hand_gives() {
    let y = scattered(5, 3).map(|x| x + 2.0);
    let mean = |j: usize| y.column(j).iter().sum::<f64>() / 5.0;
    let deviation = |j: usize| (y.column(j).iter().map(|v| (v - mean(j)).powi(2)).sum::<f64>() / 5.0).sqrt();
    let by_hand = |f: &dyn Fn(f64, usize) -> f64| Grid::from_fn(5, 3, |i, j| f(y.at(i, j), j));
    let cases = [
        ("\"none\"", by_hand(&|v, _| v)),
        ("\"center\"", by_hand(&|v, j| v - mean(j))),
        ("\"scale\"", by_hand(&|v, j| v / deviation(j))),
        ("\"standardize\"", by_hand(&|v, j| (v - mean(j)) / deviation(j))),
        ("\"log1p\"", by_hand(&|v, _| (1.0 + v).ln())),
        ("{ subtract = 1.5 }", by_hand(&|v, _| v - 1.5)),
    ];
    for (transform, table) in cases {
        let place = Place::new();
        place.write("Y.csv", csv(&y));
        place.write("T.csv", csv(&table));
        let c = place.solve(&spec("0.7", "matrix", L2L2, &format!("transform = {transform}")), "run", &[], 0);
        let wanted = place.solve(&spec_on("\"T.csv\"", "0.7", "matrix", L2L2, ""), "by_hand", &[], 0);
        close(number(&c, "/objective/total"), number(&wanted, "/objective/total"), 1e-9);
        assert!(place.read("run/spec.toml").contains(&format!("transform = {transform}")));
        // the RMSE is in the units of the file: checked by verify_run
        let held = spec("0.7", "matrix", L2L2, &format!("transform = {transform}\nholdout = 0.1"));
        place.solve(&held, "held", &[], 0);
    }
}

#[test]
fn a_relative_lambda_is_resolved_and_lambda_max_reported() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    let c = place.solve(&spec("{ relative = 0.25 }", "matrix", L2L2, ""), "run", &[], 0);
    close(number(&c, "/lambda_max/found"), 4.0, 1e-12);
    close(number(&c, "/lambda_max/upper"), 4.0, 1e-12);
    assert_eq!(number(&c, "/lambda"), 0.25 * number(&c, "/lambda_max/found"));
    close(number(&c, "/objective/total"), 6.5, 1e-4);
    assert!(place.read("run/spec.toml").contains("# asked for as { relative = 0.25 }"));
    // with a number it is merely reported
    let same = place.solve(&spec("2.0", "matrix", L2L2, ""), "number", &[], 0);
    assert_eq!(same["lambda_max"], c["lambda_max"]);
    // and depends on the data alone
    let other = place.solve(&spec("{ relative = 0.25 }", "matrix", L2L2, ""), "seed", &["--seed", "3"], 0);
    assert_eq!(other["lambda"], c["lambda"]);
}

#[test]
fn above_lambda_max_zero_is_optimal_and_has_no_slices() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    let c = place.solve(&spec("4.5", "matrix", L2L2, ""), "run", &[], 0);
    assert_eq!((word(&c, "/verdict"), &c["rank"]), ("global", &serde_json::json!(0)));
    close(number(&c, "/objective/total"), 13.0, 1e-12);
    assert_eq!(place.run(&["check", "run"]).code, 0);
}

#[test]
fn flags_change_the_spec_and_the_resolved_spec_says_so() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    let text = spec("1.0", "matrix", L2L2, "[solver]\nseed = 1");
    let flags = ["--set", "solver.max_rank=1", "--set", "lambda=9", "--lambda", "2", "--seed", "11", "--threads", "1"];
    let c = place.solve(&text, "run", &flags, 1);
    assert_eq!((number(&c, "/lambda"), &c["rank"]), (2.0, &serde_json::json!(1)));
    let resolved: toml::Table = place.read("run/spec.toml").parse().unwrap();
    let solver = &resolved["solver"];
    assert_eq!(solver["max_rank"].as_integer(), Some(1));
    assert_eq!((solver["seed"].as_integer(), solver["threads"].as_integer()), (Some(11), Some(1)));
    let relative = place.solve(&text, "relative", &["--lambda", "{ relative = 0.5 }"], 0);
    close(number(&relative, "/lambda"), 2.0, 1e-12);
    let factor = place.solve(&text, "norm", &["--set", "regularizer.factors[1].norm=l1"], 0);
    // columns 4, 3, 1 under l2 x l1 with lambda 1
    close(number(&factor, "/objective/total"), 3.5 + 2.5 + 0.5, 1e-4);
    assert_eq!(place.read("spec.toml"), text, "the user's spec is left alone");
}

#[test]
fn threads_and_seeds_do_not_change_the_optimum() {
    let place = Place::new();
    place.write("Y.csv", csv(&scattered(6, 5)));
    let text = spec("0.3", "matrix", L2L2, "[certificate]\ntarget_gap = 1e-6");
    let base = place.solve(&text, "base", &["--threads", "1"], 0);
    for (run, flags) in [("two", ["--threads", "2"]), ("seed", ["--seed", "5"])] {
        let c = place.solve(&text, run, &flags, 0);
        close(number(&c, "/objective/total"), number(&base, "/objective/total"), 2e-6);
    }
}

#[test]
fn json_prints_exactly_the_certificate_whatever_the_verdict() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    place.write("spec.toml", spec("1.0", "matrix", L2L2, ""));
    for (run, set, code, verdict) in [("a", "solver.seed=0", 0, "global"), ("b", "solver.max_rank=1", 1, "refuted")] {
        let out = place.run(&["solve", "spec.toml", "-o", run, "--json", "--set", set]).exits(code);
        assert_eq!(out.stdout, place.read(&format!("{run}/certificate.json")));
        assert!(!out.stderr.contains("\"format\""));
        let c = verify_run(&place.path(run), code);
        assert_eq!(word(&c, "/verdict"), verdict);
        out.says(&[
            "homfac 0.1.0   spec",
            " iter  rank     objective   lower bound",
            &format!("verdict        {verdict}"),
        ]);
        let quiet = place.run(&["solve", "spec.toml", "-o", run, "--force", "--json", "-q", "--set", set]).exits(code);
        assert_eq!(quiet.stderr, "");
        assert_eq!(quiet.stdout, place.read(&format!("{run}/certificate.json")));
    }
}

#[test]
fn quiet_says_nothing_and_the_log_goes_to_standard_error() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    place.write("spec.toml", spec("1.0", "matrix", L2L2, ""));
    let quiet = place.run(&["solve", "spec.toml", "-q", "-o", "quiet"]).exits(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    verify_run(&place.path("quiet"), 0);
    let loud = place.run(&["solve", "spec.toml", "-v", "-o", "loud"]).exits(0);
    assert_eq!(loud.stdout, "");
    loud.says(&[
        "Y.csv: it has no header",
        "equal_slices",
        "written to     loud",
        "problem        matrix 4 x 3, 12 observed",
    ]);
}

#[test]
fn an_existing_folder_is_replaced_only_by_force() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    let text = spec("1.0", "matrix", L2L2, "");
    place.solve(&text, "run", &[], 0);
    let before = place.tree("run");
    place.run(&["solve", "spec.toml", "-o", "run"]).exits(3).says(&["error: run: exists already", "--force"]);
    assert_eq!(place.tree("run"), before);
    let c = place.solve(&text, "run", &["--force", "--lambda", "2"], 0);
    assert_eq!(number(&c, "/lambda"), 2.0);
    place.write("mine/notes.txt", "precious");
    place.run(&["solve", "spec.toml", "-o", "mine", "--force"]).exits(3).says(&["not a run folder"]);
    assert_eq!(place.read("mine/notes.txt"), "precious");
    let names: Vec<String> =
        std::fs::read_dir(place.path("")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!names.iter().any(|n| n.contains("partial")), "{names:?}");
}

#[test]
fn the_folder_is_runs_and_the_name_unless_told_otherwise() {
    let place = Place::new();
    place.write("deep/Y.csv", csv(&diagonal()));
    place.write("deep/movies.toml", spec("1.0", "matrix", L2L2, ""));
    place.run(&["solve", "deep/movies.toml", "-q"]).exits(0);
    // data paths are relative to the spec, the output folder to the working directory
    assert_eq!(word(&verify_run(&place.path("runs/movies"), 0), "/name"), "movies");
    let named = format!("name = \"films\"\n{}\n[output]\ndir = \"out/here\"", spec("1.0", "matrix", L2L2, ""));
    place.write("deep/named.toml", named);
    place.run(&["solve", "deep/named.toml", "-q"]).exits(0);
    let c = verify_run(&place.path("out/here"), 0);
    assert_eq!((word(&c, "/name"), word(&c, "/data/0/path")), ("films", "Y.csv"));
}

#[test]
fn a_rerun_gives_the_same_bytes_except_for_time() {
    let cases = [
        (L2L2, "holdout = 0.1", "matrix"),
        (NONNEGATIVE, "", "matrix"),
        ("{ norm = \"linf\" }, { norm = \"l2\", cone = \"nonnegative\" }", "", "matrix"),
    ];
    for (factors, more, mapping) in cases {
        let place = Place::new();
        place.write("Y.csv", csv(&scattered(5, 4)));
        place.write("spec.toml", spec("{ relative = 0.2 }", mapping, factors, more));
        let code = place.run(&["solve", "spec.toml", "-q", "-o", "one"]).code;
        place.run(&["solve", "spec.toml", "-q", "-o", "two"]).exits(code);
        let (one, two) = (place.tree("one"), place.tree("two"));
        assert_eq!(timeless(&one), timeless(&two));
        // and the resolved spec solves to the same again
        place.run(&["solve", "one/spec.toml", "-q", "-o", "three"]).exits(code);
        let (a, b) = (place.read("one/certificate.json"), place.read("three/certificate.json"));
        let (mut a, mut b): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(&a).unwrap(), serde_json::from_str(&b).unwrap());
        // (but for the data's path, which is now the resolved one)
        [&mut a, &mut b].iter_mut().for_each(|c| (c["time"], c["data"][0]["path"]) = Default::default());
        assert_eq!(a, b);
    }
}

#[test]
fn the_resolved_spec_lists_what_was_defaulted() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    place.solve(
        &spec("1", "matrix", L2L2, "").replace("[regularizer]", "[regularizer]\nform = \"product\""),
        "run",
        &[],
        0,
    );
    let t: toml::Table = place.read("run/spec.toml").parse().unwrap();
    assert_eq!(t["name"].as_str(), Some("spec"));
    assert_eq!(t["lambda"].as_float(), Some(1.0));
    assert_eq!(t["regularizer"]["form"].as_str(), Some("product"));
    assert_eq!(t["regularizer"]["factors"][1]["weight"].as_float(), Some(1.0));
    assert_eq!(t["loss"]["kind"].as_str(), Some("squared"));
    assert_eq!((t["solver"]["seed"].as_integer(), t["solver"]["initial_rank"].as_integer()), (Some(0), Some(1)));
    assert_eq!(t["certificate"]["target_gap"].as_float(), Some(1e-4));
    assert_eq!(t["certificate"]["effort"].as_str(), Some("default"));
    assert_eq!(t["data"]["transform"].as_str(), Some("none"));
    assert_eq!(t["data"]["target"]["path"].as_str(), Some("../Y.csv"));
}

#[test]
fn a_warm_start_continues_from_a_run() {
    let place = Place::new();
    place.write("Y.csv", csv(&scattered(6, 5)));
    let more = "[certificate]\ntarget_gap = 1e-6";
    let cold = place.solve(&spec("0.3", "matrix", L2L2, more), "cold", &[], 0);
    // started where it ended, it stays there
    let warm = format!("{more}\n[solver]\nwarm_start = \"cold\"");
    let again = place.solve(&spec("0.3", "matrix", L2L2, &warm), "again", &[], 0);
    close(number(&again, "/objective/total"), number(&cold, "/objective/total"), 1e-6);
    assert_eq!(place.read("again/trace.csv").lines().count(), 2, "a single row after the header");
    // the resolved spec finds the run from its own folder
    assert!(place.read("again/spec.toml").contains("warm_start = \"../cold\""));
    place.run(&["solve", "again/spec.toml", "-q", "-o", "third"]).exits(0);
    // another lambda: the same optimum as from cold
    let other = place.solve(&spec("0.5", "matrix", L2L2, more), "other", &[], 0);
    let moved = place.solve(&spec("0.5", "matrix", L2L2, &warm), "moved", &[], 0);
    close(number(&moved, "/objective/total"), number(&other, "/objective/total"), 2e-6);
    // a cone is respected by projecting
    place.write("spec.toml", spec("0.5", "matrix", NONNEGATIVE, &warm));
    let code = place.run(&["solve", "spec.toml", "-q", "-o", "cone"]).code;
    verify_run(&place.path("cone"), code);
}

#[test]
fn a_time_limit_bounds_solving_and_certifying_together() {
    let place = Place::new();
    place.write("Y.npy", naive::npy_bytes(&big()));
    let text = spec_on("\"Y.npy\"", "{ relative = 0.02 }", "matrix", NONNEGATIVE, "[certificate]\ntarget_gap = 1e-8");
    let clock = Instant::now();
    let c = place.solve(&text, "run", &["--time-limit", "1s"], 1);
    assert_eq!(word(&c, "/stopped_by"), "time");
    assert!(number(&c, "/time/solve_s") + number(&c, "/time/certify_s") < 5.0, "{}", c["time"]);
    // what comes before and after, and the verification, on a busy machine
    assert!(clock.elapsed() < Duration::from_secs(20), "{:?}", clock.elapsed());
    assert!(number(&c, "/lower_bound") > 0.0);
}

/// Nonnegative, full rank: nothing is proven of it soon.
fn big() -> Grid {
    Grid::from_fn(500, 400, |i, j| ((i * 7919 + j * 104_729 + (i * j) % 89 * 31) % 1009) as f64 / 1009.0)
}

/// A long solve, at the moment its first row appears.
fn started(place: &Place, more: &[&str]) -> (Child, BufReader<std::process::ChildStderr>) {
    place.write("Y.npy", naive::npy_bytes(&big()));
    let text = spec_on("\"Y.npy\"", "{ relative = 0.02 }", "matrix", NONNEGATIVE, "[certificate]\ntarget_gap = 1e-8");
    place.write("spec.toml", text);
    let args: Vec<&str> = ["solve", "spec.toml", "-o", "run"].into_iter().chain(more.iter().copied()).collect();
    let mut child = place.start(&args);
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("    0 ") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "the log ended before its first row");
    }
    (child, log)
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

fn rest(mut log: BufReader<std::process::ChildStderr>) -> String {
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn an_interrupt_writes_the_best_point_and_its_certificate() {
    let place = Place::new();
    let (mut child, log) = started(&place, &[]);
    signal(&child, "-INT");
    let text = rest(log);
    assert_eq!(child.wait().unwrap().code(), Some(130), "{text}");
    let c = verify_run(&place.path("run"), 130);
    assert_eq!(word(&c, "/stopped_by"), "interrupt");
    assert!(text.contains("the interrupt") && text.contains("written to     run"), "{text}");
    assert!(text.contains("interrupted: what is begun is brought to an end (once more: stops at once)"), "{text}");
}

#[test]
fn a_killed_run_leaves_no_folder_or_the_old_one() {
    let place = Place::new();
    let (mut child, log) = started(&place, &[]);
    signal(&child, "-KILL");
    rest(log);
    assert_eq!(child.wait().unwrap().code(), None);
    assert!(!place.path("run").exists());
    // the litter of the dead does not stand in the way of the next
    place.write("Y.csv", csv(&diagonal()));
    place.solve(&spec("1.0", "matrix", L2L2, ""), "run", &[], 0);
    let before = place.tree("run");
    let (mut child, log) = started(&place, &["--force"]);
    signal(&child, "-KILL");
    rest(log);
    child.wait().unwrap();
    assert_eq!(place.tree("run"), before);
}

#[test]
fn a_second_interrupt_aborts() {
    let place = Place::new();
    let (mut child, mut log) = started(&place, &[]);
    signal(&child, "-INT");
    let mut said = String::new();
    while !said.contains("once more: stops at once") {
        assert_ne!(log.read_line(&mut said).unwrap(), 0, "{said}");
    }
    // it cannot come to an end before it is a new request
    signal(&child, "-STOP");
    std::thread::sleep(Duration::from_millis(600));
    signal(&child, "-INT");
    signal(&child, "-CONT");
    let text = rest(log);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!place.path("run").exists(), "it went on to the end\n{text}");
}

#[test]
fn an_interrupt_that_comes_twice_at_once_is_one() {
    let place = Place::new();
    let (mut child, log) = started(&place, &[]);
    // as from `timeout`, to the process and to its group; two of one name would be one
    let both = format!("kill -INT {id}; kill -TERM {id}", id = child.id());
    assert!(Command::new("sh").args(["-c", &both]).status().unwrap().success());
    let text = rest(log);
    assert_eq!(child.wait().unwrap().code(), Some(130), "{text}");
    verify_run(&place.path("run"), 130);
    assert_eq!(text.matches("once more").count(), 1, "{text}");
}

#[test]
fn a_spec_comes_from_standard_input() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    let text = spec("1.0", "matrix", L2L2, "");
    let ask = |args: &[&str], text: &str| place.command(args).write_stdin(text).output().unwrap();
    assert_eq!(ask(&["solve", "-", "-q"], &text).status.code(), Some(0));
    verify_run(&place.path("runs/stdin"), 0);
    place.run(&["check", "runs/stdin"]).exits(0);
    assert_eq!(ask(&["explain", "-"], &text).status.code(), Some(0));
    let out = ask(&["explain", "-"], "lambda = -1\n");
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8(out.stderr).unwrap().contains("error: stdin:1: "));
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    place.write("spec.toml", spec("1.0", "matrix", L2L2, ""));
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else { return };
    for args in [&["solve", "spec.toml", "-q", "--json"][..], &["explain", "spec.toml"], &["schema"]] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_homfac"));
        let out = command.current_dir(place.path(".")).args(args).stdout(full.try_clone().unwrap()).output().unwrap();
        let said = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(3), "{args:?}: {said}");
        assert!(said.contains("error: standard output: cannot write: No space left"), "{said}");
    }
}

#[test]
fn a_tiny_lambda_is_a_warning() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    place.write("spec.toml", spec("{ relative = 1e-9 }", "matrix", L2L2, ""));
    let out = place.run(&["solve", "spec.toml", "-o", "tiny", "--time-limit", "20s"]);
    out.says(&["warning: lambda is 1e-9 lambda_max: the answer all but interpolates", "`--time-limit`"]);
    let out = place.run(&["solve", "spec.toml", "-o", "other", "--lambda", "1"]).exits(0);
    assert!(!out.stderr.contains("warning"), "{}", out.stderr);
}
