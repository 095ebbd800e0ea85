//! Trains a convolutional X-DNN on handwritten digits and draws what each prediction rests on.
//!
//! ```text
//! cargo run --release --example quickstart
//! ```

use std::error::Error;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array4, Axis, s};
use smartcore::dataset::digits;
use xdnn::attribution::mean_absolute_relative_difference;
use xdnn::metrics::accuracy;
use xdnn::plot::Figure;
use xdnn::prelude::*;

network! {
    /// Three convolutions and a linear head. No biases, so the logits are homogeneous of degree 1 in the pixels.
    pub struct DigitNet(image: [1, 8, 8]) -> [10] {
        conv1: Conv2d(32, kernel = 3, padding = 1) -> Relu;
        conv2: Conv2d(32, kernel = 3, padding = 1) -> Relu -> MaxPool2d(2);
        conv3: Conv2d(64, kernel = 3, padding = 1) -> Relu;
        Flatten -> Dropout(0.3);
        head: Linear(10);
    }
}

/// Samples that the attribution methods are compared on.
const COMPARED: usize = 60;
const PICTURE: &str = "quickstart.png";

fn main() -> Result<(), Box<dyn Error>> {
    // 1,797 images of 8×8 pixels from 0 to 16. Every fifth is kept for the test.
    let data = digits::load_dataset();
    let images = Array4::from_shape_vec((data.num_samples, 1, 8, 8), data.data)? / 16.0;
    let classes: Vec<usize> = data.target.iter().map(|class| *class as usize).collect();
    let (test, train): (Vec<usize>, Vec<usize>) = (0..classes.len()).partition(|i| i % 5 == 0);
    let choose = |rows: &[usize]| {
        let classes: Vec<usize> = rows.iter().map(|i| classes[*i]).collect();
        (images.select(Axis(0), rows), classes)
    };
    let (train_images, train_classes) = choose(&train);
    let (test_images, test_classes) = choose(&test);

    let net = DigitNet::init(Seed(7));
    let mut trainer = Trainer::new(
        &net,
        Device::best(),
        Loss::CrossEntropy,
        Adam::new(2e-3),
        Seed(7),
    )?;
    let fit = Fit {
        epochs: 15,
        batch: 32,
    };
    let bar =
        ProgressBar::new(0).with_style(ProgressStyle::with_template("training {wide_bar} {msg}")?);
    trainer.fit(&train_images, &train_classes, fit, |progress| {
        bar.set_length((progress.epochs * progress.steps) as u64);
        bar.set_message(format!(
            "epoch {}/{}  loss {:.4}",
            progress.epoch + 1,
            progress.epochs,
            progress.loss
        ));
        bar.inc(1);
    })?;
    bar.finish();

    let model = trainer.network()?.compile(Device::best())?;
    let logits = model.forward(&test_images)?;
    let accuracy =
        accuracy(logits.view(), &test_classes).ok_or("there is a class for each test image")?;

    // One forward and one backward pass explain a whole batch.
    let attribution = model.attribute(&test_images, Target::Predicted)?;
    let maps = attribution.values();
    let mut figure = Figure::new("What DigitNet sees in handwritten digits").columns(4);
    for class in 0..10 {
        let examples = (0..test_classes.len()).filter(|i| test_classes[*i] == class);
        for i in examples.take(2) {
            let (predicted, logit) = (attribution.targets()[i], attribution.explained()[i]);
            let mistaken = if predicted == class {
                String::new()
            } else {
                format!(" (is {class})")
            };
            let caption = format!("{predicted}{mistaken} · logit {logit:.2}");
            figure.pair(
                &test_images.index_axis(Axis(0), i),
                &maps.index_axis(Axis(0), i),
                caption,
            )?;
        }
    }
    figure.save(PICTURE)?;
    println!("wrote {PICTURE}");

    // The same explanation the long way: 128 gradients along the path from a black image.
    let compared = test_images.slice(s![..COMPARED, .., .., ..]);
    let method = IntegratedGradients::new(128);
    let x_gradient = timed(|| model.attribute(compared, Target::Predicted))?;
    let integrated = timed(|| model.integrated_gradients(compared, Target::Predicted, &method))?;
    let distance =
        mean_absolute_relative_difference(x_gradient.value.values(), integrated.value.values());
    println!(
        "quickstart: accuracy={accuracy:.4} completeness_gap={:.1e} ig_distance={:.1e} ig_cost={:.0}x",
        attribution.completeness_gap(),
        distance.ok_or("both attributions have the shape of the images")?,
        integrated.seconds / x_gradient.seconds,
    );
    Ok(())
}

/// A result and the median time of getting it.
struct Timed<T> {
    value: T,
    seconds: f64,
}

/// Calls `work` once to warm up, then five times.
fn timed<T, E>(mut work: impl FnMut() -> Result<T, E>) -> Result<Timed<T>, E> {
    let mut value = work()?;
    let mut seconds = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        value = work()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(Timed {
        value,
        seconds: seconds[2],
    })
}
