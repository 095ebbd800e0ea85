//! The cotangent of `x`: `X̂ = Wᵀ·Y`, rolled up again.

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

/// The transposed convolution.
pub(super) struct InputGradient {
    geometry: Geometry,
    weight: Weight,
}

impl InputGradient {
    pub(super) fn new(op: &Convolution, volumes: Volumes, weight: Weight) -> Self {
        let most = weight.blocks.columns.max(weight.blocks.rows);
        let width = (UNROLLED / most.max(1)).max(NARROWEST);
        Self {
            geometry: Geometry::new(op, volumes, width),
            weight,
        }
    }

    fn packing(&self, width: usize) -> Packing {
        Packing::new(self.geometry.outputs, width)
    }

    /// The room for what is to be rolled up.
    fn unrolled(&self) -> usize {
        match self.geometry.is_plain() {
            true => 0,
            false => self.geometry.depth() * self.geometry.width(),
        }
    }

    /// One group of one block of samples.
    fn unit(
        &self,
        unit: usize,
        operands: &Operands<'_>,
        w: &[Block],
        x: &mut [f32],
        lane: &mut [f32],
        threads: Threads,
    ) -> Result<()> {
        let y = operands.read(0)?;
        let geometry = &self.geometry;
        let (block, group) = (unit / geometry.groups, unit % geometry.groups);
        let (plane, rows) = (geometry.windows.inputs(), geometry.depth());
        let plain = geometry.is_plain();
        let share = Packing::share(rows, threads);
        let at = unit * geometry.samples * geometry.inputs * plane;
        let (packed, unrolled) = lane.split_at_mut(self.packing(geometry.width()).size());
        if !plain {
            x.fill(0.0);
        }
        for tile in geometry.tiles(block) {
            let width = tile.width();
            let packing = self.packing(width);
            packing.pack(packed, threads, |row, columns, numbers| {
                geometry.gather(&tile, group, row, columns, y, numbers);
            });
            let packed = &*packed;
            let (target, start, stride) = match plain {
                true => (&mut *x, tile.columns.start, plane),
                false => (&mut unrolled[..rows * width], 0, width),
            };
            let work = share * width * geometry.outputs;
            jobs_on(threads, target, share * stride, work, |i, c| {
                let a = self.weight.columns(w, group, i * share, c.len() / stride);
                packing.multiply(a, packed, c, [start, stride, width]);
                let rows = c.chunks_exact_mut(stride).filter(|_| plain);
                for (row, x) in (i * share..).zip(rows) {
                    let x = &mut x[start..start + width];
                    operands
                        .finish
                        .apply(operands, at + row * plane + start, x)?;
                }
                Ok(())
            })?;
            if !plain {
                geometry.roll(&tile, unrolled, x, threads);
            }
        }
        if plain {
            return Ok(());
        }
        jobs_on(threads, x, plane, plane, |i, x| {
            operands.finish.apply(operands, at + i * plane, x)
        })
    }
}

impl Kernel for InputGradient {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let geometry = &self.geometry;
        let (shared, scratch) = scratch.split();
        let w = self.weight.read(operands, shared)?;
        let unit = geometry.samples * geometry.inputs * geometry.windows.inputs();
        geometry.divide(output, unit, scratch, |i, x, lane, threads| {
            self.unit(i, operands, w, x, lane, threads)
        })
    }

    fn finishes(&self) -> bool {
        true
    }

    fn needs(&self) -> Needs {
        Needs {
            shared: self.weight.room(),
            lane: self.packing(self.geometry.width()).size() + self.unrolled(),
        }
    }

    fn layout(&self) -> Option<Layout> {
        self.weight.layout()
    }
}

impl fmt::Display for InputGradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conv-x {}", self.geometry)
    }
}
