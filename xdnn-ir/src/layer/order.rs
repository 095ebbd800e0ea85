//! Pools that select by order: the minimum, the median, the largest few. Scaling by a positive factor changes no order.

use super::adaptive::global;
use super::{IMAGE, LINE, VOLUME};
use crate::window::Window;
use crate::{Fault, Shape};

layer! {
    /// The minimum of each window: `[channels, length] → [channels, length']`. Keeps the degree.
    ///
    /// `y[c, t] = min x[c, t·stride + i·dilation − padding]` over `i` in the kernel.
    ///
    /// Padding never wins; at ties the first element does.
    MinPool1d {
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
    /// The minimum of each window: `[channels, height, width] → [channels, height', width']`. Keeps the degree.
    ///
    /// `y[c, u, v] = min x[c, u·stride + i·dilation − padding, …]` over `i`, `j` in the kernel.
    ///
    /// Padding never wins; at ties the first element in row-major order does.
    MinPool2d {
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
    /// The minimum of each window: `[channels, depth, height, width] → [channels, depth', height', width']`. Keeps the degree.
    ///
    /// `y[c, s, u, v] = min x[c, s·stride + h·dilation − padding, …]` over `h`, `i`, `j` in the kernel.
    ///
    /// Padding never wins; at ties the first element in row-major order does.
    MinPool3d {
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
    /// The median of each window, the lower one of two: `[channels, length] → [channels, length']`. Keeps the degree.
    ///
    /// Padding does not count; of equal elements the first one is the median.
    MedianPool1d {
        /// The size of the window.
        kernel: usize,
        /// The step between windows; the kernel where it is not given.
        stride: Option<usize>,
        /// Elements that do not count, on each side; at most half of the kernel.
        padding: usize = 0,
        /// The distance between the window's elements.
        dilation: usize = 1,
        /// Whether a last, partial window counts.
        ceil_mode: bool = false,
    }
}

layer! {
    /// The median of each window, the lower one of two: `[channels, height, width] → [channels, height', width']`. Keeps the degree.
    ///
    /// Padding does not count; of equal elements the first one in row-major order is the median.
    MedianPool2d {
        /// The size of the window.
        kernel: [usize; 2],
        /// The step between windows; the kernel where it is not given.
        stride: Option<[usize; 2]>,
        /// Elements that do not count, on each side; at most half of the kernel.
        padding: [usize; 2] = [0, 0],
        /// The distance between the window's elements.
        dilation: [usize; 2] = [1, 1],
        /// Whether a last, partial window counts.
        ceil_mode: bool = false,
    }
}

layer! {
    /// The mean of the `k` largest of all positions: `[channels, …] → [channels, 1, …]`. Keeps the degree.
    ///
    /// `k = 1` is the maximum, `k` as large as the number of positions the mean; at ties the first positions count.
    TopKPool {
        /// How many positions of each channel count.
        k: usize,
    }
}

keeps_degree!(
    TopKPool,
    MinPool1d,
    MinPool2d,
    MinPool3d,
    MedianPool1d,
    MedianPool2d
);
no_weights!(
    TopKPool,
    MinPool1d,
    MinPool2d,
    MinPool3d,
    MedianPool1d,
    MedianPool2d
);

windows! {
    MinPool1d: usize, LINE, |pool| Window {
        kernel: [pool.kernel], stride: [pool.stride()], padding: [pool.padding], dilation: [pool.dilation], ceil_mode: pool.ceil_mode
    };
    MinPool2d: [usize; 2], IMAGE, |pool| Window {
        kernel: pool.kernel, stride: pool.stride(), padding: pool.padding, dilation: pool.dilation, ceil_mode: pool.ceil_mode
    };
    MinPool3d: [usize; 3], VOLUME, |pool| Window {
        kernel: pool.kernel, stride: pool.stride(), padding: pool.padding, dilation: pool.dilation, ceil_mode: pool.ceil_mode
    };
    MedianPool1d: usize, LINE, |pool| Window {
        kernel: [pool.kernel], stride: [pool.stride()], padding: [pool.padding], dilation: [pool.dilation], ceil_mode: pool.ceil_mode
    };
    MedianPool2d: [usize; 2], IMAGE, |pool| Window {
        kernel: pool.kernel, stride: pool.stride(), padding: pool.padding, dilation: pool.dilation, ceil_mode: pool.ceil_mode
    };
}

impl TopKPool {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        let output = tri!(global(input));
        if self.k == 0 || self.k > input.with_dim(0, 1).elements() {
            return Err(Fault::Argument {
                name: "k",
                expected: "at least 1 and at most the number of positions of a channel",
            });
        }
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_count_than_there_are() {
        let output = |k| TopKPool { k }.output(Shape::new([5, 2, 3]));
        assert_eq!(output(1), Ok(Shape::new([5, 1, 1])));
        assert_eq!(output(6), output(1));
        assert!(output(0).is_err() && output(7).is_err());
    }
}
