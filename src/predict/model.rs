//! A fitted model: its field X + A Q wherever it is asked for, whether it was observed there or not.

use crate::data::dataset::AppliedTransform;
use crate::data::observations::indices;
use crate::data::{DataError, Observations, Remembered, memory, read_factor};
use crate::extra::{self, outliers};
use crate::linalg::{Mat, Pattern};
use crate::mapping::{self, Count, Factors, Mapping};
use crate::spec::{self, Spec};

/// Factors and extra variables with what their numbers mean.
pub struct Model {
    /// The resolved spec of the run.
    pub spec: Spec,
    /// What the data was.
    pub remembered: Remembered,
    /// The factors.
    pub factors: Factors,
    /// The extra variables that predict what was not seen: all but outliers.
    pub(super) addends: Vec<Addend>,
    /// `None` for a network, which is made for its inputs.
    mapping: Option<Box<dyn Mapping>>,
}

/// A block of extra variables.
pub(super) struct Addend {
    /// Its place in the spec.
    pub(super) number: usize,
    /// The side matrix.
    pub(super) side: Option<Mat>,
    /// Q as it is saved.
    pub(super) q: Mat,
}

fn misfit(file: String, expected: String, found: String) -> DataError {
    DataError::Shape { file, expected, found, hint: None }
}

/// Whether a block predicts entries that were not seen.
pub fn predicts(kind: &str) -> bool {
    kind != outliers::KIND.name
}

impl Model {
    /// Puts the parts of a run together: `extras` has one matrix per block of the spec (of outliers nothing is used); `run` names
    /// the folder in messages.
    ///
    /// # Errors
    /// [`DataError`] if they do not fit each other.
    pub fn new(
        spec: Spec,
        remembered: Remembered,
        factors: Factors,
        extras: Vec<Mat>,
        run: &str,
    ) -> Result<Self, DataError> {
        let sizes = &remembered.sizes;
        let (m, n) = (sizes[0], sizes[1..].iter().product());
        if let Some(AppliedTransform::Columns { offset, .. }) = &remembered.transform
            && spec.data.operator.is_none()
            && offset.len() != n
        {
            let expected = format!("{n} columns that were transformed");
            return Err(misfit(format!("{run}/model.json"), expected, offset.len().to_string()));
        }
        let kind = mapping::kind(&spec.mapping).expect("registered");
        if kind.factors != Count::Indices && sizes.len() != 2 {
            let expected = format!("two sizes, as the {} mapping has", spec.mapping);
            return Err(misfit(format!("{run}/model.json"), expected, format!("{sizes:?}")));
        }
        let mapping = (!kind.needs_inputs).then(|| spec::build_mapping(&spec, sizes, None));
        let rows = match (&mapping, &remembered.inputs) {
            (Some(mapping), _) => mapping.factor_rows((m, n)),
            (None, Some(i)) => {
                // the network's shapes do not depend on its samples
                let none = Mat::zeros(0, i.names.len() + usize::from(i.bias));
                spec::build_mapping(&spec, &[], Some(&none)).factor_rows((m, n))
            }
            (None, None) => {
                let expected = "the inputs of the network".into();
                return Err(misfit(format!("{run}/model.json"), expected, "none".into()));
            }
        };
        for (k, (x, rows)) in factors.0.iter().zip(&rows).enumerate() {
            if x.nrows() != *rows || x.ncols() != factors.rank() {
                return Err(misfit(
                    format!("{run}/factors/X{}.npy", k + 1),
                    format!("{rows} x {}, as the model has", factors.rank()),
                    format!("{} x {}", x.nrows(), x.ncols()),
                ));
            }
        }
        let mut addends = Vec::new();
        for (number, (e, q)) in spec.extras.iter().zip(extras).enumerate().filter(|(_, (e, _))| predicts(&e.kind)) {
            let side = e.side.as_ref().map(|s| Ok::<_, DataError>(read_factor(s)?.0)).transpose()?;
            if let Some(axis) = e.axis.filter(|a| *a >= sizes.len()) {
                let expected = format!("an axis from 1 to {} of extra `{}`", sizes.len(), e.kind);
                return Err(misfit(format!("{run}/spec.toml"), expected, (axis + 1).to_string()));
            }
            let length = e.axis.and_then(|a| sizes.get(a)).copied();
            if let (Some(side), Some(source)) = (side.as_ref().filter(|s| Some(s.nrows()) != length), &e.side) {
                let expected = format!("{} rows, one per index of its axis", length.unwrap_or(0));
                return Err(misfit(source.shown.clone(), expected, side.nrows().to_string()));
            }
            addends.push(Addend { number, side, q });
        }
        let model = Self { spec, remembered, factors, addends, mapping };
        if model.spec.data.operator.is_none() && !model.addends.is_empty() {
            memory::require(&format!("{run}/model.json"), (m as f64 + n as f64) * 16.0)?;
            let nowhere = Observations::Coordinates(Pattern::new(m, n, &[]).expect("no entry twice").0);
            for a in &model.addends {
                let (found, expected) = (a.q.shape(), model.map(a, &nowhere).shape());
                if found != expected {
                    let kind = &model.spec.extras[a.number].kind;
                    return Err(misfit(
                        format!("{run}/extras"),
                        format!("{} x {} values of extra `{kind}`", expected.0, expected.1),
                        format!("{} x {}", found.0, found.1),
                    ));
                }
            }
        }
        Ok(model)
    }

    /// The loss's kind.
    pub fn loss(&self) -> &'static crate::loss::Kind {
        crate::loss::kind(&self.spec.loss.kind).expect("registered")
    }

    /// Whether it is a network on inputs.
    pub fn is_network(&self) -> bool {
        self.mapping.is_none()
    }

    /// Sizes d_1 .. d_K of X.
    pub fn sizes(&self) -> &[usize] {
        &self.remembered.sizes
    }

    /// (m, n) of its unfolding d_1 x (d_2 .. d_K).
    pub fn shape(&self) -> (usize, usize) {
        let sizes = self.sizes();
        (sizes[0], sizes[1..].iter().product())
    }

    fn map(&self, a: &Addend, at: &Observations) -> Box<dyn extra::Extra> {
        let e = &self.spec.extras[a.number];
        let setup = extra::Setup { observations: at, sizes: self.sizes(), axis: e.axis, side: a.side.as_ref() };
        (extra::kind(&e.kind).expect("registered").build)(&setup)
    }

    /// X + A Q in observation order; of a problem with an operator X alone, as the rest belongs to measurements.
    fn field(&self, at: &Observations) -> Vec<f64> {
        let mapping = self.mapping.as_ref().expect("a network is asked on inputs");
        let mut x = mapping.apply(at, &self.factors);
        if self.spec.data.operator.is_none() {
            self.addends.iter().for_each(|a| self.map(a, at).add(a.q.as_slice(), &mut x));
        }
        x
    }

    /// X + A Q at entries (row, column) of the unfolding, in any order and as often as they are listed.
    pub fn at(&self, entries: &[(usize, usize)]) -> Vec<f64> {
        let (m, n) = self.shape();
        let mut distinct = entries.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let (pattern, _) = Pattern::new(m, n, &distinct).expect("no entry twice");
        let x = self.field(&Observations::Coordinates(pattern));
        entries.iter().map(|e| x[distinct.binary_search(e).expect("one of them")]).collect()
    }

    /// How many entries are best asked for at once: what each call costs by itself is then small beside them.
    pub fn batch(&self) -> usize {
        let (m, n) = self.shape();
        (m + n).clamp(1 << 16, 1 << 22)
    }

    /// X + A Q everywhere, first index fastest.
    ///
    /// # Errors
    /// [`DataError::Memory`] if it does not fit; `file` is what it is for.
    pub fn everywhere(&self, file: &str) -> Result<Vec<f64>, DataError> {
        let (rows, cols) = self.shape();
        memory::require(file, rows as f64 * cols as f64 * if self.addends.is_empty() { 24.0 } else { 48.0 })?;
        Ok(self.field(&Observations::Full { rows, cols }))
    }

    /// The indices of the entry in this row and column of the unfolding.
    pub fn indices(&self, entry: (usize, usize)) -> impl Iterator<Item = usize> {
        indices(self.sizes(), entry)
    }

    /// Number of inputs of the network, without the column of ones.
    pub fn inputs(&self) -> usize {
        self.remembered.inputs.as_ref().map_or(0, |i| i.names.len())
    }

    /// The outputs of the network, samples x outputs, for rows of inputs in the units of their file.
    pub fn outputs(&self, mut inputs: Mat) -> Mat {
        let (samples, outputs) = (inputs.nrows(), self.sizes()[1]);
        if let Some(known) = &self.remembered.inputs {
            for (j, mut column) in inputs.column_iter_mut().enumerate() {
                column.apply(|x| *x = (*x - known.mean[j]) / known.deviation[j]);
            }
            if known.bias {
                inputs = inputs.insert_column(known.names.len(), 1.0);
            }
        }
        let network = spec::build_mapping(&self.spec, &[], Some(&inputs));
        let at = Observations::Full { rows: samples, cols: outputs };
        Mat::from_vec(samples, outputs, network.apply(&at, &self.factors))
    }
}
