//! Some images of the data beside what the model makes of them, where `output.images` says that rows or columns are images.

use crate::cli::session::Session;
use crate::data::TargetKind;
use crate::mapping::Factors;
use crate::report::plots::raster::Raster;
use crate::report::portrait::Sample;

/// How many are shown.
const SHOWN: usize = 8;

/// Evenly spaced images of a matrix: target, model, difference, in the units of the file.
pub fn samples(session: &Session, factors: &Factors, prediction: &[f64]) -> Vec<Sample> {
    let (problem, dataset) = (&session.problem, &session.dataset);
    let plain = problem.operator.is_none() && factors.0.len() == 2 && dataset.inputs.is_none();
    let Some(images) = session.spec.images.filter(|_| plain && dataset.resolved.kind == TargetKind::Real) else {
        return Vec::new();
    };
    // the images are lines across the factor's axis
    let across = 1 - images.factor;
    let count = factors.0[across].nrows();
    let chosen: Vec<usize> = (0..count.min(SHOWN)).map(|k| k * count / count.min(SHOWN)).collect();
    let mut place = vec![None; count];
    chosen.iter().enumerate().for_each(|(k, i)| place[*i] = Some(k));
    let (rows, cols) = images.shape;
    let blank = Raster { rows, cols, values: vec![f64::NAN; rows * cols] };
    let mut out: Vec<Sample> =
        chosen.iter().map(|&index| Sample { index, images: [blank.clone(), blank.clone(), blank.clone()] }).collect();
    for ((i, j), (y, x)) in dataset.places().entries().zip(dataset.y.iter().zip(prediction)) {
        let at = [i, j];
        if let Some(k) = place[at[across]] {
            let (y, x) = (dataset.original(j, *y), dataset.original(j, *x));
            for (image, value) in out[k].images.iter_mut().zip([y, x, y - x]) {
                image.values[at[images.factor]] = value;
            }
        }
    }
    // however fine the images are, the page stays small
    out.iter_mut().for_each(|s| s.images.iter_mut().for_each(|i| *i = i.shrunk(128, 128)));
    out
}
