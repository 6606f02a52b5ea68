//! The kernels that a run spends its time in: `cargo bench --bench kernels`, or `-- NAME` for some of them.
//!
//! Items per second are multiply-adds of the plain algorithm, so kernels can be compared with each other and with the machine.
//! Their naive twins are in `tests/laws/linalg.rs`.

mod support;

use divan::Bencher;
use divan::counter::ItemsCount;

/// Ranks around a vector unit's width and at the top of what completion needs.
const RANKS: [usize; 3] = [8, 16, 40];

fn main() {
    divan::main();
}

/// Products over 200,000 entries of a 2000 x 2000 matrix.
mod sparse {
    use super::{Bencher, ItemsCount, RANKS, support};
    use divan::bench;
    use homfac::linalg::{Gram, Layout, Pattern, lanczos};

    const SIDE: usize = 2000;
    const ENTRIES: usize = 200_000;

    fn sparse() -> (Pattern, Vec<f64>) {
        let values = lanczos::gaussian(ENTRIES, 1, 1).as_slice().to_vec();
        (support::pattern(SIDE, SIDE, ENTRIES, 2), values)
    }

    #[bench(args = RANKS)]
    fn sampled_product(bencher: Bencher, r: usize) {
        let (pattern, _) = sparse();
        let (u, v) = (lanczos::gaussian(SIDE, r, 3), lanczos::gaussian(SIDE, r, 4));
        bencher.counter(ItemsCount::new(ENTRIES * r)).bench_local(|| pattern.sampled_product(&u, &v));
    }

    #[bench(args = RANKS)]
    fn mul(bencher: Bencher, r: usize) {
        let ((pattern, w), x) = (sparse(), lanczos::gaussian(SIDE, r, 3));
        bencher.counter(ItemsCount::new(ENTRIES * r)).bench_local(|| pattern.mul(&w, &x));
    }

    #[bench(args = RANKS)]
    fn tr_mul(bencher: Bencher, r: usize) {
        let ((pattern, w), x) = (sparse(), lanczos::gaussian(SIDE, r, 3));
        bencher.counter(ItemsCount::new(ENTRIES * r)).bench_local(|| pattern.tr_mul(&w, &x));
    }

    #[bench(sample_count = 10)]
    fn gram(bencher: Bencher) {
        let (pattern, w) = sparse();
        let pairs: usize = (0..SIDE).map(|j| pattern.column(j).count()).map(|k| k * (k + 1) / 2).sum();
        bencher.counter(ItemsCount::new(pairs)).bench_local(|| Gram::new(&w, Layout::Listed(&pattern)).form().side());
    }
}

/// Products of a full 1000 x 2000 field with tall and skinny matrices.
mod dense {
    use super::{Bencher, ItemsCount, RANKS};
    use divan::bench;
    use homfac::linalg::{Mat, dense, lanczos};

    const SHAPE: (usize, usize) = (1000, 2000);

    fn field() -> Mat {
        lanczos::gaussian(SHAPE.0, SHAPE.1, 1)
    }

    #[bench(args = RANKS)]
    fn field_mul(bencher: Bencher, r: usize) {
        let ((m, n), w, x) = (SHAPE, field(), lanczos::gaussian(SHAPE.1, r, 2));
        bencher.counter(ItemsCount::new(m * n * r)).bench_local(|| dense::field_mul(w.as_slice(), m, n, &x));
    }

    #[bench(args = RANKS)]
    fn field_tr_mul(bencher: Bencher, r: usize) {
        let ((m, n), w, x) = (SHAPE, field(), lanczos::gaussian(SHAPE.0, r, 2));
        bencher.counter(ItemsCount::new(m * n * r)).bench_local(|| dense::field_tr_mul(w.as_slice(), m, n, &x));
    }

    #[bench(args = RANKS)]
    fn mul_tr(bencher: Bencher, r: usize) {
        let ((m, n), u, v) = (SHAPE, lanczos::gaussian(SHAPE.0, r, 2), lanczos::gaussian(SHAPE.1, r, 3));
        bencher.counter(ItemsCount::new(m * n * r)).bench_local(|| dense::mul_tr(&u, &v));
    }

    #[bench(args = RANKS)]
    fn gram(bencher: Bencher, r: usize) {
        let (n, x) = (SHAPE.1, lanczos::gaussian(SHAPE.1, r, 2));
        bencher.counter(ItemsCount::new(n * r * r)).bench_local(|| dense::tr_mul(&x, &x));
    }
}

/// MTTKRP by mode, and Phi, of a full 300 x 200 x 100 array, and of 1,000,000 entries of a 10^4 x 10^4 x 10^3 array.
mod arrays {
    use super::{Bencher, ItemsCount, support};
    use divan::bench;
    use homfac::data::Observations;
    use homfac::linalg::lanczos;
    use homfac::mapping::{Factors, KINDS, Mapping, Setup};

    const FULL: [usize; 3] = [300, 200, 100];
    const LISTED: [usize; 3] = [10_000, 10_000, 1000];
    const ENTRIES: usize = 1_000_000;

    /// The mapping, a field and factors of rank r.
    fn array(at: &Observations, sizes: &[usize], r: usize) -> (Box<dyn Mapping>, Vec<f64>, Factors) {
        let cp = KINDS.iter().find(|k| k.name == "cp").expect("registered");
        let x = sizes.iter().enumerate().map(|(k, &d)| lanczos::gaussian(d, r, k as u64)).collect();
        (
            (cp.build)(&Setup { sizes, inputs: None, layers: None }),
            lanczos::gaussian(at.len(), 1, 9).data.into(),
            Factors(x),
        )
    }

    fn full() -> Observations {
        Observations::Full { rows: FULL[0], cols: FULL[1] * FULL[2] }
    }

    fn listed() -> Observations {
        Observations::Coordinates(support::pattern(LISTED[0], LISTED[1] * LISTED[2], ENTRIES, 1))
    }

    fn mttkrp(bencher: Bencher, at: Observations, sizes: &[usize], r: usize, k: usize) {
        let (cp, w, x) = array(&at, sizes, r);
        bencher.counter(ItemsCount::new(at.len() * r)).bench_local(|| cp.pullback(&at, &w, &x, k));
    }

    fn phi(bencher: Bencher, at: Observations, sizes: &[usize], r: usize) {
        let (cp, _, x) = array(&at, sizes, r);
        bencher.counter(ItemsCount::new(at.len() * r)).bench_local(|| cp.apply(&at, &x));
    }

    #[bench(args = [0, 1, 2], sample_count = 20)]
    fn full_mttkrp(bencher: Bencher, k: usize) {
        mttkrp(bencher, full(), &FULL, 10, k);
    }

    #[bench(sample_count = 20)]
    fn full_phi(bencher: Bencher) {
        phi(bencher, full(), &FULL, 10);
    }

    #[bench(args = [0, 1, 2], sample_count = 10)]
    fn listed_mttkrp(bencher: Bencher, k: usize) {
        mttkrp(bencher, listed(), &LISTED, 20, k);
    }

    #[bench(sample_count = 10)]
    fn listed_phi(bencher: Bencher) {
        phi(bencher, listed(), &LISTED, 20);
    }
}

/// Decompositions, by the side of a square matrix.
mod decompositions {
    use super::Bencher;
    use divan::bench;
    use homfac::linalg::{Packed, dense, lanczos};

    const SIDES: [usize; 3] = [50, 200, 400];

    #[bench(args = SIDES, sample_count = 10)]
    fn thin_svd(bencher: Bencher, n: usize) {
        let x = lanczos::gaussian(n, n, 1);
        bencher.bench_local(|| dense::thin_svd(&x));
    }

    #[bench(args = SIDES, sample_count = 10)]
    fn symmetric_eigen(bencher: Bencher, n: usize) {
        let x = lanczos::gaussian(n, n, 1);
        let g = dense::mul_tr(&x, &x);
        bencher.bench_local(|| dense::symmetric_eigen(&g));
    }

    #[bench(args = SIDES, sample_count = 10)]
    fn cholesky(bencher: Bencher, n: usize) {
        let g = Packed::gram(lanczos::gaussian(n, 2 * n, 1).as_slice(), n, 2 * n, 0..n);
        bencher.with_inputs(|| g.clone()).bench_local_values(|mut g| g.cholesky());
    }
}

/// Proven upper bounds of sigma_1 and lambda_max.
mod proofs {
    use super::{Bencher, support};
    use divan::bench;
    use homfac::linalg::{Layout, dense, lanczos, proven};

    #[bench(args = [100, 500, 1000], sample_count = 5)]
    fn lambda_max_upper(bencher: Bencher, n: usize) {
        let x = lanczos::gaussian(n, n, 1);
        let g = dense::mul_tr(&x, &x);
        bencher.bench_local(|| proven::lambda_max_upper(&g));
    }

    #[bench(args = [100, 500, 1000], sample_count = 5)]
    fn sigma_upper_full(bencher: Bencher, m: usize) {
        let w = lanczos::gaussian(m, 2 * m, 1);
        bencher.bench_local(|| proven::sigma_upper(w.as_slice(), Layout::Full { rows: m, cols: 2 * m }));
    }

    #[bench(args = [100, 500, 1000], sample_count = 5)]
    fn sigma_upper_sparse(bencher: Bencher, m: usize) {
        let count = 40 * m;
        let pattern = support::pattern(m, 2 * m, count, 1);
        let w = lanczos::gaussian(count, 1, 2);
        bencher.bench_local(|| proven::sigma_upper(w.as_slice(), Layout::Listed(&pattern)));
    }
}

/// What one outer iteration does: ten sweeps of the descent that the problem is given by default, and a polar search.
mod solver {
    use super::{Bencher, support};
    use divan::bench;
    use homfac::budget::Budget;
    use homfac::polar::search::{self, Effort};
    use homfac::problem::Problem;
    use homfac::solve::descent;

    fn sweeps(bencher: Bencher, problem: &Problem, r: usize) {
        let (strategy, start) = (descent::choose(problem, None), support::start(problem, r));
        let effort = descent::Effort { sweeps: 10, decrease: f64::NEG_INFINITY };
        bencher.with_inputs(|| start.clone()).bench_local_values(|mut x| {
            strategy.descend(problem, &mut x, effort, &Budget::unlimited());
            x
        });
    }

    fn polar(bencher: Bencher, problem: &Problem) {
        let x = support::start(problem, 10);
        let z = problem.dual_field(&problem.predict(&x));
        bencher.bench_local(|| search::search(problem, &z, Some(&x), &Effort::default()));
    }

    #[bench(args = [8, 40], sample_count = 5)]
    fn completion_sweeps(bencher: Bencher, r: usize) {
        sweeps(bencher, &support::completion(2000, 2000, 200_000), r);
    }

    #[bench(args = [8, 40], sample_count = 5)]
    fn nonnegative_sweeps(bencher: Bencher, r: usize) {
        sweeps(bencher, &support::nonnegative(1000, 1000), r);
    }

    #[bench(sample_count = 5)]
    fn completion_polar(bencher: Bencher) {
        polar(bencher, &support::completion(2000, 2000, 200_000));
    }

    #[bench(sample_count = 5)]
    fn nonnegative_polar(bencher: Bencher) {
        polar(bencher, &support::nonnegative(500, 500));
    }
}
