//! The spec as a tree in which every value knows its line, and the reader that checks it key by key.

use super::error::{Origin, SpecError, did_you_mean};
use crate::data::error::nearest;
use std::cell::RefCell;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where.
    pub origin: Origin,
}

/// A TOML value.
#[derive(Clone, Debug)]
pub enum Value {
    /// A string.
    Text(String),
    /// An integer.
    Integer(i64),
    /// A float.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// A date or time; no key takes one.
    Date(String),
    /// An array.
    Array(Vec<Node>),
    /// A table, in the order of the file.
    Table(Vec<(String, Node)>),
}

impl Value {
    /// The value in words, for "found ..".
    pub fn describe(&self) -> String {
        match self {
            Self::Text(s) => format!("the string `{s}`"),
            Self::Integer(i) => format!("the number {i}"),
            // 1.0 is not the whole number 1
            Self::Float(x) if is_whole(*x) => format!("the number {x:?}"),
            Self::Float(x) => format!("the number {x}"),
            Self::Bool(b) => format!("`{b}`"),
            Self::Date(d) => format!("the date `{d}`"),
            Self::Array(a) => format!("an array of {} values", a.len()),
            Self::Table(_) => "a table".into(),
        }
    }
}

/// Whether a float could be written without a point or exponent.
fn is_whole(x: f64) -> bool {
    x.fract() == 0.0 && x.abs() < 1e15
}

/// Where the lines of a text end, so that a place is found without reading all before it.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at).collect())
    }

    /// Line (from 1) of a byte offset.
    fn at(&self, offset: usize) -> Origin {
        Origin::Line(1 + self.0.partition_point(|end| *end < offset))
    }
}

/// Parses a document.
///
/// # Errors
/// The syntax error, with its line.
pub fn parse(text: &str) -> Result<Node, SpecError> {
    let lines = Lines::of(text);
    let syntax = |e: toml::de::Error| SpecError {
        origin: lines.at(e.span().map_or(0, |s| s.start)),
        key: String::new(),
        found: format!("not valid TOML: {}", e.message()),
        expected: None,
        hint: None,
    };
    let document = DeTable::parse(text).map_err(syntax)?;
    Ok(Node { value: table(document.get_ref(), &|at| lines.at(at)), origin: Origin::Line(1) })
}

/// Parses the value of an override: TOML, or else a bare string.
pub fn parse_value(text: &str, flag: &str) -> Node {
    let origin = Origin::Flag(flag.into());
    let value = DeValue::parse(text)
        .map_or_else(|_| Value::Text(text.into()), |v| convert(&v, &|_| Origin::Flag(flag.into())).value);
    Node { value, origin }
}

fn table(t: &DeTable, origin: &dyn Fn(usize) -> Origin) -> Value {
    let mut entries: Vec<(usize, String, Node)> =
        t.iter().map(|(k, v)| (k.span().start, k.get_ref().to_string(), convert(v, origin))).collect();
    entries.sort_by_key(|e| e.0);
    // a value's line is its key's: an inline table may span several
    let entries = entries.into_iter().map(|(at, k, v)| {
        let origin = if matches!(v.value, Value::Table(_)) { v.origin } else { origin(at) };
        (k, Node { value: v.value, origin })
    });
    Value::Table(entries.collect())
}

fn convert(v: &Spanned<DeValue>, origin: &dyn Fn(usize) -> Origin) -> Node {
    let value = match v.get_ref() {
        DeValue::String(s) => Value::Text(s.to_string()),
        DeValue::Integer(i) => {
            // beyond 64 bits it is still a number
            let wide = || i.as_str().parse().map_or_else(|_| Value::Date(i.as_str().into()), Value::Float);
            i64::from_str_radix(i.as_str(), i.radix()).map_or_else(|_| wide(), Value::Integer)
        }
        DeValue::Float(x) => x.as_str().parse().map_or_else(|_| Value::Date(x.as_str().into()), Value::Float),
        DeValue::Boolean(b) => Value::Bool(*b),
        DeValue::Datetime(d) => Value::Date(d.to_string()),
        DeValue::Array(a) => Value::Array(a.iter().map(|x| convert(x, origin)).collect()),
        DeValue::Table(t) => table(t, origin),
    };
    Node { value, origin: origin(v.span().start) }
}

/// Names of a dotted path at most: no key of a spec lies this deep.
const DEEPEST: usize = 16;

/// Sets `path` (dotted, with `[k]` for array elements) in the tree.
///
/// # Errors
/// A sentence if the path runs through something that is not a table or array, or is malformed.
pub fn set(root: &mut Node, path: &str, value: Node) -> Result<(), String> {
    let mut at = root;
    let steps: Vec<&str> = path.split('.').collect();
    if steps.len() > DEEPEST {
        return Err(format!("a key of {} names, where no spec has more than {DEEPEST}", steps.len()));
    }
    for (k, step) in steps.iter().enumerate() {
        let (name, index) = match step.split_once('[') {
            None => (*step, None),
            Some((name, rest)) => {
                let index = rest.strip_suffix(']').and_then(|i| i.parse::<usize>().ok());
                (name, Some(index.ok_or_else(|| format!("`{step}` is not a key or key[index]"))?))
            }
        };
        if name.is_empty() {
            return Err(format!("`{path}` has an empty key"));
        }
        let Value::Table(entries) = &mut at.value else {
            return Err(format!("`{}` is not a table", steps[..k].join(".")));
        };
        let position = entries.iter().position(|e| e.0 == name).unwrap_or_else(|| {
            entries.push((name.to_string(), Node { value: Value::Table(Vec::new()), origin: value.origin.clone() }));
            entries.len() - 1
        });
        at = &mut entries[position].1;
        if let Some(index) = index {
            let Value::Array(items) = &mut at.value else {
                return Err(format!("`{name}` is not an array"));
            };
            let length = items.len();
            at = items
                .get_mut(index)
                .ok_or_else(|| format!("`{name}` has no element {index}: it has {length}, counted from 0"))?;
        }
    }
    *at = value;
    Ok(())
}

/// Reads one table key by key; what is wrong is collected, not returned.
pub struct Reader<'a> {
    path: String,
    origin: Origin,
    entries: &'a [(String, Node)],
    known: RefCell<Vec<&'static str>>,
    errors: &'a RefCell<Vec<SpecError>>,
}

impl<'a> Reader<'a> {
    /// The root table.
    pub fn root(node: &'a Node, errors: &'a RefCell<Vec<SpecError>>) -> Self {
        let entries = if let Value::Table(t) = &node.value { t.as_slice() } else { &[] };
        Self { path: String::new(), origin: node.origin.clone(), entries, known: RefCell::default(), errors }
    }

    /// Where this table stands.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The dotted path of a key of this table.
    pub fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.into() } else { format!("{}.{key}", self.path) }
    }

    /// Reports an error at a key.
    pub fn report(&self, key: &str, origin: &Origin, found: String, expected: Option<String>, hint: Option<String>) {
        self.report_at(self.path(key), origin, found, expected, hint);
    }

    /// Reports an error at a full path.
    pub fn report_at(
        &self,
        key: String,
        origin: &Origin,
        found: String,
        expected: Option<String>,
        hint: Option<String>,
    ) {
        // what is no TOML on the command line is a string
        let looks_like_toml = ["the string `[", "the string `{", "the string `\""].iter().any(|s| found.contains(s));
        let quotes =
            || "it is not valid TOML: are there quotes around the strings in it, such as '[{ norm = \"l2\" }]'?";
        let hint = hint.or_else(|| (looks_like_toml && matches!(origin, Origin::Flag(_))).then(|| quotes().into()));
        self.errors.borrow_mut().push(SpecError { origin: origin.clone(), key, found, expected, hint });
    }

    /// The node of a key, which becomes a known one.
    pub fn get(&self, key: &'static str) -> Option<&'a Node> {
        self.known.borrow_mut().push(key);
        self.entries.iter().find(|e| e.0 == key).map(|e| &e.1)
    }

    fn wrong_type(&self, key: &str, node: &Node, expected: &str) {
        self.report(key, &node.origin, format!("found {}", node.value.describe()), Some(expected.into()), None);
    }

    /// A string.
    pub fn text(&self, key: &'static str) -> Option<(&'a str, &'a Origin)> {
        let node = self.get(key)?;
        if let Value::Text(s) = &node.value {
            return Some((s, &node.origin));
        }
        self.wrong_type(key, node, "a string");
        None
    }

    /// A number, integer or float.
    pub fn number(&self, key: &'static str) -> Option<(f64, &'a Origin)> {
        let node = self.get(key)?;
        match node.value {
            Value::Integer(i) => return Some((i as f64, &node.origin)),
            Value::Float(x) => return Some((x, &node.origin)),
            _ => self.wrong_type(key, node, "a number"),
        }
        None
    }

    /// A whole number of at least `least`.
    pub fn count(&self, key: &'static str, least: u64) -> Option<u64> {
        self.count_up_to(key, least, u64::MAX)
    }

    /// The same with a largest value.
    pub fn count_up_to(&self, key: &'static str, least: u64, most: u64) -> Option<u64> {
        let node = self.get(key)?;
        let expected = match most {
            u64::MAX => format!("a whole number of at least {least}"),
            _ => format!("a whole number from {least} to {most}"),
        };
        match node.value {
            Value::Integer(i) if i >= 0 && (least..=most).contains(&(i as u64)) => return Some(i as u64),
            Value::Float(x) if is_whole(x) => {
                let found = format!("found {}, which is not written as a whole number", node.value.describe());
                let hint = Some(format!("write it without a point or exponent: {x}"));
                self.report(key, &node.origin, found, Some(expected), hint);
            }
            _ => self.wrong_type(key, node, &expected),
        }
        None
    }

    /// A boolean.
    pub fn boolean(&self, key: &'static str) -> Option<(bool, &'a Origin)> {
        let node = self.get(key)?;
        if let Value::Bool(b) = node.value {
            return Some((b, &node.origin));
        }
        self.wrong_type(key, node, "true or false");
        None
    }

    /// A duration: a number of seconds, or text such as `60s`, `500ms`, `1h30m`.
    pub fn duration(&self, key: &'static str) -> Option<std::time::Duration> {
        let node = self.get(key)?;
        let seconds = match &node.value {
            Value::Integer(i) => Some(*i as f64),
            Value::Float(x) => Some(*x),
            Value::Text(s) => parse_seconds(s),
            _ => None,
        };
        let duration = seconds.filter(|s| *s > 0.0).and_then(|s| std::time::Duration::try_from_secs_f64(s).ok());
        if duration.is_none() {
            self.wrong_type(
                key,
                node,
                "a positive duration such as \"60s\", \"500ms\", \"1h30m\" or a number of seconds",
            );
        }
        duration
    }

    /// A subtable.
    pub fn table(&self, key: &'static str) -> Option<Reader<'a>> {
        let node = self.get(key)?;
        let reader = self.enter(self.path(key), node);
        if reader.is_none() {
            self.wrong_type(key, node, "a table");
        }
        reader
    }

    /// A reader of a table node found elsewhere.
    pub fn enter(&self, path: String, node: &'a Node) -> Option<Reader<'a>> {
        let Value::Table(entries) = &node.value else { return None };
        Some(Reader { path, origin: node.origin.clone(), entries, known: RefCell::default(), errors: self.errors })
    }

    /// Refuses keys whose turn has not come.
    pub fn later(&self, keys: &[&'static str]) {
        for key in keys {
            if let Some(node) = self.get(key) {
                self.report(key, &node.origin, format!("`{key}` is not available in this version"), None, None);
            }
        }
    }

    /// Refuses keys that belong to another kind.
    pub fn foreign(&self, keys: &[(&'static str, &str)]) {
        for (key, owner) in keys {
            if let Some(node) = self.get(key) {
                self.report(key, &node.origin, format!("`{key}` belongs to {owner}"), None, None);
            }
        }
    }

    /// Reports a missing key.
    pub fn missing(&self, key: &str, expected: &str) {
        // one that is here by a name much like it
        let unknown = self.entries.iter().map(|e| e.0.as_str()).filter(|k| !self.known.borrow().contains(k));
        let hint = nearest(key, unknown).map(|k| format!("`{k}` is no key here: is it meant?"));
        self.report(key, &self.origin.clone(), format!("missing key `{key}`"), Some(expected.into()), hint);
    }

    /// A name out of a registry; unknown ones are reported with the nearest, planned ones by name.
    pub fn name(&self, key: &'static str, what: &str, known: &[&str], planned: &[&str]) -> Option<String> {
        let (name, origin) = self.text(key)?;
        self.check_name(self.path(key), what, name, origin, known, planned)
    }

    /// The same for a name at hand.
    pub fn check_name(
        &self,
        path: String,
        what: &str,
        name: &str,
        origin: &Origin,
        known: &[&str],
        planned: &[&str],
    ) -> Option<String> {
        if known.contains(&name) {
            return Some(name.into());
        }
        let expected = Some(format!("one of: {}", known.join(", ")));
        if planned.contains(&name) {
            self.report_at(path, origin, format!("{what} `{name}` is not available in this version"), expected, None);
        } else {
            let hint = did_you_mean(name, known.iter().chain(planned).copied());
            self.report_at(path, origin, format!("unknown {what} `{name}`"), expected, hint);
        }
        None
    }

    /// Reports every key that nobody asked for: the last thing done with a table.
    pub fn finish(self) {
        self.unknown_keys();
    }

    /// Reports every key that nobody asked for.
    pub fn unknown_keys(&self) {
        let known = self.known.borrow();
        for (key, node) in self.entries.iter().filter(|e| !known.contains(&e.0.as_str())) {
            let mut names = known.clone();
            names.sort_unstable();
            names.dedup();
            let expected = Some(format!("one of: {}", names.join(", ")));
            let hint = did_you_mean(key, names.iter().copied());
            self.report(key, &node.origin, format!("unknown key `{key}`"), expected, hint);
        }
    }
}

/// Seconds in text such as `90`, `60s`, `500ms`, `1h30m`.
fn parse_seconds(text: &str) -> Option<f64> {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        return Some(seconds);
    }
    let mut rest = text.trim();
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount: f64 = rest[..digits].parse().ok()?;
        let unit = &rest[digits..];
        let length = unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len());
        total += amount
            * match unit[..length].trim() {
                "ms" => 1e-3,
                "s" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                "d" => 86400.0,
                _ => return None,
            };
        rest = &unit[length..];
    }
    Some(total)
}

/// Seconds of a `--time-limit`.
pub fn seconds(text: &str) -> Option<std::time::Duration> {
    parse_seconds(text).filter(|s| *s > 0.0).and_then(|s| std::time::Duration::try_from_secs_f64(s).ok())
}
