//! Pools that select, of values in blocks: a vector of channels at a time.

use std::fmt;

use xdnn_ir::Shape;

use super::super::super::channels::{Lane, NOWHERE};
use super::super::super::parallel::{Threads, jobs_on};
use super::super::super::simd::{select, vectorised};
use super::{Kernel, Operands, Result, Scratch};
use crate::ops::{self, CHANNELS, PoolWindow, plain};

/// For each window what each of its taps reads.
struct Windows {
    inputs: usize,
    taps: usize,
    sources: Vec<u32>,
}

impl Windows {
    /// `None` unless each window is of places of an image, all of whose channels it takes alike.
    fn of(window: &PoolWindow, x: Shape) -> Option<Self> {
        plain(x)?;
        let apart = window.kernel[2] == 1 && window.stride[2] == 1 && window.padding[2] == 0;
        if !apart || window.output[2] != CHANNELS {
            return None;
        }
        let size = [1, x.dim(2), x.dim(3)];
        let shifted = |sizes: [usize; 3], first| [first, sizes[0], sizes[1]];
        let flat = PoolWindow {
            kernel: shifted(window.kernel, 1),
            stride: shifted(window.stride, 1),
            padding: shifted(window.padding, 0),
            dilation: shifted(window.dilation, 1),
            output: shifted(window.output, 1),
        };
        let [height, width] = [flat.output[1], flat.output[2]];
        let taps = flat.taps();
        let mut sources = Vec::with_capacity(height * width * taps);
        for place in 0..height * width {
            let at = [0, place / width, place % width];
            let source = |tap| flat.position(size, at, tap).map_or(NOWHERE, |at| at as u32);
            sources.extend((0..taps).map(source));
        }
        Some(Self {
            inputs: size[1] * size[2],
            taps,
            sources,
        })
    }

    fn outputs(&self) -> usize {
        self.sources.len() / self.taps.max(1)
    }

    /// For each window its taps and what they read.
    fn iter(&self) -> impl Iterator<Item = impl Iterator<Item = (f32, usize)>> {
        self.sources.chunks_exact(self.taps).map(|sources| {
            let taps = sources.iter().enumerate();
            let taps = taps.filter(|(_, source)| **source != NOWHERE);
            taps.map(|(tap, source)| (tap as f32, *source as usize))
        })
    }

    /// Calls `each(i, block)` for each block of `size` places of the output.
    fn blocks(
        &self,
        output: &mut [f32],
        size: usize,
        each: impl Fn(usize, &mut [Lane]) + Sync,
        operands: &Operands<'_>,
    ) -> Result<()> {
        let size = CHANNELS * size;
        let work = CHANNELS * self.sources.len();
        let threads = Threads::for_work(work * (output.len() / size.max(1)));
        jobs_on(threads, output, size, work, |i, block| {
            vectorised(|| each(i, block.as_chunks_mut().0));
            operands.finish.apply(operands, i * size, block)
        })
    }
}

/// Which tap of each window wins: the largest or the least.
pub(in super::super) struct Winner {
    windows: Windows,
    least: bool,
}

/// The elements that the taps name.
pub(in super::super) struct Gather(Windows);

/// Each element added where its tap says that it came from.
pub(in super::super) struct Scatter(Windows);

impl Winner {
    pub(in super::super) fn new(op: &ops::PoolWinner, x: Shape) -> Option<Self> {
        let least = match op.winner {
            ops::Winner::Max => false,
            ops::Winner::Min => true,
            ops::Winner::Median | ops::Winner::Rank(_) => return None,
        };
        let windows = Windows::of(&op.window, x)?;
        Some(Self { windows, least })
    }
}

impl Gather {
    pub(in super::super) fn new(op: &ops::PoolGather, x: Shape) -> Option<Self> {
        Windows::of(&op.window, x).map(Self)
    }
}

impl Scatter {
    pub(in super::super) fn new(op: &ops::PoolScatter) -> Option<Self> {
        Windows::of(&op.window, op.shape).map(Self)
    }
}

impl Kernel for Winner {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let (windows, (x, _)) = (&self.windows, operands.read(0)?.as_chunks::<CHANNELS>());
        let each = |i: usize, winners: &mut [Lane]| {
            let x = &x[i * windows.inputs..][..windows.inputs];
            for (winner, taps) in winners.iter_mut().zip(windows.iter()) {
                let mut best = [0.0; CHANNELS];
                *winner = [-1.0; CHANNELS];
                for (tap, source) in taps {
                    for ((winner, best), x) in winner.iter_mut().zip(&mut best).zip(&x[source]) {
                        // What is no number beats every number, as in the dialect.
                        let beats = if self.least { x < best } else { x > best };
                        let wins = (*winner < 0.0) | beats | (x.is_nan() & !best.is_nan());
                        *winner = select(wins, tap, *winner);
                        *best = select(wins, *x, *best);
                    }
                }
            }
        };
        windows.blocks(output, windows.outputs(), each, operands)
    }

    fn finishes(&self) -> bool {
        true
    }
}

impl Kernel for Gather {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let (x, _) = operands.read(0)?.as_chunks::<CHANNELS>();
        let (winners, _) = operands.read(1)?.as_chunks::<CHANNELS>();
        let windows = &self.0;
        let each = |i: usize, y: &mut [Lane]| {
            let x = &x[i * windows.inputs..][..windows.inputs];
            let winners = &winners[i * windows.outputs()..];
            for ((y, winner), taps) in y.iter_mut().zip(winners).zip(windows.iter()) {
                *y = [0.0; CHANNELS];
                for (tap, source) in taps {
                    for ((y, winner), x) in y.iter_mut().zip(winner).zip(&x[source]) {
                        *y = select(*winner == tap, *x, *y);
                    }
                }
            }
        };
        windows.blocks(output, windows.outputs(), each, operands)
    }

    fn finishes(&self) -> bool {
        true
    }
}

impl Kernel for Scatter {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let (g, _) = operands.read(0)?.as_chunks::<CHANNELS>();
        let (winners, _) = operands.read(1)?.as_chunks::<CHANNELS>();
        let windows = &self.0;
        let each = |i: usize, x: &mut [Lane]| {
            x.fill([0.0; CHANNELS]);
            let (g, winners) = (
                &g[i * windows.outputs()..],
                &winners[i * windows.outputs()..],
            );
            for ((g, winner), taps) in g.iter().zip(winners).zip(windows.iter()) {
                for (tap, source) in taps {
                    for ((x, winner), g) in x[source].iter_mut().zip(winner).zip(g) {
                        *x += select(*winner == tap, *g, 0.0);
                    }
                }
            }
        };
        windows.blocks(output, windows.inputs, each, operands)
    }

    fn finishes(&self) -> bool {
        true
    }
}

impl fmt::Display for Winner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.least { "min" } else { "max" };
        write!(f, "pool-winner {name} blocks, {}", self.windows)
    }
}

impl fmt::Display for Gather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pool-gather blocks, {}", self.0)
    }
}

impl fmt::Display for Scatter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pool-scatter blocks, {}", self.0)
    }
}

/// `784 places → 196 of 9 taps`.
impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} places → {} of {} taps",
            self.inputs,
            self.outputs(),
            self.taps
        )
    }
}
