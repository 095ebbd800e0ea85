//! What becomes of the zoo's image networks on a GPU: which operators go into which kernel.
//!
//! It takes no GPU. The plans are the same for every batch but for the sizes of grids.

#![allow(clippy::unwrap_used)]

use xdnn::ir::NetworkSpec;
use xdnn::prelude::*;
use xdnn::zoo::{XAlexNet, XResNet50, XVgg16};
use xdnn_runtime::backend::cuda::Outline;
use xdnn_runtime::{Precision, Task};

/// The plan of a network's attributions, of at most so many kernels.
fn attribute(spec: &NetworkSpec, most: usize) -> Outline {
    let outline = Outline::of(spec, Task::Attribute, 1, Precision::Tf32).unwrap();
    assert!(outline.kernels() <= most, "{outline}");
    outline
}

#[test]
fn alexnet() {
    insta::assert_snapshot!(attribute(XAlexNet::SPEC, 16));
}

#[test]
fn vgg16() {
    insta::assert_snapshot!(attribute(XVgg16::SPEC, 32));
}

#[test]
fn resnet50() {
    insta::assert_snapshot!(attribute(XResNet50::SPEC, 110));
}
