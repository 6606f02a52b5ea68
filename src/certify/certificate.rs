//! What is proven, as plain numbers: the in-memory form of `certificate.json` that [`super::certify`] fills.

use crate::extra::Coefficients;
use crate::polar::cuts::Tree;
use serde::{Deserialize, Serialize};

/// What may be said of a point; decided from the proven numbers alone, in the order of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Relative gap <= min(target, 1e-3), the bound proven including rounding.
    Global,
    /// A proven bound better than the trivial one.
    Within,
    /// No useful proven bound.
    Local,
    /// A slice is at hand that lowers the objective.
    Refuted,
}

impl Verdict {
    /// The word in `verdict`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Within => "within",
            Self::Local => "local",
            Self::Refuted => "refuted",
        }
    }
}

/// The parts of (20), lambda included in `regularizer`; `total` is their sum rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// Sum, rounded up.
    pub total: f64,
    /// l(Phi_r(X), Q).
    pub loss: f64,
    /// lambda * sum_i g(X_i).
    pub regularizer: f64,
    /// H(Q).
    pub extras: f64,
}

/// Where `lower_bound` came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoundOrigin {
    /// The source of the dual point, such as `residual` or `relaxation:nuclear_nonnegative`.
    pub source: String,
    /// The method that bounded its polar, such as `cholesky` or `closed_form`.
    pub method: String,
    /// The rounding margin taken off the dual value (units of the objective).
    pub slack: f64,
    /// A better bound that holds with high probability only; sought where no tight one is proven, else absent. Decides nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probabilistic: Option<f64>,
}

/// Objective minus lower bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// objective - lower_bound.
    pub absolute: Option<f64>,
    /// absolute / max(|objective|, |lower_bound|); 0 where both are 0.
    pub relative: Option<f64>,
}

/// The polar (26) of -grad l / lambda at the written point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolarInterval {
    /// Attained by a slice that was found.
    pub lower: f64,
    /// Proven.
    pub upper: Option<f64>,
    /// The method behind `upper`.
    pub method: String,
    /// Whether the method's bound is the polar itself up to rounding.
    pub exact: bool,
    /// How far the search for `upper` had come when time ended it; absent where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<SearchEnd>,
}

/// How far a search for a bound of the polar had come when time ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchEnd {
    /// The dimension of what it searched: directions of as many inputs, those that depend on others not counted.
    pub dimension: usize,
    /// The cells that it had cut them into.
    pub cells: usize,
}

/// Degrees of positive homogeneity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Degree {
    /// p of the mapping.
    pub mapping: u32,
    /// p of g.
    pub regularizer: u32,
}

/// One condition of the theory, checked at the written point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// The contract's id, such as `equal_slices`.
    pub id: String,
    /// Where it stands in the paper, such as `Lemma 14`.
    pub source: String,
    /// The measured value, if the condition is measured.
    pub value: Option<f64>,
    /// What it was compared with.
    pub tolerance: Option<f64>,
    /// Whether it holds; `None` where unknown.
    pub holds: Option<bool>,
    /// In words.
    pub says: String,
}

/// A slice z (g(z) = 1) and the step t along it that lower the objective by `decrease`.
#[derive(Clone, Debug, PartialEq)]
pub struct Refutation {
    /// z^k per factor, scaled by t^(1/p): append it as a column of X^k.
    pub slice: Vec<Vec<f64>>,
    /// <W, phi(z)> for the slice of unit gauge.
    pub polar: f64,
    /// By how much the objective falls when the slice is appended.
    pub decrease: f64,
}

/// The certificate of one point.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// What is proven.
    pub verdict: Verdict,
    /// f_r at the point.
    pub objective: Objective,
    /// Proven lower bound of the global optimum.
    pub lower_bound: Option<f64>,
    /// Where it came from.
    pub bound: Option<BoundOrigin>,
    /// objective - lower bound.
    pub gap: Gap,
    /// The gap asked for, relative.
    pub target_gap: f64,
    /// The polar at the point.
    pub polar: PolarInterval,
    /// Number of slices r.
    pub rank: usize,
    /// Cor. 18, or the smaller bound of the kind.
    pub rank_bound: usize,
    /// Degrees of mapping and regularizer.
    pub degree: Degree,
    /// Conditions of the theory.
    pub conditions: Vec<Condition>,
    /// What was assumed, in sentences.
    pub guarantees: Vec<String>,
    /// A slice that descends, whether or not the verdict is `refuted`.
    pub refutation: Option<Refutation>,
    /// Q at the point, one vector per block.
    pub extras: Coefficients,
    /// The dual point behind `lower_bound`, to be saved and proven again.
    pub witness: Option<Witness>,
    /// Where the search for the bound was when time ended it, if it did: another goes on from there.
    pub cuts: Option<Tree>,
}

/// A dual point as it is saved in `dual.npz`: named arrays, proven anew by whoever reads them.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Witness {
    /// Who made it, for the report; `saved` for one read from a run folder.
    pub source: String,
    /// (name, values in observation order), such as ("z", ..).
    pub arrays: Vec<(String, Vec<f64>)>,
}
