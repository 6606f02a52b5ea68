//! Dual points and what they prove.
//!
//! ```text
//! min l(X) + lambda Omega(X)  >=  -l*(-Z)      for every field Z with Omega°(Z) <= lambda
//! ```
//!
//! Any Z will do, so the best bound over all points ever proven is kept. A point is scaled into the feasible set by a proven
//! upper bound of its polar; the excess is never forgiven. Where u v' has one sign (both factors in orthants) a point may
//! carry a *majorant* M: Z <= M entry by entry and Omega°_free(M) <= lambda suffice. Where one side or both lie in orthants it
//! may carry a [`Lift`].

pub mod cone_lift;
mod equalities;
mod keeper;
mod lift;
mod majorant;
mod parts;
pub mod transposes;

pub use cone_lift::ConeLift;
pub use keeper::Keeper;
pub use lift::Lift;
pub use transposes::Transposes;

use super::certificate::Witness;
use crate::extra::{Block, Penalty};
use crate::linalg::sum::{UNIT_ROUNDOFF, norm_upper};
use crate::polar::bound;
use crate::polar::parts::Parts;
use crate::problem::Problem;
use equalities::{ROOMS, corrected, near_sums, repair_exactly};
use std::borrow::Cow;

/// A dual point, claimed good by whoever made it.
#[derive(Clone, Debug, PartialEq)]
pub struct DualPoint {
    /// Who made it, for the report.
    pub source: String,
    /// Z in observation order, or M as a dense m x n column-major matrix.
    pub kind: Kind,
}

/// What a dual point consists of.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// The field itself.
    Field(Vec<f64>),
    /// A majorant; the field is the entrywise best one below it.
    Majorant(Vec<f64>),
    /// A lift.
    Lift(Lift),
    /// A lift for halfspaces, norms of squares, and any loss.
    ConeLift(ConeLift),
    /// The parts of a sum of norms, [`crate::polar::parts`]: the field is their sum, or the best one below it where u v' has one
    /// sign.
    Parts(Vec<Vec<f64>>),
    /// A field and parts that bound its polar: their sum misses it by little, and that is paid for.
    Split {
        /// Z, in observation order.
        z: Vec<f64>,
        /// The parts, in the order of [`crate::polar::parts`].
        blocks: Vec<Vec<f64>>,
    },
    /// A grouping of the indices of an array of higher order.
    Transposes(Transposes),
}

/// A lower bound of the global optimum with its proof's ingredients.
#[derive(Clone, Debug, PartialEq)]
pub struct Proven {
    /// The bound, rounded down.
    pub value: f64,
    /// The rounding margin in it.
    pub slack: f64,
    /// The method that bounded the polar.
    pub method: &'static str,
    /// The scaled, feasible point.
    pub point: DualPoint,
}

impl DualPoint {
    /// A point from a field.
    pub fn field(source: impl Into<String>, z: Vec<f64>) -> Self {
        Self { source: source.into(), kind: Kind::Field(z) }
    }

    /// A point from a majorant.
    pub fn majorant(source: impl Into<String>, m: Vec<f64>) -> Self {
        Self { source: source.into(), kind: Kind::Majorant(m) }
    }

    /// As it is saved.
    pub fn to_witness(&self) -> Witness {
        let arrays = match &self.kind {
            Kind::Field(z) => vec![("z".into(), z.clone())],
            Kind::Majorant(m) => vec![("majorant".into(), m.clone())],
            Kind::Lift(l) => {
                vec![("lift".into(), l.s.clone()), ("lift_u".into(), l.u.clone()), ("lift_v".into(), l.v.clone())]
            }
            Kind::Parts(blocks) => {
                blocks.iter().enumerate().map(|(k, s)| (format!("part_{}", k + 1), s.clone())).collect()
            }
            Kind::ConeLift(l) => l.arrays(),
            Kind::Split { z, blocks } => {
                let named = |(k, s): (usize, &Vec<f64>)| (format!("split_part_{}", k + 1), s.clone());
                std::iter::once(("split_z".into(), z.clone())).chain(blocks.iter().enumerate().map(named)).collect()
            }
            Kind::Transposes(t) => t.arrays(),
        };
        Witness { source: self.source.clone(), arrays }
    }

    /// Reads a saved point; `None` if its arrays are unknown or of the wrong length for the problem.
    pub fn from_witness(problem: &Problem, w: &Witness) -> Option<Self> {
        let (m, n) = problem.shape();
        let array = |name: &str| w.arrays.iter().find(|a| a.0 == name).map(|a| a.1.clone());
        let block = |x: &[f64], side: usize| x.is_empty() || Some(x.len()) == side.checked_mul(side);
        let kind = if array("part_1").is_some() {
            Kind::Parts((1..=Parts::of(problem)?.count()).map(|k| array(&format!("part_{k}"))).collect::<Option<_>>()?)
        } else if let Some(z) = array("split_z") {
            let count = Parts::of(problem)?.count();
            let blocks = (1..=count).map(|k| array(&format!("split_part_{k}"))).collect::<Option<_>>()?;
            Kind::Split { z, blocks }
        } else if let Some(l) = ConeLift::read(array) {
            Kind::ConeLift(l)
        } else if let Some(t) = Transposes::read(array) {
            Kind::Transposes(t)
        } else if let Some(z) = array("z").filter(|z| z.len() == problem.y.len()) {
            Kind::Field(z)
        } else if let Some(x) = array("majorant").filter(|x| Some(x.len()) == m.checked_mul(n)) {
            Kind::Majorant(x)
        } else {
            let s = array("lift").filter(|s| Some(s.len()) == m.checked_mul(n))?;
            let (u, v) = (array("lift_u").filter(|x| block(x, m))?, array("lift_v").filter(|x| block(x, n))?);
            Kind::Lift(Lift { s, u, v })
        };
        Some(Self { source: w.source.clone(), kind })
    }
}

/// The share of lambda set aside for the repair of equalities after scaling.
const RESERVE: f64 = 1e-11;

/// Proves a point: bounds its polar, scales it into the feasible set, evaluates the dual with a rounding margin. `None` if
/// nothing can be proven from it.
pub fn prove(problem: &Problem, point: &DualPoint) -> Option<Proven> {
    match &point.kind {
        Kind::Field(z) => {
            let upper = bound::upper(problem, z)?;
            prove_field(problem, &point.source, z, upper)
        }
        Kind::Majorant(m) => majorant::prove(problem, &point.source, m),
        Kind::Lift(l) => lift::prove(problem, &point.source, l),
        Kind::ConeLift(l) => cone_lift::prove(problem, &point.source, l),
        Kind::Split { z, blocks } => {
            let value = bound::split::upper_of(problem, z, blocks).filter(|v| v.is_finite())?;
            let upper = bound::Upper { value, method: "parts", exact: false };
            prove_field(problem, &point.source, z, upper).map(|p| Proven { point: point.clone(), ..p })
        }
        Kind::Parts(blocks) => parts::prove(problem, &point.source, blocks),
        Kind::Transposes(t) => transposes::prove(problem, &point.source, t),
    }
}

/// The same for a field whose polar has been bounded already.
pub fn prove_field(problem: &Problem, source: &str, z: &[f64], upper: bound::Upper) -> Option<Proven> {
    let radius = radius(problem);
    let exact = problem.loss.zero_sums().is_some() || problem.extras.constrains_exactly();
    // descent meets the equalities to its own accuracy: what is missing is made up first, and paid for
    let (centred, upper) = if exact { near_sums(problem, z, upper) } else { (Cow::Borrowed(z), upper) };
    let z = &centred[..];
    // where sums must be 0 exactly, scaling is followed by a repair, which this share of lambda pays for
    let reserve = if exact { RESERVE } else { 0.0 };
    let limit = largest_scale(problem.lambda * (1.0 - reserve), upper.value, z, radius);
    let limit = limit.min(problem.extras.largest_scale(z));
    let s = best_scale(problem, z, limit);
    let mut scaled: Vec<f64> = z.iter().map(|z| s * z).collect();
    let point = |z: Vec<f64>, spare: f64| finish(problem, z.clone(), DualPoint::field(source, z), upper.method, spare);
    if !exact {
        return point(scaled, 0.0);
    }
    // a point that needs neither scaling nor repair is taken as it is
    let left = (problem.lambda - upper.value).next_down();
    let as_it_is = if left >= 0.0 { point(z.to_vec(), left) } else { None };
    let before = scaled.clone();
    let met = repair_exactly(problem, &mut scaled);
    let moved: Vec<f64> = scaled.iter().zip(&before).map(|(a, b)| a - b).collect();
    let spare = 0.99 * reserve * problem.lambda - norm_upper(&moved) * radius * (1.0 + 1e-9);
    let repaired = if met && spare >= 0.0 { point(scaled, spare) } else { None };
    match (as_it_is, repaired) {
        (Some(a), Some(b)) => Some(if a.value > b.value { a } else { b }),
        (a, b) => a.or(b),
    }
}

/// The best multiple of z up to `limit`, with what quadratic penalties of extra variables take off.
fn best_scale(problem: &Problem, z: &[f64], limit: f64) -> f64 {
    let t = problem.targets();
    let high = problem.loss.best_scale(t, z, limit);
    let taken = taken(problem, z);
    let slope = |s: f64| problem.loss.dual_slope(t, z, s) - s * taken;
    if taken == 0.0 || slope(high) >= 0.0 {
        return high;
    }
    let (mut low, mut high) = (0.0, high);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if slope(middle) > 0.0 { low = middle } else { high = middle }
    }
    low
}

/// 2 H*(A'z) of the quadratic penalties of extra variables, H*(s v) = s^2 H*(v).
fn taken(problem: &Problem, z: &[f64]) -> f64 {
    let taken = |b: &Block| match b.penalty {
        Penalty::L2Squared(w) => b.map.adjoint(z).iter().map(|v| v * v).sum::<f64>() / w,
        _ => 0.0,
    };
    problem.extras.explicit().map(|(_, b)| taken(b)).sum()
}

/// What proving a field could give at best, if its polar were as low as what has been found of it: an estimate, never a bound.
pub fn promise(problem: &Problem, z: &[f64], found: f64) -> f64 {
    let limit = if found > 0.0 { problem.lambda / found } else { f64::INFINITY };
    let s = best_scale(problem, z, limit.min(problem.extras.largest_scale(z)));
    problem.loss.dual_value(problem.targets(), z, s) - 0.5 * s * s * taken(problem, z)
}

/// The lambda that plain l2 gauges would have, rounded down: uniform weights c_k scale g by their product (their square for
/// the psd mapping). `None` for other norms, for weights that vary, and for sensing, where a field is no matrix.
pub fn plain_lambda(problem: &Problem) -> Option<f64> {
    let l2 = problem.regularizer.gauges.iter().all(|g| g.norm().name() == "l2");
    uniform_lambda(problem).filter(|_| l2)
}

/// The lambda that the gauges would have without their weights, whatever their norms; `None` for weights that vary, for
/// sensing, and where phi is not u v'.
pub fn uniform_lambda(problem: &Problem) -> Option<f64> {
    weighted_lambda(problem).filter(|_| problem.operator.is_none())
}

/// The same, sensing included.
pub fn weighted_lambda(problem: &Problem) -> Option<f64> {
    if !problem.mapping.is_multilinear() {
        return None;
    }
    let gauges = &problem.regularizer.gauges;
    let mut lambda = problem.lambda;
    for g in gauges.iter().cycle().take(gauges.len().max(2)) {
        if let Some(d) = g.weights() {
            let first = *d.first()?;
            if d.iter().any(|x| *x != first) {
                return None;
            }
            lambda = (lambda * first).next_down().max(0.0);
        }
    }
    Some(lambda)
}

/// `spare` of lambda is left for a correction of z.
fn finish(problem: &Problem, z: Vec<f64>, point: DualPoint, method: &'static str, spare: f64) -> Option<Proven> {
    let blocks = problem.extras.corrected();
    let (d, drift) = if blocks.is_empty() {
        (problem.loss.dual_lower(problem.targets(), &z), 0.0)
    } else {
        ROOMS.iter().find_map(|room| corrected(problem, &blocks, &z, spare, *room))?
    };
    let value = if problem.extras.blocks.is_empty() {
        d.value
    } else {
        // H* is +inf, and nothing proven, unless A'z is where it must be, exactly
        (d.value + problem.extras.dual_lower(&z, drift)?).next_down()
    };
    value.is_finite().then_some(Proven { value, slack: d.slack, method, point })
}

/// The largest s >= 0 for which the polar of fl(s z) is at most lambda, given an upper end of that of z; +inf if only 0 is
/// left of it.
///
/// fl(s z) = s z + e with |e| <= u |s z|, or <= 2^-1074 where it underflows, and Omega°(e) <= ||e||_F `radius`.
fn largest_scale(lambda: f64, upper: f64, z: &[f64], radius: f64) -> f64 {
    let error = UNIT_ROUNDOFF * norm_upper(z) * radius;
    let underflow = f64::from_bits(1) * ((z.len() as f64).sqrt().ceil() * radius).ceil();
    let lambda = (lambda - underflow).next_down();
    let total = (upper + 2.0 * error).next_up();
    if total <= 0.0 {
        return f64::INFINITY;
    }
    // next_down leaves 0 behind where the quotient underflows
    ((lambda / total).next_down() * (1.0 - 2.0 * UNIT_ROUNDOFF)).max(0.0)
}

/// The l2 norm of a field times this bounds its polar.
pub(super) fn radius(problem: &Problem) -> f64 {
    bound::radius(problem) * problem.operator.as_ref().map_or(1.0, |a| a.norm_upper() * (1.0 + 4.0 * UNIT_ROUNDOFF))
}

/// Relative gap: (objective - bound) / max(|objective|, |bound|), 0 where both are 0.
pub fn relative_gap(objective: f64, bound: f64) -> f64 {
    let scale = objective.abs().max(bound.abs());
    if scale == 0.0 { 0.0 } else { (objective - bound) / scale }
}
