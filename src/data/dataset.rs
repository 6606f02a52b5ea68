//! The target with its mask, weights, transform and held-out entries, ready to be fitted.

use super::{Observations, Operator, Source};
use crate::linalg::Mat;
use serde::{Deserialize, Serialize};

/// What the targets must be; the loss says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetKind {
    /// Any real numbers.
    #[default]
    Real,
    /// -1 or 1, or else 0 or 1.
    Signs,
    /// Numbers >= 0.
    Counts,
    /// One column of labels, numbers or strings, or one-hot rows. They become one-hot rows with a column per class.
    Classes,
}

/// `data.transform`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Transform {
    /// As it is.
    #[default]
    None,
    /// Each column less its mean over observed entries.
    Center,
    /// Each column divided by its population deviation.
    Scale,
    /// Both.
    Standardize,
    /// ln(1 + y), y > -1.
    Log1p,
    /// y - c.
    Subtract(f64),
}

/// `data.weights`: one per entry, or one per index of an axis (1-based).
#[derive(Clone, Debug, PartialEq)]
pub struct WeightSource {
    /// The file.
    pub source: Source,
    /// `axis`: 1 = one weight per row, 2 = per column.
    pub axis: Option<usize>,
}

/// `data.operator`.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatorSource {
    /// The file: an array m x d1 x d2, or a matrix whose row k is A_k, row by row.
    pub source: Source,
    /// `dims` of a matrix, [d1, d2]; square if absent.
    pub dims: Option<(usize, usize)>,
}

/// `data.input`: the inputs of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct InputSource {
    /// The file: one row per sample.
    pub source: Source,
    /// Whether a column of ones is appended.
    pub bias: bool,
    /// Whether columns are brought to mean 0 and deviation 1.
    pub standardize: bool,
}

/// The inputs of a network as it sees them.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    /// V: one row per fitted sample; the column of ones, if any, is the last.
    pub values: Mat,
    /// The columns' names, or numbers from 1; without the column of ones.
    pub names: Vec<String>,
    /// What was subtracted from each of these columns.
    pub mean: Vec<f64>,
    /// What each was then divided by.
    pub deviation: Vec<f64>,
}

/// `data.holdout`.
#[derive(Clone, Debug, PartialEq)]
pub enum HoldoutRequest {
    /// This fraction of the observed entries, drawn with the seed.
    Fraction(f64),
    /// The nonzero entries of a mask of the target's shape.
    Mask(Source),
}

/// Everything the `[data]` table asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct DataRequest {
    /// `target`.
    pub target: Source,
    /// `operator`: the target is then the vector of measurements.
    pub operator: Option<OperatorSource>,
    /// `input`: the inputs of a network.
    pub input: Option<InputSource>,
    /// `mask`: nonzero = observed.
    pub mask: Option<Source>,
    /// `weights`.
    pub weights: Option<WeightSource>,
    /// `transform`.
    pub transform: Transform,
    /// `holdout`.
    pub holdout: Option<HoldoutRequest>,
    /// `solver.seed`, for the draw of held-out entries.
    pub seed: u64,
    /// What the loss takes.
    pub kind: TargetKind,
    /// The psd mapping wants a symmetric target: `Some(false)` refuses an asymmetric one, `Some(true)` symmetrises.
    pub symmetric: Option<bool>,
    /// Whether the mapping takes arrays of any order, or matrices only.
    pub any_order: bool,
}

/// A data file that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct FileRecord {
    /// As the spec writes it.
    pub shown: String,
    /// Lower-case hexadecimal SHA-256 of the file's bytes.
    pub sha256: String,
    /// Shape of what was read.
    pub shape: Vec<usize>,
    /// Observed entries of what was read.
    pub observed: usize,
}

/// Entries kept out of the fit, in the units of the transformed data.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOut {
    /// Where they are.
    pub observations: Observations,
    /// Their measurements, for sensing.
    pub operator: Option<Operator>,
    /// Their places in the vector of measurements, for sensing.
    pub measured: Option<Observations>,
    /// The inputs of their samples, for networks.
    pub inputs: Option<Mat>,
    /// Their values, in observation order.
    pub y: Vec<f64>,
}

/// The transform as it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppliedTransform {
    /// ln(1 + y).
    Log1p,
    /// y - c.
    Subtract(f64),
    /// (y - offset_j) / scale_j in column j.
    Columns {
        /// Subtracted from each column.
        offset: Vec<f64>,
        /// What each was then divided by.
        scale: Vec<f64>,
    },
}

impl AppliedTransform {
    /// A value of column j as it is fitted.
    pub fn apply(&self, j: usize, y: f64) -> f64 {
        match self {
            Self::Log1p => y.ln_1p(),
            Self::Subtract(c) => y - c,
            Self::Columns { offset, scale } => (y - offset[j]) / scale[j],
        }
    }

    /// A fitted value of column j in the units of the file.
    pub fn undo(&self, j: usize, x: f64) -> f64 {
        match self {
            Self::Log1p => x.exp_m1(),
            Self::Subtract(c) => x + c,
            Self::Columns { offset, scale } => offset[j] + scale[j] * x,
        }
    }
}

/// What the numbers of the target stand for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Meaning {
    /// Names of the target's columns, where the file has any and they are not those of classes; the name of a column of labels.
    pub columns: Option<Vec<String>>,
    /// The classes in the order of their columns, for losses that take them.
    pub classes: Vec<String>,
    /// Whether signs stand as 0 and 1 in the file.
    pub zero_one: bool,
}

/// The data as the problem sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Sizes d_1 .. d_K of X; of a network, d_1 counts the samples that are fitted.
    pub sizes: Vec<usize>,
    /// Where the data is, in the unfolding d_1 x (d_2 .. d_K) of X, first index fastest. All entries observed: `Full`. For
    /// sensing: every entry of X, which the operator sees.
    pub observations: Observations,
    /// What is measured of X, for sensing.
    pub operator: Option<Operator>,
    /// The places of the targets in the vector of measurements, for sensing.
    pub measured: Option<Observations>,
    /// The inputs of a network.
    pub inputs: Option<Inputs>,
    /// Targets in observation order.
    pub y: Vec<f64>,
    /// Weights > 0 in observation order; `None` if all are 1.
    pub w: Option<Vec<f64>>,
    /// Held-out entries.
    pub holdout: Option<HeldOut>,
    /// `None` for `transform = "none"`.
    pub transform: Option<AppliedTransform>,
    /// What the target's numbers stand for.
    pub meaning: Meaning,
    /// The files read: the target first, then mask, weights, holdout, operator.
    pub files: Vec<FileRecord>,
    /// Choices made while reading (header or not, shape inferred, missing entries, ..), for log and report.
    pub notes: Vec<String>,
    /// The request with these choices filled in.
    pub resolved: DataRequest,
}

impl HeldOut {
    /// Where the values are in the target.
    pub fn places(&self) -> &Observations {
        self.measured.as_ref().unwrap_or(&self.observations)
    }
}

impl Dataset {
    /// Where the values are in the target.
    pub fn places(&self) -> &Observations {
        self.measured.as_ref().unwrap_or(&self.observations)
    }

    /// Sizes of the target: those of X, unless something else is measured of it.
    pub fn place_sizes(&self) -> Vec<usize> {
        self.measured.as_ref().map_or_else(|| self.sizes.clone(), |at| vec![at.shape().0, at.shape().1])
    }

    /// A fitted or transformed value of column j in the units of the file.
    pub fn original(&self, j: usize, x: f64) -> f64 {
        self.transform.as_ref().map_or(x, |t| t.undo(j, x))
    }
}
