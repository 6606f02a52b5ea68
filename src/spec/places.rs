//! Where the keys of a spec were written: for errors that only the data shows.

use super::error::Origin;
use super::tree::{Node, Value};

/// Every key of a spec with its place, and with its text where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    file: String,
    keys: Vec<(String, Origin, Option<String>)>,
}

impl Places {
    /// The keys of the spec read from `file`.
    pub fn of(root: &Node, file: &str) -> Self {
        let mut keys = Vec::new();
        collect(root, "", &mut keys);
        Self { file: file.into(), keys }
    }

    /// Where a key stands, such as `spec.toml:9` or `--set lambda`; the spec itself if it is not written.
    pub fn key(&self, key: &str) -> String {
        match self.keys.iter().find(|k| k.0 == key).map(|k| &k.1) {
            Some(Origin::Line(line)) => format!("{}:{line}", self.file),
            Some(Origin::Flag(flag)) => flag.clone(),
            None => self.file.clone(),
        }
    }

    /// The keys that name this file, or the key of this name, each with its place; empty if there is none.
    pub fn naming(&self, file: &str) -> String {
        let may_name = |key: &str| ["data.", "regularizer.", "extra["].iter().any(|t| key.starts_with(t));
        let names =
            |k: &&(String, Origin, Option<String>)| k.0 == file || may_name(&k.0) && k.2.as_deref() == Some(file);
        let shown = |k: &(String, Origin, Option<String>)| {
            format!("`{}` ({})", k.0.strip_suffix(".path").unwrap_or(&k.0), self.key(&k.0))
        };
        self.keys.iter().filter(names).map(shown).collect::<Vec<_>>().join(", ")
    }
}

fn collect(node: &Node, path: &str, keys: &mut Vec<(String, Origin, Option<String>)>) {
    let mut enter = |path: String, node: &Node| {
        let text = if let Value::Text(s) = &node.value { Some(s.clone()) } else { None };
        keys.push((path.clone(), node.origin.clone(), text));
        collect(node, &path, keys);
    };
    match &node.value {
        Value::Table(entries) => {
            let dot = if path.is_empty() { "" } else { "." };
            entries.iter().for_each(|(key, node)| enter(format!("{path}{dot}{key}"), node));
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(k, node)| enter(format!("{path}[{k}]"), node)),
        _ => {}
    }
}
