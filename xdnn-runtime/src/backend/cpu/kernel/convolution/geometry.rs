//! The sizes of a convolution, and how it is cut into tiles.

use std::fmt;
use std::ops::Range;

use super::super::super::parallel::{Threads, even, lanes_on};
use super::super::super::windows::{Motion, Windows};
use super::{Result, Scratch};
use crate::ops::{Convolution, Volumes};

/// The sizes of a convolution.
#[derive(Debug)]
pub(super) struct Geometry {
    /// Samples.
    pub batch: usize,
    /// Groups of channels.
    pub groups: usize,
    /// Input channels of a group.
    pub inputs: usize,
    /// Output channels of a group.
    pub outputs: usize,
    /// What each window reads.
    pub windows: Windows,
    /// How many samples are in a block. More than one only where there is one group, and a sample makes few columns.
    pub samples: usize,
    /// How many columns of a sample are in a tile: all of them, where a block has several samples.
    columns: usize,
}

/// Some windows of some samples: the columns of a product. Several samples only with all their windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    pub samples: Range<usize>,
    pub columns: Range<usize>,
}

impl Tile {
    /// The number of columns.
    pub(super) fn width(&self) -> usize {
        self.samples.len() * self.columns.len()
    }
}

impl Geometry {
    /// A convolution cut into tiles of up to `width` columns, more or less.
    pub(super) fn new(op: &Convolution, volumes: Volumes, width: usize) -> Self {
        let Volumes { x, w, y } = volumes;
        let motion = Motion {
            stride: op.stride,
            padding: op.padding,
            dilation: op.dilation,
        };
        let plane = y.plane().max(1);
        let joined = if op.groups == 1 && plane <= width / 2 {
            (width / plane).min(y.batch).max(1)
        } else {
            1
        };
        let samples = even(y.batch, joined);
        Self {
            batch: y.batch,
            groups: op.groups,
            inputs: w.channels,
            outputs: y.channels / op.groups.max(1),
            samples,
            columns: if samples == 1 {
                even(plane, width).next_multiple_of(16).min(plane)
            } else {
                plane
            },
            windows: Windows::new(x.size, y.size, w.size, motion),
        }
    }

    /// The number of elements of a window, over all input channels of a group.
    pub(super) fn depth(&self) -> usize {
        self.inputs * self.windows.taps()
    }

    /// The number of blocks of samples.
    pub(super) fn blocks(&self) -> usize {
        self.batch.div_ceil(self.samples)
    }

    /// The multiplications and additions.
    pub(super) fn work(&self) -> usize {
        let columns = self.batch * self.windows.outputs();
        columns * self.groups * self.outputs * self.depth()
    }

    /// The tiles of a block.
    pub(super) fn tiles(&self, block: usize) -> impl Iterator<Item = Tile> {
        let first = block * self.samples;
        let samples = first..(first + self.samples).min(self.batch);
        let (all, step) = (self.windows.outputs(), self.columns.max(1));
        (0..all).step_by(step).map(move |start| Tile {
            samples: samples.clone(),
            columns: start..(start + step).min(all),
        })
    }

    /// Whether the input needs no unrolling.
    pub(super) fn is_plain(&self) -> bool {
        self.samples == 1 && self.windows.is_pointwise()
    }

    /// The most columns that a tile has.
    pub(super) fn width(&self) -> usize {
        self.columns * self.samples
    }

    /// The size of the memory for the results of a tile of several samples.
    pub(super) fn staged(&self) -> usize {
        if self.samples == 1 {
            0
        } else {
            self.outputs * self.width()
        }
    }

    /// Where plane 0 of a group of a sample starts in the input.
    pub(super) fn input(&self, sample: usize, group: usize) -> usize {
        (sample * self.groups + group) * self.inputs * self.windows.inputs()
    }

    /// Where plane 0 of a group of a sample starts in the output.
    pub(super) fn output(&self, sample: usize, group: usize) -> usize {
        (sample * self.groups + group) * self.outputs * self.windows.outputs()
    }

    /// Calls `each(i, part, lane, threads)` for each part of `size` elements of `output`: several parts at a time where
    /// that divides the work evenly, otherwise one after the other with all threads on each.
    pub(super) fn divide(
        &self,
        output: &mut [f32],
        size: usize,
        scratch: Scratch<'_>,
        each: impl Fn(usize, &mut [f32], &mut [f32], Threads) -> Result<()> + Sync,
    ) -> Result<()> {
        let parts = output.len().div_ceil(size.max(1));
        let lanes = (scratch.lanes.len() / scratch.lane.max(1)).max(1);
        let even = 4 * parts >= 3 * parts.next_multiple_of(lanes);
        let (outside, inside) = match Threads::for_work(self.work() / 4) {
            Threads::All if even => (Threads::All, Threads::One),
            threads => (Threads::One, threads),
        };
        lanes_on(outside, output, size, scratch, |i, part, lane| {
            each(i, part, lane, inside)
        })
    }
}

/// `32 groups of 4→4, 1×8×8 → 1×8×8 by 1×3×3, tiles of 36×64`.
impl fmt::Display for Geometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.groups > 1 {
            write!(f, "{} groups of ", self.groups)?;
        }
        write!(f, "{}→{}, {}", self.inputs, self.outputs, self.windows)
    }
}
