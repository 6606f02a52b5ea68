//! The run folder: written whole or not at all ([`folder`]), read back without its claims ([`load`]), and the layout of
//! `certificate.json` ([`document`]). Mathematics is left to others.

pub mod document;
pub mod error;
pub mod folder;
pub mod load;

pub use document::Document;
pub use error::RunError;
pub use folder::Staging;

use crate::certify::certificate::Refutation;
use crate::certify::{Certificate, Witness};
use crate::data::{npy, npz};
use crate::linalg::Mat;
use crate::mapping::Factors;
use std::io::Cursor;

/// Writes factors, dual point, refutation, `certificate.json` and `spec.toml`.
///
/// # Errors
/// [`RunError::Io`].
pub fn write_point(
    staging: &Staging,
    spec: &str,
    factors: &Factors,
    certificate: &Certificate,
    document: &Document,
) -> Result<(), RunError> {
    staging.write("spec.toml", spec.as_bytes())?;
    for (k, x) in factors.0.iter().enumerate() {
        staging.write(&format!("factors/X{}.npy", k + 1), &npy_bytes(x))?;
    }
    if let Some(w) = &certificate.witness {
        staging.write("dual.npz", &npz_bytes(w))?;
    }
    if let Some(r) = certificate.refutation.as_ref().filter(|_| certificate.verdict == crate::certify::Verdict::Refuted)
    {
        write_refutation(staging, r)?;
    }
    staging.write("certificate.json", document.to_json().as_bytes())
}

fn write_refutation(staging: &Staging, r: &Refutation) -> Result<(), RunError> {
    for (k, column) in r.slice.iter().enumerate() {
        let x = Mat::from_column_slice(column.len(), 1, column);
        staging.write(&format!("refutation/X{}.npy", k + 1), &npy_bytes(&x))?;
    }
    Ok(())
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
