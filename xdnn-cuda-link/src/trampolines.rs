//! The functions that `luminal_cudarc` 0.10 calls, each of which passes its arguments on.

use std::ffi::{CString, c_char, c_int, c_longlong, c_uint, c_void};
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

use crate::library::{CUBLAS, CUDA, NVRTC, TOOLKIT, headers};

/// `CUDA_ERROR_NO_DEVICE`.
const NO_DEVICE: c_int = 100;
/// `CUBLAS_STATUS_NOT_INITIALIZED`.
const NOT_INITIALIZED: c_int = 1;
/// `NVRTC_ERROR_INTERNAL_ERROR`.
const INTERNAL_ERROR: c_int = 11;

type Pointer = *mut c_void;
type DevicePointer = u64;

/// Looks a function up once. `None` without the library, or where it has no such function.
macro_rules! find {
    ($library:ident, $name:ident, $type:ty) => {{
        static FOUND: OnceLock<Option<$type>> = OnceLock::new();
        *FOUND.get_or_init(|| {
            let library = $library.get()?;
            // SAFETY: the type is that of the function in the library's header.
            let found = unsafe { library.get::<$type>(concat!(stringify!($name), "\0")) };
            found.ok().map(|function| *function)
        })
    }};
}

/// Defines functions that return the result of those in a library, or an error where there are none.
macro_rules! pass_on {
    ($library:ident, $absent:expr, $($name:ident($($argument:ident: $type:ty),*);)*) => {$(
        #[unsafe(no_mangle)]
        #[allow(non_snake_case, clippy::too_many_arguments, reason = "the function is CUDA's")]
        unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
            match find!($library, $name, unsafe extern "C" fn($($type),*) -> c_int) {
                // SAFETY: the caller keeps to the contract of the function of this name, to which the arguments go as they are.
                Some(function) => unsafe { function($($argument),*) },
                None => $absent,
            }
        }
    )*};
}

pass_on! { CUDA, NO_DEVICE,
    cuInit(flags: c_uint);
    cuCtxSetCurrent(context: Pointer);
    cuDeviceGet(device: *mut c_int, ordinal: c_int);
    cuDeviceGetAttribute(value: *mut c_int, attribute: c_int, device: c_int);
    cuDevicePrimaryCtxRelease_v2(device: c_int);
    cuDevicePrimaryCtxRetain(context: *mut Pointer, device: c_int);
    cuEventCreate(event: *mut Pointer, flags: c_uint);
    cuEventDestroy_v2(event: Pointer);
    cuLaunchKernel(function: Pointer, grid_x: c_uint, grid_y: c_uint, grid_z: c_uint, block_x: c_uint, block_y: c_uint,
        block_z: c_uint, shared: c_uint, stream: Pointer, arguments: *mut Pointer, extra: *mut Pointer);
    cuMemAllocAsync(memory: *mut DevicePointer, bytes: usize, stream: Pointer);
    cuMemAlloc_v2(memory: *mut DevicePointer, bytes: usize);
    cuMemFreeAsync(memory: DevicePointer, stream: Pointer);
    cuMemFree_v2(memory: DevicePointer);
    cuMemcpyDtoDAsync_v2(to: DevicePointer, from: DevicePointer, bytes: usize, stream: Pointer);
    cuMemcpyDtoD_v2(to: DevicePointer, from: DevicePointer, bytes: usize);
    cuMemcpyDtoHAsync_v2(to: Pointer, from: DevicePointer, bytes: usize, stream: Pointer);
    cuMemcpyDtoH_v2(to: Pointer, from: DevicePointer, bytes: usize);
    cuMemcpyHtoDAsync_v2(to: DevicePointer, from: *const c_void, bytes: usize, stream: Pointer);
    cuMemcpyHtoD_v2(to: DevicePointer, from: *const c_void, bytes: usize);
    cuMemsetD8Async(memory: DevicePointer, value: u8, bytes: usize, stream: Pointer);
    cuMemsetD8_v2(memory: DevicePointer, value: u8, bytes: usize);
    cuModuleGetFunction(function: *mut Pointer, module: Pointer, name: *const c_char);
    cuModuleLoad(module: *mut Pointer, file: *const c_char);
    cuModuleLoadData(module: *mut Pointer, image: *const c_void);
    cuModuleUnload(module: Pointer);
    cuStreamDestroy_v2(stream: Pointer);
    cuStreamSynchronize(stream: Pointer);
}

pass_on! { CUBLAS, NOT_INITIALIZED,
    cublasCreate_v2(handle: *mut Pointer);
    cublasDestroy_v2(handle: Pointer);
    cublasSetStream_v2(handle: Pointer, stream: Pointer);
    cublasSgemm_v2(handle: Pointer, op_a: c_int, op_b: c_int, m: c_int, n: c_int, k: c_int, alpha: *const f32,
        a: *const f32, lda: c_int, b: *const f32, ldb: c_int, beta: *const f32, c: *mut f32, ldc: c_int);
    cublasHgemm(handle: Pointer, op_a: c_int, op_b: c_int, m: c_int, n: c_int, k: c_int, alpha: *const c_void,
        a: *const c_void, lda: c_int, b: *const c_void, ldb: c_int, beta: *const c_void, c: Pointer, ldc: c_int);
    cublasSgemmStridedBatched(handle: Pointer, op_a: c_int, op_b: c_int, m: c_int, n: c_int, k: c_int, alpha: *const f32,
        a: *const f32, lda: c_int, step_a: c_longlong, b: *const f32, ldb: c_int, step_b: c_longlong, beta: *const f32,
        c: *mut f32, ldc: c_int, step_c: c_longlong, batch: c_int);
    cublasHgemmStridedBatched(handle: Pointer, op_a: c_int, op_b: c_int, m: c_int, n: c_int, k: c_int,
        alpha: *const c_void, a: *const c_void, lda: c_int, step_a: c_longlong, b: *const c_void, ldb: c_int,
        step_b: c_longlong, beta: *const c_void, c: Pointer, ldc: c_int, step_c: c_longlong, batch: c_int);
}

pass_on! { NVRTC, INTERNAL_ERROR,
    nvrtcCreateProgram(program: *mut Pointer, source: *const c_char, name: *const c_char, headers: c_int,
        sources: *const *const c_char, names: *const *const c_char);
    nvrtcDestroyProgram(program: *mut Pointer);
    nvrtcGetPTX(program: Pointer, ptx: *mut c_char);
    nvrtcGetPTXSize(program: Pointer, size: *mut usize);
    nvrtcGetProgramLog(program: Pointer, log: *mut c_char);
    nvrtcGetProgramLogSize(program: Pointer, size: *mut usize);
}

/// The function of the driver; without one, the text says so.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "the function is CUDA's")]
unsafe extern "C" fn cuGetErrorString(error: c_int, text: *mut *const c_char) -> c_int {
    type Function = unsafe extern "C" fn(c_int, *mut *const c_char) -> c_int;
    match find!(CUDA, cuGetErrorString, Function) {
        // SAFETY: the caller keeps to the contract of the function of this name.
        Some(function) => unsafe { function(error, text) },
        None => {
            // SAFETY: by the same contract there is room for a pointer at `text`.
            unsafe { *text = c"`libcuda.so.1` cannot be loaded".as_ptr() };
            0
        }
    }
}

/// The function of the compiler, told where the headers are if not where `luminal_cuda` has it look.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "the function is CUDA's")]
unsafe extern "C" fn nvrtcCompileProgram(
    program: Pointer,
    count: c_int,
    options: *const *const c_char,
) -> c_int {
    type Function = unsafe extern "C" fn(Pointer, c_int, *const *const c_char) -> c_int;
    let Some(function) = find!(NVRTC, nvrtcCompileProgram, Function) else {
        return INTERNAL_ERROR;
    };
    let elsewhere = headers().filter(|folder| !folder.starts_with(TOOLKIT));
    let option = elsewhere.and_then(|folder| {
        let option = [b"--include-path=", folder.as_os_str().as_bytes()].concat();
        CString::new(option).ok()
    });
    let given = usize::try_from(count).unwrap_or(0);
    let given = match given {
        0 => &[],
        // SAFETY: by the contract of the function, `options` holds so many pointers.
        given => unsafe { std::slice::from_raw_parts(options, given) },
    };
    let all: Vec<*const c_char> = given
        .iter()
        .copied()
        .chain(option.iter().map(|option| option.as_ptr()))
        .collect();
    let count = c_int::try_from(all.len()).unwrap_or(count);
    // SAFETY: the caller's options and one more, all of them alive until it returns.
    unsafe { function(program, count, all.as_ptr()) }
}
