//! What a spec says about one data file: where it is and how to read it.

use std::path::PathBuf;

/// How a file is laid out. By extension unless named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Dense CSV.
    Csv,
    /// Coordinate CSV: i, j[, k..], value.
    Triplets,
    /// NumPy array.
    Npy,
    /// One array of a NumPy archive.
    Npz,
    /// Matrix Market, coordinate or array.
    MatrixMarket,
    /// FROSTT: i j k.. value, parted by blanks.
    Tns,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 6] = [Self::Csv, Self::Triplets, Self::Npy, Self::Npz, Self::MatrixMarket, Self::Tns];

    /// The name in the spec.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Triplets => "triplets",
            Self::Npy => "npy",
            Self::Npz => "npz",
            Self::MatrixMarket => "mtx",
            Self::Tns => "tns",
        }
    }

    /// What its indices are counted from unless the spec says.
    pub fn index_base(self) -> usize {
        usize::from(matches!(self, Self::MatrixMarket | Self::Tns))
    }

    /// The format that a file's extension tells.
    pub fn of_extension(path: &std::path::Path) -> Option<Self> {
        match path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase().as_str() {
            "csv" | "tsv" | "txt" => Some(Self::Csv),
            "npy" => Some(Self::Npy),
            "npz" => Some(Self::Npz),
            "mtx" => Some(Self::MatrixMarket),
            "tns" => Some(Self::Tns),
            _ => None,
        }
    }
}

/// What an entry that a coordinate format does not list means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Absent {
    /// Not observed.
    #[default]
    Missing,
    /// Observed, and zero.
    Zero,
}

impl Absent {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Missing, Self::Zero];

    /// The name in the spec.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Zero => "zero",
        }
    }
}

/// A column picked by name or by 1-based number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    /// By header name.
    Name(String),
    /// By position, counted from 1.
    Number(usize),
}

/// One data file as the spec describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The path to open (already resolved against the spec's folder).
    pub path: PathBuf,
    /// The path as the spec writes it, for messages and reports.
    pub shown: String,
    /// `format`; by extension if absent.
    pub format: Option<Format>,
    /// `header`; detected if absent.
    pub header: Option<bool>,
    /// `delimiter`, one byte; comma if absent.
    pub delimiter: Option<u8>,
    /// `key` of the array in an NPZ archive.
    pub key: Option<String>,
    /// `columns` of a dense CSV or array, in this order.
    pub columns: Option<Vec<Column>>,
    /// `shape`; the largest index seen if absent.
    pub shape: Option<Vec<usize>>,
    /// `index_base`; 0, or 1 for Matrix Market and FROSTT.
    pub index_base: Option<usize>,
    /// `absent`.
    pub absent: Absent,
}

impl Source {
    /// A file of which nothing but the path is said.
    pub fn plain(path: PathBuf, shown: String) -> Self {
        Self {
            path,
            shown,
            format: None,
            header: None,
            delimiter: None,
            key: None,
            columns: None,
            shape: None,
            index_base: None,
            absent: Absent::Missing,
        }
    }
}
