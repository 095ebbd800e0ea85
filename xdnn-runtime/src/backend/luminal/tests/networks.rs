//! Whole networks in every task, as `Device::Luminal` runs them.

use std::sync::Arc;

use xdnn_ir::layer::{Conv3d, Flatten, Linear, MedianPool1d, Relu, Softplus, Square, TopKPool};
use xdnn_ir::{NetworkSpec, Operand};

use super::super::compile;
use crate::Device;
use crate::backend::testing::networks::{TASKS, branches, leaves, line, residual};
use crate::backend::testing::{exact, run};
use crate::graph::{Graph, Loss, Task};
use crate::sketch::Sketch;

fn linear(out_features: usize) -> Linear {
    Linear {
        out_features,
        bias: false,
    }
}

/// A volume, a power and the mean of the largest elements.
pub(super) fn volume() -> NetworkSpec {
    let mut net = Sketch::new(&[("x", &[2, 3, 4, 5])]);
    let conv = Conv3d {
        out_channels: 4,
        kernel: [2, 3, 3],
        stride: [1, 1, 2],
        padding: [1, 1, 0],
        dilation: [1, 1, 1],
        groups: 2,
        bias: false,
    };
    let x = net.layer("conv", conv, Operand::Input(0));
    let x = net.layer("", Relu {}, x);
    let x = net.layer("", Square {}, x);
    let x = net.layer("", TopKPool { k: 3 }, x);
    let x = net.layer("", Flatten {}, x);
    let head = net.layer("head", linear(3), x);
    net.finish(head)
}

/// Medians, and a function that is not piecewise linear.
pub(super) fn medians() -> NetworkSpec {
    let mut net = Sketch::new(&[("x", &[3, 11])]);
    let pool = MedianPool1d {
        kernel: 3,
        stride: Some(2),
        padding: 1,
        dilation: 1,
        ceil_mode: false,
    };
    let x = net.layer("", pool, Operand::Input(0));
    let x = net.layer(
        "",
        Softplus {
            beta: 1.0,
            threshold: 20.0,
        },
        x,
    );
    let x = net.layer("", Flatten {}, x);
    let head = net.layer("head", linear(3), x);
    net.finish(head)
}

#[track_caller]
pub(super) fn assert_agrees(device: Device, spec: NetworkSpec, task: Task, batch: usize) {
    let spec = Arc::new(spec);
    let program = compile(device, &spec, task, batch).unwrap();
    let leaves = leaves(&*program, 7);
    let expected = exact(&mut Graph::build(&spec, task, batch).unwrap(), &leaves);
    for _ in 0..2 {
        for (found, expected) in run(&*program, &leaves).iter().zip(&expected) {
            // A loss near 0 is the logarithm of a number near 1, whose last digit is 10⁻⁷.
            let largest = expected.iter().fold(1e-2_f64, |max, x| max.max(x.abs()));
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                let difference = (f64::from(*found) - expected).abs();
                assert!(
                    difference <= 1e-5 * largest,
                    "{found} is not {expected} ({task:?}, {batch} samples)"
                );
            }
        }
    }
}

#[test]
fn networks_compute_what_the_reference_does() {
    for batch in [1, 3] {
        for task in TASKS {
            assert_agrees(Device::Luminal, residual(), task, batch);
            assert_agrees(Device::Luminal, branches(), task, batch);
            assert_agrees(Device::Luminal, line(), task, batch);
            assert_agrees(Device::Luminal, volume(), task, batch);
        }
        for task in [Task::Forward, Task::Gradient] {
            assert_agrees(Device::Luminal, medians(), task, batch);
        }
    }
}

#[test]
fn a_prior_trains() {
    assert_agrees(
        Device::Luminal,
        line(),
        Task::TrainWithGini(Loss::CrossEntropy),
        2,
    );
}
