//! Arrays of order K >= 3 seen as p x (m n) matrices: the indices in three groups, and what a partial transpose does not see.
//!
//! ```text
//! <Z, x^1 o .. o x^K> = a' S (c (x) b)            a, b, c: the Kronecker products of the factors of each group
//! (c (x) b)' G (c (x) b) = 0                      G symmetric, G = -G^T2,   G^T2_(b c, b' c') = G_(b c', b' c)
//! ```
//!
//! A matrix G of the second kind has one number for every b < b' and c < c': it stands at (b c, b' c'), its negative at
//! (b c', b' c), and both at the transposed places. Source: the positive partial transpose of Peres 1996; as a bound of the
//! spectral norm of an array Nie & Wang 2014.

use super::field::indices;
use crate::linalg::Mat;

/// Which group every index is in: the rows (0), the first (1) or the second (2) index of the columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Grouping {
    sizes: Vec<usize>,
    groups: Vec<usize>,
    sides: [usize; 3],
}

impl Grouping {
    /// `None` unless every group has an index and all products of sizes are representable.
    pub fn new(sizes: &[usize], groups: &[usize]) -> Option<Self> {
        let known = groups.len() == sizes.len() && groups.iter().all(|g| *g < 3);
        if !known || (0..3).any(|g| !groups.contains(&g)) {
            return None;
        }
        let mut sides = [1usize; 3];
        for (d, g) in sizes.iter().zip(groups) {
            sides[*g] = sides[*g].checked_mul(*d)?;
        }
        sides[0].checked_mul(sides[1])?.checked_mul(sides[2])?;
        Some(Self { sizes: sizes.to_vec(), groups: groups.to_vec(), sides })
    }

    /// Every way to group the indices; the groups of the columns may be exchanged, so each pair is there once.
    pub fn all(sizes: &[usize]) -> Vec<Self> {
        let k = sizes.len() as u32;
        let digits = |code: usize| (0..k).map(move |i| code / 3usize.pow(i) % 3).collect::<Vec<_>>();
        (0..3usize.pow(k))
            .map(digits)
            .filter(|groups| groups.iter().position(|g| *g == 1) < groups.iter().position(|g| *g == 2))
            .filter_map(|groups| Self::new(sizes, &groups))
            .collect()
    }

    /// The group of every index.
    pub fn groups(&self) -> &[usize] {
        &self.groups
    }

    /// p and m n.
    pub fn shape(&self) -> (usize, usize) {
        (self.sides[0], self.sides[1] * self.sides[2])
    }

    /// Row and column of an entry of the unfolding d_1 x (d_2 .. d_K).
    pub fn place(&self, entry: (usize, usize)) -> (usize, usize) {
        let mut at = [0; 3];
        let mut stride = [1; 3];
        for (k, i) in indices(&self.sizes, entry).enumerate() {
            let g = self.groups[k];
            at[g] += stride[g] * i;
            stride[g] *= self.sizes[k];
        }
        (at[0], at[1] + self.sides[1] * at[2])
    }

    /// The p x (m n) matrix of an array in memory order.
    pub fn matrix(&self, field: &[f64]) -> Mat {
        let (p, q) = self.shape();
        let mut out = Mat::zeros(p, q);
        self.entries().zip(field).for_each(|(e, z)| out[self.place(e)] = *z);
        out
    }

    /// The array of such a matrix.
    pub fn field(&self, matrix: &Mat) -> Vec<f64> {
        self.entries().map(|e| matrix[self.place(e)]).collect()
    }

    fn entries(&self) -> impl Iterator<Item = (usize, usize)> {
        let (rows, cols) = (self.sizes[0], self.sizes[1..].iter().product());
        (0..cols).flat_map(move |j| (0..rows).map(move |i| (i, j)))
    }

    /// The columnwise Kronecker product of the factors in a group, as [`Self::place`] counts.
    pub fn product(&self, factors: &[Mat], group: usize) -> Mat {
        let one = Mat::from_element(1, factors[0].ncols(), 1.0);
        (0..factors.len()).filter(|&k| self.groups[k] == group).fold(one, |a, k| kronecker(&a, &factors[k]))
    }

    /// The same for both groups of the columns.
    pub fn column_product(&self, factors: &[Mat]) -> Mat {
        kronecker(&self.product(factors, 1), &self.product(factors, 2))
    }

    /// How many numbers a matrix G with G = -G^T2 has.
    pub fn freedom(&self) -> usize {
        let pairs = |d: usize| d * d.saturating_sub(1) / 2;
        pairs(self.sides[1]) * pairs(self.sides[2])
    }

    /// (b c, b' c', b c', b' c) for every b < b' and c < c'.
    fn quadruples(&self) -> impl Iterator<Item = [usize; 4]> {
        let [_, m, n] = self.sides;
        let at = move |b: usize, c: usize| b + m * c;
        (0..n).flat_map(move |c2| {
            (0..c2).flat_map(move |c| {
                (0..m).flat_map(move |b2| (0..b2).map(move |b| [at(b, c), at(b2, c2), at(b, c2), at(b2, c)]))
            })
        })
    }

    /// G from its numbers.
    pub fn antisymmetric(&self, numbers: &[f64]) -> Mat {
        let side = self.shape().1;
        let mut g = Mat::zeros(side, side);
        for ([i, j, k, l], x) in self.quadruples().zip(numbers) {
            (g[(i, j)], g[(j, i)]) = (*x, *x);
            (g[(k, l)], g[(l, k)]) = (-x, -x);
        }
        g
    }

    /// The numbers of the part of a symmetric matrix with G = -G^T2.
    pub fn numbers(&self, e: &Mat) -> Vec<f64> {
        self.quadruples().map(|[i, j, k, l]| 0.5 * (e[(i, j)] - e[(k, l)])).collect()
    }

    /// The other part, which is its own partial transpose.
    pub fn symmetric(&self, e: &Mat) -> Mat {
        let mut out = e.clone();
        for [i, j, k, l] in self.quadruples() {
            let mean = 0.5 * (e[(i, j)] + e[(k, l)]);
            for at in [(i, j), (j, i), (k, l), (l, k)] {
                out[at] = mean;
            }
        }
        out
    }
}

/// The columnwise Kronecker product, the first factor's index fastest.
fn kronecker(a: &Mat, b: &Mat) -> Mat {
    let m = a.nrows();
    Mat::from_fn(m * b.nrows(), a.ncols(), |i, r| a[(i % m, r)] * b[(i / m, r)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Observations;
    use crate::linalg::lanczos::gaussian;
    use crate::mapping::{self, Factors};

    fn vectors(sizes: &[usize], seed: u64) -> Vec<Mat> {
        sizes.iter().enumerate().map(|(k, d)| gaussian(*d, 1, 100 * seed + k as u64)).collect()
    }

    #[test]
    fn every_grouping_gives_the_pairing_and_no_antisymmetric_part_is_seen() {
        for sizes in [vec![3, 2, 4], vec![2, 3, 2, 3], vec![1, 3, 2]] {
            let all = Grouping::all(&sizes);
            assert_eq!(all.len(), if sizes.len() == 3 { 3 } else { 18 });
            let cp = (mapping::cp::KIND.build)(&mapping::Setup { sizes: &sizes, inputs: None, layers: None });
            let at = Observations::Full { rows: sizes[0], cols: sizes[1..].iter().product() };
            let z: Vec<f64> = gaussian(at.len(), 1, 5).as_slice().to_vec();
            let x = Factors(vectors(&sizes, 1));
            let pairing: f64 = cp.apply(&at, &x).iter().zip(&z).map(|(a, b)| a * b).sum();
            for g in all {
                let (a, w) = (g.product(&x.0, 0), g.column_product(&x.0));
                let s = g.matrix(&z);
                assert_eq!(g.field(&s), z);
                assert!(((a.transpose() * s * &w)[(0, 0)] - pairing).abs() < 1e-12, "{g:?}");
                let side = g.shape().1;
                let e = gaussian(side, side, 7);
                let e = &e + e.transpose();
                let (numbers, rest) = (g.numbers(&e), g.symmetric(&e));
                assert_eq!(numbers.len(), g.freedom());
                let part = g.antisymmetric(&numbers);
                assert_eq!(part, part.transpose());
                assert!((w.transpose() * &part * &w)[(0, 0)].abs() < 1e-12, "{g:?}");
                assert!((&part + &rest - &e).amax() < 1e-14 && part.dot(&rest).abs() < 1e-11);
                // the other sign, a mutant, is seen
                if g.freedom() > 0 {
                    let wrong = part.map(f64::abs);
                    assert!((w.transpose() * &wrong * &w)[(0, 0)].abs() > 1e-6, "{g:?}");
                }
            }
        }
    }

    #[test]
    fn a_group_without_an_index_is_refused() {
        assert!(Grouping::new(&[2, 3, 4], &[0, 1, 1]).is_none());
        assert!(Grouping::new(&[2, 3, 4], &[0, 1, 3]).is_none());
        assert!(Grouping::new(&[2, 3, 4], &[0, 1]).is_none());
        assert!(Grouping::new(&[usize::MAX, 3, 4], &[0, 1, 2]).is_none());
    }
}
