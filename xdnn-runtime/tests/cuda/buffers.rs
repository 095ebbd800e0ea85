//! Inputs and results in the memory of the GPU.

use xdnn_runtime::backend::cuda::{Buffer, Slice};
use xdnn_runtime::ir::{NetworkSpec, Operand, Shape};
use xdnn_runtime::{Device, DynamicModel, Error, Network, Target};

use crate::common::network::Builder;
use crate::networks::{
    BATCH, CLASSES, GPU, HEAD, Image, alone, attribute, attribute_within, forward, image, inputs,
    model, numbers, pair,
};

fn images() -> Buffer {
    let images = inputs(Image::SPEC, BATCH).remove(0);
    Buffer::upload(0, images.as_slice().unwrap()).unwrap()
}

fn scores() -> Buffer {
    Buffer::zeros(0, BATCH * CLASSES).unwrap()
}

/// A network that reads what the others result in.
fn second() -> NetworkSpec {
    let mut network = Builder::new(&[Shape::new([CLASSES])]);
    let output = network.layer(HEAD, Operand::Input(0)).unwrap();
    network.finish(output)
}

#[test]
fn numbers_there_and_back() {
    let mock = alone();
    let before = mock.live();
    let numbers = [1.0, -0.0, f32::NAN, 3.5];
    let buffer = Buffer::upload(0, &numbers).unwrap();
    let bits = |numbers: &[f32]| numbers.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&buffer.download().unwrap()), bits(&numbers));
    assert_eq!(buffer.slice().len(), 4);
    assert_eq!(Buffer::zeros(0, 3).unwrap().download().unwrap(), [0.0; 3]);
    for none in [Buffer::zeros(0, 0), Buffer::upload(0, &[])] {
        let none = none.unwrap();
        assert!(none.is_empty() && none.download().unwrap().is_empty());
    }
    drop(buffer);
    assert_eq!(mock.live(), before);
}

/// The same bits as from and to the host, also of a device that begins as late as it can.
#[test]
fn results_are_those_of_the_host() {
    let mock = alone();
    for spec in [Image::SPEC, &pair()] {
        let model = model(spec, GPU);
        let expected = numbers(&attribute(&model, BATCH).unwrap());
        for late in [false, true] {
            mock.set_deferred(late);
            assert_eq!(attribute_within(&model, BATCH).unwrap(), expected);
        }
        assert_eq!(numbers(&attribute(&model, BATCH).unwrap()), expected);
    }
}

#[test]
fn models_in_a_row_without_the_host() {
    let mock = alone();
    let (first, second) = (image(GPU), model(&second(), GPU));
    let expected = second.forward(&forward(&first, BATCH).unwrap()).unwrap();
    let images = images();
    let (mut between, mut result) = (scores(), scores());
    let mut run = || {
        first
            .forward_into(BATCH, &[images.slice()], between.slice_mut())
            .unwrap();
        second
            .forward_into(BATCH, &[between.slice()], result.slice_mut())
            .unwrap();
    };
    run();
    let live = mock.live();
    mock.reset();
    run();
    assert_eq!(mock.live(), live);
    // In and out on the device, a launch and a wait, for each of the two.
    for (function, calls) in [
        ("cuMemcpyHtoDAsync", 0),
        ("cuMemcpyDtoHAsync", 0),
        ("cuMemcpyDtoDAsync", 4),
        ("cuGraphLaunch", 2),
        ("cuStreamSynchronize", 2),
    ] {
        assert_eq!(mock.calls(function), calls, "{function}");
    }
    assert_eq!(mock.calls("*"), 8 + mock.calls("cuCtxSetCurrent"));
    assert_eq!(result.download().unwrap(), expected.as_slice().unwrap());
}

/// As other libraries give their memory: here the second sample of a batch.
#[test]
#[allow(unsafe_code)]
fn memory_of_others() {
    let _alone = alone();
    let model = image(GPU);
    let (images, mut result) = (images(), Buffer::zeros(0, CLASSES).unwrap());
    let sample = images.len() / BATCH;
    let address = images.slice().address() + (sample * size_of::<f32>()) as u64;
    // SAFETY: `images` holds that many numbers there, and outlives the slice.
    let second = unsafe { Slice::from_raw(0, address, sample) };
    model
        .forward_into(1, &[second], result.slice_mut())
        .unwrap();
    let expected = inputs(Image::SPEC, BATCH).remove(0);
    let expected = expected.slice_axis(ndarray::Axis(0), (1..2).into());
    let expected = model.forward(expected).unwrap();
    assert_eq!(result.download().unwrap(), expected.as_slice().unwrap());
}

/// What attributes a batch to memory of these sizes, and says why it cannot.
#[track_caller]
fn refusal(
    model: &DynamicModel,
    batch: usize,
    [input, output, attribution]: [usize; 3],
    target: Target<'_>,
) -> Error {
    let [input, mut output, mut attribution] =
        [input, output, attribution].map(|len| Buffer::upload(0, &vec![7.0; len]).unwrap());
    let attributions = &mut [attribution.slice_mut()];
    let error = model
        .attribute_into(
            batch,
            &[input.slice()],
            target,
            output.slice_mut(),
            attributions,
        )
        .unwrap_err();
    for untouched in [output, attribution] {
        assert!(untouched.download().unwrap().iter().all(|x| *x == 7.0));
    }
    error
}

#[test]
fn what_does_not_fit_is_refused() {
    let _alone = alone();
    let model = image(GPU);
    let sizes = [BATCH * 72, BATCH * CLASSES, BATCH * 72];
    for (at, expected) in [
        "input `image` must have the shape `(2, 2, 6, 6)`, which is 144 numbers, found 143",
        "the output must have the shape `(2, 3)`, which is 6 numbers, found 5",
        "the attributions of input `image` must have the shape `(2, 2, 6, 6)`, which is 144 numbers, found 143",
    ]
    .into_iter()
    .enumerate()
    {
        let mut sizes = sizes;
        sizes[at] -= 1;
        let error = refusal(&model, BATCH, sizes, Target::Predicted);
        assert!(matches!(error, Error::SliceLength { .. }));
        assert_eq!(error.to_string(), expected);
    }
    let error = refusal(&model, usize::MAX, sizes, Target::Predicted);
    assert!(matches!(error, Error::SliceLength { .. }), "{error}");
    let error = refusal(&model, 0, sizes, Target::Predicted);
    assert!(matches!(error, Error::EmptyBatch { .. }), "{error}");
    let error = refusal(&model, BATCH, sizes, Target::Class(CLASSES));
    assert!(matches!(error, Error::ClassOutOfRange { .. }), "{error}");
    // Two inputs.
    let pair = crate::networks::model(&pair(), GPU);
    let error = refusal(&pair, BATCH, sizes, Target::Predicted);
    assert!(
        matches!(error, Error::InputCount { found: 1, .. }),
        "{error}"
    );
}

#[test]
fn memory_of_another_device_is_refused() {
    let mock = alone();
    mock.set_devices(2);
    let (images, mut result) = (images(), scores());
    let run = |device, result: &mut Buffer| {
        image(device)
            .forward_into(BATCH, &[images.slice()], result.slice_mut())
            .map_err(|error| error.to_string())
    };
    let cause = "it does not read or write the memory of `cuda:0`; give it numbers on the device of the model";
    assert_eq!(
        run(Device::Cuda(1), &mut result),
        Err(format!("device `cuda:1`: {cause}"))
    );
    let mut elsewhere = Buffer::zeros(1, BATCH * CLASSES).unwrap();
    assert!(run(GPU, &mut elsewhere).unwrap_err().contains("`cuda:1`"));
    for device in [Device::Cpu, Device::Reference, Device::Luminal] {
        let cause = "it does not read a GPU's memory; compile the network for `Device::Cuda`";
        assert_eq!(
            run(device, &mut result),
            Err(format!("device `{device}`: {cause}"))
        );
    }
    assert_eq!(run(GPU, &mut result), Ok(()));
}

#[test]
fn memory_that_is_not_there() {
    let mock = alone();
    mock.set_memory(mock.live().bytes + 100);
    match Buffer::zeros(0, 26) {
        Err(Error::OutOfMemory { what, bytes: 104 }) => assert_eq!(what, "a buffer on cuda:0"),
        other => panic!("{other:?}"),
    }
    assert!(Buffer::zeros(0, 25).is_ok());
    assert!(matches!(Buffer::zeros(1, 1), Err(Error::Device { .. })));
}
