//! Channels into blocks, and out of them.

use std::fmt;

use xdnn_ir::Shape;

use super::super::super::parallel::Threads;
use super::super::super::parallel::jobs_on;
use super::super::super::simd::vectorised;
use super::{Kernel, Operands, Result, Scratch};
use crate::ops::CHANNELS;

/// How many places are moved at a time: a vector's worth.
const SQUARE: usize = 16;

/// From planes to blocks.
pub(in super::super) struct ToBlocks {
    plane: usize,
}

/// From blocks to planes.
pub(in super::super) struct FromBlocks {
    plane: usize,
}

impl ToBlocks {
    pub(in super::super) fn new(x: Shape) -> Self {
        Self {
            plane: x.dim(2) * x.dim(3),
        }
    }
}

impl FromBlocks {
    pub(in super::super) fn new(x: Shape) -> Self {
        Self {
            plane: x.dim(2) * x.dim(3),
        }
    }
}

impl Kernel for ToBlocks {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let (x, block) = (operands.read(0)?, CHANNELS * self.plane);
        let threads = Threads::for_work(output.len());
        jobs_on(threads, output, block, block, |i, y| {
            let x = &x[i * block..][..block];
            vectorised(|| {
                let (lanes, _) = y.as_chunks_mut::<CHANNELS>();
                for (square, lanes) in lanes.chunks_mut(SQUARE).enumerate() {
                    for (channel, x) in x.chunks_exact(self.plane).enumerate() {
                        let x = &x[square * SQUARE..];
                        lanes
                            .iter_mut()
                            .zip(x)
                            .for_each(|(lane, x)| lane[channel] = *x);
                    }
                }
            });
            operands.finish.apply(operands, i * block, y)
        })
    }

    fn finishes(&self) -> bool {
        true
    }
}

impl Kernel for FromBlocks {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let (x, block) = (operands.read(0)?, CHANNELS * self.plane);
        let threads = Threads::for_work(output.len());
        jobs_on(threads, output, block, block, |i, y| {
            let x = &x[i * block..][..block];
            vectorised(|| {
                let (lanes, _) = x.as_chunks::<CHANNELS>();
                for (square, lanes) in lanes.chunks(SQUARE).enumerate() {
                    for (channel, y) in y.chunks_exact_mut(self.plane).enumerate() {
                        let y = &mut y[square * SQUARE..];
                        y.iter_mut()
                            .zip(lanes)
                            .for_each(|(y, lane)| *y = lane[channel]);
                    }
                }
            });
            operands.finish.apply(operands, i * block, y)
        })
    }

    fn finishes(&self) -> bool {
        true
    }
}

impl fmt::Display for ToBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("to-blocks")
    }
}

impl fmt::Display for FromBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("from-blocks")
    }
}
