//! One test per bug found.

use crate::common::*;

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
