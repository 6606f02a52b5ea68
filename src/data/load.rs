//! Target, mask, weights, transform and held-out entries put together.

use super::array::Array;
use super::csv::{Layout, MOST_INDICES};
use super::dataset::{DataRequest, Dataset, FileRecord, Meaning, TargetKind, WeightSource};
use super::error::DataError;
use super::holdout::{hold_out, split, split_samples};
use super::read::{cell_at, cell_error, format_of, matrix_shape, read, read_with};
use super::source::{Absent, Source};
use super::symmetric::make_symmetric;
use super::transform::apply_transform;
use super::{Observations, inputs, memory, sensing, target};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Observed entries in the order of the file, or first index fastest for dense data. An array of higher order is seen as its
/// unfolding d_1 x (d_2 .. d_K).
#[derive(Clone)]
pub(super) struct Cells {
    /// d_1 .. d_K of an array of higher order, else m and n.
    pub(super) sizes: Vec<usize>,
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) at: Vec<(u32, u32)>,
    pub(super) y: Vec<f64>,
    pub(super) w: Option<Vec<f64>>,
    /// Where they stand in their file, if it is a dense table.
    pub(super) layout: Option<Rc<Layout>>,
    /// Their file, if it lists coordinates: it is read again for the row of one that is wrong.
    pub(super) listed: Option<Rc<Source>>,
}

impl Cells {
    /// d_1 .. d_K.
    pub(super) fn shape(&self) -> Vec<usize> {
        if self.sizes.len() > 2 { self.sizes.clone() } else { vec![self.m, self.n] }
    }

    /// What is wrong with a target.
    pub(super) fn error(&self, file: &str, at: (u32, u32), expected: &'static str, found: f64) -> DataError {
        if let Some(layout) = &self.layout {
            return cell_at(file, Some(layout), (at.0 as usize, at.1 as usize), expected, found);
        }
        let sizes = self.shape();
        let position = at.0 as usize + at.1 as usize * self.m;
        let Some(source) = &self.listed else { return entry_error(file, &sizes, position, expected, found) };
        // what comes through a pipe comes once
        let again = source.path.is_file().then(|| read(source, &mut Vec::new()).ok()).flatten();
        let is = |e: &[usize]| unfolded(&sizes, e) == at;
        // one that is not listed is zero
        let unlisted = || array_error(file, &folded(&sizes, position), expected, found);
        again.and_then(|l| listed_error(&l.array, source, is, expected, found)).unwrap_or_else(unlisted)
    }

    /// Keeps the entries whose flag is set.
    pub(super) fn keep(&mut self, flags: &[bool]) {
        let mut kept = flags.iter();
        self.at.retain(|_| *kept.next().unwrap_or(&false));
        let mut kept = flags.iter();
        self.y.retain(|_| *kept.next().unwrap_or(&false));
        if let Some(w) = &mut self.w {
            let mut kept = flags.iter();
            w.retain(|_| *kept.next().unwrap_or(&false));
        }
    }
}

/// Reads everything the `[data]` table asks for.
///
/// # Errors
/// [`DataError`], before any work is done on the data.
pub fn load(request: &DataRequest) -> Result<Dataset, DataError> {
    let mut notes = Vec::new();
    let mut files = Vec::new();
    let target = read_with(&request.target, request.kind == TargetKind::Classes, &mut notes)?;
    let file = request.target.shown.as_str();
    let mut resolved = DataRequest { target: target.source, ..request.clone() };
    let (names, labels) = (target.names, target.labels);
    let dense = matches!(target.array, Array::Dense { .. });
    files.push(target.record);
    let mut cells = cells(target.array, &request.target, request.any_order)?;
    cells.layout = target.layout.map(Rc::new);
    let listed = cells.y.len();
    let flags: Vec<bool> = cells.y.iter().map(|y| !y.is_nan()).collect();
    cells.keep(&flags);
    if let Some(infinite) = cells.y.iter().position(|y| y.is_infinite()) {
        return Err(cells.error(file, cells.at[infinite], "a finite number", cells.y[infinite]));
    }
    if let Some(mask) = &request.mask {
        let loaded = read(mask, &mut notes)?;
        resolved.mask = Some(loaded.source);
        let value = lookup(&loaded.array, &cells.shape(), &mask.shown)?;
        let flags: Vec<bool> = cells.at.iter().map(|&e| value(e).is_some_and(|v| v != 0.0 && !v.is_nan())).collect();
        files.push(loaded.record);
        cells.keep(&flags);
    }
    if let Some(weights) = &request.weights {
        let source = apply_weights(&mut cells, weights, &mut files, &mut notes)?;
        resolved.weights = Some(WeightSource { source, axis: weights.axis });
    }
    if cells.y.is_empty() {
        let hint =
            (listed > 0).then(|| format!("{listed} entries were read; mask, weights or missing values left none"));
        return Err(DataError::NothingObserved { file: file.into(), hint });
    }
    if dense && cells.y.len() < listed {
        notes.push(format!("{file}: {} of {listed} entries are missing or masked", listed - cells.y.len()));
    }
    if !dense && request.target.absent == Absent::Missing {
        notes.push(format!("{file}: entries that are not listed are missing"));
    }
    let (mut classes, mut zero_one) = (Vec::new(), false);
    match request.kind {
        TargetKind::Real => {}
        TargetKind::Signs => zero_one = target::signs(&mut cells, file, &mut notes)?,
        TargetKind::Counts => target::counts(&cells, file)?,
        TargetKind::Classes => classes = target::labels(&mut cells, file, names.as_deref(), labels, &mut notes)?,
    }
    let measurements = (cells.m, cells.n);
    if let Some(symmetrize) = request.symmetric.filter(|_| request.operator.is_none()) {
        make_symmetric(&mut cells, symmetrize, &request.transform, file, &mut notes)?;
    }
    let mut held = hold_out(&cells, &mut resolved, &mut files, &mut notes)?;
    let transform = apply_transform(&mut cells, &held, &request.transform, file, names.as_deref())?;
    if !classes.is_empty() {
        target::expand(&mut cells, &mut held, classes.len(), file)?;
    }
    let mut sizes = cells.shape();
    let mut inputs = None;
    let (mut observations, y, w, mut holdout) = match &mut resolved.input {
        None => split(cells, &held, file)?,
        Some(request) => {
            let mut used = vec![false; cells.m];
            cells.at.iter().zip(&held).filter(|(_, held)| !**held).for_each(|(e, _)| used[e.0 as usize] = true);
            let (read, record) = inputs::read_inputs(request, &used, file, &mut notes)?;
            files.push(record);
            let parts = split_samples(cells, &held, &mut inputs.insert(read).values, file)?;
            sizes[0] = parts.0.shape().0;
            parts
        }
    };
    let (mut operator, mut measured) = (None, None);
    if let Some(source) = &mut resolved.operator {
        let (all, record) =
            sensing::read_operator(source, request.symmetric.is_some(), measurements, file, &mut notes)?;
        files.push(record);
        let of = |o: &Observations| all.select(&o.entries().map(|e| e.0).collect::<Vec<_>>());
        operator = Some(of(&observations));
        let (rows, cols) = all.shape();
        let entries = Observations::Full { rows, cols };
        measured = Some(std::mem::replace(&mut observations, entries.clone()));
        sizes = vec![rows, cols];
        if let Some(h) = &mut holdout {
            h.operator = Some(of(&h.observations));
            h.measured = Some(std::mem::replace(&mut h.observations, entries));
        }
    }
    // a file that is both target and input is read twice
    let mut seen = HashSet::new();
    notes.retain(|n| seen.insert(n.clone()));
    let columns = names.filter(|n| n.len() == measurements.1);
    let meaning = Meaning { columns, classes, zero_one };
    Ok(Dataset {
        sizes,
        observations,
        operator,
        measured,
        inputs,
        y,
        w,
        holdout,
        transform,
        meaning,
        files,
        notes,
        resolved,
    })
}

/// The target as a list of entries.
fn cells(array: Array, source: &Source, any_order: bool) -> Result<Cells, DataError> {
    let file = &source.shown;
    let sizes = target_sizes(array.shape(), any_order, file)?;
    let (m, n) = (sizes[0], sizes[1..].iter().fold(1, |n: usize, d| n.saturating_mul(*d)));
    if let Some(d) = [m, n].iter().find(|d| **d > i32::MAX as usize) {
        let order = sizes.len();
        return Err(DataError::Shape {
            file: file.clone(),
            expected: if order > 2 {
                "sizes whose product without the first is below 2^31"
            } else {
                "sizes below 2^31"
            }
            .into(),
            found: if order > 2 { format!("{sizes:?}") } else { d.to_string() },
            hint: None,
        });
    }
    let columns = if m == 0 { 0 } else { n as u32 };
    let everywhere = || -> Vec<(u32, u32)> { (0..columns).flat_map(|j| (0..m as u32).map(move |i| (i, j))).collect() };
    let full_bytes = m as f64 * n as f64 * 64.0;
    match array {
        Array::Dense { values, .. } => {
            memory::require(file, full_bytes)?;
            Ok(Cells { sizes, m, n, at: everywhere(), y: values, w: None, layout: None, listed: None })
        }
        Array::Coordinates { index, values, rows, shape } => {
            refuse_unlikely(&sizes, values.len(), source)?;
            memory::require(file, (m + n) as f64 * 64.0 + values.len() as f64 * 64.0)?;
            let at: Vec<(u32, u32)> = index.chunks_exact(shape.len()).map(|e| unfolded(&sizes, e)).collect();
            refuse_duplicates(&at, &rows, &sizes, source)?;
            let listed = Some(Rc::new(source.clone()));
            if source.absent == Absent::Missing {
                return Ok(Cells { sizes, m, n, at, y: values, w: None, layout: None, listed });
            }
            memory::require(file, full_bytes)?;
            let mut y = vec![0.0; m * n];
            at.iter().zip(&values).for_each(|(&(i, j), v)| y[j as usize * m + i as usize] = *v);
            Ok(Cells { sizes, m, n, at: everywhere(), y, w: None, layout: None, listed })
        }
    }
}

/// Rows and columns that a file may have without listing anything in them, and how many more for each entry that it lists.
pub(super) const UNLISTED: (usize, usize) = (1 << 24, 64);

/// Entries that are zero for not being listed, and how many more for each that is.
const ZEROS: (usize, usize) = (1 << 23, 32);

/// Whether `count` entries make a size likely.
pub(super) fn is_likely(size: usize, count: usize, (some, each): (usize, usize)) -> bool {
    size <= each.saturating_mul(count).saturating_add(some)
}

/// A few entries far out make a large array, for which memory is taken: only the spec is believed that it is meant.
fn refuse_unlikely(sizes: &[usize], count: usize, source: &Source) -> Result<(), DataError> {
    let product = |sizes: &[usize]| sizes.iter().fold(1, |n: usize, d| n.saturating_mul(*d));
    let lines = sizes[0].saturating_add(product(&sizes[1..]));
    let zeros = source.absent == Absent::Zero && !is_likely(product(sizes), count, ZEROS);
    if source.shape.is_some() || (is_likely(lines, count, UNLISTED) && !zeros) {
        return Ok(());
    }
    Err(DataError::Shape {
        file: source.shown.clone(),
        expected: format!("a shape that its {count} entries make likely"),
        found: format!("{sizes:?}"),
        hint: Some(format!("if it is right, say so: `shape = {sizes:?}`")),
    })
}

/// Sizes of the target, two at least.
fn target_sizes(shape: &[usize], any_order: bool, file: &str) -> Result<Vec<usize>, DataError> {
    if shape.len() > MOST_INDICES {
        return Err(DataError::Shape {
            file: file.into(),
            expected: format!("at most {MOST_INDICES} indices"),
            found: shape.len().to_string(),
            hint: None,
        });
    }
    if any_order && shape.len() > 2 {
        return Ok(shape.to_vec());
    }
    matrix_shape(shape, file).map(|(m, n)| vec![m, n])
}

/// Row and column of an entry in the unfolding.
pub(super) fn unfolded(sizes: &[usize], index: &[usize]) -> (u32, u32) {
    let column = index[1..].iter().zip(&sizes[1..]).rev().fold(0, |j, (i, d)| j * d + i);
    (index[0] as u32, column as u32)
}

/// The indices of the entry that stands at `position`, first index fastest.
pub(super) fn folded(sizes: &[usize], mut position: usize) -> Vec<usize> {
    let mut index = Vec::new();
    for d in sizes {
        index.push(position % d.max(&1));
        position /= d.max(&1);
    }
    index
}

/// What is wrong with the entry at `position` of an array: by row and column, or by all its indices.
pub(super) fn entry_error(
    file: &str,
    sizes: &[usize],
    position: usize,
    expected: &'static str,
    found: f64,
) -> DataError {
    index_error(file, &folded(sizes, position), expected, found)
}

/// The same for the entry of these indices.
fn index_error(file: &str, index: &[usize], expected: &'static str, found: f64) -> DataError {
    match *index {
        [i] => cell_error(file, (i, 0), expected, found),
        [i, j] => cell_error(file, (i, j), expected, found),
        _ => array_error(file, index, expected, found),
    }
}

/// The same by all its indices.
fn array_error(file: &str, index: &[usize], expected: &'static str, found: f64) -> DataError {
    DataError::Entry {
        file: file.into(),
        index: index.iter().map(|i| i + 1).collect(),
        expected,
        found: found.to_string(),
    }
}

/// The same for the entry of a list that `is` says; `None` where the array is no list, or has no such entry.
fn listed_error(
    array: &Array,
    source: &Source,
    is: impl Fn(&[usize]) -> bool,
    expected: &'static str,
    found: f64,
) -> Option<DataError> {
    let Array::Coordinates { shape, index, rows, .. } = array else { return None };
    let mut entries = index.chunks_exact(shape.len()).zip(rows);
    let (index, &row) = entries.find(|(e, _)| is(e))?;
    Some(DataError::Listed {
        file: source.shown.clone(),
        row,
        index: as_listed(index, source),
        expected,
        found: found.to_string(),
    })
}

/// Indices as their file counts them.
fn as_listed(index: &[usize], source: &Source) -> Vec<usize> {
    let base = source.index_base.unwrap_or(format_of(source).map_or(0, |f| f.index_base()));
    index.iter().map(|i| i.saturating_add(base)).collect()
}

fn refuse_duplicates(at: &[(u32, u32)], rows: &[usize], sizes: &[usize], source: &Source) -> Result<(), DataError> {
    let mut order: Vec<usize> = (0..at.len()).collect();
    order.sort_by_key(|&k| (at[k], k));
    match order.windows(2).find(|w| at[w[0]] == at[w[1]]) {
        None => Ok(()),
        Some(w) => {
            let (i, j) = at[w[0]];
            let index = folded(sizes, i as usize + j as usize * sizes[0]);
            Err(DataError::Duplicate {
                file: source.shown.clone(),
                index: as_listed(&index, source),
                first: rows[w[0]],
                second: rows[w[1]],
            })
        }
    }
}

/// Looks values up by entry; `None` where a coordinate array lists nothing.
pub(super) fn lookup<'a>(
    array: &'a Array,
    sizes: &[usize],
    file: &str,
) -> Result<impl Fn((u32, u32)) -> Option<f64> + use<'a>, DataError> {
    let shape = target_sizes(array.shape(), sizes.len() > 2, file)?;
    let m = sizes[0];
    let fits = match array {
        Array::Dense { .. } => shape == sizes,
        Array::Coordinates { .. } => shape.len() == sizes.len() && shape.iter().zip(sizes).all(|(a, b)| a <= b),
    };
    if !fits {
        let words = |sizes: &[usize]| sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
        return Err(DataError::Shape {
            file: file.into(),
            expected: format!("the target's shape {}", words(sizes)),
            found: words(&shape),
            hint: None,
        });
    }
    let listed: HashMap<(u32, u32), f64> = match array {
        Array::Dense { .. } => HashMap::new(),
        Array::Coordinates { index, values, shape, .. } => {
            index.chunks_exact(shape.len()).map(|e| unfolded(sizes, e)).zip(values.iter().copied()).collect()
        }
    };
    Ok(move |(i, j): (u32, u32)| match array {
        Array::Dense { values, .. } => Some(values[j as usize * m + i as usize]),
        Array::Coordinates { .. } => listed.get(&(i, j)).copied(),
    })
}

fn apply_weights(
    cells: &mut Cells,
    weights: &WeightSource,
    files: &mut Vec<FileRecord>,
    notes: &mut Vec<String>,
) -> Result<Source, DataError> {
    let file = &weights.source.shown;
    let loaded = read(&weights.source, notes)?;
    refuse_bad_weights(&loaded.array, &weights.source)?;
    let values: Vec<f64> = match weights.axis {
        None => {
            let value = lookup(&loaded.array, &cells.shape(), file)?;
            cells.at.iter().map(|&e| value(e).unwrap_or(0.0)).collect()
        }
        Some(axis) => {
            let size = cells.shape()[axis - 1];
            let Array::Dense { values, .. } = &loaded.array else {
                return Err(DataError::Shape {
                    file: file.clone(),
                    expected: "a vector".into(),
                    found: "a coordinate format".into(),
                    hint: None,
                });
            };
            if values.len() != size {
                return Err(DataError::Shape {
                    file: file.clone(),
                    expected: format!("{size} weights, one per index of axis {axis}"),
                    found: values.len().to_string(),
                    hint: None,
                });
            }
            cells.at.iter().map(|&(i, j)| values[if axis == 1 { i as usize } else { j as usize % size }]).collect()
        }
    };
    if let Some(k) = values.iter().position(|w| w.is_nan()) {
        let expected = "a weight for every observed entry (0 leaves it out)";
        let (sizes, at) = (cells.shape(), cells.at[k]);
        let position = at.0 as usize + at.1 as usize * cells.m;
        return Err(listed_error(&loaded.array, &weights.source, |e| unfolded(&sizes, e) == at, expected, values[k])
            .unwrap_or_else(|| entry_error(file, &sizes, position, expected, values[k])));
    }
    files.push(loaded.record);
    let flags: Vec<bool> = values.iter().map(|w| *w > 0.0).collect();
    cells.w = Some(values);
    cells.keep(&flags);
    if cells.w.as_ref().is_some_and(|w| w.iter().all(|w| *w == 1.0)) {
        cells.w = None;
    }
    Ok(loaded.source)
}

/// No weight may be negative or infinite, observed or not; the place is that in the weights' own array.
fn refuse_bad_weights(array: &Array, source: &Source) -> Result<(), DataError> {
    let (Array::Dense { values, .. } | Array::Coordinates { values, .. }) = array;
    let Some(k) = values.iter().position(|w| *w < 0.0 || w.is_infinite()) else { return Ok(()) };
    let shape = array.shape();
    const EXPECTED: &str = "a finite nonnegative weight";
    Err(match array {
        Array::Dense { .. } => index_error(&source.shown, &folded(shape, k), EXPECTED, values[k]),
        Array::Coordinates { index, rows, .. } => DataError::Listed {
            file: source.shown.clone(),
            row: rows[k],
            index: as_listed(&index[shape.len() * k..shape.len() * (k + 1)], source),
            expected: EXPECTED,
            found: values[k].to_string(),
        },
    })
}
