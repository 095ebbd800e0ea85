//! Sliding-window pools: the maximum and the mean.

use super::{IMAGE, LINE, VOLUME};
use crate::window::Window;

layer! {
    /// The maximum of each window: `[channels, length] → [channels, length']`. Keeps the degree.
    ///
    /// `y[c, t] = max x[c, t·stride + i·dilation − padding]` over `i` in the kernel.
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
    /// `y[c, u, v] = max x[c, u·stride + i·dilation − padding, …]` over `i`, `j` in the kernel.
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
    /// The maximum of each window: `[channels, depth, height, width] → [channels, depth', height', width']`. Keeps the degree.
    ///
    /// `y[c, s, u, v] = max x[c, s·stride + h·dilation − padding, …]` over `h`, `i`, `j` in the kernel.
    ///
    /// Padding never wins; at ties the first element in row-major order does.
    MaxPool3d {
        /// The size of the window.
        kernel: [usize; 3],
        /// The step between windows; the kernel where it is not given.
        stride: Option<[usize; 3]>,
        /// Elements that never win, on each side; at most half of the kernel.
        padding: [usize; 3] = [0, 0, 0],
        /// The distance between the window's elements.
        dilation: [usize; 3] = [1, 1, 1],
        /// Whether a last, partial window counts.
        ceil_mode: bool = false,
    }
}

layer! {
    /// The mean of each window: `[channels, length] → [channels, length']`. Keeps the degree.
    ///
    /// `y[c, t] = Σ x[c, t·stride + i − padding] / n` over `i` in the kernel, of which `n` count.
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
    ///
    /// `y[c, u, v] = Σ x[c, u·stride + i − padding, …] / n` over `i`, `j` in the kernel, of which `n` count.
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

layer! {
    /// The mean of each window: `[channels, depth, height, width] → [channels, depth', height', width']`. Keeps the degree.
    ///
    /// `y[c, s, u, v] = Σ x[c, s·stride + h − padding, …] / n` over `h`, `i`, `j` in the kernel, of which `n` count.
    AvgPool3d {
        /// The size of the window.
        kernel: [usize; 3],
        /// The step between windows; the kernel where it is not given.
        stride: Option<[usize; 3]>,
        /// Zeros on each side; at most half of the kernel.
        padding: [usize; 3] = [0, 0, 0],
        /// Whether a last, partial window counts.
        ceil_mode: bool = false,
        /// Whether the zeros of the padding count in the mean's divisor.
        count_include_pad: bool = true,
    }
}

keeps_degree!(
    MaxPool1d, MaxPool2d, MaxPool3d, AvgPool1d, AvgPool2d, AvgPool3d
);
no_weights!(
    MaxPool1d, MaxPool2d, MaxPool3d, AvgPool1d, AvgPool2d, AvgPool3d
);

windows! {
    MaxPool1d: usize, LINE, |pool| Window {
        kernel: [pool.kernel], stride: [pool.stride()], padding: [pool.padding], dilation: [pool.dilation], ceil_mode: pool.ceil_mode
    };
    MaxPool2d: [usize; 2], IMAGE, |pool| Window {
        kernel: pool.kernel, stride: pool.stride(), padding: pool.padding, dilation: pool.dilation, ceil_mode: pool.ceil_mode
    };
    MaxPool3d: [usize; 3], VOLUME, |pool| Window {
        kernel: pool.kernel, stride: pool.stride(), padding: pool.padding, dilation: pool.dilation, ceil_mode: pool.ceil_mode
    };
    AvgPool1d: usize, LINE, |pool| Window {
        kernel: [pool.kernel], stride: [pool.stride()], padding: [pool.padding], dilation: [1], ceil_mode: pool.ceil_mode
    };
    AvgPool2d: [usize; 2], IMAGE, |pool| Window {
        kernel: pool.kernel, stride: pool.stride(), padding: pool.padding, dilation: [1, 1], ceil_mode: pool.ceil_mode
    };
    AvgPool3d: [usize; 3], VOLUME, |pool| Window {
        kernel: pool.kernel, stride: pool.stride(), padding: pool.padding, dilation: [1, 1, 1], ceil_mode: pool.ceil_mode
    };
}
