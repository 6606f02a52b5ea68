//! New rows of the data, or new indices along any axis: their rows of that factor for fixed others.
//!
//! ```text
//! min over u, q of l(D u + E q + o) + sum_i h_i(u_i) + H(q)         D: the other factors' slices at the entries that are seen
//! ```
//!
//! h_i is what a further coordinate of X_i^a costs beside those that are there, c_i = lambda dg / d gauge_a at the slice:
//!
//! ```text
//! l1     c_i |u|                     l2     c_i u^2 / (2 ||X_i^a||)              sums of both
//! linf   0 for |u| <= max |X_i^a|    orthants: the sign
//! ```
//!
//! So a row of the fitted data at a stationary point gets the row of the factor that it has: with l2 the objective of the sum
//! form (16) is a sum over rows. Of extra variables along the axis the row gets coefficients of its own (E), others are added
//! as they are (o). Norms and cones that tie coordinates together say nothing of a further one, and are refused by name.

use super::model::Model;
use super::newton::{self, Cost, Minimum};
use crate::data::dataset::AppliedTransform;
use crate::data::{DataError, Observations, TargetKind, memory, read_factor};
use crate::extra::{Penalty, covariates, intercept, outliers};
use crate::linalg::Mat;
use crate::linalg::vector::dot;
use crate::loss::profiled::Profiled;
use crate::loss::{Loss, Targets};
use crate::problem::Form;
use crate::spec;
use crate::spec::model::{ExtraSpec, FactorSpec, Lambda, NormWeight};
use std::sync::Arc;

/// Why new rows cannot be fitted.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// The model has no such thing.
    #[error("{0}")]
    Refused(String),
    /// A file of the spec cannot be read or does not fit.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// What new rows are fitted by.
pub struct Projection<'a> {
    model: &'a Model,
    /// From 0.
    axis: usize,
    loss: Box<dyn Loss>,
    /// [D E] at all places of a row: indices of the other axes, first fastest.
    design: Mat,
    costs: Vec<Cost>,
    /// Names of the coefficients.
    names: Vec<String>,
    offset: Vec<f64>,
    weights: Option<Vec<f64>>,
    /// The least entries that determine free coefficients.
    free: usize,
}

fn refused<T>(why: impl Into<String>) -> Result<T, ProjectionError> {
    Err(ProjectionError::Refused(why.into()))
}

impl<'a> Projection<'a> {
    /// For new indices along an axis, from 0.
    ///
    /// # Errors
    /// [`ProjectionError`].
    pub fn new(model: &'a Model, axis: usize) -> Result<Self, ProjectionError> {
        let sizes = model.sizes();
        if model.is_network() || model.spec.mapping == "psd" {
            let why = "a new row would be a new column too: complete it as a target of its own";
            let why = if model.is_network() { "its rows are samples: say `--input FILE`" } else { why };
            return refused(format!("mapping `{}` has no new rows: {why}", model.spec.mapping));
        }
        if model.spec.data.operator.is_some() {
            return refused("what is known of a new row behind an operator are measurements, not entries");
        }
        if model.has_classes() {
            return refused(format!(
                "loss `{}` has one label per row, which is what would be predicted",
                model.loss().name
            ));
        }
        if axis >= sizes.len() {
            return refused(format!("--axis {}: expected 1 to {}", axis + 1, sizes.len()));
        }
        if axis > 0 && matches!(model.remembered.transform, Some(AppliedTransform::Columns { .. })) {
            return refused("the transform is by columns, and of a new column nothing is remembered");
        }
        let places: usize = (0..sizes.len()).filter(|k| *k != axis).map(|k| sizes[k]).product();
        let rank = model.factors.rank();
        memory::require("--project", places as f64 * (rank + 4) as f64 * 24.0)?;
        let mut design = others(model, axis);
        let mut costs = slice_costs(model, axis)?;
        let mut names: Vec<String> = (1..=rank).map(|i| format!("slice{i}")).collect();
        let (mut offset, mut free) = (vec![0.0; places], 0);
        for a in &model.addends {
            let e = &model.spec.extras[a.number];
            let own = cost(e.penalty, a.q.as_slice());
            let unpaid = usize::from(matches!(e.penalty, Penalty::None | Penalty::Nonnegative));
            if e.kind == intercept::KIND.name {
                match e.axis {
                    None => offset.iter_mut().for_each(|o| *o += a.q[0]),
                    Some(b) if b != axis => {
                        offset.iter_mut().enumerate().for_each(|(p, o)| *o += a.q[index(sizes, axis, p, b)]);
                    }
                    Some(_) => {
                        let at = design.ncols();
                        design = design.insert_column(at, 1.0);
                        costs.push(own);
                        names.push(e.kind.clone());
                        free += unpaid;
                    }
                }
            } else if e.kind == covariates::KIND.name && e.axis != Some(axis) {
                if sizes.len() > 2 {
                    return refused(
                        "covariates of an array along another axis have coefficients per line, not per row",
                    );
                }
                let side = a.side.as_ref().expect("covariates have a side matrix");
                for (k, column) in side.column_iter().enumerate() {
                    let at = design.ncols();
                    design = design.insert_column(at, 0.0);
                    design.set_column(at, &column);
                    costs.push(own);
                    names.push(format!("covariate{}", k + 1));
                    free += unpaid;
                }
            }
        }
        let weights = weights(model, axis)?;
        Ok(Self { model, axis, loss: loss(model)?, design, costs, names, offset, weights, free })
    }

    /// The number of entries of a whole row.
    pub fn places(&self) -> usize {
        self.offset.len()
    }

    /// Names of the coefficients: slices, then extra variables.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What the side matrices of covariates along the axis must have: a column per covariate.
    pub fn sides(&self) -> Vec<usize> {
        self.sided().map(|a| a.q.nrows()).collect()
    }

    fn sided(&self) -> impl Iterator<Item = &super::model::Addend> {
        let extras = &self.model.spec.extras;
        let along = |e: &ExtraSpec| e.kind == covariates::KIND.name && e.axis == Some(self.axis);
        self.model.addends.iter().filter(move |a| along(&extras[a.number]))
    }

    /// The place of an entry by its indices, that along the axis left aside.
    pub fn place(&self, indices: &[usize]) -> usize {
        let sizes = self.model.sizes();
        (0..sizes.len()).rev().filter(|k| *k != self.axis).fold(0, |p, k| p * sizes[k] + indices[k])
    }

    /// The indices of the entry at a place of new row t.
    pub fn indices(&self, t: usize, place: usize) -> Vec<usize> {
        let sizes = self.model.sizes();
        (0..sizes.len()).map(|b| if b == self.axis { t } else { index(sizes, self.axis, place, b) }).collect()
    }

    /// A value of the file at a place, as the loss sees it.
    ///
    /// # Errors
    /// What the loss or the transform expects.
    pub fn target(&self, place: usize, y: f64) -> Result<f64, &'static str> {
        let zero_one = self.model.remembered.meaning.zero_one;
        match (self.model.loss().targets, &self.model.remembered.transform) {
            (TargetKind::Real, None) | (TargetKind::Classes, _) => Ok(y),
            (TargetKind::Real, Some(AppliedTransform::Log1p)) if y <= -1.0 => Err("a value above -1 for log1p"),
            (TargetKind::Real, Some(t)) => Ok(t.apply(if self.axis == 0 { place } else { 0 }, y)),
            (TargetKind::Counts, _) if y < 0.0 => Err("a count >= 0 for this loss"),
            (TargetKind::Counts, _) => Ok(y),
            (TargetKind::Signs, _) if zero_one && (y == 0.0 || y == 1.0) => Ok(2.0 * y - 1.0),
            (TargetKind::Signs, _) if zero_one => Err("0 or 1, as the target has"),
            (TargetKind::Signs, _) if y == 1.0 || y == -1.0 => Ok(y),
            (TargetKind::Signs, _) => Err("-1 or 1, as the target has"),
        }
    }

    /// What is added to a row whose covariates along the axis are these.
    fn known(&self, sides: &[Vec<f64>]) -> Vec<f64> {
        let mut out = self.offset.clone();
        for (a, side) in self.sided().zip(sides) {
            let of = |p: usize| side.iter().enumerate().map(|(k, s)| s * a.q[(k, p)]).sum::<f64>();
            out.iter_mut().enumerate().for_each(|(p, o)| *o += of(p));
        }
        out
    }

    /// The coefficients of a row from (place, value as the loss sees it), and `sides`, its covariates along the axis.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn fit(&self, seen: &[(usize, f64)], sides: &[Vec<f64>]) -> Result<Minimum, Unfit> {
        if seen.len() < self.free {
            return Err(Unfit {
                expected: "that determines what is free in it",
                found: format!("{} observed entries for its {} free extra variables", seen.len(), self.free),
            });
        }
        let known = self.known(sides);
        let paid = seen.iter().filter(|s| self.weights.as_ref().is_none_or(|w| w[s.0] > 0.0));
        let (at, y): (Vec<usize>, Vec<f64>) = paid.copied().unzip();
        let w: Option<Vec<f64>> = self.weights.as_ref().map(|w| at.iter().map(|&p| w[p]).collect());
        let offset: Vec<f64> = at.iter().map(|&p| known[p]).collect();
        let t = Targets { y: &y, w: w.as_deref() };
        let minimum = newton::minimise(self.loss.as_ref(), t, &self.design.select_rows(&at), &offset, &self.costs);
        if !minimum.stationarity.is_finite() {
            let largest = y.iter().fold(0.0f64, |m, y| m.max(y.abs()));
            return Err(Unfit {
                expected: "of values small enough for double precision",
                found: format!("one of {largest:e}"),
            });
        }
        Ok(minimum)
    }

    /// The scores of a whole row.
    pub fn scores(&self, q: &[f64], sides: &[Vec<f64>]) -> Vec<f64> {
        let mut out = self.known(sides);
        for (column, q) in self.design.column_iter().zip(q).filter(|(_, q)| **q != 0.0) {
            out.iter_mut().zip(column.iter()).for_each(|(o, d)| *o += d * q);
        }
        out
    }
}

/// Why a row cannot be fitted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("expected a row {expected}, found {found}")]
pub struct Unfit {
    /// What the row should be, after "a row".
    pub expected: &'static str,
    /// What it is.
    pub found: String,
}

/// The index along axis b of a place.
fn index(sizes: &[usize], axis: usize, place: usize, b: usize) -> usize {
    let stride: usize = (0..b).filter(|k| *k != axis).map(|k| sizes[k]).product();
    place / stride % sizes[b]
}

/// The columnwise Kronecker product of all factors but one, first index fastest.
fn others(model: &Model, axis: usize) -> Mat {
    let rank = model.factors.rank();
    let mut out = Mat::from_element(1, rank, 1.0);
    for (_, x) in model.factors.0.iter().enumerate().filter(|(k, _)| *k != axis) {
        let (before, length) = (out.nrows(), x.nrows());
        out = Mat::from_fn(before * length, rank, |p, i| x[(p / before, i)] * out[(p % before, i)]);
    }
    out
}

/// h of each slice.
fn slice_costs(model: &Model, axis: usize) -> Result<Vec<Cost>, ProjectionError> {
    let f: &FactorSpec = match model.spec.factors.as_slice() {
        [one] => one,
        all => &all[axis],
    };
    let NormWeight::Uniform(weight) = f.weight else {
        return refused(format!("the norm of factor {} has a weight per row, of which a new row has none", axis + 1));
    };
    for n in &f.norms {
        if !["l1", "l2", "linf"].contains(&n.kind.as_str()) {
            let kind = &n.kind;
            return refused(format!("norm `{kind}` of factor {} says nothing of a further row", axis + 1));
        }
    }
    let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
    match f.cone.as_ref().map(|c| c.kind.as_str()) {
        None => {}
        Some("nonnegative") => low = 0.0,
        Some("nonpositive") => high = 0.0,
        Some(kind) => return refused(format!("cone `{kind}` of factor {} says nothing of a further row", axis + 1)),
    }
    let gauges = spec::build_gauges(&model.spec, model.factors.0.iter().map(|x| x.nrows()))?;
    let order = model.factors.0.len() as i32;
    let lambda = match model.spec.lambda {
        Lambda::Absolute(lambda) => lambda,
        Lambda::Relative(_) => return refused("the run's spec has no lambda as a number"),
    };
    let of = |i: usize| {
        let slice = model.factors.slice(i);
        let size = |k: usize| gauges[k].value(slice[k]);
        let slope = match model.spec.form {
            Form::Product => (0..slice.len()).filter(|k| *k != axis).map(size).product(),
            Form::Sum => size(axis).powi(order - 1),
        };
        let slope: f64 = slope;
        let x = slice[axis];
        let (euclidean, largest) = (dot(x, x).sqrt(), x.iter().fold(0.0f64, |m, x| m.max(x.abs())));
        if largest == 0.0 {
            return Cost::PINNED;
        }
        let mut cost = Cost { low, high, ..Cost::FREE };
        for n in &f.norms {
            let c = lambda * slope * weight * n.weight;
            match n.kind.as_str() {
                "l1" => cost.linear += c,
                "l2" => cost.quadratic += c / euclidean,
                _ => (cost.low, cost.high) = (low.max(-largest), high.min(largest)),
            }
        }
        cost
    };
    Ok((0..model.factors.rank()).map(of).collect())
}

/// H of one further coefficient of a block.
fn cost(penalty: Penalty, q: &[f64]) -> Cost {
    match penalty {
        Penalty::None => Cost::FREE,
        Penalty::L1(w) => Cost { linear: w, ..Cost::FREE },
        Penalty::L2Squared(w) => Cost { quadratic: w, ..Cost::FREE },
        Penalty::Nonnegative => Cost { low: 0.0, ..Cost::FREE },
        Penalty::L2(w) => match dot(q, q).sqrt() {
            0.0 => Cost::PINNED,
            norm => Cost { quadratic: w / norm, ..Cost::FREE },
        },
    }
}

/// l with outliers minimised out, where there are any.
fn loss(model: &Model) -> Result<Box<dyn Loss>, ProjectionError> {
    let spec = &model.spec;
    let inner: Arc<dyn Loss> = spec::build_loss(&spec.loss, &Observations::Full { rows: 1, cols: 1 }).into();
    let mut profiled = Profiled { inner, lo: f64::NEG_INFINITY, hi: f64::INFINITY };
    for e in spec.extras.iter().filter(|e| e.kind == outliers::KIND.name) {
        match spec::outlier_ends(e.penalty) {
            Some((lo, hi)) => (profiled.lo, profiled.hi) = (lo, hi),
            None => {
                let name = e.penalty.parts().0;
                return refused(format!("outliers under `{name}` are those of all entries together"));
            }
        }
    }
    Ok(Box::new(profiled))
}

/// The weights of the places of a row: those along another axis; a new row has none of its own.
fn weights(model: &Model, axis: usize) -> Result<Option<Vec<f64>>, ProjectionError> {
    let sizes = model.sizes();
    let Some((w, b)) = model.spec.data.weights.as_ref().and_then(|w| Some((w, w.axis? - 1))) else { return Ok(None) };
    if b == axis {
        return Ok(None);
    }
    let (values, _) = read_factor(&w.source)?;
    let places: usize = (0..sizes.len()).filter(|k| *k != axis).map(|k| sizes[k]).product();
    if values.len() != sizes[b] {
        let expected = format!("{} weights, one per index of axis {}", sizes[b], b + 1);
        let found = values.len().to_string();
        return Err(DataError::Shape { file: w.source.shown.clone(), expected, found, hint: None }.into());
    }
    Ok(Some((0..places).map(|p| values[index(sizes, axis, p, b)]).collect()))
}
