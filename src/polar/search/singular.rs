//! l2 norms without cones: leading singular triplets of D_u^-1 Z D_v^-1.

use super::{Effort, Found, PolarSearch};
use crate::data::Observations;
use crate::linalg::lanczos::{self, Krylov};
use crate::linalg::{Mat, dense};
use crate::mapping::{Factors, field_mul, field_square, field_tr_mul};
use crate::polar::bound::norms;
use crate::polar::field::unweighted;
use crate::problem::Problem;

/// Singular triplets.
#[derive(Debug)]
pub struct Singular;

/// Below this small side a full SVD of a dense field is taken.
const DENSE_SIDE: usize = 400;
/// Columns of a Krylov block.
const BLOCK: usize = 16;

impl PolarSearch for Singular {
    fn name(&self) -> &'static str {
        "singular"
    }

    fn applies(&self, problem: &Problem) -> bool {
        problem.mapping.name() == "matrix"
            && norms(problem) == ("l2", "l2")
            && problem.regularizer.gauges.iter().all(|g| g.cone().is_none())
    }

    fn search(&self, problem: &Problem, z: &[f64], warm: Option<&Factors>, effort: &Effort) -> Found {
        let z = unweighted(problem, z);
        let (m, n) = problem.shape();
        // slices at hand are nearly singular vectors of -grad l, in the coordinates where the weights are gone
        let known = warm.map(|x| {
            let k = usize::from(m >= n);
            let mut known = x.0[k].clone();
            multiply_rows(&mut known, problem.regularizer.gauges[k].weights());
            known
        });
        let (mut u, s, mut v) = triplets(&problem.observations, &z.field, m, n, known.as_ref(), effort);
        divide_rows(&mut u, problem.regularizer.gauges[0].weights());
        divide_rows(&mut v, problem.regularizer.gauges[1].weights());
        Found { slices: Factors(vec![u, v]), values: s }
    }
}

fn triplets(
    at: &Observations,
    w: &[f64],
    m: usize,
    n: usize,
    known: Option<&Mat>,
    effort: &Effort,
) -> (Mat, Vec<f64>, Mat) {
    if matches!(at, Observations::Full { .. })
        && m.min(n) <= DENSE_SIDE
        && let Some((u, s, v)) = dense::thin_svd(&Mat::from_column_slice(m, n, w))
    {
        let k = s.iter().take(m.min(n)).filter(|s| **s > 0.0).count();
        return (u.columns(0, k).into_owned(), s[..k].to_vec(), v.columns(0, k).into_owned());
    }
    let krylov = Krylov {
        want: effort.keep.min(m.min(n)),
        block: BLOCK,
        depth: (effort.iterations / 10).clamp(8, 24),
        tolerance: effort.precision,
        floor: effort.floor,
        seed: effort.seed,
        turning: false,
    };
    from_krylov(at, w, (m, n), known, krylov)
}

/// Leading singular triplets (U, s, V) of a field from a block Krylov space on its shorter side, where `known` directions are.
pub fn from_krylov(
    at: &Observations,
    w: &[f64],
    (m, n): (usize, usize),
    known: Option<&Mat>,
    krylov: Krylov,
) -> (Mat, Vec<f64>, Mat) {
    let square = |x: &Mat| field_square(at, w, x, m >= n);
    if m >= n {
        lanczos::top_singular(|x| field_mul(at, w, x), square, n, known, krylov)
    } else {
        let (v, s, u) = lanczos::top_singular(|x| field_tr_mul(at, w, x), square, m, known, krylov);
        (u, s, v)
    }
}

/// x_i <- x_i d_i for every column.
fn multiply_rows(x: &mut Mat, d: Option<&[f64]>) {
    if let Some(d) = d {
        x.column_iter_mut().for_each(|mut c| c.iter_mut().zip(d).for_each(|(x, d)| *x *= d));
    }
}

/// x_i <- x_i / d_i for every column.
pub(super) fn divide_rows(x: &mut Mat, d: Option<&[f64]>) {
    if let Some(d) = d {
        x.column_iter_mut().for_each(|mut c| c.iter_mut().zip(d).for_each(|(x, d)| *x /= d));
    }
}
