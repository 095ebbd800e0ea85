//! Integrated Gradients where there is no closed form: other quadratures, other baselines.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod common;

use common::network::{Builder, of_layers};
use common::numbers::Numbers;
use ndarray::{ArrayD, IxDyn};
use xdnn_runtime::ir::layer::{Linear, Relu};
use xdnn_runtime::ir::{Combine, NetworkSpec, Operand, Shape};
use xdnn_runtime::{Attribution, Device, DynamicModel, IntegratedGradients, Quadrature, Target};

const ALL: [Quadrature; 5] = [
    Quadrature::GaussLegendre,
    Quadrature::Midpoint,
    Quadrature::Left,
    Quadrature::Right,
    Quadrature::Trapezoid,
];

const FEATURES: usize = 6;
const SAMPLES: usize = 4;

fn random(dims: &[usize], numbers: &mut Numbers) -> ArrayD<f64> {
    let values = numbers.reals(dims.iter().product(), -1.0..1.0);
    ArrayD::from_shape_vec(IxDyn(dims), values).unwrap()
}

fn model(spec: NetworkSpec) -> DynamicModel<f64> {
    let mut numbers = Numbers::new(11);
    let shapes: Vec<_> = spec.weights().iter().map(|weight| weight.shape).collect();
    let weights = shapes.iter().map(|s| random(s.dims(), &mut numbers));
    let weights = weights.collect();
    DynamicModel::new(spec, weights, Device::Reference).unwrap()
}

fn linear(out_features: usize) -> Linear {
    Linear {
        out_features,
        bias: false,
    }
}

/// The product of four linear maps: no kinks, and gradients of degree 3 along each path.
fn quartic() -> DynamicModel<f64> {
    let mut network = Builder::new(&[Shape::new([FEATURES])]);
    let factors: Vec<_> = (0..4)
        .map(|_| network.layer(linear(5), Operand::Input(0)).unwrap())
        .collect();
    let product = network.combine(Combine::Product, &factors).unwrap();
    let head = network.layer(linear(3), product).unwrap();
    model(network.finish(head))
}

/// Two layers of ReLUs: gradients jump along a path.
fn kinked() -> DynamicModel<f64> {
    let layers = [
        linear(16).into(),
        Relu {}.into(),
        linear(16).into(),
        Relu {}.into(),
        linear(3).into(),
    ];
    model(of_layers(layers, Shape::new([FEATURES])).unwrap())
}

fn samples() -> ArrayD<f64> {
    random(&[SAMPLES, FEATURES], &mut Numbers::new(5))
}

fn baseline() -> ArrayD<f64> {
    random(&[FEATURES], &mut Numbers::new(6))
}

fn integrate(model: &DynamicModel<f64>, method: &IntegratedGradients<f64>) -> Attribution<f64> {
    model
        .integrated_gradients(&samples(), Target::Class(1), method)
        .unwrap()
}

/// The largest difference, relative to the largest value of `b`.
fn distance(a: &Attribution<f64>, b: &Attribution<f64>) -> f64 {
    let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
    let (a, b) = (a.values(), b.values());
    let gap = largest(&mut a.iter().zip(&b).map(|(a, b)| (a - b).abs()));
    gap / largest(&mut b.iter().map(|b| b.abs()))
}

#[test]
fn the_weights_of_every_quadrature_add_up_to_one() {
    // The gradient of a linear map is the same everywhere, so its mean is itself.
    let model = model(of_layers([linear(3).into()], Shape::new([FEATURES])).unwrap());
    let exact = model.attribute(&samples(), Target::Class(1)).unwrap();
    for quadrature in ALL {
        for steps in [2, 3, 10, 127, 1000] {
            let method = IntegratedGradients::new(steps).quadrature(quadrature);
            let gap = distance(&integrate(&model, &method), &exact);
            assert!(gap < 1e-13, "{quadrature:?}, {steps} steps: {gap:e}");
        }
    }
    let one = IntegratedGradients::new(1);
    assert!(distance(&integrate(&model, &one), &exact) < 1e-13);
}

#[test]
fn two_points_of_gauss_and_legendre_integrate_cubic_gradients_exactly() {
    let model = quartic();
    for method in [
        IntegratedGradients::new(2),
        IntegratedGradients::new(2).baseline([baseline()]),
    ] {
        let attribution = integrate(&model, &method);
        assert!(attribution.completeness_gap() < 1e-12);
    }
    let one = integrate(&model, &IntegratedGradients::new(1));
    assert!(one.completeness_gap() > 0.1);
}

/// Twice the steps halve the error of a sum at one end of each step and quarter that of the others (the terms of the
/// Euler–Maclaurin formula; 5 percent for those of higher order).
#[test]
fn riemann_sums_converge_with_their_order() {
    let model = quartic();
    for from in [None, Some(baseline())] {
        let of = |quadrature, steps| {
            let method = IntegratedGradients::new(steps).quadrature(quadrature);
            integrate(&model, &method.baseline(from.clone()))
        };
        let exact = of(Quadrature::GaussLegendre, 2);
        for (quadrature, few, many, expected) in [
            (Quadrature::Left, 200, 400, 2.0),
            (Quadrature::Right, 200, 400, 2.0),
            (Quadrature::Midpoint, 200, 400, 4.0),
            (Quadrature::Trapezoid, 201, 401, 4.0),
        ] {
            let error = |steps| distance(&of(quadrature, steps), &exact);
            let (before, after) = (error(few), error(many));
            assert!(before < 0.05, "{quadrature:?}: {before:e}");
            let order = before / after;
            assert!(
                (order / expected - 1.0).abs() < 0.05,
                "{quadrature:?}: {before:e} to {after:e}"
            );
        }
    }
}

/// From a baseline that is not zero there is no closed form even for homogeneous networks, and at most one step of `n` is
/// wrong for each kink on the path.
#[test]
fn attributions_from_other_baselines_become_complete() {
    let model = kinked();
    let each = random(&[SAMPLES, FEATURES], &mut Numbers::new(7));
    for from in [baseline(), each] {
        for quadrature in ALL {
            let gap = |steps| {
                let method = IntegratedGradients::new(steps).quadrature(quadrature);
                integrate(&model, &method.baseline([from.clone()])).completeness_gap()
            };
            let (coarse, fine) = (gap(16), gap(4096));
            assert!(coarse > 1e-6, "{quadrature:?}: {coarse:e}");
            assert!(
                fine < 1e-2 && fine < coarse / 10.0,
                "{quadrature:?}: {coarse:e} to {fine:e}"
            );
        }
    }
}

#[test]
fn a_zero_baseline_is_the_default_and_batches_do_not_matter() {
    let model = kinked();
    let default = integrate(&model, &IntegratedGradients::new(7));
    let zero = IntegratedGradients::new(7).baseline([ArrayD::zeros(IxDyn(&[FEATURES]))]);
    assert_eq!(integrate(&model, &zero).values(), default.values());
    for batch in [0, 1, 5, 1000] {
        let method = IntegratedGradients::new(7).batch(batch);
        assert!(distance(&integrate(&model, &method), &default) < 1e-14);
    }
}

#[test]
fn what_is_explained_is_the_difference_to_the_baseline() {
    let model = kinked();
    let method = IntegratedGradients::new(64).baseline([baseline()]);
    let attribution = integrate(&model, &method);
    let dims = [&[1], baseline().shape()].concat();
    let start = model.forward(&baseline().into_shape_with_order(dims).unwrap());
    let (end, start) = (model.forward(&samples()).unwrap(), start.unwrap());
    for (n, explained) in attribution.explained().iter().enumerate() {
        assert_eq!(*explained, end[[n, 1]] - start[[0, 1]]);
    }
}
