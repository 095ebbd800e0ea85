//! What training is given.

use std::fmt::Debug;

use ndarray::Array1;
use xdnn::prelude::*;
use xdnn::{Error, Result};

use super::{Logit, Map, Tiny, all_weights, images, refused};

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
fn training_on_pixels_without_a_class_for_each() {
    let net = Map::init(Seed(1));
    let (loss, sgd) = (Loss::CrossEntropy, Sgd::new(0.1));
    let mut trainer = Trainer::new(&net, Device::Cpu, loss, sgd, Seed(1)).unwrap();
    refused!(
        trainer.step(&images(3), &[0, 1, 1]),
        Error::Option {
            name: "classes",
            ..
        },
        "option `classes` must be one for each position of each sample, found 3",
    );
    refused!(
        trainer.step(&images(1), &[2; 16]),
        Error::ClassOutOfRange { .. },
        "class 2 is out of range: the network has 2 classes, from 0",
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

#[test]
fn a_prior_without_a_sensible_strength() {
    for (strength, found) in [
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (-1.0, "-1"),
        (1e39, "1000000000000000000000000000000000000000"),
    ] {
        refused!(
            trainer(0.1).unwrap().with_prior(Prior::Gini { strength }),
            Error::Option {
                name: "strength",
                ..
            },
            format!("option `strength` must be a finite number of at least 0, found {found}"),
        );
    }
}

#[test]
fn binary_cross_entropy_of_several_outputs() {
    let (loss, sgd) = (Loss::BinaryCrossEntropy, Sgd::new(0.1));
    let net = Tiny::init(Seed(1));
    for prior in [None, Some(Prior::Gini { strength: 1.0 })] {
        let mut trainer = Trainer::new(&net, Device::Cpu, loss, sgd, Seed(1)).unwrap();
        if let Some(prior) = prior {
            trainer = trainer.with_prior(prior).unwrap();
        }
        refused!(
            trainer.step(&images(2), &[0, 1]),
            Error::NotOneLogit { .. },
            "the output has the shape `(N, 3)`, but binary cross-entropy needs `(N, 1)`, one logit for each sample; use \
             cross-entropy",
        );
        assert_eq!(all_weights(&trainer.network().unwrap()), all_weights(&net));
    }
}

#[test]
fn binary_cross_entropy_of_a_third_class() {
    let (loss, sgd) = (Loss::BinaryCrossEntropy, Sgd::new(0.1));
    let net = Logit::init(Seed(1));
    let mut trainer = Trainer::new(&net, Device::Cpu, loss, sgd, Seed(1)).unwrap();
    refused!(
        trainer.step(&images(3), &[0, 1, 2]),
        Error::ClassOutOfRange { .. },
        "class 2 is out of range: the network has 2 classes, from 0",
    );
}
