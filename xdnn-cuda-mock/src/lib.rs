//! A stand-in for a CUDA device: code that uses the CUDA driver and NVRTC runs its whole way, kernels included, on a
//! machine without a GPU.
//!
//! [`install`] builds libraries with g++ and loads them under the names of `libcuda`, `libnvrtc` and `libcublas`, so that a later
//! `dlopen` of these names, such as cudarc's, finds them. NVRTC's stand-in compiles the very text of the kernels for
//! the host; the driver's stand-in runs each CUDA thread as a fiber, in an order that a test can choose; cuBLAS's has the products of
//! matrices in single precision.
//!
//! What goes wrong on a device, or would only sometimes, goes wrong here every time:
//!
//! - Device memory lies between inaccessible pages and is filled with NaN, as is shared memory at the start of every
//!   block. A kernel that leaves its memory gets `CUDA_ERROR_ILLEGAL_ADDRESS`; so does one that is given a pointer to
//!   freed memory.
//! - A warp runs as far as it can before the next warp runs: what a missing `__syncthreads` leaves to chance is NaN.
//! - Barriers and warp operations that not all threads reach end in `CUDA_ERROR_LAUNCH_FAILED`.
//! - Limits of launches and of stream capture are checked as the driver checks them.
//! - Every function can be made to fail ([`Mock::fail`]), and what is not freed is counted ([`Mock::live`]).
//!
//! Complaints go to stderr and are kept for [`Mock::message`].
//!
//! Blocks run one after another and a thread runs until it waits: a kernel whose threads or blocks spin on memory that
//! another one shall write never ends. Times mean nothing.

#![allow(unsafe_code)] // It loads libraries and calls them.

mod build;
mod mock;

pub use mock::{Exclusive, Live, Mock, install};
