//! What CUDA C++ means on the host.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]
#![allow(unsafe_code, reason = "launches are unsafe")]

mod common;

use common::{exclusive, kernel, shape, stream};
use cudarc::driver::{LaunchConfig, PushKernelArg};
use cudarc::nvrtc::compile_ptx;

/// Runs a kernel `f(y)` that writes `n` numbers, in several orders of threads, which must agree.
fn numbers(text: &str, n: usize, config: LaunchConfig) -> Vec<i32> {
    let mock = exclusive();
    let stream = stream();
    let f = kernel(&stream, text, "f");
    let mut found: Option<Vec<i32>> = None;
    for order in 0..4 {
        mock.set_order(order);
        let mut y = stream.alloc_zeros::<i32>(n).unwrap();
        // SAFETY: the arguments are those of the kernel.
        unsafe {
            stream
                .launch_builder(&f)
                .arg(&mut y)
                .launch(config)
                .unwrap()
        };
        let y = stream.clone_dtoh(&y).unwrap();
        assert_eq!(*found.get_or_insert(y.clone()), y, "order {order}");
    }
    found.unwrap()
}

/// What each lane of one warp finds for an expression of `lane`.
fn lanes(expression: &str) -> Vec<i32> {
    let text = format!(
        r#"extern "C" __global__ void f(int* y) {{ int lane = threadIdx.x; const unsigned all = 0xffffffff; y[lane] = {expression}; }}"#
    );
    numbers(&text, 32, shape(1, 32))
}

fn by_lane(value: impl Fn(i32) -> i32) -> Vec<i32> {
    (0..32).map(value).collect()
}

#[test]
fn every_name_compiles_and_runs() {
    let _mock = exclusive();
    let stream = stream();
    let f = kernel(&stream, include_str!("every_name.cu"), "names");
    let (mut y, mut z) = (
        stream.alloc_zeros::<f32>(32).unwrap(),
        stream.alloc_zeros::<i32>(1).unwrap(),
    );
    let x = stream.clone_htod(&[1.0_f32; 32]).unwrap();
    let (mut u, mut l) = (
        stream.alloc_zeros::<u32>(1).unwrap(),
        stream.alloc_zeros::<u64>(1).unwrap(),
    );
    let mut d = stream.alloc_zeros::<f64>(1).unwrap();
    let mut launch = stream.launch_builder(&f);
    launch
        .arg(&mut y)
        .arg(&x)
        .arg(&mut z)
        .arg(&mut u)
        .arg(&mut l)
        .arg(&mut d)
        .arg(&1_i32);
    // SAFETY: the arguments are those of the kernel.
    unsafe { launch.launch(shape(1, 32)).unwrap() };
}

#[test]
fn shuffles_read_other_lanes() {
    assert_eq!(
        lanes("__shfl_sync(all, lane * 10, 31 - lane)"),
        by_lane(|l| (31 - l) * 10)
    );
    assert_eq!(lanes("__shfl_sync(all, lane, 35)"), by_lane(|_| 3));
    assert_eq!(
        lanes("__shfl_sync(all, lane, 9, 8)"),
        by_lane(|l| l / 8 * 8 + 1)
    );
    assert_eq!(
        lanes("__shfl_up_sync(all, lane, 3)"),
        by_lane(|l| if l < 3 { l } else { l - 3 })
    );
    assert_eq!(
        lanes("__shfl_up_sync(all, lane, 3, 8)"),
        by_lane(|l| if l % 8 < 3 { l } else { l - 3 })
    );
    assert_eq!(
        lanes("__shfl_down_sync(all, lane, 3)"),
        by_lane(|l| if l > 28 { l } else { l + 3 })
    );
    assert_eq!(
        lanes("__shfl_down_sync(all, lane, 3, 16)"),
        by_lane(|l| if l % 16 > 12 { l } else { l + 3 })
    );
    assert_eq!(lanes("__shfl_xor_sync(all, lane, 5)"), by_lane(|l| l ^ 5));
    // Lanes of a group read from lower groups, not from higher ones.
    assert_eq!(
        lanes("__shfl_xor_sync(all, lane, 8, 8)"),
        by_lane(|l| if l & 8 == 0 { l } else { l ^ 8 })
    );
    assert_eq!(
        lanes("(int)__shfl_xor_sync(all, lane * 0.5, 1)"),
        by_lane(|l| (l ^ 1) / 2)
    );
    assert_eq!(
        lanes("(int)(__shfl_sync(all, 1ull << lane, 30) >> 20)"),
        by_lane(|_| 1 << 10)
    );
    // A lane outside of the mask has nothing to read.
    assert_eq!(
        lanes("lane < 8 ? __shfl_xor_sync(0xff, lane, 1) : __shfl_xor_sync(0xffffff00, lane, 8)"),
        by_lane(|l| if l < 8 {
            l ^ 1
        } else if l < 16 {
            -1
        } else {
            l ^ 8
        })
    );
}

#[test]
fn votes_count_the_lanes_of_their_mask() {
    assert_eq!(
        lanes("__ballot_sync(all, lane % 3 == 0)"),
        by_lane(|_| 0x4924_9249)
    );
    assert_eq!(
        lanes("lane < 4 ? __ballot_sync(0xf, lane != 2) : 0"),
        by_lane(|l| if l < 4 { 0b1011 } else { 0 })
    );
    assert_eq!(
        lanes("__any_sync(all, lane == 7) + 2 * __any_sync(all, lane == 32)"),
        by_lane(|_| 1)
    );
    assert_eq!(
        lanes("__all_sync(all, lane < 32) + 2 * __all_sync(all, lane != 31)"),
        by_lane(|_| 1)
    );
    assert_eq!(
        lanes("(int)__match_any_sync(all, lane % 16)"),
        by_lane(|l| 0x10001 << (l % 16))
    );
    assert_eq!(lanes("__reduce_add_sync(all, lane)"), by_lane(|_| 496));
    assert_eq!(
        lanes("__reduce_max_sync(all, lane) * 100 + __reduce_min_sync(all, lane + 5)"),
        by_lane(|_| 3105)
    );
    assert_eq!(
        lanes("(int)__reduce_xor_sync(all, 1u << lane)"),
        by_lane(|_| -1)
    );
}

#[test]
fn lanes_that_exited_or_never_were_are_not_waited_for() {
    let text = r#"extern "C" __global__ void f(int* y) {
        if (threadIdx.x % 4 == 3) return;
        __syncwarp();
        y[threadIdx.x] = __popc(__ballot_sync(0xffffffff, 1));
    }"#;
    let expected: Vec<i32> = (0..40)
        .map(|i| {
            if i % 4 == 3 {
                0
            } else if i < 32 {
                24
            } else {
                6
            }
        })
        .collect();
    assert_eq!(numbers(text, 40, shape(1, 40)), expected);
}

#[test]
fn barriers_count_predicates() {
    let text = r#"extern "C" __global__ void f(int* y) {
        int count = __syncthreads_count(threadIdx.x < 10), any = __syncthreads_or(threadIdx.x == 50), none = __syncthreads_or(0);
        y[threadIdx.x] = count + 100 * any + 1000 * none + 10000 * __syncthreads_and(threadIdx.x < 70) + 100000 * __syncthreads_and(threadIdx.x < 69);
    }"#;
    assert_eq!(numbers(text, 70, shape(1, 70)), [10_110; 70]);
}

#[test]
fn indices_have_three_dimensions() {
    let text = r#"extern "C" __global__ void f(int* y) {
        dim3 t(threadIdx.x, threadIdx.y, threadIdx.z);
        int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
        int thread = (t.z * blockDim.y + t.y) * blockDim.x + t.x;
        y[block * blockDim.x * blockDim.y * blockDim.z + thread] = blockIdx.x + 10 * blockIdx.y + 100 * blockIdx.z + 1000 * t.x + 10000 * t.y + 100000 * t.z;
    }"#;
    let config = LaunchConfig {
        grid_dim: (2, 3, 4),
        block_dim: (5, 2, 3),
        shared_mem_bytes: 0,
    };
    let mut expected = Vec::new();
    for block in 0..24 {
        for thread in 0..30 {
            let at = block % 2 + 10 * (block / 2 % 3) + 100 * (block / 6);
            expected.push(
                at + 1000 * (thread % 5) + 10000 * (thread / 5 % 2) + 100_000 * (thread / 10),
            );
        }
    }
    assert_eq!(numbers(text, 720, config), expected);
}

#[test]
fn shared_memory_belongs_to_functions_and_their_instances() {
    let text = r#"
        template <int N> __device__ int reversed(int x) {
            __shared__ int tile[N];
            tile[threadIdx.x] = x;
            __syncthreads();
            return tile[N - 1 - threadIdx.x];
        }
        struct Add { int by; __device__ int operator()(int x) const { return x + by; } };
        static __device__ __forceinline__ int doubled(int x) { __shared__ int tile[64]; tile[threadIdx.x] = x; return 2 * tile[threadIdx.x]; }
        extern "C" __global__ void f(int* y) {
            int a = reversed<64>(threadIdx.x), b = reversed<65>(threadIdx.x + 1);
            y[threadIdx.x] = Add{1000}(a) + (threadIdx.x == 0 ? 0 : doubled(b));
        }"#;
    let expected: Vec<i32> = (0..64)
        .map(|i| 1063 - i + if i == 0 { 0 } else { 2 * (65 - i) })
        .collect();
    assert_eq!(numbers(text, 64, shape(1, 64)), expected);
}

#[test]
fn atomics_of_all_blocks_add_up() {
    let text = r#"extern "C" __global__ void f(int* y) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        atomicAdd(y, i);
        atomicMax(y + 1, i);
        atomicOr(reinterpret_cast<unsigned*>(y + 2), 1u << i % 20);
        atomicAnd(y + 3, ~(1 << i % 20));
        atomicMin(y + 4, -i);
        atomicAdd(reinterpret_cast<float*>(y + 5), 0.5f);
        atomicInc(reinterpret_cast<unsigned*>(y + 6), 9);
        for (int old = y[7], seen; (seen = atomicCAS(y + 7, old, old + 3)) != old;) old = seen;
    }"#;
    let float = i32::from_ne_bytes(50_f32.to_ne_bytes());
    assert_eq!(
        numbers(text, 8, shape(4, 25)),
        [4950, 99, 0xfffff, 0, -99, float, 0, 300]
    );
}

/// The pattern in which the block that comes last sums what all have written.
#[test]
fn the_last_block_sees_what_the_others_wrote() {
    let text = r#"extern "C" __global__ void f(int* y) {
        __shared__ bool last;
        y[2 + blockIdx.x] = blockIdx.x + 1;
        __threadfence();
        if (threadIdx.x == 0) last = atomicAdd(y + 1, 1) == gridDim.x - 1;
        __syncthreads();
        if (last && threadIdx.x == 0)
            for (int i = 0; i < gridDim.x; i++) y[0] += y[2 + i];
    }"#;
    assert_eq!(numbers(text, 12, shape(10, 64))[..2], [55, 10]);
}

#[test]
fn integers_are_counted_and_moved_bit_by_bit() {
    let text = r#"extern "C" __global__ void f(int* y) {
        int k = 0;
        y[k++] = __popc(0xf0f0); y[k++] = __clz(1); y[k++] = __clz(0); y[k++] = __ffs(8); y[k++] = __ffs(0); y[k++] = __clzll(1);
        y[k++] = __brev(1); y[k++] = __byte_perm(0x33221100, 0x77665544, 0x7250); y[k++] = __funnelshift_l(0x80000000, 1, 1); y[k++] = __funnelshift_r(1, 3, 1);
        y[k++] = __umulhi(1u << 31, 6); y[k++] = __mulhi(-1, 1); y[k++] = __umul64hi(1ull << 63, 8); y[k++] = __mul24(-3, 5);
        y[k++] = __float2int_rn(2.5f); y[k++] = __float2int_rz(-2.7f); y[k++] = __float2int_rd(-2.1f); y[k++] = __float2int_ru(2.1f);
        y[k++] = __float2int_rn(3e9f); y[k++] = __float2int_rz(-3e9f); y[k++] = __float2int_rn(__int_as_float(0x7fc00000)); y[k++] = __float2uint_rz(-1.f); y[k++] = __float2uint_rz(5e9f);
        y[k++] = max(3, -5); y[k++] = min(3u, 5u); y[k++] = max(__int_as_float(0x7fc00000), 2.f); y[k++] = fminf(4.f, __int_as_float(0x7fc00000)); y[k++] = abs(-4);
    }"#;
    let expected = [
        8,
        31,
        32,
        4,
        0,
        63,
        i32::MIN,
        0x7722_5500,
        3,
        i32::MIN,
        3,
        -1,
        4,
        -15,
        2,
        -2,
        -3,
        3,
        i32::MAX,
        i32::MIN,
        0,
        0,
        -1,
        3,
        3,
        2,
        4,
        4,
    ];
    assert_eq!(numbers(text, expected.len(), shape(1, 1)), expected);
}

/// A product and a sum are two roundings unless the kernel says `fmaf`.
#[test]
fn products_are_fused_on_demand_only() {
    let text = r#"extern "C" __global__ void f(int* y) {
        float x = 1.f + __int_as_float(0x34000000) * (blockIdx.x + 1);
        y[0] = __float_as_int(x * x - (1.f + 2 * __int_as_float(0x34000000)));
        y[1] = __float_as_int(fmaf(x, x, -(1.f + 2 * __int_as_float(0x34000000))));
    }"#;
    let expected = (f32::EPSILON * f32::EPSILON).to_bits();
    assert_eq!(numbers(text, 2, shape(1, 1)), [0, expected as i32]);
}

#[test]
fn variables_of_the_device_are_globals_of_the_module() {
    let _mock = exclusive();
    let stream = stream();
    let text = r#"
        __constant__ float table[4] = {1, 2, 3, 4};
        __device__ int counter;
        extern "C" __global__ void f(float* y) { atomicAdd(&counter, 1); y[threadIdx.x] = table[threadIdx.x] + counter; }"#;
    let program = compile_ptx(text).unwrap();
    let module = stream.context().load_module(program).unwrap();
    let f = module.load_function("f").unwrap();
    let mut y = stream.alloc_zeros::<f32>(4).unwrap();
    let mut launch = |expected: [f32; 4]| {
        // SAFETY: the arguments are those of the kernel.
        unsafe {
            stream
                .launch_builder(&f)
                .arg(&mut y)
                .launch(shape(1, 4))
                .unwrap()
        };
        assert_eq!(stream.clone_dtoh(&y).unwrap(), expected);
    };
    launch([2.0, 4.0, 6.0, 8.0]);
    launch([6.0, 8.0, 10.0, 12.0]);
    let mut table = module.get_global("table", &stream).unwrap();
    assert_eq!(table.len(), 16);
    // SAFETY: every bit pattern is a number.
    let mut table = unsafe { table.transmute_mut::<f32>(4) }.unwrap();
    stream.memcpy_htod(&[0.0; 4], &mut table).unwrap();
    launch([9.0, 10.0, 11.0, 12.0]);
    assert!(module.get_global("unknown", &stream).is_err());
}
