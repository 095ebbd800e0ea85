//! The cotangent of `x`: `X̂ = Wᵀ·Y`, rolled up again.

use super::super::super::gemm::{Matrix, MatrixMut, gemm};
use super::super::super::parallel::Threads;
use super::{Geometry, Kernel, Needs, Operands, Result, Scratch, fmt};

/// The transposed convolution.
pub(super) struct InputGradient(pub Geometry);

impl InputGradient {
    /// One group of one block of samples.
    fn unit(
        &self,
        unit: usize,
        [y, w]: [&[f32]; 2],
        x: &mut [f32],
        lane: &mut [f32],
        threads: Threads,
    ) -> Result<()> {
        let geometry = &self.0;
        let (block, group) = (unit / geometry.groups, unit % geometry.groups);
        let (plane, depth) = (geometry.windows.inputs(), geometry.depth());
        let w = &w[group * geometry.outputs * depth..];
        let (unrolled, staged) = lane.split_at_mut(geometry.unrolled());
        if !geometry.is_plain() {
            x.fill(0.0);
        }
        for tile in geometry.tiles(block) {
            let width = tile.width();
            let y = geometry.stage(&tile, group, y, staged);
            for rows in geometry.row_blocks() {
                let size = [rows.len(), width, geometry.outputs];
                let w = Matrix::rows(&w[rows.start..], depth).transposed();
                if geometry.is_plain() {
                    let target = MatrixMut {
                        data: &mut x[tile.columns.start..],
                        row: plane,
                        accumulate: false,
                    };
                    gemm(size, target, w, y, threads)?;
                } else {
                    let target = MatrixMut {
                        data: &mut *unrolled,
                        row: width,
                        accumulate: false,
                    };
                    gemm(size, target, w, y, threads)?;
                    geometry.roll(&tile, rows, unrolled, x, threads);
                }
            }
        }
        Ok(())
    }
}

impl Kernel for InputGradient {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let geometry = &self.0;
        let read = [operands.read(0)?, operands.read(1)?];
        let unit = geometry.samples * geometry.inputs * geometry.windows.inputs();
        geometry.divide(output, unit, scratch, |i, x, lane, threads| {
            self.unit(i, read, x, lane, threads)
        })
    }

    fn needs(&self) -> Needs {
        Needs {
            shared: 0,
            lane: self.0.unrolled() + self.0.staged(),
        }
    }
}

impl fmt::Display for InputGradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conv-x {}", self.0)
    }
}
