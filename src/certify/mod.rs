//! What is proven at a point: a pure function of the problem and the factors.
//!
//! The objective is rounded up, the bound down. Dual points come from the scaled gradient at the point, from witnesses that
//! somebody claims are good, and from the ladder of relaxations; each is proven, and the best bound kept. The verdict is a
//! function of the objective, the best bound and the slices found, never of why a solver stopped. Names no solver state:
//! that is what makes a check worth something.

pub mod certificate;
mod conditions;
pub mod dual;
mod extras;
mod objective;
mod refute;
pub mod relax;

pub use certificate::{Certificate, Verdict, Witness};

use crate::budget::Budget;
use crate::extra::Coefficients;
use crate::linalg::sum::{UNIT_ROUNDOFF, norm_upper};
use crate::mapping::Factors;
use crate::polar::bound::{Aim, Bounded};
use crate::polar::cuts::Tree;
use crate::polar::{self, bound, search};
use crate::problem::Problem;
use certificate::{BoundOrigin, Degree, Gap, PolarInterval, SearchEnd};
use dual::{DualPoint, Keeper, relative_gap};

/// The source of the dual point that every point has: its own scaled gradient.
pub const RESIDUAL: &str = "residual";

/// The largest relative gap that is called `global`, whatever the target.
pub const GLOBAL_GAP: f64 = 1e-3;

/// The probability that `bound.probabilistic` is wrong.
pub const FAILURE: f64 = 1e-12;

/// How much work certifying may do: work counts, so that results do not depend on the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// The cheap rungs only.
    Cheap,
    /// The usual ladder.
    #[default]
    Default,
    /// More of everything.
    Thorough,
}

impl Effort {
    /// The polar search it pays for.
    fn search<'a>(self, problem: &Problem, budget: &'a Budget) -> search::Effort<'a> {
        let (precision, floor, budget) = (1e-6, problem.lambda, Some(budget));
        let default = search::Effort { precision, floor, budget, ..search::Effort::default() };
        match self {
            Self::Cheap => search::Effort { starts: 16, ..default },
            Self::Default => search::Effort { starts: 200, ..default },
            Self::Thorough => search::Effort { starts: 1000, ..default },
        }
    }

    /// The relative width of a probabilistic bound of the polar squared: its cost grows like the inverse root.
    fn slack(self) -> f64 {
        match self {
            Self::Cheap => 1e-3,
            Self::Default => 1e-4,
            Self::Thorough => 1e-5,
        }
    }
}

/// `[certificate]`, as certify sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CertifyOptions {
    /// Relative gap asked for.
    pub target_gap: f64,
    /// How much work.
    pub effort: Effort,
}

/// Why no certificate could be given.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CertifyError {
    /// A defect of ours: weak duality forbids it.
    #[error("a defect in homfac: the lower bound {bound:e} ({origin}) exceeds the objective {objective:e}")]
    BoundAboveObjective {
        /// The bound.
        bound: f64,
        /// Its source.
        origin: String,
        /// The objective.
        objective: f64,
    },
    /// A defect of ours: a slice was found above the proven end of the polar.
    #[error(
        "a defect in homfac: a slice attains {lower:e}, above the proven upper end {upper:e} of the polar ({method})"
    )]
    PolarCrossed {
        /// Attained.
        lower: f64,
        /// Said to be proven.
        upper: f64,
        /// By this method.
        method: String,
    },
    /// The objective is not finite.
    #[error("the objective is not finite at this point: {0}")]
    NotFinite(f64),
    /// The factors have different numbers of columns, or too few factors are given.
    #[error("{found} factors were given, the mapping has {expected}")]
    Count {
        /// Factors found.
        found: usize,
        /// Factors expected.
        expected: usize,
    },
    /// A factor has the wrong number of rows.
    #[error("factor {factor} has {found} rows, expected {expected}")]
    Shape {
        /// 1-based.
        factor: usize,
        /// Rows found.
        found: usize,
        /// Rows expected.
        expected: usize,
    },
    /// The factors disagree on the number of slices.
    #[error("factor {factor} has {found} columns, but factor 1 has {expected}")]
    Slices {
        /// 1-based.
        factor: usize,
        /// Columns found.
        found: usize,
        /// Columns expected.
        expected: usize,
    },
    /// The extra variables do not fit the problem.
    #[error("{kind} (block {block} of the extra variables): found {found}, expected {expected}")]
    Extras {
        /// The block's kind.
        kind: &'static str,
        /// 1-based.
        block: usize,
        /// What is there.
        found: String,
        /// What should be.
        expected: String,
    },
    /// An entry lies outside its factor's cone.
    #[error("factor {factor}, row {row}, slice {slice} (counted from 1): {value:e} lies outside the cone `{cone}`")]
    OutsideCone {
        /// 1-based.
        factor: usize,
        /// 1-based.
        row: usize,
        /// 1-based.
        slice: usize,
        /// The entry.
        value: f64,
        /// The cone's name.
        cone: String,
    },
}

/// Certifies a point from the problem and the factors alone, with the best extra variables; see [`certify_at`].
///
/// # Errors
/// [`CertifyError`].
pub fn certify(
    problem: &Problem,
    factors: &Factors,
    witnesses: &[Witness],
    options: &CertifyOptions,
    budget: &Budget,
) -> Result<Certificate, CertifyError> {
    certify_at(problem, factors, None, Known { witnesses, ..Known::default() }, options, budget)
}

/// What is there already when a point is to be certified.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// Dual points that somebody claims are good; they are proven like any other.
    pub witnesses: &'a [Witness],
    /// A field whose polar was bounded: if it is that of the point up to rounding, it is not bounded again.
    pub polar: Option<&'a Bounded>,
    /// The cuts of a search for the bound at this very point, which it goes on from.
    pub cuts: Option<&'a Tree>,
}

/// Certifies a point from the problem, the factors and the extra variables alone (`None`: the best ones), and what is proven
/// about them already. The cheap part is always completed; the budget stops the climb up the ladder.
///
/// # Errors
/// [`CertifyError`].
pub fn certify_at(
    problem: &Problem,
    factors: &Factors,
    extras: Option<&Coefficients>,
    known: Known<'_>,
    options: &CertifyOptions,
    budget: &Budget,
) -> Result<Certificate, CertifyError> {
    admissible(problem, factors)?;
    let point = extras::Point::new(problem, factors, extras)?;
    let prediction = &point.prediction;
    let objective = objective::objective(problem, factors, &point.q, &point.whole);
    if !objective.total.is_finite() {
        return Err(CertifyError::NotFinite(objective.total));
    }
    let z = &point.z;
    let same = known.polar.and_then(|p| p.near(problem, z));
    // the slices found of another field at almost the same point are nearer to those of this one than the point's own
    let other = known.polar.filter(|_| same.is_none() && relax::newton::applies(problem));
    let warm = other.and_then(Bounded::slices).filter(|x| x.rank() >= factors.rank()).unwrap_or(factors);
    let found = search::search(problem, z, Some(warm), &options.effort.search(problem, budget));
    let near = same.or_else(|| other.and_then(|p| p.beside(problem, z)));
    let upper = near.or_else(|| Bounded::new(problem, z.clone(), &found, budget).upper());
    let mut keeper = Keeper::new();
    keeper.go_on_from(known.cuts.cloned());
    match &point.fitted {
        // the best extra variables have the best dual point
        Some(z) => keeper.offer(problem, &DualPoint::field(RESIDUAL, z.clone())),
        None => keeper.keep(upper.and_then(|u| dual::prove_field(problem, RESIDUAL, z, u))),
    }
    let met = |keeper: &Keeper| {
        keeper.value().is_some_and(|b| relative_gap(objective.total, b) <= options.target_gap.min(GLOBAL_GAP))
    };
    let searched = relax::priced::applies(problem);
    for w in known.witnesses {
        // a gradient from almost the same point proves nothing new
        if w.source == RESIDUAL && met(&keeper) {
            continue;
        }
        if let Some(point) = DualPoint::from_witness(problem, w) {
            let multilinear = problem.mapping.is_multilinear();
            let bounded = match &point.kind {
                dual::Kind::Field(z) if multilinear => known.polar.and_then(|p| p.near(problem, z)).map(|u| (z, u)),
                _ => None,
            };
            if let Some((z, upper)) = bounded {
                keeper.keep_witness(dual::prove_field(problem, &w.source, z, upper), &point);
            } else if !searched {
                keeper.offer_witness(problem, &point);
            } else {
                // this polar is bounded by a search, which goes on until the claim is proven
                let work = relax::priced::work(options.effort);
                keeper.offer_witness_toward(
                    problem,
                    &point,
                    &Aim { limit: problem.lambda, tolerance: 0.0, work, budget, seen: None, tree: None },
                );
            }
            keeper.mark(&w.source);
        }
    }
    // whoever brought a good dual point has made the search that the expensive rungs would repeat, unless more is asked for
    let climbed = keeper.best().is_some_and(|b| b.point.source != RESIDUAL) && options.effort != Effort::Thorough;
    let last = point.fitted.as_ref().unwrap_or(z);
    let goal = relax::Goal {
        objective: objective.total,
        target: options.target_gap.min(GLOBAL_GAP),
        start: (!climbed).then_some(factors),
        last: Some(last),
    };
    relax::climb(problem, goal, options.effort, budget, &mut keeper);

    // what a search for a bound comes upon counts too
    let found = found.with(problem, z, keeper.seen());
    // extra variables that were given are the best ones up to rounding, or the search was about another field
    let away: Vec<f64> = last.iter().zip(z).map(|(a, b)| a - b).collect();
    let away = norm_upper(&away) * dual::radius(problem) * (1.0 + 4.0 * UNIT_ROUNDOFF);
    let moved = |p: bound::Upper| bound::Upper { value: (p.value + away).next_up(), exact: false, ..p };
    let searched = keeper.polar().map(|p| if away == 0.0 { p } else { moved(p) });
    let searched = searched.filter(|p| upper.is_none_or(|u| p.value < u.value));
    let upper = searched.or(upper);
    let proven = met(&keeper);
    let cuts = keeper.cuts().filter(|_| !proven);
    let ended = cuts.as_ref().map(|t| SearchEnd { dimension: t.dimension(), cells: t.leaves() });
    let polar = PolarInterval { ended, ..polar_interval(problem, &found, z, upper)? };
    // nothing refutes what is proven
    let refutation = if proven { None } else { refute::refutation(problem, &found, prediction) };
    let rank_bound = rank_bound(problem);
    let stationarity = conditions::stationarity(problem, factors, z);
    let conditions = conditions::conditions(problem, factors, &stationarity, &polar, rank_bound, point.excess(problem));
    let best = keeper.best();
    if let Some(b) = best.filter(|b| b.value > objective.total) {
        return Err(CertifyError::BoundAboveObjective {
            bound: b.value,
            origin: b.point.source.clone(),
            objective: objective.total,
        });
    }
    let gap = best.map(|b| relative_gap(objective.total, b.value));
    let met = gap.is_some_and(|g| g <= options.target_gap);
    let unproven = !met && !upper.is_some_and(|u| u.exact);
    let probabilistic = unproven.then(|| probabilistic(problem, z, options.effort, budget)).flatten();
    let probabilistic = probabilistic.filter(|p| best.is_some_and(|b| *p > b.value));
    let decrease = refutation.as_ref().map_or(0.0, |r| r.decrease).max(point.decrease);
    Ok(Certificate {
        verdict: verdict(problem, objective.total, keeper.value(), decrease, options.target_gap),
        objective,
        lower_bound: keeper.value(),
        bound: best.map(|b| BoundOrigin {
            source: b.point.source.clone(),
            method: b.method.to_string(),
            slack: b.slack,
            probabilistic,
        }),
        gap: Gap { absolute: best.map(|b| objective.total - b.value), relative: gap },
        target_gap: options.target_gap,
        polar,
        rank: factors.rank(),
        rank_bound,
        degree: Degree { mapping: problem.mapping.degree(), regularizer: problem.regularizer.degree() },
        conditions,
        guarantees: guarantees(problem, probabilistic.is_some()),
        refutation,
        witness: best.map(|b| b.point.to_witness()),
        extras: point.q,
        cuts,
    })
}

/// A bound that is wrong with probability [`FAILURE`] at most, from the gradient at the point: for information, never part of a
/// verdict, a gap or a witness.
fn probabilistic(problem: &Problem, z: &[f64], effort: Effort, budget: &Budget) -> Option<f64> {
    let upper = bound::probable(problem, z, effort.slack(), FAILURE, budget)?;
    dual::prove_field(problem, RESIDUAL, z, upper).map(|p| p.value)
}

/// The factors fit the problem and lie in their cones.
fn admissible(problem: &Problem, factors: &Factors) -> Result<(), CertifyError> {
    let rows = problem.factor_rows();
    if rows.len() != factors.0.len() {
        return Err(CertifyError::Count { found: factors.0.len(), expected: rows.len() });
    }
    for (k, (x, &expected)) in factors.0.iter().zip(&rows).enumerate() {
        if x.nrows() != expected {
            return Err(CertifyError::Shape { factor: k + 1, found: x.nrows(), expected });
        }
        if x.ncols() != factors.rank() {
            return Err(CertifyError::Slices { factor: k + 1, found: x.ncols(), expected: factors.rank() });
        }
        let Some(cone) = problem.regularizer.gauges[k].cone() else { continue };
        for (slice, column) in x.column_iter().enumerate() {
            if let Some((row, value)) = cone.violation(column.as_slice()) {
                let (row, slice) = (row + 1, slice + 1);
                return Err(CertifyError::OutsideCone { factor: k + 1, row, slice, value, cone: cone.name().into() });
            }
        }
    }
    Ok(())
}

/// [found, proven] of the polar of -grad l / lambda.
fn polar_interval(
    problem: &Problem,
    found: &search::Found,
    z: &[f64],
    upper: Option<bound::Upper>,
) -> Result<PolarInterval, CertifyError> {
    let mut lower = found.best() / problem.lambda;
    let Some(u) = upper else {
        return Ok(PolarInterval { lower, upper: None, method: "none".into(), exact: false, ended: None });
    };
    let value = (u.value / problem.lambda).next_up();
    // a found value is computed, not proven: a few roundings of slack before it counts as a contradiction
    let size = problem.y.len() as f64;
    // and what a slice gains by lying in its cones only up to rounding
    let best = Factors(found.slices.0.iter().map(|x| x.columns(0, found.values.len().min(1)).into_owned()).collect());
    let outside = match objective::drift(problem, &best) {
        0.0 => 0.0,
        moved => moved * norm_upper(&problem.on_entries(z)) / problem.lambda,
    };
    let contradicts =
        |lower: f64| lower > value * (1.0 + 64.0 * UNIT_ROUNDOFF * size.sqrt().max(8.0)) + outside + f64::MIN_POSITIVE;
    if contradicts(lower) {
        // where squares of the field underflow, a slice is not of the size that the search takes it for
        lower = attained(problem, &best, z).map_or(lower, |a| a.min(found.best())) / problem.lambda;
    }
    if contradicts(lower) {
        return Err(CertifyError::PolarCrossed { lower, upper: value, method: u.method.into() });
    }
    Ok(PolarInterval { lower, upper: Some(value), method: u.method.into(), exact: u.exact, ended: None })
}

/// <Z, phi(x)> / g(x) for the one slice x.
fn attained(problem: &Problem, x: &Factors, z: &[f64]) -> Option<f64> {
    let size = problem.regularizer.balanced_value(&x.slice(0));
    let value: f64 = problem.apply(x).iter().zip(z).map(|(p, z)| p * z).sum();
    Some(value / size).filter(|a| a.is_finite() && size.is_finite())
}

/// Whether a slice that lowers the objective by `decrease` refutes a point: by more than 1e-7 of it, and than rounding.
fn refutes(problem: &Problem, objective: f64, decrease: f64) -> bool {
    let rounding = 64.0 * UNIT_ROUNDOFF * (problem.y.len() as f64).sqrt().max(8.0);
    decrease > 1e-7f64.max(rounding) * objective.abs()
}

/// The slices that the certificate's own search finds at a point, if one of them refutes it.
pub fn refuting_slices(
    problem: &Problem,
    factors: &Factors,
    prediction: &[f64],
    objective: f64,
    effort: Effort,
    budget: &Budget,
) -> Option<search::Found> {
    let z = problem.dual_field(prediction);
    let found = search::search(problem, &z, Some(factors), &effort.search(problem, budget));
    let decrease = refute::refutation(problem, &found, prediction).map_or(0.0, |r| r.decrease);
    refutes(problem, objective, decrease).then_some(found)
}

/// Contract section 4: in this order, from the proven numbers and the slice at hand alone.
fn verdict(problem: &Problem, objective: f64, bound: Option<f64>, decrease: f64, target: f64) -> Verdict {
    match bound {
        Some(b) if relative_gap(objective, b) <= target.min(GLOBAL_GAP) => Verdict::Global,
        _ if refutes(problem, objective, decrease) => Verdict::Refuted,
        Some(b) if b > problem.loss.infimum(problem.targets()) => Verdict::Within,
        _ => Verdict::Local,
    }
}

/// Cor. 18 with D the observed entries, or the smaller bound of the kind.
pub fn rank_bound(problem: &Problem) -> usize {
    let (m, n) = problem.shape();
    let gauges = &problem.regularizer.gauges;
    let general = problem.y.len() + 1;
    let l2 = gauges.len() <= 2 && problem.mapping.is_multilinear() && gauges.iter().all(|g| g.norm().name() == "l2");
    let free = gauges.iter().all(|g| g.cone().is_none());
    // pieces of one line add up to one in a convex cone
    let convex = gauges.iter().all(|g| g.is_convex());
    if let Some(kind) = polar::layers::rank_bound(problem) {
        return general.min(kind);
    }
    let kind = match (l2 && free, bound::l1_lines::axis(problem).filter(|_| convex)) {
        // singular vectors (eigenvectors) suffice
        (true, _) => m.min(n),
        // a slice per line and allowed sign
        (false, Some(axis)) => bound::l1_lines::signs(&gauges[axis]).len() * if axis == 0 { m } else { n },
        _ => general,
    };
    general.min(kind)
}

fn guarantees(problem: &Problem, probabilistic: bool) -> Vec<String> {
    let mut lines = vec![
        "the lower bound holds for every rank r and both forms of the regularizer".to_string(),
        "bounds include rounding, assuming IEEE 754 double precision and products rounded in any order".to_string(),
    ];
    lines.extend(problem.loss.assumes().map(Into::into));
    if polar::layers::is_crude(problem) {
        lines.extend(
            [
                "the polar of several layers is bounded by norms: X = 0 is proven where lambda is large, elsewhere the gap says \
                 more about the bound than about the point",
                "a local minimum with a slice of zeros would be global (Thm 15); that this point is a local minimum is not proven",
            ]
            .map(Into::into),
        );
    } else if !bound::is_exact(problem) {
        lines.push(
            "the polar of this regularizer is bounded, not computed: a gap may remain at the global optimum".into(),
        );
    }
    for g in problem.regularizer.gauges.iter().filter(|g| !g.is_convex()) {
        let cone = g.cone().map_or("", |c| c.name());
        lines.push(format!(
            "cone `{cone}` is not convex: the bound and the slices found are as good as ever, but a stationary point is only \
             one that no best update of a single slice improves"
        ));
    }
    if probabilistic {
        lines.push(format!(
            "the probabilistic bound is no proof: it fails with probability at most {FAILURE:e} over the random start of a \
             Lanczos iteration (Kuczynski and Wozniakowski 1992, in exact arithmetic), and decides nothing here"
        ));
    }
    lines
}
