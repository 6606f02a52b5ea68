//! What can be wrong with data. Every message names the file, the place, what was found and what was expected.

use std::fmt;

/// A row and a column of a file, counted from 1, with the column's name if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Row as in the file.
    pub row: usize,
    /// Column.
    pub column: usize,
    /// Its header.
    pub name: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}, column {}", self.row, self.column)?;
        self.name.as_ref().map_or(Ok(()), |n| write!(f, " (`{n}`)"))
    }
}

/// An error in a data file, or between data files. `file` is the path as the spec writes it.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file cannot be read.
    #[error("{file}: cannot be read")]
    Io {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A cell does not hold what it should.
    #[error("{file}: {place}: expected {expected}, found `{found}`{}", with_hint(.hint))]
    Cell {
        /// The file.
        file: String,
        /// Where.
        place: Place,
        /// What should stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
        /// What to do.
        hint: Option<String>,
    },
    /// An entry of an array that is no table of cells does not hold what it should.
    #[error("{file}: entry {} (counted from 1): expected {expected}, found `{found}`", listed(.index))]
    Entry {
        /// The file.
        file: String,
        /// Where, counted from 1.
        index: Vec<usize>,
        /// What should stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// An entry of a list of coordinates does not hold what it should.
    #[error("{file}: row {row}, entry {}: expected {expected}, found `{found}`", listed(.index))]
    Listed {
        /// The file.
        file: String,
        /// Row of the file.
        row: usize,
        /// The coordinate as in the file.
        index: Vec<usize>,
        /// What should stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// The file is not what its format says.
    #[error("{file}: not a valid {format} file: expected {expected}, found {found}")]
    Format {
        /// The file.
        file: String,
        /// The format's name.
        format: &'static str,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A name that does not exist.
    #[error("{file}: no {what} `{name}`; expected one of: {}{}", some(.known), did_you_mean(.name, .known))]
    Unknown {
        /// The file.
        file: String,
        /// Column, key, ..
        what: &'static str,
        /// The name asked for.
        name: String,
        /// What exists.
        known: Vec<String>,
    },
    /// Sizes that do not fit together.
    #[error("{file}: expected {expected}, found {found}{}", with_hint(.hint))]
    Shape {
        /// The file.
        file: String,
        /// The size wanted and why.
        expected: String,
        /// The size found.
        found: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A key of the spec that the data does not go with.
    #[error("{place}: {found} in `{key}`\n  expected {expected}{}", with_hint(.hint))]
    Key {
        /// Where it is written.
        place: String,
        /// The key.
        key: String,
        /// What it says.
        found: String,
        /// What it should say, and why.
        expected: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The same coordinate twice.
    #[error("{file}: entry {} is listed twice, in rows {first} and {second}", listed(.index))]
    Duplicate {
        /// The file.
        file: String,
        /// The coordinate as in the file.
        index: Vec<usize>,
        /// Row of the first.
        first: usize,
        /// Row of the second.
        second: usize,
    },
    /// More memory than the machine has.
    #[error("{file}: about {needed_gb:.1} GB of memory would be needed, the machine has {machine_gb:.1} GB")]
    Memory {
        /// The file.
        file: String,
        /// The estimate.
        needed_gb: f64,
        /// The machine's.
        machine_gb: f64,
    },
    /// Nothing is observed.
    #[error("{file}: no entry is observed{}", with_hint(.hint))]
    NothingObserved {
        /// The file.
        file: String,
        /// Why that may be.
        hint: Option<String>,
    },
    /// An asymmetric target where a symmetric one is needed.
    #[error(
        "{file}: the psd mapping needs a symmetric target: entry ({i}, {j}) is {upper}, entry ({j}, {i}) is {lower} \
         (counted from 1)\n  hint: `symmetrize = true` under [mapping] averages the two"
    )]
    Asymmetric {
        /// The file.
        file: String,
        /// Row, from 1.
        i: usize,
        /// Column, from 1.
        j: usize,
        /// Entry (i, j).
        upper: String,
        /// Entry (j, i).
        lower: String,
    },
}

impl DataError {
    /// The file with the error; `None` where the message says all there is.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Io { file, .. }
            | Self::Cell { file, .. }
            | Self::Entry { file, .. }
            | Self::Listed { file, .. }
            | Self::Format { file, .. }
            | Self::Unknown { file, .. }
            | Self::Shape { file, .. }
            | Self::Duplicate { file, .. }
            | Self::Memory { file, .. }
            | Self::NothingObserved { file, .. }
            | Self::Asymmetric { file, .. } => Some(file),
            Self::Key { .. } => None,
        }
    }
}

fn listed(index: &[usize]) -> String {
    let words: Vec<String> = index.iter().map(usize::to_string).collect();
    format!("({})", words.join(", "))
}

fn with_hint(hint: &Option<String>) -> String {
    hint.as_ref().map_or(String::new(), |h| format!("\n  hint: {h}"))
}

/// The first of these names: a file may hold as many as it likes.
fn some(known: &[String]) -> String {
    const SHOWN: usize = 50;
    let more = if known.len() > SHOWN { ", .." } else { "" };
    format!("{}{more}", known[..known.len().min(SHOWN)].join(", "))
}

/// Names longer than this are like no other: comparing takes the product of their lengths.
const LONGEST_NAME: usize = 200;

/// "; did you mean `x`?" for the nearest known name, if it is near.
fn did_you_mean(name: &str, known: &[String]) -> String {
    let near = nearest(name, known.iter().map(String::as_str));
    near.map_or(String::new(), |k| format!("\n  hint: did you mean `{k}`?"))
}

/// The nearest name, if it is near; capitals do not count.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let comparable = |k: &str| name.len().max(k.len()) <= LONGEST_NAME;
    let lower = str::to_ascii_lowercase;
    known
        .into_iter()
        .filter(|k| comparable(k))
        .map(|k| (strsim::jaro_winkler(&lower(name), &lower(k)), k))
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}
