//! What people read: the problem in words ([`describe`]), the solver log ([`log`], for programs [`events`]), `trace.csv`
//! ([`trace`]), `report.md` ([`markdown`]) and `report.html` ([`html`], with [`plots`] of a [`portrait`]). Computes nothing:
//! every number comes from elsewhere.

pub mod describe;
pub mod events;
pub mod explanation;
pub mod html;
pub mod log;
pub mod markdown;
mod number;
pub mod path;
pub mod plots;
pub mod portrait;
pub mod trace;
pub mod verdict;
