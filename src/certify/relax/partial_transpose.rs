//! Arrays of order K >= 3 with plain l2 gauges: the lift that a partial transpose leaves alone, for a grouping of the indices.
//!
//! ```text
//! Omega_rel(X) = min 1/2 (tr A + tr B)    [[A, X], [X', B]] psd,  B = B^T2        X as a p x (m n) matrix, B of order m n
//! max <Z, Y> - ||Z||^2 / 2                [[0, Z], [Z', G]] <= lambda I,  G = -G^T2
//! ```
//!
//! a (c (x) b)' has the lift A = a a', B = (c (x) b)(c (x) b)', which is feasible. Tight up to duality where m or n is 2 (and
//! K = 3), since biquadratic forms that are nonnegative are then sums of squares; elsewhere the groupings differ, and the next
//! is tried while the goal is not met. With b and c in orthants also B >= 0, and X >= 0 if a is in one: a second rung. By
//! alternating directions, `relax::bordered`.

use super::bordered::{self, Admm, Block};
use super::oriented::Oriented;
use super::{Goal, Relaxation, source, steps};
use crate::budget::Budget;
use crate::certify::Effort;
use crate::certify::dual::transposes::columns_in_orthant;
use crate::certify::dual::{DualPoint, Keeper, Kind, Transposes, plain_lambda};
use crate::polar::grouping::Grouping;
use crate::problem::Problem;

/// Without the signs of the factors.
#[derive(Debug)]
pub struct PartialTranspose;

/// With the signs of the factors of the columns.
#[derive(Debug)]
pub struct PartialTransposeNonnegative;

/// Longest m n.
const SIDE_LIMIT: usize = 450;
/// Most entries of a field.
const FIELD_LIMIT: usize = 4_000_000;
/// Groupings tried.
const TRIED: usize = 3;

/// The groupings that are affordable, cheapest first.
fn groupings(problem: &Problem) -> Vec<Grouping> {
    let entries = problem.shape().0 * problem.shape().1;
    if problem.mapping.name() != "cp"
        || !problem.loss.is_quadratic()
        || plain_lambda(problem).is_none()
        || problem.extras.explicit().next().is_some()
        || entries > FIELD_LIMIT
    {
        return Vec::new();
    }
    let mut all = Grouping::all(&problem.factor_rows());
    all.retain(|g| g.shape().1 <= SIDE_LIMIT);
    // the order of the eigenproblem: the rows count once the columns are fewer
    all.sort_by_key(|g| g.shape().1 + g.shape().0.min(g.shape().1));
    all.truncate(TRIED);
    all
}

/// Flops of all groupings tried.
fn flops(problem: &Problem, effort: Effort) -> f64 {
    let cost = |g: &Grouping| bordered::cost(g.shape(), g.shape().1);
    groupings(problem).iter().map(|g| steps(effort, 0.1 * cost(g)) as f64 * cost(g)).sum()
}

impl Relaxation for PartialTranspose {
    fn name(&self) -> &'static str {
        "partial_transpose"
    }

    fn describe(&self) -> &'static str {
        "lift of an array that is its own partial transpose, without the cones, by alternating directions"
    }

    fn applies(&self, problem: &Problem) -> bool {
        !groupings(problem).is_empty()
    }

    fn needs_point(&self) -> bool {
        true
    }

    fn flops(&self, problem: &Problem, effort: Effort) -> f64 {
        flops(problem, effort)
    }

    fn offer(&self, problem: &Problem, goal: Goal, effort: Effort, budget: &Budget, keeper: &mut Keeper) {
        for g in groupings(problem) {
            let Some(o) = Oriented::grouped(problem, goal.start, &g) else { return };
            climb(
                problem,
                &source(self),
                &g,
                &o.without_signs(),
                Block::Antisymmetric(&g),
                goal,
                effort,
                budget,
                keeper,
            );
            if goal.met(keeper.value()) || budget.exhausted() {
                return;
            }
        }
    }
}

impl Relaxation for PartialTransposeNonnegative {
    fn name(&self) -> &'static str {
        "partial_transpose_nonnegative"
    }

    fn describe(&self) -> &'static str {
        "lift of an array that is its own partial transpose, nonnegative where the factors are, by alternating directions"
    }

    fn applies(&self, problem: &Problem) -> bool {
        groupings(problem).iter().any(|g| columns_in_orthant(problem, g))
    }

    fn needs_point(&self) -> bool {
        true
    }

    fn flops(&self, problem: &Problem, effort: Effort) -> f64 {
        flops(problem, effort)
    }

    fn offer(&self, problem: &Problem, goal: Goal, effort: Effort, budget: &Budget, keeper: &mut Keeper) {
        for g in groupings(problem).into_iter().filter(|g| columns_in_orthant(problem, g)) {
            let Some(o) = Oriented::grouped(problem, goal.start, &g) else { return };
            climb(problem, &source(self), &g, &o, Block::AntisymmetricNonnegative(&g), goal, effort, budget, keeper);
            if goal.met(keeper.value()) || budget.exhausted() {
                return;
            }
        }
    }
}

/// Alternates in one grouping, from the best point so far, and offers the best readout.
fn climb(
    problem: &Problem,
    source: &str,
    grouping: &Grouping,
    o: &Oriented,
    block: Block,
    goal: Goal,
    effort: Effort,
    budget: &Budget,
    keeper: &mut Keeper,
) {
    let best = keeper.best().map(|b| &b.point);
    let known = match best.map(|b| &b.kind) {
        Some(Kind::Transposes(t)) if t.groups == grouping.groups() => t.g.clone(),
        _ => Vec::new(),
    };
    let q = grouping.antisymmetric(&known) / o.lambda;
    let admm = Admm::new(o, block, &o.start_field(best), q);
    // no other rung is as good, so it may take ten times as long as those of matrices
    let steps = steps(effort, 0.1 * admm.cost());
    let Some((s, q)) = admm.run(o, goal, steps, budget) else { return };
    let numbers = grouping.numbers(&q);
    let n: Vec<f64> = match block {
        Block::AntisymmetricNonnegative(g) => g.symmetric(&q).data.into(),
        _ => Vec::new(),
    };
    let point = Transposes { groups: grouping.groups().to_vec(), s: o.restore(&s), g: numbers, n };
    keeper.offer(problem, &DualPoint { source: source.into(), kind: Kind::Transposes(point) });
}
