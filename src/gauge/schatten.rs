//! Norms of the singular values of columns that are matrices: what `spectral` and `nuclear` share.
//!
//! ```text
//! X         a column of p q coordinates as a p x q matrix, row by row (the last index fastest, as NumPy's `reshape`)
//! ||X||     ||s|| for X = U diag(s) V', with the norm of the singular values: l1 or linf
//! dual      that of the singular values, attained at U diag(z) V' for the z that attains theirs
//! prox      U diag(prox of s) V'                                                           in uniform metrics
//! on psd    the same with the positive eigenvalues of the symmetric part in place of the singular values
//! ```
//!
//! Why: von Neumann's trace inequality (Lewis, "The convex analysis of unitarily invariant matrix functions", 1995).
//! Other metrics have no closed form, so descents raise a metric to its largest entry.

use super::{Norm, l1::L1, l2::L2, linf::Linf};
use crate::cone::Cone;
use crate::linalg::spectra::{Parts, nuclear_upper, symmetric_part};
use crate::linalg::sum::{UNIT_ROUNDOFF, gamma, norm_upper};
use crate::linalg::vector::unit_scale;
use crate::linalg::{Mat, dense, proven};

/// The norm of the singular values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Their sum: `nuclear`.
    Sum,
    /// The largest: `spectral`.
    Largest,
}

/// A norm of singular values of p x q matrices.
#[derive(Clone, Debug)]
pub struct Schatten {
    of: Of,
    shape: (usize, usize),
    psd: bool,
}

/// U diag(s) V' = c X.
struct Decomposed {
    u: Mat,
    s: Vec<f64>,
    v: Mat,
    c: f64,
}

impl Schatten {
    /// The norm on matrices of this shape, of n entries.
    ///
    /// # Errors
    /// A sentence if there is no shape or its product is not n.
    pub fn new(of: Of, shape: Option<(usize, usize)>, n: usize) -> Result<Self, String> {
        let name = Self::name_of(of);
        let shape =
            shape.ok_or_else(|| format!("`{name}` needs `shape`: rows and columns of the matrix that a column is"))?;
        check(name, shape, n)?;
        Ok(Self { of, shape, psd: false })
    }

    /// What the laws are tested on: the most nearly square shape of n entries.
    pub(super) fn example(of: Of, n: usize) -> Self {
        let rows = (1..=n.isqrt()).rfind(|r| n.is_multiple_of(*r)).unwrap_or(1);
        Self { of, shape: (rows, n / rows), psd: false }
    }

    fn name_of(of: Of) -> &'static str {
        match of {
            Of::Sum => super::nuclear::KIND.name,
            Of::Largest => super::spectral::KIND.name,
        }
    }

    /// p and q.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// The norm of the singular values.
    fn values(&self) -> &'static dyn Norm {
        match self.of {
            Of::Sum => &L1,
            Of::Largest => &Linf,
        }
    }

    /// min(p, q), the number of singular values.
    fn count(&self) -> usize {
        self.shape.0.min(self.shape.1)
    }

    /// X', as its rows lie in memory.
    fn matrix(&self, x: &[f64]) -> Mat {
        Mat::from_column_slice(self.shape.1, self.shape.0, x)
    }

    /// X' brought to unit size, and by what.
    fn scaled(&self, x: &[f64]) -> (Mat, f64) {
        let c = unit_scale(x);
        (self.matrix(x) * c, c)
    }

    /// The singular values of c X, or on psd the positive eigenvalues; `None` if they did not converge.
    fn spectrum(&self, x: &[f64]) -> Option<(Vec<f64>, f64)> {
        let (y, c) = self.scaled(x);
        let values = if self.psd {
            dense::symmetric_eigenvalues(&symmetric_part(&y))?.into_iter().map(|l| l.max(0.0)).collect()
        } else {
            dense::singular_values(&y)?
        };
        Some((values, c))
    }

    fn decomposed(&self, x: &[f64]) -> Option<Decomposed> {
        let (y, c) = self.scaled(x);
        if self.psd {
            let (values, vectors) = dense::symmetric_eigen(&symmetric_part(&y))?;
            let s = values.into_iter().map(|l| l.max(0.0)).collect();
            return Some(Decomposed { v: vectors.clone(), u: vectors, s, c });
        }
        let (u, s, v) = dense::thin_svd(&y)?;
        Some(Decomposed { u, s, v, c })
    }
}

impl Decomposed {
    /// x <- U diag(s) V' / c for other singular values.
    fn put(&self, s: &[f64], c: f64, x: &mut [f64], symmetric: bool) {
        let keep: Vec<usize> = (0..s.len()).filter(|&k| s[k] != 0.0).collect();
        let u = Mat::from_fn(self.u.nrows(), keep.len(), |i, k| self.u[(i, keep[k])] * s[keep[k]]);
        let mut y = dense::mul_tr(&u, &self.v.select_columns(&keep));
        if symmetric {
            y.fill_upper_triangle_with_lower_triangle();
        }
        x.iter_mut().zip(y.iter()).for_each(|(x, y)| *x = y / c);
    }
}

/// p q = n.
pub(super) fn check(name: &str, (p, q): (usize, usize), n: usize) -> Result<(), String> {
    if p.checked_mul(q) == Some(n) {
        return Ok(());
    }
    Err(format!("`{name}` of {p} x {q} matrices is for a factor of {} coordinates, not {n}", p.saturating_mul(q)))
}

/// Nothing but zeros, or something that is not finite.
fn is_idle(x: &[f64]) -> bool {
    x.iter().all(|x| *x == 0.0) || x.iter().any(|x| !x.is_finite())
}

impl Norm for Schatten {
    fn name(&self) -> &'static str {
        Self::name_of(self.of)
    }

    fn label(&self) -> String {
        format!("{} of {} x {}", self.name(), self.shape.0, self.shape.1)
    }

    fn value(&self, x: &[f64]) -> f64 {
        if self.psd && self.of == Of::Sum {
            // the trace
            return x.iter().step_by(self.shape.0 + 1).map(|x| x.abs()).sum();
        }
        if is_idle(x) {
            return L2.value(x);
        }
        // where nothing converged, what is never less
        let crude = || L2.value(x) * if self.of == Of::Sum { (self.count() as f64).sqrt() } else { 1.0 };
        self.spectrum(x).map_or_else(crude, |(s, c)| self.values().value(&s) / c)
    }

    fn value_upper(&self, x: &[f64]) -> f64 {
        match self.of {
            Of::Sum if self.psd => self.value(x),
            Of::Sum => nuclear_upper(&self.matrix(x)),
            Of::Largest => proven::sigma_max_upper(x, self.shape.1, self.shape.0),
        }
    }

    fn dual(&self, y: &[f64]) -> f64 {
        if is_idle(y) {
            return L2.value(y);
        }
        self.spectrum(y).map_or(0.0, |(s, c)| self.values().dual(&s) / c)
    }

    fn dual_upper(&self, y: &[f64]) -> f64 {
        match (self.of, self.psd) {
            (Of::Sum, false) => proven::sigma_max_upper(y, self.shape.1, self.shape.0),
            // <S, X> <= lambda_max(S) tr X
            (Of::Sum, true) if y.iter().all(|y| y.is_finite()) => {
                let (y, c) = self.scaled(y);
                let off = UNIT_ROUNDOFF * norm_upper(y.as_slice()) + y.len() as f64 * f64::MIN_POSITIVE;
                let top = proven::lambda_max_upper(&symmetric_part(&y)).max(0.0);
                ((top + off) * (1.0 + gamma(4)) / c).next_up()
            }
            (Of::Largest, false) => nuclear_upper(&self.matrix(y)),
            // tr X <= s
            (Of::Largest, true) => Parts::new(&self.matrix(y)).map_or(f64::INFINITY, |parts| {
                let bound = (parts.trace + self.shape.0 as f64 * parts.residual) * (1.0 + gamma(4));
                (bound / parts.scale).next_up()
            }),
            (Of::Sum, true) => f64::INFINITY,
        }
    }

    fn dual_argmax(&self, y: &mut [f64]) {
        let Some(d) = Some(&*y).filter(|y| !is_idle(y)).and_then(|y| self.decomposed(y)) else {
            y.fill(0.0);
            return;
        };
        let mut z = d.s.clone();
        self.values().dual_argmax(&mut z);
        d.put(&z, 1.0, y, self.psd);
    }

    fn prox(&self, b: &mut [f64], h: &[f64], t: f64) {
        debug_assert!(h.iter().all(|x| *x == h[0]), "a prox of singular values in a metric that is not uniform");
        let h = h.first().copied().unwrap_or(0.0);
        if h <= 0.0 {
            b.fill(0.0);
            return;
        }
        if is_idle(b) || (t == 0.0 && !self.psd) {
            return;
        }
        let Some(d) = self.decomposed(b) else { return };
        let mut s = d.s.clone();
        let count = s.len();
        self.values().prox(&mut s, &vec![h; count], t * d.c);
        d.put(&s, d.c, b, self.psd);
    }

    fn is_absolute(&self) -> bool {
        false
    }

    fn any_metric(&self) -> bool {
        false
    }

    fn inside(&self, cone: &dyn Cone) -> Option<Box<dyn Norm>> {
        let fits = cone.name() == crate::cone::psd::KIND.name && self.shape.0 == self.shape.1;
        fits.then(|| Box::new(Self { psd: true, ..self.clone() }) as Box<dyn Norm>)
    }

    fn matrices(&self) -> Option<&Schatten> {
        Some(self)
    }

    fn slope(&self) -> f64 {
        match self.of {
            Of::Sum => (self.count() as f64).sqrt().next_up(),
            Of::Largest => 1.0,
        }
    }

    fn l2_radius(&self, _n: usize) -> f64 {
        match self.of {
            Of::Sum => 1.0,
            Of::Largest => (self.count() as f64).sqrt().next_up(),
        }
    }
}
