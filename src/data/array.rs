//! What a file holds before anyone says what it means: a dense array or a list of coordinates.

/// An array of any number of dimensions.
#[derive(Clone, Debug, PartialEq)]
pub enum Array {
    /// All entries, first index fastest (column-major); NaN = missing.
    Dense {
        /// Sizes.
        shape: Vec<usize>,
        /// Values.
        values: Vec<f64>,
    },
    /// Some entries.
    Coordinates {
        /// Sizes.
        shape: Vec<usize>,
        /// 0-based indices, `shape.len()` per entry.
        index: Vec<usize>,
        /// Values; NaN = listed but missing.
        values: Vec<f64>,
        /// Row of the file each entry stands in, from 1.
        rows: Vec<usize>,
    },
}

impl Array {
    /// Sizes.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Dense { shape, .. } | Self::Coordinates { shape, .. } => shape,
        }
    }

    /// Number of values that are not missing.
    pub fn observed(&self) -> usize {
        let (Self::Dense { values, .. } | Self::Coordinates { values, .. }) = self;
        values.iter().filter(|v| !v.is_nan()).count()
    }
}
