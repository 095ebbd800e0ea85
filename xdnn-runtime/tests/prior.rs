//! Training with an attribution prior: what its graph says against formulas written out again, and its gradients against
//! differences and against those of pairs of elements.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod common;

use common::derivative::{largest, values};
use common::network::{Builder, of_layer, of_layers};
use common::numbers::Numbers;
use common::run::{Leaves, run};
use xdnn_runtime::autodiff::vjp;
use xdnn_runtime::graph::{Loss, Value};
use xdnn_runtime::ir::layer::{
    Abs, Conv2d, Dropout, Flatten, LeakyRelu, Linear, MaxPool2d, Relu, Sign, SquaredRelu,
};
use xdnn_runtime::ir::{Combine, Layer, NetworkSpec, Operand, Shape};
use xdnn_runtime::ops::{Concat, Leaf, Map, Slopes};
use xdnn_runtime::{Error, Graph, Task};

const BATCH: usize = 3;
/// That of [`values`].
const STRENGTH: f64 = 0.75;

fn linear(out_features: usize) -> Layer {
    Linear {
        out_features,
        bias: false,
    }
    .into()
}

/// One logit, degree 1.
fn mlp() -> NetworkSpec {
    let layers = [
        linear(8),
        Relu {}.into(),
        Dropout { p: 0.5 }.into(),
        linear(5),
        LeakyRelu {
            negative_slope: 0.1,
        }
        .into(),
        linear(1),
    ];
    of_layers(layers, Shape::new([6])).unwrap()
}

/// Three classes, degree 2.
fn convolutional() -> NetworkSpec {
    let conv = Conv2d {
        out_channels: 4,
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
    let layers = [
        conv.into(),
        Relu {}.into(),
        pool.into(),
        Flatten {}.into(),
        linear(6),
        SquaredRelu {}.into(),
        linear(3),
    ];
    of_layers(layers, Shape::new([2, 4, 4])).unwrap()
}

/// Three classes at each of six positions.
fn positions() -> NetworkSpec {
    let conv = Conv2d {
        out_channels: 3,
        kernel: [1; 2],
        stride: [1; 2],
        padding: [0; 2],
        dilation: [1; 2],
        groups: 1,
        bias: false,
    };
    of_layers([conv.into(), Abs {}.into()], Shape::new([2, 2, 3])).unwrap()
}

/// Two inputs with one gradient: `relu(W·(x + y))`.
fn shared() -> NetworkSpec {
    let mut builder = Builder::new(&[Shape::new([4]), Shape::new([4])]);
    let inputs = [Operand::Input(0), Operand::Input(1)];
    let sum = builder.combine(Combine::Sum, &inputs).unwrap();
    let chain = [linear(6), Relu {}.into(), linear(1)];
    let head = builder.chain(sum, chain).unwrap();
    builder.finish(head)
}

/// The gradient of one input is computed from that of another: `W·(x + |V·y|)`.
fn behind() -> NetworkSpec {
    let mut builder = Builder::new(&[Shape::new([4]), Shape::new([3])]);
    let branch = [linear(4), Abs {}.into()];
    let branch = builder.chain(Operand::Input(1), branch).unwrap();
    let sum = builder.combine(Combine::Sum, &[Operand::Input(0), branch]);
    let head = builder.chain(sum.unwrap(), [linear(3)]).unwrap();
    builder.finish(head)
}

/// Products of inputs and of weights: degree 3.
fn cubic() -> NetworkSpec {
    let mut builder = Builder::new(&[Shape::new([4]), Shape::new([4])]);
    let (x, y) = (Operand::Input(0), Operand::Input(1));
    let a = builder.layer(linear(4), x).unwrap();
    let product = builder.combine(Combine::Product, &[a, y, x]).unwrap();
    let head = builder.layer(linear(3), product).unwrap();
    builder.finish(head)
}

/// `name: network, loss;`: the loss, the Gini coefficient and the gradients of a step are right.
macro_rules! priors {
    ($($name:ident: $spec:expr, $loss:ident;)*) => {$(
        #[test]
        fn $name() {
            check(&$spec, Loss::$loss);
        }
    )*};
}

priors! {
    one_logit: mlp(), BinaryCrossEntropy;
    classes: convolutional(), CrossEntropy;
    classes_of_positions: positions(), CrossEntropy;
    inputs_with_one_gradient: shared(), BinaryCrossEntropy;
    a_gradient_behind_another: behind(), CrossEntropy;
    products_of_inputs: cubic(), CrossEntropy;
}

fn check(spec: &NetworkSpec, loss: Loss) {
    let mut graph = Graph::build(spec, Task::TrainWithGini(loss), BATCH).unwrap();
    let mut leaves = values(&graph, &(-1.0..1.0), 5);
    if loss == Loss::CrossEntropy {
        let target = leaves.get_mut(&Leaf::Target).unwrap();
        target
            .iter_mut()
            .zip(0..)
            .for_each(|(t, i)| *t = f64::from(i * i % 3));
    }
    let results = run(&mut graph, &leaves);
    let [found, outputs, gini, gradients @ ..] = results.as_slice() else {
        unreachable!("a loss, outputs and a Gini coefficient")
    };
    close(
        found,
        &[naive_loss(loss, spec, outputs, &leaves[&Leaf::Target])],
        1e-13,
    );
    let (naive, of_pairs) = pairs(spec, loss, &leaves);
    close(gini, &[naive], 1e-13);
    for (found, expected) in gradients.iter().zip(&of_pairs) {
        assert!(largest(found) > 1e-3);
        close(found, expected, 1e-12);
    }
    differences(&mut graph, &leaves, gradients);
}

/// `loss − strength·Gini` along a direction in all weights at once.
fn differences(graph: &mut Graph, leaves: &Leaves, gradients: &[Vec<f64>]) {
    const STEP: f64 = 1.0 / 131_072.0;
    let mut at = |seed: u64, step: f64| {
        let (mut moved, mut numbers) = (leaves.clone(), Numbers::new(seed));
        let mut slope = 0.0;
        for (i, gradient) in gradients.iter().enumerate() {
            let direction = numbers.reals(gradient.len(), -1.0..1.0);
            let weight = moved.get_mut(&Leaf::Weight(i)).unwrap().iter_mut();
            for ((w, d), g) in weight.zip(direction).zip(gradient) {
                *w += step * d;
                slope += d * g;
            }
        }
        let results = run(graph, &moved);
        (results[0][0] - STRENGTH * results[2][0], slope)
    };
    for seed in 0..8 {
        let ((above, slope), (below, _)) = (at(seed, STEP), at(seed, -STEP));
        close(&[(above - below) / (2.0 * STEP)], &[slope], 1e-7);
    }
}

/// The losses as PyTorch's documentation states them.
fn naive_loss(loss: Loss, spec: &NetworkSpec, outputs: &[f64], targets: &[f64]) -> f64 {
    let losses: Vec<f64> = match loss {
        Loss::BinaryCrossEntropy => {
            let loss = |(z, y): (&f64, &f64)| {
                let p = 1.0 / (1.0 + (-z).exp());
                -y * p.ln() - (1.0 - y) * (1.0 - p).ln()
            };
            outputs.iter().zip(targets).map(loss).collect()
        }
        _ => {
            let (classes, positions) = (spec.output_shape().dim(0), targets.len() / BATCH);
            let loss = |(i, target): (usize, &f64)| {
                let (sample, position) = (i / positions, i % positions);
                let logit =
                    |class: usize| outputs[(sample * classes + class) * positions + position];
                let sum: f64 = (0..classes).map(|class| logit(class).exp()).sum();
                sum.ln() - logit(*target as usize)
            };
            targets.iter().enumerate().map(loss).collect()
        }
    };
    losses.iter().sum::<f64>() / losses.len() as f64
}

/// The Gini coefficient from pairs of elements of the mean of `|A|`, and the gradients of `loss − strength·Gini`.
fn pairs(spec: &NetworkSpec, loss: Loss, leaves: &Leaves) -> (f64, Vec<Vec<f64>>) {
    let mut graph = Graph::build(spec, Task::Train(loss), BATCH).unwrap();
    let (loss_value, output) = (graph.outputs()[0], graph.outputs()[1]);
    let of = |graph: &Graph, wanted: fn(&Leaf) -> bool| -> Vec<Value> {
        let leaves = graph.leaves().into_iter().filter(|(leaf, _)| wanted(leaf));
        leaves.map(|(_, value)| value).collect()
    };
    let inputs = of(&graph, |leaf| matches!(leaf, Leaf::Input(_)));
    let weights = of(&graph, |leaf| matches!(leaf, Leaf::Weight(_)));

    let chosen = graph.leaf(Leaf::Seed(0), output.shape()).unwrap();
    let gradients = vjp(&mut graph, &[(output, chosen)], &inputs).unwrap();
    let degree = spec.degree().unwrap().to_f64();
    let mut means = Vec::new();
    for (x, gradient) in inputs.iter().zip(gradients) {
        let product = graph.mul(*x, gradient).unwrap();
        let attribution = graph.scale(product, 1.0 / degree).unwrap();
        let sizes = graph
            .map(Map::PiecewiseLinear(Slopes::ABS), attribution)
            .unwrap();
        let sum = graph.sum(sizes, [0]).unwrap();
        let mean = graph.scale(sum, 1.0 / BATCH as f64).unwrap();
        let elements = Shape::new([mean.shape().elements()]);
        means.push(graph.reshape(mean, elements).unwrap());
    }
    let v = graph.apply(Concat { axis: 0 }, &means).unwrap();
    let n = v.shape().elements();

    // Σᵢⱼ |vᵢ − vⱼ| / (2n · Σᵢ vᵢ)
    let square = Shape::new([n, n]);
    let rows = graph.broadcast(v, [1], square).unwrap();
    let columns = graph.broadcast(v, [0], square).unwrap();
    let columns = graph.scale(columns, -1.0).unwrap();
    let differences = graph.add(rows, columns).unwrap();
    let differences = graph
        .map(Map::PiecewiseLinear(Slopes::ABS), differences)
        .unwrap();
    let differences = graph.sum(differences, [0, 1]).unwrap();
    let total = graph.sum(v, [0]).unwrap();
    let recip = graph.map(Map::Recip, total).unwrap();
    let ratio = graph.mul(differences, recip).unwrap();
    let gini = graph.scale(ratio, 0.5 / n as f64).unwrap();

    let pull = graph.constant(-STRENGTH, gini.shape()).unwrap();
    let one = graph.constant(1.0, loss_value.shape()).unwrap();
    let seeds = [(gini, pull), (loss_value, one)];
    let gradients = vjp(&mut graph, &seeds, &weights).unwrap();
    graph.set_outputs([vec![gini], gradients].concat());

    let mut leaves = leaves.clone();
    leaves.insert(
        Leaf::Seed(0),
        chosen_outputs(loss, output.shape(), &leaves[&Leaf::Target]),
    );
    let mut results = run(&mut graph, &leaves);
    let gradients = results.split_off(1);
    (results[0][0], gradients)
}

/// 1 at the logit of each target.
fn chosen_outputs(loss: Loss, shape: Shape, targets: &[f64]) -> Vec<f64> {
    let mut chosen = vec![0.0; shape.elements()];
    if loss == Loss::BinaryCrossEntropy {
        return vec![1.0; chosen.len()];
    }
    let (classes, positions) = (shape.dim(1), targets.len() / BATCH);
    for (i, target) in targets.iter().enumerate() {
        let (sample, position) = (i / positions, i % positions);
        chosen[(sample * classes + *target as usize) * positions + position] = 1.0;
    }
    chosen
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let gaps = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let (gap, scale) = (gaps.fold(0.0, f64::max), largest(expected));
    assert!(gap <= tolerance * scale, "{found:?} against {expected:?}");
}

/// Nothing is attributed: the Gini coefficient is 0, and nothing but the loss has a gradient.
#[test]
fn without_attributions_all_is_finite() {
    for loss in [Loss::BinaryCrossEntropy, Loss::CrossEntropy] {
        for zeros in [
            |leaf: &Leaf| matches!(leaf, Leaf::Weight(_)),
            |leaf: &Leaf| matches!(leaf, Leaf::Input(_)),
        ] {
            let mut graph = Graph::build(&mlp(), Task::TrainWithGini(loss), BATCH).unwrap();
            let mut leaves = values(&graph, &(-1.0..1.0), 5);
            let leaves_of = leaves.iter_mut().filter(|(leaf, _)| zeros(leaf));
            leaves_of.for_each(|(_, data)| data.fill(0.0));
            if loss == Loss::CrossEntropy {
                leaves.insert(Leaf::Target, vec![0.0; BATCH]);
            }
            let results = run(&mut graph, &leaves);
            let expected = [std::f64::consts::LN_2, 0.0][usize::from(loss == Loss::CrossEntropy)];
            assert!((results[0][0] - expected).abs() < 1e-15);
            assert_eq!(results[2], [0.0]);
            assert!(results[3..].iter().flatten().all(|g| *g == 0.0));
        }
    }
}

/// Two elements alike stay alike: at a tie, both are drawn the same way.
#[test]
fn ties_are_drawn_alike() {
    let spec = of_layer(linear(1), Shape::new([3])).unwrap();
    let task = Task::TrainWithGini(Loss::BinaryCrossEntropy);
    let mut graph = Graph::build(&spec, task, 1).unwrap();
    let leaves = [
        (Leaf::Input(0), vec![1.0, 1.0, 1.0]),
        (Leaf::Weight(0), vec![1.0, 1.0, 2.0]),
        (Leaf::Target, vec![0.0]),
        (Leaf::PriorStrength, vec![1e9]),
    ];
    let results = run(&mut graph, &leaves.into());
    // v = (1, 1, 2): Gini = 4/(2·3·4), and ∂Gini/∂v = (−1, −1, 2)/12 − 2/48.
    assert!((results[2][0] - 1.0 / 6.0).abs() < 1e-15);
    close(&results[3], &[1.25e8, 1.25e8, -1.25e8], 2e-8);
}

#[test]
fn a_network_of_degree_0_has_no_prior() {
    let spec = of_layers([linear(4), Sign {}.into()], Shape::new([4])).unwrap();
    let error = Graph::build(&spec, Task::TrainWithGini(Loss::CrossEntropy), 1).unwrap_err();
    assert!(matches!(error, Error::Degree { .. }), "{error}");
}

#[test]
fn binary_cross_entropy_is_of_one_logit() {
    for (shape, text) in [
        (Shape::new([3]), "(N, 3)"),
        (Shape::new([1, 2]), "(N, 1, 2)"),
        (Shape::new([]), "(N,)"),
    ] {
        let spec = of_layers([Relu {}.into()], shape).unwrap();
        for task in [Task::Train, Task::TrainWithGini] {
            let error = Graph::build(&spec, task(Loss::BinaryCrossEntropy), 2).unwrap_err();
            assert!(matches!(error, Error::NotOneLogit { .. }), "{error}");
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}

/// Logits that `exp` would overflow at.
#[test]
fn binary_cross_entropy_is_stable() {
    let spec = of_layer(linear(1), Shape::new([1])).unwrap();
    let task = Task::Train(Loss::BinaryCrossEntropy);
    let mut graph = Graph::build(&spec, task, 1).unwrap();
    let mut at = |z: f64, y: f64| {
        let leaves = [
            (Leaf::Input(0), vec![1.0]),
            (Leaf::Weight(0), vec![z]),
            (Leaf::Target, vec![y]),
        ];
        let results = run(&mut graph, &leaves.into());
        (results[0][0], results[2][0])
    };
    assert_eq!(at(1e4, 0.0), (1e4, 1.0));
    assert_eq!(at(-1e4, 1.0), (1e4, -1.0));
    assert_eq!(at(1e4, 1.0), (0.0, 0.0));
    assert_eq!(at(-1e4, 0.0), (0.0, 0.0));
    assert_eq!(at(0.0, 1.0), (std::f64::consts::LN_2, -0.5));
}

/// A Gini coefficient of many elements needs no pairs of them.
#[test]
fn the_graph_grows_with_the_elements_and_not_with_their_pairs() {
    let layers = [Flatten {}.into(), linear(1)];
    let spec = of_layers(layers, Shape::new([3, 100, 100])).unwrap();
    let task = Task::TrainWithGini(Loss::BinaryCrossEntropy);
    let graph = Graph::build(&spec, task, 2).unwrap();
    let sizes = graph
        .nodes()
        .unwrap()
        .into_iter()
        .map(|node| node.value.shape().elements());
    assert_eq!(sizes.max(), Some(2 * 30_000));
}
