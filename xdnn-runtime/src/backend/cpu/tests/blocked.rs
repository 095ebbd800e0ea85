//! Convolutions of values whose channels are in blocks.

use proptest::prelude::*;
use xdnn_ir::Shape;

use super::super::Weights;
use super::{assert_near, exact, laid_out, numbers, run};
use crate::graph::Graph;
use crate::ops::{Blocked, Convolution, FromBlocks, Layout, Leaf, Role, ToBlocks, Winograd};
use crate::ops::{CHANNELS, Kernels};

/// Asserts that a convolution in blocks computes what it does without.
fn assert_agrees(op: Convolution, blocked: Blocked, [x, w]: [Shape; 2], seed: u64) {
    let leaves = [numbers(x.elements(), seed), numbers(w.elements(), seed + 1)];
    let absolute = leaves
        .clone()
        .map(|leaf| leaf.iter().map(|x| x.abs()).collect());
    let mut graph = Graph::new();
    let input = graph.leaf(Leaf::Input(0), x).unwrap();
    let weight = graph.leaf(Leaf::Weight(0), w).unwrap();
    let known = graph.leaves();
    let output = graph.apply(op, &[input, weight]).unwrap();
    graph.set_outputs(vec![output]);
    let (expected, magnitude) = (exact(&mut graph, &leaves), exact(&mut graph, &absolute));
    // Winograd's algorithm errs by the largest number of a tile.
    let largest = magnitude[0].iter().copied().fold(0.0, f64::max);
    let magnitude = match blocked {
        Blocked::Convolution(_) => magnitude[0].clone(),
        Blocked::Winograd(_) => vec![largest; magnitude[0].len()],
    };

    let mut graph = Graph::new();
    let input = graph.leaf(Leaf::Input(0), x).unwrap();
    let weight = match blocked {
        Blocked::Convolution(_) => graph.leaf(Leaf::Weight(0), w),
        Blocked::Winograd(_) => graph.leaf(
            Leaf::LaidOut(0, Layout::Winograd(Kernels::of(w))),
            Kernels::of(w).shape(),
        ),
    };
    let is_whole = |channels: usize| channels.is_multiple_of(CHANNELS);
    let blocks = match is_whole(x.dim(1)) {
        true => graph.apply(ToBlocks, &[input]).unwrap(),
        false => input,
    };
    let mut output = graph.apply(blocked, &[blocks, weight.unwrap()]).unwrap();
    if is_whole(op.shape.dim(1)) {
        output = graph.apply(FromBlocks, &[output]).unwrap();
    }
    graph.set_outputs(vec![output]);
    let program = super::super::compile(&graph, Weights::Constant).unwrap();
    let listing = program.to_string();
    assert!(!listing.contains("fallback"), "{listing}");
    let leaves = laid_out(&program, &known, &leaves);
    for _ in 0..2 {
        assert_near(
            &run(&program, &leaves)[0],
            &expected[0],
            &magnitude,
            &listing,
        );
    }
}

fn size() -> impl Strategy<Value = [usize; 5]> {
    (1..10_usize, 1..5_usize, 1..4_usize, 0..4_usize, 1..3_usize)
        .prop_map(|(size, kernel, stride, padding, dilation)| {
            [size, kernel, stride, padding, dilation]
        })
        .prop_filter("too small", |[size, kernel, _, padding, dilation]| {
            size + 2 * padding > (kernel - 1) * dilation
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn convolutions_in_blocks(
        axes in [size(), size()],
        batch in 1_usize..4,
        [inputs, outputs] in [1_usize..4, 1_usize..5],
        few in prop_oneof![Just(0), 1_usize..20],
        seed in 0_u64..1000,
    ) {
        let [input, kernel, stride, padding, dilation] = [0, 1, 2, 3, 4].map(|i| axes.map(|axis| axis[i]));
        let output = [0, 1].map(|i| (input[i] + 2 * padding[i] - (kernel[i] - 1) * dilation[i] - 1) / stride[i] + 1);
        let [inputs, outputs] = [inputs, outputs].map(|blocks| blocks * CHANNELS);
        let inputs = if few > 0 { few } else { inputs };
        let x = Shape::new([batch, inputs, input[0], input[1]]);
        let y = Shape::new([batch, outputs, output[0], output[1]]);
        let w = Shape::new([outputs, inputs, kernel[0], kernel[1]]);
        for (role, from, to) in [(Role::Forward, x, y), (Role::InputGradient, y, x)] {
            let op = Convolution {
                role,
                shape: to,
                stride: [1, stride[0], stride[1]],
                padding: [0, padding[0], padding[1]],
                dilation: [1, dilation[0], dilation[1]],
                groups: 1,
            };
            assert_agrees(op, Blocked::Convolution(op), [from, w], seed);
        }
    }

    #[test]
    fn winograd_in_blocks(
        [height, width] in [1_usize..14, 1_usize..14],
        batch in 1_usize..4,
        [inputs, outputs] in [1_usize..4, 1_usize..5],
        [above, left] in [0_usize..3, 0_usize..3],
        five in any::<bool>(),
        seed in 0_u64..1000,
    ) {
        let kernel = if five { 5 } else { 3 };
        prop_assume!(height + 2 * above >= kernel && width + 2 * left >= kernel);
        let [inputs, outputs] = [inputs, outputs].map(|blocks| blocks * CHANNELS);
        let x = Shape::new([batch, inputs, height, width]);
        let y = Shape::new([batch, outputs, height + 2 * above + 1 - kernel, width + 2 * left + 1 - kernel]);
        let w = Shape::new([outputs, inputs, kernel, kernel]);
        for (role, from, to) in [(Role::Forward, x, y), (Role::InputGradient, y, x)] {
            let op = Convolution {
                role,
                shape: to,
                stride: [1; 3],
                padding: [0, above, left],
                dilation: [1; 3],
                groups: 1,
            };
            let transposed = role == Role::InputGradient;
            let padding = match transposed {
                true => [kernel - 1 - above, kernel - 1 - left],
                false => [above, left],
            };
            let kernels = Kernels::of(w);
            let winograd = Winograd { padding, transposed, kernels };
            assert_agrees(op, Blocked::Winograd(winograd), [from, w], seed);
        }
    }
}
