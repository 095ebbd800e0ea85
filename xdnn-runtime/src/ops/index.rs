//! Index arithmetic that several operators share.

use xdnn_ir::{MAX_RANK, Shape};

/// A tensor `(N, C, …)` as `(N·C)` planes of three spatial axes, the absent ones of size 1 in front: lines and images
/// are volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spatial {
    /// Samples.
    pub batch: usize,
    /// Channels.
    pub channels: usize,
    /// Depth, height, width.
    pub size: [usize; 3],
}

impl Spatial {
    /// `None` unless the shape has 3 to 5 dimensions.
    pub fn of(shape: Shape) -> Option<Self> {
        let spatial = shape
            .rank()
            .checked_sub(2)
            .filter(|rank| (1..=3).contains(rank))?;
        let mut size = [1; 3];
        size[3 - spatial..].copy_from_slice(&shape.dims()[2..]);
        Some(Self {
            batch: shape.dim(0),
            channels: shape.dim(1),
            size,
        })
    }

    /// The number of elements of one plane.
    pub fn plane(&self) -> usize {
        self.size.iter().product()
    }

    /// The shape `(batch, channels, …)` with as many spatial axes as `like` has.
    pub fn shape(&self, like: Shape) -> Shape {
        let mut shape = like.with_dim(0, self.batch).with_dim(1, self.channels);
        for axis in 2..like.rank() {
            shape = shape.with_dim(axis, self.size[axis + 3 - like.rank()]);
        }
        shape
    }
}

/// Row-major strides.
pub(crate) fn strides(shape: Shape) -> [usize; MAX_RANK] {
    let mut strides = [0; MAX_RANK];
    let mut stride = 1;
    for axis in (0..shape.rank()).rev() {
        strides[axis] = stride;
        stride *= shape.dim(axis);
    }
    strides
}

/// Calls `visit(i, offset)` for each index of `shape` in row-major order, where `i` counts the elements and `offset` is
/// the index's dot product with `strides`.
pub(crate) fn walk(shape: Shape, strides: &[usize; MAX_RANK], mut visit: impl FnMut(usize, usize)) {
    let rank = shape.rank();
    let mut index = [0; MAX_RANK];
    let mut offset = 0;
    for i in 0..shape.elements() {
        visit(i, offset);
        for axis in (0..rank).rev() {
            index[axis] += 1;
            offset += strides[axis];
            if index[axis] < shape.dim(axis) {
                break;
            }
            offset -= strides[axis] * shape.dim(axis);
            index[axis] = 0;
        }
    }
}

/// Splits a shape at an axis: the number of elements before it, along it and after it.
pub(crate) fn around(shape: Shape, axis: usize) -> (usize, usize, usize) {
    let dims = shape.dims();
    (
        dims[..axis].iter().product(),
        dims[axis],
        dims[axis + 1..].iter().product(),
    )
}
