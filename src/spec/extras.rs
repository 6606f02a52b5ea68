//! The `[[extra]]` tables.

use super::data;
use super::model::ExtraSpec;
use super::tree::{Node, Reader, Value};
use crate::data::TargetKind;
use crate::extra::{self, Axis, Penalty, penalty};
use crate::loss;
use std::collections::HashSet;
use std::path::Path;

/// Reads `[[extra]]`; `loss` is unknown where its own error has been reported. `arrays`: the data decides how many axes there are.
pub fn read(root: &Reader, loss: Option<&str>, arrays: bool, folder: &Path) -> Option<Vec<ExtraSpec>> {
    let Some(node) = root.get("extra") else { return Some(Vec::new()) };
    let Value::Array(items) = &node.value else {
        let expected = Some("tables `[[extra]]` with `kind`".into());
        root.report("extra", &node.origin, format!("found {}", node.value.describe()), expected, None);
        return None;
    };
    let read: Vec<Option<ExtraSpec>> =
        items.iter().enumerate().map(|(k, item)| block(root, k, item, loss, arrays, folder)).collect();
    let read: Vec<ExtraSpec> = read.into_iter().collect::<Option<_>>()?;
    let mut seen = HashSet::new();
    for (k, b) in read.iter().enumerate() {
        if !seen.insert(format!("{:?}", (&b.kind, b.axis, &b.side))) {
            let found = format!("`{}` with the same `axis` is there already", b.kind);
            root.report_at(format!("extra[{k}]"), &items[k].origin, found, None, None);
            return None;
        }
    }
    Some(read)
}

fn block(root: &Reader, k: usize, node: &Node, loss: Option<&str>, arrays: bool, folder: &Path) -> Option<ExtraSpec> {
    let path = format!("extra[{k}]");
    let Some(t) = root.enter(path.clone(), node) else {
        let found = format!("found {}", node.value.describe());
        root.report_at(path, &node.origin, found, Some("a table with `kind`".into()), None);
        return None;
    };
    let known: Vec<&str> = extra::KINDS.iter().map(|k| k.name).collect();
    let name = t.name("kind", "extra", &known, &[]);
    if t.get("kind").is_none() {
        t.missing("kind", &format!("one of: {}", known.join(", ")));
    }
    let kind = extra::kind(&name?)?;
    let axis = axis(&t, kind, arrays);
    let side = match t.get("side") {
        None if kind.side => {
            t.missing("side", "a file with a row per index of `axis`");
            None
        }
        None => Some(None),
        Some(node) if !kind.side => {
            t.report("side", &node.origin, "`side` belongs to extra `covariates`".into(), None, None);
            None
        }
        Some(node) => data::source(&t, "side", node, folder).map(Some),
    };
    let penalty = penalty(&t, kind);
    let origin = t.origin().clone();
    t.finish();
    let classes = loss.and_then(loss::kind).is_some_and(|l| l.targets == TargetKind::Classes);
    if kind.name == extra::outliers::KIND.name && classes {
        let found = format!("outliers need a loss that is a sum over entries, `{}` is not", loss.unwrap_or(""));
        root.report_at(path, &origin, found, None, None);
        return None;
    }
    Some(ExtraSpec { kind: kind.name.into(), axis: axis?, side: side?, penalty: penalty? })
}

/// `Some(None)` for `"global"` and where the kind has no axis.
fn axis(t: &Reader, kind: &extra::Kind, arrays: bool) -> Option<Option<usize>> {
    let expected = match kind.axis {
        Axis::None => {
            let Some(node) = t.get("axis") else { return Some(None) };
            t.report("axis", &node.origin, format!("extra `{}` has no axis", kind.name), None, None);
            return None;
        }
        Axis::One if arrays => "the number of an index of the target, from 1",
        Axis::OneOrGlobal if arrays => "the number of an index of the target, from 1, or \"global\"",
        Axis::One => "1 (rows) or 2 (columns)",
        Axis::OneOrGlobal => "1 (rows), 2 (columns) or \"global\"",
    };
    let Some(node) = t.get("axis") else {
        t.missing("axis", expected);
        return None;
    };
    match &node.value {
        Value::Integer(a) if (1..=if arrays { i64::from(u8::MAX) } else { 2 }).contains(a) => {
            Some(Some(*a as usize - 1))
        }
        Value::Text(s) if s == "global" && kind.axis == Axis::OneOrGlobal => Some(None),
        other => {
            t.report("axis", &node.origin, format!("found {}", other.describe()), Some(expected.into()), None);
            None
        }
    }
}

/// A name, or a table with `norm` and `weight`.
fn penalty(t: &Reader, kind: &extra::Kind) -> Option<Penalty> {
    let names: Vec<&str> = penalty::NAMES.iter().map(|n| n.0).filter(|n| kind.free || *n != "none").collect();
    let Some(node) = t.get("penalty") else {
        if !kind.free {
            t.missing("penalty", "such as { norm = \"l1\", weight = 0.3 }: free, it would fit every entry");
            return None;
        }
        return Some(Penalty::None);
    };
    if let Value::Text(name) = &node.value {
        if name == "none" && !kind.free {
            let found = format!("found `none`: free, {} would fit every entry", kind.name);
            let expected = Some("a penalty such as { norm = \"l1\", weight = 0.3 }".into());
            t.report("penalty", &node.origin, found, expected, None);
            return None;
        }
        let plain: Vec<&str> = penalty::NAMES.iter().filter(|n| !n.1 && names.contains(&n.0)).map(|n| n.0).collect();
        let name = t.check_name(t.path("penalty"), "penalty without a weight", name, &node.origin, &plain, &[])?;
        return Penalty::new(&name, 0.0);
    }
    let Some(r) = t.enter(t.path("penalty"), node) else {
        let expected = Some("a name, or a table such as { norm = \"l1\", weight = 0.3 }".into());
        t.report("penalty", &node.origin, format!("found {}", node.value.describe()), expected, None);
        return None;
    };
    let name = r.name("norm", "penalty", &names, &[]);
    if r.get("norm").is_none() {
        r.missing("norm", &format!("one of: {}", names.join(", ")));
    }
    let weighted = penalty::NAMES.iter().find(|n| Some(n.0) == name.as_deref())?.1;
    let weight = match (r.get("weight"), weighted) {
        (None, true) => {
            r.missing("weight", "a number > 0");
            None
        }
        (None, false) => Some(0.0),
        (Some(node), false) => {
            let found = format!("penalty `{}` has no weight", name.as_deref().unwrap_or(""));
            r.report("weight", &node.origin, found, None, None);
            None
        }
        (Some(_), true) => r.number("weight").and_then(|(w, origin)| {
            let fine = (1e-75..=1e75).contains(&w);
            if !fine {
                r.report("weight", origin, format!("found {w}"), Some("a number from 1e-75 to 1e75".into()), None);
            }
            fine.then_some(w)
        }),
    };
    r.finish();
    Penalty::new(&name?, weight?)
}
