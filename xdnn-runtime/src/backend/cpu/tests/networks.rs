//! Whole networks in every task.

use std::cell::LazyCell;

use proptest::prelude::*;
use xdnn_ir::layer::{Flatten, LeakyRelu, Linear, Relu, Upsample};
use xdnn_ir::{Combine, NetworkSpec, Operand};

use super::super::{CpuProgram, Weights};
use super::{compile, exact, laid_out, numbers, run};
use crate::backend::reference;
use crate::backend::testing::networks::{
    TASKS, branches, conv2d, leaves, line, max_pool, residual, wide,
};
use crate::graph::{Graph, Loss, Task, verify};
use crate::ops::Leaf;
use crate::passes::{BlockChannels, FuseElementwise, SlopesAsBits, UseWinograd};
use crate::sketch::Sketch;

/// The graph as `Device::Cpu` compiles it, with the leaves of the program made of those of the graph.
pub(super) fn optimised(
    graph: &mut Graph,
    task: Task,
    winograd: bool,
    values: &[Vec<f32>],
) -> (CpuProgram, Vec<Vec<f32>>) {
    let known = graph.leaves();
    if winograd && !task.trains() {
        graph.compile_with(UseWinograd).unwrap();
    }
    let weights = match task {
        task if task.trains() => Weights::Changing,
        _ => Weights::Constant,
    };
    if weights == Weights::Constant {
        graph.compile_with(BlockChannels).unwrap();
    }
    graph.compile_with(SlopesAsBits).unwrap();
    graph.compile_with(FuseElementwise).unwrap();
    verify::verify(graph).unwrap();
    let program = super::super::compile(graph, weights).unwrap();
    let leaves = laid_out(&program, &known, values);
    (program, leaves)
}

/// How far from each output the reference itself comes in single precision, from leaves whose last digits are off. That is
/// far where rounding decides: at a kink, between two that could win a pool, and in exponentials of differences of large
/// logits, which keep the logits' errors.
fn lost(
    spec: &NetworkSpec,
    task: Task,
    batch: usize,
    leaves: &[Vec<f32>],
    expected: &[Vec<f64>],
) -> Vec<f64> {
    let mut graph = Graph::build(spec, task, batch).unwrap();
    let known = graph.leaves();
    let mut lost = vec![0.0_f64; expected.len()];
    for round in 0..16 {
        let near = known.iter().zip(leaves).zip(100 * round..);
        let near = near.map(|(((leaf, _), values), seed)| match leaf {
            Leaf::Target => values.clone(),
            _ => {
                let off = numbers(values.len(), seed).into_iter();
                let factors = off.map(|x| 1.0 + x * 2.0 * f32::EPSILON);
                values.iter().zip(factors).map(|(x, f)| x * f).collect()
            }
        });
        let near: Vec<Vec<f32>> = near.collect();
        let near: Vec<&[f32]> = near.iter().map(Vec::as_slice).collect();
        let rough = reference::execute(&mut graph, &near).unwrap();
        for ((lost, rough), expected) in lost.iter_mut().zip(&rough).zip(expected) {
            for (rough, expected) in rough.iter().zip(expected) {
                *lost = lost.max((f64::from(*rough) - expected).abs());
            }
        }
    }
    lost
}

fn assert_agrees(spec: &NetworkSpec, task: Task, batch: usize, seed: u64) {
    let mut graph = Graph::build(spec, task, batch).unwrap();
    let program = compile(&graph).unwrap();
    let leaves = leaves(&program, seed);
    let expected = exact(&mut graph, &leaves);
    let fused = optimised(&mut graph, task, false, &leaves);
    // Computed only for what is beyond the tolerance.
    let lost = LazyCell::new(|| lost(spec, task, batch, &leaves, &expected));
    for (program, leaves) in [(&program, &leaves), (&fused.0, &fused.1)] {
        let listing = program.to_string();
        assert!(!listing.contains("fallback"), "{listing}");
        for _ in 0..2 {
            for (i, (found, expected)) in run(program, leaves).iter().zip(&expected).enumerate() {
                // A loss near 0 is the logarithm of a number near 1, whose last digit is 10⁻⁷.
                let largest = expected.iter().fold(1e-2_f64, |max, x| max.max(x.abs()));
                let tolerance = 2e-5 * largest;
                for (found, expected) in found.iter().zip(expected) {
                    let difference = (f64::from(*found) - expected).abs();
                    assert!(
                        difference <= tolerance || difference <= tolerance + lost[i],
                        "{found} is not {expected} ({task:?}, {batch} samples)\n{listing}"
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn networks_compute_what_the_reference_does(batch in 1_usize..5, seed in 0_u64..1000) {
        for spec in [residual(), wide(), branches(), line()] {
            for task in TASKS {
                assert_agrees(&spec, task, batch, seed);
            }
        }
    }
}

/// A Relu that reads 5·10⁻¹⁰ of the sum of its summands' magnitudes, and logits of 1574 and 1566.
#[test]
fn what_rounding_decides_is_no_error() {
    assert_agrees(&wide(), Task::Gradient, 3, 25);
    assert_agrees(&wide(), Task::Train(Loss::CrossEntropy), 1, 235);
}

/// Draws numbers below a bound.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// Convolutions of few and of many channels, pools, slopes and branches in a random order, which keep whole numbers whole.
fn random_image_network(draw: &mut Draw) -> NetworkSpec {
    let (channels, size) = (
        draw.of(&[1, 3, 16, 17]),
        [6 + draw.below(6), 6 + draw.below(6)],
    );
    let mut net = Sketch::new(&[("x", &[channels, size[0], size[1]])]);
    let mut at = Operand::Input(0);
    for step in 0..2 + draw.below(5) {
        let label = format!("layer{step}");
        let branch = draw.below(3) == 0;
        let before = at;
        let (channels, kernel) = (draw.of(&[5, 16, 32, 48, 64]), draw.of(&[1, 1, 3, 5]));
        let mut conv = conv2d(
            channels,
            kernel,
            if branch { 1 } else { 1 + draw.below(2) },
            1,
        );
        if kernel == 3 && draw.below(3) == 0 {
            (conv.dilation, conv.padding) = ([2; 2], [2; 2]);
        }
        at = net.layer(&label, conv, at);
        at = match draw.below(3) {
            0 => net.layer(
                "",
                LeakyRelu {
                    negative_slope: 2.0,
                },
                at,
            ),
            1 => net.layer("", Relu {}, at),
            _ => at,
        };
        if branch {
            let one = net.layer(&format!("branch{step}"), conv2d(channels, 1, 1, 1), before);
            at = net.combine(
                draw.of(&[Combine::Sum, Combine::Max, Combine::Concat]),
                &[at, one],
            );
        }
        if draw.below(4) == 0 {
            let mut pool = max_pool(3);
            (pool.stride, pool.padding) = (Some([1 + draw.below(2); 2]), [1; 2]);
            at = net.layer("", pool, at);
        }
    }
    let flat = net.layer("", Flatten {}, at);
    let out_features = draw.of(&[1, 4, 32]);
    let linear = Linear {
        out_features,
        bias: false,
    };
    let head = net.layer("head", linear, flat);
    net.finish(head)
}

/// Sums of small whole numbers are exact in any order, so that not one number may differ: not at ties of a pool, not at the kink of
/// a slope.
#[test]
fn random_networks_are_exact_in_whole_numbers() {
    const EXACT: f64 = (1 << 23) as f64;
    let mut compared = 0;
    for seed in 0..60 {
        let mut draw = Draw(seed);
        let spec = random_image_network(&mut draw);
        let (task, batch) = (
            draw.of(&[Task::Forward, Task::Attribute]),
            draw.of(&[1, 2, 3, 17]),
        );
        let mut graph = Graph::build(&spec, task, batch).unwrap();
        let leaves = graph.leaves().into_iter().map(|(leaf, value)| {
            let mut number = || match leaf {
                Leaf::Target => 0.0,
                Leaf::Input(_) => draw.below(5) as f32 - 2.0,
                _ => draw.of(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 1.0]),
            };
            (0..value.shape().elements()).map(|_| number()).collect()
        });
        let leaves: Vec<Vec<f32>> = leaves.collect();
        let absolute = leaves
            .iter()
            .map(|leaf| leaf.iter().map(|x| x.abs()).collect());
        let bound = exact(&mut graph, &absolute.collect::<Vec<_>>());
        let expected = exact(&mut graph, &leaves);
        if bound.iter().flatten().any(|bound| *bound > EXACT) {
            continue;
        }
        compared += 1;
        let (program, leaves) = optimised(&mut graph, task, false, &leaves);
        for (found, expected) in run(&program, &leaves).iter().zip(&expected) {
            let found: Vec<f64> = found.iter().map(|x| f64::from(*x)).collect();
            assert_eq!(
                &found, expected,
                "network {seed}, {task:?} of {batch}\n{spec}\n{program}"
            );
        }
    }
    assert!(compared > 30, "{compared}");
}

#[test]
fn an_output_that_is_a_leaf_is_copied() {
    let mut net = Sketch::new(&[("x", &[2, 3])]);
    let flat = net.layer("", Flatten {}, Operand::Input(0));
    let program = compile(&Graph::build(&net.finish(flat), Task::Forward, 2).unwrap()).unwrap();
    let x = numbers(12, 1);
    assert_eq!(
        run(&program, std::slice::from_ref(&x)),
        std::slice::from_ref(&x)
    );
}

#[test]
fn an_output_twice_and_a_constant_are_written_where_they_belong() {
    let mut graph = Graph::new();
    let x = graph
        .leaf(Leaf::Input(0), xdnn_ir::Shape::new([2, 3]))
        .unwrap();
    let sum = graph.add(x, x).unwrap();
    let flat = graph.reshape(sum, xdnn_ir::Shape::new([6])).unwrap();
    let two = graph.constant(2.0, xdnn_ir::Shape::new([6])).unwrap();
    let more = graph.add(flat, two).unwrap();
    graph.set_outputs(vec![flat, sum, two, more, x]);
    let program = compile(&graph).unwrap();
    let x = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let sum: Vec<f32> = x.iter().map(|x| 2.0 * x).collect();
    let more = sum.iter().map(|x| x + 2.0).collect();
    let expected = [sum.clone(), sum, vec![2.0; 6], more, x.clone()];
    assert_eq!(run(&program, &[x]), expected);
}

#[test]
fn an_image_grows() {
    let mut net = Sketch::new(&[("x", &[2, 3, 3])]);
    let upsample = Upsample {
        scale_factor: [2; 2],
        mode: xdnn_ir::layer::Interpolation::Bilinear,
        align_corners: false,
    };
    let y = net.layer("", upsample, Operand::Input(0));
    let y = net.layer("conv", conv2d(1, 3, 1, 1), y);
    let spec = net.finish(y);
    for task in [Task::Forward, Task::Attribute] {
        assert_agrees(&spec, task, 2, 3);
    }
}
