//! One file, read as its source describes it.

use super::array::Array;
use super::dataset::FileRecord;
use super::error::{DataError, Place};
use super::source::{Absent, Format, Source};
use super::{csv, hash, matrix_market, npy, npz, tns};
use crate::linalg::Mat;

/// A file as read: its array, its columns' names, and its record.
pub struct Loaded {
    /// The array.
    pub array: Array,
    /// Names of the columns, where the file has any.
    pub names: Option<Vec<String>>,
    /// Where the cells of a dense table stand in its file.
    pub layout: Option<csv::Layout>,
    /// The labels that the array's numbers stand for, where the file holds text.
    pub labels: Option<Vec<String>>,
    /// For the report.
    pub record: FileRecord,
    /// The source with every choice made while reading filled in.
    pub source: Source,
}

/// Reads one file as its source describes it.
///
/// # Errors
/// [`DataError`].
pub fn read(source: &Source, notes: &mut Vec<String>) -> Result<Loaded, DataError> {
    read_with(source, false, notes)
}

/// The same, where a CSV file of one column may hold labels.
///
/// # Errors
/// [`DataError`].
pub fn read_with(source: &Source, labels: bool, notes: &mut Vec<String>) -> Result<Loaded, DataError> {
    let file = &source.shown;
    let bytes = std::fs::read(&source.path).map_err(|e| DataError::Io { file: file.clone(), source: e })?;
    let format = format_of(source)?;
    let mut resolved = Source { format: Some(format), ..source.clone() };
    let (mut found_labels, mut layout) = (None, None);
    let (mut array, mut names) = match format {
        Format::Csv => {
            let table = csv::read_dense(&bytes, source, labels, notes)?;
            resolved.header = Some(table.layout.names.is_some());
            found_labels = table.labels;
            (table.array, layout.insert(table.layout).names.clone())
        }
        Format::Triplets => {
            let (array, header) = csv::read_triplets(&bytes, source, notes)?;
            resolved.header = Some(header);
            (array, None)
        }
        Format::Npy => (npy::read(&bytes, file)?, None),
        Format::Npz => {
            let (key, array) = npz::read(&bytes, file, source.key.as_deref())?;
            notes.push(format!("{file}: array `{key}`"));
            resolved.key = Some(key);
            (array, None)
        }
        Format::MatrixMarket => (matrix_market::read(&bytes, file, source.index_base.unwrap_or(1))?, None),
        Format::Tns => (tns::read(&bytes, source, notes)?, None),
    };
    if format != Format::Csv && source.columns.is_some() {
        (array, names) = (select_columns(array, source)?, None);
    }
    // triplets have no shape of their own
    if let Some(want) = source.shape.as_ref().filter(|s| *s != array.shape()) {
        let (expected, found) = (format!("shape {want:?}"), format!("{:?}", array.shape()));
        return Err(DataError::Shape { file: file.clone(), expected, found, hint: None });
    }
    let observed = match &array {
        // what is not listed is observed too
        Array::Coordinates { shape, values, .. } if source.absent == Absent::Zero => {
            shape.iter().fold(1usize, |n, d| n.saturating_mul(*d)).saturating_sub(values.len()) + array.observed()
        }
        _ => array.observed(),
    };
    let record =
        FileRecord { shown: file.clone(), sha256: hash::sha256(&bytes), shape: array.shape().to_vec(), observed };
    if matches!(format, Format::Csv | Format::Triplets) {
        resolved.delimiter = Some(csv::delimiter(source));
    }
    if let Array::Coordinates { shape, .. } = &array {
        resolved.shape = Some(shape.clone());
        resolved.index_base = source.index_base.or(Some(format.index_base()));
    }
    Ok(Loaded { array, names, layout, labels: found_labels, record, source: resolved })
}

pub(super) fn format_of(source: &Source) -> Result<Format, DataError> {
    source.format.or_else(|| Format::of_extension(&source.path)).ok_or_else(|| DataError::Shape {
        file: source.shown.clone(),
        expected: "an extension that tells the format (csv, tsv, npy, npz, mtx, tns)".into(),
        found: format!("`{}`", source.path.extension().unwrap_or_default().to_string_lossy()),
        hint: Some("name it: `format = \"csv\"`, `\"triplets\"`, `\"npy\"`, `\"npz\"`, `\"mtx\"` or `\"tns\"`".into()),
    })
}

fn select_columns(array: Array, source: &Source) -> Result<Array, DataError> {
    let Array::Dense { shape, values } = array else {
        return Err(DataError::Shape {
            file: source.shown.clone(),
            expected: "a dense array for `columns`".into(),
            found: "a coordinate format".into(),
            hint: None,
        });
    };
    let (m, n) = matrix_shape(&shape, &source.shown)?;
    let picked = csv::pick_columns(source.columns.as_deref(), None, n, &source.shown)?;
    let values = picked.iter().flat_map(|&j| values[j * m..(j + 1) * m].iter().copied()).collect();
    Ok(Array::Dense { shape: vec![m, picked.len()], values })
}

/// One dimension is a column; more than two are refused.
pub(super) fn matrix_shape(shape: &[usize], file: &str) -> Result<(usize, usize), DataError> {
    match shape {
        [m] => Ok((*m, 1)),
        [m, n] => Ok((*m, *n)),
        _ => Err(DataError::Shape {
            file: file.into(),
            expected: "a matrix".into(),
            found: format!("an array of shape {shape:?}"),
            hint: (shape.len() > 2).then(|| "for a target of higher order: `kind = \"cp\"` under [mapping]".into()),
        }),
    }
}

/// A dense matrix without missing entries: a factor, or weights.
///
/// # Errors
/// [`DataError`], naming the first entry that is missing or not finite.
pub fn read_factor(source: &Source) -> Result<(Mat, FileRecord), DataError> {
    let loaded = read(source, &mut Vec::new())?;
    let shape = matrix_shape(loaded.array.shape(), &source.shown)?;
    finite(loaded, shape, &source.shown)
}

/// A factor whose slices may be matrices: of an array d x h x r the slices as columns, line by line (the last index fastest), and
/// (d, h); any matrix as it is.
///
/// # Errors
/// [`DataError`], as [`read_factor`].
pub fn read_slices(source: &Source) -> Result<(Mat, Option<(usize, usize)>), DataError> {
    let file = &source.shown;
    let loaded = read(source, &mut Vec::new())?;
    let &[d, h, r] = loaded.array.shape() else {
        let shape = matrix_shape(loaded.array.shape(), file)?;
        return Ok((finite(loaded, shape, file)?.0, None));
    };
    let (x, _) = finite(loaded, (d, h * r), file)?;
    Ok((Mat::from_fn(d * h, r, |k, i| x[(k / h, i * h + k % h)]), Some((d, h))))
}

fn finite(loaded: Loaded, (m, n): (usize, usize), file: &str) -> Result<(Mat, FileRecord), DataError> {
    let Array::Dense { values, .. } = loaded.array else {
        return Err(DataError::Shape {
            file: file.into(),
            expected: "a dense array".into(),
            found: "a coordinate format".into(),
            hint: None,
        });
    };
    if let Some(k) = values.iter().position(|v| !v.is_finite()) {
        return Err(cell_at(file, loaded.layout.as_ref(), (k % m, k / m), "a finite number", values[k]));
    }
    Ok((Mat::from_vec(m, n, values), loaded.record))
}

/// The same by its place in a file whose layout is known.
pub(super) fn cell_at(
    file: &str,
    layout: Option<&csv::Layout>,
    (i, j): (usize, usize),
    expected: &'static str,
    found: f64,
) -> DataError {
    let place = layout.map_or(Place { row: i + 1, column: j + 1, name: None }, |l| l.place(i, j));
    DataError::Cell { file: file.into(), place, expected, found: found.to_string(), hint: None }
}

/// What is wrong with entry (i, j), from 0, of an array.
pub(super) fn cell_error(file: &str, at: (usize, usize), expected: &'static str, found: f64) -> DataError {
    cell_at(file, None, at, expected, found)
}
