//! Norms and cones with parameters: in the spec, its errors, and runs whose optimum is known or can be recomputed.

use crate::common::*;
use crate::naive::npy_bytes;

fn place_with(name: &str, grid: &crate::naive::Grid) -> Place {
    let place = Place::new();
    place.write("Y.csv", csv(&scattered(6, 5)));
    place.write(name, csv(grid));
    place
}

/// Refused with this exit code and these words; the factors of a 6 x 5 target.
#[track_caller]
fn refused(place: &Place, mapping: &str, factors: &str, code: i32, pieces: &[&str]) {
    place.write("spec.toml", spec("1.0", mapping, factors, ""));
    let out = place.run(&["solve", "spec.toml", "-o", "run"]).exits(code);
    out.says(pieces);
}

/// Solved and checked again from the run folder, whose spec says all that the first one said.
#[track_caller]
fn solved(place: &Place, factors: &str, more: &str, code: i32) -> serde_json::Value {
    place.write("spec.toml", spec("{ relative = 0.3 }", "matrix", factors, more));
    let json = place.run(&["solve", "spec.toml", "-q", "--json", "--force", "-o", "run"]).exits(code).json();
    let again = place.run(&["check", "run", "-q", "--json"]).exits(code).json();
    for pointer in ["/objective/total", "/verdict", "/rank"] {
        assert_eq!(again.pointer(pointer), json.pointer(pointer), "{pointer} of {factors}");
    }
    let (first, second) = (number(&json, "/lower_bound"), number(&again, "/lower_bound"));
    assert!(second >= first - 1e-12 * first.abs(), "check proves {second}, solve {first}: {factors}");
    json
}

#[test]
fn parameters_are_required_and_checked_where_they_stand() {
    let place = place_with("A.csv", &noise(2, 5));
    let at = "regularizer.factors[0]";
    let cases: &[(&str, &[&str])] = &[
        ("{ norm = \"lp\" }", &["missing key `p`", at]),
        ("{ norm = \"lp\", p = 0.5 }", &["`p` is 0.5", "1, 2, inf, or a number from 1.01 to 100"]),
        ("{ norm = \"l2\", groups = [[0]] }", &["`groups` belongs to norm `group_l2`"]),
        ("{ norm = \"group_l2\" }", &["missing key `groups`"]),
        ("{ norm = \"group_l2\", groups = [[0, 1], [1]] }", &["coordinate 1 is in `groups[0]` and in `groups[1]`"]),
        ("{ norm = \"group_l2\", groups = [[0, 2]] }", &["coordinate 1 is in no group"]),
        ("{ norm = \"group_l2\", groups = [[0.5]] }", &["a list of lists of 0-based indices"]),
        ("{ norm = \"tv\" }", &["`tv` alone is 0 on constant vectors"]),
        (
            "{ norm = [{ kind = \"tv\", shape = 4 }, { kind = \"l2\" }] }",
            &["rows and columns of an image, such as [8, 8]"],
        ),
        ("{ norm = [{ kind = \"tv\", shape = [4, 0] }, { kind = \"l2\" }] }", &["rows and columns of an image"]),
        (
            "{ norm = [{ kind = \"l1\", shape = [2, 2] }] }",
            &["`shape` belongs to norm `tv`, `frobenius`, `spectral`, `nuclear`"],
        ),
        ("{ norm = \"nuclear\" }", &["`nuclear` needs `shape`"]),
        ("{ norm = \"spectral\", shape = [2, -1] }", &["rows and columns of an image"]),
        ("{ norm = \"nuclear\", shape = [2, 3], cone = \"psd\" }", &["cone `psd` is for square", "`shape` says 2 x 3"]),
        ("{ norm = \"nuclear\", shape = [2, 3], cone = \"nonnegative\" }", &["norm `nuclear` with cone `nonnegative`"]),
        ("{ norm = \"l1\", cone = \"psd\" }", &["norm `l1` with cone `psd`"]),
        ("{ norm = [{ kind = \"nuclear\", shape = [2, 3] }, { kind = \"l2\" }] }", &["right for `nuclear` in a sum"]),
        ("{ norm = \"spectral\", shape = [2, 3], weight = \"A.csv\" }", &["weights that vary with norm `spectral`"]),
        ("{ norm = \"l2\", cone = \"psd\", weight = \"A.csv\" }", &["weights that vary with cone `psd`"]),
        ("{ norm = [] }", &["found an empty list"]),
        ("{ norm = [{ kind = \"l1\", weight = -1 }] }", &["found -1 in `regularizer.factors[0].norm[0].weight`"]),
        ("{ norm = [{ kind = \"l1\" }, { kind = \"linf\" }] }", &["no rule is known to be right for `linf` in a sum"]),
        ("{ norm = [{ kind = \"l1\" }, { kind = \"l1\" }] }", &["`l1` is listed twice"]),
        ("{ norm = [{ kind = \"l1\", wieght = 1 }] }", &["unknown key `wieght`", "did you mean `weight`?"]),
        ("{ norm = \"l1\", cone = \"monotone\" }", &["norm `l1` with cone `monotone`"]),
        ("{ norm = \"l2\", cone = \"sparse\" }", &["cone `sparse` needs `nonzeros`"]),
        ("{ norm = \"l2\", cone = { kind = \"sparse\" } }", &["missing key `nonzeros`"]),
        ("{ norm = \"l2\", cone = { kind = \"sparse\", nonzeros = 0 } }", &["a whole number of at least 1"]),
        ("{ norm = \"l2\", cone = { kind = \"kernel\" } }", &["missing key `path`"]),
        ("{ norm = \"l2\", cone = { kind = \"monotone\", path = \"A.csv\" } }", &["`path` belongs to cone"]),
        (
            "{ norm = \"l2\", weight = \"A.csv\", cone = { kind = \"sparse\", nonzeros = 2 } }",
            &["weights that vary with cone `sparse`"],
        ),
    ];
    for (entry, pieces) in cases {
        refused(&place, "matrix", &format!("{entry}, {{ norm = \"l2\" }}"), 2, pieces);
    }
    let psd: &[(&str, &[&str])] = &[
        ("{ norm = \"lp\", p = 3 }", &["norm `lp` has no rule known to be right with the psd mapping"]),
        ("{ norm = \"l2\", cone = \"monotone\" }", &["norm `l2` with cone `monotone` has no rule"]),
        (
            "{ norm = \"nuclear\", shape = [2, 3] }",
            &["norm `nuclear` has no rule known to be right with the psd mapping"],
        ),
        ("{ norm = \"l2\", cone = \"psd\" }", &["norm `l2` with cone `psd` has no rule"]),
    ];
    psd.iter().for_each(|(entry, pieces)| refused(&place, "psd", entry, 2, pieces));
}

#[test]
fn files_must_fit_the_factor() {
    let place = place_with("A.csv", &noise(2, 5));
    let first = |entry: &str| format!("{entry}, {{ norm = \"l2\" }}");
    let cone = "{ norm = \"l2\", cone = { kind = \"kernel\", path = \"A.csv\", header = false } }";
    refused(
        &place,
        "matrix",
        &first(cone),
        3,
        &["A.csv: expected 6 columns, one per coordinate of the factor, found 5"],
    );
    let twice = crate::naive::Grid::from_fn(2, 6, |_, j| 1.0 + j as f64);
    place.write("A.csv", csv(&twice));
    refused(&place, "matrix", &first(cone), 3, &["A.csv: expected a matrix for cone `kernel`", "independent"]);
    let opposite = crate::naive::Grid::from_fn(2, 6, |i, j| if i == 0 { 1.0 + j as f64 } else { -1.0 - j as f64 });
    place.write("A.csv", csv(&opposite));
    refused(&place, "matrix", &first(&cone.replace("kernel", "halfspaces")), 3, &["no common interior", "`kernel`"]);
    place.write("g.csv", "0\n1\n");
    let groups = "{ norm = \"group_l2\", groups = { path = \"g.csv\", header = false } }";
    refused(&place, "matrix", &first(groups), 3, &["g.csv: expected 6 labels", "found 2"]);
    for (entry, said) in [
        (
            "{ norm = \"nuclear\", shape = [2, 4] }",
            "`nuclear` of 2 x 4 matrices is for a factor of 8 coordinates, not 6",
        ),
        (
            "{ norm = \"frobenius\", shape = [3, 3] }",
            "`frobenius` of 3 x 3 matrices is for a factor of 9 coordinates, not 6",
        ),
        ("{ norm = \"nuclear\", cone = \"psd\" }", "6 is not a square"),
        ("{ norm = \"l2\", cone = \"psd\" }", "6 is not a square"),
    ] {
        refused(&place, "matrix", &first(entry), 3, &["a factor with 6 coordinates", said]);
    }
    let lists = "{ norm = \"group_l2\", groups = [[0, 1], [2]] }";
    refused(&place, "matrix", &first(lists), 3, &["a factor with 6 coordinates", "coordinate 3 is in no group"]);
}

#[test]
fn norms_and_cones_with_an_exact_polar_are_proven_global() {
    let place = place_with("A.csv", &noise(2, 5));
    place.write("d.csv", "1\n2\n0.5\n1\n1.5\n");
    place.write("g.csv", "7\n3\n7\n3\n3\n");
    place.write("A.npy", npy_bytes(&noise(2, 5)));
    let l1 = "{ norm = \"l1\" }";
    let gap = "[certificate]\ntarget_gap = 1e-6\n";
    for entry in [
        "{ norm = \"lp\", p = 3 }",
        "{ norm = \"lp\", p = 1.5, cone = \"nonnegative\" }",
        "{ norm = \"lp\", p = inf }",
        "{ norm = \"group_l2\", groups = [[0, 2, 3], [1, 4]] }",
        "{ norm = \"group_l2\", groups = { path = \"g.csv\", header = false }, weight = \"d.csv\" }",
        "{ norm = [{ kind = \"l1\", weight = 0.3 }, { kind = \"tv\" }, { kind = \"l2\", weight = 0.7 }] }",
        "{ norm = [{ kind = \"tv\", weight = 0.4 }, { kind = \"l2\" }], cone = \"nonnegative\", weight = 2.0 }",
        "{ norm = [{ kind = \"group_l2\", groups = [[0, 2, 3], [1, 4]] }, { kind = \"l1\", weight = 0.2 }] }",
        "{ norm = [{ kind = \"l2\", weight = 2.0 }] }",
        "{ norm = \"l2\", cone = \"monotone\", weight = \"d.csv\" }",
        "{ norm = \"l2\", cone = { kind = \"kernel\", path = \"A.npy\" } }",
        "{ norm = \"l2\", cone = { kind = \"halfspaces\", path = \"A.csv\", header = false } }",
        "{ norm = \"l2\", cone = { kind = \"sparse\", nonzeros = 2 } }",
    ] {
        let json = solved(&place, &format!("{l1}, {entry}"), gap, 0);
        assert_eq!(word(&json, "/verdict"), "global", "{entry}");
    }
    for pair in [
        "{ norm = \"l2\" }, { norm = \"l2\", cone = { kind = \"kernel\", path = \"A.npy\" } }",
        "{ norm = \"l2\" }, { norm = \"group_l2\", groups = [[0, 2, 3], [1, 4]] }",
        // by the lift
        "{ norm = \"l2\", cone = \"monotone\" }, { norm = \"l2\" }",
    ] {
        let json = solved(&place, pair, gap, 0);
        assert_eq!(word(&json, "/verdict"), "global", "{pair}");
    }
}

#[test]
fn where_the_polar_is_only_bounded_the_gap_is_said() {
    let place = place_with("A.csv", &noise(2, 5));
    for pair in [
        "{ norm = [{ kind = \"l1\", weight = 0.3 }, { kind = \"tv\" }, { kind = \"l2\", weight = 0.7 }] }, { norm = \"l2\" }",
        "{ norm = \"lp\", p = 3 }, { norm = \"l2\" }",
        "{ norm = \"l2\", cone = { kind = \"sparse\", nonzeros = 2 } }, { norm = \"l2\" }",
    ] {
        let json = solved(&place, pair, "", 1);
        assert_eq!(word(&json, "/verdict"), "within", "{pair}");
        assert!(number(&json, "/gap/relative") > 0.0);
        let polar = &json["polar"];
        assert!(polar["upper"].as_f64().unwrap() >= polar["lower"].as_f64().unwrap() && polar["exact"] == false);
        let said = json["guarantees"].to_string();
        assert!(said.contains("a gap may remain"), "{said}");
        assert_eq!(said.contains("is not convex"), pair.contains("sparse"), "{said}");
    }
}

/// What lies outside the subspace cannot be fitted: it stays in the residual, far larger than what the polar sees of it.
#[test]
fn a_residual_far_outside_the_subspace_is_no_contradiction() {
    let ones = crate::naive::Grid::from_fn(1, 5, |_, _| 1.0);
    let place = place_with("A.csv", &ones);
    let y = scattered(6, 5);
    for size in [1e3, 1e6, 1e9] {
        place.write("Y.csv", csv(&crate::naive::Grid::from_fn(6, 5, |i, j| y.at(i, j) + size * (1.0 + i as f64))));
        let cone = "{ kind = \"kernel\", path = \"A.csv\", header = false }";
        place.write(
            "spec.toml",
            spec("0.5", "matrix", &format!("{{ norm = \"l2\" }}, {{ norm = \"l2\", cone = {cone} }}"), ""),
        );
        let json = place.run(&["solve", "spec.toml", "-q", "--json", "--force", "-o", "run"]).exits(0).json();
        assert_eq!(word(&json, "/verdict"), "global");
    }
}

/// With u in l1 every row of the optimum is the prox of its own row: here worked out for two entries by hand.
#[test]
fn total_variation_between_two_columns_is_what_the_formula_says() {
    let place = Place::new();
    place.write("Y.csv", "5,1\n-4,-4.5\n0.1,0.2\n");
    let factors = "{ norm = \"l1\" }, { norm = [{ kind = \"tv\", weight = 1.0 }, { kind = \"l1\", weight = 0.5 }] }";
    place.write("spec.toml", spec("1.0", "matrix", factors, "[certificate]\ntarget_gap = 1e-8\n"));
    let json = place.run(&["solve", "spec.toml", "-q", "--json", "-o", "run"]).exits(0).json();
    // (5, 1): pulled together by 1 and to 0 by 1/2: (3.5, 1.5); (-4, -4.5): fused at -4.25, then -3.75; the last row is 0
    let row = |y: [f64; 2], x: [f64; 2]| {
        let squares: f64 = (0..2).map(|k| (x[k] - y[k]) * (x[k] - y[k])).sum();
        0.5 * squares + (x[1] - x[0]).abs() + 0.5 * (x[0].abs() + x[1].abs())
    };
    let expected = row([5.0, 1.0], [3.5, 1.5]) + row([-4.0, -4.5], [-3.75, -3.75]) + row([0.1, 0.2], [0.0, 0.0]);
    close(number(&json, "/objective/total"), expected, 1e-9);
    assert_eq!(json["rank"], 2);
}

/// The same for images of two by two pixels.
#[test]
fn total_variation_in_an_image_is_what_the_formula_says() {
    let place = Place::new();
    place.write("Y.csv", "5,1,1,1\n0.1,-0.1,0.2,0\n");
    let image = |shape: &str| {
        let sum = format!("[{{ kind = \"tv\", shape = {shape} }}, {{ kind = \"l1\", weight = 0.5 }}]");
        spec("1.0", "matrix", &format!("{{ norm = \"l1\" }}, {{ norm = {sum} }}"), "[certificate]\ntarget_gap = 1e-8\n")
    };
    place.write("spec.toml", image("[2, 2]"));
    let json = place.run(&["solve", "spec.toml", "-q", "--json", "-o", "run"]).exits(0).json();
    // the bright pixel is pulled by its two neighbours and to 0; the others share what they gain
    let (bright, rest) = (2.5, 3.5 / 3.0);
    let squares = (5.0f64 - bright).powi(2) + 3.0 * (1.0f64 - rest).powi(2) + 0.01 + 0.01 + 0.04;
    let expected = 0.5 * squares + 2.0 * (bright - rest) + 0.5 * (bright + 3.0 * rest);
    close(number(&json, "/objective/total"), expected, 1e-9);
    assert_eq!((&json["rank"], word(&json, "/verdict")), (&1.into(), "global"));
    place.run(&["check", "run", "-q"]).exits(0);
    assert!(place.read("run/spec.toml").contains("shape = [2, 2]"));
    place.write("spec.toml", image("[3, 2]"));
    place.run(&["solve", "spec.toml", "-o", "other"]).exits(3).says(&["`shape` = [3, 2] is not an image of 4 pixels"]);
}

/// One column is one matrix, so the optimum is a prox: singular values (or eigenvalues) worked out by hand.
#[test]
fn a_column_that_is_a_matrix_is_shrunk_by_its_singular_values() {
    let place = Place::new();
    let root = 10f64.sqrt();
    // diag(3, 1); eigenvalues 3 and -1, and the same with a skew part that no semidefinite matrix fits, whatever its sign: the
    // other factor may be negative
    let (diagonal, indefinite, skew) = ("3\n0\n0\n1\n", "1\n2\n2\n1\n", "1\n2.5\n1.5\n1\n");
    for (y, entry, total) in [
        (diagonal, "{ norm = \"nuclear\", shape = [2, 2] }", 3.0),
        (diagonal, "{ norm = \"spectral\", shape = [2, 2] }", 2.5),
        (diagonal, "{ norm = \"frobenius\", shape = [2, 2] }", 0.5 + root - 1.0),
        (diagonal, "{ norm = \"nuclear\", shape = [1, 4] }", 0.5 + root - 1.0),
        (indefinite, "{ norm = \"nuclear\", cone = \"psd\" }", 3.0),
        (indefinite, "{ norm = \"spectral\", cone = \"psd\", shape = [2, 2] }", 3.0),
        (indefinite, "{ norm = \"l2\", cone = \"psd\" }", 3.0),
        (skew, "{ norm = \"nuclear\", cone = \"psd\" }", 3.25),
        (skew, "{ norm = \"nuclear\", cone = \"psd\", weight = 0.5 }", 2.0),
    ] {
        place.write("Y.csv", y);
        // a vector of one entry has the same norm by any name, and beside l1 the polar is exact
        let factors = format!("{entry}, {{ norm = \"l1\" }}");
        place.write("spec.toml", spec("1.0", "matrix", &factors, "[certificate]\ntarget_gap = 1e-7\n"));
        let json = place.run(&["solve", "spec.toml", "-q", "--json", "--force", "-o", "run"]).exits(0).json();
        close(number(&json, "/objective/total"), total, 1e-9);
        assert_eq!(word(&json, "/verdict"), "global", "{entry}");
        place.run(&["check", "run", "-q"]).exits(0);
    }
}

#[test]
fn slices_that_are_matrices_are_proven_where_their_array_is() {
    let place = Place::new();
    place.write("Y.csv", csv(&scattered(4, 6)));
    for (pair, verdict) in [
        ("{ norm = \"nuclear\", shape = [2, 2] }, { norm = \"l2\" }", "global"),
        ("{ norm = \"l2\" }, { norm = \"nuclear\", shape = [3, 2] }", "global"),
        ("{ norm = \"spectral\", shape = [2, 2] }, { norm = \"l1\" }", "global"),
        ("{ norm = \"nuclear\", cone = \"psd\" }, { norm = \"l1\", cone = \"nonnegative\" }", "global"),
        ("{ norm = \"spectral\", shape = [2, 2] }, { norm = \"l2\" }", "within"),
    ] {
        // a bound that cannot close need not be sought for long
        let json = solved(&place, pair, "[solver]\nmax_outer = 8\n", i32::from(verdict == "within"));
        assert_eq!(word(&json, "/verdict"), verdict, "{pair}");
    }
}

#[test]
fn a_matrix_that_is_not_semidefinite_is_named_and_can_be_projected() {
    let place = Place::new();
    place.write("Y.csv", csv(&scattered(4, 3)));
    place.write("spec.toml", spec("1.0", "matrix", "{ norm = \"nuclear\", cone = \"psd\" }, { norm = \"l2\" }", ""));
    place.write("V.csv", "1\n2\n1.5\n");
    let args = ["check", "--spec", "spec.toml", "--factors", "U.csv", "V.csv"];
    for (u, said) in [("1\n0\n0\n-1\n", "row 4, slice 1"), ("1\n0.5\n0.4\n1\n", "row 2, slice 1")] {
        place.write("U.csv", u);
        place.run(&args).exits(3).says(&["factor 1", said, "outside the cone `psd`"]);
        let projected: Vec<&str> = args.into_iter().chain(["--project"]).collect();
        assert_ne!(place.run(&projected).code, 3);
    }
}

#[test]
fn a_factor_outside_its_cone_is_named_and_can_be_projected() {
    let place = place_with("A.csv", &noise(2, 5));
    place.write("spec.toml", spec("1.0", "matrix", "{ norm = \"l2\" }, { norm = \"l2\", cone = \"monotone\" }", ""));
    place.write("U.csv", "1\n1\n1\n1\n1\n1\n");
    place.write("V.csv", "1\n2\n1.5\n3\n4\n");
    let args = ["check", "--spec", "spec.toml", "--factors", "U.csv", "V.csv"];
    place.run(&args).exits(3).says(&["factor 2, row 3, slice 1", "outside the cone `monotone`"]);
    let projected: Vec<&str> = args.into_iter().chain(["--project"]).collect();
    assert_ne!(place.run(&projected).code, 3);
}
