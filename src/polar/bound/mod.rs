//! Proven upper bounds of the polar Omega°(Z) = max {<Z, phi(z)> : g(z) <= 1}, one file per method.
//!
//! Each method says which problems it applies to and whether its bound is the polar itself up to rounding. To add one: a
//! file with a `PolarBound`, and its line in [`BOUNDS`].

pub mod arcs;
pub mod array_branch;
pub mod array_lines;
pub mod columns;
pub mod cone_branch;
pub mod cones;
pub mod eigenvalue;
pub mod euclidean;
pub mod folded;
pub mod gain;
pub mod group_blocks;
pub mod kernel_singular;
pub mod l1_lines;
pub mod layers;
pub mod leading;
pub mod linear;
pub mod linf_diagonal;
pub mod linf_vertices;
pub mod moments;
pub mod norm_comparison;
pub mod simplices;
pub mod singular_value;
mod slabs;
pub mod split;
pub mod unfoldings;

use crate::budget::Budget;
use crate::linalg::Mat;
use crate::linalg::sum::{UNIT_ROUNDOFF, gamma, norm_upper};
use crate::mapping::Factors;
use crate::polar::cuts::Tree;
use crate::polar::search::Found;
use crate::problem::Problem;
use std::cell::RefCell;

/// A proven upper bound of the polar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Upper {
    /// Omega°(Z) <= value, in floating point too.
    pub value: f64,
    /// The method, for the report.
    pub method: &'static str,
    /// Whether value is the polar itself up to rounding.
    pub exact: bool,
}

/// Rounding that is no larger share of a bound leaves it the polar itself; far out of range it is all that there is.
const SLIGHT: f64 = 1e-9;

impl Upper {
    /// A bound with what rounding of the field may have taken off, which leaves an exact one exact only where it is slight.
    fn rounded(value: f64, rounding: f64, method: &'static str, exact: bool) -> Self {
        Self { value: (value + rounding).next_up(), method, exact: exact && rounding <= SLIGHT * value }
    }
}

/// How far a search for a bound goes.
#[derive(Clone, Copy, Debug)]
pub struct Aim<'a> {
    /// A bound that is no larger is good enough.
    pub limit: f64,
    /// So is one within this, relative, of a value that is attained.
    pub tolerance: f64,
    /// What it may cost, in a unit of the method's own: results do not depend on the clock.
    pub work: f64,
    /// When to stop all the same.
    pub budget: &'a Budget,
    /// Where a search puts the best slice it has come upon, with g = 1.
    pub seen: Option<&'a RefCell<Option<Factors>>>,
    /// The cuts that a search goes on from, if any; where it puts its own if it ends before it is done.
    pub tree: Option<&'a RefCell<Option<Tree>>>,
}

/// A method that bounds the polar from above.
pub trait PolarBound: Sync {
    /// The method's name in reports.
    fn name(&self) -> &'static str;

    /// `None`: does not apply to this problem. Otherwise whether its bound is exact for every field.
    fn applies(&self, problem: &Problem) -> Option<bool>;

    /// The bound for a field Z over the entries of X, in observation order; called only where it applies.
    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper;

    /// The same, looser where the budget ends before a search of the method does.
    fn upper_within(&self, problem: &Problem, z: &[f64], _budget: &Budget) -> Upper {
        self.upper(problem, z)
    }

    /// The same, by a search that goes on as the aim says, where the method is one.
    fn upper_toward(&self, problem: &Problem, z: &[f64], _aim: &Aim) -> Upper {
        self.upper(problem, z)
    }

    /// What the bound is, in a sentence.
    fn describe(&self) -> &'static str;

    /// About how many flops one bound takes at most. As it stands: a Gram matrix of the smaller side and its factorization.
    fn flops(&self, problem: &Problem) -> f64 {
        gram_flops(problem)
    }
}

/// Flops of the Gram matrix of the smaller side, and of factorizing it a few times.
pub(crate) fn gram_flops(problem: &Problem) -> f64 {
    let (m, n) = problem.shape();
    let side = m.min(n) as f64;
    2.0 * problem.observations.len() as f64 * side + 1.5 * side.powi(3)
}

/// Every method, the exact and cheap ones first. One line each.
pub const BOUNDS: &[&dyn PolarBound] = &[
    &l1_lines::L1Lines,
    &linf_vertices::LinfVertices,
    &eigenvalue::Eigenvalue,
    &group_blocks::GroupBlocks,
    &kernel_singular::KernelSingular,
    &singular_value::SingularValue,
    &cone_branch::ConeBranch,
    &leading::Leading,
    &linf_diagonal::LinfDiagonal,
    &norm_comparison::NormComparison,
    &split::Split,
    &columns::Columns,
    &folded::Folded,
    &array_lines::ArrayLines,
    &unfoldings::Unfoldings,
    &array_branch::ArrayBranch,
    &linear::Linear,
    &arcs::Arcs,
    &cones::Cones,
    &moments::Moments,
    &gain::Gain,
    &simplices::Simplices,
    &euclidean::Euclidean,
    &layers::Layers,
];

/// The best proven upper bound: the first exact method, else the smallest of those that apply. `None` if none applies or
/// the field is not finite.
pub fn upper(problem: &Problem, z: &[f64]) -> Option<Upper> {
    upper_within(problem, z, &Budget::unlimited())
}

/// The same, looser where the budget ends before the searches of networks do.
pub fn upper_within(problem: &Problem, z: &[f64], budget: &Budget) -> Option<Upper> {
    best_of(problem, z, 0.0, |bound, z| bound.upper_within(problem, z, budget))
}

/// The same by methods that search as far as the aim says.
pub fn upper_toward(problem: &Problem, z: &[f64], aim: &Aim) -> Option<Upper> {
    best_of(problem, z, aim.limit, |bound, z| bound.upper_toward(problem, z, aim))
}

/// The best, or the first that is no larger than `enough`.
fn best_of(problem: &Problem, z: &[f64], enough: f64, of: impl Fn(&dyn PolarBound, &[f64]) -> Upper) -> Option<Upper> {
    let rounding = problem.operator.as_ref().map_or(0.0, |a| a.adjoint_rounding(z) * radius(problem));
    let z = &problem.on_entries(z);
    if z.iter().any(|z| !z.is_finite()) {
        return None;
    }
    let mut best: Option<Upper> = None;
    for bound in BOUNDS {
        if bound.applies(problem).is_none() {
            continue;
        }
        let found = of(*bound, z);
        if best.is_none_or(|b| found.value < b.value) {
            best = Some(found);
        }
        if found.exact || found.value + rounding <= enough {
            break;
        }
    }
    if rounding > 0.0 {
        best = best.map(|b| Upper { value: ((b.value + rounding) * (1.0 + gamma(4))).next_up(), ..b });
    }
    best.filter(|b| b.value.is_finite())
}

/// Up to this smaller side a proof is cheap beside a descent.
const QUICK_SIDE: usize = 700;

/// A proven upper bound that never takes long, loose where [`upper`] would.
pub fn quick(problem: &Problem, z: &[f64], budget: &Budget) -> Option<Upper> {
    singular_value::quick(problem, z).filter(|u| u.value.is_finite()).or_else(|| upper_within(problem, z, budget))
}

/// A field whose polar has been bounded, so that one that differs by rounding needs no proof of its own.
#[derive(Clone, Debug)]
pub struct Bounded {
    field: Vec<f64>,
    /// The best slices that were found of it, which the bound starts from.
    near: Option<Factors>,
    upper: Option<Upper>,
}

/// A field, and the slices that its bound starts from.
pub type Start = (Vec<f64>, Option<Factors>);

/// Slices of at least this share of the best one's value are those that a bound may start from, and so many of them at most.
const LEADING: (f64, usize) = (0.7, 64);

/// The relative loss at which a bound still passes from a field to another.
const NEAR: f64 = 1e-11;

/// The relative loss that is less than a proof of its own is worth.
const BESIDE: f64 = 0.1;

impl Bounded {
    /// Bounds the polar of a field of which a search has found this.
    pub fn new(problem: &Problem, z: Vec<f64>, found: &Found, budget: &Budget) -> Self {
        let (share, most) = LEADING;
        let leading = found.values.iter().take(most).take_while(|v| **v >= share * found.best()).count();
        let near = (leading > 0).then(|| {
            let columns = |x: &Mat| x.columns(0, leading).into_owned();
            Factors(found.slices.0.iter().map(columns).collect())
        });
        Self::starting(problem, z, near, budget)
    }

    /// The same from those slices alone.
    pub fn starting(problem: &Problem, z: Vec<f64>, near: Option<Factors>, budget: &Budget) -> Self {
        let nearby = near.as_ref().and_then(|x| singular_value::upper_near(problem, &z, x));
        let upper = nearby.or_else(|| upper_within(problem, &z, budget));
        Self { field: z, near, upper }
    }

    /// What [`Bounded::starting`] makes the same from.
    pub fn start(&self) -> Start {
        (self.field.clone(), self.near.clone())
    }

    /// The slices that the bound starts from.
    pub fn slices(&self) -> Option<&Factors> {
        self.near.as_ref()
    }

    /// The field.
    pub fn field(&self) -> &[f64] {
        &self.field
    }

    /// Its bound.
    pub fn upper(&self) -> Option<Upper> {
        self.upper
    }

    /// The bound of another field of the same problem, if that is so close to a multiple s Z0 that it costs nothing:
    ///
    /// ```text
    /// Omega°(Z) <= s Omega°(Z0) + radius ||Z - s Z0||_F,      s >= 0
    /// ```
    pub fn near(&self, problem: &Problem, z: &[f64]) -> Option<Upper> {
        let upper = self.upper.filter(|_| problem.operator.is_none() && z.len() == self.field.len())?;
        let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let scale = inner(z, &self.field) / inner(&self.field, &self.field);
        // one that is almost 1 is, so that the same field has the same bound
        let scale = if (scale - 1.0).abs() <= NEAR { 1.0 } else { scale };
        if !(scale >= 0.0 && scale.is_finite()) {
            return None;
        }
        // products are rounded, and differences: each by less than 2^-53 of what the other fields have, or of 2^-1022
        let moved: Vec<f64> = z.iter().zip(&self.field).map(|(a, b)| a - scale * b).collect();
        let rounding = if scale == 1.0 {
            0.0
        } else {
            norm_upper(&self.field) * scale * (2.0 * UNIT_ROUNDOFF) + z.len() as f64 * f64::MIN_POSITIVE
        };
        let moved = (norm_upper(&moved) * (1.0 + gamma(4)) + rounding) * radius(problem) * (1.0 + gamma(4));
        let value = (scale * upper.value).next_up();
        (moved <= NEAR * value).then(|| Upper { value: (value + moved).next_up(), ..upper })
    }

    /// A bound of another field of the same problem that is not far, where one of its own takes long: not the polar itself.
    ///
    /// ```text
    /// Omega°(Z) <= Omega°(Z0) + sigma_1(|Z - Z0|)
    /// ```
    pub fn beside(&self, problem: &Problem, z: &[f64]) -> Option<Upper> {
        let upper = self.upper.filter(|_| z.len() == self.field.len())?;
        let moved: Vec<f64> = z.iter().zip(&self.field).map(|(a, b)| a - b).collect();
        let moved = singular_value::quick(problem, &moved)?.value * (1.0 + gamma(4));
        (moved <= BESIDE * upper.value).then(|| Upper { value: (upper.value + moved).next_up(), exact: false, ..upper })
    }
}

/// The product of the l2 radii of the gauges' unit balls and of the mapping's gain, rounded up: Omega°(E) <= radius ||E||_F for
/// E over the entries of X.
pub fn radius(problem: &Problem) -> f64 {
    let gauges = &problem.regularizer.gauges;
    let radius: f64 =
        gauges.iter().zip(problem.factor_rows()).map(|(g, n)| g.norm().l2_radius(n) / g.weight_range().1).product();
    let radius = if gauges.len() == 1 { radius * radius } else { radius };
    radius * problem.mapping.gain() * (1.0 + gamma(16))
}

/// Whether proving an upper end takes so long that [`estimate`] should say first whether it can pay.
pub fn is_expensive(problem: &Problem) -> bool {
    singular_value::is_expensive(problem)
}

/// What [`upper`] will come to at least, where it is expensive, for much less; proves nothing.
pub fn estimate(problem: &Problem, z: &[f64]) -> Option<f64> {
    singular_value::estimate(problem, z)
}

/// A bound that fails with probability `failure` at most, where no tight one is proven; `slack` is its relative width.
pub fn probable(problem: &Problem, z: &[f64], slack: f64, failure: f64, budget: &Budget) -> Option<Upper> {
    if z.iter().any(|z| !z.is_finite()) {
        return None;
    }
    singular_value::probable(problem, z, slack, failure, budget)
}

/// About how many bytes proving takes.
pub fn memory(problem: &Problem) -> f64 {
    let (m, n) = problem.shape();
    singular_value::memory(problem).unwrap_or(6.0 * 8.0 * (m.min(n) as f64).powi(2))
}

/// Whether some method is exact for every field of this problem.
pub fn is_exact(problem: &Problem) -> bool {
    BOUNDS.iter().any(|b| b.applies(problem) == Some(true))
}

/// The methods that will be used, each with whether it is exact for every field.
pub fn applicable(problem: &Problem) -> Vec<(&'static dyn PolarBound, bool)> {
    let mut all = Vec::new();
    for bound in BOUNDS {
        if let Some(exact) = bound.applies(problem) {
            all.push((*bound, exact));
            if exact {
                break;
            }
        }
    }
    all
}

/// The names of the norms of a two-factor problem, or of the single factor twice.
pub(crate) fn norms(problem: &Problem) -> (&str, &str) {
    let g = &problem.regularizer.gauges;
    (g[0].norm().name(), g[g.len() - 1].norm().name())
}

/// The sign that phi is confined to when every factor lives in an orthant.
pub fn product_sign(problem: &Problem) -> Option<f64> {
    let g = &problem.regularizer.gauges;
    g.iter().cycle().take(g.len().max(2)).map(|g| g.orthant()).product()
}

/// A proven upper bound of the polar without cones, for plain l2 gauges: sigma_1, or lambda_max for the psd mapping.
pub fn free_l2_upper(problem: &Problem, at: &crate::data::Observations, z: &[f64]) -> Option<f64> {
    if z.iter().any(|z| !z.is_finite()) {
        return None;
    }
    Some(match problem.mapping.name() {
        "psd" => eigenvalue::upper_of(&super::field::symmetrised(at, z)),
        _ => super::field::sigma_upper(at, z).value,
    })
}
