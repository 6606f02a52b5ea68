//! Comma-separated values: dense tables and lists of coordinates.
//!
//! A first row with a cell that is neither a number nor missing is a header, unless the spec says. Empty, `NA` and `NaN` are
//! missing; infinities are errors.

use super::array::Array;
use super::error::{DataError, Place};
use super::source::{Column, Source};
use std::collections::HashSet;

/// Indices of an entry at most.
pub(super) const MOST_INDICES: usize = 32;

/// Columns that are listed in a message.
const SHOWN: usize = 20;

/// The cells of a file, row by row.
struct Table {
    header: Option<Vec<String>>,
    /// (row of the file, cells)
    rows: Vec<(usize, ::csv::StringRecord)>,
}

/// Whether a cell counts as missing.
pub(super) fn is_missing(cell: &str) -> bool {
    let cell = cell.trim();
    cell.is_empty() || cell == "NA" || cell.eq_ignore_ascii_case("nan")
}

pub(super) fn is_number(cell: &str) -> bool {
    cell.trim().parse::<f64>().is_ok()
}

/// The number in a cell, NaN if missing.
pub(super) fn number(cell: &str, file: &str, place: impl Fn() -> Place) -> Result<f64, DataError> {
    if is_missing(cell) {
        return Ok(f64::NAN);
    }
    let bad = |expected, hint: Option<&str>| DataError::Cell {
        file: file.into(),
        place: place(),
        expected,
        found: cell.trim().chars().take(60).collect(),
        hint: hint.map(Into::into),
    };
    match cell.trim().parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        Ok(_) => Err(bad("a finite number", Some("leave the cell empty if the entry is missing"))),
        Err(_) => Err(bad("a number", hint(cell))),
    }
}

/// What to say of characters that part columns where another one is looked for, first the less likely in numbers and names.
const DELIMITERS: [(char, &str); 4] = [
    (';', "where semicolons part the columns, say `delimiter = \";\"`"),
    ('\t', "where tabs part the columns, say `delimiter = \"tab\"`"),
    (',', "where commas part the columns, say `delimiter = \",\"`"),
    (' ', "where spaces part the columns, say `delimiter = \" \"`"),
];

/// What parts this line into `least` columns at least, other than `but`: spaces and commas only numbers, as they are in names
/// and numbers too.
fn parting(line: &str, least: usize, but: Option<u8>) -> Option<&'static str> {
    let parts = |c: char| line.trim().split(c).count() >= least;
    let numbers = |c: char| line.trim().split(c).all(|p| is_missing(p) || is_number(p));
    let likely = |c: char| parts(c) && (matches!(c, ';' | '\t') || numbers(c));
    DELIMITERS.iter().find(|(c, _)| but.is_none_or(|b| char::from(b) != *c) && likely(*c)).map(|d| d.1)
}

/// What may be meant by text where a number should be.
fn hint(cell: &str) -> Option<&'static str> {
    const NOTHING: [&str; 8] = ["n/a", "#n/a", "null", "none", "missing", "-", "?", "."];
    let word = cell.trim().to_ascii_lowercase();
    if NOTHING.contains(&word.as_str()) {
        Some("a missing entry is an empty cell, `NA` or `NaN`")
    } else if cell.matches(',').count() == 1 && !cell.contains([';', '\t']) {
        Some("decimal commas are not accepted")
    } else {
        parting(cell, 2, None)
    }
}

/// Says how to leave columns of text out, where this error is about a cell of one.
fn with_columns_of_numbers(mut error: DataError, table: &Table, column: usize, width: usize) -> DataError {
    let numbers = |c: usize| table.rows.iter().any(|r| is_number(&r.1[c]));
    if let DataError::Cell { hint: hint @ None, .. } = &mut error
        && !numbers(column)
    {
        let others: Vec<String> = (0..width).filter(|c| numbers(*c)).map(|c| (c + 1).to_string()).collect();
        let some =
            if others.len() <= SHOWN { others.join(", ") } else { format!("{}, ..", others[..SHOWN].join(", ")) };
        *hint = Some(format!("no cell of this column is a number; to leave it out say `columns = [{some}]`"));
    }
    error
}

/// The delimiter that the spec or the extension says.
pub(super) fn delimiter(source: &Source) -> u8 {
    source.delimiter.unwrap_or(if source.shown.ends_with(".tsv") { b'\t' } else { b',' })
}

/// Whether the first of several rows is a header although cells may hold labels: one of its cells is text where the rest of the
/// column is numbers, or text that does not come again.
fn header_above_labels(rows: &[(usize, ::csv::StringRecord)]) -> bool {
    let Some(((_, first), rest)) = rows.split_first() else { return false };
    first.iter().enumerate().filter(|(_, c)| !is_missing(c) && !is_number(c)).any(|(j, c)| {
        let below = || rest.iter().filter_map(|(_, r)| r.get(j));
        below().all(|b| is_missing(b) || is_number(b)) || below().all(|b| b.trim() != c.trim())
    })
}

/// Lines without anything that start here: the reader steps over them after it has counted.
fn blank_lines(bytes: &[u8], at: u64) -> usize {
    let rest = bytes.get(at as usize..).unwrap_or_default();
    rest.iter().take_while(|b| matches!(b, b'\n' | b'\r')).filter(|b| **b == b'\n').count()
}

fn read_table(bytes: &[u8], source: &Source, labels: bool, notes: &mut Vec<String>) -> Result<Table, DataError> {
    let file = &source.shown;
    let delimiter = delimiter(source);
    let mut reader =
        ::csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(bytes);
    let mut rows: Vec<(usize, ::csv::StringRecord)> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| DataError::Format {
            file: file.clone(),
            format: "CSV",
            expected: "UTF-8 text".into(),
            found: e.to_string(),
        })?;
        let line = record.position().map_or(rows.len() + 1, |p| p.line() as usize + blank_lines(bytes, p.byte()));
        let ragged = rows.first().is_some_and(|(_, first)| first.len() != record.len());
        rows.push((line, record));
        // every record takes the room of the widest before it: what will be refused for its first ragged row ends with it
        if ragged {
            break;
        }
    }
    let text = rows.first().is_some_and(|(_, r)| r.iter().any(|c| !is_missing(c) && !is_number(c)));
    let detected = text && (!labels || header_above_labels(&rows));
    let has_header = source.header.unwrap_or(detected);
    if source.header.is_none() {
        let found = if detected { "its first row is a header" } else { "it has no header" };
        notes.push(format!("{file}: {found} (say `header = {}` otherwise)", !detected));
    }
    let header =
        (has_header && !rows.is_empty()).then(|| rows.remove(0).1.iter().map(|c| c.trim().to_string()).collect());
    Ok(Table { header, rows })
}

/// Which columns of `width` the spec picks.
pub(super) fn pick_columns(
    columns: Option<&[Column]>,
    header: Option<&[String]>,
    width: usize,
    file: &str,
) -> Result<Vec<usize>, DataError> {
    let Some(columns) = columns else { return Ok((0..width).collect()) };
    let misfit = |expected: &str, found: String| DataError::Shape {
        file: file.into(),
        expected: expected.into(),
        found,
        hint: Some("`columns` picks them, by number or by name".into()),
    };
    // an array without entries may say that it has any number of columns
    let (mut picked, mut taken) = (Vec::new(), HashSet::new());
    for c in columns {
        let column = match c {
            Column::Number(k) if (1..=width).contains(k) => k - 1,
            Column::Number(k) => {
                return Err(misfit(&format!("a column number from 1 to {width}"), k.to_string()));
            }
            Column::Name(name) => {
                let mut named = (0..width).filter(|&j| header.is_some_and(|h| h[j] == *name));
                match (named.next(), named.next()) {
                    (Some(j), None) => j,
                    (Some(i), Some(j)) => {
                        let found = format!("columns {} and {} of that name", i + 1, j + 1);
                        return Err(misfit(&format!("one column `{name}` (or its number in `columns`)"), found));
                    }
                    (None, _) => {
                        let known = header.map_or_else(|| vec!["(no header)".to_string()], <[String]>::to_vec);
                        return Err(DataError::Unknown {
                            file: file.into(),
                            what: "column",
                            name: name.clone(),
                            known,
                        });
                    }
                }
            }
        };
        if !taken.insert(column) {
            let found = format!("column {} by its name and by its number", column + 1);
            return Err(misfit("each column once in `columns`", found));
        }
        picked.push(column);
    }
    Ok(picked)
}

/// Where the cells of a dense table stand in its file.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The row of the file that each row of the matrix is.
    pub rows: Vec<usize>,
    /// The column of the file, from 0, that each column of the matrix is.
    pub columns: Vec<usize>,
    /// Names of the columns of the matrix.
    pub names: Option<Vec<String>>,
}

impl Layout {
    /// The place of entry (i, j) of the matrix.
    pub fn place(&self, i: usize, j: usize) -> Place {
        let name = self.names.as_ref().map(|n| n[j].clone());
        Place { row: self.rows[i], column: self.columns[j] + 1, name }
    }
}

impl Table {
    /// What to say if another character than this one parts the last row into `least` columns at least.
    fn other_delimiter(&self, delimiter: u8, least: usize) -> Option<String> {
        let row: Vec<&str> = match (self.rows.last(), &self.header) {
            (Some((_, row)), _) => row.iter().collect(),
            (None, Some(names)) => names.iter().map(String::as_str).collect(),
            (None, None) => return None,
        };
        let line = row.join(std::str::from_utf8(&[delimiter]).unwrap_or(","));
        parting(&line, least, Some(delimiter)).map(Into::into)
    }
}

/// A dense table as read.
pub struct Dense {
    /// One row of the file is one row of the matrix.
    pub array: Array,
    /// Where its cells stand, and the columns' names.
    pub layout: Layout,
    /// The labels that the numbers of the array count, where the one column holds labels.
    pub labels: Option<Vec<String>>,
}

/// Reads a dense table. With `labels`, a single column may hold text: its distinct values, sorted, are numbered from 0.
///
/// # Errors
/// [`DataError`] with row and column.
pub fn read_dense(bytes: &[u8], source: &Source, labels: bool, notes: &mut Vec<String>) -> Result<Dense, DataError> {
    let file = &source.shown;
    let table = read_table(bytes, source, labels, notes)?;
    let width = table.header.as_ref().map_or_else(|| table.rows.first().map_or(0, |r| r.1.len()), Vec::len);
    let columns = pick_columns(source.columns.as_deref(), table.header.as_deref(), width, file)?;
    let (m, n) = (table.rows.len(), columns.len());
    refuse_ragged(&table, width, source)?;
    let mut values = vec![0.0; m * n];
    let labels = match columns.as_slice() {
        [c] if labels => label_names(&table, *c),
        _ => None,
    };
    for (i, (line, record)) in table.rows.iter().enumerate() {
        for (j, &c) in columns.iter().enumerate() {
            let name = || table.header.as_ref().map(|h| h[c].clone());
            let place = || Place { row: *line, column: c + 1, name: name() };
            values[j * m + i] = match labels.as_ref().map(|l| l.binary_search_by(|l| l.as_str().cmp(record[c].trim())))
            {
                Some(Ok(label)) => label as f64,
                // not among the labels: missing
                Some(Err(_)) => f64::NAN,
                None => number(&record[c], file, place).map_err(|e| with_columns_of_numbers(e, &table, c, width))?,
            };
        }
    }
    let names = table.header.map(|h| columns.iter().map(|&c| h[c].clone()).collect());
    let layout = Layout { rows: table.rows.iter().map(|r| r.0).collect(), columns, names };
    Ok(Dense { array: Array::Dense { shape: vec![m, n], values }, layout, labels })
}

/// Every row has as many cells as the first, so the table is no larger than its file.
fn refuse_ragged(table: &Table, width: usize, source: &Source) -> Result<(), DataError> {
    match table.rows.iter().find(|(_, record)| record.len() != width) {
        None => Ok(()),
        Some((line, record)) => Err(DataError::Shape {
            file: source.shown.clone(),
            expected: format!("{} in row {line}", counted(width, "cell")),
            found: record.len().to_string(),
            hint: table.other_delimiter(delimiter(source), 2),
        }),
    }
}

/// "1 cell", "2 cells"
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The sorted distinct texts of a column that holds text.
fn label_names(table: &Table, column: usize) -> Option<Vec<String>> {
    let cells = || table.rows.iter().filter_map(|(_, r)| r.get(column)).filter(|c| !is_missing(c));
    cells().any(|c| !is_number(c)).then(|| {
        let distinct: std::collections::BTreeSet<&str> = cells().map(str::trim).collect();
        distinct.into_iter().map(Into::into).collect()
    })
}

/// Reads a list of coordinates: i, j[, k..], value. Returns whether the first row is a header, too.
///
/// # Errors
/// [`DataError`] with row and column.
pub fn read_triplets(bytes: &[u8], source: &Source, notes: &mut Vec<String>) -> Result<(Array, bool), DataError> {
    let file = &source.shown;
    let table = read_table(bytes, source, false, notes)?;
    let width = table.header.as_ref().map_or_else(|| table.rows.first().map_or(3, |r| r.1.len()), Vec::len);
    let order = source.shape.as_ref().map_or(width.saturating_sub(1).max(2), Vec::len);
    if width != order + 1 {
        return Err(DataError::Shape {
            file: file.clone(),
            expected: format!("{} columns: {order} indices and a value", order + 1),
            found: counted(width, "column"),
            hint: Some(
                table
                    .other_delimiter(delimiter(source), 3)
                    .unwrap_or_else(|| "for a dense table say `format = \"csv\"`".into()),
            ),
        });
    }
    if order > MOST_INDICES {
        return Err(DataError::Shape {
            file: file.clone(),
            expected: format!("at most {MOST_INDICES} indices and a value"),
            found: format!("{width} columns"),
            hint: Some("for a dense table say `format = \"csv\"`".into()),
        });
    }
    refuse_ragged(&table, width, source)?;
    let base = source.index_base.unwrap_or(0);
    let (mut index, mut values, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for (line, record) in &table.rows {
        let place = |c: usize| Place { row: *line, column: c + 1, name: table.header.as_ref().map(|h| h[c].clone()) };
        for k in 0..order {
            index.push(parse_index(&record[k], base, source.shape.as_ref().map(|s| s[k]), file, || place(k))?);
        }
        values.push(number(&record[order], file, || place(order))?);
        rows.push(*line);
    }
    let shape = infer_shape(source, &index, order, notes);
    if source.index_base.is_none() {
        notes.push(format!("{file}: indices are counted from {base}"));
    }
    Ok((Array::Coordinates { shape, index, values, rows }, table.header.is_some()))
}

/// The shape the spec gives, or the largest indices seen.
pub(super) fn infer_shape(source: &Source, index: &[usize], order: usize, notes: &mut Vec<String>) -> Vec<usize> {
    if let Some(s) = &source.shape {
        return s.clone();
    }
    let largest = |k| index.iter().skip(k).step_by(order).max().map_or(0, |i: &usize| i + 1);
    let shape: Vec<usize> = (0..order).map(largest).collect();
    notes.push(format!("{}: warning: no `shape` given; taken from the largest index seen: {shape:?}", source.shown));
    shape
}

/// A 0-based index inside the shape.
pub(super) fn parse_index(
    cell: &str,
    base: usize,
    size: Option<usize>,
    file: &str,
    place: impl Fn() -> Place,
) -> Result<usize, DataError> {
    let bad = |expected, hint| DataError::Cell {
        file: file.into(),
        place: place(),
        expected,
        found: cell.trim().chars().take(60).collect(),
        hint,
    };
    let cell_value: usize = cell.trim().parse().map_err(|_| bad("a nonnegative whole number as index", None))?;
    let index = cell_value.checked_sub(base).ok_or_else(|| bad("an index of at least `index_base`", None))?;
    match size {
        Some(0) => Err(bad("no index, as the size is 0", None)),
        Some(size) if index >= size => {
            let last = (size - 1).saturating_add(base);
            Err(bad("an index inside `shape`", Some(format!("the shape allows {base} to {last}"))))
        }
        None if index >= u32::MAX as usize => Err(bad("an index below 2^32", None)),
        _ => Ok(index),
    }
}
