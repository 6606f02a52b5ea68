//! CPU time: what a measurement means on a machine that is shared.

use rustix::time::{ClockId, clock_gettime};

/// CPU seconds that this process has used, all threads.
pub fn cpu_s() -> f64 {
    let t = clock_gettime(ClockId::ProcessCPUTime);
    t.tv_sec as f64 + 1e-9 * t.tv_nsec as f64
}
