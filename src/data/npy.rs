//! NumPy arrays: f4, f8, integers and bool, either byte order, C and Fortran order, versions 1 to 3.
//!
//! The header is checked against the file's real size before anything is allocated or parsed further.

use super::array::Array;
use super::error::DataError;
use npyz::{DType, NpyFile, Order};
use std::io::Write;

/// Longest header accepted: room for any plain array's, and too short to nest deeply.
pub(super) const LONGEST_HEADER: usize = 2048;
const FORMAT: &str = "NPY";
/// Brackets inside brackets in a header: a dictionary, a list of fields, a field, its shape.
const DEEPEST: usize = 5;
/// What helps where an archive shrinks its arrays by more than is likely.
pub(super) const UNCOMPRESSED: &str = "in a compressed file of this size (save it uncompressed if it is right)";

fn error(file: &str, expected: impl Into<String>, found: impl Into<String>) -> DataError {
    DataError::Format { file: file.into(), format: FORMAT, expected: expected.into(), found: found.into() }
}

/// Reads an array from the bytes of a file.
///
/// # Errors
/// [`DataError::Format`] if the bytes are not an array of numbers of exactly the size the header says.
pub fn read(bytes: &[u8], file: &str) -> Result<Array, DataError> {
    read_within(bytes, file, usize::MAX)
}

/// The same, of at most so many numbers.
pub(super) fn read_within(bytes: &[u8], file: &str, most: usize) -> Result<Array, DataError> {
    check_preamble(bytes, file)?;
    let mut rest = bytes;
    let npy = NpyFile::new(&mut rest).map_err(|e| error(file, "a NumPy header", e.to_string()))?;
    let shape: Vec<usize> = npy.shape().iter().map(|&d| usize::try_from(d).unwrap_or(usize::MAX)).collect();
    let DType::Plain(kind) = npy.dtype() else {
        return Err(error(file, "numbers", "a structured dtype"));
    };
    let kind = kind.to_string();
    let fortran = npy.order() == Order::Fortran;
    let size = kind.trim_start_matches(['<', '>', '|', '=']).get(1..).and_then(|s| s.parse::<usize>().ok());
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let wanted = size.and_then(|s| count?.checked_mul(s));
    let data = header_end(bytes).map_or(0, |end| bytes.len() - end);
    if wanted != Some(data) {
        return Err(error(file, format!("{kind} data of shape {shape:?}"), format!("{data} bytes of data")));
    }
    if let Some(count) = count.filter(|c| *c > most) {
        return Err(error(file, format!("at most {most} numbers {UNCOMPRESSED}"), count.to_string()));
    }
    macro_rules! decode {
        ($($code:literal => $t:ty),*) => {
            match kind.trim_start_matches(['<', '>', '|', '=']) {
                $($code => npy.into_vec::<$t>().map(|v| v.into_iter().map(|x| x as f64).collect::<Vec<f64>>()),)*
                "b1" => npy.into_vec::<bool>().map(|v| v.into_iter().map(|x| f64::from(u8::from(x))).collect()),
                _ => return Err(error(file, "f4, f8, integer or bool data", format!("dtype `{kind}`"))),
            }
        };
    }
    let values = decode!("f8" => f64, "f4" => f32, "i1" => i8, "i2" => i16, "i4" => i32, "i8" => i64,
                         "u1" => u8, "u2" => u16, "u4" => u32, "u8" => u64)
    .map_err(|e| error(file, format!("{kind} data"), e.to_string()))?;
    let values = if fortran || shape.len() < 2 { values } else { to_first_index_fastest(&values, &shape) };
    Ok(Array::Dense { shape, values })
}

/// How deep brackets are nested at most; those in strings count.
fn depth(text: &[u8]) -> usize {
    let mut deepest = 0;
    text.iter().fold(0usize, |depth, b| {
        let depth = match b {
            b'(' | b'[' | b'{' => depth + 1,
            b')' | b']' | b'}' => depth.saturating_sub(1),
            _ => depth,
        };
        deepest = deepest.max(depth);
        depth
    });
    deepest
}

/// Magic, version, and a header that lies inside the file and is of a sane length.
fn check_preamble(bytes: &[u8], file: &str) -> Result<(), DataError> {
    if bytes.len() < 10 || &bytes[..6] != b"\x93NUMPY" {
        return Err(error(file, "the NumPy magic bytes", "something else"));
    }
    if !(1..=3).contains(&bytes[6]) {
        return Err(error(file, "format version 1, 2 or 3", format!("version {}", bytes[6])));
    }
    let end = header_end(bytes).filter(|end| *end <= bytes.len());
    let Some(end) = end else {
        return Err(error(file, "a header inside the file", "a header length beyond its end"));
    };
    if end > LONGEST_HEADER {
        return Err(error(file, format!("a header of at most {LONGEST_HEADER} bytes"), format!("{end} bytes")));
    }
    let text = &bytes[10..end];
    // the parser tries every meaning of an opening bracket: its time doubles with each that stands inside another
    if depth(text) > DEEPEST || text.iter().filter(|b| **b == b'{').count() > 1 {
        return Err(error(file, "the header of a plain array", "deep nesting"));
    }
    // a negative or absurd number of dimensions would only cost time, but no array has more than 32
    if text.iter().filter(|b| **b == b',').count() > 64 {
        return Err(error(file, "the header of a plain array", "too many fields"));
    }
    if !product_fits(text) {
        return Err(error(file, "a shape that fits into a file", "a product of sizes beyond 2^60"));
    }
    Ok(())
}

/// Whether the product of all numbers of a header stays in range: the reader multiplies the shape unchecked.
fn product_fits(header: &[u8]) -> bool {
    // numbers in other notations than plain decimal are none of NumPy's
    let odd = |w: &[u8]| w[0].is_ascii_digit() && matches!(w[1].to_ascii_lowercase(), b'x' | b'o' | b'b' | b'_');
    let numbers = header.split(|b| !b.is_ascii_digit()).filter(|d| !d.is_empty());
    let mut values = numbers.map(|d| std::str::from_utf8(d).ok().and_then(|d| d.parse::<u64>().ok()));
    // the item size stands among them; a size of 0 comes last in the worst case
    !header.windows(2).any(odd)
        && values.try_fold(1u64, |product, x| x.and_then(|x| product.checked_mul(x.max(1)))).is_some()
}

/// Where the data starts, from the header's length field.
fn header_end(bytes: &[u8]) -> Option<usize> {
    match bytes[6] {
        1 => Some(10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]))),
        _ => {
            let length = u32::from_le_bytes(bytes.get(8..12)?.try_into().ok()?);
            usize::try_from(length).ok()?.checked_add(12)
        }
    }
}

/// From C order (last index fastest) to first index fastest.
fn to_first_index_fastest(values: &[f64], shape: &[usize]) -> Vec<f64> {
    let mut out = vec![0.0; values.len()];
    let mut index = vec![0; shape.len()];
    for v in values {
        let position = index.iter().zip(shape).rev().fold(0, |p, (i, d)| p * d + i);
        out[position] = *v;
        for k in (0..shape.len()).rev() {
            index[k] += 1;
            if index[k] < shape[k] {
                break;
            }
            index[k] = 0;
        }
    }
    out
}

/// NumPy leaves room for the growing axis to take this many digits.
const GROWTH_DIGITS: usize = 21;
/// The data starts at a multiple of this.
const ALIGN: usize = 64;

/// Writes `values` (first index fastest) as a Fortran-order `<f8` array, byte for byte as NumPy would.
///
/// # Errors
/// Whatever the writer says.
pub fn write(mut out: impl Write, shape: &[usize], values: &[f64]) -> std::io::Result<()> {
    // NumPy calls an array that is contiguous both ways C-ordered
    let fortran = !shape.contains(&0) && shape.iter().filter(|d| **d > 1).count() > 1;
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    let comma = if sizes.len() == 1 { "," } else { "" };
    let order = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': '<f8', 'fortran_order': {order}, 'shape': ({}{comma}), }}", sizes.join(", "));
    if let Some(axis) = if fortran { sizes.last() } else { sizes.first() } {
        header.push_str(&" ".repeat(GROWTH_DIGITS.saturating_sub(axis.len())));
    }
    let preamble = 10;
    let padding = ALIGN - (preamble + header.len() + 1) % ALIGN;
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    let length = u16::try_from(header.len()).map_err(std::io::Error::other)?;
    out.write_all(b"\x93NUMPY\x01\x00")?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    out.write_all(&bytes)
}
