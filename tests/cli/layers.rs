//! Networks of several layers: their files, predictions by hand, factors from other tools, and what is refused.

use crate::common::*;
use crate::naive::{self, Grid};
use serde_json::{Value, json};

/// Two inputs, a number that is no sum of few kinks, and a sign.
fn table() -> String {
    let mut text = "a,b,y,side\n".to_string();
    for i in 0..24 {
        let t = f64::from(i) * 0.37;
        let (a, b) = (10.0 + 3.0 * t.sin(), -5.0 + 2.0 * (2.3 * t).cos());
        let y = (a - 10.0).max(0.0) - 0.5 * (b + 5.0).max(0.0) + 0.1 * (7.0 * t).sin();
        text.push_str(&format!("{a},{b},{y},{}\n", u8::from(y > 0.2)));
    }
    text
}

const INPUT: &str = "input = { path = \"t.csv\", columns = [\"a\", \"b\"], bias = true, standardize = true }";

fn spec_of(target: &str, mapping: &str, more: &str) -> String {
    let target = format!("{{ path = \"t.csv\", columns = [\"{target}\"] }}");
    spec_on(&target, "{ relative = 0.2 }", "KIND", "{ norm = \"l2\" }", &format!("{INPUT}\n{more}"))
        .replace("kind = \"KIND\"", mapping)
}

const DEEP: &str = "kind = \"relu_deep\"\nwidths = [4, 2]\nactivation = \"leaky_relu\"\nslope = 0.1\npool = [2, 1]";

fn place() -> Place {
    let place = Place::new();
    place.write("t.csv", table());
    place
}

/// An array d x h x r of a run, as (shape, entry).
fn array(place: &Place, file: &str) -> (Vec<usize>, impl Fn(usize, usize, usize) -> f64 + use<>) {
    let bytes = std::fs::read(place.path(file)).unwrap();
    let header = String::from_utf8_lossy(&bytes[10..128]).into_owned();
    let shape = header.split("'shape': (").nth(1).unwrap().split(')').next().unwrap();
    let shape: Vec<usize> = shape.split(',').filter_map(|d| d.trim().parse().ok()).collect();
    let values: Vec<f64> = bytes[128..].chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!((shape.len(), values.len()), (3, shape.iter().product()), "{header}");
    let (d, h, r) = (shape[0], shape[1], shape[2]);
    // contiguous both ways, NumPy calls it C-ordered
    let fortran = header.contains("'fortran_order': True");
    let at = move |a: usize, b: usize, i: usize| {
        if fortran { values[a + d * (b + h * i)] } else { values[(a * h + b) * r + i] }
    };
    (shape, at)
}

/// The scores of the networks of [`DEEP`] by hand, for inputs (a, b).
fn by_hand(place: &Place, inputs: &[[f64; 2]]) -> Vec<f64> {
    let kept: Value = serde_json::from_str(&place.read("run/model.json")).unwrap();
    let of = |what: &str, j: usize| number(&kept, &format!("/inputs/{what}/{j}"));
    let [(s1, x1), (s2, x2), (s3, x3)] = [1, 2, 3].map(|k| array(place, &format!("run/factors/X{k}.npy")));
    let r = s1[2];
    assert_eq!((s1, s2, s3), (vec![3, 4, r], vec![2, 2, r], vec![2, 1, r]));
    let act = |t: f64| if t > 0.0 { t } else { 0.1 * t };
    let score = |x: &[f64; 2]| -> f64 {
        let v = [(x[0] - of("mean", 0)) / of("deviation", 0), (x[1] - of("mean", 1)) / of("deviation", 1), 1.0];
        let network = |i: usize| -> f64 {
            let first: Vec<f64> = (0..4).map(|b| act((0..3).map(|a| v[a] * x1(a, b, i)).sum())).collect();
            let pooled = [first[0].max(first[1]), first[2].max(first[3])];
            let second: Vec<f64> = (0..2).map(|b| act((0..2).map(|a| pooled[a] * x2(a, b, i)).sum())).collect();
            (0..2).map(|a| second[a] * x3(a, 0, i)).sum()
        };
        (0..r).map(network).sum()
    };
    inputs.iter().map(score).collect()
}

#[test]
fn a_deep_network_is_written_checked_and_asked_again() {
    let place = place();
    let more = "transform = \"center\"\nholdout = 0.25\n[solver]\nmax_outer = 6\n";
    place.write("spec.toml", spec_of("y", DEEP, more));
    let c = place.run(&["solve", "spec.toml", "-q", "--json", "-o", "run"]).exits(1).json();
    assert_eq!((&c["verdict"], &c["degree"]), (&json!("within"), &json!({ "mapping": 3, "regularizer": 3 })));
    assert!(c["guarantees"].to_string().contains("Thm 15"), "{}", c["guarantees"]);
    assert!(number(&c, "/holdout/r2") > 0.5, "{}", c["holdout"]);
    // its own check, and that of its factors as arrays and flat
    let same = |c: &Value, other: Value| {
        assert_eq!((&other["objective"], &other["rank"]), (&c["objective"], &c["rank"]));
        assert_eq!((&other["verdict"], &other["holdout"]), (&c["verdict"], &c["holdout"]));
    };
    same(&c, place.run(&["check", "run", "-q", "--json"]).exits(1).json());
    let flags = ["check", "--spec", "run/spec.toml", "-q", "--json", "--factors"];
    let check = |files: [&str; 3]| place.run(&[&flags[..], &files[..]].concat());
    same(&c, check(["run/factors/X1.npy", "run/factors/X2.npy", "run/factors/X3.npy"]).exits(1).json());
    let flat = |k: usize| {
        let (s, x) = array(&place, &format!("run/factors/X{k}.npy"));
        let grid = Grid::from_fn(s[0] * s[1], s[2], |row, i| x(row / s[1], row % s[1], i));
        place.write(&format!("F{k}.npy"), naive::npy_bytes(&grid));
    };
    [1, 2, 3].into_iter().for_each(flat);
    same(&c, check(["F1.npy", "F2.npy", "F3.npy"]).exits(1).json());
    // slices of another shape are not taken for those
    check(["run/factors/X2.npy", "run/factors/X1.npy", "run/factors/X3.npy"])
        .exits(3)
        .says(&["X2.npy", "slices of 3 x 4"]);
    // predictions, in the units of the target
    let new = [[12.0, -4.0], [9.0, -6.5], [30.0, 0.0]];
    place.write("new.csv", "b,a\n-4,12\n-6.5,9\n0,30\n");
    let kept: Value = serde_json::from_str(&place.read("run/model.json")).unwrap();
    let said = place.run(&["predict", "run", "-i", "new.csv"]).exits(0).stdout;
    let said: Vec<f64> = said.lines().skip(1).map(|l| l.parse().unwrap()).collect();
    for (found, score) in said.iter().zip(by_hand(&place, &new)) {
        close(*found, score + number(&kept, "/transform/columns/offset/0"), 1e-11);
    }
    // the resolved spec says the same network again, and the page shows its layers
    assert!(
        place
            .read("run/spec.toml")
            .contains("widths = [4, 2]\nactivation = \"leaky_relu\"\nslope = 0.1\npool = [2, 1]")
    );
    let page = place.read("run/report.html");
    assert!(page.contains("hidden units of layer 1 x those of layer 2"), "the layers are not shown");
}

#[test]
fn a_deep_classifier_tells_signs_and_ends_where_it_began() {
    let place = place();
    place.write("spec.toml", spec_of("side", "kind = \"relu_deep\"\nwidths = [3, 2]", "[loss]\nkind = \"logistic\"\n"));
    place.run(&["solve", "spec.toml", "-q", "-o", "run"]).exits(1);
    place.write("new.csv", "a,b\n13,-7\n7,-3\n");
    assert_eq!(place.run(&["predict", "run", "-i", "new.csv"]).exits(0).stdout, "side\n1\n0\n");
    // a start from the answer keeps it
    place.write("warm.toml", place.read("spec.toml") + "[solver]\nwarm_start = \"run\"\n");
    let first: Value = serde_json::from_str(&place.read("run/certificate.json")).unwrap();
    let again = place.run(&["solve", "warm.toml", "-q", "--json", "-o", "again", "--set", "solver.max_outer=1"]).json();
    assert!(number(&again, "/objective/total") <= number(&first, "/objective/total") * (1.0 + 1e-9));
}

#[test]
fn a_linear_network_is_proven_global_whatever_its_widths() {
    let place = place();
    let mut totals = Vec::new();
    for (k, widths) in ["[1]", "[4]", "[2, 3]"].iter().enumerate() {
        let run = format!("run{k}");
        place.write(
            "spec.toml",
            spec_of("y", &format!("kind = \"linear_net\"\nwidths = {widths}"), "transform = \"center\"\n"),
        );
        let c = place.run(&["solve", "spec.toml", "-q", "--json", "-o", &run]).exits(0).json();
        assert_eq!((&c["verdict"], &c["polar"]["exact"]), (&json!("global"), &json!(true)));
        place.run(&["check", &run, "-q"]).exits(0);
        totals.push(number(&c, "/objective/total"));
    }
    totals.iter().for_each(|t| close(*t, totals[0], 1e-6));
    let e = place.run(&["explain", "spec.toml", "--json"]).exits(0).json();
    assert_eq!((&e["exact"], &e["polar"][0]["name"], &e["rank_bound"]), (&json!(true), &json!("linear"), &json!(1)));
}

/// Three weights that may be, and the product of two that may not: there is no form with one layer less.
#[test]
fn weights_are_not_multiplied_beyond_their_range() {
    let place = place();
    let solved = |weights: &str, lambda: &str| {
        let mapping = "kind = \"linear_net\"\nwidths = [1, 1]";
        let spec = spec_of("y", mapping, "").replace("{ relative = 0.2 }", lambda);
        let factors = weights.split(' ').map(|w| format!("{{ norm = \"l2\", weight = {w} }}"));
        let spec = spec.replace("[{ norm = \"l2\" }]", &format!("[{}]", factors.collect::<Vec<_>>().join(", ")));
        place.write("spec.toml", spec);
        place.run(&["solve", "spec.toml", "-q", "--json", "--force", "-o", "run"]).exits(0).json()
    };
    let plain = solved("1 1 1", "1.5");
    // 1e40^3 1e-120 is 1
    for (weights, lambda) in [("1e40 1e40 1e40", "1.5e-120"), ("1e40 1e-40 1e-40", "1.5e40")] {
        let c = solved(weights, lambda);
        close(number(&c, "/objective/total"), number(&plain, "/objective/total"), 1e-4);
    }
}

/// A product of weights that vanishes made an upper end of -1.8e308, and exit code 4.
#[test]
fn weights_whose_product_vanishes_bound_nothing() {
    let place = place();
    let mapping = "kind = \"relu_deep\"\nwidths = [2, 2, 2, 2, 2, 2]";
    let spec = spec_of("y", mapping, "").replace("{ relative = 0.2 }", "1.0");
    let factors = (0..7).map(|k| format!("{{ norm = \"l2\", weight = {} }}", if k % 6 == 0 { "1.0" } else { "1e-75" }));
    let spec = spec.replace("[{ norm = \"l2\" }]", &format!("[{}]", factors.collect::<Vec<_>>().join(", ")));
    place.write("spec.toml", spec);
    let c = place.run(&["solve", "spec.toml", "-q", "--json", "-o", "run"]).exits(1).json();
    assert!(c["lower_bound"].is_null() && c["polar"]["upper"].is_null(), "{c}");
}

#[test]
fn the_descents_of_a_wide_network_are_those_of_its_units() {
    let place = place();
    let asked = |widths: &str, descent: &str, code: i32| {
        let mapping = format!("kind = \"relu_deep\"\nwidths = {widths}");
        place.write("spec.toml", spec_of("y", &mapping, &format!("[solver]\ndescent = \"{descent}\"")));
        place.run(&["explain", "spec.toml"]).exits(code)
    };
    asked("[3]", "neurons", 0);
    asked("[3]", "lbfgs", 3).says(&["found `lbfgs`, which does not apply", "expected one of: neurons\n"]);
    asked("[3, 2]", "lbfgs", 0);
    asked("[3, 2]", "neurons", 3).says(&["expected one of: lbfgs\n"]);
}

#[test]
fn one_hidden_layer_is_certified_like_relu() {
    let place = place();
    let run = |mapping: &str, name: &str| {
        place.write("spec.toml", spec_of("y", mapping, "transform = \"center\"\n[certificate]\ntarget_gap = 1e-3\n"));
        let c = place.run(&["solve", "spec.toml", "-q", "--json", "-o", name]).exits(0).json();
        place.run(&["check", name, "-q"]).exits(0);
        c
    };
    let (wide, two) = (run("kind = \"relu_deep\"\nwidths = [3]", "wide"), run("kind = \"relu\"", "two"));
    close(number(&wide, "/objective/total"), number(&two, "/objective/total"), 1e-6);
    assert_eq!((&wide["verdict"], &two["verdict"]), (&json!("global"), &json!("global")));
    assert_eq!(number(&wide, "/rank"), (number(&two, "/rank") / 3.0).ceil());
    run("kind = \"relu_deep\"\nwidths = [2]\nactivation = \"abs\"", "abs");
}

#[track_caller]
fn refused(mapping: &str, more: &str, code: i32, says: &[&str]) {
    let place = place();
    place.write("spec.toml", spec_of("y", mapping, more));
    place.run(&["solve", "spec.toml", "-q", "-o", "run"]).exits(code).says(says);
    assert!(!place.path("run").exists());
}

#[test]
fn layers_that_make_no_sense_are_refused() {
    let deep = |keys: &str| format!("kind = \"relu_deep\"\n{keys}");
    refused(&deep(""), "", 2, &["missing key `widths`", "such as [8, 4]"]);
    refused(&deep("widths = []"), "", 2, &["mapping.widths", "found no layer", "mapping `relu`"]);
    refused(&deep("widths = [4, 0]"), "", 2, &["mapping.widths", "found the number 0", "from 1 to 65536"]);
    refused(&deep("widths = 4"), "", 2, &["mapping.widths", "found the number 4"]);
    refused(&deep("widths = [4, 3]\npool = 2"), "", 2, &["mapping.pool", "hidden layer 2 has 3 units", "groups of 2"]);
    refused(&deep("widths = [4]\npool = [2, 2]"), "", 2, &["mapping.pool", "found 2 numbers", "a list of 1"]);
    refused(&deep("widths = [4]\nactivation = \"rely\""), "", 2, &["activation `rely`", "did you mean `relu`?"]);
    refused(&deep("widths = [4]\nactivation = \"leaky_relu\""), "", 2, &["missing key `slope`"]);
    refused(&deep("widths = [4]\nslope = 0.1"), "", 2, &["`slope` belongs to activation = \"leaky_relu\""]);
    refused(&deep("widths = [4]\nactivation = \"leaky_relu\"\nslope = 11"), "", 2, &["mapping.slope", "found 11"]);
    refused(
        "kind = \"linear_net\"\nwidths = [4]\nactivation = \"relu\"",
        "",
        2,
        &["`activation` belongs to mapping `relu_deep`", "are linear"],
    );
    refused("kind = \"linear_net\"\nwidths = [4]\npool = 2", "", 2, &["`pool` belongs to mapping `relu_deep`"]);
    refused("kind = \"relu\"\nwidths = [4]", "", 2, &["`widths` belongs to mapping `relu_deep`"]);
    refused(&deep("widths = [65536, 65536, 65536, 65536]"), "", 3, &["mapping.widths", "memory"]);
    let extra = "[[extra]]\nkind = \"intercept\"\naxis = 2\n";
    refused(&deep("widths = [4]"), extra, 2, &["`[[extra]]` with a network"]);
    refused(&deep("widths = [4]"), "operator = \"A.npy\"\n", 2, &["`operator` with a network"]);
}

#[test]
fn weight_decay_of_three_layers_is_refused_with_its_reason() {
    let place = place();
    let text = spec_of("y", "kind = \"relu_deep\"\nwidths = [4, 2]", "");
    let with = |from: &str, to: &str| {
        place.write("spec.toml", text.replace(from, to));
        place.run(&["solve", "spec.toml", "-q", "-o", "run"])
    };
    with("factors", "form = \"sum\"\npower = 2\nfactors").exits(2).says(&[
        "degree 2, the mapping has degree 3",
        "Prop. 19",
        "nearest balanced spec has `power = 3`",
    ]);
    with("\"l2\"", "\"l2_squared\"").exits(2).says(&["Prop. 19", "nearest balanced spec", "of three the cube"]);
    with("factors", "form = \"sum\"\npower = 3\nfactors").exits(1);
    with("[{ norm = \"l2\" }]", "[{ norm = \"l2\" }, { norm = \"l2\" }]").exits(2).says(&["found 2 entries", "or 3"]);
    with("\"l2\"", "\"l1\"").exits(2).says(&["norm `l1`", "relu_deep mapping", "only `l2` without a cone"]);
}

#[test]
fn a_path_of_deep_networks_is_chosen_by_folds() {
    let place = place();
    let more = "transform = \"center\"\n[solver]\nmax_outer = 3\n";
    place.write("spec.toml", spec_of("y", "kind = \"relu_deep\"\nwidths = [3, 2]", more));
    let flags = ["--points", "3", "--folds", "2", "-q", "--json", "-o", "path"];
    let out = place.run(&[&["path", "spec.toml"][..], &flags[..]].concat());
    assert!([0, 1].contains(&out.code), "{}", out.stderr);
    assert_eq!(place.read("path/path.csv").lines().count(), 4);
    let again = place.run(&["check", "path", "-q", "--json"]).json();
    assert_eq!(again["objective"], out.json()["objective"]);
}
