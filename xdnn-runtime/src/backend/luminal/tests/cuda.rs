//! `Device::LuminalCuda`, where it is built in and where it is not, on machines with and without a GPU.

use std::sync::Arc;

use super::super::compile;
#[cfg(feature = "luminal-cuda")]
use super::networks::{assert_agrees, medians, volume};
use crate::backend::testing::networks::residual;
#[cfg(feature = "luminal-cuda")]
use crate::backend::testing::networks::{TASKS, branches, line};
use crate::graph::Task;
use crate::{Device, Error};

/// Why a device cannot be used.
fn cause(device: Device) -> String {
    match compile(device, &Arc::new(residual()), Task::Forward, 1) {
        Err(Error::Device { cause, .. }) => cause.into_owned(),
        Err(error) => error.to_string(),
        Ok(_) => "it is there".to_owned(),
    }
}

#[cfg(not(feature = "luminal-cuda"))]
#[test]
fn the_feature_that_is_missing_is_named() {
    let expected = "this program is built without the feature `luminal-cuda`";
    assert_eq!(cause(Device::LuminalCuda(0)), expected);
}

#[cfg(feature = "luminal-cuda")]
#[test]
fn there_is_one_gpu() {
    let cause = cause(Device::LuminalCuda(1));
    assert!(cause.contains("CUDA_VISIBLE_DEVICES"), "{cause}");
}

/// On a machine without what it takes, the error says what that is.
#[cfg(feature = "luminal-cuda")]
#[test]
fn networks_compute_what_the_reference_does() {
    let device = Device::LuminalCuda(0);
    if let Err(missing) = xdnn_cuda_link::probe() {
        assert_eq!(cause(device), missing.to_string());
        return;
    }
    for task in TASKS {
        assert_agrees(device, residual(), task, 2);
        assert_agrees(device, branches(), task, 2);
        assert_agrees(device, line(), task, 2);
    }
    assert_agrees(device, volume(), Task::Attribute, 2);
    assert_agrees(device, medians(), Task::Gradient, 2);
}
