//! Sliding windows of layers, as those of operators.

use xdnn_ir::Shape;

use crate::ops::{Convolution, PoolWindow, Role, Spatial};

/// How windows over `R` axes move.
pub(super) struct Steps<const R: usize> {
    pub stride: [usize; R],
    pub padding: [usize; R],
    pub dilation: [usize; R],
}

impl<const R: usize> Steps<R> {
    pub(super) fn convolution(&self, groups: usize, shape: Shape) -> Convolution {
        Convolution {
            role: Role::Forward,
            shape,
            stride: volume(self.stride, 1),
            padding: volume(self.padding, 0),
            dilation: volume(self.dilation, 1),
            groups,
        }
    }

    pub(super) fn windows(&self, kernel: [usize; R], shape: Shape) -> PoolWindow {
        PoolWindow {
            kernel: volume(kernel, 1),
            stride: volume(self.stride, 1),
            padding: volume(self.padding, 0),
            dilation: volume(self.dilation, 1),
            output: size(shape),
        }
    }
}

/// The argument of a line or an image, as that of a volume.
fn volume<const R: usize>(sizes: [usize; R], absent: usize) -> [usize; 3] {
    let mut volume = [absent; 3];
    for (extended, size) in volume.iter_mut().rev().zip(sizes.iter().rev()) {
        *extended = *size;
    }
    volume
}

/// The spatial sizes of `(N, C, …)`, as those of a volume.
fn size(shape: Shape) -> [usize; 3] {
    Spatial::of(shape).map_or([1; 3], |spatial| spatial.size)
}

/// Sizes along the spatial axes: one number for the only axis of a line, a list for others.
pub(super) trait Sizes<const R: usize> {
    fn list(&self) -> [usize; R];
}

impl Sizes<1> for usize {
    fn list(&self) -> [usize; 1] {
        [*self]
    }
}

impl<const R: usize> Sizes<R> for [usize; R] {
    fn list(&self) -> [usize; R] {
        *self
    }
}
