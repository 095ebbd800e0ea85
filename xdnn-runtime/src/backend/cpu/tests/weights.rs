//! Weights that stay the same are read in other layouts, whatever dimensions they are seen with.

use ndarray::{ArrayD, IxDyn};
use xdnn_ir::{Operand, Shape};

use super::super::Weights;
use super::{assert_near, exact, laid_out, numbers, run};
use crate::backend::testing::networks::conv2d;
use crate::graph::{Graph, Value};
use crate::model::DynamicModel;
use crate::ops::{Convolution, Leaf, Role};
use crate::sketch::Sketch;
use crate::{Device, Result};

/// Asserts that an operator on a leaf and on a weight, seen with other dimensions than its own, computes what the reference does.
fn assert_computes(
    x: &[usize],
    [weight, seen]: [&[usize]; 2],
    apply: impl Fn(&mut Graph, Value, Value) -> Result<Value>,
) {
    let [x, weight, seen] = [x, weight, seen].map(|dims| Shape::from_slice(dims).unwrap());
    let mut graph = Graph::new();
    let input = graph.leaf(Leaf::Input(0), x).unwrap();
    let w = graph.leaf(Leaf::Weight(0), weight).unwrap();
    let w = graph.reshape(w, seen).unwrap();
    let output = apply(&mut graph, input, w).unwrap();
    graph.set_outputs(vec![output]);
    let leaves = [numbers(x.elements(), 1), numbers(weight.elements(), 2)];
    let expected = exact(&mut graph, &leaves).remove(0);
    let known = graph.leaves();
    let program = super::super::compile(&graph, Weights::Constant).unwrap();
    let found = run(&program, &laid_out(&program, &known, &leaves)).remove(0);
    let magnitude = vec![x.elements() as f64; found.len()];
    assert_near(&found, &expected, &magnitude, &program.to_string());
}

fn convolution(output: [usize; 4]) -> Convolution {
    Convolution {
        role: Role::Forward,
        shape: Shape::new(output),
        stride: [1; 3],
        padding: [0; 3],
        dilation: [1; 3],
        groups: 1,
    }
}

#[test]
fn reshaped_matrices() {
    let cases: [[&[usize]; 3]; 4] = [
        [&[3, 4], &[2, 4, 2], &[4, 4]],
        [&[3, 8], &[2, 12, 8], &[24, 8]],
        [&[1, 3, 40], &[1, 24, 40], &[1, 24, 40]],
        [&[1, 40], &[24, 5, 8], &[24, 40]],
    ];
    for [x, weight, seen] in cases {
        assert_computes(x, [weight, seen], |graph, x, w| {
            graph.matmul_transposed(x, w)
        });
    }
}

#[test]
fn reshaped_kernels() {
    assert_computes(&[2, 4, 5, 5], [&[2, 72], &[4, 4, 3, 3]], |graph, x, w| {
        graph.apply(convolution([2, 4, 3, 3]), &[x, w])
    });
}

#[test]
fn sums_of_nothing_are_zero() {
    for rows in [1, 3, 20] {
        let weight: &[usize] = &[5000, 0];
        assert_computes(&[rows, 0], [weight, weight], |graph, x, w| {
            graph.matmul_transposed(x, w)
        });
    }
    let weight: &[usize] = &[5, 0, 3, 3];
    assert_computes(&[2, 0, 4, 4], [weight, weight], |graph, x, w| {
        graph.apply(convolution([2, 5, 2, 2]), &[x, w])
    });
}

#[test]
fn one_weight_in_convolutions_of_different_groups() {
    let mut net = Sketch::new(&[("x", &[2, 5, 5])]);
    let a = net.layer("a", conv2d(6, 3, 1, 1), Operand::Input(0));
    let four = net.layer("p", conv2d(4, 1, 1, 1), a);
    let b = net.layer("b", conv2d(6, 3, 1, 2), four);
    let mut spec = net.finish(b);
    // The third node reads the weight of the first.
    let mut nodes = spec.nodes.to_vec();
    nodes[2].weights = nodes[0].weights.clone();
    spec.nodes = nodes.into();
    let mut weights = spec.weights.to_vec();
    weights.pop();
    spec.weights = weights.into();

    let x = ArrayD::from_shape_vec(IxDyn(&[2, 2, 5, 5]), numbers(100, 5)).unwrap();
    let forward = |device| {
        let weights = spec.weights.iter().map(|weight| {
            let values = numbers(weight.shape.elements(), 3);
            ArrayD::from_shape_vec(IxDyn(weight.shape.dims()), values).unwrap()
        });
        let model = DynamicModel::new(spec.clone(), weights.collect(), device).unwrap();
        model.forward(&x).unwrap()
    };
    let (expected, found) = (forward(Device::Reference), forward(Device::Cpu));
    for (expected, found) in expected.iter().zip(&found) {
        assert!((expected - found).abs() < 1e-4, "{found} is not {expected}");
    }
}
