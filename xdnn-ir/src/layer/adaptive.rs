//! Pools whose windows follow from the size of their output.

use super::{IMAGE, LINE, VOLUME};
use crate::window::MAX_POOL;
use crate::{Fault, Shape};

layer! {
    /// The mean of `length` windows that cover the input: `[channels, n] → [channels, length]`. Keeps the degree.
    ///
    /// Element `i` of the result averages elements `⌊i·n/length⌋` to `⌈(i+1)·n/length⌉`.
    AdaptiveAvgPool1d {
        /// The length of the result.
        length: usize,
    }
}

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
    /// The mean of `depth × height × width` windows that cover the input: `[channels, d, h, w] → [channels, depth,
    /// height, width]`. Keeps the degree.
    ///
    /// Plane `i` of the result averages planes `⌊i·d/depth⌋` to `⌈(i+1)·d/depth⌉`, likewise for rows and columns.
    AdaptiveAvgPool3d {
        /// The depth of the result.
        depth: usize,
        /// The height of the result; the depth where it is not given.
        height: Option<usize>,
        /// The width of the result; the depth where it is not given.
        width: Option<usize>,
    }
}

layer! {
    /// The maximum of `length` windows that cover the input: `[channels, n] → [channels, length]`. Keeps the degree.
    ///
    /// Element `i` of the result is the maximum of elements `⌊i·n/length⌋` to `⌈(i+1)·n/length⌉`, the first of
    /// several.
    AdaptiveMaxPool1d {
        /// The length of the result.
        length: usize,
    }
}

layer! {
    /// The maximum of `height × width` windows that cover the input: `[channels, h, w] → [channels, height, width]`. Keeps
    /// the degree.
    ///
    /// Row `i` of the result is the maximum of rows `⌊i·h/height⌋` to `⌈(i+1)·h/height⌉`, likewise for columns;
    /// at ties it is the first element in row-major order.
    AdaptiveMaxPool2d {
        /// The height of the result.
        height: usize,
        /// The width of the result; the height where it is not given.
        width: Option<usize>,
    }
}

layer! {
    /// The maximum of `depth × height × width` windows that cover the input: `[channels, d, h, w] → [channels, depth,
    /// height, width]`. Keeps the degree.
    ///
    /// Plane `i` of the result is the maximum of planes `⌊i·d/depth⌋` to `⌈(i+1)·d/depth⌉`, likewise for rows and
    /// columns; at ties it is the first element in row-major order.
    AdaptiveMaxPool3d {
        /// The depth of the result.
        depth: usize,
        /// The height of the result; the depth where it is not given.
        height: Option<usize>,
        /// The width of the result; the depth where it is not given.
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

keeps_degree!(
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AdaptiveMaxPool3d,
    GlobalAvgPool,
    GlobalMaxPool
);
no_weights!(
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AdaptiveMaxPool3d,
    GlobalAvgPool,
    GlobalMaxPool
);

/// Gives pools their shape rule: the sizes of the result with the names of their arguments, and the form of the input.
macro_rules! adaptive {
    ($($name:ident: $form:expr, |$pool:ident| $sizes:expr;)*) => {$(
        impl $name {
            /// The shape of the result.
            pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
                let $pool = self;
                covering(input, &$sizes, $form)
            }
        }
    )*};
}

adaptive! {
    AdaptiveAvgPool1d: LINE, |pool| [("length", pool.length)];
    AdaptiveAvgPool2d: IMAGE, |pool| [("height", pool.height), ("width", or(pool.width, pool.height))];
    AdaptiveAvgPool3d: VOLUME, |pool| [
        ("depth", pool.depth), ("height", or(pool.height, pool.depth)), ("width", or(pool.width, pool.depth))
    ];
    AdaptiveMaxPool1d: LINE, |pool| [("length", pool.length)];
    AdaptiveMaxPool2d: IMAGE, |pool| [("height", pool.height), ("width", or(pool.width, pool.height))];
    AdaptiveMaxPool3d: VOLUME, |pool| [
        ("depth", pool.depth), ("height", or(pool.height, pool.depth)), ("width", or(pool.width, pool.depth))
    ];
}

const fn or(size: Option<usize>, default: usize) -> usize {
    match size {
        Some(size) => size,
        None => default,
    }
}

const fn covering(
    input: Shape,
    sizes: &[(&'static str, usize)],
    form: &'static str,
) -> Result<Shape, Fault> {
    if input.rank() != sizes.len() + 1 {
        return Err(Fault::Rank {
            expected: form,
            found: input,
        });
    }
    let (mut output, mut i) = (input, 0);
    while i < sizes.len() {
        let (name, size) = sizes[i];
        if size == 0 {
            return Err(Fault::Argument {
                name,
                expected: "at least 1",
            });
        }
        output = output.with_dim(i + 1, size);
        i += 1;
    }
    Ok(output)
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

pub(super) const fn global(input: Shape) -> Result<Shape, Fault> {
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
