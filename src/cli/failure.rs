//! Errors of a command, and the exit code each kind has.

use super::session::SessionError;
use crate::certify::CertifyError;
use crate::data::DataError;
use crate::run::RunError;
use crate::spec::SpecErrors;

/// Done, and the gap asked for is proven.
pub const DONE: u8 = 0;
/// Written or checked, but the gap is larger or unknown, or the point is refuted.
pub const GAP_LEFT: u8 = 1;
/// Usage or spec.
pub const USAGE: u8 = 2;
/// Data or I/O.
pub const DATA: u8 = 3;
/// Numerical failure, or a defect found by ourselves.
pub const DEFECT: u8 = 4;
/// Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// A command line that asks for something that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// The exit code of an error: that of the first cause with a known kind.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    let code = error.chain().find_map(|cause| {
        if cause.is::<SpecErrors>() || cause.is::<Usage>() {
            return Some(USAGE);
        }
        if cause.is::<DataError>() || cause.is::<RunError>() || cause.is::<SessionError>() {
            return Some(DATA);
        }
        cause.downcast_ref::<CertifyError>().map(|e| match e {
            CertifyError::BoundAboveObjective { .. }
            | CertifyError::PolarCrossed { .. }
            | CertifyError::NotFinite(_) => DEFECT,
            _ => DATA,
        })
    });
    code.unwrap_or(DATA)
}
