//! One entry of `regularizer.factors`: norms, weight, cone.

use super::data;
use super::gauges;
use super::model::{ConeSpec, FactorSpec, GroupSource, NormSpec, NormWeight};
use super::tree::{Node, Reader, Value};
use crate::{cone, gauge};
use std::path::Path;

/// How other tools name squares of norms.
const SQUARES: &[&str] = &["squared", "square", "ridge", "tikhonov"];

/// Entry k; `mapping` is unknown where its own error has been reported.
pub fn read(t: &Reader, k: usize, node: &Node, mapping: Option<&str>, folder: &Path) -> Option<FactorSpec> {
    let path = t.path(&format!("factors[{k}]"));
    let Some(r) = t.enter(path.clone(), node) else {
        let found = format!("found {}", node.value.describe());
        t.report_at(path, &node.origin, found, Some("a table such as { norm = \"l2\" }".into()), None);
        return None;
    };
    let norms = norms(&r, folder);
    let cone = cone(&r, folder);
    let weight = weight(&r, folder);
    let origin = r.origin().clone();
    let factor = FactorSpec { norms: norms?, weight: weight?, cone: cone? };
    if let Err(refusal) = gauges::probe(mapping, &factor) {
        r.report_at(path, &origin, refusal, None, None);
        return None;
    }
    r.finish();
    Some(factor)
}

fn norms(r: &Reader, folder: &Path) -> Option<Vec<NormSpec>> {
    let names: Vec<&str> = gauge::KINDS.iter().map(|k| k.name).collect();
    match r.get("norm") {
        None => {
            r.missing("norm", &format!("one of: {}, or a list of them", names.join(", ")));
            None
        }
        Some(Node { value: Value::Array(items), origin }) => {
            refuse_keys(r, None);
            if items.is_empty() {
                r.report("norm", origin, "found an empty list".into(), Some("at least one norm".into()), None);
                return None;
            }
            let terms: Vec<Option<NormSpec>> =
                items.iter().enumerate().map(|(k, item)| term(r, k, item, folder)).collect();
            terms.into_iter().collect()
        }
        Some(node) => {
            refuse_square(r, node)?;
            let kind = r.name("norm", "norm", &names, &[])?;
            Some(vec![keys(r, kind, 1.0, folder)?])
        }
    }
}

/// A square is no norm: it has degree 2 whatever the mapping. `None` where that was reported.
fn refuse_square(r: &Reader, node: &Node) -> Option<()> {
    let Value::Text(name) = &node.value else { return Some(()) };
    if !SQUARES.iter().any(|s| name.split(['_', '-', ' ']).any(|part| part == *s)) {
        return Some(());
    }
    let found = format!("`{name}` has degree 2 on its own; a norm has degree 1, and g that of the mapping");
    let hint = "the nearest balanced spec has `norm = \"l2\"` and `form = \"sum\"`, which takes the K-th power of each of the \
                K gauges: of two factors that is the squared norm, of three the cube";
    r.report("norm", &node.origin, found, Some(super::BALANCED.into()), Some(hint.into()));
    None
}

/// `{ kind = "l1", weight = 0.3 }` of a list of norms.
fn term(r: &Reader, k: usize, node: &Node, folder: &Path) -> Option<NormSpec> {
    let names: Vec<&str> = gauge::KINDS.iter().map(|k| k.name).collect();
    let path = r.path(&format!("norm[{k}]"));
    let Some(t) = r.enter(path.clone(), node) else {
        let found = format!("found {}", node.value.describe());
        r.report_at(path, &node.origin, found, Some("a table such as { kind = \"l1\", weight = 0.3 }".into()), None);
        return None;
    };
    if t.get("kind").is_none() {
        t.missing("kind", &format!("one of: {}", names.join(", ")));
    }
    let kind = t.name("kind", "norm", &names, &[]);
    let weight = match t.number("weight") {
        None if t.get("weight").is_some() => None,
        None => Some(1.0),
        Some((w, _)) if gauge::WEIGHT_RANGE.contains(&w) => Some(w),
        Some((w, origin)) => {
            t.report("weight", origin, format!("found {w}"), Some("a number from 1e-75 to 1e75".into()), None);
            None
        }
    };
    let norm = keys(&t, kind?, weight?, folder);
    if norm.is_some() {
        t.finish();
    }
    norm
}

/// Refuses the keys of other norms than `kind`.
fn refuse_keys(r: &Reader, kind: Option<&str>) {
    let has = |k: &gauge::Kind, key: &str| k.keys.iter().chain(k.optional).any(|other| *other == key);
    let mut keys: Vec<&str> = gauge::KINDS.iter().flat_map(|k| k.keys.iter().chain(k.optional)).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let owners: Vec<&gauge::Kind> = gauge::KINDS.iter().copied().filter(|k| has(k, key)).collect();
        if owners.iter().all(|k| Some(k.name) != kind) {
            let names: Vec<String> = owners.iter().map(|k| format!("`{}`", k.name)).collect();
            r.foreign(&[(key, &format!("norm {}", names.join(", ")))]);
        }
    }
}

/// The keys of one norm.
fn keys(r: &Reader, kind: String, weight: f64, folder: &Path) -> Option<NormSpec> {
    refuse_keys(r, Some(&kind));
    let registered = gauge::KINDS.iter().find(|k| k.name == kind)?;
    let wanted = registered.keys;
    let mut out = NormSpec { kind, weight, p: None, groups: None, shape: None };
    if registered.optional.contains(&"shape")
        && let Some(node) = r.get("shape")
    {
        out.shape = Some(image(r, node)?);
    }
    if wanted.contains(&"p") {
        match r.number("p") {
            Some((p, _)) => out.p = Some(p),
            None if r.get("p").is_some() => return None,
            None => {
                r.missing("p", "1, 2, inf, or a number from 1.01 to 100");
                return None;
            }
        }
    }
    if wanted.contains(&"groups") {
        match r.get("groups") {
            Some(node) => out.groups = Some(groups(r, node, folder)?),
            None => {
                r.missing("groups", "a list of lists of 0-based indices, or a file with one label per coordinate");
                return None;
            }
        }
    }
    Some(out)
}

/// `shape = [rows, columns]`.
pub fn image(r: &Reader, node: &Node) -> Option<(usize, usize)> {
    let side = |n: &Node| match n.value {
        Value::Integer(i) => usize::try_from(i).ok().filter(|i| *i > 0),
        _ => None,
    };
    if let Value::Array(items) = &node.value
        && let [rows, cols] = items.as_slice()
        && let (Some(rows), Some(cols)) = (side(rows), side(cols))
    {
        return Some((rows, cols));
    }
    let expected = Some("rows and columns of an image, such as [8, 8]".into());
    r.report("shape", &node.origin, format!("found {}", node.value.describe()), expected, None);
    None
}

fn groups(r: &Reader, node: &Node, folder: &Path) -> Option<GroupSource> {
    let Value::Array(lists) = &node.value else {
        return data::source(r, "groups", node, folder).map(GroupSource::File);
    };
    let index = |n: &Node| match n.value {
        Value::Integer(i) => usize::try_from(i).ok(),
        _ => None,
    };
    let list = |n: &Node| match &n.value {
        Value::Array(items) => items.iter().map(index).collect::<Option<Vec<usize>>>(),
        _ => None,
    };
    let lists: Option<Vec<Vec<usize>>> = lists.iter().map(list).collect();
    if lists.is_none() {
        let expected = Some("a list of lists of 0-based indices, such as [[0, 1], [2, 3]]".into());
        r.report("groups", &node.origin, "found something else among the indices".into(), expected, None);
    }
    lists.map(GroupSource::Lists)
}

/// `None` where an error was reported.
fn cone(r: &Reader, folder: &Path) -> Option<Option<ConeSpec>> {
    let names: Vec<&str> = cone::KINDS.iter().map(|k| k.name).collect();
    let Some(node) = r.get("cone") else { return Some(None) };
    let table = r.enter(r.path("cone"), node);
    let kind = match &table {
        Some(t) => {
            if t.get("kind").is_none() {
                t.missing("kind", &format!("one of: {}", names.join(", ")));
            }
            t.name("kind", "cone", &names, &[])?
        }
        None => r.name("cone", "cone", &names, &[])?,
    };
    let wanted = cone::KINDS.iter().find(|k| k.name == kind)?.keys;
    let Some(t) = table else {
        if let Some(key) = wanted.first() {
            let expected = format!("a table: {{ kind = \"{kind}\", {key} = .. }}");
            r.report("cone", &node.origin, format!("cone `{kind}` needs `{key}`"), Some(expected), None);
            return None;
        }
        return Some(Some(ConeSpec { kind, matrix: None, nonzeros: None }));
    };
    for other in cone::KINDS.iter().filter(|k| k.name != kind) {
        let owner = format!("cone `{}`", other.name);
        other.keys.iter().filter(|k| !wanted.contains(k)).for_each(|key| t.foreign(&[(*key, owner.as_str())]));
    }
    let mut out = ConeSpec { kind, matrix: None, nonzeros: None };
    for key in wanted {
        if t.get(key).is_none() {
            t.missing(
                key,
                if *key == "path" { "a matrix with one condition a row" } else { "a whole number of at least 1" },
            );
            return None;
        }
    }
    if wanted.contains(&"path") {
        out.matrix = Some(data::file(&t, folder)?);
    }
    if wanted.contains(&"nonzeros") {
        out.nonzeros = Some(t.count("nonzeros", 1)? as usize);
    }
    t.finish();
    Some(Some(out))
}

fn weight(r: &Reader, folder: &Path) -> Option<NormWeight> {
    let Some(node) = r.get("weight") else { return Some(NormWeight::Uniform(1.0)) };
    let number = match node.value {
        Value::Integer(i) => i as f64,
        Value::Float(x) => x,
        _ => return data::source(r, "weight", node, folder).map(NormWeight::File),
    };
    if gauge::WEIGHT_RANGE.contains(&number) {
        return Some(NormWeight::Uniform(number));
    }
    r.report(
        "weight",
        &node.origin,
        format!("found {number}"),
        Some("a number from 1e-75 to 1e75, or a file".into()),
        None,
    );
    None
}
