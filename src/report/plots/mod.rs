//! Pictures as text: charts with axes as SVG ([`chart`]), tables of numbers as PNG inside it or beside it ([`raster`]). What is
//! drawn lies between 0 and 1 by then ([`axis`]), so no number is too large or too small to be drawn; sizes are bounded.

pub mod axis;
pub mod chart;
pub mod colour;
pub mod raster;

pub use axis::Axis;
pub use chart::{Chart, Mark};
