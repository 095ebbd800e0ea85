//! Shapes of values: a short list of dimensions that `const fn` can compute with.

use std::fmt;

/// The largest number of dimensions of a value, the batch dimension included.
pub const MAX_RANK: usize = 6;

/// The dimensions of a value, outermost first, such as `[channels, height, width]`.
///
/// Shapes in a [`NetworkSpec`](crate::NetworkSpec) are those of one sample; the runtime puts the batch in front.
#[derive(Clone, Copy)]
pub struct Shape {
    dims: [usize; MAX_RANK],
    rank: usize,
}

impl Shape {
    /// A shape from its dimensions; more than [`MAX_RANK`] of them do not compile.
    pub const fn new<const RANK: usize>(dims: [usize; RANK]) -> Self {
        const { assert!(RANK <= MAX_RANK, "a shape has at most 6 dimensions") };
        let mut shape = Self {
            dims: [1; MAX_RANK],
            rank: RANK,
        };
        let mut i = 0;
        while i < RANK {
            shape.dims[i] = dims[i];
            i += 1;
        }
        shape
    }

    /// A shape from a slice, or `None` when it has more than [`MAX_RANK`] dimensions.
    pub const fn from_slice(dims: &[usize]) -> Option<Self> {
        if dims.len() > MAX_RANK {
            return None;
        }
        let mut shape = Self {
            dims: [1; MAX_RANK],
            rank: dims.len(),
        };
        let mut i = 0;
        while i < dims.len() {
            shape.dims[i] = dims[i];
            i += 1;
        }
        Some(shape)
    }

    /// The number of dimensions.
    pub const fn rank(&self) -> usize {
        self.rank
    }

    /// The dimensions.
    pub const fn dims(&self) -> &[usize] {
        self.dims.split_at(self.rank).0
    }

    /// Dimension `axis`, or 1 beyond the rank.
    pub const fn dim(&self, axis: usize) -> usize {
        if axis < self.rank { self.dims[axis] } else { 1 }
    }

    /// The same shape with dimension `axis` replaced; axes beyond the rank are left alone.
    pub const fn with_dim(mut self, axis: usize, size: usize) -> Self {
        if axis < self.rank {
            self.dims[axis] = size;
        }
        self
    }

    /// The number of elements, saturating at `usize::MAX`.
    pub const fn elements(&self) -> usize {
        let mut product: usize = 1;
        let mut i = 0;
        while i < self.rank {
            product = product.saturating_mul(self.dims[i]);
            i += 1;
        }
        product
    }

    /// Whether a batch of values of this shape can be computed with: there is room for the batch dimension, and the
    /// bytes of one sample can be counted.
    pub const fn is_computable(&self) -> bool {
        self.rank < MAX_RANK && self.elements() <= isize::MAX as usize / 8
    }

    /// The shape with a dimension of `size` in front, or `None` when there is no room for it.
    pub const fn batched(&self, size: usize) -> Option<Self> {
        if self.rank == MAX_RANK {
            return None;
        }
        let mut shape = Self {
            dims: [1; MAX_RANK],
            rank: self.rank + 1,
        };
        shape.dims[0] = size;
        let mut i = 0;
        while i < self.rank {
            shape.dims[i + 1] = self.dims[i];
            i += 1;
        }
        Some(shape)
    }

    /// Whether both shapes have the same dimensions.
    pub const fn same(&self, other: &Self) -> bool {
        if self.rank != other.rank {
            return false;
        }
        let mut i = 0;
        while i < self.rank {
            if self.dims[i] != other.dims[i] {
                return false;
            }
            i += 1;
        }
        true
    }
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.same(other)
    }
}

impl Eq for Shape {}

impl std::hash::Hash for Shape {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.dims().hash(state);
    }
}

/// `[3, 224, 224]`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, dim) in self.dims().iter().enumerate() {
            write!(f, "{}{dim}", if i > 0 { ", " } else { "" })?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
