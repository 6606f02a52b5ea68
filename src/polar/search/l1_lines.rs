//! Where one factor has the l1 norm: the best slice of every line, exactly.
//!
//! ```text
//! line i, sign a:  u = a e_i / d_i,  v = the maximiser of gauge_v° at a Z_i,:
//! ```

use super::{Effort, Found, PolarSearch};
use crate::linalg::Mat;
use crate::mapping::Factors;
use crate::polar::bound::l1_lines::{axis, signs};
use crate::polar::field::{line, line_count};
use crate::problem::Problem;

/// Exact by lines.
#[derive(Debug)]
pub struct L1Lines;

impl PolarSearch for L1Lines {
    fn name(&self) -> &'static str {
        "l1_lines"
    }

    fn applies(&self, problem: &Problem) -> bool {
        axis(problem).is_some()
    }

    fn search(&self, problem: &Problem, z: &[f64], _warm: Option<&Factors>, effort: &Effort) -> Found {
        let axis = axis(problem).expect("called only where it applies");
        let (lone, other) = (&problem.regularizer.gauges[axis], &problem.regularizer.gauges[1 - axis]);
        let at = &problem.observations;
        let weight = |l: usize| lone.weights().map_or(1.0, |d| d[l]);
        let width = line_count(at, 1 - axis);
        let mut lines: Vec<(f64, usize, f64)> = Vec::new();
        for l in 0..line_count(at, axis) {
            let positions = line(at, axis, l);
            for &a in signs(lone) {
                let entries: Vec<_> = positions.iter().map(|&(j, p)| (j, a * z[p])).collect();
                lines.push((other.sparse_polar(width, &entries) / weight(l), l, a));
            }
        }
        lines.retain(|l| l.0 > 0.0);
        lines.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        lines.truncate(effort.keep);
        let rows = problem.factor_rows();
        let (mut x, mut y) = (Mat::zeros(rows[axis], lines.len()), Mat::zeros(rows[1 - axis], lines.len()));
        for (k, &(_, l, a)) in lines.iter().enumerate() {
            x[(l, k)] = a / weight(l);
            let mut full = vec![0.0; rows[1 - axis]];
            line(at, axis, l).into_iter().for_each(|(j, p)| full[j] = a * z[p]);
            other.polar_argmax(&mut full);
            y.column_mut(k).copy_from_slice(&full);
        }
        let values = lines.iter().map(|l| l.0).collect();
        Found { slices: Factors(if axis == 0 { vec![x, y] } else { vec![y, x] }), values }
    }
}
