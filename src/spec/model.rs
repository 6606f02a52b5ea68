//! The checked spec: every default filled in, every name known.

use super::places::Places;
use crate::data::DataRequest;
use crate::data::Source;
use crate::extra::Penalty;
use crate::mapping::Layers;
use crate::problem::Form;
use crate::solve::options::SolverOptions;
use std::path::PathBuf;
use std::time::Duration;

/// `lambda`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lambda {
    /// A number > 0.
    Absolute(f64),
    /// This fraction of lambda_max.
    Relative(f64),
}

/// `weight` of a norm: a number, or one value per coordinate from a file.
#[derive(Clone, Debug, PartialEq)]
pub enum NormWeight {
    /// One number for all coordinates.
    Uniform(f64),
    /// One positive value per coordinate.
    File(Source),
}

/// `groups`: lists of 0-based indices, or a file with one label per coordinate.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupSource {
    /// Written out.
    Lists(Vec<Vec<usize>>),
    /// From a file.
    File(Source),
}

/// One norm, alone or in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct NormSpec {
    /// Name of a registered norm.
    pub kind: String,
    /// Its weight in a list, 1 alone.
    pub weight: f64,
    /// `p`
    pub p: Option<f64>,
    /// `groups`
    pub groups: Option<GroupSource>,
    /// `shape`: rows and columns.
    pub shape: Option<(usize, usize)>,
}

/// `cone` of a factor.
#[derive(Clone, Debug, PartialEq)]
pub struct ConeSpec {
    /// Name of a registered cone.
    pub kind: String,
    /// The matrix at `path`.
    pub matrix: Option<Source>,
    /// `nonzeros`
    pub nonzeros: Option<usize>,
}

/// One entry of `regularizer.factors`.
#[derive(Clone, Debug, PartialEq)]
pub struct FactorSpec {
    /// One norm, or the terms of a sum.
    pub norms: Vec<NormSpec>,
    /// The weight of all of it, default 1.
    pub weight: NormWeight,
    /// The cone, if any.
    pub cone: Option<ConeSpec>,
}

/// `[loss]`.
#[derive(Clone, Debug, PartialEq)]
pub struct LossSpec {
    /// `loss.kind`, a registered name.
    pub kind: String,
    /// The kind's keys and their values, in its order.
    pub parameters: Vec<(&'static str, f64)>,
}

impl std::fmt::Display for LossSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<String> = self.parameters.iter().map(|(k, x)| format!(", {k} {x}")).collect();
        write!(f, "{} loss{}", self.kind, keys.concat())
    }
}

/// One entry of `[[extra]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtraSpec {
    /// `kind`, a registered name.
    pub kind: String,
    /// `axis`, from 0; `None` for `"global"` and for kinds without.
    pub axis: Option<usize>,
    /// `side`.
    pub side: Option<Source>,
    /// `penalty`.
    pub penalty: Penalty,
}

/// `output.images`: columns of a factor that are images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Images {
    /// Which factor, from 0.
    pub factor: usize,
    /// Rows and columns of an image, which is read line by line.
    pub shape: (usize, usize),
}

/// `[certificate]`.
#[derive(Clone, Debug, PartialEq)]
pub struct CertificateSpec {
    /// Relative, in (0, 1).
    pub target_gap: f64,
    /// `cheap` | `default` | `thorough`.
    pub effort: crate::certify::Effort,
    /// Time for certifying.
    pub time_limit: Option<Duration>,
}

/// A checked spec.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// `name`, default the file's stem.
    pub name: String,
    /// `lambda`.
    pub lambda: Lambda,
    /// `[data]`.
    pub data: DataRequest,
    /// `mapping.kind`, a registered name.
    pub mapping: String,
    /// The hidden layers of a network of several.
    pub layers: Option<Layers>,
    /// `regularizer.form`.
    pub form: Form,
    /// `regularizer.power`, where only the data tells whether it is the mapping's degree.
    pub power: Option<f64>,
    /// `regularizer.factors`, one per factor of the mapping (a single entry is repeated, unless the data decides how often).
    pub factors: Vec<FactorSpec>,
    /// `[loss]`.
    pub loss: LossSpec,
    /// `[[extra]]`, in order.
    pub extras: Vec<ExtraSpec>,
    /// `[solver]`.
    pub solver: SolverOptions,
    /// `solver.warm_start`: a run folder.
    pub warm_start: Option<PathBuf>,
    /// `[certificate]`.
    pub certificate: CertificateSpec,
    /// `output.dir`, default `runs/<name>`; relative to the working directory.
    pub output: PathBuf,
    /// `output.images`, for the report.
    pub images: Option<Images>,
    /// Where all this was written.
    pub places: Places,
}
