//! What `report.html` shows beside the certificate, worked out from a point and, where it is at hand, its data.

mod counts;
mod fit;
mod samples;

use super::session::Session;
use crate::data::TargetKind;
use crate::extra::{Coefficients, outliers};
use crate::mapping::{self, Factors};
use crate::polar::LambdaMax;
use crate::problem::{Problem, Regularizer};
use crate::report::describe;
use crate::report::portrait::{Block, Factor, Point, Seen, Slice};
use crate::run;
use crate::spec::{self, Spec};
use counts::histogram;

pub use fit::predict_held_out;

/// Blocks of extra variables of at most this many values are drawn value by value.
const FEW: usize = 20_000;

/// The point with everything that its data shows.
pub fn seen<'a>(session: &Session, factors: &'a Factors, extras: &Coefficients) -> anyhow::Result<Point<'a>> {
    let (problem, spec) = (&session.problem, &session.spec);
    let prediction = fit::predictions(session, factors, extras);
    let seen = Seen {
        problem: words(session, &session.lambda_max),
        fitted: fit::fitted(session, &prediction),
        held_out: fit::held_out(session, factors, extras)?,
        extras: blocks(session, extras),
        samples: samples::samples(session, factors, &prediction),
    };
    let mut shown = shown(spec, factors, &problem.regularizer);
    name_coordinates(session, &mut shown);
    Ok(Point { factors: shown, slices: slices(&problem.regularizer, Some(problem), factors), seen: Ok(seen) })
}

/// The point alone, and why its data is not seen.
pub fn unseen<'a>(spec: &Spec, factors: &'a Factors, why: String) -> anyhow::Result<Point<'a>> {
    let rows = factors.0.iter().map(|x| x.nrows());
    let regularizer = Regularizer { form: spec.form, gauges: spec::build_gauges(spec, rows)? };
    let slices = slices(&regularizer, None, factors);
    Ok(Point { factors: shown(spec, factors, &regularizer), slices, seen: Err(why) })
}

fn words(session: &Session, lambda_max: &LambdaMax) -> Vec<describe::Line> {
    let (problem, spec) = (&session.problem, &session.spec);
    let mut lines = vec![
        ("problem", describe::data(problem, &spec.loss)),
        ("regularizer", describe::regularizer(problem, spec, lambda_max)),
        ("polar", describe::exactness(problem)),
    ];
    lines.extend(describe::extras(spec).map(|e| ("extras", e)));
    lines
}

fn slices(regularizer: &Regularizer, problem: Option<&Problem>, factors: &Factors) -> Vec<Slice> {
    let size = |i: usize| {
        let one = Factors(factors.0.iter().map(|x| x.columns(i, 1).into_owned()).collect());
        problem.map(|p| p.mapping.gram(&one)[(0, 0)].max(0.0).sqrt())
    };
    let mut all: Vec<Slice> = (0..factors.rank())
        .map(|i| {
            let slice = factors.slice(i);
            let (gauges, value) = (regularizer.gauges_at(&slice), regularizer.value(&slice));
            Slice { column: i, value, share: 0.0, gauges, size: size(i) }
        })
        .collect();
    let total: f64 = all.iter().map(|s| s.value).sum();
    all.iter_mut().for_each(|s| s.share = if total > 0.0 { s.value / total } else { 0.0 });
    all.sort_by(|a, b| b.value.total_cmp(&a.value));
    all
}

/// Rows and columns of a layer's weights, which a column of factor k holds line by line.
fn weights(spec: &Spec, factors: &Factors, k: usize) -> Option<(usize, usize)> {
    let width = *spec.layers.as_ref()?.widths.get(k).unwrap_or(&1);
    // the last layer has as many columns as there are outputs, which its rows tell
    let layers = spec.layers.as_ref()?;
    let rows = factors.0[k].nrows();
    let shape = match k.checked_sub(1).filter(|_| k == layers.widths.len()) {
        None => (rows / width, width),
        Some(before) => {
            let units = layers.widths[before] / layers.pool[before];
            (units, rows / units)
        }
    };
    (shape.0 > 1 && shape.1 > 1 && shape.0 * shape.1 == rows).then_some(shape)
}

/// What the weights of layer k lie between.
fn between(spec: &Spec, k: usize) -> Option<String> {
    let last = spec.layers.as_ref()?.widths.len();
    let ends = match k {
        0 => "inputs x hidden units".to_string(),
        _ if k < last => format!("hidden units of layer {k} x those of layer {}", k + 1),
        _ if spec.data.kind == TargetKind::Classes => "hidden units x classes".into(),
        _ => "hidden units x outputs".into(),
    };
    Some(format!("{ends}, line by line"))
}

fn shown<'a>(spec: &Spec, factors: &'a Factors, regularizer: &Regularizer) -> Vec<Factor<'a>> {
    let network = mapping::KINDS.iter().any(|k| k.name == spec.mapping && k.needs_inputs);
    let of = |k: usize| match (factors.0.len(), network, k) {
        (1, ..) => "rows and columns of the target".to_string(),
        (_, true, 0) => "inputs".into(),
        (_, true, _) if spec.data.kind == TargetKind::Classes => "classes".into(),
        (_, true, _) => "outputs".into(),
        (2, _, 0) => "rows of the target".into(),
        (2, ..) if spec.data.kind == TargetKind::Classes => "classes".into(),
        (2, ..) => "columns of the target".into(),
        _ => format!("index {} of the target", k + 1),
    };
    let one = |(k, x): (usize, &'a crate::linalg::Mat)| Factor {
        name: format!("X{}", k + 1),
        of: between(spec, k).unwrap_or_else(|| of(k)),
        gauge: describe::gauge(&regularizer.gauges[k]),
        length: x.nrows(),
        values: x.as_slice(),
        names: Vec::new(),
        image: spec.images.filter(|i| i.factor == k).map(|i| i.shape).or_else(|| weights(spec, factors, k)),
    };
    factors.0.iter().enumerate().map(one).collect()
}

/// Inputs, columns and classes have the names that the data gives them.
fn name_coordinates(session: &Session, factors: &mut [Factor]) {
    let (dataset, meaning) = (&session.dataset, &session.dataset.meaning);
    let [first, second] = factors else { return };
    // weights of layers are named by nothing
    if session.spec.layers.is_some() {
        return;
    }
    if let Some(inputs) = &dataset.inputs {
        let bias = (inputs.values.ncols() > inputs.names.len()).then(|| "bias".to_string());
        first.names = inputs.names.iter().cloned().chain(bias).collect();
    }
    let of_columns = meaning.columns.as_ref().filter(|_| dataset.operator.is_none());
    let names = if meaning.classes.is_empty() { of_columns } else { Some(&meaning.classes) };
    second.names = names.filter(|n| n.len() == second.length).cloned().unwrap_or_default();
}

fn blocks(session: &Session, extras: &Coefficients) -> Vec<Block> {
    let specs = &session.spec.extras;
    let files = run::extra_names(specs.iter().map(|e| e.kind.as_str()));
    let one = |(k, q): (usize, &Vec<f64>)| {
        let nonzero: Vec<f64> = q.iter().copied().filter(|q| *q != 0.0).collect();
        let line_by_line = specs[k].kind != outliers::KIND.name && q.len() <= FEW;
        Block {
            says: describe::extra(&specs[k]),
            file: files[k].clone(),
            shape: session.problem.extras.blocks[k].map.shape(),
            nonzeros: nonzero.len(),
            values: line_by_line.then(|| q.clone()),
            spread: (!line_by_line && !nonzero.is_empty()).then(|| histogram(&nonzero)),
        }
    };
    extras.iter().enumerate().map(one).collect()
}
