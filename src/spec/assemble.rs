//! A checked spec and its data become a [`Problem`].

use super::gauges;
use super::model::Spec;
use crate::data::{DataError, Dataset, FileRecord};
use crate::problem::{Problem, Regularizer};
use crate::{loss, mapping};

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
        spec.factors.iter().zip(&rows).map(|(f, &d)| gauges::build(f, d, &mut records)).collect::<Result<_, _>>()?;
    let problem = Problem {
        observations: dataset.observations.clone(),
        operator: dataset.operator.clone(),
        y: dataset.y.clone(),
        w: dataset.w.clone(),
        loss: (loss::KINDS.iter().find(|k| k.name == spec.loss).expect("registered").build)(),
        mapping,
        regularizer: Regularizer { form: spec.form, gauges },
        lambda: 1.0,
    };
    Ok((problem, records))
}
