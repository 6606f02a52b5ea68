//! What is said of a score: a value in the units of the data, a sign, a class, a probability, or the score itself.
//!
//! ```text
//! real numbers          the transform undone            counts        exp(x), what the logarithmic link expects
//! signs                 the sign; 1 / (1 + exp(-x))     classes       the class; exp(x_c) / sum exp(x)
//! ```

use super::model::Model;
use super::{class, sign};
use crate::data::TargetKind;
use crate::loss::{logistic, multinomial};

/// What to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Values as the target has them.
    Values,
    /// X + A Q as the loss sees it.
    Scores,
    /// Probabilities of 1, or of each class.
    Probabilities,
}

/// A cell of what is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// An index, which arrays leave out.
    Index(usize),
    /// A number.
    Number(f64),
    /// The name of a class.
    Class(String),
}

impl Model {
    /// Why this cannot be shown, in a sentence.
    ///
    /// # Errors
    /// The sentence.
    pub fn can_show(&self, show: Show) -> Result<(), String> {
        let loss = self.loss().name;
        let known = [logistic::KIND.name, multinomial::KIND.name].contains(&loss);
        match show {
            Show::Probabilities if !known => Err(format!("loss `{loss}` has no probabilities")),
            Show::Probabilities if self.spec.data.operator.is_some() => {
                Err("entries behind an operator have no probabilities".into())
            }
            _ => Ok(()),
        }
    }

    /// Whether a row of scores makes classes.
    pub fn has_classes(&self) -> bool {
        self.loss().targets == TargetKind::Classes
    }

    /// A score in column j of the unfolding; not for classes.
    pub fn value(&self, show: Show, j: usize, x: f64) -> f64 {
        match (show, self.loss().targets) {
            // what is measured of X is in the units of the data, not X
            _ if self.spec.data.operator.is_some() => x,
            (Show::Scores, _) | (Show::Values, TargetKind::Classes) => x,
            (Show::Probabilities, _) => 1.0 / (1.0 + (-x).exp()),
            (Show::Values, TargetKind::Real) => self.remembered.transform.as_ref().map_or(x, |t| t.undo(j, x)),
            (Show::Values, TargetKind::Counts) => x.exp(),
            (Show::Values, TargetKind::Signs) if self.remembered.meaning.zero_one => 0.5 * (sign(x) + 1.0),
            (Show::Values, TargetKind::Signs) => sign(x),
        }
    }

    /// A row of scores, one per column of X.
    pub fn row(&self, show: Show, scores: &[f64]) -> Vec<Cell> {
        if !self.has_classes() {
            return scores.iter().enumerate().map(|(j, x)| Cell::Number(self.value(show, j, *x))).collect();
        }
        match show {
            Show::Values => vec![Cell::Class(self.class_name(class(scores)))],
            Show::Scores => scores.iter().map(|x| Cell::Number(*x)).collect(),
            Show::Probabilities => {
                let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = scores.iter().map(|x| (x - top).exp()).sum();
                scores.iter().map(|x| Cell::Number((x - top).exp() / total)).collect()
            }
        }
    }

    fn class_name(&self, c: usize) -> String {
        self.remembered.meaning.classes.get(c).cloned().unwrap_or_else(|| (c + 1).to_string())
    }

    /// Names of the cells of a row.
    pub fn row_names(&self, show: Show) -> Vec<String> {
        let columns = self.remembered.meaning.columns.as_ref();
        if self.has_classes() {
            return match show {
                Show::Values => vec![columns.and_then(|c| c.first().cloned()).unwrap_or("label".into())],
                _ => (0..self.sizes()[1]).map(|c| self.class_name(c)).collect(),
            };
        }
        let count = self.shape().1;
        match columns.filter(|c| c.len() == count && self.spec.data.operator.is_none()) {
            Some(columns) => columns.clone(),
            None => (1..=count).map(|j| format!("column{j}")).collect(),
        }
    }

    /// The name of the value of one entry.
    pub fn entry_name(&self, show: Show) -> &'static str {
        match show {
            Show::Values => "value",
            Show::Scores => "score",
            Show::Probabilities => "probability",
        }
    }
}
