//! One test per bug found.

use crate::common::*;
use crate::naive::npy_with;

/// Solves what must be refused.
#[track_caller]
fn refused(place: &Place, text: &str, code: i32, pieces: &[&str]) {
    place.write("spec.toml", text);
    place.run(&["solve", "spec.toml", "-o", "run"]).exits(code).says(pieces);
    assert!(!place.path("run").exists());
}

/// The first wrong thing, an unknown mapping, hid all errors in regularizer, loss and certificate.
#[test]
fn an_unknown_mapping_does_not_hide_the_errors_behind_it() {
    let text = spec("1.0", "matrx", "{ norm = \"l3\" }", "[loss]\nkind = \"hubr\"\n[certificate]\ntarget_gap = 7");
    let pieces =
        ["unknown mapping `matrx`", "unknown norm `l3`", "unknown loss `hubr`", "found 7 in `certificate.target_gap`"];
    refused(&Place::new(), &text, 2, &pieces);
}

/// The system's reason was printed twice.
#[test]
fn an_error_of_the_system_is_said_once() {
    let place = Place::new();
    for args in [["report", "nowhere"], ["solve", "spec.toml"]] {
        place.write("spec.toml", spec("1.0", "matrix", L2L2, ""));
        let out = place.run(&args).exits(3);
        assert_eq!(out.stderr.matches("os error 2").count(), 1, "{}", out.stderr);
    }
}

/// Whole numbers beyond 64 bits were called dates.
#[test]
fn a_huge_whole_number_is_a_number() {
    let place = Place::new();
    place.write("Y.csv", "3,4\n");
    let c = place.solve(&spec("100000000000000000000", "matrix", L2L2, ""), "run", &[], 0);
    assert_eq!(number(&c, "/lambda"), 1e20);
    let text = spec("1.0", "matrix", L2L2, "[solver]\nseed = 100000000000000000000");
    refused(&Place::new(), &text, 2, &["found the number 100000000000000000000 in `solver.seed`"]);
}

/// Keys that mean nothing to a file's format were ignored without a word.
#[test]
fn keys_that_say_nothing_about_the_format_are_refused() {
    let cases = [
        ("{ path = \"Y.csv\", index_base = 1 }", "`index_base` says nothing about format `csv`"),
        ("{ path = \"Y.csv\", absent = \"zero\" }", "`absent` says nothing about format `csv`"),
        ("{ path = \"Y.csv\", key = \"x\" }", "`key` says nothing about format `csv`"),
        ("{ path = \"Y.npy\", header = true }", "`header` says nothing about format `npy`"),
        ("{ path = \"Y.npy\", delimiter = \";\" }", "`delimiter` says nothing about format `npy`"),
        ("{ path = \"Y.mtx\", columns = [1] }", "`columns` says nothing about format `mtx`"),
        (
            "{ path = \"Y.csv\", format = \"triplets\", columns = [1] }",
            "`columns` says nothing about format `triplets`",
        ),
    ];
    for (target, said) in cases {
        refused(
            &Place::new(),
            &spec_on(target, "1.0", "matrix", L2L2, ""),
            2,
            &[&format!("error: spec.toml:10: {said}")],
        );
    }
}

/// `shape` and `index_base` of a Matrix Market file were ignored.
#[test]
fn shape_and_index_base_of_a_matrix_market_file_count() {
    let place = Place::new();
    place.write("Y.mtx", "%%MatrixMarket matrix coordinate real general\n2 2 2\n1 1 3\n2 2 4\n");
    let text = |more: &str| spec_on(&format!("{{ path = \"Y.mtx\", {more} }}"), "1.0", "matrix", L2L2, "");
    refused(&place, &text("shape = [9, 9]"), 3, &["Y.mtx: expected shape [9, 9], found [2, 2]"]);
    refused(&place, &text("index_base = 0"), 3, &["two indices in 0..1, 0..1 and a finite value in line 4", "2 2 4"]);
    place.solve(&text("shape = [2, 2], index_base = 1"), "run", &[], 0);
}

/// The place of a bad weight per row or column was that of a target entry; negative weights of unobserved entries passed.
#[test]
fn a_bad_weight_has_its_own_place_observed_or_not() {
    let place = Place::new();
    place.write("Y.csv", "1,2,3\n4,5,6\n");
    place.write("w.csv", "1\n1\n-2\n");
    let pieces = ["w.csv: row 3, column 1: expected a finite nonnegative weight, found `-2`"];
    refused(&place, &spec("1.0", "matrix", L2L2, "weights = { path = \"w.csv\", axis = 2 }"), 3, &pieces);
    place.write("w.csv", "1,1,1\n1,-1,1\n");
    place.write("mask.csv", "1,1,1\n1,0,1\n");
    let more = "mask = \"mask.csv\"\nweights = \"w.csv\"";
    let pieces = ["w.csv: row 2, column 2: expected a finite nonnegative weight, found `-1`"];
    refused(&place, &spec("1.0", "matrix", L2L2, more), 3, &pieces);
    // a missing weight is an error where it is needed only
    place.write("w.csv", "1,1,1\n1,,1\n");
    place.solve(&spec("1.0", "matrix", L2L2, more), "run", &[], 0);
    let needed = spec("1.0", "matrix", L2L2, "weights = \"w.csv\"");
    place.write("spec.toml", needed);
    let pieces = ["w.csv: row 2, column 2: expected a weight for every observed entry (0 leaves it out), found `NaN`"];
    place.run(&["solve", "spec.toml", "-o", "other"]).exits(3).says(&pieces);
}

/// A shape whose product overflows made the reader panic.
#[test]
fn a_shape_beyond_64_bits_is_an_error_of_the_file() {
    for shape in
        ["(9223372036854775807, 9223372036854775807)", "(4294967296, 4294967296, 0)", "(0, 4294967296, 4294967296)"]
    {
        let place = Place::new();
        place.write("Y.npy", npy_with(shape, "<f8", &[]));
        refused(&place, &spec_on("\"Y.npy\"", "1.0", "matrix", L2L2, ""), 3, &["error: Y.npy: not a valid NPY file"]);
    }
}

/// `--lambda -1` was taken for an unknown flag.
#[test]
fn a_negative_lambda_flag_is_an_error_of_lambda() {
    let place = Place::new();
    place.write("spec.toml", spec("1.0", "matrix", L2L2, ""));
    place
        .run(&["solve", "spec.toml", "--lambda", "-1"])
        .exits(2)
        .says(&["error: --lambda: found the number -1 in `lambda`"]);
}

/// Entries that are not listed but said to be zero were not counted as observed in the report.
#[test]
fn zeros_that_are_not_listed_are_observed() {
    let place = Place::new();
    place.write("Y.csv", "0,0,3\n1,1,4\n");
    let target = "{ path = \"Y.csv\", format = \"triplets\", absent = \"zero\" }";
    let c = place.solve(&spec_on(target, "1.0", "matrix", L2L2, ""), "run", &[], 0);
    assert_eq!(c["data"][0]["observed"], 4);
}

/// `check` kept the choices made while reading to itself.
#[test]
fn check_says_what_was_decided_about_the_data() {
    let place = Place::new();
    place.write("Y.csv", "a,b\n3,4\n");
    place.solve(&spec("1.0", "matrix", L2L2, ""), "run", &[], 0);
    place.run(&["check", "run"]).exits(0).says(&["Y.csv: its first row is a header (say `header = false` otherwise)"]);
}

/// A saved dual point was scaled once more before it was kept, which changed its last digits; where eigenvalues nearly cancel, its
/// proof came out lower.
#[test]
fn check_reproduces_the_bound_of_a_saved_dual_point() {
    let place = Place::new();
    place.write("Y.csv", "0.42420124,-1.58308398\n-1.58308398,-0.82748823\n");
    place.write("w.csv", "1.33914914e-4,0.930535770\n0.930535770,1.54057890e5\n");
    let more = "[loss]\nkind = \"quantile\"\nlevel = 0.01\nsmoothing = 0.1";
    let data = "{ path = \"Y.csv\", header = false }\nweights = { path = \"w.csv\", header = false }";
    place.write("spec.toml", spec_on(data, "{ relative = 1e-6 }", "psd", "{ norm = \"l2\", weight = 0.1 }", more));
    place.run(&["solve", "spec.toml", "-q", "-o", "run"]).exits(1);
    let mut bounds = vec![number(&serde_json::from_str(&place.read("run/certificate.json")).unwrap(), "/lower_bound")];
    for (run, out) in [("run", "again"), ("again", "third")] {
        bounds.push(number(&place.run(&["check", run, "-q", "--json", "-o", out]).exits(1).json(), "/lower_bound"));
    }
    assert!(bounds[1] >= bounds[0] && bounds[2] >= bounds[1], "{bounds:?}");
}
