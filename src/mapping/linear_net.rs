//! Linear networks of several layers, `mapping.kind = "linear_net"`: [`super::relu_deep`] with the identity for activation.
//!
//! ```text
//! phi(X^1 .. X^K)   V X^1 .. X^K
//! ```
//!
//! Its products of Frobenius norms induce the nuclear norm: prod_k ||X^k||_F >= ||X^1 .. X^K||_*, with equality for one unit per
//! layer, so that the problem is convex in Z = sum_i X^1_i .. X^K_i: min l(V Z) + lambda ||Z||_*.

use super::relu_deep::ReluDeep;
use super::{Count, Kind};

/// Registration.
pub const KIND: Kind = Kind {
    name: "linear_net",
    summary: "X = sum of linear networks of several layers on the inputs V, each V X1 .. XK",
    factors: Count::Layers,
    needs_inputs: true,
    build: |s| Box::new(ReluDeep::new(KIND.name, s.inputs.expect("a network with inputs"), s.layers)),
};
