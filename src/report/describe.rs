//! The problem as understood, in words: for the head of the log and for `explain`.

use super::number::sci;
use crate::data::{Observations, memory};
use crate::gauge::Gauge;
use crate::polar::{LambdaMax, bound};
use crate::problem::{Form, Problem};
use crate::spec::Spec;
use crate::spec::model::{ExtraSpec, Lambda, LossSpec};
use serde::Serialize;

/// A label and what it says.
pub type Line = (&'static str, String);

/// Shape, entries, loss.
pub fn data(problem: &Problem, loss: &LossSpec) -> String {
    let (m, n) = problem.shape();
    if let Some(a) = &problem.operator {
        let weighted = if problem.w.is_some() { ", weighted" } else { "" };
        return format!("{} {m} x {n} through {} measurements{weighted}, {loss} loss", problem.mapping.name(), a.len());
    }
    let sizes: Vec<String> = match problem.factor_rows() {
        rows if rows.len() > 2 && problem.mapping.is_multilinear() => rows.iter().map(usize::to_string).collect(),
        _ => vec![m.to_string(), n.to_string()],
    };
    let observed = problem.observations.len();
    let share = 100.0 * observed as f64 / (m as f64 * n as f64);
    let weighted = if problem.w.is_some() { ", weighted" } else { "" };
    let sizes = sizes.join(" x ");
    let layers = layers(problem).map_or(String::new(), |l| format!(" of {l}, output"));
    format!("{}{layers} {sizes}, {observed} observed ({share:.3} %){weighted}, {loss}", problem.mapping.name())
}

/// Hidden layers in words.
pub fn layers(problem: &Problem) -> Option<String> {
    let layers = problem.mapping.layers()?;
    let unit = |(width, pool): (&usize, &usize)| {
        if *pool > 1 { format!("{width} (pooled by {pool})") } else { width.to_string() }
    };
    let widths: Vec<String> = layers.widths.iter().zip(&layers.pool).map(unit).collect();
    let slope = match layers.activation.slope() {
        s if layers.activation.name() == "leaky_relu" => format!(" with slope {s}"),
        _ => String::new(),
    };
    Some(format!("{} {}{slope} units", widths.join(" and "), layers.activation.name()))
}

/// A block of extra variables.
pub fn extra(e: &ExtraSpec) -> String {
    let axis = e.axis.map_or(String::new(), |a| format!(" of axis {}", a + 1));
    match e.penalty.parts() {
        ("none", _) => format!("{}{axis}, free", e.kind),
        (norm, None) => format!("{}{axis}, {norm}", e.kind),
        (norm, Some(w)) => format!("{}{axis}, {norm} times {w}", e.kind),
    }
}

/// The extra variables, if there are any.
pub fn extras(spec: &Spec) -> Option<String> {
    let all: Vec<String> = spec.extras.iter().map(extra).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// A norm, its weights, its cone.
pub fn gauge(g: &Gauge) -> String {
    let weight = if g.weights().is_some() { "weighted " } else { "" };
    let cone = g.cone().map_or(String::new(), |c| format!(" ({})", c.name()));
    format!("{weight}{}{cone}", g.norm().label())
}

/// Gauges, form, degree, lambda.
pub fn regularizer(problem: &Problem, spec: &Spec, lambda_max: &LambdaMax) -> String {
    format!("{}; {}", gauges(problem), lambda(problem, spec, lambda_max))
}

/// Gauges, form, degree.
pub fn gauges(problem: &Problem) -> String {
    let gauges: Vec<String> = problem.regularizer.gauges.iter().map(gauge).collect();
    let words = match (gauges.as_slice(), problem.regularizer.form) {
        ([one], _) => format!("square of {one}"),
        (all, Form::Product) => format!("product of {}", all.join(" x ")),
        (all, Form::Sum) if all.len() > 2 => format!("mean of powers {} of {}", all.len(), all.join(", ")),
        (all, Form::Sum) => format!("half the sum of squares of {}", all.join(", ")),
    };
    let (p, q) = (problem.mapping.degree(), problem.regularizer.degree());
    format!("{words}, degree {q} = mapping degree {p}")
}

fn lambda(problem: &Problem, spec: &Spec, lambda_max: &LambdaMax) -> String {
    let share = problem.lambda / lambda_max.found;
    match spec.lambda {
        Lambda::Relative(r) => format!("lambda {} = {r} lambda_max", sci(problem.lambda, 6)),
        Lambda::Absolute(x) if share < 1e-3 => format!("lambda {} = {share:.1e} lambda_max", plain(x)),
        Lambda::Absolute(x) if share.is_finite() => format!("lambda {} = {share:.3} lambda_max", plain(x)),
        Lambda::Absolute(x) => format!("lambda {}", plain(x)),
    }
}

/// A number as it was given, or by its power of ten where that is shorter.
fn plain(x: f64) -> String {
    if (1e-5..1e16).contains(&x) { x.to_string() } else { format!("{x:e}") }
}

/// What is to be expected of a lambda that is so small a share of lambda_max.
pub fn small_lambda(share: f64) -> String {
    format!(
        "lambda is {share:.0e} lambda_max: the answer all but interpolates, with many slices and after long; \
         `--time-limit` bounds the time"
    )
}

/// The interval that holds lambda_max.
pub fn lambda_max(l: &LambdaMax) -> String {
    let upper = l.upper.map_or("not bounded".into(), |u| format!("proven <= {}", sci(u, 10)));
    format!("found {}, {upper}", sci(l.found, 10))
}

/// Whether the certificate can close for every field.
pub fn exactness(problem: &Problem) -> String {
    if bound::is_exact(problem) {
        "exact: lower and upper ends coincide up to rounding".into()
    } else {
        "bounded, not computed: a gap may remain at the global optimum".into()
    }
}

/// An estimate of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Memory {
    /// Data and fields over it.
    pub data: f64,
    /// What proving takes.
    pub proofs: f64,
    /// Each slice, with what descent keeps of it.
    pub slice: f64,
    /// What the machine has.
    pub machine: f64,
}

/// The memory that solving and certifying need.
pub fn memory(problem: &Problem) -> Memory {
    let (m, n) = problem.shape();
    let observed = problem.observations.len() as f64;
    let index = if matches!(problem.observations, Observations::Full { .. }) { 0.0 } else { 24.0 };
    let sensed = problem.operator.as_ref().map_or(0.0, |a| a.len() as f64 * 8.0 * observed);
    Memory {
        data: observed * (5.0 * 8.0 + index) + (m + n) as f64 * 16.0 + sensed,
        proofs: bound::memory(problem),
        slice: 8.0 * 8.0 * problem.factor_rows().iter().sum::<usize>() as f64,
        machine: memory::machine_bytes() as f64,
    }
}
