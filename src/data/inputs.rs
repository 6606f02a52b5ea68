//! The inputs of a network: one row per sample of the target, standardised and with a column of ones where asked for.

use super::array::Array;
use super::dataset::{FileRecord, InputSource, Inputs};
use super::error::DataError;
use super::read::{cell_at, matrix_shape, read};
use crate::linalg::Mat;

/// Inputs are no larger: their squares are finite.
const LARGEST: f64 = 1e150;

/// Reads them for the target named, of which the rows flagged in `used` are fitted: their mean and population deviation
/// standardise. The request gets the choices made while reading.
pub(super) fn read_inputs(
    request: &mut InputSource,
    used: &[bool],
    target: &str,
    notes: &mut Vec<String>,
) -> Result<(Inputs, FileRecord), DataError> {
    let file = request.source.shown.clone();
    let misfit = |expected: String, found: String, hint: Option<&str>| DataError::Shape {
        file: file.clone(),
        expected,
        found,
        hint: hint.map(Into::into),
    };
    let loaded = read(&request.source, notes)?;
    request.source = loaded.source;
    let (rows, cols) = matrix_shape(loaded.array.shape(), &file)?;
    let Array::Dense { values, .. } = loaded.array else {
        return Err(misfit("a dense array of inputs".into(), "a coordinate format".into(), None));
    };
    if rows != used.len() {
        let expected = format!("{} rows of inputs, one for each row of {target}", used.len());
        return Err(misfit(expected, format!("{rows} rows"), None));
    }
    if cols == 0 && !request.bias {
        return Err(misfit("at least one column of inputs".into(), "none".into(), None));
    }
    if let Some(k) = values.iter().position(|v| v.is_nan() || v.abs() > LARGEST) {
        let expected = "a finite number of size at most 1e150 in every cell of the inputs";
        return Err(cell_at(&file, loaded.layout.as_ref(), (k % rows, k / rows), expected, values[k]));
    }
    let named = loaded.names.filter(|n| n.len() == cols);
    let names: Vec<String> = named.unwrap_or_else(|| (1..=cols).map(|j| j.to_string()).collect());
    let mut inputs =
        Inputs { values: Mat::from_vec(rows, cols, values), names, mean: vec![0.0; cols], deviation: vec![1.0; cols] };
    if request.standardize {
        for (j, mut column) in inputs.values.column_iter_mut().enumerate() {
            let (mean, deviation) = moments(column.as_slice(), used);
            if deviation.is_nan() || deviation <= 1e-14 * mean.abs() {
                let name = &inputs.names[j];
                let hint = "leave it out with `columns`; `bias = true` adds a constant column";
                return Err(misfit(
                    "columns of inputs that vary, to divide by their deviation".into(),
                    format!("column {} (`{name}`) is constant", j + 1),
                    Some(hint),
                ));
            }
            (inputs.mean[j], inputs.deviation[j]) = (mean, deviation);
            column.apply(|x| *x = (*x - mean) / deviation);
        }
    }
    let standardised = if request.standardize { "standardised over the fitted rows" } else { "as they are" };
    let bias = if request.bias { ", and a column of ones" } else { "" };
    let plural = if cols == 1 { "" } else { "s" };
    notes.push(format!("{file}: {cols} input{plural}, {standardised}{bias}"));
    if request.bias {
        inputs.values = inputs.values.insert_column(cols, 1.0);
    }
    Ok((inputs, loaded.record))
}

/// Mean and population deviation of the entries flagged.
pub(super) fn moments(x: &[f64], used: &[bool]) -> (f64, f64) {
    let of = |f: &dyn Fn(f64) -> f64| x.iter().zip(used).filter(|(_, u)| **u).map(|(x, _)| f(*x)).sum::<f64>();
    let count = of(&|_| 1.0);
    let mean = of(&|x| x) / count;
    (mean, (of(&|x| (x - mean) * (x - mean)) / count).sqrt())
}
