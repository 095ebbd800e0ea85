//! What every network promises: `F(a·x) = a^k·F(x)`, `Σ x·∂F = k·F`, `F(0) = 0`, and the X-Gradient is the Integrated
//! Gradients from zero.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod common;

use std::collections::BTreeSet;

use common::derivative::largest;
use common::numbers::Numbers;
use common::random_network::random_network;
use common::run::{Leaves, run};
use ndarray::{ArrayD, IxDyn};
use xdnn_runtime::ir::{Degree, NetworkSpec};
use xdnn_runtime::ops::Leaf;
use xdnn_runtime::{Device, DynamicModel, Graph, Inputs, IntegratedGradients, Target, Task};

const NETWORKS: u64 = 400;

/// Factors of no special form: none is a power of two, which would scale without rounding.
const FACTORS: [f64; 7] = [1.1e-3, 0.013, 0.3, 3.1, 27.0, 310.0, 999.0];

/// A network of up to 14 steps and degree 4 rounds each result some hundreds of times by 2⁻⁵³ ≈ 1.1e-16, relative to sums
/// of absolute products, and those exceed what is left of them where terms cancel. The worst of these networks stays
/// below 1e-13; the rest is room for other libraries of elementary functions. A wrong power of `a` is off by 10 percent.
const TOLERANCE: f64 = 1e-12;

fn weights(spec: &NetworkSpec, numbers: &mut Numbers) -> Leaves {
    let weight = |(i, shape): (usize, xdnn_runtime::ir::Shape)| {
        let bound = (3.0 / (shape.elements() / shape.dim(0)) as f64).sqrt(); // variance 1 / fan-in
        (
            Leaf::Weight(i),
            numbers.reals(shape.elements(), -bound..bound),
        )
    };
    let shapes = spec.weights().iter().map(|weight| weight.shape);
    shapes.enumerate().map(weight).collect()
}

/// One sample of each input.
fn sample(spec: &NetworkSpec, numbers: &mut Numbers) -> Vec<Vec<f64>> {
    let inputs = spec.inputs().iter();
    inputs
        .map(|input| numbers.reals(input.shape.elements(), -1.0..1.0))
        .collect()
}

/// The sample times each factor, as a batch.
fn batch(sample: &[Vec<f64>], factors: &[f64]) -> Leaves {
    let scaled = |x: &Vec<f64>| {
        factors
            .iter()
            .flat_map(|a| x.iter().map(move |x| a * x))
            .collect()
    };
    let inputs = sample.iter().enumerate();
    inputs.map(|(i, x)| (Leaf::Input(i), scaled(x))).collect()
}

#[test]
fn networks_scale_with_their_degree_and_vanish_at_zero() {
    let mut degrees = BTreeSet::new();
    let mut alive = 0;
    for seed in 0..NETWORKS {
        let spec = random_network(seed);
        let mut numbers = Numbers::new(seed ^ 0xF00D);
        let mut leaves = weights(&spec, &mut numbers);
        let factors = [&[1.0, 0.0], &FACTORS[..]].concat();
        leaves.extend(batch(&sample(&spec, &mut numbers), &factors));
        let mut graph = Graph::build(&spec, Task::Forward, factors.len()).unwrap();
        let output = run(&mut graph, &leaves).remove(0);
        let mut rows = output.chunks(spec.output_shape().elements());
        let (at_x, at_zero) = (rows.next().unwrap(), rows.next().unwrap());
        assert!(at_zero.iter().all(|y| *y == 0.0), "network {seed}: {spec}");
        let k = spec.degree().unwrap();
        for (a, row) in FACTORS.iter().zip(rows) {
            let power = a.powf(k.to_f64());
            for (scaled, y) in row.iter().zip(at_x) {
                let gap = (scaled - power * y).abs();
                assert!(
                    gap <= TOLERANCE * power * largest(at_x),
                    "network {seed}, a = {a}, k = {k}: {spec}"
                );
            }
        }
        alive += u64::from(largest(at_x) > 0.0);
        degrees.insert(k.numerator());
    }
    assert_eq!(degrees, BTreeSet::from([1, 2, 3, 4]));
    assert!(
        alive * 10 > NETWORKS * 9,
        "only {alive} networks have an output that is not 0"
    );
}

#[test]
fn attributions_are_complete() {
    const SAMPLES: usize = 3;
    let mut alive = 0;
    for seed in 0..NETWORKS {
        let spec = random_network(seed);
        let mut numbers = Numbers::new(seed ^ 0xBEEF);
        let mut leaves = weights(&spec, &mut numbers);
        let samples: Vec<_> = (0..SAMPLES).map(|_| sample(&spec, &mut numbers)).collect();
        for i in 0..spec.inputs().len() {
            let of_input: Vec<_> = samples.iter().map(|sample| sample[i].as_slice()).collect();
            leaves.insert(Leaf::Input(i), of_input.concat());
        }
        let size = spec.output_shape().elements();
        let targets: Vec<f64> = (0..SAMPLES).map(|_| numbers.below(size) as f64).collect();
        leaves.insert(Leaf::Target, targets.clone());
        let mut graph = Graph::build(&spec, Task::Gradient, SAMPLES).unwrap();
        let gradients = run(&mut graph, &leaves);
        let mut graph = Graph::build(&spec, Task::Attribute, SAMPLES).unwrap();
        let attributions = run(&mut graph, &leaves);
        assert_eq!(gradients[0], attributions[0]);
        for (n, target) in targets.iter().enumerate() {
            let output = attributions[0][n * size + *target as usize];
            let of_sample = |all: &[Vec<f64>]| -> Vec<f64> {
                let inputs = all[1..].iter().zip(&samples[n]);
                inputs
                    .flat_map(|(all, x)| all[n * x.len()..][..x.len()].to_vec())
                    .collect()
            };
            let attribution = of_sample(&attributions);
            let scale: f64 = attribution.iter().map(|a| a.abs()).sum();
            let gap = attribution.iter().sum::<f64>() - output;
            assert!(
                gap.abs() <= TOLERANCE * scale,
                "network {seed}, sample {n}: {gap} of {scale}: {spec}"
            );
            let x = samples[n].concat();
            let euler: f64 = x
                .iter()
                .zip(of_sample(&gradients))
                .map(|(x, g)| x * g)
                .sum();
            let expected = spec.degree().unwrap().to_f64() * output;
            assert!(
                (euler - expected).abs() <= TOLERANCE * spec.degree().unwrap().to_f64() * scale,
                "network {seed}: {spec}"
            );
            alive += usize::from(output != 0.0);
        }
    }
    assert!(
        alive * 10 > NETWORKS as usize * SAMPLES * 8,
        "only {alive} outputs are not 0"
    );
}

/// `N` samples of each input and the weights, all of them `f32` numbers, so that both precisions start from the same.
fn arrays(spec: &NetworkSpec, seed: u64) -> [Vec<ArrayD<f64>>; 2] {
    const SAMPLES: usize = 3;
    let mut numbers = Numbers::new(seed);
    let mut array = |dims: Vec<usize>, bound: f64| {
        let values = numbers.reals(dims.iter().product(), -bound..bound);
        let values = values.into_iter().map(|x| f64::from(x as f32)).collect();
        ArrayD::from_shape_vec(IxDyn(&dims), values).unwrap()
    };
    let weights = spec.weights().iter().map(|weight| {
        let fan_in = weight.shape.elements() / weight.shape.dim(0);
        array(weight.shape.dims().to_vec(), (3.0 / fan_in as f64).sqrt())
    });
    let weights = weights.collect();
    let inputs = spec.inputs().iter().map(|input| {
        let dims = [&[SAMPLES], input.shape.dims()].concat();
        array(dims, 1.0)
    });
    [weights, inputs.collect()]
}

/// Proposition 3.2 of Hesse, Schaub-Meyer and Roth (2021). The integrand is `α^(k−1) · ∂F(x)/∂x`, a polynomial in `α`,
/// which Gauss and Legendre integrate exactly from `k/2` points on.
#[test]
fn x_gradients_are_the_integrated_gradients_from_zero() {
    let mut degrees = BTreeSet::new();
    for seed in 0..NETWORKS / 2 {
        let spec = random_network(seed);
        let [weights, inputs] = arrays(&spec, seed ^ 0xA77);
        let model = DynamicModel::<f64>::new(spec.clone(), weights, Device::Reference).unwrap();
        let inputs = Inputs::from_views(inputs.iter().map(|input| input.view()));
        let x_gradient = model.attribute(inputs.clone(), Target::Predicted).unwrap();
        let k = spec.degree().unwrap().to_f64();
        let method = IntegratedGradients::new((k / 2.0).ceil() as usize);
        let integrated = model
            .integrated_gradients(inputs, Target::Predicted, &method)
            .unwrap();
        assert_eq!(x_gradient.targets(), integrated.targets());
        for ((name, a), (_, b)) in x_gradient.iter().zip(integrated.iter()) {
            let scale = a.iter().fold(0.0, |max: f64, a| max.max(a.abs()));
            let gap = a.iter().zip(b).map(|(a, b)| (a - b).abs());
            let gap = gap.fold(0.0, f64::max);
            assert!(
                gap <= 1e-10 * scale,
                "network {seed}, {name}: {gap:e} of {scale:e}: {spec}"
            );
        }
        degrees.insert(spec.degree().unwrap().numerator());
    }
    assert_eq!(degrees, BTreeSet::from([1, 2, 3, 4]));
}

/// `f32` rounds by 2⁻²⁴ ≈ 6e-8. Some hundreds of roundings, enlarged where terms cancel, reach 3e-6 of the largest value in
/// the worst of these networks; the rest is room for processors that add in another order. A wrong formula is off by
/// percents. No maximum or sign is so undecided here that the precisions disagree on it.
#[test]
fn the_processor_in_f32_agrees_with_the_reference_in_f64() {
    for seed in 0..NETWORKS {
        let spec = random_network(seed);
        let [weights, inputs] = arrays(&spec, seed ^ 0xF32);
        let narrow = |arrays: &[ArrayD<f64>]| -> Vec<_> {
            arrays
                .iter()
                .map(|array| array.mapv(|x| x as f32))
                .collect()
        };
        let (narrow_weights, narrow_inputs) = (narrow(&weights), narrow(&inputs));
        let wide = DynamicModel::<f64>::new(spec.clone(), weights, Device::Reference).unwrap();
        let fast = DynamicModel::<f32>::new(spec.clone(), narrow_weights, Device::Cpu).unwrap();
        let inputs = Inputs::from_views(inputs.iter().map(|input| input.view()));
        let expected = wide.attribute(inputs, Target::Predicted).unwrap();
        let inputs = Inputs::from_views(narrow_inputs.iter().map(|input| input.view()));
        let found = fast.attribute(inputs, Target::Predicted).unwrap();
        assert_eq!(
            found.targets(),
            expected.targets(),
            "network {seed}: {spec}"
        );
        let outputs = (expected.outputs(), found.outputs());
        let pairs = expected.iter().zip(found.iter());
        for (b, a) in pairs.map(|((_, b), (_, a))| (b, a)).chain([outputs]) {
            let scale = b.iter().fold(0.0, |max: f64, b| max.max(b.abs()));
            let gap = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - b).abs());
            let gap = gap.fold(0.0, f64::max);
            assert!(
                gap <= 2e-5 * scale,
                "network {seed}: {gap:e} of {scale:e}: {spec}"
            );
        }
    }
}

/// What the tests above run through: every layer, every combination, every number of inputs.
#[test]
fn random_networks_are_of_every_kind() {
    let mut kinds = BTreeSet::new();
    let mut inputs = BTreeSet::new();
    let mut deepest = 0;
    for seed in 0..NETWORKS {
        let spec = random_network(seed);
        kinds.extend(spec.nodes().iter().map(|node| node.operation.name()));
        inputs.insert(spec.inputs().len());
        deepest = deepest.max(spec.nodes().len());
        assert!(
            spec.degree().unwrap().is_positive()
                && spec.degree().unwrap().to_f64() <= Degree::integer(4).to_f64()
        );
        assert_eq!(spec, random_network(seed));
    }
    let layers = xdnn_runtime::ir::Layer::SIGNATURES
        .iter()
        .map(|signature| signature.name);
    let combinations = xdnn_runtime::ir::Combine::ALL.map(xdnn_runtime::ir::Combine::name);
    let missing: Vec<_> = layers
        .chain(combinations)
        .filter(|name| !kinds.contains(name))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
    assert_eq!(inputs, BTreeSet::from([1, 2, 3]));
    assert!(deepest >= 12, "{deepest}");
}
