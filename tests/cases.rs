//! Problems whose global optimum is known by other means (`tests/cases/README.md`): homfac reaches it, never proves more than
//! it, proves it, and refutes points that are known not to be global.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Relative room for the last digits of a reference value.
const DIGITS: f64 = 1e-8;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn read_json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// (name, folder, case.json) of every case.
fn cases() -> Vec<(String, PathBuf, Value)> {
    let mut out: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.join("spec.toml").exists())
        .map(|p| (p.file_name().unwrap().to_str().unwrap().to_string(), p.clone(), read_json(&p.join("case.json"))))
        .collect();
    out.sort_by(|a, b| a.0.cmp(&b.0));
    out
}

/// Runs the binary with `--json -q`; its exit code and certificate.
#[track_caller]
fn homfac(args: &[&str]) -> (i32, Value) {
    let out = Command::new(env!("CARGO_BIN_EXE_homfac")).args(args).args(["--json", "-q"]).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let c = serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{args:?}: {e}: {text}{}", String::from_utf8_lossy(&out.stderr)));
    (out.status.code().unwrap(), c)
}

fn real(c: &Value, at: &str) -> f64 {
    c.pointer(at).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number at {at} in {c}"))
}

/// What holds of every certificate: the bound is not above the optimum, gap and exit code follow from the numbers.
#[track_caller]
fn sound(name: &str, optimum: f64, code: i32, c: &Value) {
    let (total, bound) = (real(c, "/objective/total"), real(c, "/lower_bound"));
    assert!(
        bound <= optimum + DIGITS * optimum.abs(),
        "{name}: the bound {bound} overstates, the optimum is {optimum}"
    );
    let scale = total.abs().max(bound.abs());
    let gap = if scale == 0.0 { 0.0 } else { (total - bound) / scale };
    assert_eq!(real(c, "/gap/relative"), gap, "{name}");
    assert_eq!(
        code == 0,
        gap <= real(c, "/target_gap") && c["verdict"] != "refuted",
        "{name}: exit code {code}, gap {gap}"
    );
}

#[test]
fn every_optimum_is_reached_and_proven() {
    let all = cases();
    assert_eq!(all.len(), 80);
    let place = tempfile::tempdir().unwrap();
    for (name, path, case) in all {
        let (optimum, low) = (real(&case, "/reference/objective"), real(&case, "/reference/lower_bound"));
        let tolerance = real(&case, "/reference/tolerance_rel").max(1e-6) * optimum.abs();
        let run = place.path().join(&name);
        let (code, c) = homfac(&["solve", path.join("spec.toml").to_str().unwrap(), "-o", run.to_str().unwrap()]);
        sound(&name, optimum, code, &c);
        let total = real(&c, "/objective/total");
        assert!(total <= optimum + tolerance, "{name}: {total} is above the optimum {optimum}");
        assert!(total >= low - DIGITS * optimum.abs(), "{name}: {total} is below what is possible, {low}");
        assert_eq!((c["verdict"].as_str().unwrap(), code), ("global", 0), "{name}");

        // check finds the same without the claims
        let mut empty = c.clone();
        for key in ["verdict", "lower_bound", "gap", "objective", "bound", "polar"] {
            empty[key] = Value::Null;
        }
        fs::write(run.join("certificate.json"), empty.to_string()).unwrap();
        let (code, again) = homfac(&["check", run.to_str().unwrap()]);
        sound(&name, optimum, code, &again);
        assert_eq!(again["objective"], c["objective"], "{name}");
        assert_eq!(again["verdict"], c["verdict"], "{name}");
        assert!(
            real(&again, "/lower_bound") >= real(&c, "/lower_bound") - 1e-12 * optimum.abs(),
            "{name}: check proves less"
        );
    }
}

/// `check` of factors stored beside the case.
fn check(path: &Path, files: &Value) -> (i32, Value) {
    let factors: Vec<PathBuf> = ["U", "V", "F1", "F2", "F3", "F4", "X1", "X2"]
        .iter()
        .filter_map(|k| files[*k].as_str())
        .map(|file| path.join(file))
        .collect();
    let spec = path.join("spec.toml");
    let mut args = vec!["check", "--spec", spec.to_str().unwrap(), "--factors"];
    args.extend(factors.iter().map(|f| f.to_str().unwrap()));
    homfac(&args)
}

#[test]
fn stored_optima_are_not_refuted() {
    for (name, path, case) in cases() {
        // a factor of no columns is not stored, nor are those of real data
        if ["U", "F1", "X1"].iter().all(|k| case["reference"]["files"][*k].is_null()) {
            let none = name.contains("zero") || name == "psd_negative_definite" || name.starts_with("real_");
            assert!(none, "{name} has no factors");
            continue;
        }
        let optimum = real(&case, "/reference/objective");
        let (code, c) = check(&path, &case["reference"]["files"]);
        sound(&name, optimum, code, &c);
        let total = real(&c, "/objective/total");
        assert!((total - optimum).abs() <= DIGITS * optimum.abs(), "{name}: {total}, the reference has {optimum}");
        assert_ne!(c["verdict"], "refuted", "{name}");
        if let Some(polar) = case.pointer("/reference/polar_at_optimum").and_then(Value::as_f64) {
            assert!(real(&c, "/polar/lower") <= polar * (1.0 + DIGITS), "{name}");
            assert!(real(&c, "/polar/upper") >= polar * (1.0 - DIGITS), "{name}");
        }
    }
}

#[test]
fn points_that_are_not_global_are_refuted() {
    let mut count = 0;
    for (name, path, case) in cases() {
        for point in case["candidates"].as_array().into_iter().flatten() {
            assert_eq!(point["globally_optimal"], false);
            count += 1;
            let (code, c) = check(&path, &point["files"]);
            sound(&name, real(&case, "/reference/objective"), code, &c);
            assert_eq!(code, 1, "{name}");
            assert_ne!(c["verdict"], "global", "{name}");
            let polar = real(point, "/polar");
            if polar > 1.01 {
                assert_eq!(c["verdict"], "refuted", "{name}: its polar is {polar}");
            }
            let (found, stored) = (real(&c, "/objective/total"), real(point, "/objective"));
            assert!((found - stored).abs() <= DIGITS * stored.abs(), "{name}: objective {found}, stored {stored}");
        }
    }
    assert_eq!(count, 42);
}

#[test]
fn known_polars_lie_between_search_and_bound() {
    let path = folder().join("polars");
    let all = read_json(&path.join("polars.json"));
    let place = tempfile::tempdir().unwrap();
    let cases = all["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 18);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let known = real(case, "/polar");
        // -grad l at X = 0 is the target, so its polar is lambda_max; a large lambda keeps the solution there
        let factors: Vec<String> = case["regularizer"]["norms"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
            .map(|(k, norm)| match case["regularizer"]["cones"][k].as_str() {
                Some("nonneg") => format!("{{ norm = {norm}, cone = \"nonnegative\" }}"),
                _ => format!("{{ norm = {norm} }}"),
            })
            .collect();
        let spec = format!(
            "lambda = {:?}\n[data]\ntarget = {{ path = {:?}, header = false }}\n[mapping]\nkind = {}\n[regularizer]\nfactors = [{}]\n",
            2.0 * known + 1.0,
            path.join(case["W"].as_str().unwrap()),
            case["mapping"]["kind"],
            factors.join(", ")
        );
        let file = place.path().join(format!("{name}.toml"));
        fs::write(&file, spec).unwrap();
        let (code, c) = homfac(&["solve", file.to_str().unwrap(), "-o", place.path().join(name).to_str().unwrap()]);
        assert_eq!((code, &c["rank"]), (0, &Value::from(0)), "{name}");
        let (low, high) = (real(&c, "/lambda_max/found"), real(&c, "/lambda_max/upper"));
        assert!(low <= known * (1.0 + 1e-12), "{name}: {low} is attained, but the polar is {known}");
        assert!(high >= known * (1.0 - 1e-12), "{name}: {high} is said to be proven, but the polar is {known}");
        // on instances this small the search does find it
        assert!(low >= known * (1.0 - 1e-6), "{name}: the search found {low} of {known}");
    }
}
