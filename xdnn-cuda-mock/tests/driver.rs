//! The driver and NVRTC as cudarc uses them.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]
#![allow(unsafe_code, reason = "launches are unsafe")]

mod common;

use std::ffi::CString;
use std::sync::Arc;

use common::{exclusive, kernel, shape, stream};
use cudarc::driver::sys::CUdevice_attribute_enum::*;
use cudarc::driver::sys::CUresult::{self, *};
use cudarc::driver::sys::CUstreamCaptureMode::*;
use cudarc::driver::sys::{self, CUfunction_attribute_enum::*};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaSlice, CudaStream, DeviceRepr, DriverError, LaunchConfig,
    PushKernelArg,
};
use cudarc::nvrtc::{CompileError, CompileOptions, Ptx, compile_ptx, compile_ptx_with_opts};
use xdnn_cuda_mock::Live;

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
        extern "C" __global__ void __launch_bounds__(64) affine(
            float* __restrict__ y, const float* __restrict__ x, const Affine a, char tag, unsigned long long n) {
            unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) y[i] = a.scale * x[i] + (float)a.shift + a.add[i % 3] + tag;
        }"#,
        "affine",
    );
    let x: Vec<f32> = (0..100_u8).map(f32::from).collect();
    let (from, mut to) = (
        stream.clone_htod(&x).unwrap(),
        stream.alloc_zeros::<f32>(100).unwrap(),
    );
    let affine = Affine {
        scale: 2.0,
        shift: 0.5,
        add: [10, 20, 30],
    };
    let mut launch = stream.launch_builder(&f);
    launch
        .arg(&mut to)
        .arg(&from)
        .arg(&affine)
        .arg(&1_i8)
        .arg(&100_u64);
    // SAFETY: the arguments are those of the kernel.
    unsafe { launch.launch(shape(2, 64)).unwrap() };
    for (i, y) in stream.clone_dtoh(&to).unwrap().iter().enumerate() {
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
            #pragma unroll
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
    let x: Vec<f32> = (0..1000_u16).map(f32::from).collect();
    let x = stream.clone_htod(&x).unwrap();
    for order in 0..6 {
        mock.set_order(order);
        let mut y = stream.alloc_zeros::<f32>(1).unwrap();
        let mut launch = stream.launch_builder(&f);
        launch.arg(&mut y).arg(&x).arg(&1000_i32);
        // SAFETY: the arguments are those of the kernel.
        unsafe { launch.launch(shape(1, 256)).unwrap() };
        assert_eq!(stream.clone_dtoh(&y).unwrap(), [499_500.0]);
    }
}

/// The threads, in the order in which they ran.
fn ran(order: i32) -> Vec<u32> {
    let mock = exclusive();
    mock.set_order(order);
    let stream = stream();
    let f = kernel(
        &stream,
        r#"extern "C" __global__ void ran(unsigned* y, unsigned* count) {
            y[atomicAdd(count, 1u)] = blockIdx.x * blockDim.x + threadIdx.x;
        }"#,
        "ran",
    );
    let (mut y, mut count) = (
        stream.alloc_zeros::<u32>(144).unwrap(),
        stream.alloc_zeros::<u32>(1).unwrap(),
    );
    let mut launch = stream.launch_builder(&f);
    launch.arg(&mut y).arg(&mut count);
    // SAFETY: the arguments are those of the kernel.
    unsafe { launch.launch(shape(3, 48)).unwrap() };
    stream.clone_dtoh(&y).unwrap()
}

#[test]
fn orders_are_orders_of_all_threads() {
    let forward: Vec<u32> = (0..144).collect();
    assert_eq!(ran(0), forward);
    assert_eq!(ran(1), (0..144).rev().collect::<Vec<_>>());
    for seed in 2..6 {
        let mut shuffled = ran(seed);
        assert_ne!(shuffled, forward);
        assert_eq!(shuffled, ran(seed));
        assert_ne!(shuffled, ran(seed + 1));
        shuffled.sort_unstable();
        assert_eq!(shuffled, forward);
    }
}

const STEP: &str = r#"
    extern "C" __global__ void step(float* y, const float* x, float by, int n) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) y[i] = x[i] + by;
    }"#;

fn step(
    stream: &CudaStream,
    f: &CudaFunction,
    y: &mut CudaSlice<f32>,
    x: &CudaSlice<f32>,
    by: f32,
) -> Result<(), DriverError> {
    let n = i32::try_from(y.len()).unwrap();
    let mut launch = stream.launch_builder(f);
    launch.arg(y).arg(x).arg(&by).arg(&n);
    // SAFETY: the arguments are those of the kernel.
    unsafe { launch.launch(shape(1, 32)) }.map(drop)
}

#[test]
fn a_captured_graph_runs_when_it_is_launched() {
    let mock = exclusive();
    let stream = stream();
    let f = kernel(&stream, STEP, "step");
    let mut x = stream.clone_htod(&[1.0_f32; 10]).unwrap();
    let mut y = stream.alloc_zeros::<f32>(10).unwrap();
    let mut z = stream.alloc_zeros::<f32>(10).unwrap();
    stream
        .begin_capture(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
        .unwrap();
    for by in [1.0, 2.0] {
        // The number is gone when the graph runs.
        step(&stream, &f, &mut y, &x, by).unwrap();
        stream.memcpy_dtod(&y, &mut z).unwrap();
        step(&stream, &f, &mut y, &z, by).unwrap();
    }
    let graph = stream
        .end_capture(sys::CUgraphInstantiate_flags(0))
        .unwrap()
        .unwrap();
    graph.upload().unwrap();
    assert_eq!(mock.launches(Some("step")), 0);
    assert_eq!(stream.clone_dtoh(&y).unwrap(), [0.0; 10]);
    for (i, first) in [(1, 1.0), (2, 5.0)] {
        stream.memcpy_htod(&[first; 10], &mut x).unwrap();
        graph.launch().unwrap();
        assert_eq!(stream.clone_dtoh(&y).unwrap(), [first + 4.0; 10]);
        assert_eq!(mock.launches(None), 4 * i);
    }
}

fn error<T>(result: Result<T, DriverError>) -> CUresult {
    result
        .err()
        .map_or(CUDA_SUCCESS, |DriverError(error)| error)
}

/// What waits for the device, or frees its memory, ends a capture.
#[test]
fn captures_forbid_what_waits() {
    let _mock = exclusive();
    let stream = stream();
    let mut x = stream.clone_htod(&[1.0_f32; 10]).unwrap();
    let context = Arc::clone(stream.context());
    let mode = CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
    let ended = |found: CUresult, expected: CUresult| {
        assert_eq!(found, expected);
        assert_eq!(
            stream.capture_status().unwrap(),
            sys::CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_INVALIDATED
        );
        let end = stream.end_capture(sys::CUgraphInstantiate_flags(0));
        assert_eq!(error(end), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    };
    stream.begin_capture(mode).unwrap();
    ended(
        error(stream.synchronize()),
        CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
    );
    stream.begin_capture(mode).unwrap();
    ended(
        error(context.synchronize()),
        CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
    );
    stream.begin_capture(mode).unwrap();
    // SAFETY: the memory is not used.
    ended(
        error(unsafe { cudarc::driver::result::malloc_sync(16) }),
        CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
    );
    stream.begin_capture(mode).unwrap();
    ended(
        error(context.load_module(compile_ptx(STEP).unwrap())),
        CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
    );

    // An event of another time is none of the graph's.
    let event = stream.record_event(None).unwrap();
    stream.begin_capture(mode).unwrap();
    ended(
        error(stream.wait(&event)),
        CUDA_ERROR_STREAM_CAPTURE_ISOLATION,
    );

    // Nothing of this reached the stream.
    assert_eq!(stream.clone_dtoh(&x).unwrap(), [1.0; 10]);
    stream.memset_zeros(&mut x).unwrap();
    assert_eq!(stream.clone_dtoh(&x).unwrap(), [0.0; 10]);
    assert_eq!(
        error(stream.context().default_stream().begin_capture(mode)),
        CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED
    );
    assert_eq!(
        error(stream.end_capture(sys::CUgraphInstantiate_flags(0))),
        CUDA_ERROR_ILLEGAL_STATE
    );
}

#[test]
fn captures_fork_and_join_through_events() {
    let _mock = exclusive();
    let stream = stream();
    let other = stream.context().new_stream().unwrap();
    let f = kernel(&stream, STEP, "step");
    let x = stream.clone_htod(&[1.0_f32; 10]).unwrap();
    let mut y = stream.alloc_zeros::<f32>(10).unwrap();
    let (fork, join) = (
        stream.context().new_event(None).unwrap(),
        stream.context().new_event(None).unwrap(),
    );
    for joined in [true, false] {
        stream
            .begin_capture(CU_STREAM_CAPTURE_MODE_RELAXED)
            .unwrap();
        fork.record(&stream).unwrap();
        other.wait(&fork).unwrap();
        step(&other, &f, &mut y, &x, 1.0).unwrap();
        join.record(&other).unwrap();
        if joined {
            stream.wait(&join).unwrap();
        }
        let graph = stream.end_capture(sys::CUgraphInstantiate_flags(0));
        if joined {
            graph.unwrap().unwrap().launch().unwrap();
            assert_eq!(stream.clone_dtoh(&y).unwrap(), [2.0; 10]);
        } else {
            assert_eq!(error(graph), CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
        }
    }
}

/// A graph that uses memory which was freed after its capture.
#[test]
fn a_replay_after_its_memory_was_freed() {
    let mock = exclusive();
    let stream = stream();
    let f = kernel(&stream, STEP, "step");
    let x = stream.clone_htod(&[1.0_f32; 10]).unwrap();
    let mut y = stream.alloc_zeros::<f32>(10).unwrap();
    stream
        .begin_capture(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
        .unwrap();
    step(&stream, &f, &mut y, &x, 1.0).unwrap();
    let graph = stream
        .end_capture(sys::CUgraphInstantiate_flags(0))
        .unwrap()
        .unwrap();
    graph.launch().unwrap();
    drop(x);
    let _in_its_place = stream.clone_htod(&[1.0_f32; 10]).unwrap();
    assert_eq!(error(graph.launch()), CUDA_ERROR_ILLEGAL_ADDRESS);
    assert!(mock.message().contains("freed"), "{}", mock.message());
}

#[test]
fn functions_fail_when_they_are_asked_to() {
    let mock = exclusive();
    let stream = stream();
    let out_of_memory = CUDA_ERROR_OUT_OF_MEMORY as i32;
    mock.set_pools(false);
    mock.fail("cuMemAlloc", 2, out_of_memory);
    mock.fail("cuMemAlloc_v2", 3, CUDA_ERROR_ECC_UNCORRECTABLE as i32);
    let stream = {
        drop(stream);
        common::stream()
    };
    let allocate = || error(stream.alloc_zeros::<f32>(10));
    assert_eq!(
        [allocate(), allocate(), allocate(), allocate()],
        [
            CUDA_SUCCESS,
            CUDA_ERROR_OUT_OF_MEMORY,
            CUDA_ERROR_ECC_UNCORRECTABLE,
            CUDA_SUCCESS
        ]
    );
    assert_eq!(mock.calls("cuMemAlloc"), 4);

    mock.fail("cuStreamSynchronize", 0, CUDA_ERROR_LAUNCH_FAILED as i32);
    for _ in 0..3 {
        assert_eq!(error(stream.synchronize()), CUDA_ERROR_LAUNCH_FAILED);
    }
    mock.fail("*", 0, CUDA_ERROR_ILLEGAL_ADDRESS as i32);
    assert_eq!(allocate(), CUDA_ERROR_ILLEGAL_ADDRESS);
    mock.reset();
    stream.synchronize().unwrap();
    assert_eq!(mock.calls("cuMemAlloc"), 0);
}

#[test]
fn what_is_not_freed_is_counted() {
    let mock = exclusive();
    let before = mock.live();
    assert_eq!(before, Live::default());
    {
        let stream = stream();
        let f = kernel(&stream, STEP, "step");
        let mut x = stream.alloc_zeros::<f32>(10).unwrap();
        let event = stream.context().new_event(None).unwrap();
        // SAFETY: the memory is not read.
        let pinned = unsafe { stream.context().alloc_pinned::<f32>(16) }.unwrap();
        stream
            .begin_capture(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
            .unwrap();
        stream.memset_zeros(&mut x).unwrap();
        let graph = stream
            .end_capture(sys::CUgraphInstantiate_flags(0))
            .unwrap();
        let expected = Live {
            allocations: 1,
            bytes: 40,
            pinned: 1,
            streams: 1,
            events: 2,
            modules: 1,
            graphs: 1,
            executables: 1,
            contexts: 1,
        };
        assert_eq!(mock.live(), expected);
        drop((f, x, event, pinned, graph));
    }
    assert_eq!(mock.live(), Live::default());
    assert_eq!(mock.programs(), 0);
    let leaked = stream().alloc_zeros::<u8>(3).unwrap().leak();
    assert_eq!((mock.live().allocations, mock.live().bytes), (1, 3));
    // SAFETY: the address is that of a leaked slice, whose stream outlives this.
    unsafe {
        let stream = stream();
        drop(stream.upgrade_device_ptr::<u8>(leaked, 3));
    }
    assert_eq!(mock.live(), Live::default());
}

#[test]
fn memory_is_as_large_as_it_was_set() {
    let mock = exclusive();
    for pools in [true, false] {
        mock.set_pools(pools);
        mock.set_memory(1000);
        let stream = stream();
        assert_eq!(stream.context().mem_get_info().unwrap(), (1000, 1000));
        let most = stream.alloc_zeros::<u8>(900).unwrap();
        assert_eq!(
            error(stream.alloc_zeros::<u8>(101)),
            CUDA_ERROR_OUT_OF_MEMORY
        );
        assert_eq!(stream.context().mem_get_info().unwrap(), (100, 1000));
        drop(most);
        assert_eq!(error(stream.alloc_zeros::<u8>(1000)), CUDA_SUCCESS);
        assert_eq!(
            mock.calls(if pools {
                "cuMemAllocAsync"
            } else {
                "cuMemAlloc"
            }),
            3
        );
    }
}

#[test]
fn the_device_is_an_h100_unless_told_otherwise() {
    let mock = exclusive();
    let context = CudaContext::new(0).unwrap();
    assert_eq!(context.compute_capability().unwrap(), (9, 0));
    assert_eq!(
        context
            .attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
            .unwrap(),
        132
    );
    assert_eq!(
        context
            .attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)
            .unwrap(),
        227 << 10
    );
    mock.set_attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR as i32, 7);
    assert_eq!(context.compute_capability().unwrap(), (7, 0));
    assert_eq!(error(CudaContext::new(1)), CUDA_ERROR_INVALID_DEVICE);
    drop(context);
    mock.set_devices(0);
    assert_eq!(error(CudaContext::new(0)), CUDA_ERROR_NO_DEVICE);
    mock.reset();
    assert_eq!(error(CudaContext::new(0)), CUDA_SUCCESS);
}

#[test]
fn more_shared_memory_is_had_for_the_asking() {
    let _mock = exclusive();
    let stream = stream();
    let text = format!(
        "{}\n{}",
        common::PRIMITIVES,
        r#"extern "C" __global__ void large(float* y, int n) {
            DYNAMIC_SHARED(float, tile);
            __shared__ float one[256];
            one[threadIdx.x] = 1;
            tile[n - 1] = 2;
            y[0] = tile[n - 1] + one[0];
        }"#
    );
    let f = kernel(&stream, &text, "large");
    assert_eq!(
        f.get_attribute(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)
            .unwrap(),
        1024
    );
    assert_eq!(
        f.get_attribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)
            .unwrap(),
        47 << 10
    );
    let mut y = stream.alloc_zeros::<f32>(1).unwrap();
    let mut launch = |bytes: i32| {
        let config = LaunchConfig {
            shared_mem_bytes: bytes as u32,
            ..shape(1, 1)
        };
        let n = bytes / 4;
        let mut launch = stream.launch_builder(&f);
        launch.arg(&mut y).arg(&n);
        // SAFETY: the arguments are those of the kernel.
        error(unsafe { launch.launch(config) })
    };
    let most = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    assert_eq!(launch(47 << 10), CUDA_SUCCESS);
    assert_eq!(launch(48 << 10), CUDA_ERROR_INVALID_VALUE);
    assert_eq!(
        error(f.set_attribute(most, 227 << 10)),
        CUDA_ERROR_INVALID_VALUE
    );
    f.set_attribute(most, 226 << 10).unwrap();
    assert_eq!(launch(226 << 10), CUDA_SUCCESS);
    assert_eq!(stream.clone_dtoh(&y).unwrap(), [3.0]);
}

/// Work that is put off shows who forgets to wait for it.
#[test]
fn deferred_work_is_done_when_it_is_waited_for() {
    let mock = exclusive();
    mock.set_deferred(true);
    let (stream, other) = (stream(), stream().context().new_stream().unwrap());
    let f = kernel(&stream, STEP, "step");
    // SAFETY: it is written before it is read.
    let mut pinned = unsafe { stream.context().alloc_pinned::<f32>(10) }.unwrap();
    let mut source = vec![1.0_f32; 10];
    let x = stream.clone_htod(&source).unwrap();
    // Memory that is not pinned is read before the call returns.
    source.fill(7.0);
    let mut y = stream.alloc_zeros::<f32>(10).unwrap();
    step(&stream, &f, &mut y, &x, 1.0).unwrap();
    stream.memcpy_dtoh(&y, &mut pinned).unwrap();
    let event = stream.record_event(None).unwrap();
    assert_eq!(mock.launches(None), 0);
    other.wait(&event).unwrap();
    let mut z = other.alloc_zeros::<f32>(10).unwrap();
    step(&other, &f, &mut z, &y, 1.0).unwrap();
    assert_eq!(mock.launches(None), 0);
    assert!(!event.is_complete());
    assert_eq!(mock.launches(None), 1);
    assert!(event.is_complete());
    assert_eq!(pinned.as_slice().unwrap(), [2.0; 10]);
    assert_eq!(other.clone_dtoh(&z).unwrap(), [3.0; 10]);
    // An error comes to light at the wait.
    let text = r#"extern "C" __global__ void trap() { __trap(); }"#;
    let trap = kernel(&stream, text, "trap");
    // SAFETY: the kernel takes no arguments.
    unsafe { stream.launch_builder(&trap).launch(shape(1, 1)).unwrap() };
    assert_eq!(error(stream.synchronize()), CUDA_ERROR_LAUNCH_FAILED);
    stream.synchronize().unwrap();
}

#[test]
fn copies_stay_within_allocations() {
    let mock = exclusive();
    let stream = stream();
    let x = stream.clone_htod(&[1_u8, 2, 3]).unwrap();
    let mut four = [0_u8; 4];
    let (address, _record) = cudarc::driver::DevicePtr::device_ptr(&x, &stream);
    // SAFETY: the driver refuses what lies outside.
    unsafe {
        use cudarc::driver::result;
        assert_eq!(
            error(result::memcpy_dtoh_sync(&mut four, address)),
            CUDA_ERROR_INVALID_VALUE
        );
        assert_eq!(
            error(result::memcpy_dtoh_sync(&mut four[..3], address)),
            CUDA_SUCCESS
        );
        assert_eq!(
            error(result::memset_d8_sync(address, 9, 4)),
            CUDA_ERROR_INVALID_VALUE
        );
        assert_eq!(
            error(result::memset_d8_sync(address + 1, 9, 2)),
            CUDA_SUCCESS
        );
        assert_eq!(
            error(result::free_sync(address + 1)),
            CUDA_ERROR_INVALID_VALUE
        );
    }
    assert_eq!(four, [1, 2, 3, 0]);
    assert_eq!(stream.clone_dtoh(&x).unwrap(), [1, 9, 9]);
    assert!(!mock.message().is_empty());
}

#[test]
fn mistakes_of_a_program_are_in_its_log() {
    let mock = exclusive();
    let log = |text: &str| match compile_ptx(text) {
        Err(CompileError::CompileError { log, .. }) => log.to_string_lossy().into_owned(),
        other => panic!("{other:?}"),
    };
    let found = log("extern \"C\" __global__ void f(float* y) {\n    y[0] = unknown;\n}");
    assert!(
        found.contains("default_program:2") && found.contains("unknown"),
        "{found}"
    );
    let found = log("extern \"C\" __global__ void f() { extern __shared__ float tile[]; }");
    assert!(found.contains("DYNAMIC_SHARED"), "{found}");
    let wrong = CompileOptions {
        options: vec!["--no-such-option".into()],
        ..CompileOptions::default()
    };
    assert!(compile_ptx_with_opts("", wrong).is_err());
    mock.fail("nvrtcCompileProgram", 1, 6);
    assert!(compile_ptx(STEP).is_err());
    assert!(compile_ptx(STEP).is_ok());
    assert_eq!(mock.programs(), 0);
}

#[test]
fn a_program_is_compiled_once() {
    let mock = exclusive();
    compile_ptx(STEP).unwrap();
    let builds = mock.builds();
    compile_ptx(STEP).unwrap();
    assert_eq!(mock.builds(), builds);
}

#[test]
fn kernels_are_found_wherever_they_stand() {
    let _mock = exclusive();
    let stream = stream();
    let text = r#"
        // __global__ void comment() {}
        #define NAMED(name, value) extern "C" __global__ void name(int* y) { y[0] = value + ADD; }
        extern "C" __global__ void declared(int* y);
        NAMED(first, 1)
        extern "C" { __global__ __launch_bounds__(max(32, 64), 2) void second(int* y) { y[0] = 2; } }
        template <int N> __global__ void generic(int* y) { y[0] = N; }
        const char* text() { return "__global__ void quoted() {}"; }
        __global__ void mangled(int* y) { y[0] = 3; }
        extern "C" __global__ void declared(int* y) { y[0] = 4 + sizeof(text()) * 0 + 0x1'0 * 0; }
        extern "C" __global__ void none() {}
    "#;
    let options = CompileOptions {
        options: vec!["-DADD=10".into(), "--std=c++17".into()],
        ..CompileOptions::default()
    };
    let module = stream
        .context()
        .load_module(compile_ptx_with_opts(text, options).unwrap())
        .unwrap();
    for (name, expected) in [
        ("first", 11),
        ("second", 2),
        ("_Z7mangledPi", 3),
        ("declared", 4),
    ] {
        let f = module.load_function(name).unwrap();
        let mut y = stream.alloc_zeros::<i32>(1).unwrap();
        // SAFETY: the arguments are those of the kernel.
        unsafe {
            stream
                .launch_builder(&f)
                .arg(&mut y)
                .launch(shape(1, 1))
                .unwrap()
        };
        assert_eq!(stream.clone_dtoh(&y).unwrap(), [expected]);
    }
    assert!(module.load_function("none").is_ok());
    for name in ["mangled", "quoted", "comment", "generic"] {
        assert_eq!(error(module.load_function(name)), CUDA_ERROR_NOT_FOUND);
    }
}

/// The binary of a program for an architecture, as NVRTC gives it.
fn binary(text: &str, architecture: &str) -> Option<Vec<u8>> {
    use cudarc::nvrtc::{result, sys};
    let text = CString::new(text).unwrap();
    let program = result::create_program(&text, None).unwrap();
    let mut size = 0;
    // SAFETY: the program lives until the end of this block, and there is room for what is written.
    unsafe {
        result::compile_program(program, &[format!("-arch={architecture}")]).unwrap();
        let known = sys::nvrtcGetCUBINSize(program, &raw mut size).result();
        let mut bytes = vec![0_u8; size];
        let given = sys::nvrtcGetCUBIN(program, bytes.as_mut_ptr().cast()).result();
        result::destroy_program(program).unwrap();
        known.and(given).ok().map(|()| bytes)
    }
}

/// A binary may be kept for longer than the object from which it was made.
#[test]
fn binaries_hold_their_object() {
    let _mock = exclusive();
    let stream = stream();
    let found = binary(STEP, "sm_90a").unwrap();
    let path = found.split(|&byte| byte == b'\n').nth(1).unwrap();
    let at = found
        .windows(path.len())
        .position(|bytes| bytes == path)
        .unwrap();
    let moved = [
        &found[..at],
        b"/nowhere/object.so".as_slice(),
        &found[at + path.len()..],
    ]
    .concat();
    for image in [found.clone(), moved] {
        let module = stream
            .context()
            .load_module(Ptx::from_binary(image))
            .unwrap();
        let f = module.load_function("step").unwrap();
        let x = stream.clone_htod(&[1.0_f32; 10]).unwrap();
        let mut y = stream.alloc_zeros::<f32>(10).unwrap();
        step(&stream, &f, &mut y, &x, 2.0).unwrap();
        assert_eq!(stream.clone_dtoh(&y).unwrap(), [3.0; 10]);
    }
    assert!(binary(STEP, "compute_90").is_none());
}

#[test]
fn what_is_no_module_is_none() {
    let _mock = exclusive();
    let context = CudaContext::new(0).unwrap();
    for text in [
        ".version 8.0",
        "// xdnn-cuda-mock",
        "// xdnn-cuda-mock\n/nowhere.so\n0\n",
    ] {
        let error = error(context.load_module(text.into()));
        assert_eq!(error, CUDA_ERROR_INVALID_IMAGE);
    }
}

/// As cudarc does unless it is told not to: slices carry events, and streams wait for each other's work.
#[test]
fn slices_are_tracked_by_events() {
    let mock = exclusive();
    for deferred in [false, true] {
        mock.set_deferred(deferred);
        let context = CudaContext::new(0).unwrap();
        let (one, two) = (context.new_stream().unwrap(), context.new_stream().unwrap());
        let f = kernel(&one, STEP, "step");
        let x = one.clone_htod(&[1.0_f32; 10]).unwrap();
        let mut y = two.alloc_zeros::<f32>(10).unwrap();
        step(&two, &f, &mut y, &x, 1.0).unwrap();
        let mut z = one.alloc_zeros::<f32>(10).unwrap();
        step(&one, &f, &mut z, &y, 1.0).unwrap();
        drop(x);
        assert_eq!(one.clone_dtoh(&z).unwrap(), [3.0; 10]);
    }
    assert_eq!(mock.live(), Live::default());
}
