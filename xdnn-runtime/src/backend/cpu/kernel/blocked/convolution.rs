//! Convolutions and their input gradients, computed directly: no window is copied.

use std::fmt;
use std::ops::Range;

use super::super::super::channels::{Cut, Lane, MOST, NOWHERE, Places, Tile, multiply};
use super::super::super::parallel::{Threads, jobs_on};
use super::{Kernel, Operands, Result, Scratch};
use crate::ops::{self, CHANNELS, Direction, Layout, Role, Volumes};

/// How many numbers are read again and again, by one group of blocks of outputs after the other: what the second cache holds.
const NEAR: usize = 1 << 17;
/// Fewer tiles at a time read the weights too often.
const FEWEST: usize = 8;
/// After how many tiles what they have written is finished, so that it is in the first cache.
const FEW: usize = 8;

/// `y[o, p] = Σ x[c, place(tap, p)] · w[o, c, tap]`.
pub(super) struct Convolution {
    /// The volumes that are read and written, and the taps.
    from: usize,
    to: usize,
    taps: usize,
    /// Blocks of channels.
    inputs: usize,
    outputs: usize,
    weight: Layout,
    text: String,
    /// The places that are written, tile by tile; the tiles overlap where they do not fit.
    order: Vec<u32>,
    /// Whether they are in their own order.
    ordered: bool,
    /// Where each tile reads: for each tap so many places.
    table: Vec<u32>,
    cut: Cut,
}

/// For each place along an axis and each tap what is read, if anything.
fn along(role: Role, op: &ops::Convolution, v: &Volumes, axis: usize) -> Vec<Vec<Option<usize>>> {
    let (step, pad) = (op.stride[axis], op.padding[axis]);
    let (inputs, outputs) = (v.x.size[axis], v.y.size[axis]);
    let count = if role == Role::Forward {
        outputs
    } else {
        inputs
    };
    let read = |at: usize, tap: usize| {
        let shift = tap * op.dilation[axis];
        match role {
            Role::Forward => (at * step + shift).checked_sub(pad).filter(|i| *i < inputs),
            _ => {
                let start = (at + pad).checked_sub(shift)?;
                let window = start.is_multiple_of(step).then_some(start / step);
                window.filter(|i| *i < outputs)
            }
        }
    };
    (0..count)
        .map(|at| (0..v.w.size[axis]).map(|tap| read(at, tap)).collect())
        .collect()
}

impl Convolution {
    pub(super) fn new(op: &ops::Convolution, volumes: Volumes) -> Self {
        let Volumes { x, w, y } = volumes;
        let (from, to, direction) = match op.role {
            Role::Forward => (x, y, Direction::Forward),
            _ => (y, x, Direction::Backward),
        };
        let [rows, columns] = [1, 2].map(|axis| along(op.role, op, &volumes, axis));
        let [height, width] = [to.size[1], to.size[2]];
        // Of an input gradient, places with the same taps stand beside one another.
        let phases = match op.role {
            Role::Forward => [1, 1],
            _ => [op.stride[1], op.stride[2]],
        };
        let mut places = Vec::with_capacity(height * width);
        for phase in 0..phases[0] * phases[1] {
            let [above, left] = [phase / phases[1], phase % phases[1]];
            for row in (above..height).step_by(phases[0]) {
                places.extend((left..width).step_by(phases[1]).map(|column| [row, column]));
            }
        }
        let cut = Cut::shared(to.channels / CHANNELS, places.len(), to.batch);
        let size = cut.places;
        let taps = w.plane();
        let (mut order, mut table) = (Vec::new(), Vec::new());
        for start in (0..places.len()).step_by(size) {
            let start = start.min(places.len() - size);
            let tile = &places[start..start + size];
            order.extend(
                tile.iter()
                    .map(|[row, column]| (row * width + column) as u32),
            );
            for tap in 0..taps {
                let [tap_row, tap_column] = [tap / w.size[2], tap % w.size[2]];
                table.extend(tile.iter().map(|[row, column]| {
                    let at = rows[*row][tap_row].zip(columns[*column][tap_column]);
                    at.map_or(NOWHERE, |(row, column)| {
                        (row * from.size[2] + column) as u32
                    })
                }));
            }
        }
        let name = if op.role == Role::Forward {
            "conv"
        } else {
            "conv-x"
        };
        let [h, w] = [w.size[1], w.size[2]];
        let ([fh, fw], [th, tw]) = ([from.size[1], from.size[2]], [height, width]);
        let (inputs, outputs) = (from.channels, to.channels);
        Self {
            from: from.plane(),
            to: to.plane(),
            taps,
            inputs: inputs / CHANNELS,
            outputs: outputs / CHANNELS,
            weight: Layout::Channels(volumes.kernels(), direction),
            text: format!("{name} blocks of {inputs}→{outputs}, {fh}×{fw} → {th}×{tw} by {h}×{w}"),
            order,
            ordered: phases == [1, 1],
            table,
            cut,
        }
    }

    /// Some blocks of outputs of a sample, which start at number `start` of the result.
    fn blocks(
        &self,
        x: &[Lane],
        w: &[Lane],
        operands: &Operands<'_>,
        start: usize,
        y: &mut [f32],
    ) -> Result<()> {
        let (cut, rows) = (self.cut, CHANNELS * self.taps * self.inputs);
        let (places, table) = (cut.places, cut.places * self.taps);
        let mut sums = [[0.0; CHANNELS]; MOST];
        let together = (NEAR / (CHANNELS * self.inputs * places)).max(FEWEST);
        let orders = self.order.chunks(together * places);
        let tables = self.table.chunks(together * table);
        for (i, (orders, tables)) in orders.zip(tables).enumerate() {
            let planes = y.chunks_exact_mut(cut.blocks * self.to * CHANNELS);
            let groups = planes.zip(w.chunks_exact(cut.blocks * rows)).enumerate();
            for (group, (y, weights)) in groups {
                let start = start + group * cut.blocks * self.to * CHANNELS;
                let tiles = orders.chunks(FEW * places).zip(tables.chunks(FEW * table));
                for (j, (orders, tables)) in tiles.enumerate() {
                    let (lanes, _) = y.as_chunks_mut::<CHANNELS>();
                    let tiles = orders.chunks_exact(places).zip(tables.chunks_exact(table));
                    for (order, table) in tiles {
                        let tile = Tile {
                            x,
                            stride: self.from,
                            blocks: self.inputs,
                            places: Places::Table(table),
                            taps: self.taps,
                            weights,
                            cut,
                        };
                        if self.ordered {
                            multiply(tile, &mut lanes[order[0] as usize..], [self.to, 1]);
                            continue;
                        }
                        multiply(tile, &mut sums, [places, 1]);
                        for (y, sums) in lanes.chunks_exact_mut(self.to).zip(sums.chunks(places)) {
                            for (place, sum) in order.iter().zip(sums) {
                                y[*place as usize] = *sum;
                            }
                        }
                    }
                    // What no later tile writes again is finished while it is in the cache.
                    let tile = i * together + j * FEW;
                    let done = self.written(tile)..self.written(tile + orders.len() / places);
                    self.finish(operands, start, y, done)?;
                }
            }
        }
        Ok(())
    }

    /// How many places are complete before a tile is computed.
    fn written(&self, tile: usize) -> usize {
        match self.order.get(tile * self.cut.places) {
            Some(place) if self.ordered => *place as usize,
            Some(_) => 0,
            None => self.to,
        }
    }

    /// Finishes some places of all planes.
    fn finish(
        &self,
        operands: &Operands<'_>,
        start: usize,
        y: &mut [f32],
        places: Range<usize>,
    ) -> Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        let (plane, places) = (
            self.to * CHANNELS,
            CHANNELS * places.start..CHANNELS * places.end,
        );
        for (i, y) in y.chunks_exact_mut(plane).enumerate() {
            let at = start + i * plane + places.start;
            operands
                .finish
                .apply(operands, at, &mut y[places.clone()])?;
        }
        Ok(())
    }
}

impl Kernel for Convolution {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let (x, w) = (operands.read(0)?, operands.read(1)?);
        let ((x, _), (w, _)) = (x.as_chunks::<CHANNELS>(), w.as_chunks::<CHANNELS>());
        let (plane, rows) = (self.to * CHANNELS, CHANNELS * self.taps * self.inputs);
        let threads = Threads::for_work(output.len() * rows);
        // So many blocks of outputs that neither samples nor tiles are divided unevenly.
        let share = threads.share(output.len() / plane.max(1)).min(self.outputs);
        let share = (1..=share).rev().find(|share| {
            self.outputs.is_multiple_of(*share) && share.is_multiple_of(self.cut.blocks)
        });
        let job = share.unwrap_or(self.cut.blocks) * plane;
        jobs_on(threads, output, job, job * rows, |i, y| {
            let first = i * (job / plane);
            let (sample, block) = (first / self.outputs, first % self.outputs);
            let x = &x[sample * self.inputs * self.from..];
            self.blocks(x, &w[block * rows..], operands, i * job, y)
        })
    }

    fn finishes(&self) -> bool {
        true
    }

    fn layout(&self) -> Option<Layout> {
        Some(self.weight)
    }
}

impl fmt::Display for Convolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
