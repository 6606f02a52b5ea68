//! The two precisions that matrices are factored in.

use std::borrow::Cow;
use std::fmt::Debug;
use std::iter::Sum;
use std::ops::{AddAssign, DivAssign, Mul, Neg, SubAssign};

/// f64 or f32.
pub trait Real:
    faer::traits::ComplexField
    + Copy
    + Debug
    + PartialOrd
    + Into<f64>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + DivAssign
    + Sum
    + 'static
{
    /// Unit roundoff: 2^-53 or 2^-24.
    const ROUNDOFF: f64;
    /// The smallest normal number.
    const LEAST: f64;
    /// The nearest number of this precision.
    fn of(x: f64) -> Self;
    /// The same for many, copied only where that changes them.
    fn all(x: &[f64]) -> Cow<'_, [Self]>;
    /// Its square root, rounded once.
    fn root(self) -> Self;

    /// gamma_k = k u / (1 - k u), the usual bound of k roundings, itself rounded up; infinite where it means nothing.
    fn roundings(k: usize) -> f64 {
        let ku = k as f64 * Self::ROUNDOFF;
        if ku < 0.1 { ku / (1.0 - ku) * (1.0 + 8.0 * f64::EPSILON) } else { f64::INFINITY }
    }
}

impl Real for f64 {
    const ROUNDOFF: f64 = f64::EPSILON / 2.0;
    const LEAST: f64 = f64::MIN_POSITIVE;

    fn of(x: f64) -> Self {
        x
    }

    fn all(x: &[f64]) -> Cow<'_, [Self]> {
        Cow::Borrowed(x)
    }

    fn root(self) -> Self {
        self.sqrt()
    }
}

impl Real for f32 {
    const ROUNDOFF: f64 = f32::EPSILON as f64 / 2.0;
    const LEAST: f64 = f32::MIN_POSITIVE as f64;

    fn of(x: f64) -> Self {
        x as Self
    }

    fn all(x: &[f64]) -> Cow<'_, [Self]> {
        Cow::Owned(x.iter().map(|x| *x as Self).collect())
    }

    fn root(self) -> Self {
        self.sqrt()
    }
}
