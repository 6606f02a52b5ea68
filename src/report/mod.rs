//! What people read: the problem in words ([`describe`]), the solver log ([`log`], for programs [`events`]), `trace.csv` ([`trace`]) and `report.md`
//! ([`markdown`]). Computes nothing: every number comes from elsewhere.

pub mod describe;
pub mod events;
pub mod explanation;
pub mod log;
pub mod markdown;
mod number;
pub mod path;
pub mod trace;
pub mod verdict;
