//! What a prediction must know of the data that was fitted.

use super::csv::MOST_INDICES;
use super::dataset::{AppliedTransform, Dataset, Meaning};
use serde::{Deserialize, Serialize};

/// Version of the layout.
const FORMAT: u32 = 1;

/// `model.json` of a run folder: transforms as they were made, names of columns, labels and inputs. Nothing that is proven
/// rests on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    /// Version of the layout.
    pub format: u32,
    /// Sizes d_1 .. d_K of X.
    pub sizes: Vec<usize>,
    /// `null` for `transform = "none"`.
    pub transform: Option<AppliedTransform>,
    /// What the target's numbers stand for.
    #[serde(flatten)]
    pub meaning: Meaning,
    /// The inputs of a network.
    pub inputs: Option<RememberedInputs>,
}

/// How a network's inputs are made from columns of numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RememberedInputs {
    /// The columns' names, or numbers from 1.
    pub names: Vec<String>,
    /// Subtracted from each.
    pub mean: Vec<f64>,
    /// What each is then divided by.
    pub deviation: Vec<f64>,
    /// Whether a column of ones follows.
    pub bias: bool,
}

impl Remembered {
    /// What there is to remember.
    pub fn of(dataset: &Dataset) -> Self {
        let inputs = dataset.inputs.as_ref().map(|i| RememberedInputs {
            names: i.names.clone(),
            mean: i.mean.clone(),
            deviation: i.deviation.clone(),
            bias: i.values.ncols() > i.names.len(),
        });
        Self {
            format: FORMAT,
            sizes: dataset.sizes.clone(),
            transform: dataset.transform.clone(),
            meaning: dataset.meaning.clone(),
            inputs,
        }
    }

    /// From the text of `model.json`.
    ///
    /// # Errors
    /// A sentence saying what is wrong with it.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let read: Self = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let columns = read.sizes.iter().skip(1).try_fold(1usize, |n, d| n.checked_mul(*d));
        let most = i32::MAX as usize;
        if read.format != FORMAT {
            return Err(format!("format {}, this version reads {FORMAT}", read.format));
        }
        if !(2..=MOST_INDICES).contains(&read.sizes.len())
            || !read.sizes.iter().all(|d| (1..=most).contains(d))
            || columns.is_none_or(|n| n > most)
        {
            return Err(format!("sizes {:?} are not those of an array", read.sizes));
        }
        let fits = match &read.transform {
            Some(AppliedTransform::Columns { offset, scale }) => offset.len() == scale.len(),
            _ => true,
        };
        let same = |i: &RememberedInputs| i.mean.len() == i.names.len() && i.deviation.len() == i.names.len();
        if !fits || !read.inputs.as_ref().is_none_or(same) {
            return Err("its lists do not have one entry per column".into());
        }
        Ok(read)
    }

    /// The text of `model.json`.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data serialises");
        text.push('\n');
        text
    }
}
