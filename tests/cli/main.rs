//! The binary as users and scripts see it: every run that is written is re-derived from data and factors by code that shares
//! nothing with the crate ([`verify`], [`naive`]).

mod check;
mod common;
mod errors;
mod extras;
mod formats;
mod gauges;
mod init;
mod layers;
mod log;
mod losses;
mod naive;
mod networks;
mod page;
mod path;
mod predict;
mod regressions;
mod resume;
mod schema;
mod sensing;
mod shell;
mod solve;
mod tensors;
mod verify;
