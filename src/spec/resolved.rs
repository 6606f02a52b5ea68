//! The resolved spec: every default filled in, lambda as a number, paths usable from the run folder.

use super::model::{ConeSpec, ExtraSpec, FactorSpec, GroupSource, Images, Lambda, NormSpec, NormWeight, Spec};
use crate::certify::Effort;
use crate::data::Source;
use crate::data::dataset::{HoldoutRequest, Transform};
use crate::data::source::Column;
use crate::extra::Axis;
use crate::mapping::{Activation, Layers, linear_net};
use crate::problem::Form;
use std::fmt::Write;
use std::path::{Component, Path, PathBuf};

/// What a comment with a choice made while reading starts with.
const READ: &str = "# read: ";

/// The choices made while reading, out of a resolved spec's comments.
pub fn notes_of(text: &str) -> Vec<String> {
    text.lines().filter_map(|l| l.strip_prefix(READ)).map(Into::into).collect()
}

/// The spec as TOML, for a run folder at `folder`; the choices made while reading stand in comments at its head.
pub fn to_toml(spec: &Spec, lambda: f64, folder: &Path, notes: &[String]) -> String {
    let mut out = String::new();
    let o = &mut out;
    // a note quotes names out of files: a line stays a line
    notes.iter().for_each(|n| line(o, format_args!("{READ}{}", n.replace(char::is_control, " "))));
    line(o, format_args!("name = {}", quote(&spec.name)));
    if let Lambda::Relative(r) = spec.lambda {
        line(o, format_args!("# asked for as {{ relative = {r:?} }}"));
    }
    line(o, format_args!("lambda = {lambda:?}"));
    data(o, spec, folder);
    line(o, format_args!("\n[mapping]\nkind = {}", quote(&spec.mapping)));
    if spec.data.symmetric == Some(true) {
        line(o, format_args!("symmetrize = true"));
    }
    if let Some(l) = &spec.layers {
        layers(o, l, spec.mapping == linear_net::KIND.name);
    }
    let form = if spec.form == Form::Sum { "sum" } else { "product" };
    let factors: Vec<String> = spec.factors.iter().map(|f| factor(f, folder)).collect();
    line(o, format_args!("\n[regularizer]\nform = \"{form}\"\nfactors = [{}]", factors.join(", ")));
    line(o, format_args!("\n[loss]\nkind = {}", quote(&spec.loss.kind)));
    spec.loss.parameters.iter().for_each(|(key, x)| line(o, format_args!("{key} = {x:?}")));
    spec.extras.iter().for_each(|e| extra(o, e, folder));
    solver(o, spec, folder);
    let effort = match spec.certificate.effort {
        Effort::Cheap => "cheap",
        Effort::Default => "default",
        Effort::Thorough => "thorough",
    };
    line(o, format_args!("\n[certificate]\ntarget_gap = {:?}\neffort = \"{effort}\"", spec.certificate.target_gap));
    if let Some(t) = spec.certificate.time_limit {
        line(o, format_args!("time_limit = {:?}", t.as_secs_f64()));
    }
    if let Some(Images { factor, shape: (rows, cols) }) = spec.images {
        line(o, format_args!("\n[output]\nimages = {{ factor = {}, shape = [{rows}, {cols}] }}", factor + 1));
    }
    out
}

fn layers(o: &mut String, l: &Layers, linear: bool) {
    line(o, format_args!("widths = {:?}", l.widths));
    if !linear {
        line(o, format_args!("activation = {}", quote(l.activation.name())));
        if let Activation::Leaky(slope) = l.activation {
            line(o, format_args!("slope = {slope:?}"));
        }
        line(o, format_args!("pool = {:?}", l.pool));
    }
}

fn line(out: &mut String, text: std::fmt::Arguments) {
    // writing to a string does not fail
    let _ = out.write_fmt(text);
    out.push('\n');
}

fn quote(text: &str) -> String {
    toml::Value::String(text.into()).to_string()
}

fn data(o: &mut String, spec: &Spec, folder: &Path) {
    let d = &spec.data;
    line(o, format_args!("\n[data]\ntarget = {}", source(&d.target, folder, "")));
    if let Some(a) = &d.operator {
        let dims = a.dims.map_or(String::new(), |(a, b)| format!(", dims = [{a}, {b}]"));
        line(o, format_args!("operator = {}", source(&a.source, folder, &dims)));
    }
    if let Some(i) = &d.input {
        let more = format!(", bias = {}, standardize = {}", i.bias, i.standardize);
        line(o, format_args!("input = {}", source(&i.source, folder, &more)));
    }
    if let Some(m) = &d.mask {
        line(o, format_args!("mask = {}", source(m, folder, "")));
    }
    if let Some(w) = &d.weights {
        let axis = w.axis.map_or(String::new(), |a| format!(", axis = {a}"));
        line(o, format_args!("weights = {}", source(&w.source, folder, &axis)));
    }
    let transform = match &d.transform {
        Transform::None => "\"none\"".to_string(),
        Transform::Center => "\"center\"".into(),
        Transform::Scale => "\"scale\"".into(),
        Transform::Standardize => "\"standardize\"".into(),
        Transform::Log1p => "\"log1p\"".into(),
        Transform::Subtract(c) => format!("{{ subtract = {c:?} }}"),
    };
    line(o, format_args!("transform = {transform}"));
    match &d.holdout {
        None => {}
        Some(HoldoutRequest::Fraction(x)) => line(o, format_args!("holdout = {x:?}")),
        Some(HoldoutRequest::Mask(m)) => line(o, format_args!("holdout = {}", source(m, folder, ""))),
    }
}

fn source(s: &Source, folder: &Path, more: &str) -> String {
    let mut out = format!("{{ path = {}", quote(&relative(&s.path, folder).to_string_lossy()));
    if let Some(f) = s.format {
        let _ = write!(out, ", format = \"{}\"", f.name());
    }
    if let Some(h) = s.header {
        let _ = write!(out, ", header = {h}");
    }
    if let Some(d) = s.delimiter {
        let d = if d == b'\t' { "tab".into() } else { (d as char).to_string() };
        let _ = write!(out, ", delimiter = {}", quote(&d));
    }
    if let Some(k) = &s.key {
        let _ = write!(out, ", key = {}", quote(k));
    }
    if let Some(columns) = &s.columns {
        let names: Vec<String> = columns
            .iter()
            .map(|c| match c {
                Column::Name(n) => quote(n),
                Column::Number(k) => k.to_string(),
            })
            .collect();
        let _ = write!(out, ", columns = [{}]", names.join(", "));
    }
    if let Some(shape) = &s.shape {
        let _ = write!(out, ", shape = {shape:?}");
    }
    if let Some(b) = s.index_base {
        let _ = write!(out, ", index_base = {b}");
    }
    // known of coordinate formats only, and only they have absent entries
    if s.index_base.is_some() {
        let _ = write!(out, ", absent = \"{}\"", s.absent.name());
    }
    format!("{out}{more} }}")
}

fn factor(f: &FactorSpec, folder: &Path) -> String {
    let mut out = match f.norms.as_slice() {
        [one] if one.weight == 1.0 => format!("{{ norm = {}{}", quote(&one.kind), norm_keys(one, folder)),
        terms => {
            let term = |n: &NormSpec| {
                format!("{{ kind = {}, weight = {:?}{} }}", quote(&n.kind), n.weight, norm_keys(n, folder))
            };
            format!("{{ norm = [{}]", terms.iter().map(term).collect::<Vec<_>>().join(", "))
        }
    };
    match &f.weight {
        NormWeight::Uniform(w) => {
            let _ = write!(out, ", weight = {w:?}");
        }
        NormWeight::File(s) => {
            let _ = write!(out, ", weight = {}", source(s, folder, ""));
        }
    }
    if let Some(c) = &f.cone {
        let _ = write!(out, ", cone = {}", cone(c, folder));
    }
    out + " }"
}

/// `p`, `shape` and `groups`, each after a comma.
fn norm_keys(n: &NormSpec, folder: &Path) -> String {
    let mut out = String::new();
    if let Some((rows, cols)) = n.shape {
        let _ = write!(out, ", shape = [{rows}, {cols}]");
    }
    if let Some(p) = n.p {
        let _ = write!(out, ", p = {p:?}");
    }
    match &n.groups {
        None => {}
        Some(GroupSource::Lists(lists)) => {
            let _ = write!(out, ", groups = {lists:?}");
        }
        Some(GroupSource::File(s)) => {
            let _ = write!(out, ", groups = {}", source(s, folder, ""));
        }
    }
    out
}

fn cone(c: &ConeSpec, folder: &Path) -> String {
    match (&c.matrix, c.nonzeros) {
        (Some(s), _) => source(s, folder, "").replacen("{ ", &format!("{{ kind = {}, ", quote(&c.kind)), 1),
        (None, Some(k)) => format!("{{ kind = {}, nonzeros = {k} }}", quote(&c.kind)),
        (None, None) => quote(&c.kind),
    }
}

fn extra(o: &mut String, e: &ExtraSpec, folder: &Path) {
    line(o, format_args!("\n[[extra]]\nkind = {}", quote(&e.kind)));
    match (e.axis, crate::extra::kind(&e.kind).map(|k| k.axis)) {
        (Some(a), _) => line(o, format_args!("axis = {}", a + 1)),
        (None, Some(Axis::OneOrGlobal)) => line(o, format_args!("axis = \"global\"")),
        _ => {}
    }
    if let Some(s) = &e.side {
        line(o, format_args!("side = {}", source(s, folder, "")));
    }
    let (norm, weight) = e.penalty.parts();
    let weight = weight.map_or(String::new(), |w| format!(", weight = {w:?}"));
    line(o, format_args!("penalty = {{ norm = \"{norm}\"{weight} }}"));
}

fn solver(o: &mut String, spec: &Spec, folder: &Path) {
    let s = &spec.solver;
    line(o, format_args!("\n[solver]\nseed = {}\ninitial_rank = {}", s.seed, s.initial_rank));
    if let Some(x) = s.max_rank {
        line(o, format_args!("max_rank = {x}"));
    }
    if let Some(x) = s.max_outer {
        line(o, format_args!("max_outer = {x}"));
    }
    if let Some(x) = s.time_limit {
        line(o, format_args!("time_limit = {:?}", x.as_secs_f64()));
    }
    if let Some(x) = s.threads {
        line(o, format_args!("threads = {x}"));
    }
    if let Some(x) = &s.descent {
        line(o, format_args!("descent = {}", quote(x)));
    }
    if let Some(x) = &spec.warm_start {
        line(o, format_args!("warm_start = {}", quote(&relative(x, folder).to_string_lossy())));
    }
    if let Some(x) = s.stationarity_tolerance {
        line(o, format_args!("stationarity_tolerance = {x:?}"));
    }
}

/// `path` as seen from `folder`; both are taken from the working directory. Absolute only if there is no other way.
pub fn relative(path: &Path, folder: &Path) -> PathBuf {
    let absolute = |p: &Path| std::path::absolute(p).map(|p| normalise(&p));
    let (Ok(path_abs), Ok(folder)) = (absolute(path), absolute(folder)) else { return path.to_path_buf() };
    let (a, b): (Vec<Component>, Vec<Component>) = (path_abs.components().collect(), folder.components().collect());
    let common = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    if common == 0 {
        return path_abs;
    }
    let up = std::iter::repeat_n(Component::ParentDir, b.len() - common);
    up.chain(a[common..].iter().copied()).collect()
}

/// Resolves `.` and `..` by name.
fn normalise(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for c in path.components() {
        match c {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            c => out.push(c),
        }
    }
    out
}
