//! Data files in, observations out: one file per format. Sizes are checked against the file before anything is allocated.
//! What the numbers mean is left to others.

pub mod dataset;
pub mod observations;
pub mod source;

pub use dataset::{DataRequest, Dataset};
pub use observations::Observations;
pub use source::Source;
