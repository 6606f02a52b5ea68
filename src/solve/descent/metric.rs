//! The metric of L-BFGS: the inverse of a model of the Hessian in one factor.

use crate::gauge::Gauge;
use crate::linalg::long;
use crate::linalg::sparse::Pattern;
use crate::linalg::{Mat, dense};
use crate::mapping::Factors;
use crate::problem::Problem;

/// The degree p of g and the factor c in c sum_k gauge_k^p, which equals g at balanced slices.
pub(super) fn power(problem: &Problem) -> (i32, f64) {
    let p = problem.regularizer.degree() as i32;
    (p, 1.0 / problem.regularizer.gauges.len() as f64)
}

/// The inverse of a model of the Gauss-Newton Hessian in one factor, which slices that overlap, strong and weak ones, and lines
/// with many and with few entries would otherwise spoil:
///
/// ```text
/// u_i'H_i u_i = sum_(j observed) w_ij (u_i'v_j)^2 + u_i'M_i u_i     its diagonal in the basis Q where V'V is diagonal
/// ```
///
/// V is the other factor, or the columnwise Kronecker product of the others: there its Gram matrix is the entrywise product of
/// theirs, and a line's share of the entries stands for which they are. M_i is the diagonal of lambda c p d_i^2 ||D x_s||^(p-2).
pub(super) struct Metric {
    /// Q, or none for the identity.
    rotation: Option<Mat>,
    /// One over the diagonal, d x r; r x d where the factors are joined line by line.
    pub(super) inverse: Mat,
    by_lines: bool,
}

impl Metric {
    /// One for each factor.
    pub(super) fn all(problem: &Problem, x: &Factors) -> Vec<Self> {
        let curvature = problem.curvature_at(|| problem.predict(x));
        let own = if problem.operator.is_some() {
            None
        } else {
            problem.mapping.curvatures(&problem.observations, &curvature, x)
        };
        let Some(diagonals) = own else {
            return (0..x.0.len()).map(|k| Self::new(problem, &curvature, x, k)).collect();
        };
        diagonals.into_iter().enumerate().map(|(k, d)| Self::from_diagonal(problem, None, d, x, k)).collect()
    }

    /// One for each of two factors that are given line by line, where they are on principal axes already and g is of degree 2.
    pub(super) fn by_lines(problem: &Problem, at: &Pattern, lines: &[Mat]) -> Option<Vec<Self>> {
        let [u, v] = lines else { return None };
        let (p, c) = power(problem);
        if p != 2 || [u, v].iter().any(|x| principal_axes(&dense::mul_tr(x, x)).is_some()) {
            return None;
        }
        let curvature = problem
            .curvature_at(|| problem.beside_held(at.sampled_product_lines(u.as_slice(), v.as_slice(), u.nrows())));
        let diagonals = [at.mul_lines(&curvature, &squares(v)), at.tr_mul_lines(&curvature, &squares(u))];
        let of = |(mut inverse, gauge): (Mat, &Gauge)| {
            for (i, mut line) in inverse.column_iter_mut().enumerate() {
                let d = gauge.weights().map_or(1.0, |w| w[i]);
                let own = problem.lambda * c * f64::from(p) * d * d;
                line.iter_mut().for_each(|h| *h = inverted(*h + own));
            }
            Self { rotation: None, inverse, by_lines: true }
        };
        Some(diagonals.into_iter().zip(&problem.regularizer.gauges).map(of).collect())
    }

    fn new(problem: &Problem, curvature: &[f64], x: &Factors, k: usize) -> Self {
        let others = x.0.iter().enumerate().filter(|(l, _)| *l != k || x.0.len() == 1).map(|(_, x)| x);
        let gram = others.map(|x| dense::tr_mul(x, x)).reduce(|a, b| a.component_mul(&b)).expect("K >= 1");
        let rotation = principal_axes(&gram);
        // of sensing only the squares of the measurements' own entries
        let curvature = problem.operator.as_ref().map_or(curvature.to_vec(), |a| a.adjoint_of_squares(curvature));
        let turn = |x: &Mat| rotation.as_ref().map_or_else(|| x.clone(), |q| dense::mul(x, q));
        let diagonal = if x.0.len() <= 2 {
            let squares = Factors(x.0.iter().map(|x| squares(&turn(x))).collect());
            problem.mapping.pullback(&problem.observations, &curvature, &squares, k)
        } else {
            let one = Factors(x.0.iter().map(|x| Mat::from_element(x.nrows(), 1, 1.0)).collect());
            let share = problem.mapping.pullback(&problem.observations, &curvature, &one, k);
            let all: f64 = x.0.iter().enumerate().filter(|(l, _)| *l != k).map(|(_, x)| x.nrows() as f64).product();
            let axes = match &rotation {
                Some(q) => dense::mul(&gram, q).component_mul(q).row_sum(),
                None => gram.diagonal().transpose(),
            };
            share / all * axes
        };
        Self::from_diagonal(problem, rotation, diagonal, x, k)
    }

    fn from_diagonal(problem: &Problem, rotation: Option<Mat>, mut inverse: Mat, x: &Factors, k: usize) -> Self {
        let gauge = &problem.regularizer.gauges[k];
        let (p, c) = power(problem);
        let sizes = x.0[k].column_iter().map(|x| gauge.value(x.as_slice()).powi(p - 2));
        let sizes = Mat::from_iterator(1, x.rank(), sizes.map(|s| problem.lambda * c * f64::from(p) * s));
        let sizes = rotation.as_ref().filter(|_| p > 2).map_or_else(|| sizes.clone(), |q| &sizes * squares(q));
        for (i, mut line) in inverse.row_iter_mut().enumerate() {
            let d = gauge.weights().map_or(1.0, |w| w[i]);
            line.iter_mut().zip(sizes.iter()).for_each(|(h, mu)| {
                *h = inverted(*h + mu * d * d);
            });
        }
        Self { rotation, inverse, by_lines: false }
    }

    /// The same for blocks that are transposed.
    pub(super) fn turned(self) -> Self {
        Self { inverse: dense::transpose(&self.inverse), by_lines: true, ..self }
    }

    /// Whether it is diagonal as it is.
    pub(super) fn is_diagonal(&self) -> bool {
        self.rotation.is_none()
    }

    /// H^-1 applied to a block.
    pub(super) fn apply(&self, block: &mut [f64]) {
        let Some(q) = &self.rotation else {
            long::multiply(block, self.inverse.as_slice());
            return;
        };
        let (d, r) = self.inverse.shape();
        let given = Mat::from_column_slice(d, r, block);
        let result = if self.by_lines {
            dense::mul(q, &dense::tr_mul(q, &given).component_mul(&self.inverse))
        } else {
            dense::mul_tr(&dense::mul(&given, q).component_mul(&self.inverse), q)
        };
        block.copy_from_slice(result.as_slice());
    }
}

/// One over a curvature. A slice of zeros has none at degree 3 and more, and no gradient.
fn inverted(curvature: f64) -> f64 {
    if curvature > 0.0 { 1.0 / curvature } else { 0.0 }
}

fn squares(x: &Mat) -> Mat {
    x.map(|x| x * x)
}

/// The eigenvectors of a Gram matrix; none if it is diagonal already.
fn principal_axes(gram: &Mat) -> Option<Mat> {
    let crossed = (0..gram.ncols()).any(|j| (0..j).any(|i| gram[(i, j)].powi(2) > 1e-12 * gram[(i, i)] * gram[(j, j)]));
    crossed.then(|| dense::symmetric_eigen(gram)).flatten().map(|e| e.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Observations;
    use crate::linalg::lanczos::gaussian;
    use crate::solve::descent::ridge;

    /// Line by line the metric is what it is column by column, and is left to that where slices overlap.
    #[test]
    fn the_metric_line_by_line_is_the_same() {
        for plain in [true, false] {
            let p = ridge::tests::problem(plain);
            let Observations::Coordinates(at) = &p.observations else { panic!("listed entries") };
            let lines = |x: &Factors| x.0.iter().map(dense::transpose).collect::<Vec<_>>();
            let overlapping = Factors(vec![gaussian(12, 3, 5), gaussian(9, 3, 6)]);
            assert!(Metric::by_lines(&p, at, &lines(&overlapping)).is_none());
            let x = Factors(overlapping.0.iter().map(dense::orthonormal).collect());
            let found = Metric::by_lines(&p, at, &lines(&x)).expect("on principal axes");
            for (found, expected) in found.iter().zip(Metric::all(&p, &x).into_iter().map(Metric::turned)) {
                assert!(found.is_diagonal() && expected.is_diagonal());
                assert!((&found.inverse - &expected.inverse).norm() <= 1e-14 * expected.inverse.norm());
            }
        }
    }
}
