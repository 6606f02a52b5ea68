//! One broken thing per test: the message says where, what was found, what was expected, and what to do; the exit code is 2
//! for what spec and command line show, 3 for what needs the data.

use crate::common::*;
use crate::naive::{npy_bytes, npy_with, npz_bytes, zip_bytes};

/// A folder with `Y.csv` = diag(4, 3, 1).
fn place() -> Place {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    place
}

/// A spec that solves, with one line replaced.
fn broken(from: &str, to: &str) -> String {
    let good = "lambda = 1.0\n[data]\ntarget = { path = \"Y.csv\" }\n[mapping]\nkind = \"matrix\"\n[regularizer]\n\
                form = \"product\"\nfactors = [{ norm = \"l2\" }]\n[loss]\nkind = \"squared\"\n[solver]\nseed = 0\n\
                [certificate]\ntarget_gap = 1e-4\n";
    assert_eq!(good.matches(from).count(), 1, "{from}");
    good.replace(from, to)
}

/// `solve` refuses the spec: this exit code, these pieces in the message, nothing on stdout, nothing written.
#[track_caller]
fn refused(place: &Place, spec: &str, code: i32, pieces: &[&str]) {
    place.write("spec.toml", spec);
    let before = place.tree("");
    let out = place.run(&["solve", "spec.toml", "-o", "run"]).exits(code);
    assert_eq!(out.stdout, "");
    assert!(out.stderr.starts_with("error: "), "{}", out.stderr);
    out.says(pieces);
    assert_eq!(place.tree(""), before);
}

/// The spec is refused with exit code 2 for replacing one line.
#[track_caller]
fn spec_error(from: &str, to: &str, pieces: &[&str]) {
    refused(&place(), &broken(from, to), 2, pieces);
}

/// The data is refused with exit code 3 for this file as target.
#[track_caller]
fn data_error(file: &str, content: impl AsRef<[u8]>, target: &str, pieces: &[&str]) {
    let place = Place::new();
    place.write(file, content);
    refused(&place, &spec_on(target, "1.0", "matrix", L2L2, ""), 3, pieces);
}

#[test]
fn the_unbroken_spec_solves() {
    let place = place();
    place.solve(&broken("kind = \"squared\"", "kind = \"squared\""), "run", &[], 0);
}

// --- the spec ---

#[test]
fn an_unknown_norm_has_its_line_key_and_nearest_name() {
    spec_error(
        "norm = \"l2\"",
        "norm = \"l12\"",
        &[
            "error: spec.toml:8: unknown norm `l12` in `regularizer.factors[0].norm`",
            "\n  expected one of: l1, l2, linf, lp, group_l2, tv, frobenius, spectral, nuclear\n",
            "hint: did you mean `l1`?",
        ],
    );
}

#[test]
fn all_errors_come_at_once_in_the_order_of_the_file() {
    let place = place();
    let spec = broken("lambda = 1.0", "lambda = -1").replace("\"matrix\"", "\"matrx\"").replace("\"l2\"", "\"l12\"");
    let spec = spec.replace("\"squared\"", "\"sqared\"").replace("seed = 0", "sed = 0").replace("1e-4", "2");
    place.write("spec.toml", &spec);
    let out = place.run(&["solve", "spec.toml"]).exits(2);
    let lines: Vec<&str> = out.stderr.lines().filter(|l| l.starts_with("error: ")).collect();
    let wanted = [
        "error: spec.toml:1: found the number -1 in `lambda`",
        "error: spec.toml:5: unknown mapping `matrx` in `mapping.kind`",
        "error: spec.toml:8: unknown norm `l12` in `regularizer.factors[0].norm`",
        "error: spec.toml:10: unknown loss `sqared` in `loss.kind`",
        "error: spec.toml:12: unknown key `sed` in `solver.sed`",
        "error: spec.toml:14: found 2 in `certificate.target_gap`",
    ];
    assert_eq!(lines, wanted);
}

#[test]
fn what_is_not_toml_has_its_line() {
    spec_error("seed = 0", "seed = = 0", &["error: spec.toml:12: not valid TOML"]);
    spec_error("seed = 0", "seed = 0\nseed = 1", &["error: spec.toml:13: not valid TOML", "duplicate key"]);
}

#[test]
fn a_missing_spec_is_named() {
    place().run(&["solve", "nowhere.toml"]).exits(2).says(&["error: nowhere.toml: the spec cannot be read"]);
}

#[test]
fn missing_keys_are_named() {
    spec_error("lambda = 1.0", "", &["missing key `lambda`", "expected a number > 0, or { relative = x }"]);
    spec_error("target = { path = \"Y.csv\" }", "", &["spec.toml:2: missing key `target` in `data.target`"]);
    spec_error("{ path = \"Y.csv\" }", "{ header = false }", &["missing key `path` in `data.target.path`"]);
    spec_error("[mapping]\nkind = \"matrix\"\n", "", &["missing key `mapping`"]);
    spec_error(
        "kind = \"matrix\"",
        "",
        &["missing key `kind` in `mapping.kind`", "expected one of: matrix, psd, cp, relu"],
    );
    spec_error("factors = [{ norm = \"l2\" }]", "", &["missing key `factors` in `regularizer.factors`"]);
    spec_error("norm = \"l2\"", "cone = \"nonnegative\"", &["missing key `norm` in `regularizer.factors[0].norm`"]);
    spec_error("kind = \"squared\"", "", &["missing key `kind` in `loss.kind`"]);
}

#[test]
fn an_unknown_key_has_its_nearest_name() {
    let pieces = ["spec.toml:12: unknown key `sed` in `solver.sed`", "seed", "hint: did you mean `seed`?"];
    spec_error("seed = 0", "sed = 0", &pieces);
    spec_error(
        "{ path = \"Y.csv\" }",
        "{ path = \"Y.csv\", heade = true }",
        &["unknown key `heade`", "did you mean `header`?"],
    );
    spec_error(
        "lambda = 1.0",
        "lambda = 1.0\nlamda = 2",
        &["spec.toml:2: unknown key `lamda`", "did you mean `lambda`?"],
    );
    spec_error("lambda = 1.0", "lambda = { relativ = 2 }", &["unknown key `relativ`", "did you mean `relative`?"]);
}

#[test]
fn lambda_must_be_positive_and_finite() {
    for (value, found) in [
        ("0", "the number 0"),
        ("-2.5", "the number -2.5"),
        ("nan", "the number NaN"),
        ("inf", "the number inf"),
        ("\"big\"", "the string `big`"),
    ] {
        let found = format!("spec.toml:1: found {found} in `lambda`");
        spec_error("lambda = 1.0", &format!("lambda = {value}"), &[&found, "expected a finite number > 0"]);
    }
    spec_error("lambda = 1.0", "lambda = { relative = 0 }", &["found the number 0 in `lambda.relative`"]);
    spec_error("lambda = 1.0", "lambda = {}", &["missing key `relative` in `lambda.relative`"]);
}

#[test]
fn target_gap_must_lie_between_0_and_1() {
    for value in ["0", "1", "-0.1", "1.5"] {
        let found = format!("spec.toml:14: found {value} in `certificate.target_gap`");
        spec_error(
            "target_gap = 1e-4",
            &format!("target_gap = {value}"),
            &[&found, "expected a number between 0 and 1"],
        );
    }
}

#[test]
fn a_wrong_type_is_named() {
    spec_error("seed = 0", "seed = \"x\"", &["found the string `x` in `solver.seed`", "a whole number of at least 0"]);
    spec_error(
        "seed = 0",
        "max_rank = 0",
        &["found the number 0 in `solver.max_rank`", "a whole number of at least 1"],
    );
    spec_error("seed = 0", "time_limit = \"soon\"", &["`solver.time_limit`", "a positive duration such as \"60s\""]);
    spec_error(
        "[{ norm = \"l2\" }]",
        "\"l2\"",
        &["found the string `l2` in `regularizer.factors`", "a list of tables"],
    );
    spec_error(
        "{ path = \"Y.csv\" }",
        "7",
        &["spec.toml:3: found the number 7 in `data.target`", "a path or a table with `path`"],
    );
    spec_error(
        "{ path = \"Y.csv\" }",
        "{ path = \"Y.csv\", header = 1 }",
        &["`data.target.header`", "expected true or false"],
    );
    spec_error(
        "{ path = \"Y.csv\" }",
        "{ path = \"Y.csv\", columns = [0] }",
        &["found the number 0 in `data.target.columns`"],
    );
    spec_error(
        "{ path = \"Y.csv\" }",
        "{ path = \"Y.csv\", shape = [4] }",
        &["`data.target.shape`", "two or more positive whole numbers"],
    );
    spec_error(
        "{ path = \"Y.csv\" }",
        "{ path = \"Y.csv\", format = \"triplets\", index_base = 2 }",
        &["found 2 in `data.target.index_base`", "0 or 1"],
    );
    spec_error(
        "{ path = \"Y.csv\" }",
        "{ path = \"Y.csv\", delimiter = \"ab\" }",
        &["found `ab` in `data.target.delimiter`"],
    );
}

#[test]
fn every_planned_key_is_refused_by_name() {
    let later = |key: &str| format!("`{key}` is not available in this version");
    spec_error("[loss]", "allow_unbalanced = true\n[loss]", &[&later("allow_unbalanced")]);
}

#[test]
fn every_parameter_of_a_loss_is_required_checked_and_its_own() {
    for kind in homfac::loss::KINDS {
        let all: Vec<String> = kind.parameters.iter().map(|p| format!("{} = {}", p.name, p.example)).collect();
        for (k, p) in kind.parameters.iter().enumerate() {
            let with = |line: &str| {
                let mut lines = all.clone();
                lines[k] = line.into();
                format!("\"{}\"\n{}", kind.name, lines.join("\n"))
            };
            let (key, missing) = (format!("`loss.{}`", p.name), format!("missing key `{}`", p.name));
            spec_error("\"squared\"", &with(""), &[&missing, &key, p.expected]);
            for bad in ["-1", "nan", "inf", "\"much\""] {
                spec_error("\"squared\"", &with(&format!("{} = {bad}", p.name)), &["spec.toml:", "found", &key]);
            }
            let owner = format!("`{}` belongs to loss `{}`", p.name, kind.name);
            spec_error("\"squared\"", &format!("\"squared\"\n{} = 0.5", p.name), &[&owner]);
        }
    }
    spec_error("\"squared\"", "\"hubert\"", &["unknown loss `hubert`", "did you mean `huber`?"]);
}

#[test]
fn a_loss_and_what_it_cannot_go_with_are_named() {
    let centred = broken("\"squared\"", "\"logistic\"").replace("[mapping]", "transform = \"center\"\n[mapping]");
    refused(&place(), &centred, 2, &["spec.toml:4: loss `logistic` takes its targets as they are in `data.transform`"]);
    let measured =
        |from: &str, to: &str| broken(from, to).replace("[mapping]", "operator = { path = \"A.npy\" }\n[mapping]");
    let rows = measured("\"squared\"", "\"multinomial\"");
    refused(&place(), &rows, 2, &["loss `multinomial` sees rows, measurements have none in `data.operator`"]);
    let psd = broken("\"squared\"", "\"multinomial\"").replace("\"matrix\"", "\"psd\"");
    refused(&place(), &psd, 2, &["loss `multinomial` has a row of scores per label", "`loss.kind`"]);
}

#[test]
fn a_key_of_another_kind_says_whose_it_is() {
    spec_error("\"squared\"", "\"squared\"\ndelta = 0.5", &["`delta` belongs to loss `huber` in `loss.delta`"]);
    spec_error("norm = \"l2\"", "norm = \"l2\", p = 3", &["`p` belongs to norm `lp`"]);
    spec_error(
        "kind = \"matrix\"",
        "kind = \"matrix\"\nsymmetrize = true",
        &["`symmetrize` belongs to the psd mapping"],
    );
    spec_error("form = \"product\"", "form = \"product\"\npower = 2", &["`power` belongs to form = \"sum\""]);
}

#[test]
fn an_unbalanced_power_is_explained() {
    let pieces = [
        "spec.toml:8: unbalanced: the regularizer would have degree 3, the mapping has degree 2 in `regularizer.power`",
        "Prop. 19",
        "hint: the nearest balanced spec has `power = 2`",
    ];
    spec_error("form = \"product\"", "form = \"sum\"\npower = 3", &pieces);
    spec_error("form = \"product\"", "form = \"sum\"\npower = 1.5", &["degree 1.5"]);
}

#[test]
fn the_number_of_factor_entries_must_fit_the_mapping() {
    let three = "factors = [{ norm = \"l2\" }, { norm = \"l2\" }, { norm = \"l2\" }]";
    spec_error("factors = [{ norm = \"l2\" }]", three, &["found 3 entries in `regularizer.factors`", "or 2"]);
    let two = broken("factors = [{ norm = \"l2\" }]", "factors = [{ norm = \"l2\" }, { norm = \"l2\" }]");
    refused(&place(), &two.replace("\"matrix\"", "\"psd\""), 2, &["found 2 entries", "the psd mapping has one factor"]);
}

#[test]
fn a_norm_without_a_rule_for_the_psd_mapping_is_refused() {
    let spec = broken("\"l2\"", "\"l1\"").replace("\"matrix\"", "\"psd\"");
    refused(&place(), &spec, 2, &["spec.toml:8: norm `l1` has no rule known to be right with the psd mapping"]);
}

#[test]
fn weights_of_norms_must_be_positive() {
    spec_error(
        "norm = \"l2\"",
        "norm = \"l2\", weight = 0",
        &["found 0 in `regularizer.factors[0].weight`", "from 1e-75 to 1e75"],
    );
    let place = place();
    place.write("d.csv", "1\n0\n1\n1\n");
    let factors = "{ norm = \"l2\", weight = \"d.csv\" }, { norm = \"l2\" }";
    refused(
        &place,
        &spec("1.0", "matrix", factors, ""),
        3,
        &["d.csv: expected weights from 1e-75 to 1e75, found 0 at position 2"],
    );
    place.write("d.csv", "1\n1\n");
    refused(&place, &spec("1.0", "matrix", factors, ""), 3, &["d.csv: expected 4 weights", "found 2"]);
}

#[test]
fn holdout_and_transform_are_checked() {
    for value in ["0", "1", "1.5", "-0.1"] {
        let said = format!("found {value} in `data.holdout`");
        spec_error("[mapping]", &format!("holdout = {value}\n[mapping]"), &[&said, "a fraction between 0 and 1"]);
    }
    let pieces = ["unknown transform `log1` in `data.transform`", "did you mean `log1p`?"];
    spec_error("[mapping]", "transform = \"log1\"\n[mapping]", &pieces);
    spec_error("[mapping]", "transform = {}\n[mapping]", &["missing key `subtract` in `data.transform.subtract`"]);
}

#[test]
fn an_unknown_effort_descent_and_form_are_refused() {
    spec_error("target_gap = 1e-4", "effort = \"thorogh\"", &["unknown effort `thorogh`", "did you mean `thorough`?"]);
    spec_error(
        "seed = 0",
        "descent = \"magic\"",
        &["unknown descent `magic` in `solver.descent`", "expected one of: "],
    );
    spec_error(
        "\"product\"",
        "\"prodct\"",
        &["unknown form `prodct` in `regularizer.form`", "did you mean `product`?"],
    );
}

#[test]
fn a_descent_that_does_not_apply_is_refused_with_those_that_do() {
    let gaps = place();
    gaps.write("Y.csv", "4,0,1\n0,,2\n1,2,3\n");
    let text = broken("seed = 0", "descent = \"hals\"");
    let pieces = [
        "error: spec.toml:12: found `hals`, which does not apply to this problem (best updates slice by slice: `matrix`",
        "in `solver.descent`\n  expected one of: varpro, lbfgs, coordinate, prox_gradient\n",
        "hint: without the key `varpro` is chosen",
    ];
    refused(&gaps, &text, 3, &pieces);
    gaps.run(&["explain", "spec.toml"]).exits(3).says(&pieces);
    gaps.solve(&broken("seed = 0", "descent = \"coordinate\""), "run", &[], 0);
    // what applies to all entries need not do so where a fold lacks some
    let full = place();
    full.solve(&text, "run", &[], 0);
    let folds = full.run(&["path", "spec.toml", "--folds", "3", "-o", "path"]).exits(3);
    folds.says(&["--folds 3: without fold 1", "found `hals`, which does not apply", "`solver.descent`"]);
    assert!(!full.path("path").exists());
    let capitals = ["unknown descent `LBFGS` in `solver.descent`", "hint: did you mean `lbfgs`?"];
    spec_error("seed = 0", "descent = \"LBFGS\"", &capitals);
}

// --- the command line ---

#[test]
fn unknown_commands_are_corrected() {
    let pieces = ["unknown command `slove`", "expected one of: solve, check, path, predict", "did you mean `solve`?"];
    place().run(&["slove", "spec.toml"]).exits(2).says(&pieces);
    place().run(&[]).exits(2).says(&["Usage: homfac"]);
}

#[test]
fn flags_are_named_in_their_errors() {
    let place = place();
    place.write("spec.toml", broken("seed = 0", "seed = 0"));
    let solve = |more: &[&str]| {
        let args: Vec<&str> = ["solve", "spec.toml", "-o", "run"].into_iter().chain(more.iter().copied()).collect();
        let out = place.run(&args).exits(2);
        assert!(!place.path("run").exists());
        out
    };
    solve(&["--lambda", "-1"]).says(&["error: --lambda: found the number -1 in `lambda`"]);
    solve(&["--lambda", "big"]).says(&["--lambda: found the string `big`"]);
    for (value, found) in [("0", "the number 0"), ("-1", "the number -1"), ("two", "the string `two`")] {
        let said = format!("--threads: found {found} in `solver.threads`\n  expected a whole number from 1 to 1024");
        solve(&[&format!("--threads={value}")]).says(&[&said]);
        solve(&["--threads", value]).says(&[&said]);
    }
    solve(&["--seed", "-1"]).says(&["--seed: found the number -1 in `solver.seed`", "a whole number of at least 0"]);
    solve(&["--threads", "1.0"]).says(&[
        "--threads: found the number 1.0, which is not written as a whole number in `solver.threads`",
        "hint: write it without a point or exponent: 1",
    ]);
    solve(&["--set", "solver.sed=1"]).says(&["--set solver.sed: unknown key `sed`", "did you mean `seed`?"]);
    solve(&["--set", "regularizer.factors[5].norm=l1"])
        .says(&["--set regularizer.factors[5].norm", "`factors` has no element 5: it has 1"]);
    solve(&["--set", "lambda"]).says(&["expected KEY=VALUE"]);
    solve(&["--seed", "x"]).says(&["--seed"]);
    solve(&["--time-limit", "0s"]).says(&["--time-limit", "expected a positive duration such as 60s"]);
    solve(&["-q", "-v"]).says(&["cannot be used with"]);
    solve(&["--nonsense"]).says(&["--nonsense"]);
}

#[test]
fn what_is_set_says_so_where_it_is_wrong() {
    let place = place();
    place.write("spec.toml", spec("1.0", "matrix", L2L2, ""));
    let set = |value: &str| place.run(&["solve", "spec.toml", "--set", value]);
    let unquoted = set("regularizer.factors=[{norm=l1}]").exits(2);
    unquoted.says(&["--set regularizer.factors: found the string `[{norm=l1}]`", "hint: it is not valid TOML"]);
    let all = set("data.holdout=0.9999999").exits(3);
    all.says(&["no entry is observed", "`data.holdout` (--set data.holdout)"]);
}

#[test]
fn check_needs_a_run_or_a_spec_with_factors() {
    let place = place();
    place.write("spec.toml", spec("1.0", "matrix", L2L2, ""));
    place.run(&["check"]).exits(2).says(&["required"]);
    place.run(&["check", "--spec", "spec.toml"]).exits(2).says(&["--factors"]);
    place.run(&["check", "--factors", "X.npy"]).exits(2).says(&["--spec"]);
    place.run(&["check", "nowhere"]).exits(3).says(&["error: nowhere: no such run folder"]);
    place.write("empty/notes.txt", "");
    place.run(&["check", "empty"]).exits(3).says(&["error: empty: not a run folder: it has no spec.toml"]);
    place.run(&["report", "nowhere"]).exits(3).says(&["nowhere/certificate.json: cannot read"]);
}

// --- the data ---

#[test]
fn a_missing_data_file_is_named_once_with_its_reason() {
    let place = Place::new();
    place.write("spec.toml", spec("1.0", "matrix", L2L2, ""));
    let out = place.run(&["solve", "spec.toml"]).exits(3).says(&["error: Y.csv: cannot be read: "]);
    assert_eq!(out.stderr.matches("No such file").count(), 1, "{}", out.stderr);
    assert!(!place.path("runs").exists());
}

#[test]
fn an_extension_that_tells_no_format_is_refused() {
    data_error(
        "Y.dat",
        "1,2\n",
        "\"Y.dat\"",
        &["Y.dat: expected an extension that tells the format", "`dat`", "format = \"csv\""],
    );
}

#[test]
fn a_decimal_comma_has_its_row_and_column() {
    let target = "{ path = \"Y.csv\", delimiter = \";\" }";
    let pieces = [
        "error: Y.csv: row 3, column 2 (`value`): expected a number, found `4,5`",
        "hint: decimal commas are not accepted",
    ];
    data_error("Y.csv", "id;value\n1;2\n3;4,5\n", target, &pieces);
    data_error("Y.csv", "1,2\n3,\"4,5\"\n", "\"Y.csv\"", &["row 2, column 2: expected a number, found `4,5`"]);
}

#[test]
fn a_word_among_numbers_has_its_row_and_column() {
    data_error("Y.csv", "1,2\n3,oops\n", "\"Y.csv\"", &["Y.csv: row 2, column 2: expected a number, found `oops`"]);
}

#[test]
fn infinity_has_its_row_and_column() {
    for cell in ["inf", "-Infinity", "1e999"] {
        let said = format!("Y.csv: row 2, column 1: expected a finite number, found `{cell}`");
        data_error("Y.csv", format!("1,2\n{cell},4\n"), "\"Y.csv\"", &[&said, "leave the cell empty"]);
    }
    let mut y = diagonal();
    y.set(2, 1, f64::INFINITY);
    data_error("Y.npy", npy_bytes(&y), "\"Y.npy\"", &["Y.npy: row 3, column 2: expected a finite number, found `inf`"]);
    let mtx = "%%MatrixMarket matrix coordinate real general\n2 2 2\n1 1 1\n2 1 inf\n";
    data_error(
        "Y.mtx",
        mtx,
        "\"Y.mtx\"",
        &["Y.mtx: not a valid Matrix Market file", "a finite value in line 4", "2 1 inf"],
    );
    data_error(
        "Y.csv",
        "0,0,1\n1,1,inf\n",
        "{ path = \"Y.csv\", format = \"triplets\" }",
        &["row 2, column 3: expected a finite number"],
    );
}

#[test]
fn rows_of_different_length_are_refused() {
    data_error("Y.csv", "1,2\n3,4,5\n", "\"Y.csv\"", &["Y.csv: expected 2 cells in row 2, found 3"]);
}

#[test]
fn an_unknown_column_has_its_nearest_name() {
    let target = "{ path = \"Y.csv\", columns = [\"hight\"] }";
    let pieces = ["Y.csv: no column `hight`; expected one of: id, height", "hint: did you mean `height`?"];
    data_error("Y.csv", "id,height\n1,2\n", target, &pieces);
    let target = "{ path = \"Y.csv\", columns = [3] }";
    data_error("Y.csv", "id,height\n1,2\n", target, &["Y.csv: expected a column number from 1 to 2, found 3"]);
    data_error("Y.csv", "1,2\n", "{ path = \"Y.csv\", columns = [\"a\"] }", &["no column `a`", "(no header)"]);
}

#[test]
fn a_wrong_target_of_a_list_has_its_row_and_its_indices() {
    let list = "row,column,count\n3,1,2\n1,2,-4\n2,2,1\n";
    let from = |place: &Place, target: &str, loss: &str, pieces: &[&str]| {
        let text = spec_on(target, "1.0", "matrix", L2L2, &format!("[loss]\nkind = \"{loss}\""));
        refused(place, &text, 3, pieces);
    };
    let place = Place::new();
    place.write("Y.csv", list);
    let target = "{ path = \"Y.csv\", format = \"triplets\", index_base = 1 }";
    let said = "Y.csv: row 3, entry (1, 2): expected a count >= 0 for this loss, found `-4`";
    from(&place, target, "poisson", &[said, "in `data.target`"]);
    let target = "{ path = \"Y.csv\", format = \"triplets\" }";
    from(&place, target, "logistic", &["Y.csv: row 2, entry (3, 1): expected -1 or 1 (or else 0 or 1)"]);
    place.write("Y.csv", "0,0,-1\n1,1,1\n");
    let zero = "{ path = \"Y.csv\", format = \"triplets\", absent = \"zero\" }";
    from(
        &place,
        zero,
        "logistic",
        &["Y.csv: entry (2, 1) (counted from 1): expected -1 or 1, as -1 occurs too, found `0`"],
    );
    place.write("Y.mtx", "%%MatrixMarket matrix coordinate real general\n% of counts\n2 2 2\n1 1 3\n2 1 -5\n");
    from(&place, "\"Y.mtx\"", "poisson", &["Y.mtx: row 5, entry (2, 1): expected a count >= 0"]);
    // a pipe is not read twice
    let pipe = place.path("pipe.csv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = std::thread::spawn(move || std::fs::write(pipe, "0,0,1\n1,0,-2\n"));
    let piped = "{ path = \"pipe.csv\", format = \"triplets\" }";
    place.write("spec.toml", spec_on(piped, "1.0", "matrix", L2L2, "[loss]\nkind = \"poisson\""));
    let out = place.run(&["solve", "spec.toml"]).exits(3);
    out.says(&["pipe.csv: entry (2, 1) (counted from 1): expected a count >= 0"]);
    writer.join().unwrap().unwrap();
}

#[test]
fn what_parts_the_columns_of_a_list_is_seen() {
    let triplets = "{ path = \"Y.csv\", format = \"triplets\" }";
    for (file, hint) in [
        ("0;1;2\n1;0;3\n", "where semicolons part the columns, say `delimiter = \";\"`"),
        ("i;j;value\n0;1;2,5\n", "where semicolons part the columns, say `delimiter = \";\"`"),
        ("user id\titem id\tvalue\n0\t1\t2\n", "where tabs part the columns, say `delimiter = \"tab\"`"),
        ("0 1 2\n1 0 3\n", "where spaces part the columns, say `delimiter = \" \"`"),
        ("0,1\n1,0\n", "for a dense table say `format = \"csv\"`"),
    ] {
        data_error("Y.csv", file, triplets, &["expected 3 columns: 2 indices and a value, found ", hint]);
    }
    data_error("Y.csv", "5\n6\n", triplets, &["found 1 column\n"]);
    let semicolons = "{ path = \"Y.csv\", format = \"triplets\", delimiter = \";\" }";
    data_error("Y.csv", "0,1,2\n", semicolons, &["where commas part the columns, say `delimiter = \",\"`"]);
    // and of a dense table
    data_error("Y.csv", "1 2 3\n4 5 6\n", "\"Y.csv\"", &["found `4 5 6`", "say `delimiter = \" \"`"]);
    data_error("Y.csv", "1;2\n4,5;6\n", "\"Y.csv\"", &["1 cell in row 2, found 2", "say `delimiter = \";\"`"]);
}

#[test]
fn coordinates_are_checked() {
    let triplets = "{ path = \"Y.csv\", format = \"triplets\", shape = [2, 2], index_base = 1 }";
    data_error("Y.csv", "1,1,5\n2,1,6\n1,1,7\n", triplets, &["Y.csv: entry (1, 1) is listed twice, in rows 1 and 3"]);
    data_error(
        "Y.csv",
        "i,j,v\n1,3,5\n",
        triplets,
        &["row 2, column 2 (`j`): expected an index inside `shape`, found `3`", "1 to 2"],
    );
    data_error(
        "Y.csv",
        "1,0,5\n",
        triplets,
        &["row 1, column 2: expected an index of at least `index_base`, found `0`"],
    );
    data_error(
        "Y.csv",
        "1,1.5,5\n",
        triplets,
        &["row 1, column 2: expected a nonnegative whole number as index, found `1.5`"],
    );
    data_error("Y.csv", "1,1,5,6\n", triplets, &["Y.csv: expected 3 columns: 2 indices and a value, found 4 columns"]);
    let mtx = "%%MatrixMarket matrix coordinate real general\n2 2 2\n1 2 1\n1 2 3\n";
    data_error("Y.mtx", mtx, "\"Y.mtx\"", &["Y.mtx: entry (1, 2) is listed twice, in rows 3 and 4"]);
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let place = place();
    place.write("small.csv", "1,1\n1,1\n");
    for key in ["mask", "weights", "holdout"] {
        let more = format!("{key} = {{ path = \"small.csv\" }}");
        let pieces = ["small.csv: expected the target's shape 4 x 3, found 2 x 2"];
        refused(&place, &spec("1.0", "matrix", L2L2, &more), 3, &pieces);
    }
    let axis = "weights = { path = \"small.csv\", axis = 1 }";
    place.write("small.csv", "1\n1\n");
    refused(
        &place,
        &spec("1.0", "matrix", L2L2, axis),
        3,
        &["small.csv: expected 4 weights, one per index of axis 1, found 2"],
    );
    data_error(
        "Y.csv",
        "1,2\n3,4\n",
        "{ path = \"Y.csv\", shape = [2, 3] }",
        &["Y.csv: expected shape [2, 3], found [2, 2]"],
    );
    let cube = npy_with("(2, 2, 2)", "<f8", &[0; 64]);
    data_error("Y.npy", cube, "\"Y.npy\"", &["Y.npy: expected a matrix, found an array of shape [2, 2, 2]"]);
}

#[test]
fn nothing_observed_is_refused() {
    data_error("Y.csv", ",\nNA,NaN\n", "\"Y.csv\"", &["error: Y.csv: no entry is observed", "4 entries were read"]);
    data_error("Y.csv", "", "\"Y.csv\"", &["error: Y.csv: no entry is observed"]);
    let place = place();
    place.write("zero.csv", "0,0,0\n0,0,0\n0,0,0\n0,0,0\n");
    place.write("one.csv", "1,1,1\n1,1,1\n1,1,1\n1,1,1\n");
    for key in ["mask", "weights"] {
        let more = format!("{key} = \"zero.csv\"");
        refused(
            &place,
            &spec("1.0", "matrix", L2L2, &more),
            3,
            &["Y.csv: no entry is observed", "12 entries were read"],
        );
    }
    let more = "holdout = { path = \"one.csv\" }";
    refused(&place, &spec("1.0", "matrix", L2L2, more), 3, &["every observed entry was held out"]);
}

#[test]
fn negative_weights_are_refused_with_their_place() {
    let place = place();
    place.write("w.csv", "1,1,1\n1,-2,1\n1,1,1\n1,1,1\n");
    let pieces = ["w.csv: row 2, column 2: expected a finite nonnegative weight, found `-2`"];
    refused(&place, &spec("1.0", "matrix", L2L2, "weights = \"w.csv\""), 3, &pieces);
}

#[test]
fn the_psd_mapping_wants_a_symmetric_square_target() {
    let refuse = |content: &str, pieces: &[&str]| {
        let place = Place::new();
        place.write("Y.csv", content);
        refused(&place, &spec("1.0", "psd", "{ norm = \"l2\" }", ""), 3, pieces);
    };
    let pieces = [
        "Y.csv: the psd mapping needs a symmetric target",
        "entry (2, 1) is 3, entry (1, 2) is 2",
        "symmetrize = true",
    ];
    refuse("1,2\n3,4\n", &pieces);
    refuse("1,2\n,4\n", &["entry (1, 2) is 2, entry (2, 1) is missing"]);
    refuse("1,2,3\n4,5,6\n", &["Y.csv: expected a square target for the psd mapping, found 2 x 3"]);
    let place = Place::new();
    place.write("Y.csv", "1,2\n2,4\n");
    let centred = spec("1.0", "psd", "{ norm = \"l2\" }", "transform = \"center\"");
    refused(&place, &centred, 3, &["a transform that keeps the target symmetric", "`center` by columns"]);
}

#[test]
fn symmetrize_averages() {
    let place = Place::new();
    place.write("Y.csv", "4,3\n1,\n");
    let mut text = spec("1.0", "psd", "{ norm = \"l2\" }", "");
    text = text.replace("kind = \"psd\"", "kind = \"psd\"\nsymmetrize = true");
    place.solve(&text, "run", &[], 0);
    place.write("Y.csv", "4,2\n2,\n");
    let same = place.solve(&spec("1.0", "psd", "{ norm = \"l2\" }", ""), "same", &[], 0);
    let run: serde_json::Value = serde_json::from_str(&place.read("run/certificate.json")).unwrap();
    assert_eq!(run["objective"], same["objective"]);
}

#[test]
fn transforms_that_do_not_exist_for_the_data_are_refused() {
    let refuse = |content: &str, transform: &str, pieces: &[&str]| {
        let place = Place::new();
        place.write("Y.csv", content);
        refused(&place, &spec("1.0", "matrix", L2L2, &format!("transform = \"{transform}\"")), 3, pieces);
    };
    refuse("a,b\n1,7\n2,7\n", "standardize", &["column 2 (`b`) is constant", "leave it out with `columns`"]);
    refuse("1,7\n2,7\n", "scale", &["column 2 is constant"]);
    refuse("1,7\n-1,7\n", "log1p", &["row 2, column 1: expected a value above -1 for log1p, found `-1`"]);
}

#[test]
fn a_relative_lambda_of_nothing_is_explained() {
    let place = Place::new();
    place.write("Y.csv", "-1,-2\n-3,-4\n");
    let spec = spec("{ relative = 0.1 }", "matrix", NONNEGATIVE, "");
    refused(
        &place,
        &spec,
        3,
        &["needs a positive lambda_max", "no slice lowers the loss at X = 0", "hint: give lambda as a number"],
    );
    place.write("Y.csv", "1e154,2e154\n3e154,4e154\n");
    let pieces =
        ["but 0e0 was found: ", "go up to 4.0e154, and their squares overflow", "hint: give the data in other"];
    refused(&place, &spec.replace(NONNEGATIVE, L2L2), 3, &pieces);
    // a number in its place does not help
    place.write("spec.toml", spec.replace("{ relative = 0.1 }", "1.0").replace(NONNEGATIVE, L2L2));
    place.run(&["solve", "spec.toml", "-q", "-o", "run"]).exits(3).says(&[
        "the objective is beyond the range",
        "go up to 4.0e154",
        "hint: give the data in other units",
        "in `data.target` (spec.toml:",
    ]);
    assert!(!place.path("run").exists());
    place.write("Y.csv", "1e-163,2e-163\n2e-163,3e-163\n");
    let pieces = ["go up to 3.0e-163, and their squares underflow"];
    refused(&place, &spec.replace("\"matrix\"", "\"psd\""), 3, &pieces);
    place.write("Y.csv", "1e10,2e10\n3e10,4e10\n");
    place.write("d.csv", "1e-75\n1e-75\n");
    let weighed = r#"{ norm = "l2", weight = "d.csv" }"#;
    let pieces = ["over the weights of the gauges, go up to 4.0e160, and their squares overflow"];
    refused(&place, &spec.replace(NONNEGATIVE, weighed), 3, &pieces);
}

#[test]
fn damaged_npy_files_are_refused() {
    let good = npy_bytes(&diagonal());
    let bad = |bytes: &[u8], pieces: &[&str]| data_error("Y.npy", bytes, "\"Y.npy\"", pieces);
    let named = "error: Y.npy: not a valid NPY file: expected ";
    bad(b"not an array at all", &[named, "the NumPy magic bytes"]);
    bad(b"", &[named, "the NumPy magic bytes"]);
    bad(&good[..9], &[named]);
    bad(&good[..60], &[named, "a header inside the file"]);
    bad(&good[..good.len() - 1], &[named, "data of shape [4, 3]", "95 bytes of data"]);
    bad(&[&good[..], b"!"].concat(), &[named, "97 bytes of data"]);
    let mut version = good.clone();
    version[6] = 9;
    bad(&version, &["format version 1, 2 or 3", "version 9"]);
    bad(&npy_with("(2,)", "<c16", &[0; 32]), &["f4, f8, integer or bool data", "c16"]);
    bad(&npy_with("(2,)", "|O", &[0; 16]), &[named]);
    bad(
        &npy_with("(2,)", "[('a', '<f8')]", &[0; 16])
            .iter()
            .map(|b| if *b == b'"' { b'\'' } else { *b })
            .collect::<Vec<_>>(),
        &[named],
    );
}

#[test]
fn hostile_npy_headers_cost_nothing() {
    let clock = std::time::Instant::now();
    let bad = |bytes: &[u8], pieces: &[&str]| data_error("Y.npy", bytes, "\"Y.npy\"", pieces);
    bad(
        &npy_with("(1000000000, 1000000000)", "<f8", &[0; 8]),
        &["shape [1000000000, 1000000000]", "found 8 bytes of data"],
    );
    bad(
        &npy_with("(9223372036854775807, 9223372036854775807)", "<f8", &[0; 8]),
        &["not a valid NPY file", "beyond 2^60"],
    );
    bad(&npy_with("(0xffffffffffffffff, 0xff)", "<f8", &[0; 8]), &["not a valid NPY file"]);
    bad(&npy_with("(99999999999999999999999,)", "<f8", &[0; 8]), &["not a valid NPY file"]);
    bad(&npy_with("(-1, 3)", "<f8", &[0; 8]), &["not a valid NPY file"]);
    let mut long = b"\x93NUMPY\x02\x00".to_vec();
    long.extend(u32::MAX.to_le_bytes());
    bad(&long, &["a header inside the file"]);
    let nested = npy_with(&"(".repeat(2000), "<f8", &[]);
    bad(&nested, &["not a valid NPY file"]);
    assert!(clock.elapsed().as_secs() < 5);
}

#[test]
fn damaged_archives_are_refused() {
    let y = diagonal();
    let good = npz_bytes(&[("a", &y), ("b", &y)]);
    data_error(
        "Y.npz",
        &good,
        "\"Y.npz\"",
        &["Y.npz: not a valid NPZ file: expected `key` naming one of its arrays (a, b), found no key"],
    );
    data_error("Y.npz", &good, "{ path = \"Y.npz\", key = \"c\" }", &["Y.npz: no array `c`; expected one of: a, b"]);
    data_error("Y.npz", &good[..good.len() / 2], "\"Y.npz\"", &["Y.npz: not a valid NPZ file: expected a zip archive"]);
    data_error("Y.npz", "nothing", "\"Y.npz\"", &["Y.npz: not a valid NPZ file: expected a zip archive"]);
    let members = [("a.npy".to_string(), npy_with("(1000000000, 1000000000)", "<f8", &[0; 8]))];
    data_error("Y.npz", zip_bytes(&members), "\"Y.npz\"", &["Y.npz[a.npy]", "found 8 bytes of data"]);
    let mut flipped = good.clone();
    let at = good.windows(8).position(|w| w == 4.0f64.to_le_bytes()).unwrap_or(60);
    flipped[at] ^= 1;
    data_error("Y.npz", flipped, "{ path = \"Y.npz\", key = \"a\" }", &["Y.npz: not a valid NPZ file"]);
}

#[test]
fn damaged_matrix_market_files_are_refused() {
    let bad = |text: &str, pieces: &[&str]| data_error("Y.mtx", text, "\"Y.mtx\"", pieces);
    let banner = "%%MatrixMarket matrix coordinate real general\n";
    bad("1 2 3\n", &["`%%MatrixMarket matrix ..` in line 1"]);
    bad(
        "%%MatrixMarket matrix coordinate complex general\n",
        &["`real`, `integer` or (coordinate) `pattern` in line 1, found complex"],
    );
    bad(
        "%%MatrixMarket matrix coordinate real hermitian\n",
        &["`general`, `symmetric` or `skew-symmetric`", "hermitian"],
    );
    bad(banner, &["a size line", "the end of the file"]);
    bad(&format!("{banner}2 2\n"), &["sizes in line 2"]);
    bad(&format!("{banner}2 2 2\n1 1 5\n"), &["2 entries, as its size line says, found 1"]);
    bad(&format!("{banner}2 2 1\n1 3 5\n"), &["two indices in 1..2, 1..2", "line 3", "1 3 5"]);
    bad(&format!("{banner}2 2 1\n0 1 5\n"), &["two indices in 1..2, 1..2", "0 1 5"]);
    bad("%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n", &["4 values, as its size line says, found 3"]);
    bad("%%MatrixMarket matrix array real symmetric\n2 3\n", &["a square matrix for a symmetric kind, found 2 x 3"]);
    bad(
        "%%MatrixMarket matrix array real general\n1000000000 1000000000\n1\n",
        &["1000000000000000000 values, as its size line says"],
    );
}

#[test]
fn a_memory_need_above_the_machines_is_refused_with_the_estimate() {
    let target = "{ path = \"Y.csv\", format = \"triplets\", shape = [2000000000, 2000000000], absent = \"zero\" }";
    let pieces = ["error: Y.csv: about ", " GB of memory would be needed, the machine has "];
    data_error("Y.csv", "0,0,1\n", target, &pieces);
}

/// What a table of somebody's own has: names of its rows, words for nothing, another delimiter.
#[test]
fn text_where_numbers_should_be_says_what_to_do() {
    let csv = "gene,a,b\nx,1,2\ny,3,n/a\n";
    let out = "{ path = \"Y.csv\" }";
    data_error("Y.csv", csv, out, &["row 2, column 1 (`gene`)", "to leave it out say `columns = [2, 3]`"]);
    let out = "{ path = \"Y.csv\", columns = [2, 3] }";
    data_error("Y.csv", csv, out, &["found `n/a`", "a missing entry is an empty cell, `NA` or `NaN`"]);
    let out = "{ path = \"Y.csv\" }";
    data_error("Y.csv", "1;2\n3;4\n", out, &["found `3;4`", "say `delimiter = \";\"`"]);
    data_error("Y.csv", "1\t2\n3\t4\n", out, &["say `delimiter = \"tab\"`"]);
}

#[test]
fn a_misspelt_key_that_is_missing_is_found() {
    let text = spec("1.0", "matrix", L2L2, "[loss]\nknd = \"squared\"\n");
    refused(&place(), &text, 2, &["missing key `kind` in `loss.kind`", "hint: `knd` is no key here: is it meant?"]);
}

/// A run folder where a spec should be, a folder that is not a run where one should go.
#[test]
fn folders_that_are_not_what_they_should_be() {
    let place = place();
    place.solve(&spec("1.0", "matrix", L2L2, ""), "run", &[], 0);
    place
        .run(&["solve", "run", "-o", "other"])
        .exits(2)
        .says(&["run: the spec cannot be read", "whose spec is run/spec.toml"]);
    place.write("mine/text", "x");
    place.run(&["solve", "spec.toml", "-o", "mine"]).exits(3).says(&["mine: exists and is not a run folder"]);
}

#[test]
fn a_place_where_nothing_can_be_made_is_no_other_homfac() {
    if !std::path::Path::new("/proc/self").exists() {
        return;
    }
    let place = place();
    place.write("spec.toml", spec("1.0", "matrix", L2L2, ""));
    let out = place.run(&["solve", "spec.toml", "-o", "/proc/run"]).exits(3);
    out.says(&["error: /proc/run: cannot create: "]);
}

#[test]
fn factors_that_do_not_fit_are_refused() {
    let place = place();
    place.write("spec.toml", spec("1.0", "matrix", L2L2, ""));
    let x = |rows, cols| npy_bytes(&scattered(rows, cols));
    place.write("U.npy", x(4, 2));
    place.write("V.npy", x(3, 2));
    place.write("W.npy", x(3, 5));
    let check = |files: &[&str]| {
        let args: Vec<&str> =
            ["check", "--spec", "spec.toml", "--factors"].into_iter().chain(files.iter().copied()).collect();
        place.run(&args)
    };
    check(&["U.npy"]).exits(2).says(&["error: --factors: given 1 factor (U.npy), but the matrix mapping", "has 2"]);
    check(&["U.npy", "V.npy", "V.npy"]).exits(2).says(&["--factors: given 3 factors (U.npy, V.npy, V.npy)"]);
    check(&["V.npy", "U.npy"]).exits(3).says(&["error: V.npy: expected 4 rows, as factor 1 of this problem", "3 x 2"]);
    place.write("H.npy", x(2, 3));
    let lies = ["error: H.npy: expected 3 rows, as factor 2 of this problem has, found 2 x 3", "`--transpose 2`"];
    check(&["U.npy", "H.npy"]).exits(3).says(&lies);
    check(&["U.npy", "H.npy", "--transpose", "2"]).says(&["verdict"]);
    check(&["U.npy", "W.npy"]).exits(3).says(&["error: W.npy: factor 2 has 5 columns, but factor 1 has 2"]);
    check(&["U.npy", "X.npy"]).exits(3).says(&["error: X.npy: cannot be read"]);
    check(&["U.npy", "spec.toml"])
        .exits(3)
        .says(&["spec.toml: expected a factor as .npy, .csv or .npz, found `.toml`"]);
    check(&["U.npy", "V.npy", "--transpose", "3"]).exits(2).says(&["--transpose 3: expected a factor from 1 to 2"]);
    let mut bad = scattered(3, 2);
    bad.set(1, 0, 1e200);
    place.write("N.npy", npy_bytes(&bad));
    let large = "N.npy: row 2, column 1: expected numbers for which the objective is finite, found `1e200`";
    check(&["U.npy", "N.npy"]).exits(3).says(&[large]);
    bad.set(1, 0, f64::NAN);
    place.write("N.npy", npy_bytes(&bad));
    check(&["U.npy", "N.npy"]).exits(3).says(&["N.npy: row 2, column 1: expected a finite number, found `NaN`"]);
}

#[test]
fn every_data_error_names_the_keys_that_name_the_file() {
    data_error(
        "Y.csv",
        "1,inf\n",
        "{ path = \"Y.csv\" }",
        &["found `inf`\n  hint: ", "\n  in `data.target` (spec.toml:10)\n"],
    );
    let place = place();
    let spec_of = |more: &str| spec("1.0", "matrix", L2L2, more);
    refused(
        &place,
        &spec_of("mask = \"M.csv\""),
        3,
        &["M.csv: cannot be read: No such file", "in `data.mask` (spec.toml:11)"],
    );
    let both = "mask = \"Y.csv\"\nweights = { path = \"W.csv\", axis = 1 }";
    place.write("W.csv", "1\n-1\n");
    refused(&place, &spec_of(both), 3, &["W.csv: row 2, column 1: ", "in `data.weights` (spec.toml:12)"]);
    place.write("Y.csv", "1,2\n3,x\n");
    let pieces = ["expected a number, found `x`", "in `data.target` (spec.toml:10), `data.mask` (spec.toml:11)\n"];
    refused(&place, &spec_of(both), 3, &pieces);
    let side = "[[extra]]\nkind = \"covariates\"\naxis = 1\nside = \"S.csv\"";
    place.write("Y.csv", "1,2\n");
    refused(&place, &spec_of(side), 3, &["S.csv: cannot be read", "in `extra[0].side` (spec.toml:14)"]);
    place.write("spec.toml", spec_of(""));
    let out = place.run(&["solve", "spec.toml", "--set", "data.target=Z.csv"]).exits(3);
    out.says(&["Z.csv: cannot be read", "in `data.target` (--set data.target)"]);
}

#[test]
fn cells_are_counted_as_in_the_file_and_columns_have_their_names() {
    let place = Place::new();
    place.write("Y.csv", "id,a,b\n1,5,0\n\n2,3,-4\n");
    let counts = "\n[loss]\nkind = \"poisson\"";
    let picked = spec_on("{ path = \"Y.csv\", columns = [\"b\", \"a\"] }", "1.0", "matrix", L2L2, counts);
    refused(&place, &picked, 3, &["Y.csv: row 4, column 3 (`b`): expected a count >= 0 for this loss, found `-4`"]);
    for (text, row) in [("1,2\r\n3,4\r\n5,-6\r\n", 3), ("\r\n\r\n1,2\r\n\r\n5,-6\r\n", 5), ("\n1,2\n\n\n5,-6", 5)] {
        place.write("Y.csv", text);
        let said = format!("Y.csv: row {row}, column 2: expected a count >= 0");
        refused(&place, &spec_on("\"Y.csv\"", "1.0", "matrix", L2L2, counts), 3, &[&said]);
    }
    place.write("V.csv", "height,mass\n1,2\n3,\n");
    place.write("Z.csv", "1\n2\n");
    let network = spec_on("\"Z.csv\"", "1.0", "relu", "{ norm = \"l2\" }", "input = \"V.csv\"");
    refused(&place, &network, 3, &["V.csv: row 3, column 2 (`mass`): expected a finite number", "in `data.input`"]);
    let array = |target: &str| spec_on(target, "1.0", "cp", "{ norm = \"l2\" }", counts);
    place.write("T.tns", "1 1 1 4\n2 3 2 -7\n1 3 1 2\n");
    let pieces = ["T.tns: row 2, entry (2, 3, 2): expected a count >= 0 for this loss, found `-7`"];
    refused(&place, &array("\"T.tns\""), 3, &pieces);
}

#[test]
fn damaged_frostt_files_are_refused() {
    let bad = |text: &str, pieces: &[&str]| {
        let place = Place::new();
        place.write("T.tns", text);
        refused(&place, &spec_on("\"T.tns\"", "1.0", "cp", "{ norm = \"l2\" }", ""), 3, pieces);
    };
    bad("", &["T.tns: no entry is observed", "it lists no entry"]);
    bad("# nothing\n\n", &["T.tns: no entry is observed"]);
    bad("5\n", &["T.tns: expected 2 to 33 numbers in row 1: 1 to 32 indices and a value, found 1"]);
    bad("1 1 1 5\n1 2 5\n", &["T.tns: expected 4 numbers in row 2: 3 indices and a value, found 3"]);
    bad(&"1 ".repeat(40), &["found 34 or more"]);
}

#[test]
fn an_array_of_order_three_is_no_matrix_and_the_mapping_for_it_is_named() {
    let cube = npy_with("(2, 2, 2)", "<f8", &[0; 64]);
    let hint = "hint: for a target of higher order: `kind = \"cp\"` under [mapping]";
    data_error("Y.npy", cube, "\"Y.npy\"", &["expected a matrix, found an array of shape [2, 2, 2]", hint]);
    data_error("Y.tns", "1 1 1 5\n2 2 2 1\n", "\"Y.tns\"", &["expected a matrix", hint]);
    let triplets = "{ path = \"Y.csv\", format = \"triplets\" }";
    data_error("Y.csv", "0,0,0,5\n1,1,1,1\n", triplets, &["expected a matrix", hint]);
}

#[test]
fn what_the_data_refuses_of_a_key_has_its_line() {
    let place = Place::new();
    place.write("T.npy", npy_with("(2, 3, 2)", "<f8", &[0; 96]));
    let array = |factors: &str, more: &str| spec_on("\"T.npy\"", "1.0", "cp", factors, more);
    let pieces = [
        "error: spec.toml:7: found 2 entries in `regularizer.factors`",
        "expected one entry for all factors, or 3: one for each index of the target; T.npy has shape [2, 3, 2]",
    ];
    refused(&place, &array(L2L2, ""), 3, &pieces);
    let axis = "[[extra]]\nkind = \"intercept\"\naxis = 4";
    let pieces = ["error: spec.toml:13: found 4 in `extra[0].axis`", "an index from 1 to 3: T.npy has shape [2, 3, 2]"];
    refused(&place, &array("{ norm = \"l2\" }", axis), 3, &pieces);
    let cubes = array("{ norm = \"l2\" }", "").replace("[regularizer]", "[regularizer]\nform = \"sum\"\npower = 2");
    let pieces =
        ["error: spec.toml:8: unbalanced: the regularizer would have degree 2", "`regularizer.power`", "power = 3"];
    refused(&place, &cubes, 3, &pieces);
}

#[test]
fn a_column_asked_for_twice_is_refused() {
    let twice = "{ path = \"Y.csv\", columns = [\"a\", \"b\", \"a\"] }";
    let pieces = ["spec.toml:3: found the string `a` twice in `data.target.columns`", "each column once"];
    spec_error("{ path = \"Y.csv\" }", twice, &pieces);
    spec_error("{ path = \"Y.csv\" }", "{ path = \"Y.csv\", columns = [1, 1] }", &["found the number 1 twice"]);
    let mixed = "{ path = \"Y.csv\", columns = [\"a\", 1] }";
    let pieces = ["Y.csv: expected each column once in `columns`, found column 1 by its name and by its number"];
    data_error("Y.csv", "a,b\n1,2\n", mixed, &pieces);
    let named = "{ path = \"Y.csv\", columns = [\"a\"] }";
    data_error("Y.csv", "a,b,a\n1,2,3\n", named, &["expected one column `a`", "found columns 1 and 3 of that name"]);
}

#[test]
fn notes_come_once_nothing_costs_nothing_and_one_is_singular() {
    let place = Place::new();
    place.write("all.csv", "x,y\n1,2\n2,3\n3,5\n4,4\n");
    let target = "{ path = \"all.csv\", columns = [\"y\"] }\ninput = { path = \"all.csv\", columns = [\"x\"] }";
    place.write("spec.toml", spec_on(target, "1e6", "relu", "{ norm = \"l2\" }", ""));
    let out = place.run(&["solve", "spec.toml"]).exits(0);
    assert_eq!(out.stderr.matches("its first row is a header").count(), 1, "{}", out.stderr);
    assert!(out.stderr.contains("all.csv: 1 input, as they are"), "{}", out.stderr);
    assert!(out.stderr.contains("regularizer 0.000000e+00") && !out.stderr.contains("-0.0"), "{}", out.stderr);
    assert!(!place.read("runs/spec/certificate.json").contains("-0.0"));
}

#[test]
fn a_warm_start_that_does_not_fit_is_refused() {
    let place = place();
    place.solve(&spec("1.0", "matrix", L2L2, ""), "old", &[], 0);
    place.write("Y.csv", csv(&scattered(5, 3)));
    let more = "[solver]\nwarm_start = \"old\"";
    let pieces =
        ["old/factors/X1.npy: expected 5 rows, as this problem has, found 4", "in `solver.warm_start` (spec.toml:"];
    refused(&place, &spec("1.0", "matrix", L2L2, more), 3, &pieces);
    let more = "[solver]\nwarm_start = \"nowhere\"";
    refused(&place, &spec("1.0", "matrix", L2L2, more), 3, &["nowhere/factors/X1.npy: cannot be read"]);
    let set = place.run(&["solve", "spec.toml", "--set", "solver.warm_start=none"]).exits(3);
    set.says(&["none/factors/X1.npy: cannot be read", "in `solver.warm_start` (--set solver.warm_start)"]);
}
