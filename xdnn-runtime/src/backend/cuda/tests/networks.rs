//! Whole networks in every task.

use xdnn_ir::layer::{Relu, Sign};
use xdnn_ir::{NetworkSpec, Operand, Shape};

use super::{Weights, ready};
use crate::backend::ToProgram;
use crate::backend::optimise::optimise;
use crate::backend::testing::networks::{
    TASKS, branches, conv2d, leaves, line, linear, max_pool, pooled, residual, wide,
};
use crate::backend::testing::{assert_replaced, exact, laid_out, run};
use crate::graph::{Graph, Loss, Task};
use crate::ops::{Blocked, Convolution, Leaf, Role};
use crate::sketch::Sketch;
use crate::{Device, Precision};

/// Asserts that the device computes what the reference does, up to so much of the largest number.
fn assert_agrees(
    spec: &NetworkSpec,
    task: Task,
    batch: usize,
    precision: Precision,
    tolerance: f64,
) -> String {
    let graph = Graph::build(spec, task, batch).unwrap();
    assert_computes(graph, Weights::of(task), precision, tolerance)
}

/// The same of a graph.
pub(super) fn assert_computes(
    mut graph: Graph,
    weights: Weights,
    precision: Precision,
    tolerance: f64,
) -> String {
    ready();
    let known = graph.leaves();
    let program = crate::backend::cuda::compile(&graph, weights, 0, precision).unwrap();
    let values = leaves(&program, 7);
    let expected = exact(&mut graph, &values);
    optimise(&mut graph, weights).unwrap();
    let program = crate::backend::cuda::compile(&graph, weights, 0, precision).unwrap();
    let given = laid_out(&program, &known, &values);
    let listing = program.to_string();
    for (i, (found, expected)) in run(&program, &given).iter().zip(&expected).enumerate() {
        let largest = expected.iter().fold(1e-2_f64, |max, x| max.max(x.abs()));
        for (found, expected) in found.iter().zip(expected) {
            let difference = (f64::from(*found) - expected).abs();
            assert!(
                difference <= tolerance * largest,
                "output {i}: {found} is not {expected} ({precision})\n{listing}"
            );
        }
    }
    listing
}

#[test]
fn programs_replace_graphs() {
    ready();
    for task in TASKS {
        let mut graph = Graph::build(&residual(), task, 2).unwrap();
        let weights = Weights::of(task);
        optimise(&mut graph, weights).unwrap();
        let to = ToProgram {
            device: Device::Cuda(0),
            weights,
            precision: Precision::Strict,
        };
        assert_replaced(graph, to);
    }
}

#[test]
fn residual_networks() {
    for task in TASKS {
        assert_agrees(&residual(), task, 2, Precision::Strict, 2e-5);
    }
}

#[test]
fn networks_of_many_channels() {
    for task in TASKS {
        assert_agrees(&wide(), task, 2, Precision::Strict, 2e-5);
    }
    assert_agrees(&wide(), Task::Attribute, 1, Precision::Strict, 2e-5);
}

#[test]
fn pools_beside_convolutions() {
    for task in [Task::Forward, Task::Gradient, Task::Attribute] {
        for batch in [1, 3] {
            let listing = assert_agrees(&pooled(), task, batch, Precision::Strict, 2e-5);
            assert!(
                listing.contains("→ gather") && listing.contains(" with @"),
                "{listing}"
            );
            assert!(
                listing.contains("→ scatter") || task == Task::Forward,
                "{listing}"
            );
        }
    }
}

/// A pool right behind the first layer.
#[test]
fn pooled_stems() {
    let mut net = Sketch::new(&[("x", &[3, 8, 12])]);
    let x = net.layer("a", conv2d(32, 5, 1, 1), Operand::Input(0));
    let x = net.layer("", Relu {}, x);
    let x = net.layer("", max_pool(2), x);
    let x = net.layer("b", conv2d(16, 3, 1, 1), x);
    let x = net.layer("", Relu {}, x);
    let net = net.finish(x);
    for task in [Task::Forward, Task::Gradient] {
        let listing = assert_agrees(&net, task, 2, Precision::Strict, 2e-5);
        let mut lines = listing.lines();
        let pooled =
            |line: &str| line.contains("convolution padding 0×2×2") && line.contains("→ gather");
        assert!(lines.any(pooled), "{listing}");
    }
}

#[test]
fn branches_and_lines() {
    for task in TASKS {
        assert_agrees(&branches(), task, 2, Precision::Strict, 2e-5);
        assert_agrees(&line(), task, 3, Precision::Strict, 2e-5);
    }
}

#[test]
fn priors() {
    let task = Task::TrainWithGini(Loss::CrossEntropy);
    assert_agrees(&line(), task, 3, Precision::Strict, 2e-5);
}

#[test]
fn fewer_digits() {
    for (precision, tolerance) in [(Precision::Tf32, 5e-3), (Precision::Bf16, 5e-2)] {
        assert_agrees(&line(), Task::Forward, 2, precision, tolerance);
        assert_agrees(&wide(), Task::Forward, 2, precision, tolerance);
    }
    assert_agrees(&wide(), Task::Attribute, 2, Precision::Tf32, 5e-3);
}

/// So many places that tiles are wide.
#[test]
fn large_images() {
    for (precision, tolerance) in [(Precision::Tf32, 5e-3), (Precision::Bf16, 5e-2)] {
        let mut graph = Graph::new();
        let x = graph.leaf(Leaf::Input(0), Shape::new([2, 1, 130, 130, 16]));
        let w = graph.leaf(Leaf::Weight(0), Shape::new([128, 16, 1, 1]));
        let convolution = Blocked::Convolution(Convolution {
            role: Role::Forward,
            shape: Shape::new([2, 128, 130, 130]),
            stride: [1; 3],
            padding: [0; 3],
            dilation: [1; 3],
            groups: 1,
        });
        let y = graph.apply(convolution, &[x.unwrap(), w.unwrap()]);
        graph.set_outputs(vec![y.unwrap()]);
        let listing = assert_computes(graph, Weights::Constant, precision, tolerance);
        assert!(listing.contains("265×1×1 blocks"), "{listing}");
    }
}

/// The taps of a place are the bits of a word.
#[test]
fn long_kernels() {
    for (taps, fits) in [(32, true), (33, false)] {
        let mut graph = Graph::new();
        let x = graph.leaf(Leaf::Input(0), Shape::new([1, 1, 1, 70, 16]));
        let w = graph.leaf(Leaf::Weight(0), Shape::new([16, 16, 1, taps]));
        let convolution = Blocked::Convolution(Convolution {
            role: Role::Forward,
            shape: Shape::new([1, 16, 1, 103 - taps]),
            stride: [1; 3],
            padding: [0, 0, 16],
            dilation: [1; 3],
            groups: 1,
        });
        let y = graph.apply(convolution, &[x.unwrap(), w.unwrap()]);
        graph.set_outputs(vec![y.unwrap()]);
        let listing = assert_computes(graph, Weights::Constant, Precision::Strict, 1e-5);
        assert_eq!(listing.contains("Taps("), fits, "{listing}");
    }
}

/// Windows that leave gaps, steps beyond what there is, and weights before a layer without a derivative.
#[test]
fn unusual_networks() {
    let mut net = Sketch::new(&[("x", &[3, 8, 8])]);
    let x = net.layer("a", conv2d(32, 3, 1, 1), Operand::Input(0));
    let x = net.layer("b", conv2d(32, 3, 1, 1), x);
    let mut pool = max_pool(2);
    (pool.stride, pool.dilation, pool.ceil_mode) = (Some([2; 2]), [2; 2], true);
    let x = net.layer("", pool, x);
    let gaps = net.finish(x);
    for batch in [1, 2] {
        assert_agrees(&gaps, Task::Forward, batch, Precision::Strict, 2e-5);
        assert_agrees(&gaps, Task::Gradient, batch, Precision::Strict, 2e-5);
    }

    let mut net = Sketch::new(&[("x", &[16, 1, 1])]);
    let x = net.layer("a", conv2d(32, 3, 2, 1), Operand::Input(0));
    let x = net.layer("b", conv2d(32, 3, 2, 1), x);
    let steps = net.finish(x);
    assert_agrees(&steps, Task::Gradient, 1, Precision::Strict, 2e-5);

    let mut net = Sketch::new(&[("x", &[4])]);
    let x = net.layer("a", linear(3), Operand::Input(0));
    let x = net.layer("", Sign {}, x);
    let x = net.layer("b", linear(2), x);
    let signs = net.finish(x);
    let task = Task::Train(Loss::CrossEntropy);
    assert_agrees(&signs, task, 2, Precision::Strict, 2e-5);
}
