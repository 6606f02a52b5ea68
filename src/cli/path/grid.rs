//! The values of lambda, descending.

use super::super::args::PathArgs;
use super::super::failure::Usage;

/// Most points of a path.
const MOST_POINTS: usize = 10_000;

/// What the flags ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum Grid {
    /// Numbers.
    Absolute(Vec<f64>),
    /// Fractions of lambda_max.
    Relative(Vec<f64>),
}

impl Grid {
    /// As the flags say.
    ///
    /// # Errors
    /// [`Usage`] naming the flag.
    pub fn new(args: &PathArgs) -> Result<Self, Usage> {
        if !args.lambdas.is_empty() {
            return listed("--lambdas", &args.lambdas).map(Self::Absolute);
        }
        if !args.ratios.is_empty() {
            return listed("--ratios", &args.ratios).map(Self::Relative);
        }
        let (points, smallest) = (args.points, args.smallest);
        if !(2..=MOST_POINTS).contains(&points) {
            return Err(Usage(format!("--points {points}: expected a number from 2 to {MOST_POINTS}")));
        }
        if !(smallest > 0.0 && smallest < 1.0) {
            return Err(Usage(format!("--smallest {smallest}: expected a fraction of lambda_max between 0 and 1")));
        }
        let ratio = |k: usize| match k {
            0 => 1.0,
            k if k + 1 == points => smallest,
            k => smallest.powf(k as f64 / (points - 1) as f64),
        };
        Ok(Self::Relative((0..points).map(ratio).collect()))
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        let (Self::Absolute(all) | Self::Relative(all)) = self;
        all.len()
    }

    /// The value of `lambda` in the spec that makes its first point.
    pub fn first(&self) -> String {
        match self {
            Self::Absolute(all) => format!("{:?}", all[0]),
            Self::Relative(_) => "{ relative = 1.0 }".into(),
        }
    }

    /// lambda at a point.
    pub fn lambda(&self, point: usize, lambda_max: f64) -> f64 {
        match self {
            Self::Absolute(all) => all[point],
            Self::Relative(all) => all[point] * lambda_max,
        }
    }
}

/// Positive numbers, each once, brought into descending order.
fn listed(flag: &str, values: &[f64]) -> Result<Vec<f64>, Usage> {
    if let Some(bad) = values.iter().find(|x| !(x.is_finite() && **x > 0.0)) {
        return Err(Usage(format!("{flag}: found {bad}, expected numbers > 0, such as `{flag} 0.5,0.2,0.1`")));
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    match sorted.windows(2).find(|w| w[0] == w[1]) {
        Some(w) => Err(Usage(format!("{flag}: {} is listed twice", w[0]))),
        None => Ok(sorted),
    }
}
