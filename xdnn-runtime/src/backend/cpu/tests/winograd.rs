//! Winograd's algorithm computes convolutions and their input gradients.

use std::sync::Arc;

use proptest::prelude::*;
use xdnn_ir::layer::{Flatten, Sign};
use xdnn_ir::{Operand, Shape};

use super::{assert_near, compile, exact, numbers, run, single};
use crate::backend::Element;
use crate::backend::testing::networks::conv2d;
use crate::graph::{Graph, Loss, Task};
use crate::ops::{Convolution, Kernels, Layout, Leaf, Role, Winograd};
use crate::passes::UseWinograd;
use crate::sketch::Sketch;
use crate::{Device, Precision};

/// A convolution on a leaf and on a weight.
fn convolution(op: Convolution, x: Shape, w: Shape) -> Graph {
    let mut graph = Graph::new();
    let x = graph.leaf(Leaf::Input(0), x).unwrap();
    let w = graph.leaf(Leaf::Weight(0), w).unwrap();
    let output = graph.apply(op, &[x, w]).unwrap();
    graph.set_outputs(vec![output]);
    graph
}

/// The convolution, and its input gradient, of these sizes.
fn both(size: usize, sizes: [usize; 7]) -> [(Convolution, Shape, Shape); 2] {
    let [n, c, o, h, w, padding_h, padding_w] = sizes;
    let x = Shape::new([n, c, h, w]);
    let y = Shape::new([
        n,
        o,
        h + 2 * padding_h + 1 - size,
        w + 2 * padding_w + 1 - size,
    ]);
    let weight = Shape::new([o, c, size, size]);
    let op = |role, shape| Convolution {
        role,
        shape,
        stride: [1; 3],
        padding: [0, padding_h, padding_w],
        dilation: [1; 3],
        groups: 1,
    };
    [
        (op(Role::Forward, y), x, weight),
        (op(Role::InputGradient, x), y, weight),
    ]
}

fn assert_computes(op: Convolution, x: Shape, w: Shape, seed: u64) {
    let [_, height, width] = op.padding;
    let transposed = op.role == Role::InputGradient;
    let padding = match transposed {
        false => [height, width],
        true => [height, width].map(|padding| w.dim(2) - 1 - padding),
    };
    let winograd = Winograd {
        padding,
        transposed,
        kernels: Kernels::of(w),
    };
    let leaves = [numbers(x.elements(), seed), numbers(w.elements(), seed + 1)];
    let absolute = leaves
        .clone()
        .map(|leaf| leaf.iter().map(|x| x.abs()).collect());
    let mut graph = convolution(op, x, w);
    let expected = exact(&mut graph, &leaves);
    // An error is as large as the largest numbers of a tile are, whatever becomes of them (Barabasz et al., "Error Analysis and
    // Improving the Accuracy of Winograd Convolution for Deep Neural Networks", 2020).
    let magnitude = &exact(&mut graph, &absolute)[0];
    let largest = magnitude.iter().copied().fold(0.0, f64::max);
    let magnitude = vec![largest; magnitude.len()];
    let [x_values, w_values] = leaves;
    let kernels = winograd.kernels;
    let mut graph = single(winograd, &[x, kernels.shape()]);
    let program = compile(&graph).unwrap();
    let found = run(
        &program,
        &[
            x_values.clone(),
            Layout::Winograd(kernels).of(&w_values).unwrap(),
        ],
    );
    assert_near(&found[0], &expected[0], &magnitude, &program.to_string());
    // Without the rounding of `f32` the algorithm is exact.
    let wide: Vec<f64> = w_values.iter().map(|x| f64::from(*x)).collect();
    let leaves = [
        x_values.iter().map(|x| f64::from(*x)).collect(),
        Layout::Winograd(kernels).of(&wide).unwrap(),
    ];
    let leaves: Vec<&[f64]> = leaves.iter().map(Vec::as_slice).collect();
    let found = super::super::super::reference::execute(&mut graph, &leaves).unwrap();
    for ((found, expected), magnitude) in found[0].iter().zip(&expected[0]).zip(&magnitude) {
        assert!(
            (found - expected).abs() <= 1e-13 * magnitude,
            "{found} is not {expected}"
        );
    }
}

fn sizes() -> impl Strategy<Value = (usize, [usize; 7])> {
    let sizes = (
        prop_oneof![Just(3_usize), Just(5_usize)],
        1..=9_usize,
        1..=17_usize,
        1..=17_usize,
        1..=19_usize,
        1..=19_usize,
        0..=2_usize,
        0..=2_usize,
    );
    sizes.prop_filter_map(
        "a window beyond the image",
        |(size, n, c, o, h, w, ph, pw)| {
            let fits = h + 2 * ph >= size && w + 2 * pw >= size;
            fits.then_some((size, [n, c, o, h, w, ph, pw]))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn convolutions_and_their_input_gradients((size, sizes) in sizes(), seed in 0_u64..1000) {
        for (op, x, w) in both(size, sizes) {
            assert_computes(op, x, w, seed);
        }
    }
}

#[test]
fn blocks_of_rows_and_of_samples() {
    // Rows of tiles of one sample; several samples; a last block with fewer of both.
    for sizes in [
        [2, 40, 70, 61, 50, 1, 1],
        [9, 130, 64, 13, 13, 1, 1],
        [5, 300, 20, 7, 9, 2, 0],
    ] {
        for size in [3, 5] {
            for (op, x, w) in both(size, sizes) {
                assert_computes(op, x, w, 7);
            }
        }
    }
}

/// What the pass makes of a graph of one convolution.
fn passed(op: Convolution, x: Shape, w: Shape) -> String {
    let mut graph = convolution(op, x, w);
    graph.compile_with(UseWinograd).unwrap();
    crate::graph::verify::verify(&graph).unwrap();
    compile(&graph).unwrap().to_string()
}

#[test]
fn the_pass_takes_what_pays() {
    let [(forward, x, w), (back, y, _)] = both(3, [1, 32, 16, 13, 13, 1, 1]);
    assert!(passed(forward, x, w).contains("winograd 32→16, 13×13 → 13×13"));
    assert!(passed(back, y, w).contains("winograd 16→32, 13×13 → 13×13"));
    let few_channels = both(3, [1, 3, 64, 13, 13, 1, 1]);
    let few_tiles = both(3, [1, 64, 64, 7, 7, 1, 1]);
    for (op, x, w) in few_channels.into_iter().chain(few_tiles) {
        assert!(!passed(op, x, w).contains("winograd"));
    }
    let strided = Convolution {
        shape: Shape::new([1, 16, 7, 7]),
        stride: [1, 2, 2],
        ..forward
    };
    assert!(!passed(strided, x, w).contains("winograd"));
}

#[test]
fn networks_that_jump_at_zero_and_training_do_without() {
    let transforms = |normalised: bool, task: Task| {
        let mut net = Sketch::new(&[("x", &[16, 13, 13])]);
        let mut x = net.layer("a", conv2d(16, 3, 1, 1), Operand::Input(0));
        if normalised {
            x = net.layer("", Sign {}, x);
        }
        let x = net.layer("", Flatten {}, x);
        let spec = Arc::new(net.finish(x));
        let program = f32::compile(Device::Cpu, Precision::default(), &spec, task, 1).unwrap();
        let mut leaves = program.leaves().iter();
        leaves.any(|(leaf, _)| {
            matches!(
                leaf,
                Leaf::LaidOut(_, Layout::Winograd(_) | Layout::WinogradChannels(..))
            )
        })
    };
    assert!(transforms(false, Task::Forward));
    assert!(!transforms(true, Task::Forward));
    assert!(!transforms(false, Task::Train(Loss::CrossEntropy)));
}
