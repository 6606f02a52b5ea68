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

pub mod transposes;

pub use transposes::Transposes;

use super::certificate::Witness;
use crate::data::Observations;
use crate::extra::exact::{self, Sums};
use crate::extra::{Block, Penalty, joint};
use crate::gauge::Gauge;
use crate::linalg::sum::{UNIT_ROUNDOFF, norm_upper};
use crate::linalg::{Mat, proven};
use crate::loss::DualValue;
use crate::polar::bound::{self, product_sign};
use crate::polar::parts::Parts;
use crate::problem::Problem;
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
    /// The parts of a sum of norms, [`crate::polar::parts`]: the field is their sum, or the best one below it where u v' has one
    /// sign.
    Parts(Vec<Vec<f64>>),
    /// A grouping of the indices of an array of higher order.
    Transposes(Transposes),
}

/// The blocks of a symmetric matrix on R^(m + n) that bounds the polar of plain l2 gauges, for u or v in an orthant:
///
/// ```text
/// u'Zv <= u'Sv <= 1/2 (u, v)' [[T_u, S], [S', T_v]] (u, v) <= lambda_max(..)        ||u|| = ||v|| = 1
/// ```
///
/// T_u >= 0 entry by entry, and 0 unless u lies in an orthant; T_v likewise; S = Z, or S >= Z (in the sign of u v') if both do.
#[derive(Clone, Debug, PartialEq)]
pub struct Lift {
    /// S, m x n column-major.
    pub s: Vec<f64>,
    /// T_u, m x m, or empty for 0.
    pub u: Vec<f64>,
    /// T_v, n x n, or empty for 0.
    pub v: Vec<f64>,
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
            Kind::Parts((1..=parts(problem)?.count()).map(|k| array(&format!("part_{k}"))).collect::<Option<_>>()?)
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
        Kind::Majorant(m) => prove_majorant(problem, &point.source, m),
        Kind::Lift(l) => prove_lift(problem, &point.source, l),
        Kind::Parts(blocks) => prove_parts(problem, &point.source, blocks),
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
    let taken = |b: &Block| match b.penalty {
        Penalty::L2Squared(w) => b.map.adjoint(z).iter().map(|v| v * v).sum::<f64>() / w,
        _ => 0.0,
    };
    let taken: f64 = problem.extras.explicit().map(|(_, b)| taken(b)).sum();
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

/// A field near z whose sums are as good as 0 where they have to be, with the bound of its polar:
/// Omega°(Z') <= Omega°(Z) + radius ||Z' - Z||_F. Z itself where nothing is missing or it cannot be made up inside the domain.
fn near_sums<'a>(problem: &Problem, z: &'a [f64], upper: bound::Upper) -> (Cow<'a, [f64]>, bound::Upper) {
    let mut centred = z.to_vec();
    if problem.extras.corrected().is_empty() {
        exact::centre(&sums_met(problem), &mut centred);
    }
    let t = problem.targets();
    let inside = |(j, z): (usize, &f64)| {
        let (lo, hi) = problem.loss.domain(t, j);
        lo <= *z && *z <= hi
    };
    let moved: Vec<f64> = centred.iter().zip(z).map(|(a, b)| a - b).collect();
    let paid = norm_upper(&moved) * radius(problem) * (1.0 + 1e-9);
    if paid <= RESERVE * problem.lambda || !centred.iter().enumerate().all(inside) {
        return (Cow::Borrowed(z), upper);
    }
    (Cow::Owned(centred), bound::Upper { value: (upper.value + paid).next_up(), exact: false, ..upper })
}

/// The families of sums that the loss and free extra variables ask to be 0, or not above 0.
fn sums_met(problem: &Problem) -> Vec<Sums<'_>> {
    let rows = problem.shape().0;
    let of_loss = problem.loss.zero_sums().map(|group| Sums { group, count: rows, below: false });
    let of_extras = problem.extras.explicit().filter_map(|(_, b)| {
        let below = match b.penalty {
            Penalty::None => false,
            Penalty::Nonnegative => true,
            _ => return None,
        };
        b.map.index().map(|group| Sums { group, count: b.len(), below })
    });
    let mut sums: Vec<Sums> = of_loss.into_iter().chain(of_extras).collect();
    // a sum over all follows from sums over rows or columns, and equal families from one another
    if sums.len() > 1 {
        sums.retain(|s| s.count > 1);
    }
    sums.dedup_by(|a, b| a.count == b.count && a.group == b.group && a.below >= b.below);
    sums
}

/// Moves z by little to where rows or columns sum to 0 as the loss and free extra variables ask, exactly and inside the domain.
fn repair_exactly(problem: &Problem, z: &mut [f64]) -> bool {
    if !problem.extras.constrains_exactly() {
        problem.loss.repair(problem.targets(), z);
        return true;
    }
    if !problem.extras.corrected().is_empty() {
        return true;
    }
    exact::meet(&sums_met(problem), |j| problem.loss.domain(problem.targets(), j), z)
}

/// What proving a field could give at best, if its polar were as low as what has been found of it: an estimate, never a bound.
pub fn promise(problem: &Problem, z: &[f64], found: f64) -> f64 {
    let limit = if found > 0.0 { problem.lambda / found } else { f64::INFINITY };
    let s = problem.loss.best_scale(problem.targets(), z, limit);
    problem.loss.dual_lower(problem.targets(), &z.iter().map(|z| s * z).collect::<Vec<_>>()).value
}

fn prove_majorant(problem: &Problem, source: &str, m: &[f64]) -> Option<Proven> {
    let sign = product_sign(problem)?;
    let lambda = plain_lambda(problem)?;
    let (rows, cols) = problem.shape();
    let everywhere = Observations::Full { rows, cols };
    let m = &within_reach(problem, sign, m)?;
    let upper = bound::free_l2_upper(problem, &everywhere, m)?;
    let s = largest_scale(lambda, upper, m, 1.0).min(1.0);
    let m: Vec<f64> = m.iter().map(|m| s * m).collect();
    let z = field_below(problem, sign, &m)?;
    finish(problem, z, DualPoint::majorant(source, m), "cholesky", 0.0)
}

/// M raised to where the domain of Z begins, in the sign that u v' has: scaling keeps it there, since 0 lies in the domain.
/// `None` if the domain is no box.
fn within_reach(problem: &Problem, sign: f64, m: &[f64]) -> Option<Vec<f64>> {
    if problem.loss.zero_sums().is_some() {
        return None;
    }
    let rows = problem.shape().0;
    // where nothing is observed Z = 0; NaN stays
    let mut raised: Vec<f64> = m.iter().map(|m| if sign * m < 0.0 { 0.0 } else { *m }).collect();
    for (k, (i, j)) in problem.observations.entries().enumerate() {
        let (lo, hi) = problem.loss.domain(problem.targets(), k);
        let (m, raised) = (&m[j * rows + i], &mut raised[j * rows + i]);
        *raised = if sign > 0.0 {
            if *m < lo { lo } else { *m }
        } else if *m > hi {
            hi
        } else {
            *m
        };
    }
    Some(raised)
}

/// The best field Z below M in the sign that u v' has. `None` if M has the wrong sign at an unobserved entry, where Z = 0.
fn field_below(problem: &Problem, sign: f64, m: &[f64]) -> Option<Vec<f64>> {
    let rows = problem.shape().0;
    let mut peak = vec![0.0; problem.y.len()];
    problem.loss.dual_peak(problem.targets(), &mut peak);
    let mut observed = 0;
    let z: Vec<f64> = problem
        .observations
        .entries()
        .zip(&peak)
        .map(|((i, j), peak)| {
            let m = m[j * rows + i];
            observed += usize::from(sign * m >= 0.0);
            sign * (sign * m).min(sign * peak)
        })
        .collect();
    let allowed = m.iter().filter(|m| sign * **m >= 0.0).count();
    (allowed - observed == m.len() - z.len()).then_some(z)
}

fn prove_lift(problem: &Problem, source: &str, lift: &Lift) -> Option<Proven> {
    let lambda = plain_lambda(problem)?;
    let [gu, gv] = problem.regularizer.gauges.as_slice() else { return None };
    let (m, n) = problem.shape();
    let s = Mat::from_column_slice(m, n, &lift.s);
    let (tu, tv) = (nonnegative_block(gu, &lift.u, m), nonnegative_block(gv, &lift.v, n));
    let upper = match (&tu, &tv) {
        (None, None) => proven::sigma_max_upper(&lift.s, m, n),
        (Some(q), None) => proven::bordered_lambda_max_upper(&s.transpose(), q),
        (None, Some(q)) => proven::bordered_lambda_max_upper(&s, q),
        (Some(a), Some(b)) => proven::lambda_max_upper(&assembled(a, &s, b)),
    };
    if !upper.is_finite() {
        return None;
    }
    let limit = largest_scale(lambda, upper, &lift.s, 1.0);
    let point = |c: f64, s: Vec<f64>| {
        let block = |t: &Option<Mat>| t.as_ref().map_or(Vec::new(), |t| scaled(t.as_slice(), c));
        DualPoint { source: source.into(), kind: Kind::Lift(Lift { s, u: block(&tu), v: block(&tv) }) }
    };
    if let Some(sign) = product_sign(problem) {
        let c = limit.min(1.0);
        let s = scaled(&lift.s, c);
        let z = field_below(problem, sign, &s)?;
        return finish(problem, z, point(c, s), "cholesky", 0.0);
    }
    // S = Z, so it vanishes where nothing is observed
    let z: Vec<f64> = problem.observations.entries().map(|(i, j)| lift.s[j * m + i]).collect();
    if z.iter().filter(|z| **z != 0.0).count() != lift.s.iter().filter(|s| **s != 0.0).count() {
        return None;
    }
    let c = problem.loss.best_scale(problem.targets(), &z, limit);
    finish(problem, scaled(&z, c), point(c, scaled(&lift.s, c)), "cholesky", 0.0)
}

fn prove_parts(problem: &Problem, source: &str, blocks: &[Vec<f64>]) -> Option<Proven> {
    let (parts, lambda) = (parts(problem)?, uniform_lambda(problem)?);
    let shapes = (0..parts.count()).map(|k| parts.part_shape(k));
    if blocks.len() != parts.count() || !blocks.iter().zip(shapes).all(|(s, (m, n))| m.checked_mul(n) == Some(s.len()))
    {
        return None;
    }
    let at = |c: f64| -> Vec<Mat> {
        (0..parts.count())
            .map(|k| {
                let (m, n) = parts.part_shape(k);
                Mat::from_iterator(m, n, blocks[k].iter().map(|x| c * x))
            })
            .collect()
    };
    let radius: f64 =
        problem.regularizer.gauges.iter().zip(problem.factor_rows()).map(|(g, n)| g.norm().l2_radius(n)).product();
    let upper = |blocks: &[Mat]| -> (f64, Mat) {
        let (sum, rounding) = parts.assemble(blocks);
        ((parts.upper(blocks) + rounding * radius * (1.0 + 8.0 * UNIT_ROUNDOFF)).next_up(), sum)
    };
    let (first, sum) = upper(&at(1.0));
    if !first.is_finite() {
        return None;
    }
    let largest = if first > 0.0 { lambda / first * (1.0 - 1e-14) } else { 1.0 };
    // scaled first, proven then: the blocks that are saved are the ones that are proven
    let prove = |c: f64| -> Option<(Vec<Mat>, Mat)> {
        let scaled = at(c);
        let (upper, sum) = upper(&scaled);
        (upper <= lambda).then_some((scaled, sum))
    };
    let point = |blocks: Vec<Mat>| DualPoint {
        source: source.into(),
        kind: Kind::Parts(blocks.into_iter().map(|s| s.data.into()).collect()),
    };
    let rows = problem.shape().0;
    if let Some(sign) = product_sign(problem) {
        let (scaled, sum) = prove(largest.min(1.0))?;
        let z = field_below(problem, sign, sum.as_slice())?;
        return finish(problem, z, point(scaled), "parts", 0.0);
    }
    let observed =
        |sum: &Mat| -> Vec<f64> { problem.observations.entries().map(|(i, j)| sum.as_slice()[j * rows + i]).collect() };
    let c = problem.loss.best_scale(problem.targets(), &observed(&sum), largest);
    let (scaled, sum) = prove(c)?;
    let z = observed(&sum);
    // it has to vanish where nothing is observed
    if z.iter().filter(|z| **z != 0.0).count() != sum.iter().filter(|z| **z != 0.0).count() {
        return None;
    }
    finish(problem, z, point(scaled), "parts", 0.0)
}

/// The parts of the gauges' norms, where one is a sum.
pub fn parts(problem: &Problem) -> Option<Parts> {
    let [u, v] = problem.regularizer.gauges.as_slice() else { return None };
    Parts::new(u.norm(), v.norm(), problem.shape())
}

/// T >= 0, symmetric, with zero diagonal: what is below 0 is clipped, which only changes the point. `None` for 0.
fn nonnegative_block(gauge: &Gauge, block: &[f64], side: usize) -> Option<Mat> {
    gauge.orthant()?;
    if block.is_empty() {
        return None;
    }
    Some(nonnegative(block, side))
}

/// The nonnegative part of the symmetric part of a column-major square, without its diagonal.
fn nonnegative(block: &[f64], side: usize) -> Mat {
    let t = Mat::from_column_slice(side, side, block);
    // NaN.max(0) would be 0: keep it, so that the bound becomes infinite
    let clip = |x: f64| if x.is_nan() { x } else { x.max(0.0) };
    Mat::from_fn(side, side, |i, j| if i == j { 0.0 } else { clip(0.5 * (t[(i, j)] + t[(j, i)])) })
}

fn scaled(x: &[f64], c: f64) -> Vec<f64> {
    x.iter().map(|x| c * x).collect()
}

/// [[A, S], [S', B]].
fn assembled(a: &Mat, s: &Mat, b: &Mat) -> Mat {
    let (m, n) = s.shape();
    let mut t = Mat::zeros(m + n, m + n);
    t.view_mut((0, 0), (m, m)).copy_from(a);
    t.view_mut((0, m), (m, n)).copy_from(s);
    t.view_mut((m, 0), (n, m)).copy_from(&s.transpose());
    t.view_mut((m, m), (n, n)).copy_from(b);
    t
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
    if problem.operator.is_some() || !problem.mapping.is_multilinear() {
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

/// The dual value at the exact z~ = z - C that meets A'z~ = 0 (or <= 0), with C on entries that have room M in the domain:
///
/// ```text
/// z~ = (1 - t) z + t (z - C / t),   |C_j| <= t M   so   D(z~) >= (1 - t) D(z) + t sum_j min(D_j(z_j - M), D_j(z_j + M))
/// ```
///
/// and the last sum is at least D(z - M) + D(z + M) - max D, max D = l(0). Also a bound of ||C||_F. `None` if `spare` does not pay
/// for C in the polar.
fn corrected(problem: &Problem, blocks: &[&Block], z: &[f64], spare: f64, room: f64) -> Option<(DualValue, f64)> {
    let (t, loss) = (problem.targets(), &problem.loss);
    let room = z.iter().fold(0.0, |m: f64, z| m.max(z.abs())) * room;
    let free: Vec<bool> = (0..z.len())
        .map(|j| {
            let (lo, hi) = loss.domain(t, j);
            z[j] - room > lo && z[j] + room < hi
        })
        .collect();
    let (total, largest) = joint::correction(blocks, z, &free)?;
    let share = if largest == 0.0 { 0.0 } else { (largest / (room * (1.0 - 1e-9))).next_up() };
    let here = loss.dual_lower(t, z);
    if share == 0.0 {
        return Some((here, 0.0));
    }
    let affordable = total * radius(problem) * (1.0 + 1e-9) <= spare;
    if !(affordable && share < 1e-3) {
        return None;
    }
    let moved = |by: f64| -> Vec<f64> { z.iter().zip(&free).map(|(z, f)| if *f { z + by } else { *z }).collect() };
    let peak = loss.value_upper(t, &vec![0.0; z.len()], 0.0);
    let ends = loss.dual_lower(t, &moved(-room)).value + loss.dual_lower(t, &moved(room)).value - peak;
    // |ends| and |here| may each be off by a rounding of themselves: the share is far above one
    let loss_of_value = share * (here.value.abs() + ends.abs()) * 2.0;
    let value = (here.value - loss_of_value).next_down();
    value.is_finite().then_some((DualValue { value, slack: here.slack + loss_of_value }, total))
}

/// Room in the domain, relative to the largest entry, that lets an entry take part in a correction: the more, the less it costs, where
/// enough entries have it.
const ROOMS: [f64; 2] = [1e-2, 1e-4];

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
fn radius(problem: &Problem) -> f64 {
    bound::radius(problem) * problem.operator.as_ref().map_or(1.0, |a| a.norm_upper() * (1.0 + 4.0 * UNIT_ROUNDOFF))
}

/// Keeps the best proven bound: a later, weaker one never replaces it.
#[derive(Clone, Debug, Default)]
pub struct Keeper {
    best: Option<Proven>,
    tried: Vec<String>,
    polar: Option<bound::Upper>,
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
        self.keep(proven.map(|p| Proven { point: point.clone(), ..p }));
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

    /// Proves a field by a search that goes on as the aim says, and keeps it if it is the best so far; other points as ever.
    pub fn offer_toward(&mut self, problem: &Problem, point: &DualPoint, aim: &bound::Aim) {
        match &point.kind {
            Kind::Field(z) => {
                let upper = bound::upper_toward(problem, z, aim);
                self.keep(upper.and_then(|u| prove_field(problem, &point.source, z, u)));
            }
            _ => self.offer(problem, point),
        }
    }

    /// Notes an upper end of the polar of the gradient at the point itself.
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

    /// Notes that a source has been used; returns whether it had been before.
    pub fn mark(&mut self, source: &str) -> bool {
        let seen = self.tried.iter().any(|t| t == source);
        if !seen {
            self.tried.push(source.to_string());
        }
        seen
    }
}

/// Relative gap: (objective - bound) / max(|objective|, |bound|), 0 where both are 0.
pub fn relative_gap(objective: f64, bound: f64) -> f64 {
    let scale = objective.abs().max(bound.abs());
    if scale == 0.0 { 0.0 } else { (objective - bound) / scale }
}
