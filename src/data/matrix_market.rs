//! Matrix Market files: coordinate and array, real, integer and pattern; symmetric kinds are expanded. Indices
//! count from 1 unless `index_base` says otherwise.

use super::array::Array;
use super::error::DataError;

fn error(file: &str, expected: impl Into<String>, found: impl Into<String>) -> DataError {
    let found: String = found.into();
    let found = found.chars().take(80).collect();
    DataError::Format { file: file.into(), format: "Matrix Market", expected: expected.into(), found }
}

/// How the entries below the diagonal determine those above.
#[derive(Clone, Copy, PartialEq)]
enum Symmetry {
    General,
    Symmetric,
    Skew,
}

/// The banner: (is coordinate, is pattern, symmetry).
fn banner(line: &str, file: &str) -> Result<(bool, bool, Symmetry), DataError> {
    let words: Vec<String> = line.split_whitespace().map(str::to_ascii_lowercase).collect();
    let word = |k: usize| words.get(k).map_or("", String::as_str);
    if word(0) != "%%matrixmarket" || word(1) != "matrix" {
        return Err(error(file, "`%%MatrixMarket matrix ..` in line 1", line));
    }
    let coordinate = match word(2) {
        "coordinate" => true,
        "array" => false,
        other => return Err(error(file, "`coordinate` or `array` in line 1", other)),
    };
    let pattern = match word(3) {
        "real" | "integer" => false,
        "pattern" if coordinate => true,
        other => return Err(error(file, "`real`, `integer` or (coordinate) `pattern` in line 1", other)),
    };
    let symmetry = match word(4) {
        "general" => Symmetry::General,
        "symmetric" => Symmetry::Symmetric,
        "skew-symmetric" => Symmetry::Skew,
        other => return Err(error(file, "`general`, `symmetric` or `skew-symmetric` in line 1", other)),
    };
    Ok((coordinate, pattern, symmetry))
}

/// Reads a matrix from the bytes of a file whose indices count from `base`.
///
/// # Errors
/// [`DataError::Format`] naming the line.
pub fn read(bytes: &[u8], file: &str, base: usize) -> Result<Array, DataError> {
    let text = std::str::from_utf8(bytes).map_err(|e| error(file, "UTF-8 text", e.to_string()))?;
    let mut lines = text.lines().enumerate().map(|(k, l)| (k + 1, l));
    let (coordinate, pattern, symmetry) = banner(lines.next().map_or("", |l| l.1), file)?;
    let mut lines = lines.filter(|(_, l)| !l.trim().is_empty() && !l.trim_start().starts_with('%'));
    let (at, size_line) = lines.next().ok_or_else(|| error(file, "a size line", "the end of the file"))?;
    let sizes: Option<Vec<usize>> = size_line.split_whitespace().map(|w| w.parse().ok()).collect();
    let sizes = sizes
        .filter(|s| s.len() == if coordinate { 3 } else { 2 })
        .ok_or_else(|| error(file, format!("sizes in line {at}"), size_line))?;
    let (m, n) = (sizes[0], sizes[1]);
    if symmetry != Symmetry::General && m != n {
        return Err(error(file, "a square matrix for a symmetric kind", format!("{m} x {n}")));
    }
    if coordinate {
        read_coordinates(lines, file, (m, n, sizes[2]), base, pattern, symmetry)
    } else {
        read_array(lines, file, (m, n), symmetry)
    }
}

fn read_coordinates<'a>(
    lines: impl Iterator<Item = (usize, &'a str)>,
    file: &str,
    (m, n, count): (usize, usize, usize),
    base: usize,
    pattern: bool,
    symmetry: Symmetry,
) -> Result<Array, DataError> {
    let (mut index, mut values, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let mut listed = 0;
    for (at, line) in lines {
        let mut words = line.split_whitespace();
        let mut next_index = |size: usize| {
            let index = words.next().and_then(|w| w.parse::<usize>().ok()).and_then(|i| i.checked_sub(base));
            index.filter(|i| *i < size)
        };
        let (i, j) = (next_index(m), next_index(n));
        let value = if pattern { Some(1.0) } else { words.next().and_then(|w| w.parse::<f64>().ok()) };
        let (Some(i), Some(j), Some(v)) = (i, j, value.filter(|v| !v.is_infinite())) else {
            let last = |size: usize| (size as u128 + base as u128).saturating_sub(1);
            let (last_i, last_j) = (last(m), last(n));
            let expected = format!("two indices in {base}..{last_i}, {base}..{last_j} and a finite value in line {at}");
            return Err(error(file, expected, line));
        };
        listed += 1;
        let mirrored = symmetry != Symmetry::General && i != j;
        for (a, b, value) in [(i, j, v), (j, i, if symmetry == Symmetry::Skew { -v } else { v })]
            .into_iter()
            .take(1 + usize::from(mirrored))
        {
            index.extend([a, b]);
            values.push(value);
            rows.push(at);
        }
    }
    if listed != count {
        return Err(error(file, format!("{count} entries, as its size line says"), listed.to_string()));
    }
    Ok(Array::Coordinates { shape: vec![m, n], index, values, rows })
}

fn read_array<'a>(
    lines: impl Iterator<Item = (usize, &'a str)>,
    file: &str,
    (m, n): (usize, usize),
    symmetry: Symmetry,
) -> Result<Array, DataError> {
    let mut listed = Vec::new();
    for (at, line) in lines {
        for w in line.split_whitespace() {
            let v = w.parse::<f64>().ok().filter(|v| !v.is_infinite());
            listed.push(v.ok_or_else(|| error(file, format!("a finite number in line {at}"), w))?);
        }
    }
    let first = |j: usize| match symmetry {
        Symmetry::General => 0,
        Symmetry::Symmetric => j,
        Symmetry::Skew => j + 1,
    };
    // in numbers that hold the product of any two sizes; a symmetric matrix is square
    let all = m as u128 * n as u128;
    let wanted = match symmetry {
        Symmetry::General => all,
        Symmetry::Symmetric => (all + n as u128) / 2,
        Symmetry::Skew => (all - n as u128) / 2,
    };
    if listed.len() as u128 != wanted {
        return Err(error(file, format!("{wanted} values, as its size line says"), listed.len().to_string()));
    }
    let mut values = vec![0.0; m * n];
    // a matrix without rows may say that it has any number of columns
    let n_listed = if m == 0 { 0 } else { n };
    let mut next = listed.into_iter();
    for j in 0..n_listed {
        for i in first(j)..m {
            let v = next.next().unwrap_or(f64::NAN);
            values[j * m + i] = v;
            if symmetry != Symmetry::General && i != j {
                values[i * m + j] = if symmetry == Symmetry::Skew { -v } else { v };
            }
        }
    }
    Ok(Array::Dense { shape: vec![m, n], values })
}
