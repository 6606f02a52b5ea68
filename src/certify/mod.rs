//! What is proven at a point.

pub mod certificate;

pub use certificate::{Certificate, Verdict, Witness};

/// How much work certifying may do: work counts, so that results do not depend on the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// The cheap rungs only.
    Cheap,
    /// The usual ladder.
    #[default]
    Default,
    /// More of everything.
    Thorough,
}

/// `[certificate]`, as certify sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CertifyOptions {
    /// Relative gap asked for.
    pub target_gap: f64,
    /// How much work.
    pub effort: Effort,
}

/// Why no certificate could be given.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CertifyError {
    /// A defect of ours: weak duality forbids it.
    #[error("a defect in homfac: the lower bound {bound:e} ({origin}) exceeds the objective {objective:e}")]
    BoundAboveObjective {
        /// The bound.
        bound: f64,
        /// Its source.
        origin: String,
        /// The objective.
        objective: f64,
    },
    /// The objective is not finite.
    #[error("the objective is not finite at this point: {0}")]
    NotFinite(f64),
    /// A factor has the wrong shape.
    #[error("factor {factor} has {found} rows, expected {expected}")]
    Shape {
        /// 1-based.
        factor: usize,
        /// Rows found.
        found: usize,
        /// Rows expected.
        expected: usize,
    },
    /// An entry lies outside its factor's cone.
    #[error("factor {factor}, row {row}, slice {slice}: {value:e} lies outside the cone `{cone}`")]
    OutsideCone {
        /// 1-based.
        factor: usize,
        /// 0-based row.
        row: usize,
        /// 0-based slice.
        slice: usize,
        /// The entry.
        value: f64,
        /// The cone's name.
        cone: String,
    },
}

/// Certifies a point from the problem and the factors alone; `witnesses` are dual points that somebody claims are good, and
/// are proven like any other.
///
/// # Errors
/// [`CertifyError`].
pub fn certify(
    _problem: &crate::problem::Problem,
    _factors: &crate::mapping::Factors,
    _witnesses: &[Witness],
    _options: &CertifyOptions,
    _budget: &crate::budget::Budget,
) -> Result<Certificate, CertifyError> {
    unimplemented!()
}
