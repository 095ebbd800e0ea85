//! The driver and NVRTC as cudarc uses them.
#![allow(clippy::unwrap_used)] // A helper of a test may fail as the test may.
#![allow(unsafe_code)] // Launches are unsafe.

use std::sync::Arc;

use cudarc::driver::{
    CudaContext, CudaFunction, CudaStream, DeviceRepr, LaunchConfig, PushKernelArg,
};
use cudarc::nvrtc::compile_ptx;
use xdnn_cuda_mock::{Exclusive, install};

fn exclusive() -> Exclusive<'static> {
    install().unwrap().exclusive()
}

fn stream() -> Arc<CudaStream> {
    let context = CudaContext::new(0).unwrap();
    // SAFETY: every slice of these tests is used on one stream.
    unsafe { context.disable_event_tracking() };
    context.new_stream().unwrap()
}

fn kernel(stream: &CudaStream, source: &str, name: &str) -> CudaFunction {
    let module = stream
        .context()
        .load_module(compile_ptx(source).unwrap())
        .unwrap();
    module.load_function(name).unwrap()
}

fn shape(grid: u32, block: u32) -> LaunchConfig {
    LaunchConfig {
        grid_dim: (grid, 1, 1),
        block_dim: (block, 1, 1),
        shared_mem_bytes: 0,
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Affine {
    scale: f32,
    shift: f64,
    add: [i32; 3],
}

// SAFETY: the kernel's structure has the same fields.
unsafe impl DeviceRepr for Affine {}

#[test]
fn arguments_are_pointers_numbers_and_structures() {
    let _mock = exclusive();
    let stream = stream();
    let f = kernel(
        &stream,
        r#"struct Affine { float scale; double shift; int add[3]; };
        extern "C" __global__ void __launch_bounds__(64) affine(float* y, const float* x, Affine a, char tag, unsigned long long n) {
            unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) y[i] = a.scale * x[i] + (float)a.shift + a.add[i % 3] + tag;
        }"#,
        "affine",
    );
    let x: Vec<f32> = (0..100_u16).map(f32::from).collect();
    let (from, mut to) = (
        stream.clone_htod(&x).unwrap(),
        stream.alloc_zeros::<f32>(100).unwrap(),
    );
    let affine = Affine {
        scale: 2.0,
        shift: 0.5,
        add: [10, 20, 30],
    };
    // SAFETY: the arguments are those of the kernel.
    unsafe {
        stream
            .launch_builder(&f)
            .arg(&mut to)
            .arg(&from)
            .arg(&affine)
            .arg(&1_i8)
            .arg(&100_u64)
            .launch(shape(2, 64))
            .unwrap()
    };
    let y = stream.clone_dtoh(&to).unwrap();
    for (i, y) in y.iter().enumerate() {
        assert_eq!(*y, 2.0 * x[i] + 0.5 + [10.0, 20.0, 30.0][i % 3] + 1.0);
    }
}

#[test]
fn a_block_sums_through_shuffles_and_shared_memory() {
    let mock = exclusive();
    let stream = stream();
    let f = kernel(
        &stream,
        r#"extern "C" __global__ void sum(float* y, const float* x, int n) {
            __shared__ float part[32];
            float s = 0;
            for (int i = threadIdx.x; i < n; i += blockDim.x) s += x[i];
            for (int o = 16; o; o >>= 1) s += __shfl_down_sync(0xffffffff, s, o);
            if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = s;
            __syncthreads();
            if (threadIdx.x < 32) {
                s = threadIdx.x < blockDim.x / 32 ? part[threadIdx.x] : 0;
                for (int o = 16; o; o >>= 1) s += __shfl_xor_sync(0xffffffff, s, o);
                if (threadIdx.x == 0) y[0] = s;
            }
        }"#,
        "sum",
    );
    let x = stream
        .clone_htod(&(0..1000_u16).map(f32::from).collect::<Vec<_>>())
        .unwrap();
    for order in 0..6 {
        mock.set_order(order);
        let mut y = stream.alloc_zeros::<f32>(1).unwrap();
        // SAFETY: the arguments are those of the kernel.
        unsafe {
            stream
                .launch_builder(&f)
                .arg(&mut y)
                .arg(&x)
                .arg(&1000_i32)
                .launch(shape(1, 256))
                .unwrap()
        };
        assert_eq!(stream.clone_dtoh(&y).unwrap(), [499_500.0]);
    }
}
