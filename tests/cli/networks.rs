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
    let kept: Value = serde_json::from_str(&place.read("run/model.json")).unwrap();
    assert_eq!((&kept["inputs"]["names"], &kept["inputs"]["bias"]), (&json!(["a"]), &json!(true)));
    close(number(&kept, "/inputs/mean/0"), mean, 1e-14);
    close(number(&kept, "/inputs/deviation/0"), deviation, 1e-13);
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
fn nine_inputs_are_certified_and_their_dual_point_is_proven_again() {
    let place = Place::new();
    let names: Vec<String> = (0..8).map(|j| format!("x{j}")).collect();
    let mut text = format!("{},y,z\n", names.join(","));
    for i in 0..40 {
        let x: Vec<f64> = (0..8).map(|j| (1.7 * f64::from(i * (j + 1)) + f64::from(j)).sin()).collect();
        let y = (x[0] + x[1]).max(0.0) - x[2].max(0.0) + 0.2 * x[3];
        let inputs = x.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
        text.push_str(&format!("{inputs},{y},{}\n", y - x[4].abs()));
    }
    place.write("t.csv", text);
    let columns = names.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ");
    let input = format!("input = {{ path = \"t.csv\", columns = [{columns}], bias = true, standardize = true }}");
    for target in ["\"y\"", "\"y\", \"z\""] {
        let target = format!("{{ path = \"t.csv\", columns = [{target}] }}");
        let more = format!("{input}\n[certificate]\ntarget_gap = 1e-2");
        let spec = spec_on(&target, "{ relative = 0.5 }", "relu", "{ norm = \"l2\" }", &more);
        place.write("spec.toml", spec);
        let c = place.run(&["solve", "spec.toml", "-q", "--json", "--force", "-o", "run"]).exits(0).json();
        let again = place.run(&["check", "run", "-q", "--json"]).exits(0).json();
        assert_eq!(c["polar"]["method"], "moments");
        let bounds = [&c, &again].map(|c| c["lower_bound"].as_f64().unwrap());
        // a search of its own may end elsewhere, but not below what the witness proves
        assert!(bounds[1] >= bounds[0] * (1.0 - 1e-6), "{bounds:?}");
        assert!(bounds[1] <= c["objective"]["total"].as_f64().unwrap());
    }
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

/// `t.csv` without these rows.
fn without(rows: &[usize]) -> String {
    let text = table();
    let kept = text.lines().enumerate().filter(|(k, _)| *k == 0 || !rows.contains(&(k - 1))).map(|l| l.1);
    kept.collect::<Vec<_>>().join("\n")
}

/// One flag per row.
fn flags(rows: &[usize]) -> String {
    (0..24).map(|k| format!("{}\n", u8::from(rows.contains(&k)))).collect()
}

#[test]
fn held_out_samples_are_scored_and_never_seen() {
    const HELD: [usize; 4] = [2, 7, 11, 20];
    let place = Place::new();
    place.write("t.csv", table());
    place.write("held.csv", flags(&HELD));
    let held = format!("{INPUT}\nholdout = \"held.csv\"");
    let c = solved(&place, &network("\"y\"", &held));
    let factors = place.tree("run/factors");
    // by hand, on inputs standardised over the other rows
    let (a, y) = (column(0), column(3));
    let fitted: Vec<f64> = (0..24).filter(|k| !HELD.contains(k)).map(|k| a[k]).collect();
    let mean = fitted.iter().sum::<f64>() / 20.0;
    let deviation = (fitted.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20.0).sqrt();
    let [u, w] = ["X1.npy", "X2.npy"].map(|f| naive::read_npy(&factors[std::path::Path::new(f)]));
    let out = |a: f64| -> f64 {
        let x = (a - mean) / deviation;
        (0..u.cols).map(|k| (u.at(0, k) * x + u.at(1, k)).max(0.0) * w.at(0, k)).sum()
    };
    let squares: f64 = HELD.iter().map(|&k| (out(a[k]) - y[k]).powi(2)).sum();
    let middle = HELD.iter().map(|&k| y[k]).sum::<f64>() / 4.0;
    let spread: f64 = HELD.iter().map(|&k| (y[k] - middle).powi(2)).sum();
    assert_eq!(c["holdout"]["entries"], 4);
    close(number(&c, "/holdout/rmse"), (squares / 4.0).sqrt(), 1e-11);
    close(number(&c, "/holdout/r2"), 1.0 - squares / spread, 1e-11);
    close(number(&c, "/holdout/loss"), squares / 8.0, 1e-11);
    assert!(c["holdout"]["accuracy"].is_null());
    assert!(place.read("run/report.md").contains("R2 over held-out entries"));
    // whatever stands in their rows, or if nothing does, the fit is the same
    let kept: Value = serde_json::from_str(&place.read("run/model.json")).unwrap();
    close(number(&kept, "/inputs/mean/0"), mean, 1e-14);
    let mut other: Vec<String> = table().lines().map(Into::into).collect();
    HELD.iter().for_each(|k| other[k + 1] = "1e6,-1e6,1,1e6,low".into());
    place.write("t.csv", other.join("\n"));
    solved(&place, &network("\"y\"", &held));
    assert_eq!(place.tree("run/factors"), factors);
    place.write("t.csv", without(&HELD));
    let left = solved(&place, &network("\"y\"", INPUT));
    assert_eq!(left["objective"], c["objective"]);
    assert_eq!(place.tree("run/factors"), factors);
}

#[test]
fn samples_are_drawn_whole_by_the_seed() {
    let place = Place::new();
    place.write("t.csv", table());
    let spec = network("\"y\", \"b\"", &format!("transform = \"standardize\"\n{INPUT}\nholdout = 0.25"));
    let one = solved(&place, &spec);
    assert_eq!(one["holdout"]["entries"], 12);
    let first = place.tree("run");
    let again = solved(&place, &spec);
    assert_eq!(one["holdout"], again["holdout"]);
    assert_eq!(timeless(&first), timeless(&place.tree("run")));
    let notes = place.read("run/spec.toml");
    assert!(notes.contains("6 of 24 samples held out"), "{notes}");
    let other = solved(&place, &format!("{spec}\n[solver]\nseed = 5\n"));
    assert_ne!(one["holdout"], other["holdout"], "another seed draws other samples");
    // two outputs of each of the others are fitted
    assert_eq!(one["rank_bound"], 37);
}

#[test]
fn held_out_classes_and_signs_are_scored_by_accuracy() {
    let place = Place::new();
    // the class is told by the input, but for the samples that are held out: half of them lie
    let mut text = "a,kind,sign\n".to_string();
    for k in 0..20 {
        let a = f64::from(k) - 9.5;
        let lies = k == 3;
        text.push_str(&format!(
            "{a},{},{}\n",
            if (a > 0.0) ^ lies { "up" } else { "down" },
            u8::from((a > 0.0) ^ lies)
        ));
    }
    place.write("t.csv", text);
    place.write("held.csv", (0..20).map(|k| format!("{}\n", u8::from(k == 3 || k == 17))).collect::<String>());
    let input =
        "input = { path = \"t.csv\", columns = [\"a\"], bias = true, standardize = true }\nholdout = \"held.csv\"";
    for (target, loss) in [("kind", "multinomial"), ("sign", "logistic"), ("sign", "squared_hinge")] {
        let c = solved(&place, &network(&format!("\"{target}\""), &format!("{input}\n[loss]\nkind = \"{loss}\"\n")));
        assert_eq!(number(&c, "/holdout/accuracy"), 0.5, "{loss}");
        assert!(c["holdout"]["rmse"].is_null() && c["holdout"]["r2"].is_null());
        assert!(number(&c, "/holdout/loss") > 0.0);
    }
}

/// The network of [`table`] on both inputs, with these gauges of the inputs and of the outputs.
fn gauged(target: &str, first: &str, second: &str) -> String {
    let input = INPUT.replace("[\"a\"]", "[\"a\", \"b\"]");
    let factors = format!("{{ {first} }}, {{ {second} }}");
    network(target, &format!("transform = \"center\"\n{input}")).replace("{ norm = \"l2\" }", &factors)
}

#[test]
fn other_gauges_of_inputs_and_outputs_are_certified() {
    let place = Place::new();
    place.write("t.csv", table());
    let nonnegative = "norm = \"l1\", cone = \"nonnegative\"";
    let groups = "norm = \"group_l2\", groups = [[0, 2], [1]]";
    for (first, second) in [
        ("norm = \"l1\"", "norm = \"l2\""),
        ("norm = \"linf\"", "norm = \"l1\""),
        ("norm = \"l2\"", "norm = \"linf\""),
        (groups, "norm = \"l2\""),
        (nonnegative, "norm = \"l2\""),
    ] {
        let gap = "\n[certificate]\ntarget_gap = 1e-3\n";
        let c = solved(&place, &(gauged("\"y\"", first, second) + gap));
        assert!(number(&c, "/gap/relative") <= 1e-3, "{first}, {second}");
    }
    // of one output every norm is its absolute value
    let one = solved(&place, &gauged("\"y\"", "norm = \"l2\"", "norm = \"l1\""));
    let plain = solved(&place, &gauged("\"y\"", "norm = \"l2\"", "norm = \"l2\""));
    close(number(&one, "/objective/total"), number(&plain, "/objective/total"), 2e-4);
}

#[test]
fn what_does_not_fit_a_network_is_refused() {
    let place = Place::new();
    place.write("t.csv", table());
    let with = |from: &str, to: &str| network("\"y\"", INPUT).replace(from, to);
    refused(&place, &network("\"y\"", ""), 2, &["missing key `input`", "data.input"]);
    refused(&place, &with("\"relu\"", "\"matrix\""), 2, &["`input` belongs to networks"]);
    let absolute = "only norms of absolute values have, free or on an orthant";
    refused(
        &place,
        &with("\"l2\"", "\"l2\", cone = \"monotone\""),
        2,
        &["norm `l2` with cone `monotone`", "relu mapping", absolute],
    );
    let smooth = "[{ kind = \"tv\" }, { kind = \"l1\" }]";
    refused(&place, &with("norm = \"l2\"", &format!("norm = {smooth}")), 2, &["relu mapping", absolute]);
    refused(&place, &with("bias = true", "bias = 1"), 2, &["data.input.bias"]);
    refused(&place, &with("bias", "offset"), 2, &["unknown key `offset`"]);
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
    refused(&place, &network("\"y\"", INPUT), 3, &["t.csv: row 2, column 1 (`a`)", "finite number"]);
}
