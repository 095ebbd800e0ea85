//! Transposed convolutions: the maps that take the result of a convolution back to the form of its input.

use super::convolution::{channels, group};
use super::{IMAGE, LINE, VOLUME, Weights};
use crate::{Fault, Shape};

layer! {
    /// A transposed 1-d convolution: `[in, length] → [out, length']`. Keeps the degree.
    ///
    /// `y[o, t] = Σ w[c, o, i]·x[c, s]` over all `s·stride + i·dilation − padding = t`: the transpose of [`Conv1d`](super::Conv1d).
    ///
    /// Weight `[in, out / groups, kernel]`, bias `[out]`.
    ConvTranspose1d {
        /// The number of output channels.
        out_channels: usize,
        /// The size of the kernel.
        kernel: usize,
        /// The distance in the result between neighbours of the input.
        stride: usize = 1,
        /// What is cut off the result on each side.
        padding: usize = 0,
        /// What is added to the size of the result at its end; less than the stride or than the dilation.
        output_padding: usize = 0,
        /// The number of groups of channels that do not see each other.
        groups: usize = 1,
        /// The distance between the kernel's elements.
        dilation: usize = 1,
        /// Whether a learned number is added to each output channel: on values of degree 0, and in `#[regular]` networks, where
        /// it is the default.
        bias: bool = false,
    }
}

layer! {
    /// A transposed 2-d convolution: `[in, height, width] → [out, height', width']`. Keeps the degree.
    ///
    /// `y[o, t, …] = Σ w[c, o, i, …]·x[c, s, …]` over all `s·stride + i·dilation − padding = t`, likewise for columns: the
    /// transpose of [`Conv2d`](super::Conv2d).
    ///
    /// Weight `[in, out / groups, kernel height, kernel width]`, bias `[out]`.
    ConvTranspose2d {
        /// The number of output channels.
        out_channels: usize,
        /// The size of the kernel.
        kernel: [usize; 2],
        /// The distance in the result between neighbours of the input.
        stride: [usize; 2] = [1, 1],
        /// What is cut off the result on each side.
        padding: [usize; 2] = [0, 0],
        /// What is added to the size of the result at its end; less than the stride or than the dilation.
        output_padding: [usize; 2] = [0, 0],
        /// The number of groups of channels that do not see each other.
        groups: usize = 1,
        /// The distance between the kernel's elements.
        dilation: [usize; 2] = [1, 1],
        /// Whether a learned number is added to each output channel: on values of degree 0, and in `#[regular]` networks, where
        /// it is the default.
        bias: bool = false,
    }
}

layer! {
    /// A transposed 3-d convolution: `[in, depth, height, width] → [out, depth', height', width']`. Keeps the
    /// degree.
    ///
    /// `y[o, t, …] = Σ w[c, o, i, …]·x[c, s, …]` over all `s·stride + i·dilation − padding = t`, likewise for rows and columns: the
    /// transpose of [`Conv3d`](super::Conv3d).
    ///
    /// Weight `[in, out / groups, kernel depth, kernel height, kernel width]`, bias `[out]`.
    ConvTranspose3d {
        /// The number of output channels.
        out_channels: usize,
        /// The size of the kernel.
        kernel: [usize; 3],
        /// The distance in the result between neighbours of the input.
        stride: [usize; 3] = [1, 1, 1],
        /// What is cut off the result on each side.
        padding: [usize; 3] = [0, 0, 0],
        /// What is added to the size of the result at its end; less than the stride or than the dilation.
        output_padding: [usize; 3] = [0, 0, 0],
        /// The number of groups of channels that do not see each other.
        groups: usize = 1,
        /// The distance between the kernel's elements.
        dilation: [usize; 3] = [1, 1, 1],
        /// Whether a learned number is added to each output channel: on values of degree 0, and in `#[regular]` networks, where
        /// it is the default.
        bias: bool = false,
    }
}

keeps_degree_without_bias!(ConvTranspose1d, ConvTranspose2d, ConvTranspose3d);

impl ConvTranspose1d {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(channels(self.out_channels, self.groups, input.dim(0)));
        let footprint = Footprint {
            kernel: [self.kernel],
            stride: [self.stride],
            padding: [self.padding],
            output_padding: [self.output_padding],
            dilation: [self.dilation],
        };
        footprint.output(input, self.out_channels, LINE)
    }

    /// The weights: `[in, out / groups, kernel]`, and `[out]` with a bias.
    pub const fn weights(&self, input: Shape) -> Weights {
        let outputs = group(self.out_channels, self.groups);
        Weights::with_bias(
            Shape::new([input.dim(0), outputs, self.kernel]),
            self.bias,
            self.out_channels,
        )
    }
}

impl ConvTranspose2d {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(channels(self.out_channels, self.groups, input.dim(0)));
        let footprint = Footprint {
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            output_padding: self.output_padding,
            dilation: self.dilation,
        };
        footprint.output(input, self.out_channels, IMAGE)
    }

    /// The weights: `[in, out / groups, kernel height, kernel width]`, and `[out]` with a bias.
    pub const fn weights(&self, input: Shape) -> Weights {
        let [height, width] = self.kernel;
        let outputs = group(self.out_channels, self.groups);
        Weights::with_bias(
            Shape::new([input.dim(0), outputs, height, width]),
            self.bias,
            self.out_channels,
        )
    }
}

impl ConvTranspose3d {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(channels(self.out_channels, self.groups, input.dim(0)));
        let footprint = Footprint {
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            output_padding: self.output_padding,
            dilation: self.dilation,
        };
        footprint.output(input, self.out_channels, VOLUME)
    }

    /// The weights: `[in, out / groups, kernel depth, kernel height, kernel width]`, and `[out]` with a bias.
    pub const fn weights(&self, input: Shape) -> Weights {
        let [depth, height, width] = self.kernel;
        let outputs = group(self.out_channels, self.groups);
        Weights::with_bias(
            Shape::new([input.dim(0), outputs, depth, height, width]),
            self.bias,
            self.out_channels,
        )
    }
}

/// What each element of the input writes, along `R` spatial axes.
struct Footprint<const R: usize> {
    kernel: [usize; R],
    stride: [usize; R],
    padding: [usize; R],
    output_padding: [usize; R],
    dilation: [usize; R],
}

impl<const R: usize> Footprint<R> {
    /// The shape `[channels, …]` of the result. Each axis has `(n − 1)·stride + dilation·(kernel − 1) + 1 +
    /// output_padding − 2·padding` elements.
    const fn output(
        &self,
        input: Shape,
        channels: usize,
        form: &'static str,
    ) -> Result<Shape, Fault> {
        if input.rank() != R + 1 {
            return Err(Fault::Rank {
                expected: form,
                found: input,
            });
        }
        let (mut output, mut i) = (input.with_dim(0, channels), 0);
        while i < R {
            let size = tri!(self.size(i, input.dim(i + 1)));
            output = output.with_dim(i + 1, size);
            i += 1;
        }
        Ok(output)
    }

    const fn size(&self, axis: usize, input: usize) -> Result<usize, Fault> {
        let (kernel, stride, dilation) =
            (self.kernel[axis], self.stride[axis], self.dilation[axis]);
        tri!(at_least_1("kernel", kernel));
        tri!(at_least_1("stride", stride));
        tri!(at_least_1("dilation", dilation));
        let output_padding = self.output_padding[axis];
        if output_padding >= stride && output_padding >= dilation {
            return Err(Fault::Argument {
                name: "output_padding",
                expected: "less than `stride` or less than `dilation`",
            });
        }
        let last = input.saturating_sub(1).saturating_mul(stride);
        let extent = (kernel - 1).saturating_mul(dilation).saturating_add(1);
        let whole = last.saturating_add(extent).saturating_add(output_padding);
        if whole > isize::MAX as usize {
            return Err(Fault::TooLarge);
        }
        match whole.checked_sub(self.padding[axis].saturating_mul(2)) {
            None | Some(0) => Err(Fault::Argument {
                name: "padding",
                expected: "smaller: it cuts off all of the result",
            }),
            Some(size) => Ok(size),
        }
    }
}

const fn at_least_1(name: &'static str, value: usize) -> Result<(), Fault> {
    if value == 0 {
        return Err(Fault::Argument {
            name,
            expected: "at least 1",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(
        kernel: usize,
        stride: usize,
        padding: usize,
        output_padding: usize,
    ) -> ConvTranspose1d {
        ConvTranspose1d {
            out_channels: 4,
            kernel,
            stride,
            padding,
            output_padding,
            groups: 2,
            bias: false,
            dilation: 1,
        }
    }

    #[test]
    fn sizes_are_those_of_pytorch() {
        let output = |layer: ConvTranspose1d| layer.output(Shape::new([6, 5]));
        assert_eq!(output(line(3, 2, 1, 1)), Ok(Shape::new([4, 10])));
        assert_eq!(output(line(4, 2, 1, 0)), Ok(Shape::new([4, 10])));
        assert_eq!(output(line(1, 3, 0, 2)), Ok(Shape::new([4, 15])));
        let weights = line(3, 2, 1, 1).weights(Shape::new([6, 5]));
        assert_eq!(weights.as_slice(), [("weight", Shape::new([6, 2, 3]))]);
    }

    #[test]
    fn a_result_must_be_left() {
        let fault =
            |layer: ConvTranspose1d, length| layer.output(Shape::new([6, length])).unwrap_err();
        assert_eq!(
            fault(line(2, 2, 1, 2), 5).argument(),
            Some("output_padding")
        );
        assert_eq!(fault(line(2, 2, 1, 0), 1).argument(), Some("padding"));
        assert_eq!(fault(line(2, usize::MAX, 1, 0), 3), Fault::TooLarge);
    }
}
