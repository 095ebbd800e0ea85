//! Devices that are not there or will not do, and memory that is not enough.

use ndarray::ArrayD;
use xdnn_runtime::backend::cuda;
use xdnn_runtime::{Device, DynamicModel, Error, Network, Task};

use crate::networks::{BATCH, CAPABILITY, GPU, Image, alone, attribute, forward, image, numbers};

const OUT_OF_MEMORY: i32 = 2;

/// Why a device cannot be used.
#[track_caller]
fn refusal(device: Device) -> String {
    match image(device).prepare(Task::Forward, BATCH) {
        Err(Error::Device {
            device: named,
            cause,
        }) => {
            assert_eq!(named, device.to_string());
            cause.into_owned()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn devices_that_are_not_there() {
    let mock = alone();
    mock.set_devices(0);
    assert_eq!(refusal(GPU), "there is no GPU in this machine");
    mock.reset();
    // The last number is 0 in 32 bits.
    for number in [1, usize::MAX, 1 << 32] {
        assert_eq!(
            refusal(Device::Cuda(number)),
            "there is no GPU of this number"
        );
    }
    mock.set_devices(2);
    let expected = forward(&image(GPU), BATCH).unwrap();
    assert_eq!(forward(&image(Device::Cuda(1)), BATCH).unwrap(), expected);
}

#[test]
fn devices_that_are_too_old() {
    let mock = alone();
    for (attribute, value) in CAPABILITY.into_iter().zip([7, 5]) {
        mock.set_attribute(attribute, value);
    }
    assert_eq!(
        refusal(GPU),
        "the GPU has compute capability 7.5, at least 8.0 is needed"
    );
    assert_eq!(mock.live().contexts, 0);
}

#[test]
fn double_precision() {
    let mock = alone();
    let shapes = Image::SPEC.weights().iter().map(|weight| weight.shape);
    let weights = shapes.map(|shape| ArrayD::zeros(shape.dims()));
    let model = DynamicModel::<f64>::new(Image::SPEC.clone(), weights.collect(), GPU).unwrap();
    let error = model.prepare(Task::Forward, BATCH).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("use `Device::Reference` for `f64`"),
        "{error}"
    );
    assert_eq!(mock.calls("*"), 0);
}

#[test]
fn kernels_that_nvrtc_refuses() {
    let mock = alone();
    mock.fail_compilation(1, 6);
    let cause = refusal(GPU);
    assert!(
        cause.starts_with("NVRTC refuses a kernel: NVRTC_ERROR_COMPILATION"),
        "{cause}"
    );
    mock.fail("nvrtcCompileProgram", 0, 6);
    mock.fail("nvrtcGetProgramLogSize", 0, 11);
    assert!(refusal(GPU).starts_with("NVRTC refuses a kernel"));
    mock.reset();
    // The log is in the text.
    let log = cuda::ptx(
        "extern \"C\" __global__ void f() { missing(); }",
        "compute_90",
    );
    let log = log.unwrap_err();
    assert!(log.contains("xdnn.cu") && log.contains("missing"), "{log}");
    assert_eq!(mock.programs(), 0);
}

/// An NVRTC that is newer than the driver is the usual reason.
#[test]
fn kernels_that_the_driver_refuses() {
    let mock = alone();
    for error in [200, 209, 218, 222] {
        mock.fail("cuModuleLoadData", 1, error);
        let cause = refusal(GPU);
        assert!(cause.starts_with("loading kernels of NVRTC 13."), "{cause}");
        assert!(
            cause.contains("by a driver for CUDA 13.0 failed: CUDA_ERROR_"),
            "{cause}"
        );
    }
}

/// What is asked for in vain is told with its size, whatever it is for.
#[test]
fn memory_of_the_device() {
    let mock = alone();
    let before = mock.live();
    let model = image(GPU);
    let expected = numbers(&attribute(&model, BATCH).unwrap());
    let whole = mock.live().bytes - before.bytes;
    drop(model);
    for room in [0, 16, whole / 2, whole - 1] {
        mock.set_memory(before.bytes + room);
        let model = image(GPU);
        match attribute(&model, BATCH) {
            Err(Error::OutOfMemory { what, bytes }) => {
                assert!(
                    bytes > 0 && bytes as u64 <= whole && what.ends_with("cuda:0"),
                    "{what}: {bytes}"
                );
            }
            other => panic!("{room}: {other:?}"),
        }
        // As soon as there is enough, the same model runs.
        mock.set_memory(before.bytes + whole);
        assert_eq!(numbers(&attribute(&model, BATCH).unwrap()), expected);
    }
    assert_eq!(mock.live(), before);
}

#[test]
fn memory_of_any_kind() {
    let mock = alone();
    for (function, what) in [
        ("cuMemAlloc", "a weight on cuda:0"),
        ("cuMemHostAlloc", "what a run is given on cuda:0"),
        ("cuModuleLoadData", "the code of kernels on cuda:0"),
    ] {
        mock.fail(function, 0, OUT_OF_MEMORY);
        match forward(&image(GPU), BATCH) {
            Err(Error::OutOfMemory { what: found, bytes }) => {
                assert_eq!(found, what);
                assert!(bytes > 0);
            }
            other => panic!("{function}: {other:?}"),
        }
        mock.reset();
    }
}

/// A yes is remembered and a no is not: what is missing may come.
#[test]
fn the_best_device() {
    let mock = alone();
    mock.set_devices(0);
    assert_eq!(Device::best(), Device::Cpu);
    mock.reset();
    mock.fail("cuDevicePrimaryCtxRetain", 0, OUT_OF_MEMORY);
    assert_eq!(Device::best(), Device::Cpu);
    mock.reset();
    mock.fail("nvrtcVersion", 0, 11);
    assert_eq!(Device::best(), Device::Cpu);
    mock.reset();
    assert_eq!(Device::best(), GPU);
    assert_eq!(mock.live().contexts, 0);
    mock.set_devices(0);
    assert_eq!(Device::best(), GPU);
}
