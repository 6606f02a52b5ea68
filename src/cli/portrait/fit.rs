//! Predictions against targets, in the units of the file where the loss takes real numbers.

use super::counts::{around_zero, between, cloud, wide};
use crate::cli::session::Session;
use crate::data::dataset::HeldOut;
use crate::data::{Dataset, Observations, TargetKind};
use crate::extra::{Coefficients, outliers};
use crate::linalg::long::{dot, sum_over};
use crate::mapping::Factors;
use crate::predict;
use crate::problem::Problem;
use crate::report::portrait::{Fit, Quantity, View};
use crate::spec::{self, Spec};

/// Of more entries than these, evenly spaced ones are drawn.
const DRAWN: usize = 250_000;

/// Phi + A Q at the fitted entries, without outliers, which are the data's and not the model's.
pub fn predictions(session: &Session, factors: &Factors, extras: &Coefficients) -> Vec<f64> {
    let mut prediction = session.problem.apply(factors);
    for (block, q) in session.problem.extras.blocks.iter().zip(extras) {
        if block.map.name() != outliers::KIND.name {
            block.map.add(q, &mut prediction);
        }
    }
    prediction
}

/// The same at the held-out entries.
///
/// # Errors
/// If the side matrix of an extra cannot be read again.
pub fn predict_held_out(
    spec: &Spec,
    dataset: &Dataset,
    problem: &Problem,
    held: &HeldOut,
    factors: &Factors,
    extras: &Coefficients,
) -> anyhow::Result<Vec<f64>> {
    let own = held.inputs.as_ref().map(|inputs| spec::build_mapping(spec, &[], Some(inputs)));
    let mut prediction = own.as_ref().unwrap_or(&problem.mapping).apply(&held.observations, factors);
    if let Some(a) = &held.operator {
        prediction = a.apply(&prediction);
    }
    for (e, q) in spec.extras.iter().zip(extras) {
        // an entry that was not seen has no outlier
        if e.kind != outliers::KIND.name {
            let sizes = dataset.place_sizes();
            spec::build_extra(e, held.places(), &sizes, &mut Vec::new())?.add(q, &mut prediction);
        }
    }
    Ok(prediction)
}

/// How the fitted entries are predicted.
pub fn fitted(session: &Session, prediction: &[f64]) -> Fit {
    let dataset = &session.dataset;
    view(dataset, dataset.places(), &dataset.y, prediction)
}

/// How the held-out entries are predicted, if there are any.
pub fn held_out(session: &Session, factors: &Factors, extras: &Coefficients) -> anyhow::Result<Option<Fit>> {
    let Some(held) = &session.dataset.holdout else { return Ok(None) };
    let (spec, dataset, problem) = (&session.spec, &session.dataset, &session.problem);
    let prediction = predict_held_out(spec, dataset, problem, held, factors, extras)?;
    Ok(Some(view(&session.dataset, held.places(), &held.y, &prediction)))
}

fn view(dataset: &Dataset, at: &Observations, y: &[f64], prediction: &[f64]) -> Fit {
    match dataset.resolved.kind {
        TargetKind::Real => {
            if dataset.transform.is_none() {
                return real(y, prediction);
            }
            let original =
                |x: &[f64]| -> Vec<f64> { at.entries().zip(x).map(|((_, j), x)| dataset.original(j, *x)).collect() };
            real(&original(y), &original(prediction))
        }
        // the mean of a Poisson variable whose logarithm is predicted
        TargetKind::Counts => real(y, &prediction.iter().map(|x| x.exp()).collect::<Vec<_>>()),
        TargetKind::Signs => signs(y, prediction),
        TargetKind::Classes => classes(at, y, prediction, &dataset.meaning.classes),
    }
}

fn real(targets: &[f64], predictions: &[f64]) -> Fit {
    let n = targets.len() as f64;
    let residuals: Vec<f64> = targets.iter().zip(predictions).map(|(t, p)| t - p).collect();
    let mean = sum_over(targets.len(), |j| targets[j]) / n;
    let left = dot(&residuals, &residuals);
    let all = sum_over(targets.len(), |j| (targets[j] - mean) * (targets[j] - mean));
    let mut numbers = vec![
        ("root mean square error", Quantity::Size((left / n).sqrt())),
        ("largest residual", Quantity::Size(residuals.iter().fold(0.0, |m: f64, r| m.max(r.abs())))),
    ];
    if all > 0.0 && left.is_finite() && all.is_finite() {
        numbers.push(("share of the variance explained", Quantity::Share(1.0 - left / all)));
    }
    let every = targets.len().div_ceil(DRAWN);
    let some = |x: &[f64]| x.iter().copied().step_by(every).collect::<Vec<_>>();
    let (cloud, histogram) = if every > 1 {
        numbers.push(("entries drawn", Quantity::Part(targets.len().div_ceil(every), targets.len())));
        (cloud(&some(targets), &some(predictions)), around_zero(&some(&residuals)))
    } else {
        (cloud(targets, predictions), around_zero(&residuals))
    };
    let views = vec![View::Agreement(cloud), View::Residuals(histogram)];
    Fit { entries: targets.len(), numbers, views }
}

fn signs(y: &[f64], scores: &[f64]) -> Fit {
    let right = y.iter().zip(scores).filter(|(y, x)| predict::sign(**x) == **y).count();
    let reach = scores.iter().filter(|x| x.is_finite()).fold(0.0, |m: f64, x| m.max(x.abs()));
    let (lo, hi) = wide(Some((-reach, reach)));
    let of = |sign: f64| {
        let chosen: Vec<f64> = y.iter().zip(scores).filter(|(y, _)| **y == sign).map(|(_, x)| *x).collect();
        between(&chosen, lo, hi)
    };
    let numbers = vec![("of the right sign", Quantity::Part(right, y.len()))];
    Fit { entries: y.len(), numbers, views: vec![View::Scores([of(-1.0), of(1.0)])] }
}

/// Rows of scores against one-hot rows.
fn classes(at: &Observations, y: &[f64], scores: &[f64], names: &[String]) -> Fit {
    let mut rows = vec![(Vec::new(), 0); at.shape().0];
    for ((i, _), (y, x)) in at.entries().zip(y.iter().zip(scores)) {
        let (scores, label) = &mut rows[i];
        if *y == 1.0 {
            *label = scores.len();
        }
        scores.push(*x);
    }
    let mut counts = vec![vec![0; names.len()]; names.len()];
    rows.iter().filter(|r| !r.0.is_empty()).for_each(|(scores, label)| counts[*label][predict::class(scores)] += 1);
    let samples = counts.iter().flatten().sum();
    let right = (0..names.len()).map(|c| counts[c][c]).sum();
    let numbers = vec![("of the right class", Quantity::Part(right, samples))];
    Fit { entries: samples, numbers, views: vec![View::Confusion { names: names.to_vec(), counts }] }
}
