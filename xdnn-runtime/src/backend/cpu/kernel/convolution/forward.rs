//! `y = conv(x, w)` as `Y = W·X̂`, where `X̂` is the unrolled input.

use super::super::super::gemm::{Matrix, MatrixMut, gemm};
use super::super::super::parallel::Threads;
use super::{Geometry, Kernel, Needs, Operands, Result, Scratch, fmt};

/// The convolution itself.
pub(super) struct Forward(pub Geometry);

impl Forward {
    /// One group of one block of samples.
    fn unit(
        &self,
        unit: usize,
        [x, w]: [&[f32]; 2],
        y: &mut [f32],
        lane: &mut [f32],
        threads: Threads,
    ) -> Result<()> {
        let geometry = &self.0;
        let (block, group) = (unit / geometry.groups, unit % geometry.groups);
        let (plane, depth) = (geometry.windows.outputs(), geometry.depth());
        let w = &w[group * geometry.outputs * depth..];
        let (unrolled, staged) = lane.split_at_mut(geometry.unrolled());
        for tile in geometry.tiles(block) {
            let width = tile.width();
            for rows in geometry.row_blocks() {
                let target = if geometry.samples == 1 {
                    MatrixMut {
                        data: &mut y[tile.columns.start..],
                        row: plane,
                        accumulate: rows.start > 0,
                    }
                } else {
                    MatrixMut {
                        data: &mut *staged,
                        row: width,
                        accumulate: rows.start > 0,
                    }
                };
                let input = if geometry.is_plain() {
                    let start = geometry.input(tile.samples.start, group) + tile.columns.start;
                    Matrix::rows(&x[start..], plane)
                } else {
                    geometry.unroll(&tile, group, rows.clone(), x, unrolled, threads);
                    Matrix::rows(unrolled, width)
                };
                let size = [geometry.outputs, width, rows.len()];
                let w = Matrix::rows(&w[rows.start..], depth);
                gemm(size, target, w, input, threads)?;
            }
            if geometry.samples > 1 {
                geometry.unstage(&tile, staged, y);
            }
        }
        Ok(())
    }
}

impl Kernel for Forward {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let geometry = &self.0;
        let read = [operands.read(0)?, operands.read(1)?];
        let unit = geometry.samples * geometry.outputs * geometry.windows.outputs();
        geometry.divide(output, unit, scratch, |i, y, lane, threads| {
            self.unit(i, read, y, lane, threads)
        })
    }

    fn needs(&self) -> Needs {
        Needs {
            shared: 0,
            lane: self.0.unrolled() + self.0.staged(),
        }
    }
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conv {}", self.0)
    }
}
