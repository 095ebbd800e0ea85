//! What a user can do wrong, one mistake a test: a typed error comes back that says what was expected and what was
//! found, and nothing panics or is half done.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

use std::fmt::Debug;
use std::fs;

use ndarray::{Array1, Array2, Array3, Array4, ArrayD, arr0};
use safetensors::{Dtype, tensor::TensorView};
use tempfile::tempdir;
use xdnn::prelude::*;
use xdnn::{DynamicModel, Error, Model, Parameters, Quadrature, Result, WeightFault};

network! {
    struct Tiny(image: [1, 4, 4]) -> [3] {
        conv: Conv2d(2, kernel = 3) -> Relu -> Flatten;
        head: Linear(3);
    }
}

network! {
    struct Fusion(image: [3], audio: [2]) -> [2] {
        concat(image, audio) -> head: Linear(2);
    }
}

network! {
    struct Map(image: [1, 4, 4]) -> [2, 4, 4] {
        conv: Conv2d(2, kernel = 3, padding = 1) -> Relu;
    }
}

/// The result is an error of that kind and has exactly that text.
macro_rules! refused {
    ($result:expr, $kind:pat, $text:expr $(,)?) => {{
        let error = $result.map(drop).unwrap_err();
        assert!(matches!(error, $kind), "{error:?}");
        assert_eq!(error.to_string(), $text);
    }};
}

fn tiny() -> Model<Tiny> {
    Tiny::init(Seed(1)).compile(Device::Cpu).unwrap()
}

fn images(samples: usize) -> Array4<f32> {
    Array4::from_shape_fn((samples, 1, 4, 4), |(n, _, y, x)| {
        ((n + 3 * y + x) % 5) as f32 - 1.5
    })
}

/// What all ways to run a network say to bad inputs: the same.
fn run(inputs: &ArrayD<f32>) -> Result<()> {
    let mut texts = Vec::new();
    let mut last = Ok(());
    for device in [Device::Cpu, Device::Reference] {
        let model = Tiny::init(Seed(1)).compile(device)?;
        let method = IntegratedGradients::new(2);
        for result in [
            model.forward(inputs).map(drop),
            model.attribute(inputs, Target::Predicted).map(drop),
            model
                .integrated_gradients(inputs, Target::Predicted, &method)
                .map(drop),
        ] {
            texts.push(result.as_ref().map_err(ToString::to_string).err());
            last = result;
        }
    }
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    last
}

fn all_weights<P: Parameters>(parameters: &P) -> Vec<u32> {
    let mut bits = Vec::new();
    parameters.visit(&mut |weight| bits.extend(weight.as_slice().iter().map(|w| w.to_bits())));
    bits
}

#[test]
fn wrong_rank() {
    refused!(
        run(&Array3::zeros((1, 4, 4)).into_dyn()),
        Error::InputShape { .. },
        "input `image` must have the shape `(N, 1, 4, 4)`, found `(1, 4, 4)`; put the batch dimension in front, as in \
         `image.insert_axis(Axis(0))`",
    );
    refused!(
        run(&Array2::zeros((3, 16)).into_dyn()),
        Error::InputShape { .. },
        "input `image` must have the shape `(N, 1, 4, 4)`, found `(3, 16)`",
    );
    refused!(
        run(&arr0(1.0).into_dyn()),
        Error::InputShape { .. },
        "input `image` must have the shape `(N, 1, 4, 4)`, found `()`",
    );
}

#[test]
fn wrong_shape() {
    refused!(
        run(&Array4::zeros((2, 4, 4, 1)).into_dyn()),
        Error::InputShape { .. },
        "input `image` must have the shape `(N, 1, 4, 4)`, found `(2, 4, 4, 1)`",
    );
}

#[test]
fn empty_batch() {
    refused!(
        run(&images(0).into_dyn()),
        Error::EmptyBatch { .. },
        "input `image` holds no samples; give at least one",
    );
}

#[test]
fn nan_in_an_input() {
    let mut images = images(3);
    images[[1, 0, 2, 3]] = f32::NAN;
    images[[2, 0, 0, 0]] = f32::INFINITY;
    refused!(
        run(&images.into_dyn()),
        Error::NonFiniteInput { .. },
        "input `image` is NaN at index `(1, 0, 2, 3)`; replace missing values by finite numbers",
    );
}

#[test]
fn infinity_in_an_input() {
    let mut images = images(2);
    images[[0, 0, 3, 1]] = f32::NEG_INFINITY;
    refused!(
        run(&images.into_dyn()),
        Error::NonFiniteInput { .. },
        "input `image` is -inf at index `(0, 0, 3, 1)`; replace missing values by finite numbers",
    );
}

#[test]
fn finite_inputs_whose_results_overflow() {
    let mut net = Tiny::init(Seed(1));
    net.visit_mut(&mut |weight| weight.into_slice().fill(1.0));
    let images = Array4::from_elem((2, 1, 4, 4), f32::MAX);
    for device in [Device::Cpu, Device::Reference] {
        let model = net.compile(device).unwrap();
        let outputs = model.forward(&images).unwrap();
        assert!(outputs.iter().all(|output| *output == f32::INFINITY));
        let attribution = model.attribute(&images, Target::Predicted).unwrap();
        assert!(attribution.completeness_gap().is_nan()); // what is not exact does not claim to be
    }
}

#[test]
fn wrong_number_of_inputs() {
    let model = Fusion::init(Seed(1)).compile(Device::Cpu).unwrap();
    refused!(
        model.forward(&Array2::zeros((4, 3))),
        Error::InputCount { found: 1, .. },
        "expected 2 inputs (`image`, `audio`), found 1; give one array per declared input, in order of declaration",
    );
}

#[test]
fn inputs_of_different_batches() {
    let model = Fusion::init(Seed(1)).compile(Device::Cpu).unwrap();
    let (image, audio) = (Array2::zeros((4, 3)), Array2::zeros((5, 2)));
    let inputs = || FusionInputs {
        image: image.view(),
        audio: audio.view(),
    };
    let text = "input `audio` holds 5 samples, but input `image` holds 4; give every input the same number of samples";
    refused!(model.forward(inputs()), Error::BatchesDiffer { .. }, text);
    refused!(
        model.attribute(inputs(), Target::Class(0)),
        Error::BatchesDiffer { .. },
        text
    );
}

#[test]
fn nan_in_a_weight() {
    let mut net = Tiny::init(Seed(1));
    net.head.weight.view_mut()[[2, 5]] = f32::NAN;
    for device in [Device::Cpu, Device::Reference] {
        refused!(
            net.compile(device),
            Error::NonFiniteWeight { .. },
            "weight `head.weight` is NaN at index `(2, 5)`; weights must be finite",
        );
    }
    refused!(
        Trainer::new(
            &net,
            Device::Cpu,
            Loss::CrossEntropy,
            Sgd::new(0.1),
            Seed(1)
        ),
        Error::NonFiniteWeight { .. },
        "weight `head.weight` is NaN at index `(2, 5)`; weights must be finite",
    );
}

#[test]
fn class_out_of_range() {
    let (model, images) = (tiny(), images(2));
    let text = "class 3 is out of range: the network has 3 classes, from 0";
    for target in [Target::Class(3), Target::Classes(&[0, 3])] {
        refused!(
            model.attribute(&images, target),
            Error::ClassOutOfRange {
                class: 3,
                classes: 3
            },
            text,
        );
    }
    let method = IntegratedGradients::new(2);
    refused!(
        model.integrated_gradients(&images, Target::Class(usize::MAX), &method),
        Error::ClassOutOfRange { .. },
        format!(
            "class {} is out of range: the network has 3 classes, from 0",
            usize::MAX
        ),
    );
}

#[test]
fn wrong_number_of_classes() {
    for classes in [&[0_usize][..], &[0, 1, 2], &[]] {
        refused!(
            tiny().attribute(&images(2), Target::Classes(classes)),
            Error::TargetCount { batch: 2, .. },
            format!(
                "expected 2 targets, one for each sample, found {}",
                classes.len()
            ),
        );
    }
}

#[test]
fn class_of_an_output_that_is_no_vector() {
    let model = Map::init(Seed(1)).compile(Device::Cpu).unwrap();
    for target in [Target::Class(0), Target::Classes(&[0, 1])] {
        refused!(
            model.attribute(&images(2), target),
            Error::NotClasses { .. },
            "the output has the shape `(N, 2, 4, 4)`, which is no vector of classes; choose one number of it by its index",
        );
    }
    let attribution = model.attribute(&images(2), Target::Output(&[1, 3, 2]));
    assert_eq!(attribution.unwrap().targets(), [30, 30]);
}

#[test]
fn output_index_out_of_range() {
    refused!(
        tiny().attribute(&images(1), Target::Output(&[3])),
        Error::OutputIndex { .. },
        "index `(3,)` is outside of the output, whose shape is `(3,)`",
    );
    let model = Map::init(Seed(1)).compile(Device::Cpu).unwrap();
    for (index, text) in [
        (&[1, 4, 0][..], "(1, 4, 0)"),
        (&[1, 3], "(1, 3)"),
        (&[], "()"),
        (&[usize::MAX, 0, 0], "(18446744073709551615, 0, 0)"),
    ] {
        refused!(
            model.attribute(&images(1), Target::Output(index)),
            Error::OutputIndex { .. },
            format!("index `{text}` is outside of the output, whose shape is `(2, 4, 4)`"),
        );
    }
}

#[test]
fn batches_that_no_machine_holds() {
    for device in [Device::Cpu, Device::Reference] {
        let model = Tiny::init(Seed(1)).compile(device).unwrap();
        for task in [
            Task::Forward,
            Task::Attribute,
            Task::Train(Loss::CrossEntropy),
        ] {
            refused!(
                model.prepare(task, 0),
                Error::Option { name: "batch", .. },
                "option `batch` must be at least 1, found 0",
            );
            for batch in [usize::MAX / 1024, usize::MAX] {
                let error = model.prepare(task, batch).unwrap_err();
                assert!(matches!(error, Error::OutOfMemory { .. }), "{error:?}");
                assert!(
                    error.to_string().ends_with("use a smaller batch"),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn integrated_gradients_without_steps() {
    let found = |steps, quadrature| {
        let method = IntegratedGradients::new(steps).quadrature(quadrature);
        tiny().integrated_gradients(&images(1), Target::Predicted, &method)
    };
    refused!(
        found(0, Quadrature::GaussLegendre),
        Error::Option { name: "steps", .. },
        "option `steps` must be from 1 to 65536, found 0",
    );
    refused!(
        found(1, Quadrature::Trapezoid),
        Error::Option { name: "steps", .. },
        "option `steps` must be from 2 to 65536 for the trapezoid rule, found 1",
    );
    for quadrature in [
        Quadrature::GaussLegendre,
        Quadrature::Left,
        Quadrature::Trapezoid,
    ] {
        assert!(matches!(
            found(usize::MAX, quadrature),
            Err(Error::Option { name: "steps", .. })
        ));
    }
}

#[test]
fn baseline_that_does_not_fit() {
    let found = |baseline: Vec<ArrayD<f32>>| {
        let method = IntegratedGradients::new(2).baseline(baseline);
        tiny().integrated_gradients(&images(3), Target::Predicted, &method)
    };
    refused!(
        found(vec![Array2::zeros((4, 4)).into_dyn()]),
        Error::InputShape { .. },
        "input `baseline of image` must have the shape `(N, 1, 4, 4)`, found `(4, 4)`",
    );
    refused!(
        found(vec![images(2).into_dyn()]),
        Error::BatchesDiffer { .. },
        "input `baseline of image` holds 2 samples, but input `image` holds 3; give every input the same number of \
         samples",
    );
    refused!(
        found(vec![images(1).into_dyn(), images(1).into_dyn()]),
        Error::InputCount { found: 2, .. },
        "expected 1 input (`image`), found 2; give one array per declared input, in order of declaration",
    );
    refused!(
        found(vec![Array3::from_elem((1, 4, 4), f32::NAN).into_dyn()]),
        Error::NonFiniteInput { .. },
        "input `baseline of image` is NaN at index `(0, 0, 0)`; replace missing values by finite numbers",
    );
}

#[test]
fn f64_on_the_processor() {
    let mut weights = Vec::new();
    Tiny::init(Seed(1)).visit(&mut |weight| weights.push(weight.array.mapv(f64::from)));
    let model = DynamicModel::<f64>::new(Tiny::SPEC.clone(), weights, Device::Cpu).unwrap();
    refused!(
        model.forward(&images(1).mapv(f64::from)),
        Error::Device { .. },
        "no device `cpu`: it computes in `f32`; use `Device::Reference` for `f64`",
    );
}

#[test]
fn weights_that_are_missing_superfluous_and_of_other_shapes_are_one_error() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let zeros = [0; 84];
    let tensor = |shape: &[usize]| {
        let bytes = &zeros[..4 * shape.iter().product::<usize>()];
        TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap()
    };
    let tensors = [
        ("head.weight", tensor(&[3, 7])),
        ("head.bias", tensor(&[3])),
        ("module.conv.weight", tensor(&[2, 1, 3, 3])),
    ];
    fs::write(&path, safetensors::serialize(tensors, None).unwrap()).unwrap();
    let error = Tiny::load(&path).map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` does not fit the network: 4 faults\n  \
             `conv.weight` of shape `(2, 1, 3, 3)` is missing\n  \
             `head.weight` must have the shape `(3, 8)`, found `(3, 7)`\n  \
             `head.bias` of shape `(3,)` is not a weight of the network; the network has no biases\n  \
             `module.conv.weight` of shape `(2, 1, 3, 3)` is not a weight of the network; did you mean `conv.weight`?",
            path.display()
        )
    );
    let Error::Weights { faults, .. } = error else {
        panic!("{error:?}")
    };
    assert!(matches!(
        faults.as_slice(),
        [
            WeightFault::Missing { .. },
            WeightFault::Shape { .. },
            WeightFault::Extra { .. },
            WeightFault::Extra { .. }
        ]
    ));
}

#[test]
fn truncated_weights() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("tiny.safetensors");
    Tiny::init(Seed(1)).save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    for length in 0..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let cause = match length {
            0 => "it is empty; save or download it again",
            _ => "it is truncated, or longer than its header says; save or download it again",
        };
        refused!(
            Tiny::load(&path),
            Error::Format { .. },
            format!("`{}` is no readable weight file: {cause}", path.display()),
        );
    }
}

#[test]
fn a_file_that_holds_no_weights() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    for (content, cause) in [
        (
            &b"Dear diary, today I trained a network."[..],
            "header too large",
        ),
        (b"\x02\0\0\0\0\0\0\0[]", "invalid JSON"),
        (b"PK\x03\x04", "PyTorch checkpoint, expected safetensors"),
    ] {
        fs::write(&path, content).unwrap();
        let error = Tiny::load(&path).map(drop).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{error:?}");
        let text = error.to_string();
        let start = format!("`{}` is no readable weight file: ", path.display());
        assert!(text.starts_with(&start) && text.contains(cause), "{text}");
    }
}

#[test]
fn no_such_file() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("none.safetensors");
    let error = Tiny::load(&path).map(drop).unwrap_err();
    assert!(
        matches!(error, Error::File { action: "read", .. }),
        "{error:?}"
    );
    let start = format!("cannot read `{}`: ", path.display());
    assert!(error.to_string().starts_with(&start), "{error}");
    assert!(matches!(
        Tiny::load(folder.path()),
        Err(Error::File { action: "read", .. })
    ));
}

#[test]
fn saving_where_there_is_no_folder() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("none").join("tiny.safetensors");
    let error = Tiny::init(Seed(1)).save(&path).unwrap_err();
    assert!(
        matches!(
            error,
            Error::File {
                action: "write",
                ..
            }
        ),
        "{error:?}"
    );
    let start = format!("cannot write `{}`: ", path.display());
    assert!(error.to_string().starts_with(&start), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn saving_over_a_file_that_is_read_only() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("tiny.safetensors");
    Tiny::init(Seed(1)).save(&path).unwrap();
    let old = fs::read(&path).unwrap();
    let writable = fs::metadata(&path).unwrap().permissions();
    let mut permissions = writable.clone();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    refused!(
        Tiny::init(Seed(2)).save(&path),
        Error::File {
            action: "write",
            ..
        },
        format!("cannot write `{}`: the file is read-only", path.display()),
    );
    assert_eq!(fs::read(&path).unwrap(), old);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    fs::set_permissions(&path, writable).unwrap();
}

#[test]
fn saving_a_weight_that_is_not_finite() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("tiny.safetensors");
    let mut net = Tiny::init(Seed(1));
    net.conv.weight.view_mut()[[0, 0, 1, 1]] = f32::INFINITY;
    refused!(
        net.save(&path),
        Error::NonFiniteWeight { .. },
        "weight `conv.weight` is inf at index `(0, 0, 1, 1)`; weights must be finite",
    );
    assert!(!path.exists());
}

type Training<N> = Trainer<N, Sgd>;

fn trainer(learning_rate: f64) -> Result<Training<Tiny>> {
    Trainer::new(
        &Tiny::init(Seed(1)),
        Device::Cpu,
        Loss::CrossEntropy,
        Sgd::new(learning_rate),
        Seed(1),
    )
}

/// The result is refused, and the weights are those of the start.
fn changes_nothing<T: Debug>(act: impl FnOnce(&mut Training<Tiny>) -> Result<T>) -> Error {
    let mut trainer = trainer(0.1).unwrap();
    let error = act(&mut trainer).unwrap_err();
    let weights = all_weights(&trainer.network().unwrap());
    assert_eq!(weights, all_weights(&Tiny::init(Seed(1))));
    error
}

const ONCE: Fit = Fit {
    epochs: 1,
    batch: 2,
};

#[test]
fn training_with_a_wrong_number_of_classes() {
    for error in [
        changes_nothing(|trainer| trainer.step(&images(4), &[0, 1, 2])),
        changes_nothing(|trainer| trainer.fit(&images(4), &[0, 1, 2], ONCE, |_| ())),
    ] {
        refused!(
            Err::<(), _>(error),
            Error::TargetCount { batch: 4, found: 3 },
            "expected 4 targets, one for each sample, found 3",
        );
    }
}

#[test]
fn training_with_a_class_out_of_range() {
    for error in [
        changes_nothing(|trainer| trainer.step(&images(4), &[0, 1, 2, 3])),
        changes_nothing(|trainer| trainer.fit(&images(4), &[0, 1, 2, 3], ONCE, |_| ())),
    ] {
        refused!(
            Err::<(), _>(error),
            Error::ClassOutOfRange { .. },
            "class 3 is out of range: the network has 3 classes, from 0",
        );
    }
}

#[test]
fn training_in_batches_of_0() {
    let fit = Fit {
        epochs: 1,
        batch: 0,
    };
    refused!(
        Err::<(), _>(changes_nothing(|trainer| trainer.fit(
            &images(4),
            &[0, 1, 2, 0],
            fit,
            |_| ()
        ))),
        Error::Option { name: "batch", .. },
        "option `batch` must be at least 1, found 0",
    );
}

#[test]
fn training_on_a_wrong_shape() {
    refused!(
        Err::<(), _>(changes_nothing(
            |trainer| trainer.step(&Array1::zeros(16), &[0])
        )),
        Error::InputShape { .. },
        "input `image` must have the shape `(N, 1, 4, 4)`, found `(16,)`",
    );
}

#[test]
fn a_learning_rate_that_is_no_number() {
    for (learning_rate, found) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (-0.5, "-0.5")] {
        refused!(
            trainer(learning_rate),
            Error::Option {
                name: "learning_rate",
                ..
            },
            format!("option `learning_rate` must be a finite number of at least 0, found {found}"),
        );
    }
}

#[test]
fn training_without_classes() {
    refused!(
        Trainer::new(
            &Map::init(Seed(1)),
            Device::Cpu,
            Loss::CrossEntropy,
            Sgd::new(0.1),
            Seed(1)
        ),
        Error::NotClasses { .. },
        "the output has the shape `(N, 2, 4, 4)`, which is no vector of classes; choose one number of it by its index",
    );
}

#[test]
fn a_learning_rate_that_diverges() {
    // Weights that overflow at once, and weights that stay finite until the outputs overflow.
    for (learning_rate, brightness) in [(3e38, 1e3), (1e30, 1.0)] {
        let mut trainer = trainer(learning_rate).unwrap();
        let images = images(4) * brightness;
        let mut diverged = None;
        for _ in 0..20 {
            let before = all_weights(&trainer.network().unwrap());
            if let Err(error) = trainer.step(&images, &[0, 1, 2, 0]) {
                assert_eq!(all_weights(&trainer.network().unwrap()), before);
                diverged = Some(error);
                break;
            }
        }
        let error = diverged.unwrap();
        assert!(matches!(error, Error::Diverged { .. }), "{error:?}");
        assert!(
            error.to_string().ends_with("use a smaller learning rate"),
            "{error}"
        );
        trainer.network().unwrap().compile(Device::Cpu).unwrap(); // all weights are finite
    }
}
