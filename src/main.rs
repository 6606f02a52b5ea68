//! The homfac binary.
fn main() {}
