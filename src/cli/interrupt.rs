//! Ctrl-C: once to stop with the best point, twice to abort.

use super::console;
use super::failure::INTERRUPTED;
use crate::budget::Budget;
use std::sync::atomic::Ordering;

/// A budget whose flag Ctrl-C (or a request to terminate) sets; the second time ends the process at once.
pub fn budget() -> Budget {
    let budget = Budget::unlimited();
    let flag = budget.interrupt_flag();
    let installed = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        console::remark("interrupted: what is begun is brought to an end (once more: stops at once)");
    });
    if let Err(e) = installed {
        tracing::warn!("interrupts cannot be caught: {e}");
    }
    budget
}
