//! The instructions of this machine.

use std::sync::OnceLock;

use pulp::{Arch, Simd, WithSimd};

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

/// The numbers in a vector of this machine.
pub(super) fn lanes() -> usize {
    struct Lanes;

    impl WithSimd for Lanes {
        type Output = usize;

        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }

    arch().dispatch(Lanes)
}

/// `a` or `b`, without a branch. As a conditional expression it becomes one, five times as slow on data without order.
#[inline(always)]
pub(super) fn select(condition: bool, a: f32, b: f32) -> f32 {
    let mask = u32::from(condition).wrapping_neg();
    f32::from_bits((a.to_bits() & mask) | (b.to_bits() & !mask))
}
