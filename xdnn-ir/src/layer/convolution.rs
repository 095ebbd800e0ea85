//! Convolutions (cross-correlations, as in PyTorch).

use super::{IMAGE, LINE, VOLUME, Weights};
use crate::window::Window;
use crate::{Fault, Shape};

layer! {
    /// A 1-d convolution: `[in, length] → [out, length']`. Keeps the degree.
    ///
    /// `y[o, t] = Σ w[o, c, i]·x[c, t·stride + i·dilation − padding]` over `c` and `i`; beyond the border `x` is 0.
    ///
    /// Weight `[out, in / groups, kernel]`, bias `[out]`.
    Conv1d {
        /// The number of output channels.
        out_channels: usize,
        /// The size of the kernel.
        kernel: usize,
        /// The step between windows.
        stride: usize = 1,
        /// Zeros on each side.
        padding: usize = 0,
        /// The distance between the kernel's elements.
        dilation: usize = 1,
        /// The number of groups of channels that do not see each other.
        groups: usize = 1,
        /// Whether a learned number is added to each output channel: on values of degree 0, and in `#[regular]` networks, where
        /// it is the default.
        bias: bool = false,
    }
}

layer! {
    /// A 2-d convolution: `[in, height, width] → [out, height', width']`. Keeps the degree.
    ///
    /// `y[o, u, v] = Σ w[o, c, i, j]·x[c, u·stride + i·dilation − padding, …]` over `c`, `i` and `j`; beyond the border `x`
    /// is 0.
    ///
    /// Weight `[out, in / groups, kernel height, kernel width]`, bias `[out]`.
    Conv2d {
        /// The number of output channels.
        out_channels: usize,
        /// The size of the kernel.
        kernel: [usize; 2],
        /// The step between windows.
        stride: [usize; 2] = [1, 1],
        /// Zeros on each side.
        padding: [usize; 2] = [0, 0],
        /// The distance between the kernel's elements.
        dilation: [usize; 2] = [1, 1],
        /// The number of groups of channels that do not see each other.
        groups: usize = 1,
        /// Whether a learned number is added to each output channel: on values of degree 0, and in `#[regular]` networks, where
        /// it is the default.
        bias: bool = false,
    }
}

layer! {
    /// A 3-d convolution: `[in, depth, height, width] → [out, depth', height', width']`. Keeps the degree.
    ///
    /// `y[o, s, u, v] = Σ w[o, c, h, i, j]·x[c, s·stride + h·dilation − padding, …]` over `c`, `h`, `i` and `j`; beyond the
    /// border `x` is 0.
    ///
    /// Weight `[out, in / groups, kernel depth, kernel height, kernel width]`, bias `[out]`.
    Conv3d {
        /// The number of output channels.
        out_channels: usize,
        /// The size of the kernel.
        kernel: [usize; 3],
        /// The step between windows.
        stride: [usize; 3] = [1, 1, 1],
        /// Zeros on each side.
        padding: [usize; 3] = [0, 0, 0],
        /// The distance between the kernel's elements.
        dilation: [usize; 3] = [1, 1, 1],
        /// The number of groups of channels that do not see each other.
        groups: usize = 1,
        /// Whether a learned number is added to each output channel: on values of degree 0, and in `#[regular]` networks, where
        /// it is the default.
        bias: bool = false,
    }
}

keeps_degree_without_bias!(Conv1d, Conv2d, Conv3d);

impl Conv1d {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(channels(self.out_channels, self.groups, input.dim(0)));
        let window = Window {
            kernel: [self.kernel],
            stride: [self.stride],
            padding: [self.padding],
            dilation: [self.dilation],
            ceil_mode: false,
        };
        window.output(input, self.out_channels, LINE)
    }

    /// The weights: `[out, in / groups, kernel]`, and `[out]` with a bias.
    pub const fn weights(&self, input: Shape) -> Weights {
        let weight = Shape::new([
            self.out_channels,
            group(input.dim(0), self.groups),
            self.kernel,
        ]);
        Weights::with_bias(weight, self.bias, self.out_channels)
    }
}

impl Conv2d {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(channels(self.out_channels, self.groups, input.dim(0)));
        let window = Window {
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
            ceil_mode: false,
        };
        window.output(input, self.out_channels, IMAGE)
    }

    /// The weights: `[out, in / groups, kernel height, kernel width]`, and `[out]` with a bias.
    pub const fn weights(&self, input: Shape) -> Weights {
        let [height, width] = self.kernel;
        let weight = Shape::new([
            self.out_channels,
            group(input.dim(0), self.groups),
            height,
            width,
        ]);
        Weights::with_bias(weight, self.bias, self.out_channels)
    }
}

impl Conv3d {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(channels(self.out_channels, self.groups, input.dim(0)));
        let window = Window {
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
            ceil_mode: false,
        };
        window.output(input, self.out_channels, VOLUME)
    }

    /// The weights: `[out, in / groups, kernel depth, kernel height, kernel width]`, and `[out]` with a bias.
    pub const fn weights(&self, input: Shape) -> Weights {
        let [depth, height, width] = self.kernel;
        let channels = group(input.dim(0), self.groups);
        let weight = Shape::new([self.out_channels, channels, depth, height, width]);
        Weights::with_bias(weight, self.bias, self.out_channels)
    }
}

/// The channels of one group. Group counts that do not divide have been refused by then.
pub(super) const fn group(channels: usize, groups: usize) -> usize {
    match channels.checked_div(groups) {
        Some(channels) => channels,
        None => channels,
    }
}

pub(super) const fn channels(
    out_channels: usize,
    groups: usize,
    in_channels: usize,
) -> Result<(), Fault> {
    if out_channels == 0 {
        return Err(Fault::Argument {
            name: "out_channels",
            expected: "at least 1",
        });
    }
    if groups == 0 {
        return Err(Fault::Argument {
            name: "groups",
            expected: "at least 1",
        });
    }
    if !in_channels.is_multiple_of(groups) {
        let what = "input channels";
        return Err(Fault::Indivisible {
            argument: "groups",
            what,
            size: in_channels,
            divisor: groups,
        });
    }
    if !out_channels.is_multiple_of(groups) {
        let what = "output channels";
        return Err(Fault::Indivisible {
            argument: "groups",
            what,
            size: out_channels,
            divisor: groups,
        });
    }
    Ok(())
}
