//! Which point of a path is written.

use super::super::failure::Usage;
use crate::report::path::Point;

/// `--choose`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The smallest lambda.
    Last,
    /// The least held-out loss.
    Min,
    /// The largest lambda whose mean held-out loss is within one standard error of the least.
    OneStandardError,
    /// The point of this number, from 1.
    Number(usize),
}

/// As clap reads it.
///
/// # Errors
/// What was expected.
pub fn rule(text: &str) -> Result<Rule, String> {
    match text {
        "last" => Ok(Rule::Last),
        "min" => Ok(Rule::Min),
        "1se" => Ok(Rule::OneStandardError),
        other => match other.parse() {
            Ok(n) if n > 0 => Ok(Rule::Number(n)),
            _ => Err("expected `min`, `1se`, `last`, or the number of a point from 1".into()),
        },
    }
}

impl Rule {
    /// The rule asked for, or the default: the least held-out loss where there is one.
    ///
    /// # Errors
    /// [`Usage`] if the rule needs what is not there.
    pub fn new(asked: Option<Rule>, folds: bool, holdout: bool, points: usize) -> Result<Self, Usage> {
        match asked {
            None if folds || holdout => Ok(Self::Min),
            None => Ok(Self::Last),
            Some(Self::Min) if !folds && !holdout => {
                Err(Usage("--choose min: nothing is held out\n  hint: add `--folds 5`, or `data.holdout`".into()))
            }
            Some(Self::OneStandardError) if !folds => {
                Err(Usage("--choose 1se: a standard error takes folds\n  hint: add `--folds 5`".into()))
            }
            Some(Self::Number(n)) if n > points => Err(Usage(format!("--choose {n}: the path has {points} points"))),
            Some(rule) => Ok(rule),
        }
    }

    /// The number of the point chosen, from 0, among those reached; the last of them where the rule has nothing to go by.
    pub fn choose(self, points: &[Point]) -> usize {
        let last = points.len().saturating_sub(1);
        let folds = points.iter().any(|p| p.cv.is_some());
        let score = |p: &Point| match folds {
            true => p.cv.map(|c| c.mean),
            false => p.document.holdout.map(|h| h.loss),
        };
        let scores = points.iter().map(score).enumerate();
        let scored = scores.filter_map(|(i, s)| s.filter(|s| s.is_finite()).map(|s| (i, s)));
        // the first of equals: the larger lambda
        let least = scored.clone().fold(None, |best: Option<(usize, f64)>, (i, s)| match best {
            Some(b) if b.1 <= s => Some(b),
            _ => Some((i, s)),
        });
        match (self, least) {
            (Self::Number(n), _) => (n - 1).min(last),
            (Self::Last, _) | (_, None) => last,
            (Self::Min, Some((i, _))) => i,
            (Self::OneStandardError, Some((i, s))) => {
                let error = points[i].cv.map_or(0.0, |c| c.error);
                scored.clone().find(|(_, other)| *other <= s + error).map_or(i, |p| p.0)
            }
        }
    }

    /// As the flag has it.
    pub fn word(self) -> String {
        match self {
            Self::Last => "last".into(),
            Self::Min => "min".into(),
            Self::OneStandardError => "1se".into(),
            Self::Number(n) => n.to_string(),
        }
    }

    /// Whether a point that is not chosen now may be chosen later.
    pub fn needs_all(self) -> bool {
        self == Self::OneStandardError
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Last => write!(f, "the smallest lambda"),
            Self::Min => write!(f, "the least held-out loss"),
            Self::OneStandardError => {
                write!(f, "the largest lambda within one standard error of the least held-out loss")
            }
            Self::Number(n) => write!(f, "point {n}"),
        }
    }
}
