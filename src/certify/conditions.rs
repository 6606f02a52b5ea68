//! The conditions of the theory at the written point. They explain a verdict; none of them makes one.

use super::certificate::{Condition, PolarInterval};
use crate::linalg::Mat;
use crate::mapping::Factors;
use crate::problem::Problem;

const TOLERANCE: f64 = 1e-6;
const NO_EXTRAS: &str = "there are no extra variables";

/// How far the point is from the first-order conditions, each relative to the scale of its slice.
pub struct Stationarity {
    /// max_i |<W, phi(X_i)> - g(X_i)| / max_i g(X_i)      (Lemma 14)
    pub equal_slices: f64,
    /// max over slices and factors of the excess of gauge_k°(grad_k <W, phi(X_i)>) over its value at stationarity: how far a
    /// slice could be improved by changing one factor alone.
    pub one_factor: f64,
}

/// Measures stationarity from Z = lambda W.
pub fn stationarity(problem: &Problem, x: &Factors, z: &[f64]) -> Stationarity {
    let r = x.rank();
    let p = f64::from(problem.mapping.degree());
    let pulls: Vec<Mat> = problem.pullbacks(z, x);
    let g: Vec<f64> = (0..r).map(|i| problem.regularizer.balanced_value(&x.slice(i))).collect();
    let top = g.iter().fold(0.0, |m: f64, g| m.max(*g));
    let mut out = Stationarity { equal_slices: 0.0, one_factor: 0.0 };
    for i in (0..r).filter(|&i| g[i] > 0.0) {
        // Euler: the sum over factors of <x^k, d/dx^k> is p <Z, phi>
        let inner: f64 = pulls.iter().zip(&x.0).map(|(d, x)| d.column(i).dot(&x.column(i))).sum::<f64>() / p;
        out.equal_slices = out.equal_slices.max((inner / problem.lambda - g[i]).abs() / top);
        let gauges = problem.regularizer.gauges_at(&x.slice(i));
        for (k, d) in pulls.iter().enumerate() {
            let others: f64 = if gauges.len() == 1 { p * gauges[0] } else { g[i] / gauges[k] };
            let reach = problem.regularizer.gauges[k].polar(d.column(i).as_slice()) / (problem.lambda * others);
            out.one_factor = out.one_factor.max(reach - 1.0);
        }
    }
    out
}

/// All conditions, with the contract's ids.
pub fn conditions(
    problem: &Problem,
    x: &Factors,
    s: &Stationarity,
    polar: &PolarInterval,
    bound: usize,
    extras: Option<f64>,
) -> Vec<Condition> {
    let degrees = (problem.mapping.degree(), problem.regularizer.degree());
    let r = x.rank();
    let smallest = (0..r).map(|i| problem.regularizer.value(&x.slice(i))).fold(f64::INFINITY, f64::min);
    let above = polar.lower - 1.0;
    let proven = polar.upper.map(|u| u - 1.0);
    vec![
        fact(
            "degree_match",
            "Def. 8",
            degrees.0 == degrees.1,
            format!("mapping and regularizer have degree {}", degrees.0),
        ),
        fact(
            "nondegenerate",
            "Def. 8",
            true,
            "g vanishes only at zero and bounds phi: gauges are norms on cones".into(),
        ),
        fact("loss_convex", "(A1)", true, "the loss is convex and differentiable".into()),
        fact(
            "extras_convex",
            "(A2)",
            true,
            extras.map_or(NO_EXTRAS, |_| "the penalties of the extra variables are convex").into(),
        ),
        fact("minimum_exists", "(A4)", true, "the loss is bounded below and lambda g grows in every slice".into()),
        measured("stationary", "Cor. 16", s.one_factor, "largest relative gain from changing one factor of one slice"),
        measured(
            "equal_slices",
            "Lemma 14",
            s.equal_slices,
            "<W, phi(X_i)> = g(X_i) for every slice, relative to the largest",
        ),
        Condition {
            id: "zero_slice".into(),
            source: "Thm 15".into(),
            value: (r > 0).then_some(smallest),
            tolerance: Some(0.0),
            holds: Some(r == 0 || smallest == 0.0),
            says: "a zero slice suggests optimality; the polar decides".into(),
        },
        Condition {
            id: "polar".into(),
            source: "(46)".into(),
            value: Some(above),
            tolerance: Some(TOLERANCE),
            // refuted by a slice found, affirmed only by a proof
            holds: if above > TOLERANCE { Some(false) } else { proven.filter(|p| *p <= TOLERANCE).map(|_| true) },
            says: "polar of -grad l / lambda, less 1, as found; holds only where the proven upper end says so".into(),
        },
        match extras {
            None => fact("extras_optimal", "(39)", true, NO_EXTRAS.into()),
            Some(excess) => measured(
                "extras_optimal",
                "(39)",
                excess,
                "A'(-grad l) is a subgradient of H at Q, relative to its scale",
            ),
        },
        Condition {
            id: "rank_bound".into(),
            source: "Cor. 18".into(),
            value: Some(r as f64),
            tolerance: Some(bound as f64),
            holds: Some(r <= bound),
            says: format!("{r} slices; {bound} always suffice"),
        },
    ]
}

fn fact(id: &'static str, source: &'static str, holds: bool, says: String) -> Condition {
    Condition { id: id.into(), source: source.into(), value: None, tolerance: None, holds: Some(holds), says }
}

fn measured(id: &'static str, source: &'static str, value: f64, says: &str) -> Condition {
    Condition {
        id: id.into(),
        source: source.into(),
        value: Some(value),
        tolerance: Some(TOLERANCE),
        holds: Some(value <= TOLERANCE),
        says: says.into(),
    }
}
