//! What the zoo's documentation says of its transformers, its recurrent network and its U-Net, in `f64` on the reference
//! backend: `F(a·x) = a·F(x)`, attributions that add up to the output, and that are the Integrated Gradients from zero.

#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "../xdnn-runtime/tests/common/numbers.rs"]
mod numbers;

use numbers::Numbers;
use xdnn::ndarray::{ArrayD, Axis, IxDyn};
use xdnn::prelude::*;
use xdnn::zoo::{XIrnn, XLlama, XUnet, XVit};
use xdnn::{Model, WeightReader};

/// Factors of no special form: none is a power of two, which would scale without rounding.
const FACTORS: [f64; 7] = [1.1e-3, 0.013, 0.3, 3.1, 27.0, 310.0, 999.0];

/// A dozen blocks round by 2⁻⁵³ ≈ 1.1e-16 each, some hundred times, and norms of short vectors enlarge that.
const TOLERANCE: f64 = 1e-12;

const SAMPLES: usize = 2;

/// Every weight drawn anew: a fresh network's residual branches end in zeros, and would hide what they compute.
fn model<N: Network>(numbers: &mut Numbers) -> Model<N, f64> {
    let weights = N::WEIGHTS.iter().map(|weight| {
        let dims = weight.shape.dims();
        let fan_in: usize = dims.iter().skip(1).product();
        let bound = (3.0 / fan_in as f64).sqrt();
        let values = numbers.reals(weight.shape.elements(), -bound..bound);
        let values = values.into_iter().map(|value| value as f32).collect();
        ArrayD::from_shape_vec(dims, values).unwrap()
    });
    let reader = WeightReader::new(N::SPEC, weights.collect()).unwrap();
    let network: N = reader.into_parameters().unwrap();
    network.compile_f64().unwrap()
}

fn input<N: Network>(numbers: &mut Numbers) -> ArrayD<f64> {
    let shape = N::INPUTS[0].shape;
    let values = numbers.reals(SAMPLES * shape.elements(), -1.0..1.0);
    ArrayD::from_shape_vec([&[SAMPLES], shape.dims()].concat(), values).unwrap()
}

fn largest(values: &ArrayD<f64>) -> f64 {
    values.iter().fold(0.0, |max, value| max.max(value.abs()))
}

fn check<N: XNetwork>(target: Target<'_>) {
    assert_eq!(N::DEGREE, Degree::ONE);
    let mut numbers = Numbers::new(7);
    let (model, x) = (model::<N>(&mut numbers), input::<N>(&mut numbers));

    let y = model.forward(&x).unwrap();
    assert!(largest(&y) > 0.0);
    assert_eq!(largest(&model.forward(&(0.0 * &x)).unwrap()), 0.0);
    for a in FACTORS {
        let gap = largest(&(model.forward(&(a * &x)).unwrap() - a * &y));
        assert!(gap <= TOLERANCE * a * largest(&y), "a = {a}: {gap:e}");
    }

    let attribution = model.attribute(&x, target).unwrap();
    let values = attribution.values().to_owned();
    for (row, explained) in values.axis_iter(Axis(0)).zip(attribution.explained()) {
        let (sum, size) = (row.sum(), row.mapv(f64::abs).sum());
        assert!(size > 0.0 && (sum - explained).abs() <= TOLERANCE * size);
    }
    let method = IntegratedGradients::new(6);
    let integrated = model.integrated_gradients(&x, target, &method).unwrap();
    let gap = largest(&(&values - &integrated.values()));
    assert!(gap <= TOLERANCE * largest(&values), "{gap:e}");
}

#[test]
fn the_vision_transformer_has_degree_1() {
    check::<XVit<16, 4, 24, 10>>(Target::Predicted);
}

#[test]
fn the_language_model_has_degree_1() {
    check::<XLlama<6, 32, 9>>(Target::Output(&[4, 5]));
}

#[test]
fn the_recurrent_network_has_degree_1() {
    check::<XIrnn<20, 3, 12, 4>>(Target::Predicted);
}

#[test]
fn the_u_net_has_degree_1() {
    check::<XUnet<2, 16, 4, 3>>(Target::Output(&[2, 8, 5]));
}

/// Another last token changes nothing for those before it, and what they say is not attributed to it.
#[test]
fn the_language_model_does_not_look_ahead() {
    type Net = XLlama<6, 16, 7>;
    let mut numbers = Numbers::new(3);
    let (model, x) = (model::<Net>(&mut numbers), input::<Net>(&mut numbers));
    let mut other = x.clone();
    other.index_axis_mut(Axis(1), 5).fill(0.5);
    let (y, z) = (model.forward(&x).unwrap(), model.forward(&other).unwrap());
    let moves = |gap: ArrayD<f64>, of: &ArrayD<f64>| largest(&gap) > TOLERANCE * largest(of);
    for (token, gap) in (&y - &z).axis_iter(Axis(2)).enumerate() {
        assert_eq!(moves(gap.to_owned(), &y), token == 5, "token {token}");
    }
    let attribution = model.attribute(&x, Target::Output(&[1, 3])).unwrap();
    let values = attribution.values().to_owned();
    for (token, row) in values.axis_iter(Axis(1)).enumerate() {
        assert_eq!(moves(row.to_owned(), &values), token <= 3, "token {token}");
    }
}

network! {
    /// `XUnet<1, 16, 2, 3>`, and the mean over the pixels behind it.
    struct Area(image: [1, 16, 16]) -> [3] {
        block stage(width) {
            conv1: Conv2d(width, kernel = 3, padding = 1) -> Relu;
            conv2: Conv2d(width, kernel = 3, padding = 1) -> Relu;
        }
        let map1 = image -> down1: stage(2);
        let map2 = map1 -> MaxPool2d(2) -> down2: stage(4);
        let map3 = map2 -> MaxPool2d(2) -> down3: stage(8);
        let map4 = map3 -> MaxPool2d(2) -> down4: stage(16);
        map4 -> MaxPool2d(2) -> bottom: stage(32);
        concat(map4, wide4: ConvTranspose2d(16, kernel = 2, stride = 2)) -> up4: stage(16);
        concat(map3, wide3: ConvTranspose2d(8, kernel = 2, stride = 2)) -> up3: stage(8);
        concat(map2, wide2: ConvTranspose2d(4, kernel = 2, stride = 2)) -> up2: stage(4);
        concat(map1, wide1: ConvTranspose2d(2, kernel = 2, stride = 2)) -> up1: stage(2);
        head: Conv2d(3, kernel = 1) -> GlobalAvgPool -> Flatten;
    }
}

#[test]
fn the_attribution_of_an_area_is_the_mean_of_those_of_its_pixels() {
    type Net = XUnet<1, 16, 2, 3>;
    assert_eq!(Area::WEIGHTS, Net::WEIGHTS);
    let (pixels, area) = (
        model::<Net>(&mut Numbers::new(5)),
        model::<Area>(&mut Numbers::new(5)),
    );
    let x = input::<Net>(&mut Numbers::new(6));
    let mut mean = ArrayD::<f64>::zeros(IxDyn(&[SAMPLES, 1, 16, 16]));
    for (row, column) in (0..16).flat_map(|row| (0..16).map(move |column| (row, column))) {
        let of_pixel = pixels.attribute(&x, Target::Output(&[1, row, column]));
        mean.scaled_add(1.0 / 256.0, &of_pixel.unwrap().values());
    }
    let of_area = area.attribute(&x, Target::Class(1)).unwrap();
    let gap = largest(&(&mean - &of_area.values()));
    assert!(gap <= TOLERANCE * largest(&mean), "{gap:e}");
}

/// The share of right answers of a network that was trained on half of the samples, in the other half.
fn learnt<N: XNetwork>(x: ArrayD<f32>, classes: &[usize], epochs: usize, rate: f64) -> f32 {
    let (net, adam) = (N::init(Seed(7)), Adam::new(rate));
    let mut trainer = Trainer::new(&net, Device::Cpu, Loss::CrossEntropy, adam, Seed(7)).unwrap();
    let (train, test) = x.view().split_at(Axis(0), x.len_of(Axis(0)) / 2);
    let (seen, unseen) = classes.split_at(classes.len() / 2);
    let fit = Fit { epochs, batch: 16 };
    trainer.fit(train, seen, fit, |_| ()).unwrap();
    let step = trainer.step(test, unseen).unwrap();
    step.correct as f32 / step.samples as f32
}

/// Each target is the word before: attention has to find it by its position.
#[test]
fn the_language_model_learns_to_look_back() {
    const WORDS: usize = 4;
    let mut numbers = Numbers::new(9);
    let words: Vec<Vec<usize>> = (0..256)
        .map(|_| (0..8).map(|_| numbers.below(WORDS)).collect())
        .collect();
    let x = ArrayD::from_shape_fn(IxDyn(&[256, 8, 16]), |i| {
        f32::from(u8::from(i[2] % WORDS == words[i[0]][i[1]]))
    });
    let before = |text: &Vec<usize>| [&text[..1], &text[..7]].concat();
    let classes = words.iter().flat_map(before).collect::<Vec<_>>();
    let share = learnt::<XLlama<8, 16, WORDS>>(x, &classes, 10, 3e-3);
    assert!(share > 0.95, "{share}");
}

/// A bright square in one of four quarters of the noise: the patches look alike, their positions tell.
#[test]
fn the_vision_transformer_learns_where_a_square_is() {
    let mut numbers = Numbers::new(9);
    let classes: Vec<usize> = (0..256).map(|_| numbers.below(4)).collect();
    let x = ArrayD::from_shape_fn(IxDyn(&[256, 3, 16, 16]), |i| {
        let quarter = i[2] / 8 * 2 + i[3] / 8;
        let inside = quarter == classes[i[0]] && i[2] % 8 < 4 && i[3] % 8 < 4;
        0.2 * numbers.real(&(0.0..1.0)) as f32 + f32::from(u8::from(inside))
    });
    let share = learnt::<XVit<16, 4, 24, 4>>(x, &classes, 20, 2e-3);
    assert!(share > 0.95, "{share}");
}

/// Which of two marks came first, 20 steps ago at most.
#[test]
fn the_recurrent_network_learns_what_came_first() {
    let mut numbers = Numbers::new(9);
    let marks: Vec<[usize; 2]> = (0..512)
        .map(|_| [numbers.below(10), 10 + numbers.below(10)])
        .collect();
    let classes: Vec<usize> = (0..512).map(|_| numbers.below(2)).collect();
    let x = ArrayD::from_shape_fn(IxDyn(&[512, 20, 2]), |i| {
        let first = marks[i[0]][0] == i[1] && classes[i[0]] == i[2];
        let second = marks[i[0]][1] == i[1] && classes[i[0]] != i[2];
        f32::from(u8::from(first || second))
    });
    let share = learnt::<XIrnn<20, 2, 16, 2>>(x, &classes, 20, 3e-3);
    assert!(share > 0.95, "{share}");
}
