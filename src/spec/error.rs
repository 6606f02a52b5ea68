//! What can be wrong with a spec: every error of a file at once, each with its line, its key, what was found and expected.

use crate::data::error::nearest;
use std::fmt;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In the spec, at this line.
    Line(usize),
    /// On the command line, by this flag.
    Flag(String),
}

/// One error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// Where.
    pub origin: Origin,
    /// Dotted path of the key, such as `regularizer.factors[0].norm`; empty for the file as a whole.
    pub key: String,
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

/// All errors of one spec, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecErrors {
    /// The spec as named on the command line.
    pub file: String,
    /// At least one.
    pub errors: Vec<SpecError>,
}

impl fmt::Display for SpecErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, e) in self.errors.iter().enumerate() {
            if k > 0 {
                f.write_str("\nerror: ")?;
            }
            match &e.origin {
                Origin::Line(line) => write!(f, "{}:{line}: {}", self.file, e.found)?,
                Origin::Flag(flag) => write!(f, "{flag}: {}", e.found)?,
            }
            if !e.key.is_empty() {
                write!(f, " in `{}`", e.key)?;
            }
            if let Some(expected) = &e.expected {
                write!(f, "\n  expected {expected}")?;
            }
            if let Some(hint) = &e.hint {
                write!(f, "\n  hint: {hint}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for SpecErrors {}

/// "did you mean `x`?" for the nearest known name, if it is near.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|k| format!("did you mean `{k}`?"))
}
