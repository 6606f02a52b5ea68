//! Arrays of higher order: every format holds the same one, masks and missing entries agree, and what does not fit is refused.

use crate::common::*;

const SIZES: [usize; 3] = [3, 2, 4];
const THREE: &str = "{ norm = \"l2\" }, { norm = \"l2\" }, { norm = \"l2\" }";

fn entry(i: usize, j: usize, k: usize) -> f64 {
    ((7 * i + 5 * j + 3 * k + i * j * k) % 11) as f64 - 4.0
}

fn all() -> impl Iterator<Item = (usize, usize, usize)> {
    // last index fastest
    (0..3).flat_map(|i| (0..2).flat_map(move |j| (0..4).map(move |k| (i, j, k))))
}

/// A C-ordered `<f8` array.
fn npy(value: impl Fn(usize, usize, usize) -> f64) -> Vec<u8> {
    let mut header = "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2, 4), }".to_string();
    header.push_str(&" ".repeat(127 - 10 - header.len()));
    header.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    all().for_each(|(i, j, k)| out.extend(value(i, j, k).to_le_bytes()));
    out
}

fn list(separator: &str, base: usize, keep: impl Fn(usize, usize, usize) -> bool) -> String {
    let line = |(i, j, k): (usize, usize, usize)| {
        let cells = [i + base, j + base, k + base].map(|x| x.to_string());
        format!("{}{separator}{}\n", cells.join(separator), entry(i, j, k))
    };
    all().filter(|&(i, j, k)| keep(i, j, k)).map(line).collect()
}

#[track_caller]
fn solved(place: &Place, target: &str, factors: &str, more: &str) -> serde_json::Value {
    place.write("spec.toml", spec_on(target, "2.5", "cp", factors, more));
    let gap = "certificate.target_gap=1e-6";
    let run = &["solve", "spec.toml", "-q", "--json", "--force", "-o", "run", "--set", gap];
    let json = place.run(run).exits(0).json();
    let again = place.run(&["check", "run", "-q", "--json"]).exits(0).json();
    assert_eq!(again["objective"], json["objective"]);
    json
}

#[track_caller]
fn refused(place: &Place, target: &str, factors: &str, more: &str, code: i32, says: &[&str]) {
    place.write("spec.toml", spec_on(target, "2.5", "cp", factors, more));
    place.run(&["solve", "spec.toml", "-q", "--force", "-o", "run"]).exits(code).says(says);
}

fn total(json: &serde_json::Value) -> f64 {
    json["objective"]["total"].as_f64().unwrap()
}

#[test]
fn every_format_holds_the_same_array() {
    let place = Place::new();
    place.write("Y.npy", npy(entry));
    place.write("Y.csv", list(",", 0, |_, _, _| true));
    place.write("Y.tns", format!("# a comment\n{}", list(" ", 1, |_, _, _| true)));
    let dense = solved(&place, "{ path = \"Y.npy\" }", THREE, "");
    assert_eq!(dense["data"][0]["shape"], serde_json::json!(SIZES));
    for target in [
        "{ path = \"Y.csv\", format = \"triplets\" }",
        "{ path = \"Y.tns\" }",
        "{ path = \"Y.tns\", shape = [3, 2, 4] }",
    ] {
        let other = solved(&place, target, "{ norm = \"l2\" }", "");
        assert!((total(&dense) - total(&other)).abs() < 1e-6 * total(&dense), "{target}");
        assert_eq!(other["data"][0]["shape"], serde_json::json!(SIZES));
    }
}

#[test]
fn missing_masked_and_unlisted_entries_are_the_same() {
    let place = Place::new();
    let keep = |i, j, k| (i + 2 * j + k) % 4 != 1;
    place.write("Y.npy", npy(|i, j, k| if keep(i, j, k) { entry(i, j, k) } else { f64::NAN }));
    place.write("whole.npy", npy(entry));
    place.write("mask.npy", npy(|i, j, k| f64::from(u8::from(keep(i, j, k)))));
    place.write("Y.tns", list("\t", 1, keep));
    let missing = solved(&place, "{ path = \"Y.npy\" }", THREE, "");
    let masked = solved(&place, "{ path = \"whole.npy\" }", THREE, "mask = \"mask.npy\"\n");
    let listed = solved(&place, "{ path = \"Y.tns\" }", THREE, "");
    assert_eq!(missing["objective"], masked["objective"]);
    assert_eq!(missing["objective"], listed["objective"]);
    let whole = solved(&place, "{ path = \"whole.npy\" }", THREE, "");
    assert!(total(&whole) > total(&missing) * (1.0 + 1e-3));
}

#[test]
fn on_a_matrix_cp_is_the_matrix_mapping() {
    let (place, y) = (Place::new(), scattered(4, 3));
    place.write("Y.csv", csv(&y));
    let run = |mapping: &str| {
        place.write("spec.toml", spec("0.4", mapping, L2L2, ""));
        place.run(&["solve", "spec.toml", "-q", "--json", "--force", "-o", "run"]).exits(0).json()
    };
    let (cp, matrix) = (run("cp"), run("matrix"));
    for key in ["objective", "lower_bound", "verdict", "degree"] {
        assert_eq!(cp[key], matrix[key], "{key}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let place = Place::new();
    let target = "{ path = \"Y.npy\" }";
    place.write("Y.npy", npy(entry));
    let two = "{ norm = \"l2\" }, { norm = \"l2\" }";
    refused(&place, target, two, "", 3, &["found 2 entries in `regularizer.factors`", "Y.npy has shape [3, 2, 4]"]);
    refused(
        &place,
        target,
        THREE,
        "transform = \"center\"\n",
        3,
        &["Y.npy: expected a matrix for a transform by columns"],
    );
    place.write("spec.toml", spec_on(target, "2.5", "matrix", two, ""));
    place.run(&["solve", "spec.toml", "-q", "-o", "run"]).exits(3).says(&["expected a matrix", "kind = \"cp\""]);
    place.write("Y.npy", npy(|i, j, k| if (i, j, k) == (1, 0, 3) { f64::INFINITY } else { 1.0 }));
    refused(
        &place,
        target,
        THREE,
        "",
        3,
        &["Y.npy: entry (2, 1, 4) (counted from 1): expected a finite number, found `inf`"],
    );
    let tns = "{ path = \"Y.tns\" }";
    for (text, said) in [
        ("1 1 1 2.5\n1 2 1 1\n1 1 1 3\n", "Y.tns: entry (1, 1, 1) is listed twice, in rows 1 and 3"),
        ("1 1 1 2.5\n1 2 1\n", "Y.tns: expected 4 numbers in row 2"),
        ("1 1 1 2.5\n1 0 1 2\n", "Y.tns: row 2, column 2: expected an index of at least `index_base`, found `0`"),
        ("1 1 1 x\n", "Y.tns: row 1, column 4: expected a number, found `x`"),
        ("# nothing\n", "Y.tns"),
        ("1 4000000000 4000000000 1\n", "product without the first is below 2^31"),
    ] {
        place.write("Y.tns", text);
        refused(&place, tns, "{ norm = \"l2\" }", "", 3, &[said]);
    }
}

#[test]
fn unbalanced_powers_are_refused() {
    let place = Place::new();
    place.write("Y.npy", npy(entry));
    let spec = |factors: &str, power: &str| {
        let text = spec_on("{ path = \"Y.npy\" }", "2.5", "cp", factors, "");
        text.replace("[regularizer]\n", &format!("[regularizer]\nform = \"sum\"\npower = {power}\n"))
    };
    let one = "{ norm = \"l2\" }";
    // with one entry for all factors the data says how many there are
    for (factors, code, place_of_it) in [(THREE, 2, "spec.toml:8: unbalanced"), (one, 3, "spec.toml:8: unbalanced")] {
        place.write("spec.toml", spec(factors, "2"));
        place.run(&["solve", "spec.toml", "-q", "-o", "run"]).exits(code).says(&[
            place_of_it,
            "unbalanced: the regularizer would have degree 2, the mapping has degree 3",
            "Prop. 19",
            "hint: the nearest balanced spec has `power = 3`",
        ]);
    }
    for factors in [THREE, one] {
        place.write("spec.toml", spec(factors, "3"));
        place
            .run(&["solve", "spec.toml", "-q", "--force", "-o", "run", "--set", "certificate.target_gap=0.9"])
            .exits(0);
    }
    for name in ["l2_squared", "squared_l2", "ridge"] {
        let text = spec_on("{ path = \"Y.npy\" }", "2.5", "cp", &format!("{{ norm = \"{name}\" }}"), "");
        place.write("spec.toml", text);
        place.run(&["solve", "spec.toml", "-q", "-o", "run"]).exits(2).says(&[
            &format!("`{name}` has degree 2 on its own; a norm has degree 1, and g that of the mapping"),
            "Prop. 19",
            "hint: the nearest balanced spec has `norm = \"l2\"` and `form = \"sum\"`",
        ]);
    }
}

#[test]
fn losses_and_extra_variables_go_with_arrays() {
    let place = Place::new();
    place.write("Y.npy", npy(entry));
    place.write("side.csv", "1\n2\n3\n4\n");
    let target = "{ path = \"Y.npy\" }";
    let squared = total(&solved(&place, target, THREE, ""));
    let blocks = "[[extra]]\nkind = \"intercept\"\naxis = 3\n[[extra]]\nkind = \"covariates\"\naxis = 3\nside = \"side.csv\"\n\
                  penalty = { norm = \"l2_squared\", weight = 2.0 }\n";
    let added = solved(&place, target, THREE, blocks);
    assert!(total(&added) < squared * (1.0 - 1e-3), "{added}");
    let huber = solved(&place, target, THREE, "[loss]\nkind = \"huber\"\ndelta = 1.0\n");
    assert!(total(&huber) < squared * (1.0 - 1e-3), "{huber}");
    refused(
        &place,
        target,
        THREE,
        "[loss]\nkind = \"multinomial\"\n",
        2,
        &["loss `multinomial` has a row of scores per label, an array of labels has no rows to score in `loss.kind`"],
    );
    let beyond = "[[extra]]\nkind = \"intercept\"\naxis = 4\n";
    refused(&place, target, THREE, beyond, 3, &["found 4 in `extra[0].axis`", "an index from 1 to 3"]);
    let none = "[[extra]]\nkind = \"intercept\"\naxis = 0\n";
    refused(&place, target, THREE, none, 2, &["the number of an index of the target, from 1, or \"global\""]);
}
