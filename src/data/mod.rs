//! Data files in, observations out: one file per format. Sizes are checked against the file before anything is allocated.
//! What the numbers mean is left to others.

pub mod array;
pub mod csv;
pub mod dataset;
pub mod error;
pub mod folds;
pub mod hash;
mod holdout;
mod inputs;
pub mod load;
pub mod matrix_market;
pub mod memory;
pub mod npy;
pub mod npz;
pub mod observations;
pub mod operator;
pub mod read;
pub mod remember;
mod sensing;
pub mod source;
pub mod stream;
mod symmetric;
mod target;
pub mod tns;
mod transform;

pub use array::Array;
pub use dataset::{DataRequest, Dataset, FileRecord, TargetKind};
pub use error::DataError;
pub use load::load;
pub use observations::Observations;
pub use operator::Operator;
pub use read::{read_factor, read_slices};
pub use remember::Remembered;
pub use source::Source;
