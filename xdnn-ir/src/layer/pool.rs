//! Sliding-window pools.

use crate::window::Window;
use crate::{Fault, Shape};

layer! {
    /// The maximum of each window: `[channels, length] → [channels, length']`. Keeps the degree.
    ///
    /// Padding never wins; at ties the first element does.
    MaxPool1d {
        /// The size of the window.
        kernel: usize,
        /// The step between windows; the kernel where it is not given.
        stride: Option<usize>,
        /// Elements that never win, on each side; at most half of the kernel.
        padding: usize = 0,
        /// The distance between the window's elements.
        dilation: usize = 1,
        /// Whether a last, partial window counts.
        ceil_mode: bool = false,
    }
}

layer! {
    /// The maximum of each window: `[channels, height, width] → [channels, height', width']`. Keeps the degree.
    ///
    /// Padding never wins; at ties the first element in row-major order does.
    MaxPool2d {
        /// The size of the window.
        kernel: [usize; 2],
        /// The step between windows; the kernel where it is not given.
        stride: Option<[usize; 2]>,
        /// Elements that never win, on each side; at most half of the kernel.
        padding: [usize; 2] = [0, 0],
        /// The distance between the window's elements.
        dilation: [usize; 2] = [1, 1],
        /// Whether a last, partial window counts.
        ceil_mode: bool = false,
    }
}

layer! {
    /// The mean of each window: `[channels, length] → [channels, length']`. Keeps the degree.
    AvgPool1d {
        /// The size of the window.
        kernel: usize,
        /// The step between windows; the kernel where it is not given.
        stride: Option<usize>,
        /// Zeros on each side; at most half of the kernel.
        padding: usize = 0,
        /// Whether a last, partial window counts.
        ceil_mode: bool = false,
        /// Whether the zeros of the padding count in the mean's divisor.
        count_include_pad: bool = true,
    }
}

layer! {
    /// The mean of each window: `[channels, height, width] → [channels, height', width']`. Keeps the degree.
    AvgPool2d {
        /// The size of the window.
        kernel: [usize; 2],
        /// The step between windows; the kernel where it is not given.
        stride: Option<[usize; 2]>,
        /// Zeros on each side; at most half of the kernel.
        padding: [usize; 2] = [0, 0],
        /// Whether a last, partial window counts.
        ceil_mode: bool = false,
        /// Whether the zeros of the padding count in the mean's divisor.
        count_include_pad: bool = true,
    }
}

keeps_degree!(MaxPool1d, MaxPool2d, AvgPool1d, AvgPool2d);
no_weights!(MaxPool1d, MaxPool2d, AvgPool1d, AvgPool2d);

impl MaxPool1d {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        let window = Window {
            kernel: [self.kernel],
            stride: [self.stride()],
            padding: [self.padding],
            dilation: [self.dilation],
            ceil_mode: self.ceil_mode,
        };
        window.pool(input, "[channels, length]")
    }

    /// The step between windows.
    pub const fn stride(&self) -> usize {
        match self.stride {
            Some(stride) => stride,
            None => self.kernel,
        }
    }
}

impl MaxPool2d {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        let window = Window {
            kernel: self.kernel,
            stride: self.stride(),
            padding: self.padding,
            dilation: self.dilation,
            ceil_mode: self.ceil_mode,
        };
        window.pool(input, "[channels, height, width]")
    }

    /// The step between windows.
    pub const fn stride(&self) -> [usize; 2] {
        match self.stride {
            Some(stride) => stride,
            None => self.kernel,
        }
    }
}

impl AvgPool1d {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        let window = Window {
            kernel: [self.kernel],
            stride: [self.stride()],
            padding: [self.padding],
            dilation: [1],
            ceil_mode: self.ceil_mode,
        };
        window.pool(input, "[channels, length]")
    }

    /// The step between windows.
    pub const fn stride(&self) -> usize {
        match self.stride {
            Some(stride) => stride,
            None => self.kernel,
        }
    }
}

impl AvgPool2d {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        let window = Window {
            kernel: self.kernel,
            stride: self.stride(),
            padding: self.padding,
            dilation: [1, 1],
            ceil_mode: self.ceil_mode,
        };
        window.pool(input, "[channels, height, width]")
    }

    /// The step between windows.
    pub const fn stride(&self) -> [usize; 2] {
        match self.stride {
            Some(stride) => stride,
            None => self.kernel,
        }
    }
}
