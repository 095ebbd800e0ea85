//! From a network's description to operators: what each layer computes, one family a file.
//!
//! To add a layer, say which operators compute it with [`Lower`], and name it in [`lower`].

use xdnn_ir::{Layer, NetworkSpec, Node, Operand, Operation, Shape};

use super::{Graph, Value};
use crate::error::{Error, Result, invalid};
use crate::ops::Leaf;

mod activation;
mod adaptive;
mod attention;
mod axes;
mod channel;
mod combine;
mod convolution;
mod degree_zero;
mod function;
mod linear;
mod norm;
mod order;
mod padding;
mod pool;
mod power;
mod power_mean;
mod recurrent;
mod resize;
mod softmax;
mod view;
mod window;

use combine::combine;

/// Whether dropout acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Inference,
    Training,
}

/// The values of a network in a graph.
pub(super) struct Built {
    pub inputs: Vec<Value>,
    pub weights: Vec<Value>,
    pub output: Value,
}

/// Adds the forward pass of a network for a batch of samples.
pub(super) fn forward(
    graph: &mut Graph,
    spec: &NetworkSpec,
    batch: usize,
    mode: Mode,
) -> Result<Built> {
    let mut inputs = Vec::new();
    for (i, input) in spec.inputs().iter().enumerate() {
        inputs.push(graph.leaf(Leaf::Input(i), batched(input.shape, batch)?)?);
    }
    let mut weights = Vec::new();
    for (i, weight) in spec.weights().iter().enumerate() {
        weights.push(graph.leaf(Leaf::Weight(i), weight.shape)?);
    }
    let mut results: Vec<Value> = Vec::new();
    let mut dropouts = 0;
    for node in spec.nodes() {
        let operands: Option<Vec<Value>> = node
            .operands
            .iter()
            .map(|operand| find(&inputs, &results, *operand))
            .collect();
        let operands = operands.ok_or_else(|| malformed(&node.path))?;
        let weights = weights
            .get(node.weights.clone())
            .ok_or_else(|| malformed(&node.path))?;
        let shape = batched(node.shape, batch)?;
        let result = match (&node.operation, operands.as_slice()) {
            (Operation::Combine(rule), operands) => combine(graph, *rule, operands)?,
            (Operation::Layer(Layer::Dropout(dropout)), [x]) => match mode {
                Mode::Training if dropout.p > 0.0 => {
                    let mask = graph.leaf(Leaf::DropoutMask(dropouts), x.shape())?;
                    dropouts += 1;
                    graph.mul(*x, mask)?
                }
                _ => *x,
            },
            (Operation::Function(function), [x]) => function::function(graph, function, *x)?,
            (Operation::Custom(of), [x]) => crate::custom::custom(graph, of, *x, weights)?,
            (Operation::Layer(layer), [x]) => {
                let site = Site {
                    graph,
                    x: *x,
                    weights,
                    shape,
                    name: layer.name(),
                };
                lower(layer, site)?
            }
            _ => return Err(malformed(&node.path)),
        };
        if result.shape() != shape {
            return Err(malformed(&node.path));
        }
        results.push(result);
    }
    let output = find(&inputs, &results, spec.output).ok_or_else(|| malformed("output"))?;
    Ok(Built {
        inputs,
        weights,
        output,
    })
}

/// The probability and the shape of one sample of each dropout that acts in training, in the order of their masks.
pub(crate) fn dropouts(spec: &NetworkSpec) -> Vec<(f64, Shape)> {
    let acts = |node: &Node| match node.operation {
        Operation::Layer(Layer::Dropout(dropout)) if dropout.p > 0.0 => {
            Some((dropout.p, node.shape))
        }
        _ => None,
    };
    spec.nodes().iter().filter_map(acts).collect()
}

fn malformed(path: &str) -> Error {
    invalid(format!(
        "the description of the network is not consistent at `{path}`"
    ))
}

fn batched(shape: Shape, batch: usize) -> Result<Shape> {
    shape
        .batched(batch)
        .ok_or_else(|| invalid(format!("{shape} has no room for a batch dimension")))
}

fn find(inputs: &[Value], results: &[Value], operand: Operand) -> Option<Value> {
    match operand {
        Operand::Input(i) => inputs.get(i).copied(),
        Operand::Node(i) => results.get(i).copied(),
    }
}

/// Where a layer stands in a graph: what it reads, and the shape of what it writes.
struct Site<'a> {
    graph: &'a mut Graph,
    x: Value,
    weights: &'a [Value],
    shape: Shape,
    name: &'static str,
}

impl Site<'_> {
    /// The first of the layer's weights.
    fn weight(&self) -> Result<Value> {
        let weight = self.weights.first().copied();
        weight.ok_or_else(|| malformed(self.name))
    }
}

/// A layer that operators compute.
trait Lower {
    /// Adds the operators, and returns the layer's result.
    fn lower(&self, site: Site<'_>) -> Result<Value>;
}

fn lower(layer: &Layer, site: Site<'_>) -> Result<Value> {
    match layer {
        Layer::Linear(layer) => layer.lower(site),
        Layer::Scale(layer) => layer.lower(site),
        Layer::Identity(layer) => layer.lower(site),
        Layer::Neg(layer) => layer.lower(site),
        Layer::Conv1d(layer) => layer.lower(site),
        Layer::Conv2d(layer) => layer.lower(site),
        Layer::Conv3d(layer) => layer.lower(site),
        Layer::ConvTranspose1d(layer) => layer.lower(site),
        Layer::ConvTranspose2d(layer) => layer.lower(site),
        Layer::ConvTranspose3d(layer) => layer.lower(site),
        Layer::Relu(layer) => layer.lower(site),
        Layer::LeakyRelu(layer) => layer.lower(site),
        Layer::PRelu(layer) => layer.lower(site),
        Layer::Abs(layer) => layer.lower(site),
        Layer::FrozenScale(layer) => layer.lower(site),
        Layer::CRelu(layer) => layer.lower(site),
        Layer::Maxout(layer) => layer.lower(site),
        Layer::GroupSort(layer) => layer.lower(site),
        Layer::Power(layer) => layer.lower(site),
        Layer::Square(layer) => layer.lower(site),
        Layer::Cube(layer) => layer.lower(site),
        Layer::Sqrt(layer) => layer.lower(site),
        Layer::SquaredRelu(layer) => layer.lower(site),
        Layer::Sign(layer) => layer.lower(site),
        Layer::L2Normalize(layer) => layer.lower(site),
        Layer::RmsNorm(layer) => layer.lower(site),
        Layer::LayerNorm(layer) => layer.lower(site),
        Layer::GroupNorm(layer) => layer.lower(site),
        Layer::Bias(layer) => layer.lower(site),
        Layer::Softmax(layer) => layer.lower(site),
        Layer::LogSoftmax(layer) => layer.lower(site),
        Layer::Softmin(layer) => layer.lower(site),
        Layer::Sigmoid(layer) => layer.lower(site),
        Layer::LogSigmoid(layer) => layer.lower(site),
        Layer::Tanh(layer) => layer.lower(site),
        Layer::Tanhshrink(layer) => layer.lower(site),
        Layer::Gelu(layer) => layer.lower(site),
        Layer::Silu(layer) => layer.lower(site),
        Layer::Mish(layer) => layer.lower(site),
        Layer::Elu(layer) => layer.lower(site),
        Layer::Selu(layer) => layer.lower(site),
        Layer::Celu(layer) => layer.lower(site),
        Layer::Softplus(layer) => layer.lower(site),
        Layer::Softsign(layer) => layer.lower(site),
        Layer::Glu(layer) => layer.lower(site),
        Layer::Hardtanh(layer) => layer.lower(site),
        Layer::Relu6(layer) => layer.lower(site),
        Layer::Hardsigmoid(layer) => layer.lower(site),
        Layer::Hardswish(layer) => layer.lower(site),
        Layer::Threshold(layer) => layer.lower(site),
        Layer::Hardshrink(layer) => layer.lower(site),
        Layer::Softshrink(layer) => layer.lower(site),
        Layer::Exp(layer) => layer.lower(site),
        Layer::Log(layer) => layer.lower(site),
        Layer::Sin(layer) => layer.lower(site),
        Layer::Cos(layer) => layer.lower(site),
        Layer::LocalResponseNorm(layer) => layer.lower(site),
        Layer::MultiheadAttention(layer) => layer.lower(site),
        Layer::RotaryEmbedding(layer) => layer.lower(site),
        Layer::Rnn(layer) => layer.lower(site),
        Layer::MaxPool1d(layer) => layer.lower(site),
        Layer::MaxPool2d(layer) => layer.lower(site),
        Layer::MaxPool3d(layer) => layer.lower(site),
        Layer::AvgPool1d(layer) => layer.lower(site),
        Layer::AvgPool2d(layer) => layer.lower(site),
        Layer::AvgPool3d(layer) => layer.lower(site),
        Layer::MinPool1d(layer) => layer.lower(site),
        Layer::MinPool2d(layer) => layer.lower(site),
        Layer::MinPool3d(layer) => layer.lower(site),
        Layer::MedianPool1d(layer) => layer.lower(site),
        Layer::MedianPool2d(layer) => layer.lower(site),
        Layer::AdaptiveAvgPool1d(layer) => layer.lower(site),
        Layer::AdaptiveAvgPool2d(layer) => layer.lower(site),
        Layer::AdaptiveAvgPool3d(layer) => layer.lower(site),
        Layer::AdaptiveMaxPool1d(layer) => layer.lower(site),
        Layer::AdaptiveMaxPool2d(layer) => layer.lower(site),
        Layer::AdaptiveMaxPool3d(layer) => layer.lower(site),
        Layer::GlobalAvgPool(layer) => layer.lower(site),
        Layer::GlobalMaxPool(layer) => layer.lower(site),
        Layer::TopKPool(layer) => layer.lower(site),
        Layer::LpPool1d(layer) => layer.lower(site),
        Layer::LpPool2d(layer) => layer.lower(site),
        Layer::GeM(layer) => layer.lower(site),
        Layer::Flatten(layer) => layer.lower(site),
        Layer::Reshape(layer) => layer.lower(site),
        Layer::Permute(layer) => layer.lower(site),
        Layer::ChannelShuffle(layer) => layer.lower(site),
        Layer::Dropout(layer) => layer.lower(site),
        Layer::Upsample(layer) => layer.lower(site),
        Layer::PixelShuffle(layer) => layer.lower(site),
        Layer::PixelUnshuffle(layer) => layer.lower(site),
        Layer::ZeroPad1d(layer) => layer.lower(site),
        Layer::ZeroPad2d(layer) => layer.lower(site),
        Layer::ZeroPad3d(layer) => layer.lower(site),
        Layer::ConstantPad1d(layer) => layer.lower(site),
        Layer::ConstantPad2d(layer) => layer.lower(site),
        Layer::ConstantPad3d(layer) => layer.lower(site),
        Layer::ReflectionPad1d(layer) => layer.lower(site),
        Layer::ReflectionPad2d(layer) => layer.lower(site),
        Layer::ReplicationPad1d(layer) => layer.lower(site),
        Layer::ReplicationPad2d(layer) => layer.lower(site),
        Layer::CircularPad1d(layer) => layer.lower(site),
        Layer::CircularPad2d(layer) => layer.lower(site),
        Layer::Crop1d(layer) => layer.lower(site),
        Layer::Crop2d(layer) => layer.lower(site),
    }
}
