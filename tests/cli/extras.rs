//! Extra variables end to end: optima that can be written down, run folders, `check` with and without them, and what is refused.

use crate::common::*;
use crate::naive::{npy_bytes, read_npy};
use serde_json::Value;
use std::fs;

/// A spec on `Y.csv` with these extras; what is not a table comes first, in `[data]`.
fn with_extras(lambda: f64, more: &str) -> String {
    let more = format!("{more}\n[certificate]\ntarget_gap = 1e-7");
    spec_on("{ path = \"Y.csv\", header = false }", &lambda.to_string(), "matrix", "{ norm = \"l2\" }", &more)
}

fn extra(kind: &str, more: &str) -> String {
    format!("[[extra]]\nkind = \"{kind}\"\n{more}\n")
}

/// Solves, checks the run with its extras and without, and finds the same; the place and the certificate.
#[track_caller]
fn solved(y: &str, spec: &str) -> (Place, Value) {
    let place = Place::new();
    place.write("Y.csv", y);
    place.write("S.csv", "1\n2\n3\n4\n");
    place.write("spec.toml", spec);
    let c = place.run(&["solve", "spec.toml", "-q", "--json", "-o", "run"]).exits(0).json();
    assert_eq!(word(&c, "/verdict"), "global", "{c}");
    let again = place.run(&["check", "run", "-q", "--json"]).exits(0).json();
    assert_eq!((&c["verdict"], &c["objective"]), (&again["verdict"], &again["objective"]));
    let factors =
        ["check", "--spec", "spec.toml", "--factors", "run/factors/X1.npy", "run/factors/X2.npy", "-q", "--json"];
    let best = place.run(&factors).exits(0).json();
    close(number(&best, "/objective/total"), number(&c, "/objective/total"), 1e-7);
    (place, c)
}

/// (i, j) -> y with a fixed pattern of sign.
fn table(rows: usize, cols: usize, y: impl Fn(usize, usize) -> f64) -> String {
    csv(&crate::naive::Grid::from_fn(rows, cols, y))
}

#[test]
fn optima_that_can_be_written_down() {
    // what no intercept fits: sums to 0 along rows and columns, has one singular value 0.1 sqrt(8), and costs half its square
    let rest = |i: usize, j: usize| 0.1 * [1.0, -1.0, 1.0, -1.0][i] * [1.0, -1.0, 0.0][j];
    let cost = 0.04;
    let constant = table(4, 3, |i, j| 2.0 + rest(i, j));
    let rows = table(4, 3, |i, j| i as f64 - 1.0 + rest(i, j));
    // free intercepts take everything that is constant along their axis
    for (y, axis) in [(&constant, "1"), (&constant, "2"), (&constant, "\"global\""), (&rows, "1")] {
        let (_, c) = solved(y, &with_extras(0.5, &extra("intercept", &format!("axis = {axis}"))));
        close(number(&c, "/objective/total"), cost, 1e-9);
        assert_eq!(number(&c, "/rank"), 0.0);
    }
    // lambda above sigma_1: X = 0, and each row's q shrinks its mean
    let cases = [
        // 3 (2 - q)^2 / 2 + w |q| per row, q = 2 - w / 3
        ("{ norm = \"l1\", weight = 1.5 }", 4.0 * (3.0 * 0.125 + 1.5 * 1.5)),
        // 3 (2 - q)^2 / 2 + w q^2 / 2, q = 1
        ("{ norm = \"l2_squared\", weight = 3.0 }", 4.0 * 3.0),
        // all rows alike: ||q|| = 2 q
        ("{ norm = \"l2\", weight = 3.0 }", 4.0 * 3.0 * 0.125 + 3.0 * 2.0 * 1.5),
        ("\"nonnegative\"", 0.0),
    ];
    for (penalty, wanted) in cases {
        let (_, c) =
            solved(&constant, &with_extras(10.0, &extra("intercept", &format!("axis = 1\npenalty = {penalty}"))));
        close(number(&c, "/objective/total"), wanted + cost, 1e-6);
    }
    let negative = table(4, 3, |i, j| rest(i, j) - 2.0);
    let (_, c) = solved(&negative, &with_extras(10.0, &extra("intercept", "axis = 1\npenalty = \"nonnegative\"")));
    close(number(&c, "/objective/total"), 24.0 + cost, 1e-9);
    // outliers turn the square into Huber's function
    let spike = table(4, 3, |i, j| if (i, j) == (1, 1) { 5.0 } else { 0.0 });
    let outliers = |penalty: &str| extra("outliers", &format!("penalty = {penalty}"));
    let (place, c) = solved(&spike, &with_extras(10.0, &outliers("{ norm = \"l1\", weight = 0.5 }")));
    close(number(&c, "/objective/total"), 0.5 * (5.0 - 0.25), 1e-9);
    close(number(&c, "/objective/extras"), 0.5 * 4.5, 1e-9);
    let q = read_npy(&fs::read(place.path("run/extras/outliers.npy")).unwrap());
    assert_eq!((q.rows, q.cols), (4, 3));
    close(q.at(1, 1), 4.5, 1e-9);
    let two = table(4, 3, |i, j| [5.0, -1.0, 0.0][(3 * i + j).min(2)]);
    let (_, c) = solved(&two, &with_extras(10.0, &outliers("\"nonnegative\"")));
    close(number(&c, "/objective/total"), 0.5, 1e-9);
    let (_, c) = solved(&spike, &with_extras(10.0, &outliers("{ norm = \"l2_squared\", weight = 1.0 }")));
    close(number(&c, "/objective/total"), 25.0 / 4.0, 1e-6);
    let (_, c) = solved(&spike, &with_extras(10.0, &outliers("{ norm = \"l2\", weight = 2.0 }")));
    close(number(&c, "/objective/total"), 2.0 + 2.0 * 3.0, 1e-6);
}

#[test]
fn covariates_regress_and_are_certified() {
    // the rest is orthogonal to the side matrix: it costs half of 0.01 (4 + 1) (1 + 1)
    let rest = |i: usize, j: usize| 0.1 * [2.0, -1.0, 0.0, 0.0][i] * [1.0, -1.0, 0.0][j];
    let y = table(4, 3, |i, j| (i + 1) as f64 * (j as f64 - 1.0) + rest(i, j));
    let (place, c) = solved(&y, &with_extras(0.5, &extra("covariates", "axis = 1\nside = \"S.csv\"")));
    close(number(&c, "/objective/total"), 0.05, 1e-9);
    let b = read_npy(&fs::read(place.path("run/extras/covariates.npy")).unwrap());
    assert_eq!((b.rows, b.cols), (1, 3));
    close(b.at(0, 2), 1.0, 1e-9);
    let noisy = csv(&noise(4, 6));
    for loss in ["kind = \"squared\"", "kind = \"huber\"\ndelta = 0.4"] {
        for penalty in [
            "\"none\"",
            "\"nonnegative\"",
            "{ norm = \"l2_squared\", weight = 0.5 }",
            "{ norm = \"l1\", weight = 0.5 }",
        ] {
            let block = extra("covariates", &format!("axis = 1\nside = \"S.csv\"\npenalty = {penalty}"));
            solved(&noisy, &with_extras(0.4, &format!("[loss]\n{loss}\n{block}")));
        }
    }
}

#[test]
fn several_blocks_at_once_and_every_loss_with_intercepts_are_certified() {
    let real = csv(&noise(7, 5));
    let signs = csv(&noise(7, 5).map(|x| if x > 0.2 { 1.0 } else { -1.0 }));
    let counts = csv(&noise(7, 5).map(|x| (3.0 * x.abs()).floor()));
    let labels: String = (0..9).map(|k| format!("{}\n", k * k % 5 % 3)).collect();
    let intercepts = extra("intercept", "axis = 1") + &extra("intercept", "axis = 2");
    let cases = [
        (&real, "kind = \"squared\"", intercepts.clone()),
        (&real, "kind = \"huber\"\ndelta = 0.3", intercepts.clone()),
        (&real, "kind = \"quantile\"\nlevel = 0.7\nsmoothing = 0.1", intercepts.clone()),
        (&signs, "kind = \"logistic\"", extra("intercept", "axis = \"global\"")),
        (&signs, "kind = \"squared_hinge\"", extra("intercept", "axis = \"global\"")),
        (&counts, "kind = \"poisson\"", extra("intercept", "axis = 2")),
        (&labels, "kind = \"multinomial\"", extra("intercept", "axis = 2")),
        (
            &real,
            "kind = \"squared\"",
            intercepts.clone() + &extra("outliers", "penalty = { norm = \"l1\", weight = 0.4 }"),
        ),
    ];
    for (y, loss, extras) in cases {
        let (place, c) = solved(y, &with_extras(0.6, &format!("[loss]\n{loss}\n{extras}")));
        assert!(place.path("run/extras/intercept.npy").exists());
        assert_eq!(place.path("run/extras/intercept_2.npy").exists(), extras.matches("intercept").count() == 2);
        let optimal = c["conditions"].as_array().unwrap().iter().find(|c| c["id"] == "extras_optimal").unwrap();
        assert_eq!(optimal["holds"], true, "{loss}: {optimal}");
    }
}

/// What overlaps is certified too: the same fit told with more blocks than it needs has the same optimum.
#[test]
fn covariates_beside_other_free_blocks_are_certified() {
    let (y, rows, columns) = (noise(7, 5), extra("intercept", "axis = 1"), extra("intercept", "axis = 2"));
    let side = |axis: usize, file: &str| {
        extra("covariates", &format!("axis = {axis}\nside = {{ path = \"{file}\", header = false }}"))
    };
    let optimum = |y: &crate::naive::Grid, blocks: &str, loss: &str| {
        let place = Place::new();
        place.write("Y.csv", csv(y));
        let side = |i, k| noise(7, 9).at(i, k + 6);
        place.write("S.csv", csv(&crate::naive::Grid::from_fn(7, 2, side)));
        let joined = |i, k| if k < 2 { side(i, k) } else { 1.0 };
        place.write("S1.csv", csv(&crate::naive::Grid::from_fn(7, 3, joined)));
        place.write("T.csv", csv(&noise(5, 1).map(|x| x + 0.3)));
        place.write("spec.toml", with_extras(0.3, &format!("[loss]\n{loss}\n{blocks}")));
        let c = place.run(&["solve", "spec.toml", "-q", "--json", "-o", "run"]).exits(0).json();
        assert_eq!(word(&c, "/verdict"), "global", "{blocks}: {c}");
        let again = place.run(&["check", "run", "-q", "--json"]).exits(0).json();
        assert_eq!(again["objective"], c["objective"]);
        assert!(number(&again, "/lower_bound") >= number(&c, "/lower_bound"));
        number(&c, "/objective/total")
    };
    for loss in ["kind = \"squared\"", "kind = \"huber\"\ndelta = 0.4"] {
        let (s, t) = (side(1, "S.csv"), side(2, "T.csv"));
        let with_intercept = optimum(&y, &(s.clone() + &columns), loss);
        close(optimum(&y, &side(1, "S1.csv"), loss), with_intercept, 1e-6);
        let both = optimum(&y, &(s.clone() + &rows), loss);
        let all = optimum(&y, &(s.clone() + &rows + &columns), loss);
        let most = optimum(&y, &(s.clone() + &t + &rows + &columns), loss);
        assert!(most <= all && all <= both.min(with_intercept), "{most}, {all}, {both}, {with_intercept}");
        // what the blocks fit is free: shifts of rows and of columns change nothing
        let shifted = crate::naive::Grid::from_fn(7, 5, |i, j| y.at(i, j) + 3.0 * i as f64 - 2.0 * (j * j) as f64);
        close(optimum(&shifted, &(s + &rows + &columns), loss), all, 1e-6);
    }
}

#[test]
fn extras_given_are_taken_as_they_are_and_refuted_where_better_ones_are_at_hand() {
    let (place, c) = solved(&csv(&noise(7, 5)), &with_extras(0.3, &extra("intercept", "axis = 1")));
    let q = read_npy(&fs::read(place.path("run/extras/intercept.npy")).unwrap());
    let check = [
        "check",
        "--spec",
        "spec.toml",
        "--factors",
        "run/factors/X1.npy",
        "run/factors/X2.npy",
        "--json",
        "-q",
        "--extras",
    ];
    let with = |file: &str| place.run(&[&check[..], &[file]].concat());
    let same = with("run/extras/intercept.npy").exits(0).json();
    assert_eq!(same["objective"], c["objective"]);
    place.write("worse.npy", npy_bytes(&q.map(|q| q + 0.1)));
    let worse = with("worse.npy").exits(1).json();
    assert_eq!(word(&worse, "/verdict"), "refuted");
    close(number(&worse, "/objective/total") - number(&c, "/objective/total"), 35.0 * 0.005, 1e-3);
    place.write("short.npy", npy_bytes(&crate::naive::Grid::from_fn(3, 1, |_, _| 0.0)));
    with("short.npy").exits(3).says(&["short.npy: expected 7 x 1 values of extra `intercept`, found 3 x 1"]);
    place
        .run(&[&check[..], &["worse.npy", "worse.npy"]].concat())
        .exits(2)
        .says(&["given 2 files, but the spec has 1 extra block ("]);
}

#[test]
fn held_out_entries_are_predicted_with_intercepts() {
    let y = table(6, 5, |i, j| 10.0 * i as f64 + j as f64 + 0.1 * ((i * 7 + j * 3) % 5) as f64);
    let intercepts = extra("intercept", "axis = 1") + &extra("intercept", "axis = 2");
    let (_, c) = solved(&y, &with_extras(1.0, &format!("holdout = 0.1\n{intercepts}")));
    assert!(number(&c, "/holdout/rmse") < 0.5, "{c}");
}

#[test]
fn what_an_extra_must_not_say_is_named() {
    let refuse = |block: &str, pieces: &[&str]| {
        let place = Place::new();
        place.write("Y.csv", csv(&diagonal()));
        place.write("S.csv", "1\n2\n");
        place.write("spec.toml", with_extras(1.0, block));
        place.run(&["solve", "spec.toml", "-o", "run"]).exits(2).says(pieces);
    };
    refuse(&extra("intercepts", ""), &["unknown extra `intercepts` in `extra[0].kind`", "did you mean `intercept`?"]);
    refuse("[[extra]]\naxis = 1\n", &["missing key `kind`", "one of: intercept, outliers, covariates"]);
    refuse(&extra("intercept", ""), &["missing key `axis`", "\"global\""]);
    refuse(&extra("intercept", "axis = 3"), &["found the number 3 in `extra[0].axis`"]);
    refuse(&extra("intercept", "axis = 1\naxes = 2"), &["unknown key `axes`", "did you mean `axis`?"]);
    refuse(&extra("outliers", ""), &["missing key `penalty`", "free, it would fit every entry"]);
    refuse(&extra("outliers", "penalty = \"none\""), &["found `none`: free, outliers would fit every entry", "l1"]);
    refuse(&extra("outliers", "axis = 1\npenalty = \"nonnegative\""), &["extra `outliers` has no axis"]);
    refuse(&extra("outliers", "penalty = { norm = \"l1\" }"), &["missing key `weight`"]);
    refuse(&extra("outliers", "penalty = { norm = \"l1\", weight = -1 }"), &["found -1 in `extra[0].penalty.weight`"]);
    refuse(&extra("outliers", "penalty = { norm = \"l3\", weight = 1 }"), &["unknown penalty `l3`", "l2_squared"]);
    refuse(
        &extra("intercept", "axis = 1\npenalty = { norm = \"none\", weight = 1 }"),
        &["penalty `none` has no weight"],
    );
    refuse(&extra("intercept", "axis = 1\nside = \"S.csv\""), &["`side` belongs to extra `covariates`"]);
    refuse(&extra("covariates", "axis = 1"), &["missing key `side`"]);
    refuse(&extra("covariates", "axis = \"global\"\nside = \"S.csv\""), &["1 (rows) or 2 (columns)"]);
    refuse("[extra]\nkind = \"intercept\"\n", &["found a table", "`[[extra]]`"]);
    let twice = extra("intercept", "axis = 1") + &extra("intercept", "axis = 1");
    refuse(&twice, &["`intercept` with the same `axis` is there already in `extra[1]`"]);
    let labels = "[loss]\nkind = \"multinomial\"\n".to_string() + &extra("outliers", "penalty = \"nonnegative\"");
    refuse(&labels, &["outliers need a loss that is a sum over entries, `multinomial` is not"]);
}

#[test]
fn lines_that_a_free_extra_cannot_see_are_named() {
    let unseen = |y: &str, block: &str, pieces: &[&str]| {
        let place = Place::new();
        place.write("Y.csv", y);
        place.write("S.csv", "1\n1\n1\n");
        place.write("T.csv", "1\n1\n");
        place.write("spec.toml", with_extras(1.0, block));
        place.run(&["solve", "spec.toml", "-o", "run"]).exits(3).says(pieces);
    };
    let holes = "1,2,\n,,\n3,4,\n";
    unseen(holes, &extra("intercept", "axis = 1"), &["Y.csv", "row 2 has no observed entry", "`intercept`"]);
    unseen(holes, &extra("intercept", "axis = 2"), &["column 3 has no observed entry"]);
    unseen(
        holes,
        &extra("covariates", "axis = 1\nside = \"S.csv\""),
        &["column 3 does not determine its 1 coefficients"],
    );
    unseen(
        holes,
        &extra("covariates", "axis = 1\nside = \"T.csv\""),
        &["T.csv: expected 3 rows, one per index of axis 1"],
    );
}

/// Free covariates whose equality no rounded dual point meets are corrected; what a penalised intercept beside them sees moves with
/// the correction, and where its weight does not pay for that nothing is proven.
#[test]
fn a_correction_is_paid_for_by_the_blocks_beside_it() {
    // S differs from the intercept's column by one rounding, so the intercept all but completes the fit: without it the optimum
    // is 3, with an almost free one it is near 2.25
    let place = Place::new();
    place.write("Y.csv", "2\n-1\n-1\n");
    place.write("S.csv", "1\n1\n1.0000000000000002220446049250313\n");
    for penalty in ["l1", "l2", "l2_squared"] {
        let weight = if penalty == "l2_squared" { 1e-40 } else { 1e-20 };
        let blocks = extra("covariates", "axis = 1\nside = { path = \"S.csv\", header = false }")
            + &extra("intercept", &format!("axis = 2\npenalty = {{ norm = \"{penalty}\", weight = {weight:e} }}"));
        place.write("spec.toml", with_extras(100.0, &blocks));
        let out = place.run(&["solve", "spec.toml", "-q", "--json", "-o", "run", "--force"]);
        let c = out.json();
        assert!(c["lower_bound"].as_f64().is_none_or(|b| b <= 2.2501), "{penalty}: {c}");
        assert_ne!(word(&c, "/verdict"), "global", "{penalty}");
    }
}
