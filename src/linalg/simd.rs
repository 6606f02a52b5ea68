//! Hot loops compiled for the widest vector unit the machine has.

/// Runs `f`, whose inlined loops the compiler vectorises for the instruction set found at run time: a portable binary would
/// otherwise keep to the 128-bit baseline. Only what is inlined into `f` benefits.
#[inline(always)]
pub fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(f)
}
