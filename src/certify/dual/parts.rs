//! Fields as sums of parts, one for every pair of summands where gauges are sums of norms.

use super::majorant::field_below;
use super::{DualPoint, Kind, Proven, finish, uniform_lambda};
use crate::linalg::Mat;
use crate::linalg::sum::UNIT_ROUNDOFF;
use crate::polar::bound::product_sign;
use crate::polar::parts::Parts;
use crate::problem::Problem;

pub(super) fn prove(problem: &Problem, source: &str, blocks: &[Vec<f64>]) -> Option<Proven> {
    let (parts, lambda) = (Parts::of(problem)?, uniform_lambda(problem)?);
    let shapes = (0..parts.count()).map(|k| parts.part_shape(k));
    if blocks.len() != parts.count() || !blocks.iter().zip(shapes).all(|(s, (m, n))| m.checked_mul(n) == Some(s.len()))
    {
        return None;
    }
    let at = |c: f64| -> Vec<Mat> {
        (0..parts.count())
            .map(|k| {
                let (m, n) = parts.part_shape(k);
                Mat::from_iterator(m, n, blocks[k].iter().map(|x| c * x))
            })
            .collect()
    };
    let radius: f64 =
        problem.regularizer.gauges.iter().zip(problem.factor_rows()).map(|(g, n)| g.norm().l2_radius(n)).product();
    let upper = |blocks: &[Mat]| -> (f64, Mat) {
        let (sum, rounding) = parts.assemble(blocks);
        ((parts.upper(blocks) + rounding * radius * (1.0 + 8.0 * UNIT_ROUNDOFF)).next_up(), sum)
    };
    let (first, sum) = upper(&at(1.0));
    if !first.is_finite() {
        return None;
    }
    let largest = if first > 0.0 { lambda / first * (1.0 - 1e-14) } else { 1.0 };
    // scaled first, proven then: the blocks that are saved are the ones that are proven
    let prove = |c: f64| -> Option<(Vec<Mat>, Mat)> {
        let scaled = at(c);
        let (upper, sum) = upper(&scaled);
        (upper <= lambda).then_some((scaled, sum))
    };
    let point = |blocks: Vec<Mat>| DualPoint {
        source: source.into(),
        kind: Kind::Parts(blocks.into_iter().map(|s| s.data.into()).collect()),
    };
    let rows = problem.shape().0;
    if let Some(sign) = product_sign(problem) {
        let (scaled, sum) = prove(largest.min(1.0))?;
        let z = field_below(problem, sign, sum.as_slice())?;
        return finish(problem, z, point(scaled), "parts", 0.0);
    }
    let observed =
        |sum: &Mat| -> Vec<f64> { problem.observations.entries().map(|(i, j)| sum.as_slice()[j * rows + i]).collect() };
    let c = problem.loss.best_scale(problem.targets(), &observed(&sum), largest);
    let (scaled, sum) = prove(c)?;
    let z = observed(&sum);
    // it has to vanish where nothing is observed
    if z.iter().filter(|z| **z != 0.0).count() != sum.iter().filter(|z| **z != 0.0).count() {
        return None;
    }
    finish(problem, z, point(scaled), "parts", 0.0)
}
