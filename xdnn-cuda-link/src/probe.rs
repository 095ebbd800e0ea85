//! Whether `luminal_cuda` can run here.

use std::ffi::{c_int, c_uint};

use crate::library::{CUBLAS, CUDA, HEADER, NVRTC, Shared, TOOLKIT, headers};

/// Why `luminal_cuda` cannot run on this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// These files are not there.
    #[error("this machine has no {}", .0.join(", no "))]
    Missing(Vec<String>),
    /// The driver does not start.
    #[error("`cuInit` of the driver gives the error {0}")]
    Driver(i32),
    /// There is no GPU.
    #[error("the driver gives the error {0} for the first GPU")]
    NoGpu(i32),
}

/// Looks for all that `luminal_cuda` needs: the libraries, the headers that its kernels include, and a GPU.
///
/// # Errors
///
/// [`Unavailable`] names everything that is missing.
pub fn probe() -> Result<(), Unavailable> {
    let libraries = [
        (&CUDA, "the driver of the GPU"),
        (&NVRTC, "from the CUDA toolkit"),
        (&CUBLAS, "from the CUDA toolkit"),
    ];
    let absent = libraries
        .into_iter()
        .filter(|(library, _)| library.get().is_none());
    let mut missing: Vec<String> = absent
        .map(|(library, from)| format!("`{}` ({from})", library.names.join("` or `")))
        .collect();
    if headers().is_none() {
        missing.push(format!(
            "`{HEADER}` in {TOOLKIT}/include (or set CUDA_HOME)"
        ));
    }
    if !missing.is_empty() {
        return Err(Unavailable::Missing(missing));
    }
    check(start(&CUDA)).map_err(Unavailable::Driver)?;
    check(first_gpu(&CUDA)).map_err(Unavailable::NoGpu)
}

fn check(code: c_int) -> Result<(), c_int> {
    if code == 0 { Ok(()) } else { Err(code) }
}

/// The code of `CUDA_ERROR_NOT_FOUND`, for a function that the driver does not have.
const NOT_FOUND: c_int = 500;

fn start(driver: &Shared) -> c_int {
    type Init = unsafe extern "C" fn(c_uint) -> c_int;
    let init = driver.get().and_then(|library| {
        // SAFETY: this is its type in `cuda.h`.
        unsafe { library.get::<Init>(c"cuInit") }.ok()
    });
    // SAFETY: any thread may initialise the driver, again and again; 0 is the only flag.
    init.map_or(NOT_FOUND, |init| unsafe { init(0) })
}

fn first_gpu(driver: &Shared) -> c_int {
    type Get = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
    let get = driver.get().and_then(|library| {
        // SAFETY: this is its type in `cuda.h`.
        unsafe { library.get::<Get>(c"cuDeviceGet") }.ok()
    });
    let mut device = 0;
    // SAFETY: it writes one number to where `device` is.
    get.map_or(NOT_FOUND, |get| unsafe { get(&raw mut device, 0) })
}
