//! Thin kernels over nalgebra (storage) and faer (products, decompositions): products, SVD and eigenvalues, proven norm
//! bounds, safe sums. Knows nothing of losses or factors.

pub mod dense;
pub mod elementary;
pub mod gram;
pub mod lanczos;
pub mod long;
pub mod mttkrp;
pub mod nnls;
pub mod packed;
pub mod perron;
pub mod probable;
pub mod proven;
pub mod real;
pub mod simd;
pub mod sparse;
pub mod spectra;
pub mod sum;
pub mod unfolding;
pub mod vector;

pub use gram::{Gram, Layout};
pub use packed::Packed;
pub use sparse::Pattern;

/// The one matrix type: dense, column-major, f64.
pub type Mat = nalgebra::DMatrix<f64>;
