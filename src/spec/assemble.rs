//! A checked spec and its data become a [`Problem`].

use super::model::{FactorSpec, NormWeight, Spec};
use crate::data::{self, DataError, Dataset, FileRecord};
use crate::gauge::Gauge;
use crate::problem::{Problem, Regularizer};
use crate::{cone, gauge, loss, mapping};

/// Builds the problem with `lambda` set to 1: resolve it with the problem's lambda_max where it is relative. Also returns the
/// records of weight files read.
///
/// # Errors
/// [`DataError`] if a weight file does not fit.
///
/// # Panics
/// If a name in the spec is not registered: a checked spec has only registered ones.
pub fn assemble(spec: &Spec, dataset: &Dataset) -> Result<(Problem, Vec<FileRecord>), DataError> {
    let mapping = (mapping::KINDS.iter().find(|k| k.name == spec.mapping).expect("registered").build)();
    let rows = mapping.factor_rows(dataset.observations.shape());
    let mut records = Vec::new();
    let gauges =
        spec.factors.iter().zip(&rows).map(|(f, &d)| build_gauge(f, d, &mut records)).collect::<Result<_, _>>()?;
    let problem = Problem {
        observations: dataset.observations.clone(),
        y: dataset.y.clone(),
        w: dataset.w.clone(),
        loss: (loss::KINDS.iter().find(|k| k.name == spec.loss).expect("registered").build)(),
        mapping,
        regularizer: Regularizer { form: spec.form, gauges },
        lambda: 1.0,
    };
    Ok((problem, records))
}

fn build_gauge(f: &FactorSpec, rows: usize, records: &mut Vec<FileRecord>) -> Result<Gauge, DataError> {
    let norm = (gauge::KINDS.iter().find(|k| k.name == f.norm).expect("registered").build)();
    let cone = f.cone.as_ref().map(|c| (cone::KINDS.iter().find(|k| k.name == *c).expect("registered").build)());
    let weights = match &f.weight {
        NormWeight::Uniform(1.0) => None,
        NormWeight::Uniform(w) => Some(vec![*w; rows]),
        NormWeight::File(source) => {
            let (w, record) = data::read_factor(source)?;
            let shape = |expected: String, found: String| DataError::Shape {
                file: source.shown.clone(),
                expected,
                found,
                hint: None,
            };
            if w.len() != rows {
                return Err(shape(format!("{rows} weights, one per coordinate of the factor"), w.len().to_string()));
            }
            if let Some(k) = w.iter().position(|w| !gauge::WEIGHT_RANGE.contains(w)) {
                return Err(shape("weights from 1e-75 to 1e75".into(), format!("{} at position {}", w[k], k + 1)));
            }
            records.push(record);
            Some(w.as_slice().to_vec())
        }
    };
    Ok(Gauge::new(norm, weights, cone).expect("a checked spec has only pairs with a rule"))
}
