//! A matrix problem whose slices are matrices under the nuclear norm, folded up into an array.
//!
//! ```text
//! ||X||_* = min sum_j ||a_j|| ||b_j||  over  X = sum_j a_j b_j'
//! X c'  with  ||X||_* ||c||   costs the same as its pieces  a o b o c  with  ||a|| ||b|| ||c||
//! ```
//!
//! So a slice (X, c) has the polar, the Omega and the dual points of an array with `l2` on all indices: of order 3, or
//! 4 where both factors have the nuclear norm. On cone `psd` the pieces are a o a: what bounds all a o b bounds those,
//! the more closely once the field is symmetric, since <Z, X> sees the symmetric part alone.

use crate::data::Observations;
use crate::extra::Extras;
use crate::gauge::l2::{self, L2};
use crate::gauge::{Gauge, nuclear};
use crate::linalg::sum::{UNIT_ROUNDOFF, norm_upper};
use crate::linalg::{Mat, Pattern, dense};
use crate::loss::squared::Squared;
use crate::mapping::{Factors, Setup, cp};
use crate::polar::field;
use crate::problem::{Form, Problem, Regularizer};

/// The array.
pub struct Folded {
    /// The same observations, targets and weights with squared loss and `l2` gauges: its polar and, where the loss is
    /// quadratic, its Omega and its dual points are those of the problem.
    pub problem: Problem,
    /// The place in the problem's field of each of its entries; empty where both are in the same order.
    order: Vec<usize>,
    /// The shape (p, q) of the matrices of each factor.
    shapes: [Option<(usize, usize)>; 2],
    /// Which of them are semidefinite.
    psd: [bool; 2],
}

/// Most entries of a field that is made symmetric.
const FIELD_LIMIT: usize = 4_000_000;

/// A free l2 gauge.
fn free(weights: Option<Vec<f64>>) -> Gauge {
    Gauge::new(Box::new(L2), weights, None).expect("no cone")
}

impl Folded {
    /// `None` unless both factors have the nuclear norm, or `l2` that is free or on an orthant, one of them the former.
    pub fn new(problem: &Problem) -> Option<Self> {
        let gauges = &problem.regularizer.gauges;
        let is_nuclear = |g: &Gauge| g.norm().name() == nuclear::KIND.name;
        if problem.mapping.name() != "matrix" || !gauges.iter().any(is_nuclear) {
            return None;
        }
        let (mut sizes, mut parts) = (Vec::new(), Vec::new());
        let (mut shapes, mut psd) = ([None; 2], [false; 2]);
        for (k, (g, n)) in gauges.iter().zip(problem.factor_rows()).enumerate() {
            if is_nuclear(g) {
                let (p, q) = g.norm().matrices()?.shape();
                (shapes[k], psd[k]) = (Some((p, q)), g.cone().is_some());
                sizes.extend([q, p]);
                // weights do not vary
                parts.extend([free(g.weights().map(|d| vec![d[0]; q])), free(None)]);
            } else {
                if g.norm().name() != l2::KIND.name || g.cone().is_some_and(|c| c.orthant().is_none()) {
                    return None;
                }
                sizes.push(n);
                parts.push(g.clone());
            }
        }
        let (m, rows) = (problem.shape().0, sizes[0]);
        let cols = sizes[1..].iter().product();
        let (observations, order) = match &problem.observations {
            Observations::Full { .. } => (Observations::Full { rows, cols }, Vec::new()),
            Observations::Coordinates(p) => {
                let folded = |(i, j): (usize, usize)| ((i + m * j) % rows, (i + m * j) / rows);
                let entries: Vec<(usize, usize)> = p.entries().map(folded).collect();
                let (pattern, order) = Pattern::new(rows, cols, &entries).ok()?;
                (Observations::Coordinates(pattern), order)
            }
        };
        let sorted = |x: &[f64]| match order.len() {
            0 => x.to_vec(),
            _ => order.iter().map(|&k| x[k]).collect(),
        };
        // what is measured is not on the entries
        let on_entries = problem.operator.is_none();
        let folded = Problem {
            y: if on_entries { sorted(&problem.y) } else { vec![0.0; observations.len()] },
            w: problem.w.as_deref().filter(|_| on_entries).map(sorted),
            observations,
            operator: None,
            loss: Box::new(Squared),
            mapping: (cp::KIND.build)(&Setup { sizes: &sizes, inputs: None, layers: None }),
            regularizer: Regularizer { form: Form::Product, gauges: parts },
            extras: Extras::default(),
            offset: Vec::new(),
            lambda: problem.lambda,
        };
        Some(Self { problem: folded, order, shapes, psd })
    }

    /// Whether dual points of the array are those of the problem.
    pub fn shares_duals(problem: &Problem) -> bool {
        problem.operator.is_none() && problem.loss.is_quadratic() && problem.extras.explicit().next().is_none()
    }

    /// A field over the entries of X in the order of the array.
    pub fn field(&self, z: &[f64]) -> Vec<f64> {
        if self.order.is_empty() { z.to_vec() } else { self.order.iter().map(|&k| z[k]).collect() }
    }

    /// The way back.
    pub fn restored(&self, z: Vec<f64>) -> Vec<f64> {
        if self.order.is_empty() {
            return z;
        }
        let mut out = vec![0.0; z.len()];
        self.order.iter().zip(z).for_each(|(&k, z)| out[k] = z);
        out
    }

    /// The field over all entries with semidefinite slices made symmetric, and an upper bound of the Frobenius norm of
    /// the rounding; `None` where nothing is semidefinite, or the field too large.
    pub fn symmetric(&self, problem: &Problem, z: &[f64]) -> Option<(Self, Vec<f64>, f64)> {
        let (m, n) = problem.shape();
        if !self.psd.contains(&true) || m * n > FIELD_LIMIT {
            return None;
        }
        let mut x = field::matrix(&problem.observations, z);
        for axis in 0..2 {
            let Some((side, _)) = self.shapes[axis].filter(|_| self.psd[axis]) else { continue };
            let mirror = |k: usize| k % side * side + k / side;
            x = Mat::from_fn(m, n, |i, j| {
                let other = if axis == 0 { (mirror(i), j) } else { (i, mirror(j)) };
                0.5 * x[(i, j)] + 0.5 * x[other]
            });
        }
        let rounding = 2.0 * UNIT_ROUNDOFF * norm_upper(z) + (m * n) as f64 * f64::MIN_POSITIVE;
        let sizes = self.problem.factor_rows();
        let observations = Observations::Full { rows: sizes[0], cols: sizes[1..].iter().product() };
        let gauges = self.problem.regularizer.gauges.clone();
        let mapping = (cp::KIND.build)(&Setup { sizes: &sizes, inputs: None, layers: None });
        let regularizer = Regularizer { form: Form::Product, gauges };
        let full = Problem::new(observations, vec![0.0; m * n], Box::new(Squared), mapping, regularizer);
        Some((Self { problem: full, order: Vec::new(), ..*self }, x.data.into(), rounding))
    }

    /// The pieces of these slices: their singular vectors.
    pub fn factors(&self, x: &Factors) -> Option<Factors> {
        let mut columns: Vec<Vec<Vec<f64>>> = Vec::new();
        for i in 0..x.rank() {
            let mut pieces: Vec<Vec<Vec<f64>>> = vec![Vec::new()];
            for (k, part) in x.slice(i).into_iter().enumerate() {
                let parts: Vec<Vec<Vec<f64>>> = match self.shapes[k] {
                    None => vec![vec![part.to_vec()]],
                    Some((p, q)) => {
                        let (u, s, v) = dense::thin_svd(&Mat::from_column_slice(q, p, part))?;
                        let piece = |j: usize| {
                            let of = |x: &Mat| x.column(j).iter().map(|x| x * s[j].sqrt()).collect();
                            vec![of(&u), of(&v)]
                        };
                        (0..s.len()).filter(|&j| s[j] > 1e-12 * s[0]).map(piece).collect()
                    }
                };
                let joined = |a: &Vec<Vec<f64>>, b: &Vec<Vec<f64>>| a.iter().chain(b).cloned().collect();
                pieces = pieces.iter().flat_map(|a| parts.iter().map(move |b| joined(a, b))).collect();
            }
            columns.extend(pieces);
        }
        let sizes = self.problem.factor_rows();
        let factor = |(k, d): (usize, &usize)| Mat::from_fn(*d, columns.len(), |i, j| columns[j][k][i]);
        Some(Factors(sizes.iter().enumerate().map(factor).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gauge::{Parameters, spectral};
    use crate::linalg::lanczos::gaussian;
    use crate::mapping::matrix;

    fn problem(observations: Observations, norms: [(&crate::gauge::Kind, (usize, usize)); 2]) -> Problem {
        let gauge = |(kind, (p, q)): (&crate::gauge::Kind, (usize, usize))| {
            let parameters = Parameters { shape: Some((p, q)), n: p * q, ..Parameters::default() };
            Gauge::new((kind.build)(&parameters).unwrap(), None, None).unwrap()
        };
        let y: Vec<f64> = gaussian(observations.len(), 1, 3).data.into();
        let mapping = (matrix::KIND.build)(&Setup::default());
        let regularizer = Regularizer { form: Form::Product, gauges: norms.into_iter().map(gauge).collect() };
        Problem::new(observations, y, Box::new(Squared), mapping, regularizer)
    }

    #[test]
    fn pieces_predict_and_cost_what_the_slices_do() {
        let some: Vec<(usize, usize)> =
            (0..6).flat_map(|i| (0..4).map(move |j| (i, j))).filter(|(i, j)| (i + 2 * j) % 3 > 0).collect();
        let listed = Observations::Coordinates(Pattern::new(6, 4, &some).unwrap().0);
        for observations in [Observations::Full { rows: 6, cols: 4 }, listed] {
            for second in [(&crate::gauge::l2::KIND, (4, 1)), (&nuclear::KIND, (2, 2))] {
                let problem = problem(observations.clone(), [(&nuclear::KIND, (2, 3)), second]);
                let folded = Folded::new(&problem).unwrap();
                let x = Factors(vec![gaussian(6, 3, 1), gaussian(4, 3, 2)]);
                let pieces = folded.factors(&x).unwrap();
                let (there, here) = (folded.problem.predict(&pieces), folded.field(&problem.predict(&x)));
                assert!(there.iter().zip(&here).all(|(a, b)| (a - b).abs() < 1e-13));
                assert_eq!(folded.restored(here.clone()), problem.predict(&x));
                let (a, b) = (folded.problem.regularizer.total(&pieces), problem.regularizer.total(&x));
                assert!((a - b).abs() < 1e-12 * b, "{a} {b}");
            }
        }
    }

    #[test]
    fn other_norms_are_not_folded() {
        let at = Observations::Full { rows: 6, cols: 4 };
        assert!(Folded::new(&problem(at.clone(), [(&spectral::KIND, (2, 3)), (&nuclear::KIND, (2, 2))])).is_none());
        assert!(
            Folded::new(&problem(at, [(&crate::gauge::l2::KIND, (2, 3)), (&crate::gauge::l2::KIND, (2, 2))])).is_none()
        );
    }
}
