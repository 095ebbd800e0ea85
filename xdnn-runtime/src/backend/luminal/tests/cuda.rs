//! `Device::LuminalCuda`, where it is built in, on a GPU or its stand-in, and where it is not.

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

#[cfg(feature = "luminal-cuda")]
#[test]
fn networks_compute_what_the_reference_does() {
    if std::env::var_os("XDNN_TEST_GPU").is_none() {
        xdnn_cuda_mock::install().unwrap();
    }
    let device = Device::LuminalCuda(0);
    for task in TASKS {
        assert_agrees(device, residual(), task, 2);
        assert_agrees(device, branches(), task, 2);
        assert_agrees(device, line(), task, 2);
    }
    assert_agrees(device, volume(), Task::Attribute, 2);
    assert_agrees(device, medians(), Task::Gradient, 2);
}
