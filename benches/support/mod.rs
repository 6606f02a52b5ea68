//! Seeded problems for the benches: low rank plus noise, squared loss, l2 norms. They go the way of every problem, through a
//! spec and a file.

use homfac::linalg::{Mat, Pattern, dense, lanczos};
use homfac::mapping::Factors;
use homfac::problem::Problem;
use homfac::{data, spec};
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;
use std::fmt::Write;

/// The rank of what the targets are made of.
const TRUE_RANK: usize = 10;

/// `count` distinct positions in an m x n matrix.
pub fn pattern(m: usize, n: usize, count: usize, seed: u64) -> Pattern {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut listed = BTreeSet::new();
    while listed.len() < count {
        listed.insert((rng.random_range(0..m), rng.random_range(0..n)));
    }
    let listed: Vec<_> = listed.into_iter().collect();
    Pattern::new(m, n, &listed).expect("a set lists each position once").0
}

/// U and V with independent normals, so that the entries of U V' have unit variance.
fn low_rank(m: usize, n: usize, seed: u64) -> (Mat, Mat) {
    let scale = (TRUE_RANK as f64).powf(-0.25);
    (lanczos::gaussian(m, TRUE_RANK, seed) * scale, lanczos::gaussian(n, TRUE_RANK, seed + 1) * scale)
}

/// Matrix completion with the nuclear norm.
pub fn completion(m: usize, n: usize, count: usize) -> Problem {
    let pattern = pattern(m, n, count, 1);
    let (u, v) = low_rank(m, n, 2);
    let noise = lanczos::gaussian(count, 1, 4);
    let mut csv = String::from("i,j,value\n");
    for (((i, j), x), e) in pattern.entries().zip(pattern.sampled_product(&u, &v)).zip(noise.iter()) {
        writeln!(csv, "{i},{j},{}", x + 0.1 * e).expect("a string takes it");
    }
    problem(&csv, &format!("format = \"triplets\", shape = [{m}, {n}]"), "norm = \"l2\"")
}

/// Nonnegative matrix factorization of a full matrix.
pub fn nonnegative(m: usize, n: usize) -> Problem {
    let (u, v) = low_rank(m, n, 5);
    let y = dense::mul_tr(&u.abs(), &v.abs()) + lanczos::gaussian(m, n, 7).abs() * 0.1;
    let row = |i: usize| y.row(i).iter().map(f64::to_string).collect::<Vec<_>>().join(",");
    let csv: Vec<String> = (0..m).map(row).collect();
    problem(&csv.join("\n"), "format = \"csv\", header = false", "norm = \"l2\", cone = \"nonnegative\"")
}

/// r random slices inside the cones, with predictions of the size of the targets.
pub fn start(problem: &Problem, r: usize) -> Factors {
    let scale = (r as f64).powf(-0.25);
    let slices = problem.factor_rows().into_iter().zip(&problem.regularizer.gauges).enumerate();
    Factors(
        slices
            .map(|(k, (d, gauge))| {
                let x = lanczos::gaussian(d, r, 8 + k as u64) * scale;
                if gauge.cone().is_some() { x.abs() } else { x }
            })
            .collect(),
    )
}

fn problem(csv: &str, how: &str, factor: &str) -> Problem {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("y.csv"), csv).expect("the data fits");
    let text = format!(
        "lambda = 5\n[data]\ntarget = {{ path = \"y.csv\", {how} }}\n[mapping]\nkind = \"matrix\"\n[regularizer]\n\
         form = \"product\"\nfactors = [{{ {factor} }}]\n[loss]\nkind = \"squared\"\n"
    );
    let spec = spec::parse(&text, &folder.path().join("spec.toml"), &[]).expect("the spec is right");
    let dataset = data::load(&spec.data).expect("the data is right");
    let mut problem = spec::assemble(&spec, &dataset).expect("no weight files").0;
    problem.lambda = 5.0;
    problem
}
