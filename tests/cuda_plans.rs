//! What becomes of the zoo's image networks on a GPU: which operators go into which kernel.
//!
//! It takes no GPU. The plans are the same for every batch but for the sizes of grids.

#![allow(clippy::unwrap_used)]

use xdnn::ir::NetworkSpec;
use xdnn::prelude::*;
use xdnn::zoo::{XAlexNet, XResNet50, XVgg16};
use xdnn_runtime::backend::cuda::Outline;
use xdnn_runtime::{Precision, Task};

fn attribute(spec: &NetworkSpec) -> Outline {
    Outline::of(spec, Task::Attribute, 1, Precision::Tf32).unwrap()
}

#[test]
fn alexnet() {
    insta::assert_snapshot!(attribute(XAlexNet::SPEC));
}

#[test]
fn vgg16() {
    insta::assert_snapshot!(attribute(XVgg16::SPEC));
}

#[test]
fn resnet50() {
    let outline = attribute(XResNet50::SPEC);
    assert!(outline.kernels() <= 112, "{outline}");
    insta::assert_snapshot!(outline);
}
