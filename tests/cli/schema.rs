//! `homfac schema`, judged by a validator that is not ours: it accepts what the reader accepts, refuses what is broken, and
//! knows the keys that the reader knows.

use crate::common::*;
use crate::init::all_variants;
use homfac::spec;
use jsonschema::Validator;
use serde_json::Value;
use std::path::Path;

fn schema() -> Value {
    Place::new().run(&["schema"]).exits(0).json()
}

fn validator() -> Validator {
    let schema = schema();
    assert!(jsonschema::draft202012::meta::is_valid(&schema), "not a schema of its own draft");
    jsonschema::draft202012::new(&schema).unwrap()
}

/// A spec as the validator sees it.
fn json(text: &str) -> Value {
    serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap()
}

#[track_caller]
fn accepts(validator: &Validator, what: &str, spec: &Value) {
    let errors: Vec<String> = validator.iter_errors(spec).map(|e| format!("{e} at {}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}");
}

#[test]
fn specs_templates_and_their_alternatives_are_valid() {
    let validator = validator();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs");
    let mut count = 0;
    for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        accepts(&validator, &path.display().to_string(), &json(&std::fs::read_to_string(&path).unwrap()));
        count += 1;
    }
    assert!(count > 10);
    for (what, table) in all_variants() {
        accepts(&validator, &what, &serde_json::to_value(table).unwrap());
    }
}

#[test]
fn the_resolved_spec_of_a_run_is_valid() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    let more = "holdout = 0.2\nweights = { path = \"w.csv\", axis = 1 }\n[[extra]]\nkind = \"intercept\"\naxis = \"global\"\n\
                [[extra]]\nkind = \"outliers\"\npenalty = { norm = \"l1\", weight = 0.5 }\n[solver]\nmax_rank = 3\n\
                time_limit = \"60s\"\n[certificate]\ntarget_gap = 0.5";
    place.write("w.csv", "1\n2\n1\n1\n");
    let out = place.write("spec.toml", spec("{ relative = 0.5 }", "matrix", NONNEGATIVE, more));
    assert!(out.exists());
    place.run(&["solve", "spec.toml", "-q", "-o", "run"]).exits(0);
    accepts(&validator(), "spec.toml of the run", &json(&place.read("run/spec.toml")));
}

/// A spec with these factors, loss and other tables.
fn assembled(factors: &str, loss: &str, more: &str) -> String {
    format!(
        "lambda = 1.0\n{more}\n[mapping]\nkind = \"matrix\"\n[regularizer]\nfactors = [{factors}]\n[loss]\nkind = {loss}\n"
    )
}

const L2: &str = "{ norm = \"l2\" }";
const DATA: &str = "[data]\ntarget = \"Y.csv\"";

#[test]
fn what_the_reader_accepts_is_valid() {
    let validator = validator();
    let factors = [
        "{ norm = \"lp\", p = 3 }, { norm = \"l1\", weight = 2 }",
        "{ norm = \"group_l2\", groups = [[0, 1], [2]] }",
        "{ norm = \"group_l2\", groups = \"g.csv\", weight = \"w.npy\" }",
        "{ norm = [{ kind = \"l1\" }, { kind = \"group_l2\", weight = 2, groups = [[0]] }] }",
        "{ norm = \"l2\", cone = { kind = \"kernel\", path = \"A.csv\", header = false } }, { norm = \"l2\" }",
        "{ norm = \"l2\", cone = { kind = \"sparse\", nonzeros = 2 } }",
        "{ norm = \"l2\", cone = { kind = \"monotone\" } }",
    ];
    let losses = ["\"quantile\"\nlevel = 0.9\nsmoothing = 1", "\"huber\"\ndelta = 2", "\"squared\""];
    let tables = [
        "[data]\ntarget = { path = \"Y.txt\", format = \"csv\", delimiter = \"tab\", columns = [1, \"b\"] }\nholdout = \"h.csv\"",
        "[data]\ntarget = \"Y.csv\"\ntransform = { subtract = -1 }\nweights = { path = \"w.csv\", axis = 2 }",
        "[data]\ntarget = \"b.csv\"\noperator = { path = \"A.mtx\", dims = [2, 3] }",
        "[data]\ntarget = \"Y.csv\"\n[solver]\ntime_limit = \"1h30m\"\n[certificate]\ntime_limit = 2.5\neffort = \"cheap\"",
        "[data]\ntarget = \"Y.csv\"\n[[extra]]\nkind = \"covariates\"\naxis = 1\nside = \"S.csv\"\npenalty = \"nonnegative\"",
        "[data]\ntarget = \"Y.csv\"\n[[extra]]\nkind = \"intercept\"\naxis = 2\npenalty = \"none\"",
        "[data]\ntarget = \"Y.csv\"\n[output]\ndir = \"here\"",
    ];
    let mut all: Vec<String> = factors.iter().map(|f| assembled(f, "\"squared\"", DATA)).collect();
    all.extend(losses.iter().map(|l| assembled(L2, l, DATA)));
    all.extend(tables.iter().map(|t| assembled(L2, "\"squared\"", t)));
    for text in all {
        spec::parse(&text, Path::new("spec.toml"), &[]).unwrap_or_else(|e| panic!("{text}\n{e}"));
        accepts(&validator, &text, &json(&text));
    }
}

#[test]
fn broken_specs_are_invalid() {
    let validator = validator();
    let good = assembled(L2, "\"squared\"", &format!("{DATA}\n[solver]\nseed = 0\n[certificate]\ntarget_gap = 1e-4"));
    accepts(&validator, "the unbroken one", &json(&good));
    let broken = [
        ("lambda = 1.0", "lamda = 1.0"),
        ("lambda = 1.0", "lambda = 1.0\nlamda = 1.0"),
        ("lambda = 1.0", "lambda = \"big\""),
        ("lambda = 1.0", "lambda = 0"),
        ("lambda = 1.0", "lambda = {}"),
        ("lambda = 1.0", "lambda = { relative = -1 }"),
        ("lambda = 1.0", "lambda = 1.0\nname = 3"),
        ("target = \"Y.csv\"", ""),
        ("target = \"Y.csv\"", "target = 7"),
        ("target = \"Y.csv\"", "target = { header = true }"),
        ("target = \"Y.csv\"", "target = { path = \"Y.csv\", heade = true }"),
        ("target = \"Y.csv\"", "target = { path = \"Y.csv\", format = \"xls\" }"),
        ("target = \"Y.csv\"", "target = { path = \"Y.csv\", columns = [0] }"),
        ("target = \"Y.csv\"", "target = { path = \"Y.tns\", shape = [4] }"),
        ("target = \"Y.csv\"", "target = { path = \"Y.tns\", index_base = 2 }"),
        ("target = \"Y.csv\"", "target = \"Y.csv\"\nholdout = 1.5"),
        ("target = \"Y.csv\"", "target = \"Y.csv\"\ntransform = \"log1\""),
        ("target = \"Y.csv\"", "target = \"Y.csv\"\ntransform = {}"),
        ("target = \"Y.csv\"", "target = \"Y.csv\"\ninput = \"V.csv\""),
        ("target = \"Y.csv\"", "target = \"Y.csv\"\nweights = { path = \"w.csv\", axis = 3 }"),
        ("target = \"Y.csv\"", "target = \"Y.csv\"\noperator = { path = \"A.npy\", dims = [2] }"),
        ("\"matrix\"", "\"matrx\""),
        ("\"matrix\"", "\"relu\""),
        ("\"matrix\"", "\"matrix\"\nsymmetrize = true"),
        ("[{ norm = \"l2\" }]", "\"l2\""),
        ("[{ norm = \"l2\" }]", "[]"),
        ("[{ norm = \"l2\" }]", "[{ cone = \"nonnegative\" }]"),
        ("[{ norm = \"l2\" }]", "[{ norm = \"l12\" }]"),
        ("[{ norm = \"l2\" }]", "[{ norm = \"l2\", p = 3 }]"),
        ("[{ norm = \"l2\" }]", "[{ norm = \"lp\" }]"),
        ("[{ norm = \"l2\" }]", "[{ norm = \"l2\", weight = 0 }]"),
        ("[{ norm = \"l2\" }]", "[{ norm = [{ kind = \"l1\", p = 2 }] }]"),
        ("[{ norm = \"l2\" }]", "[{ norm = [{ kind = \"l1\" }], p = 2 }]"),
        ("[{ norm = \"l2\" }]", "[{ norm = \"l2\", cone = \"kernel\" }]"),
        ("[{ norm = \"l2\" }]", "[{ norm = \"l2\", cone = { kind = \"kernel\" } }]"),
        ("[{ norm = \"l2\" }]", "[{ norm = \"l2\", cone = { kind = \"sparse\", nonzeros = 2, path = \"A.csv\" } }]"),
        ("[{ norm = \"l2\" }]", "[{ norm = \"l2\", cone = { kind = \"nonnegative\", nonzeros = 2 } }]"),
        ("\"squared\"", "\"sqared\""),
        ("\"squared\"", "\"squared\"\ndelta = 0.5"),
        ("\"squared\"", "\"huber\""),
        ("\"squared\"", "\"huber\"\ndelta = \"much\""),
        ("\"squared\"", "\"quantile\"\nlevel = 0.5"),
        ("[mapping]", "[[extra]]\nkind = \"outliers\"\n[mapping]"),
        ("[mapping]", "[[extra]]\nkind = \"outliers\"\npenalty = \"none\"\n[mapping]"),
        ("[mapping]", "[[extra]]\nkind = \"outliers\"\npenalty = { norm = \"none\" }\n[mapping]"),
        ("[mapping]", "[[extra]]\nkind = \"outliers\"\npenalty = { norm = \"l1\" }\n[mapping]"),
        ("[mapping]", "[[extra]]\nkind = \"intercept\"\n[mapping]"),
        ("[mapping]", "[[extra]]\nkind = \"intercept\"\naxis = 1\nside = \"S.csv\"\n[mapping]"),
        (
            "[mapping]",
            "[[extra]]\nkind = \"intercept\"\naxis = 1\npenalty = { norm = \"none\", weight = 1 }\n[mapping]",
        ),
        ("[mapping]", "[[extra]]\nkind = \"covariates\"\naxis = 1\n[mapping]"),
        ("[mapping]", "[[extra]]\nkind = \"covariates\"\naxis = \"global\"\nside = \"S.csv\"\n[mapping]"),
        ("[mapping]", "[extra]\nkind = \"intercept\"\naxis = 1\n[mapping]"),
        ("seed = 0", "seed = -1"),
        ("seed = 0", "sed = 0"),
        ("seed = 0", "max_rank = 0"),
        ("seed = 0", "threads = 2000"),
        ("seed = 0", "descent = \"magic\""),
        ("seed = 0", "time_limit = \"soon\""),
        ("target_gap = 1e-4", "target_gap = 1"),
        ("target_gap = 1e-4", "effort = \"thorogh\""),
        ("[mapping]", "[output]\nimages = { factor = 0, shape = [2, 2] }\n[mapping]"),
        ("[mapping]", "[output]\nimages = { factor = 1, shape = [2, 0] }\n[mapping]"),
        ("[mapping]", "[output]\nimages = { factor = 1, shape = [4] }\n[mapping]"),
        ("[mapping]", "[output]\nimages = { factor = 1 }\n[mapping]"),
    ];
    for (from, to) in broken {
        assert_eq!(good.matches(from).count(), 1, "{from}");
        let text = good.replace(from, to);
        assert!(spec::parse(&text, Path::new("spec.toml"), &[]).is_err(), "the reader accepts {to}");
        assert!(!validator.is_valid(&json(&text)), "the schema accepts {to}");
    }
}

/// The keys that the reader knows in the table where it finds one that it does not.
fn known_to_the_reader(text: &str) -> Vec<String> {
    let errors = spec::parse(text, Path::new("spec.toml"), &[]).unwrap_err().errors;
    let unknown =
        errors.iter().find(|e| e.found == "unknown key `zzz`").unwrap_or_else(|| panic!("{text}\n{errors:?}"));
    let expected = unknown.expected.as_ref().unwrap().strip_prefix("one of: ").unwrap();
    // not in this version
    expected.split(", ").filter(|k| *k != "allow_unbalanced").map(Into::into).collect()
}

#[test]
fn the_keys_of_every_table_are_those_of_the_reader() {
    let schema = schema();
    let base = |more: &str| assembled(L2, "\"squared\"", more);
    let target = |t: &str| base(&format!("[data]\n{t}"));
    let factor = |f: &str| assembled(f, "\"squared\"", DATA);
    let tables = [
        ("", base(&format!("zzz = 1\n{DATA}"))),
        ("/properties/lambda/anyOf/1", base(DATA).replace("1.0", "{ relative = 1, zzz = 1 }")),
        ("/properties/data", base("[data]\ntarget = \"Y.csv\"\nzzz = 1")),
        ("/$defs/file/anyOf/1", target("target = { path = \"Y.csv\", zzz = 1 }")),
        (
            "/properties/data/properties/input/anyOf/1",
            target("target = \"Y.csv\"\ninput = { path = \"V.csv\", zzz = 1 }"),
        ),
        (
            "/properties/data/properties/operator/anyOf/1",
            target("target = \"Y.csv\"\noperator = { path = \"A.npy\", zzz = 1 }"),
        ),
        (
            "/properties/data/properties/weights/anyOf/1",
            target("target = \"Y.csv\"\nweights = { path = \"w.npy\", zzz = 1 }"),
        ),
        (
            "/properties/data/properties/transform/anyOf/1",
            target("target = \"Y.csv\"\ntransform = { subtract = 1, zzz = 1 }"),
        ),
        ("/properties/mapping", base(DATA).replace("\"matrix\"", "\"matrix\"\nzzz = 1")),
        ("/properties/regularizer", base(DATA).replace("[loss]", "zzz = 1\n[loss]")),
        ("/properties/regularizer/properties/factors/items", factor("{ norm = \"l2\", zzz = 1 }")),
        (
            "/properties/regularizer/properties/factors/items/properties/norm/anyOf/1/items",
            factor("{ norm = [{ kind = \"l1\", zzz = 1 }] }"),
        ),
        ("/properties/loss", base(DATA).replace("\"squared\"", "\"squared\"\nzzz = 1")),
        ("/properties/extra/items", base(&format!("{DATA}\n[[extra]]\nkind = \"intercept\"\naxis = 1\nzzz = 1"))),
        (
            "/properties/extra/items/properties/penalty/anyOf/1",
            base(&format!(
                "{DATA}\n[[extra]]\nkind = \"intercept\"\naxis = 1\npenalty = {{ norm = \"l1\", weight = 1, zzz = 1 }}"
            )),
        ),
        ("/properties/solver", base(&format!("{DATA}\n[solver]\nzzz = 1"))),
        ("/properties/certificate", base(&format!("{DATA}\n[certificate]\nzzz = 1"))),
        ("/properties/output", base(&format!("{DATA}\n[output]\nzzz = 1"))),
        (
            "/properties/output/properties/images",
            base(&format!("{DATA}\n[output]\nimages = {{ factor = 1, shape = [2, 2], zzz = 1 }}")),
        ),
    ];
    for (place, text) in tables {
        let table = schema.pointer(place).unwrap_or_else(|| panic!("no {place} in the schema"));
        let keys: Vec<String> =
            table["properties"].as_object().unwrap_or_else(|| panic!("{place}")).keys().cloned().collect();
        let mut keys = keys;
        keys.sort();
        assert_eq!(keys, known_to_the_reader(&text), "{place}");
    }
}

#[test]
fn every_table_is_closed_and_every_key_is_described() {
    fn walk(at: &str, v: &Value, tables: &mut usize) {
        if let Some(keys) = v["properties"].as_object().filter(|_| v["type"] == "object" && !at.contains("/not/")) {
            *tables += 1;
            assert_eq!(v["additionalProperties"], false, "{at} is open");
            for (key, schema) in keys {
                let text = schema["description"].as_str().unwrap_or("");
                assert!(!text.is_empty() || ["subtract"].contains(&key.as_str()), "{at}: `{key}` has no description");
            }
        }
        match v {
            Value::Object(o) => o.iter().for_each(|(k, v)| walk(&format!("{at}/{k}"), v, tables)),
            Value::Array(a) => a.iter().enumerate().for_each(|(k, v)| walk(&format!("{at}/{k}"), v, tables)),
            _ => {}
        }
    }
    let mut tables = 0;
    walk("", &schema(), &mut tables);
    assert!(tables > 15, "{tables}");
}
