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

/// A CSV file whose first row is wide was given room for all rows to be so before their cells were counted.
#[test]
fn a_wide_row_above_narrow_ones_takes_no_room() {
    let place = Place::new();
    place.write("Y.csv", [",".repeat(400_000), "\n1".repeat(200_000)].concat());
    let text = spec_on("{ path = \"Y.csv\", header = false }", "1.0", "matrix", L2L2, "");
    refused(&place, &text, 3, &["Y.csv: expected 400001 cells in row 2, found 1"]);
}

/// A size line with the largest number, or with columns and no rows, overflowed or was counted one by one.
#[test]
fn absurd_sizes_of_a_matrix_market_file_are_errors_of_the_file() {
    let head = "%%MatrixMarket matrix";
    let cases = [
        ("coordinate real general\n18446744073709551615 2 1\n0 1 1\n", "two indices in 1..18446744073709551615, 1..2"),
        ("coordinate real general\n1 1 1000000000000000000\n1 1 1\n", "expected 1000000000000000000 entries"),
        ("array real general\n0 1000000000000000000\n", "expected sizes below 2^31, found 1000000000000000000"),
        ("array real general\n10000000000 10000000000\n1\n", "expected 100000000000000000000 values"),
        ("array real symmetric\n4294967296 4294967296\n1\n", "expected 9223372039002259456 values"),
        ("coordinate real general\n100000000 100000000 1\n1 1 1\n", "a shape that its 1 entries make likely"),
    ];
    for (rest, said) in cases {
        let place = Place::new();
        place.write("Y.mtx", format!("{head} {rest}"));
        refused(&place, &spec_on("\"Y.mtx\"", "1.0", "matrix", L2L2, ""), 3, &["Y.mtx", said]);
    }
}

/// Three entries far out took gigabytes; a shape that the spec says is believed, as is one that the entries make likely.
#[test]
fn a_few_entries_far_out_are_no_shape() {
    let place = Place::new();
    place.write("Y.csv", "0,0,1\n1,100000000,2\n");
    let target = |more: &str| format!("{{ path = \"Y.csv\", format = \"triplets\"{more} }}");
    let hint = "hint: if it is right, say so: `shape = [2, 100000001]`";
    refused(&place, &spec_on(&target(""), "1.0", "matrix", L2L2, ""), 3, &["make likely, found [2, 100000001]", hint]);
    place.write("Y.csv", "0,0,1\n9999,9999,2\n");
    let text = spec_on(&target(", absent = \"zero\""), "1.0", "matrix", L2L2, "");
    refused(&place, &text, 3, &["make likely, found [10000, 10000]"]);
    place.write("Y.csv", "0,0,3\n1,100000,2\n");
    place.write("spec.toml", spec_on(&target(""), "1.0", "matrix", L2L2, ""));
    place.run(&["solve", "spec.toml", "-q", "-o", "run", "--time-limit", "20s"]).exits(0);
}

/// Groups up to a huge coordinate were given room for every coordinate below it.
#[test]
fn a_group_of_a_huge_coordinate_takes_no_room() {
    for last in ["9223372036854775807", "90000000000"] {
        let norm = format!("{{ norm = \"group_l2\", groups = [[0, {last}]] }}");
        refused(&Place::new(), &spec("1.0", "matrix", &norm, ""), 2, &["coordinate 1 is in no group"]);
    }
}

/// The line of every value was counted from the first: a long spec took minutes.
#[test]
fn a_long_spec_is_read_at_once() {
    let numbers: String = (2..100_000).map(|k| format!(",\n{k}")).collect();
    let target = format!("{{ path = \"Y.csv\", columns = [1{numbers},\n7] }}");
    let clock = std::time::Instant::now();
    refused(&Place::new(), &spec_on(&target, "1.0", "matrix", L2L2, ""), 2, &["found the number 7 twice"]);
    assert!(clock.elapsed().as_secs() < 20, "{:?}", clock.elapsed());
}

/// A long name was compared with every other letter by letter, and all of them were listed.
#[test]
fn a_long_unknown_name_is_refused_at_once() {
    let place = Place::new();
    let name = "x".repeat(200_000);
    place.write("Y.csv", (0..20_000).map(|k| format!("column{k},")).collect::<String>() + &name[1..] + "\n");
    let target = format!("{{ path = \"Y.csv\", columns = [\"{name}\"] }}");
    refused(&place, &spec_on(&target, "1.0", "matrix", L2L2, ""), 3, &["no column `xxx", "column49, .."]);
}

/// Small archives inflated to a quarter of the memory, as often as they had members.
#[test]
fn what_an_archive_inflates_to_is_bounded_by_its_size() {
    let place = Place::new();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in ["X.npy", "Z.npy"] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, &npy_with("(6000, 1000)", "|b1", &vec![1; 6_000_000])).unwrap();
    }
    place.write("Y.npz", zip.finish().unwrap().into_inner());
    let said = "Y.npz[Z.npy]: not a valid NPY file: expected at most";
    let text = spec_on("{ path = \"Y.npz\", key = \"X\" }", "1.0", "matrix", L2L2, "");
    refused(&place, &text, 3, &[said, "(save it uncompressed if it is right), found 6000000"]);
}

/// A weight far out overflowed while its place was computed.
#[test]
fn a_negative_weight_far_out_has_its_place() {
    let place = Place::new();
    place.write("Y.csv", "1,2\n3,4\n");
    place.write("w.tns", format!("{}-1\n", "4294967295 ".repeat(32)));
    let pieces = ["w.tns: row 1, entry (4294967295, 4294967295, ", "expected a finite nonnegative weight, found `-1`"];
    refused(&place, &spec("1.0", "matrix", L2L2, "weights = \"w.tns\""), 3, &pieces);
}

/// Dimensions of an operator were multiplied before it was known that they fit.
#[test]
fn huge_dims_of_an_operator_are_an_error() {
    let place = Place::new();
    place.write("y.csv", "1\n2\n");
    place.write("A.csv", "1,2,3,4\n5,6,7,8\n");
    let more = "operator = { path = \"A.csv\", dims = [4294967296, 4294967296] }";
    let text = spec_on("\"y.csv\"", "1.0", "matrix", L2L2, more);
    refused(&place, &text, 3, &["A.csv: expected m x 4294967296 x 4294967296", "found shape [2, 4]"]);
    place.write("A.mtx", "%%MatrixMarket matrix coordinate real general\n2 1000000000000000000 1\n1 1 1\n");
    let text = spec_on("\"y.csv\"", "1.0", "matrix", L2L2, "operator = \"A.mtx\"");
    refused(&place, &text, 3, &["A.mtx: expected matrices of a size that its entries make likely"]);
}

/// Sums of large numbers made targets infinite or 0 without a word.
#[test]
fn a_transform_that_overflows_is_an_error_of_its_cell() {
    let place = Place::new();
    place.write("Y.csv", "1e308,1\n1e308,2\n-1e308,3\n");
    for transform in ["center", "standardize"] {
        let text = spec("1.0", "matrix", L2L2, &format!("transform = \"{transform}\""));
        refused(&place, &text, 3, &["Y.csv: row 1, column 1: expected a value small enough for the transform"]);
    }
}

/// A name that leads out of `runs` was taken for a folder.
#[test]
fn a_name_does_not_lead_out_of_runs() {
    let place = Place::new();
    place.write("Y.csv", "3,4\n");
    for name in ["../elsewhere", "/tmp/elsewhere", "a/../..", ""] {
        let text = format!("name = \"{name}\"\n{}", spec("1.0", "matrix", L2L2, ""));
        refused(&place, &text, 2, &["in `name`", "the name of a folder below `runs`"]);
    }
    let text = format!("name = \"../x\"\n{}", spec("1.0", "matrix", L2L2, "[output]\ndir = \"here\""));
    place.solve(&text, "run", &[], 0);
}

/// Sizes of a damaged model.json were multiplied, divided by, or given room for.
#[test]
fn absurd_sizes_of_a_model_are_an_error_of_its_file() {
    let place = Place::new();
    place.write("Y.csv", "3,4\n1,2\n");
    place.solve(&spec("1.0", "matrix", L2L2, ""), "run", &[], 0);
    let good = place.read("run/model.json");
    let (head, rest) = good.split_once("\"sizes\": [").unwrap();
    let rest = rest.split_once(']').unwrap().1;
    place.write("ask.csv", "0,0\n");
    for sizes in ["0, 2", "2", "2, 2147483647, 2147483647", "2, 9223372036854775807, 2"] {
        place.write("run/model.json", format!("{head}\"sizes\": [{sizes}]{rest}"));
        let out = place.run(&["predict", "run", "--input", "ask.csv"]).exits(3);
        out.says(&["model.json", "are not those of an array"]);
    }
}

/// A list of entries with one index each lost them all, and an error among them had no place.
#[test]
fn a_list_of_entries_of_a_vector_is_a_column() {
    let place = Place::new();
    place.write("Y.tns", "1 3\n2 4\n3 5\n");
    place.write("spec.toml", spec_on("\"Y.tns\"", "1.0", "matrix", L2L2, ""));
    let c = place.run(&["solve", "spec.toml", "-q", "--json", "-o", "run"]).exits(0).json();
    assert_eq!(c["data"][0]["shape"], serde_json::json!([3]));
    let text = spec_on("\"Y.tns\"", "1.0", "matrix", L2L2, "[loss]\nkind = \"logistic\"");
    place.write("spec.toml", text);
    place.run(&["solve", "spec.toml", "-o", "other"]).exits(3).says(&["Y.tns: row 1, entry (1): expected -1 or 1"]);
}

/// Every record of a CSV file took the room of the widest before it.
#[test]
fn a_wide_row_does_not_make_the_next_ones_wide() {
    let place = Place::new();
    place.write("Y.csv", [",".repeat(1000), "\n1".repeat(500_000)].concat());
    let text = spec_on("{ path = \"Y.csv\", header = false }", "1.0", "matrix", L2L2, "");
    refused(&place, &text, 3, &["Y.csv: expected 1001 cells in row 2, found 1"]);
}

/// An array of more indices than `model.json` may have was solved, and its folder not read back.
#[test]
fn an_array_of_too_many_indices_is_refused() {
    let place = Place::new();
    let shape = format!("({})", "1, ".repeat(33));
    place.write("Y.npy", npy_with(&shape, "<f8", &1.0f64.to_le_bytes()));
    let text = spec_on("\"Y.npy\"", "1.0", "cp", "{ norm = \"l2\" }", "");
    refused(&place, &text, 3, &["Y.npy: expected at most 32 indices, found 33"]);
}

/// Three sizes in the model.json of a matrix were projected along the third.
#[test]
fn a_model_of_a_matrix_has_two_sizes() {
    let place = Place::new();
    place.write("Y.csv", "3,4\n1,2\n");
    place.solve(&spec("1.0", "matrix", L2L2, ""), "run", &[], 0);
    let good = place.read("run/model.json");
    let (head, rest) = good.split_once("\"sizes\": [").unwrap();
    place.write("run/model.json", format!("{head}\"sizes\": [2, 2, 1]{}", rest.split_once(']').unwrap().1));
    place.write("new.csv", "1,2\n");
    let out = place.run(&["predict", "run", "--project", "new.csv", "--axis", "3"]).exits(3);
    out.says(&["model.json: expected two sizes, as the matrix mapping has, found [2, 2, 1]"]);
}

/// New rows whose squares overflow were written as zeros.
#[test]
fn new_rows_that_are_too_large_are_refused() {
    let place = Place::new();
    place.write("Y.csv", "3,4\n1,2\n");
    place.solve(&spec("1.0", "matrix", L2L2, ""), "run", &[], 0);
    for row in ["1e308,-1e308", "1e160,1e160"] {
        place.write("new.csv", format!("1,2\n{row}\n"));
        let out = place.run(&["predict", "run", "--project", "new.csv", "-o", "out.csv"]).exits(3);
        out.says(&["new.csv: expected a new row 2 of values small enough for double precision, found one of 1e"]);
        assert!(!place.path("out.csv").exists());
    }
    // large ones that fit are scaled as small ones are
    place.write("new.csv", "3e100,4e100\n");
    assert!(place.run(&["predict", "run", "--project", "new.csv"]).exits(0).stdout.contains("e100"));
}

/// A target of a few columns was the only table that `--project` read.
#[test]
fn new_rows_may_have_columns_picked() {
    let place = Place::new();
    place.write("Y.csv", "name,a,b\nx,3,4\ny,1,2\n");
    place.solve(&spec_on("{ path = \"Y.csv\", columns = [\"a\", \"b\"] }", "1.0", "matrix", L2L2, ""), "run", &[], 0);
    place.write("new.csv", "3,4\n");
    let by = |more: &[&str]| place.run(&[&["predict", "run", "--project", "new.csv"], more].concat());
    by(&[]).exits(3).says(&["new.csv: no column `a`"]);
    let picked = by(&["--columns", "1,2"]).exits(0).stdout;
    place.write("new.csv", "b,name,a\n4,z,3\n");
    assert_eq!(by(&[]).exits(0).stdout, picked);
}

/// Brackets inside brackets in the header of an array were tried in every meaning: 28 of them took minutes.
#[test]
fn nested_brackets_of_a_header_are_refused_at_once() {
    let clock = std::time::Instant::now();
    for open in ["{", "[", "(", "{[", "(["] {
        let place = Place::new();
        place.write("Y.npy", npy_with(&open.repeat(28), "<f8", &[1; 48]));
        refused(
            &place,
            &spec_on("\"Y.npy\"", "1.0", "matrix", L2L2, ""),
            3,
            &["Y.npy: not a valid NPY file", "deep nesting"],
        );
    }
    assert!(clock.elapsed().as_secs() < 20, "{:?}", clock.elapsed());
}

/// A table was made for every name of a dotted key, each with a copy of the whole: 60 kB took 13 GB, and the stack.
#[test]
fn keys_of_many_names_are_refused_at_once() {
    let place = Place::new();
    place.write("Y.csv", "3,4\n1,2\n");
    place.write("spec.toml", spec("1.0", "matrix", L2L2, ""));
    let out = place.run(&["solve", "spec.toml", "--set", &format!("{}a=1", "a.".repeat(30_000))]).exits(2);
    out.says(&["a key of 30001 names, where no spec has more than 16"]);
}

/// Columns picked from an array without entries took memory for as many as its header said there were.
#[test]
fn columns_of_an_array_without_entries_take_no_memory() {
    let place = Place::new();
    place.write("Y.npy", npy_with("(0, 70368744177664)", "<f8", &[]));
    let text = spec_on("{ path = \"Y.npy\", columns = [1, 2] }", "1.0", "matrix", L2L2, "");
    refused(&place, &text, 3, &["Y.npy: "]);
}

/// Labels that hardly repeat became one-hot rows of gigabytes.
#[test]
fn a_column_of_numbers_is_no_column_of_labels() {
    let place = Place::new();
    place.write("Y.csv", (0..15_000).map(|i| format!("label{i}\n")).collect::<String>());
    let target = "{ path = \"Y.csv\", header = false }";
    let text = spec_on(target, "1.0", "matrix", L2L2, "[loss]\nkind = \"multinomial\"");
    refused(&place, &text, 3, &["Y.csv: ", "15000 labels of 15000 classes", "have to be given as such"]);
}
