//! What is asked of a network: targets, options, devices.

use ndarray::{Array2, Array3, ArrayD};
use xdnn::prelude::*;
use xdnn::{DynamicModel, Error, Parameters, Quadrature};

use super::{Map, Tiny, images, refused, tiny};

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
        "device `cpu`: it computes in `f32`; use `Device::Reference` for `f64`",
    );
}
