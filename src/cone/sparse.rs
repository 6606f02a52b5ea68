//! Vectors with few nonzeros, `cone = { kind = "sparse", nonzeros = n }`. A cone, and not a convex one.
//!
//! Projection: the n largest |x_i| stay (of equal ones the first), the rest becomes 0. It is the nearest point, yet not a
//! contraction.
//!
//! What remains of the theory: g stays positively homogeneous, so Omega stays convex, and every lower bound and every slice
//! found by the polar search is as good as ever. What is lost: a stationary point is one that no single slice's best update
//! improves, and the upper ends of the polar mostly forget the cone, so gaps may stay.

use super::{Cone, Kind, Parameters};

/// {x : at most `nonzeros` entries are not 0}.
#[derive(Debug)]
pub struct Sparse {
    nonzeros: usize,
}

/// Registration.
pub const KIND: Kind = Kind {
    name: "sparse",
    summary: "at most `nonzeros` entries are not 0; not convex",
    keys: &["nonzeros"],
    build,
    example: |n| Some(Box::new(Sparse { nonzeros: (n / 2).max(1) })),
};

fn build(parameters: &Parameters) -> Result<Box<dyn Cone>, String> {
    match parameters.nonzeros {
        Some(nonzeros) if nonzeros > 0 => Ok(Box::new(Sparse { nonzeros })),
        _ => Err("`sparse` needs `nonzeros`, a whole number of at least 1".into()),
    }
}

impl Cone for Sparse {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn project(&self, x: &mut [f64]) {
        if self.nonzeros >= x.len() {
            return;
        }
        let mut order: Vec<usize> = (0..x.len()).collect();
        order.select_nth_unstable_by(self.nonzeros, |&i, &j| x[j].abs().total_cmp(&x[i].abs()).then(i.cmp(&j)));
        order[self.nonzeros..].iter().for_each(|&i| x[i] = 0.0);
    }

    fn is_convex(&self) -> bool {
        false
    }

    fn any_metric(&self) -> bool {
        false
    }

    fn is_even(&self) -> bool {
        true
    }

    fn violation(&self, x: &[f64]) -> Option<(usize, f64)> {
        if let Some(i) = x.iter().position(|x| x.is_nan()) {
            return Some((i, x[i]));
        }
        (0..x.len()).filter(|&i| x[i] != 0.0).nth(self.nonzeros).map(|i| (i, x[i]))
    }
}
