//! Losses end to end: optima that can be written down, targets as each loss takes them, and what is said of targets that do not
//! fit.

use crate::common::*;
use serde_json::Value;

/// A spec on `Y.csv` with this loss.
fn lossy(lambda: f64, loss: &str, more: &str) -> String {
    let factors = "{ norm = \"l2\" }";
    spec(&lambda.to_string(), "matrix", factors, &format!("{more}\n[loss]\n{loss}\n[certificate]\ntarget_gap = 1e-7"))
}

/// Solves `Y.csv` and checks the run again; the certificate.
#[track_caller]
fn solved(y: &str, spec: &str) -> (Place, Value) {
    let place = Place::new();
    place.write("Y.csv", y);
    place.write("spec.toml", spec);
    let c = place.run(&["solve", "spec.toml", "-q", "--json", "-o", "run"]).exits(0).json();
    let again = place.run(&["check", "run", "-q", "--json"]).exits(0).json();
    assert_eq!((&c["verdict"], &c["objective"]), (&again["verdict"], &again["objective"]));
    assert_eq!(word(&c, "/verdict"), "global");
    (place, c)
}

/// The data does not fit the loss: exit code 3, these pieces.
#[track_caller]
fn misfit(y: &str, loss: &str, more: &str, pieces: &[&str]) {
    let place = Place::new();
    place.write("Y.csv", y);
    place.write("w.csv", "1,2\n1,1\n");
    place.write("spec.toml", lossy(1.0, loss, more));
    place.run(&["solve", "spec.toml", "-o", "run"]).exits(3).says(pieces);
    assert!(!place.path("run").exists());
}

#[test]
fn optima_that_can_be_written_down() {
    let ln2 = 2f64.ln();
    let cases = [
        // x = 4.5: the slope -0.5 of the quadratic part
        ("5", 0.5, "kind = \"huber\"\ndelta = 1.0", 0.125 + 2.25),
        // lambda above delta: x = 0
        ("5", 1.5, "kind = \"huber\"\ndelta = 1.0", 4.5),
        // 1 / (1 + e^x) = 0.2
        ("1", 0.2, "kind = \"logistic\"", 1.25f64.ln() + 0.2 * 4f64.ln()),
        ("-1", 0.2, "kind = \"logistic\"", 1.25f64.ln() + 0.2 * 4f64.ln()),
        ("-1", 0.5, "kind = \"squared_hinge\"", 0.125 + 0.25),
        // e^x = y - lambda
        ("3", 1.0, "kind = \"poisson\"", 2.0 - 2.0 * ln2),
        ("900.5", 0.5, "kind = \"poisson\"", 900.0 - 900.0 * 900f64.ln()),
        // z = lambda is inside [-0.1, 0.9]: y - x = 0.05
        ("5", 0.5, "kind = \"quantile\"\nlevel = 0.9\nsmoothing = 0.1", 0.0125 + 0.5 * 4.95),
        ("-5", 0.05, "kind = \"quantile\"\nlevel = 0.9\nsmoothing = 0.1", 0.000125 + 0.05 * 4.995),
        // s (e1 - e2)(e1 - e2)': 1 / (1 + e^2s) = lambda / 2
        ("1\n2", 0.4, "kind = \"multinomial\"", 2.0 * 1.25f64.ln() + 0.8 * ln2),
    ];
    for (y, lambda, loss, wanted) in cases {
        let (_, c) = solved(y, &lossy(lambda, loss, ""));
        close(number(&c, "/objective/total"), wanted, 1e-6);
        assert!(number(&c, "/lower_bound") <= wanted + 1e-12 * wanted.abs(), "{loss}: {c}");
    }
}

#[test]
fn zero_and_one_are_taken_as_signs_and_it_is_said() {
    let signs = "1,-1,1\n-1,-1,1\n1,,1\n";
    for loss in ["kind = \"logistic\"", "kind = \"squared_hinge\""] {
        let (_, a) = solved(signs, &lossy(0.3, loss, ""));
        let (place, b) = solved(&signs.replace("-1", "0"), &lossy(0.3, loss, ""));
        assert_eq!(a["objective"], b["objective"]);
        assert!(place.read("run/report.md").contains("targets 0 and 1 are taken as -1 and 1"));
    }
}

#[test]
fn labels_are_remembered_and_mean_what_one_hot_rows_mean() {
    let labels = "kind\nred\nblue\nred\nNA\ngreen\nblue\n";
    let one_hot = "blue,green,red\n0,0,1\n1,0,0\n0,0,1\n,,\n0,1,0\n1,0,0\n";
    let multinomial = "kind = \"multinomial\"";
    let (place, a) = solved(labels, &lossy(0.3, multinomial, ""));
    let (_, b) = solved(one_hot, &lossy(0.3, multinomial, ""));
    close(number(&a, "/objective/total"), number(&b, "/objective/total"), 1e-12);
    assert!(place.read("run/report.md").contains("3 classes, in this order: blue, green, red"));
    let (_, numbers) = solved("7\n2\n7\nNA\n3\n2\n", &lossy(0.3, multinomial, ""));
    close(number(&numbers, "/objective/total"), number(&a, "/objective/total"), 1e-6);
    // one column out of several, by name, with a weight per row
    let table = "size,kind\n1,red\n2,blue\n3,red\n4,green\n";
    let place = Place::new();
    place.write("Y.csv", table);
    place.write("w.csv", "1\n2\n1\n0\n");
    let target = "{ path = \"Y.csv\", columns = [\"kind\"] }";
    let more = format!("weights = {{ path = \"w.csv\", axis = 1 }}\n[loss]\n{multinomial}");
    place.write("spec.toml", spec_on(target, "0.3", "matrix", L2L2, &more));
    place.run(&["solve", "spec.toml", "-o", "run"]).exits(0).says(&["2 classes, in this order: blue, red"]);
}

#[test]
fn targets_that_do_not_fit_are_named_with_row_and_column() {
    for loss in ["kind = \"logistic\"", "kind = \"squared_hinge\""] {
        misfit("1,-1\n0.5,1\n", loss, "", &["Y.csv: row 2, column 1", "-1 or 1", "found `0.5`"]);
        misfit("1,-1\n1,0\n", loss, "", &["Y.csv: row 2, column 2", "as -1 occurs too", "found `0`"]);
    }
    misfit("1,2\n0,-3\n", "kind = \"poisson\"", "", &["row 2, column 2: expected a count >= 0", "found `-3`"]);
    let multinomial = "kind = \"multinomial\"";
    misfit("1,0\n0,2\n", multinomial, "", &["row 2, column 2: expected 0 or 1", "found `2`"]);
    misfit("1,0\n1,1\n", multinomial, "", &["row 2, column 2: expected exactly one 1"]);
    misfit("1,0\n,1\n", multinomial, "", &["row 2, column 2: expected a one-hot row that is whole"]);
    misfit("1,0\n0,1\n", multinomial, "weights = \"w.csv\"", &["expected one weight for all of a one-hot row"]);
    misfit("3\n3\n", multinomial, "", &["expected at least two classes", "found 1"]);
}

#[test]
fn held_out_entries_are_scored_by_the_loss_where_an_error_of_zeros_and_ones_says_nothing() {
    let y = csv(&noise(8, 6).map(|x| if x > 0.0 { 1.0 } else { -1.0 }));
    let (_, c) = solved(&y, &lossy(0.5, "kind = \"logistic\"", "holdout = 0.2"));
    assert!(c.pointer("/holdout/rmse").unwrap().is_null());
    let loss = number(&c, "/holdout/loss");
    assert!(loss > 0.0 && loss < 5.0, "{loss}");
    let labels: String = (0..12).map(|k| format!("{}\n", k * k % 3)).collect();
    let (_, c) = solved(&labels, &lossy(0.5, "kind = \"multinomial\"", "holdout = 0.25"));
    assert_eq!(number(&c, "/holdout/entries"), 6.0);
}
