//! Linear changes of the spatial size: upsampling, pixel shuffle and unshuffle.

use super::IMAGE;
use crate::argument::choice;
use crate::{Fault, Shape};

choice! {
    /// How [`Upsample`] fills the pixels between those it has.
    Interpolation {
        /// The nearest pixel.
        Nearest = "nearest",
        /// The weighted mean of the two nearest rows and columns.
        Bilinear = "bilinear",
        /// The weighted mean of the four nearest rows and columns (Keys 1981, with `a = −0.75`).
        Bicubic = "bicubic",
    }
}

layer! {
    /// Enlarges an image: `[channels, height, width] → [channels, height·a, width·b]`. Keeps the degree.
    Upsample {
        /// The factors `(a, b)`.
        scale_factor: [usize; 2],
        /// The interpolation: `nearest`, `bilinear` or `bicubic`.
        mode: Interpolation = Interpolation::Nearest,
        /// For `bilinear` and `bicubic`: whether the centres of the corner pixels, not their outer corners, stay in place.
        align_corners: bool = false,
    }
}

layer! {
    /// Turns channels into space: `[channels·r², height, width] → [channels, height·r, width·r]`. Keeps the degree.
    PixelShuffle {
        /// The factor `r`.
        upscale_factor: usize,
    }
}

layer! {
    /// Turns space into channels: `[channels, height, width] → [channels·r², height / r, width / r]`. Keeps the degree.
    PixelUnshuffle {
        /// The factor `r`.
        downscale_factor: usize,
    }
}

keeps_degree!(Upsample, PixelShuffle, PixelUnshuffle);
no_weights!(Upsample, PixelShuffle, PixelUnshuffle);

impl Upsample {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        let [vertical, horizontal] = self.scale_factor;
        if vertical == 0 || horizontal == 0 {
            return Err(Fault::Argument {
                name: "scale_factor",
                expected: "at least 1",
            });
        }
        if self.align_corners && matches!(self.mode, Interpolation::Nearest) {
            return Err(Fault::Argument {
                name: "align_corners",
                expected: "`false` unless `mode` is `bilinear` or `bicubic`",
            });
        }
        if input.rank() != 3 {
            return Err(Fault::Rank {
                expected: IMAGE,
                found: input,
            });
        }
        let (height, width) = (
            input.dim(1).saturating_mul(vertical),
            input.dim(2).saturating_mul(horizontal),
        );
        Ok(input.with_dim(1, height).with_dim(2, width))
    }
}

impl PixelShuffle {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        let (r, argument) = (self.upscale_factor, "upscale_factor");
        if r == 0 {
            return Err(Fault::Argument {
                name: argument,
                expected: "at least 1",
            });
        }
        if input.rank() != 3 {
            return Err(Fault::Rank {
                expected: IMAGE,
                found: input,
            });
        }
        let (channels, square) = (input.dim(0), r.saturating_mul(r));
        if !channels.is_multiple_of(square) {
            return Err(Fault::Indivisible {
                argument,
                what: "input channels",
                size: channels,
                divisor: square,
            });
        }
        let (height, width) = (
            input.dim(1).saturating_mul(r),
            input.dim(2).saturating_mul(r),
        );
        Ok(Shape::new([channels / square, height, width]))
    }
}

impl PixelUnshuffle {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        let (r, argument) = (self.downscale_factor, "downscale_factor");
        if r == 0 {
            return Err(Fault::Argument {
                name: argument,
                expected: "at least 1",
            });
        }
        if input.rank() != 3 {
            return Err(Fault::Rank {
                expected: IMAGE,
                found: input,
            });
        }
        let (height, width) = (input.dim(1), input.dim(2));
        if !height.is_multiple_of(r) {
            return Err(Fault::Indivisible {
                argument,
                what: "rows",
                size: height,
                divisor: r,
            });
        }
        if !width.is_multiple_of(r) {
            return Err(Fault::Indivisible {
                argument,
                what: "columns",
                size: width,
                divisor: r,
            });
        }
        let channels = input.dim(0).saturating_mul(r.saturating_mul(r));
        Ok(Shape::new([channels, height / r, width / r]))
    }
}
