//! `y = conv(x, w)` as `Y = W·X̂`, where `X̂` is the unrolled input.

use super::super::super::parallel::{Threads, jobs_on};
use super::super::super::product::{Block, Packing};
use super::{
    Convolution, Geometry, Kernel, Needs, Operands, Result, Scratch, Volumes, Weight, fmt,
};
use crate::ops::Layout;

/// How many numbers of the unrolled input are made at a time, more or less.
const UNROLLED: usize = 1 << 17;
/// Fewer columns at a time make products that are too narrow.
const NARROWEST: usize = 96;

/// The convolution itself.
pub(super) struct Forward {
    geometry: Geometry,
    weight: Weight,
}

impl Forward {
    pub(super) fn new(op: &Convolution, volumes: Volumes, weight: Weight) -> Self {
        let width = (UNROLLED / weight.blocks.columns.max(1)).max(NARROWEST);
        Self {
            geometry: Geometry::new(op, volumes, width),
            weight,
        }
    }

    fn packing(&self, width: usize) -> Packing {
        Packing::new(self.geometry.depth(), width)
    }

    /// One group of one block of samples.
    fn unit(
        &self,
        unit: usize,
        operands: &Operands<'_>,
        w: &[Block],
        y: &mut [f32],
        lane: &mut [f32],
        threads: Threads,
    ) -> Result<()> {
        let x = operands.read(0)?;
        let geometry = &self.geometry;
        let (block, group) = (unit / geometry.groups, unit % geometry.groups);
        let (plane, rows) = (geometry.windows.outputs(), geometry.outputs);
        let share = Packing::share(rows, threads);
        let at = unit * geometry.samples * rows * plane;
        let (packed, staged) = lane.split_at_mut(self.packing(geometry.width()).size());
        for tile in geometry.tiles(block) {
            let width = tile.width();
            let packing = self.packing(width);
            packing.pack(packed, threads, |row, columns, numbers| {
                geometry.unroll(&tile, group, row, columns, x, numbers);
            });
            let packed = &*packed;
            let (target, start, stride) = match geometry.samples {
                1 => (&mut *y, tile.columns.start, plane),
                _ => (&mut staged[..rows * width], 0, width),
            };
            let work = share * width * geometry.depth();
            let single = geometry.samples == 1;
            jobs_on(threads, target, share * stride, work, |i, c| {
                let a = self.weight.rows(w, group, i * share, c.len() / stride);
                packing.multiply(a, packed, c, [start, stride, width]);
                let rows = c.chunks_exact_mut(stride).filter(|_| single);
                for (row, y) in (i * share..).zip(rows) {
                    let y = &mut y[start..start + width];
                    operands
                        .finish
                        .apply(operands, at + row * plane + start, y)?;
                }
                Ok(())
            })?;
            if !single {
                geometry.unstage(&tile, staged, y);
                operands.finish.apply(operands, at, y)?;
            }
        }
        Ok(())
    }
}

impl Kernel for Forward {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let geometry = &self.geometry;
        let (shared, scratch) = scratch.split();
        let w = self.weight.read(operands, shared)?;
        let unit = geometry.samples * geometry.outputs * geometry.windows.outputs();
        geometry.divide(output, unit, scratch, |i, y, lane, threads| {
            self.unit(i, operands, w, y, lane, threads)
        })
    }

    fn finishes(&self) -> bool {
        true
    }

    fn needs(&self) -> Needs {
        let geometry = &self.geometry;
        Needs {
            shared: self.weight.room(),
            lane: self.packing(geometry.width()).size() + geometry.staged(),
        }
    }

    fn layout(&self) -> Option<Layout> {
        self.weight.layout()
    }
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conv {}", self.geometry)
    }
}
