//! Derivatives of derivatives: whatever a derivative is made of can be differentiated again.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod common;

use common::derivative::{Function, check, check_task, gradient, largest, tangent, values};
use common::network::{Builder, of_layers};
use common::run::run;
use xdnn_runtime::autodiff::{jvp, vjp};
use xdnn_runtime::graph::{Loss, Node, Value};
use xdnn_runtime::ir::layer::{
    Abs, AvgPool2d, Conv2d, Dropout, Flatten, GeM, GlobalMaxPool, Interpolation, LeakyRelu, Linear,
    LpPool2d, MaxPool2d, PRelu, PixelShuffle, Relu, Scale, TopKPool, Upsample, ZeroPad2d,
};
use xdnn_runtime::ir::{Combine, Layer, NetworkSpec, Operand, Shape};
use xdnn_runtime::ops::{Convolution, Leaf, Map, MatMul, Op, Role};
use xdnn_runtime::{Graph, Result, Task};

fn conv(out_channels: usize, kernel: usize, stride: usize, padding: usize) -> Layer {
    Conv2d {
        out_channels,
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [padding; 2],
        dilation: [1; 2],
        groups: 1,
        bias: false,
    }
    .into()
}

fn max_pool() -> Layer {
    MaxPool2d {
        kernel: [3; 2],
        stride: Some([2; 2]),
        padding: [1; 2],
        dilation: [1; 2],
        ceil_mode: false,
    }
    .into()
}

fn linear(out_features: usize) -> Layer {
    Linear {
        out_features,
        bias: false,
    }
    .into()
}

/// Convolutions, kinks, pools and a linear head: degree 1.
fn convolutional() -> NetworkSpec {
    let layers = [
        conv(3, 3, 1, 1),
        Relu {}.into(),
        max_pool(),
        conv(4, 2, 1, 0),
        LeakyRelu {
            negative_slope: 0.2,
        }
        .into(),
        Flatten {}.into(),
        linear(3),
    ];
    of_layers(layers, Shape::new([2, 5, 4])).unwrap()
}

/// Every other kind of layer with a derivative: degree 1.
fn colourful() -> NetworkSpec {
    let layers = [
        ZeroPad2d {
            padding: [1, 0, 0, 2],
        }
        .into(),
        conv(4, 3, 2, 1),
        PRelu { num_parameters: 4 }.into(),
        PixelShuffle { upscale_factor: 2 }.into(),
        Upsample {
            scale_factor: [1, 2],
            mode: Interpolation::Bilinear,
            align_corners: false,
        }
        .into(),
        Scale { num_parameters: 1 }.into(),
        Dropout { p: 0.5 }.into(),
        AvgPool2d {
            kernel: [2; 2],
            stride: None,
            padding: [1; 2],
            ceil_mode: true,
            count_include_pad: false,
        }
        .into(),
        conv(3, 1, 1, 0),
        GlobalMaxPool {}.into(),
        Flatten {}.into(),
        Abs {}.into(),
        linear(2),
    ];
    of_layers(layers, Shape::new([1, 4, 4])).unwrap()
}

/// `relu(A·x) ⊙ |B·x|`, then a head: degree 2.
fn product() -> NetworkSpec {
    let mut builder = Builder::new(&[Shape::new([5])]);
    let x = Operand::Input(0);
    let a = builder.chain(x, [linear(4), Relu {}.into()]).unwrap();
    let b = builder.chain(x, [linear(4), Abs {}.into()]).unwrap();
    let product = builder.combine(Combine::Product, &[a, b]).unwrap();
    let head = builder.layer(linear(3), product).unwrap();
    builder.finish(head)
}

/// Two inputs, a cube of one times the maximum of both, and a residual sum: degree 4.
fn quartic() -> NetworkSpec {
    let mut builder = Builder::new(&[Shape::new([3]), Shape::new([4])]);
    let a = builder.layer(linear(4), Operand::Input(0)).unwrap();
    let most = builder
        .combine(Combine::Max, &[a, Operand::Input(1)])
        .unwrap();
    let least = builder
        .combine(Combine::Min, &[a, Operand::Input(1), most])
        .unwrap();
    let quartic = builder
        .combine(Combine::Product, &[a, a, most, least])
        .unwrap();
    let branch = builder.layer(linear(4), quartic).unwrap();
    let sum = builder.combine(Combine::Sum, &[quartic, branch]).unwrap();
    builder.finish(sum)
}

/// `name: network, task;`: both derivatives of everything that the task computes, gradients included, are right.
macro_rules! second_order {
    ($($name:ident: $spec:expr, $task:expr;)*) => {$(
        #[test]
        fn $name() {
            check_task(&$spec, $task, 2, &(-1.0..1.0));
        }
    )*};
}

const TRAIN: Task = Task::Train(Loss::CrossEntropy);
const SPARSE: Task = Task::TrainWithGini(Loss::CrossEntropy);

second_order! {
    training_a_convolutional_network: convolutional(), TRAIN;
    training_a_colourful_network: colourful(), TRAIN;
    training_a_product: product(), TRAIN;
    training_a_quartic: quartic(), TRAIN;
    training_a_convolutional_network_with_a_prior: convolutional(), SPARSE;
    training_a_colourful_network_with_a_prior: colourful(), SPARSE;
    training_a_selective_network_with_a_prior: selective(), SPARSE;
    training_a_product_with_a_prior: product(), SPARSE;
    training_a_quartic_with_a_prior: quartic(), SPARSE;
    attributing_a_convolutional_network: convolutional(), Task::Attribute;
    attributing_a_colourful_network: colourful(), Task::Attribute;
    training_a_selective_network: selective(), TRAIN;
    attributing_a_selective_network: selective(), Task::Attribute;
    attributing_a_product: product(), Task::Attribute;
    attributing_a_quartic: quartic(), Task::Attribute;
    gradients_of_a_product: product(), Task::Gradient;
    gradients_of_a_quartic: quartic(), Task::Gradient;
}

/// Selections, norms and roots, and what undoes a pool: degree 1.
fn selective() -> NetworkSpec {
    let mut builder = Builder::new(&[Shape::new([2, 4, 4])]);
    let x = builder.layer(conv(4, 3, 1, 1), Operand::Input(0)).unwrap();
    let pool = MaxPool2d {
        kernel: [2; 2],
        stride: None,
        padding: [0; 2],
        dilation: [1; 2],
        ceil_mode: false,
    };
    let pooled = builder.layer(pool, x).unwrap();
    let mixed = builder.layer(conv(4, 1, 1, 0), pooled).unwrap();
    let unpooled = builder.combine(Combine::Unpool, &[mixed, x]).unwrap();
    let both = builder.combine(Combine::Sum, &[unpooled, x]).unwrap();
    let norm = LpPool2d {
        norm_type: 3.0,
        kernel: [2; 2],
        stride: Some([1; 2]),
        ceil_mode: false,
    };
    let gem = GeM {
        p: 3.0,
        learned: false,
    };
    let norm = builder.chain(both, [norm.into(), gem.into()]).unwrap();
    let top = builder.layer(TopKPool { k: 3 }, both).unwrap();
    let sum = builder.combine(Combine::Concat, &[norm, top]).unwrap();
    let head = builder.chain(sum, [Flatten {}.into(), linear(2)]).unwrap();
    builder.finish(head)
}

/// Away from 0, where the exponent's root has no bound.
#[test]
fn a_learned_exponent() {
    let gem = GeM {
        p: 3.0,
        learned: true,
    };
    let layers = [gem.into(), Flatten {}.into(), linear(2)];
    let spec = of_layers(layers, Shape::new([2, 2, 2])).unwrap();
    for task in [TRAIN, Task::Attribute] {
        check_task(&spec, task, 2, &(0.5..2.0));
    }
}

/// `x ↦ √x · exp(1/y) + ln(x·y)`.
fn smooth(graph: &mut Graph, x: &[Value]) -> Result<Vec<Value>> {
    let root = graph.map(Map::Sqrt, x[0])?;
    let recip = graph.map(Map::Recip, x[1])?;
    let exp = graph.map(Map::Exp, recip)?;
    let left = graph.mul(root, exp)?;
    let product = graph.mul(x[0], x[1])?;
    let right = graph.map(Map::Ln, product)?;
    Ok(vec![graph.add(left, right)?])
}

fn check_smooth(function: impl Function) {
    check(&[Shape::new([5]); 2], &(0.8..2.0), function);
}

#[test]
fn smooth_operators_once() {
    check_smooth(smooth);
}

#[test]
fn smooth_operators_reverse_over_reverse_and_forward_over_reverse() {
    check_smooth(gradient(smooth, 0));
}

#[test]
fn smooth_operators_reverse_over_forward_and_forward_over_forward() {
    check_smooth(tangent(smooth, 0));
}

#[test]
fn smooth_operators_three_times() {
    check_smooth(tangent(gradient(smooth, 0), 100));
    check_smooth(gradient(gradient(smooth, 0), 100));
}

/// `x ↦ σ(x)·tanh(y) + erf(x)·ln(1 + eʸ) + sin(x)·cos(y) + x₊^(5/2)·(eʸ − 1)`.
fn bent(graph: &mut Graph, x: &[Value]) -> Result<Vec<Value>> {
    let pairs = [
        [Map::Sigmoid, Map::Tanh],
        [Map::Erf, Map::Softplus],
        [Map::Sin, Map::Cos],
        [Map::Power(2.5), Map::ExpM1],
    ];
    let mut sum = None;
    for [left, right] in pairs {
        let (left, right) = (graph.map(left, x[0])?, graph.map(right, x[1])?);
        let product = graph.mul(left, right)?;
        sum = match sum {
            Some(sum) => Some(graph.add(sum, product)?),
            None => Some(product),
        };
    }
    Ok(sum.into_iter().collect())
}

#[test]
fn functions_of_degree_zero_twice_and_three_times() {
    let (shapes, domain) = ([Shape::new([6]); 2], 0.3..2.0);
    check(&shapes, &domain, bent);
    check(&shapes, &domain, gradient(bent, 0));
    check(&shapes, &domain, tangent(bent, 0));
    check(&shapes, &domain, tangent(gradient(bent, 0), 100));
}

/// What a prior trains on, `∂/∂W Σ u·x·∂F/∂x`, in three ways: reverse over reverse; the derivative of `∂F/∂W` along
/// `u·x`; and, where the network is piecewise linear, `g_l ⊗ t_l` of the first cotangents and of the tangents along `u·x`.
#[test]
fn the_gradient_of_a_prior_is_a_derivative_along_the_attribution() {
    for (spec, piecewise_linear) in [
        (convolutional(), true),
        (product(), false),
        (quartic(), false),
    ] {
        let mut graph = Graph::build(&spec, Task::Forward, 2).unwrap();
        let leaf = |graph: &Graph, wanted: fn(&Leaf) -> bool| -> Vec<Value> {
            let leaves = graph.leaves().into_iter().filter(|(leaf, _)| wanted(leaf));
            leaves.map(|(_, value)| value).collect()
        };
        let inputs = leaf(&graph, |leaf| matches!(leaf, Leaf::Input(_)));
        let weights = leaf(&graph, |leaf| matches!(leaf, Leaf::Weight(_)));
        let output = graph.outputs()[0];
        let chosen = graph.leaf(Leaf::Seed(0), output.shape()).unwrap();
        let seed = [(output, chosen)];

        let gradients = vjp(&mut graph, &seed, &inputs).unwrap();
        let mut attributions = Vec::new();
        let mut directions = Vec::new();
        for (i, (x, gradient)) in inputs.iter().zip(gradients).enumerate() {
            let u = graph.leaf(Leaf::Seed(1 + i), x.shape()).unwrap();
            let direction = graph.mul(u, *x).unwrap();
            directions.push((*x, direction));
            attributions.push((graph.mul(*x, gradient).unwrap(), u));
        }
        let reverse = vjp(&mut graph, &attributions, &weights).unwrap();
        let of_weights = vjp(&mut graph, &seed, &weights).unwrap();
        let forward = jvp(&mut graph, &directions, &of_weights).unwrap();
        let outer = if piecewise_linear {
            outer_products(&mut graph, &seed, &directions, &weights)
        } else {
            forward.clone()
        };
        graph.set_outputs([reverse, forward, outer].concat());
        let leaves = values(&graph, &(-1.0..1.0), 7);
        let results = run(&mut graph, &leaves);
        let (reverse, rest) = results.split_at(weights.len());
        for other in rest.chunks(weights.len()) {
            for (a, b) in reverse.iter().zip(other) {
                let gap = a
                    .iter()
                    .zip(b)
                    .map(|(a, b)| (a - b).abs())
                    .fold(0.0, f64::max);
                assert!(
                    largest(a) > 1e-3 && gap <= 1e-13 * largest(a),
                    "{a:?} against {b:?}"
                );
            }
        }
    }
}

/// For each weight of a convolution or of a linear layer: the cotangent of its result times the tangent of its operand.
fn outer_products(
    graph: &mut Graph,
    seed: &[(Value, Value)],
    directions: &[(Value, Value)],
    weights: &[Value],
) -> Vec<Value> {
    let reader = |node: &Node<'_>| {
        let [operand, weight] = node.operands[..] else {
            return None;
        };
        let position = weights.iter().position(|other| *other == weight)?;
        let forward = match node.op {
            Op::Convolution(convolution) => convolution.role == Role::Forward,
            Op::MatMul(product) => !product.transpose_a && product.transpose_b,
            _ => false,
        };
        let of_forward_pass = node.value.id().index() <= seed[0].0.id().index();
        (forward && of_forward_pass).then(|| (position, node.op.clone(), operand, node.value))
    };
    let mut readers: Vec<_> = graph.nodes().unwrap().iter().filter_map(reader).collect();
    readers.sort_by_key(|(position, ..)| *position);
    assert_eq!(readers.len(), weights.len());
    let outer = |(position, op, operand, result): (usize, Op, Value, Value)| {
        let g = vjp(graph, seed, &[result]).unwrap()[0];
        let t = jvp(graph, directions, &[operand]).unwrap()[0];
        match op {
            Op::Convolution(convolution) => {
                let outer = Convolution {
                    role: Role::WeightGradient,
                    shape: weights[position].shape(),
                    ..convolution
                };
                graph.apply(outer, &[t, g]).unwrap()
            }
            _ => {
                let outer = MatMul {
                    transpose_a: true,
                    transpose_b: false,
                };
                graph.apply(outer, &[g, t]).unwrap()
            }
        }
    };
    readers.into_iter().map(outer).collect()
}

/// A seeded value that depends on another seeded one moves with it: forward mode stays the transpose of reverse mode.
#[test]
fn seeds_may_depend_on_each_other_and_add_up() {
    let shape = Shape::new([3]);
    let mut graph = Graph::new();
    let x = graph.leaf(Leaf::Input(0), shape).unwrap();
    let h = graph.mul(x, x).unwrap();
    let y = graph.mul(h, x).unwrap();
    let t = [0, 1, 2].map(|i| graph.leaf(Leaf::Seed(i), shape).unwrap());
    let u = graph.leaf(Leaf::Seed(3), shape).unwrap();
    let forward = jvp(&mut graph, &[(x, t[0]), (h, t[1]), (x, t[2])], &[y]).unwrap();
    let reverse = vjp(&mut graph, &[(y, u), (y, u)], &[x, h, y]).unwrap();
    graph.set_outputs([forward, reverse].concat());
    let leaves = [
        (Leaf::Input(0), vec![1.0, 2.0, -3.0]),
        (Leaf::Seed(0), vec![1.0, 0.0, 2.0]),
        (Leaf::Seed(1), vec![0.0, 5.0, 1.0]),
        (Leaf::Seed(2), vec![1.0, 1.0, 0.0]),
        (Leaf::Seed(3), vec![1.0, -1.0, 0.5]),
    ];
    let results = run(&mut graph, &leaves.into());
    assert_eq!(results[0], [6.0, 12.0 + 10.0, 54.0 - 3.0]); // 3x²·(t₀ + t₂) + x·t₁
    assert_eq!(results[1], [6.0, -24.0, 27.0]); // 3x²·2u
    assert_eq!(results[2], [2.0, -4.0, -3.0]); // x·2u
    assert_eq!(results[3], [2.0, -2.0, 1.0]); // 2u
}
