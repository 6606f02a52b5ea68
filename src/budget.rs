//! How long work may go on: a deadline and an interrupt flag, shared by every loop that can be stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A deadline (if any) and a flag that Ctrl-C sets. Cheap to clone; clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    deadline: Option<Instant>,
    interrupt: Arc<AtomicBool>,
}

impl Budget {
    /// No deadline; the flag is never set unless through [`Budget::interrupt_flag`].
    pub fn unlimited() -> Self {
        Self::default()
    }

    /// The same flag, stopping `limit` from now at the latest (an earlier deadline of `self` stands).
    pub fn within(&self, limit: Option<Duration>) -> Self {
        let end = limit.and_then(|d| Instant::now().checked_add(d));
        let deadline = match (self.deadline, end) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { deadline, interrupt: Arc::clone(&self.interrupt) }
    }

    /// The flag itself, to be set by a signal handler.
    pub fn interrupt_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.interrupt)
    }

    /// Whether the user asked to stop.
    pub fn interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }

    /// Whether the deadline has passed.
    pub fn out_of_time(&self) -> bool {
        self.deadline.is_some_and(|d| Instant::now() >= d)
    }

    /// Whether work should stop now, for either reason.
    pub fn exhausted(&self) -> bool {
        self.interrupted() || self.out_of_time()
    }

    /// Time left, `None` without a deadline.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|d| d.saturating_duration_since(Instant::now()))
    }
}
