//! `#[regular]` networks have all that other networks have, but no `attribute`.

#![allow(clippy::panic, clippy::unwrap_used)]

use ndarray::{Array1, Array2, ArrayD, Axis};
use xdnn::prelude::*;
use xdnn::{DynamicModel, Error, Parameters};

mod lints {
    #![deny(warnings, missing_docs, clippy::all, clippy::pedantic)]

    xdnn::network! {
        /// Its expansion causes no warnings.
        #[regular]
        pub struct Regular(x: [4]) -> [2] { fc: Linear(2); }
    }

    xdnn::network! {
        #[regular]
        #[cfg(any())]
        struct Absent(x: [4]) -> [2] { fc: Linear(2); }
    }
}

network! {
    /// Biases, on all layers but one.
    #[regular]
    struct Biased(image: [1, 6, 6]) -> [3] {
        conv: Conv2d(4, kernel = 3) -> Relu -> MaxPool2d(2);
        Reshape(4, 4) -> line: Conv1d(4, kernel = 3, padding = 1, bias = false) -> Relu;
        rows: Linear(5) -> Relu;
        Flatten -> head: Linear(3);
    }
}

network! {
    /// Degrees 1 and 2 in one sum, behind a homogeneous beginning.
    #[regular]
    struct Mixed(x: [4]) -> [4] {
        first: Linear(4, bias = false) -> Abs;
        second: { residual { product(a: Linear(4, bias = false), b: Linear(4, bias = false)); } }
    }
}

network! {
    /// The same as any other network but for the word in front.
    #[regular]
    struct Homogeneous(x: [4]) -> [2] { head: Linear(2, bias = false); }
}

fn images(samples: usize) -> ndarray::Array4<f32> {
    ndarray::Array4::from_shape_fn((samples, 1, 6, 6), |(n, _, h, w)| {
        ((n * 37 + h * 6 + w) as f32 * 0.7).sin()
    })
}

#[test]
fn layers_have_biases_unless_they_say_otherwise() {
    let names: Vec<_> = Biased::WEIGHTS.iter().map(|weight| &*weight.name).collect();
    assert_eq!(
        names,
        [
            "conv.weight",
            "conv.bias",
            "line.weight",
            "rows.weight",
            "rows.bias",
            "head.weight",
            "head.bias"
        ]
    );
    let network = Biased::init(Seed(1));
    let bias = network.conv.bias.as_ref().unwrap();
    assert_eq!(bias.as_slice(), [0.0; 4]);
    assert!(network.line.bias.is_none());
    assert_eq!(lints::Regular::WEIGHTS.len(), 2);
    assert_eq!(Biased::SPEC.degree(), None);
    assert_eq!(Homogeneous::SPEC.degree(), Some(Degree::ONE));
}

#[test]
fn a_bias_is_added_to_each_channel_and_each_feature() {
    let mut network = Biased::init(Seed(1));
    network.visit_mut(&mut |weight| weight.into_slice().fill(0.0));
    network.conv.bias.as_mut().unwrap().view_mut()[2] = 3.0;
    network.line.weight.view_mut()[[1, 2, 1]] = 2.0;
    network.rows.weight.view_mut().fill(1.0);
    network.rows.bias.as_mut().unwrap().view_mut()[4] = -1.0;
    network.head.weight.view_mut().fill(1.0);
    network
        .head
        .bias
        .as_mut()
        .unwrap()
        .assign(&Array1::from_vec(vec![0.0, 10.0, 20.0]))
        .unwrap();
    // Line 1 is 6 everywhere, and so its features are 4 · 6, one of them less 1; those of the others are 0 and −1 → 0.
    let expected = 5.0 * 24.0 - 1.0;
    for device in [Device::Cpu, Device::Reference] {
        let output = network
            .compile(device)
            .unwrap()
            .forward(&images(2))
            .unwrap();
        let row = [expected, expected + 10.0, expected + 20.0];
        assert_eq!(output, ndarray::arr2(&[row, row]).into_dyn());
    }
}

#[test]
fn integrated_gradients_add_up_to_the_difference_from_the_baseline() {
    let mut network = Biased::init(Seed(1));
    network.visit_mut(&mut |weight| {
        if weight.name.ends_with("bias") {
            weight.into_slice().fill(0.2);
        }
    });
    let model = network.compile_f64().unwrap();
    let x = images(2).mapv(f64::from);
    let method = IntegratedGradients::new(4000);
    let found = model
        .integrated_gradients(&x, Target::Class(1), &method)
        .unwrap();
    let (at_x, at_zero) = (
        model.forward(&x).unwrap(),
        model.forward(&(&x * 0.0)).unwrap(),
    );
    for n in 0..2 {
        let values = found.values().index_axis_move(Axis(0), n);
        let (sum, scale) = (values.sum(), values.mapv(f64::abs).sum());
        let difference = at_x[[n, 1]] - at_zero[[n, 1]];
        assert!(at_zero[[n, 1]].abs() > 0.1, "the biases do nothing");
        // The gradient jumps along the path, so that the quadrature is off by the weight of some of its points.
        assert!(
            (sum - difference).abs() < 1e-3 * scale,
            "{sum} is not {difference}"
        );
    }
}

#[test]
fn biases_are_trained_saved_and_loaded() {
    let (x, classes) = (images(12), (0..12).map(|n| n % 3).collect::<Vec<_>>());
    let network = Biased::init(Seed(1));
    let mut trainer = Trainer::new(
        &network,
        Device::Cpu,
        Loss::CrossEntropy,
        Adam::new(0.01),
        Seed(1),
    )
    .unwrap();
    let losses: Vec<f32> = (0..150)
        .map(|_| trainer.step(&x, &classes).unwrap().loss)
        .collect();
    assert!(losses[149] < 0.5 * losses[0], "{losses:?}");
    let trained = trainer.network().unwrap();
    assert_ne!(trained.head.bias.as_ref().unwrap().as_slice(), [0.0; 3]);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("biased.safetensors");
    trained.save(&path).unwrap();
    let loaded = Biased::load(&path).unwrap();
    let output = |network: &Biased| network.compile(Device::Cpu).unwrap().forward(&x).unwrap();
    assert_eq!(output(&loaded), output(&trained));
}

#[test]
fn at_run_time_the_first_node_that_breaks_homogeneity_is_named() {
    fn text<N: Network>(input: ArrayD<f32>) -> String {
        let weights = N::WEIGHTS
            .iter()
            .map(|weight| ArrayD::zeros(weight.shape.dims()));
        let model = DynamicModel::new(N::SPEC.clone(), weights.collect(), Device::Cpu).unwrap();
        let error = model.attribute(&input, Target::Predicted).unwrap_err();
        assert!(matches!(error, Error::NotHomogeneous { .. }));
        let prior = Task::TrainWithGini(Loss::CrossEntropy);
        let refused = model.prepare(prior, 1).unwrap_err();
        assert_eq!(refused.to_string(), error.to_string());
        error.to_string()
    }
    assert_eq!(
        text::<Biased>(images(1).into_dyn()),
        "the network is not homogeneous, so it has no X-Gradient; use Integrated Gradients. The first node that breaks \
         homogeneity is `conv`, a `Conv2d`: W(a*x) + b = a*(W(x) + b) for all a > 0 only if b = 0"
    );
    assert_eq!(
        text::<Mixed>(ArrayD::zeros(vec![1, 4])),
        "the network is not homogeneous, so it has no X-Gradient; use Integrated Gradients. The first node that breaks \
         homogeneity is `second`, a `sum`: scaling the input by a > 0 scales one operand by a^2 and another by a^1, so \
         that no factor comes out of `sum`"
    );
}

/// Nothing is lost but the proof.
#[test]
fn a_homogeneous_network_is_attributed_at_run_time() {
    let network = Homogeneous::init(Seed(1));
    let weights = vec![network.head.weight.view().to_owned().into_dyn()];
    let model = DynamicModel::new(Homogeneous::SPEC.clone(), weights, Device::Cpu).unwrap();
    let x = Array2::from_elem((1, 4), 0.5);
    let attribution = model.attribute(&x, Target::Class(0)).unwrap();
    assert!(attribution.completeness_gap() < 1e-6);
}
