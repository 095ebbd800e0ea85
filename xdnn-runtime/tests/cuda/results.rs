//! A GPU computes what the CPU and the reference do.

use xdnn_runtime::backend::{Program, Weights, cuda};
use xdnn_runtime::ir::layer::{Conv2d, Flatten, Relu};
use xdnn_runtime::ir::{NetworkSpec, Operand, Shape};
use xdnn_runtime::ops::Leaf;
use xdnn_runtime::{
    Device, DynamicModel, Error, Graph, Inputs, IntegratedGradients, Network, Precision, Target,
    Task,
};

use crate::common::network::Builder;
use crate::networks::{
    BATCH, CAPABILITY, CONV, GPU, HEAD, Image, alone, assert_near, attribute, forward, image,
    inputs, model, numbers, pair, seeded,
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
    // The rows of the last layer's weight that targets choose are read as they are, not as it is laid out for the forward pass.
    assert_eq!(uploads(&mock), 6);
    assert_eq!(mock.live().allocations, before.allocations + 6);
    // Another model has other weights.
    let other = seeded(Image::SPEC, GPU, 2);
    assert_ne!(
        forward(&other, BATCH).unwrap(),
        forward(&model, BATCH).unwrap()
    );
    assert_eq!(uploads(&mock), 9);
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

/// NVRTC gives PTX where it does not know the GPU itself.
#[test]
fn devices_between_and_beyond_those_that_nvrtc_knows() {
    let mock = alone();
    let expected = numbers(&attribute(&image(Device::Cpu), BATCH).unwrap());
    for (major, minor) in [(8, 9), (12, 0)] {
        mock.reset();
        mock.set_attribute(CAPABILITY[0], major);
        mock.set_attribute(CAPABILITY[1], minor);
        let found = attribute(&image(GPU), BATCH).unwrap();
        assert_near(&numbers(&found), &expected, STRICT);
        assert!(mock.calls("nvrtcGetPTX") > 0 && mock.calls("nvrtcGetCUBIN") == 0);
        for function in ["nvrtcGetPTXSize", "nvrtcGetPTX"] {
            mock.fail(function, 1, 11);
            let error = attribute(&image(GPU), BATCH).unwrap_err().to_string();
            assert!(error.contains("NVRTC gives no PTX"), "{error}");
        }
        assert_eq!(mock.programs(), 0);
    }
}

/// Products of warps, and of warpgroups where there are such.
#[test]
fn tensor_cores_of_either_generation() {
    let mock = alone();
    let mut network = Builder::new(&[Shape::new([3, 6, 6])]);
    let conv = |out_channels| Conv2d {
        out_channels,
        ..CONV
    };
    let layers = [
        conv(80).into(),
        Relu {}.into(),
        conv(32).into(),
        Flatten {}.into(),
        HEAD.into(),
    ];
    let output = network.chain(Operand::Input(0), layers).unwrap();
    let spec = network.finish(output);
    let expected = numbers(&attribute(&model(&spec, Device::Reference), BATCH).unwrap());
    let found = [8, 9].map(|major| {
        mock.reset();
        mock.set_attribute(CAPABILITY[0], major);
        mock.set_attribute(CAPABILITY[1], 0);
        let model = model(&spec, GPU).with_precision(Precision::Tf32);
        let found = numbers(&attribute(&model, BATCH).unwrap());
        assert_near(&found, &expected, 4e-3);
        found
    });
    // They add up in another order.
    assert_ne!(found[0], found[1]);
}

/// Below models, whoever has a program may give it other weights at any time.
#[test]
fn programs_read_what_they_keep() {
    let mock = alone();
    mock.set_devices(2);
    let compile = |ordinal| {
        let graph = Graph::build(Image::SPEC, Task::Forward, BATCH).unwrap();
        cuda::compile(&graph, Weights::Constant, ordinal, Precision::Strict).unwrap()
    };
    let (program, elsewhere) = (compile(0), compile(1));
    let images = inputs(Image::SPEC, BATCH).remove(0);
    let sizes = program.leaves().iter().map(|(_, shape)| shape.elements());
    let sizes: Vec<usize> = sizes.collect();
    let weight = |leaf: &Leaf| matches!(leaf, Leaf::Weight(_) | Leaf::LaidOut(..));
    let weights = (0..sizes.len()).filter(|i| weight(&program.leaves()[*i].0));
    let weights: Vec<usize> = weights.collect();
    let run = |factor: f32| {
        for &i in &weights {
            let kept = program.upload(&vec![factor; sizes[i]]).unwrap();
            program.keep(i, &kept.unwrap()).unwrap();
        }
        let given = program.leaves().iter().map(|(leaf, _)| match weight(leaf) {
            true => &[][..],
            false => images.as_slice().unwrap(),
        });
        let mut results = vec![0.0; program.outputs()[0].elements()];
        program
            .run(&given.collect::<Vec<_>>(), &mut [&mut results])
            .unwrap();
        results
    };
    let once = run(1.0);
    let doubled: Vec<f32> = once.iter().map(|x| 4.0 * x).collect();
    assert_near(&run(2.0), &doubled, STRICT);

    let size = sizes[weights[0]];
    let other = elsewhere.upload(&vec![0.0; size]).unwrap().unwrap();
    assert!(matches!(
        program.keep(weights[0], &other),
        Err(Error::Graph(_))
    ));
    let short = program.upload(&vec![0.0; size - 1]).unwrap().unwrap();
    assert!(matches!(
        program.keep(weights[0], &short),
        Err(Error::Graph(_))
    ));
    let fitting = program.upload(&vec![0.0; size]).unwrap().unwrap();
    assert!(matches!(
        program.keep(sizes.len(), &fitting),
        Err(Error::Graph(_))
    ));
    assert_near(&run(1.0), &once, 0.0);
}
