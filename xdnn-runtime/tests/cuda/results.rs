//! A GPU computes what the CPU and the reference do.

use xdnn_runtime::ir::NetworkSpec;
use xdnn_runtime::{
    Device, DynamicModel, Inputs, IntegratedGradients, Network, Precision, Target, Task,
};

use crate::networks::{
    BATCH, GPU, Image, alone, assert_near, attribute, forward, image, inputs, model, numbers, pair,
    seeded,
};

const STRICT: f32 = 1e-5;

fn integrated_gradients(model: &DynamicModel) -> Vec<f32> {
    let inputs = inputs(model.spec(), BATCH);
    let inputs = Inputs::from_views(inputs.iter().map(|input| input.view()));
    let method = IntegratedGradients::new(4).batch(2 * BATCH);
    let found = model.integrated_gradients(inputs, Target::Class(1), &method);
    let found = found.unwrap();
    assert_eq!(found.precision(), model.precision());
    numbers(&found)
}

fn assert_agrees(spec: &NetworkSpec) {
    let _alone = alone();
    let gpu = model(spec, GPU);
    for other in [Device::Cpu, Device::Reference] {
        let other = model(spec, other);
        for batch in [BATCH, 1, 5] {
            let expected = forward(&other, batch).unwrap();
            assert_near(&forward(&gpu, batch).unwrap(), &expected, STRICT);
        }
        let found = attribute(&gpu, BATCH).unwrap();
        let expected = attribute(&other, BATCH).unwrap();
        assert_eq!(found.targets(), expected.targets());
        assert_near(&numbers(&found), &numbers(&expected), STRICT);
        assert!(found.completeness_gap() < 1e-4);
        let expected = integrated_gradients(&other);
        assert_near(&integrated_gradients(&gpu), &expected, STRICT);
    }
}

#[test]
fn an_image() {
    assert_agrees(Image::SPEC);
}

#[test]
fn two_inputs() {
    assert_agrees(&pair());
}

#[test]
fn attributions_say_how_exactly_they_were_computed() {
    let _alone = alone();
    let expected = attribute(&image(Device::Reference), BATCH).unwrap();
    assert_eq!(expected.precision(), Precision::Strict);
    for (precision, tolerance) in [
        (Precision::Strict, STRICT),
        (Precision::Tf32, 4e-3),
        (Precision::Bf16, 4e-2),
    ] {
        let model = image(GPU).with_precision(precision);
        let found = attribute(&model, BATCH).unwrap();
        assert_eq!(found.precision(), precision);
        assert_eq!(model.precision(), precision);
        assert_near(&numbers(&found), &numbers(&expected), tolerance);
        // The CPU cannot choose.
        let model = image(Device::Cpu).with_precision(precision);
        assert_eq!(
            attribute(&model, BATCH).unwrap().precision(),
            Precision::Strict
        );
    }
}

/// A device may begin with its work as late as it wants to.
#[test]
fn runs_wait_for_what_they_need() {
    let mock = alone();
    let expected = numbers(&attribute(&image(GPU), BATCH).unwrap());
    mock.set_deferred(true);
    let model = image(GPU);
    for _ in 0..2 {
        assert_eq!(numbers(&attribute(&model, BATCH).unwrap()), expected);
    }
}

#[test]
fn every_order_of_threads_gives_the_same_bits() {
    let mock = alone();
    let model = image(GPU);
    let expected = numbers(&attribute(&model, BATCH).unwrap());
    for order in [1, 2, 3, 77] {
        mock.set_order(order);
        assert_eq!(
            numbers(&attribute(&model, BATCH).unwrap()),
            expected,
            "{order}"
        );
    }
}

/// The programs of a model share what they read, and each has memory of its own.
#[test]
fn weights_are_uploaded_once() {
    let mock = alone();
    let before = mock.live();
    let uploads = |mock: &xdnn_cuda_mock::Mock| mock.calls("cuMemcpyHtoDAsync");
    let model = image(GPU);
    forward(&model, BATCH).unwrap();
    // Two weights, and the recorded copy of the inputs.
    assert_eq!(uploads(&mock), 3);
    assert_eq!(mock.live().allocations, before.allocations + 3);
    forward(&model, 1).unwrap();
    attribute(&model, BATCH).unwrap();
    assert_eq!(uploads(&mock), 5);
    assert_eq!(mock.live().allocations, before.allocations + 5);
    // Another model has other weights.
    let other = seeded(Image::SPEC, GPU, 2);
    assert_ne!(
        forward(&other, BATCH).unwrap(),
        forward(&model, BATCH).unwrap()
    );
    assert_eq!(uploads(&mock), 8);
    drop((model, other));
    assert_eq!(mock.live(), before);
}

#[test]
fn what_is_prepared_is_not_compiled_again() {
    let mock = alone();
    let model = image(GPU);
    model.prepare(Task::Attribute, BATCH).unwrap();
    let compiled = mock.calls("nvrtcCompileProgram");
    assert!(compiled > 0);
    assert_eq!(mock.calls("cuGraphLaunch"), 0);
    attribute(&model, BATCH).unwrap();
    assert_eq!(mock.calls("nvrtcCompileProgram"), compiled);
    // Nor is what another model has compiled.
    attribute(&seeded(Image::SPEC, GPU, 2), BATCH).unwrap();
    assert_eq!(mock.calls("nvrtcCompileProgram"), compiled);
}
