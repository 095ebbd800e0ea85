//! Trains a network to tell malignant from benign tumours, once as usual and once so that its explanations are sparse.
//!
//! ```text
//! cargo run --release --example sparse_explanations
//! ```

use std::error::Error;

use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array2, Axis};
use smartcore::dataset::breast_cancer;
use xdnn::prelude::*;

network! {
    /// One logit, homogeneous of degree 1 in 30 measures of cell nuclei.
    pub struct Tumour(measures: [30]) -> [1] {
        fc1: Linear(64) -> Relu;
        fc2: Linear(32) -> Relu;
        head: Linear(1);
    }
}

const FIT: Fit = Fit {
    epochs: 100,
    batch: 64,
};

fn main() -> Result<(), Box<dyn Error>> {
    // 569 tumours. Every fifth is kept for the test.
    let data = breast_cancer::load_dataset();
    let rows = Array2::from_shape_vec((data.num_samples, data.num_features), data.data)?;
    let classes: Vec<usize> = data.target.iter().map(|class| *class as usize).collect();
    let (test, train): (Vec<usize>, Vec<usize>) = (0..classes.len()).partition(|i| i % 5 == 0);
    let choose = |chosen: &[usize]| {
        let classes: Vec<usize> = chosen.iter().map(|i| classes[*i]).collect();
        (rows.select(Axis(0), chosen), classes)
    };
    let (train, test) = (choose(&train), choose(&test));

    // A mean of 0 and a variance of 1 for each measure, over the rows to train with.
    let mean = train.0.mean_axis(Axis(0)).ok_or("there are rows")?;
    let deviation = train.0.std_axis(Axis(0), 0.0);
    let standard = |(rows, classes)| Data {
        rows: (rows - &mean) / &deviation,
        classes,
    };
    let (train, test) = (standard(train), standard(test));

    let without = measure(&train, &test, None)?;
    let with = measure(&train, &test, Some(Prior::Gini { strength: 1.0 }))?;
    println!(
        "sparse_explanations: gini_without={:.4} gini_with={:.4} accuracy_without={:.4} accuracy_with={:.4}",
        without.gini, with.gini, without.accuracy, with.accuracy,
    );
    Ok(())
}

struct Data {
    /// `(N, 30)`
    rows: Array2<f32>,
    /// 0 or 1.
    classes: Vec<usize>,
}

/// What a trained network does on rows that it has not seen.
struct Measured {
    gini: f64,
    accuracy: f64,
}

fn measure(train: &Data, test: &Data, prior: Option<Prior>) -> Result<Measured, Box<dyn Error>> {
    let net = Tumour::init(Seed(7));
    let (loss, adam) = (Loss::BinaryCrossEntropy, Adam::new(1e-3));
    let mut trainer = Trainer::new(&net, Device::best(), loss, adam, Seed(7))?;
    if let Some(prior) = prior {
        trainer = trainer.with_prior(prior)?;
    }
    let bar =
        ProgressBar::new(0).with_style(ProgressStyle::with_template("training {wide_bar} {msg}")?);
    trainer.fit(&train.rows, &train.classes, FIT, |progress| {
        bar.set_length((progress.epochs * progress.steps) as u64);
        bar.set_message(format!(
            "epoch {}/{}  loss {:.4}  gini {:.4}",
            progress.epoch + 1,
            progress.epochs,
            progress.loss,
            progress.prior,
        ));
        bar.inc(1);
    })?;
    bar.finish();

    let model = trainer.network()?.compile(Device::best())?;
    let attribution = model.attribute(&test.rows, Target::Predicted)?;
    let logits = attribution.outputs();
    let pairs = logits.iter().zip(&test.classes);
    let correct = pairs.filter(|(logit, class)| (**logit > 0.0) == (**class == 1));
    Ok(Measured {
        gini: attribution.gini(),
        accuracy: correct.count() as f64 / test.classes.len() as f64,
    })
}
