//! The layers of a network, `[mapping]`: `widths`, `activation`, `slope`, `pool`.

use super::tree::{Node, Reader, Value};
use crate::mapping::{Activation, Count, Layers, kind, linear_net, relu_deep};

/// Widest layer, and most hidden layers: a slice has to fit the memory.
pub(super) const WIDEST: u64 = 65_536;
/// Most hidden layers.
pub(super) const DEEPEST: usize = 32;
/// Largest slope of `leaky_relu` either way.
pub(super) const STEEPEST: f64 = 10.0;

const KEYS: [&str; 4] = ["widths", "activation", "slope", "pool"];

/// `None` where an error was reported; `Some(None)` for mappings without layers.
pub fn read(t: &Reader, mapping: &str) -> Option<Option<Layers>> {
    if kind(mapping)?.factors != Count::Layers {
        let owner = format!("mapping `{}`", relu_deep::KIND.name);
        KEYS.iter().for_each(|key| t.foreign(&[(*key, owner.as_str())]));
        return KEYS.iter().all(|key| t.get(key).is_none()).then_some(None);
    }
    let widths = widths(t);
    let activation = if mapping == linear_net::KIND.name { linear(t) } else { activation(t) };
    let pool = pool(t, widths.as_deref());
    Some(Some(Layers { widths: widths?, activation: activation?, pool: pool? }))
}

fn whole(node: &Node, most: u64) -> Option<usize> {
    match node.value {
        Value::Integer(i) => u64::try_from(i).ok().filter(|i| (1..=most).contains(i)).map(|i| i as usize),
        _ => None,
    }
}

fn widths(t: &Reader) -> Option<Vec<usize>> {
    const EXPECTED: &str = "the numbers of hidden units, layer by layer, such as [8, 4]";
    let Some(node) = t.get("widths") else {
        t.missing("widths", EXPECTED);
        return None;
    };
    let widths = match &node.value {
        Value::Array(items) if (1..=DEEPEST).contains(&items.len()) => {
            items.iter().map(|n| whole(n, WIDEST)).collect::<Option<Vec<_>>>()
        }
        _ => None,
    };
    if widths.is_none() {
        let expected = format!("{EXPECTED}: 1 to {DEEPEST} of them, each from 1 to {WIDEST}");
        let found = match &node.value {
            Value::Array(items) if items.is_empty() => "found no layer".into(),
            Value::Array(items) if items.len() > DEEPEST => format!("found {} layers", items.len()),
            Value::Array(items) => items
                .iter()
                .find(|n| whole(n, WIDEST).is_none())
                .map_or_else(String::new, |n| format!("found {}", n.value.describe())),
            other => format!("found {}", other.describe()),
        };
        let hint = "one hidden layer of single units is mapping `relu`, which takes no widths";
        t.report("widths", &node.origin, found, Some(expected), Some(hint.into()));
    }
    widths
}

/// A linear network has no other activation, and pooling would not leave it linear.
fn linear(t: &Reader) -> Option<Activation> {
    let why = "the layers of mapping `linear_net` are linear: mapping `relu_deep` has activations and pooling";
    let mut fine = true;
    for key in ["activation", "slope", "pool"] {
        if let Some(node) = t.get(key) {
            t.report(key, &node.origin, format!("`{key}` belongs to mapping `relu_deep`"), None, Some(why.into()));
            fine = false;
        }
    }
    fine.then_some(Activation::Linear)
}

fn activation(t: &Reader) -> Option<Activation> {
    let known = Activation::NAMES.map(|n| n.0);
    let name = match t.get("activation") {
        None => "relu".to_string(),
        Some(_) => t.name("activation", "activation", &known, &[])?,
    };
    if name != "leaky_relu" {
        let owner = "activation = \"leaky_relu\"";
        t.foreign(&[("slope", owner)]);
        return t.get("slope").is_none().then_some(match name.as_str() {
            "abs" => Activation::Abs,
            "linear" => Activation::Linear,
            _ => Activation::Relu,
        });
    }
    let expected = format!("the slope below zero, from -{STEEPEST} to {STEEPEST}, such as 0.1");
    if t.get("slope").is_none() {
        t.missing("slope", &expected);
        return None;
    }
    let (slope, origin) = t.number("slope")?;
    if slope.is_finite() && slope.abs() <= STEEPEST {
        return Some(Activation::Leaky(slope));
    }
    t.report("slope", origin, format!("found {slope}"), Some(expected), None);
    None
}

/// One number for every hidden layer, or one each; every width must be a multiple.
fn pool(t: &Reader, widths: Option<&[usize]>) -> Option<Vec<usize>> {
    let Some(node) = t.get("pool") else { return widths.map(|w| vec![1; w.len()]) };
    let widths = widths?;
    let pool = match &node.value {
        Value::Array(items) if items.len() == widths.len() => {
            items.iter().map(|n| whole(n, WIDEST)).collect::<Option<Vec<_>>>()
        }
        Value::Array(_) => None,
        _ => whole(node, WIDEST).map(|p| vec![p; widths.len()]),
    };
    let Some(pool) = pool else {
        let found = match &node.value {
            Value::Array(items) => format!("found {} numbers", items.len()),
            other => format!("found {}", other.describe()),
        };
        let expected = format!(
            "how many units share their largest: a whole number, or a list of {}, one for each hidden layer",
            widths.len()
        );
        t.report("pool", &node.origin, found, Some(expected), None);
        return None;
    };
    if let Some((k, (w, p))) = widths.iter().zip(&pool).enumerate().find(|(_, (w, p))| *w % *p != 0) {
        let found = format!("hidden layer {} has {w} units, which are not groups of {p}", k + 1);
        t.report("pool", &node.origin, found, Some("a divisor of the width".into()), None);
        return None;
    }
    Some(pool)
}
