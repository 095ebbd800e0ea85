//! What passes make of graphs computes what the graphs did.

use luminal::prelude::Compiler;
use xdnn_ir::layer::{Abs, Conv2d, Flatten, LeakyRelu, Linear, MaxPool2d, PRelu, Relu};
use xdnn_ir::{Combine, NetworkSpec, Operand, Shape};

use super::{BlockChannels, FuseElementwise, SlopesAsBits};
use crate::backend::reference;
use crate::graph::{Graph, Loss, Task, verify};
use crate::ops::{Leaf, Map, Slopes};
use crate::sketch::Sketch;

/// A residual network with functions of two and of three slopes.
fn network(channels: usize) -> NetworkSpec {
    let mut net = Sketch::new(&[("x", &[2, 6, 6])]);
    let conv = Conv2d {
        out_channels: channels,
        kernel: [3; 2],
        stride: [1; 2],
        padding: [1; 2],
        dilation: [1; 2],
        groups: 1,
        bias: false,
    };
    let pool = MaxPool2d {
        kernel: [2; 2],
        stride: None,
        padding: [0; 2],
        dilation: [1; 2],
        ceil_mode: false,
    };
    let head = Linear {
        out_features: 3,
        bias: false,
    };
    let stem = net.layer("stem", conv, Operand::Input(0));
    let stem = net.layer("", Relu {}, stem);
    let a = net.layer("a", conv, stem);
    let a = net.layer(
        "",
        LeakyRelu {
            negative_slope: 0.1,
        },
        a,
    );
    let b = net.layer("b", conv, a);
    let b = net.layer("prelu", PRelu { num_parameters: 1 }, b);
    let sum = net.combine(Combine::Sum, &[stem, b]);
    let sum = net.layer("", Relu {}, sum);
    let pooled = net.layer("", pool, sum);
    let pooled = net.layer("", Abs {}, pooled);
    let flat = net.layer("", Flatten {}, pooled);
    let head = net.layer("head", head, flat);
    net.finish(head)
}

const TASKS: [Task; 3] = [
    Task::Forward,
    Task::Attribute,
    Task::Train(Loss::CrossEntropy),
];

/// What the reference computes in double precision from numbers that depend on the leaves alone.
fn outputs(graph: &mut Graph) -> Vec<Vec<f64>> {
    let leaves = graph.leaves().into_iter().zip(1..);
    let leaves: Vec<Vec<f64>> = leaves
        .map(|((leaf, value), seed)| {
            let number = |i: usize| match leaf {
                Leaf::Target => 1.0,
                _ => ((i * 7919 + seed * 104_729) % 1009) as f64 / 504.5 - 1.0,
            };
            (0..value.shape().elements()).map(number).collect()
        })
        .collect();
    let leaves: Vec<&[f64]> = leaves.iter().map(Vec::as_slice).collect();
    reference::execute(graph, &leaves).unwrap()
}

/// Asserts that the graph of a network is well formed and computes the same after a pass, and returns it.
fn assert_same(channels: usize, pass: impl Compiler + Copy, task: Task) -> Graph {
    let mut graph = Graph::build(&network(channels), task, 2).unwrap();
    let expected = outputs(&mut graph);
    graph.compile_with(pass).unwrap();
    verify::verify(&graph).unwrap();
    assert_eq!(outputs(&mut graph), expected, "{graph}");
    graph
}

#[test]
fn slopes_become_bits() {
    for task in TASKS {
        let text = assert_same(4, SlopesAsBits, task).to_string();
        // What is left is the slope of the absolute value, of which there are three.
        let slopes = text.matches("= Slope(").count();
        assert_eq!(slopes, usize::from(task != Task::Forward), "{text}");
    }
}

#[test]
fn nothing_but_signs_is_kept_of_a_relu() {
    let text = assert_same(4, SlopesAsBits, Task::Attribute).to_string();
    insta::assert_snapshot!(text);
}

#[test]
fn numbers_that_are_none_pass() {
    let mut graph = Graph::new();
    let [a, b] = [0, 1].map(|i| graph.leaf(Leaf::Input(i), Shape::new([3])).unwrap());
    let slope = graph.map(Map::Slope(Slopes::RELU), b).unwrap();
    let product = graph.mul(a, slope).unwrap();
    graph.set_outputs(vec![product]);
    graph.compile_with(SlopesAsBits).unwrap();
    let leaves: [&[f64]; 2] = [&[f64::NAN, 1.0, 2.0], &[-1.0, -1.0, 1.0]];
    let found = reference::execute(&mut graph, &leaves).unwrap().remove(0);
    assert!(found[0].is_nan() && found[1..] == [0.0, 2.0], "{found:?}");
}

#[test]
fn long_sums_are_fused_in_part() {
    for count in [254, 255, 300] {
        let mut net = Sketch::new(&[("x", &[3]), ("y", &[3])]);
        let operands: Vec<_> = (0..count).map(|i| Operand::Input(i % 2)).collect();
        let sum = net.combine(Combine::Sum, &operands);
        let mut graph = Graph::build(&net.finish(sum), Task::Attribute, 1).unwrap();
        let expected = outputs(&mut graph);
        graph.compile_with(FuseElementwise).unwrap();
        verify::verify(&graph).unwrap();
        assert_eq!(outputs(&mut graph), expected);
    }
}

#[test]
fn elementwise_operators_are_fused() {
    for task in TASKS {
        assert_same(4, FuseElementwise, task);
        assert_same(4, (SlopesAsBits, FuseElementwise), task);
    }
    insta::assert_snapshot!(assert_same(
        4,
        (SlopesAsBits, FuseElementwise),
        Task::Attribute
    ));
}

#[test]
fn channels_are_in_blocks_between_the_stem_and_the_head() {
    for task in [Task::Forward, Task::Attribute] {
        assert_same(32, BlockChannels, task);
        assert_same(32, (BlockChannels, SlopesAsBits, FuseElementwise), task);
    }
    let text = assert_same(32, BlockChannels, Task::Attribute).to_string();
    assert_eq!(text.matches("= ToBlocks").count(), 2, "{text}");
    assert_eq!(text.matches("= FromBlocks").count(), 1, "{text}");
    insta::assert_snapshot!(text);
}
