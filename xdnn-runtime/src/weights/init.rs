//! How weights are first drawn.

use ndarray::{ArrayD, IxDyn};
use rayon::prelude::*;
use xdnn_ir::{Layer, NetworkSpec, Operation};

use super::fixup;
use crate::Seed;
use crate::seed::Stream;

/// Freshly drawn weights, one array for each weight of `spec` and in that order.
///
/// | weight | rule |
/// |---|---|
/// | `Linear`, `Conv1d`, `Conv2d` | normal, mean 0, variance `2 / fan_in` (He et al. 2015, equation 10, the gain of a ReLU) |
/// | the same in a residual branch | times `L^(−1/(2m−2))`; the last one of the branch is 0 (Zhang et al. 2019, "Fixup", section 4) |
/// | `PRelu` | 0.25 (He et al. 2015, section 2.1) |
/// | `Scale` | 1 |
///
/// `fan_in` is the number of inputs that one output sums over: `in` of `[out, in]`, `in / groups · kernel` of a
/// convolution. `L` is the number of residual branches of the network and `m` the number of linear layers and
/// convolutions along the branch.
///
/// A residual branch is an operand of a `sum` that has weights where another operand, from the same source, is a
/// shortcut: the source itself, or the source after no activation (a projection, a pool, an upsampling). Two departures
/// from Fixup, both on purpose:
///
/// - Fixup also sets the last layer of the whole network to 0. All logits and attributions of the fresh network would
///   be 0 then, so that layer is drawn like any other. `net.head.weight.view_mut().fill(0.0)` gives the paper's start.
/// - A zero that a ReLU, an absolute value or a product follows before the `sum` would never learn, since no gradient
///   passes. The `m` layers of such a branch are scaled by `L^(−1/(2m))` instead: the branch then adds `1/L` of the
///   variance (the stable residual network of Hayou et al. 2021, "Stable ResNet", section 3).
///
/// Each number depends on the seed, the weight's name and the position alone, so that threads, platforms and other
/// layers do not matter.
pub fn initial(spec: &NetworkSpec, seed: Seed) -> Vec<ArrayD<f32>> {
    let shapes = spec
        .weights()
        .iter()
        .map(|weight| IxDyn(weight.shape.dims()));
    let mut arrays: Vec<ArrayD<f32>> = shapes.map(ArrayD::zeros).collect();
    for (node, factor) in spec.nodes().iter().zip(fixup::factors(spec)) {
        for index in node.weights.clone() {
            let (Some(array), Some(weight)) = (arrays.get_mut(index), spec.weights().get(index))
            else {
                continue;
            };
            match node.operation {
                Operation::Layer(Layer::PRelu(_)) => array.fill(0.25),
                Operation::Layer(Layer::Scale(_)) => array.fill(1.0),
                _ if factor == 0.0 => {}
                _ => {
                    let fan_in: usize = weight.shape.dims().iter().skip(1).product();
                    let deviation = factor * (2.0 / fan_in.max(1) as f64).sqrt();
                    if let Some(values) = array.as_slice_mut() {
                        draw(values, seed.stream(&weight.name), deviation);
                    }
                }
            }
        }
    }
    arrays
}

/// Pairs of normal numbers that a thread draws at a time.
const PAIRS: usize = 4096;

fn draw(values: &mut [f32], stream: Stream, deviation: f64) {
    let chunks = values.par_chunks_mut(2 * PAIRS).enumerate();
    chunks.for_each(|(chunk, values)| {
        for (i, pair) in values.chunks_mut(2).enumerate() {
            let normals = stream.normals((chunk * PAIRS + i) as u64);
            for (value, normal) in pair.iter_mut().zip(normals) {
                *value = (deviation * normal) as f32;
            }
        }
    });
}
