//! `data.operator`: the formats that hold one, what does not fit, and runs that agree with the same problem told otherwise.

use crate::common::*;
use crate::naive::Grid;

/// A spec with an operator on the target `b.csv`.
fn sensing(operator: &str, mapping: &str, factors: &str, more: &str) -> String {
    let more = format!("operator = {operator}\n{more}");
    spec_on("{ path = \"b.csv\", header = false }", "0.4", mapping, factors, &more)
}

#[track_caller]
fn solved(place: &Place, spec: &str) -> serde_json::Value {
    place.write("spec.toml", spec);
    let json = place.run(&["solve", "spec.toml", "-q", "--json", "--force", "-o", "run"]).exits(0).json();
    let again = place.run(&["check", "run", "-q", "--json"]).exits(0).json();
    assert_eq!(again["objective"], json["objective"]);
    json
}

const GAP: &str = "[certificate]\ntarget_gap = 1e-7\n";

/// The whole of a matrix measured entry by entry, in some order, is the matrix itself.
#[test]
fn measuring_every_entry_is_the_plain_problem() {
    let (place, y) = (Place::new(), scattered(4, 3));
    place.write("Y.csv", csv(&y));
    let order: Vec<usize> = (0..12).map(|k| 5 * k % 12).collect();
    // row k of the operator is the unit matrix of entry (c / 3, c % 3), row by row
    place.write("b.csv", csv(&Grid::from_fn(12, 1, |k, _| y.at(order[k] / 3, order[k] % 3))));
    let unit = Grid::from_fn(12, 12, |k, c| f64::from(u8::from(order[k] == c)));
    place.write("A.csv", csv(&unit));
    let listed: String = (0..12).map(|k| format!("{} {} 1\n", k + 1, order[k] + 1)).collect();
    place.write("A.mtx", format!("%%MatrixMarket matrix coordinate real general\n12 12 12\n{listed}"));
    for factors in [L2L2, NONNEGATIVE, "{ norm = \"l1\" }, { norm = \"l2\" }"] {
        let gap = if factors == NONNEGATIVE { "[certificate]\ntarget_gap = 0.9\n" } else { GAP };
        let plain = {
            place.write("spec.toml", spec("0.4", "matrix", factors, gap));
            place.run(&["solve", "spec.toml", "-q", "--json", "--force", "-o", "plain"]).exits(0).json()
        };
        for operator in ["{ path = \"A.csv\", header = false, dims = [4, 3] }", "{ path = \"A.mtx\", dims = [4, 3] }"] {
            let json = solved(&place, &sensing(operator, "matrix", factors, gap));
            close(number(&json, "/objective/total"), number(&plain, "/objective/total"), 1e-5);
            close(number(&json, "/lambda_max/found"), number(&plain, "/lambda_max/found"), 1e-9);
            if factors != NONNEGATIVE {
                assert_eq!(word(&json, "/verdict"), "global");
            }
        }
    }
}

#[test]
fn missing_held_out_and_weighted_measurements_are_those_of_the_vector() {
    let place = Place::new();
    place.write("A.csv", csv(&noise(15, 9)));
    let b = noise(15, 1);
    let some = Grid::from_fn(15, 1, |k, _| if k == 4 { f64::NAN } else { 3.0 * b.at(k, 0) });
    // an empty line of a single column would be no row at all
    place.write("b.csv", csv(&some).replace("\n\n", "\nNA\n"));
    let operator = "{ path = \"A.csv\", header = false }";
    let json = solved(&place, &sensing(operator, "psd", "{ norm = \"l2\" }", GAP));
    assert_eq!(json["data"][0]["observed"], 14);
    // the same with the measurement taken out by hand
    let keep = |g: &Grid| Grid::from_fn(14, g.cols, |k, j| g.at(if k < 4 { k } else { k + 1 }, j));
    place.write("A.csv", csv(&keep(&noise(15, 9))));
    place.write("b.csv", csv(&keep(&some)));
    let shorter = solved(&place, &sensing(operator, "psd", "{ norm = \"l2\" }", GAP));
    close(number(&json, "/objective/total"), number(&shorter, "/objective/total"), 1e-6);
    let held = solved(&place, &sensing(operator, "psd", "{ norm = \"l2\" }", &format!("holdout = 0.2\n{GAP}")));
    assert_eq!(held["holdout"]["entries"], 3);
    place.write("w.csv", csv(&Grid::from_fn(14, 1, |k, _| 0.5 + k as f64 / 10.0)));
    let more = format!("weights = {{ path = \"w.csv\", header = false }}\n{GAP}");
    assert_eq!(word(&solved(&place, &sensing(operator, "psd", "{ norm = \"l2\" }", &more)), "/verdict"), "global");
}

#[test]
fn an_operator_that_does_not_fit_is_named() {
    let place = Place::new();
    place.write("b.csv", csv(&noise(6, 1)));
    place.write("A.csv", csv(&noise(6, 12)));
    let refused = |place: &Place, spec: &str, code: i32, pieces: &[&str]| {
        place.write("spec.toml", spec);
        place.run(&["solve", "spec.toml", "-o", "run"]).exits(code).says(pieces);
    };
    let on = |keys: &str, mapping: &str| {
        let factors = if mapping == "psd" { "{ norm = \"l2\" }" } else { L2L2 };
        sensing(&format!("{{ path = \"A.csv\", header = false{keys} }}"), mapping, factors, "")
    };
    refused(&place, &on("", "matrix"), 3, &["A.csv: expected an array m x d1 x d2", "`dims = [d1, d2]`", "[6, 12]"]);
    refused(&place, &on(", dims = [3, 5]", "matrix"), 3, &["A.csv: expected m x 3 x 5", "rows of 3 x 5 entries"]);
    refused(&place, &on(", dims = [3, 4]", "psd"), 3, &["A.csv: expected square matrices", "found 3 x 4"]);
    refused(&place, &on(", dims = [3]", "matrix"), 2, &["`data.operator.dims`", "two positive whole numbers"]);
    refused(&place, &on(", dim = [3, 4]", "matrix"), 2, &["unknown key `dim`", "did you mean `dims`?"]);
    place.write("A.csv", csv(&noise(5, 12)));
    refused(
        &place,
        &on(", dims = [3, 4]", "matrix"),
        3,
        &["A.csv: expected 6 matrices, one per entry of b.csv", "found 5"],
    );
    let mut holes = noise(6, 12);
    holes.set(2, 7, f64::NAN);
    place.write("A.csv", csv(&holes));
    refused(&place, &on(", dims = [3, 4]", "matrix"), 3, &["A.csv: row 3, column 8: expected a finite number"]);
    place.write("b.csv", csv(&noise(6, 2)));
    refused(&place, &on(", dims = [3, 4]", "matrix"), 3, &["b.csv: expected a vector of measurements", "found 6 x 2"]);
}

/// Extra variables are added to the measurements: told as a matrix that is measured entry by entry, they are those of the plain
/// problem.
#[test]
fn extras_belong_to_the_vector_of_measurements() {
    let (place, y) = (Place::new(), noise(4, 3));
    let order: Vec<usize> = (0..12).map(|k| 5 * k % 12).collect();
    place.write("Y.csv", csv(&y));
    place.write("b.csv", csv(&Grid::from_fn(12, 1, |k, _| y.at(order[k] / 3, order[k] % 3) + 7.0)));
    place.write("A.csv", csv(&Grid::from_fn(12, 12, |k, c| f64::from(u8::from(order[k] == c)))));
    // a column of the rows' numbers, as the measurements see it
    place.write("S.csv", csv(&Grid::from_fn(12, 1, |k, _| (order[k] / 3) as f64)));
    place.write("R.csv", "0\n1\n2\n3\n");
    let global = "[[extra]]\nkind = \"intercept\"\naxis = \"global\"\n";
    let outliers = "[[extra]]\nkind = \"outliers\"\npenalty = { norm = \"l1\", weight = 0.3 }\n";
    let operator = "{ path = \"A.csv\", header = false, dims = [4, 3] }";
    for (blocks, huber) in [
        (global.to_string(), ""),
        (global.to_string() + outliers, ""),
        (global.into(), "[loss]\nkind = \"huber\"\ndelta = 0.4\n"),
    ] {
        let more = format!("{huber}{blocks}{GAP}");
        place.write("spec.toml", spec_on("{ path = \"Y.csv\", header = false }", "0.4", "matrix", L2L2, &more));
        let plain = place.run(&["solve", "spec.toml", "-q", "--json", "--force", "-o", "plain"]).exits(0).json();
        let json = solved(&place, &sensing(operator, "matrix", L2L2, &more));
        close(number(&json, "/objective/total"), number(&plain, "/objective/total"), 1e-6);
        assert_eq!((word(&json, "/verdict"), word(&plain, "/verdict")), ("global", "global"));
    }
    // a side matrix has a row per measurement, whichever are missing
    let covariates = "[[extra]]\nkind = \"covariates\"\naxis = 1\nside = { path = \"S.csv\", header = false }\n";
    let json = solved(&place, &sensing(operator, "matrix", L2L2, &format!("{global}{covariates}{GAP}")));
    let all = number(&json, "/objective/total");
    place.write("w.csv", csv(&Grid::from_fn(12, 1, |k, _| f64::from(u8::from(k != 5)))));
    let some = format!("mask = {{ path = \"w.csv\", header = false }}\n{global}{covariates}{GAP}");
    assert!(number(&solved(&place, &sensing(operator, "matrix", L2L2, &some)), "/objective/total") <= all);
    let held = format!("holdout = 0.2\n{global}{covariates}{GAP}");
    let json = solved(&place, &sensing(operator, "matrix", L2L2, &held));
    assert!(number(&json, "/holdout/rmse") < 8.0, "{json}");
    place.write(
        "spec.toml",
        sensing(operator, "matrix", L2L2, &format!("{}{GAP}", covariates.replace("S.csv", "R.csv"))),
    );
    place.run(&["solve", "spec.toml", "-o", "no"]).exits(3).says(&["R.csv: expected 12 rows, one per index of axis 1"]);
}
