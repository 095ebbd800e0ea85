//! What `probe` says of a machine, by the stand-in for a GPU.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    reason = "variables are set; a failing helper is a failing test"
)]

use std::path::Path;

use xdnn_cuda_link::{Unavailable, probe};

#[test]
fn what_is_missing_is_named() {
    let mock = xdnn_cuda_mock::install().unwrap().exclusive();
    assert_eq!(probe(), Ok(()));

    mock.set_devices(0);
    assert_eq!(probe(), Err(Unavailable::Driver(100)));
    mock.reset();
    mock.fail("cuDeviceGet", 1, 101);
    assert_eq!(probe(), Err(Unavailable::NoGpu(101)));

    // SAFETY: this is the only test of the process.
    unsafe { std::env::set_var("CUDA_HOME", env!("CARGO_MANIFEST_DIR")) };
    if !Path::new("/usr/local/cuda/include/cuda_fp16.h").is_file() {
        let error = probe().unwrap_err().to_string();
        let expected =
            "this machine has no `cuda_fp16.h` in /usr/local/cuda/include (or set CUDA_HOME)";
        assert_eq!(error, expected);
    }
}
