//! homfac fits positively homogeneous factor models and proves how close the answer is to the global optimum.
//!
//! ```text
//! minimise over r, X^1..X^K, Q:   l(Phi_r(X^1..X^K) + A Q) + lambda * sum_i g(X_i^1..X_i^K) + H(Q)     (20)
//! ```
//!
//! Equation numbers refer to Haeffele & Vidal, "Global Optimality in Tensor Factorization, Deep Learning, and Beyond"
//! (arXiv:1506.07540). One sentence of architecture: data and a spec become a [`problem::Problem`]; Algorithm 1 ([`solve`])
//! moves factors downhill on it; [`certify`] looks at nothing but the problem and the factors and says what is proven; a run
//! folder keeps it all.
//!
//! The modules stand in layers and name only modules above themselves, in the order of the list below (enforced by a test);
//! [`budget`] may be named by all.

#![forbid(unsafe_code)]

pub mod budget;
pub mod linalg;

pub mod data;

pub mod cone;
pub mod gauge;
pub mod loss;
pub mod mapping;

pub mod extra;

pub mod problem;

pub mod polar;

pub mod certify;

pub mod solve;

pub mod spec;

pub mod predict;

pub mod run;

pub mod report;

pub mod cli;
