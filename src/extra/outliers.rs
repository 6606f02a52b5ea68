//! Outliers, `extra.kind = "outliers"`: one value per observed entry, under a penalty.
//!
//! ```text
//! A q = q          A'z = z
//! ```
//!
//! With the l1 norm and l2 gauges this is stable principal component pursuit (robust PCA).

use super::intercept::Grouped;
use super::{Axis, Kind};
use crate::data::Observations;

/// Registration.
pub const KIND: Kind = Kind {
    name: "outliers",
    summary: "one value per observed entry; needs a `penalty`",
    axis: Axis::None,
    side: false,
    free: false,
    build: |s| {
        let length = s.observations.len();
        // as the target where that is full, else in observation order
        let shape = match s.observations {
            Observations::Full { rows, cols } => (*rows, *cols),
            Observations::Coordinates(_) => (length, 1),
        };
        Box::new(Grouped::new(KIND.name, (0..length as u32).collect(), shape, "entry".into()))
    },
};
