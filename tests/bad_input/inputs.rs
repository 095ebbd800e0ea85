//! What is given to a network.

use ndarray::{Array2, Array3, Array4, arr0};
use xdnn::prelude::*;
use xdnn::{Error, Parameters};

use super::{Fusion, FusionInputs, Tiny, images, refused, run};

#[test]
fn wrong_rank() {
    refused!(
        run(&Array3::zeros((1, 4, 4)).into_dyn()),
        Error::InputShape { .. },
        "input `image` must have the shape `(N, 1, 4, 4)`, found `(1, 4, 4)`; put the batch dimension in front, as in \
         `image.insert_axis(Axis(0))`",
    );
    refused!(
        run(&Array2::zeros((3, 16)).into_dyn()),
        Error::InputShape { .. },
        "input `image` must have the shape `(N, 1, 4, 4)`, found `(3, 16)`",
    );
    refused!(
        run(&arr0(1.0).into_dyn()),
        Error::InputShape { .. },
        "input `image` must have the shape `(N, 1, 4, 4)`, found `()`",
    );
}

#[test]
fn wrong_shape() {
    refused!(
        run(&Array4::zeros((2, 4, 4, 1)).into_dyn()),
        Error::InputShape { .. },
        "input `image` must have the shape `(N, 1, 4, 4)`, found `(2, 4, 4, 1)`",
    );
}

#[test]
fn empty_batch() {
    refused!(
        run(&images(0).into_dyn()),
        Error::EmptyBatch { .. },
        "input `image` holds no samples; give at least one",
    );
}

#[test]
fn nan_in_an_input() {
    let mut images = images(3);
    images[[1, 0, 2, 3]] = f32::NAN;
    images[[2, 0, 0, 0]] = f32::INFINITY;
    refused!(
        run(&images.into_dyn()),
        Error::NonFiniteInput { .. },
        "input `image` is NaN at index `(1, 0, 2, 3)`; replace missing values by finite numbers",
    );
}

#[test]
fn infinity_in_an_input() {
    let mut images = images(2);
    images[[0, 0, 3, 1]] = f32::NEG_INFINITY;
    refused!(
        run(&images.into_dyn()),
        Error::NonFiniteInput { .. },
        "input `image` is -inf at index `(0, 0, 3, 1)`; replace missing values by finite numbers",
    );
}

#[test]
fn finite_inputs_whose_results_overflow() {
    let mut net = Tiny::init(Seed(1));
    net.visit_mut(&mut |weight| weight.into_slice().fill(1.0));
    let images = Array4::from_elem((2, 1, 4, 4), f32::MAX);
    for device in [Device::Cpu, Device::Reference] {
        let model = net.compile(device).unwrap();
        let outputs = model.forward(&images).unwrap();
        assert!(outputs.iter().all(|output| *output == f32::INFINITY));
        let attribution = model.attribute(&images, Target::Predicted).unwrap();
        assert!(attribution.completeness_gap().is_nan()); // what is not exact does not claim to be
    }
}

#[test]
fn wrong_number_of_inputs() {
    let model = Fusion::init(Seed(1)).compile(Device::Cpu).unwrap();
    refused!(
        model.forward(&Array2::zeros((4, 3))),
        Error::InputCount { found: 1, .. },
        "expected 2 inputs (`image`, `audio`), found 1; give one array per declared input, in order of declaration",
    );
}

#[test]
fn inputs_of_different_batches() {
    let model = Fusion::init(Seed(1)).compile(Device::Cpu).unwrap();
    let (image, audio) = (Array2::zeros((4, 3)), Array2::zeros((5, 2)));
    let inputs = || FusionInputs {
        image: image.view(),
        audio: audio.view(),
    };
    let text = "input `audio` holds 5 samples, but input `image` holds 4; give every input the same number of samples";
    refused!(model.forward(inputs()), Error::BatchesDiffer { .. }, text);
    refused!(
        model.attribute(inputs(), Target::Class(0)),
        Error::BatchesDiffer { .. },
        text
    );
}
