//! What `explain` says before anything is solved: degrees, bounds and what they cost, memory; as an object and in words.

use super::describe::{self, Line, Memory};
use super::number::sci;
use crate::certify::certificate::Degree;
use crate::certify::{Effort, relax};
use crate::data::FileRecord;
use crate::polar::{self, LambdaMax, bound};
use crate::problem::Problem;
use crate::spec::Spec;
use serde::Serialize;

/// A method that bounds the polar, or a rung of the ladder of relaxations.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rung {
    /// Its name in certificates.
    pub name: String,
    /// Whether it gives the polar itself, up to rounding, for every field; for a rung of the ladder null.
    pub exact: Option<bool>,
    /// Whether it starts from the solver's point; for a bound of the polar null.
    pub needs_point: Option<bool>,
    /// About how many floating-point operations it takes at most.
    pub flops: f64,
    /// What it is.
    pub says: &'static str,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct File {
    /// As the spec writes it.
    pub path: String,
    /// Sizes of what was read.
    pub shape: Vec<usize>,
    /// Entries that are not missing.
    pub observed: usize,
}

/// Everything that `explain` says, in the order of `explain --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// Version of homfac.
    pub homfac: &'static str,
    /// The spec's name.
    pub name: String,
    /// Mapping, sizes, entries, loss.
    pub problem: String,
    /// Sizes of X.
    pub shape: Vec<usize>,
    /// Entries (or measurements) that are fitted.
    pub observed: usize,
    /// g and lambda.
    pub regularizer: String,
    /// The extra variables.
    pub extras: Option<String>,
    /// Of mapping and regularizer.
    pub degree: Degree,
    /// Def. 8.
    pub nondegenerate: bool,
    /// (A1), (A2): loss and penalties.
    pub convex: bool,
    /// Resolved.
    pub lambda: f64,
    /// The interval that holds it.
    pub lambda_max: LambdaMax,
    /// Number of slices that always suffice.
    pub rank_bound: usize,
    /// Whether some bound of the polar is exact for every field.
    pub exact: bool,
    /// What is exact, in words.
    pub exactly: Vec<String>,
    /// What is bounded, in words.
    pub bounded: Vec<String>,
    /// The bounds of the polar that apply.
    pub polar: Vec<Rung>,
    /// The relaxations that apply, in the order in which they are tried.
    pub ladder: Vec<Rung>,
    /// Relative gap asked for.
    pub target_gap: f64,
    /// Bytes.
    pub memory_bytes: Memory,
    /// Files read.
    pub files: Vec<File>,
    /// Choices made while reading them.
    pub data: Vec<String>,
}

/// Explains a problem.
pub fn explain(
    problem: &Problem,
    spec: &Spec,
    lambda_max: LambdaMax,
    rank_bound: usize,
    files: &[FileRecord],
    notes: &[String],
) -> Explanation {
    let exact = bound::is_exact(problem);
    let (exactly, bounded) = ends(problem, exact, lambda_max);
    let (rows, (m, n)) = (problem.factor_rows(), problem.shape());
    Explanation {
        homfac: env!("CARGO_PKG_VERSION"),
        name: spec.name.clone(),
        problem: describe::data(problem, &spec.loss),
        shape: if rows.len() > 2 && problem.mapping.is_multilinear() { rows } else { vec![m, n] },
        observed: problem.y.len(),
        regularizer: describe::regularizer(problem, spec, &lambda_max),
        extras: describe::extras(spec),
        degree: Degree { mapping: problem.mapping.degree(), regularizer: problem.regularizer.degree() },
        nondegenerate: true,
        convex: true,
        lambda: problem.lambda,
        lambda_max,
        rank_bound,
        exact,
        exactly,
        bounded,
        polar: polar(problem),
        ladder: ladder(problem, spec.certificate.effort),
        target_gap: spec.certificate.target_gap,
        memory_bytes: describe::memory(problem),
        files: files
            .iter()
            .map(|f| File { path: f.shown.clone(), shape: f.shape.clone(), observed: f.observed })
            .collect(),
        data: notes.to_vec(),
    }
}

fn polar(problem: &Problem) -> Vec<Rung> {
    let rung = |(b, exact): (&dyn bound::PolarBound, bool)| Rung {
        name: b.name().into(),
        exact: Some(exact),
        needs_point: None,
        flops: b.flops(problem),
        says: b.describe(),
    };
    bound::applicable(problem).into_iter().map(rung).collect()
}

fn ladder(problem: &Problem, effort: Effort) -> Vec<Rung> {
    let climbed = |r: &&&dyn relax::Relaxation| r.applies(problem) && !(r.needs_point() && effort == Effort::Cheap);
    let rung = |r: &&dyn relax::Relaxation| Rung {
        name: relax::source(*r),
        exact: None,
        needs_point: Some(r.needs_point()),
        flops: r.flops(problem, effort),
        says: r.describe(),
    };
    relax::RELAXATIONS.iter().filter(climbed).map(rung).collect()
}

/// What a certificate will know exactly, and what it will know within an interval.
fn ends(problem: &Problem, exact: bool, l: LambdaMax) -> (Vec<String>, Vec<String>) {
    let mut exactly = vec!["the objective, its rounding counted against it".to_string()];
    let mut bounded = Vec::new();
    if polar::layers::is_crude(problem) {
        bounded.push(
            "the polar of several layers, by norms from above: X = 0 is proven where lambda is large, elsewhere a gap may stay \
             even at the global optimum. A local minimum with a slice of zeros would be global (Thm 15), but that a \
             point is a local minimum is not proven"
                .into(),
        );
    } else if exact {
        exactly.push("the polar, for every field: at the global optimum the gap closes up to rounding".into());
    } else {
        bounded.push(
            "the polar, by slices that attain it from below and by the methods here from above: a gap may stay even at the \
             global optimum"
                .into(),
        );
    }
    if problem.extras.blocks.is_empty() {
        exactly.push("degrees, convexity, the rank bound".into());
    } else {
        exactly.push("degrees, convexity, the rank bound; the dual field meets the extra variables exactly".into());
    }
    let wide = l.upper.is_none_or(|u| u > l.found * (1.0 + 1e-6));
    let lambda_max = "lambda_max, by the best slice found at X = 0 from below and by a proof from above";
    if wide {
        bounded.push(lambda_max.into())
    } else {
        exactly.push("lambda_max, to six digits at least".into())
    }
    (exactly, bounded)
}

/// The same in words, for a terminal.
pub fn lines(e: &Explanation) -> Vec<Line> {
    let degrees = (e.degree.mapping, e.degree.regularizer);
    let balanced = if degrees.0 == degrees.1 { "balanced (Prop. 19)" } else { "unbalanced (Prop. 19)" };
    let mut lines = vec![
        ("problem", e.problem.clone()),
        ("regularizer", e.regularizer.clone()),
        ("degrees", format!("mapping {}, regularizer {}: {balanced}", degrees.0, degrees.1)),
        ("nondegenerate", "yes: gauges are norms on cones, so g(x) = 0 only at 0 (Def. 8)".into()),
        ("convex", "yes: the loss (A1) and the penalties of extra variables (A2)".into()),
    ];
    lines.extend(e.extras.iter().map(|x| ("extras", x.clone())));
    lines.extend([
        ("lambda_max", describe::lambda_max(&e.lambda_max)),
        ("rank bound", format!("{} slices always suffice (Cor. 18)", e.rank_bound)),
    ]);
    lines.extend(e.exactly.iter().map(|x| ("exact", x.clone())));
    lines.extend(e.bounded.iter().map(|x| ("bounded", x.clone())));
    let flops = |r: &Rung| format!("about {} flops at most", sci(r.flops, 0));
    lines.extend(e.polar.iter().map(|r| {
        let kind = if r.exact == Some(true) { "exact" } else { "upper bound" };
        ("polar", format!("{}: {kind}; {}; {}", r.name, r.says, flops(r)))
    }));
    lines.extend(e.ladder.iter().enumerate().map(|(k, r)| {
        let from = if r.needs_point == Some(true) { "from the solver's point" } else { "before solving" };
        ("ladder", format!("{}. {}, {from}: {}; {}", k + 1, r.name, r.says, flops(r)))
    }));
    let m = e.memory_bytes;
    let mb = |b: f64| match b {
        b if b < 1e6 => format!("{:.0} kB", (b / 1e3).ceil()),
        b if b < 1e9 => format!("{:.1} MB", b / 1e6),
        b => format!("{:.1} GB", b / 1e9),
    };
    let memory = format!(
        "about {} for data and fields, {} for proofs, {} per slice; the machine has {}",
        mb(m.data),
        mb(m.proofs),
        mb(m.slice),
        mb(m.machine)
    );
    lines.push(("memory", memory));
    lines.push(("stops at", format!("gap <= {:e}", e.target_gap)));
    lines.extend(e.data.iter().map(|n| ("data", n.clone())));
    lines
}
