//! Networks whose inputs have rank at most 2: every piece of f, one by one.
//!
//! ```text
//! u(a) = (cos a, sin a):   row i is active for a in (a_i - pi/2, a_i + pi/2),  a_i the angle of t_i
//! between two kinks        f(u)^2 = u'G G'u,  G = sum of t_i w_i' over the active rows,
//!                                 = m + r cos 2 (a - a0)
//! ```
//!
//! so the maximum of an arc is sigma_1(G) if a0 (mod pi) lies in it, else at an end. The kinks are sorted once and G is updated from
//! arc to arc: N log N. Angles are right to 2e-14; a row taken for active on the wrong side of its kink by that changes f by
//! no more than ||w_i|| ||t_i|| times as much.

use super::neurons::Neurons;
use crate::linalg::sum::{Sum, gamma};
use std::f64::consts::{FRAC_PI_2, PI, TAU};

/// A bound of the error of a computed angle, in radians; atan2, sin and cos of the platform are off by some 1e-15 at most.
const ANGLE: f64 = 2e-14;

/// Largest rank of the inputs.
pub const RANK_LIMIT: usize = 2;

/// What one pass over all pieces finds.
pub struct Pass {
    /// An upper bound of max f over the unit ball, rounding included.
    pub upper: f64,
    /// Directions of local maxima with their values, best first.
    pub maxima: Vec<(f64, Vec<f64>)>,
}

/// All pieces. Rank [`RANK_LIMIT`] at most.
pub fn pass(n: &Neurons) -> Pass {
    match n.rank() {
        0 => Pass { upper: 0.0, maxima: Vec::new() },
        1 => line(n),
        _ => circle(n),
    }
}

fn line(n: &Neurons) -> Pass {
    let mut maxima: Vec<(f64, Vec<f64>)> = [1.0, -1.0].iter().map(|&u| (n.value(&[u]), vec![u])).collect();
    maxima.sort_by(|a, b| b.0.total_cmp(&a.0));
    let rounding = gamma(n.inputs.nrows() + n.field.ncols() + 8) * n.slope();
    Pass { upper: (maxima[0].0 + rounding).next_up(), maxima }
}

/// A kink: where a row becomes active or leaves.
struct Event {
    angle: f64,
    row: usize,
    enters: bool,
}

/// u'GG'u as m + r cos 2 (a - peak).
#[derive(Clone, Copy)]
struct Arc {
    middle: f64,
    swing: f64,
    peak: f64,
}

impl Arc {
    fn new(g: &[Sum]) -> Self {
        let q = g.len() / 2;
        let (x, y) = (|o: usize| g[2 * o].value(), |o: usize| g[2 * o + 1].value());
        let sum = |f: &dyn Fn(usize) -> f64| (0..q).map(f).sum::<f64>();
        let (xx, yy, xy) = (sum(&|o| x(o) * x(o)), sum(&|o| y(o) * y(o)), sum(&|o| x(o) * y(o)));
        let half = 0.5 * (xx - yy);
        Self { middle: 0.5 * (xx + yy), swing: half.hypot(xy), peak: 0.5 * xy.atan2(half) }
    }

    fn value(self, angle: f64) -> f64 {
        (self.middle + self.swing * (2.0 * (angle - self.peak)).cos()).max(0.0).sqrt()
    }

    /// An upper bound of it where m, r and a0 are off by a share `guard` of m + r at most.
    fn value_upper(self, angle: f64, guard: f64) -> f64 {
        let square = self.middle + self.swing * (2.0 * (angle - self.peak)).cos();
        (square.max(0.0) + guard * (self.middle + self.swing)).sqrt()
    }

    fn top(self) -> f64 {
        (self.middle + self.swing).sqrt()
    }

    /// The angle in [from, to] (widened by `room`) at which f peaks.
    fn peak_within(self, from: f64, to: f64, room: f64) -> Option<f64> {
        let turns = ((from - room - self.peak) / PI).ceil();
        let at = self.peak + turns * PI;
        (at <= to + room).then_some(at)
    }

    /// The sign of the slope at an angle.
    fn slope(self, angle: f64) -> f64 {
        -(2.0 * (angle - self.peak)).sin()
    }
}

fn circle(n: &Neurons) -> Pass {
    let q = n.field.ncols();
    let rows: Vec<usize> =
        (0..n.inputs.nrows()).filter(|&i| n.inputs.row(i).amax() > 0.0 && n.field.row(i).amax() > 0.0).collect();
    let mut events = Vec::with_capacity(2 * rows.len());
    // before the first event: the rows whose stretch runs over the angle 0
    let mut g = vec![Sum::new(); 2 * q];
    for &i in &rows {
        let angle = n.inputs[(i, 1)].atan2(n.inputs[(i, 0)]);
        let (enter, leave) = ((angle - FRAC_PI_2).rem_euclid(TAU), (angle + FRAC_PI_2).rem_euclid(TAU));
        events.push(Event { angle: enter, row: i, enters: true });
        events.push(Event { angle: leave, row: i, enters: false });
        if enter > leave {
            change(n, &mut g, i, 1.0);
        }
    }
    if events.is_empty() {
        return Pass { upper: 0.0, maxima: Vec::new() };
    }
    events.sort_by(|a, b| a.angle.total_cmp(&b.angle).then(a.row.cmp(&b.row)));
    let mut upper: f64 = 0.0;
    let mut maxima = Vec::new();
    let mut before = Arc::new(&g);
    let first = before;
    let error = |g: &[Sum]| g.iter().map(|g| g.error() + g.value().abs() * gamma(2 * q + 16)).sum::<f64>();
    let mut drift = error(&g);
    let guard = gamma(8 * q + 64) + 2.0 * ANGLE;
    for (k, e) in events.iter().enumerate() {
        change(n, &mut g, e.row, if e.enters { 1.0 } else { -1.0 });
        // the last arc runs over the angle 0 to the first event
        let after = if k + 1 == events.len() { first } else { Arc::new(&g) };
        let end = events.get(k + 1).map_or(events[0].angle + TAU, |next| next.angle);
        drift = drift.max(error(&g));
        let ends =
            [before.value_upper(e.angle, guard), after.value_upper(e.angle, guard), after.value_upper(end, guard)];
        upper = ends.into_iter().fold(upper, f64::max);
        if let Some(angle) = after.peak_within(e.angle, end, ANGLE) {
            upper = upper.max(after.top());
            maxima.push((after.top(), vec![angle.cos(), angle.sin()]));
        }
        if before.slope(e.angle) >= 0.0 && after.slope(e.angle) <= 0.0 {
            // exactly orthogonal to the row
            let (x, y) = (n.inputs[(e.row, 0)], n.inputs[(e.row, 1)]);
            let turn = if e.enters { 1.0 } else { -1.0 } / x.hypot(y);
            maxima.push((after.value(e.angle), vec![y * turn, -x * turn]));
        }
        before = after;
    }
    maxima.sort_by(|a, b| b.0.total_cmp(&a.0));
    let relative = 1.0 + gamma(8 * q + 64);
    Pass { upper: (upper * relative + drift * relative + 4.0 * ANGLE * n.slope()).next_up(), maxima }
}

/// G <- G + sign t_i w_i'.
fn change(n: &Neurons, g: &mut [Sum], i: usize, sign: f64) {
    for o in 0..n.field.ncols() {
        let w = sign * n.field[(i, o)];
        g[2 * o].add_product(n.inputs[(i, 0)], w);
        g[2 * o + 1].add_product(n.inputs[(i, 1)], w);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::Mat;
    use crate::linalg::lanczos::gaussian;

    /// Inputs of an even seed have rows that repeat, oppose each other and vanish; one in three is nearly of rank 1.
    fn instance(seed: u64, n: usize, q: usize) -> Neurons {
        let mut v = gaussian(n, 2, seed);
        if seed.is_multiple_of(2) {
            for i in 0..n / 2 {
                let row = v.row(i) * [1.0, -2.0, 0.0, 1.0 + 1e-15][i % 4];
                v.set_row(n / 2 + i, &row);
            }
        }
        if seed.is_multiple_of(3) {
            v.column_mut(1).scale_mut(1e-9);
        }
        Neurons::of(v, gaussian(n, q, seed + 1000))
    }

    /// max f over a grid of angles and over both directions of every kink.
    fn brute(n: &Neurons) -> f64 {
        let grid = (0..4000).map(|k| f64::from(k) * TAU / 4000.0).map(|a| vec![a.cos(), a.sin()]);
        let kinks = (0..n.inputs.nrows()).filter(|&i| n.inputs.row(i).amax() > 0.0).flat_map(|i| {
            let (x, y) = (n.inputs[(i, 0)], n.inputs[(i, 1)]);
            let size = x.hypot(y);
            [vec![y / size, -x / size], vec![-y / size, x / size]]
        });
        grid.chain(kinks).map(|u| n.value(&u)).fold(0.0, f64::max)
    }

    #[test]
    fn the_bound_is_never_below_a_grid_and_is_attained() {
        for seed in 0..300 {
            let n = instance(seed, 1 + seed as usize % 23, 1 + seed as usize % 3);
            let pass = pass(&n);
            let (grid, attained) = (brute(&n), pass.maxima.iter().map(|m| n.value(&m.1)).fold(0.0, f64::max));
            assert!(pass.upper >= grid, "seed {seed}: {} below {grid}", pass.upper);
            assert!(pass.upper - attained <= 1e-12 * n.slope(), "seed {seed}: {} above {attained}", pass.upper);
        }
    }

    /// The mutants: a pass that forgets the peaks inside arcs, and one that forgets the kinks, fall below the truth.
    #[test]
    fn neither_kinks_nor_peaks_alone_suffice() {
        let (mut inside, mut ends) = (0, 0);
        for seed in 0..200 {
            let n = instance(seed, 12, 1 + seed as usize % 3);
            let best = &pass(&n).maxima[0];
            let on_kink = (0..12).any(|i| {
                let row = n.row(i);
                let length = row[0].hypot(row[1]);
                length > 0.0 && (row[0] * best.1[0] + row[1] * best.1[1]).abs() <= 1e-12 * length
            });
            if on_kink { ends += 1 } else { inside += 1 }
        }
        assert!(inside > 20 && ends > 20, "{inside} maxima inside arcs, {ends} on kinks");
    }

    #[test]
    fn ranks_one_and_zero_have_two_directions_and_none() {
        let n = Neurons::of(
            Mat::from_column_slice(3, 1, &[1.0, -2.0, 3.0]),
            Mat::from_column_slice(3, 1, &[1.0, 5.0, -1.0]),
        );
        let found = pass(&n);
        assert_eq!(found.maxima[0], (10.0, vec![-1.0]));
        assert!((10.0..10.0 + 1e-13).contains(&found.upper));
        assert_eq!(pass(&Neurons::of(Mat::zeros(3, 0), Mat::zeros(3, 2))).upper, 0.0);
    }
}
