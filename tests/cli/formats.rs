//! The same problem in every format gives the same numbers; NumPy's files are read, and ours are NumPy's byte for byte.

use crate::common::*;
use crate::naive::{self, Grid, npy_with, npz_bytes};
use homfac::data::npy;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// What every format must agree on.
fn numbers(c: &Value) -> Vec<Value> {
    let keys = ["objective", "lower_bound", "bound", "gap", "polar", "rank", "lambda_max", "verdict", "conditions"];
    keys.iter().map(|k| c[*k].clone()).collect()
}

/// The 4 x 3 table of small integers that the formats hold.
fn table() -> Grid {
    Grid::from_fn(4, 3, |i, j| [[3.0, 1.0, 0.0], [0.0, 2.0, 5.0], [1.0, 0.0, 4.0], [0.0, 0.0, 7.0]][i][j])
}

/// Solves each (file, content, target) and asserts the numbers of the dense CSV.
#[track_caller]
fn agree(reference: &str, files: &[(&str, Vec<u8>, &str)]) -> Value {
    let place = Place::new();
    place.write("reference.csv", reference);
    let more = "[certificate]\ntarget_gap = 1e-6";
    let spec = |target: &str| spec_on(target, "0.8", "matrix", L2L2, more);
    let wanted = place.solve(&spec("{ path = \"reference.csv\", header = false }"), "reference", &[], 0);
    for (k, (file, content, target)) in files.iter().enumerate() {
        place.write(file, content);
        let run = format!("run{k}");
        let found = place.solve(&spec(target), &run, &[], 0);
        assert_eq!(numbers(&found), numbers(&wanted), "{file} as {target}");
        // and the resolved spec still reads it from the run folder
        assert_eq!(place.run(&["check", &run, "-q"]).code, 0, "{file} as {target}");
    }
    wanted
}

fn text(s: impl Into<String>) -> Vec<u8> {
    s.into().into_bytes()
}

#[test]
fn dense_text() {
    let plain = csv(&table());
    let with = |separator: &str| table().lines(separator, |x| format!("{x}"));
    let files = [
        ("bare.csv", text(&plain), "\"bare.csv\""),
        ("header.csv", text(format!("a,b,c\n{plain}")), "\"header.csv\""),
        ("said.csv", text(format!("a,b,c\n{plain}")), "{ path = \"said.csv\", header = true }"),
        ("numbers.csv", text(format!("1,2,3\n{plain}")), "{ path = \"numbers.csv\", header = true }"),
        ("semicolon.csv", text(with(";")), "{ path = \"semicolon.csv\", delimiter = \";\" }"),
        ("tabs.tsv", text(with("\t")), "\"tabs.tsv\""),
        ("tabs.csv", text(with("\t")), "{ path = \"tabs.csv\", delimiter = \"tab\" }"),
        ("pipe.txt", text(with("|")), "{ path = \"pipe.txt\", delimiter = \"|\" }"),
        ("named.data", text(&plain), "{ path = \"named.data\", format = \"csv\" }"),
        ("crlf.csv", text(plain.replace('\n', "\r\n")), "\"crlf.csv\""),
        ("bom.csv", text(format!("\u{feff}a,b,c\n{plain}")), "{ path = \"bom.csv\", columns = [\"a\", \"b\", \"c\"] }"),
        ("spaces.csv", text(plain.replace(',', " , ")), "\"spaces.csv\""),
        ("quoted.csv", text(with("\",\"").lines().map(|l| format!("\"{l}\"\n")).collect::<String>()), "\"quoted.csv\""),
        ("no_end.csv", text(plain.trim_end()), "\"no_end.csv\""),
        ("shape.csv", text(&plain), "{ path = \"shape.csv\", shape = [4, 3] }"),
    ];
    agree(&plain, &files);
}

#[test]
fn columns_are_picked_by_name_and_number() {
    let plain = csv(&table());
    let t = table();
    // id, c, a, b, label: picked back into a, b, c
    let mixed = Grid::from_fn(4, 5, |i, j| [100.0 + i as f64, t.at(i, 2), t.at(i, 0), t.at(i, 1), 9.0][j]);
    let named = format!("id,c,a,b,label\n{}", csv(&mixed));
    let npy = naive::npy_bytes(&mixed);
    let words = named.replace(",9.0", ",spam");
    let files = [
        ("names.csv", text(&named), "{ path = \"names.csv\", columns = [\"a\", \"b\", \"c\"] }"),
        ("mixed.csv", text(&named), "{ path = \"mixed.csv\", columns = [3, \"b\", 2] }"),
        ("words.csv", text(&words), "{ path = \"words.csv\", columns = [3, 4, 2] }"),
        ("columns.npy", npy, "{ path = \"columns.npy\", columns = [3, 4, 2] }"),
        ("columns.npz", npz_bytes(&[("x", &mixed)]), "{ path = \"columns.npz\", columns = [3, 4, 2] }"),
    ];
    agree(&plain, &files);
}

#[test]
fn missing_values_are_missing_in_every_notation() {
    let holes = [(0, 1), (1, 0), (2, 2), (3, 1)];
    let t = table();
    let grid = Grid::from_fn(4, 3, |i, j| if holes.contains(&(i, j)) { f64::NAN } else { t.at(i, j) });
    let plain = csv(&grid);
    let with = |word: &str| text(grid.lines(",", |x| if x.is_nan() { word.into() } else { format!("{x}") }));
    let listed = |base: usize| {
        let entries = (0..4).flat_map(|i| (0..3).map(move |j| (i, j))).filter(|e| !holes.contains(e));
        let rows: Vec<String> = entries.map(|(i, j)| format!("{},{},{}", i + base, j + base, t.at(i, j))).collect();
        rows
    };
    let mut shuffled = listed(0);
    shuffled.reverse();
    let mtx: String = listed(1).iter().map(|r| r.replace(',', " ") + "\n").collect();
    let mtx = format!("%%MatrixMarket matrix coordinate real general\n% a comment\n\n4 3 8\n{mtx}");
    let zero_based: String = listed(0).iter().map(|r| r.replace(',', " ") + "\n").collect();
    let zero_based = format!("%%MatrixMarket matrix coordinate integer general\n4 3 8\n{zero_based}");
    let triplets = "format = \"triplets\"";
    let files: Vec<(&str, Vec<u8>, String)> = vec![
        ("na.csv", with("NA"), "\"na.csv\"".into()),
        ("nan.csv", with("NaN"), "\"nan.csv\"".into()),
        ("lower.csv", with("nan"), "\"lower.csv\"".into()),
        ("blank.csv", with("  "), "\"blank.csv\"".into()),
        ("nan.npy", naive::npy_bytes(&grid), "\"nan.npy\"".into()),
        ("zero.csv", text(listed(0).join("\n")), format!("{{ path = \"zero.csv\", {triplets} }}")),
        (
            "shuffled.csv",
            text(shuffled.join("\n")),
            format!("{{ path = \"shuffled.csv\", {triplets}, shape = [4, 3] }}"),
        ),
        (
            "one.csv",
            text("row,col,rating\n".to_string() + &listed(1).join("\n")),
            format!("{{ path = \"one.csv\", {triplets}, index_base = 1 }}"),
        ),
        (
            "listed.tsv",
            text(listed(0).join("\n").replace(',', "\t")),
            format!("{{ path = \"listed.tsv\", {triplets} }}"),
        ),
        (
            "empty.csv",
            text(listed(0).join("\n") + "\n0,1,\n1,0,NA"),
            format!("{{ path = \"empty.csv\", {triplets}, absent = \"missing\" }}"),
        ),
        ("list.mtx", text(mtx), "\"list.mtx\"".into()),
        ("zero.mtx", text(zero_based), "{ path = \"zero.mtx\", index_base = 0, shape = [4, 3] }".into()),
    ];
    let files: Vec<(&str, Vec<u8>, &str)> = files.iter().map(|(a, b, c)| (*a, b.clone(), c.as_str())).collect();
    agree(&plain, &files);
}

#[test]
fn absent_entries_are_zero_where_the_spec_says_so() {
    let t = table();
    let nonzero = || (0..4).flat_map(|i| (0..3).map(move |j| (i, j))).filter(|&(i, j)| t.at(i, j) != 0.0);
    let lines = |base: usize, separator: &str| -> String {
        nonzero().map(|(i, j)| format!("{}{separator}{}{separator}{}\n", i + base, j + base, t.at(i, j))).collect()
    };
    let mtx = format!("%%MatrixMarket matrix coordinate real general\n4 3 {}\n{}", nonzero().count(), lines(1, " "));
    let files = [
        (
            "zero.csv",
            text(lines(0, ",")),
            "{ path = \"zero.csv\", format = \"triplets\", shape = [4, 3], absent = \"zero\" }",
        ),
        (
            "one.csv",
            text(lines(1, ",")),
            "{ path = \"one.csv\", format = \"triplets\", index_base = 1, absent = \"zero\" }",
        ),
        ("coordinate.mtx", text(mtx), "{ path = \"coordinate.mtx\", absent = \"zero\" }"),
    ];
    agree(&csv(&t), &files);
}

#[test]
fn matrix_market_kinds() {
    let array: String =
        (0..3).flat_map(|j| (0..4).map(move |i| (i, j))).map(|(i, j)| format!("{}\n", table().at(i, j))).collect();
    let array = format!("%%MatrixMarket matrix array real general\n4 3\n{array}");
    agree(&csv(&table()), &[("array.mtx", text(array), "\"array.mtx\"")]);

    let lower = "2 1 3\n3 2 -1\n1 1 4\n3 3 2\n";
    let symmetric = format!("%%MatrixMarket matrix coordinate real symmetric\n3 3 4\n{lower}");
    let dense = "%%MatrixMarket matrix array integer symmetric\n3 3\n4\n3\n0\n0\n-1\n2\n";
    let files = [
        ("symmetric.mtx", text(symmetric), "{ path = \"symmetric.mtx\", absent = \"zero\" }"),
        ("dense.mtx", text(dense), "\"dense.mtx\""),
    ];
    agree("4,3,0\n3,0,-1\n0,-1,2\n", &files);

    let skew = "%%MatrixMarket matrix coordinate real skew-symmetric\n3 3 2\n2 1 3\n3 2 -1\n";
    let dense = "%%MatrixMarket matrix array real skew-symmetric\n3 3\n3\n0\n-1\n";
    let files = [
        ("skew.mtx", text(skew), "{ path = \"skew.mtx\", absent = \"zero\" }"),
        ("dense.mtx", text(dense), "\"dense.mtx\""),
    ];
    agree("0,-3,0\n3,0,1\n0,-1,0\n", &files);

    let pattern = "%%MatrixMarket matrix coordinate pattern general\n2 3 3\n1 1\n2 3\n1 2\n";
    agree("1,1,0\n0,0,1\n", &[("pattern.mtx", text(pattern), "{ path = \"pattern.mtx\", absent = \"zero\" }")]);
    // unlisted entries of a pattern are missing unless said to be zero
    agree("1,1,\n,,1\n", &[("pattern.mtx", text(pattern), "\"pattern.mtx\"")]);
}

#[test]
fn arrays_and_archives() {
    let t = table();
    let other = Grid::from_fn(2, 2, |_, _| 1.0);
    let files = [
        ("y.npy", naive::npy_bytes(&t), "\"y.npy\""),
        ("one.npz", npz_bytes(&[("only", &t)]), "\"one.npz\""),
        ("two.npz", npz_bytes(&[("other", &other), ("y", &t)]), "{ path = \"two.npz\", key = \"y\" }"),
    ];
    agree(&csv(&t), &files);
}

#[test]
fn a_vector_is_a_column() {
    let bytes: Vec<u8> = [3.0f64, 0.0, 4.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    agree("3\n0\n4\n", &[("vector.npy", npy_with("(3,)", "<f8", &bytes), "\"vector.npy\"")]);
}

#[test]
fn masks_and_weights_come_in_every_format_too() {
    let place = Place::new();
    place.write("Y.csv", csv(&table()));
    place.write("mask.csv", "1,1,0\n0,1,1\n1,1,1\n1,0,1\n");
    place.write(
        "mask.mtx",
        "%%MatrixMarket matrix coordinate pattern general\n4 3 9\n1 1\n1 2\n2 2\n2 3\n3 1\n3 2\n3 3\n4 1\n4 3\n",
    );
    let mask = Grid::from_fn(4, 3, |i, j| f64::from(u8::from(![(0, 2), (1, 0), (3, 1)].contains(&(i, j)))));
    let bits: Vec<u8> = (0..4).flat_map(|i| (0..3).map(move |j| (i, j))).map(|(i, j)| mask.at(i, j) as u8).collect();
    place.write("mask.npy", npy_with("(4, 3)", "|b1", &bits));
    place.write("listed.csv", "0,0,1\n0,1,1\n1,1,1\n1,2,1\n2,0,1\n2,1,1\n2,2,1\n3,0,1\n3,2,1\n");
    let solve = |more: &str, run: &str| numbers(&place.solve(&spec("0.8", "matrix", L2L2, more), run, &[], 0));
    let wanted = solve("mask = \"mask.csv\"", "csv");
    let others = [
        "mask = \"mask.mtx\"",
        "mask = \"mask.npy\"",
        "mask = { path = \"listed.csv\", format = \"triplets\" }",
        "weights = \"mask.csv\"",
        "weights = \"mask.npy\"",
    ];
    for (k, more) in others.iter().enumerate() {
        assert_eq!(solve(more, &format!("run{k}")), wanted, "{more}");
    }
}

#[test]
fn the_log_says_what_was_decided() {
    let place = Place::new();
    place.write("Y.csv", "i,j,v\n1,1,4\n2,3,5\n");
    place.write(
        "spec.toml",
        spec_on("{ path = \"Y.csv\", format = \"triplets\", index_base = 1 }", "1", "matrix", L2L2, ""),
    );
    let pieces = [
        "Y.csv: its first row is a header (say `header = false` otherwise)",
        "Y.csv: warning: no `shape` given; taken from the largest index seen: [2, 3]",
        "Y.csv: entries that are not listed are missing",
    ];
    place.run(&["solve", "spec.toml", "-o", "run"]).exits(0).says(&pieces);
    let report = std::fs::read_to_string(place.path("run/report.md")).unwrap();
    assert!(pieces.iter().all(|p| report.contains(p)), "{report}");
    // the run's own spec has what was decided in it, and still says that it was
    let written = std::fs::read_to_string(place.path("run/spec.toml")).unwrap();
    assert!(written.contains("header = true") && written.contains("shape = [2, 3]"), "{written}");
    place.run(&["check", "run"]).exits(0).says(&pieces);
    place.write(
        "spec.toml",
        spec_on("{ path = \"Y.csv\", format = \"triplets\", header = true }", "1", "matrix", L2L2, ""),
    );
    let out = place.run(&["solve", "spec.toml", "-o", "other"]).exits(0).says(&["Y.csv: indices are counted from 0"]);
    assert!(!out.stderr.contains("is a header"), "what was said is not decided");
}

fn numpy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/numpy").join(name)
}

#[test]
fn every_dtype_order_and_version_of_numpy_is_read() {
    let table = "1,2\n3,0\n5,6\n";
    let ones = "1,1\n1,0\n1,1\n";
    let names = [
        "f4",
        "f8",
        "i1",
        "i2",
        "i4",
        "i8",
        "u1",
        "u2",
        "u4",
        "u8",
        "big_endian",
        "big_endian_i4",
        "fortran_i2",
        "version1",
        "version2",
        "version3",
    ];
    let files: Vec<(String, Vec<u8>, String)> = names
        .iter()
        .map(|n| (format!("{n}.npy"), fs::read(numpy(&format!("{n}.npy"))).unwrap(), format!("\"{n}.npy\"")))
        .collect();
    let mut files: Vec<(&str, Vec<u8>, &str)> =
        files.iter().map(|(n, b, t)| (n.as_str(), b.clone(), t.as_str())).collect();
    files.push(("two.npz", fs::read(numpy("two.npz")).unwrap(), "{ path = \"two.npz\", key = \"table\" }"));
    files.push(("one.npz", fs::read(numpy("one.npz")).unwrap(), "\"one.npz\""));
    agree(table, &files);
    agree(ones, &[("bool.npy", fs::read(numpy("bool.npy")).unwrap(), "\"bool.npy\"")]);
}

#[test]
fn our_writer_reproduces_numpys_files_byte_for_byte() {
    // values with the first index fastest
    let ramp = |rows: usize, cols: usize, f: &dyn Fn(f64) -> f64| -> Vec<f64> {
        (0..cols).flat_map(|j| (0..rows).map(move |i| (i * cols + j) as f64)).map(f).collect()
    };
    let cube =
        (0..4).flat_map(|k| (0..3).flat_map(move |j| (0..2).map(move |i| (i * 12 + j * 4 + k) as f64))).collect();
    let cases: [(&str, Vec<usize>, Vec<f64>); 8] = [
        ("fortran", vec![4, 3], ramp(4, 3, &|x| x / 7.0 - 1.0)),
        ("vector", vec![5], ramp(5, 1, &|x| x / 3.0)),
        ("column", vec![4, 1], ramp(4, 1, &|x| x)),
        ("row", vec![1, 4], ramp(1, 4, &|x| x)),
        ("empty", vec![4, 0], vec![]),
        ("cube", vec![2, 3, 4], cube),
        ("special", vec![2, 2], vec![0.1, 1e-320, -0.0, f64::MAX]),
        ("wide", vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0], vec![]),
    ];
    for (name, shape, values) in cases {
        let mut written = Vec::new();
        npy::write(&mut written, &shape, &values).unwrap();
        let wanted = fs::read(numpy(&format!("{name}.npy"))).unwrap();
        assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&wanted), "{name}");
        assert_eq!(written, wanted, "{name}");
        let back = npy::read(&wanted, name).unwrap();
        assert_eq!(back, homfac::data::Array::Dense { shape, values }, "{name}");
    }
}
