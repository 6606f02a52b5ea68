//! How much memory there is, so that what cannot fit is refused before it is allocated.

use super::error::DataError;

/// Bytes of memory of this machine; `u64::MAX / 8` where that cannot be told.
pub fn machine_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    text.lines()
        .find_map(|l| l.strip_prefix("MemTotal:"))
        .and_then(|l| l.trim().strip_suffix("kB"))
        .and_then(|l| l.trim().parse::<u64>().ok())
        .map_or(u64::MAX / 8, |kb| kb.saturating_mul(1024))
}

/// Refuses what needs more than the machine has.
///
/// # Errors
/// [`DataError::Memory`] with the estimate.
pub fn require(file: &str, bytes: f64) -> Result<(), DataError> {
    let machine = machine_bytes() as f64;
    if bytes > machine {
        return Err(DataError::Memory { file: file.into(), needed_gb: bytes / 1e9, machine_gb: machine / 1e9 });
    }
    Ok(())
}
