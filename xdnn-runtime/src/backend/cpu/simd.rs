//! The instructions of this machine.

use std::sync::OnceLock;

use pulp::Arch;

/// The widest vectors that there are, found out once.
pub(super) fn arch() -> Arch {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    *ARCH.get_or_init(Arch::new)
}

/// Runs a loop that the compiler turns into such vectors; what it calls must be inlined.
#[inline]
pub(super) fn vectorised<R>(run: impl FnOnce() -> R) -> R {
    arch().dispatch(run)
}
