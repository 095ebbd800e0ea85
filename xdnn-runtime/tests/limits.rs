//! Descriptions that no macro has checked, and sizes at the edge of what numbers can count.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod common;

use std::borrow::Cow;

use common::network::Builder;
use ndarray::{Array2, Array4};
use xdnn_runtime::graph::Loss;
use xdnn_runtime::ir::layer::{AvgPool1d, Interpolation, Upsample};
use xdnn_runtime::ir::{Combine, Degree, Input, Node, Operand, Operation, Shape};
use xdnn_runtime::{Device, DynamicModel, Error, Graph, Target, Task};

const X: Operand = Operand::Input(0);

#[test]
fn an_input_that_holds_nothing_is_refused() {
    let mut spec = Builder::new(&[Shape::new([2, 4])]).finish(X);
    spec.inputs = Cow::Owned(vec![Input {
        name: "x".into(),
        shape: Shape::new([2, 0]),
    }]);
    assert!(matches!(
        Graph::build(&spec, Task::Forward, 1),
        Err(Error::Graph(_))
    ));
    assert!(matches!(
        DynamicModel::<f32>::new(spec, vec![], Device::Cpu),
        Err(Error::Graph(_))
    ));
}

#[test]
fn a_node_that_breaks_a_rule_is_refused_before_it_is_built() {
    let mut spec = Builder::new(&[Shape::new([1, 4])]).finish(Operand::Node(0));
    let pool = AvgPool1d {
        kernel: 1,
        stride: None,
        padding: 3,
        ceil_mode: false,
        count_include_pad: false,
    };
    spec.nodes = Cow::Owned(vec![Node {
        path: "".into(),
        operation: Operation::Layer(pool.into()),
        operands: Cow::Owned(vec![X]),
        shape: Shape::new([1, 10]),
        degree: Some(Degree::ONE),
        weights: 0..0,
    }]);
    assert!(matches!(
        Graph::build(&spec, Task::Forward, 1),
        Err(Error::Rule { .. })
    ));
}

#[test]
fn more_values_than_a_byte_counts_are_concatenated() {
    let mut network = Builder::new(&[Shape::new([2])]);
    let output = network.combine(Combine::Concat, &[X; 300]).unwrap();
    let model = DynamicModel::<f32>::new(network.finish(output), vec![], Device::Cpu).unwrap();
    let y = model
        .forward(&Array2::from_shape_vec((1, 2), vec![3.0, 4.0]).unwrap())
        .unwrap();
    assert_eq!(y.shape(), [1, 600]);
    assert!(y.iter().zip([3.0, 4.0].iter().cycle()).all(|(a, b)| a == b));
}

#[test]
fn an_index_that_f32_would_round_is_no_target_in_f32() {
    let mut network = Builder::new(&[Shape::new([1, 1, 1])]);
    let enlarge = Upsample {
        scale_factor: [5000, 5000],
        mode: Interpolation::Nearest,
        align_corners: false,
    };
    let output = network.layer(enlarge, X).unwrap();
    let model = DynamicModel::<f32>::new(network.finish(output), vec![], Device::Cpu).unwrap();
    let pixel = Array4::from_elem((1, 1, 1, 1), 1.0);
    let error = model
        .attribute(&pixel, Target::Output(&[0, 4999, 4999]))
        .unwrap_err();
    assert!(
        matches!(error, Error::Option { name: "target", .. }),
        "{error}"
    );
}

#[test]
fn a_model_forgets_programs_and_compiles_them_again() {
    let mut network = Builder::new(&[Shape::new([2])]);
    let output = network.combine(Combine::Sum, &[X, X]).unwrap();
    let model = DynamicModel::<f32>::new(network.finish(output), vec![], Device::Cpu).unwrap();
    for batch in (1..40).chain([1, 39, 1]) {
        let y = model.forward(&Array2::from_elem((batch, 2), 1.5)).unwrap();
        assert!(y.shape() == [batch, 2] && y.iter().all(|value| *value == 3.0));
    }
}

#[test]
fn a_number_has_no_cross_entropy() {
    let spec = Builder::new(&[Shape::new([])]).finish(X);
    let error = Graph::build(&spec, Task::Train(Loss::CrossEntropy), 1).unwrap_err();
    assert!(matches!(error, Error::NotClasses { .. }), "{error}");
}

/// No stand-in for CUDA is loaded here, so that a machine without a GPU has none.
#[cfg(feature = "luminal-cuda")]
#[test]
fn what_luminal_cuda_lacks_is_named() {
    let spec = Builder::new(&[Shape::new([2])]).finish(X);
    let model = DynamicModel::<f32>::new(spec, vec![], Device::LuminalCuda(0)).unwrap();
    let prepared = model.prepare(Task::Forward, 1);
    match (prepared, xdnn_cuda_link::probe()) {
        (Err(Error::Device { device, cause }), Err(missing)) => {
            assert_eq!(device, "luminal-cuda:0");
            assert_eq!(cause, missing.to_string());
        }
        (prepared, probe) => assert!(prepared.is_ok() && probe.is_ok(), "{prepared:?}, {probe:?}"),
    }
}
