//! The polar of a network on a few inputs, by branch and bound over cones, [`crate::polar::cones`].

use super::{Aim, PolarBound, Upper};
use crate::budget::Budget;
use crate::polar::best_first::Found;
use crate::polar::cones::{RANK_LIMIT, search};
use crate::polar::neurons::{self, Neurons};
use crate::polar::{arcs, search as polar_search};
use crate::problem::Problem;

/// Branch and bound over cones.
#[derive(Debug)]
pub struct Cones;

/// What a bound costs that is asked for in passing, in pairs of a cone and a crossing row, and its relative width.
const WORK: f64 = 3e6;
const TOLERANCE: f64 = 1e-3;
/// Flops of such a pair, for each output.
pub const PAIR: f64 = 4.0;

impl PolarBound for Cones {
    fn name(&self) -> &'static str {
        "cones"
    }

    fn applies(&self, problem: &Problem) -> Option<bool> {
        let columns = problem.mapping.inputs().map_or(0, |v| v.ncols());
        let fits = (arcs::RANK_LIMIT + 1..=RANK_LIMIT).contains(&columns);
        (fits && neurons::applies(problem)).then_some(false)
    }

    fn upper(&self, problem: &Problem, z: &[f64]) -> Upper {
        self.upper_within(problem, z, &Budget::unlimited())
    }

    fn upper_within(&self, problem: &Problem, z: &[f64], budget: &Budget) -> Upper {
        self.upper_toward(
            problem,
            z,
            &Aim { limit: 0.0, tolerance: TOLERANCE, work: WORK, budget, seen: None, tree: None },
        )
    }

    fn upper_toward(&self, problem: &Problem, z: &[f64], aim: &Aim) -> Upper {
        let Some(n) = Neurons::new(problem, z) else {
            return Upper { value: f64::INFINITY, method: "none", exact: false };
        };
        if n.rank() <= arcs::RANK_LIMIT {
            return Upper { value: n.polar_upper(arcs::pass(&n).upper), method: "arcs", exact: true };
        }
        searched(problem, z, &n, aim, self.name(), search)
    }

    fn flops(&self, problem: &Problem) -> f64 {
        PAIR * WORK * problem.shape().1 as f64
    }

    fn describe(&self) -> &'static str {
        "inputs of rank 3 to 7: branch and bound over simplicial cones, with a bound that corrects itself"
    }
}

/// The polar by a search over directions of the inputs, which starts from what is found of it and tells the aim what it saw.
pub(super) fn searched(
    problem: &Problem,
    z: &[f64],
    n: &Neurons,
    aim: &Aim,
    method: &'static str,
    search: fn(&Neurons, &[Vec<f64>], &Aim) -> Found,
) -> Upper {
    let found = begun(problem, z, aim.budget);
    let known: Vec<Vec<f64>> =
        n.directions(problem, &found.slices).column_iter().map(|c| c.iter().copied().collect()).collect();
    // what the coordinates cost is not the search's to win back
    let aim = Aim { limit: n.in_units(aim.limit) - 2.0 * n.rounding, ..*aim };
    let reached = search(n, &known, &aim);
    if let Some(seen) = aim.seen {
        seen.replace(Some(n.slices(problem, &[reached.direction]).0));
    }
    Upper { value: n.polar_upper(reached.upper), method, exact: false }
}

/// What little of the polar a search for its bound begins with: it goes on from the best of it, and finds more as it goes.
pub(super) fn begun(problem: &Problem, z: &[f64], budget: &Budget) -> polar_search::Found {
    let default = polar_search::Effort::default();
    let brief = polar_search::Effort { starts: 24, iterations: 30, keep: 8, budget: Some(budget), ..default };
    polar_search::on_entries(problem, z, None, &brief)
}
