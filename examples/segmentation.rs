//! Trains the zoo's U-Net to tell disks from squares, pixel by pixel, and draws what single pixels are judged by.
//!
//! Inside, a disk looks like a square: a pixel there is judged by what is around it.
//!
//! ```text
//! cargo run --release --example segmentation
//! ```

use std::error::Error;

use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array3, Array4, Axis, s};
use xdnn::plot::Figure;
use xdnn::prelude::*;
use xdnn::zoo::XUnet;

const SIDE: usize = 32;
const CLASSES: [&str; 3] = ["background", "disk", "square"];
/// The colours of the classes: red, green, blue.
const COLOURS: [[f32; 3]; 3] = [[1.0, 1.0, 1.0], [1.0, 0.7, 0.3], [0.4, 0.8, 1.0]];
const PICTURE: &str = "segmentation.png";

/// 8 channels in the first stage, 128 in the last.
type ShapeNet = XUnet<1, SIDE, 8, { CLASSES.len() }>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut random = Random(7);
    let train = Data::new(400, &mut random);
    let test = Data::new(100, &mut random);

    let net = ShapeNet::init(Seed(7));
    let (loss, adam) = (Loss::CrossEntropy, Adam::new(3e-3));
    let mut trainer = Trainer::new(&net, Device::best(), loss, adam, Seed(7))?;
    let fit = Fit {
        epochs: 8,
        batch: 16,
    };
    let bar =
        ProgressBar::new(0).with_style(ProgressStyle::with_template("training {wide_bar} {msg}")?);
    trainer.fit(&train.images, &train.classes, fit, |progress| {
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
    let predicted = segment(&model.forward(&test.images)?.into_dimensionality()?);
    let dimmed = segment(
        &model
            .forward(&(0.25 * &test.images))?
            .into_dimensionality()?,
    );
    let changed = predicted
        .iter()
        .zip(&dimmed)
        .filter(|(a, b)| a != b)
        .count();

    // A target is one class at one pixel: here what is seen at the middle of a shape.
    let mut figure = Figure::new("What a pixel is judged by").columns(4);
    let mut gap: f64 = 0.0;
    for i in 2..6 {
        for (row, column) in test.middles[i] {
            let class = predicted[[i, row, column]];
            let image = test.images.slice(s![i..=i, .., .., ..]);
            let attribution = model.attribute(image, Target::Output(&[class, row, column]))?;
            gap = gap.max(attribution.completeness_gap());
            let grey = test.images.slice(s![i, 0, .., ..]);
            let picture =
                Array3::from_shape_fn((3, SIDE, SIDE), |(c, y, x)| match (y, x) == (row, column) {
                    true => 0.0,
                    false => grey[[y, x]] * COLOURS[predicted[[i, y, x]]][c],
                });
            let logit = attribution.explained()[0];
            let caption = format!("{} · logit {logit:.2}", CLASSES[class]);
            let map = attribution.values().index_axis_move(Axis(0), 0);
            figure.pair(&picture, &map, caption)?;
        }
    }
    figure.save(PICTURE)?;
    println!("wrote {PICTURE}");

    println!(
        "segmentation: pixel_accuracy={:.4} mean_iou={:.4} completeness_gap={gap:.1e} changed_when_dimmed={changed}",
        pixel_accuracy(&predicted, &test.classes),
        mean_iou(&predicted, &test.classes),
    );
    Ok(())
}

/// Images with a disk and a square each.
struct Data {
    /// `(N, 1, SIDE, SIDE)`, from 0 to 1.
    images: Array4<f32>,
    /// The class of each pixel, in row-major order.
    classes: Vec<usize>,
    /// The middles of the disk and of the square of each image.
    middles: Vec<[(usize, usize); 2]>,
}

impl Data {
    fn new(samples: usize, random: &mut Random) -> Self {
        let mut data = Self {
            images: Array4::zeros((samples, 1, SIDE, SIDE)),
            classes: Vec::new(),
            middles: Vec::new(),
        };
        for mut image in data.images.outer_iter_mut() {
            // One shape in the left half, one in the right.
            let left = random.below(2);
            let mut middle = |right| (8 + random.below(16), 8 + 16 * right);
            let middles = [middle(left), middle(1 - left)];
            let sizes = [4 + random.below(4), 4 + random.below(4)];
            let bright = [0.5 + 0.4 * random.unit(), 0.5 + 0.4 * random.unit()];
            for y in 0..SIDE {
                for x in 0..SIDE {
                    let from =
                        |(row, column): (usize, usize)| (y.abs_diff(row), x.abs_diff(column));
                    let ((dy, dx), (ey, ex)) = (from(middles[0]), from(middles[1]));
                    let disk = dy * dy + dx * dx <= sizes[0] * sizes[0];
                    let square = ey.max(ex) < sizes[1];
                    let class = if disk { 1 } else { 2 * usize::from(square) };
                    let shade = if class == 0 { 0.15 } else { bright[class - 1] };
                    image[[0, y, x]] = shade + 0.1 * random.unit();
                    data.classes.push(class);
                }
            }
            data.middles.push(middles);
        }
        data
    }
}

/// The class with the largest logit at each pixel, the first of several: `(N, SIDE, SIDE)`.
fn segment(logits: &Array4<f32>) -> Array3<usize> {
    logits.map_axis(Axis(1), |logits| {
        (1..logits.len()).fold(0, |best, class| {
            if logits[class] > logits[best] {
                class
            } else {
                best
            }
        })
    })
}

fn pixel_accuracy(predicted: &Array3<usize>, classes: &[usize]) -> f64 {
    let correct = predicted.iter().zip(classes).filter(|(a, b)| a == b);
    correct.count() as f64 / classes.len() as f64
}

/// The mean over the classes of `|predicted ∩ true| / |predicted ∪ true|`.
fn mean_iou(predicted: &Array3<usize>, classes: &[usize]) -> f64 {
    let iou = |class: usize| {
        let pairs = || predicted.iter().zip(classes);
        let both = pairs()
            .filter(|(a, b)| (**a, **b) == (class, class))
            .count();
        let either = pairs()
            .filter(|(a, b)| **a == class || **b == class)
            .count();
        both as f64 / either as f64
    };
    (0..CLASSES.len()).map(iou).sum::<f64>() / CLASSES.len() as f64
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// From 0 to 1.
    fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 24) as f32
    }
}
