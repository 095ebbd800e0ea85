use ndarray::{Array3, s};

use super::{PlotError, colour::Rgb};

/// An sRGB picture on white; what falls outside of it is not drawn.
pub(super) struct Canvas {
    pixels: Array3<u8>,
}

/// Where a rectangle lies, in pixels from the upper left corner.
#[derive(Clone, Copy)]
pub(super) struct Area {
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize) -> Result<Self, PlotError> {
        let fits = width <= 1 << 15 && height <= 1 << 15 && width * height <= 1 << 28;
        if !fits {
            return Err(PlotError::TooLarge { width, height });
        }
        Ok(Self {
            pixels: Array3::from_elem((height, width, 3), 255),
        })
    }

    /// `(H, W, 3)`.
    pub(super) fn into_pixels(self) -> Array3<u8> {
        self.pixels
    }

    pub(super) fn get(&self, x: usize, y: usize) -> Option<Rgb> {
        let channel = |channel| self.pixels.get((y, x, channel)).copied();
        Some([channel(0)?, channel(1)?, channel(2)?])
    }

    pub(super) fn set(&mut self, x: usize, y: usize, colour: Rgb) {
        for (channel, byte) in colour.into_iter().enumerate() {
            if let Some(pixel) = self.pixels.get_mut((y, x, channel)) {
                *pixel = byte;
            }
        }
    }

    /// Colours each pixel of the area by its place inside of it.
    pub(super) fn paint(&mut self, area: Area, colour: impl Fn(usize, usize) -> Rgb) {
        let (height, width, _) = self.pixels.dim();
        let (right, bottom) = (
            (area.x + area.width).min(width),
            (area.y + area.height).min(height),
        );
        let (left, top) = (area.x.min(right), area.y.min(bottom));
        let mut inside = self.pixels.slice_mut(s![top..bottom, left..right, ..]);
        for (y, mut row) in inside.outer_iter_mut().enumerate() {
            for (x, mut pixel) in row.outer_iter_mut().enumerate() {
                pixel.assign(&ndarray::aview1(&colour(x, y)));
            }
        }
    }

    /// A line of `thickness` pixels around the area, outside of it.
    pub(super) fn frame(&mut self, area: Area, thickness: usize, colour: Rgb) {
        let Area {
            x,
            y,
            width,
            height,
        } = area;
        let (left, top) = (x.saturating_sub(thickness), y.saturating_sub(thickness));
        let across = width + 2 * thickness;
        let horizontal = |y| Area {
            x: left,
            y,
            width: across,
            height: thickness,
        };
        let vertical = |x| Area {
            x,
            y,
            width: thickness,
            height,
        };
        for side in [
            horizontal(top),
            horizontal(y + height),
            vertical(left),
            vertical(x + width),
        ] {
            self.paint(side, |_, _| colour);
        }
    }
}
