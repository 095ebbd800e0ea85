//! CUDA's functions for `luminal_cuda` 0.2, found when they are called.
//!
//! `luminal_cuda` links with the CUDA toolkit; but with the feature `ci-check` of `luminal_cudarc` it leaves the 42 functions
//! that it calls undefined. This crate defines them: each looks itself up in `libcuda`, `libnvrtc` or `libcublas`, which are
//! loaded when they are first needed. So programs build and start on machines without any of them; [`probe`] tells what is
//! missing, before `luminal_cuda` would panic.

#![allow(
    unsafe_code,
    reason = "functions of C under the names that `luminal_cudarc` calls"
)]

mod library;
mod probe;
mod trampolines;

pub use probe::{Unavailable, probe};
