//! A stream of the stand-in, and kernels from their text.
#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaFunction, CudaStream, LaunchConfig};
use cudarc::nvrtc::{CompileOptions, compile_ptx_with_opts};
use xdnn_cuda_mock::{Exclusive, install};

/// The text of the runtime's device primitives.
pub const PRIMITIVES: &str =
    include_str!("../../../xdnn-runtime/src/backend/cuda/kernels/primitives.cuh");

/// The stand-in for one test.
pub fn exclusive() -> Exclusive<'static> {
    install().unwrap().exclusive()
}

/// A stream whose slices are not tracked by events, as captures need them.
pub fn stream() -> Arc<CudaStream> {
    let context = CudaContext::new(0).unwrap();
    // SAFETY: every slice of these tests is used on one stream.
    unsafe { context.disable_event_tracking() };
    context.new_stream().unwrap()
}

/// The kernel `name` of a text.
pub fn kernel(stream: &CudaStream, source: &str, name: &str) -> CudaFunction {
    let options = CompileOptions {
        arch: Some("sm_90a"),
        ..CompileOptions::default()
    };
    let program = compile_ptx_with_opts(source, options).unwrap();
    let module = stream.context().load_module(program).unwrap();
    module.load_function(name).unwrap()
}

/// A grid of one dimension without dynamic shared memory.
pub fn shape(blocks: u32, threads: u32) -> LaunchConfig {
    LaunchConfig {
        grid_dim: (blocks, 1, 1),
        block_dim: (threads, 1, 1),
        shared_mem_bytes: 0,
    }
}

/// Numbers in [-1, 1) that are the same in every run.
pub fn numbers(n: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from((state >> 16) as u16) / 32768.0 - 1.0
    };
    (0..n).map(|_| next()).collect()
}
