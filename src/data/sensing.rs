//! The operator of a sensing problem from its file.

use super::array::Array;
use super::dataset::{FileRecord, OperatorSource};
use super::error::DataError;
use super::load::{UNLISTED, is_likely};
use super::memory;
use super::operator::Operator;
use super::read::{cell_error, read};
use crate::linalg::Mat;

/// Reads `operator` for a target of this shape; `square` where the mapping wants one. Fills in `dims` and what was decided
/// while reading.
///
/// # Errors
/// [`DataError`] if the target is no vector, or the operator does not fit it.
pub fn read_operator(
    request: &mut OperatorSource,
    square: bool,
    (m, n): (usize, usize),
    target: &str,
    notes: &mut Vec<String>,
) -> Result<(Operator, FileRecord), DataError> {
    let file = request.source.shown.clone();
    let misfit = |file: &str, expected: String, found: String| DataError::Shape {
        file: file.into(),
        expected,
        found,
        hint: None,
    };
    if n != 1 {
        return Err(misfit(
            target,
            "a vector of measurements, since there is an operator".into(),
            format!("{m} x {n}"),
        ));
    }
    // what reading finds out is not what the spec says
    let said = request.dims.is_some() || request.source.shape.is_some();
    let loaded = read(&request.source, notes)?;
    request.source = loaded.source;
    let shape = loaded.array.shape().to_vec();
    if shape.first() != Some(&m) {
        let expected = format!("{m} matrices, one per entry of {target}");
        return Err(misfit(&file, expected, format!("{} in an array of shape {shape:?}", shape.first().unwrap_or(&0))));
    }
    let dims = match (shape.as_slice(), request.dims) {
        ([_, a, b], None) => (*a, *b),
        ([_, a, b], Some(dims)) if dims == (*a, *b) => dims,
        ([_, width], Some((a, b))) if a.checked_mul(b) == Some(*width) => (a, b),
        ([_, width], None) if width.isqrt() * width.isqrt() == *width => (width.isqrt(), width.isqrt()),
        (_, dims) => {
            let expected = match dims {
                Some((a, b)) => format!("m x {a} x {b}, or a matrix with m rows of {a} x {b} entries"),
                None => {
                    "an array m x d1 x d2, or a matrix with rows of d x d entries (`dims = [d1, d2]` for others)".into()
                }
            };
            return Err(misfit(&file, expected, format!("shape {shape:?}")));
        }
    };
    if square && dims.0 != dims.1 {
        return Err(misfit(&file, "square matrices for the psd mapping".into(), format!("{} x {}", dims.0, dims.1)));
    }
    if dims.0 == 0 || dims.1 == 0 {
        return Err(misfit(&file, "matrices with entries".into(), format!("{} x {}", dims.0, dims.1)));
    }
    let listed = if let Array::Coordinates { values, .. } = &loaded.array { Some(values.len()) } else { None };
    if listed.is_some_and(|count| !said && !is_likely(dims.0.saturating_mul(dims.1), count, UNLISTED)) {
        return Err(DataError::Shape {
            file,
            expected: "matrices of a size that its entries make likely".into(),
            found: format!("{} x {}", dims.0, dims.1),
            hint: Some(format!("if it is right, say so: `dims = [{}, {}]`", dims.0, dims.1)),
        });
    }
    if shape.len() == 2 {
        request.dims = Some(dims);
    }
    let operator = operator(loaded.array, dims, m, &file)?;
    Ok((operator, loaded.record))
}

fn operator(array: Array, (d1, d2): (usize, usize), m: usize, file: &str) -> Result<Operator, DataError> {
    let bad = |at: (usize, usize), found: f64| Err(cell_error(file, at, "a finite number", found));
    // row by row in the file, column by column here
    let column = |c: usize| c / d2 + d1 * (c % d2);
    match array {
        Array::Dense { shape, values } => {
            if let Some(k) = values.iter().position(|v| !v.is_finite()) {
                return bad((k % m, k / m), values[k]);
            }
            memory::require(file, values.len() as f64 * 24.0)?;
            let all = Mat::from_vec(m, d1 * d2, values);
            if shape.len() == 3 {
                return Ok(Operator::dense(all, (d1, d2)));
            }
            let mut rows = Mat::zeros(m, d1 * d2);
            (0..d1 * d2).for_each(|c| rows.set_column(column(c), &all.column(c)));
            Ok(Operator::dense(rows, (d1, d2)))
        }
        Array::Coordinates { shape, index, values, .. } => {
            let mut rows = vec![Vec::new(); m];
            for (e, &v) in index.chunks_exact(shape.len()).zip(&values) {
                if !v.is_finite() {
                    return bad((e[0], e[1]), v);
                }
                let position = if let [_, i, j] = *e { i + d1 * j } else { column(e[1]) };
                let at = u32::try_from(position).map_err(|_| DataError::Shape {
                    file: file.into(),
                    expected: "matrices of fewer than 2^32 entries".into(),
                    found: format!("{d1} x {d2}"),
                    hint: None,
                })?;
                rows[e[0]].push((at, v));
            }
            Ok(Operator::sparse(rows, (d1, d2)))
        }
    }
}
