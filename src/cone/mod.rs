//! Cones that a factor's columns may be confined to. To add one: a file with a `KIND`, and its line in [`KINDS`].

pub mod nonnegative;
pub mod nonpositive;

/// A closed convex cone C in R^n.
pub trait Cone: Send + Sync {
    /// The name in the spec.
    fn name(&self) -> &'static str;

    /// x <- the Euclidean projection of x onto C.
    fn project(&self, x: &mut [f64]);

    /// The sign every coordinate is confined to, for orthants: +1 or -1. Such a cone composes with every absolute norm.
    fn orthant(&self) -> Option<f64>;

    /// Index and value of the first coordinate that shows x outside C, if any.
    fn violation(&self, x: &[f64]) -> Option<(usize, f64)>;
}

/// A cone as the spec names it.
pub struct Kind {
    /// `cone` in a factor entry.
    pub name: &'static str,
    /// One line for lists and docs.
    pub summary: &'static str,
    /// Builds it.
    pub build: fn() -> Box<dyn Cone>,
}

/// Every cone. One line each.
pub const KINDS: &[&Kind] = &[&nonnegative::KIND, &nonpositive::KIND];
