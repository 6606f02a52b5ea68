//! Targets as a loss takes them: signs, counts, classes. Each message names row and column.

use super::error::DataError;
use super::load::{Cells, is_likely};
use super::memory;

fn bad(cells: &Cells, k: usize, file: &str, expected: &'static str) -> DataError {
    cells.error(file, cells.at[k], expected, cells.y[k])
}

/// Checks that every target is -1 or 1, or turns 0 and 1 into them; returns whether it did.
pub(super) fn signs(cells: &mut Cells, file: &str, notes: &mut Vec<String>) -> Result<bool, DataError> {
    if let Some(k) = cells.y.iter().position(|y| ![-1.0, 0.0, 1.0].contains(y)) {
        return Err(bad(cells, k, file, "-1 or 1 (or else 0 or 1) for this loss"));
    }
    let Some(zero) = cells.y.iter().position(|y| *y == 0.0) else { return Ok(false) };
    if cells.y.contains(&-1.0) {
        return Err(bad(cells, zero, file, "-1 or 1, as -1 occurs too"));
    }
    cells.y.iter_mut().for_each(|y| *y = 2.0 * *y - 1.0);
    notes.push(format!("{file}: targets 0 and 1 are taken as -1 and 1"));
    Ok(true)
}

/// Checks that every target is at least 0.
pub(super) fn counts(cells: &Cells, file: &str) -> Result<(), DataError> {
    match cells.y.iter().position(|y| *y < 0.0) {
        None => Ok(()),
        Some(k) => Err(bad(cells, k, file, "a count >= 0 for this loss")),
    }
}

/// One column of labels, or one-hot rows, become one column of class numbers from 0; returns the names of the classes.
pub(super) fn labels(
    cells: &mut Cells,
    file: &str,
    names: Option<&[String]>,
    text: Option<Vec<String>>,
    notes: &mut Vec<String>,
) -> Result<Vec<String>, DataError> {
    let classes: Vec<String> = if cells.n > 1 {
        one_hot(cells, file)?;
        names.map_or_else(|| (1..=cells.n).map(|j| j.to_string()).collect(), <[String]>::to_vec)
    } else {
        // those that are observed
        let mut distinct = cells.y.clone();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        cells.y.iter_mut().for_each(|y| *y = distinct.partition_point(|d| d < y) as f64);
        distinct.iter().map(|d| text.as_ref().map_or_else(|| d.to_string(), |t| t[*d as usize].clone())).collect()
    };
    cells.n = 1;
    if classes.len() < 2 {
        return Err(DataError::Shape {
            file: file.into(),
            expected: "at least two classes for this loss".into(),
            found: classes.len().to_string(),
            hint: None,
        });
    }
    // a file may hold as many labels as rows: the log shows the first
    let shown: Vec<&str> = classes.iter().take(50).map(String::as_str).collect();
    let more = if classes.len() > shown.len() { ", .." } else { "" };
    notes.push(format!("{file}: {} classes, in this order: {}{more}", classes.len(), shown.join(", ")));
    Ok(classes)
}

/// Rows of 0 and a single 1, each whole or missing, with one weight: the column of the 1 is the class.
fn one_hot(cells: &mut Cells, file: &str) -> Result<(), DataError> {
    let mut order: Vec<usize> = (0..cells.at.len()).collect();
    order.sort_by_key(|&k| cells.at[k]);
    let (mut at, mut y) = (Vec::new(), Vec::new());
    let mut w = cells.w.as_ref().map(|_| Vec::new());
    for row in order.chunk_by(|a, b| cells.at[*a].0 == cells.at[*b].0) {
        if let Some(&k) = row.iter().find(|&&k| cells.y[k] != 0.0 && cells.y[k] != 1.0) {
            return Err(bad(cells, k, file, "0 or 1 in a one-hot row (or give one column of labels)"));
        }
        let mut ones = row.iter().filter(|&&k| cells.y[k] == 1.0);
        let (Some(&one), None) = (ones.next(), ones.next()) else {
            return Err(bad(cells, row[row.len() - 1], file, "exactly one 1 in the row"));
        };
        if row.len() != cells.n {
            return Err(bad(cells, row[0], file, "a one-hot row that is whole, or missing as a whole"));
        }
        if let (Some(out), Some(weights)) = (&mut w, &cells.w) {
            if let Some(&k) = row.iter().find(|&&k| weights[k] != weights[row[0]]) {
                return Err(bad(cells, k, file, "one weight for all of a one-hot row"));
            }
            out.push(weights[row[0]]);
        }
        at.push((cells.at[one].0, 0));
        y.push(f64::from(cells.at[one].1));
    }
    (cells.at, cells.y, cells.w) = (at, y, w);
    Ok(())
}

/// Numbers in one-hot rows that labels may become, and how many more for each of them.
const ONE_HOT: (usize, usize) = (1 << 23, 16);

/// Class numbers become one-hot rows; what is held out stays so. Labels that hardly repeat are none.
pub(super) fn expand(cells: &mut Cells, held: &mut Vec<bool>, classes: usize, file: &str) -> Result<(), DataError> {
    let labels = cells.y.len();
    if !is_likely(labels.saturating_mul(classes), labels, ONE_HOT) {
        return Err(DataError::Shape {
            file: file.into(),
            expected: "labels of few classes".into(),
            found: format!("{labels} labels of {classes} classes"),
            hint: Some("one-hot rows of that size have to be given as such".into()),
        });
    }
    memory::require(file, cells.y.len() as f64 * classes as f64 * 64.0)?;
    // column by column, as a full target is ordered
    let columns = || (0..classes as u32).flat_map(|c| (0..cells.y.len()).map(move |k| (c, k)));
    let at = columns().map(|(c, k)| (cells.at[k].0, c)).collect();
    let y = columns().map(|(c, k)| f64::from(u8::from(cells.y[k] == f64::from(c)))).collect();
    let w = cells.w.as_ref().map(|w| columns().map(|(_, k)| w[k]).collect());
    *held = columns().map(|(_, k)| held[k]).collect();
    *cells = Cells { sizes: vec![cells.m, classes], m: cells.m, n: classes, at, y, w, layout: None, listed: None };
    Ok(())
}
