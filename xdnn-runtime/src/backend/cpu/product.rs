//! Products of matrices that are already in the order in which they are read.
//!
//! The left matrix is in blocks of 8×8, the right one in panels of a few vectors. Where both are made by a kernel anyway, as the
//! transforms of Winograd's algorithm are, this saves the copies that `gemm` makes of its operands, which matters
//! where one of them is narrow.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::parallel::{Threads, chunks_on, even};
use super::simd::{arch, lanes};
use crate::ops::SIDE;

/// The most vectors in a panel: with four rows, or eight where there are registers for them.
const VECTORS: usize = 3;
/// From how many registers on there are enough for eight rows of three vectors.
const MANY: usize = 32;
/// The most rows that are computed while a panel of the right matrix passes by.
const ROWS: usize = 64;
/// A block of a left matrix: its columns, one after the other.
pub(super) type Block = [f32; SIDE * SIDE];
/// How many blocks are summed up while a panel of the right matrix stays in the first cache.
const DEPTH: usize = 16;
/// Of how many blocks a chain of additions is where there are registers for sums of sums: long chains round more.
const CHAIN: usize = 4;
/// How many rows of a panel are in a chunk.
pub(super) const CHUNK: usize = 64;
/// The most columns that a panel has.
pub(super) const WIDEST: usize = VECTORS * 16;

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

/// How a right matrix lies in memory: for each panel its chunks of up to [`CHUNK`] rows, all of them equally far apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packing {
    pub panels: Panels,
    /// Rows of the matrix.
    depth: usize,
}

impl Packing {
    pub(super) fn new(depth: usize, columns: usize) -> Self {
        Self {
            panels: Panels::new(columns, lanes()),
            depth,
        }
    }

    /// Rows of a chunk: whole blocks.
    fn rows(self) -> usize {
        self.depth.next_multiple_of(SIDE).clamp(SIDE, CHUNK)
    }

    /// Chunks of a panel.
    fn chunks(self) -> usize {
        self.depth.div_ceil(self.rows())
    }

    /// The distance between chunks: a line more than they need, for the sake of the cache.
    pub(super) fn stride(self) -> usize {
        let widest = self.panels.iter().map(|panel| panel.len()).max();
        self.rows() * widest.unwrap_or_default() + 16
    }

    /// How many numbers the matrix takes.
    pub(super) fn size(self) -> usize {
        self.panels.count() * self.chunks() * self.stride()
    }

    /// Calls `fill(row, columns, numbers)` for each row of each panel; what is beyond the depth becomes 0.
    pub(super) fn pack(
        self,
        packed: &mut [f32],
        threads: Threads,
        fill: impl Fn(usize, Range<usize>, &mut [f32]) + Sync,
    ) {
        let (stride, chunks, height) = (self.stride(), self.chunks(), self.rows());
        let packed = &mut packed[..self.size()];
        chunks_on(threads, packed, stride, 4 * stride, |i, chunk| {
            let columns = self.panels.columns(i / chunks);
            let rows = chunk.chunks_exact_mut(columns.len()).take(height);
            for (row, numbers) in (i % chunks * height..).zip(rows) {
                match row < self.depth {
                    true => fill(row, columns.clone(), numbers),
                    false => numbers.fill(0.0),
                }
            }
        });
    }

    /// `C = A·B`, with as many columns as the panels have, however many rows.
    pub(super) fn multiply_all(self, a: Left<'_>, packed: &[f32], c: &mut [f32]) {
        for (i, panel) in self.panels.iter().enumerate() {
            let right = self.panel(packed, i);
            multiply(a, right, &mut c[panel.start..], self.panels.width(), arch());
        }
    }

    fn panel(self, packed: &[f32], panel: usize) -> Right<'_> {
        Right {
            rows: &packed[panel * self.chunks() * self.stride()..],
            width: self.panels.columns(panel).len(),
            stride: self.stride(),
        }
    }

    /// How many rows of `rows` a job computes, so that every thread has as many jobs as any other.
    pub(super) fn share(rows: usize, threads: Threads) -> usize {
        let share = threads.share(rows);
        even(share, ROWS).next_multiple_of(SIDE)
    }

    /// `C = A·B`, where row `i` of `C` are the `columns` numbers from `start + i · stride` on.
    pub(super) fn multiply(
        self,
        a: Left<'_>,
        packed: &[f32],
        c: &mut [f32],
        [start, stride, columns]: [usize; 3],
    ) {
        let mut tile = [0.0; ROWS * WIDEST];
        for first in (0..a.rows).step_by(ROWS) {
            let a = Left {
                blocks: &a.blocks[first / SIDE * a.strides[0]..],
                rows: ROWS.min(a.rows - first),
                ..a
            };
            for (i, panel) in self.panels.iter().enumerate() {
                let width = panel.len();
                multiply(a, self.panel(packed, i), &mut tile, width, arch());
                let panel = panel.start..panel.end.min(columns);
                for (row, tile) in tile.chunks_exact(width).take(a.rows).enumerate() {
                    let c = &mut c[start + (first + row) * stride..][panel.clone()];
                    c.copy_from_slice(&tile[..panel.len()]);
                }
            }
        }
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
        match self.a.row_major {
            false => self.columns::<S, false>(simd),
            true => self.columns::<S, true>(simd),
        }
    }
}

impl Multiply<'_> {
    #[inline(always)]
    fn columns<S: Simd, const ROW_MAJOR: bool>(&mut self, simd: S) {
        // One vector needs more rows, to have enough sums that do not wait for one another.
        match (self.b.width / S::F32_LANES, S::REGISTER_COUNT >= MANY) {
            (1, _) => self.rows::<S, 8, 1, ROW_MAJOR>(simd),
            (2, true) => self.rows::<S, 8, 2, ROW_MAJOR>(simd),
            (2, false) => self.rows::<S, 4, 2, ROW_MAJOR>(simd),
            (_, true) => self.rows::<S, 8, 3, ROW_MAJOR>(simd),
            (_, false) => self.rows::<S, 4, 3, ROW_MAJOR>(simd),
        }
    }

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
        let (start_at, below, beside) = match ROW_MAJOR {
            true => (row % SIDE * SIDE, SIDE, 1),
            false => (row % SIDE, 1, SIDE),
        };
        let last = (ROWS - 1) * below + (SIDE - 1) * beside;
        let zeros = [[simd.splat_f32s(0.0); WIDTH]; ROWS];
        let chain = if WIDTH < VECTORS { CHAIN } else { DEPTH };
        let end = self.a.depth.min(first + DEPTH);
        let mut totals = zeros;
        for start in (first..end).step_by(chain) {
            let mut sums = zeros;
            for k in start..end.min(start + chain) {
                let a = &a[k * along][start_at..=start_at + last];
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
            for (totals, sums) in totals.iter_mut().zip(sums) {
                for (total, sum) in totals.iter_mut().zip(sums) {
                    *total = simd.add_f32s(*total, sum);
                }
            }
        }
        let rows = self.c.chunks_mut(self.stride).skip(row);
        for (sums, c) in totals.iter().zip(rows.take(self.a.rows - row)) {
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
