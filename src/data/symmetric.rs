//! Targets of the psd mapping, which are symmetric.

use super::dataset::Transform;
use super::error::DataError;
use super::load::Cells;
use std::collections::HashMap;

/// Checks that (i, j) and (j, i) agree, or averages them.
pub(super) fn make_symmetric(
    cells: &mut Cells,
    symmetrize: bool,
    transform: &Transform,
    file: &str,
    notes: &mut Vec<String>,
) -> Result<(), DataError> {
    if matches!(transform, Transform::Center | Transform::Scale | Transform::Standardize) {
        return Err(DataError::Shape {
            file: file.into(),
            expected: "a transform that keeps the target symmetric (none, log1p, { subtract = c })".into(),
            found: format!("`{transform:?}` by columns").to_lowercase(),
            hint: None,
        });
    }
    if cells.m != cells.n {
        return Err(DataError::Shape {
            file: file.into(),
            expected: "a square target for the psd mapping".into(),
            found: format!("{} x {}", cells.m, cells.n),
            hint: None,
        });
    }
    let value: HashMap<(u32, u32), (f64, f64)> =
        (0..cells.at.len()).map(|k| (cells.at[k], (cells.y[k], cells.w.as_ref().map_or(1.0, |w| w[k])))).collect();
    let mirrored = |(i, j): (u32, u32)| value.get(&(j, i));
    let differs = (0..cells.at.len()).find(|&k| mirrored(cells.at[k]) != value.get(&cells.at[k]));
    let Some(k) = differs else { return Ok(()) };
    let (i, j) = cells.at[k];
    if !symmetrize {
        let show = |v: Option<&(f64, f64)>| {
            v.map_or(
                "missing".to_string(),
                |(y, w)| if *w == 1.0 { y.to_string() } else { format!("{y} with weight {w}") },
            )
        };
        return Err(DataError::Asymmetric {
            file: file.into(),
            i: i as usize + 1,
            j: j as usize + 1,
            upper: show(value.get(&(i, j))),
            lower: show(mirrored((i, j))),
        });
    }
    let missing: Vec<(u32, u32)> = cells.at.iter().map(|&(i, j)| (j, i)).filter(|e| !value.contains_key(e)).collect();
    for e in missing {
        let (y, w) = value[&(e.1, e.0)];
        cells.at.push(e);
        cells.y.push(y);
        if let Some(weights) = &mut cells.w {
            weights.push(w);
        }
    }
    for k in 0..cells.at.len() {
        if let (Some(a), Some(b)) = (value.get(&cells.at[k]), mirrored(cells.at[k])) {
            cells.y[k] = f64::midpoint(a.0, b.0);
            if let Some(w) = &mut cells.w {
                w[k] = f64::midpoint(a.1, b.1);
            }
        }
    }
    notes.push(format!("{file}: symmetrised: entries (i, j) and (j, i) were averaged"));
    Ok(())
}
