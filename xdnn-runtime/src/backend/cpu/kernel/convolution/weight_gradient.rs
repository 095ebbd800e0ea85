//! The cotangent of `w`: `W = Y·X̂ᵀ`, summed over the samples.

use std::ops::Range;

use super::super::super::gemm::{Matrix, MatrixMut, gemm};
use super::super::super::parallel::{Threads, chunks, chunks_on, even};
use super::{Convolution, Geometry, Kernel, Needs, Operands, Result, Scratch, Volumes, fmt};

/// A kernel of at most this size is computed as a sum of [`PARTS`], which are independent of each other.
const SMALL: usize = 1 << 16;
/// How many parts there are; not the number of threads, so that the sum does not depend on it.
const PARTS: usize = 8;

/// How many columns of the unrolled input a tile has, more or less.
const WIDTH: usize = 384;
/// How many of its rows are unrolled at a time, more or less.
const DEPTH: usize = 512;

/// The gradient of the kernel.
pub(super) struct WeightGradient(Geometry);

impl WeightGradient {
    pub(super) fn new(op: &Convolution, volumes: Volumes) -> Self {
        Self(Geometry::new(op, volumes, WIDTH))
    }

    /// How many rows are unrolled at a time.
    fn rows(&self) -> usize {
        even(self.0.depth(), DEPTH)
    }

    /// The size of the memory for them.
    fn unrolled(&self) -> usize {
        match self.0.is_plain() {
            true => 0,
            false => self.rows() * self.0.width(),
        }
    }

    fn size(&self) -> usize {
        self.0.groups * self.0.outputs * self.0.depth()
    }

    /// How many partial sums over samples there are.
    fn parts(&self) -> usize {
        if self.size() <= SMALL {
            self.0.blocks().clamp(1, PARTS)
        } else {
            1
        }
    }

    /// The blocks of samples of a part.
    fn blocks(&self, part: usize) -> Range<usize> {
        let (blocks, parts) = (self.0.blocks(), self.parts());
        part * blocks / parts..(part + 1) * blocks / parts
    }

    /// One group of one part.
    fn unit(
        &self,
        unit: usize,
        [x, y]: [&[f32]; 2],
        w: &mut [f32],
        lane: &mut [f32],
        threads: Threads,
    ) -> Result<()> {
        let geometry = &self.0;
        let (part, group) = (unit / geometry.groups, unit % geometry.groups);
        let (plane, depth) = (geometry.windows.inputs(), geometry.depth());
        let (unrolled, staged) = lane.split_at_mut(self.unrolled());
        w.fill(0.0);
        for tile in self.blocks(part).flat_map(|block| geometry.tiles(block)) {
            let width = tile.width();
            let y = geometry.stage(&tile, group, y, staged);
            for start in (0..depth).step_by(self.rows()) {
                let rows = start..depth.min(start + self.rows());
                let input = if geometry.is_plain() {
                    let start = geometry.input(tile.samples.start, group) + tile.columns.start;
                    Matrix::rows(&x[start..], plane)
                } else {
                    let unrolled = &mut unrolled[..rows.len() * width];
                    chunks_on(threads, unrolled, width, width, |i, row| {
                        geometry.unroll(&tile, group, start + i, 0..width, x, row);
                    });
                    Matrix::rows(unrolled, width)
                };
                let target = MatrixMut {
                    data: &mut w[rows.start..],
                    row: depth,
                    accumulate: true,
                };
                let size = [geometry.outputs, rows.len(), width];
                gemm(size, target, y, input.transposed(), threads)?;
            }
        }
        Ok(())
    }

    fn units(&self, read: [&[f32]; 2], output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let geometry = &self.0;
        let unit = geometry.outputs * geometry.depth();
        geometry.divide(output, unit, scratch, |i, w, lane, threads| {
            self.unit(i, read, w, lane, threads)
        })
    }
}

impl Kernel for WeightGradient {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let read = [operands.read(0)?, operands.read(1)?];
        if self.parts() == 1 {
            return self.units(read, output, scratch);
        }
        let Scratch {
            shared,
            lanes,
            lane,
        } = scratch;
        let scratch = Scratch {
            shared: &mut [],
            lanes,
            lane,
        };
        self.units(read, shared, scratch)?;
        let (shared, size) = (&*shared, output.len());
        let chunk = size.div_ceil(PARTS).max(1);
        chunks(output, chunk, chunk * self.parts(), |i, w| {
            w.fill(0.0);
            for part in shared.chunks_exact(size) {
                w.iter_mut()
                    .zip(&part[i * chunk..])
                    .for_each(|(w, part)| *w += part);
            }
        });
        Ok(())
    }

    fn needs(&self) -> Needs {
        let parts = self.parts();
        Needs {
            shared: if parts == 1 { 0 } else { parts * self.size() },
            lane: self.unrolled() + self.0.staged(),
        }
    }
}

impl fmt::Display for WeightGradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conv-w {} in {} parts", self.0, self.parts())
    }
}
