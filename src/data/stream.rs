//! A table row by row: a CSV file need not fit into memory; arrays are read whole and handed out in the same way.

use super::array::Array;
use super::csv::{delimiter, is_missing, is_number, number, parse_index, pick_columns};
use super::error::{DataError, Place};
use super::read::{cell_error, format_of, matrix_shape, read};
use super::source::{Format, Source};
use crate::linalg::Mat;
use ::csv::StringRecord;
use std::io::Read;

/// A table of numbers, of which rows are taken one after the other.
pub enum Stream {
    /// A CSV file.
    Csv(Rows),
    /// An array, and how many of its rows have been taken.
    Array {
        /// The file.
        file: String,
        /// What it holds.
        values: Mat,
        /// Rows taken.
        taken: usize,
        /// Rows taken before the last time.
        last: usize,
    },
}

impl Stream {
    /// Opens the file that `source` describes, or standard input in its place.
    ///
    /// # Errors
    /// [`DataError`] if it cannot be read, or is no table.
    pub fn open(source: &Source, stdin: bool) -> Result<Self, DataError> {
        let io = |e| DataError::Io { file: source.shown.clone(), source: e };
        if stdin {
            return Ok(Self::Csv(Rows::open(source, Box::new(std::io::stdin()))?));
        }
        if format_of(source)? == Format::Csv {
            let file = std::fs::File::open(&source.path).map_err(io)?;
            return Ok(Self::Csv(Rows::open(source, Box::new(file))?));
        }
        let loaded = read(source, &mut Vec::new())?;
        let (rows, cols) = matrix_shape(loaded.array.shape(), &source.shown)?;
        match loaded.array {
            Array::Dense { values, .. } => Ok(Self::Array {
                file: source.shown.clone(),
                values: Mat::from_vec(rows, cols, values),
                taken: 0,
                last: 0,
            }),
            Array::Coordinates { .. } => Err(DataError::Shape {
                file: source.shown.clone(),
                expected: "a table of rows".into(),
                found: "a coordinate format".into(),
                hint: None,
            }),
        }
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        match self {
            Self::Csv(rows) => rows.picked.len(),
            Self::Array { values, .. } => values.ncols(),
        }
    }

    /// Their names, where the file has any.
    pub fn names(&self) -> Option<Vec<String>> {
        match self {
            Self::Csv(rows) => rows.header.as_ref().map(|h| rows.picked.iter().map(|&c| h[c].clone()).collect()),
            Self::Array { .. } => None,
        }
    }

    /// At most `limit` further rows, none at the end; a missing number is NaN.
    ///
    /// # Errors
    /// [`DataError`] with row and column: what is no number or infinite, or missing where that is not `allowed`.
    pub fn numbers(&mut self, limit: usize, allowed: bool) -> Result<Mat, DataError> {
        let bad = |x: f64| x.is_infinite() || (x.is_nan() && !allowed);
        match self {
            Self::Csv(rows) => {
                let taken = rows.next(limit)?;
                let mut out = Mat::zeros(taken.len(), rows.picked.len());
                for (i, row) in taken.iter().enumerate() {
                    for c in 0..rows.picked.len() {
                        let x = rows.number(row, c)?;
                        if bad(x) {
                            return Err(DataError::Cell {
                                file: rows.file.clone(),
                                place: rows.place(row.line, c),
                                expected: FINITE,
                                found: row.cells[rows.picked[c]].trim().into(),
                                hint: None,
                            });
                        }
                        out[(i, c)] = x;
                    }
                }
                Ok(out)
            }
            Self::Array { file, values, taken, last } => {
                let from = *taken;
                *last = from;
                *taken = values.nrows().min(from + limit);
                let out = values.rows(from, *taken - from).into_owned();
                match out.iter().position(|x| bad(*x)) {
                    None => Ok(out),
                    Some(k) => {
                        let at = (from + k % out.nrows(), k / out.nrows());
                        Err(cell_error(file, at, FINITE, out.as_slice()[k]))
                    }
                }
            }
        }
    }

    /// The place of column c of row k of those taken last.
    pub fn place(&self, k: usize, c: usize) -> Place {
        match self {
            Self::Csv(rows) => rows.place(rows.lines[k], c),
            Self::Array { last, .. } => Place { row: last + k + 1, column: c + 1, name: None },
        }
    }

    /// At most `limit` further rows of indices, one per column, from 0 and below `sizes`; counted from `base` in the file.
    ///
    /// # Errors
    /// [`DataError`] with row and column.
    pub fn indices(&mut self, limit: usize, base: usize, sizes: &[usize]) -> Result<Vec<Vec<usize>>, DataError> {
        match self {
            Self::Csv(rows) => {
                let taken = rows.next(limit)?;
                taken.iter().map(|r| (0..sizes.len()).map(|c| rows.index(r, c, base, sizes[c])).collect()).collect()
            }
            Self::Array { file, values, taken, last } => {
                let from = *taken;
                *last = from;
                *taken = values.nrows().min(from + limit);
                let index = |i: usize, c: usize| {
                    let x = values[(i, c)];
                    let inside = x.fract() == 0.0 && x >= base as f64 && x < (base + sizes[c]) as f64;
                    let expected = "a whole number that is an index of the model";
                    if inside { Ok(x as usize - base) } else { Err(cell_error(file, (i, c), expected, x)) }
                };
                (from..*taken).map(|i| (0..sizes.len()).map(|c| index(i, c)).collect()).collect()
            }
        }
    }
}

/// What a cell of numbers must hold.
const FINITE: &str = "a finite number";

/// The rows of a CSV file.
pub struct Rows {
    reader: ::csv::Reader<Box<dyn Read>>,
    file: String,
    header: Option<Vec<String>>,
    width: usize,
    picked: Vec<usize>,
    first: Option<Row>,
    /// Where the rows taken last stand.
    lines: Vec<usize>,
}

/// A row of the file.
struct Row {
    line: usize,
    cells: StringRecord,
}

impl Rows {
    /// The table that `source` describes. Without `header` a first row with a cell that is neither a number nor missing is
    /// one.
    fn open(source: &Source, input: Box<dyn Read>) -> Result<Self, DataError> {
        let delimiter = delimiter(source);
        let reader =
            ::csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(input);
        let file = source.shown.clone();
        let mut rows =
            Self { reader, file, header: None, width: 0, picked: Vec::new(), first: None, lines: Vec::new() };
        let first = rows.read()?;
        rows.width = first.as_ref().map_or(0, |r| r.cells.len());
        let text = |r: &Row| r.cells.iter().any(|c| !is_missing(c) && !is_number(c));
        if source.header.unwrap_or(first.as_ref().is_some_and(text)) {
            rows.header = first.map(|r| r.cells.iter().map(|c| c.trim().to_string()).collect());
        } else {
            rows.first = first;
        }
        rows.picked = pick_columns(source.columns.as_deref(), rows.header.as_deref(), rows.width, &rows.file)?;
        Ok(rows)
    }

    fn read(&mut self) -> Result<Option<Row>, DataError> {
        let mut cells = StringRecord::new();
        let more = self.reader.read_record(&mut cells).map_err(|e| match e.into_kind() {
            ::csv::ErrorKind::Io(source) => DataError::Io { file: self.file.clone(), source },
            kind => DataError::Format {
                file: self.file.clone(),
                format: "CSV",
                expected: "UTF-8 text".into(),
                found: format!("{kind:?}").chars().take(100).collect(),
            },
        })?;
        let line = cells.position().map_or(0, |p| p.line() as usize);
        Ok(more.then_some(Row { line, cells }))
    }

    /// At most `limit` further rows; none at the end.
    fn next(&mut self, limit: usize) -> Result<Vec<Row>, DataError> {
        let mut out = Vec::new();
        while out.len() < limit {
            let row = match self.first.take() {
                Some(first) => first,
                None => match self.read()? {
                    None => break,
                    Some(row) => row,
                },
            };
            if row.cells.len() != self.width {
                return Err(DataError::Shape {
                    file: self.file.clone(),
                    expected: format!("{} cells in row {}", self.width, row.line),
                    found: row.cells.len().to_string(),
                    hint: None,
                });
            }
            out.push(row);
        }
        self.lines = out.iter().map(|r| r.line).collect();
        Ok(out)
    }

    /// The place of column c of those picked.
    fn place(&self, line: usize, c: usize) -> Place {
        let at = self.picked[c];
        Place { row: line, column: at + 1, name: self.header.as_ref().map(|h| h[at].clone()) }
    }

    /// The number in column c of those picked, NaN if missing.
    fn number(&self, row: &Row, c: usize) -> Result<f64, DataError> {
        number(&row.cells[self.picked[c]], &self.file, || self.place(row.line, c))
    }

    /// The index from 0 in column c of those picked, below `size`.
    fn index(&self, row: &Row, c: usize, base: usize, size: usize) -> Result<usize, DataError> {
        parse_index(&row.cells[self.picked[c]], base, Some(size), &self.file, || self.place(row.line, c))
    }
}
