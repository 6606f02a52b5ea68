//! What is kept out of the fit: entries, or the samples of a network, drawn with the seed or named by a mask.

use super::Observations;
use super::array::Array;
use super::dataset::{DataRequest, FileRecord, HeldOut, HoldoutRequest};
use super::error::DataError;
use super::load::{Cells, folded, lookup};
use super::read::read;
use crate::linalg::{Mat, Pattern};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use std::collections::HashSet;

/// Which cells are held out.
pub(super) fn hold_out(
    cells: &Cells,
    request: &mut DataRequest,
    files: &mut Vec<FileRecord>,
    notes: &mut Vec<String>,
) -> Result<Vec<bool>, DataError> {
    let count = cells.y.len();
    let flags = match request.holdout.clone() {
        None => return Ok(vec![false; count]),
        Some(HoldoutRequest::Mask(source)) => {
            let loaded = read(&source, notes)?;
            let flags = masked(cells, request, &loaded.array, &source.shown)?;
            files.push(loaded.record);
            request.holdout = Some(HoldoutRequest::Mask(loaded.source));
            flags
        }
        Some(HoldoutRequest::Fraction(fraction)) if request.input.is_some() => draw_samples(cells, fraction, request),
        Some(HoldoutRequest::Fraction(fraction)) => draw(cells, fraction, request),
    };
    let file = &request.target.shown;
    let held = flags.iter().filter(|h| **h).count();
    if held == count {
        return Err(DataError::NothingObserved {
            file: file.clone(),
            hint: Some("every observed entry was held out".into()),
        });
    }
    notes.push(if request.input.is_some() {
        let of = |wanted: bool| rows(cells, |k| flags[k] || !wanted).len();
        format!("{file}: {} of {} samples held out", of(true), of(false))
    } else {
        format!("{file}: {held} of {count} observed entries held out")
    });
    Ok(flags)
}

/// Entries where the mask is nonzero; the mask of a network's samples may be one column.
fn masked(cells: &Cells, request: &DataRequest, mask: &Array, file: &str) -> Result<Vec<bool>, DataError> {
    let one_each = request.input.is_some() && matches!(*mask.shape(), [m] | [m, 1] if m == cells.m);
    let shape = if one_each { vec![cells.m, 1] } else { cells.shape() };
    let value = lookup(mask, &shape, file)?;
    let place = |&(i, j): &(u32, u32)| if one_each { (i, 0) } else { (i, j) };
    Ok(cells.at.iter().map(|e| value(place(e)).is_some_and(|v| v != 0.0 && !v.is_nan())).collect())
}

/// The rows of the entries wanted, ascending.
fn rows(cells: &Cells, wanted: impl Fn(usize) -> bool) -> Vec<u32> {
    let mut rows: Vec<u32> = (0..cells.at.len()).filter(|&k| wanted(k)).map(|k| cells.at[k].0).collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}

/// round(fraction * count) of these, drawn with the seed.
fn drawn<T>(mut candidates: Vec<T>, fraction: f64, seed: u64) -> Vec<T> {
    candidates.shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(seed));
    candidates.truncate((fraction * candidates.len() as f64).round() as usize);
    candidates
}

/// All observed entries of rows drawn.
fn draw_samples(cells: &Cells, fraction: f64, request: &DataRequest) -> Vec<bool> {
    let held: HashSet<u32> = drawn(rows(cells, |_| true), fraction, request.seed).into_iter().collect();
    cells.at.iter().map(|e| held.contains(&e.0)).collect()
}

/// Entries drawn; symmetric targets keep (i, j) and (j, i) together.
fn draw(cells: &Cells, fraction: f64, request: &DataRequest) -> Vec<bool> {
    let symmetric = request.symmetric.is_some();
    let candidates = (0..cells.at.len()).filter(|&k| !symmetric || cells.at[k].0 >= cells.at[k].1).collect();
    let candidates = drawn(candidates, fraction, request.seed);
    let mut flags = vec![false; cells.at.len()];
    candidates.iter().for_each(|&k: &usize| flags[k] = true);
    if symmetric {
        let held: HashSet<(u32, u32)> = candidates.iter().map(|&k| cells.at[k]).collect();
        cells.at.iter().zip(&mut flags).for_each(|(&(i, j), f)| *f |= held.contains(&(j, i)));
    }
    flags
}

/// Fitted entries with targets and weights, and held-out ones, each in observation order.
pub(super) type Split = (Observations, Vec<f64>, Option<Vec<f64>>, Option<HeldOut>);

/// Parts fitted from held-out entries.
pub(super) fn split(cells: Cells, held: &[bool], file: &str) -> Result<Split, DataError> {
    let (fitted, test) = parts(cells, held);
    let (observations, y, w) = in_order(fitted, file)?;
    let holdout = match test {
        None => None,
        Some(test) => {
            let (observations, y, _) = in_order(test, file)?;
            Some(HeldOut { observations, operator: None, measured: None, inputs: None, y })
        }
    };
    Ok((observations, y, w, holdout))
}

/// The same for a network on these inputs, one row per row of the target: each part keeps the rows that it has entries of, and
/// `inputs` those of the fitted part.
pub(super) fn split_samples(cells: Cells, held: &[bool], inputs: &mut Mat, file: &str) -> Result<Split, DataError> {
    let (mut fitted, test) = parts(cells, held);
    let all = std::mem::replace(inputs, Mat::zeros(0, 0));
    let renumbered = |cells: &mut Cells| {
        let kept = rows(cells, |_| true);
        cells.at.iter_mut().for_each(|e| e.0 = kept.partition_point(|r| *r < e.0) as u32);
        cells.m = kept.len();
        all.select_rows(&kept.iter().map(|&r| r as usize).collect::<Vec<_>>())
    };
    *inputs = renumbered(&mut fitted);
    let test = test.map(|mut test| (renumbered(&mut test), test));
    let (observations, y, w) = in_order(fitted, file)?;
    let holdout = match test {
        None => None,
        Some((inputs, test)) => {
            let (observations, y, _) = in_order(test, file)?;
            Some(HeldOut { observations, operator: None, measured: None, inputs: Some(inputs), y })
        }
    };
    Ok((observations, y, w, holdout))
}

/// Fitted and held-out cells, the latter if there are any.
fn parts(cells: Cells, held: &[bool]) -> (Cells, Option<Cells>) {
    if !held.contains(&true) {
        return (cells, None);
    }
    let mut test = cells.clone();
    test.keep(held);
    let mut fitted = cells;
    fitted.keep(&held.iter().map(|h| !h).collect::<Vec<_>>());
    (fitted, Some(test))
}

/// Entries, targets and weights.
type Ordered = (Observations, Vec<f64>, Option<Vec<f64>>);

/// In observation order.
fn in_order(cells: Cells, file: &str) -> Result<Ordered, DataError> {
    let sizes = cells.shape();
    let Cells { m, n, at, y, w, .. } = cells;
    if at.len() == m * n && at.windows(2).all(|e| (e[0].1, e[0].0) < (e[1].1, e[1].0)) {
        return Ok((Observations::Full { rows: m, cols: n }, y, w));
    }
    let entries: Vec<(usize, usize)> = at.iter().map(|e| (e.0 as usize, e.1 as usize)).collect();
    let (pattern, order) = Pattern::new(m, n, &entries).map_err(|d| DataError::Duplicate {
        file: file.into(),
        index: folded(&sizes, entries[d.first].0 + entries[d.first].1 * m),
        first: d.first + 1,
        second: d.second + 1,
    })?;
    let pick = |v: &[f64]| order.iter().map(|&k| v[k]).collect::<Vec<f64>>();
    Ok((Observations::Coordinates(pattern), pick(&y), w.as_deref().map(pick)))
}
