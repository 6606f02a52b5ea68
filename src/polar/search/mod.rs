//! Polar search: slices z with g(z) <= 1 and a high <Z, phi(z)>: a lower end of the polar and a direction of descent.
//!
//! One file per method. Each value is computed from its slice, so it is attained; nothing here proves an upper end. To add
//! one: a file with a `PolarSearch`, and its line in [`SEARCHES`].

pub mod alternating;
pub mod eigen;
pub mod kinks;
pub mod l1_lines;
pub mod linear;
pub mod pieces;
pub mod power;
pub mod singular;
pub mod subnets;
pub mod symmetric_power;

use crate::budget::Budget;
use crate::linalg::Mat;
use crate::mapping::Factors;
use crate::problem::Problem;

/// How hard to search: counts, so that results do not depend on the clock.
#[derive(Clone, Copy, Debug)]
pub struct Effort<'a> {
    /// Random starts.
    pub starts: usize,
    /// Iterations from each.
    pub iterations: usize,
    /// At most this many slices are returned.
    pub keep: usize,
    /// Relative change of the value below which a search may stop early.
    pub precision: f64,
    /// Slices of a lower value are of no interest: they need not have settled.
    pub floor: f64,
    /// Seed of the starts.
    pub seed: u64,
    /// When to stop all the same: what has been found by then is returned. Networks look at it.
    pub budget: Option<&'a Budget>,
}

impl Effort<'_> {
    /// Whether to stop now.
    pub fn is_over(&self) -> bool {
        self.budget.is_some_and(Budget::exhausted)
    }
}

impl Default for Effort<'_> {
    fn default() -> Self {
        Self { starts: 64, iterations: 200, keep: 32, precision: 1e-9, floor: 0.0, seed: 0x9e37, budget: None }
    }
}

/// Slices with g = 1 (every gauge 1), best first.
#[derive(Clone, Debug)]
pub struct Found {
    /// The slices.
    pub slices: Factors,
    /// <Z, phi(z_i)>, descending.
    pub values: Vec<f64>,
}

impl Found {
    /// No slice with a positive value.
    pub fn none(problem: &Problem) -> Self {
        Self { slices: Factors::empty(&problem.factor_rows()), values: Vec::new() }
    }

    /// The highest value, 0 if there is none: z = 0 always attains 0.
    pub fn best(&self) -> f64 {
        self.values.first().copied().unwrap_or(0.0).max(0.0)
    }

    /// With another slice of g = 1, if there is one, for the field over the observed entries.
    pub fn with(self, problem: &Problem, z: &[f64], slice: Option<&Factors>) -> Self {
        let Some(slice) = slice.filter(|s| s.rank() == 1) else { return self };
        let value: f64 = problem.apply(slice).iter().zip(z).map(|(p, z)| p * z).sum();
        let mut slices = self.slices;
        slices.append(slice);
        let values: Vec<f64> = self.values.into_iter().chain([value]).collect();
        Self::distinct(slices, &values, values.len())
    }

    /// How many stand out: those before the first jump in value that exceeds what as many of the others, a few at least, fall
    /// by; else all.
    pub fn outstanding(&self) -> usize {
        const FEW: usize = 8;
        let v = &self.values;
        let after = |i: usize| v.get((2 * i).max(i + FEW)).copied();
        let jump = |&i: &usize| after(i).is_some_and(|after| v[i - 1] / v[i] > v[i] / after);
        (2..v.len()).find(jump).unwrap_or(v.len())
    }

    /// Sorts by value, drops what is not positive, near-copies of better slices, and all beyond `keep`.
    pub fn distinct(slices: Factors, values: &[f64], keep: usize) -> Self {
        let mut order: Vec<usize> = (0..values.len()).filter(|&i| values[i] > 0.0).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
        let units: Vec<Mat> = slices.0.iter().map(unit_columns).collect();
        let mut kept: Vec<usize> = Vec::new();
        for i in order {
            if kept.len() >= keep {
                break;
            }
            let copy =
                kept.iter().any(|&k| units.iter().map(|x| x.column(i).dot(&x.column(k))).product::<f64>() > 0.9999);
            if !copy {
                kept.push(i);
            }
        }
        Self {
            slices: Factors(slices.0.iter().map(|x| x.select_columns(&kept)).collect()),
            values: kept.iter().map(|&i| values[i]).collect(),
        }
    }
}

fn unit_columns(x: &Mat) -> Mat {
    let mut x = x.clone();
    x.column_iter_mut().for_each(|mut c| {
        let norm = c.norm();
        if norm > 0.0 {
            c /= norm;
        }
    });
    x
}

/// A method that searches.
pub trait PolarSearch: Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Whether it can search this problem's polar.
    fn applies(&self, problem: &Problem) -> bool;

    /// Slices with a high <Z, phi(z)> for a field Z over the entries of X; `warm` holds slices worth starting from.
    fn search(&self, problem: &Problem, z: &[f64], warm: Option<&Factors>, effort: &Effort) -> Found;
}

/// Every method, the first that applies is used. One line each.
pub const SEARCHES: &[&dyn PolarSearch] = &[
    &l1_lines::L1Lines,
    &singular::Singular,
    &eigen::Eigen,
    &symmetric_power::SymmetricPower,
    &alternating::Alternating,
    &power::Power,
    &linear::Linear,
    &kinks::Kinks,
    &pieces::Pieces,
    &subnets::Subnets,
];

/// Searches with the first method that applies.
pub fn search(problem: &Problem, z: &[f64], warm: Option<&Factors>, effort: &Effort) -> Found {
    on_entries(problem, &problem.on_entries(z), warm, effort)
}

/// The same for a field over the entries of X.
pub fn on_entries(problem: &Problem, z: &[f64], warm: Option<&Factors>, effort: &Effort) -> Found {
    SEARCHES
        .iter()
        .find(|s| s.applies(problem))
        .map_or_else(|| Found::none(problem), |s| s.search(problem, z, warm, effort))
}
