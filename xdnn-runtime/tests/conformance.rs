//! The networks of ONNX's operator tests, on each backend against the reference; `cargo xtask conformance` compares with ONNX's own
//! results. `cargo xtask conformance --declare xdnn-runtime/tests/conformance/networks.txt` makes the list.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing helper is a failing test"
)]

mod common;

use common::numbers::Numbers;
use ndarray::{ArrayD, ArrayViewD, Axis, Dimension, IxDyn};
use rayon::prelude::*;
use xdnn_runtime::ir::{NetworkSpec, Shape};
use xdnn_runtime::{Device, DynamicModel, Error, Inputs, Precision, Target};

/// How far a result may be off, relative to the largest.
const TOLERANCE: f64 = 1e-5;

/// A network of a test, and what it is given.
struct Trial {
    /// The line above its declaration.
    name: &'static str,
    spec: NetworkSpec,
    weights: Vec<ArrayD<f32>>,
    inputs: Vec<ArrayD<f32>>,
}

impl Trial {
    fn new(name: &'static str, declaration: &str, seed: u64) -> Self {
        let spec = xdnn_syntax::check_str(declaration);
        let spec = spec.unwrap_or_else(|errors| panic!("{name}\n{errors}"));
        let (_, samples) = name.split_once("samples: ").unwrap();
        let samples: usize = samples.parse().unwrap();
        let mut numbers = Numbers::new(seed);
        let mut draw = |batch: Option<usize>, shape: &Shape| {
            let dims: Vec<usize> = batch.into_iter().chain(shape.dims().to_vec()).collect();
            let drawn = numbers.reals(dims.iter().product(), -1.0..1.0);
            let drawn = drawn.into_iter().map(|x| x as f32).collect();
            ArrayD::from_shape_vec(IxDyn(&dims), drawn).unwrap()
        };
        let inputs = spec.inputs().iter();
        let inputs = inputs
            .map(|input| draw(Some(samples), &input.shape))
            .collect();
        let weights = spec.weights().iter();
        let weights = weights.map(|weight| draw(None, &weight.shape)).collect();
        Self {
            name,
            spec,
            weights,
            inputs,
        }
    }

    /// Outputs, and attributions where there are any, on a device and on the reference in double precision.
    fn assert_agrees(&self, device: Device) {
        let doubled = |arrays: &[ArrayD<f32>]| -> Vec<ArrayD<f64>> {
            arrays.iter().map(|array| array.mapv(f64::from)).collect()
        };
        let reference =
            DynamicModel::new(self.spec.clone(), doubled(&self.weights), Device::Reference);
        let reference = reference.unwrap();
        let model = DynamicModel::new(self.spec.clone(), self.weights.clone(), device).unwrap();
        let model = model.with_precision(Precision::Strict);
        let exact_inputs = doubled(&self.inputs);
        let exact = || Inputs::from_views(exact_inputs.iter().map(|input| input.view()));
        let inputs = || Inputs::from_views(self.inputs.iter().map(|input| input.view()));

        let expected = reference.forward(exact()).unwrap();
        let found = model.forward(inputs()).unwrap();
        self.assert_near(found.view(), expected.view(), device);

        // The largest output of the first sample: one that a ReLU or a window of padding makes 0 shows nothing.
        let first = expected.index_axis(Axis(0), 0);
        let largest = first.indexed_iter().max_by(|(_, a), (_, b)| a.total_cmp(b));
        let target = largest.unwrap().0;
        let target = Target::Output(target.slice());
        let expected = match reference.attribute(exact(), target) {
            Err(Error::NotHomogeneous { .. } | Error::Degree { .. }) => return,
            expected => expected.unwrap(),
        };
        let found = model.attribute(inputs(), target).unwrap();
        for ((_, found), (_, expected)) in found.iter().zip(expected.iter()) {
            self.assert_near(found, expected, device);
        }
    }

    #[track_caller]
    fn assert_near(
        &self,
        found: ArrayViewD<'_, f32>,
        expected: ArrayViewD<'_, f64>,
        device: Device,
    ) {
        assert_eq!(found.shape(), expected.shape(), "{}", self.name);
        let finite = expected.iter().filter(|x| x.is_finite());
        let largest = finite.fold(0.0_f64, |largest, x| largest.max(x.abs()));
        for ((index, found), expected) in found.indexed_iter().zip(expected) {
            let found = f64::from(*found);
            let near = (found - expected).abs() <= TOLERANCE * largest;
            let same = found == *expected || found.is_nan() && expected.is_nan();
            let context = format!("{} on {device}, at {index:?}", self.name);
            assert!(near || same, "{found} instead of {expected}: {context}");
        }
    }
}

fn trials() -> Vec<Trial> {
    let list = include_str!("conformance/networks.txt").split("\n\n");
    let networks = list.filter_map(|entry| entry.strip_prefix("// ")?.split_once('\n'));
    let networks = networks.filter(|(name, _)| name.contains("samples: "));
    let trials = networks.zip(0..);
    let trials: Vec<Trial> = trials
        .map(|((name, declaration), seed)| Trial::new(name, declaration, seed))
        .collect();
    assert!(trials.len() > 250, "{} networks", trials.len());
    trials
}

#[test]
fn the_processor_computes_what_the_reference_does() {
    for trial in trials() {
        trial.assert_agrees(Device::Cpu);
    }
}

#[cfg(feature = "cuda")]
#[test]
fn a_gpu_computes_what_the_reference_does() {
    if std::env::var_os("XDNN_TEST_GPU").is_none() {
        xdnn_cuda_mock::install().unwrap();
    }
    // A program takes longer to compile than to run.
    let trials = trials();
    trials
        .par_iter()
        .for_each(|trial| trial.assert_agrees(Device::Cuda(0)));
}
