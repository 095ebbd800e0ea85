//! cuBLAS's products of matrices, against plain loops.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]
#![allow(unsafe_code, reason = "functions of C")]

mod common;

use std::ffi::{c_int, c_longlong, c_void};
use std::ptr::null_mut;

use common::{exclusive, numbers, stream};
use libloading::Library;

type Create = unsafe extern "C" fn(*mut *mut c_void) -> c_int;
type Destroy = unsafe extern "C" fn(*mut c_void) -> c_int;
#[rustfmt::skip]
type Products = unsafe extern "C" fn(
    *mut c_void, c_int, c_int, c_int, c_int, c_int, *const f32, *const f32, c_int, c_longlong, *const f32, c_int, c_longlong,
    *const f32, *mut f32, c_int, c_longlong, c_int,
) -> c_int;

/// `CUBLAS_OP_N`, `CUBLAS_OP_T`.
const OPERATIONS: [c_int; 2] = [0, 1];
const SUCCESS: c_int = 0;
const INVALID_VALUE: c_int = 7;

#[test]
fn products_of_matrices_are_products() {
    let _mock = exclusive();
    let _stream = stream();
    // SAFETY: the library's initialisers do nothing, and the types are those of its header.
    let (library, products) = unsafe {
        let library = Library::new("libcublas.so.13").unwrap();
        let products = *library
            .get::<Products>(c"cublasSgemmStridedBatched")
            .unwrap();
        (library, products)
    };
    let mut handle = null_mut();
    // SAFETY: there is room for a pointer.
    let created = unsafe { library.get::<Create>(c"cublasCreate_v2").unwrap()(&raw mut handle) };
    assert_eq!(created, SUCCESS);

    // Sizes, the rows of memory of a, b and c, the steps from one of the batch to the next.
    let [m, n, k] = [3, 4, 5];
    let ld = 7;
    let step = 64;
    let (a, b, before) = (numbers(2 * step), numbers(3 * step), numbers(2 * step));
    let b = &b[step..];
    for (op_a, op_b) in OPERATIONS
        .into_iter()
        .flat_map(|op| OPERATIONS.map(|other| (op, other)))
    {
        for beta in [0.0_f32, -0.5] {
            let mut c = before.clone();
            if beta == 0.0 {
                c.fill(f32::NAN);
            }
            let run = |c: &mut [f32], ld_a: usize| {
                let [m, n, k, ld, ld_a, step] = [m, n, k, ld, ld_a, step].map(|size| size as c_int);
                // SAFETY: two steps of numbers hold the two matrices.
                unsafe {
                    products(
                        handle,
                        op_a,
                        op_b,
                        m,
                        n,
                        k,
                        &2.0,
                        a.as_ptr(),
                        ld_a,
                        step.into(),
                        b.as_ptr(),
                        ld,
                        step.into(),
                        &beta,
                        c.as_mut_ptr(),
                        ld,
                        step.into(),
                        2,
                    )
                }
            };
            assert_eq!(run(&mut c, 2), INVALID_VALUE);
            assert_eq!(run(&mut c, ld), SUCCESS);
            let of = |matrix: &[f32], op: c_int, row: usize, column: usize| match op {
                0 => f64::from(matrix[row + column * ld]),
                _ => f64::from(matrix[column + row * ld]),
            };
            for (i, found) in c.iter().enumerate() {
                let (start, row, column) = (i / step * step, i % step % ld, i % step / ld);
                if row >= m || column >= n {
                    let untouched = *found == before[i] || found.is_nan() && beta == 0.0;
                    assert!(untouched, "{i}: {found}");
                    continue;
                }
                let terms = (0..k)
                    .map(|j| of(&a[start..], op_a, row, j) * of(&b[start..], op_b, j, column));
                let rest = if beta == 0.0 {
                    0.0
                } else {
                    f64::from(beta * before[i])
                };
                let expected = 2.0 * terms.sum::<f64>() + rest;
                assert!(
                    (f64::from(*found) - expected).abs() < 1e-6,
                    "{i}: {found}, not {expected}"
                );
            }
        }
    }
    // SAFETY: nothing uses the handle any more.
    let destroyed = unsafe { library.get::<Destroy>(c"cublasDestroy_v2").unwrap()(handle) };
    assert_eq!(destroyed, SUCCESS);
}
