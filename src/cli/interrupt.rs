//! Ctrl-C: once to stop with the best point, twice to abort.

use super::console;
use super::failure::INTERRUPTED;
use crate::budget::Budget;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What follows the first interrupt this soon is the same request: tools that end a process signal it and its group.
const SAME_REQUEST: Duration = Duration::from_millis(500);

/// A budget whose flag Ctrl-C (or a request to terminate) sets; the second request ends the process at once.
pub fn budget() -> Budget {
    let budget = Budget::unlimited();
    let flag = budget.interrupt_flag();
    let mut first = None;
    let installed = ctrlc::set_handler(move || {
        flag.store(true, Ordering::Relaxed);
        if let Some(at) = first {
            if Instant::now().duration_since(at) >= SAME_REQUEST {
                std::process::exit(i32::from(INTERRUPTED));
            }
            return;
        }
        first = Some(Instant::now());
        console::remark("interrupted: what is begun is brought to an end (once more: stops at once)");
    });
    if let Err(e) = installed {
        tracing::warn!("interrupts cannot be caught: {e}");
    }
    budget
}
