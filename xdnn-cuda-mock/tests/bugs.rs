//! Kernels with a mistake in them, and that the stand-in finds it in every order of threads.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing helper is a failing test"
)]
#![allow(unsafe_code, reason = "launches are unsafe")]

mod common;

use common::{PRIMITIVES, exclusive, kernel, numbers, shape, stream};
use cudarc::driver::sys::CUresult::{self, *};
use cudarc::driver::{DriverError, LaunchConfig, PushKernelArg};
use xdnn_cuda_mock::Mock;

/// Runs `f(y, x, n)` with `n` elements in each of `x` and `y`, and returns what is in `y` then.
fn run(text: &str, n: usize, config: LaunchConfig) -> Result<Vec<f32>, CUresult> {
    let stream = stream();
    let f = kernel(&stream, &format!("{PRIMITIVES}\n{text}"), "f");
    let x = stream.clone_htod(&numbers(n)).unwrap();
    let mut y = stream.alloc_zeros::<f32>(n).unwrap();
    let count = i32::try_from(n).unwrap();
    let mut launch = stream.launch_builder(&f);
    launch.arg(&mut y).arg(&x).arg(&count);
    // SAFETY: the arguments are those of the kernel; its mistakes are what is looked for.
    let outcome = unsafe { launch.launch(config) };
    match outcome {
        Ok(_) => Ok(stream.clone_dtoh(&y).unwrap()),
        Err(DriverError(error)) => Err(error),
    }
}

fn with_shared(mut config: LaunchConfig, bytes: u32) -> LaunchConfig {
    config.shared_mem_bytes = bytes;
    config
}

fn in_every_order(mut test: impl FnMut(&Mock)) {
    let mock = exclusive();
    for order in 0..5 {
        mock.set_order(order);
        test(&mock);
    }
}

/// The launch ends in `error` and a complaint that holds `words`.
fn refused(text: &str, n: usize, config: LaunchConfig, error: CUresult, words: &str) {
    in_every_order(|mock| {
        assert_eq!(run(text, n, config), Err(error));
        assert!(mock.message().contains(words), "{}", mock.message());
    });
}

/// The launch succeeds, and leaves NaN behind.
fn poisoned(text: &str, n: usize, config: LaunchConfig) {
    in_every_order(|_| {
        let y = run(text, n, config).unwrap();
        assert!(y.iter().any(|y| y.is_nan()), "{y:?}");
    });
}

/// The same kernel without its mistake.
fn sound(text: &str, n: usize, config: LaunchConfig) {
    in_every_order(|_| {
        let y = run(text, n, config).unwrap();
        assert!(y.iter().all(|y| y.is_finite()), "{y:?}");
    });
}

const REVERSED: &str = r#"extern "C" __global__ void f(float* y, const float* x, int n) {
    __shared__ float tile[128];
    tile[threadIdx.x] = x[threadIdx.x];
    BARRIER
    y[threadIdx.x] = tile[127 - threadIdx.x];
}"#;

#[test]
fn a_missing_barrier() {
    sound(
        &REVERSED.replace("BARRIER", "__syncthreads();"),
        128,
        shape(1, 128),
    );
    poisoned(&REVERSED.replace("BARRIER", ""), 128, shape(1, 128));
}

#[test]
fn a_missing_barrier_within_a_warp() {
    let text = r#"extern "C" __global__ void f(float* y, const float* x, int n) {
        __shared__ float tile[32];
        tile[threadIdx.x] = x[threadIdx.x];
        BARRIER
        y[threadIdx.x] = tile[31 - threadIdx.x];
    }"#;
    sound(&text.replace("BARRIER", "__syncwarp();"), 32, shape(1, 32));
    poisoned(&text.replace("BARRIER", ""), 32, shape(1, 32));
}

/// A tile that is used twice: without the second barrier a fast warp overwrites what a slow one still reads.
#[test]
fn a_missing_barrier_before_shared_memory_is_used_again() {
    let text = r#"extern "C" __global__ void f(float* y, const float* x, int n) {
        __shared__ float tile[128];
        float sum = 0;
        for (int i = 0; i < 2; i++) {
            tile[threadIdx.x] = i;
            __syncthreads();
            sum += tile[127 - threadIdx.x] == i ? 0 : 1;
            BARRIER
        }
        y[threadIdx.x] = sum;
    }"#;
    let wrong = |text: &str| {
        run(text, 128, shape(1, 128))
            .unwrap()
            .iter()
            .any(|&y| y != 0.0)
    };
    in_every_order(|_| {
        assert!(!wrong(&text.replace("BARRIER", "__syncthreads();")));
        assert!(wrong(&text.replace("BARRIER", "")));
    });
}

const STAGED: &str = r#"extern "C" __global__ void f(float* y, const float* x, int n) {
    DYNAMIC_SHARED(float, tile);
    copy_async_4(tile + threadIdx.x, x + threadIdx.x, true);
    copy_async_commit();
    WAIT
    BARRIER
    y[threadIdx.x] = tile[threadIdx.x ^ 33];
}"#;

fn staged(wait: &str, barrier: &str) -> String {
    STAGED.replace("WAIT", wait).replace("BARRIER", barrier)
}

#[test]
fn a_missing_wait_for_an_asynchronous_copy() {
    let config = with_shared(shape(1, 64), 256);
    sound(
        &staged("copy_async_wait<0>();", "__syncthreads();"),
        64,
        config,
    );
    poisoned(&staged("", "__syncthreads();"), 64, config);
    poisoned(
        &staged("copy_async_wait<1>();", "__syncthreads();"),
        64,
        config,
    );
    poisoned(&staged("copy_async_wait<0>();", ""), 64, config);
}

/// A product of a warpgroup whose right operand comes by asynchronous copies.
#[test]
fn a_product_of_a_warpgroup_without_what_it_needs() {
    let text = r#"extern "C" __global__ void f(float* y, const float* x, int n) {
        DYNAMIC_SHARED(float, tile);
        for (int i = threadIdx.x; i < 256; i += 128) copy_async_16(tile + 4 * i, x + 4 * i, true);
        copy_async_commit();
        copy_async_wait<0>();
        SHOW
        __syncthreads();
        unsigned a[1][4] = {{tf32(1), tf32(2), tf32(3), tf32(4)}};
        float d[8][4] = {};
        OPEN
        start_product(d, a[0], describe(tile));
        close_products();
        finish_products<LEFT>(d);
        y[threadIdx.x] = d[0][0];
    }"#;
    let text = |show: &str, open: &str, left: &str| {
        let text = text.replace("SHOW", show).replace("OPEN", open);
        text.replace("LEFT", left)
    };
    let (show, open) = ("show_copies();", "open_products(a);");
    let config = with_shared(shape(1, 128), 4096);
    sound(&text(show, open, "0"), 1024, config);
    poisoned(&text(show, open, "1"), 1024, config);
    let failed = CUDA_ERROR_LAUNCH_FAILED;
    refused(&text("", open, "0"), 1024, config, failed, "not shown");
    refused(&text(show, "", "0"), 1024, config, failed, "in no group");
}

#[test]
fn a_read_of_shared_memory_that_was_never_written() {
    let text = r#"extern "C" __global__ void f(float* y, const float* x, int n) {
        __shared__ float tile[65];
        tile[threadIdx.x] = x[threadIdx.x];
        __syncthreads();
        y[threadIdx.x] = tile[threadIdx.x] + tile[threadIdx.x + 1];
    }"#;
    poisoned(text, 64, shape(1, 64));
}

/// What a block left in shared memory is gone when the next one starts.
#[test]
fn shared_memory_of_the_block_before() {
    let text = r#"extern "C" __global__ void f(float* y, const float* x, int n) {
        DYNAMIC_SHARED(float, tile);
        if (blockIdx.x == 0 || blockIdx.x == 2) tile[threadIdx.x] = 1;
        y[blockIdx.x * 32 + threadIdx.x] = tile[threadIdx.x];
    }"#;
    poisoned(text, 96, with_shared(shape(3, 32), 128));
}

#[test]
fn a_read_of_device_memory_that_was_never_written() {
    let _mock = exclusive();
    let stream = stream();
    // SAFETY: that the memory is not set is what is looked for.
    let y = unsafe { stream.alloc::<f32>(10) }.unwrap();
    assert!(stream.clone_dtoh(&y).unwrap().iter().all(|y| y.is_nan()));
}

const COPIED: &str = r#"extern "C" __global__ void f(float* y, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i CONDITION n) y[i] = VALUE;
}"#;

#[test]
fn a_write_one_element_behind_the_end() {
    let text = COPIED.replace("CONDITION", "<=").replace("VALUE", "1");
    // With 64 elements the memory ends at its guard page, with 61 some bytes before it.
    for n in [64, 61] {
        refused(
            &text,
            n,
            shape(2, 64),
            CUDA_ERROR_ILLEGAL_ADDRESS,
            "0 bytes behind the end",
        );
    }
}

#[test]
fn a_read_one_element_behind_the_end() {
    let text = COPIED
        .replace("CONDITION", "<")
        .replace("VALUE", "x[i + 1]");
    refused(
        &text,
        64,
        shape(1, 64),
        CUDA_ERROR_ILLEGAL_ADDRESS,
        "0 bytes behind the end",
    );
    poisoned(&text, 61, shape(1, 64));
}

#[test]
fn a_write_before_the_start() {
    let text = COPIED
        .replace("CONDITION", "<")
        .replace("y[i]", "y[i - 1]")
        .replace("VALUE", "x[i]");
    refused(
        &text,
        64,
        shape(1, 64),
        CUDA_ERROR_ILLEGAL_ADDRESS,
        "before the start",
    );
}

#[test]
fn a_write_behind_the_end_of_dynamic_shared_memory() {
    let text = r#"extern "C" __global__ void f(float* y, const float* x, int n) {
        DYNAMIC_SHARED(float, tile);
        tile[threadIdx.x] = 1;
        y[threadIdx.x] = tile[threadIdx.x];
    }"#;
    sound(text, 64, with_shared(shape(1, 64), 256));
    for bytes in [252, 128, 1024 - 1024] {
        in_every_order(|mock| {
            let config = with_shared(shape(1, 64), bytes);
            assert_eq!(
                run(text, 64, config),
                Err(CUDA_ERROR_ILLEGAL_ADDRESS),
                "{}",
                mock.message()
            );
        });
    }
}

#[test]
fn a_null_pointer() {
    let text = COPIED
        .replace("CONDITION", "<")
        .replace("VALUE", "*(const float*)nullptr");
    refused(
        &text,
        64,
        shape(1, 64),
        CUDA_ERROR_ILLEGAL_ADDRESS,
        "in no allocation",
    );
}

#[test]
#[cfg(target_arch = "x86_64")] // Others read it.
fn a_misaligned_vector() {
    let text = r#"extern "C" __global__ void f(float* y, const float* x, int n) {
        float4 v = *reinterpret_cast<const float4*>(x + 1);
        *reinterpret_cast<float4*>(y) = v;
    }"#;
    refused(
        text,
        64,
        shape(1, 1),
        CUDA_ERROR_MISALIGNED_ADDRESS,
        "misaligned",
    );
}

#[test]
fn a_barrier_that_some_threads_skip() {
    let text = r#"extern "C" __global__ void f(float* y, const float* x, int n) {
        if (threadIdx.x CONDITION 40) BARRIER;
        y[threadIdx.x] = 1;
    }"#;
    let text = |condition: &str, barrier: &str| {
        text.replace("CONDITION", condition)
            .replace("BARRIER", barrier)
    };
    for condition in ["<", ">="] {
        refused(
            &text(condition, "__syncthreads()"),
            64,
            shape(1, 64),
            CUDA_ERROR_LAUNCH_FAILED,
            "divergent barrier",
        );
    }
    // Those who return early, too.
    let text = r#"extern "C" __global__ void f(float* y, const float* x, int n) {
        if (threadIdx.x >= 40) return;
        __syncthreads();
        y[threadIdx.x] = 1;
    }"#;
    refused(
        text,
        64,
        shape(1, 64),
        CUDA_ERROR_LAUNCH_FAILED,
        "divergent barrier",
    );
}

#[test]
fn two_barriers_that_are_taken_for_one() {
    let text = r#"extern "C" __global__ void f(float* y, const float* x, int n) {
        if (threadIdx.x < 32)
            __syncthreads();
        else
            __syncthreads();
        y[threadIdx.x] = 1;
    }"#;
    refused(
        text,
        64,
        shape(1, 64),
        CUDA_ERROR_LAUNCH_FAILED,
        "divergent barrier",
    );
}

#[test]
fn a_warp_operation_that_some_lanes_skip() {
    let text = r#"extern "C" __global__ void f(float* y, const float* x, int n) {
        float v = x[threadIdx.x];
        if (threadIdx.x < 16) v = __shfl_xor_sync(MASK, v, 1);
        __syncthreads();
        y[threadIdx.x] = v;
    }"#;
    sound(&text.replace("MASK", "0xffff"), 32, shape(1, 32));
    refused(
        &text.replace("MASK", "0xffffffff"),
        32,
        shape(1, 32),
        CUDA_ERROR_LAUNCH_FAILED,
        "deadlock",
    );
    refused(
        &text.replace("MASK", "0xfffe"),
        32,
        shape(1, 32),
        CUDA_ERROR_LAUNCH_FAILED,
        "lacks the calling lane 0",
    );
}

#[test]
fn a_shuffle_that_meets_a_vote() {
    let text = r#"extern "C" __global__ void f(float* y, const float* x, int n) {
        if (threadIdx.x < 16) y[threadIdx.x] = __shfl_sync(~0u, x[threadIdx.x], 0);
        else y[threadIdx.x] = __ballot_sync(~0u, 1);
    }"#;
    refused(
        text,
        32,
        shape(1, 32),
        CUDA_ERROR_LAUNCH_FAILED,
        "different operations",
    );
}

#[test]
fn a_shuffle_from_a_lane_outside_of_the_mask() {
    let text = r#"extern "C" __global__ void f(float* y, const float* x, int n) {
        if (threadIdx.x < 16) y[threadIdx.x] = __shfl_sync(0xffff, x[threadIdx.x], 16);
    }"#;
    poisoned(text, 32, shape(1, 32));
}

#[test]
fn an_asynchronous_copy_to_where_it_cannot_go() {
    let text = r#"extern "C" __global__ void f(float* y, const float* x, int n) {
        DYNAMIC_SHARED(float, tile);
        COPY
    }"#;
    let text = |copy: &str| text.replace("COPY", copy);
    let config = with_shared(shape(1, 1), 128);
    sound(&text("copy_async_16(tile + 4, x + 4, true);"), 64, config);
    refused(
        &text("copy_async_16(y, x, true);"),
        64,
        config,
        CUDA_ERROR_ILLEGAL_ADDRESS,
        "not in shared memory",
    );
    refused(
        &text("copy_async_16(tile + 2, x, true);"),
        64,
        config,
        CUDA_ERROR_MISALIGNED_ADDRESS,
        "multiples",
    );
    refused(
        &text("copy_async_16(tile, x + 2, true);"),
        64,
        config,
        CUDA_ERROR_MISALIGNED_ADDRESS,
        "multiples",
    );
}

#[test]
fn an_endless_recursion() {
    let text = r#"
        __device__ __noinline__ float deep(volatile float* y, int n) { volatile float here[100]; here[n % 100] = y[0]; return n < 0 ? 0 : deep(y, n + 1) + here[3]; }
        extern "C" __global__ void f(float* y, const float* x, int n) { y[0] = deep(y, 0); }"#;
    in_every_order(|_| assert_eq!(run(text, 4, shape(1, 1)), Err(CUDA_ERROR_ILLEGAL_ADDRESS)));
}

#[test]
#[cfg(target_arch = "x86_64")] // Others give 0.
fn a_division_by_zero() {
    let text = r#"extern "C" __global__ void f(float* y, const float* x, int n) { y[0] = n / (int)(threadIdx.x * 2); }"#;
    refused(
        text,
        4,
        shape(1, 1),
        CUDA_ERROR_LAUNCH_FAILED,
        "division by zero",
    );
}

#[test]
fn a_trap_and_a_failed_assertion() {
    let text = r#"extern "C" __global__ void f(float* y, const float* x, int n) { WHAT; }"#;
    refused(
        &text.replace("WHAT", "__trap()"),
        4,
        shape(1, 1),
        CUDA_ERROR_LAUNCH_FAILED,
        "__trap",
    );
    refused(
        &text.replace("WHAT", "assert(n == 5)"),
        4,
        shape(1, 1),
        CUDA_ERROR_LAUNCH_FAILED,
        "n == 5",
    );
}

#[test]
fn launches_beyond_the_limits() {
    let text = r#"extern "C" __global__ void __launch_bounds__(256 * 4) f(float* y, const float* x, int n) { DYNAMIC_SHARED(float, t); t[0] = 1; }"#;
    let config = |grid, block, shared| LaunchConfig {
        grid_dim: grid,
        block_dim: block,
        shared_mem_bytes: shared,
    };
    let one = (1, 1, 1);
    for within in [
        config((1, 3, 2), (1, 1, 64), 4),
        config(one, (1024, 1, 1), 4),
        config((1, 65535, 1), one, 4),
        config(one, one, 48 << 10),
    ] {
        sound(text, 4, within);
    }
    for beyond in [
        config((0, 1, 1), one, 4),
        config((1 << 31, 1, 1), one, 4),
        config((1, 65536, 1), one, 4),
        config((1, 1, 65536), one, 4),
        config(one, (0, 1, 1), 4),
        config(one, (1025, 1, 1), 4),
        config(one, (32, 33, 1), 4),
        config(one, (1, 1, 65), 4),
        config(one, one, (48 << 10) + 4),
    ] {
        refused(text, 4, beyond, CUDA_ERROR_INVALID_VALUE, "launch of `f`");
    }
    let text = text.replace("256 * 4", "128, 2");
    refused(
        &text,
        4,
        config(one, (160, 1, 1), 4),
        CUDA_ERROR_INVALID_VALUE,
        "launch bounds",
    );
}

/// After all of these the stand-in works as before.
#[test]
fn a_mistake_does_not_stay() {
    in_every_order(|_| {
        let divergent = r#"extern "C" __global__ void f(float* y, const float* x, int n) { if (threadIdx.x % 2) __syncthreads(); }"#;
        assert!(run(divergent, 128, shape(4, 128)).is_err());
        let right = run(
            &REVERSED.replace("BARRIER", "__syncthreads();"),
            128,
            shape(1, 128),
        )
        .unwrap();
        let mut expected = numbers(128);
        expected.reverse();
        assert_eq!(right, expected);
    });
}
