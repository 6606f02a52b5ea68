//! The nonnegative orthant, `cone = "nonnegative"`: x_i >= 0. Projection: x_i <- max(x_i, 0).

use super::{Cone, Kind};
use crate::linalg::Mat;

/// {x : x_i >= 0}.
#[derive(Debug)]
pub struct Nonnegative;

/// Registration.
pub const KIND: Kind = Kind {
    name: "nonnegative",
    summary: "every entry >= 0",
    keys: &[],
    build: |_| Ok(Box::new(Nonnegative)),
    example: |_| Some(Box::new(Nonnegative)),
};

impl Cone for Nonnegative {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn project(&self, x: &mut [f64]) {
        x.iter_mut().for_each(|x| *x = x.max(0.0));
    }

    fn orthant(&self) -> Option<f64> {
        Some(1.0)
    }

    fn halfspaces(&self, n: usize) -> Option<Mat> {
        Some(Mat::identity(n, n))
    }

    fn violation(&self, x: &[f64]) -> Option<(usize, f64)> {
        x.iter().position(|&x| x < 0.0 || x.is_nan()).map(|i| (i, x[i]))
    }
}
