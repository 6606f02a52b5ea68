//! FROSTT text tensors: one line per entry, K indices and a value, parted by blanks; `#` starts a comment.

use super::array::Array;
use super::csv::{MOST_INDICES as MOST, infer_shape, number, parse_index};
use super::error::{DataError, Place};
use super::source::Source;

/// Reads a list of entries.
///
/// # Errors
/// [`DataError`] with row and column.
pub fn read(bytes: &[u8], source: &Source, notes: &mut Vec<String>) -> Result<Array, DataError> {
    let file = &source.shown;
    let text = std::str::from_utf8(bytes).map_err(|e| DataError::Format {
        file: file.clone(),
        format: "FROSTT",
        expected: "UTF-8 text".into(),
        found: e.to_string(),
    })?;
    let base = source.index_base.unwrap_or(1);
    let mut order = source.shape.as_ref().map(Vec::len);
    let (mut index, mut values, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for (line, content) in text.lines().enumerate() {
        let cells: Vec<&str> = content.split('#').next().unwrap_or("").split_whitespace().take(MOST + 2).collect();
        if cells.is_empty() {
            continue;
        }
        let k = *order.get_or_insert(cells.len() - 1);
        if cells.len() != k + 1 || !(1..=MOST).contains(&k) {
            let row = line + 1;
            let expected = match k {
                1..=MOST => format!("{} numbers in row {row}: {k} indices and a value", k + 1),
                _ => format!("2 to {} numbers in row {row}: 1 to {MOST} indices and a value", MOST + 1),
            };
            let more = if cells.len() > MOST + 1 { " or more" } else { "" };
            let found = format!("{}{more}", cells.len());
            return Err(DataError::Shape { file: file.clone(), expected, found, hint: None });
        }
        let place = |c: usize| Place { row: line + 1, column: c + 1, name: None };
        for c in 0..k {
            index.push(parse_index(cells[c], base, source.shape.as_ref().map(|s| s[c]), file, || place(c))?);
        }
        values.push(number(cells[k], file, || place(k))?);
        rows.push(line + 1);
    }
    let Some(order) = order else {
        let hint = "it lists no entry: a line for each, `i j k value`".to_string();
        return Err(DataError::NothingObserved { file: file.clone(), hint: Some(hint) });
    };
    let shape = infer_shape(source, &index, order, notes);
    Ok(Array::Coordinates { shape, index, values, rows })
}
