//! Wide networks solved unit by unit, where that has the same optimum.
//!
//! ```text
//! one hidden layer    ||A||_F ||B||_F >= sum_j ||a_j|| ||b_j||          h units cost no less in one network than in h of them
//! linear, any depth   prod_k ||X^k||_F >= ||X^1 .. X^K||_*              singular vectors, one unit per layer
//! ```
//!
//! So the problem is solved for networks of two layers with one hidden unit. Balanced units (||a_j|| = ||b_j||) of one hidden layer
//! cost in one network what they cost alone: as many as fit go together again.

use super::checkpoint::Checkpoint;
use super::descent::{self, Descent};
use super::observer::{Iteration, Observer};
use super::options::SolverOptions;
use super::{Solution, Warm};
use crate::gauge::{Gauge, WEIGHT_RANGE, l2::L2};
use crate::linalg::{Mat, dense};
use crate::mapping::{Factors, Layers, Mapping, Setup, put_chain, relu, relu_deep};
use crate::polar::layers::{Weights, plain};
use crate::polar::neurons;
use crate::problem::{Problem, Regularizer};

/// The mapping and the regularizer that a problem is solved without.
struct Wide {
    mapping: Box<dyn Mapping>,
    regularizer: Regularizer,
    shape: (usize, usize),
    /// Units of a network.
    width: usize,
}

/// The layers and weights of a network that has a narrow form; none whose weights leave their range when they are multiplied.
fn narrows(problem: &Problem) -> Option<(&Layers, Weights)> {
    let layers = plain(problem)?;
    let weights = Weights::new(problem, layers);
    let fits = (layers.is_linear() && weights.exact) || neurons::applies(problem);
    let narrow = layers.widths == [1] && layers.activation.slope() != 0.0;
    let in_range = weights.joined_outputs().iter().all(|w| WEIGHT_RANGE.contains(w));
    (fits && !narrow && in_range).then_some((layers, weights))
}

/// Lengths of the columns that the problem is solved in.
pub(super) fn factor_rows(problem: &Problem) -> Vec<usize> {
    match narrows(problem) {
        Some((_, w)) => vec![w.inputs.len(), w.outputs.len()],
        None => problem.factor_rows(),
    }
}

/// What `solve` makes of the problem in its narrow form, if it has one: wide again.
pub(super) fn solved(
    problem: &mut Problem,
    options: &SolverOptions,
    start: Warm,
    observer: &mut dyn Observer,
    solve: impl FnOnce(&mut Problem, &SolverOptions, Warm, &mut dyn Observer) -> Solution,
) -> Solution {
    match Wide::narrow(problem) {
        Some(wide) => wide.solved(problem, options, start, observer, solve),
        None => solve(problem, options, start, observer),
    }
}

/// The descents that apply to the problem in the form that it is solved in.
pub(super) fn descents(problem: &mut Problem) -> Vec<&'static dyn Descent> {
    let wide = Wide::narrow(problem);
    let all = descent::applicable(problem).collect();
    if let Some(wide) = wide {
        wide.restore(problem);
    }
    all
}

impl Wide {
    /// Makes the problem narrow.
    fn narrow(problem: &mut Problem) -> Option<Self> {
        let (layers, weights) = narrows(problem)?;
        let (shape, inputs) = (problem.shape(), problem.mapping.inputs().expect("a network"));
        let width = if layers.widths.len() == 1 { layers.widths[0] } else { 1 };
        let activation = layers.activation;
        let one = Layers::new(vec![1], activation);
        let kind = if activation.slope() == 0.0 { &relu::KIND } else { &relu_deep::KIND };
        let setup = Setup { sizes: &[shape.0, shape.1], inputs: Some(inputs), layers: Some(&one) };
        let mapping = (kind.build)(&setup);
        // rounded down: what bounds the polar of the narrow problem bounds that of the wide one
        let outputs = weights.joined_outputs();
        let gauges = [weights.inputs, outputs].map(|w| {
            let w = Some(w).filter(|w| w.iter().any(|x| *x != 1.0));
            Gauge::new(Box::new(L2), w, None).expect("no cone")
        });
        let regularizer = Regularizer { form: problem.regularizer.form, gauges: gauges.into() };
        Some(Self {
            mapping: std::mem::replace(&mut problem.mapping, mapping),
            regularizer: std::mem::replace(&mut problem.regularizer, regularizer),
            shape,
            width,
        })
    }

    /// Solves the narrow problem and makes it wide again.
    fn solved(
        self,
        problem: &mut Problem,
        options: &SolverOptions,
        start: Warm,
        observer: &mut dyn Observer,
        solve: impl FnOnce(&mut Problem, &SolverOptions, Warm, &mut dyn Observer) -> Solution,
    ) -> Solution {
        let options =
            SolverOptions { max_rank: options.max_rank.map(|r| r.saturating_mul(self.width)), ..options.clone() };
        let start = Warm { factors: start.factors.map(|x| self.units(&x)), found: None, ..start };
        let mut solution = solve(problem, &options, start, &mut Networks { width: self.width, inner: observer });
        problem.regularizer.balance(&mut solution.factors);
        solution.factors = self.networks(&solution.factors);
        self.restore(problem);
        problem.regularizer.balance(&mut solution.factors);
        solution
    }

    /// Makes the problem wide again.
    fn restore(self, problem: &mut Problem) {
        problem.mapping = self.mapping;
        problem.regularizer = self.regularizer;
    }

    /// The units of networks: of linear ones the singular vectors of their products.
    fn units(&self, x: &Factors) -> Factors {
        let layers = self.mapping.layers().expect("a network of layers");
        let (d, q) = (self.mapping.inputs().expect("a network").ncols(), self.shape.1);
        let mut out = Factors::empty(&[d, q]);
        for i in 0..x.rank() {
            // X^1 .. X^(K-1), and X^K
            let weights: Vec<Mat> = (x.0.iter().zip(layers.shapes(d, q)))
                .map(|(x, (d, h))| Mat::from_column_slice(h, d, x.column(i).as_slice()).transpose())
                .collect();
            let (last, first) = weights.split_last().expect("two layers at least");
            let first = first[1..].iter().fold(first[0].clone(), |a, b| dense::mul(&a, b));
            let units = if layers.is_linear() {
                let Some((left, s, right)) = dense::thin_svd(&dense::mul(&first, last)) else { continue };
                let root = |x: &Mat| Mat::from_fn(x.nrows(), s.len(), |a, j| x[(a, j)] * s[j].sqrt());
                vec![root(&left), root(&right)]
            } else {
                vec![first, last.transpose()]
            };
            let mut units = Factors(units);
            let live = |j: usize| units.0.iter().all(|x| x.column(j).norm_squared() > 0.0);
            let flags: Vec<bool> = (0..units.rank()).map(live).collect();
            units.keep(&flags);
            out.append(&units);
        }
        out
    }

    /// Networks of balanced units: as many together as fit one hidden layer, chains of one unit per layer where there are more.
    fn networks(&self, units: &Factors) -> Factors {
        let layers = self.mapping.layers().expect("a network of layers");
        let rows = self.mapping.factor_rows(self.shape);
        let mut x = Factors(rows.iter().map(|&d| Mat::zeros(d, units.rank().div_ceil(self.width))).collect());
        for j in 0..units.rank() {
            let (i, b) = (j / self.width, j % self.width);
            let (u, v) = (units.0[0].column(j), units.0[1].column(j));
            put_chain(&mut x, i, (b, layers.widths[0]), u.as_slice(), |_| 1.0, v.as_slice());
        }
        x
    }
}

/// Tells of networks where units are solved for.
struct Networks<'a> {
    width: usize,
    inner: &'a mut dyn Observer,
}

impl Observer for Networks<'_> {
    fn iteration(&mut self, i: &Iteration) {
        self.inner.iteration(&Iteration { rank: i.rank.div_ceil(self.width), ..i.clone() });
    }

    fn progress(&mut self, what: &str) {
        self.inner.progress(what);
    }

    fn wants_checkpoint(&self, last: bool) -> bool {
        self.inner.wants_checkpoint(last)
    }

    fn checkpoint(&mut self, state: Checkpoint) {
        self.inner.checkpoint(state);
    }
}
