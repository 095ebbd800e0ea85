//! Pools whose windows follow from the size of their output.

use crate::window::MAX_POOL;
use crate::{Fault, Shape};

layer! {
    /// The mean of `height × width` windows that cover the input: `[channels, h, w] → [channels, height, width]`. Keeps
    /// the degree.
    ///
    /// Row `i` of the result averages rows `⌊i·h/height⌋` to `⌈(i+1)·h/height⌉`, likewise for columns.
    AdaptiveAvgPool2d {
        /// The height of the result.
        height: usize,
        /// The width of the result; the height where it is not given.
        width: Option<usize>,
    }
}

layer! {
    /// The mean over all positions: `[channels, …] → [channels, 1, …]`. Keeps the degree.
    GlobalAvgPool {}
}

layer! {
    /// The maximum over all positions, 2^24 at most: `[channels, …] → [channels, 1, …]`. Keeps the degree.
    GlobalMaxPool {}
}

keeps_degree!(AdaptiveAvgPool2d, GlobalAvgPool, GlobalMaxPool);
no_weights!(AdaptiveAvgPool2d, GlobalAvgPool, GlobalMaxPool);

impl AdaptiveAvgPool2d {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        if self.height == 0 {
            return Err(Fault::Argument {
                name: "height",
                expected: "at least 1",
            });
        }
        if self.width() == 0 {
            return Err(Fault::Argument {
                name: "width",
                expected: "at least 1",
            });
        }
        if input.rank() != 3 {
            return Err(Fault::Rank {
                expected: "[channels, height, width]",
                found: input,
            });
        }
        Ok(input.with_dim(1, self.height).with_dim(2, self.width()))
    }

    /// The width of the result.
    pub const fn width(&self) -> usize {
        match self.width {
            Some(width) => width,
            None => self.height,
        }
    }
}

impl GlobalAvgPool {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        global(input)
    }
}

impl GlobalMaxPool {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        let output = tri!(global(input));
        if input.with_dim(0, 1).elements() > MAX_POOL {
            return Err(Fault::TooLarge);
        }
        Ok(output)
    }
}

const fn global(input: Shape) -> Result<Shape, Fault> {
    if input.rank() < 2 {
        return Err(Fault::Rank {
            expected: "[channels, length] or [channels, height, width]",
            found: input,
        });
    }
    let mut output = input;
    let mut axis = 1;
    while axis < input.rank() {
        output = output.with_dim(axis, 1);
        axis += 1;
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_positions_of_global_maxima_fit_f32() {
        let output = |dims| GlobalMaxPool {}.output(Shape::new(dims));
        let one = Ok(Shape::new([9, 1, 1]));
        assert_eq!(output([9, 1 << 12, 1 << 12]), one);
        assert_eq!(output([9, 1 << 12, (1 << 12) + 1]), Err(Fault::TooLarge));
        assert_eq!(output([9, usize::MAX, usize::MAX]), Err(Fault::TooLarge));
        let mean = GlobalAvgPool {}.output(Shape::new([9, 1 << 13, 1 << 13]));
        assert_eq!(mean, one);
    }

    #[test]
    fn the_refusal_names_the_window() {
        let message = Fault::TooLarge.message("GlobalMaxPool");
        assert_eq!(
            message.headline,
            "the window or the result of `GlobalMaxPool` is too large"
        );
        let note = message.note.unwrap_or_default();
        assert!(note.contains("at most 2^24 elements"), "{note}");
    }
}
