//! Training on a GPU.

use xdnn_runtime::training::{Adam, Loss, Prior, Sgd, Step, Trainer};
use xdnn_runtime::{Device, Network, Precision, Seed};

use crate::networks::{BATCH, GPU, Image, alone, assert_near, inputs};

/// What a trainer finds in its steps, and its weights at the end.
fn train(device: Device, prior: bool, precision: Precision) -> (Vec<Step>, Vec<f32>) {
    let network = Image::init(Seed(3));
    let trainer = Trainer::new(
        &network,
        device,
        Loss::CrossEntropy,
        Sgd::new(0.05),
        Seed(0),
    );
    let mut trainer = trainer.unwrap().with_precision(precision);
    if prior {
        trainer = trainer.with_prior(Prior::Gini { strength: 0.5 }).unwrap();
    }
    let expected = match device {
        Device::Cuda(_) => precision,
        _ => Precision::Strict,
    };
    assert_eq!(trainer.precision(), expected);
    let images = inputs(Image::SPEC, BATCH).remove(0);
    let steps = (0..3)
        .map(|_| trainer.step(&images, &[0, 2]).unwrap())
        .collect();
    // The next model reads what the last step has left.
    let trained = trainer.network().unwrap();
    let model = trained.compile(device).unwrap().with_precision(precision);
    (steps, model.forward(&images).unwrap().into_iter().collect())
}

fn assert_trains(prior: bool, precision: Precision, tolerance: f32) {
    let (expected, outputs) = train(Device::Reference, prior, precision);
    let (found, found_outputs) = train(GPU, prior, precision);
    let numbers = |steps: &[Step]| {
        steps
            .iter()
            .flat_map(|step| [step.loss, step.prior])
            .collect::<Vec<_>>()
    };
    assert_near(&numbers(&found), &numbers(&expected), tolerance);
    assert_near(&found_outputs, &outputs, tolerance);
    assert_ne!(found[0].loss, found[2].loss);
}

#[test]
fn steps_are_those_of_the_reference() {
    let _alone = alone();
    assert_trains(false, Precision::Strict, 1e-5);
}

#[test]
fn steps_with_a_prior_are_those_of_the_reference() {
    let _alone = alone();
    assert_trains(true, Precision::Strict, 1e-5);
}

#[test]
fn trainers_choose_their_precision() {
    let _alone = alone();
    assert_trains(false, Precision::Bf16, 5e-2);
}

/// A step that fails is as if it had not been.
#[test]
fn steps_can_be_tried_again() {
    let mock = alone();
    let images = inputs(Image::SPEC, BATCH).remove(0);
    let steps = |failing: Option<usize>| {
        let network = Image::init(Seed(3));
        let trainer = Trainer::new(&network, GPU, Loss::CrossEntropy, Adam::new(0.05), Seed(0));
        let mut trainer = trainer.unwrap().with_precision(Precision::Strict);
        let mut step = |i: usize| {
            if failing == Some(i) {
                mock.fail("cuGraphLaunch", 1, 999);
                assert!(trainer.step(&images, &[0, 2]).is_err());
            }
            trainer.step(&images, &[0, 2]).unwrap()
        };
        [step(0), step(1), step(2)]
    };
    let expected = steps(None);
    assert_eq!(steps(Some(0)), expected);
    assert_eq!(steps(Some(1)), expected);
}

#[test]
fn what_a_trainer_has_made_goes_with_it() {
    let mock = alone();
    let before = mock.live();
    train(GPU, false, Precision::Strict);
    assert_eq!(mock.live(), before);
}
