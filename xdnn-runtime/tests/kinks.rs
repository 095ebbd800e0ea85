//! The derivatives at kinks and ties, which are those of PyTorch, and which keep `Σ x·∂F = k·F` exact. All numbers are
//! small integers or powers of two, so every comparison is exact.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod common;

use common::network::{Builder, of_layer};
use common::run::{Leaves, run};
use xdnn_runtime::ir::layer::{
    Abs, GlobalMaxPool, LeakyRelu, Linear, MaxPool1d, MaxPool2d, PRelu, Relu,
};
use xdnn_runtime::ir::{Combine, Layer, NetworkSpec, Operand, Shape};
use xdnn_runtime::ops::Leaf;
use xdnn_runtime::{Graph, Task};

/// The output and the gradients of `Σ outputs` by each input, for one sample.
///
/// The sum over outputs is `Linear` with a weight of ones on the flattened output, the last weight of the network.
fn derivatives(spec: &NetworkSpec, inputs: &[&[f64]], weights: &[&[f64]]) -> Vec<Vec<f64>> {
    let mut graph = Graph::build(spec, Task::Gradient, 1).unwrap();
    let mut leaves = Leaves::new();
    leaves.insert(Leaf::Target, vec![0.0]);
    let numbered = |data: &[&[f64]], leaf: fn(usize) -> Leaf| -> Leaves {
        let named = data.iter().enumerate();
        named.map(|(i, data)| (leaf(i), data.to_vec())).collect()
    };
    leaves.extend(numbered(inputs, Leaf::Input));
    leaves.extend(numbered(weights, Leaf::Weight));
    let results = run(&mut graph, &leaves);
    euler(spec, inputs, &results);
    results
}

/// `Σ x·∂F = k·F`, exactly.
fn euler(spec: &NetworkSpec, inputs: &[&[f64]], results: &[Vec<f64>]) {
    let gradients = results[1..].iter().flatten();
    let x = inputs.iter().copied().flatten();
    let sum: f64 = x.zip(gradients).map(|(x, g)| x * g).sum();
    assert_eq!(sum, spec.degree().unwrap().to_f64() * results[0][0]);
}

/// The sum of a layer's results.
fn summed(layer: impl Into<Layer>, input: Shape) -> NetworkSpec {
    let mut builder = Builder::new(&[input]);
    let y = builder.layer(layer, Operand::Input(0)).unwrap();
    total(builder, y)
}

/// The sum of a combination of inputs.
fn combined(rule: Combine, inputs: usize, size: usize) -> NetworkSpec {
    let mut builder = Builder::new(&vec![Shape::new([size]); inputs]);
    let operands: Vec<_> = (0..inputs).map(Operand::Input).collect();
    let y = builder.combine(rule, &operands).unwrap();
    total(builder, y)
}

fn total(mut builder: Builder, of: Operand) -> NetworkSpec {
    let head = [
        xdnn_runtime::ir::layer::Flatten {}.into(),
        Linear {
            out_features: 1,
            bias: false,
        }
        .into(),
    ];
    let head = builder.chain(of, head).unwrap();
    builder.finish(head)
}

/// `name: layer, [shape]: x, weights => gradient;`: of the sum of the layer's results.
macro_rules! gradients {
    ($($name:ident: $layer:expr, [$($dim:expr),*]: $x:expr, $weights:expr => $gradient:expr;)*) => {$(
        #[test]
        fn $name() {
            let spec = summed($layer, Shape::new([$($dim),*]));
            let ones = vec![1.0; spec.weights().last().unwrap().shape.elements()];
            let weights: Vec<&[f64]> = $weights;
            let weights: Vec<&[f64]> = weights.into_iter().chain([ones.as_slice()]).collect();
            assert_eq!(derivatives(&spec, &[&$x], &weights)[1], $gradient);
        }
    )*};
}

fn line(kernel: usize, stride: usize, padding: usize, dilation: usize) -> MaxPool1d {
    MaxPool1d {
        kernel,
        stride: Some(stride),
        padding,
        dilation,
        ceil_mode: false,
    }
}

fn plane(kernel: usize, stride: usize, padding: usize) -> MaxPool2d {
    MaxPool2d {
        kernel: [kernel; 2],
        stride: Some([stride; 2]),
        padding: [padding; 2],
        dilation: [1; 2],
        ceil_mode: false,
    }
}

gradients! {
    relu: Relu {}, [5]: [-2.0, -0.0, 0.0, 1.0, 3.0], vec![] => [0.0, 0.0, 0.0, 1.0, 1.0];
    absolute: Abs {}, [5]: [-2.0, -0.0, 0.0, 1.0, 3.0], vec![] => [-1.0, 0.0, 0.0, 1.0, 1.0];
    leaky: LeakyRelu { negative_slope: 0.25 }, [5]: [-2.0, -0.0, 0.0, 1.0, 3.0], vec![] => [0.25, 0.25, 0.25, 1.0, 1.0];
    leaky_turned: LeakyRelu { negative_slope: -2.0 }, [3]: [-1.0, 0.0, 1.0], vec![] => [-2.0, -2.0, 1.0];
    prelu: PRelu { num_parameters: 1 }, [4]: [-2.0, -0.0, 0.0, 1.0], vec![&[0.5]] => [0.5, 0.5, 0.5, 1.0];
    prelu_by_channel: PRelu { num_parameters: 2 }, [2, 2]: [-1.0, 0.0, 0.0, 1.0], vec![&[0.5, -3.0]] => [0.5, 0.5, -3.0, 1.0];

    pool_of_equals: line(3, 3, 0, 1), [1, 6]: [2.0, 2.0, 2.0, 1.0, 5.0, 5.0], vec![] => [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    pool_of_zeros: line(2, 2, 0, 1), [1, 4]: [0.0, -0.0, -0.0, 0.0], vec![] => [1.0, 0.0, 1.0, 0.0];
    pool_overlapping: line(3, 1, 1, 1), [1, 4]: [4.0, 4.0, 4.0, 4.0], vec![] => [2.0, 1.0, 1.0, 0.0];
    pool_dilated: line(2, 1, 1, 2), [1, 3]: [7.0, 7.0, 7.0], vec![] => [1.0, 2.0, 0.0];
    pool_of_negatives_in_padding: line(2, 2, 1, 1), [1, 4]: [-3.0, -1.0, -2.0, -5.0], vec![] => [1.0, 1.0, 0.0, 1.0];
    pool_of_an_image: plane(2, 2, 0), [1, 2, 4]: [1.0, 3.0, 0.0, 6.0, 3.0, 2.0, 6.0, 6.0], vec![] => [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    pool_of_an_equal_image: plane(3, 2, 1), [1, 3, 3]: [1.0; 9], vec![] => [1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    pool_of_a_whole_image: GlobalMaxPool {}, [2, 2, 2]: [1.0, 4.0, 4.0, 4.0, 0.0, 0.0, 0.0, 0.0], vec![] => [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
}

/// `name: rule of operands => gradients;`: of the sum of the combination.
macro_rules! ties {
    ($($name:ident: $rule:ident($($x:expr),*) => [$($gradient:expr),*];)*) => {$(
        #[test]
        fn $name() {
            let inputs: Vec<Vec<f64>> = vec![$($x.to_vec()),*];
            let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
            let spec = combined(Combine::$rule, inputs.len(), inputs[0].len());
            let ones = vec![1.0; inputs[0].len()];
            let results = derivatives(&spec, &inputs, &[&ones]);
            assert_eq!(results[1..], [$($gradient.to_vec()),*]);
        }
    )*};
}

ties! {
    max_of_two: Max([1.0, 2.0, -3.0, 0.0], [1.0, 1.0, -2.0, -0.0]) => [[1.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]];
    min_of_two: Min([1.0, 2.0, -3.0, 0.0], [1.0, 1.0, -2.0, -0.0]) => [[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0]];
    max_of_three: Max([1.0, 0.0, 0.0], [1.0, 2.0, 5.0], [1.0, 2.0, 6.0]) => [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    min_of_three: Min([1.0, 5.0, 0.0], [1.0, 2.0, 5.0], [1.0, 2.0, -6.0]) => [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
}

/// The winner of a maximum of one value with itself is still one winner.
#[test]
fn a_maximum_of_equals_counts_once() {
    let mut builder = Builder::new(&[Shape::new([3])]);
    let x = Operand::Input(0);
    let most = builder.combine(Combine::Max, &[x, x, x]).unwrap();
    let least = builder.combine(Combine::Min, &[most, x]).unwrap();
    let spec = total(builder, least);
    let results = derivatives(&spec, &[&[-1.0, 0.0, 2.0]], &[&[1.0; 3]]);
    assert_eq!(results[1], [1.0; 3]);
}

/// Kinks within a network of degree 3: every value that meets a kink is exactly 0 or exactly tied.
#[test]
fn euler_holds_at_kinks_of_a_network_of_degree_3() {
    let mut builder = Builder::new(&[Shape::new([2]), Shape::new([2])]);
    let a = builder
        .layer(
            Linear {
                out_features: 2,
                bias: false,
            },
            Operand::Input(0),
        )
        .unwrap();
    let most = builder
        .combine(Combine::Max, &[a, Operand::Input(1)])
        .unwrap();
    let relu = builder.layer(Relu {}, a).unwrap();
    let absolute = builder.layer(Abs {}, Operand::Input(1)).unwrap();
    let product = builder
        .combine(Combine::Product, &[most, relu, absolute])
        .unwrap();
    let spec = total(builder, product);
    let (x, y) = ([1.0, 2.0], [3.0, 0.0]);
    let weight = [1.0, 1.0, 2.0, -1.0]; // A·x = (3, 0): a tie with y, and a kink
    let results = derivatives(&spec, &[&x, &y], &[&weight, &[1.0, 1.0]]);
    assert_eq!(results[0], [27.0]);
    assert_eq!(results[1], [18.0, 18.0]); // max and relu take a: ∂(a²·|y|) = 2a·|y| by each of x
    assert_eq!(results[2], [9.0, 0.0]); // |y| alone
}

/// The class that attribution chooses by itself is the first of the largest.
#[test]
fn the_predicted_class_is_the_first_of_several() {
    let spec = of_layer(
        Linear {
            out_features: 3,
            bias: false,
        },
        Shape::new([2]),
    )
    .unwrap();
    let mut graph = Graph::build(&spec, Task::Attribute, 3).unwrap();
    let leaves = [
        (Leaf::Input(0), vec![1.0, 1.0, 2.0, 0.0, 0.0, 0.0]),
        (Leaf::Weight(0), vec![0.0, 1.0, 2.0, -1.0, -1.0, 2.0]),
        (Leaf::Target, vec![-1.0, -1.0, -1.0]),
    ];
    let results = run(&mut graph, &leaves.into());
    assert_eq!(results[0], [1.0, 1.0, 1.0, 0.0, 4.0, -2.0, 0.0, 0.0, 0.0]);
    assert_eq!(results[1], [0.0, 1.0, 4.0, 0.0, 0.0, 0.0]);
}
