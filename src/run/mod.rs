//! The run folder: written whole or not at all ([`folder`]), read back without its claims ([`load`]), and the layout of
//! `certificate.json` ([`document`]); beside it the [`checkpoint`] of one in the making. Mathematics is left to others.

pub mod checkpoint;
pub mod document;
pub mod error;
pub mod folder;
mod hidden;
pub mod load;
pub mod table;
pub mod whole;

pub use document::Document;
pub use error::RunError;
pub use folder::Staging;
pub use whole::Whole;

use crate::certify::certificate::Refutation;
use crate::certify::{Certificate, Witness};
use crate::data::{npy, npz};
use crate::linalg::Mat;
use crate::mapping::Factors;
use std::io::Cursor;

/// `extras/<kind>.npy` for each block; a second one of a kind is `<kind>_2.npy`.
pub fn extra_names<'a>(kinds: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen: Vec<&str> = Vec::new();
    kinds
        .map(|kind| {
            seen.push(kind);
            match seen.iter().filter(|k| **k == kind).count() {
                1 => format!("extras/{kind}.npy"),
                k => format!("extras/{kind}_{k}.npy"),
            }
        })
        .collect()
}

/// A block of extra variables as it is saved: its kind, and rows and columns.
pub type ExtraShape<'a> = (&'a str, (usize, usize));

/// Writes factors (their slices of these shapes), extra variables, dual point, refutation, `certificate.json` and `spec.toml`.
///
/// # Errors
/// [`RunError::Io`].
pub fn write_point(
    staging: &Staging,
    spec: &str,
    factors: &Factors,
    shapes: &[Vec<usize>],
    extras: &[ExtraShape],
    certificate: &Certificate,
    document: &Document,
) -> Result<(), RunError> {
    staging.write("spec.toml", spec.as_bytes())?;
    for (k, (x, shape)) in factors.0.iter().zip(shapes).enumerate() {
        staging.write(&format!("factors/X{}.npy", k + 1), &slice_bytes(x, shape))?;
    }
    for ((name, (rows, cols)), q) in
        extra_names(extras.iter().map(|e| e.0)).iter().zip(extras.iter().map(|e| e.1)).zip(&certificate.extras)
    {
        staging.write(name, &npy_bytes(&Mat::from_column_slice(rows, cols, q)))?;
    }
    if let Some(w) = &certificate.witness {
        staging.write("dual.npz", &npz_bytes(w))?;
    }
    if let Some(r) = certificate.refutation.as_ref().filter(|_| certificate.verdict == crate::certify::Verdict::Refuted)
    {
        write_refutation(staging, r, shapes)?;
    }
    staging.write("certificate.json", document.to_json().as_bytes())
}

fn write_refutation(staging: &Staging, r: &Refutation, shapes: &[Vec<usize>]) -> Result<(), RunError> {
    for (k, (column, shape)) in r.slice.iter().zip(shapes).enumerate() {
        let x = Mat::from_column_slice(column.len(), 1, column);
        staging.write(&format!("refutation/X{}.npy", k + 1), &slice_bytes(&x, shape))?;
    }
    Ok(())
}

/// A factor with the sizes of its slices: the last index says which slice.
fn slice_bytes(x: &Mat, shape: &[usize]) -> Vec<u8> {
    let &[d, h] = shape else { return npy_bytes(x) };
    // columns hold their matrices line by line
    let entry = |(i, b): (usize, usize)| (0..d).map(move |a| x[(a * h + b, i)]);
    let values: Vec<f64> = (0..x.ncols()).flat_map(|i| (0..h).map(move |b| (i, b))).flat_map(entry).collect();
    let mut bytes = Vec::new();
    npy::write(&mut bytes, &[d, h, x.ncols()], &values).expect("writing to memory does not fail");
    bytes
}

fn npy_bytes(x: &Mat) -> Vec<u8> {
    let mut bytes = Vec::new();
    npy::write(&mut bytes, &[x.nrows(), x.ncols()], x.as_slice()).expect("writing to memory does not fail");
    bytes
}

fn npz_bytes(w: &Witness) -> Vec<u8> {
    let arrays: Vec<_> = w.arrays.iter().map(|(name, v)| (name.clone(), vec![v.len()], v.clone())).collect();
    let mut bytes = Cursor::new(Vec::new());
    npz::write(&mut bytes, &arrays).expect("writing to memory does not fail");
    bytes.into_inner()
}
