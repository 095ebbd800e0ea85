//! Training, from the first weights to a saved network.

use ndarray::{Array2, Array4};
use tempfile::tempdir;
use xdnn::metrics::accuracy;
use xdnn::prelude::*;
use xdnn::training::{AdamW, Optimizer, Progress, Step};
use xdnn::{Parameters, Result};

network! {
    /// Two bars, upright or lying: a kernel sees which.
    struct Bars(image: [1, 6, 6]) -> [2] {
        conv: Conv2d(6, kernel = 3) -> Relu;
        GlobalAvgPool -> Flatten -> head: Linear(2);
    }
}

network! {
    struct Dropped(x: [20]) -> [3] {
        fc1: Linear(64) -> Relu -> Dropout(0.5);
        fc2: Linear(32) -> Relu -> Dropout(0.25);
        head: Linear(3);
    }
}

network! {
    /// One logit of what says the same in every column.
    struct Table(x: [12]) -> [1] {
        fc1: Linear(24) -> Relu;
        fc2: Linear(8) -> Relu -> head: Linear(1);
    }
}

/// Rows each of whose columns is above 0 for class 1 and below 0 for class 0.
fn table(samples: usize) -> (Array2<f32>, Vec<usize>) {
    let rows = Array2::from_shape_fn((samples, 12), |(n, i)| {
        let sign = if n % 2 == 1 { 1.0 } else { -1.0 };
        sign * (0.5 + ((n * 29 + i * 17) % 11) as f32 / 11.0)
    });
    (rows, (0..samples).map(|n| n % 2).collect())
}

/// Bars of any place and brightness in both directions, in turn.
fn bars(samples: usize) -> (Array4<f32>, Vec<usize>) {
    let images = Array4::from_shape_fn((samples, 1, 6, 6), |(n, _, y, x)| {
        let (lying, place) = (n % 2 == 0, (n / 2) % 6);
        let bright = 0.5 + (n % 7) as f32 / 7.0;
        if place == if lying { y } else { x } {
            bright
        } else {
            0.0
        }
    });
    (images, (0..samples).map(|n| n % 2).collect())
}

/// Points around three centres.
fn points(samples: usize) -> (Array2<f32>, Vec<usize>) {
    let points = Array2::from_shape_fn((samples, 20), |(n, i)| {
        let centre = if i % 3 == n % 3 { 1.0 } else { 0.0 };
        centre + ((n * 31 + i * 17) % 13) as f32 / 40.0
    });
    (points, (0..samples).map(|n| n % 3).collect())
}

fn bits<P: Parameters>(network: &P) -> Vec<u32> {
    let mut bits = Vec::new();
    network.visit(&mut |weight| bits.extend(weight.as_slice().iter().map(|w| w.to_bits())));
    bits
}

/// `Dropped` after 30 steps.
fn dropped<O: Optimizer>(optimizer: O, seed: Seed) -> Result<(Dropped, Vec<Progress>)> {
    let net = Dropped::init(Seed(5));
    let mut trainer = Trainer::new(&net, Device::Cpu, Loss::CrossEntropy, optimizer, seed)?;
    let (points, classes) = points(90);
    let mut told = Vec::new();
    let fit = Fit {
        epochs: 5,
        batch: 16,
    };
    trainer.fit(&points, &classes, fit, |progress| told.push(progress))?;
    Ok((trainer.network()?, told))
}

network! {
    struct Pixels(image: [2, 2, 3]) -> [3, 2, 3] { head: Conv2d(3, kernel = 1); }
}

network! {
    struct Points(x: [2]) -> [3] { head: Linear(3); }
}

/// A network that looks at each pixel alone learns what one learns that is given them one by one.
#[test]
fn an_image_is_classified_pixel_by_pixel() {
    let image = Array4::from_shape_fn((4, 2, 2, 3), |(n, c, y, x)| {
        ((7 * n + 5 * c + 3 * y + x) as f32).sin()
    });
    let points = image.view().permuted_axes([0, 2, 3, 1]);
    let points = points.to_shape((24, 2)).unwrap();
    let classes: Vec<usize> = (0..24).map(|i| i * i % 3).collect();
    let (pixels, mut single) = (Pixels::init(Seed(1)), Points::init(Seed(1)));
    single
        .head
        .weight
        .assign(&pixels.head.weight.view().to_shape((3, 2)).unwrap())
        .unwrap();
    let (loss, sgd) = (Loss::CrossEntropy, Sgd::new(0.5));
    for device in [Device::Cpu, Device::Reference] {
        let mut a = Trainer::new(&pixels, device, loss, sgd, Seed(1)).unwrap();
        let mut b = Trainer::new(&single, device, loss, sgd, Seed(1)).unwrap();
        for _ in 0..3 {
            let (a, b) = (a.step(&image, &classes), b.step(points.view(), &classes));
            let (a, b) = (a.unwrap(), b.unwrap());
            assert_eq!((a.correct, a.samples), (b.correct, 24));
            assert!((a.loss - b.loss).abs() < 1e-6);
        }
        let (a, b) = (a.network().unwrap(), b.network().unwrap());
        let pairs = a
            .head
            .weight
            .as_slice()
            .iter()
            .zip(b.head.weight.as_slice());
        assert!(pairs.map(|(a, b)| (a - b).abs()).all(|gap| gap < 1e-6));
        let fit = Fit {
            epochs: 2,
            batch: 3,
        };
        let mut trainer = Trainer::new(&pixels, device, loss, sgd, Seed(1)).unwrap();
        let mut last = None;
        trainer
            .fit(&image, &classes, fit, |progress| last = Some(progress))
            .unwrap();
        assert!(last.is_some_and(|progress| progress.loss < 1.5));
    }
}

#[test]
fn a_separable_problem_is_learnt() {
    let (images, classes) = bars(84);
    let net = Bars::init(Seed(1));
    for device in [Device::Cpu, Device::Reference] {
        let mut trainer =
            Trainer::new(&net, device, Loss::CrossEntropy, Adam::new(0.02), Seed(1)).unwrap();
        let fit = Fit {
            epochs: 20,
            batch: 12,
        };
        trainer.fit(&images, &classes, fit, |_| ()).unwrap();
        let model = trainer.network().unwrap().compile(device).unwrap();
        let logits = model.forward(&images).unwrap();
        assert_eq!(accuracy(logits.view(), &classes), Some(1.0));
    }
}

#[test]
fn optimizers_reduce_the_loss() {
    fn halves(optimizer: impl Optimizer) {
        let (_, told) = dropped(optimizer, Seed(1)).unwrap();
        let (first, last) = (told[5], told[told.len() - 1]);
        assert_eq!((first.epoch, last.epoch), (0, 4));
        assert!(
            last.loss < 0.5 * first.loss,
            "{} to {}",
            first.loss,
            last.loss
        );
        assert!(last.accuracy > first.accuracy);
    }
    halves(Sgd::new(0.1));
    halves(Sgd {
        momentum: 0.9,
        ..Sgd::new(0.02)
    });
    halves(Adam::new(0.005));
    halves(AdamW::new(0.005));
}

#[test]
fn the_same_seed_gives_the_same_weights() {
    let of = |seed| bits(&dropped(Adam::new(0.01), seed).unwrap().0);
    assert_eq!(of(Seed(1)), of(Seed(1)));
    assert_ne!(of(Seed(1)), of(Seed(2)));
}

#[test]
fn dropout_is_active_in_training_alone() {
    let net = Dropped::init(Seed(5));
    let (points, classes) = points(30);
    let model = net.compile(Device::Cpu).unwrap();
    let logits = model.forward(&points).unwrap();
    assert_eq!(logits, model.forward(&points).unwrap());

    // A learning rate of 0 keeps the weights, so only the masks differ between steps.
    let mut trainer = Trainer::new(
        &net,
        Device::Cpu,
        Loss::CrossEntropy,
        Sgd::new(0.0),
        Seed(1),
    )
    .unwrap();
    let losses: Vec<f32> = (0..200)
        .map(|_| trainer.step(&points, &classes).unwrap().loss)
        .collect();
    assert_eq!(bits(&trainer.network().unwrap()), bits(&net));
    let smallest = losses.iter().copied().fold(f32::INFINITY, f32::min);
    let largest = losses.iter().copied().fold(0.0, f32::max);
    assert!(largest > 1.01 * smallest, "{smallest} to {largest}");
}

#[test]
fn the_observer_is_told_of_every_step() {
    let mut trainer = Trainer::new(
        &Bars::init(Seed(1)),
        Device::Cpu,
        Loss::CrossEntropy,
        Adam::new(0.01),
        Seed(1),
    )
    .unwrap();
    let (images, classes) = bars(11);
    let fit = Fit {
        epochs: 3,
        batch: 4,
    };
    let mut told = Vec::new();
    trainer
        .fit(&images, &classes, fit, |progress| told.push(progress))
        .unwrap();
    let places: Vec<_> = told.iter().map(|p| (p.epoch, p.step)).collect();
    let expected: Vec<_> = (0..3).flat_map(|e| (0..3).map(move |s| (e, s))).collect();
    assert_eq!(places, expected);
    for progress in &told {
        assert_eq!((progress.epochs, progress.steps), (3, 3));
        assert!(progress.loss.is_finite() && progress.loss > 0.0);
        assert!((0.0..=1.0).contains(&progress.accuracy));
    }
    let before = bits(&trainer.network().unwrap());
    let none = Fit {
        epochs: 0,
        batch: 4,
    };
    trainer
        .fit(&images, &classes, none, |_| panic!("no epoch, no step"))
        .unwrap();
    assert_eq!(bits(&trainer.network().unwrap()), before);
}

#[test]
fn one_batch_of_all_samples_is_one_step() {
    let (images, classes) = bars(10);
    let fit = Fit {
        epochs: 1,
        batch: 1000,
    };
    let mut steps = 0;
    let mut trainer = Trainer::new(
        &Bars::init(Seed(1)),
        Device::Cpu,
        Loss::CrossEntropy,
        Adam::new(0.01),
        Seed(1),
    )
    .unwrap();
    trainer.fit(&images, &classes, fit, |_| steps += 1).unwrap();
    assert_eq!(steps, 1);
}

#[test]
fn a_trained_network_survives_its_file_bit_for_bit() {
    let (net, _) = dropped(Adam::new(0.01), Seed(1)).unwrap();
    let folder = tempdir().unwrap();
    let path = folder.path().join("dropped.safetensors");
    net.save(&path).unwrap();
    let loaded = Dropped::load(&path).unwrap();
    assert_eq!(bits(&loaded), bits(&net));
    let (points, _) = points(30);
    let logits = |net: &Dropped| net.compile(Device::Cpu).unwrap().forward(&points).unwrap();
    assert_eq!(logits(&loaded), logits(&net));
}

/// `Table` and what its last of many steps told.
fn trained(device: Device, prior: Option<Prior>) -> Result<(Table, Step)> {
    let (rows, classes) = table(40);
    let (loss, adam) = (Loss::BinaryCrossEntropy, Adam::new(0.01));
    let mut trainer = Trainer::new(&Table::init(Seed(1)), device, loss, adam, Seed(1))?;
    if let Some(prior) = prior {
        trainer = trainer.with_prior(prior)?;
    }
    let steps: Result<Vec<Step>> = (0..60).map(|_| trainer.step(&rows, &classes)).collect();
    let steps = steps?;
    let (first, last) = (steps[0], steps[59]);
    assert!(last.loss < 0.1 * first.loss, "{first:?} to {last:?}");
    assert_eq!((last.correct, last.samples), (40, 40));
    Ok((trainer.network()?, last))
}

fn gini(network: &Table) -> Result<f64> {
    let model = network.compile(Device::Cpu)?;
    let attribution = model.attribute(&table(40).0, Target::Output(&[0]))?;
    Ok(attribution.gini())
}

/// Every column says it all, so that one would do.
#[test]
fn a_prior_makes_attributions_sparse() {
    for device in [Device::Cpu, Device::Reference] {
        let (dense, told) = trained(device, None).unwrap();
        assert_eq!(told.prior, 0.0);
        let (sparse, told) = trained(device, Some(Prior::Gini { strength: 1.0 })).unwrap();
        let (without, with) = (gini(&dense).unwrap(), gini(&sparse).unwrap());
        assert!(with > without + 0.3, "{without} to {with}");
        assert!((f64::from(told.prior) - with).abs() < 0.02);
    }
}

#[test]
fn a_prior_of_strength_0_is_told_and_changes_nothing() {
    let (plain, _) = trained(Device::Cpu, None).unwrap();
    let (watched, told) = trained(Device::Cpu, Some(Prior::Gini { strength: 0.0 })).unwrap();
    assert_eq!(bits(&watched), bits(&plain));
    assert!((f64::from(told.prior) - gini(&plain).unwrap()).abs() < 0.02);
}

/// A learning rate of 0 keeps the weights, so that all steps of an epoch see the same network.
#[test]
fn a_step_tells_what_an_attribution_of_its_batch_has() {
    let (rows, classes) = table(40);
    let net = Table::init(Seed(3));
    let (loss, sgd) = (Loss::BinaryCrossEntropy, Sgd::new(0.0));
    let trainer = Trainer::new(&net, Device::Cpu, loss, sgd, Seed(1)).unwrap();
    let prior = Prior::Gini { strength: 2.0 };
    let mut trainer = trainer.with_prior(prior).unwrap();
    let expected = gini(&net).unwrap();
    let step = trainer.step(&rows, &classes).unwrap();
    assert!((f64::from(step.prior) - expected).abs() < 1e-6);
    let fit = Fit {
        epochs: 2,
        batch: 40,
    };
    let check = |progress: Progress| {
        assert!((f64::from(progress.prior) - expected).abs() < 1e-6);
        assert_eq!(progress.loss, step.loss);
    };
    trainer.fit(&rows, &classes, fit, check).unwrap();
}
