//! `data.transform`: made from what is fitted, applied to every entry of the target.

use super::dataset::{AppliedTransform, Transform};
use super::error::DataError;
use super::load::Cells;

/// Applies it; what was done, if anything.
///
/// # Errors
/// [`DataError`]: a column that does not vary, a value that the transform is not made for.
pub(super) fn apply_transform(
    cells: &mut Cells,
    held: &[bool],
    transform: &Transform,
    file: &str,
    names: Option<&[String]>,
) -> Result<Option<AppliedTransform>, DataError> {
    let applied = match transform {
        Transform::None => return Ok(None),
        Transform::Log1p => {
            if let Some(k) = cells.y.iter().position(|y| *y <= -1.0) {
                return Err(cells.error(file, cells.at[k], "a value above -1 for log1p", cells.y[k]));
            }
            AppliedTransform::Log1p
        }
        Transform::Subtract(c) => AppliedTransform::Subtract(*c),
        Transform::Center | Transform::Scale | Transform::Standardize => {
            if cells.sizes.len() > 2 {
                return Err(DataError::Shape {
                    file: file.into(),
                    expected: "a matrix for a transform by columns".into(),
                    found: format!("an array of shape {:?}", cells.sizes),
                    hint: Some("none, log1p and { subtract = c } work on every shape".into()),
                });
            }
            let (mean, deviation) = column_moments(cells, held);
            let (mut offset, mut scale) = (vec![0.0; cells.n], vec![1.0; cells.n]);
            if *transform != Transform::Scale {
                offset = mean;
            }
            if *transform != Transform::Center {
                if let Some(j) = deviation.iter().position(|d| *d == 0.0) {
                    let name = names.map_or_else(|| (j + 1).to_string(), |n| format!("{} (`{}`)", j + 1, n[j]));
                    return Err(DataError::Shape {
                        file: file.into(),
                        expected: "columns that vary, to divide by their deviation".into(),
                        found: format!("column {name} is constant"),
                        hint: Some("leave it out with `columns`, or use `transform = \"center\"`".into()),
                    });
                }
                scale = deviation.into_iter().map(|d| if d.is_nan() { 1.0 } else { d }).collect();
            }
            AppliedTransform::Columns { offset, scale }
        }
    };
    let changed: Vec<f64> = cells.at.iter().zip(&cells.y).map(|(e, y)| applied.apply(e.1 as usize, *y)).collect();
    // sums and squares of large numbers are infinite; what is divided by that would be 0
    let infinite = match &applied {
        AppliedTransform::Columns { scale, .. } => cells.at.iter().position(|e| scale[e.1 as usize].is_infinite()),
        _ => None,
    };
    if let Some(k) = changed.iter().position(|y| !y.is_finite()).or(infinite) {
        return Err(cells.error(file, cells.at[k], "a value small enough for the transform", cells.y[k]));
    }
    cells.y = changed;
    Ok(Some(applied))
}

/// Mean and population deviation of every column over its fitted entries (0 and NaN for a column without any).
fn column_moments(cells: &Cells, held: &[bool]) -> (Vec<f64>, Vec<f64>) {
    let fitted = || cells.at.iter().zip(&cells.y).zip(held).filter(|(_, h)| !**h).map(|((e, y), _)| (e.1 as usize, *y));
    let mut count = vec![0.0; cells.n];
    let mut mean = vec![0.0; cells.n];
    for (j, y) in fitted() {
        count[j] += 1.0;
        mean[j] += y;
    }
    mean.iter_mut().zip(&count).for_each(|(m, c)| *m /= f64::max(*c, 1.0));
    let mut square = vec![0.0; cells.n];
    for (j, y) in fitted() {
        square[j] += (y - mean[j]) * (y - mean[j]);
    }
    let deviation = square.iter().zip(&count).map(|(s, c)| (s / c).sqrt()).collect();
    (mean, deviation)
}
