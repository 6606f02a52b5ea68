//! `certificate.json`: the report of a run as scripts read it. Doubles read back exactly; unknown is null.

use crate::certify::certificate::{
    BoundOrigin, Certificate, Condition, Degree, Gap, Objective, PolarInterval, Verdict,
};
use crate::certify::{GLOBAL_GAP, dual};
use crate::data::FileRecord;
use crate::polar::LambdaMax;
use serde::{Deserialize, Serialize};

/// Version of the layout.
const FORMAT: u32 = 1;

/// Everything in `certificate.json`, in its order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Version of the layout.
    pub format: u32,
    /// Version of homfac.
    pub homfac: String,
    /// The spec's name.
    pub name: String,
    /// What is proven.
    pub verdict: Verdict,
    /// Why the solver stopped; `check` if nothing was solved.
    pub stopped_by: String,
    /// lambda as a number.
    pub lambda: f64,
    /// The interval that holds lambda_max.
    pub lambda_max: LambdaMax,
    /// f_r and its parts.
    pub objective: Objective,
    /// Proven.
    pub lower_bound: Option<f64>,
    /// Where it came from.
    pub bound: Option<BoundOrigin>,
    /// objective - lower bound.
    pub gap: Gap,
    /// Relative.
    pub target_gap: f64,
    /// Of -grad l / lambda at the point.
    pub polar: PolarInterval,
    /// Number of slices.
    pub rank: usize,
    /// Number of slices that always suffice.
    pub rank_bound: usize,
    /// Of mapping and regularizer.
    pub degree: Degree,
    /// Conditions of the theory.
    pub conditions: Vec<Condition>,
    /// Files read.
    pub data: Vec<DataFile>,
    /// Fit of the held-out entries.
    pub holdout: Option<Holdout>,
    /// What was assumed.
    pub guarantees: Vec<String>,
    /// Not reproducible, so kept apart.
    pub time: Time,
}

/// A data file as it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataFile {
    /// As the spec writes it.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Shape of what was read.
    pub shape: Vec<usize>,
    /// Entries that are not missing.
    pub observed: usize,
}

/// How well the held-out entries are predicted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holdout {
    /// Number of entries.
    pub entries: usize,
    /// Root mean square error in the units of the file (the transform undone), where the loss takes real numbers.
    pub rmse: Option<f64>,
    /// 1 - squared errors / squared deviations from the mean (of each output, for networks), where the loss takes real numbers.
    pub r2: Option<f64>,
    /// Share of signs or classes that are right, where the loss takes them.
    pub accuracy: Option<f64>,
    /// The loss per entry.
    pub loss: f64,
}

/// Seconds spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Time {
    /// In Algorithm 1.
    pub solve_s: f64,
    /// In certifying the written point.
    pub certify_s: f64,
}

/// What a certificate does not know of itself.
pub struct Context<'a> {
    /// The spec's name.
    pub name: &'a str,
    /// Why the solver stopped.
    pub stopped_by: &'a str,
    /// lambda as a number.
    pub lambda: f64,
    /// The interval that holds lambda_max.
    pub lambda_max: LambdaMax,
    /// Files read.
    pub files: &'a [FileRecord],
    /// Fit of the held-out entries.
    pub holdout: Option<Holdout>,
    /// Seconds spent.
    pub time: Time,
}

impl Document {
    /// Puts the two together.
    pub fn new(c: &Certificate, context: &Context) -> Self {
        Self {
            format: FORMAT,
            homfac: env!("CARGO_PKG_VERSION").into(),
            name: context.name.into(),
            verdict: c.verdict,
            stopped_by: context.stopped_by.into(),
            lambda: context.lambda,
            lambda_max: context.lambda_max,
            objective: c.objective,
            lower_bound: c.lower_bound,
            bound: c.bound.clone(),
            gap: c.gap,
            target_gap: c.target_gap,
            polar: c.polar.clone(),
            rank: c.rank,
            rank_bound: c.rank_bound,
            degree: c.degree,
            conditions: c.conditions.clone(),
            data: context
                .files
                .iter()
                .map(|f| DataFile {
                    path: f.shown.clone(),
                    sha256: f.sha256.clone(),
                    shape: f.shape.clone(),
                    observed: f.observed,
                })
                .collect(),
            holdout: context.holdout,
            guarantees: c.guarantees.clone(),
            time: context.time,
        }
    }

    /// Whether the gap asked for is proven and nothing refutes the point: exit code 0.
    pub fn meets_target(&self) -> bool {
        self.verdict != Verdict::Refuted && self.gap.relative.is_some_and(|g| g <= self.target_gap)
    }

    /// Whether the numbers go together: the parts of the objective come to no more than it, the bound is not above it, and gap and
    /// verdict are what these make them. It proves nothing; what fails it has been tampered with.
    pub fn is_coherent(&self) -> bool {
        let Objective { total, loss, regularizer, extras } = self.objective;
        let rounding = 1e-12 * (loss.abs() + regularizer.abs() + extras.abs());
        let adds_up = loss + regularizer + extras <= total + rounding;
        let relative = self.lower_bound.map(|b| dual::relative_gap(total, b));
        let below = self.lower_bound.is_none_or(|b| b <= total);
        let gap = Gap { absolute: self.lower_bound.map(|b| total - b), relative };
        let global = relative.is_some_and(|g| g <= self.target_gap.min(GLOBAL_GAP));
        let word = match self.verdict {
            Verdict::Global => global,
            Verdict::Within => relative.is_some() && !global,
            Verdict::Refuted | Verdict::Local => !global,
        };
        adds_up && below && self.gap == gap && word
    }

    /// The text of `certificate.json`.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data serialises");
        text.push('\n');
        text
    }
}
