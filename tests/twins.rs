//! Every loss with every sort of extra variable against slow solvers that share nothing with the crate's: on the convex problem in X
//! itself, accelerated proximal gradient where Omega is the nuclear norm (l2 x l2), and damped Newton steps that an interior-point
//! solver for second-order cones takes where Omega is a sum of norms:
//!
//! ```text
//! Omega(X) = min sum_k ||w_k||   over X = sum_k w_k a_k'    a_k: unit vectors along the axes (l1 x l2), or, where both factors are
//!                                                           nonnegative and v has two entries, all directions of the quadrant
//! ```
//!
//! with w_k >= 0 in the second case, and as many directions as make the value at most 2e-6 lambda Omega too high. No bound exceeds the
//! value found by either, and where the polar is exact the two meet. A loss that is registered is tested; one that is not written out
//! here is taken at its own word.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{
    DefaultSettings, DefaultSolver, IPSolver, NonnegativeConeT, SecondOrderConeT, SupportedConeT, ZeroConeT,
};
use homfac::budget::Budget;
use homfac::certify::dual::{DualPoint, Keeper, prove};
use homfac::certify::relax::{self, Relaxation};
use homfac::certify::{Certificate, CertifyOptions, Effort, Known, certify_at};
use homfac::cone;
use homfac::data::{Observations, TargetKind};
use homfac::extra::{self, Block, Extras, Penalty};
use homfac::gauge::{self, Gauge};
use homfac::linalg::{Mat, Pattern};
use homfac::loss::profiled::Profiled;
use homfac::loss::{self, Kind, Loss, Setup, Targets};
use homfac::mapping;
use homfac::problem::{Form, Problem, Regularizer};
use homfac::solve::observer::Silent;
use homfac::solve::options::SolverOptions;
use homfac::solve::solve;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

const GAUGES: [&str; 3] = ["l2 x l2", "l1 x l2", "nonnegative"];
const EXTRAS: [&str; 3] = ["no extra", "intercepts", "outliers"];
const OUTLIER: f64 = 0.4;
/// Directions of a quadrant: neighbours are 0.004 apart, so what lies between two of them costs 2e-6 more at most.
const DIRECTIONS: usize = 393;
/// Losses that [`Instance::loss`] writes out again.
const WRITTEN: [&str; 7] = ["squared", "huber", "logistic", "squared_hinge", "poisson", "multinomial", "quantile"];

/// An instance, and its numbers as plain tables.
struct Instance {
    kind: &'static Kind,
    gauges: &'static str,
    extras: &'static str,
    rows: usize,
    cols: usize,
    y: Mat,
    kept: Mat,
    /// The observed entries, and the place of each in observation order.
    entries: Vec<(usize, usize)>,
    place: Vec<usize>,
    /// The intercepts' axes.
    axes: &'static [Option<usize>],
    problem: Problem,
}

/// Targets that a loss of this kind takes, such that free intercepts have a minimiser.
fn targets(kind: &Kind, m: usize, n: usize, rng: &mut ChaCha8Rng) -> Mat {
    match kind.targets {
        TargetKind::Real => Mat::from_fn(m, n, |_, _| rng.random_range(-1.5..2.0)),
        TargetKind::Signs => Mat::from_fn(m, n, |_, _| if rng.random_bool(0.6) { 1.0 } else { -1.0 }),
        TargetKind::Counts => Mat::from_fn(m, n, |_, _| f64::from(rng.random_range(0..6))),
        TargetKind::Classes => {
            let labels: Vec<usize> = (0..m).map(|i| if i < n { i } else { rng.random_range(0..n) }).collect();
            Mat::from_fn(m, n, |i, j| if labels[i] == j { 1.0 } else { 0.0 })
        }
    }
}

impl Instance {
    fn new(kind: &'static Kind, gauges: &'static str, extras: &'static str, masked: bool, seed: u64) -> Option<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let classes = kind.targets == TargetKind::Classes;
        if classes && extras == "outliers" {
            return None;
        }
        // two columns where directions of v are listed
        let (m, n) = match (gauges, classes) {
            ("nonnegative", _) => (6, 2),
            (_, true) => (9, 3),
            (_, false) => (7, 5),
        };
        let y = targets(kind, m, n, &mut rng);
        // rows of classes are whole or missing; the first of each class stays
        let row_kept: Vec<bool> = (0..m).map(|i| i < n || rng.random_bool(0.8)).collect();
        let kept = Mat::from_fn(m, n, |i, j| {
            let keep = if classes { row_kept[i] } else { i == j || rng.random_bool(0.75) };
            if keep || !masked { 1.0 } else { 0.0 }
        });
        let entries: Vec<(usize, usize)> =
            (0..n).flat_map(|j| (0..m).map(move |i| (i, j))).filter(|e| kept[*e] > 0.0).collect();
        let (observations, order) = if masked {
            let (p, order) = Pattern::new(m, n, &entries).unwrap();
            (Observations::Coordinates(p), order)
        } else {
            (Observations::Full { rows: m, cols: n }, (0..entries.len()).collect())
        };
        let parameters: Vec<f64> = kind.parameters.iter().map(|p| p.example).collect();
        let rows = || observations.entries().map(|(i, _)| i as u32).collect();
        let plain: Box<dyn Loss> = (kind.build)(&Setup { parameters: &parameters, rows: &rows });
        // signs and counts in one line may all be alike: one intercept for all
        let axes: &'static [Option<usize>] = match (extras, kind.targets) {
            ("intercepts", TargetKind::Real) => &[Some(0), Some(1)],
            ("intercepts", TargetKind::Classes) => &[Some(1)],
            ("intercepts", _) => &[None],
            _ => &[],
        };
        let block = |k: &extra::Kind, axis, penalty, profiled| {
            let map = (k.build)(&extra::Setup { observations: &observations, sizes: &[m, n], axis, side: None });
            Block { map, penalty, profiled }
        };
        let mut blocks: Vec<Block> =
            axes.iter().map(|a| block(&extra::intercept::KIND, *a, Penalty::None, false)).collect();
        let mut end = f64::INFINITY;
        if extras == "outliers" {
            blocks.push(block(&extra::outliers::KIND, None, Penalty::L1(OUTLIER), true));
            end = OUTLIER;
        }
        let (loss, extra_blocks): (Box<dyn Loss>, Extras) = if blocks.is_empty() {
            (plain, Extras::default())
        } else {
            let profiled = Profiled { inner: Arc::from(plain), lo: -end, hi: end };
            (Box::new(profiled.clone()), Extras { blocks, profiled: Some(profiled) })
        };
        let gauge = |norm: &str| {
            let norm = gauge::KINDS.iter().find(|k| k.name == norm).unwrap();
            let cone = cone::KINDS.iter().find(|k| k.name == gauges);
            let cone = cone.map(|c| (c.build)(&cone::Parameters::default()).unwrap());
            Gauge::new((norm.build)(&gauge::Parameters::default()).unwrap(), None, cone).unwrap()
        };
        let norms = [if gauges == "l1 x l2" { "l1" } else { "l2" }, "l2"];
        let problem = Problem {
            operator: None,
            y: order.iter().map(|&k| y[entries[k]]).collect(),
            w: None,
            loss,
            mapping: (mapping::matrix::KIND.build)(&mapping::Setup::default()),
            regularizer: Regularizer { form: Form::Product, gauges: norms.map(gauge).into() },
            extras: extra_blocks,
            offset: Vec::new(),
            lambda: rng.random_range(0.4..0.8) * if gauges == "nonnegative" { 0.5 } else { 1.0 },
            observations,
        };
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(at, &k)| place[k] = at);
        Some(Self { kind, gauges, extras, rows: m, cols: n, y, kept, entries, place, axes, problem })
    }

    /// Every loss, gauge pair, extra and layout.
    fn all() -> Vec<Self> {
        let mut out = Vec::new();
        for kind in loss::KINDS {
            for gauges in GAUGES {
                for extras in EXTRAS {
                    for masked in [false, true] {
                        out.extend(Self::new(kind, gauges, extras, masked, out.len() as u64));
                    }
                }
            }
        }
        out
    }

    fn label(&self) -> String {
        let layout = if self.kept.min() > 0.0 { "full" } else { "masked" };
        format!("{}, {}, {}, {layout}", self.kind.name, self.gauges, self.extras)
    }

    /// Algorithm 1 and its certificate.
    fn certificate(&mut self) -> Certificate {
        let options = CertifyOptions { target_gap: 1e-6, effort: Effort::Default };
        let budget = Budget::unlimited();
        let solver = SolverOptions { max_outer: Some(60), ..SolverOptions::default() };
        let s = solve(&mut self.problem, &solver, &options, None, &budget, &mut Silent);
        let known = Known { witnesses: &s.witnesses, polar: s.polar.as_ref(), cuts: None };
        certify_at(&self.problem, &s.factors, Some(&s.extras), known, &options, &budget).unwrap()
    }

    /// The loss and its gradient at X, written out again.
    fn loss(&self, x: &Mat) -> (f64, Mat) {
        if !WRITTEN.contains(&self.kind.name) {
            return self.own_loss(x);
        }
        let mut g = Mat::zeros(self.rows, self.cols);
        let mut value = 0.0;
        let (delta, level, smoothing) = (0.5, 0.9, 0.5);
        for i in 0..self.rows {
            let top = x.row(i).max();
            let sum: f64 = x.row(i).iter().map(|x| (x - top).exp()).sum();
            for j in (0..self.cols).filter(|&j| self.kept[(i, j)] > 0.0) {
                let (x, y) = (x[(i, j)], self.y[(i, j)]);
                let (v, d) = match self.kind.name {
                    "squared" => ((x - y).powi(2) / 2.0, x - y),
                    "huber" if (x - y).abs() <= delta => ((x - y).powi(2) / 2.0, x - y),
                    "huber" => (delta * ((x - y).abs() - delta / 2.0), delta * (x - y).signum()),
                    "logistic" => ((1.0 + (-y * x).exp()).ln(), -y / (1.0 + (y * x).exp())),
                    "squared_hinge" => ((1.0 - y * x).max(0.0).powi(2) / 2.0, -y * (1.0 - y * x).max(0.0)),
                    "poisson" => (x.exp() - y * x, x.exp() - y),
                    "multinomial" => {
                        let log = top + sum.ln();
                        (if y > 0.0 { log - x } else { 0.0 }, (x - log).exp() - y)
                    }
                    "quantile" => {
                        let z = ((y - x) / smoothing).clamp(level - 1.0, level);
                        (z * (y - x) - smoothing * z * z / 2.0, -z)
                    }
                    other => unreachable!("{other}"),
                };
                value += v;
                g[(i, j)] = d;
            }
        }
        (value, g)
    }

    /// The same from the crate, for losses that are not written out.
    fn own_loss(&self, x: &Mat) -> (f64, Mat) {
        let mut at = vec![0.0; self.entries.len()];
        self.entries.iter().zip(&self.place).for_each(|(e, &k)| at[k] = x[*e]);
        let (loss, t) = (self.problem.plain_loss(), Targets { y: &self.problem.y, w: None });
        let (value, mut slope) = (loss.value(t, &at), vec![0.0; at.len()]);
        loss.gradient(t, &at, &mut slope);
        let mut g = Mat::zeros(self.rows, self.cols);
        self.entries.iter().zip(&self.place).for_each(|(e, &k)| g[*e] = slope[k]);
        (value, g)
    }

    /// X + A Q from the joined unknowns: X, row and column intercepts or one for all, outliers.
    fn whole(&self, p: &Point) -> Mat {
        Mat::from_fn(self.rows, self.cols, |i, j| p.x[(i, j)] + p.a[i] + p.b[j] + p.q[(i, j)])
    }

    /// What is not smooth.
    fn rest(&self, p: &Point) -> f64 {
        let omega = p.x.clone().svd(false, false).singular_values.sum();
        self.problem.lambda * omega + OUTLIER * p.q.iter().map(|q| q.abs()).sum::<f64>()
    }

    /// A proximal step of length 1 / c from `p`, with the gradient `g` in X.
    fn step(&self, p: &Point, g: &Mat, c: f64) -> Point {
        let mut next = p.clone();
        next.x -= g / c;
        let t = self.problem.lambda / c;
        let mut svd = next.x.clone().svd(true, true);
        svd.singular_values.iter_mut().for_each(|s| *s = (*s - t).max(0.0));
        next.x = svd.recompose().unwrap();
        match (self.extras, self.kind.targets) {
            ("intercepts", TargetKind::Real) => {
                (0..self.rows).for_each(|i| next.a[i] -= g.row(i).sum() / c);
                (0..self.cols).for_each(|j| next.b[j] -= g.column(j).sum() / c);
            }
            ("intercepts", TargetKind::Classes) => (0..self.cols).for_each(|j| next.b[j] -= g.column(j).sum() / c),
            // one for all, as an equal shift of the rows' values
            ("intercepts", _) => next.a.iter_mut().for_each(|a| *a -= g.sum() / c),
            ("outliers", _) => {
                let soft = |q: f64| q.signum() * (q.abs() - OUTLIER / c).max(0.0);
                next.q = (&p.q - g / c).zip_map(&self.kept, |q, k| if k > 0.0 { soft(q) } else { 0.0 });
            }
            _ => {}
        }
        next
    }

    /// Accelerated proximal gradient with backtracking and restarts: a feasible value, close to the least one.
    fn twin(&self) -> f64 {
        let mut p = Point {
            x: Mat::zeros(self.rows, self.cols),
            a: vec![0.0; self.rows],
            b: vec![0.0; self.cols],
            q: Mat::zeros(self.rows, self.cols),
        };
        let (mut ahead, mut momentum, mut c) = (p.clone(), 1.0, 0.1);
        let mut value = self.loss(&self.whole(&p)).0 + self.rest(&p);
        let mut best = value;
        for _ in 0..4000 {
            let (here, g) = self.loss(&self.whole(&ahead));
            let (next, reached) = loop {
                let next = self.step(&ahead, &g, c);
                let reached = self.loss(&self.whole(&next)).0;
                let (inner, square) = ahead.difference(
                    &next,
                    &g,
                    self.extras == "intercepts"
                        && self.kind.targets != TargetKind::Real
                        && self.kind.targets != TargetKind::Classes,
                );
                if reached <= here + inner + 0.5 * c * square + 1e-13 * here.abs() || c > 1e9 {
                    break (next, reached);
                }
                c *= 1.5;
            };
            let reached = reached + self.rest(&next);
            if reached > value {
                momentum = 1.0;
            }
            let following = (1.0 + f64::sqrt(1.0 + 4.0 * momentum * momentum)) / 2.0;
            ahead = next.ahead_of(&p, (momentum - 1.0) / following);
            (p, value, momentum) = (next, reached, following);
            best = best.min(value);
            c *= 0.999;
        }
        best
    }
}

/// The convex problem with Omega as a sum of norms. Unknowns: w_k, then their norms s_k, then Q, then the sizes of outliers, then the
/// observed entries of X + A Q.
struct Conic<'a> {
    instance: &'a Instance,
    atoms: Vec<Vec<f64>>,
    /// Whether the atoms are columns of U, so that w_k is a v.
    across: bool,
    /// The entries that each coefficient of Q adds to.
    q: Vec<Vec<usize>>,
    outliers: usize,
}

impl<'a> Conic<'a> {
    fn new(i: &'a Instance) -> Self {
        let across = i.gauges == "l1 x l2";
        let atoms = if across {
            (0..i.rows).map(|k| (0..i.rows).map(|j| f64::from(u8::from(j == k))).collect()).collect()
        } else {
            let angle = |k: usize| std::f64::consts::FRAC_PI_2 * k as f64 / (DIRECTIONS - 1) as f64;
            (0..DIRECTIONS).map(|k| vec![angle(k).cos().max(0.0), angle(k).sin()]).collect()
        };
        let group = |axis: Option<usize>, at: usize| -> Vec<usize> {
            let inside = |&e: &usize| axis.is_none_or(|a| [i.entries[e].0, i.entries[e].1][a] == at);
            (0..i.entries.len()).filter(inside).collect()
        };
        let lines = |a: Option<usize>| a.map_or(1, |a| [i.rows, i.cols][a]);
        let mut q: Vec<Vec<usize>> = i.axes.iter().flat_map(|&a| (0..lines(a)).map(move |at| group(a, at))).collect();
        let outliers = if i.extras == "outliers" { i.entries.len() } else { 0 };
        q.extend((0..outliers).map(|e| vec![e]));
        Self { instance: i, atoms, across, q, outliers }
    }

    /// Length of w_k.
    fn length(&self) -> usize {
        if self.across { self.instance.cols } else { self.instance.rows }
    }

    fn norms(&self) -> usize {
        self.atoms.len() * self.length()
    }

    /// The coefficient of w at entry e for atom k, and its place.
    fn weight(&self, k: usize, e: usize) -> (usize, f64) {
        let (i, j) = self.instance.entries[e];
        let (a, w) = if self.across { (i, j) } else { (j, i) };
        (k * self.length() + w, self.atoms[k][a])
    }

    /// X + A Q at the observed entries, from w and Q.
    fn predict(&self, w: &[f64], q: &[f64]) -> Vec<f64> {
        let mut x: Vec<f64> = (0..self.instance.entries.len())
            .map(|e| (0..self.atoms.len()).map(|k| self.weight(k, e)).map(|(at, a)| a * w[at]).sum())
            .collect();
        self.q.iter().zip(q).for_each(|(group, q)| group.iter().for_each(|&e| x[e] += q));
        x
    }

    fn matrix(&self, x: &[f64]) -> Mat {
        let mut out = Mat::zeros(self.instance.rows, self.instance.cols);
        self.instance.entries.iter().zip(x).for_each(|(e, x)| out[*e] = *x);
        out
    }

    fn gradient(&self, x: &[f64]) -> Vec<f64> {
        let g = self.instance.loss(&self.matrix(x)).1;
        self.instance.entries.iter().map(|e| g[*e]).collect()
    }

    /// The objective at a feasible point.
    fn value(&self, w: &[f64], q: &[f64]) -> f64 {
        let omega: f64 = w.chunks(self.length()).map(|w| w.iter().map(|x| x * x).sum::<f64>().sqrt()).sum();
        let h: f64 = q[self.q.len() - self.outliers..].iter().map(|q| q.abs()).sum();
        self.instance.loss(&self.matrix(&self.predict(w, q))).0 + self.instance.problem.lambda * omega + OUTLIER * h
    }

    /// The quadratic model of the loss at x with curvature raised by `damping`, and the rest: minimised. (w, Q) and the model's value
    /// less that of the loss at x.
    fn step(&self, x: &[f64], damping: f64) -> (Vec<f64>, Vec<f64>, f64) {
        let n = x.len();
        let (norms, q_at) = (self.norms(), self.norms() + self.atoms.len());
        let (sizes, x_at) = (q_at + self.q.len(), q_at + self.q.len() + self.outliers);
        let total = x_at + n;
        let g = self.gradient(x);
        let mut hessian = Mat::zeros(n, n);
        for e in 0..n {
            let moved = |by: f64| {
                let mut x = x.to_vec();
                x[e] += by;
                self.gradient(&x)
            };
            let (up, down) = (moved(1e-5), moved(-1e-5));
            (0..n).for_each(|f| hessian[(e, f)] = (up[f] - down[f]) / 2e-5);
        }
        let hessian = (&hessian + hessian.transpose()) * 0.5 + Mat::identity(n, n) * damping;
        let mut linear = vec![0.0; total];
        (0..self.atoms.len()).for_each(|k| linear[norms + k] = self.instance.problem.lambda);
        (0..self.outliers).for_each(|e| linear[sizes + e] = OUTLIER);
        let pull = &hessian * Mat::from_column_slice(n, 1, x);
        (0..n).for_each(|e| linear[x_at + e] = g[e] - pull[e]);
        let (mut hi, mut hj, mut hv) = (Vec::new(), Vec::new(), Vec::new());
        for f in 0..n {
            for e in (0..=f).filter(|&e| hessian[(e, f)] != 0.0) {
                hi.push(x_at + e);
                hj.push(x_at + f);
                hv.push(hessian[(e, f)]);
            }
        }
        // rows: what the entries are, w >= 0, |outliers| <= sizes, then ||w_k|| <= s_k
        let (mut ai, mut aj, mut av) = (Vec::new(), Vec::new(), Vec::new());
        let mut put = |i: usize, j: usize, v: f64| {
            if v != 0.0 {
                ai.push(i);
                aj.push(j);
                av.push(v);
            }
        };
        for e in 0..n {
            put(e, x_at + e, 1.0);
            (0..self.atoms.len()).map(|k| self.weight(k, e)).for_each(|(at, a)| put(e, at, -a));
        }
        for (k, group) in self.q.iter().enumerate() {
            group.iter().for_each(|&e| put(e, q_at + k, -1.0));
        }
        let mut row = n;
        let mut cones: Vec<SupportedConeT<f64>> = vec![ZeroConeT(n)];
        if !self.across {
            (0..norms).for_each(|k| put(row + k, k, -1.0));
            cones.push(NonnegativeConeT(norms));
            row += norms;
        }
        if self.outliers > 0 {
            for (s, sign) in [(0, 1.0), (1, -1.0)] {
                for e in 0..self.outliers {
                    put(row + s * self.outliers + e, sizes + e, -1.0);
                    put(row + s * self.outliers + e, sizes - self.outliers + e, sign);
                }
            }
            cones.push(NonnegativeConeT(2 * self.outliers));
            row += 2 * self.outliers;
        }
        for k in 0..self.atoms.len() {
            put(row, norms + k, -1.0);
            (0..self.length()).for_each(|l| put(row + 1 + l, k * self.length() + l, -1.0));
            cones.push(SecondOrderConeT(1 + self.length()));
            row += 1 + self.length();
        }
        let p = CscMatrix::new_from_triplets(total, total, hi, hj, hv);
        let a = CscMatrix::new_from_triplets(row, total, ai, aj, av);
        let exact = 1e-11;
        let settings = DefaultSettings {
            verbose: false,
            tol_gap_abs: exact,
            tol_gap_rel: exact,
            tol_feas: exact,
            ..DefaultSettings::default()
        };
        let mut solver = DefaultSolver::new(&p, &linear, &a, &vec![0.0; row], &cones, settings).unwrap();
        solver.solve();
        let found = &solver.solution.x;
        let sign = |w: &f64| if self.across { *w } else { w.max(0.0) };
        let (w, q) = (found[..norms].iter().map(sign).collect::<Vec<_>>(), found[q_at..sizes].to_vec());
        let d: Vec<f64> = self.predict(&w, &q).iter().zip(x).map(|(a, b)| a - b).collect();
        let d = Mat::from_column_slice(n, 1, &d);
        let here = self.instance.loss(&self.matrix(x)).0;
        let there = self.value(&w, &q) - self.instance.loss(&self.matrix(&self.predict(&w, &q))).0;
        let model =
            there + here + d.iter().zip(&g).map(|(d, g)| d * g).sum::<f64>() + 0.5 * (d.transpose() * &hessian * &d)[0];
        (w, q, model)
    }

    /// Newton steps, damped until the model keeps what it promises: a feasible value, close to the least one.
    fn twin(&self) -> f64 {
        let (mut w, mut q) = (vec![0.0; self.norms()], vec![0.0; self.q.len()]);
        let mut value = self.value(&w, &q);
        let mut damping = 1e-3;
        for _ in 0..100 {
            let (trial_w, trial_q, model) = self.step(&self.predict(&w, &q), damping);
            let reached = self.value(&trial_w, &trial_q);
            let (promised, got) = (value - model, value - reached);
            if promised <= 1e-10 * value.abs().max(1.0) {
                break;
            }
            if got > 0.0 {
                (w, q, value) = (trial_w, trial_q, reached);
            }
            damping = if got < 0.25 * promised { 10.0 * damping } else { damping / 5.0 };
        }
        value
    }
}

/// The unknowns of the convex problem.
#[derive(Clone)]
struct Point {
    x: Mat,
    a: Vec<f64>,
    b: Vec<f64>,
    q: Mat,
}

impl Point {
    fn ahead_of(&self, old: &Self, beta: f64) -> Self {
        let ahead = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + beta * (a - b)).collect();
        Self {
            x: &self.x + (&self.x - &old.x) * beta,
            a: ahead(&self.a, &old.a),
            b: ahead(&self.b, &old.b),
            q: &self.q + (&self.q - &old.q) * beta,
        }
    }

    /// <gradient, next - self> and ||next - self||^2 over the unknowns (equal `a` counts once if `shared`).
    fn difference(&self, next: &Self, g: &Mat, shared: bool) -> (f64, f64) {
        let (dx, dq) = (&next.x - &self.x, &next.q - &self.q);
        let mut inner = g.dot(&dx) + g.dot(&dq);
        let mut square = dx.norm_squared() + dq.norm_squared();
        for (i, (a, b)) in next.a.iter().zip(&self.a).enumerate() {
            inner += g.row(i).sum() * (a - b);
            if !shared || i == 0 {
                square += (a - b).powi(2);
            }
        }
        for (j, (a, b)) in next.b.iter().zip(&self.b).enumerate() {
            inner += g.column(j).sum() * (a - b);
            square += (a - b).powi(2);
        }
        (inner, square)
    }
}

#[test]
fn bounds_stay_below_the_twin_and_meet_it_where_the_polar_is_exact() {
    let (mut count, mut zero) = (0, 0);
    for mut i in Instance::all() {
        let c = i.certificate();
        let label = i.label();
        let (total, bound) = (c.objective.total, c.lower_bound.unwrap_or_else(|| panic!("{label}: no bound")));
        let twin = if i.gauges == "l2 x l2" { i.twin() } else { Conic::new(&i).twin() };
        claim(&label, total, bound, twin).unwrap();
        count += 1;
        zero += usize::from(c.rank == 0);
    }
    // classes have no outliers
    let classes = loss::KINDS.iter().filter(|k| k.targets == TargetKind::Classes).count();
    assert_eq!(count, 2 * GAUGES.len() * (EXTRAS.len() * loss::KINDS.len() - classes));
    assert!(4 * zero <= count, "{zero} of {count} instances are solved by X = 0");
}

/// What is said of the optimum, held against a value that is attained and nearly the least.
fn claim(label: &str, total: f64, bound: f64, twin: f64) -> Result<(), String> {
    let scale = twin.abs().max(1.0);
    if bound > total || bound > twin + 1e-12 * scale {
        return Err(format!("{label}: the bound {bound} overstates, {twin} and {total} are attained"));
    }
    if (total - twin).abs() > 1e-5 * scale || total - bound > 1e-5 * scale {
        return Err(format!("{label}: {bound} of {total}, the twin has {twin}"));
    }
    Ok(())
}

#[test]
fn a_claim_that_is_off_is_seen() {
    assert!(claim("right", 1.0, 1.0 - 1e-6, 1.0 + 1e-6).is_ok());
    for (total, bound) in [(1.0, 1.0 - 2e-5), (1.0 + 2e-5, 1.0), (1.0, 1.0 + 1e-9), (1.0 - 1e-6, 1.0 - 5e-7)] {
        assert!(claim("wrong", total, bound, 1.0).is_err(), "{total} and {bound}");
    }
}

#[test]
fn the_dual_field_of_any_point_is_inside_the_domain() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for mut i in Instance::all() {
        let n = i.problem.y.len();
        if i.kind.targets != TargetKind::Classes {
            i.problem.w = Some((0..n).map(|_| rng.random_range(0.1..3.0)).collect());
        }
        for _ in 0..20 {
            let prediction: Vec<f64> = (0..n).map(|_| rng.random_range(-6.0..6.0)).collect();
            let z = i.problem.dual_field(&prediction);
            let value = i.problem.loss.dual_lower(i.problem.targets(), &z).value;
            assert!(value.is_finite(), "{}: {z:?}", i.label());
        }
    }
}

#[test]
fn the_splitting_relaxation_reaches_the_domain_of_every_loss() {
    for mut i in Instance::all() {
        let rung = relax::nuclear_split::NuclearSplit;
        if i.gauges != "nonnegative" || !rung.applies(&i.problem) {
            continue;
        }
        let total = i.certificate().objective.total;
        let goal = relax::Goal { objective: total, target: 1e-6, start: None, last: None };
        let mut keeper = Keeper::new();
        rung.offer(&i.problem, goal, Effort::Default, &Budget::unlimited(), &mut keeper);
        let bound = keeper.value().unwrap_or_else(|| panic!("{}: no bound", i.label()));
        assert!(bound <= total, "{}: {bound} above {total}", i.label());
        // terms of a count may cancel: what an entry costs is of size 1
        let scale = total.abs().max(i.problem.y.len() as f64);
        assert!(total - bound <= 0.02 * scale, "{}: {bound} of {total}", i.label());
    }
}

/// Proves the witness of an instance after `spoil` has changed it: what is said, and the value attained.
fn spoilt(extras: &'static str, kind: &'static Kind, spoil: impl Fn(&Instance, &mut Vec<f64>)) -> (Option<f64>, f64) {
    let mut i = Instance::new(kind, "l2 x l2", extras, true, 7).unwrap();
    let c = i.certificate();
    let mut z = c.witness.unwrap().arrays[0].1.clone();
    spoil(&i, &mut z);
    (prove(&i.problem, &DualPoint::field("test", z)).map(|p| p.value), c.objective.total)
}

#[test]
fn a_dual_point_that_misses_an_equality_or_leaves_the_domain_proves_nothing() {
    // as it is, it does prove
    for extras in EXTRAS {
        let (value, total) = spoilt(extras, &loss::huber::KIND, |_, _| {});
        assert!((value.unwrap() - total).abs() <= 1e-5 * total, "{extras}");
    }
    // one sum is off by a thousandth: what is missing is made up, and paid for
    let (value, total) = spoilt("intercepts", &loss::huber::KIND, |_, z| z[0] += 1e-3);
    assert!(value.is_some_and(|v| v < total - 1e-5 && v > 0.9 * total), "{value:?} of {total}");
    // the more, the dearer
    let (value, total) = spoilt("intercepts", &loss::huber::KIND, |_, z| z[0] += 10.0);
    assert!(value.is_none_or(|v| v < 0.5 * total), "{value:?} of {total}");
    // beyond the end of the domain, of the loss and of the outliers
    let (value, total) = spoilt("no extra", &loss::huber::KIND, |_, z| z[0] = 0.5 * (1.0 + 1e-9));
    assert!(value.is_none_or(|v| v <= total));
    let (value, total) = spoilt("outliers", &loss::squared::KIND, |_, z| z[0] = OUTLIER * 4.0);
    assert!(value.is_none_or(|v| v <= total));
}

/// What is added to an instance without extra variables: kinds with their axes and penalties; covariates have two whole numbers per
/// line.
type Added = (&'static extra::Kind, Option<usize>, Penalty);

fn added(kind: &'static Kind, masked: bool, blocks: &[Added]) -> Instance {
    let mut i = Instance::new(kind, "l2 x l2", "no extra", masked, 3).unwrap();
    let at = &i.problem.observations;
    let side = |axis: usize| {
        Mat::from_fn([i.rows, i.cols][axis], 2, |l, k| [1.0, 3.0, 2.0, 5.0, 1.0, 4.0, 1.0][(l + 3 * k) % 7])
    };
    let block = |(k, axis, penalty): &Added| {
        let side = axis.filter(|_| k.side).map(side);
        let sizes = [i.rows, i.cols];
        let map = (k.build)(&extra::Setup { observations: at, sizes: &sizes, axis: *axis, side: side.as_ref() });
        Block { map, penalty: *penalty, profiled: false }
    };
    let rows: Vec<u32> = at.entries().map(|e| e.0 as u32).collect();
    let profiled = Profiled { inner: Arc::from(kind.example(&rows)), lo: f64::NEG_INFINITY, hi: f64::INFINITY };
    i.problem.extras = Extras { blocks: blocks.iter().map(block).collect(), profiled: Some(profiled.clone()) };
    i.problem.loss = Box::new(profiled);
    i
}

fn real_losses() -> impl Iterator<Item = &'static Kind> {
    loss::KINDS.iter().copied().filter(|k| k.targets == TargetKind::Real)
}

/// What a free block can fit changes nothing, however large it is; an equality that a dual point misses by rounding is then worth more
/// than all the rest.
#[test]
fn large_shifts_that_free_extras_fit_do_not_lift_the_bound() {
    const INTERCEPT: &extra::Kind = &extra::intercept::KIND;
    const COVARIATES: &extra::Kind = &extra::covariates::KIND;
    let free = |of: &[(&'static extra::Kind, usize)]| -> Vec<Added> {
        of.iter().map(|(k, a)| (*k, Some(*a), Penalty::None)).collect()
    };
    let sets = [
        free(&[(INTERCEPT, 0)]),
        free(&[(INTERCEPT, 0), (INTERCEPT, 1)]),
        free(&[(COVARIATES, 0)]),
        free(&[(COVARIATES, 0), (INTERCEPT, 0)]),
        free(&[(COVARIATES, 0), (COVARIATES, 1), (INTERCEPT, 0)]),
    ];
    for kind in real_losses() {
        for (number, set) in sets.iter().enumerate() {
            let mut i = added(kind, number % 2 == 1, set);
            let grid = 2f64.powi(20);
            i.problem.y.iter_mut().for_each(|y| *y = (*y * grid).round() / grid);
            let c = i.certificate();
            let label = format!("{}, set {number}", kind.name);
            let (total, bound) = (c.objective.total, c.lower_bound.unwrap_or_else(|| panic!("{label}: no bound")));
            assert!(total - bound <= 1e-5 * total, "{label}: {bound} of {total}");
            let z = c.witness.unwrap().arrays[0].1.clone();
            // whole numbers of grid steps all along: the optimum is the same
            for b in &i.problem.extras.blocks {
                let q: Vec<f64> = (0..b.len()).map(|k| 2f64.powi(26) * (1 + k % 3) as f64).collect();
                b.map.add(&q, &mut i.problem.y);
            }
            for off in [0.0, 1e-12, -1e-12] {
                let mut z = z.clone();
                z[0] += off;
                let value = prove(&i.problem, &DualPoint::field("test", z)).map(|p| p.value);
                assert!(value.is_none_or(|v| v <= total), "{label}: {value:?} above {total} with a sum off by {off}");
                // what is exact on a grid loses little; a correction is paid for in proportion to what it could be worth
                let grouped = i.problem.extras.blocks.iter().all(|b| b.map.index().is_some());
                assert!(!grouped || value.is_some_and(|v| v >= bound - 1e-3), "{label}: {value:?} of {bound}");
            }
            // a correction that lambda has nothing left for is not made
            if kind.name == "squared" && c.rank > 0 && !i.problem.extras.corrected().is_empty() {
                let mut z = z.clone();
                z[0] += 1e-8;
                assert_eq!(prove(&i.problem, &DualPoint::field("test", z)), None, "{label}");
            }
        }
    }
}

/// A dual point that is too large is scaled back, by one factor that serves the polar and every penalty.
#[test]
fn a_dual_point_beyond_the_polar_or_a_penalty_is_scaled_back() {
    const INTERCEPT: &extra::Kind = &extra::intercept::KIND;
    for kind in real_losses() {
        for penalty in
            [Penalty::L1(0.2), Penalty::L2(0.4), Penalty::L2Squared(0.5), Penalty::None, Penalty::Nonnegative]
        {
            for lambda in [0.5, 100.0] {
                let mut i = added(kind, true, &[(INTERCEPT, Some(0), penalty)]);
                i.problem.lambda = lambda;
                let c = i.certificate();
                let label = format!("{}, {penalty:?}, lambda {lambda}", kind.name);
                let (total, bound) = (c.objective.total, c.lower_bound.unwrap_or_else(|| panic!("{label}: no bound")));
                assert!(total - bound <= 1e-5 * total, "{label}: {bound} of {total}");
                let z: Vec<f64> = c.witness.as_ref().unwrap().arrays[0].1.iter().map(|z| 1.1 * z).collect();
                let value = prove(&i.problem, &DualPoint::field("test", z)).map(|p| p.value);
                let value = value.unwrap_or_else(|| panic!("{label}: nothing is proven"));
                assert!(value <= total, "{label}: {value} above {total}");
                assert!(total - value <= 1e-5 * total, "{label}: {value} of {total}");
            }
        }
    }
}

#[test]
fn outliers_end_the_domain_where_their_weight_does() {
    let one = || -> Arc<dyn Loss> { Arc::from(loss::squared::KIND.example(&[0])) };
    let t = Targets { y: &[3.0], w: None };
    let both = Profiled { inner: one(), lo: -OUTLIER, hi: OUTLIER };
    let above = Profiled { inner: one(), lo: f64::NEG_INFINITY, hi: 0.0 };
    for (loss, inside, outside) in
        [(&both, OUTLIER, OUTLIER.next_up()), (&both, -OUTLIER, -OUTLIER.next_up()), (&above, 0.0, 1e-300)]
    {
        assert!(loss.dual_lower(t, &[inside]).value.is_finite());
        assert_eq!(loss.dual_lower(t, &[outside]).value, f64::NEG_INFINITY, "{outside:e}");
    }
}
