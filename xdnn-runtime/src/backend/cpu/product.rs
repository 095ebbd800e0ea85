//! Products of matrices that are already in the order in which they are read.
//!
//! The left matrix is in blocks of 8×8, the right one in panels of a few vectors. Where both are made by a kernel anyway, as the
//! transforms of Winograd's algorithm are, this saves the copies that `gemm` makes of its operands, which matters
//! where one of them is narrow.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use crate::ops::SIDE;

/// A block of a left matrix.
pub(super) type Block = [f32; SIDE * SIDE];
/// The most vectors in a panel: with four rows, as many as there are registers for.
const VECTORS: usize = 3;
/// How many blocks are summed up while a panel of the right matrix stays in the first cache.
const DEPTH: usize = 16;
/// How many rows of a panel are in a chunk.
pub(super) const CHUNK: usize = 64;
/// The most columns that a panel has.
pub(super) const WIDEST: usize = VECTORS * 16;

/// The number of elements in a vector of this machine.
pub(super) fn lanes() -> usize {
    struct Lanes;

    impl WithSimd for Lanes {
        type Output = usize;

        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }

    Arch::new().dispatch(Lanes)
}

/// How columns are cut into panels, as few and as even as there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Panels {
    vectors: usize,
    lanes: usize,
}

impl Panels {
    pub(super) fn new(columns: usize, lanes: usize) -> Self {
        Self {
            vectors: columns.div_ceil(lanes),
            lanes,
        }
    }

    /// The number of columns, in whole vectors.
    pub(super) fn width(self) -> usize {
        self.vectors * self.lanes
    }

    pub(super) fn count(self) -> usize {
        self.vectors.div_ceil(VECTORS)
    }

    /// The columns of a panel.
    pub(super) fn columns(self, panel: usize) -> Range<usize> {
        let bound = |i: usize| i * self.vectors / self.count() * self.lanes;
        bound(panel)..bound(panel + 1)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Range<usize>> {
        (0..self.count()).map(move |panel| self.columns(panel))
    }
}

/// A left matrix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left<'a> {
    pub blocks: &'a [Block],
    /// The number of rows of the product.
    pub rows: usize,
    /// The number of blocks that are summed up.
    pub depth: usize,
    /// The distance between blocks below one another, and between those that are summed up.
    pub strides: [usize; 2],
    /// Whether a row of a block is contiguous, rather than a column.
    pub row_major: bool,
}

/// A panel of a right matrix, in chunks of [`CHUNK`] rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Right<'a> {
    pub rows: &'a [f32],
    pub width: usize,
    /// The distance between chunks.
    pub stride: usize,
}

/// `C = A·B` for a panel of `B`; rows of `c` are `stride` apart.
pub(super) fn multiply(a: Left<'_>, b: Right<'_>, c: &mut [f32], stride: usize, arch: Arch) {
    arch.dispatch(Multiply { a, b, c, stride });
}

struct Multiply<'a> {
    a: Left<'a>,
    b: Right<'a>,
    c: &'a mut [f32],
    stride: usize,
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        // One vector needs more rows, to have enough sums that do not wait for one another.
        match (self.b.width / S::F32_LANES, self.a.row_major) {
            (1, false) => self.rows::<S, 8, 1, false>(simd),
            (1, true) => self.rows::<S, 8, 1, true>(simd),
            (2, false) => self.rows::<S, 4, 2, false>(simd),
            (2, true) => self.rows::<S, 4, 2, true>(simd),
            (_, false) => self.rows::<S, 4, 3, false>(simd),
            (_, true) => self.rows::<S, 4, 3, true>(simd),
        }
    }
}

impl Multiply<'_> {
    #[inline(always)]
    fn rows<S: Simd, const ROWS: usize, const WIDTH: usize, const ROW_MAJOR: bool>(
        &mut self,
        simd: S,
    ) {
        for first in (0..self.a.depth).step_by(DEPTH) {
            for row in (0..self.a.rows).step_by(ROWS) {
                self.tile::<S, ROWS, WIDTH, ROW_MAJOR>(simd, row, first);
            }
        }
    }

    /// Some rows of the panel, from block `first` of the sum on.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const WIDTH: usize, const ROW_MAJOR: bool>(
        &mut self,
        simd: S,
        row: usize,
        first: usize,
    ) {
        let [down, along] = self.a.strides;
        let a = &self.a.blocks[row / SIDE * down..];
        let (start, below, beside) = match ROW_MAJOR {
            true => (row % SIDE * SIDE, SIDE, 1),
            false => (row % SIDE, 1, SIDE),
        };
        let last = (ROWS - 1) * below + (SIDE - 1) * beside;
        let mut sums = [[simd.splat_f32s(0.0); WIDTH]; ROWS];
        for k in first..self.a.depth.min(first + DEPTH) {
            let a = &a[k * along][start..=start + last];
            let (chunk, block) = (SIDE * k / CHUNK, SIDE * k % CHUNK);
            let b = &self.b.rows[chunk * self.b.stride + block * self.b.width..];
            let b = &b[..SIDE * WIDTH * S::F32_LANES];
            let (b, _) = S::as_simd_f32s(b);
            for i in 0..SIDE {
                for m in 0..ROWS {
                    let factor = simd.splat_f32s(a[m * below + i * beside]);
                    for n in 0..WIDTH {
                        let sum = &mut sums[m][n];
                        *sum = simd.mul_add_e_f32s(factor, b[i * WIDTH + n], *sum);
                    }
                }
            }
        }
        let rows = self.c.chunks_mut(self.stride).skip(row);
        for (sums, c) in sums.iter().zip(rows.take(self.a.rows - row)) {
            let (c, _) = S::as_mut_simd_f32s(&mut c[..self.b.width]);
            for (c, sum) in c.iter_mut().zip(sums) {
                *c = match first {
                    0 => *sum,
                    _ => simd.add_f32s(*c, *sum),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pulp::{Scalar, Scalar128b, Scalar256b, Scalar512b};

    use super::*;

    /// Small whole numbers, whose sums are exact.
    fn number(i: usize) -> f32 {
        (i * 7919 % 13) as f32 - 6.0
    }

    fn check<S: Simd>(simd: S, rows: usize, depth: usize, vectors: usize, row_major: bool) {
        let width = vectors * S::F32_LANES;
        let (panels, sums) = (rows.div_ceil(SIDE), SIDE * depth);
        let left = |row: usize, k: usize| match row < rows {
            true => number(row * sums + k),
            false => f32::NAN, // what is beyond the rows is not to be used
        };
        let right = |k: usize, column: usize| number(k * width + column + 5);
        // Blocks in an order of their own, more of them apart than there are.
        let strides = [depth + 3, 1];
        let mut blocks = vec![[f32::NAN; SIDE * SIDE]; panels * strides[0]];
        for (panel, blocks) in blocks.chunks_mut(strides[0]).enumerate() {
            for (k, block) in blocks.iter_mut().take(depth).enumerate() {
                for (at, value) in block.iter_mut().enumerate() {
                    let (m, i) = match row_major {
                        true => (at / SIDE, at % SIDE),
                        false => (at % SIDE, at / SIDE),
                    };
                    *value = left(panel * SIDE + m, k * SIDE + i);
                }
            }
        }
        let stride = CHUNK * width + 16;
        let mut panel = vec![f32::NAN; sums.div_ceil(CHUNK) * stride];
        for k in 0..sums {
            for column in 0..width {
                panel[k / CHUNK * stride + k % CHUNK * width + column] = right(k, column);
            }
        }
        let mut c = vec![f32::NAN; rows * (width + 2)];
        Multiply {
            a: Left {
                blocks: &blocks,
                rows,
                depth,
                strides,
                row_major,
            },
            b: Right {
                rows: &panel,
                width,
                stride,
            },
            c: &mut c,
            stride: width + 2,
        }
        .with_simd(simd);
        for (row, c) in c.chunks(width + 2).enumerate() {
            for (column, c) in c[..width].iter().enumerate() {
                let expected: f32 = (0..sums).map(|k| left(row, k) * right(k, column)).sum();
                assert_eq!(*c, expected, "row {row} of {rows}, column {column}");
            }
            assert!(c[width..].iter().all(|c| c.is_nan()), "too much is written");
        }
    }

    #[test]
    fn products_with_vectors_of_every_size() {
        for (rows, depth) in [(1, 1), (8, 9), (13, 16), (20, 37)] {
            for vectors in 1..=VECTORS {
                for row_major in [false, true] {
                    check(Scalar, rows, depth, vectors, row_major);
                    check(Scalar128b, rows, depth, vectors, row_major);
                    check(Scalar256b, rows, depth, vectors, row_major);
                    check(Scalar512b, rows, depth, vectors, row_major);
                }
            }
        }
    }

    #[test]
    fn panels_are_few_and_even() {
        let starts = |columns| -> Vec<_> {
            let panels = Panels::new(columns, 8).iter();
            panels.map(|panel| panel.start).collect()
        };
        assert_eq!(starts(1), [0]);
        assert_eq!(starts(24), [0]);
        assert_eq!(starts(49), [0, 16, 32]);
        assert_eq!(Panels::new(49, 8).width(), 56);
    }
}
