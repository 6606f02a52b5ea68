//! Networks of two layers: inputs by name, standardised and with a bias, several outputs and classes, what is remembered of them, and
//! what is refused.

use crate::common::*;
use crate::naive;
use serde_json::{Value, json};

/// Two inputs, a constant column, a regression target and a class.
fn table() -> String {
    let mut text = "a,b,c,y,kind\n".to_string();
    for i in 0..24 {
        let t = f64::from(i) * 0.37;
        let (a, b) = (10.0 + 3.0 * t.sin(), -5.0 + 2.0 * (2.3 * t).cos());
        let y = (a - 10.0).max(0.0) - 0.5 * (b + 5.0).max(0.0) + 0.1 * (7.0 * t).sin();
        text.push_str(&format!("{a},{b},1,{y},{}\n", ["low", "mid", "high"][i as usize % 3]));
    }
    text
}

const INPUT: &str = "input = { path = \"t.csv\", columns = [\"a\"], bias = true, standardize = true }";

fn network(target: &str, more: &str) -> String {
    spec_on(&format!("{{ path = \"t.csv\", columns = [{target}] }}"), "0.3", "relu", "{ norm = \"l2\" }", more)
}

#[track_caller]
fn solved(place: &Place, spec: &str) -> Value {
    place.write("spec.toml", spec);
    let c = place.run(&["solve", "spec.toml", "-q", "--json", "--force", "-o", "run"]).exits(0).json();
    let again = place.run(&["check", "run", "-q", "--json"]).exits(0).json();
    assert_eq!(again["objective"], c["objective"]);
    assert_eq!(c["verdict"], "global");
    c
}

#[track_caller]
fn refused(place: &Place, spec: &str, code: i32, says: &[&str]) {
    place.write("spec.toml", spec);
    place.run(&["solve", "spec.toml", "-q", "--force", "-o", "run"]).exits(code).says(says);
}

fn column(k: usize) -> Vec<f64> {
    table().lines().skip(1).map(|l| l.split(',').nth(k).unwrap().parse().unwrap()).collect()
}

#[test]
fn the_objective_is_that_of_the_network_on_standardised_inputs() {
    let place = Place::new();
    place.write("t.csv", table());
    let c = solved(&place, &network("\"y\"", INPUT));
    let (a, y) = (column(0), column(3));
    let mean = a.iter().sum::<f64>() / 24.0;
    let deviation = (a.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 24.0).sqrt();
    let [u, w] =
        ["run/factors/X1.npy", "run/factors/X2.npy"].map(|f| naive::read_npy(&std::fs::read(place.path(f)).unwrap()));
    assert_eq!((u.rows, w.rows), (2, 1));
    let mut total = 0.0;
    for (a, y) in a.iter().zip(&y) {
        let x = (a - mean) / deviation;
        let out: f64 = (0..u.cols).map(|k| (u.at(0, k) * x + u.at(1, k)).max(0.0) * w.at(0, k)).sum();
        total += 0.5 * (out - y).powi(2);
    }
    for k in 0..u.cols {
        total += 0.3 * u.at(0, k).hypot(u.at(1, k)) * w.at(0, k).abs();
    }
    close(number(&c, "/objective/total"), total, 1e-12);
    let kept: Value = serde_json::from_str(&place.read("run/inputs.json")).unwrap();
    assert_eq!((&kept["names"], &kept["bias"]), (&json!(["a"]), &json!(true)));
    close(number(&kept, "/mean/0"), mean, 1e-14);
    close(number(&kept, "/deviation/0"), deviation, 1e-13);
    // the resolved spec says the same again
    let resolved = place.read("run/spec.toml");
    assert!(resolved.contains("bias = true, standardize = true"), "{resolved}");
}

#[test]
fn inputs_by_name_by_number_and_from_another_file_are_the_same() {
    let place = Place::new();
    place.write("t.csv", table());
    let a = column(0);
    place.write("V.npy", naive::npy_bytes(&naive::Grid::from_fn(24, 1, |i, _| a[i])));
    let first = solved(&place, &network("\"y\"", INPUT));
    for input in [
        "{ path = \"t.csv\", columns = [1], bias = true, standardize = true }",
        "{ path = \"V.npy\", bias = true, standardize = true }",
    ] {
        let other = solved(&place, &network("4", &format!("input = {input}")));
        assert_eq!(other["objective"], first["objective"], "{input}");
    }
    // without standardising or a bias it is another problem
    let plain = solved(&place, &network("\"y\"", "input = { path = \"V.npy\" }"));
    assert_ne!(plain["objective"], first["objective"]);
}

#[test]
fn several_outputs_classes_and_missing_targets_are_certified() {
    let place = Place::new();
    place.write("t.csv", table());
    let two = solved(&place, &network("\"y\", \"b\"", &format!("transform = \"center\"\n{INPUT}")));
    assert_eq!(two["data"][0]["shape"], json!([24, 2]));
    let gap = "\n[certificate]\ntarget_gap = 1e-4\n";
    let classes = solved(&place, &network("\"kind\"", &format!("{INPUT}\n[loss]\nkind = \"multinomial\"{gap}")));
    assert!(number(&classes, "/objective/total") < 24.0 * 3f64.ln());
    let mut holes: Vec<String> = table().lines().map(Into::into).collect();
    holes[5] = holes[5].replacen(holes[5].split(',').nth(3).unwrap(), "", 1);
    place.write("t.csv", holes.join("\n"));
    let fewer = solved(&place, &network("\"y\", \"b\"", &format!("transform = \"center\"\n{INPUT}")));
    assert_eq!(fewer["data"][0]["observed"], json!(47));
}

#[test]
fn every_loss_is_certified_on_one_input() {
    let place = Place::new();
    let mut text = "a,y\n".to_string();
    for i in 0..20 {
        let t = f64::from(i) * 0.61;
        text.push_str(&format!("{},{}\n", 2.0 * t.sin(), u8::from((3.0 * t).cos() > 0.1)));
    }
    place.write("t.csv", text);
    for loss in ["squared", "logistic", "squared_hinge", "huber\"\ndelta = 0.2 #\"", "poisson"] {
        let spec = spec_on(
            "{ path = \"t.csv\", columns = [\"y\"] }",
            "{ relative = 0.1 }",
            "relu",
            L2L2,
            &format!("{INPUT}\n[loss]\nkind = \"{loss}\"\n"),
        );
        let c = solved(&place, &spec);
        assert!(number(&c, "/rank") >= 1.0, "{loss}");
    }
}

#[test]
fn what_does_not_fit_a_network_is_refused() {
    let place = Place::new();
    place.write("t.csv", table());
    let with = |from: &str, to: &str| network("\"y\"", INPUT).replace(from, to);
    refused(&place, &network("\"y\"", ""), 2, &["missing key `input`", "data.input"]);
    refused(&place, &with("\"relu\"", "\"matrix\""), 2, &["`input` belongs to networks"]);
    refused(
        &place,
        &with("norm = \"l2\"", "norm = \"l1\""),
        2,
        &["norm `l1`", "relu mapping", "only `l2` without a cone"],
    );
    refused(&place, &with("\"l2\"", "\"l2\", cone = \"nonnegative\""), 2, &["cone `nonnegative`"]);
    refused(&place, &with("bias = true", "bias = 1"), 2, &["data.input.bias"]);
    refused(&place, &with("bias", "offset"), 2, &["unknown key `offset`"]);
    refused(&place, &with("[data]\n", "[data]\nholdout = 0.2\n"), 2, &["`holdout` with a network is not available"]);
    refused(&place, &with("[data]\n", "[data]\noperator = \"A.npy\"\n"), 2, &["`operator` with a network"]);
    refused(
        &place,
        &(network("\"y\"", INPUT) + "[[extra]]\nkind = \"intercept\"\naxis = 2\n"),
        2,
        &["`[[extra]]` with a network"],
    );
    refused(&place, &with("[\"a\"]", "[\"c\"]"), 3, &["t.csv", "column 1 (`c`) is constant", "bias = true"]);
    refused(&place, &with("[\"a\"]", "[\"d\"]"), 3, &["t.csv", "column `d`"]);
    place.write("V.csv", "1\n2\n3\n");
    refused(
        &place,
        &with("path = \"t.csv\", columns = [\"a\"]", "path = \"V.csv\""),
        3,
        &["V.csv", "24 rows", "3 rows"],
    );
    place.write("t.csv", table().replacen("10,", "NA,", 1));
    refused(&place, &network("\"y\"", INPUT), 3, &["t.csv: row 1, column 1", "finite number"]);
}
