//! Linear changes of the spatial size: upsampling, pixel shuffle, padding with zeros.

use crate::argument::choice;
use crate::{Fault, Shape};

choice! {
    /// How [`Upsample`] fills the pixels between those it has.
    Interpolation {
        /// The nearest pixel.
        Nearest = "nearest",
        /// The weighted mean of the two nearest rows and columns.
        Bilinear = "bilinear",
    }
}

layer! {
    /// Enlarges an image: `[channels, height, width] → [channels, height·a, width·b]`. Keeps the degree.
    Upsample {
        /// The factors `(a, b)`.
        scale_factor: [usize; 2],
        /// The interpolation: `nearest` or `bilinear`.
        mode: Interpolation = Interpolation::Nearest,
        /// For `bilinear`: whether the centres of the corner pixels, not their outer corners, stay in place.
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
    /// Surrounds an image with zeros: `[channels, height, width] → [channels, top + height + bottom, left + width +
    /// right]`. Keeps the degree.
    ZeroPad2d {
        /// `(left, right, top, bottom)`, or one number for all sides.
        padding: [usize; 4],
    }
}

keeps_degree!(Upsample, PixelShuffle, ZeroPad2d);
no_weights!(Upsample, PixelShuffle, ZeroPad2d);

const IMAGE: &str = "[channels, height, width]";

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
                expected: "`false` unless `mode = bilinear`",
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

impl ZeroPad2d {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        if input.rank() != 3 {
            return Err(Fault::Rank {
                expected: IMAGE,
                found: input,
            });
        }
        let [left, right, top, bottom] = self.padding;
        let height = input.dim(1).saturating_add(top).saturating_add(bottom);
        let width = input.dim(2).saturating_add(left).saturating_add(right);
        Ok(input.with_dim(1, height).with_dim(2, width))
    }
}
