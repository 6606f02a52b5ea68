//! NumPy archives: zip files of `.npy` arrays. Claimed sizes are not trusted.

use super::array::Array;
use super::error::DataError;
use super::npy;
use std::io::{Cursor, Read, Seek, Write};
use zip::write::SimpleFileOptions;

const FORMAT: &str = "NPZ";

fn error(file: &str, expected: impl Into<String>, found: impl Into<String>) -> DataError {
    DataError::Format { file: file.into(), format: FORMAT, expected: expected.into(), found: found.into() }
}

/// Reads every array of an archive, in the order of the archive.
///
/// # Errors
/// [`DataError`] if the bytes are not a zip archive of arrays.
pub fn read_all(bytes: &[u8], file: &str) -> Result<Vec<(String, Array)>, DataError> {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| error(file, "a zip archive", e.to_string()))?;
    // members may share the bytes that they inflate from
    let mut left = most_numbers(bytes.len());
    (0..zip.len())
        .map(|i| {
            let entry = zip.by_index(i).map_err(|e| error(file, "a readable member", e.to_string()))?;
            let name = entry.name().map_err(|e| error(file, "a member's name", e.to_string()))?.into_owned();
            let content = inflate(entry, left, file, &name)?;
            let key = name.strip_suffix(".npy").unwrap_or(&name).to_string();
            let shown = format!("{file}[{name}]");
            let array = npy::read_within(&content, &shown, left)?;
            left -= array.shape().iter().product::<usize>();
            Ok((key, array))
        })
        .collect()
}

/// How many numbers an archive of so many bytes may hold: more than any that is not compressed does.
fn most_numbers(bytes: usize) -> usize {
    (1 << 23) + 4 * bytes
}

/// Reads one array: `key`, or the only one there is. Returns its key too.
///
/// # Errors
/// [`DataError`] if the key is unknown, or none is given and there are several arrays.
pub fn read(bytes: &[u8], file: &str, key: Option<&str>) -> Result<(String, Array), DataError> {
    let mut all = read_all(bytes, file)?;
    let known: Vec<String> = all.iter().map(|a| a.0.clone()).collect();
    match key {
        None if all.len() == 1 => Ok(all.remove(0)),
        None => Err(error(file, format!("`key` naming one of its arrays ({})", known.join(", ")), "no key")),
        Some(key) => all.into_iter().find(|a| a.0 == key).ok_or_else(|| DataError::Unknown {
            file: file.into(),
            what: "array",
            name: key.into(),
            known,
        }),
    }
}

/// At most what `numbers` doubles take.
fn inflate(entry: impl Read, numbers: usize, file: &str, name: &str) -> Result<Vec<u8>, DataError> {
    let limit = 8 * numbers as u64 + npy::LONGEST_HEADER as u64;
    let mut content = Vec::new();
    entry
        .take(limit + 1)
        .read_to_end(&mut content)
        .map_err(|e| error(file, format!("member `{name}` to inflate"), e.to_string()))?;
    if content.len() as u64 > limit {
        let expected = format!("member `{name}` of at most {limit} bytes {}", npy::UNCOMPRESSED);
        return Err(error(file, expected, "more"));
    }
    Ok(content)
}

/// Writes arrays (name, shape, values with the first index fastest) with a fixed date, so that the bytes are reproducible.
///
/// # Errors
/// Whatever the writer says.
pub fn write(out: impl Write + Seek, arrays: &[(String, Vec<usize>, Vec<f64>)]) -> std::io::Result<()> {
    let mut zip = zip::ZipWriter::new(out);
    let options = SimpleFileOptions::default()
        // factors and dual points hardly shrink
        .compression_method(zip::CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default());
    for (name, shape, values) in arrays {
        zip.start_file(format!("{name}.npy"), options)?;
        let mut content = Vec::new();
        npy::write(&mut content, shape, values)?;
        zip.write_all(&content)?;
    }
    zip.finish()?;
    Ok(())
}
