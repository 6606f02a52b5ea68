//! The laws that losses, gauges, cones, mappings and the linear algebra under them obey, run over the registries: a kind
//! that is registered is tested, and none is named here.
//!
//! A law is a function from an implementation and a random generator to `Result<(), String>`. Beside each law stand its
//! mutants: wrong implementations that it must reject on some of the same draws, or it would say nothing.

mod cone;
mod draw;
mod extra;
mod gauge;
mod linalg;
mod loss;
mod mapping;
mod proven;
mod reduce;
