//! Spanned TOML -> checked [`Spec`] -> problem. Solving is left to others.

pub mod model;

pub use model::Spec;
