//! Each layer against its formula, written out again: loops over indices, as the documentation of PyTorch states them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing helper is a failing test"
)]

mod common;

use common::network::{Builder, of_layer};
use common::numbers::Numbers;
use common::run::{Leaves, run};
use naive::Image;
use xdnn_runtime::ir::layer::{
    Abs, AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, Conv1d, Conv2d, Dropout, Flatten, GlobalAvgPool,
    GlobalMaxPool, Identity, Interpolation, LeakyRelu, Linear, MaxPool1d, MaxPool2d, Neg, PRelu,
    PixelShuffle, PixelUnshuffle, Relu, Reshape, Scale, Upsample,
};
use xdnn_runtime::ir::{Combine, Fault, Layer, NetworkSpec, Operand, Shape};
use xdnn_runtime::ops::Leaf;
use xdnn_runtime::{Graph, Task};

mod naive;

const BATCH: usize = 2;

/// The results of a network for samples of small integers, with those samples and with the weights.
struct Evaluated {
    samples: Vec<Vec<f64>>,
    weights: Vec<Vec<f64>>,
    results: Vec<Vec<f64>>,
}

fn evaluate(spec: &NetworkSpec) -> Evaluated {
    let mut numbers = Numbers::new(11);
    let mut graph = Graph::build(spec, Task::Forward, BATCH).unwrap();
    let integers = |numbers: &mut Numbers, shape: Shape| numbers.integers(shape.elements(), 4);
    let mut leaves = Leaves::new();
    let mut samples = Vec::new();
    for (i, input) in spec.inputs().iter().enumerate() {
        let of_input = [0; BATCH].map(|_| integers(&mut numbers, input.shape));
        leaves.insert(Leaf::Input(i), of_input.concat());
        samples.extend(of_input);
    }
    let weights: Vec<_> = spec
        .weights()
        .iter()
        .map(|weight| integers(&mut numbers, weight.shape))
        .collect();
    leaves.extend(
        weights
            .iter()
            .cloned()
            .enumerate()
            .map(|(i, data)| (Leaf::Weight(i), data)),
    );
    let output = run(&mut graph, &leaves).remove(0);
    let size = spec.output_shape().elements();
    Evaluated {
        samples,
        weights,
        results: output.chunks(size).map(<[f64]>::to_vec).collect(),
    }
}

/// Exact where all is made of whole numbers. Means and interpolations round a few times: each of their at most three
/// factors and each of their sums, relative to operands of at most 4.
const ROUNDING: f64 = 16.0 * f64::EPSILON;

/// The weights of cubic interpolation sum terms of up to 16 that cancel.
const CUBIC_ROUNDING: f64 = 16.0 * ROUNDING;

fn compare(
    layer: Layer,
    input: Shape,
    tolerance: f64,
    formula: impl Fn(&[f64], &[Vec<f64>]) -> Vec<f64>,
) {
    let spec =
        of_layer(layer, input).unwrap_or_else(|fault| panic!("{layer:?} on {input}: {fault:?}"));
    let evaluated = evaluate(&spec);
    for (sample, result) in evaluated.samples.iter().zip(&evaluated.results) {
        let expected = formula(sample, &evaluated.weights);
        assert_eq!(result.len(), expected.len(), "{layer:?} on {input}");
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance;
        assert!(
            result.iter().zip(&expected).all(near),
            "{layer:?} on {input}: {result:?}, expected {expected:?}"
        );
    }
}

/// The same for layers that see channels of images.
fn compare_images(
    layer: impl Into<Layer>,
    input: [usize; 3],
    tolerance: f64,
    formula: impl Fn(&Image, &[Vec<f64>]) -> Image,
) {
    compare(layer.into(), Shape::new(input), tolerance, |x, weights| {
        formula(&Image::new(input, x), weights).data
    });
}

/// A line is an image of height 1.
fn compare_lines(
    layer: impl Into<Layer>,
    [channels, length]: [usize; 2],
    tolerance: f64,
    formula: impl Fn(&Image, &[Vec<f64>]) -> Image,
) {
    compare(
        layer.into(),
        Shape::new([channels, length]),
        tolerance,
        |x, weights| formula(&Image::new([channels, 1, length], x), weights).data,
    );
}

#[test]
fn linear() {
    for (input, rows) in [
        (Shape::new([5]), 1),
        (Shape::new([3, 5]), 3),
        (Shape::new([1, 1]), 1),
    ] {
        let layer = Linear {
            out_features: 4,
            bias: false,
        };
        let features = input.elements() / rows;
        compare(layer.into(), input, 0.0, |x, w| {
            let dot = |row: usize, out: usize| {
                (0..features)
                    .map(|i| w[0][out * features + i] * x[row * features + i])
                    .sum()
            };
            (0..rows)
                .flat_map(|row| (0..4).map(move |out| dot(row, out)))
                .collect()
        });
    }
}

#[test]
fn channelwise() {
    for dims in [&[4_usize][..], &[4, 3], &[4, 2, 3]] {
        let input = Shape::from_slice(dims).unwrap();
        let inner = input.elements() / 4;
        for num_parameters in [1, 4] {
            let weight =
                |w: &[Vec<f64>], i: usize| w[0][if num_parameters == 1 { 0 } else { i / inner }];
            compare(Scale { num_parameters }.into(), input, 0.0, |x, w| {
                x.iter()
                    .enumerate()
                    .map(|(i, x)| weight(w, i) * x)
                    .collect()
            });
            compare(PRelu { num_parameters }.into(), input, 0.0, |x, w| {
                let prelu = |(i, x): (usize, &f64)| if *x > 0.0 { *x } else { weight(w, i) * x };
                x.iter().enumerate().map(prelu).collect()
            });
        }
    }
}

#[test]
fn elementwise() {
    let input = Shape::new([2, 3, 4]);
    let map = |layer: Layer, f: fn(f64) -> f64| {
        compare(layer, input, 0.0, |x, _| x.iter().copied().map(f).collect())
    };
    map(Relu {}.into(), |x| x.max(0.0));
    map(Abs {}.into(), f64::abs);
    map(
        LeakyRelu {
            negative_slope: 0.25,
        }
        .into(),
        |x| if x > 0.0 { x } else { 0.25 * x },
    );
    map(Identity {}.into(), |x| x);
    map(Neg {}.into(), |x| -x);
    map(Dropout { p: 0.3 }.into(), |x| x);
    map(Flatten {}.into(), |x| x);
    map(
        Reshape {
            shape: Shape::new([4, 6]),
        }
        .into(),
        |x| x,
    );
}

#[test]
fn convolutions_of_lines() {
    for (out_channels, groups) in [(2, 1), (4, 2), (6, 2)] {
        for (kernel, stride, padding, dilation) in
            [(1, 1, 0, 1), (3, 1, 1, 1), (2, 3, 2, 2), (3, 2, 0, 3)]
        {
            let layer = Conv1d {
                out_channels,
                kernel,
                stride,
                padding,
                dilation,
                groups,
                bias: false,
            };
            let window = naive::Window {
                kernel: [1, kernel],
                stride: [1, stride],
                padding: [0, padding],
                dilation: [1, dilation],
                ceil_mode: false,
            };
            compare_lines(layer, [4, 8], 0.0, |x, w| {
                naive::convolution(x, &w[0], window, out_channels, groups)
            });
        }
    }
}

#[test]
fn convolutions_of_images() {
    for (out_channels, groups) in [(3, 1), (2, 2), (8, 4)] {
        for (kernel, stride, padding, dilation) in [
            ([1, 1], [1, 1], [0, 0], [1, 1]),
            ([3, 2], [1, 2], [1, 0], [1, 1]),
            ([2, 3], [2, 1], [2, 3], [1, 2]),
            ([3, 3], [3, 2], [0, 1], [2, 1]),
        ] {
            let layer = Conv2d {
                out_channels,
                kernel,
                stride,
                padding,
                dilation,
                groups,
                bias: false,
            };
            let window = naive::Window {
                kernel,
                stride,
                padding,
                dilation,
                ceil_mode: false,
            };
            compare_images(layer, [4, 5, 6], 0.0, |x, w| {
                naive::convolution(x, &w[0], window, out_channels, groups)
            });
        }
    }
}

/// Every window of a line of up to 6 elements: the rules and the naive count agree on whether there is a value.
#[test]
fn pools_of_lines() {
    let mut compared = 0;
    for length in 1..7 {
        for (kernel, stride, padding, dilation, ceil_mode) in windows(4, 4, 6) {
            let window = naive::Window {
                kernel: [1, kernel],
                stride: [1, stride],
                padding: [0, padding],
                dilation: [1, dilation],
                ceil_mode,
            };
            let fits = window.fits([1, length]);
            let max = MaxPool1d {
                kernel,
                stride: Some(stride),
                padding,
                dilation,
                ceil_mode,
            };
            assert_eq!(
                max.output(Shape::new([2, length])).is_ok(),
                fits,
                "{max:?} on {length}"
            );
            if fits {
                compare_lines(max, [2, length], 0.0, |x, _| naive::max_pool(x, window));
                compared += 1;
            }
            if fits && dilation == 1 {
                for count_include_pad in [false, true] {
                    let mean = AvgPool1d {
                        kernel,
                        stride: Some(stride),
                        padding,
                        ceil_mode,
                        count_include_pad,
                    };
                    compare_lines(mean, [2, length], ROUNDING, |x, _| {
                        naive::mean_pool(x, window, count_include_pad)
                    });
                }
            }
        }
    }
    assert!(compared > 400, "{compared}");
}

/// Kernels up to `kernel`, strides, paddings up to half of a kernel, dilations, and both ways to round.
fn windows(
    kernel: usize,
    stride: usize,
    dilation: usize,
) -> impl Iterator<Item = (usize, usize, usize, usize, bool)> {
    (1..=kernel).flat_map(move |kernel| {
        (1..=stride).flat_map(move |stride| {
            (0..=kernel / 2).flat_map(move |padding| {
                (1..=dilation).flat_map(move |dilation| {
                    [false, true].map(|ceil_mode| (kernel, stride, padding, dilation, ceil_mode))
                })
            })
        })
    })
}

#[test]
fn pools_of_images() {
    for ceil_mode in [false, true] {
        for (kernel, stride, padding, dilation) in [
            ([2, 2], [2, 2], [0, 0], [1, 1]),
            ([3, 3], [2, 2], [1, 1], [1, 1]),
            ([3, 2], [1, 3], [1, 0], [2, 1]),
            ([2, 3], [3, 2], [1, 1], [1, 2]),
            ([4, 1], [2, 4], [2, 0], [1, 1]),
        ] {
            let window = naive::Window {
                kernel,
                stride,
                padding,
                dilation,
                ceil_mode,
            };
            let max = MaxPool2d {
                kernel,
                stride: Some(stride),
                padding,
                dilation,
                ceil_mode,
            };
            compare_images(max, [2, 6, 5], 0.0, |x, _| naive::max_pool(x, window));
            if dilation == [1, 1] {
                for count_include_pad in [false, true] {
                    let mean = AvgPool2d {
                        kernel,
                        stride: Some(stride),
                        padding,
                        ceil_mode,
                        count_include_pad,
                    };
                    compare_images(mean, [2, 6, 5], ROUNDING, |x, _| {
                        naive::mean_pool(x, window, count_include_pad)
                    });
                }
            }
        }
    }
}

#[test]
fn the_stride_of_a_pool_is_its_kernel() {
    let window = naive::Window {
        kernel: [2, 3],
        stride: [2, 3],
        padding: [0, 0],
        dilation: [1, 1],
        ceil_mode: false,
    };
    let max = MaxPool2d {
        kernel: [2, 3],
        stride: None,
        padding: [0, 0],
        dilation: [1, 1],
        ceil_mode: false,
    };
    compare_images(max, [1, 5, 7], 0.0, |x, _| naive::max_pool(x, window));
    let mean = AvgPool2d {
        kernel: [2, 3],
        stride: None,
        padding: [0, 0],
        ceil_mode: false,
        count_include_pad: true,
    };
    compare_images(mean, [1, 5, 7], ROUNDING, |x, _| {
        naive::mean_pool(x, window, true)
    });
}

/// A dilated window can step over all of a tiny input: it has no maximum, and PyTorch says −∞.
#[test]
fn a_window_of_padding_alone_is_refused() {
    let pool = |dilation: usize| MaxPool1d {
        kernel: 2,
        stride: None,
        padding: 1,
        dilation,
        ceil_mode: false,
    };
    let fault = pool(5).output(Shape::new([3, 4]));
    assert_eq!(
        fault,
        Err(Fault::EmptyWindow {
            dilation: 5,
            input: 4,
            padding: 1
        })
    );
    assert_eq!(pool(4).output(Shape::new([3, 4])), Ok(Shape::new([3, 1])));
}

#[test]
fn adaptive_means() {
    for (height, width) in [(1, 1), (2, 3), (5, 4), (7, 9), (3, 8)] {
        let layer = AdaptiveAvgPool2d {
            height,
            width: Some(width),
        };
        compare_images(layer, [2, 5, 4], ROUNDING, |x, _| {
            naive::adaptive_mean(x, [height, width])
        });
    }
    let square = AdaptiveAvgPool2d {
        height: 3,
        width: None,
    };
    compare_images(square, [1, 7, 2], ROUNDING, |x, _| {
        naive::adaptive_mean(x, [3, 3])
    });
}

/// Whatever the number of axes that the channels have.
#[test]
fn global_pools() {
    for dims in [
        &[2_usize, 5][..],
        &[2, 3, 4],
        &[2, 2, 3, 2],
        &[2, 2, 1, 3, 2],
    ] {
        let input = Shape::from_slice(dims).unwrap();
        let size = input.elements() / 2;
        compare(GlobalMaxPool {}.into(), input, 0.0, |x, _| {
            x.chunks(size)
                .map(|plane| plane.iter().copied().fold(f64::MIN, f64::max))
                .collect()
        });
        compare(GlobalAvgPool {}.into(), input, ROUNDING, |x, _| {
            x.chunks(size)
                .map(|plane| plane.iter().sum::<f64>() / size as f64)
                .collect()
        });
    }
}

#[test]
fn upsampling() {
    for scale_factor in [[1, 1], [2, 2], [3, 2], [1, 5]] {
        for input in [[2, 3, 4], [1, 1, 1], [1, 2, 1]] {
            for (mode, align_corners) in [
                (Interpolation::Nearest, false),
                (Interpolation::Bilinear, false),
                (Interpolation::Bilinear, true),
                (Interpolation::Bicubic, false),
                (Interpolation::Bicubic, true),
            ] {
                let layer = Upsample {
                    scale_factor,
                    mode,
                    align_corners,
                };
                let tolerance = match mode {
                    Interpolation::Bicubic => CUBIC_ROUNDING,
                    Interpolation::Nearest | Interpolation::Bilinear => ROUNDING,
                };
                compare_images(layer, input, tolerance, |x, _| match mode {
                    Interpolation::Nearest => naive::nearest(x, scale_factor),
                    Interpolation::Bilinear => naive::bilinear(x, scale_factor, align_corners),
                    Interpolation::Bicubic => naive::bicubic(x, scale_factor, align_corners),
                });
            }
        }
    }
}

#[test]
fn pixel_shuffling() {
    for r in [1, 2, 3] {
        let layer = PixelShuffle { upscale_factor: r };
        compare_images(layer, [2 * r * r, 2, 3], 0.0, |x, _| {
            naive::pixel_shuffle(x, r)
        });
    }
}

#[test]
fn pixel_unshuffling() {
    for r in [1, 2, 3] {
        let layer = PixelUnshuffle {
            downscale_factor: r,
        };
        compare_images(layer, [2, 2 * r, 3 * r], 0.0, |x, _| {
            naive::pixel_unshuffle(x, r)
        });
    }
}

#[test]
fn combinations_of_any_number() {
    let shape = Shape::new([2, 3]);
    let inputs = [shape; 3];
    for rule in [
        Combine::Sum,
        Combine::Product,
        Combine::Max,
        Combine::Min,
        Combine::Concat,
    ] {
        let mut builder = Builder::new(&inputs);
        let operands = [0, 1, 2].map(Operand::Input);
        let output = builder.combine(rule, &operands).unwrap();
        let Evaluated {
            samples, results, ..
        } = evaluate(&builder.finish(output));
        for (n, result) in results.iter().enumerate() {
            let of_sample: Vec<&[f64]> = samples
                .chunks(BATCH)
                .map(|input| input[n].as_slice())
                .collect();
            let fold = |f: fn(f64, f64) -> f64| -> Vec<f64> {
                (0..6)
                    .map(|i| {
                        of_sample[1..]
                            .iter()
                            .fold(of_sample[0][i], |a, x| f(a, x[i]))
                    })
                    .collect()
            };
            let expected = match rule {
                Combine::Sum => fold(|a, b| a + b),
                Combine::Product => fold(|a, b| a * b),
                Combine::Max => fold(f64::max),
                Combine::Min => fold(f64::min),
                _ => of_sample.concat(),
            };
            assert_eq!(*result, expected, "{rule:?}");
        }
    }
}

/// In training, dropout multiplies by its mask; one with `p = 0` has none.
#[test]
fn dropout_in_training() {
    let mut builder = Builder::new(&[Shape::new([2])]);
    let layers = [
        Dropout { p: 0.0 }.into(),
        Dropout { p: 0.5 }.into(),
        Linear {
            out_features: 2,
            bias: false,
        }
        .into(),
        Dropout { p: 0.75 }.into(),
    ];
    let output = builder.chain(Operand::Input(0), layers).unwrap();
    let spec = builder.finish(output);
    let mut graph = Graph::build(
        &spec,
        Task::Train(xdnn_runtime::graph::Loss::CrossEntropy),
        1,
    )
    .unwrap();
    let leaves = [
        (Leaf::Input(0), vec![3.0, 5.0]),
        (Leaf::Weight(0), vec![1.0, 1.0, 2.0, -1.0]),
        (Leaf::DropoutMask(0), vec![2.0, 0.0]),
        (Leaf::DropoutMask(1), vec![0.0, 4.0]),
        (Leaf::Target, vec![1.0]),
    ];
    let results = run(&mut graph, &leaves.into());
    assert_eq!(results[1], [0.0, 48.0]);
    let loss = (1.0 + (-48.0_f64).exp()).ln();
    assert!((results[0][0] - loss).abs() <= f64::EPSILON);
}
