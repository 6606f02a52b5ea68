//! The best of the proven bounds, and what has been tried.

use super::{DualPoint, Kind, Proven, promise, prove, prove_field};
use crate::mapping::Factors;
use crate::polar::bound;
use crate::polar::cuts::Tree;
use crate::problem::Problem;

/// Keeps the best proven bound: a later, weaker one never replaces it.
#[derive(Clone, Debug, Default)]
pub struct Keeper {
    best: Option<Proven>,
    tried: Vec<String>,
    polar: Option<bound::Upper>,
    seen: Option<Factors>,
    cuts: Option<Tree>,
}

impl Keeper {
    /// Nothing proven yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Proves a point and keeps it if it is the best so far. A proof that is expensive and gains no more than the margin that
    /// proofs have is not made.
    pub fn offer(&mut self, problem: &Problem, point: &DualPoint) {
        let proven = self.worth(problem, point);
        self.keep(proven);
    }

    /// The same for a point that was saved or handed over, which is kept as it came: scaled once more, it would be another point in
    /// floating point, whose proof may come out lower.
    pub fn offer_witness(&mut self, problem: &Problem, point: &DualPoint) {
        let proven = self.worth(problem, point);
        self.keep_witness(proven, point);
    }

    /// The same once it is proven.
    pub fn keep_witness(&mut self, proven: Option<Proven>, point: &DualPoint) {
        self.keep(proven.map(|p| Proven { point: point.clone(), ..p }));
    }

    /// Notes a slice that a search for a bound has come upon.
    pub fn see(&mut self, slice: Option<Factors>) {
        self.seen = slice.or(self.seen.take());
    }

    /// The last one.
    pub fn seen(&self) -> Option<&Factors> {
        self.seen.as_ref()
    }

    /// Notes the cuts that the search for the bound at the point is to go on from, or those at which time ended it.
    pub fn go_on_from(&mut self, cuts: Option<Tree>) {
        self.cuts = cuts;
    }

    /// Takes them.
    pub fn cuts(&mut self) -> Option<Tree> {
        self.cuts.take()
    }

    /// Proves a point, unless that is expensive and promises nothing.
    fn worth(&self, problem: &Problem, point: &DualPoint) -> Option<Proven> {
        if let (Kind::Field(z), Some(value)) = (&point.kind, self.value())
            && let Some(lower) = bound::estimate(problem, z)
        {
            // a proof may repair what makes a promise infinite
            let promised = promise(problem, z, lower);
            if promised.is_finite() && promised <= value + 1e-8 * value.abs() {
                return None;
            }
        }
        prove(problem, point)
    }

    /// The same where a field is proven by a search that goes on as the aim says.
    pub fn offer_witness_toward(&mut self, problem: &Problem, point: &DualPoint, aim: &bound::Aim) {
        match &point.kind {
            Kind::Field(z) => {
                let upper = bound::upper_toward(problem, z, aim);
                self.keep_witness(upper.and_then(|u| prove_field(problem, &point.source, z, u)), point);
            }
            _ => self.offer_witness(problem, point),
        }
    }

    /// Notes an upper end of the polar of the gradient at the point itself, with the best extra variables.
    pub fn bound_polar(&mut self, upper: bound::Upper) {
        if self.polar.is_none_or(|p| upper.value < p.value) {
            self.polar = Some(upper);
        }
    }

    /// The best of these.
    pub fn polar(&self) -> Option<bound::Upper> {
        self.polar
    }

    /// Keeps a proven bound if it is the best so far.
    pub fn keep(&mut self, proven: Option<Proven>) {
        let Some(p) = proven else { return };
        if self.best.as_ref().is_none_or(|b| p.value > b.value) {
            self.best = Some(p);
        }
    }

    /// The best bound.
    pub fn best(&self) -> Option<&Proven> {
        self.best.as_ref()
    }

    /// Its value.
    pub fn value(&self) -> Option<f64> {
        self.best.as_ref().map(|b| b.value)
    }

    /// The sources that have been used.
    pub fn tried(&self) -> &[String] {
        &self.tried
    }

    /// Notes that a source has been used.
    pub fn mark(&mut self, source: &str) {
        if !self.tried.iter().any(|t| t == source) {
            self.tried.push(source.to_string());
        }
    }
}
