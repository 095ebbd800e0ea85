//! Many rows times a weight that stays the same.

use std::fmt;

use super::super::super::channels::{Cut, Windows, multiply};
use super::super::super::parallel::{Threads, even, lanes_on};
use super::{Kernel, Needs, Operands, Result, Scratch, Sizes, ops};
use crate::ops::{CHANNELS, Channels, Direction, Layout};

/// How many numbers of the rows are read again and again, by one group of columns after the other, and how many are written: what
/// the second cache holds.
const NEAR: usize = 1 << 16;
/// Fewer rows at a time read the weight too often.
const FEWEST: usize = 48;

/// `C = A·B` or `A·Bᵀ`. Vectors hold columns of the weight, which is laid out in the order in which it is read.
pub(super) struct ManyRows {
    op: ops::MatMul,
    sizes: Sizes,
}

impl ManyRows {
    pub(super) fn new(op: ops::MatMul, sizes: Sizes) -> Self {
        Self { op, sizes }
    }

    /// The blocks of columns.
    fn blocks(&self) -> usize {
        self.sizes.n.div_ceil(CHANNELS)
    }

    /// The most rows that are computed at a time.
    fn most(&self) -> usize {
        let Sizes { m, k, n, .. } = self.sizes;
        (NEAR / k.max(n)).max(FEWEST).min(m)
    }

    /// Some rows, of whole blocks of columns.
    fn rows(&self, a: &[f32], w: &[f32], c: &mut [f32]) {
        let (k, blocks) = (self.sizes.k, self.blocks());
        let ((w, _), (lanes, _)) = (w.as_chunks(), c.as_chunks_mut());
        let rows = a.len() / k;
        let cut = Cut::new(blocks, rows);
        for (group, weights) in w.chunks_exact(cut.blocks * k).enumerate() {
            for start in (0..rows).step_by(cut.places) {
                let start = start.min(rows - cut.places);
                let tile = Windows {
                    x: a,
                    start: start * k,
                    step: k,
                    lines: &[0],
                    length: k,
                    weights,
                    cut,
                };
                let at = start * blocks + group * cut.blocks;
                multiply(tile, &mut lanes[at..], [1, blocks]);
            }
        }
    }
}

impl Kernel for ManyRows {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let (a, w) = (operands.read(0)?, operands.read(1)?);
        let Sizes { m, k, n, .. } = self.sizes;
        let threads = Threads::for_work(m * n * k);
        let job = even(threads.share(m), self.most());
        let columns = CHANNELS * self.blocks();
        lanes_on(threads, output, job * n, scratch, |i, c, lane| {
            let a = &a[i * job * k..][..c.len() / n * k];
            if columns == n {
                self.rows(a, w, c);
            } else {
                let lane = &mut lane[..c.len() / n * columns];
                self.rows(a, w, lane);
                for (c, row) in c.chunks_exact_mut(n).zip(lane.chunks_exact(columns)) {
                    c.copy_from_slice(&row[..n]);
                }
            }
            operands.finish.apply(operands, i * job * n, c)
        })
    }

    fn finishes(&self) -> bool {
        true
    }

    fn needs(&self) -> Needs {
        let whole = self.sizes.n.is_multiple_of(CHANNELS);
        let rows = if whole { 0 } else { self.most() };
        Needs {
            shared: 0,
            lane: rows * CHANNELS * self.blocks(),
        }
    }

    fn layout(&self) -> Option<Layout> {
        let Sizes { k, n, .. } = self.sizes;
        let (direction, [outputs, inputs]) = match self.op.transpose_b {
            true => (Direction::Forward, [n, k]),
            false => (Direction::Backward, [k, n]),
        };
        let channels = Channels {
            outputs,
            inputs,
            taps: 1,
        };
        Some(Layout::Channels(channels, direction))
    }
}

impl fmt::Display for ManyRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::write(f, self.op, self.sizes)?;
        f.write_str(" by columns")
    }
}
