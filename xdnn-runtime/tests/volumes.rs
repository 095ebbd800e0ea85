//! Layers of one to three spatial axes against their formulas, position by position.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing helper is a failing test"
)]

mod common;
#[path = "naive/volume.rs"]
mod volume;

use common::network::{Builder, of_layer};
use common::numbers::Numbers;
use common::run::{Leaves, run};
use volume::{Volume, Window};
use xdnn_runtime::ir::layer::{
    AdaptiveAvgPool1d, AdaptiveAvgPool3d, AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d,
    AvgPool3d, ChannelShuffle, CircularPad1d, CircularPad2d, Conv3d, ConvTranspose1d,
    ConvTranspose2d, ConvTranspose3d, Crop1d, Crop2d, GeM, LpPool1d, LpPool2d, MaxPool3d,
    MedianPool1d, MedianPool2d, MinPool1d, MinPool2d, MinPool3d, Permute, ReflectionPad1d,
    ReflectionPad2d, ReplicationPad1d, ReplicationPad2d, TopKPool, ZeroPad1d, ZeroPad2d, ZeroPad3d,
};
use xdnn_runtime::ir::{Combine, Layer, Operand, Shape};
use xdnn_runtime::ops::Leaf;
use xdnn_runtime::{Graph, Task};

const BATCH: usize = 2;

/// Means round a few times, relative to operands of at most 4.
const ROUNDING: f64 = 16.0 * f64::EPSILON;

/// Compares a layer with a formula of the sample, of the weights and of the shape of the result.
fn compare(
    layer: impl Into<Layer>,
    input: &[usize],
    tolerance: f64,
    formula: impl Fn(&Volume, &[f64], &[usize]) -> Volume,
) {
    let layer = layer.into();
    let shape = Shape::from_slice(input).unwrap();
    let spec = of_layer(layer, shape).unwrap_or_else(|fault| panic!("{layer:?}: {fault:?}"));
    let mut numbers = Numbers::new(17);
    let samples = [0; BATCH].map(|_| numbers.integers(shape.elements(), 4));
    let mut leaves = Leaves::from([(Leaf::Input(0), samples.concat())]);
    let mut weights = vec![];
    if let [weight] = spec.weights() {
        weights = numbers.integers(weight.shape.elements(), 4);
        leaves.insert(Leaf::Weight(0), weights.clone());
    }
    let mut graph = Graph::build(&spec, Task::Forward, BATCH).unwrap();
    let results = run(&mut graph, &leaves).remove(0);
    let output = spec.output_shape();
    for (sample, result) in samples.iter().zip(results.chunks(output.elements())) {
        let expected = formula(&Volume::new(input, sample), &weights, output.dims());
        assert_eq!(expected.size, output.dims(), "{layer:?} on {shape}");
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance;
        assert!(
            result.iter().zip(&expected.data).all(near),
            "{layer:?} on {shape}: {result:?}, expected {:?}",
            expected.data
        );
    }
}

fn window(kernel: &[usize], stride: &[usize], padding: &[usize], dilation: &[usize]) -> Window {
    Window {
        kernel: kernel.to_vec(),
        stride: stride.to_vec(),
        padding: padding.to_vec(),
        dilation: dilation.to_vec(),
    }
}

#[test]
fn convolutions_of_volumes() {
    for (out_channels, groups) in [(3, 1), (4, 2)] {
        for (kernel, stride, padding, dilation) in [
            ([1, 1, 1], [1, 1, 1], [0, 0, 0], [1, 1, 1]),
            ([2, 3, 2], [1, 2, 1], [1, 0, 2], [1, 1, 2]),
            ([3, 1, 2], [2, 1, 3], [1, 0, 0], [1, 1, 1]),
        ] {
            let layer = Conv3d {
                out_channels,
                kernel,
                stride,
                padding,
                dilation,
                groups,
                bias: false,
            };
            let window = window(&kernel, &stride, &padding, &dilation);
            compare(layer, &[2, 4, 3, 5], 0.0, |x, w, output| {
                volume::convolution(x, w, &window, groups, output)
            });
        }
    }
}

/// Kernel, stride, padding, output padding and dilation, along each of three axes.
const FOOTPRINTS: [[[usize; 3]; 5]; 5] = [
    [[1, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0], [1, 1, 1]],
    [[3, 3, 3], [2, 2, 2], [1, 1, 1], [1, 1, 1], [1, 1, 1]],
    [[2, 3, 4], [2, 1, 3], [0, 1, 2], [1, 0, 2], [1, 2, 1]],
    [[2, 2, 2], [1, 1, 2], [1, 0, 1], [1, 2, 2], [2, 3, 3]],
    [[1, 2, 1], [3, 3, 1], [0, 1, 0], [2, 0, 0], [1, 1, 2]],
];

#[test]
fn transposed_convolutions() {
    for (out_channels, groups) in [(3, 1), (4, 2)] {
        for [kernel, stride, padding, output_padding, dilation] in FOOTPRINTS {
            let line = ConvTranspose1d {
                out_channels,
                kernel: kernel[2],
                stride: stride[2],
                padding: padding[2],
                output_padding: output_padding[2],
                groups,
                bias: false,
                dilation: dilation[2],
            };
            let of_line = window(&kernel[2..], &stride[2..], &padding[2..], &dilation[2..]);
            compare(line, &[4, 5], 0.0, |x, w, output| {
                volume::transposed(x, w, &of_line, groups, output)
            });
            let pair = |sizes: [usize; 3]| [sizes[1], sizes[2]];
            let image = ConvTranspose2d {
                out_channels,
                kernel: pair(kernel),
                stride: pair(stride),
                padding: pair(padding),
                output_padding: pair(output_padding),
                groups,
                bias: false,
                dilation: pair(dilation),
            };
            let of_image = window(&kernel[1..], &stride[1..], &padding[1..], &dilation[1..]);
            compare(image, &[2, 3, 4], 0.0, |x, w, output| {
                volume::transposed(x, w, &of_image, groups, output)
            });
            let solid = ConvTranspose3d {
                out_channels,
                kernel,
                stride,
                padding,
                output_padding,
                groups,
                bias: false,
                dilation,
            };
            let of_volume = window(&kernel, &stride, &padding, &dilation);
            compare(solid, &[2, 2, 3, 2], 0.0, |x, w, output| {
                volume::transposed(x, w, &of_volume, groups, output)
            });
        }
    }
}

/// Kernel, stride, padding and dilation, along each of three axes.
const WINDOWS: [[[usize; 3]; 4]; 4] = [
    [[2, 2, 2], [2, 2, 2], [0, 0, 0], [1, 1, 1]],
    [[3, 3, 3], [2, 2, 2], [1, 1, 1], [1, 1, 1]],
    [[3, 1, 2], [1, 2, 3], [1, 0, 1], [2, 1, 2]],
    [[2, 3, 4], [1, 1, 2], [0, 1, 2], [1, 1, 1]],
];

#[test]
fn pools_of_volumes() {
    for ([kernel, stride, padding, dilation], ceil_mode) in WINDOWS
        .into_iter()
        .flat_map(|window| [(window, false), (window, true)])
    {
        let input = [2, 5, 4, 5];
        let max = MaxPool3d {
            kernel,
            stride: Some(stride),
            padding,
            dilation,
            ceil_mode,
        };
        let min = MinPool3d {
            kernel,
            stride: Some(stride),
            padding,
            dilation,
            ceil_mode,
        };
        let selecting = window(&kernel, &stride, &padding, &dilation);
        compare(max, &input, 0.0, |x, _, output| {
            volume::pool(x, &selecting, output, volume::largest)
        });
        compare(min, &input, 0.0, |x, _, output| {
            volume::pool(x, &selecting, output, volume::smallest)
        });
        for count_include_pad in [false, true] {
            let mean = AvgPool3d {
                kernel,
                stride: Some(stride),
                padding,
                ceil_mode,
                count_include_pad,
            };
            let averaging = window(&kernel, &stride, &padding, &[1; 3]);
            compare(mean, &input, ROUNDING, |x, _, output| {
                volume::mean_pool(x, &averaging, output, count_include_pad)
            });
        }
    }
}

#[test]
fn minima_and_medians() {
    for ([kernel, stride, padding, dilation], ceil_mode) in WINDOWS
        .into_iter()
        .flat_map(|window| [(window, false), (window, true)])
    {
        let of_image = window(&kernel[1..], &stride[1..], &padding[1..], &dilation[1..]);
        let pair = |sizes: [usize; 3]| [sizes[1], sizes[2]];
        let min = MinPool2d {
            kernel: pair(kernel),
            stride: Some(pair(stride)),
            padding: pair(padding),
            dilation: pair(dilation),
            ceil_mode,
        };
        let median = MedianPool2d {
            kernel: pair(kernel),
            stride: Some(pair(stride)),
            padding: pair(padding),
            dilation: pair(dilation),
            ceil_mode,
        };
        compare(min, &[2, 5, 6], 0.0, |x, _, output| {
            volume::pool(x, &of_image, output, volume::smallest)
        });
        compare(median, &[2, 5, 6], 0.0, |x, _, output| {
            volume::pool(x, &of_image, output, volume::lower_median)
        });
        let of_line = window(&kernel[2..], &stride[2..], &padding[2..], &dilation[2..]);
        let min = MinPool1d {
            kernel: kernel[2],
            stride: Some(stride[2]),
            padding: padding[2],
            dilation: dilation[2],
            ceil_mode,
        };
        let median = MedianPool1d {
            kernel: kernel[2],
            stride: Some(stride[2]),
            padding: padding[2],
            dilation: dilation[2],
            ceil_mode,
        };
        compare(min, &[3, 7], 0.0, |x, _, output| {
            volume::pool(x, &of_line, output, volume::smallest)
        });
        compare(median, &[3, 7], 0.0, |x, _, output| {
            volume::pool(x, &of_line, output, volume::lower_median)
        });
    }
}

#[test]
fn adaptive_pools() {
    let mean = |elements: Vec<f64>| elements.iter().sum::<f64>() / elements.len() as f64;
    for [depth, height, width] in [[1, 1, 1], [2, 3, 4], [5, 4, 7], [3, 9, 2], [4, 2, 3]] {
        let (average, maximum) = (
            AdaptiveAvgPool1d { length: width },
            AdaptiveMaxPool1d { length: width },
        );
        compare(average, &[2, 7], ROUNDING, |x, _, output| {
            volume::adaptive(x, &output[1..], mean)
        });
        compare(maximum, &[2, 7], 0.0, |x, _, output| {
            volume::adaptive(x, &output[1..], volume::largest)
        });
        let image = AdaptiveMaxPool2d {
            height,
            width: Some(width),
        };
        compare(image, &[2, 5, 6], 0.0, |x, _, output| {
            volume::adaptive(x, &output[1..], volume::largest)
        });
        let (height, width) = (Some(height), Some(width));
        let average = AdaptiveAvgPool3d {
            depth,
            height,
            width,
        };
        let maximum = AdaptiveMaxPool3d {
            depth,
            height,
            width,
        };
        compare(average, &[2, 4, 5, 3], ROUNDING, |x, _, output| {
            volume::adaptive(x, &output[1..], mean)
        });
        compare(maximum, &[2, 4, 5, 3], 0.0, |x, _, output| {
            volume::adaptive(x, &output[1..], volume::largest)
        });
    }
}

#[test]
fn paddings() {
    let zeros = |i: isize, n: isize| (0..n).contains(&i).then_some(i);
    let mirror = |i: isize, n: isize| Some(n - 1 - (n - 1 - i.abs()).abs());
    let border = |i: isize, n: isize| Some(i.max(0).min(n - 1));
    let circle = |i: isize, n: isize| Some((i + 3 * n) % n);
    for padding in [[0, 0], [2, 1], [0, 3], [3, 0]] {
        let line = [2, 4];
        compare(ZeroPad1d { padding }, &line, 0.0, |x, _, _| {
            volume::surrounded(x, &padding, zeros)
        });
        compare(ReflectionPad1d { padding }, &line, 0.0, |x, _, _| {
            volume::surrounded(x, &padding, mirror)
        });
        compare(ReplicationPad1d { padding }, &line, 0.0, |x, _, _| {
            volume::surrounded(x, &padding, border)
        });
        compare(CircularPad1d { padding }, &line, 0.0, |x, _, _| {
            volume::surrounded(x, &padding, circle)
        });
    }
    for padding in [[0, 0, 0, 0], [1, 2, 2, 0], [0, 3, 0, 1], [3, 0, 1, 2]] {
        let image = [2, 3, 4];
        compare(ZeroPad2d { padding }, &image, 0.0, |x, _, _| {
            volume::surrounded(x, &padding, zeros)
        });
        compare(ReflectionPad2d { padding }, &image, 0.0, |x, _, _| {
            volume::surrounded(x, &padding, mirror)
        });
        compare(ReplicationPad2d { padding }, &image, 0.0, |x, _, _| {
            volume::surrounded(x, &padding, border)
        });
        compare(CircularPad2d { padding }, &image, 0.0, |x, _, _| {
            volume::surrounded(x, &padding, circle)
        });
    }
    for padding in [[1, 2, 0, 3, 2, 1], [0, 0, 1, 0, 0, 4]] {
        compare(ZeroPad3d { padding }, &[2, 2, 3, 2], 0.0, |x, _, _| {
            volume::surrounded(x, &padding, zeros)
        });
    }
}

#[test]
fn crops() {
    for [before, after] in [[0, 0], [1, 2], [0, 3], [4, 0]] {
        let cropping = [before, after];
        compare(Crop1d { cropping }, &[2, 6], 0.0, |x, _, output| {
            Volume::of(output, |c, i| x.at(c, &[i[0] + before]))
        });
        let cropping = [before, after, 1, 0];
        compare(Crop2d { cropping }, &[2, 3, 6], 0.0, |x, _, output| {
            Volume::of(output, |c, i| x.at(c, &[i[0] + 1, i[1] + before]))
        });
    }
}

#[test]
fn orders_of_dimensions() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let dims = Shape::new(order.map(|dim| dim + 1));
        compare(Permute { dims }, &[2, 3, 4], 0.0, |x, _, output| {
            Volume::of(output, |first, rest| {
                let index = [first, rest[0], rest[1]];
                let mut from = [0; 3];
                for (i, dim) in order.iter().enumerate() {
                    from[*dim] = index[i];
                }
                x.at(from[0], &from[1..])
            })
        });
    }
    for groups in [1, 2, 3, 6] {
        for input in [&[6, 2][..], &[6, 2, 3], &[6, 1, 2, 2]] {
            compare(ChannelShuffle { groups }, input, 0.0, |x, _, output| {
                Volume::of(output, |c, at| {
                    x.at(c % groups * (6 / groups) + c / groups, at)
                })
            });
        }
    }
}

/// Powers and roots round a few times, relative to sums of at most 12·4³.
const ROOT_ROUNDING: f64 = 64.0 * f64::EPSILON;

#[test]
fn norms_of_windows() {
    for (p, ceil_mode) in [
        (1.0, false),
        (2.0, false),
        (2.0, true),
        (3.0, true),
        (1.5, false),
    ] {
        let norm = |elements: Vec<f64>, whole: usize| {
            let mean =
                elements.iter().map(|x| x.abs().powf(p)).sum::<f64>() / elements.len() as f64;
            (mean * whole as f64).powf(1.0 / p)
        };
        let line = LpPool1d {
            norm_type: p,
            kernel: 3,
            stride: Some(2),
            ceil_mode,
        };
        let of_line = window(&[3], &[2], &[0], &[1]);
        compare(line, &[2, 6], ROOT_ROUNDING, |x, _, output| {
            volume::pool(x, &of_line, output, |elements| norm(elements, 3))
        });
        let image = LpPool2d {
            norm_type: p,
            kernel: [2, 3],
            stride: None,
            ceil_mode,
        };
        let of_image = window(&[2, 3], &[2, 3], &[0, 0], &[1, 1]);
        compare(image, &[2, 5, 7], ROOT_ROUNDING, |x, _, output| {
            volume::pool(x, &of_image, output, |elements| norm(elements, 6))
        });
    }
}

#[test]
fn generalised_means_and_the_largest_few() {
    for input in [&[3, 6][..], &[3, 2, 3], &[3, 1, 2, 3]] {
        for p in [1.0, 2.5, 3.0] {
            let gem = |x: &Volume, p: f64, output: &[usize]| {
                volume::adaptive(x, &output[1..], |elements| {
                    let power = elements.iter().map(|x| x.max(0.0).powf(p));
                    (power.sum::<f64>() / elements.len() as f64).powf(1.0 / p)
                })
            };
            let fixed = GeM { p, learned: false };
            compare(fixed, input, ROOT_ROUNDING, |x, _, output| {
                gem(x, p, output)
            });
        }
        for k in [1, 2, 6] {
            compare(TopKPool { k }, input, ROUNDING, |x, _, output| {
                volume::adaptive(x, &output[1..], |mut elements| {
                    elements.sort_by(|a, b| b.total_cmp(a));
                    elements[..k].iter().sum::<f64>() / k as f64
                })
            });
        }
    }
}

/// With weights that are no integers: the exponent is one.
#[test]
fn a_learned_exponent() {
    let layer = GeM {
        p: 3.0,
        learned: true,
    };
    let spec = of_layer(layer, Shape::new([1, 4])).unwrap();
    let mut graph = Graph::build(&spec, Task::Forward, 1).unwrap();
    let x = [1.0, -2.0, 0.0, 3.0];
    for p in [1.0, 2.5, 7.0] {
        let leaves = [(Leaf::Input(0), x.to_vec()), (Leaf::Weight(0), vec![p])];
        let found = run(&mut graph, &leaves.into())[0][0];
        let mean: f64 = x.iter().map(|x: &f64| x.max(0.0).powf(p)).sum::<f64>() / 4.0;
        let expected = mean.powf(1.0 / p);
        assert!(
            (found - expected).abs() <= ROOT_ROUNDING,
            "{p}: {found}, not {expected}"
        );
    }
}

/// What a pool has taken goes back to where it came from.
#[test]
fn unpooling() {
    for (size, factors) in [
        (&[2, 6][..], &[3][..]),
        (&[2, 4, 6], &[2, 3]),
        (&[1, 2, 4, 3], &[2, 2, 1]),
    ] {
        let like = Shape::from_slice(size).unwrap();
        let small: Vec<usize> = size[1..].iter().zip(factors).map(|(n, k)| n / k).collect();
        let small = [&size[..1], &small].concat();
        let mut builder = Builder::new(&[Shape::from_slice(&small).unwrap(), like]);
        let operands = [Operand::Input(0), Operand::Input(1)];
        let output = builder.combine(Combine::Unpool, &operands).unwrap();
        let spec = builder.finish(output);
        let mut graph = Graph::build(&spec, Task::Forward, 1).unwrap();
        let mut numbers = Numbers::new(3);
        let values = numbers.integers(small.iter().product(), 9);
        let field = numbers.integers(like.elements(), 3);
        let leaves = [
            (Leaf::Input(0), values.clone()),
            (Leaf::Input(1), field.clone()),
        ];
        let found = run(&mut graph, &leaves.into()).remove(0);
        let (values, field) = (Volume::new(&small, &values), Volume::new(size, &field));
        let window = window(
            factors,
            factors,
            &vec![0; factors.len()],
            &vec![1; factors.len()],
        );
        let peaks = volume::pool(&field, &window, &small, volume::largest);
        let mut full = vec![];
        let mut expected = vec![];
        for index in volume::indices(size) {
            let (channel, at) = (index[0], &index[1..]);
            let from: Vec<usize> = at.iter().zip(factors).map(|(i, k)| i / k).collect();
            let peak = field.at(channel, at) == peaks.at(channel, &from);
            let wins = peak && !full.contains(&(channel, from.clone()));
            expected.push(if wins { values.at(channel, &from) } else { 0.0 });
            if wins {
                full.push((channel, from));
            }
        }
        assert_eq!(found, expected);
    }
}
