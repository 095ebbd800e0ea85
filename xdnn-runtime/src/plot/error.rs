use std::{io, path::PathBuf};

/// What can go wrong when a figure is drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlotError {
    /// An array has a shape that is no picture.
    #[error("`{array}` must have the shape {expected}, none of them 0, found `{found:?}`")]
    Shape {
        /// Which array: `image` or `attribution`.
        array: &'static str,
        /// The shapes that it may have.
        expected: &'static str,
        /// The shape that it has.
        found: Vec<usize>,
    },

    /// The image and its attribution differ in height or width.
    #[error(
        "`image` and `attribution` must agree in height and width, found `{image:?}` and `{attribution:?}`"
    )]
    Mismatch {
        /// Height and width of the image, in pixels.
        image: (usize, usize),
        /// Height and width of the attribution, in pixels.
        attribution: (usize, usize),
    },

    /// A value is NaN or infinite, or a sum over channels overflows.
    #[error("`{array}` must be finite, found `{value}` at index `{index:?}`")]
    NonFinite {
        /// Which array: `image` or `attribution`.
        array: &'static str,
        /// The first such index, one number per axis (`(y, x)` where a sum overflows).
        index: Vec<usize>,
        /// The value found there.
        value: f64,
    },

    /// The percentile lies outside of `(0, 100]`.
    #[error("`percentile` must lie above 0 and at most at 100, found `{0}`")]
    Percentile(f64),

    /// The figure has no pairs.
    #[error("the figure is empty: add a `pair` before it is drawn")]
    Empty,

    /// The figure would be larger than 32,768 pixels on a side or 2²⁸ pixels in all.
    #[error(
        "the figure would be `{width} × {height}` pixels: take fewer pairs or a smaller `tile`"
    )]
    TooLarge {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },

    /// The font inside of the crate is damaged.
    #[error("the font that the crate carries cannot be read")]
    Font,

    /// The picture cannot be encoded as PNG.
    #[error("the figure cannot be encoded as PNG: {reason}")]
    Encode {
        /// What the encoder says.
        reason: String,
    },

    /// The file cannot be written; whatever was at `path` before is still there.
    #[error("cannot write the figure to `{path}`: {source}", path = path.display())]
    Write {
        /// Where the figure was to go.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
