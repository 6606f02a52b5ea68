//! From text to a checked [`Spec`]: all errors of the file at once.

use super::error::{Origin, SpecError, SpecErrors};
use super::factor;
use super::model::{CertificateSpec, FactorSpec, Images, Lambda, LossSpec, Spec};
use super::places::Places;
use super::tree::{self, Reader, Value};
use super::{data, extras, layers};
use crate::certify::Effort;
use crate::data::dataset::Transform;
use crate::data::{DataRequest, TargetKind};
use crate::mapping::{Count, Layers};
use crate::problem::Form;
use crate::solve::descent;
use crate::solve::options::SolverOptions;
use crate::{loss, mapping};
use std::cell::RefCell;
use std::path::{Component, Path, PathBuf};

/// A key set from the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Dotted path, such as `regularizer.factors[0].norm`.
    pub key: String,
    /// TOML, or else a bare string.
    pub value: String,
    /// How the command line names it, such as `--set lambda`.
    pub flag: String,
}

/// Most worker threads: each takes memory and a while to start.
pub const MOST_THREADS: usize = 1024;

/// `regularizer.form`.
pub(super) const FORMS: [&str; 2] = ["product", "sum"];

/// `certificate.effort`.
pub(super) const EFFORTS: [&str; 3] = ["cheap", "default", "thorough"];

/// Parses and checks a spec. `file` names it in messages, and its folder resolves relative paths.
///
/// # Errors
/// Every error found, in the order of the file.
pub fn parse(text: &str, file: &Path, overrides: &[Override]) -> Result<Spec, SpecErrors> {
    let name = file.display().to_string();
    let fail = |errors| SpecErrors { file: name.clone(), errors };
    let mut root = tree::parse(text).map_err(|e| fail(vec![e]))?;
    let errors = RefCell::new(Vec::new());
    for o in overrides {
        if let Err(found) = tree::set(&mut root, &o.key, tree::parse_value(&o.value, &o.flag)) {
            let origin = Origin::Flag(o.flag.clone());
            errors.borrow_mut().push(SpecError { origin, key: o.key.clone(), found, expected: None, hint: None });
        }
    }
    let spec = read(&Reader::root(&root, &errors), file, Places::of(&root, &name));
    let mut errors = errors.into_inner();
    errors.sort_by(|a, b| a.origin.cmp(&b.origin));
    match spec {
        Some(spec) if errors.is_empty() => Ok(spec),
        _ => Err(fail(errors)),
    }
}

fn read(root: &Reader, file: &Path, places: Places) -> Option<Spec> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let stem = file.file_stem().map_or("run".into(), |s| s.to_string_lossy().into_owned());
    let name = root.text("name").map_or(stem, |n| n.0.to_string());
    let lambda = lambda(root);
    let (solver, warm_start) = solver(root, folder);
    let data = data::read(root, folder, solver.seed);
    let kind = mapping_kind(root);
    let (form, power, factors) = regularizer(root, kind.as_ref(), folder);
    let loss = loss_kind(root);
    let certificate = certificate(root);
    let (output, images) = output(root, &name);
    let extras =
        extras::read(root, loss.as_ref().map(|l| l.kind.as_str()), by_data(kind.as_ref().map(|k| &*k.name)), folder);
    if let (Some(kind), Some(data)) = (&kind, &data) {
        networks(root, &kind.name, data);
    }
    root.unknown_keys();
    let MappingTable { name: mapping, symmetrize, layers } = kind?;
    let layers = layers?;
    let mut data = data?;
    data.symmetric = (mapping == "psd").then_some(symmetrize);
    data.any_order = by_data(Some(&mapping));
    if let Some(loss) = &loss {
        refuse_disagreement(root, loss, &mapping, &data.transform);
        data.kind = loss::kind(&loss.kind).map_or(TargetKind::Real, |k| k.targets);
    }
    Some(Spec {
        name,
        lambda: lambda?,
        data,
        mapping,
        layers,
        form,
        power,
        factors: factors?,
        loss: loss?,
        extras: extras?,
        solver,
        warm_start,
        certificate,
        output,
        images,
        places,
    })
}

fn lambda(root: &Reader) -> Option<Lambda> {
    let Some(node) = root.get("lambda") else {
        root.missing("lambda", "a number > 0, or { relative = x }");
        return None;
    };
    let number = |v: &Value| match v {
        Value::Integer(i) => Some(*i as f64),
        Value::Float(x) => Some(*x),
        _ => None,
    };
    let positive = |x: &f64| *x > 0.0 && x.is_finite();
    if let Value::Table(_) = &node.value {
        let t = root.enter("lambda".into(), node)?;
        let relative = t.get("relative");
        if relative.is_none() {
            t.missing("relative", "a fraction of lambda_max > 0");
        }
        t.finish();
        let value = relative.and_then(|r| number(&r.value)).filter(positive);
        if let (None, Some(r)) = (value, relative) {
            let found = format!("found {}", r.value.describe());
            root.report("lambda.relative", &r.origin, found, Some("a finite number > 0".into()), None);
        }
        return value.map(Lambda::Relative);
    }
    let value = number(&node.value).filter(positive);
    if value.is_none() {
        let found = format!("found {}", node.value.describe());
        root.report("lambda", &node.origin, found, Some("a finite number > 0, or { relative = x }".into()), None);
    }
    value.map(Lambda::Absolute)
}

/// `[mapping]`.
struct MappingTable {
    name: String,
    symmetrize: bool,
    /// `None` where an error was reported.
    layers: Option<Option<Layers>>,
}

impl MappingTable {
    /// K for a target of so many indices; `None` where only the data tells, or an error was reported.
    fn count(&self) -> Option<usize> {
        let kind = mapping::kind(&self.name)?;
        match (kind.factors, &self.layers) {
            (Count::Exactly(count), _) => Some(count),
            (Count::Layers, Some(Some(layers))) => Some(layers.count()),
            _ => None,
        }
    }
}

fn mapping_kind(root: &Reader) -> Option<MappingTable> {
    let known: Vec<&str> = mapping::KINDS.iter().map(|k| k.name).collect();
    let Some(t) = root.table("mapping") else {
        if root.get("mapping").is_none() {
            root.missing("mapping", "a table with `kind`");
        }
        return None;
    };
    let kind = t.name("kind", "mapping", &known, &[]);
    if t.get("kind").is_none() {
        t.missing("kind", &format!("one of: {}", known.join(", ")));
    }
    let symmetrize = t.boolean("symmetrize");
    if let (Some(k), Some((_, origin))) = (&kind, symmetrize)
        && k != "psd"
    {
        t.report("symmetrize", origin, format!("`symmetrize` belongs to the psd mapping, not to `{k}`"), None, None);
    }
    let name = kind?;
    let layers = layers::read(&t, &name);
    t.finish();
    Some(MappingTable { name, symmetrize: symmetrize.is_some_and(|s| s.0), layers })
}

/// A network has inputs, other mappings have none; what networks do not do yet is refused.
fn networks(root: &Reader, mapping: &str, data: &DataRequest) {
    let Some(t) = root.table("data") else { return };
    let is_network = mapping::KINDS.iter().any(|k| k.name == mapping && k.needs_inputs);
    if is_network && data.input.is_none() && t.get("input").is_none() {
        t.missing(
            "input",
            "the inputs of the network, such as { path = \"inputs.csv\", bias = true, standardize = true }",
        );
    }
    let refused: &[(&'static str, &str)] = match is_network {
        false => &[("input", "belongs to networks, such as mapping `relu`")],
        true => &[("operator", "with a network is not available in this version")],
    };
    for (key, why) in refused {
        if let Some(node) = t.get(key) {
            t.report(key, &node.origin, format!("`{key}` {why}"), None, None);
        }
    }
    if let Some(extra) = root.get("extra").filter(|_| is_network) {
        root.report(
            "extra",
            &extra.origin,
            "`[[extra]]` with a network is not available in this version".into(),
            None,
            None,
        );
    }
}

/// `mapping` is unknown where its own error has been reported.
fn regularizer(
    root: &Reader,
    mapping: Option<&MappingTable>,
    folder: &Path,
) -> (Form, Option<f64>, Option<Vec<FactorSpec>>) {
    let Some(t) = root.table("regularizer") else {
        if root.get("regularizer").is_none() {
            root.missing("regularizer", "a table with `factors`");
        }
        return (Form::Product, None, None);
    };
    let form = match t.name("form", "form", &FORMS, &[]).as_deref() {
        Some("sum") => Form::Sum,
        _ => Form::Product,
    };
    let factors = factors(&t, mapping, folder);
    let power = power(&t, form, mapping, factors.as_ref().map(Vec::len));
    t.later(&["allow_unbalanced"]);
    t.finish();
    (form, power, factors)
}

/// Whether the data decides how many factors the mapping has.
fn by_data(mapping: Option<&str>) -> bool {
    mapping.and_then(mapping::kind).is_some_and(|k| k.factors == Count::Indices)
}

/// `power` must be the mapping's degree; returned where only the data tells.
fn power(t: &Reader, form: Form, mapping: Option<&MappingTable>, count: Option<usize>) -> Option<f64> {
    let (power, origin) = t.number("power")?;
    if form == Form::Product {
        let hint = Some("a product of K gauges has degree K; drop `power`".into());
        t.report("power", origin, "`power` belongs to form = \"sum\"".into(), None, hint);
        return None;
    }
    // one entry may stand for factors that only the data counts
    let degree = match count {
        Some(1) if by_data(mapping.map(|m| &*m.name)) => return Some(power),
        // one factor counts twice
        Some(count) => count.max(2),
        None => mapping.and_then(MappingTable::count).map_or(2, |count| count.max(2)),
    };
    if power != degree as f64 {
        let found = super::unbalanced(power, degree);
        let hint = format!("the nearest balanced spec has `power = {degree}`");
        t.report("power", origin, found, Some(super::BALANCED.into()), Some(hint));
    }
    None
}

fn factors(t: &Reader, mapping: Option<&MappingTable>, folder: &Path) -> Option<Vec<FactorSpec>> {
    let Some(node) = t.get("factors") else {
        t.missing("factors", "a list such as [ { norm = \"l2\" } ]; one entry applies to all factors");
        return None;
    };
    let Value::Array(items) = &node.value else {
        let found = format!("found {}", node.value.describe());
        t.report("factors", &node.origin, found, Some("a list of tables such as { norm = \"l2\" }".into()), None);
        return None;
    };
    let read: Vec<Option<FactorSpec>> =
        items.iter().enumerate().map(|(k, item)| factor::read(t, k, item, mapping.map(|m| &*m.name), folder)).collect();
    let table = mapping?;
    let mapping = &table.name;
    let Some(wanted) = table.count() else {
        if items.is_empty() {
            let expected = Some("one entry for all factors, or one for each index of the target".into());
            t.report("factors", &node.origin, "found 0 entries".into(), expected, None);
            return None;
        }
        return read.into_iter().collect();
    };
    if items.len() != 1 && items.len() != wanted {
        let expected = if wanted == 1 {
            format!("one entry: the {mapping} mapping has one factor")
        } else {
            format!("one entry for all factors, or {wanted}: one for each factor of the {mapping} mapping")
        };
        t.report("factors", &node.origin, format!("found {} entries", items.len()), Some(expected), None);
        return None;
    }
    let read: Vec<FactorSpec> = read.into_iter().collect::<Option<_>>()?;
    Some(if read.len() == wanted { read } else { vec![read[0].clone(); wanted] })
}

fn loss_kind(root: &Reader) -> Option<LossSpec> {
    if root.get("loss").is_none() {
        return Some(LossSpec { kind: loss::squared::KIND.name.into(), parameters: Vec::new() });
    }
    let t = root.table("loss")?;
    let known: Vec<&str> = loss::KINDS.iter().map(|k| k.name).collect();
    let name = t.name("kind", "loss", &known, &[]);
    if t.get("kind").is_none() {
        t.missing("kind", &format!("one of: {}", known.join(", ")));
    }
    let kind = loss::kind(&name?)?;
    // all are looked at, also after one that is wrong
    let read: Vec<_> = kind.parameters.iter().map(|p| Some((p.name, parameter(&t, p)?))).collect();
    let parameters: Option<Vec<_>> = read.into_iter().collect();
    let own: Vec<&str> = kind.parameters.iter().map(|p| p.name).collect();
    for other in loss::KINDS {
        let owner = format!("loss `{}`", other.name);
        let foreign = other.parameters.iter().filter(|p| !own.contains(&p.name));
        foreign.for_each(|p| t.foreign(&[(p.name, owner.as_str())]));
    }
    t.finish();
    Some(LossSpec { kind: kind.name.into(), parameters: parameters? })
}

fn parameter(t: &Reader, p: &loss::Parameter) -> Option<f64> {
    if t.get(p.name).is_none() {
        t.missing(p.name, &format!("{}, such as {}", p.expected, p.example));
        return None;
    }
    let (value, origin) = t.number(p.name)?;
    if !(p.allowed)(value) {
        t.report(p.name, origin, format!("found {value}"), Some(p.expected.into()), None);
    }
    (p.allowed)(value).then_some(value)
}

/// What the loss, the mapping and the data do not agree on.
fn refuse_disagreement(root: &Reader, loss: &LossSpec, mapping: &str, transform: &Transform) {
    let Some(kind) = loss::kind(&loss.kind) else { return };
    let at = |table: &'static str, key: &'static str| {
        let t = root.table(table)?;
        Some((t.get(key)?.origin.clone(), t.path(key)))
    };
    if kind.targets != TargetKind::Real
        && *transform != Transform::None
        && let Some((origin, key)) = at("data", "transform")
    {
        let found = format!("loss `{}` takes its targets as they are", kind.name);
        root.report_at(key, &origin, found, Some("\"none\"".into()), None);
    }
    let target = match mapping {
        "psd" => Some("the psd mapping a symmetric target"),
        "cp" => Some("an array of labels has no rows to score"),
        _ => None,
    };
    if kind.targets == TargetKind::Classes
        && let Some(target) = target
        && let Some((origin, key)) = at("loss", "kind")
    {
        let found = format!("loss `{}` has a row of scores per label, {target}", kind.name);
        root.report_at(key, &origin, found, Some("mapping `matrix`".into()), None);
    }
    if let Some((origin, key)) = at("data", "operator")
        && kind.targets == TargetKind::Classes
    {
        let refused = format!("loss `{}` sees rows, measurements have none", kind.name);
        root.report_at(key, &origin, refused, None, None);
    }
}

fn solver(root: &Reader, folder: &Path) -> (SolverOptions, Option<PathBuf>) {
    let mut options = SolverOptions::default();
    if root.get("solver").is_none() {
        return (options, None);
    }
    let Some(t) = root.table("solver") else { return (options, None) };
    options.seed = t.count("seed", 0).unwrap_or(0);
    options.initial_rank = t.count("initial_rank", 0).map_or(options.initial_rank, |r| r as usize);
    options.max_rank = t.count("max_rank", 1).map(|r| r as usize);
    options.max_outer = t.count("max_outer", 1).map(|r| r as usize);
    options.threads = t.count_up_to("threads", 1, MOST_THREADS as u64).map(|r| r as usize);
    options.time_limit = t.duration("time_limit");
    options.descent = t.name("descent", "descent", &descent::names(), &[]);
    options.stationarity_tolerance = t.number("stationarity_tolerance").and_then(|(x, origin)| {
        if !(x > 0.0 && x < 1.0) {
            t.report(
                "stationarity_tolerance",
                origin,
                format!("found {x}"),
                Some("a number between 0 and 1".into()),
                None,
            );
        }
        (x > 0.0 && x < 1.0).then_some(x)
    });
    let warm_start = t.text("warm_start").map(|w| folder.join(w.0));
    t.finish();
    (options, warm_start)
}

fn certificate(root: &Reader) -> CertificateSpec {
    let mut spec = CertificateSpec { target_gap: 1e-4, effort: Effort::Default, time_limit: None };
    if root.get("certificate").is_none() {
        return spec;
    }
    let Some(t) = root.table("certificate") else { return spec };
    if let Some((gap, origin)) = t.number("target_gap") {
        if gap > 0.0 && gap < 1.0 {
            spec.target_gap = gap;
        } else {
            t.report("target_gap", origin, format!("found {gap}"), Some("a number between 0 and 1".into()), None);
        }
    }
    spec.effort = match t.name("effort", "effort", &EFFORTS, &[]).as_deref() {
        Some("cheap") => Effort::Cheap,
        Some("thorough") => Effort::Thorough,
        _ => Effort::Default,
    };
    spec.time_limit = t.duration("time_limit");
    t.finish();
    spec
}

/// The folder, and which columns are images.
fn output(root: &Reader, name: &str) -> (PathBuf, Option<Images>) {
    let table = root.get("output").and_then(|_| root.table("output"));
    let (dir, images) = table.map_or((None, None), |t| {
        let found = (t.text("dir").map(|d| PathBuf::from(d.0)), images(&t));
        t.finish();
        found
    });
    if let (None, Some(node)) = (&dir, root.get("name")) {
        let inside = |name: &str| Path::new(name).components().all(|c| matches!(c, Component::Normal(_)));
        if matches!(&node.value, Value::Text(name) if name.is_empty() || !inside(name)) {
            let expected = Some("the name of a folder below `runs`, where the run is written".into());
            let hint = Some("`dir` under [output] says another place".into());
            root.report("name", &node.origin, format!("found {}", node.value.describe()), expected, hint);
        }
    }
    (dir.unwrap_or_else(|| Path::new("runs").join(name)), images)
}

fn images(output: &Reader) -> Option<Images> {
    output.get("images")?;
    let t = output.table("images")?;
    for (key, expected) in [("factor", "a factor, counted from 1"), ("shape", "[rows, columns] of an image")] {
        if t.get(key).is_none() {
            t.missing(key, expected);
        }
    }
    let factor = t.count("factor", 1);
    let shape = t.get("shape").and_then(|node| factor::image(&t, node));
    t.finish();
    Some(Images { factor: factor? as usize - 1, shape: shape? })
}
