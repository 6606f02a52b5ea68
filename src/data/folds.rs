//! Cross-validation: which targets are held out together, and the data without them.

use super::dataset::{AppliedTransform, Dataset, HeldOut, TargetKind, Transform};
use super::observations::indices;
use super::{Observations, inputs};
use crate::linalg::Pattern;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use std::collections::HashMap;

/// The stream of the generator that folds are drawn from: not that of held-out entries.
const STREAM: u64 = 1;

/// A part of the data kept out of a fit, and the rest.
#[derive(Clone, Debug)]
pub struct Fold {
    /// What is fitted; `holdout` is what is not.
    pub data: Dataset,
    /// The share of the observed weight that is fitted.
    pub share: f64,
}

impl Dataset {
    /// What one fold holds out at least: `samples` of a network or of classes, else `entries`.
    pub fn unit(&self) -> &'static str {
        if self.by_rows() { "samples" } else { "entries" }
    }

    fn by_rows(&self) -> bool {
        self.inputs.is_some() || self.resolved.kind == TargetKind::Classes
    }

    /// Observed entries that are held out together, by observation number: a row of a network or of classes, (i, j) and (j, i) of a
    /// symmetric target, else every entry by itself.
    fn units(&self) -> Vec<Vec<usize>> {
        let symmetric = self.resolved.symmetric.is_some() && self.measured.is_none();
        let mut number: HashMap<(usize, usize), usize> = HashMap::new();
        let mut units: Vec<Vec<usize>> = Vec::new();
        for (k, (i, j)) in self.places().entries().enumerate() {
            let key = match (self.by_rows(), symmetric) {
                (true, _) => (i, 0),
                (_, true) => (i.min(j), i.max(j)),
                _ => (i, j),
            };
            let at = *number.entry(key).or_insert(units.len());
            if at == units.len() {
                units.push(Vec::new());
            }
            units[at].push(k);
        }
        units
    }

    /// How many folds there can be at most.
    pub fn most_folds(&self) -> usize {
        self.units().len()
    }

    /// The fold that each observed entry is held out in, drawn with the seed, in equal parts. `None` for entries that are always
    /// fitted: every index of the target keeps one observed entry in every fit, or nothing could be said of it.
    pub fn draw_folds(&self, folds: usize, seed: u64) -> Vec<Option<usize>> {
        let units = self.units();
        let mut order: Vec<usize> = (0..units.len()).collect();
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(STREAM);
        order.shuffle(&mut rng);
        let mut fold = vec![None; self.y.len()];
        for (position, &unit) in order.iter().enumerate() {
            units[unit].iter().for_each(|&k| fold[k] = Some(position % folds));
        }
        if self.measured.is_some() {
            return fold;
        }
        // rows are samples where rows are held out: only columns need something left
        let (sizes, first) = (self.place_sizes(), usize::from(self.by_rows()));
        for axis in first..sizes.len() {
            let index: Vec<usize> =
                self.places().entries().map(|e| indices(&sizes, e).nth(axis).unwrap_or(0)).collect();
            let mut seen: Vec<Option<(Option<usize>, bool)>> = vec![None; sizes[axis]];
            for (k, &i) in index.iter().enumerate() {
                let known = seen[i].get_or_insert((fold[k], true));
                known.1 &= known.0 == fold[k];
            }
            let mut lone: Vec<bool> = seen.iter().map(|s| s.is_some_and(|s| s.1 && s.0.is_some())).collect();
            for unit in &units {
                if unit.iter().any(|&k| std::mem::take(&mut lone[index[k]])) {
                    unit.iter().for_each(|&k| fold[k] = None);
                }
            }
        }
        fold
    }

    /// The data without the entries flagged. Means and deviations that transform it are those of what is left.
    pub fn without(&self, held: &[bool]) -> Fold {
        let weight = |k: usize| self.w.as_ref().map_or(1.0, |w| w[k]);
        let total = |wanted: bool| (0..held.len()).filter(|&k| !wanted || !held[k]).map(weight).sum::<f64>();
        let share = total(true) / total(false);
        let part = |wanted: bool| Part::new(self, |k| held[k] == wanted);
        let (fitted, test) = (part(false), part(true));
        let mut data = self.clone();
        data.y = fitted.order.iter().map(|&k| self.y[k]).collect();
        data.w = self.w.as_ref().map(|w| fitted.order.iter().map(|&k| w[k]).collect());
        let mut out = HeldOut {
            observations: test.observations,
            operator: None,
            measured: None,
            inputs: None,
            y: test.order.iter().map(|&k| self.y[k]).collect(),
        };
        if let Some(a) = &self.operator {
            let entries = self.observations.clone();
            out.measured = Some(std::mem::replace(&mut out.observations, entries));
            data.measured = Some(fitted.observations);
            (data.operator, out.operator) = (Some(a.select(&fitted.order)), Some(a.select(&test.order)));
        } else {
            if self.inputs.is_some() {
                data.sizes[0] = fitted.observations.shape().0;
            }
            data.observations = fitted.observations;
        }
        if let Some(all) = &mut data.inputs {
            out.inputs = Some(all.values.select_rows(&test.rows));
            all.values = all.values.select_rows(&fitted.rows);
        }
        data.holdout = Some(out);
        restandardise(&mut data);
        transform_again(&mut data);
        Fold { data, share }
    }
}

/// Some of the observed entries.
struct Part {
    observations: Observations,
    /// Their observation numbers in the whole.
    order: Vec<usize>,
    /// The rows they are in, for networks: others are left out.
    rows: Vec<usize>,
}

impl Part {
    fn new(data: &Dataset, wanted: impl Fn(usize) -> bool) -> Self {
        let all: Vec<(usize, usize)> = data.places().entries().collect();
        let kept: Vec<usize> = (0..all.len()).filter(|&k| wanted(k)).collect();
        let mut entries: Vec<(usize, usize)> = kept.iter().map(|&k| all[k]).collect();
        let (mut m, n) = data.places().shape();
        let mut rows: Vec<usize> = Vec::new();
        if data.inputs.is_some() {
            rows = entries.iter().map(|e| e.0).collect();
            rows.sort_unstable();
            rows.dedup();
            entries.iter_mut().for_each(|e| e.0 = rows.partition_point(|r| *r < e.0));
            m = rows.len();
        }
        if entries.len() == m * n && entries.windows(2).all(|e| (e[0].1, e[0].0) < (e[1].1, e[1].0)) {
            return Self { observations: Observations::Full { rows: m, cols: n }, order: kept, rows };
        }
        let (pattern, order) = Pattern::new(m, n, &entries).expect("observed entries are distinct");
        Self {
            observations: Observations::Coordinates(pattern),
            order: order.into_iter().map(|k| kept[k]).collect(),
            rows,
        }
    }
}

/// Inputs that were standardised are brought to mean 0 and deviation 1 over the rows that are left.
fn restandardise(data: &mut Dataset) {
    let wanted = data.resolved.input.as_ref().is_some_and(|i| i.standardize);
    let Some(inputs) = data.inputs.as_mut().filter(|_| wanted) else { return };
    let mut held = data.holdout.as_mut().and_then(|h| h.inputs.as_mut());
    let used = vec![true; inputs.values.nrows()];
    for j in 0..inputs.names.len() {
        let (mean, deviation) = inputs::moments(inputs.values.column(j).into_owned().as_slice(), &used);
        // a column that is constant here says nothing
        let deviation = if deviation > 1e-14 { deviation } else { 1.0 };
        let adjust = |x: &mut f64| *x = (*x - mean) / deviation;
        inputs.values.column_mut(j).iter_mut().for_each(adjust);
        if let Some(held) = held.as_deref_mut() {
            held.column_mut(j).iter_mut().for_each(adjust);
        }
        inputs.mean[j] += inputs.deviation[j] * mean;
        inputs.deviation[j] *= deviation;
    }
}

/// Columns are centred and scaled by what is left of them.
fn transform_again(data: &mut Dataset) {
    let (centred, scaled) = match data.resolved.transform {
        Transform::Center => (true, false),
        Transform::Scale => (false, true),
        Transform::Standardize => (true, true),
        _ => return,
    };
    let columns: Vec<usize> = data.places().entries().map(|e| e.1).collect();
    let n = data.places().shape().1;
    let (mut count, mut mean, mut square) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    columns.iter().zip(&data.y).for_each(|(&j, y)| {
        count[j] += 1.0;
        mean[j] += y;
    });
    (0..n).for_each(|j| mean[j] /= f64::max(count[j], 1.0));
    columns.iter().zip(&data.y).for_each(|(&j, y)| square[j] += (y - mean[j]).powi(2));
    let shift: Vec<f64> = mean.iter().map(|m| if centred { *m } else { 0.0 }).collect();
    let scale: Vec<f64> = (0..n)
        .map(|j| match (square[j] / f64::max(count[j], 1.0)).sqrt() {
            d if scaled && d > 0.0 => d,
            _ => 1.0,
        })
        .collect();
    let again = |j: usize, y: &mut f64| *y = (*y - shift[j]) / scale[j];
    columns.iter().zip(&mut data.y).for_each(|(&j, y)| again(j, y));
    if let Some(held) = &mut data.holdout {
        let columns: Vec<usize> = held.places().entries().map(|e| e.1).collect();
        columns.iter().zip(&mut held.y).for_each(|(&j, y)| again(j, y));
    }
    if let Some(AppliedTransform::Columns { offset, scale: all }) = &mut data.transform {
        for j in 0..n {
            offset[j] += all[j] * shift[j];
            all[j] *= scale[j];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::Meaning;
    use crate::data::{DataRequest, Source};

    fn request() -> DataRequest {
        DataRequest {
            target: Source::plain("Y.csv".into(), "Y.csv".into()),
            operator: None,
            input: None,
            mask: None,
            weights: None,
            transform: Transform::Standardize,
            holdout: None,
            seed: 0,
            kind: TargetKind::Real,
            symmetric: None,
            any_order: false,
        }
    }

    /// The entries listed, transformed by nothing yet.
    fn dataset(m: usize, n: usize, entries: &[(usize, usize)], y: &[f64]) -> Dataset {
        let (pattern, order) = Pattern::new(m, n, entries).unwrap();
        Dataset {
            sizes: vec![m, n],
            observations: Observations::Coordinates(pattern),
            operator: None,
            measured: None,
            inputs: None,
            y: order.iter().map(|&k| y[k]).collect(),
            w: None,
            holdout: None,
            transform: Some(AppliedTransform::Columns { offset: vec![0.0; n], scale: vec![1.0; n] }),
            meaning: Meaning::default(),
            files: Vec::new(),
            notes: Vec::new(),
            resolved: request(),
        }
    }

    #[test]
    fn folds_part_the_entries_and_leave_every_line_something() {
        let entries: Vec<(usize, usize)> =
            (0..9).flat_map(|i| (0..7).map(move |j| (i, j))).filter(|(i, j)| (i * j) % 3 != 1 || *i == 1).collect();
        let mut entries: Vec<(usize, usize)> = entries.into_iter().filter(|e| e.0 != 4 || e.1 == 2).collect();
        entries.dedup();
        let y: Vec<f64> = (0..entries.len()).map(|k| (k as f64).sin()).collect();
        let data = dataset(9, 7, &entries, &y);
        let fold = data.draw_folds(3, 7);
        assert_eq!(fold, data.draw_folds(3, 7));
        assert_ne!(fold, data.draw_folds(3, 8));
        let at: Vec<(usize, usize)> = data.places().entries().collect();
        // the only entry of its row stays
        assert_eq!(fold[at.iter().position(|e| e.0 == 4).unwrap()], None);
        for f in 0..3 {
            let held: Vec<bool> = fold.iter().map(|k| *k == Some(f)).collect();
            assert!(held.iter().filter(|h| **h).count() >= entries.len() / 3 - 2);
            let part = data.without(&held);
            let test = part.data.holdout.as_ref().unwrap();
            assert_eq!(part.data.y.len() + test.y.len(), entries.len());
            let share = part.data.y.len() as f64 / entries.len() as f64;
            assert!((part.share - share).abs() < 1e-15);
            assert!((0..9).all(|i| part.data.places().entries().any(|e| e.0 == i)));
            assert!((0..7).all(|j| part.data.places().entries().any(|e| e.1 == j)));
            // every value is found again, in the units of the file, at its place
            for (observations, y) in [(part.data.places(), &part.data.y), (test.places(), &test.y)] {
                for ((i, j), y) in observations.entries().zip(y) {
                    let wanted = data.y[at.iter().position(|e| *e == (i, j)).unwrap()];
                    assert!((part.data.original(j, *y) - wanted).abs() < 1e-12);
                }
            }
            // standardised by what is fitted
            for j in 0..7 {
                let column = part.data.places().entries().zip(&part.data.y).filter(|(e, _)| e.1 == j);
                let column: Vec<f64> = column.map(|(_, y)| *y).collect();
                assert!(column.iter().sum::<f64>().abs() < 1e-12, "column {j}: {column:?}");
            }
        }
    }

    #[test]
    fn mirrored_entries_stay_together() {
        let entries: Vec<(usize, usize)> = (0..5).flat_map(|i| (0..5).map(move |j| (i, j))).collect();
        let mut data = dataset(5, 5, &entries, &[1.0; 25]);
        data.resolved.symmetric = Some(false);
        assert_eq!(data.most_folds(), 15);
        let fold = data.draw_folds(4, 0);
        let at: Vec<(usize, usize)> = data.places().entries().collect();
        let of = |e: (usize, usize)| fold[at.iter().position(|x| *x == e).unwrap()];
        assert!(at.iter().all(|&(i, j)| of((i, j)) == of((j, i))));
        data.resolved.kind = TargetKind::Classes;
        assert_eq!((data.most_folds(), data.unit()), (5, "samples"));
        let fold = data.draw_folds(5, 0);
        assert!(at.iter().zip(&fold).all(|(e, f)| *f == fold[at.iter().position(|x| x.0 == e.0).unwrap()]));
    }
}
