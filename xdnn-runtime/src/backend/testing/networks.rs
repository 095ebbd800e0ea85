//! Small networks, and what they read.

use xdnn_ir::layer::{
    AvgPool2d, Conv1d, Conv2d, Dropout, Flatten, GlobalAvgPool, LeakyRelu, Linear, MaxPool1d,
    MaxPool2d, PRelu, PixelShuffle, Relu,
};
use xdnn_ir::{Combine, NetworkSpec, Operand};

use super::numbers;
use crate::backend::Program;
use crate::graph::{Loss, Task};
use crate::ops::Leaf;
use crate::sketch::Sketch;

pub(crate) const TASKS: [Task; 4] = [
    Task::Forward,
    Task::Gradient,
    Task::Attribute,
    Task::Train(Loss::CrossEntropy),
];

pub(crate) fn conv2d(out_channels: usize, kernel: usize, stride: usize, groups: usize) -> Conv2d {
    Conv2d {
        out_channels,
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [kernel / 2; 2],
        dilation: [1; 2],
        groups,
        bias: false,
    }
}

/// A layer without a bias.
pub(crate) fn linear(out_features: usize) -> Linear {
    Linear {
        out_features,
        bias: false,
    }
}

pub(crate) fn max_pool(kernel: usize) -> MaxPool2d {
    MaxPool2d {
        kernel: [kernel; 2],
        stride: None,
        padding: [0; 2],
        dilation: [1; 2],
        ceil_mode: false,
    }
}

/// A residual network whose channels make whole blocks, with pools that overlap and a stride of 2.
pub(crate) fn wide() -> NetworkSpec {
    let mut net = Sketch::new(&[("x", &[3, 9, 11])]);
    let stem = net.layer("stem", conv2d(32, 3, 1, 1), Operand::Input(0));
    let stem = net.layer("", Relu {}, stem);
    let mut pool = max_pool(3);
    (pool.stride, pool.padding) = (Some([2; 2]), [1; 2]);
    let pooled = net.layer("", pool, stem);
    let a = net.layer("a", conv2d(48, 3, 1, 1), pooled);
    let a = net.layer(
        "",
        LeakyRelu {
            negative_slope: 0.1,
        },
        a,
    );
    let b = net.layer("b", conv2d(32, 1, 1, 1), a);
    let sum = net.combine(Combine::Sum, &[pooled, b]);
    let out = net.layer("", Relu {}, sum);
    let down = net.layer("down", conv2d(16, 3, 2, 1), out);
    let mean = net.layer("", GlobalAvgPool {}, down);
    let flat = net.layer("", Flatten {}, mean);
    let head = net.layer("head", linear(5), flat);
    net.finish(head)
}

/// A small residual network with pools.
pub(crate) fn residual() -> NetworkSpec {
    let mut net = Sketch::new(&[("x", &[3, 12, 12])]);
    let stem = net.layer("stem", conv2d(8, 3, 1, 1), Operand::Input(0));
    let stem = net.layer("", Relu {}, stem);
    let pooled = net.layer("", max_pool(2), stem);
    let a = net.layer("a", conv2d(8, 3, 1, 1), pooled);
    let a = net.layer("", Relu {}, a);
    let b = net.layer("b", conv2d(8, 3, 1, 8), a);
    let sum = net.combine(Combine::Sum, &[pooled, b]);
    let out = net.layer("", Relu {}, sum);
    let down = net.layer("down", conv2d(12, 1, 2, 1), out);
    let dropped = net.layer("", Dropout { p: 0.25 }, down);
    let mean = net.layer("", GlobalAvgPool {}, dropped);
    let flat = net.layer("", Flatten {}, mean);
    let logits = net.layer("head", linear(5), flat);
    net.finish(logits)
}

/// Branches that join in every way.
pub(crate) fn branches() -> NetworkSpec {
    let mut net = Sketch::new(&[("x", &[4, 6, 6]), ("y", &[4, 6, 6])]);
    let (x, y) = (Operand::Input(0), Operand::Input(1));
    let x = net.layer("prelu", PRelu { num_parameters: 4 }, x);
    let y = net.layer(
        "",
        LeakyRelu {
            negative_slope: 0.2,
        },
        y,
    );
    let max = net.combine(Combine::Max, &[x, y]);
    let min = net.combine(Combine::Min, &[x, y]);
    let joined = net.combine(Combine::Concat, &[max, min]);
    let pool = AvgPool2d {
        kernel: [3; 2],
        stride: Some([1; 2]),
        padding: [1; 2],
        ceil_mode: false,
        count_include_pad: true,
    };
    let smooth = net.layer("", pool, joined);
    let product = net.combine(Combine::Product, &[smooth, joined]);
    let shuffled = net.layer("", PixelShuffle { upscale_factor: 2 }, product);
    let flat = net.layer("", Flatten {}, shuffled);
    let logits = net.layer("head", linear(3), flat);
    net.finish(logits)
}

/// A network of lines.
pub(crate) fn line() -> NetworkSpec {
    let mut net = Sketch::new(&[("x", &[2, 40])]);
    let conv = Conv1d {
        out_channels: 6,
        kernel: 5,
        stride: 2,
        padding: 2,
        dilation: 1,
        groups: 2,
        bias: false,
    };
    let pool = MaxPool1d {
        kernel: 3,
        stride: Some(2),
        padding: 1,
        dilation: 1,
        ceil_mode: false,
    };
    let x = net.layer("conv", conv, Operand::Input(0));
    let x = net.layer("", Relu {}, x);
    let x = net.layer("", pool, x);
    let x = net.layer("", Flatten {}, x);
    let x = net.layer("head", linear(4), x);
    net.finish(x)
}

/// Convolutions of many channels, each followed by a pool whose windows do not overlap.
#[cfg(feature = "cuda")]
pub(crate) fn pooled() -> NetworkSpec {
    let mut net = Sketch::new(&[("x", &[3, 8, 12])]);
    let mut x = Operand::Input(0);
    for (label, channels) in [("a", 32), ("b", 48), ("c", 80)] {
        x = net.layer(label, conv2d(channels, 3, 1, 1), x);
        x = net.layer("", Relu {}, x);
        if label != "a" {
            x = net.layer("", max_pool(2), x);
        }
    }
    let x = net.layer("d", conv2d(32, 3, 1, 1), x);
    let flat = net.layer("", Flatten {}, x);
    let head = net.layer("head", linear(5), flat);
    net.finish(head)
}

/// Leaves for a program: small integers as targets, masks of 0 and 2, and numbers for the rest.
pub(crate) fn leaves(program: &(impl Program<f32> + ?Sized), seed: u64) -> Vec<Vec<f32>> {
    let values = program.leaves().iter().zip(seed..);
    let values = values.map(|((leaf, shape), seed)| {
        let numbers = numbers(shape.elements(), seed);
        match leaf {
            Leaf::Target => (0..shape.elements()).map(|i| i as f32 - 1.0).collect(),
            Leaf::PriorStrength => vec![0.5],
            Leaf::DropoutMask(_) => numbers
                .iter()
                .map(|x| if *x < 0.0 { 0.0 } else { 2.0 })
                .collect(),
            _ => numbers,
        }
    });
    values.collect()
}
