//! What a sweep of descent costs against observed entries, rank, rows and columns, each over a decade:
//! `cargo bench --bench scaling` prints one JSON object; `-- NAME` keeps to the series whose name has NAME in it.
//! `RAYON_NUM_THREADS` says on how many threads.
//!
//! The cost of a sweep is (T(LONG) - T(SHORT)) / (LONG - SHORT) with T(k) the CPU time of k sweeps from one start, so that what
//! a descent does once cancels. Every point is measured in turn, round after round, and the least of each time is kept.

#![allow(clippy::print_stdout)] // its result

#[path = "support/cpu.rs"]
mod cpu;
mod support;

use cpu::cpu_s;
use homfac::budget::Budget;
use homfac::problem::Problem;
use homfac::solve::descent::{self, Effort};
use std::collections::BTreeMap;

const SHORT: usize = 5;
const LONG: usize = 25;
const ROUNDS: usize = 5;

/// A problem and a rank, along an axis.
struct Point {
    series: &'static str,
    at: usize,
    problem: Problem,
    rank: usize,
    short_s: f64,
    long_s: f64,
}

/// Five points over a decade from `first`.
fn decade(first: usize) -> impl Iterator<Item = usize> {
    (0..5).map(move |k| (first as f64 * 10f64.powf(f64::from(k) / 4.0)).round() as usize)
}

fn points() -> Vec<Point> {
    let mut points = Vec::new();
    let mut add = |series, at, rank, problem| {
        points.push(Point { series, at, problem, rank, short_s: f64::INFINITY, long_s: f64::INFINITY });
    };
    // where entries and rank are what costs: with few of either, a sweep is the factors' own
    for entries in decade(500_000) {
        add("completion: observed entries", entries, 16, support::completion(5000, 5000, entries));
    }
    // of so many rows that factors do not fit the nearest caches
    for (name, first) in [("completion: rank", 16), ("completion: rank, higher", 32)] {
        for rank in decade(first) {
            add(name, rank, rank, support::completion(5000, 5000, 1_000_000));
        }
    }
    for side in decade(1000) {
        add("completion: rows, entries fixed", side, 10, support::completion(side, 2000, 300_000));
        add("completion: columns, entries fixed", side, 10, support::completion(2000, side, 300_000));
        add("completion: rows, 50 entries each", side, 10, support::completion(side, 2000, 50 * side));
        add("completion: columns, 50 entries each", side, 10, support::completion(2000, side, 50 * side));
    }
    for rank in decade(32) {
        add("full data: rank", rank, rank, support::nonnegative(3000, 3000));
    }
    for side in decade(300) {
        add("full data: rows", side, 20, support::nonnegative(side, 500));
        add("full data: columns", side, 20, support::nonnegative(500, side));
    }
    points
}

/// CPU seconds of so many sweeps.
fn time(point: &Point, sweeps: usize) -> f64 {
    let mut x = support::start(&point.problem, point.rank);
    let strategy = descent::choose(&point.problem, None);
    let since = cpu_s();
    strategy.descend(&point.problem, &mut x, Effort { sweeps, decrease: f64::NEG_INFINITY }, &Budget::unlimited());
    cpu_s() - since
}

fn main() {
    // run as a test, there is nothing to measure
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let mut points = points();
    if let Some(name) = std::env::args().skip(1).find(|a| !a.starts_with('-')) {
        points.retain(|p| p.series.contains(&name));
    }
    for _ in 0..ROUNDS {
        for point in &mut points {
            point.short_s = point.short_s.min(time(point, SHORT));
            point.long_s = point.long_s.min(time(point, LONG));
        }
    }
    let mut series: BTreeMap<&str, Vec<(usize, f64)>> = BTreeMap::new();
    for point in &points {
        let cost = (point.long_s - point.short_s) / (LONG - SHORT) as f64;
        series.entry(point.series).or_default().push((point.at, cost));
    }
    println!("{}", serde_json::to_string(&series).expect("numbers and names"));
}
