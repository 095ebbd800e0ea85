//! Sliding windows: the geometry that convolutions and pools share.

use crate::{Fault, Shape};

/// The most elements of a pool's window: the position of a maximum is kept as an `f32`, exact up to here.
pub(crate) const MAX_POOL: usize = 1 << 24;

/// The arguments of a sliding window over `R` spatial axes.
#[derive(Clone, Copy)]
pub(crate) struct Window<const R: usize> {
    pub kernel: [usize; R],
    pub stride: [usize; R],
    pub padding: [usize; R],
    pub dilation: [usize; R],
    pub ceil_mode: bool,
}

impl<const R: usize> Window<R> {
    /// The shape `[channels, …]` of what the window reads from `input` writes.
    ///
    /// Each axis has `⌊(n + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1` positions; with `ceil_mode` the
    /// quotient is rounded up, and a last window that would start beyond the input and its left padding is dropped.
    pub(crate) const fn output(
        &self,
        input: Shape,
        channels: usize,
        expected: &'static str,
    ) -> Result<Shape, Fault> {
        if input.rank() != R + 1 {
            return Err(Fault::Rank {
                expected,
                found: input,
            });
        }
        let mut output = input.with_dim(0, channels);
        let mut i = 0;
        while i < R {
            let size = tri!(self.positions(i, input.dim(i + 1)));
            output = output.with_dim(i + 1, size);
            i += 1;
        }
        Ok(output)
    }

    const fn positions(&self, axis: usize, input: usize) -> Result<usize, Fault> {
        let (kernel, stride) = (self.kernel[axis], self.stride[axis]);
        let (padding, dilation) = (self.padding[axis], self.dilation[axis]);
        if kernel == 0 {
            return Err(Fault::Argument {
                name: "kernel",
                expected: "at least 1",
            });
        }
        if stride == 0 {
            return Err(Fault::Argument {
                name: "stride",
                expected: "at least 1",
            });
        }
        if dilation == 0 {
            return Err(Fault::Argument {
                name: "dilation",
                expected: "at least 1",
            });
        }
        let extent = (kernel - 1).saturating_mul(dilation).saturating_add(1);
        let padded = input.saturating_add(padding.saturating_mul(2));
        if extent > padded {
            return Err(Fault::KernelTooLarge {
                kernel: extent,
                input,
                padding,
            });
        }
        if padded > isize::MAX as usize {
            return Err(Fault::TooLarge);
        }
        let free = padded - extent;
        if !self.ceil_mode {
            return Ok((free / stride).saturating_add(1));
        }
        let size = free.div_ceil(stride).saturating_add(1);
        if (size - 1).saturating_mul(stride) >= input.saturating_add(padding) {
            Ok(size - 1)
        } else {
            Ok(size)
        }
    }

    /// Pools forbid windows that hold nothing but padding, and those of more than [`MAX_POOL`] elements. PyTorch does
    /// the former for those without dilation.
    pub(crate) const fn pool(&self, input: Shape, expected: &'static str) -> Result<Shape, Fault> {
        let mut i = 0;
        while i < R {
            if self.padding[i] > self.kernel[i] / 2 {
                return Err(Fault::PaddingTooLarge {
                    padding: self.padding[i],
                    kernel: self.kernel[i],
                });
            }
            i += 1;
        }
        let output = tri!(self.output(input, input.dim(0), expected));
        let mut elements: usize = 1;
        let mut i = 0;
        while i < R {
            elements = elements.saturating_mul(self.kernel[i]);
            let (size, padding, dilation) = (input.dim(i + 1), self.padding[i], self.dilation[i]);
            if self.steps_over(i, size) {
                return Err(Fault::EmptyWindow {
                    dilation,
                    input: size,
                    padding,
                });
            }
            i += 1;
        }
        if elements > MAX_POOL {
            return Err(Fault::TooLarge);
        }
        Ok(output)
    }

    /// Whether the first window has elements in the padding on both sides and none between. Later windows need no
    /// look: as `padding ≤ kernel / 2` and the window fits, a dilation beyond the input leaves room for one alone.
    const fn steps_over(&self, axis: usize, input: usize) -> bool {
        let (padding, dilation) = (self.padding[axis], self.dilation[axis]);
        let first = padding.div_ceil(dilation).saturating_mul(dilation);
        first >= padding.saturating_add(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window<const R: usize>(kernel: [usize; R], padding: [usize; R]) -> Window<R> {
        Window {
            kernel,
            stride: [1; R],
            padding,
            dilation: [1; R],
            ceil_mode: false,
        }
    }

    #[test]
    fn windows_of_pools_have_positions_that_f32_holds() {
        let line = |kernel| window([kernel], [0]).pool(Shape::new([1, usize::MAX / 2]), "");
        assert!(line(1 << 24).is_ok());
        assert_eq!(line((1 << 24) + 1), Err(Fault::TooLarge));
        let plane = |kernel| window(kernel, [0, 0]).pool(Shape::new([1, 1 << 40, 1 << 40]), "");
        assert!(plane([1 << 12, 1 << 12]).is_ok());
        assert_eq!(plane([1 << 12, (1 << 12) + 1]), Err(Fault::TooLarge));
        assert_eq!(plane([1 << 40, 1 << 40]), Err(Fault::TooLarge));
        let convolution = window([1 << 25], [0]).output(Shape::new([1, 1 << 25]), 1, "");
        assert_eq!(convolution, Ok(Shape::new([1, 1])));
    }

    #[test]
    fn padded_inputs_have_signed_sizes() {
        const MAX: usize = isize::MAX as usize;
        let output = |input, padding| {
            let mut window = window([1], [padding]);
            window.stride = [MAX];
            window.output(Shape::new([1, input]), 1, "")
        };
        assert_eq!(output(MAX - 2, 1), Ok(Shape::new([1, 1])));
        assert_eq!(output(MAX - 1, 1), Err(Fault::TooLarge));
        assert_eq!(output(1, usize::MAX), Err(Fault::TooLarge));
    }
}
