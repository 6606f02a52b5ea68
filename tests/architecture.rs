//! The shape of the crate: modules name only modules above them, every source file is declared and every kind registered,
//! and nothing is unsafe. The compiler does not look at these; each check is shown to catch a planted fault.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may name beside itself and `budget`: whole modules, or paths into them. The order is that of the layers.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("budget", &[]),
    ("linalg", &[]),
    ("data", &["linalg"]),
    ("cone", &["linalg"]),
    ("gauge", &["linalg", "cone"]),
    // a loss sees plain slices and knows nothing of how the data is stored
    ("loss", &["linalg", "data::TargetKind"]),
    ("mapping", &["linalg", "data"]),
    ("extra", &["linalg", "data", "loss"]),
    ("problem", &["linalg", "data", "cone", "gauge", "loss", "mapping", "extra"]),
    ("polar", &["linalg", "data", "cone", "gauge", "loss", "mapping", "extra", "problem"]),
    // never `solve`: that is what makes a certificate worth something
    ("certify", &["linalg", "data", "cone", "gauge", "loss", "mapping", "extra", "problem", "polar"]),
    ("solve", &["linalg", "data", "cone", "gauge", "loss", "mapping", "extra", "problem", "polar", "certify"]),
    ("spec", &["linalg", "data", "cone", "gauge", "loss", "mapping", "extra", "problem", "polar", "certify", "solve"]),
    // what fitted factors say of data that was not: no solver
    ("predict", &["linalg", "data", "loss", "mapping", "extra", "problem::Form", "spec"]),
    // stores what others found: types, no mathematics
    ("run", &["linalg", "data", "mapping", "certify", "spec", "predict::Cell", "polar::LambdaMax"]),
    // prints what others found: of the solver it sees the events
    ("report", &["data", "gauge", "problem", "polar", "certify", "solve::observer", "spec", "run"]),
    (
        "cli",
        &[
            "linalg", "data", "cone", "gauge", "loss", "mapping", "extra", "problem", "polar", "certify", "solve",
            "spec", "predict", "run", "report",
        ],
    ),
];

/// Files held to less than their module is: `check` proves from data and factors alone.
const MUST_NOT_NAME: &[(&str, &str)] = &[("cli/check.rs", "solve")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` with its contents, by path relative to it, sorted.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut out = Vec::new();
    let mut pending = vec![folder.to_path_buf()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                out.push((path.strip_prefix(folder).unwrap().to_path_buf(), text));
            }
        }
    }
    out.sort();
    out
}

/// The code without line comments (documentation may name anything).
fn code(text: &str) -> String {
    let uncommented = |line: &str| match line.find("//") {
        // not the slashes of an address in a string
        Some(at) if at == 0 || line[..at].ends_with(' ') => line[..at].to_string(),
        _ => line.to_string(),
    };
    text.lines().map(uncommented).collect::<Vec<_>>().join("\n")
}

fn is_ident(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Expands what follows `prefix::` in a path or a tree of them: `a::b`, `{a, b::{c, d}}`. Returns the rest of the text.
fn expand<'a>(prefix: &str, text: &'a str, out: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if rest.is_empty() {
                return rest;
            }
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            let before = rest.len();
            rest = expand(prefix, rest, out);
            if rest.len() == before {
                // not a path (`*`, the name after `as`): step over it
                rest = &rest[rest.chars().next().map_or(0, char::len_utf8)..];
            }
        }
    }
    let end = text.find(|c| !is_ident(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return text;
    }
    let path = if prefix.is_empty() { name.to_string() } else { format!("{prefix}::{name}") };
    match rest.strip_prefix("::") {
        Some(deeper) if deeper.trim_start().starts_with(|c| is_ident(c) || c == '{') => expand(&path, deeper, out),
        _ => {
            out.push(path);
            rest
        }
    }
}

/// Paths from the crate root that the file names: by `crate::`, or by enough `super::` to get there. `file` is relative to
/// `src`; a `mod.rs` stands for its folder.
fn named(file: &Path, text: &str) -> Vec<String> {
    let code = code(text);
    let depth = file.components().count() - usize::from(file.ends_with("mod.rs"));
    let mut out = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if !code[..at].ends_with(is_ident) {
            expand("", &code[at + "crate::".len()..], &mut out);
        }
    }
    let climb = "super::".repeat(depth);
    for (at, _) in code.match_indices(&climb) {
        let mut up = Vec::new();
        expand("", &code[at + climb.len()..], &mut up);
        // inside an inline module the same words climb one level less and end at siblings
        out.extend(up.into_iter().filter(|p| MAY_NAME.iter().any(|(m, _)| within(p, m))));
    }
    out
}

/// Whether `path` is `allowed` or lies inside it.
fn within(path: &str, allowed: &str) -> bool {
    path.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The paths that a file must not name.
fn forbidden(file: &Path, text: &str) -> Vec<String> {
    let module = file.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
    let allowed = MAY_NAME.iter().find(|(m, _)| *m == module).map(|(_, a)| *a);
    let denied = |path: &str| MUST_NOT_NAME.iter().any(|(f, m)| file == Path::new(f) && within(path, m));
    let fine = |path: &str| {
        allowed.is_some_and(|a| a.iter().chain([&module, &"budget"]).any(|a| within(path, a))) && !denied(path)
    };
    let mut names = named(file, text);
    names.retain(|path| !fine(path));
    if allowed.is_none() {
        names.push(format!("{module} has no row in the table"));
    }
    names
}

/// `src` without the two files that stand above the modules.
fn modules() -> Vec<(PathBuf, String)> {
    let mut all = sources(&root().join("src"));
    all.retain(|(f, _)| f != Path::new("lib.rs") && f != Path::new("main.rs"));
    all
}

#[test]
fn modules_name_only_modules_above_them() {
    let faults: Vec<String> = modules()
        .iter()
        .flat_map(|(file, text)| forbidden(file, text).into_iter().map(move |p| format!("{}: {p}", file.display())))
        .collect();
    assert!(faults.is_empty(), "not allowed:\n{}", faults.join("\n"));
}

#[test]
fn the_table_is_in_layer_order_and_lists_every_module_of_the_crate() {
    for (k, (module, allowed)) in MAY_NAME.iter().enumerate() {
        let above: Vec<&str> = MAY_NAME[..k].iter().map(|(m, _)| *m).collect();
        for path in *allowed {
            assert!(above.iter().any(|m| within(path, m)), "{module} may name {path}, which is not above it");
        }
    }
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let listed: BTreeSet<&str> = MAY_NAME.iter().map(|(m, _)| *m).collect();
    assert_eq!(declared(&lib).iter().map(String::as_str).collect::<BTreeSet<_>>(), listed);
}

#[test]
fn planted_edges_are_caught() {
    let planted = [
        ("certify/mod.rs", "use crate::solve::solve;", "solve::solve"),
        ("certify/relax/nuclear.rs", "use crate::{linalg::Mat, solve::{self, reduce}};", "solve::self"),
        ("certify/dual.rs", "use super::super::solve::reduce;", "solve::reduce"),
        ("loss/squared.rs", "fn f(x: &crate::mapping::Factors) {}", "mapping::Factors"),
        ("loss/mod.rs", "use super::gauge::Norm;", "gauge::Norm"),
        ("cone/mod.rs", "use crate::{\n    gauge,\n    linalg,\n};", "gauge"),
        ("linalg/sum.rs", "let t = crate::data::Observations::shape;", "data::Observations::shape"),
        ("report/log.rs", "use crate::solve::reduce::reduce;", "solve::reduce::reduce"),
        ("cli/check.rs", "use crate::{certify, solve};", "solve"),
        ("novelty/mod.rs", "", "novelty has no row in the table"),
    ];
    for (file, text, path) in planted {
        let found = forbidden(Path::new(file), text);
        assert!(found.iter().any(|f| f == path), "{file}: `{text}` gives {found:?}");
    }
    let harmless = [
        ("certify/mod.rs", "//! [`crate::solve`] is left to others\nuse crate::{budget::Budget, polar::*};"),
        ("certify/dual.rs", "use super::{Witness, relax}; pub(crate) fn f() {}"),
        ("gauge/l1.rs", "use super::{Kind, Norm}; use crate::cone::Cone as C;"),
        ("report/log.rs", "use crate::solve::observer::{Iteration, Observer};"),
        ("cli/solve.rs", "use crate::solve::{self, options::SolverOptions};"),
    ];
    for (file, text) in harmless {
        assert_eq!(forbidden(Path::new(file), text), Vec::<String>::new(), "{file}: `{text}`");
    }
}

/// The names of the modules that a file declares in files of their own.
fn declared(text: &str) -> Vec<String> {
    let code = code(text);
    let name = |line: &str| {
        let line = line.trim();
        let line = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub ")).unwrap_or(line);
        line.strip_prefix("mod ")?.strip_suffix(';').map(str::to_string)
    };
    code.lines().filter_map(name).collect()
}

/// Files and folders beside `parent` (a `mod.rs`, `lib.rs` or `main.rs`) that it does not declare: dead code, silently.
fn undeclared(parent: &str, siblings: &[String]) -> Vec<String> {
    let declared = declared(parent);
    siblings.iter().filter(|s| !declared.contains(s)).cloned().collect()
}

/// Module names in a folder: files without their ending, folders that hold a `mod.rs`.
fn siblings(folder: &Path) -> Vec<String> {
    let name = |path: PathBuf| {
        let stem = path.file_stem()?.to_str()?.to_string();
        let file = path.extension().is_some_and(|e| e == "rs") && !["mod", "lib", "main"].contains(&stem.as_str());
        (file || path.join("mod.rs").exists()).then_some(stem)
    };
    fs::read_dir(folder).unwrap().filter_map(|e| name(e.unwrap().path())).collect()
}

#[test]
fn every_source_file_is_declared_by_its_folder() {
    let mut parents = vec![root().join("src/lib.rs")];
    parents.extend(modules().iter().filter(|(f, _)| f.ends_with("mod.rs")).map(|(f, _)| root().join("src").join(f)));
    // test binaries of several files: a file without its line would never run
    let tests = fs::read_dir(root().join("tests")).unwrap().map(|e| e.unwrap().path().join("main.rs"));
    parents.extend(tests.filter(|p| p.exists()));
    for parent in parents {
        let forgotten = undeclared(&fs::read_to_string(&parent).unwrap(), &siblings(parent.parent().unwrap()));
        assert!(forgotten.is_empty(), "{} does not declare {forgotten:?}", parent.display());
    }
}

/// Whether a registry's `mod.rs` lists the kind of this file.
fn registers(registry: &str, module: &str) -> bool {
    code(registry).contains(&format!("&{module}::KIND"))
}

#[test]
fn every_kind_is_registered() {
    for area in ["loss", "gauge", "cone", "mapping", "extra"] {
        let folder = root().join("src").join(area);
        let registry = fs::read_to_string(folder.join("mod.rs")).unwrap();
        let mut kinds = 0;
        for module in siblings(&folder) {
            let path = folder.join(&module).with_extension("rs");
            if fs::read_to_string(path).is_ok_and(|text| code(&text).contains("pub const KIND:")) {
                assert!(registers(&registry, &module), "{area}/{module}.rs has a KIND that is not in KINDS");
                kinds += 1;
            }
        }
        assert!(kinds > 0, "no kind found in {area}");
    }
}

#[test]
fn a_file_without_its_line_is_caught() {
    let parent = "pub mod l1;\nmod l2;\n// mod lp;\n#[cfg(test)]\nmod tests {}\nconst KINDS: &[&Kind] = &[&l1::KIND];";
    let beside = ["l1", "l2", "lp", "tests"].map(String::from);
    assert_eq!(undeclared(parent, &beside), ["lp", "tests"]);
    assert!(registers(parent, "l1") && !registers(parent, "l2"));
}

/// Whether the code uses the keyword, in whatever position.
fn is_unsafe(text: &str) -> bool {
    let words = code(text);
    words.split(|c| !is_ident(c)).any(|word| word == "unsafe")
}

#[test]
fn nothing_is_unsafe() {
    for (file, text) in sources(&root().join("src")) {
        assert!(!is_unsafe(&text), "{} names `unsafe`", file.display());
    }
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    assert!(code(&lib).contains("#![forbid(unsafe_code)]"));
    assert!(is_unsafe("let x = unsafe { y };") && !is_unsafe("#![forbid(unsafe_code)] // unsafe"));
}
