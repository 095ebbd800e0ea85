//! Operators with random arguments.

use proptest::prelude::*;
use xdnn_ir::Shape;

use super::numbers;
use crate::ops::{Convolution, Map, PoolWindow, Role, Slopes, Winner};

pub(crate) fn shape(
    ranks: std::ops::RangeInclusive<usize>,
    most: usize,
) -> impl Strategy<Value = Shape> {
    proptest::collection::vec(1..=most, ranks).prop_map(|dims| Shape::from_slice(&dims).unwrap())
}

pub(crate) fn random(shapes: &[Shape], seed: u64) -> Vec<Vec<f32>> {
    let seeds = seed..;
    shapes
        .iter()
        .zip(seeds)
        .map(|(shape, seed)| numbers(shape.elements(), seed))
        .collect()
}

/// Small integers, so that ties are common.
pub(crate) fn coarse(shape: Shape, seed: u64) -> Vec<f32> {
    numbers(shape.elements(), seed)
        .into_iter()
        .map(|x| (3.0 * x).round())
        .collect()
}

/// Input, kernel, stride, padding and dilation along one axis.
pub(crate) fn axis(most: usize) -> impl Strategy<Value = [usize; 6]> {
    let sizes = (
        1..=most,
        1_usize..5,
        1_usize..4,
        0_usize..4,
        1_usize..4,
        any::<bool>(),
    );
    sizes.prop_filter_map(
        "kernel beyond the input",
        |(input, kernel, stride, padding, dilation, whole)| {
            let kernel = if whole {
                (input + 2 * padding - 1) / dilation + 1
            } else {
                kernel
            };
            let extent = (kernel - 1) * dilation + 1;
            let output = (input + 2 * padding).checked_sub(extent)? / stride + 1;
            Some([input, output, kernel, stride, padding, dilation])
        },
    )
}

/// Columns of one to three axes; those that are absent are flat.
pub(crate) fn axes(most: usize) -> impl Strategy<Value = (usize, [[usize; 3]; 6])> {
    let axes = [axis(most), axis(most), axis(most)];
    (1_usize..=3, axes).prop_map(|(rank, mut axes)| {
        axes[..3 - rank].fill([1, 1, 1, 1, 0, 1]);
        (rank, [0, 1, 2, 3, 4, 5].map(|i| axes.map(|axis| axis[i])))
    })
}

pub(crate) fn volume(rank: usize, batch: usize, channels: usize, size: [usize; 3]) -> Shape {
    Shape::from_slice(&[&[batch, channels], &size[3 - rank..]].concat()).unwrap()
}

/// A convolution in some role, with the shapes of its operands.
pub(crate) fn convolution(
    most: usize,
    channels: usize,
    batch: usize,
) -> impl Strategy<Value = (Convolution, [Shape; 2])> {
    let role = prop_oneof![
        Just(Role::Forward),
        Just(Role::InputGradient),
        Just(Role::WeightGradient)
    ];
    let sizes = (1..=batch, 1..=channels, 1..=channels, 1_usize..=3);
    (role, axes(most), sizes).prop_map(|(role, (rank, axes), (n, c, o, groups))| {
        let [input, output, kernel, stride, padding, dilation] = axes;
        let x = volume(rank, n, c * groups, input);
        let w = volume(rank, o * groups, c, kernel);
        let y = volume(rank, n, o * groups, output);
        let (operands, shape) = match role {
            Role::Forward => ([x, w], y),
            Role::InputGradient => ([y, w], x),
            Role::WeightGradient => ([x, y], w),
        };
        let op = Convolution {
            role,
            shape,
            stride,
            padding,
            dilation,
            groups,
        };
        (op, operands)
    })
}

pub(crate) fn window() -> impl Strategy<Value = (PoolWindow, Shape)> {
    (axes(9), 1_usize..4, 1_usize..4).prop_map(|((rank, axes), n, c)| {
        let [input, output, kernel, stride, padding, dilation] = axes;
        let window = PoolWindow {
            kernel,
            stride,
            padding,
            dilation,
            output,
        };
        (window, volume(rank, n, c, input))
    })
}

pub(crate) fn pooled(window: PoolWindow, x: Shape) -> Shape {
    volume(x.rank() - 2, x.dim(0), x.dim(1), window.output)
}

pub(crate) fn winner() -> impl Strategy<Value = Winner> {
    prop_oneof![
        Just(Winner::Max),
        Just(Winner::Min),
        Just(Winner::Median),
        (0..6_usize).prop_map(Winner::Rank)
    ]
}

pub(crate) fn map() -> impl Strategy<Value = Map> {
    let slopes = prop_oneof![
        Just(Slopes::RELU),
        Just(Slopes::ABS),
        Just(Slopes::NEGATIVE_PART),
        Just(Slopes::leaky(0.1))
    ];
    prop_oneof![
        Just(Map::Scale(0.3)),
        slopes.clone().prop_map(Map::Slope),
        slopes.prop_map(Map::PiecewiseLinear),
        Just(Map::Exp),
        Just(Map::Ln),
        Just(Map::Recip),
        Just(Map::Sqrt),
        prop::sample::select(vec![-1.5, -0.5, 0.0, 0.5, 2.0, 2.5]).prop_map(Map::Power),
        Just(Map::ExpM1),
        Just(Map::Sin),
        Just(Map::Cos),
        Just(Map::Sigmoid),
        Just(Map::Tanh),
        Just(Map::Erf),
        Just(Map::Softplus),
    ]
}
