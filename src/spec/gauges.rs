//! From a factor's entry to its gauge: files are read, parameters checked against the factor's length.

use super::model::{ConeSpec, FactorSpec, GroupSource, NormSpec, NormWeight};
use crate::cone::{self, Cone};
use crate::data::{self, DataError, FileRecord, Source};
use crate::gauge::{self, Gauge, Norm, Parameters, sum};
use crate::mapping;

/// Whether the entry makes a gauge that the mapping has rules for, as far as the spec alone can tell.
///
/// # Errors
/// A sentence naming what has no rule, or no sense.
pub fn probe(mapping: Option<&str>, f: &FactorSpec) -> Result<(), String> {
    let parameters = |n: &NormSpec| {
        let groups = n.groups.as_ref().map(|g| match g {
            GroupSource::Lists(lists) => lists.clone(),
            GroupSource::File(_) => vec![vec![0]],
        });
        let n_of = groups.iter().flatten().flatten().max().map_or(1, |j| j + 1);
        let n_of = n.shape.map_or(n_of, |(rows, cols)| rows.saturating_mul(cols));
        // whether a shape fits the factor is seen once there is one, and an image is not made before
        let shape = n.shape.or(Some((1, 1)).filter(|_| is_psd(f))).filter(|_| n.kind != gauge::tv::KIND.name);
        Parameters { p: n.p, groups, shape, n: n_of }
    };
    if let (true, Some((p, q))) = (is_psd(f), f.norms.iter().find_map(|n| n.shape))
        && p != q
    {
        return Err(format!("cone `psd` is for square matrices, but `shape` says {p} x {q}"));
    }
    let norm = norm(&f.norms, parameters)?;
    let side = norm.matrices().map_or(2, |m| m.shape().0);
    let cone = f.cone.as_ref().map(|c| probe_cone(c, side)).transpose()?;
    let weights = matches!(f.weight, NormWeight::File(_)).then(|| vec![1.0, 2.0]);
    let (name, absolute) = (norm.name(), norm.is_absolute());
    let free_or_orthant = cone.as_ref().is_none_or(|c| c.orthant().is_some());
    let label = f.cone.as_ref().map_or(String::new(), |c| format!(" with cone `{}`", c.kind));
    Gauge::new(norm, weights, cone)?;
    let plain = name == "l2" && label.is_empty();
    if let Some(kind) = mapping::KINDS.iter().find(|k| Some(k.name) == mapping && k.needs_inputs).filter(|_| !plain) {
        let refuse = |only: &str| {
            Err(format!("norm `{name}`{label} has no rule known to be right with the {} mapping: {only}", kind.name))
        };
        match kind.name {
            "relu" if absolute && free_or_orthant => {}
            "relu" => return refuse("only norms of absolute values have, free or on an orthant"),
            _ => return refuse("only `l2` without a cone has"),
        }
    }
    if mapping == Some("psd") && (name != "l2" || !free_or_orthant) {
        return Err(format!(
            "norm `{name}`{label} has no rule known to be right with the psd mapping: only `l2`, free or on an orthant, has"
        ));
    }
    Ok(())
}

/// Whether columns are positive semidefinite matrices.
fn is_psd(f: &FactorSpec) -> bool {
    f.cone.as_ref().is_some_and(|c| c.kind == cone::psd::KIND.name)
}

/// The cone without its matrix, which the data decides on; of matrices of this side where they are.
fn probe_cone(c: &ConeSpec, side: usize) -> Result<Box<dyn Cone>, String> {
    let kind = cone::KINDS.iter().find(|k| k.name == c.kind).expect("registered");
    if kind.keys.contains(&"path") {
        return (kind.example)(3).ok_or_else(|| format!("cone `{}` has no example", c.kind));
    }
    (kind.build)(&cone::Parameters { matrix: None, nonzeros: c.nonzeros, n: side.saturating_mul(side) })
}

/// One norm, whose weight is left to the caller, or the sum of several.
fn norm(specs: &[NormSpec], parameters: impl Fn(&NormSpec) -> Parameters) -> Result<Box<dyn Norm>, String> {
    if let [one] = specs {
        let kind = gauge::KINDS.iter().find(|k| k.name == one.kind).expect("registered");
        return (kind.build)(&parameters(one));
    }
    let term = |n: &NormSpec| sum::Term { kind: n.kind.clone(), weight: n.weight, parameters: parameters(n) };
    sum::build(&specs.iter().map(term).collect::<Vec<_>>())
}

/// The gauge of a factor of length `rows`; the records of the files read are appended.
///
/// # Errors
/// [`DataError`] if a file does not fit.
pub fn build(f: &FactorSpec, rows: usize, records: &mut Vec<FileRecord>) -> Result<Gauge, DataError> {
    let mut groups: Vec<Option<Vec<Vec<usize>>>> = Vec::new();
    for n in &f.norms {
        groups.push(match &n.groups {
            None => None,
            Some(GroupSource::Lists(lists)) => Some(lists.clone()),
            Some(GroupSource::File(source)) => Some(labels(source, rows, records)?),
        });
    }
    let mut given = groups.into_iter();
    // a semidefinite matrix is square: its shape need not be said
    let square = is_psd(f).then(|| cone::psd::side(rows)).transpose().map_err(|problem| misfit(rows, problem))?;
    let square = square.map(|side| (side, side));
    let parameters: Vec<Parameters> = f
        .norms
        .iter()
        .map(|n| Parameters { p: n.p, groups: given.next().flatten(), shape: n.shape.or(square), n: rows })
        .collect();
    let position = |n: &NormSpec| f.norms.iter().position(|m| std::ptr::eq(m, n)).expect("one of them");
    let norm = norm(&f.norms, |n| parameters[position(n)].clone()).map_err(|problem| misfit(rows, problem))?;
    let cone = f.cone.as_ref().map(|c| build_cone(c, rows, records)).transpose()?;
    let mut weights = weights(&f.weight, rows, records)?;
    if let [NormSpec { weight, .. }] = f.norms.as_slice()
        && *weight != 1.0
    {
        let d = weights.get_or_insert_with(|| vec![1.0; rows]);
        d.iter_mut().for_each(|d| *d = (*d * weight).clamp(*gauge::WEIGHT_RANGE.start(), *gauge::WEIGHT_RANGE.end()));
    }
    Ok(Gauge::new(norm, weights, cone).expect("a checked spec has only pairs with a rule"))
}

/// What the spec says of a factor does not fit its length.
fn misfit(rows: usize, problem: String) -> DataError {
    DataError::Shape {
        file: "regularizer.factors".into(),
        expected: format!("norms of a factor with {rows} coordinates"),
        found: problem,
        hint: None,
    }
}

fn shape(source: &Source, expected: String, found: String) -> DataError {
    DataError::Shape { file: source.shown.clone(), expected, found, hint: None }
}

/// Groups from one label per coordinate, in the order of the labels.
fn labels(source: &Source, rows: usize, records: &mut Vec<FileRecord>) -> Result<Vec<Vec<usize>>, DataError> {
    let (labels, record) = data::read_factor(source)?;
    if labels.len() != rows {
        return Err(shape(
            source,
            format!("{rows} labels, one per coordinate of the factor"),
            labels.len().to_string(),
        ));
    }
    records.push(record);
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by(|&i, &j| labels[i].total_cmp(&labels[j]).then(i.cmp(&j)));
    Ok(order.chunk_by(|&i, &j| labels[i] == labels[j]).map(<[usize]>::to_vec).collect())
}

fn build_cone(c: &ConeSpec, rows: usize, records: &mut Vec<FileRecord>) -> Result<Box<dyn Cone>, DataError> {
    let kind = cone::KINDS.iter().find(|k| k.name == c.kind).expect("registered");
    let mut parameters = cone::Parameters { matrix: None, nonzeros: c.nonzeros, n: rows };
    let Some(source) = &c.matrix else {
        return (kind.build)(&parameters).map_err(|problem| misfit(rows, problem));
    };
    let (matrix, record) = data::read_factor(source)?;
    if matrix.ncols() != rows {
        let expected = format!("{rows} columns, one per coordinate of the factor");
        return Err(shape(source, expected, matrix.ncols().to_string()));
    }
    records.push(record);
    parameters.matrix = Some(matrix);
    (kind.build)(&parameters).map_err(|problem| shape(source, format!("a matrix for cone `{}`", c.kind), problem))
}

fn weights(weight: &NormWeight, rows: usize, records: &mut Vec<FileRecord>) -> Result<Option<Vec<f64>>, DataError> {
    let source = match weight {
        NormWeight::Uniform(1.0) => return Ok(None),
        NormWeight::Uniform(w) => return Ok(Some(vec![*w; rows])),
        NormWeight::File(source) => source,
    };
    let (w, record) = data::read_factor(source)?;
    if w.len() != rows {
        return Err(shape(source, format!("{rows} weights, one per coordinate of the factor"), w.len().to_string()));
    }
    if let Some(k) = w.iter().position(|w| !gauge::WEIGHT_RANGE.contains(w)) {
        return Err(shape(source, "weights from 1e-75 to 1e75".into(), format!("{} at position {}", w[k], k + 1)));
    }
    records.push(record);
    Ok(Some(w.as_slice().to_vec()))
}
