//! The host's meaning of the device primitives, against plain loops.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]
#![allow(unsafe_code, reason = "launches are unsafe")]

mod common;

use common::{PRIMITIVES, exclusive, kernel, numbers, shape, stream};
use cudarc::driver::PushKernelArg;

fn with_primitives(text: &str) -> String {
    format!("{PRIMITIVES}\n{text}")
}

/// Rounds to `bits` fewer bits of significand, ties away from zero.
fn tf32(x: f32) -> f32 {
    f32::from_bits((x.to_bits() + 0x1000) & 0xffff_e000)
}

/// Ties to even.
fn bf16(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
}

/// A product of `rows x depth` and `depth x 8`.
fn product(a: &[f32], b: &[f32], depth: usize, round: fn(f32) -> f32) -> Vec<f32> {
    let at = |row: usize, column: usize| {
        (0..depth)
            .map(|k| f64::from(round(a[row * depth + k])) * f64::from(round(b[k * 8 + column])))
            .sum::<f64>() as f32
    };
    (0..128).map(|i| at(i / 8, i % 8)).collect()
}

fn close(found: &[f32], expected: &[f32]) {
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() < 1e-5,
            "{i}: {found} instead of {expected}"
        );
    }
}

#[test]
fn products_of_a_warp_are_products() {
    let mock = exclusive();
    let stream = stream();
    let text = with_primitives(
        r#"
        extern "C" __global__ void with_tf32(float* d, const float* a, const float* b) {
            int g = threadIdx.x / 4, t = threadIdx.x % 4;
            unsigned x[4] = {tf32(a[g * 8 + t]), tf32(a[(g + 8) * 8 + t]), tf32(a[g * 8 + t + 4]), tf32(a[(g + 8) * 8 + t + 4])};
            unsigned y[2] = {tf32(b[t * 8 + g]), tf32(b[(t + 4) * 8 + g])};
            float z[4] = {1, 1, 1, 1};
            mma_tf32(z, x, y);
            d[g * 8 + 2 * t] = z[0];
            d[g * 8 + 2 * t + 1] = z[1];
            d[(g + 8) * 8 + 2 * t] = z[2];
            d[(g + 8) * 8 + 2 * t + 1] = z[3];
        }
        extern "C" __global__ void with_bf16(float* d, const float* a, const float* b) {
            int g = threadIdx.x / 4, t = threadIdx.x % 4;
            unsigned x[4], y[2];
            for (int i = 0; i < 4; i++) {
                const float* at = a + (g + i % 2 * 8) * 16 + 2 * t + i / 2 * 8;
                x[i] = pack_bf16(at[0], at[1]);
            }
            for (int i = 0; i < 2; i++) {
                const float* at = b + (2 * t + i * 8) * 8 + g;
                y[i] = pack_bf16(at[0], at[8]);
            }
            float z[4] = {1, 1, 1, 1};
            mma_bf16(z, x, y);
            for (int i = 0; i < 4; i++) d[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = z[i];
        }"#,
    );
    for (name, depth, round) in [
        ("with_tf32", 8, tf32 as fn(f32) -> f32),
        ("with_bf16", 16, bf16),
    ] {
        let f = kernel(&stream, &text, name);
        let (a, b) = (
            numbers(16 * depth),
            numbers(17 * depth)[9 * depth..].to_vec(),
        );
        let expected: Vec<f32> = product(&a, &b, depth, round)
            .iter()
            .map(|d| d + 1.0)
            .collect();
        let (a, b) = (
            stream.clone_htod(&a).unwrap(),
            stream.clone_htod(&b).unwrap(),
        );
        for order in 0..4 {
            mock.set_order(order);
            let mut d = stream.alloc_zeros::<f32>(128).unwrap();
            // SAFETY: the arguments are those of the kernel.
            unsafe {
                stream
                    .launch_builder(&f)
                    .arg(&mut d)
                    .arg(&a)
                    .arg(&b)
                    .launch(shape(1, 32))
                    .unwrap()
            };
            close(&stream.clone_dtoh(&d).unwrap(), &expected);
        }
    }
}

#[test]
fn products_read_what_is_nearly_rounded_as_if_it_was() {
    let mock = exclusive();
    let stream = stream();
    let text = with_primitives(
        r#"
        extern "C" __global__ void nearly(unsigned* d, const float* x) { d[threadIdx.x] = nearly_tf32(x[threadIdx.x]); }"#,
    );
    let f = kernel(&stream, &text, "nearly");
    let mut x = numbers(250);
    x.extend([0.0, -0.0, f32::MAX, f32::INFINITY, f32::NEG_INFINITY]);
    x.push(f32::from_bits(0x7fff_ffff)); // what a GPU computes in place of a number
    let on_device = stream.clone_htod(&x).unwrap();
    let mut d = stream.alloc_zeros::<u32>(x.len()).unwrap();
    let threads = u32::try_from(x.len()).unwrap();
    // SAFETY: the arguments are those of the kernel.
    unsafe {
        stream
            .launch_builder(&f)
            .arg(&mut d)
            .arg(&on_device)
            .launch(shape(1, threads))
            .unwrap()
    };
    for (found, x) in stream.clone_dtoh(&d).unwrap().into_iter().zip(x) {
        let read = f32::from_bits(found & 0xffff_e000);
        match x.is_finite() {
            true => assert_eq!(read, tf32(x)),
            false => assert!(read == x || read.is_nan() && x.is_nan(), "{read} of {x}"),
        }
    }
    drop(mock);
}

/// D (64 × 8 J) += A (64 × 16) Bᵀ by the first of two warpgroups; the lower bits of B's numbers are not read.
const WARPGROUP: &str = r#"
    template <int J>
    __device__ inline void multiply(float* d, const float* a, const float* b) {
        DYNAMIC_SHARED(float, tile);
        for (int i = threadIdx.x; i < J * 8 * 16; i += 256) {
            int row = i / 16, quad = i % 16 / 4;
            tile[row * 16 + (quad ^ row / 2 % 4) * 4 + i % 4] = b[i];
        }
        show_copies();
        __syncthreads();
        if (threadIdx.x >= 128) return;
        int row = threadIdx.x / 32 * 16, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
        unsigned x[2][4];
        for (int half = 0; half < 2; half++)
            for (int i = 0; i < 4; i++) x[half][i] = tf32(a[(row + g + i % 2 * 8) * 16 + half * 8 + t + i / 2 * 4]);
        float z[J][4];
        for (int j = 0; j < J; j++)
            for (int i = 0; i < 4; i++) z[j][i] = 1;
        open_products(x);
        for (int half = 0; half < 2; half++) {
            start_product(z, x[half], describe(tile) + half * 2);
            BETWEEN
        }
        close_products();
        finish_products<0>(z);
        for (int j = 0; j < J; j++)
            for (int i = 0; i < 4; i++) d[(row + g + i / 2 * 8) * (J * 8) + j * 8 + 2 * t + i % 2] = z[j][i];
    }
    extern "C" __global__ void narrow(float* d, const float* a, const float* b) { multiply<8>(d, a, b); }
    extern "C" __global__ void wide(float* d, const float* a, const float* b) { multiply<16>(d, a, b); }
"#;

#[test]
fn products_of_a_warpgroup_are_products() {
    let mock = exclusive();
    let stream = stream();
    let run = |name: &str, columns: usize, between: &str| {
        let text = with_primitives(&WARPGROUP.replace("BETWEEN", between));
        let f = kernel(&stream, &text, name);
        let (a, b) = (numbers(64 * 16), numbers(columns * 16 + 5)[5..].to_vec());
        let (x, w) = (
            stream.clone_htod(&a).unwrap(),
            stream.clone_htod(&b).unwrap(),
        );
        let mut d = stream.alloc_zeros::<f32>(64 * columns).unwrap();
        let mut config = shape(1, 256);
        config.shared_mem_bytes = columns as u32 * 64;
        // SAFETY: the arguments are those of the kernel.
        unsafe {
            stream
                .launch_builder(&f)
                .arg(&mut d)
                .arg(&x)
                .arg(&w)
                .launch(config)
                .unwrap()
        };
        let cut = |x: f32| f64::from(f32::from_bits(x.to_bits() & 0xffff_e000));
        let at = |row: usize, column: usize| {
            let products =
                (0..16).map(|k| f64::from(tf32(a[row * 16 + k])) * cut(b[column * 16 + k]));
            products.sum::<f64>() as f32 + 1.0
        };
        let expected: Vec<f32> = (0..64 * columns)
            .map(|i| at(i / columns, i % columns))
            .collect();
        (stream.clone_dtoh(&d).unwrap(), expected)
    };
    for order in 0..4 {
        mock.set_order(order);
        for (name, columns) in [("narrow", 64), ("wide", 128)] {
            let (found, expected) = run(name, columns, "");
            close(&found, &expected);
        }
        // Factors that change too early.
        for between in [
            "x[half][0] = 0;",
            "if (threadIdx.x == 0 && half == 1) tile[0] = 100;",
        ] {
            let (found, expected) = run("narrow", 64, between);
            let near = |(x, y): (&f32, &f32)| (x - y).abs() < 1e-5;
            assert!(!found.iter().zip(&expected).all(near), "{between}");
        }
    }
}

#[test]
fn roundings_keep_what_is_no_number() {
    let _mock = exclusive();
    let stream = stream();
    let text = with_primitives(
        r#"extern "C" __global__ void rounded(float* y, const float* x) {
            y[2 * threadIdx.x] = __uint_as_float(tf32(x[threadIdx.x]));
            y[2 * threadIdx.x + 1] = __uint_as_float(pack_bf16(0, x[threadIdx.x]));
        }"#,
    );
    let f = kernel(&stream, &text, "rounded");
    // 1 + 2^-11 is a tie of TF32, 1 + 2^-8 and 1 + 3 * 2^-8 are ties of BF16.
    let x = [
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        -0.0,
        1.0 + f32::exp2(-11.0),
        1.0 + f32::exp2(-8.0),
        1.0 + 3.0 * f32::exp2(-8.0),
        f32::MAX,
    ];
    let from = stream.clone_htod(&x).unwrap();
    let mut to = stream.alloc_zeros::<f32>(16).unwrap();
    // SAFETY: the arguments are those of the kernel.
    unsafe {
        stream
            .launch_builder(&f)
            .arg(&mut to)
            .arg(&from)
            .launch(shape(1, 8))
            .unwrap()
    };
    let y = stream.clone_dtoh(&to).unwrap();
    assert_eq!(
        y[..4],
        [
            f32::INFINITY,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NEG_INFINITY
        ]
    );
    assert!(y[4].is_nan() && y[5].is_nan());
    assert!(y[6] == 0.0 && y[6].is_sign_negative() && y[7].is_sign_negative());
    assert_eq!(
        y[8..14],
        [
            1.0 + f32::exp2(-10.0),
            1.0,
            x[5],
            1.0,
            x[6],
            1.0 + f32::exp2(-6.0)
        ]
    );
    assert_eq!(y[14..], [f32::INFINITY, f32::INFINITY]);
}

#[test]
fn asynchronous_copies_fill_with_zeros_what_is_not_valid() {
    let mock = exclusive();
    let stream = stream();
    let text = with_primitives(
        r#"extern "C" __global__ void staged(float* y, const float* x, int n) {
            DYNAMIC_SHARED(float, tile);
            int i = threadIdx.x;
            copy_async_16(tile + 4 * i, x + (4 * i < n ? 4 * i : 0), 4 * i < n);
            copy_async_commit();
            copy_async_4(tile + 256 + i, x + (i < n ? i : 0), i < n);
            copy_async_commit();
            copy_async_wait<1>();
            __syncthreads();
            float early = tile[255 - 4 * i] + tile[254 - 4 * i];
            copy_async_wait<0>();
            __syncthreads();
            y[i] = early + 100 * tile[256 + 63 - i];
        }"#,
    );
    let f = kernel(&stream, &text, "staged");
    let x: Vec<f32> = (0..40_u8).map(f32::from).collect();
    let from = stream.clone_htod(&x).unwrap();
    let value = |i: usize| x.get(i).copied().unwrap_or(0.0);
    for order in 0..4 {
        mock.set_order(order);
        let mut to = stream.alloc_zeros::<f32>(64).unwrap();
        let mut config = shape(1, 64);
        config.shared_mem_bytes = 4 * 320;
        // SAFETY: the arguments are those of the kernel.
        unsafe {
            stream
                .launch_builder(&f)
                .arg(&mut to)
                .arg(&from)
                .arg(&40_i32)
                .launch(config)
                .unwrap()
        };
        for (i, y) in stream.clone_dtoh(&to).unwrap().into_iter().enumerate() {
            assert_eq!(
                y,
                value(255 - 4 * i) + value(254 - 4 * i) + 100.0 * value(63 - i)
            );
        }
    }
}
