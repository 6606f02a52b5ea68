//! The JSON Schema (2020-12) of a spec, for editors and scripts. Names, summaries and parameters come from the registries; a test
//! holds the keys of every table to those that the reader knows.
//!
//! What needs the data, or two tables at once (a norm with a cone, a loss with a mapping), is left to the reader.

mod words;

use super::data::TRANSFORMS;
use super::layers::{DEEPEST, STEEPEST, WIDEST};
use super::parse::{EFFORTS, FORMS, MOST_THREADS};
use crate::data::source::{Absent, Format};
use crate::extra::{self, Axis, penalty};
use crate::mapping::{Activation, Count};
use crate::solve::descent;
use crate::{cone, gauge, loss, mapping};
use serde_json::{Value, json};
use words::{
    Key, duration, either, flag, fraction, names, of, one_of, optional, positive, required, said, shared, table,
    table_of, text, whole,
};

/// The draft that [`schema`] is written in.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of a spec.
pub fn schema() -> Value {
    let mut out = table(
        vec![
            optional("name", text("Name of the run; default: the file's stem.")),
            required("lambda", lambda()),
            required("data", data()),
            required("mapping", mapping_table()),
            required("regularizer", regularizer()),
            optional("loss", loss_table()),
            optional(
                "extra",
                json!({ "type": "array", "items": extra_table(), "description": "Blocks Q added to X, at a cost H(Q)." }),
            ),
            optional("solver", solver()),
            optional("certificate", certificate()),
            optional("output", output()),
        ],
        "A factorization to be fitted and certified by homfac.",
    );
    out["$schema"] = DRAFT.into();
    out["title"] = "homfac spec".into();
    out["allOf"] = inputs_of_networks();
    out["$defs"] = json!({ "file": file(vec![], "A data file: a path relative to the spec, or a table.") });
    out
}

/// A network has inputs, other mappings have none.
fn inputs_of_networks() -> Value {
    let networks: Vec<&str> = mapping::KINDS.iter().filter(|k| k.needs_inputs).map(|k| k.name).collect();
    let kind = json!({ "properties": { "kind": { "enum": networks } }, "required": ["kind"] });
    json!([{
        "if": { "properties": { "mapping": kind }, "required": ["mapping"] },
        "then": { "properties": { "data": { "required": ["input"] } } },
        "else": { "properties": { "data": { "properties": { "input": false } } } },
    }])
}

fn lambda() -> Value {
    let relative =
        table(vec![required("relative", positive("A fraction of lambda_max."))], "A fraction of lambda_max.");
    either(
        vec![positive("A number."), relative],
        "Weight of the regularizer: a number, or a fraction of lambda_max, the least lambda for which X = 0 is optimal.",
    )
}

/// The keys of a file's table.
fn file_keys() -> Vec<Key> {
    let column = json!({ "anyOf": [{ "type": "string" }, { "type": "integer", "minimum": 1 }] });
    let columns = json!({ "type": "array", "items": column, "description": "Names, or numbers from 1, in this order; default: all." });
    vec![
        required("path", text("The file, relative to the spec's folder.")),
        optional(
            "format",
            names(&Format::ALL.map(Format::name), "How the file is laid out; default: by its extension."),
        ),
        optional("header", flag("csv, triplets: whether the first row holds names; default: detected.")),
        optional("delimiter", text("csv, triplets: one character, or \"tab\"; default: comma, tab for .tsv.")),
        optional("columns", columns),
        optional("key", text("npz: the name of the array; default: the only one.")),
        optional("shape", sizes(2, None, "Sizes; default: the largest index seen, for coordinate formats.")),
        optional("index_base", names_of_numbers()),
        optional(
            "absent",
            names(
                &Absent::ALL.map(Absent::name),
                "triplets, mtx, tns: what an entry that is not listed means; default: missing.",
            ),
        ),
    ]
}

fn names_of_numbers() -> Value {
    json!({ "enum": [0, 1], "description": "triplets, mtx, tns: what indices are counted from; default: 0, for mtx and tns 1." })
}

fn sizes(least: usize, most: Option<usize>, says: &str) -> Value {
    let mut out = json!({ "type": "array", "items": { "type": "integer", "minimum": 1 }, "minItems": least, "description": says });
    if let Some(most) = most {
        out["maxItems"] = most.into();
    }
    out
}

/// A path, or a table with the keys of a file and more of its own.
fn file(more: Vec<Key>, says: &str) -> Value {
    let mut keys = file_keys();
    keys.extend(more);
    either(vec![json!({ "type": "string" }), table(keys, says)], says)
}

fn data() -> Value {
    let axis = names_of(&[1, 2], "One weight per row (1) or column (2), not per entry.");
    let weights = file(vec![optional("axis", axis)], "Nonnegative weights, of the target's shape or along an axis.");
    let dims = sizes(2, Some(2), "[d1, d2], where row k of the matrix is A_k and A_k is not square.");
    let operator =
        file(vec![optional("dims", dims)], "Sensing: an array m x d1 x d2; the target is the vector of <A_k, X>.");
    let flags = vec![
        optional("bias", flag("Append a column of ones.")),
        optional("standardize", flag("Bring columns to mean 0 and deviation 1 over the rows that are fitted.")),
    ];
    let subtract = table(vec![required("subtract", json!({ "type": "number" }))], "y - c.");
    table(
        vec![
            required("target", said(shared("file"), "What is factorized.")),
            optional("input", file(flags, "Networks: the inputs V, one row per row of the target.")),
            optional("operator", operator),
            optional("mask", said(shared("file"), "Of the target's shape; nonzero: observed.")),
            optional("weights", weights),
            optional(
                "transform",
                either(vec![json!({ "enum": TRANSFORMS }), subtract], "Of the target, by columns; default: none."),
            ),
            optional(
                "holdout",
                either(
                    vec![fraction("A fraction of the observed entries."), shared("file")],
                    "Entries kept out of the fit: a fraction, or a mask.",
                ),
            ),
        ],
        "The data, paths relative to the spec's folder.",
    )
}

fn names_of(numbers: &[u64], says: &str) -> Value {
    json!({ "enum": numbers, "description": says })
}

fn mapping_table() -> Value {
    let kinds: Vec<_> = mapping::KINDS.iter().map(|k| (k.name, k.summary)).collect();
    let symmetrize = optional("symmetrize", flag("Average an asymmetric target."));
    let width = |says: &str| json!({ "type": "integer", "minimum": 1, "maximum": WIDEST, "description": says });
    let widths = json!({
        "type": "array", "items": width("Units"), "minItems": 1, "maxItems": DEEPEST,
        "description": "Hidden units of one network, layer by layer.",
    });
    let list = json!({ "type": "array", "items": width("Units"), "minItems": 1, "maxItems": DEEPEST });
    let pool = either(
        vec![width("Units"), list],
        "The largest of so many units that stand side by side goes on: a number, or one per hidden layer; default: 1.",
    );
    let slope = json!({
        "type": "number", "minimum": -STEEPEST, "maximum": STEEPEST, "description": "Of leaky_relu: the slope below zero.",
    });
    let layered: Vec<&str> = mapping::KINDS.iter().filter(|k| k.factors == Count::Layers).map(|k| k.name).collect();
    let deep = || vec![mapping::relu_deep::KIND.name];
    table_of(
        "kind",
        vec![
            required("kind", one_of(&kinds, "How factors make X:")),
            of(vec!["psd"], symmetrize),
            of(layered, required("widths", widths)),
            of(
                deep(),
                optional("activation", one_of(&Activation::NAMES, "What a hidden unit makes of t; default: relu:")),
            ),
            of(deep(), optional("slope", slope)),
            of(deep(), optional("pool", pool)),
        ],
        "The mapping from factors to X.",
    )
}

fn regularizer() -> Value {
    let entries = json!({
        "type": "array", "items": factor(), "minItems": 1,
        "description": "One entry per factor, or one for all of them.",
    });
    table(
        vec![
            optional(
                "form",
                names(
                    &FORMS,
                    "product: lambda prod ||.||; sum: lambda/K sum ||.||^K; the same optimum. Default: product.",
                ),
            ),
            optional(
                "power",
                json!({ "type": "number", "description": "Form sum: must be K, the number of factors, which is the default." }),
            ),
            required("factors", entries),
        ],
        "What a slice costs: g.",
    )
}

/// The keys of the norms, each with those that have it.
fn norm_keys() -> Vec<Key> {
    let all = |pick: fn(&gauge::Kind) -> &'static [&'static str], key: fn(&'static str, Value) -> Key| {
        let mut names: Vec<&'static str> = gauge::KINDS.iter().flat_map(|k| pick(k).iter().copied()).collect();
        names.sort_unstable();
        names.dedup();
        let owners = |name: &str| gauge::KINDS.iter().filter(|k| pick(k).contains(&name)).map(|k| k.name).collect();
        names.into_iter().map(|name| of(owners(name), key(name, norm_key(name)))).collect::<Vec<Key>>()
    };
    let mut out = all(|k| k.keys, required);
    out.extend(all(|k| k.optional, optional));
    out
}

fn norm_key(key: &str) -> Value {
    let index = json!({ "type": "integer", "minimum": 0 });
    let lists = json!({ "type": "array", "items": { "type": "array", "items": index } });
    match key {
        "p" => json!({ "type": "number", "minimum": 1, "description": "1, 2, inf, or a number from 1.01 to 100." }),
        "groups" => either(
            vec![lists, shared("file")],
            "Lists of 0-based indices that part the coordinates, or a file with a label for each.",
        ),
        "shape" => json!({
            "type": "array", "items": { "type": "integer", "minimum": 1 }, "minItems": 2, "maxItems": 2,
            "description": "Rows and columns of the image or matrix that the coordinates are, the last index fastest.",
        }),
        _ => json!({}),
    }
}

fn factor() -> Value {
    let kinds: Vec<_> = gauge::KINDS.iter().map(|k| (k.name, k.summary)).collect();
    let weight = || positive("From 1e-75 to 1e75; default: 1.");
    let mut term = vec![required("kind", one_of(&kinds, "A norm:")), optional("weight", weight())];
    term.extend(norm_keys());
    let terms = table_of("kind", term, "A norm and its weight in the sum.");
    let sum = json!({ "type": "array", "items": terms, "minItems": 1, "description": "A weighted sum of norms." });
    let norm = either(vec![one_of(&kinds, "A norm:"), sum], "A norm, or a list of them: their weighted sum.");
    let scale = either(vec![weight(), shared("file")], "Scales the norm: a number, or a file with one per coordinate.");
    let mut keys = vec![required("norm", norm), optional("weight", scale), optional("cone", cone_of_factor())];
    keys.extend(norm_keys());
    table_of("norm", keys, "Norm, weight and cone of one factor's columns.")
}

fn cone_of_factor() -> Value {
    let plain: Vec<_> = cone::KINDS.iter().filter(|k| k.keys.is_empty()).map(|k| (k.name, k.summary)).collect();
    let kinds: Vec<_> = cone::KINDS.iter().map(|k| (k.name, k.summary)).collect();
    let owners = |key: &str| cone::KINDS.iter().filter(|k| k.keys.contains(&key)).map(|k| k.name).collect::<Vec<_>>();
    let mut keys = vec![required("kind", one_of(&kinds, "The cone:"))];
    // the matrix is a file, whose other keys stand beside its path
    keys.extend(file_keys().into_iter().map(|k| of(owners("path"), k)));
    keys.push(of(owners("nonzeros"), required("nonzeros", whole(1, "At most so many entries are not 0."))));
    let says = "The cone that columns are confined to; default: none.";
    either(vec![one_of(&plain, "A cone without parameters:"), table_of("kind", keys, says)], says)
}

fn loss_table() -> Value {
    let kinds: Vec<_> = loss::KINDS.iter().map(|k| (k.name, k.summary)).collect();
    let mut keys = vec![required("kind", one_of(&kinds, "The loss of an entry:"))];
    for kind in loss::KINDS {
        for p in kind.parameters {
            let number = json!({ "type": "number", "description": format!("Of {}: {}.", kind.name, p.expected), "examples": [p.example] });
            keys.push(of(vec![kind.name], required(p.name, number)));
        }
    }
    table_of("kind", keys, "The loss, summed over observed entries; default: squared.")
}

fn extra_table() -> Value {
    let named = |wanted: &dyn Fn(&extra::Kind) -> bool| -> Vec<&'static str> {
        extra::KINDS.iter().filter(|k| wanted(k)).map(|k| k.name).collect()
    };
    let kinds: Vec<_> = extra::KINDS.iter().map(|k| (k.name, k.summary)).collect();
    let axis = either(
        vec![json!({ "type": "integer", "minimum": 1, "maximum": u8::MAX }), json!({ "const": "global" })],
        "An index of the target, from 1 (rows), or, for some kinds, \"global\".",
    );
    let mut out = table_of(
        "kind",
        vec![
            required("kind", one_of(&kinds, "The block:")),
            of(named(&|k| k.axis != Axis::None), required("axis", axis)),
            of(named(&|k| k.side), required("side", said(shared("file"), "A row per index of the axis."))),
            optional("penalty", penalty_of_extra()),
        ],
        "A block of extra variables.",
    );
    let mut more = vec![
        json!({
            "if": { "properties": { "kind": { "enum": named(&|k| k.axis == Axis::One) } }, "required": ["kind"] },
            "then": { "properties": { "axis": { "type": "integer" } } },
        }),
        json!({
            "if": { "properties": { "kind": { "enum": named(&|k| !k.free) } }, "required": ["kind"] },
            "then": { "required": ["penalty"], "properties": { "penalty": { "not": free() } } },
        }),
    ];
    if let Some(all) = out["allOf"].as_array_mut() {
        all.append(&mut more);
    }
    out
}

/// What `none` looks like.
fn free() -> Value {
    let named = json!({ "type": "object", "properties": { "norm": { "const": "none" } }, "required": ["norm"] });
    json!({ "anyOf": [{ "const": "none" }, named] })
}

fn penalty_of_extra() -> Value {
    let named = |weighted: &dyn Fn(bool) -> bool| -> Vec<&'static str> {
        penalty::NAMES.iter().filter(|n| weighted(n.1)).map(|n| n.0).collect()
    };
    let keys = vec![
        required("norm", names(&named(&|_| true), "H.")),
        of(named(&|w| w), required("weight", positive("From 1e-75 to 1e75."))),
    ];
    let says = "H(Q), the cost of the block; default: none, where the kind may be free.";
    either(vec![names(&named(&|w| !w), says), table_of("norm", keys, says)], says)
}

fn solver() -> Value {
    let mut threads = whole(1, "Worker threads; default: all cores.");
    threads["maximum"] = MOST_THREADS.into();
    table(
        vec![
            optional("seed", whole(0, "Seed of the search and of the draw of held-out entries; default: 0.")),
            optional("initial_rank", whole(0, "Where r starts; the method changes it. Default: 1.")),
            optional("max_rank", whole(1, "Largest r.")),
            optional("max_outer", whole(1, "Most outer iterations.")),
            optional("time_limit", duration("Time for solving")),
            optional("threads", threads),
            optional("descent", names(&descent::names(), "The descent; default: chosen from the problem.")),
            optional("warm_start", text("A run folder to start from, relative to the spec's folder.")),
            optional(
                "stationarity_tolerance",
                fraction("Polar excess that counts as stationary; default: a tenth of the target gap."),
            ),
        ],
        "How the optimum is searched.",
    )
}

fn certificate() -> Value {
    table(
        vec![
            optional("target_gap", fraction("Relative gap to prove; default: 1e-4.")),
            optional("effort", names(&EFFORTS, "Work spent on bounds; default: default.")),
            optional("time_limit", duration("Time for certifying")),
        ],
        "What is to be proven.",
    )
}

fn output() -> Value {
    table(
        vec![
            optional("dir", text("The run folder, relative to the working directory; default: runs/<name>.")),
            optional("images", images()),
        ],
        "Where the run is written, and how its report shows it.",
    )
}

fn images() -> Value {
    let side = whole(1, "Pixels");
    table(
        vec![
            required("factor", whole(1, "Which factor, counted from 1.")),
            required(
                "shape",
                json!({
                    "type": "array", "items": side, "minItems": 2, "maxItems": 2,
                    "description": "Rows and columns of an image, read line by line.",
                }),
            ),
        ],
        "Columns of a factor that the report shows as images.",
    )
}
