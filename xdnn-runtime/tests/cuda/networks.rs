//! What the tests run.

use std::borrow::Cow;

use ndarray::{ArrayD, IxDyn};
use xdnn_cuda_mock::{Exclusive, install};
use xdnn_runtime::backend::cuda::Buffer;
use xdnn_runtime::ir::layer::{Conv2d, Flatten, LeakyRelu, Linear, MaxPool2d, Relu};
use xdnn_runtime::ir::{
    Combine, Degree, Input, Layer, NetworkSpec, Node, Operand, Operation, Shape, Weight,
};
use xdnn_runtime::{
    Attribution, Device, DynamicModel, Error, Inputs, Network, Precision, Target, XNetwork, layers,
    parameters,
};

use crate::common::network::Builder;
use crate::common::numbers::Numbers;

pub const GPU: Device = Device::Cuda(0);
/// What most tests use: each batch size is a program to compile.
pub const BATCH: usize = 2;
pub const CLASSES: usize = 3;

/// `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR`, and `_MINOR`.
pub const CAPABILITY: [i32; 2] = [75, 76];

/// The stand-in for one test.
pub fn alone() -> Exclusive<'static> {
    install().unwrap().exclusive()
}

/// A small network with a convolution, a pool and a product of matrices.
#[derive(Clone, Debug)]
pub struct Image {
    conv: layers::Conv2d,
    head: layers::Linear,
}

parameters! { Image { conv, head } }

const fn node(
    path: &'static str,
    layer: Layer,
    operand: &'static [Operand],
    shape: Shape,
    weights: std::ops::Range<usize>,
) -> Node {
    Node {
        path: Cow::Borrowed(path),
        operation: Operation::Layer(layer),
        operands: Cow::Borrowed(operand),
        shape,
        degree: Some(Degree::ONE),
        weights,
    }
}

pub const CONV: Conv2d = Conv2d {
    out_channels: 4,
    kernel: [3; 2],
    stride: [1; 2],
    padding: [1; 2],
    dilation: [1; 2],
    groups: 1,
    bias: false,
};
const POOL: MaxPool2d = MaxPool2d {
    kernel: [2; 2],
    stride: None,
    padding: [0; 2],
    dilation: [1; 2],
    ceil_mode: false,
};
pub const HEAD: Linear = Linear {
    out_features: CLASSES,
    bias: false,
};
const INPUTS: &[Input] = &[Input {
    name: Cow::Borrowed("image"),
    shape: Shape::new([2, 6, 6]),
}];
const NODES: &[Node] = &[
    node(
        "conv",
        Layer::Conv2d(CONV),
        &[Operand::Input(0)],
        Shape::new([4, 6, 6]),
        0..1,
    ),
    node(
        "",
        Layer::Relu(Relu {}),
        &[Operand::Node(0)],
        Shape::new([4, 6, 6]),
        1..1,
    ),
    node(
        "",
        Layer::MaxPool2d(POOL),
        &[Operand::Node(1)],
        Shape::new([4, 3, 3]),
        1..1,
    ),
    node(
        "",
        Layer::Flatten(Flatten {}),
        &[Operand::Node(2)],
        Shape::new([36]),
        1..1,
    ),
    node(
        "head",
        Layer::Linear(HEAD),
        &[Operand::Node(3)],
        Shape::new([CLASSES]),
        1..2,
    ),
];
const WEIGHTS: &[Weight] = &[
    Weight {
        name: Cow::Borrowed("conv.weight"),
        shape: Shape::new([4, 2, 3, 3]),
    },
    Weight {
        name: Cow::Borrowed("head.weight"),
        shape: Shape::new([CLASSES, 36]),
    },
];

impl Network for Image {
    const SPEC: &'static NetworkSpec = &NetworkSpec {
        name: Cow::Borrowed("Image"),
        inputs: Cow::Borrowed(INPUTS),
        nodes: Cow::Borrowed(NODES),
        weights: Cow::Borrowed(WEIGHTS),
        output: Operand::Node(4),
    };
}
impl XNetwork for Image {}

/// A network of degree 2 with two inputs.
pub fn pair() -> NetworkSpec {
    let mut network = Builder::new(&[Shape::new([2, 4, 4]), Shape::new([2, 4, 4])]);
    let slope = LeakyRelu {
        negative_slope: 0.25,
    };
    let x = network.layer(slope, Operand::Input(0)).unwrap();
    let y = Operand::Input(1);
    let max = network.combine(Combine::Max, &[x, y]).unwrap();
    let product = network.combine(Combine::Product, &[max, y]).unwrap();
    let joined = network.chain(product, [CONV.into(), Flatten {}.into(), HEAD.into()]);
    network.finish(joined.unwrap())
}

fn random(dims: impl IntoIterator<Item = usize>, numbers: &mut Numbers) -> ArrayD<f32> {
    let dims: Vec<usize> = dims.into_iter().collect();
    let values = numbers.reals(dims.iter().product(), -1.0..1.0);
    let values = values.into_iter().map(|value| value as f32).collect();
    ArrayD::from_shape_vec(IxDyn(&dims), values).unwrap()
}

/// A model whose weights depend on the seed.
pub fn seeded(spec: &NetworkSpec, device: Device, seed: u64) -> DynamicModel {
    let mut numbers = Numbers::new(seed);
    let shapes = spec.weights().iter().map(|weight| weight.shape);
    let weights = shapes.map(|shape| random(shape.dims().iter().copied(), &mut numbers));
    let model = DynamicModel::new(spec.clone(), weights.collect(), device).unwrap();
    model.with_precision(Precision::Strict)
}

pub fn model(spec: &NetworkSpec, device: Device) -> DynamicModel {
    seeded(spec, device, 1)
}

pub fn image(device: Device) -> DynamicModel {
    model(Image::SPEC, device)
}

/// A batch of inputs of a network.
pub fn inputs(spec: &NetworkSpec, batch: usize) -> Vec<ArrayD<f32>> {
    let mut numbers = Numbers::new(batch as u64 + 10);
    let shapes = spec.inputs().iter().map(|input| input.shape);
    let batches = shapes.map(|shape| {
        let dims = std::iter::once(batch).chain(shape.dims().iter().copied());
        random(dims, &mut numbers)
    });
    batches.collect()
}

pub fn forward(model: &DynamicModel, batch: usize) -> Result<ArrayD<f32>, Error> {
    let inputs = inputs(model.spec(), batch);
    model.forward(Inputs::from_views(inputs.iter().map(|input| input.view())))
}

pub fn attribute(model: &DynamicModel, batch: usize) -> Result<Attribution, Error> {
    let inputs = inputs(model.spec(), batch);
    let views = inputs.iter().map(|input| input.view());
    model.attribute(Inputs::from_views(views), Target::Predicted)
}

/// All numbers of an attribution.
pub fn numbers(attribution: &Attribution) -> Vec<f32> {
    let values = attribution
        .iter()
        .flat_map(|(_, values)| values.iter().copied().collect::<Vec<_>>());
    values
        .chain(attribution.outputs().iter().copied())
        .collect()
}

/// The numbers of an attribution from and to the memory of the GPU, as [`numbers`] gives those of one from and to the host.
pub fn attribute_within(model: &DynamicModel, batch: usize) -> Result<Vec<f32>, Error> {
    let inputs = inputs(model.spec(), batch);
    let inputs = inputs.iter().filter_map(|input| input.as_slice());
    let inputs = inputs.map(|input| Buffer::upload(0, input));
    let inputs: Vec<Buffer> = inputs.collect::<Result<_, _>>()?;
    let mut output = Buffer::zeros(0, batch * model.spec().output_shape().elements())?;
    let values = inputs.iter().map(|input| Buffer::zeros(0, input.len()));
    let mut values: Vec<Buffer> = values.collect::<Result<_, _>>()?;
    let slices: Vec<_> = inputs.iter().map(Buffer::slice).collect();
    let mut attributions: Vec<_> = values.iter_mut().map(Buffer::slice_mut).collect();
    let output_slice = output.slice_mut();
    model.attribute_into(
        batch,
        &slices,
        Target::Predicted,
        output_slice,
        &mut attributions,
    )?;
    let all = values.iter().chain([&output]);
    let all: Vec<Vec<f32>> = all.map(Buffer::download).collect::<Result<_, _>>()?;
    Ok(all.concat())
}

/// Asserts that numbers are near others, measured by the largest of them.
#[track_caller]
pub fn assert_near<'a>(
    found: impl IntoIterator<Item = &'a f32>,
    expected: impl IntoIterator<Item = &'a f32>,
    tolerance: f32,
) {
    let found: Vec<f32> = found.into_iter().copied().collect();
    let expected: Vec<f32> = expected.into_iter().copied().collect();
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        let difference = (found - expected).abs();
        assert!(
            difference <= tolerance * largest,
            "{found} is not {expected}, the largest is {largest}"
        );
    }
}
