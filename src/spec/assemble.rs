//! A checked spec and its data become a [`Problem`].

use super::gauges;
use super::model::{ExtraSpec, FactorSpec, Images, LossSpec, Spec};
use crate::data::{self, DataError, Dataset, FileRecord, Observations};
use crate::extra::{self, Block, Extra, Extras, Penalty};
use crate::gauge::Gauge;
use crate::linalg::Mat;
use crate::loss::profiled::Profiled;
use crate::problem::{Problem, Regularizer};
use crate::{loss, mapping, solve};
use std::sync::Arc;

/// Builds the problem with `lambda` set to 1: resolve it with the problem's lambda_max where it is relative. Also returns the
/// records of weight files read.
///
/// # Errors
/// [`DataError`] if a weight file does not fit.
///
/// # Panics
/// If a name in the spec is not registered: a checked spec has only registered ones.
pub fn assemble(spec: &Spec, dataset: &Dataset) -> Result<(Problem, Vec<FileRecord>), DataError> {
    refuse_wide(spec, dataset)?;
    let mapping = build_mapping(spec, &dataset.sizes, dataset.inputs.as_ref().map(|i| &i.values));
    let rows = mapping.factor_rows(dataset.observations.shape());
    let mut records = Vec::new();
    let factors = one_each(spec, rows.len(), dataset)?;
    refuse_unbalanced(spec, rows.len(), dataset)?;
    refuse_misfit(spec, &rows)?;
    let gauges =
        factors.iter().zip(&rows).map(|(f, &d)| gauges::build(f, d, &mut records)).collect::<Result<_, _>>()?;
    let (extras, profiled) = build_extras(spec, dataset, &mut records)?;
    let loss: Box<dyn loss::Loss> = match &profiled {
        Some(p) => Box::new(p.clone()),
        None => build_loss(&spec.loss, &dataset.observations),
    };
    let problem = Problem {
        observations: dataset.observations.clone(),
        operator: dataset.operator.clone(),
        y: dataset.y.clone(),
        w: dataset.w.clone(),
        loss,
        mapping,
        regularizer: Regularizer { form: spec.form, gauges },
        extras: Extras { blocks: extras, profiled },
        offset: Vec::new(),
        lambda: 1.0,
    };
    Ok((problem, records))
}

/// Networks that do not fit the memory, with what descent keeps of one.
fn refuse_wide(spec: &Spec, dataset: &Dataset) -> Result<(), DataError> {
    let (Some(layers), Some(inputs)) = (&spec.layers, &dataset.inputs) else { return Ok(()) };
    let (n, q) = dataset.observations.shape();
    let weights: f64 = layers.shapes(inputs.values.ncols(), q).iter().map(|(d, h)| *d as f64 * *h as f64).sum();
    let units: f64 = layers.widths.iter().map(|h| *h as f64).sum();
    data::memory::require("mapping.widths", 8.0 * (16.0 * weights + 4.0 * n as f64 * units))
}

/// Images of another size than the columns that are to be shown as such.
fn refuse_misfit(spec: &Spec, rows: &[usize]) -> Result<(), DataError> {
    let Some(Images { factor, shape: (height, width) }) = spec.images else { return Ok(()) };
    let found = match rows.get(factor) {
        Some(&d) if height.checked_mul(width) == Some(d) => return Ok(()),
        Some(d) => format!("factor {} has {d} rows", factor + 1),
        None => format!("the number of factors is {}", rows.len()),
    };
    Err(DataError::Shape {
        file: "output.images".into(),
        expected: format!("a factor {} of images, {height} x {width} rows", factor + 1),
        found,
        hint: None,
    })
}

/// A power that is not the degree of the mapping, K.
fn refuse_unbalanced(spec: &Spec, degree: usize, dataset: &Dataset) -> Result<(), DataError> {
    match spec.power {
        Some(power) if power != degree as f64 => Err(DataError::Key {
            place: spec.places.key("regularizer.power"),
            key: "regularizer.power".into(),
            found: format!("{} ({})", super::unbalanced(power, degree), shape_of(dataset)),
            expected: super::BALANCED.into(),
            hint: Some(format!("the nearest balanced spec has `power = {degree}`, which is the default")),
        }),
        _ => Ok(()),
    }
}

/// A `solver.descent` that does not apply to the problem, which [`solve::solve`] would pass over.
///
/// # Errors
/// The key, with the descents that apply.
pub fn refuse_descent(spec: &Spec, problem: &mut Problem) -> Result<(), DataError> {
    let Some(name) = &spec.solver.descent else { return Ok(()) };
    let applicable = solve::descents(problem);
    let Some(named) = solve::descent::STRATEGIES.iter().find(|s| s.name() == name) else { return Ok(()) };
    if applicable.iter().any(|s| s.name() == name) {
        return Ok(());
    }
    let names: Vec<&str> = applicable.iter().map(|s| s.name()).collect();
    Err(DataError::Key {
        place: spec.places.key("solver.descent"),
        key: "solver.descent".into(),
        found: format!("found `{name}`, which does not apply to this problem ({})", named.summary()),
        expected: format!("one of: {}", names.join(", ")),
        hint: Some(format!("without the key `{}` is chosen", names[0])),
    })
}

/// One entry per factor, where the data decides how many there are.
fn one_each(spec: &Spec, count: usize, dataset: &Dataset) -> Result<Vec<FactorSpec>, DataError> {
    match spec.factors.as_slice() {
        [one] => Ok(vec![one.clone(); count]),
        all if all.len() == count => Ok(all.to_vec()),
        all => Err(DataError::Key {
            place: spec.places.key("regularizer.factors"),
            key: "regularizer.factors".into(),
            found: format!("found {} entries", all.len()),
            expected: format!(
                "one entry for all factors, or {count}: one for each index of the target; {}",
                shape_of(dataset)
            ),
            hint: None,
        }),
    }
}

/// The target's shape, in words.
fn shape_of(dataset: &Dataset) -> String {
    format!("{} has shape {:?}", dataset.resolved.target.shown, dataset.place_sizes())
}

/// The blocks, and the loss without those that can be minimised out of it.
fn build_extras(
    spec: &Spec,
    dataset: &Dataset,
    records: &mut Vec<FileRecord>,
) -> Result<(Vec<Block>, Option<Profiled>), DataError> {
    if spec.extras.is_empty() {
        return Ok((Vec::new(), None));
    }
    let inner: Arc<dyn loss::Loss> = build_loss(&spec.loss, &dataset.observations).into();
    let mut profiled = Profiled { inner, lo: f64::NEG_INFINITY, hi: f64::INFINITY };
    let mut blocks = Vec::new();
    for (k, e) in spec.extras.iter().enumerate() {
        let sizes = dataset.place_sizes();
        if let Some(axis) = e.axis.filter(|a| *a >= sizes.len()) {
            let key = format!("extra[{k}].axis");
            return Err(DataError::Key {
                place: spec.places.key(&key),
                key,
                found: format!("found {}", axis + 1),
                expected: format!("an index from 1 to {}: {}", sizes.len(), shape_of(dataset)),
                hint: None,
            });
        }
        let map = build_extra(e, dataset.places(), &sizes, records)?;
        if matches!(e.penalty, Penalty::None | Penalty::Nonnegative)
            && let Some(found) = map.unseen()
        {
            return Err(DataError::Shape {
                file: spec.data.target.shown.clone(),
                expected: format!("data that determines every coefficient of the free extra `{}`", e.kind),
                found,
                hint: Some("give the extra a penalty, or leave that line out of the data".into()),
            });
        }
        let ends = outlier_ends(e.penalty);
        let minimised_out = e.kind == extra::outliers::KIND.name && ends.is_some();
        if let Some((lo, hi)) = ends.filter(|_| minimised_out) {
            (profiled.lo, profiled.hi) = (lo, hi);
        }
        blocks.push(Block { map, penalty: e.penalty, profiled: minimised_out });
    }
    Ok((blocks, Some(profiled)))
}

/// Where a penalty on outliers ends the domain of z, if they can be minimised out of the loss under it.
pub fn outlier_ends(penalty: Penalty) -> Option<(f64, f64)> {
    match penalty {
        Penalty::L1(w) => Some((-w, w)),
        Penalty::Nonnegative => Some((f64::NEG_INFINITY, 0.0)),
        _ => None,
    }
}

/// The gauges of factors of these lengths.
///
/// # Errors
/// [`DataError`] if a file of the spec does not fit.
pub fn build_gauges(spec: &Spec, rows: impl Iterator<Item = usize>) -> Result<Vec<Gauge>, DataError> {
    let of = |k: usize| spec.factors.get(k).unwrap_or(&spec.factors[0]);
    rows.enumerate().map(|(k, d)| gauges::build(of(k), d, &mut Vec::new())).collect()
}

/// One block's map on these observed entries; its side matrix is recorded.
///
/// # Errors
/// [`DataError`] if the side matrix cannot be read or does not fit.
///
/// # Panics
/// If its name is not registered: a checked spec has only registered ones.
pub fn build_extra(
    e: &ExtraSpec,
    observations: &Observations,
    sizes: &[usize],
    records: &mut Vec<FileRecord>,
) -> Result<Box<dyn Extra>, DataError> {
    let side = e.side.as_ref().map(data::read_factor).transpose()?;
    if let (Some((side, _)), Some(axis), Some(source)) = (&side, e.axis, &e.side) {
        let rows = sizes[axis];
        if side.nrows() != rows || side.ncols() == 0 {
            return Err(DataError::Shape {
                file: source.shown.clone(),
                expected: format!("{rows} rows, one per index of axis {}", axis + 1),
                found: format!("{} x {}", side.nrows(), side.ncols()),
                hint: None,
            });
        }
    }
    let setup = extra::Setup { observations, sizes, axis: e.axis, side: side.as_ref().map(|s| &s.0) };
    let map = (extra::kind(&e.kind).expect("registered").build)(&setup);
    records.extend(side.map(|s| s.1));
    Ok(map)
}

/// The mapping to outputs of these sizes, on these inputs where it is a network.
///
/// # Panics
/// If its name is not registered: a checked spec has only registered ones.
pub fn build_mapping(spec: &Spec, sizes: &[usize], inputs: Option<&Mat>) -> Box<dyn mapping::Mapping> {
    let kind = mapping::kind(&spec.mapping).expect("registered");
    (kind.build)(&mapping::Setup { sizes, inputs, layers: spec.layers.as_ref() })
}

/// The loss on these observed entries.
///
/// # Panics
/// If its name is not registered: a checked spec has only registered ones.
pub fn build_loss(spec: &LossSpec, observations: &Observations) -> Box<dyn loss::Loss> {
    let parameters: Vec<f64> = spec.parameters.iter().map(|p| p.1).collect();
    let rows = || observations.entries().map(|(i, _)| i as u32).collect();
    (loss::kind(&spec.kind).expect("registered").build)(&loss::Setup { parameters: &parameters, rows: &rows })
}
