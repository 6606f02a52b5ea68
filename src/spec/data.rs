//! The `[data]` table.

use super::error::Origin;
use super::tree::{Node, Reader, Value};
use crate::data::dataset::{DataRequest, HoldoutRequest, InputSource, OperatorSource, Transform, WeightSource};
use crate::data::source::{Absent, Column, Format};
use crate::data::{Source, TargetKind};
use std::collections::HashSet;
use std::path::Path;

/// Transforms that have a name.
pub(super) const TRANSFORMS: [&str; 5] = ["none", "center", "scale", "standardize", "log1p"];

/// Reads `[data]`; paths are relative to `folder`.
pub fn read(root: &Reader, folder: &Path, seed: u64) -> Option<DataRequest> {
    let Some(t) = root.table("data") else {
        if root.get("data").is_none() {
            root.missing("data", "a table with `target`");
        }
        return None;
    };
    let target = match t.get("target") {
        Some(node) => source(&t, "target", node, folder),
        None => {
            t.missing("target", "a path, or a table such as { path = \"Y.csv\" }");
            None
        }
    };
    let mask = t.get("mask").and_then(|n| source(&t, "mask", n, folder));
    let weights = t.get("weights").and_then(|n| weights(&t, n, folder));
    let transform = t.get("transform").map_or(Transform::None, |n| transform(&t, n));
    let holdout = t.get("holdout").and_then(|n| holdout(&t, n, folder));
    let operator = t.get("operator").and_then(|n| operator(&t, n, folder));
    let input = t.get("input").and_then(|n| input(&t, n, folder));
    t.finish();
    Some(DataRequest {
        target: target?,
        operator,
        input,
        mask,
        weights,
        transform,
        holdout,
        seed,
        kind: TargetKind::Real,
        symmetric: None,
        any_order: false,
    })
}

/// A path, or a table that describes a file.
pub fn source(parent: &Reader, key: &'static str, node: &Node, folder: &Path) -> Option<Source> {
    match &node.value {
        Value::Text(path) => Some(plain(path, folder)),
        Value::Table(_) => {
            let t = parent.enter(parent.path(key), node)?;
            let s = read_source(&t, folder);
            t.finish();
            s
        }
        other => {
            let found = format!("found {}", other.describe());
            parent.report(key, &node.origin, found, Some("a path or a table with `path`".into()), None);
            None
        }
    }
}

/// A file whose keys stand in a table among others.
pub fn file(t: &Reader, folder: &Path) -> Option<Source> {
    read_source(t, folder)
}

fn plain(path: &str, folder: &Path) -> Source {
    Source::plain(folder.join(path), path.into())
}

/// The keys of a file's table.
fn read_source(t: &Reader, folder: &Path) -> Option<Source> {
    let path = t.text("path").map(|p| p.0);
    if t.get("path").is_none() {
        t.missing("path", "the path of a file, relative to the spec's folder");
    }
    let format = t
        .name("format", "format", &Format::ALL.map(Format::name), &[])
        .and_then(|name| Format::ALL.into_iter().find(|f| f.name() == name));
    let delimiter = t.text("delimiter").and_then(|(d, origin)| match d {
        "tab" => Some(b'\t'),
        d if d.len() == 1 => Some(d.as_bytes()[0]),
        d => {
            t.report("delimiter", origin, format!("found `{d}`"), Some("one ASCII character, or \"tab\"".into()), None);
            None
        }
    });
    let absent = t
        .name("absent", "meaning of absent entries", &Absent::ALL.map(Absent::name), &[])
        .and_then(|name| Absent::ALL.into_iter().find(|a| a.name() == name));
    let mut s = plain(path.unwrap_or(""), folder);
    s.format = format;
    s.header = t.boolean("header").map(|h| h.0);
    s.delimiter = delimiter;
    s.key = t.text("key").map(|k| k.0.to_string());
    s.columns = t.get("columns").and_then(|n| columns(t, n));
    s.shape = t.get("shape").and_then(|n| shape(t, n));
    s.index_base = t.count("index_base", 0).and_then(|b| {
        if b > 1 {
            let origin = t.get("index_base").map_or(t.origin().clone(), |n| n.origin.clone());
            t.report("index_base", &origin, format!("found {b}"), Some("0 or 1".into()), None);
        }
        (b <= 1).then_some(b as usize)
    });
    s.absent = absent.unwrap_or_default();
    refuse_idle_keys(t, &s);
    path.map(|_| s)
}

/// A key that means nothing to the file's format is an error, not a wish ignored.
fn refuse_idle_keys(t: &Reader, s: &Source) {
    let Some(format) = s.format.or_else(|| Format::of_extension(&s.path)) else { return };
    let text = [Format::Csv, Format::Triplets];
    let coordinates = [Format::Triplets, Format::MatrixMarket, Format::Tns];
    let tables = [Format::Csv, Format::Npy, Format::Npz];
    let owners: [(&'static str, &[Format]); 6] = [
        ("header", &text),
        ("delimiter", &text),
        ("key", &[Format::Npz]),
        ("columns", &tables),
        ("index_base", &coordinates),
        ("absent", &coordinates),
    ];
    for (key, formats) in owners.iter().filter(|(_, formats)| !formats.contains(&format)) {
        if let Some(node) = t.get(key) {
            let names: Vec<&str> = formats.iter().map(|f| f.name()).collect();
            let found = format!("`{key}` says nothing about format `{}`", format.name());
            t.report(key, &node.origin, found, Some(format!("it with format {}", names.join(", "))), None);
        }
    }
}

fn columns(t: &Reader, node: &Node) -> Option<Vec<Column>> {
    let expected = || Some("a list of names or of numbers from 1".to_string());
    let Value::Array(items) = &node.value else {
        t.report("columns", &node.origin, format!("found {}", node.value.describe()), expected(), None);
        return None;
    };
    let columns: Vec<Column> = items
        .iter()
        .map(|i| match &i.value {
            Value::Text(name) => Some(Column::Name(name.clone())),
            Value::Integer(k) if *k >= 1 => Some(Column::Number(*k as usize)),
            other => {
                t.report("columns", &i.origin, format!("found {}", other.describe()), expected(), None);
                None
            }
        })
        .collect::<Option<_>>()?;
    let mut seen = HashSet::new();
    if let Some(k) = columns.iter().position(|c| !seen.insert(c)) {
        let found = format!("found {} twice", items[k].value.describe());
        t.report("columns", &items[k].origin, found, Some("each column once".into()), None);
        return None;
    }
    Some(columns)
}

fn operator(t: &Reader, node: &Node, folder: &Path) -> Option<OperatorSource> {
    let Value::Table(_) = &node.value else {
        return source(t, "operator", node, folder).map(|source| OperatorSource { source, dims: None });
    };
    let o = t.enter(t.path("operator"), node)?;
    let source = read_source(&o, folder);
    let dims = o.get("dims").and_then(|n| sizes(&o, "dims", n, 2..=2));
    o.finish();
    Some(OperatorSource { source: source?, dims: dims.map(|d| (d[0], d[1])) })
}

fn input(t: &Reader, node: &Node, folder: &Path) -> Option<InputSource> {
    let Value::Table(_) = &node.value else {
        return source(t, "input", node, folder).map(|source| InputSource { source, bias: false, standardize: false });
    };
    let i = t.enter(t.path("input"), node)?;
    let source = read_source(&i, folder);
    let flag = |key: &'static str| i.boolean(key).is_some_and(|b| b.0);
    let (bias, standardize) = (flag("bias"), flag("standardize"));
    i.finish();
    Some(InputSource { source: source?, bias, standardize })
}

fn shape(t: &Reader, node: &Node) -> Option<Vec<usize>> {
    sizes(t, "shape", node, 2..=32)
}

/// So many positive whole numbers.
fn sizes(t: &Reader, key: &str, node: &Node, count: std::ops::RangeInclusive<usize>) -> Option<Vec<usize>> {
    let sizes = match &node.value {
        Value::Array(items) if count.contains(&items.len()) => items
            .iter()
            .map(|i| if let Value::Integer(d) = i.value { usize::try_from(d).ok().filter(|d| *d > 0) } else { None })
            .collect::<Option<Vec<usize>>>(),
        _ => None,
    };
    if sizes.is_none() {
        let many = if *count.end() > 2 { "two or more" } else { "two" };
        let expected = Some(format!("{many} positive whole numbers, such as [943, 1682]"));
        t.report(key, &node.origin, format!("found {}", node.value.describe()), expected, None);
    }
    sizes
}

fn weights(t: &Reader, node: &Node, folder: &Path) -> Option<WeightSource> {
    let Value::Table(_) = &node.value else {
        return source(t, "weights", node, folder).map(|source| WeightSource { source, axis: None });
    };
    let w = t.enter(t.path("weights"), node)?;
    let source = read_source(&w, folder);
    let axis = w.count("axis", 1).and_then(|a| {
        if a > 2 {
            let origin = w.get("axis").map_or(w.origin().clone(), |n| n.origin.clone());
            w.report(
                "axis",
                &origin,
                format!("found {a}"),
                Some("1 (one weight per row) or 2 (per column)".into()),
                None,
            );
        }
        (a <= 2).then_some(a as usize)
    });
    w.finish();
    Some(WeightSource { source: source?, axis })
}

fn transform(t: &Reader, node: &Node) -> Transform {
    match &node.value {
        Value::Text(name) => {
            match t.check_name(t.path("transform"), "transform", name, &node.origin, &TRANSFORMS, &[]).as_deref() {
                Some("center") => Transform::Center,
                Some("scale") => Transform::Scale,
                Some("standardize") => Transform::Standardize,
                Some("log1p") => Transform::Log1p,
                _ => Transform::None,
            }
        }
        Value::Table(_) => {
            let Some(r) = t.enter(t.path("transform"), node) else { return Transform::None };
            let c = r.number("subtract").filter(|c| finite(&r, "subtract", *c));
            if r.get("subtract").is_none() {
                r.missing("subtract", "a number");
            }
            r.finish();
            c.map_or(Transform::None, |c| Transform::Subtract(c.0))
        }
        other => {
            let expected = format!("one of: {}, or {{ subtract = c }}", TRANSFORMS.join(", "));
            t.report("transform", &node.origin, format!("found {}", other.describe()), Some(expected), None);
            Transform::None
        }
    }
}

fn finite(r: &Reader, key: &str, (x, origin): (f64, &Origin)) -> bool {
    if !x.is_finite() {
        r.report(key, origin, format!("found {x}"), Some("a finite number".into()), None);
    }
    x.is_finite()
}

fn holdout(t: &Reader, node: &Node, folder: &Path) -> Option<HoldoutRequest> {
    let fraction = match node.value {
        Value::Float(x) => x,
        Value::Integer(i) => i as f64,
        _ => return source(t, "holdout", node, folder).map(HoldoutRequest::Mask),
    };
    if fraction > 0.0 && fraction < 1.0 {
        return Some(HoldoutRequest::Fraction(fraction));
    }
    let expected = Some("a fraction between 0 and 1, or a table with `path`".into());
    t.report("holdout", &node.origin, format!("found {fraction}"), expected, None);
    None
}
