//! Equalities of a dual field: free extra variables and rows of class scores ask for sums that are 0 exactly. A field that misses them
//! by little is brought near, then repaired or corrected; what that moves is paid for.

use super::{RESERVE, radius};
use crate::extra::exact::{self, Sums};
use crate::extra::{Block, Penalty, joint};
use crate::linalg::sum::norm_upper;
use crate::loss::DualValue;
use crate::polar::bound;
use crate::problem::Problem;
use std::borrow::Cow;

/// A field near z whose sums are as good as 0 where they have to be, with the bound of its polar:
/// Omega°(Z') <= Omega°(Z) + radius ||Z' - Z||_F. Z itself where nothing is missing or it cannot be made up inside the domain.
pub(super) fn near_sums<'a>(problem: &Problem, z: &'a [f64], upper: bound::Upper) -> (Cow<'a, [f64]>, bound::Upper) {
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
pub(super) fn repair_exactly(problem: &Problem, z: &mut [f64]) -> bool {
    if !problem.extras.constrains_exactly() {
        problem.loss.repair(problem.targets(), z);
        return true;
    }
    if !problem.extras.corrected().is_empty() {
        return true;
    }
    exact::meet(&sums_met(problem), |j| problem.loss.domain(problem.targets(), j), z)
}

/// The dual value at the exact z~ = z - C that meets A'z~ = 0 (or <= 0), with C on entries that have room M in the domain:
///
/// ```text
/// z~ = (1 - t) z + t (z - C / t),   |C_j| <= t M   so   D(z~) >= (1 - t) D(z) + t sum_j min(D_j(z_j - M), D_j(z_j + M))
/// ```
///
/// and the last sum is at least D(z - M) + D(z + M) - max D, max D = l(0). Also a bound of ||C||_F. `None` if `spare` does not pay
/// for C in the polar.
pub(super) fn corrected(
    problem: &Problem,
    blocks: &[&Block],
    z: &[f64],
    spare: f64,
    room: f64,
) -> Option<(DualValue, f64)> {
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
pub(super) const ROOMS: [f64; 2] = [1e-2, 1e-4];
