//! Spanned TOML -> checked [`Spec`] -> problem. Solving is left to others.

pub mod assemble;
mod data;
pub mod error;
mod extras;
mod factor;
mod gauges;
mod layers;
pub mod model;
pub mod parse;
pub mod places;
pub mod resolved;
mod schema;
pub mod tree;

/// What g must be, and why.
const BALANCED: &str = "g of the mapping's degree (Prop. 19: otherwise slices shrink to nothing or grow without bound, and neither \
                        the rank nor the polar argument holds)";

/// A power that is not the mapping's degree, in words.
fn unbalanced(power: f64, degree: usize) -> String {
    format!("unbalanced: the regularizer would have degree {power}, the mapping has degree {degree}")
}

pub use assemble::{assemble, build_extra, build_gauges, build_loss, build_mapping, outlier_ends, refuse_descent};
pub use error::SpecErrors;
pub use model::Spec;
pub use parse::{MOST_THREADS, Override, parse};
pub use resolved::{notes_of, to_toml};
pub use schema::schema;
