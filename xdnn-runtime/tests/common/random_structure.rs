//! Layers at random that move or select elements. They may not fit.

use xdnn_runtime::ir::layer::{
    Abs, AdaptiveAvgPool1d, AdaptiveAvgPool3d, AdaptiveMaxPool1d, AdaptiveMaxPool2d,
    AdaptiveMaxPool3d, AvgPool3d, ChannelShuffle, CircularPad1d, CircularPad2d, Conv3d,
    ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, Crop1d, Crop2d, Flatten, GeM, Identity,
    LpPool1d, LpPool2d, MaxPool1d, MaxPool2d, MaxPool3d, MedianPool1d, MedianPool2d, MinPool1d,
    MinPool2d, MinPool3d, Neg, Permute, PixelUnshuffle, ReflectionPad1d, ReflectionPad2d,
    ReplicationPad1d, ReplicationPad2d, TopKPool, ZeroPad1d, ZeroPad3d,
};
use xdnn_runtime::ir::{Layer, Shape};

use super::numbers::Numbers;

/// The same elements in another order, with margins or without some.
pub fn rearranged(numbers: &mut Numbers, shape: Shape) -> Layer {
    let [left, right, top, bottom, front, back] = [0; 6].map(|_| numbers.below(3));
    let (ends, pair) = ([top, bottom], [left, right, top, bottom]);
    let divisor = numbers.within(1..=3);
    let mut dims: Vec<usize> = (1..=shape.rank()).collect();
    dims.rotate_left(numbers.below(shape.rank()));
    let permute = Permute {
        dims: Shape::from_slice(&dims).unwrap_or(shape),
    };
    let shuffle = ChannelShuffle { groups: divisor };
    match (shape.rank(), numbers.below(9)) {
        (_, 0) => Neg {}.into(),
        (_, 1) => Identity {}.into(),
        (_, 2) => permute.into(),
        (_, 3) => shuffle.into(),
        (2, 4) => ZeroPad1d { padding: ends }.into(),
        (2, 5) => ReflectionPad1d { padding: ends }.into(),
        (2, 6) => ReplicationPad1d { padding: ends }.into(),
        (2, 7) => CircularPad1d { padding: ends }.into(),
        (2, _) => Crop1d { cropping: ends }.into(),
        (3, 4) => PixelUnshuffle {
            downscale_factor: divisor,
        }
        .into(),
        (3, 5) => ReflectionPad2d { padding: pair }.into(),
        (3, 6) => ReplicationPad2d { padding: pair }.into(),
        (3, 7) => CircularPad2d { padding: pair }.into(),
        (3, _) => Crop2d { cropping: pair }.into(),
        (4, _) => ZeroPad3d {
            padding: [left, right, top, bottom, front, back],
        }
        .into(),
        _ => Flatten {}.into(),
    }
}

/// Pools that select, and transposed convolutions.
pub fn selected(numbers: &mut Numbers, shape: Shape) -> Layer {
    let mut triple = |largest: usize| [0; 3].map(|_| numbers.within(1..=largest));
    let (kernel, stride, dilation, size) = (triple(3), triple(2), triple(2), triple(4));
    let padding = triple(2).map(|p| p - 1);
    let output_padding = triple(2).map(|p| p - 1);
    let pair = |sizes: [usize; 3]| [sizes[0], sizes[1]];
    let ceil_mode = numbers.once_in(2);
    let out_channels = numbers.within(1..=4);
    if shape.rank() >= 2 && numbers.once_in(4) {
        return powered(numbers, shape);
    }
    match (shape.rank(), numbers.below(4)) {
        (2, 0) => MinPool1d {
            kernel: kernel[0],
            stride: Some(stride[0]),
            padding: padding[0],
            dilation: dilation[0],
            ceil_mode,
        }
        .into(),
        (2, 1) => MedianPool1d {
            kernel: kernel[0],
            stride: Some(stride[0]),
            padding: padding[0],
            dilation: dilation[0],
            ceil_mode,
        }
        .into(),
        (2, 2) if ceil_mode => AdaptiveAvgPool1d { length: size[0] }.into(),
        (2, 2) => AdaptiveMaxPool1d { length: size[0] }.into(),
        (2, _) => ConvTranspose1d {
            out_channels,
            kernel: kernel[0],
            stride: stride[0],
            padding: padding[0],
            output_padding: output_padding[0],
            groups: 1,
            bias: false,
            dilation: dilation[0],
        }
        .into(),
        (3, 0) => MinPool2d {
            kernel: pair(kernel),
            stride: Some(pair(stride)),
            padding: pair(padding),
            dilation: pair(dilation),
            ceil_mode,
        }
        .into(),
        (3, 1) => MedianPool2d {
            kernel: pair(kernel),
            stride: Some(pair(stride)),
            padding: pair(padding),
            dilation: pair(dilation),
            ceil_mode,
        }
        .into(),
        (3, 2) => AdaptiveMaxPool2d {
            height: size[0],
            width: Some(size[1]),
        }
        .into(),
        (3, _) => ConvTranspose2d {
            out_channels,
            kernel: pair(kernel),
            stride: pair(stride),
            padding: pair(padding),
            output_padding: pair(output_padding),
            groups: 1,
            bias: false,
            dilation: pair(dilation),
        }
        .into(),
        (4, 0) => MinPool3d {
            kernel,
            stride: Some(stride),
            padding,
            dilation,
            ceil_mode,
        }
        .into(),
        (4, 1) => AdaptiveAvgPool3d {
            depth: size[0],
            height: Some(size[1]),
            width: Some(size[2]),
        }
        .into(),
        (4, 2) => AdaptiveMaxPool3d {
            depth: size[0],
            height: Some(size[1]),
            width: Some(size[2]),
        }
        .into(),
        (4, _) => ConvTranspose3d {
            out_channels,
            kernel,
            stride,
            padding,
            output_padding,
            groups: 1,
            bias: false,
            dilation,
        }
        .into(),
        _ => Abs {}.into(),
    }
}

/// A convolution or a window pool of a volume.
pub fn volume(numbers: &mut Numbers, out_channels: usize, groups: usize) -> Layer {
    let mut triple = |largest: usize| [0; 3].map(|_| numbers.within(1..=largest));
    let (kernel, stride, dilation) = (triple(3), triple(2), triple(2));
    let padding = triple(2).map(|p| p - 1);
    let [ceil_mode, count_include_pad, _] = triple(2).map(|n| n == 1);
    match numbers.below(3) {
        0 => MaxPool3d {
            kernel,
            stride: Some(stride),
            padding,
            dilation,
            ceil_mode,
        }
        .into(),
        1 => AvgPool3d {
            kernel,
            stride: Some(stride),
            padding,
            ceil_mode,
            count_include_pad,
        }
        .into(),
        _ => Conv3d {
            out_channels,
            kernel,
            stride,
            padding,
            dilation,
            groups,
            bias: false,
        }
        .into(),
    }
}

/// Roots of means of powers, and the largest few.
fn powered(numbers: &mut Numbers, shape: Shape) -> Layer {
    let norm_type = numbers.choose(&[1.0, 2.0, 3.0]);
    let (kernel, stride) = (numbers.within(1..=2), numbers.within(1..=2));
    let ceil_mode = numbers.once_in(2);
    let k = numbers.within(1..=shape.with_dim(0, 1).elements());
    match (shape.rank(), numbers.below(4)) {
        (_, 0) => TopKPool { k }.into(),
        (_, 1) => GeM {
            p: norm_type,
            learned: ceil_mode,
        }
        .into(),
        (2, _) => LpPool1d {
            norm_type,
            kernel,
            stride: Some(stride),
            ceil_mode,
        }
        .into(),
        (3, _) => LpPool2d {
            norm_type,
            kernel: [kernel, stride],
            stride: None,
            ceil_mode,
        }
        .into(),
        _ => Abs {}.into(),
    }
}

/// A maximum pool whose windows divide its input evenly.
pub fn even_pool(numbers: &mut Numbers, shape: Shape) -> Option<Layer> {
    let mut factor = |axis: usize| {
        let divides = |n: &usize| shape.dim(axis).is_multiple_of(*n);
        let divisors: Vec<usize> = (1..=3).filter(divides).collect();
        numbers.choose(&divisors)
    };
    Some(match shape.rank() {
        2 => MaxPool1d {
            kernel: factor(1),
            stride: None,
            padding: 0,
            dilation: 1,
            ceil_mode: false,
        }
        .into(),
        3 => MaxPool2d {
            kernel: [factor(1), factor(2)],
            stride: None,
            padding: [0; 2],
            dilation: [1; 2],
            ceil_mode: false,
        }
        .into(),
        4 => MaxPool3d {
            kernel: [factor(1), factor(2), factor(3)],
            stride: None,
            padding: [0; 3],
            dilation: [1; 3],
            ceil_mode: false,
        }
        .into(),
        _ => return None,
    })
}
