//! An upper bound of sigma_1 that holds with high probability, for matrices too large for a proof.
//!
//! ```text
//! P[ theta_k < (1 - e) lambda_1 ] <= 1.648 sqrt(n) exp(-sqrt(e) (2 k - 1))
//! lambda_1 <= theta_k / (1 - e)        but for this probability
//! ```
//!
//! theta_k: the largest Ritz value after k Lanczos steps on an n x n positive semidefinite matrix from a start that is uniform
//! on the sphere. Source: Kuczynski, Wozniakowski, "Estimating the largest eigenvalue by the power and Lanczos algorithms with
//! a random start", SIAM J. Matrix Anal. Appl. 13 (1992), Theorem 4.2. It speaks of exact arithmetic; the top Ritz value needs
//! no reorthogonalisation (what rounding does to it is of the size of rounding: Greenbaum 1989), and e is much larger.

use super::lanczos::{gaussian, tridiagonal_max};
use super::proven::scaled;
use super::sum::{UNIT_ROUNDOFF, gamma};
use super::{Gram, Layout, Mat};
use crate::budget::Budget;

/// Steps between two looks at the budget.
const STRIDE: usize = 16;

/// The steps k after which the bound is wrong with probability `failure` at most, for a slack e and a side n.
pub fn steps(n: usize, slack: f64, failure: f64) -> usize {
    (((1.648 * (n as f64).sqrt() / failure).ln() / slack.sqrt() + 1.0) / 2.0).ceil() as usize
}

/// A number that sigma_1 exceeds with probability `failure` at most, over the start drawn from `seed`; above sigma_1 by a
/// share of `slack` / 2 or a little less. `None` if the budget ends before the last step.
pub fn sigma_upper(w: &[f64], layout: Layout, slack: f64, failure: f64, seed: u64, budget: &Budget) -> Option<f64> {
    let (w, scale) = scaled(w)?;
    let gram = Gram::new(&w, layout);
    let n = layout.small_side();
    let steps = steps(n, slack, failure);
    let (mut alphas, mut betas) = (Vec::with_capacity(steps), Vec::with_capacity(steps));
    let mut x = gaussian(n, 1, seed);
    x /= x.norm();
    let (mut before, mut beta) = (Mat::zeros(n, 1), 0.0);
    for step in 0..steps {
        if step % STRIDE == 0 && budget.exhausted() {
            return None;
        }
        let mut y = gram.mul(&x) - &before * beta;
        let alpha = x.dot(&y);
        y -= &x * alpha;
        alphas.push(alpha);
        beta = y.norm();
        // the space is invariant: a start that lies in no smaller one has a part along the top
        if beta <= UNIT_ROUNDOFF * alphas[0].abs() {
            break;
        }
        betas.push(beta);
        before = std::mem::replace(&mut x, y / beta);
    }
    let (long, short) = gram.terms();
    let rounding = gamma(4 * (steps + long + short));
    Some((tridiagonal_max(&alphas, &betas) / (1.0 - slack)).sqrt() * (1.0 + rounding) / scale)
}
