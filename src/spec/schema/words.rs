//! The words that a JSON Schema of TOML tables is written in.

use serde_json::{Map, Value, json};

/// A key of a table.
pub(super) struct Key {
    name: &'static str,
    required: bool,
    schema: Value,
    /// Where the table has a kind: those that have the key.
    owners: Option<Vec<&'static str>>,
}

/// A key that may be left out.
pub(super) fn optional(name: &'static str, schema: Value) -> Key {
    Key { name, required: false, schema, owners: None }
}

/// A key that may not.
pub(super) fn required(name: &'static str, schema: Value) -> Key {
    Key { name, required: true, schema, owners: None }
}

/// A key that goes with some values of the table's kind only.
pub(super) fn of(owners: Vec<&'static str>, key: Key) -> Key {
    Key { owners: Some(owners), ..key }
}

/// A table of exactly these keys; `kind` names the one that decides which of those with owners go with it.
pub(super) fn table_of(kind: &str, keys: Vec<Key>, says: &str) -> Value {
    let all: Vec<&str> = keys.iter().filter(|k| k.required && k.owners.is_none()).map(|k| k.name).collect();
    // one condition for all keys that go with the same kinds
    let mut owners: Vec<&Vec<&str>> = keys.iter().filter_map(|k| k.owners.as_ref()).collect();
    owners.dedup();
    let condition = |owners: &Vec<&str>| {
        let own = || keys.iter().filter(|k| k.owners.as_ref() == Some(owners));
        let wanted: Vec<&str> = own().filter(|k| k.required).map(|k| k.name).collect();
        let refused: Map<String, Value> = own().map(|k| (k.name.to_string(), false.into())).collect();
        json!({
            "if": { "properties": { kind: { "enum": owners } }, "required": [kind] },
            "then": { "required": wanted },
            "else": { "properties": refused },
        })
    };
    let conditions: Vec<Value> = owners.into_iter().map(condition).collect();
    let mut out = json!({ "type": "object", "additionalProperties": false, "description": says });
    if !all.is_empty() {
        out["required"] = json!(all);
    }
    if !conditions.is_empty() {
        out["allOf"] = Value::Array(conditions);
    }
    out["properties"] = keys.into_iter().map(|k| (k.name.to_string(), k.schema)).collect::<Map<_, _>>().into();
    out
}

pub(super) fn table(keys: Vec<Key>, says: &str) -> Value {
    table_of("", keys, says)
}

/// The schema with a sentence beside it.
pub(super) fn said(mut schema: Value, says: &str) -> Value {
    schema["description"] = says.into();
    schema
}

/// One of some names, each with what it is.
pub(super) fn one_of(names: &[(&'static str, &'static str)], says: &str) -> Value {
    let list: Vec<String> = names.iter().map(|(name, what)| format!("\n- {name}: {what}")).collect();
    json!({ "enum": names.iter().map(|n| n.0).collect::<Vec<_>>(), "description": format!("{says}{}", list.concat()) })
}

/// One of some names.
pub(super) fn names(names: &[&str], says: &str) -> Value {
    json!({ "enum": names, "description": says })
}

pub(super) fn text(says: &str) -> Value {
    json!({ "type": "string", "description": says })
}

pub(super) fn flag(says: &str) -> Value {
    json!({ "type": "boolean", "description": says })
}

pub(super) fn positive(says: &str) -> Value {
    json!({ "type": "number", "exclusiveMinimum": 0, "description": says })
}

/// Between 0 and 1, neither of them.
pub(super) fn fraction(says: &str) -> Value {
    json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "description": says })
}

pub(super) fn whole(least: u64, says: &str) -> Value {
    json!({ "type": "integer", "minimum": least, "description": says })
}

pub(super) fn duration(says: &str) -> Value {
    let unit = r"[0-9.]+ *(ms|s|m|min|h|d)";
    json!({
        "anyOf": [
            { "type": "number", "exclusiveMinimum": 0 },
            { "type": "string", "pattern": format!("^ *([0-9.]+|({unit} *)+)$") },
        ],
        "description": format!("{says}: such as \"60s\", \"500ms\", \"1h30m\", or seconds"),
    })
}

pub(super) fn either(schemas: Vec<Value>, says: &str) -> Value {
    json!({ "anyOf": schemas, "description": says })
}

/// A definition that several places share.
pub(super) fn shared(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}
