//! From a network's description to operators: what each layer computes.

use std::sync::Arc;

use xdnn_ir::layer::{Interpolation, Upsample};
use xdnn_ir::{Combine, Layer, NetworkSpec, Node, Operand, Operation, Shape};

use super::{Graph, Value};
use crate::error::{Error, Result, invalid};
use crate::ops::{
    AxisMap, Concat, Convolution, Leaf, Map, Permute, Place, PoolGather, PoolWindow, PoolWinner,
    Role, Slopes, SparseMap, Spatial, Winner,
};

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
            (Operation::Layer(rule), [x]) => layer(graph, rule, *x, weights, shape)?,
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

fn combine(graph: &mut Graph, rule: Combine, operands: &[Value]) -> Result<Value> {
    let Some((first, rest)) = operands.split_first() else {
        return Err(malformed(rule.name()));
    };
    if rule == Combine::Concat {
        // luminal numbers the operands of an operator in a byte.
        let parts = operands
            .chunks(u8::MAX.into())
            .map(|part| graph.apply(Concat { axis: 1 }, part));
        let parts: Vec<Value> = parts.collect::<Result<_>>()?;
        return if parts.len() == 1 {
            Ok(parts[0])
        } else {
            combine(graph, rule, &parts)
        };
    }
    rest.iter().try_fold(*first, |a, b| match rule {
        Combine::Sum => graph.add(a, *b),
        Combine::Product => graph.mul(a, *b),
        Combine::Min => select(graph, a, *b, *b, a),
        Combine::Max | Combine::Concat => select(graph, a, *b, a, *b),
    })
}

/// `b` where `larger > smaller`, `a` elsewhere: one operand wins, the first one at ties.
fn select(graph: &mut Graph, a: Value, b: Value, smaller: Value, larger: Value) -> Result<Value> {
    let negative = graph.scale(smaller, -1.0)?;
    let difference = graph.add(larger, negative)?;
    let take_b = graph.map(
        Map::Slope(Slopes {
            positive: 1.0,
            zero: 0.0,
            negative: 0.0,
        }),
        difference,
    )?;
    let take_a = graph.map(
        Map::Slope(Slopes {
            positive: 0.0,
            zero: 1.0,
            negative: 1.0,
        }),
        difference,
    )?;
    let (a, b) = (graph.mul(a, take_a)?, graph.mul(b, take_b)?);
    graph.add(a, b)
}

fn layer(
    graph: &mut Graph,
    layer: &Layer,
    x: Value,
    weights: &[Value],
    shape: Shape,
) -> Result<Value> {
    let weight = || {
        weights
            .first()
            .copied()
            .ok_or_else(|| malformed(layer.name()))
    };
    match layer {
        Layer::Linear(_) => {
            let features = x.shape().dim(x.shape().rank() - 1);
            let rows = graph.reshape(
                x,
                Shape::new([x.shape().elements() / features.max(1), features]),
            )?;
            let product = graph.matmul_transposed(rows, weight()?)?;
            graph.reshape(product, shape)
        }
        Layer::Scale(_) => {
            let factor = per_channel(graph, weight()?, x.shape())?;
            graph.mul(x, factor)
        }
        Layer::Conv1d(c) => {
            let steps = Steps {
                stride: [c.stride],
                padding: [c.padding],
                dilation: [c.dilation],
            };
            graph.apply(steps.convolution(c.groups, shape), &[x, weight()?])
        }
        Layer::Conv2d(c) => {
            let steps = Steps {
                stride: c.stride,
                padding: c.padding,
                dilation: c.dilation,
            };
            graph.apply(steps.convolution(c.groups, shape), &[x, weight()?])
        }
        Layer::Relu(_) => graph.map(Map::PiecewiseLinear(Slopes::RELU), x),
        Layer::LeakyRelu(leaky) => {
            graph.map(Map::PiecewiseLinear(Slopes::leaky(leaky.negative_slope)), x)
        }
        Layer::PRelu(_) => {
            let slope = per_channel(graph, weight()?, x.shape())?;
            let positive = graph.map(Map::PiecewiseLinear(Slopes::RELU), x)?;
            let negative = graph.map(Map::PiecewiseLinear(Slopes::NEGATIVE_PART), x)?;
            let negative = graph.mul(negative, slope)?;
            graph.add(positive, negative)
        }
        Layer::Abs(_) => graph.map(Map::PiecewiseLinear(Slopes::ABS), x),
        Layer::MaxPool1d(p) => {
            let steps = Steps {
                stride: [p.stride()],
                padding: [p.padding],
                dilation: [p.dilation],
            };
            max_pool(graph, x, steps.windows([p.kernel], shape))
        }
        Layer::MaxPool2d(p) => {
            let steps = Steps {
                stride: p.stride(),
                padding: p.padding,
                dilation: p.dilation,
            };
            max_pool(graph, x, steps.windows(p.kernel, shape))
        }
        Layer::AvgPool1d(p) => {
            let window = Mean {
                kernel: p.kernel,
                stride: p.stride(),
                padding: p.padding,
                count_include_pad: p.count_include_pad,
            };
            along(graph, x, &[(2, window.map(x.shape().dim(2), shape.dim(2)))])
        }
        Layer::AvgPool2d(p) => {
            let map = |i: usize| {
                let (kernel, stride, padding) = (p.kernel[i], p.stride()[i], p.padding[i]);
                let window = Mean {
                    kernel,
                    stride,
                    padding,
                    count_include_pad: p.count_include_pad,
                };
                (i + 2, window.map(x.shape().dim(i + 2), shape.dim(i + 2)))
            };
            along(graph, x, &[map(0), map(1)])
        }
        Layer::AdaptiveAvgPool2d(_) | Layer::GlobalAvgPool(_) => {
            let maps: Vec<_> = (2..shape.rank())
                .map(|axis| (axis, adaptive_mean(x.shape().dim(axis), shape.dim(axis))))
                .collect();
            along(graph, x, &maps)
        }
        Layer::GlobalMaxPool(_) => {
            let [batch, channels] = [x.shape().dim(0), x.shape().dim(1)];
            let plane = x.shape().elements() / (batch * channels).max(1);
            // Windows have three axes at most; as one window covers them all, any number of them is as good as a line.
            let line = match Spatial::of(x.shape()) {
                Some(_) => x,
                None => graph.reshape(x, Shape::new([batch, channels, plane]))?,
            };
            let spatial = Spatial::of(line.shape()).ok_or_else(|| malformed(layer.name()))?;
            let winner = max_pool(graph, line, PoolWindow::global(spatial.size))?;
            graph.reshape(winner, shape)
        }
        Layer::Flatten(_) | Layer::Reshape(_) => graph.reshape(x, shape),
        Layer::Dropout(_) => Ok(x),
        Layer::Upsample(upsample) => {
            let map = |i: usize| {
                (
                    i + 2,
                    interpolation(upsample, x.shape().dim(i + 2), shape.dim(i + 2)),
                )
            };
            along(graph, x, &[map(0), map(1)])
        }
        Layer::PixelShuffle(shuffle) => {
            let r = shuffle.upscale_factor;
            let [n, c, h, w] = [
                shape.dim(0),
                shape.dim(1),
                x.shape().dim(2),
                x.shape().dim(3),
            ];
            let split = graph.reshape(x, Shape::new([n, c, r, r, h, w]))?;
            let interleaved = graph.apply(
                Permute {
                    axes: vec![0, 1, 4, 2, 5, 3],
                },
                &[split],
            )?;
            graph.reshape(interleaved, shape)
        }
        Layer::ZeroPad2d(pad) => {
            let [left, _, top, _] = pad.padding;
            let rows = graph.apply(
                Place {
                    axis: 2,
                    start: top,
                    size: shape.dim(2),
                },
                &[x],
            )?;
            graph.apply(
                Place {
                    axis: 3,
                    start: left,
                    size: shape.dim(3),
                },
                &[rows],
            )
        }
    }
}

/// A weight of one element, or of one a channel, repeated to `shape`.
fn per_channel(graph: &mut Graph, weight: Value, shape: Shape) -> Result<Value> {
    if weight.shape().elements() == 1 {
        let scalar = graph.reshape(weight, Shape::new([]))?;
        graph.broadcast(scalar, 0..shape.rank(), shape)
    } else {
        graph.broadcast(weight, (0..shape.rank()).filter(|axis| *axis != 1), shape)
    }
}

fn max_pool(graph: &mut Graph, x: Value, window: PoolWindow) -> Result<Value> {
    let winner = graph.apply(
        PoolWinner {
            window,
            winner: Winner::Max,
        },
        &[x],
    )?;
    graph.apply(PoolGather { window }, &[x, winner])
}

/// One linear map after the other, each along its axis.
fn along(graph: &mut Graph, x: Value, maps: &[(usize, SparseMap)]) -> Result<Value> {
    maps.iter().try_fold(x, |x, (axis, map)| {
        graph.apply(
            AxisMap {
                axis: *axis,
                map: Arc::new(map.clone()),
            },
            &[x],
        )
    })
}

/// Average pooling along one axis. Over several axes the divisor is the product of theirs, so the axes separate.
struct Mean {
    kernel: usize,
    stride: usize,
    padding: usize,
    count_include_pad: bool,
}

impl Mean {
    fn map(&self, inputs: usize, outputs: usize) -> SparseMap {
        let row = |output: usize| {
            let start = output * self.stride;
            let end = (start + self.kernel).min(inputs + 2 * self.padding);
            let first = start.saturating_sub(self.padding);
            let last = end.saturating_sub(self.padding).min(inputs);
            let divisor = if self.count_include_pad {
                end - start
            } else {
                last - first
            };
            (first..last).map(|i| (i, 1.0 / divisor as f64)).collect()
        };
        SparseMap::new(inputs, (0..outputs).map(row))
    }
}

fn adaptive_mean(inputs: usize, outputs: usize) -> SparseMap {
    let row = |output: usize| {
        let (first, last) = (
            output * inputs / outputs,
            ((output + 1) * inputs).div_ceil(outputs),
        );
        (first..last)
            .map(|i| (i, 1.0 / (last - first) as f64))
            .collect()
    };
    SparseMap::new(inputs, (0..outputs).map(row))
}

fn interpolation(upsample: &Upsample, inputs: usize, outputs: usize) -> SparseMap {
    let row = |output: usize| match upsample.mode {
        Interpolation::Nearest => vec![(output * inputs / outputs, 1.0)],
        Interpolation::Bilinear => {
            let source = match (upsample.align_corners, outputs) {
                (true, 1) => 0.0,
                (true, _) => output as f64 * (inputs - 1) as f64 / (outputs - 1) as f64,
                (false, _) => {
                    ((output as f64 + 0.5) * inputs as f64 / outputs as f64 - 0.5).max(0.0)
                }
            };
            let low = (source as usize).min(inputs - 1);
            let fraction = source - low as f64;
            let neighbours = [(low, 1.0 - fraction), ((low + 1).min(inputs - 1), fraction)];
            neighbours
                .into_iter()
                .filter(|(_, factor)| *factor != 0.0)
                .collect()
        }
    };
    SparseMap::new(inputs, (0..outputs).map(row))
}

/// How windows over `R` axes move.
struct Steps<const R: usize> {
    stride: [usize; R],
    padding: [usize; R],
    dilation: [usize; R],
}

impl<const R: usize> Steps<R> {
    fn convolution(&self, groups: usize, shape: Shape) -> Convolution {
        Convolution {
            role: Role::Forward,
            shape,
            stride: volume(self.stride, 1),
            padding: volume(self.padding, 0),
            dilation: volume(self.dilation, 1),
            groups,
        }
    }

    fn windows(&self, kernel: [usize; R], shape: Shape) -> PoolWindow {
        PoolWindow {
            kernel: volume(kernel, 1),
            stride: volume(self.stride, 1),
            padding: volume(self.padding, 0),
            dilation: volume(self.dilation, 1),
            output: size(shape),
        }
    }
}

/// The argument of a line or an image, as that of a volume.
fn volume<const R: usize>(sizes: [usize; R], absent: usize) -> [usize; 3] {
    let mut volume = [absent; 3];
    for (extended, size) in volume.iter_mut().rev().zip(sizes.iter().rev()) {
        *extended = *size;
    }
    volume
}

/// The spatial sizes of `(N, C, …)`, as those of a volume.
fn size(shape: Shape) -> [usize; 3] {
    Spatial::of(shape).map_or([1; 3], |spatial| spatial.size)
}
