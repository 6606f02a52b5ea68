//! Spanned TOML -> checked [`Spec`] -> problem. Solving is left to others.

pub mod assemble;
mod data;
pub mod error;
mod extras;
mod factor;
mod gauges;
pub mod model;
pub mod parse;
pub mod resolved;
pub mod tree;

pub use assemble::{assemble, build_extra, build_loss};
pub use error::SpecErrors;
pub use model::Spec;
pub use parse::{Override, parse};
pub use resolved::{notes_of, to_toml};
